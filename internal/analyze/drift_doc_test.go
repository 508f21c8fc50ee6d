package analyze

import (
	"os"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// docs/drift.md has every kind with its causes, every effect, and the whole mirror.
func TestDriftDocument(t *testing.T) {
	b, err := os.ReadFile("../../docs/drift.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "## The kinds of changes")
	kinds, rest, _ := strings.Cut(rest, "## What it does")
	effects, rest, _ := strings.Cut(rest, "## Unknown")
	_, back, _ := strings.Cut(rest, "## Backwards")
	row := func(part, word string) string {
		for line := range strings.Lines(part) {
			if strings.HasPrefix(line, "|") && strings.Contains(strings.SplitN(line, "|", 3)[1], "`"+word+"`") {
				return line
			}
		}
		return ""
	}
	for _, k := range report.ChangeKinds {
		line := row(kinds, string(k))
		if line == "" {
			t.Errorf("no row of %s", k)
		}
		for _, subject := range []string{report.SubjectInline, report.SubjectPolicy} {
			if names := causes(k, subject); len(names) > 0 && !strings.Contains(line, names[0]) {
				t.Errorf("%s is caused by %s, and its row does not say so", k, names[0])
			}
		}
		if m, ok := mirrored[k]; ok && m != report.UseAgedOut && !strings.Contains(back, "`"+string(k)+"`") {
			t.Errorf("the mirror of %s is not told", k)
		}
		if mirrored[k] == report.UseAgedOut && !strings.Contains(row(back, string(k)), "`use-aged-out`") {
			t.Errorf("that %s ages out is not told", k)
		}
	}
	for _, e := range report.Effects {
		if row(effects, string(e)) == "" {
			t.Errorf("no row of the effect %s", e)
		}
	}
}
