package collect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// roleReader reads roles one by one, and the policies that a sweep does not show.
type roleReader struct {
	*run
	api      *iam.Client
	policies map[string]snapshot.ManagedPolicy // by ARN: those read so far
	lost     bool                              // some role could not be read
}

func (l *roleReader) failed(operation, scope string, err error) {
	l.lost = true
	l.run.failed(operation, "", scope, snapshot.ImpactRoles, err)
}

// each reads the roles that are asked for or named, and, where no roles were asked
// for, those that InScope wants.
func (l *roleReader) each(ctx context.Context, named map[string]bool) []snapshot.Role {
	names := make(map[string]string) // name -> the ARN it is to have, "" for any
	for arn := range named {
		// Another account's role cannot run a job here; IAM would answer with ours
		// of that name, or not at all.
		if p := strings.SplitN(arn, ":", 6); len(p) == 6 && (l.account.ID == "" || p[4] == l.account.ID) {
			names[arn[strings.LastIndexByte(arn, '/')+1:]] = arn
		}
	}
	for _, s := range l.Roles {
		if !snapshot.IsGlob(s) {
			names[s[strings.LastIndexByte(s, '/')+1:]] = ""
		}
	}
	if !l.fewRoles() {
		for _, name := range l.listed(ctx) {
			names[name] = ""
		}
	}
	var roles []snapshot.Role
	todo := slices.Sorted(maps.Keys(names))
	for i, name := range todo {
		role, err := l.role(ctx, name)
		switch {
		case err == nil && (names[name] == "" || names[name] == role.ARN) && (len(l.Roles) == 0 || l.asked(role.ARN)):
			roles = append(roles, role)
			l.tell(Status{Source: snapshot.SourceRoles, Items: len(roles)})
		case err != nil && hopeless(err):
			l.failed("iam:GetRole", fmt.Sprintf("%d roles from %s", len(todo)-i, name), err)
			return roles
		case err != nil && reason(err) != snapshot.ReasonMissing:
			l.failed("iam:GetRole", name, err)
		}
	}
	return roles
}

// listed gives the names of the roles that the trust document, all that ListRoles
// shows of a role's policies, or a glob puts into scope.
func (l *roleReader) listed(ctx context.Context) []string {
	var names []string
	err := pages(func(marker *string) (*string, bool, error) {
		out, err := l.api.ListRoles(ctx, &iam.ListRolesInput{MaxItems: aws.Int32(iamPage), Marker: marker})
		if err != nil {
			return nil, false, err
		}
		for _, r := range out.Roles {
			role := snapshot.Role{
				RoleKey: snapshot.RoleKey{ARN: aws.ToString(r.Arn), ID: aws.ToString(r.RoleId)},
				Name:    aws.ToString(r.RoleName), Path: aws.ToString(r.Path), Trust: document(r.AssumeRolePolicyDocument),
			}
			if l.wanted(role, nil) {
				names = append(names, role.Name)
			}
		}
		return out.Marker, !out.IsTruncated, nil
	})
	if err != nil {
		l.failed("iam:ListRoles", "", err)
	}
	return names
}

// role reads one role. What of it cannot be read is in its Unread, with a gap each.
func (l *roleReader) role(ctx context.Context, name string) (snapshot.Role, error) {
	out, err := l.api.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
	if err != nil {
		return snapshot.Role{}, err
	}
	if out.Role == nil {
		return snapshot.Role{}, broken("an answer without a role")
	}
	d := out.Role
	role := snapshot.Role{
		RoleKey: snapshot.RoleKey{ARN: aws.ToString(d.Arn), ID: aws.ToString(d.RoleId)},
		Name:    aws.ToString(d.RoleName), Path: aws.ToString(d.Path), CreatedAt: at(d.CreateDate), Trust: document(d.AssumeRolePolicyDocument),
		Boundary: boundaryOf(d.PermissionsBoundary), Tags: tagsOf(d.Tags), LastUsed: lastUsedOf(d.RoleLastUsed),
	}
	l.inline(ctx, &role)
	l.attached(ctx, &role)
	return role, nil
}

