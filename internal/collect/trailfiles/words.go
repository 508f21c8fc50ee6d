package trailfiles

import (
	"encoding/binary"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// words numbers the texts of keys: those of families are few, and each in many.
type words struct {
	numbers map[string]uint64
	texts   []string
}

// number appends a key with the texts of its fields numbered: a source, a packed key.
func (w *words) number(b []byte, key string) []byte {
	b = append(b, key[0])
	for field, text := range snapshot.Fields(key[1:]) {
		b = append(b, field)
		if snapshot.IsFlag(field) {
			continue
		}
		n, ok := w.numbers[text]
		if !ok {
			n = uint64(len(w.texts))
			text = strings.Clone(text)
			w.numbers[text] = n
			w.texts = append(w.texts, text)
		}
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// text is the packed key of one with numbers.
func (w *words) text(key string) string {
	var packed []byte
	for b := []byte(key[1:]); len(b) > 0; {
		field := b[0]
		b = b[1:]
		if snapshot.IsFlag(field) {
			packed = snapshot.AppendField(packed, field, "")
			continue
		}
		n, used := binary.Uvarint(b)
		b = b[used:]
		packed = snapshot.AppendField(packed, field, w.texts[n])
	}
	return string(packed)
}
