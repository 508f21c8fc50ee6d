package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// loggedFaultyAccount is faultyAccount with a trail of everything in two regions, in
// which something happens every day.
func loggedFaultyAccount() *awssim.Account {
	a := faultyAccount()
	a.Trails = []awssim.Trail{everything()}
	a.Trails[0].KMSKey = a.KeyARN(&a.Keys[1])
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "trail-logs"})
	for n := range 92 {
		for _, r := range a.Regions {
			a.Events = append(a.Events, awssim.Record{EventID: fmt.Sprintf("daily-%s-%d", r.Name, n), EventTime: now.Add(-time.Duration(n)*day - time.Hour), AWSRegion: r.Name,
				EventSource: "ec2.amazonaws.com", EventName: "DescribeVpcs", UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::123456789012:user/x"}})
		}
	}
	return a
}

// TestLogFaults puts what reads log files through every fault, with Event history
// beside it and without: what is missing is named, and nothing is called unused for it.
func TestLogFaults(t *testing.T) {
	operations := []string{opListObjects, opGetObject, opTrails, opTrailStatus, opSelectors}
	kinds := append(slices.Clone(faults), "locked", "truncated", "cut once", "throttled once", "in one region", "late")
	for name, text := range map[string]string{"locked": "refuse-key", "truncated": "truncate", "cut once": "cut from=3 times=2", "throttled once": "throttle from=3 times=2",
		"in one region": "refuse from=30", "late": "fail=503 from=60"} {
		faultText[name] = text
	}
	if testing.Short() {
		kinds = []string{"refused", "cut", "garbled", "empty", "locked", "truncated", "late"}
	}
	mended := map[string]bool{"cut once": true, "throttled once": true}
	pairs := 0
	for _, lookup := range []bool{true, false} {
		sound := unused(t, logFault(t, lookup, "", "", nil))
		if n := len(sound["arn:aws:iam::123456789012:role/trainer"]); n < 5 {
			t.Fatalf("%d actions unused: %v", n, sound)
		}
		for _, operation := range operations {
			for _, fault := range kinds {
				if fault == "locked" && operation != opGetObject {
					continue
				}
				pairs++
				t.Run(fmt.Sprint(operation, " ", fault, " ", lookup), func(t *testing.T) {
					called := 0
					s := logFault(t, lookup, operation, fault, &called)
					if called == 0 {
						t.Fatal("it was never called")
					}
					for role, actions := range unused(t, s) {
						for _, action := range actions {
							if !slices.Contains(sound[role], action) {
								t.Errorf("%s: %s is unused now", role, action)
							}
						}
					}
					total := slices.Contains([]string{"refused", "throttled", "unavailable", "cut", "garbled", "empty", "slow", "locked", "truncated"}, fault)
					if total && !lookup && (operation == opGetObject || operation == opListObjects && fault != "truncated") {
						for role, actions := range unused(t, s) {
							if len(actions) > 0 {
								t.Errorf("%s: %q are unused, though nothing was read", role, actions)
							}
						}
						for _, c := range s.Coverage {
							if c.Source == snapshot.SourceTrail && c.Complete {
								t.Errorf("coverage %+v, though nothing was read", c)
							}
						}
					}
					named := slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
						return (g.Source == operation || g.Source == snapshot.SourceTrail) && g.Reason != "" && g.Detail != ""
					})
					silent := slices.Contains([]string{"repeating", "truncated"}, fault) && strings.HasPrefix(operation, "cloudtrail:") || // no pages, and no JSON that half of could be read
						fault == "repeating" && operation == opGetObject ||
						fault == "blank" && operation == opTrails // the other region shows the trail
					late := slices.Contains([]string{"in one region", "late", "cut once", "throttled once"}, fault)
					if !named && !mended[fault] && !silent && !late {
						t.Errorf("no gap names it: %q", gapsOf(s))
					}
					if mended[fault] && !s.Complete() {
						t.Errorf("not mended: %q", gapsOf(s))
					}
					for _, g := range s.Gaps {
						if g.Reason == snapshot.ReasonRefused && g.Permission == "" {
							t.Errorf("no permission: %+v", g)
						}
						if g.Reason == snapshot.ReasonRefused && fault == "locked" && g.Source == snapshot.SourceTrail && g.Permission != "kms:Decrypt" {
							t.Errorf("the key is what is lacking: %+v", g)
						}
					}
					if slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool { return g.Source == snapshot.SourceTrail }) && s.Complete() {
						t.Errorf("complete, with gaps %q", gapsOf(s))
					}
				})
			}
		}
	}
	t.Logf("%d pairs", pairs)
}

func logFault(t *testing.T, lookup bool, operation, fault string, called *int) *snapshot.Snapshot {
	t.Helper()
	var s *snapshot.Snapshot
	onFakeClock(t, loggedFaultyAccount(), func(t *testing.T, server *awssim.Server, o Options) {
		server.Configure(func(b *awssim.Behaviour) { b.PageCaps = map[string]int{opListObjects: 20} })
		if text := faultText[fault]; text != "" {
			if err := server.SetFault(operation + " " + text); err != nil {
				t.Fatal(err)
			}
		}
		if fault == "blank" {
			o.httpClient = blanking{o.httpClient, operation}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		o = withLogs(o, "trail")
		if !lookup {
			o.Usage = UsageNone
		}
		var err error
		if s, err = Collect(ctx, o); err != nil {
			t.Fatal(err)
		}
		if called != nil {
			*called = server.Requests(operation)
		}
	})
	return s
}
