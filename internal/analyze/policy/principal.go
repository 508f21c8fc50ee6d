package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Principal is who makes a request.
type Principal struct {
	ARN        string // of the role (with its path), the user, or the account's root
	SessionARN string // of the role's session, "" when its name is not known
	Account    string // 12 digits
	Kind       PrincipalKind

	pathless bool // ARN comes from a session's, which drops the role's path
}

// PrincipalKind tells the kinds of principals apart.
type PrincipalKind uint8

// The kinds of principals.
const (
	Role PrincipalKind = iota
	User
	Root
)

// ParsePrincipal reads an ARN of a role, a role session, a user or an account's root,
// or an account ID. A role session's role is taken to have no path: its ARN drops it
// (AWS: reference_identifiers).
func ParsePrincipal(text string) (Principal, error) {
	if isAccountID(text) {
		return Principal{ARN: "arn:aws:iam::" + text + ":root", Account: text, Kind: Root}, nil
	}
	parts := strings.SplitN(text, ":", arnParts)
	if len(parts) == arnParts && parts[0] == "arn" && isAccountID(parts[4]) {
		p := Principal{ARN: text, Account: parts[4]}
		kind, name, _ := strings.Cut(parts[5], "/")
		switch {
		case parts[2] == "iam" && kind == "root" && name == "":
			p.Kind = Root
			return p, nil
		case parts[2] == "iam" && kind == "user" && name != "":
			p.Kind = User
			return p, nil
		case parts[2] == "iam" && kind == "role" && name != "":
			return p, nil
		case parts[2] == "sts" && kind == "assumed-role":
			role, session, ok := strings.Cut(name, "/")
			if ok && role != "" && session != "" {
				p.ARN = "arn:" + parts[1] + ":iam::" + p.Account + ":role/" + role
				p.SessionARN, p.pathless = text, true
				return p, nil
			}
		}
	}
	return Principal{}, fmt.Errorf("%s is no ARN of a role, a role session, a user or an account's root, and no account ID", quote(text))
}

func isAccountID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}

// name is the last part of the ARN's path: the name of the role or user.
func (p *Principal) name() string { return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:] }

// serviceLinked reports whether the principal is a service-linked role, which SCPs and
// RCPs pass by (AWS: orgs_manage_policies_scps, orgs_manage_policies_rcps).
func (p *Principal) serviceLinked() bool {
	return p.Kind == Role && strings.Contains(p.ARN, ":role/aws-service-role/")
}

// grantee says as whom a Principal element names the principal: that decides what a
// resource policy's Allow is worth (AWS:
// reference_policies_evaluation-logic_policy-eval-denyallow).
type grantee uint8

const (
	granteeNone grantee = iota
	// granteeAccount: by account. It hands the decision to the identity policies.
	granteeAccount
	// granteeRole: by the role's ARN. Boundary and session policy still limit it.
	granteeRole
	// granteeDirect: as the session or user itself, or as anyone. Nothing but a
	// Deny, an SCP or an RCP limits it.
	granteeDirect
)

// named is how one entry of a Principal element names the principal. There are no
// wildcards but the lone * (AWS: reference_policies_elements_principal).
func (p *Principal) named(kind, value string) (grantee, verdict) {
	if value == "*" && (kind == "*" || kind == "AWS") {
		return granteeDirect, yes
	}
	if kind == "CanonicalUser" {
		// It is an account under a name that no context key tells.
		return granteeAccount, open
	}
	if kind != "AWS" {
		return granteeNone, no
	}
	if value == p.Account {
		return granteeAccount, yes
	}
	parts := strings.SplitN(value, ":", arnParts)
	if len(parts) != arnParts || parts[0] != "arn" || parts[4] != p.Account {
		return granteeNone, no
	}
	if partition := strings.SplitN(p.ARN, ":", 3); len(partition) < 2 || parts[1] != partition[1] {
		return granteeNone, no
	}
	sort, name, _ := strings.Cut(parts[5], "/")
	switch {
	case parts[2] == "iam" && parts[5] == "root":
		return granteeAccount, yes
	case parts[2] == "iam" && sort == "user" && p.Kind == User:
		return granteeDirect, decided(value == p.ARN)
	case parts[2] == "iam" && sort == "role" && p.Kind == Role:
		// Names of roles are unique in an account, whatever their paths.
		return granteeRole, decided(value == p.ARN || p.pathless && strings.HasSuffix(value, "/"+p.name()))
	case parts[2] == "sts" && sort == "assumed-role" && p.Kind == Role:
		if p.SessionARN != "" {
			return granteeDirect, decided(value == p.SessionARN)
		}
		if role, _, _ := strings.Cut(name, "/"); role == p.name() {
			return granteeDirect, open
		}
	}
	return granteeNone, no
}

// principalMatch is the verdict on a statement's Principal, apart by grantee.
type principalMatch [granteeDirect + 1]verdict

// matchesPrincipal matches a statement's Principal element.
func (s *Statement) matchesPrincipal(env *environment) principalMatch {
	var m principalMatch
	p := &env.request.Principal
	for _, set := range s.Principals {
		for _, value := range set.Values {
			as, v := p.named(set.Type, value)
			m[as] = m[as].or(v)
			if v.truth == Unknown {
				env.note("", "whether the Principal "+quote(value)+" is this principal is not known")
			}
		}
	}
	return m
}

// any is the verdict on the element as a whole.
func (m *principalMatch) any() verdict {
	return m[granteeAccount].or(m[granteeRole]).or(m[granteeDirect])
}

// exempt is the verdict on a NotPrincipal that lists the principal. AWS may check the
// account, the role and the session each, so all of them must be listed: with some,
// the answer is open. A principal with a permissions boundary is never exempt
// (AWS: reference_policies_elements_notprincipal).
func (m *principalMatch) exempt(p *Principal, everyone, bounded bool) verdict {
	account, role, direct := m[granteeAccount], m[granteeRole], m[granteeDirect]
	itself := role.or(direct)
	if p.SessionARN != "" {
		itself = role.and(direct)
	}
	switch {
	case bounded:
		return no
	case everyone:
		return yes
	case p.Kind == Root:
		return account
	case account.truth == True && itself.truth == True:
		return yes
	case m.any().truth == False:
		return no
	}
	return verdict{Unknown, true}
}

// everyone reports whether the statement's Principal element lists *.
func (s *Statement) everyone() bool {
	return slices.ContainsFunc(s.Principals, func(set PrincipalSet) bool {
		return (set.Type == "*" || set.Type == "AWS") && slices.Contains(set.Values, "*")
	})
}
