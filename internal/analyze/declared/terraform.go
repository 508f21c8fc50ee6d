package declared

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// resource is an instance of a managed resource of either kind of file.
type resource struct {
	address, module, typ, name string
	index                      any
	values                     map[string]any
	// unknown mirrors values with true where a value is known only after apply,
	// sensitive with true where it is not to be shown.
	unknown, sensitive any
}

// Terraform reads what `terraform show -json` prints of a state or of a plan. account
// is the one that is audited: roles whose ARN names another are left out.
//
// Source: Terraform, internals/json-format.
func Terraform(name string, data []byte, account string) (*Account, error) {
	var head struct {
		FormatVersion  *string         `json:"format_version"`
		Values         json.RawMessage `json:"values"`
		PlannedValues  json.RawMessage `json:"planned_values"`
		Changes        json.RawMessage `json:"resource_changes"`
		Configuration  json.RawMessage `json:"configuration"`
		Lineage        json.RawMessage `json:"lineage"`
		ProviderSchema json.RawMessage `json:"provider_schemas"`
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return nil, errors.New("is a plan file of Terraform's own format: give what terraform show -json FILE prints")
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("is not what terraform show -json prints: %w", err)
	}
	t := &terraform{account: &Account{Name: name, Managed: map[string]Policy{}}, id: account, roles: map[string]*Role{}, names: map[string]int{}}
	switch {
	case head.FormatVersion == nil && head.Lineage != nil:
		return nil, errors.New("is a state file of Terraform's own format: give what terraform show -json prints")
	case head.FormatVersion == nil || head.ProviderSchema != nil:
		return nil, errors.New("is not what terraform show -json prints: it has no format_version of a state or plan")
	case head.PlannedValues != nil || head.Changes != nil || head.Configuration != nil:
		t.account.Source = SourcePlan
		if err := t.plan(data); err != nil {
			return nil, err
		}
	default:
		t.account.Source = SourceState
		if err := t.state(data); err != nil {
			return nil, err
		}
	}
	t.read()
	t.account.sort()
	return t.account, nil
}

// terraform is one file under way.
type terraform struct {
	account   *Account
	id        string
	config    *tfjson.Config
	resources []resource
	roles     map[string]*Role
	// names counts the roles of a name, those of other accounts too.
	names map[string]int
}

func (t *terraform) state(data []byte) error {
	var s tfjson.State
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("is no state that can be read: %w", err)
	}
	if s.Values == nil {
		return nil // an empty state
	}
	var walk func(m *tfjson.StateModule) error
	walk = func(m *tfjson.StateModule) error {
		if m == nil {
			return nil
		}
		for _, r := range m.Resources {
			if r == nil || r.Mode != tfjson.ManagedResourceMode || r.DeposedKey != "" {
				continue
			}
			var sensitive any
			if len(r.SensitiveValues) > 0 {
				if err := json.Unmarshal(r.SensitiveValues, &sensitive); err != nil {
					return fmt.Errorf("%s: sensitive_values: %w", r.Address, err)
				}
			}
			t.resources = append(t.resources, resource{address: r.Address, module: m.Address, typ: r.Type, name: r.Name, index: r.Index,
				values: r.AttributeValues, sensitive: sensitive})
		}
		for _, c := range m.ChildModules {
			if err := walk(c); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(s.Values.RootModule)
}

func (t *terraform) plan(data []byte) error {
	var p tfjson.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("is no plan that can be read: %w", err)
	}
	t.config = p.Config
	if p.Complete != nil && !*p.Complete {
		t.account.Partial = append(t.account.Partial, "the plan is not complete: it was targeted, or some of it is deferred")
	}
	var errored struct {
		Errored bool `json:"errored"`
	}
	if err := json.Unmarshal(data, &errored); err == nil && errored.Errored {
		t.account.Partial = append(t.account.Partial, "the plan ended in an error")
	}
	for _, c := range p.ResourceChanges {
		if c == nil || c.Mode != tfjson.ManagedResourceMode || c.DeposedKey != "" || c.Change == nil {
			continue
		}
		values, ok := c.Change.After.(map[string]any)
		if !ok {
			if c.Change.Actions.Forget() && strings.HasPrefix(c.Type, "aws_iam_") {
				t.account.Partial = append(t.account.Partial, c.Address+" leaves the state and stays live")
			}
			continue // deleted: no longer declared
		}
		t.resources = append(t.resources, resource{address: c.Address, module: c.ModuleAddress, typ: c.Type, name: c.Name, index: c.Index,
			values: values, unknown: c.Change.AfterUnknown, sensitive: c.Change.AfterSensitive})
	}
	return nil
}

