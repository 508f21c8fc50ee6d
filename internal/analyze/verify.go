package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// EditedPolicy is a policy document that somebody would attach to a role.
type EditedPolicy struct {
	name     string
	sum      string
	document *policy.Document
}

// ParseEdited reads an identity policy. It errs on text that IAM would not take as one:
// no policy document, one without a statement, or with a Principal, which only
// resource-based policies have (AWS: reference_policies_elements_principal). One over
// IAM's quota is read.
func ParseEdited(name string, text []byte) (EditedPolicy, error) {
	sum := sha256.Sum256(text)
	p := EditedPolicy{name: name, sum: hex.EncodeToString(sum[:])}
	d, err := policy.Parse(text)
	if bad := (*policy.SyntaxError)(nil); errors.As(err, &bad) {
		before := string(text[:min(max(int(bad.Offset), 0), len(text))])
		line := strings.Count(before, "\n") + 1
		return p, fmt.Errorf("line %d, column %d: no policy document: %s: %s", line, len(before)-strings.LastIndexByte(before, '\n'), bad.Path, bad.Msg)
	}
	if err != nil {
		return p, fmt.Errorf("no policy document: %w", err)
	}
	if len(d.Statements()) == 0 {
		return p, errors.New("a policy document without a statement")
	}
	for _, st := range d.Statements() {
		if st.Principals != nil {
			return p, fmt.Errorf("statement %d has a Principal, which a role's own policy never has: is it a bucket, key or trust policy?", st.Index+1)
		}
	}
	p.document = d
	return p, nil
}

func editedPolicies(edited []EditedPolicy) ([]policy.Policy, []report.EditedPolicy) {
	var policies []policy.Policy
	out := []report.EditedPolicy{}
	for _, e := range edited {
		policies = append(policies, policy.Policy{Layer: policy.LayerIdentity, Kind: "given", Name: e.name, Document: e.document})
		out = append(out, report.EditedPolicy{Name: e.name, SHA256: e.sum, Statements: len(e.document.Statements()), Characters: e.document.Size()})
	}
	return policies, out
}

// sizeWarnings says which quotas of IAM the documents exceed (AWS: reference_iam-quotas).
func sizeWarnings(edited []EditedPolicy) []string {
	out := []string{}
	total := 0
	for _, e := range edited {
		n := e.document.Size()
		total += n
		switch {
		case n > policy.QuotaRoleInline:
			out = append(out, fmt.Sprintf("%s has %d characters without white space: IAM takes %d in a role's inline policies together, and %d in a managed policy. It cannot be attached as it is.", e.name, n, policy.QuotaRoleInline, policy.QuotaManagedPolicy))
		case n > policy.QuotaManagedPolicy:
			out = append(out, fmt.Sprintf("%s has %d characters without white space, more than the %d of a managed policy: it can only be an inline one.", e.name, n, policy.QuotaManagedPolicy))
		}
	}
	if len(edited) > 1 && total > policy.QuotaRoleInline {
		out = append(out, fmt.Sprintf("Together the policies have %d characters without white space: a role's inline policies may have %d together, so some must be managed ones.", total, policy.QuotaRoleInline))
	}
	return out
}

