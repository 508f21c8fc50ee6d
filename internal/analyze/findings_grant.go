package analyze

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

func isAny(pattern string) bool { return pattern != "" && strings.Trim(pattern, "*") == "" }

// everyAction and everyResource are the two halves of administrator access.
func everyAction(st *policy.Statement) bool {
	return !st.NotAction && slices.ContainsFunc(st.Actions, func(s string) bool { return isAny(s) || s == "*:*" })
}

func everyResource(st *policy.Statement) bool {
	return !st.NotResource && slices.ContainsFunc(st.Resources, isAny)
}

// under names the condition keys of a statement.
func under(st *policy.Statement) string {
	if st.Unconditional() {
		return ""
	}
	keys := map[string]struct{}{}
	for _, c := range st.Conditions {
		keys[c.Key] = struct{}{}
	}
	return " (under a condition on " + strings.Join(sorted(keys), ", ") + ")"
}

func subjectOf(ref *report.StatementRef) string {
	return fmt.Sprintf("%s#%s", ref.Policy, cmp.Or(ref.Sid, fmt.Sprint(ref.Index)))
}

// powers are calls of which administrator access holds all, one of each kind of harm:
// where boundary and organization leave none of them, it is not administrator access.
var powers = []string{"iam:CreateRole", "iam:AttachRolePolicy", "iam:CreateAccessKey", "s3:GetObject", "s3:DeleteBucket", "ec2:RunInstances",
	"lambda:CreateFunction", "kms:Decrypt", "secretsmanager:GetSecretValue", "sts:AssumeRole"}

func fullAdmin(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if !everyAction(st) || !everyResource(st) {
			return nil
		}
		f := &found{severity: report.Critical, says: "allows every action on every resource",
			could: fmt.Sprintf(" %s can do anything in the account.", capital(j.coder()))}
		f.held = holding(powers, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })
		switch n := len(f.held.refused); {
		case n == len(powers):
			f.could = ""
		case f.held.has("iam:AttachRolePolicy", "iam:CreateAccessKey", "iam:CreateRole"):
		case n > 0:
			// Administrator in name: another layer keeps it from becoming more.
			f.severity = report.High
			f.could = fmt.Sprintf(" %d actions are left of it after %s; %s can use those.", j.actions.count, layerNames[string(f.held.layer)], j.coder())
		}
		return f
	})
}

// ownChange is a way in which a role changes what it may do itself.
type ownChange struct {
	action   string
	resource string
	// lifts: it takes a limit away, rather than give a permission.
	lifts bool
}

// ownChanges are the ways in which a role could change its own permissions or trust.
// Source: AWS IAM actions (service authorization reference); a policy of AWS's own has no
// versions that a customer could write.
func (j *judgement) ownChanges() []ownChange {
	arn := j.grant.principal.ARN
	out := []ownChange{
		{"iam:AttachRolePolicy", arn, false}, {"iam:PutRolePolicy", arn, false},
	}
	for _, p := range j.grant.stack.Identity {
		if p.ARN != "" && !strings.Contains(p.ARN, ":iam::aws:policy/") {
			out = append(out, ownChange{"iam:CreatePolicyVersion", p.ARN, false}, ownChange{"iam:SetDefaultPolicyVersion", p.ARN, false})
		}
	}
	for _, p := range j.grant.stack.Boundary {
		out = append(out, ownChange{"iam:DeleteRolePermissionsBoundary", arn, true}, ownChange{"iam:PutRolePermissionsBoundary", arn, true})
		if !strings.Contains(p.ARN, ":iam::aws:policy/") {
			out = append(out, ownChange{"iam:CreatePolicyVersion", p.ARN, true}, ownChange{"iam:SetDefaultPolicyVersion", p.ARN, true})
		}
	}
	return append(out, ownChange{"iam:UpdateAssumeRolePolicy", arn, true}, ownChange{"iam:DeleteRolePolicy", arn, true}, ownChange{"iam:DetachRolePolicy", arn, true})
}

// denies reports whether some identity policy of the role refuses something: then to
// take one away may be to gain.
func (j *judgement) denies() bool {
	return slices.ContainsFunc(j.grant.stack.Identity, func(p policy.Policy) bool {
		return slices.ContainsFunc(p.Document.Statements(), func(st *policy.Statement) bool { return st.Effect == policy.Deny })
	})
}

