package collect

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// covered are the times within a window whose events the files of a place tell, of a
// region and of one of the trails that write there (nil where these are not known).
//
// A file lies under the day of its delivery, which is the day of its events or, late,
// the next (AWS: get-and-view-cloudtrail-log-files): so a day is told where the files
// of both days were read. CloudTrail writes no file where nothing happened. That a day
// without files is such a day is said only of a trail whose status tells that it logs
// and delivers, and within the days whose files the bucket still has: a lifecycle rule
// takes the oldest.
func (p *logPlace) covered(region string, t *snapshot.Trail, window snapshot.Window) []snapshot.Window {
	if p.unlisted || p.listing == nil {
		return nil
	}
	kept := p.keptSince()
	told := func(day time.Time) bool {
		d := p.days[region][day]
		if d != nil && d.unread > 0 {
			return false
		}
		if d != nil && d.files > 0 {
			return true
		}
		return t != nil && !p.copied && healthy(t, region) && !kept.IsZero() && !day.Before(kept)
	}
	var days []snapshot.Window
	for day := startOfDay(window.From); day.Before(window.To); day = day.AddDate(0, 0, 1) {
		if next := day.AddDate(0, 0, 1); told(day) && told(next) {
			days = append(days, snapshot.Window{From: day, To: next}.Intersect(window))
		}
	}
	if t != nil {
		logging := snapshot.Window{From: t.StartedAt, To: window.To}
		switch status := t.StatusIn(region); {
		case status == nil:
		case !status.Logging:
			logging.To = status.StoppedAt
		case status.DeliveryError != "":
			logging.To = startOfDay(status.DeliveredAt)
		}
		for i := range days {
			days[i] = days[i].Intersect(logging)
		}
	}
	return snapshot.Union(days...)
}

// aggregated reports whether the trail also delivers summaries of data events: whether
// each event is still recorded by itself then, AWS does not say.
// Source: AWS aggregating-data-events.
func (p *logPlace) aggregated() bool {
	for prefix := range p.seen.shown {
		if strings.HasSuffix(prefix, "/CloudTrail-Aggregated/") {
			return true
		}
	}
	return false
}

// keptSince is the first day, at the latest, of which the place still has files.
func (p *logPlace) keptSince() time.Time {
	var first time.Time
	note := func(day time.Time) {
		if first.IsZero() || day.Before(first) {
			first = day
		}
	}
	for _, days := range p.days {
		for day, d := range days {
			if d.files > 0 {
				note(day)
			}
		}
	}
	// The list of a month shows days that were not asked for, that of a region its years.
	for prefix := range p.seen.shown {
		if _, _, to := dated(prefix); !to.IsZero() {
			note(to.AddDate(0, 0, -1))
		}
	}
	return first
}

// settle records coverage and gaps. It comes last: what Event history tells of changes
// of the trails counts as well.
func (l *logs) settle() {
	l.disown(l.usage)
	l.disown(l.used)
	for _, g := range l.gaps {
		l.missing(g)
	}
	for _, p := range l.places {
		if p.seen != nil && p.aggregated() {
			l.missing(snapshot.Gap{Source: p.source, Scope: p.scope(), Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonShort,
				Detail: "the trail delivers summaries of data events (CloudTrail-Aggregated): whether each event is recorded beside them is not documented, so none is taken to have been seen"})
		}
	}
	for _, region := range l.read {
		var told []snapshot.Window
		for _, p := range l.places {
			if p.unlisted || p.listing == nil {
				continue
			}
			writers := p.trails
			if len(writers) == 0 {
				writers = []*snapshot.Trail{nil}
			}
			for i, t := range writers {
				if t != nil && !t.Sees(region) {
					continue
				}
				told = append(told, l.coverPlace(p, region, t, i == 0)...)
			}
		}
		l.untold(region, told)
	}
}

