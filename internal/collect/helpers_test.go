package collect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

var now = time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)

var discard = slog.New(slog.DiscardHandler)

func logger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

const day = 24 * time.Hour

const trustsSageMaker = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// options read an account whole, quickly.
func options(a *awssim.Account) Options {
	return Options{
		StaticCredentials: true, Window: 90 * day, JobsWindow: 400 * day, Usage: UsageLookup,
		Now:        func() time.Time { return a.Now },
		InScope:    func(r snapshot.Role) bool { return strings.Contains(r.Trust, "sagemaker.amazonaws.com") },
		maxBackoff: time.Millisecond,
	}
}

// serve starts a loopback AWS and gives the options that read it.
func serve(t testing.TB, a *awssim.Account) (*awssim.Server, Options) {
	t.Helper()
	server := awssim.New(a)
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	o := options(a)
	o.EndpointURL = url
	return server, o
}

func collected(t testing.TB, o Options) *snapshot.Snapshot {
	t.Helper()
	s, err := Collect(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t testing.TB, s *snapshot.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := snapshot.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// small is a small account: two regions, a role with all kinds of policies, an
// idle role, one that does not trust SageMaker, a trail of all regions, the buckets of its jobs, jobs jobs an
// hour apart and as many events ten minutes apart in us-east-1, and behind these the
// CreateTrainingJob event of one.
func small(jobs int) *awssim.Account {
	a := &awssim.Account{
		ID: "123456789012", Now: now,
		Regions: []awssim.Region{{Name: "us-east-1"}, {Name: "eu-west-1", OptStatus: "ENABLED"}, {Name: "ap-east-1", OptStatus: "DISABLED"}},
		Roles: []awssim.Role{
			{Name: "trainer", Path: "/service-role/", CreateDate: now.Add(-500 * day), Trust: trustsSageMaker,
				Inline:   []awssim.InlinePolicy{{Name: "data", Document: `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a+b/c d%2F"}]}`}},
				Attached: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::123456789012:policy/team/local"},
				Boundary: "arn:aws:iam::aws:policy/PowerUserAccess",
				Tags:     []awssim.Tag{{Key: "team", Value: "ml"}, {Key: "env", Value: "prod"}},
				LastUsed: awssim.RoleLastUsed{Date: now.Add(-day), Region: "us-east-1"}},
			{Name: "idle", CreateDate: now.Add(-100 * day), Trust: trustsSageMaker},
			{Name: "web", CreateDate: now.Add(-100 * day), Trust: `{"Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`},
		},
		Policies: []awssim.ManagedPolicy{
			{ARN: "arn:aws:iam::aws:policy/ReadOnlyAccess", CreateDate: now.Add(-900 * day), UpdateDate: now.Add(-9 * day), Versions: []awssim.PolicyVersion{{ID: "v7", Document: `{"a":7}`}}},
			{ARN: "arn:aws:iam::aws:policy/PowerUserAccess", CreateDate: now.Add(-900 * day), UpdateDate: now.Add(-9 * day), Versions: []awssim.PolicyVersion{{ID: "v5", Document: `{"b":5}`}}},
			{ARN: "arn:aws:iam::123456789012:policy/team/local", CreateDate: now.Add(-900 * day), UpdateDate: now.Add(-9 * day),
				Versions: []awssim.PolicyVersion{{ID: "v1", Document: `{"c":1}`}, {ID: "v2", Document: `{"c":2}`, Default: true}, {ID: "v3", Document: `{"c":3}`}}},
		},
	}
	a.Trails = []awssim.Trail{{Name: "all", MultiRegion: true}}
	a.Buckets = []awssim.Bucket{{Name: "code"}, {Name: "data", Policy: `{"d":1}`}, {Name: "models"}}
	trainer := &a.Roles[0]
	for i := range jobs {
		a.Jobs = append(a.Jobs, job(a, trainer, fmt.Sprintf("job-%05d", i), now.Add(-time.Duration(i+1)*time.Hour)))
		a.Events = append(a.Events, awssim.Record{
			EventID: fmt.Sprintf("event-%05d", i), EventTime: now.Add(-time.Duration(i+2) * 10 * time.Minute), AWSRegion: "us-east-1",
			EventSource: "ecr.amazonaws.com", EventName: "BatchGetImage", EventType: "AwsApiCall", EventCategory: "Management", ReadOnly: true,
			UserIdentity:      a.Session(trainer, "SageMaker", now.Add(-80*day)),
			RequestParameters: map[string]any{"repositoryName": fmt.Sprintf("repo-%d", i%3), "secret": "SECRET-MUST-NOT-LEAK"},
		})
	}
	if jobs > 0 {
		a.Events = append(a.Events, creation(a, trainer, fmt.Sprintf("job-%05d", jobs-1), now.Add(-min(time.Duration(jobs)*time.Hour, 89*day))))
	}
	return a
}

// creation is the event that a person leaves who creates a job.
func creation(a *awssim.Account, role *awssim.Role, job string, at time.Time) awssim.Record {
	return awssim.Record{
		EventID: "creation-of-" + job, EventTime: at, AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
		EventSource: "sagemaker.amazonaws.com", EventName: "CreateTrainingJob",
		UserIdentity:      awssim.UserIdentity{Type: "IAMUser", PrincipalID: "AIDA", ARN: "arn:aws:iam::123456789012:user/engineer", UserName: "engineer"},
		RequestParameters: map[string]any{"trainingJobName": job, "roleArn": a.RoleARN(role)},
	}
}

// job is a completed training job in us-east-1.
func job(a *awssim.Account, role *awssim.Role, name string, created time.Time) awssim.TrainingJob {
	return awssim.TrainingJob{
		Region: "us-east-1", TrainingJobName: name, CreationTime: created, TrainingStartTime: created.Add(time.Minute), TrainingEndTime: created.Add(20 * time.Minute),
		TrainingJobStatus: "Completed", SecondaryStatus: "Completed", RoleArn: a.RoleARN(role),
		AlgorithmSpecification: &awssim.AlgorithmSpecification{TrainingImage: "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1.0", TrainingInputMode: "File"},
		HyperParameters:        map[string]string{"sagemaker_submit_directory": `"s3://code/source.tar.gz"`, "api_key": "SECRET-MUST-NOT-LEAK"},
		Environment:            map[string]string{"TOKEN": "SECRET-MUST-NOT-LEAK"},
		InputDataConfig: []awssim.Channel{{ChannelName: "train", DataSource: awssim.DataSource{
			S3DataSource: &awssim.S3DataSource{S3DataType: "S3Prefix", S3Uri: "s3://data/train/"}}}},
		OutputDataConfig: &awssim.OutputDataConfig{S3OutputPath: "s3://models/out"},
		ModelArtifacts:   &awssim.ModelArtifacts{S3ModelArtifacts: "s3://models/out/" + name + "/output/model.tar.gz"},
		DescribedOnly:    awssim.DescribedOnly{RemoteDebugConfig: &awssim.RemoteDebugConfig{EnableRemoteDebug: true}},
	}
}

// gapsOf are the gaps as "source region scope impact reason", in their order.
func gapsOf(s *snapshot.Snapshot) []string {
	var all []string
	for _, g := range s.Gaps {
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(g.Source, " ", g.Region, " ", g.Scope, " ", g.Impact, " ", g.Reason)), " "))
	}
	return all
}
