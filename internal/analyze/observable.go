package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// observer answers whether a call, had it been made, would be in the evidence.
// Only then is "not seen" worth anything.
//
// What was read is Event history: management events. What the account's trails
// record beside it was not read, so it makes nothing observable; it says which blind
// spot is one of the account's and which one of this run's.
type observer struct {
	snapshot *snapshot.Snapshot
	// blind is why management events are not observable, empty if they are: in
	// every enabled region a complete source covered the whole window. blindAtHome is
	// the same of the services that are recorded in the home region alone.
	blind, blindAtHome string
	basis              []string
	trails             []*trail
	// jobs is why needs may be unknown: jobs that were not read may need what no
	// call shows. Empty if all were read.
	jobs string
}

func newObserver(s *snapshot.Snapshot) *observer {
	o := &observer{snapshot: s, blind: whyBlind(s), blindAtHome: whyBlindAtHome(s), jobs: whyJobsUnread(s)}
	if o.blind == "" {
		o.basis = []string{fmt.Sprintf("CloudTrail Event history, management events, %s to %s, every enabled region: %s",
			day(s.Window.From), day(s.Window.To), strings.Join(s.Regions.Read, ", "))}
	} else if o.blindAtHome == "" {
		o.basis = []string{fmt.Sprintf("CloudTrail Event history, management events, %s to %s, of the services that are recorded in %s alone",
			day(s.Window.From), day(s.Window.To), actions.HomeRegion(s.Account.Partition))}
	}
	for i := range s.Trails {
		o.trails = append(o.trails, readTrail(s, &s.Trails[i]))
	}
	return o
}

func whyBlind(s *snapshot.Snapshot) string {
	if s.Asked.Usage == "none" {
		return "usage was not collected (--usage none)"
	}
	if len(s.Regions.Enabled) == 0 {
		return "the account's enabled regions could not be listed, so nobody knows where else the role was used"
	}
	for _, region := range s.Regions.Enabled {
		if why := whyBlindIn(s, region); why != "" {
			return why
		}
	}
	return ""
}

// whyBlindAtHome: the home region is enabled in every account.
func whyBlindAtHome(s *snapshot.Snapshot) string {
	if s.Asked.Usage == "none" {
		return "usage was not collected (--usage none)"
	}
	home := actions.HomeRegion(s.Account.Partition)
	if home == "" {
		return "where the account's partition records its global services is not known"
	}
	return whyBlindIn(s, home)
}

func whyBlindIn(s *snapshot.Snapshot, region string) string {
	if !slices.Contains(s.Regions.Read, region) {
		return "region " + region + " was not read"
	}
	if !slices.ContainsFunc(s.Coverage, func(c snapshot.Coverage) bool {
		return c.Source == snapshot.SourceLookup && c.Region == region && c.Scope == snapshot.ScopeAll && c.Complete && c.Covered.Encloses(s.Window)
	}) {
		return "Event history of region " + region + " was not read for the whole window"
	}
	return ""
}

// whyJobsUnread says why there may be jobs that nobody looked at.
func whyJobsUnread(s *snapshot.Snapshot) string {
	for _, g := range s.Gaps {
		if g.Impact == snapshot.ImpactJobs {
			return "not all training jobs were read, and such a job may need it"
		}
	}
	if len(s.Regions.Enabled) == 0 {
		return "the account's enabled regions could not be listed, and a job elsewhere may need it"
	}
	for _, region := range s.Regions.Enabled {
		if !slices.Contains(s.Regions.Read, region) {
			return "region " + region + " was not read, and a job there may need it"
		}
	}
	return ""
}

// whyNotSeen says why a call of the action, on the resources, would not be in the
// evidence; empty if it would. No resources stand for any.
func (o *observer) whyNotSeen(i int, action string, resources []string) string {
	switch v := visibilities()[i]; v.Class {
	case actions.Management:
		if actions.RecordedAtHome(serviceOf(action)) {
			return o.blindAtHome
		}
		return o.blind
	case actions.Data:
		return o.whyDataNotSeen(v, i, resources)
	default:
		return v.Reason
	}
}

const reasonData = "recorded as data events only, which Event history never shows"

// whyDataNotSeen says which trail records the action's data events on all of the
// resources and since when, if one does: its log files were not read.
func (o *observer) whyDataNotSeen(v actions.Visibility, i int, resources []string) string {
	class := eventClass{visibility: v, readOnly: actions.Load().IsReadOnly(i)}
	for _, t := range o.trails {
		var by recorded
		if len(resources) > 0 && !slices.ContainsFunc(resources, func(r string) bool {
			class.resource = r
			by = t.of(class)
			return by.verdict != recordedYes
		}) {
			return fmt.Sprintf("recorded by trail %s %s, whose log files were not read", t.Name, o.since(by))
		}
	}
	return reasonData
}

