// Package gunzip decompresses gzip (RFC 1952, RFC 1951) straight into the place where
// the text is read, from where the text itself is the history that matches copy from.
// There is no window beside it and no copy between them, which is what makes it faster
// than a reader that hands out text.
//
// It takes what compress/gzip takes, several members in a row included, gives the same
// text, and fails where compress/gzip fails: a test and a fuzz target hold it to that.
package gunzip

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// History is how much text before what is filled next must still stand where it was.
const History = 32 << 10

// The errors of a stream. An error of the source is given as it is.
var (
	ErrCut      = errors.New("the compressed file is cut short")
	ErrHeader   = errors.New("what should be a gzip header is none")
	ErrChecksum = errors.New("its checksum is wrong, so what was read of it may be too")
	ErrCorrupt  = errors.New("the compressed data are corrupt")
)

// Reader decompresses a stream.
type Reader struct {
	from    io.Reader
	fromErr error
	in      []byte // what was read of the stream
	buffer  []byte
	pos     int

	bits  uint64 // read, not used: the next in the lowest place
	count uint

	state  state
	final  bool
	stored int // bytes left of a stored block
	length int // of a match that did not fit
	dist   int

	member int64 // text that the member gave
	sum    uint32
	err    error

	literals, distances tree
	lengths             [maxLiterals + maxDistances]uint8
}

// state is what comes next in the stream.
type state uint8

const (
	atMember state = iota
	atBlock
	inStored
	inHuffman
)

// Reset begins another stream.
func (r *Reader) Reset(from io.Reader) {
	if r.buffer == nil {
		r.buffer = make([]byte, 64<<10)
	}
	r.from, r.fromErr, r.in, r.pos = from, nil, r.buffer[:0], 0
	r.bits, r.count, r.state, r.final = 0, 0, atMember, false
	r.stored, r.length, r.member, r.sum, r.err = 0, 0, 0, 0, nil
	r.sum = 0
	if err := r.header(); err != nil {
		r.err = err
		if err == io.EOF {
			r.err = ErrCut
		}
	}
}

// Fill puts text into buf[from:to] and returns how much. What was given before must
// stand right before from, up to History bytes of it. It returns less than asked for
// only together with an error, io.EOF at the end of the stream.
func (r *Reader) Fill(buf []byte, from, to int) (int, error) {
	out := from
	for out < to && r.err == nil {
		start := out
		switch r.state {
		case atMember:
			if r.err = r.header(); r.err != nil {
				continue
			}
		case atBlock:
			r.err = r.block()
			continue
		case inStored:
			out, r.err = r.copyStored(buf, out, to)
		case inHuffman:
			low := out - int(min(r.member, History))
			out, r.err = r.fast(buf, low, out, to)
			if r.err == nil && r.state == inHuffman && out < to {
				out, r.err = r.slow(buf, low, out, to)
			}
		}
		r.sum = crc32.Update(r.sum, crc32.IEEETable, buf[start:out])
		r.member += int64(out - start)
		if r.err == nil && r.state == atBlock && r.final {
			r.err = r.trailer()
		}
	}
	if out < to {
		return out - from, r.err
	}
	return out - from, nil
}

// more reads on, where all that was read has been used.
func (r *Reader) more() error {
	for tries := 0; r.pos == len(r.in); tries++ {
		if r.fromErr != nil {
			return r.fromErr
		}
		if tries == 100 {
			return io.ErrNoProgress
		}
		n, err := r.from.Read(r.buffer)
		r.in, r.pos, r.fromErr = r.buffer[:n], 0, err
	}
	return nil
}

// need sees to it that n bits, 57 at most, have been read.
func (r *Reader) need(n uint) error {
	for r.count < n {
		if r.pos == len(r.in) {
			if err := r.more(); err != nil {
				return err
			}
		}
		r.bits |= uint64(r.in[r.pos]) << r.count
		r.pos++
		r.count += 8
	}
	return nil
}

func (r *Reader) take(n uint) uint {
	v := uint(r.bits & (1<<n - 1))
	r.bits >>= n
	r.count -= n
	return v
}

// read is take of bits that may not have been read.
func (r *Reader) read(n uint) (uint, error) {
	if err := r.need(n); err != nil {
		return 0, early(err)
	}
	return r.take(n), nil
}

func early(err error) error {
	if err == io.EOF {
		return ErrCut
	}
	return err
}

// magic is how a header begins: gzip, and the only method there is.
const magic = "\x1f\x8b\x08"

