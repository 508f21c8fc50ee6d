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
	for _, q := range required[:min(len(required), maxUses)] {
		how := fmt.Sprintf("%s; strength %s; rule %s; without it %s", q.Verdict, q.Strength, wording(rules, q.Confidence), wording(effects, q.IfMissing))
		if q.Optional {
			how += "; optional"
		}
		what := p.onResources([]string{q.Action}, q.Resources, q.ResourcesTotal, labelWidth)
		p.field(q.Area, append(what, text(how))...)
	}
	p.indented(more(len(required) - maxUses)...)
}

// rules say where the rule comes from that asks for an action.
var rules = map[string]string{
	"doc":      "documented by AWS",
	"model":    "from the API model",
	"inferred": "inferred from behaviour",
}

// effects say what becomes of a job without an action.
var effects = map[string]string{
	"fails":    "the job fails",
	"degrades": "the job runs and loses something",
	"unknown":  "the effect is documented nowhere",
}

func (p *page) missing(missing []report.Missing) {
	for _, m := range missing[:min(len(missing), maxUses)] {
		what := p.onResources([]string{m.Action}, m.Resources, len(m.Resources), labelWidth)
		p.field("missing", append(what, evidence(m.Evidence)...)...)
	}
	p.indented(more(len(missing) - maxUses)...)
}

func (p *page) denied(denied []report.Denied) {
	for _, d := range denied[:min(len(denied), maxUses)] {
		what := p.onResources([]string{d.Action}, d.Resources, d.ResourcesTotal, labelWidth)
		how := fmt.Sprintf("denied %s, last %s", plural(d.Count, "time", "times"), minute(d.Last))
		if d.Reason != "" {
			how += "; " + d.Reason
		}
		p.field(string(d.Verdict), append(append(what, text(how)), evidence(d.Evidence)...)...)
	}
	p.indented(more(len(denied) - maxUses)...)
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
			action = append(action, text("foreign: "+or(u.Reason, "not granted by identity")).in(2))
		}
		rows = append(rows, []cell{
			action,
			{text(strconv.Itoa(u.Count))},
			{text(day(u.Last))},
			append(cell{text(some(u.By, len(u.By), maxNames))}, paras(u.Who[:min(len(u.Who), 3)]...)...),
			{text(some(u.Regions, len(u.Regions), 3))},
		})
	}
	p.grid([]column{head("Action"), head("Calls").numeric(), head("Last"), head("By"), head("Regions")}, rows)
	p.indented(more(len(used) - maxUses)...)
}
