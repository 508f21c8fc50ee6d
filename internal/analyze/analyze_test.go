package analyze

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	account = "123456789012"
	roleID  = "AROAEXAMPLE"
	roleARN = "arn:aws:iam::123456789012:role/service-role/trainer"
)

var now = time.Date(2026, 10, 31, 12, 0, 0, 0, time.UTC)

const trustSageMaker = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}}`

// world is a complete snapshot of one region, to be changed by a test.
func world(policies ...string) *snapshot.Snapshot {
	w := snapshot.Window{From: now.AddDate(0, 0, -90), To: now.Add(-15 * time.Minute)}
	s := &snapshot.Snapshot{
		TakenAt: now, Account: snapshot.Account{ID: account, Partition: "aws"}, Window: w,
		JobsWindow: snapshot.Window{From: now.AddDate(0, 0, -400), To: now},
		Regions:    snapshot.Regions{Read: []string{"us-east-1"}, Enabled: []string{"us-east-1"}},
		Asked:      snapshot.Asked{Usage: "lookup"},
		Coverage: []snapshot.Coverage{{Source: snapshot.SourceLookup, Region: "us-east-1", EventClasses: []string{"management"},
			Scope: snapshot.ScopeAll, Asked: w, Covered: w, Complete: true}},
	}
	r := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: roleARN, ID: roleID}, Name: "trainer", Path: "/service-role/",
		CreatedAt: now.AddDate(-2, 0, 0), Trust: trustSageMaker}
	for i, p := range policies {
		r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: fmt.Sprintf("inline%d", i), Document: p})
	}
	s.Roles = []snapshot.Role{r}
	s.Accessed = []snapshot.Accessed{{RoleKey: r.RoleKey, At: now, Never: everyService()}}
	return s
}

// everyService lists the prefixes of the catalogue.
var everyService = sync.OnceValue(func() []string {
	set := map[string]struct{}{}
	c := actions.Load()
	for i := range c.Len() {
		set[c.Service(i)] = struct{}{}
	}
	return sorted(set)
})

func allow(action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, action, resource)
}

func use(source, name, errorCode string) snapshot.Usage {
	at := now.AddDate(0, 0, -3)
	return snapshot.Usage{UseKey: snapshot.UseKey{Role: snapshot.RoleKey{ARN: roleARN, ID: roleID}, EventSource: source, EventName: name,
		Region: "us-east-1", ErrorCode: errorCode, Who: snapshot.Who{Session: "SageMaker"}},
		Count: 1, First: at, Last: at, LastEventID: "e-" + name, Source: snapshot.SourceLookup}
}

func completedJob(name string) snapshot.Job {
	return snapshot.Job{Name: name, ARN: "arn:aws:sagemaker:us-east-1:123456789012:training-job/" + name, Region: "us-east-1", RoleARN: roleARN,
		Status: "Completed", CreatedAt: now.AddDate(0, 0, -3), EndedAt: now.AddDate(0, 0, -2),
		Image:    "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1",
		Channels: []snapshot.Channel{{Name: "train", DataType: "S3Prefix", URI: "s3://data/in/"}},
		Output:   snapshot.S3Output{URI: "s3://data/out/"}, Artifact: "s3://data/out/" + name + "/output/model.tar.gz"}
}

func analyzed(t testing.TB, s *snapshot.Snapshot) *report.Report {
	t.Helper()
	r, err := Analyze(s, Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// verdictOf finds an action's verdict in what the report says of a role.
func verdictOf(r *report.Role, action string) report.Verdict {
	in := func(u report.Unseen) bool {
		for service, s := range u.Services {
			if service == serviceOf(action) && (s.All || slices.Contains(s.Actions, action)) {
				return true
			}
		}
		return false
	}
	for _, u := range r.Used {
		if u.Action == action {
			return u.Verdict
		}
	}
	switch {
	case in(r.Unused):
		return report.VerdictUnused
	case in(r.Unobservable):
		return report.VerdictUnobservable
	}
	for _, q := range r.Required {
		if q.Action == action {
			return q.Verdict
		}
	}
	for _, d := range r.Denied {
		if d.Action == action {
			return d.Verdict
		}
	}
	return ""
}

func TestVerdicts(t *testing.T) {
	const (
		ecr  = "ecr.amazonaws.com"
		logs = "logs.amazonaws.com"
		sqs  = "sqs.amazonaws.com"
	)
	denied := func(u snapshot.Usage, d snapshot.Denial) snapshot.Usage { u.Denial = d; return u }
	for _, tt := range []struct {
		name    string
		policy  string
		change  func(*snapshot.Snapshot)
		action  string
		verdict report.Verdict
	}{
		{"seen", allow("ecr:*", "*"), func(s *snapshot.Snapshot) { s.Usage = append(s.Usage, use(ecr, "GetAuthorizationToken", "")) }, "ecr:GetAuthorizationToken", report.VerdictUsed},
		{"seen, answered with an error that came after authorisation", allow("ecr:*", "*"), func(s *snapshot.Snapshot) {
			s.Usage = append(s.Usage, use(ecr, "DescribeRepositories", "RepositoryNotFoundException"))
		}, "ecr:DescribeRepositories", report.VerdictUsed},
		{"not seen", allow("ecr:*", "*"), nil, "ecr:DeleteRepository", report.VerdictUnused},
		{"needed", allow("ecr:*", "*"), func(s *snapshot.Snapshot) { s.Jobs = []snapshot.Job{completedJob("a")} }, "ecr:GetAuthorizationToken", report.VerdictRequired},
		{"a data event", allow("s3:*", "*"), nil, "s3:GetObject", report.VerdictUnobservable},
		{"never logged", allow("logs:*", "*"), nil, "logs:PutLogEvents", report.VerdictUnobservable},
		{"PassRole", allow("iam:*", "*"), nil, "iam:PassRole", report.VerdictUnobservable},
		{"throttled only", allow("ecr:*", "*"), func(s *snapshot.Snapshot) {
			s.Usage = append(s.Usage, use(ecr, "DescribeRepositories", "ThrottlingException"))
		},
			"ecr:DescribeRepositories", report.VerdictUnobservable},
		{"refused here, granted elsewhere", allow("sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:a"), func(s *snapshot.Snapshot) {
			s.Usage = append(s.Usage, denied(use(sqs, "CreateQueue", "AccessDenied"), snapshot.Denial{Action: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:123456789012:b", Layer: "identity"}))
		}, "sqs:CreateQueue", report.VerdictUnobservable},
		{"refused by the organization", allow("sqs:*", "*"), func(s *snapshot.Snapshot) {
			s.Usage = append(s.Usage, denied(use(sqs, "CreateQueue", "AccessDenied"), snapshot.Denial{Action: "sqs:CreateQueue", Layer: "scp", Explicit: true}))
		}, "sqs:CreateQueue", report.VerdictBlocked},
		{"refused and not granted", allow("ecr:*", "*"), func(s *snapshot.Snapshot) {
			s.Usage = append(s.Usage, denied(use(sqs, "CreateQueue", "AccessDenied"), snapshot.Denial{Action: "sqs:CreateQueue", Layer: "identity"}))
		}, "sqs:CreateQueue", report.VerdictRefused},
		{"used and not granted", allow("ecr:*", "*"), func(s *snapshot.Snapshot) { s.Usage = append(s.Usage, use(sqs, "CreateQueue", "")) }, "sqs:CreateQueue", report.VerdictForeign},
		{"needed and not granted, the job completed", allow("ecr:*", "*"), func(s *snapshot.Snapshot) { s.Jobs = []snapshot.Job{completedJob("a")} }, "s3:GetObject", report.VerdictContradicted},
		{"needed and not granted, the job failed", allow("ecr:*", "*"), func(s *snapshot.Snapshot) {
			j := completedJob("a")
			j.Status, j.Artifact = "Failed", ""
			s.Jobs = []snapshot.Job{j}
		}, "s3:GetObject", report.VerdictMissing},
		{"needed by a failed job only", allow("s3:*", "*"), func(s *snapshot.Snapshot) {
			j := completedJob("a")
			j.Status, j.Artifact = "Failed", ""
			s.Jobs = []snapshot.Job{j}
		}, "s3:PutObject", report.VerdictUnobservable},
		{"needed, on another bucket than granted", allow("s3:GetObject", "arn:aws:s3:::other/*"), func(s *snapshot.Snapshot) {
			j := completedJob("a")
			j.Status, j.Artifact = "Failed", ""
			s.Jobs = []snapshot.Job{j}
		}, "s3:ListBucket", report.VerdictMissing},
		{"an action that no catalogue has", allow("ecr:*", "*"), func(s *snapshot.Snapshot) { s.Usage = append(s.Usage, use(ecr, "FutureCall", "")) }, "ecr:FutureCall", report.VerdictUsed},
		{"KMS shows the object that was read", allow("*", "*"), func(s *snapshot.Snapshot) {
			u := use("kms.amazonaws.com", "Decrypt", "")
			u.Params.S3ARN = "arn:aws:s3:::data/in/part-1"
			s.Usage = append(s.Usage, u)
		}, "s3:GetObject", report.VerdictUsed},
		{"the trainer's creator was refused for the trainer", allow("s3:ListBucket", "arn:aws:s3:::other"), func(s *snapshot.Snapshot) {
			u := use("sagemaker.amazonaws.com", "CreateTrainingJob", "ValidationException")
			u.Role, u.Caller = snapshot.RoleKey{}, "arn:aws:iam::123456789012:user/alice"
			u.Params.RoleARN = roleARN
			s.Usage = append(s.Usage, denied(u, snapshot.Denial{Action: "s3:ListBucket", Resource: "arn:aws:s3:::data", Layer: "identity"}))
		}, "s3:ListBucket", report.VerdictUnobservable},
		{"another role of the same name did it", allow("sqs:*", "*"), func(s *snapshot.Snapshot) {
			u := use(sqs, "CreateQueue", "")
			u.Role.ID = "AROAFORMER"
			s.Usage = append(s.Usage, u)
		}, "sqs:CreateQueue", report.VerdictUnused},

		// Where the evidence has a hole nothing is unused.
		{"usage not asked for", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Asked.Usage = "none" }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"a region left out", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Regions.Enabled = []string{"eu-west-1", "us-east-1"} }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"regions unknown", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Regions.Enabled = nil }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"a window cut short", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Coverage[0].Covered.From = s.Window.From.Add(time.Hour) }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"coverage incomplete", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Coverage[0].Complete = false }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"only one event name read", allow("sqs:*", "*"), func(s *snapshot.Snapshot) { s.Coverage[0].Scope = "EventName=CreateTrainingJob" }, "sqs:CreateQueue", report.VerdictUnobservable},
		{"another policy does not parse", allow("sqs:*", "*"), func(s *snapshot.Snapshot) {
			s.Roles[0].Inline = append(s.Roles[0].Inline, snapshot.InlinePolicy{Name: "broken", Document: `{"Statement":[`})
		}, "sqs:CreateQueue", report.VerdictUnobservable},
		{"an attached policy was not read", allow("sqs:*", "*"), func(s *snapshot.Snapshot) {
			s.Roles[0].Attached = []snapshot.AttachedPolicy{{Name: "x", ARN: "arn:aws:iam::123456789012:policy/x"}}
		}, "sqs:CreateQueue", report.VerdictUnobservable},
		{"the boundary was not read", allow("sqs:*", "*"), func(s *snapshot.Snapshot) {
			s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/x"
		}, "sqs:CreateQueue", report.VerdictUnobservable},
	} {
		s := world(tt.policy)
		if tt.change != nil {
			tt.change(s)
		}
		r := analyzed(t, s)
		if got := verdictOf(r.Role(roleARN), tt.action); got != tt.verdict {
			t.Errorf("%s: %s is %q, want %q", tt.name, tt.action, got, tt.verdict)
		}
	}
}

func TestIncarnations(t *testing.T) {
	s := world(allow("ecr:*", "*"))
	s.Roles[0].CreatedAt = now.AddDate(0, 0, -10)
	old, young := completedJob("old"), completedJob("young")
	old.CreatedAt = now.AddDate(0, 0, -20)
	s.Jobs = []snapshot.Job{old, young}
	u := use("ecr.amazonaws.com", "DescribeRepositories", "")
	u.Role.ID = "AROAFORMER"
	s.Usage = []snapshot.Usage{u}
	r := analyzed(t, s)
	if len(r.Roles) != 2 {
		t.Fatalf("%d roles, want the present one and its former", len(r.Roles))
	}
	for _, role := range r.Roles {
		want := map[string]string{roleID: "young", "AROAFORMER": "old"}[role.ID]
		if len(role.Jobs.Names) != 1 || role.Jobs.Names[0] != want || role.Exists != (role.ID == roleID) {
			t.Errorf("role %s (exists %v) has jobs %v, want %s", role.ID, role.Exists, role.Jobs.Names, want)
		}
	}
}

func TestGoneAndUnread(t *testing.T) {
	s := world()
	s.Roles = nil
	s.Jobs = []snapshot.Job{completedJob("a")}
	r := analyzed(t, s)
	if role := r.Role(roleARN); role == nil || role.Exists || role.Readiness != report.Blocked || role.Granted.Effective != 0 {
		t.Errorf("a role that IAM does not have: %+v", role)
	}
	if i := slices.IndexFunc(r.Findings, func(f report.Finding) bool { return f.Rule == "role-gone" }); i < 0 {
		t.Error("no finding says that the role is gone")
	}
	s.Account.ID = "999999999999"
	if role := analyzed(t, s).Role(roleARN); !role.Exists {
		t.Error("another account's role is called gone")
	}
	s.Account.ID = account
	for _, tt := range []struct {
		source, scope string
		exists        bool
	}{
		{"iam:GetRole", roleARN, true},
		{"iam:GetRole", "trainer", true},
		{"iam:GetRole", "12 roles from another", true},
		{"iam:GetAccountAuthorizationDetails", "", true},
		{"iam:GetRole", "another", false},
		{"iam:ListRoles", "", false},
		{"iam:GetPolicy", "arn:aws:iam::123456789012:policy/p", false},
	} {
		s.Gaps = []snapshot.Gap{{Source: tt.source, Scope: tt.scope, Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonRefused}}
		r = analyzed(t, s)
		if role := r.Role(roleARN); role.Exists != tt.exists || r.Complete {
			t.Errorf("%s %s refused: exists %v, complete %v", tt.source, tt.scope, role.Exists, r.Complete)
		}
		if gone := slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Rule == "role-gone" }); gone == tt.exists {
			t.Errorf("%s %s refused: role-gone %v", tt.source, tt.scope, gone)
		}
	}
}

func TestBoundaryBlocksANeed(t *testing.T) {
	s := world(allow("*", "*"))
	s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
	s.Policies = []snapshot.ManagedPolicy{{ARN: s.Roles[0].Boundary, Name: "limit", Version: "v1", Document: allow("ecr:*", "*")}}
	j := completedJob("a")
	j.Status, j.Artifact = "Failed", ""
	s.Jobs = []snapshot.Job{j}
	r := analyzed(t, s)
	role := r.Role(roleARN)
	if got := verdictOf(role, "s3:GetObject"); got != report.VerdictBlocked {
		t.Errorf("s3:GetObject is %q, want blocked", got)
	}
	if role.Granted.Effective >= role.Granted.Identity || role.Layers.Boundary != "read" {
		t.Errorf("effective %d, identity %d, boundary %s", role.Granted.Effective, role.Granted.Identity, role.Layers.Boundary)
	}
	if !slices.ContainsFunc(r.Findings, func(f report.Finding) bool { return f.Rule == "blocked-permission" && f.Subject == "s3:GetObject" }) {
		t.Error("no finding says what the boundary blocks")
	}
	s.Policies = nil
	if role = analyzed(t, s).Role(roleARN); role.Layers.Boundary != "notRead" {
		t.Errorf("a boundary that was not read is %q", role.Layers.Boundary)
	}
}

func TestAnotherAccountsRepository(t *testing.T) {
	s := world(allow("ecr:*", "*"), allow("s3:*", "*"), allow("logs:*", "*"))
	j := completedJob("a")
	j.Image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3"
	s.Jobs = []snapshot.Job{j}
	if got := verdictOf(analyzed(t, s).Role(roleARN), "ecr:BatchGetImage"); got != report.VerdictRequired {
		t.Errorf("ecr:BatchGetImage on AWS's repository is %q: its policy was not read, so it refuses nothing", got)
	}
}

// TestReferenceIsNeverExceeded: within the four areas the proposal names no
// action and no kind of resource beyond the customer's table.
func TestReferenceIsNeverExceeded(t *testing.T) {
	s := world(allow("*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a"), completedJob("b")}
	p := analyzed(t, s).Role(roleARN).Proposal
	if p.Proof.Status != statusPartial || len(p.Proof.Reasons) == 0 {
		t.Errorf("status %q, reasons %v", p.Proof.Status, p.Proof.Reasons)
	}
	table := map[string]string{
		"s3:GetObject": "arn:aws:s3:::data/*", "s3:PutObject": "arn:aws:s3:::data/*", "s3:ListBucket": "arn:aws:s3:::data",
		"ecr:GetDownloadUrlForLayer": "*", "ecr:BatchGetImage": "*", "ecr:BatchCheckLayerAvailability": "*", "ecr:GetAuthorizationToken": "*",
		"logs:CreateLogGroup": "arn:aws:logs:*:*:log-group:/aws/sagemaker/*", "logs:CreateLogStream": "arn:aws:logs:*:*:log-group:/aws/sagemaker/*",
		"logs:PutLogEvents": "arn:aws:logs:*:*:log-group:/aws/sagemaker/*",
	}
	d, err := policy.Parse(p.Policies[0].Document)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i, st := range d.Statements() {
		beyond := strings.HasPrefix(p.Statements[i].Because[0], "beyond the reference")
		for _, action := range st.Actions {
			seen[action] = true
			if beyond != (action == "logs:DescribeLogStreams" || action == "cloudwatch:PutMetricData") {
				t.Errorf("%s is marked beyond the reference: %v", action, beyond)
			}
			for _, r := range st.Resources {
				if !beyond && !policy.Includes(table[action], r) {
					t.Errorf("%s on %s is not within the table's %q", action, r, table[action])
				}
			}
		}
	}
	for action := range table {
		if !seen[action] {
			t.Errorf("%s is not proposed", action)
		}
	}
}

// randomWorld draws a snapshot in which matches are frequent.
func randomWorld(r *rand.Rand) *snapshot.Snapshot {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var docs []string
	for range 1 + r.IntN(3) {
		condition := ""
		if r.IntN(4) == 0 {
			condition = fmt.Sprintf(`,"Condition":{%q:{%q:"x"}}`, pick("StringEquals", "StringLike"), pick("aws:SourceVpc", "s3:ExistingObjectTag/a", "aws:PrincipalTag/t"))
		}
		docs = append(docs, fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,%q:%q,%q:%q%s}]}`,
			pick("Allow", "Allow", "Allow", "Deny"), pick("Action", "Action", "Action", "NotAction"), pick("*", "s3:*", "s3:Get*", "ecr:*", "logs:*", "iam:*", "s3:PutObject"),
			pick("Resource", "Resource", "NotResource"), pick("*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/in/*", "arn:aws:s3:::data", "arn:aws:ecr:*:*:repository/*", "arn:aws:logs:*"), condition))
	}
	s := world(docs...)
	if r.IntN(3) == 0 {
		s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
		s.Policies = []snapshot.ManagedPolicy{{ARN: s.Roles[0].Boundary, Name: "limit", Version: "v1", Document: allow(pick("*", "s3:*", "ecr:*"), "*")}}
	}
	for i := range r.IntN(6) {
		j := completedJob(fmt.Sprintf("job-%d", i))
		j.Status = pick("Completed", "Completed", "Failed", "InProgress", "Stopped")
		j.Channels[0].URI = pick("s3://data/in/", "s3://data/2026-10-01/", "s3://other/x", "s3://data")
		j.CreatedAt = j.CreatedAt.Add(time.Duration(i) * time.Hour)
		s.Jobs = append(s.Jobs, j)
	}
	for range r.IntN(12) {
		u := use(pick("s3.amazonaws.com", "ecr.amazonaws.com", "logs.amazonaws.com", "iam.amazonaws.com"),
			pick("GetBucketLocation", "DescribeRepositories", "CreateLogStream", "ListRoles", "PutRolePolicy", "NoSuchCall"),
			pick("", "", "", "AccessDenied", "ThrottlingException", "NoSuchBucket"))
		u.Params.BucketName = pick("", "data", "other")
		if u.ErrorCode == "AccessDenied" {
			u.Denial.Layer = pick("", "identity", "boundary", "scp", "resource")
		}
		s.Usage = append(s.Usage, u)
	}
	s.Sort()
	return s
}

