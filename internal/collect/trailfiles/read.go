package trailfiles

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"sync"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles/gunzip"
)

func (l Limits) defaults() Limits {
	l.Record = cmp.Or(l.Record, 4<<20)
	l.Depth = min(cmp.Or(l.Depth, 1000), 9000)
	l.File = cmp.Or(l.File, 512<<20)
	l.Events = cmp.Or(l.Events, 200_000)
	l.Objects = cmp.Or(l.Objects, 1000)
	l.Groups = cmp.Or(l.Groups, 100_000)
	l.Names = min(cmp.Or(l.Names, 25_000), l.Groups)
	l.Gaps = cmp.Or(l.Gaps, maxGaps)
	return l
}

// Read reads the files of all listings and returns what they tell: each call once,
// whichever listing it was delivered to; of several the first listing's evidence
// counts. It errs only when the context ends, and gives what was read until then: Files
// of the result says of how many files. The same files give the same result, whatever the
// number of workers.
func Read(ctx context.Context, listings []*Listing, o Options) (*Result, error) {
	o.Limits = o.Limits.defaults()
	r := &reading{Options: o, roles: newRoles(o.Roles), days: make(map[dayKey]*Day), waiting: make(map[uint32]*ended), named: make(map[string]int), untold: make(map[string]int)}
	r.turn.L = &r.mu
	sources := make([]string, len(listings))
	for i, l := range listings {
		sources[i] = l.Source
		r.progress.Files += l.Files
		r.progress.Bytes += l.Bytes
	}
	if len(listings) > 250 {
		return nil, errors.New("trailfiles: more than 250 listings")
	}
	r.aggregate = newAggregate(o.Limits, sources)

	// Files are handed out one after another, so that the one whose turn it is to be
	// added is always at work or next.
	next, stop := iter.Pull(files(listings))
	defer stop()
	var (
		handing sync.Mutex
		number  uint32
		workers sync.WaitGroup
	)
	for range max(1, cmp.Or(o.Workers, runtime.GOMAXPROCS(0))) {
		workers.Go(func() {
			w := r.worker()
			for {
				// A file that was handed out is read, whatever happens: others wait for it.
				if ctx.Err() != nil {
					return
				}
				handing.Lock()
				f, ok := next()
				n := number
				number++
				handing.Unlock()
				if !ok {
					return
				}
				w.read(ctx, f, n)
			}
		})
	}
	workers.Wait()
	r.tell(true)
	return r.result(), ctx.Err()
}

// queued is a file with the number of its listing.
type queued struct {
	File
	listing int
}

// files yields the files of all listings by account, region, day and name.
func files(listings []*Listing) iter.Seq[queued] {
	type part struct {
		folder  *folder
		listing int
	}
	var parts []part
	for i, l := range listings {
		for j := range l.folders {
			parts = append(parts, part{&l.folders[j], i})
		}
	}
	slices.SortStableFunc(parts, func(a, b part) int { return a.folder.compare(b.folder) })
	return func(yield func(queued) bool) {
		for _, p := range parts {
			for f := range p.folder.each(listings[p.listing]) {
				if !yield(queued{f, p.listing}) {
					return
				}
			}
		}
	}
}

type dayKey struct {
	listing         int
	account, region string
	day             time.Time
}

// reading is one Read at work.
type reading struct {
	Options
	roles roles

	mu        sync.Mutex
	turn      sync.Cond
	now       uint32 // the file whose turn it is
	waiting   map[uint32]*ended
	aggregate *aggregate
	days      map[dayKey]*Day
	total     Result
	named     map[string]int // gaps, by source
	untold    map[string]int // those past the limit

	waitingCalls int

	telling  sync.Mutex
	progress Progress
	told     time.Time
}

// worker reads one file at a time.
type worker struct {
	*reading
	scanner *scanner
	zip     gunzip.Reader
	buffer  *bufio.Reader
	batch   []found
}

// batchSize is how many calls a worker holds before it waits for its turn.
const batchSize = 4096

func (r *reading) worker() *worker {
	return &worker{reading: r, scanner: newScanner(r.roles, r.Sources, r.Limits), buffer: bufio.NewReaderSize(nil, 4<<10)}
}

// read reads a file and adds what it tells, in its turn.
func (w *worker) read(ctx context.Context, f queued, number uint32) {
	r := &report{keep: func(record *snapshot.Record, key *snapshot.UseKey) {
		if at := record.EventTime; w.inWindow(at) && w.Keep(key, at) {
			w.batch = append(w.batch, foundIn(f.listing, record, key))
			if len(w.batch) >= batchSize {
				w.add(number)
			}
		}
	}}
	counter := &counter{worker: w}
	w.scanner.reset(nil)
	body, err := f.Bucket.Open(ctx, f.Key)
	if err != nil {
		r.stop(err)
	} else {
		counter.from = body
		w.scan(counter, r)
		body.Close()
	}
	w.finish(f, number, r)
	w.done(f.Size - counter.read)
}

// inWindow reports whether calls of the time are asked for.
func (r *reading) inWindow(at time.Time) bool {
	return (r.Window.From.IsZero() || !at.Before(r.Window.From)) && (r.Window.To.IsZero() || at.Before(r.Window.To))
}

