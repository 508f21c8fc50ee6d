package policy_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
)

// Properties that hold for every policy and every request, tried on random ones from
// a small alphabet, in which patterns hit about as often as they miss.

const (
	propertyRounds = 4000
	account        = "111122223333"
)

var (
	somePatterns = []string{
		"*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a*", "arn:aws:s3:::*", "arn:aws:s3:::?/a", "arn:aws:s3:*", "arn:aws:s3",
		"arn:aws:s3:::b/${aws:PrincipalTag/t}*", "arn:aws:logs:*:*:log-group:/g:*", "arn:aws:logs:*", "arn:aws:logs:*:log-group:/g:*",
		"arn:aws:logs:us-*:" + account + ":log-group:*:log-stream:s", "arn:*:s3:::b/a",
	}
	someActions   = []string{"*", "s3:*", "s3:Get*", "s3:GetObject", "s3:?utObject", "S3:PUTOBJECT", "s3:*Object", "logs:*", "logs:PutLogEvents", "*:Get*"}
	askedActions  = []string{"s3:GetObject", "s3:PutObject", "s3:ListAllMyBuckets", "logs:PutLogEvents"}
	askedResource = []string{"arn:aws:s3:::b", "arn:aws:s3:::b/a", "arn:aws:s3:::b/a/x:y", "arn:aws:s3:::c/a", "arn:aws:logs:us-east-1:" + account + ":log-group:/g:log-stream:s", "*"}
	someKeys      = []string{"aws:PrincipalTag/t", "aws:RequestedRegion", "s3:prefix", "k:num"}
	someOperators = []string{"StringEquals", "StringNotEquals", "StringLikeIfExists", "StringNotLike", "ForAllValues:StringEquals", "ForAnyValue:StringLike", "NumericLessThan", "NumericNotEquals", "Null", "ArnLike"}
	someValues    = []string{"a", "a*", "10", "true", "false", "${aws:PrincipalTag/t}", "arn:aws:s3:::b"}
)

type random struct{ *rand.Rand }

func choose[T any](r random, list []T) T { return list[r.IntN(len(list))] }

func (r random) some(list []string) []string {
	n := 1 + r.IntN(3)
	picked := make([]string, n)
	for i := range picked {
		picked[i] = choose(r, list)
	}
	return picked
}

func (r random) spec(effect policy.Effect) policy.Spec {
	s := policy.Spec{Effect: effect}
	if r.IntN(5) == 0 {
		s.NotActions = r.some(someActions)
	} else {
		s.Actions = r.some(someActions)
	}
	if r.IntN(5) == 0 {
		s.NotResources = r.some(somePatterns)
	} else {
		s.Resources = r.some(somePatterns)
	}
	if r.IntN(3) == 0 {
		c := policy.ConditionSpec{Operator: choose(r, someOperators), Key: choose(r, someKeys)}
		for _, v := range r.some(someValues) {
			c.Values = append(c.Values, policy.Value{Text: v, Quoted: true})
		}
		s.Conditions = append(s.Conditions, c)
	}
	return s
}

func (r random) document(t testing.TB) *policy.Document {
	t.Helper()
	var specs []policy.Spec
	for range 1 + r.IntN(3) {
		effect := policy.Allow
		if r.IntN(4) == 0 {
			effect = policy.Deny
		}
		specs = append(specs, r.spec(effect))
	}
	return build(t, specs...)
}

