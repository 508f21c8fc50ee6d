package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// WriteExplanation renders an explanation, as text for people (Table) or as JSON, and
// copies it to w. Nothing is written unless the whole could be rendered; the error of w
// is returned.
func WriteExplanation(w io.Writer, f Format, e *report.Explanation, o Options) error {
	var buf bytes.Buffer
	if f == JSON {
		var plain bytes.Buffer
		enc := json.NewEncoder(&plain)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("render the explanation as %s: %w", f, err)
		}
		escapeJSON(&buf, plain.Bytes())
	} else {
		p := &page{width: max(o.Width, MinWidth), color: o.Color}
		p.explanation(e)
		buf.Write(p.buf.Bytes())
	}
	_, err := buf.WriteTo(w)
	return err
}

// explanation writes the answers, each with what it rests on.
func (p *page) explanation(e *report.Explanation) {
	role := e.Role.Name
	if !e.Role.Exists {
		role += " (gone)"
	}
	for i, a := range e.Answers {
		if i > 0 {
			p.blank()
		}
		p.put(text(fmt.Sprintf("May %s do %s on", role, e.Action)), name(a.Resource+" ?").in(margin))
		p.rule("=")
		p.answer(e, &a)
	}
	if n := e.AnswersTotal - len(e.Answers); n > 0 {
		p.blank()
		p.put(text(fmt.Sprintf("and %d more resources: name one to ask about it", n)))
	}
	if len(e.Notes) > 0 {
		p.blank()
		p.field("Note", paras(e.Notes...)...)
	}
	p.blank()
	p.field("Rests on", text(fmt.Sprintf("account %s as of %s UTC", e.Account.ID, minute(e.GeneratedAt))))
	for _, g := range e.GivenPolicies {
		p.field("", name(givenPolicy(g)))
	}
	for _, c := range e.Context {
		p.field("", text("given with the question: "+c.Key+" = "+strings.Join(c.Values, ", ")).hanging(2))
	}
}

// verdictWords are the answers in a word.
var verdictWords = map[string]struct {
	word  string
	style style
}{
	report.AnswerAllowed:     {"YES", good},
	report.AnswerConditional: {"IT DEPENDS", warn},
	report.AnswerDenied:      {"NO", worse},
	report.AnswerUnknown:     {"NOT KNOWN", warn},
}

func (p *page) answer(e *report.Explanation, a *report.Answer) {
	head := verdictWords[a.Answer]
	p.labelled(text(or(head.word, a.Answer)).styled(head.style), labelWidth, paras(a.Why))
	for i, n := range a.Needs {
		label := ""
		if i == 0 {
			label = "To allow it"
			if a.Answer == report.AnswerConditional {
				label = "It depends on"
			}
		}
		p.field(label, text("- "+n).hanging(2))
	}
	for _, g := range []struct {
		head string
		is   func(*report.ExplainedStatement) bool
	}{
		{"Statements that refuse it", func(s *report.ExplainedStatement) bool { return s.Effect == "Deny" && s.Applies == "yes" }},
		{"Statements that may refuse it", func(s *report.ExplainedStatement) bool { return s.Effect == "Deny" && s.Applies == "conditional" }},
		{"Statements that allow it", func(s *report.ExplainedStatement) bool { return s.Effect == "Allow" && s.Applies == "yes" }},
		{"Statements that may allow it", func(s *report.ExplainedStatement) bool {
			return s.Effect == "Allow" && s.Applies == "conditional"
		}},
		{"Near it, and not applying", func(s *report.ExplainedStatement) bool { return s.Applies == "no" }},
	} {
		var of []report.ExplainedStatement
		for i := range a.Statements {
			if g.is(&a.Statements[i]) {
				of = append(of, a.Statements[i])
			}
		}
		p.part(g.head, len(of) > 0, func() {
			for _, s := range of[:min(len(of), maxNotes)] {
				p.statement(&s)
			}
			p.indented(more(len(of) - maxNotes)...)
		})
	}
	p.part("Layer by layer", e.Role.Exists, func() { p.answerLayers(a) })
	p.part("What the audit knows of it", true, func() { p.known(a) })
	p.part("Not read", len(a.NotRead) > 0, func() { p.indented(notes(a.NotRead)...) })
}

