package declared

import (
	"fmt"
	"slices"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// configOf is the configuration of a resource, nil where there is none.
func (t *terraform) configOf(r *resource) *tfjson.ConfigResource {
	if t.config == nil {
		return nil
	}
	m := t.config.RootModule
	for _, call := range moduleCalls(r.module) {
		if m == nil || m.ModuleCalls[call] == nil {
			return nil
		}
		m = m.ModuleCalls[call].Module
	}
	if m == nil {
		return nil
	}
	for _, c := range m.Resources {
		if c != nil && c.Mode == tfjson.ManagedResourceMode && c.Type == r.typ && c.Name == r.name {
			return c
		}
	}
	return nil
}

// moduleCalls are the names of the calls in a module's address, without their keys:
// module.a["x.y"].module.b[0] is a, b.
func moduleCalls(address string) []string {
	var names []string
	for _, part := range splitAddress(address) {
		name, _, _ := strings.Cut(part, "[")
		names = append(names, name)
	}
	// Every second part is the word module.
	var calls []string
	for i := 1; i < len(names); i += 2 {
		calls = append(calls, names[i])
	}
	return calls
}

// splitAddress splits at the dots outside of keys.
func splitAddress(address string) []string {
	if address == "" {
		return nil
	}
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, address[start:i])
			start = i + 1
		}
	}
	return append(parts, address[start:])
}

// configured reports whether the configuration of a resource has an attribute. told is
// false where that cannot be seen: without a configuration, and of a block, which the
// configuration leaves out where it is a dynamic one.
func (t *terraform) configured(r *resource, key string, block bool) (configured, told bool) {
	c := t.configOf(r)
	if c == nil {
		return false, false
	}
	configured = c.Expressions[key] != nil
	return configured, configured || !block
}

// referred is the address of the one role that the configuration of an attribute refers
// to, empty where it is none or several.
func (t *terraform) referred(r *resource, key string) string {
	c := t.configOf(r)
	if c == nil || c.Expressions[key] == nil || c.Expressions[key].ExpressionData == nil {
		return ""
	}
	found := ""
	for _, ref := range c.Expressions[key].References {
		parts := splitAddress(ref)
		if len(parts) < 2 || parts[0] != "aws_iam_role" {
			continue
		}
		address := parts[0] + "." + parts[1]
		if r.module != "" {
			address = r.module + "." + address
		}
		if found != "" && !strings.HasPrefix(found, address) && !strings.HasPrefix(address, found) {
			return ""
		}
		if len(address) > len(found) {
			found = address
		}
	}
	if found == "" {
		return ""
	}
	var instances []string
	for i := range t.resources {
		if q := &t.resources[i]; q.typ == "aws_iam_role" && (q.address == found || strings.HasPrefix(q.address, found+"[")) {
			instances = append(instances, q.address)
		}
	}
	// One of several instances is known where it has the key of the resource that names it.
	own := slices.ContainsFunc(c.Expressions[key].References, func(ref string) bool { return ref == "each.key" || ref == "count.index" })
	switch {
	case len(instances) == 1:
		return instances[0]
	case own && slices.Contains(instances, found+keyWords(r.index)):
		return found + keyWords(r.index)
	}
	return ""
}

// keyWords is an instance's key as addresses spell it.
func keyWords(index any) string {
	switch k := index.(type) {
	case string:
		return fmt.Sprintf("[%q]", k)
	case float64:
		return fmt.Sprintf("[%d]", int(k))
	}
	return ""
}
