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
)

func operation(service, name, source, why string) Operation {
	return Operation{Service: service, Name: name, Actions: []string{service + ":" + name}, Why: why, Source: source}
}

var operations = []Operation{
	operation("account", "ListRegions", pageAccount, "the enabled regions, each of which may have jobs"),
	operation("cloudtrail", "LookupEvents", pageCloudTrail, "what the roles did, from Event history"),
	operation("iam", "GetAccountAuthorizationDetails", pageIAM, "all roles and their policies in one sweep"),
	operation("iam", "GetPolicy", pageIAM, "a managed policy that the sweep does not show"),
	operation("iam", "GetPolicyVersion", pageIAM, "the document of such a policy"),
	operation("iam", "GetRole", pageIAM, "one role, where few are asked for or the sweep is refused"),
	operation("iam", "GetRolePolicy", pageIAM, "an inline policy of such a role"),
	operation("iam", "ListAttachedRolePolicies", pageIAM, "the managed policies of such a role"),
	operation("iam", "ListRolePolicies", pageIAM, "the inline policies of such a role"),
	operation("iam", "ListRoles", pageIAM, "the roles that trust SageMaker, where the sweep is refused"),
	operation("sagemaker", "DescribeTrainingJob", pageSageMaker, "what Search does not show of a training job"),
	operation("sagemaker", "ListTrainingJobs", pageSageMaker, "a check on Search, and what to read without it"),
	operation("sagemaker", "Search", pageSageMaker, "the training jobs with their roles, 100 a call"),
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

// operationID names an operation of the SDK as [Operation.ID] does: the SDK's own
// service ids are "IAM", "SageMaker", "CloudTrail" ...
func operationID(serviceID, name string) string { return strings.ToLower(serviceID) + ":" + name }