func TestRandomWorlds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		s := randomWorld(r)
		full := analyzed(t, s)
		sumLaw(t, full)
		withinGrant(t, i, s, full)

		// Taking evidence away never makes anything unused.
		before := unusedActions(full)
		s.Regions.Enabled = append(s.Regions.Enabled, "zz-region-1")
		for action := range unusedActions(analyzed(t, s)) {
			if !actions.RecordedAtHome(serviceOf(action)) {
				t.Fatalf("world %d: %s is unused although a region was not read", i, action)
			}
		}
		s.Regions.Enabled = s.Regions.Enabled[:1]
		// Adding a use never makes another action unused, and never unmakes a use.
		s.Usage = append(s.Usage, use("ecr.amazonaws.com", "GetAuthorizationToken", ""))
		s.Sort()
		more := analyzed(t, s)
		for action := range unusedActions(more) {
			if !before[action] {
				t.Fatalf("world %d: more evidence made %s unused", i, action)
			}
		}
		for _, u := range full.Roles[0].Used {
			if v := verdictOf(&more.Roles[0], u.Action); v != u.Verdict {
				t.Fatalf("world %d: more evidence turned %s from %s to %s", i, u.Action, u.Verdict, v)
			}
		}
	}
}

func sumLaw(t *testing.T, r *report.Report) {
	t.Helper()
	var sum report.Counts
	for _, role := range r.Roles {
		c := role.Counts
		if c.Granted != role.Granted.Effective || c.Granted != c.Used+c.Required+c.Blocked+c.Unused+c.Unobservable ||
			c.Unused != role.Unused.Count || c.Unobservable != role.Unobservable.Count || role.Granted.Conditional > c.Granted {
			t.Fatalf("the sum law does not hold for %s: %+v, %+v", role.ARN, c, role.Granted)
		}
		sum.Add(c)
	}
	if sum != r.Summary.Counts {
		t.Fatalf("the summary %+v is not the sum of the roles %+v", r.Summary.Counts, sum)
	}
}

