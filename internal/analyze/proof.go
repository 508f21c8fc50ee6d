package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The statuses of a proof.
const (
	statusProven    = "proven"
	statusPartial   = "partial"
	statusRefuted   = "refuted"
	statusUndecided = "undecided"
)

// prove checks the documents of a plan as they are written out. I are today's identity
// policies, P the proposal:
//
//   - covers: P certainly allows each held obligation, and each call on record that it
//     stands for. A condition carried over from the statement of I that granted it counts
//     as met, a carried Deny as not applying to what was used.
//   - widensNothing: P allows nothing that I does not, whatever other layers say.
//   - irredundant: nothing can be dropped from P without leaving a held obligation, or a
//     Deny of today's, behind.
//
// Additions are beside all three: they were asked for.
func (a *audit) prove(j *judgement, p *plan, documents []*policy.Document) report.Proof {
	proof := report.Proof{Assumes: a.assumptions(), Counterexamples: []string{}}
	if len(documents) == 0 {
		proof.Status, proof.Reasons = statusUndecided, []string{"there is no document"}
		return proof
	}
	doc := newProposed(p, documents)
	replayed := 0
	covers := true
	for _, o := range p.obligations {
		if a.proposal.Reference && !(referenceActions[o.action] && slices.Contains(fourAreas, o.area)) {
			continue
		}
		for _, x := range o.atoms {
			if !doc.covers(x) {
				covers = false
				proof.Counterexamples = append(proof.Counterexamples, fmt.Sprintf("%s on %s is held and not allowed: %s", x.action, x.pattern, o.because))
			}
		}
		for _, resource := range o.calls {
			replayed++
			if !slices.ContainsFunc(o.atoms, func(x atom) bool { return x.not || resource == "*" || policy.Includes(x.pattern, resource) }) && a.accessTo(j, o.action, resource).Identity != policy.No {
				covers = false
				proof.Counterexamples = append(proof.Counterexamples, fmt.Sprintf("%s on %s was called and is not allowed", o.action, resource))
			}
		}
	}
	widens := a.library.expander.WidensNothing(doc.today(), j.grant.stack.Identity, j.grant.known)
	if widens.Truth == policy.False && widens.Counterexample != nil {
		proof.Counterexamples = append(proof.Counterexamples, "it allows what is not granted today: "+requestWords(widens.Counterexample))
	}
	if kept := a.deniesKept(j, doc); kept != "" {
		widens.Truth = policy.Unknown
		widens.Reason = kept
	}
	superfluous := doc.superfluous(p)
	irredundant := superfluous == ""
	proof.Irredundant, proof.Replayed = &irredundant, &replayed
	if !covers || len(p.undecided) == 0 {
		proof.Covers = &covers // of what is held and could not be granted, nobody can say so
	}
	if widens.Truth != policy.Unknown {
		nothing := widens.Truth == policy.True
		proof.WidensNothing = &nothing
	}
	proof.Reasons = a.partialReasons(j, p)
	switch {
	case !covers || widens.Truth == policy.False:
		proof.Status = statusRefuted
	case widens.Truth == policy.Unknown:
		proof.Status = statusUndecided
		proof.Reasons = append([]string{"whether it widens today's grant could not be decided: " + widens.Reason}, proof.Reasons...)
	case len(p.undecided) > 0:
		proof.Status = statusUndecided
		proof.Reasons = append(slices.Clone(p.undecided), proof.Reasons...)
	case !irredundant:
		proof.Status = statusPartial
		proof.Reasons = append([]string{"it can be smaller: " + superfluous}, proof.Reasons...)
	case len(proof.Reasons) > 0:
		proof.Status = statusPartial
	default:
		proof.Status = statusProven
	}
	proof.Reasons = list(proof.Reasons)
	return proof
}

// assumptions are what a proof rests on beside the evidence.
func (a *audit) assumptions() []string {
	out := []string{HoleRule, "A condition carried over from today's policies is met by what it served until now.",
		"Tomorrow's jobs are like those on record: see the back-test."}
	if a.proposal.ByBucket {
		out = append(out, "Object patterns reach as far as their bucket (--granularity bucket).")
	}
	return out
}

// partialReasons say what the evidence leaves open, however good the policy is.
func (a *audit) partialReasons(j *judgement, p *plan) []string {
	out := slices.Clone(p.unresolved)
	if a.observer.blind != "" {
		out = append(out, "Use is not wholly known: "+a.observer.blind+".")
	}
	if a.observer.jobs != "" {
		out = append(out, "Needs are not wholly known: "+a.observer.jobs+".")
	}
	if j.accessed.missing != "" {
		out = append(out, "IAM's last accessed details of the role were not read.")
	}
	if len(j.sub.jobs) > 0 && !onlyIsolated(j.sub.jobs) {
		out = append(out, "User code runs with this role's credentials, and no record that was read shows calls of the data plane: other S3 use would not be seen.")
	}
	if len(j.sub.jobs) == 0 {
		out = append(out, "No job of the role is on record: what its jobs would need is not known.")
	}
	out = append(out, openReasons(j.unresolved)...)
	for _, o := range p.obligations {
		if x := a.accessTo(j, o.action, o.pattern); !o.used && x.ownDeny() {
			out = append(out, fmt.Sprintf("A Deny of today speaks of %s on %s, which is required and was not seen to work.", o.action, o.pattern))
		}
	}
	others := "Other users of the role (notebooks, Studio, endpoints, processing) were not read"
	if n := len(workloads(a.snapshot, j.sub)); n > 0 {
		others += fmt.Sprintf("; its log streams show %d of them", n)
	}
	return append(out, others+".")
}

