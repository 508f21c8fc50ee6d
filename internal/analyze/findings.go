package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// rule is one thing that can be wrong with a role.
type rule struct {
	id, title, remedy string
	// controls are AWS Security Hub controls that speak of the same.
	// Source: AWS Security Hub, iam-controls.
	controls []string
	check    func(*audit, *judgement) []hit
}

// hit is one place where a rule is broken.
type hit struct {
	severity  report.Severity
	subject   string
	detail    string
	evidence  []report.Evidence
	statement *report.StatementRef
}

var rules = []rule{
	{id: "full-admin", title: "Full administrator access", controls: []string{"IAM.1"},
		remedy: "Replace it with the proposed policy; a training job never needs every action.", check: fullAdmin},
	{id: "allow-not-action", title: "Allows everything but a list (NotAction)",
		remedy: "List the actions that the role needs instead: every new AWS action is granted the day it appears.", check: allowNotAction},
	{id: "service-wildcard", title: "Allows every action of a service", controls: []string{"IAM.21"},
		remedy: "Name the actions: see the proposed policy.", check: serviceWildcard},
	{id: "s3-every-bucket", title: "S3 access to every bucket",
		remedy: "Limit the resources to the buckets and prefixes that the jobs use: see the proposed policy.", check: s3EveryBucket},
	{id: "iam-write", title: "May change IAM permissions",
		remedy: "Remove the IAM actions: whoever runs code in the job can make themselves administrator.", check: iamWrite},
	{id: "passrole-any", title: "May pass any role (iam:PassRole on *)",
		remedy: "Limit iam:PassRole to the role's ARN and to iam:PassedToService sagemaker.amazonaws.com; an execution role rarely needs it at all.", check: passRoleAny},
	{id: "trust-without-sagemaker", title: "SageMaker cannot assume the role",
		remedy: "Let sagemaker.amazonaws.com assume the role in its trust policy (sts:AssumeRole): PassRole succeeds without it and the job then fails.", check: trustWithoutSageMaker},
	{id: "trust-open", title: "Others than SageMaker may assume the role",
		remedy: "Remove the principals that do not need the role, or give them a role of their own.", check: trustOpen},
	{id: "trust-unguarded", title: "No confused-deputy guard on SageMaker",
		remedy: "Add a condition on aws:SourceAccount (this account) to the trust policy, and try it on one role first.", check: trustUnguarded},
	{id: "missing-permission", title: "A permission that the jobs need is missing",
		remedy: "Grant the action on the named resources.", check: missingPermission},
	{id: "blocked-permission", title: "A permission that the jobs need is blocked",
		remedy: "Widen the layer that refuses, or stop needing it: the identity policy grants it already.", check: blockedPermission},
	{id: "denied-calls", title: "Calls were denied",
		remedy: "Find out who made them: a job that half works, or somebody trying doors.", check: deniedCalls},
	{id: "idle-role", title: "Nobody uses the role",
		remedy: "Delete it, or take its policies away.", check: idleRole},
	{id: "sagemaker-full-access", title: "AmazonSageMakerFullAccess on an execution role",
		remedy: "Replace it with the proposed policy: AWS made it for people who use every feature of SageMaker, and changes it without asking.", check: sageMakerFullAccess},
	{id: "role-gone", title: "Jobs ran as a role that is gone",
		remedy: "Point whatever starts these jobs to a role that exists.", check: roleGone},
	{id: "user-and-execution-role", title: "The role both starts jobs and runs them",
		remedy: "Give people and pipelines a user role that may create jobs and pass this one; the execution role needs neither.", check: userAndExecutionRole},
	{id: "rule-contradicted", title: "A completed job did without a documented permission",
		remedy: "Nothing to do for the role: another policy grants it, or our table of needs is wrong for this job. Please report it.", check: ruleContradicted},
}

// findings runs every rule over a role.
func (a *audit) findings(j *judgement) []report.Finding {
	var out []report.Finding
	for _, r := range rules {
		for _, h := range r.check(a, j) {
			f := report.Finding{Rule: r.id, Severity: h.severity, Role: j.sub.key.ARN, Subject: h.subject, Title: r.title, Detail: h.detail,
				Remedy: r.remedy, Evidence: list(h.evidence), Statement: h.statement, Controls: list(r.controls)}
			f.ID = findingID(r.id, j.sub.key, h.subject)
			out = append(out, f)
		}
	}
	return out
}

// findingID names a finding by what it is about, never by where it stands, so
// that two runs can be compared.
func findingID(rule string, key snapshot.RoleKey, subject string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{rule, key.ARN, key.ID, subject}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// allows visits the role's identity Allow statements.
func (j *judgement) allows(visit func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef)) {
	if j.grant == nil {
		return
	}
	for i := range j.grant.stack.Identity {
		p := &j.grant.stack.Identity[i]
		for _, st := range p.Document.Statements() {
			if st.Effect == policy.Allow {
				visit(p, st, &report.StatementRef{Policy: cmp.Or(p.ARN, p.Name), Version: p.Version, Sid: st.Sid, Index: st.Index})
			}
		}
	}
}

