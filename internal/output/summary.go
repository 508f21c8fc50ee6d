package output

import (
	"fmt"
	"strconv"

	"sagemaker-role-audit/internal/analyze/report"
)

// narrow is the width below which the summary takes two lines a role.
const narrow = 100

// wide is the width from which the summary has room for a finding's title.
const wide = 140

// summary shows all roles at a glance, the worst first.
func (p *page) summary(v view) {
	p.heading("ROLES, worst first. Granted to Unobservable count IAM actions")
	if len(v.roles) == 0 {
		p.put(text("No execution role: no training job in the jobs window, and no role that SageMaker may assume.").in(margin))
		return
	}
	if p.width < narrow {
		p.summaryOfTwoLines(v)
	} else {
		p.summaryOfOneLine(v)
	}
}

func (p *page) summaryOfOneLine(v view) {
	cols := []column{
		head("Role"), head("Jobs").numeric(), head("Granted").numeric(), head("Used").numeric(),
		head("Required").numeric(), head("Unused").numeric(), head("Unobservable").numeric(),
		head("Readiness"), head("Worst"),
	}
	var rows [][]cell
	for _, role := range v.roles {
		row := []cell{{name(role.label)}}
		for _, n := range role.numbers() {
			row = append(row, cell{text(strconv.Itoa(n))})
		}
		rows = append(rows, append(row, cell{role.readinessPara()}, cell{role.worstPara(p.width >= wide)}))
	}
	p.grid(cols, rows)
}

// summaryOfTwoLines puts the name above its numbers: side by side they leave a
// name of IAM's 64 characters no room.
func (p *page) summaryOfTwoLines(v view) {
	const numbers = "%8v %8v %5v %9v %7v %13v"
	cols := []column{
		head("Role", fmt.Sprintf(numbers, "Jobs", "Granted", "Used", "Required", "Unused", "Unobservable")),
		head("Readiness"), head("Worst"),
	}
	var rows [][]cell
	for _, role := range v.roles {
		n := role.numbers()
		line := name(fmt.Sprintf(numbers, n[0], n[1], n[2], n[3], n[4], n[5]))
		rows = append(rows, []cell{{name(role.label), line}, {role.readinessPara()}, {role.worstPara(false)}})
	}
	p.grid(cols, rows)
}

// numbers are the role's jobs and its actions granted, used, required, unused
// and unobservable.
func (v *roleView) numbers() [6]int {
	return [6]int{v.Jobs.Total, v.Counts.Granted, v.Counts.Used, v.Counts.Required, v.Counts.Unused, v.Counts.Unobservable}
}

func (v *roleView) worstPara(title bool) para {
	f := v.open()
	if f == nil {
		return text("none")
	}
	s := string(f.Severity)
	if title {
		s = findingTitle(f)
	}
	return text(s).styled(severityStyle(f.Severity))
}

func (v *roleView) readinessPara() para {
	return text(string(v.Readiness)).styled(readinessStyle(v.Readiness))
}

func findingTitle(f *report.Finding) string { return string(f.Severity) + ": " + f.Title }
