package awssim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"sagemaker-role-audit/internal/collect/awssim"
)

func generate(t *testing.T, c clients, arn string, level iamtypes.AccessAdvisorUsageGranularityType) *string {
	t.Helper()
	out, err := c.iam.GenerateServiceLastAccessedDetails(t.Context(), &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(arn), Granularity: level})
	if err != nil {
		t.Fatal(err)
	}
	return out.JobId
}

// lastAccessed reads all pages of a report, by service.
func lastAccessed(t *testing.T, c clients, arn string, level iamtypes.AccessAdvisorUsageGranularityType) map[string]iamtypes.ServiceLastAccessed {
	t.Helper()
	in := &iam.GetServiceLastAccessedDetailsInput{JobId: generate(t, c, arn, level)}
	services := make(map[string]iamtypes.ServiceLastAccessed)
	for {
		out, err := c.iam.GetServiceLastAccessedDetails(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.JobStatus != iamtypes.JobStatusTypeCompleted || !out.JobCompletionDate.Equal(now) || !out.JobCreationDate.Equal(now) || out.JobType != level {
			t.Fatalf("report %+v", out)
		}
		for _, s := range out.ServicesLastAccessed {
			services[*s.ServiceNamespace] = s
		}
		if !out.IsTruncated {
			return services
		}
		in.Marker = out.Marker
	}
}

func action(s iamtypes.ServiceLastAccessed, name string) *iamtypes.TrackedActionLastAccessed {
	i := slices.IndexFunc(s.TrackedActionsLastAccessed, func(a iamtypes.TrackedActionLastAccessed) bool { return *a.ActionName == name })
	if i < 0 {
		return nil
	}
	return &s.TrackedActionsLastAccessed[i]
}

// accessed is an account whose role narrow may use four services and has called five.
func accessed() *awssim.Account {
	a := small(0)
	a.Policies = append(a.Policies, awssim.ManagedPolicy{ARN: "arn:aws:iam::123456789012:policy/glue", Versions: []awssim.PolicyVersion{
		{ID: "v1", Document: `{"Statement":{"Effect":"Allow","Action":"athena:*","Resource":"*"}}`},
		{ID: "v2", Document: `{"Statement":{"Effect":"Allow","Action":"GLUE:Get*","Resource":"*"}}`}}})
	a.Roles = append(a.Roles, awssim.Role{Name: "narrow", CreateDate: now.AddDate(-1, 0, 0), Trust: trust, Attached: []string{"arn:aws:iam::123456789012:policy/glue"},
		Inline: []awssim.InlinePolicy{
			{Name: "a", Document: `{"Statement":[{"Effect":"Allow","Action":["s3:GetObject","cloudwatch:PutMetricData"],"Resource":"*"},{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}`},
			{Name: "b", Document: `{"Statement":[{"Effect":"Allow","Action":"lambda:*","Resource":"*"}]}`},
			{Name: "c", Document: `no policy`}}})
	narrow, trainer := &a.Roles[len(a.Roles)-1], &a.Roles[0]
	former := *narrow
	former.CreateDate = now.AddDate(-2, 0, 0)
	add := func(role *awssim.Role, hours int, source, name string, change func(*awssim.Record)) {
		e := awssim.Record{UserIdentity: a.Session(role, "SageMaker", now.AddDate(0, 0, -1)), EventTime: now.Add(-time.Duration(hours) * time.Hour),
			EventSource: source + ".amazonaws.com", EventName: name, AWSRegion: "eu-west-1"}
		if change != nil {
			change(&e)
		}
		a.Events = append(a.Events, e)
	}
	data := func(e *awssim.Record) { e.EventCategory = "Data" }
	add(narrow, 9, "s3", "ListBuckets", nil)
	add(narrow, 5, "s3", "GetObject", data)
	add(narrow, 7, "s3", "GetObject", data)
	add(narrow, 3, "s3", "GetBucketAcl", func(e *awssim.Record) { e.ErrorCode = "ExpiredToken" })
	add(narrow, 8, "monitoring", "PutMetricData", data)
	add(narrow, 6, "glue", "GetTable", func(e *awssim.Record) { e.ErrorCode, e.AWSRegion = "AccessDeniedException", "us-east-1" })
	add(narrow, 2, "kms", "Decrypt", nil)
	add(narrow, 401*24, "lambda", "ListFunctions20150331", nil)
	add(narrow, -1, "lambda", "ListFunctions20150331", nil)
	add(&former, 1, "lambda", "ListFunctions20150331", nil)
	add(trainer, 4, "lambda", "ListFunctions20150331", nil)
	return a
}

func TestLastAccessed(t *testing.T) {
	server, c := start(t, accessed())
	server.SetSwitch("page-cap iam:GetServiceLastAccessedDetails 3")
	const narrow = "arn:aws:iam::123456789012:role/narrow"
	services := lastAccessed(t, c, narrow, iamtypes.AccessAdvisorUsageGranularityTypeActionLevel)
	if len(services) != 4 || server.Requests("iam:GetServiceLastAccessedDetails") != 2 {
		t.Fatalf("%d services in %d requests, want what identity grants by name and no more: %v", len(services), server.Requests("iam:GetServiceLastAccessedDetails"), services)
	}
	s3 := services["s3"]
	if !s3.LastAuthenticated.Equal(now.Add(-5*time.Hour)) || *s3.LastAuthenticatedEntity != narrow || *s3.LastAuthenticatedRegion != "eu-west-1" || *s3.TotalAuthenticatedEntities != 1 {
		t.Errorf("s3 %+v: want the newest attempt, a data event, and none with an expired token", s3)
	}
	if a := action(s3, "ListAllMyBuckets"); a == nil || !a.LastAccessedTime.Equal(now.Add(-9*time.Hour)) || *a.LastAccessedEntity != narrow || *a.LastAccessedRegion != "eu-west-1" {
		t.Errorf("s3:ListAllMyBuckets %+v", a)
	}
	if a := action(s3, "GetBucketAcl"); a == nil || a.LastAccessedTime != nil || a.LastAccessedEntity != nil {
		t.Errorf("s3:GetBucketAcl %+v: want it tracked, without an access", a)
	}
	if a := action(s3, "GetObject"); a != nil {
		t.Errorf("s3:GetObject is tracked: %+v", a)
	}
	if a := action(services["glue"], "GetTable"); a == nil || a.LastAccessedTime == nil || *a.LastAccessedRegion != "us-east-1" {
		t.Errorf("glue:GetTable %+v: want the denied attempt", a)
	}
	if s := services["cloudwatch"]; !s.LastAuthenticated.Equal(now.Add(-8*time.Hour)) || len(s.TrackedActionsLastAccessed) != 0 {
		t.Errorf("cloudwatch %+v: want no list where no tracked action was used", s)
	}
	if s := services["lambda"]; s.LastAuthenticated != nil || s.LastAuthenticatedEntity != nil || s.TotalAuthenticatedEntities != nil || len(s.TrackedActionsLastAccessed) != 0 {
		t.Errorf("lambda %+v: want no call that is too old, in the future, of the former role or of another", s)
	}
	if s := lastAccessed(t, c, narrow, iamtypes.AccessAdvisorUsageGranularityTypeServiceLevel)["s3"]; s.LastAuthenticated == nil || len(s.TrackedActionsLastAccessed) != 0 {
		t.Errorf("s3 at the level of services: %+v", s)
	}
	everything := lastAccessed(t, c, trainer, iamtypes.AccessAdvisorUsageGranularityTypeActionLevel)
	if a := action(everything["lambda"], "ListFunctions"); len(everything) != 1 || a != nil {
		t.Errorf("%d services: small's policies name s3 alone", len(everything))
	}
}

// Wildcards and NotAction grant every service; what a role says of itself goes before its events.
func TestLastAccessedOfEverything(t *testing.T) {
	for _, statement := range []string{`"Action":"*"`, `"NotAction":["iam:*"]`, `"Action":["?*:*"]`} {
		a := accessed()
		a.Roles[0].Inline[0].Document = `{"Statement":[{"Effect":"Allow",` + statement + `,"Resource":"*"}]}`
		a.Roles[0].LastAccessed = []awssim.ServiceAccess{
			{Service: "lambda", At: now.Add(-time.Hour), Region: "us-east-1", Actions: []awssim.ActionAccess{{Name: "GetPolicy", At: now.Add(-time.Hour), Region: "us-east-1"}}},
			{Service: "glue"},
			{Service: "made-up", At: now}}
		_, c := start(t, a)
		services := lastAccessed(t, c, trainer, iamtypes.AccessAdvisorUsageGranularityTypeActionLevel)
		lambda := services["lambda"]
		if len(services) < 450 || !lambda.LastAuthenticated.Equal(now.Add(-time.Hour)) || *lambda.LastAuthenticatedRegion != "us-east-1" ||
			action(lambda, "GetPolicy").LastAccessedTime == nil || action(lambda, "ListFunctions").LastAccessedTime == nil || action(lambda, "CreateFunction").LastAccessedTime != nil {
			t.Errorf("%s: %d services, lambda %+v", statement, len(services), lambda)
		}
		if services["glue"].LastAuthenticated != nil || services["made-up"].LastAuthenticated == nil {
			t.Errorf("%s: glue %+v, made-up %+v", statement, services["glue"], services["made-up"])
		}
	}
}

func TestLastAccessedJob(t *testing.T) {
	server, c := start(t, accessed())
	get := func(id *string) *iam.GetServiceLastAccessedDetailsOutput {
		t.Helper()
		out, err := c.iam.GetServiceLastAccessedDetails(t.Context(), &iam.GetServiceLastAccessedDetailsInput{JobId: id})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	server.SetSwitch("last-accessed-polls 2")
	first, second := generate(t, c, trainer, ""), generate(t, c, trainer, "")
	if *first == *second || len(*first) != 36 {
		t.Errorf("jobs %s and %s", *first, *second)
	}
	for range 2 {
		if out := get(first); out.JobStatus != iamtypes.JobStatusTypeInProgress || out.JobCompletionDate != nil || len(out.ServicesLastAccessed) != 0 || !out.JobCreationDate.Equal(now) {
			t.Errorf("report %+v", out)
		}
	}
	if out := get(first); out.JobStatus != iamtypes.JobStatusTypeCompleted || out.JobType != iamtypes.AccessAdvisorUsageGranularityTypeServiceLevel {
		t.Errorf("report %+v", out)
	}
	if out := get(second); out.JobStatus != iamtypes.JobStatusTypeInProgress {
		t.Errorf("report %+v", out)
	}
	server.SetSwitch("last-accessed-polls 0")
	server.SetSwitch("last-accessed-fails on")
	if out := get(second); out.JobStatus != iamtypes.JobStatusTypeFailed || out.Error == nil || *out.Error.Code == "" || *out.Error.Message == "" || len(out.ServicesLastAccessed) != 0 {
		t.Errorf("report %+v", out)
	}
	server.SetFault("iam:GetServiceLastAccessedDetails empty")
	if out := get(second); out.JobStatus != iamtypes.JobStatusTypeCompleted || len(out.ServicesLastAccessed) != 0 {
		t.Errorf("report %+v", out)
	}
	server.SetFault("iam:GenerateServiceLastAccessedDetails empty")
	if out, err := c.iam.GenerateServiceLastAccessedDetails(t.Context(), &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(trainer)}); err != nil || out.JobId != nil {
		t.Errorf("job %+v, %v", out, err)
	}

	server.ClearFaults()
	var missing *iamtypes.NoSuchEntityException
	for _, arn := range []string{"arn:aws:iam::123456789012:role/nobody", "arn:aws:iam::123456789012:role/trainer"} {
		if _, err := c.iam.GenerateServiceLastAccessedDetails(t.Context(), &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(arn)}); !errors.As(err, &missing) {
			t.Errorf("%s: %v", arn, err)
		}
	}
	if _, err := c.iam.GetServiceLastAccessedDetails(t.Context(), &iam.GetServiceLastAccessedDetailsInput{JobId: aws.String("0f0e0d0c-0000-4000-8000-000000000000")}); !errors.As(err, &missing) {
		t.Errorf("an unknown job: %v", err)
	}
	if _, err := c.iam.GenerateServiceLastAccessedDetails(t.Context(), &iam.GenerateServiceLastAccessedDetailsInput{Arn: aws.String(trainer), Granularity: "COLOUR_LEVEL"}); errorCode(err) != "ValidationError" {
		t.Errorf("an unknown granularity: %v", err)
	}
}

