package awssim_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/account"
	accounttypes "github.com/aws/aws-sdk-go-v2/service/account/types"
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

// each calls an operation: every service, so that all protocols are there, and every way to answer.
var each = map[string]func(context.Context, clients) error{
	"sts:GetCallerIdentity": func(ctx context.Context, c clients) error {
		_, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	},
	"account:ListRegions": func(ctx context.Context, c clients) error {
		_, err := c.account.ListRegions(ctx, &account.ListRegionsInput{})
		return err
	},
	"iam:GetAccountAuthorizationDetails": func(ctx context.Context, c clients) error {
		_, err := c.iam.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{})
		return err
	},
	"sagemaker:Search": func(ctx context.Context, c clients) error {
		_, err := c.sagemaker.Search(ctx, &sagemaker.SearchInput{Resource: "TrainingJob"})
		return err
	},
	"cloudtrail:LookupEvents": func(ctx context.Context, c clients) error {
		_, err := c.cloudtrail.LookupEvents(ctx, &cloudtrail.LookupEventsInput{})
		return err
	},
	"cloudtrail:DescribeTrails": func(ctx context.Context, c clients) error {
		_, err := c.cloudtrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
		return err
	},
	"cloudtrail:GetTrailStatus": func(ctx context.Context, c clients) error {
		_, err := c.cloudtrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: aws.String("main")})
		return err
	},
	"cloudtrail:GetEventSelectors": func(ctx context.Context, c clients) error {
		_, err := c.cloudtrail.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: aws.String("main")})
		return err
	},
	"ecr:DescribePullThroughCacheRules": func(ctx context.Context, c clients) error {
		out, err := c.ecr.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{})
		if err == nil && out.PullThroughCacheRules == nil {
			err = errors.New("no list of rules")
		}
		return err
	},
	"ecr:DescribeRepositories": func(ctx context.Context, c clients) error {
		out, err := c.ecr.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{})
		if err == nil && out.Repositories == nil {
			err = errors.New("no list of repositories")
		}
		return err
	},
	"kms:ListKeys": func(ctx context.Context, c clients) error {
		out, err := c.kms.ListKeys(ctx, &kms.ListKeysInput{})
		if err == nil && out.Keys == nil {
			err = errors.New("no list of keys")
		}
		return err
	},
	"s3:ListBuckets": func(ctx context.Context, c clients) error {
		out, err := c.s3.ListBuckets(ctx, &s3.ListBucketsInput{})
		if err == nil && out.Buckets == nil {
			err = errors.New("no list of buckets")
		}
		return err
	},
	"s3:GetBucketEncryption": func(ctx context.Context, c clients) error {
		out, err := c.s3.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: aws.String("data")})
		if err == nil && len(out.ServerSideEncryptionConfiguration.Rules) != 1 {
			err = errors.New("no default encryption")
		}
		return err
	},
	"s3:GetBucketPolicy": func(ctx context.Context, c clients) error {
		out, err := c.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: aws.String("data")})
		if err == nil && !json.Valid([]byte(aws.ToString(out.Policy))) { // the policy is the body: it is for the reader to look at
			err = errors.New("a policy that is none")
		}
		return err
	},
	"s3:GetObject": func(ctx context.Context, c clients) error {
		out, err := c.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("data"), Key: aws.String("m.json")})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if err == nil && !json.Valid(body) { // for the reader to look at, too
			err = errors.New("an object that is none of ours")
		}
		return err
	},
	"kms:DescribeKey": func(ctx context.Context, c clients) error {
		_, err := c.kms.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/out")})
		return err
	},
	"kms:GetKeyPolicy": func(ctx context.Context, c clients) error {
		_, err := c.kms.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: aws.String("12345678-1234-1234-1234-123456789012")})
		return err
	},
	"iam:GenerateServiceLastAccessedDetails": func(ctx context.Context, c clients) error {
		_, err := c.iam.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(trainer)})
		return err
	},
	"iam:GetServiceLastAccessedDetails": func(ctx context.Context, c clients) error {
		job, err := c.iam.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(trainer)})
		if err != nil {
			return err
		}
		_, err = c.iam.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{JobId: job.JobId})
		return err
	},
}

