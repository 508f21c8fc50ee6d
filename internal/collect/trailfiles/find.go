package trailfiles

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// File is one log file.
type File struct {
	Bucket  Bucket
	Key     string
	Size    int64 // as stored
	Source  string
	Account string
	Region  string
	// Day is midnight UTC of the day of delivery.
	Day time.Time
}

// Path names the file: the bucket's name and the key.
func (f File) Path() string { return f.Bucket.Name() + f.Key }

// Listing is the log files that were found in one bucket. It holds 50 bytes or so
// a file: a year of a busy account is a million files.
type Listing struct {
	Source string
	Files  int
	Bytes  int64 // as stored
	// Passed counts the objects that were passed over, by what they are: "digest",
	// "insight", "network activity", "aggregated", "another account", "another
	// region", "outside of the window", "no log file".
	Passed map[string]int
	// Gaps are the folders that could not be listed, and objects in the place of
	// log files that are none.
	Gaps []snapshot.Gap

	bucket  Bucket
	folders []folder
}

// folder is the log files of one account, region and day that lie together. Their
// names are kept in one string.
type folder struct {
	prefix          string
	account, region string
	day             time.Time
	names           []byte
	files           []named
}

type named struct {
	end  uint32 // of the name among names
	size int64
}

// Each yields the files by account, region, day and key.
func (l *Listing) Each() iter.Seq[File] {
	return func(yield func(File) bool) {
		for i := range l.folders {
			for f := range l.folders[i].each(l) {
				if !yield(f) {
					return
				}
			}
		}
	}
}

func (d *folder) each(l *Listing) iter.Seq[File] {
	return func(yield func(File) bool) {
		start := uint32(0)
		for _, n := range d.files {
			f := File{Bucket: l.bucket, Key: d.prefix + string(d.names[start:n.end]), Size: n.size, Source: l.Source, Account: d.account, Region: d.region, Day: d.day}
			if start = n.end; !yield(f) {
				return
			}
		}
	}
}

func (d *folder) compare(e *folder) int {
	return cmp.Or(cmp.Compare(d.account, e.account), cmp.Compare(d.region, e.region), d.day.Compare(e.day), cmp.Compare(d.prefix, e.prefix))
}

// Find lists the log files under a prefix of a bucket: of all accounts and regions of
// the layout, or of those that the filter names. The prefix may end anywhere in or
// above the layout; folders that the filter excludes are not listed. It errs when the
// context ends, and with [ErrNoBucket] when nothing at all lies under the prefix; what
// else fails is a gap of the listing.
func Find(ctx context.Context, bucket Bucket, prefix string, filter Filter) (*Listing, error) {
	if prefix = strings.TrimPrefix(prefix, "/"); prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	f := &finder{Filter: filter, bucket: bucket, found: make(map[string]*folder), passed: make(map[string]int)}
	f.descend(ctx, prefix)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.listing()
}

// finder is one Find at work.
type finder struct {
	Filter
	bucket Bucket

	mu     sync.Mutex
	seen   int // objects and folders
	found  map[string]*folder
	passed map[string]int
	gaps   []snapshot.Gap
	files  int
	bytes  int64
}

// descend lists the prefix and all wanted folders below it, AtOnce at a time.
func (f *finder) descend(ctx context.Context, prefix string) {
	var (
		pending  sync.WaitGroup
		slots    = make(chan struct{}, max(1, cmp.Or(f.AtOnce, 8)))
		list     func(prefix string)
		maxDepth = strings.Count(prefix, "/") + 64
	)
	list = func(prefix string) {
		defer pending.Done()
		slots <- struct{}{}
		below := f.list(ctx, prefix, maxDepth)
		<-slots
		for _, p := range below {
			pending.Add(1)
			go list(p)
		}
	}
	pending.Add(1)
	list(prefix)
	pending.Wait()
}

