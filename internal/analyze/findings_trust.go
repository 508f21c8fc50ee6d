package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

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

// trustPolicy names the trust policy where a finding points at one of its statements.
const trustPolicy = "trust policy"

// trustedBy is a principal that a statement of the trust policy lets in.
type trustedBy struct {
	principal, kind, value string
	account                string // of the principal, where its ARN tells
	statement              *policy.Statement
	ref                    *report.StatementRef
}

// admitted are the principals beside SageMaker that the trust policy lets in, each by
// every statement that does.
func (j *judgement) admitted() []trustedBy {
	if j.grant == nil || j.grant.trust == nil {
		return nil
	}
	var out []trustedBy
	for _, st := range j.grant.trust.Statements() {
		if st.Effect != policy.Allow || st.NotPrincipal {
			continue
		}
		if !speaksOf(st, "sts:AssumeRole") && !speaksOf(st, "sts:AssumeRoleWithWebIdentity") && !speaksOf(st, "sts:AssumeRoleWithSAML") {
			continue
		}
		for _, p := range principals(st) {
			if p == "Service:"+sageMaker {
				continue
			}
			kind, value, _ := strings.Cut(p, ":")
			out = append(out, trustedBy{principal: p, kind: kind, value: value, account: accountOf(value), statement: st,
				ref: &report.StatementRef{Policy: trustPolicy, Sid: st.Sid, Index: st.Index}})
		}
	}
	return out
}

// letsIn makes one finding of each principal, of the statement that is the worst.
func (j *judgement) letsIn(look func(by trustedBy) (report.Severity, string)) []hit {
	var out []hit
	index := map[string]int{}
	for _, by := range j.admitted() {
		severity, detail := look(by)
		if severity == "" {
			continue
		}
		h := hit{severity: severity, subject: by.principal, detail: detail, statement: by.ref}
		i, seen := index[by.principal]
		switch {
		case !seen:
			index[by.principal], out = len(out), append(out, h)
		case severity.Rank() < out[i].severity.Rank():
			out[i] = h
		}
	}
	slices.SortFunc(out, func(x, y hit) int { return strings.Compare(x.subject, y.subject) })
	return out
}

// pins reports whether a statement's conditions let through only certain values of one
// of the keys.
func pins(st *policy.Statement, keys ...string) bool {
	return slices.ContainsFunc(st.Conditions, func(c policy.Condition) bool {
		return holdsTo(c.Operator) && slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, c.Key) }) &&
			!slices.ContainsFunc(c.Strings(), isAny)
	})
}

// whoKeys are condition keys that tell who makes a request of everybody who could. An
// external id does not: it is no secret (AWS: id_roles_common-scenarios_third-party).
// Source: AWS reference_policies_condition-keys, reference_policies_iam-condition-keys.
var whoKeys = []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:userid", "aws:SourceAccount",
	"aws:SourceOrgID", "aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce"}

func trustAnyone(a *audit, j *judgement) []hit {
	return j.letsIn(func(by trustedBy) (report.Severity, string) {
		switch st := by.statement; {
		case by.principal != "*":
			return "", ""
		case st.Unconditional():
			return report.Critical, "The trust policy lets everybody (*) of every account assume the role: " + j.gain(a)
		case pins(st, whoKeys...):
			return report.Medium, "The trust policy lets everybody (*) assume the role" + under(st) + ": the condition alone keeps the others out."
		default:
			return report.High, "The trust policy lets everybody (*) assume the role" + under(st) + ", which does not say who."
		}
	})
}

// gain says what somebody has who acts as the role.
func (j *judgement) gain(a *audit) string {
	if a.administers(j) {
		return "who acts as the role can make themselves administrator."
	}
	return fmt.Sprintf("who acts as the role has its %s.", counted(j.actions.count, "action"))
}

// administers reports whether the role can give itself every permission.
func (a *audit) administers(j *judgement) bool {
	return slices.ContainsFunc([]string{"iam:AttachRolePolicy", "iam:PutRolePolicy"}, func(x string) bool {
		h := a.accessTo(j, x, j.sub.key.ARN)
		return h.Effective == policy.Yes
	})
}

