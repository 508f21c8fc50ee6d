package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// proposal writes the policy that would do, what it takes away, and how far it
// can be relied on.
func (p *page) proposal(q *report.Proposal) {
	p.blank()
	p.put(text("Proposal: " + q.Proof.Status))
	p.field("Why "+q.Proof.Status, notes(q.Proof.Reasons)...)
	p.field("Checked", checked(q.Proof)...)
	p.field("Back-test", backtest(q.Backtest)...)
	p.field("Grant", text(fmt.Sprintf("%s on %s today; %s on %s proposed", plural(q.Before.Actions, "action", "actions"), plural(q.Before.Resources, "resource pattern", "resource patterns"),
		plural(q.After.Actions, "action", "actions"), plural(q.After.Resources, "resource pattern", "resource patterns"))))
	p.field("Assumes", notes(q.Proof.Assumes)...)
	p.field("Refuted by", notes(q.Proof.Counterexamples)...)
	p.field("Removes", removes(q)...)
	p.field("Review", notes(q.Review)...)
	p.field("Confirm first", notes(q.Confirm)...)
	p.field("Notes", notes(q.Notes)...)
	p.field("Statements", statements(q.Statements)...)
	for _, d := range q.Policies {
		p.document("Proposed "+d.Kind+" policy "+d.Name, d.Document)
	}
	if len(q.Policies) == 0 {
		p.field("Policy", text("none is needed"))
	}
	if len(q.Trust) > 0 && string(q.Trust) != "null" {
		p.document("Proposed trust policy", q.Trust)
	}
}

func checked(f report.Proof) []para {
	var parts []string
	for _, c := range []struct {
		ok      *bool
		yes, no string
	}{
		{f.Covers, "covers all held obligations", "does NOT cover all held obligations"},
		{f.WidensNothing, "widens nothing", "WIDENS today's grant"},
		{f.Irredundant, "nothing in it is redundant", "something in it is redundant"},
	} {
		switch {
		case c.ok == nil:
		case *c.ok:
			parts = append(parts, c.yes)
		default:
			parts = append(parts, c.no)
		}
	}
	if f.Replayed != nil {
		parts = append(parts, plural(*f.Replayed, "call replayed", "calls replayed"))
	}
	if f.Characters > 0 {
		parts = append(parts, fmt.Sprintf("%d characters without white space", f.Characters))
	}
	if len(parts) == 0 {
		return nil
	}
	return paras(strings.Join(parts, "; "))
}

// backtest says what a proposal of some time ago would have done since.
func backtest(bs []report.Backtest) []para {
	var ps []para
	for _, b := range bs {
		s := fmt.Sprintf("as of %s, made from %s: it would have broken %d of %s since", day(b.At), plural(b.Jobs, "job", "jobs"), b.Broken, plural(b.Replayed, "job", "jobs"))
		if b.BrokenCalls > 0 {
			s += fmt.Sprintf(", and refused calls of %d of %s", b.BrokenCalls, plural(b.Calls, "kind", "kinds"))
		}
		ps = append(ps, text(s).hanging(2))
		if len(b.Because) > 0 {
			ps = append(ps, text("because of "+some(b.Because, len(b.Because), 2)).in(2).hanging(2))
		}
	}
	return ps
}

// removes says what goes, by the reason why it may.
func removes(q *report.Proposal) []para {
	if q.RemovedTotal == 0 {
		return paras("nothing")
	}
	type group struct {
		because string
		count   int
		names   []string
	}
	var groups []*group
	byReason := map[string]*group{}
	listed := 0
	for _, r := range q.Removed {
		g := byReason[r.Because]
		if g == nil {
			g = &group{because: r.Because}
			byReason[r.Because] = g
			groups = append(groups, g)
		}
		name := r.Action
		if r.LastSeen != nil {
			name += " last seen " + day(*r.LastSeen)
		}
		g.count += r.Count
		g.names = append(g.names, name)
		listed += r.Count
	}
	ps := paras(plural(q.RemovedTotal, "action", "actions"))
	for _, g := range groups[:min(len(groups), maxRemovals)] {
		ps = append(ps, text(fmt.Sprintf("- %d: %s (%s)", g.count, g.because, some(g.names, len(g.names), maxNames))).hanging(2))
	}
	ps = append(ps, more(len(groups)-maxRemovals)...)
	if rest := q.RemovedTotal - listed; rest > 0 {
		ps = append(ps, text(fmt.Sprintf("- %d not listed", rest)))
	}
	return ps
}

func statements(ss []report.Statement) []para {
	var ps []para
	for _, s := range ss {
		because := some(s.Because, len(s.Because), 3)
		part := s.Area
		if s.Section != "core" {
			part = join(", ", s.Area, s.Section)
		}
		ps = append(ps, text(join(": ", join(", ", s.Sid, part), because)).hanging(2))
	}
	return ps
}

// document writes a policy document at the left edge, to be copied. It is the one
// thing that may be wider than the page: a JSON string cannot be broken.
func (p *page) document(title string, doc json.RawMessage) {
	var indented bytes.Buffer
	if p.err != nil {
		return
	}
	if p.err = json.Indent(&indented, doc, "", "  "); p.err != nil {
		p.err = fmt.Errorf("%s: %w", title, p.err)
		return
	}
	p.blank()
	p.put(text(title))
	escapeJSON(&p.buf, indented.Bytes())
	p.buf.WriteByte('\n')
}
