package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// widenings are what the given policies allow beyond today's, each statement, action and
// resource by itself; and each Deny of today that they do not carry over. A Deny counts
// even where the given policies allow nothing that it denied: it also stood against what
// policies of resources allow (AWS: reference_policies_evaluation-logic).
func (v *verifier) widenings() []report.Widening {
	out := []report.Widening{}
	var denies []policy.Spec
	for _, p := range v.given {
		for _, st := range p.Document.Statements() {
			if st.Effect == policy.Deny {
				denies = append(denies, st.Spec())
			}
		}
	}
	today, err := documentOf(v.allows)
	if err != nil {
		return append(out, report.Widening{Kind: report.WidensTogether, Because: "today's policies could not be written down: " + err.Error()})
	}
	// That calls come over TLS is what SDKs do, and not a fact of the role: a policy that
	// no longer asks for it asks for less.
	known := v.j.grant.known.Unknown("aws:SecureTransport")
	ask := func(spec policy.Spec) policy.Answer {
		piece, err := documentOf(append([]policy.Spec{spec}, denies...))
		if err != nil {
			return policy.Answer{Truth: policy.Unknown, Reason: err.Error()}
		}
		return v.library.expander.WidensNothing(piece, today, known)
	}
	var rest []policy.Spec
	for i := range v.given {
		p := &v.given[i]
		for _, st := range p.Document.Statements() {
			if st.Effect != policy.Allow {
				continue
			}
			all := pieces(st.Spec())
			real := slices.DeleteFunc(slices.Clone(all), v.vacuous)
			rest = append(rest, real...)
			whole := ask(st.Spec())
			if whole.Truth == policy.True {
				continue
			}
			before := len(out)
			for _, piece := range real {
				if a := ask(piece); a.Truth != policy.True {
					out = append(out, v.widening(p, st, piece, a))
				}
			}
			if len(out) == before && len(real) == len(all) { // no piece by itself
				out = append(out, v.widening(p, st, st.Spec(), whole))
			}
		}
	}
	out = append(out, v.deniesGone(denies)...)
	if len(out) == 0 {
		together, err := documentOf(append(rest, denies...))
		if err != nil {
			together = v.given
		}
		if a := v.library.expander.WidensNothing(together, v.j.grant.stack.Identity, known); a.Truth != policy.True {
			w := report.Widening{Kind: report.WidensTogether, Certain: a.Truth == policy.False, Because: a.Reason}
			if a.Counterexample != nil {
				w.Because, w.Example = "together they allow what today's policies do not", v.example(a.Counterexample)
			}
			out = append(out, w)
		}
	}
	return out
}

// vacuous: none of the actions of a piece acts on such a resource. Buckets and their
// objects often stand in one statement with the actions of both.
func (v *verifier) vacuous(piece policy.Spec) bool {
	if piece.Actions == nil || len(piece.Resources) != 1 || !strings.HasPrefix(strings.ToLower(piece.Actions[0]), "s3:") {
		return false // what concerns knows of
	}
	some := false
	for i := range v.library.catalog.Len() {
		if v.library.catalog.Service(i) == "s3" && policy.MatchAction(piece.Actions[0], v.library.catalog.Action(i)) {
			if v.library.concerns(i, piece.Resources[0]) {
				return false
			}
			some = true
		}
	}
	return some
}

// pieces are a statement's actions on its resources, each by itself.
func pieces(spec policy.Spec) []policy.Spec {
	one := func(s policy.Spec, actions []string) []policy.Spec {
		if s.NotActions != nil {
			return []policy.Spec{s}
		}
		var out []policy.Spec
		for _, action := range actions {
			s.Actions = []string{action}
			out = append(out, s)
		}
		return out
	}
	if spec.NotResources != nil || spec.Resources == nil {
		return one(spec, spec.Actions)
	}
	var out []policy.Spec
	for _, resource := range spec.Resources {
		s := spec
		s.Resources = []string{resource}
		out = append(out, one(s, spec.Actions)...)
	}
	return out
}

