package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// roles compares the roles of both sides by ARN, and by id.
func (c *comparison) roles() {
	arns := map[string]struct{}{}
	for _, h := range []*half{c.base, c.current} {
		for arn := range h.roles {
			arns[arn] = struct{}{}
		}
	}
	for _, arn := range slices.Sorted(maps.Keys(arns)) {
		b, n := c.base.roles[arn], c.current.roles[arn]
		switch {
		case b == nil:
			c.oneSided(n, c.current, c.base)
		case n == nil:
			c.oneSided(b, c.base, c.current)
		case b.ID != "" && n.ID != "" && b.ID != n.ID:
			c.recreated(b, n)
		default:
			c.grants(b, n)
			c.trust(b, n)
		}
	}
}

// presence is what a side says of a role that is not among those it kept.
type presence int

const (
	presenceUnknown presence = iota
	presenceNone             // it did not exist
	presenceBeside           // it existed, and was in no scope
	presenceOther            // another role had its name
)

// presence says what a side knows of a role that only the other one kept; why is why
// it knows nothing.
func (c *comparison) presence(h *half, r *snapshot.Role) (p presence, why string) {
	missing := func(g snapshot.Gap) bool {
		return g.Impact == snapshot.ImpactRoles && g.Reason == snapshot.ReasonMissing && snapshot.MatchRole(g.Scope, r.ARN)
	}
	id, beside := h.others[r.ARN]
	asked := selected(h.Snapshot, r.ARN)
	switch {
	case slices.ContainsFunc(h.Gaps, missing):
		return presenceNone, ""
	case beside && id != "" && r.ID != "" && id != r.ID:
		return presenceOther, ""
	case beside && asked:
		return presenceBeside, ""
	case h.others != nil && !beside, r.CreatedAt.After(h.TakenAt):
		return presenceNone, ""
	case !asked:
		return presenceUnknown, "the role was not asked for (--role)"
	case unread(h.Snapshot, r.ARN):
		return presenceUnknown, whyNotAllRoles
	case h == c.newer && c.deleted(r):
		return presenceNone, ""
	}
	return presenceUnknown, "the snapshot does not list the roles beside those that it kept"
}

const whyNotAllRoles = "not all roles could be read"

// deleted reports whether the events since the earlier snapshot have the role's deletion.
func (c *comparison) deleted(r *snapshot.Role) bool {
	return slices.ContainsFunc(c.trail.byRole[r.Name], func(u *snapshot.Usage) bool { return u.EventName == "DeleteRole" && u.Last.After(r.CreatedAt) })
}

// oneSided tells of a role that only one side kept.
func (c *comparison) oneSided(r *snapshot.Role, has, lacks *half) {
	c.moved[r.ARN] = true
	p, why := c.presence(lacks, r)
	x := report.Change{Role: r.ARN, RoleID: r.ID, Subject: r.Name, SubjectKind: report.SubjectRole}
	there := has == c.current
	switch p {
	case presenceUnknown:
		if why == whyNotAllRoles {
			return // the gap itself says so, of every role
		}
		c.unknown(report.Uncompared{Role: r.ARN, RoleID: r.ID, What: "the role", Impact: string(snapshot.ImpactRoles), Kinds: slices.Concat(roleKinds, policyKinds, limitKinds, trustKinds), Side: lacks.side, Why: why})
		return
	case presenceBeside:
		c.scope(r, has)
		return
	case presenceOther:
		x.Kind, x.Effect, x.EffectWhy = report.RoleRecreated, report.UnknownEffect, "on one side its policies were not read: that role is in no scope"
		x.Title = fmt.Sprintf("Role %s was created anew, under the same name", r.Name)
		x.Before, x.After = c.sides(has, "id "+r.ID, "id "+lacks.others[r.ARN])
		x.By, x.Cause = c.trail.by(x.Kind, r.Name, "", "")
		c.change(x)
		return
	}
	full, known := c.fullGrant(has, r)
	none := grantSide{absent: true}
	x.Kind = report.RoleDeleted
	x.Title = fmt.Sprintf("Role %s was deleted", r.Name)
	before, after := full, none
	if there {
		x.Kind = report.RoleCreated
		x.Title = fmt.Sprintf("Role %s was created", r.Name)
		before, after = none, full
	}
	x.Before, x.After = c.sides(has, c.roleWords(has, r), "")
	j := c.judge.judge(before, after, known)
	x.Effect, x.EffectWhy, x.RoleEffect, x.Newly, x.NoLonger = j.effect, j.why, j.effect, j.newly, j.noLonger
	x.By, x.Cause = c.trail.by(c.forward(x.Kind), r.Name, "", "")
	c.change(x)
}

