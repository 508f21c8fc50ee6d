package output

import "sagemaker-role-audit/internal/analyze/report"

// style is the colour of a severity or a state: the only two things that have one.
type style string

// The styles, as SGR parameters.
const (
	plain  style = ""
	bad    style = "1;31"
	worse  style = "31"
	warn   style = "33"
	notice style = "36"
	good   style = "32"
)

func severityStyle(s report.Severity) style {
	switch s {
	case report.Critical:
		return bad
	case report.High:
		return worse
	case report.Medium:
		return warn
	case report.Low:
		return notice
	}
	return plain
}

func readinessStyle(r report.Readiness) style {
	switch r {
	case report.Ready:
		return good
	case report.Confirm:
		return warn
	case report.Blocked:
		return worse
	}
	return plain
}

// paint returns the clean text s in style st.
func (p *page) paint(st style, s string) string {
	if !p.color || st == plain || s == "" {
		return s
	}
	return "\x1b[" + string(st) + "m" + s + "\x1b[0m"
}
