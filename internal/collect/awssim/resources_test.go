package awssim_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sagemaker-role-audit/internal/collect/awssim"
)

const (
	keyID     = "11111111-1111-4111-8111-111111111111"
	theirKey  = "22222222-2222-4222-8222-222222222222"
	westKey   = "mrk-33333333333343338333333333333333"
	keyPrefix = "arn:aws:kms:us-east-1:123456789012:key/"
)

// stored is an account with buckets and keys of each kind.
func stored() *awssim.Account {
	a := small(0)
	a.Buckets = []awssim.Bucket{
		{Name: "open", Policy: `{"Statement": [{"Sid":"a < b & \u00e9"}]}`}, {Name: "plain"}, {Name: "west", Region: "eu-west-1", Policy: `{"w":1}`},
		{Name: "theirs", Owner: "999999999999", Policy: `{"t":1}`},
	}
	a.Keys = []awssim.Key{
		{ID: keyID, Aliases: []string{"alias/one", "alias/more/one"}, Policy: `{"k":1}`},
		{ID: theirKey, Owner: "999999999999", Aliases: []string{"alias/theirs"}},
		{ID: westKey, Region: "eu-west-1", State: "PendingDeletion"},
	}
	return a
}

func TestGetBucketPolicy(t *testing.T) {
	server, c := start(t, stored())
	for bucket, want := range map[string]struct {
		policy, code string
		status       int
		region       string
	}{
		"open":    {policy: stored().Buckets[0].Policy},
		"plain":   {code: "NoSuchBucketPolicy", status: 404},
		"west":    {code: "PermanentRedirect", status: 301, region: "eu-west-1"},
		"theirs":  {code: "AccessDenied", status: 403},
		"nowhere": {code: "NoSuchBucket", status: 404},
	} {
		out, err := c.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
		if err == nil && aws.ToString(out.Policy) != want.policy || errorCode(err) != want.code || status(err) != want.status {
			t.Errorf("%s: %v %+v, want %+v", bucket, err, out, want)
		}
		var answer *awshttp.ResponseError
		if errors.As(err, &answer) && answer.Response.Header.Get("x-amz-bucket-region") != want.region {
			t.Errorf("%s: headers %v", bucket, answer.Response.Header)
		}
	}
	server.SetFault("s3:GetBucketPolicy empty")
	if out, err := c.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("open")}); err != nil || aws.ToString(out.Policy) != "" {
		t.Errorf("%+v, %v", out, err)
	}
	if n := server.Requests("s3:*"); n != 6 {
		t.Errorf("%d requests", n)
	}
}

// Nothing of S3 but the policy of a bucket is answered.
func TestOtherRequestsOfS3(t *testing.T) {
	server, c := start(t, stored())
	if _, err := c.s3.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("open")}); errorCode(err) != "ReadOnlyViolation" {
		t.Errorf("DeleteBucketPolicy: %v", err)
	}
	if _, err := c.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("more")}); errorCode(err) != "ReadOnlyViolation" {
		t.Errorf("CreateBucket: %v", err)
	}
	for _, target := range []string{"/open", "/open/key?policy", "/?policy", "/open?policyStatus"} {
		request := httptest.NewRequest(http.MethodGet, target, nil)
		request.Header.Set("Authorization", signature("us-east-1", "s3"))
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusForbidden || !strings.Contains(recorder.Body.String(), "<Code>ReadOnlyViolation</Code>") {
			t.Errorf("%s: %d %s", target, recorder.Code, recorder.Body)
		}
	}
	if v := server.Violations(); len(v) != 6 || v[5].Operation != "GET /open?policyStatus" {
		t.Errorf("violations %+v", v)
	}
}