// list reads one folder and returns those in it that are wanted.
func (f *finder) list(ctx context.Context, prefix string, maxDepth int) []string {
	var below []string
	for o, err := range f.bucket.List(ctx, prefix) {
		if err != nil {
			if ctx.Err() == nil {
				f.failed(prefix, snapshot.ImpactUsage, err)
			}
			break
		}
		if !strings.HasPrefix(o.Key, prefix) || o.Key == prefix { // S3 lists the folder's own marker
			continue
		}
		if o.Err != nil {
			f.failed(o.Key, snapshot.ImpactUsage, o.Err)
			continue
		}
		if strings.HasSuffix(o.Key, "/") {
			if why := f.unwanted(o.Key); why != "" {
				f.pass(why, 0)
			} else if strings.Count(o.Key, "/") > maxDepth {
				f.failed(o.Key, snapshot.ImpactUsage, &Error{Reason: snapshot.ReasonBroken, Err: errors.New("too many folders in one another")})
			} else {
				below = append(below, o.Key)
			}
			continue
		}
		f.object(o)
	}
	slices.Sort(below)
	return below
}

// object keeps a log file that is wanted.
func (f *finder) object(o Object) {
	file, kind := parse(o.Key)
	if kind == "" {
		kind = f.outside(&file)
	}
	if kind != "" {
		f.pass(kind, 1)
		if kind == foreign && file.Region != "" {
			f.failed(o.Key, snapshot.ImpactDetail, &Error{Reason: snapshot.ReasonBroken, Err: errors.New("not named like a log file of CloudTrail, and not read")})
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	name := o.Key[strings.LastIndexByte(o.Key, '/')+1:]
	id := file.Account + "/" + file.Region + file.Day.Format("/2006-01-02/") + o.Key[:len(o.Key)-len(name)]
	d := f.found[id]
	if d == nil {
		d = &folder{prefix: o.Key[:len(o.Key)-len(name)], account: file.Account, region: file.Region, day: file.Day}
		f.found[id] = d
	}
	d.names = append(d.names, name...)
	d.files = append(d.files, named{end: uint32(len(d.names)), size: o.Size})
	f.files++
	f.bytes += o.Size
	if f.Progress != nil && f.files%1000 == 0 {
		f.Progress(f.files, f.bytes)
	}
}

func (f *finder) pass(why string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	f.passed[why] += n
}

func (f *finder) failed(key string, impact snapshot.Impact, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	if len(f.gaps) < maxGaps {
		f.gaps = append(f.gaps, gapOf(f.Source, f.bucket.Name()+key, impact, err))
	}
}

// outside says why a file is not wanted, empty when it is.
func (f *finder) outside(file *File) string {
	switch {
	case len(f.Accounts) > 0 && !slices.Contains(f.Accounts, file.Account):
		return "another account"
	case len(f.Regions) > 0 && !slices.Contains(f.Regions, file.Region):
		return "another region"
	case !f.inWindow(file.Day, 24*time.Hour):
		return "outside of the window"
	case f.Skip != nil && f.Skip(file.Account, file.Region, file.Day):
		return "read from another source"
	}
	return ""
}

// inWindow reports whether files of a span of delivery days may hold calls of the
// window: calls are delivered on their own day or, late, on the one after.
func (f *finder) inWindow(from time.Time, span time.Duration) bool {
	w := f.Window
	if !w.From.IsZero() && !from.Add(span).After(w.From) {
		return false
	}
	return w.To.IsZero() || from.Before(w.To.Add(24*time.Hour))
}

func (f *finder) listing() (*Listing, error) {
	if f.seen == 0 {
		return nil, ErrNoBucket
	}
	l := &Listing{Source: f.Source, Files: f.files, Bytes: f.bytes, Passed: f.passed, Gaps: f.gaps, bucket: f.bucket}
	for _, d := range f.found {
		d.sort()
		l.folders = append(l.folders, *d)
	}
	slices.SortFunc(l.folders, func(a, b folder) int { return a.compare(&b) })
	if f.Progress != nil {
		f.Progress(f.files, f.bytes)
	}
	return l, nil
}

// sort orders the files by name; one that was listed twice is kept once.
func (d *folder) sort() {
	type entry struct {
		name string
		size int64
	}
	all := make([]entry, len(d.files))
	start := uint32(0)
	for i, n := range d.files {
		all[i], start = entry{string(d.names[start:n.end]), n.size}, n.end
	}
	slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	d.names, d.files = d.names[:0], d.files[:0]
	for i, e := range all {
		if i > 0 && e.name == all[i-1].name {
			continue
		}
		d.names = append(d.names, e.name...)
		d.files = append(d.files, named{end: uint32(len(d.names)), size: e.size})
	}
	d.names, d.files = slices.Clip(d.names), slices.Clip(d.files)
}
