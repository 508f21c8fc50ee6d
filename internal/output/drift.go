package output

import (
	"fmt"
	"io"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteDrift renders a drift alone, as a table for people, as JSON or as one line, and copies it to
// w. Of a drift with nothing to tell the table is empty: not a byte is written. Nothing
// is written unless the whole could be rendered; the error of w is returned.
func WriteDrift(w io.Writer, f Format, d *report.DriftReport, o Options) error {
	switch {
	case f == Table && d.Drift.Empty():
		return nil
	case f == Summary:
		_, err := io.WriteString(w, oneLine(d.Account, driftWords(&d.Drift)...))
		return err
	}
	return writeOne(w, f, d, o, "drift", func(p *page) {
		p.put(text("Drift of the SageMaker execution roles of account " + d.Account.ID))
		p.rule("=")
		p.drift(&d.Drift)
	})
}

// driftPart is the drift within a report, beside its excess.
func (p *page) driftPart(v view) {
	d := v.Drift
	if d == nil {
		return
	}
	p.heading("DRIFT")
	p.field("Excess", text(fmt.Sprintf("%d of %d granted actions are unused, %d needed ones are missing", v.Summary.Unused, v.Summary.Granted, v.Summary.Missing)))
	p.drift(d)
}

// drift writes what is compared, then the changes, the deviations, and what could not
// be compared.
func (p *page) drift(d *report.Drift) {
	if d.Baseline != nil {
		p.field("Baseline", evidencedPara(d.Baseline))
		p.field("Compared", evidencedPara(&d.Current))
		if d.Current.TakenAt.Before(d.Baseline.TakenAt) {
			p.field("", text("The baseline is the younger of the two: all below reads backwards.").styled(warn))
		}
		p.field("Changes", text(changeCounts(d)).styled(changesStyle(d)))
	}
	if d.DeviationsTotal > 0 || d.Baseline == nil && d.UnknownTotal == 0 {
		p.field("Deviations", text(fmt.Sprint(d.DeviationsTotal)))
	}
	for i := range d.Changes[:min(len(d.Changes), maxChanges)] {
		p.change(&d.Changes[i])
	}
	p.indented(more(d.ChangesTotal - min(len(d.Changes), maxChanges))...)
	p.part("Otherwise than declared", d.DeviationsTotal > 0, func() {
		for i := range d.Deviations[:min(len(d.Deviations), maxChanges)] {
			p.deviation(&d.Deviations[i])
		}
		p.indented(more(d.DeviationsTotal - min(len(d.Deviations), maxChanges))...)
	})
	p.part("Not compared: no change of these is no proof that there was none", d.UnknownTotal > 0, func() {
		groups := groupUncompared(d.Unknown)
		for _, g := range groups[:min(len(groups), maxUses)] {
			p.indented(text("- " + g.words() + " (" + wording(sideWords, g.Side) + "): " + g.Why).hanging(2))
		}
		left := d.UnknownTotal
		for _, g := range groups[:min(len(groups), maxUses)] {
			left -= max(len(g.roles), 1)
		}
		p.indented(more(left)...)
	})
	p.part("Of the tool, not of the account", len(d.Tool) > 0, func() {
		for _, t := range d.Tool {
			p.indented(text(fmt.Sprintf("- %s: %s, was %s. %s", t.Kind, orNone(t.After), orNone(t.Before), t.Detail)).hanging(2))
		}
	})
}

// maxChanges is how many changes, and deviations, a table shows in full.
const maxChanges = 60

var sideWords = map[string]string{report.SideBaseline: "not in the baseline", report.SideCurrent: "not in the current snapshot", report.SideBoth: "on both sides", report.SideDeclared: "not in what is declared"}

func evidencedPara(e *report.Evidenced) para {
	s := join(", ", e.Name, "taken "+minute(e.TakenAt)+" UTC", fmt.Sprintf("usage of %s, jobs of %s", days(e.Window.From, e.Window.To), days(e.JobsWindow.From, e.JobsWindow.To)))
	if !e.Complete {
		return text(s + "; NOT COMPLETE").styled(warn)
	}
	return text(s)
}

func orNone(s string) string { return or(s, "none") }

func changeCounts(d *report.Drift) string {
	s := d.Summary
	var parts []string
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{s.Widens, "widens", "widen"}, {s.Both, "widens and narrows", "widen and narrow"}, {s.Unknown, "of unknown effect", "of unknown effect"},
		{s.Narrows, "narrows", "narrow"}, {s.None, "changes no grant", "change no grant"},
	} {
		if c.n > 0 {
			parts = append(parts, plural(c.n, c.one, c.many))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return fmt.Sprintf("%d: %s", d.ChangesTotal, strings.Join(parts, ", "))
}

func changesStyle(d *report.Drift) style {
	switch {
	case d.Summary.Widens+d.Summary.Both+d.Summary.Unknown > 0:
		return worse
	case d.ChangesTotal > 0:
		return notice
	}
	return good
}

var effectWords = map[string]string{
	string(report.Widens): "widens", string(report.Narrows): "narrows", string(report.Both): "widens and narrows",
	string(report.NoEffect): "no effect", string(report.UnknownEffect): "effect unknown",
}

// change writes one change: what, to whom, how far it reaches, and who did it.
func (p *page) change(c *report.Change) {
	p.blank()
	st := severityStyle(c.Severity)
	p.labelled(text(string(c.Severity)).styled(st), labelWidth, []para{text(c.Title).styled(st)})
	p.field("", text(join("; ", string(c.Kind), wording(effectWords, string(c.Effect)), roleEffectWords(c))))
	if c.Role != "" {
		p.field("", name(c.Role))
	}
	if c.RolesTotal > 1 || c.RolesTotal == 1 && c.Role == "" {
		p.field("", text("reaches "+plural(c.RolesTotal, "role", "roles")+": "+some(roleNames(c.Roles), c.RolesTotal, maxNames)).hanging(2))
	}
	p.field("", newlyParas("newly allowed", "on more resources or under fewer conditions", "may newly act as the role", &c.Newly)...)
	p.field("", newlyParas("no longer allowed", "on fewer resources or under more conditions", "may no longer act as the role", &c.NoLonger)...)
	if c.EffectWhy != "" {
		p.field("", text("it "+c.EffectWhy).hanging(2))
	}
	switch {
	case c.Before != "" && c.After != "":
		p.field("", text("was: "+c.Before).hanging(5), text("is: "+c.After).hanging(4))
	default:
		p.field("", text(or(prefixed("is: ", c.After), prefixed("was: ", c.Before))).hanging(5))
	}
	cause := c.Cause
	if c.By != nil {
		cause += fmt.Sprintf(", on %s UTC (event %s of %s)", minute(c.By.At), c.By.EventID, c.By.Principal)
		if c.By.Others > 0 {
			cause += fmt.Sprintf(", the last of %d", c.By.Others+1)
		}
	}
	p.field("", text("cause: "+cause).hanging(7))
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func roleEffectWords(c *report.Change) string {
	if c.RoleEffect == "" || c.RoleEffect == c.Effect {
		return ""
	}
	return "with the role's other changes: " + wording(effectWords, string(c.RoleEffect))
}

// uncompared is the same lack of evidence for several roles.
type uncompared struct {
	report.Uncompared
	roles []string
}

func (u *uncompared) words() string {
	switch len(u.roles) {
	case 0:
		return u.What
	case 1:
		return u.roles[0] + ": " + u.What
	}
	return plural(len(u.roles), "role", "roles") + " (" + some(u.roles, len(u.roles), maxNames) + "): " + u.What
}

// groupUncompared puts the roles of the same lack together, in the order of the first.
func groupUncompared(all []report.Uncompared) []*uncompared {
	type key struct{ what, side, why string }
	known := map[key]*uncompared{}
	var groups []*uncompared
	for _, u := range all {
		k := key{u.What, u.Side, u.Why}
		g := known[k]
		if g == nil || u.Role == "" {
			g = &uncompared{Uncompared: u}
			groups, known[k] = append(groups, g), g
		}
		if u.Role != "" {
			g.roles = append(g.roles, roleNames([]string{u.Role})...)
		}
	}
	return groups
}

func roleNames(arns []string) []string {
	names := make([]string, len(arns))
	for i, arn := range arns {
		names[i] = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	return names
}

// newlyParas are what is allowed on one side only.
func newlyParas(what, more, who string, n *report.Newly) []para {
	var ps []para
	var counts []string
	if n.Actions > 0 {
		counts = append(counts, plural(n.Actions, "action", "actions"))
	}
	if n.Broader > 0 {
		counts = append(counts, plural(n.Broader, "action", "actions")+" "+more)
	}
	if len(counts) > 0 {
		s := what + ": " + strings.Join(counts, ", ")
		var risky []string
		for _, r := range n.Riskiest {
			risky = append(risky, fmt.Sprintf("%s on %s (%s)", r.Action, r.Resource, r.Why))
		}
		ps = append(ps, text(join("; first of all ", s, strings.Join(risky, ", "))).hanging(2))
	}
	if n.PrincipalsTotal > 0 {
		ps = append(ps, text(who+": "+some(n.Principals, n.PrincipalsTotal, maxNames)).hanging(2))
	}
	if n.Note != "" {
		ps = append(ps, text(what+": "+n.Note).hanging(2))
	}
	return ps
}

func (p *page) deviation(d *report.Deviation) {
	p.blank()
	st := severityStyle(d.Severity)
	p.labelled(text(string(d.Severity)).styled(st), labelWidth, []para{text(or(d.Title, d.Kind+" "+d.Subject)).styled(st)})
	p.field("", text(join("; ", d.Kind, wording(effectWords, string(d.Effect)))))
	p.field("", name(d.Role))
	p.field("", newlyParas("beyond what is declared", "on more resources or under fewer conditions", "may act as the role beyond what is declared", &d.Newly)...)
	if d.EffectWhy != "" {
		p.field("", text("it "+d.EffectWhy).hanging(2))
	}
	if d.Declared != "" || d.Live != "" {
		p.field("", text("declared: "+orNone(d.Declared)).hanging(10), text("live: "+orNone(d.Live)).hanging(6))
	}
	p.field("", text(join("; ", d.Detail, "by "+join(" ", d.Source, d.File))).hanging(2))
}
