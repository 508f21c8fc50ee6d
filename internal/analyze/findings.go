package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// hit is one place where a rule is broken.
type hit struct {
	severity  report.Severity
	subject   string
	detail    string
	evidence  []report.Evidence
	statement *report.StatementRef
	// tells are the services that it speaks of whole: service-wildcard is silent about
	// them.
	tells    []string
	controls []string // beside the rule's
	// owned: AWS keeps the statement, so that its place in the policy is no business of
	// the customer's.
	owned bool
}

// findings runs every rule over a role, in the order of the table.
func (a *audit) findings(j *judgement) []report.Finding {
	hits := make(map[string][]hit, len(rules))
	for i := range rules {
		r := &rules[i]
		if r.id != "service-wildcard" { // it needs to know what the others tell
			hits[r.id] = r.check(a, j)
		}
	}
	j.told = toldServices(hits)
	hits["service-wildcard"] = serviceWildcard(a, j)

	limit := a.exposure(j)
	var out []report.Finding
	for i := range rules {
		r := &rules[i]
		for _, h := range merged(unyielded(r, hits)) {
			if r.looksAt == report.RuleIdentity {
				limit.apply(&h)
			}
			if h.severity.Rank() > r.least.Rank() {
				h.severity = r.least
			}
			remedy := r.remedy
			if h.owned && r.id != "full-admin" {
				remedy = "Replace the policy, whose statements are AWS's own to edit: see the proposed policy."
			}
			out = append(out, report.Finding{ID: findingID(r.id, j.sub.key, h.subject), Rule: r.id, Severity: h.severity,
				Role: j.sub.key.ARN, RoleID: j.sub.key.ID, Subject: h.subject, Title: r.title, Detail: h.detail,
				Remedy: remedy, Evidence: list(h.evidence), Statement: h.statement, Controls: list(slices.Concat(r.controls, h.controls))})
		}
	}
	return out
}

// unyielded are a rule's hits less those that a rule it yields to has told.
func unyielded(r *rule, hits map[string][]hit) []hit {
	return slices.DeleteFunc(slices.Clone(hits[r.id]), func(h hit) bool {
		return slices.ContainsFunc(r.yields, func(id string) bool {
			return slices.ContainsFunc(hits[id], func(o hit) bool {
				if h.statement == nil || o.statement == nil {
					return h.subject == o.subject
				}
				return *h.statement == *o.statement && (h.statement.Policy != trustPolicy || h.subject == o.subject)
			})
		})
	})
}

// merged joins the hits of one rule in one of AWS's own policies: their remedy is not to
// edit statements. The worst of them speaks.
func merged(hits []hit) []hit {
	var out []hit
	first := map[string]int{}
	more := map[int][]string{}
	slices.SortStableFunc(hits, func(x, y hit) int { return cmp.Compare(x.severity.Rank(), y.severity.Rank()) })
	for _, h := range hits {
		if !h.owned {
			out = append(out, h)
			continue
		}
		i, seen := first[h.statement.Policy]
		if !seen {
			first[h.statement.Policy] = len(out)
			out = append(out, h)
			continue
		}
		more[i] = append(more[i], cmp.Or(h.statement.Sid, fmt.Sprintf("statement %d", h.statement.Index+1)))
	}
	for i, others := range more {
		out[i].detail += " So does " + shortList(others, 3) + "."
	}
	return out
}

// toldServices are the services that findings other than service-wildcard speak of
// whole, by statement.
func toldServices(hits map[string][]hit) map[report.StatementRef][]string {
	out := map[report.StatementRef][]string{}
	for _, list := range hits {
		for _, h := range list {
			if h.statement != nil && len(h.tells) > 0 {
				out[*h.statement] = append(out[*h.statement], h.tells...)
			}
		}
	}
	return out
}

// exposed says who could use what a role is granted, where that is less than whoever
// runs code in a job.
type exposed struct {
	most  report.Severity // "" for no limit
	steps int
	note  string
}

func (e exposed) apply(h *hit) {
	for range e.steps {
		h.severity = lower(h.severity)
	}
	if e.most != "" {
		h.severity = atMost(h.severity, e.most)
	}
	h.detail += e.note
}

