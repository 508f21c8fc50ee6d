package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
)

// logs is the usage that log files tell.
//
// Of one region, class of events and time one source counts. Management events are
// counted from log files where these stand for all of them, and from Event history
// elsewhere, if that was asked as well: the two part at a point of time, so nothing
// counts twice. Of what several trails have delivered, each event counts once, by
// its id.
type logs struct {
	*run
	places []*logPlace
	close  func()

	// managed are the times, by region, whose management events are taken from files.
	managed map[string][]snapshot.Window
	// scan is what the last reading of each region told.
	mu      sync.Mutex
	doubted map[string]bool // regions whose files cannot be all of them
	created map[string]int  // CreateTrainingJob events by region, of management events taken from files
	passed  map[string]bool // role ARNs that CreateTrainingJob was given
	former  *scope          // of the reading
	usage   []snapshot.Usage
	gaps    []snapshot.Gap
	scanned bool // the files were read
	failed  bool // a reading did not come to its end
}

// workersOfS3 is how many objects are read at the same time: a request waits for S3
// longer than its bytes take.
const workersOfS3 = 16

func (r *run) newLogs(ctx context.Context) *logs {
	l := &logs{run: r, close: func() {}, managed: make(map[string][]snapshot.Window), doubted: make(map[string]bool), created: make(map[string]int), passed: make(map[string]bool)}
	if r.account.ID == "" {
		l.lost(ctx, r.Logs[0].source(), "", broken("which account this is could not be told, nor which log files are its own"))
		return l
	}
	l.places, l.close = r.places(ctx)
	return l
}

// lost records that a source was not read.
func (l *logs) lost(ctx context.Context, source, scope string, err error) {
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	l.missing(snapshot.Gap{Source: source, Scope: scope, Impact: snapshot.ImpactUsage, Reason: reason(err), Detail: detail(err)})
}

// find lists the files of all places.
func (l *logs) find(ctx context.Context) {
	for _, p := range l.places {
		if p.listing = l.list(ctx, p, l.read); p.listing != nil {
			for f := range p.listing.Each() {
				p.day(f.Region, f.Day).files++
			}
		}
	}
	l.plan(nil)
}

// broken records the folders of a list that could not be listed: what lies under the
// days that they may hold is not all known.
func (l *logs) broken(p *logPlace, listing *trailfiles.Listing, seen *seenFolders) {
	for _, g := range listing.Gaps {
		if g.Source = p.source; !slices.Contains(l.gaps, g) {
			l.gaps = append(l.gaps, g)
		}
	}
	first, last := startOfDay(l.window.From), startOfDay(l.window.To).AddDate(0, 0, 2)
	for prefix := range seen.broken {
		region, from, to := dated(prefix)
		if from.IsZero() {
			from, to = first, last
		}
		for _, name := range l.read {
			if region != "" && region != name {
				continue
			}
			for day := later(from, first); day.Before(earlier(to, last)); day = day.AddDate(0, 0, 1) {
				p.day(name, day).unread++
			}
		}
	}
}

// list lists the files of a place and of some regions; nil where there are none.
func (l *logs) list(ctx context.Context, p *logPlace, regions []string) *trailfiles.Listing {
	seen := &seenFolders{shown: make(map[string]bool), broken: make(map[string]bool)}
	if p.seen == nil {
		p.seen = seen
	}
	listing, err := trailfiles.Find(ctx, &narrowed{p.bucket, p, seen}, p.prefix, trailfiles.Filter{
		Source: p.id, Accounts: []string{l.account.ID}, Regions: regions, Window: l.window, AtOnce: workersOfS3,
		Progress: func(files int, bytes int64) {
			l.tell(Status{Source: p.source, Region: p.scope(), AllFiles: files, AllBytes: bytes, Note: "listing"})
		},
	})
	switch {
	case errors.Is(err, trailfiles.ErrNoBucket):
		p.unlisted = true
		if !p.optional {
			l.missing(snapshot.Gap{Source: p.source, Scope: p.scope(), Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonMissing, Detail: "nothing lies there"})
		}
		return nil
	case err != nil:
		p.unlisted = true
		l.lost(ctx, p.source, p.scope(), err)
		return nil
	}
	l.broken(p, listing, seen)
	return listing
}

