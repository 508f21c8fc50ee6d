package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// judgement is everything that is known of one role: its grant, what it was
// seen to do, what its jobs need, and a verdict on each action.
type judgement struct {
	sub   *subject
	grant *grant // nil for a role that is gone or was not read
	seen  observations
	needs []*judgedNeed
	// actions holds the verdict of every action that is effectively granted,
	// by name: what the sum law is about.
	actions map[string]actionVerdict
	// identity counts the actions that identity policies grant, conditional the
	// effective ones that stand under an undecided condition.
	identity, conditional int
	unknownActions        []string
	trust                 report.Trust
}

type actionVerdict struct {
	verdict report.Verdict
	// reason says why an action is unobservable.
	reason string
}

// judgedNeed is a requirement held against the grant.
type judgedNeed struct {
	*required
	access  policy.Access
	verdict report.Verdict
}

// granted reports whether the role's identity policies grant the need, on a
// part of it at least.
func (n *judgedNeed) granted() bool { return n.access.Identity != policy.No }

// The reasons of unobservable actions that do not come from package actions.
const (
	reasonFailedJobs = "needed by failed jobs only"
	reasonAttempted  = "only attempted: its calls were turned away before authorisation"
	reasonRefused    = "only refused calls were seen"
	reasonNoGrant    = "the role's grant is not wholly known"
	reasonUnknown    = "not in the catalogue of IAM actions"
	reasonData       = "recorded as data events only, which Event history never shows"
)

// judge gives every granted action of the role its verdict: the first rule that
// applies, as docs/verdicts.md lists them.
func (a *audit) judge(sub *subject) *judgement {
	j := &judgement{sub: sub, seen: observe(a.snapshot, sub), actions: map[string]actionVerdict{},
		trust: report.Trust{Guard: "unknown", OtherPrincipals: []string{}}}
	if sub.role != nil {
		j.grant = a.library.grantOf(a.snapshot, sub.role)
		if j.grant.trust != nil {
			j.trust = readTrust(j.grant.trust)
		}
	}
	for _, r := range a.place.requirements(sub.jobs, report.MaxEvidence) {
		j.needs = append(j.needs, a.judgeNeed(j, r))
	}
	if j.grant == nil {
		return j
	}
	required, failed := map[string]bool{}, map[string]bool{}
	for _, n := range j.needs {
		switch {
		case !n.granted():
		case n.need.strength == strengthFailed:
			failed[n.action] = true
		default:
			required[n.action] = true
		}
	}
	catalog := a.library.catalog
	for i := range catalog.Len() {
		if j.grant.set.Identity(i) != policy.No {
			j.identity++
		}
		state := j.grant.set.Effective(i)
		if state == policy.No {
			continue
		}
		if state == policy.Conditional {
			j.conditional++
		}
		action := catalog.Action(i)
		j.actions[action] = a.judgeAction(j, i, required[action], failed[action])
	}
	a.judgeUnknownActions(j)
	return j
}

// judgeAction applies the rules to one granted action.
func (a *audit) judgeAction(j *judgement, i int, required, failed bool) actionVerdict {
	action := a.library.catalog.Action(i)
	switch {
	case j.seen.used[action] != nil:
		return actionVerdict{verdict: report.VerdictUsed}
	case blockedElsewhere(j.seen.denied[action]):
		return actionVerdict{verdict: report.VerdictBlocked}
	case required:
		return actionVerdict{verdict: report.VerdictRequired}
	}
	if reason := a.whyUnobservable(j, i, failed); reason != "" {
		return actionVerdict{report.VerdictUnobservable, reason}
	}
	return actionVerdict{verdict: report.VerdictUnused}
}

func (a *audit) whyUnobservable(j *judgement, i int, failed bool) string {
	action := a.library.catalog.Action(i)
	switch {
	case failed:
		return reasonFailedJobs
	case j.seen.attempted[action] != nil:
		return reasonAttempted
	case j.seen.denied[action] != nil:
		return reasonRefused
	case j.grant.unknown != "", j.grant.layers.Boundary == layerNotRead:
		return reasonNoGrant
	}
	switch v := visibilities()[i]; v.Class {
	case actions.Management:
		return a.observer.blind
	case actions.Data:
		return reasonData
	default:
		return v.Reason
	}
}

// visibilities are those of the catalogue's actions.
var visibilities = sync.OnceValue(func() []actions.Visibility {
	catalog := actions.Load()
	out := make([]actions.Visibility, catalog.Len())
	for i := range out {
		out[i] = actions.VisibilityOf(catalog.Action(i))
	}
	return out
})

// elsewhere are the layers of a refusal that are neither identity nor boundary:
// those two already narrow what is granted.
var elsewhere = []string{"scp", "rcp", "resource", "session", "endpoint"}

func blockedElsewhere(o *observation) bool {
	return o != nil && slices.ContainsFunc(elsewhere, func(l string) bool { _, ok := o.layers[l]; return ok })
}

// stillBlocked reports whether a layer that we do not see refuses the need: its
// resource was refused, and no job has completed since.
func stillBlocked(o *observation, r *required) bool {
	return blockedElsewhere(o) && touches(o, r.resource) && !r.completedAt.After(o.last)
}

