package policy_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/policy/internal/naive"
)

// The corpus: requests whose decision was judged by hand from the AWS page each one names. Nothing writes these
// expectations, so there is no -update flag: where engine or twin disagree with a line, the page settles it.
const (
	moduleRoot = "../../.."
	corpusDir  = moduleRoot + "/testdata/policies"
)

// corpusCase is a line of the corpus: a case of `audit simulate` and what it must show.
type corpusCase struct {
	ID   string `json:"id"`
	Rule string `json:"rule"` // one sentence; begins with "BUG name:" where it guards a known evaluator bug
	Page string `json:"page"` // the AWS page that says so

	Operator    string `json:"operator"`    // the matrix operator x cell
	MatrixLayer string `json:"matrixLayer"` // the matrix layer x cell
	Cell        string `json:"cell"`

	Unknown []string `json:"unknown"`
	Expect  struct {
		Decision, Layer string // without unknown
		May, Must       string // with unknown; Layer only where both agree
	} `json:"expect"`

	at   string // file:line
	line []byte // the case without its expectations
}

func readCorpus(t *testing.T) []corpusCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusDir, "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus in %s: %v", corpusDir, err)
	}
	var corpus []corpusCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(bytes.NewReader(data))
		for number := 1; lines.Scan(); number++ {
			c := corpusCase{at: fmt.Sprintf("%s:%d", filepath.Base(file), number)}
			if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
				t.Fatalf("%s: %v", c.at, err)
			}
			c.line = withoutExpectations(t, lines.Bytes())
			corpus = append(corpus, c)
		}
		if err := lines.Err(); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return corpus
}

func withoutExpectations(t *testing.T, line []byte) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"rule", "page", "operator", "matrixLayer", "cell", "expect"} {
		delete(fields, key)
	}
	stripped, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return stripped
}

// want says what a line expects, in the form of answer.
func (c *corpusCase) want() answer {
	if c.Unknown == nil {
		return answer{Decision: c.Expect.Decision, Layer: c.Expect.Layer}
	}
	return answer{Decision: c.Expect.May, Layer: c.Expect.Layer, May: c.Expect.May, Must: c.Expect.Must}
}

// answer is what an evaluator says of a case: the may side's decision and layer, and both sides where the case names
// unknown keys.
type answer struct {
	Decision string `json:"decision"`
	Layer    string `json:"layer"`
	May      string `json:"may,omitempty"`
	Must     string `json:"must,omitempty"`
}

// meets compares all that the corpus line states.
func (a answer) meets(want answer) bool {
	if want.Layer == "" {
		a.Layer = ""
	}
	return a == want
}

// askTwin decides one line with the naive evaluator.
func askTwin(line []byte) (answer, error) {
	c, err := naive.Read(line)
	if err != nil {
		return answer{}, err
	}
	may := c.Decide(false)
	a := answer{Decision: may.Decision, Layer: may.Layer}
	if c.Unknown != nil {
		a.May, a.Must = may.Decision, c.Decide(true).Decision
	}
	return a, nil
}

// askEngine decides lines with the engine, through the format of `audit simulate`.
func askEngine(ctx context.Context, lines [][]byte) ([]answer, error) {
	var out bytes.Buffer
	if err := policy.Simulate(ctx, bytes.NewReader(bytes.Join(lines, []byte("\n"))), &out, false); err != nil {
		return nil, err
	}
	answers := make([]answer, 0, len(lines))
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var a answer
		if err := decoder.Decode(&a); err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	if len(answers) != len(lines) {
		return nil, fmt.Errorf("%d answers to %d cases", len(answers), len(lines))
	}
	return answers, nil
}

func TestCorpus(t *testing.T) {
	corpus := readCorpus(t)
	lines := make([][]byte, len(corpus))
	for i, c := range corpus {
		lines[i] = c.line
	}
	answers, err := askEngine(t.Context(), lines)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range corpus {
		if got, want := answers[i], c.want(); !got.meets(want) {
			t.Errorf("%s %s\n  %s (%s)\n  want %+v\n  got  %+v", c.at, c.ID, c.Rule, c.Page, want, got)
		}
	}
}

func TestCorpusTwin(t *testing.T) {
	for _, c := range readCorpus(t) {
		got, err := askTwin(c.line)
		if err != nil {
			t.Errorf("%s %s: %v", c.at, c.ID, err)
		} else if want := c.want(); !got.meets(want) {
			t.Errorf("%s %s\n  %s (%s)\n  want %+v\n  got  %+v", c.at, c.ID, c.Rule, c.Page, want, got)
		}
	}
}

