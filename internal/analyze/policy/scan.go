package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// SyntaxError says where a document is no policy document.
type SyntaxError struct {
	Offset int64  // bytes from the start of the input
	Path   string // JSON path, such as $.Statement[2].Action
	Msg    string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s (offset %d): %s", e.Path, e.Offset, e.Msg)
}

// fewMembers is how many member names are compared one by one.
const fewMembers = 32

// maxDepth bounds nesting. A policy needs five levels.
const maxDepth = 64

// scanner reads JSON strictly (RFC 8259) and knows where it is. Policies are small
// and many, so it hands out substrings of its input instead of building a tree.
// Errors travel by panic(*SyntaxError) up to the exported function that started it.
type scanner struct {
	text string
	pos  int
	path []step
	// seen are the member names of the objects being read, the outermost first.
	seen []string
	// texts is scratch for lists of strings.
	texts []string
}

// step is one element of a JSON path: a name, or an index when name is "".
type step struct {
	name  string
	index int
}

func (s *scanner) fail(pos int, format string, args ...any) {
	var b strings.Builder
	b.WriteByte('$')
	for _, p := range s.path {
		switch {
		case p.index >= 0:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(p.index))
			b.WriteByte(']')
		case plainName(p.name):
			b.WriteByte('.')
			b.WriteString(p.name)
		default:
			b.WriteString("[")
			b.WriteString(strconv.Quote(p.name))
			b.WriteString("]")
		}
	}
	panic(&SyntaxError{Offset: int64(pos), Path: b.String(), Msg: fmt.Sprintf(format, args...)})
}

func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return name != ""
}

// recovered turns the panic of fail into an error; use it in a defer.
func recovered(err *error) {
	switch r := recover().(type) {
	case nil:
	case *SyntaxError:
		*err = r
	default:
		panic(r)
	}
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek is the first byte of the next token, 0 at the end of the input.
func (s *scanner) peek() byte {
	s.space()
	if s.pos == len(s.text) {
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) expect(c byte) {
	if got := s.peek(); got != c {
		s.fail(s.pos, "expected %q, found %s", c, describe(got))
	}
	s.pos++
}

// describe names what a value that begins with c is.
func describe(c byte) string {
	switch {
	case c == 0:
		return "the end of the input"
	case c == '{':
		return "an object"
	case c == '[':
		return "a list"
	case c == '"':
		return "a string"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	}
	return strconv.QuoteRune(rune(c))
}

// end fails unless only white space is left.
func (s *scanner) end() {
	if c := s.peek(); s.pos < len(s.text) {
		s.fail(s.pos, "unexpected %s after the document", describe(c))
	}
}

// object calls member for each member, positioned at its value. Member names
// must be unique: with duplicates, what the document means would depend on the reader.
func (s *scanner) object(member func(name string, at int)) {
	s.expect('{')
	s.enter()
	outer := len(s.seen)
	var many map[string]bool // takes over from seen in an object of many members
	for first := true; ; first = false {
		if s.peek() == '}' && first {
			break
		}
		at := s.pos
		if s.peek() != '"' {
			s.fail(s.pos, "expected a member name, found %s", describe(s.peek()))
		}
		name := s.str()
		s.expect(':')
		s.path = append(s.path, step{name: name, index: -1})
		if many[name] || many == nil && slices.Contains(s.seen[outer:], name) {
			s.fail(at, "duplicate key %q", name)
		}
		switch {
		case many != nil:
			many[name] = true
		case len(s.seen)-outer == fewMembers:
			many = map[string]bool{name: true}
			for _, n := range s.seen[outer:] {
				many[n] = true
			}
		default:
			s.seen = append(s.seen, name)
		}
		s.space()
		member(name, at)
		s.path = s.path[:len(s.path)-1]
		if s.peek() != ',' {
			break
		}
		s.pos++
	}
	s.seen = s.seen[:outer]
	s.expect('}')
}

// list calls element for each element, positioned at it.
func (s *scanner) list(element func(i int)) {
	s.expect('[')
	s.enter()
	for i := 0; ; i++ {
		if s.peek() == ']' && i == 0 {
			break
		}
		s.path = append(s.path, step{index: i})
		s.space()
		element(i)
		s.path = s.path[:len(s.path)-1]
		if s.peek() != ',' {
			break
		}
		s.pos++
	}
	s.expect(']')
}

func (s *scanner) enter() {
	if len(s.path) >= maxDepth {
		s.fail(s.pos, "nested more than %d levels deep", maxDepth)
	}
}

// str reads a string.
func (s *scanner) str() string {
	if s.peek() != '"' {
		s.fail(s.pos, "expected a string, found %s", describe(s.peek()))
	}
	start := s.pos
	s.pos++
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			text := s.text[start+1 : s.pos]
			s.pos++
			return text
		case c == '\\' || c >= utf8.RuneSelf || c < 0x20:
			return s.slowStr(start)
		}
		s.pos++
	}
	s.fail(start, "unterminated string")
	return ""
}

