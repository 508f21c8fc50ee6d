package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// trail judges what a trail records.
type trail struct {
	*snapshot.Trail
	// changedAt is the trail's last change that Event history shows, zero for none;
	// changesKnown says that it shows all there were in the window. A trail's
	// selectors have no history of their own.
	changedAt    time.Time
	changesKnown bool
	window       snapshot.Window
	account      string // that was read
}

func bareTrail(s *snapshot.Snapshot, t *snapshot.Trail) *trail {
	return &trail{Trail: t, window: s.Window, account: s.Account.ID, changedAt: t.ChangedAt(s.Usage)}
}

// foreign reports whether another account made the trail, as the management account
// of an organization: the calls that change it are recorded there.
func (t *trail) foreign() bool { return t.Organization && t.Account() != t.account }

// steady is the part of a window since which the trail is what it is.
func (t *trail) steady(w snapshot.Window) snapshot.Window {
	at := t.changedAt
	if t.StartedAt.After(at) {
		at = t.StartedAt
	}
	return w.Intersect(snapshot.Window{From: at, To: w.To})
}

// eventClass is the events of one action on one resource pattern.
type eventClass struct {
	visibility actions.Visibility
	readOnly   bool
	resource   string // of a data event
}

// recordedness says how much of a class of events a trail records.
type recordedness int

const (
	recordedNo recordedness = iota
	recordedPart
	recordedUnknown // a selector has a field that is not modelled
	recordedYes
)

// recorded is what a trail does with a class of events.
type recorded struct {
	verdict recordedness
	// since is when it began, whole says before the window; both of the verdict yes.
	since time.Time
	whole bool
	why   string
}

// of tells whether the trail records a class of data events, and since when.
func (t *trail) of(c eventClass) recorded {
	switch {
	case !t.Known():
		return recorded{verdict: recordedUnknown, why: "what it records could not be read"}
	case !t.Logging:
		return recorded{why: "it is switched off"}
	}
	best := recorded{}
	for _, s := range t.Selectors {
		if v := basicRecords(s, c); v > best.verdict {
			best = recorded{verdict: v, why: "its selector names a part of the bucket only"}
		}
	}
	for _, s := range t.Advanced {
		if v, why := advancedRecords(s, c); v > best.verdict {
			best = recorded{verdict: v, why: why}
		}
	}
	if best.verdict == recordedYes {
		best.since, best.whole = t.since()
	}
	return best
}

// since is when the trail began to record what it records today, as far back as the
// window goes. Zero: not known.
func (t *trail) since() (at time.Time, whole bool) {
	at = t.changedAt
	if t.StartedAt.After(at) {
		at = t.StartedAt
	}
	switch {
	case at.After(t.window.From):
		return at, false
	case t.changesKnown:
		return at, true
	}
	return time.Time{}, false
}

// basicRecords: AWS API_EventSelector, API_DataResource. The values are beginnings of
// ARNs; a bucket's objects are selected by arn:aws:s3:::bucket/, and a list, whose
// resource is the bucket, is recorded as one of that bucket's objects.
func basicRecords(s snapshot.EventSelector, c eventClass) recordedness {
	if !accessMatches(s.ReadWrite, c.readOnly) {
		return recordedNo
	}
	best := recordedNo
	for _, d := range s.Data {
		if slices.Contains(c.visibility.ResourceTypes, d.Type) {
			for _, value := range d.Values {
				best = max(best, beginsWith(c, value))
			}
		}
	}
	return best
}

func accessMatches(readWrite string, readOnly bool) bool {
	switch readWrite {
	case "ReadOnly":
		return readOnly
	case "WriteOnly":
		return !readOnly
	}
	return true
}

// beginsWith tells whether every ARN of the class's pattern begins with a text, or
// some may.
func beginsWith(c eventClass, text string) recordedness {
	fixed, pattern := c.resource, false
	if i := strings.IndexAny(fixed, "*?$"); i >= 0 {
		fixed, pattern = fixed[:i], true
	} else if slices.Contains(c.visibility.ResourceTypes, "AWS::S3::Object") && !strings.Contains(fixed[strings.LastIndexByte(fixed, ':')+1:], "/") {
		fixed += "/"
	}
	switch {
	case strings.HasPrefix(fixed, text):
		return recordedYes
	case pattern && strings.HasPrefix(text, fixed):
		return recordedPart
	}
	return recordedNo
}

