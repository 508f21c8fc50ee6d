package analyze

import (
	"cmp"
	"fmt"
	"maps"
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
// Event history shows management events; log files show what the trail records that
// wrote them, where it is known which trail that is. A trail whose log files were not
// read makes nothing observable; it says which blind spot is one of the account's and
// which one of this run's.
type observer struct {
	snapshot *snapshot.Snapshot
	// blind is why not all management events are observable, empty if they are: in
	// every enabled region complete sources covered the whole window. blindMost is the
	// same without the services whose events a trail may leave out, blindTo of each of
	// these, blindAtHome of what is recorded in the home region alone.
	blind, blindMost, blindAtHome string
	blindTo                       map[string]string
	basis                         []string
	trails                        []*trail
	// anyData: data events of some trail were read for the whole window.
	anyData bool
	// jobs is why needs may be unknown: jobs that were not read may need what no
	// call shows. Empty if all were read.
	jobs string
}

func newObserver(s *snapshot.Snapshot) *observer {
	o := &observer{snapshot: s, blindTo: map[string]string{}, jobs: whyJobsUnread(s)}
	for i := range s.Trails {
		o.trails = append(o.trails, bareTrail(s, &s.Trails[i]))
	}
	for _, t := range o.trails {
		t.changesKnown = s.Asked.Usage != "none" && o.whyUntold(t.HomeRegion, (*trail).recordsChanges) == "" && !t.foreign()
	}
	o.blindMost, o.blindAtHome = o.whyBlind(recordsManagementOf("")), o.whyBlindAtHome()
	o.blind = o.blindMost
	for service, source := range excludable {
		o.blindTo[service] = o.whyBlind(recordsManagementOf(source))
	}
	for _, service := range slices.Sorted(maps.Keys(excludable)) {
		o.blind = cmp.Or(o.blind, o.blindTo[service])
	}
	what := o.sources() + ", management events"
	for _, service := range slices.Sorted(maps.Keys(excludable)) {
		if o.blindMost == "" && o.blindTo[service] != "" {
			what += " but those of " + excludable[service]
		}
	}
	if o.blindMost == "" {
		o.basis = []string{fmt.Sprintf("%s, %s to %s, every enabled region: %s", what, day(s.Window.From), day(s.Window.To), strings.Join(s.Regions.Read, ", "))}
	} else if o.blindAtHome == "" {
		o.basis = []string{fmt.Sprintf("%s, %s to %s, of the services that are recorded in %s alone",
			what, day(s.Window.From), day(s.Window.To), actions.HomeRegion(s.Account.Partition))}
	}
	for _, t := range o.trails {
		if _, whole := t.since(); whole && slices.ContainsFunc(s.Regions.Read, func(r string) bool { return o.tellsData(t, r) }) {
			o.anyData = true
			o.basis = append(o.basis, fmt.Sprintf("log files of trail %s, the data events that it selects, %s to %s", t.Name, day(s.Window.From), day(s.Window.To)))
		}
	}
	return o
}

// sources names what told of management events.
func (o *observer) sources() string {
	history, files := false, false
	for _, c := range o.snapshot.Coverage {
		if slices.Contains(c.EventClasses, "management") && c.Complete {
			history = history || c.Source == snapshot.SourceLookup && c.Scope == snapshot.ScopeAll
			files = files || snapshot.IsLogFiles(c.Source)
		}
	}
	switch {
	case history && files:
		return "CloudTrail Event history and log files"
	case files:
		return "CloudTrail log files"
	}
	return "CloudTrail Event history"
}

func (o *observer) whyBlind(records func(*trail) bool) string {
	s := o.snapshot
	if s.Asked.Usage == "none" {
		return "usage was not collected (--usage none)"
	}
	if len(s.Regions.Enabled) == 0 {
		return "the account's enabled regions could not be listed, so nobody knows where else the role was used"
	}
	for _, region := range s.Regions.Enabled {
		if why := o.whyUntold(region, records); why != "" {
			return why
		}
	}
	return ""
}

// whyBlindAtHome: the home region is enabled in every account.
func (o *observer) whyBlindAtHome() string {
	s := o.snapshot
	if s.Asked.Usage == "none" {
		return "usage was not collected (--usage none)"
	}
	home := actions.HomeRegion(s.Account.Partition)
	if home == "" {
		return "where the account's partition records its global services is not known"
	}
	return o.whyUntold(home, recordsManagementOf(""))
}

// whyUntold says why the management events of a region are not all in the evidence:
// those that Event history has, and those that trails record which have the property.
func (o *observer) whyUntold(region string, records func(*trail) bool) string {
	s := o.snapshot
	if !slices.Contains(s.Regions.Read, region) {
		return "region " + region + " was not read"
	}
	var (
		told []snapshot.Window
		why  string
	)
	for _, c := range s.Coverage {
		switch {
		case c.Region != region || !c.Complete || !slices.Contains(c.EventClasses, "management"):
		case c.Source == snapshot.SourceLookup:
			if c.Scope == snapshot.ScopeAll {
				told = append(told, c.Covered)
			}
		case snapshot.IsLogFiles(c.Source):
			t := o.trail(c.Trail)
			switch {
			case t == nil:
				why = "which trail wrote the log files of region " + region + ", and what it leaves out, is not known"
			case t.foreign():
				why = "trail " + t.Name + " is another account's, which alone knows when it was changed"
			case !t.Sees(region):
			case !records(t):
				why = "of region " + region + ", trail " + t.Name + " " + t.keepsManagement()
			default:
				told = append(told, t.steady(c.Covered))
			}
		}
	}
	switch left := s.Window.Without(told...); {
	case len(left) == 0 && !s.Window.Empty():
		return ""
	case why != "":
		return why
	case s.Asked.Usage == "files":
		return "no source that was read tells all of region " + region + " for the whole window"
	}
	return "Event history of region " + region + " was not read for the whole window"
}

func (o *observer) trail(arn string) *trail {
	for _, t := range o.trails {
		if t.ARN == arn && arn != "" {
			return t
		}
	}
	return nil
}

// tellsData reports whether the log files of a trail were read of a region, for the
// whole window.
func (o *observer) tellsData(t *trail, region string) bool {
	var told []snapshot.Window
	for _, c := range o.snapshot.Coverage {
		if c.Region == region && c.Complete && c.Trail == t.ARN && snapshot.IsLogFiles(c.Source) && slices.Contains(c.EventClasses, "data") {
			told = append(told, c.Covered)
		}
	}
	return t.ARN != "" && !o.snapshot.Window.Empty() && len(o.snapshot.Window.Without(told...)) == 0
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
		if why, known := o.blindTo[serviceOf(action)]; known {
			return why
		}
		if actions.RecordedAtHome(serviceOf(action)) {
			return o.blindAtHome
		}
		return o.blindMost
	case actions.Data:
		return o.whyDataNotSeen(v, i, resources)
	default:
		return v.Reason
	}
}

