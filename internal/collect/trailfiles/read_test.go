package trailfiles

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
)

// memory is a bucket of a test: compressed files by key, or an error in their place.
type memory struct {
	files map[string][]byte
	fail  map[string]error
}

func (m memory) Name() string { return "mem://logs/" }

func (m memory) List(_ context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		seen := make(map[string]bool)
		for key, data := range m.files {
			rest, ok := strings.CutPrefix(key, prefix)
			if !ok {
				continue
			}
			o := Object{Key: key, Size: int64(len(data))}
			if folder, _, below := strings.Cut(rest, "/"); below {
				o = Object{Key: prefix + folder + "/"}
			}
			if !seen[o.Key] && !yield(o, nil) {
				return
			}
			seen[o.Key] = true
		}
		if err := m.fail[prefix]; err != nil {
			yield(Object{}, err)
		}
	}
}

func (m memory) Open(_ context.Context, key string) (io.ReadCloser, error) {
	if err := m.fail[key]; err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(m.files[key])), nil
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	io.WriteString(z, text)
	z.Close()
	return b.Bytes()
}

const day = "AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/"

func logName(n int) string {
	return fmt.Sprintf("%s123456789012_CloudTrail_us-east-1_20261001T%02d00Z_abc%d.json.gz", day, n%24, n)
}

