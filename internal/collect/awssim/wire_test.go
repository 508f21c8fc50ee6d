package awssim_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	smtypes "github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
)

func TestGetCallerIdentity(t *testing.T) {
	_, c := start(t, small(0))
	out, err := c.sts.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		t.Fatal(err)
	}
	if *out.Account != "123456789012" || *out.Arn != "arn:aws:sts::123456789012:assumed-role/auditor/audit" {
		t.Errorf("caller = %s of %s", *out.Arn, *out.Account)
	}
}

func TestListRegions(t *testing.T) {
	server, c := start(t, small(0))
	server.SetSwitch("page-cap account:ListRegions 1")
	var got []string
	pages := 0
	for p := account.NewListRegionsPaginator(c.account, &account.ListRegionsInput{}); p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Regions {
			got = append(got, *r.RegionName+" "+string(r.RegionOptStatus))
		}
	}
	want := []string{"us-east-1 ENABLED_BY_DEFAULT", "eu-west-1 ENABLED", "ap-east-1 DISABLED"}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%d pages: %q", pages, got)
	}
}

func TestGetAccountAuthorizationDetails(t *testing.T) {
	a := small(0)
	server, c := start(t, a)
	server.SetSwitch("page-cap iam:* 2")
	var roles []iamtypes.RoleDetail
	var policies []iamtypes.ManagedPolicyDetail
	pages := 0
	in := &iam.GetAccountAuthorizationDetailsInput{Filter: []iamtypes.EntityType{"Role", "LocalManagedPolicy", "AWSManagedPolicy"}, MaxItems: aws.Int32(1000)}
	for p := iam.NewGetAccountAuthorizationDetailsPaginator(c.iam, in); p.HasMorePages(); pages++ {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		roles = append(roles, page.RoleDetailList...)
		policies = append(policies, page.Policies...)
	}
	if pages != 3 || len(roles) != 3 || len(policies) != 2 {
		t.Fatalf("%d pages, %d roles, %d policies; want 3, 3 and 2 (an AWS policy that is only a boundary is left out)", pages, len(roles), len(policies))
	}
	r := roles[slices.IndexFunc(roles, func(r iamtypes.RoleDetail) bool { return *r.RoleName == "trainer" })]
	if *r.Arn != "arn:aws:iam::123456789012:role/service-role/trainer" || *r.RoleId != a.Roles[0].UniqueID() || len(*r.RoleId) != 21 {
		t.Errorf("role %s %s", *r.Arn, *r.RoleId)
	}
	document, err := url.PathUnescape(*r.RolePolicyList[0].PolicyDocument)
	if err != nil || document != a.Roles[0].Inline[0].Document {
		t.Errorf("inline document %q, %v", document, err)
	}
	if len(r.AttachedManagedPolicies) != 2 || *r.PermissionsBoundary.PermissionsBoundaryArn != a.Roles[0].Boundary || len(r.Tags) != 2 {
		t.Errorf("role %+v", r)
	}
	if !r.RoleLastUsed.LastUsedDate.Equal(now.AddDate(0, 0, -1)) || !r.CreateDate.Equal(now.AddDate(-1, 0, 0)) {
		t.Errorf("last used %v, created %v", r.RoleLastUsed.LastUsedDate, r.CreateDate)
	}
	local := policies[slices.IndexFunc(policies, func(p iamtypes.ManagedPolicyDetail) bool { return *p.PolicyName == "local" })]
	if *local.Path != "/team/" || *local.DefaultVersionId != "v2" || len(local.PolicyVersionList) != 3 || *local.AttachmentCount != 1 {
		t.Errorf("policy %+v", local)
	}
	for _, v := range local.PolicyVersionList {
		if v.IsDefaultVersion != (*v.VersionId == "v2") {
			t.Errorf("version %s: default %t", *v.VersionId, v.IsDefaultVersion)
		}
	}
}

