package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// The words of [report.Path].
const (
	reachesAdministrator = "administrator"
	reachesRole          = "role"
	reachesUnknown       = "unknown"
	certain              = "certain"
	conditional          = "conditional"
)

// way is a path with what it is ordered by.
type way struct {
	end   pathEnd
	steps []*leap
	state policy.State
}

// mostWeighed bounds the roles that can be reached and are held against the role itself.
const mostWeighed = 64

// escalation fills in what the role can become.
func (a *audit) escalation(j *judgement, r *report.Reach) {
	r.Administrator, r.Escalation, r.EscalationWhy = "unknown", []report.Path{}, []string{}
	if j.grant == nil {
		return
	}
	w := a.escalations()
	r.EscalationWhy = list(slices.Clone(w.why))
	start, ok := w.byARN[j.sub.key.ARN]
	if !ok {
		return
	}
	x := w.as(start, 0)
	r.Administrator = w.administrator(x).String()
	if r.Administrator == policy.Yes.String() {
		return
	}
	ways := w.ways(start)
	r.EscalationTotal = len(ways)
	for _, v := range ways[:min(len(ways), report.MaxPaths)] {
		r.Escalation = append(r.Escalation, w.path(start, v))
	}
	for k := range openings {
		for _, l := range w.opening(x, &openings[k]) {
			if r.EscalationTotal++; len(r.Escalation) < report.MaxPaths {
				r.Escalation = append(r.Escalation, w.openPath(l))
			}
		}
	}
}

// ways are the paths of a role: to administrator, then to other roles that may more; the
// certain and the short ones first.
func (w *escalations) ways(start int) []*way {
	sure := w.search(start, policy.Yes, mostSteps)
	most := mostSteps
	if sure.nearest > 0 {
		most = sure.nearest - 1
	}
	ends := sure.found(policy.Yes)
	if most > 0 && sure.doubts {
		perhaps := w.search(start, policy.Conditional, most)
		fewest := map[string]int{}
		for _, v := range ends {
			fewest[v.name()] = len(v.steps)
		}
		for _, v := range perhaps.found(policy.Conditional) {
			if n, known := fewest[v.name()]; !known || len(v.steps) < n {
				ends = append(ends, v)
			}
		}
	}
	slices.SortStableFunc(ends, func(a, b *way) int {
		return cmp.Or(-cmpBool(a.end.administrator, b.end.administrator), cmp.Compare(b.state, a.state), cmp.Compare(len(a.steps), len(b.steps)), cmp.Compare(a.order(), b.order()))
	})
	weighed := 0
	return slices.DeleteFunc(ends, func(v *way) bool {
		if v.end.administrator {
			return false
		}
		weighed++
		return weighed <= mostWeighed && !w.mayMore(start, v.end.member)
	})
}

func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// name tells ways apart: by where they lead, and by how the last role was changed.
func (v *way) name() string {
	last := v.steps[len(v.steps)-1]
	if v.end.member < 0 {
		return last.id
	}
	return fmt.Sprint(v.end.member, v.end.made, v.end.administrator)
}

// order is a text by which ways of one length are sorted.
func (v *way) order() string {
	var b strings.Builder
	for _, l := range v.steps {
		target := l.target
		if target < 0 {
			target = len(l.id) + 999_000 // what is made anew comes last
		}
		fmt.Fprintf(&b, "%06d %06d %s %s ", l.by.member, target, l.id, l.policy)
	}
	return b.String()
}

// found are the ends of a search, each with its steps. A role that is an administrator is
// told as one only, and other roles only where they are nearer than any administrator.
func (s *search) found(state policy.State) []*way {
	admins := map[int]bool{}
	for _, e := range s.ends {
		if e.administrator && e.made == 0 {
			admins[e.member] = true
		}
	}
	var out []*way
	for _, e := range s.ends {
		steps := e.fact.derive()
		if s.nearest > 0 && (len(steps) > s.nearest || !e.administrator && len(steps) == s.nearest) || !e.administrator && admins[e.member] {
			continue
		}
		out = append(out, &way{e, steps, state})
	}
	return out
}

