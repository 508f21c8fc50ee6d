package analyze

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// ruleSample is an account that breaks a rule, and one that comes near.
type ruleSample struct {
	rule string
	name string
	// policy and trust are the role's one inline policy and its trust policy, change what
	// else of the account is out of the ordinary; near's are the same of the near miss,
	// where empty those of the sample.
	policy, trust string
	change        func(*snapshot.Snapshot)
	near          near
	// at is the statement that the finding points at: "POLICY INDEX", from 0; "" for
	// rules that look at no statement.
	at       string
	severity report.Severity
	says     string // in the detail
}

type near struct {
	policy, trust string
	change        func(*snapshot.Snapshot)
}

// documentOfAll makes a policy document.
func documentOfAll(list ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(list, ",") + `]}`
}

func allowing(action, resource, condition string) string {
	s := fmt.Sprintf(`{"Effect":"Allow","Action":%s,"Resource":%s`, oneOrMore(action), oneOrMore(resource))
	if condition != "" {
		s += `,"Condition":` + condition
	}
	return s + "}"
}

func oneOrMore(s string) string { return `["` + strings.Join(strings.Fields(s), `","`) + `"]` }

// trustsToo is a trust policy that lets SageMaker in, and one more.
func trustsToo(principal, condition string) string {
	s := `{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"`
	if strings.Contains(principal, "Federated") {
		s = strings.Replace(s, "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", 1)
	}
	if condition != "" {
		s += `,"Condition":` + condition
	}
	return documentOfAll(`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"123456789012"}}}`, s+"}")
}

// guarded lets SageMaker in under a condition.
func guarded(condition string) string {
	return documentOfAll(`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":` + condition + `}`)
}

