package analyze

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// jsonStatement is a statement of a random policy.
type jsonStatement map[string]any

func document(statements []jsonStatement) string {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// randomCase is a role with its layers as lists of statements, so that one can be
// taken out.
type randomCase struct {
	inline, boundary, rcp, bucket []jsonStatement
	scps                          [][]jsonStatement
	hasBoundary, hasRCP           bool
	action, resource              string
	context                       map[string][]string
}

func newRandomCase(r *rand.Rand) *randomCase {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	statement := func(principal bool) jsonStatement {
		st := jsonStatement{"Effect": pick("Allow", "Allow", "Allow", "Deny"), "Action": pick("*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject"),
			"Resource": pick("*", "arn:aws:s3:::data/*", "arn:aws:s3:::data/in/*", "arn:aws:s3:::data/in/a", "arn:aws:s3:::data/${aws:PrincipalTag/team}/*", "arn:aws:s3:::other/*")}
		if r.IntN(3) == 0 {
			st["Condition"] = map[string]any{pick("StringEquals", "StringNotEquals", "StringLikeIfExists"): map[string]any{
				pick("aws:SourceVpce", "aws:PrincipalTag/team", "aws:RequestedRegion"): pick("in", "vpce-1", "us-east-1")}}
		}
		if principal {
			st["Principal"] = map[string]any{"AWS": pick("*", roleARN, "arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/other")}
		}
		return st
	}
	some := func(most int, principal bool) []jsonStatement {
		var out []jsonStatement
		for range 1 + r.IntN(most) {
			out = append(out, statement(principal))
		}
		return out
	}
	c := &randomCase{inline: some(4, false), action: pick("s3:GetObject", "s3:PutObject"), resource: pick("arn:aws:s3:::data/in/a", "arn:aws:s3:::data/out", "arn:aws:s3:::other/x"),
		context: map[string][]string{}}
	if c.hasBoundary = r.IntN(3) == 0; c.hasBoundary {
		c.boundary = some(3, false)
	}
	for range r.IntN(3) {
		c.scps = append(c.scps, some(3, false))
	}
	if c.hasRCP = r.IntN(4) == 0; c.hasRCP {
		c.rcp = []jsonStatement{statement(true)}
		c.rcp[0]["Effect"], c.rcp[0]["Principal"] = "Deny", "*"
	}
	if r.IntN(2) == 0 {
		c.bucket = some(3, true)
	}
	for _, key := range []string{"aws:SourceVpce", "aws:RequestedRegion"} {
		if r.IntN(3) == 0 {
			c.context[key] = []string{pick("vpce-1", "us-east-1", "other")}
		}
	}
	return c
}

// stack is the case as policy.Decide takes it.
func (c *randomCase) stack(t *testing.T) *policy.Stack {
	t.Helper()
	parse := func(layer policy.Layer, name string, statements []jsonStatement) policy.Policy {
		if len(statements) == 0 { // all taken out: allows nothing
			statements = []jsonStatement{{"Effect": "Allow", "Action": "none:None", "Resource": "*"}}
		}
		d, err := policy.Parse([]byte(document(statements)))
		if err != nil {
			t.Fatal(err)
		}
		return policy.Policy{Layer: layer, Name: name, Document: d}
	}
	s := &policy.Stack{Identity: []policy.Policy{parse(policy.LayerIdentity, "inline0", c.inline)}}
	if c.hasBoundary {
		s.Boundary = []policy.Policy{parse(policy.LayerBoundary, "boundary", c.boundary)}
	}
	for k, level := range c.scps {
		s.SCPs = append(s.SCPs, []policy.Policy{parse(policy.LayerSCP, fmt.Sprint(k), level)})
	}
	if c.hasRCP {
		s.RCPs = [][]policy.Policy{{parse(policy.LayerRCP, "rcp", c.rcp)}}
	}
	if c.bucket != nil {
		p := parse(policy.LayerResource, "bucket", c.bucket)
		s.Resource = &p
	}
	return s
}

func (c *randomCase) request() policy.Request {
	who := policy.Principal{ARN: roleARN, Account: account}
	known := policy.Offline(policy.Facts{Principal: who, Tags: map[string]string{"team": "in"}})
	for key, values := range c.context {
		known = known.With(key, values...)
	}
	return policy.Request{Principal: who, Action: c.action, Resource: c.resource, Context: known}
}

// explained asks Explain about the case.
func (c *randomCase) explained(t *testing.T) report.Answer {
	t.Helper()
	s := world(document(c.inline))
	s.Roles[0].Tags = []snapshot.Tag{{Key: "team", Value: "in"}}
	if c.hasBoundary {
		s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/boundary"
		s.Policies = []snapshot.ManagedPolicy{{ARN: s.Roles[0].Boundary, Name: "boundary", Version: "v1", Document: document(c.boundary)}}
	}
	if c.bucket != nil {
		bucket, _, _ := strings.Cut(c.resource, "/")
		s.Resources = []snapshot.ResourcePolicy{{ARN: bucket, Document: document(c.bucket)}}
	}
	var given []GivenPolicy
	for k, level := range c.scps {
		g, err := ParseSCP(k, fmt.Sprint(k), []byte(document(level)))
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, g)
	}
	if c.hasRCP {
		g, err := ParseRCP("rcp", []byte(document(c.rcp)))
		if err != nil {
			t.Fatal(err)
		}
		given = append(given, g)
	}
	e, err := Explain(s, Options{Given: given}, Question{Role: "trainer", Action: c.action, Resource: c.resource, Context: c.context})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Answers) != 1 {
		t.Fatalf("%d answers", len(e.Answers))
	}
	return e.Answers[0]
}

