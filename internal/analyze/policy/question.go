package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Answer is the answer to a question about sets of requests.
type Answer struct {
	// Truth is True for yes, False for no, Unknown where neither is proven.
	Truth  Truth
	Reason string
	// Counterexample is a request that shows the no; nil for the other answers.
	Counterexample *Request
}

func (a Answer) String() string {
	return [...]string{False: "no", Unknown: "cannot tell", True: "yes"}[a.Truth] + ": " + a.Reason
}

// Cell is an action on the resources of a pattern, in what is known of the context.
// The action may have wildcards.
type Cell struct {
	Action, Pattern string
	Known           Context
}

// Cut says what is to leave a statement: entries of its Action (or NotAction) element,
// of its Resource (or NotResource) element, or with both the one on the other. The empty
// Cut takes the whole statement.
type Cut struct {
	Statement       int
	Action, Pattern string
}

// Contains asks whether one entry of a Resource element matches every resource that
// another one matches: on the May side both read as widely as IAM might match, on the
// Must side segment by segment. A variable has any value, the same in both. A no shows a
// resource, with the values of the variables in its context.
//
// AWS: reference_policies_elements_resource, reference_policies_variables.
func Contains(outer, inner string, side Side) Answer {
	included := Answer{True, outer + " matches all that " + inner + " does", nil}
	switch {
	case outer == "*" || outer == inner:
		return included
	case side == May:
	case !certain(inner):
		return Answer{Unknown, "no page says what " + quote(inner) + " matches for certain", nil}
	case Includes(outer, inner):
		return included
	}
	action := "*"
	if parts := strings.SplitN(inner, ":", arnParts); len(parts) == arnParts && !strings.ContainsAny(parts[2], "*?") {
		action = parts[2] + ":*" // for a request that reads well
	}
	q := &question{sides: []Side{side}, ours: side, theirs: side}
	a := q.answer(grantOf(action, inner), grantOf("*", outer), Context{})
	switch a.Truth {
	case True:
		return included
	case False:
		a.Reason = inner + " matches " + a.Counterexample.Resource + ", and " + outer + " does not" + a.Counterexample.Context.with()
	}
	return a
}

// certain reports whether the pattern certainly matches something: to say that all of
// nothing is included would be true and of no use.
func certain(pattern string) bool {
	t := parseResourcePattern(pattern).text
	c, _ := variables{}.chain(&t, &environment{context: &Context{}})
	r := newResourceChain(c)
	return !r.odd && len(r.read(readStrict, nil)) > 0
}

// Covers asks whether the statement certainly speaks of every request of the cell, by
// inclusion of patterns read segment by segment (E-). Keys that the cell's context leaves
// unknown may have any value. A Deny covers what it denies. A no shows a request of the
// cell that the statement certainly passes by.
func (e *Expander) Covers(s *Statement, c Cell) Answer {
	allow := *s
	allow.Effect = Allow
	q := &question{Expander: e, sides: []Side{Must}, ours: Must, theirs: May}
	statement := []Policy{{Layer: LayerIdentity, Document: &Document{version: Version2012, statements: []*Statement{&allow}}}}
	a := q.answer(grantOf(c.Action, c.Pattern), statement, c.Known)
	switch r := a.Counterexample; a.Truth {
	case True:
		a.Reason = "the statement speaks of every " + c.Action + " on " + c.Pattern
	case False:
		a.Reason = "the statement does not speak of " + r.Action + " on " + r.Resource + r.Context.with()
	}
	return a
}

// WidensNothing asks whether the identity documents p allow nothing that the identity
// documents i do not, whatever other layers say. Yes holds on either side, May and Must;
// a no shows a request that p certainly allows and i certainly does not. Where the
// request names another account's resource, the resource's policy is taken to allow it.
//
// Wildcards in actions, and NotAction, stand for the actions of the Expander's universe;
// what the documents name and it does not know is compared as text, and so is everything
// under a nil Expander. An action without resource types is asked on * only. known holds for
// every request; a key it leaves unknown may have any value, or none.
func (e *Expander) WidensNothing(p, i []Policy, known Context) Answer {
	q := &question{Expander: e, sides: []Side{Must, May}, ours: Must, theirs: May}
	return q.answer(p, i, known)
}

