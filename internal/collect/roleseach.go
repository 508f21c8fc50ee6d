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
	names := make(map[string][]string) // name -> the ARNs it may have, none for any
	for _, arn := range slices.Sorted(maps.Keys(named)) {
		if name := l.ours(arn); name != "" {
			names[name] = append(names[name], arn)
		}
	}
	for _, s := range l.Roles {
		if !snapshot.IsGlob(s) {
			names[nameOf(s)] = nil
		}
	}
	var listed map[string]bool
	if !l.fewRoles() {
		var wanted []string
		wanted, listed = l.listed(ctx)
		for _, name := range wanted {
			names[name] = nil
		}
	}
	var (
		roles    []snapshot.Role
		unlisted []string
	)
	l.ask(ctx, slices.Sorted(maps.Keys(names)), names, func(role snapshot.Role) {
		if listed != nil && !listed[role.Name] {
			unlisted = append(unlisted, role.Name)
		}
		if arns := names[role.Name]; (len(arns) == 0 || slices.Contains(arns, role.ARN)) && (len(l.Roles) == 0 || l.asked(role.ARN)) {
			roles = append(roles, role)
			l.tell(Status{Source: snapshot.SourceRoles, Items: len(roles)})
		}
	})
	l.short("iam:ListRoles", unlisted)
	return roles
}

// ask reads roles by their names, in their order, until a failure that the rest
// would share. A role that IAM does not have is gone, which is no gap.
func (l *roleReader) ask(ctx context.Context, todo []string, arns map[string][]string, found func(snapshot.Role)) {
	for i, name := range todo {
		role, err := l.role(ctx, name)
		switch {
		case err == nil:
			found(role)
		case hopeless(err):
			l.failed("iam:GetRole", fmt.Sprintf("%d roles from %s", len(todo)-i, name), err)
			return
		case reason(err) != snapshot.ReasonMissing:
			scopes := arns[name]
			if len(scopes) == 0 {
				scopes = []string{name}
			}
			for _, scope := range scopes {
				l.failed("iam:GetRole", scope, err)
			}
		}
	}
}

// confirm asks IAM for the roles that jobs and events name and the sweep does not
// have. Usually they are gone. Those that IAM has after all show that the sweep
// ended too early.
func (l *roleReader) confirm(ctx context.Context, sweep *roleSet, named map[string]bool) []snapshot.Role {
	swept := make(map[string]bool, len(sweep.roles))
	for i := range sweep.roles {
		swept[sweep.roles[i].ARN] = true
	}
	arns := make(map[string][]string)
	for _, arn := range slices.Sorted(maps.Keys(named)) {
		if name := l.ours(arn); name != "" && !swept[arn] {
			arns[name] = append(arns[name], arn)
		}
	}
	var (
		roles  []snapshot.Role
		unseen []string
	)
	l.ask(ctx, slices.Sorted(maps.Keys(arns)), arns, func(role snapshot.Role) {
		if swept[role.ARN] { // of the same name, and under another path
			return
		}
		unseen = append(unseen, role.Name)
		if l.wanted(role, named) {
			roles = append(roles, role)
		}
	})
	l.short(opSweep, unseen)
	return roles
}

// short records that a list of roles lacks some that IAM has: nobody knows which
// others it lacks.
func (l *roleReader) short(operation string, lacking []string) {
	if len(lacking) == 0 {
		return
	}
	l.lost = true
	l.missing(snapshot.Gap{Source: operation, Impact: snapshot.ImpactRoles, Reason: snapshot.ReasonShort,
		Detail: fmt.Sprintf("it lacks %d roles that jobs or events name and IAM has, the first of them %s", len(lacking), lacking[0])})
}

// ours is the name of a role of this account, else empty: another account's role
// cannot run a job here, and IAM would answer with ours of that name, or not at all.
func (r *run) ours(arn string) string {
	if p := strings.SplitN(arn, ":", 6); len(p) == 6 && (r.account.ID == "" || p[4] == r.account.ID) {
		return nameOf(arn)
	}
	return ""
}

// nameOf cuts the path off the ARN of a role.
func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// listed gives the names of the roles that the trust document, all that ListRoles
// shows of a role's policies, or a glob puts into scope; and of all that there are,
// nil where they could not be listed to the end.
func (l *roleReader) listed(ctx context.Context) (wanted []string, all map[string]bool) {
	all = make(map[string]bool)
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
			all[role.Name] = true
			if l.wanted(role, nil) {
				wanted = append(wanted, role.Name)
			}
		}
		return following(out.IsTruncated, out.Marker)
	})
	if err != nil {
		l.failed("iam:ListRoles", "", err)
		return wanted, nil
	}
	return wanted, all
}

// role reads one role. What of it cannot be read is in its Unread, with a gap each.
func (l *roleReader) role(ctx context.Context, name string) (snapshot.Role, error) {
	out, err := l.api.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(name)})
	if err != nil {
		return snapshot.Role{}, err
	}
	if out.Role == nil || aws.ToString(out.Role.Arn) == "" {
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
			if err == nil && aws.ToString(p.PolicyDocument) == "" {
				err = broken("an inline policy without a document")
			}
			if err != nil {
				return nil, false, err
			}
			role.Inline = append(role.Inline, snapshot.InlinePolicy{Name: name, Document: document(p.PolicyDocument)})
		}
		return following(out.IsTruncated, out.Marker)
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
		return following(out.IsTruncated, out.Marker)
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
	if v.PolicyVersion == nil || aws.ToString(v.PolicyVersion.Document) == "" {
		return p, "iam:GetPolicyVersion", broken("an answer without a policy document")
	}
	return snapshot.ManagedPolicy{
		ARN: arn, Name: aws.ToString(d.PolicyName), Version: aws.ToString(d.DefaultVersionId),
		Document: document(v.PolicyVersion.Document), UpdatedAt: at(d.UpdateDate),
	}, "", nil
}
