package main

import (
	"encoding/json"
	"slices"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// TestRulesList: audit rules prints its contract, and has every rule that a finding of the
// sample account names, with a severity that the rule has.
func TestRulesList(t *testing.T) {
	text, stderr := audit(t, exitOK, "rules", "-o", "json")
	if stderr != "" {
		t.Errorf("stderr %q", stderr)
	}
	if err := inSchema(report.RulesSchemaJSON, []byte(text)); err != nil {
		t.Error(err)
	}
	var l report.RuleList
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		t.Fatal(err)
	}
	var r report.Report
	reported, _ := audit(t, exitOK, "report", "--from", snapshotFile(t), "-o", "json")
	if err := json.Unmarshal([]byte(reported), &r); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		i := slices.IndexFunc(l.Rules, func(r report.Rule) bool { return r.ID == f.Rule })
		if i < 0 {
			t.Errorf("%s is no rule", f.Rule)
			continue
		}
		if n := f.Severity.Rank(); n < l.Rules[i].Worst.Rank() || n > l.Rules[i].Least.Rank() {
			t.Errorf("%s of %s is %s, not between %s and %s", f.Rule, f.Role, f.Severity, l.Rules[i].Worst, l.Rules[i].Least)
		}
	}
	golden(t, "rules.json", []byte(text))
	for _, width := range []string{"80", "140"} {
		table, _ := audit(t, exitOK, "rules", "--width", width)
		golden(t, "rules-"+width+".txt", []byte(table))
	}
}
