package naive

import (
	"slices"
	"strings"
)

// Decide answers the case. On the may side (must == false) what is Unknown lets an Allow apply and keeps a Deny from
// applying; on the must side it is the other way round.
//
// The order is AWS's: reference_policies_evaluation-logic_policy-eval-denyallow.
func (c *Case) Decide(must bool) Answer {
	allows := func(t Truth) bool { return t == True || t == Unknown && !must }
	denies := func(t Truth) bool { return t == True || t == Unknown && must }
	who := c.caller()

	// Rule 27: SCPs and RCPs do not restrict service-linked roles.
	// AWS: orgs_manage_policies_scps, orgs_manage_policies_rcps.
	scps, rcps := c.SCPs, c.RCPs
	if strings.Contains(who.arn, ":role/aws-service-role/") {
		scps, rcps = nil, nil
	}
	// Rule 28: permissions boundaries and session policies are for users and roles, not for the account root user.
	// AWS: access_policies_boundaries.
	boundary, session := c.Boundary, c.SessionPolicy
	if who.kind == "root" {
		boundary, session = nil, nil
	}

	// Rule 29: an explicit Deny in any policy ends it.
	for _, layer := range []struct {
		name      string
		documents []*document
	}{
		{"scp", slices.Concat(scps...)},
		{"rcp", slices.Concat(rcps...)},
		{"resource", optional(c.ResourcePolicy)},
		{"identity", c.IdentityPolicies},
		{"boundary", boundary},
		{"session", optional(session)},
	} {
		if denies(c.any(must, "Deny", layer.name, layer.documents)) {
			return Answer{ExplicitDeny, layer.name}
		}
	}

	// Rule 30: RCPFullAWSAccess is attached everywhere and cannot be detached, so RCPs never deny implicitly.
	// AWS: orgs_manage_policies_rcps_syntax.

	// Rule 31: every level of the organization, from the root to the account, must have an Allow.
	// AWS: orgs_manage_policies_scps_evaluation.
	for _, level := range scps {
		if !allows(c.any(must, "Allow", "scp", level)) {
			return Answer{ImplicitDeny, "scp"}
		}
	}

	grant := c.resourceGrant(must)
	owner := c.owner()
	if owner != "" && owner != who.account {
		// Rule 32: across accounts both sides must allow. AWS: reference_policies_evaluation-logic-cross-account.
		// Where neither does, the side of the caller is named.
		consent := allows(or(grant.direct, or(grant.role, grant.account)))
		if !consent && (who.kind == "root" || allows(c.any(must, "Allow", "identity", c.IdentityPolicies))) {
			return Answer{ImplicitDeny, "resource"}
		}
		if !consent {
			return Answer{ImplicitDeny, "identity"}
		}
		if who.kind == "root" {
			return Answer{Allowed, "identity"}
		}
	} else {
		// Rule 33: what is granted to the session, the user or everyone is final, past implicit denies elsewhere.
		// AWS: reference_policies_evaluation-logic_policy-eval-basics, reference_policies_elements_principal.
		if allows(grant.direct) {
			return Answer{Allowed, "resource"}
		}
		// Rule 34: key policies and role trust policies must allow, even within the account; they may hand the decision
		// to IAM by naming the account. AWS: reference_policies_evaluation-logic_policy-eval-basics, kms key-policies.
		if c.ResourcePolicy != nil && c.mustBeAllowedByResource() && !allows(or(grant.role, grant.account)) {
			return Answer{ImplicitDeny, "resource"}
		}
		// Rule 35: the account root user has full access to its account.
		// AWS: reference_policies_evaluation-logic_policy-eval-denyallow.
		if who.kind == "root" {
			return Answer{Allowed, "identity"}
		}
	}

	// Rule 36: a grant to the role stands in for the identity policies, but stays within boundary and session policy.
	// AWS: reference_policies_evaluation-logic_policy-eval-basics.
	granted := "identity"
	if (owner == "" || owner == who.account) && allows(grant.role) {
		granted = "resource"
	} else if !allows(c.any(must, "Allow", "identity", c.IdentityPolicies)) {
		return Answer{ImplicitDeny, "identity"}
	}
	// Rule 37: the boundary must allow, if there is one. AWS: access_policies_boundaries.
	if boundary != nil && !allows(c.any(must, "Allow", "boundary", boundary)) {
		return Answer{ImplicitDeny, "boundary"}
	}
	// Rule 38: the session policy must allow, if there is one. AWS: access_policies (session policies).
	if session != nil && !allows(c.any(must, "Allow", "session", optional(session))) {
		return Answer{ImplicitDeny, "session"}
	}
	return Answer{Allowed, granted}
}

func optional(d *document) []*document {
	if d == nil {
		return nil
	}
	return []*document{d}
}