const (
	narrow    = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/in/*"}`
	limitARN  = "arn:aws:iam::123456789012:policy/limit"
	otherRole = "arn:aws:iam::123456789012:role/other"
)

func withBoundary(document string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.Roles[0].Boundary = limitARN
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: limitARN, Name: "limit", Version: "v1", Document: document})
	}
}

func attached(arn, document string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.Roles[0].Attached = append(s.Roles[0].Attached, snapshot.AttachedPolicy{ARN: arn, Name: nameOf(arn)})
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: arn, Name: nameOf(arn), Version: "v3", Document: document})
	}
}

// withOther adds a role.
func withOther(trust, document string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		o := s.Roles[0]
		o.RoleKey, o.Name, o.Trust, o.Attached = snapshot.RoleKey{ARN: otherRole, ID: "AROAOTHER"}, "other", trust, nil
		o.Inline = []snapshot.InlinePolicy{{Name: "own", Document: document}}
		s.Roles = append(s.Roles, o)
	}
}

func running(jobs ...snapshot.Job) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) { s.Jobs = append(s.Jobs, jobs...) }
}

func calling(source, name, code string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) { s.Usage = append(s.Usage, use(source, name, code)) }
}

func allOf(changes ...func(*snapshot.Snapshot)) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		for _, c := range changes {
			c(s)
		}
	}
}

func failedJob(name string) snapshot.Job {
	j := completedJob(name)
	j.Status, j.Artifact = "Failed", ""
	return j
}

var ruleSamples = []ruleSample{
	{rule: "full-admin", policy: documentOfAll(narrow, allowing("*", "*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.Critical, says: "can do anything in the account",
		near: near{policy: documentOfAll(narrow, allowing("*", "arn:aws:s3:::data arn:aws:s3:::data/*", ""))}},
	{rule: "full-admin", name: "under a condition", policy: documentOfAll(allowing("*", "*", `{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`)), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "aws:SourceVpc",
		near: near{policy: documentOfAll(allowing("*", "*", `{"StringEquals":{"aws:PrincipalAccount":"999999999999"}}`))}},
	{rule: "full-admin", name: "behind a boundary that leaves nothing to fear", policy: documentOfAll(allowing("*", "*", "")), change: allOf(running(completedJob("a")), withBoundary(allow("ecr:*", "*"))),
		at: "inline0 0", severity: report.Low, says: "refused by the permissions boundary"},
	{rule: "full-admin", name: "behind a boundary that leaves data", policy: documentOfAll(allowing("*", "*", "")), change: allOf(running(completedJob("a")), withBoundary(allow("s3:*", "*"))),
		at: "inline0 0", severity: report.High, says: "are left of it after the permissions boundary"},
	{rule: "full-admin", name: "that nothing can assume", policy: documentOfAll(allowing("*", "*", "")), trust: documentOfAll(`{"Effect":"Allow","Principal":{"AWS":"AROAEXAMPLEDELETED0001"},"Action":"sts:AssumeRole"}`),
		change: running(completedJob("a")), at: "inline0 0", severity: report.Low, says: "the trust policy lets nobody assume the role"},
	{rule: "full-admin", name: "of isolated jobs", policy: documentOfAll(allowing("*", "*", "")), at: "inline0 0", severity: report.High, says: "run under network isolation",
		change: func(s *snapshot.Snapshot) {
			j := completedJob("a")
			j.NetworkIsolation = true
			s.Jobs = append(s.Jobs, j)
		}},
	{rule: "full-admin", name: "that nobody uses", policy: documentOfAll(allowing("*", "*", "")), at: "inline0 0", severity: report.High, says: "No code runs as it"},

	{rule: "own-permissions", policy: documentOfAll(narrow, allowing("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/service-role/*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.Critical, says: "iam:PutRolePolicy on itself",
		near: near{policy: documentOfAll(narrow, allowing("iam:PutRolePolicy", "arn:aws:iam::123456789012:role/team/*", ""))}},
	{rule: "own-permissions", name: "a version of its own policy", policy: documentOfAll(narrow, allowing("iam:CreatePolicyVersion", "arn:aws:iam::123456789012:policy/mine", "")),
		change: allOf(running(completedJob("a")), attached("arn:aws:iam::123456789012:policy/mine", allow("ecr:*", "*"))),
		at:     "inline0 1", severity: report.Critical, says: "its own policy arn:aws:iam::123456789012:policy/mine",
		near: near{change: allOf(running(completedJob("a")), attached("arn:aws:iam::123456789012:policy/other", allow("ecr:*", "*")))}},
	{rule: "own-permissions", name: "its own trust", policy: documentOfAll(allowing("iam:UpdateAssumeRolePolicy", roleARN, "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "can let anybody else assume the role",
		near: near{policy: documentOfAll(allowing("iam:UpdateAssumeRolePolicy", otherRole, ""))}},
	{rule: "own-permissions", name: "its own boundary", policy: documentOfAll(allowing("iam:DeleteRolePermissionsBoundary", "*", "")),
		change: allOf(running(completedJob("a")), withBoundary(allow("*", "*"))), at: "inline0 0", severity: report.High, says: "take away what limits the role",
		near: near{change: running(completedJob("a"))}},

	{rule: "escalation", policy: documentOfAll(narrow, allowing("iam:PassRole", "*", ""), allowing("sagemaker:CreateTrainingJob", "*", "")), at: "inline0 1", severity: report.Critical,
		says: "administrator in 1 step: it runs a SageMaker training job as other", change: allOf(running(completedJob("a")), withOther(trustSageMaker, allow("*", "*"))),
		near: near{change: allOf(running(completedJob("a")), withOther(documentOfAll(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`), allow("*", "*")))}},
	{rule: "escalation", name: "to another role", policy: documentOfAll(narrow, allowing("sts:AssumeRole", otherRole, "")), at: "inline0 1", severity: report.High,
		says: "it assumes other", change: allOf(running(completedJob("a")), withOther(trustsToo(`{"AWS":"arn:aws:iam::123456789012:root"}`, ""), allow("dynamodb:*", "*"))),
		near: near{policy: documentOfAll(narrow, allowing("sts:AssumeRole", otherRole, ""), `{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`)}},
	{rule: "escalation", name: "whom the other role lets in itself", policy: documentOfAll(narrow, allowing("sts:AssumeRole", otherRole, "")), at: "inline0 1", severity: report.High,
		says: "it assumes other", change: allOf(running(completedJob("a")), withOther(trustsToo(`{"AWS":"arn:aws:iam::123456789012:root"}`, ""), allow("dynamodb:*", "*"))),
		near: near{policy: documentOfAll(narrow), change: allOf(running(completedJob("a")), withOther(trustsToo(`"*"`, ""), allow("dynamodb:*", "*")))}},
	{rule: "allow-not-action", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":["iam:*","sts:*"],"Resource":"*"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "every action but iam:*, sts:*",
		near: near{policy: `{"Version":"2012-10-17","Statement":[` + narrow + `,{"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*"}]}`}},
	{rule: "allow-not-action", name: "IAM among them", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"organizations:*","Resource":"*"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.Critical, says: "can make itself administrator"},
	{rule: "allow-not-action", name: "on one bucket", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"arn:aws:s3:::data/*"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "on arn:aws:s3:::data/*"},

	{rule: "iam-write", policy: documentOfAll(allowing("iam:CreateAccessKey", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Critical, says: "take the credentials of a user",
		near: near{policy: documentOfAll(allowing("iam:CreateAccessKey s3:GetObject", "arn:aws:s3:::data/*", ""))}},
	{rule: "iam-write", name: "of one role", policy: documentOfAll(narrow, allowing("iam:UpdateAssumeRolePolicy iam:GetRole", otherRole, "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.High, says: "iam:UpdateAssumeRolePolicy on " + otherRole,
		near: near{policy: documentOfAll(narrow, allowing("iam:GetRole iam:ListRoles", "*", ""))}},
	{rule: "iam-write", name: "refused by the boundary", policy: documentOfAll(allowing("iam:AttachUserPolicy", "*", "")), change: allOf(running(completedJob("a")), withBoundary(allow("s3:*", "*"))),
		at: "inline0 0", severity: report.Low, says: "refused by the permissions boundary"},

	{rule: "passrole-any", policy: documentOfAll(allowing("iam:PassRole", "arn:aws:iam::*:role/*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "any role of the account to any service",
		near: near{policy: documentOfAll(allowing("iam:PassRole", "arn:aws:iam::123456789012:role/service-role/*", ""))}},
	{rule: "passrole-any", name: "to SageMaker", policy: documentOfAll(allowing("iam:PassRole", "*", `{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}`)), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "to sagemaker.amazonaws.com"},
	{rule: "passrole-any", name: "all but one", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:PassRole","NotResource":"` + otherRole + `"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "any role of the account"},

	{rule: "trust-anyone", trust: trustsToo(`"*"`, ""), policy: documentOfAll(narrow), at: "trust policy 1", severity: report.Critical, says: "everybody (*) of every account",
		near: near{trust: trustsToo(`{"AWS":"arn:aws:iam::123456789012:role/builder"}`, "")}},
	{rule: "trust-anyone", name: "of the organization", trust: trustsToo(`{"AWS":"*"}`, `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.Medium, says: "the condition alone keeps the others out"},
	{rule: "trust-anyone", name: "who knows the external id", trust: trustsToo(`{"AWS":"*"}`, `{"StringEquals":{"sts:ExternalId":"x"}}`), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.High, says: "does not say who"},

	{rule: "trust-federated-any", trust: trustsToo(`{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}`,
		`{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"},"StringLike":{"token.actions.githubusercontent.com:sub":"repo:*"}}`), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.High, says: "no condition says whose token",
		near: near{trust: trustsToo(`{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"}`,
			`{"StringLike":{"token.actions.githubusercontent.com:sub":"repo:retail/ml-*"}}`)}},
	{rule: "trust-federated-any", name: "no condition", trust: trustsToo(`{"Federated":"arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"}`, ""), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.High, says: "whoever has a token"},

	{rule: "trust-cross-account", trust: trustsToo(`{"AWS":"arn:aws:iam::999988887777:root"}`, ""), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.High, says: "without a condition on sts:ExternalId",
		near: near{trust: trustsToo(`{"AWS":"arn:aws:iam::123456789012:root"}`, "")}},
	{rule: "trust-cross-account", name: "a third party with its external id", trust: trustsToo(`{"AWS":"999988887777"}`, `{"StringEquals":{"sts:ExternalId":"x-1"}}`), policy: documentOfAll(narrow),
		at: "trust policy 1", severity: report.Medium, says: "sts:ExternalId"},

	{rule: "trust-without-sagemaker", trust: documentOfAll(`{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}`), policy: documentOfAll(narrow),
		change: running(failedJob("a")), severity: report.High, says: "does not let sagemaker.amazonaws.com assume",
		near: near{trust: trustSageMaker}},

	{rule: "missing-permission", policy: documentOfAll(allowing("ecr:*", "*", "")), change: running(failedJob("a")), severity: report.High, says: "is needed and not granted",
		near: near{policy: documentOfAll(allowing("ecr:*", "*", ""), allowing("s3:*", "*", ""), allowing("logs:*", "*", ""))}},
	{rule: "blocked-permission", policy: documentOfAll(allowing("*", "*", "")), change: allOf(running(failedJob("a")), withBoundary(allow("ecr:*", "*"))), severity: report.High, says: "refused by the permissions boundary",
		near: near{change: allOf(running(failedJob("a")), withBoundary(allow("*", "*")))}},

	{rule: "s3-every-bucket", policy: documentOfAll(narrow, allowing("s3:GetObject s3:PutObject", "arn:aws:s3:::*/*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.High, says: "may read, write objects in every bucket of the account, and in those of others",
		near: near{policy: documentOfAll(narrow, allowing("s3:GetObject s3:PutObject", "arn:aws:s3:::data/*", ""), allowing("s3:ListAllMyBuckets", "*", ""))}},
	{rule: "s3-every-bucket", name: "of this account", policy: documentOfAll(allowing("s3:GetObject", "*", `{"StringEquals":{"aws:ResourceAccount":"123456789012"}}`)), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "in every bucket of the account (under a condition on aws:ResourceAccount)."},
	{rule: "s3-every-bucket", name: "names only", policy: documentOfAll(allowing("s3:ListBucket", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "may list objects"},
	{rule: "s3-every-bucket", name: "behind a boundary", policy: documentOfAll(allowing("s3:*", "*", "")), change: allOf(running(completedJob("a")), withBoundary(allow("s3:*", "arn:aws:s3:::data/*"))),
		at: "inline0 0", severity: report.Low, says: "refused by the permissions boundary"},
	{rule: "s3-every-bucket", name: "all but one", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","NotResource":"arn:aws:s3:::payroll/*"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "may read objects in every bucket"},
	{rule: "s3-every-bucket", name: "a Deny that leaves two", policy: documentOfAll(allowing("s3:GetObject", "*", ""), `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::data/*","arn:aws:s3:::models/*"]}`),
		change: running(completedJob("a")), at: "inline0 0", severity: report.Low, says: "refused by the identity policies"},

	{rule: "secrets-every", policy: documentOfAll(allowing("secretsmanager:GetSecretValue", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "every secret of Secrets Manager",
		near: near{policy: documentOfAll(allowing("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:ml/*", ""), allowing("secretsmanager:ListSecrets", "*", ""))}},
	{rule: "secrets-every", name: "parameters of a region", policy: documentOfAll(allowing("ssm:GetParameter*", "arn:aws:ssm:us-east-1:123456789012:parameter/*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "every parameter",
		near: near{policy: documentOfAll(allowing("ssm:GetParameter*", "arn:aws:ssm:us-east-1:123456789012:parameter/ml/*", ""))}},

	{rule: "credentials", policy: documentOfAll(allowing("rds-db:connect", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "rds-db:connect",
		near: near{policy: documentOfAll(allowing("ecr:GetAuthorizationToken", "*", ""), allowing("rds-db:connect", "arn:aws:rds-db:us-east-1:123456789012:dbuser:db-1/ml", ""))}},
	{rule: "presigned-url", policy: documentOfAll(allowing("sagemaker:CreatePresignedDomainUrl", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "any user profile of Studio",
		near: near{policy: documentOfAll(allowing("sagemaker:CreatePresignedDomainUrl", "arn:aws:sagemaker:us-east-1:123456789012:user-profile/d-1/me", ""))}},
	{rule: "code-of-others", policy: documentOfAll(narrow, allowing("lambda:UpdateFunctionCode", "*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.High, says: "change what others run by lambda:UpdateFunctionCode",
		near: near{policy: documentOfAll(narrow, allowing("lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:123456789012:function:mine", ""), allowing("lambda:InvokeFunction", "*", ""))}},
	{rule: "code-of-others", name: "by two statements", policy: documentOfAll(allowing("ec2:StopInstances ec2:StartInstances", "*", ""), allowing("ec2:ModifyInstanceAttribute", "*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.High, says: "with ec2:StopInstances, ec2:StartInstances",
		near: near{policy: documentOfAll(allowing("ec2:StopInstances", "*", ""), allowing("ec2:ModifyInstanceAttribute", "*", ""))}},
	{rule: "code-of-others", name: "a deny of one of them", policy: documentOfAll(allowing("lambda:UpdateFunctionCode", "*", ""), `{"Effect":"Deny","Action":"lambda:*","Resource":"*"}`), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "refused by the identity policies"},
	{rule: "assume-role-any", policy: documentOfAll(allowing("sts:AssumeRole", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "None of the roles that were read does",
		near: near{policy: documentOfAll(allowing("sts:AssumeRole", "arn:aws:iam::*:role/reader", ""))}},
	{rule: "assume-role-any", name: "and one lets it", policy: documentOfAll(allowing("sts:AssumeRole", "*", "")), at: "inline0 0", severity: report.High, says: "these do: other",
		change: allOf(running(completedJob("a")), func(s *snapshot.Snapshot) {
			o := s.Roles[0]
			o.RoleKey, o.Name, o.Trust, o.Inline = snapshot.RoleKey{ARN: otherRole, ID: "AROAOTHER"}, "other", trustsToo(`{"AWS":"arn:aws:iam::123456789012:root"}`, ""), nil
			s.Roles = append(s.Roles, o)
		})},

	{rule: "resource-exposure", policy: documentOfAll(allowing("s3:PutBucketPolicy ecr:SetRepositoryPolicy", "*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.High, says: "ecr:SetRepositoryPolicy, s3:PutBucketPolicy",
		near: near{policy: documentOfAll(allowing("s3:PutBucketPolicy", "arn:aws:s3:::data", ""), allowing("ec2:CreateNetworkInterfacePermission", "*", ""))}},
	{rule: "audit-tampering", policy: documentOfAll(narrow, allowing("cloudtrail:StopLogging", "*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.High, says: "stop what records or watches",
		near: near{policy: documentOfAll(allowing("cloudtrail:LookupEvents logs:PutLogEvents", "*", ""), allowing("logs:DeleteLogStream", "arn:aws:logs:*:*:log-group:/aws/sagemaker/TrainingJobs:*", ""))}},
	{rule: "audit-tampering", name: "logs", policy: documentOfAll(allowing("logs:*", "*", "")), change: running(completedJob("a")), at: "inline0 0", severity: report.Medium, says: "delete the logs of other jobs"},
	{rule: "kms-every-key", policy: documentOfAll(allowing("kms:Decrypt", "arn:aws:kms:*:123456789012:key/*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "decrypt whatever it can read",
		near: near{policy: documentOfAll(allowing("kms:Decrypt", "arn:aws:kms:us-east-1:123456789012:key/11111111-1111-4111-8111-111111111111", ""), allowing("kms:DescribeKey", "*", ""))}},
	{rule: "kms-every-key", name: "grants", policy: documentOfAll(allowing("kms:*", "*", "")), change: running(completedJob("a")), at: "inline0 0", severity: report.High, says: "destroy them"},
	{rule: "kms-every-key", name: "by way of S3", policy: documentOfAll(allowing("kms:Decrypt", "*", `{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}}`)), change: running(completedJob("a")), at: "inline0 0", severity: report.Low, says: "kms:ViaService"},

	{rule: "s3-key-pattern", policy: documentOfAll(narrow, allowing("s3:GetObject s3:PutObject", "arn:aws:s3:::*name*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.Medium, says: "every key with that text, in any bucket of any account",
		near: near{policy: documentOfAll(narrow, allowing("s3:GetObject s3:PutObject", "arn:aws:s3:::data/*name*", ""))}},
	{rule: "s3-key-pattern", name: "an end", policy: documentOfAll(allowing("s3:GetObject", "arn:aws:s3:::*-models/model.tar.gz", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "every key that ends so"},
	{rule: "s3-key-pattern", name: "of this account", policy: documentOfAll(allowing("s3:GetObject", "arn:aws:s3:::*name*", `{"StringEquals":{"aws:ResourceAccount":"123456789012"}}`)), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "in any bucket of the account"},
	{rule: "s3-bucket-pattern", policy: documentOfAll(narrow, allowing("s3:PutObject", "arn:aws:s3:::sagemaker-*", "")), change: running(completedJob("a")),
		at: "inline0 1", severity: report.Medium, says: "copy data out",
		near: near{policy: documentOfAll(narrow, allowing("s3:PutObject", "arn:aws:s3:::sagemaker-*", `{"StringEquals":{"aws:ResourceAccount":"123456789012"}}`))}},
	{rule: "s3-bucket-pattern", name: "read", policy: documentOfAll(allowing("s3:GetObject", "arn:aws:s3:::retail-*/in/*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "can feed data or models",
		near: near{policy: documentOfAll(allowing("s3:GetObject", "arn:aws:s3:::retail-data/*/in/*", ""))}},

	{rule: "passrole-any-service", policy: documentOfAll(allowing("iam:PassRole", "arn:aws:iam::123456789012:role/ml-*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "role/ml-* to any service",
		near: near{policy: documentOfAll(allowing("iam:PassRole", "arn:aws:iam::123456789012:role/ml-*", `{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}`))}},
	{rule: "passrole-any-service", name: "itself", policy: documentOfAll(allowing("iam:PassRole", roleARN, `{"StringEqualsIfExists":{"iam:PassedToService":"sagemaker.amazonaws.com"}}`)), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "to any service"},

	{rule: "trust-open", trust: trustsToo(`{"AWS":"arn:aws:iam::123456789012:root"}`, ""), policy: documentOfAll(narrow), at: "trust policy 1", severity: report.Medium, says: "every principal of this account",
		near: near{trust: trustSageMaker}},
	{rule: "trust-open", name: "deleted", trust: trustsToo(`{"AWS":"AROAEXAMPLEDELETED0001"}`, ""), policy: documentOfAll(narrow), at: "trust policy 1", severity: report.Info, says: "was deleted"},
	{rule: "trust-mixed", trust: trustsToo(`{"Service":["ec2.amazonaws.com","sagemaker.amazonaws.com"]}`, ""), policy: documentOfAll(narrow), at: "trust policy 1", severity: report.Low, says: "ec2.amazonaws.com",
		near: near{trust: trustsToo(`{"Service":"sagemaker.amazonaws.com"}`, "")}},
	{rule: "trust-mixed", name: "an administrator", trust: trustsToo(`{"Service":"lambda.amazonaws.com"}`, ""), policy: documentOfAll(allowing("*", "*", "")), at: "trust policy 1", severity: report.Medium, says: "administrator"},
	{rule: "trust-weak-guard", trust: guarded(`{"StringEqualsIfExists":{"aws:SourceAccount":"123456789012"}}`), policy: documentOfAll(narrow), at: "trust policy 0", severity: report.Low, says: "is met where the key is absent",
		near: near{trust: guarded(`{"StringEquals":{"aws:SourceAccount":"123456789012"}}`)}},
	{rule: "trust-weak-guard", name: "an open ARN", trust: guarded(`{"ArnLike":{"aws:SourceArn":"arn:aws:sagemaker:*:*:*"}}`), policy: documentOfAll(narrow), at: "trust policy 0", severity: report.Low, says: "leaves the account open",
		near: near{trust: guarded(`{"ArnLike":{"aws:SourceArn":"arn:aws:sagemaker:*:123456789012:*"}}`)}},
	{rule: "trust-weak-guard", name: "another account", trust: guarded(`{"StringEquals":{"aws:SourceAccount":"999999999999"}}`), policy: documentOfAll(narrow), at: "trust policy 0", severity: report.Low, says: "names another account, 999999999999"},

	{rule: "sagemaker-full-access", policy: documentOfAll(narrow), change: allOf(running(completedJob("a")), attached("arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", allow("sagemaker:*", "*"))),
		severity: report.Medium, says: "v3 is attached",
		near: near{change: allOf(running(completedJob("a")), attached("arn:aws:iam::123456789012:policy/AmazonSageMakerFullAccess", allow("sagemaker:*", "*")))}},
	{rule: "user-and-execution-role", policy: documentOfAll(narrow), change: allOf(running(completedJob("a")), calling("sagemaker.amazonaws.com", "CreateTrainingJob", "")),
		severity: report.Medium, says: "1 jobs run as it",
		near: near{change: allOf(running(completedJob("a")), calling("sagemaker.amazonaws.com", "DescribeTrainingJob", ""))}},
	{rule: "allow-not-resource", policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"glue:UpdateTable","NotResource":"arn:aws:glue:*:*:database/secret"}}`, change: running(completedJob("a")),
		at: "inline0 0", severity: report.Medium, says: "on all resources but",
		near: near{policy: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:GetAuthorizationToken","NotResource":"arn:aws:glue:*:*:database/secret"}}`}},
	{rule: "service-wildcard", policy: documentOfAll(allowing("dynamodb:*", "*", "")), change: running(completedJob("a")), at: "inline0 0", severity: report.Medium, says: "dynamodb:* on every resource",
		near: near{policy: documentOfAll(allowing("dynamodb:Get*", "*", ""))}},
	{rule: "service-wildcard", name: "of one bucket", policy: documentOfAll(allowing("s3:*", "arn:aws:s3:::data arn:aws:s3:::data/*", "")), change: running(completedJob("a")),
		at: "inline0 0", severity: report.Low, says: "change who may use what"},

	{rule: "denied-calls", policy: documentOfAll(narrow), change: allOf(running(completedJob("a")), calling("sqs.amazonaws.com", "CreateQueue", "AccessDenied")),
		severity: report.Medium, says: "was denied", near: near{change: allOf(running(completedJob("a")), calling("sqs.amazonaws.com", "CreateQueue", "ThrottlingException"))}},
	{rule: "narrowed-below-use", policy: documentOfAll(narrow), severity: report.Medium, says: "no policy of the role grants it today", change: narrowedSince(true), near: near{change: narrowedSince(false)}},
	{rule: "resource-policy-grant", policy: documentOfAll(narrow), severity: report.Info, says: "the bucket policy of shared allows it", change: sharedBucket(roleARN),
		near: near{change: sharedBucket(otherRole)}},
	{rule: "role-gone", policy: documentOfAll(narrow), severity: report.Medium, says: "IAM does not have it",
		change: func(s *snapshot.Snapshot) { s.Roles, s.Jobs = nil, []snapshot.Job{completedJob("a")} }, near: near{change: running(completedJob("a"))}},
	{rule: "idle-role", policy: documentOfAll(narrow), severity: report.Low, says: "No training job since", near: near{change: running(completedJob("a"))}},
	{rule: "trust-unguarded", policy: documentOfAll(narrow), trust: trustSageMaker, at: "trust policy 0", severity: report.Info, says: "without a condition on aws:SourceAccount",
		near: near{trust: guarded(`{"StringEquals":{"aws:SourceAccount":"123456789012"}}`)}},
	{rule: "rule-contradicted", policy: documentOfAll(allowing("ecr:*", "*", "")), change: running(completedJob("a")), severity: report.Info, says: "completed all the same",
		near: near{change: running(failedJob("a"))}},
}

// narrowedSince is a use of what no policy grants, before a change of the role's policies
// or without one.
func narrowedSince(changed bool) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		s.Usage = append(s.Usage, use("sqs.amazonaws.com", "CreateQueue", ""))
		if !changed {
			return
		}
		u := use("iam.amazonaws.com", "PutRolePolicy", "")
		u.Role, u.Caller, u.Params.RoleName = snapshot.RoleKey{}, "arn:aws:iam::123456789012:user/alice", "trainer"
		u.First, u.Last = now.AddDate(0, 0, -1), now.AddDate(0, 0, -1)
		s.Usage = append(s.Usage, u)
	}
}

// sharedBucket is a use of a bucket that its own policy opens to a role.
func sharedBucket(to string) func(*snapshot.Snapshot) {
	return func(s *snapshot.Snapshot) {
		u := use("s3.amazonaws.com", "GetObject", "")
		u.Params.BucketName, u.Params.Key = "shared", "a/b"
		s.Usage = append(s.Usage, u)
		s.Resources = append(s.Resources, snapshot.ResourcePolicy{ARN: "arn:aws:s3:::shared", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + to + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::shared/*"}}`})
	}
}

func (x *ruleSample) world(n *near) *snapshot.Snapshot {
	document, trust, change := x.policy, x.trust, x.change
	if n != nil {
		if n.policy != "" {
			document = n.policy
		}
		if n.trust != "" {
			trust = n.trust
		}
		if n.change != nil {
			change = n.change
		}
	}
	s := world(document)
	if trust != "" {
		s.Roles[0].Trust = trust
	}
	if change != nil {
		change(s)
	}
	return s
}

func (x *ruleSample) findings(t *testing.T, s *snapshot.Snapshot) (of []report.Finding, all []string) {
	for _, f := range analyzed(t, s).Findings {
		all = append(all, fmt.Sprintf("%s %s %s: %s", f.Severity, f.Rule, f.Subject, f.Detail))
		if f.Rule == x.rule && f.Role == roleARN {
			of = append(of, f)
		}
	}
	return of, all
}

// TestRules: every rule has a sample that breaks it, with the statement that the finding
// points at, and a near miss that does not.
func TestRules(t *testing.T) {
	for _, x := range ruleSamples {
		t.Run(strings.TrimRight(x.rule+" "+x.name, " "), func(t *testing.T) {
			found, all := x.findings(t, x.world(nil))
			if len(found) == 0 {
				t.Fatalf("no finding; the others: %s", strings.Join(all, "\n"))
			}
			f := found[0]
			at := ""
			if f.Statement != nil {
				at = fmt.Sprintf("%s %d", f.Statement.Policy, f.Statement.Index)
			}
			if at != x.at || f.Severity != x.severity || !strings.Contains(f.Detail, x.says) {
				t.Errorf("got %s at %q: %s\nwant %s at %q: %s", f.Severity, at, f.Detail, x.severity, x.at, x.says)
			}
			r := rules[ruleRank(x.rule)]
			if f.Severity.Rank() < r.worst.Rank() || f.Severity.Rank() > r.least.Rank() {
				t.Errorf("%s is not between %s and %s", f.Severity, r.worst, r.least)
			}
			if x.near.policy == "" && x.near.trust == "" && x.near.change == nil {
				return
			}
			if missed, _ := x.findings(t, x.world(&x.near)); len(missed) > 0 {
				t.Errorf("the near miss has it: %s %s", missed[0].Severity, missed[0].Detail)
			}
		})
	}
}

// TestDataPerimeter: a Deny of buckets of other accounts cures what a condition on the
// Allow would, and the finding that is left says only what is.
func TestDataPerimeter(t *testing.T) {
	perimeter := `{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceAccount":"123456789012"}}}`
	x := ruleSample{rule: "s3-bucket-pattern", policy: documentOfAll(allowing("s3:PutObject", "arn:aws:s3:::sagemaker-*", ""), perimeter), change: running(completedJob("a"))}
	if found, _ := x.findings(t, x.world(nil)); len(found) > 0 {
		t.Errorf("%s", found[0].Detail)
	}
	x.rule, x.policy = "s3-every-bucket", documentOfAll(allowing("s3:PutObject", "*", ""), perimeter)
	if found, _ := x.findings(t, x.world(nil)); len(found) != 1 || strings.Contains(found[0].Detail, "those of others") {
		t.Errorf("%+v", found)
	}
	x.rule, x.policy = "s3-key-pattern", documentOfAll(allowing("s3:PutObject", "arn:aws:s3:::*name*", ""), perimeter)
	if found, _ := x.findings(t, x.world(nil)); len(found) != 1 || found[0].Severity != report.Low || !strings.Contains(found[0].Detail, "in any bucket of the account") {
		t.Errorf("%+v", found)
	}
}

// TestOneFactOneFinding: of one statement the rule that says more speaks, and a statement
// that another policy's hides nothing of has its own.
func TestOneFactOneFinding(t *testing.T) {
	for _, x := range []struct {
		name, policy string
		want         []string
	}{
		{"administrator", documentOfAll(allowing("*", "*", "")), []string{"full-admin"}},
		{"IAM whole", documentOfAll(allowing("iam:*", "*", "")), []string{"own-permissions"}},
		{"S3 whole", documentOfAll(allowing("s3:*", "*", "")), []string{"s3-every-bucket"}},
		{"everything but IAM", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`, []string{"allow-not-action"}},
		{"S3 and another service", documentOfAll(allowing("s3:* dynamodb:*", "*", "")), []string{"s3-every-bucket", "service-wildcard"}},
		{"twice", documentOfAll(allowing("s3:*", "*", ""), allowing("s3:GetObject", "*", "")), []string{"s3-every-bucket", "s3-every-bucket"}},
		{"narrow", documentOfAll(narrow), nil},
	} {
		s := world(x.policy)
		s.Jobs = []snapshot.Job{completedJob("a")}
		s.Roles[0].Trust = guarded(`{"StringEquals":{"aws:SourceAccount":"123456789012"}}`)
		var got []string
		for _, f := range analyzed(t, s).Findings {
			if f.Statement != nil {
				got = append(got, f.Rule)
			}
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.name, got, x.want)
		}
	}
}

// TestEveryRuleHasASample fails for a rule without a sample or without a near miss, and
// for one that looks at policies and whose samples point at no statement.
func TestEveryRuleHasASample(t *testing.T) {
	wholePolicy := []string{"sagemaker-full-access", "trust-without-sagemaker"} // they are about no one statement
	for _, r := range rules {
		samples, misses := 0, 0
		for _, x := range ruleSamples {
			if x.rule != r.id {
				continue
			}
			samples++
			if x.near.policy != "" || x.near.trust != "" || x.near.change != nil {
				misses++
			}
			if x.at == "" && (r.looksAt == report.RuleIdentity || r.looksAt == report.RuleTrust) && !slices.Contains(wholePolicy, r.id) {
				t.Errorf("%s %s: no statement", x.rule, x.name)
			}
		}
		if samples == 0 || misses == 0 {
			t.Errorf("%s has %d samples and %d near misses", r.id, samples, misses)
		}
	}
	for _, x := range ruleSamples {
		if ruleRank(x.rule) < 0 {
			t.Errorf("a sample of %s, which is no rule", x.rule)
		}
	}
}

// TestRuleActions: every action that a rule names is one of the catalogue's.
func TestRuleActions(t *testing.T) {
	c := actions.Load()
	for _, action := range slices.Concat(slices.Concat(codeOfOthers...), powers, iamWritesOfOthers, readsSecrets, givesCredentials, opensNotebooks,
		hides, hidesLogs, kmsOpens, kmsReads, passRole, bucketPolicyWrites, objectActions()) {
		if i, ok := c.Index(action); !ok || c.Action(i) != action {
			t.Errorf("%s is no action", action)
		}
	}
}
