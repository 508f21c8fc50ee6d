package collect

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const opSweep = "iam:GetAccountAuthorizationDetails"

// iamPage is the most that IAM's lists give a page.
const iamPage = 1000

// fewest is up to how many roles are read one by one: that takes fewer calls than
// the sweep of a large account.
const fewest = 5

// roleSet is a set of roles and the managed policies that belong to them.
type roleSet struct {
	roles    []snapshot.Role
	policies []snapshot.ManagedPolicy
	// others are the account's other roles, nil where not all were listed.
	others []snapshot.RoleKey
	// grants are what escalation needs of the others, otherPolicies the managed policies of
	// these that no role kept has.
	grants        []snapshot.Other
	otherPolicies []snapshot.ManagedPolicy
}

// fewRoles reports whether the roles that were asked for are few and known by name.
func (o *Options) fewRoles() bool {
	return len(o.Roles) > 0 && len(o.Roles) <= fewest && !slices.ContainsFunc(o.Roles, snapshot.IsGlob)
}

// sweep reads all roles and policies of the account. It returns nil where it was
// not read to its end: then roles are read one by one.
func (r *run) sweep(ctx context.Context) *roleSet {
	api := r.clients.iam(r.home)
	set := new(roleSet)
	err := pages(func(marker *string) (*string, bool, error) {
		out, err := api.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{
			Filter:   []types.EntityType{types.EntityTypeRole, types.EntityTypeLocalManagedPolicy, types.EntityTypeAWSManagedPolicy},
			MaxItems: aws.Int32(iamPage), Marker: marker,
		})
		if err != nil {
			return nil, false, err
		}
		for i := range out.RoleDetailList {
			set.roles = append(set.roles, sweptRole(&out.RoleDetailList[i]))
		}
		for i := range out.Policies {
			if p, ok := sweptPolicy(&out.Policies[i]); ok {
				set.policies = append(set.policies, p)
			}
		}
		r.tell(Status{Source: snapshot.SourceRoles, Items: len(set.roles)})
		return following(out.IsTruncated, out.Marker)
	})
	if err != nil {
		r.failed(opSweep, "", "", r.sweepImpact(ctx), err)
		return nil
	}
	return set
}

// sweepImpact is what a sweep that failed leaves unsure: nothing but a detail,
// while there is time to read the roles one by one. What that misses has gaps of
// its own.
func (r *run) sweepImpact(ctx context.Context) snapshot.Impact {
	if ctx.Err() != nil {
		return snapshot.ImpactRoles
	}
	return snapshot.ImpactDetail
}

func sweptRole(d *types.RoleDetail) snapshot.Role {
	str := aws.ToString
	role := snapshot.Role{
		RoleKey: snapshot.RoleKey{ARN: str(d.Arn), ID: str(d.RoleId)},
		Name:    str(d.RoleName), Path: str(d.Path), CreatedAt: at(d.CreateDate), Trust: document(d.AssumeRolePolicyDocument),
		Boundary: boundaryOf(d.PermissionsBoundary), Tags: tagsOf(d.Tags), LastUsed: lastUsedOf(d.RoleLastUsed),
		Attached: attachedOf(d.AttachedManagedPolicies),
	}
	for _, p := range d.RolePolicyList {
		role.Inline = append(role.Inline, snapshot.InlinePolicy{Name: str(p.PolicyName), Document: document(p.PolicyDocument)})
	}
	for _, p := range d.InstanceProfileList {
		role.InstanceProfiles = append(role.InstanceProfiles, str(p.Arn))
	}
	return role
}

// sweptPolicy takes the default version of a policy, if the sweep has its document.
func sweptPolicy(p *types.ManagedPolicyDetail) (snapshot.ManagedPolicy, bool) {
	for _, v := range p.PolicyVersionList {
		if (v.IsDefaultVersion || aws.ToString(v.VersionId) == aws.ToString(p.DefaultVersionId)) && aws.ToString(v.Document) != "" {
			return snapshot.ManagedPolicy{
				ARN: aws.ToString(p.Arn), Name: aws.ToString(p.PolicyName), Version: aws.ToString(v.VersionId),
				Document: document(v.Document), UpdatedAt: at(p.UpdateDate),
			}, true
		}
	}
	return snapshot.ManagedPolicy{}, false
}

