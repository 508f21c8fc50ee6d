package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteVerification renders a verification, as a table for people or as JSON, and copies
// it to w. Nothing is written unless the whole could be rendered; the error of w is
// returned.
func WriteVerification(w io.Writer, f Format, v *report.Verification, o Options) error {
	return writeOne(w, f, v, o, "verification", func(p *page) { p.verification(v) })
}

// writeOne renders one object of a contract of its own.
func writeOne(w io.Writer, f Format, v any, o Options, what string, lay func(*page)) error {
	var buf bytes.Buffer
	if f == JSON {
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return fmt.Errorf("render the %s as %s: %w", what, f, err)
		}
		escapeJSON(&buf, plain.Bytes())
	} else {
		p := &page{width: max(o.Width, MinWidth), color: o.Color}
		lay(p)
		buf.Write(p.buf.Bytes())
	}
	_, err := buf.WriteTo(w)
	return err
}

var verifyWords = map[string]struct {
	word  string
	style style
}{
	report.VerifyPasses: {"YES", good},
	report.VerifyUnsure: {"NOT SURE", warn},
	report.VerifyFails:  {"NO", worse},
}

// verification writes the answer, then what stands against it, then what else there is.
func (p *page) verification(v *report.Verification) {
	var files []string
	for _, e := range v.Policies {
		files = append(files, e.Name)
	}
	p.put(text(fmt.Sprintf("Would %s do for %s ?", some(files, len(files), maxNames), v.Role.Name)))
	p.rule("=")
	head := verifyWords[v.Answer]
	p.labelled(text(or(head.word, v.Answer)).styled(head.style), labelWidth, paras(v.Why))
	p.field("Warning", notes(v.Warnings)...)
	p.uses("It breaks", v.Broken, v.BrokenTotal)
	p.uses("Of these it cannot be told", v.Unsure, v.UnsureTotal)
	p.part("It widens today's grant", v.WidensTotal > 0, func() { p.widens(v) })
	p.part("Beyond what is needed or was seen", v.Excess.GrantsTotal > 0, func() { p.excess(&v.Excess) })
	p.part("Left to review: used, and able to change permissions or hand on a role", len(v.Review) > 0, func() {
		for _, r := range v.Review[:min(len(v.Review), maxUses)] {
			kept := "not allowed"
			if r.Kept {
				kept = "allowed"
			}
			p.indented(text(fmt.Sprintf("%s on %s: used %s, last on %s; %s by the given policies", r.Action, r.Resource, plural(r.Count, "time", "times"), day(r.Last), kept)).hanging(2))
		}
		p.indented(more(len(v.Review) - maxUses)...)
	})
	p.part("What the evidence leaves open", len(v.Limits) > 0, func() { p.indented(notes(v.Limits)...) })
	p.blank()
	p.field("Replayed", text(fmt.Sprintf("%s; %s on record; %s of %s", plural(v.Checked.Held, "held use or need", "held uses and needs"),
		plural(v.Checked.Calls, "kind of call", "kinds of calls"), plural(v.Checked.Needs, "need", "needs"), plural(v.Checked.Jobs, "job", "jobs"))))
	state := "complete"
	if !v.Complete {
		state = "NOT complete: something that was asked for could not be read (audit report names it)"
	}
	p.field("Evidence", text(fmt.Sprintf("usage %s to %s, jobs from %s; %s", day(v.Window.From), day(v.Window.To), day(v.JobsWindow.From), state)))
	p.field("Rests on", text(fmt.Sprintf("account %s as of %s UTC", v.Account.ID, minute(v.GeneratedAt))))
	for _, g := range v.GivenPolicies {
		p.field("", name(givenPolicy(g)))
	}
	for i, e := range v.Policies {
		label := ""
		if i == 0 {
			label = "Policies"
		}
		p.field(label, text(fmt.Sprintf("%s: %s, %d characters", e.Name, plural(e.Statements, "statement", "statements"), e.Characters)).hanging(2))
	}
}

// maxShown is how many jobs, and kinds of calls, stand for the rest.
const maxShown = 3

// uses writes what is broken or doubted, by action.
func (p *page) uses(head string, uses []report.VerifiedUse, total int) {
	p.part(head, total > 0, func() {
		for i := range uses[:min(len(uses), maxUses)] {
			u := &uses[i]
			if i == 0 || uses[i-1].Action != u.Action {
				p.indented(text(u.Action).styled(worse))
			}
			p.use(u)
		}
		p.indented(more(total - maxUses)...)
	})
}

