package awssim_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"sagemaker-role-audit/internal/collect/awssim"
)

func searchAll(t *testing.T, c clients, in sagemaker.SearchInput) []string {
	t.Helper()
	in.Resource = "TrainingJob"
	var names []string
	for p := sagemaker.NewSearchPaginator(c.sagemaker, &in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Results {
			names = append(names, *r.TrainingJob.TrainingJobName)
		}
	}
	return names
}

// Shuffled, a sweep comes in another order, a seed always in the same, and the events of one time change places:
// never the order that AWS promises.
func TestShuffle(t *testing.T) {
	a := small(60)
	for i := range a.Events {
		a.Events[i].EventTime = now.Add(-time.Duration(i/10) * time.Minute)
	}
	for i := range 40 {
		a.Roles = append(a.Roles, awssim.Role{Name: fmt.Sprintf("role-%02d", i), Trust: trust, CreateDate: now})
	}
	server, c := start(t, a)
	roles := func() (names []string) {
		for p := iam.NewGetAccountAuthorizationDetailsPaginator(c.iam, &iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(7)}); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.RoleDetailList {
				names = append(names, *r.RoleName)
			}
		}
		return names
	}
	ids := func() (ids []string) {
		events := lookup(t, c, &cloudtrail.LookupEventsInput{})
		for i, e := range events {
			ids = append(ids, *e.EventId)
			if i > 0 && e.EventTime.After(*events[i-1].EventTime) {
				t.Fatalf("event %s is newer than the one before it", *e.EventId)
			}
		}
		return ids
	}
	plainRoles, plainIDs := roles(), ids()
	server.SetSwitch("shuffle 7")
	shuffledRoles, shuffledIDs := roles(), ids()
	if slices.Equal(plainRoles, shuffledRoles) || slices.Equal(plainIDs, shuffledIDs) {
		t.Error("nothing was shuffled")
	}
	if !slices.Equal(shuffledRoles, roles()) || !slices.Equal(shuffledIDs, ids()) {
		t.Error("the same seed gives another order")
	}
	for _, pair := range [][2][]string{{plainRoles, shuffledRoles}, {plainIDs, shuffledIDs}} {
		p, q := slices.Sorted(slices.Values(pair[0])), slices.Sorted(slices.Values(pair[1]))
		if !slices.Equal(p, q) {
			t.Errorf("%d items, shuffled %d others", len(p), len(q))
		}
	}
}

func TestAnyOrder(t *testing.T) {
	server, c := start(t, small(100))
	plain := searchAll(t, c, sagemaker.SearchInput{MaxResults: aws.Int32(50)})
	server.SetSwitch("any-order on")
	first, second := searchAll(t, c, sagemaker.SearchInput{MaxResults: aws.Int32(50)}), searchAll(t, c, sagemaker.SearchInput{MaxResults: aws.Int32(50)})
	if slices.Equal(plain, first) || slices.Equal(first, second) {
		t.Error("answers come in the same order")
	}
	slices.Sort(plain)
	slices.Sort(first)
	if !slices.Equal(plain, first) {
		t.Error("any order loses items")
	}
}

func TestOverlap(t *testing.T) {
	server, c := start(t, small(120))
	server.SetSwitch("overlap on")
	events := lookup(t, c, &cloudtrail.LookupEventsInput{})
	if len(events) != 122 || *events[49].EventId != *events[50].EventId {
		t.Errorf("%d events, want 122 with the ends of pages twice", len(events))
	}
}

func TestSearchLagAndCap(t *testing.T) {
	server, c := start(t, small(100))
	server.SetSwitch("search-lag 150m")
	names := searchAll(t, c, sagemaker.SearchInput{})
	if len(names) != 97 || slices.Contains(names, "job-00002") || !slices.Contains(names, "job-00003") {
		t.Errorf("%d jobs older than 150 minutes", len(names))
	}
	server.SetSwitch("search-cap 30")
	out, err := c.sagemaker.Search(t.Context(), &sagemaker.SearchInput{Resource: "TrainingJob"})
	if err != nil || *out.TotalHits.Value != 30 || out.TotalHits.Relation != "GreaterThanOrEqualTo" {
		t.Errorf("%+v, %v", out, err)
	}
	if n := len(searchAll(t, c, sagemaker.SearchInput{})); n != 30 {
		t.Errorf("%d jobs under a cap of 30", n)
	}
}

