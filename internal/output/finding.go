package output

import (
	"cmp"
	"fmt"

	"sagemaker-role-audit/internal/analyze/report"
)

// findings writes what is wrong, each with why, where, and what to do.
// They are told to be of the role with the ARN of; one of another names it.
func (p *page) findings(of string, fs []*report.Finding) {
	for i, f := range fs {
		if i > 0 {
			p.blank()
		}
		st := severityStyle(f.Severity)
		if f.Accepted != nil {
			st = plain
		}
		p.labelled(text(string(f.Severity)).styled(st), labelWidth, []para{text(f.Title).styled(st)})
		if f.Detail != "" && f.Detail != f.Title {
			p.field("", text(f.Detail))
		}
		if f.Role != "" && of != f.Role {
			p.field("", name(f.Role))
		}
		if f.Subject != f.Role && !statementSays(f) {
			p.field("", text(join(" ", "about", f.Subject)))
		}
		if f.Statement != nil {
			p.field("", statementPara(f.Statement))
		}
		p.field("", evidence(f.Evidence)...)
		if a := f.Accepted; a != nil {
			p.field("", text(fmt.Sprintf("Accepted by %s until %s: %s", a.By, a.Until, a.Reason)).hanging(2))
		} else if f.Remedy != "" {
			p.field("", text("Do: "+f.Remedy).hanging(4))
		}
		p.field("", text(join("; ", f.Rule+" "+f.ID, some(f.Controls, len(f.Controls), maxNames))))
	}
}

// statementSays reports whether the line of the statement names all that the finding is
// about.
func statementSays(f *report.Finding) bool {
	st := f.Statement
	return st != nil && (f.Subject == st.Policy || f.Subject == st.Policy+"#"+cmp.Or(st.Sid, fmt.Sprint(st.Index)))
}

func statementPara(s *report.StatementRef) para {
	at := fmt.Sprintf("in statement %d", s.Index+1)
	if s.Sid != "" {
		at += " (" + s.Sid + ")"
	}
	return text(join(" ", at+" of", s.Policy, s.Version)).hanging(2)
}

// evidence is one line a piece: the event, job or document, and what it says.
func evidence(es []report.Evidence) []para {
	var ps []para
	for _, e := range es[:min(len(es), report.MaxEvidence)] {
		ps = append(ps, text("seen: "+evidenceText(e)).hanging(6))
	}
	return append(ps, more(len(es)-len(ps))...)
}

func evidenceText(e report.Evidence) string {
	event := join(" ", e.EventName, e.EventID)
	job := e.Job
	if job != "" {
		job = "job " + job
	}
	where := join(" ", e.Source, e.Region)
	s := join(", ", job, e.Field, event, e.Text)
	if s == "" {
		return where
	}
	if where == "" {
		return s
	}
	return s + " (" + where + ")"
}

// otherFindings writes those of no listed role.
func (p *page) otherFindings(v view) {
	if len(v.others) == 0 {
		return
	}
	p.heading("OTHER FINDINGS")
	p.findings("", v.others)
}
