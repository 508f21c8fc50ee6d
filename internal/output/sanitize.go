package output

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// unsafe reports whether r can drive a terminal or make text look like other
// text: controls (C0, DEL, C1), format characters (bidi overrides, zero width,
// soft hyphen, tags, BOM) and the line and paragraph separators.
func unsafe(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// clean returns s with every unsafe rune, and every byte that is no UTF-8,
// shown as an escape: \n, \x1b, \u202e, \U000e0041.
func clean(s string) string {
	safe := true
	for i, r := range s {
		if unsafe(r) || r == utf8.RuneError && s[i] != "\uFFFD"[0] {
			safe = false
			break
		}
	}
	if safe {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unsafe(r):
			b.WriteString(s[i : i+n])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

// escapeJSON appends the valid JSON text src to buf with every unsafe rune as a
// \u escape, so that the value is kept and printing it is harmless. Such runes
// stand only inside strings, save for the newlines of the indentation.
func escapeJSON(buf *bytes.Buffer, src []byte) {
	buf.Grow(len(src))
	start := 0 // of what is not yet written
	for i := 0; i < len(src); {
		if b := src[i]; b == '\n' || ' ' <= b && b < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRune(src[i:])
		if r != utf8.RuneError && !unsafe(r) {
			i += n
			continue
		}
		buf.Write(src[start:i])
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			fmt.Fprintf(buf, `\u%04x\u%04x`, hi, lo)
		} else {
			fmt.Fprintf(buf, `\u%04x`, r)
		}
		i += n
		start = i
	}
	buf.Write(src[start:])
}