// without is the case less the statements that are said to have a part.
func (c *randomCase) without(statements []report.ExplainedStatement, has func(report.ExplainedStatement) bool) *randomCase {
	out := *c
	drop := func(list []jsonStatement, layer string, level int) []jsonStatement {
		var kept []jsonStatement
		for i, st := range list {
			if !slices.ContainsFunc(statements, func(s report.ExplainedStatement) bool {
				return s.Layer == layer && s.Level == level && s.Index == i && has(s)
			}) {
				kept = append(kept, st)
			}
		}
		return kept
	}
	out.inline, out.boundary = drop(c.inline, "identity", 0), drop(c.boundary, "boundary", 0)
	out.rcp = drop(c.rcp, "rcp", 0)
	if c.bucket != nil {
		if out.bucket = drop(c.bucket, "resource", 0); out.bucket == nil {
			out.bucket = []jsonStatement{}
		}
	}
	out.scps = nil
	for k, level := range c.scps {
		out.scps = append(out.scps, drop(level, "scp", k))
	}
	return &out
}

// TestExplainDecides: the answer is what the policy engine decides, and the statements
// that are named are those that it rests on.
func TestExplainDecides(t *testing.T) {
	n := 250
	if testing.Short() {
		n = 80
	}
	answers := map[string]int{}
	for i := range n {
		c := newRandomCase(rand.New(rand.NewPCG(20261031, uint64(i))))
		a := c.explained(t)
		stack, r := c.stack(t), c.request()
		may, must := stack.Decide(r, policy.May), stack.Decide(r, policy.Must)
		want := report.AnswerDenied
		switch {
		case must.Outcome == policy.Allowed:
			want = report.AnswerAllowed
		case may.Outcome == policy.Allowed:
			want = report.AnswerConditional
		}
		explicit := may.Outcome == policy.ExplicitDeny
		if a.Answer != want || a.Explicit != explicit || a.Layer != string(may.Layer) || a.ToldBy != report.ToldByPolicies {
			t.Fatalf("case %d: %s explicit %v by %s; the engine says %s (must: %s) by %s\n%+v", i, a.Answer, a.Explicit, a.Layer, may.Outcome, must.Outcome, may.Layer, c)
		}
		answers[fmt.Sprint(want, explicit)]++
		after := func(has func(report.ExplainedStatement) bool) policy.Outcome {
			return c.without(a.Statements, has).stack(t).Decide(r, policy.May).Outcome
		}
		switch {
		case want != report.AnswerDenied:
			if got := after(func(s report.ExplainedStatement) bool { return s.Effect == "Allow" && s.Applies != "no" }); got == policy.Allowed {
				t.Fatalf("case %d: allowed without any statement that is said to allow it\n%+v\n%+v", i, c, a.Statements)
			}
		case explicit:
			if got := after(func(s report.ExplainedStatement) bool { return s.Effect == "Deny" && s.Applies == "yes" }); got == policy.ExplicitDeny {
				t.Fatalf("case %d: denied without any statement that is said to deny it\n%+v\n%+v", i, c, a.Statements)
			}
		}
		// Those that are only near have no part in it.
		far := c.without(a.Statements, func(s report.ExplainedStatement) bool { return s.Applies == "no" }).stack(t)
		for _, side := range []policy.Side{policy.May, policy.Must} {
			if got, want := far.Decide(r, side).Outcome, stack.Decide(r, side).Outcome; got != want {
				t.Fatalf("case %d: %s without what is near, %s with it", i, got, want)
			}
		}
		if a.Answer == report.AnswerDenied && len(a.Needs) == 0 {
			t.Fatalf("case %d: denied, and nothing would allow it\n%+v", i, c)
		}
	}
	if len(answers) < 4 {
		t.Errorf("only %v", answers)
	}
}

