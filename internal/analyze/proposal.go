package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// proposalName is the customer's name for the policy.
const proposalName = "sagemaker-least-privilege"

// propose lays a plan out as IAM documents with the reasons of each statement, and
// proves them.
func (a *audit) propose(j *judgement, p *plan) *report.Proposal {
	out := &report.Proposal{Policies: []report.ProposedPolicy{}, Statements: []report.Statement{}, Removed: []report.Removed{},
		Review: list(p.review), Confirm: []string{}, Notes: list(p.notes), Backtest: a.backtest(j)}
	kept := map[string]bool{}
	allows := 0
	var specs []policy.Spec
	for _, st := range p.statements {
		if st.spec.Effect == policy.Allow {
			allows++
			for _, action := range st.spec.Actions {
				kept[action] = true
			}
		}
		specs = append(specs, st.spec)
		out.Statements = append(out.Statements, report.Statement{Sid: st.spec.Sid, Area: st.area, Section: string(st.section), Because: st.because})
	}
	var documents []*policy.Document
	if allows > 0 {
		var err error
		if documents, err = pack(specs); err != nil {
			// Every part comes from a parsed policy or is escaped: see actions.Literal.
			out.Notes = append(out.Notes, "No document: "+err.Error())
		}
	} else {
		out.Notes = append(out.Notes, "Nothing that this role is granted was needed by a job or seen in use: there is no policy to propose.")
	}
	out.Proof = a.prove(j, p, documents)
	for i, d := range documents {
		named := report.ProposedPolicy{Kind: "inline", Name: proposalName, Document: d.Indent()}
		if len(documents) > 1 {
			named.Kind, named.Name = "managed", fmt.Sprintf("%s-%d", proposalName, i+1)
		}
		out.Policies = append(out.Policies, named)
		out.Proof.Characters += d.Size()
	}
	switch n := len(documents); {
	case n > policiesPerRole:
		out.Notes = append(out.Notes, fmt.Sprintf("The proposal fills %d managed policies, and a role may have %d by default.", n, policiesPerRole))
	case n > 1:
		out.Notes = append(out.Notes, fmt.Sprintf("The proposal has %d characters, more than the %d that a role's inline policies may have: it is split into %d managed policies.",
			out.Proof.Characters, policy.QuotaRoleInline, n))
	}
	if !j.trust.AllowsSageMaker && len(j.sub.jobs) > 0 && j.grant.trust != nil {
		out.Trust = []byte(trustBaseline)
	}
	a.removals(j, kept, out)
	out.Before, out.After = a.extentBefore(j), extentAfter(p)
	out.Notes = list(out.Notes)
	return out
}

// policiesPerRole is how many managed policies a role may have by default.
// Source: AWS IAM reference_iam-quotas.
const policiesPerRole = 20

// partMark stands in the Sid of a statement that was split, before its number.
const partMark = "Part"

// pack writes statements into one inline policy, or where that is too long into as
// few managed ones as their order allows; a statement too long for one is halved.
func pack(specs []policy.Spec) ([]*policy.Document, error) {
	whole, err := policy.Build(specs...)
	if err != nil {
		return nil, err
	}
	if whole.Size() <= policy.QuotaRoleInline {
		return []*policy.Document{whole}, nil
	}
	var pieces []policy.Spec
	for _, s := range specs {
		parts := halve(s)
		for i := range parts {
			if len(parts) > 1 {
				parts[i].Sid = fmt.Sprintf("%s%s%d", s.Sid, partMark, i+1)
			}
		}
		pieces = append(pieces, parts...)
	}
	var out []*policy.Document
	for len(pieces) > 0 {
		n := 1
		var d *policy.Document
		for ; n <= len(pieces); n++ {
			next, err := policy.Build(pieces[:n]...)
			if err != nil {
				return nil, err
			}
			if n > 1 && next.Size() > policy.QuotaManagedPolicy {
				break
			}
			d = next
		}
		out = append(out, d)
		pieces = pieces[n-1:]
	}
	return out, nil
}

