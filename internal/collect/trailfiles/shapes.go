package trailfiles

// Most records have the shape of one before: the same names in the same order, and
// other values. A shape that was walked over once is not walked over again. What it is
// made of is kept in a tree: literal text, then a hole where a value stands, then
// literal text again. A record that goes down the tree to an end has been compared
// byte by byte with records that were sound, but for the strings and numbers in its
// holes, and those are checked here as the walk checks them. So it is sound too, and
// has the same fields. One that leaves the tree is walked over from its beginning.
//
// What the tree holds changes how fast records are read, never what is found.

// hole says what stands in a hole, and what is asked of it.
type hole uint8

const (
	holeString hole = iota // any string
	holeLooked             // one of the request's: it may name a role
	holeNeeded             // not empty
	holeTime
	holeIssuer
	holeNumber
	holeEnd // none: the record ends
)

// span is a hole of the record that was walked over.
type span struct {
	from, to uint32
	hole     hole
}

// shape is a node of the tree: the literal before a hole.
type shape struct {
	literal string
	quotes  int // of the literal
	hole    hole
	// Where the record ends: its class, and whether its source is asked for whole.
	class class
	hit   bool

	next []*shape
}

// The tree grows by a few nodes with a record, so that what comes once does not fill
// it, and begins anew when it is full and does not help.
const (
	maxShapes   = 4096
	maxNext     = 24
	growth      = 8
	shapesEvery = 8192
)

// shapes is the tree.
type shapes struct {
	root           shape
	nodes          int
	tried, matched int
}

// match reads the record at p by the tree. It reports false where the record leaves it,
// and then has changed nothing.
func (s *scanner) match(p int) (end int, result outcome, ok bool) {
	var (
		text, q, limit = s.text, s.quotes, uint32(s.end)
		mark           = s.mark
		at             = &s.shapes.root
		hit            = false
	)
	for q[s.quote] < uint32(p) {
		s.quote++
	}
	i := s.quote
	for {
		var to *shape
		for n, next := range at.next {
			if e := p + len(next.literal); e <= s.end && string(text[p:e]) == next.literal {
				if to = next; n > 0 { // what comes often moves to the front
					at.next[n-1], at.next[n] = next, at.next[n-1]
				}
				break
			}
		}
		if to == nil {
			break
		}
		at = to
		p += len(to.literal)
		i += to.quotes
		if to.hole >= holeNumber {
			if to.hole == holeEnd {
				s.quote, s.class, s.strange = i, to.class, false
				if hit || to.hit {
					return p, candidate, true
				}
				return p, passed, true
			}
			sound := false
			if p, sound = number(text, p); !sound {
				break
			}
			continue
		}
		shut := q[i]
		if shut >= limit {
			break
		}
		if s.marks[s.mark] < shut && s.special(uint32(p-1), shut) {
			if s.unsound || to.hole >= holeNeeded {
				break
			}
			if to.hole == holeLooked {
				hit = hit || s.escapedRole(text[p-1:shut+1])
			}
		} else if to.hole != holeString {
			switch value := text[p:shut]; to.hole {
			case holeLooked:
				hit = hit || s.roles.has(value)
			case holeIssuer:
				hit = hit || s.roles.has(value)
			case holeTime:
				if !s.clock.see(value) {
					to = nil
				}
			case holeNeeded:
				if len(value) == 0 {
					to = nil
				}
			}
			if to == nil {
				break
			}
		}
		p = int(shut)
	}
	s.mark = mark
	return 0, broken, false
}

// learn adds the shape of the record that was just walked over, from p to end.
func (s *scanner) learn(p, end int) {
	t := &s.shapes
	at := &t.root
	from := p
	for n, grown := 0, 0; n <= len(s.holes); n++ {
		h := span{from: uint32(end), to: uint32(end), hole: holeEnd}
		if n < len(s.holes) {
			h = s.holes[n]
		}
		literal := s.text[from:h.from]
		var to *shape
		for _, next := range at.next {
			if next.literal == string(literal) && next.hole == h.hole {
				to = next
				break
			}
		}
		if to == nil {
			if grown++; grown > growth || t.nodes == maxShapes || len(at.next) == maxNext {
				return
			}
			t.nodes++
			to = &shape{literal: string(literal), hole: h.hole}
			for _, c := range literal {
				if c == '"' {
					to.quotes++
				}
			}
			if h.hole == holeEnd {
				to.class, to.hit = s.class, s.whole
			}
			at.next = append(at.next, to)
		}
		at = to
		from = int(h.to)
	}
}

// tally counts a try, and now and then asks whether the tree is worth its room.
func (t *shapes) tally(matched bool) {
	t.tried++
	if matched {
		t.matched++
	}
	if t.tried == shapesEvery {
		if t.nodes == maxShapes && t.matched < t.tried*3/4 {
			t.root, t.nodes = shape{}, 0
		}
		t.tried, t.matched = 0, 0
	}
}