func trustCrossAccount(a *audit, j *judgement) []hit {
	return j.letsIn(func(by trustedBy) (report.Severity, string) {
		if by.kind != "AWS" || by.principal == "*" || by.account == "" || by.account == a.snapshot.Account.ID {
			return "", ""
		}
		what := "The trust policy also lets in another account: " + by.value
		if pins(by.statement, "sts:ExternalId", "aws:PrincipalOrgID", "aws:PrincipalArn", "aws:userid") {
			return report.Medium, what + under(by.statement) + "."
		}
		return report.High, what + under(by.statement) + ", without a condition on sts:ExternalId or aws:PrincipalOrgID: " + j.gain(a)
	})
}

// trustFederatedAny looks at web identity providers: their tokens name a subject, and a
// trust policy that does not say which lets in every one.
// Source: AWS id_roles_create_for-idp_oidc (the sub claim; GitHub's has repo:OWNER/REPO:...).
func trustFederatedAny(a *audit, j *judgement) []hit {
	return j.letsIn(func(by trustedBy) (report.Severity, string) {
		if by.kind != "Federated" || strings.Contains(by.value, ":saml-provider/") || !speaksOf(by.statement, "sts:AssumeRoleWithWebIdentity") {
			return "", ""
		}
		provider := by.value[strings.Index(by.value, "oidc-provider/")+len("oidc-provider/"):]
		if !strings.Contains(by.value, "oidc-provider/") {
			provider = by.value
		}
		for _, c := range by.statement.Conditions {
			key := strings.ToLower(c.Key)
			if !holdsTo(c.Operator) || !strings.HasSuffix(key, ":sub") && key != "graph.facebook.com:id" && !strings.HasSuffix(key, ":amr") && !strings.HasSuffix(key, ":user_id") {
				continue
			}
			if i := slices.IndexFunc(c.Strings(), func(v string) bool { return everySubject(provider, v) }); i < 0 {
				return "", ""
			}
		}
		if by.statement.Unconditional() {
			return report.High, fmt.Sprintf("The trust policy lets in whoever has a token of %s: %s", by.value, j.gain(a))
		}
		return report.High, fmt.Sprintf("The trust policy lets in whoever has a token of %s%s: no condition says whose token. %s", by.value, under(by.statement), capital(j.gain(a)))
	})
}

// everySubject reports whether a value of a sub condition leaves open whose token it is:
// of GitHub, the owner of the repository.
func everySubject(provider, value string) bool {
	if isAny(value) {
		return true
	}
	rest, github := strings.CutPrefix(value, "repo:")
	owner, _, _ := strings.Cut(rest, "/")
	return github && strings.Contains(provider, "token.actions.githubusercontent.com") && strings.ContainsAny(owner, "*?")
}

func trustOpen(a *audit, j *judgement) []hit {
	return j.letsIn(func(by trustedBy) (report.Severity, string) {
		const what = "The trust policy also lets in "
		switch {
		case by.kind == "AWS" && deletedPrincipal.MatchString(by.value):
			return report.Info, "The trust policy names a principal that was deleted: " + by.value + ". It lets in nobody any more."
		case by.kind == "AWS" && by.principal != "*" && (by.account == "" || by.account == a.snapshot.Account.ID):
			if strings.HasSuffix(by.value, ":root") || by.value == a.snapshot.Account.ID {
				return report.Medium, what + "every principal of this account that IAM allows to: " + by.value + under(by.statement) + "."
			}
			return report.Medium, what + by.value + under(by.statement) + "."
		case by.kind == "Federated":
			return report.Medium, what + by.value + under(by.statement) + "."
		}
		return "", ""
	})
}

// deletedPrincipal is what IAM puts in the place of the ARN of a user or role that was
// deleted. Source: AWS reference_policies_elements_principal, reference_identifiers.
var deletedPrincipal = regexp.MustCompile(`^A(ROA|IDA)[A-Z0-9]+$`)