// TestCorpusForm: each case has a name of its own, a page, a rule and a decision.
func TestCorpusForm(t *testing.T) {
	corpus := readCorpus(t)
	if len(corpus) < 300 {
		t.Errorf("%d cases, want at least 300", len(corpus))
	}
	page := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	decision := regexp.MustCompile(`^(Allowed|ImplicitDeny|ExplicitDeny)$`)
	layer := regexp.MustCompile(`^(identity|boundary|scp|rcp|resource|session)$`)
	seen := map[string]string{}
	for _, c := range corpus {
		if other, ok := seen[c.ID]; ok || c.ID == "" {
			t.Errorf("%s: id %q is also at %s", c.at, c.ID, other)
		}
		seen[c.ID] = c.at
		if c.Rule == "" || !page.MatchString(c.Page) {
			t.Errorf("%s: rule %q, page %q", c.at, c.Rule, c.Page)
		}
		stated := c.Expect.Decision != "" && c.Expect.May == "" && c.Expect.Must == ""
		decisions := []string{c.Expect.Decision}
		if c.Unknown != nil {
			stated = c.Expect.Decision == "" && (c.Expect.Layer != "") == (c.Expect.May == c.Expect.Must)
			decisions = []string{c.Expect.May, c.Expect.Must}
		}
		for _, d := range decisions {
			stated = stated && decision.MatchString(d)
		}
		if !stated || c.Expect.Layer == "" && c.Unknown == nil || c.Expect.Layer != "" && !layer.MatchString(c.Expect.Layer) {
			t.Errorf("%s: expectation %+v", c.at, c.Expect)
		}
	}
}

// The operators of AWS's page reference_policies_elements_condition_operators.
var operators = []string{
	"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike",
	"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
	"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
	"Bool", "BinaryEquals", "IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null",
}

// TestCorpusMatrix: no cell of operator x situation and of layer x situation is empty. The cell of Null and IfExists
// holds what AWS says of it: Null is the one operator that takes no IfExists.
func TestCorpusMatrix(t *testing.T) {
	type cell struct{ row, situation string }
	filled := map[cell]int{}
	for _, c := range readCorpus(t) {
		if c.Cell == "" {
			continue
		}
		if c.Operator != "" && !bytes.Contains(c.line, []byte(`"`+c.Operator)) {
			t.Errorf("%s: %s fills a cell of %s without using it", c.at, c.ID, c.Operator)
		}
		filled[cell{cmp.Or(c.Operator, c.MatrixLayer), c.Cell}]++
	}
	rows := slices.Clone(operators)
	for _, operator := range operators {
		if operator != "Null" { // Null is about the key, not about its values.
			rows = append(rows, "ForAllValues:"+operator, "ForAnyValue:"+operator)
		}
	}
	want := map[cell]bool{}
	for _, row := range rows {
		for _, situation := range []string{"match", "no match", "missing key", "IfExists", "several values", "wrong type", "undecidable"} {
			want[cell{row, situation}] = true
		}
	}
	for _, layer := range []string{"identity", "boundary", "scp", "rcp", "resource", "session"} {
		for _, situation := range []string{"allow", "deny", "absent"} {
			want[cell{layer, situation}] = true
		}
	}
	for c := range want {
		if filled[c] == 0 {
			t.Errorf("no case for %s, %s", c.row, c.situation)
		}
	}
	for c := range filled {
		if !want[c] {
			t.Errorf("no such cell: %s, %s", c.row, c.situation)
		}
	}
}

// TestCorpusGuards: each evaluator bug that was seen in the wild is guarded by name.
func TestCorpusGuards(t *testing.T) {
	guards := map[string]int{}
	for _, c := range readCorpus(t) {
		if rest, ok := strings.CutPrefix(c.Rule, "BUG "); ok {
			name, _, _ := strings.Cut(rest, ":")
			guards[name]++
		}
	}
	bugs := []string{
		"shared-substitution", // variables replaced in the shared policy: the second caller gets the first one's
		"missing-key-negated", // a missing key makes negated operators false
		"for-any-value",       // ForAnyValue spelled otherwise, or true without the key
		"arn-split",           // an ARN split at every colon
		"silent-unparsable",   // what is no number is silently false
		"ip-without-mask",     // an address without a mask never matches
		"deny-negated-unset",  // a Deny with a negated operator and an unset variable no longer denies
		"notaction-nothing",   // NotAction read as nothing granted
		"notresource-ignored", // NotResource ignored
	}
	for _, bug := range bugs {
		if guards[bug] < 3 {
			t.Errorf("%d cases guard against %s, want at least 3", guards[bug], bug)
		}
		delete(guards, bug)
	}
	for _, stray := range slices.Sorted(maps.Keys(guards)) {
		t.Errorf("a case guards against %q, which is no known bug", stray)
	}
}