// plan says of which times the management events are taken from files. Where Event
// history is not asked, these are all.
func (l *logs) plan(usage []snapshot.Usage) {
	for _, region := range l.read {
		if l.Usage != UsageLookup {
			l.managed[region] = []snapshot.Window{l.window}
			continue
		}
		l.managed[region] = l.claimed(region, usage)
	}
}

// claimed are the times whose management events files tell completely.
func (l *logs) claimed(region string, usage []snapshot.Usage) []snapshot.Window {
	var told []snapshot.Window
	for _, p := range l.places {
		for _, t := range p.trails {
			if l.stands(t) && t.Sees(region) {
				told = append(told, since(l.managementDays(p, region, t), t.ChangedAt(usage))...)
			}
		}
	}
	return snapshot.Union(told...)
}

// since cuts windows at the time of a change.
func since(windows []snapshot.Window, change time.Time) []snapshot.Window {
	if change.IsZero() {
		return windows
	}
	var out []snapshot.Window
	for _, w := range windows {
		if change.After(w.From) {
			w.From = change
		}
		if !w.Empty() {
			out = append(out, w)
		}
	}
	return out
}

// left are the times, by region, whose management events files do not tell.
func (l *logs) left(region string) []snapshot.Window { return l.window.Without(l.managed[region]...) }

// scan reads the files: the calls that concern the roles in scope, and every
// CreateTrainingJob event. Where less of the management events turns out to be told
// than was planned, and Event history is asked for the rest, the region is read again
// for the rest of its events: what was counted cannot be taken back.
func (l *logs) scan(ctx context.Context, scope *scope, expected func(region string, in []snapshot.Window) int) {
	l.former = scope
	l.take(ctx, nil, l.keeping(scope), scope.roles)
	if len(l.places) == 0 || ctx.Err() != nil {
		return
	}
	planned := maps.Clone(l.managed)
	l.disown(l.usage)
	for _, region := range l.read {
		l.doubt(region, expected(region, l.claimed(region, l.usage)))
	}
	l.plan(l.usage)
	if l.Usage != UsageLookup {
		return
	}
	if l.failed { // Event history tells all of them
		l.usage = slices.DeleteFunc(l.usage, func(u snapshot.Usage) bool { return u.Category != "Data" })
		return
	}
	var again []string
	for _, region := range l.read {
		if !slices.Equal(planned[region], l.managed[region]) {
			again = append(again, region)
		}
	}
	if len(again) > 0 {
		l.usage = slices.DeleteFunc(l.usage, func(u snapshot.Usage) bool { return slices.Contains(again, u.Region) })
		l.take(ctx, again, l.keeping(scope), scope.roles)
	}
}

// doubt records log files that cannot be all of the region's: a job that was created
// has its CreateTrainingJob event (AWS: sagemaker logging-using-cloudtrail), and of so
// many jobs there is none.
func (l *logs) doubt(region string, jobs int) {
	if jobs == 0 || l.created[region] > 0 || l.failed {
		return
	}
	l.doubted[region] = true
	l.missing(snapshot.Gap{Source: l.places[0].source, Region: region, Scope: "management events", Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonShort,
		Detail: fmt.Sprintf("the log files hold no CreateTrainingJob event, and %d training jobs were created within the time they cover", jobs)})
}

// keeping decides about records: the calls that concern the scope and, whoever made
// them, those of CreateTrainingJob, of the management events that files tell.
func (l *logs) keeping(scope *scope) func(*snapshot.UseKey, time.Time) bool {
	managed := maps.Clone(l.managed)
	return func(k *snapshot.UseKey, at time.Time) bool {
		if k.Category != "Data" && !inAny(managed[k.Region], at) {
			return false
		}
		if k.EventSource == sageMakerEvents && k.EventName == createTrainingJob {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.created[k.Region]++
			if roleARN.MatchString(k.Params.RoleARN) && l.asked(k.Params.RoleARN) {
				l.passed[k.Params.RoleARN] = true
			}
			return true
		}
		return scope.concerns(k)
	}
}

const sageMakerEvents = "sagemaker.amazonaws.com"

// decoded are the event sources of which every record is looked at: changes of what
// roles are granted and of what trails record, and CreateTrainingJob.
var decoded = []string{"cloudtrail.amazonaws.com", "iam.amazonaws.com", sageMakerEvents}

