//go:build !amd64

package quotes

func masks(text []byte, quotes, special []uint64) { generic(text, quotes, special) }

func positions(masks []uint64, list []uint32) int { return genericPositions(masks, list) }
