package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sagemaker-role-audit/internal/analyze/report"
)

// inSchema errs on a document that does not fit a schema.
func inSchema(schema, text []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		return err
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return compiled.Validate(v)
}

// asking is a command line to the sample account, with its exit code and answer.
type asking struct {
	args   []string
	exit   int
	answer string
}

// checkGoldens holds each answer at two widths and as JSON against its schema, and that
// no value of a hyperparameter stands in it.
func checkGoldens(t *testing.T, command string, schema []byte, questions map[string]asking) {
	from := snapshotFile(t)
	for name, q := range questions {
		t.Run(name, func(t *testing.T) {
			args := append([]string{command, "--from", from}, q.args...)
			for width, columns := range map[string]int{"80": 80, "140": 140} {
				text, stderr := audit(t, q.exit, append(args, "--width", width)...)
				golden(t, command+"-"+name+"-"+width+".txt", []byte(text))
				for line := range strings.Lines(text) {
					if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns {
						t.Errorf("%d columns: %s", n, line)
					}
				}
				if (stderr != "") != (q.exit != exitOK) || strings.Contains(text+stderr, "MUSTNOTBEPRINTED") {
					t.Errorf("stderr %q", stderr)
				}
			}
			text, _ := audit(t, q.exit, append(args, "-o", "json")...)
			if err := inSchema(schema, []byte(text)); err != nil {
				t.Error(err)
			}
			golden(t, command+"-"+name+".json", []byte(text))
			var a struct{ Answer string }
			if err := json.Unmarshal([]byte(text), &a); err != nil || a.Answer != q.answer || strings.Contains(text, "MUSTNOTBEPRINTED") {
				t.Errorf("%s (%v), want %s", a.Answer, err, q.answer)
			}
		})
	}
}

func TestVerifyGoldens(t *testing.T) {
	churn := func(exit int, answer string, args ...string) asking {
		return asking{append([]string{"--role", "churn-training", "--policy"}, args...), exit, answer}
	}
	checkGoldens(t, "verify", report.VerificationSchemaJSON, map[string]asking{
		"proposed":    churn(exitOK, report.VerifyPasses, "testdata/verify/proposed.json"),
		"hand-edited": churn(exitFindings, report.VerifyFails, "testdata/verify/hand-edited.json"),
		"condition":   churn(exitFindings, report.VerifyUnsure, "testdata/verify/condition.json"),
		// The proposal of another role: what is used, called by people and denied is lost.
		"another-role": {[]string{"--role", "search-ranking-training", "--policy", "testdata/verify/proposed.json"}, exitFindings, report.VerifyFails},
	})
}

func TestCheckJobGoldens(t *testing.T) {
	checkGoldens(t, "check-job", report.JobCheckSchemaJSON, map[string]asking{
		"runs":       {[]string{"testdata/jobs/runs.json"}, exitOK, report.JobRuns},
		"new-bucket": {[]string{"testdata/jobs/new-bucket.json"}, exitFindings, report.JobFails},
		"boundary":   {[]string{"testdata/jobs/boundary.json"}, exitFindings, report.JobFails},
		"manifest":   {[]string{"testdata/jobs/manifest.json"}, exitOK, report.JobUnsure},
		"cloudtrail": {[]string{"testdata/jobs/cloudtrail.json", "--role", "churn-training"}, exitOK, report.JobRuns},
		"policy":     {[]string{"testdata/jobs/runs.json", "--policy", "testdata/verify/condition.json"}, exitOK, report.JobUnsure},
		"by-name":    {[]string{"--job", "speech-ctc-v2-2026-10-29-11-16-59-933"}, exitFindings, report.JobFails},
		"gone":       {[]string{"testdata/jobs/runs.json", "--role", "recsys-training-v1"}, exitFindings, report.JobFails},
	})
}

// TestVerifyDocs: docs/verify.md names every key of both objects.
func TestVerifyDocs(t *testing.T) {
	checkDocNames(t, "../../docs/verify.md", []reflect.Type{reflect.TypeFor[report.Verification](), reflect.TypeFor[report.JobCheck]()},
		reflect.TypeFor[report.Account](), reflect.TypeFor[report.Window](), reflect.TypeFor[report.GivenPolicy](), reflect.TypeFor[report.CellLayers]())
}
