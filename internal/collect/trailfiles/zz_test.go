package trailfiles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"github.com/klauspost/compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
	"syscall"
	"testing"
	"time"
)

var files [][]byte

func load() {
	if files != nil {
		return
	}
	filepath.WalkDir("/tmp/corpus", func(p string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			b, _ := os.ReadFile(p)
			files = append(files, b)
		}
		return nil
	})
}
func BenchmarkGunzip(b *testing.B) {
	load()
	var z gzip.Reader
	n := int64(0)
	for i := 0; b.Loop(); i++ {
		z.Reset(bytes.NewReader(files[i%len(files)]))
		m, _ := io.Copy(io.Discard, &z)
		n += m
	}
	b.SetBytes(n / int64(b.N))
}
func mk() *scanner {
	arns := map[string]bool{}
	for _, a := range (trailgen.Options{}).RoleARNs() {
		arns[a] = true
	}
	return newScanner(newRoles(arns), nil, Limits{File: 1 << 30, Record: 4 << 20, Depth: 1000})
}
func BenchmarkScan(b *testing.B) {
	load()
	var z gzip.Reader
	n := int64(0)
	s := mk()
	var cand, rec int64
	for i := 0; b.Loop(); i++ {
		z.Reset(bytes.NewReader(files[i%len(files)]))
		s.reset(&z)
		var r report
		r.keep = func(*snapshot.Record, *snapshot.UseKey) {}
		s.file(&r)
		if r.err() != nil {
			b.Fatal(r.err())
		}
		n += s.read
		cand += r.candidates
		rec += r.records
	}
	b.SetBytes(n / int64(b.N))
	b.ReportMetric(float64(cand)/float64(rec), "cand")
}
func BenchmarkWalk(b *testing.B) {
	load()
	z, _ := gzip.NewReader(bytes.NewReader(files[0]))
	d, _ := io.ReadAll(z)
	s := mk()
	for i := 0; b.Loop(); i++ {
		s.reset(bytes.NewReader(d))
		var r report
		r.keep = func(*snapshot.Record, *snapshot.UseKey) {}
		s.file(&r)
		if r.err() != nil {
			b.Fatal(r.err())
		}
	}
	b.SetBytes(int64(len(d)))
	fmt.Println(len(d) / 2600)
}
func BenchmarkWalkNoHits(b *testing.B) {
	load()
	z, _ := gzip.NewReader(bytes.NewReader(files[0]))
	d, _ := io.ReadAll(z)
	s := mk()
	s.roles = newRoles(nil)
	for i := 0; b.Loop(); i++ {
		s.reset(bytes.NewReader(d))
		var r report
		r.keep = func(*snapshot.Record, *snapshot.UseKey) {}
		s.file(&r)
		if r.err() != nil {
			b.Fatal(r.err())
		}
	}
	b.SetBytes(int64(len(d)))
}
func BenchmarkRatio(b *testing.B) {
	load()
	var z, z2 gzip.Reader
	s := mk()
	var a, c time.Duration
	for i := 0; b.Loop(); i++ {
		f := files[i%len(files)]
		t := time.Now()
		z.Reset(bytes.NewReader(f))
		io.Copy(io.Discard, &z)
		a += time.Since(t)
		t = time.Now()
		z2.Reset(bytes.NewReader(f))
		s.reset(&z2)
		var r report
		r.keep = func(*snapshot.Record, *snapshot.UseKey) {}
		s.file(&r)
		c += time.Since(t)
	}
	b.ReportMetric(float64(a)/float64(c), "ratio")
	b.ReportMetric(float64((c-a).Nanoseconds())/float64(b.N)/2600, "ns/rec-extra")
	b.ReportMetric(float64((a).Nanoseconds())/float64(b.N)/2600, "ns/rec-gunzip")
}
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(1, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
func BenchmarkCPU(b *testing.B) {
	load()
	runtime.LockOSThread()
	var z, z2 gzip.Reader
	s := mk()
	var a, c time.Duration
	for i := 0; b.Loop(); i++ {
		f := files[i%len(files)]
		t := cpu()
		z.Reset(bytes.NewReader(f))
		io.Copy(io.Discard, &z)
		a += cpu() - t
		t = cpu()
		z2.Reset(bytes.NewReader(f))
		s.reset(&z2)
		var r report
		r.keep = func(*snapshot.Record, *snapshot.UseKey) {}
		s.file(&r)
		c += cpu() - t
	}
	b.ReportMetric(float64(a)/float64(c), "ratio")
	b.ReportMetric(float64((c-a).Nanoseconds())/float64(b.N)/2600, "ns/rec-extra")
	b.ReportMetric(float64((a).Nanoseconds())/float64(b.N)/2600, "ns/rec-gunzip")
}
func hits() [][]byte {
	load()
	z, _ := gzip.NewReader(bytes.NewReader(files[0]))
	d, _ := io.ReadAll(z)
	var f struct{ Records []json.RawMessage }
	json.Unmarshal(d, &f)
	var out [][]byte
	for _, r := range f.Records {
		if bytes.Contains(r, []byte("trainer-")) {
			out = append(out, r)
		}
	}
	return out
}
func BenchmarkDecode(b *testing.B) {
	h := hits()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		snapshot.DecodeRecord(h[i%len(h)])
	}
}
func BenchmarkFacts(b *testing.B) {
	h := hits()
	var rs []*snapshot.Record
	for _, x := range h {
		r, _ := snapshot.DecodeRecord(x)
		rs = append(rs, r)
	}
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		snapshot.Facts(rs[i%len(rs)])
	}
}
