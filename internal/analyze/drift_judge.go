package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// heldPolicy is a policy that a role has, parsed once for all roles and both sides.
type heldPolicy struct {
	text                     string
	sum                      [sha256.Size]byte // of the text
	kind, name, arn, version string
	// document is nil where it was not read or does not parse.
	document *policy.Document
	denies   []policy.Spec
	// aboutWho: it asks who makes the request, so that its answer is one role's alone.
	aboutWho bool
}

func (p *heldPolicy) words() string {
	switch {
	case p == nil:
		return ""
	case p.document == nil && p.text == "":
		return strings.TrimSpace(p.name + ", not read")
	case p.document == nil:
		return strings.TrimSpace(p.name + " " + p.version + ", does not parse")
	case p.kind == "inline":
		return p.sizeWords() + ", " + hex.EncodeToString(p.sum[:4])
	}
	return p.name + " " + p.version + ", " + p.sizeWords()
}

func (p *heldPolicy) sizeWords() string {
	if p.document == nil {
		return "not read"
	}
	return countWords(len(p.document.Statements()), "statement", "statements")
}

// layer is the policy as the engine takes it.
func (p *heldPolicy) layer(l policy.Layer) policy.Policy {
	return policy.Policy{Layer: l, Kind: p.kind, Name: p.name, ARN: p.arn, Version: p.version, Document: p.document}
}

// grantSide is what one side grants a role. Its value can be copied; add and limit
// change the copy alone.
type grantSide struct {
	docs     []*heldPolicy
	boundary *heldPolicy // nil for none
	// open: not all of it is known, and why. absent: there is no role at all.
	open   bool
	why    string
	absent bool
}

// unsure keeps the first reason in the order of the alphabet, so that it does not matter
// which side is read first.
func (g *grantSide) unsure(why string) {
	if !g.open || why < g.why {
		g.open, g.why = true, why
	}
}

// add takes in an identity policy, nil for none. One that is there already is not taken
// in twice.
func (g *grantSide) add(p *heldPolicy) {
	switch {
	case p == nil:
		return
	case p.document == nil:
		g.unsure("policy " + p.name + " was not read, or does not parse")
		return
	case slices.Contains(g.docs, p):
		return
	}
	g.docs = append(slices.Clip(g.docs), p)
}

// limit sets the boundary, nil for none.
func (g *grantSide) limit(p *heldPolicy) {
	if p != nil && p.document == nil {
		g.unsure("boundary " + p.name + " was not read, or does not parse")
		return
	}
	g.boundary = p
}

func (g *grantSide) stack() *policy.Stack {
	s := &policy.Stack{Identity: g.identity()}
	if g.boundary != nil {
		s.Boundary = []policy.Policy{g.boundary.layer(policy.LayerBoundary)}
	}
	return s
}

func (g *grantSide) identity() []policy.Policy {
	var out []policy.Policy
	for _, d := range g.docs {
		out = append(out, d.layer(policy.LayerIdentity))
	}
	return out
}

// roleContext is what is known of a role's requests, on both sides.
type roleContext struct {
	principal   policy.Principal
	tags        map[string]string
	sessionTags bool
}

// inBoth is what holds on both sides.
func inBoth(a, b roleContext) roleContext {
	a.sessionTags = a.sessionTags || b.sessionTags || !maps.Equal(a.tags, b.tags)
	return a
}

// context is nothing at all for a policy by itself. That calls come over TLS is what SDKs
// do, and no fact of the role: a policy that no longer asks for it asks for less.
func (k roleContext) context() policy.Context {
	if k.principal.ARN == "" {
		return policy.Context{}
	}
	return policy.Offline(policy.Facts{Principal: k.principal, Tags: k.tags, SessionTags: k.sessionTags}).Unknown("aws:SecureTransport")
}

// judgedGrant is what a change of policies does.
type judgedGrant struct {
	effect          report.Effect
	why             string
	newly, noLonger report.Newly
}

