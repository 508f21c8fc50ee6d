package analyze

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// What one side could not read is unknown, never removed; windows that differ make no
// first use.
func TestDriftIsHonest(t *testing.T) {
	tomorrow := now.Add(4 * time.Hour)
	late := func(s *snapshot.Snapshot, name string, at time.Time) {
		u := use("glue.amazonaws.com", name, "")
		u.First, u.Last = at, at
		s.Usage = append(s.Usage, u)
	}
	refused := func(source, scope string) snapshot.Gap {
		return snapshot.Gap{Source: source, Scope: scope, Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonRefused}
	}
	lose := func(s *snapshot.Snapshot) { s.Coverage[0].Complete, s.Coverage[0].Covered = false, snapshot.Window{} }
	for _, c := range []struct {
		name    string
		a, b    func(a, b *snapshot.Snapshot)
		changes []report.ChangeKind
		unknown string // what is not compared, empty for nothing
		side    string
		whole   bool // evidence lacks on neither side
	}{
		{name: "inline policies not read", b: func(_, b *snapshot.Snapshot) {
			b.Roles[0].Inline, b.Roles[0].Unread, b.Gaps = nil, []string{"inline"}, []snapshot.Gap{refused("iam:GetRolePolicy", roleARN)}
		}, unknown: "its inline policies", side: report.SideCurrent},
		{name: "attached policies not read before", a: func(a, _ *snapshot.Snapshot) {
			a.Roles[0].Attached, a.Roles[0].Unread, a.Gaps = nil, []string{"attached"}, []snapshot.Gap{refused("iam:ListAttachedRolePolicies", roleARN)}
		}, unknown: "its attached policies", side: report.SideBaseline},
		{name: "boundary not read", a: func(a, b *snapshot.Snapshot) { // read alone, a role tells its boundary; a broken answer may lack it
			a.Roles[0].Boundary, a.OtherRoles = teamPolicy, []snapshot.RoleKey{}
			b.Roles[0].Unread, b.Gaps = []string{"boundary"}, []snapshot.Gap{refused("iam:GetRole", roleARN)}
		}, unknown: "its boundary", side: report.SideCurrent},
		{name: "the same could be read on neither side", a: func(a, b *snapshot.Snapshot) {
			for _, s := range []*snapshot.Snapshot{a, b} {
				s.Roles[0].Inline, s.Roles[0].Unread, s.Gaps = nil, []string{"inline"}, []snapshot.Gap{refused("iam:GetRolePolicy", roleARN)}
			}
		}, unknown: "its inline policies", side: report.SideBoth},
		{name: "a policy without its document", b: func(_, b *snapshot.Snapshot) {
			b.Policies = b.Policies[:1]
			b.Gaps = []snapshot.Gap{refused("iam:GetPolicyVersion", awsPolicy)}
		}, unknown: "policy " + awsPolicy, side: report.SideCurrent},
		{name: "roles not listed", b: func(_, b *snapshot.Snapshot) {
			b.Roles, b.OtherRoles, b.Gaps = nil, nil, []snapshot.Gap{refused("iam:ListRoles", "")}
		}, unknown: "the account's roles", side: report.SideCurrent},
		{name: "the snapshot does not list the other roles", b: func(_, b *snapshot.Snapshot) { b.Roles, b.OtherRoles = nil, nil }, unknown: "the role", side: report.SideCurrent},
		{name: "it does not, and has the event", b: func(_, b *snapshot.Snapshot) {
			b.Roles, b.OtherRoles = nil, nil
			b.Usage = append(b.Usage, grantEvent("DeleteRole", snapshot.Params{RoleName: "trainer"}))
		}, changes: []report.ChangeKind{report.RoleDeleted}, whole: true},
		{name: "a role that was not asked for", b: func(_, b *snapshot.Snapshot) {
			b.Asked.Roles, b.Roles, b.OtherRoles = []string{"other"}, nil, nil
		}, unknown: "the role", side: report.SideCurrent},
		{name: "a role asked for by name that is gone", a: func(a, b *snapshot.Snapshot) {
			a.Asked.Roles, b.Asked.Roles, a.OtherRoles, b.OtherRoles = []string{"trainer"}, []string{"trainer"}, nil, nil
			b.Roles, b.Gaps = nil, []snapshot.Gap{{Source: "iam:GetRole", Scope: "trainer", Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonMissing}}
		}, changes: []report.ChangeKind{report.RoleDeleted}},
		{name: "a role that only jobs named", a: func(a, b *snapshot.Snapshot) {
			a.Roles[0].Trust = strings.Replace(trustSageMaker, "sagemaker", "lambda", 1)
			b.Roles[0].Trust = a.Roles[0].Trust
			b.OtherRoles = append(b.OtherRoles, b.Roles[0].RoleKey)
			b.Roles = nil
		}, whole: true},
		{name: "usage not covered before", a: func(a, b *snapshot.Snapshot) {
			lose(a)
			late(b, "GetTable", tomorrow)
		}, unknown: "uses in us-east-1", side: report.SideBaseline},
		{name: "usage not covered now", b: func(_, b *snapshot.Snapshot) {
			lose(b)
			b.Usage = nil
		}, unknown: "uses in us-east-1", side: report.SideCurrent},
		{name: "usage not collected before", a: func(a, b *snapshot.Snapshot) {
			a.Asked.Usage, a.Usage = "none", nil
			late(b, "GetTable", tomorrow)
		}, unknown: "uses of the roles", side: report.SideBaseline},
		{name: "usage collected on neither side", a: func(a, b *snapshot.Snapshot) {
			a.Asked.Usage, a.Usage, b.Asked.Usage, b.Usage = "none", nil, "none", nil
		}, whole: true},
		{name: "other facts are kept", a: func(a, b *snapshot.Snapshot) {
			a.FactsVersion = 1
			late(b, "GetTable", tomorrow)
		}, unknown: "uses of the roles", side: report.SideBoth},
		{name: "a window that reaches further back", a: func(a, b *snapshot.Snapshot) {
			a.Window.From = a.Window.From.AddDate(0, 0, 60)
			late(b, "GetTable", now.AddDate(0, 0, -50))
			late(b, "GetTable", tomorrow)
		}, whole: true},
		{name: "a window that is shorter", a: func(a, b *snapshot.Snapshot) {
			late(a, "GetTable", now.AddDate(0, 0, -50))
			b.Window.From = b.Window.From.AddDate(0, 0, 60)
		}, unknown: "the use of glue:GetTable", side: report.SideCurrent, whole: true},
		{name: "within both windows and on one side", b: func(_, b *snapshot.Snapshot) { late(b, "GetTable", now.AddDate(0, 0, -9)) },
			unknown: "the use of glue:GetTable", side: report.SideBoth, whole: true},
		{name: "a read that is known from its key", b: func(_, b *snapshot.Snapshot) {
			u := use("kms.amazonaws.com", "Decrypt", "")
			u.Params.S3ARN, u.First, u.Last = "arn:aws:s3:::data/in/part", tomorrow, tomorrow
			b.Usage = append(b.Usage, u)
		}, changes: []report.ChangeKind{report.FirstUse}, unknown: "the use of s3:GetObject", side: report.SideBaseline, whole: true},
		{name: "a region that one side read", b: func(_, b *snapshot.Snapshot) {
			b.Regions.Read = []string{"eu-west-1", "us-east-1"}
			c := b.Coverage[0]
			c.Region = "eu-west-1"
			b.Coverage = append(b.Coverage, c)
			j := completedJob("other-1")
			j.Region, j.CreatedAt = "eu-west-1", tomorrow
			b.Jobs = append(b.Jobs, j)
		}, unknown: "jobs and uses in eu-west-1", side: report.SideBaseline},
		{name: "jobs not read", a: func(a, b *snapshot.Snapshot) {
			a.Jobs, a.Gaps = nil, []snapshot.Gap{{Source: "sagemaker:Search", Region: "us-east-1", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused}}
			b.Jobs[0].CreatedAt = tomorrow
		}, unknown: "training jobs in us-east-1", side: report.SideBaseline},
		{name: "jobs not read now", b: func(_, b *snapshot.Snapshot) {
			b.Jobs, b.Gaps = nil, []snapshot.Gap{{Source: "sagemaker:Search", Region: "us-east-1", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused}}
		}, unknown: "training jobs in us-east-1", side: report.SideCurrent},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := driftWorld()
			b := nextDay(a)
			for _, change := range []func(a, b *snapshot.Snapshot){c.a, c.b} {
				if change != nil {
					change(a, b)
				}
			}
			d := drifted(t, a, b)
			var kinds []report.ChangeKind
			for _, x := range d.Changes {
				kinds = append(kinds, x.Kind)
			}
			if !slices.Equal(kinds, c.changes) {
				t.Errorf("changes %v, want %v", kinds, c.changes)
			}
			if c.unknown == "" && d.UnknownTotal > 0 || c.unknown != "" && !slices.ContainsFunc(d.Unknown, func(u report.Uncompared) bool {
				return u.What == c.unknown && u.Side == c.side && u.Why != "" && len(u.Kinds) > 0
			}) {
				t.Errorf("not compared: want %q of %q, got %+v", c.unknown, c.side, d.Unknown)
			}
			if d.Complete() != c.whole {
				t.Errorf("complete: %v", d.Complete())
			}
			if d.Empty() && c.unknown != "" {
				t.Error("it reads as an all-clear")
			}
		})
	}
}