func TestLastAccessedPages(t *testing.T) {
	a := accessed()
	a.Roles[0].Inline[0].Document = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	server, c := start(t, a)
	in := &iam.GetServiceLastAccessedDetailsInput{JobId: generate(t, c, trainer, ""), MaxItems: aws.Int32(200)}
	first, err := c.iam.GetServiceLastAccessedDetails(t.Context(), in)
	if err != nil || len(first.ServicesLastAccessed) != 200 || !first.IsTruncated {
		t.Fatalf("%d services, %v", len(first.ServicesLastAccessed), err)
	}
	server.SetFault("iam:GetServiceLastAccessedDetails repeat-token times=1")
	in.Marker = first.Marker
	again, err := c.iam.GetServiceLastAccessedDetails(t.Context(), in)
	if err != nil || *again.Marker != *first.Marker {
		t.Errorf("marker %v, %v", again, err)
	}
	server.ClearFaults()
	server.SetFault("iam:GetServiceLastAccessedDetails empty-page times=1")
	if empty, err := c.iam.GetServiceLastAccessedDetails(t.Context(), in); err != nil || len(empty.ServicesLastAccessed) != 0 || *empty.Marker != *first.Marker {
		t.Errorf("page %v, %v", empty, err)
	}
	in.Marker = aws.String("unheard-of")
	if _, err := c.iam.GetServiceLastAccessedDetails(t.Context(), in); errorCode(err) != "ValidationError" {
		t.Errorf("an unknown marker: %v", err)
	}
}

// A report takes the events once, however many roles and pages are asked for.
func TestLastAccessedIsQuick(t *testing.T) {
	a := small(10_000)
	a.Roles[0].Inline[0].Document = `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	server, c := start(t, a)
	server.SetSwitch("page-cap iam:GetServiceLastAccessedDetails 5")
	begin := time.Now()
	ecr := lastAccessed(t, c, trainer, iamtypes.AccessAdvisorUsageGranularityTypeActionLevel)["ecr"]
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !ecr.LastAuthenticated.Equal(now) || action(ecr, "BatchGetImage").LastAccessedTime == nil {
		t.Errorf("ecr %+v", ecr)
	}
}