// Redundant asks whether a document means the same without a piece of one statement. A
// no shows a request that one of the two allows and the other does not.
func (e *Expander) Redundant(d *Document, c Cut, known Context) Answer {
	if c.Statement < 0 || c.Statement >= len(d.statements) {
		return Answer{Unknown, fmt.Sprintf("there is no statement %d", c.Statement), nil}
	}
	less, missing := d.without(c)
	if missing != "" {
		return Answer{Unknown, missing, nil}
	}
	with, without := []Policy{{Layer: LayerIdentity, Document: d}}, []Policy{{Layer: LayerIdentity, Document: less}}
	a := e.WidensNothing(with, without, known)
	if a.Truth != True {
		a.Reason = "without it: " + a.Reason
		return a
	}
	if a = e.WidensNothing(without, with, known); a.Truth != True {
		a.Reason = "without it more is allowed: " + a.Reason
		return a
	}
	return Answer{True, "the document means the same without it", nil}
}

// without is the document less the cut; missing says what of the cut is not there.
func (d *Document) without(c Cut) (less *Document, missing string) {
	s := d.statements[c.Statement]
	drop := func(list []string, entry string) []string {
		return filter(list, func(e string) bool { return e != entry })
	}
	switch {
	case c.Action != "" && !slices.Contains(s.Actions, c.Action):
		return nil, fmt.Sprintf("statement %d has no entry %s", s.Index+1, quote(c.Action))
	case c.Pattern != "" && !slices.Contains(s.Resources, c.Pattern):
		return nil, fmt.Sprintf("statement %d has no entry %s", s.Index+1, quote(c.Pattern))
	case c.Action != "" && c.Pattern != "" && (s.NotAction || s.NotResource):
		return nil, fmt.Sprintf("statement %d lists what it leaves out: an action on a pattern is no piece of it", s.Index+1)
	}
	less = &Document{version: d.version}
	add := func(s Statement, actions, resources []string) {
		if len(actions) == 0 && !s.NotAction || s.Resources != nil && len(resources) == 0 && !s.NotResource {
			return
		}
		s.Actions, s.Resources = actions, resources
		s.Conditions = slices.Clone(s.Conditions)
		less.statements = append(less.statements, &s)
	}
	for i, s := range d.statements {
		switch {
		case i != c.Statement:
			add(*s, s.Actions, s.Resources)
		case c.Action == "" && c.Pattern == "":
		case c.Pattern == "":
			add(*s, append([]string{}, drop(s.Actions, c.Action)...), s.Resources)
		case c.Action == "":
			add(*s, s.Actions, append([]string{}, drop(s.Resources, c.Pattern)...))
		default:
			add(*s, drop(s.Actions, c.Action), s.Resources)
			add(*s, []string{c.Action}, drop(s.Resources, c.Pattern))
		}
	}
	less.compile()
	return less, ""
}

// grantOf is one unconditional Allow.
func grantOf(action, pattern string) []Policy {
	d := &Document{version: Version2012, statements: []*Statement{{Effect: Allow, Actions: []string{action}, Resources: []string{pattern}}}}
	d.compile()
	return []Policy{{Layer: LayerIdentity, Document: d}}
}

// question is one comparison of p, what is asked about, with i, what it must lie in.
//
// On one side everything is settled: which reading of a wildcard counts, what becomes of
// a value of the wrong type. Then Allow and Deny are sets, and p lies within i on that
// side when for each piece of p's Allows no request is in it, out of p's Denies, and
// either out of i's Allows or in one of i's Denies. sides are those on which it must;
// a counterexample must be allowed by p on the side ours, and not by i on the side theirs.
type question struct {
	*Expander
	sides        []Side
	ours, theirs Side

	p, i    []Policy
	clauses []*clause
	env     environment // of what is known
	vars    variables
	found   map[inclusion]bool
	values  map[string]foundValue
	steps   int // left to the walks of the proof
	search  int // and to those of the search for a counterexample
}

// What one question may cost: steps of all its walks, contexts tried for a
// counterexample, branches of one proof. Beyond it the answer is cannot tell.
const (
	mostSteps    = 100_000
	mostContexts = 200
	mostBranches = 64
	mostCells    = 2000
)

// clause is a statement of either document.
type clause struct {
	st      *Statement
	policy  *Policy
	ours    bool
	deny    bool
	actions bitset          // of the universe
	strays  []actionPattern // that match nothing in the universe
	// odd says why no page tells what the statement means; "" if one does.
	odd      string
	entries  []resourceChain // of Resource or NotResource
	everyone bool            // every resource, * too
	regions  [3]*constraint
	terms    [2][]term // erring down, erring up
	dead     [2]bool
}