func ownPermissions(a *audit, j *judgement) []hit {
	if j.grant == nil {
		return nil
	}
	changes := j.ownChanges()
	denies := j.denies()
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		f := &found{severity: report.High, tells: []string{"iam"}}
		where := map[string]string{}
		for _, c := range changes {
			if (c.action == "iam:DeleteRolePolicy" || c.action == "iam:DetachRolePolicy") && !denies {
				continue
			}
			h := holding([]string{c.action}, func(x string) hold { return a.holdOn(j, st, x, c.resource, j.grant.known) })
			if len(h.actions) > 0 && !c.lifts {
				f.severity = report.Critical
			}
			if !h.none() && where[c.action] == "" {
				where[c.action] = c.resource
				f.held.actions, f.held.refused = append(f.held.actions, h.actions...), append(f.held.refused, h.refused...)
				f.held.firm, f.held.layer = f.held.firm || h.firm, cmp.Or(f.held.layer, h.layer)
			}
		}
		if f.held.none() {
			return nil
		}
		names := f.held.names()
		on := "itself"
		if r := where[names[0]]; r != j.grant.principal.ARN {
			on = "its own policy " + r
		}
		f.says = fmt.Sprintf("lets the role call %s on %s", shortList(names, 3), on)
		switch {
		case len(f.held.actions) == 0:
		case f.severity == report.Critical:
			f.could = fmt.Sprintf(" %s can give the role every permission%s.", capital(j.coder()), j.within())
		case f.held.has("iam:UpdateAssumeRolePolicy"):
			f.could = fmt.Sprintf(" %s can let anybody else assume the role, for good.", capital(j.coder()))
		default:
			f.could = fmt.Sprintf(" %s can take away what limits the role.", capital(j.coder()))
		}
		return f
	})
}

// within says what still limits a role that writes its own policies.
func (j *judgement) within() string {
	if len(j.grant.stack.Boundary) > 0 {
		return " that its boundary allows"
	}
	return ""
}

// iamWrites are the actions by which a role can give itself more.
// Source: AWS IAM, the write and permissions-management actions of the service
// authorization reference that attach or edit policies, trust and credentials.
var iamWrites = []string{
	"iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:AttachGroupPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy", "iam:PutGroupPolicy",
	"iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:UpdateAssumeRolePolicy", "iam:DeleteRolePermissionsBoundary",
	"iam:PutRolePermissionsBoundary", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile", "iam:AddUserToGroup",
}

// iamWritesOfOthers are iamWrites and what does the same to users and to IAM Identity
// Center's permission sets.
// Source: AWS IAM and IAM Identity Center, service authorization reference.
var iamWritesOfOthers = append(slices.Clone(iamWrites), "iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary",
	"iam:CreateServiceSpecificCredential", "iam:ResetServiceSpecificCredential", "iam:UpdateAccessKey",
	"sso:AttachManagedPolicyToPermissionSet", "sso:AttachCustomerManagedPolicyReferenceToPermissionSet", "sso:PutInlinePolicyToPermissionSet", "sso:CreateAccountAssignment")

func iamWrite(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		f := &found{severity: report.Critical, tells: []string{"iam", "sso"}}
		f.held = holding(iamWritesOfOthers, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })
		where := "on every resource"
		if f.held.none() || len(f.held.actions) == 0 {
			limited := holding(iamWritesOfOthers, func(x string) hold { return a.somewhere(j, st, x) })
			if limited.none() {
				return nil
			}
			if len(limited.actions) > 0 || f.held.none() {
				f.held, f.severity = limited, report.High
				where = "on " + shortList(a.fitting(st, limited.names()[0]), 2)
			}
		}
		f.says = fmt.Sprintf("allows %s %s", shortList(f.held.names(), 3), where)
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" %s can %s.", capital(j.coder()), iamHarm(f.held))
		}
		return f
	})
}

// iamHarm says what comes of IAM actions on others.
func iamHarm(h held) string {
	switch {
	case h.has("iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile"):
		return "take the credentials of a user and go on as them"
	case h.has("iam:UpdateAssumeRolePolicy"):
		return "open another role to itself and go on as that role"
	case h.has("sso:AttachManagedPolicyToPermissionSet", "sso:PutInlinePolicyToPermissionSet", "sso:AttachCustomerManagedPolicyReferenceToPermissionSet", "sso:CreateAccountAssignment"):
		return "give people more than they were given"
	}
	return "give another role, user or group every permission"
}

func allowNotAction(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if !st.NotAction {
			return nil
		}
		f := &found{severity: report.High, says: fmt.Sprintf("allows every action but %s", shortList(st.Actions, 5))}
		if !everyResource(st) && !st.NotResource {
			f.severity, f.held = report.Low, held{actions: []string{"*"}, firm: st.Unconditional()}
			f.says += " on " + shortList(st.Resources, 3)
			return f
		}
		f.held = holding(powers, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })
		writes := holding(iamWrites, func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })
		switch {
		case f.held.none():
			f.held, f.severity = held{actions: []string{"*"}, firm: st.Unconditional()}, report.Medium
		case len(writes.actions) > 0:
			f.severity = report.Critical
			f.could = fmt.Sprintf(" %s among them: %s can make itself administrator.", capital(writes.actions[0]), j.coder())
		case len(f.held.actions) > 0:
			f.could = fmt.Sprintf(" %s among them: %s can use them on every resource.", shortList(f.held.actions, 3), j.coder())
		}
		return f
	})
}

