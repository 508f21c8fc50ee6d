package collect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
)

// logPlace is a folder of log files of this account.
type logPlace struct {
	source string // of the evidence
	id     string // tells places apart whose source is the same
	bucket trailfiles.Bucket
	// prefix is where it begins, orgs says that the folders of organizations in it are
	// meant, hidden are the folders in it that are places of their own.
	prefix string
	orgs   bool
	hidden []string
	// trails are those that write here, where that is known.
	trails []*snapshot.Trail
	// copied files are another's choice: a day without any says nothing.
	copied bool
	// optional: it need not have anything.
	optional bool

	listing *trailfiles.Listing
	seen    *seenFolders
	// unlisted says that it could not be listed at all.
	unlisted bool
	days     map[string]map[time.Time]*logDay // by region, then the day of delivery
}

// logDay is what lies under one region and day of delivery.
type logDay struct {
	files            int
	unread           int // files, and the folder itself
	management, data int64
}

// scope is what coverage calls the place: as a trail names it, by bucket and prefix.
func (p *logPlace) scope() string {
	prefix := p.prefix
	if i := strings.Index("/"+prefix, "/AWSLogs/"); i >= 0 {
		prefix = prefix[:i]
	}
	return p.bucket.Name() + prefix
}

// same reports whether two places are the same folder.
func (p *logPlace) same(q *logPlace) bool {
	return p.bucket.Name() == q.bucket.Name() && p.prefix == q.prefix && p.orgs == q.orgs
}

func (p *logPlace) day(region string, day time.Time) *logDay {
	if p.days == nil {
		p.days = make(map[string]map[time.Time]*logDay)
	}
	if p.days[region] == nil {
		p.days[region] = make(map[time.Time]*logDay)
	}
	d := p.days[region][day]
	if d == nil {
		d = new(logDay)
		p.days[region][day] = d
	}
	return d
}

// places finds the folders that a run is to read.
func (r *run) places(ctx context.Context) ([]*logPlace, func()) {
	var (
		places []*logPlace
		close  []func()
		bucket = make(map[string]*logBucket)
	)
	in := func(name, region string) *logBucket {
		if bucket[name] == nil {
			bucket[name] = r.newLogBucket(name, region)
		}
		return bucket[name]
	}
	add := func(p *logPlace) {
		if i := slices.IndexFunc(places, p.same); i >= 0 {
			for _, t := range p.trails {
				if !slices.Contains(places[i].trails, t) {
					places[i].trails = append(places[i].trails, t)
				}
			}
			return
		}
		p.id = fmt.Sprintf("%s %d", p.source, len(places))
		places = append(places, p)
	}
	for _, s := range r.Logs {
		switch {
		case s.Dir != "":
			dir, err := trailfiles.OpenDir(s.Dir)
			if err != nil {
				r.missing(snapshot.Gap{Source: s.source(), Scope: s.Dir, Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonMissing, Detail: detail(err)})
				continue
			}
			close = append(close, func() { dir.Close() })
			p := &logPlace{source: s.source(), bucket: dir, copied: true}
			if t := r.onlyTrail(); t != nil {
				p.trails = []*snapshot.Trail{t}
			}
			add(p)
		case s.Bucket != "":
			rest := &logPlace{source: s.source(), bucket: in(s.Bucket, r.home), prefix: s.Prefix}
			for i := range r.trails {
				if p := r.placeOf(&r.trails[i], s.source(), in); p != nil && r.trails[i].Bucket == s.Bucket && p.within(s.Prefix, r.account.ID) {
					add(p)
					rest.hidden = append(rest.hidden, p.prefix)
					rest.optional = true
				}
			}
			add(rest)
		default:
			none := true
			for i := range r.trails {
				if p := r.placeOf(&r.trails[i], s.source(), in); p != nil {
					none = false
					add(p)
				}
			}
			if none {
				r.missing(snapshot.Gap{Source: s.source(), Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonMissing, Detail: "no trail is known that delivers to a bucket"})
			}
		}
	}
	return r.needed(places), func() {
		for _, c := range close {
			c()
		}
	}
}

// placeOf is the folder that a trail delivers this account's files to (AWS:
// get-and-view-cloudtrail-log-files); nil where it sees no region that is read. The
// name of the organization's folder is told by no operation.
func (r *run) placeOf(t *snapshot.Trail, source string, in func(name, region string) *logBucket) *logPlace {
	if t.Bucket == "" || !slices.ContainsFunc(r.read, t.Sees) {
		return nil
	}
	p := &logPlace{source: source, bucket: in(t.Bucket, t.HomeRegion), trails: []*snapshot.Trail{t}, orgs: t.Organization}
	if prefix := strings.Trim(t.KeyPrefix, "/"); prefix != "" {
		p.prefix = prefix + "/"
	}
	p.prefix += "AWSLogs/"
	if !t.Organization {
		p.prefix += r.account.ID + "/"
	}
	return p
}

// within reports whether all of a trail's folder lies under a prefix.
func (p *logPlace) within(prefix, account string) bool {
	if strings.HasPrefix(p.prefix, prefix) {
		return true
	}
	rest, below := strings.CutPrefix(prefix, p.prefix+"o-")
	if !p.orgs || !below {
		return false
	}
	_, rest, _ = strings.Cut(rest, "/")
	return strings.HasPrefix(account+"/", rest)
}

