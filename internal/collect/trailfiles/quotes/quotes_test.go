package quotes

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Both ways of finding give what a loop over the bytes gives, for every value of a
// byte in every place of a block and for random text.
func TestMasks(t *testing.T) {
	check := func(text []byte) {
		t.Helper()
		blocks := len(text) / Block
		var q, s [2][]uint64
		for i := range 2 {
			q[i], s[i] = make([]uint64, blocks), make([]uint64, blocks)
		}
		Masks(text, q[0], s[0])
		generic(text, q[1], s[1])
		for b := range blocks {
			var quotes, special uint64
			for i, c := range text[b*Block:][:Block] {
				if c == '"' {
					quotes |= 1 << i
				}
				if c == '\\' || c < 0x20 {
					special |= 1 << i
				}
			}
			for i := range 2 {
				if q[i][b] != quotes || s[i][b] != special {
					t.Fatalf("%q, way %d: quotes %x, special %x, want %x, %x", text[b*Block:][:Block], i, q[i][b], s[i][b], quotes, special)
				}
			}
		}
	}
	text := make([]byte, 2*Block)
	for place := range len(text) {
		for c := range 256 {
			for _, around := range []byte{' ', 'a', '"', '\\', 0xff, 0} {
				for i := range text {
					text[i] = around
				}
				text[place] = byte(c)
				check(text)
			}
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		text := make([]byte, r.IntN(9*Block))
		for i := range text {
			text[i] = byte(r.IntN(256))
		}
		check(text)
	}
}

func TestPositions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 1000 {
		masks := make([]uint64, r.IntN(9))
		var want []uint32
		for b := range masks {
			masks[b] = r.Uint64() & r.Uint64() & r.Uint64()
			switch round % 4 {
			case 0:
				masks[b] = 0
			case 1:
				masks[b] = ^uint64(0)
			}
			for bit := range Block {
				if masks[b]>>bit&1 == 1 {
					want = append(want, uint32(b*Block+bit))
				}
			}
		}
		for way, f := range []func([]uint64, []uint32) int{Positions, genericPositions} {
			list := make([]uint32, len(want)+Block)
			if n := f(masks, list); n != len(want) || !slices.Equal(list[:n], want) {
				t.Fatalf("%x, way %d: %d, want %d", masks, way, list[:n], want)
			}
		}
	}
}

func BenchmarkMasks(b *testing.B) {
	text := make([]byte, 256<<10)
	for i := range text {
		text[i] = 'a'
		if i%11 == 0 {
			text[i] = '"'
		}
	}
	q, s, list := make([]uint64, len(text)/Block), make([]uint64, len(text)/Block), make([]uint32, len(text)+Block)
	for name, f := range map[string]func([]byte, []uint64, []uint64){"machine": Masks, "generic": generic} {
		b.Run("masks/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f(text, q, s)
			}
		})
	}
	for name, f := range map[string]func([]uint64, []uint32) int{"machine": Positions, "generic": genericPositions} {
		b.Run("positions/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				f(q, list)
			}
		})
	}
}
