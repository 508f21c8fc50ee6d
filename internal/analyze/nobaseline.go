package analyze

import (
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// NoBaseline is the drift of a snapshot that was to be compared and for which there is no
// baseline, and why: nothing is known of what changed.
func NoBaseline(s *snapshot.Snapshot, why string) *report.Drift {
	return &report.Drift{
		Current: evidenced(s), Changes: []report.Change{}, Tool: []report.ToolChange{}, Deviations: []report.Deviation{},
		Unknown:      []report.Uncompared{{What: "the account's changes", Kinds: report.ChangeKinds, Impact: string(snapshot.ImpactRoles), Side: report.SideBaseline, Why: why}},
		UnknownTotal: 1,
	}
}
