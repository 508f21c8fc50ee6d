package trailfiles

import (
	"cmp"
	"iter"
)

// family is the calls that are alike but for the names of their objects. Most have one
// group and no map for it.
type family struct {
	source  int
	depth   int // of the folders by which they are kept, exact for by name
	rest    string
	first   *group
	more    map[string]*group // from the second on
	objects int               // that were told apart by name
	alone   bool
}

func (f *family) size() int {
	if f.first == nil {
		return 0
	}
	return 1 + len(f.more)
}

func (f *family) get(rest string) *group {
	if f.first != nil && f.rest == rest {
		return f.first
	}
	return f.more[rest]
}

// put adds a group that is not there.
func (f *family) put(rest string, g *group) {
	switch {
	case f.first == nil:
		f.rest, f.first = rest, g
	case f.more == nil:
		f.more = map[string]*group{rest: g}
	default:
		f.more[rest] = g
	}
}

// groups yields the groups in no order.
func (f *family) groups() iter.Seq2[string, *group] {
	return func(yield func(string, *group) bool) {
		if f.first == nil || !yield(f.rest, f.first) {
			return
		}
		for rest, g := range f.more {
			if !yield(rest, g) {
				return
			}
		}
	}
}

const exact = 1 << 30

// group is the calls that are alike.
type group struct {
	into            *group // what it collapsed into
	count           int
	first, last     int64
	firstID, lastID ident
}

// see counts a call.
func (g *group) see(at int64, id ident) {
	g = g.end()
	if g.count == 0 || cmp.Or(cmp.Compare(at, g.first), id.compare(g.firstID)) < 0 {
		g.first, g.firstID = at, id
	}
	if g.count == 0 || cmp.Or(cmp.Compare(at, g.last), id.compare(g.lastID)) > 0 {
		g.last, g.lastID = at, id
	}
	g.count++
}

func (g *group) end() *group {
	for g.into != nil {
		if g.into.into != nil {
			g.into = g.into.into
		}
		g = g.into
	}
	return g
}

// merge takes over what g counted.
func (to *group) merge(g *group) {
	if g.count > 0 {
		if to.count == 0 || cmp.Or(cmp.Compare(g.first, to.first), g.firstID.compare(to.firstID)) < 0 {
			to.first, to.firstID = g.first, g.firstID
		}
		if to.count == 0 || cmp.Or(cmp.Compare(g.last, to.last), g.lastID.compare(to.lastID)) > 0 {
			to.last, to.lastID = g.last, g.lastID
		}
		to.count += g.count
	}
	*g = group{into: to}
}
