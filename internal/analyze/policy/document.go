package policy

import (
	"strings"
	"sync/atomic"
)

// Effect is the Effect of a statement, spelled as IAM spells it.
type Effect string

// The two effects; they are case-sensitive (AWS: reference_policies_elements_effect).
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// The two versions of the policy language. Variables exist under Version2012 only;
// a document without a Version has Version2008 (AWS: reference_policies_elements_version).
const (
	Version2012 = "2012-10-17"
	Version2008 = "2008-10-17"
)

// Document is a parsed policy document. It never changes after Parse or Build.
type Document struct {
	version    string // "" when the document states none
	id         string
	statements []*Statement
	memo       atomic.Pointer[memo]
	foreign    atomic.Pointer[foreign]
}

// memo is what an Expander found for the document. It is a cache, not a part of it.
type memo struct {
	by   *Expander
	sets []bitset // by statement
}

// Version is the version of the policy language that the document states, "" for none.
func (d *Document) Version() string { return d.version }

// ID is the document's Id element, "" for none.
func (d *Document) ID() string { return d.id }

// Statements are the document's statements in its own order. They are shared: do
// not change them.
func (d *Document) Statements() []*Statement { return d.statements }

// Statement is one statement of a document. Its fields are for reading only.
type Statement struct {
	Index  int // position in the document, from 0
	Sid    string
	Effect Effect

	Actions   []string // of Action, or of NotAction when NotAction is set; as written
	NotAction bool

	Resources   []string // of Resource, or of NotResource; nil when the statement names none
	NotResource bool

	Principals   []PrincipalSet // nil when the statement names none
	NotPrincipal bool

	Conditions []Condition

	actions   []actionPattern
	resources []resourcePattern
	literal   bool // the version has no variables: ${ is text
}

// PrincipalSet is one entry of a Principal element. The bare "*" is {Type: "*", Values: ["*"]}.
type PrincipalSet struct {
	Type   string // AWS, Service, Federated, CanonicalUser or "*"
	Values []string
}

// Condition is one (operator, key) pair of a Condition block with all its values.
type Condition struct {
	Operator string // as written, such as ForAnyValue:StringLikeIfExists
	Key      string // as written; compared without regard to case
	Values   []Value

	op operator
	// key is Key in lower case.
	key string
	// values are Values made ready for the operator.
	values []operand
}

// Value is a condition value: a JSON string, or a number or boolean kept in its JSON spelling.
type Value struct {
	Text   string
	Quoted bool // written as a JSON string
}

// Strings are the texts of the condition's values, in the document's order.
func (c *Condition) Strings() []string {
	texts := make([]string, len(c.Values))
	for i, v := range c.Values {
		texts[i] = v.Text
	}
	return texts
}

// Unconditional reports whether the statement has no Condition.
func (s *Statement) Unconditional() bool { return len(s.Conditions) == 0 }

// compile makes the document's statements ready for matching.
func (d *Document) compile() {
	variables := d.version == Version2012
	size := 0
	for _, s := range d.statements {
		for _, r := range s.Resources {
			size += len(r)
		}
	}
	// All patterns of the document share one array.
	symbols := make([]symbol, 0, size)
	for i, s := range d.statements {
		s.Index, s.literal = i, !variables
		s.actions = parseActionPatterns(s.Actions)
		s.resources = make([]resourcePattern, len(s.Resources))
		for j, r := range s.Resources {
			from := len(symbols)
			if variables && strings.Contains(r, "${") {
				s.resources[j] = parseResourcePattern(r)
				continue
			}
			symbols = appendSymbols(symbols, r, true)
			s.resources[j] = plainResourcePattern(symbols[from:len(symbols):len(symbols)])
		}
		for j := range s.Conditions {
			s.Conditions[j].compile(variables)
		}
	}
}
