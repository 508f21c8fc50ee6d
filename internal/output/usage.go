package output

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"sagemaker-role-audit/internal/analyze/report"
)

// fourAreas are those that the areas part shows in full.
var fourAreas = []string{"ecr-pull", "s3-read", "s3-write", "logs"}

// otherAreas are the requirements beyond the four areas, by area.
func otherAreas(r *report.Role) []report.Required {
	var out []report.Required
	for _, q := range r.Required {
		if !slices.Contains(fourAreas, q.Area) {
			out = append(out, q)
		}
	}
	slices.SortStableFunc(out, func(a, b report.Required) int {
		return cmp.Or(cmp.Compare(a.Area, b.Area), cmp.Compare(a.Action, b.Action))
	})
	return out
}

func (p *page) required(required []report.Required) {
	for _, q := range required {
		how := fmt.Sprintf("%s; %s, by %s rule; without it the job %s", q.Verdict, q.Strength, q.Confidence, ifMissing(q))
		what := p.onResources([]string{q.Action}, q.Resources, q.ResourcesTotal, labelWidth)
		p.field(q.Area, append(what, text(how))...)
	}
}

func ifMissing(q report.Required) string {
	s := q.IfMissing
	if s == "unknown" {
		s = "does what nobody documents"
	}
	if q.Optional {
		s += " (optional)"
	}
	return s
}

func (p *page) missing(missing []report.Missing) {
	for _, m := range missing {
		what := p.onResources([]string{m.Action}, m.Resources, len(m.Resources), labelWidth)
		p.field("missing", append(what, evidence(m.Evidence)...)...)
	}
}

func (p *page) denied(denied []report.Denied) {
	for _, d := range denied {
		what := p.onResources([]string{d.Action}, d.Resources, d.ResourcesTotal, labelWidth)
		how := fmt.Sprintf("denied %s, last %s", plural(d.Count, "time", "times"), minute(d.Last))
		if d.Layer != "" {
			how += ", by the layer " + d.Layer
		}
		if d.ResolvedAt != nil {
			how += ", allowed since " + minute(*d.ResolvedAt)
		}
		p.field(string(d.Verdict), append(append(what, text(how)), evidence(d.Evidence)...)...)
	}
}

// used lists what was seen to be used, most calls first.
func (p *page) used(used []report.Used) {
	byCount := slices.Clone(used)
	slices.SortStableFunc(byCount, func(a, b report.Used) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Action, b.Action))
	})
	var rows [][]cell
	for _, u := range byCount[:min(len(byCount), maxUses)] {
		action := cell{name(u.Action)}
		if u.Verdict == report.VerdictForeign {
			action = append(action, text("foreign: not granted by identity").in(2))
		}
		rows = append(rows, []cell{
			action,
			{text(strconv.Itoa(u.Count))},
			{text(day(u.Last))},
			{text(some(u.By, len(u.By), maxNames))},
			{text(some(u.Regions, len(u.Regions), 3))},
		})
	}
	p.grid([]column{head("Action"), head("Calls").numeric(), head("Last"), head("By"), head("Regions")}, rows)
	p.indented(more(len(used) - maxUses)...)
}
