package output

import (
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// The brief form leaves out evidence and policies, and nothing that is wrong or not known:
// every role, every open finding, every gap and every blind spot is in it.
func TestBriefLeavesNothingWrongOut(t *testing.T) {
	for name, build := range samples {
		for _, width := range []int{80, 140} {
			r := build()
			out := render(t, Brief, r, Options{Width: width})
			flat := strings.Join(strings.Fields(out), " ")
			has := func(what, text string) {
				t.Helper()
				if !strings.Contains(flat, strings.Join(strings.Fields(clean(text)), " ")) {
					t.Errorf("%s at %d: no %s %q in\n%s", name, width, what, text, out)
				}
			}
			for _, role := range arrange(r).roles {
				has("role", role.label)
				has("readiness", "Readiness "+string(role.Readiness))
			}
			for _, f := range r.Findings {
				has("finding", string(f.Severity)+" "+f.Title)
			}
			for _, g := range r.Gaps {
				has("gap", g.Reason+": "+g.Source)
				has("remedy", g.Remedy)
			}
			for _, b := range r.BlindSpots {
				has("blind spot", b.What)
			}
			if strings.Contains(out, `"Version"`) {
				t.Errorf("%s: a policy", name)
			}
			if whole := render(t, Table, r, Options{Width: width}); len(r.Roles) > 0 && strings.Count(out, "\n") >= strings.Count(whole, "\n") {
				t.Errorf("%s: longer than the table", name)
			}
		}
	}
}

// What somebody accepted is counted and does not stand among what is wrong; what is
// required and not granted is named.
func TestBriefOfARole(t *testing.T) {
	r := sample()
	role := &r.Roles[0]
	role.Areas = []report.Area{{Area: "ecr-pull", Excess: 1, ExcessPatterns: 2, Required: []report.Cell{{Action: "ecr:BatchGetImage"}}}, {Area: "logs"}}
	role.Cells = []report.JudgedCell{
		{Area: "ecr-pull", Action: "ecr:BatchGetImage", Resource: "a", Verdict: report.VerdictMissing},
		{Area: "ecr-pull", Action: "ecr:BatchGetImage", Resource: "b", Verdict: report.VerdictMissing},
		{Area: "logs", Action: "logs:CreateLogGroup", Verdict: report.VerdictUsed}}
	role.Counts.Missing, role.Counts.Foreign, role.Counts.Refused = 1, 0, 2
	role.Readiness, role.ReadinessWhy = "blocked", []string{"one thing", "another"}
	f := report.Finding{Severity: report.High, Title: "Wide open", Role: role.ARN, RoleID: role.ID}
	accepted := f
	accepted.Title, accepted.Accepted = "Known to all", &report.Accepted{By: "ben"}
	r.Findings = []report.Finding{f, f, accepted}
	out := render(t, Brief, r, Options{Width: 100})
	for _, want := range []string{
		"  high          Wide open (2 of them)\n  accepted      1 finding\n",
		"  ecr-pull      1 action, 2 patterns in excess; required and not granted: ecr:BatchGetImage\n",
		"  logs          not needed, nothing in excess\n",
		"  Not granted   1 missing, 2 refused\n",
		"  Readiness     blocked: one thing (and 1 more reason)\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "Known to all") {
		t.Error("what is accepted stands among what is wrong")
	}
}
