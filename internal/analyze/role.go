package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// role lays a judgement out as the contract has it.
func (a *audit) role(j *judgement) report.Role {
	sub := j.sub
	r := report.Role{
		ARN: sub.key.ARN, ID: sub.key.ID, Name: nameOf(sub.key.ARN), Path: pathOf(sub.key.ARN),
		Exists: !sub.gone, Jobs: jobsOf(sub.jobs), Workloads: workloads(a.snapshot, sub),
		Trust: j.trust, Policies: []report.PolicyRef{},
		Layers: report.Layers{Identity: layerNotRead, Boundary: layerNotRead, SCP: layerNotRead, RCP: layerNotRead, Resource: layerNotRead},
		Counts: j.counts(), Used: []report.Used{}, Required: []report.Required{}, Denied: []report.Denied{}, Missing: []report.Missing{},
		Granted:      report.Granted{Identity: j.identity, Effective: j.actions.count, Conditional: j.conditional, Services: j.services()},
		Unused:       a.unseen(j, report.VerdictUnused),
		Unobservable: a.unseen(j, report.VerdictUnobservable),
	}
	if role := sub.role; role != nil {
		r.Name, r.Path = role.Name, role.Path
		r.CreatedAt, r.LastUsedAt = moment(role.CreatedAt), moment(role.LastUsed.At)
		r.Policies, r.Layers = list(j.grant.refs), j.grant.layers
		r.Layers.Resource = resourceLayer(j)
	}
	a.fillUsed(j, &r)
	a.fillRequired(j, &r)
	a.fillDenied(j, &r)
	r.Unresolved, r.UnresolvedTotal = reportUnresolved(j.unresolved)
	r.Cells = []report.JudgedCell{}
	for _, c := range j.cells.sorted() {
		if r.CellsTotal++; r.CellsTotal <= report.MaxCells {
			r.Cells = append(r.Cells, a.reportCell(j, c))
		}
	}
	var plan *plan
	if j.grant != nil && j.grant.unknown == "" {
		plan = a.plan(j)
		r.Proposal = a.propose(j, plan)
	}
	r.Areas = a.areas(j, plan)
	r.Reach = a.reachOf(j)
	r.Readiness, r.ReadinessWhy = a.readiness(j, r.Proposal)
	return r
}

// fillUsed tells the uses of an action by verdict.
func (a *audit) fillUsed(j *judgement, r *report.Role) {
	for _, action := range slices.Sorted(maps.Keys(j.seen.used)) {
		for _, verdict := range []report.Verdict{report.VerdictUsed, report.VerdictForeign} {
			var touches []*touch
			reason := ""
			for _, c := range j.cells[action] {
				foreign := !c.granted() || !c.effective()
				if c.used == nil || foreign != (verdict == report.VerdictForeign) {
					continue
				}
				touches = append(touches, c.used)
				if foreign {
					reason = cmp.Or(reason, c.reason)
				}
			}
			if len(touches) == 0 {
				continue
			}
			t := join(touches...)
			resources, total := capped(sorted(t.resources), report.MaxResources)
			r.Used = append(r.Used, report.Used{Action: action, Resources: resources, ResourcesTotal: total, Count: t.count(),
				First: t.first().UTC(), Last: t.last().UTC(), Regions: t.regions(), By: t.by(), Who: t.who(),
				Verdict: verdict, Reason: reason, Evidence: t.evidence()})
			if verdict == report.VerdictForeign {
				r.Counts.Foreign++
			}
		}
	}
}

// fillRequired merges the needs of one action, area and verdict.
func (a *audit) fillRequired(j *judgement, r *report.Role) {
	type key struct {
		area, action string
		verdict      report.Verdict
	}
	merged := map[key]*report.Required{}
	strongest := map[key]strength{}
	var order []key
	for _, n := range j.needs {
		k := key{n.area, n.action, n.verdict}
		q := merged[k]
		if q == nil {
			q = &report.Required{Action: n.action, Area: n.area, Verdict: n.verdict, Confidence: string(n.need.confidence),
				IfMissing: n.need.ifMissing, Optional: n.need.optional, Evidence: []report.Evidence{}}
			merged[k], order = q, append(order, k)
		}
		q.ResourcesTotal++
		if len(q.Resources) < report.MaxResources {
			q.Resources = append(q.Resources, n.resource)
		}
		strongest[k] = max(strongest[k], n.need.strength)
		q.Strength = strongest[k].String()
		// The strictest of several rules: what fails without it is not optional.
		q.Optional = q.Optional && n.need.optional
		if n.need.ifMissing == "fails" {
			q.IfMissing = "fails"
		}
		for i, job := range n.jobs {
			if len(q.Evidence) < report.MaxEvidence {
				q.Evidence = append(q.Evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: n.fields[i], Text: n.notes[i]})
			}
		}
	}
	missing := map[string]*report.Missing{}
	for _, k := range order {
		q := merged[k]
		r.Required = append(r.Required, *q)
		if q.Verdict != report.VerdictMissing || q.Optional {
			continue
		}
		m := missing[q.Action]
		if m == nil {
			m = &report.Missing{Action: q.Action}
			missing[q.Action] = m
		}
		m.Resources = append(m.Resources, q.Resources...)
		m.Evidence = append(m.Evidence, q.Evidence...)
	}
	slices.SortFunc(r.Required, func(x, y report.Required) int {
		return cmp.Or(cmp.Compare(areaRank(x.Area), areaRank(y.Area)), cmp.Compare(x.Area, y.Area),
			cmp.Compare(x.Action, y.Action), cmp.Compare(x.Verdict, y.Verdict))
	})
	for _, action := range slices.Sorted(maps.Keys(missing)) {
		m := missing[action]
		slices.Sort(m.Resources) // areas may share a resource
		m.Resources = slices.Compact(m.Resources)
		r.Missing = append(r.Missing, *m)
	}
	r.Counts.Missing = len(r.Missing)
}

