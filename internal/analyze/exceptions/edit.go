package exceptions

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// Added says what Add did with the entries.
type Added struct {
	// New were written, Renewed stood there and had expired. Held stood there and hold.
	New, Renewed, Held []Entry
	// Unsafe were left out: their text could look like other text, or their role is no
	// name of one, so a person is to write them.
	Unsafe []Entry
}

// Add writes entries into the text of a file, which may be empty: what stands there
// stays, in its order and with its comments; blank lines may go. An entry that holds at
// the day of the new one's start is left as it is, one that has expired is renewed. The
// result is read again before it is returned.
func Add(name string, text []byte, rules []string, entries []Entry, holds func(*Entry) bool) ([]byte, *Added, error) {
	old := &File{Name: name}
	if len(bytes.TrimSpace(text)) == 0 {
		text = fmt.Appendf(nil, "version: %d\n", Version)
	} else {
		var err error
		if old, err = Parse(name, text, rules); err != nil {
			return nil, nil, err
		}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	list := acceptList(doc.Content[0])
	added := &Added{}
	byKey := map[Entry]int{}
	key := func(e *Entry) Entry {
		return Entry{Rule: e.Rule, Role: e.Role, Subject: e.Subject, AllSubjects: e.AllSubjects}
	}
	want := slices.Clone(old.Entries)
	for i := range want {
		byKey[key(&want[i])] = i
	}
	for _, e := range entries {
		i, there := byKey[key(&e)]
		switch {
		case !e.safe():
			added.Unsafe = append(added.Unsafe, e)
		case !there:
			byKey[key(&e)] = len(want)
			want = append(want, e)
			list.Content = append(list.Content, e.node())
			added.New = append(added.New, e)
		case holds(&want[i]):
			added.Held = append(added.Held, want[i])
		default:
			want[i].Reason, want[i].Owner, want[i].Expires = e.Reason, e.Owner, e.Expires
			renew(list.Content[i], &e)
			added.Renewed = append(added.Renewed, e)
		}
	}
	if len(added.New)+len(added.Renewed) == 0 {
		return text, added, nil
	}
	out, err := encode(&doc)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return out, added, check(name, out, rules, want, old.Severities)
}

// safe reports whether all of the entry's text shows as what it is.
func (e *Entry) safe() bool {
	for _, s := range []string{e.Rule, e.Role, e.Subject, e.Reason, e.Owner} {
		if len(s) > maxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return false
		}
	}
	return snapshot.CheckSelector(e.Role) == nil && (e.AllSubjects || strings.TrimSpace(e.Subject) != "")
}

// acceptList is the list under accept, which is made where there is none.
func acceptList(root *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "accept" {
			continue
		}
		list := root.Content[i+1]
		if list.Kind != yaml.SequenceNode { // nothing behind it
			list.Kind, list.Tag, list.Value, list.Style = yaml.SequenceNode, "!!seq", "", 0
		}
		if len(list.Content) == 0 {
			list.Style = 0 // []: the new entries get lines of their own
		}
		return list
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	root.Style = 0
	root.Content = append(root.Content, scalar("accept"), list)
	return list
}

func scalar(text string) *yaml.Node {
	n := new(yaml.Node)
	setText(n, text)
	return n
}

// setText makes a node text, for older readers of YAML as well: to them yes is a truth.
func setText(n *yaml.Node, text string) {
	n.SetString(text)
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off":
		n.Style = yaml.SingleQuotedStyle
	}
}

func dateNode(e *Entry) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!timestamp", Value: day(e.Expires)}
}

func (e *Entry) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	add := func(name string, value *yaml.Node) { n.Content = append(n.Content, scalar(name), value) }
	add("rule", scalar(e.Rule))
	add("role", scalar(e.Role))
	if e.AllSubjects {
		add("allSubjects", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	} else {
		add("subject", scalar(e.Subject))
	}
	add("reason", scalar(e.Reason))
	add("owner", scalar(e.Owner))
	add("expires", dateNode(e))
	return n
}

// renew gives the entry's node the new reason, owner and date.
func renew(n *yaml.Node, e *Entry) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		switch n.Content[i].Value {
		case "reason":
			setText(value, e.Reason)
		case "owner":
			setText(value, e.Owner)
		case "expires":
			value.Tag, value.Value, value.Style = "!!timestamp", day(e.Expires), 0
		}
	}
}

func encode(doc *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(doc), enc.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// check errs if the text does not say what it is to say.
func check(name string, text []byte, rules []string, want []Entry, severities []Severity) error {
	got, err := Parse(name, text, rules)
	if err != nil {
		return fmt.Errorf("internal error: what was to be written cannot be read: %w", err)
	}
	if !slices.EqualFunc(got.Entries, want, func(a, b Entry) bool {
		return a.same(&b) && a.Reason == b.Reason && a.Owner == b.Owner && a.Expires.Equal(b.Expires)
	}) || !slices.EqualFunc(got.Severities, severities, func(a, b Severity) bool { return a.Rule == b.Rule && a.Severity == b.Severity }) {
		return fmt.Errorf("internal error: %s would not say what it is to say", name)
	}
	return nil
}
