package trailfiles

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"time"
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
	month       uint64 // the text of the last one seen, "2026-10-"
	days        uint32 // that it has
	base        int64  // its first second, Unix
	first, last int64  // the earliest and the latest time, Unix seconds; last is 0 for none
}

// see checks a time as RFC 3339 would, and keeps the earliest and the latest.
func (c *clock) see(t []byte) bool {
	if len(t) != 20 {
		return false
	}
	// "01T10:00" and ":00Z": the high halves of the digits are 3, the low ones up to 9.
	a, b := binary.LittleEndian.Uint64(t[8:]), binary.LittleEndian.Uint32(t[16:])
	const digits = 0x0f0f000f0f000f0f
	if a&^digits != 0x30303a3030543030 || (a&digits+0x0606000606000606)&^digits != 0 ||
		b&^0x000f0f00 != 0x5a30303a || (b&0x000f0f00+0x00060600)&0x00f0f000 != 0 {
		return false
	}
	if m := binary.LittleEndian.Uint64(t); m != c.month && !c.turn(t, m) {
		return false
	}
	two := func(i int) uint32 { return uint32(t[i]&15)*10 + uint32(t[i+1]&15) }
	day, hour, minute, second := two(8), two(11), two(14), two(17)
	if day-1 >= c.days || hour > 23 || minute > 59 || second > 59 {
		return false
	}
	c.keep(c.base + int64((day-1)*86400+hour*3600+minute*60+second))
	return true
}

func (c *clock) keep(at int64) {
	if at < c.first || c.last == 0 {
		c.first = at
	}
	if at > c.last || c.last == 0 {
		c.last = at
	}
}

// turn turns to another month.
func (c *clock) turn(t []byte, month uint64) bool {
	from, err := time.Parse("2006-01-02", string(t[:8])+"01")
	// Year 1 begins with Go's zero time, which DecodeRecord takes for none; years
	// before 1971 are not worth a fast path.
	if err != nil || from.Year() < 1971 {
		return false
	}
	c.month, c.base, c.days = month, from.Unix(), uint32(from.AddDate(0, 1, -1).Day())
	return true
}

// span gives the earliest and the latest time seen, zero for none.
func (c *clock) span() (first, last time.Time) {
	if c.last == 0 {
		return
	}
	return time.Unix(c.first, 0).UTC(), time.Unix(c.last, 0).UTC()
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
