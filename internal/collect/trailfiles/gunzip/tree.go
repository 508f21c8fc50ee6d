package gunzip

import "math/bits"

const (
	maxCode      = 15 // bits of a code
	maxLiterals  = 286
	maxDistances = 30
	tableBits    = 11
	tableSize    = 1 << 13 // room for the first table and all second ones
)

// An entry of a tree's table: bits 0-7 are how many bits the code has, 8-11 how many
// follow it (of a second table: how many bits choose in it), 12-15 the kind, 16-31 the
// value: the literal, the least length or distance, where the second table begins. An
// entry of no code is 0.
const (
	isLiteral = 1 << 12
	isEnd     = 1 << 13
	isTable   = 1 << 14
	isInvalid = 1 << 15 // a code that stands for nothing
)

// tree is a Huffman code as a table: the next tableBits bits lead to what they begin
// with, or to a second table, where the bits after them do.
type tree struct {
	entries [tableSize]uint32
}

// RFC 1951, 3.2.5: the least length and distance of each code, and its extra bits.
var (
	literalEntries  [288]uint32
	distanceEntries [32]uint32
)

func init() {
	for i := range 256 {
		literalEntries[i] = uint32(i)<<16 | isLiteral
	}
	literalEntries[256] = isEnd
	base := uint32(3)
	for i := range 28 {
		extra := uint32(max(0, i/4-1))
		literalEntries[257+i] = base<<16 | extra<<8
		base += 1 << extra
	}
	literalEntries[285] = 258 << 16
	literalEntries[286], literalEntries[287] = isInvalid, isInvalid
	base = 1
	for i := range 30 {
		extra := uint32(max(0, i/2-1))
		distanceEntries[i] = base<<16 | extra<<8
		base += 1 << extra
	}
	distanceEntries[30], distanceEntries[31] = isInvalid, isInvalid
}

// build makes the table of the code whose symbols have these lengths, and reports
// whether it is a code: complete, or of one symbol with one bit, or empty.
func (t *tree) build(lengths []uint8, symbols []uint32) bool {
	var count [maxCode + 1]int
	longest := 0
	for _, n := range lengths {
		count[n]++
		longest = max(longest, int(n))
	}
	clear(t.entries[:1<<tableBits])
	if longest == 0 {
		return true // a symbol of it is an error
	}
	var next [maxCode + 1]uint32
	code := uint32(0)
	for n := 1; n <= longest; n++ {
		code <<= 1
		next[n] = code
		code += uint32(count[n])
	}
	if code != 1<<longest && !(code == 1 && longest == 1) {
		return false
	}
	end := uint32(1 << tableBits) // of the tables
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		reversed := bits.Reverse32(next[n]) >> (32 - n)
		next[n]++
		entry := symbols[symbol] | uint32(n)
		if n <= tableBits {
			for i := reversed; i < 1<<tableBits; i += 1 << n {
				t.entries[i] = entry
			}
			continue
		}
		first := reversed & (1<<tableBits - 1)
		width := uint32(longest - tableBits)
		if t.entries[first] == 0 {
			clear(t.entries[end : end+1<<width])
			t.entries[first] = end<<16 | isTable | width<<8
			end += 1 << width
		}
		table := t.entries[first] >> 16
		for i := reversed >> tableBits; i < 1<<width; i += 1 << (n - tableBits) {
			t.entries[table+i] = entry
		}
	}
	return true
}

// order is that of the lengths of the code for lengths (RFC 1951, 3.2.7).
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

var plainEntries = func() (e [19]uint32) {
	for i := range e {
		e[i] = uint32(i) << 16
	}
	return e
}()

// dynamic reads the trees of a block.
func (r *Reader) dynamic() error {
	head, err := r.read(14)
	if err != nil {
		return err
	}
	literals, distances, codes := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if literals > maxLiterals || distances > maxDistances {
		return ErrCorrupt
	}
	var lengths [19]uint8
	for _, place := range order[:codes] {
		n, err := r.read(3)
		if err != nil {
			return err
		}
		lengths[place] = uint8(n)
	}
	if !r.literals.build(lengths[:], plainEntries[:]) {
		return ErrCorrupt
	}
	all := r.lengths[:literals+distances]
	for i := 0; i < len(all); {
		e, err := r.symbol(&r.literals)
		if err != nil {
			return err
		}
		value, times := uint8(0), 0
		var extra uint
		switch symbol := e >> 16; symbol {
		case 16:
			if i == 0 {
				return ErrCorrupt
			}
			value = all[i-1]
			extra, err = r.read(2)
			times = int(extra) + 3
		case 17:
			extra, err = r.read(3)
			times = int(extra) + 3
		case 18:
			extra, err = r.read(7)
			times = int(extra) + 11
		default:
			value, times = uint8(symbol), 1
		}
		if err != nil {
			return err
		}
		if i+times > len(all) {
			return ErrCorrupt
		}
		for range times {
			all[i] = value
			i++
		}
	}
	if !r.literals.build(all[:literals], literalEntries[:]) || !r.distances.build(all[literals:], distanceEntries[:]) {
		return ErrCorrupt
	}
	return nil
}

// fixed takes the trees that need not be told (RFC 1951, 3.2.6).
func (r *Reader) fixed() {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	r.literals.build(lengths[:], literalEntries[:])
	var five [32]uint8
	for i := range five {
		five[i] = 5
	}
	r.distances.build(five[:], distanceEntries[:])
}
