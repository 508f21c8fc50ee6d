package quotes

// fast tells whether the processor, and the system, know AVX2 (32 bytes at a time),
// BMI1 and POPCNT.
var fast = detect()

func masks(text []byte, quotes, special []uint64) {
	if !fast {
		generic(text, quotes, special)
		return
	}
	masksAVX2(&text[0], len(text)/Block, &quotes[0], &special[0])
}

// positions writes up to eight positions past the last one: there is room for them.
func positions(masks []uint64, list []uint32) int {
	if !fast {
		return genericPositions(masks, list)
	}
	return positionsBMI(&masks[0], len(masks), &list[0])
}

// masksAVX2 is Masks of n > 0 blocks.
//
//go:noescape
func masksAVX2(text *byte, n int, quotes, special *uint64)

// positionsBMI is Positions of n > 0 masks.
//
//go:noescape
func positionsBMI(masks *uint64, n int, list *uint32) (count int)

func cpuid(leaf, sub uint32) (a, b, c, d uint32)
func xgetbv() uint32

// detect asks as Intel's manual says (Intel 64 and IA-32 Software Developer's Manual,
// volume 1, 14.7.1; volume 2, CPUID): the system must save the wide registers as well.
func detect() bool {
	const popcnt, osxsave, avx = 1 << 23, 1 << 27, 1 << 28
	const bmi1, avx2 = 1 << 3, 1 << 5
	if leaves, _, _, _ := cpuid(0, 0); leaves < 7 {
		return false
	}
	if _, _, c, _ := cpuid(1, 0); c&popcnt == 0 || c&osxsave == 0 || c&avx == 0 {
		return false
	}
	if xgetbv()&6 != 6 {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&bmi1 != 0 && b&avx2 != 0
}
