package policy

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// State says whether an action is granted on at least some resource.
type State uint8

const (
	// No: not granted.
	No State = iota
	// Conditional: granted only under a condition that cannot be decided, or under
	// a Deny that cannot.
	Conditional
	// Yes: granted.
	Yes
)

func (s State) String() string { return [...]string{"no", "conditional", "yes"}[s] }

// Grant is what a stack grants over a whole catalogue. It does not change.
type Grant struct {
	size                int
	identity, effective [2]dense // members by State - 1, apart
	atoms               []atom   // of the identity policies, after their own Denies
}

// GrantedPattern is resources that an action is granted on: those that match Pattern,
// or with Not, those of the statement that match none of its NotResource.
type GrantedPattern struct {
	Pattern     string
	Not         bool
	Conditional bool
	Policy      *Policy
	Statement   *Statement
}

// atom is a piece of grant: actions, on resources, from one statement.
type atom struct {
	actions   bitset
	resources region
	state     State
	policy    *Policy
	statement *Statement
}

// rule is a statement made ready for expansion.
type rule struct {
	atom
	truth Truth // of its conditions
	// free are the actions without resource types that the statement, naming
	// resources, may or may not speak of; actions are then the others.
	free bitset
}

// Expand finds what the stack grants: by its identity policies after their own Deny,
// and effectively, within boundary, SCPs and session policy and after the Denies of
// all of them and of the RCPs. Resource policies have no part in it: they speak of one
// resource (see Access).
//
// known holds for every request of the principal; what depends on the resource is
// Unknown. Both grants are upper bounds (E+): a boundary that shares only some
// resources with a grant leaves the action granted, and so does a Deny that leaves
// some resource out. A Deny of every resource that is granted removes the action, an
// undecided one makes it Conditional.
func (e *Expander) Expand(s *Stack, known Context) *Grant {
	x := expansion{Expander: e, env: environment{context: &known, anyResource: true}}
	allows, denies := x.rules(s.Identity, LayerIdentity)
	var atoms []atom
	for i := range allows {
		atoms = x.grant(atoms, &allows[i])
	}
	atoms = deny(atoms, denies)
	g := &Grant{size: e.size, atoms: atoms}
	g.identity = x.states(atoms)

	effective := atoms
	scps, rcps := s.SCPs, s.RCPs
	if arn, presence := x.env.lookup("aws:principalarn"); presence == present && len(arn) == 1 {
		who := Principal{ARN: arn[0], Kind: Role}
		if who.serviceLinked() {
			scps, rcps = nil, nil
		}
	}
	ceilings := slices.Clone(scps)
	if s.Boundary != nil {
		ceilings = append(ceilings, s.Boundary)
	}
	if s.Session != nil {
		ceilings = append(ceilings, []Policy{*s.Session})
	}
	for _, policies := range ceilings {
		allows, denies := x.rules(policies, LayerBoundary)
		effective = deny(x.limit(effective, allows), denies)
	}
	for _, level := range rcps {
		_, denies := x.rules(level, LayerRCP)
		effective = deny(effective, denies)
	}
	g.effective = g.identity
	if len(ceilings) > 0 || len(rcps) > 0 {
		g.effective = x.states(effective)
	}
	return g
}

// expansion carries one Expand call.
type expansion struct {
	*Expander
	env       environment
	yes, some dense // scratch of limit
}

// rules are the layer's statements whose conditions do not certainly fail.
func (x *expansion) rules(policies []Policy, layer Layer) (allows, denies []rule) {
	for i := range policies {
		p := &policies[i]
		if p.Document == nil {
			continue
		}
		sets := x.document(p.Document)
		for j, s := range p.Document.statements {
			truth := s.evaluate(&x.env).truth
			if truth == False || sets[j].empty() {
				continue
			}
			if s.Principals != nil && layer != LayerRCP {
				continue
			}
			r := rule{atom: atom{sets[j], s.region(&x.env), Yes, p, s}, truth: truth}
			if truth == Unknown {
				r.state = Conditional
			}
			if r.resources.empty() {
				continue
			}
			if !r.resources.all() && !(s.Effect == Allow && s.NotResource) {
				if r.free = r.actions.and(x.resourceless); !r.free.empty() {
					r.actions = r.actions.andNot(x.resourceless)
				}
			}
			if s.Effect == Allow {
				allows = append(allows, r)
			} else {
				denies = append(denies, r)
			}
		}
	}
	return allows, denies
}

// grant adds what one Allow grants. What it grants of actions without resource types
// is not known where it names ARNs (see Statement.matchesResource): an Allow with
// NotResource is taken to speak of them, as AmazonSageMakerFullAccess relies on.
// Neither is known what an undecided variable lets a pattern match.
func (x *expansion) grant(atoms []atom, r *rule) []atom {
	a := r.atom
	if !r.free.empty() {
		b := a
		b.actions, b.state = r.free, Conditional
		atoms = append(atoms, b)
	}
	if !a.resources.not && a.state == Yes && slices.ContainsFunc(a.resources.patterns, undecidedPattern) {
		b := a
		b.state = Conditional
		b.resources.patterns = filter(a.resources.patterns, undecidedPattern)
		atoms = append(atoms, b)
		a.resources.patterns = filter(a.resources.patterns, func(p regionPattern) bool { return !undecidedPattern(p) })
	}
	if a.resources.empty() || a.actions.empty() {
		return atoms
	}
	return append(atoms, a)
}

func undecidedPattern(p regionPattern) bool { return slices.Contains(p.symbols, undecide) }