// Verify replays a role's evidence against policies that would stand in the place of its
// identity policies. Boundary, SCPs and resource policies stay as they are today. It errs
// as Explain does, and on a role whose policies are no longer there to be replaced.
func Verify(s *snapshot.Snapshot, o Options, role string, edited []EditedPolicy) (*report.Verification, error) {
	if s.TakenAt.IsZero() {
		return nil, errors.New("analyze: the snapshot does not say when it was taken")
	}
	if role == "" {
		return nil, badQuestion("role", "the role is empty")
	}
	if len(edited) == 0 {
		return nil, badQuestion("policy", "no policy is given")
	}
	a := newAudit(s)
	a.library.give(o.Given)
	sub, err := theRole(subjects(s), role)
	if err != nil {
		return nil, err
	}
	if sub.role == nil {
		if sub.gone {
			return nil, badQuestion("role", "IAM does not have the role %s (any more): there is no grant to compare with", nameOf(sub.key.ARN))
		}
		return nil, badQuestion("role", "the role %s could not be read: there is no grant to compare with", nameOf(sub.key.ARN))
	}
	v := &verifier{audit: a, j: a.judge(sub), plan: &plan{}, kept: map[string]keeping{}, held: map[string][]*obligation{}, whole: map[string][]string{}}
	out := &report.Verification{
		Basis:      basis(s, o),
		Window:     report.Window{From: s.Window.From.UTC(), To: s.Window.To.UTC()},
		JobsWindow: report.Window{From: s.JobsWindow.From.UTC(), To: s.JobsWindow.To.UTC()},
		Role:       report.ExplainedRole{ARN: sub.key.ARN, ID: sub.key.ID, Name: sub.role.Name, Exists: true},
		Warnings:   sizeWarnings(edited), Limits: []string{}, Review: []report.ReviewedUse{},
	}
	out.Complete = !slices.ContainsFunc(slices.Concat(s.Gaps, a.library.gaps, v.j.grant.gaps), func(g snapshot.Gap) bool { return g.Impact != snapshot.ImpactDetail })
	v.given, out.Policies = editedPolicies(edited)
	for _, pol := range v.j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if spec := st.Spec(); st.Effect == policy.Deny {
				v.denies = append(v.denies, spec)
			} else {
				v.allows = append(v.allows, spec)
			}
		}
	}
	v.evidence()
	v.replay(out)
	out.Widens = v.widenings()
	out.WidensTotal = len(out.Widens)
	out.Widens, _ = capped(out.Widens, report.MaxCells)
	out.Excess = v.excess()
	out.Review = v.reviewed()
	if why := v.j.grant.unknown; why != "" {
		out.Limits = append(out.Limits, "Today's grant is not wholly known, so nothing is known to be held: "+why+".")
	}
	out.Limits = append(out.Limits, v.plan.undecided...)
	out.Limits = append(out.Limits, a.partialReasons(v.j, v.plan)...)
	v.conclude(out)
	return out, nil
}

