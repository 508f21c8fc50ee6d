package policy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Print writes the document in its canonical form: fewest characters, one order.
// Lists of one become a value, a single statement stands alone, lists are sorted and
// free of repetitions, conditions are sorted by operator and key. Statements keep their order.
func (d *Document) Print() []byte {
	var w writer
	w.object(func() {
		if d.version != "" {
			w.member("Version").str(d.version)
		}
		if d.id != "" {
			w.member("Id").str(d.id)
		}
		w.member("Statement")
		writeAll(&w, d.statements, (*writer).statement)
	})
	return w.buf
}

// Indent is Print for people: indented by two spaces.
func (d *Document) Indent() []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, d.Print(), "", "  "); err != nil {
		panic("policy: printed no JSON: " + err.Error())
	}
	return out.Bytes()
}

// Size is the document's size as IAM measures it against its quotas: the characters
// of its canonical form that are not white space (AWS: reference_iam-quotas).
func (d *Document) Size() int {
	size := 0
	for text := d.Print(); len(text) > 0; {
		r, n := utf8.DecodeRune(text)
		if !unicode.IsSpace(r) {
			size++
		}
		text = text[n:]
	}
	return size
}

// Quotas on policy sizes, in characters as Size counts them, and none of them can be
// raised but the trust policy's (AWS: reference_iam-quotas).
const (
	QuotaManagedPolicy  = 6144  // one managed policy
	QuotaRoleInline     = 10240 // all inline policies of a role together
	QuotaUserInline     = 2048  // all inline policies of a user together
	QuotaTrustPolicy    = 2048  // a role's trust policy, by default
	QuotaTrustPolicyMax = 8192  // the most it can be raised to
)

// writer writes JSON without white space.
type writer struct {
	buf   []byte
	first bool // nothing was written yet in the object at hand
}

func (w *writer) object(members func()) {
	outer := w.first
	w.buf, w.first = append(w.buf, '{'), true
	members()
	w.buf, w.first = append(w.buf, '}'), outer
}

func (w *writer) member(name string) *writer {
	if !w.first {
		w.buf = append(w.buf, ',')
	}
	w.first = false
	w.str(name)
	w.buf = append(w.buf, ':')
	return w
}

func (w *writer) str(text string) {
	w.buf = append(w.buf, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			w.buf = append(w.buf, '\\', byte(r))
		case r == '\n':
			w.buf = append(w.buf, `\n`...)
		case r == '\r':
			w.buf = append(w.buf, `\r`...)
		case r == '\t':
			w.buf = append(w.buf, `\t`...)
		case r < 0x20:
			const hex = "0123456789abcdef"
			w.buf = append(w.buf, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			w.buf = utf8.AppendRune(w.buf, r)
		}
	}
	w.buf = append(w.buf, '"')
}

// writeAll writes a list, or its only element.
func writeAll[T any](w *writer, list []T, one func(*writer, T)) {
	if len(list) == 1 {
		one(w, list[0])
		return
	}
	w.buf = append(w.buf, '[')
	for i, v := range list {
		if i > 0 {
			w.buf = append(w.buf, ',')
		}
		one(w, v)
	}
	w.buf = append(w.buf, ']')
}

// set writes texts sorted and without repetitions.
func (w *writer) set(texts []string) { writeAll(w, sorted(texts), (*writer).str) }

func sorted(texts []string) []string {
	s := slices.Clone(texts)
	slices.Sort(s)
	return slices.Compact(s)
}

func (w *writer) statement(s *Statement) {
	element := func(not bool, name string) *writer {
		if not {
			name = "Not" + name
		}
		return w.member(name)
	}
	w.object(func() {
		if s.Sid != "" {
			w.member("Sid").str(s.Sid)
		}
		w.member("Effect").str(string(s.Effect))
		if s.Principals != nil {
			element(s.NotPrincipal, "Principal").principals(s.Principals)
		}
		element(s.NotAction, "Action").set(s.Actions)
		if s.Resources != nil {
			element(s.NotResource, "Resource").set(s.Resources)
		}
		if len(s.Conditions) > 0 {
			w.member("Condition").conditions(s.Conditions)
		}
	})
}

func (w *writer) principals(sets []PrincipalSet) {
	if len(sets) == 1 && sets[0].Type == "*" {
		w.str("*")
		return
	}
	sets = slices.Clone(sets)
	slices.SortFunc(sets, func(a, b PrincipalSet) int { return strings.Compare(a.Type, b.Type) })
	w.object(func() {
		for _, set := range sets {
			w.member(set.Type).set(set.Values)
		}
	})
}

func (w *writer) conditions(conditions []Condition) {
	conditions = slices.Clone(conditions)
	slices.SortStableFunc(conditions, func(a, b Condition) int {
		return cmp.Or(strings.Compare(a.Operator, b.Operator), strings.Compare(a.Key, b.Key))
	})
	w.object(func() {
		for len(conditions) > 0 {
			operator := conditions[0].Operator
			w.member(operator).object(func() {
				for len(conditions) > 0 && conditions[0].Operator == operator {
					w.member(conditions[0].Key)
					writeAll(w, sortedValues(conditions[0].Values), (*writer).value)
					conditions = conditions[1:]
				}
			})
		}
	})
}

// sortedValues are the values in one order, each text once; unquoted is shorter.
func sortedValues(values []Value) []Value {
	s := slices.Clone(values)
	slices.SortFunc(s, func(a, b Value) int {
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(strconv.FormatBool(a.Quoted), strconv.FormatBool(b.Quoted)))
	})
	return slices.CompactFunc(s, func(a, b Value) bool { return a.Text == b.Text })
}

func (w *writer) value(v Value) {
	if v.Quoted {
		w.str(v.Text)
	} else {
		w.buf = append(w.buf, v.Text...)
	}
}

// conditionText is the Condition block in canonical form.
func (s *Statement) conditionText() string {
	var w writer
	w.conditions(s.Conditions)
	return string(w.buf)
}
