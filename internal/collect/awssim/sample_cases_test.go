package awssim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"sagemaker-role-audit/internal/collect/awssim"
)

// sampleAccount answers what a role did, so that a situation of the sample can be told in a few lines.
type sampleAccount struct {
	*awssim.Account
	roles map[string]*awssim.Role
}

func sampleForCases() sampleAccount {
	s := sampleAccount{awssim.Sample(), make(map[string]*awssim.Role)}
	for i := range s.Roles {
		s.roles[s.Roles[i].Name] = &s.Roles[i]
	}
	return s
}

// calls are the events of a role as it is now, named source:event as in sagemaker:CreateTrainingJob, oldest first.
func (s sampleAccount) calls(role, api string, also ...func(*awssim.Record) bool) []*awssim.Record {
	source, name, _ := strings.Cut(api, ":")
	var calls []*awssim.Record
events:
	for i := range s.Events {
		e := &s.Events[i]
		session := e.UserIdentity.SessionContext
		if session == nil || session.SessionIssuer.PrincipalID != s.roles[role].UniqueID() || e.EventSource != source+".amazonaws.com" || e.EventName != name {
			continue
		}
		for _, holds := range also {
			if !holds(e) {
				continue events
			}
		}
		calls = append(calls, e)
	}
	slices.SortFunc(calls, func(p, q *awssim.Record) int { return p.EventTime.Compare(q.EventTime) })
	return calls
}

func allowed(e *awssim.Record) bool { return e.ErrorCode == "" }

func isData(e *awssim.Record) bool { return e.EventCategory == "Data" }

func isManagement(e *awssim.Record) bool { return !isData(e) }

func says(text string) func(*awssim.Record) bool {
	return func(e *awssim.Record) bool { return strings.Contains(e.ErrorMessage, text) }
}

func with(parameter, value string) func(*awssim.Record) bool {
	return func(e *awssim.Record) bool { return e.RequestParameters[parameter] == value }
}

// sealed is a KMS call of S3 about an object of a bucket.
func sealed(bucket string) func(*awssim.Record) bool {
	return func(e *awssim.Record) bool {
		context, _ := e.RequestParameters["encryptionContext"].(map[string]any)
		object, _ := context["aws:s3:arn"].(string)
		return strings.HasPrefix(object, "arn:aws:s3:::"+bucket+"/")
	}
}

// jobs are the completed jobs of a role.
func (s sampleAccount) jobs(role string, holds func(*awssim.TrainingJob) bool) int {
	n := 0
	for i := range s.Jobs {
		if j := &s.Jobs[i]; j.RoleArn == s.RoleARN(s.roles[role]) && j.TrainingJobStatus == "Completed" && holds(j) {
			n++
		}
	}
	return n
}

func reads(bucket string) func(*awssim.TrainingJob) bool {
	return func(j *awssim.TrainingJob) bool {
		return slices.ContainsFunc(j.InputDataConfig, func(c awssim.Channel) bool {
			source := c.DataSource.S3DataSource
			return source != nil && strings.HasPrefix(source.S3Uri, "s3://"+bucket+"/")
		})
	}
}

// grants says whether a role's identity policies hold a text.
func (s sampleAccount) grants(role, text string) bool {
	for _, p := range s.roles[role].Inline {
		if strings.Contains(p.Document, text) {
			return true
		}
	}
	for _, p := range s.Policies {
		if slices.Contains(s.roles[role].Attached, p.ARN) && strings.Contains(p.Versions[len(p.Versions)-1].Document, text) {
			return true
		}
	}
	return false
}

const consoleRole = "AmazonSageMaker-ExecutionRole-20260115T101530"

func TestSampleGrantByNamePattern(t *testing.T) {
	s := sampleForCases()
	if !s.grants(consoleRole, `arn:aws:s3:::*sagemaker*`) || !s.grants(consoleRole, "s3:ExistingObjectTag/SageMaker") || s.grants(consoleRole, "retail-basket-receipts") {
		t.Error("the policies do not tell objects apart by bucket name and tag")
	}
	if s.jobs(consoleRole, reads("sagemaker-us-east-1-123456789012")) == 0 || s.jobs(consoleRole, reads("retail-basket-receipts")) == 0 {
		t.Error("no jobs read a bucket of either kind")
	}
}