// advancedRecords: AWS API_AdvancedFieldSelector. All fields must hold; a field that
// is not modelled leaves it unknown, for it may hide the very call.
func advancedRecords(s snapshot.AdvancedSelector, c eventClass) (recordedness, string) {
	worst, why := recordedYes, ""
	category := ""
	for _, f := range s.Fields {
		verdict := recordedUnknown
		switch f.Field {
		case "eventCategory":
			category = strings.Join(f.Equals, ",")
			verdict = some(f, []string{"Data"})
		case "resources.type":
			verdict = some(f, c.visibility.ResourceTypes)
		case "readOnly":
			verdict = some(f, []string{strconv.FormatBool(c.readOnly)})
		case "eventSource":
			verdict = every(f, []string{c.visibility.EventSource})
		case "eventName":
			verdict = every(f, c.visibility.EventNames)
		case "resources.ARN":
			verdict = arnSelected(f, c)
		}
		if verdict < worst {
			worst, why = verdict, "its selector on "+f.Field+" keeps a part of them only"
			if verdict == recordedUnknown {
				why = "this version does not model its selector on " + f.Field
			}
		}
	}
	if category != "Data" {
		return recordedNo, ""
	}
	return worst, why
}

// plainOnly reports whether a selector compares for equality alone.
func plainOnly(f snapshot.FieldSelector) bool {
	return len(f.StartsWith)+len(f.NotStartsWith)+len(f.EndsWith)+len(f.NotEndsWith) == 0
}

// selects tells whether a field selector lets a value through: the values of an
// operator are alternatives of a positive one, and each of a negative one must fail.
func selects(f snapshot.FieldSelector, value string) bool {
	any := func(list []string, test func(string, string) bool) bool {
		return slices.ContainsFunc(list, func(x string) bool { return test(value, x) })
	}
	equal := func(a, b string) bool { return a == b }
	return (len(f.Equals) == 0 || any(f.Equals, equal)) && !any(f.NotEquals, equal) &&
		(len(f.StartsWith) == 0 || any(f.StartsWith, strings.HasPrefix)) && !any(f.NotStartsWith, strings.HasPrefix) &&
		(len(f.EndsWith) == 0 || any(f.EndsWith, strings.HasSuffix)) && !any(f.NotEndsWith, strings.HasSuffix)
}

// some: one of the values is let through.
func some(f snapshot.FieldSelector, values []string) recordedness {
	if slices.ContainsFunc(values, func(v string) bool { return selects(f, v) }) {
		return recordedYes
	}
	return recordedNo
}

// every: all of the values are let through; a part, where some are. A name that is
// not known ("*") leaves it unknown.
func every(f snapshot.FieldSelector, values []string) recordedness {
	if len(values) == 0 || slices.Contains(values, "*") {
		return recordedUnknown
	}
	n := 0
	for _, v := range values {
		if selects(f, v) {
			n++
		}
	}
	switch n {
	case len(values):
		return recordedYes
	case 0:
		return recordedNo
	}
	return recordedPart
}

// arnSelected: every operator that is given must hold.
func arnSelected(f snapshot.FieldSelector, c eventClass) recordedness {
	verdict := recordedYes
	positive := func(values []string, test func(string) recordedness) {
		if len(values) == 0 {
			return
		}
		best := recordedNo
		for _, v := range values {
			best = max(best, test(v))
		}
		verdict = min(verdict, best)
	}
	negative := func(values []string, test func(string) recordedness) {
		for _, v := range values {
			switch test(v) {
			case recordedYes:
				verdict = recordedNo
			case recordedPart:
				verdict = min(verdict, recordedPart)
			}
		}
	}
	begins := func(v string) recordedness { return beginsWith(c, v) }
	equals := func(v string) recordedness {
		if v == c.resource && !strings.ContainsAny(v, "*?$") {
			return recordedYes
		}
		return min(beginsWith(c, v), recordedPart)
	}
	ends := func(string) recordedness { return recordedPart }
	positive(f.StartsWith, begins)
	positive(f.Equals, equals)
	positive(f.EndsWith, ends)
	negative(f.NotStartsWith, begins)
	negative(f.NotEquals, equals)
	negative(f.NotEndsWith, ends)
	return verdict
}

