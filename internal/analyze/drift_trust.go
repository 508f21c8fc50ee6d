package analyze

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// trust compares the trust policies of a role that both sides have.
func (c *comparison) trust(b, n *snapshot.Role) {
	if b.Trust == n.Trust {
		return
	}
	j := c.judgeTrust(b.Trust, n.Trust)
	if j.effect == report.NoEffect {
		return
	}
	x := report.Change{Role: n.ARN, RoleID: n.ID, Subject: "trust policy", SubjectKind: report.SubjectTrust, Kind: report.TrustChanged,
		Effect: j.effect, EffectWhy: j.why, Newly: j.newly, NoLonger: j.noLonger,
		Before: trustWords(b.Trust), After: trustWords(n.Trust)}
	x.Title = fmt.Sprintf("The trust policy of role %s was changed", n.Name)
	switch j.effect {
	case report.Widens:
		x.Kind, x.Title = report.TrustWidened, fmt.Sprintf("The trust policy of role %s was widened", n.Name)
	case report.Narrows:
		x.Kind, x.Title = report.TrustNarrowed, fmt.Sprintf("The trust policy of role %s was narrowed", n.Name)
	}
	x.By, x.Cause = c.trail.by(x.Kind, n.Name, "", "")
	c.change(x)
}

func trustWords(text string) string {
	d, err := policy.Parse([]byte(text))
	if err != nil {
		return "does not parse"
	}
	t := readTrust(d)
	who := t.OtherPrincipals
	if t.AllowsSageMaker {
		guard := "no guard"
		if t.Guard != "none" {
			guard = "guard " + t.Guard
		}
		who = append([]string{"SageMaker (" + guard + ")"}, who...)
	}
	if len(who) == 0 {
		return "trusts nobody"
	}
	return "trusts " + shortList(who, 4)
}

// judgeTrust says who may act as the role that could not, and the opposite: principal by
// principal, by the statements that speak of each.
func (c *comparison) judgeTrust(before, after string) judgedGrant {
	if before == after {
		return judgedGrant{effect: report.NoEffect}
	}
	b, n := c.judge.held(before, "trust", "", "", "").document, c.judge.held(after, "trust", "", "", "").document
	if b == nil || n == nil {
		return judgedGrant{effect: report.UnknownEffect, why: "a trust policy does not parse"}
	}
	widens, newly := c.judge.trustWithin(n, b)
	narrows, noLonger := c.judge.trustWithin(b, n)
	j := judgedGrant{effect: effectOf(widens.truth, narrows.truth), newly: newly, noLonger: noLonger}
	var why []string
	if widens.why != "" {
		why = append(why, "lets in "+widens.why)
	}
	if narrows.why != "" {
		why = append(why, "no longer lets in "+narrows.why)
	}
	j.why = strings.Join(why, "; ")
	return j
}

// trustWithin asks whether a trust policy lets nobody in that another one does not.
func (g *grantJudge) trustWithin(p, i *policy.Document) (inclusion, report.Newly) {
	out := inclusion{truth: policy.True}
	var who []string
	partial := denyWords(p) != denyWords(i)
	for _, st := range slices.Concat(p.Statements(), i.Statements()) {
		if st.NotPrincipal && wholeText(p) != wholeText(i) {
			return inclusion{policy.Unknown, "whoever NotPrincipal leaves out"}, report.Newly{Note: "a statement with NotPrincipal"}
		}
	}
	for _, name := range trusted(p) {
		ours, _ := trustOf(p, name)
		theirs, some := trustOf(i, name)
		answer := policy.Answer{Truth: policy.True}
		if len(ours) > 0 {
			a, err := documentOf(ours)
			var b []policy.Policy
			if err == nil && len(theirs) > 0 {
				b, err = documentOf(theirs)
			}
			if err != nil {
				answer = policy.Answer{Truth: policy.Unknown, Reason: err.Error()}
			} else {
				answer = g.expander.WidensNothing(a, b, policy.Context{})
			}
		}
		if answer.Truth == policy.True {
			if !(partial && some) {
				continue
			}
			answer = policy.Answer{Truth: policy.Unknown} // a Deny of a part of them is another
		}
		who = append(who, name)
		if out.truth == policy.True || answer.Truth == policy.False {
			out.truth = answer.Truth
		}
		if answer.Truth == policy.False && answer.Counterexample != nil && len(answer.Counterexample.Action) > 0 && len(theirs) > 0 {
			out.why += ", " + name + " (" + exampleContext(answer.Counterexample) + ")"
		} else {
			out.why += ", " + name
		}
	}
	out.why = strings.TrimPrefix(out.why, ", ")
	var n report.Newly
	n.Principals, n.PrincipalsTotal = capped(who, report.MaxReached)
	return out, n
}

