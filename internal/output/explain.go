package output

import (
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
	return writeOne(w, f, e, o, "explanation", func(p *page) { p.explanation(e) })
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
		p.put(text(fmt.Sprintf("May %s call %s", role, e.Action)), name(onResource(a.Resource)))
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

func onResource(resource string) string {
	if resource == "*" {
		return "on every resource (*) ?"
	}
	return "on " + resource + " ?"
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
	if !e.Role.Exists {
		head.word = "GONE"
	}
	p.labelled(text(or(head.word, a.Answer)).styled(head.style), labelWidth, paras(a.Why))
	for i, n := range a.Needs {
		label := ""
		switch {
		case i > 0:
		case a.Answer == report.AnswerConditional:
			label = "When"
		default:
			label = "To allow it"
		}
		p.field(label, text("- "+n).hanging(2))
	}
	for _, g := range []struct {
		head string
		is   func(*report.ExplainedStatement) bool
	}{
		{"Statements that refuse it", func(s *report.ExplainedStatement) bool { return s.Effect == "Deny" && s.Applies == "yes" }},
		{"Statements that may refuse it", func(s *report.ExplainedStatement) bool { return s.Effect == "Deny" && s.Applies == "conditional" }},
		{"Statements that allow it", func(s *report.ExplainedStatement) bool {
			return s.Effect == "Allow" && s.Applies == "yes" && grants(s)
		}},
		{"Statements that may allow it", func(s *report.ExplainedStatement) bool {
			return s.Effect == "Allow" && s.Applies == "conditional" && grants(s)
		}},
		{"Statements of the layers above that let it through", func(s *report.ExplainedStatement) bool {
			return s.Effect == "Allow" && s.Applies != "no" && !grants(s)
		}},
		{"Close to it, but not applying", func(s *report.ExplainedStatement) bool { return s.Applies == "no" }},
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
	p.part("Does each layer that was read let it through?", e.Role.Exists, func() { p.answerLayers(a) })
	p.part("What the audit knows of it", true, func() { p.known(a) })
	p.part("Not read, and able to change the answer", len(a.NotRead) > 0, func() { p.indented(notes(a.NotRead)...) })
}

// grants reports whether the statement stands in a layer that grants: the others only
// let through.
func grants(s *report.ExplainedStatement) bool { return s.Layer == "identity" || s.Layer == "resource" }

// statement writes where a statement stands, what it says and what became of each
// condition.
func (p *page) statement(s *report.ExplainedStatement) {
	head := fmt.Sprintf("%s, statement %d", explainedPolicy(s), s.Index+1)
	if s.Sid != "" {
		head += " (" + s.Sid + ")"
	}
	p.indented(text(head).hanging(4), text(s.Text).in(2).hanging(2))
	for _, c := range s.Conditions {
		p.indented(text("if " + c.Needs + ": " + conditionState(&c)).in(2).hanging(3))
	}
	open := map[string]string{"no": "false", "conditional": "unknown"}[s.Applies]
	if s.Because != "" && !slices.ContainsFunc(s.Conditions, func(c report.ExplainedCondition) bool { return c.Holds == open }) {
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
		{"resource control policies", l.RCP}, {resourceOwn, l.Resource},
	} {
		words := wording(layerStates, x.state)
		switch {
		case x.state == "notRead":
			continue
		case x.name == resourceOwn && x.state == "none":
			words = "there is none, or it says nothing of this"
		}
		p.labelled(text(x.name), len(resourceOwn)+2, paras(words))
	}
}

const resourceOwn = "the resource's own policy"

var layerStates = map[string]string{
	"yes": "yes", "conditional": "under a condition", "no": "no", "none": "there is none",
}

// known writes the verdicts of the report and their evidence.
func (p *page) known(a *report.Answer) {
	if len(a.Cells) == 0 {
		p.indented(text("never used, refused or needed by a job, as far as was read"))
	}
	for _, c := range a.Cells {
		what := "what is granted beside what is needed, used or refused"
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
	p.field("Jobs", needingJobs(a)...)
	p.field("Events", events(a.Events)...)
	if a.LastAccessed != "" {
		p.field("Last accessed", text(a.LastAccessed))
	}
}

// needingJobs says which fields of which jobs ask for it.
func needingJobs(a *report.Answer) []para {
	var fields []string
	jobs := map[string][]string{}
	for _, e := range a.Jobs {
		if jobs[e.Field] == nil {
			fields = append(fields, e.Field)
		}
		jobs[e.Field] = append(jobs[e.Field], e.Job)
	}
	var ps []para
	for _, f := range fields {
		ps = append(ps, text(fmt.Sprintf("%s: %s", f, some(jobs[f], len(jobs[f]), 2))).hanging(2))
	}
	if len(ps) > 0 && a.JobsTotal > len(a.Jobs) {
		ps = append(ps, text(plural(a.JobsTotal, "job", "jobs")+" in all"))
	}
	return ps
}

// events are the calls that show it, some of each kind.
func events(es []report.Evidence) []para {
	var ps []para
	seen := map[string]int{}
	for _, e := range es {
		kind := join(" in ", e.EventName, e.Region)
		if seen[e.Text+kind]++; seen[e.Text+kind] > 2 {
			continue
		}
		ps = append(ps, text(e.Text+": "+join(", ", kind, "event "+e.EventID)).hanging(2))
	}
	return ps
}
