// Package trailgen writes CloudTrail log files that never were: a seeded corpus for
// the tests and the benchmark of trailfiles. The same options give the same JSON, file
// by file, on any machine.
//
// Records have ten shapes and 1.9 kB on average. One in a hundred is a call by one of
// the roles asked for; their ARNs stand in other records too (AssumeRole,
// CreateTrainingJob). Some records come twice, some have escapes, some their keys in
// any order.
package trailgen

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Account is the account of the corpus.
const Account = "123456789012"

// Options say what to write. Zero values mean the defaults.
type Options struct {
	Seed    uint64
	Files   int // 40
	PerFile int // records a file: 2,600, which is 5 MB of JSON
	Roles   int // roles asked for: 50
	// Start is the day of the first file, 2026-10-01 when zero. Files are delivered
	// every five minutes, region by region.
	Start   time.Time
	Regions []string // us-east-1 and eu-west-1 when empty
	// Shuffled, Escaped and Twice are shares of the records: of those with their keys
	// in any order (0.1), with escapes in their strings (0.05), and of those that are
	// delivered again (0.005).
	Shuffled, Escaped, Twice float64
	// Hits is the share of calls by the roles asked for: 0.01.
	Hits float64
}

func (o Options) defaults() Options {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	share := func(p *float64, v float64) {
		if *p == 0 {
			*p = v
		}
	}
	set(&o.Files, 40)
	set(&o.PerFile, 2600)
	set(&o.Roles, 50)
	share(&o.Shuffled, 0.1)
	share(&o.Escaped, 0.05)
	share(&o.Twice, 0.005)
	share(&o.Hits, 0.01)
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	}
	if len(o.Regions) == 0 {
		o.Regions = []string{"us-east-1", "eu-west-1"}
	}
	return o
}

// RoleARN is the ARN of role i of those asked for; those that are not begin at 1e6.
func RoleARN(i int) string {
	return fmt.Sprintf("arn:aws:iam::%s:role/service-role/trainer-%05d", Account, i)
}

// RoleARNs are the ARNs of the roles asked for.
func (o Options) RoleARNs() []string {
	o = o.defaults()
	arns := make([]string, o.Roles)
	for i := range arns {
		arns[i] = RoleARN(i)
	}
	return arns
}

// Key is the key of file i, in the layout of a trail's bucket.
func (o Options) Key(i int) string {
	o = o.defaults()
	region, at := o.place(i)
	r := rand.New(rand.NewPCG(o.Seed, uint64(i)<<1|1))
	return fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s/%[1]s_CloudTrail_%[2]s_%[4]s_%[5]s.json.gz", Account, region,
		at.Format("2006/01/02"), at.Format("20060102T1504Z"), letters(r, 16, alphanumeric))
}

func (o Options) place(i int) (region string, at time.Time) {
	return o.Regions[i%len(o.Regions)], o.Start.Add(time.Duration(i/len(o.Regions)) * 5 * time.Minute)
}

// JSON is the content of file i.
func (o Options) JSON(i int) []byte {
	o = o.defaults()
	var b bytes.Buffer
	b.Grow(o.PerFile * 2000)
	b.WriteString(`{"Records":[`)
	for n := range o.PerFile {
		if n > 0 {
			b.WriteByte(',')
		}
		b.Write(o.record(i, n))
	}
	b.WriteString("]}")
	return b.Bytes()
}

// record is record n of file i; some are one of the file of the same region before.
func (o Options) record(i, n int) []byte {
	r := rand.New(rand.NewPCG(o.Seed^0x9e3779b97f4a7c15, uint64(i)<<24|uint64(n)))
	if again := i - len(o.Regions); again >= 0 && r.Float64() < o.Twice {
		i = again
		r = rand.New(rand.NewPCG(o.Seed^0x9e3779b97f4a7c15, uint64(i)<<24|uint64(n)))
		r.Float64()
	}
	g := &generator{Rand: r, o: &o}
	g.region, g.at = o.place(i)
	g.at = g.at.Add(-time.Duration(g.IntN(900)) * time.Second)
	record := g.record()
	if g.Float64() < o.Shuffled {
		g.shuffle(record)
	}
	return record.append(make([]byte, 0, 2500))
}

// Write writes the corpus, gzipped, below a folder, with all processors.
func Write(dir string, o Options) error {
	o = o.defaults()
	var (
		group sync.WaitGroup
		next  = make(chan int)
		fail  = make(chan error, 1)
	)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			zip, _ := gzip.NewWriterLevel(io.Discard, gzip.DefaultCompression)
			for i := range next {
				if err := o.write(dir, i, zip); err != nil {
					select {
					case fail <- err:
					default:
					}
				}
			}
		})
	}
	for i := range o.Files {
		next <- i
	}
	close(next)
	group.Wait()
	select {
	case err := <-fail:
		return err
	default:
		return nil
	}
}

func (o Options) write(dir string, i int, zip *gzip.Writer) error {
	name := filepath.Join(dir, filepath.FromSlash(o.Key(i)))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	zip.Reset(f)
	if _, err := zip.Write(o.JSON(i)); err != nil {
		f.Close()
		return err
	}
	if err := zip.Close(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

const (
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	upper        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexadecimal  = "0123456789abcdef"
)

func letters(r *rand.Rand, n int, of string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = of[r.IntN(len(of))]
	}
	return string(b)
}
