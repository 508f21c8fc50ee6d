package policy

import (
	"slices"
	"strings"
)

// prove reports "" if, on every side, what p allows of the deed lies within i; else
// what stayed open.
func (q *question) prove(d *deed) string {
	for _, side := range q.sides {
		for _, a := range d.ourAllows {
			if why := q.proveAllow(d, a, side); why != "" {
				return why
			}
		}
	}
	return ""
}

// proof is one proof in progress: that no request is in some region, meets some
// terms, and passes by all of the clauses outs.
type proof struct {
	*question
	side     Side
	arn      bool // about ARNs; else about the resource *
	star     starReading
	in       constraints
	entry    *resourceChain // of p's Allow; nil where it has no entries of its own
	outs     []*clause
	allow    *clause // of p, nil where a Deny of i is at issue
	branches int
}

func (q *question) proveAllow(d *deed, a *clause, side Side) string {
	errs := a.errs(side)
	terms := a.terms[errs]
	if a.dead[errs] || q.contradict(terms) {
		return ""
	}
	if a.st.NotResource || a.st.Resources == nil || a.odd != "" {
		for _, star := range d.readingsOfStar() {
			if _, most := a.ofStar(star, nil); counts(most, errs) {
				if why := q.provePiece(d, a, &proof{question: q, side: side, star: star}, terms, "*"); why != "" {
					return why
				}
			}
		}
		if d.resourceless {
			return ""
		}
		in := slices.Clone(a.resources())
		if a.odd == "" {
			in = append(in, a.region(side))
		}
		return q.provePiece(d, a, &proof{question: q, side: side, arn: true, in: in}, terms, a.st.resourceElement())
	}
	as := a.reading(side)
	for i := range a.entries {
		e := &a.entries[i]
		for _, star := range d.readingsOfStar() {
			if e.all || counts(star.ofARNs(), errs) {
				if why := q.provePiece(d, a, &proof{question: q, side: side, star: star, entry: e}, terms, "*"); why != "" {
					return why
				}
			}
		}
		if d.resourceless {
			continue
		}
		in := append(slices.Clip(a.resources()), constraint{e.read(as, nil), true})
		if why := q.provePiece(d, a, &proof{question: q, side: side, arn: true, in: in, entry: e}, terms, e.raw.spell()); why != "" {
			return why
		}
	}
	return ""
}

func counts(t Truth, errs int) bool { return t == True || t == Unknown && errs == 1 }

// starReading is whether the pattern of an ARN speaks of the resource *: no page says so
// of an action without resource types, nor the opposite.
type starReading int

const (
	starSettled starReading = iota // statement by statement, as the side has it
	starSilent                     // none speaks of it
	starSpeaks                     // each does
)

func (r starReading) ofARNs() Truth {
	return [...]Truth{starSettled: Unknown, starSilent: False, starSpeaks: True}[r]
}

// readingsOfStar: an action without resource types is asked on * alone, and what is proven
// of it holds in every reading. Settled statement by statement alone, a Resource and a
// NotResource element could each stand for the other.
func (d *deed) readingsOfStar() []starReading {
	if d.resourceless {
		return []starReading{starSettled, starSilent, starSpeaks}
	}
	return []starReading{starSettled}
}

// provePiece proves that one piece of an Allow lies within i's Allows, and is refused by
// none of i's Denies but where p's own refuse it.
func (q *question) provePiece(d *deed, a *clause, p *proof, terms []term, where string) string {
	same := func(b *clause) func(*clause) bool {
		text := b.text()
		return func(c *clause) bool { return c.text() == text }
	}
	p.allow, p.outs = a, append(slices.Clone(d.theirAllows), d.ourDenies...)
	if a.odd == "" || !slices.ContainsFunc(d.theirAllows, same(a)) {
		if a.odd != "" {
			return a.odd
		}
		if !p.none(p.in, terms) {
			return q.unproven(d, a, where, terms, p.outs)
		}
	}
	for _, e := range d.theirDenies {
		errs := e.errs(p.side)
		if _, most := e.ofStar(p.star, nil); e.dead[errs] || !p.arn && !counts(most, errs) || slices.ContainsFunc(d.ourDenies, same(e)) {
			continue
		}
		deny := &proof{question: q, side: p.side, arn: p.arn, star: p.star, outs: d.ourDenies}
		both := append(slices.Clip(terms), e.terms[errs]...)
		if p.arn && e.odd == "" {
			region := e.region(p.side)
			// The Deny alone, the Allow alone, both: with variables each proves something else.
			if deny.none(append(slices.Clone(p.in), region), both) ||
				p.in.vary() && (deny.none(append(slices.Clip(a.resources()), region), both) || deny.none(p.in, both)) {
				continue
			}
		} else if deny.none(p.in, both) {
			continue
		}
		return "whether the Deny in " + e.name() + " refuses what " + a.name() + " allows is open, for " + d.action + " on " + where + because(q, where, []*clause{e}, nil)
	}
	return ""
}

