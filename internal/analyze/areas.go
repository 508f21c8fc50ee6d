package analyze

import (
	"maps"
	"slices"

	"sagemaker-role-audit/internal/analyze/report"
)

// areas lays what is needed, granted, touched and proposed side by side.
func (a *audit) areas(j *judgement, p *plan) []report.Area {
	out := make([]report.Area, 0, len(fourAreas))
	excess := a.excess(j)
	for _, area := range fourAreas {
		x := report.Area{Area: area, Required: []report.Cell{}, Granted: []report.Cell{}, Touched: []report.Cell{}, Proposed: []report.Cell{}}
		needed := map[string][]string{}
		for _, n := range j.needs {
			if n.area == area {
				needed[n.action] = append(needed[n.action], n.resource)
			}
		}
		for _, action := range slices.Sorted(maps.Keys(needed)) {
			resources := needed[action]
			slices.Sort(resources)
			resources, _ = capped(slices.Compact(resources), report.MaxResources)
			x.Required = append(x.Required, report.Cell{Action: action, Resources: resources})
			x.Granted = append(x.Granted, a.grantedCells(j, action)...)
		}
		for _, o := range sortedObservations(j.seen.used) {
			if a.areaOf(o.action) == area {
				resources, _ := capped(observedPatterns(&o.touch), report.MaxResources)
				x.Touched = append(x.Touched, report.Cell{Action: o.action, Resources: resources})
			}
		}
		x.Excess = excess[area]
		for _, list := range j.cells {
			for _, c := range list {
				if c.area == area && c.isRest() && slices.ContainsFunc(list, func(o *cell) bool { return o.need != nil || o.used != nil }) {
					x.ExcessPatterns += len(c.rest)
				}
			}
		}
		if p != nil {
			x.Proposed = p.cells(area)
		}
		out = append(out, x)
	}
	return out
}

// excess counts the granted actions of each area that are neither used nor required.
func (a *audit) excess(j *judgement) map[string]int {
	out := map[string]int{}
	count := func(action string, v actionVerdict) {
		if v.verdict != "" && v.verdict != report.VerdictUsed && v.verdict != report.VerdictRequired {
			out[a.areaOf(action)]++
		}
	}
	for _, service := range areaServices {
		span := spanOf(service)
		for i := span.from; i < span.to; i++ {
			count(a.library.catalog.Action(i), j.actions.table[j.actions.index[i]])
		}
	}
	for action, v := range j.actions.named {
		count(action, v)
	}
	return out
}

// areaServices are those whose actions belong to one of the four areas: see areaOf.
var areaServices = []string{"ecr", "logs", "s3"}

// grantedCells gives the patterns on which today's policies grant an action.
func (a *audit) grantedCells(j *judgement, action string) []report.Cell {
	i, known := a.library.catalog.Index(action)
	if j.grant == nil || !known {
		return nil
	}
	firm, conditional := map[string]struct{}{}, map[string]struct{}{}
	for _, g := range j.grant.patterns(i) {
		if g.conditional {
			conditional[g.text] = struct{}{}
		} else {
			firm[g.text] = struct{}{}
		}
	}
	var cells []report.Cell
	if len(firm) > 0 {
		resources, _ := capped(sorted(firm), report.MaxResources)
		cells = append(cells, report.Cell{Action: action, Resources: resources})
	}
	if len(conditional) > 0 {
		resources, _ := capped(sorted(conditional), report.MaxResources)
		cells = append(cells, report.Cell{Action: action, Resources: resources, Conditional: true})
	}
	return cells
}

// areaOf assigns an action to one of the four areas, "" for none.
func (a *audit) areaOf(action string) string {
	switch serviceOf(action) {
	case "ecr":
		return areaECRPull
	case "logs":
		return areaLogs
	case "s3":
		if i, ok := a.library.catalog.Index(action); ok && a.library.catalog.IsReadOnly(i) {
			return areaS3Read
		}
		return areaS3Write
	}
	return ""
}