// keepsManagement says what of the management events the trail does not record,
// empty for nothing.
func (t *trail) keepsManagement() string {
	switch {
	case slices.Contains(t.Unread, "status"), slices.Contains(t.Unread, "selectors"):
		return "records what could not be read"
	case !t.Logging:
		return "records nothing: it is switched off"
	case !t.MultiRegion:
		return "records " + t.HomeRegion + " alone"
	}
	missing := "records no management events"
	for _, r := range t.recordings() {
		if r.EventClass != "management" {
			continue
		}
		switch {
		case !r.Understood, strings.HasPrefix(r.Note, "narrowed"):
			missing = "records a part of them: " + r.Note
		case r.Access != "all" && len(r.Without) > 0:
			missing = fmt.Sprintf("logs %ss only and leaves out %s", r.Access, strings.Join(r.Without, ", "))
		case r.Access != "all":
			missing = fmt.Sprintf("logs %ss only", r.Access)
		case len(r.Without) > 0:
			missing = "leaves out " + strings.Join(r.Without, ", ")
		default:
			return ""
		}
	}
	return missing
}

// recordsManagement reports whether any management events are recorded.
func (t *trail) recordsManagement() bool {
	return t.Logging && slices.ContainsFunc(t.recordings(), func(r report.Recording) bool { return r.EventClass == "management" })
}

// report lays the trail out as the contract has it.
func (t *trail) report() report.Trail {
	return report.Trail{ARN: t.ARN, HomeRegion: t.HomeRegion, MultiRegion: t.MultiRegion, Organization: t.Organization,
		Logging: t.Logging, Records: list(t.recordings()), Unread: list(t.Unread)}
}

func (t *trail) recordings() []report.Recording {
	var out []report.Recording
	add := func(r report.Recording) {
		r.Scope, r.Without = list(r.Scope), list(r.Without)
		if at, whole := t.since(); t.Logging {
			r.Whole = whole
			if !whole {
				r.Since = moment(at)
			}
		} else {
			r.Note = "the trail is switched off"
		}
		if t.DeliveryError != "" {
			r.Note = "its last delivery failed: " + t.DeliveryError
		}
		for _, s := range t.Elsewhere {
			if s.DeliveryError != "" && r.Note == "" {
				r.Note = "its last delivery in " + s.Region + " failed: " + s.DeliveryError
			}
		}
		out = append(out, r)
	}
	for _, s := range t.Selectors {
		access := map[string]string{"ReadOnly": "read", "WriteOnly": "write"}[s.ReadWrite]
		access = cmp.Or(access, "all")
		if s.Management {
			add(report.Recording{EventClass: "management", Access: access, Without: s.ExcludedSources, Understood: true})
		}
		for _, d := range s.Data {
			add(report.Recording{EventClass: "data", Access: access, ResourceType: d.Type, Scope: d.Values, Understood: true})
		}
	}
	for _, s := range t.Advanced {
		r := report.Recording{EventClass: "management", Access: "all", Understood: true}
		for _, f := range s.Fields {
			switch {
			case f.Field == "eventCategory" && plainOnly(f):
				r.EventClass = strings.ToLower(strings.Join(f.Equals, ","))
			case f.Field == "readOnly" && plainOnly(f) && len(f.Equals) == 1:
				r.Access = map[string]string{"true": "read", "false": "write"}[f.Equals[0]]
			case f.Field == "resources.type" && plainOnly(f):
				r.ResourceType = strings.Join(f.Equals, ",")
			case f.Field == "eventSource" && plainOnly(f) && len(f.Equals) == 0:
				r.Without = f.NotEquals
			case f.Field == "resources.ARN" && len(f.NotEquals)+len(f.NotStartsWith)+len(f.EndsWith)+len(f.NotEndsWith) == 0:
				r.Scope = slices.Concat(f.Equals, f.StartsWith)
			case f.Field == "resources.ARN", f.Field == "eventName", f.Field == "eventSource":
				r.Note = "narrowed by " + f.Field
			default:
				r.Understood, r.Note = false, "this version does not model its selector on "+f.Field
			}
		}
		r.Access = cmp.Or(r.Access, "all")
		add(r)
	}
	return out
}
