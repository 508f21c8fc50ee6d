package output

import (
	"cmp"
	"slices"

	"sagemaker-role-audit/internal/analyze/report"
)

// view is a report in a reader's order: the worst role first, and the findings
// with the role they are of.
type view struct {
	*report.Report
	roles []*roleView
	// others are findings of no listed role, worst first.
	others []*report.Finding
}

// roleView is a role with its findings, worst first. Its label is its name, and
// more where that does not tell it from another.
type roleView struct {
	*report.Role
	label    string
	findings []*report.Finding
}

func arrange(r *report.Report) view {
	v := view{Report: r}
	gone, present := map[string]int{}, map[string]bool{}
	type key struct{ arn, id string }
	byKey := map[key]*roleView{}
	for i := range r.Roles {
		role := &roleView{Role: &r.Roles[i]}
		v.roles = append(v.roles, role)
		if role.Exists {
			present[role.ARN] = true
		} else {
			gone[role.ARN]++
		}
		byKey[key{role.ARN, role.ID}] = role
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		if role := byKey[key{f.Role, f.RoleID}]; role != nil {
			role.findings = append(role.findings, f)
		} else {
			v.others = append(v.others, f)
		}
	}
	worstFirst(v.others)
	for _, role := range v.roles {
		worstFirst(role.findings)
		role.label = cmp.Or(role.Name, role.ARN, role.ID)
		if role.Exists {
			continue
		}
		if gone[role.ARN] > 1 && role.ID != "" {
			role.label += " " + role.ID
		}
		if present[role.ARN] {
			role.label += " (former)"
		} else {
			role.label += " (gone)"
		}
	}
	slices.SortFunc(v.roles, worstRole)
	return v
}

// worst is the finding to begin with and what it is of; nil without findings.
func (v view) worst() (label string, f *report.Finding) {
	if len(v.roles) > 0 && v.roles[0].open() != nil {
		label, f = v.roles[0].label, v.roles[0].open()
	}
	if len(v.others) > 0 && v.others[0].Accepted == nil && (f == nil || v.others[0].Severity.Rank() < f.Severity.Rank()) {
		label, f = cmp.Or(v.others[0].Role, "the account"), v.others[0]
	}
	return label, f
}

// open is the role's worst finding that nobody accepts, nil for none.
func (v *roleView) open() *report.Finding {
	if len(v.findings) == 0 || v.findings[0].Accepted != nil {
		return nil
	}
	return v.findings[0]
}

// worstFirst orders findings by severity and role, what is accepted last; of one severity the rules keep the
// order in which the report has them, which is that of what matters.
func worstFirst(fs []*report.Finding) {
	type group struct {
		severity   report.Severity
		role, rule string
	}
	of := func(f *report.Finding) group { return group{f.Severity, f.Role, f.Rule} }
	first := map[group]int{}
	for i, f := range fs {
		if _, seen := first[of(f)]; !seen {
			first[of(f)] = i
		}
	}
	slices.SortFunc(fs, func(a, b *report.Finding) int {
		return cmp.Or(
			cmp.Compare(acceptedRank(a), acceptedRank(b)),
			cmp.Compare(a.Severity.Rank(), b.Severity.Rank()),
			cmp.Compare(a.Role, b.Role),
			cmp.Compare(first[of(a)], first[of(b)]),
			cmp.Compare(a.Subject, b.Subject),
			cmp.Compare(a.ID, b.ID))
	})
}

// worstRole orders by the number of critical findings, then of high ones and so
// on, then by what could go.
func worstRole(a, b *roleView) int {
	na, nb := a.severities(), b.severities()
	return cmp.Or(
		slices.Compare(nb[:], na[:]),
		cmp.Compare(b.Counts.Unused, a.Counts.Unused),
		cmp.Compare(b.Counts.Granted, a.Counts.Granted),
		cmp.Compare(a.label, b.label),
		cmp.Compare(a.ARN, b.ARN),
		cmp.Compare(a.ID, b.ID))
}

func acceptedRank(f *report.Finding) int {
	if f.Accepted != nil {
		return 1
	}
	return 0
}

// severities counts the role's findings that nobody accepts, worst first.
func (v *roleView) severities() (n [6]int) {
	for _, f := range v.findings {
		if f.Accepted == nil {
			n[f.Severity.Rank()]++
		}
	}
	return n
}
