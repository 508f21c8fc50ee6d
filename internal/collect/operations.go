package collect

import (
	"slices"
	"strings"
)

// Operation is one AWS operation that a run may call.
type Operation struct {
	// Service is the IAM prefix of the service, Name the operation: "iam", "GetRole".
	Service, Name string
	// Actions are the IAM actions the caller needs for it, empty where AWS asks
	// for none.
	Actions []string
	// Why says what is read with it, in words for the person who is to allow it.
	Why string
	// Source is the AWS page that the actions come from.
	Source string

	// beside are further actions that a run of some options needs.
	beside func(*Options) []string
	// needed tells the runs that miss something without it; nil: every run.
	needed func(*Options) bool
}

// ID is the operation as snapshots and gaps name it: "iam:GetRole".
func (o Operation) ID() string { return o.Service + ":" + o.Name }

// Pages of the Service Authorization Reference.
const (
	pageSTS        = "API_GetCallerIdentity (AWS STS)"
	pageAccount    = "list_awsaccountmanagement"
	pageIAM        = "list_awsidentityandaccessmanagementiam"
	pageSageMaker  = "list_amazonsagemaker"
	pageCloudTrail = "list_awscloudtrail"
	pageKMS        = "list_awskeymanagementservice"
	pageS3         = "list_amazons3"
	pageECR        = "list_amazonelasticcontainerregistry"
)

func operation(service, name, source, why string, needed func(*Options) bool) Operation {
	return Operation{Service: service, Name: name, Actions: []string{service + ":" + name}, Why: why, Source: source, needed: needed}
}

// The runs that need an operation.
var (
	withUsage  = func(o *Options) bool { return o.readsUsage() }
	withLookup = func(o *Options) bool { return o.Usage == UsageLookup }
	// withObjects: log files in a bucket.
	withObjects = func(o *Options) bool { return o.readsLogObjects() }
	sweeping    = func(o *Options) bool { return !o.fewRoles() }
	// withManifests: reading objects is a strong permission for an auditor, so it is
	// never asked for unbidden.
	withManifests = func(o *Options) bool { return o.Manifests || o.readsLogObjects() }
	byName        = func(o *Options) bool { return o.fewRoles() }
	// asFallback: only where another operation was refused or fell short, which is a
	// gap by itself.
	asFallback = func(*Options) bool { return false }
)

