package output

import (
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// head says what was looked at, whether all of it could be seen, and where to
// begin.
func (p *page) head(v view) {
	p.put(text(fmt.Sprintf("SageMaker execution roles of account %s (%s)", v.Account.ID, v.Account.Partition)))
	p.rule("=")
	if n := len(v.OnlyRoles); n > 0 {
		p.field("Only roles", text(onlyRoles(v.OnlyRoles)).styled(notice))
	}
	p.field("Regions", text(regions(v.Regions)))
	p.field("Usage", text(span(v.Window)))
	p.field("Jobs", text(span(v.JobsWindow)))
	if v.Complete {
		p.field("State", text("complete: all that was asked for could be read").styled(good))
	} else {
		p.field("State", notComplete(v.Gaps)...)
	}
	p.field("Findings", text(acceptedWords(v.Summary)))
	p.begin(v)
}

// onlyRoles says that there may be roles that nobody looked at.
func onlyRoles(selectors []string) string {
	return "that fit " + some(selectors, len(selectors), maxNames) + ": others were not asked for (--role)"
}

// begin names what is worst, why it is, and what to do about it.
func (p *page) begin(v view) {
	label, f := v.worst()
	if f == nil {
		return
	}
	p.blank()
	p.field("Begin with", name(label))
	p.field("Because", text(findingTitle(f)).styled(severityStyle(f.Severity)))
	if f.Remedy != "" {
		p.field("Do", text(f.Remedy))
	}
}

func span(w report.Window) string {
	return fmt.Sprintf("%s to %s UTC (%s)", minute(w.From), minute(w.To), days(w.From, w.To))
}

func regions(r report.Regions) string {
	s := some(r.Read, len(r.Read), 2*maxNames)
	if s == "" {
		s = "none read"
	}
	if len(r.Enabled) == 0 {
		return s + " (the enabled ones could not be listed)"
	}
	var unread []string
	for _, region := range r.Enabled {
		if !slices.Contains(r.Read, region) {
			unread = append(unread, region)
		}
	}
	if len(unread) == 0 {
		return s + " (all that are enabled)"
	}
	return fmt.Sprintf("%s (%d enabled, not read: %s)", s, len(r.Enabled), some(unread, len(unread), maxNames))
}

// notComplete says why a run is not complete: the gaps that unsettle it, those
// with the same cause as one.
func notComplete(gaps []report.Gap) []para {
	var why []string
	for _, g := range groupGaps(gaps) {
		if g.Impact == "detail" {
			continue
		}
		if w := join(" ", g.Impact+":", g.Source, g.Reason, inRegions(g.regions)); !slices.Contains(why, w) {
			why = append(why, w)
		}
	}
	ps := []para{text("NOT COMPLETE: do not read what is missing here as unused").styled(bad)}
	for _, w := range why[:min(len(why), 3)] {
		ps = append(ps, text("- "+w).hanging(2))
	}
	if len(why) > 3 {
		ps = append(ps, text(fmt.Sprintf("and %s, under Gaps", plural(len(why)-3, "other", "others"))))
	}
	return ps
}

func inRegions(regions []string) string {
	if len(regions) == 0 {
		return ""
	}
	return "in " + strings.Join(regions, ", ")
}