// scan reads the text of a file: gzip, in one member or several, or plain, as some
// tools store what they fetched.
func (w *worker) scan(from io.Reader, r *report) {
	w.buffer.Reset(from)
	head, err := w.buffer.Peek(2)
	if err != nil && err != io.EOF {
		r.stop(err)
		return
	}
	if string(head) != "\x1f\x8b" {
		w.scanner.reset(plain{w.buffer})
	} else {
		w.zip.Reset(w.buffer)
		w.scanner.reset(&w.zip)
	}
	w.scanner.file(r)
}

// ended is a file that was read, on its way into the result.
type ended struct {
	file        queued
	report      *report
	calls       []found
	first, last time.Time
	text        int64
}

// The files that were read before their turn came: so many, with so many calls.
const (
	maxWaiting      = 64
	maxWaitingCalls = 4 * batchSize
)

// add hands the calls of an unfinished file over, when all files before it have been.
func (w *worker) add(number uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.now != number {
		w.turn.Wait()
	}
	w.take(w.batch, number)
	clear(w.batch)
	w.batch = w.batch[:0]
}

// finish hands a file over. Where it is not its turn it waits, and the worker does not,
// unless too much waits.
func (w *worker) finish(f queued, number uint32, r *report) {
	e := &ended{file: f, report: r, text: w.scanner.read}
	e.first, e.last = w.scanner.clock.span()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.now != number && (len(w.waiting) >= maxWaiting || w.waitingCalls+len(w.batch) > maxWaitingCalls) {
		w.turn.Wait()
	}
	if w.now != number {
		e.calls = slices.Clone(w.batch)
		w.waiting[number] = e
		w.waitingCalls += len(e.calls)
	} else {
		e.calls = w.batch
		w.pass(e)
		for next := w.waiting[w.now]; next != nil; next = w.waiting[w.now] {
			delete(w.waiting, w.now)
			w.waitingCalls -= len(next.calls)
			w.pass(next)
		}
		w.turn.Broadcast()
	}
	clear(w.batch)
	w.batch = w.batch[:0]
}

func (r *reading) take(calls []found, number uint32) {
	for i := range calls {
		r.aggregate.add(&calls[i], number)
	}
}

// pass adds a file to the result, in its turn, and gives the turn to the next one.
func (r *reading) pass(e *ended) {
	r.take(e.calls, r.now)
	f := e.file
	key := dayKey{f.listing, f.Account, f.Region, f.Day}
	d := r.days[key]
	if d == nil {
		d = &Day{Source: f.Source, Account: f.Account, Region: f.Region, Day: f.Day}
		r.days[key] = d
	}
	d.Files++
	d.Records += e.report.records
	d.Management += e.report.classes[classManagement]
	d.Data += e.report.classes[classData]
	d.Other += e.report.classes[classOther]
	if !e.first.IsZero() {
		if d.First.IsZero() || e.first.Before(d.First) {
			d.First = e.first
		}
		if e.last.After(d.Last) {
			d.Last = e.last
		}
	}
	t := &r.total
	t.Files++
	t.Stored += f.Size
	t.Bytes += e.text
	t.Records += e.report.records
	t.Candidates += e.report.candidates
	if err := e.report.err(); err != nil {
		d.Unread++
		if r.named[f.Source]++; r.named[f.Source] <= r.Limits.Gaps {
			t.Gaps = append(t.Gaps, gapOf(f.Source, f.Path(), snapshot.ImpactUsage, err))
		} else {
			r.untold[f.Source]++
		}
	}
	r.now++
}

// counter counts what is read of a file, for the progress.
type counter struct {
	*worker
	from io.Reader
	read int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.from.Read(b)
	c.read += int64(n)
	c.telling.Lock()
	c.progress.BytesDone += int64(n)
	c.telling.Unlock()
	c.tell(false)
	return n, err
}

// done adds a file that has ended: what was not read of it will not be.
func (w *worker) done(rest int64) {
	w.telling.Lock()
	w.progress.FilesDone++
	w.progress.BytesDone += rest
	w.telling.Unlock()
	w.tell(false)
}

// tell tells the progress, five times a second at most.
func (r *reading) tell(last bool) {
	if r.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	if now := time.Now(); last || now.Sub(r.told) >= 200*time.Millisecond {
		r.told = now
		r.Progress(r.progress)
	}
}

// result puts all together.
func (r *reading) result() *Result {
	t, a := &r.total, r.aggregate
	t.Kept, t.Duplicates, t.Forgotten, t.Dropped = a.unique, a.duplicates, a.forgotten, a.dropped
	a.end()
	t.groups, t.Collapsed = a, a.collapsed()
	for _, d := range r.days {
		t.Days = append(t.Days, *d)
	}
	slices.SortFunc(t.Days, func(a, b Day) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), a.Day.Compare(b.Day))
	})
	for source, n := range r.untold {
		t.Gaps = append(t.Gaps, gapOf(source, "", snapshot.ImpactUsage, fmt.Errorf("%d more files could not be read, or not to their end", n)))
	}
	if t.Dropped > 0 {
		t.Gaps = append(t.Gaps, snapshot.Gap{Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonLimit, Source: a.sources[0],
			Detail: fmt.Sprintf("%d calls are left out: there are more than %d kinds of them", t.Dropped, r.Limits.Groups)})
	}
	if t.Forgotten > 0 {
		t.Gaps = append(t.Gaps, snapshot.Gap{Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonLimit, Source: a.sources[0],
			Detail: fmt.Sprintf("the ids of %d of the %d calls were forgotten on the way: one that was delivered again long after counts twice", t.Forgotten, t.Kept)})
	}
	slices.SortFunc(t.Gaps, func(a, b snapshot.Gap) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Impact, b.Impact), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
	return t
}
