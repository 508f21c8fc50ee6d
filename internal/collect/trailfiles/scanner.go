package trailfiles

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"sagemaker-role-audit/internal/collect/trailfiles/gunzip"
	"sagemaker-role-audit/internal/collect/trailfiles/quotes"
)

// windowSize is how much text is looked at at a time. It fits the processor's cache.
const windowSize = 256 << 10

// padding is how far reading may go past the text: it is zeros, which are no JSON.
const padding = 2 * quotes.Block

// scanner reads the records of one file after another. Its window slides over the
// text; of each window it knows where the quotes are that begin or end strings, and
// where the special bytes are (backslashes and control characters).
type scanner struct {
	roles    roles
	sources  []string
	maxText  int64
	maxWord  int // the longest record
	maxDepth int
	window   int // what text is looked at at a time, where records are no longer

	from source
	err  error // what from ended with
	read int64 // bytes of text that came

	buffer []byte // history, and the window
	text   []byte // the window: the end of buffer, padded
	p      int    // what is before has been read
	end    int    // of the text in the window
	limit  int    // of the window now

	quoteBits, specialBits []uint64
	quotes, marks          []uint32
	quote, mark            int // of the next record, or before

	// Of the record that is walked over.
	seen    [16]uint32 // fields, by level
	strange bool       // it is not as expected
	unsound bool       // so is its last string with special bytes
	hit     bool
	whole   bool // its source is asked for whole
	class   class
	holes   []span
	at      int // where a walk failed

	clock  clock
	shapes shapes
}

func newScanner(r roles, sources []string, limits Limits) *scanner {
	return &scanner{roles: r, sources: sourcesOf(sources), maxText: limits.File, maxWord: limits.Record, maxDepth: limits.Depth, window: windowSize}
}

// source gives text: it puts it into a buffer where what it gave before may still stand
// (gunzip.Reader).
type source interface {
	Fill(buffer []byte, from, to int) (int, error)
}

// plain is a source of text that is not compressed.
type plain struct{ from io.Reader }

func (p plain) Fill(buffer []byte, from, to int) (int, error) {
	n, err := io.ReadFull(p.from, buffer[from:to])
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

func (s *scanner) reset(from source) {
	s.from, s.err, s.read = from, nil, 0
	s.p, s.end, s.clock = 0, 0, clock{}
	s.limit = min(s.window, s.maxWord)
	if n := gunzip.History + s.limit + padding; len(s.buffer) != n { // at first, or grown for one long record
		s.buffer = make([]byte, n)
	}
	s.text = s.buffer
	clear(s.text[:padding])
	s.index()
}

// ended reports whether all the text that there is stands in the window.
func (s *scanner) ended() bool { return s.err != nil }

// errTooMuch is the error of a file that holds more text than is allowed.
var errTooMuch = errors.New("it holds more text than a log file can")

// fill moves what is left to the front of the window and reads on until it is full. It
// reports whether anything came.
func (s *scanner) fill() bool {
	if s.err != nil {
		return false
	}
	if s.end-s.p == s.limit {
		s.limit = min(2*s.limit, s.maxWord)
	}
	base := len(s.buffer) - len(s.text)
	p, end := base+s.p, base+s.end
	keep := max(0, min(p, end-gunzip.History))
	if n := gunzip.History + s.limit + padding; len(s.buffer) < n {
		buffer := make([]byte, n)
		copy(buffer, s.buffer[keep:end])
		s.buffer = buffer
	} else {
		copy(s.buffer, s.buffer[keep:end])
	}
	p, end = p-keep, end-keep
	n, err := s.from.Fill(s.buffer, end, p+s.limit)
	end += n
	s.read += int64(n)
	if s.err = err; s.read > s.maxText {
		n -= int(s.read - s.maxText)
		end -= int(s.read - s.maxText)
		s.err = errTooMuch
	}
	clear(s.buffer[end : end+padding])
	base = p &^ (quotes.Block - 1)
	s.text, s.p, s.end = s.buffer[base:], p-base, end-base
	s.index()
	return n > 0
}

// index finds the quotes and the special bytes of what is not read yet, which begins
// outside of any string.
func (s *scanner) index() {
	blocks := (s.end + quotes.Block - 1) / quotes.Block
	if len(s.quoteBits) < blocks {
		s.quoteBits, s.specialBits = make([]uint64, blocks), make([]uint64, blocks)
	}
	quotes.Masks(s.text[:blocks*quotes.Block], s.quoteBits, s.specialBits)
	if blocks > 0 {
		s.quoteBits[0] &= ^uint64(0) << s.p
		s.specialBits[0] &= ^uint64(0) << s.p
	}

	s.marks = s.marks[:0]
	escaped := -1
	for b, mask := range s.specialBits[:blocks] {
		for ; mask != 0; mask &= mask - 1 {
			at := b*quotes.Block + bits.TrailingZeros64(mask)
			if at >= s.end {
				break
			}
			if s.text[at] == '\\' {
				if at == escaped {
					continue
				}
				escaped = at + 1
				if block := escaped / quotes.Block; block < blocks {
					s.quoteBits[block] &^= 1 << (escaped % quotes.Block)
				}
			}
			s.marks = append(s.marks, uint32(at))
		}
	}
	s.marks = append(s.marks, never)

	if n := (blocks + 1) * quotes.Block; len(s.quotes) < n {
		s.quotes = make([]uint32, n)
	}
	n := quotes.Positions(s.quoteBits[:blocks], s.quotes)
	for i := range 3 {
		s.quotes[n+i] = never
	}
	s.quote, s.mark = 0, 0
}

// peek returns the next byte that is no white space, without reading it: io.EOF where
// there is none.
func (s *scanner) peek() (byte, error) {
	for {
		if s.p = s.space(s.p); s.p < s.end {
			return s.text[s.p], nil
		}
		if !s.fill() {
			if s.err == nil || s.err == io.EOF {
				return 0, io.EOF
			}
			return 0, s.err
		}
	}
}

// next gives the next element of the records: one that was passed, or the text of one
// to be decoded.
func (s *scanner) next() (raw []byte, err error) {
	for {
		end, result, known := s.match(s.p)
		if s.shapes.tally(known); !known {
			end, result = s.walk(s.p)
		}
		switch result {
		case passed:
			s.p = end
			return nil, nil
		case candidate:
			raw = s.text[s.p:end]
			s.p = end
			return raw, nil
		case broken:
			if raw, err = s.strict(); err != errMore {
				return raw, err
			}
		}
		if s.end-s.p == s.maxWord {
			return nil, fmt.Errorf("it is longer than %d bytes", s.maxWord)
		}
		if !s.fill() && s.ended() {
			if s.err != io.EOF {
				return nil, s.err
			}
			return s.strict()
		}
	}
}

var errMore = errors.New("more text is needed")

// strict reads the next element with encoding/json, which has the last word: what the
// walk does not take may be sound, and where it is not, this tells why.
func (s *scanner) strict() ([]byte, error) {
	var raw json.RawMessage
	text := s.text[s.p:s.end]
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&raw); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			if s.err == nil {
				return nil, errMore
			}
			if s.err != io.EOF {
				return nil, s.err
			}
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	end := int(d.InputOffset())
	if s.p+end == s.end && !s.ended() && raw[0] != '{' {
		return nil, errMore // a number may go on
	}
	if depthOf(raw)-1 > s.maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", s.maxDepth)
	}
	s.p += end
	s.strange = true
	return raw, nil
}