// areaRank puts the four areas first, in the order of a job's life.
func areaRank(area string) int {
	if i := slices.Index(fourAreas, area); i >= 0 {
		return i
	}
	return len(fourAreas)
}

// fillDenied tells the refusals of an action by verdict and layer.
func (a *audit) fillDenied(j *judgement, r *report.Role) {
	for _, action := range slices.Sorted(maps.Keys(j.seen.denied)) {
		type key struct {
			verdict report.Verdict
			layer   string
		}
		rows := map[key][]*cell{}
		for _, c := range j.cells[action] {
			if c.denied != nil {
				k := key{refusalVerdict(c), strings.Join(c.denied.layers(), ",")}
				rows[k] = append(rows[k], c)
			}
		}
		refused := false
		for _, k := range slices.SortedFunc(maps.Keys(rows), func(x, y key) int {
			return cmp.Or(cmp.Compare(x.verdict, y.verdict), cmp.Compare(x.layer, y.layer))
		}) {
			var touches []*touch
			var resolved time.Time
			reason := ""
			for _, c := range rows[k] {
				touches = append(touches, c.denied)
				reason = cmp.Or(reason, c.reason)
				if at := c.resolvedAt(); !at.IsZero() && (resolved.IsZero() || at.Before(resolved)) {
					resolved = at
				}
			}
			t := join(touches...)
			if !resolved.IsZero() {
				reason = "allowed since " + day(resolved)
				if why := j.whyResolved(t.last(), resolved); why != "" {
					reason += ", " + why
				}
			}
			d := report.Denied{Action: action, Count: t.count(), Last: t.last().UTC(), Verdict: k.verdict, Layer: k.layer,
				Reason: cmp.Or(reason, refusedBy(t.layers())), Evidence: t.evidence(), ResolvedAt: moment(resolved)}
			d.Resources, d.ResourcesTotal = capped(sorted(t.resources), report.MaxResources)
			r.Denied = append(r.Denied, d)
			refused = refused || k.verdict == report.VerdictRefused
		}
		if refused {
			r.Counts.Refused++
		}
	}
}

// refusalVerdict says what a cell's refusals were: missing, blocked, or neither,
// which is told as refused.
func refusalVerdict(c *cell) report.Verdict {
	switch c.verdict {
	case report.VerdictMissing, report.VerdictBlocked:
		return c.verdict
	}
	return report.VerdictRefused
}

// whyResolved names the change of the role's policies between the last refusal and
// the first success.
func (j *judgement) whyResolved(refused, allowed time.Time) string {
	for _, u := range j.changesAfter(refused) {
		if !u.Last.After(allowed) {
			return fmt.Sprintf("after %s by %s on %s", u.EventName, whoChanged(u), day(u.Last))
		}
	}
	return ""
}

// readiness says what may be done with the role's proposal now.
func (a *audit) readiness(j *judgement, p *report.Proposal) (report.Readiness, []string) {
	switch {
	case j.sub.former:
		return report.Blocked, []string{"a role of this name was created anew: this one is gone"}
	case j.sub.gone:
		return report.Blocked, []string{"IAM does not have this role"}
	case j.grant == nil:
		return report.Blocked, []string{"the role could not be read"}
	case p == nil:
		return report.Blocked, []string{j.grant.unknown}
	case p.Proof.Status == statusRefuted, p.Proof.Status == statusUndecided:
		return report.Draft, slices.Concat(p.Proof.Counterexamples, p.Proof.Reasons)
	}
	if open := slices.Concat(p.Proof.Reasons, p.Review, p.Confirm); len(open) > 0 {
		return report.Confirm, open
	}
	return report.Ready, []string{}
}

func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// pathOf gives "/service-role/" for arn:aws:iam::123456789012:role/service-role/name.
func pathOf(arn string) string {
	_, path, _ := strings.Cut(arn, "/")
	return "/" + path[:strings.LastIndexByte(path, '/')+1]
}