// coverPlace records what a place tells of a region, by class of events, and returns
// the times whose management events it tells.
func (l *logs) coverPlace(p *logPlace, region string, t *snapshot.Trail, first bool) []snapshot.Window {
	days := p.covered(region, t, l.window)
	if l.failed {
		days = nil
	}
	var management, data int64
	if first {
		for _, d := range p.days[region] {
			management, data = management+d.management, data+d.data
		}
	}
	row := snapshot.Coverage{Source: p.source, Region: region, Scope: p.scope()}
	if t != nil {
		row.Trail = t.ARN
	}
	add := func(windows []snapshot.Window, asked []snapshot.Window, items int64, classes ...string) {
		row.EventClasses = classes
		var rest []snapshot.Window
		for _, a := range asked {
			rest = append(rest, a.Without(windows...)...)
		}
		for i, w := range slices.Concat(windows, rest) {
			c := row
			c.Asked, c.Items = w, 0
			if i == 0 {
				c.Items = int(items)
			}
			if i < len(windows) {
				c.Covered, c.Complete = w, true
			}
			l.cover(c)
		}
	}
	of := days
	if p.aggregated() {
		of = nil
	}
	whole := []snapshot.Window{l.window}
	counted := l.managed[region]
	var ours []snapshot.Window
	for _, w := range counted {
		for _, d := range l.managementDays(p, region, t) {
			ours = append(ours, w.Intersect(d))
		}
	}
	ours = snapshot.Union(ours...)
	both := slices.Equal(counted, whole)
	switch {
	case t != nil && !hasManagement(t):
		add(of, whole, data, "data")
		return nil
	case t != nil && managementOnly(t):
		add(ours, counted, management, "management")
	case both && slices.Equal(of, ours):
		add(days, whole, management+data, "data", "management")
	default:
		add(of, whole, data, "data")
		if len(counted) > 0 {
			add(ours, counted, management, "management")
		}
	}
	return ours
}

// managementDays are the times whose management events the files of a place tell. The
// selectors of a trail have no history: it may have recorded none before the first
// that it has delivered.
func (l *logs) managementDays(p *logPlace, region string, t *snapshot.Trail) []snapshot.Window {
	days := p.covered(region, t, l.window)
	switch {
	case l.failed, l.doubted[region]:
		return nil
	case !l.scanned:
		return days
	}
	var first time.Time
	for _, byDay := range p.days {
		for day, d := range byDay {
			if d.management > 0 && (first.IsZero() || day.Before(first)) {
				first = day
			}
		}
	}
	if first.IsZero() {
		return nil
	}
	if first.After(l.window.From) { // the first may be of that day's evening, or late
		first = first.AddDate(0, 0, 1)
	}
	return since(days, first)
}

// hasManagement reports whether a trail may record management events.
func hasManagement(t *snapshot.Trail) bool {
	return slices.Contains(t.Unread, "selectors") ||
		slices.ContainsFunc(t.Selectors, func(s snapshot.EventSelector) bool { return s.Management }) ||
		slices.ContainsFunc(t.Advanced, func(s snapshot.AdvancedSelector) bool {
			return !slices.ContainsFunc(s.Fields, func(f snapshot.FieldSelector) bool {
				return f.Field == "eventCategory" && len(f.Equals) > 0 && !slices.Contains(f.Equals, "Management")
			})
		})
}

// untold records the time of which no source tells the management events of a region.
// What files lack is told by Event history where that was asked: then it has its own
// gaps.
func (l *logs) untold(region string, told []snapshot.Window) {
	if l.Usage == UsageLookup || len(l.places) == 0 {
		return
	}
	left := l.window.Without(told...)
	if len(left) == 0 {
		return
	}
	var days time.Duration
	for _, w := range left {
		days += w.To.Sub(w.From)
	}
	l.missing(snapshot.Gap{Source: l.places[0].source, Region: region, Scope: "management events", Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonShort,
		Detail: fmt.Sprintf("the log files do not tell of %.0f of %.0f days, from %s on",
			max(1, days.Hours()/24), l.window.To.Sub(l.window.From).Hours()/24, left[0].From.Format(time.DateOnly))})
}

func startOfDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func inAny(windows []snapshot.Window, at time.Time) bool {
	return slices.ContainsFunc(windows, func(w snapshot.Window) bool { return w.Contains(at) })
}

// merged adds up the groups of calls that are alike and of one source, in the snapshot's
// order. It reuses the list: there may be a hundred thousand, of a kilobyte each.
func merged(usage []snapshot.Usage) []snapshot.Usage {
	slices.SortStableFunc(usage, func(a, b snapshot.Usage) int {
		return cmp.Or(a.UseKey.Compare(b.UseKey), cmp.Compare(a.Source, b.Source))
	})
	out := usage[:0]
	for _, u := range usage {
		if len(out) == 0 || out[len(out)-1].UseKey != u.UseKey || out[len(out)-1].Source != u.Source {
			out = append(out, u)
			continue
		}
		g := &out[len(out)-1]
		g.Count += u.Count
		if u.First.Before(g.First) {
			g.First, g.FirstEventID = u.First, u.FirstEventID
		}
		if u.Last.After(g.Last) {
			g.Last, g.LastEventID = u.Last, u.LastEventID
		}
	}
	clear(usage[len(out):])
	return out
}

// newNames are the roles that CreateTrainingJob events name and that are not in scope.
func newNames(scope *scope, passed ...map[string]bool) map[string]bool {
	names := make(map[string]bool)
	for _, m := range passed {
		for arn := range m {
			if !scope.roles[arn] {
				names[arn] = true
			}
		}
	}
	return maps.Clone(names)
}
