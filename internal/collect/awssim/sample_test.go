package awssim_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"sagemaker-role-audit/internal/collect/awssim"
)

func TestSampleIsTheSameEachTime(t *testing.T) {
	if !reflect.DeepEqual(awssim.Sample(), awssim.Sample()) {
		t.Error("two samples differ")
	}
}

// sampleRoles are the roles of sample/README.md that are still there.
var sampleRoles = []string{"ml-shared-admin", "pricing-training", "churn-training", "fraud-training-legacy", "forecast-training", "vision-training",
	"search-ranking-training", "AmazonSageMaker-ExecutionRole-20260115T101530", "nlp-training-idle", "segmentation-training", "speech-training",
	"labeling-shared", "iam-automation-training", "returns-training", "customer360-training", "reviews-training", "geo-training", "lookalike-training"}

func TestSampleRoles(t *testing.T) {
	a := awssim.Sample()
	byName := make(map[string]*awssim.Role)
	ids := make(map[string]bool)
	known := make(map[string]bool)
	for i := range a.Policies {
		known[a.Policies[i].ARN] = true
		for _, v := range a.Policies[i].Versions {
			isJSON(t, a.Policies[i].ARN, v.Document)
		}
	}
	for i := range a.Roles {
		r := &a.Roles[i]
		if byName[r.Name] != nil || ids[r.UniqueID()] {
			t.Errorf("role %s stands twice", r.Name)
		}
		byName[r.Name], ids[r.UniqueID()] = r, true
		isJSON(t, r.Name, r.Trust)
		for _, p := range r.Inline {
			isJSON(t, r.Name, p.Document)
		}
		for _, arn := range append(slices.Clone(r.Attached), r.Boundary) {
			if arn != "" && !known[arn] {
				t.Errorf("role %s refers to policy %s, which is not there", r.Name, arn)
			}
		}
		if r.CreateDate.IsZero() || r.CreateDate.After(a.Now) || r.LastUsed.Date.After(a.Now) {
			t.Errorf("role %s created %v, last used %v", r.Name, r.CreateDate, r.LastUsed.Date)
		}
	}
	for _, name := range sampleRoles {
		if byName[name] == nil {
			t.Errorf("no role %s", name)
		}
	}
	if byName["recsys-training-v1"] != nil {
		t.Error("recsys-training-v1 is still there")
	}
	for _, name := range []string{"nlp-training-idle", "fraud-training-legacy"} {
		if !byName[name].LastUsed.Date.IsZero() {
			t.Errorf("%s was used at %v", name, byName[name].LastUsed.Date)
		}
	}
}

func isJSON(t *testing.T, of, document string) {
	t.Helper()
	if !json.Valid([]byte(document)) {
		t.Errorf("a document of %s is not JSON: %s", of, document)
	}
}

func TestSampleJobs(t *testing.T) {
	a := awssim.Sample()
	gone := "arn:aws:iam::123456789012:role/recsys-training-v1"
	present := make(map[string]*awssim.Role)
	for i := range a.Roles {
		present[a.RoleARN(&a.Roles[i])] = &a.Roles[i]
	}
	statuses, regions, roles := make(map[string]int), make(map[string]int), make(map[string]int)
	names := make(map[string]bool)
	former := 0
	for i := range a.Jobs {
		j := &a.Jobs[i]
		statuses[j.TrainingJobStatus]++
		regions[j.Region]++
		roles[j.RoleArn]++
		if names[j.TrainingJobName] || len(j.TrainingJobName) > 63 {
			t.Errorf("job name %q is used twice or too long", j.TrainingJobName)
		}
		names[j.TrainingJobName] = true
		role := present[j.RoleArn]
		if role == nil && j.RoleArn != gone {
			t.Errorf("job %s has role %s, which was never there", j.TrainingJobName, j.RoleArn)
		}
		if role != nil && j.CreationTime.Before(role.CreateDate) {
			if role.Name != "segmentation-training" {
				t.Errorf("job %s is older than its role %s", j.TrainingJobName, role.Name)
			}
			former++
		}
		if j.CreationTime.After(a.Now) || j.TrainingEndTime.After(a.Now) || j.CreationTime.Before(a.Now.AddDate(0, 0, -401)) {
			t.Errorf("job %s from %v to %v lies outside the sample's time", j.TrainingJobName, j.CreationTime, j.TrainingEndTime)
		}
		if (j.TrainingJobStatus == "Failed") != (j.FailureReason != "") || (j.TrainingJobStatus == "InProgress") != j.TrainingEndTime.IsZero() {
			t.Errorf("job %s: status %s, reason %q, end %v", j.TrainingJobName, j.TrainingJobStatus, j.FailureReason, j.TrainingEndTime)
		}
	}
	t.Logf("%d jobs: %v, %v, %v", len(a.Jobs), statuses, regions, roles)
	if len(a.Jobs) < 180 || len(a.Jobs) > 200 || statuses["InProgress"] == 0 || statuses["Stopped"] == 0 || statuses["Failed"] == 0 {
		t.Errorf("%d jobs: %v", len(a.Jobs), statuses)
	}
	if regions["us-east-1"] == 0 || regions["eu-west-1"] == 0 || len(regions) != 2 {
		t.Errorf("regions %v", regions)
	}
	if former == 0 || roles[gone] == 0 || roles["arn:aws:iam::123456789012:role/nlp-training-idle"] != 0 {
		t.Errorf("%d jobs of the former segmentation-training, roles %v", former, roles)
	}
}

