package collect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// sameCalls holds the calls of a snapshot against what the server saw.
func sameCalls(t *testing.T, server *awssim.Server, s *snapshot.Snapshot) {
	t.Helper()
	seen := make(map[string]int)
	for _, c := range server.Counts() {
		seen[c.Operation] += c.Requests
	}
	if d := cmp.Diff(seen, s.Calls); d != "" {
		t.Errorf("calls (-server +snapshot):\n%s", d)
	}
	if v := server.Violations(); len(v) > 0 {
		t.Errorf("the server refused %v", v)
	}
}

func calls(s *snapshot.Snapshot, prefix string) int {
	n := 0
	for operation, c := range s.Calls {
		if strings.HasPrefix(operation, prefix) {
			n += c
		}
	}
	return n
}

func TestSampleAccount(t *testing.T) {
	server, o := serve(t, awssim.Sample())
	s := collected(t, o)
	sameCalls(t, server, s)
	// Another account does not show the policy of its bucket.
	if d := cmp.Diff([]string{opBucketPolicy + " us-east-1 arn:aws:s3:::retail-ml-market-data detail refused"}, gapsOf(s)); d != "" || !s.Complete() {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if n := len(s.Resources); n != 26+4 || s.Calls[opBucketPolicy] != 27 || s.Calls[opKeyPolicy] != 4 || s.Calls[opDescribeKey] != 1 {
		t.Errorf("%d policies of resources, calls %v", n, s.Calls)
	}
	if len(s.Jobs) < 100 || len(s.Roles) < 10 || len(s.Usage) < 100 {
		t.Errorf("%d jobs, %d roles, %d groups of calls", len(s.Jobs), len(s.Roles), len(s.Usage))
	}
	text := written(t, s)
	for _, secret := range []string{awssim.SampleSecret, "SECRET-MUST-NOT-LEAK"} {
		if i := strings.Index(text, secret); i >= 0 {
			t.Errorf("the snapshot holds a secret: ...%s...", text[max(0, i-200):i+len(secret)])
		}
	}
	if !slices.ContainsFunc(s.Jobs, func(j snapshot.Job) bool { return j.RemoteDebug }) {
		t.Error("no job with remote debugging: only DescribeTrainingJob shows it")
	}
}

func TestSmallAccount(t *testing.T) {
	server, o := serve(t, small(3))
	var told []Status
	o.Progress = func(s Status) { told = append(told, s) }
	s := collected(t, o)
	sameCalls(t, server, s)

	trainer := snapshot.Role{
		RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/service-role/trainer", ID: s.Roles[1].ID},
		Name:    "trainer", Path: "/service-role/", CreatedAt: now.Add(-500 * day), Trust: trustsSageMaker,
		Inline: []snapshot.InlinePolicy{{Name: "data", Document: `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a+b/c d%2F"}]}`}},
		Attached: []snapshot.AttachedPolicy{
			{Name: "local", ARN: "arn:aws:iam::123456789012:policy/team/local"}, {Name: "ReadOnlyAccess", ARN: "arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		Boundary: "arn:aws:iam::aws:policy/PowerUserAccess",
		Tags:     []snapshot.Tag{{Key: "env", Value: "prod"}, {Key: "team", Value: "ml"}},
		LastUsed: snapshot.LastUsed{At: now.Add(-day), Region: "us-east-1"},
	}
	idle := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/idle", ID: s.Roles[0].ID},
		Name: "idle", Path: "/", CreatedAt: now.Add(-100 * day), Trust: trustsSageMaker}
	if d := cmp.Diff([]snapshot.Role{idle, trainer}, s.Roles); d != "" {
		t.Errorf("roles (-want +got):\n%s", d)
	}
	policies := []snapshot.ManagedPolicy{
		{ARN: "arn:aws:iam::123456789012:policy/team/local", Name: "local", Version: "v2", Document: `{"c":2}`, UpdatedAt: now.Add(-9 * day)},
		{ARN: "arn:aws:iam::aws:policy/PowerUserAccess", Name: "PowerUserAccess", Version: "v5", Document: `{"b":5}`, UpdatedAt: now.Add(-9 * day)},
		{ARN: "arn:aws:iam::aws:policy/ReadOnlyAccess", Name: "ReadOnlyAccess", Version: "v7", Document: `{"a":7}`, UpdatedAt: now.Add(-9 * day)},
	}
	if d := cmp.Diff(policies, s.Policies); d != "" {
		t.Errorf("policies (-want +got):\n%s", d)
	}
	created := now.Add(-time.Hour)
	newest := snapshot.Job{
		Name: "job-00000", ARN: "arn:aws:sagemaker:us-east-1:123456789012:training-job/job-00000", Region: "us-east-1",
		RoleARN: trainer.ARN, Status: "Completed", SecondaryStatus: "Completed",
		CreatedAt: created, StartedAt: created.Add(time.Minute), EndedAt: created.Add(20 * time.Minute), ModifiedAt: created.Add(20 * time.Minute),
		Image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1.0", InputMode: "File",
		Channels: []snapshot.Channel{{Name: "train", DataType: "S3Prefix", URI: "s3://data/train/"}},
		Output:   snapshot.S3Output{URI: "s3://models/out"}, Artifact: "s3://models/out/job-00000/output/model.tar.gz",
		S3Values:  []snapshot.S3Value{{Field: "HyperParameters", Key: "sagemaker_submit_directory", URI: "s3://code/source.tar.gz"}},
		Described: true, RemoteDebug: true,
	}
	if d := cmp.Diff(newest, s.Jobs[2]); d != "" {
		t.Errorf("newest job (-want +got):\n%s", d)
	}
	// Jobs of one shape: the newest alone is described.
	if s.Jobs[0].Described || s.Calls["sagemaker:DescribeTrainingJob"] != 1 {
		t.Errorf("described: oldest %v, %d calls", s.Jobs[0].Described, s.Calls["sagemaker:DescribeTrainingJob"])
	}
	resources := []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::code", Region: "us-east-1"}, {ARN: "arn:aws:s3:::data", Region: "us-east-1", Document: `{"d":1}`}, {ARN: "arn:aws:s3:::models", Region: "us-east-1"}}
	if d := cmp.Diff(resources, s.Resources); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
	if n := len(s.Usage); n != 3+1 {
		t.Errorf("%d groups of calls, want one for each repository and that of a job", n)
	}
	for _, source := range []string{snapshot.SourceRegions, snapshot.SourceTrainingJobs, snapshot.SourceRoles, snapshot.SourceLookup,
		snapshot.SourceTrails, snapshot.SourceLastAccessed, snapshot.SourceBuckets} {
		if !slices.ContainsFunc(told, func(st Status) bool { return st.Source == source && st.Done && st.Items > 0 }) {
			t.Errorf("no progress told of %s", source)
		}
	}
	for _, c := range s.Coverage {
		if !c.Complete || c.Asked != c.Covered {
			t.Errorf("coverage %+v", c)
		}
	}
}

// The order of pages and items is AWS's, that of a snapshot ours.
func TestOrderDoesNotMatter(t *testing.T) {
	account := awssim.Sample()
	read := func(configure func(*awssim.Behaviour)) string {
		server, o := serve(t, account)
		server.Configure(configure)
		s := collected(t, o)
		clear(s.Calls) // page sizes differ
		return written(t, s)
	}
	want := read(func(*awssim.Behaviour) {})
	for seed := range uint64(4) {
		got := read(func(b *awssim.Behaviour) {
			b.Shuffle, b.AnyOrder = seed+1, seed%2 == 0
			b.PageCaps = map[string]int{"cloudtrail:LookupEvents": 37, "sagemaker:Search": 41, "iam:GetAccountAuthorizationDetails": 3}
		})
		// The events read twice by nobody: the items of coverage stay the same too.
		if got != want {
			t.Errorf("seed %d: another snapshot\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// A list that moves under its reader shows items twice: they count once.
func TestOverlappingPages(t *testing.T) {
	account := small(120)
	_, o := serve(t, account)
	want := collected(t, o)
	server, o := serve(t, account)
	server.Configure(func(b *awssim.Behaviour) { b.Overlap = true })
	got := collected(t, o)
	if d := cmp.Diff([]any{want.Usage, want.Jobs}, []any{got.Usage, got.Jobs}); d != "" {
		t.Errorf("-plain +overlapping:\n%s", d)
	}
}

func TestThousandRoles(t *testing.T) {
	a := small(1)
	for i := range 1000 {
		name := fmt.Sprintf("role-%04d", i)
		policy := fmt.Sprintf("arn:aws:iam::123456789012:policy/p%03d", i%300)
		a.Roles = append(a.Roles, awssim.Role{Name: name, CreateDate: now.Add(-day), Trust: trustsSageMaker, Attached: []string{policy}})
		if i < 300 {
			a.Policies = append(a.Policies, awssim.ManagedPolicy{ARN: policy, CreateDate: now.Add(-day), UpdateDate: now.Add(-day),
				Versions: []awssim.PolicyVersion{{ID: "v1", Document: `{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`}}})
		}
	}
	server, o := serve(t, a)
	s := collected(t, o)
	sameCalls(t, server, s)
	accessed := s.Calls[opGenerate] + s.Calls[opAccessed]
	if n := calls(s, "iam:") - accessed; n != 4 {
		t.Errorf("%d IAM calls for 1,000 roles, want 4", n)
	}
	if n := len(s.Roles); accessed != 2*n || len(s.Accessed) != n {
		t.Errorf("%d calls for the last accessed details of %d roles, %d told", accessed, n, len(s.Accessed))
	}
	if len(s.Roles) != 1002 || len(s.Policies) != 303 {
		t.Errorf("%d roles, %d policies", len(s.Roles), len(s.Policies))
	}
	t.Logf("%d IAM calls, %d of them for last accessed details", calls(s, "iam:"), accessed)
}

func TestTenThousandJobs(t *testing.T) {
	a := small(0)
	trainer := &a.Roles[0]
	for i := range 10_000 {
		a.Jobs = append(a.Jobs, job(a, trainer, fmt.Sprintf("job-%05d", i), now.Add(-time.Duration(i+1)*time.Minute)))
	}
	server, o := serve(t, a)
	o.Regions, o.Usage = []string{"us-east-1"}, UsageNone
	s := collected(t, o)
	sameCalls(t, server, s)
	if n := calls(s, "sagemaker:") - s.Calls["sagemaker:DescribeTrainingJob"]; n > 110 {
		t.Errorf("%d calls to list 10,000 jobs, want at most 110", n)
	}
	if len(s.Jobs) != 10_000 || len(s.Gaps) > 0 {
		t.Errorf("%d jobs, gaps %v", len(s.Jobs), gapsOf(s))
	}
	t.Logf("%d SageMaker calls, %d of them describe", calls(s, "sagemaker:"), s.Calls["sagemaker:DescribeTrainingJob"])
}

// Search may lag, cap its answers, leave jobs out or be refused: the jobs are the
// same, and only a refusal is worth a word.
func TestSearchFallsShort(t *testing.T) {
	account := small(250)
	_, o := serve(t, account)
	want := collected(t, o)
	for _, tt := range []struct {
		name      string
		behaviour func(*awssim.Behaviour)
		fault     string
		gaps      []string
	}{
		{name: "lags", behaviour: func(b *awssim.Behaviour) { b.SearchLag = 30 * time.Hour }},
		{name: "is capped, slices go on", behaviour: func(b *awssim.Behaviour) { b.SearchCap = 60 }},
		{name: "is empty", fault: "sagemaker:Search empty"},
		{name: "is refused", fault: "sagemaker:Search refuse", gaps: []string{"sagemaker:Search eu-west-1 detail refused", "sagemaker:Search us-east-1 detail refused"}},
		{name: "repeats its token", fault: "sagemaker:Search repeat-token region=us-east-1", gaps: []string{"sagemaker:Search us-east-1 detail broken"}},
		{name: "has empty pages", fault: "sagemaker:Search empty-page times=1"},
		{name: "is cut once", fault: "sagemaker:Search cut times=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, o := serve(t, account)
			if tt.behaviour != nil {
				server.Configure(tt.behaviour)
			}
			if tt.fault != "" {
				if err := server.SetFault(tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			s := collected(t, o)
			sameCalls(t, server, s)
			if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			if !s.Complete() {
				t.Error("the run is not complete")
			}
			// What was read by DescribeTrainingJob is known in full.
			for _, list := range [][]snapshot.Job{want.Jobs, s.Jobs} {
				for i := range list {
					list[i].Described, list[i].RemoteDebug = true, true
				}
			}
			if d := cmp.Diff(want.Jobs, s.Jobs); d != "" {
				t.Errorf("jobs (-want +got):\n%s", d)
			}
		})
	}
}

// Roles come out the same, one by one or in one sweep.
func TestRolesOneByOne(t *testing.T) {
	account := small(3)
	_, o := serve(t, account)
	want := collected(t, o)

	server, o := serve(t, account)
	server.SetFault("iam:GetAccountAuthorizationDetails refuse")
	s := collected(t, o)
	sameCalls(t, server, s)
	if d := cmp.Diff([]any{want.Roles, want.Policies}, []any{s.Roles, s.Policies}); d != "" {
		t.Errorf("-sweep +one by one:\n%s", d)
	}
	if d := cmp.Diff([]string{"iam:GetAccountAuthorizationDetails detail refused"}, gapsOf(s)); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}

func TestSelectedRoles(t *testing.T) {
	account := small(3)
	account.Jobs = append(account.Jobs, job(account, &awssim.Role{Name: "deleted"}, "of-a-deleted-role", now.Add(-30*time.Minute)))
	for _, tt := range []struct {
		selectors []string
		roles     []string
		jobs      int
		sweeps    int
		gaps      []string
	}{
		{[]string{"trainer"}, []string{"trainer"}, 3, 0, nil},
		{[]string{"arn:aws:iam::123456789012:role/service-role/trainer"}, []string{"trainer"}, 3, 0, nil},
		{[]string{"web"}, []string{"web"}, 0, 0, nil}, // asked for, though it does not trust SageMaker
		{[]string{"tr*", "idl?"}, []string{"idle", "trainer"}, 3, 1, nil},
		{[]string{"deleted"}, nil, 1, 0, nil}, // a job names it
		{[]string{"never-was"}, nil, 0, 0, []string{"iam:GetRole never-was roles missing"}},
		{[]string{"arn:aws:iam::123456789012:role/trainer"}, nil, 0, 0, []string{"iam:GetRole arn:aws:iam::123456789012:role/trainer roles missing"}},
		{[]string{"nothing-*"}, nil, 0, 1, nil},
	} {
		t.Run(strings.Join(tt.selectors, " "), func(t *testing.T) {
			server, o := serve(t, account)
			o.Roles = tt.selectors
			s := collected(t, o)
			sameCalls(t, server, s)
			var names []string
			for _, r := range s.Roles {
				names = append(names, r.Name)
			}
			if d := cmp.Diff(tt.roles, names); d != "" {
				t.Errorf("roles (-want +got):\n%s", d)
			}
			if len(s.Jobs) != tt.jobs {
				t.Errorf("%d jobs, want %d", len(s.Jobs), tt.jobs)
			}
			if n := s.Calls["iam:GetAccountAuthorizationDetails"]; n != tt.sweeps {
				t.Errorf("%d sweeps, want %d", n, tt.sweeps)
			}
			if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
		})
	}
}

func TestGaps(t *testing.T) {
	for _, tt := range []struct {
		name   string
		faults []string
		usage  string
		gaps   []string
	}{
		{"nothing", nil, "", nil},
		{"identity refused", []string{"sts:GetCallerIdentity refuse"}, "", []string{"sts:GetCallerIdentity detail refused"}},
		{"regions refused", []string{"account:ListRegions refuse"}, "", []string{"account:ListRegions jobs refused", "account:ListRegions usage refused"}},
		{"regions refused, no usage asked", []string{"account:ListRegions refuse"}, UsageNone, []string{"account:ListRegions jobs refused"}},
		{"search and list refused", []string{"sagemaker:Search region=eu-west-1 refuse", "sagemaker:ListTrainingJobs region=eu-west-1 refuse"}, "",
			[]string{"sagemaker:ListTrainingJobs eu-west-1 jobs refused", "sagemaker:Search eu-west-1 jobs refused"}},
		{"only the check refused", []string{"sagemaker:ListTrainingJobs region=us-east-1 refuse"}, "", []string{"sagemaker:ListTrainingJobs us-east-1 detail refused"}},
		{"no check, and Search falls short", []string{"sagemaker:ListTrainingJobs region=us-east-1 refuse", "sagemaker:Search region=us-east-1 empty"}, "",
			[]string{"sagemaker:ListTrainingJobs us-east-1 jobs refused", "sagemaker:Search us-east-1 jobs short"}},
		{"describe refused", []string{"sagemaker:DescribeTrainingJob refuse"}, "", []string{"sagemaker:DescribeTrainingJob us-east-1 1 kinds of jobs detail refused"}},
		{"describe refused when all depends on it", []string{"sagemaker:DescribeTrainingJob refuse", "sagemaker:Search region=us-east-1 refuse"}, "",
			[]string{"sagemaker:DescribeTrainingJob us-east-1 1 kinds of jobs detail refused", "sagemaker:DescribeTrainingJob us-east-1 3 jobs from job-00000 jobs refused", "sagemaker:Search us-east-1 jobs refused"}},
		{"search throttled", []string{"sagemaker:Search region=eu-west-1 throttle"}, "", []string{"sagemaker:Search eu-west-1 detail throttled"}},
		{"list repeats its token", []string{"sagemaker:ListTrainingJobs region=us-east-1 repeat-token", "sagemaker:Search region=us-east-1 refuse"}, "",
			[]string{"sagemaker:ListTrainingJobs us-east-1 jobs broken", "sagemaker:Search us-east-1 jobs refused"}},
		{"usage refused", []string{"cloudtrail:LookupEvents region=us-east-1 refuse"}, "",
			[]string{"cloudtrail:LookupEvents us-east-1 EventName=CreateTrainingJob usage refused", "cloudtrail:LookupEvents us-east-1 all usage refused"}},
		{"usage throttled", []string{"cloudtrail:LookupEvents region=eu-west-1 throttle from=2"}, "", []string{"cloudtrail:LookupEvents eu-west-1 all usage throttled"}},
		{"usage unavailable", []string{"cloudtrail:LookupEvents region=eu-west-1 fail=503 from=2"}, "", []string{"cloudtrail:LookupEvents eu-west-1 all usage unavailable"}},
		{"usage cut", []string{"cloudtrail:LookupEvents region=eu-west-1 cut from=2"}, "", []string{"cloudtrail:LookupEvents eu-west-1 all usage cut"}},
		{"usage garbled", []string{"cloudtrail:LookupEvents region=eu-west-1 garble from=2"}, "", []string{"cloudtrail:LookupEvents eu-west-1 all usage broken"}},
		{"usage refused, not asked", []string{"cloudtrail:LookupEvents refuse"}, UsageNone, nil},
		{"session expires", []string{"cloudtrail:LookupEvents region=us-east-1 expire from=2"}, "", []string{"cloudtrail:LookupEvents us-east-1 all usage refused"}},
		{"sweep and list of roles refused", []string{"iam:GetAccountAuthorizationDetails refuse", "iam:ListRoles refuse"}, "",
			[]string{"iam:GetAccountAuthorizationDetails detail refused", "iam:ListRoles roles refused"}},
		{"all of IAM refused", []string{"iam:* refuse"}, "",
			[]string{"iam:GetAccountAuthorizationDetails detail refused", "iam:GetRole arn:aws:iam::123456789012:role/service-role/trainer roles refused", "iam:ListRoles roles refused"}},
		{"all of IAM throttled", []string{"iam:* throttle"}, "",
			[]string{"iam:GetAccountAuthorizationDetails detail throttled", "iam:GetRole 1 roles from trainer roles throttled", "iam:ListRoles roles throttled"}},
		{"sweep cut", []string{"iam:GetAccountAuthorizationDetails cut"}, "", []string{"iam:GetAccountAuthorizationDetails detail cut"}},
		{"sweep garbled", []string{"iam:GetAccountAuthorizationDetails garble"}, "", []string{"iam:GetAccountAuthorizationDetails detail broken"}},
		{"parts of a role refused", []string{"iam:GetAccountAuthorizationDetails refuse", "iam:GetRolePolicy refuse", "iam:ListAttachedRolePolicies refuse", "iam:GetPolicyVersion refuse"}, "",
			[]string{"iam:GetAccountAuthorizationDetails detail refused",
				"iam:GetPolicyVersion arn:aws:iam::aws:policy/PowerUserAccess roles refused",
				"iam:GetRolePolicy arn:aws:iam::123456789012:role/service-role/trainer roles refused",
				"iam:ListAttachedRolePolicies arn:aws:iam::123456789012:role/idle roles refused",
				"iam:ListAttachedRolePolicies arn:aws:iam::123456789012:role/service-role/trainer roles refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onFakeClock(t, small(3), func(t *testing.T, server *awssim.Server, o Options) {
				server.Configure(func(b *awssim.Behaviour) { b.PageCaps = map[string]int{"sagemaker:ListTrainingJobs": 1} })
				if tt.usage != "" {
					o.Usage = tt.usage
				}
				for _, f := range tt.faults {
					if err := server.SetFault(f); err != nil {
						t.Fatal(err)
					}
				}
				s := collected(t, o)
				sameCalls(t, server, s)
				if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
					t.Errorf("gaps (-want +got):\n%s", d)
				}
				if s.Account.ID != "123456789012" || s.Account.Partition != "aws" {
					t.Errorf("account %+v", s.Account)
				}
				for _, g := range s.Gaps {
					if g.Detail == "" || strings.Contains(g.Detail, "127.0.0.1") || strings.Contains(strings.ToLower(g.Detail), "request id") {
						t.Errorf("%s: detail %q", g.Source, g.Detail)
					}
				}
			})
		})
	}
}

// What a gap leaves is kept, and says what it covers.
func TestPartsAreKept(t *testing.T) {
	server, o := serve(t, small(200))
	server.SetFault("cloudtrail:LookupEvents region=us-east-1 fail from=4") // the third page of the second reading
	s := collected(t, o)
	i := slices.IndexFunc(s.Coverage, func(c snapshot.Coverage) bool {
		return c.Source == snapshot.SourceLookup && c.Region == "us-east-1" && c.Scope == snapshot.ScopeAll
	})
	c := s.Coverage[i]
	oldest := now.Add(-101 * 10 * time.Minute)
	if want := (snapshot.Window{From: oldest.Add(time.Second), To: s.Window.To}); c.Covered != want || c.Items != 100 || c.Complete {
		t.Errorf("coverage %+v, want covered %v of 100 events", c, want)
	}
	if len(s.Usage) == 0 {
		t.Error("the events of the pages before are lost")
	}
}

// A page token that expires costs a page, not the run.
func TestLookupBeginsAnew(t *testing.T) {
	account := small(200)
	_, o := serve(t, account)
	want := collected(t, o)
	for _, fault := range []string{
		"cloudtrail:LookupEvents region=us-east-1 repeat-token from=3 times=1",
		"cloudtrail:LookupEvents region=us-east-1 garble from=4 times=1",
	} {
		server, o := serve(t, account)
		server.SetFault(fault)
		s := collected(t, o)
		if len(s.Gaps) > 0 {
			t.Errorf("%s: gaps %v", fault, gapsOf(s))
		}
		if d := cmp.Diff(want.Usage, s.Usage); d != "" {
			t.Errorf("%s: usage (-want +got):\n%s", fault, d)
		}
	}
}

// Roles that only failed CreateTrainingJob events name are known by their usage;
// the same events, read twice, count once.
func TestRolesOfEvents(t *testing.T) {
	a := small(0)
	caller := awssim.UserIdentity{Type: "IAMUser", PrincipalID: "AIDA", ARN: "arn:aws:iam::123456789012:user/engineer", UserName: "engineer"}
	for i, role := range []string{"arn:aws:iam::123456789012:role/web", "arn:aws:iam::123456789012:role/gone", "not an ARN", "arn:aws:iam::123456789012:role/web"} {
		a.Events = append(a.Events, awssim.Record{
			EventID: fmt.Sprintf("create-%d", i), EventTime: now.Add(-time.Duration(i+1) * time.Hour), AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
			EventSource: "sagemaker.amazonaws.com", EventName: "CreateTrainingJob", UserIdentity: caller,
			ErrorCode: "ValidationException", ErrorMessage: "Could not assume role " + role,
			RequestParameters: map[string]any{"roleArn": role},
		})
	}
	_, o := serve(t, a)
	s := collected(t, o)
	var names []string
	for _, r := range s.Roles {
		names = append(names, r.Name)
	}
	if d := cmp.Diff([]string{"idle", "trainer", "web"}, slices.Sorted(slices.Values(names))); d != "" {
		t.Errorf("roles (-want +got):\n%s", d)
	}
	counts := make(map[string]int)
	for _, u := range s.Usage {
		counts[u.Params.RoleARN] += u.Count
		if u.Caller != caller.ARN || u.Denial.Layer != "trust" {
			t.Errorf("usage %+v", u)
		}
	}
	want := map[string]int{"arn:aws:iam::123456789012:role/web": 2, "arn:aws:iam::123456789012:role/gone": 1}
	if !maps.Equal(counts, want) {
		t.Errorf("calls by role: %v, want %v", counts, want)
	}
}

func TestBrokenEvents(t *testing.T) {
	a := small(2)
	a.Events = append(a.Events, awssim.Record{EventID: "bad", EventTime: now.Add(-time.Hour), AWSRegion: "us-east-1", EventSource: "x", EventName: "y", Raw: `{"half":`})
	_, o := serve(t, a)
	s := collected(t, o)
	if d := cmp.Diff([]string{"cloudtrail:LookupEvents us-east-1 all usage broken"}, gapsOf(s)); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}

func TestCannotRun(t *testing.T) {
	server, o := serve(t, small(1))
	for name, change := range map[string]func(*Options){
		"nobody answers":   func(o *Options) { o.EndpointURL = "http://127.0.0.1:1" },
		"unknown profile":  func(o *Options) { o.StaticCredentials, o.Profile = false, "no-such-profile" },
		"bad selector":     func(o *Options) { o.Roles = []string{"arn:aws:s3:::bucket"} },
		"no jobs window":   func(o *Options) { o.JobsWindow = 0 },
		"no window":        func(o *Options) { o.Window = time.Minute },
		"unknown usage":    func(o *Options) { o.Usage = "guess" },
		"empty region":     func(o *Options) { o.Regions = []string{""} },
		"no pace, no stub": func(o *Options) { o.EndpointURL = "" },
	} {
		o := o
		change(&o)
		if s, err := Collect(context.Background(), o); err == nil || s != nil {
			t.Errorf("%s: no error", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	server.SetFault("sts:GetCallerIdentity expire")
	if _, err := Collect(context.Background(), o); err == nil || !strings.Contains(err.Error(), "ExpiredToken") {
		t.Errorf("expired credentials: %v", err)
	}
}

func TestCancel(t *testing.T) {
	_, o := serve(t, small(300))
	o.LookupRate = 0.01 // a pause of 100 seconds after the first request
	ctx, cancel := context.WithCancel(context.Background())
	var cancelled time.Time
	o.Progress = func(s Status) {
		if s.Source == snapshot.SourceLookup && s.Region == "us-east-1" && cancelled.IsZero() {
			cancelled = time.Now()
			time.AfterFunc(50*time.Millisecond, cancel)
		}
	}
	s, err := Collect(ctx, o)
	if !errors.Is(err, context.Canceled) || s != nil {
		t.Errorf("a cancelled run: %v", err)
	}
	if late := time.Since(cancelled); late > time.Second {
		t.Errorf("it ended %s after it was cancelled", late)
	}
}

// Past the deadline each source that is not finished has a gap, and what was read
// is kept.
func TestDeadline(t *testing.T) {
	_, o := serve(t, small(300))
	o.LookupRate = 0.01
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	s, err := Collect(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Jobs) != 300 {
		t.Errorf("%d jobs", len(s.Jobs))
	}
	if !slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
		return g.Source == opLookup && g.Scope == snapshot.ScopeAll && g.Reason == snapshot.ReasonTimeout && g.Impact == snapshot.ImpactUsage
	}) || s.Complete() {
		t.Errorf("gaps %v", gapsOf(s))
	}
}
