package policy

import "strings"

// Reading is what one statement has to say of a request, element by element: why it
// takes part in a decision, or does not.
type Reading struct {
	Action     bool  // its Action or NotAction speaks of the action
	Resource   Truth // its Resource or NotResource speaks of the resource
	Partial    bool  // of some only of the resources of a pattern
	Principal  Truth // it names the principal, or names none where none belongs
	Conditions []ConditionReading
}

// ConditionReading is what is known of one condition, in the statement's order.
type ConditionReading struct {
	Truth Truth
	// Known: the request's value of the key is known. Known without Values: it has none.
	Known  bool
	Values []string
}

// Read holds the statement against a request, as a statement of the layer. The
// resource may be a pattern, as in Access.
func (s *Statement) Read(r Request, layer Layer) Reading {
	d := newDecider(&Stack{}, r)
	if IsPattern(r.Resource) {
		d.cell = &cell{pattern: regionPattern{r.Resource, patternSymbols(r.Resource), strings.Trim(r.Resource, "*") == ""}}
	}
	out := Reading{Action: s.matchesAction(d.service, d.name), Principal: True}
	if d.cell == nil {
		out.Resource = s.matchesResource(&d.env, layer).truth
	} else {
		region := s.region(&d.env)
		extent := region.covers(&d.cell.pattern)
		out.Resource, out.Partial = True, extent == extentSome
		if extent == extentNone {
			out.Resource = False
		}
	}
	switch {
	case s.Principals == nil && layer == LayerResource:
		out.Principal = False
	case s.Principals != nil && layer != LayerResource && layer != LayerRCP:
		out.Principal = False
	case s.Principals != nil:
		as := s.matchesPrincipal(&d.env)
		named := as.any()
		if s.NotPrincipal {
			named = named.not()
		}
		out.Principal = named.truth
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		values, presence := d.env.lookup(c.key)
		out.Conditions = append(out.Conditions, ConditionReading{c.evaluate(&d.env).truth, presence != unknown, values})
	}
	return out
}

// IsPattern reports whether Access compares the text as a pattern, rather than decide
// it as the ARN of one resource.
func IsPattern(resource string) bool {
	return strings.ContainsAny(resource, "*?") || strings.Contains(resource, "${")
}
