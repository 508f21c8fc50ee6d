package trailfiles

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// objects is a file of calls on as many objects, by a role.
func objects(number int, keys []string, roles ...string) string {
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		record := strings.ReplaceAll(base, "k/1", key)
		if len(roles) > 0 {
			record = strings.ReplaceAll(record, role, roles[i%len(roles)])
		}
		b.WriteString(strings.Replace(record, `"e1"`, fmt.Sprintf(`"%08d-0000-4000-8000-%012d"`, number, i), 1))
	}
	b.WriteString(`]}`)
	return b.String()
}

// Objects collapse to the deepest folders that are few enough, in whatever order they
// come; a key of few objects stays as it is.
func TestCollapse(t *testing.T) {
	var keys []string
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("data/day=%02d/hour=%d/part-%d", i%4, i%8, i))
	}
	for objects_, want := range map[int][]string{
		40: nil, // each by name
		39: {"data/day=00/hour=0/*", "data/day=00/hour=4/*", "data/day=01/hour=1/*", "data/day=01/hour=5/*", "data/day=02/hour=2/*", "data/day=02/hour=6/*", "data/day=03/hour=3/*", "data/day=03/hour=7/*"},
		7:  {"data/day=00/*", "data/day=01/*", "data/day=02/*", "data/day=03/*"},
		3:  {"data/*"},
	} {
		for seed := range uint64(5) {
			random := rand.New(rand.NewPCG(seed, 1))
			random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			b := memory{files: map[string][]byte{logName(1): zipped(objects(1, keys[:20])), logName(2): zipped(objects(2, keys[20:]))}}
			r := read(t, Options{Roles: map[string]bool{role: true}, Limits: Limits{Objects: objects_}}, listed(t, b, Filter{}))
			var got []string
			calls := 0
			for _, u := range usageOf(r) {
				calls += u.Count
				if u.Params.Keys == "" != (u.Params.Key != "") {
					t.Fatalf("a key and keys: %+v", u)
				}
				if u.Params.Keys != "" {
					got = append(got, u.Params.Keys)
					if u.Resources != "" {
						t.Errorf("objects among the resources: %q", u.Resources)
					}
				}
			}
			if d := cmp.Diff(want, got); d != "" || calls != 40 {
				t.Fatalf("%d objects: %d calls (-want +got):\n%s", objects_, calls, d)
			}
			if want == nil != (len(r.Collapsed) == 0) {
				t.Errorf("collapsed %+v", r.Collapsed)
			}
			if want != nil {
				c := r.Collapsed[0]
				if c.Bucket != "b" || c.EventName != "GetObject" || c.Prefixes != len(want) || c.Calls != 40 || c.Role.ARN != role || c.Objects != objects_+1 {
					t.Errorf("collapsed %+v", c)
				}
			}
		}
	}
}

// Past the limit of all groups families keep fewer names; past that, calls are left out
// and a gap says so.
func TestGroupLimit(t *testing.T) {
	var keys, roles []string
	asked := make(map[string]bool)
	for i := range 20 {
		roles = append(roles, fmt.Sprintf("arn:aws:iam::123456789012:role/r%02d", i))
		asked[roles[i]] = true
	}
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("a/b%d/c%d", i/100, i))
	}
	b := memory{files: map[string][]byte{logName(1): zipped(objects(1, keys, roles...))}}
	for _, tt := range []struct{ groups, want, dropped int }{{200, 200, 0}, {150, 40, 0}, {39, 20, 0}, {20, 20, 0}, {5, 5, 150}} {
		r := read(t, Options{Roles: asked, Limits: Limits{Groups: tt.groups}}, listed(t, b, Filter{}))
		calls, usage := 0, usageOf(r)
		for _, u := range usage {
			calls += u.Count
		}
		if len(usage) != tt.want || int(r.Dropped) != tt.dropped || calls+tt.dropped != 200 {
			t.Errorf("%d groups: %d, %d calls, %d left out", tt.groups, len(usage), calls, r.Dropped)
		}
		if tt.dropped > 0 != (len(r.Gaps) == 1 && r.Gaps[0].Impact == snapshot.ImpactUsage) {
			t.Errorf("gaps %+v", r.Gaps)
		}
	}
}

// Ids are forgotten past a limit, the ones delivered first; the result says so, and no
// call is lost.
func TestForget(t *testing.T) {
	b := memory{files: make(map[string][]byte)}
	for n := range 20 {
		b.files[logName(n)] = zipped(objects(n, []string{"k/1", "k/1", "k/1", "k/1"}))
	}
	b.files[logName(0)] = b.files[logName(1)] // delivered again at once
	for _, tt := range []struct{ events, duplicates, forgotten int }{{1000, 4, 0}, {76, 4, 0}, {16, 4, 64}} {
		r := read(t, Options{Roles: map[string]bool{role: true}, Limits: Limits{Events: tt.events}}, listed(t, b, Filter{}))
		if usage := usageOf(r); len(usage) != 1 || usage[0].Count != 76 || int(r.Duplicates) != tt.duplicates || (r.Forgotten > 0) != (tt.forgotten > 0) {
			t.Errorf("%d ids: %+v, %d duplicates, %d forgotten", tt.events, usage, r.Duplicates, r.Forgotten)
		}
		if (r.Forgotten > 0) != (len(r.Gaps) == 1 && r.Gaps[0].Impact == snapshot.ImpactDetail) {
			t.Errorf("gaps %+v", r.Gaps)
		}
	}
}

// A kept call on an object of its own takes a few hundred bytes.
func TestHeld(t *testing.T) {
	const files, perFile = 20, 1000
	b := memory{files: make(map[string][]byte)}
	roles, names := make(map[string]bool), make([]string, 50)
	for i := range names {
		names[i] = fmt.Sprintf("arn:aws:iam::123456789012:role/service-role/trainer-%05d", i)
		roles[names[i]] = true
	}
	for n := range files {
		keys := make([]string, perFile)
		for i := range keys {
			keys[i] = fmt.Sprintf("team-%02d/dataset-%04d/dt=2026-10-%02d/part-%05d-%08x.snappy.parquet", i%20, i%100, n+1, i, n*perFile+i)
		}
		b.files[logName(n)] = zipped(objects(n, keys, names...))
	}
	listing := listed(t, b, Filter{})
	read(t, Options{Roles: roles, Limits: Limits{Objects: perFile}}, listing) // what is made once is made
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	r := read(t, Options{Roles: roles, Limits: Limits{Objects: perFile}}, listing)
	each := float64(held()-before) / (files * perFile)
	if n := len(usageOf(r)); n != files*perFile {
		t.Fatalf("%d groups", n)
	}
	if each > 350 {
		t.Errorf("%.0f bytes a call", each)
	}
	t.Logf("%.0f bytes a call", each)
}
