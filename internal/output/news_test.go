package output

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"sagemaker-role-audit/internal/analyze/report"
)

// TestNews: what is new and nothing else, in lines that fit, with nothing that could drive
// a terminal.
func TestNews(t *testing.T) {
	const evil = "x\x1b[2J\u202e\n| y"
	r := sample()
	r.Complete = false
	r.Gaps = []report.Gap{{Source: "iam:GetRole" + evil, Impact: "roles", Reason: "refused"}}
	r.Findings[0].Title += evil
	r.Drift = drifted(func(d *report.Drift) {
		d.Changes = []report.Change{{Kind: report.PolicyAttached, Severity: report.High, Title: "Policy wide was attached" + evil, Effect: report.Widens, Role: trainer,
			EffectWhy: "allows iam:PassRole on *" + evil, Cause: "AttachRolePolicy by ana" + evil}}
		d.ChangesTotal, d.Summary.Widens = 1, 1
		d.Deviations = []report.Deviation{{Kind: report.DeviationTrust, Severity: report.High, Title: "The trust policy is not the declared one" + evil, Effect: report.Widens, Role: trainer, Detail: evil}}
		d.DeviationsTotal = 1
		d.Unknown = []report.Uncompared{{What: "the content of inline policy s3" + evil, Side: report.SideDeclared, Why: evil, Kinds: []report.ChangeKind{}}}
		d.UnknownTotal = 1
	})
	r.Exceptions = &report.Exceptions{Name: "audit.yaml", Entries: []report.Exception{
		{Line: 9, Rule: "full-admin", Role: "b" + evil, AllSubjects: true, By: "ben" + evil, Until: "2026-11-20", Reason: evil, State: report.ExceptionExpired, Findings: 2},
		{Line: 15, Rule: "iam-write", Role: "c", Subject: "p", By: "cy", Until: "2026-11-20", State: report.ExceptionExpired}}}
	for _, width := range []int{0, 80, 120} {
		var b bytes.Buffer
		if err := WriteNews(&b, r, report.Critical, Options{Width: width}); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		for _, want := range []string{"1 widening since 2026-11-19", "NOT COMPLETE", "Policy wide was attached", "The trust policy is not the declared one",
			"the content of inline policy s3", "not in what is declared", "Findings at or above critical", "Exceptions that expired", "line 9: full-admin"} {
			if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
				t.Errorf("width %d: no %q in\n%s", width, want, out)
			}
		}
		for _, gone := range []string{"ROLES, worst first", "line 15", "BLIND SPOTS"} {
			if strings.Contains(out, gone) {
				t.Errorf("width %d: %q is no news:\n%s", width, gone, out)
			}
		}
		for line := range strings.Lines(out) {
			line = strings.TrimSuffix(line, "\n")
			if columns(line) > max(width, MinWidth) || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("width %d: %q", width, line)
			}
		}
	}
	var b bytes.Buffer
	if err := WriteNews(&b, r, "none", Options{}); err != nil || strings.Contains(b.String(), "Findings at or above") {
		t.Errorf("%v: findings that nobody waits for:\n%s", err, b.String())
	}
}
