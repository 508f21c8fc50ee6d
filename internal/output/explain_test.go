package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// explanation has one of everything.
func explanation() *report.Explanation {
	statement := func(layer, kind, effect, applies string) report.ExplainedStatement {
		return report.ExplainedStatement{Layer: layer, Level: 1, Kind: kind, Policy: "policies/of-a-name-as-long-as-they-come.json", Version: "v3", Index: 2, Sid: "OnlyFromHere",
			Effect: effect, Applies: applies, Because: "it depends on aws:SourceVpce", Partial: true, Text: effect + " s3:Get* and 3 more on arn:aws:s3:::fraud-models/* and 1 more",
			Conditions: []report.ExplainedCondition{
				{Operator: "StringEquals", Key: "aws:SourceVpce", Values: []string{"vpce-1"}, Holds: "unknown", Request: []string{}, Needs: `aws:SourceVpce is "vpce-1"`},
				{Operator: "Bool", Key: "aws:SecureTransport", Values: []string{"true"}, Holds: "true", Known: true, Request: []string{"true"}, Needs: `aws:SecureTransport is "true"`},
				{Operator: "Null", Key: "aws:PrincipalTag/team", Values: []string{"true"}, Holds: "false", Known: true, Request: []string{}, Needs: `aws:PrincipalTag/team is there`},
			}}
	}
	answer := func(word string) report.Answer {
		return report.Answer{Resource: "arn:aws:s3:::fraud-models/2026/*", Answer: word, Layer: "identity", ToldBy: "policies", Why: "because of what the policies say of it, as far as was read",
			Layers: report.CellLayers{Identity: "yes", Boundary: "conditional", SCP: "no", RCP: "notRead", Resource: "none"},
			Statements: []report.ExplainedStatement{statement("identity", "inline", "Allow", "yes"), statement("boundary", "boundary", "Allow", "conditional"),
				statement("scp", "scp", "Deny", "yes"), statement("rcp", "rcp", "Deny", "conditional"), statement("resource", "resource", "Allow", "conditional"), statement("identity", "managed", "Deny", "no")},
			Needs: []string{"It is allowed if aws:SourceVpce is \"vpce-1\".", "It is refused if not."},
			Cells: []report.JudgedCell{{Action: "s3:GetObject", Resource: "arn:aws:s3:::fraud-models/2026/*", Needed: "completed", Seen: 3, Denied: 1, Last: atp("2026-10-30 10:00"),
				Verdict: report.VerdictUsed, Reason: "a reason"}, {Action: "s3:GetObject", Rest: true, Patterns: []string{"*"}, Verdict: report.VerdictUnused}},
			Jobs: []report.Evidence{{Job: "a", Field: "OutputDataConfig.S3OutputPath"}, {Job: "b", Field: "OutputDataConfig.S3OutputPath"}, {Job: "c", Field: "OutputDataConfig.S3OutputPath"}}, JobsTotal: 9,
			Events: []report.Evidence{{EventName: "GetObject", Region: "us-east-1", EventID: "e1", Text: "used"}}, LastAccessed: "IAM saw s3 reached last on 2026-10-30",
			NotRead: []string{"resource control policies, which may refuse"}}
	}
	e := &report.Explanation{Basis: sampleBasis(), Role: report.ExplainedRole{ARN: trainer, ID: "AROA", Name: "trainer", Exists: true}, Action: "s3:GetObject", Known: true,
		Context: []report.ContextKey{{Key: "aws:SourceVpce", Values: []string{"vpce-1", "vpce-2"}}}, AnswersTotal: 7, Notes: []string{"a note"}}
	for _, word := range []string{report.AnswerAllowed, report.AnswerConditional, report.AnswerDenied, report.AnswerUnknown} {
		e.Answers = append(e.Answers, answer(word))
	}
	return e
}

func explained(t *testing.T, f Format, e *report.Explanation, o Options) string {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteExplanation(&buf, f, e, o); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

func TestExplanationWidth(t *testing.T) {
	for _, width := range []int{0, 80, 81, 100, 140, 200} {
		for i, line := range strings.Split(explained(t, Table, explanation(), Options{Width: width}), "\n") {
			if columns(line) > max(width, MinWidth) || strings.TrimRight(line, " ") != line {
				t.Errorf("at %d: line %d is %d wide: %q", width, i+1, columns(line), line)
			}
		}
	}
}

func TestExplanationSaysItAll(t *testing.T) {
	out := strings.Join(strings.Fields(explained(t, Table, explanation(), Options{Width: 140})), " ")
	for _, want := range []string{"YES because of", "IT DEPENDS because", "NO because", "NOT KNOWN because", "When - It is allowed if", "To allow it - It is",
		"Statements that refuse it service control policy policies/of-a-name-as-long-as-they-come.json v3 of level 1, statement 3 (OnlyFromHere)",
		"Statements that may refuse it resource control policy", "Statements that allow it inline policy", "Close to it, but not applying managed policy",
		`if aws:SourceVpce is "vpce-1": not known`, `if aws:SecureTransport is "true": holds, it is true`, "is there: does not hold, the request does not have it",
		"identity policies yes", "permissions boundary under a condition", "service control policies no", "the resource's own policy there is none, or it says nothing",
		"used arn:aws:s3:::fraud-models/2026/* needed by jobs (completed), used 3 times, refused 1 time, last on 2026-10-30 (a reason)", "unused what is granted beside what is needed, used or refused",
		"OutputDataConfig.S3OutputPath: a, b and 1 more 9 jobs in all", "used: GetObject in us-east-1, event e1", "IAM saw s3 reached", "- resource control policies, which may",
		"and 3 more resources", "Note a note", "account 111122223333 as of 2026-10-31 10:00 UTC", "SCP level 1: 01-workloads/regions.json", "given with the question: aws:SourceVpce = vpce-1, vpce-2"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "resource control policies yes") {
		t.Error("a layer that was not read has an answer")
	}
}

func TestExplanationIsHarmless(t *testing.T) {
	e := explanation()
	poison(reflect.ValueOf(e).Elem())
	for _, width := range []int{80, 140} {
		assertHarmless(t, explained(t, Table, e, Options{Width: width}))
	}
	assertHarmless(t, strings.ReplaceAll(explained(t, JSON, e, Options{}), `\ufffd`, ""))
}

func TestExplanationAsJSON(t *testing.T) {
	e := explanation()
	var back report.Explanation
	out := explained(t, JSON, e, Options{})
	if err := json.Unmarshal([]byte(out), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, e) {
		t.Errorf("the JSON tells something else: %s", out)
	}
	if err := WriteExplanation(&fullDisk{}, Table, e, Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	colored := explained(t, Table, e, Options{Width: 80, Color: true})
	for _, st := range []style{good, warn, worse} {
		if !strings.Contains(colored, fmt.Sprintf("\x1b[%sm", st)) {
			t.Errorf("no colour %s", st)
		}
	}
}

func sampleBasis() report.Basis {
	return report.Basis{SchemaVersion: 1, Account: report.Account{ID: account, Partition: "aws"}, GivenPolicies: sample().GivenPolicies, GeneratedAt: at("2026-10-31 10:00")}
}