func isAny(pattern string) bool { return pattern != "" && strings.Trim(pattern, "*") == "" }

// everyAction and everyResource are the two halves of administrator access.
func everyAction(st *policy.Statement) bool {
	return !st.NotAction && slices.ContainsFunc(st.Actions, func(s string) bool { return isAny(s) || s == "*:*" })
}

func everyResource(st *policy.Statement) bool {
	return !st.NotResource && slices.ContainsFunc(st.Resources, isAny)
}

// firm lowers a severity by one step for a statement under conditions.
func firm(st *policy.Statement, s report.Severity) report.Severity {
	if st.Unconditional() {
		return s
	}
	return report.SeverityList[min(s.Rank()+1, len(report.SeverityList)-1)]
}

// under names the condition keys of a statement.
func under(st *policy.Statement) string {
	if st.Unconditional() {
		return ""
	}
	keys := map[string]struct{}{}
	for _, c := range st.Conditions {
		keys[c.Key] = struct{}{}
	}
	return " (under a condition on " + strings.Join(sorted(keys), ", ") + ")"
}

func subjectOf(ref *report.StatementRef) string {
	return fmt.Sprintf("%s#%s", ref.Policy, cmp.Or(ref.Sid, fmt.Sprint(ref.Index)))
}

func fullAdmin(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if everyAction(st) && everyResource(st) {
			out = append(out, hit{severity: firm(st, report.Critical), subject: subjectOf(ref), statement: ref,
				detail: fmt.Sprintf("%s allows every action on every resource: code in any of the role's %d jobs can do anything in the account.", p.Name, len(j.sub.jobs))})
		}
	})
	return out
}

func allowNotAction(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if st.NotAction {
			out = append(out, hit{severity: firm(st, report.High), subject: subjectOf(ref), statement: ref,
				detail: fmt.Sprintf("%s allows every action but %s.", p.Name, strings.Join(st.Actions, ", "))})
		}
	})
	return out
}

var wholeService = regexp.MustCompile(`^[A-Za-z0-9-]+:\*+$`)

func serviceWildcard(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if st.NotAction {
			return
		}
		var services []string
		for _, action := range st.Actions {
			// iam:* and s3:* on every bucket have findings of their own.
			if wholeService.MatchString(action) && !strings.EqualFold(serviceOf(action), "iam") &&
				!(strings.EqualFold(serviceOf(action), "s3") && slices.ContainsFunc(st.Resources, everyBucket.MatchString)) {
				services = append(services, action)
			}
		}
		if len(services) == 0 {
			return
		}
		slices.Sort(services)
		severity := report.Medium
		where := "on every resource"
		if !everyResource(st) {
			severity = report.Low
			where = "on " + strings.Join(st.Resources, ", ")
			if st.NotResource {
				where = "on all resources but " + strings.Join(st.Resources, ", ")
			}
		}
		out = append(out, hit{severity: firm(st, severity), subject: subjectOf(ref), statement: ref,
			detail: fmt.Sprintf("%s allows %s %s.", p.Name, strings.Join(services, ", "), where)})
	})
	return out
}

// everyBucket matches resources that name no bucket.
var everyBucket = regexp.MustCompile(`^(\*+|arn:[^:]*:s3:::\*+(/.*)?|arn:[^:]*:s3:\*+)$`)

func s3EveryBucket(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if everyAction(st) || st.NotAction || st.NotResource || !slices.ContainsFunc(st.Resources, everyBucket.MatchString) {
			return
		}
		var what []string
		severity := report.Medium
		for _, probe := range []struct{ action, words string }{
			{"s3:GetObject", "read"}, {"s3:PutObject", "write"}, {"s3:DeleteObject", "delete"}, {"s3:ListBucket", "list"},
		} {
			if speaksOf(st, probe.action) {
				what = append(what, probe.words)
				if probe.action != "s3:ListBucket" {
					severity = report.High
				}
			}
		}
		if len(what) == 0 {
			return
		}
		out = append(out, hit{severity: firm(st, severity), subject: subjectOf(ref), statement: ref,
			detail: fmt.Sprintf("%s may %s objects in every bucket of the account, and in those of others that let it%s; the jobs need %s.",
				p.Name, strings.Join(what, ", "), under(st), a.bucketsNeeded(j))})
	})
	return out
}

func (a *audit) bucketsNeeded(j *judgement) string {
	needed := a.reach(j).Buckets.Needed
	switch len(needed) {
	case 0:
		return "none that is known"
	case 1, 2, 3:
		return strings.Join(needed, ", ")
	}
	return fmt.Sprintf("%d buckets", len(needed))
}

// iamWrites are the actions by which a role can give itself more.
// Source: AWS IAM, the write and permissions-management actions of the service
// authorization reference that attach or edit policies, trust and credentials.
var iamWrites = []string{
	"iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy",
	"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary",
	"iam:PutRolePermissionsBoundary", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile", "iam:AddUserToGroup",
}

