package analyze

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// TestUnresolved: what a job asks for without telling is named, and nothing is made up
// for it.
func TestUnresolved(t *testing.T) {
	const server = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/t"
	known := readElsewhere()
	known.aliases = map[string]string{"arn:aws:kms:eu-west-1:123456789012:alias/known": "arn:aws:kms:eu-west-1:123456789012:key/" + testKey}
	known.manifests = map[string]*snapshot.Manifest{
		"s3://bkt/read.json": {URI: "s3://bkt/read.json", Prefixes: []string{"s3://other/a/", "s3://bkt/b"}},
		"s3://bkt/part.json": {URI: "s3://bkt/part.json", Prefixes: []string{"s3://other/a/"}, Truncated: true},
		"s3://bkt/evil.json": {URI: "s3://bkt/evil.json", Prefixes: []string{"s3://*/a/", "s3://bkt/*"}},
	}
	for _, tt := range []struct {
		name string
		set  func(*snapshot.Job)
		open []string // "field: what"
		// needs beside those of every job; nil for none, "" first for not looked at
		needs []string
	}{
		{name: "nothing", set: func(*snapshot.Job) {}},
		{name: "a job as Search shows it", set: func(j *snapshot.Job) { j.Described = false },
			open: []string{"RemoteDebugConfig, MlflowConfig, ProfilerRuleConfigurations: remote debugging, MLflow and profiler rules"}},
		{name: "ECR Public", set: func(j *snapshot.Job) { j.Image = "public.ecr.aws/team/x:1" },
			open: []string{"AlgorithmSpecification.TrainingImage: the image public.ecr.aws/team/x:1"}},
		{name: "Docker Hub", set: func(j *snapshot.Job) { j.Image = "python:3" }, open: []string{"AlgorithmSpecification.TrainingImage: the image python:3"}},
		{name: "a repository with a wildcard", set: func(j *snapshot.Job) { j.Image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/*" },
			open: []string{"AlgorithmSpecification.TrainingImage: the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/*"}},
		{name: "another registry over the VPC", set: func(j *snapshot.Job) { j.Image, j.RepositoryAccess = "registry.example.com/x:1", "Vpc" }},
		{name: "named like a cache", set: func(j *snapshot.Job) { j.Image = "999999999999.dkr.ecr.eu-west-1.amazonaws.com/docker-hub/library/x:1" },
			open: []string{"AlgorithmSpecification.TrainingImage: the repository docker-hub/library/x"},
			needs: []string{"ecr:BatchCheckLayerAvailability arn:aws:ecr:eu-west-1:999999999999:repository/docker-hub/library/x", "ecr:BatchGetImage arn:aws:ecr:eu-west-1:999999999999:repository/docker-hub/library/x",
				"ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer arn:aws:ecr:eu-west-1:999999999999:repository/docker-hub/library/x"}},
		{name: "named like a cache and known to be none", set: func(j *snapshot.Job) { j.Image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay/x:1" }, needs: []string{""}},
		{name: "own algorithm", set: func(j *snapshot.Job) { j.Algorithm, j.NetworkIsolation = "forest", true },
			open:  []string{"AlgorithmSpecification.AlgorithmName: the image of the algorithm forest"},
			needs: []string{"sagemaker:DescribeAlgorithm arn:aws:sagemaker:eu-west-1:123456789012:algorithm/forest"}},
		{name: "Marketplace algorithm", set: func(j *snapshot.Job) {
			j.Algorithm, j.NetworkIsolation = "arn:aws:sagemaker:eu-west-1:865070037744:algorithm/m", true
		}, needs: []string{"sagemaker:DescribeAlgorithm arn:aws:sagemaker:eu-west-1:865070037744:algorithm/m"}},
		{name: "algorithm with a wildcard", set: func(j *snapshot.Job) { j.Algorithm = "arn:aws:sagemaker:*:123456789012:algorithm/m" },
			open: []string{"AlgorithmSpecification.AlgorithmName: the algorithm arn:aws:sagemaker:*:123456789012:algorithm/m"}},
		{name: "manifest", set: func(j *snapshot.Job) { j.Channels = channel("ManifestFile", "s3://bkt/m.json") },
			open:  []string{"InputDataConfig[train].DataSource.S3DataSource.S3Uri: the objects that the manifest names: arn:aws:s3:::bkt/m.json"},
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/m.json", "s3:ListBucket arn:aws:s3:::bkt"}},
		{name: "manifest that was read", set: func(j *snapshot.Job) { j.Channels = channel("ManifestFile", "s3://bkt/read.json") },
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/b*", "s3:GetObject arn:aws:s3:::bkt/read.json", "s3:GetObject arn:aws:s3:::other/a/*",
				"s3:ListBucket arn:aws:s3:::bkt", "s3:ListBucket arn:aws:s3:::other"}},
		{name: "manifest that was read in part", set: func(j *snapshot.Job) { j.Channels = channel("AugmentedManifestFile", "s3://bkt/part.json") },
			open: []string{"InputDataConfig[train].DataSource.S3DataSource.S3Uri: more objects that the manifest names: arn:aws:s3:::bkt/part.json"},
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/part.json", "s3:GetObject arn:aws:s3:::other/a/*",
				"s3:ListBucket arn:aws:s3:::bkt", "s3:ListBucket arn:aws:s3:::other"}},
		{name: "hostile manifest", set: func(j *snapshot.Job) { j.Channels = channel("ManifestFile", "s3://bkt/evil.json") },
			open:  []string{"InputDataConfig[train].DataSource.S3DataSource.S3Uri (manifest): the location s3://*/a/ in the manifest"},
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/${*}*", "s3:GetObject arn:aws:s3:::bkt/evil.json", "s3:ListBucket arn:aws:s3:::bkt"}},
		{name: "manifest of each day", set: func(j *snapshot.Job) { j.Channels = channel("ManifestFile", "s3://bkt/m/2026-10-28/m.json") },
			open:  []string{"InputDataConfig[train].DataSource.S3DataSource.S3Uri: the objects that the manifest names: arn:aws:s3:::bkt/m/*"},
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/m/*", "s3:ListBucket arn:aws:s3:::bkt"}},
		{name: "a type of tomorrow", set: func(j *snapshot.Job) { j.Channels = channel("Tomorrow", "s3://bkt/in/") },
			open:  []string{"InputDataConfig[train].DataSource.S3DataSource.S3Uri: input of the type Tomorrow"},
			needs: []string{"s3:GetObject arn:aws:s3:::bkt/in/*", "s3:ListBucket arn:aws:s3:::bkt"}},
		{name: "access point alias", set: func(j *snapshot.Job) { j.Output.URI = "s3://ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/x" },
			open: []string{"OutputDataConfig.S3OutputPath: the location s3://ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/x"}},
		{name: "directory bucket", set: func(j *snapshot.Job) {
			j.Output.URI, j.Channels = "s3://fast--euw1-az1--x-s3/out/", channel("S3Prefix", "s3://fast--euw1-az1--x-s3/in/")
		}, needs: []string{"s3express:CreateSession arn:aws:s3express:eu-west-1:123456789012:bucket/fast--euw1-az1--x-s3", "s3express:CreateSession arn:aws:s3express:eu-west-1:123456789012:bucket/fast--euw1-az1--x-s3"}},
		{name: "alias", set: func(j *snapshot.Job) { j.Output.KMSKey = "alias/unknown" },
			open: []string{"OutputDataConfig.KmsKeyId: the key behind alias/unknown"},
			needs: []string{"kms:Decrypt arn:aws:kms:eu-west-1:123456789012:key/*", "kms:Encrypt arn:aws:kms:eu-west-1:123456789012:key/*",
				"kms:GenerateDataKey arn:aws:kms:eu-west-1:123456789012:key/*"}},
		{name: "alias that is known", set: func(j *snapshot.Job) { j.VolumeKMSKey = "alias/known" },
			needs: []string{"kms:CreateGrant arn:aws:kms:eu-west-1:123456789012:key/" + testKey}},
		{name: "alias of another account and region", set: func(j *snapshot.Job) { j.VolumeKMSKey = "arn:aws:kms:us-east-1:999999999999:alias/a" },
			open:  []string{"ResourceConfig.VolumeKmsKeyId: the key behind arn:aws:kms:us-east-1:999999999999:alias/a"},
			needs: []string{"kms:CreateGrant arn:aws:kms:us-east-1:999999999999:key/*"}},
		{name: "key with a wildcard", set: func(j *snapshot.Job) { j.VolumeKMSKey = "arn:aws:kms:*:999999999999:key/*" },
			open: []string{"ResourceConfig.VolumeKmsKeyId: the key arn:aws:kms:*:999999999999:key/*"}},
		{name: "any key", set: func(j *snapshot.Job) { j.VolumeKMSKey = "*" }, open: []string{"ResourceConfig.VolumeKmsKeyId: the key *"}},
		{name: "MLflow", set: func(j *snapshot.Job) { j.Mlflow = server }, open: []string{"MlflowConfig.MlflowResourceArn: which calls to " + server + " the job makes"}, needs: []string{""}},
		{name: "MLflow app", set: func(j *snapshot.Job) { j.Mlflow = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/a" },
			open: []string{"MlflowConfig.MlflowResourceArn: arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/a"}},
		{name: "data set", set: func(j *snapshot.Job) {
			j.Channels = []snapshot.Channel{{Name: "train", Dataset: "arn:aws:sagemaker:eu-west-1:123456789012:hub-content/h/DataSet/d/1"}}
		}, open: []string{"InputDataConfig[train].DataSource.DatasetSource.DatasetArn: where the data of arn:aws:sagemaker:eu-west-1:123456789012:hub-content/h/DataSet/d/1 lies"},
			needs: []string{"sagemaker:DescribeHubContent arn:aws:sagemaker:eu-west-1:123456789012:hub-content/h/DataSet/d/1", "sagemaker:DescribeHubContent arn:aws:sagemaker:eu-west-1:123456789012:hub/h"}},
		{name: "a rule that reads what the job does not name", set: func(j *snapshot.Job) { j.DebugRules = []snapshot.Rule{{Name: "r", Image: testImage}} },
			open: []string{"DebugRuleConfigurations[r]: the output that the rule reads"}, needs: []string{""}},
		{name: "a hostile function", set: func(j *snapshot.Job) {
			j.CredentialsProviderARN = "arn:aws:lambda:${aws:username}:123456789012:function:f"
		},
			open: []string{fieldFunction + ": arn:aws:lambda:${aws:username}:123456789012:function:f"}},
	} {
		j := &snapshot.Job{Name: "job-1", Region: "eu-west-1", Status: "Completed", Described: true}
		tt.set(j)
		_, open := newAsks(place{partition: "aws", account: testAccount}, known, nil).requirements([]*snapshot.Job{j}, 5)
		var got []string
		for _, n := range open {
			got = append(got, n.field+": "+n.what)
			if n.why == "" || n.total != 1 || n.jobs[0] != j {
				t.Errorf("%s: %+v", tt.name, n)
			}
		}
		if d := cmp.Diff(tt.open, got); d != "" {
			t.Errorf("%s: open (-want +got):\n%s", tt.name, d)
		}
		if slices.Equal(tt.needs, []string{""}) {
			continue
		}
		needs, _ := newAsks(place{partition: "aws", account: testAccount}, known, nil).requirements([]*snapshot.Job{j}, 5)
		got = nil
		for _, n := range needs {
			if n.area != areaLogs && n.area != areaMetrics {
				got = append(got, n.action+" "+n.resource)
			}
		}
		slices.Sort(got)
		if d := cmp.Diff(tt.needs, got); d != "" {
			t.Errorf("%s: needs (-want +got):\n%s", tt.name, d)
		}
	}
}

// TestNotes: what is odd about a key stands with the evidence.
func TestNotes(t *testing.T) {
	s := world(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bkt/*"}}`)
	j := completedJob("job-1")
	j.Channels = channel("S3Prefix", "s3://bkt/in//日本/")
	s.Jobs = []snapshot.Job{j}
	for _, r := range analyzed(t, s).Roles[0].Required {
		if r.Action != "s3:GetObject" {
			continue
		}
		if !slices.Equal(r.Resources, []string{"arn:aws:s3:::bkt/in//*"}) || !strings.Contains(r.Evidence[0].Text, "no policy can hold") || !strings.Contains(r.Evidence[0].Text, "empty segment") {
			t.Errorf("%+v", r)
		}
		return
	}
	t.Error("no s3:GetObject")
}

func TestUnresolvedInTheReport(t *testing.T) {
	s := world(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	s.Jobs = nil
	for i := range 60 {
		j := completedJob(fmt.Sprintf("train-%02d", i))
		j.Described = true
		j.Channels = []snapshot.Channel{{Name: fmt.Sprintf("c%02d", i%55), DataType: "ManifestFile", URI: "s3://bkt/m.json"}}
		s.Jobs = append(s.Jobs, j)
	}
	r := analyzed(t, s).Roles[0]
	if len(r.Unresolved) != report.MaxResources || r.UnresolvedTotal != 55 || r.Unresolved[0].JobsTotal != 2 || len(r.Unresolved[0].Jobs) != 2 {
		t.Errorf("%d of %d, the first %+v", len(r.Unresolved), r.UnresolvedTotal, r.Unresolved[0])
	}
	s.Manifests = []snapshot.Manifest{{URI: "s3://bkt/m.json", Prefixes: []string{"s3://data/x/"}}}
	r = analyzed(t, s).Roles[0]
	if r.UnresolvedTotal != 0 || !slices.ContainsFunc(r.Required, func(q report.Required) bool {
		return q.Action == "s3:GetObject" && slices.Contains(q.Resources, "arn:aws:s3:::data/x/*")
	}) {
		t.Errorf("read, and open all the same: %+v", r.Unresolved)
	}
}

func TestOnlyIsolated(t *testing.T) {
	in, out := &snapshot.Job{NetworkIsolation: true}, &snapshot.Job{}
	if onlyIsolated(nil) || onlyIsolated([]*snapshot.Job{in, out}) || !onlyIsolated([]*snapshot.Job{in, in}) {
		t.Error("isolated are jobs of which each is")
	}
}

// randomJob has any of the fields, hostile ones among them.
func randomJob(r *rand.Rand, i int) snapshot.Job {
	j := snapshot.Job{Name: fmt.Sprintf("job-%d", i), Region: []string{"eu-west-1", "us-east-1"}[r.IntN(2)],
		Described: r.IntN(3) == 0, Status: []string{"Completed", "Failed", "InProgress"}[r.IntN(3)], CreatedAt: now.AddDate(0, 0, -r.IntN(5))}
	for range r.IntN(6) {
		x := triggers[r.IntN(len(triggers))]
		x.on(&j)
	}
	uris := []string{"s3://bkt/in/a/", "s3://bkt/in/b/", "s3://bkt/in/c/", "s3://bkt/in/d/x", "s3://bkt/in/2026-10-28/x", "s3://bkt/in/" + j.Name + "/x"}
	uri := func() string {
		if r.IntN(4) == 0 {
			return hostileURI(r)
		}
		return uris[r.IntN(len(uris))]
	}
	for c := range r.IntN(3) {
		j.Channels = append(j.Channels, snapshot.Channel{Name: fmt.Sprint("c", c), DataType: []string{"S3Prefix", "ManifestFile"}[r.IntN(2)], URI: uri(), InputMode: []string{"", "Pipe"}[r.IntN(2)]})
	}
	j.Output.URI, j.Checkpoint = uri(), uri()
	return j
}

// TestNeedsOfManyJobs: what many jobs need does not depend on their order, takes in
// what each of them needs, and is never wider than a bucket.
func TestNeedsOfManyJobs(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	type flat struct {
		Required required
		Jobs     []string
	}
	read := func(jobs []*snapshot.Job) (out []flat, open []openNeed) {
		needs, left := newAsks(place{partition: "aws", account: testAccount}, readElsewhere(), jobs).requirements(jobs, 3)
		for _, n := range needs {
			f := flat{Required: *n}
			for _, j := range n.jobs {
				f.Jobs = append(f.Jobs, j.Name)
			}
			f.Required.need.s3 = nil // a pointer
			out = append(out, f)
		}
		for _, n := range left {
			open = append(open, *n)
		}
		return out, open
	}
	for range 150 {
		var jobs []*snapshot.Job
		for i := range 1 + r.IntN(12) {
			j := randomJob(r, i)
			jobs = append(jobs, &j)
		}
		needs, open := read(jobs)
		shuffled := slices.Clone(jobs)
		r.Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		again, openAgain := read(shuffled)
		if !reflect.DeepEqual(needs, again) || !reflect.DeepEqual(open, openAgain) {
			t.Fatalf("another order, other needs:\n%s", cmp.Diff(fmt.Sprintf("%+v", needs), fmt.Sprintf("%+v", again)))
		}
		asks := newAsks(place{partition: "aws", account: testAccount}, readElsewhere(), jobs)
		for _, j := range jobs {
			own, _ := asks.of(j)
			for _, n := range own {
				if !slices.ContainsFunc(needs, func(f flat) bool {
					return f.Required.action == n.action && f.Required.area == n.area && f.Required.need.strength >= n.strength &&
						(f.Required.resource == n.resource || policy.Includes(f.Required.resource, n.resource))
				}) {
					t.Fatalf("%s needs %s on %s, and together they do not", j.Name, n.action, n.resource)
				}
				if n.s3 != nil && n.s3.directory == "" {
					objects := n.s3.bucketARN() + "/*"
					if !policy.Includes(objects, n.resource) {
						t.Fatalf("%s is not within %s", n.resource, objects)
					}
				}
			}
		}
	}
}
