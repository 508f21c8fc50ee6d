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

const oneTrail = "arn:aws:cloudtrail:us-east-1:123456789012:trail/one"

// filed is a world whose usage was read from the log files of one trail, of all
// management events and the data events of one bucket, for the whole window.
func filed(policies ...string) *snapshot.Snapshot {
	s := world(policies...)
	s.Asked = snapshot.Asked{Usage: "files", Sources: []string{"trail"}}
	s.Trails = []snapshot.Trail{{ARN: oneTrail, Name: "one", HomeRegion: "us-east-1", MultiRegion: true, GlobalEvents: true, Logging: true,
		Bucket: "logs", StartedAt: now.AddDate(-1, 0, 0), DeliveredAt: now,
		Selectors: []snapshot.EventSelector{{ReadWrite: "All", Management: true, Data: []snapshot.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::data/"}}}}}}}
	s.Coverage = []snapshot.Coverage{{Source: snapshot.SourceTrail, Region: "us-east-1", EventClasses: []string{"data", "management"}, Scope: "s3://logs/", Trail: oneTrail,
		Asked: s.Window, Covered: s.Window, Complete: true},
		{Source: snapshot.SourceTrails, Region: "us-east-1", Scope: snapshot.ScopeAll, Complete: true}}
	return s
}

// TestObservableFromLogFiles: what would have been seen, where log files were read.
func TestObservableFromLogFiles(t *testing.T) {
	const inside, outside, all = "arn:aws:s3:::data/in/*", "arn:aws:s3:::other/*", "*"
	lookup := func(s *snapshot.Snapshot, w snapshot.Window) {
		s.Coverage = append(s.Coverage, snapshot.Coverage{Source: snapshot.SourceLookup, Region: "us-east-1", EventClasses: []string{"management"}, Scope: snapshot.ScopeAll, Asked: w, Covered: w, Complete: true})
	}
	selector := func(s *snapshot.Snapshot) *snapshot.EventSelector { return &s.Trails[0].Selectors[0] }
	part := func(s *snapshot.Snapshot, from int) snapshot.Window {
		return snapshot.Window{From: s.Window.From.AddDate(0, 0, from), To: s.Window.To}
	}
	changed := func(s *snapshot.Snapshot, days int) {
		u := use("cloudtrail.amazonaws.com", "PutEventSelectors", "")
		u.Params.TrailName, u.First, u.Last, u.Source = oneTrail, now.AddDate(0, 0, -days), now.AddDate(0, 0, -days), snapshot.SourceTrail
		s.Usage = append(s.Usage, u)
	}
	second := func(s *snapshot.Snapshot) {
		s.Regions = snapshot.Regions{Read: []string{"eu-west-1", "us-east-1"}, Enabled: []string{"eu-west-1", "us-east-1"}}
	}
	for _, tt := range []struct {
		name   string
		change func(*snapshot.Snapshot)
		// why the calls would not be seen, a part of it; empty if they would
		management, kms, read, write, other, any string
	}{
		{"all is read", nil, "", "", "", "", "data events only", "data events only"},
		{"nobody knows which trail wrote them", func(s *snapshot.Snapshot) { s.Coverage[0].Trail = "" },
			"which trail wrote the log files", "which trail", "whose log files were not read", "whose log files were not read", "data events only", "data events only"},
		{"Event history beside it", func(s *snapshot.Snapshot) { s.Coverage[0].Trail = ""; lookup(s, s.Window) },
			"", "", "whose log files were not read", "whose log files were not read", "data events only", "data events only"},
		{"the files begin later", func(s *snapshot.Snapshot) { s.Coverage[0].Covered = part(s, 30) },
			"no source that was read tells all of region us-east-1", "no source", "since a time that is not known", "since a time", "data events only", "data events only"},
		{"Event history tells the beginning", func(s *snapshot.Snapshot) {
			s.Coverage[0].Covered = part(s, 30)
			lookup(s, snapshot.Window{From: s.Window.From, To: part(s, 30).From})
		}, "", "", "not read for the whole window", "not read for the whole window", "data events only", "data events only"},
		{"a day is missing", func(s *snapshot.Snapshot) {
			c := s.Coverage[0]
			c.Covered = part(s, 30)
			s.Coverage[0].Covered.To = part(s, 29).From
			s.Coverage = append(s.Coverage, c)
		}, "no source", "no source", "since a time", "since a time", "data events only", "data events only"},
		{"two halves", func(s *snapshot.Snapshot) {
			c := s.Coverage[0]
			c.Covered = part(s, 30)
			s.Coverage[0].Covered.To = part(s, 30).From
			s.Coverage = append(s.Coverage, c)
		}, "", "", "", "", "data events only", "data events only"},
		{"the files were not all read", func(s *snapshot.Snapshot) { s.Coverage[0].Complete = false },
			"no source", "no source", "whose log files were not read", "not read", "data events only", "data events only"},
		{"a region was not read", func(s *snapshot.Snapshot) { s.Regions.Enabled = []string{"eu-west-1", "us-east-1"} },
			"region eu-west-1 was not read", "region eu-west-1", "every region", "every region", "data events only", "data events only"},
		{"a region has no files", second, "no source that was read tells all of region eu-west-1", "no source", "not read for the whole window and every region", "every region", "data events only", "data events only"},
		{"the same, and the bucket's region is known", func(s *snapshot.Snapshot) {
			second(s)
			s.Resources = []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::data", Region: "us-east-1"}}
		}, "no source that was read tells all of region eu-west-1", "no source", "", "", "data events only", "data events only"},
		{"the bucket is in another region than the trail", func(s *snapshot.Snapshot) {
			second(s)
			lookup(s, s.Window)
			s.Trails[0].MultiRegion = false
			s.Resources = []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::data", Region: "eu-west-1"}}
		}, "no source", "no source", "every region", "every region", "data events only", "data events only"},
		{"management writes only", func(s *snapshot.Snapshot) { selector(s).ReadWrite = "WriteOnly" },
			"trail one logs writes only", "trail one", "data events only", "", "data events only", "data events only"},
		{"reads only", func(s *snapshot.Snapshot) { selector(s).ReadWrite = "ReadOnly" },
			"trail one logs reads only", "trail one", "since a time that is not known", "data events only", "data events only", "data events only"},
		{"KMS left out", func(s *snapshot.Snapshot) { selector(s).ExcludedSources = []string{"kms.amazonaws.com"} },
			"", "trail one leaves out kms.amazonaws.com", "", "", "data events only", "data events only"},
		{"something else left out", func(s *snapshot.Snapshot) { selector(s).ExcludedSources = []string{"x.amazonaws.com"} },
			"trail one leaves out x.amazonaws.com", "leaves out", "", "", "data events only", "data events only"},
		{"data events only", func(s *snapshot.Snapshot) { selector(s).Management = false },
			"records no management events", "records no management events", "since a time", "since a time", "data events only", "data events only"},
		{"data events only, Event history beside it", func(s *snapshot.Snapshot) { selector(s).Management = false; lookup(s, s.Window) },
			"", "", "", "", "data events only", "data events only"},
		{"the selectors were changed within the window", func(s *snapshot.Snapshot) { changed(s, 10) },
			"no source", "no source", "since 2026-10-21 (10 of 90 days)", "since 2026-10-21", "data events only", "data events only"},
		{"changed, Event history beside it", func(s *snapshot.Snapshot) { changed(s, 10); lookup(s, s.Window) },
			"", "", "since 2026-10-21 (10 of 90 days)", "since 2026-10-21", "data events only", "data events only"},
		{"changed before the window", func(s *snapshot.Snapshot) { changed(s, 100) }, "", "", "", "", "data events only", "data events only"},
		{"started within the window", func(s *snapshot.Snapshot) { s.Trails[0].StartedAt = now.AddDate(0, 0, -20) },
			"no source", "no source", "since 2026-10-11", "since 2026-10-11", "data events only", "data events only"},
		{"switched off since", func(s *snapshot.Snapshot) { s.Trails[0].Logging = false }, "", "", "data events only", "data events only", "data events only", "data events only"},
		{"an organization's trail", func(s *snapshot.Snapshot) {
			s.Trails[0].Organization = true
			s.Trails[0].ARN = strings.Replace(oneTrail, account, "999988887777", 1)
			s.Coverage[0].Trail = s.Trails[0].ARN
		}, "trail one is another account's", "another account's", "since a time that is not known", "since a time", "data events only", "data events only"},
		{"the organization's trail, made here", func(s *snapshot.Snapshot) { s.Trails[0].Organization = true }, "", "", "", "", "data events only", "data events only"},
		{"every bucket", func(s *snapshot.Snapshot) { selector(s).Data[0].Values = []string{"arn:aws:s3"} }, "", "", "", "", "", "data events only"},
		{"every bucket and every access point", func(s *snapshot.Snapshot) {
			data := func(kind string) snapshot.AdvancedSelector {
				return snapshot.AdvancedSelector{Fields: []snapshot.FieldSelector{equals("eventCategory", "Data"), equals("resources.type", kind)}}
			}
			s.Trails[0].Selectors = nil
			s.Trails[0].Advanced = []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management")}}, data("AWS::S3::Object"), data("AWS::S3::AccessPoint")}
		}, "", "", "", "", "", ""},
		{"a field that is not modelled", func(s *snapshot.Snapshot) {
			s.Trails[0].Selectors = nil
			s.Trails[0].Advanced = []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management"), equals("userIdentity.arn", "x")}}}
		}, "records a part of them", "records a part", "data events only", "data events only", "data events only", "data events only"},
		{"its selectors were not read", func(s *snapshot.Snapshot) { s.Trails[0].Unread = []string{"selectors"} },
			"records what could not be read", "could not be read", "data events only", "data events only", "data events only", "data events only"},
	} {
		s := filed()
		if tt.change != nil {
			tt.change(s)
		}
		o := newObserver(s)
		for _, q := range []struct{ action, resource, want string }{
			{"sqs:CreateQueue", "*", tt.management}, {"kms:Decrypt", "*", tt.kms}, {"s3:GetObject", inside, tt.read}, {"s3:PutObject", inside, tt.write},
			{"s3:GetObject", outside, tt.other}, {"s3:GetObject", all, tt.any},
		} {
			i, known := actions.Load().Index(q.action)
			if !known {
				t.Fatal(q.action)
			}
			if got := o.whyNotSeen(i, q.action, []string{q.resource}); (got == "") != (q.want == "") || !strings.Contains(got, q.want) {
				t.Errorf("%s: %s on %s: %q, want %q", tt.name, q.action, q.resource, got, q.want)
			}
		}
	}
}

// TestRecordsManagement: which trails' files stand for all management events.
func TestRecordsManagement(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*snapshot.Trail)
		want   bool
	}{
		{"all", func(*snapshot.Trail) {}, true},
		{"writes", func(t *snapshot.Trail) { t.Selectors[0].ReadWrite = "WriteOnly" }, false},
		{"none", func(t *snapshot.Trail) { t.Selectors[0].Management = false }, false},
		{"not KMS", func(t *snapshot.Trail) { t.Selectors[0].ExcludedSources = []string{"kms.amazonaws.com"} }, false},
		{"not the RDS Data API", func(t *snapshot.Trail) { t.Selectors[0].ExcludedSources = []string{"rdsdata.amazonaws.com"} }, false},
		{"no global services", func(t *snapshot.Trail) { t.GlobalEvents = false }, false},
		{"not known", func(t *snapshot.Trail) { t.Unread = []string{"selectors"} }, false},
		{"one of two selectors", func(t *snapshot.Trail) {
			t.Selectors = append([]snapshot.EventSelector{{ReadWrite: "ReadOnly", Management: true}}, t.Selectors...)
		}, true},
		{"advanced", func(t *snapshot.Trail) {
			t.Selectors, t.Advanced = nil, []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management")}}}
		}, true},
		{"advanced, reads", func(t *snapshot.Trail) {
			t.Selectors, t.Advanced = nil, []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management"), equals("readOnly", "true")}}}
		}, false},
		{"advanced, one source", func(t *snapshot.Trail) {
			t.Selectors, t.Advanced = nil, []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Management"), equals("eventSource", "s3.amazonaws.com")}}}
		}, false},
		{"advanced, data", func(t *snapshot.Trail) {
			t.Selectors, t.Advanced = nil, []snapshot.AdvancedSelector{{Fields: []snapshot.FieldSelector{equals("eventCategory", "Data")}}}
		}, false},
		{"advanced, without a field", func(t *snapshot.Trail) { t.Selectors, t.Advanced = nil, []snapshot.AdvancedSelector{{}} }, false},
	} {
		trail := filed().Trails[0]
		trail.Selectors = slices.Clone(trail.Selectors)
		tt.change(&trail)
		if got := RecordsManagement(&trail); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// TestUnusedByLogFiles: an action that a role is granted on a logged bucket alone, and
// never called there, is unused; beside it nothing changes.
func TestUnusedByLogFiles(t *testing.T) {
	verdict := func(s *snapshot.Snapshot, action string) string {
		t.Helper()
		r := analyzed(t, s).Roles[0]
		for _, u := range r.Unused.Services {
			if slices.Contains(u.Actions, action) {
				return "unused"
			}
		}
		for _, u := range r.Unobservable.Services {
			if slices.Contains(u.Actions, action) {
				return "unobservable"
			}
		}
		return "neither"
	}
	for _, tt := range []struct{ resource, action, want string }{
		{"arn:aws:s3:::data/*", "s3:DeleteObject", "unused"},
		{"arn:aws:s3:::data/*", "s3:GetObject", "unused"},
		{"arn:aws:s3:::data", "s3:ListBucket", "unused"},
		{"arn:aws:s3:::other/*", "s3:DeleteObject", "unobservable"},
		{"arn:aws:s3:::dat*", "s3:DeleteObject", "unobservable"},
		{"*", "s3:DeleteObject", "unobservable"},
	} {
		if got := verdict(filed(allow(tt.action, tt.resource)), tt.action); got != tt.want {
			t.Errorf("%s on %s, from log files: %s, want %s", tt.action, tt.resource, got, tt.want)
		}
		if got := verdict(world(allow(tt.action, tt.resource)), tt.action); got != "unobservable" {
			t.Errorf("%s on %s, from Event history: %s", tt.action, tt.resource, got)
		}
	}
	s := filed(allow("s3:GetObject", "arn:aws:s3:::data/*"))
	s.Window.From = s.Window.From.Add(-time.Hour)
	if got := verdict(s, "s3:GetObject"); got != "unobservable" {
		t.Errorf("an hour of the window is not covered: %s", got)
	}
}

// TestCollapsedUse: objects that were too many to keep by name are a use of what their
// names begin with; where that is wider than the grant the action is used all the same.
func TestCollapsedUse(t *testing.T) {
	for keys, want := range map[string]struct{ used, proposed string }{
		"in/2026/*": {"arn:aws:s3:::data/in/2026/*", "arn:aws:s3:::data/in/2026/*"},
		"in/*":      {"arn:aws:s3:::data/in/*", "arn:aws:s3:::data/in/*"},
		"*":         {"arn:aws:s3:::data/*", "arn:aws:s3:::data/in/*"},
	} {
		s := filed(allow("s3:GetObject", "arn:aws:s3:::data/in/*"))
		u := use("s3.amazonaws.com", "GetObject", "")
		u.Category, u.ReadOnly, u.Source, u.Count = "Data", true, snapshot.SourceTrail, 5000
		u.Params = snapshot.Params{BucketName: "data", Keys: keys}
		s.Usage = append(s.Usage, u)
		r := analyzed(t, s).Roles[0]
		if len(r.Used) != 1 || r.Used[0].Count != 5000 || !slices.Equal(r.Used[0].Resources, []string{want.used}) || r.Used[0].Verdict != report.VerdictUsed ||
			r.Used[0].Evidence[0].Source != snapshot.SourceTrail {
			t.Errorf("%s: used %+v", keys, r.Used)
		}
		if len(r.Proposal.Policies) != 1 || !strings.Contains(string(r.Proposal.Policies[0].Document), `"Resource": "`+want.proposed+`"`) {
			t.Errorf("%s: proposed %s", keys, r.Proposal.Policies[0].Document)
		}
	}
}
