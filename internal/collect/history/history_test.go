package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const account = "123456789012"

var at = time.Date(2026, 11, 19, 2, 0, 0, 0, time.UTC)

func taken(t time.Time) *snapshot.Snapshot {
	return &snapshot.Snapshot{TakenAt: t, Account: snapshot.Account{ID: account, Partition: "aws"},
		Roles: []snapshot.Role{{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/trainer", ID: "AROAEXAMPLE"}, Name: "trainer"}}}
}

func incomplete(t time.Time) *snapshot.Snapshot {
	s := taken(t)
	s.Gaps = []snapshot.Gap{{Source: "iam:GetRole", Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonRefused}}
	return s
}

func open(t testing.TB, dir string) *Folder {
	t.Helper()
	f, err := Open(dir, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func add(t testing.TB, f *Folder, s *snapshot.Snapshot) Entry {
	t.Helper()
	e, err := f.Add(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func latest(t testing.TB, f *Folder, now time.Time) *Baseline {
	t.Helper()
	b, err := f.Latest(account, now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func files(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestFirstRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "history")
	f := open(t, dir)
	if b := latest(t, f, at); !b.Empty() {
		t.Errorf("a new folder has %+v", b)
	}
	e := add(t, f, taken(at))
	if e.Name != "20261119T020000Z-123456789012.snapshot.gz" {
		t.Errorf("name %s", e.Name)
	}
	info, err := os.Stat(filepath.Join(dir, e.Name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder's mode %v, %v", info.Mode(), err)
	}
	b := latest(t, f, at.Add(time.Hour))
	if b.Snapshot == nil || !b.Entry.TakenAt.Equal(at) || len(b.Snapshot.Roles) != 1 {
		t.Errorf("found %+v", b)
	}
}

// TestOrder: neither names nor the files' dates decide which is the latest.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	for _, d := range []int{3, 1, 2} {
		add(t, f, taken(at.AddDate(0, 0, d)))
	}
	// Names that would sort the other way round.
	entries, _, err := f.List(account)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		if err := os.Rename(filepath.Join(dir, e.Name), filepath.Join(dir, fmt.Sprintf("%d.snapshot.gz", 9-i))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, fmt.Sprintf("%d.snapshot.gz", 9-i)), at, at.AddDate(0, 0, -i)); err != nil {
			t.Fatal(err)
		}
	}
	if b := latest(t, f, at.AddDate(0, 0, 9)); b.Entry.Name != "7.snapshot.gz" || !b.Entry.TakenAt.Equal(at.AddDate(0, 0, 3)) {
		t.Errorf("latest is %+v", b.Entry)
	}
}

// TestTimeZones: a zone or daylight saving time changes neither names nor order. On
// 2026-11-01 the clocks of New York show 01:30 twice, and on 2026-03-29 those of Berlin
// never show 02:30.
func TestTimeZones(t *testing.T) {
	f := open(t, t.TempDir())
	edt, est := time.FixedZone("EDT", -4*3600), time.FixedZone("EST", -5*3600)
	first := time.Date(2026, 11, 1, 1, 30, 0, 0, edt)
	second := time.Date(2026, 11, 1, 1, 30, 0, 0, est)
	b := add(t, f, taken(second))
	a := add(t, f, taken(first))
	if a.Name != "20261101T053000Z-123456789012.snapshot.gz" || b.Name != "20261101T063000Z-123456789012.snapshot.gz" {
		t.Errorf("names %s, %s", a.Name, b.Name)
	}
	if got := latest(t, f, second); got.Entry.Name != b.Name {
		t.Errorf("latest is %s", got.Entry.Name)
	}
	cet, cest := time.FixedZone("CET", 3600), time.FixedZone("CEST", 2*3600)
	before := add(t, f, taken(time.Date(2027, 3, 28, 1, 59, 0, 0, cet)))
	after := add(t, f, taken(time.Date(2027, 3, 28, 3, 1, 0, 0, cest)))
	entries, _, err := f.List(account)
	if err != nil || len(entries) != 4 || entries[2].Name != before.Name || entries[3].Name != after.Name {
		t.Errorf("order %v, %v", entries, err)
	}
}

// TestClockBackwards: a snapshot of later than now is told and never the baseline,
// nothing is overwritten, and nothing of the present is pruned because of it.
func TestClockBackwards(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	good := add(t, f, taken(at))
	ahead := add(t, f, taken(at.AddDate(70, 0, 0)))
	now := at.AddDate(0, 0, 1)
	b := latest(t, f, now)
	if b.Entry.Name != good.Name || len(b.Later) != 1 || b.Later[0].Name != ahead.Name {
		t.Errorf("found %+v", b)
	}
	var just Entry
	for d := range 4 {
		just = add(t, f, taken(now.AddDate(0, 0, d)))
		if _, err := f.Prune(Keep{Count: 2}, just); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"20261122T020000Z-123456789012.snapshot.gz", "20261123T020000Z-123456789012.snapshot.gz", ahead.Name}
	if got := files(t, dir); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	// Back behind all there is: a baseline is not to be had, and the new one stays.
	early := add(t, f, taken(at.AddDate(0, 0, -9)))
	if b := latest(t, f, early.TakenAt.Add(-time.Second)); b.Snapshot != nil || len(b.Later) != 4 || b.Empty() {
		t.Errorf("found %+v", b)
	}
	if gone, err := f.Prune(Keep{Count: 1, Age: time.Hour}, early); len(gone) > 0 || err != nil {
		t.Errorf("pruned %v, %v", gone, err)
	}
}

// TestSameSecond: nothing is written over.
func TestSameSecond(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	var names []string
	for range 12 {
		names = append(names, add(t, f, taken(at)).Name)
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 12 || len(files(t, dir)) != 12 {
		t.Errorf("files %v", files(t, dir))
	}
	if b := latest(t, f, at); b.Entry.Name != "20261119T020000Z-123456789012-12.snapshot.gz" {
		t.Errorf("latest is %s", b.Entry.Name)
	}
}

func TestIncompleteIsNoBaseline(t *testing.T) {
	f := open(t, t.TempDir())
	good := add(t, f, taken(at))
	bad := add(t, f, incomplete(at.AddDate(0, 0, 1)))
	if bad.Name != "20261120T020000Z-123456789012-incomplete.snapshot.gz" {
		t.Errorf("name %s", bad.Name)
	}
	b := latest(t, f, at.AddDate(0, 0, 2))
	if b.Entry.Name != good.Name || len(b.Incomplete) != 1 || b.Incomplete[0].Name != bad.Name {
		t.Errorf("found %+v", b)
	}
}

// TestPassedOver: what is no snapshot, or none of this version, or not whole, is named
// and left alone.
func TestPassedOver(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	good := add(t, f, taken(at))
	var whole bytes.Buffer
	later := taken(at.AddDate(0, 0, 1))
	for i := range 500 {
		later.Jobs = append(later.Jobs, snapshot.Job{Name: fmt.Sprintf("job-%d", i), Region: "us-east-1"})
	}
	if err := snapshot.Write(&whole, later); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("a-README.txt", "the history of our account")
	put("b-empty.snapshot.gz", "")
	put("c-half.snapshot", whole.String()[:whole.Len()-200])
	put("d-older.snapshot", strings.Replace(whole.String(), `"schemaVersion": 2`, `"schemaVersion": 1`, 1))
	put("e-report.json", `{"schemaVersion": 1, "tool": {}}`)
	put("f-nobody.snapshot", strings.Replace(whole.String(), `"id":"123456789012"`, `"id":""`, 1))
	put("g-other.snapshot", strings.Replace(whole.String(), `"id":"123456789012"`, `"id":"999999999999"`, 1))
	put(".hidden", "")
	if err := os.Mkdir(filepath.Join(dir, "h-folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	b := latest(t, f, at.AddDate(0, 0, 2))
	if b.Entry.Name != good.Name {
		t.Errorf("latest is %+v", b.Entry)
	}
	got := map[string]string{}
	for _, p := range b.Passed {
		got[p.Name] = p.Why
	}
	for name, why := range map[string]string{
		"a-README.txt": "not a snapshot: ", "b-empty.snapshot.gz": "truncated", "c-half.snapshot": "truncated", "d-older.snapshot": "schema version 1",
		"e-report.json": "not a snapshot: ", "f-nobody.snapshot": "of which account", "h-folder": "no regular file",
	} {
		if !strings.Contains(got[name], why) {
			t.Errorf("%s: %q, want %q", name, got[name], why)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("passed over as well: %v", got)
	}
	if _, err := f.Prune(Keep{Count: 1}, add(t, f, taken(at.AddDate(0, 0, 3)))); err != nil {
		t.Fatal(err)
	}
	for _, name := range before {
		if name != good.Name && !slices.Contains(files(t, dir), name) {
			t.Errorf("%s is gone", name)
		}
	}
}

func TestPrune(t *testing.T) {
	day := func(n int) time.Time { return at.AddDate(0, 0, n) }
	for _, test := range []struct {
		name string
		keep Keep
		have []*snapshot.Snapshot
		want []string // days kept
	}{
		{"no limit", Keep{}, []*snapshot.Snapshot{taken(day(0)), taken(day(1)), taken(day(2))}, []string{"19", "20", "21"}},
		{"count", Keep{Count: 2}, []*snapshot.Snapshot{taken(day(0)), taken(day(1)), taken(day(2))}, []string{"20", "21"}},
		{"age", Keep{Age: 24 * time.Hour}, []*snapshot.Snapshot{taken(day(0)), taken(day(1)), taken(day(2))}, []string{"20", "21"}},
		{"either", Keep{Count: 3, Age: time.Hour}, []*snapshot.Snapshot{taken(day(0)), taken(day(1)), taken(day(2))}, []string{"21"}},
		{"last complete stays", Keep{Count: 2}, []*snapshot.Snapshot{taken(day(0)), incomplete(day(1)), incomplete(day(2)), incomplete(day(3))}, []string{"19", "21", "22"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			f := open(t, dir)
			other := taken(day(-50))
			other.Account.ID = "999999999999"
			add(t, f, other)
			var just Entry
			for _, s := range test.have {
				just = add(t, f, s)
			}
			gone, err := f.Prune(test.keep, just)
			if err != nil {
				t.Fatal(err)
			}
			var days []string
			for _, name := range files(t, dir) {
				if strings.Contains(name, account) {
					days = append(days, name[6:8])
				}
			}
			if d := cmp.Diff(test.want, days); d != "" {
				t.Errorf("days kept (-want +got):\n%s", d)
			}
			if len(gone) != len(test.have)-len(test.want) || len(files(t, dir)) != len(test.want)+1 {
				t.Errorf("gone %v, left %v", gone, files(t, dir))
			}
		})
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	f := open(t, dir)
	var locked *LockedError
	_, err := Open(dir, at)
	if !errors.As(err, &locked) {
		t.Fatalf("a second run: %v", err)
	}
	if want := fmt.Sprintf("pid %d since 2026-11-19T02:00:00Z", os.Getpid()); locked.Holder != want {
		t.Errorf("holder %q, want %q", locked.Holder, want)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	// What the file says is text of who knows whom.
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte("\x1b[2J pid"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, at); !errors.As(err, &locked) || locked.Holder != "" {
		t.Errorf("a second run: %v", err)
	}
}

func TestCannotOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, at); err == nil {
		t.Error("a file is no folder")
	}
}

// The variable that makes the test binary a run of its own.
const childVariable = "AUDIT_HISTORY_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// child adds its share of snapshots, and waits for its turn as no real run does.
func child(dir string) int {
	offset, _ := strconv.Atoi(os.Getenv("AUDIT_HISTORY_TEST_N"))
	for i := range 5 {
		for {
			f, err := Open(dir, at)
			var locked *LockedError
			if errors.As(err, &locked) {
				time.Sleep(time.Millisecond)
				continue
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			s := taken(at.Add(time.Duration(offset*5+i) * time.Minute))
			e, err := f.Add(s)
			if err == nil {
				_, err = f.Prune(Keep{Count: 1000}, e)
			}
			if err := errors.Join(err, f.Close()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			break
		}
	}
	return 0
}

// TestProcesses: runs of their own, all at once, leave every snapshot whole. One of them
// is killed at some moment, and loses no more than its own.
func TestProcesses(t *testing.T) {
	dir := t.TempDir()
	var cmds []*exec.Cmd
	for i := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+dir, "AUDIT_HISTORY_TEST_N="+strconv.Itoa(i))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	for len(files(t, dir)) < 3 { // it is in the midst of it
		time.Sleep(time.Millisecond)
	}
	cmds[4].Process.Kill()
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil && i < 4 {
			t.Errorf("run %d: %v", i, err)
		}
	}
	f := open(t, dir)
	entries, passed, err := f.List(account)
	if err != nil || len(passed) > 0 {
		t.Fatalf("passed over %v, %v", passed, err)
	}
	if len(entries) < 20 || len(entries) != len(files(t, dir)) {
		t.Errorf("%d snapshots in %d files, want 20 at least", len(entries), len(files(t, dir)))
	}
	for _, e := range entries {
		if _, err := f.read(e); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

// TestAddFails: an error names the folder, and half of nothing is left.
func TestAddFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "h")
	f := open(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Add(taken(at)); err == nil || !strings.HasPrefix(err.Error(), dir+": cannot be written: ") {
		t.Errorf("error %v", err)
	}
	if _, err := f.Latest(account, at); err == nil {
		t.Error("a folder that is gone has a baseline")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestSweep: what a killed run left half-written goes with the next.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{temporaryPrefix + "ABC" + temporarySuffix, ".other.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if got := files(t, dir); !slices.Equal(got, []string{".other.tmp"}) {
		t.Errorf("left %v", got)
	}
}

// TestPlace: where a file system has no links, nothing is written over either.
func TestPlace(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := place(filepath.Join(dir, "a"), filepath.Join(dir, "b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another file: %v", err)
	}
	// A folder has no hard link: the way of file systems without them.
	if err := os.Mkdir(filepath.Join(dir, "c"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := place(filepath.Join(dir, "c"), filepath.Join(dir, "d")); err != nil {
		t.Errorf("without links: %v", err)
	}
}
