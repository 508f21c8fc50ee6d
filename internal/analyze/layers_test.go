package analyze

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	bucketData = "arn:aws:s3:::data"
	keyK       = "arn:aws:kms:us-east-1:123456789012:key/k"
)

func scp(t *testing.T, level int, text string) GivenPolicy {
	t.Helper()
	g, err := ParseSCP(level, fmt.Sprintf("level-%d.json", level), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func judgedUnder(t *testing.T, s *snapshot.Snapshot, given ...GivenPolicy) *report.Role {
	t.Helper()
	r, err := Analyze(s, Options{Given: given})
	if err != nil {
		t.Fatal(err)
	}
	sumLaw(t, r)
	return &r.Roles[0]
}

// cellOf finds the cell of an action on a resource that is not the rest.
func cellOf(t *testing.T, r *report.Role, action, resource string) report.JudgedCell {
	t.Helper()
	i := slices.IndexFunc(r.Cells, func(c report.JudgedCell) bool { return c.Action == action && c.Resource == resource && !c.Rest })
	if i < 0 {
		t.Fatalf("no cell of %s on %s", action, resource)
	}
	return r.Cells[i]
}

// What a given service control policy refuses is no grant any more, and its refusals
// are explained by its statement.
func TestGivenSCP(t *testing.T) {
	denied := func() *snapshot.Snapshot {
		s := world(allow("sqs:*", "*"))
		u := use("sqs.amazonaws.com", "CreateQueue", "AccessDenied")
		u.Denial = snapshot.Denial{Action: "sqs:CreateQueue", Resource: "arn:aws:sqs:us-east-1:123456789012:q", Layer: "scp", Explicit: true}
		s.Usage = append(s.Usage, u)
		return s
	}
	const queue = "arn:aws:sqs:us-east-1:123456789012:q"
	free := judgedUnder(t, denied())
	if c := cellOf(t, free, "sqs:CreateQueue", queue); c.Verdict != report.VerdictBlocked || c.Effective != "yes" || c.Layers.SCP != layerNotRead || free.Layers.SCP != layerNotRead || free.Counts.Blocked != 1 {
		t.Errorf("told by the message alone: %+v", c)
	}
	full := scp(t, 0, allow("*", "*"))
	limited := judgedUnder(t, denied(), full, scp(t, 1, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NoQueues","Effect":"Deny","Action":"sqs:CreateQueue","Resource":"*"}]}`))
	c := cellOf(t, limited, "sqs:CreateQueue", queue)
	if c.Verdict != report.VerdictBlocked || c.Granted != "yes" || c.Effective != "no" || c.Layers.SCP != "no" || limited.Layers.SCP != layerRead || !strings.Contains(c.Reason, "level-1.json, statement 2 (NoQueues)") {
		t.Errorf("refused by a Deny: %+v", c)
	}
	if limited.Counts.Blocked != 0 || limited.Counts.Granted != free.Counts.Granted-1 || limited.Granted.Identity != free.Granted.Identity {
		t.Errorf("counts %+v, without it %+v", limited.Counts, free.Counts)
	}
	c = cellOf(t, judgedUnder(t, denied(), scp(t, 0, allow("s3:*", "*")), scp(t, 1, allow("*", "*"))), "sqs:CreateQueue", queue)
	if c.Verdict != report.VerdictBlocked || c.Effective != "no" || !strings.Contains(c.Reason, "level 0 (level-0.json), none of which allows it") {
		t.Errorf("refused for want of an Allow: %+v", c)
	}
	// One that does not refuse it cannot be what the message speaks of.
	c = cellOf(t, judgedUnder(t, denied(), full), "sqs:CreateQueue", queue)
	if c.Verdict != report.VerdictBlocked || c.Effective != "yes" || !strings.Contains(c.Reason, "what was read of that layer does not refuse it") {
		t.Errorf("not refused by what was given: %+v", c)
	}
	// A Deny by region is decided where the resource names its own.
	west := `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"eu-west-1"}}}]}`
	if c = cellOf(t, judgedUnder(t, denied(), scp(t, 0, west)), "sqs:CreateQueue", queue); c.Effective != "no" || c.Layers.SCP != "no" {
		t.Errorf("in another region than the policy allows: %+v", c)
	}
}

func TestParseGiven(t *testing.T) {
	long := allow("*", "arn:aws:s3:::"+strings.Repeat("x", quotaSCP))
	for text, want := range map[string]string{
		"":                            "no policy document",
		`{"Statement":[]}`:            "without a statement",
		`{"Policy":{"Content":"{}"}}`: "no policy document",
		allow("*", "*") + "x":         "no policy document",
		long:                          "a service control policy has 10240 at most",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}`: "has a Principal",
	} {
		if _, err := ParseSCP(0, "f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("SCP %.60s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		allow("*", "*"): "has no Principal",
		`{"Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"arn:aws:s3:::` + strings.Repeat("x", quotaRCP) + `"}}`: "a resource control policy has 5120 at most",
	} {
		if _, err := ParseRCP("f", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("RCP %.60s: %v", text, err)
		}
	}
}

// A resource control policy binds the organization's resources, not another account's.
func TestGivenRCP(t *testing.T) {
	g, err := ParseRCP("rcp.json", []byte(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"ecr:*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	s := world(allow("ecr:*", "*"))
	own, foreign := completedJob("a"), completedJob("b")
	foreign.Image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/train:1"
	s.Jobs = []snapshot.Job{own, foreign}
	r := judgedUnder(t, s, g)
	c := cellOf(t, r, "ecr:BatchGetImage", "arn:aws:ecr:us-east-1:123456789012:repository/train")
	if c.Verdict != report.VerdictBlocked || c.Layers.RCP != "no" || r.Layers.RCP != layerRead || !strings.Contains(c.Reason, "resource control policy rcp.json") {
		t.Errorf("own repository: %+v", c)
	}
	if c = cellOf(t, r, "ecr:BatchGetImage", "arn:aws:ecr:us-east-1:763104351884:repository/train"); c.Verdict == report.VerdictBlocked || c.Layers.RCP != layerNone {
		t.Errorf("another account's: %+v", c)
	}
}

func bucketPolicy(effect, principal, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":%q,"Principal":{"AWS":%q},"Action":%q,"Resource":%q}]}`, effect, principal, action, resource)
}

// What the policy of a bucket or key does to the verdict of a need or use.
func TestResourcePolicies(t *testing.T) {
	need := func(identity string) *snapshot.Snapshot {
		s := world(identity)
		s.Jobs = []snapshot.Job{completedJob("a")}
		return s
	}
	used := func(identity string) *snapshot.Snapshot {
		s := need(identity)
		u := use("kms.amazonaws.com", "Decrypt", "")
		u.Params.S3ARN = "arn:aws:s3:::data/in/part-1"
		s.Usage = append(s.Usage, u)
		return s
	}
	const objects = "arn:aws:s3:::data/in/*"
	for _, tt := range []struct {
		name      string
		world     *snapshot.Snapshot
		policy    *string // of the bucket; nil: not read
		verdict   report.Verdict
		effective string
		layer     string
		reason    string
		rule      string // a finding that there is, "-" none of rule-contradicted
	}{
		{"not read", need(allow("ecr:*", "*")), nil, report.VerdictContradicted, "no", layerNotRead, "another policy grants it, or the rule is wrong", "rule-contradicted"},
		{"no policy", need(allow("ecr:*", "*")), ptr(""), report.VerdictContradicted, "no", layerNone, "another policy grants it, or the rule is wrong", "rule-contradicted"},
		{"allows a need", need(allow("ecr:*", "*")), ptr(bucketPolicy("Allow", roleARN, "s3:GetObject", bucketData+"/*")), report.VerdictContradicted, "yes", "yes", "the bucket policy of data allows it (statement 1 (S))", "-"},
		{"allows a use", used(allow("ecr:*", "*")), ptr(bucketPolicy("Allow", roleARN, "s3:GetObject", bucketData+"/*")), report.VerdictForeign, "yes", "yes", "no policy of the role grants it: the bucket policy of data allows it (statement 1 (S))", "resource-policy-grant"},
		{"silent about a use", used(allow("ecr:*", "*")), ptr(bucketPolicy("Allow", roleARN, "s3:PutObject", bucketData+"/*")), report.VerdictForeign, "no", layerNone, "nor does the bucket policy of data", "-"},
		{"the account alone", need(allow("ecr:*", "*")), ptr(bucketPolicy("Allow", "arn:aws:iam::123456789012:root", "s3:GetObject", bucketData+"/*")), report.VerdictContradicted, "no", layerNone, "another policy grants it", "rule-contradicted"},
		{"denies a need", need(allow("s3:*", "*")), ptr(bucketPolicy("Deny", "*", "s3:GetObject", bucketData+"/*")), report.VerdictBlocked, "no", "no", "refused by the bucket policy of data, statement 1 (S)", "blocked-permission"},
		{"denies a part of a need", need(allow("s3:*", "*")), ptr(bucketPolicy("Deny", "*", "s3:GetObject", bucketData+"/in/secret/*")), report.VerdictRequired, "yes", "", "granted on a part of it only", ""},
		{"denies what was used", used(allow("s3:*", "*")), ptr(bucketPolicy("Deny", "*", "s3:GetObject", bucketData+"/*")), report.VerdictBlocked, "no", "no", "the bucket policy of data, statement 1 (S)", ""},
		{"denies over TLS alone", need(allow("s3:*", "*")), ptr(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`), report.VerdictRequired, "yes", layerNone, "", ""},
		{"may deny", need(allow("s3:*", "*")), ptr(`{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"v"}}}}`), report.VerdictRequired, "conditional", "conditional", "may be refused by the bucket policy of data (under a condition on aws:SourceVpce)", ""},
		{"does not parse", need(allow("s3:*", "*")), ptr(`{`), report.VerdictRequired, "yes", layerNotRead, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.policy != nil {
				tt.world.Resources = []snapshot.ResourcePolicy{{ARN: bucketData, Document: *tt.policy}}
			}
			full := analyzed(t, tt.world)
			sumLaw(t, full)
			c := cellOf(t, &full.Roles[0], "s3:GetObject", objects)
			if c.Verdict != tt.verdict || c.Effective != tt.effective || tt.layer != "" && c.Layers.Resource != tt.layer || !strings.Contains(c.Reason, tt.reason) {
				t.Errorf("%s, effective %s, layers %+v: %s", c.Verdict, c.Effective, c.Layers, c.Reason)
			}
			has := func(rule string) bool {
				return slices.ContainsFunc(full.Findings, func(f report.Finding) bool { return f.Rule == rule && strings.Contains(f.Subject, "s3:GetObject") })
			}
			if tt.rule == "-" && has("rule-contradicted") || tt.rule != "" && tt.rule != "-" && !has(tt.rule) {
				t.Errorf("finding %s", tt.rule)
			}
			if p := full.Roles[0].Proposal; tt.verdict == report.VerdictForeign && p != nil {
				for _, doc := range p.Policies {
					if strings.Contains(string(doc.Document), "s3:GetObject") {
						t.Error("what another policy grants is proposed")
					}
				}
			}
			read := slices.ContainsFunc(full.Gaps, func(g report.Gap) bool { return g.Scope == bucketData })
			if broken := tt.policy != nil && *tt.policy == "{"; read != broken || broken && !full.Complete {
				t.Errorf("gaps %+v", full.Gaps)
			}
		})
	}
}

func ptr(s string) *string { return &s }

// A key's policy must allow, be it by leaving the decision to the account.
func TestKeyPolicies(t *testing.T) {
	for _, tt := range []struct {
		name, principal string
		verdict         report.Verdict
		effective       string
		action          report.Verdict
	}{
		{"the account", "arn:aws:iam::123456789012:root", report.VerdictRequired, "yes", report.VerdictRequired},
		{"the role", roleARN, report.VerdictRequired, "yes", report.VerdictRequired},
		{"another role", "arn:aws:iam::123456789012:role/other", report.VerdictBlocked, "no", report.VerdictBlocked},
	} {
		s := world(allow("kms:*", keyK))
		j := completedJob("a")
		j.Output.KMSKey = keyK
		s.Jobs = []snapshot.Job{j}
		s.Resources = []snapshot.ResourcePolicy{{ARN: keyK, Document: bucketPolicy("Allow", tt.principal, "kms:*", "*")}}
		a := newAudit(s)
		judged := a.judge(subjects(s)[0])
		r := judgedUnder(t, s)
		c := cellOf(t, r, "kms:GenerateDataKey", keyK)
		if c.Verdict != tt.verdict || c.Effective != tt.effective || judged.actions.of("kms:GenerateDataKey").verdict != tt.action {
			t.Errorf("%s: %s %s, the action %s: %s", tt.name, c.Verdict, c.Effective, judged.actions.of("kms:GenerateDataKey").verdict, c.Reason)
		}
	}
}

func TestResourceLayer(t *testing.T) {
	s := world(allow("s3:*", "*"))
	j := completedJob("a")
	j.Output.URI, j.Artifact = "s3://models/out/", "s3://models/out/a/output/model.tar.gz"
	s.Jobs = []snapshot.Job{j}
	for _, want := range []string{layerNotRead, layerPartly, layerRead} {
		if got := judgedUnder(t, s).Layers.Resource; got != want {
			t.Errorf("with %d policies: %s, want %s", len(s.Resources), got, want)
		}
		s.Resources = append(s.Resources, snapshot.ResourcePolicy{ARN: []string{bucketData, "arn:aws:s3:::models", ""}[len(s.Resources)]})
	}
}

// A policy that was not read blocks nothing; and whatever is given, the sums hold and
// the identity grant stays.
func TestLayersOfRandomWorlds(t *testing.T) {
	for i := range 25 {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		pick := func(list ...string) string { return list[r.IntN(len(list))] }
		s := randomWorld(r)
		before := analyzed(t, s)
		var given []GivenPolicy
		for level := range r.IntN(3) {
			given = append(given, scp(t, level, allow(pick("*", "s3:*", "ecr:*"), pick("*", "arn:aws:s3:::data/*"))))
		}
		after, err := Analyze(s, Options{Given: given})
		if err != nil {
			t.Fatal(err)
		}
		sumLaw(t, after)
		for k := range after.Roles {
			x, y := &before.Roles[k], &after.Roles[k]
			if x.Granted.Identity != y.Granted.Identity || y.Granted.Effective > x.Granted.Effective {
				t.Errorf("world %d: granted %+v, under service control policies %+v", i, x.Granted, y.Granted)
			}
		}
		s.Resources = []snapshot.ResourcePolicy{{ARN: bucketData, Document: bucketPolicy(pick("Allow", "Deny"), pick(roleARN, "*", "arn:aws:iam::123456789012:root"), pick("s3:*", "s3:GetObject"), pick("*", bucketData+"/in/*"))}}
		with, err := Analyze(s, Options{Given: given})
		if err != nil {
			t.Fatal(err)
		}
		sumLaw(t, with)
		for k := range with.Roles {
			if x, y := after.Roles[k].Granted, with.Roles[k].Granted; !reflect.DeepEqual(x, y) {
				t.Errorf("world %d: a bucket's policy changed the grant: %+v, %+v", i, x, y)
			}
			for _, c := range with.Roles[k].Cells {
				if c.Layers.Resource == "no" && !strings.HasPrefix(c.Resource, bucketData) {
					t.Errorf("world %d: %s on %s is refused by a policy that was not read", i, c.Action, c.Resource)
				}
			}
		}
	}
}
