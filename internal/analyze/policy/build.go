package policy

import (
	"slices"
	"strings"
)

// Spec is a statement to be built. Exactly one of Actions and NotActions is given,
// and at most one of Resources and NotResources.
type Spec struct {
	Sid          string
	Effect       Effect
	Actions      []string
	NotActions   []string
	Resources    []string
	NotResources []string
	Conditions   []ConditionSpec
}

// ConditionSpec is one operator and key with its values.
type ConditionSpec struct {
	Operator string // such as StringLike
	Key      string
	Values   []Value
}

// Spec is the statement as a Spec, to be built into another document with the same
// meaning. It carries no Principal.
func (s *Statement) Spec() Spec {
	spec := Spec{Sid: s.Sid, Effect: s.Effect}
	if s.NotAction {
		spec.NotActions = s.Actions
	} else {
		spec.Actions = s.Actions
	}
	resources := slices.Clone(s.Resources)
	for i, r := range resources {
		resources[i] = s.escape(r)
	}
	if s.NotResource {
		spec.NotResources = resources
	} else {
		spec.Resources = resources
	}
	for _, c := range s.Conditions {
		values := slices.Clone(c.Values)
		for i := range values {
			if c.op.takesVariables() {
				values[i].Text = s.escape(values[i].Text)
			}
		}
		spec.Conditions = append(spec.Conditions, ConditionSpec{c.Operator, c.Key, values})
	}
	return spec
}

// escape keeps text that is no variable in the statement's version from becoming one
// in Version 2012-10-17, which Build writes.
func (s *Statement) escape(text string) string {
	if !s.literal {
		return text
	}
	return strings.ReplaceAll(text, "${", "${$}{")
}

// Build makes a document of Version 2012-10-17. It goes through Parse, so that what
// is built is what is written, and fails with Parse's errors.
func Build(specs ...Spec) (*Document, error) {
	var w writer
	w.object(func() {
		w.member("Version").str(Version2012)
		w.member("Statement")
		writeAll(&w, specs, func(w *writer, s Spec) { w.spec(&s) })
	})
	return Parse(w.buf)
}

func (w *writer) spec(s *Spec) {
	lists := func(name string, texts []string) {
		if texts != nil {
			w.member(name)
			writeAll(w, texts, (*writer).str)
		}
	}
	w.object(func() {
		if s.Sid != "" {
			w.member("Sid").str(s.Sid)
		}
		w.member("Effect").str(string(s.Effect))
		lists("Action", s.Actions)
		lists("NotAction", s.NotActions)
		lists("Resource", s.Resources)
		lists("NotResource", s.NotResources)
		if len(s.Conditions) > 0 {
			conditions := make([]Condition, len(s.Conditions))
			for i, c := range s.Conditions {
				conditions[i] = Condition{Operator: c.Operator, Key: c.Key, Values: c.Values}
			}
			w.member("Condition").conditions(conditions)
		}
	})
}