func (l *roleReader) inline(ctx context.Context, role *snapshot.Role) {
	operation := "iam:ListRolePolicies"
	err := pages(func(marker *string) (*string, bool, error) {
		operation = "iam:ListRolePolicies"
		out, err := l.api.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: &role.Name, MaxItems: aws.Int32(iamPage), Marker: marker})
		if err != nil {
			return nil, false, err
		}
		operation = "iam:GetRolePolicy"
		for _, name := range out.PolicyNames {
			p, err := l.api.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role.Name, PolicyName: aws.String(name)})
			if err != nil {
				return nil, false, err
			}
			role.Inline = append(role.Inline, snapshot.InlinePolicy{Name: name, Document: document(p.PolicyDocument)})
		}
		return out.Marker, !out.IsTruncated, nil
	})
	if err != nil {
		role.Unread = append(role.Unread, "inline")
		l.failed(operation, role.ARN, err)
	}
}

func (l *roleReader) attached(ctx context.Context, role *snapshot.Role) {
	err := pages(func(marker *string) (*string, bool, error) {
		out, err := l.api.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{
			RoleName: &role.Name, MaxItems: aws.Int32(iamPage), Marker: marker})
		if err != nil {
			return nil, false, err
		}
		role.Attached = append(role.Attached, attachedOf(out.AttachedPolicies)...)
		return out.Marker, !out.IsTruncated, nil
	})
	if err != nil {
		role.Unread = append(role.Unread, "attached")
		l.failed("iam:ListAttachedRolePolicies", role.ARN, err)
	}
}

// withPolicies adds the managed policies of the roles, boundaries included. The
// sweep may lack an AWS managed policy that serves as a boundary only (undocumented;
// AWS: API_GetAccountAuthorizationDetails): such are read on their own.
func (l *roleReader) withPolicies(ctx context.Context, roles []snapshot.Role) *roleSet {
	kept := make(map[string]snapshot.ManagedPolicy)
	tried := make(map[string]bool)
	var given error
	have := func(arn string) bool {
		if tried[arn] {
			_, ok := kept[arn]
			return ok
		}
		tried[arn] = true
		p, ok := l.policies[arn]
		if !ok {
			var operation string
			err := given
			if err == nil {
				p, operation, err = l.policy(ctx, arn)
			} else {
				operation = "iam:GetPolicy"
			}
			if err != nil {
				l.failed(operation, arn, err)
				if hopeless(err) {
					given = err
				}
				return false
			}
		}
		kept[arn] = p
		return true
	}
	for i := range roles {
		role := &roles[i]
		for _, a := range role.Attached {
			if !have(a.ARN) && !slices.Contains(role.Unread, "attached") {
				role.Unread = append(role.Unread, "attached")
			}
		}
		if role.Boundary != "" && !have(role.Boundary) {
			role.Unread = append(role.Unread, "boundary")
		}
	}
	return &roleSet{roles: roles, policies: slices.Collect(maps.Values(kept))}
}

// policy reads the default version of a managed policy.
func (l *roleReader) policy(ctx context.Context, arn string) (p snapshot.ManagedPolicy, operation string, err error) {
	out, err := l.api.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String(arn)})
	if err != nil {
		return p, "iam:GetPolicy", err
	}
	if out.Policy == nil {
		return p, "iam:GetPolicy", broken("an answer without a policy")
	}
	d := out.Policy
	v, err := l.api.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: aws.String(arn), VersionId: d.DefaultVersionId})
	if err != nil {
		return p, "iam:GetPolicyVersion", err
	}
	if v.PolicyVersion == nil {
		return p, "iam:GetPolicyVersion", broken("an answer without a policy version")
	}
	return snapshot.ManagedPolicy{
		ARN: arn, Name: aws.ToString(d.PolicyName), Version: aws.ToString(d.DefaultVersionId),
		Document: document(v.PolicyVersion.Document), UpdatedAt: at(d.UpdateDate),
	}, "", nil
}