func (q *question) answer(p, i []Policy, known Context) Answer {
	q.p, q.i, q.steps, q.search, q.vars = p, i, mostSteps, mostSteps, variables{}
	q.found, q.values = map[inclusion]bool{}, map[string]foundValue{}
	if known.closed {
		for _, key := range derivedKeys { // no request is without what makes it
			if _, ok := known.entries[key]; !ok {
				known = known.Unknown(key)
			}
		}
	}
	q.env = environment{context: &known, anyResource: true}
	if reason := q.read(p, true) + q.read(i, false); reason != "" {
		return Answer{Unknown, reason, nil}
	}
	if q.carriedOver() {
		return Answer{True, "every Allow and every Deny stands in both, word for word", nil}
	}
	// What no Allow of i speaks of is quickly refuted.
	quick := func(deeds []deed) *Request {
		for j := range deeds {
			if len(deeds[j].theirAllows) == 0 {
				if r := q.refute(&deeds[j]); r != nil {
					return r
				}
			}
		}
		return nil
	}
	deeds := q.knownDeeds()
	if r := quick(deeds); r != nil {
		return q.no(r)
	}
	strangers, ok := q.strangeDeeds()
	if r := quick(strangers); r != nil {
		return q.no(r)
	}
	if !ok {
		return Answer{Unknown, "there are too many kinds of actions to compare", nil}
	}
	deeds = append(deeds, strangers...)
	open := ""
	for j := range deeds {
		why := q.prove(&deeds[j])
		if why == "" {
			continue
		}
		if r := q.refute(&deeds[j]); r != nil {
			return q.no(r)
		}
		if open == "" {
			open = why
		}
	}
	if open != "" {
		return Answer{Unknown, open, nil}
	}
	if len(deeds) == 0 {
		return Answer{True, "nothing is allowed that could be too much", nil}
	}
	return Answer{True, q.yes(deeds), nil}
}

func (q *question) no(r *Request) Answer {
	for _, c := range q.clauses { // as the documents spell it
		if i := slices.IndexFunc(c.st.Actions, func(a string) bool { return strings.EqualFold(a, r.Action) }); i >= 0 {
			r.Action = c.st.Actions[i]
			break
		}
	}
	return Answer{False, r.Action + " on " + r.Resource + " is allowed, and would not be" + r.Context.with(), r}
}

func (q *question) yes(deeds []deed) string {
	denies, conditional := 0, false
	for _, c := range q.clauses {
		if c.deny && !c.ours {
			denies++
		}
		conditional = conditional || !c.deny && c.ours && !c.st.Unconditional()
	}
	reason := "every Allow lies within Allows of the other"
	if conditional {
		reason += " under conditions that are equal or wider"
	}
	if denies > 0 {
		reason += ", and its Denies refuse nothing more"
	}
	if q.Expander != nil && slices.ContainsFunc(deeds, func(d deed) bool { return d.known }) {
		reason += ", for each action of the catalogue"
	}
	return reason
}

// read makes the statements ready. It fails on what makes the whole question moot.
func (q *question) read(policies []Policy, ours bool) string {
	for i := range policies {
		p := &policies[i]
		if p.Document == nil {
			continue
		}
		var sets []bitset
		var strays [][]actionPattern
		if q.Expander != nil {
			sets, strays = q.document(p.Document), q.strays(p.Document)
		}
		for j, s := range p.Document.statements {
			if s.Principals != nil {
				return fmt.Sprintf("statement %d names principals, as no identity document does", s.Index+1)
			}
			for _, a := range s.Actions {
				if len(a) > 1 && strings.Trim(a, "*") == "" || !ascii(a) {
					return fmt.Sprintf("no page says which actions %s names", quote(a))
				}
			}
			c := q.clause(s, p, ours)
			if q.Expander != nil {
				c.actions, c.strays = sets[j], strays[j]
			}
			q.clauses = append(q.clauses, c)
		}
	}
	return ""
}

