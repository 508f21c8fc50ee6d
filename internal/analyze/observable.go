package analyze

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// observer answers whether a call, had it been made, would be in the evidence.
// Only then is "not seen" worth anything.
type observer struct {
	// blind is why management events are not observable, empty if they are: in
	// every enabled region a complete source covered the whole window.
	blind string
	basis []string
}

func newObserver(s *snapshot.Snapshot) *observer {
	o := &observer{blind: whyBlind(s)}
	if o.blind == "" {
		o.basis = []string{fmt.Sprintf("CloudTrail Event history, management events, %s to %s, every enabled region: %s",
			day(s.Window.From), day(s.Window.To), strings.Join(s.Regions.Read, ", "))}
	}
	return o
}

func whyBlind(s *snapshot.Snapshot) string {
	if s.Asked.Usage == "none" {
		return "usage was not collected (--usage none)"
	}
	if len(s.Regions.Enabled) == 0 {
		return "the account's enabled regions could not be listed, so nobody knows where else the role was used"
	}
	for _, region := range s.Regions.Enabled {
		if !slices.Contains(s.Regions.Read, region) {
			return "region " + region + " was not read"
		}
		if !slices.ContainsFunc(s.Coverage, func(c snapshot.Coverage) bool {
			return c.Source == snapshot.SourceLookup && c.Region == region && c.Scope == snapshot.ScopeAll && c.Complete && c.Covered.Encloses(s.Window)
		}) {
			return "Event history of region " + region + " was not read for the whole window"
		}
	}
	return ""
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// blindSpots lists what nothing in the account records, in plain words.
func (o *observer) blindSpots(s *snapshot.Snapshot) []report.BlindSpot {
	spots := []report.BlindSpot{
		{
			What:   "S3 object reads, writes and lists",
			Reason: "CloudTrail records them as data events, which Event history never shows. Reads and writes of SSE-KMS objects are known from the KMS calls they cause.",
			Remedy: "Log S3 data events of the training buckets to a trail.",
		},
		{
			What:   "logs:PutLogEvents",
			Reason: "CloudTrail does not record it.",
			Remedy: "None in CloudTrail; a job's log stream shows that it was written.",
		},
		{
			What:   "cloudwatch:PutMetricData and other calls of the data plane",
			Reason: "CloudTrail records them as data events, which Event history never shows.",
			Remedy: "Log data events of the resource type to a trail.",
		},
		{
			What:   "iam:PassRole and permission-only actions",
			Reason: "They are no API calls; iam:PassRole is inferred from the call that took the role.",
			Remedy: "None.",
		},
	}
	if o.blind != "" {
		spots = append(spots, report.BlindSpot{
			What:   "Management events",
			Reason: strings.ToUpper(o.blind[:1]) + o.blind[1:] + ": nothing is called unused.",
			Remedy: "Read every enabled region with --usage lookup and see the gaps.",
		})
	}
	slices.SortFunc(spots, func(a, b report.BlindSpot) int { return strings.Compare(a.What, b.What) })
	return spots
}