// statement writes where a statement stands, what it says and what became of each
// condition.
func (p *page) statement(s *report.ExplainedStatement) {
	head := fmt.Sprintf("%s, statement %d", explainedPolicy(s), s.Index)
	if s.Sid != "" {
		head += " (" + s.Sid + ")"
	}
	p.indented(text(head).hanging(4), text(s.Text).in(2).hanging(2))
	for _, c := range s.Conditions {
		p.indented(text("if " + c.Needs + ": " + conditionState(&c)).in(2).hanging(3))
	}
	if s.Because != "" && (len(s.Conditions) == 0 || s.Applies == "no" && !slices.ContainsFunc(s.Conditions, func(c report.ExplainedCondition) bool { return c.Holds != "true" })) {
		p.indented(text("(" + s.Because + ")").in(2).hanging(1))
	}
	if s.Partial {
		p.indented(text("(of some of these resources)").in(2).hanging(1))
	}
}

// conditionState says whether a condition holds, and by which value.
func conditionState(c *report.ExplainedCondition) string {
	state := map[string]string{"true": "holds", "false": "does not hold", "unknown": "not known"}[c.Holds]
	switch {
	case !c.Known:
		return or(state, c.Holds)
	case len(c.Request) == 0:
		return or(state, c.Holds) + ", the request does not have it"
	}
	return or(state, c.Holds) + ", it is " + some(c.Request, len(c.Request), 3)
}

// kinds of policies in words.
var kinds = map[string]string{
	"inline": "inline policy", "managed": "managed policy", "boundary": "permissions boundary",
	"scp": "service control policy", "rcp": "resource control policy", "resource": "policy of",
}

func explainedPolicy(s *report.ExplainedStatement) string {
	head := join(" ", wording(kinds, s.Kind), s.Policy, s.Version)
	if s.Layer == "scp" {
		head += fmt.Sprintf(" of level %d", s.Level)
	}
	return head
}

// answerLayers says of each layer what it says by itself.
func (p *page) answerLayers(a *report.Answer) {
	l := a.Layers
	for _, x := range []struct{ name, state string }{
		{"identity policies", l.Identity}, {"permissions boundary", l.Boundary}, {"service control policies", l.SCP},
		{"resource control policies", l.RCP}, {"the resource's own policy", l.Resource},
	} {
		st := text(wording(layerStates, x.state))
		if x.name == "the resource's own policy" && x.state == "none" {
			st = text("none, or silent")
		}
		p.labelled(text(x.name), len("the resource's own policy")+2, []para{st})
	}
}

var layerStates = map[string]string{
	"yes": "allow", "conditional": "allow under a condition", "no": "refuse", "notRead": "not read", "none": "none",
}

// known writes the verdicts of the report and their evidence.
func (p *page) known(a *report.Answer) {
	if len(a.Cells) == 0 {
		p.indented(text("never used, refused or needed by a job, as far as was read"))
	}
	for _, c := range a.Cells {
		what := "the rest of the grant"
		if !c.Rest {
			what = or(c.Resource, "calls whose record names no resource")
		}
		facts := paras(what)
		var how []string
		if c.Needed != "" {
			how = append(how, "needed by jobs ("+c.Needed+")")
		}
		if c.Seen > 0 {
			how = append(how, "used "+plural(c.Seen, "time", "times"))
		}
		if c.Denied > 0 {
			how = append(how, "refused "+plural(c.Denied, "time", "times"))
		}
		if c.Last != nil {
			how = append(how, "last on "+day(*c.Last))
		}
		if len(how) > 0 {
			facts = append(facts, text(strings.Join(how, ", ")))
		}
		if c.Reason != "" {
			facts = append(facts, text("("+c.Reason+")").hanging(1))
		}
		p.field(string(c.Verdict), facts...)
	}
	p.field("Jobs", evidence(a.Jobs)...)
	p.field("Events", evidence(a.Events)...)
	if a.LastAccessed != "" {
		p.field("Last accessed", text(a.LastAccessed))
	}
}