// conclude draws the answer.
func (v *verifier) conclude(out *report.Verification) {
	sure, open := 0, 0
	for _, w := range out.Widens {
		if w.Certain {
			sure++
		} else {
			open++
		}
	}
	var bad []string
	if n := out.BrokenTotal; n > 0 {
		bad = append(bad, fmt.Sprintf("break %s that today's policies grant", countOf(n, "held use or need", "held uses and needs")))
	}
	if sure > 0 {
		bad = append(bad, fmt.Sprintf("widen today's grant in %s", countOf(sure, "place", "places")))
	}
	unsure := out.UnsureTotal + open
	switch {
	case len(bad) > 0:
		out.Answer, out.Why = report.VerifyFails, "the given policies "+strings.Join(bad, ", and ")
		if unsure > 0 {
			out.Why += fmt.Sprintf("; of %d more it cannot be told", unsure)
		}
	case v.j.grant.unknown != "":
		out.Answer, out.Why = report.VerifyUnsure, "today's grant is not wholly known: "+v.j.grant.unknown
	case unsure > 0:
		out.Answer, out.Why = report.VerifyUnsure, fmt.Sprintf("the given policies break nothing and widen nothing for certain, but of %s it cannot be told", countOf(unsure, "use, need or grant", "uses, needs and grants"))
	default:
		out.Answer, out.Why = report.VerifyPasses, "the given policies allow everything that is held, and nothing that today's do not"
	}
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// verifier holds one role's evidence against given policies.
type verifier struct {
	*audit
	j     *judgement
	plan  *plan
	given []policy.Policy
	// allows and denies are the statements of today's identity policies.
	allows, denies []policy.Spec
	// held are the obligations by action.
	held map[string][]*obligation
	// whole are the patterns that were granted outright and are kept, by action.
	whole map[string][]string
	// kept remembers what became of an action on a resource.
	kept map[string]keeping
}

// outcome is what becomes of a use or need under the given policies.
type outcome int

const (
	outcomeKept outcome = iota
	outcomeUnsure
	outcomeBroken
)

// keeping is an outcome with its reason.
type keeping struct {
	outcome          outcome
	because, example string
}

// worse keeps the worse of two.
func (k keeping) worse(other keeping) keeping {
	if other.outcome > k.outcome {
		return other
	}
	return k
}

// evidence gathers what is held.
func (v *verifier) evidence() {
	v.plan.obligations = v.obligations(v.j, v.plan)
	for _, o := range v.plan.obligations {
		v.held[o.action] = append(v.held[o.action], o)
	}
	// What today's patterns cross is no IAM pattern and no obligation of a proposal; it
	// is held all the same.
	for _, c := range v.heldCells() {
		if c.need != nil && c.need.need.alias || v.left(c) {
			continue
		}
		pattern := orEvery(c.resource)
		if slices.ContainsFunc(v.held[c.action], func(o *obligation) bool { return o.pattern == pattern }) {
			continue
		}
		o := &obligation{action: c.action, pattern: pattern, area: c.area, used: c.used != nil, strength: strengthProven}
		o.because = fmt.Sprintf("%s was used %s", c.action, times(c.used.count()))
		if c.need != nil {
			o.because, o.strength = c.need.why(), c.need.need.strength
		}
		v.held[c.action] = append(v.held[c.action], o)
		v.plan.obligations = append(v.plan.obligations, o)
	}
}

// heldCells are the cells that obligations are made of.
func (v *verifier) heldCells() []*cell {
	return slices.DeleteFunc(v.j.cells.sorted(), func(c *cell) bool {
		return c.isRest() || !c.granted() || c.verdict != report.VerdictUsed && c.verdict != report.VerdictRequired
	})
}

// left reports whether a use is a person's to keep: see obligations.
func (v *verifier) left(c *cell) bool { return c.need == nil && v.sensitive(c.action) }

// keeps asks whether the given policies allow what today's grant of an action on a
// pattern allows, in what is known of the context.
//
// It is kept if that is proven: what today's grant and its Denies leave of it lies
// within the given policies, on either reading of what AWS leaves open. It is broken if
// a request of it is certainly refused whatever the conditions of the given policies
// may say; what turns on these, or on a reading, is unsure.
func (v *verifier) keeps(action, pattern string, atoms []atom, known policy.Context) keeping {
	if len(atoms) == 0 { // crossed by today's patterns: all that they grant of the action
		var specs []policy.Spec
		for _, spec := range v.allows {
			if spec.NotActions == nil && slices.ContainsFunc(spec.Actions, func(a string) bool { return policy.MatchAction(a, action) }) ||
				spec.NotActions != nil && !slices.ContainsFunc(spec.NotActions, func(a string) bool { return policy.MatchAction(a, action) }) {
				spec.Actions, spec.NotActions = []string{action}, nil
				specs = append(specs, spec)
			}
		}
		k := v.compare(action, pattern, nil, specs, known)
		k.outcome = min(k.outcome, outcomeUnsure) // what is lacking may lie beside the pattern
		return k
	}
	var worst keeping
	for i := range atoms {
		x := &atoms[i]
		spec := policy.Spec{Effect: policy.Allow, Actions: []string{x.action}, Conditions: x.conditions}
		asked := x.pattern
		if x.not {
			spec.NotResources, asked = strings.Split(x.pattern, "\n"), "*"
		} else {
			spec.Resources = []string{x.pattern}
		}
		k := v.compare(action, asked, x, []policy.Spec{spec}, known)
		worst = worst.worse(k)
	}
	return worst
}

// accessUnder asks the given policies alone.
func (v *verifier) accessUnder(action, pattern string, known policy.Context) policy.Access {
	s := policy.Stack{Identity: v.given}
	return s.Access(v.j.grant.principal, action, pattern, known)
}

// compare holds a grant of today against the given policies.
func (v *verifier) compare(action, pattern string, x *atom, grants []policy.Spec, known policy.Context) keeping {
	today, err := documentOf(append(grants, v.denies...))
	if err != nil {
		return keeping{outcomeUnsure, "today's grant of it could not be written down: " + err.Error(), ""}
	}
	answer := v.library.expander.WidensNothing(today, v.given, known)
	if answer.Truth == policy.True {
		return keeping{}
	}
	access := v.accessUnder(action, pattern, known)
	if access.Identity == policy.No {
		return keeping{outcomeBroken, v.whyNot(action, pattern, &access), ""}
	}
	bare, conditions := v.unconditional(action, pattern, known)
	stripped, err := documentOf(bare)
	if err != nil {
		return keeping{outcomeUnsure, err.Error(), ""}
	}
	if without := v.library.expander.WidensNothing(today, stripped, known); without.Truth == policy.False {
		k := keeping{outcomeBroken, v.whyNot(action, pattern, &access), ""}
		if r := without.Counterexample; r != nil {
			k.example = v.example(r)
		}
		for _, m := range access.Denies {
			if m.Truth == policy.True {
				k.because = "it is denied in part by " + givenWords(m)
			}
		}
		return k
	}
	if len(conditions) == 0 {
		return keeping{outcomeUnsure, "it cannot be told: " + answer.Reason, ""}
	}
	k := keeping{outcomeUnsure, "the given policies allow it only under " + shortList(sorted(conditions), 3), ""}
	if answer.Counterexample != nil {
		k.example = v.example(answer.Counterexample)
	}
	if x != nil && len(x.conditions) > 0 && v.alternativeGone(action, x, &access) {
		k.outcome = outcomeBroken
		k.because = "today it is allowed under a condition on " + keysOfSpecs(x.conditions) + ", and no statement of the given policies has that condition; " +
			"they only have another one of today's, under " + shortList(sorted(conditions), 3)
	}
	return k
}

// example writes a request down, less what is known of the role's requests anyway.
func (v *verifier) example(r *policy.Request) string {
	known := map[string]string{"aws:securetransport": "true"}
	for key, values := range v.j.grant.known.Keys() {
		known[key] = strings.Join(values, ",")
	}
	s := r.Action + " on " + r.Resource
	var context []string
	for key, values := range r.Context.Keys() {
		if text := strings.Join(values, ","); known[key] != text {
			context = append(context, key+" = "+text)
		}
	}
	if len(context) > 0 {
		s += ", with " + strings.Join(context, ", ")
	}
	return s
}

// alternativeGone: of several conditions under which today's policies allow the action,
// each by itself, that of the atom is dropped, and what is left are others of today's.
func (v *verifier) alternativeGone(action string, x *atom, access *policy.Access) bool {
	todays := map[string]bool{}
	for _, spec := range v.allows {
		todays[conditionsKey(spec.Conditions)] = true
	}
	own := conditionsKey(x.conditions)
	return !slices.ContainsFunc(access.Allows, func(m policy.Match) bool {
		key := conditionsKey(m.Statement.Spec().Conditions)
		return key == own || !todays[key]
	})
}

func keysOfSpecs(conditions []policy.ConditionSpec) string {
	keys := map[string]struct{}{}
	for _, c := range conditions {
		keys[c.Key] = struct{}{}
	}
	return strings.Join(sorted(keys), ", ")
}

// unconditional are the given statements that may apply, as if every condition that is
// not known to fail were met and every Deny under an open condition were not; and which
// conditions these are.
func (v *verifier) unconditional(action, pattern string, known policy.Context) ([]policy.Spec, map[string]struct{}) {
	var specs []policy.Spec
	open := map[string]struct{}{}
	request := policy.Request{Principal: v.j.grant.principal, Action: action, Resource: pattern, Context: known}
	for i := range v.given {
		for _, st := range v.given[i].Document.Statements() {
			reading := st.Read(request, policy.LayerIdentity)
			if !reading.Action {
				continue
			}
			holds := policy.True
			for _, c := range reading.Conditions {
				holds = min(holds, c.Truth)
			}
			spec := st.Spec()
			spec.Conditions = nil
			m := policy.Match{Layer: policy.LayerIdentity, Policy: &v.given[i], Statement: st}
			switch {
			case holds == policy.False:
			case st.Effect == policy.Allow:
				specs = append(specs, spec)
				if holds == policy.Unknown && reading.Resource != policy.False {
					open[fmt.Sprintf("a condition on %s (%s)", keysOf(st), givenWords(m))] = struct{}{}
				}
			case holds == policy.True:
				specs = append(specs, spec)
			case reading.Resource != policy.False:
				open[fmt.Sprintf("a Deny's condition on %s (%s)", keysOf(st), givenWords(m))] = struct{}{}
			}
		}
	}
	return specs, open
}

func givenWords(m policy.Match) string { return m.Policy.Name + ", " + statementWords(m.Statement) }

// whyNot says what the given policies have instead.
func (v *verifier) whyNot(action, pattern string, access *policy.Access) string {
	for _, m := range access.Denies {
		if m.Truth == policy.True {
			return "denied by " + givenWords(m)
		}
	}
	resources := map[string]struct{}{}
	failing := ""
	request := policy.Request{Principal: v.j.grant.principal, Action: action, Resource: pattern, Context: v.j.grant.known}
	for i := range v.given {
		for _, st := range v.given[i].Document.Statements() {
			if st.Effect != policy.Allow {
				continue
			}
			reading := st.Read(request, policy.LayerIdentity)
			switch {
			case !reading.Action:
				continue
			case reading.Resource != policy.False && !reading.Partial && access.Identity == policy.No:
				failing = fmt.Sprintf("the condition of %s does not hold", givenWords(policy.Match{Policy: &v.given[i], Statement: st}))
			case st.NotResource:
				resources["all but "+shortList(st.Resources, 2)] = struct{}{}
			default:
				for _, r := range st.Resources {
					resources[r] = struct{}{}
				}
			}
		}
	}
	switch {
	case failing != "":
		return failing
	case len(resources) == 0:
		return "no statement of the given policies speaks of " + action
	}
	if access.Identity != policy.No {
		return "the given policies allow it on " + shortList(sorted(resources), 3) + ", and not on all of this"
	}
	return "the given policies allow it on " + shortList(sorted(resources), 3) + ", and not on this"
}

// documentOf makes one identity policy; without statements one that grants nothing.
func documentOf(specs []policy.Spec) ([]policy.Policy, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	d, err := policy.Build(specs...)
	if err != nil {
		return nil, err
	}
	return []policy.Policy{{Layer: policy.LayerIdentity, Document: d}}, nil
}

// replay holds every obligation, every call on record and every job's own needs against
// the given policies.
func (v *verifier) replay(out *report.Verification) {
	found := &breakage{v: v, byKey: map[string]*entry{}}
	for _, o := range v.plan.obligations {
		out.Checked.Held++
		k := v.keeps(o.action, o.pattern, o.atoms, v.j.grant.known)
		if k.outcome == outcomeKept {
			for _, x := range o.atoms {
				if !x.not && len(x.conditions) == 0 {
					v.whole[x.action] = append(v.whole[x.action], x.pattern)
				}
			}
			continue
		}
		found.at(o.action, o.pattern, o).take(k)
	}
	v.replayCalls(out, found)
	v.replayJobs(out, found)
	out.Broken, out.Unsure = []report.VerifiedUse{}, []report.VerifiedUse{}
	for _, f := range found.sorted() {
		list, total := &out.Broken, &out.BrokenTotal
		if f.keeping.outcome == outcomeUnsure {
			list, total = &out.Unsure, &out.UnsureTotal
		}
		if *total++; *total <= report.MaxCells {
			*list = append(*list, f.use)
		}
	}
}

// servedWhole: an obligation that is kept whatever the context takes the resource in, so
// that it needs no look of its own.
func (v *verifier) servedWhole(action, resource string) bool {
	return slices.ContainsFunc(v.whole[action], func(pattern string) bool { return policy.Includes(pattern, resource) })
}

// keepsOne is keeps for one resource of a call or a job; granted tells whether today's
// policies grant it.
func (v *verifier) keepsOne(action, resource string, known policy.Context, context string) (k keeping, granted bool) {
	if v.servedWhole(action, resource) {
		return keeping{}, true
	}
	key := action + "\n" + resource + "\n" + context
	if k, done := v.kept[key]; done {
		return k, k.outcome >= 0
	}
	today := *v.j.grant
	today.known = known
	j := *v.j
	j.grant = &today
	o := &obligation{action: action, pattern: resource}
	v.hold(&j, &plan{}, o)
	k = keeping{outcome: -1}
	if len(o.atoms) > 0 {
		k = v.keeps(action, resource, o.atoms, known)
	}
	v.kept[key] = k
	return k, len(o.atoms) > 0
}

// replayCalls replays the calls that the held cells were seen in, each in its own region
// and with the prefix that it listed.
func (v *verifier) replayCalls(out *report.Verification, found *breakage) {
	for _, c := range v.heldCells() {
		if c.used == nil || v.left(c) {
			continue
		}
		for _, call := range c.used.calls {
			for _, resource := range orUnknown(call.resources) {
				if resource = orEvery(resource); !policy.Includes(orEvery(c.resource), resource) {
					continue
				}
				out.Checked.Calls++
				known, context := v.j.grant.known, call.Region
				if call.Region != "" {
					known = known.With("aws:RequestedRegion", call.Region)
				}
				if c.action == "s3:ListBucket" && call.Params.Prefix != "" {
					known = known.With("s3:prefix", call.Params.Prefix)
					context += "\n" + call.Params.Prefix
				}
				if k, granted := v.keepsOne(c.action, resource, known, context); granted && k.outcome != outcomeKept {
					found.of(c, resource).call(k, call, resource)
				}
			}
		}
	}
}

// replayJobs replays what each job that did not fail asks for, as far as it is held. A
// key that is named by its alias is replayed by what it was seen to be: see patternsOf.
func (v *verifier) replayJobs(out *report.Verification, found *breakage) {
	asks := newAsks(v.place, v.beside, v.j.sub.jobs)
	cells := map[string][]*cell{}
	for _, c := range v.heldCells() {
		if c.need != nil {
			cells[c.action] = append(cells[c.action], c)
		}
	}
	jobs := slices.Clone(v.j.sub.jobs)
	slices.SortFunc(jobs, func(x, y *snapshot.Job) int {
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), cmp.Compare(x.ARN, y.ARN))
	})
	for _, job := range jobs {
		if jobStrength(job) == strengthFailed {
			continue
		}
		out.Checked.Jobs++
		needs, _ := asks.of(job)
		for _, n := range needs {
			i := slices.IndexFunc(cells[n.action], func(c *cell) bool { return policy.Includes(c.resource, n.resource) })
			if n.alias || i < 0 {
				continue
			}
			out.Checked.Needs++
			if k, granted := v.keepsOne(n.action, n.resource, inRegion(v.j.grant.known, n.resource), ""); granted && k.outcome != outcomeKept {
				found.of(cells[n.action][i], n.resource).job(k, job, &n)
			}
		}
	}
}