func listed(t testing.TB, b Bucket, f Filter) *Listing {
	t.Helper()
	if f.Source == "" {
		f.Source = "logs"
	}
	l, err := Find(context.Background(), b, "", f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func read(t testing.TB, o Options, listings ...*Listing) *Result {
	t.Helper()
	if o.Keep == nil {
		o.Keep = func(k *snapshot.UseKey, _ time.Time) bool {
			return o.Roles[k.Role.ARN] || o.Roles[k.Params.PassedRole()]
		}
	}
	r, err := Read(context.Background(), listings, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// usageOf is what was kept, in the snapshot's order.
func usageOf(r *Result) []snapshot.Usage {
	return slices.SortedFunc(r.Usage(), func(x, y snapshot.Usage) int {
		return cmp.Or(x.UseKey.Compare(y.UseKey), cmp.Compare(x.Source, y.Source))
	})
}

// grouped is what the events of files are together, told plainly: each id once.
func grouped(texts [][]byte, a asked) []snapshot.Usage {
	type event struct {
		key snapshot.UseKey
		at  time.Time
		id  string
	}
	events := make(map[string]event)
	for _, text := range texts {
		for _, c := range plainly(text, a).Calls {
			at, _ := time.Parse("2006-01-02 15:04:05 -0700 MST", c.At)
			events[c.ID] = event{c.Key, at, c.Event}
		}
	}
	groups := make(map[snapshot.UseKey]*snapshot.Usage)
	for _, e := range events {
		g := groups[e.key]
		if g == nil {
			g = &snapshot.Usage{UseKey: e.key, First: e.at, Last: e.at, FirstEventID: e.id, LastEventID: e.id, Source: "logs"}
			groups[e.key] = g
		}
		g.Count++
		if cmp.Or(e.at.Compare(g.First), cmp.Compare(e.id, g.FirstEventID)) < 0 {
			g.First, g.FirstEventID = e.at, e.id
		}
		if cmp.Or(e.at.Compare(g.Last), cmp.Compare(e.id, g.LastEventID)) > 0 {
			g.Last, g.LastEventID = e.at, e.id
		}
	}
	var all []snapshot.Usage
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(x, y snapshot.Usage) int { return x.UseKey.Compare(y.UseKey) })
	return all
}

// A folder and a bucket give what encoding/json gives, with any number of workers.
func TestReadGives(t *testing.T) {
	o := trailgen.Options{Seed: 5, Files: 8, PerFile: 400, Hits: 0.1, Twice: 0.05, Roles: 10}
	dir := t.TempDir()
	if err := trailgen.Write(dir, o); err != nil {
		t.Fatal(err)
	}
	roles := corpusRoles(o)
	var texts [][]byte
	bucket := memory{files: make(map[string][]byte)}
	for i := range o.Files {
		texts = append(texts, o.JSON(i))
		bucket.files[o.Key(i)] = zipped(string(texts[i]))
	}
	want := grouped(texts, asked{roles: roles, limits: Limits{}.defaults()})
	d, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for name, b := range map[string]Bucket{"folder": d, "bucket": bucket} {
		for _, workers := range []int{1, 4} {
			var last Progress
			listing := listed(t, b, Filter{})
			r := read(t, Options{Roles: roles, Workers: workers, Progress: func(p Progress) { last = p }}, listing)
			if d := gocmp.Diff(want, usageOf(r)); d != "" {
				t.Fatalf("%s, %d workers (-plain +read):\n%s", name, workers, d)
			}
			if len(r.Gaps) > 0 || r.Records != 3200 || r.Files != 8 || r.Duplicates == 0 || r.Kept+r.Duplicates > r.Candidates || len(r.Days) != 2 {
				t.Errorf("%s: %+v", name, r)
			}
			if last.Files != 8 || last.FilesDone != 8 || last.Bytes != listing.Bytes || last.BytesDone != last.Bytes {
				t.Errorf("progress ends at %+v", last)
			}
		}
	}
	// The same from both at once counts once, as the first listing's.
	both := read(t, Options{Roles: roles}, listed(t, bucket, Filter{}), listed(t, d, Filter{Source: "copy"}))
	if d := gocmp.Diff(want, usageOf(both)); d != "" {
		t.Errorf("read twice (-once +twice):\n%s", d)
	}
}

// A file that cannot be read is a gap with its path; the others are read, and what came
// before the break.
func TestBrokenFiles(t *testing.T) {
	whole := `{"Records":[` + base + `,` + strings.Replace(base, `"e1"`, `"e2"`, 1) + `]}`
	zip := zipped(whole)
	flipped := bytes.Clone(zip)
	flipped[len(flipped)-6] ^= 1
	bomb := zipped(`{"Records":[` + base + `,"` + strings.Repeat("a", 8<<20) + `"]}`)
	spaces := zipped(`{"Records":[` + base + strings.Repeat(" ", 8<<20) + `]}`)
	refused := &Error{Reason: snapshot.ReasonRefused, Permission: "s3:GetObject", Err: errors.New("Access Denied")}
	for i, tt := range []struct {
		name, detail, reason string
		data                 []byte
		calls                int
	}{
		{"whole", "", "", zip, 2},
		{"plain", "", "", []byte(whole), 2},
		{"two members", "", "", append(zipped(whole[:500]), zipped(whole[500:])...), 2},
		{"empty", "it is empty", snapshot.ReasonBroken, nil, 0},
		{"empty text", "it is empty", snapshot.ReasonBroken, zipped(""), 0},
		{"cut", "the compressed file is cut short", snapshot.ReasonBroken, zip[:len(zip)-9], 2},
		{"cut early", "the compressed file is cut short", snapshot.ReasonBroken, zip[:12], 0},
		{"wrong sum", "checksum", snapshot.ReasonBroken, flipped, 2},
		{"garbage after", "gzip header", snapshot.ReasonBroken, append(bytes.Clone(zip), "garbage"...), 2},
		{"digest", "not a CloudTrail log file", snapshot.ReasonBroken, zipped(`{"awsAccountId":"123456789012"}`), 0},
		{"text", "not a CloudTrail log file", snapshot.ReasonBroken, []byte("version account-id interface-id"), 0},
		{"JSON cut", "read up to record 2: the JSON ends within the records", snapshot.ReasonBroken, zipped(whole[:len(base)+100]), 1},
		{"JSON broken", "read up to record 2: invalid character", snapshot.ReasonBroken, zipped(`{"Records":[` + base + `,{"a":tru}]}`), 1},
		{"no record", "1 of its records could not be understood, the first of them number 2: CloudTrail record: no eventID", snapshot.ReasonBroken, zipped(`{"Records":[` + base + `,{},` + strings.Replace(base, `"e1"`, `"e2"`, 1) + `]}`), 2},
		{"more members", "another member follows", snapshot.ReasonBroken, zipped(`{"Records":[` + base + `],"x":1}`), 1},
		{"long record", "longer than", snapshot.ReasonBroken, bomb, 1},
		{"bomb", "more text than a log file can", snapshot.ReasonShort, spaces, 1},
		{"refused", "Access Denied", snapshot.ReasonRefused, zip, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := logName(i)
			other := logName(i + 1)
			b := memory{files: map[string][]byte{key: tt.data, other: zipped(`{"Records":[` + strings.Replace(base, `"e1"`, `"other"`, 1) + `]}`)}, fail: map[string]error{}}
			if tt.name == "refused" {
				b.fail[key] = refused
			}
			r := read(t, Options{Roles: map[string]bool{role: true}, Limits: Limits{File: 5 << 20, Record: 1 << 20}}, listed(t, b, Filter{}))
			if r.Kept != int64(tt.calls+1) {
				t.Errorf("%d calls, want %d and one of the other file", r.Kept, tt.calls)
			}
			if tt.detail == "" {
				if len(r.Gaps) > 0 {
					t.Errorf("gaps %+v", r.Gaps)
				}
				return
			}
			if len(r.Gaps) != 1 || r.Gaps[0].Scope != "mem://logs/"+key || r.Gaps[0].Source != "logs" || r.Gaps[0].Impact != snapshot.ImpactUsage ||
				r.Gaps[0].Reason != tt.reason || !strings.Contains(r.Gaps[0].Detail, tt.detail) || r.Days[0].Unread != 1 {
				t.Errorf("gaps %+v, want %s: %s", r.Gaps, tt.reason, tt.detail)
			}
		})
	}
}

// What the window of the calls leaves out, and an event that restates another.
func TestWindowAndAddenda(t *testing.T) {
	at := func(id, hour, more string) string {
		return strings.NewReplacer(`"e1"`, `"`+id+`"`, "T10:", "T"+hour+":", `"requestID":"r"`, `"requestID":"r"`+more).Replace(base)
	}
	addendum := `,"addendum":{"reason":"UPDATED_DATA","originalEventID":"e3"},"errorCode":"AccessDenied"`
	b := memory{files: map[string][]byte{
		logName(1): zipped(`{"Records":[` + at("e1", "08", "") + "," + at("e2", "10", "") + "," + at("e3", "11", "") + `]}`),
		logName(2): zipped(`{"Records":[` + at("e9", "11", addendum) + "," + at("e3", "11", "") + "," + at("e2", "10", "") + `]}`),
	}}
	from := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	r := read(t, Options{Roles: map[string]bool{role: true}, Window: snapshot.Window{From: from, To: from.Add(3 * time.Hour)}}, listed(t, b, Filter{}))
	if usage := usageOf(r); len(usage) != 2 || usage[0].FirstEventID != "e2" || usage[0].Count != 1 || usage[1].FirstEventID != "e9" || usage[1].ErrorCode != "AccessDenied" || usage[1].Count != 1 {
		t.Errorf("usage %+v", usage)
	}
	if r.Duplicates != 3 || r.Kept != 2 {
		t.Errorf("%d duplicates, %d kept", r.Duplicates, r.Kept)
	}
	d := r.Days[0]
	if d.Records != 6 || d.Data != 6 || d.First.Hour() != 8 || d.Last.Hour() != 11 || !d.Day.Equal(from.Truncate(24*time.Hour)) {
		t.Errorf("day %+v", d)
	}
}

// A reading that is broken off gives what it read, and says of how many files.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := memory{files: make(map[string][]byte)}
	for i := range 20 {
		b.files[logName(i)] = zipped(`{"Records":[` + strings.Replace(base, `"e1"`, fmt.Sprintf(`"e%d"`, i), 1) + `]}`)
	}
	l := listed(t, b, Filter{})
	r, err := Read(ctx, []*Listing{l}, Options{Roles: map[string]bool{role: true}, Workers: 3, Keep: func(*snapshot.UseKey, time.Time) bool { cancel(); return true }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if u := usageOf(r); len(u) != 1 || u[0].Count != r.Files || r.Files < 1 || r.Files > 3 {
		t.Errorf("%d files, usage %+v", r.Files, u)
	}
	if _, err := Find(ctx, b, "", Filter{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDir(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "logs")
	put := func(name string, data []byte) {
		t.Helper()
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	one := func(id string) []byte {
		return zipped(`{"Records":[` + strings.Replace(base, `"e1"`, `"`+id+`"`, 1) + `]}`)
	}
	put(logName(1), one("a"))
	put("flat/123456789012_CloudTrail_us-east-1_20261002T0000Z_x.json.gz", one("b"))
	put("flat/notes.txt", []byte("x"))
	put(day+"notes.txt", []byte("x"))
	if err := os.WriteFile(filepath.Join(root, "outside.json.gz"), one("c"), 0o644); err != nil {
		t.Fatal(err)
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
	link("../../../../../../../../outside.json.gz", logName(2)) // leaves the folder
	link(filepath.Base(logName(1)), logName(3))                 // within it: the same file again
	link(".", "flat/again")                                     // a circle
	link("nowhere", logName(4))
	d, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l := listed(t, d, Filter{})
	r := read(t, Options{Roles: map[string]bool{role: true}}, l)
	var gaps []string
	for _, g := range append(l.Gaps, r.Gaps...) {
		gaps = append(gaps, strings.TrimPrefix(g.Scope, dir)+" "+string(g.Impact))
	}
	slices.Sort(gaps)
	want := []string{"/" + logName(2) + " usage", "/" + logName(4) + " usage", "/" + day + "notes.txt detail", "/flat/again usage"}
	slices.Sort(want)
	if d := gocmp.Diff(want, gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s\n%+v", d, append(l.Gaps, r.Gaps...))
	}
	if r.Kept != 2 || r.Duplicates != 1 {
		t.Errorf("%d kept, %d duplicates", r.Kept, r.Duplicates)
	}
	if _, err := OpenDir(filepath.Join(root, "nothing")); err == nil {
		t.Error("a folder that is not there was opened")
	}
}
