package output

import (
	"fmt"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// reachWords are how a role reaches a kind of resources.
type reachWords struct{ read, write, one, many string }

var (
	bucketWords     = reachWords{"reads", "writes", "bucket", "buckets"}
	repositoryWords = reachWords{"pulls from", "pushes to", "repository", "repositories"}
	keyWords        = reachWords{"decrypts with", "encrypts under", "key", "keys"}
)

// reach says how much of what the account has the role can read and write, and how much
// its jobs need.
func reach(r *report.Reach) []para {
	if r.Buckets.Granted == "unknown" {
		return paras("not known: the role's policies could not be read")
	}
	var ps []para
	for _, k := range []struct {
		words reachWords
		reach *report.ResourceReach
	}{{bucketWords, &r.Buckets.ResourceReach}, {repositoryWords, &r.Repositories}, {keyWords, &r.Keys}} {
		ps = append(ps, text(k.words.line(k.reach)).hanging(2))
	}
	return ps
}

func (w reachWords) line(r *report.ResourceReach) string {
	s := "no " + w.many + " are in the account"
	if r.Known > 0 || r.AtLeast {
		s = w.count(w.read, r, r.Read, true) + ", " + w.count(w.write, r, r.Write, false)
	}
	if n := len(r.Needed); n > 0 {
		s += fmt.Sprintf("; the jobs need %d: %s", n, some(r.Needed, n, maxNames))
	} else {
		s += "; the jobs need none"
	}
	if len(r.Why) > 0 {
		s += " (" + strings.Join(r.Why, "; ") + ")"
	}
	return s
}

// count is "reads 28 of 32 buckets" with what is to be said of them; the kind is named
// where first is set.
func (w reachWords) count(verb string, r *report.ResourceReach, n report.Reached, first bool) string {
	s := verb + " "
	kind := ""
	if first {
		kind = " " + w.many
		if r.Known == 1 && !r.AtLeast {
			kind = " " + w.one
		}
	}
	switch {
	case r.AtLeast:
		s += fmt.Sprintf("at least %d", n.Certain) + kind
	default:
		s += fmt.Sprintf("%d of %d", n.Certain, r.Known) + kind
	}
	var more []string
	if n.Conditional > 0 {
		more = append(more, fmt.Sprintf("%d more under a condition", n.Conditional))
	}
	if n.Partial > 0 {
		more = append(more, fmt.Sprintf("%d in part only", n.Partial))
	}
	if n.PolicyNotRead > 0 {
		more = append(more, fmt.Sprintf("the policy of %d was not read and may refuse", n.PolicyNotRead))
	}
	if len(more) > 0 {
		s += " (" + strings.Join(more, ", ") + ")"
	}
	return s
}

// reachHead is the reach in two lines: how much of the account it reads, and the worst that
// it can become.
func reachHead(r *report.Reach) []para {
	if r.Buckets.Granted == "unknown" {
		return nil
	}
	b := &r.Buckets
	s := bucketWords.count("reads", &b.ResourceReach, report.Reached{Certain: b.Read.Certain}, true)
	if b.Known == 0 && !b.AtLeast {
		s = "no buckets are in the account"
	}
	s += fmt.Sprintf(" (needs %d)", len(b.Needed))
	switch {
	case r.Administrator == "yes":
		return append(paras(s), text("is administrator: it can do anything in the account").styled(bad))
	case len(r.Escalation) > 0 && r.Escalation[0].Reaches == "administrator":
		p := text(r.Escalation[0].Sentence)
		if r.Escalation[0].Certainty == "certain" {
			p = p.styled(bad)
		}
		return append(paras(s), p)
	case r.Administrator == "conditional":
		return append(paras(s), text("is administrator under conditions that cannot be decided offline"))
	}
	return paras(s)
}

// escalation writes the ways to become more, each with the statements it stands on.
func (p *page) escalation(r *report.Reach) {
	for _, w := range r.EscalationWhy {
		p.field("Not known", text(w+": more ways may lead through them"))
	}
	for i, path := range r.Escalation {
		if i > 0 || len(r.EscalationWhy) > 0 {
			p.blank()
		}
		p.field(path.Reaches, text(path.Sentence))
		for _, s := range path.Steps {
			for _, g := range s.Grants {
				by := "by an earlier step"
				switch {
				case len(g.Statements) > 0:
					by = statementNames(g.Statements)
				case len(s.Trust) > 0:
					by = "the trust policy alone"
				}
				p.field("", text("- "+g.Action+" on "+g.Resource+": "+by).hanging(2))
			}
			if len(s.Trust) > 0 {
				p.field("", text("- the trust policy of "+s.Target+": "+statementNames(s.Trust)).hanging(2))
			}
			for _, w := range s.Why {
				p.field("", text("- depends: "+w).hanging(2))
			}
		}
	}
	if n := r.EscalationTotal - len(r.Escalation); n > 0 {
		p.blank()
		p.field("", text(fmt.Sprintf("and %s", plural(n, "other way", "other ways"))))
	}
}

// statementNames names statements, counted from 1 as everywhere in words.
func statementNames(refs []report.StatementRef) string {
	var names []string
	for _, r := range refs {
		s := fmt.Sprintf("statement %d", r.Index+1)
		if r.Sid != "" {
			s += " (" + r.Sid + ")"
		}
		if r.Policy != "trust" {
			s += " of " + r.Policy
		}
		names = append(names, s)
	}
	return some(names, len(names), maxNames)
}