// allowNotResource looks at statements that grant all resources but a list.
func allowNotResource(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if !st.NotResource || st.NotAction || everyAction(st) {
			return nil
		}
		f := &found{severity: report.Low, held: held{layer: j.narrower(), firm: st.Unconditional()}}
		for _, i := range a.library.expander.Actions(st) {
			switch action := a.library.catalog.Action(i); {
			case a.library.catalog.Resourceless(i): // nothing is left out of *
			case j.grant.set.Effective(i) == policy.No:
				f.held.refused = append(f.held.refused, action)
			default:
				f.held.actions = append(f.held.actions, action)
				if !a.library.catalog.IsReadOnly(i) {
					f.severity = report.Medium
				}
			}
		}
		if f.held.none() {
			return nil
		}
		f.says = fmt.Sprintf("allows %s on all resources but %s", shortList(st.Actions, 3), shortList(st.Resources, 3))
		if len(f.held.actions) > 0 {
			f.could = fmt.Sprintf(" That is %s on every other one, for %s.", counted(len(f.held.actions), "action"), j.coder())
		}
		return f
	})
}

var wholeService = regexp.MustCompile(`^[A-Za-z0-9-]+:\*+$`)

func serviceWildcard(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction || strings.HasSuffix(ref.Policy, fullAccess) {
			return nil // told by allow-not-action and sagemaker-full-access
		}
		var services []string
		for _, action := range st.Actions {
			if wholeService.MatchString(action) && !slices.Contains(j.told[*ref], strings.ToLower(serviceOf(action))) {
				services = append(services, action)
			}
		}
		if len(services) == 0 {
			return nil
		}
		slices.Sort(services)
		f := &found{severity: report.Medium, says: fmt.Sprintf("allows %s on every resource", shortList(services, 6))}
		if !everyResource(st) {
			where := "on " + shortList(st.Resources, 3)
			if st.NotResource {
				where = "on all resources but " + shortList(st.Resources, 3)
			}
			f.severity, f.says = report.Low, fmt.Sprintf("allows %s %s", shortList(services, 6), where)
		}
		total, opens := 0, 0
		var probe []string
		for _, i := range a.library.expander.Actions(st) {
			if !slices.ContainsFunc(services, func(s string) bool { return strings.EqualFold(serviceOf(s), a.library.catalog.Service(i)) }) {
				continue
			}
			if j.grant.set.Identity(i) == policy.No {
				continue // on other resources than its own, or under a Deny
			}
			total++
			if a.library.catalog.IsPermissionsManagement(i) {
				opens++
			}
			if j.grant.set.Effective(i) != policy.No {
				probe = append(probe, a.library.catalog.Action(i))
			}
		}
		f.held = held{actions: probe, firm: st.Unconditional()}
		if len(probe) == 0 {
			f.held = held{refused: services, layer: j.narrower()}
			return f
		}
		f.could = fmt.Sprintf(" That is %s", counted(total, "action"))
		if opens > 0 {
			f.could += fmt.Sprintf(", %d of which change who may use what", opens)
		}
		f.could += "."
		if len(probe) < total {
			f.could += fmt.Sprintf(" After %s %d of them are left.", layerNames[string(j.narrower())], len(probe))
		}
		return f
	})
}

// narrower is the layer to name where the effective grant is less than identity's.
func (j *judgement) narrower() policy.Layer {
	switch {
	case len(j.grant.stack.Boundary) > 0:
		return policy.LayerBoundary
	case j.grant.stack.SCPs != nil:
		return policy.LayerSCP
	}
	return policy.LayerIdentity
}

const fullAccess = ":aws:policy/AmazonSageMakerFullAccess"

func sageMakerFullAccess(a *audit, j *judgement) []hit {
	if j.grant == nil {
		return nil
	}
	for _, p := range j.grant.stack.Identity {
		if strings.HasSuffix(p.ARN, fullAccess) {
			return []hit{{severity: report.Medium, subject: p.ARN, // not one statement: all of it
				detail: fmt.Sprintf("%s %s is attached; the role is granted %d actions. %s can use every feature of SageMaker, and read, create and delete what other teams run.",
					p.Name, p.Version, j.actions.count, capital(j.coder()))}}
		}
	}
	return nil
}