// exampleContext is the action of a request, and what it is made under.
func exampleContext(r *policy.Request) string {
	s := r.Action
	for key, values := range r.Context.Keys() {
		if len(values) > 0 && key != "aws:securetransport" {
			s += ", " + key + " = " + strings.Join(values, ",")
		}
	}
	return s
}

func wholeText(d *policy.Document) string { return string(d.Print()) }

// denyWords are the Denies of a trust policy, in one order.
func denyWords(d *policy.Document) string {
	var lines []string
	for _, st := range d.Statements() {
		if st.Effect == policy.Deny {
			spec := st.Spec()
			lines = append(lines, fmt.Sprint(sortedCopy(principals(st)), sortedCopy(spec.Actions), sortedCopy(spec.NotActions), conditionsKey(spec.Conditions)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func sortedCopy(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// trusted are the principals that a trust policy allows something, sorted. The unique id
// of a principal that was deleted stands for nobody any more (AWS:
// reference_policies_elements_principal).
func trusted(d *policy.Document) []string {
	var out []string
	for _, st := range d.Statements() {
		if st.Effect != policy.Allow {
			continue
		}
		for _, p := range principals(st) {
			if id := strings.TrimPrefix(p, "AWS:"); id != p && !strings.Contains(id, ":") && (strings.HasPrefix(id, "AROA") || strings.HasPrefix(id, "AIDA")) {
				continue
			}
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// trustOf is what a trust policy says of a principal, as if it were granted to it; some:
// a Deny speaks of a part of what the principal stands for.
func trustOf(d *policy.Document, who string) (specs []policy.Spec, some bool) {
	for _, st := range d.Statements() {
		names := principals(st)
		covers := slices.ContainsFunc(names, func(q string) bool { return coversPrincipal(q, who) })
		if !covers {
			some = some || st.Effect == policy.Deny && slices.ContainsFunc(names, func(q string) bool { return coversPrincipal(who, q) })
			continue
		}
		spec := st.Spec()
		spec.Sid, spec.Resources, spec.NotResources = "", []string{"*"}, nil
		specs = append(specs, spec)
	}
	if !slices.ContainsFunc(specs, func(s policy.Spec) bool { return s.Effect == policy.Allow }) {
		return nil, some
	}
	return specs, some
}

// coversPrincipal reports whether an entry of a Principal element stands for another
// one too: everyone, or an account for those in it (AWS:
// reference_policies_elements_principal).
func coversPrincipal(entry, who string) bool {
	if entry == who {
		return true
	}
	id, isAWS := strings.CutPrefix(who, "AWS:")
	if entry == "*" {
		return isAWS
	}
	account, ok := strings.CutPrefix(entry, "AWS:")
	if !ok || !isAWS {
		return false
	}
	if p := strings.SplitN(account, ":", 6); len(p) == 6 {
		if p[5] != "root" {
			return false
		}
		account = p[4]
	}
	if len(account) != 12 {
		return false
	}
	return id == account || accountOf(id) == account
}
