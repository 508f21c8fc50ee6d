package output

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"plain/äß日":        "plain/äß日",
		"\x1b[31mred":      `\x1b[31mred`,
		"a\r\n\tb":         `a\r\n\tb`,
		"\u009b\u202e\x7f": `\x9b\u202e\x7f`,
		"\U000e0041":       `\U000e0041`,
		"\xff\ufffd":       `\xff` + "\ufffd",
		"\ufffd":           "\ufffd",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLayout(t *testing.T) {
	for _, c := range []struct {
		q           para
		room, slack int
		want        []line
	}{
		{text(""), 10, 0, []line{{0, ""}}},
		{text("one two three"), 9, 0, []line{{0, "one two"}, {0, "three"}}},
		{text("one two three").in(1).hanging(2), 8, 0, []line{{1, "one two"}, {3, "three"}}},
		{text("go arn:aws:s3:::bucket/key on"), 12, 0, []line{{0, "go"}, {0, "arn:aws:s3::"}, {0, ":bucket/key"}, {0, "on"}}},
		{text("go arn:aws:s3:::bucket/key on"), 20, 3, []line{{0, "go"}, {-3, "arn:aws:s3:::bucket/key"}, {0, "on"}}},
		{name("key with blanks"), 8, 0, []line{{0, "key with"}, {0, " blanks"}}},
		{name("日本語日本語"), 5, 0, []line{{0, "日本"}, {0, "語日"}, {0, "本語"}}},
		{name("日本"), 1, 0, []line{{0, "日"}, {0, "本"}}},
	} {
		if d := cmp.Diff(c.want, c.q.layout(c.room, c.slack), cmp.AllowUnexported(line{})); d != "" {
			t.Errorf("%q in %d+%d: %s", c.q.text, c.room, c.slack, d)
		}
	}
}

func FuzzLayout(f *testing.F) {
	f.Add("arn:aws:s3:::bucket/a key", 10, 4, 2, true)
	f.Add("\x1b[2J 日本語 \xff", 3, 0, 0, false)
	f.Fuzz(func(t *testing.T, s string, room, slack, indent int, whole bool) {
		if room < 1 || room > 200 || slack < 0 || slack > 50 || indent < 0 || indent > room-2 {
			t.Skip()
		}
		q := para{text: s, indent: indent, whole: whole}
		var all strings.Builder
		for _, l := range q.layout(room, slack) {
			if l.indent < -slack || l.indent+columns(l.text) > room && utf8.RuneCountInString(l.text) > 1 {
				t.Errorf("%d columns from %d do not fit %d: %q", columns(l.text), l.indent, room, l.text)
			}
			for _, r := range l.text {
				if unsafe(r) {
					t.Errorf("%U gets through", r)
				}
			}
			all.WriteString(l.text)
		}
		bare := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if got, want := bare(all.String()), bare(clean(s)); got != want {
			t.Errorf("text changed: %q, want %q", got, want)
		}
	})
}

func TestTally(t *testing.T) {
	if got := tally(map[string]int{"b": 2, "a": 2, "c": 30}); got != "c 30, a 2, b 2" {
		t.Error(got)
	}
}

func TestSome(t *testing.T) {
	for _, c := range []struct {
		names       []string
		total, most int
		want        string
	}{
		{nil, 0, 3, ""},
		{[]string{"a", "b"}, 2, 3, "a, b"},
		{[]string{"a", "b", "c"}, 3, 2, "a, b and 1 more"},
		{[]string{"a", "b"}, 40, 2, "a, b and 38 more"},
	} {
		if got := some(c.names, c.total, c.most); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