// since puts the beginning of a recording into words.
func (o *observer) since(r recorded) string {
	w := o.snapshot.Window
	switch {
	case r.whole:
		return "for the whole window"
	case r.since.IsZero():
		return "since a time that is not known"
	}
	days := int(w.To.Sub(r.since).Hours()/24 + 0.5)
	return fmt.Sprintf("since %s (%d of %d days)", day(r.since), days, int(w.To.Sub(w.From).Hours()/24+0.5))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// blindSpots lists what nothing that was read records, in plain words, with the
// cheapest change that would remove each.
func (a *audit) blindSpots(needed []string) []report.BlindSpot {
	o := a.observer
	spots := o.bucketSpots(needed)
	spots = append(spots, report.BlindSpot{
		What:   "logs:PutLogEvents",
		Reason: "CloudTrail does not record it.",
		Remedy: "None in CloudTrail; a job's log stream shows that it was written.",
	}, report.BlindSpot{
		What:   "cloudwatch:PutMetricData and other calls of the data plane beside S3's",
		Reason: "CloudTrail records them as data events, which Event history never shows.",
		Remedy: o.howToRecord("data events of the resource type"),
	}, report.BlindSpot{
		What:   "iam:PassRole and permission-only actions",
		Reason: "They are no API calls; iam:PassRole is inferred from the call that took the role.",
		Remedy: "None.",
	})
	if o.blind != "" {
		spots = append(spots, report.BlindSpot{
			What:   "Management events",
			Reason: strings.ToUpper(o.blind[:1]) + o.blind[1:] + ": nothing that is recorded there is called unused.",
			Remedy: "Read every enabled region with --usage lookup and see the gaps.",
		})
	}
	spots = append(spots, o.trailSpots()...)
	slices.SortFunc(spots, func(a, b report.BlindSpot) int { return strings.Compare(a.What, b.What) })
	return spots
}

const s3Events = "S3 object reads, writes and lists"

// bucketSpots groups the buckets that jobs need by what records their objects.
func (o *observer) bucketSpots(buckets []string) []report.BlindSpot {
	reads := eventClass{visibility: actions.VisibilityOf("s3:GetObject"), readOnly: true}
	writes := eventClass{visibility: actions.VisibilityOf("s3:PutObject")}
	type key struct{ reason, remedy string }
	groups := map[key][]string{}
	for _, b := range buckets {
		reads.resource = "arn:" + o.partition() + ":s3:::" + b + "/*"
		writes.resource = reads.resource
		k := key{"CloudTrail records them as data events, which Event history never shows, and no trail selects them. " +
			"Reads and writes of SSE-KMS objects are known from the KMS calls they cause.", o.howToRecord("S3 data events (reads and writes) of these buckets")}
		for _, t := range o.trails {
			read, write := t.of(reads), t.of(writes)
			what := ""
			switch {
			case read.verdict == recordedYes && write.verdict == recordedYes:
				what = "reads and writes"
			case read.verdict == recordedYes:
				what = "reads, not their writes,"
			case write.verdict == recordedYes:
				what, read = "writes, not their reads,", write
			case max(read.verdict, write.verdict) != recordedNo:
				k.reason += fmt.Sprintf(" Trail %s may record some of them: %s.", t.Name, cmp.Or(read.why, write.why))
				continue
			default:
				continue
			}
			k = key{fmt.Sprintf("Trail %s records their %s %s, and this version does not read its log files.", t.Name, what, o.since(read)),
				"None in this version; Athena can search what the trail has recorded."}
			break
		}
		groups[k] = append(groups[k], b)
	}
	if len(buckets) == 0 {
		return []report.BlindSpot{{What: s3Events,
			Reason: "CloudTrail records them as data events, which Event history never shows. Reads and writes of SSE-KMS objects are known from the KMS calls they cause.",
			Remedy: o.howToRecord("S3 data events (reads and writes) of the training buckets")}}
	}
	var spots []report.BlindSpot
	for k, names := range groups {
		slices.Sort(names)
		shown, total := capped(names, 12)
		what := s3Events + " of " + strings.Join(shown, ", ")
		if total > len(shown) {
			what += fmt.Sprintf(" and %d more buckets", total-len(shown))
		}
		spots = append(spots, report.BlindSpot{What: what, Reason: k.reason, Remedy: k.remedy})
	}
	return spots
}

// howToRecord names the cheapest place to record something: a selector on a trail
// that there is, before a new trail.
func (o *observer) howToRecord(what string) string {
	for _, t := range o.trails {
		if t.Logging && !t.Organization && (t.MultiRegion || len(o.snapshot.Regions.Enabled) == 1) {
			return "Add " + what + " to the event selectors of trail " + t.Name + "."
		}
	}
	return "Log " + what + " to a trail."
}

func (o *observer) partition() string {
	if p := o.snapshot.Account.Partition; p != "" {
		return p
	}
	return "aws"
}

// trailSpots say what the trails leave out of the management events: beyond Event
// history's 90 days only they remember. The trail that keeps most is told of.
func (o *observer) trailSpots() []report.BlindSpot {
	if !slices.ContainsFunc(o.snapshot.Coverage, func(c snapshot.Coverage) bool { return c.Source == snapshot.SourceTrails && c.Complete }) {
		return nil // nobody knows which trails there are
	}
	spot := report.BlindSpot{
		What:   "Management events older than 90 days",
		Reason: "Event history holds 90 days, and no trail keeps what is older.",
		Remedy: "Log management events, reads and writes, of every region and event source to a trail.",
	}
	for _, t := range o.trails {
		switch without := t.keepsManagement(); {
		case without == "":
			return nil
		case t.recordsManagement():
			spot.Reason = fmt.Sprintf("Event history holds 90 days; of what is older, trail %s %s.", t.Name, without)
			spot.Remedy = "Let the trail log reads and writes of every event source, in every region."
		}
	}
	return []report.BlindSpot{spot}
}
