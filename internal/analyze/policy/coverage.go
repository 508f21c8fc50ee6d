package policy

import (
	"slices"
	"strings"
)

// extent says how much of one set of resources another one takes in.
type extent uint8

const (
	extentNone extent = iota // certainly nothing
	extentSome               // perhaps something
	extentAll                // certainly everything
)

// region is a set of resources as a statement describes it: what the patterns match,
// or with not everything else. Variables that have a value are replaced by it.
type region struct {
	patterns []regionPattern
	not      bool
}

// regionPattern is one entry. Its symbols are read once: regions are compared often.
type regionPattern struct {
	text    string
	symbols []symbol
	all     bool // * alone
}

var everyResource = region{patterns: []regionPattern{{text: "*", symbols: []symbol{anyRun}, all: true}}}

// region is the statement's region; entries with a variable that has no value match
// nothing and are left out.
func (s *Statement) region(env *environment) region {
	if s.Resources == nil {
		return everyResource
	}
	r := region{not: s.NotResource, patterns: make([]regionPattern, 0, len(s.resources))}
	for i := range s.resources {
		p := &s.resources[i]
		text := s.Resources[i]
		symbols, ok := p.text.resolve(env)
		if !ok {
			continue
		}
		if !p.text.plain() {
			text = spell(symbols, text)
		}
		r.patterns = append(r.patterns, regionPattern{text, symbols, p.all})
	}
	return r
}

// spell is the pattern with the values of its variables written in; as long as one is
// undecided it stays as written.
func spell(p []symbol, written string) string {
	var b strings.Builder
	for _, sym := range p {
		switch sym {
		case undecide:
			return written
		case anyRun:
			b.WriteByte('*')
		case anyOne:
			b.WriteByte('?')
		case '*', '?', '$':
			b.WriteString("${" + string(rune(sym)) + "}")
		default:
			b.WriteByte(byte(sym))
		}
	}
	return b.String()
}

func (r *region) all() bool {
	if r.not {
		return len(r.patterns) == 0
	}
	return r.listsAll()
}

func (r *region) empty() bool {
	if r.not {
		return r.listsAll()
	}
	return len(r.patterns) == 0
}

func (r *region) listsAll() bool {
	return slices.ContainsFunc(r.patterns, func(p regionPattern) bool { return p.all })
}

// covers is how much of what pattern p matches lies in r.
func (r *region) covers(p *regionPattern) extent {
	some := extentNone
	for i := range r.patterns {
		if e := r.patterns[i].extent(p); e > some {
			if some = e; e == extentAll {
				break
			}
		}
	}
	if r.not {
		return extentAll - some
	}
	return some
}

// extent is how much of q lies in p.
func (p *regionPattern) extent(q *regionPattern) extent {
	switch {
	case p.all || p.text == q.text:
		return extentAll
	case q.all:
		return extentSome
	case !overlap(widestSymbols(p.symbols), widestSymbols(q.symbols)):
		return extentNone
	case includesPattern(p.symbols, q.symbols):
		return extentAll
	}
	return extentSome
}

// split tells apart what of r lies in other for certain, and what may lie outside.
// As one region, r is all or nothing where it or other is a complement.
func (r *region) split(other *region) (inside, outside region) {
	if other.all() {
		return *r, region{}
	}
	if r.not {
		// Everything but r's patterns lies in everything but other's if each of
		// other's lies in r's.
		if other.not && r.holdsAll(other.patterns) {
			return *r, region{}
		}
		return region{}, *r
	}
	for i := range r.patterns {
		p := &r.patterns[i]
		if other.covers(p) == extentAll {
			inside.patterns = append(inside.patterns, *p)
		} else {
			outside.patterns = append(outside.patterns, *p)
		}
	}
	return inside, outside
}

// holdsAll reports whether each of the patterns lies in one of r's.
func (r *region) holdsAll(patterns []regionPattern) bool {
	plain := region{patterns: r.patterns}
	for i := range patterns {
		if plain.covers(&patterns[i]) != extentAll {
			return false
		}
	}
	return true
}

// touches reports whether r and other may have a resource in common.
func (r *region) touches(other *region) bool {
	if r.all() || other.all() {
		return !r.empty() && !other.empty()
	}
	if r.not && other.not {
		return true
	}
	if r.not {
		r, other = other, r
	}
	for i := range r.patterns {
		if other.covers(&r.patterns[i]) != extentNone {
			return true
		}
	}
	return false
}