const reasonData = "recorded as data events only, which Event history never shows"

// whyDataNotSeen says why the action's data events on some of the resources would not
// be in the evidence, and which trail records them on all and since when, if one does.
func (o *observer) whyDataNotSeen(v actions.Visibility, i int, resources []string) string {
	class := eventClass{visibility: v, readOnly: actions.Load().IsReadOnly(i)}
	asked := resources
	if len(asked) == 0 {
		asked = []string{"*"}
	}
	if !slices.ContainsFunc(asked, func(r string) bool {
		class.resource = r
		return !o.tells(class)
	}) {
		return ""
	}
	for _, t := range o.trails {
		var by recorded
		if len(resources) > 0 && !slices.ContainsFunc(resources, func(r string) bool {
			class.resource = r
			by = t.of(class)
			return by.verdict != recordedYes
		}) {
			return fmt.Sprintf("recorded by trail %s %s%s", t.Name, o.since(by), o.howRead(t))
		}
	}
	return reasonData
}

// howRead says how much of a trail's log files was read, where that is not all.
func (o *observer) howRead(t *trail) string {
	some := slices.ContainsFunc(o.snapshot.Coverage, func(c snapshot.Coverage) bool {
		return c.Trail == t.ARN && snapshot.IsLogFiles(c.Source) && c.Complete && slices.Contains(c.EventClasses, "data")
	})
	_, whole := t.since()
	switch {
	case !some:
		return ", whose log files were not read"
	case whole:
		return ", whose log files were not read for the whole window and every region"
	}
	return ""
}

// tells reports whether a class of data events is in the evidence: a trail of this
// account recorded it throughout the window, and of every region where it can occur
// the trail's log files were read.
func (o *observer) tells(c eventClass) bool {
	return slices.ContainsFunc(o.trails, func(t *trail) bool {
		by := t.of(c)
		if by.verdict != recordedYes || !by.whole || t.foreign() || !t.ofEveryType(c) || !t.ofCopies(c) {
			return false
		}
		regions := o.regionsOf(c.resource)
		return len(regions) > 0 && !slices.ContainsFunc(regions, func(r string) bool { return !t.Sees(r) || !o.tellsData(t, r) })
	})
}

// regionsOf are the regions where events of a resource are recorded: that of the
// bucket where S3 has told it, or of the ARN; else every enabled one.
func (o *observer) regionsOf(resource string) []string {
	if part := strings.SplitN(resource, ":", 6); len(part) == 6 {
		if part[3] != "" && !strings.ContainsAny(part[3], "*?$") {
			return []string{part[3]}
		}
		if bucket, _, _ := strings.Cut(part[5], "/"); part[2] == "s3" && !strings.ContainsAny(bucket, "*?$") {
			arn := "arn:" + o.partition() + ":s3:::" + bucket
			for i := range o.snapshot.Resources {
				if r := &o.snapshot.Resources[i]; r.ARN == arn && r.Region != "" {
					return []string{r.Region}
				}
			}
		}
	}
	return o.snapshot.Regions.Enabled
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
			Remedy: "Read every enabled region with --usage lookup (beside log files, if these are read) and see the gaps.",
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
			k = key{fmt.Sprintf("Trail %s records their %s %s%s.", t.Name, what, o.since(read), o.howRead(t)), "Read its log files with --usage trail."}
			if o.howRead(t) == "" {
				k.remedy = "None but time: what was not recorded is not known."
			}
			break
		}
		if o.tells(reads) && o.tells(writes) {
			continue
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