func iamWrite(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if everyAction(st) || st.NotAction {
			return
		}
		var can []string
		for _, action := range iamWrites {
			if speaksOf(st, action) {
				can = append(can, action)
			}
		}
		if len(can) == 0 {
			return
		}
		severity := report.Critical
		if !everyResource(st) {
			severity = report.High
		}
		shown, total := capped(can, 3)
		words := strings.Join(shown, ", ")
		if total > len(shown) {
			words += fmt.Sprintf(" and %d more", total-len(shown))
		}
		out = append(out, hit{severity: firm(st, severity), subject: subjectOf(ref), statement: ref,
			detail: fmt.Sprintf("%s allows %s.", p.Name, words)})
	})
	return out
}

func passRoleAny(a *audit, j *judgement) []hit {
	var out []hit
	j.allows(func(p *policy.Policy, st *policy.Statement, ref *report.StatementRef) {
		if everyAction(st) || !speaksOf(st, "iam:PassRole") || st.NotResource ||
			!slices.ContainsFunc(st.Resources, func(r string) bool { return isAny(r) || strings.HasSuffix(r, ":role/*") }) {
			return
		}
		out = append(out, hit{severity: firm(st, report.High), subject: subjectOf(ref), statement: ref,
			detail: fmt.Sprintf("%s lets the role hand any role of the account to a service that it may call%s: the job can run code as that role.", p.Name, under(st))})
	})
	return out
}

// assumeFailure are the texts of jobs that SageMaker could not start under the
// role. Source: AWS SageMaker failure reasons as users report them; see
// docs/data.md.
var assumeFailure = regexp.MustCompile(`(?i)unable to assume the role|unable to perform: sts:AssumeRole|could not assume role`)

func trustWithoutSageMaker(a *audit, j *judgement) []hit {
	if j.sub.gone {
		return nil
	}
	var evidence []report.Evidence
	failed := 0
	for _, job := range j.sub.jobs {
		if assumeFailure.MatchString(job.FailureReason) {
			failed++
			if len(evidence) < report.MaxEvidence {
				evidence = append(evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: "FailureReason", Text: job.FailureReason})
			}
		}
	}
	refused := 0
	for _, u := range j.sub.mentions {
		if u.Denial.Layer == "trust" {
			refused += u.Count
			if len(evidence) < report.MaxEvidence {
				evidence = append(evidence, report.Evidence{Source: u.Source, Region: u.Region, EventID: u.LastEventID, EventName: u.EventName})
			}
		}
	}
	trusts := j.trust.AllowsSageMaker
	known := j.grant != nil && j.grant.trust != nil
	used := len(j.sub.jobs) > 0 || refused > 0
	switch {
	case known && !trusts && used:
		return []hit{{severity: report.High, subject: "trust", evidence: evidence,
			detail: fmt.Sprintf("The trust policy does not let %s assume the role; %d jobs failed for it and %d were refused at creation.", sageMaker, failed, refused)}}
	case trusts && failed+refused > 0:
		return []hit{{severity: report.Info, subject: "trust", evidence: evidence,
			detail: fmt.Sprintf("The trust policy allows SageMaker today, but %d jobs failed and %d were refused because it could not assume the role.", failed, refused)}}
	}
	return nil
}

func trustOpen(a *audit, j *judgement) []hit {
	var out []hit
	for _, p := range j.trust.OtherPrincipals {
		severity, who := report.Low, p
		kind, value, _ := strings.Cut(p, ":")
		account := accountOf(value)
		switch {
		case p == "*":
			severity, who = report.Critical, "everybody (*), as far as conditions allow"
		case kind == "AWS" && account != "" && account != a.snapshot.Account.ID:
			severity, who = report.High, "another account: "+value
		case kind == "AWS" && strings.HasSuffix(value, ":root"), kind == "AWS" && value == a.snapshot.Account.ID:
			severity, who = report.Medium, "every principal of this account that IAM allows to: "+value
		case kind == "AWS", kind == "Federated":
			severity, who = report.Medium, value
		case kind == "Service":
			who = "the service " + value
		}
		out = append(out, hit{severity: severity, subject: p, detail: "The trust policy also lets in " + who + "."})
	}
	return out
}

var twelveDigits = regexp.MustCompile(`^(?:arn:[^:]*:[^:]*:[^:]*:)?(\d{12})(?::.*)?$`)

// accountOf gives the account of a principal's ARN, or of a bare account id.
func accountOf(principal string) string {
	if m := twelveDigits.FindStringSubmatch(principal); m != nil {
		return m[1]
	}
	return ""
}

func trustUnguarded(a *audit, j *judgement) []hit {
	if !j.trust.AllowsSageMaker || j.trust.Guard != "none" {
		return nil
	}
	return []hit{{severity: report.Info, subject: "trust",
		detail: "SageMaker may assume the role without a condition on aws:SourceAccount or aws:SourceArn."}}
}

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
