package snapshot

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// members yields the members of an object that is sound JSON, in its order, and none of
// any other value. It saves encoding/json's map of all of them.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		p := skipSpace(object, 0)
		if p == len(object) || object[p] != '{' {
			return
		}
		p = skipSpace(object, p+1)
		for p < len(object) && object[p] == '"' {
			end := skipString(object, p)
			name := object[p:end]
			p = skipSpace(object, end)     // at the colon
			from := skipSpace(object, p+1) // at the value
			end = skipValue(object, from)
			if !yield(name, object[from:end]) {
				return
			}
			if p = skipSpace(object, end); p < len(object) && object[p] == ',' {
				p = skipSpace(object, p+1)
			}
		}
	}
}

// elements yields the elements of an array that is sound JSON, and none of any other
// value.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		p := skipSpace(array, 0)
		if p == len(array) || array[p] != '[' {
			return
		}
		p = skipSpace(array, p+1)
		for p < len(array) && array[p] != ']' {
			end := skipValue(array, p)
			if end == p || !yield(array[p:end]) {
				return
			}
			if p = skipSpace(array, end); p < len(array) && array[p] == ',' {
				p = skipSpace(array, p+1)
			}
		}
	}
}

func skipSpace(text []byte, p int) int {
	for p < len(text) && (text[p] == ' ' || text[p] == '\n' || text[p] == '\t' || text[p] == '\r') {
		p++
	}
	return p
}

// skipString gives the end of the string that begins with the quote at p.
func skipString(text []byte, p int) int {
	for p++; p < len(text); {
		n := bytes.IndexByte(text[p:], '"')
		if n < 0 {
			break
		}
		p += n + 1
		slashes := 0
		for text[p-2-slashes] == '\\' {
			slashes++ // the quote that opens the string ends them
		}
		if slashes%2 == 0 {
			return p
		}
	}
	return len(text)
}

func skipValue(text []byte, p int) int {
	depth := 0
	for p < len(text) {
		switch text[p] {
		case '"':
			p = skipString(text, p) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return p // of the literal before it
			}
			depth--
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return p
			}
			p++
			continue
		default:
			p++
			continue
		}
		if p++; depth == 0 {
			return p
		}
	}
	return p
}

// plain gives a JSON string's text where it stands as it is: without escapes, and valid.
func plain(quoted []byte) ([]byte, bool) {
	if len(quoted) < 2 || quoted[0] != '"' {
		return nil, false
	}
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 || !utf8.Valid(text) {
		return nil, false
	}
	return text, true
}

// str is a JSON string's text, empty for any other value.
func str(value []byte) string {
	if text, ok := plain(value); ok {
		return string(text)
	}
	var s string
	json.Unmarshal(value, &s)
	return s
}

// named gives a member's name.
func named(quoted []byte) []byte {
	if text, ok := plain(quoted); ok {
		return text
	}
	return []byte(str(quoted))
}
