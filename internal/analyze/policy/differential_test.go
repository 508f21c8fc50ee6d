package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/policy/internal/naive"
)

// The differential test: engine and twin decide the same random cases. A case is drawn from a small alphabet, so that
// patterns match about as often as they miss, and uses every layer, element, operator and form of principal.
const (
	differentialCases = 100_000
	differentialSeed  = 20260115
	batch             = 500 // cases that share one random source and one call of the engine
)

func TestDifferential(t *testing.T) {
	n := differentialCases
	if testing.Short() {
		n /= 10
	}
	differential(t, differentialSeed, n)
}

// TestSoak is the long run: SOAK_SEED and SOAK_N choose the cases.
func TestSoak(t *testing.T) {
	if os.Getenv("SOAK_N") == "" {
		t.Skip("SKIP: no soak (set SOAK_SEED and SOAK_N)")
	}
	n, err := strconv.Atoi(os.Getenv("SOAK_N"))
	if err != nil {
		t.Fatalf("SOAK_N: %v", err)
	}
	seed := uint64(1)
	if text := os.Getenv("SOAK_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SOAK_SEED: %v", err)
		}
	}
	start := time.Now()
	count := differential(t, seed, n)
	fmt.Printf("soak: seed %d, %d cases, %d differences, %.1f s\n", seed, count.cases, count.differences, time.Since(start).Seconds())
}

// FuzzDifferential lets the fuzzer choose the cases: each of its bytes is one choice of the generator, so that a small
// change of the input is a small change of the case.
func FuzzDifferential(f *testing.F) {
	for seed := range uint64(20) {
		choices := make([]byte, 256)
		for i, source := 0, rand.NewPCG(seed, 0); i < len(choices); i++ {
			choices[i] = byte(source.Uint64())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		g := generator{rand.New(&choiceSource{choices, rand.NewPCG(0, 0)})}
		if difference := compare(t, encode(t, g.newCase("fuzz"))); difference != "" {
			t.Error(difference)
		}
	})
}

// choiceSource draws from bytes, and from then on from another source.
type choiceSource struct {
	choices []byte
	then    rand.Source
}

func (s *choiceSource) Uint64() uint64 {
	if len(s.choices) == 0 {
		return s.then.Uint64()
	}
	choice := s.choices[0]
	s.choices = s.choices[1:]
	return uint64(choice) * 0x0101010101010101 // the choice counts in high bits and low
}

type tally struct {
	cases, differences int
	decisions          map[string]int
}

