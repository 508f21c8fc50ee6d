// Package history keeps the snapshots of runs in a folder, one file a run, for
// the next run to compare with.
//
// A file appears whole or not at all and is never written over. Order is by the
// time inside a snapshot, in UTC, never by a file's name or date: neither a clock
// that is set nor a change of time zone mixes them up. One run at a time works on
// a folder. What is no snapshot is passed over, told of and left alone.
//
// The package imports no AWS SDK.
package history

import (
	"cmp"
	"compress/gzip"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// The modes of what is made: a snapshot is the evidence, nobody else's to read.
const (
	folderMode fs.FileMode = 0o700
	fileMode   fs.FileMode = 0o600
)

const lockName = ".lock"

// Folder is a history that this process alone works on.
type Folder struct {
	dir  string
	lock *flock.Flock
}

// LockedError says that another run works on the folder.
type LockedError struct {
	Dir string
	// Holder is what that run left about itself ("pid 12 since 2026-11-19T02:00:00Z"),
	// empty where it left nothing.
	Holder string
}

func (e *LockedError) Error() string {
	holder := ""
	if e.Holder != "" {
		holder = " (" + e.Holder + ")"
	}
	return fmt.Sprintf("%s: another run%s works on this history; let it end, or give this run a folder of its own", e.Dir, holder)
}

// Open takes the folder dir for this process and makes it where it is not there. It
// does not wait: a *LockedError says that another run is at it. The lock goes with
// the process, however that ends. now is only told to those who find it locked.
func Open(dir string, now time.Time) (*Folder, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	lock := flock.New(path, flock.SetPermissions(fileMode), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be locked: %w", dir, bare(err))
	}
	if !held {
		return nil, &LockedError{dir, holder(path)}
	}
	f := &Folder{dir, lock}
	// The lock is what locks; this is for whoever waits.
	if err := os.WriteFile(path, fmt.Appendf(nil, "pid %d since %s\n", os.Getpid(), now.UTC().Format(time.RFC3339)), fileMode); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: cannot be written: %w", dir, bare(err)), f.Close())
	}
	if err := f.sweep(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// holderLine is what Open writes; nothing else is repeated from a file.
var holderLine = regexp.MustCompile(`^pid \d+ since [-0-9TZ:]+$`)

func holder(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	text, _ := io.ReadAll(io.LimitReader(file, 100))
	line := strings.TrimSpace(string(text))
	if !holderLine.MatchString(line) {
		return ""
	}
	return line
}

// Close lets other runs at the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// Dir is the folder as it was given.
func (f *Folder) Dir() string { return f.dir }

// The names of files that are being written. A run that was killed leaves one.
const temporaryPrefix, temporarySuffix = ".snapshot.", ".tmp"

// sweep removes what killed runs left half-written: nobody is writing now.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); e.Type().IsRegular() && strings.HasPrefix(name, temporaryPrefix) && strings.HasSuffix(name, temporarySuffix) {
			if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Entry is a snapshot of the folder, as its head tells it.
type Entry struct {
	// Name is the file's, in the folder.
	Name     string
	TakenAt  time.Time
	Account  snapshot.Account
	Complete bool
	// own: the name is one that Add gives.
	own bool
}

// Passed is a file that was passed over, and why.
type Passed struct {
	Name, Why string
}

// List gives the snapshots of an account, oldest first, and the files that are none.
// It reads their heads alone: a file that breaks off later is still listed.
func (f *Folder) List(account string) ([]Entry, []Passed, error) {
	files, err := os.ReadDir(f.dir) // sorted by name
	if err != nil {
		return nil, nil, err
	}
	var (
		entries []Entry
		passed  []Passed
	)
	for _, file := range files {
		name := file.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if !file.Type().IsRegular() {
			passed = append(passed, Passed{name, "is no regular file"})
			continue
		}
		head, err := readHead(filepath.Join(f.dir, name))
		switch {
		case err != nil:
			passed = append(passed, Passed{name, bare(err).Error()})
		case head.TakenAt.IsZero():
			passed = append(passed, Passed{name, "does not say when it was taken"})
		case head.Account.ID == "":
			passed = append(passed, Passed{name, "does not say of which account it is"})
		case head.Account.ID == account:
			entries = append(entries, Entry{name, head.TakenAt, head.Account, head.Complete(), ownName.MatchString(name)})
		}
	}
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return entries, passed, nil
}

func readHead(path string) (*snapshot.Snapshot, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return snapshot.ReadHead(file)
}

// Baseline is what a run finds to compare with.
type Baseline struct {
	// Snapshot is nil where there is none, and then Entry is empty.
	Snapshot *snapshot.Snapshot
	Entry    Entry
	// Passed are the files that could not be read, in the order in which they were
	// met; Later are snapshots that say they were taken after the run; Incomplete are
	// those since the baseline that lack something.
	Passed            []Passed
	Later, Incomplete []Entry
}

// Empty reports whether the folder has nothing at all that could be or have been a
// baseline: a first run.
func (b *Baseline) Empty() bool {
	return b.Snapshot == nil && len(b.Passed)+len(b.Later)+len(b.Incomplete) == 0
}

// Latest finds the last complete snapshot of an account that was taken at or before
// now, and reads it whole; one that cannot be read is passed over for the one before.
// One that claims to be of later than now tells of a clock that was wrong, then or now:
// to compare with it would be to compare with an unknown time.
func (f *Folder) Latest(account string, now time.Time) (*Baseline, error) {
	entries, passed, err := f.List(account)
	if err != nil {
		return nil, err
	}
	b := &Baseline{Passed: passed}
	for _, e := range slices.Backward(entries) {
		switch {
		case e.TakenAt.After(now):
			b.Later = append(b.Later, e)
			continue
		case !e.Complete:
			b.Incomplete = append(b.Incomplete, e)
			continue
		}
		s, err := f.read(e)
		if err != nil {
			b.Passed = append(b.Passed, Passed{e.Name, err.Error()})
			continue
		}
		b.Snapshot, b.Entry = s, e
		break
	}
	return b, nil
}

// read reads the whole of an entry.
func (f *Folder) read(e Entry) (*snapshot.Snapshot, error) {
	file, err := os.Open(filepath.Join(f.dir, e.Name))
	if err != nil {
		return nil, bare(err)
	}
	defer file.Close()
	return snapshot.Read(file)
}

// ownName is the name of a file that Add makes: time in UTC, account, whether
// something is missing, and a number where the second was taken.
var ownName = regexp.MustCompile(`^\d{8}T\d{6}Z-(\d{12}|unknown)(-incomplete)?(-\d+)?\.snapshot\.gz$`)

func baseName(s *snapshot.Snapshot) string {
	name := s.TakenAt.UTC().Format("20060102T150405Z") + "-" + cmp.Or(s.Account.ID, "unknown")
	if !s.Complete() {
		name += "-incomplete"
	}
	return name
}

// Add writes a snapshot into the folder: whole or not at all, and over nothing that is
// there. It returns what List will say of it.
func (f *Folder) Add(s *snapshot.Snapshot) (Entry, error) {
	temporary := filepath.Join(f.dir, temporaryPrefix+rand.Text()+temporarySuffix)
	if err := writeFile(temporary, s); err != nil {
		return Entry{}, errors.Join(fmt.Errorf("%s: cannot be written: %w", f.dir, bare(err)), removed(temporary))
	}
	defer os.Remove(temporary)
	base := baseName(s)
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		name += ".snapshot.gz"
		switch err := place(temporary, filepath.Join(f.dir, name)); {
		case errors.Is(err, fs.ErrExist):
		case err != nil:
			return Entry{}, fmt.Errorf("%s: cannot be written: %w", filepath.Join(f.dir, name), bare(err))
		default:
			return Entry{name, s.TakenAt, s.Account, s.Complete(), true}, syncFolder(f.dir)
		}
	}
}

func removed(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func writeFile(path string, s *snapshot.Snapshot) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(file)
	return errors.Join(snapshot.Write(z, s), z.Close(), file.Sync(), file.Close())
}

// place gives a file its name, unless that is taken. A link tells that in one step; where
// the file system has none, the lock holds other runs off.
func place(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return os.Rename(from, to)
}

// syncFolder makes a new name outlive a power cut, where the system can.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync()
	return nil
}

