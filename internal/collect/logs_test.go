package collect

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const allTrail = "arn:aws:cloudtrail:us-east-1:123456789012:trail/all"

// everything is a trail of all events, in all regions.
func everything() awssim.Trail {
	data := func(kind string) awssim.AdvancedEventSelector {
		return awssim.AdvancedEventSelector{FieldSelectors: []awssim.FieldSelector{{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.type", Equals: []string{kind}}}}
	}
	return awssim.Trail{Name: "all", MultiRegion: true, Bucket: "trail-logs", KeyPrefix: "central", StartedAt: now.Add(-800 * day), Advanced: []awssim.AdvancedEventSelector{
		{FieldSelectors: []awssim.FieldSelector{{Field: "eventCategory", Equals: []string{"Management"}}}}, data("AWS::S3::Object"), data("AWS::DynamoDB::Table")}}
}

// logged is the sample account with one trail of everything.
func logged() *awssim.Account {
	a := awssim.Sample()
	a.Trails = []awssim.Trail{everything()}
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "trail-logs", Region: "eu-west-1"})
	return a
}

// daily is a small account with one trail of everything in two regions: something
// happens every day, and a role calls in both, lately and long ago, and reads an object.
func daily() *awssim.Account {
	a := loggedFaultyAccount()
	a.Trails[0].KMSKey = ""
	trainer := &a.Roles[0]
	for _, ago := range []int{2, 20, 60, 80} {
		at := now.Add(-time.Duration(ago)*day - 2*time.Hour)
		for _, r := range a.Regions {
			a.Events = append(a.Events, awssim.Record{EventTime: at, AWSRegion: r.Name, EventSource: "ssm.amazonaws.com", EventName: "GetParameter", ReadOnly: true,
				UserIdentity: a.Session(trainer, "SageMaker", at), RequestParameters: map[string]any{"name": "/x"}})
		}
		a.Events = append(a.Events, awssim.Record{EventTime: at, AWSRegion: "us-east-1", EventSource: "s3.amazonaws.com", EventName: "GetObject", ReadOnly: ago > 20, EventCategory: "Data",
			UserIdentity: a.Session(trainer, "SageMaker", at), RequestParameters: map[string]any{"bucketName": "data", "key": "k"},
			Resources: []awssim.ResourceARN{{ARN: "arn:aws:s3:::data/k", Type: "AWS::S3::Object"}}})
	}
	return a
}

// ofLogs reads usage from log files alone.
func ofLogs(o Options, sources ...string) Options {
	o.Usage = UsageNone
	return withLogs(o, sources...)
}

func withLogs(o Options, sources ...string) Options {
	o.RecordsManagement, o.Logs = analyze.RecordsManagement, nil
	for _, text := range sources {
		s, err := ParseLogSource(text)
		if err != nil {
			panic(err)
		}
		o.Logs = append(o.Logs, s)
	}
	return o
}

// folder copies the log files of a trail into a folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for key, body := range files {
		path := filepath.Join(dir, filepath.FromSlash(key))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// usageOf is the usage of some categories of events, wherever it was read.
func usageOf(s *snapshot.Snapshot, categories ...string) []snapshot.Usage {
	var all []snapshot.Usage
	for _, u := range s.Usage {
		if len(categories) == 0 || slices.Contains(categories, u.Category) {
			u.Source = ""
			all = append(all, u)
		}
	}
	return all
}

// The same log files read as a folder and from a bucket, and their management events
// through LookupEvents, are the same usage.
func TestUsageIsTheSameFromEverySource(t *testing.T) {
	account := logged()
	server, o := serve(t, account)
	history := collected(t, o)
	server.Reset()
	bucket := collected(t, ofLogs(o, "trail"))
	if n := server.Requests(opLookup); n > 0 {
		t.Errorf("%d LookupEvents calls beside log files", n)
	}
	sameCalls(t, server, bucket)
	named := collected(t, ofLogs(o, "s3://trail-logs/central"))
	dir := collected(t, ofLogs(o, "dir:"+folder(t, account.LogFiles(&account.Trails[0]))))
	if !history.Complete() || !bucket.Complete() || !named.Complete() {
		t.Errorf("gaps %q", slices.Concat(gapsOf(history), gapsOf(bucket), gapsOf(named)))
	}
	if len(usageOf(bucket, "Data")) == 0 || len(usageOf(history, "Management")) < 100 {
		t.Fatalf("%d groups of data events, %d of management events: too few to show anything", len(usageOf(bucket, "Data")), len(usageOf(history, "Management")))
	}
	if d := gocmp.Diff(usageOf(history, "Management"), usageOf(bucket, "Management")); d != "" {
		t.Errorf("management events (-LookupEvents +trail):\n%s", d)
	}
	if d := gocmp.Diff(usageOf(bucket), usageOf(dir)); d != "" {
		t.Errorf("usage (-trail +dir):\n%s", d)
	}
	if d := gocmp.Diff(usageOf(bucket), usageOf(named)); d != "" {
		t.Errorf("usage (-trail +s3):\n%s", d)
	}
	for s, source := range map[*snapshot.Snapshot]string{bucket: snapshot.SourceTrail, named: snapshot.SourceBucket, dir: snapshot.SourceFolder, history: snapshot.SourceLookup} {
		for _, u := range s.Usage {
			if u.Source != source {
				t.Fatalf("usage of %s from %s", source, u.Source)
			}
		}
	}
	t.Logf("%d groups of management events, %d of data events", len(usageOf(bucket, "Management")), len(usageOf(bucket, "Data")))
}

// rows are the coverage of usage as "source region classes covered", days counted.
func rows(s *snapshot.Snapshot) []string {
	var out []string
	for _, c := range s.Coverage {
		if len(c.EventClasses) == 0 || c.Scope == scopeCreations {
			continue
		}
		text := c.Source + " " + c.Region + " " + strings.Join(c.EventClasses, ",") + " " + c.Asked.From.Format("01-02T15") + ".." + c.Asked.To.Format("01-02T15")
		if !c.Complete {
			text += " not"
		}
		out = append(out, text)
	}
	return out
}

// Both asked for, Event history is asked for what the files do not tell, and nothing
// else: not at all where they tell everything.
func TestOneSourceForEachTime(t *testing.T) {
	alone := func(change func(*awssim.Trail), more ...func(*awssim.Account)) *awssim.Account {
		a := daily()
		if change != nil {
			change(&a.Trails[0])
		}
		for _, m := range more {
			m(a)
		}
		return a
	}
	full := []string{"us-east-1", "eu-west-1"}
	for _, tt := range []struct {
		name    string
		account *awssim.Account
		source  string
		lookups []string // regions in which Event history was asked
		from    map[string]bool
	}{
		{"the files tell everything", alone(nil), "trail", nil, map[string]bool{"trail": true}},
		{"the bucket is named", alone(nil), "s3://trail-logs", nil, map[string]bool{"s3": true}},
		{"a trail of one region", alone(func(t *awssim.Trail) { t.MultiRegion = false }), "trail", full[1:], map[string]bool{"trail": true, snapshot.SourceLookup: true}},
		{"writes alone", alone(func(t *awssim.Trail) {
			t.Advanced, t.Selectors = nil, []awssim.EventSelector{{ReadWriteType: "WriteOnly", DataResources: []awssim.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3"}}}}}
		}), "trail", full, map[string]bool{"trail": true, snapshot.SourceLookup: true}},
		{"started a month ago", alone(func(t *awssim.Trail) { t.StartedAt = now.Add(-30*day - 5*time.Hour) }), "trail", full, map[string]bool{"trail": true, snapshot.SourceLookup: true}},
		{"switched off a month ago", alone(func(t *awssim.Trail) { t.Stopped, t.StoppedAt = true, now.Add(-30*day) }), "trail", full, map[string]bool{"trail": true, snapshot.SourceLookup: true}},
		{"not delivered in a region", alone(func(t *awssim.Trail) { t.Undelivered = map[string]string{"eu-west-1": "AccessDenied"} }), "trail", full[1:], map[string]bool{"trail": true, snapshot.SourceLookup: true}},
		{"an organization's", alone(func(t *awssim.Trail) { t.Organization, t.Owner = true, "999988887777" }, func(a *awssim.Account) {
			a.Buckets = append(a.Buckets, awssim.Bucket{Name: "org-logs", Owner: "999988887777", Shared: true})
			a.Trails[0].Bucket = "org-logs"
		}), "trail", full, map[string]bool{"trail": true, snapshot.SourceLookup: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, o := serve(t, tt.account)
			want := collected(t, o)
			server.Reset()
			s := collected(t, withLogs(o, tt.source))
			if !s.Complete() {
				t.Errorf("gaps %q", gapsOf(s))
			}
			if d := gocmp.Diff(summed(usageOf(want, "Management")), summed(usageOf(s, "Management"))); d != "" {
				t.Errorf("management events (-LookupEvents +both):\n%s", d)
			}
			from := make(map[string]bool)
			for _, u := range s.Usage {
				from[u.Source] = true
			}
			if !maps.Equal(from, tt.from) {
				t.Errorf("usage of %v, want %v", from, tt.from)
			}
			for _, c := range server.Counts() {
				if c.Operation == opLookup && !slices.Contains(tt.lookups, c.Region) {
					t.Errorf("%d LookupEvents calls in %s", c.Requests, c.Region)
				}
			}
			if n := server.Requests(opLookup); (n == 0) != (len(tt.lookups) == 0) {
				t.Errorf("%d LookupEvents calls", n)
			}
			for _, region := range full {
				var told []snapshot.Window
				for _, c := range s.Coverage {
					if c.Region == region && c.Complete && slices.Contains(c.EventClasses, "management") && c.Scope != scopeCreations {
						told = append(told, c.Covered)
					}
				}
				if left := s.Window.Without(told...); len(left) > 0 {
					t.Errorf("%s: nothing tells of %v\n%s", region, left, strings.Join(rows(s), "\n"))
				}
			}
		})
	}
}

// A region without files is one where nothing happened only where the trail says that it
// delivers in that very region.
func TestQuietRegion(t *testing.T) {
	for _, tt := range []struct {
		name, fault, failure string
		covered              bool
		gaps                 []string
	}{
		{"it delivers", "", "", true, nil},
		{"it cannot deliver there", "", "NoSuchBucket", false, []string{"trail eu-west-1 management events usage short"}},
		{"it was not asked", "cloudtrail:GetTrailStatus refuse region=eu-west-1", "", false,
			[]string{"cloudtrail:GetTrailStatus eu-west-1 " + allTrail + " detail refused", "trail eu-west-1 management events usage short"}},
		{"it does not say", "cloudtrail:GetTrailStatus empty region=eu-west-1", "", false,
			[]string{"cloudtrail:GetTrailStatus eu-west-1 " + allTrail + " detail broken", "trail eu-west-1 management events usage short"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := daily()
			a.Events = slices.DeleteFunc(a.Events, func(r awssim.Record) bool { return r.AWSRegion == "eu-west-1" })
			if tt.failure != "" {
				a.Trails[0].Undelivered = map[string]string{"eu-west-1": tt.failure}
			}
			server, o := serve(t, a)
			if tt.fault != "" {
				if err := server.SetFault(tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			s := collected(t, ofLogs(o, "trail"))
			if d := gocmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			for _, c := range s.Coverage {
				if c.Trail == "" {
					continue
				}
				if c.Complete != (c.Region == "us-east-1" || tt.covered) {
					t.Errorf("%s: %+v", c.Region, c)
				}
			}
			if got := s.Trails[0].StatusIn("eu-west-1"); (got != nil) != (tt.fault == "") || got != nil && got.DeliveryError != tt.failure {
				t.Errorf("status in eu-west-1: %+v", got)
			}
		})
	}
}

// summed adds up the groups that differ in their source alone.
func summed(usage []snapshot.Usage) []snapshot.Usage {
	out := merged(slices.Clone(usage))
	slices.SortFunc(out, func(a, b snapshot.Usage) int { return cmp.Or(a.UseKey.Compare(b.UseKey), a.First.Compare(b.First)) })
	return out
}

// Of a bucket that many accounts share, the account's own log files are read, of the
// regions and days that are asked for, and nothing else, broken or not.
func TestOnlyOwnFiles(t *testing.T) {
	a := daily()
	broken := make(map[string]string)
	for _, key := range []string{
		"central/AWSLogs/999988887777/CloudTrail/us-east-1/2026/10/30/999988887777_CloudTrail_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/o-exampleorgid/123456789012/CloudTrail/us-east-1/2026/10/30/123456789012_CloudTrail_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/123456789012/CloudTrail/us-east-1/2025/10/30/123456789012_CloudTrail_us-east-1_20251030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/123456789012/CloudTrail/us-east-1/2026/06/30/123456789012_CloudTrail_us-east-1_20260630T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/123456789012/CloudTrail/ap-east-1/2026/10/30/123456789012_CloudTrail_ap-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/123456789012/CloudTrail-Insight/us-east-1/2026/10/30/123456789012_CloudTrail-Insight_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"central/AWSLogs/123456789012/elasticloadbalancing/us-east-1/2026/10/30/x.log.gz",
		"other/AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/30/123456789012_CloudTrail_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
	} {
		broken[key] = "broken"
	}
	a.Buckets[len(a.Buckets)-1].Objects = broken
	server, o := serve(t, a)
	want := collected(t, o)
	files := func(region string) int {
		n := 0
		for key := range a.LogFiles(&a.Trails[0]) {
			_, rest, ok := strings.Cut(key, "/CloudTrail/"+region+"/")
			if ok && rest >= o.Now().Add(-90*day).Format("2006/01/02") {
				n++
			}
		}
		return n
	}
	for _, tt := range []struct {
		regions []string
		files   int
	}{{nil, files("us-east-1") + files("eu-west-1")}, {[]string{"eu-west-1"}, files("eu-west-1")}} {
		server.Reset()
		o.Regions = tt.regions
		s := collected(t, ofLogs(o, "trail"))
		if !s.Complete() {
			t.Errorf("gaps %q", gapsOf(s))
		}
		if n := server.Requests(opGetObject); n != tt.files || n == 0 {
			t.Errorf("%v: %d objects were read, want %d", tt.regions, n, tt.files)
		}
		if d := gocmp.Diff(len(usageOf(want, "Management")), len(usageOf(s, "Management"))); d != "" && tt.regions == nil {
			t.Errorf("usage (-LookupEvents +trail): %s", d)
		}
	}
	// A prefix that holds more than a trail's files: the rest has no trail that is known,
	// and is read as well.
	o.Regions = []string{"us-east-1"}
	s := collected(t, ofLogs(o, "s3://trail-logs"))
	var gaps []string
	for _, g := range s.Gaps {
		if g.Source == snapshot.SourceBucket && g.Reason == snapshot.ReasonBroken {
			gaps = append(gaps, g.Scope)
		}
	}
	if d := gocmp.Diff([]string{
		"s3://trail-logs/central/AWSLogs/o-exampleorgid/123456789012/CloudTrail/us-east-1/2026/10/30/123456789012_CloudTrail_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
		"s3://trail-logs/other/AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/30/123456789012_CloudTrail_us-east-1_20261030T1205Z_aaaaaaaaaaaaaaaa.json.gz",
	}, gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}

// A role that nothing names but a refused CreateTrainingJob comes into scope by the log
// files as it does by Event history, with its own calls.
func TestRoleThatOnlyLogFilesName(t *testing.T) {
	account := func() *awssim.Account {
		a := daily()
		hidden := awssim.Role{Name: "hidden", CreateDate: now.Add(-400 * day), Trust: `{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`,
			Inline: []awssim.InlinePolicy{{Name: "x", Document: `{"Statement":{"Effect":"Allow","Action":"sqs:*","Resource":"*"}}`}}}
		a.Roles = append(a.Roles, hidden)
		c := creation(a, &hidden, "never-was", now.Add(-40*day))
		c.ErrorCode, c.ErrorMessage = "ValidationException", "no"
		a.Events = append(a.Events, c, awssim.Record{EventID: "of-hidden", EventTime: now.Add(-20 * day), AWSRegion: "eu-west-1", EventSource: "sqs.amazonaws.com", EventName: "ListQueues",
			UserIdentity: a.Session(&hidden, "x", now.Add(-20*day))})
		return a
	}
	_, o := serve(t, account())
	want := collected(t, o)
	for _, source := range []string{"trail", "s3://trail-logs/central"} {
		for _, swept := range []bool{true, false} {
			server, o := serve(t, account())
			if !swept {
				server.SetFault(opSweep + " refuse")
			}
			s := collected(t, ofLogs(o, source))
			i := slices.IndexFunc(s.Roles, func(r snapshot.Role) bool { return r.Name == "hidden" })
			if i < 0 || len(s.Roles[i].Inline) != 1 || len(s.Accessed) != len(s.Roles) || len(s.Roles) != len(want.Roles) {
				t.Errorf("%s: %d roles, want %d; %d reports of last access", source, len(s.Roles), len(want.Roles), len(s.Accessed))
			}
			if d := gocmp.Diff(usageOf(want, "Management"), usageOf(s, "Management")); d != "" {
				t.Errorf("%s: usage (-LookupEvents +files):\n%s", source, d)
			}
		}
	}
}

// A folder's files are the one trail's that the account shows, if no other was deleted;
// a day of it is covered where the next has files too.
func TestFolderOfTheOneTrail(t *testing.T) {
	change := func(name string, at time.Time) awssim.Record {
		return awssim.Record{EventTime: at, AWSRegion: "us-east-1", EventSource: "cloudtrail.amazonaws.com", EventName: name,
			UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::123456789012:user/x"}, RequestParameters: map[string]any{"name": "former"}}
	}
	for _, tt := range []struct {
		name   string
		change func(*awssim.Account)
		trail  string
	}{
		{"one trail", func(*awssim.Account) {}, allTrail},
		{"two", func(a *awssim.Account) { a.Trails = append(a.Trails, awssim.Trail{Name: "two"}) }, ""},
		{"one, and one that was deleted", func(a *awssim.Account) { a.Events = append(a.Events, change("DeleteTrail", now.Add(-9*day))) }, ""},
		{"one, and one that was deleted long ago", func(a *awssim.Account) { a.Events = append(a.Events, change("DeleteTrail", now.Add(-95*day))) }, allTrail},
		{"one that leaves out reads", func(a *awssim.Account) {
			a.Trails[0].Advanced, a.Trails[0].Selectors = nil, []awssim.EventSelector{{ReadWriteType: "WriteOnly"}}
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := daily()
			tt.change(a)
			_, o := serve(t, a)
			dir := folder(t, a.LogFiles(&a.Trails[0]))
			o.Window = 30 * day
			s := collected(t, ofLogs(o, "dir:"+dir))
			var told []snapshot.Window
			for _, c := range s.Coverage {
				if c.Source != snapshot.SourceFolder || c.Region != "us-east-1" || !slices.Contains(c.EventClasses, "management") {
					continue
				}
				if c.Trail != tt.trail || c.Scope != dir+"/" {
					t.Errorf("coverage %+v", c)
				}
				if c.Complete {
					told = append(told, c.Covered)
				}
			}
			want := snapshot.Window{From: s.Window.From, To: startOfDay(now)}
			if d := gocmp.Diff([]snapshot.Window{want}, snapshot.Union(told...)); d != "" {
				t.Errorf("covered (-want +got):\n%s", d)
			}
			if s.Complete() {
				t.Error("complete, though the folder has nothing of tomorrow")
			}
		})
	}
}

// S3Place: which of the account's trails wrote what lies under a prefix.
func TestPlaces(t *testing.T) {
	trail := func(name, bucket, prefix string, org bool) snapshot.Trail {
		owner := "123456789012"
		if org {
			owner = "999988887777"
		}
		return snapshot.Trail{ARN: "arn:aws:cloudtrail:us-east-1:" + owner + ":trail/" + name, Name: name, HomeRegion: "us-east-1", MultiRegion: true, Organization: org, Bucket: bucket, KeyPrefix: prefix}
	}
	trails := []snapshot.Trail{trail("plain", "logs", "", false), trail("prefixed", "logs", "a/b", false), trail("twin", "logs", "a/b", false), trail("org", "central", "logs", true), trail("none", "", "", false)}
	for _, tt := range []struct {
		sources string
		want    []string
	}{
		{"trail", []string{"s3://logs/AWSLogs/123456789012/ plain", "s3://logs/a/b/AWSLogs/123456789012/ prefixed twin", "s3://central/logs/AWSLogs/ org"}},
		{"s3://logs", []string{"s3://logs/AWSLogs/123456789012/ plain", "s3://logs/a/b/AWSLogs/123456789012/ prefixed twin", "s3://logs/ optional less 3"}},
		{"s3://logs/a", []string{"s3://logs/a/b/AWSLogs/123456789012/ prefixed twin", "s3://logs/a/ optional less 2"}},
		{"s3://logs/AWSLogs/123456789012", []string{"s3://logs/AWSLogs/123456789012/ plain"}},
		{"s3://logs/AWSLogs/123456789012/CloudTrail/us-east-1", []string{"s3://logs/AWSLogs/123456789012/CloudTrail/us-east-1/"}},
		{"s3://logs/AWSLogs/999988887777", []string{"s3://logs/AWSLogs/999988887777/"}},
		{"s3://central/logs/AWSLogs/o-1234/123456789012", []string{"s3://central/logs/AWSLogs/ org", "s3://central/logs/AWSLogs/o-1234/123456789012/ optional less 1"}},
		{"s3://central/logs/AWSLogs/o-1234/123456789012/CloudTrail/us-east-1", []string{"s3://central/logs/AWSLogs/o-1234/123456789012/CloudTrail/us-east-1/"}},
		{"s3://elsewhere", []string{"s3://elsewhere/"}},
		{"trail s3://logs", []string{"s3://logs/AWSLogs/123456789012/ plain", "s3://logs/a/b/AWSLogs/123456789012/ prefixed twin", "s3://central/logs/AWSLogs/ org", "s3://logs/ optional less 3"}},
	} {
		r := newRun(Options{Now: func() time.Time { return now }, Window: 90 * day, Log: discard, Usage: UsageNone})
		r.account, r.home, r.read, r.clients = snapshot.Account{ID: "123456789012", Partition: "aws"}, "us-east-1", []string{"us-east-1"}, &clients{}
		r.trails = trails
		r.Options = ofLogs(r.Options, strings.Fields(tt.sources)...)
		places, _ := r.places(t.Context())
		var got []string
		for _, p := range places {
			text := p.bucket.Name() + p.prefix
			for _, trail := range p.trails {
				text += " " + trail.Name
			}
			if p.optional {
				text += " optional"
			}
			if len(p.hidden) > 0 {
				text += " less " + string(rune('0'+len(p.hidden)))
			}
			got = append(got, text)
		}
		if d := gocmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.sources, d)
		}
	}
}

// Where a trail also delivers summaries of data events, no data event counts as seen.
func TestAggregatedDataEvents(t *testing.T) {
	a := daily()
	a.Buckets[len(a.Buckets)-1].Objects = map[string]string{"central/AWSLogs/123456789012/CloudTrail-Aggregated/us-east-1/2026/10/30/x.json.gz": "x"}
	_, o := serve(t, a)
	s := collected(t, ofLogs(o, "trail"))
	if d := gocmp.Diff([]string{"trail s3://trail-logs/central/ detail short"}, gapsOf(s)); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	for _, c := range s.Coverage {
		if c.Trail != "" && c.Complete != !slices.Contains(c.EventClasses, "data") {
			t.Errorf("coverage %+v", c)
		}
	}
}

// Names that are too many to keep each are kept by what they begin with, and one gap for
// each role, call and bucket says so.
func TestCollapsedNamesAreTold(t *testing.T) {
	a := daily()
	trainer := &a.Roles[0]
	at := now.Add(-3 * day)
	for i := range 2 * 1010 { // in two ways, which are two kinds of calls
		key := fmt.Sprintf("set-%d/part-%05d", i%4/2, i/2)
		r := awssim.Record{EventTime: at.Add(time.Duration(i) * time.Second), AWSRegion: "us-east-1", EventSource: "s3.amazonaws.com", EventName: "GetObject", ReadOnly: true, EventCategory: "Data",
			UserIdentity: a.Session(trainer, "SageMaker", at), RequestParameters: map[string]any{"bucketName": "data", "key": key}, UserAgent: []string{"a/1", "b/1"}[i%2],
			Resources: []awssim.ResourceARN{{ARN: "arn:aws:s3:::data/" + key, Type: "AWS::S3::Object"}}}
		a.Events = append(a.Events, r)
	}
	_, o := serve(t, a)
	s := collected(t, ofLogs(o, "trail"))
	var told []string
	for _, g := range s.Gaps {
		told = append(told, fmt.Sprintf("%s %s %s %s", g.Scope, g.Impact, g.Reason, g.Detail))
	}
	want := []string{a.RoleARN(trainer) + " detail limit 2020 calls of GetObject (s3.amazonaws.com) on more than 1000 objects of data are kept by what the names begin with: 4 prefixes"}
	if d := gocmp.Diff(want, told); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	kept := make(map[string]int)
	for _, u := range s.Usage {
		if u.EventName == "GetObject" {
			kept[u.Params.Key+u.Params.Keys] += u.Count
		}
	}
	if d := gocmp.Diff(map[string]int{"set-0/*": 1010, "set-1/*": 1010, "k": 4}, kept); d != "" {
		t.Errorf("objects (-want +got):\n%s", d)
	}
}

// expiring is a context whose deadline passes when done is closed.
type expiring struct {
	context.Context
	done chan struct{}
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// countdown is a client that lets a deadline pass with the nth log file that it is asked for.
type countdown struct {
	left atomic.Int32
	done chan struct{}
}

func (c *countdown) Do(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, ".json.gz") && c.left.Add(-1) == 0 {
		close(c.done)
	}
	return http.DefaultClient.Do(r)
}

// What was read of the log files before the time was up is kept; what was not is counted,
// and nothing is covered.
func TestTimeoutKeepsWhatWasRead(t *testing.T) {
	_, o := serve(t, daily())
	o = ofLogs(o, "trail")
	whole := collected(t, o)
	client := &countdown{done: make(chan struct{})}
	client.left.Store(120)
	o.httpClient = client
	s, err := Collect(expiring{t.Context(), client.done}, o)
	if err != nil {
		t.Fatal(err)
	}
	calls := func(s *snapshot.Snapshot) (n int) {
		for _, u := range s.Usage {
			n += u.Count
		}
		return n
	}
	if calls(s) == 0 || calls(s) >= calls(whole) || s.Complete() {
		t.Errorf("%d of %d calls, complete %v", calls(s), calls(whole), s.Complete())
	}
	if !slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
		return g.Source == snapshot.SourceTrail && g.Impact == snapshot.ImpactUsage && g.Reason == snapshot.ReasonTimeout && regexp.MustCompile(`^\d+ of \d+ log files$`).MatchString(g.Scope)
	}) {
		t.Errorf("gaps %+v", s.Gaps)
	}
	for _, c := range s.Coverage {
		if c.Trail != "" && c.Complete {
			t.Errorf("covered: %+v", c)
		}
	}
}
