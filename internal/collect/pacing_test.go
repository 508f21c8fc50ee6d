package collect

import (
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// busiest is the most of the times that any second holds.
func busiest(times []time.Time) int {
	most, first := 0, 0
	for last := range times {
		for !times[last].Before(times[first].Add(time.Second)) {
			first++
		}
		most = max(most, last-first+1)
	}
	return most
}

// 500 pages of LookupEvents, some throttled, some slow: by the server's own
// timestamps no second holds more than two requests, retries included.
func TestPacing(t *testing.T) {
	a := small(0)
	trainer := &a.Roles[0]
	for i := range 500 * 50 {
		a.Events = append(a.Events, awssim.Record{
			EventTime: now.Add(-time.Hour - time.Duration(i)*time.Minute), AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
			EventSource: "ecr.amazonaws.com", EventName: "BatchGetImage", UserIdentity: a.Session(trainer, "SageMaker", now),
		})
	}
	onFakeClock(t, a, func(t *testing.T, server *awssim.Server, o Options) {
		for _, fault := range []string{
			"cloudtrail:LookupEvents throttle from=40 times=2", "cloudtrail:LookupEvents throttle from=90 times=1", "cloudtrail:LookupEvents throttle from=300 times=5",
			"cloudtrail:LookupEvents slow=700ms from=200 times=20", "cloudtrail:LookupEvents fail=503 from=400 times=2",
		} {
			if err := server.SetFault(fault); err != nil {
				t.Fatal(err)
			}
		}
		o.Regions, o.LookupRate = []string{"us-east-1"}, 2
		began := time.Now()
		s := collected(t, o)
		sameCalls(t, server, s)
		times := server.Times("cloudtrail:LookupEvents", "us-east-1")
		if len(times) < 500 || len(s.Gaps) > 0 {
			t.Errorf("%d requests, gaps %v", len(times), gapsOf(s))
		}
		if n := busiest(times); n > 2 {
			t.Errorf("a second holds %d requests", n)
		}
		// Two a second is the quota, and not much less is the pace.
		if took := time.Since(began); took < 250*time.Second || took > 320*time.Second {
			t.Errorf("%d requests took %s", len(times), took)
		}
		t.Logf("%d requests in %s of the fake clock, %d calls kept", len(times), time.Since(began), s.Usage[0].Count)
	})
}

// After a throttled request the pace is halved.
func TestPaceHalves(t *testing.T) {
	onFakeClock(t, small(1000), func(t *testing.T, server *awssim.Server, o Options) {
		if err := server.SetFault("cloudtrail:LookupEvents region=us-east-1 throttle from=4 times=1"); err != nil {
			t.Fatal(err)
		}
		o.LookupRate = 2
		collected(t, o)
		times := server.Times("cloudtrail:LookupEvents", "us-east-1")
		if len(times) < 4+calmAfter+4 {
			t.Fatalf("only %d requests", len(times))
		}
		half, full := times[5:3+calmAfter], times[6+calmAfter:]
		if n := busiest(half); n > 1 {
			t.Errorf("after a throttle a second holds %d requests", n)
		}
		if n := busiest(full); n != 2 {
			t.Errorf("once it is over a second holds %d requests", n)
		}
	})
}

// Eight attempts with growing pauses: what is throttled for ever is a gap, in
// minutes rather than hours, and others go on.
func TestThrottledForEver(t *testing.T) {
	onFakeClock(t, small(3), func(t *testing.T, server *awssim.Server, o Options) {
		if err := server.SetFault("sagemaker:* region=eu-west-1 throttle"); err != nil {
			t.Fatal(err)
		}
		o.LookupRate, o.maxBackoff = 2, 0
		began := time.Now()
		s := collected(t, o)
		for _, g := range s.Gaps {
			if g.Region != "eu-west-1" || g.Reason != snapshot.ReasonThrottled || g.Impact != snapshot.ImpactJobs {
				t.Errorf("gap %+v", g)
			}
		}
		if len(s.Gaps) != 2 || s.Calls["sagemaker:Search"] != 1+attempts {
			t.Errorf("gaps %v, %d searches", gapsOf(s), s.Calls["sagemaker:Search"])
		}
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
