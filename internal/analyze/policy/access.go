package policy

import (
	"slices"
	"strings"
)

// Access is the answer to one cell: an action on the resources of a pattern.
type Access struct {
	Identity  State // by the identity policies alone
	Effective State // within every layer of the stack
	// Partial: the states hold for some of the resources only, or a Deny takes some
	// away. Yes without Partial is a proof for every resource of the pattern.
	Partial bool
	Layer   Layer // that granted; or that refused, where Effective is No
	Allows  []Match
	Denies  []Match
}

// Access tells whether the stack grants an action on the resources of a pattern: an
// ARN, or an entry of a Resource element. It is exact for an ARN. For a pattern it
// compares with each statement's patterns: what a statement includes segment by
// segment it covers, what it only overlaps makes the answer Partial. An action without
// resource types is asked on *; a Stack does not know which these are.
//
// Without a resource policy in the stack, Effective is an upper bound: that of another
// account's resource is presumed to allow.
func (s *Stack) Access(p Principal, action, pattern string, known Context) Access {
	r := Request{Principal: p, Action: action, Resource: pattern, Context: known}
	if !strings.ContainsAny(pattern, "*?") && !strings.Contains(pattern, "${") {
		return s.access(r, nil)
	}
	whole := regionPattern{pattern, patternSymbols(pattern), strings.Trim(pattern, "*") == ""}
	best := s.access(r, &cell{pattern: whole})
	if best.Effective == Yes {
		return best
	}
	// Not for all of them: for some?
	for _, part := range s.parts(r, &whole) {
		r.Resource = part.text
		a := s.access(r, &cell{pattern: part, parts: true})
		best.improve(a)
	}
	return best
}

// improve takes over what a part of the resources is granted beyond the whole.
func (a *Access) improve(part Access) {
	if part.Identity > a.Identity {
		a.Identity, a.Partial = part.Identity, true
	}
	if part.Effective > a.Effective {
		a.Effective, a.Layer, a.Partial = part.Effective, part.Layer, true
	}
	a.Allows = union(a.Allows, part.Allows)
	a.Denies = union(a.Denies, part.Denies)
}

func union(all, more []Match) []Match {
	for _, m := range more {
		if !slices.ContainsFunc(all, func(n Match) bool { return n.Layer == m.Layer && n.Statement == m.Statement }) {
			all = append(all, m)
		}
	}
	return all
}

// access decides one ARN, or one cell as a whole.
func (s *Stack) access(r Request, c *cell) Access {
	d := newDecider(s, r)
	d.cell = c
	d.auditing = true
	d.env.noting = true
	all := d.rulings()
	must := newDecider(s, r)
	must.cell, must.env.must = c, true
	certain := must.rulings()

	var a Access
	root := r.Principal.Kind == Root
	if May.allows(&all.identity, root) {
		a.Identity = Conditional
		if Must.allows(&certain.identity, root) {
			a.Identity = Yes
		}
	}
	outcome, layer := d.weigh(&all, May)
	a.Layer = layer
	if outcome == Allowed {
		a.Effective = Conditional
		if outcome, _ := must.weigh(&certain, Must); outcome == Allowed {
			a.Effective = Yes
		}
	}
	for _, m := range d.decision.Matches {
		if m.Statement.Effect == Allow {
			a.Allows = append(a.Allows, m)
			continue
		}
		a.Denies = append(a.Denies, m)
		a.Partial = a.Partial || m.Partial
	}
	return a
}

// allows reports whether one layer alone allows: with no Deny, and an Allow unless it needs none.
func (s Side) allows(r *ruling, always bool) bool {
	return !s.counts(Deny, r.deny) && (always || s.counts(Allow, r.allow))
}

// cell is a pattern of resources that stands in for the resource of a request.
type cell struct {
	pattern regionPattern
	parts   bool // a grant of some of the resources will do
}

// counts reports whether a statement that takes in only some of the cell's resources
// takes effect: an Allow where a part will do, a Deny never.
func (c *cell) counts(e Effect) bool { return c.parts && e == Allow }

// matches compares the statement's resources with the cell's. Entries of an Allow that
// lie inside the cell are cells of their own (see parts), so that a Deny of just
// these is not missed.
func (c *cell) matches(st *Statement, env *environment) (v verdict, some bool) {
	resources := st.region(env)
	switch resources.covers(&c.pattern) {
	case extentAll:
		return yes, false
	case extentNone:
		return no, false
	}
	if c.counts(st.Effect) && !resources.not {
		resources.patterns = filter(resources.patterns, func(p regionPattern) bool {
			return c.pattern.extent(&p) != extentAll
		})
		if resources.covers(&c.pattern) == extentNone {
			return no, false
		}
	}
	return yes, true
}

// parts are the pieces of the cell that Allows speak of, and the cell itself.
func (s *Stack) parts(r Request, whole *regionPattern) []regionPattern {
	d := newDecider(s, r)
	pieces := map[string]regionPattern{}
	add := func(policies []Policy) {
		for i := range policies {
			if policies[i].Document == nil {
				continue
			}
			for _, st := range policies[i].Document.statements {
				if st.Effect != Allow || st.NotResource || !st.matchesAction(d.service, d.name) {
					continue
				}
				resources := st.region(&d.env)
				for _, p := range resources.patterns {
					if whole.extent(&p) == extentAll {
						pieces[p.text] = p
					}
				}
			}
		}
	}
	add(s.Identity)
	add(s.Boundary)
	for _, level := range s.SCPs {
		add(level)
	}
	if s.Resource != nil {
		add([]Policy{*s.Resource})
	}
	if s.Session != nil {
		add([]Policy{*s.Session})
	}
	pieces[whole.text] = *whole
	list := make([]regionPattern, 0, len(pieces))
	for _, p := range pieces {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b regionPattern) int { return strings.Compare(a.text, b.text) })
	return list
}
