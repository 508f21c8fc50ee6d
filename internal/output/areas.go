package output

import (
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// areas lays what the jobs need, how it is granted, what was touched and what is
// proposed under one another, area by area.
func (p *page) areas(areas []report.Area) {
	for i, a := range areas {
		if i > 0 {
			p.blank()
		}
		p.area(a)
	}
}

// areaWidth is the room for the labels of an area.
const areaWidth = len("  proposed  ")

func (p *page) area(a report.Area) {
	excess := "nothing granted in excess"
	if a.Excess > 0 {
		excess = plural(a.Excess, "granted action", "granted actions") + " neither used nor required"
	}
	row := func(label string, ps ...para) { p.labelled(text(label).in(2), areaWidth, ps) }
	if len(a.Required)+len(a.Granted)+len(a.Touched)+len(a.Proposed) == 0 {
		p.labelled(text(a.Area), areaWidth, paras("not needed, not seen; "+excess))
		return
	}
	p.labelled(text(a.Area), areaWidth, paras(excess))
	row("needed", p.cells(a.Required, "nothing")...)
	row("granted", p.cells(a.Granted, "nothing of what is needed")...)
	row("seen", p.cells(a.Touched, "no record")...)
	if len(a.Proposed) > 0 && sameCells(a.Required, a.Proposed) {
		row("proposed", text("as needed"))
		return
	}
	row("proposed", p.cells(a.Proposed, "nothing")...)
}

func sameCells(a, b []report.Cell) bool {
	return slices.EqualFunc(a, b, func(a, b report.Cell) bool {
		return a.Action == b.Action && a.Conditional == b.Conditional && slices.Equal(a.Resources, b.Resources)
	})
}

// grant is one or more actions on the same resources.
type grant struct {
	actions   []string
	resources []string
}

// cells writes actions with their resources, those with the same resources together.
func (p *page) cells(cells []report.Cell, none string) []para {
	if len(cells) == 0 {
		return paras(none)
	}
	groups := byResources(byAction(cells))
	var out []para
	for _, g := range groups[:min(len(groups), maxResources)] {
		out = append(out, p.onResources(g.actions, g.resources, len(g.resources), areaWidth)...)
	}
	return append(out, more(len(groups)-maxResources)...)
}

// byAction gives every action all its resources.
func byAction(cells []report.Cell) []*grant {
	var grants []*grant
	known := map[string]*grant{}
	for _, c := range cells {
		action := c.Action
		if c.Conditional {
			action += " (under a condition)"
		}
		g := known[action]
		if g == nil {
			g = &grant{actions: []string{action}}
			known[action] = g
			grants = append(grants, g)
		}
		g.resources = append(g.resources, c.Resources...)
	}
	return grants
}

// byResources puts the actions with the same resources together.
func byResources(grants []*grant) []*grant {
	var groups []*grant
	for _, g := range grants {
		i := slices.IndexFunc(groups, func(h *grant) bool { return slices.Equal(g.resources, h.resources) })
		if i < 0 {
			groups = append(groups, g)
			continue
		}
		groups[i].actions = append(groups[i].actions, g.actions...)
	}
	return groups
}

// onResources says which actions on which of total resources: in one line if
// that fits beside a label, else one resource a line.
func (p *page) onResources(actions, resources []string, total, labelWidth int) []para {
	head := strings.Join(actions, ", ")
	if len(resources) == 0 {
		return paras(head)
	}
	if len(resources) == 1 && total <= 1 && resources[0] == "*" {
		return paras(head + " on *")
	}
	if len(resources) == total {
		if line := text(head + " on " + strings.Join(resources, ", ")); line.natural() <= p.width-margin-labelWidth {
			return []para{line}
		}
	}
	out := paras(head + " on")
	for _, r := range resources[:min(len(resources), maxResources)] {
		out = append(out, name(r).in(2).hanging(2))
	}
	for _, q := range more(max(total, len(resources)) - len(out) + 1) {
		out = append(out, q.in(2))
	}
	return out
}
