package output

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// writeOneLine appends the report as one line for a mail's subject: what changed
// since when, and what is worst. Whatever the report says, it is one line.
func writeOneLine(buf *bytes.Buffer, r *report.Report) error {
	parts := driftWords(r.Drift)
	parts = append(parts, worstWords(r.Summary.Findings))
	if r.Exceptions != nil {
		if n := expired(r.Exceptions); n > 0 {
			parts = append(parts, plural(n, "expired exception", "expired exceptions"))
		}
	}
	if !r.Complete {
		parts = append(parts, "NOT COMPLETE")
	}
	if n := len(r.OnlyRoles); n > 0 {
		parts = append(parts, "only roles that fit "+some(r.OnlyRoles, n, maxNames))
	}
	_, err := buf.WriteString(oneLine(r.Account, parts...))
	return err
}

// oneLine is a line about an account.
func oneLine(account report.Account, parts ...string) string {
	return clean("audit "+cmp.Or(account.ID, "of an unknown account")+": "+join(", ", parts...)) + "\n"
}

// driftWords are the numbers of what changed and what deviates; none without a
// comparison.
func driftWords(d *report.Drift) []string {
	if d == nil {
		return nil
	}
	var parts []string
	if d.Baseline != nil {
		s := d.Summary
		widens := s.Widens + s.Both
		add := func(n int, one, many string) {
			if n > 0 {
				parts = append(parts, plural(n, one, many))
			}
		}
		add(widens, "widening", "widenings")
		add(s.Unknown, "change of unknown effect", "changes of unknown effect")
		if other := d.ChangesTotal - widens - s.Unknown; len(parts) > 0 {
			add(other, "other change", "other changes")
		} else {
			add(other, "change, none a widening,", "changes, none a widening,")
		}
		if len(parts) == 0 {
			parts = append(parts, "no change")
		}
		parts[len(parts)-1] += " since " + since(d)
		if d.UnknownTotal > 0 {
			parts = append(parts, plural(d.UnknownTotal, "comparison not possible", "comparisons not possible"))
		}
	} else if d.UnknownTotal > 0 {
		parts = append(parts, "no baseline to compare with")
	}
	if d.DeviationsTotal > 0 {
		parts = append(parts, plural(d.DeviationsTotal, "deviation from what is declared", "deviations from what is declared"))
	}
	return parts
}

// since is the baseline's date, with the time where both are of one day.
func since(d *report.Drift) string {
	if day(d.Baseline.TakenAt) == day(d.Current.TakenAt) {
		return minute(d.Baseline.TakenAt) + " UTC"
	}
	return day(d.Baseline.TakenAt)
}

// worstWords counts the findings that are critical or high; where there are none,
// those of the severity that is the worst.
func worstWords(s report.Severities) string {
	if s.Critical+s.High > 0 {
		words := severities(report.Severities{Critical: s.Critical, High: s.High})
		if s.Critical+s.High == 1 {
			return words + " finding"
		}
		return words + " findings"
	}
	for i, n := range []int{s.Medium, s.Low, s.Info} {
		if n > 0 {
			severity := string(report.SeverityList[2+i])
			return plural(n, severity+" finding", severity+" findings")
		}
	}
	return "no findings"
}

func expired(x *report.Exceptions) int {
	n := 0
	for _, e := range x.Entries {
		if e.State == report.ExceptionExpired && e.Findings > 0 {
			n++
		}
	}
	return n
}

// acceptedWords puts the number of accepted findings behind the others'.
func acceptedWords(s report.Summary) string {
	words := severities(s.Findings)
	if s.Accepted > 0 {
		words += fmt.Sprintf("; %d accepted", s.Accepted)
	}
	return words
}

// exceptions writes what is to be done about the file of exceptions: what expired, and
// what has nothing to accept.
func (p *page) exceptions(v view) {
	x := v.Exceptions
	if x == nil {
		return
	}
	p.heading("EXCEPTIONS by " + x.Name)
	counts := map[string]int{}
	for _, e := range x.Entries {
		counts[e.State]++
	}
	var parts []string
	for _, state := range report.ExceptionStates {
		if n := counts[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, exceptionStates[state]))
		}
	}
	p.indented(text(cmp.Or(strings.Join(parts, ", "), "none")))
	if len(x.Severities) > 0 {
		var rated []string
		for _, s := range x.Severities {
			rated = append(rated, s.Rule+" is "+string(s.Severity))
		}
		p.indented(text("Severities: " + some(rated, len(rated), 2*maxNames)))
	}
	shown := 0
	for _, e := range x.Entries {
		if e.State == report.ExceptionActive {
			continue
		}
		if shown++; shown > maxNotes {
			continue
		}
		st := plain
		if e.State == report.ExceptionExpired {
			st = warn
		}
		subject := e.Subject
		if e.AllSubjects {
			subject = "every subject"
		}
		ps := []para{text(fmt.Sprintf("line %d: %s, %s, %s", e.Line, e.Rule, e.Role, subject)).hanging(2),
			text(fmt.Sprintf("of %s, until %s: %s", e.By, e.Until, e.Reason)).hanging(2)}
		if e.Findings > 0 {
			ps = append(ps, text(plural(e.Findings, "finding counts", "findings count")+" again"))
		}
		p.labelled(text(e.State).styled(st), labelWidth, ps)
	}
	p.indented(more(shown - maxNotes)...)
}

var exceptionStates = map[string]string{
	report.ExceptionActive:  "in force",
	report.ExceptionExpired: "expired",
	report.ExceptionUnused:  "unused (no finding is like them: remove them)",
	report.ExceptionUnseen:  "without a finding, where not everything was looked at",
}