// widening puts into words what a piece of a statement allows beyond today's grant.
func (v *verifier) widening(p *policy.Policy, st *policy.Statement, piece policy.Spec, a policy.Answer) report.Widening {
	w := report.Widening{Kind: report.WidensResource, Certain: a.Truth == policy.False, Policy: p.Name, Index: st.Index, Sid: st.Sid,
		Action: entryWords(piece.Actions, piece.NotActions), Resource: entryWords(piece.Resources, piece.NotResources)}
	if !w.Certain {
		w.Because = "whether today's policies allow it could not be decided: " + a.Reason
		return w
	}
	r := a.Counterexample
	if r == nil {
		w.Because = a.Reason
		return w
	}
	w.Example = v.example(r)
	patterns, conditional := v.grantedToday(r.Action)
	var bare []policy.Spec
	for _, spec := range v.allows {
		spec.Conditions = nil
		bare = append(bare, spec)
	}
	unconditional, err := documentOf(bare)
	piece.Conditions = nil
	alone, err2 := documentOf([]policy.Spec{piece})
	switch {
	case len(patterns) == 0:
		w.Kind, w.Because = report.WidensAction, "today's policies do not grant "+r.Action+" on anything"
	case err == nil && err2 == nil && v.library.expander.WidensNothing(alone, unconditional, v.j.grant.known).Truth == policy.True:
		w.Kind, w.Because = report.WidensCondition, "today's policies allow it only under a condition on "+shortList(conditional, 4)+", which this statement does not ask for"
	default:
		w.Because = fmt.Sprintf("today's policies grant %s on %s, and not on all of this", r.Action, shortList(patterns, 3))
	}
	for _, n := range v.j.needs {
		if n.verdict == report.VerdictMissing && n.action == r.Action && policy.Overlaps(n.resource, r.Resource) {
			w.Because += "; jobs need it and lack it today: " + n.why()
			break
		}
	}
	return w
}

// grantedToday are the patterns that today's policies allow an action on, and the keys
// of their conditions.
func (v *verifier) grantedToday(action string) (patterns, conditional []string) {
	set, keys := map[string]struct{}{}, map[string]struct{}{}
	for _, spec := range v.allows {
		matches := func(a string) bool { return policy.MatchAction(a, action) }
		if spec.NotActions == nil && !slices.ContainsFunc(spec.Actions, matches) || spec.NotActions != nil && slices.ContainsFunc(spec.NotActions, matches) {
			continue
		}
		for _, c := range spec.Conditions {
			keys[c.Key] = struct{}{}
		}
		if spec.Resources == nil {
			set[entryWords(nil, spec.NotResources)] = struct{}{}
		}
		for _, r := range spec.Resources {
			set[r] = struct{}{}
		}
	}
	return sorted(set), sorted(keys)
}

// entryWords writes an element down.
func entryWords(list, not []string) string {
	switch {
	case not != nil:
		return allBut + shortList(not, 3)
	case list == nil:
		return "*"
	}
	return shortList(list, 3)
}

// deniesGone are today's Denies that the given ones do not take in.
func (v *verifier) deniesGone(denies []policy.Spec) []report.Widening {
	var out []report.Widening
	asAllows := func(specs []policy.Spec) []policy.Policy {
		allows := slices.Clone(specs)
		for i := range allows {
			allows[i].Effect = policy.Allow
		}
		d, err := documentOf(allows)
		if err != nil {
			return nil // each comes out of a document that parses
		}
		return d
	}
	kept := asAllows(denies)
	for _, pol := range v.j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if st.Effect != policy.Deny {
				continue
			}
			// To deny as much is to "allow" as much, of two sets of Denies; whatever is known
			// of the role today.
			a := v.library.expander.WidensNothing(asAllows([]policy.Spec{st.Spec()}), kept, policy.Context{})
			if a.Truth == policy.True {
				continue
			}
			spec := st.Spec()
			w := report.Widening{Kind: report.WidensDeny, Certain: a.Truth == policy.False, Policy: cmp.Or(pol.Name, pol.ARN), Index: st.Index, Sid: st.Sid,
				Action: entryWords(spec.Actions, spec.NotActions), Resource: entryWords(spec.Resources, spec.NotResources)}
			switch {
			case !w.Certain:
				w.Because = "whether the given policies still deny all of it could not be decided: " + a.Reason
			case len(denies) == 0:
				w.Because = "a Deny of today is gone: the given policies deny nothing"
			default:
				w.Because = "a Deny of today is gone or narrower: the given policies do not deny all of it"
			}
			if len(spec.Conditions) > 0 {
				w.Because += " (it holds under a condition on " + keysOfSpecs(spec.Conditions) + ")"
			}
			if a.Counterexample != nil {
				w.Example = v.example(a.Counterexample)
			}
			out = append(out, w)
		}
	}
	return out
}

// excess lists what the given policies grant that nothing needs: each entry of an Action
// element on each of a Resource element.
func (v *verifier) excess() report.Excess {
	out := report.Excess{Grants: []report.ExcessGrant{}}
	needed := v.needed()
	unneeded := map[string]bool{}
	for i := range v.given {
		p := &v.given[i]
		for _, st := range p.Document.Statements() {
			if st.Effect != policy.Allow {
				continue
			}
			spec := st.Spec()
			resources := spec.Resources
			if resources == nil {
				resources = []string{entryWords(nil, spec.NotResources)}
			}
			entries := v.actionsByEntry(st)
			for _, resource := range resources {
				for _, e := range entries {
					out.Grants = append(out.Grants, v.excessOf(e, resource, st, p, needed, unneeded)...)
				}
			}
		}
	}
	out.Actions = len(unneeded)
	out.GrantsTotal = len(out.Grants)
	out.Grants, _ = capped(out.Grants, report.MaxCells)
	return out
}