// exposure reads who can act as the role: nobody where its trust policy admits nobody;
// no code where nobody was seen to use it; and not the code of jobs that are all network isolated, which gets no credentials.
// Source: AWS SageMaker mkt-algo-model-internet-free (network isolation).
func (a *audit) exposure(j *judgement) exposed {
	if j.grant == nil || j.grant.trust == nil {
		return exposed{}
	}
	if !admits(j.grant.trust) {
		return exposed{most: report.Low, note: " Nobody can use it today: the trust policy lets nobody assume the role."}
	}
	if len(idleRole(a, j)) > 0 {
		return exposed{steps: 1, note: fmt.Sprintf(" No code runs as it: no job since %s.", day(a.snapshot.JobsWindow.From))}
	}
	isolated := len(j.sub.jobs) > 0 && a.observer.jobs == "" && len(j.trust.OtherPrincipals) == 0 && len(workloads(a.snapshot, j.sub)) == 0
	for _, job := range j.sub.jobs {
		isolated = isolated && job.NetworkIsolation
	}
	if isolated {
		return exposed{steps: 1, note: fmt.Sprintf(" All of its %s run under network isolation: code in their containers has no credentials.", counted(len(j.sub.jobs), "job"))}
	}
	return exposed{}
}

// admits reports whether a trust policy may let anybody assume the role.
func admits(d *policy.Document) bool {
	for _, who := range trusted(d) {
		specs, _ := trustOf(d, who)
		denied := slices.ContainsFunc(specs, func(s policy.Spec) bool {
			return s.Effect == policy.Deny && len(s.Conditions) == 0 && slices.ContainsFunc(s.Actions, func(x string) bool { return policy.MatchAction(x, "sts:AssumeRole") })
		})
		everyone := slices.ContainsFunc(d.Statements(), func(st *policy.Statement) bool {
			return st.Effect == policy.Deny && st.Unconditional() && speaksOf(st, "sts:AssumeRole") && slices.Contains(principals(st), "*")
		})
		assumes := slices.ContainsFunc(d.Statements(), func(st *policy.Statement) bool {
			return st.Effect == policy.Allow && slices.Contains(principals(st), who) &&
				slices.ContainsFunc([]string{"sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"}, func(x string) bool { return speaksOf(st, x) })
		})
		if assumes && !denied && !everyone {
			return true
		}
	}
	return false
}

// counted is a number of things in words: "1 job", "3 jobs".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// findingID names a finding by what it is about, never by where it stands, so
// that two runs can be compared.
func findingID(rule string, key snapshot.RoleKey, subject string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{rule, key.ARN, key.ID, subject}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// allows visits the role's identity Allow statements.
func (j *judgement) allows(visit func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef)) {
	if j.grant == nil {
		return
	}
	for i := range j.grant.stack.Identity {
		p := &j.grant.stack.Identity[i]
		for _, st := range p.Document.Statements() {
			if st.Effect == policy.Allow {
				visit(p, st, &report.StatementRef{Policy: cmp.Or(p.ARN, p.Name), Version: p.Version, Sid: st.Sid, Index: st.Index})
			}
		}
	}
}

// grants makes a finding of each Allow statement of which look says something.
func (j *judgement) grants(look func(st *policy.Statement, ref *report.StatementRef) *found) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if j.never(st) {
			return
		}
		f := look(st, ref)
		if f == nil {
			return
		}
		h := hit{severity: f.held.severity(f.severity), subject: subjectOf(ref), statement: ref, tells: f.tells,
			detail: p.Name + " " + f.says + under(st) + "." + f.could + f.held.but(), owned: strings.Contains(p.ARN, ":iam::aws:policy/")}
		if slices.ContainsFunc(st.Actions, func(x string) bool {
			return !st.NotAction && wholeService.MatchString(x) && slices.Contains(f.tells, strings.ToLower(serviceOf(x)))
		}) {
			h.controls = []string{"IAM.21"} // what service-wildcard would have said
		}
		out = append(out, h)
	})
	return out
}

// never reports whether a statement's conditions fail whatever the role asks for.
func (j *judgement) never(st *policy.Statement) bool {
	r := st.Read(policy.Request{Principal: j.grant.principal, Action: "s3:GetObject", Resource: "*", Context: j.grant.known}, policy.LayerIdentity)
	return slices.ContainsFunc(r.Conditions, func(c policy.ConditionReading) bool { return c.Truth == policy.False })
}

// found is what a rule says of a statement: the severity where all of it may be called
// whatever the context, and the words, after the policy's name.
type found struct {
	severity report.Severity
	held     held
	says     string
	could    string
	tells    []string
}

// coder is who could use what the role is granted.
func (j *judgement) coder() string {
	switch n := len(j.sub.jobs); n {
	case 0:
		return "whoever runs code as the role"
	case 1:
		return "code in the role's job"
	default:
		return fmt.Sprintf("code in any of the role's %d jobs", n)
	}
}
