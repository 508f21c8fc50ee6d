package exceptions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// SyntaxError says what is wrong with a file, and where.
type SyntaxError struct {
	Name string
	Line int // 0 where it is not known
	// Field is the path of the field ("accept[2].expires"), empty for the file.
	Field string
	Msg   string
}

func (e *SyntaxError) Error() string {
	at := e.Name
	if e.Line > 0 {
		at += ":" + strconv.Itoa(e.Line)
	}
	if e.Field != "" {
		at += ": " + e.Field
	}
	return at + ": " + e.Msg
}

// mostErrors bounds what is told of a file at once.
const mostErrors = 10

// maxText bounds a text of the file, in bytes.
const maxText = 4096

// Parse reads a file. rules are the names of the rules that there are. Errors are
// *SyntaxError, several of them joined.
func Parse(name string, text []byte, rules []string) (*File, error) {
	p := &parser{name: name, rules: rules}
	f := p.file(text)
	if len(p.errs) > 0 {
		if p.more > 0 {
			p.errs = append(p.errs, fmt.Errorf("%s: and %d more errors", name, p.more))
		}
		return nil, errors.Join(p.errs...)
	}
	return f, nil
}

type parser struct {
	name  string
	rules []string
	errs  []error
	more  int
}

func (p *parser) fail(line int, field, format string, args ...any) {
	if len(p.errs) == mostErrors {
		p.more++
		return
	}
	p.errs = append(p.errs, &SyntaxError{p.name, line, field, fmt.Sprintf(format, args...)})
}

func (p *parser) file(text []byte) *File {
	if len(text) > MaxSize {
		p.fail(0, "", "is larger than %d bytes", MaxSize)
		return nil
	}
	root := p.document(text)
	if root == nil {
		return nil
	}
	f := &File{Name: p.name, Entries: []Entry{}}
	for _, x := range p.object(root, "", []string{"version"}, []string{"accept", "severity"}) {
		switch x.name {
		case "version":
			if x.value.Kind != yaml.ScalarNode || x.value.ShortTag() != "!!int" || x.value.Value != strconv.Itoa(Version) {
				p.fail(x.value.Line, "version", "not %d, the version that this audit reads", Version)
			}
		case "accept":
			p.entries(f, x.value)
		case "severity":
			p.severities(f, x.value)
		}
	}
	return f
}

// document gives the root of the one document of the text, nil after an error.
func (p *parser) document(text []byte) *yaml.Node {
	if !utf8.Valid(text) {
		p.fail(0, "", "is not UTF-8")
		return nil
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := d.Decode(&doc); {
	case errors.Is(err, io.EOF):
		p.fail(0, "", "is empty; it begins with version: %d", Version)
		return nil
	case err != nil:
		p.broken(err)
		return nil
	}
	switch err := d.Decode(&second); {
	case err == nil:
		p.fail(second.Line, "", "a second document; the file is one")
		return nil
	case !errors.Is(err, io.EOF):
		p.broken(err)
		return nil
	}
	if len(doc.Content) != 1 {
		p.fail(0, "", "is empty; it begins with version: %d", Version)
		return nil
	}
	return doc.Content[0]
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// broken repeats an error of the YAML reader.
func (p *parser) broken(err error) {
	text := err.Error()
	m := yamlLine.FindStringSubmatch(text)
	line := 0
	if m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	p.fail(line, "", "no YAML: %s", text)
}

// member is one field of an object.
type member struct {
	name  string
	value *yaml.Node
}

// object gives the fields of a mapping in their order. Every required one must be
// there, and nothing but these and the optional ones.
func (p *parser) object(n *yaml.Node, path string, required, optional []string) []member {
	if n.Kind != yaml.MappingNode {
		p.fail(n.Line, path, "%s where fields should be", describe(n))
		return nil
	}
	var out []member
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field := join(path, key.Value)
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" || key.Anchor != "":
			p.fail(key.Line, path, "%s where the name of a field should be", describe(key))
			continue
		case !slices.Contains(required, key.Value) && !slices.Contains(optional, key.Value):
			p.fail(key.Line, join(path, short(key.Value)), "unknown field; there are %s", strings.Join(slices.Concat(required, optional), ", "))
			continue
		case seen[key.Value] > 0:
			p.fail(key.Line, field, "stands on line %d already", seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		if p.plain(value, field) {
			out = append(out, member{key.Value, value})
		}
	}
	for _, name := range required {
		if seen[name] == 0 {
			p.fail(n.Line, join(path, name), "is missing")
		}
	}
	return out
}

// plain refuses what would make the file say something else than it shows.
func (p *parser) plain(n *yaml.Node, field string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		p.fail(n.Line, field, "anchors and aliases are not read")
	case n.Style&yaml.TaggedStyle != 0:
		p.fail(n.Line, field, "tags are not read")
	default:
		return true
	}
	return false
}

func (p *parser) entries(f *File, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return // "accept:" with nothing behind it
	}
	if n.Kind != yaml.SequenceNode {
		p.fail(n.Line, "accept", "%s where a list of exceptions should be", describe(n))
		return
	}
	lines := map[Entry]int{}
	for i, item := range n.Content {
		path := fmt.Sprintf("accept[%d]", i)
		if !p.plain(item, path) {
			continue
		}
		e := p.entry(item, path)
		key := Entry{Rule: e.Rule, Role: e.Role, Subject: e.Subject, AllSubjects: e.AllSubjects}
		if line := lines[key]; line > 0 && e.Rule != "" {
			p.fail(item.Line, path, "accepts what line %d accepts already", line)
		}
		lines[key] = item.Line
		f.Entries = append(f.Entries, e)
	}
}

