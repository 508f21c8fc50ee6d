package trailfiles

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
)

func TestParse(t *testing.T) {
	const name = "123456789012_CloudTrail_us-east-1_20261001T2355Z_AbC.json.gz"
	for _, tt := range []struct{ key, kind, region, day string }{
		{"AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/" + name, "", "us-east-1", "2026-10-01"},
		{"AWSLogs/o-abc/123456789012/CloudTrail/us-east-1/2026/10/01/" + name, "", "us-east-1", "2026-10-01"},
		{"some/prefix/AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/" + name, "", "us-east-1", "2026-10-01"},
		{"AWSLogs/x/AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/" + name, "", "us-east-1", "2026-10-01"},
		{"us-east-1/2026/10/01/" + name, "", "us-east-1", "2026-10-01"},
		{"CloudTrail/us-east-1/2026/10/02/" + name, "", "us-east-1", "2026-10-02"}, // the folder's day
		{name, "", "us-east-1", "2026-10-01"},
		{"123456789012_CloudTrail_us-gov-west-1_20261001T2355Z_AbC.json", "", "us-gov-west-1", "2026-10-01"},
		{"AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/10/01/123456789012_CloudTrail-Digest_us-east-1_t_us-east-1_20261001T0000Z.json.gz", "digest", "", ""},
		{"123456789012_CloudTrail-Insight_us-east-1_20261001T2355Z_AbC.json.gz", "insight", "", ""},
		{"AWSLogs/123456789012/CloudTrail-Insight/us-east-1/2026/10/01/" + name, "insight", "", ""},
		{"AWSLogs/123456789012/CloudTrail-NetworkActivity/us-east-1/2026/10/01/x", "network activity", "", ""},
		{"AWSLogs/123456789012/CloudTrail-Aggregated/us-east-1/2026/10/01/" + name, "aggregated", "", ""},
		{"AWSLogs/123456789012/elasticloadbalancing/us-east-1/2026/10/01/x.log.gz", foreign, "", ""},
		{"AWSLogs/123456789012/CloudTrail/us-east-1/2026/10/01/notes.txt", foreign, "us-east-1", ""},
		{"AWSLogs/123456789012/CloudTrail/eu-west-1/2026/10/01/" + name, foreign, "eu-west-1", ""},
		{"AWSLogs/999999999999/CloudTrail/us-east-1/2026/10/01/" + name, foreign, "us-east-1", ""},
		{"123456789012_CloudTrail_us-east-1_20261301T2355Z_AbC.json.gz", foreign, "", ""},
		{"12345678901_CloudTrail_us-east-1_20261001T2355Z_AbC.json.gz", foreign, "", ""},
		{"123456789012_CloudTrail_us-east-1_20261001T2355Z.json.gz", foreign, "", ""},
		{"123456789012_CloudTrail_us-east-1_20261001T2355Z_AbC.csv", foreign, "", ""},
		{"", foreign, "", ""}, {"_", foreign, "", ""}, {"AWSLogs/", foreign, "", ""}, {"AWSLogs/o-abc/x", foreign, "", ""},
	} {
		f, kind := parse(tt.key)
		day := ""
		if kind == "" {
			day = f.Day.Format(time.DateOnly)
		}
		if kind != tt.kind || f.Region != tt.region || day != tt.day {
			t.Errorf("%s: %q, %q, %q, want %q, %q, %q", tt.key, kind, f.Region, day, tt.kind, tt.region, tt.day)
		}
	}
}

// asking counts the prefixes that are listed.
type asking struct {
	memory
	prefixes chan string
}

func (a asking) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	a.prefixes <- prefix
	return a.memory.List(ctx, prefix)
}

// Only the folders that may hold what is wanted are listed, to a day past the window.
func TestFind(t *testing.T) {
	b := memory{files: make(map[string][]byte)}
	for _, account := range []string{"123456789012", "999999999999"} {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			for _, stamp := range []string{"2026/08/31", "2026/09/29", "2026/09/30", "2026/10/01", "2026/10/02", "2026/10/03", "2027/01/01"} {
				at, _ := time.Parse("2006/01/02", stamp)
				b.files["logs/AWSLogs/o-abc/"+account+"/CloudTrail/"+region+"/"+stamp+"/"+account+"_CloudTrail_"+region+"_"+at.Format("20060102T1504Z")+"_x.json.gz"] = []byte("data")
			}
		}
		b.files["logs/AWSLogs/o-abc/"+account+"/CloudTrail-Digest/us-east-1/2026/10/01/x"] = nil
		b.files["logs/AWSLogs/"+account+"/vpcflowlogs/us-east-1/2026/10/01/x"] = nil
	}
	a := asking{b, make(chan string, 1000)}
	window := snapshot.Window{From: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC), To: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)}
	l, err := Find(context.Background(), a, "logs", Filter{Source: "s", Accounts: []string{"123456789012"}, Regions: []string{"us-east-1"}, Window: window,
		Skip: func(_, _ string, day time.Time) bool { return day.Day() == 30 }})
	if err != nil {
		t.Fatal(err)
	}
	var days []string
	for f := range l.Each() {
		days = append(days, f.Day.Format(time.DateOnly))
		if f.Path() != "mem://logs/"+f.Key || f.Source != "s" || f.Size != 4 {
			t.Errorf("file %+v", f)
		}
	}
	if d := cmp.Diff([]string{"2026-10-01", "2026-10-02"}, days); d != "" || l.Files != 2 || l.Bytes != 8 || len(l.Gaps) > 0 {
		t.Errorf("days (-want +got):\n%s\n%+v", d, l)
	}
	var prefixes []string
	for range len(a.prefixes) {
		prefixes = append(prefixes, <-a.prefixes)
	}
	slices.Sort(prefixes)
	const root = "logs/AWSLogs/o-abc/123456789012/CloudTrail/us-east-1/2026/"
	want := []string{"logs/", "logs/AWSLogs/", "logs/AWSLogs/123456789012/", "logs/AWSLogs/o-abc/", "logs/AWSLogs/o-abc/123456789012/",
		"logs/AWSLogs/o-abc/123456789012/CloudTrail/", "logs/AWSLogs/o-abc/123456789012/CloudTrail/us-east-1/", root, root + "09/", root + "10/", root + "10/01/", root + "10/02/"}
	slices.Sort(want)
	if d := cmp.Diff(want, prefixes); d != "" {
		t.Errorf("listed (-want +got):\n%s", d)
	}

	if _, err := Find(context.Background(), b, "nowhere/", Filter{}); !errors.Is(err, ErrNoBucket) {
		t.Error(err)
	}
	b.fail = map[string]error{"logs/AWSLogs/o-abc/123456789012/CloudTrail/us-east-1/2026/10/": &Error{Reason: snapshot.ReasonRefused, Permission: "s3:ListBucket", Err: errors.New("no")}}
	l, err = Find(context.Background(), b, "logs/", Filter{Source: "s"})
	if err != nil || len(l.Gaps) != 1 || l.Gaps[0].Scope != "mem://logs/logs/AWSLogs/o-abc/123456789012/CloudTrail/us-east-1/2026/10/" || l.Gaps[0].Permission != "s3:ListBucket" || l.Gaps[0].Impact != snapshot.ImpactUsage {
		t.Errorf("%v %+v", err, l)
	}
}