func TestDriftCauses(t *testing.T) {
	a := driftWorld()
	b := nextDay(a)
	r := &b.Roles[0]
	arn := "arn:aws:iam::123456789012:policy/wide"
	r.Attached = append(r.Attached, snapshot.AttachedPolicy{Name: "wide", ARN: arn})
	b.Policies = append(b.Policies, snapshot.ManagedPolicy{ARN: arn, Name: "wide", Version: "v1", Document: allow("sqs:*", "*")})
	event := grantEvent("AttachRolePolicy", snapshot.Params{RoleName: "trainer", PolicyARN: arn})
	for _, c := range []struct {
		name      string
		event     func(u *snapshot.Usage, s *snapshot.Snapshot)
		principal string // empty: nobody
		cause     string
	}{
		{"a user", func(*snapshot.Usage, *snapshot.Snapshot) {}, "arn:aws:iam::123456789012:user/ana", "AttachRolePolicy by arn:aws:iam::123456789012:user/ana"},
		{"a session of a person", func(u *snapshot.Usage, _ *snapshot.Snapshot) {
			u.Caller, u.Role = "", snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/admin", ID: "AROAADMIN"}
			u.Who = snapshot.Who{Session: "s1", SourceIdentity: "ana"}
		}, "arn:aws:iam::123456789012:role/admin/s1", "AttachRolePolicy by admin/s1 (ana)"},
		{"through a service", func(u *snapshot.Usage, _ *snapshot.Snapshot) { u.Who.InvokedBy = "cloudformation.amazonaws.com" },
			"arn:aws:iam::123456789012:user/ana", "AttachRolePolicy by arn:aws:iam::123456789012:user/ana through cloudformation.amazonaws.com"},
		{"before the baseline", func(u *snapshot.Usage, _ *snapshot.Snapshot) {
			u.First, u.Last = now.Add(-time.Hour), now.Add(-time.Hour)
		}, "", "No AttachRolePolicy event"},
		{"refused", func(u *snapshot.Usage, _ *snapshot.Snapshot) { u.ErrorCode = "AccessDenied" }, "", "No AttachRolePolicy event"},
		{"of another policy", func(u *snapshot.Usage, _ *snapshot.Snapshot) { u.Params.PolicyARN += "r" }, "", "No AttachRolePolicy event"},
		{"of another role", func(u *snapshot.Usage, _ *snapshot.Snapshot) { u.Params.RoleName = "web" }, "", "No AttachRolePolicy event"},
		{"no usage", func(u *snapshot.Usage, s *snapshot.Snapshot) {
			s.Asked.Usage, *u = "none", use("ecr.amazonaws.com", "BatchGetImage", "")
		}, "", "usage was not collected"},
		{"a window that begins later", func(u *snapshot.Usage, s *snapshot.Snapshot) {
			s.Window.From, *u = now.Add(time.Hour), use("ecr.amazonaws.com", "BatchGetImage", "")
		}, "", "the window of usage begins after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, u := reread(t, b), event
			c.event(&u, n)
			n.Usage = append(n.Usage, u)
			d := drifted(t, a, n)
			i := slices.IndexFunc(d.Changes, func(x report.Change) bool { return x.Kind == report.PolicyAttached })
			if i < 0 {
				t.Fatal(words(d))
			}
			x := d.Changes[i]
			if !strings.Contains(x.Cause, c.cause) {
				t.Errorf("cause %q, want %q", x.Cause, c.cause)
			}
			if (x.By != nil) != (c.principal != "") || x.By != nil && (x.By.Principal != c.principal || x.By.EventID != "event-AttachRolePolicy" || !x.By.At.Equal(u.Last)) {
				t.Errorf("by %+v, want %q", x.By, c.principal)
			}
		})
	}
}