// differential compares n cases and fails on each difference, printing the first few shrunk to what they need.
func differential(t *testing.T, seed uint64, n int) tally {
	t.Helper()
	var (
		next    atomic.Int64
		mu      sync.Mutex
		workers sync.WaitGroup
		total   = tally{decisions: map[string]int{}}
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				b := int(next.Add(1)) - 1
				if b*batch >= n {
					return
				}
				lines := randomLines(t, seed, uint64(b), min(batch, n-b*batch))
				got, err := askEngine(t.Context(), lines)
				if err != nil {
					t.Errorf("seed %d, batch %d: %v", seed, b, err)
					return
				}
				for i, line := range lines {
					want, comparable, err := expect(line)
					mu.Lock()
					total.cases++
					total.decisions[want.Decision+" "+want.Layer]++
					if want.May != want.Must {
						total.decisions["undecided"]++
					}
					if err != nil || comparable && got[i] != want {
						if total.differences++; total.differences <= 60 {
							t.Error(compare(t, shrink(t, line)))
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	workers.Wait()
	if total.differences > 0 {
		t.Errorf("seed %d: %d differences in %d cases", seed, total.differences, total.cases)
	}
	// The cases are worth something only if each outcome is common among them.
	for _, outcome := range []string{"Allowed identity", "Allowed resource", "undecided",
		"ImplicitDeny scp", "ImplicitDeny resource", "ImplicitDeny identity", "ImplicitDeny boundary", "ImplicitDeny session",
		"ExplicitDeny scp", "ExplicitDeny rcp", "ExplicitDeny resource", "ExplicitDeny identity", "ExplicitDeny boundary", "ExplicitDeny session"} {
		if n >= 10_000 && total.decisions[outcome] < n/1000 {
			t.Errorf("seed %d: only %d of %d cases are %s", seed, total.decisions[outcome], n, outcome)
		}
	}
	for _, outcome := range slices.Sorted(maps.Keys(total.decisions)) {
		t.Logf("%8d %s", total.decisions[outcome], outcome)
	}
	return total
}

func randomLines(t *testing.T, seed, stream uint64, n int) [][]byte {
	t.Helper()
	g := newGenerator(seed, stream)
	lines := make([][]byte, n)
	for i := range lines {
		lines[i] = encode(t, g.newCase(fmt.Sprintf("%d-%d-%d", seed, stream, i)))
	}
	return lines
}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	line, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// expect asks the twin. A case that names no unknown keys gets one decision from the engine; where the twin's two sides
// part, no page says which, and the two cannot be compared.
func expect(line []byte) (want answer, comparable bool, err error) {
	c, err := naive.Read(line)
	if err != nil {
		return answer{}, false, err
	}
	may, must := c.Decide(false), c.Decide(true)
	want = answer{Decision: may.Decision, Layer: may.Layer}
	if c.Unknown != nil {
		want.May, want.Must = may.Decision, must.Decision
	}
	return want, c.Unknown != nil || may == must, nil
}

// compare describes how engine and twin differ over a line, or returns "".
func compare(t *testing.T, line []byte) string {
	t.Helper()
	want, comparable, err := expect(line)
	if err != nil {
		return fmt.Sprintf("twin: %v\n%s", err, line)
	}
	got, err := askEngine(t.Context(), [][]byte{line})
	switch {
	case err != nil:
		return fmt.Sprintf("engine: %v\n%s", err, line)
	case comparable && got[0] != want:
		return fmt.Sprintf("engine %+v\ntwin   %+v\n%s", got[0], want, line)
	}
	return ""
}

// shrink drops whatever a case can lose, member by member, while both still answer and differ.
func shrink(t *testing.T, line []byte) []byte {
	t.Helper()
	differs := func(line []byte) bool {
		want, comparable, err := expect(line)
		if err != nil || !comparable {
			return false
		}
		got, err := askEngine(t.Context(), [][]byte{line})
		return err == nil && got[0] != want
	}
	for smaller := true; smaller; {
		smaller = false
		var whole any
		if json.Unmarshal(line, &whole) != nil {
			return line
		}
		for _, candidate := range without(whole) {
			if shorter := encode(t, candidate); differs(shorter) {
				line, smaller = shorter, true
				break
			}
		}
	}
	return line
}

// Members that a case, a document or a statement cannot lose and still mean anything.
var essential = []string{"principal", "action", "resource", "unknown", "Version", "Statement", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal"}

// without lists the values that lack one member or element, at any depth.
func without(value any) (candidates []any) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if !slices.Contains(essential, key) {
				less := maps.Clone(value)
				delete(less, key)
				candidates = append(candidates, less)
			}
			for _, inner := range without(value[key]) {
				less := maps.Clone(value)
				less[key] = inner
				candidates = append(candidates, less)
			}
		}
	case []any:
		for i := range value {
			if len(value) > 1 {
				candidates = append(candidates, slices.Delete(slices.Clone(value), i, i+1))
			}
			for _, inner := range without(value[i]) {
				less := slices.Clone(value)
				less[i] = inner
				candidates = append(candidates, less)
			}
		}
	}
	return candidates
}

type generator struct{ *rand.Rand }

func newGenerator(seed, stream uint64) generator {
	return generator{rand.New(rand.NewPCG(seed, stream))}
}

type object = map[string]any

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, from []T) T { return from[g.IntN(len(from))] }

// some draws one to most of them, as a scalar or a list.
func (g generator) some(most int, draw func() any) any {
	n := 1 + g.IntN(most)
	if n == 1 && g.chance(50) {
		return draw()
	}
	list := make([]any, n)
	for i := range list {
		list[i] = draw()
	}
	return list
}

const (
	home  = "111122223333"
	other = "444455556666"
)

// Each action with the resources it may be asked for.
var requests = []struct {
	action    string
	resources []string
}{
	{"s3:GetObject", []string{"arn:aws:s3:::b/a", "arn:aws:s3:::b/A", "arn:aws:s3:::b/alice/x", "arn:aws:s3:::b/a*c", "arn:aws:s3:::b/x:y:z", "arn:aws:s3:::c/a"}},
	{"s3:PutObject", []string{"arn:aws:s3:::b/a", "arn:aws:s3:::b/t1/x"}},
	{"S3:listbucket", []string{"arn:aws:s3:::b", "arn:aws:s3:::c"}},
	{"s3:ListAllMyBuckets", []string{"*"}},
	{"logs:PutLogEvents", []string{"arn:aws:logs:us-east-1:" + home + ":log-group:/g:log-stream:s", "arn:aws:logs:eu-west-1:" + home + ":log-group:/h"}},
	{"sqs:SendMessage", []string{"arn:aws:sqs:us-east-1:" + home + ":q", "arn:aws:sqs:us-east-1:" + other + ":q"}},
	{"kms:Decrypt", []string{"arn:aws:kms:us-east-1:" + home + ":key/1", "arn:aws:kms:us-east-1:" + other + ":key/1"}},
	{"sts:AssumeRole", []string{"arn:aws:iam::" + home + ":role/R", "arn:aws:iam::" + other + ":role/R"}},
	{"sagemaker:CreateTrainingJob", []string{"arn:aws:sagemaker:us-east-1:" + home + ":training-job/j"}},
}

var actionPatterns = []string{"*", "s3:*", "S3:g*", "s3:?etObject", "s3:*Object", "s3:List*", "logs:*", "sqs:Send*", "kms:*", "sts:Assume*", "sagemaker:*", "*:Get*", "iam:*"}

var resourcePatterns = []string{
	"*", "arn:aws:s3:::*", "arn:aws:s3:*", "arn:aws:s3:::b/*", "arn:aws:s3:::b*", "arn:aws:s3:::?/a", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${AWS:UserName}*",
	"arn:aws:s3:::b/${aws:PrincipalTag/t}*", "arn:aws:s3:::${k:bucket}/${aws:PrincipalTag/t, 'a'}", "arn:aws:s3:::b/${aws:PrincipalTag/t, 't1'}/*", "arn:aws:s3:::b/a${*}c",
	"arn:aws:s3:::b/${k:nums}", "arn:aws:s3:::b/x:*:z", "arn:aws:logs:*:*:*", "arn:aws:logs:*", "arn:aws:logs:us-*:" + home + ":log-group:*:log-stream:*", "arn:aws:logs:*:*:log-group:/g:*",
	"arn:aws:logs*:s", "arn:*:sqs:us-*:*:q", "arn:aws:sqs:*:${aws:PrincipalAccount}:q", "arn:aws:sqs*q", "arn:aws:kms:*:*:key/*", "arn:aws:iam::*:role/${k:str}", "arn:aws:sagemaker:*:*:*/j",
}

// Context keys of one type each, with the values they are compared with; the last value of a list is of no type.
var keys = []struct {
	name, operators string
	values          []any
	multivalued     bool
}{
	{"aws:PrincipalTag/t", "String", []any{"a", "t1", "alice", "A", 5, true}, false},
	{"k:str", "String", []any{"R", "a*c", "alice", "ab"}, false},
	{"s3:prefix", "String", []any{"", "a", "ab"}, false},
	{"aws:username", "String", []any{"alice", "bob"}, false},
	{"aws:PrincipalAccount", "String", []any{home, other, "1111*"}, false},
	{"aws:ResourceAccount", "String", []any{home, other}, false},
	{"k:num", "Numeric", []any{"1", "1.0", 2, "10", "-3", "ten"}, false},
	{"k:date", "Date", []any{"2026-01-15", "2026-01-15T00:00:00Z", "2026-01-15T01:00:00+01:00", 1768435200, "2026-01-16", "soon"}, false},
	{"k:bool", "Bool", []any{"true", "false", true, false, "True", "perhaps"}, false},
	{"k:bin", "Binary", []any{"AQID", "AQIE", "aqid", "?"}, false},
	{"aws:SourceIp", "Ip", []any{"203.0.113.7", "203.0.113.0/24", "203.0.113.8", "2001:db8::1", "2001:db8::/32", "here"}, false},
	{"aws:SourceArn", "Arn", []any{"arn:aws:sns:us-east-1:" + home + ":t", "arn:aws:sns:*:*:?", "arn:aws:logs:us-east-1:" + home + ":a:b:c", "arn:aws:logs:*:*:a:*", "t"}, false},
	{"aws:PrincipalArn", "Arn", []any{"arn:aws:iam::" + home + ":role/*", "arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":root"}, false},
	{"k:tags", "String", []any{"a", "b", "A", ""}, true},
	{"k:nums", "Numeric", []any{"1", "2", "3"}, true},
}

var operatorsByType = func() map[string][]string {
	byType := map[string][]string{}
	for _, operator := range operators {
		for _, name := range []string{"String", "Numeric", "Date", "Bool", "Binary", "Ip", "Arn"} {
			if strings.HasPrefix(strings.TrimPrefix(operator, "Not"), name) {
				byType[name] = append(byType[name], operator)
			}
		}
	}
	return byType
}()

// variables that stand among the values of string and ARN conditions.
var variables = []any{"${aws:username}", "${k:str}*", "${aws:PrincipalTag/t}", "${aws:PrincipalTag/t, 'a'}", "a${*}c", "${K:STR}", "${?}", "${k:nums}"}

func (g generator) newCase(id string) object {
	asked := pick(g, requests)
	resource := pick(g, asked.resources)
	who := pick(g, callers)
	c := object{"id": id, "principal": who.arn, "action": asked.action, "resource": resource}
	if g.chance(15) {
		c["resourceAccount"] = pick(g, []string{home, home, other})
	}
	context, unknown := object{}, []any{}
	for _, key := range keys {
		name := key.name
		if g.chance(20) {
			name = strings.ToUpper(name)
		}
		switch roll := g.IntN(100); {
		case roll < 10:
			unknown = append(unknown, name)
		case strings.HasPrefix(key.name, "aws:Principal") && key.operators != "String", key.name == "aws:PrincipalAccount", key.name == "aws:ResourceAccount", key.name == "aws:username":
			// These follow from the case itself.
		case roll < 65 && key.multivalued:
			list := make([]any, g.IntN(4))
			for i := range list {
				list[i] = pick(g, key.values)
			}
			context[name] = list
		case roll < 65:
			context[name] = pick(g, key.values)
		}
	}
	context["k:bucket"] = "b"
	c["context"] = context
	if !g.chance(15) { // without unknown the engine gives one decision, by AWS's documented reading
		c["unknown"] = unknown
	}

	request := request{asked.action, resource, who}
	c["identityPolicies"] = g.documents(request, 2, false)
	limits := who.arn != home && !strings.HasSuffix(who.arn, ":root") // a root user has no boundary and no session policy
	if limits && g.chance(30) {
		c["boundary"] = g.documents(request, 1, false)
	}
	if g.chance(30) {
		levels := make([]any, 1+g.IntN(2))
		for i := range levels {
			levels[i] = g.documents(request, 2, false)
		}
		c["scps"] = levels
	}
	if g.chance(20) {
		c["rcps"] = []any{g.documents(request, 1, true)}
	}
	if g.chance(45) {
		c["resourcePolicy"] = g.document(request, true)
	}
	if limits && g.chance(20) {
		c["sessionPolicy"] = g.document(request, false)
	}
	return c
}

type request struct {
	action, resource string
	who              callerForm
}

// A caller, and the names under which NotPrincipal exempts it for certain.
type callerForm struct {
	arn    string
	exempt []string
}

var callers = []callerForm{
	{"arn:aws:iam::" + home + ":role/path/R", []string{"arn:aws:iam::" + home + ":role/path/R", "arn:aws:iam::" + home + ":root"}},
	{"arn:aws:iam::" + home + ":role/path/R", []string{"arn:aws:iam::" + home + ":role/path/R", home}},
	{"arn:aws:sts::" + home + ":assumed-role/R/s", []string{"arn:aws:sts::" + home + ":assumed-role/R/s", "arn:aws:iam::" + home + ":role/R", "arn:aws:iam::" + home + ":root"}},
	{"arn:aws:sts::" + home + ":assumed-role/R/s", []string{"arn:aws:sts::" + home + ":assumed-role/R/s", "arn:aws:iam::" + home + ":role/R", home}},
	{"arn:aws:iam::" + home + ":user/alice", []string{"arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":root"}},
	{"arn:aws:iam::" + home + ":user/team/bob", []string{"arn:aws:iam::" + home + ":user/team/bob", "arn:aws:iam::" + home + ":root"}},
	{"arn:aws:iam::" + home + ":root", []string{"arn:aws:iam::" + home + ":root"}},
	{home, []string{home}},
	{"arn:aws:iam::" + home + ":role/aws-service-role/x.amazonaws.com/S", []string{"arn:aws:iam::" + home + ":role/aws-service-role/x.amazonaws.com/S", home}},
}

func (g generator) documents(r request, most int, resourceBased bool) []any {
	list := make([]any, 1+g.IntN(most))
	for i := range list {
		list[i] = g.document(r, resourceBased)
	}
	return list
}

func (g generator) document(r request, resourceBased bool) object {
	d := object{"Version": "2012-10-17"}
	switch g.IntN(12) {
	case 0:
		d["Version"] = "2008-10-17"
	case 1:
		delete(d, "Version")
	}
	d["Statement"] = g.some(2, func() any { return g.statement(r, resourceBased) })
	return d
}

func (g generator) statement(r request, resourceBased bool) object {
	s := object{"Effect": "Allow"}
	if g.chance(30) {
		s["Effect"] = "Deny"
	}
	actions := g.some(2, func() any { return g.actionPattern(r.action) })
	if g.chance(15) {
		s["NotAction"] = actions
	} else {
		s["Action"] = actions
	}
	resources := g.some(2, func() any { return g.resourcePattern(r.resource) })
	if g.chance(15) {
		s["NotResource"] = resources
	} else {
		s["Resource"] = resources
	}
	if s["Effect"] == "Deny" && g.chance(50) || g.chance(45) {
		s["Condition"] = g.condition()
	}
	if resourceBased {
		g.principal(s, r.who)
	}
	return s
}

func (g generator) principal(s object, who callerForm) {
	if s["Effect"] == "Deny" && g.chance(15) {
		names := []string{"arn:aws:iam::" + other + ":root"}
		if all := g.chance(50); all || g.chance(50) {
			for _, name := range who.exempt {
				if all || g.chance(50) {
					names = append(names, name)
				}
			}
		}
		s["NotPrincipal"] = object{"AWS": names}
		return
	}
	if g.chance(20) {
		s["Principal"] = "*"
		return
	}
	s["Principal"] = object{
		"AWS": g.some(2, func() any {
			if g.chance(60) {
				return pick(g, who.exempt)
			}
			return pick(g, []any{"*", home, other, "arn:aws:iam::" + home + ":user/alice", "arn:aws:iam::" + home + ":role/R", "arn:aws:iam::" + home + ":role/path/R", "arn:aws:sts::" + home + ":assumed-role/R/s", "arn:aws:iam::" + other + ":root"})
		}),
		"Service": "sagemaker.amazonaws.com",
	}
}

func (g generator) actionPattern(action string) any {
	if g.chance(35) {
		return action
	}
	return pick(g, actionPatterns)
}

// resourcePattern is one of the list, or the requested resource with a piece behind its service replaced by a wildcard.
func (g generator) resourcePattern(resource string) any {
	if resource == "*" || g.chance(55) {
		return pick(g, resourcePatterns)
	}
	pattern := resource
	begin := 0
	for range 3 {
		begin += strings.Index(resource[begin:], ":") + 1
	}
	for range g.IntN(3) {
		from := begin + g.IntN(len(pattern)-begin)
		to := min(len(pattern), from+g.IntN(8))
		if g.chance(30) {
			pattern = pattern[:from] + "?" + pattern[min(len(pattern), from+1):]
		} else {
			pattern = pattern[:from] + "*" + pattern[to:]
		}
	}
	return pattern
}

func (g generator) condition() object {
	condition := object{}
	for range 1 + g.IntN(2) {
		key := pick(g, keys)
		name := key.name
		if g.chance(20) {
			name = strings.ToLower(name)
		}
		operator := pick(g, operatorsByType[key.operators])
		if stray := pick(g, operators); g.chance(15) && !strings.HasPrefix(stray, "Date") { // AWS says nothing of small numbers as dates
			operator = stray
		}
		if operator == "Null" {
			condition["Null"] = object{name: g.some(2, func() any { return pick(g, []any{"true", "false", true, false}) })}
			continue
		}
		typed := key.operators == "String" && strings.HasPrefix(operator, "String") || key.operators == "Arn" && strings.HasPrefix(operator, "Arn")
		values := g.some(3, func() any {
			switch {
			case typed && g.chance(25):
				return pick(g, variables)
			case strings.HasSuffix(operator, "Like") && typed && g.chance(30):
				return "*a*"
			}
			return pick(g, key.values)
		})
		if key.multivalued && g.chance(85) || g.chance(10) {
			operator = pick(g, []string{"ForAllValues:", "ForAnyValue:"}) + operator
		}
		if g.chance(20) {
			operator += "IfExists"
		}
		condition[operator] = object{name: values}
	}
	return condition
}

// TestWithout: shrinking tries each case that is one piece smaller.
func TestWithout(t *testing.T) {
	var value any
	if err := json.Unmarshal([]byte(`{"a":[1,2],"b":{"c":3}}`), &value); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	for _, candidate := range without(value) {
		got.Write(append(encode(t, candidate), '\n'))
	}
	const want = "{\"b\":{\"c\":3}}\n{\"a\":[2],\"b\":{\"c\":3}}\n{\"a\":[1],\"b\":{\"c\":3}}\n{\"a\":[1,2]}\n{\"a\":[1,2],\"b\":{}}\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &got, want)
	}
}