// onlyTrail is the trail that wrote all log files of this account there are, by
// elimination: the account shows it and no other, in every region. One that was
// deleted within the window has left the event of that, in Event history or in the
// files of this one, if it records all of them; see disown.
func (r *run) onlyTrail() *snapshot.Trail {
	if len(r.trails) != 1 || len(r.enabled) == 0 || r.Usage != UsageLookup && !(r.stands(&r.trails[0]) && r.trails[0].MultiRegion) {
		return nil
	}
	for _, region := range r.enabled {
		if !r.trailsKnown[region] {
			return nil
		}
	}
	return &r.trails[0]
}

// disown takes it back that a trail is known to be the writer of copied files: a trail
// was deleted within the window, and may have been.
func (l *logs) disown(usage []snapshot.Usage) {
	if !slices.ContainsFunc(usage, func(u snapshot.Usage) bool {
		return u.ChangesTrail() && u.EventName == "DeleteTrail" && u.ErrorCode == ""
	}) {
		return
	}
	for _, p := range l.places {
		if p.copied {
			p.trails = nil
		}
	}
}

// needed leaves out the places that tell nothing more: those whose trails record
// management events alone, which another source tells completely.
func (r *run) needed(places []*logPlace) []*logPlace {
	told := r.Usage == UsageLookup
	for _, p := range places {
		for _, t := range p.trails {
			told = told || !p.copied && r.stands(t) && t.MultiRegion && !t.StartedAt.After(r.window.From) &&
				!slices.ContainsFunc(r.read, func(region string) bool { return !healthy(t, region) })
		}
	}
	if !told {
		return places
	}
	return slices.DeleteFunc(places, func(p *logPlace) bool {
		return len(p.trails) > 0 && !p.copied && !slices.ContainsFunc(p.trails, func(t *snapshot.Trail) bool { return r.stands(t) || !managementOnly(t) })
	})
}

// stands reports whether a trail's files hold every management event of the regions
// that it sees: as analysis reads its selectors.
func (r *run) stands(t *snapshot.Trail) bool {
	return r.RecordsManagement != nil && r.RecordsManagement(t) && t.Account() == r.account.ID
}

// managementOnly reports whether a trail has no selector but of management events.
func managementOnly(t *snapshot.Trail) bool {
	return t.Known() &&
		!slices.ContainsFunc(t.Selectors, func(s snapshot.EventSelector) bool { return len(s.Data) > 0 }) &&
		!slices.ContainsFunc(t.Advanced, func(s snapshot.AdvancedSelector) bool {
			return !slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
				return f.Field == "eventCategory" && slices.Equal(f.Equals, []string{"Management"})
			})
		})
}

// healthy reports whether a trail says that it delivers all that it records of a region.
// Of another region than its own it may never have had anything to deliver.
// Source: AWS CloudTrail API_GetTrailStatus ("from a single Region").
func healthy(t *snapshot.Trail, region string) bool {
	home, here := t.StatusIn(t.HomeRegion), t.StatusIn(region)
	return home != nil && here != nil && home.Logging && here.Logging && !home.DeliveredAt.IsZero() && here.DeliveryError == ""
}

// narrowed shows of a bucket what belongs to a place, and remembers the folders that
// it has shown and those that could not be listed.
type narrowed struct {
	trailfiles.Bucket
	place *logPlace
	seen  *seenFolders
}

// seenFolders are the folders of a place.
type seenFolders struct {
	mu     sync.Mutex
	shown  map[string]bool
	broken map[string]bool
}

// List lists a folder of the place.
func (n *narrowed) List(ctx context.Context, prefix string) iter.Seq2[trailfiles.Object, error] {
	return func(yield func(trailfiles.Object, error) bool) {
		for o, err := range n.Bucket.List(ctx, prefix) {
			if err != nil && !errors.Is(err, context.Canceled) {
				n.seen.mu.Lock()
				n.seen.broken[prefix] = true
				n.seen.mu.Unlock()
			}
			if err == nil {
				if slices.ContainsFunc(n.place.hidden, func(h string) bool { return strings.HasPrefix(o.Key, h) }) ||
					n.place.orgs && prefix == n.place.prefix && !strings.HasPrefix(o.Key, prefix+"o-") {
					continue
				}
				if strings.HasSuffix(o.Key, "/") {
					n.seen.mu.Lock()
					n.seen.shown[o.Key] = true
					n.seen.mu.Unlock()
				}
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// dated reads the region and the days of a folder of log files: those of a year, a
// month or a day. A folder above these has no region, or no days.
func dated(prefix string) (region string, from, to time.Time) {
	folders := strings.Split(strings.TrimSuffix(prefix, "/"), "/")
	i := len(folders) - 1
	for i >= 0 && folders[i] != "CloudTrail" {
		i--
	}
	rest := folders[i+1:]
	if i < 0 || len(rest) == 0 || len(rest) > 4 {
		return "", time.Time{}, time.Time{}
	}
	region, rest = rest[0], rest[1:]
	if len(rest) == 0 {
		return region, time.Time{}, time.Time{}
	}
	from, err := time.Parse("2006/01/02"[:4+3*(len(rest)-1)], strings.Join(rest, "/"))
	if err != nil {
		return region, time.Time{}, time.Time{}
	}
	switch len(rest) {
	case 1:
		to = from.AddDate(1, 0, 0)
	case 2:
		to = from.AddDate(0, 1, 0)
	default:
		to = from.AddDate(0, 0, 1)
	}
	return region, from, to
}