// withinGrant: whatever is proposed is granted today, and every Deny is kept.
func withinGrant(t *testing.T, world int, s *snapshot.Snapshot, r *report.Report) {
	t.Helper()
	for _, role := range r.Roles {
		if role.Proposal == nil || len(role.Proposal.Policies) == 0 {
			continue
		}
		var today []policy.Policy
		denies := 0
		for _, p := range s.Roles[0].Inline {
			d, err := policy.Parse([]byte(p.Document))
			if err != nil {
				t.Fatal(err)
			}
			today = append(today, policy.Policy{Layer: policy.LayerIdentity, Name: p.Name, Document: d})
			for _, st := range d.Statements() {
				if st.Effect == policy.Deny {
					denies++
				}
			}
		}
		stack := policy.Stack{Identity: today}
		d, err := policy.Parse(role.Proposal.Policies[0].Document)
		if err != nil {
			t.Fatalf("world %d: the proposal does not parse: %v", world, err)
		}
		for _, st := range d.Statements() {
			if st.Effect == policy.Deny {
				denies--
				continue
			}
			if st.NotResource {
				if !slices.ContainsFunc(today, func(p policy.Policy) bool {
					return slices.ContainsFunc(p.Document.Statements(), func(q *policy.Statement) bool {
						return q.Effect == policy.Allow && q.NotResource && slices.Equal(q.Resources, st.Resources)
					})
				}) {
					t.Fatalf("world %d: a NotResource that no policy of today has: %v", world, st.Resources)
				}
				continue
			}
			for _, action := range st.Actions {
				for _, pattern := range st.Resources {
					if a := stack.Access(policy.Principal{ARN: roleARN, Account: account}, action, pattern, policy.Offline(policy.Facts{})); a.Identity == policy.No {
						t.Fatalf("world %d: %s on %s is proposed and not granted today:\n%s", world, action, pattern, role.Proposal.Policies[0].Document)
					}
				}
			}
		}
		if denies != 0 {
			t.Fatalf("world %d: %d Deny statements were not kept", world, denies)
		}
	}
}

func unusedActions(r *report.Report) map[string]bool {
	out := map[string]bool{}
	for _, role := range r.Roles {
		for service, s := range role.Unused.Services {
			if s.All {
				out[service+":*"] = true
			}
			for _, action := range s.Actions {
				out[action] = true
			}
		}
	}
	return out
}

func TestDeterministicAndPure(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		s := randomWorld(r)
		before, _ := json.Marshal(s)
		first, _ := json.Marshal(analyzed(t, s))
		second, _ := json.Marshal(analyzed(t, s))
		if string(first) != string(second) {
			t.Fatal("the same snapshot gave two reports")
		}
		if after, _ := json.Marshal(s); string(before) != string(after) {
			t.Fatal("Analyze changed the snapshot")
		}
	}
}

func TestAnalyzeRefusesATimelessSnapshot(t *testing.T) {
	if _, err := Analyze(new(snapshot.Snapshot), Options{}); err == nil {
		t.Error("no error for a snapshot without a time")
	}
}
