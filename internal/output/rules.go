package output

import (
	"fmt"
	"io"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteRules renders the rules, as a table for people or as JSON, and copies it to w.
// Nothing is written unless the whole could be rendered; the error of w is returned.
func WriteRules(w io.Writer, f Format, l *report.RuleList, o Options) error {
	return writeOne(w, f, l, o, "rules", func(p *page) { p.rules(l) })
}

// rules writes a line a rule: what it is called, how bad it is, and what is wrong.
func (p *page) rules(l *report.RuleList) {
	p.put(text(fmt.Sprintf("%d rules, those that matter most first", len(l.Rules))))
	p.rule("=")
	cols := []column{head("Rule"), head("Severity"), head("Looks at"), head("What is wrong, and what to do")}
	var rows [][]cell
	for i := range l.Rules {
		r := &l.Rules[i]
		what := cell{text(r.Title)}
		if p.width >= wide {
			what = append(what, text(r.Risk))
		}
		what = append(what, text("Do: "+r.Remedy).hanging(4))
		rows = append(rows, []cell{{name(r.ID)}, {text(severityRange(r)).styled(severityStyle(r.Worst))}, {text(string(r.LooksAt))}, what})
	}
	p.grid(cols, rows)
	p.blank()
	p.put(text("A finding's severity follows reach and use: what a boundary refuses, or nobody can use, is less than the worst. audit rules -o json has the rest; docs/rules.md is the same list."))
}

// severityRange is a rule's severities in words.
func severityRange(r *report.Rule) string {
	if r.Worst == r.Least {
		return string(r.Worst)
	}
	return strings.Join([]string{string(r.Worst), string(r.Least)}, " to ")
}