// trainer is the role of small that has policies.
const trainer = "arn:aws:iam::123456789012:role/service-role/trainer"

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// Each fault reaches the real client as the error that the service would give.
func TestFaultsByService(t *testing.T) {
	type seen struct {
		code   string
		status int
	}
	want := map[string]map[string]seen{
		"refuse": {
			"sts": {"AccessDenied", 403}, "iam": {"AccessDenied", 403},
			"account": {"AccessDeniedException", 403}, "sagemaker": {"AccessDeniedException", 400}, "cloudtrail": {"AccessDeniedException", 400},
			"s3": {"AccessDenied", 403}, "kms": {"AccessDeniedException", 400}, "ecr": {"AccessDeniedException", 400}},
		"throttle": {
			"sts": {"Throttling", 400}, "iam": {"Throttling", 400},
			"account": {"TooManyRequestsException", 429}, "sagemaker": {"ThrottlingException", 400}, "cloudtrail": {"ThrottlingException", 400},
			"s3": {"SlowDown", 503}, "kms": {"ThrottlingException", 400}, "ecr": {"ThrottlingException", 400}},
		"expire": {
			"sts": {"ExpiredToken", 403}, "iam": {"ExpiredToken", 403},
			"account": {"ExpiredTokenException", 403}, "sagemaker": {"ExpiredTokenException", 400}, "cloudtrail": {"ExpiredTokenException", 400},
			"s3": {"ExpiredToken", 400}, "kms": {"ExpiredTokenException", 400}, "ecr": {"ExpiredTokenException", 400}},
		"fail": {
			"sts": {"InternalFailure", 500}, "iam": {"InternalFailure", 500},
			"account": {"InternalFailure", 500}, "sagemaker": {"InternalFailure", 500}, "cloudtrail": {"InternalFailure", 500},
			"s3": {"InternalError", 500}, "kms": {"InternalFailure", 500}, "ecr": {"InternalFailure", 500}},
		"fail=503": {
			"sts": {"ServiceUnavailable", 503}, "iam": {"ServiceUnavailable", 503},
			"account": {"ServiceUnavailable", 503}, "sagemaker": {"ServiceUnavailable", 503}, "cloudtrail": {"ServiceUnavailable", 503},
			"s3": {"ServiceUnavailable", 503}, "kms": {"ServiceUnavailable", 503}, "ecr": {"ServiceUnavailable", 503}},
	}
	server, c := start(t, small(3))
	for fault, services := range want {
		for operation, call := range each {
			t.Run(fault+" "+operation, func(t *testing.T) {
				server.ClearFaults()
				if err := server.SetFault(operation + " " + fault); err != nil {
					t.Fatal(err)
				}
				err := call(t.Context(), c)
				service, _, _ := strings.Cut(operation, ":")
				if got := (seen{errorCode(err), status(err)}); got != services[service] {
					t.Errorf("%v: %v, want %v", err, got, services[service])
				}
			})
		}
	}
	server.ClearFaults()
	for operation, call := range each {
		if err := call(t.Context(), c); err != nil {
			t.Errorf("%s after the faults: %v", operation, err)
		}
	}
}

func TestRefusalIsWordedAsAWSDoes(t *testing.T) {
	server, c := start(t, small(1))
	server.SetFault("iam:GetRole refuse")
	_, err := c.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("trainer")})
	want := "User: arn:aws:sts::123456789012:assumed-role/auditor/audit is not authorized to perform: iam:GetRole on resource: arn:aws:iam::123456789012:role/service-role/trainer because no identity-based policy allows the iam:GetRole action"
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorMessage() != want {
		t.Errorf("%v", err)
	}
	server.SetFault("account:ListRegions refuse")
	var denied *accounttypes.AccessDeniedException
	if err := each["account:ListRegions"](t.Context(), c); !errors.As(err, &denied) {
		t.Errorf("ListRegions: %T %v", err, err)
	}
}

func TestBrokenAnswers(t *testing.T) {
	for _, fault := range []string{"cut", "garble"} {
		for operation, call := range each {
			t.Run(fault+" "+operation, func(t *testing.T) {
				server, c := start(t, small(20))
				server.SetFault(operation + " " + fault + " times=1")
				if err := call(t.Context(), c); err == nil || errorCode(err) != "" {
					t.Errorf("the broken answer gave %v, want an error that is none of the API", err)
				}
				if err := call(t.Context(), c); err != nil {
					t.Errorf("the next answer: %v", err)
				}
			})
		}
	}
}

// The SDK retries what is transient, and the server sees which attempts were retries.
func TestRetriesAreCounted(t *testing.T) {
	for _, fault := range []string{"throttle", "fail=502"} {
		t.Run(fault, func(t *testing.T) {
			server := awssim.New(small(3))
			url, stop, err := server.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			server.SetFault("sagemaker:Search " + fault + " from=1 times=2")
			c := connect(url, "eu-west-1", 5)
			if err := each["sagemaker:Search"](t.Context(), c); err != nil {
				t.Fatal(err)
			}
			counts := server.Counts()
			if len(counts) != 1 {
				t.Fatalf("counts %+v", counts)
			}
			n := counts[0]
			throttled := 0
			if fault == "throttle" {
				throttled = 2
			}
			if n.Operation != "sagemaker:Search" || n.Region != "eu-west-1" || n.Requests != 3 || n.Retries != 2 || n.Throttled != throttled || n.Last.Before(n.First) {
				t.Errorf("count %+v", n)
			}
			if times := server.Times("sagemaker:Search", "eu-west-1"); len(times) != 3 || !slices.IsSortedFunc(times, time.Time.Compare) || !times[0].Equal(n.First) {
				t.Errorf("times %v", times)
			}
			server.Reset()
			if len(server.Counts()) != 0 || len(server.Times("sagemaker:Search", "eu-west-1")) != 0 {
				t.Error("Reset forgot nothing")
			}
		})
	}
}

