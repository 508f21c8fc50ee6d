package analyze

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func missingPermission(a *audit, j *judgement) []hit {
	return a.needHits(j, report.VerdictMissing, func(n *judgedNeed) string {
		return fmt.Sprintf("%s on %s is needed and not granted", n.action, n.resource)
	})
}

func blockedPermission(a *audit, j *judgement) []hit {
	return a.needHits(j, report.VerdictBlocked, func(n *judgedNeed) string {
		i := slices.IndexFunc(j.cells[n.action], func(c *cell) bool { return c.resource == n.resource })
		return fmt.Sprintf("%s on %s is %s", n.action, n.resource, j.cells[n.action][i].reason)
	})
}

// needHits makes a finding of each action whose need has the verdict.
func (a *audit) needHits(j *judgement, verdict report.Verdict, say func(*judgedNeed) string) []hit {
	var out []hit
	index := map[string]int{}
	for _, n := range j.needs {
		if n.verdict != verdict || n.need.optional {
			continue
		}
		i, seen := index[n.action]
		if !seen {
			i = len(out)
			index[n.action] = i
			out = append(out, hit{severity: report.Medium, subject: n.action})
		}
		h := &out[i]
		if n.need.ifMissing == "fails" {
			h.severity = report.High
		}
		if h.detail != "" {
			h.detail += "; "
		}
		h.detail += fmt.Sprintf("%s (%s)", say(n), n.why())
		for k, job := range n.jobs {
			if len(h.evidence) < report.MaxEvidence {
				h.evidence = append(h.evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: n.fields[k], Text: job.FailureReason})
			}
		}
	}
	for i := range out {
		out[i].detail += "."
		if o := j.seen.denied[out[i].subject]; o != nil {
			out[i].evidence = append(out[i].evidence, o.evidence()...)
			out[i].evidence, _ = capped(out[i].evidence, 2*report.MaxEvidence)
		}
	}
	return out
}

func deniedCalls(a *audit, j *judgement) []hit {
	var out []hit
	for _, o := range sortedObservations(j.seen.denied) {
		if slices.ContainsFunc(j.needs, func(n *judgedNeed) bool {
			return n.action == o.action && !n.need.optional && (n.verdict == report.VerdictMissing || n.verdict == report.VerdictBlocked)
		}) {
			continue // told by missing-permission or blocked-permission
		}
		where := ""
		if res := sorted(o.resources); len(res) > 0 {
			where = " on " + res[0]
			if len(res) > 1 {
				where += fmt.Sprintf(" and %d more", len(res)-1)
			}
		}
		layer := ""
		if l := o.layers(); len(l) > 0 {
			layer = ", " + refusedBy(l)
		}
		h := hit{severity: report.Medium, subject: o.action, evidence: o.evidence(),
			detail: fmt.Sprintf("%s%s was denied %s, last on %s%s.", o.action, where, times(o.count()), day(o.last()), layer)}
		if at := resolvedAll(j.cells[o.action]); !at.IsZero() {
			h.severity = report.Info
			h.detail += fmt.Sprintf(" It has been allowed since %s.", day(at))
		}
		out = append(out, h)
	}
	return out
}

// resolvedAll is when the last of the cells that were refused was allowed; zero if
// one still is not.
func resolvedAll(list []*cell) time.Time {
	var last time.Time
	for _, c := range list {
		if c.denied == nil {
			continue
		}
		at := c.resolvedAt()
		if at.IsZero() {
			return at
		}
		if at.After(last) {
			last = at
		}
	}
	return last
}