// Keep is how much is kept. A zero field is no limit; where both are set, what either
// lets go goes.
type Keep struct {
	Count int
	Age   time.Duration
}

// Prune removes snapshots of the account of just that are more than Count or older than
// Age before it, and returns their names. The ones just written, and the last complete
// one, stay whatever the limits say; so does every file that has no name of Add's.
func (f *Folder) Prune(keep Keep, just Entry) ([]string, error) {
	entries, _, err := f.List(just.Account.ID)
	if err != nil {
		return nil, err
	}
	// Those that claim to be of later are not ahead of the one just written: a clock that
	// once ran ahead must not push the present out.
	var kept []Entry
	for _, e := range slices.Backward(entries) {
		if e.Name != just.Name && !e.TakenAt.After(just.TakenAt) {
			kept = append(kept, e)
		}
	}
	kept = append([]Entry{just}, kept...)
	last := slices.IndexFunc(kept, func(e Entry) bool { return e.Complete })
	var gone []string
	for i, e := range kept {
		old := keep.Age > 0 && just.TakenAt.Sub(e.TakenAt) > keep.Age
		if i == 0 || i == last || !e.own || !old && (keep.Count == 0 || i < keep.Count) {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, e.Name)); err != nil {
			return gone, err
		}
		gone = append(gone, e.Name)
	}
	return gone, nil
}

// bare is an error of the file system without the path, which stands beside it.
func bare(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