func TestSampleNotebookAndTraining(t *testing.T) {
	s := sampleForCases()
	for _, group := range []string{"/aws/sagemaker/NotebookInstances", "/aws/sagemaker/TrainingJobs"} {
		if len(s.calls(consoleRole, "logs:CreateLogStream", with("logGroupName", group))) == 0 {
			t.Errorf("no log stream in %s", group)
		}
	}
}

func TestSampleTrails(t *testing.T) {
	s := sampleForCases()
	if len(s.Trails) != 2 {
		t.Fatalf("%d trails", len(s.Trails))
	}
	management, objects := s.Trails[0], s.Trails[1]
	if !management.MultiRegion || management.Stopped || len(management.Selectors) != 1 || management.Selectors[0].ReadWriteType != "WriteOnly" ||
		!slices.Equal(management.Selectors[0].ExcludeManagementEventSources, []string{"kms.amazonaws.com"}) {
		t.Errorf("trail %+v", management)
	}
	if objects.Stopped || len(objects.Advanced) != 1 || objects.Advanced[0].FieldSelectors[2].StartsWith[0] != "arn:aws:s3:::retail-ml-churn/" {
		t.Errorf("trail %+v", objects)
	}
	switched := s.calls("platform-admin", "cloudtrail:PutEventSelectors", with("trailName", objects.Name), allowed)
	if len(switched) != 1 || switched[0].AWSRegion != "us-east-1" || s.Now.Sub(switched[0].EventTime).Round(24*time.Hour) != 240*time.Hour || objects.StartedAt.After(switched[0].EventTime) {
		t.Fatalf("switched on by %v", switched)
	}
	before, after := 0, 0
	for _, e := range s.calls("churn-training", "s3:GetObject", with("bucketName", "retail-ml-churn"), isData) {
		if e.EventTime.Before(switched[0].EventTime) {
			before++
		} else {
			after++
		}
	}
	if before == 0 || after == 0 {
		t.Errorf("%d objects read before the data events, %d after", before, after)
	}
}

func TestSampleRecreatedRole(t *testing.T) {
	s := sampleForCases()
	ids := make(map[string]bool)
	for i := range s.Events {
		if session := s.Events[i].UserIdentity.SessionContext; session != nil && session.SessionIssuer.UserName == "segmentation-training" {
			ids[session.SessionIssuer.PrincipalID] = true
		}
	}
	if len(ids) != 2 || !ids[s.roles["segmentation-training"].UniqueID()] {
		t.Errorf("role ids %v", sorted(ids))
	}
}

func TestSampleCrossAccountImage(t *testing.T) {
	s := sampleForCases()
	pulled := s.calls("lookalike-training", "ecr:BatchGetImage", with("registryId", "222222222222"), allowed)
	if s.jobs("lookalike-training", func(j *awssim.TrainingJob) bool {
		return strings.HasPrefix(j.AlgorithmSpecification.TrainingImage, "222222222222.dkr.ecr.")
	}) == 0 || len(pulled) == 0 || pulled[0].Resources[0].AccountID != "222222222222" || !s.grants("lookalike-training", "arn:aws:ecr:us-east-1:222222222222:repository/") {
		t.Errorf("%d pulls of the partner's image", len(pulled))
	}
}

func TestSampleNarrowedPolicy(t *testing.T) {
	s := sampleForCases()
	narrowed := s.calls("platform-admin", "iam:PutRolePolicy", with("roleName", "returns-training"), with("policyName", "returns-training"), allowed)
	if len(narrowed) != 1 || s.Now.Sub(narrowed[0].EventTime) > 36*time.Hour || narrowed[0].AWSRegion != "us-east-1" {
		t.Fatalf("narrowed by %v", narrowed)
	}
	for api, also := range map[string]func(*awssim.Record) bool{"glue:GetTable": isManagement, "ssm:GetParameter": isManagement, "kms:Decrypt": sealed("retail-returns-archive")} {
		calls := s.calls("returns-training", api, also, allowed)
		if len(calls) < 5 || s.Now.Sub(calls[len(calls)-1].EventTime) < 48*time.Hour || s.Now.Sub(calls[len(calls)-1].EventTime) > 72*time.Hour {
			t.Errorf("%d calls of %s: want some, the newest two days ago", len(calls), api)
		}
	}
	for _, gone := range []string{"glue:", "ssm:", "retail-returns-archive"} {
		if s.grants("returns-training", gone) {
			t.Errorf("returns-training still grants %s", gone)
		}
	}
}

