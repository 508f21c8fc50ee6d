package policy

import "strings"

const (
	principalTag       = "aws:principaltag/"
	resourceAccountKey = "aws:resourceaccount"
)

// derive answers a condition key (in lower case) from the request's principal and
// resource. It holds in every context that does not state the key itself:
//
//	aws:PrincipalArn      the role's ARN, the user's or the root's
//	aws:PrincipalAccount  the principal's account
//	aws:PrincipalType     AssumedRole, User or Account
//	aws:username          the user's name; absent for roles and the root
//	aws:ResourceAccount   the account of the resource's ARN, or as stated
//
// AWS: reference_policies_variables "Principal key values", reference_policies_condition-keys.
func (r *Request) derive(key string) (string, presence) {
	if key == resourceAccountKey {
		if account := r.resourceAccount(); account != "" {
			return account, present
		}
		return "", unknown
	}
	p := &r.Principal
	if p.ARN == "" {
		return "", unknown
	}
	switch key {
	case "aws:principalarn":
		return p.ARN, present
	case "aws:principalaccount":
		return p.Account, present
	case "aws:principaltype":
		return [...]string{Role: "AssumedRole", User: "User", Root: "Account"}[p.Kind], present
	case "aws:username":
		if p.Kind == User {
			return p.name(), present
		}
		return "", absent
	}
	return "", unknown
}

// Facts are what an audit knows of the requests of a role beyond the policies.
type Facts struct {
	Principal   Principal         // the keys that follow from it; Decide and Access know their own
	Tags        map[string]string // of the role
	SessionTags bool              // the trust policy allows sts:TagSession
	Region      string            // of the call, "" if not known
	OrgID       string            // the organization's, "" if not known
	Request     map[string]string // keys of this very call: s3:prefix, iam:PassedToService, kms:ViaService ...
}

// Offline is the context of an audited role's request: what is known offline is
// present or absent, everything else unknown. Together with what Decide and Access
// derive from the resource (aws:ResourceAccount where its ARN tells) this is the
// whole table:
//
//	aws:PrincipalArn, aws:PrincipalAccount, aws:PrincipalType, aws:username
//	                      as derive says
//	aws:PrincipalTag/*    the role's tags; a tag the role lacks is absent. Unknown
//	                      when the trust policy lets the session bring tags of its own
//	aws:PrincipalOrgID    where given
//	aws:RequestedRegion   where given
//	aws:SecureTransport   true: the SDKs that act for a role speak TLS
//	any key of the call   where given
//
// AWS: reference_policies_condition-keys, id_session-tags.
func Offline(f Facts) Context {
	c := Context{entries: make(map[string]entry, len(f.Tags)+len(f.Request)+3)}
	put := func(key, value string) { c.entries[strings.ToLower(key)] = entry{[]string{value}, present} }
	put("aws:SecureTransport", "true")
	if f.Region != "" {
		put("aws:RequestedRegion", f.Region)
	}
	if f.OrgID != "" {
		put("aws:PrincipalOrgID", f.OrgID)
	}
	if !f.SessionTags {
		c.tagsKnown = true
		for key, value := range f.Tags {
			put(principalTag+key, value)
		}
	}
	who := Request{Principal: f.Principal}
	for _, key := range [...]string{"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username"} {
		switch value, p := who.derive(key); p {
		case present:
			put(key, value)
		case absent:
			c.entries[key] = entry{presence: absent}
		}
	}
	for key, value := range f.Request {
		put(key, value)
	}
	return c
}
