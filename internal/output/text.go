package output

import (
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter/pkg/twwidth"
)

// columns is the display width of s, measured as tablewriter does it but apart
// from its global settings, which follow the locale.
func columns(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return twwidth.WidthWithOptions(s, twwidth.Options{})
		}
	}
	return len(s)
}

// para is a paragraph: one text that is wrapped to the room it gets.
type para struct {
	text   string
	style  style
	indent int
	// hang is the further indent of all lines but the first.
	hang int
	// whole is set for names, which may hold blanks: no place to break them.
	whole bool
}

// text is a paragraph of prose.
func text(s string) para { return para{text: s} }

// name is a paragraph that holds one name: an ARN, a role, an id.
func name(s string) para { return para{text: s, whole: true} }

func (q para) in(indent int) para    { q.indent += indent; return q }
func (q para) hanging(hang int) para { q.hang = hang; return q }
func (q para) styled(s style) para   { q.style = s; return q }

// words are the parts that stay unbroken where a line can hold them.
func (q para) words() []string {
	s := clean(q.text)
	if q.whole {
		return []string{s}
	}
	return strings.Fields(s)
}

// natural is the width of q in one line.
func (q para) natural() int { return q.indent + columns(clean(q.text)) }

// least is the width q needs to leave its words unbroken.
func (q para) least() int {
	w := 0
	for _, word := range q.words() {
		w = max(w, columns(word))
	}
	return q.indent + w
}

// line is a line of text, indented from where its paragraph's room begins: less
// than 0 where it reaches to the left of that.
type line struct {
	indent int
	text   string
}

// layout breaks q into lines of at most room columns. A word too wide for that
// gets a line of its own which may begin up to slack columns to the left; only
// what is too wide even so is broken.
func (q para) layout(room, slack int) []line {
	var lines []line
	indent := q.indent
	var b strings.Builder
	used := 0
	flush := func() {
		lines = append(lines, line{indent, b.String()})
		indent = q.indent + q.hang
		b.Reset()
		used = 0
	}
	add := func(word string) {
		if used > 0 {
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += columns(word)
	}
	for _, word := range q.words() {
		w := columns(word)
		if used > 0 && indent+used+1+w > room {
			flush()
		}
		switch {
		case indent+used+w <= room:
			add(word)
		case w <= room+slack:
			lines = append(lines, line{room - w, word})
			indent = q.indent + q.hang
		default:
			for indent+w > room {
				n := breakAt(word, room-indent)
				add(word[:n])
				w -= used
				flush()
				word = word[n:]
			}
			add(word)
		}
	}
	if used > 0 || len(lines) == 0 {
		flush()
	}
	return lines
}

// joints are the characters after which an ARN, a path or a name may be broken.
const joints = "/:-.,_="

// breakAt says how many bytes of s go into a line of width columns: up to a
// joint, unless that leaves more than half of the line empty.
func breakAt(s string, width int) int {
	fits, joint, used := 0, 0, 0
	for i, r := range s {
		used += columns(string(r))
		if used > width {
			break
		}
		fits = i + utf8.RuneLen(r)
		if used > width/2 && strings.ContainsRune(joints, r) {
			joint = fits
		}
	}
	switch {
	case joint > 0:
		return joint
	case fits > 0:
		return fits
	}
	_, fits = utf8.DecodeRuneInString(s) // one rune wider than the line
	return fits
}