// Each condition is told as the engine evaluates it, and its key is asked for.
func TestExplainConditions(t *testing.T) {
	s := world(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*",
		"Condition":{"StringEquals":{"aws:PrincipalTag/team":"ml","aws:SourceVpce":["vpce-1","vpce-2"]},"Bool":{"aws:SecureTransport":"true"}}}}`)
	s.Roles[0].Tags = []snapshot.Tag{{Key: "team", Value: "ml"}}
	ask := func(context map[string][]string) report.Answer {
		t.Helper()
		e, err := Explain(s, Options{}, Question{Role: roleARN, Action: "S3:getobject", Resource: "arn:aws:s3:::data/x", Context: context})
		if err != nil {
			t.Fatal(err)
		}
		if e.Action != "s3:GetObject" || !e.Known {
			t.Errorf("the action is %s", e.Action)
		}
		return e.Answers[0]
	}
	holds := func(a report.Answer) map[string]string {
		out := map[string]string{}
		for _, c := range a.Statements[0].Conditions {
			out[c.Key] = c.Holds
		}
		return out
	}
	a := ask(nil)
	if a.Answer != report.AnswerConditional || holds(a)["aws:PrincipalTag/team"] != "true" || holds(a)["aws:SourceVpce"] != "unknown" || holds(a)["aws:SecureTransport"] != "true" {
		t.Errorf("without context: %s %v", a.Answer, holds(a))
	}
	if !slices.ContainsFunc(a.Needs, func(n string) bool { return strings.Contains(n, `aws:SourceVpce is one of "vpce-1", "vpce-2"`) }) {
		t.Errorf("needs %q", a.Needs)
	}
	if a := ask(map[string][]string{"AWS:sourcevpce": {"vpce-2"}}); a.Answer != report.AnswerAllowed {
		t.Errorf("with one of the values: %s", a.Answer)
	}
	a = ask(map[string][]string{"aws:SourceVpce": {"vpce-3"}})
	if a.Answer != report.AnswerDenied || a.Explicit || a.Statements[0].Applies != "no" || !strings.Contains(strings.Join(a.Needs, " "), "Or meet the condition of inline0, statement 1") {
		t.Errorf("with another value: %s %+v %q", a.Answer, a.Statements, a.Needs)
	}
}

func TestConditionWords(t *testing.T) {
	for condition, want := range map[string]string{
		`"StringEquals":{"k":"a"}`:                   `k is "a"`,
		`"StringNotEquals":{"k":["a","b"]}`:          `k is none of "a", "b"`,
		`"StringNotLike":{"k":"a*"}`:                 `k is not like "a*"`,
		`"StringNotLike":{"k":["a*","b*"]}`:          `k is like none of "a*", "b*"`,
		`"ArnLikeIfExists":{"k":"arn:*"}`:            `k is like "arn:*", or is not there`,
		`"ForAnyValue:StringEquals":{"k":"a"}`:       `some value of k is "a"`,
		`"ForAllValues:StringLike":{"k":["a","b"]}`:  `every value of k is like one of "a", "b"`,
		`"NumericLessThanEquals":{"k":10}`:           `k is at most "10"`,
		`"DateGreaterThan":{"k":"2026-01-01"}`:       `k is after "2026-01-01"`,
		`"IpAddress":{"k":"10.0.0.0/8"}`:             `k lies in "10.0.0.0/8"`,
		`"NotIpAddress":{"k":["10.0.0.0/8","::/0"]}`: `k lies in none of "10.0.0.0/8", "::/0"`,
		`"Null":{"k":"true"}`:                        `k is not there`,
		`"Null":{"k":"false"}`:                       `k is there`,
		`"Bool":{"k":"true"}`:                        `k is "true"`,
		`"Unheard":{"k":"true"}`:                     `Unheard of k with "true"`,
	} {
		d, err := policy.Parse([]byte(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + condition + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		if got := conditionWords(&d.Statements()[0].Conditions[0]); got != want {
			t.Errorf("%s: %s, want %s", condition, got, want)
		}
	}
}

func TestExplainRefusesQuestions(t *testing.T) {
	s := world(allow("s3:*", "*"))
	second := s.Roles[0]
	second.ARN, second.ID, second.Name = "arn:aws:iam::123456789012:role/trainer-two", "AROATWO", "trainer-two"
	s.Roles = append(s.Roles, second)
	for _, tt := range []struct {
		q          Question
		part, says string
	}{
		{Question{Role: "", Action: "s3:GetObject"}, "role", "empty"},
		{Question{Role: "trainer*", Action: "s3:GetObject"}, "role", "fits 2 roles"},
		{Question{Role: "trainr", Action: "s3:GetObject"}, "role", "did you mean trainer?"},
		{Question{Role: "somebody-else", Action: "s3:GetObject"}, "role", "there are trainer, trainer-two"},
		{Question{Role: "trainer", Action: "GetObject"}, "action", "did you mean s3:GetObject"},
		{Question{Role: "trainer", Action: "s3:Get*"}, "action", "is a pattern"},
		{Question{Role: "trainer", Action: ""}, "action", "no IAM action"},
		{Question{Role: "trainer", Action: "s3:GetObject", Resource: "s3://data/x"}, "resource", "arn:aws:s3:::data/x"},
		{Question{Role: "trainer", Action: "s3:GetObject", Resource: "data/x"}, "resource", "is no ARN"},
		{Question{Role: "trainer", Action: "s3:GetObject", Resource: "arn:aws:s3"}, "resource", "is no ARN"},
	} {
		_, err := Explain(s, Options{}, tt.q)
		var bad *QuestionError
		if !errors.As(err, &bad) || bad.Part != tt.part || !strings.Contains(bad.Problem, tt.says) {
			t.Errorf("%+v: %v", tt.q, err)
		}
	}
	if e, err := Explain(s, Options{}, Question{Role: "AROATWO", Action: "s3:GetObjekt"}); err != nil || e.Role.Name != "trainer-two" || e.Known ||
		!strings.Contains(strings.Join(e.Notes, " "), "did you mean s3:GetObject") {
		t.Errorf("%+v, %v", e, err)
	}
}

// A role that is gone has its needs told, and one whose policies could not be read no
// denial.
func TestExplainUnknown(t *testing.T) {
	s := world(allow("ecr:*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a")}
	s.Roles[0].Inline[0].Document = "{"
	ask := func(action string) report.Answer {
		t.Helper()
		e, err := Explain(s, Options{}, Question{Role: "trainer", Action: action})
		if err != nil {
			t.Fatal(err)
		}
		return e.Answers[0]
	}
	if a := ask("s3:GetObject"); a.Answer != report.AnswerUnknown || a.Layers.Identity != layerNotRead {
		t.Errorf("a policy that does not parse: %s, %+v", a.Answer, a.Layers)
	}
	s.Roles = nil
	if a := ask("s3:GetObject"); a.Answer != report.AnswerUnknown || len(a.Jobs) == 0 || !strings.Contains(a.Why, "does not have this role") {
		t.Errorf("gone: %s %q, %d jobs", a.Answer, a.Why, len(a.Jobs))
	}
}

// Calls on record say more than the policies that were read: a refusal that they do not
// account for, and a use that none of them allows.
func TestExplainToldByCloudTrail(t *testing.T) {
	const queue = "arn:aws:sqs:us-east-1:123456789012:q"
	call := func(errorCode string) snapshot.Usage {
		u := use("sqs.amazonaws.com", "DeleteQueue", errorCode)
		u.Params.QueueURL = "https://sqs.us-east-1.amazonaws.com/123456789012/q"
		if errorCode != "" {
			u.Denial = snapshot.Denial{Action: "sqs:DeleteQueue", Resource: queue, Layer: "scp", Explicit: true}
		}
		return u
	}
	ask := func(s *snapshot.Snapshot, resource string) report.Answer {
		t.Helper()
		e, err := Explain(s, Options{}, Question{Role: "trainer", Action: "sqs:DeleteQueue", Resource: resource})
		if err != nil {
			t.Fatal(err)
		}
		return e.Answers[0]
	}
	refused := world(allow("sqs:*", "*"))
	refused.Usage = []snapshot.Usage{call("AccessDenied")}
	if a := ask(refused, queue); a.Answer != report.AnswerDenied || a.ToldBy != report.ToldByCloudTrail || a.Layer != "scp" || !a.Explicit || len(a.Needs) == 0 {
		t.Errorf("refused: %s by %s, told by %s, explicit %v", a.Answer, a.Layer, a.ToldBy, a.Explicit)
	}
	if a := ask(refused, queue+"-other"); a.Answer != report.AnswerAllowed || a.ToldBy != report.ToldByPolicies {
		t.Errorf("another queue: %s, told by %s", a.Answer, a.ToldBy)
	}
	if a := ask(refused, "*"); a.Answer != report.AnswerAllowed || !strings.Contains(a.Why, "AWS refused calls on "+queue) {
		t.Errorf("every queue: %s, %s", a.Answer, a.Why)
	}
	used := world(allow("ecr:*", "*"))
	used.Usage = []snapshot.Usage{call("")}
	if a := ask(used, queue); a.Answer != report.AnswerAllowed || a.ToldBy != report.ToldByCloudTrail || a.Layer != "resource" {
		t.Errorf("used: %s by %s, told by %s: %s", a.Answer, a.Layer, a.ToldBy, a.Why)
	}
	change := use("iam.amazonaws.com", "PutRolePolicy", "")
	change.Params.RoleName, change.Last = "trainer", now.AddDate(0, 0, -1)
	used.Usage = append(used.Usage, change)
	if a := ask(used, queue); a.Answer != report.AnswerDenied || a.ToldBy != report.ToldByPolicies || !strings.Contains(a.Why, "It was used once") {
		t.Errorf("used before a change: %s, told by %s: %s", a.Answer, a.ToldBy, a.Why)
	}
}