// Every event of an execution role is a call by a session of a role that was there at the time.
func TestSampleEvents(t *testing.T) {
	a := awssim.Sample()
	byID := make(map[string]*awssim.Role)
	for i := range a.Roles {
		byID[a.Roles[i].UniqueID()] = &a.Roles[i]
	}
	seen := make(map[string]int)
	sources, codes, kinds := make(map[string]int), make(map[string]int), make(map[string]int)
	unknown := make(map[string]bool)
	for i := range a.Events {
		e := &a.Events[i]
		seen[e.EventID]++
		sources[e.EventSource]++
		kinds[e.UserIdentity.Type]++
		if e.ErrorCode != "" {
			codes[e.ErrorCode]++
		}
		session := e.UserIdentity.SessionContext
		if session == nil {
			continue
		}
		role := byID[session.SessionIssuer.PrincipalID]
		if role == nil {
			unknown[session.SessionIssuer.ARN] = true
		} else if a.RoleARN(role) != session.SessionIssuer.ARN || e.EventTime.Before(role.CreateDate) {
			t.Errorf("event %s at %v by %s, created %v", e.EventID, e.EventTime, session.SessionIssuer.ARN, role.CreateDate)
		}
		if session.SessionIssuer.UserName == "nlp-training-idle" || session.SessionIssuer.UserName == "fraud-training-legacy" {
			t.Errorf("event %s by %s, which nobody could use", e.EventID, session.SessionIssuer.UserName)
		}
	}
	duplicates := 0
	for _, n := range seen {
		if n > 1 {
			duplicates++
		}
	}
	t.Logf("%d events, %d ids twice, %v, %v, %v", len(a.Events), duplicates, kinds, codes, sources)
	want := []string{"arn:aws:iam::123456789012:role/recsys-training-v1", "arn:aws:iam::123456789012:role/segmentation-training"}
	if got := sorted(unknown); !slices.Equal(got, want) {
		t.Errorf("events of former roles: %q, want %q", got, want)
	}
	for _, code := range []string{"AccessDenied", "ValidationException", "ThrottlingException", "ExpiredTokenException", "ResourceAlreadyExistsException"} {
		if codes[code] == 0 {
			t.Errorf("no event with %s", code)
		}
	}
	if len(a.Events) < 2500 || duplicates < 10 || kinds["AWSService"] == 0 || kinds["IAMUser"] == 0 || kinds["Root"] == 0 {
		t.Errorf("%d events, %d duplicates, %v", len(a.Events), duplicates, kinds)
	}
}

func sorted(set map[string]bool) []string {
	var keys []string
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// The secrets are in jobs as the API shows them, and nowhere else.
func TestSampleSecrets(t *testing.T) {
	a := awssim.Sample()
	hidden := 0
	for i := range a.Jobs {
		j := &a.Jobs[i]
		for _, values := range []map[string]string{j.HyperParameters, j.Environment} {
			for _, v := range values {
				if strings.Contains(v, awssim.SampleSecret) {
					hidden++
				}
			}
		}
	}
	if hidden == 0 {
		t.Error("no job carries the secret")
	}
	for _, what := range []any{a.Events, a.Roles, a.Policies} {
		text, err := json.Marshal(what)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), awssim.SampleSecret) {
			t.Errorf("the secret is in %T", what)
		}
	}
}

// What a client sees of the sample, counted over the wire.
func TestSampleOverTheWire(t *testing.T) {
	a := awssim.Sample()
	server := awssim.New(a)
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	jobs := 0
	for _, region := range []string{"us-east-1", "eu-west-1", "us-west-2"} {
		c := connect(url, region, 1)
		for p := sagemaker.NewSearchPaginator(c.sagemaker, &sagemaker.SearchInput{Resource: "TrainingJob", MaxResults: aws.Int32(100)}); p.HasMorePages(); {
			page, err := p.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			jobs += len(page.Results)
		}
		events := lookup(t, c, &cloudtrail.LookupEventsInput{})
		for _, e := range events {
			if e.EventTime.Before(a.Now.Add(-90*24*time.Hour)) || e.EventTime.After(a.Now) {
				t.Errorf("event %s at %v", *e.EventId, e.EventTime)
			}
			if !json.Valid([]byte(*e.CloudTrailEvent)) || strings.Contains(*e.CloudTrailEvent, `"eventCategory":"Data"`) {
				t.Errorf("event %s: %s", *e.EventId, *e.CloudTrailEvent)
			}
		}
		t.Logf("%s: %d events", region, len(events))
	}
	if jobs != len(a.Jobs) {
		t.Errorf("%d of %d jobs", jobs, len(a.Jobs))
	}
	c := connect(url, "af-south-1", 1)
	if _, err := c.sagemaker.Search(t.Context(), &sagemaker.SearchInput{Resource: "TrainingJob"}); errorCode(err) != "UnrecognizedClientException" {
		t.Errorf("a disabled region answers %v", err)
	}
	if v := server.Violations(); len(v) != 0 {
		t.Errorf("violations %v", v)
	}
}
