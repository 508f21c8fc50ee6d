package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/declared"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// deviating is a policy that is not live as it is declared: only the one, only the
// other, or with another meaning.
type deviating struct {
	kind, subject, name string
	before, after       *heldPolicy
	where               string
	sensitive           bool
}

// livePolicy is a policy of a live role.
type livePolicy struct {
	inline bool
	name   string
	arn    string
	held   *heldPolicy
	taken  bool // by a declared one
}

func (p *livePolicy) subject() string {
	if p.inline {
		return "inline policy " + p.name
	}
	return p.arn
}

// grants compares the identity policies of a role with the declared ones. limit is the
// boundary that both have.
func (v *deviator) grants(r *snapshot.Role, d *declared.Role, limit *heldPolicy) {
	var live []livePolicy
	for _, p := range r.Inline {
		live = append(live, livePolicy{inline: true, name: p.Name, held: v.judge.held(p.Document, "inline", p.Name, "", "")})
	}
	for _, a := range r.Attached {
		live = append(live, livePolicy{name: a.Name, arn: a.ARN, held: v.managed(a.ARN)})
	}
	noInline, noAttached := unreadOf(r, "inline"), unreadOf(r, "attached")
	for what, unread := range map[string]bool{"the inline policies": noInline, "the managed policies": noAttached} {
		if unread {
			v.open(r, report.SideCurrent, what, "they could not be read")
		}
	}
	var (
		common []*heldPolicy
		steps  []deviating
	)
	unsure := slices.Clone(d.Open) // why more may be declared
	for i := range d.Policies {
		p := &d.Policies[i]
		q := match(live, p)
		switch {
		case q == nil && (p.Kind != declared.Managed && noInline || p.Kind != declared.Inline && noAttached):
			continue // told above
		case p.ReadBack:
			v.open(r, report.SideDeclared, "whether "+policyName(p)+" is declared",
				fmt.Sprintf("only %s names it, by an attribute that Terraform also fills with what is live; a plan tells, or a resource of its own", p.Where))
			if q != nil {
				q.taken = true
				common = append(common, q.held)
			}
			unsure = append(unsure, "whether "+policyName(p)+" is declared cannot be told")
			continue
		case q != nil && q.taken:
			continue // two names for one
		}
		if q != nil {
			q.taken = true
		}
		step := deviating{subject: policyName(p), name: policyName(p), where: p.Where, sensitive: p.Document.Sensitive}
		switch {
		case p.Document.State == declared.Unknown:
			v.open(r, report.SideDeclared, "the content of "+policyName(p), p.Document.Why)
			unsure = append(unsure, "the declared content of "+policyName(p)+" is not known")
			if q != nil {
				continue
			}
			step.kind, step.before = report.DeviationPolicyMissing, &heldPolicy{kind: "declared", name: policyName(p)}
		case q == nil:
			step.kind, step.before = report.DeviationPolicyMissing, v.document(p)
		case p.Document.State == declared.Absent:
			common = append(common, q.held) // declared by its ARN, whatever it holds
			continue
		default:
			before := v.document(p)
			if q.held.document != nil && v.judge.sameMeaning(before, q.held) {
				common = append(common, q.held)
				continue
			}
			step.kind, step.subject, step.before, step.after = report.DeviationPolicyEdited, q.subject(), before, q.held
		}
		steps = append(steps, step)
	}
	for i := range live {
		if q := &live[i]; !q.taken {
			steps = append(steps, deviating{kind: report.DeviationPolicyUndeclared, subject: q.subject(), name: q.subject(), after: q.held})
		}
	}
	if len(v.declared.Partial) > 0 {
		unsure = append(unsure, v.declared.Partial...)
	}
	v.tell(r, steps, common, limit, unsure)
}

// tell judges each step by what is the same on both sides, and all of them together: what
// only moved from one policy to another grants the same.
func (v *deviator) tell(r *snapshot.Role, steps []deviating, common []*heldPolicy, limit *heldPolicy, unsure []string) {
	if len(steps) == 0 {
		return
	}
	side := func(p func(*deviating) *heldPolicy, of ...deviating) grantSide {
		g := grantSide{boundary: limit}
		for _, c := range common {
			g.add(c)
		}
		for i := range of {
			g.add(p(&of[i]))
		}
		return g
	}
	before := func(s *deviating) *heldPolicy { return s.before }
	after := func(s *deviating) *heldPolicy { return s.after }
	together := v.judge.judge(side(before, steps...), side(after, steps...), v.context(r))
	for _, s := range steps {
		was, is := side(before, s), side(after, s)
		if s.kind == report.DeviationPolicyUndeclared && len(unsure) > 0 {
			was.unsure(strings.Join(unsure, "; "))
		}
		j := v.judge.judge(was, is, v.context(r))
		if len(steps) > 1 && len(unsure) == 0 && together.effect == report.NoEffect && j.effect != report.NoEffect {
			j = judgedGrant{effect: report.NoEffect, why: "together with the role's other deviations it grants what is declared"}
		}
		x := report.Deviation{Role: r.ARN, RoleID: r.ID, Kind: s.kind, Subject: s.subject, Declared: cmp.Or(s.before.words(), "none"), Live: cmp.Or(s.after.words(), "none")}
		switch s.kind {
		case report.DeviationPolicyMissing:
			x.Title = fmt.Sprintf("%s of role %s is declared and not live", upperFirst(s.name), r.Name)
		case report.DeviationPolicyUndeclared:
			x.Title = fmt.Sprintf("%s of role %s is live and not declared", upperFirst(s.name), r.Name)
		default:
			x.Title = fmt.Sprintf("%s of role %s means something else than declared", upperFirst(s.name), r.Name)
		}
		if s.sensitive {
			x.Declared, j = hidden, hide(j)
		}
		v.add(x, j, s.where)
	}
}

// match finds the live policy of a declared one.
func match(live []livePolicy, p *declared.Policy) *livePolicy {
	find := func(ok func(*livePolicy) bool) *livePolicy {
		for i := range live {
			if ok(&live[i]) {
				return &live[i]
			}
		}
		return nil
	}
	switch p.Kind {
	case declared.Managed:
		return find(func(q *livePolicy) bool { return !q.inline && q.arn == p.ARN })
	case declared.Either:
		if q := find(func(q *livePolicy) bool { return !q.inline && q.name == p.Name }); q != nil {
			return q
		}
	}
	return find(func(q *livePolicy) bool { return q.inline && q.name == p.Name })
}

// policyName is a declared policy in words.
func policyName(p *declared.Policy) string {
	switch p.Kind {
	case declared.Managed:
		return p.ARN
	case declared.Either:
		return "approved policy " + p.Name
	}
	return "inline policy " + p.Name
}

// document is a declared policy; a managed one whose content is not declared is as it is
// live in the account.
func (v *deviator) document(p *declared.Policy) *heldPolicy {
	if p.Kind == declared.Managed && p.Document.State == declared.Absent {
		return v.managed(p.ARN)
	}
	return v.judge.held(p.Document.Value, "declared", cmp.Or(p.Name, nameOf(p.ARN)), p.ARN, "as declared")
}

// declaredIdentity is all that the declared policies give a role, as far as it is known.
func (v *deviator) declaredIdentity(d *declared.Role) grantSide {
	g := grantSide{}
	for i := range d.Policies {
		if p := &d.Policies[i]; p.Document.State != declared.Unknown {
			g.add(v.document(p))
		}
	}
	return g
}
