package output

import (
	"fmt"
	"io"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteJobCheck renders the check of a job, as WriteVerification does.
func WriteJobCheck(w io.Writer, f Format, c *report.JobCheck, o Options) error {
	return writeOne(w, f, c, o, "check", func(p *page) { p.jobCheck(c) })
}

var jobWords = map[string]struct {
	word  string
	style style
}{
	report.JobRuns:   {"RUNS", good},
	report.JobUnsure: {"CANNOT TELL", warn},
	report.JobFails:  {"FAILS", worse},
}

// jobCheck writes the answer, then the needs that decide it, then the rest.
func (p *page) jobCheck(c *report.JobCheck) {
	under := ""
	if len(c.Policies) > 0 {
		var files []string
		for _, e := range c.Policies {
			files = append(files, e.Name)
		}
		under = ", under " + some(files, len(files), maxNames)
	}
	job := "this training job"
	if c.Job.Name != "" {
		job = "training job " + c.Job.Name
	}
	p.put(text(fmt.Sprintf("Would %s run as %s%s ?", job, c.Role.Name, under)))
	p.rule("=")
	head := jobWords[c.Answer]
	because := c.Why
	if c.Answer == report.JobUnsure {
		because = "because " + because
	}
	p.labelled(text(or(head.word, c.Answer)).styled(head.style), labelWidth, paras(because))
	if c.Job.Status != "" {
		p.field("On record", text("this job: "+c.Job.Status))
	}
	for _, g := range []struct{ head, effect string }{
		{"It fails because this is not granted", report.EffectFails},
		{"Of these it cannot be told", report.EffectUnsure},
		{"It runs without these, and loses something", report.EffectDegrades},
		{"It does without these, as far as is known", report.EffectWithout},
	} {
		var of []report.NeedCheck
		for _, n := range c.Needs {
			if n.Effect == g.effect {
				of = append(of, n)
			}
		}
		p.part(g.head, len(of) > 0, func() {
			for i := range of[:min(len(of), maxUses)] {
				if g.effect == report.EffectWithout {
					p.spared(&of[i])
				} else {
					p.need(&of[i])
				}
			}
			p.indented(more(len(of) - maxUses)...)
		})
	}
	p.part("What its configuration does not tell", len(c.Unresolved) > 0, func() {
		for _, u := range c.Unresolved {
			p.indented(text(u.Field + ": " + u.What).hanging(2))
		}
	})
	p.granted(c)
	p.part("Not read, and able to refuse", len(c.NotRead) > 0, func() { p.indented(notes(c.NotRead)...) })
	p.part("Notes", len(c.Notes) > 0, func() { p.indented(notes(c.Notes)...) })
	p.blank()
	p.field("Trust", text(c.Trust.Why))
	if c.Job.Region != "" {
		p.field("Region", text(fmt.Sprintf("%s (%s)", c.Job.Region, c.Job.RegionFrom)))
	}
	p.field("Rests on", text(fmt.Sprintf("account %s as of %s UTC", c.Account.ID, minute(c.GeneratedAt))))
	for _, g := range c.GivenPolicies {
		p.field("", name(givenPolicy(g)))
	}
	for i, e := range c.Policies {
		label := ""
		if i == 0 {
			label = "Policies"
		}
		p.field(label, text(fmt.Sprintf("%s: %s, %d characters", e.Name, plural(e.Statements, "statement", "statements"), e.Characters)).hanging(2))
	}
}

// need writes a need that is not simply granted.
func (p *page) need(n *report.NeedCheck) {
	p.indented(text(n.Action), name("on "+n.Resource).in(2))
	why := n.Why
	if n.State == report.NeedRefused {
		why = join(": ", needState(n), why)
	}
	p.indented(text(why).in(4).hanging(2))
	p.indented(text("asked for by " + some(n.Fields, len(n.Fields), 3)).in(4).hanging(2))
	p.indented(text(demand(n)).in(4).hanging(2))
	for _, s := range n.ToAllow {
		p.indented(text("- " + s).in(4).hanging(2))
	}
}

// needState is what the policies say of a need, and which of them.
func needState(n *report.NeedCheck) string {
	state := wording(needStates, n.State)
	if layer := wording(refusers, n.Layer); n.State == report.NeedRefused && layer != "" {
		state += " by " + layer
	}
	return state
}

// demand says how sure the need is.
func demand(n *report.NeedCheck) string {
	s := wording(missingWords, n.IfMissing)
	if n.Optional {
		s += "; optional"
	}
	return s + " (" + wording(confidences, n.Confidence) + ")"
}

// spared writes a need that the job does without.
func (p *page) spared(n *report.NeedCheck) {
	p.indented(text(n.Action+" on "+n.Resource).hanging(2), text(needState(n)+"; "+demand(n)).in(2).hanging(2))
}

var needStates = map[string]string{report.NeedRefused: "refused", report.NeedConditional: "granted only under a condition",
	report.NeedPartly: "granted on a part of it", report.NeedUnknown: "not known to be granted"}

// refusers are the layers as what refuses.
var refusers = map[string]string{"identity": "the identity policies", "boundary": "the permissions boundary", "scp": "a service control policy",
	"rcp": "a resource control policy", "resource": "the policy of the bucket or key"}

var confidences = map[string]string{"doc": "AWS documents the need", "model": "the API's description tells the need", "inferred": "the need is inferred"}

// granted lists in short what is granted, by area.
func (p *page) granted(c *report.JobCheck) {
	var order []string
	byArea := map[string][]string{}
	for _, n := range c.Needs {
		if n.Effect != report.EffectNone {
			continue
		}
		if byArea[n.Area] == nil {
			order = append(order, n.Area)
		}
		byArea[n.Area] = append(byArea[n.Area], n.Action+" on "+n.Resource)
	}
	p.part("Granted", len(order) > 0, func() {
		for _, area := range order {
			var ps []para
			for _, s := range byArea[area][:min(len(byArea[area]), maxCells)] {
				ps = append(ps, text(s).hanging(2))
			}
			p.field(strings.TrimSpace(area), append(ps, more(len(byArea[area])-maxCells)...)...)
		}
	})
}