// mayMore reports whether a role may anything that another may not, by their identity
// policies: a boundary may take it away again, and does not count for the other.
func (w *escalations) mayMore(of, than int) bool {
	x, y := w.members[of], w.members[than]
	if x.bound != "" && x.bound != y.bound || !x.grant.firm() || !y.grant.firm() {
		return true
	}
	key := [2]string{x.class, y.class}
	w.mu.Lock()
	wider, known := w.wider[key]
	w.mu.Unlock()
	if !known {
		answer := w.library.expander.WidensNothing(y.grant.stack.Identity, x.grant.stack.Identity, x.grant.known)
		wider = answer.Truth != policy.True
		w.mu.Lock()
		w.wider[key] = wider
		w.mu.Unlock()
	}
	return wider
}

// path lays a way out as the contract has it.
func (w *escalations) path(start int, v *way) report.Path {
	p := report.Path{Reaches: reachesRole, Certainty: certainty(v.state), Steps: []report.PathStep{}}
	if v.end.administrator {
		p.Reaches = reachesAdministrator
	}
	if v.end.member >= 0 {
		p.Target = w.members[v.end.member].arn
	}
	for _, l := range v.steps {
		p.Steps = append(p.Steps, w.pathStep(l))
	}
	p.Sentence = w.sentence(start, v, p)
	return p
}

func certainty(s policy.State) string {
	if s == policy.Yes {
		return certain
	}
	return conditional
}

func (w *escalations) pathStep(l *leap) report.PathStep {
	step := report.PathStep{Method: l.id, Also: []string{}, Role: w.members[l.by.member].arn, Certainty: certainty(l.state), Why: []string{}, Grants: []report.StepGrant{}, Trust: []report.StatementRef{}, Target: l.policy}
	why := map[string]struct{}{}
	if l.target >= 0 {
		step.Target = w.members[l.target].arn
	}
	for _, k := range l.also {
		step.Also = append(step.Also, launches[k].id)
	}
	for _, d := range w.takes(l) {
		g := report.StepGrant{Action: d.action, Resource: strings.ReplaceAll(d.on, probeName, "*"), Statements: []report.StatementRef{}}
		stack := *l.by.stack
		if d.into >= 0 {
			stack.Resource = w.anyone
			if trust := w.members[d.into].grant.trust; trust != nil && !l.opened {
				stack.Resource = &policy.Policy{Layer: policy.LayerResource, Kind: "trust", Name: "trust", Document: trust}
			}
		}
		x := stack.Access(l.by.who, d.action, d.on, contextOf(d.context).Merge(l.by.known))
		for _, m := range x.Allows {
			switch {
			case m.Layer == policy.LayerResource && stack.Resource != w.anyone:
				step.Trust = append(step.Trust, refOf(m))
			case m.Layer == policy.LayerIdentity && m.Policy.Name != madeUp:
				g.Statements = append(g.Statements, refOf(m))
			}
			if m.Truth == policy.Unknown && l.state != policy.Yes {
				why[openOf(m, d.action)] = struct{}{}
			}
		}
		for _, m := range x.Denies {
			if m.Truth == policy.Unknown && l.state != policy.Yes {
				why[openOf(m, d.action)] = struct{}{}
			}
		}
		step.Grants = append(step.Grants, g)
	}
	if l.service != "" && !l.opened {
		if trust := w.members[l.target].grant.trust; trust != nil {
			for _, st := range trust.Statements() {
				if st.Effect == policy.Allow && speaksOf(st, assumeAction) && slices.Contains(principals(st), "Service:"+l.service) {
					step.Trust = append(step.Trust, report.StatementRef{Policy: "trust", Sid: st.Sid, Index: st.Index})
					if keys := keysOf(st); keys != "" && l.state != policy.Yes {
						why["the trust policy of "+nameOf(step.Target)+" has a condition on "+keys] = struct{}{}
					}
				}
			}
		} else {
			why["the trust policy of "+nameOf(step.Target)+" could not be read"] = struct{}{}
		}
	}
	if l.state != policy.Yes {
		if l.asks != "" {
			why["it needs "+l.asks+" that is there, and these were not read"] = struct{}{}
		}
		if !l.by.firm {
			why["not all policies of "+nameOf(step.Role)+" could be read"] = struct{}{}
		}
		if l.target >= 0 && l.service == ec2Service && w.members[l.target].profile == policy.Conditional {
			why["whether "+nameOf(step.Target)+" is in an instance profile was not read"] = struct{}{}
		}
	}
	step.Why = slices.Sorted(maps.Keys(why))
	if step.Why == nil {
		step.Why = []string{}
	}
	return step
}

func refOf(m policy.Match) report.StatementRef {
	return report.StatementRef{Policy: cmp.Or(m.Policy.ARN, m.Policy.Name), Version: m.Policy.Version, Sid: m.Statement.Sid, Index: m.Statement.Index}
}