// slowStr reads a string with escapes or with characters beyond ASCII; s.pos is at the first.
func (s *scanner) slowStr(start int) string {
	b := []byte(s.text[start+1 : s.pos])
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		switch {
		case c == '"':
			s.pos++
			return string(b)
		case c < 0x20:
			s.fail(s.pos, "control character %U in a string", rune(c))
		case c == '\\':
			b = s.escape(b)
		case c < utf8.RuneSelf:
			b = append(b, c)
			s.pos++
		default:
			r, n := utf8.DecodeRuneInString(s.text[s.pos:])
			if r == utf8.RuneError && n == 1 {
				s.fail(s.pos, "invalid UTF-8 in a string")
			}
			b = append(b, s.text[s.pos:s.pos+n]...)
			s.pos += n
		}
	}
	s.fail(start, "unterminated string")
	return ""
}

// escape appends the character that the escape at s.pos stands for.
func (s *scanner) escape(b []byte) []byte {
	at := s.pos
	if at+1 == len(s.text) {
		s.fail(at, "unterminated string")
	}
	s.pos += 2
	switch c := s.text[at+1]; c {
	case '"', '\\', '/':
		return append(b, c)
	case 'b':
		return append(b, '\b')
	case 'f':
		return append(b, '\f')
	case 'n':
		return append(b, '\n')
	case 'r':
		return append(b, '\r')
	case 't':
		return append(b, '\t')
	case 'u':
		r := s.hex(at)
		if utf16.IsSurrogate(r) {
			if !strings.HasPrefix(s.text[s.pos:], `\u`) {
				s.fail(at, "half of a surrogate pair")
			}
			s.pos += 2
			if r = utf16.DecodeRune(r, s.hex(at)); r == utf8.RuneError {
				s.fail(at, "half of a surrogate pair")
			}
		}
		return utf8.AppendRune(b, r)
	}
	s.fail(at, "invalid escape")
	return nil
}

func (s *scanner) hex(at int) rune {
	if s.pos+4 > len(s.text) {
		s.fail(at, "invalid escape")
	}
	var r rune
	for _, c := range []byte(s.text[s.pos : s.pos+4]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			s.fail(at, "invalid escape")
		}
		r = r<<4 | rune(c)
	}
	s.pos += 4
	return r
}

// number reads a number and returns its JSON spelling.
func (s *scanner) number() string {
	start := s.pos
	digits := func() {
		from := s.pos
		for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
			s.pos++
		}
		if s.pos == from {
			s.fail(start, "invalid number")
		}
	}
	has := func(set string) bool {
		return s.pos < len(s.text) && strings.IndexByte(set, s.text[s.pos]) >= 0
	}
	if has("-") {
		s.pos++
	}
	if has("0") {
		s.pos++
	} else {
		digits()
	}
	if has(".") {
		s.pos++
		digits()
	}
	if has("eE") {
		s.pos++
		if has("+-") {
			s.pos++
		}
		digits()
	}
	return s.text[start:s.pos]
}

// literal reads one of true, false and null.
func (s *scanner) literal() string {
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.pos:], word) {
			s.pos += len(word)
			return word
		}
	}
	s.fail(s.pos, "invalid value")
	return ""
}

// skip reads a value of any type and forgets it.
func (s *scanner) skip() {
	switch c := s.peek(); {
	case c == '{':
		s.object(func(string, int) { s.skip() })
	case c == '[':
		s.list(func(int) { s.skip() })
	case c == '"':
		s.str()
	case c == '-' || '0' <= c && c <= '9':
		s.number()
	case c == 0 && s.pos == len(s.text):
		s.fail(s.pos, "unexpected end of the input")
	default:
		s.literal()
	}
}

// strings reads a string, or a list of strings.
func (s *scanner) strings() []string {
	switch c := s.peek(); c {
	case '"':
		return []string{s.str()}
	case '[':
		s.texts = s.texts[:0]
		s.list(func(int) { s.texts = append(s.texts, s.str()) })
		return append([]string{}, s.texts...)
	default:
		s.fail(s.pos, "expected a string or a list of strings, found %s", describe(c))
		return nil
	}
}
