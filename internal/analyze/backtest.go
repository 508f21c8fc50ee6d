package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// fewestForBacktest is the number of jobs below which a back-test says nothing.
const fewestForBacktest = 4

// backtest draws the proposal as it would have been at several times, from the jobs
// and calls before each, and replays those after it: the only evidence about tomorrow.
// A call group that began before the time counts as known then. What today's policies
// do not grant, or a person must review, breaks nothing that the proposal could keep.
func (a *audit) backtest(j *judgement) []report.Backtest {
	out := []report.Backtest{}
	jobs := slices.DeleteFunc(slices.Clone(j.sub.jobs), func(job *snapshot.Job) bool { return job.CreatedAt.IsZero() })
	if len(jobs) < fewestForBacktest {
		return out
	}
	slices.SortFunc(jobs, func(x, y *snapshot.Job) int {
		return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ARN, y.ARN))
	})
	var last time.Time
	for _, quarter := range []int{1, 2, 3} {
		n := quarter * len(jobs) / 4
		if at := jobs[n].CreatedAt; at.After(last) {
			last = at
			if n = slices.IndexFunc(jobs, func(job *snapshot.Job) bool { return !job.CreatedAt.Before(at) }); n > 0 {
				out = append(out, a.backtestAt(j, at, jobs[:n], jobs[n:]))
			}
		}
	}
	return out
}

func (a *audit) backtestAt(j *judgement, at time.Time, before, after []*snapshot.Job) report.Backtest {
	out := report.Backtest{At: at.UTC(), Jobs: len(before), Replayed: len(after), Because: []string{}}
	then := *j.sub
	then.jobs, then.usage, then.mentions = before, nil, nil
	for _, u := range j.sub.usage {
		if u.First.Before(at) {
			then.usage = append(then.usage, u)
		}
	}
	past := a.known(&then, j.grant, j.accessed)
	past.actions = j.actions
	doc := &replayed{audit: a, judgement: j, statements: a.plan(past).statements, granted: map[[2]string]bool{}}
	asks := newAsks(a.place, a.beside, j.sub.jobs)
	said := map[string]bool{}
	say := func(action, resource, what string) {
		if words := fmt.Sprintf("%s on %s (%s)", action, resource, what); !said[action+resource] && len(out.Because) < report.MaxEvidence {
			said[action+resource] = true
			out.Because = append(out.Because, words)
		}
	}
	for _, job := range after {
		broken := false
		needs, _ := asks.of(job)
		for _, n := range needs {
			resource := n.resource
			if n.alias {
				resource = "*" // which key it is no job tells
			}
			if !n.optional && n.strength != strengthFailed && doc.refuses(n.action, resource) {
				broken = true
				say(n.action, n.resource, "job "+job.Name+", "+n.field)
			}
		}
		if broken {
			out.Broken++
		}
	}
	for _, u := range j.sub.usage {
		if u.Last.Before(at) {
			continue
		}
		out.Calls++
		broken := false
		for _, use := range actions.Of(callOf(a.snapshot, u)) {
			if use.Outcome != actions.Used || use.Role != "" && use.Role != j.sub.key.ARN || a.sensitive(use.Action) {
				continue
			}
			for _, r := range orUnknown(use.Resources) {
				if doc.refuses(use.Action, cmp.Or(r, "*")) {
					broken = true
					say(use.Action, cmp.Or(r, "*"), u.EventName+" of "+day(u.Last))
				}
			}
		}
		if broken {
			out.BrokenCalls++
		}
	}
	return out
}

// replayed answers for the statements of a proposal as it would have been.
type replayed struct {
	*audit
	judgement  *judgement
	statements []planned
	granted    map[[2]string]bool
}

// refuses reports whether today's policies grant the action on the resource and the
// proposal would not have.
func (r *replayed) refuses(action, resource string) bool {
	for _, st := range r.statements {
		if st.spec.Effect != policy.Allow || !slices.Contains(st.spec.Actions, action) {
			continue
		}
		if st.spec.NotResources != nil {
			if !slices.ContainsFunc(st.spec.NotResources, func(p string) bool { return policy.Overlaps(p, resource) }) {
				return false
			}
			continue
		}
		if resource == "*" || slices.ContainsFunc(st.spec.Resources, func(p string) bool { return policy.Includes(p, resource) }) {
			return false
		}
	}
	key := [2]string{action, resource}
	granted, known := r.granted[key]
	if !known {
		granted = r.accessTo(r.judgement, action, resource).Identity != policy.No
		r.granted[key] = granted
	}
	return granted
}
