package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// areas lays what is granted, needed and seen side by side, area by area, each cell
// with its verdict, and what is proposed below.
func (p *page) areas(r *report.Role) {
	if slices.ContainsFunc(r.Cells, func(c report.JudgedCell) bool { return slices.Contains(fourAreas, c.Area) }) {
		p.indented(name(cellLine("Verdict", "Granted", "Needed", "Seen")+"Action, on what").in(2),
			text("(seen: calls on record; n/a: no record that was read would show one)").in(2))
		p.blank()
	}
	for i, a := range r.Areas {
		if i > 0 {
			p.blank()
		}
		p.area(a, cellsOf(r, a.Area))
	}
}

// areaWidth is the room for the labels of an area.
const areaWidth = len("  proposed  ")

// cellWidth is the room for cellLine.
var cellWidth = len(cellLine("", "", "", ""))

// cellLine are the columns of a cell before its name.
func cellLine(verdict, granted, needed, seen string) string {
	return fmt.Sprintf("%-13s %-11s %-9s %4s  ", verdict, granted, needed, seen)
}

func (p *page) area(a report.Area, cells []*cellGroup) {
	excess := excessOf(a)
	if len(cells)+len(a.Proposed) == 0 {
		p.labelled(text(a.Area), areaWidth, paras("not needed, not seen; "+excess))
		return
	}
	p.labelled(text(a.Area), areaWidth, paras(excess))
	for _, g := range cells[:min(len(cells), maxCells)] {
		p.cellGroup(g)
	}
	p.indented(more(len(cells) - maxCells)...)
	row := func(ps ...para) { p.labelled(text("proposed").in(2), areaWidth, ps) }
	if len(a.Proposed) > 0 && sameCells(a.Required, a.Proposed) {
		row(text("as needed"))
		return
	}
	row(p.cells(a.Proposed, "nothing")...)
}

func excessOf(a report.Area) string {
	var parts []string
	if a.Excess > 0 {
		parts = append(parts, plural(a.Excess, "granted action", "granted actions")+" neither used nor required")
	}
	if a.ExcessPatterns > 0 {
		parts = append(parts, plural(a.ExcessPatterns, "granted pattern", "granted patterns")+" wider than what is needed or seen")
	}
	if len(parts) == 0 {
		return "nothing granted in excess"
	}
	return strings.Join(parts, "; ")
}

// cellGroup is cells alike in all but action or resource.
type cellGroup struct {
	report.JudgedCell
	actions, resources []string
}

// cellsOf are the cells of an area, the rest of the grant last: those of one action
// that are alike are put together, then those of the same resources.
func cellsOf(r *report.Role, area string) []*cellGroup {
	alike := func(a, b *report.JudgedCell) bool {
		return a.Verdict == b.Verdict && (a.NotObservable == "") == (b.NotObservable == "") && a.Granted == b.Granted && a.Effective == b.Effective && a.Partial == b.Partial &&
			a.Needed == b.Needed && a.Seen == b.Seen && a.Rest == b.Rest && a.Reason == b.Reason
	}
	var groups []*cellGroup
	for i := range r.Cells {
		c := &r.Cells[i]
		if c.Area != area {
			continue
		}
		resources := []string{c.Resource}
		if c.Rest {
			resources = c.Patterns
		}
		if j := slices.IndexFunc(groups, func(g *cellGroup) bool {
			return alike(&g.JudgedCell, c) && slices.Equal(g.actions, []string{c.Action})
		}); j >= 0 {
			groups[j].resources = append(groups[j].resources, resources...)
			continue
		}
		groups = append(groups, &cellGroup{*c, []string{c.Action}, resources})
	}
	var merged []*cellGroup
	for _, g := range groups {
		if j := slices.IndexFunc(merged, func(h *cellGroup) bool {
			return alike(&g.JudgedCell, &h.JudgedCell) && slices.Equal(g.resources, h.resources)
		}); j >= 0 {
			merged[j].actions = append(merged[j].actions, g.actions...)
			continue
		}
		merged = append(merged, g)
	}
	slices.SortStableFunc(merged, func(a, b *cellGroup) int {
		switch {
		case a.Rest == b.Rest:
			return 0
		case b.Rest:
			return -1
		}
		return 1
	})
	return merged
}

func (p *page) cellGroup(g *cellGroup) {
	granted := g.Granted
	switch {
	case g.Granted == "no":
	case g.Effective == "no":
		granted = "refused"
	case g.Granted == "conditional":
		granted = "condition"
	case g.Partial:
		granted = "in part"
	}
	seen := "-"
	switch {
	case g.Seen > 0:
		seen = strconv.Itoa(g.Seen)
	case g.NotObservable != "":
		seen = "n/a"
	}
	needed := g.Needed
	if needed == "" {
		needed = "-"
	}
	actions := strings.Join(g.actions, ", ")
	if g.Rest {
		actions = "the rest of " + actions
	}
	line := cellLine(string(g.Verdict), granted, needed, seen)
	p.labelled(name(strings.TrimRight(line, " ")).in(2), cellWidth+2, paras(actions))
	const under = 6
	for _, r := range g.resources[:min(len(g.resources), maxResources)] {
		if r != "" {
			p.indented(name(r).in(under).hanging(2))
		}
	}
	for _, q := range more(len(g.resources) - maxResources) {
		p.indented(q.in(under))
	}
	if g.Reason != "" {
		p.indented(text("(" + g.Reason + ")").in(under).hanging(1))
	}
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
