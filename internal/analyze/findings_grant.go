package analyze

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

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
	needed := bucketsNeeded(j)
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
