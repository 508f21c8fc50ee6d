package policy_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
