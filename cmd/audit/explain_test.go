package main

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
)

// TestExplainGoldens: questions to the sample account, each of another kind, as a
// person reads the answers.
func TestExplainGoldens(t *testing.T) {
	from := snapshotFile(t)
	const west = "arn:aws:ssm:us-west-2:123456789012:parameter/geo/tiles"
	for name, question := range map[string]struct {
		args   []string
		answer string
		layer  string
	}{
		"allowed":     {[]string{"churn-training", "s3:GetObject", "arn:aws:s3:::retail-ml-churn/features/2026-10/part-0001.parquet"}, report.AnswerAllowed, "identity"},
		"conditional": {[]string{"AmazonSageMaker-*", "iam:PassRole", "arn:aws:iam::123456789012:role/churn-training"}, report.AnswerConditional, "identity"},
		"boundary":    {[]string{"forecast-training", "dynamodb:DescribeTable", "arn:aws:dynamodb:us-east-1:123456789012:table/holidays"}, report.AnswerDenied, "boundary"},
		"scp-given":   {[]string{"geo-training", "ssm:GetParameter", west, "--scp", "testdata/scp"}, report.AnswerDenied, "scp"},
		"scp-told":    {[]string{"geo-training", "ssm:GetParameter", west}, report.AnswerDenied, "scp"},
		"scp-silent":  {[]string{"geo-training", "bedrock:InvokeModel", "--scp", "testdata/scp"}, report.AnswerDenied, "scp"},
		"denied":      {[]string{"search-ranking-training", "s3:DeleteObject", "arn:aws:s3:::retail-ml-search-ranking/models/old.tar.gz"}, report.AnswerDenied, "identity"},
		"bucket":      {[]string{"pricing-training", "s3:DeleteObject", "arn:aws:s3:::retail-ml-pricing/gbm/models/old.tar.gz"}, report.AnswerDenied, "resource"},
		"never":       {[]string{"churn-training", "s3:DeleteBucket", "arn:aws:s3:::retail-ml-churn"}, report.AnswerDenied, "identity"},
		"elsewhere":   {[]string{"customer360-training", "s3:GetObject", "arn:aws:s3:::retail-shared-features/customers/part-1"}, report.AnswerAllowed, "resource"},
		"narrowed":    {[]string{"returns-training", "ssm:GetParameter"}, report.AnswerDenied, "identity"},
		"gone":        {[]string{"recsys-training-v1", "ecr:BatchGetImage"}, report.AnswerUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"explain", "--from", from}, question.args...)
			for _, width := range []string{"80", "140"} {
				text, _ := audit(t, exitOK, append(args, "--width", width)...)
				golden(t, "explain-"+name+"-"+width+".txt", []byte(text))
				for line := range strings.Lines(text) {
					if n := len([]rune(strings.TrimRight(line, "\n"))); n > map[string]int{"80": 80, "140": 140}[width] {
						t.Errorf("%d columns: %s", n, line)
					}
				}
			}
			text, _ := audit(t, exitOK, append(args, "-o", "json")...)
			var e report.Explanation
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			if a := e.Answers[0]; a.Answer != question.answer || a.Layer != question.layer {
				t.Errorf("%s by %s, want %s by %s", a.Answer, a.Layer, question.answer, question.layer)
			}
		})
	}
}

// TestExplainDocs: docs/explain.md names every key of the object.
func TestExplainDocs(t *testing.T) {
	checkDocNames(t, "../../docs/explain.md", []reflect.Type{reflect.TypeFor[report.Explanation]()},
		reflect.TypeFor[report.JudgedCell](), reflect.TypeFor[report.Evidence]())
}

// checkDocNames: the page names every JSON key of the types, less those that the report
// has too.
func checkDocNames(t *testing.T, page string, types []reflect.Type, except ...reflect.Type) {
	t.Helper()
	doc, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Slice, reflect.Pointer:
			walk(typ.Elem())
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() || slices.Contains(except, typ) {
				return
			}
			for i := range typ.NumField() {
				if f := typ.Field(i); !f.Anonymous {
					keys[strings.Split(f.Tag.Get("json"), ",")[0]] = true
				}
				walk(typ.Field(i).Type)
			}
		}
	}
	for _, typ := range types {
		walk(typ)
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !strings.Contains(string(doc), "`"+key+"`") {
			t.Errorf("%s does not name %s", page, key)
		}
	}
}