func TestPerRoleCalls(t *testing.T) {
	a := small(0)
	server, c := start(t, a)
	server.SetSwitch("page-cap * 1")
	ctx, name := t.Context(), aws.String("trainer")

	role, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	if err != nil {
		t.Fatal(err)
	}
	if *role.Role.Description != "trains <models> & more" || *role.Role.MaxSessionDuration != 7200 || role.Role.PermissionsBoundary == nil || len(role.Role.Tags) != 2 {
		t.Errorf("role %+v", role.Role)
	}
	var names []string
	for p := iam.NewListRolesPaginator(c.iam, &iam.ListRolesInput{}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Roles {
			names = append(names, *r.RoleName)
			if r.PermissionsBoundary != nil || r.RoleLastUsed != nil {
				t.Errorf("ListRoles answers what AWS leaves out: %+v", r)
			}
		}
	}
	if !slices.Equal(names, []string{"idle", "other", "trainer"}) {
		t.Errorf("roles %q", names)
	}
	var attached []string
	for p := iam.NewListAttachedRolePoliciesPaginator(c.iam, &iam.ListAttachedRolePoliciesInput{RoleName: name}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.AttachedPolicies {
			attached = append(attached, *p.PolicyArn)
		}
	}
	if !slices.Equal(attached, a.Roles[0].Attached) {
		t.Errorf("attached %q", attached)
	}
	inline, err := c.iam.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil || !slices.Equal(inline.PolicyNames, []string{"inline"}) {
		t.Errorf("inline %v, %v", inline, err)
	}
	document, err := c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("inline")})
	if err != nil || *document.RoleName != "trainer" {
		t.Fatalf("GetRolePolicy %v, %v", document, err)
	}
	if text, _ := url.PathUnescape(*document.PolicyDocument); text != a.Roles[0].Inline[0].Document {
		t.Errorf("document %q", text)
	}
	policy, err := c.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(a.Roles[0].Boundary)})
	if err != nil || *policy.Policy.DefaultVersionId != "v3" || *policy.Policy.PermissionsBoundaryUsageCount != 1 {
		t.Fatalf("GetPolicy %v, %v", policy, err)
	}
	version, err := c.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: policy.Policy.Arn, VersionId: aws.String("v3")})
	if err != nil || *version.PolicyVersion.Document != "%7B%7D" {
		t.Errorf("GetPolicyVersion %v, %v", version, err)
	}
	tags := 0
	for p := iam.NewListRoleTagsPaginator(c.iam, &iam.ListRoleTagsInput{RoleName: name}); p.HasMorePages(); tags++ {
		if _, err := p.NextPage(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if tags != 2 {
		t.Errorf("%d pages of tags, want 2", tags)
	}
	var missing *iamtypes.NoSuchEntityException
	if _, err := c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("nobody")}); !errors.As(err, &missing) {
		t.Errorf("GetRole nobody: %v", err)
	}
	if _, err := c.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: policy.Policy.Arn, VersionId: aws.String("v9")}); !errors.As(err, &missing) {
		t.Errorf("GetPolicyVersion v9: %v", err)
	}
}

func TestSearch(t *testing.T) {
	a := small(250)
	server, c := start(t, a)
	in := &sagemaker.SearchInput{Resource: "TrainingJob", MaxResults: aws.Int32(100), SortBy: aws.String("CreationTime"), SortOrder: "Ascending"}
	var jobs []smtypes.TrainingJob
	for p := sagemaker.NewSearchPaginator(c.sagemaker, in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if *page.TotalHits.Value != 250 || page.TotalHits.Relation != smtypes.RelationEqualTo {
			t.Errorf("total hits %+v", page.TotalHits)
		}
		for _, r := range page.Results {
			jobs = append(jobs, *r.TrainingJob)
		}
	}
	if len(jobs) != 250 || server.Requests("sagemaker:Search") != 3 {
		t.Fatalf("%d jobs in %d requests", len(jobs), server.Requests("sagemaker:Search"))
	}
	newest := jobs[249]
	if *newest.TrainingJobName != "job-00000" || *newest.TrainingJobArn != "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-00000" ||
		!newest.CreationTime.Equal(now) || !newest.LastModifiedTime.Equal(now.Add(20*time.Minute)) || *newest.RoleArn != "arn:aws:iam::123456789012:role/service-role/trainer" {
		t.Errorf("newest job %+v", newest)
	}
	if *newest.InputDataConfig[0].DataSource.S3DataSource.S3Uri != "s3://data/train/" || newest.HyperParameters["epochs"] != "3" || len(newest.Tags) != 1 {
		t.Errorf("newest job %+v", newest)
	}
}