// grantJudge compares grants, each pair once. It is for one comparison.
type grantJudge struct {
	catalog  *actions.Catalog
	expander *policy.Expander
	policies map[[4]string]*heldPolicy
	meanings map[[2]*heldPolicy]bool
	known    map[string]judgedGrant
}

func newGrantJudge() *grantJudge {
	return &grantJudge{catalog: actions.Load(), expander: catalogExpander(), policies: map[[4]string]*heldPolicy{},
		meanings: map[[2]*heldPolicy]bool{}, known: map[string]judgedGrant{}}
}

// held is the policy of a text: the same one for the same text under the same name.
func (g *grantJudge) held(text, kind, name, arn, version string) *heldPolicy {
	key := [4]string{text, name, arn, version}
	if p := g.policies[key]; p != nil {
		return p
	}
	p := &heldPolicy{text: text, sum: sha256.Sum256([]byte(text)), kind: kind, name: name, arn: arn, version: version}
	lower := strings.ToLower(text)
	p.aboutWho = strings.Contains(lower, "principal") || strings.Contains(lower, "${") || strings.Contains(lower, "aws:userid") || strings.Contains(lower, "aws:username")
	if d, err := policy.Parse([]byte(text)); err == nil {
		p.document = d
		for _, st := range d.Statements() {
			if st.Effect == policy.Deny {
				p.denies = append(p.denies, st.Spec())
			}
		}
	}
	g.policies[key] = p
	return p
}

// sameMeaning reports whether two documents certainly allow and deny the same, whatever
// their words, their order and their layout.
func (g *grantJudge) sameMeaning(a, b *heldPolicy) bool {
	switch {
	case a.text == b.text:
		return true
	case a.document == nil || b.document == nil:
		return false
	case canonical(a.document) == canonical(b.document):
		return true
	}
	key := [2]*heldPolicy{a, b}
	if b.text < a.text {
		key = [2]*heldPolicy{b, a}
	}
	same, known := g.meanings[key]
	if !known {
		x, y := grantSide{docs: []*heldPolicy{a}}, grantSide{docs: []*heldPolicy{b}}
		same = g.within(x, y, roleContext{}).truth == policy.True && g.within(y, x, roleContext{}).truth == policy.True
		g.meanings[key] = same
	}
	return same
}

// canonical is the document's statements in one order, without their names.
func canonical(d *policy.Document) string {
	var lines []string
	for _, st := range d.Statements() {
		spec := st.Spec()
		spec.Sid = ""
		one, err := policy.Build(spec)
		if err != nil {
			return string(d.Print()) // with elements that a Spec has not
		}
		lines = append(lines, string(one.Print()))
	}
	slices.Sort(lines)
	return d.Version() + "\n" + strings.Join(slices.Compact(lines), "\n")
}

// key names a comparison: by the texts, and by the role where they ask who it is.
func (g *grantJudge) key(before, after grantSide, k roleContext) string {
	var b strings.Builder
	who := false
	for _, s := range []grantSide{before, after} {
		fmt.Fprintf(&b, "%v %v %s|", s.absent, s.open, s.why)
		sums := make([]string, 0, len(s.docs))
		for _, d := range s.docs {
			sums = append(sums, string(d.sum[:]))
			who = who || d.aboutWho
		}
		slices.Sort(sums)
		for _, sum := range sums {
			b.WriteString(sum)
		}
		if s.boundary != nil {
			b.WriteString("|b")
			b.Write(s.boundary.sum[:])
			who = who || s.boundary.aboutWho
		}
		b.WriteByte('\n')
	}
	if who || k.principal.ARN == "" {
		fmt.Fprintf(&b, "%s %v", k.principal.ARN, k.sessionTags)
		for _, tag := range slices.Sorted(maps.Keys(k.tags)) {
			fmt.Fprintf(&b, "\x00%s\x00%s", tag, k.tags[tag])
		}
	}
	return b.String()
}

