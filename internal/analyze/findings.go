package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
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
	{id: "narrowed-below-use", title: "A policy was narrowed below what the role used",
		remedy: "Make sure that the next job does without it, or grant it again on the named resources.", check: narrowedBelowUse},
	{id: "resource-policy-grant", title: "Another policy than the role's own lets it in",
		remedy: "Read the policy of the bucket, key or repository: what it allows is not in the role's policies, nor in the proposal.", check: resourcePolicyGrant},
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

// Rules names the rules, in the order in which they are checked.
func Rules() []string {
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.id
	}
	return names
}

// findings runs every rule over a role.
func (a *audit) findings(j *judgement) []report.Finding {
	var out []report.Finding
	for _, r := range rules {
		for _, h := range r.check(a, j) {
			f := report.Finding{Rule: r.id, Severity: h.severity, Role: j.sub.key.ARN, RoleID: j.sub.key.ID, Subject: h.subject, Title: r.title, Detail: h.detail,
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
