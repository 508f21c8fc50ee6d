package policy_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/policy/internal/naive"
)

// managedPolicy is one of AWS's policies, ready for both evaluators.
type managedPolicy struct {
	name   string
	engine []policy.Policy
	twin   naive.Case
}

func readManaged(t testing.TB, name string, document []byte) managedPolicy {
	t.Helper()
	d := parse(t, document)
	c, err := naive.Read([]byte(`{"id":"m","identityPolicies":[` + string(d.Print()) + `]}`))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return managedPolicy{name, []policy.Policy{{Layer: policy.LayerIdentity, Kind: "managed", Name: name, Document: d}}, *c}
}

// allows asks the naive evaluator; the document was read once.
func (m *managedPolicy) allows(t testing.TB, r *policy.Request, side policy.Side) bool {
	t.Helper()
	asked := requestOf(r)
	if r.ResourceAccount != r.Principal.Account {
		return twinAllows(t, printedAll(m.engine), asked, side)
	}
	c, err := naive.Read(encode(t, asked))
	if err != nil {
		t.Fatal(err)
	}
	c.IdentityPolicies = m.twin.IdentityPolicies
	return c.Decide(side == policy.Must).Decision == naive.Allowed
}

// askPairs asks about each pair, confirms each no by the twin and holds each yes against the
// requests that showed other pairs a no: they are allowed by the first of the two.
func askPairs(t *testing.T, x *policy.Expander, pairs [][2]*managedPolicy) (counts map[policy.Truth]int) {
	counts = map[policy.Truth]int{}
	shown := map[string][]*policy.Request{}
	type proven struct{ p, i *managedPolicy }
	var yes []proven
	var worst, total time.Duration
	for _, pair := range pairs {
		p, i := pair[0], pair[1]
		start := time.Now()
		a := x.WidensNothing(p.engine, i.engine, policy.Context{})
		took := time.Since(start)
		total, worst = total+took, max(worst, took)
		counts[a.Truth]++
		switch a.Truth {
		case policy.True:
			yes = append(yes, proven{p, i})
		case policy.False:
			r := a.Counterexample
			if !p.allows(t, r, policy.Must) || i.allows(t, r, policy.May) {
				t.Errorf("%s, %s: the twin does not confirm %+v", p.name, i.name, *r)
			}
			if len(shown[p.name]) < 40 {
				shown[p.name] = append(shown[p.name], r)
			}
		default:
			t.Logf("%s, %s: %s", p.name, i.name, a)
		}
	}
	held := 0
	for _, y := range yes {
		for _, r := range shown[y.p.name] {
			held++
			for _, side := range sides {
				if y.p.allows(t, r, side) && !y.i.allows(t, r, side) {
					t.Errorf("%s lies within %s, but for %+v on the side %s", y.p.name, y.i.name, *r, side)
				}
			}
		}
	}
	n := len(pairs)
	t.Logf("%d pairs: yes %d, no %d, cannot tell %d (%.2f %%); %v a pair, at most %v; %d requests held against a yes", n,
		counts[policy.True], counts[policy.False], counts[policy.Unknown], 100*float64(counts[policy.Unknown])/float64(n),
		(total / time.Duration(n)).Round(time.Microsecond), worst.Round(time.Microsecond), held)
	return counts
}

// TestManagedPairs asks about all pairs of a hundred of AWS's managed policies, evenly
// chosen; and about each with the next by name, which often speaks of the same service.
func TestManagedPairs(t *testing.T) {
	documents := motoPolicies(t)
	names := slices.Sorted(maps.Keys(documents))
	var all []managedPolicy
	for _, name := range names {
		all = append(all, readManaged(t, name, documents[name]))
	}
	x := policy.NewExpander(actions.Load())
	const chosen = 100
	var some []*managedPolicy
	for i := range chosen {
		some = append(some, &all[i*len(all)/chosen])
	}
	var pairs, neighbours [][2]*managedPolicy
	for _, p := range some {
		for _, i := range some {
			if p != i {
				pairs = append(pairs, [2]*managedPolicy{p, i})
			}
		}
	}
	for i := range len(all) - 1 {
		neighbours = append(neighbours, [2]*managedPolicy{&all[i], &all[i+1]}, [2]*managedPolicy{&all[i+1], &all[i]})
	}
	if testing.Short() {
		pairs, neighbours = pairs[:1000], neighbours[:500]
	}
	for _, asked := range [][][2]*managedPolicy{pairs, neighbours} {
		if counts := askPairs(t, x, asked); counts[policy.Unknown]*50 > len(asked) {
			t.Errorf("cannot tell %d of %d", counts[policy.Unknown], len(asked))
		}
	}
}

