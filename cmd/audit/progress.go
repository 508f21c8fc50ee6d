package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// progress shows on a terminal how far collecting has come: a line a source,
// its counts summed over the regions. What is written to it appears above.
type progress struct {
	bars   *mpb.Progress
	to     time.Time     // the end of the usage window
	window time.Duration // its length

	lines []*mpb.Bar

	mu      sync.Mutex
	sources map[string]map[string]collect.Status // by source and region
	clock   func() time.Time
	rates   map[string]*pace // of log files, by source
}

// pace is how fast log files have been read.
type pace struct {
	began, at time.Time
	bytes     int64
}

type sourceName struct{ source, name string }

// sourceNames are the sources as people call them; their order is that of the lines.
var sourceNames = []sourceName{
	{snapshot.SourceRegions, "regions"},
	{snapshot.SourceTrainingJobs, "training jobs"},
	{snapshot.SourceRoles, "roles"},
	{snapshot.SourceTrails, "trails"},
	{snapshot.SourceLookup, "events"},
	{snapshot.SourceTrail, "log files"},
	{snapshot.SourceBucket, "log files"},
	{snapshot.SourceFolder, "log files"},
	{snapshot.SourceLastAccessed, "last accessed"},
	{snapshot.SourceBuckets, "bucket policies"},
	{snapshot.SourceKeys, "key policies"},
}

func newProgress(stderr io.Writer, now time.Time, window time.Duration) *progress {
	return &progress{
		bars:    mpb.New(mpb.WithOutput(stderr), mpb.WithAutoRefresh()),
		to:      now,
		window:  window,
		sources: make(map[string]map[string]collect.Status),
		clock:   time.Now,
		rates:   make(map[string]*pace),
	}
}

// show takes in where a source stands. One goroutine at a time may call it.
func (p *progress) show(s collect.Status) {
	if !p.note(s) {
		return
	}
	// Not under the lock: rendering takes it, and mpb renders while it adds.
	order := slices.IndexFunc(sourceNames, func(n sourceName) bool { return n.source == s.Source })
	p.lines = append(p.lines, p.bars.New(1, mpb.NopStyle(), mpb.BarPriority(order),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return p.line(s.Source) }))))
}

// note keeps a status and reports whether it is the first of its source.
func (p *progress) note(s collect.Status) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	regions, known := p.sources[s.Source]
	if !known {
		regions = make(map[string]collect.Status)
		p.sources[s.Source] = regions
	}
	regions[s.Region] = s
	if s.AllFiles > 0 && s.Region == "" {
		r := p.rates[s.Source]
		if r == nil || s.Bytes < r.bytes { // the first of a reading
			r = &pace{began: p.clock()}
			p.rates[s.Source] = r
		}
		r.at, r.bytes = p.clock(), s.Bytes
	}
	return !known
}

// logLine is what is shown of log files: "log files  1,204 of 26,310, 1.2 of 24.8 GB, about 12 min left".
// While they are being listed nobody knows how many there will be.
func (p *progress) logLine(source string) string {
	var found collect.Status
	for region, s := range p.sources[source] {
		if region != "" {
			found.AllFiles, found.AllBytes = found.AllFiles+s.AllFiles, found.AllBytes+s.AllBytes
		}
	}
	s, reading := p.sources[source][""]
	if !reading {
		return fmt.Sprintf("%-14s %9s  found, %s", "log files", thousands(found.AllFiles), size(found.AllBytes))
	}
	text := fmt.Sprintf("%-14s %9s  of %s, %s of %s", "log files", thousands(s.Files), thousands(s.AllFiles), size(s.Bytes), size(s.AllBytes))
	if left, known := p.rates[source].left(s); known && !s.Done {
		text += ", about " + roughly(left) + " left"
	}
	return text
}

// left is the time that the rest takes at the pace so far, once that says something:
// after five seconds and a hundredth of the bytes.
func (r *pace) left(s collect.Status) (time.Duration, bool) {
	spent := r.at.Sub(r.began)
	if spent < 5*time.Second || s.Bytes < s.AllBytes/100 || s.Bytes == 0 {
		return 0, false
	}
	return time.Duration(float64(spent) * float64(s.AllBytes-s.Bytes) / float64(s.Bytes)), true
}

// roughly writes a time that is only an estimate.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(1, int(d.Seconds()+0.5)))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// size writes bytes as people read them.
func size(n int64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// line is what is shown of a source: "events  12,345 in 3 of 17 regions, 41% of the window".
func (p *progress) line(source string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if snapshot.IsLogFiles(source) {
		return p.logLine(source)
	}
	var (
		name    = source
		items   int
		done    int
		covered time.Duration
		regions = p.sources[source]
	)
	for _, n := range sourceNames {
		if n.source == source {
			name = n.name
		}
	}
	for _, s := range regions {
		items += s.Items
		switch {
		case s.Done:
			done++
			covered += p.window
		case !s.Covered.IsZero():
			covered += min(max(p.to.Sub(s.Covered), 0), p.window)
		}
	}
	text := fmt.Sprintf("%-14s %9s", name, thousands(items))
	if _, global := regions[""]; !global {
		text += fmt.Sprintf("  in %d of %d regions", done, len(regions))
	}
	if source == snapshot.SourceLookup && p.window > 0 {
		share := float64(covered) / float64(p.window) / float64(len(regions))
		text += fmt.Sprintf(", %.0f%% of %s", 100*share, span(p.window))
	}
	return text
}

// Write prints above the lines.
func (p *progress) Write(b []byte) (int, error) { return p.bars.Write(b) }

// close shows the lines a last time and leaves them where they are.
func (p *progress) close() {
	for _, line := range p.lines {
		line.Abort(false) // a source that failed is never done, and mpb would wait for it
	}
	p.bars.Wait()
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	digits := fmt.Sprint(n)
	var parts []string
	for len(digits) > 3 {
		parts = append(parts, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	parts = append(parts, digits)
	slices.Reverse(parts)
	return strings.Join(parts, ",")
}