// halve splits a statement until each part fits a managed policy: its resources, or
// its actions where there is one resource.
func halve(s policy.Spec) []policy.Spec {
	d, err := policy.Build(s)
	if err != nil || d.Size() <= policy.QuotaManagedPolicy {
		return []policy.Spec{s}
	}
	first, second := s, s
	switch {
	case len(s.Resources) > 1:
		n := len(s.Resources) / 2
		first.Resources, second.Resources = s.Resources[:n], s.Resources[n:]
	case len(s.Actions) > 1:
		n := len(s.Actions) / 2
		first.Actions, second.Actions = s.Actions[:n], s.Actions[n:]
	default:
		return []policy.Spec{s}
	}
	return append(halve(first), halve(second)...)
}

// extentBefore counts what is granted today: actions, and patterns of resources of
// those that are proposed or removed.
func (a *audit) extentBefore(j *judgement) report.Extent {
	out := report.Extent{Actions: j.actions.count}
	patterns := map[string]struct{}{}
	for _, pol := range j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if st.Effect != policy.Allow {
				continue
			}
			for _, r := range st.Resources {
				patterns[fmt.Sprint(st.NotResource, r)] = struct{}{}
			}
		}
	}
	out.Resources = len(patterns)
	return out
}

func extentAfter(p *plan) report.Extent {
	actions, patterns := map[string]struct{}{}, map[string]struct{}{}
	for _, st := range p.statements {
		if st.spec.Effect != policy.Allow {
			continue
		}
		for _, x := range st.spec.Actions {
			actions[x] = struct{}{}
		}
		for _, r := range slices.Concat(st.spec.Resources, st.spec.NotResources) {
			patterns[fmt.Sprint(st.spec.NotResources != nil, r)] = struct{}{}
		}
	}
	return report.Extent{Actions: len(actions), Resources: len(patterns)}
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

// removals lists what the proposal drops: what is unused, with the day IAM saw it
// last; and beside it, to be confirmed, what nobody could observe. Of a role that runs
// network-isolated jobs alone that goes as well: no code of theirs could have called it.
func (a *audit) removals(j *judgement, kept map[string]bool, out *report.Proposal) {
	unobservable := map[string]int{}
	isolated := onlyIsolated(j.sub.jobs) && len(workloads(a.snapshot, j.sub)) == 0
	var all []report.Removed
	add := func(action string, count int, because string, seen *time.Time) {
		out.RemovedTotal += count
		if len(all) < report.MaxRemoved {
			all = append(all, report.Removed{Action: action, Count: count, Because: because, LastSeen: seen})
		}
	}
	const unused = string(report.VerdictUnused)
	for _, s := range serviceSpans() {
		var goes []int
		for i := s.from; i < s.to; i++ {
			switch v := j.actions.table[j.actions.index[i]]; {
			case v.verdict == report.VerdictUnused && !kept[a.library.catalog.Action(i)]:
				goes = append(goes, i)
			case v.verdict == report.VerdictUnobservable && !kept[a.library.catalog.Action(i)] && isolated:
				action := a.library.catalog.Action(i)
				add(action, 1, "unobservable, and the role runs network-isolated jobs alone, whose code has no credentials", j.accessed.actionAt(action))
			case v.verdict == report.VerdictUnobservable && !kept[a.library.catalog.Action(i)]:
				unobservable[s.name]++
			}
		}
		if len(goes) == s.to-s.from {
			add(s.name+":*", len(goes), unused, j.accessed.serviceAt(s.name))
			continue
		}
		for _, i := range goes {
			action := a.library.catalog.Action(i)
			add(action, 1, unused, j.accessed.actionAt(action))
		}
	}
	for action, v := range j.actions.named {
		if v.verdict == report.VerdictUnobservable && !kept[action] {
			unobservable[serviceOf(action)]++
		}
	}
	slices.SortFunc(all, func(x, y report.Removed) int { return strings.Compare(x.Action, y.Action) })
	out.Removed = list(all)
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

// serviceAt and actionAt are when IAM saw a service reached, or a tracked action
// attempted, last; nil for never, or not told.
func (t *accessed) serviceAt(service string) *time.Time {
	if s := t.services[service]; s != nil {
		return moment(s.At)
	}
	return nil
}

func (t *accessed) actionAt(action string) *time.Time {
	service, name, _ := strings.Cut(action, ":")
	if s := t.services[service]; s != nil {
		for _, x := range s.Actions {
			if strings.EqualFold(x.Action, name) {
				return moment(x.At)
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
