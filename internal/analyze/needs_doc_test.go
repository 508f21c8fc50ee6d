package analyze

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of docs/needs.md")

// rulesTable is the table of docs/needs.md.
func rulesTable() string {
	var b strings.Builder
	b.WriteString("| field | asks for | area | confidence | if missing |\n|---|---|---|---|---|\n")
	for i := range needRules {
		r := &needRules[i]
		field := "any job"
		if r.path != "" {
			field = "`" + strings.ReplaceAll(r.path, "|", "`, `") + "`"
		}
		if r.when != "" {
			field += ": " + strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(r.when)
		}
		var asks []string
		for _, st := range r.statements {
			asks = append(asks, fmt.Sprintf("%s on `%s`", strings.Join(st.actions, ", "), strings.Join(st.resources, "`, `")))
		}
		if asks == nil {
			asks = []string{"nothing"}
		}
		ifMissing := r.ifMissing
		switch {
		case r.statements == nil:
			ifMissing = "-"
		case r.optional:
			ifMissing += ", optional"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", field, strings.Join(asks, "<br>"), r.area, r.confidence, ifMissing)
	}
	return b.String()
}

func TestNeedsPage(t *testing.T) { checkPage(t, "../../docs/needs.md", rulesTable()) }

// checkPage holds the part of a page that is generated against what it is to be, or
// writes it under -update.
func checkPage(t *testing.T, page, content string) {
	t.Helper()
	const begin, end = "<!-- rules: written by the test of this page -->\n", "<!-- end of rules -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ends := strings.Cut(rest, end)
	if !ok || !ends {
		t.Fatalf("%s has no place for the rules", page)
	}
	want := "\n" + content + "\n"
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s does not have today's rules: make golden", page)
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