// judge says what becomes of a role's grant. Counts are of what may be allowed (E+).
func (g *grantJudge) judge(before, after grantSide, k roleContext) judgedGrant {
	key := g.key(before, after, k)
	if j, known := g.known[key]; known {
		return j
	}
	j := g.judged(before, after, k)
	g.known[key] = j
	return j
}

func (g *grantJudge) judged(before, after grantSide, k roleContext) judgedGrant {
	if before.open || after.open {
		why := cmp.Or(min(before.why, after.why), before.why, after.why) // the same, whichever is called before
		note := report.Newly{Note: "not counted: " + why}
		return judgedGrant{effect: report.UnknownEffect, why: "cannot be judged: " + why, newly: note, noLonger: note}
	}
	widens, narrows := g.within(after, before, k), g.within(before, after, k)
	j := judgedGrant{effect: effectOf(widens.truth, narrows.truth)}
	var why []string
	say := func(a inclusion, verb string) {
		switch a.truth {
		case policy.False:
			why = append(why, verb+" "+a.why)
		case policy.Unknown:
			why = append(why, "whether it "+verb+" more could not be decided: "+a.why)
		}
	}
	say(widens, "allows")
	say(narrows, "no longer allows")
	j.why = strings.Join(why, "; ")
	ctx := k.context()
	was, is := g.expander.Expand(before.stack(), ctx), g.expander.Expand(after.stack(), ctx)
	if widens.truth != policy.True {
		j.newly = g.newly(was, is)
	}
	if narrows.truth != policy.True {
		j.noLonger = g.newly(is, was)
	}
	return j
}

// effectOf names the effect, of the two answers that nothing is allowed that was not,
// and that nothing was that is not any more.
func effectOf(widensNothing, narrowsNothing policy.Truth) report.Effect {
	switch {
	case widensNothing == policy.Unknown, narrowsNothing == policy.Unknown:
		return report.UnknownEffect
	case widensNothing == policy.False && narrowsNothing == policy.False:
		return report.Both
	case widensNothing == policy.False:
		return report.Widens
	case narrowsNothing == policy.False:
		return report.Narrows
	}
	return report.NoEffect
}

// inclusion is the answer whether one grant lies within another. why is the request that
// shows the no, or why it is open.
type inclusion struct {
	truth policy.Truth
	why   string
}

// within asks whether p allows nothing that i does not, within their boundaries. What
// policies of resources allow by themselves counts in so far as Denies stand against it.
func (g *grantJudge) within(p, i grantSide, k roleContext) inclusion {
	if p.absent || len(p.docs) == 0 && (i.absent || len(denials(i)) == 0) {
		return inclusion{policy.True, ""}
	}
	ctx := k.context()
	asked := pieceOf(p, i)
	inside := policy.Answer{Truth: policy.True}
	if len(asked) > 0 {
		inside = g.expander.WidensNothing(asked, i.identity(), ctx)
	}
	out := g.withinLimits(p, i, inside, ctx, k.principal)
	if out.truth == policy.False || i.absent {
		return out
	}
	if gone := g.deniesWithin(p, i); gone.truth != policy.True {
		if out.truth == policy.True || gone.truth == policy.False {
			return gone
		}
	}
	return out
}

// pieceOf is what of p is to be asked about: where all Denies of i stand in p as well,
// what both have is allowed by both alike.
func pieceOf(p, i grantSide) []policy.Policy {
	for _, d := range i.docs {
		if len(d.denies) > 0 && !slices.Contains(p.docs, d) {
			return p.identity()
		}
	}
	var (
		out    []policy.Policy
		denies []policy.Spec
	)
	for _, d := range p.docs {
		if slices.Contains(i.docs, d) {
			denies = append(denies, d.denies...)
			continue
		}
		out = append(out, d.layer(policy.LayerIdentity))
	}
	if len(out) == 0 || len(denies) == 0 {
		return out
	}
	rest, err := documentOf(denies)
	if err != nil {
		return p.identity()
	}
	return append(out, rest...)
}