func TestKeys(t *testing.T) {
	server := awssim.New(stored())
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	east, west := connect(url, "us-east-1", 1), connect(url, "eu-west-1", 1)
	const westARN = "arn:aws:kms:eu-west-1:123456789012:key/" + westKey
	for _, test := range []struct {
		c                clients
		id               string
		arn, policy      string
		described, asked string // error codes
	}{
		{c: east, id: keyID, arn: keyPrefix + keyID, policy: `{"k":1}`},
		{c: east, id: keyPrefix + keyID, arn: keyPrefix + keyID, policy: `{"k":1}`},
		{c: east, id: "alias/more/one", arn: keyPrefix + keyID, asked: "NotFoundException"},
		{c: east, id: "arn:aws:kms:us-east-1:123456789012:alias/one", arn: keyPrefix + keyID, asked: "NotFoundException"},
		{c: east, id: "alias/none", described: "NotFoundException", asked: "NotFoundException"},
		{c: east, id: "alias/theirs", described: "NotFoundException", asked: "NotFoundException"},
		{c: east, id: theirKey, described: "NotFoundException", asked: "NotFoundException"},
		{c: east, id: "arn:aws:kms:us-east-1:999999999999:key/" + theirKey, described: "AccessDeniedException", asked: "AccessDeniedException"},
		{c: east, id: "arn:aws:kms:us-east-1:999999999999:alias/theirs", described: "AccessDeniedException", asked: "NotFoundException"},
		{c: east, id: westARN, described: "NotFoundException", asked: "NotFoundException"},
		{c: west, id: westARN, arn: westARN, policy: `{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"EnableIAMUserPermissions","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}`},
	} {
		d, err := test.c.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &test.id})
		if errorCode(err) != test.described || err == nil && *d.KeyMetadata.Arn != test.arn {
			t.Errorf("describe %s: %v %+v", test.id, err, d)
		}
		p, err := test.c.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: &test.id, PolicyName: aws.String("default")})
		if errorCode(err) != test.asked || err == nil && strings.Join(strings.Fields(*p.Policy), "") != test.policy {
			t.Errorf("policy of %s: %v %+v", test.id, err, p)
		}
	}
	d, err := west.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(westKey)})
	if m := d.KeyMetadata; err != nil || m.Enabled || m.KeyState != kmstypes.KeyStatePendingDeletion || !*m.MultiRegion || !m.CreationDate.Before(now) {
		t.Errorf("%v %+v", err, d)
	}
	if _, err := east.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(keyID), PolicyName: aws.String("other")}); errorCode(err) != "NotFoundException" {
		t.Errorf("another policy: %v", err)
	}
	server.SetFault("kms:* empty")
	if d, err := east.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(keyID)}); err != nil || d.KeyMetadata != nil {
		t.Errorf("%+v, %v", d, err)
	}
	if p, err := east.kms.GetKeyPolicy(t.Context(), &kms.GetKeyPolicyInput{KeyId: aws.String(keyID)}); err != nil || p.Policy != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

// What decides over a request for a key by an alias is the key.
func TestAuthorizeResources(t *testing.T) {
	server, c := start(t, stored())
	asked := make(map[string]bool)
	server.Configure(func(b *awssim.Behaviour) {
		b.Authorize = func(action, resource string) bool {
			asked[action+" "+resource] = true
			return false
		}
	})
	for _, id := range []string{keyID, "alias/one", "alias/none", "none", "arn:aws:kms:us-east-1:999999999999:key/none"} {
		if _, err := c.kms.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &id}); errorCode(err) != "AccessDeniedException" {
			t.Errorf("%s: %v", id, err)
		}
	}
	_, err := c.s3.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("none")})
	if errorCode(err) != "AccessDenied" || !strings.Contains(err.Error(), `s3:GetBucketPolicy on resource: "arn:aws:s3:::none" because`) {
		t.Error(err)
	}
	want := []string{"kms:DescribeKey arn:aws:kms:us-east-1:123456789012:alias/none", "kms:DescribeKey " + keyPrefix + keyID, "kms:DescribeKey " + keyPrefix + "none",
		"kms:DescribeKey arn:aws:kms:us-east-1:999999999999:key/none", "s3:GetBucketPolicy arn:aws:s3:::none"}
	if got := sorted(asked); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked %q", got)
	}
}
