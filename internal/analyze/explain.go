package analyze

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// Question asks whether a role may call an action.
type Question struct {
	// Role is a name, an ARN or a glob of either that fits exactly one role; or a
	// role id.
	Role   string
	Action string
	// Resource is an ARN, a pattern of ARNs or *; empty for each cell of the action.
	Resource string
	// Context are condition keys of the request, over those that are known offline.
	Context map[string][]string
}

// QuestionError is what is wrong with a question: Part is role, action or resource.
type QuestionError struct{ Part, Problem string }

func (e *QuestionError) Error() string { return e.Problem }

func badQuestion(part, format string, args ...any) error {
	return &QuestionError{part, fmt.Sprintf(format, args...)}
}

// CheckQuestion errs with a *QuestionError on a question that no snapshot could answer.
func CheckQuestion(q Question) error {
	if q.Role == "" {
		return badQuestion("role", "the role is empty")
	}
	if _, err := resolveAction(actions.Load(), q.Action); err != nil {
		return err
	}
	return checkResource(q.Resource)
}

// Explain answers a question from a snapshot: by which statements of which policies, and
// what else is known of it. It errs with a *QuestionError on a question that makes no
// sense or names no role of the snapshot, or several, and on a snapshot without a time.
func Explain(s *snapshot.Snapshot, o Options, q Question) (*report.Explanation, error) {
	if s.TakenAt.IsZero() {
		return nil, errors.New("analyze: the snapshot does not say when it was taken")
	}
	if err := CheckQuestion(q); err != nil {
		return nil, err
	}
	a := newAudit(s)
	a.library.give(o.Given)
	sub, err := theRole(subjects(s), q.Role)
	if err != nil {
		return nil, err
	}
	action, err := resolveAction(a.library.catalog, q.Action)
	if err != nil {
		return nil, err
	}
	j := a.judge(sub)
	e := &report.Explanation{
		Basis:  basis(s, o),
		Role:   report.ExplainedRole{ARN: sub.key.ARN, ID: sub.key.ID, Name: nameOf(sub.key.ARN), Exists: !sub.gone},
		Action: action.name, Known: action.known, Context: []report.ContextKey{}, Answers: []report.Answer{}, Notes: list(action.notes),
	}
	for _, key := range slices.Sorted(maps.Keys(q.Context)) {
		e.Context = append(e.Context, report.ContextKey{Key: key, Values: list(q.Context[key])})
	}
	x := &explainer{audit: a, j: j, action: action.name, context: q.Context}
	if j.grant != nil {
		x.known = j.grant.known
		for key, values := range q.Context {
			x.known = x.known.With(key, values...)
		}
	}
	questions := x.questions(q.Resource)
	e.Notes = append(e.Notes, x.notes...)
	for _, one := range questions {
		if e.AnswersTotal++; e.AnswersTotal <= report.MaxAnswers {
			e.Answers = append(e.Answers, x.answer(one.resource, one.cells))
		}
	}
	e.Notes = append(e.Notes, x.uselessContext()...)
	return e, nil
}

// theRole is the one role that the selector fits. Of a role that was created anew it is
// the present one, unless its former id is given.
func theRole(all []*subject, selector string) (*subject, error) {
	var found []*subject
	for _, sub := range all {
		if sub.key.ID == selector {
			return sub, nil
		}
		if !snapshot.MatchRole(selector, sub.key.ARN) {
			continue
		}
		if i := slices.IndexFunc(found, func(f *subject) bool { return f.key.ARN == sub.key.ARN }); i >= 0 {
			if found[i].former {
				found[i] = sub
			}
			continue
		}
		found = append(found, sub)
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var names []string
		for _, sub := range found {
			names = append(names, sub.key.ARN)
		}
		return nil, badQuestion("role", "%q fits %d roles, and one is explained at a time: %s", selector, len(found), shortList(names, 8))
	}
	return nil, noRole(all, selector)
}

