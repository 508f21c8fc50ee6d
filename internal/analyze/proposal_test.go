package analyze

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// documentsOf are a proposal's policies, parsed.
func documentsOf(t *testing.T, p *report.Proposal) []policy.Policy {
	t.Helper()
	var out []policy.Policy
	for _, x := range p.Policies {
		d, err := policy.Parse(x.Document)
		if err != nil {
			t.Fatalf("a proposal that does not parse: %v\n%s", err, x.Document)
		}
		out = append(out, policy.Policy{Layer: policy.LayerIdentity, Kind: x.Kind, Name: x.Name, Document: d})
	}
	return out
}

func identityOf(t *testing.T, r *snapshot.Role) []policy.Policy {
	t.Helper()
	var out []policy.Policy
	for _, p := range r.Inline {
		d, err := policy.Parse([]byte(p.Document))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, policy.Policy{Layer: policy.LayerIdentity, Name: p.Name, Document: d})
	}
	return out
}

var optionSets = []ProposalOptions{{}, {ByBucket: true}, {Strict: true}, {KeepUnobservable: true}, {AddMissing: true}, {Reference: true}, {ByBucket: true, AddMissing: true}}

// TestProposals: over random configurations, usage and present grants a proposal
// covers what is held, widens nothing and holds nothing superfluous; none is refuted,
// and none is called proven that is not.
func TestProposals(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	statuses := map[string]int{}
	catalog := policy.NewExpander(actions.Load())
	for i := range worlds(90) {
		s := wideWorld(r)
		o := Options{Proposal: optionSets[i%len(optionSets)]}
		rep, err := Analyze(s, o)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Analyze(s, o)
		p := rep.Role(roleARN).Proposal
		if first, second := marshal(t, p), marshal(t, again.Role(roleARN).Proposal); first != second {
			t.Fatalf("world %d: two proposals of one snapshot", i)
		}
		statuses[p.Proof.Status]++
		where := fmt.Sprintf("world %d, %+v", i, o.Proposal)
		switch p.Proof.Status {
		case statusRefuted:
			t.Fatalf("%s: refuted: %q\n%s", where, p.Proof.Counterexamples, marshal(t, p.Policies))
		case statusProven:
			t.Fatalf("%s: proven, though other users of the role were not read", where)
		}
		if len(p.Policies) == 0 {
			continue
		}
		decided := map[string]*bool{"covers": p.Proof.Covers, "widensNothing": p.Proof.WidensNothing, "irredundant": p.Proof.Irredundant}
		if p.Proof.Status == statusUndecided {
			if p.Proof.Covers != nil && p.Proof.WidensNothing != nil {
				t.Errorf("%s: undecided, and everything is decided: %q", where, p.Proof.Reasons)
			}
			maps.DeleteFunc(decided, func(_ string, ok *bool) bool { return ok == nil })
		}
		for name, ok := range decided {
			if ok == nil || !*ok {
				t.Errorf("%s: %s does not hold: %q %q\n%s", where, name, p.Proof.Reasons, p.Proof.Counterexamples, marshal(t, p.Policies))
			}
		}
		documents := documentsOf(t, p)
		// By the engine's own question, on what is written: with nothing added it widens
		// nothing.
		if !o.Proposal.AddMissing {
			if a := catalog.WidensNothing(documents, identityOf(t, &s.Roles[0]), policy.Offline(policy.Facts{Principal: policy.Principal{ARN: roleARN, Account: account}})); a.Truth == policy.False {
				t.Fatalf("%s: it widens today's grant: %s", where, a)
			}
		}
		for _, d := range documents {
			if limit := map[string]int{"inline": policy.QuotaRoleInline, "managed": policy.QuotaManagedPolicy}[d.Kind]; d.Document.Size() > limit {
				t.Errorf("%s: %s has %d characters", where, d.Name, d.Document.Size())
			}
			for _, st := range d.Document.Statements() {
				checkForm(t, where, st, o.Proposal)
			}
		}
	}
	t.Logf("statuses %v", statuses)
	if statuses[statusPartial] < worlds(50) {
		t.Error("too few proposals came to a conclusion")
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkForm: no S3 action holds a wildcard, and an S3 resource only one, at its end.
// What is kept as it is granted today has today's form.
func checkForm(t *testing.T, where string, st *policy.Statement, o ProposalOptions) {
	t.Helper()
	if st.Effect == policy.Deny || o.KeepUnobservable {
		return
	}
	for _, action := range st.Actions {
		if strings.ContainsAny(action, "*?") {
			t.Errorf("%s: action %s", where, action)
		}
	}
	for _, r := range st.Resources {
		if _, rest, ok := strings.Cut(r, ":s3:::"); ok && !st.NotResource {
			bucket, key, _ := strings.Cut(rest, "/")
			if strings.ContainsAny(bucket, "*?") || strings.ContainsAny(strings.TrimSuffix(stripEscapes(key), "*"), "*?") {
				t.Errorf("%s: resource %s", where, r)
			}
		}
	}
}

// TestProposalIsAFixedPoint: a role that has the proposal is proposed the same, and
// nothing of it is unused.
func TestProposalIsAFixedPoint(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	checked := 0
	for i := range worlds(90) {
		s := wideWorld(r)
		s.Roles[0].Boundary = ""
		p := analyzed(t, s).Role(roleARN).Proposal
		if len(p.Policies) != 1 || len(p.Review) > 0 {
			continue
		}
		checked++
		s.Roles[0].Inline = []snapshot.InlinePolicy{{Name: proposalName, Document: string(p.Policies[0].Document)}}
		s.Policies = nil
		role := analyzed(t, s).Role(roleARN)
		if role.Unused.Count > 0 {
			t.Fatalf("world %d: of the proposal %v is unused\n%s", i, role.Unused.Services, p.Policies[0].Document)
		}
		if role.Proposal == nil || len(role.Proposal.Policies) != 1 {
			t.Fatalf("world %d: nothing is proposed to a role that has the proposal", i)
		}
		got, want := documentsOf(t, role.Proposal), documentsOf(t, p)
		e := policy.NewExpander(actions.Load())
		known := policy.Offline(policy.Facts{Principal: policy.Principal{ARN: roleARN, Account: account}})
		if string(role.Proposal.Policies[0].Document) != string(p.Policies[0].Document) &&
			(e.WidensNothing(got, want, known).Truth != policy.True || e.WidensNothing(want, got, known).Truth != policy.True) {
			t.Fatalf("world %d: another proposal:\n%s\nafter\n%s", i, role.Proposal.Policies[0].Document, p.Policies[0].Document)
		}
	}
	if checked < worlds(25) {
		t.Errorf("only %d worlds had one policy proposed", checked)
	}
}

// TestProofFindsFaults: a proof that a broken proposal passes is none.
func TestProofFindsFaults(t *testing.T) {
	deny := `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:DeleteObject","Resource":"*"}}`
	s := world(allow("ecr:*", "*"), allow("s3:*", "arn:aws:s3:::data*"), allow("logs:*", "*"), deny)
	s.Jobs = []snapshot.Job{completedJob("a"), completedJob("b")}
	a := newAudit(s)
	j := a.judge(subjects(s)[0])
	fresh := func() *plan { return a.plan(j) }
	prove := func(p *plan) report.Proof {
		var specs []policy.Spec
		for _, st := range p.statements {
			specs = append(specs, st.spec)
		}
		d, err := policy.Build(specs...)
		if err != nil {
			t.Fatal(err)
		}
		return a.prove(j, p, []*policy.Document{d})
	}
	sound := prove(fresh())
	if sound.Status != statusPartial || !*sound.Covers || !*sound.WidensNothing || !*sound.Irredundant {
		t.Fatalf("the sound proposal: %+v", sound)
	}
	find := func(p *plan, sid string) *planned {
		i := slices.IndexFunc(p.statements, func(st planned) bool { return st.spec.Sid == sid })
		return &p.statements[i]
	}
	for name, tt := range map[string]struct {
		damage func(p *plan)
		broken func(report.Proof) bool
	}{
		"a statement dropped": {func(p *plan) { p.statements = p.statements[1:] }, func(f report.Proof) bool { return !*f.Covers }},
		"an action dropped":   {func(p *plan) { st := find(p, "ECRImagePull"); st.spec.Actions = st.spec.Actions[1:] }, func(f report.Proof) bool { return !*f.Covers }},
		"a resource narrowed": {func(p *plan) { find(p, "S3ReadData").spec.Resources = []string{"arn:aws:s3:::data/in/x*"} }, func(f report.Proof) bool { return !*f.Covers }},
		"a condition added": {func(p *plan) {
			find(p, "S3ReadData").spec.Conditions = []policy.ConditionSpec{{Operator: "Bool", Key: "aws:SecureTransport", Values: []policy.Value{{Text: "true"}}}}
		}, func(f report.Proof) bool { return !*f.Covers }},
		"a bucket added": {func(p *plan) {
			st := find(p, "S3ReadData")
			st.spec.Resources = append(st.spec.Resources, "arn:aws:s3:::other/*")
		}, func(f report.Proof) bool { return !*f.WidensNothing }},
		"a wildcard added": {func(p *plan) { find(p, "S3ReadData").spec.Resources = []string{"arn:aws:s3:::*"} }, func(f report.Proof) bool { return !*f.WidensNothing }},
		"an action added": {func(p *plan) {
			st := find(p, "S3ReadData")
			st.spec.Actions = append(st.spec.Actions, "sqs:CreateQueue")
		}, func(f report.Proof) bool { return !*f.WidensNothing }},
		"a Deny dropped": {func(p *plan) { p.statements = p.statements[:len(p.statements)-1] }, func(f report.Proof) bool { return f.Status == statusUndecided || f.Status == statusRefuted }},
		"more than is needed": {func(p *plan) {
			st := find(p, "S3ReadData")
			st.spec.Actions = append(st.spec.Actions, "s3:GetObjectAcl")
		}, func(f report.Proof) bool { return !*f.Irredundant }},
		"a resource repeated": {func(p *plan) {
			st := find(p, "S3ReadData")
			st.spec.Resources = append(st.spec.Resources, "arn:aws:s3:::data/in/2*")
		}, func(f report.Proof) bool { return !*f.Irredundant }},
		"a statement repeated": {func(p *plan) {
			st := *find(p, "S3ReadData")
			st.spec.Sid = "Again"
			p.statements = append(p.statements, st)
		}, func(f report.Proof) bool { return !*f.Irredundant }},
	} {
		p := fresh()
		tt.damage(p)
		if f := prove(p); !tt.broken(f) || f.Status == sound.Status && !strings.HasPrefix(f.Reasons[0], "it can be smaller") {
			t.Errorf("%s: %s, covers %v, widens nothing %v, irredundant %v, %q", name, f.Status, *f.Covers, f.WidensNothing, *f.Irredundant, f.Counterexamples)
		}
	}
}

// TestReferenceForm: the simple case of the customer's reference comes out with its
// Sids, and no wider than its table.
func TestReferenceForm(t *testing.T) {
	table, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := policy.Parse(table)
	if err != nil {
		t.Fatal(err)
	}
	s := world(allow("*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a"), completedJob("b")}
	for _, o := range []ProposalOptions{{Reference: true}, {Reference: true, ByBucket: true}} {
		rep, err := Analyze(s, Options{Proposal: o})
		if err != nil {
			t.Fatal(err)
		}
		p := rep.Role(roleARN).Proposal
		got := documentsOf(t, p)
		if a := policy.NewExpander(actions.Load()).WidensNothing(got, []policy.Policy{{Layer: policy.LayerIdentity, Document: reference}}, policy.Context{}); a.Truth != policy.True {
			t.Errorf("%+v: against the customer's table: %s", o, a)
		}
		sids := map[string]bool{}
		seen := map[string]bool{}
		for _, st := range got[0].Document.Statements() {
			sids[strings.TrimRight(st.Sid, "0123456789")] = true
			for _, action := range st.Actions {
				seen[action] = true
			}
		}
		for _, st := range reference.Statements() {
			if !sids[st.Sid] {
				t.Errorf("%+v: no Sid %s", o, st.Sid)
			}
			for _, action := range st.Actions {
				if !seen[action] {
					t.Errorf("%+v: %s is not proposed", o, action)
				}
			}
		}
		if len(sids) != len(reference.Statements()) || len(seen) != len(referenceActions) {
			t.Errorf("%+v: Sids %v, actions %v", o, sids, seen)
		}
	}
}

// TestPack: what is too long for one inline policy is split into managed ones, the
// same each time, and means the same.
func TestPack(t *testing.T) {
	var specs []policy.Spec
	for i := range 30 {
		s := policy.Spec{Sid: fmt.Sprintf("Read%d", i), Effect: policy.Allow, Actions: []string{"s3:GetObject"}}
		for k := range 12 {
			s.Resources = append(s.Resources, fmt.Sprintf("arn:aws:s3:::bucket-%02d-%02d/%s/*", i, k, strings.Repeat("prefix", 5)))
		}
		specs = append(specs, s)
	}
	long := policy.Spec{Sid: "Long", Effect: policy.Allow, Actions: []string{"s3:PutObject"}}
	for k := range 150 {
		long.Resources = append(long.Resources, fmt.Sprintf("arn:aws:s3:::long-%03d/%s/*", k, strings.Repeat("prefix", 5)))
	}
	specs = append(specs, long)
	documents, err := pack(specs)
	if err != nil {
		t.Fatal(err)
	}
	if len(documents) < 3 {
		t.Fatalf("%d documents", len(documents))
	}
	count := map[string]int{}
	for _, d := range documents {
		if d.Size() > policy.QuotaManagedPolicy {
			t.Errorf("%d characters", d.Size())
		}
		for _, st := range d.Statements() {
			count[st.Actions[0]] += len(st.Resources)
		}
	}
	if count["s3:GetObject"] != 360 || count["s3:PutObject"] != 150 {
		t.Errorf("resources after the split: %v", count)
	}
	if one, err := pack(specs[:3]); err != nil || len(one) != 1 {
		t.Errorf("a short proposal makes %d documents, %v", len(one), err)
	}
}

// TestBacktest: what a proposal of then would have broken since.
func TestBacktest(t *testing.T) {
	dated := func(n int, change func(i int, j *snapshot.Job)) *snapshot.Snapshot {
		s := world(allow("*", "*"))
		for i := range n {
			j := completedJob(fmt.Sprintf("train-%d", 20260901+i))
			j.CreatedAt = now.AddDate(0, 0, i-n)
			j.Channels[0].URI = fmt.Sprintf("s3://data/in/2026-09-%02d/", i+1)
			j.Output.URI = "s3://data/out/" + j.Name
			j.Artifact = j.Output.URI + "/" + j.Name + "/output/model.tar.gz"
			if change != nil {
				change(i, &j)
			}
			s.Jobs = append(s.Jobs, j)
		}
		return s
	}
	for name, s := range map[string]*snapshot.Snapshot{
		"a dated prefix and an output for each job": dated(8, nil),
	} {
		for _, b := range analyzed(t, s).Role(roleARN).Proposal.Backtest {
			if b.Broken > 0 || b.Jobs+b.Replayed != 8 {
				t.Errorf("%s: %+v", name, b)
			}
		}
		// Without the hole rule each job would have been broken by the proposal before it.
		a := newAudit(s)
		a.place.exact = true
		tests := a.backtest(a.judge(subjects(s)[0]))
		if len(tests) != 3 {
			t.Fatalf("%s: %d back-tests", name, len(tests))
		}
		for _, b := range tests {
			if b.Broken != b.Replayed || len(b.Because) == 0 {
				t.Errorf("%s, without the hole rule: %+v", name, b)
			}
		}
	}
	s := dated(8, func(i int, j *snapshot.Job) {
		if i == 7 {
			j.Channels = append(j.Channels, snapshot.Channel{Name: "extra", DataType: "S3Prefix", URI: "s3://other/x/"})
		}
	})
	for _, b := range analyzed(t, s).Role(roleARN).Proposal.Backtest {
		if b.Broken != 1 || !strings.Contains(strings.Join(b.Because, "\n"), "s3:GetObject on arn:aws:s3:::other/x/*") {
			t.Errorf("a new bucket: %+v", b)
		}
	}
	if b := analyzed(t, dated(3, nil)).Role(roleARN).Proposal.Backtest; len(b) != 0 {
		t.Errorf("three jobs were back-tested: %+v", b)
	}
}

// TestIsolatedJobs: a container without credentials calls nothing, so what nobody could
// observe goes too, and user code is no open question.
func TestIsolatedJobs(t *testing.T) {
	s := world(allow("*", "*"))
	for _, name := range []string{"a", "b"} {
		j := completedJob(name)
		j.NetworkIsolation = true
		s.Jobs = append(s.Jobs, j)
	}
	open := func() (userCode, confirm bool, removed int) {
		p := analyzed(t, s).Role(roleARN).Proposal
		return slices.ContainsFunc(p.Proof.Reasons, func(r string) bool { return strings.HasPrefix(r, "User code") }), len(p.Confirm) > 0, p.RemovedTotal
	}
	if userCode, confirm, removed := open(); userCode || confirm || removed < 22000 {
		t.Errorf("isolated jobs alone: user code %v, to confirm %v, %d removed", userCode, confirm, removed)
	}
	s.Jobs[1].NetworkIsolation = false
	if userCode, confirm, removed := open(); !userCode || !confirm || removed > 20000 {
		t.Errorf("one job is not isolated: user code %v, to confirm %v, %d removed", userCode, confirm, removed)
	}
}

// TestHostileJobs: what a job's fields hold never widens the policy beyond the bucket it
// names, nor breaks it.
func TestHostileJobs(t *testing.T) {
	long := strings.Repeat("k", 1024)
	keys := []string{"*", "a*b/c", "?", "a?/b", "${aws:username}/x", "${*}", "$", "${", "a\"b", `a\b`, "a'b", "ünï/çödé/", "日本/データ", "\u202egnp/", "a\nb/", "a\tb", "../../other/x", "//double//slash",
		long, long + "/*", "arn:aws:s3:::other/*", " ", "%2A", "a b/c d/"}
	buckets := []string{"data", "arn:aws:s3:::other", "data*", "da?ta", "${aws:username}", "*", "DATA", "da ta", "data\n"}
	for _, bucket := range buckets {
		for _, key := range keys {
			s := world(allow("*", "*"))
			j := completedJob("a")
			uri := "s3://" + bucket + "/" + key
			j.Channels[0].URI, j.Output.URI, j.Checkpoint, j.Artifact = uri, uri, uri, ""
			j.S3Values = []snapshot.S3Value{{Field: "HyperParameters", Key: "sagemaker_submit_directory", URI: uri}}
			s.Jobs = []snapshot.Job{j}
			p := analyzed(t, s).Role(roleARN).Proposal
			where := fmt.Sprintf("%q", uri)
			if p.Proof.Status != statusPartial {
				t.Errorf("%s: %s %q %q", where, p.Proof.Status, p.Proof.Reasons, p.Proof.Counterexamples)
			}
			for _, d := range documentsOf(t, p) {
				for _, st := range d.Document.Statements() {
					checkForm(t, where, st, ProposalOptions{})
					for _, r := range st.Resources {
						if _, rest, ok := strings.Cut(r, ":s3:::"); ok {
							if name, _, _ := strings.Cut(rest, "/"); name != bucket {
								t.Errorf("%s: resource %q names another bucket", where, r)
							}
						}
					}
				}
			}
			for _, x := range p.Policies {
				for _, c := range string(x.Document) {
					// AWS: the characters of a policy, IAM API reference, PutRolePolicy.
					if c > 0xff || c < ' ' && c != '\n' && c != '\t' && c != '\r' {
						t.Errorf("%s: the policy holds %U", where, c)
						break
					}
				}
			}
		}
	}
}

// TestNotResourcesStayApart: of an action without resources two NotResource lists are
// kept as they are written; one list of both would grant less than either.
func TestNotResourcesStayApart(t *testing.T) {
	s := world(allow("ecr:*", "*"), `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:List*","NotResource":"arn:aws:s3:::a"},
		{"Effect":"Allow","Action":"s3:List*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::c"]}]}`)
	s.Jobs = []snapshot.Job{completedJob("a")}
	s.Usage = []snapshot.Usage{use("s3.amazonaws.com", "ListBuckets", "")}
	p := analyzed(t, s).Role(roleARN).Proposal
	var got []string
	for _, d := range p.Policies {
		document, err := policy.Parse(d.Document)
		if err != nil {
			t.Fatal(err)
		}
		for _, st := range document.Statements() {
			if st.NotResource {
				got = append(got, fmt.Sprint(st.Actions, st.Resources))
			}
		}
	}
	want := []string{"[s3:ListAllMyBuckets] [arn:aws:s3:::a]", "[s3:ListAllMyBuckets] [arn:aws:s3:::b arn:aws:s3:::c]"}
	if fmt.Sprint(got) != fmt.Sprint(want) || p.Proof.Status != statusPartial {
		t.Errorf("%q, %s %v", got, p.Proof.Status, p.Proof)
	}
}

// TestUnknownActionInPart: of an action that the catalogue lacks, used and granted in
// part, today's grant is proposed as it is written. What cannot be proposed leaves the
// proposal undecided: nothing says then that it covers what is held.
func TestUnknownActionInPart(t *testing.T) {
	const things = "arn:aws:novel:us-east-1:123456789012:thing/"
	statement := func(rest string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"novel:*",` + rest + `}}`
	}
	for _, tt := range []struct {
		grant, on string // the call's resource, empty where the record names none
		want      string // in the document, empty where the action cannot be proposed
	}{
		{statement(`"Resource":"*"`), "", `"Resource":"*"`},
		{statement(`"Resource":"` + things + `*"`), "", `"Resource":"` + things + `*"`},
		{statement(`"Resource":["` + things + `b*","` + things + `a*"]`), "", `"Resource":["` + things + `a*","` + things + `b*"]`},
		{statement(`"NotResource":"` + things + `*"`), "", `"NotResource":"` + things + `*"`},
		{statement(`"Resource":"` + things + `*","Condition":{"Bool":{"aws:SecureTransport":"true"}}`), "", `"Condition":{"Bool":{"aws:SecureTransport":"true"}}`},
		// Which of a record's resources an unknown action acts on, nothing says.
		{statement(`"Resource":"` + things + `*"`), things + "one", `"Resource":"` + things + `*"`},
		{statement(`"Resource":"arn:aws:s3:::*-things"`), "", ""},
	} {
		s := world(allow("ecr:*", "*"), tt.grant)
		s.Jobs = []snapshot.Job{completedJob("a")}
		u := use("novel.amazonaws.com", "DoThing", "")
		u.Resources = tt.on
		if strings.Contains(tt.grant, "s3") {
			u = use("s3.amazonaws.com", "DoThing", "")
			s.Roles[0].Inline[1].Document = strings.Replace(tt.grant, "novel:", "s3:Do", 1)
		}
		s.Usage = []snapshot.Usage{u}
		role := analyzed(t, s).Role(roleARN)
		p := role.Proposal
		var statements []string
		for _, d := range documentsOf(t, p) {
			for _, st := range d.Document.Statements() {
				if slices.ContainsFunc(st.Actions, func(action string) bool { return strings.HasSuffix(action, ":DoThing") }) {
					one, err := policy.Build(st.Spec())
					if err != nil {
						t.Fatal(err)
					}
					statements = append(statements, string(one.Print()))
				}
			}
		}
		got := strings.Join(statements, "\n")
		if !slices.ContainsFunc(role.Used, func(x report.Used) bool { return strings.HasSuffix(x.Action, ":DoThing") && x.Verdict == "used" }) {
			t.Errorf("%s: no use on record", tt.grant)
		}
		switch {
		case tt.want != "":
			if !strings.Contains(got, tt.want) || p.Proof.Status != statusPartial || p.Proof.Covers == nil || !*p.Proof.Covers || p.Proof.WidensNothing == nil || !*p.Proof.WidensNothing || !*p.Proof.Irredundant {
				t.Errorf("%s: proposed %s, %+v", tt.grant, got, p.Proof)
			}
		default:
			if got != "" || p.Proof.Status != statusUndecided || p.Proof.Covers != nil {
				t.Errorf("%s: held and cannot be proposed: %s, %+v", tt.grant, got, p.Proof)
			}
		}
	}
}