func build(t testing.TB, specs ...policy.Spec) *policy.Document {
	t.Helper()
	d, err := policy.Build(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (r random) stack(t testing.TB) *policy.Stack {
	s := identity(r.document(t), r.document(t))
	if r.IntN(3) == 0 {
		s.Boundary = identity(r.document(t)).Identity
	}
	if r.IntN(4) == 0 {
		s.SCPs = [][]policy.Policy{identity(r.document(t)).Identity, identity(r.document(t), r.document(t)).Identity}
	}
	return s
}

func (r random) context() policy.Context {
	given := map[string][]string{}
	for _, key := range someKeys {
		if r.IntN(2) == 0 {
			given[key] = r.some([]string{"a", "ab", "10", ""})[:1]
		}
	}
	if r.IntN(2) == 0 {
		return policy.OpenContext(given)
	}
	return policy.ClosedContext(given)
}

func (r random) request() policy.Request {
	return policy.Request{
		Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account},
		Action:    choose(r, askedActions),
		Resource:  choose(r, askedResource),
		Context:   r.context(),
	}
}

// rounds runs a property on many random cases.
func rounds(t *testing.T, property func(t *testing.T, r random)) {
	t.Helper()
	for i := range propertyRounds {
		property(t, random{rand.New(rand.NewPCG(20260201, uint64(i)))})
		if t.Failed() {
			t.Fatalf("round %d", i)
		}
	}
}

func allowed(s *policy.Stack, r policy.Request, side policy.Side) bool {
	return s.Decide(r, side).Outcome == policy.Allowed
}

var sides = []policy.Side{policy.May, policy.Must}

func printed(s *policy.Stack) string {
	var b strings.Builder
	for _, p := range slices.Concat(s.Identity, s.Boundary, slices.Concat(s.SCPs...)) {
		fmt.Fprintf(&b, "\n  %s", p.Document.Print())
	}
	return b.String()
}

func TestDenyBeatsAllow(t *testing.T) {
	rounds(t, func(t *testing.T, r random) {
		s, q, side := r.stack(t), r.request(), choose(r, sides)
		deny := identity(build(t, r.spec(policy.Deny))).Identity
		alone := policy.Stack{Identity: deny}
		if alone.Decide(q, side).Outcome != policy.ExplicitDeny {
			return
		}
		s.Identity = append(s.Identity, deny...)
		if got := s.Decide(q, side); got.Outcome != policy.ExplicitDeny {
			t.Errorf("%s %+v: %s%s", side, q, got.Outcome, printed(s))
		}
	})
}

func TestAllowNeverNarrowsDenyNeverWidens(t *testing.T) {
	rounds(t, func(t *testing.T, r random) {
		s, q, side := r.stack(t), r.request(), choose(r, sides)
		before := allowed(s, q, side)
		more := *s
		more.Identity = append(slices.Clone(s.Identity), identity(build(t, r.spec(policy.Allow))).Identity...)
		if before && !allowed(&more, q, side) {
			t.Errorf("%s %+v: an Allow narrows%s", side, q, printed(&more))
		}
		more.Identity[len(s.Identity)] = identity(build(t, r.spec(policy.Deny))).Identity[0]
		if !before && allowed(&more, q, side) {
			t.Errorf("%s %+v: a Deny widens%s", side, q, printed(&more))
		}
	})
}

func TestPrintKeepsTheMeaning(t *testing.T) {
	rounds(t, func(t *testing.T, r random) {
		d, q, side := r.document(t), r.request(), choose(r, sides)
		again := parse(t, d.Print())
		if !bytes.Equal(again.Print(), d.Print()) {
			t.Errorf("printed again: %s, was %s", again.Print(), d.Print())
		}
		if a, b := identity(d).Decide(q, side), identity(again).Decide(q, side); a.Outcome != b.Outcome {
			t.Errorf("%s %+v: %s, printed %s: %s", side, q, a.Outcome, b.Outcome, d.Print())
		}
		if indented := parse(t, d.Indent()); !bytes.Equal(indented.Print(), d.Print()) {
			t.Errorf("indented: %s, was %s", indented.Print(), d.Print())
		}
	})
}

func TestOrderIsIrrelevant(t *testing.T) {
	expander := policy.NewExpander(smallUniverse{})
	rounds(t, func(t *testing.T, r random) {
		s, q, side := r.stack(t), r.request(), choose(r, sides)
		other := *s
		other.Identity = slices.Clone(s.Identity)
		slices.Reverse(other.Identity)
		if a, b := s.Decide(q, side), other.Decide(q, side); a.Outcome != b.Outcome || a.Layer != b.Layer {
			t.Errorf("%s %+v: %v, reversed %v%s", side, q, a.Outcome, b.Outcome, printed(s))
		}
		a, b := expander.Expand(s, q.Context), expander.Expand(&other, q.Context)
		for i := range (smallUniverse{}).Len() {
			if a.Identity(i) != b.Identity(i) || a.Effective(i) != b.Effective(i) {
				t.Errorf("%s differs in reverse%s", (smallUniverse{}).Action(i), printed(s))
			}
		}
	})
}

func TestMustLiesWithinMay(t *testing.T) {
	rounds(t, func(t *testing.T, r random) {
		s, q := r.stack(t), r.request()
		if allowed(s, q, policy.Must) && !allowed(s, q, policy.May) {
			t.Errorf("%+v: E- allows, E+ refuses%s", q, printed(s))
		}
	})
}

// smallUniverse is the catalogue of the properties.
type smallUniverse struct{}

var smallActions = []string{"logs:DescribeLogGroups", "logs:PutLogEvents", "s3:GetObject", "s3:ListAllMyBuckets", "s3:PutObject"}

func (smallUniverse) Len() int            { return len(smallActions) }
func (smallUniverse) Action(i int) string { return smallActions[i] }
func (smallUniverse) Resourceless(i int) bool {
	return smallActions[i] == "s3:ListAllMyBuckets" || smallActions[i] == "logs:DescribeLogGroups"
}

// ambiguous reports whether the stack has patterns whose wildcards AWS may read in two
// ways. Expand and Access compare patterns segment by segment, and so see that a
// pattern denied is the one allowed; Decide, which sees one resource, must leave both open.
func ambiguous(s *policy.Stack) bool {
	text := printed(s)
	return strings.Contains(text, `"arn:aws:s3"`) || strings.Contains(text, "arn:aws:logs:*:log-group") || strings.Contains(text, "arn:*:s3")
}

// sample is a resource that a pattern matches, segment by segment where it can.
func sample(pattern string) string {
	return strings.NewReplacer("${aws:PrincipalTag/t}", "a", "*", "zz", "?", "z").Replace(pattern)
}

// An expansion names no action twice, and none that the decision refuses on all of
// the resources it names.
func TestExpandAgreesWithDecide(t *testing.T) {
	universe := smallUniverse{}
	expander := policy.NewExpander(universe)
	who := policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account}
	rounds(t, func(t *testing.T, r random) {
		s, known := r.stack(t), r.context()
		g := expander.Expand(s, known)
		last := -1
		for i, state := range g.Actions() {
			if i <= last {
				t.Errorf("%s named after %s", universe.Action(i), universe.Action(last))
			}
			last = i
			patterns := g.Patterns(i)
			if state == policy.No || len(patterns) == 0 || state == policy.Yes && !slices.ContainsFunc(patterns, func(p policy.GrantedPattern) bool { return !p.Conditional }) {
				t.Errorf("%s: %s on %v", universe.Action(i), state, patterns)
			}
			only := policy.Stack{Identity: s.Identity}
			if !slices.ContainsFunc(patterns, func(p policy.GrantedPattern) bool {
				resource := sample(p.Pattern)
				if p.Not {
					resource = "arn:aws:zz:zz:zz:zz"
				}
				return allowed(&only, policy.Request{Principal: who, Action: universe.Action(i), Resource: resource, Context: known}, policy.May) ||
					allowed(&only, policy.Request{Principal: who, Action: universe.Action(i), Resource: "*", Context: known}, policy.May)
			}) {
				t.Errorf("%s is named, on %v, and refused there%s", universe.Action(i), patterns, printed(&only))
			}
		}
		if ambiguous(s) {
			return
		}
		// And what is decided is named.
		for i := range universe.Len() {
			for _, resource := range askedResource {
				q := policy.Request{Principal: who, Action: universe.Action(i), Resource: resource, Context: known}
				if (resource == "*") == universe.Resourceless(i) && allowed(s, q, policy.May) && g.Effective(i) == policy.No {
					t.Errorf("%s on %s is allowed and not named%s", q.Action, resource, printed(s))
				}
			}
		}
	})
}