// breakage are the uses and needs that are not kept.
type breakage struct {
	v     *verifier
	byKey map[string]*entry
}

// entry is one of them in the making.
type entry struct {
	keeping keeping
	use     report.VerifiedUse
	seen    map[string]bool
	// jobs and calls that are broken; of those that are unsure the list is thrown away
	// when the first broken one comes.
	onRecord outcome
}

// at finds the entry of an obligation, or makes it.
func (f *breakage) at(action, pattern string, o *obligation) *entry {
	key := action + "\n" + pattern
	if x := f.byKey[key]; x != nil {
		return x
	}
	x := &entry{seen: map[string]bool{}, use: report.VerifiedUse{Action: action, Resource: pattern, Jobs: []report.BrokenJob{}, Calls: []report.BrokenCall{}}}
	if o != nil {
		x.use.Area, x.use.Used, x.use.Rests = o.area, o.used, o.because
	}
	for _, c := range f.v.j.cells[action] {
		if c.isRest() || orEvery(c.resource) != pattern && !policy.Includes(orEvery(c.resource), pattern) {
			continue
		}
		x.use.Area = cmp.Or(x.use.Area, c.area)
		x.use.Used = x.use.Used || c.used != nil
		if c.need != nil {
			x.use.Strength, x.use.IfMissing = c.need.need.strength.String(), c.need.need.ifMissing
			x.use.Rests = cmp.Or(x.use.Rests, c.need.why())
		}
	}
	f.byKey[key] = x
	if full := f.v.accessIn(f.v.changed(), action, pattern, f.v.j.grant.known); full.Effective == policy.Yes && full.Layer == policy.LayerResource && !full.Partial {
		x.use.Note = granterElsewhere(&full) + ", so it would still be let in"
	}
	return x
}

