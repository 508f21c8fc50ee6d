package analyze

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func field(name string, set func(*snapshot.FieldSelector)) snapshot.FieldSelector {
	f := snapshot.FieldSelector{Field: name}
	set(&f)
	return f
}

func equals(name string, values ...string) snapshot.FieldSelector {
	return field(name, func(f *snapshot.FieldSelector) { f.Equals = values })
}

// readTrail is one of the trails as an observer has it.
func readTrail(s *snapshot.Snapshot, t *snapshot.Trail) *trail {
	for _, known := range newObserver(s).trails {
		if known.Trail == t {
			return known
		}
	}
	return nil
}

// TestRecorded: what a trail's selectors say of the reads, or else the named action,
// of one bucket. Source: AWS API_EventSelector, API_DataResource,
// API_AdvancedFieldSelector and the examples on logging-data-events-with-cloudtrail.
func TestRecorded(t *testing.T) {
	basic := func(readWrite string, values ...string) snapshot.Trail {
		return snapshot.Trail{Selectors: []snapshot.EventSelector{{ReadWrite: readWrite, Management: true, Data: []snapshot.DataResource{{Type: "AWS::S3::Object", Values: values}}}}}
	}
	advanced := func(fields ...snapshot.FieldSelector) snapshot.Trail {
		return snapshot.Trail{Advanced: []snapshot.AdvancedSelector{{Fields: append([]snapshot.FieldSelector{equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object")}, fields...)}}}
	}
	arn := func(set func(*snapshot.FieldSelector)) snapshot.Trail { return advanced(field("resources.ARN", set)) }
	const objects, one, bucket = "arn:aws:s3:::data/in/*", "arn:aws:s3:::data/in/part-1", "arn:aws:s3:::data"
	for _, tt := range []struct {
		name     string
		trail    snapshot.Trail
		action   string
		resource string
		want     recordedness
	}{
		{"no selector", snapshot.Trail{}, "s3:GetObject", objects, recordedNo},
		{"management events only", basic("All"), "s3:GetObject", objects, recordedNo},
		{"every bucket", basic("All", "arn:aws:s3"), "s3:GetObject", objects, recordedYes},
		{"every bucket, spelled longer", basic("All", "arn:aws:s3:::"), "s3:GetObject", objects, recordedYes},
		{"the bucket", basic("All", "arn:aws:s3:::data/"), "s3:GetObject", objects, recordedYes},
		{"the bucket, a list of it", basic("All", "arn:aws:s3:::data/"), "s3:ListBucket", bucket, recordedYes},
		{"another bucket whose name begins alike", basic("All", "arn:aws:s3:::data/"), "s3:GetObject", "arn:aws:s3:::data-2/*", recordedNo},
		{"a bucket whose name begins alike, a list of it", basic("All", "arn:aws:s3:::data/"), "s3:ListBucket", "arn:aws:s3:::data-2", recordedNo},
		{"the prefix", basic("All", "arn:aws:s3:::data/in/"), "s3:GetObject", objects, recordedYes},
		{"a part of the prefix", basic("All", "arn:aws:s3:::data/in/2026/"), "s3:GetObject", objects, recordedPart},
		{"a part of the prefix, and one object beside it", basic("All", "arn:aws:s3:::data/in/2026/"), "s3:GetObject", one, recordedNo},
		{"one of two", basic("All", "arn:aws:s3:::other/", "arn:aws:s3:::data/"), "s3:GetObject", objects, recordedYes},
		{"reads", basic("ReadOnly", "arn:aws:s3"), "s3:GetObject", objects, recordedYes},
		{"reads, asked for a write", basic("ReadOnly", "arn:aws:s3"), "s3:PutObject", objects, recordedNo},
		{"writes", basic("WriteOnly", "arn:aws:s3"), "s3:PutObject", objects, recordedYes},
		{"writes, asked for a read", basic("WriteOnly", "arn:aws:s3"), "s3:GetObject", objects, recordedNo},
		{"another type of resource", basic("All", "arn:aws:s3"), "dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/t", recordedNo},

		{"advanced, every object", advanced(), "s3:GetObject", objects, recordedYes},
		{"advanced, management events", snapshot.Trail{Advanced: []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management")}}}}, "s3:GetObject", objects, recordedNo},
		{"advanced, another type", advanced(equals("resources.type", "AWS::DynamoDB::Table")), "s3:GetObject", objects, recordedNo},
		{"advanced, reads", advanced(equals("readOnly", "true")), "s3:GetObject", objects, recordedYes},
		{"advanced, reads, asked for a write", advanced(equals("readOnly", "true")), "s3:PutObject", objects, recordedNo},
		{"advanced, an event name that is all of the action's", advanced(equals("eventName", "DeleteObject", "DeleteObjects")), "s3:DeleteObject", objects, recordedYes},
		{"advanced, one of the action's event names", advanced(equals("eventName", "GetObject")), "s3:GetObject", objects, recordedPart},
		{"advanced, another's event name", advanced(equals("eventName", "PutObject")), "s3:GetObject", objects, recordedNo},
		{"advanced, an event name left out", advanced(field("eventName", func(f *snapshot.FieldSelector) { f.NotEquals = []string{"HeadObject"} })), "s3:GetObject", objects, recordedPart},
		{"advanced, the source", advanced(equals("eventSource", "s3.amazonaws.com")), "s3:GetObject", objects, recordedYes},
		{"advanced, another source", advanced(field("eventSource", func(f *snapshot.FieldSelector) { f.NotEquals = []string{"s3.amazonaws.com"} })), "s3:GetObject", objects, recordedNo},
		{"advanced, the bucket", arn(func(f *snapshot.FieldSelector) { f.StartsWith = []string{"arn:aws:s3:::data/"} }), "s3:GetObject", objects, recordedYes},
		{"advanced, a part of the bucket", arn(func(f *snapshot.FieldSelector) { f.StartsWith = []string{"arn:aws:s3:::data/in/2026/"} }), "s3:GetObject", objects, recordedPart},
		{"advanced, one object", arn(func(f *snapshot.FieldSelector) { f.Equals = []string{one} }), "s3:GetObject", one, recordedYes},
		{"advanced, one object of many", arn(func(f *snapshot.FieldSelector) { f.Equals = []string{one} }), "s3:GetObject", objects, recordedPart},
		{"advanced, by the end of the key", arn(func(f *snapshot.FieldSelector) { f.EndsWith = []string{".csv"} }), "s3:GetObject", objects, recordedPart},
		{"advanced, all but the bucket", arn(func(f *snapshot.FieldSelector) { f.NotStartsWith = []string{"arn:aws:s3:::data/"} }), "s3:GetObject", objects, recordedNo},
		{"advanced, all but a part of it", arn(func(f *snapshot.FieldSelector) { f.NotStartsWith = []string{"arn:aws:s3:::data/in/tmp/"} }), "s3:GetObject", objects, recordedPart},
		{"advanced, all but another bucket", arn(func(f *snapshot.FieldSelector) { f.NotStartsWith = []string{"arn:aws:s3:::logs/"} }), "s3:GetObject", objects, recordedYes},
		{"advanced, all but one object", arn(func(f *snapshot.FieldSelector) { f.NotEquals = []string{one} }), "s3:GetObject", objects, recordedPart},
		{"advanced, all but this object", arn(func(f *snapshot.FieldSelector) { f.NotEquals = []string{one} }), "s3:GetObject", one, recordedNo},
		{"advanced, the bucket but not a part of it", arn(func(f *snapshot.FieldSelector) {
			f.StartsWith, f.NotStartsWith = []string{"arn:aws:s3:::data/"}, []string{"arn:aws:s3:::data/in/tmp/"}
		}), "s3:GetObject", objects, recordedPart},
		{"advanced, a field that is not modelled", advanced(field("userIdentity.arn", func(f *snapshot.FieldSelector) {
			f.NotStartsWith = []string{"arn:aws:sts::123456789012:assumed-role/trainer"}
		})),
			"s3:GetObject", objects, recordedUnknown},
		{"advanced, such a field and a selector without", func() snapshot.Trail {
			trail := advanced(equals("sessionCredentialFromConsole", "true"))
			trail.Advanced = append(trail.Advanced, advanced().Advanced...)
			return trail
		}(), "s3:GetObject", objects, recordedYes},

		{"switched off", func() snapshot.Trail {
			trail := basic("All", "arn:aws:s3")
			trail.StoppedAt = now
			return trail
		}(), "s3:GetObject", objects, recordedNo},
		{"its selectors were not read", snapshot.Trail{Unread: []string{"selectors"}}, "s3:GetObject", objects, recordedUnknown},
	} {
		tt.trail.Name, tt.trail.HomeRegion, tt.trail.Logging = "t", "us-east-1", tt.trail.StoppedAt.IsZero()
		s := world()
		s.Trails = []snapshot.Trail{tt.trail}
		i, known := actions.Load().Index(tt.action)
		if !known {
			t.Fatalf("%s: no action %s", tt.name, tt.action)
		}
		got := readTrail(s, &s.Trails[0]).of(eventClass{visibility: actions.VisibilityOf(tt.action), readOnly: actions.Load().IsReadOnly(i), resource: tt.resource})
		if got.verdict != tt.want {
			t.Errorf("%s: %v (%s), want %v", tt.name, got.verdict, got.why, tt.want)
		}
	}
}

// TestRecordedSince: selectors have no history, so a recording is as old as the last
// change of its trail that Event history shows.
func TestRecordedSince(t *testing.T) {
	change := func(name, param string, days int, errorCode string) snapshot.Usage {
		u := use("cloudtrail.amazonaws.com", name, errorCode)
		u.Role, u.Caller = snapshot.RoleKey{}, "arn:aws:iam::123456789012:user/alice"
		if name == "PutEventSelectors" {
			u.Params.TrailName = param
		} else {
			u.Params.Name = param
		}
		u.First = now.AddDate(0, 0, -days)
		u.Last = u.First
		return u
	}
	const arn = "arn:aws:cloudtrail:us-east-1:123456789012:trail/t"
	for _, tt := range []struct {
		name   string
		change func(*snapshot.Snapshot)
		days   int // 0: not known, -1: the whole window
	}{
		{"never changed", func(s *snapshot.Snapshot) {}, -1},
		{"its selectors", func(s *snapshot.Snapshot) { s.Usage = []snapshot.Usage{change("PutEventSelectors", "t", 10, "")} }, 10},
		{"by its ARN", func(s *snapshot.Snapshot) { s.Usage = []snapshot.Usage{change("PutEventSelectors", arn, 10, "")} }, 10},
		{"the last of several", func(s *snapshot.Snapshot) {
			s.Usage = []snapshot.Usage{change("StartLogging", arn, 3, ""), change("UpdateTrail", "t", 30, "")}
		}, 3},
		{"a change that was refused", func(s *snapshot.Snapshot) {
			s.Usage = []snapshot.Usage{change("PutEventSelectors", "t", 10, "AccessDenied")}
		}, -1},
		{"another trail's", func(s *snapshot.Snapshot) {
			s.Usage = []snapshot.Usage{change("PutEventSelectors", "u", 10, "")}
		}, -1},
		{"started within the window", func(s *snapshot.Snapshot) { s.Trails[0].StartedAt = now.AddDate(0, 0, -20) }, 20},
		{"the history of its home was not read", func(s *snapshot.Snapshot) { s.Coverage[0].Complete = false }, 0},
		{"the same, but the status tells of a start", func(s *snapshot.Snapshot) {
			s.Coverage[0].Complete = false
			s.Trails[0].StartedAt = now.AddDate(0, 0, -20)
		}, 20},
	} {
		s := world()
		s.Trails = []snapshot.Trail{{ARN: arn, Name: "t", HomeRegion: "us-east-1", Logging: true, StartedAt: now.AddDate(-1, 0, 0)}}
		tt.change(s)
		at, whole := readTrail(s, &s.Trails[0]).since()
		want := time.Time{}
		if tt.days > 0 {
			want = now.AddDate(0, 0, -tt.days)
		}
		if whole != (tt.days < 0) || !whole && !at.Equal(want) {
			t.Errorf("%s: since %s, whole %v", tt.name, at, whole)
		}
	}
}

// TestRecordings: the trails in the report's words.
func TestRecordings(t *testing.T) {
	s := world(allow("*", "*"))
	s.Trails = []snapshot.Trail{
		{ARN: "arn:1", Name: "one", HomeRegion: "us-east-1", MultiRegion: true, Logging: true, StartedAt: now.AddDate(-1, 0, 0),
			Selectors: []snapshot.EventSelector{{ReadWrite: "WriteOnly", Management: true, ExcludedSources: []string{"kms.amazonaws.com"}}}},
		{ARN: "arn:2", Name: "two", HomeRegion: "us-east-1", MultiRegion: true,
			Advanced: []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management"), field("eventSource", func(f *snapshot.FieldSelector) { f.NotEquals = []string{"kms.amazonaws.com"} })}}}},
		{ARN: "arn:3", Name: "three", HomeRegion: "us-east-1", Logging: true, StartedAt: now.AddDate(-1, 0, 0), DeliveryError: "NoSuchBucket",
			Advanced: []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Data"), equals("resources.type", "AWS::S3::Object"), equals("readOnly", "false"),
				field("resources.ARN", func(f *snapshot.FieldSelector) { f.StartsWith = []string{"arn:aws:s3:::data/"} })}},
				{Fields: []snapshot.FieldSelector{equals("eventCategory", "NetworkActivity"), equals("vpcEndpointId", "vpce-1")}}}},
	}
	s.Coverage = append(s.Coverage, snapshot.Coverage{Source: snapshot.SourceTrails, Region: "us-east-1", Complete: true})
	r := analyzed(t, s)
	want := []report.Recording{
		{EventClass: "management", Access: "write", Without: []string{"kms.amazonaws.com"}, Understood: true, Whole: true},
		{EventClass: "management", Access: "all", Without: []string{"kms.amazonaws.com"}, Understood: true, Note: "the trail is switched off"},
		{EventClass: "data", Access: "write", ResourceType: "AWS::S3::Object", Scope: []string{"arn:aws:s3:::data/"}, Understood: true, Whole: true, Note: "its last delivery failed: NoSuchBucket"},
		{EventClass: "networkactivity", Access: "all", Whole: true},
	}
	var got []report.Recording
	for _, trail := range r.Trails {
		got = append(got, trail.Records...)
	}
	if len(got) != len(want) {
		t.Fatalf("%d recordings, want %d: %+v", len(got), len(want), got)
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.EventClass != w.EventClass || g.Access != w.Access || g.ResourceType != w.ResourceType || !slices.Equal(g.Scope, w.Scope) || !slices.Equal(g.Without, w.Without) ||
			g.Understood != w.Understood || g.Whole != w.Whole || w.Note != "" && g.Note != w.Note {
			t.Errorf("recording %d: %+v, want %+v", i, g, w)
		}
	}
	if i := slices.IndexFunc(r.BlindSpots, func(b report.BlindSpot) bool { return b.What == "Management events older than 90 days" }); i < 0 ||
		!strings.Contains(r.BlindSpots[i].Reason, "trail one logs writes only and leaves out kms.amazonaws.com") {
		t.Errorf("blind spots %+v", r.BlindSpots)
	}
}