func TestSearchFilters(t *testing.T) {
	_, c := start(t, small(40))
	filter := func(name string, operator smtypes.Operator, value string) smtypes.Filter {
		f := smtypes.Filter{Name: aws.String(name), Operator: operator}
		if value != "" {
			f.Value = aws.String(value)
		}
		return f
	}
	for _, test := range []struct {
		name       string
		expression smtypes.SearchExpression
		want       int64
	}{
		{"nothing asked", smtypes.SearchExpression{}, 40},
		{"created after", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("CreationTime", "GreaterThanOrEqualTo", "2026-10-31T03:00:00")}}, 10},
		{"created between", smtypes.SearchExpression{Filters: []smtypes.Filter{
			filter("CreationTime", "GreaterThan", "2026-10-31T03:00:00"), filter("CreationTime", "LessThan", "2026-10-31T10:00:00Z")}}, 6},
		{"of a role", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("RoleArn", "Equals", "arn:aws:iam::123456789012:role/service-role/trainer")}}, 40},
		{"of another role", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("RoleArn", "Equals", "arn:aws:iam::123456789012:role/trainer")}}, 0},
		{"failed", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("TrainingJobStatus", "Equals", "Failed")}}, 10},
		{"failed or stopped", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("TrainingJobStatus", "In", "Failed,Stopped")}}, 10},
		{"not failed", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("TrainingJobStatus", "NotEquals", "Failed")}}, 30},
		{"either", smtypes.SearchExpression{Operator: "Or", Filters: []smtypes.Filter{filter("TrainingJobName", "Equals", "job-00001"), filter("TrainingJobName", "Contains", "0003")}}, 12},
		{"tag", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("Tags.n", "Equals", "7")}}, 1},
		{"has a reason", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("FailureReason", "Exists", "")}}, 0},
		{"has ended", smtypes.SearchExpression{Filters: []smtypes.Filter{filter("TrainingEndTime", "Exists", "")}}, 40},
		{"nested", smtypes.SearchExpression{NestedFilters: []smtypes.NestedFilters{{NestedPropertyName: aws.String("InputDataConfig"), Filters: []smtypes.Filter{
			filter("InputDataConfig.ChannelName", "Equals", "train"), filter("InputDataConfig.DataSource.S3DataSource.S3Uri", "Contains", "s3://data")}}}}, 40},
		{"sub-expression", smtypes.SearchExpression{SubExpressions: []smtypes.SearchExpression{
			{Operator: "Or", Filters: []smtypes.Filter{filter("TrainingJobName", "Equals", "job-00001"), filter("TrainingJobName", "Equals", "job-00002")}}}}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := c.sagemaker.Search(t.Context(), &sagemaker.SearchInput{Resource: "TrainingJob", SearchExpression: &test.expression})
			if err != nil {
				t.Fatal(err)
			}
			if *out.TotalHits.Value != test.want {
				t.Errorf("%d hits, want %d", *out.TotalHits.Value, test.want)
			}
		})
	}
	for _, bad := range []smtypes.Filter{filter("Colour", "Equals", "red"), filter("RoleArn", "GreaterThan", "a"), filter("CreationTime", "Equals", "yesterday"), filter("CreationTime", "Contains", "2026-10-31T03:00:00")} {
		_, err := c.sagemaker.Search(t.Context(), &sagemaker.SearchInput{Resource: "TrainingJob", SearchExpression: &smtypes.SearchExpression{Filters: []smtypes.Filter{bad}}})
		if code := errorCode(err); code != "ValidationException" {
			t.Errorf("filter %s %s %s: %v", *bad.Name, bad.Operator, *bad.Value, err)
		}
	}
}