// What Access says of a pattern holds for the resources in it.
func TestAccessAgreesWithDecide(t *testing.T) {
	who := policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account}
	rounds(t, func(t *testing.T, r random) {
		s, known := r.stack(t), r.context()
		action, pattern := choose(r, askedActions), choose(r, somePatterns)
		if strings.Contains(pattern, "${") {
			return
		}
		a := s.Access(who, action, pattern, known)
		for _, resource := range append(slices.Clone(askedResource[:len(askedResource)-1]), sample(pattern)) {
			if !policy.MatchResource(pattern, resource, policy.Must) || strings.Count(resource, ":") < 5 {
				continue
			}
			q := policy.Request{Principal: who, Action: action, Resource: resource, Context: known}
			if a.Effective == policy.No && allowed(s, q, policy.May) && !ambiguous(s) {
				t.Errorf("Access(%s, %s) is %+v, and %s is allowed%s", action, pattern, a.Effective, resource, printed(s))
			}
			if a.Effective == policy.Yes && !a.Partial && !allowed(s, q, policy.Must) {
				t.Errorf("Access(%s, %s) is yes, and %s is not certain%s", action, pattern, resource, printed(s))
			}
		}
	})
}

func TestInclusionHoldsForSamples(t *testing.T) {
	rounds(t, func(t *testing.T, r random) {
		a, b := choose(r, somePatterns), choose(r, somePatterns)
		if strings.Contains(a+b, "${") {
			return
		}
		for _, resource := range append(slices.Clone(askedResource[:len(askedResource)-1]), sample(a), sample(b)) {
			if strings.Count(resource, ":") < 5 {
				continue
			}
			inB := policy.MatchResource(b, resource, policy.Must)
			if policy.Includes(a, b) && inB && !policy.MatchResource(a, resource, policy.Must) {
				t.Errorf("%s includes %s, but not its %s", a, b, resource)
			}
			if !policy.Overlaps(a, b) && policy.MatchResource(a, resource, policy.May) && policy.MatchResource(b, resource, policy.May) {
				t.Errorf("%s and %s do not overlap, but in %s", a, b, resource)
			}
		}
	})
}
