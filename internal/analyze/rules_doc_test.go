package analyze

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// rulesPage is the list of docs/rules.md.
func rulesPage() string {
	var b strings.Builder
	b.WriteString("| rule | severity | looks at | what is wrong |\n|---|---|---|---|\n")
	list := RuleTable()
	for _, r := range list {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", r.ID, r.ID, severitiesOf(r), r.LooksAt, r.Title)
	}
	for _, r := range list {
		fmt.Fprintf(&b, "\n## %s\n\n%s. Severity: %s. Looks at: %s.\n\n- **Risk:** %s\n- **Do:** %s\n", r.ID, r.Title, severitiesOf(r), r.LooksAt, r.Risk, r.Remedy)
		if r.Source != "" {
			fmt.Fprintf(&b, "- **AWS:** %s\n", r.Source)
		}
		if len(r.Controls) > 0 {
			fmt.Fprintf(&b, "- **Security Hub:** %s\n", strings.Join(r.Controls, ", "))
		}
	}
	return b.String()
}

func severitiesOf(r report.Rule) string {
	if r.Worst == r.Least {
		return string(r.Worst)
	}
	return fmt.Sprintf("%s to %s", r.Worst, r.Least)
}

func TestRulesPage(t *testing.T) { checkPage(t, "../../docs/rules.md", rulesPage()) }

// TestRuleTable: ids are unique and of one form, every rule says what is at stake and
// what to do, its severities are in order, and it yields to rules that there are.
func TestRuleTable(t *testing.T) {
	id := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, r := range rules {
		if !id.MatchString(r.id) || seen[r.id] {
			t.Errorf("id %q", r.id)
		}
		seen[r.id] = true
		for what, text := range map[string]string{"risk": r.risk, "remedy": r.remedy} {
			if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "*.") {
				t.Errorf("%s: the %s is no sentence: %q", r.id, what, text)
			}
		}
		if r.title == "" || strings.HasSuffix(r.title, ".") || r.check == nil || r.worst.Rank() > r.least.Rank() || r.least == "" {
			t.Errorf("%s is not whole", r.id)
		}
		for _, other := range r.yields {
			if ruleRank(other) < 0 || other == r.id {
				t.Errorf("%s yields to %s", r.id, other)
			}
		}
	}
}

// coverage is docs/rules-coverage.md: the rules of others, each with ours or a reason.
type coverage struct {
	theirs   map[string][]string // their rule, with its project -> ours
	reasons  map[string]string   // their rule -> why there is none of ours
	ours     []string            // of ours that none of them has
	projects map[string]int
}

var oursIn = regexp.MustCompile("`([a-z0-9-]+)`")

func readCoverage(t *testing.T) coverage {
	t.Helper()
	text, err := os.ReadFile("../../docs/rules-coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	c := coverage{theirs: map[string][]string{}, reasons: map[string]string{}, projects: map[string]int{}}
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if head, ok := strings.CutPrefix(line, "## "); ok {
			section = head
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| their rule") || strings.HasPrefix(line, "| our rule") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if section == "Ours alone" {
			if len(cells) != 2 || cells[1] == "" {
				t.Errorf("row %q", line)
				continue
			}
			c.ours = append(c.ours, strings.Trim(cells[0], "`"))
			continue
		}
		if len(cells) != 3 {
			t.Errorf("row %q has %d cells", line, len(cells))
			continue
		}
		key := section + ": " + cells[0]
		if _, twice := c.reasons[key]; twice || c.theirs[key] != nil {
			t.Errorf("%s stands twice", key)
		}
		c.projects[section]++
		if cells[1] == "-" {
			c.reasons[key] = cells[2]
			continue
		}
		for _, m := range oursIn.FindAllStringSubmatch(cells[1], -1) {
			c.theirs[key] = append(c.theirs[key], m[1])
		}
		if len(c.theirs[key]) == 0 {
			t.Errorf("%s names no rule of ours and is no -", key)
		}
	}
	return c
}

// TestRulesCoverage holds docs/rules-coverage.md against the table of rules, both ways.
func TestRulesCoverage(t *testing.T) {
	c := readCoverage(t)
	covered := map[string]bool{}
	for their, ours := range c.theirs {
		for _, id := range ours {
			if ruleRank(id) < 0 {
				t.Errorf("%s is covered by %s, which is no rule", their, id)
			}
			covered[id] = true
		}
	}
	for their, reason := range c.reasons {
		if len(reason) < 12 {
			t.Errorf("%s has no reason: %q", their, reason)
		}
	}
	for _, id := range c.ours {
		if ruleRank(id) < 0 {
			t.Errorf("%s is no rule", id)
		}
		if covered[id] {
			t.Errorf("%s is not ours alone", id)
		}
	}
	for _, r := range rules {
		if !covered[r.id] && !slices.Contains(c.ours, r.id) {
			t.Errorf("%s is not in docs/rules-coverage.md", r.id)
		}
	}
	// As many as were read of each project: a row that is lost is a rule that is lost.
	for project, n := range map[string]int{"cloudsplaining": 69, "prowler": 60, "PMapper": 40} {
		if c.projects[project] < n {
			t.Errorf("%d rows of %s, want %d", c.projects[project], project, n)
		}
	}
}