func TestAuthorize(t *testing.T) {
	server, c := start(t, small(2))
	var mu sync.Mutex
	asked := make(map[string]bool)
	server.Configure(func(b *awssim.Behaviour) {
		b.Authorize = func(action, resource string) bool {
			mu.Lock()
			defer mu.Unlock()
			asked[action+" "+resource] = true
			return action != "iam:GetRole"
		}
	})
	for operation, call := range each {
		if err := call(t.Context(), c); err != nil {
			t.Errorf("%s: %v", operation, err)
		}
	}
	if _, err := c.iam.GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("trainer")}); errorCode(err) != "AccessDenied" {
		t.Errorf("GetRole: %v", err)
	}
	if _, err := c.sagemaker.DescribeTrainingJob(t.Context(), &sagemaker.DescribeTrainingJobInput{TrainingJobName: aws.String("job-00001")}); err != nil {
		t.Error(err)
	}
	if _, err := c.iam.GetPolicy(t.Context(), &iam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/PowerUserAccess")}); err != nil {
		t.Error(err)
	}
	if _, err := c.iam.ListRoles(t.Context(), &iam.ListRolesInput{}); err != nil {
		t.Error(err)
	}
	want := []string{
		"account:ListRegions arn:aws:account::123456789012:account",
		"cloudtrail:DescribeTrails *",
		"cloudtrail:GetEventSelectors arn:aws:cloudtrail:us-east-1:123456789012:trail/main",
		"cloudtrail:GetTrailStatus arn:aws:cloudtrail:us-east-1:123456789012:trail/main",
		"cloudtrail:LookupEvents *",
		"ecr:DescribePullThroughCacheRules *",
		"ecr:DescribeRepositories arn:aws:ecr:us-east-1:123456789012:repository/*",
		"iam:GenerateServiceLastAccessedDetails arn:aws:iam::123456789012:role/service-role/trainer",
		"iam:GetAccountAuthorizationDetails *",
		"iam:GetPolicy arn:aws:iam::aws:policy/PowerUserAccess",
		"iam:GetRole arn:aws:iam::123456789012:role/service-role/trainer",
		"iam:GetServiceLastAccessedDetails *",
		"iam:ListRoles arn:aws:iam::123456789012:role/",
		"kms:DescribeKey arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
		"kms:GetKeyPolicy arn:aws:kms:us-east-1:123456789012:key/12345678-1234-1234-1234-123456789012",
		"kms:ListKeys *",
		"s3:GetBucketPolicy arn:aws:s3:::data",
		"s3:GetEncryptionConfiguration arn:aws:s3:::data",
		"s3:GetObject arn:aws:s3:::data/m.json",
		"s3:ListAllMyBuckets *",
		"sagemaker:DescribeTrainingJob arn:aws:sagemaker:us-east-1:123456789012:training-job/job-00001",
		"sagemaker:Search *",
	} // sts:GetCallerIdentity needs no permission
	if got := sorted(asked); !slices.Equal(got, want) {
		t.Errorf("asked %q", got)
	}
}

// Whatever is not on the read list is refused and kept, whichever protocol it comes in.
func TestViolations(t *testing.T) {
	server, c := start(t, small(2))
	if _, err := c.sagemaker.StopTrainingJob(t.Context(), &sagemaker.StopTrainingJobInput{TrainingJobName: aws.String("job-00000")}); errorCode(err) != "ReadOnlyViolation" || status(err) != 403 {
		t.Errorf("StopTrainingJob: %v", err)
	}
	if _, err := c.iam.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: aws.String("trainer")}); errorCode(err) != "ReadOnlyViolation" {
		t.Errorf("DeleteRole: %v", err)
	}
	if _, err := c.cloudtrail.StopLogging(t.Context(), &cloudtrail.StopLoggingInput{Name: aws.String("main")}); errorCode(err) != "ReadOnlyViolation" {
		t.Errorf("StopLogging: %v", err)
	}
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodPut, "/bucket/key", strings.NewReader("data"))
	request.Header.Set("Authorization", signature("eu-west-1", "s3"))
	server.ServeHTTP(recorder, request)

	var got []string
	for _, v := range server.Violations() {
		got = append(got, v.Service+":"+v.Operation+" "+v.Region)
	}
	want := []string{"sagemaker:StopTrainingJob us-east-1", "iam:DeleteRole us-east-1", "cloudtrail:StopLogging us-east-1", "s3:PUT /bucket/key eu-west-1"}
	if !slices.Equal(got, want) || recorder.Code != http.StatusForbidden {
		t.Errorf("violations %q, status %d", got, recorder.Code)
	}
	server.Reset()
	if len(server.Violations()) != 0 {
		t.Error("Reset forgot nothing")
	}
}