// runsCode are the services that run a customer's own code, or do what a customer's
// templates say, as a role that is passed to them.
// Source: AWS id_roles_use_passrole and the services' pages about their roles.
var runsCode = []string{"ec2", "lambda", "ecs-tasks", "eks", "pods.eks", "glue", "codebuild", "cloudformation", "states", "batch", "elasticmapreduce",
	"emr-serverless", "ssm", "datapipeline", "codepipeline", "tasks.apprunner", "build.apprunner", "bedrock-agentcore", "scheduler", "events", "braket", "omics", "imagebuilder"}

func trustMixed(a *audit, j *judgement) []hit {
	return j.letsIn(func(by trustedBy) (report.Severity, string) {
		if by.kind != "Service" {
			return "", ""
		}
		what := "The trust policy also lets in the service " + by.value + under(by.statement)
		name, _, _ := strings.Cut(by.value, ".amazonaws.com")
		if !slices.Contains(runsCode, name) {
			return report.Low, what + "."
		}
		if a.administers(j) {
			return report.Medium, what + ": whoever may start something there with this role can make themselves administrator."
		}
		return report.Low, what + ": whoever may start something there with this role acts as it."
	})
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
	h := hit{severity: report.Info, subject: "trust",
		detail: "SageMaker may assume the role without a condition on aws:SourceAccount or aws:SourceArn."}
	for _, st := range j.grant.trust.Statements() {
		if st.Effect == policy.Allow && speaksOf(st, "sts:AssumeRole") && slices.Contains(principals(st), "Service:"+sageMaker) && guard(st) == "none" {
			h.statement = &report.StatementRef{Policy: trustPolicy, Sid: st.Sid, Index: st.Index}
			break
		}
	}
	return []hit{h}
}

// guardKeys are the conditions that say on whose behalf a service acts.
// Source: AWS SageMaker security-confused-deputy-prevention.
var guardKeys = []string{"aws:SourceAccount", "aws:SourceArn", "aws:SourceOrgID", "aws:SourceOrgPaths"}

// trustWeakGuard looks for guards that let SageMaker act for other accounts: met by an
// absent key, negated, or with values that another account's request has, too.
func trustWeakGuard(a *audit, j *judgement) []hit {
	if j.grant == nil || j.grant.trust == nil {
		return nil
	}
	for _, st := range j.grant.trust.Statements() {
		if st.Effect != policy.Allow || !speaksOf(st, "sts:AssumeRole") || !slices.Contains(principals(st), "Service:"+sageMaker) {
			continue
		}
		var weak []string
		holds := false
		for i := range st.Conditions {
			c := &st.Conditions[i]
			if !slices.ContainsFunc(guardKeys, func(k string) bool { return strings.EqualFold(k, c.Key) }) {
				continue
			}
			if why := a.weakness(c); why != "" {
				weak = append(weak, fmt.Sprintf("%s %s %s", c.Operator, c.Key, why))
			} else {
				holds = true
			}
		}
		if !holds && len(weak) > 0 {
			return []hit{{severity: report.Low, subject: "trust", statement: &report.StatementRef{Policy: trustPolicy, Sid: st.Sid, Index: st.Index},
				detail: "The condition that should guard the role does not: " + strings.Join(weak, "; ") + "."}}
		}
	}
	return nil
}

// weakness says why a guard does not hold, "" for one that does.
func (a *audit) weakness(c *policy.Condition) string {
	operator := strings.ToLower(c.Operator)
	switch {
	case strings.HasSuffix(operator, "ifexists"), strings.HasPrefix(operator, "forallvalues:"):
		return "is met where the key is absent"
	case !holdsTo(c.Operator):
		return "lets in all but the values"
	}
	account := a.snapshot.Account.ID
	for _, v := range c.Strings() {
		switch key := strings.ToLower(c.Key); {
		case isAny(v):
			return "is met by any value"
		case key == "aws:sourceaccount" && strings.ContainsAny(v, "*?") && strings.Contains(operator, "like"):
			return "is met by other accounts"
		case key == "aws:sourceaccount" && account != "" && v != account:
			return "names another account, " + v
		case key == "aws:sourcearn":
			parts := strings.SplitN(v, ":", 6)
			if len(parts) != 6 || strings.ContainsAny(parts[4], "*?") || parts[4] == "" {
				return "leaves the account open"
			}
			if account != "" && parts[4] != account {
				return "names another account, " + parts[4]
			}
		}
	}
	return ""
}