func (q *question) clause(s *Statement, p *Policy, ours bool) *clause {
	c := &clause{st: s, policy: p, ours: ours, deny: s.Effect == Deny, everyone: s.Resources == nil}
	for j := range s.resources {
		text := s.Resources[j]
		if !s.literal && !plainVariables(text) {
			c.odd = "no page says what the variable in " + quote(text) + " is"
		}
		raw, ok := q.vars.chain(&s.resources[j].text, &q.env)
		if !ok {
			continue
		}
		r := newResourceChain(raw)
		c.everyone = c.everyone || r.all
		if r.odd {
			c.odd = "no page says what " + quote(text) + " matches"
		}
		c.entries = append(c.entries, r)
	}
	for up := range c.terms {
		c.terms[up], c.dead[up] = q.terms(s, up == 1)
	}
	return c
}

// errs is 1 where the side lets what is undecided in the clause count.
func (c *clause) errs(side Side) int {
	if (side == May) != c.deny {
		return 1
	}
	return 0
}

// reading is how the side reads the clause's entries.
func (c *clause) reading(side Side) reading {
	if (c.errs(side) == 1) != c.st.NotResource {
		return readAny
	}
	if side == May {
		return readCrossing
	}
	return readStrict
}

// region is the ARNs that the clause speaks of on the side.
func (c *clause) region(side Side) constraint {
	if c.st.Resources == nil {
		return constraint{[]chain{everyText}, true}
	}
	as := c.reading(side)
	if c.regions[as] == nil {
		r := &constraint{in: !c.st.NotResource}
		for i := range c.entries {
			r.chains = c.entries[i].read(as, r.chains)
		}
		c.regions[as] = r
	}
	return *c.regions[as]
}

// ofStar is the bounds of whether the clause speaks of the resource *, in a reading of ARNs'
// patterns. given are variables that have a value: an entry with another one may match nothing.
func (c *clause) ofStar(star starReading, given chain) (least, most Truth) {
	switch {
	case c.everyone:
		least, most = True, True
	case len(c.entries) > 0:
		most = star.ofARNs()
		if slices.ContainsFunc(c.entries, func(r resourceChain) bool { return r.raw.variesWithin(given) }) {
			least = most
		}
	}
	if c.st.NotResource && c.st.Resources != nil {
		return True - most, True - least
	}
	return least, most
}

// sameEntries reports that both list the same resources, or leave them out.
func (c *clause) sameEntries(d *clause) bool {
	lists := func(c *clause, r resourceChain) bool {
		return slices.ContainsFunc(c.entries, func(s resourceChain) bool { return slices.Equal(r.raw, s.raw) })
	}
	return c.st.NotResource == d.st.NotResource && (c.st.Resources == nil) == (d.st.Resources == nil) &&
		!slices.ContainsFunc(c.entries, func(r resourceChain) bool { return !lists(d, r) }) &&
		!slices.ContainsFunc(d.entries, func(r resourceChain) bool { return !lists(c, r) })
}

// carriedOver reports that each Allow of p stands in i, and each Deny of i in p, with
// the same words. That is so whatever the words mean.
func (q *question) carriedOver() bool {
	type outline struct {
		deny, notAction, notResource   bool
		actions, resources, conditions int
	}
	outlineOf := func(c *clause) outline {
		return outline{c.deny, c.st.NotAction, c.st.NotResource, len(c.st.Actions), len(c.st.Resources), len(c.st.Conditions)}
	}
	outlines, texts := map[outline]bool{}, map[string]bool{}
	for _, c := range q.clauses {
		if c.deny == c.ours {
			outlines[outlineOf(c)] = true
		}
	}
	for _, c := range q.clauses {
		if c.deny != c.ours && !outlines[outlineOf(c)] {
			return false // most are settled so
		}
	}
	for _, c := range q.clauses {
		if c.deny == c.ours {
			texts[c.text()] = true
		}
	}
	for _, c := range q.clauses {
		if c.deny != c.ours && !texts[c.text()] {
			return false
		}
	}
	return len(q.sides) > 1 || q.ours == q.theirs
}

// text is the statement's canonical form, but its Sid.
func (c *clause) text() string {
	s := *c.st
	s.Sid = ""
	var w writer
	w.statement(&s)
	if s.literal {
		w.buf = append(w.buf, " literal"...)
	}
	return string(w.buf)
}

func (c *clause) name() string {
	name := fmt.Sprintf("statement %d", c.st.Index+1)
	if c.st.Sid != "" {
		name += " (" + c.st.Sid + ")"
	}
	if c.policy.Name != "" {
		name += " of " + c.policy.Name
	}
	return name
}
