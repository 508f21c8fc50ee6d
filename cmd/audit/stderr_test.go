package main

import (
	"strings"
	"testing"
)

func TestCleanWriter(t *testing.T) {
	for text, want := range map[string]string{
		"plain — ünïcödé 日本\n\t.":     "plain — ünïcödé 日本\n\t.",
		"\x1b[2J\r\x00\x7f":           `\u001b[2J\u000d\u0000\u007f`,
		"\u009b31m\u202e\u200b\u2028": `\u009b31m\u202e\u200b\u2028`,
		"\xff\xc3":                    `\xff\xc3`,
		"":                            "",
	} {
		var b strings.Builder
		n, err := cleanWriter{&b}.Write([]byte(text))
		if b.String() != want || n != len(text) || err != nil {
			t.Errorf("%q: wrote %q, %d, %v; want %q", text, b.String(), n, err, want)
		}
	}
}