// noRole says that no role fits the selector, and which it may have meant.
func noRole(all []*subject, selector string) error {
	if len(all) == 0 {
		return badQuestion("role", "no role %q: the account has no execution role", selector)
	}
	var names []string
	for _, sub := range all {
		names = append(names, nameOf(sub.key.ARN))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if near := nearest(nameOf(selector), names, 3); len(near) > 0 {
		return badQuestion("role", "no execution role fits %q; did you mean %s?", selector, strings.Join(near, " or "))
	}
	return badQuestion("role", "no execution role fits %q; there are %s", selector, shortList(names, 12))
}

func shortList(names []string, most int) string {
	shown, total := capped(names, most)
	s := strings.Join(shown, ", ")
	if total > most {
		s += fmt.Sprintf(" and %d more", total-most)
	}
	return s
}

// askedAction is an action as the catalogue spells it, or as text.
type askedAction struct {
	name  string
	known bool
	notes []string
}

var actionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*:[A-Za-z0-9]+$`)

// resolveAction finds an action. One that the catalogue lacks is taken as text if it
// has the form of one.
func resolveAction(catalog *actions.Catalog, text string) (askedAction, error) {
	if i, ok := catalog.Index(text); ok {
		return askedAction{name: catalog.Action(i), known: true}, nil
	}
	if strings.ContainsAny(text, "*?") {
		return askedAction{}, badQuestion("action", "%q is a pattern, and one action is explained at a time", text)
	}
	names := make([]string, catalog.Len())
	for i := range names {
		names[i] = catalog.Action(i)
	}
	near := nearest(text, names, 3)
	mean := ""
	if len(near) > 0 {
		mean = "; did you mean " + strings.Join(near, " or ") + "?"
	}
	if !actionForm.MatchString(text) {
		return askedAction{}, badQuestion("action", "%q is no IAM action such as s3:GetObject%s", text, mean)
	}
	return askedAction{name: text, notes: []string{
		text + " is not in the catalogue of IAM actions (" + catalog.Version() + "): it is compared as text" + mean}}, nil
}

// nearest are the names closest to text, the closest first: those that hold it as their
// name without the service, then those few letters away.
func nearest(text string, names []string, most int) []string {
	type candidate struct {
		name     string
		distance int
	}
	want := strings.ToLower(text)
	_, wantName, hasService := strings.Cut(want, ":")
	var found []candidate
	for _, n := range names {
		have := strings.ToLower(n)
		_, haveName, ok := strings.Cut(have, ":")
		switch {
		case ok && !hasService && haveName == want:
			found = append(found, candidate{n, 0})
		case ok && hasService && haveName == wantName && wantName != "":
			found = append(found, candidate{n, 1})
		default:
			if ok && !hasService {
				have = haveName
			}
			limit := 1 + len(want)/6
			if d := distance(want, have, limit); d <= limit {
				found = append(found, candidate{n, 1 + d})
			}
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
	})
	var out []string
	for _, c := range found[:min(len(found), most)] {
		if c.distance <= found[0].distance+1 {
			out = append(out, c.name)
		}
	}
	return out
}

// distance is the number of letters to add, drop or change; more than limit where it is
// further.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	here, next := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range here {
		here[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		least := next[0]
		for j := range len(b) {
			change := here[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, here[j+1]+1, next[j]+1)
			least = min(least, next[j+1])
		}
		if least > limit {
			return limit + 1
		}
		here, next = next, here
	}
	return here[len(b)]
}

func checkResource(resource string) error {
	switch {
	case resource == "" || resource == "*":
		return nil
	case strings.HasPrefix(resource, "s3://"):
		return badQuestion("resource", "%q is a location; its ARN is arn:aws:s3:::%s", resource, strings.TrimPrefix(resource, "s3://"))
	case !strings.HasPrefix(resource, "arn:") || strings.Count(resource, ":") < 5:
		return badQuestion("resource", "%q is no ARN such as arn:aws:s3:::bucket/key, no pattern of ARNs and no *", resource)
	}
	return nil
}

// explainer answers questions about one role and action.
type explainer struct {
	*audit
	j       *judgement
	action  string
	known   policy.Context
	context map[string][]string
	notes   []string
	// keys are the condition keys and variables of the statements that speak of the
	// action, in lower case.
	keys map[string]bool
}

// question is a resource with the cells of the report that belong to it.
type question struct {
	resource string
	cells    []*cell
}

// questions are the resource that is asked about; without one, the action's cells.
func (x *explainer) questions(resource string) []question {
	var all []*cell
	for _, c := range x.j.cells.sorted() {
		if c.action == x.action {
			all = append(all, c)
		}
	}
	if len(all) == 0 { // neither needed nor called: a report has no cell of it
		if rest := x.restOf(x.j, x.action, nil); rest != nil {
			all = append(all, rest)
		}
	}
	if x.resourceless(x.action) && resource != "" && resource != "*" {
		x.notes = append(x.notes, x.action+" takes no resource: only * stands for it in a policy (AWS: reference_policies_actions-resources-contextkeys)")
		resource = "*"
	}
	if resource == "" {
		var out []question
		for _, c := range all {
			if !c.isRest() {
				out = append(out, question{orEvery(c.resource), []*cell{c}})
			}
			for _, pattern := range c.rest {
				if i, ok := x.library.catalog.Index(x.action); ok && len(x.otherType(i, orEvery(pattern))) > 0 {
					continue // of a statement whose other actions act on it
				}
				out = append(out, question{orEvery(pattern), []*cell{c}})
			}
		}
		if len(out) == 0 {
			out = append(out, question{"*", nil})
		}
		return out
	}
	if i, ok := x.library.catalog.Index(x.action); ok {
		x.notes = append(x.notes, x.otherType(i, resource)...)
	}
	one := question{resource: resource}
	for _, c := range all {
		if c.isRest() && slices.ContainsFunc(c.rest, func(p string) bool { return policy.Overlaps(orEvery(p), resource) }) ||
			c.resource != "" && (policy.Includes(c.resource, resource) || policy.Includes(resource, c.resource)) {
			one.cells = append(one.cells, c)
		}
	}
	// The rest is what no other cell takes in.
	if slices.ContainsFunc(one.cells, func(c *cell) bool { return !c.isRest() && policy.Includes(c.resource, resource) }) {
		one.cells = slices.DeleteFunc(one.cells, (*cell).isRest)
	}
	return []question{one}
}

var formPlaceholder = regexp.MustCompile(`\$\{[^}]*\}`)

// otherType notes that the action does not act on a resource of that form.
func (x *explainer) otherType(i int, resource string) []string {
	var forms []string
	for _, t := range x.library.catalog.ResourceTypes(i) {
		form := formPlaceholder.ReplaceAllString(t.ARN, "*")
		bucket := t.Name == "bucket" && strings.Contains(resource, "/") && !strings.ContainsAny(resource, "*?")
		if policy.Overlaps(form, resource) && !bucket {
			return nil
		}
		forms = append(forms, t.ARN)
	}
	if len(forms) == 0 || resource == "*" {
		return nil
	}
	return []string{fmt.Sprintf("%s acts on %s, and %s is none: AWS would ask about another resource", x.action, shortList(forms, 3), resource)}
}

// answer answers one question.
func (x *explainer) answer(resource string, cells []*cell) report.Answer {
	out := report.Answer{Resource: resource, ToldBy: report.ToldByPolicies, Answer: report.AnswerUnknown,
		Statements: []report.ExplainedStatement{}, Needs: []string{}, Cells: []report.JudgedCell{},
		Jobs: []report.Evidence{}, Events: []report.Evidence{}, NotRead: []string{}}
	x.evidence(&out, cells)
	g := x.j.grant
	if g == nil {
		out.Layers = x.layersOf(x.j, &access{}, x.action, resource)
		out.Why = "the role's policies could not be read"
		if x.j.sub.gone {
			out.Why = "IAM does not have this role (any more), so nothing grants it anything; its jobs and calls are history"
		}
		return out
	}
	acc := x.accessIn(g, x.action, resource, x.known)
	out.Layers = x.layersOf(x.j, &acc, x.action, resource)
	out.Layer, out.Partial = string(acc.Layer), acc.Partial
	switch acc.Effective {
	case policy.Yes:
		out.Answer = report.AnswerAllowed
	case policy.Conditional:
		out.Answer = report.AnswerConditional
	default:
		out.Answer = report.AnswerDenied
		out.Explicit = slices.ContainsFunc(acc.Denies, decisive)
		if acc.Layer == policy.LayerIdentity && !out.Explicit && g.unknown != "" {
			out.Answer, out.Layer = report.AnswerUnknown, ""
		}
	}
	w := &weighing{explainer: x, access: &acc, resource: resource, out: &out}
	x.notRead(&out, &acc)
	w.statements()
	w.explain(cells)
	return out
}

// decisive reports whether a Deny refuses for certain all that is asked about.
func decisive(m policy.Match) bool { return m.Truth == policy.True && !m.Partial }

// evidence says what else is known: the verdicts, and what they rest on.
func (x *explainer) evidence(out *report.Answer, cells []*cell) {
	for _, c := range cells[:min(len(cells), report.MaxAnswers)] {
		out.Cells = append(out.Cells, x.reportCell(x.j, c))
		if c.need != nil {
			for i, job := range c.need.jobs[:min(len(c.need.jobs), report.MaxEvidence)] {
				out.Jobs = append(out.Jobs, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: c.need.fields[i]})
			}
			out.JobsTotal = max(out.JobsTotal, c.need.total)
		}
		for _, t := range []struct {
			touch *touch
			what  string
		}{{c.used, "used"}, {c.denied, "refused"}, {c.attempted, "turned away before it was authorised"}} {
			for _, e := range t.touch.evidence() {
				e.Text = t.what
				out.Events = append(out.Events, e)
			}
		}
	}
	out.LastAccessed = x.lastAccessed()
}

// lastAccessed is what IAM tells of the action, or of its service where it does not
// track the action.
func (x *explainer) lastAccessed() string {
	t := x.j.accessed
	if t == nil || t.missing != "" {
		return ""
	}
	service, name, _ := strings.Cut(x.action, ":")
	s := t.services[service]
	same := func(other string) bool { return strings.EqualFold(other, name) }
	switch {
	case t.never[service]:
		return fmt.Sprintf("IAM, as of %s: the role never reached %s within 400 days", day(t.at), service)
	case s == nil:
		return ""
	case slices.ContainsFunc(s.Never, same):
		return fmt.Sprintf("IAM, as of %s: the role never attempted the action within 400 days", day(t.at))
	}
	if i := slices.IndexFunc(s.Actions, func(a snapshot.AccessedAction) bool { return same(a.Action) }); i >= 0 {
		return fmt.Sprintf("IAM saw the action attempted last on %s", day(s.Actions[i].At))
	}
	if s.At.IsZero() {
		return ""
	}
	return fmt.Sprintf("IAM saw %s reached last on %s, and does not track this action by itself", service, day(s.At))
}

// notRead lists what could change the answer.
func (x *explainer) notRead(out *report.Answer, acc *access) {
	g := x.j.grant
	add := func(format string, args ...any) { out.NotRead = append(out.NotRead, fmt.Sprintf(format, args...)) }
	if g.unknown != "" {
		add("all of its identity policies: %s", g.unknown)
	}
	if out.Answer == report.AnswerDenied {
		// What can only refuse changes nothing; the resource's own policy may allow
		// what nothing read speaks of.
		owner := cmp.Or(accountOf(out.Resource), g.principal.Account)
		if out.Layers.Resource == layerNotRead && out.Layer == string(policy.LayerIdentity) && !out.Explicit && owner == g.principal.Account {
			if acc.holder != "" {
				add("%s, which may allow it by itself", policyOf(acc.holder))
			} else {
				add("a policy of the resource, if it has one, which may allow it by itself")
			}
		}
		return
	}
	if out.Layers.Boundary == layerNotRead {
		add("its permissions boundary, which may refuse")
	}
	if out.Layers.SCP == layerNotRead {
		add("service control policies, which may refuse (--scp gives them)")
	}
	if out.Layers.RCP == layerNotRead {
		add("resource control policies, which may refuse (--rcp gives them)")
	}
	owner := accountOf(out.Resource)
	switch {
	case out.Layers.Resource != layerNotRead:
	case owner != "" && owner != g.principal.Account:
		add("the resource's own policy: it is account %s's, and must allow as well", owner)
	case acc.holder != "":
		add("%s, which may refuse, or allow what the role's policies do not", policyOf(acc.holder))
	default:
		add("a policy of the resource, if it has one, which may refuse, or allow what the role's policies do not")
	}
}

// uselessContext are the given condition keys that no statement asks for.
func (x *explainer) uselessContext() []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(x.context)) {
		if x.j.grant != nil && !x.keys[strings.ToLower(key)] {
			out = append(out, fmt.Sprintf("no statement that speaks of %s has a condition on %s", x.action, key))
		}
	}
	return out
}

// weighing lays out one decision.
type weighing struct {
	*explainer
	access   *access
	resource string
	out      *report.Answer
}

func (w *weighing) request() policy.Request {
	return policy.Request{Principal: w.j.grant.principal, Action: w.action, Resource: w.resource, Context: w.access.known}
}

// maxNear caps the statements that come near a decision and take no part in it.
const maxNear = 6

// statements lists those that take part, layer by layer, then those that come near.
func (w *weighing) statements() {
	type place struct { // a document may stand in two layers
		layer     policy.Layer
		statement *policy.Statement
	}
	part := map[place]policy.Match{}
	for _, m := range slices.Concat(w.access.Allows, w.access.Denies) {
		part[place{m.Layer, m.Statement}] = m
	}
	var near []report.ExplainedStatement
	w.visit(func(layer policy.Layer, level int, p *policy.Policy, st *policy.Statement) {
		reading := st.Read(w.request(), layer)
		if !reading.Action {
			return
		}
		w.noteKeys(st)
		s := w.statement(layer, level, p, st, reading)
		m, takesPart := part[place{layer, st}]
		switch {
		case takesPart && m.Truth == policy.True:
			s.Applies = policy.Yes.String()
		case takesPart:
			s.Applies = policy.Conditional.String()
		default:
			s.Applies = policy.No.String()
		}
		if takesPart {
			s.Partial = m.Partial
		}
		s.Because = w.because(st, s, reading)
		switch {
		case takesPart:
			w.out.Statements = append(w.out.Statements, s)
		case reading.Principal == policy.False, st.Effect == policy.Deny && reading.Resource == policy.False:
			// Of others, or of other resources: not near.
		default:
			near = append(near, s)
		}
	})
	w.out.Statements = append(w.out.Statements, near[:min(len(near), maxNear)]...)
}

// visit goes through the statements of every layer.
func (w *weighing) visit(see func(layer policy.Layer, level int, p *policy.Policy, st *policy.Statement)) {
	s := w.access.stack
	each := func(layer policy.Layer, level int, policies []policy.Policy) {
		for i := range policies {
			for _, st := range policies[i].Document.Statements() {
				see(layer, level, &policies[i], st)
			}
		}
	}
	each(policy.LayerIdentity, 0, s.Identity)
	each(policy.LayerBoundary, 0, s.Boundary)
	for k, level := range s.SCPs {
		each(policy.LayerSCP, k, level)
	}
	for k, level := range s.RCPs {
		each(policy.LayerRCP, k, level)
	}
	if s.Resource != nil {
		each(policy.LayerResource, 0, []policy.Policy{*s.Resource})
	}
}

// noteKeys remembers what a statement asks of the request.
func (w *weighing) noteKeys(st *policy.Statement) {
	if w.keys == nil {
		w.explainer.keys = map[string]bool{}
	}
	texts := slices.Clone(st.Resources)
	for _, c := range st.Conditions {
		w.keys[strings.ToLower(c.Key)] = true
		texts = append(texts, c.Strings()...)
	}
	for _, text := range texts {
		for _, v := range formPlaceholder.FindAllString(text, -1) {
			key, _, _ := strings.Cut(v[2:len(v)-1], ",")
			w.keys[strings.ToLower(strings.TrimSpace(key))] = true
		}
	}
}

func (w *weighing) statement(layer policy.Layer, level int, p *policy.Policy, st *policy.Statement, reading policy.Reading) report.ExplainedStatement {
	s := report.ExplainedStatement{Layer: string(layer), Level: level, Kind: p.Kind, Policy: p.Name, ARN: p.ARN, Version: p.Version,
		Index: st.Index, Sid: st.Sid, Effect: string(st.Effect), Text: w.text(st), Conditions: []report.ExplainedCondition{}}
	for i, c := range st.Conditions {
		r := reading.Conditions[i]
		s.Conditions = append(s.Conditions, report.ExplainedCondition{Operator: c.Operator, Key: c.Key, Values: list(c.Strings()),
			Holds: r.Truth.String(), Request: list(slices.Clone(r.Values)), Known: r.Known, Needs: conditionWords(&c)})
	}
	return s
}

// because says why a statement does not apply, or not for certain.
func (w *weighing) because(st *policy.Statement, s report.ExplainedStatement, reading policy.Reading) string {
	if s.Applies == policy.Yes.String() {
		return ""
	}
	if reading.Resource == policy.False {
		return "it is about other resources"
	}
	var open, failed []string
	for i := range st.Conditions {
		switch reading.Conditions[i].Truth {
		case policy.False:
			failed = append(failed, s.Conditions[i].Key)
		case policy.Unknown:
			open = append(open, s.Conditions[i].Key)
		}
	}
	switch {
	case len(failed) > 0:
		return "its condition on " + strings.Join(failed, ", ") + " does not hold"
	case len(open) > 0:
		return "it depends on " + strings.Join(open, ", ")
	case reading.Principal == policy.Unknown:
		return "whether its Principal is this role's session is not known"
	case reading.Resource == policy.Unknown && w.resource == "*":
		return "the action takes no resource and the statement names some: AWS does not document whether it applies"
	case strings.Contains(strings.Join(st.Resources, " "), "${"):
		return "it depends on the value of a policy variable"
	}
	return "AWS does not document whether its wildcards reach this resource"
}

// text is a statement as far as it speaks of the question.
func (w *weighing) text(st *policy.Statement) string {
	var b strings.Builder
	b.WriteString(string(st.Effect))
	actions := slices.Clone(st.Actions)
	if st.NotAction {
		b.WriteString(" every action but ")
	} else {
		b.WriteString(" ")
		actions = firstThose(actions, func(s string) bool { return policy.MatchAction(s, w.action) })
	}
	b.WriteString(entries(actions, st.NotAction))
	if st.Resources == nil {
		return b.String()
	}
	resources := slices.Clone(st.Resources)
	b.WriteString(" on ")
	if st.NotResource {
		b.WriteString("every resource but ")
	} else if those := firstThose(resources, func(s string) bool { return policy.Overlaps(s, w.resource) }); len(those) < len(resources) || len(those) == 1 {
		resources = those
	}
	b.WriteString(entries(resources, st.NotResource))
	return b.String()
}

// firstThose puts the entries that match first, and the rest behind them.
func firstThose(all []string, match func(string) bool) []string {
	var first, rest []string
	for _, s := range all {
		if match(s) {
			first = append(first, s)
		} else {
			rest = append(rest, s)
		}
	}
	return append(first, rest...)
}

// entries writes the first entries of an element.
func entries(all []string, complement bool) string {
	most := 1
	if complement {
		most = 4
	}
	if len(all) == most+1 {
		most++ // "and 1 more" is no shorter
	}
	return shortList(all, most)
}

// explain puts the answer into words, with what it would need.
func (w *weighing) explain(cells []*cell) {
	out, acc := w.out, w.access
	part, asRead := "", ""
	if acc.Partial {
		part = " on a part of these resources"
	}
	if len(out.NotRead) > 0 {
		asRead = ", as far as was read"
	}
	switch out.Answer {
	case report.AnswerUnknown:
		out.Why = "no statement that was read allows it, and not all of the role's policies were: " + w.j.grant.unknown
	case report.AnswerAllowed:
		out.Why = "allowed" + part + " by " + w.granter() + asRead
	case report.AnswerConditional:
		out.Why = "allowed" + part + " by " + w.granter() + asRead + ", but under a condition of which it is not known whether it holds"
		if slices.ContainsFunc(cells, func(c *cell) bool { return c.used != nil && !c.isRest() }) {
			out.Why += "; calls on record were allowed, so it held then"
		}
		w.needConditions()
	default:
		out.Why = w.whyDenied()
		w.needAllows()
	}
	if out.Answer == report.AnswerAllowed || out.Answer == report.AnswerConditional {
		w.toldOtherwise()
	} else {
		w.usedAllTheSame(cells)
	}
}

// granter names the layer that grants.
func (w *weighing) granter() string {
	if w.access.Layer == policy.LayerResource {
		return policyOf(w.access.stack.Resource.ARN)
	}
	return "its identity policies"
}

// toldOtherwise turns the answer where AWS refused calls that the policies read would
// have allowed, and none was allowed since.
func (w *weighing) toldOtherwise() {
	for _, c := range w.j.cells[w.action] {
		if c.verdict != report.VerdictBlocked || c.denied == nil || !c.effective() || c.isRest() || c.resource == "" && w.resource != "*" {
			continue
		}
		layers := c.denied.layers()
		switch resource := orEvery(c.resource); {
		case resource == w.resource || policy.Includes(resource, w.resource):
		case policy.Includes(w.resource, resource):
			w.out.Why += "; but AWS refused calls on " + resource + ": " + refusedBy(layers)
			continue
		default:
			continue
		}
		w.out.Answer, w.out.ToldBy, w.out.Layer, w.out.Partial = report.AnswerDenied, report.ToldByCloudTrail, strings.Join(layers, ","), false
		w.out.Explicit = slices.ContainsFunc(c.denied.calls, func(call *call) bool { return call.Denial.Explicit })
		w.out.Why = fmt.Sprintf("AWS refused it %s, last on %s, though the policies that were read allow it: %s", times(c.denied.count()),
			day(c.denied.last()), refusedBy(layers)+notReadNote(w.j, c))
		w.out.NotRead = slices.DeleteFunc(w.out.NotRead, func(s string) bool { return !strings.HasPrefix(s, "service") || !slices.Contains(layers, "scp") })
		w.out.Needs = []string{capital(refusersOf(layers)) + " would have to let it through."}
		return
	}
}

// usedAllTheSame tells of calls that AWS allowed and no policy that was read does. With
// nothing changed since, whatever allowed them still does.
func (w *weighing) usedAllTheSame(cells []*cell) {
	for _, c := range cells {
		if c.verdict != report.VerdictForeign || !policy.Includes(orEvery(c.resource), w.resource) || c.resource == "" && w.resource != "*" {
			continue
		}
		calls := fmt.Sprintf("%s, last on %s: %s", times(c.used.count()), day(c.used.last()), c.reason)
		if c.cause == causeElsewhere && !w.out.Explicit && w.access.Layer == policy.LayerIdentity && len(w.context) == 0 {
			w.out.Answer, w.out.ToldBy, w.out.Layer = report.AnswerAllowed, report.ToldByCloudTrail, string(policy.LayerResource)
			w.out.Why = fmt.Sprintf("AWS allowed it %s, last on %s, though no policy that was read does: a policy of the resource (bucket, key, repository) must allow it",
				times(c.used.count()), day(c.used.last()))
			w.out.Needs = []string{}
			return
		}
		w.out.Why += ". It was used " + calls
		return
	}
}

func refusersOf(layers []string) string {
	words := make([]string, len(layers))
	for i, l := range layers {
		words[i] = layerWords(l)
	}
	if len(words) == 0 {
		return "whatever refuses it"
	}
	return strings.Join(words, " and ")
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// whyDenied says by what it is refused.
func (w *weighing) whyDenied() string {
	acc := w.access
	if w.out.Explicit {
		var by []string
		for _, m := range acc.Denies {
			if decisive(m) {
				by = append(by, w.place(m))
			}
		}
		return "explicitly denied by " + shortList(by, 3)
	}
	allowed := ""
	if acc.Identity != policy.No {
		allowed = "its identity policies allow it, and "
	}
	switch acc.Layer {
	case policy.LayerSCP:
		return allowed + "the service control policies of " + levelWords(acc.stack.SCPs, max(0, w.refusingLevel(w.j, acc, w.action, w.resource))) + " do not"
	case policy.LayerBoundary:
		return allowed + "its permissions boundary " + acc.stack.Boundary[0].Name + " does not"
	case policy.LayerResource:
		if acc.stack.Resource != nil {
			return allowed + policyOf(acc.stack.Resource.ARN) + " does not"
		}
	}
	for _, s := range w.out.Statements {
		if s.Layer == string(policy.LayerIdentity) && s.Effect == string(policy.Allow) && s.Applies == policy.No.String() {
			return "nothing allows it: the statements of its identity policies that speak of " + w.action + " do not apply here"
		}
	}
	if len(acc.stack.Identity) == 0 {
		return "nothing allows it: the role has no identity policy"
	}
	return "nothing allows it: no statement of its identity policies speaks of " + w.action
}

// place names a statement with its policy.
func (w *weighing) place(m policy.Match) string {
	name := policyWords(m)
	switch m.Layer {
	case policy.LayerIdentity:
		name = m.Policy.Kind + " policy " + m.Policy.Name
	case policy.LayerBoundary:
		name = "permissions boundary " + m.Policy.Name
	}
	return name + ", " + statementWords(m.Statement)
}

func (w *weighing) need(format string, args ...any) {
	w.out.Needs = append(w.out.Needs, fmt.Sprintf(format, args...))
}

// onWhat is the action on the resource.
func (w *weighing) onWhat() string { return "Allow " + w.action + " on " + w.resource }

// needAllows lists, layer by layer, what stands against it.
func (w *weighing) needAllows() {
	acc, l := w.access, w.out.Layers
	no := policy.No.String()
	for _, m := range acc.Denies {
		if decisive(m) {
			w.need("The Deny in %s would have to go, or except this: no Allow overrides it.", w.place(m))
		}
	}
	denied := func(layer policy.Layer) bool {
		return slices.ContainsFunc(acc.Denies, func(m policy.Match) bool { return m.Layer == layer && decisive(m) })
	}
	if l.Identity == no && !denied(policy.LayerIdentity) && l.Resource != policy.Yes.String() {
		alternative := ""
		for _, s := range w.out.Statements {
			if s.Layer == string(policy.LayerIdentity) && s.Effect == string(policy.Allow) && s.Applies == no && strings.HasPrefix(s.Because, "its condition") {
				alternative = fmt.Sprintf(" Or meet the condition of %s, statement %d: %s.", s.Policy, s.Index+1, failing(s))
				break
			}
		}
		w.need("An identity policy of the role would have to say: %s.%s", w.onWhat(), alternative)
	}
	if l.Boundary == no && !denied(policy.LayerBoundary) {
		w.need("Its permissions boundary %s would have to say, too: %s.", acc.stack.Boundary[0].Name, w.onWhat())
	}
	if l.SCP == no && !denied(policy.LayerSCP) {
		k := max(0, w.refusingLevel(w.j, acc, w.action, w.resource))
		w.need("A service control policy of %s would have to say, too: %s. These are the organization's.", levelWords(acc.stack.SCPs, k), w.onWhat())
	}
	if l.Resource == no && !denied(policy.LayerResource) {
		w.need("%s would have to allow the role or its account, or a grant on the key the role.", capital(policyOf(acc.holder)))
	}
}

func failing(s report.ExplainedStatement) string {
	var parts []string
	for _, c := range s.Conditions {
		if c.Holds != policy.True.String() {
			parts = append(parts, c.Needs)
		}
	}
	return strings.Join(parts, ", and ")
}

// needConditions lists what would make it certain: the conditions of one of the Allows
// in each layer that has none without, and those that keep the undecided Denies off.
func (w *weighing) needConditions() {
	conditional, yes := policy.Conditional.String(), policy.Yes.String()
	type place struct {
		layer string
		level int
	}
	open := map[place][]report.ExplainedStatement{}
	var order []place
	for _, s := range w.out.Statements {
		if s.Effect != string(policy.Allow) || s.Applies == policy.No.String() {
			continue
		}
		k := place{s.Layer, s.Level}
		if open[k] == nil {
			order = append(order, k)
		}
		open[k] = append(open[k], s)
	}
	for _, k := range order {
		all := open[k]
		if slices.ContainsFunc(all, func(s report.ExplainedStatement) bool { return s.Applies == yes }) {
			continue
		}
		if k.layer == string(policy.LayerResource) && w.access.Layer != policy.LayerResource {
			continue // it only might grant it a second time
		}
		var ways []string
		for _, s := range all {
			way := failing(s)
			if way == "" {
				way = s.Because
			}
			ways = append(ways, fmt.Sprintf("%s (%s, statement %d)", way, s.Policy, s.Index+1))
		}
		w.need("It is allowed if %s.", strings.Join(slices.Compact(ways), "; or if "))
	}
	for _, s := range w.out.Statements {
		if s.Effect == string(policy.Deny) && s.Applies == conditional {
			way := failing(s)
			if way == "" {
				way = s.Because
			}
			w.need("It is refused if %s (%s, statement %d).", way, s.Policy, s.Index+1)
		}
	}
	if owner := accountOf(w.resource); owner != "" && owner != w.j.grant.principal.Account && w.access.stack.Resource == nil {
		w.need("It is allowed if the resource's own policy allows it, too: it is account %s's.", owner)
	}
	keys := map[string]struct{}{}
	for _, s := range w.out.Statements {
		for _, c := range s.Conditions {
			if s.Applies == conditional && !c.Known {
				keys[c.Key] = struct{}{}
			}
		}
	}
	for _, key := range sorted(keys) {
		w.need("To decide it, give the value with the question: --context %s=VALUE.", key)
	}
}

// conditionWords is a condition in words: what the request would need.
func conditionWords(c *policy.Condition) string {
	op := strings.ToLower(c.Operator)
	every := ""
	if rest, ok := strings.CutPrefix(op, "forallvalues:"); ok {
		op, every = rest, "every value of "
	} else if rest, ok := strings.CutPrefix(op, "foranyvalue:"); ok {
		op, every = rest, "some value of "
	}
	op, ifExists := strings.CutSuffix(op, "ifexists")
	values := make([]string, len(c.Values))
	for i, v := range c.Values {
		values[i] = fmt.Sprintf("%q", v.Text)
	}
	quoted := shortList(values, 4)
	if len(values) > 1 {
		quoted = "one of " + quoted
	}
	none := strings.TrimPrefix(quoted, "one of ")
	if len(values) > 1 {
		none = "none of " + none
	} else {
		none = "not " + none
	}
	key := every + c.Key
	words := ""
	switch op {
	case "stringequals", "arnequals", "numericequals", "dateequals", "binaryequals", "bool":
		words = key + " is " + quoted
	case "stringequalsignorecase":
		words = key + " is " + quoted + " in any case"
	case "stringnotequals", "numericnotequals", "datenotequals", "stringnotequalsignorecase":
		words = key + " is " + none
	case "stringlike", "arnlike":
		words = key + " is like " + quoted
	case "stringnotlike", "arnnotlike", "arnnotequals":
		words = key + " is like " + strings.Replace(strings.Replace(none, "not ", "", 1), "none of ", "none of ", 1)
		if len(values) == 1 {
			words = key + " is not like " + values[0]
		}
	case "numericlessthan":
		words = key + " is less than " + quoted
	case "numericlessthanequals":
		words = key + " is at most " + quoted
	case "numericgreaterthan":
		words = key + " is more than " + quoted
	case "numericgreaterthanequals":
		words = key + " is at least " + quoted
	case "datelessthan":
		words = key + " is before " + quoted
	case "datelessthanequals":
		words = key + " is at or before " + quoted
	case "dategreaterthan":
		words = key + " is after " + quoted
	case "dategreaterthanequals":
		words = key + " is at or after " + quoted
	case "ipaddress":
		words = key + " lies in " + quoted
	case "notipaddress":
		words = key + " lies in " + strings.Replace(none, "not ", "no part of ", 1)
	case "null":
		words = key + " is there"
		if len(c.Values) == 1 && strings.EqualFold(c.Values[0].Text, "true") {
			words = key + " is not there"
		}
	default:
		return c.Operator + " of " + c.Key + " with " + quoted
	}
	if ifExists {
		words += ", or is not there"
	}
	return words
}