// A swap of one policy for an equal one is two changes, and the role's grant is the same.
func TestDriftOfASwap(t *testing.T) {
	a := driftWorld()
	b := nextDay(a)
	r := &b.Roles[0]
	b.Policies = append(b.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::123456789012:policy/moved", Name: "moved", Version: "v1", Document: r.Inline[0].Document})
	r.Inline = nil
	r.Attached = append(r.Attached, snapshot.AttachedPolicy{Name: "moved", ARN: "arn:aws:iam::123456789012:policy/moved"})
	d := drifted(t, a, b)
	if len(d.Changes) != 2 || d.Changes[0].Effect != report.Widens || d.Changes[1].Effect != report.Narrows {
		t.Fatal(words(d))
	}
	for _, x := range d.Changes {
		if x.RoleEffect != report.NoEffect {
			t.Errorf("%s: the role's grant %s", x.Kind, x.RoleEffect)
		}
	}
}

// Roles with the same policies and other boundaries are judged by themselves.
func TestDriftOfEachBoundary(t *testing.T) {
	a := driftWorld()
	wide, narrow := "arn:aws:iam::123456789012:policy/wide", "arn:aws:iam::123456789012:policy/narrow"
	a.Policies = append(a.Policies, snapshot.ManagedPolicy{ARN: wide, Name: "wide", Version: "v1", Document: allow("*", "*")},
		snapshot.ManagedPolicy{ARN: narrow, Name: "narrow", Version: "v1", Document: allow("s3:*", "*")})
	second := a.Roles[0]
	second.ARN, second.Name, second.ID = "arn:aws:iam::123456789012:role/second", "second", "AROASECOND"
	a.Roles[0].Boundary, second.Boundary = wide, narrow
	a.Roles = append(a.Roles, second)
	b := nextDay(a)
	for i := range b.Roles {
		b.Roles[i].Inline = append(b.Roles[i].Inline, snapshot.InlinePolicy{Name: "more", Document: allow("sqs:*", "*")})
	}
	effects := map[string]report.Effect{}
	for _, x := range drifted(t, a, b).Changes {
		effects[nameOf(x.Role)] = x.Effect
	}
	if effects["trainer"] != report.Widens || effects["second"] != report.NoEffect {
		t.Errorf("%v", effects)
	}
}

// And so are roles with other tags, where a policy asks for them.
func TestDriftOfEachRolesTags(t *testing.T) {
	a := driftWorld()
	second := a.Roles[0]
	second.ARN, second.Name, second.ID = "arn:aws:iam::123456789012:role/second", "second", "AROASECOND"
	a.Roles[0].Tags, second.Tags = []snapshot.Tag{{Key: "team", Value: "a"}}, []snapshot.Tag{{Key: "team", Value: "b"}}
	a.Roles = append(a.Roles, second)
	b := nextDay(a)
	for i := range b.Roles {
		b.Roles[i].Inline = append(b.Roles[i].Inline, snapshot.InlinePolicy{Name: "more",
			Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}}`})
	}
	effects := map[string]report.Effect{}
	for _, x := range drifted(t, a, b).Changes {
		effects[nameOf(x.Role)] = x.Effect
	}
	if effects["trainer"] != report.Widens || effects["second"] != report.NoEffect {
		t.Errorf("%v", effects)
	}
}

// What widens comes first; equal changes have equal ids, in whatever order the
// snapshots list them.
func TestDriftOrder(t *testing.T) {
	a := driftWorld()
	b := nextDay(a)
	r := &b.Roles[0]
	r.Attached = r.Attached[:1]
	r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: "more", Document: allow("iam:*", "*")}, snapshot.InlinePolicy{Name: "read", Document: allow("sqs:GetQueueUrl", "*")})
	d := drifted(t, a, b)
	var kinds []string
	for _, x := range d.Changes {
		kinds = append(kinds, string(x.Effect)+" "+string(x.Severity))
	}
	if want := []string{"widens critical", "widens low", "narrows info"}; !slices.Equal(kinds, want) {
		t.Errorf("%v, want %v", kinds, want)
	}
	if d.Summary != (report.DriftSummary{Widens: 2, Narrows: 1, Severity: report.Severities{Critical: 1, Low: 1, Info: 1}}) {
		t.Errorf("%+v", d.Summary)
	}
}

func TestJobFamily(t *testing.T) {
	for name, want := range map[string]string{
		"train-2026-10-31-06-21-59-609": "train-*", "train-20261031": "train-*", "churn-xgb-001-a1b2c3d4": "churn-xgb-*", "resnet50-v2-7": "resnet50-v2-*",
		"a.b_c": "a-b-c", "3f2504e0-4f89-11d3-9a0c-0305e82c3301": "*", "job-3f2504e0-4f89-11d3-9a0c-0305e82c3301-x": "job-*-x", "train": "train",
	} {
		if got := jobFamily(&snapshot.Job{Name: name}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
