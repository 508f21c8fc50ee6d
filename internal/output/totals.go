package output

import (
	"cmp"
	"fmt"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// totals closes the report: the sums, and what to do next.
func (p *page) totals(v view) {
	p.blank()
	p.rule("=")
	s := v.Summary
	p.put(text(fmt.Sprintf("%s, %s. Actions: %d granted, %d used, %d required, %d unused, %d unobservable. Findings: %s.",
		plural(s.Roles, "role", "roles"), plural(s.Jobs, "job", "jobs"),
		s.Granted, s.Used, s.Required, s.Unused, s.Unobservable, acceptedWords(s))))
	p.put(text("Next: " + next(v)).hanging(6))
}

func severities(s report.Severities) string {
	var parts []string
	for i, n := range []int{s.Critical, s.High, s.Medium, s.Low, s.Info} {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, report.SeverityList[i]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func next(v view) string {
	var steps []string
	if !v.Complete {
		steps = append(steps, "close the gaps and run again")
	}
	if label, f := v.worst(); f != nil {
		steps = append(steps, label+": "+strings.TrimSuffix(cmp.Or(f.Remedy, f.Title), "."))
	}
	if len(steps) == 0 && v.Summary.Unused > 0 {
		steps = append(steps, "read the proposals: "+plural(v.Summary.Unused, "granted action is unused", "granted actions are unused"))
	}
	if len(steps) == 0 {
		return "nothing to do."
	}
	return strings.Join(steps, "; then ") + "."
}
