package trailfiles

import "encoding/binary"

// outcome is what a walk over a record finds.
type outcome uint8

const (
	passed    outcome = iota // a sound record that is no candidate
	candidate                // to be decoded: a candidate, or not as expected
	more                     // the text ends within it
	broken                   // not JSON, or not an object: the strict path says
)

// walk goes over the record that begins at p, and checks every byte of it as
// encoding/json would: it stops only where a string begins or ends, and at what stands
// between strings. It returns where the record ends.
//
// Each field of snapshot.Record must come at most once, under its own name and with
// the JSON that it takes; a record where one does not is a candidate, which
// encoding/json decodes.
//
// What makes this sound: all quotes of the window that are not escaped are known, in
// order. Between strings only the bytes of JSON's grammar are let pass, and a quote
// ends what stands between. So a quote that the walk comes to is the next one known,
// and the one after it ends the string.
func (s *scanner) walk(p int) (end int, result outcome) {
	if s.text[p] != '{' {
		return p, broken
	}
	for s.quotes[s.quote] < uint32(p) {
		s.quote++
	}
	former, mark := s.quote, s.mark
	s.seen[inRecord] = 0
	s.strange, s.hit, s.whole, s.class = false, false, false, classNone
	s.holes = s.holes[:0]
	start := p
	if end = s.object(p, inRecord); end < 0 {
		// What was found may be the end of the window.
		s.quote, s.mark = former, mark
		if s.at >= s.end-len("false") && !s.ended() {
			return 0, more
		}
		return 0, broken
	}
	if s.strange = s.strange || s.seen[inRecord]&needed != needed; s.strange {
		return end, candidate
	}
	s.learn(start, end)
	if s.hit || s.whole {
		return end, candidate
	}
	return end, passed
}

// fail ends a walk where it cannot go on.
func (s *scanner) fail(p int) int {
	s.at = p
	return -1
}

// object walks over an object whose names matter, from its brace at p, and returns what
// follows it.
func (s *scanner) object(p int, in level) int {
	text, q, limit := s.text, s.quotes, uint32(s.end)
	table := &known[in]
	seen := uint32(0)
	p++
	if text[p] != '"' {
		if p = s.space(p); text[p] == '}' {
			return p + 1
		}
	}
	for text[p] == '"' {
		var found *entry
		{
			open, shut := q[s.quote], q[s.quote+1]
			if shut >= limit {
				return s.fail(s.end)
			}
			s.quote += 2
			found = &table.slots[0]
			if s.marks[s.mark] < shut && s.special(open, shut) {
				if s.unsound {
					return s.fail(p)
				}
				s.strange = true
			} else if n := shut - open - 1; n >= 3 {
				first, last := ends(text, open+1, n)
				found = table.find(first, last, n)
				if found.first != first || found.last != last || found.length != n ||
					n > 16 && string(text[open+1:shut]) != found.name {
					found = &table.slots[0]
					s.strange = s.strange || mistakable(in, text[open+1:shut])
				}
			}
			p = int(shut) + 1
		}
		s.strange = s.strange || seen&found.bit != 0
		seen |= found.bit
		if text[p] != ':' {
			if p = s.space(p); text[p] != ':' {
				return s.fail(p)
			}
		}
		if p++; text[p] <= ' ' {
			p = s.space(p)
		}

		if text[p] == '"' {
			open, shut := q[s.quote], q[s.quote+1]
			if shut >= limit {
				return s.fail(s.end)
			}
			s.quote += 2
			if s.marks[s.mark] < shut && s.special(open, shut) {
				if s.unsound {
					return s.fail(p)
				}
				if found.takes > takeString {
					s.strange = true
				}
			} else if found.takes > takeString {
				s.field(found.takes, open+1, shut)
			}
			if !found.few {
				s.holes = append(s.holes, span{open + 1, shut, found.hole})
			}
			p = int(shut) + 1
		} else if p = s.value(p, found); p < 0 {
			return p
		}

		if text[p] != ',' {
			if p = s.space(p); text[p] == '}' {
				s.seen[in&15] = seen
				return p + 1
			}
			if text[p] != ',' {
				return s.fail(p)
			}
		}
		if p++; text[p] != '"' {
			p = s.space(p)
		}
	}
	return s.fail(p)
}

// field looks at a string without escapes that is the value of a field.
func (s *scanner) field(takes take, from, to uint32) {
	value := s.text[from:to]
	switch takes {
	case takeNeeded:
		s.strange = s.strange || from == to
	case takeTime:
		s.strange = s.strange || !s.clock.see(value)
	case takeSource:
		s.strange = s.strange || from == to
		s.whole = s.whole || s.wholeSource(value)
	case takeFlag:
	case takeCategory:
		s.class = classOf(value, s.class)
	case takeIssuer:
		s.hit = s.hit || s.roles.has(value)
	default:
		s.strange = true
	}
}

