package trailfiles

import (
	"encoding/binary"
	"reflect"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// A group's key is kept as a short text: a UseKey has some fifty fields, of which a
// call fills a dozen.

// field is the place of a field of UseKey.
type field struct {
	index []int
	flag  bool // a bool, else a string
}

var fields = fieldsOf(reflect.TypeFor[snapshot.UseKey](), nil)

func fieldsOf(t reflect.Type, at []int) (all []field) {
	for i := range t.NumField() {
		index := append(append([]int{}, at...), i)
		switch f := t.Field(i); f.Type.Kind() {
		case reflect.Struct:
			all = append(all, fieldsOf(f.Type, index)...)
		case reflect.Bool:
			all = append(all, field{index, true})
		case reflect.String:
			all = append(all, field{index, false})
		default:
			panic("trailfiles: UseKey has a field of an unforeseen type: " + f.Name)
		}
	}
	return all
}

// packed appends the fields in which key differs from base.
func packed(b []byte, key, base *snapshot.UseKey) []byte {
	k, from := reflect.ValueOf(key).Elem(), reflect.ValueOf(base).Elem()
	for i, f := range fields {
		v := k.FieldByIndex(f.index)
		if f.flag {
			if on := v.Bool(); on != from.FieldByIndex(f.index).Bool() {
				b = append(b, byte(i))
			}
			continue
		}
		if text := v.String(); text != from.FieldByIndex(f.index).String() {
			b = append(b, byte(i))
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
	}
	return b
}

// unpacked is the key that was packed over base.
func unpacked(text string, base snapshot.UseKey) snapshot.UseKey {
	v := reflect.ValueOf(&base).Elem()
	for len(text) > 0 {
		f := fields[text[0]]
		text = text[1:]
		to := v.FieldByIndex(f.index)
		if f.flag {
			to.SetBool(!to.Bool())
			continue
		}
		n, used := uvarint(text)
		to.SetString(text[used : used+n])
		text = text[used+n:]
	}
	return base
}

func uvarint(text string) (n, used int) {
	for shift := 0; ; shift += 7 {
		c := text[used]
		used++
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n, used
		}
	}
}
