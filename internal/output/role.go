package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// role writes one role: what it is, what is wrong, what its jobs need against
// what it may do and did, and the policy to put in its place.
func (p *page) role(v *roleView, i, n int) {
	p.blank()
	p.rule("=")
	p.put(name(fmt.Sprintf("%s   (role %d of %d)", v.label, i, n)))
	p.rule("=")
	p.identity(v.Role)
	p.field("Readiness", v.readinessPara())
	p.field("", notes(v.ReadinessWhy)...)
	p.part("Findings", len(v.findings) > 0, func() { p.findings(v.ARN, v.findings) })
	p.part("Granted", v.Exists || v.Counts.Granted > 0, func() { p.grant(v.Role) })
	p.part("Escalation: what code that runs as the role can become", len(v.Reach.Escalation) > 0, func() { p.escalation(&v.Reach) })
	p.part("The four areas", len(v.Areas) > 0, func() { p.areas(v.Role) })
	others := otherAreas(v.Role)
	p.part("Also required, beyond the four areas", len(others) > 0, func() { p.required(others) })
	p.part("Missing: required and not granted", len(v.Missing) > 0, func() { p.missing(v.Missing) })
	p.part("Denied by AWS", len(v.Denied) > 0, func() { p.denied(v.Denied) })
	p.part("Used", len(v.Used) > 0, func() { p.used(v.Used) })
	if v.Proposal != nil {
		p.proposal(v.Proposal)
	}
}

// part writes a headed part of a role if there is anything in it.
func (p *page) part(head string, some bool, body func()) {
	if !some {
		return
	}
	p.blank()
	p.put(text(head))
	body()
}

func (p *page) identity(r *report.Role) {
	p.field("Role", name(r.ARN))
	var dates []string
	if r.ID != "" {
		dates = append(dates, "id "+r.ID)
	}
	if r.CreatedAt != nil {
		dates = append(dates, "created "+day(*r.CreatedAt))
	}
	if r.LastUsedAt != nil {
		dates = append(dates, "last used "+day(*r.LastUsedAt))
	}
	if !r.Exists {
		dates = append(dates, "IAM has no such role (any more)")
	}
	if len(dates) > 0 {
		p.field("", text(strings.Join(dates, ", ")))
	}
	p.field("Jobs", jobs(r.Jobs)...)
	p.field("Other users", workloads(r.Workloads)...)
	if r.Exists {
		p.field("Trust", trust(r.Trust)...)
		p.field("Policies", policies(r.Policies)...)
		p.field("Reach", reachHead(&r.Reach)...)
	}
}

func jobs(j report.Jobs) []para {
	if j.Total == 0 {
		return paras("none in the jobs window")
	}
	ps := paras(join("; ", fmt.Sprintf("%d: %s", j.Total, tally(j.ByStatus)), tally(j.ByRegion)))
	if j.FirstAt != nil && j.LastAt != nil {
		s := fmt.Sprintf("created %s to %s", day(*j.FirstAt), day(*j.LastAt))
		if j.TuningChildren > 0 {
			s += fmt.Sprintf("; %d of them children of hyperparameter tuning jobs", j.TuningChildren)
		}
		ps = append(ps, text(s))
	}
	if len(j.Names) > 0 {
		ps = append(ps, text("newest: "+some(j.Names, j.Total, 3)))
	}
	return ps
}

func workloads(ws []report.Workload) []para {
	var ps []para
	for _, w := range ws[:min(len(ws), maxResources)] {
		ps = append(ps, text(join(" ", w.Kind, w.ARN, w.Region)).hanging(2))
	}
	return append(ps, more(len(ws)-len(ps))...)
}

// guards says what the trust policy's confused-deputy conditions are.
var guards = map[string]string{
	"none":          "no aws:SourceAccount or aws:SourceArn condition",
	"sourceAccount": "guarded by aws:SourceAccount",
	"sourceArn":     "guarded by aws:SourceArn",
	"both":          "guarded by aws:SourceAccount and aws:SourceArn",
	"unknown":       "under conditions that could not be judged",
}

