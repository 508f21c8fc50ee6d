package trailfiles

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// eventID is a UUID, or half the SHA-256 of an id that is none.
type eventID [16]byte

// ident is an event's id as it is told: its name where that is no UUID, else the id.
type ident struct {
	id   eventID
	name string
}

// eventIDOf packs an id, and reports whether it can be had back.
func eventIDOf(id string) (e eventID, whole bool) {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' {
		packed := id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:]
		if _, err := hex.Decode(e[:], []byte(packed)); err == nil && packed == strings.ToLower(packed) {
			return e, true
		}
	}
	sum := sha256.Sum256([]byte(id))
	copy(e[:], sum[:])
	return e, false
}

func (e eventID) String() string {
	h := hex.EncodeToString(e[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (i ident) String() string {
	if i.name != "" {
		return i.name
	}
	return i.id.String()
}

// compare orders by what is told. UUIDs in text and in bytes have the same order.
func (i ident) compare(j ident) int {
	if i.name == "" && j.name == "" {
		return slices.Compare(i.id[:], j.id[:])
	}
	return cmp.Compare(i.String(), j.String())
}