// more reads the files again for roles that came into scope by a CreateTrainingJob
// event alone: their own calls were not kept.
func (l *logs) more(ctx context.Context, scope *scope) {
	former := l.former
	managed := maps.Clone(l.managed)
	l.take(ctx, nil, func(k *snapshot.UseKey, at time.Time) bool {
		if k.Category != "Data" && !inAny(managed[k.Region], at) || k.EventSource == sageMakerEvents && k.EventName == createTrainingJob {
			return false
		}
		return scope.concerns(k) && !former.concerns(k)
	}, scope.roles)
}

// take reads the files of some regions, or of all (nil), and adds what is kept.
func (l *logs) take(ctx context.Context, regions []string, keep func(*snapshot.UseKey, time.Time) bool, roles map[string]bool) {
	var listings []*trailfiles.Listing
	for _, p := range l.places {
		if p.listing == nil {
			continue
		}
		listing := p.listing
		if regions != nil {
			listing = l.list(ctx, p, regions)
		}
		if listing != nil {
			listings = append(listings, listing)
		}
	}
	if len(listings) == 0 {
		return
	}
	o := trailfiles.Options{Roles: roles, Sources: decoded, Keep: keep, Window: l.window, Progress: l.progress(listings)}
	if l.readsLogObjects() {
		o.Workers = workersOfS3
	}
	result, err := trailfiles.Read(ctx, listings, o)
	if err != nil {
		l.failed = true
		l.lost(ctx, l.places[0].source, unread(listings, result), err)
	}
	if result == nil {
		return
	}
	l.scanned = true
	l.failed = l.failed || result.Dropped > 0 // what was dropped may be what alone shows a use
	byID := make(map[string]*logPlace)
	for _, p := range l.places {
		byID[p.id] = p
	}
	l.usage = slices.Grow(l.usage, result.Groups())
	for u := range result.Usage() {
		if p := byID[u.Source]; p != nil {
			u.Source = p.source
		}
		l.usage = append(l.usage, u)
	}
	for _, g := range result.Gaps {
		if p := byID[g.Source]; p != nil {
			g.Source = p.source
		}
		if !slices.Contains(l.gaps, g) {
			l.gaps = append(l.gaps, g)
		}
	}
	for _, d := range result.Days {
		if p := byID[d.Source]; p != nil && d.Account == l.account.ID {
			day := p.day(d.Region, d.Day)
			day.unread = max(day.unread, d.Unread)
			day.management, day.data = d.Management+d.Other, d.Data
		}
	}
	l.told(result)
}

// unread says how many of the files that are listed a reading did not come to.
func unread(listings []*trailfiles.Listing, result *trailfiles.Result) string {
	if result == nil {
		return ""
	}
	files := 0
	for _, listing := range listings {
		files += listing.Files
	}
	return fmt.Sprintf("%d of %d log files", files-result.Files, files)
}

// told records which names a reading had to give up to stay within its bounds.
func (l *logs) told(result *trailfiles.Result) {
	for _, c := range result.Collapsed {
		what, prefixes := "names", "1 prefix"
		if c.Bucket != "" {
			what = "objects of " + c.Bucket
		}
		if c.Prefixes != 1 {
			prefixes = fmt.Sprintf("%d prefixes", c.Prefixes)
		}
		l.gaps = append(l.gaps, snapshot.Gap{Source: l.places[0].source, Region: c.Region, Scope: cmp.Or(c.Role.ARN, c.Caller), Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonLimit,
			Detail: fmt.Sprintf("%d calls of %s (%s) on more than %d %s are kept by what the names begin with: %s", c.Calls, c.EventName, c.EventSource, c.Objects-1, what, prefixes)})
	}
}

// progress tells how far the reading is.
func (l *logs) progress(listings []*trailfiles.Listing) func(trailfiles.Progress) {
	source := l.places[0].source
	return func(p trailfiles.Progress) {
		l.tell(Status{Source: source, Files: p.FilesDone, AllFiles: p.Files, Bytes: p.BytesDone, AllBytes: p.Bytes,
			Done: p.FilesDone == p.Files, Note: "reading"})
	}
}