// judgeUnknownActions gives verdicts to actions that no catalogue has: those
// that a policy names outright, and those that were used under a wildcard.
func (a *audit) judgeUnknownActions(j *judgement) {
	names := map[string]bool{}
	for _, p := range j.grant.stack.Identity {
		for _, st := range p.Document.Statements() {
			if st.Effect != policy.Allow || st.NotAction {
				continue
			}
			for _, action := range st.Actions {
				if _, known := a.library.catalog.Index(action); !known && !strings.ContainsAny(action, "*?") && strings.Contains(action, ":") {
					names[action] = true
				}
			}
		}
	}
	for _, o := range j.seen.used {
		if !o.known {
			names[o.action] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		j.unknownActions = append(j.unknownActions, name)
		access := j.grant.stack.Access(j.grant.principal, name, "*", j.grant.known)
		if access.Identity != policy.No {
			j.identity++
		}
		if access.Effective == policy.No {
			continue
		}
		if access.Effective == policy.Conditional {
			j.conditional++
		}
		v := actionVerdict{report.VerdictUnobservable, reasonUnknown}
		if j.seen.used[name] != nil {
			v = actionVerdict{verdict: report.VerdictUsed}
		}
		j.actions[name] = v
	}
}

// judgeNeed holds one requirement against the grant.
func (a *audit) judgeNeed(j *judgement, r *required) *judgedNeed {
	n := &judgedNeed{required: r}
	touched := touches(j.seen.used[r.action], r.resource)
	if j.grant == nil {
		// A role that is gone grants nothing now; what its jobs needed is history.
		n.verdict = report.VerdictUnobservable
		if touched {
			n.verdict = report.VerdictForeign
		}
		return n
	}
	n.access = j.grant.stack.Access(j.grant.principal, r.action, r.resource, j.grant.known)
	whole := n.granted() && (!n.access.Partial || r.completed)
	switch {
	case whole && n.access.Effective == policy.No, whole && !touched && stillBlocked(j.seen.denied[r.action], r):
		n.verdict = report.VerdictBlocked
	case whole && touched:
		n.verdict = report.VerdictUsed
	case whole && r.need.strength == strengthFailed:
		n.verdict = report.VerdictUnobservable
	case whole:
		n.verdict = report.VerdictRequired
	case j.grant.unknown != "":
		n.verdict = report.VerdictUnobservable
	case touched:
		n.verdict = report.VerdictForeign
	case r.completed:
		n.verdict = report.VerdictContradicted
	default:
		n.verdict = report.VerdictMissing
	}
	return n
}

// touches reports whether a use was seen on the pattern's resources. A use
// whose resource no record tells counts for every pattern of its action.
func touches(o *observation, pattern string) bool {
	if o == nil {
		return false
	}
	if len(o.resources) == 0 || pattern == "*" {
		return true
	}
	for r := range o.resources {
		if policy.Includes(pattern, r) || policy.Includes(r, pattern) {
			return true
		}
	}
	return false
}

// counts sums the verdicts of a role.
func (j *judgement) counts() report.Counts {
	c := report.Counts{Granted: len(j.actions)}
	for _, v := range j.actions {
		switch v.verdict {
		case report.VerdictUsed:
			c.Used++
		case report.VerdictRequired:
			c.Required++
		case report.VerdictBlocked:
			c.Blocked++
		case report.VerdictUnused:
			c.Unused++
		case report.VerdictUnobservable:
			c.Unobservable++
		}
	}
	return c
}

// services lists the services with a granted action, sorted.
func (j *judgement) services() []string {
	set := map[string]struct{}{}
	for action := range j.actions {
		set[serviceOf(action)] = struct{}{}
	}
	return sorted(set)
}

func serviceOf(action string) string {
	service, _, _ := strings.Cut(action, ":")
	return service
}

// unseen groups the granted actions of one verdict by service.
func (a *audit) unseen(j *judgement, verdict report.Verdict) report.Unseen {
	u := report.Unseen{Services: map[string]report.UnseenService{}}
	reasons := map[string]int{}
	for _, action := range slices.Sorted(maps.Keys(j.actions)) {
		v := j.actions[action]
		if v.verdict != verdict {
			continue
		}
		u.Count++
		if v.reason != "" {
			reasons[v.reason]++
		}
		s := u.Services[serviceOf(action)]
		s.Count++
		s.Actions = append(s.Actions, action)
		u.Services[serviceOf(action)] = s
	}
	for name, s := range u.Services {
		s.All = s.Count == a.perService[name]
		if s.All {
			s.Actions = nil
		}
		s.Actions, _ = capped(s.Actions, report.MaxActions)
		u.Services[name] = s
	}
	for reason, n := range reasons {
		u.Reasons = append(u.Reasons, report.Reason{Reason: reason, Count: n})
	}
	slices.SortFunc(u.Reasons, func(x, y report.Reason) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Reason, y.Reason))
	})
	if verdict == report.VerdictUnused && u.Count > 0 {
		u.Basis = a.observer.basis
	}
	return u
}