// needed are the patterns that something needs, by action: what is held, what is left to
// a person, and what jobs need and a layer refuses.
func (v *verifier) needed() map[string][]string {
	out := map[string][]string{}
	for _, o := range v.plan.obligations {
		for _, x := range o.atoms {
			if x.not {
				out[x.action] = append(out[x.action], allBut+shortList(strings.Split(x.pattern, "\n"), 3))
			}
			out[x.action] = append(out[x.action], x.pattern)
		}
		out[o.action] = append(out[o.action], o.pattern)
	}
	for _, c := range v.j.cells.sorted() {
		switch {
		case c.isRest():
		case c.verdict == report.VerdictUsed, c.verdict == report.VerdictRequired, c.verdict == report.VerdictBlocked,
			c.verdict == report.VerdictMissing, c.verdict == report.VerdictForeign, c.verdict == report.VerdictContradicted:
			out[c.action] = append(out[c.action], orEvery(c.resource))
		}
	}
	for action, list := range out {
		slices.Sort(list)
		out[action] = slices.Compact(list)
	}
	return out
}

// actionEntry is an entry of an Action element with the actions that it stands for.
type actionEntry struct {
	text    string
	actions []string
}

// actionsByEntry gives each action of a statement to the first entry that matches it.
func (v *verifier) actionsByEntry(st *policy.Statement) []actionEntry {
	var names []string
	for _, i := range v.library.expander.Actions(st) {
		names = append(names, v.library.catalog.Action(i))
	}
	if st.NotAction {
		return []actionEntry{{entryWords(nil, st.Actions), names}}
	}
	var out []actionEntry
	given := map[string]bool{}
	for _, entry := range st.Actions {
		e := actionEntry{text: entry}
		for _, name := range names {
			if !given[name] && policy.MatchAction(entry, name) {
				given[name] = true
				e.actions = append(e.actions, name)
			}
		}
		if len(e.actions) == 0 && !strings.ContainsAny(entry, "*?") && !given[entry] {
			if _, known := v.library.catalog.Index(entry); !known { // compared as text
				e.actions = []string{entry}
			}
		}
		if len(e.actions) > 0 {
			out = append(out, e)
		}
	}
	return out
}

func (v *verifier) excessOf(e actionEntry, resource string, st *policy.Statement, p *policy.Policy, needed map[string][]string, unneeded map[string]bool) []report.ExcessGrant {
	useless := report.ExcessGrant{Kind: report.ExcessUnneeded, Policy: p.Name, Index: st.Index, Sid: st.Sid, Entry: e.text, Resource: resource, Actions: []string{}, Needed: []string{}}
	wide := useless
	wide.Kind, wide.Actions = report.ExcessWider, []string{}
	patterns := map[string]struct{}{}
	add := func(g *report.ExcessGrant, action string) {
		g.Count++
		if len(g.Actions) < report.MaxActions {
			g.Actions = append(g.Actions, action)
		}
		if v.j.actions.of(action).verdict == report.VerdictUnobservable {
			g.Unobservable++
		}
	}
	for _, action := range e.actions {
		i, known := v.library.catalog.Index(action)
		if known && !st.NotResource && (!v.library.concerns(i, resource) || v.library.catalog.Resourceless(i) && resource != "*") {
			continue
		}
		need := needed[action]
		if known && v.library.catalog.Resourceless(i) && len(need) > 0 {
			continue
		}
		switch {
		case slices.ContainsFunc(need, func(n string) bool { return n == resource || policy.Includes(n, resource) }):
		case slices.ContainsFunc(need, func(n string) bool { return st.NotResource || policy.Overlaps(n, resource) }):
			add(&wide, action)
			for _, n := range need {
				if st.NotResource || policy.Overlaps(n, resource) {
					patterns[n] = struct{}{}
				}
			}
		default:
			add(&useless, action)
			if len(need) == 0 {
				unneeded[action] = true
			}
		}
	}
	var out []report.ExcessGrant
	if wide.Count > 0 {
		wide.Needed, _ = capped(sorted(patterns), report.MaxResources)
		out = append(out, wide)
	}
	if useless.Count > 0 {
		out = append(out, useless)
	}
	return out
}