func (p *page) use(u *report.VerifiedUse) {
	p.indented(name("on "+u.Resource).in(2), text(u.Because).in(4).hanging(2))
	if u.Example != "" {
		p.indented(text("for example " + u.Example).in(4).hanging(2))
	}
	if u.Note != "" {
		p.indented(text("(" + u.Note + ")").in(4).hanging(1))
	}
	if u.Rests != "" {
		rests := "rests on " + u.Rests
		if u.IfMissing != "" {
			rests += "; " + wording(missingWords, u.IfMissing)
		}
		p.indented(text(rests).in(4).hanging(2))
	}
	if !u.OnRecord {
		p.indented(text("no job or call on record is concerned; the next ones like them may be").in(4).hanging(2))
	}
	jobs := u.Jobs[:min(len(u.Jobs), maxShown)]
	for _, j := range jobs {
		where := j.Field
		if j.Resource != u.Resource {
			where += " asks for " + j.Resource
		}
		p.indented(text(fmt.Sprintf("job %s of %s (%s): %s", j.Job, day(j.CreatedAt), j.Status, where)).in(4).hanging(2))
	}
	if n := u.JobsTotal - len(jobs); n > 0 && len(jobs) > 0 {
		p.indented(text("and " + plural(n, "more job", "more jobs")).in(4))
	}
	shown := 0
	for _, c := range u.Calls[:min(len(u.Calls), maxShown)] {
		what := fmt.Sprintf("call %s in %s, event %s of %s", c.EventName, c.Region, c.EventID, day(c.Last))
		if c.Count > 1 {
			what += fmt.Sprintf(", the last of %d", c.Count)
		}
		if c.Resource != u.Resource {
			what += ": " + c.Resource
		}
		shown += c.Count
		p.indented(text(what).in(4).hanging(2))
	}
	if n := u.CallsTotal - shown; n > 0 && shown > 0 {
		p.indented(text("and " + plural(n, "more call", "more calls")).in(4))
	}
}

// missingWords are what becomes of a job without a need.
var missingWords = map[string]string{"fails": "a job fails without it", "degrades": "a job runs without it and loses something", "unknown": "what a job does without it is not documented"}

func (p *page) widens(v *report.Verification) {
	for _, w := range v.Widens[:min(len(v.Widens), maxUses)] {
		doubt := ""
		if !w.Certain {
			doubt = "perhaps: "
		}
		what := join(" on ", w.Action, w.Resource)
		switch w.Kind {
		case report.WidensDeny:
			what = "Deny " + what + " (" + statementName(w.Policy, w.Index, w.Sid) + " of today)"
		case report.WidensTogether:
			what = "the statements together"
		default:
			what += " (" + statementName(w.Policy, w.Index, w.Sid) + ")"
		}
		p.indented(text(doubt+what).hanging(4), text(w.Because).in(2).hanging(2))
		if w.Example != "" {
			lead := "newly allowed, for example: "
			if w.Kind == report.WidensDeny {
				lead = "no longer denied, for example: "
			}
			p.indented(text(lead + w.Example).in(2).hanging(2))
		}
	}
	p.indented(more(v.WidensTotal - maxUses)...)
}

func statementName(policy string, index int, sid string) string {
	s := fmt.Sprintf("%s, statement %d", policy, index+1)
	if sid != "" {
		s += " (" + sid + ")"
	}
	return s
}

func (p *page) excess(e *report.Excess) {
	if e.Actions > 0 {
		p.indented(text(plural(e.Actions, "action that nothing needs", "actions that nothing needs") + ":"))
	}
	for _, g := range e.Grants[:min(len(e.Grants), maxUses)] {
		what := g.Entry + " on " + g.Resource + " (" + statementName(g.Policy, g.Index, g.Sid) + ")"
		p.indented(text(what).hanging(4))
		of := ""
		if g.Count > 1 || !slices.Equal(g.Actions, []string{g.Entry}) {
			of = plural(g.Count, "action", "actions") + " of it (" + some(g.Actions, g.Count, 3) + ") "
		}
		var why string
		if g.Kind == report.ExcessWider {
			why = of + "needed on less: " + some(g.Needed, len(g.Needed), 3)
		} else {
			why = of + "neither needed nor seen"
		}
		if g.Unobservable > 0 {
			why += fmt.Sprintf("; calls of %d of them no source would have shown", g.Unobservable)
		}
		p.indented(text(why).in(2).hanging(2))
	}
	p.indented(more(e.GrantsTotal - maxUses)...)
}
