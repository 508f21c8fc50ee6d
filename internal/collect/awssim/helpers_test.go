package awssim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"sagemaker-role-audit/internal/collect/awssim"
)

var now = time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// clients are the real SDK clients of one region, with as many attempts as the test wants.
type clients struct {
	iam        *iam.Client
	sts        *sts.Client
	account    *account.Client
	sagemaker  *sagemaker.Client
	cloudtrail *cloudtrail.Client
	s3         *s3.Client
	kms        *kms.Client
	ecr        *ecr.Client
}

func connect(url, region string, attempts int) clients {
	cfg := aws.Config{
		Region:       region,
		BaseEndpoint: aws.String(url),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
		HTTPClient: &http.Client{Transport: plainBody{&http.Transport{}}},
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = attempts
				o.MaxBackoff = time.Millisecond
			})
		},
	}
	return clients{
		iam:        iam.NewFromConfig(cfg),
		sts:        sts.NewFromConfig(cfg),
		account:    account.NewFromConfig(cfg),
		sagemaker:  sagemaker.NewFromConfig(cfg),
		cloudtrail: cloudtrail.NewFromConfig(cfg),
		s3:         s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		kms:        kms.NewFromConfig(cfg),
		ecr:        ecr.NewFromConfig(cfg),
	}
}

// plainBody hides the WriteTo of the SDK's request bodies. The SDK closes a body as soon as it has the answer, and its
// WriteTo then reports io.EOF as an error; when the answer comes within microseconds, net/http is still looking
// for the body's end, takes that for a failed write and closes the connection under the answer (smithy-go v1.28.8,
// transport/http/internal/io.safeWriteToReadCloser). Its Read has no such fault.
type plainBody struct{ next http.RoundTripper }

func (p plainBody) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r = r.Clone(r.Context())
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return p.next.RoundTrip(r)
}

// start serves an account and connects clients that try once to us-east-1.
func start(t testing.TB, a *awssim.Account) (*awssim.Server, clients) {
	t.Helper()
	server := awssim.New(a)
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return server, connect(url, "us-east-1", 1)
}

// small is an account of three roles, three policies, a trail, two buckets, a key, n jobs an hour apart and n events a minute apart.
func small(n int) *awssim.Account {
	a := &awssim.Account{
		ID:      "123456789012",
		Now:     now,
		Regions: []awssim.Region{{Name: "us-east-1"}, {Name: "eu-west-1", OptStatus: "ENABLED"}, {Name: "ap-east-1", OptStatus: "DISABLED"}},
		Roles: []awssim.Role{
			{Name: "trainer", Path: "/service-role/", CreateDate: now.AddDate(-1, 0, 0), Description: "trains <models> & more", MaxSessionDuration: 7200, Trust: trust,
				Inline:   []awssim.InlinePolicy{{Name: "inline", Document: `{"Statement": [{"Effect":"Allow","Action":"s3:*","Resource":"a+b c%20"}]}`}},
				Attached: []string{"arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::123456789012:policy/team/local"},
				Boundary: "arn:aws:iam::aws:policy/PowerUserAccess",
				Tags:     []awssim.Tag{{Key: "team", Value: "ml"}, {Key: "env", Value: "prod"}},
				LastUsed: awssim.RoleLastUsed{Date: now.AddDate(0, 0, -1), Region: "us-east-1"}},
			{Name: "idle", CreateDate: now.AddDate(-2, 0, 0), Trust: trust},
			{Name: "other", CreateDate: now.AddDate(-2, 0, 0), Trust: trust},
		},
		Policies: []awssim.ManagedPolicy{
			{ARN: "arn:aws:iam::aws:policy/AdministratorAccess", CreateDate: now.AddDate(-9, 0, 0), Versions: []awssim.PolicyVersion{{ID: "v1", Document: `{"Version":"2012-10-17"}`}}},
			{ARN: "arn:aws:iam::aws:policy/PowerUserAccess", Versions: []awssim.PolicyVersion{{ID: "v3", Document: `{}`}}},
			{ARN: "arn:aws:iam::123456789012:policy/team/local", Versions: []awssim.PolicyVersion{{ID: "v1", Document: `{}`}, {ID: "v2", Document: `{"x":1}`, Default: true}, {ID: "v3", Document: `{}`}}},
		},
	}
	a.Trails = []awssim.Trail{{Name: "main"}}
	a.Buckets = []awssim.Bucket{{Name: "data", Policy: `{"Statement": [{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}`, Objects: map[string]string{"m.json": `[{"prefix":"s3://data/"},"a","b"]`}}, {Name: "out"}}
	a.Keys = []awssim.Key{{ID: "12345678-1234-1234-1234-123456789012", Aliases: []string{"alias/out"}}}
	role := &a.Roles[0]
	for i := range n {
		status := []string{"Completed", "Completed", "Completed", "Failed"}[i%4]
		a.Jobs = append(a.Jobs, awssim.TrainingJob{
			Region:            "us-east-1",
			TrainingJobName:   fmt.Sprintf("job-%05d", i),
			CreationTime:      now.Add(-time.Duration(i) * time.Hour),
			TrainingEndTime:   now.Add(-time.Duration(i)*time.Hour + 20*time.Minute),
			TrainingJobStatus: status,
			RoleArn:           a.RoleARN(role),
			HyperParameters:   map[string]string{"epochs": "3"},
			InputDataConfig: []awssim.Channel{{ChannelName: "train", DataSource: awssim.DataSource{
				S3DataSource: &awssim.S3DataSource{S3DataType: "S3Prefix", S3Uri: "s3://data/train/"}}}},
			OutputDataConfig: &awssim.OutputDataConfig{S3OutputPath: "s3://out/"},
			Tags:             []awssim.Tag{{Key: "n", Value: fmt.Sprint(i)}},
			DescribedOnly:    awssim.DescribedOnly{RemoteDebugConfig: &awssim.RemoteDebugConfig{EnableRemoteDebug: true}},
		})
		a.Events = append(a.Events, awssim.Record{
			UserIdentity: a.Session(role, "SageMaker", now.Add(-24*time.Hour)),
			EventTime:    now.Add(-time.Duration(i) * time.Minute),
			EventSource:  "ecr.amazonaws.com",
			EventName:    "BatchGetImage",
			AWSRegion:    "us-east-1",
			EventID:      fmt.Sprintf("event-%05d", i),
			ReadOnly:     true,
			Related:      []awssim.Resource{{ResourceType: "AWS::ECR::Repository", ResourceName: fmt.Sprintf("repo-%d", i%2)}},
		})
	}
	return a
}

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
