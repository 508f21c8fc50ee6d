package output

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// writeBrief appends the report in short to buf: what the table says first and last in
// full, and of each role a few lines in between. Gaps are never shortened: who reads this
// alone must not take for clean what was not read.
func writeBrief(buf *bytes.Buffer, r *report.Report, o Options) error {
	p := &page{width: max(o.Width, MinWidth), color: o.Color}
	v := arrange(r)
	p.head(v)
	p.summary(v)
	p.driftPart(v)
	if len(v.roles) > 0 {
		p.heading("EACH ROLE. In excess: granted, and neither used nor required, or wider than that")
	}
	for i, role := range v.roles {
		if i > 0 {
			p.blank()
		}
		p.roleInBrief(role)
	}
	if len(v.others) > 0 {
		p.heading("OTHER FINDINGS")
		p.titles("", v.others)
	}
	p.exceptions(v)
	p.gaps(v)
	p.blindSpotsInBrief(v)
	p.totals(v)
	p.put(text("The evidence of all this, and the proposed policies: -o table, or -o json for programs."))
	if p.err != nil {
		return p.err
	}
	_, err := p.buf.WriteTo(buf)
	return err
}

func (p *page) roleInBrief(v *roleView) {
	p.put(name(v.label))
	p.titles(v.ARN, v.findings)
	p.field("Reach", reachHead(&v.Reach)...)
	if v.Exists { // of one that is gone nothing is granted
		for _, a := range v.Areas {
			p.field(a.Area, text(areaInBrief(a, v.Role)))
		}
	}
	if s := notGranted(v.Counts); s != "" {
		p.field("Not granted", text(s))
	}
	if q := v.Proposal; q != nil {
		p.field("Proposal", text(proposalInBrief(q)))
	}
	p.field("Readiness", text(readinessInBrief(v)).styled(readinessStyle(v.Readiness)))
}

// titles writes findings as a line each, those with the same title as one. They are told
// to be of the role with the ARN of; one of another names it.
func (p *page) titles(of string, fs []*report.Finding) {
	type title struct {
		*report.Finding
		count int
	}
	var list []*title
	for _, f := range fs {
		if f.Accepted != nil {
			continue
		}
		if i := slices.IndexFunc(list, func(t *title) bool { return t.Title == f.Title && t.Severity == f.Severity && t.Role == f.Role }); i >= 0 {
			list[i].count++
			continue
		}
		list = append(list, &title{f, 1})
	}
	for _, t := range list {
		s := t.Title
		if t.count > 1 {
			s += fmt.Sprintf(" (%d of them)", t.count)
		}
		ps := paras(s)
		if t.Role != "" && t.Role != of {
			ps = append(ps, name(t.Role))
		}
		p.labelled(text(string(t.Severity)).styled(severityStyle(t.Severity)), labelWidth, ps)
	}
	if n := len(fs) - countOpen(fs); n > 0 {
		p.field("accepted", text(plural(n, "finding", "findings")))
	}
}

func countOpen(fs []*report.Finding) (n int) {
	for _, f := range fs {
		if f.Accepted == nil {
			n++
		}
	}
	return n
}

// areaInBrief is what of an area is granted in excess, and what is missing.
func areaInBrief(a report.Area, r *report.Role) string {
	var parts, missing []string
	if len(a.Required)+len(a.Proposed) == 0 {
		parts = append(parts, "not needed")
	}
	if a.Excess > 0 {
		parts = append(parts, plural(a.Excess, "action", "actions"))
	}
	if a.ExcessPatterns > 0 {
		parts = append(parts, plural(a.ExcessPatterns, "pattern", "patterns"))
	}
	if a.Excess+a.ExcessPatterns > 0 {
		parts[len(parts)-1] += " in excess"
	} else {
		parts = append(parts, "nothing in excess")
	}
	for i := range r.Cells {
		if c := &r.Cells[i]; c.Area == a.Area && c.Verdict == report.VerdictMissing && !slices.Contains(missing, c.Action) {
			missing = append(missing, c.Action)
		}
	}
	s := strings.Join(parts, ", ")
	if n := len(missing); n > 0 {
		s += "; required and not granted: " + some(missing, n, maxNames)
	}
	return s
}

// notGranted counts what no policy grants, for whatever reason.
func notGranted(c report.Counts) string {
	var parts []string
	for _, n := range []struct {
		count int
		what  string
	}{{c.Missing, "missing"}, {c.Foreign, "used all the same (foreign)"}, {c.Refused, "refused"}} {
		if n.count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n.count, n.what))
		}
	}
	return strings.Join(parts, ", ")
}

func proposalInBrief(q *report.Proposal) string {
	policies := "no policy is needed"
	switch {
	case len(q.Policies) > 0:
		policies = fmt.Sprintf("%s on %s, today %d on %d", plural(q.After.Actions, "action", "actions"), plural(q.After.Resources, "resource pattern", "resource patterns"),
			q.Before.Actions, q.Before.Resources)
	case q.Proof.Status == "undecided":
		policies = "no policy could be proven"
	}
	return join("; ", q.Proof.Status+": "+policies, confirmations(q))
}

func confirmations(q *report.Proposal) string {
	if len(q.Confirm) == 0 {
		return ""
	}
	return plural(len(q.Confirm), "point", "points") + " to confirm first"
}

// readinessInBrief is the readiness, and the first of the reasons where the proposal
// cannot be used.
func readinessInBrief(v *roleView) string {
	s := string(v.Readiness)
	n := len(v.ReadinessWhy)
	switch {
	case n == 0:
	case v.Readiness == "confirm":
		s += ", for " + plural(n, "reason", "reasons")
	default:
		s += ": " + v.ReadinessWhy[0]
		if n > 1 {
			s += fmt.Sprintf(" (and %s)", plural(n-1, "more reason", "more reasons"))
		}
	}
	return s
}

func (p *page) blindSpotsInBrief(v view) {
	p.heading("BLIND SPOTS: recorded by nothing that was read")
	if len(v.BlindSpots) == 0 {
		p.indented(text("none"))
	}
	for _, b := range v.BlindSpots {
		p.indented(text("- " + b.What).hanging(2))
	}
}