func signature(region, service string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261031/" + region + "/" + service + "/aws4_request, SignedHeaders=host, Signature=00"
}

// ask sends a LookupEvents without a client.
func ask(server http.Handler, authorization string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	request.Header.Set("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	recorder := httptest.NewRecorder()
	server.ServeHTTP(recorder, request)
	return recorder
}

func TestUnsignedRequests(t *testing.T) {
	server := awssim.New(small(1))
	if r := ask(server, signature("us-east-1", "cloudtrail")); r.Code != http.StatusOK {
		t.Errorf("signed: %d %s", r.Code, r.Body)
	}
	for _, authorization := range []string{"", "Bearer token", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE"} {
		if r := ask(server, authorization); r.Code != http.StatusBadRequest || !strings.Contains(r.Body.String(), "MissingAuthenticationTokenException") {
			t.Errorf("%q: %d %s", authorization, r.Code, r.Body)
		}
	}
	for form, want := range map[string]string{
		"Action=GetRole&RoleName=trainer&Version=2010-05-08":   "<Code>MissingAuthenticationToken</Code>",
		"Action=GetCallerIdentity&Version=2011-06-15":          "<Code>MissingAuthenticationToken</Code>",
		"Action=GetCallerIdentity&Version=1999-01-01&RoleName": "<Code>ReadOnlyViolation</Code>",
	} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		if recorder.Code != http.StatusForbidden || !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("%s: %d %s", form, recorder.Code, recorder.Body)
		}
	}
}

func TestPeopleAreGreeted(t *testing.T) {
	server := awssim.New(awssim.Sample())
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"account 123456789012", "190 training jobs", "AWS_ENDPOINT_URL=" + url, "  cloudtrail:LookupEvents\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in the greeting:\n%s", want, text)
		}
	}
	if len(server.Violations()) != 0 || len(server.Counts()) != 0 {
		t.Error("a greeting was counted")
	}
}

// On a fake clock: two tokens at once, then one each half second, in each region apart.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := awssim.New(small(1))
		if err := server.SetSwitch("rate cloudtrail:LookupEvents 2"); err != nil {
			t.Fatal(err)
		}
		burst := func(region string) string {
			got := ""
			for range 4 {
				r := ask(server, signature(region, "cloudtrail"))
				switch {
				case r.Code == http.StatusOK:
					got += "."
				case strings.Contains(r.Body.String(), "ThrottlingException"):
					got += "x"
				}
			}
			return got
		}
		if got := burst("us-east-1"); got != "..xx" {
			t.Errorf("first %s", got)
		}
		if got := burst("eu-west-1"); got != "..xx" {
			t.Errorf("another region %s", got)
		}
		time.Sleep(500 * time.Millisecond)
		if got := burst("us-east-1"); got != ".xxx" {
			t.Errorf("half a second later %s", got)
		}
		time.Sleep(time.Hour)
		if got := burst("us-east-1"); got != "..xx" {
			t.Errorf("an hour later %s", got)
		}
		times := server.Times("cloudtrail:LookupEvents", "us-east-1")
		if len(times) != 12 || times[4].Sub(times[3]) != 500*time.Millisecond {
			t.Errorf("times %v", times)
		}
		if n := server.Counts()[1]; n.Region != "us-east-1" || n.Throttled != 7 {
			t.Errorf("count %+v", n)
		}
	})
}