// at is the mark of an attribute in a mirror of the values: true for the whole too.
func at(mirror any, key string) any {
	switch m := mirror.(type) {
	case bool:
		return m
	case map[string]any:
		return m[key]
	}
	return nil
}

// marked reports whether anything in a mirror is true.
func marked(mirror any) bool {
	switch m := mirror.(type) {
	case bool:
		return m
	case map[string]any:
		for _, v := range m {
			if marked(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(m, marked)
	}
	return false
}

const afterApply = "its value is known only after apply"

// text reads an attribute that is a string. "" is none, as the provider writes it.
func (r *resource) text(key string) Text { return textOf(r.values, r.unknown, r.sensitive, key) }

func textOf(values map[string]any, unknown, sensitive any, key string) Text {
	out := Text{Sensitive: marked(at(sensitive, key))}
	if marked(at(unknown, key)) {
		out.State, out.Why = Unknown, afterApply
		return out
	}
	switch v := values[key].(type) {
	case nil:
	case string:
		if v != "" {
			out.State, out.Value = Known, v
		}
	default:
		out.State, out.Why = Unknown, key+" is no text in this version of the provider"
	}
	return out
}

// texts reads an attribute that is a set of strings. open says that some of it is
// unknown.
func (r *resource) texts(key string) (list []string, open bool) {
	open = marked(at(r.unknown, key))
	switch v := r.values[key].(type) {
	case nil:
	case []any:
		for _, e := range v {
			if s, ok := e.(string); ok && s != "" {
				list = append(list, s)
			}
		}
	default:
		open = true
	}
	return list, open
}

// accountOf is the account in an ARN, empty without one.
func accountOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}

// read makes roles of the resources: first what others refer to.
func (t *terraform) read() {
	for i := range t.resources {
		switch r := &t.resources[i]; r.typ {
		case "aws_iam_policy":
			t.managed(r)
		case "aws_iam_role":
			t.role(r)
		}
	}
	for i := range t.resources {
		switch r := &t.resources[i]; r.typ {
		case "aws_iam_role_policy":
			t.inline(r)
		case "aws_iam_role_policy_attachment":
			t.attach(r, t.roleNamed(r, "role"))
		case "aws_iam_policy_attachment":
			names, open := r.texts("roles")
			if open {
				t.account.Partial = append(t.account.Partial, "the roles of "+r.address+" are known only after apply")
			}
			for _, name := range names {
				t.attach(r, t.owner(name))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.roles)) {
		role := t.roles[name]
		if t.names[name] > 1 {
			role.Open = append(role.Open, "several accounts of the file have a role of this name: whose a policy is cannot be told")
		}
		t.account.Roles = append(t.account.Roles, *role)
	}
}

func (t *terraform) managed(r *resource) {
	arn := r.text("arn")
	if arn.State != Known {
		return // nothing live has it yet
	}
	t.account.Managed[arn.Value] = Policy{Kind: Managed, Name: r.text("name").Value, ARN: arn.Value, Where: r.address, Document: r.text("policy")}
}

func (t *terraform) role(r *resource) {
	name := r.text("name")
	if name.State != Known {
		if r.text("arn").State != Known {
			return // to be created, under a name that is not known: nothing live is it
		}
		t.account.Partial = append(t.account.Partial, "the name of "+r.address+" is not known")
		return
	}
	t.names[name.Value]++
	arn := r.text("arn").Value
	if id := accountOf(arn); id != "" && id != t.id {
		return
	}
	if old := t.roles[name.Value]; old != nil {
		old.Open = append(old.Open, r.address+" declares a role of the same name")
		return
	}
	role := &Role{Name: name.Value, ARN: arn, Where: r.address, Trust: r.text("assume_role_policy"), TrustStated: true,
		Boundary: r.text("permissions_boundary"), BoundaryStated: true}
	t.roles[name.Value] = role
	t.own(r, role)
}

// own reads the policies that stand in the role's own resource. The provider fills both
// attributes with what it finds live where the configuration leaves them out
// (hashicorp/terraform-provider-aws, aws_iam_role), so they declare something only where
// the configuration has them, which a plan tells and a state does not.
func (t *terraform) own(r *resource, role *Role) {
	for _, key := range []string{"inline_policy", "managed_policy_arns"} {
		configured, told := t.configured(r, key, key == "inline_policy")
		if told && !configured {
			continue
		}
		if marked(at(r.unknown, key)) {
			role.Open = append(role.Open, key+" of "+r.address+" is known only after apply")
		}
		if key == "managed_policy_arns" {
			arns, _ := r.texts(key)
			for _, arn := range arns {
				role.Policies = append(role.Policies, Policy{Kind: Managed, ARN: arn, Where: r.address, Document: t.contentOf(arn), ReadBack: !told})
			}
			continue
		}
		blocks, _ := r.values[key].([]any)
		sensitive, _ := at(r.sensitive, key).([]any)
		unknown, _ := at(r.unknown, key).([]any)
		for i, b := range blocks {
			block, ok := b.(map[string]any)
			if !ok {
				continue
			}
			name := textOf(block, mirrorAt(unknown, i), nil, "name")
			if name.State != Known {
				continue // an empty block: no inline policy
			}
			document := textOf(block, mirrorAt(unknown, i), mirrorAt(sensitive, i), "policy")
			if marked(at(r.sensitive, key)) {
				document.Sensitive = true
			}
			role.Policies = append(role.Policies, Policy{Kind: Inline, Name: name.Value, Where: r.address, Document: document, ReadBack: !told})
		}
	}
}

func mirrorAt(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// contentOf is the document of a managed policy that the file declares.
func (t *terraform) contentOf(arn string) Text {
	if p, ok := t.account.Managed[arn]; ok {
		return p.Document
	}
	return Text{}
}

func (t *terraform) inline(r *resource) {
	role := t.roleNamed(r, "role")
	if role == nil {
		return
	}
	name := r.text("name")
	if name.State != Known {
		role.Open = append(role.Open, "the name of "+r.address+" is known only after apply")
		return
	}
	p := Policy{Kind: Inline, Name: name.Value, Where: r.address, Document: r.text("policy")}
	if i := slices.IndexFunc(role.Policies, func(q Policy) bool { return q.Kind == Inline && q.Name == p.Name }); i >= 0 {
		role.Policies[i] = p // its own resource says more than what the role's was filled with
		return
	}
	role.Policies = append(role.Policies, p)
}

func (t *terraform) attach(r *resource, role *Role) {
	if role == nil {
		return
	}
	arn := r.text("policy_arn")
	if arn.State != Known {
		role.Open = append(role.Open, "the policy of "+r.address+" is known only after apply")
		return
	}
	p := Policy{Kind: Managed, ARN: arn.Value, Where: r.address, Document: t.contentOf(arn.Value)}
	if i := slices.IndexFunc(role.Policies, func(q Policy) bool { return q.Kind == Managed && q.ARN == p.ARN }); i >= 0 {
		role.Policies[i] = p
		return
	}
	role.Policies = append(role.Policies, p)
}

// owner is the role of a name, made where the file declares policies of a role that it
// does not declare itself; nil for one that is another account's alone.
func (t *terraform) owner(name string) *Role {
	if role := t.roles[name]; role != nil {
		return role
	}
	if t.names[name] > 0 {
		return nil
	}
	// Of such a role only some policies are declared here, the rest elsewhere.
	role := &Role{Name: name, Where: t.account.Name, Open: []string{"the role itself is declared elsewhere"}}
	t.roles[name] = role
	return role
}

// roleNamed is the role that an attribute names, directly or, where that is known only
// after apply, by what the configuration refers to. Where neither tells, every role may
// be meant.
func (t *terraform) roleNamed(r *resource, key string) *Role {
	name := r.text(key)
	if name.State == Known {
		return t.owner(name.Value)
	}
	target := t.referred(r, key)
	for i := range t.resources {
		if q := &t.resources[i]; q.typ == "aws_iam_role" && q.address == target {
			if n := q.text("name"); n.State == Known {
				return t.owner(n.Value)
			}
			return nil // to be created, under a name that is not known
		}
	}
	t.account.Partial = append(t.account.Partial, "which role "+r.address+" belongs to is known only after apply")
	return nil
}
