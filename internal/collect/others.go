package collect

import (
	"fmt"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// What is kept of the account's other roles at most: roles, and characters of their
// policies. IAM has 1,000 roles an account by default and 5,000 at most (AWS:
// reference_iam-quotas).
const (
	mostOthers     = 10_000
	mostOtherBytes = 64 << 20
)

// keepOthers keeps of the roles that are not in scope what the sweep told of who may be
// them and of what they may do: a way to administrator leads through any role. Nothing
// more is asked for.
func (r *run) keepOthers(kept, sweep *roleSet) {
	other := make(map[snapshot.RoleKey]bool, len(kept.others))
	for _, k := range kept.others {
		other[k] = true
	}
	has := make(map[string]bool)
	for i := range kept.policies {
		has[kept.policies[i].ARN] = true
	}
	swept := make(map[string]*snapshot.ManagedPolicy, len(sweep.policies))
	for i := range sweep.policies {
		swept[sweep.policies[i].ARN] = &sweep.policies[i]
	}
	kept.grants, kept.otherPolicies = []snapshot.Other{}, []snapshot.ManagedPolicy{}
	size, left := 0, 0
	for i := range sweep.roles {
		role := &sweep.roles[i]
		if !other[role.RoleKey] {
			continue
		}
		size += len(role.Trust)
		for _, p := range role.Inline {
			size += len(p.Document)
		}
		if len(kept.grants) == mostOthers || size > mostOtherBytes {
			left++
			continue
		}
		kept.grants = append(kept.grants, snapshot.Other{RoleKey: role.RoleKey, Trust: role.Trust, Inline: role.Inline,
			Attached: role.Attached, Boundary: role.Boundary, Tags: role.Tags, InstanceProfiles: role.InstanceProfiles})
		arns := []string{role.Boundary}
		for _, p := range role.Attached {
			arns = append(arns, p.ARN)
		}
		for _, arn := range arns {
			if p := swept[arn]; p != nil && !has[arn] {
				has[arn] = true
				size += len(p.Document)
				kept.otherPolicies = append(kept.otherPolicies, *p)
			}
		}
	}
	if left > 0 {
		r.missing(snapshot.Gap{Source: opSweep, Scope: fmt.Sprintf("%d other roles", left), Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonShort,
			Detail: fmt.Sprintf("the policies of %d other roles and %d MiB are kept at most", mostOthers, mostOtherBytes>>20)})
	}
}
