package output

import (
	"strings"
	"testing"
	"unicode"

	"sagemaker-role-audit/internal/analyze/report"
)

func drifted(change func(*report.Drift)) *report.Drift {
	d := &report.Drift{Baseline: &report.Evidenced{TakenAt: at("2026-11-19 02:00"), Complete: true}, Current: report.Evidenced{TakenAt: at("2026-11-26 02:00"), Complete: true}}
	change(d)
	return d
}

func TestOneLine(t *testing.T) {
	for _, test := range []struct {
		want  string
		build func(r *report.Report)
	}{
		{"audit 123456789012: 3 high findings", func(r *report.Report) {}},
		{"audit 123456789012: 2 widenings, 1 other change since 2026-11-19, 3 high findings", func(r *report.Report) {
			r.Drift = drifted(func(d *report.Drift) {
				d.ChangesTotal, d.Summary = 3, report.DriftSummary{Widens: 1, Both: 1, Narrows: 1}
			})
		}},
		{"audit 123456789012: 1 widening since 2026-11-19, 1 critical, 3 high findings", func(r *report.Report) {
			r.Summary.Findings.Critical = 1
			r.Drift = drifted(func(d *report.Drift) { d.ChangesTotal, d.Summary = 1, report.DriftSummary{Widens: 1} })
		}},
		{"audit 123456789012: 2 changes, none a widening, since 2026-11-19, 2 medium findings", func(r *report.Report) {
			r.Summary.Findings = report.Severities{Medium: 2, Low: 7}
			r.Drift = drifted(func(d *report.Drift) { d.ChangesTotal, d.Summary = 2, report.DriftSummary{Narrows: 1, None: 1} })
		}},
		{"audit 123456789012: 1 change of unknown effect, 2 other changes since 2026-11-19, no findings", func(r *report.Report) {
			r.Summary.Findings = report.Severities{}
			r.Drift = drifted(func(d *report.Drift) { d.ChangesTotal, d.Summary = 3, report.DriftSummary{Unknown: 1, None: 2} })
		}},
		{"audit 123456789012: no change since 2026-11-26 01:00 UTC, 1 high finding", func(r *report.Report) {
			r.Summary.Findings.High = 1
			r.Drift = drifted(func(d *report.Drift) { d.Baseline.TakenAt = at("2026-11-26 01:00") })
		}},
		{"audit 123456789012: no change since 2026-11-19, 4 comparisons not possible, 1 deviation from what is declared, 3 high findings, NOT COMPLETE", func(r *report.Report) {
			r.Complete = false
			r.Drift = drifted(func(d *report.Drift) { d.UnknownTotal, d.DeviationsTotal = 4, 1 })
		}},
		{"audit 123456789012: no baseline to compare with, 3 high findings, 1 expired exception", func(r *report.Report) {
			r.Drift = drifted(func(d *report.Drift) { d.Baseline, d.UnknownTotal = nil, 1 })
			r.Exceptions = &report.Exceptions{Entries: []report.Exception{{State: report.ExceptionExpired, Findings: 1}, {State: report.ExceptionExpired}, {State: report.ExceptionUnused}}}
		}},
		{`audit 1\n2\x1b]0;x\x07\u202e\u2028: 3 high findings`, func(r *report.Report) { r.Account.ID = "1\n2\x1b]0;x\x07\u202e\u2028" }},
		{"audit of an unknown account: 3 high findings", func(r *report.Report) { r.Account.ID = "" }},
	} {
		r := &report.Report{Account: report.Account{ID: "123456789012"}, Complete: true, Summary: report.Summary{Findings: report.Severities{High: 3, Low: 2}}}
		test.build(r)
		if got := render(t, Summary, r, Options{}); got != test.want+"\n" {
			t.Errorf("got  %q\nwant %q", got, test.want)
		}
	}
}

// TestOneLineAlways: whatever the samples hold, it is one line that prints as it is.
func TestOneLineAlways(t *testing.T) {
	for name, build := range samples {
		got := render(t, Summary, build(), Options{})
		if strings.Count(got, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(got, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestAccepted: an accepted finding stays and counts no more; what is to be done about
// the file of exceptions is said.
func TestAccepted(t *testing.T) {
	r := sample()
	before := render(t, Table, r, Options{Width: 120})
	n := 0
	for i := range r.Findings {
		r.Findings[i].Accepted = &report.Accepted{By: "ana\x1b[2J", Until: "2026-12-31", Reason: "kept for the campaign"}
		n++
	}
	r.Summary.Findings, r.Summary.Accepted = report.Severities{}, n
	r.Exceptions = &report.Exceptions{Name: "audit.yaml", Entries: []report.Exception{
		{Line: 3, Rule: "idle-role", Role: "a", Subject: "role", By: "ana", Until: "2026-12-31", Reason: "r", State: report.ExceptionActive, Findings: 1},
		{Line: 9, Rule: "full-admin", Role: "b", AllSubjects: true, By: "ben", Until: "2026-10-01", Reason: "s", State: report.ExceptionExpired, Findings: 2},
		{Line: 15, Rule: "iam-write", Role: "c", Subject: "p", By: "cy", Until: "2027-10-01", Reason: "t", State: report.ExceptionUnused},
	}, Severities: []report.RuleSeverity{{Rule: "idle-role", Severity: report.Info}}}
	out := render(t, Table, r, Options{Width: 120})
	for _, want := range []string{"Findings      none; ", " accepted", `Accepted by ana\x1b[2J until 2026-12-31: kept for the campaign`, "EXCEPTIONS by audit.yaml",
		"1 in force, 1 expired, 1 unused", "Severities: idle-role is info", "line 9: full-admin, b, every subject", "2 findings count again", "line 15: iam-write, c, p"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, gone := range []string{"Begin with", "line 3:"} {
		if strings.Contains(out, gone) {
			t.Errorf("%q in\n%s", gone, out)
		}
	}
	if strings.Contains(before, "EXCEPTIONS") || strings.Contains(before, "accepted") {
		t.Error("without a file of exceptions they are spoken of")
	}
}
