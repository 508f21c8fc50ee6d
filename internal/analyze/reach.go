package analyze

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// reachable holds what reach is counted over, and what was counted: roles with the same
// policies share it.
type reachable struct {
	inventories []*inventory
	// personal: the organization's policies tell principals apart.
	personal bool
	mu       sync.Mutex
	counts   map[reachKey]tally
}

type reachKey struct {
	class string
	kind  int
	write bool
}

// tally counts resources.
type tally struct{ certain, conditional, part, unread int }

func (t *tally) add(u tally) {
	t.certain += u.certain
	t.conditional += u.conditional
	t.part += u.part
	t.unread += u.unread
}

func (a *audit) newReachable() *reachable {
	r := &reachable{inventories: a.inventories(), counts: map[reachKey]tally{}}
	for _, level := range slices.Concat(a.library.scps, a.library.rcps) {
		for _, p := range level {
			r.personal = r.personal || isPersonal(string(p.Document.Print()))
		}
	}
	return r
}

// isPersonal reports whether a document may tell two roles apart that have the same
// policies: it asks who the principal is.
func isPersonal(document string) bool {
	text := strings.ToLower(document)
	return strings.Contains(text, "aws:principal") || strings.Contains(text, "aws:userid") || strings.Contains(text, "aws:username") || strings.Contains(text, "${")
}

// classOf names all that a role's policies say: two roles of one class are granted the
// same, wherever no other policy names one of them.
func (a *audit) classOf(g *grant) string {
	var b strings.Builder
	for _, p := range slices.Concat(g.stack.Identity, g.stack.Boundary) {
		b.WriteString(string(p.Layer))
		b.WriteByte(0)
		if p.ARN != "" {
			b.WriteString(p.ARN)
		} else {
			b.WriteString(string(p.Document.Print()))
		}
		if a.reachables().personal || a.library.isPersonal(&p) {
			b.WriteByte(0)
			b.WriteString(g.principal.ARN)
		}
		b.WriteByte(0)
	}
	b.WriteString(g.layers.Boundary + g.unknown)
	return b.String()
}

func (l *library) isPersonal(p *policy.Policy) bool {
	if m := l.managed[p.ARN]; p.ARN != "" && m != nil {
		return m.personal
	}
	return isPersonal(string(p.Document.Print()))
}

// reach counts what the role can read and write of the account's own.
func (a *audit) reach(j *judgement) report.Reach {
	r := report.Reach{Buckets: report.BucketReach{Granted: a.bucketsGranted(j)}}
	class := ""
	if j.grant != nil {
		class = a.classOf(j.grant)
	}
	for k, out := range []*report.ResourceReach{&r.Buckets.ResourceReach, &r.Repositories, &r.Keys} {
		v := a.reachables().inventories[k]
		*out = report.ResourceReach{Known: len(v.arns), AtLeast: len(v.why) > 0, Why: list(slices.Clone(v.why)), Needed: neededOf(j, v)}
		if j.grant == nil {
			continue
		}
		if j.grant.unknown != "" {
			out.AtLeast, out.Why = true, append(out.Why, j.grant.unknown)
		}
		out.Read = a.reached(j.grant, class, k, false)
		out.Write = a.reached(j.grant, class, k, true)
	}
	a.escalation(j, &r)
	return r
}

// neededOf are the resources of a kind that the role's jobs need, buckets by name.
func neededOf(j *judgement, v *inventory) []string {
	needed := map[string]struct{}{}
	for _, n := range j.needs {
		switch {
		case v.kind == snapshot.KindBucket:
			if n.need.s3 != nil {
				needed[cmp.Or(n.need.s3.bucket, n.need.s3.accessPoint)] = struct{}{}
			}
		case serviceOf(n.action) == serviceOfARN(v.whole) && !policy.IsPattern(n.resource):
			needed[n.resource] = struct{}{}
		}
	}
	return sorted(needed)
}

func serviceOfARN(arn string) string {
	if parts := strings.SplitN(arn, ":", 4); len(parts) == 4 {
		return parts[2]
	}
	return ""
}

// reached counts the resources of a kind that the grant reaches. Those that have a policy
// of their own are asked each by itself; the others once for all roles of the class.
func (a *audit) reached(g *grant, class string, k int, write bool) report.Reached {
	v := a.reachables().inventories[k]
	key := reachKey{class, k, write}
	alternatives := v.read
	if write {
		alternatives = v.write
	}
	a.reachables().mu.Lock()
	all, known := a.reachables().counts[key]
	a.reachables().mu.Unlock()
	if !known {
		all = a.countPlain(g, v, alternatives)
		a.reachables().mu.Lock()
		a.reachables().counts[key] = all
		a.reachables().mu.Unlock()
	}
	for _, arn := range v.holders {
		all.add(a.countOne(g, v, alternatives, arn))
	}
	return report.Reached{Certain: all.certain, Conditional: all.conditional, Partial: all.part, PolicyNotRead: all.unread}
}