func TestDescribeHasWhatSearchLacks(t *testing.T) {
	_, c := start(t, small(1))
	job, err := c.sagemaker.DescribeTrainingJob(t.Context(), &sagemaker.DescribeTrainingJobInput{TrainingJobName: aws.String("job-00000")})
	if err != nil {
		t.Fatal(err)
	}
	if job.RemoteDebugConfig == nil || !*job.RemoteDebugConfig.EnableRemoteDebug || *job.OutputDataConfig.S3OutputPath != "s3://out/" || !job.CreationTime.Equal(now) {
		t.Errorf("job %+v", job)
	}
	_, err = c.sagemaker.DescribeTrainingJob(t.Context(), &sagemaker.DescribeTrainingJobInput{TrainingJobName: aws.String("job-9")})
	if errorCode(err) != "ValidationException" {
		t.Errorf("unknown job: %v", err)
	}
}

// The filter comes after the page: three of four pages are empty here, and only the absent token ends the list.
func TestListTrainingJobsFiltersAfterThePage(t *testing.T) {
	_, c := start(t, small(12))
	in := &sagemaker.ListTrainingJobsInput{MaxResults: aws.Int32(1), StatusEquals: "Failed", SortBy: "CreationTime", SortOrder: "Descending"}
	var sizes []int
	for p := sagemaker.NewListTrainingJobsPaginator(c.sagemaker, in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.TrainingJobSummaries))
	}
	if want := []int{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}; !slices.Equal(sizes, want) {
		t.Errorf("page sizes %v, want %v", sizes, want)
	}
	out, err := c.sagemaker.ListTrainingJobs(t.Context(), &sagemaker.ListTrainingJobsInput{MaxResults: aws.Int32(100), NameContains: aws.String("0000"),
		CreationTimeAfter: aws.Time(now.Add(-3 * time.Hour)), CreationTimeBefore: aws.Time(now)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range out.TrainingJobSummaries {
		names = append(names, *s.TrainingJobName)
	}
	if !slices.Equal(names, []string{"job-00002", "job-00001"}) {
		t.Errorf("jobs %q: want the two strictly between, oldest first", names)
	}
}

func lookup(t *testing.T, c clients, in *cloudtrail.LookupEventsInput) []cttypes.Event {
	t.Helper()
	var events []cttypes.Event
	for p := cloudtrail.NewLookupEventsPaginator(c.cloudtrail, in); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, page.Events...)
	}
	return events
}

func TestLookupEvents(t *testing.T) {
	a := small(120)
	a.Events[3].EventCategory = "Data"
	a.Events[4].EventTime = now.AddDate(0, 0, -91)
	a.Events[5].AWSRegion = "eu-west-1"
	server, c := start(t, a)
	events := lookup(t, c, &cloudtrail.LookupEventsInput{})
	if len(events) != 117 || server.Requests("cloudtrail:LookupEvents") != 3 {
		t.Fatalf("%d events in %d requests: want no data event, none older than 90 days, none of another region", len(events), server.Requests("cloudtrail:LookupEvents"))
	}
	if !slices.IsSortedFunc(events, func(p, q cttypes.Event) int { return q.EventTime.Compare(*p.EventTime) }) {
		t.Error("events are not newest first")
	}
	e := events[0]
	if *e.EventId != "event-00000" || *e.Username != "SageMaker" || *e.ReadOnly != "true" || !e.EventTime.Equal(now) || len(e.Resources) != 1 || len(*e.AccessKeyId) != 20 {
		t.Errorf("event %+v", e)
	}
	var record struct {
		EventID, EventVersion, EventCategory string
		ManagementEvent                      bool
		EventTime                            time.Time
		UserIdentity                         struct {
			PrincipalID, ARN string
			SessionContext   struct{ SessionIssuer struct{ ARN string } }
		}
	}
	if err := json.Unmarshal([]byte(*e.CloudTrailEvent), &record); err != nil {
		t.Fatal(err)
	}
	id := record.UserIdentity
	if record.EventID != "event-00000" || !record.EventTime.Equal(now) || !record.ManagementEvent || record.EventVersion != "1.11" ||
		id.ARN != "arn:aws:sts::123456789012:assumed-role/trainer/SageMaker" || id.SessionContext.SessionIssuer.ARN != "arn:aws:iam::123456789012:role/service-role/trainer" ||
		id.PrincipalID != a.Roles[0].UniqueID()+":SageMaker" {
		t.Errorf("record %+v", record)
	}
}