// openOf says what of a statement cannot be decided.
func openOf(m policy.Match, action string) string {
	who := policyOrLayer(m)
	if m.Policy.Kind == "trust" {
		who = "the trust policy"
	}
	verb := " allows "
	if m.Statement.Effect == policy.Deny {
		verb = " denies "
	}
	if keys := keysOf(m.Statement); keys != "" {
		return who + verb + action + " under a condition on " + keys
	}
	return who + verb + action + " on resources that its pattern may mean"
}

// sentence tells a path to somebody who knows no IAM.
func (w *escalations) sentence(start int, v *way, p report.Path) string {
	name := nameOf(w.members[start].arn)
	in := inNumber(len(v.steps), "step")
	var b strings.Builder
	b.WriteString(name)
	switch {
	case v.state == policy.Yes:
		b.WriteString(" can ")
	default:
		b.WriteString(" may be able to ")
	}
	if v.end.administrator {
		b.WriteString("make itself administrator")
	} else {
		b.WriteString("act as " + nameOf(p.Target) + ", which may do what it may not,")
	}
	b.WriteString(" in " + in)
	if v.state != policy.Yes {
		b.WriteString(", under conditions that cannot be decided offline")
	}
	b.WriteString(": ")
	last := start
	for k, l := range v.steps {
		if k > 0 {
			b.WriteString("; ")
		}
		if l.by.member != last {
			b.WriteString("as " + nameOf(w.members[l.by.member].arn) + " ")
			last = l.by.member
		}
		b.WriteString("it " + w.doing(l))
	}
	if final := v.steps[len(v.steps)-1]; v.end.administrator && v.end.member >= 0 && final.target == v.end.member && final.target != final.by.member && v.end.made == 0 {
		b.WriteString(", which is an administrator")
	}
	b.WriteString(".")
	return b.String()
}

// doing says what a step does.
func (w *escalations) doing(l *leap) string {
	if !strings.Contains(l.does, "%s") {
		return l.does
	}
	target := nameOf(l.policy)
	if l.target >= 0 {
		target = nameOf(w.members[l.target].arn)
		if l.target == l.by.member {
			target = "itself"
		}
	}
	return fmt.Sprintf(l.does, target)
}

// opening is a way whose end is not known, or several.
func (w *escalations) opening(x *controlled, o *opening) []*leap {
	if !o.own {
		state := w.can(x, o.needs)
		if state == policy.No || o.service != "" && w.all && len(w.others(x, o)) == 0 {
			return nil
		}
		return []*leap{{id: o.id, by: x, target: -1, opens: o, state: state}}
	}
	var out []*leap
	for _, arn := range w.members[x.member].own {
		if state := w.may(x, o.needs[0], arn).state; state != policy.No {
			out = append(out, &leap{id: o.id, by: x, target: -1, policy: arn, action: o.needs[0], opens: o, state: state})
		}
	}
	return out
}

// mostNamed is how many roles a sentence names.
const mostNamed = 3

// others are the first other roles that the opening's service may be.
func (w *escalations) others(x *controlled, o *opening) []string {
	var out []string
	for _, t := range w.trusting[o.service] { // by ARN
		if t.member != x.member {
			if out = append(out, nameOf(w.members[t.member].arn)); len(out) == mostNamed {
				break
			}
		}
	}
	return out
}

func (w *escalations) openPath(l *leap) report.Path {
	o := l.opens
	s := nameOf(w.members[l.by.member].arn) + " can "
	if l.state != policy.Yes {
		s = nameOf(w.members[l.by.member].arn) + " may be able to "
	}
	if o.own {
		s += fmt.Sprintf(o.does, nameOf(l.policy))
	} else {
		s += o.does
	}
	s += ": " + o.gain
	if o.service != "" {
		may := w.others(l.by, o)
		all := len(w.trusting[o.service])
		if slices.ContainsFunc(w.trusting[o.service], func(t trustee) bool { return t.member == l.by.member }) {
			all--
		}
		switch {
		case all > len(may):
			s += ", which may be " + strings.Join(may, ", ") + " or " + inNumber(all-len(may), "other")
		case all > 0:
			s += ", which may be " + strings.Join(may, " or ")
		}
		s += "; what there is was not read"
	}
	return report.Path{Reaches: reachesUnknown, Certainty: certainty(l.state), Steps: []report.PathStep{w.pathStep(l)}, Sentence: s + "."}
}
