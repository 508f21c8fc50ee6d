package analyze

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// reachOf is the role's reach, counted once.
func (a *audit) reachOf(j *judgement) report.Reach {
	if j.reached == nil {
		r := a.reach(j)
		j.reached = &r
	}
	return *j.reached
}

// escalation tells the ways that were found to lead to an administrator, or to other roles
// that may more: one finding of each, with the nearest way. What leads to users, code and
// versions that were not read is told by the rules of the statements that allow it.
func escalation(a *audit, j *judgement) []hit {
	if j.grant == nil {
		return nil
	}
	ends := map[string][]report.Path{}
	for _, p := range a.reachOf(j).Escalation {
		if p.Reaches == reachesRole && !takesOwn(p.Steps[0]) {
			continue // the trust policy of the other role alone lets it in, and is told there
		}
		ends[p.Reaches] = append(ends[p.Reaches], p)
	}
	var out []hit
	if paths := ends[reachesAdministrator]; len(paths) > 0 {
		h := wayHit(paths[0], report.Critical)
		h.subject = reachesAdministrator
		if n := len(paths) - 1; n > 0 {
			h.detail += fmt.Sprintf(" So lead %s.", counted(n, "other way"))
		}
		out = append(out, h)
	}
	if paths := ends[reachesRole]; len(paths) > 0 && len(out) == 0 { // an administrator is every role
		h := wayHit(paths[0], report.High)
		h.subject = "other roles"
		var others []string
		for _, p := range paths[1:] {
			if name := nameOf(p.Target); p.Target != paths[0].Target && !slices.Contains(others, name) {
				others = append(others, name)
			}
		}
		if len(others) > 0 {
			h.detail += fmt.Sprintf(" It can also become %s.", shortList(others, 3))
		}
		out = append(out, h)
	}
	return out
}

// takesOwn reports whether a step takes a permission of the role's own policies.
func takesOwn(s report.PathStep) bool {
	return slices.ContainsFunc(s.Grants, func(g report.StepGrant) bool { return len(g.Statements) > 0 })
}

// wayHit points at the statement that opens a way: that of iam:PassRole, or of its first
// step.
func wayHit(p report.Path, severity report.Severity) hit {
	h := hit{severity: severity, detail: p.Sentence}
	if !strings.HasSuffix(h.detail, ".") {
		h.detail += "."
	}
	if p.Certainty != certain {
		h.severity = lower(h.severity)
	}
	for _, g := range p.Steps[0].Grants {
		if len(g.Statements) > 0 && (h.statement == nil || g.Action == passAction) {
			st := g.Statements[0]
			h.statement = &st
		}
	}
	return h
}