// onlyIsolated: no job's container has AWS credentials, so that what the platform needs
// is all that the jobs need. Source: AWS mkt-algo-model-internet-free.
func onlyIsolated(jobs []*snapshot.Job) bool {
	return len(jobs) > 0 && !slices.ContainsFunc(jobs, func(job *snapshot.Job) bool { return !job.NetworkIsolation })
}

// proposed is the documents of a proposal, statement by statement.
type proposed struct {
	policies   []policy.Policy
	statements []*policy.Statement
	// plan holds the statement's place in the plan; its section says whether it was
	// asked for beyond the evidence.
	plan []planned
}

func newProposed(p *plan, documents []*policy.Document) *proposed {
	out := &proposed{}
	bySid := map[string]planned{}
	for _, st := range p.statements {
		bySid[st.spec.Sid] = st
	}
	for _, d := range documents {
		out.policies = append(out.policies, policy.Policy{Layer: policy.LayerIdentity, Kind: "inline", Name: proposalName, Document: d})
		for _, st := range d.Statements() {
			sid, _, _ := strings.Cut(st.Sid, partMark)
			out.statements = append(out.statements, st)
			out.plan = append(out.plan, bySid[sid])
		}
	}
	return out
}

// today is the proposal without its additions, which are no part of today's grant.
func (d *proposed) today() []policy.Policy {
	if !slices.ContainsFunc(d.plan, func(p planned) bool { return p.section == sectionAdditions }) {
		return d.policies
	}
	var specs []policy.Spec
	for i, st := range d.statements {
		if d.plan[i].section != sectionAdditions {
			specs = append(specs, st.Spec())
		}
	}
	rest, err := policy.Build(specs...)
	if err != nil {
		return nil // each statement came out of a document that parses
	}
	return []policy.Policy{{Layer: policy.LayerIdentity, Kind: "inline", Name: proposalName, Document: rest}}
}

// covers reports whether one statement allows the atom, read segment by segment, under
// no other conditions than the atom's own.
func (d *proposed) covers(x atom) bool {
	return slices.ContainsFunc(d.statements, func(st *policy.Statement) bool { return serves(st, x) })
}

func serves(st *policy.Statement, x atom) bool {
	if st.Effect != policy.Allow || st.NotAction || !slices.Contains(st.Actions, x.action) ||
		!st.Unconditional() && conditionsKey(st.Spec().Conditions) != conditionsKey(x.conditions) {
		return false
	}
	if x.not || st.NotResource {
		return x.not && st.NotResource && strings.Join(st.Spec().NotResources, "\n") == x.pattern
	}
	return slices.ContainsFunc(st.Spec().Resources, func(r string) bool { return policy.Includes(r, x.pattern) })
}

// superfluous names a piece of the proposal without which every held obligation is
// still allowed, empty for none. What was kept or added on demand is no such piece.
func (d *proposed) superfluous(p *plan) string {
	byAction := map[string][]atom{}
	for _, o := range p.obligations {
		byAction[o.action] = append(byAction[o.action], o.atoms...)
	}
	for i, st := range d.statements {
		if st.Effect != policy.Allow || d.plan[i].section == sectionKept || d.plan[i].section == sectionAdditions {
			continue
		}
		spec := st.Spec()
		for _, action := range st.Actions {
			pieces := spec.Resources
			if st.NotResource {
				pieces = []string{strings.Join(spec.NotResources, "\n")}
			}
			for _, piece := range pieces {
				needed := slices.ContainsFunc(byAction[action], func(x atom) bool {
					if !serves(st, x) || !st.NotResource && !policy.Includes(piece, x.pattern) {
						return false
					}
					// By this piece; and by no other?
					others := slices.DeleteFunc(slices.Clone(spec.Resources), func(r string) bool { return r == piece })
					if !st.NotResource && slices.ContainsFunc(others, func(r string) bool { return policy.Includes(r, x.pattern) }) {
						return false
					}
					return !slices.ContainsFunc(d.statements, func(other *policy.Statement) bool { return other != st && serves(other, x) })
				})
				if !needed {
					return fmt.Sprintf("%s on %s in %s", action, strings.ReplaceAll(piece, "\n", ", "), st.Sid)
				}
			}
		}
	}
	return ""
}

// deniesKept says which Deny of today is not in the proposal word for word, empty if
// all are.
func (a *audit) deniesKept(j *judgement, d *proposed) string {
	kept := map[string]int{}
	key := func(st *policy.Statement) string {
		s := st.Spec()
		return fmt.Sprintf("%q %q %q %q %s", s.Actions, s.NotActions, s.Resources, s.NotResources, conditionsKey(s.Conditions))
	}
	for _, st := range d.statements {
		if st.Effect == policy.Deny {
			kept[key(st)]++
		}
	}
	for _, pol := range j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if st.Effect == policy.Deny {
				if kept[key(st)]--; kept[key(st)] < 0 {
					return fmt.Sprintf("a Deny of %s, statement %d, is not carried over", cmp.Or(pol.ARN, pol.Name), st.Index+1)
				}
			}
		}
	}
	return ""
}

// requestWords writes a request down.
func requestWords(r *policy.Request) string {
	s := r.Action + " on " + r.Resource
	var context []string
	for key, values := range r.Context.Keys() {
		context = append(context, fmt.Sprintf("%s=%s", key, strings.Join(values, ",")))
	}
	slices.Sort(context)
	if len(context) > 0 {
		s += " with " + strings.Join(context, ", ")
	}
	return s
}