// value walks over a value that is no string, of a member.
func (s *scanner) value(p int, of *entry) int {
	text := s.text
	switch text[p] {
	case '{':
		if of.takes == takeObject {
			return s.object(p, of.inner)
		}
		s.strange = s.strange || of.takes > takeRequest
		return s.skip(p, of.takes == takeRequest)
	case '[':
		if of.takes == takeResources {
			return s.resources(p)
		}
		s.strange = s.strange || of.takes > takeRequest
		return s.skip(p, of.takes == takeRequest)
	case 't':
		if string(text[p:p+4]) != "true" {
			return s.fail(p)
		}
		if of.takes == takeBool && s.class == classNone {
			s.class = classManagement
		}
		s.strange = s.strange || !of.takes.bool()
		return p + 4
	case 'f':
		if string(text[p:p+5]) != "false" {
			return s.fail(p)
		}
		if of.takes == takeBool && s.class == classNone {
			s.class = classData
		}
		s.strange = s.strange || !of.takes.bool()
		return p + 5
	case 'n':
		if string(text[p:p+4]) != "null" {
			return s.fail(p)
		}
		// null leaves a field as it is: one that is needed is not given.
		s.strange = s.strange || of.takes == takeNeeded || of.takes == takeTime || of.takes == takeSource
		return p + 4
	}
	s.strange = s.strange || of.takes > takeRequest
	end, sound := number(text, p)
	if !sound {
		return s.fail(end)
	}
	s.holes = append(s.holes, span{uint32(p), uint32(end), holeNumber})
	return end
}

// bool reports whether a bool may stand there.
func (t take) bool() bool { return t <= takeRequest || t == takeBool || t == takeFlag }

// resources walks over the record's resources: an array of objects, or of nulls.
func (s *scanner) resources(p int) int {
	text := s.text
	if p = s.space(p + 1); text[p] == ']' {
		return p + 1
	}
	for {
		switch text[p] {
		case '{':
			p = s.object(p, inResource)
		case '"':
			return s.fail(p) // the strict path says
		default:
			p = s.value(p, &entry{takes: takeObject, inner: inResource})
		}
		if p < 0 {
			return p
		}
		if p = s.space(p); text[p] == ']' {
			return p + 1
		}
		if text[p] != ',' {
			return s.fail(p)
		}
		p = s.space(p + 1)
	}
}

// skip walks over an array or object whose names do not matter, and returns what
// follows it. Where look is set its strings are looked at for the ARNs of roles.
func (s *scanner) skip(p int, look bool) int {
	var (
		text, q, limit = s.text, s.quotes, uint32(s.end)
		i              = s.quote
		next           = s.marks[s.mark]
		objects        = uint64(0) // of the levels, the innermost is bit 0
		depth          = 0
		lengths        []bool
		holes          = s.holes
		kind           = holeString
	)
	if look {
		lengths, kind = s.roles.lengths, holeLooked
	}

	if text[p] == '[' {
		goto array
	}

object: // at its brace
	if depth++; depth > deepest {
		return s.fail(p)
	}
	objects = objects<<1 | 1
	p++
	if text[p] == '"' {
		goto name
	}
	if p = s.space(p); text[p] == '"' {
		goto name
	}
	goto closing

name:
	{
		shut := q[i+1]
		if shut >= limit {
			return s.fail(s.end)
		}
		if next < shut {
			if s.special(q[i], shut) && s.unsound {
				return s.fail(p)
			}
			next = s.marks[s.mark]
		}
		i += 2
		p = int(shut) + 1
	}
	if text[p] != ':' {
		if p = s.space(p); text[p] != ':' {
			return s.fail(p)
		}
	}
	p++

value:
	if text[p] == '"' {
		shut := q[i+1]
		if shut >= limit {
			return s.fail(s.end)
		}
		if n := int(shut) - p - 1; n < len(lengths) && lengths[n] && binary.LittleEndian.Uint32(text[p+1:]) == arnColon {
			s.hit = s.hit || s.roles.has(text[p+1:shut])
		}
		if next < shut {
			if s.special(q[i], shut) {
				if s.unsound {
					return s.fail(p)
				}
				s.hit = s.hit || look && s.escapedRole(text[p:shut+1])
			}
			next = s.marks[s.mark]
		}
		holes = append(holes, span{uint32(p + 1), shut, kind})
		i += 2
		p = int(shut) + 1
		goto after
	}
	switch text[p] {
	case '{':
		goto object
	case '[':
		goto array
	case 't':
		if string(text[p:p+4]) == "true" {
			p += 4
			goto after
		}
	case 'f':
		if string(text[p:p+5]) == "false" {
			p += 5
			goto after
		}
	case 'n':
		if string(text[p:p+4]) == "null" {
			p += 4
			goto after
		}
	case ' ', '\n', '\t', '\r':
		if p = s.space(p); text[p] > ' ' {
			goto value
		}
	default:
		end, sound := number(text, p)
		if sound {
			holes = append(holes, span{uint32(p), uint32(end), holeNumber})
			p = end
			goto after
		}
		p = end
	}
	return s.fail(p)

array: // at its bracket
	if depth++; depth > deepest {
		return s.fail(p)
	}
	objects <<= 1
	p++
	if text[p] <= ' ' {
		p = s.space(p)
	}
	if text[p] != ']' {
		goto value
	}

closing:
	if objects&1 == 1 && text[p] != '}' || objects&1 == 0 && text[p] != ']' {
		return s.fail(p)
	}
	p++
	objects >>= 1
	if depth--; depth == 0 {
		if uint32(p) > limit {
			return s.fail(p)
		}
		s.quote, s.holes = i, holes
		return p
	}

after: // a value
	if text[p] == ',' {
		p++
		if objects&1 == 0 {
			goto value
		}
		if text[p] == '"' {
			goto name
		}
		if p = s.space(p); text[p] == '"' {
			goto name
		}
		return s.fail(p)
	}
	if text[p] <= ' ' {
		if p = s.space(p); text[p] == ',' {
			goto after
		}
	}
	goto closing
}

// deepest is how deep skip goes: what nests deeper takes the strict path.
const deepest = 60