// TestCorpusSharedDocuments decides the corpus once more with every document parsed once and shared by all cases that hold
// it, in order, in reverse and several at a time: what one request puts in for a variable must not reach the next.
func TestCorpusSharedDocuments(t *testing.T) {
	parsed := map[string]*policy.Document{}
	type question struct {
		*corpusCase
		stack   policy.Stack
		request policy.Request
	}
	var questions []question
	corpus := readCorpus(t)
	for i := range corpus {
		c, err := naive.Read(corpus[i].line)
		if err != nil {
			t.Fatal(err)
		}
		if c.Unknown != nil || c.Boundary != nil || c.SCPs != nil || c.RCPs != nil || c.ResourcePolicy != nil || c.SessionPolicy != nil || c.Decide(false) != c.Decide(true) {
			continue
		}
		var texts struct{ IdentityPolicies []json.RawMessage }
		if err := json.Unmarshal(corpus[i].line, &texts); err != nil {
			t.Fatal(err)
		}
		principal, err := policy.ParsePrincipal(c.Principal)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string][]string{"aws:PrincipalArn": {principal.ARN}, "aws:PrincipalAccount": {principal.Account}, "aws:PrincipalType": {"AssumedRole"}}
		if principal.Kind == policy.User {
			keys["aws:PrincipalType"] = []string{"User"}
			keys["aws:username"] = []string{principal.ARN[strings.LastIndex(principal.ARN, "/")+1:]}
		}
		if c.ResourceAccount != "" {
			keys["aws:ResourceAccount"] = []string{c.ResourceAccount}
		}
		for key, values := range c.Context {
			keys[key] = values
		}
		q := question{corpusCase: &corpus[i], request: policy.Request{Principal: principal, Action: c.Action, Resource: c.Resource,
			ResourceAccount: c.ResourceAccount, Context: policy.ClosedContext(keys)}}
		for _, text := range texts.IdentityPolicies {
			if parsed[string(text)] == nil {
				if parsed[string(text)], err = policy.Parse(text); err != nil {
					t.Fatalf("%s: %v", corpus[i].at, err)
				}
			}
			q.stack.Identity = append(q.stack.Identity, policy.Policy{Layer: policy.LayerIdentity, Document: parsed[string(text)]})
		}
		questions = append(questions, q)
	}
	if len(questions) < 300 || len(parsed) > len(questions)*9/10 {
		t.Fatalf("%d cases share %d documents", len(questions), len(parsed))
	}
	printed := map[string]string{}
	for text, document := range parsed {
		printed[text] = string(document.Print())
	}
	backwards := slices.Clone(questions)
	slices.Reverse(backwards)
	var runs sync.WaitGroup
	for _, order := range [][]question{questions, backwards} {
		runs.Go(func() {
			for _, q := range order {
				for _, side := range []policy.Side{policy.May, policy.Must} {
					if got := q.stack.Decide(q.request, side); string(got.Outcome) != q.Expect.Decision {
						t.Errorf("%s %s\n  %s (%s)\n  want %s, side %v says %s", q.at, q.ID, q.Rule, q.Page, q.Expect.Decision, side, got.Outcome)
					}
				}
			}
		})
	}
	runs.Wait()
	for text, document := range parsed {
		if again := string(document.Print()); again != printed[text] {
			t.Errorf("deciding changed a document\nbefore %s\nafter  %s", printed[text], again)
		}
	}
}

// TestTwinIsIndependent: the twin imports nothing of this module, and only test files import the twin.
func TestTwinIsIndependent(t *testing.T) {
	const module, twin = "sagemaker-role-audit", "internal/analyze/policy/internal/naive"
	files, inTwin := 0, 0
	err := filepath.WalkDir(moduleRoot, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != moduleRoot {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		ofTwin := strings.Contains(filepath.ToSlash(path), "/"+twin+"/")
		if ofTwin {
			inTwin++
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(imported, "/")
			if ofTwin && (first == module || strings.Contains(first, ".")) {
				t.Errorf("%s imports %s: the twin is the standard library only", path, imported)
			}
			if imported == module+"/"+twin && !strings.HasSuffix(path, "_test.go") {
				t.Errorf("%s imports the twin, which is for tests", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 || inTwin == 0 {
		t.Fatalf("read %d files, %d of the twin", files, inTwin)
	}
}