// TestManagedWithinMore: each of AWS's policies lies in the same with one more action in
// each Allow, which no comparison of texts shows; and that does not lie in it.
func TestManagedWithinMore(t *testing.T) {
	documents := motoPolicies(t)
	x := policy.NewExpander(actions.Load())
	names := slices.Sorted(maps.Keys(documents))
	if testing.Short() {
		names = names[:100]
	}
	counts := map[policy.Truth]int{}
	for _, name := range names {
		p := parse(t, documents[name])
		var specs []policy.Spec
		more := false
		for _, s := range p.Statements() {
			spec := s.Spec()
			if s.Effect == policy.Allow && !s.NotAction {
				spec.Actions, more = append(slices.Clone(spec.Actions), "new:Action"), true
			}
			specs = append(specs, spec)
		}
		ours, theirs := identity(p).Identity, identity(build(t, specs...)).Identity
		a := x.WidensNothing(ours, theirs, policy.Context{})
		counts[a.Truth]++
		if a.Truth != policy.True {
			t.Errorf("%s: %s", name, a)
		}
		star := slices.ContainsFunc(p.Statements(), func(s *policy.Statement) bool { return s.NotAction || slices.Contains(s.Actions, "*") })
		if a := x.WidensNothing(theirs, ours, policy.Context{}); a.Truth != policy.False && more && !star {
			t.Errorf("%s, reverse: %s", name, a)
		}
	}
	t.Logf("yes %d, no %d, cannot tell %d", counts[policy.True], counts[policy.False], counts[policy.Unknown])
}

// TestManagedInThemselves: the committed policies, and what is known of how they compare.
func TestManagedInThemselves(t *testing.T) {
	x := policy.NewExpander(actions.Load())
	read := map[string]managedPolicy{}
	for _, name := range []string{"AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit", "AmazonS3FullAccess", "AmazonSageMakerFullAccess"} {
		read[name] = readManaged(t, name, managed(t, name))
	}
	for _, p := range read {
		for _, i := range read {
			want := policy.False
			if p.name == i.name || i.name == "AdministratorAccess" || p.name == "AmazonS3FullAccess" && i.name == "PowerUserAccess" {
				want = policy.True
			}
			a := x.WidensNothing(p.engine, i.engine, policy.Context{})
			if a.Truth != want {
				t.Errorf("%s within %s: %s", p.name, i.name, a)
			}
			if a.Truth == policy.False && (!p.allows(t, a.Counterexample, policy.Must) || i.allows(t, a.Counterexample, policy.May)) {
				t.Errorf("%s within %s: the twin does not confirm %+v", p.name, i.name, *a.Counterexample)
			}
		}
	}
}

// TestProposalWithinFullAccess: the grants that a proposal makes out of
// AmazonSageMakerFullAccess are proven to lie in it, its NotResource notwithstanding.
func TestProposalWithinFullAccess(t *testing.T) {
	x := policy.NewExpander(actions.Load())
	full := readManaged(t, "AmazonSageMakerFullAccess", managed(t, "AmazonSageMakerFullAccess"))
	proposal := sageMakerProposal(t)
	if a := x.WidensNothing(proposal, full.engine, policy.Context{}); a.Truth != policy.True {
		t.Error(a)
	}
	wider := []policy.Policy{{Layer: policy.LayerIdentity, Name: "proposal", Document: build(t,
		policy.Spec{Effect: policy.Allow, Actions: []string{"sagemaker:DescribeApp", "sagemaker:DeleteApp"}, Resources: []string{"arn:aws:sagemaker:us-east-1:111122223333:app/d/*"}})}}
	a := x.WidensNothing(wider, full.engine, policy.Context{})
	if a.Truth != policy.False || !strings.HasPrefix(a.Reason, "sagemaker:DeleteApp on arn:aws:sagemaker:us-east-1:111122223333:app/d/") {
		t.Error(a)
	}
}

// sageMakerProposal is a proposal for a training role that has AmazonSageMakerFullAccess.
func sageMakerProposal(t testing.TB) []policy.Policy {
	t.Helper()
	document := build(t,
		policy.Spec{Effect: policy.Allow, Actions: []string{"s3:GetObject", "s3:PutObject"}, Resources: []string{"arn:aws:s3:::sagemaker-us-east-1-111122223333/train/*"}},
		policy.Spec{Effect: policy.Allow, Actions: []string{"s3:ListBucket"}, Resources: []string{"arn:aws:s3:::sagemaker-us-east-1-111122223333"}},
		policy.Spec{Effect: policy.Allow, Actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"}, Resources: []string{"arn:aws:ecr:us-east-1:111122223333:repository/train"}},
		policy.Spec{Effect: policy.Allow, Actions: []string{"ecr:GetAuthorizationToken"}, Resources: []string{"*"}},
		policy.Spec{Effect: policy.Allow, Actions: []string{"logs:CreateLogStream", "logs:PutLogEvents"}, Resources: []string{"arn:aws:logs:us-east-1:111122223333:log-group:/aws/sagemaker/TrainingJobs:log-stream:*"}},
		policy.Spec{Effect: policy.Allow, Actions: []string{"sagemaker:AddTags", "sagemaker:DescribeTrainingJob"}, Resources: []string{"arn:aws:sagemaker:us-east-1:111122223333:training-job/*"}},
	)
	return []policy.Policy{{Layer: policy.LayerIdentity, Name: "proposal", Document: document}}
}