// of finds the entry that a resource of a cell belongs to: that of an obligation which
// takes it in, or one of its own.
func (f *breakage) of(c *cell, resource string) *entry {
	for _, o := range f.v.held[c.action] {
		if f.byKey[c.action+"\n"+o.pattern] != nil && policy.Includes(o.pattern, resource) {
			return f.at(c.action, o.pattern, o)
		}
	}
	return f.at(c.action, resource, nil)
}

// take is of the obligation itself.
func (x *entry) take(k keeping) { x.keeping = x.keeping.worse(k) }

// note makes room for evidence of an outcome; false: what is there is worse.
func (x *entry) note(k keeping) bool {
	x.keeping = x.keeping.worse(k)
	if k.outcome < x.onRecord {
		return false
	}
	if k.outcome > x.onRecord {
		x.onRecord = k.outcome
		x.use.Jobs, x.use.Calls, x.use.JobsTotal, x.use.CallsTotal = []report.BrokenJob{}, []report.BrokenCall{}, 0, 0
	}
	return true
}

func (x *entry) call(k keeping, c *call, resource string) {
	if !x.note(k) {
		return
	}
	x.use.CallsTotal += c.Count
	x.use.Calls = append(x.use.Calls, report.BrokenCall{EventID: c.LastEventID, EventName: c.EventName, Region: c.Region, Resource: resource,
		Count: c.Count, Last: c.Last.UTC(), By: c.by})
}