// header reads a member's header: io.EOF where the stream ends before it.
func (r *Reader) header() error {
	r.bits, r.count = 0, 0
	if err := r.need(8); err != nil {
		return err
	}
	digest := uint32(0)
	octet := func() (byte, error) {
		v, err := r.read(8)
		digest = crc32.Update(digest, crc32.IEEETable, []byte{byte(v)})
		return byte(v), err
	}
	var head [10]byte
	for i := range head {
		var err error
		if head[i], err = octet(); err != nil {
			return err
		}
		if i < len(magic) && head[i] != magic[i] {
			return ErrHeader
		}
	}
	const hasSum, hasExtra, hasName, hasComment = 2, 4, 8, 16
	if head[3]&hasExtra != 0 {
		low, err := octet()
		if err != nil {
			return err
		}
		high, err := octet()
		if err != nil {
			return err
		}
		for range int(low) | int(high)<<8 {
			if _, err := octet(); err != nil {
				return err
			}
		}
	}
	for _, has := range []byte{hasName, hasComment} {
		if head[3]&has == 0 {
			continue
		}
		for n := 0; ; n++ {
			if n >= 512 { // as compress/gzip
				return ErrHeader
			}
			c, err := octet()
			if err != nil {
				return err
			}
			if c == 0 {
				break
			}
		}
	}
	if head[3]&hasSum != 0 {
		sum, err := r.read(16)
		if err != nil {
			return err
		}
		if sum != uint(digest&0xffff) {
			return ErrHeader
		}
	}
	r.state, r.final, r.member, r.sum = atBlock, false, 0, 0
	return nil
}

// trailer checks the member's sum and size.
func (r *Reader) trailer() error {
	r.take(r.count % 8)
	sum, err := r.read(32)
	if err != nil {
		return err
	}
	size, err := r.read(32)
	if err != nil {
		return err
	}
	if uint32(sum) != r.sum || uint32(size) != uint32(r.member) {
		return ErrChecksum
	}
	r.state = atMember
	// What was read into bits goes back: the header begins anew.
	if r.count > 0 {
		return r.nextMember()
	}
	return nil
}

// nextMember reads the next header with what bits hold.
func (r *Reader) nextMember() error {
	var kept [8]byte
	n := 0
	for ; r.count >= 8; n++ {
		kept[n] = byte(r.take(8))
	}
	r.bits, r.count = 0, 0
	if n <= r.pos && string(r.in[r.pos-n:r.pos]) == string(kept[:n]) {
		r.pos -= n // they are still there
		return nil
	}
	rest := append(append(make([]byte, 0, n+len(r.in)-r.pos), kept[:n]...), r.in[r.pos:]...)
	r.in, r.pos = rest, 0
	return nil
}

// block reads a block's header.
func (r *Reader) block() error {
	head, err := r.read(3)
	if err != nil {
		return err
	}
	r.final = head&1 == 1
	switch head >> 1 {
	case 0:
		r.take(r.count % 8)
		size, err := r.read(16)
		if err != nil {
			return err
		}
		inverse, err := r.read(16)
		if err != nil {
			return err
		}
		if size != ^inverse&0xffff {
			return ErrCorrupt
		}
		r.stored, r.state = int(size), inStored
		return nil
	case 1:
		r.fixed()
	case 2:
		if err := r.dynamic(); err != nil {
			return err
		}
	default:
		return ErrCorrupt
	}
	r.state = inHuffman
	return nil
}

func (r *Reader) copyStored(buf []byte, out, to int) (int, error) {
	for r.stored > 0 && out < to {
		if r.count >= 8 {
			buf[out] = byte(r.take(8))
			out++
			r.stored--
			continue
		}
		if r.pos == len(r.in) {
			if err := r.more(); err != nil {
				return out, early(err)
			}
		}
		n := copy(buf[out:min(to, out+r.stored)], r.in[r.pos:])
		out += n
		r.pos += n
		r.stored -= n
	}
	if r.stored == 0 {
		r.state = atBlock
	}
	return out, nil
}

// slow decodes one symbol after another, to the very end of what there is and of what
// there is room for.
func (r *Reader) slow(buf []byte, low, out, to int) (int, error) {
	for out < to {
		if r.length > 0 {
			n := min(r.length, to-out)
			for range n {
				buf[out] = buf[out-r.dist]
				out++
			}
			r.length -= n
			continue
		}
		if len(r.in)-r.pos > 16 && to-out > 2*maxMatch {
			return out, nil // back to the fast way
		}
		e, err := r.symbol(&r.literals)
		if err != nil {
			return out, err
		}
		switch {
		case e&isLiteral != 0:
			buf[out] = byte(e >> 16)
			out++
			continue
		case e&isEnd != 0:
			r.state = atBlock
			return out, nil
		}
		extra, err := r.read(uint(e >> 8 & 0xf))
		if err != nil {
			return out, err
		}
		length := int(e>>16) + int(extra)
		if e, err = r.symbol(&r.distances); err != nil {
			return out, err
		}
		if extra, err = r.read(uint(e >> 8 & 0xf)); err != nil {
			return out, err
		}
		if r.dist = int(e>>16) + int(extra); r.dist > out-low {
			return out, ErrCorrupt
		}
		r.length = length
	}
	return out, nil
}

// symbol decodes one symbol, of which the last may have fewer bits than a code can.
func (r *Reader) symbol(t *tree) (uint32, error) {
	for {
		e := t.entries[r.bits&(1<<tableBits-1)]
		if e&isTable != 0 {
			e = t.entries[uint64(e>>16)+r.bits>>tableBits&(1<<(e>>8&0xf)-1)]
		}
		if n := uint(e & 0xff); n > 0 && n <= r.count {
			if e&isInvalid != 0 {
				return 0, ErrCorrupt
			}
			r.take(n)
			return e, nil
		}
		if r.count > maxCode {
			return 0, ErrCorrupt // a code that the tree does not have
		}
		if err := r.need(r.count + 1); err != nil {
			return 0, early(err)
		}
	}
}

