package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// proposal lays a plan out as IAM documents with the reasons of each statement.
func (a *audit) proposal(j *judgement, p *plan) *report.Proposal {
	out := &report.Proposal{Policies: []report.ProposedPolicy{}, Statements: []report.Statement{}, Removed: []report.Removed{},
		Confirm: p.confirm, Notes: p.notes}
	kept := map[string]bool{}
	var specs []policy.Spec
	for i, st := range slices.Concat(p.statements, p.denies) {
		if st.area == areaDenies {
			st.spec.Sid = fmt.Sprintf("KeptDeny%d", i-len(p.statements)+1)
		} else {
			for _, action := range st.spec.Actions {
				kept[action] = true
			}
		}
		specs = append(specs, st.spec)
		out.Statements = append(out.Statements, report.Statement{Sid: st.spec.Sid, Area: st.area, Because: st.because})
	}
	out.Proof = report.Proof{Status: "draft", Reasons: a.draftReasons(j), Assumes: []string{HoleRule}, Counterexamples: []string{}}
	if len(p.statements) > 0 {
		d, err := policy.Build(specs...)
		if err != nil {
			// Every part comes from a parsed policy or is escaped: see literal.
			out.Notes = append(out.Notes, "No document: "+err.Error())
		} else {
			out.Policies = append(out.Policies, report.ProposedPolicy{Name: "sagemaker-least-privilege", Document: d.Indent()})
			out.Proof.Characters = d.Size()
			if d.Size() > policy.QuotaRoleInline {
				out.Notes = append(out.Notes, fmt.Sprintf("The document has %d characters, and a role's inline policies may have %d in all.", d.Size(), policy.QuotaRoleInline))
			}
		}
	} else {
		out.Notes = append(out.Notes, "Nothing that this role is granted was needed by a job or seen in use: there is no policy to propose.")
	}
	if !j.trust.AllowsSageMaker && len(j.sub.jobs) > 0 && j.grant.trust != nil {
		out.Trust = []byte(trustBaseline)
	}
	a.removals(j, kept, out)
	out.Notes = list(out.Notes)
	return out
}

// trustBaseline is the trust policy of an execution role. Source: AWS
// sagemaker-roles; the customer's reference.
const trustBaseline = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Principal": {
        "Service": "sagemaker.amazonaws.com"
      },
      "Action": "sts:AssumeRole"
    }
  ]
}`

// draftReasons says why the proposal is no more than a draft.
func (a *audit) draftReasons(j *judgement) []string {
	out := []string{"This version does not prove a proposal."}
	if a.observer.blind != "" {
		out = append(out, "Use is not wholly known: "+a.observer.blind+".")
	}
	if slices.ContainsFunc(j.sub.jobs, func(job *snapshot.Job) bool { return !job.NetworkIsolation }) {
		out = append(out, "User code runs with this role's credentials, and Event history shows no calls of the data plane: other S3 use would not be seen.")
	}
	out = append(out, openReasons(j.unresolved)...)
	others := "Other users of the role (notebooks, Studio, endpoints, processing) were not read"
	if n := len(workloads(a.snapshot, j.sub)); n > 0 {
		others += fmt.Sprintf("; its log streams show %d of them", n)
	}
	out = append(out, others+".")
	return out
}

// removals lists what the proposal drops: what is unused, and beside it, to be
// confirmed, what nobody could observe.
func (a *audit) removals(j *judgement, kept map[string]bool, out *report.Proposal) {
	perService := map[string][]string{}
	unobservable := map[string]int{}
	for action, v := range j.actions {
		switch {
		case kept[action]:
		case v.verdict == report.VerdictUnused:
			perService[serviceOf(action)] = append(perService[serviceOf(action)], action)
			out.RemovedTotal++
		case v.verdict == report.VerdictUnobservable:
			unobservable[serviceOf(action)]++
		}
	}
	var all []report.Removed
	for service, names := range perService {
		if len(names) == a.perService[service] {
			all = append(all, report.Removed{Action: service + ":*", Count: len(names), Because: string(report.VerdictUnused)})
			continue
		}
		for _, name := range names {
			all = append(all, report.Removed{Action: name, Count: 1, Because: string(report.VerdictUnused)})
		}
	}
	slices.SortFunc(all, func(x, y report.Removed) int { return cmp.Compare(x.Action, y.Action) })
	out.Removed, _ = capped(all, report.MaxRemoved)
	if len(unobservable) > 0 {
		total := 0
		for _, n := range unobservable {
			total += n
		}
		services, _ := capped(sortedKeys(unobservable), 12)
		more := ""
		if n := len(unobservable) - len(services); n > 0 {
			more = fmt.Sprintf(" and %d more services", n)
		}
		out.Confirm = append(out.Confirm, fmt.Sprintf("%d granted actions that nobody could observe are not in the proposal (%s%s): confirm that the role's code does without them.",
			total, strings.Join(services, ", "), more))
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
