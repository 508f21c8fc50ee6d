package collect

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
		a := logged()
		if change != nil {
			change(&a.Trails[0])
		}
		for _, m := range more {
			m(a)
		}
		return a
	}
	full := []string{"us-east-1", "eu-west-1", "us-west-2"}
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

// summed adds up the groups that differ in their source alone.
func summed(usage []snapshot.Usage) []snapshot.Usage {
	out := merged(slices.Clone(usage))
	slices.SortFunc(out, func(a, b snapshot.Usage) int { return cmp.Or(a.UseKey.Compare(b.UseKey), a.First.Compare(b.First)) })
	return out
}
