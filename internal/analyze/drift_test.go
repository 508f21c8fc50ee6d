package analyze

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	dataBucket = "arn:aws:s3:::data/*"
	teamPolicy = "arn:aws:iam::123456789012:policy/team"
	awsPolicy  = "arn:aws:iam::aws:policy/AmazonSageMakerReadOnly"
)

// driftWorld is a role with an inline, a customer managed and an AWS managed policy.
func driftWorld() *snapshot.Snapshot {
	s := world(allow("s3:GetObject", dataBucket))
	r := &s.Roles[0]
	r.Attached = []snapshot.AttachedPolicy{{Name: "AmazonSageMakerReadOnly", ARN: awsPolicy}, {Name: "team", ARN: teamPolicy}}
	s.Policies = []snapshot.ManagedPolicy{
		{ARN: awsPolicy, Name: "AmazonSageMakerReadOnly", Version: "v1", Document: allow("sagemaker:Describe*", "*")},
		{ARN: teamPolicy, Name: "team", Version: "v1", Document: allow("ecr:BatchGetImage", "*")},
	}
	s.OtherRoles = []snapshot.RoleKey{{ARN: "arn:aws:iam::123456789012:role/web", ID: "AROAWEB"}}
	j := completedJob("train-2026-09-01-001")
	s.Jobs = []snapshot.Job{j}
	s.Usage = []snapshot.Usage{use("ecr.amazonaws.com", "BatchGetImage", "")}
	s.Sort()
	return s
}

// nextDay is the same account a day later.
func nextDay(s *snapshot.Snapshot) *snapshot.Snapshot {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	n := new(snapshot.Snapshot)
	if err := json.Unmarshal(b, n); err != nil {
		panic(err)
	}
	for _, w := range []*snapshot.Window{&n.Window, &n.JobsWindow} {
		w.From, w.To = w.From.AddDate(0, 0, 1), w.To.AddDate(0, 0, 1)
	}
	n.TakenAt = n.TakenAt.AddDate(0, 0, 1)
	for i := range n.Coverage {
		n.Coverage[i].Asked, n.Coverage[i].Covered = n.Window, n.Window
	}
	return n
}

// grantEvent is a call that changed a role, between the two days.
func grantEvent(name string, params snapshot.Params) snapshot.Usage {
	at := now.Add(3 * time.Hour)
	u := snapshot.Usage{UseKey: snapshot.UseKey{Caller: "arn:aws:iam::123456789012:user/ana", EventSource: "iam.amazonaws.com", EventName: name, Region: "us-east-1", Params: params},
		Count: 1, First: at, Last: at, FirstEventID: "event-" + name, LastEventID: "event-" + name, Source: snapshot.SourceLookup}
	return u
}

