package collect

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sagemaker-role-audit/internal/collect/awssim"
)

// countingWire fails every request and counts them.
type countingWire struct{ sent int }

func (w *countingWire) Do(*http.Request) (*http.Response, error) {
	w.sent++
	return nil, errors.New("sent")
}

// Nothing that is not in the list becomes a request.
func TestReadOnly(t *testing.T) {
	wire := &countingWire{}
	o := options(small(0))
	o.EndpointURL, o.httpClient = "http://aws.test", wire
	c, err := newClients(t.Context(), &o, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	name := aws.String("x")
	for operation, call := range map[string]func(context.Context) error{
		"iam:DeleteRole": func(ctx context.Context) error {
			_, err := c.iam("us-east-1").DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
			return err
		},
		"iam:ListUsers": func(ctx context.Context) error {
			_, err := c.iam("us-east-1").ListUsers(ctx, &iam.ListUsersInput{})
			return err
		},
		"sagemaker:StopTrainingJob": func(ctx context.Context) error {
			_, err := c.sagemaker("us-east-1").StopTrainingJob(ctx, &sagemaker.StopTrainingJobInput{TrainingJobName: name})
			return err
		},
		"s3:DeleteBucketPolicy": func(ctx context.Context) error {
			_, err := c.s3("us-east-1").DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: name})
			return err
		},
		"s3:GetObject": func(ctx context.Context) error {
			_, err := c.s3("us-east-1").GetObject(ctx, &s3.GetObjectInput{Bucket: name, Key: name})
			return err
		},
		"s3:ListObjectsV2": func(ctx context.Context) error {
			_, err := c.s3("us-east-1").ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: name})
			return err
		},
		"kms:PutKeyPolicy": func(ctx context.Context) error {
			_, err := c.kms("us-east-1").PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: name, Policy: name})
			return err
		},
		"sts:AssumeRole": func(ctx context.Context) error {
			_, err := c.sts("us-east-1").AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/x"), RoleSessionName: aws.String("xx")})
			return err
		},
	} {
		if err := call(t.Context()); err == nil || !strings.Contains(err.Error(), operation+" is not in the list") {
			t.Errorf("%s: %v", operation, err)
		}
	}
	if wire.sent > 0 {
		t.Errorf("%d requests were sent", wire.sent)
	}
	if _, err := c.sts("us-east-1").GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err == nil || wire.sent == 0 {
		t.Errorf("the wire is not what the test takes it for: %v, %d requests", err, wire.sent)
	}
}

func TestOperations(t *testing.T) {
	all := Operations()
	if !slices.IsSortedFunc(all, func(a, b Operation) int { return strings.Compare(a.ID(), b.ID()) }) {
		t.Error("they are not sorted")
	}
	served := awssim.Operations()
	for _, o := range all {
		if o.Why == "" || o.Source == "" {
			t.Errorf("%s: no reason or no source", o.ID())
		}
		if !strings.HasPrefix(o.Name, "Get") && !strings.HasPrefix(o.Name, "List") && !strings.HasPrefix(o.Name, "Describe") &&
			!strings.HasPrefix(o.Name, "Lookup") && o.Name != "Search" &&
			o.Name != "GenerateServiceLastAccessedDetails" { // of access level Read (AWS: list_awsidentityandaccessmanagementiam)
			t.Errorf("%s does not sound like reading", o.ID())
		}
		if len(o.Actions) == 0 && o.ID() != "sts:GetCallerIdentity" {
			t.Errorf("%s needs no action", o.ID())
		}
		if !slices.Contains(served, o.ID()) {
			t.Errorf("the stand-in does not serve %s", o.ID())
		}
	}
}

// The actions of Operations are enough, and all of them are needed somewhere.
func TestOperationsAreEnough(t *testing.T) {
	granted := make(map[string]bool)
	for _, o := range Operations() {
		for _, a := range o.Actions {
			granted[a] = true
		}
	}
	a := small(3)
	a.Keys = []awssim.Key{{ID: "11111111-1111-4111-8111-111111111111", Aliases: []string{"alias/out"}}}
	a.Jobs[0].OutputDataConfig.KmsKeyId = "alias/out"
	a.Jobs[0].InputDataConfig = append(a.Jobs[0].InputDataConfig, manifestChannel("s3://lists/m.json"))
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "aws-cloudtrail-logs-123456789012"}, awssim.Bucket{Name: "lists", Objects: map[string]string{"m.json": `[{"prefix":"s3://data/"},"a"]`}})
	server, o := serve(t, a)
	o.Manifests = true
	o = withLogs(o, "trail")
	server.Configure(func(b *awssim.Behaviour) {
		b.Authorize = func(action, _ string) bool { return granted[action] }
	})
	if s := collected(t, o); len(s.Gaps) > 0 {
		t.Errorf("gaps %v", gapsOf(s))
	}
	server.SetFault("iam:GetAccountAuthorizationDetails refuse")
	server.SetFault("sagemaker:Search refuse")
	collected(t, o)
	for _, operation := range Operations() {
		if server.Requests(operation.ID()) == 0 {
			t.Errorf("%s is listed and never called", operation.ID())
		}
	}
}
