package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/policy"
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
		Layers: report.Layers{Identity: layerNotRead, Boundary: layerNotRead, SCP: layerNotRead, Resource: layerNotRead},
		Counts: j.counts(), Used: []report.Used{}, Required: []report.Required{}, Denied: []report.Denied{}, Missing: []report.Missing{},
		Granted:      report.Granted{Identity: j.identity, Effective: len(j.actions), Conditional: j.conditional, Services: j.services()},
		Unused:       a.unseen(j, report.VerdictUnused),
		Unobservable: a.unseen(j, report.VerdictUnobservable),
	}
	if role := sub.role; role != nil {
		r.Name, r.Path = role.Name, role.Path
		r.CreatedAt, r.LastUsedAt = moment(role.CreatedAt), moment(role.LastUsed.At)
		r.Policies, r.Layers = list(j.grant.refs), j.grant.layers
	}
	a.fillUsed(j, &r)
	a.fillRequired(j, &r)
	a.fillDenied(j, &r)
	var plan *plan
	if j.grant != nil && j.grant.unknown == "" {
		plan = a.plan(j)
		r.Proposal = a.proposal(j, plan)
	}
	r.Areas = a.areas(j, plan)
	r.Reach = a.reach(j)
	r.Readiness, r.ReadinessWhy = a.readiness(j, r.Proposal)
	return r
}

func (a *audit) fillUsed(j *judgement, r *report.Role) {
	foreign := 0
	for _, o := range sortedObservations(j.seen.used) {
		verdict := report.VerdictUsed
		if j.actions[o.action].verdict != report.VerdictUsed {
			verdict = report.VerdictForeign
			foreign++
		}
		resources, total := capped(sorted(o.resources), report.MaxResources)
		r.Used = append(r.Used, report.Used{Action: o.action, Resources: resources, ResourcesTotal: total, Count: o.count,
			First: o.first.UTC(), Last: o.last.UTC(), Regions: sorted(o.regions), By: sorted(o.by), Verdict: verdict, Evidence: list(o.evidence)})
	}
	r.Counts.Foreign = foreign
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
				q.Evidence = append(q.Evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: n.fields[i]})
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

func (a *audit) fillDenied(j *judgement, r *report.Role) {
	for _, o := range sortedObservations(j.seen.denied) {
		d := report.Denied{Action: o.action, Count: o.count, Last: o.last.UTC(), Verdict: report.VerdictRefused,
			Layer: o.layer(), Evidence: list(o.evidence), ResolvedAt: moment(resolved(j.seen.used[o.action], o))}
		d.Resources, d.ResourcesTotal = capped(sorted(o.resources), report.MaxResources)
		switch {
		case slices.ContainsFunc(r.Missing, func(m report.Missing) bool { return m.Action == o.action }):
			d.Verdict = report.VerdictMissing
		case j.grant != nil && a.grantsAny(j, o):
			d.Verdict = report.VerdictBlocked
		default:
			r.Counts.Refused++
		}
		r.Denied = append(r.Denied, d)
	}
}

// grantsAny reports whether identity policies grant a denied action on any of
// the resources it was denied on.
func (a *audit) grantsAny(j *judgement, o *observation) bool {
	resources := sorted(o.resources)
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	return slices.ContainsFunc(resources, func(res string) bool {
		return j.grant.stack.Access(j.grant.principal, o.action, res, j.grant.known).Identity == policy.Yes
	})
}

// resolved is the first known use, after the last denial, of a resource that was
// denied; zero if there is none.
func resolved(used, denied *observation) time.Time {
	var first time.Time
	if used == nil {
		return first
	}
	for _, c := range used.calls {
		if !slices.ContainsFunc(c.resources, func(r string) bool { _, ok := denied.resources[r]; return ok }) {
			continue
		}
		for _, at := range []time.Time{c.first, c.last} {
			if at.After(denied.last) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// readiness says what may be done with the role's proposal now. No proposal is
// proven in this version, so none is ready.
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
	}
	return report.Draft, p.Proof.Reasons
}

func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// pathOf gives "/service-role/" for arn:aws:iam::123456789012:role/service-role/name.
func pathOf(arn string) string {
	_, path, _ := strings.Cut(arn, "/")
	return "/" + path[:strings.LastIndexByte(path, '/')+1]
}
