package awssim

import (
	"cmp"
	"maps"
	"slices"
)

// operation is one thing the server can do: how it is called and what answers it.
type operation struct {
	service  string
	name     string
	protocol protocol
	// needs is the IAM action, where it is not named as the operation is.
	needs    string
	regional bool // a region that is not enabled refuses it
	// public operations need no permission (AWS: API_GetCallerIdentity).
	public bool
	// resource gives the ARN an IAM policy would have to allow, "*" where the operation has no resource type.
	resource func(*call) string
	serve    func(*call) (any, error)
}

// action is the name of the operation in faults and counts, which nearly always is its IAM action too.
func (o *operation) action() string { return o.service + ":" + o.name }

// permission is the IAM action that the operation asks for.
func (o *operation) permission() string { return cmp.Or(o.needs, o.action()) }

func anyResource(*call) string { return "*" }

// operations are the read list: whatever is not in it is a violation.
var operations = byAction(
	operation{service: "sts", name: "GetCallerIdentity", protocol: query, public: true, resource: anyResource, serve: getCallerIdentity},

	operation{service: "account", name: "ListRegions", protocol: restJSON, resource: accountResource, serve: listRegions},

	operation{service: "iam", name: "GetAccountAuthorizationDetails", protocol: query, resource: anyResource, serve: getAccountAuthorizationDetails},
	operation{service: "iam", name: "GetRole", protocol: query, resource: roleResource, serve: getRole},
	operation{service: "iam", name: "ListRoles", protocol: query, resource: rolesResource, serve: listRoles},
	operation{service: "iam", name: "ListAttachedRolePolicies", protocol: query, resource: roleResource, serve: listAttachedRolePolicies},
	operation{service: "iam", name: "ListRolePolicies", protocol: query, resource: roleResource, serve: listRolePolicies},
	operation{service: "iam", name: "GetRolePolicy", protocol: query, resource: roleResource, serve: getRolePolicy},
	operation{service: "iam", name: "ListRoleTags", protocol: query, resource: roleResource, serve: listRoleTags},
	operation{service: "iam", name: "GetPolicy", protocol: query, resource: policyResource, serve: getPolicy},
	operation{service: "iam", name: "GetPolicyVersion", protocol: query, resource: policyResource, serve: getPolicyVersion},
	operation{service: "iam", name: "GenerateServiceLastAccessedDetails", protocol: query, resource: arnResource, serve: generateServiceLastAccessedDetails},
	operation{service: "iam", name: "GetServiceLastAccessedDetails", protocol: query, resource: anyResource, serve: getServiceLastAccessedDetails},

	operation{service: "sagemaker", name: "Search", protocol: json11, regional: true, resource: anyResource, serve: search},
	operation{service: "sagemaker", name: "ListTrainingJobs", protocol: json11, regional: true, resource: anyResource, serve: listTrainingJobs},
	operation{service: "sagemaker", name: "DescribeTrainingJob", protocol: json11, regional: true, resource: trainingJobResource, serve: describeTrainingJob},

	operation{service: "cloudtrail", name: "LookupEvents", protocol: json11, regional: true, resource: anyResource, serve: lookupEvents},
	operation{service: "cloudtrail", name: "DescribeTrails", protocol: json11, regional: true, resource: anyResource, serve: describeTrails},
	operation{service: "cloudtrail", name: "GetTrailStatus", protocol: json11, regional: true, resource: trailStatusResource, serve: getTrailStatus},
	operation{service: "cloudtrail", name: "GetEventSelectors", protocol: json11, regional: true, resource: eventSelectorsResource, serve: getEventSelectors},

	operation{service: "ecr", name: "DescribePullThroughCacheRules", protocol: json11, regional: true, resource: anyResource, serve: describePullThroughCacheRules},

	operation{service: "ecr", name: "DescribeRepositories", protocol: json11, regional: true, resource: repositoriesResource, serve: describeRepositories},

	operation{service: "s3", name: "ListBuckets", needs: "s3:ListAllMyBuckets", protocol: restXML, regional: true, resource: anyResource, serve: listBuckets},
	operation{service: "s3", name: "GetBucketEncryption", needs: "s3:GetEncryptionConfiguration", protocol: restXML, regional: true, resource: bucketResource, serve: getBucketEncryption},
	operation{service: "s3", name: "GetBucketPolicy", protocol: restXML, regional: true, resource: bucketResource, serve: getBucketPolicy},
	operation{service: "s3", name: "ListObjectsV2", protocol: restXML, regional: true, needs: "s3:ListBucket", resource: bucketResource, serve: listObjects},
	operation{service: "s3", name: "GetObject", protocol: restXML, regional: true, resource: objectResource, serve: getObject},

	operation{service: "kms", name: "DescribeKey", protocol: json11, regional: true, resource: keyResource, serve: describeKey},
	operation{service: "kms", name: "ListKeys", protocol: json11, regional: true, resource: anyResource, serve: listKeys},
	operation{service: "kms", name: "GetKeyPolicy", protocol: json11, regional: true, resource: keyResource, serve: getKeyPolicy},
)

func byAction(all ...operation) map[string]*operation {
	byAction := make(map[string]*operation, len(all))
	for i := range all {
		byAction[all[i].action()] = &all[i]
	}
	return byAction
}

// Operations lists the read operations the server answers, as service:Name, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }
