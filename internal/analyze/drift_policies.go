package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// reached is a role that has one managed policy on both sides.
type reached struct {
	before, after *snapshot.Role
	boundary      bool
}

// policyMoved reports whether a managed policy has another default version, or another
// text, on the two sides.
func (c *comparison) policyMoved(arn string) bool {
	b, n := c.base.policies[arn], c.current.policies[arn]
	return b != nil && n != nil && (b.Version != n.Version || b.Document != n.Document)
}

func (c *comparison) reach(arn string, b, n *snapshot.Role, boundary bool) {
	c.reaches[arn] = append(c.reaches[arn], reached{b, n, boundary})
}

// movedOf are the moved policies that a role has on both sides.
func (c *comparison) movedOf(b, n *snapshot.Role) []string {
	var arns []string
	for _, a := range n.Attached {
		if c.policyMoved(a.ARN) && slices.ContainsFunc(b.Attached, func(x snapshot.AttachedPolicy) bool { return x.ARN == a.ARN }) {
			arns = append(arns, a.ARN)
		}
	}
	return arns
}

// mostContexts is in how many surroundings a moved policy is judged, one for each set of
// other policies that its roles have.
const mostContexts = 40

// movedPolicies tells of each managed policy that has a new default version, once for
// all roles that have it.
func (c *comparison) movedPolicies() {
	for _, arn := range slices.Sorted(maps.Keys(c.reaches)) {
		roles := c.reaches[arn]
		b, n := c.base.policies[arn], c.current.policies[arn]
		before, after := c.managed(c.base, arn), c.managed(c.current, arn)
		same := c.judge.sameMeaning(before, after)
		x := report.Change{Kind: report.PolicyEdited, Subject: arn, SubjectKind: report.SubjectPolicy, Before: versionWords(before), After: versionWords(after)}
		if awsManaged(arn) {
			x.Kind = report.AWSPolicyUpdated
			x.Title = fmt.Sprintf("AWS moved %s from %s to %s", n.Name, b.Version, n.Version)
			later := n
			if c.backwards {
				later = b
			}
			x.Cause = "AWS published " + later.Version
			if !later.UpdatedAt.IsZero() {
				x.Cause += " on " + day(later.UpdatedAt)
			}
			x.Cause += "; nobody in the account did anything"
		} else {
			if same {
				continue
			}
			x.Title = fmt.Sprintf("Policy %s was edited, from %s to %s", n.Name, b.Version, n.Version)
			x.By, x.Cause = c.trail.by(report.PolicyEdited, "", report.SubjectPolicy, arn)
		}
		seen := map[string]bool{}
		for _, r := range roles {
			if !seen[r.after.ARN] {
				seen[r.after.ARN] = true
				x.Roles = append(x.Roles, r.after.ARN)
			}
		}
		slices.Sort(x.Roles)
		x.Roles, x.RolesTotal = capped(x.Roles, report.MaxReached)
		if x.RolesTotal == 1 {
			x.Role, x.RoleID = roles[0].after.ARN, roles[0].after.ID
		}
		if same {
			x.Effect, x.EffectWhy = report.NoEffect, "means the same in both versions"
		} else {
			c.effectOfMove(&x, before, after, roles)
		}
		c.change(x)
	}
}

func awsManaged(arn string) bool { return strings.Contains(arn, ":iam::aws:policy/") }

func versionWords(p *heldPolicy) string {
	return fmt.Sprintf("%s, %s", p.version, p.sizeWords())
}

// effectOfMove judges the move by itself, and then within what else its roles have: of a
// role that has it all anyway it changes nothing.
func (c *comparison) effectOfMove(x *report.Change, before, after *heldPolicy, roles []reached) {
	alone := c.judge.judge(grantSide{docs: []*heldPolicy{before}}, grantSide{docs: []*heldPolicy{after}}, roleContext{})
	x.Effect, x.EffectWhy, x.Newly, x.NoLonger = alone.effect, alone.why, alone.newly, alone.noLonger
	if alone.effect == report.NoEffect {
		return
	}
	// Roles with the same policies beside are judged once.
	type surroundings struct {
		before, after grantSide
		known         roleContext
		roles         int
	}
	var all []*surroundings
	byKey := map[string]*surroundings{}
	for _, r := range roles {
		was, is, known := c.moveWithin(r, before, after)
		key := c.judge.key(was, is, known)
		if byKey[key] == nil {
			if len(all) == mostContexts {
				return // by itself, then
			}
			byKey[key] = &surroundings{was, is, known, 0}
			all = append(all, byKey[key])
		}
		byKey[key].roles++
	}
	var together report.Effect
	unmoved := 0
	for i, s := range all {
		j := c.judge.judge(s.before, s.after, s.known)
		if j.effect == report.NoEffect {
			unmoved += s.roles
		}
		if i == 0 {
			together, x.Newly, x.NoLonger = j.effect, j.newly, j.noLonger
			continue
		}
		together = both(together, j.effect)
		x.Newly, x.NoLonger = most(x.Newly, j.newly), most(x.NoLonger, j.noLonger)
	}
	switch {
	case together == report.NoEffect:
		x.EffectWhy = "changes nothing: what changed in it, other policies grant to every role that has it, or a boundary keeps from them"
	case together == report.UnknownEffect && alone.effect != report.UnknownEffect:
		together = alone.effect
	}
	x.Effect = together
	if unmoved > 0 && unmoved < len(roles) {
		x.EffectWhy += fmt.Sprintf("; it changes nothing for %d of the %d roles", unmoved, len(roles))
	}
}

// most is of the role that gains most.
func most(a, b report.Newly) report.Newly {
	if b.Actions+b.Broader > a.Actions+a.Broader {
		return b
	}
	return a
}

// moveWithin is the move for one role, with what the role has beside on both sides.
func (c *comparison) moveWithin(r reached, before, after *heldPolicy) (was, is grantSide, known roleContext) {
	known = inBoth(c.contextOf(c.base, r.before), c.contextOf(c.current, r.after))
	if r.boundary {
		was = c.eitherSide(r.before, r.after)
		is = was
		was.limit(before)
		is.limit(after)
		return was, is, known
	}
	was, _, _ = c.differences(r.before, r.after)
	is = was
	was.add(before)
	is.add(after)
	return was, is, known
}
