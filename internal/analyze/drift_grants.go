package analyze

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// step is one change of a role's policies: a document that was not, is no longer, or is
// another.
type step struct {
	kind                 report.ChangeKind
	subject, subjectKind string
	name                 string
	before, after        *heldPolicy
}

// grants compares the policies of a role that both sides have.
func (c *comparison) grants(b, n *snapshot.Role) {
	if !c.mayDiffer(b, n) {
		return
	}
	beside, steps, boundary := c.differences(b, n)
	if len(steps) == 0 && boundary == nil {
		return
	}
	known := inBoth(c.contextOf(c.base, b), c.contextOf(c.current, n))
	whole := report.Effect("")
	if moves := len(steps) + len(c.movedOf(b, n)); boundary != nil || moves > 1 {
		before, _ := c.fullGrant(c.base, b)
		after, _ := c.fullGrant(c.current, n)
		whole = c.judge.judge(before, after, known).effect
	}
	for _, s := range steps {
		before, after := beside, beside
		before.add(s.before)
		after.add(s.after)
		c.grantChange(n, s, c.judge.judge(before, after, known), whole)
	}
	if boundary != nil {
		before := c.eitherSide(b, n)
		after := before
		before.limit(boundary.before)
		after.limit(boundary.after)
		c.grantChange(n, *boundary, c.judge.judge(before, after, known), whole)
	}
}

// differences are what is otherwise in the policies of a role, and what both sides have
// beside: the same documents, or documents of the same meaning, within the same boundary.
func (c *comparison) differences(b, n *snapshot.Role) (beside grantSide, steps []step, boundary *step) {
	var common []*heldPolicy
	if !unreadOf(b, "inline") && !unreadOf(n, "inline") {
		steps, common = c.inline(b, n, steps, common)
	}
	if !unreadOf(b, "attached") && !unreadOf(n, "attached") {
		steps, common = c.attached(b, n, steps, common)
	}
	boundary = c.boundary(b, n)
	for _, d := range common {
		beside.add(d)
	}
	for _, r := range []*snapshot.Role{b, n} {
		for _, what := range r.Unread {
			if what != "tags" {
				beside.unsure(unreadWords(what) + " could not be read")
			}
		}
	}
	if boundary == nil && b.Boundary != "" && b.Boundary == n.Boundary && !c.policyMoved(b.Boundary) {
		beside.limit(c.onBothSides(b.Boundary))
	}
	return beside, steps, boundary
}

// eitherSide is all that the role is granted on either side, without its boundary: what
// does a boundary take away of it?
func (c *comparison) eitherSide(b, n *snapshot.Role) grantSide {
	var all grantSide
	c.identity(&all, c.base, b)
	c.identity(&all, c.current, n)
	return all
}

// mayDiffer is the quick look: of most roles nothing has changed.
func (c *comparison) mayDiffer(b, n *snapshot.Role) bool {
	differ := b.Boundary != n.Boundary || !slices.Equal(b.Inline, n.Inline) || !slices.Equal(b.Attached, n.Attached)
	for _, a := range n.Attached {
		if !c.policyMoved(a.ARN) || !slices.ContainsFunc(b.Attached, func(x snapshot.AttachedPolicy) bool { return x.ARN == a.ARN }) {
			continue
		}
		c.reach(a.ARN, b, n, false)
	}
	if n.Boundary != "" && n.Boundary == b.Boundary && c.policyMoved(n.Boundary) {
		c.reach(n.Boundary, b, n, true)
	}
	return differ
}

func unreadOf(r *snapshot.Role, what string) bool { return slices.Contains(r.Unread, what) }