func TestSwitchErrors(t *testing.T) {
	server := awssim.New(small(0))
	for text, want := range map[string]string{
		"":                       "switch is empty",
		"page-cap 3":             "page-cap takes 2 values, got 1",
		"page-cap iam:* none":    "page-cap=none: want a whole number from 1",
		"page-cap iam:Nothing 3": `unknown operation "iam:Nothing"`,
		"rate * 0":               "rate 0: want requests a second, above 0",
		"rate * NaN":             "rate NaN: want requests a second, above 0",
		"rate sqs:* 2":           `unknown operation "sqs:*"`,
		"shuffle -1":             "shuffle -1: want a whole number",
		"any-order maybe":        `"maybe": want on or off`,
		"overlap yes":            `"yes": want on or off`,
		"search-lag soon":        "search-lag soon: want a duration",
		"search-cap 0":           "search-cap=0: want a whole number from 1",
		"last-accessed-polls -1": "last-accessed-polls -1: want a whole number",
		"last-accessed-fails 1":  `"1": want on or off`,
		"explode now":            `unknown switch "explode"`,
	} {
		if err := server.SetSwitch(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Switches may be thrown while requests are served.
func TestConcurrentUse(t *testing.T) {
	server, c := start(t, small(50))
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 20 {
				switch worker {
				case 0:
					server.Configure(func(b *awssim.Behaviour) { b.Shuffle = uint64(i); b.PageCaps = map[string]int{"*": 1 + i} })
				case 1:
					server.SetFault("iam:* refuse times=1")
					server.ClearFaults()
					server.Reset()
				default:
					if err := each["cloudtrail:LookupEvents"](t.Context(), c); err != nil {
						t.Error(err)
					}
					server.Counts()
				}
			}
		})
	}
	wg.Wait()
}

func FuzzServe(f *testing.F) {
	f.Add("CloudTrail_20131101.LookupEvents", "application/x-amz-json-1.1", `{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"A"}],"NextToken":"eA"}`, "cloudtrail")
	f.Add("SageMaker.Search", "application/x-amz-json-1.1", `{"Resource":"TrainingJob","SearchExpression":{"Filters":[{"Name":"CreationTime","Operator":"LessThan","Value":"2026-01-01T00:00:00"}]}}`, "sagemaker")
	f.Add("SageMaker.ListTrainingJobs", "application/x-amz-json-1.1", `{"MaxResults":5,"CreationTimeAfter":1.5e9}`, "sagemaker")
	f.Add("", "application/x-www-form-urlencoded", "Action=GetAccountAuthorizationDetails&MaxItems=2&Filter.member.1=Role&Marker=eA", "iam")
	f.Add("CloudTrail_20131101.DescribeTrails", "application/x-amz-json-1.1", `{"trailNameList":["main"],"includeShadowTrails":false}`, "cloudtrail")
	f.Add("CloudTrail_20131101.GetEventSelectors", "application/x-amz-json-1.1", `{"TrailName":"main"}`, "cloudtrail")
	f.Add("", "application/x-www-form-urlencoded", "Action=GenerateServiceLastAccessedDetails&Arn="+trainer+"&Granularity=ACTION_LEVEL", "iam")
	f.Add("", "application/json", `{"MaxResults":3}`, "account")
	f.Add("TrentService.DescribeKey", "application/x-amz-json-1.1", `{"KeyId":"alias/out"}`, "kms")
	f.Add("TrentService.GetKeyPolicy", "application/x-amz-json-1.1", `{"KeyId":"arn:aws:kms:us-east-1:123456789012:key/x","PolicyName":"default"}`, "kms")
	f.Add("AmazonEC2ContainerRegistry_V20150921.DescribeRepositories", "application/x-amz-json-1.1", `{"maxResults":1,"nextToken":"x"}`, "ecr")
	f.Add("TrentService.ListKeys", "application/x-amz-json-1.1", `{"Limit":1}`, "kms")
	f.Add("AmazonEC2ContainerRegistry_V20150921.DescribePullThroughCacheRules", "application/x-amz-json-1.1", `{"maxResults":1,"ecrRepositoryPrefixes":["quay"]}`, "ecr")
	server := awssim.New(small(30))
	f.Fuzz(func(t *testing.T, target, contentType, body, service string) {
		request := httptest.NewRequest(http.MethodPost, "/listRegions", strings.NewReader(body))
		request.Header.Set("X-Amz-Target", target)
		request.Header.Set("Content-Type", contentType)
		request.Header.Set("Authorization", signature("us-east-1", service))
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		if recorder.Code < 200 || recorder.Code > 499 {
			t.Errorf("status %d: %s", recorder.Code, recorder.Body)
		}
	})
}
