package analyze

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// driftPool are documents that grants are drawn from: some mean the same in other
// words, some include others, some do not parse.
var driftPool = []string{
	allow("s3:GetObject", "arn:aws:s3:::data/*"), allow("s3:GetObject", "*"), allow("s3:*", "*"), allow("*", "*"),
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::data/*"]}]}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::data/*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/x/*"}]}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/x/*"},{"Sid":"A","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::data/*"}]}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":["iam:*","s3:*"],"Resource":"*"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::secret/*"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}}`,
	allow("ecr:*", "*"), allow("iam:*", "*"), allow("ecr:GetAuthorizationToken", "*"), "{", "",
}

var trustPool = []string{
	trustSageMaker,
	`{"Version":"2012-10-17","Statement":[{"Action":"sts:AssumeRole","Principal":{"Service":["sagemaker.amazonaws.com"]},"Effect":"Allow"}]}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com","AWS":"arn:aws:iam::999988887777:root"},"Action":"sts:AssumeRole"}}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com","AWS":"arn:aws:iam::999988887777:role/x"},"Action":["sts:AssumeRole","sts:TagSession"]}}`,
	`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":{"AWS":"999988887777"},"Action":"sts:*"}]}`,
	`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotPrincipal":{"AWS":"999988887777"},"Action":"sts:AssumeRole"}}`,
	"{",
}

// driftSide is a random account at a time.
func driftSide(r *rand.Rand, at time.Time) *snapshot.Snapshot {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	s := world()
	s.TakenAt = at
	days := []int{90, 90, 30}[r.IntN(3)]
	s.Window = snapshot.Window{From: at.AddDate(0, 0, -days), To: at.Add(-15 * time.Minute)}
	s.JobsWindow = snapshot.Window{From: at.AddDate(0, 0, -100), To: at}
	s.Roles, s.Accessed = nil, nil
	s.Coverage[0].Asked, s.Coverage[0].Covered, s.Coverage[0].Complete = s.Window, s.Window, r.IntN(8) > 0
	arns := []string{"arn:aws:iam::123456789012:policy/p0", "arn:aws:iam::123456789012:policy/p1", "arn:aws:iam::aws:policy/A"}
	for _, arn := range arns {
		if r.IntN(10) > 0 {
			k := r.IntN(len(driftPool))
			s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: arn, Name: nameOf(arn), Version: fmt.Sprintf("v%d", k), Document: driftPool[k]})
		}
	}
	for i := range 4 {
		name := fmt.Sprintf("role%d", i)
		x := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/" + name, ID: fmt.Sprintf("AROA%d%d", i, r.IntN(6)/5)}, Name: name, Path: "/",
			CreatedAt: now.AddDate(-1, 0, 0), Trust: trustPool[0]}
		if r.IntN(3) == 0 {
			x.Trust = trustPool[r.IntN(len(trustPool))]
		}
		switch r.IntN(8) {
		case 0:
			s.OtherRoles = append(s.OtherRoles, x.RoleKey)
			continue
		case 1:
			continue
		}
		for k := range r.IntN(3) {
			x.Inline = append(x.Inline, snapshot.InlinePolicy{Name: fmt.Sprintf("inline%d", k), Document: driftPool[r.IntN(len(driftPool))]})
		}
		for _, arn := range arns {
			if r.IntN(2) == 0 {
				x.Attached = append(x.Attached, snapshot.AttachedPolicy{Name: nameOf(arn), ARN: arn})
			}
		}
		if r.IntN(3) == 0 {
			x.Boundary = pick(arns...)
		}
		if r.IntN(4) == 0 {
			x.Tags = []snapshot.Tag{{Key: "team", Value: pick("a", "b")}}
		}
		if r.IntN(12) == 0 {
			x.Unread = []string{pick("inline", "attached", "boundary", "tags")}
			s.Gaps = append(s.Gaps, snapshot.Gap{Source: "iam:ListRolePolicies", Scope: x.ARN, Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonRefused})
		}
		s.Roles = append(s.Roles, x)
		for range r.IntN(6) {
			u := use("ecr.amazonaws.com", pick("BatchGetImage", "GetAuthorizationToken", "DeleteRepository"), pick("", "", "AccessDenied"))
			if r.IntN(4) == 0 {
				u = use("kms.amazonaws.com", "Decrypt", "")
				u.Params.S3ARN = "arn:aws:s3:::data/in/part"
			}
			u.Role = x.RoleKey
			u.First = s.Window.From.Add(time.Duration(r.Int64N(int64(s.Window.To.Sub(s.Window.From)))))
			u.Last = u.First
			u.Who.SourceIdentity = pick("", "", "ana")
			s.Usage = append(s.Usage, u)
		}
		for k := range r.IntN(4) {
			j := completedJob(fmt.Sprintf("%s-%s-%03d", name, pick("a", "b", "c"), k))
			j.RoleARN, j.Image = x.ARN, "123456789012.dkr.ecr.us-east-1.amazonaws.com/"+pick("one", "two")+":1"
			j.Channels[0].URI = "s3://" + pick("data", "more") + "/in/"
			j.CreatedAt = s.JobsWindow.From.Add(time.Duration(r.Int64N(int64(s.JobsWindow.To.Sub(s.JobsWindow.From)))))
			s.Jobs = append(s.Jobs, j)
		}
	}
	switch r.IntN(12) {
	case 0:
		s.OtherRoles = nil
	case 1:
		s.Gaps = append(s.Gaps, snapshot.Gap{Source: "iam:ListRoles", Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonThrottled})
		s.OtherRoles = nil
	case 2:
		s.Gaps = append(s.Gaps, snapshot.Gap{Source: "sagemaker:Search", Region: "us-east-1", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused})
	case 3:
		s.Asked.Usage, s.Usage = "none", nil
	case 4:
		s.Asked.Roles, s.OtherRoles = []string{"role0", "role1"}, nil
	default:
		if s.OtherRoles == nil {
			s.OtherRoles = []snapshot.RoleKey{}
		}
	}
	s.Sort()
	return s
}

// driftPair are two such accounts: unrelated, or the second with a few differences of
// the first.
func driftPair(r *rand.Rand) (a, b *snapshot.Snapshot) {
	a = driftSide(r, now)
	b = driftSide(r, now.AddDate(0, 0, r.IntN(4)*10))
	if r.IntN(2) == 0 {
		n := nextDay(a)
		k := r.IntN(3)
		for i := range min(k, len(n.Roles)) {
			n.Roles[i] = a.Roles[i]
			for j := range b.Roles {
				if b.Roles[j].ARN == n.Roles[i].ARN {
					n.Roles[i] = b.Roles[j]
				}
			}
		}
		if r.IntN(2) == 0 {
			n.Policies = b.Policies
		}
		n.Sort()
		b = n
	}
	return a, b
}

// mirror is a change as it reads when the two snapshots change places: the kind's mirror
// by the table of drift_cause.go, widens for narrows, before for after. What is seen of
// a role has ageing out for its mirror.
func mirror(x report.Change) report.Change {
	kind := x.Kind
	if m, ok := mirrored[kind]; ok {
		kind = m
	} else if kind == report.UseAgedOut {
		kind = newKind[x.SubjectKind]
	}
	effect := func(e report.Effect) report.Effect {
		switch e {
		case report.Widens:
			return report.Narrows
		case report.Narrows:
			return report.Widens
		}
		return e
	}
	x.Kind, x.Effect, x.RoleEffect = kind, effect(x.Effect), effect(x.RoleEffect)
	x.Before, x.After = x.After, x.Before
	x.Newly, x.NoLonger = x.NoLonger, x.Newly
	return x
}

// mirrorText is what the mirror is about: all but the words, the severity, which is of
// what is newly allowed, and who did it.
func mirrorText(x report.Change) string {
	if x.Kind == report.RoleRecreated {
		x.RoleID = "" // of the present role
	}
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%s -> %s|%+v|%+v|%v %d", x.Role, x.RoleID, x.Kind, x.SubjectKind, x.Subject, x.Effect, x.RoleEffect,
		x.Before, x.After, x.Newly, x.NoLonger, x.Roles, x.RolesTotal)
}

func driftWorlds() int {
	if testing.Short() {
		return 100
	}
	return 250
}

func TestDriftMirrors(t *testing.T) {
	kinds := map[report.ChangeKind]int{}
	for seed := range driftWorlds() {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		a, b := driftPair(r)
		there, back := drifted(t, a, b), drifted(t, b, a)
		var want, got []string
		for _, x := range there.Changes {
			kinds[x.Kind]++
			want = append(want, mirrorText(mirror(x)))
		}
		for _, x := range back.Changes {
			got = append(got, mirrorText(x))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: the way back is no mirror:\n%s\nwant\n%s", seed, strings.Join(except(got, want), "\n"), strings.Join(except(want, got), "\n"))
		}
		open := func(d *report.Drift, swap bool) (out []string) {
			for _, u := range d.Unknown {
				side := u.Side
				if swap && side != report.SideBoth {
					side = map[string]string{report.SideBaseline: report.SideCurrent, report.SideCurrent: report.SideBaseline}[side]
				}
				out = append(out, fmt.Sprint(u.Role, u.What, side, u.Why))
			}
			slices.Sort(out)
			return out
		}
		if x, y := open(there, true), open(back, false); !slices.Equal(x, y) {
			t.Fatalf("seed %d: not compared:\n%s\nthe way back\n%s", seed, strings.Join(except(x, y), "\n"), strings.Join(except(y, x), "\n"))
		}
	}
	for _, k := range report.ChangeKinds {
		if kinds[k] == 0 {
			t.Errorf("no world has %s", k)
		}
	}
	t.Log(kinds)
}

func except(list, others []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(others, s) })
}

func TestDriftOfItselfIsEmpty(t *testing.T) {
	for seed := range driftWorlds() {
		r := rand.New(rand.NewPCG(uint64(seed), 8))
		a := driftSide(r, now)
		if d := drifted(t, reread(t, a), reread(t, a)); !d.Empty() {
			t.Fatalf("seed %d: %s", seed, words(d))
		}
		// And without the look whether the two are one.
		if d := compare(a, a); d.ChangesTotal > 0 || len(d.Tool) > 0 {
			t.Fatalf("seed %d: %s", seed, words(d))
		}
		w := wideWorld(r)
		if d := drifted(t, w, w); !d.Empty() {
			t.Fatalf("seed %d: %s", seed, words(d))
		}
		if d := compare(w, w); d.ChangesTotal > 0 {
			t.Fatalf("seed %d: %s", seed, words(d))
		}
	}
}

// reread is the snapshot as a file gives it.
func reread(t *testing.T, s *snapshot.Snapshot) *snapshot.Snapshot {
	t.Helper()
	var b bytes.Buffer
	if err := snapshot.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	n, err := snapshot.Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// No false all-clear: where some request is certainly allowed that certainly was not,
// a change of the role widens, or may.
func TestDriftMissesNoWidening(t *testing.T) {
	resources := []string{"arn:aws:s3:::data/x/y", "arn:aws:s3:::data/a", "arn:aws:s3:::secret/a", "arn:aws:s3:::else/a"}
	requests := 0
	for seed := range driftWorlds() {
		a, b := driftPair(rand.New(rand.NewPCG(uint64(seed), 9)))
		d := drifted(t, a, b)
		c := &comparison{base: newHalf(a, ""), current: newHalf(b, ""), judge: newGrantJudge()}
		for arn, was := range c.base.roles {
			is := c.current.roles[arn]
			if is == nil || len(was.Unread)+len(is.Unread) > 0 {
				continue
			}
			before, k := c.fullGrant(c.base, was)
			after, _ := c.fullGrant(c.current, is)
			if before.open || after.open {
				continue
			}
			bs, as := before.stack(), after.stack()
			for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "iam:PassRole", "ecr:GetAuthorizationToken", "ecr:DeleteRepository", "sqs:SendMessage"} {
				for _, resource := range resources {
					switch serviceOf(action) {
					case "iam":
						resource = "arn:aws:iam::123456789012:role/x"
					case "ecr":
						resource = "arn:aws:ecr:us-east-1:123456789012:repository/x"
					case "sqs":
						resource = "arn:aws:sqs:us-east-1:123456789012:q"
					}
					if action == "ecr:GetAuthorizationToken" {
						resource = "*"
					}
					q := policy.Request{Principal: k.principal, Action: action, Resource: resource, Context: policy.Context{}}
					if as.Decide(q, policy.Must).Outcome != policy.Allowed || bs.Decide(q, policy.May).Outcome == policy.Allowed {
						continue
					}
					requests++
					if !slices.ContainsFunc(d.Changes, func(x report.Change) bool {
						return x.Effect.Widens() && (x.Role == arn || slices.Contains(x.Roles, arn))
					}) {
						t.Fatalf("seed %d: %s may now %s on %s, and no change widens:%s", seed, arn, action, resource, words(d))
					}
				}
			}
		}
	}
	if requests < 50 {
		t.Errorf("only %d requests were newly allowed", requests)
	}
}

// The same of trust policies: who is certainly let in and certainly was not.
func TestDriftMissesNoTrust(t *testing.T) {
	pool := append(slices.Clone(trustPool),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"sts:AssumeRole"},{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::999988887777:role/x"},"Action":"sts:AssumeRole"}]}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"sts:AssumeRole"}}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:*"}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::999988887777:role/x","arn:aws:iam::123456789012:user/ana"]},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}`,
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:role/x"},"NotAction":"sts:TagSession"}]}`)
	var principals []policy.Principal
	for _, arn := range []string{"arn:aws:iam::999988887777:role/x", "arn:aws:iam::999988887777:role/y", "arn:aws:iam::111122223333:role/z", "arn:aws:iam::123456789012:user/ana"} {
		p, err := policy.ParsePrincipal(arn)
		if err != nil {
			t.Fatal(err)
		}
		principals = append(principals, p)
	}
	let := 0
	for _, before := range pool {
		for _, after := range pool {
			c := &comparison{judge: newGrantJudge()}
			j := c.judgeTrust(before, after)
			back := c.judgeTrust(after, before)
			if m := mirror(report.Change{Effect: j.effect, Newly: j.newly, NoLonger: j.noLonger}); m.Effect != back.effect || fmt.Sprint(m.Newly, m.NoLonger) != fmt.Sprint(back.newly, back.noLonger) {
				t.Errorf("no mirror: %s\n%s\n%+v\n%+v", before, after, j, back)
			}
			b, n := c.judge.held(before, "trust", "", "", ""), c.judge.held(after, "trust", "", "", "")
			if b.document == nil || n.document == nil {
				continue
			}
			for _, p := range principals {
				for _, action := range []string{"sts:AssumeRole", "sts:TagSession"} {
					decide := func(h *heldPolicy, side policy.Side) policy.Outcome {
						trust := h.layer(policy.LayerResource)
						s := policy.Stack{Identity: everything, Resource: &trust}
						return s.Decide(policy.Request{Principal: p, Action: action, Resource: roleARN, ResourceAccount: account}, side).Outcome
					}
					if decide(n, policy.Must) == policy.Allowed && decide(b, policy.May) != policy.Allowed {
						let++
						if !j.effect.Widens() {
							t.Errorf("%s may %s under %s, not under %s: %+v", p.ARN, action, after, before, j)
						}
					}
				}
			}
		}
	}
	if let < 20 {
		t.Errorf("only %d were newly let in", let)
	}
}
