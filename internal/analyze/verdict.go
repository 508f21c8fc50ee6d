package analyze

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// judgement is everything that is known of one role: its grant, what it was
// seen to do, what its jobs need, and a verdict on each cell and each action.
type judgement struct {
	sub      *subject
	grant    *grant // nil for a role that is gone or was not read
	seen     observations
	accessed *accessed
	needs    []*judgedNeed
	// unresolved is what the jobs need beside and do not tell.
	unresolved []*openNeed
	cells      cells
	// actions holds the verdict of every action that is effectively granted,
	// by name: what the sum law is about.
	actions *actionVerdicts
	// identity counts the actions that identity policies grant, conditional the
	// effective ones that stand under an undecided condition.
	identity, conditional int
	// unrecorded are the services of which the role is granted calls that Event history
	// never shows.
	unrecorded     map[string]bool
	unknownActions []string
	trust          report.Trust
	// told are the services that findings speak of whole, by statement.
	told map[report.StatementRef][]string
	// reached is the role's reach, nil until somebody asks for it.
	reached *report.Reach
}

type actionVerdict struct {
	verdict report.Verdict
	// reason says why an action is unobservable.
	reason string
}

// judgedNeed is a requirement held against the grant.
type judgedNeed struct {
	*required
	access  access
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
	reasonUnnamed    = "used, and the record does not name the resource"
	reasonNoGrant    = "the role's grant is not wholly known"
	reasonUnknown    = "not in the catalogue of IAM actions"
)

// known gathers what is known of a role under a grant: what it was seen to do, what its
// jobs need, and the verdict of every cell.
func (a *audit) known(sub *subject, g *grant, told *accessed) *judgement {
	j := &judgement{sub: sub, grant: g, accessed: told, seen: observe(a.snapshot, sub), actions: newActionVerdicts(a.library.catalog),
		trust: report.Trust{Guard: "unknown", OtherPrincipals: []string{}}}
	if g != nil {
		j.unrecorded = a.unrecordedServices(g)
		if g.trust != nil {
			j.trust = readTrust(g.trust)
		}
	}
	needs, open := a.requirements(sub.jobs)
	j.unresolved = open
	for _, r := range needs {
		j.needs = append(j.needs, &judgedNeed{required: r, access: a.accessTo(j, r.action, r.resource)})
	}
	j.cells = a.cellsOf(j)
	for _, n := range j.needs {
		i := slices.IndexFunc(j.cells[n.action], func(c *cell) bool { return c.need != nil && c.resource == n.resource })
		n.verdict = j.cells[n.action][i].verdict
	}
	return j
}

// judge gives every cell and every granted action of the role its verdict: the
// first rule that applies, as docs/verdicts.md lists them.
func (a *audit) judge(sub *subject) *judgement {
	var (
		g    *grant
		told *accessed
	)
	if sub.role != nil {
		g, told = a.library.grantOf(a.snapshot, sub.role), a.accessedBy(sub)
	}
	j := a.known(sub, g, told)
	if j.grant == nil {
		return j
	}
	a.judgeActions(j)
	a.judgeUnknownActions(j)
	return j
}

// unrecordedServices are those of which the grant holds an action whose calls are
// no management events.
func (a *audit) unrecordedServices(g *grant) map[string]bool {
	out := map[string]bool{}
	for _, i := range unrecordedActions() {
		if g.set.Effective(i) != policy.No {
			out[a.library.catalog.Service(i)] = true
		}
	}
	return out
}

// strongest orders verdicts of granted cells. An action is unused only if all its
// cells are.
var strongest = []report.Verdict{report.VerdictUsed, report.VerdictBlocked, report.VerdictRequired, report.VerdictUnobservable, report.VerdictUnused}

// judgeAction gives a granted action the verdict of its strongest cell.
func (a *audit) judgeAction(j *judgement, i int) actionVerdict {
	best := len(strongest)
	var v actionVerdict
	for _, c := range j.cells[a.library.catalog.Action(i)] {
		verdict := c.verdict
		switch {
		case c.access.byResource():
			verdict = report.VerdictBlocked // no layer that narrows the grant of the action
		case !c.granted() || !c.effective():
			continue
		}
		if rank := slices.Index(strongest, verdict); rank >= 0 && rank < best {
			best, v = rank, actionVerdict{verdict: verdict}
			if verdict == report.VerdictUnobservable {
				v.reason = c.reason
			}
		}
	}
	if best < len(strongest) {
		return v
	}
	if why := a.whyUnobservable(j, i, nil, false); why != "" {
		return actionVerdict{report.VerdictUnobservable, why}
	}
	return actionVerdict{verdict: report.VerdictUnused}
}

// whyUnobservable says why it is not known whether an action was called, where no
// call of it was authorised on the resources (nil: any); empty if it certainly was not.
// elsewhere: what was turned away was on others.
func (a *audit) whyUnobservable(j *judgement, i int, resources []string, elsewhere bool) string {
	action := a.library.catalog.Action(i)
	switch {
	case j.seen.attempted[action] != nil && !elsewhere:
		return reasonAttempted
	case j.seen.denied[action] != nil && !elsewhere:
		return reasonRefused
	case j.grant.unknown != "", j.grant.layers.Boundary == layerNotRead:
		return reasonNoGrant
	}
	if why := a.whyUnseen(i, resources); why != "" {
		return why
	}
	return a.veto(j, action)
}

// whyUnseen is what holds of an action in any role.
func (a *audit) whyUnseen(i int, resources []string) string {
	action := a.library.catalog.Action(i)
	if why := a.observer.whyNotSeen(i, action, resources); why != "" {
		return why
	}
	if a.observer.jobs != "" && requirable()[action] {
		return a.observer.jobs
	}
	return ""
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
		if !o.listed {
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
		j.actions.setNamed(name, v)
	}
}

func serviceOf(action string) string {
	service, _, _ := strings.Cut(action, ":")
	return service
}
