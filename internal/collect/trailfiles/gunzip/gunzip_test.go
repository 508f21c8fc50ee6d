package gunzip

import (
	"bytes"
	"compress/flate"
	stdgzip "compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"

	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
)

// text reads a stream to its end, some bytes at a time.
func text(from io.Reader, size int) ([]byte, error) {
	var r Reader
	r.Reset(from)
	var all []byte
	buf := make([]byte, History+size)
	at := 0
	for {
		n, err := r.Fill(buf, at, at+min(size, len(buf)-at))
		all = append(all, buf[at:at+n]...)
		if at += n; err != nil {
			if err == io.EOF {
				err = nil
			}
			return all, err
		}
		if at > History {
			copy(buf, buf[at-History:at])
			at = History
		}
	}
}

// check compares with compress/gzip: the text, and whether there is an error.
func check(t testing.TB, stream []byte) {
	t.Helper()
	var want []byte
	z, wantErr := stdgzip.NewReader(bytes.NewReader(stream))
	if wantErr == nil {
		want, wantErr = io.ReadAll(io.LimitReader(z, 1<<24))
	}
	if len(want) == 1<<24 {
		return // a bomb
	}
	for _, size := range []int{1, 257, 70_000} {
		if size == 1 && len(want) > 10_000 {
			continue
		}
		for way, from := range map[string]io.Reader{"": bytes.NewReader(stream), " byte by byte": iotest.OneByteReader(bytes.NewReader(stream)), " with its end": iotest.DataErrReader(bytes.NewReader(stream))} {
			got, err := text(from, size)
			// Before an error compress/gzip may hold back a symbol or two.
			same := bytes.Equal(got, want) || wantErr != nil && bytes.HasPrefix(got, want)
			if (err == nil) != (wantErr == nil) || !same {
				t.Fatalf("%d at a time%s: %d bytes, %v, want %d, %v (%x)", size, way, len(got), err, len(want), wantErr, stream[:min(len(stream), 200)])
			}
		}
	}
}

func zipped(t testing.TB, level int, parts ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, part := range parts {
		z, err := stdgzip.NewWriterLevel(&b, level)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(part)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func inputs() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 100_000)
	few := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(r.IntN(256))
		few[i] = "ab"[r.IntN(2)]
	}
	far := append(append(bytes.Clone(random[:1000]), make([]byte, History-1000)...), random[:1000]...)
	skewed := make([]byte, 60_000) // long codes
	for i := range skewed {
		skewed[i] = byte(min(255, int(r.ExpFloat64()*9)))
	}
	return [][]byte{{}, []byte("a"), []byte("hello hello hello hello"), []byte(strings.Repeat("a", 70_000)), []byte(strings.Repeat("abcdefg", 9999)), []byte(strings.Repeat("0123456789abcdef", 5000)),
		random, few, far, skewed, (trailgen.Options{PerFile: 300}).JSON(0)}
}

func TestSame(t *testing.T) {
	for _, in := range inputs() {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
			check(t, zipped(t, level, in))
		}
		check(t, zipped(t, 6, in, []byte("and another member"), in))
		check(t, append(zipped(t, 6, in), "garbage"...))
		check(t, append(zipped(t, 6, in), 0x1f, 0x8b))
		check(t, append(zipped(t, 6, in), 0))
	}
}

func TestHeaders(t *testing.T) {
	var b bytes.Buffer
	z := stdgzip.NewWriter(&b)
	z.Name, z.Comment, z.Extra = "name", "comment", []byte("extra")
	z.Write([]byte("text"))
	z.Close()
	check(t, b.Bytes())
	for i := range b.Len() {
		check(t, b.Bytes()[:i])
		changed := bytes.Clone(b.Bytes())
		changed[i] ^= 0x55
		check(t, changed)
	}
	// A header with its own sum, right and wrong.
	head := []byte{0x1f, 0x8b, 8, 2, 0, 0, 0, 0, 0, 255}
	sum := binary.LittleEndian.AppendUint16(bytes.Clone(head), uint16(crc32.ChecksumIEEE(head)))
	check(t, append(sum, zipped(t, 6, []byte("text"))[10:]...))
	sum[10]++
	check(t, append(sum, zipped(t, 6, []byte("text"))[10:]...))
	check(t, append(append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255}, bytes.Repeat([]byte("x"), 511)...), append([]byte{0}, zipped(t, 6, []byte("t"))[10:]...)...))
	check(t, append(append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255}, bytes.Repeat([]byte("x"), 512)...), append([]byte{0}, zipped(t, 6, []byte("t"))[10:]...)...))
}

// Streams cut short, and with bits changed: the sum is put right, so that what the
// change did to the blocks is seen.
func TestCorrupt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, in := range inputs() {
		in = in[:min(len(in), 3000)]
		for _, level := range []int{0, 1, 6, flate.HuffmanOnly} {
			stream := zipped(t, level, in)
			for range 60 {
				check(t, stream[:r.IntN(len(stream))])
				changed := bytes.Clone(stream)
				for range 1 + r.IntN(3) {
					changed[r.IntN(len(changed))] ^= 1 << r.IntN(8)
				}
				check(t, changed)
			}
		}
	}
}

func FuzzGunzip(f *testing.F) {
	for _, in := range inputs() {
		in = in[:min(len(in), 2000)]
		for _, level := range []int{0, 1, 6, flate.HuffmanOnly} {
			f.Add(zipped(f, level, in)[10:])
		}
		f.Add(zipped(f, 6, in, in)[10:])
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		check(t, append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, rest...))
	})
}

func BenchmarkGunzip(b *testing.B) {
	o := trailgen.Options{}
	in := o.JSON(0)
	var zip bytes.Buffer
	z := gzip.NewWriter(&zip)
	z.Write(in)
	z.Close()
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		var r Reader
		buf := make([]byte, 288<<10)
		for b.Loop() {
			r.Reset(bytes.NewReader(zip.Bytes()))
			at, total := 0, 0
			for {
				n, err := r.Fill(buf, at, len(buf))
				at += n
				total += n
				if err != nil {
					break
				}
				copy(buf, buf[at-History:at])
				at = History
			}
			if total != len(in) {
				b.Fatal(total)
			}
		}
	})
	b.Run("klauspost", func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		var r gzip.Reader
		for b.Loop() {
			r.Reset(bytes.NewReader(zip.Bytes()))
			if n, err := io.Copy(io.Discard, &r); err != nil || n != int64(len(in)) {
				b.Fatal(n, err)
			}
		}
	})
}