func TestSampleBucketPolicy(t *testing.T) {
	s := sampleForCases()
	const role, bucket = "customer360-training", "retail-shared-features"
	if s.grants(role, bucket) || !s.grants(role, "kms:Decrypt") || s.jobs(role, reads(bucket)) == 0 {
		t.Error("want completed jobs that read what identity does not grant")
	}
	if n := len(s.calls(role, "kms:Decrypt", sealed(bucket), isManagement, allowed)); n < 3 {
		t.Errorf("%d reads that KMS tells of", n)
	}
	for _, e := range s.calls(role, "kms:Decrypt") {
		if e.UserIdentity.OnBehalfOf == nil || e.UserIdentity.OnBehalfOf.UserID == "" {
			t.Errorf("event %s is on behalf of nobody", e.EventID)
		}
	}
}

// The buckets and keys that the jobs name are where the jobs are, and what is written in their policies is known.
func TestSampleResources(t *testing.T) {
	s := sampleForCases()
	buckets, keys := make(map[string]*awssim.Bucket), make(map[string]bool)
	policies := 0
	for i := range s.Buckets {
		b := &s.Buckets[i]
		buckets[b.Name] = b
		if b.Policy != "" {
			policies++
			isJSON(t, b.Name, b.Policy)
		}
	}
	if policies != 3 || buckets["retail-ml-market-data"].Owner == "" || !strings.Contains(buckets["retail-ml-pricing"].Policy, `"s3:DeleteObject"`) || !s.grants("pricing-training", "s3:*") {
		t.Errorf("%d buckets have a policy", policies)
	}
	for _, needed := range []string{s.RoleARN(s.roles["customer360-training"]), "s3:GetObject", "s3:ListBucket"} {
		if !strings.Contains(buckets["retail-shared-features"].Policy, needed) {
			t.Errorf("retail-shared-features does not grant %s", needed)
		}
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		keys[s.KeyARN(k)] = true
		for _, alias := range k.Aliases {
			keys[alias] = true
		}
		if k.Policy != "" {
			isJSON(t, k.ID, k.Policy)
		}
		if opaque := k.Policy != "" && !strings.Contains(k.Policy, ":root"); opaque != slices.Contains(k.Aliases, "alias/retail-ml-customer360") {
			t.Errorf("key %+v", k)
		}
	}
	for i := range s.Jobs {
		j := &s.Jobs[i]
		uris := []string{j.OutputDataConfig.S3OutputPath}
		for _, c := range j.InputDataConfig {
			if source := c.DataSource.S3DataSource; source != nil {
				uris = append(uris, source.S3Uri)
			}
		}
		for _, uri := range uris {
			name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(uri, "s3://"), "https://s3.us-east-1.amazonaws.com/"), "/")
			if b := buckets[name]; b == nil || b.Region != j.Region && (b.Region != "" || j.Region != "us-east-1") {
				t.Errorf("job %s in %s: bucket %s is %+v", j.TrainingJobName, j.Region, name, b)
			}
		}
		for _, key := range []string{j.OutputDataConfig.KmsKeyId, j.ResourceConfig.VolumeKmsKeyId} {
			if key != "" && !keys[key] {
				t.Errorf("job %s: no key %s", j.TrainingJobName, key)
			}
		}
	}
}

func TestSampleServiceControlPolicy(t *testing.T) {
	s := sampleForCases()
	for api, words := range map[string]string{"ssm:GetParameter": "with an explicit deny in a service control policy",
		"bedrock:InvokeModel": "because no service control policy allows the bedrock:InvokeModel action"} {
		if len(s.calls("geo-training", api, says(words))) < 3 || !s.grants("geo-training", api) {
			t.Errorf("%s is not refused %s", api, words)
		}
	}
	in := func(region string) func(*awssim.Record) bool {
		return func(e *awssim.Record) bool { return e.AWSRegion == region }
	}
	if len(s.calls("geo-training", "ssm:GetParameter", in("eu-west-1"), allowed)) == 0 || len(s.calls("geo-training", "ssm:GetParameter", in("us-west-2"), allowed)) != 0 {
		t.Error("want the parameter read in eu-west-1 and refused in us-west-2")
	}
}

