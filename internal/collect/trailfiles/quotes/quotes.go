// Package quotes finds the bytes of JSON text that strings are made of, 64 at a time.
package quotes

import (
	"encoding/binary"
	"math/bits"
)

// Block is how many bytes one mask tells of.
const Block = 64

// Masks tells of each whole block of text which of its bytes are quotes, and which are
// special: a backslash or a control character (below U+0020). Bit n is byte n. Both
// slices hold a mask for each block.
func Masks(text []byte, quotes, special []uint64) {
	n := len(text) / Block
	if n == 0 {
		return
	}
	_, _ = quotes[n-1], special[n-1]
	masks(text, quotes, special)
}

// generic is Masks on any machine: eight bytes at a time.
func generic(text []byte, quotes, special []uint64) {
	for b := range len(text) / Block {
		var q, s uint64
		block := text[b*Block:][:Block]
		for i := 0; i < Block; i += 8 {
			w := binary.LittleEndian.Uint64(block[i:])
			q |= bytesOf(zero(w^ones*'"')) << i
			s |= bytesOf(zero(w^ones*'\\')|below32(w)) << i
		}
		quotes[b], special[b] = q, s
	}
}

const (
	ones = 0x0101010101010101
	low7 = 0x7f7f7f7f7f7f7f7f
)

// zero sets the high bit of each byte that is zero, and no other bit.
func zero(w uint64) uint64 { return ^((w&low7 + low7) | w | low7) }

// below32 sets the high bit of each byte that is less than 32, and no other bit.
func below32(w uint64) uint64 { return ^((w&low7 + ones*(128-32)) | w | low7) }

// bytesOf gathers the high bits of the eight bytes.
func bytesOf(w uint64) uint64 { return (w >> 7) * 0x0102040810204080 >> 56 }

// Positions writes the positions of the set bits of all masks into list and returns
// how many they are. list has room for [Block] more than they are.
func Positions(masks []uint64, list []uint32) int {
	if len(masks) == 0 {
		return 0
	}
	return positions(masks, list)
}

func genericPositions(masks []uint64, list []uint32) int {
	n := 0
	for b, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			list[n] = uint32(b*Block + bits.TrailingZeros64(mask))
			n++
		}
	}
	return n
}
