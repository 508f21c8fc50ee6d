package policy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/policy/internal/naive"
)

// Every answer about sets of requests is held against the naive evaluator: a yes on
// sampled requests, a no on the request it shows.

// twinAllows asks the naive evaluator about a request on identity documents. Another
// account's resource has a policy that allows everyone everything.
func twinAllows(t testing.TB, documents []json.RawMessage, request object, side policy.Side) bool {
	t.Helper()
	c := maps.Clone(request)
	c["id"], c["identityPolicies"] = "twin", documents
	if owner := c["resourceAccount"]; owner != nil && !strings.Contains(c["principal"].(string), ":"+owner.(string)+":") {
		c["resourcePolicy"] = json.RawMessage(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	}
	asked, err := naive.Read(encode(t, c))
	if err != nil {
		t.Fatalf("%v: %s", err, encode(t, c))
	}
	return asked.Decide(side == policy.Must).Decision == naive.Allowed
}

// requestOf is a counterexample as the naive evaluator reads it.
func requestOf(r *policy.Request) object {
	context := object{}
	for key, values := range r.Context.Keys() {
		context[key] = values
	}
	c := object{"principal": r.Principal.ARN, "action": r.Action, "resource": r.Resource, "context": context}
	if r.ResourceAccount != "" {
		c["resourceAccount"] = r.ResourceAccount
	}
	return c
}

func printedAll(policies []policy.Policy) []json.RawMessage {
	all := make([]json.RawMessage, len(policies))
	for i, p := range policies {
		all[i] = p.Document.Print()
	}
	return all
}

// holdToTwin checks an answer of WidensNothing: what is wrong with it, "" for nothing.
func holdToTwin(t testing.TB, a policy.Answer, p, i []policy.Policy, samples []object) string {
	t.Helper()
	ours, theirs := printedAll(p), printedAll(i)
	switch a.Truth {
	case policy.False:
		if a.Counterexample == nil {
			return "a no without a request"
		}
		r := requestOf(a.Counterexample)
		if !twinAllows(t, ours, r, policy.Must) || twinAllows(t, theirs, r, policy.May) {
			return fmt.Sprintf("the twin does not confirm %s", encode(t, r))
		}
	case policy.True:
		for _, r := range samples {
			for _, side := range sides {
				if twinAllows(t, ours, r, side) && !twinAllows(t, theirs, r, side) {
					return fmt.Sprintf("yes, but on the side %s the twin allows and refuses %s", side, encode(t, r))
				}
			}
		}
	}
	if (a.Truth == policy.False) != (a.Counterexample != nil) || a.Reason == "" {
		return fmt.Sprintf("%+v", a)
	}
	return ""
}

// pair is two lists of documents that have much in common.
func (g generator) pair() (p, i []object) {
	r := request{pick(g, requests).action, "", callers[0]}
	asked := pick(g, requests)
	r.action, r.resource = asked.action, pick(g, asked.resources)
	document := func(statements []any) object {
		d := object{"Version": "2012-10-17", "Statement": statements}
		if g.chance(8) {
			delete(d, "Version")
		}
		return d
	}
	var ours, theirs []any
	for range 1 + g.IntN(3) {
		s := g.statement(r, false)
		if len(ours) == 0 {
			s["Effect"] = "Allow"
		}
		if g.chance(40) {
			delete(s, "Condition")
		}
		ours = append(ours, s)
		if g.chance(85) {
			theirs = append(theirs, g.mutated(s, r))
		}
	}
	for g.chance(35) || len(theirs) == 0 {
		theirs = append(theirs, g.statement(r, false))
	}
	return []object{document(ours)}, []object{document(theirs)}
}

// mutated is the statement with something wider, narrower or otherwise than it was.
func (g generator) mutated(s object, r request) object {
	m := maps.Clone(s)
	for range g.IntN(3) {
		switch g.IntN(8) {
		case 0:
			if m["Action"] != nil {
				m["Action"] = pick(g, []any{"*", g.actionPattern(r.action), []any{m["Action"], g.actionPattern(r.action)}[1]})
			}
		case 1:
			if m["Resource"] != nil {
				m["Resource"] = pick(g, []any{"*", g.resourcePattern(r.resource)})
			}
		case 2:
			delete(m, "Condition")
		case 3:
			m["Condition"] = g.condition()
		case 4, 5:
			if c, ok := m["Condition"].(object); ok {
				m["Condition"] = g.mutatedCondition(c)
			}
		case 6:
			if m["NotResource"] != nil {
				m["NotResource"] = g.resourcePattern(r.resource)
			}
		case 7:
			if m["Resource"] != nil {
				m["NotResource"] = g.resourcePattern(r.resource)
				delete(m, "Resource")
			}
		}
	}
	return m
}

func (g generator) mutatedCondition(c object) object {
	m := object{}
	for _, operator := range slices.Sorted(maps.Keys(c)) {
		keys := maps.Clone(c[operator].(object))
		switch g.IntN(6) {
		case 0:
			continue
		case 1:
			operator += "IfExists"
		case 2:
			operator = strings.Replace(operator, "Equals", "Like", 1)
		case 3:
			operator = strings.TrimPrefix(strings.TrimPrefix(operator, "ForAllValues:"), "ForAnyValue:")
		case 4:
			for key, value := range keys {
				list, ok := value.([]any)
				if !ok {
					list = []any{value}
				}
				for _, k := range keysOfTwin {
					if strings.EqualFold(k.name, key) {
						list = append(slices.Clone(list), pick(g, k.values))
					}
				}
				keys[key] = list
			}
		}
		if strings.HasPrefix(operator, "Null") {
			operator = "Null"
		}
		m[operator] = keys
	}
	return m
}

var keysOfTwin = keys

// samples are requests with every key told; a key with at most one value in AWS's list has no more.
func (g generator) samples(n int, p, i []object) []object {
	all := make([]object, n)
	for j := range all {
		c := g.newCase("s")
		for !strings.Contains(c["principal"].(string), "/") { // the root is allowed everything
			c = g.newCase("s")
		}
		r := object{"principal": c["principal"], "action": c["action"], "resource": c["resource"], "context": c["context"], "resourceAccount": home}
		if g.chance(40) {
			statements := slices.Concat(p[0]["Statement"].([]any), i[0]["Statement"].([]any))
			s := pick(g, statements).(object)
			resource := s["Resource"]
			if list, ok := resource.([]any); ok {
				resource = pick(g, list)
			}
			if text, ok := resource.(string); ok && strings.Count(text, ":") >= 5 {
				r["resource"] = noColons(g.filled(text))
			}
		}
		all[j] = r
	}
	return all
}

// noColons keeps a SageMaker resource's name free of colons, as all of them are.
func noColons(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[2] == "sagemaker" {
		parts[5] = strings.ReplaceAll(parts[5], ":", "")
		return strings.Join(parts, ":")
	}
	return arn
}

// filled is the pattern with its wildcards and variables replaced.
func (g generator) filled(pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*':
			b.WriteString(pick(g, []string{"", "a", "b", "ab", "a/b", "t1", "x:y", "alice"}))
		case c == '?':
			b.WriteString(pick(g, []string{"a", "b", "x"}))
		case strings.HasPrefix(pattern[i:], "${"):
			if end := strings.IndexByte(pattern[i:], '}'); end > 0 {
				b.WriteString(pick(g, []string{"a", "t1", "alice", "R"}))
				i += end
				continue
			}
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// samplesOf are requests near to what the documents speak of: their actions, patterns and
// condition values, filled and changed a little.
func samplesOf(g generator, n int, p, i []policy.Policy, catalogue bool, known map[string][]string, absent []string) []object {
	var actions, resources, values []string
	keys := map[string][]string{}
	for _, one := range slices.Concat(p, i) {
		for _, s := range one.Document.Statements() {
			actions = append(actions, s.Actions...)
			resources = append(resources, s.Resources...)
			for _, c := range s.Conditions {
				key := strings.ToLower(c.Key)
				keys[key] = append(keys[key], c.Strings()...)
				values = append(values, c.Strings()...)
			}
			for _, text := range slices.Concat(s.Resources, values) {
				for _, part := range strings.Split(text, "${")[1:] {
					name, _, _ := strings.Cut(part, "}")
					name, _, _ = strings.Cut(strings.ToLower(name), ",")
					keys[name] = append(keys[name], "a", "alice")
				}
			}
		}
	}
	actions = append(actions, "s3:GetObject", "iam:PassRole")
	resources = append(resources, "arn:aws:s3:::b/x", "arn:aws:s3:::x/a", "*")
	all := make([]object, n)
	for j := range all {
		pattern := pick(g, actions)
		action := g.filled(pattern)
		if catalogue && strings.Contains(pattern, "*") || !strings.Contains(action, ":") {
			action = pick(g, []string{"s3:GetObject", "kms:Decrypt", "iam:CreateUser"})
		}
		resource := pick(g, resources)
		if resource = noColons(g.filled(resource)); strings.Count(resource, ":") < 5 {
			resource = pick(g, []string{"*", resource + "::::x"})
			if !strings.HasPrefix(resource, "arn:") {
				resource = "*"
			}
		}
		if catalogue && strings.HasSuffix(strings.ToLower(action), "s3:listallmybuckets") {
			resource = "*" // it takes no resource
		}
		context := object{}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if slices.ContainsFunc(absent, func(k string) bool { return strings.EqualFold(k, key) }) || g.chance(30) {
				continue
			}
			value := g.filled(pick(g, append(slices.Clone(keys[key]), "a", "zz", "")))
			if g.chance(10) {
				value = strings.ToUpper(value)
			}
			context[key] = value
			if g.chance(25) && !strings.HasPrefix(key, "aws:") || g.chance(50) && key == "aws:tagkeys" {
				context[key] = []string{value, g.filled(pick(g, keys[key]))}
			}
		}
		for key, value := range known {
			context[strings.ToLower(key)] = value
		}
		who := pick(g, []string{"arn:aws:iam::" + home + ":role/R", "arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + other + ":role/R"})
		all[j] = object{"principal": who, "action": action, "resource": resource, "context": context, "resourceAccount": home}
	}
	return all
}

func policiesOf(t testing.TB, documents []object) []policy.Policy {
	t.Helper()
	var all []policy.Policy
	for _, d := range documents {
		all = append(all, policy.Policy{Layer: policy.LayerIdentity, Document: parse(t, encode(t, d))})
	}
	return all
}

// pairOnce asks about one pair and holds the answer to the twin.
func pairOnce(t testing.TB, x *policy.Expander, g generator, samples int) policy.Truth {
	t.Helper()
	ours, theirs := g.pair()
	p, i := policiesOf(t, ours), policiesOf(t, theirs)
	a := x.WidensNothing(p, i, policy.Context{})
	asked := g.samples(samples, ours, theirs)
	if x != nil {
		asked = withinUniverse(asked, slices.Concat(p, i))
	}
	if wrong := holdToTwin(t, a, p, i, asked); wrong != "" {
		t.Errorf("%s\n%s\nP %s\nI %s", wrong, a, printedAll(p), printedAll(i))
	}
	return a.Truth
}

// withinUniverse keeps the requests that an answer by smallUniverse speaks of: for its own
// actions, and for those that the documents name though it does not know them.
func withinUniverse(asked []object, policies []policy.Policy) []object {
	named := map[string]bool{}
	for _, action := range smallActions {
		named[strings.ToLower(action)] = true
	}
	for _, p := range policies {
		for _, s := range p.Document.Statements() {
			for _, action := range s.Actions {
				action = strings.ToLower(action)
				service, _, _ := strings.Cut(action, ":")
				named[action], named[service] = true, true
			}
		}
	}
	return slices.DeleteFunc(asked, func(r object) bool {
		action := strings.ToLower(r["action"].(string))
		if action == "s3:listallmybuckets" {
			r["resource"] = "*" // it takes no resource
		}
		service, _, _ := strings.Cut(action, ":")
		return !named[action] && (!named[service] || service == "s3" || service == "logs")
	})
}

// TestQuestionsAgreeWithTwin draws pairs of documents as the differential test draws its cases.
func TestQuestionsAgreeWithTwin(t *testing.T) {
	questionsAgree(t, 20260301, 800)
}

// TestSoakQuestions is the long run, of a thousandth of SOAK_N pairs.
func TestSoakQuestions(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("SOAK_N"))
	if err != nil {
		t.Skip("SKIP: no soak (set SOAK_SEED and SOAK_N)")
	}
	seed, _ := strconv.ParseUint(os.Getenv("SOAK_SEED"), 10, 64)
	questionsAgree(t, seed, n/1000)
}

func questionsAgree(t *testing.T, seed uint64, n int) {
	counts := map[policy.Truth]int{}
	expanders := []*policy.Expander{nil, policy.NewExpander(smallUniverse{})}
	for i := range n {
		counts[pairOnce(t, expanders[i%2], newGenerator(seed, uint64(i)), 40)]++
		if t.Failed() {
			t.Fatalf("seed %d, pair %d", seed, i)
		}
	}
	t.Logf("%d pairs: yes %d, no %d, cannot tell %d", n, counts[policy.True], counts[policy.False], counts[policy.Unknown])
	// The pairs are worth something only if each answer is common among them.
	for _, truth := range []policy.Truth{policy.True, policy.False} {
		if counts[truth] < n/5 {
			t.Errorf("only %d of %d answers are %s", counts[truth], n, verdicts[truth])
		}
	}
}

// FuzzQuestions lets the fuzzer choose the pair and the samples, as FuzzDifferential does.
func FuzzQuestions(f *testing.F) {
	for seed := range uint64(20) {
		choices := make([]byte, 256)
		for i, source := 0, rand.NewPCG(seed, 1); i < len(choices); i++ {
			choices[i] = byte(source.Uint64())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		pairOnce(t, nil, generator{rand.New(&choiceSource{choices, rand.NewPCG(0, 0)})}, 20)
		pairOnce(t, policy.NewExpander(smallUniverse{}), generator{rand.New(&choiceSource{choices, rand.NewPCG(0, 0)})}, 20)
	})
}

// FuzzWidens asks about any two documents: no panic, and the twin confirms each no.
func FuzzWidens(f *testing.F) {
	for _, c := range readQuestions(f, "widens.jsonl", func(*widensCase, string) {}) {
		f.Add(string(c.P), string(c.I))
	}
	f.Fuzz(func(t *testing.T, ours, theirs string) {
		var policies [2][]policy.Policy
		for i, statements := range []string{ours, theirs} {
			text := `{"Version":"2012-10-17","Statement":` + statements + `}`
			d, err := policy.Parse([]byte(text))
			if err != nil || len(text) > 2000 {
				return
			}
			if _, err := naive.Read([]byte(`{"identityPolicies":[` + string(d.Print()) + `]}`)); err != nil {
				return
			}
			policies[i] = []policy.Policy{{Layer: policy.LayerIdentity, Document: d}}
		}
		var none *policy.Expander
		a := none.WidensNothing(policies[0], policies[1], policy.Context{})
		if wrong := holdToTwin(t, a, policies[0], policies[1], nil); wrong != "" {
			t.Errorf("%s\n%s", wrong, a)
		}
		if same := none.WidensNothing(policies[0], policies[0], policy.Context{}); same.Truth == policy.False {
			t.Errorf("within itself: %s", same)
		}
	})
}

// pattern is a short pattern, in which wildcards are common.
func (g generator) pattern() string {
	text := make([]byte, g.IntN(6))
	for i := range text {
		text[i] = "aab**?"[g.IntN(6)]
	}
	return pick(g, []string{"arn:aws:s3:::", "arn:aws:s3:::", "arn:aws:s3:::", "arn:aws:s3:?*::", "arn:aws:s3:*", "arn:aws:s3:*:", "arn:aws:s3::*:"}) + string(text)
}

// shortARNs are all ARNs that such patterns tell apart, up to four letters.
var shortARNs = func() []string {
	names := []string{""}
	for from := 0; len(names[len(names)-1]) < 4; {
		to := len(names)
		for _, name := range names[from:to] {
			names = append(names, name+"a", name+"b", name+"c")
		}
		from = to
	}
	var all []string
	for _, name := range names {
		all = append(all, "arn:aws:s3:::"+name, "arn:aws:s3:a::"+name)
	}
	return append(all, "arn:aws:s3::a:a", "arn:aws:s3:a:b:", "arn:aws:s3:::a:b", "arn:aws:s3:::a:", "arn:aws:s3:a::b:a")
}()

func TestContainsAgreesWithMatch(t *testing.T) {
	counts := map[policy.Truth]int{}
	for i := range 1500 {
		g := newGenerator(20260303, uint64(i))
		outer, inner, side := g.pattern(), g.pattern(), pick(g, sides)
		a := policy.Contains(outer, inner, side)
		counts[a.Truth]++
		if side == policy.Must && policy.Includes(outer, inner) && a.Truth == policy.False {
			t.Errorf("%s includes %s, and contains: %s", outer, inner, a)
		}
		if r := a.Counterexample; r != nil && (!policy.MatchResource(inner, r.Resource, side) || policy.MatchResource(outer, r.Resource, side)) {
			t.Errorf("%s contains %s on the side %s: %s", outer, inner, side, a)
		}
		for _, resource := range shortARNs {
			if a.Truth == policy.True && policy.MatchResource(inner, resource, side) && !policy.MatchResource(outer, resource, side) {
				t.Fatalf("%s contains %s on the side %s, but not its %s: %s", outer, inner, side, resource, a)
			}
		}
	}
	t.Logf("yes %d, no %d, cannot tell %d", counts[policy.True], counts[policy.False], counts[policy.Unknown])
}

func TestIntersectAgreesWithMatch(t *testing.T) {
	open := 0
	for i := range 2500 {
		g := newGenerator(20260304, uint64(i))
		a, b := g.pattern(), g.pattern()
		both, exact := policy.Intersect(a, b)
		if !exact {
			if certain := func(p string) bool { return strings.Count(p, ":") == 5 || strings.HasSuffix(p, "*") }; certain(a) && certain(b) {
				open++
			}
			continue
		}
		for _, p := range both {
			for _, outer := range []string{a, b} {
				if got := policy.Contains(outer, p, policy.Must); got.Truth == policy.False || got.Truth == policy.Unknown && p != a && p != b {
					t.Fatalf("%s and %s meet in %s, which %s does not contain: %s", a, b, p, outer, got)
				}
			}
		}
		for _, resource := range shortARNs {
			in := policy.MatchResource(a, resource, policy.Must) && policy.MatchResource(b, resource, policy.Must)
			if got := slices.ContainsFunc(both, func(p string) bool { return policy.MatchResource(p, resource, policy.Must) }); got != in {
				t.Fatalf("%s and %s meet in %q; %s: %v", a, b, both, resource, in)
			}
		}
	}
	t.Logf("cannot tell %d of 2500", open)
	if open > 0 {
		t.Errorf("cannot tell %d of 2500 that certainly match something", open)
	}
}

// A piece that is said to be redundant changes nothing; one that is not shows what.
func TestRedundantAgreesWithTwin(t *testing.T) {
	counts := map[policy.Truth]int{}
	for i := range 150 {
		g := newGenerator(20260305, uint64(i))
		documents, more := g.pair()
		statements := slices.Concat(documents[0]["Statement"].([]any), more[0]["Statement"].([]any))
		documents[0]["Statement"] = statements
		cut := policy.Cut{Statement: g.IntN(len(statements))}
		less := maps.Clone(documents[0])
		less["Statement"] = slices.Delete(slices.Clone(statements), cut.Statement, cut.Statement+1)
		s := statements[cut.Statement].(object)
		if list, ok := s["Resource"].([]any); ok && g.chance(70) && len(list) > 1 && list[0] != list[1] {
			cut.Pattern = list[0].(string)
			narrower := maps.Clone(s)
			narrower["Resource"] = list[1:]
			less["Statement"] = slices.Insert(less["Statement"].([]any), cut.Statement, any(narrower))
		}
		with, without := policiesOf(t, documents), policiesOf(t, []object{less})
		var none *policy.Expander
		a := none.Redundant(with[0].Document, cut, policy.Context{})
		counts[a.Truth]++
		if a.Counterexample != nil {
			r := requestOf(a.Counterexample)
			before, after := twinAllows(t, printedAll(with), r, policy.Must), twinAllows(t, printedAll(without), r, policy.May)
			if before == after {
				t.Fatalf("pair %d: %s\n%s\nless %s: the twin does not confirm %s", i, a, printedAll(with), printedAll(without), encode(t, r))
			}
		}
		if a.Truth == policy.True {
			samples := g.samples(30, documents, []object{less})
			for _, wrong := range []string{holdToTwin(t, a, with, without, samples), holdToTwin(t, a, without, with, samples)} {
				if wrong != "" {
					t.Fatalf("pair %d: %s\n%s\nless %s: %s", i, a, printedAll(with), printedAll(without), wrong)
				}
			}
		}
	}
	t.Logf("yes %d, no %d, cannot tell %d", counts[policy.True], counts[policy.False], counts[policy.Unknown])
}

// What a statement covers it allows, for every request of the cell.
func TestCoversAgreesWithTwin(t *testing.T) {
	counts := map[policy.Truth]int{}
	for i := range 800 {
		g := newGenerator(20260306, uint64(i))
		asked := pick(g, requests)
		r := request{asked.action, pick(g, asked.resources), callers[0]}
		s := g.statement(r, false)
		s["Effect"] = "Allow"
		if g.chance(60) {
			delete(s, "Condition")
		}
		pattern := g.resourcePattern(r.resource).(string)
		cell := []object{{"Version": "2012-10-17", "Statement": []any{object{"Effect": "Allow", "Action": r.action, "Resource": pattern}}}}
		statement := []object{{"Version": "2012-10-17", "Statement": []any{s}}}
		p, q := policiesOf(t, cell), policiesOf(t, statement)
		var none *policy.Expander
		a := none.Covers(q[0].Document.Statements()[0], policy.Cell{Action: r.action, Pattern: pattern})
		counts[a.Truth]++
		wrong := ""
		if a.Truth == policy.True {
			for _, sample := range g.samples(60, cell, statement) {
				if twinAllows(t, printedAll(p), sample, policy.Must) && !twinAllows(t, printedAll(q), sample, policy.Must) {
					wrong = string(encode(t, sample))
				}
			}
		} else {
			wrong = holdToTwin(t, a, p, q, nil)
		}
		if wrong != "" {
			t.Fatalf("pair %d: %s\ncell %s\nstatement %s: %s", i, a, printedAll(p), printedAll(q), wrong)
		}
	}
	t.Logf("yes %d, no %d, cannot tell %d", counts[policy.True], counts[policy.False], counts[policy.Unknown])
}
