package collect

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// withTrails is a small account with trails of all kinds.
func withTrails() *awssim.Account {
	a := small(1)
	a.Trails = []awssim.Trail{
		{Name: "organization", Owner: "999988887777", MultiRegion: true, Organization: true, KeyPrefix: "logs", KMSKey: "arn:aws:kms:us-east-1:999988887777:key/1",
			StartedAt: now.Add(-300 * day), DeliveredAt: now.Add(-time.Minute),
			Advanced: []awssim.AdvancedEventSelector{{Name: "objects", FieldSelectors: []awssim.FieldSelector{
				{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::data/"}, NotEndsWith: []string{".tmp"}}}}}},
		{Name: "local", HomeRegion: "eu-west-1", Bucket: "logs-of-ireland", NoGlobalEvents: true, Stopped: true, StartedAt: now.Add(-200 * day), StoppedAt: now.Add(-day),
			DeliveredAt: now.Add(-day), DeliveryError: "AccessDenied",
			Selectors: []awssim.EventSelector{{ReadWriteType: "WriteOnly", ExcludeManagementEventSources: []string{"kms.amazonaws.com"},
				DataResources: []awssim.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::data/"}}}}}},
	}
	return a
}

func TestTrails(t *testing.T) {
	account := withTrails()
	server, o := serve(t, account)
	s := collected(t, o)
	sameCalls(t, server, s)
	want := []snapshot.Trail{
		{ARN: "arn:aws:cloudtrail:eu-west-1:123456789012:trail/local", Name: "local", HomeRegion: "eu-west-1", Bucket: "logs-of-ireland",
			StartedAt: now.Add(-200 * day), StoppedAt: now.Add(-day), DeliveredAt: now.Add(-day), DeliveryError: "AccessDenied",
			Selectors: []snapshot.EventSelector{{ReadWrite: "WriteOnly", Management: true, ExcludedSources: []string{"kms.amazonaws.com"},
				Data: []snapshot.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::data/"}}}}}},
		{ARN: "arn:aws:cloudtrail:us-east-1:999988887777:trail/organization", Name: "organization", HomeRegion: "us-east-1", MultiRegion: true, Organization: true,
			GlobalEvents: true, Bucket: "aws-cloudtrail-logs-999988887777", KeyPrefix: "logs", KMSKey: "arn:aws:kms:us-east-1:999988887777:key/1",
			Logging: true, StartedAt: now.Add(-300 * day), DeliveredAt: now.Add(-time.Minute),
			Advanced: []snapshot.AdvancedSelector{{Name: "objects", Fields: []snapshot.FieldSelector{
				{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::data/"}, NotEndsWith: []string{".tmp"}}}}}},
	}
	if d := cmp.Diff(want, s.Trails); d != "" {
		t.Errorf("trails (-want +got):\n%s", d)
	}
	// A trail that shows in two regions is asked about once, at home.
	asked := make(map[string]int)
	for _, c := range server.Counts() {
		if c.Operation == opTrailStatus || c.Operation == opSelectors || c.Operation == opTrails {
			asked[c.Operation+" "+c.Region] = c.Requests
		}
	}
	if d := cmp.Diff(map[string]int{opTrails + " eu-west-1": 1, opTrails + " us-east-1": 1, opTrailStatus + " eu-west-1": 1, opTrailStatus + " us-east-1": 1,
		opSelectors + " eu-west-1": 1, opSelectors + " us-east-1": 1}, asked); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"eu-west-1": 2, "us-east-1": 1}, covered(s, snapshot.SourceTrails)); d != "" {
		t.Errorf("coverage (-want +got):\n%s", d)
	}

	// The home of a trail need not be a region that is read.
	o.Regions = []string{"eu-west-1"}
	if d := cmp.Diff(want, collected(t, o).Trails); d != "" {
		t.Errorf("trails that one region shows (-want +got):\n%s", d)
	}
	o.Usage = UsageNone
	if s := collected(t, o); len(s.Trails) > 0 || s.Calls[opTrails] > 0 {
		t.Errorf("%d trails, which nobody asked for", len(s.Trails))
	}
}

// covered counts the items of a source by region; -1 where it is not complete.
func covered(s *snapshot.Snapshot, source string) map[string]int {
	items := make(map[string]int)
	for _, c := range s.Coverage {
		if c.Source == source {
			items[c.Region] = c.Items
			if !c.Complete {
				items[c.Region] = -1
			}
		}
	}
	return items
}

func TestTrailGaps(t *testing.T) {
	const home, shadow = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/local", "arn:aws:cloudtrail:us-east-1:999988887777:trail/organization"
	for _, tt := range []struct {
		fault    string
		gaps     []string
		covered  map[string]int
		complete bool
	}{
		{"cloudtrail:DescribeTrails refuse region=us-east-1", []string{opTrails + " us-east-1 detail refused"}, map[string]int{"eu-west-1": 2, "us-east-1": -1}, true},
		{"cloudtrail:GetTrailStatus refuse region=eu-west-1", []string{opTrailStatus + " eu-west-1 " + home + " detail refused"}, map[string]int{"eu-west-1": -1, "us-east-1": 1}, true},
		{"cloudtrail:GetEventSelectors garble region=us-east-1", []string{opSelectors + " us-east-1 " + shadow + " detail broken"}, map[string]int{"eu-west-1": -1, "us-east-1": -1}, true},
		{"cloudtrail:GetTrailStatus empty region=us-east-1", []string{opTrailStatus + " us-east-1 " + shadow + " detail broken"}, map[string]int{"eu-west-1": -1, "us-east-1": -1}, true},
		{"cloudtrail:GetEventSelectors empty region=eu-west-1", []string{opSelectors + " eu-west-1 " + home + " detail broken"}, map[string]int{"eu-west-1": -1, "us-east-1": 1}, true},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			server, o := serve(t, withTrails())
			if err := server.SetFault(tt.fault); err != nil {
				t.Fatal(err)
			}
			s := collected(t, o)
			if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.covered, covered(s, snapshot.SourceTrails)); d != "" {
				t.Errorf("coverage (-want +got):\n%s", d)
			}
			unread := 0
			for _, trail := range s.Trails {
				unread += len(trail.Unread)
			}
			if missing := s.Gaps[0].Source != opTrails; missing != (unread == 1) || len(s.Trails) != 2 || !s.Complete() {
				t.Errorf("trails %+v, complete %v", s.Trails, s.Complete())
			}
		})
	}
}