// idleRole needs complete evidence: a role is idle only where jobs and usage
// were read whole.
func idleRole(a *audit, j *judgement) []hit {
	if j.sub.role == nil || len(j.sub.jobs) > 0 || len(j.sub.usage) > 0 || a.observer.blind != "" || a.observer.jobs != "" {
		return nil
	}
	last := "IAM has no date of its last use (it looks back 400 days)"
	if at := j.sub.role.LastUsed.At; !at.IsZero() {
		if a.snapshot.Window.Contains(at) {
			return nil // IAM saw a use that we did not: not idle
		}
		last = "IAM saw it used last on " + day(at)
	}
	severity := report.Low
	if j.actions.count > 1000 {
		severity = report.Medium
	}
	return []hit{{severity: severity, subject: "role",
		detail: fmt.Sprintf("No training job since %s and no event since %s; %s. It is granted %d actions.",
			day(a.snapshot.JobsWindow.From), day(a.snapshot.Window.From), last, j.actions.count)}}
}

// foreignHits makes a finding of each action that the role used and no policy of it
// grants today, where the cell is as is.
func foreignHits(j *judgement, severity report.Severity, is func(*cell) bool) []hit {
	if j.grant == nil {
		return nil
	}
	var out []hit
	for _, action := range slices.Sorted(maps.Keys(j.cells)) {
		for _, c := range j.cells[action] {
			if c.verdict != report.VerdictForeign || !is(c) {
				continue
			}
			where := ""
			if c.resource != "" {
				where = " on " + c.resource
			}
			out = append(out, hit{severity: severity, subject: strings.TrimSpace(action + " " + c.resource), evidence: c.used.evidence(),
				detail: fmt.Sprintf("%s%s was used %s, last on %s; %s.", action, where, times(c.used.count()), day(c.used.last()), c.reason)})
		}
	}
	return out
}

func narrowedBelowUse(a *audit, j *judgement) []hit {
	return foreignHits(j, report.Medium, func(c *cell) bool { return c.cause == causeNarrowed })
}

func resourcePolicyGrant(a *audit, j *judgement) []hit {
	return foreignHits(j, report.Info, func(c *cell) bool { return c.cause == causeElsewhere })
}

func roleGone(a *audit, j *judgement) []hit {
	if !j.sub.gone || len(j.sub.jobs) == 0 {
		return nil
	}
	jobs := jobsOf(j.sub.jobs)
	h := hit{severity: report.Low, subject: "role"}
	for _, job := range j.sub.jobs {
		if len(h.evidence) < report.MaxEvidence {
			h.evidence = append(h.evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: "RoleArn"})
		}
	}
	if j.sub.former {
		h.severity = report.Info
		h.detail = fmt.Sprintf("%d jobs ran as a former role of this name, which was deleted and created anew: they say nothing about today's role.", jobs.Total)
		return []hit{h}
	}
	h.detail = fmt.Sprintf("%d jobs name it, the last on %s, and IAM does not have it.", jobs.Total, day(*jobs.LastAt))
	if a.snapshot.Window.Contains(*jobs.LastAt) {
		h.severity = report.Medium
	}
	return []hit{h}
}

func userAndExecutionRole(a *audit, j *judgement) []hit {
	var out []hit
	for _, action := range []string{"sagemaker:CreateTrainingJob", "sagemaker:CreateHyperParameterTuningJob"} {
		if o := j.seen.used[action]; o != nil && len(j.sub.jobs) > 0 {
			out = append(out, hit{severity: report.Medium, subject: action, evidence: o.evidence(),
				detail: fmt.Sprintf("%s was called %s with this role's own credentials, last on %s, and %d jobs run as it.",
					action, times(o.count()), day(o.last()), len(j.sub.jobs))})
		}
	}
	return out
}

func ruleContradicted(a *audit, j *judgement) []hit {
	var out []hit
	for _, n := range j.needs {
		if n.verdict == report.VerdictContradicted && !n.need.optional && !n.access.elsewhere() {
			out = append(out, hit{severity: report.Info, subject: n.action + " " + n.resource,
				evidence: []report.Evidence{{Source: snapshot.SourceTrainingJobs, Region: n.jobs[0].Region, Job: n.jobs[0].Name, Field: n.fields[0]}},
				detail:   fmt.Sprintf("%s on %s is not granted to the role, and %s completed all the same.", n.action, n.resource, n.jobs[0].Name)})
		}
	}
	return out
}
