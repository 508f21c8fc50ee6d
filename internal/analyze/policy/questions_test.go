package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
)

// The table of questions: pairs of documents whose answer was judged by hand
// (testdata/questions/README.md). Nothing writes these expectations.

type widensCase struct {
	ID        string              `json:"id"`
	Want      string              `json:"want"` // yes, no or cannot tell
	Why       string              `json:"why"`
	Catalogue bool                `json:"catalogue"` // with the catalogue of actions; else actions are text
	Known     map[string][]string `json:"known"`
	Absent    []string            `json:"absent"`
	PVersion  *string             `json:"pVersion"` // 2012-10-17 where it is not given, none where it is ""
	IVersion  *string             `json:"iVersion"`
	P, I      json.RawMessage     // the statements

	at string
}

func readQuestions[T any](t testing.TB, name string, at func(c *T, at string)) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "questions", name))
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		var c T
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		place := fmt.Sprintf("%s:%d", name, number)
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		at(&c, place)
		all = append(all, c)
	}
	return all
}

func statementsOf(t testing.TB, statements json.RawMessage, version *string) []policy.Policy {
	t.Helper()
	d := object{"Version": "2012-10-17", "Statement": statements}
	if version != nil {
		if d["Version"] = *version; *version == "" {
			delete(d, "Version")
		}
	}
	return policiesOf(t, []object{d})
}

func (c *widensCase) known() policy.Context {
	known := policy.OpenContext(c.Known)
	return known.Without(c.Absent...)
}

var verdicts = map[policy.Truth]string{policy.True: "yes", policy.False: "no", policy.Unknown: "cannot tell"}

func TestWidensTable(t *testing.T) {
	catalogue := policy.NewExpander(actions.Load())
	seen, counts := map[string]string{}, map[string]int{}
	for i, c := range readQuestions(t, "widens.jsonl", func(c *widensCase, at string) { c.at = at }) {
		if seen[c.ID] != "" || c.ID == "" || c.Why == "" {
			t.Errorf("%s: id %q is also at %s; why %q", c.at, c.ID, seen[c.ID], c.Why)
		}
		seen[c.ID] = c.at
		counts[c.Want]++
		var x *policy.Expander
		if c.Catalogue {
			x = catalogue
		}
		ours, theirs := statementsOf(t, c.P, c.PVersion), statementsOf(t, c.I, c.IVersion)
		a := x.WidensNothing(ours, theirs, c.known())
		if verdicts[a.Truth] != c.Want {
			t.Errorf("%s %s: %s\n  want %s: %s\n  P %s\n  I %s", c.at, c.ID, a, c.Want, c.Why, c.P, c.I)
			continue
		}
		samples := samplesOf(newGenerator(20260302, uint64(i)), 120, ours, theirs, c.Catalogue, c.Known, c.Absent)
		if wrong := holdToTwin(t, a, ours, theirs, samples); wrong != "" {
			t.Errorf("%s %s: %s\n  %s\n  P %s\n  I %s", c.at, c.ID, wrong, a, c.P, c.I)
		}
	}
	t.Logf("%d pairs: yes %d, no %d, cannot tell %d", len(seen), counts["yes"], counts["no"], counts["cannot tell"])
	if len(seen) < 150 {
		t.Errorf("%d pairs, want at least 150", len(seen))
	}
}

func TestContainsTable(t *testing.T) {
	type question struct {
		ID, Outer, Inner, May, Must, Why string
		at                               string
	}
	for _, c := range readQuestions(t, "contains.jsonl", func(c *question, at string) { c.at = at }) {
		outer, inner := allowAll(t, c.Outer), allowAll(t, c.Inner)
		for side, want := range map[policy.Side]string{policy.May: c.May, policy.Must: c.Must} {
			a := policy.Contains(c.Outer, c.Inner, side)
			if verdicts[a.Truth] != want || c.Why == "" {
				t.Errorf("%s %s, side %s: %s, want %s", c.at, c.ID, side, a, want)
			}
			if a.Truth == policy.False {
				r := requestOf(a.Counterexample)
				if !twinAllows(t, printedAll(inner), r, side) || twinAllows(t, printedAll(outer), r, side) {
					t.Errorf("%s %s, side %s: the twin does not confirm %s", c.at, c.ID, side, encode(t, r))
				}
			}
		}
	}
}

// allowAll is one Allow of everything on a pattern.
func allowAll(t testing.TB, pattern string) []policy.Policy {
	t.Helper()
	return []policy.Policy{{Layer: policy.LayerIdentity, Document: build(t, policy.Spec{Effect: policy.Allow, Actions: []string{"*"}, Resources: []string{pattern}})}}
}

func TestCoversTable(t *testing.T) {
	type question struct {
		ID, Want, Why, Action, Pattern string
		Known                          map[string][]string
		Absent                         []string
		Statement                      json.RawMessage
		at                             string
	}
	var none *policy.Expander
	for _, c := range readQuestions(t, "covers.jsonl", func(c *question, at string) { c.at = at }) {
		statement := statementsOf(t, c.Statement, nil)[0].Document.Statements()[0]
		a := none.Covers(statement, policy.Cell{Action: c.Action, Pattern: c.Pattern, Known: policy.OpenContext(c.Known).Without(c.Absent...)})
		if verdicts[a.Truth] != c.Want || c.Why == "" {
			t.Errorf("%s %s: %s, want %s", c.at, c.ID, a, c.Want)
		}
		if a.Truth == policy.False {
			cell := []policy.Policy{{Document: build(t, policy.Spec{Effect: policy.Allow, Actions: []string{c.Action}, Resources: []string{c.Pattern}})}}
			spec := statement.Spec()
			spec.Effect = policy.Allow
			covers, r := []policy.Policy{{Document: build(t, spec)}}, requestOf(a.Counterexample)
			if !twinAllows(t, printedAll(cell), r, policy.Must) || twinAllows(t, printedAll(covers), r, policy.May) {
				t.Errorf("%s %s: the twin does not confirm %s", c.at, c.ID, encode(t, r))
			}
		}
	}
}

func TestRedundantTable(t *testing.T) {
	type question struct {
		ID, Want, Why, Action, Pattern string
		Statement                      int
		Statements                     json.RawMessage
		at                             string
	}
	var none *policy.Expander
	for _, c := range readQuestions(t, "redundant.jsonl", func(c *question, at string) { c.at = at }) {
		document := statementsOf(t, c.Statements, nil)[0].Document
		before := string(document.Print())
		a := none.Redundant(document, policy.Cut{Statement: c.Statement, Action: c.Action, Pattern: c.Pattern}, policy.Context{})
		if verdicts[a.Truth] != c.Want || c.Why == "" {
			t.Errorf("%s %s: %s, want %s", c.at, c.ID, a, c.Want)
		}
		if string(document.Print()) != before {
			t.Errorf("%s %s: the question changed the document", c.at, c.ID)
		}
	}
}

func TestIntersectTable(t *testing.T) {
	type question struct {
		ID, A, B, Why string
		Want          []string // null: cannot tell
		at            string
	}
	for _, c := range readQuestions(t, "intersect.jsonl", func(c *question, at string) { c.at = at }) {
		for _, pair := range [][2]string{{c.A, c.B}, {c.B, c.A}} {
			got, exact := policy.Intersect(pair[0], pair[1])
			if exact != (c.Want != nil) || exact && !slices.Equal(got, c.Want) || c.Why == "" {
				t.Errorf("%s %s: %q %v, want %q", c.at, c.ID, got, exact, c.Want)
			}
		}
	}
}