func trust(t report.Trust) []para {
	s := "SageMaker may not assume it"
	if t.AllowsSageMaker {
		s = "SageMaker may assume it, " + wording(guards, t.Guard)
	}
	ps := paras(s)
	for _, o := range t.OtherPrincipals[:min(len(t.OtherPrincipals), maxResources)] {
		ps = append(ps, text("also trusted: "+o).hanging(2))
	}
	return append(ps, more(len(t.OtherPrincipals)-maxResources)...)
}

func policies(refs []report.PolicyRef) []para {
	var ps []para
	for _, r := range refs {
		ps = append(ps, text(join(" ", r.Kind, policyName(r), r.Version)).hanging(2))
	}
	if len(ps) == 0 {
		return paras("none")
	}
	return ps
}

// policyName is the ARN of a managed policy, which holds its name.
func policyName(r report.PolicyRef) string {
	if r.ARN != "" {
		return r.ARN
	}
	return r.Name
}

// grant writes the numbers: what is granted, and what became of it.
func (p *page) grant(r *report.Role) {
	c := r.Counts
	granted := fmt.Sprintf("%s of %s", plural(c.Granted, "action", "actions"), plural(len(r.Granted.Services), "service", "services"))
	if r.Granted.Conditional > 0 {
		granted += fmt.Sprintf(", %d of them only under a condition", r.Granted.Conditional)
	}
	if r.Granted.Identity != r.Granted.Effective {
		granted += fmt.Sprintf(" (%d by identity policies alone)", r.Granted.Identity)
	}
	p.field("In all", text(granted), text(layers(r.Layers)))
	p.field("Of these", text(fmt.Sprintf("%d used, %d required, %d blocked, %d unused, %d unobservable",
		c.Used, c.Required, c.Blocked, c.Unused, c.Unobservable)))
	if c.Missing+c.Foreign+c.Refused > 0 {
		p.field("Not granted", text(fmt.Sprintf("%d missing, %d used all the same (foreign), %d refused", c.Missing, c.Foreign, c.Refused)))
	}
	p.field("Unused", unseen(r.Unused)...)
	p.field("Unobservable", unseen(r.Unobservable)...)
	p.field("Resources", reach(&r.Reach)...)
}

// layers says which policy layers the numbers rest on.
func layers(l report.Layers) string {
	var read, not []string
	for _, x := range []struct{ name, state string }{
		{"identity", l.Identity}, {"boundary", l.Boundary}, {"SCP", l.SCP}, {"RCP", l.RCP}, {"resource policies", l.Resource},
	} {
		switch x.state {
		case "read":
			read = append(read, x.name)
		case "notRead":
			not = append(not, x.name)
		case "partly":
			not = append(not, "some "+x.name)
		}
	}
	s := "read: " + strings.Join(read, ", ")
	if len(read) == 0 {
		s = "no layer was read"
	}
	if len(not) > 0 {
		s += "; not read: " + strings.Join(not, ", ") + ", so an upper bound"
	}
	return s
}

// unseen says of which services the unused or unobservable actions are, and why
// they are called so.
func unseen(u report.Unseen) []para {
	if u.Count == 0 {
		return nil
	}
	var all, parts []string
	for _, service := range slices.Sorted(maps.Keys(u.Services)) {
		s := u.Services[service]
		switch {
		case s.All:
			all = append(all, service)
		case s.Count <= 3 && len(s.Actions) == s.Count:
			parts = append(parts, s.Actions...)
		default:
			parts = append(parts, fmt.Sprintf("%d of %s", s.Count, service))
		}
	}
	var ps []para
	if len(all) > 0 {
		ps = append(ps, text(fmt.Sprintf("every action of %s: %s", plural(len(all), "service", "services"), some(all, len(all), 2*maxNames))))
	}
	if len(parts) > 0 {
		ps = append(ps, text(some(parts, len(parts), 2*maxNames)))
	}
	for _, r := range u.Reasons {
		ps = append(ps, text(fmt.Sprintf("- %d: %s", r.Count, r.Reason)).hanging(2))
	}
	for _, b := range u.Basis {
		ps = append(ps, text("- basis: "+b).hanging(2))
	}
	return ps
}
