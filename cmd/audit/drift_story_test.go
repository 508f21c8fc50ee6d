package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	storyAccount   = "123456789012"
	storyTeam      = "arn:aws:iam::123456789012:policy/team"
	storyWide      = "arn:aws:iam::123456789012:policy/wide"
	storyLimit     = "arn:aws:iam::123456789012:policy/limit"
	storyLimitless = "arn:aws:iam::123456789012:policy/limit-more"
	storyAWS       = "arn:aws:iam::aws:policy/AmazonSageMakerReadOnly"
	storyImage     = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"
)

// story is an account over thirty days, and who is at work in it.
type story struct {
	account *awssim.Account
	today   time.Time // 12:00
	catalog string
	events  int
}

func statements(list ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}

func allows(action, resource string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q}`, action, resource)
}

func trusting(principals ...string) string {
	var list []string
	for _, p := range principals {
		list = append(list, `{"Effect":"Allow","Principal":`+p+`,"Action":"sts:AssumeRole"}`)
	}
	return statements(list...)
}

const bySageMaker = `{"Service":"sagemaker.amazonaws.com"}`

// begin is the account on the day before the first.
func begin() *story {
	s := &story{today: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC), catalog: "catalogue 1"}
	made := s.today.AddDate(-1, 0, 0)
	s.account = &awssim.Account{
		ID: storyAccount, Now: s.today, Regions: []awssim.Region{{Name: "us-east-1"}},
		Roles: []awssim.Role{
			{Name: "trainer", CreateDate: made, Trust: trusting(bySageMaker), Attached: []string{storyAWS, storyTeam},
				Inline: []awssim.InlinePolicy{{Name: "data", Document: statements(allows("s3:GetObject", "arn:aws:s3:::data/*"), allows("s3:ListBucket", "arn:aws:s3:::data"))}}},
			{Name: "nightly", CreateDate: made, Trust: trusting(bySageMaker),
				Inline: []awssim.InlinePolicy{{Name: "data", Document: statements(allows("s3:GetObject", "arn:aws:s3:::data/*"))}}},
			{Name: "ci", CreateDate: made, Trust: trusting(`{"Service":"codebuild.amazonaws.com"}`)},
		},
		Policies: []awssim.ManagedPolicy{
			policyOf(storyAWS, made, statements(allows("sagemaker:Describe*", "*"))),
			policyOf(storyTeam, made, statements(allows("ecr:BatchGetImage", "*"), allows("logs:CreateLogStream", "*"))),
			policyOf(storyWide, made, statements(allows("iam:PassRole", "*"))),
			policyOf(storyLimit, made, statements(allows("s3:*", "*"))),
			policyOf(storyLimitless, made, statements(allows("*", "*"))),
		},
	}
	for i := -3; i <= 0; i++ {
		s.routine(s.today.AddDate(0, 0, i))
	}
	// A single use that leaves the window of 90 days between day 25 and day 26.
	s.call("trainer", "ssm.amazonaws.com", "GetParameter", s.today.AddDate(0, 0, 26-90).Add(-6*time.Hour), nil)
	return s
}

func policyOf(arn string, made time.Time, document string) awssim.ManagedPolicy {
	return awssim.ManagedPolicy{ARN: arn, CreateDate: made, UpdateDate: made, Versions: []awssim.PolicyVersion{{ID: "v1", Document: document, CreateDate: made, Default: true}}}
}

func (s *story) role(name string) *awssim.Role {
	i := slices.IndexFunc(s.account.Roles, func(r awssim.Role) bool { return r.Name == name })
	return &s.account.Roles[i]
}

func (s *story) record(r awssim.Record) string {
	s.events++
	r.EventID = fmt.Sprintf("event-%04d", s.events)
	r.AWSRegion = "us-east-1"
	s.account.Events = append(s.account.Events, r)
	return r.EventID
}

// call is a call with a role's session.
func (s *story) call(role, source, name string, at time.Time, change func(*awssim.Record)) {
	r := awssim.Record{UserIdentity: s.account.Session(s.role(role), "SageMaker", at), EventSource: source, EventName: name, EventTime: at, ReadOnly: true}
	if change != nil {
		change(&r)
	}
	s.record(r)
}

// ana changes something in IAM, at nine in the morning.
func (s *story) ana(name string, params map[string]any) {
	s.record(awssim.Record{UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::" + storyAccount + ":user/ana", UserName: "ana", AccountID: storyAccount},
		EventSource: "iam.amazonaws.com", EventName: name, EventTime: s.morning(), RequestParameters: params})
}

func (s *story) morning() time.Time { return s.today.Add(-3 * time.Hour) }

// job is a training job of the trainer, with the event of its creation.
func (s *story) job(name, image, input string, at time.Time) {
	arn := s.account.RoleARN(s.role("trainer"))
	s.account.Jobs = append(s.account.Jobs, awssim.TrainingJob{Region: "us-east-1", TrainingJobName: name, RoleArn: arn, TrainingJobStatus: "Completed", SecondaryStatus: "Completed",
		CreationTime: at, TrainingStartTime: at.Add(time.Minute), TrainingEndTime: at.Add(time.Hour),
		AlgorithmSpecification: &awssim.AlgorithmSpecification{TrainingImage: image, TrainingInputMode: "File"},
		InputDataConfig:        []awssim.Channel{{ChannelName: "train", DataSource: awssim.DataSource{S3DataSource: &awssim.S3DataSource{S3DataType: "S3Prefix", S3Uri: input}}}},
		OutputDataConfig:       &awssim.OutputDataConfig{S3OutputPath: "s3://data/models/"}})
	s.record(awssim.Record{UserIdentity: s.account.Session(s.role("ci"), "build", at), EventSource: "sagemaker.amazonaws.com", EventName: "CreateTrainingJob", EventTime: at,
		RequestParameters: map[string]any{"trainingJobName": name, "roleArn": arn}})
}

// routine is what happens every day.
func (s *story) routine(day time.Time) {
	at := day.Add(-6 * time.Hour)
	s.job("train-"+at.Format("2006-01-02"), storyImage, "s3://data/in/", at)
	s.call("trainer", "ecr.amazonaws.com", "BatchGetImage", at.Add(time.Minute), func(r *awssim.Record) {
		r.RequestParameters = map[string]any{"repositoryName": "train", "registryId": storyAccount}
	})
}

func (s *story) attach(arn string) {
	r := s.role("trainer")
	r.Attached = append(slices.Clone(r.Attached), arn)
	s.ana("AttachRolePolicy", map[string]any{"roleName": "trainer", "policyArn": arn})
}

func (s *story) detach(arn string) {
	r := s.role("trainer")
	r.Attached = slices.DeleteFunc(slices.Clone(r.Attached), func(a string) bool { return a == arn })
	s.ana("DetachRolePolicy", map[string]any{"roleName": "trainer", "policyArn": arn})
}

func (s *story) put(name, document string) {
	r := s.role("trainer")
	r.Inline = slices.DeleteFunc(slices.Clone(r.Inline), func(p awssim.InlinePolicy) bool { return p.Name == name })
	r.Inline = append(r.Inline, awssim.InlinePolicy{Name: name, Document: document})
	s.ana("PutRolePolicy", map[string]any{"roleName": "trainer", "policyName": name, "policyDocument": document})
}

func (s *story) limit(arn string) {
	s.role("trainer").Boundary = arn
	if arn == "" {
		s.ana("DeleteRolePermissionsBoundary", map[string]any{"roleName": "trainer"})
		return
	}
	s.ana("PutRolePermissionsBoundary", map[string]any{"roleName": "trainer", "permissionsBoundary": arn})
}

func (s *story) trust(document string) {
	s.role("trainer").Trust = document
	s.ana("UpdateAssumeRolePolicy", map[string]any{"roleName": "trainer", "policyDocument": document})
}

// version makes a new default version of a managed policy.
func (s *story) version(arn, document string) {
	i := slices.IndexFunc(s.account.Policies, func(p awssim.ManagedPolicy) bool { return p.ARN == arn })
	p := &s.account.Policies[i]
	versions := slices.Clone(p.Versions)
	for k := range versions {
		versions[k].Default = false
	}
	p.Versions = append(versions, awssim.PolicyVersion{ID: fmt.Sprintf("v%d", len(versions)+1), Document: document, CreateDate: s.morning(), Default: true})
	p.UpdateDate = s.morning()
	if !strings.Contains(arn, ":aws:policy/") {
		s.ana("CreatePolicyVersion", map[string]any{"policyArn": arn, "setAsDefault": true})
	}
}

// storyDay is one named mutation of the account, and the one change it makes.
type storyDay struct {
	name    string
	mutate  func(*story)
	kind    report.ChangeKind // empty: a day on which nothing changed
	subject string
	effect  report.Effect
	cause   string // is in the cause
	event   string // made it, empty where none did
}

const wider = `{"Effect":"Allow","Action":["s3:PutObject"],"Resource":"arn:aws:s3:::data/*"}`

var theStory = []storyDay{
	{name: "nothing"},
	{"a wider managed policy attached", func(s *story) { s.attach(storyWide) }, report.PolicyAttached, storyWide, report.Widens, "AttachRolePolicy by arn:aws:iam::123456789012:user/ana", "AttachRolePolicy"},
	{name: "an inline policy reordered", mutate: func(s *story) {
		s.put("data", statements(`{"Effect":"Allow","Resource":["arn:aws:s3:::data"],"Action":["s3:ListBucket"]}`, allows("s3:GetObject", "arn:aws:s3:::data/*")))
	}},
	{"AWS moved a managed policy", func(s *story) {
		s.version(storyAWS, statements(allows("sagemaker:Describe*", "*"), allows("sagemaker:ListTags", "*")))
	}, report.AWSPolicyUpdated, storyAWS, report.Widens, "AWS published v2 on 2026-10-05", ""},
	{"a role re-created", func(s *story) {
		s.role("nightly").CreateDate = s.morning()
		s.ana("DeleteRole", map[string]any{"roleName": "nightly"})
		s.ana("CreateRole", map[string]any{"roleName": "nightly"})
	}, report.RoleRecreated, "nightly", report.NoEffect, "CreateRole by", "CreateRole"},
	{"a managed policy detached", func(s *story) { s.detach(storyWide) }, report.PolicyDetached, storyWide, report.Narrows, "DetachRolePolicy by", "DetachRolePolicy"},
	{"an inline policy added", func(s *story) { s.put("more", statements(wider)) }, report.PolicyAttached, "more", report.Widens, "PutRolePolicy by", "PutRolePolicy"},
	{"an inline policy widened", func(s *story) { s.put("more", statements(wider, allows("kms:Decrypt", "*"))) }, report.PolicyEdited, "more", report.Widens, "PutRolePolicy by", "PutRolePolicy"},
	{"an inline policy narrowed", func(s *story) { s.put("more", statements(wider)) }, report.PolicyEdited, "more", report.Narrows, "PutRolePolicy by", "PutRolePolicy"},
	{"a customer managed policy edited", func(s *story) {
		s.version(storyTeam, statements(allows("ecr:BatchGetImage", "*"), allows("logs:*", "*")))
	}, report.PolicyEdited, storyTeam, report.Widens, "CreatePolicyVersion by", "CreatePolicyVersion"},
	{name: "a customer managed policy reordered", mutate: func(s *story) {
		s.version(storyTeam, statements(allows("logs:*", "*"), allows("ecr:BatchGetImage", "*")))
	}},
	{"a boundary set", func(s *story) { s.limit(storyLimit) }, report.BoundarySet, storyLimit, report.Narrows, "PutRolePermissionsBoundary by", "PutRolePermissionsBoundary"},
	{"a boundary changed", func(s *story) { s.limit(storyLimitless) }, report.BoundaryChanged, storyLimit, report.Widens, "PutRolePermissionsBoundary by", "PutRolePermissionsBoundary"},
	{"a boundary removed", func(s *story) { s.limit("") }, report.BoundaryRemoved, storyLimitless, report.NoEffect, "DeleteRolePermissionsBoundary by", "DeleteRolePermissionsBoundary"},
	{"trust widened", func(s *story) { s.trust(trusting(bySageMaker, `{"AWS":"arn:aws:iam::999988887777:root"}`)) }, report.TrustWidened, "trust policy", report.Widens, "UpdateAssumeRolePolicy by", "UpdateAssumeRolePolicy"},
	{"trust narrowed", func(s *story) { s.trust(trusting(bySageMaker, `{"AWS":"arn:aws:iam::999988887777:role/ops"}`)) }, report.TrustNarrowed, "trust policy", report.Narrows, "UpdateAssumeRolePolicy by", "UpdateAssumeRolePolicy"},
	{"trust for others", func(s *story) { s.trust(trusting(bySageMaker, `{"Service":"lambda.amazonaws.com"}`)) }, report.TrustChanged, "trust policy", report.Both, "UpdateAssumeRolePolicy by", "UpdateAssumeRolePolicy"},
	{"a role created", func(s *story) {
		s.account.Roles = append(s.account.Roles, awssim.Role{Name: "fresh", CreateDate: s.morning(), Trust: trusting(bySageMaker), Attached: []string{storyTeam}})
		s.ana("CreateRole", map[string]any{"roleName": "fresh"})
	}, report.RoleCreated, "fresh", report.Widens, "CreateRole by", "CreateRole"},
	{"a role deleted", func(s *story) {
		s.account.Roles = slices.DeleteFunc(s.account.Roles, func(r awssim.Role) bool { return r.Name == "fresh" })
		s.ana("DeleteRole", map[string]any{"roleName": "fresh"})
	}, report.RoleDeleted, "fresh", report.Narrows, "DeleteRole by", "DeleteRole"},
	{"a new job", func(s *story) { s.job("tune-"+s.today.Format("2006-01-02"), storyImage, "s3://data/in/", s.morning()) }, report.NewJob, "tune-*", report.NoEffect, "Job tune-2026-10-21, started by ci/build", "CreateTrainingJob"},
	{"a new image", func(s *story) {
		s.job("train-"+s.today.Format("2006-01-02")+"-2", strings.Replace(storyImage, "/train:", "/other:", 1), "s3://data/in/", s.morning())
	}, report.NewImage, "123456789012.dkr.ecr.us-east-1.amazonaws.com/other", report.NoEffect, "Job train-2026-10-22-2", "CreateTrainingJob"},
	{"a new bucket", func(s *story) {
		s.job("train-"+s.today.Format("2006-01-02")+"-2", storyImage, "s3://elsewhere/in/", s.morning())
	}, report.NewBucket, "elsewhere", report.NoEffect, "Job train-2026-10-23-2", "CreateTrainingJob"},
	{"a first use", func(s *story) {
		s.call("trainer", "logs.amazonaws.com", "CreateLogStream", s.morning(), func(r *awssim.Record) {
			r.ReadOnly, r.RequestParameters = false, map[string]any{"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "train/algo-1"}
		})
	}, report.FirstUse, "logs:CreateLogStream", report.NoEffect, "Called in the session SageMaker, by training", "CreateLogStream"},
	{"a call denied", func(s *story) {
		s.call("trainer", "sqs.amazonaws.com", "CreateQueue", s.morning(), func(r *awssim.Record) {
			r.ReadOnly, r.ErrorCode = false, "AccessDenied"
			r.ErrorMessage = "User: arn:aws:sts::123456789012:assumed-role/trainer/SageMaker is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:123456789012:q because no identity-based policy allows the sqs:CreateQueue action"
		})
	}, report.NewlyDenied, "sqs:CreateQueue", report.NoEffect, "identity", "CreateQueue"},
	{"a person assumed the role", func(s *story) {
		s.record(awssim.Record{UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::" + storyAccount + ":user/bob", UserName: "bob", AccountID: storyAccount},
			EventSource: "sts.amazonaws.com", EventName: "AssumeRole", EventTime: s.morning(), ReadOnly: true,
			RequestParameters: map[string]any{"roleArn": s.account.RoleARN(s.role("trainer")), "roleSessionName": "debug"}})
	}, report.PersonAssumed, "bob", report.NoEffect, "AssumeRole by arn:aws:iam::123456789012:user/bob", "AssumeRole"},
	{"a use aged out", func(*story) {}, report.UseAgedOut, "ssm:GetParameter", report.NoEffect, "the window begins on 2026-07-29", ""},
	{"an inline policy removed", func(s *story) {
		r := s.role("trainer")
		r.Inline = slices.DeleteFunc(slices.Clone(r.Inline), func(p awssim.InlinePolicy) bool { return p.Name == "more" })
		s.ana("DeleteRolePolicy", map[string]any{"roleName": "trainer", "policyName": "more"})
	}, report.PolicyDetached, "more", report.Narrows, "DeleteRolePolicy by", "DeleteRolePolicy"},
	{name: catalogDay, mutate: func(s *story) { s.catalog = "catalogue 2" }},
	{name: "the trust policy in other words", mutate: func(s *story) { s.trust(trusting(`{"Service":["lambda.amazonaws.com"]}`, bySageMaker)) }},
	{name: "nothing again"},
}

const catalogDay = "the tool's catalogue is another"

// collected is what the collector finds in the account today.
func (s *story) collected(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	s.account.Now = s.today
	url, stop, err := awssim.New(s.account).Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	snap, err := collect.Collect(context.Background(), collect.Options{EndpointURL: url, StaticCredentials: true, Window: eventHistory, JobsWindow: 400 * day,
		Usage: collect.UsageLookup, Now: func() time.Time { return s.today }, InScope: analyze.TrustsSageMaker, Catalog: s.catalog})
	if err != nil {
		t.Fatal(err)
	}
	if !snap.Complete() {
		t.Fatalf("not complete: %+v", snap.Gaps)
	}
	return snap
}

func saved(t *testing.T, dir, name string, s *snapshot.Snapshot) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := snapshot.Write(f, s); err != nil {
		t.Fatal(err)
	}
	return path
}

// Thirty days, one named mutation of the account a day: each is told as the one change
// it is, with its cause; days without a change print nothing.
func TestDriftStory(t *testing.T) {
	if len(theStory) != 30 {
		t.Fatalf("the story has %d days", len(theStory))
	}
	told := map[report.ChangeKind]bool{}
	dir := t.TempDir()
	s := begin()
	before := saved(t, dir, "day-00", s.collected(t))
	for i, d := range theStory {
		s.today = s.today.AddDate(0, 0, 1)
		s.routine(s.today)
		if d.mutate != nil {
			d.mutate(s)
		}
		after := saved(t, dir, fmt.Sprintf("day-%02d", i+1), s.collected(t))
		t.Run(fmt.Sprintf("%02d %s", i+1, d.name), func(t *testing.T) {
			table, _ := audit(t, exitOK, "drift", before, after)
			text, _ := audit(t, exitOK, "drift", before, after, "-o", "json")
			if err := checkDriftSchema([]byte(text)); err != nil {
				t.Error(err)
			}
			var r report.DriftReport
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			if r.Drift.UnknownTotal > 0 {
				t.Errorf("not compared: %+v", r.Drift.Unknown)
			}
			if tool := d.name == catalogDay; tool != (len(r.Drift.Tool) == 1 && r.Drift.Tool[0].Kind == report.ToolCatalog) {
				t.Errorf("of the tool: %+v", r.Drift.Tool)
			} else if tool {
				if !strings.Contains(table, "Of the tool, not of the account") || r.Drift.ChangesTotal > 0 {
					t.Errorf("told as the account's:\n%s", table)
				}
				return
			}
			if d.kind == "" {
				if table != "" || r.Drift.ChangesTotal > 0 {
					t.Errorf("a day without a change:\n%s", table)
				}
				return
			}
			if len(r.Drift.Changes) != 1 {
				t.Fatalf("%d changes:\n%s", len(r.Drift.Changes), table)
			}
			c := r.Drift.Changes[0]
			told[c.Kind] = true
			if c.Kind != d.kind || c.Subject != d.subject || c.Effect != d.effect || !strings.Contains(c.Cause, d.cause) {
				t.Errorf("want %s of %s that %s, because %q; got:\n%s", d.kind, d.subject, d.effect, d.cause, table)
			}
			switch {
			case d.event == "" && c.By != nil:
				t.Errorf("somebody did it: %+v", c.By)
			case d.event != "" && (c.By == nil || c.By.EventName != d.event || c.By.EventID == "" || c.By.At.IsZero()):
				t.Errorf("by %+v, want %s", c.By, d.event)
			}
			if !strings.Contains(table, c.Title[:20]) {
				t.Errorf("the table lacks %q:\n%s", c.Title, table)
			}
		})
		before = after
	}
	for _, k := range report.ChangeKinds {
		if !told[k] {
			t.Errorf("the story has no %s", k)
		}
	}
	if len(told) != len(report.ChangeKinds) {
		t.Errorf("the story tells %d kinds, there are %d", len(told), len(report.ChangeKinds))
	}
}
