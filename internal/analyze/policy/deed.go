package policy

import (
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// deed is actions that no statement of the two documents tells apart.
type deed struct {
	action string // one of them
	known  bool   // the universe has it
	// resourceless: the action takes no resource but *.
	resourceless bool

	ourAllows, ourDenies, theirAllows, theirDenies []*clause
}

func (d *deed) add(c *clause) {
	list := &d.theirDenies
	switch {
	case c.ours && c.deny:
		list = &d.ourDenies
	case c.ours:
		list = &d.ourAllows
	case !c.deny:
		list = &d.theirAllows
	}
	*list = append(*list, c)
}

// strangeDeeds are the actions that p may allow and the universe does not know: names
// written out, whole services, and patterns that match nothing in it. ok is false where
// there are too many kinds.
func (q *question) strangeDeeds() (all []deed, ok bool) {
	if q.Expander == nil {
		return q.textDeeds(nil, nil, everyAction)
	}
	names := map[string]bool{}
	for _, c := range q.clauses {
		for _, p := range c.strays {
			if !q.allowsOf(p.service) {
				continue
			}
			if _, served := q.services[p.service]; !served {
				names[p.service+":?*"] = true
			} else if p.kind == actionExact || c.ours && !c.deny {
				names[p.text()] = true
			}
		}
	}
	var loose []chain
	services, kinds := map[string]bool{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p := parseActionPattern(name)
		if p.kind != actionExact {
			loose, services[p.service] = append(loose, p.chain()), true
			continue
		}
		d, kind := q.namedDeed(p.service, p.name)
		if len(d.ourAllows) > 0 && !kinds[kind] {
			kinds[kind] = true
			all = append(all, d)
		}
	}
	if len(loose) == 0 {
		return all, true
	}
	return q.textDeeds(all, services, loose...)
}

// allowsOf reports whether p may allow anything of the service.
func (q *question) allowsOf(service string) bool {
	return slices.ContainsFunc(q.clauses, func(c *clause) bool {
		return c.ours && !c.deny && (c.st.NotAction || slices.ContainsFunc(c.st.actions, func(p actionPattern) bool {
			return p.kind == actionAll || p.service == service
		}))
	})
}

// namedDeed is one action by itself; kind is equal for actions that no statement tells apart.
func (q *question) namedDeed(service, name string) (d deed, kind string) {
	d.action = service + ":" + name
	speak := make([]byte, len(q.clauses))
	for i, c := range q.clauses {
		if c.st.matchesAction(service, name) {
			speak[i] = 1
			d.add(c)
		}
	}
	return d, string(speak)
}

// knownDeeds sorts the universe's actions that p's Allows speak of by the statements that
// speak of them.
func (q *question) knownDeeds() []deed {
	if q.Expander == nil {
		return nil
	}
	reach := newDense(q.size)
	lo, hi := len(reach), 0
	for _, c := range q.clauses {
		if c.ours && !c.deny {
			reach.add(c.actions)
			if len(c.actions.words) > 0 {
				lo, hi = min(lo, c.actions.from), max(hi, c.actions.from+len(c.actions.words))
			}
		}
	}
	if lo >= hi {
		return nil
	}
	kind := make([]uint32, (hi-lo)*wordBits)
	kinds := []deed{{}}
	split := func(set bitset, change func(*deed)) {
		moved := make([]uint32, len(kinds))
		for w := max(lo, set.from); w < min(hi, set.from+len(set.words)); w++ {
			for word := set.words[w-set.from] & reach[w]; word != 0; word &= word - 1 {
				k := &kind[(w-lo)*wordBits+bits.TrailingZeros64(word)]
				if moved[*k] == 0 {
					moved[*k] = uint32(len(kinds))
					d := kinds[*k]
					d.ourAllows, d.ourDenies = slices.Clip(d.ourAllows), slices.Clip(d.ourDenies)
					d.theirAllows, d.theirDenies = slices.Clip(d.theirAllows), slices.Clip(d.theirDenies)
					change(&d)
					kinds = append(kinds, d)
				}
				*k = moved[*k]
			}
		}
	}
	for _, c := range q.clauses {
		split(c.actions, func(d *deed) { d.add(c) })
	}
	split(q.resourceless, func(d *deed) { d.resourceless = true })
	var all []deed
	for w := lo; w < hi; w++ {
		for word := reach[w]; word != 0; word &= word - 1 {
			bit := bits.TrailingZeros64(word)
			if d := &kinds[kind[(w-lo)*wordBits+bit]]; !d.known {
				d.known, d.action = true, q.actions[w*wordBits+bit]
				all = append(all, *d)
			}
		}
	}
	return all
}

// textDeeds appends the kinds of the actions that match one of the patterns, compared as
// text. The patterns are of the services only; nil: of any.
func (q *question) textDeeds(all []deed, services map[string]bool, patterns ...chain) ([]deed, bool) {
	type cell struct {
		within constraints
		deed   deed
	}
	root := constraints{{patterns, true}}
	action, _ := root.walk(&q.steps)
	cells := []cell{{root, deed{action: action}}}
	clauses := slices.Clone(q.clauses)
	slices.SortStableFunc(clauses, func(a, b *clause) int { // p's Allows first: the rest is no matter
		return strings.Compare(a.role(), b.role())
	})
	for n, c := range clauses {
		if n > 0 && c.role() != "allow" && clauses[n-1].role() == "allow" {
			cells = slices.DeleteFunc(cells, func(c cell) bool { return len(c.deed.ourAllows) == 0 })
		}
		var speaks []chain
		for i := range c.st.actions {
			p := &c.st.actions[i]
			if p.kind == actionAll || p.kind != actionNever && (services == nil || services[p.service]) {
				speaks = append(speaks, p.chain())
			}
		}
		var next []cell
		for _, one := range cells {
			for _, in := range [...]bool{true, false} {
				d := one
				if len(speaks) > 0 {
					d.within = append(slices.Clip(one.within), constraint{speaks, in != c.st.NotAction})
					action, found := d.within.walk(&q.steps)
					if found == Unknown || len(next) > mostCells {
						return all, false
					}
					if found == False {
						continue
					}
					d.deed.action = action
				} else if in != c.st.NotAction {
					continue
				}
				if in {
					d.deed.ourAllows, d.deed.ourDenies = slices.Clip(d.deed.ourAllows), slices.Clip(d.deed.ourDenies)
					d.deed.theirAllows, d.deed.theirDenies = slices.Clip(d.deed.theirAllows), slices.Clip(d.deed.theirDenies)
					d.deed.add(c)
				}
				next = append(next, d)
			}
		}
		cells = next
	}
	for _, c := range cells {
		if len(c.deed.ourAllows) > 0 {
			all = append(all, c.deed)
		}
	}
	return all, true
}

func (c *clause) role() string {
	if c.ours && !c.deny {
		return "allow"
	}
	return "other"
}

// everyAction is the texts that have the form of an action.
var everyAction = chain{{kind: tokenOneIn}, {kind: tokenRunIn}, {char: ':'}, {kind: tokenOne}, {kind: tokenRun}}

// chain is the pattern as a chain; letters are in lower case.
func (p *actionPattern) chain() chain {
	if p.kind == actionAll {
		return everyText
	}
	c := append(plainChain(p.service), token{char: ':'})
	for _, r := range p.name {
		switch {
		case r == '*':
			c = append(c, token{kind: tokenRun})
		case r == '?':
			c = append(c, token{kind: tokenOne})
		default:
			c = append(c, token{char: r})
		}
	}
	if p.kind == actionPrefix {
		c = append(c, token{kind: tokenRun})
	}
	return c
}

func (p *actionPattern) text() string {
	text := p.service + ":" + p.name
	if p.kind == actionPrefix {
		text += "*"
	}
	return text
}

// strays are, by statement, the document's action patterns that match nothing in the
// universe.
func (e *Expander) strays(d *Document) [][]actionPattern {
	if m := d.foreign.Load(); m != nil && m.by == e {
		return m.patterns
	}
	all := make([][]actionPattern, len(d.statements))
	scratch := newDense(e.size)
	for i, s := range d.statements {
		for j := range s.actions {
			p := &s.actions[j]
			if p.kind == actionAll || p.kind == actionNever {
				continue
			}
			clear(scratch)
			if e.mark(p, scratch); scratch.count() == 0 {
				all[i] = append(all[i], *p)
			}
		}
	}
	d.foreign.Store(&foreign{e, all})
	return all
}

// foreign is, like memo, what an Expander found for a document.
type foreign struct {
	by       *Expander
	patterns [][]actionPattern
}