// mustBeAllowedByResource: requests that IAM policies alone never allow (rule 34).
func (c *Case) mustBeAllowedByResource() bool {
	parts := strings.SplitN(c.Resource, ":", 6)
	if len(parts) < 6 {
		return false
	}
	action := strings.ToLower(c.Action)
	switch {
	case strings.HasPrefix(action, "kms:"):
		return parts[2] == "kms" && strings.HasPrefix(parts[5], "key/")
	case strings.HasPrefix(action, "sts:assumerole"), action == "sts:tagsession", action == "sts:setsourceidentity":
		return parts[2] == "iam" && strings.HasPrefix(parts[5], "role/")
	}
	return false
}

// any is the truth of "some statement of this effect applies".
func (c *Case) any(must bool, effect, layer string, documents []*document) Truth {
	result := False
	for _, d := range documents {
		for _, s := range d.Statement {
			if s.Effect == effect {
				result = or(result, and(c.concerns(d, s, must), c.addresses(layer, s)))
			}
		}
	}
	return result
}

// concerns: action, resource and conditions of the statement fit the request.
func (c *Case) concerns(d *document, s statement, must bool) Truth {
	action, resource := False, False
	for _, pattern := range append(s.Action, s.NotAction...) {
		action = or(action, truth(MatchAction(pattern, c.Action)))
	}
	// Rule 39: NotAction is every action except those listed. AWS: reference_policies_elements_notaction.
	if s.NotAction != nil {
		action = not(action)
	}
	if action == False {
		return False
	}
	for _, pattern := range append(s.Resource, s.NotResource...) {
		resource = or(resource, c.matchResource(pattern, d.hasVariables(), must))
	}
	// Rule 40: NotResource is every resource except those listed. AWS: reference_policies_elements_notresource.
	if s.NotResource != nil {
		resource = not(resource)
	}
	// Rule 41: a trust policy has neither: its resource is the role. AWS: reference_policies_elements_resource.
	if s.Resource == nil && s.NotResource == nil {
		resource = True
	}
	return and(and(action, resource), c.conditions(s.Condition, d.hasVariables()))
}

// addresses: the caller is among the principals of a statement (of any form).
func (c *Case) addresses(layer string, s statement) Truth {
	if layer != "resource" && layer != "rcp" {
		return True // Rule 42: elsewhere the principal is whom the policy is attached to. AWS: reference_policies_elements_principal.
	}
	if s.NotPrincipal != nil {
		return c.notPrincipal(s.NotPrincipal)
	}
	if s.Principal == nil {
		return False
	}
	named := c.named(s.Principal)
	return or(named.direct, or(named.role, named.account))
}

// forms says in which forms the caller is named: as itself (or with everyone), as its role, as its account.
type forms struct{ direct, role, account Truth }

// Rule 43: a principal is everyone, an account (by its root ARN or id), a role, a session, a user; no partial wildcards;
// names are case-sensitive. AWS: reference_policies_elements_principal.
func (c *Case) named(p *principals) forms {
	who := c.caller()
	f := forms{direct: truth(p.everyone)}
	for _, name := range p.aws {
		switch {
		case name == who.account || strings.HasSuffix(name, ":root") && strings.Contains(name, "::"+who.account+":"):
			f.account = True
		case name == who.arn && who.kind == "user", name == who.session && who.session != "":
			f.direct = True
		case name == who.arn, who.kind == "session" && namesRole(name, who):
			f.role = True
		case who.kind == "role" && strings.Contains(name, ":sts::"+who.account+":assumed-role/"+who.name+"/"):
			f.direct = or(f.direct, Unknown) // the session's name is not known
		}
	}
	return f
}

// namesRole: the session's ARN drops the path of its role, but a role's name is unique in its account, whatever its path.
// AWS: reference_iam-quotas (name requirements).
func namesRole(arn string, who caller) bool {
	prefix, role, found := strings.Cut(arn, ":iam::"+who.account+":role/")
	return found && strings.HasPrefix(prefix, "arn:") && role[strings.LastIndex(role, "/")+1:] == who.name
}

// Rule 44: NotPrincipal with Deny exempts a caller whose account, role or user, and session are all listed; AWS "might"
// check each of them. A caller with a permissions boundary is always denied. AWS: reference_policies_elements_notprincipal.
func (c *Case) notPrincipal(p *principals) Truth {
	if c.Boundary != nil {
		return True
	}
	who := c.caller()
	if p.everyone {
		return False
	}
	named := c.named(p)
	asAccount, asItself := named.account == True, or(named.direct, named.role) == True
	switch who.kind {
	case "root":
		asItself = asAccount
	case "session":
		asItself = named.direct == True && named.role == True
	}
	switch {
	case asAccount && asItself:
		return False
	case named == forms{}:
		return True
	}
	return Unknown
}

// resourceGrant: in which forms the resource policy allows the request.
func (c *Case) resourceGrant(must bool) (grant forms) {
	for _, d := range optional(c.ResourcePolicy) {
		for _, s := range d.Statement {
			if s.Effect != "Allow" || s.Principal == nil {
				continue
			}
			concerned, named := c.concerns(d, s, must), c.named(s.Principal)
			grant.direct = or(grant.direct, and(concerned, named.direct))
			grant.role = or(grant.role, and(concerned, named.role))
			grant.account = or(grant.account, and(concerned, named.account))
		}
	}
	return grant
}
