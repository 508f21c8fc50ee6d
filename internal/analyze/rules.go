package analyze

import (
	"slices"

	"sagemaker-role-audit/internal/analyze/report"
)

// rule is one thing that can be wrong with a role. The table of them is all there is:
// findings, audit rules and docs/rules.md are made from it.
type rule struct {
	id, title string
	// worst and least are the severities that its findings may have.
	worst, least report.Severity
	looksAt      report.RuleSubject
	// risk is what somebody who runs code in a job could do, or what goes wrong.
	risk, remedy string
	// source is AWS's page about it, "" where it is ours.
	source string
	// controls are AWS Security Hub controls that speak of the same.
	// Source: AWS Security Hub, iam-controls and sagemaker-controls.
	controls []string
	// yields are rules that tell the same fact better: of a statement that one of them
	// points at, or a subject that one of them has, this rule says nothing.
	yields []string
	check  func(*audit, *judgement) []hit
}

// rules in the order of what matters: of a role's findings of one severity the first
// come first.
var rules = []rule{
	{id: "full-admin", title: "Full administrator access", worst: report.Critical, least: report.Low,
		looksAt: report.RuleIdentity, controls: []string{"IAM.1"}, source: "best-practices (IAM)",
		risk:   "Code in a job can do anything in the account.",
		remedy: "Replace it with the proposed policy; a training job never needs every action.", check: fullAdmin},
	{id: "own-permissions", title: "May change its own permissions", worst: report.Critical, least: report.Low,
		looksAt: report.RuleIdentity, source: "access_policies_boundaries", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can give the role any permission and so make itself administrator, as far as a boundary and the organization let it.",
		remedy: "Remove the IAM actions: an execution role never edits roles or policies.", check: ownPermissions},
	{id: "escalation", title: "Can become administrator or another role", worst: report.Critical, least: report.Low,
		looksAt: report.RuleIdentity, source: "id_roles_use_passrole; best-practices (IAM)", yields: []string{"full-admin", "own-permissions"},
		risk:   "Code in a job can go on as another role, step by step, up to an administrator. The finding tells the nearest way; reach.escalation of the report has the others.",
		remedy: "Narrow the permission of the first step to the roles that the jobs really hand on or assume, or drop it.", check: escalation},
	{id: "allow-not-action", title: "Allows everything but a list (NotAction)", worst: report.Critical, least: report.Low,
		looksAt: report.RuleIdentity, source: "reference_policies_elements_notaction", yields: []string{"full-admin"},
		risk:   "Code in a job can call every action that is not listed, new ones from the day AWS adds them.",
		remedy: "List the actions that the role needs instead: every new AWS action is granted the day it appears.", check: allowNotAction},
	{id: "iam-write", title: "May change IAM permissions", worst: report.Critical, least: report.Low,
		looksAt: report.RuleIdentity, source: "list_identityandaccessmanagement", yields: []string{"full-admin", "allow-not-action", "own-permissions"},
		risk:   "Code in a job can give permissions, or take the credentials, of other roles, users or groups, and go on as them.",
		remedy: "Remove the IAM actions: whoever runs code in the job can make themselves administrator.", check: iamWrite},
	{id: "passrole-any", title: "May pass any role (iam:PassRole on *)", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "id_roles_use_passrole", yields: []string{"full-admin", "own-permissions", "allow-not-action"},
		risk:   "Code in a job can hand any role of the account to a service that it may call, and run code as that role.",
		remedy: "Limit iam:PassRole to the role's ARN and to iam:PassedToService sagemaker.amazonaws.com; an execution role rarely needs it at all.", check: passRoleAny},
	{id: "trust-anyone", title: "Everybody may assume the role", worst: report.Critical, least: report.Medium,
		looksAt: report.RuleTrust, source: "reference_policies_elements_principal",
		risk:   "Whoever has AWS credentials, of any account, can act as the role unless a condition stops them.",
		remedy: "Name the principals that need the role in place of *; SageMaker is {\"Service\": \"sagemaker.amazonaws.com\"}.", check: trustAnyone},
	{id: "trust-federated-any", title: "A web identity provider's users may assume the role, whoever they are", worst: report.High, least: report.Medium,
		looksAt: report.RuleTrust, source: "id_roles_create_for-idp_oidc",
		risk:   "Everybody with a token of the provider can act as the role: of a public provider, anybody.",
		remedy: "Add a condition on the provider's sub claim that names the repository or the users.", check: trustFederatedAny},
	{id: "trust-cross-account", title: "Another account may assume the role", worst: report.High, least: report.Medium,
		looksAt: report.RuleTrust, source: "id_roles_common-scenarios_third-party",
		risk:   "Whoever controls the other account acts as the role, without a trace there that this account could read.",
		remedy: "Remove the account, or give it a role of its own; a third party needs a condition on sts:ExternalId.", check: trustCrossAccount},
	{id: "trust-without-sagemaker", title: "SageMaker cannot assume the role", worst: report.High, least: report.Info,
		looksAt: report.RuleTrust, source: "sagemaker-roles",
		risk:   "Jobs fail as they start: nobody can do more, and nothing works.",
		remedy: "Let sagemaker.amazonaws.com assume the role in its trust policy (sts:AssumeRole): PassRole succeeds without it and the job then fails.", check: trustWithoutSageMaker},
	{id: "missing-permission", title: "A permission that the jobs need is missing", worst: report.High, least: report.Medium,
		looksAt: report.RuleNeeds,
		risk:    "Jobs fail, or do less than they should.",
		remedy:  "Grant the action on the named resources.", check: missingPermission},
	{id: "blocked-permission", title: "A permission that the jobs need is blocked", worst: report.High, least: report.Medium,
		looksAt: report.RuleNeeds, source: "reference_policies_evaluation-logic",
		risk:   "Jobs fail, or do less than they should, although the role's own policies are right.",
		remedy: "Widen the layer that refuses, or stop needing it: the identity policy grants it already.", check: blockedPermission},
	{id: "s3-every-bucket", title: "S3 access to every bucket", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "s3-actions (service authorization reference)", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can read, change or destroy what any team keeps in S3, and copy data out to buckets of others.",
		remedy: "Limit the resources to the buckets and prefixes that the jobs use: see the proposed policy.", check: s3EveryBucket},
	{id: "secrets-every", title: "Reads every secret or parameter", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "auth-and-access_examples (Secrets Manager)", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can read the passwords and keys of every application, and go on as them.",
		remedy: "Name the secrets and parameters that the code reads, or drop the actions.", check: secretsEvery},
	{id: "credentials", title: "May get credentials of others", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "service authorization reference", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can log in to databases, instances and tools that have no permission of the role in front of them.",
		remedy: "Name the one database or instance that the code uses, or drop the actions.", check: credentials},
	{id: "presigned-url", title: "May open notebooks and Studio of others", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "API_CreatePresignedDomainUrl, API_CreatePresignedNotebookInstanceUrl", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can make a link to another notebook instance or user profile and act there with that one's role.",
		remedy: "Drop the action from the execution role: people open Studio with a role of their own.", check: presignedURL},
	{id: "code-of-others", title: "May change what others run", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "service authorization reference", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can put itself into functions, instances, stacks, builds or images of others and go on with their roles; no role has to be passed.",
		remedy: "Name the one function or job that the code updates, or drop the actions.", check: codeHits},
	{id: "assume-role-any", title: "May assume any role that lets it (sts:AssumeRole on *)", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "id_roles_use_permissions-to-switch", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can become every role, here and in other accounts, whose trust policy admits this account or this role.",
		remedy: "Name the roles that the code assumes, or drop the action.", check: assumeRoleAny},
	{id: "resource-exposure", title: "May open resources to others", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "access_policies_identity-vs-resource", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can write policies and grants of buckets, keys, queues and the like, and so give data to any account for good.",
		remedy: "Drop the actions: who may use a resource is not the business of a job.", check: resourceExposure},
	{id: "audit-tampering", title: "May hide its tracks", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "cloudtrail-concepts; cloudwatch-logs API_DeleteLogGroup", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Code in a job can stop what records and watches the account, or delete its logs.",
		remedy: "Drop the actions: a job writes its own log streams and deletes none.", check: auditTampering},
	{id: "kms-every-key", title: "Uses every KMS key", worst: report.High, least: report.Low,
		looksAt: report.RuleIdentity, source: "kms iam-policies-best-practices", yields: []string{"full-admin", "allow-not-action"},
		risk:   "Encryption protects nothing from code in a job: what it can read it can decrypt, as far as the key policies leave that to IAM.",
		remedy: "Name the keys that the jobs' buckets and volumes use, or add a condition on kms:ViaService.", check: kmsEveryKey},
	{id: "s3-key-pattern", title: "An S3 pattern that matches keys in any bucket", worst: report.Medium, least: report.Low,
		looksAt: report.RuleIdentity, source: "reference_policies_elements_resource", yields: []string{"full-admin", "s3-every-bucket"},
		risk:   "The * before the text runs over the slash: the pattern matches every key with that text in every bucket, of other accounts too. Code in a job only has to choose the key.",
		remedy: "Write the bucket out: arn:aws:s3:::NAME and arn:aws:s3:::NAME/PREFIX*.", check: s3KeyPattern},
	{id: "s3-bucket-pattern", title: "An S3 pattern that matches buckets of others", worst: report.Medium, least: report.Low,
		looksAt: report.RuleIdentity, source: "security-confused-deputy; reference_policies_condition-keys (aws:ResourceAccount)", yields: []string{"full-admin", "s3-every-bucket"},
		risk:   "Bucket names are global: anybody can create a bucket that the pattern matches, take what code in a job writes there, or feed it data and models.",
		remedy: "Write the bucket's whole name, or add a condition: StringEquals aws:ResourceAccount with this account.", check: s3BucketPattern},
	{id: "passrole-any-service", title: "May pass a role to any service", worst: report.Medium, least: report.Low,
		looksAt: report.RuleIdentity, source: "reference_policies_iam-condition-keys (iam:PassedToService)", yields: []string{"full-admin", "own-permissions", "allow-not-action", "passrole-any"},
		risk:   "Code in a job can run a passed role wherever the role's trust policy admits a service, not in SageMaker alone.",
		remedy: "Add a condition: StringEquals iam:PassedToService sagemaker.amazonaws.com.", check: passRoleAnyService},
	{id: "trust-open", title: "Principals of this account may assume the role", worst: report.Medium, least: report.Info,
		looksAt: report.RuleTrust, source: "reference_policies_elements_principal", yields: []string{"trust-federated-any"},
		risk:   "People and programs act as the role beside SageMaker: its use is no longer that of the jobs alone.",
		remedy: "Remove the principals that do not need the role, or give them a role of their own.", check: trustOpen},
	{id: "trust-mixed", title: "Another service may assume the role", worst: report.Medium, least: report.Low,
		looksAt: report.RuleTrust, source: "id_roles_terms-and-concepts (service role)",
		risk:   "Whoever may start an instance, a function or a job of that service with this role acts with what it grants.",
		remedy: "Give the other service a role of its own.", check: trustMixed},
	{id: "trust-weak-guard", title: "A confused-deputy guard that does not hold", worst: report.Low, least: report.Low,
		looksAt: report.RuleTrust, source: "security-confused-deputy-prevention (SageMaker)",
		risk:   "The condition looks like a guard and lets SageMaker act for other accounts all the same.",
		remedy: "Write StringEquals aws:SourceAccount with this account, without IfExists and without wildcards, and try it on one role first.", check: trustWeakGuard},
	{id: "sagemaker-full-access", title: "AmazonSageMakerFullAccess on an execution role", worst: report.Medium, least: report.Low,
		looksAt: report.RuleIdentity, source: "security-iam-awsmanpol",
		risk:   "Code in a job can use every feature of SageMaker, and read, create and delete what other teams run.",
		remedy: "Replace it with the proposed policy: AWS made it for people who use every feature of SageMaker, and changes it without asking.", check: sageMakerFullAccess},
	{id: "user-and-execution-role", title: "The role both starts jobs and runs them", worst: report.Medium, least: report.Medium,
		looksAt: report.RuleUse, source: "sagemaker-roles",
		risk:   "Code in a job can start further jobs, with any image and as any role that it may pass.",
		remedy: "Give people and pipelines a user role that may create jobs and pass this one; the execution role needs neither.", check: userAndExecutionRole},
	{id: "allow-not-resource", title: "Allows actions on all resources but a list (NotResource)", worst: report.Medium, least: report.Low,
		looksAt: report.RuleIdentity, source: "reference_policies_elements_notresource",
		yields: []string{"full-admin", "own-permissions", "allow-not-action", "iam-write", "passrole-any", "s3-every-bucket", "secrets-every", "credentials",
			"presigned-url", "assume-role-any", "resource-exposure", "audit-tampering", "kms-every-key"},
		risk:   "Code in a job reaches every resource that is not listed, those that are created tomorrow too.",
		remedy: "List the resources that the role needs instead.", check: allowNotResource},
	{id: "service-wildcard", title: "Allows every action of a service", worst: report.Medium, least: report.Info,
		looksAt: report.RuleIdentity, controls: []string{"IAM.21"}, source: "best-practices (IAM)", yields: []string{"full-admin", "allow-not-action", "allow-not-resource"},
		risk:   "Code in a job can also delete, and open to others, what the service holds.",
		remedy: "Name the actions: see the proposed policy.", check: serviceWildcard},
	{id: "denied-calls", title: "Calls were denied", worst: report.Medium, least: report.Info,
		looksAt: report.RuleUse,
		risk:    "A job does only half of its work, or somebody in a job tries what it may do.",
		remedy:  "Find out who made them: a job that half works, or somebody trying doors.", check: deniedCalls},
	{id: "narrowed-below-use", title: "A policy was narrowed below what the role used", worst: report.Medium, least: report.Medium,
		looksAt: report.RuleUse,
		risk:    "The next job that makes the call fails.",
		remedy:  "Make sure that the next job does without it, or grant it again on the named resources.", check: narrowedBelowUse},
	{id: "role-gone", title: "Jobs ran as a role that is gone", worst: report.Medium, least: report.Info,
		looksAt: report.RuleUse,
		risk:    "Whatever starts these jobs fails; who may create roles can create this one anew with other permissions.",
		remedy:  "Point whatever starts these jobs to a role that exists.", check: roleGone},
	{id: "idle-role", title: "Nobody uses the role", worst: report.Medium, least: report.Low,
		looksAt: report.RuleUse, source: "best-practices (IAM)",
		risk:   "Whoever may pass it can use what it grants, and nobody would miss it.",
		remedy: "Delete it, or take its policies away.", check: idleRole},
	{id: "trust-unguarded", title: "No confused-deputy guard on SageMaker", worst: report.Info, least: report.Info,
		looksAt: report.RuleTrust, source: "security-confused-deputy-prevention (SageMaker)",
		risk:   "Nothing in the trust policy says on whose behalf SageMaker may act as the role.",
		remedy: "Add a condition on aws:SourceAccount (this account) to the trust policy, and try it on one role first.", check: trustUnguarded},
	{id: "resource-policy-grant", title: "Another policy than the role's own lets it in", worst: report.Info, least: report.Info,
		looksAt: report.RuleUse, source: "access_policies_identity-vs-resource",
		risk:   "Taking the role's policies away does not take this away.",
		remedy: "Read the policy of the bucket, key or repository: what it allows is not in the role's policies, nor in the proposal.", check: resourcePolicyGrant},
	{id: "rule-contradicted", title: "A completed job did without a documented permission", worst: report.Info, least: report.Info,
		looksAt: report.RuleNeeds,
		risk:    "None for the account: what the job needs is less than documented, or comes from elsewhere.",
		remedy:  "Nothing to do for the role: another policy grants it, or our table of needs is wrong for this job. Please report it.", check: ruleContradicted},
}

// ruleRank is a rule's place in the table.
func ruleRank(id string) int {
	return slices.IndexFunc(rules, func(r rule) bool { return r.id == id })
}

// Rules are the ids of the rules, in the order of what matters.
func Rules() []string {
	ids := make([]string, len(rules))
	for i := range rules {
		ids[i] = rules[i].id
	}
	return ids
}

// RuleTable are the rules that findings come from, in the order of what matters.
func RuleTable() []report.Rule {
	out := make([]report.Rule, len(rules))
	for i := range rules {
		r := &rules[i]
		out[i] = report.Rule{ID: r.id, Title: r.title, Worst: r.worst, Least: r.least, LooksAt: r.looksAt,
			Risk: r.risk, Remedy: r.remedy, Source: r.source, Controls: list(slices.Clone(r.controls))}
	}
	return out
}
