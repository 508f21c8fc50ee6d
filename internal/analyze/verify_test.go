package analyze

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func edited(t testing.TB, texts ...string) []EditedPolicy {
	t.Helper()
	var out []EditedPolicy
	for i, text := range texts {
		e, err := ParseEdited(fmt.Sprintf("given-%d.json", i), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

func verify(t testing.TB, s *snapshot.Snapshot, texts ...string) *report.Verification {
	t.Helper()
	v, err := Verify(s, Options{}, "trainer", edited(t, texts...))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func todays(s *snapshot.Snapshot) []string {
	var out []string
	for _, p := range s.Roles[0].Inline {
		out = append(out, p.Document)
	}
	return out
}

// TestVerifyToday: today's own policies break nothing, widen nothing, and leave nothing
// unsure, over random policies and evidence.
func TestVerifyToday(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	held, unsure := 0, 0
	for i := range worlds(120) {
		s := wideWorld(r)
		v := verify(t, s, todays(s)...)
		held += v.Checked.Held
		if v.BrokenTotal > 0 || v.WidensTotal > 0 {
			t.Fatalf("world %d: %s: %+v %+v\n%s", i, v.Why, v.Broken, v.Widens, strings.Join(todays(s), "\n"))
		}
		if v.UnsureTotal > 0 {
			unsure++
			t.Logf("world %d: unsure: %+v\n%s", i, v.Unsure, strings.Join(todays(s), "\n"))
		}
	}
	t.Logf("%d held uses and needs in %d worlds, %d worlds unsure", held, worlds(120), unsure)
	if held < worlds(300) || unsure > 0 {
		t.Error("too few to prove anything, or today's own policies are doubted")
	}
}

// TestVerifyProposals: what is proposed to a random role passes, whatever its options,
// but for what was added on demand, which widens, and what a stricter condition leaves
// open.
func TestVerifyProposals(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	checked := 0
	for i := range 84 {
		s := wideWorld(r)
		o := optionSets[i%len(optionSets)]
		if o.Reference {
			continue
		}
		rep, err := Analyze(s, Options{Proposal: o})
		if err != nil {
			t.Fatal(err)
		}
		p := rep.Role(roleARN).Proposal
		if p == nil || len(p.Policies) == 0 {
			continue
		}
		checked++
		var texts []string
		for _, d := range p.Policies {
			texts = append(texts, string(d.Document))
		}
		v := verify(t, s, texts...)
		switch {
		case v.BrokenTotal > 0:
			t.Errorf("world %d, %+v: breaks %+v\n%s\n%s", i, o, v.Broken, strings.Join(texts, "\n"), strings.Join(todays(s), "\n"))
		case v.WidensTotal > 0 && !o.AddMissing:
			t.Errorf("world %d, %+v: widens %+v", i, o, v.Widens)
		case slices.ContainsFunc(v.Unsure, inCatalogue) && !o.Strict && p.Proof.Status != statusUndecided:
			t.Errorf("world %d, %+v: unsure %+v\n%s\n%s", i, o, v.Unsure, strings.Join(texts, "\n"), strings.Join(todays(s), "\n"))
		case v.Excess.GrantsTotal > 0 && !o.KeepUnobservable && !o.ByBucket:
			t.Errorf("world %d, %+v: beyond need %+v\n%s", i, o, v.Excess, strings.Join(texts, "\n"))
		}
	}
	if checked < 40 {
		t.Errorf("only %d proposals", checked)
	}
}

// inCatalogue: a proposal leaves out uses that no catalogue knows where today's patterns
// cross them.
func inCatalogue(u report.VerifiedUse) bool {
	_, known := actions.Load().Index(u.Action)
	return known
}

// TestVerifyEdits: what an edit does to a role of one family of jobs.
func TestVerifyEdits(t *testing.T) {
	const (
		all   = `{"Effect":"Allow","Action":["ecr:*","logs:*","cloudwatch:PutMetricData"],"Resource":"*"}`
		lists = `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}`
		reads = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/in/*"}`
		puts  = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/out/*"}`
	)
	doc := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	with := func(statement, condition string) string {
		return strings.TrimSuffix(statement, "}") + `,"Condition":` + condition + `}`
	}
	const vpce = `{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`
	s := world(doc(all, lists, reads, puts))
	s.Jobs = []snapshot.Job{completedJob("a"), completedJob("b")}
	conditional := world(doc(all, lists, with(reads, vpce), puts))
	conditional.Jobs = s.Jobs
	for name, tt := range map[string]struct {
		s              *snapshot.Snapshot
		given          string
		answer         string
		broken, unsure []string // actions
		widens         []string // kinds
		words          string
	}{
		"the same":             {s, doc(all, lists, reads, puts), "passes", nil, nil, nil, ""},
		"a statement gone":     {s, doc(all, lists, puts), "fails", []string{"s3:GetObject"}, nil, nil, "no statement of the given policies speaks of s3:GetObject"},
		"another prefix":       {s, doc(all, lists, puts, strings.Replace(reads, "data/in/", "data/in/x/", 1)), "fails", []string{"s3:GetObject"}, nil, nil, "and not on all of this"},
		"a condition put on":   {s, doc(all, lists, with(reads, vpce), puts), "unsure", nil, []string{"s3:GetObject"}, nil, "only under a condition on aws:SourceVpce (given-0.json, statement 3)"},
		"a condition known":    {s, doc(all, lists, with(reads, `{"Bool":{"aws:SecureTransport":"true"}}`), puts), "passes", nil, nil, nil, ""},
		"one known to fail":    {s, doc(all, lists, with(reads, `{"StringEquals":{"aws:PrincipalAccount":"999999999999"}}`), puts), "fails", []string{"s3:GetObject"}, nil, nil, "the condition of given-0.json, statement 3 does not hold"},
		"a Deny":               {s, doc(all, lists, reads, puts, `{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}`), "fails", []string{"s3:GetObject"}, nil, nil, "denied by given-0.json, statement 5"},
		"a Deny of a part":     {s, doc(all, lists, reads, puts, `{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::data/in/secret/*"}`), "fails", []string{"s3:GetObject"}, nil, nil, "denied in part by"},
		"a conditional Deny":   {s, doc(all, lists, reads, puts, with(`{"Effect":"Deny","Action":"s3:Get*","Resource":"*"}`, vpce)), "unsure", nil, []string{"s3:GetObject"}, nil, "a Deny's condition on aws:SourceVpce"},
		"today's condition":    {conditional, doc(all, lists, with(reads, vpce), puts), "passes", nil, nil, nil, ""},
		"an implied condition": {conditional, doc(all, lists, with(reads, `{"StringLike":{"aws:SourceVpce":"vpce-*"}}`), puts), "fails", nil, nil, []string{"condition"}, ""},
		"a condition dropped":  {conditional, doc(all, lists, reads, puts), "fails", nil, nil, []string{"condition"}, "only under a condition on aws:SourceVpce"},
		"another bucket":       {s, doc(all, lists, strings.Replace(reads, "data/in/*", "*", 1), puts), "fails", nil, nil, []string{"resource"}, "today's policies grant s3:GetObject on arn:aws:s3:::data/in/*, and not on all of this"},
		"another action":       {s, doc(all, lists, reads, puts, `{"Effect":"Allow","Action":"sqs:*","Resource":"*"}`), "fails", nil, nil, []string{"action"}, "do not grant sqs:"},
		"split in two":         {s, doc(strings.Replace(all, `,"cloudwatch:PutMetricData"`, "", 1), `{"Effect":"Allow","Action":"cloudwatch:PutMetricData","Resource":"*"}`, lists, reads, puts), "passes", nil, nil, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := verify(t, tt.s, tt.given)
			actionsOf := func(uses []report.VerifiedUse) []string {
				var out []string
				for _, u := range uses {
					out = append(out, u.Action)
				}
				return out
			}
			var kinds []string
			for _, w := range v.Widens {
				kinds = append(kinds, w.Kind)
			}
			if v.Answer != tt.answer || !slices.Equal(actionsOf(v.Broken), tt.broken) || !slices.Equal(actionsOf(v.Unsure), tt.unsure) || !slices.Equal(kinds, tt.widens) {
				t.Errorf("%s (%s), broken %v, unsure %v, widens %v", v.Answer, v.Why, actionsOf(v.Broken), actionsOf(v.Unsure), kinds)
			}
			if !strings.Contains(marshalPlain(t, v), tt.words) {
				t.Errorf("no %q in %s", tt.words, marshalPlain(t, v))
			}
		})
	}
}

func marshalPlain(t *testing.T, v any) string {
	t.Helper()
	return strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(marshal(t, v))
}

// TestVerifyEvidence: a broken use names the jobs and calls; what only the hole rule
// expects says so.
func TestVerifyEvidence(t *testing.T) {
	s := world(allow("*", "*"))
	for i := range 7 {
		j := completedJob(fmt.Sprintf("train-%d", 20260901+i))
		j.Channels[0].URI = fmt.Sprintf("s3://data/in/2026-09-%02d/", i+1)
		s.Jobs = append(s.Jobs, j)
	}
	s.Usage = []snapshot.Usage{use("sqs.amazonaws.com", "CreateQueue", "")}
	base := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ecr:*","logs:*","cloudwatch:*","s3:ListBucket","s3:PutObject"],"Resource":"*"},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":%q}]}`
	v := verify(t, s, fmt.Sprintf(base, "arn:aws:s3:::data/in/2026-09*"))
	find := func(v *report.Verification, action string) report.VerifiedUse {
		i := slices.IndexFunc(v.Broken, func(b report.VerifiedUse) bool { return b.Action == action })
		if i < 0 {
			t.Fatalf("%s is not broken: %s", action, v.Why)
		}
		return v.Broken[i]
	}
	if b := find(v, "s3:GetObject"); b.OnRecord || b.Resource != "arn:aws:s3:::data/in/*" || b.JobsTotal != 0 || b.IfMissing != "fails" {
		t.Errorf("narrower than the hole rule: %+v", b)
	}
	if b := find(v, "sqs:CreateQueue"); !b.OnRecord || b.CallsTotal != 1 || b.Calls[0].EventID != "e-CreateQueue" || !b.Used {
		t.Errorf("a call: %+v", b)
	}
	v = verify(t, s, fmt.Sprintf(base, "arn:aws:s3:::data/in/2026-09-01/*"))
	if b := find(v, "s3:GetObject"); !b.OnRecord || b.JobsTotal != 6 || len(b.Jobs) != report.MaxEvidence || !strings.HasPrefix(b.Jobs[0].Field, "InputDataConfig[train]") {
		t.Errorf("narrower than most jobs: %+v", b)
	}
}

// TestVerifyReview: what may change permissions is no duty of a policy.
func TestVerifyReview(t *testing.T) {
	s := world(allow("*", "*"))
	s.Usage = []snapshot.Usage{use("iam.amazonaws.com", "PutRolePolicy", "")}
	for given, kept := range map[string]bool{allow("s3:GetObject", "*"): false, allow("iam:PutRolePolicy", "*"): true} {
		v := verify(t, s, given)
		if len(v.Review) != 1 || v.Review[0].Action != "iam:PutRolePolicy" || v.Review[0].Kept != kept || v.BrokenTotal > 0 {
			t.Errorf("%s: %+v, broken %+v", given, v.Review, v.Broken)
		}
		if kept && v.Excess.GrantsTotal > 0 {
			t.Errorf("a reviewed use is beyond need: %+v", v.Excess)
		}
	}
}

func TestVerifyExcess(t *testing.T) {
	s := world(allow("*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a")}
	v := verify(t, s, allow("*", "*"))
	if v.Answer != report.VerifyPasses || v.Excess.Actions < 10000 || v.Excess.GrantsTotal != 2 {
		t.Errorf("%s: %d actions in %d grants", v.Why, v.Excess.Actions, v.Excess.GrantsTotal)
	}
	for _, g := range v.Excess.Grants {
		if g.Kind == report.ExcessWider && !slices.Contains(g.Needed, "arn:aws:s3:::data/in/*") {
			t.Errorf("wider than %v", g.Needed)
		}
	}
}

func TestVerifyQuestions(t *testing.T) {
	for text, want := range map[string]string{
		"": "line 1, column 1: no policy document: $: ",
		"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": 3\n}": "line 3, column 16: no policy document: $.Statement: ",
		`{"Version":"2012-10-17","Statement":[]}`:                  "without a statement",
		strings.Replace(trustSageMaker, "sts:", "sts:", 1):         "statement 1 has a Principal",
	} {
		if _, err := ParseEdited("x.json", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	s := world(allow("*", "*"))
	gone := completedJob("old")
	gone.RoleARN = "arn:aws:iam::123456789012:role/gone"
	s.Jobs = []snapshot.Job{gone}
	for role, want := range map[string]string{"": "the role is empty", "nobody": `no execution role fits "nobody"`, "gone": "IAM does not have the role gone"} {
		_, err := Verify(s, Options{}, role, edited(t, allow("*", "*")))
		if bad := (*QuestionError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", role, err)
		}
	}
	long := allow("s3:GetObject", "arn:aws:s3:::data/"+strings.Repeat("x", policy.QuotaManagedPolicy))
	if v := verify(t, s, long); len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "more than the 6144 of a managed policy") {
		t.Errorf("warnings %q", v.Warnings)
	}
	if v := verify(t, s, long, long); len(v.Warnings) != 3 {
		t.Errorf("warnings %q", v.Warnings)
	}
	s.Roles[0].Unread = []string{"inline"}
	if v := verify(t, s, allow("*", "*")); v.Answer != report.VerifyUnsure && v.Answer != report.VerifyFails {
		t.Errorf("a role that was not wholly read: %s", v.Answer)
	}
}