func (p *parser) entry(n *yaml.Node, path string) Entry {
	e := Entry{Line: n.Line}
	subject := false
	for _, x := range p.object(n, path, []string{"rule", "role", "reason", "owner", "expires"}, []string{"subject", "allSubjects"}) {
		field := join(path, x.name)
		switch x.name {
		case "rule":
			e.Rule = p.rule(x.value, field)
		case "role":
			e.Role = p.text(x.value, field)
			if e.Role != "" {
				if err := snapshot.CheckSelector(e.Role); err != nil {
					p.fail(x.value.Line, field, "%v", err)
				}
			}
		case "subject":
			subject = true
			e.Subject = p.text(x.value, field)
		case "allSubjects":
			if x.value.ShortTag() != "!!bool" || x.value.Value != "true" {
				p.fail(x.value.Line, field, "is true or is not there")
			}
			e.AllSubjects = true
		case "reason":
			e.Reason = p.text(x.value, field)
		case "owner":
			e.Owner = p.text(x.value, field)
		case "expires":
			e.Expires = p.date(x.value, field)
		}
	}
	if n.Kind == yaml.MappingNode && subject == e.AllSubjects {
		if subject {
			p.fail(n.Line, join(path, "allSubjects"), "contradicts subject")
		} else {
			p.fail(n.Line, join(path, "subject"), "is missing: a finding's subject, or allSubjects: true")
		}
	}
	return e
}

func (p *parser) severities(f *File, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	for _, x := range p.object(n, "severity", nil, p.rules) {
		s := report.Severity(p.text(x.value, join("severity", x.name)))
		if s != "" && !slices.Contains(report.SeverityList, s) {
			p.fail(x.value.Line, join("severity", x.name), "not one of critical, high, medium, low, info")
		}
		f.Severities = append(f.Severities, Severity{x.value.Line, x.name, s})
	}
}

func (p *parser) rule(n *yaml.Node, field string) string {
	name := p.text(n, field)
	if name != "" && !slices.Contains(p.rules, name) {
		p.fail(n.Line, field, "there is no rule %s; the rules are %s", quote(name), strings.Join(p.rules, ", "))
	}
	return name
}

// text reads a string that is not empty. What YAML takes for a number or a truth is no
// text: owner: 007 would lose its zeros.
func (p *parser) text(n *yaml.Node, field string) string {
	switch {
	case n.Kind != yaml.ScalarNode:
		p.fail(n.Line, field, "%s where text should be", describe(n))
	case n.ShortTag() != "!!str":
		p.fail(n.Line, field, "%s where text should be; quotes make it text", describe(n))
	case strings.TrimSpace(n.Value) == "":
		p.fail(n.Line, field, "is empty")
	case len(n.Value) > maxText:
		p.fail(n.Line, field, "is longer than %d bytes", maxText)
	default:
		return n.Value
	}
	return ""
}

func (p *parser) date(n *yaml.Node, field string) time.Time {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!timestamp" && n.ShortTag() != "!!str" {
		p.fail(n.Line, field, "%s where a date such as 2027-01-31 should be", describe(n))
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		p.fail(n.Line, field, "%s is no date such as 2027-01-31", quote(n.Value))
	}
	return t
}

// describe names what a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a truth value"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func short(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:57], "") + "..."
	}
	return s
}

func quote(s string) string { return strconv.Quote(short(s)) }