func TestLookupEventsParameters(t *testing.T) {
	a := small(60)
	a.Events[7].EventName = "DescribeTable"
	_, c := start(t, a)
	attribute := func(key cttypes.LookupAttributeKey, value string) *cloudtrail.LookupEventsInput {
		return &cloudtrail.LookupEventsInput{LookupAttributes: []cttypes.LookupAttribute{{AttributeKey: key, AttributeValue: aws.String(value)}}}
	}
	for _, test := range []struct {
		name string
		in   *cloudtrail.LookupEventsInput
		want int
	}{
		{"event name", attribute("EventName", "DescribeTable"), 1},
		{"event id", attribute("EventId", "event-00011"), 1},
		{"event source", attribute("EventSource", "ecr.amazonaws.com"), 60},
		{"user name is the session name", attribute("Username", "SageMaker"), 60},
		{"user name is not the role", attribute("Username", "trainer"), 0},
		{"read only", attribute("ReadOnly", "false"), 0},
		{"resource name", attribute("ResourceName", "repo-1"), 30},
		{"resource type", attribute("ResourceType", "AWS::ECR::Repository"), 60},
		{"both ends of the window belong to it", &cloudtrail.LookupEventsInput{StartTime: aws.Time(now.Add(-9 * time.Minute)), EndTime: aws.Time(now.Add(-5 * time.Minute))}, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := len(lookup(t, c, test.in)); got != test.want {
				t.Errorf("%d events, want %d", got, test.want)
			}
		})
	}

	first, err := c.cloudtrail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{})
	if err != nil {
		t.Fatal(err)
	}
	var token *cttypes.InvalidNextTokenException
	if _, err := c.cloudtrail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{NextToken: first.NextToken, EndTime: aws.Time(now)}); !errors.As(err, &token) {
		t.Errorf("a token with other parameters: %v", err)
	}
	var size *cttypes.InvalidMaxResultsException
	if _, err := c.cloudtrail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)}); !errors.As(err, &size) {
		t.Errorf("51 results: %v", err)
	}
	var attributes *cttypes.InvalidLookupAttributesException
	two := attribute("EventName", "A")
	two.LookupAttributes = append(two.LookupAttributes, two.LookupAttributes[0])
	if _, err := c.cloudtrail.LookupEvents(t.Context(), two); !errors.As(err, &attributes) {
		t.Errorf("two attributes: %v", err)
	}
	var window *cttypes.InvalidTimeRangeException
	if _, err := c.cloudtrail.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{StartTime: aws.Time(now), EndTime: aws.Time(now.Add(-time.Hour))}); !errors.As(err, &window) {
		t.Errorf("window upside down: %v", err)
	}
}

func TestEventNameDefaultsToItsPlace(t *testing.T) {
	a := small(2)
	a.Events[0].EventID, a.Events[1].EventID = "", ""
	_, c := start(t, a)
	first := lookup(t, c, &cloudtrail.LookupEventsInput{})
	second := lookup(t, c, &cloudtrail.LookupEventsInput{})
	if *first[0].EventId == *first[1].EventId || cmp.Diff(*first[0].EventId, *second[0].EventId) != "" {
		t.Errorf("ids %s and %s, then %s", *first[0].EventId, *first[1].EventId, *second[0].EventId)
	}
}
