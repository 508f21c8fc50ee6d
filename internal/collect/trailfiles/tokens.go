package trailfiles

import (
	"encoding/json"
	"math"
	"strings"
)

// The parts of the walk that few records need, or that are short.

// arnColon is "arn:" as a little-endian number.
const arnColon = 'a' | 'r'<<8 | 'n'<<16 | ':'<<24

// class is a record's event class.
type class uint8

const (
	classNone class = iota // not told
	classManagement
	classData
	classOther
)

func classOf(category []byte, former class) class {
	switch string(category) {
	case "":
		return former
	case "Management":
		return classManagement
	case "Data":
		return classData
	}
	return classOther
}

// roles are the ARNs of the roles asked for.
type roles struct {
	arns    map[string]bool
	lengths []bool // of the ARNs; none is longer
}

func newRoles(asked map[string]bool) roles {
	r := roles{arns: make(map[string]bool, len(asked))}
	for arn, in := range asked {
		if in && arn != "" {
			r.arns[arn] = true
			for len(r.lengths) <= len(arn) {
				r.lengths = append(r.lengths, false)
			}
			r.lengths[len(arn)] = true
		}
	}
	return r
}

// has reports whether a role is asked for.
func (r *roles) has(arn []byte) bool {
	return len(arn) < len(r.lengths) && r.lengths[len(arn)] && r.arns[string(arn)]
}

// space skips white space.
func (s *scanner) space(p int) int {
	for {
		switch s.text[p] {
		case ' ', '\n', '\t', '\r':
			p++
			continue
		}
		return p
	}
}

// special looks at the special bytes before the end of a string, and reports whether
// some are within: escapes, or control characters, which JSON does not allow there.
// unsound is set where the string is none.
func (s *scanner) special(open, shut uint32) bool {
	m := s.mark
	for s.marks[m] < open {
		m++ // white space between strings
	}
	s.unsound = false
	first := m
	text := s.text
	for ; s.marks[m] < shut && !s.unsound; m++ {
		at := s.marks[m]
		if text[at] != '\\' {
			s.unsound = true
			break
		}
		switch text[at+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			for _, c := range text[at+2 : at+6] {
				s.unsound = s.unsound || !isHex(c)
			}
		default:
			s.unsound = true
		}
	}
	s.mark = m
	return m > first || s.unsound
}

func isHex(c byte) bool {
	return c-'0' < 10 || c|0x20-'a' < 6
}

// number skips a number, and reports whether it is one.
func number(text []byte, p int) (int, bool) {
	if text[p] == '-' {
		p++
	}
	switch {
	case text[p] == '0':
		p++
	case isDigit(text[p]):
		for isDigit(text[p]) {
			p++
		}
	default:
		return p, false
	}
	if text[p] == '.' {
		p++
		if !isDigit(text[p]) {
			return p, false
		}
		for isDigit(text[p]) {
			p++
		}
	}
	if text[p]|0x20 == 'e' {
		p++
		if text[p] == '+' || text[p] == '-' {
			p++
		}
		if !isDigit(text[p]) {
			return p, false
		}
		for isDigit(text[p]) {
			p++
		}
	}
	return p, true
}

func isDigit(c byte) bool { return c-'0' < 10 }

// escapedRole reports whether a string with escapes, quotes included, is the ARN of a
// role that is asked for.
func (s *scanner) escapedRole(quoted []byte) bool {
	if c := quoted[1]; c != 'a' && c != '\\' || len(quoted)-2 > 6*len(s.roles.lengths) {
		return false // it begins in another way, or were too long if all was escapes
	}
	var text string
	return json.Unmarshal(quoted, &text) == nil && s.roles.arns[text]
}

// wholeSource reports whether every record of an event source is asked for.
func (s *scanner) wholeSource(source []byte) bool {
	for _, name := range s.sources {
		if string(source) == name {
			return true
		}
	}
	return false
}

// clock sees the times of records in CloudTrail's own form, 2026-10-01T10:00:00Z.
type clock struct {
	minute      [17]byte // of the last time seen, which was sound
	first, last [20]byte
}

// see checks a time, and keeps the first and the last.
func (c *clock) see(t []byte) bool {
	if len(t) != 20 || t[19] != 'Z' {
		return false
	}
	if string(t[:17]) != string(c.minute[:]) {
		if !soundMinute(t) {
			return false
		}
		copy(c.minute[:], t)
	}
	if t[17]-'0' > 5 || !isDigit(t[18]) {
		return false
	}
	c.keep(t)
	return true
}

func (c *clock) keep(t []byte) {
	if string(t) < string(c.first[:]) || c.first[0] == 0 {
		copy(c.first[:], t)
	}
	if string(t) > string(c.last[:]) {
		copy(c.last[:], t)
	}
}

// soundMinute checks a time up to its seconds as RFC 3339 would.
func soundMinute(t []byte) bool {
	const form = "0000-00-00T00:00:"
	for i := range len(form) {
		if form[i] == '0' && !isDigit(t[i]) || form[i] != '0' && t[i] != form[i] {
			return false
		}
	}
	two := func(i int) int { return int(t[i]-'0')*10 + int(t[i+1]-'0') }
	year, month, day := two(0)*100+two(2), two(5), two(8)
	// Year 1 begins with Go's zero time, which DecodeRecord takes for none.
	if year < 1000 || month < 1 || month > 12 || day < 1 || two(11) > 23 || two(14) > 59 {
		return false
	}
	days := 31
	switch month {
	case 4, 6, 9, 11:
		days = 30
	case 2:
		if days = 28; year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			days = 29
		}
	}
	return day <= days
}

// never is a position that no text has.
const never = math.MaxUint32

// sourcesOf are the event sources that are asked for whole.
func sourcesOf(asked []string) []string {
	var kept []string
	for _, s := range asked {
		if s = strings.TrimSpace(s); s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}
