package policy

import (
	"slices"
	"sort"
	"strings"
)

// Universe is a catalogue of actions. Action spells an action canonically, such as
// s3:GetObject; actions are sorted by their lower-case spelling, without repetition.
// Resourceless reports that an action has no resource type: only * stands for its resource.
type Universe interface {
	Len() int
	Action(i int) string
	Resourceless(i int) bool
}

// Expander finds the actions of a Universe that statements speak of. What it found
// for a document stays with the document, so that roles sharing a managed policy share the work: parse
// such a document once. It is safe for concurrent use.
type Expander struct {
	size         int
	names        []string // without the service prefix, in lower case
	actions      []string // as the universe spells them
	services     map[string]span
	resourceless bitset
	everything   bitset
}

// span is the indices lo..hi-1.
type span struct{ lo, hi int }

// NewExpander reads the universe once. It panics if the universe is not sorted as it must be.
func NewExpander(u Universe) *Expander {
	n := u.Len()
	e := &Expander{size: n, names: make([]string, n), actions: make([]string, n), services: map[string]span{}}
	all, resourceless := newDense(n), newDense(n)
	all.setRange(0, n)
	last := ""
	for i := range n {
		action := lowerAction(u.Action(i))
		if action <= last {
			panic("policy: universe is not sorted: " + action + " after " + last)
		}
		last = action
		service, name, _ := strings.Cut(action, ":")
		e.names[i], e.actions[i] = name, u.Action(i)
		s, ok := e.services[service]
		if !ok {
			s.lo = i
		}
		s.hi = i + 1
		e.services[service] = s
		if u.Resourceless(i) {
			resourceless.set(i)
		}
	}
	e.everything, e.resourceless = all.compact(), resourceless.compact()
	return e
}

// Actions are the indices of the universe's actions that the statement speaks of, ascending.
func (e *Expander) Actions(s *Statement) []int {
	set := e.statement(s, newDense(e.size))
	var all []int
	for i := range e.size {
		if set.has(i) {
			all = append(all, i)
		}
	}
	return all
}

// document is the set of each of the document's statements.
func (e *Expander) document(d *Document) []bitset {
	if m := d.memo.Load(); m != nil && m.by == e {
		return m.sets
	}
	sets := make([]bitset, len(d.statements))
	scratch := newDense(e.size)
	for i, s := range d.statements {
		sets[i] = e.statement(s, scratch)
	}
	d.memo.Store(&memo{e, sets})
	return sets
}

// statement is the statement's set; scratch is overwritten.
func (e *Expander) statement(s *Statement, scratch dense) bitset {
	clear(scratch)
	for i := range s.actions {
		e.mark(&s.actions[i], scratch)
	}
	switch {
	case s.NotAction:
		for i, w := range e.everything.words {
			scratch[e.everything.from+i] = w &^ scratch[e.everything.from+i]
		}
	case slices.ContainsFunc(s.actions, func(p actionPattern) bool { return p.kind == actionAll }):
		return e.everything
	}
	return scratch.compact()
}

// mark adds the actions that match p.
func (e *Expander) mark(p *actionPattern, set dense) {
	if p.kind == actionAll {
		set.add(e.everything)
		return
	}
	s, ok := e.services[p.service]
	if !ok {
		return
	}
	switch p.kind {
	case actionExact:
		if i := s.lo + sort.SearchStrings(e.names[s.lo:s.hi], p.name); i < s.hi && e.names[i] == p.name {
			set.set(i)
		}
	case actionPrefix:
		s = e.prefixed(s, p.name)
		set.setRange(s.lo, s.hi)
	case actionGlob:
		s = e.prefixed(s, p.name[:strings.IndexAny(p.name, "*?")])
		for i := s.lo; i < s.hi; i++ {
			if globName(p.name, e.names[i]) {
				set.set(i)
			}
		}
	}
}

// prefixed narrows s to the names that begin with prefix.
func (e *Expander) prefixed(s span, prefix string) span {
	if prefix == "" {
		return s
	}
	names := e.names[s.lo:s.hi]
	lo := sort.SearchStrings(names, prefix)
	n := sort.Search(len(names)-lo, func(i int) bool { return !strings.HasPrefix(names[lo+i], prefix) })
	return span{s.lo + lo, s.lo + lo + n}
}