func (x *entry) job(k keeping, job *snapshot.Job, n *need) {
	if !x.note(k) {
		return
	}
	if !x.seen[job.ARN] {
		x.seen[job.ARN] = true
		x.use.JobsTotal++
	}
	if len(x.use.Jobs) < report.MaxEvidence {
		x.use.Jobs = append(x.use.Jobs, report.BrokenJob{Job: job.Name, Region: job.Region, Status: job.Status, CreatedAt: job.CreatedAt.UTC(),
			Field: n.field, Resource: n.resource})
	}
}

// sorted lays them out, by action and resource.
func (f *breakage) sorted() []*entry {
	all := slices.Collect(maps.Values(f.byKey))
	all = slices.DeleteFunc(all, func(x *entry) bool { return x.keeping.outcome == outcomeKept })
	for _, x := range all {
		x.use.Because, x.use.Example = x.keeping.because, x.keeping.example
		x.use.OnRecord = x.onRecord == x.keeping.outcome
		slices.SortStableFunc(x.use.Calls, func(a, b report.BrokenCall) int {
			return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.EventID, b.EventID), cmp.Compare(a.Resource, b.Resource))
		})
		x.use.Calls, _ = capped(x.use.Calls, report.MaxEvidence)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.use.Action, b.use.Action), cmp.Compare(a.use.Resource, b.use.Resource))
	})
	return all
}

// changed is today's grant with the given policies in the place of the identity ones.
func (v *verifier) changed() *grant {
	g := *v.j.grant
	stack := *g.stack
	stack.Identity = v.given
	g.stack = &stack
	return &g
}

// reviewed are the uses that are left to a person.
func (v *verifier) reviewed() []report.ReviewedUse {
	out := []report.ReviewedUse{}
	for _, c := range v.heldCells() {
		if c.used == nil || !v.left(c) {
			continue
		}
		resource := orEvery(c.resource)
		access := v.accessUnder(c.action, resource, v.j.grant.known)
		out = append(out, report.ReviewedUse{Action: c.action, Resource: resource, Count: c.used.count(), Last: c.used.last().UTC(),
			Kept: access.Identity != policy.No && !access.Partial})
	}
	return out
}
