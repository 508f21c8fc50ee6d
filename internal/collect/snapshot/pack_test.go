package snapshot

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Every field of a key is packed: each alone, and all of them.
func TestPack(t *testing.T) {
	var all UseKey
	var none UseKey
	count := 0
	var fill func(v reflect.Value, each func(set func(reflect.Value)))
	check := func(k UseKey) {
		t.Helper()
		for _, pair := range [][2]UseKey{{k, none}, {none, k}, {k, all}} {
			got := pair[1]
			if got.Unpack(string(pair[0].Pack(nil, &pair[1]))); got != pair[0] {
				t.Errorf("%+v\nis not\n%+v", got, pair[0])
			}
		}
	}
	fill = func(v reflect.Value, each func(func(reflect.Value))) {
		for i := range v.NumField() {
			at := func(w reflect.Value) reflect.Value { return w.Field(i) }
			switch v.Field(i).Kind() {
			case reflect.Struct:
				fill(v.Field(i), func(set func(reflect.Value)) { each(func(w reflect.Value) { set(at(w)) }) })
			case reflect.String:
				count++
				text := fmt.Sprint("field ", count, strings.Repeat(".", 50*count))
				each(func(w reflect.Value) { at(w).SetString(text) })
			case reflect.Bool:
				each(func(w reflect.Value) { at(w).SetBool(true) })
			default:
				t.Fatalf("a field of kind %s", v.Field(i).Kind())
			}
		}
	}
	fill(reflect.ValueOf(&all).Elem(), func(set func(reflect.Value)) {
		set(reflect.ValueOf(&all).Elem())
		var one UseKey
		set(reflect.ValueOf(&one).Elem())
		if one == none {
			t.Error("a field was not set")
		}
		check(one)
		check(all)
	})
	if count != textFields {
		t.Errorf("%d fields are strings, %d are packed", count, textFields)
	}
	texts := all.texts()
	for i, text := range texts {
		for _, other := range texts[:i] {
			if text == other {
				t.Errorf("field %d is packed twice", i)
			}
		}
	}
}