func TestSampleDeniedThenFixed(t *testing.T) {
	s := sampleForCases()
	fixed := s.calls("platform-admin", "iam:AttachRolePolicy", with("roleName", "reviews-training"), allowed)
	if len(fixed) != 1 || fixed[0].AWSRegion != "us-east-1" || !slices.Contains(s.roles["reviews-training"].Attached, fixed[0].RequestParameters["policyArn"].(string)) {
		t.Fatalf("fixed by %v", fixed)
	}
	for api, also := range map[string]func(*awssim.Record) bool{"dynamodb:DescribeTable": isManagement, "dynamodb:GetItem": isData} {
		refused := s.calls("reviews-training", api, also, says("because no identity-based policy allows the "+api+" action"), with("tableName", "review-labels"))
		then := s.calls("reviews-training", api, also, allowed, with("tableName", "review-labels"))
		if len(refused) < 2 || len(then) < 2 || refused[len(refused)-1].EventTime.After(fixed[0].EventTime) || then[0].EventTime.Before(fixed[0].EventTime) {
			t.Errorf("%s: %d calls refused, then %d allowed", api, len(refused), len(then))
		}
	}
}

func TestSampleForwardedCalls(t *testing.T) {
	s := sampleForCases()
	athena := func(e *awssim.Record) bool { return e.UserIdentity.InvokedBy == "athena.amazonaws.com" }
	if len(s.calls("lookalike-training", "athena:StartQueryExecution", allowed)) == 0 || len(s.calls("lookalike-training", "athena:StartQueryExecution", athena)) != 0 {
		t.Error("the role itself starts no query")
	}
	for _, api := range []string{"glue:GetTable", "s3:GetBucketLocation", "s3:GetObject"} {
		if len(s.calls("lookalike-training", api, athena, allowed)) == 0 {
			t.Errorf("Athena does not call %s", api)
		}
	}
}

func TestSampleJobKinds(t *testing.T) {
	s := sampleForCases()
	running, children := "", 0
	regions := make(map[string]map[string]bool)
	for i := range s.Jobs {
		j := &s.Jobs[i]
		if j.TrainingJobStatus == "InProgress" {
			running += j.TrainingJobName
		}
		if j.TuningJobArn != "" {
			children++
		}
		if regions[j.RoleArn] == nil {
			regions[j.RoleArn] = make(map[string]bool)
		}
		regions[j.RoleArn][j.Region] = true
	}
	if !strings.HasPrefix(running, "vision-shelf-") || children != 5 {
		t.Errorf("in progress: %q; %d children of a tuning job", running, children)
	}
	for _, role := range []string{"geo-training", "vision-training", "ml-shared-admin"} {
		if len(regions[s.RoleARN(s.roles[role])]) != 2 {
			t.Errorf("%s has jobs in one region", role)
		}
	}
}

func TestSampleSourceIdentity(t *testing.T) {
	s := sampleForCases()
	for i := range s.Events {
		if session := s.Events[i].UserIdentity.SessionContext; session != nil && session.SessionIssuer.UserName == "platform-admin" && session.SourceIdentity != "ruth.okafor" {
			t.Errorf("event %s has the source identity %q", s.Events[i].EventID, session.SourceIdentity)
		}
	}
}

// IAM's own report of the sample's roles: it follows the policies of today and the events of yesterday.
func TestSampleLastAccessed(t *testing.T) {
	s := sampleForCases()
	server, c := start(t, s.Account)
	server.SetSwitch("page-cap iam:GetServiceLastAccessedDetails 200")
	for _, r := range s.Roles {
		services := lastAccessed(t, c, s.RoleARN(&r), iamtypes.AccessAdvisorUsageGranularityTypeActionLevel)
		has := func(name string) bool { return services[name].LastAuthenticated != nil }
		switch r.Name {
		case "ml-shared-admin", "vision-training":
			_, listsIAM := services["iam"]
			if len(services) < 450 || !has("ecr") || has("sqs") || listsIAM != (r.Name == "ml-shared-admin") {
				t.Errorf("%s: %d services", r.Name, len(services))
			}
		case "returns-training":
			if _, listed := services["glue"]; listed || !has("kms") || !has("s3") || len(services) != 4 {
				t.Errorf("%s: %d services", r.Name, len(services))
			}
		case "reviews-training":
			if a := action(services["dynamodb"], "DescribeTable"); a == nil || a.LastAccessedTime == nil {
				t.Errorf("%s: dynamodb %+v", r.Name, services["dynamodb"])
			}
		case "geo-training":
			if !has("bedrock") {
				t.Errorf("%s: refused calls are no accesses", r.Name)
			}
		case "nlp-training-idle":
			for name := range services {
				if has(name) {
					t.Errorf("%s has used %s", r.Name, name)
				}
			}
		}
	}
}