// countPlain counts the resources that have no policy of their own, or none that was read.
func (a *audit) countPlain(g *grant, v *inventory, alternatives [][]string) tally {
	var all tally
	whole := policy.No
	var patterns []string
	for _, actions := range alternatives {
		state := policy.Yes
		for _, action := range actions {
			x := g.stack.Access(g.principal, action, v.whole, g.known)
			if x.Partial {
				state = min(state, policy.Conditional)
			}
			state = min(state, x.Effective)
		}
		whole = max(whole, state)
		patterns = append(patterns, allowed(g, actions[0])...)
	}
	if whole == policy.No {
		return all
	}
	candidates := v.among(patterns)
	if whole == policy.Yes {
		candidates = v.arns
	}
	unread := 0
	plain := make([]string, 0, len(candidates))
	for _, arn := range candidates {
		p, read := a.library.resources[arn]
		if p != nil {
			continue
		}
		plain = append(plain, arn)
		if !read && v.held {
			unread++
		}
	}
	if whole == policy.Yes && g.firm() {
		return tally{certain: len(plain), unread: unread}
	}
	var entries []string
	for _, actions := range alternatives {
		for _, action := range actions {
			entries = append(entries, spoken(g.stack, action)...)
		}
	}
	slices.Sort(entries)
	entries = slices.Compact(entries)
	if v.held {
		// Whether the policy of a resource was read is counted, so tell these apart.
		for _, arn := range plain {
			if _, read := a.library.resources[arn]; read {
				entries = append(entries, arn)
			}
		}
	}
	for arn, n := range v.alike(plain, entries) {
		one := a.countOne(g, v, alternatives, arn)
		all.add(tally{one.certain * n, one.conditional * n, one.part * n, one.unread * n})
	}
	return all
}

// spoken are the entries of Resource and NotResource of all statements about an action.
func spoken(s *policy.Stack, action string) []string {
	var out []string
	for _, level := range append(append([][]policy.Policy{s.Identity, s.Boundary}, s.SCPs...), s.RCPs...) {
		for i := range level {
			for _, st := range level[i].Document.Statements() {
				if speaksOf(st, action) {
					out = append(out, st.Resources...)
				}
			}
		}
	}
	return out
}

// allowed are the resources that the identity policies' Allows of an action name, * for
// all but some.
func allowed(g *grant, action string) []string {
	var out []string
	for i := range g.stack.Identity {
		for _, st := range g.stack.Identity[i].Document.Statements() {
			switch {
			case st.Effect != policy.Allow || !speaksOf(st, action):
			case st.NotResource:
				out = append(out, "*")
			default:
				out = append(out, st.Resources...)
			}
		}
	}
	return out
}

// firm reports whether all policies of the role are known: a Deny may stand in one that
// is not.
func (g *grant) firm() bool { return g.unknown == "" && g.layers.Boundary != layerNotRead }

// countOne asks about one resource, with its own policy where that was read.
func (a *audit) countOne(g *grant, v *inventory, alternatives [][]string, arn string) tally {
	stack := *g.stack
	holder, read := a.library.resources[arn]
	stack.Resource = holder
	best, part := policy.No, false
	for _, actions := range alternatives {
		state, some := policy.Yes, false
		for _, action := range actions {
			resource := arn + v.inside
			s, p, _ := someOf(&stack, g.principal, action, resource, inRegion(g.known, resource))
			state, some = min(state, s), some || p
			if state == policy.No {
				break
			}
		}
		if state > best {
			best, part = state, some
		}
	}
	var t tally
	if best == policy.Yes && !g.firm() {
		best = policy.Conditional
	}
	switch best {
	case policy.No:
		return t
	case policy.Yes:
		t.certain = 1
	default:
		t.conditional = 1
	}
	if part {
		t.part = 1
	}
	if !read && policyHolder(alternatives[0][0], arn) != "" {
		t.unread = 1
	}
	return t
}

// bucketsGranted says on which buckets the policies grant anything.
func (a *audit) bucketsGranted(j *judgement) string {
	if j.grant == nil {
		return "unknown"
	}
	granted := "none"
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"} {
		access := j.grant.stack.Access(j.grant.principal, action, "*", j.grant.known)
		switch {
		case access.Effective == policy.No:
		case access.Partial && granted == "none":
			granted = "named"
		case !access.Partial:
			granted = "all"
		}
	}
	return granted
}

// bucketsNeeded are the buckets that the role's jobs need.
func bucketsNeeded(j *judgement) []string { return neededOf(j, &inventory{reachKind: reachKinds[0]}) }