// unproven says what stayed open about a piece of an Allow.
func (q *question) unproven(d *deed, a *clause, where string, terms []term, outs []*clause) string {
	return "whether " + a.name() + " stays within is open, for " + d.action + " on " + where + because(q, where, outs, terms)
}

func because(q *question, where string, clauses []*clause, given []term) string {
	if q.steps < 0 {
		return ": the patterns have too many shapes to try"
	}
	var keys []string
	for _, c := range clauses {
		if c.odd != "" {
			return ": " + c.odd
		}
		for _, l := range c.terms[1] {
			if !q.follows(given, &l) {
				keys = append(keys, l.c.Key)
			}
		}
	}
	if keys = sorted(keys); len(keys) > 0 {
		return ": it turns on " + strings.Join(keys, ", ")
	}
	if where == "*" {
		return ": no page says whether an ARN speaks of a request for no resource"
	}
	return ": it turns on how a wildcard or a variable is read"
}

// none proves that nothing in the region that meets the terms passes by every out.
// Outs whose conditions follow from the terms count whole; where others are needed,
// one of their terms is taken to hold, then to fail.
func (p *proof) none(in constraints, terms []term) bool {
	p.branches = mostBranches
	return p.split(in, terms)
}

func (p *proof) split(in constraints, terms []term) bool {
	if p.branches--; p.branches < 0 || p.steps < 0 {
		return false
	}
	if p.contradict(terms) {
		return true
	}
	var sure, perhaps []*clause
	for _, o := range p.outs {
		errs := o.errs(p.side)
		if o.dead[errs] || o.odd != "" {
			continue
		}
		if !p.arn && !p.outOfStar(o) {
			continue
		}
		switch {
		case !slices.ContainsFunc(o.terms[errs], func(l term) bool { return !p.follows(terms, &l) }):
			if !p.arn {
				return true
			}
			sure = append(sure, o)
		case !p.contradict(append(slices.Clip(terms), o.terms[errs]...)):
			perhaps = append(perhaps, o)
		}
	}
	if p.arn {
		if slices.ContainsFunc(sure, func(o *clause) bool { return p.within(in, o) }) {
			return true // one by one is less to walk, and settles most
		}
		if len(sure) != 1 && p.empty(in, sure) {
			return true
		}
		// If not even all of them together take everything in, no branch will.
		if len(perhaps) == 0 || !p.empty(in, append(slices.Clip(sure), perhaps...)) {
			return false
		}
	}
	for _, o := range perhaps {
		for _, l := range o.terms[o.errs(p.side)] {
			if !p.follows(terms, &l) {
				return p.split(in, append(slices.Clip(terms), l)) && p.split(in, append(slices.Clip(terms), l.complement()))
			}
		}
	}
	return false
}

// outOfStar reports whether the out speaks of * wherever the piece does.
func (p *proof) outOfStar(o *clause) bool {
	var given chain // the variables that have a value
	if p.entry != nil {
		given = p.entry.raw
	}
	least, _ := o.ofStar(p.star, given)
	return counts(least, o.errs(p.side)) || p.allow != nil && o.errs(p.side) == p.allow.errs(p.side) && o.sameEntries(p.allow)
}

// within reports whether the region lies in one out's. For a piece of an Allow, which is
// asked about for one kind of actions after the other, it is found once.
func (p *proof) within(in constraints, o *clause) bool {
	if p.allow == nil {
		return p.empty(in, []*clause{o})
	}
	if p.entry != nil && !o.deny && !o.st.NotResource && (o.everyone ||
		slices.ContainsFunc(o.entries, func(r resourceChain) bool { return slices.Equal(r.raw, p.entry.raw) })) {
		return true
	}
	key := inclusion{p.side, p.allow, p.entry, o}
	answer, known := p.found[key]
	if !known {
		answer = p.empty(in, []*clause{o})
		p.found[key] = answer
	}
	return answer
}

// inclusion is a question about regions: entry is nil for the whole of a NotResource.
type inclusion struct {
	side  Side
	piece *clause
	entry *resourceChain
	in    *clause
}

// empty reports whether nothing of the region is left without the outs.
func (p *proof) empty(in constraints, outs []*clause) bool {
	all := slices.Clone(in)
	for _, o := range outs {
		r := o.region(p.side)
		r.in = !r.in
		all = append(all, r)
	}
	return all.provenEmpty(len(everyResourceARN), &p.steps)
}

// spell is the chain as it stands in a policy, but for its variables.
func (c chain) spell() string {
	var b strings.Builder
	for _, t := range c {
		switch {
		case t.run():
			b.WriteByte('*')
		case t.kind == tokenOne || t.kind == tokenOneIn:
			b.WriteByte('?')
		case t.char < 0:
			b.WriteString("${...}")
		case t.char == '*' || t.char == '?' || t.char == '$':
			b.WriteString("${" + string(t.char) + "}")
		default:
			b.WriteRune(t.char)
		}
	}
	return b.String()
}