// document decodes a policy document. IAM sends them percent-encoded (AWS:
// API_GetPolicyVersion, RFC 3986: a plus is a plus); some endpoints send plain
// JSON, which begins with a brace. What cannot be decoded stays as it came.
func document(encoded *string) string {
	text := strings.TrimSpace(aws.ToString(encoded))
	if strings.HasPrefix(text, "{") {
		return text
	}
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

func boundaryOf(b *types.AttachedPermissionsBoundary) string {
	if b == nil {
		return ""
	}
	return aws.ToString(b.PermissionsBoundaryArn)
}

func attachedOf(policies []types.AttachedPolicy) []snapshot.AttachedPolicy {
	var kept []snapshot.AttachedPolicy
	for _, p := range policies {
		kept = append(kept, snapshot.AttachedPolicy{Name: aws.ToString(p.PolicyName), ARN: aws.ToString(p.PolicyArn)})
	}
	return kept
}

func tagsOf(tags []types.Tag) []snapshot.Tag {
	var kept []snapshot.Tag
	for _, t := range tags {
		kept = append(kept, snapshot.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return kept
}

func lastUsedOf(u *types.RoleLastUsed) snapshot.LastUsed {
	if u == nil {
		return snapshot.LastUsed{}
	}
	return snapshot.LastUsed{At: at(u.LastUsedDate), Region: aws.ToString(u.Region)}
}

// roles chooses the roles in scope: those that jobs and events name, those that
// InScope wants and, where roles were asked for, those alone. It takes them from
// the sweep, or reads them one by one where there is none.
func (r *run) roles(ctx context.Context, sweep *roleSet, named map[string]bool) *roleSet {
	reader := &roleReader{run: r, api: r.clients.iam(r.home), policies: make(map[string]snapshot.ManagedPolicy)}
	var found []snapshot.Role
	if sweep != nil {
		for _, p := range sweep.policies {
			reader.policies[p.ARN] = p
		}
		for _, role := range sweep.roles {
			if r.wanted(role, named) {
				found = append(found, role)
			}
		}
		found = append(found, reader.confirm(ctx, sweep, named)...)
	} else {
		found = reader.each(ctx, named)
	}
	kept := reader.withPolicies(ctx, found)
	complete := !reader.lost && ctx.Err() == nil
	if sweep != nil && complete {
		kept.others = otherRoles(sweep.roles, found)
		r.keepOthers(kept, sweep)
	}
	r.missingSelectors(kept.roles, named, complete)
	r.cover(snapshot.Coverage{Source: snapshot.SourceRoles, Scope: snapshot.ScopeAll, Items: len(kept.roles), Complete: complete})
	r.tell(Status{Source: snapshot.SourceRoles, Items: len(kept.roles), Done: true})
	return kept
}

// otherRoles are the roles of the account that were not kept.
func otherRoles(all, kept []snapshot.Role) []snapshot.RoleKey {
	is := make(map[snapshot.RoleKey]bool, len(kept))
	for i := range kept {
		is[kept[i].RoleKey] = true
	}
	others := []snapshot.RoleKey{}
	for i := range all {
		if !is[all[i].RoleKey] {
			others = append(others, all[i].RoleKey)
		}
	}
	return others
}

// moreRoles reads roles that turned out later to be named by events.
func (r *run) moreRoles(ctx context.Context, sweep *roleSet, names map[string]bool) *roleSet {
	reader := &roleReader{run: r, api: r.clients.iam(r.home), policies: make(map[string]snapshot.ManagedPolicy)}
	for _, p := range r.kept.policies {
		reader.policies[p.ARN] = p
	}
	var found []snapshot.Role
	if sweep == nil {
		sweep = new(roleSet)
	}
	for _, p := range sweep.policies {
		reader.policies[p.ARN] = p
	}
	arns := make(map[string][]string)
	for arn := range names {
		if i := slices.IndexFunc(sweep.roles, func(role snapshot.Role) bool { return role.ARN == arn }); i >= 0 {
			found = append(found, sweep.roles[i])
		} else if name := r.ours(arn); name != "" {
			arns[name] = append(arns[name], arn)
		}
	}
	reader.ask(ctx, slices.Sorted(maps.Keys(arns)), arns, func(role snapshot.Role) {
		if names[role.ARN] {
			found = append(found, role)
		}
	})
	return reader.withPolicies(ctx, found)
}

func (r *run) wanted(role snapshot.Role, named map[string]bool) bool {
	if len(r.Roles) > 0 {
		return r.asked(role.ARN)
	}
	return named[role.ARN] || r.InScope != nil && r.InScope(role)
}

// missingSelectors records the roles that were asked for by name and that neither
// IAM nor any job knows. Where not all roles could be read, nothing is missing yet.
func (r *run) missingSelectors(roles []snapshot.Role, named map[string]bool, complete bool) {
	if !complete {
		return
	}
	for _, s := range r.Roles {
		matches := func(role snapshot.Role) bool { return snapshot.MatchRole(s, role.ARN) }
		if snapshot.IsGlob(s) || slices.ContainsFunc(roles, matches) {
			continue
		}
		known := false
		for arn := range named {
			known = known || snapshot.MatchRole(s, arn)
		}
		if !known {
			r.missing(snapshot.Gap{Source: "iam:GetRole", Scope: s, Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonMissing,
				Detail: "there is no such role, and no training job names it"})
		}
	}
}

// noLongerOthers takes roles that were kept after all, and their policies, out of what is
// known of the account's other ones.
func (s *roleSet) noLongerOthers(more *roleSet) {
	is := make(map[string]bool)
	for i := range more.roles {
		is[more.roles[i].ARN] = true
	}
	for _, p := range more.policies {
		is[p.ARN] = true
	}
	s.others = slices.DeleteFunc(s.others, func(k snapshot.RoleKey) bool { return is[k.ARN] })
	s.grants = slices.DeleteFunc(s.grants, func(o snapshot.Other) bool { return is[o.ARN] })
	s.otherPolicies = slices.DeleteFunc(s.otherPolicies, func(p snapshot.ManagedPolicy) bool { return is[p.ARN] })
}
