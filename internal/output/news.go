package output

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteNews renders of a report's table what is new, for a mail: what changed and
// deviates, exceptions that expired, gaps, and the findings of severity failOn or worse.
// Nothing is written unless the whole could be rendered; the error of w is returned.
func WriteNews(w io.Writer, r *report.Report, failOn report.Severity, o Options) error {
	p := &page{width: max(o.Width, MinWidth), color: o.Color}
	v := arrange(r)
	var line bytes.Buffer
	if err := writeOneLine(&line, r); err != nil {
		return err
	}
	p.put(text(strings.TrimSuffix(line.String(), "\n")))
	p.rule("=")
	if !r.Complete {
		p.field("State", notComplete(r.Gaps)...)
	}
	if r.Drift != nil {
		p.drift(r.Drift)
	}
	p.news(v, failOn)
	p.blank()
	p.put(text("audit run or audit report without --only-changes shows the whole of it."))
	if p.err != nil {
		return fmt.Errorf("render the report as news: %w", p.err)
	}
	_, err := p.buf.WriteTo(w)
	return err
}

// news are the findings that somebody waits for, and the exceptions that expired.
func (p *page) news(v view, failOn report.Severity) {
	var fs []*report.Finding
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Accepted == nil && slices.Contains(report.SeverityList, failOn) && f.Severity.Rank() <= failOn.Rank() {
			fs = append(fs, f)
		}
	}
	p.part(fmt.Sprintf("Findings at or above %s", failOn), len(fs) > 0, func() {
		p.findings("", fs[:min(len(fs), maxUses)])
		p.indented(more(len(fs) - maxUses)...)
	})
	if v.Exceptions == nil {
		return
	}
	var es []report.Exception
	for _, e := range v.Exceptions.Entries {
		if e.State == report.ExceptionExpired && e.Findings > 0 {
			es = append(es, e)
		}
	}
	p.part("Exceptions that expired", len(es) > 0, func() {
		for _, e := range es[:min(len(es), maxNotes)] {
			p.indented(text("- " + exceptionWords(&e)).hanging(2))
		}
		p.indented(more(len(es) - maxNotes)...)
	})
}

func exceptionWords(e *report.Exception) string {
	subject := e.Subject
	if e.AllSubjects {
		subject = "every subject"
	}
	return fmt.Sprintf("line %d: %s, %s, %s; of %s, until %s: %s", e.Line, e.Rule, e.Role, subject, e.By, e.Until, e.Reason)
}