func TestFaultConditions(t *testing.T) {
	for _, test := range []struct {
		fault string
		want  string // of five calls in us-east-1, then one in eu-west-1: x fails
	}{
		{"sagemaker:Search fail", "xxxxxx"},
		{"sagemaker:* fail", "xxxxxx"},
		{"* fail", "xxxxxx"},
		{"cloudtrail:* fail", "......"},
		{"sagemaker:Search fail times=2", "xx...."},
		{"sagemaker:Search fail from=3", "..xxxx"},
		{"sagemaker:Search fail from=2 times=2", ".xx..."},
		{"sagemaker:Search fail region=eu-west-1", ".....x"},
		{"sagemaker:Search fail region=eu-west-1 from=2", "......"},
		{"sagemaker:Search slow=1ms", "......"},
	} {
		t.Run(test.fault, func(t *testing.T) {
			server := awssim.New(small(3))
			url, stop, err := server.Start()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			if err := server.SetFault(test.fault); err != nil {
				t.Fatal(err)
			}
			east, west := connect(url, "us-east-1", 1), connect(url, "eu-west-1", 1)
			got := ""
			for _, c := range []clients{east, east, east, east, east, west} {
				if each["sagemaker:Search"](t.Context(), c) != nil {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// A client that trusts the token would page for ever: the SDK's paginators can be told to notice.
func TestRepeatedToken(t *testing.T) {
	server, c := start(t, small(300))
	server.SetFault("* repeat-token")
	pages := 0
	for p := sagemaker.NewSearchPaginator(c.sagemaker, &sagemaker.SearchInput{Resource: "TrainingJob"}); p.HasMorePages() && pages < 20; pages++ {
		if _, err := p.NextPage(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if pages != 20 {
		t.Errorf("Search ended after %d pages", pages)
	}
	pages = 0
	p := cloudtrail.NewLookupEventsPaginator(c.cloudtrail, &cloudtrail.LookupEventsInput{}, func(o *cloudtrail.LookupEventsPaginatorOptions) { o.StopOnDuplicateToken = true })
	for ; p.HasMorePages() && pages < 20; pages++ {
		if _, err := p.NextPage(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if pages != 2 {
		t.Errorf("LookupEvents ended after %d pages", pages)
	}
}

func TestEmptyAnswers(t *testing.T) {
	server, c := start(t, small(120))
	server.SetFault("cloudtrail:LookupEvents empty from=2 times=1")
	if n := len(lookup(t, c, &cloudtrail.LookupEventsInput{})); n != 50 {
		t.Errorf("%d events, want the first page's 50 and then an end that is none", n)
	}
	server.ClearFaults()
	server.Reset()
	server.SetFault("cloudtrail:LookupEvents empty-page times=2")
	if n := len(lookup(t, c, &cloudtrail.LookupEventsInput{})); n != 120 {
		t.Errorf("%d events after two empty pages, want all 120", n)
	}
	if n := server.Requests("cloudtrail:*"); n != 5 {
		t.Errorf("%d requests, want 5", n)
	}
}

func TestSlowAnswersEndWithTheCaller(t *testing.T) {
	server, c := start(t, small(1))
	server.SetFault("* slow=1h")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := each["sagemaker:Search"](ctx, c); err == nil || time.Since(begin) > time.Minute {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestParseFaultErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                         "fault is empty",
		"sagemaker:Search":                         "has no kind",
		"sagemaker:Serch refuse":                   `unknown operation "sagemaker:Serch"`,
		"sqs:* refuse":                             `unknown operation "sqs:*"`,
		"sagemaker:Search explode":                 `unknown word "explode"`,
		"sagemaker:Search refuse throttle":         "two kinds, refuse and throttle",
		"sagemaker:Search refuse refuse":           "refuse stands twice",
		"sagemaker:Search refuse from=0":           "from=0: want a whole number from 1",
		"sagemaker:Search refuse times=x":          "times=x: want a whole number from 1",
		"sagemaker:Search refuse region=":          "region= needs a region",
		"sagemaker:Search refuse=1":                "refuse takes no value",
		"sagemaker:Search fail=404":                "fail=404: want a status of 500 to 599",
		"sagemaker:Search slow":                    "slow=: want a duration",
		"sagemaker:Search slow=-1s":                "slow=-1s: want a duration",
		"sagemaker:Search refuse from=1 from=2":    "from stands twice",
		"sagemaker:Search garble region=x times=0": "times=0: want a whole number from 1",
	} {
		if _, err := awssim.ParseFault(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"* refuse", "iam:* throttle times=3", "sagemaker:Search fail=503 region=us-east-1 from=2 times=9", "cloudtrail:LookupEvents slow=1m0.5s"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := awssim.ParseFault(text)
		if err != nil {
			return
		}
		again, err := awssim.ParseFault(first.String())
		if err != nil || again != first {
			t.Errorf("%q is read as %+v, written %q, and read again as %+v, %v", text, first, first, again, err)
		}
	})
}
