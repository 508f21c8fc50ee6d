package naive

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Case is one line of `audit simulate`. A context key that is not given is absent, unless Unknown names it.
type Case struct {
	ID               string            `json:"id"`
	Principal        string            `json:"principal"`
	Action           string            `json:"action"`
	Resource         string            `json:"resource"`
	ResourceAccount  string            `json:"resourceAccount"`
	Context          map[string]values `json:"context"`
	Unknown          []string          `json:"unknown"`
	IdentityPolicies []*document       `json:"identityPolicies"`
	Boundary         []*document       `json:"boundary"`
	SCPs             [][]*document     `json:"scps"`
	RCPs             [][]*document     `json:"rcps"`
	ResourcePolicy   *document         `json:"resourcePolicy"`
	SessionPolicy    *document         `json:"sessionPolicy"`
}

// Read decodes one line. Keys it does not know (the expectations of the corpus) are skipped.
func Read(line []byte) (*Case, error) {
	c := new(Case)
	if err := json.Unmarshal(line, c); err != nil {
		return nil, fmt.Errorf("case: %w", err)
	}
	return c, nil
}

// values is a string or a list of strings; numbers and booleans stand for their text.
// AWS: reference_policies_grammar ("values may be strings, numbers, or Booleans"; "[ ]" optional around one element).
type values []string

func (v *values) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	if data[0] != '[' {
		list = []json.RawMessage{data}
	} else if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*v = make(values, len(list))
	for i, item := range list {
		switch item[0] {
		case '"':
			if err := json.Unmarshal(item, &(*v)[i]); err != nil {
				return err
			}
		case '{', '[', 'n':
			return fmt.Errorf("%s is no string, number or Boolean", item)
		default:
			(*v)[i] = string(item)
		}
	}
	return nil
}

type document struct {
	Version   string
	Statement statements
}

// statements is a list or a single object. AWS: reference_policies_elements_statement.
type statements []statement

func (s *statements) UnmarshalJSON(data []byte) error {
	if data[0] == '[' {
		return json.Unmarshal(data, (*[]statement)(s))
	}
	*s = make(statements, 1)
	return json.Unmarshal(data, &(*s)[0])
}

type statement struct {
	Effect       string
	Action       values
	NotAction    values
	Resource     values
	NotResource  values
	Principal    *principals
	NotPrincipal *principals
	Condition    map[string]map[string]values
}

// hasVariables: variables exist since 2012-10-17; in any other version their text stands for itself.
// AWS: reference_policies_elements_version.
func (d *document) hasVariables() bool { return d.Version == "2012-10-17" }

// principals is "*" or an object from principal type to one or several names.
// AWS: reference_policies_elements_principal.
type principals struct {
	everyone bool
	aws      values
}

func (p *principals) UnmarshalJSON(data []byte) error {
	var star string
	if json.Unmarshal(data, &star) == nil {
		if star != "*" {
			return fmt.Errorf("principal %q", star)
		}
		p.everyone = true
		return nil
	}
	var byType map[string]values
	if err := json.Unmarshal(data, &byType); err != nil {
		return err
	}
	p.aws = byType["AWS"] // Service, Federated and CanonicalUser name nobody who can be a case's principal.
	for _, name := range p.aws {
		p.everyone = p.everyone || name == "*"
	}
	return nil
}

// caller is who makes the request, taken apart.
type caller struct {
	kind    string // role, session, user or root
	arn     string // of the role, user or root
	session string // ARN of the session; empty when it is not known
	account string
	name    string // of the role or user, without its path
}

func (c *Case) caller() caller {
	if !strings.Contains(c.Principal, ":") {
		return caller{kind: "root", arn: "arn:aws:iam::" + c.Principal + ":root", account: c.Principal}
	}
	parts := strings.SplitN(c.Principal, ":", 6)
	partition, account, resource := parts[1], parts[4], parts[5]
	name := resource[strings.LastIndex(resource, "/")+1:]
	switch {
	case resource == "root":
		return caller{kind: "root", arn: c.Principal, account: account}
	case strings.HasPrefix(resource, "user/"):
		return caller{kind: "user", arn: c.Principal, account: account, name: name}
	case strings.HasPrefix(resource, "assumed-role/"):
		// The session's ARN drops the path of its role. AWS: reference_identifiers.
		role := strings.Split(resource, "/")[1]
		return caller{kind: "session", arn: "arn:" + partition + ":iam::" + account + ":role/" + role,
			session: c.Principal, account: account, name: role}
	default:
		return caller{kind: "role", arn: c.Principal, account: account, name: name}
	}
}

// owner is the account of the resource, or empty when neither the case nor the ARN tells.
func (c *Case) owner() string {
	if c.ResourceAccount != "" {
		return c.ResourceAccount
	}
	if parts := strings.SplitN(c.Resource, ":", 6); len(parts) == 6 && len(parts[4]) == 12 {
		return parts[4]
	}
	return ""
}

// lookup finds a context key, whose name is case-insensitive (AWS: reference_policies_elements_condition), and says
// whether its value is known. A known key without values is absent.
func (c *Case) lookup(key string) (found values, known bool) {
	for _, unknown := range c.Unknown {
		if strings.EqualFold(unknown, key) {
			return nil, false
		}
	}
	for given, found := range c.Context {
		if strings.EqualFold(given, key) {
			return found, true
		}
	}
	// What every request carries. AWS: reference_policies_condition-keys, reference_policies_variables (principal table).
	who := c.caller()
	switch strings.ToLower(key) {
	case "aws:principalarn":
		return values{who.arn}, true
	case "aws:principalaccount":
		return values{who.account}, true
	case "aws:principaltype":
		return values{map[string]string{"role": "AssumedRole", "session": "AssumedRole", "user": "User", "root": "Account"}[who.kind]}, true
	case "aws:username":
		if who.kind == "user" {
			return values{who.name}, true
		}
	case "aws:resourceaccount":
		if owner := c.owner(); owner != "" {
			return values{owner}, true
		}
	}
	return nil, true
}
