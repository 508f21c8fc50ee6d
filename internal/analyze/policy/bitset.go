package policy

import "math/bits"

// bitset is a set of action indices. It keeps only the words between its first and
// its last member: most statements speak of one or two services.
type bitset struct {
	from  int // index of words[0]
	words []uint64
}

const wordBits = 64

func wordsFor(n int) int { return (n + wordBits - 1) / wordBits }

// dense is a full-width set to write into.
type dense []uint64

func newDense(n int) dense { return make(dense, wordsFor(n)) }

func (d dense) has(i int) bool { return d[i/wordBits]&(1<<(i%wordBits)) != 0 }
func (d dense) set(i int)      { d[i/wordBits] |= 1 << (i % wordBits) }

// setRange adds lo..hi-1.
func (d dense) setRange(lo, hi int) {
	if lo >= hi {
		return
	}
	first, last := lo/wordBits, (hi-1)/wordBits
	head := ^uint64(0) << (lo % wordBits)
	tail := ^uint64(0) >> (wordBits - 1 - (hi-1)%wordBits)
	if first == last {
		d[first] |= head & tail
		return
	}
	d[first] |= head
	for w := first + 1; w < last; w++ {
		d[w] = ^uint64(0)
	}
	d[last] |= tail
}

// add adds the members of b.
func (d dense) add(b bitset) {
	for i, w := range b.words {
		d[b.from+i] |= w
	}
}

func (d dense) remove(e dense) {
	for i, w := range e {
		d[i] &^= w
	}
}

// addWithin is add for words lo..hi-1 only, where the caller will look.
func (d dense) addWithin(b bitset, lo, hi int) {
	lo, hi = max(lo, b.from), min(hi, b.from+len(b.words))
	for w := lo; w < hi; w++ {
		d[w] |= b.words[w-b.from]
	}
}

// clearWithin empties words lo..hi-1.
func (d dense) clearWithin(lo, hi int) { clear(d[lo:hi]) }

func (d dense) count() int {
	n := 0
	for _, w := range d {
		n += bits.OnesCount64(w)
	}
	return n
}

// compact is a copy of the members, without the empty words around them.
func (d dense) compact() bitset {
	lo, hi := 0, len(d)
	for lo < hi && d[lo] == 0 {
		lo++
	}
	for hi > lo && d[hi-1] == 0 {
		hi--
	}
	return bitset{lo, append([]uint64(nil), d[lo:hi]...)}
}

func (b bitset) has(i int) bool {
	w := i/wordBits - b.from
	return w >= 0 && w < len(b.words) && b.words[w]&(1<<(i%wordBits)) != 0
}

func (b bitset) empty() bool {
	for _, w := range b.words {
		if w != 0 {
			return false
		}
	}
	return true
}

func (b bitset) intersects(c bitset) bool {
	lo, hi := max(b.from, c.from), min(b.from+len(b.words), c.from+len(c.words))
	for w := lo; w < hi; w++ {
		if b.words[w-b.from]&c.words[w-c.from] != 0 {
			return true
		}
	}
	return false
}

// and is the members that are in both.
func (b bitset) and(c bitset) bitset {
	lo, hi := max(b.from, c.from), min(b.from+len(b.words), c.from+len(c.words))
	if lo >= hi {
		return bitset{}
	}
	words := make([]uint64, hi-lo)
	for i := range words {
		words[i] = b.words[lo+i-b.from] & c.words[lo+i-c.from]
	}
	return bitset{lo, words}
}

// andNot is the members of b that are not in c.
func (b bitset) andNot(c bitset) bitset {
	words := append([]uint64(nil), b.words...)
	lo, hi := max(b.from, c.from), min(b.from+len(b.words), c.from+len(c.words))
	for w := lo; w < hi; w++ {
		words[w-b.from] &^= c.words[w-c.from]
	}
	return bitset{b.from, words}
}

// in reports whether every member of b is in d.
func (b bitset) in(d dense) bool {
	for i, w := range b.words {
		if w&^d[b.from+i] != 0 {
			return false
		}
	}
	return true
}

// within is the members of b that are in d.
func (b bitset) within(d dense) bitset {
	words := make([]uint64, len(b.words))
	for i, w := range b.words {
		words[i] = w & d[b.from+i]
	}
	return bitset{b.from, words}
}
