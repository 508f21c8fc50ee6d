package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
		layer := string(n.access.Layer)
		if o := j.seen.denied[n.action]; layer == "" && o != nil {
			layer = o.layer()
		}
		return fmt.Sprintf("%s on %s is granted by the identity policies and refused by: %s", n.action, n.resource, cmp.Or(layer, "another layer"))
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
			out[i].evidence = append(out[i].evidence, o.evidence...)
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
		if o.layer() != "" {
			layer = ", refused by: " + o.layer()
		}
		out = append(out, hit{severity: report.Medium, subject: o.action, evidence: o.evidence,
			detail: fmt.Sprintf("%s%s was denied %s, last on %s%s.", o.action, where, times(o.count), day(o.last), layer)})
	}
	return out
}

// idleRole needs complete evidence: a role is idle only where jobs and usage
// were read whole.
func idleRole(a *audit, j *judgement) []hit {
	if j.sub.role == nil || len(j.sub.jobs) > 0 || len(j.sub.usage) > 0 || a.observer.blind != "" || !a.jobsRead() {
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
	if len(j.actions) > 1000 {
		severity = report.Medium
	}
	return []hit{{severity: severity, subject: "role",
		detail: fmt.Sprintf("No training job since %s and no event since %s; %s. It is granted %d actions.",
			day(a.snapshot.JobsWindow.From), day(a.snapshot.Window.From), last, len(j.actions))}}
}

// jobsRead reports whether the jobs of every enabled region were read whole.
func (a *audit) jobsRead() bool {
	s := a.snapshot
	for _, g := range s.Gaps {
		if g.Impact == snapshot.ImpactJobs {
			return false
		}
	}
	return !slices.ContainsFunc(s.Regions.Enabled, func(r string) bool { return !slices.Contains(s.Regions.Read, r) })
}

func sageMakerFullAccess(a *audit, j *judgement) []hit {
	if j.grant == nil {
		return nil
	}
	for _, p := range j.grant.stack.Identity {
		if strings.HasSuffix(p.ARN, ":aws:policy/AmazonSageMakerFullAccess") {
			return []hit{{severity: report.Medium, subject: p.ARN,
				detail: fmt.Sprintf("%s %s grants the role %d actions. Its S3 patterns such as arn:aws:s3:::*SageMaker* match a key with that text in any bucket.",
					p.Name, p.Version, len(j.actions)),
				statement: &report.StatementRef{Policy: p.ARN, Version: p.Version}}}
		}
	}
	return nil
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
			out = append(out, hit{severity: report.Medium, subject: action, evidence: o.evidence,
				detail: fmt.Sprintf("%s was called %s with this role's own credentials, last on %s, and %d jobs run as it.",
					action, times(o.count), day(o.last), len(j.sub.jobs))})
		}
	}
	return out
}

func ruleContradicted(a *audit, j *judgement) []hit {
	var out []hit
	for _, n := range j.needs {
		if n.verdict == report.VerdictContradicted && !n.need.optional {
			out = append(out, hit{severity: report.Info, subject: n.action + " " + n.resource,
				evidence: []report.Evidence{{Source: snapshot.SourceTrainingJobs, Region: n.jobs[0].Region, Job: n.jobs[0].Name, Field: n.fields[0]}},
				detail:   fmt.Sprintf("%s on %s is not granted to the role, and %s completed all the same.", n.action, n.resource, n.jobs[0].Name)})
		}
	}
	return out
}