func drifted(t testing.TB, a, b *snapshot.Snapshot) *report.Drift {
	t.Helper()
	a.Sort()
	b.Sort()
	d, err := Drift(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDriftKinds(t *testing.T) {
	role := func(s *snapshot.Snapshot) *snapshot.Role { return &s.Roles[0] }
	attach := func(s *snapshot.Snapshot, name, document string) {
		arn := "arn:aws:iam::123456789012:policy/" + name
		role(s).Attached = append(role(s).Attached, snapshot.AttachedPolicy{Name: name, ARN: arn})
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: arn, Name: name, Version: "v1", Document: document})
	}
	limit := func(s *snapshot.Snapshot, name, document string) {
		arn := "arn:aws:iam::123456789012:policy/" + name
		role(s).Boundary = arn
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: arn, Name: name, Version: "v1", Document: document})
	}
	trusts := func(principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`
	}
	guarded := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}}`
	tomorrow := now.Add(4 * time.Hour)
	for _, c := range []struct {
		name   string
		before func(*snapshot.Snapshot)
		after  func(*snapshot.Snapshot)
		kind   report.ChangeKind // empty: no change
		effect report.Effect
		newly  int // actions
	}{
		{"nothing", nil, nil, "", "", 0},
		{"a wider policy attached", nil, func(s *snapshot.Snapshot) { attach(s, "wide", allow("iam:PassRole", "*")) }, report.PolicyAttached, report.Widens, 1},
		{"a policy attached that adds nothing", nil, func(s *snapshot.Snapshot) { attach(s, "same", allow("s3:GetObject", "arn:aws:s3:::data/in/*")) }, report.PolicyAttached, report.NoEffect, 0},
		{"a policy detached", nil, func(s *snapshot.Snapshot) { role(s).Attached = role(s).Attached[:1] }, report.PolicyDetached, report.Narrows, 0},
		{"an inline policy added", nil, func(s *snapshot.Snapshot) {
			role(s).Inline = append(role(s).Inline, snapshot.InlinePolicy{Name: "more", Document: allow("s3:PutObject", dataBucket)})
		}, report.PolicyAttached, report.Widens, 1},
		{"an inline policy removed", nil, func(s *snapshot.Snapshot) { role(s).Inline = nil }, report.PolicyDetached, report.Narrows, 0},
		{"an inline policy reordered", func(s *snapshot.Snapshot) {
			role(s).Inline[0].Document = `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/*"},{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/secret/*"}]}`
		}, func(s *snapshot.Snapshot) {
			role(s).Inline[0].Document = `{ "Version": "2012-10-17", "Statement": [ {"Effect":"Deny","Resource":["arn:aws:s3:::data/secret/*"],"Action":["s3:*"]}, {"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::data/*"}]}`
		}, "", "", 0},
		{"an inline policy in other words", func(s *snapshot.Snapshot) {
			role(s).Inline[0].Document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/*"}]}`
		}, func(s *snapshot.Snapshot) {
			role(s).Inline[0].Document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::data/*","arn:aws:s3:::data/in/*"]},{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/*"}]}`
		}, "", "", 0},
		{"an inline policy edited", nil, func(s *snapshot.Snapshot) { role(s).Inline[0].Document = allow("s3:GetObject", "*") }, report.PolicyEdited, report.Widens, 0},
		{"a Deny dropped", func(s *snapshot.Snapshot) {
			role(s).Inline[0].Document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}]}`
		}, func(s *snapshot.Snapshot) { role(s).Inline[0].Document = allow("s3:GetObject", dataBucket) }, report.PolicyEdited, report.Widens, 0},
		{"a customer managed policy edited", nil, func(s *snapshot.Snapshot) {
			s.Policies[0].Version, s.Policies[0].Document = "v2", allow("ecr:*", "*")
		}, report.PolicyEdited, report.Widens, -1},
		{"a customer managed policy reordered", nil, func(s *snapshot.Snapshot) {
			s.Policies[0].Version, s.Policies[0].Document = "v2", `{"Version":"2012-10-17","Statement":[{"Resource":["*"],"Action":["ecr:BatchGetImage"],"Effect":"Allow"}]}`
		}, "", "", 0},
		{"AWS moved a policy", nil, func(s *snapshot.Snapshot) {
			s.Policies[1].Version, s.Policies[1].Document = "v2", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sagemaker:Describe*","sagemaker:ListTags"],"Resource":"*"}}`
		}, report.AWSPolicyUpdated, report.Widens, 1},
		{"AWS moved a policy without a change", nil, func(s *snapshot.Snapshot) { s.Policies[1].Version = "v2" }, report.AWSPolicyUpdated, report.NoEffect, 0},
		{"a boundary set", nil, func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) }, report.BoundarySet, report.Narrows, 0},
		{"a boundary set that takes nothing", nil, func(s *snapshot.Snapshot) { limit(s, "limit", allow("*", "*")) }, report.BoundarySet, report.NoEffect, 0},
		{"a boundary removed", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) }, func(s *snapshot.Snapshot) { role(s).Boundary = "" }, report.BoundaryRemoved, report.Widens, -1},
		{"a boundary changed", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) }, func(s *snapshot.Snapshot) { limit(s, "other", allow("ecr:*", "*")) }, report.BoundaryChanged, report.Both, 1},
		{"a wider boundary", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) }, func(s *snapshot.Snapshot) {
			limit(s, "other", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:*","ecr:*"],"Resource":"*"}}`)
		}, report.BoundaryChanged, report.Widens, 1},
		{"a policy within a boundary that lets none of it through", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) },
			func(s *snapshot.Snapshot) { attach(s, "wide", allow("iam:*", "*")) }, report.PolicyAttached, report.NoEffect, 0},
		{"a policy within a boundary", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) },
			func(s *snapshot.Snapshot) { attach(s, "wide", allow("s3:DeleteObject", "*")) }, report.PolicyAttached, report.Widens, 1},
		{"the boundary's own policy edited", func(s *snapshot.Snapshot) { limit(s, "limit", allow("s3:*", "*")) }, func(s *snapshot.Snapshot) {
			for i := range s.Policies {
				if s.Policies[i].Name == "limit" {
					s.Policies[i].Version, s.Policies[i].Document = "v2", allow("*", "*")
				}
			}
		}, report.PolicyEdited, report.Widens, -1},
		{"trust widened", nil, func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::999988887777:root"}`) }, report.TrustWidened, report.Widens, 0},
		{"trust narrowed", func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::999988887777:root"}`) }, func(s *snapshot.Snapshot) { role(s).Trust = trustSageMaker }, report.TrustNarrowed, report.Narrows, 0},
		{"trust for a role instead of its account", func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"999988887777"}`) },
			func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::999988887777:role/ops"}`) }, report.TrustNarrowed, report.Narrows, 0},
		{"trust for others instead", func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::999988887777:root"}`) },
			func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"Service":"lambda.amazonaws.com"}`) }, report.TrustChanged, report.Both, 0},
		{"a guard dropped", func(s *snapshot.Snapshot) { role(s).Trust = guarded }, func(s *snapshot.Snapshot) { role(s).Trust = trustSageMaker }, report.TrustWidened, report.Widens, 0},
		{"trust in other words", func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::999988887777:root"}`) },
			func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":["999988887777"]}`) }, "", "", 0},
		{"a trusted role was deleted", func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"arn:aws:iam::123456789012:role/ops"}`) },
			func(s *snapshot.Snapshot) { role(s).Trust = trusts(`{"AWS":"AROAEXAMPLEDELETED"}`) }, report.TrustNarrowed, report.Narrows, 0},
		{"a role created", nil, func(s *snapshot.Snapshot) {
			r := *role(s)
			r.Name, r.ARN, r.ID, r.CreatedAt = "fresh", "arn:aws:iam::123456789012:role/fresh", "AROAFRESH", tomorrow
			s.Roles = append(s.Roles, r)
		}, report.RoleCreated, report.Widens, -1},
		{"a role deleted", func(s *snapshot.Snapshot) {
			r := *role(s)
			r.Name, r.ARN, r.ID = "old", "arn:aws:iam::123456789012:role/old", "AROAOLD"
			s.Roles = append(s.Roles, r)
		}, func(s *snapshot.Snapshot) {
			s.Roles = slices.DeleteFunc(s.Roles, func(r snapshot.Role) bool { return r.Name == "old" })
		}, report.RoleDeleted, report.Narrows, 0},
		{"a role created anew", nil, func(s *snapshot.Snapshot) {
			role(s).ID, role(s).CreatedAt = "AROANEW", tomorrow
			role(s).Attached = nil
		}, report.RoleRecreated, report.Narrows, 0},
		{"a role that SageMaker may no longer assume", nil, func(s *snapshot.Snapshot) {
			s.OtherRoles = append(s.OtherRoles, role(s).RoleKey)
			s.Roles, s.Jobs, s.Usage = nil, nil, nil
		}, report.TrustChanged, report.UnknownEffect, 0},
		{"a new job", nil, func(s *snapshot.Snapshot) {
			j := completedJob("tune-2026-10-31-001")
			j.CreatedAt = tomorrow
			s.Jobs = append(s.Jobs, j)
		}, report.NewJob, report.NoEffect, 0},
		{"a job of the same family", nil, func(s *snapshot.Snapshot) {
			j := completedJob("train-2026-10-31-002")
			j.CreatedAt = tomorrow
			s.Jobs = append(s.Jobs, j)
		}, "", "", 0},
		{"a new image", nil, func(s *snapshot.Snapshot) {
			j := completedJob("train-2026-10-31-002")
			j.CreatedAt, j.Image = tomorrow, "123456789012.dkr.ecr.us-east-1.amazonaws.com/other:7"
			s.Jobs = append(s.Jobs, j)
		}, report.NewImage, report.NoEffect, 0},
		{"a new bucket", nil, func(s *snapshot.Snapshot) {
			j := completedJob("train-2026-10-31-002")
			j.CreatedAt, j.Channels[0].URI = tomorrow, "s3://elsewhere/in/"
			s.Jobs = append(s.Jobs, j)
		}, report.NewBucket, report.NoEffect, 0},
		{"a first use", nil, func(s *snapshot.Snapshot) {
			u := use("ssm.amazonaws.com", "GetParameter", "")
			u.First, u.Last = tomorrow, tomorrow
			s.Usage = append(s.Usage, u)
		}, report.FirstUse, report.NoEffect, 0},
		{"a use that aged out", func(s *snapshot.Snapshot) {
			u := use("ssm.amazonaws.com", "GetParameter", "")
			u.First, u.Last = s.Window.From.Add(time.Hour), s.Window.From.Add(time.Hour)
			s.Usage = append(s.Usage, u)
		}, func(s *snapshot.Snapshot) {
			s.Usage = slices.DeleteFunc(s.Usage, func(u snapshot.Usage) bool { return u.EventName == "GetParameter" })
		}, report.UseAgedOut, report.NoEffect, 0},
		{"newly denied calls", nil, func(s *snapshot.Snapshot) {
			u := use("ssm.amazonaws.com", "GetParameter", "AccessDenied")
			u.First, u.Last = tomorrow, tomorrow
			s.Usage = append(s.Usage, u)
		}, report.NewlyDenied, report.NoEffect, 0},
		{"a person", nil, func(s *snapshot.Snapshot) {
			u := use("sts.amazonaws.com", "AssumeRole", "")
			u.Role, u.Who = snapshot.RoleKey{}, snapshot.Who{}
			u.Caller, u.Params.RoleARN, u.First, u.Last = "arn:aws:iam::123456789012:user/ana", roleARN, tomorrow, tomorrow
			s.Usage = append(s.Usage, u)
		}, report.PersonAssumed, report.NoEffect, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := driftWorld()
			if c.before != nil {
				c.before(a)
			}
			a.Sort()
			b := nextDay(a)
			if c.after != nil {
				c.after(b)
			}
			d := drifted(t, a, b)
			if d.UnknownTotal > 0 || len(d.Tool) > 0 {
				t.Errorf("not compared: %+v, tool: %+v", d.Unknown, d.Tool)
			}
			if c.kind == "" {
				if !d.Empty() {
					t.Fatalf("not empty: %s", words(d))
				}
				return
			}
			if len(d.Changes) != 1 || d.Changes[0].Kind != c.kind || d.Changes[0].Effect != c.effect {
				t.Fatalf("want one %s that %s, got %s", c.kind, c.effect, words(d))
			}
			x := d.Changes[0]
			if n := x.Newly.Actions; n != c.newly && !(c.newly < 0 && n > 0) {
				t.Errorf("newly %d actions, want %d: %+v", n, c.newly, x.Newly)
			}
			if x.Title == "" || x.Cause == "" || x.ID == "" || x.Severity == "" {
				t.Errorf("incomplete: %+v", x)
			}
			t.Log(words(d))
		})
	}
}

// words writes a drift's changes down.
func words(d *report.Drift) string {
	var b strings.Builder
	for _, x := range d.Changes {
		fmt.Fprintf(&b, "\n%s %s %s %s | %s | %s -> %s | %s | %s | newly %d+%d %v %v", x.Kind, x.Effect, x.RoleEffect, x.Severity, x.Title, x.Before, x.After, x.Cause, x.EffectWhy,
			x.Newly.Actions, x.Newly.Broader, x.Newly.Riskiest, x.Newly.Principals)
	}
	for _, u := range d.Unknown {
		fmt.Fprintf(&b, "\nunknown %s %s: %s (%s)", u.Role, u.What, u.Why, u.Side)
	}
	return b.String()
}

func TestDriftRefuses(t *testing.T) {
	a, b := driftWorld(), nextDay(driftWorld())
	b.Account.ID = "999988887777"
	if _, err := Drift(a, b, Options{}); !errors.Is(err, ErrOtherAccount) || !strings.Contains(err.Error(), "999988887777") {
		t.Errorf("another account: %v", err)
	}
	b.Account.ID = ""
	if _, err := Drift(a, b, Options{}); err == nil || !strings.Contains(err.Error(), "current") {
		t.Errorf("no account: %v", err)
	}
	b.TakenAt = time.Time{}
	if _, err := Drift(b, a, Options{}); err == nil || !strings.Contains(err.Error(), "baseline") {
		t.Errorf("no time: %v", err)
	}
}