func (c *comparison) inline(b, n *snapshot.Role, steps []step, common []*heldPolicy) ([]step, []*heldPolicy) {
	before, after := map[string]string{}, map[string]string{}
	var names []string
	for _, p := range b.Inline {
		before[p.Name] = p.Document
		names = append(names, p.Name)
	}
	for _, p := range n.Inline {
		after[p.Name] = p.Document
		names = append(names, p.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		was, had := before[name]
		is, has := after[name]
		s := step{subject: name, name: "inline policy " + name, subjectKind: report.SubjectInline}
		if had {
			s.before = c.judge.held(was, "inline", name, "", "")
		}
		if has {
			s.after = c.judge.held(is, "inline", name, "", "")
		}
		switch {
		case !had:
			s.kind = report.PolicyAttached
		case !has:
			s.kind = report.PolicyDetached
		case c.judge.sameMeaning(s.before, s.after):
			common = append(common, s.canonical())
			continue
		default:
			s.kind = report.PolicyEdited
		}
		steps = append(steps, s)
	}
	return steps, common
}

// onBothSides is a managed policy that has not moved; without a document where one side
// did not read it.
func (c *comparison) onBothSides(arn string) *heldPolicy {
	b, n := c.managed(c.base, arn), c.managed(c.current, arn)
	if b.document == nil {
		return b
	}
	return n
}

// canonical chooses one of two documents of the same meaning, the same one whichever
// side is called the baseline.
func (s *step) canonical() *heldPolicy {
	if s.after.text < s.before.text {
		return s.after
	}
	return s.before
}

func (c *comparison) attached(b, n *snapshot.Role, steps []step, common []*heldPolicy) ([]step, []*heldPolicy) {
	has := func(r *snapshot.Role, arn string) bool {
		return slices.ContainsFunc(r.Attached, func(a snapshot.AttachedPolicy) bool { return a.ARN == arn })
	}
	var arns []string
	for _, r := range []*snapshot.Role{b, n} {
		for _, a := range r.Attached {
			arns = append(arns, a.ARN)
		}
	}
	slices.Sort(arns)
	for _, arn := range slices.Compact(arns) {
		s := step{subject: arn, name: "policy " + nameOf(arn), subjectKind: report.SubjectPolicy}
		switch was, is := has(b, arn), has(n, arn); {
		case was && is && c.policyMoved(arn):
			if p, q := c.managed(c.base, arn), c.managed(c.current, arn); p.document != nil && q.document != nil && c.judge.sameMeaning(p, q) {
				common = append(common, (&step{before: p, after: q}).canonical())
			}
			continue // told once for all its roles
		case was && is:
			common = append(common, c.onBothSides(arn))
			continue
		case is:
			s.kind, s.after = report.PolicyAttached, c.managed(c.current, arn)
		default:
			s.kind, s.before = report.PolicyDetached, c.managed(c.base, arn)
		}
		steps = append(steps, s)
	}
	return steps, common
}

// boundary is the change of the role's permissions boundary, nil for none.
func (c *comparison) boundary(b, n *snapshot.Role) *step {
	if b.Boundary == n.Boundary || unreadOf(b, "boundary") || unreadOf(n, "boundary") {
		return nil
	}
	s := &step{subjectKind: report.SubjectBoundary, kind: report.BoundaryChanged}
	if b.Boundary != "" {
		s.subject, s.before = b.Boundary, c.managed(c.base, b.Boundary)
	}
	if n.Boundary != "" {
		s.subject, s.after = n.Boundary, c.managed(c.current, n.Boundary)
	}
	switch {
	case b.Boundary == "":
		s.kind = report.BoundarySet
	case n.Boundary == "":
		s.kind = report.BoundaryRemoved
	default:
		s.subject = min(b.Boundary, n.Boundary) // the same in the mirror
	}
	return s
}

var stepTitles = map[report.ChangeKind]string{
	report.PolicyAttached: "%s was attached to role %s",
	report.PolicyDetached: "%s was detached from role %s",
	report.PolicyEdited:   "%s of role %s was edited",
}

// grantChange tells of one step.
func (c *comparison) grantChange(r *snapshot.Role, s step, j judgedGrant, whole report.Effect) {
	x := report.Change{Role: r.ARN, RoleID: r.ID, Kind: s.kind, Subject: s.subject, SubjectKind: s.subjectKind,
		Effect: j.effect, EffectWhy: j.why, RoleEffect: whole, Newly: j.newly, NoLonger: j.noLonger, Before: s.before.words(), After: s.after.words()}
	if whole == "" {
		x.RoleEffect = j.effect
	}
	switch s.kind {
	case report.BoundarySet:
		x.Title = fmt.Sprintf("The permissions boundary %s was set on role %s", s.after.name, r.Name)
	case report.BoundaryRemoved:
		x.Title = fmt.Sprintf("The permissions boundary %s was removed from role %s", s.before.name, r.Name)
	case report.BoundaryChanged:
		x.Title = fmt.Sprintf("The permissions boundary of role %s was changed from %s to %s", r.Name, s.before.name, s.after.name)
	default:
		x.Title = fmt.Sprintf(stepTitles[s.kind], upperFirst(s.name), r.Name)
		if s.subjectKind == report.SubjectInline && s.kind != report.PolicyEdited {
			verb := map[report.ChangeKind]string{report.PolicyAttached: "added to", report.PolicyDetached: "removed from"}[s.kind]
			x.Title = fmt.Sprintf("%s was %s role %s", upperFirst(s.name), verb, r.Name)
		}
	}
	subject := s.subject
	if s.subjectKind == report.SubjectBoundary {
		subject = ""
	}
	x.By, x.Cause = c.trail.by(c.forward(s.kind), r.Name, s.subjectKind, subject)
	c.change(x)
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// contextOf is what is known of the role's requests.
func (c *comparison) contextOf(h *half, r *snapshot.Role) roleContext {
	k := roleContext{principal: principalOf(h, r), tags: map[string]string{}, sessionTags: unreadOf(r, "tags")}
	for _, t := range r.Tags {
		k.tags[t.Key] = t.Value
	}
	trust := c.judge.held(r.Trust, "trust", "", "", "")
	k.sessionTags = k.sessionTags || letsTagSession(trust.document)
	return k
}

// fullGrant is all that a side's policies give a role.
func (c *comparison) fullGrant(h *half, r *snapshot.Role) (grantSide, roleContext) {
	var g grantSide
	c.identity(&g, h, r)
	if r.Boundary != "" {
		g.limit(c.managed(h, r.Boundary))
	}
	if unreadOf(r, "boundary") {
		g.unsure(unreadWords("boundary") + " could not be read")
	}
	return g, c.contextOf(h, r)
}

// identity adds the role's identity policies as a side has them.
func (c *comparison) identity(g *grantSide, h *half, r *snapshot.Role) {
	for _, p := range r.Inline {
		g.add(c.judge.held(p.Document, "inline", p.Name, "", ""))
	}
	for _, a := range r.Attached {
		g.add(c.managed(h, a.ARN))
	}
	for _, what := range []string{"inline", "attached"} {
		if unreadOf(r, what) {
			g.unsure(unreadWords(what) + " could not be read")
		}
	}
}

// managed is a managed policy as a side has it; without a document where it was not read.
func (c *comparison) managed(h *half, arn string) *heldPolicy {
	if p := h.policies[arn]; p != nil {
		return c.judge.held(p.Document, "managed", p.Name, p.ARN, p.Version)
	}
	return &heldPolicy{kind: "managed", name: nameOf(arn), arn: arn}
}