var operations = []Operation{
	operation("account", "ListRegions", pageAccount, "the enabled regions, each of which may have jobs", nil),
	operation("cloudtrail", "DescribeTrails", pageCloudTrail, "the trails, which say what is recorded beyond Event history", withUsage),
	operation("cloudtrail", "GetEventSelectors", pageCloudTrail, "which events a trail records", withUsage),
	operation("cloudtrail", "GetTrailStatus", pageCloudTrail, "whether a trail is recording", withUsage),
	operation("cloudtrail", "LookupEvents", pageCloudTrail, "what the roles did, from Event history", withLookup),
	operation("ecr", "DescribePullThroughCacheRules", pageECR, "whether an image is pulled through a cache, which asks for more of the role", nil),
	operation("ecr", "DescribeRepositories", pageECR, "the account's repositories, to count those that a role may reach", nil),
	operation("iam", "GenerateServiceLastAccessedDetails", pageIAM, "have IAM make its report of when a role last reached each service", withUsage),
	operation("iam", "GetAccountAuthorizationDetails", pageIAM, "all roles and their policies in one sweep", sweeping),
	operation("iam", "GetPolicy", pageIAM, "a managed policy that was not in the sweep of all roles", nil),
	operation("iam", "GetPolicyVersion", pageIAM, "the document of a managed policy that was read on its own", nil),
	operation("iam", "GetRole", pageIAM, "one role: asked for by name, or named by jobs and not in the sweep", nil),
	operation("iam", "GetRolePolicy", pageIAM, "an inline policy of a role that is read alone", byName),
	operation("iam", "GetServiceLastAccessedDetails", pageIAM, "read that report", withUsage),
	operation("iam", "ListAttachedRolePolicies", pageIAM, "the managed policies of a role that is read alone", byName),
	operation("iam", "ListRolePolicies", pageIAM, "the inline policies of a role that is read alone", byName),
	operation("iam", "ListRoles", pageIAM, "the roles that trust SageMaker, where the sweep is refused", asFallback),
	operation("kms", "DescribeKey", pageKMS, "which key an alias or a key id means that a job names", nil),
	operation("kms", "GetKeyPolicy", pageKMS, "the policies of the keys that the roles use", nil),
	operation("kms", "ListKeys", pageKMS, "the account's keys, to count those that a role may use", nil),
	// The action's name differs (AWS: API_GetBucketEncryption).
	{Service: "s3", Name: "GetBucketEncryption", Actions: []string{"s3:GetEncryptionConfiguration"}, Source: pageS3,
		Why: "which key a bucket encrypts with by default, which jobs need to read it"},
	operation("s3", "GetBucketPolicy", pageS3, "the policies of the buckets that the roles use", nil),
	{Service: "s3", Name: "GetObject", Actions: []string{opGetObject}, beside: decrypting, Source: pageS3, needed: withManifests,
		Why: "log files of CloudTrail, and the manifests of input channels, which alone name the data"},
	// The action's name differs (AWS: API_ListBuckets).
	{Service: "s3", Name: "ListBuckets", Actions: []string{"s3:ListAllMyBuckets"}, Source: pageS3,
		Why: "the account's buckets, to count those that a role may reach"},
	{Service: "s3", Name: "ListObjectsV2", Actions: []string{"s3:ListBucket"}, Why: "which log files of CloudTrail there are", Source: pageS3, needed: withObjects},
	// Also with MaxDescribe below 0: a job so new that Search lacks it is known in no
	// other way.
	operation("sagemaker", "DescribeTrainingJob", pageSageMaker, "what Search does not show of a job, and jobs it does not show yet", nil),
	operation("sagemaker", "ListTrainingJobs", pageSageMaker, "a check on Search, and what to read without it", nil),
	operation("sagemaker", "Search", pageSageMaker, "the training jobs with their roles, 100 a call", nil),
	// "No permissions are required to perform this operation" (AWS: API_GetCallerIdentity).
	{Service: "sts", Name: "GetCallerIdentity", Why: "the account and who reads it", Source: pageSTS},
}

var allowed = func() map[string]bool {
	m := make(map[string]bool, len(operations))
	for _, o := range operations {
		m[o.ID()] = true
	}
	return m
}()

// Operations returns every operation that a run may call, by service and name.
// What the SDK itself calls to turn the user's profile into credentials (SSO, a
// role to assume, instance metadata) is not among them: that needs no permission
// in the account that is read.
func Operations() []Operation { return slices.Clone(operations) }

// Permissions returns the operations, by service and name, that a run with these
// options needs to leave no gap. It looks at Roles, Usage, Logs and Manifests alone: a run that is
// told its regions lists the enabled ones all the same, to know what it leaves out.
// What a run falls back to where one of these is refused is not among them.
func Permissions(o Options) []Operation {
	needed := slices.DeleteFunc(Operations(), func(op Operation) bool { return op.needed != nil && !op.needed(&o) })
	for i := range needed {
		if op := &needed[i]; op.beside != nil {
			op.Actions = append(slices.Clone(op.Actions), op.beside(&o)...)
		}
	}
	return needed
}

// decrypting: S3 asks KMS in the reader's name for the key of an encrypted log file
// (AWS: encrypting-cloudtrail-log-files-with-aws-kms, KMS services-s3).
func decrypting(o *Options) []string {
	if o.readsLogObjects() {
		return []string{actionDecrypt}
	}
	return nil
}

// permissionFor names the IAM actions that an operation needs, comma separated.
func permissionFor(id string) string {
	for _, o := range operations {
		if o.ID() == id {
			return strings.Join(o.Actions, ", ")
		}
	}
	return ""
}

// operationID names an operation of the SDK as [Operation.ID] does: the SDK's own
// service ids are "IAM", "SageMaker", "S3" ...
func operationID(serviceID, name string) string { return strings.ToLower(serviceID) + ":" + name }