// withinLimits is within, of the Allows: what p allows in its boundary lies in i, and in
// i's boundary, where one of the two layers of p does.
func (g *grantJudge) withinLimits(p, i grantSide, inside policy.Answer, ctx policy.Context, principal policy.Principal) inclusion {
	limit := func(b *heldPolicy) []policy.Policy { return []policy.Policy{b.layer(policy.LayerIdentity)} }
	yes := func(a policy.Answer) bool { return a.Truth == policy.True }
	answers := []policy.Answer{inside}
	ask := func(a, b []policy.Policy) policy.Answer {
		x := g.expander.WidensNothing(a, b, ctx)
		answers = append(answers, x)
		return x
	}
	inGrant := yes(inside) || p.boundary != nil && yes(ask(limit(p.boundary), i.identity()))
	inLimit := i.boundary == nil || p.boundary == i.boundary || p.boundary != nil && yes(ask(limit(p.boundary), limit(i.boundary)))
	if inGrant && !inLimit {
		inLimit = yes(ask(p.identity(), limit(i.boundary)))
	}
	if inGrant && inLimit {
		return inclusion{policy.True, ""}
	}
	if p.boundary == nil && i.boundary == nil {
		switch inside.Truth {
		case policy.False:
			return inclusion{policy.False, exampleWords(inside.Counterexample, ctx, inside.Reason)}
		default:
			return inclusion{policy.Unknown, inside.Reason}
		}
	}
	// A request that one layer lets through and another one does not may still be
	// refused, or allowed, by the rest: ask about it as a whole.
	ps, is := p.stack(), i.stack()
	shows := func(r policy.Request) bool {
		if r.Principal.ARN == "" {
			r.Principal = principal
		}
		return ps.Decide(r, policy.Must).Outcome == policy.Allowed && is.Decide(r, policy.May).Outcome != policy.Allowed
	}
	for _, a := range answers {
		if a.Truth == policy.False && a.Counterexample != nil && shows(*a.Counterexample) {
			return inclusion{policy.False, exampleWords(a.Counterexample, ctx, a.Reason)}
		}
	}
	return g.actionByAction(p, i, ps, is, ctx, principal)
}

// actionByAction looks for an action that is granted within the one boundary and not at
// all within the other; and asks once more of those alone that both boundaries let
// through.
func (g *grantJudge) actionByAction(p, i grantSide, ps, is *policy.Stack, ctx policy.Context, principal policy.Principal) inclusion {
	in, out := g.expander.Expand(ps, ctx), g.expander.Expand(is, ctx)
	granted := map[string]bool{}
	fresh := 0
	for a := range in.Actions() {
		if in.Effective(a) == policy.No {
			continue
		}
		granted[g.catalog.Action(a)] = true
		if out.Effective(a) != policy.No || fresh > 500 {
			continue
		}
		fresh++
		for _, pattern := range in.Patterns(a) {
			if pattern.Not {
				continue
			}
			resource := pattern.Pattern
			if g.catalog.Resourceless(a) {
				resource = "*"
			}
			if x := ps.Access(principal, g.catalog.Action(a), resource, ctx); x.Effective == policy.Yes && !x.Partial {
				return inclusion{policy.False, g.catalog.Action(a) + " on " + resource}
			}
		}
	}
	rest, ok := g.only(p, granted)
	if !ok {
		return inclusion{policy.Unknown, "what two boundaries leave of a grant"}
	}
	if len(rest) == 0 {
		return inclusion{policy.True, ""}
	}
	inGrant := g.expander.WidensNothing(rest, i.identity(), ctx)
	inLimit := policy.Answer{Truth: policy.True}
	if i.boundary != nil && p.boundary != i.boundary {
		inLimit = g.expander.WidensNothing(rest, []policy.Policy{i.boundary.layer(policy.LayerIdentity)}, ctx)
	}
	if inGrant.Truth == policy.True && inLimit.Truth == policy.True {
		return inclusion{policy.True, ""}
	}
	for _, a := range []policy.Answer{inGrant, inLimit} {
		if r := a.Counterexample; a.Truth == policy.False && r != nil {
			q := *r
			if q.Principal.ARN == "" {
				q.Principal = principal
			}
			if ps.Decide(q, policy.Must).Outcome == policy.Allowed && is.Decide(q, policy.May).Outcome != policy.Allowed {
				return inclusion{policy.False, exampleWords(r, ctx, a.Reason)}
			}
		}
	}
	return inclusion{policy.Unknown, cmp.Or(inGrant.Reason, inLimit.Reason, "what two boundaries leave of a grant")}
}