const maxMatch = 258

// fast decodes while there is enough to read and enough room not to ask at every step.
func (r *Reader) fast(buf []byte, low, out, to int) (int, error) {
	if r.length > 0 || to-out < maxMatch+32 || len(r.in)-r.pos < 16 {
		return out, nil
	}
	var (
		in, pos     = r.in, r.pos
		bits, count = r.bits, r.count
		literals    = &r.literals.entries
		distances   = &r.distances.entries
		err         error
	)
	last := to - maxMatch - 32
	buf = buf[:to]
	for out <= last && pos+8 <= len(in) {
		// Bits above count are those of the bytes at pos: putting them in again changes
		// nothing.
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
		pos += int((63 - count) >> 3)
		count |= 56

		e := literals[bits&(1<<tableBits-1)]
		if e&isLiteral != 0 {
			buf[out] = byte(e >> 16)
			out++
			bits >>= e & 0x3f
			count -= uint(e & 0x3f)
			e = literals[bits&(1<<tableBits-1)]
			if e&isLiteral != 0 {
				buf[out] = byte(e >> 16)
				out++
				bits >>= e & 0x3f
				count -= uint(e & 0x3f)
				e = literals[bits&(1<<tableBits-1)]
				if e&isLiteral != 0 {
					buf[out] = byte(e >> 16)
					out++
					bits >>= e & 0x3f
					count -= uint(e & 0x3f)
					continue
				}
			}
		}
		if e&isTable != 0 {
			e = literals[(uint64(e>>16)+bits>>tableBits&(1<<(e>>8&0xf)-1))&(tableSize-1)]
			if e&isLiteral != 0 {
				buf[out] = byte(e >> 16)
				out++
				bits >>= e & 0x3f
				count -= uint(e & 0x3f)
				continue
			}
		}
		if e&(isEnd|isInvalid) != 0 || e&0xff == 0 {
			if e&isEnd != 0 {
				bits >>= e & 0x3f
				count -= uint(e & 0x3f)
				r.state = atBlock
			} else {
				err = ErrCorrupt
			}
			break
		}
		// 34 bits are left at least: a length takes 20, a distance 28.
		bits >>= e & 0x3f
		count -= uint(e & 0x3f)
		extra := e >> 8 & 0xf
		length := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		count -= uint(extra)

		if count < 28 {
			if pos+8 > len(in) {
				// The rest of the match is for the slow way.
				if err = r.rest(&bits, &count, &pos, length, out-low); err != nil {
					break
				}
				break
			}
			bits |= binary.LittleEndian.Uint64(in[pos:]) << (count & 63)
			pos += int((63 - count) >> 3)
			count |= 56
		}
		e = distances[bits&(1<<tableBits-1)]
		if e&isTable != 0 {
			e = distances[(uint64(e>>16)+bits>>tableBits&(1<<(e>>8&0xf)-1))&(tableSize-1)]
		}
		if e&isInvalid != 0 || e&0xff == 0 {
			err = ErrCorrupt
			break
		}
		bits >>= e & 0x3f
		count -= uint(e & 0x3f)
		extra = e >> 8 & 0xf
		dist := int(e>>16) + int(bits&(1<<extra-1))
		bits >>= extra
		count -= uint(extra)
		if dist > out-low {
			err = ErrCorrupt
			break
		}
		from, end := out-dist, out+length
		switch {
		case dist >= 16:
			for out < end {
				a, b := binary.LittleEndian.Uint64(buf[from:]), binary.LittleEndian.Uint64(buf[from+8:])
				binary.LittleEndian.PutUint64(buf[out:], a)
				binary.LittleEndian.PutUint64(buf[out+8:], b)
				from += 16
				out += 16
			}
			out = end
		case dist >= 8:
			for out < end {
				binary.LittleEndian.PutUint64(buf[out:], binary.LittleEndian.Uint64(buf[from:]))
				from += 8
				out += 8
			}
			out = end
		default:
			for out < end {
				buf[out] = buf[from]
				from++
				out++
			}
		}
	}
	r.pos = pos
	r.bits, r.count = bits&(1<<count-1), count
	return out, err
}

// rest decodes the distance of a match whose bits are at the end of what was read.
func (r *Reader) rest(bits *uint64, count *uint, pos *int, length, room int) error {
	r.bits, r.count, r.pos = *bits&(1<<*count-1), *count, *pos
	err := func() error {
		e, err := r.symbol(&r.distances)
		if err != nil {
			return err
		}
		extra, err := r.read(uint(e >> 8 & 0xf))
		if err != nil {
			return err
		}
		if r.dist = int(e>>16) + int(extra); r.dist > room {
			return ErrCorrupt
		}
		r.length = length
		return nil
	}()
	*bits, *count, *pos = r.bits, r.count, r.pos
	return err
}