// scope tells of a role that is in scope on one side only: SageMaker may, or jobs did,
// use it there.
func (c *comparison) scope(r *snapshot.Role, has *half) {
	if !TrustsSageMaker(*r) {
		return // jobs or events named it, which come and go with the windows
	}
	x := report.Change{Role: r.ARN, RoleID: r.ID, Subject: r.Name, SubjectKind: report.SubjectTrust, Kind: report.TrustChanged,
		Effect: report.UnknownEffect, EffectWhy: "on one side the role is in no scope, and what else its trust policy says there was not read"}
	x.Title = fmt.Sprintf("SageMaker may no longer assume role %s", r.Name)
	if has == c.current {
		x.Title = fmt.Sprintf("SageMaker may now assume role %s", r.Name)
		x.Newly = report.Newly{Principals: []string{"Service:" + sageMaker}, PrincipalsTotal: 1}
	} else {
		x.NoLonger = report.Newly{Principals: []string{"Service:" + sageMaker}, PrincipalsTotal: 1}
	}
	x.Before, x.After = c.sides(has, "trusts SageMaker", "does not trust SageMaker")
	x.By, x.Cause = c.trail.by(x.Kind, r.Name, "", "")
	c.change(x)
}

// sides puts what one side has and what the other one has in the order before, after.
func (c *comparison) sides(has *half, there, elsewhere string) (before, after string) {
	if has == c.current {
		return elsewhere, there
	}
	return there, elsewhere
}

// roleWords describes a role in few words.
func (c *comparison) roleWords(h *half, r *snapshot.Role) string {
	words := []string{"id " + r.ID}
	if !r.CreatedAt.IsZero() {
		words = append(words, "created "+day(r.CreatedAt))
	}
	words = append(words, countWords(len(r.Attached), "attached policy", "attached policies"), countWords(len(r.Inline), "inline policy", "inline policies"))
	if r.Boundary != "" {
		words = append(words, "boundary "+nameOf(r.Boundary))
	}
	return strings.Join(words, ", ")
}

func countWords(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// recreated tells of another role under the same name. What changed in its policies is
// part of that one change.
func (c *comparison) recreated(b, n *snapshot.Role) {
	c.moved[b.ARN] = true
	x := report.Change{Role: n.ARN, RoleID: n.ID, Subject: n.Name, SubjectKind: report.SubjectRole, Kind: report.RoleRecreated,
		Title: fmt.Sprintf("Role %s was created anew, under the same name", n.Name), Before: c.roleWords(c.base, b), After: c.roleWords(c.current, n)}
	before, knownB := c.fullGrant(c.base, b)
	after, knownN := c.fullGrant(c.current, n)
	j := c.judge.judge(before, after, inBoth(knownB, knownN))
	t := c.judgeTrust(b.Trust, n.Trust)
	x.Effect = both(j.effect, t.effect)
	x.RoleEffect = j.effect
	var why []string
	for _, w := range []string{j.why, t.why} {
		if w != "" {
			why = append(why, w)
		}
	}
	x.EffectWhy = strings.Join(why, "; trust: ")
	x.Newly, x.NoLonger = withPrincipals(j.newly, t.newly), withPrincipals(j.noLonger, t.noLonger)
	x.By, x.Cause = c.trail.by(x.Kind, n.Name, "", "")
	c.change(x)
}

// both joins the effects of two changes.
func both(a, b report.Effect) report.Effect {
	switch {
	case a == report.UnknownEffect || b == report.UnknownEffect:
		return report.UnknownEffect
	case a == b || b == report.NoEffect:
		return a
	case a == report.NoEffect:
		return b
	}
	return report.Both
}
