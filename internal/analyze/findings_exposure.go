package analyze

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// onEvery makes a finding of each statement that grants actions of a list on every
// resource.
func (a *audit) onEvery(j *judgement, actions []string, say func(st *policy.Statement, f *found) bool) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction {
			return nil
		}
		f := &found{held: holding(actions, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })}
		if f.held.none() || !say(st, f) {
			return nil
		}
		return f
	})
}

// readsSecrets are the actions that hand out what an application keeps secret.
// Source: AWS Secrets Manager and Systems Manager, service authorization reference.
var readsSecrets = []string{"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath", "ssm:GetParameterHistory"}

func secretsEvery(a *audit, j *judgement) []hit {
	return a.onEvery(j, readsSecrets, func(st *policy.Statement, f *found) bool {
		f.severity, f.tells = report.Medium, []string{"secretsmanager"}
		what := "parameter of Systems Manager"
		if slices.ContainsFunc(f.held.names(), func(x string) bool { return strings.HasPrefix(x, "secretsmanager:") }) {
			f.severity, what = report.High, "secret of Secrets Manager"
		}
		f.says = fmt.Sprintf("allows %s on every resource", shortList(f.held.names(), 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can read every %s%s.", capital(j.coder()), what, meeting(st))
		}
		return true
	})
}

// givesCredentials are the actions that return credentials, or a way in, of something else
// than a role. Not among them: what only registries of images and packages take
// (ecr:GetAuthorizationToken, codeartifact:GetAuthorizationToken: jobs need them), what no
// policy of a role decides about (sts:GetSessionToken, sts:GetFederationToken,
// cognito-identity:GetCredentialsForIdentity, sso:GetRoleCredentials), and IAM's, of which
// iam-write speaks.
// Source: AWS service authorization reference.
var givesCredentials = []string{"airflow:CreateCliToken", "airflow:CreateWebLoginToken", "appsync:CreateApiKey", "codepipeline:PollForJobs",
	"connect:GetFederationToken", "ec2:GetPasswordData", "ec2-instance-connect:SendSSHPublicKey", "emr-containers:GetManagedEndpointSessionCredentials",
	"gamelift:GetComputeAccess", "gamelift:GetInstanceAccess", "grafana:CreateWorkspaceApiKey", "grafana:CreateWorkspaceServiceAccountToken",
	"lightsail:CreateBucketAccessKey", "lightsail:DownloadDefaultKeyPair", "lightsail:GetInstanceAccessDetails", "lightsail:GetRelationalDatabaseMasterUserPassword",
	"rds-db:connect", "redshift:GetClusterCredentials", "redshift:GetClusterCredentialsWithIAM", "redshift-serverless:GetCredentials"}

func credentials(a *audit, j *judgement) []hit {
	return a.onEvery(j, givesCredentials, func(st *policy.Statement, f *found) bool {
		f.severity = report.High
		f.says = fmt.Sprintf("allows %s on every resource", shortList(f.held.names(), 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can log in with what these return, past the role's own permissions.", capital(j.coder()))
		}
		return true
	})
}

// meeting limits a sentence to what the conditions of a statement let through.
func meeting(st *policy.Statement) string {
	if st.Unconditional() {
		return ""
	}
	return " that the condition lets through"
}

var opensNotebooks = []string{"sagemaker:CreatePresignedDomainUrl", "sagemaker:CreatePresignedNotebookInstanceUrl"}

func presignedURL(a *audit, j *judgement) []hit {
	return a.onEvery(j, opensNotebooks, func(st *policy.Statement, f *found) bool {
		f.severity = report.High
		f.says = fmt.Sprintf("allows %s on every resource", strings.Join(f.held.names(), " and "))
		if len(f.held.actions) > 0 {
			whose := "any user profile of Studio"
			switch {
			case !f.held.has(opensNotebooks[0]):
				whose = "any notebook instance"
			case f.held.has(opensNotebooks[1]):
				whose = "any notebook instance or user profile of Studio"
			}
			f.could = fmt.Sprintf(" %s can act as the role of %s.", capital(j.coder()), whose)
		}
		return true
	})
}

func assumeRoleAny(a *audit, j *judgement) []hit {
	return a.onEvery(j, []string{"sts:AssumeRole"}, func(st *policy.Statement, f *found) bool {
		f.severity, f.tells = report.Medium, []string{"sts"}
		f.says = "lets the role assume every role whose trust policy admits it"
		if len(f.held.actions) == 0 {
			return true
		}
		if open := a.admitting(j); len(open) > 0 {
			f.severity = report.High
			f.could = fmt.Sprintf(" Of the roles that were read these do: %s.", shortList(open, 3))
		} else {
			f.could = " None of the roles that were read does; those of other accounts are not known."
		}
		return true
	})
}

// admitting are the names of the roles that were read whose trust policy lets this role,
// or everybody of the account, assume them.
func (a *audit) admitting(j *judgement) []string {
	lets := a.admits()
	var out []string
	for _, who := range []string{"*", "AWS:arn:" + a.place.partition + ":iam::" + a.place.account + ":root", "AWS:" + a.place.account, "AWS:" + j.sub.key.ARN} {
		for _, r := range lets[who] {
			if r.ARN != j.sub.key.ARN {
				out = append(out, r.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// admittedBy are the roles that were read by whom their trust policies let in.
func (a *audit) admittedBy() map[string][]*snapshot.Role {
	out := map[string][]*snapshot.Role{}
	for i := range a.snapshot.Roles {
		r := &a.snapshot.Roles[i]
		d, err := policy.Parse([]byte(r.Trust))
		if err != nil {
			continue
		}
		for _, who := range readTrust(d).OtherPrincipals {
			out[who] = append(out[who], r)
		}
	}
	return out
}

// opens are the actions that change who may use a resource, IAM's own aside.
func (a *audit) opens(st *policy.Statement) []string {
	if v, ok := a.opening.Load(st); ok {
		return v.([]string)
	}
	c := a.library.catalog
	var out []string
	for _, i := range a.library.expander.Actions(st) {
		if c.IsPermissionsManagement(i) && !c.Resourceless(i) && !slices.Contains([]string{"iam", "sso", "sts", "organizations", "identitystore"}, c.Service(i)) {
			out = append(out, c.Action(i))
		}
	}
	a.opening.Store(st, out)
	return out
}

// wide reports whether some resource of a statement has a wildcard: without, it names all
// that it grants.
func wide(st *policy.Statement) bool {
	return st.NotResource || slices.ContainsFunc(st.Resources, func(r string) bool { return strings.ContainsAny(r, "*?") })
}

// resourceExposure leaves to service-wildcard, s3-every-bucket and kms-every-key what
// comes with a whole service, and passes by what jobs in a VPC need on every resource
// (AWS: sagemaker-roles, ec2:CreateNetworkInterfacePermission).
func resourceExposure(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction || everyAction(st) || !wide(st) {
			return nil
		}
		list := slices.DeleteFunc(slices.Clone(a.opens(st)), func(action string) bool {
			return slices.ContainsFunc(st.Actions, func(x string) bool { return wholeService.MatchString(x) && policy.MatchAction(x, action) }) ||
				slices.Contains(kmsOpens, action) || requirable()[action]
		})
		f := &found{severity: report.High, held: holding(list, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })}
		if f.held.none() {
			return nil
		}
		f.says = fmt.Sprintf("allows %s on every resource", shortList(f.held.names(), 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can let anybody in, of other accounts too, and keep the way open after the role is mended.", capital(j.coder()))
		}
		return f
	})
}

// hides are the actions that end or destroy a record of what happens in the account;
// those of logs destroy what applications and jobs wrote.
// Source: AWS CloudTrail, Config, GuardDuty, Security Hub, EC2 and CloudWatch Logs, service authorization reference.
var (
	hides = []string{"cloudtrail:StopLogging", "cloudtrail:DeleteTrail", "cloudtrail:UpdateTrail", "cloudtrail:PutEventSelectors", "cloudtrail:DeleteEventDataStore",
		"cloudtrail:StopEventDataStoreIngestion", "config:StopConfigurationRecorder", "config:DeleteConfigurationRecorder", "config:DeleteDeliveryChannel",
		"guardduty:DeleteDetector", "guardduty:UpdateDetector", "securityhub:DisableSecurityHub", "access-analyzer:DeleteAnalyzer", "ec2:DeleteFlowLogs"}
	hidesLogs = []string{"logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy"}
)

func auditTampering(a *audit, j *judgement) []hit {
	return a.onEvery(j, slices.Concat(hides, hidesLogs), func(st *policy.Statement, f *found) bool {
		f.severity, f.tells = report.Medium, []string{"cloudtrail", "config", "guardduty", "logs"}
		could := "delete the logs of other jobs and applications"
		if slices.ContainsFunc(f.held.names(), func(x string) bool { return slices.Contains(hides, x) }) {
			f.severity, could = report.High, "stop what records or watches the account before it goes on"
		}
		f.says = fmt.Sprintf("allows %s on every resource", shortList(f.held.names(), 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can %s.", capital(j.coder()), could)
		}
		return true
	})
}

// kmsOpens give a key to others or destroy it, kmsReads undo what it protects.
// Source: AWS KMS, service authorization reference.
var (
	kmsOpens = []string{"kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion", "kms:DisableKey"}
	kmsReads = []string{"kms:Decrypt", "kms:ReEncryptFrom"}
)

func kmsEveryKey(a *audit, j *judgement) []hit {
	return a.onEvery(j, slices.Concat(kmsOpens, kmsReads), func(st *policy.Statement, f *found) bool {
		f.severity, f.tells = report.Medium, []string{"kms"}
		could := "decrypt whatever it can read"
		if opens := slices.DeleteFunc(slices.Clone(f.held.names()), func(x string) bool { return !slices.Contains(kmsOpens, x) }); len(opens) > 0 {
			f.severity, could = report.High, "give keys to others, or destroy them and what they protect"
			if slices.Equal(opens, []string{"kms:CreateGrant"}) {
				could = "give any principal the use of any key"
			}
		}
		f.says = fmt.Sprintf("allows %s on every key", shortList(f.held.names(), 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can %s, as far as the key policies leave that to IAM.", capital(j.coder()), could)
		}
		return true
	})
}

// passedTo are the services that a statement's condition on iam:PassedToService allows;
// none for a statement that leaves the service open.
// Source: AWS reference_policies_iam-condition-keys.
func passedTo(st *policy.Statement) []string {
	var out []string
	for i := range st.Conditions {
		c := &st.Conditions[i]
		if strings.EqualFold(c.Key, "iam:PassedToService") && holdsTo(c.Operator) && !slices.ContainsFunc(c.Strings(), isAny) {
			out = append(out, c.Strings()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// holdsTo reports whether an operator lets through only what has one of its values: a
// comparison for equality or likeness, not negated, and not met by an absent key.
// Source: AWS reference_policies_elements_condition_operators,
// reference_policies_condition-single-vs-multi-valued-context-keys (ForAllValues).
func holdsTo(operator string) bool {
	o := strings.ToLower(operator)
	if strings.HasPrefix(o, "forallvalues:") || strings.HasSuffix(o, "ifexists") {
		return false
	}
	switch strings.TrimPrefix(o, "foranyvalue:") {
	case "stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress":
		return true
	}
	return false
}

var passRole = []string{"iam:PassRole"}

func passRoleAny(a *audit, j *judgement) []hit {
	return a.onEvery(j, passRole, func(st *policy.Statement, f *found) bool {
		f.severity = report.High
		to := "to any service that it may call"
		if services := passedTo(st); len(services) > 0 {
			to = "to " + shortList(services, 3)
		}
		f.says = "lets the role hand any role of the account " + to
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can run code as that role there.", capital(j.coder()))
		}
		return true
	})
}

func passRoleAnyService(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction || len(passedTo(st)) > 0 {
			return nil
		}
		f := &found{severity: report.Low, held: holding(passRole, func(x string) hold { return a.somewhere(j, st, x) })}
		if f.held.none() {
			return nil
		}
		which := a.fitting(st, "iam:PassRole")
		if slices.ContainsFunc(which, func(r string) bool { return strings.ContainsAny(r, "*?") }) {
			f.severity = report.Medium
		}
		f.says = fmt.Sprintf("lets the role hand %s to any service", shortList(which, 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can run code as that role in any service that its trust policy admits.", capital(j.coder()))
		}
		return f
	})
}