// only is the grant cut down to some actions, with all its Denies.
func (g *grantJudge) only(p grantSide, granted map[string]bool) ([]policy.Policy, bool) {
	var allows, denies []policy.Spec
	for _, d := range p.docs {
		denies = append(denies, d.denies...)
		for _, st := range d.document.Statements() {
			if st.Effect != policy.Allow {
				continue
			}
			spec := st.Spec()
			spec.Sid, spec.Actions, spec.NotActions = "", nil, nil
			for _, a := range g.expander.Actions(st) {
				if name := g.catalog.Action(a); granted[name] {
					spec.Actions = append(spec.Actions, name)
				}
			}
			if len(spec.Actions) > 3000 {
				return nil, false // as good as everything: asked already
			}
			if len(spec.Actions) > 0 {
				allows = append(allows, spec)
			}
		}
	}
	if len(allows) == 0 {
		return nil, true
	}
	rest, err := documentOf(append(allows, denies...))
	return rest, err == nil
}

func denials(g grantSide) []policy.Spec {
	var out []policy.Spec
	for _, d := range g.docs {
		out = append(out, d.denies...)
	}
	if g.boundary != nil {
		out = append(out, g.boundary.denies...)
	}
	return out
}

// deniesWithin asks whether all that i denies is denied by p too. A Deny also stands
// against what policies of resources allow by themselves (AWS:
// reference_policies_evaluation-logic).
func (g *grantJudge) deniesWithin(p, i grantSide) inclusion {
	theirs, ours := denials(i), denials(p)
	if len(theirs) == 0 {
		return inclusion{policy.True, ""}
	}
	asAllows := func(specs []policy.Spec) ([]policy.Policy, error) {
		if len(specs) == 0 {
			return nil, nil
		}
		allows := slices.Clone(specs)
		for n := range allows {
			allows[n].Effect, allows[n].Sid = policy.Allow, ""
		}
		return documentOf(allows)
	}
	a, err := asAllows(theirs)
	b, err2 := asAllows(ours)
	if err != nil || err2 != nil {
		return inclusion{policy.Unknown, "its Denies could not be written down"}
	}
	answer := g.expander.WidensNothing(a, b, policy.Context{})
	switch answer.Truth {
	case policy.False:
		return inclusion{policy.False, "what a Deny stood against, if another policy lets it in: " + exampleWords(answer.Counterexample, policy.Context{}, answer.Reason)}
	case policy.Unknown:
		return inclusion{policy.Unknown, answer.Reason}
	}
	return inclusion{policy.True, ""}
}

// exampleWords writes a request down, less what is known of the role's requests anyway.
func exampleWords(r *policy.Request, known policy.Context, reason string) string {
	if r == nil {
		return reason
	}
	anyway := map[string]string{"aws:securetransport": "true"}
	for key, values := range known.Keys() {
		anyway[key] = strings.Join(values, ",")
	}
	s := r.Action + " on " + r.Resource
	var context []string
	for key, values := range r.Context.Keys() {
		if text := strings.Join(values, ","); anyway[key] != text {
			context = append(context, key+" = "+text)
		}
	}
	if len(context) > 0 {
		s += ", with " + strings.Join(context, ", ")
	}
	return s
}