// depthOf is how deep a sound value nests: 0 for one that is no array or object.
func depthOf(value []byte) int {
	depth, deepest, inside := 0, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// file reads one file's records and hands each that is to be kept or was not understood
// to its report.
func (s *scanner) file(r *report) {
	if err := s.open(); err != nil {
		r.stop(err)
		return
	}
	for first := true; ; first = false {
		c, err := s.peek()
		switch {
		case err != nil:
			r.stop(cut(err))
			return
		case c == ']' && first:
		case c == ']' || c == ',':
			if first {
				r.stop(errors.New("invalid character ',' where a record should begin"))
				return
			}
		case !first:
			r.stop(fmt.Errorf("invalid character %q after a record", c))
			return
		}
		if c == ']' {
			s.p++
			break
		}
		if c == ',' {
			s.p++
			if _, err := s.peek(); err != nil {
				r.stop(cut(err))
				return
			}
		}
		raw, err := s.next()
		if err != nil {
			r.records++
			r.stop(cut(err))
			r.records--
			return
		}
		r.records++
		if raw == nil {
			r.count(s.class)
			continue
		}
		r.decode(raw, s)
	}
	r.stop(s.close())
}

// cut names the end of a text that should go on.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errCut
	}
	return err
}

var errCut = errors.New("the JSON ends within the records")

// open reads up to the first record: {"Records":[.
func (s *scanner) open() error {
	if _, err := s.peek(); err == io.EOF {
		return errors.New("it is empty")
	} else if err != nil {
		return err
	}
	for _, want := range []byte(`{"`) {
		if c, err := s.peek(); err != nil {
			return cut(err)
		} else if c != want {
			return errForeign
		}
		s.p++
	}
	s.p--
	raw, err := s.strict()
	for err == errMore {
		if s.end-s.p > 1<<10 || !s.fill() && !s.ended() {
			return errForeign
		}
		raw, err = s.strict()
	}
	var name string
	if err != nil || json.Unmarshal(raw, &name) != nil {
		return cut(err)
	}
	if name != "Records" {
		return errForeign
	}
	for _, want := range []byte(":[") {
		if c, err := s.peek(); err != nil {
			return cut(err)
		} else if c != want {
			return errForeign
		}
		s.p++
	}
	return nil
}

var errForeign = errors.New(`not a CloudTrail log file: {"Records":[...]} is expected`)

// close reads what must follow the last record: }, and nothing else.
func (s *scanner) close() error {
	c, err := s.peek()
	switch {
	case err != nil:
		return cut(err)
	case c == ',':
		return errors.New("another member follows the records")
	case c != '}':
		return fmt.Errorf("invalid character %q after the records", c)
	}
	s.p++
	switch _, err := s.peek(); err {
	case nil:
		return errors.New("more text follows the records")
	case io.EOF:
		return nil
	default:
		return err
	}
}