func filter[T any](list []T, keep func(T) bool) []T {
	var kept []T
	for _, v := range list {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// deny takes from the atoms what the Denies cover for certain.
func deny(atoms []atom, denies []rule) []atom {
	for i := range denies {
		d := &denies[i]
		var kept []atom
		for j := range atoms {
			kept = atoms[j].deny(kept, d)
		}
		atoms = kept
	}
	return atoms
}

// deny appends what the Deny leaves of the atom.
func (a *atom) deny(kept []atom, d *rule) []atom {
	if a.state == Yes && a.actions.intersects(d.free) {
		b := *a
		b.actions, b.state = a.actions.and(d.free), Conditional
		kept = append(kept, b)
		c := *a
		if c.actions = a.actions.andNot(d.free); c.actions.empty() {
			return kept
		}
		return c.deny(kept, d)
	}
	if !a.actions.intersects(d.actions) {
		return append(kept, *a)
	}
	inside, outside := a.resources.split(&d.resources)
	if inside.empty() {
		return append(kept, *a)
	}
	keep := func(actions bitset, resources region, state State) {
		if !actions.empty() && !resources.empty() {
			kept = append(kept, atom{actions, resources, state, a.policy, a.statement})
		}
	}
	hit := a.actions.and(d.actions)
	keep(a.actions.andNot(d.actions), a.resources, a.state)
	keep(hit, outside, a.state)
	if d.truth == Unknown {
		keep(hit, inside, Conditional)
	}
	return kept
}

// limit keeps of the atoms what the ceiling allows on some of their resources.
func (x *expansion) limit(atoms []atom, allows []rule) []atom {
	if x.yes == nil {
		x.yes, x.some = newDense(x.size), newDense(x.size)
	}
	var kept []atom
	for i := range atoms {
		a := &atoms[i]
		lo, hi := a.actions.from, a.actions.from+len(a.actions.words)
		x.yes.clearWithin(lo, hi)
		x.some.clearWithin(lo, hi)
		for j := range allows {
			r := &allows[j]
			x.some.addWithin(r.free, lo, hi)
			if !a.actions.intersects(r.actions) || !a.resources.touches(&r.resources) {
				continue
			}
			if r.truth == True {
				x.yes.addWithin(r.actions, lo, hi)
			} else {
				x.some.addWithin(r.actions, lo, hi)
			}
		}
		if a.actions.in(x.yes) {
			kept = append(kept, *a)
			continue
		}
		b := *a
		if b.actions = a.actions.within(x.yes); !b.actions.empty() {
			kept = append(kept, b)
		}
		c := *a
		c.state = Conditional
		if c.actions = a.actions.within(x.some).andNot(b.actions); !c.actions.empty() {
			kept = append(kept, c)
		}
	}
	return kept
}

// states are the atoms' actions by their best state.
func (x *expansion) states(atoms []atom) [2]dense {
	conditional, unconditional := newDense(x.size), newDense(x.size)
	for i := range atoms {
		if atoms[i].state == Yes {
			unconditional.add(atoms[i].actions)
		} else {
			conditional.add(atoms[i].actions)
		}
	}
	conditional.remove(unconditional)
	return [2]dense{conditional, unconditional}
}

// Identity is the state of action i by the identity policies alone.
func (g *Grant) Identity(i int) State { return stateOf(&g.identity, i) }

// Effective is the state of action i within every layer of the stack.
func (g *Grant) Effective(i int) State { return stateOf(&g.effective, i) }

func stateOf(sets *[2]dense, i int) State {
	switch {
	case sets[Yes-1].has(i):
		return Yes
	case sets[Conditional-1].has(i):
		return Conditional
	}
	return No
}

// Counts are the numbers of actions by identity and effective state; each counts
// Conditional actions too.
func (g *Grant) Counts() (identity, effective, conditional int) {
	identity = g.identity[0].count() + g.identity[1].count()
	effective = g.effective[0].count() + g.effective[1].count()
	return identity, effective, g.effective[Conditional-1].count()
}

// Actions are the indices of the actions that the identity policies grant, ascending,
// with their state.
func (g *Grant) Actions() iter.Seq2[int, State] {
	return func(yield func(int, State) bool) {
		for w := range g.identity[0] {
			for word := g.identity[0][w] | g.identity[1][w]; word != 0; word &= word - 1 {
				i := w*wordBits + bits.TrailingZeros64(word)
				if !yield(i, g.Identity(i)) {
					return
				}
			}
		}
	}
}

// Patterns are the resources that the identity policies grant action i on, after
// their own Denies, ordered by policy, statement and pattern.
func (g *Grant) Patterns(i int) []GrantedPattern {
	var all []GrantedPattern
	for j := range g.atoms {
		a := &g.atoms[j]
		if !a.actions.has(i) {
			continue
		}
		for k := range a.resources.patterns {
			all = append(all, GrantedPattern{a.resources.patterns[k].text, a.resources.not, a.state == Conditional, a.policy, a.statement})
		}
		if a.resources.not && len(a.resources.patterns) == 0 {
			all = append(all, GrantedPattern{"*", false, a.state == Conditional, a.policy, a.statement})
		}
	}
	slices.SortStableFunc(all, func(a, b GrantedPattern) int {
		return cmp.Or(
			strings.Compare(a.Policy.Kind, b.Policy.Kind),
			strings.Compare(a.Policy.Name, b.Policy.Name),
			strings.Compare(a.Policy.ARN, b.Policy.ARN),
			cmp.Compare(a.Statement.Index, b.Statement.Index),
			strings.Compare(a.Pattern, b.Pattern))
	})
	return slices.Compact(all)
}
