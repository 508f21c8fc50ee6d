package exceptions_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/exceptions"
	"sagemaker-role-audit/internal/analyze/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const good = `# Exceptions of the ML account.
version: 1
accept:
  # The labelling vendor; ticket SEC-12.
  - rule: trust-open
    role: labeling-shared
    subject: trust
    reason: The vendor's account works here until the contract ends.
    owner: ml-platform@example.com # asked on Monday
    expires: 2026-12-31
  - {rule: idle-role, role: "ml-*", allSubjects: true, reason: kept for the autumn campaign, owner: ana, expires: "2026-11-30"}
severity:
  iam-write: critical
  idle-role: info
`

func date(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestParse(t *testing.T) {
	got, err := exceptions.Parse("audit.yaml", []byte(good), analyze.Rules())
	if err != nil {
		t.Fatal(err)
	}
	want := &exceptions.File{Name: "audit.yaml", Entries: []exceptions.Entry{
		{Line: 5, Rule: "trust-open", Role: "labeling-shared", Subject: "trust", Reason: "The vendor's account works here until the contract ends.",
			Owner: "ml-platform@example.com", Expires: date("2026-12-31")},
		{Line: 11, Rule: "idle-role", Role: "ml-*", AllSubjects: true, Reason: "kept for the autumn campaign", Owner: "ana", Expires: date("2026-11-30")},
	}, Severities: []exceptions.Severity{{Line: 13, Rule: "iam-write", Severity: report.Critical}, {Line: 14, Rule: "idle-role", Severity: report.Info}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

const entry = "version: 1\naccept:\n- rule: trust-open\n  role: trainer\n  subject: trust\n  reason: r\n  owner: o\n  expires: 2027-01-31\n"

// TestRefused: every error names file, line and field. The JSON Schema refuses the same,
// but for what it cannot see.
func TestRefused(t *testing.T) {
	unseen := map[string]bool{"anchor": true, "tag": true, "second document": true, "twice": true, "same entry": true, "same field": true, "role": true, "no yaml": true,
		"empty": true, "only comments": true, "utf-8": true, "no such day": true}
	for name, test := range map[string]struct{ text, want string }{
		"empty":           {"", "audit.yaml: is empty; it begins with version: 1"},
		"only comments":   {"# nothing\n", "audit.yaml: is empty"},
		"utf-8":           {"version: 1 # \xff\n", "audit.yaml: is not UTF-8"},
		"no yaml":         {"version: 1\naccept: [\n", "audit.yaml:2: no YAML: "},
		"no object":       {"- a\n", "audit.yaml:1: a list where fields should be"},
		"no version":      {"accept: []\n", "audit.yaml:1: version: is missing"},
		"other version":   {"version: 2\n", "audit.yaml:1: version: not 1, the version that this audit reads"},
		"version as text": {"version: '1'\n", "audit.yaml:1: version: not 1"},
		"unknown field":   {"version: 1\naccpet: []\n", "audit.yaml:2: accpet: unknown field; there are version, accept, severity"},
		"in an entry":     {strings.Replace(entry, "  owner:", "  owners:", 1), "audit.yaml:7: accept[0].owners: unknown field; there are rule, role, reason, owner, expires, subject, allSubjects\naudit.yaml:3: accept[0].owner: is missing"},
		"no reason":       {strings.Replace(entry, "  reason: r\n", "", 1), "audit.yaml:3: accept[0].reason: is missing"},
		"empty reason":    {strings.Replace(entry, "reason: r", "reason: ' '", 1), "audit.yaml:6: accept[0].reason: is empty"},
		"null reason":     {strings.Replace(entry, "reason: r", "reason:", 1), "audit.yaml:6: accept[0].reason: nothing where text should be"},
		"number":          {strings.Replace(entry, "owner: o", "owner: 007", 1), "audit.yaml:7: accept[0].owner: a number where text should be; quotes make it text"},
		"no rule":         {strings.Replace(entry, "trust-open", "trust-opne", 1), `audit.yaml:3: accept[0].rule: there is no rule "trust-opne"; the rules are full-admin, `},
		"role":            {strings.Replace(entry, "role: trainer", "role: 'a b'", 1), `audit.yaml:4: accept[0].role: "a b" is not the name of an IAM role`},
		"no subject":      {strings.Replace(entry, "  subject: trust\n", "", 1), "audit.yaml:3: accept[0].subject: is missing: a finding's subject, or allSubjects: true"},
		"two subjects":    {strings.Replace(entry, "  owner:", "  allSubjects: true\n  owner:", 1), "audit.yaml:3: accept[0].allSubjects: contradicts subject"},
		"not all":         {strings.Replace(entry, "subject: trust", "allSubjects: false", 1), "audit.yaml:5: accept[0].allSubjects: is true or is not there"},
		"date":            {strings.Replace(entry, "2027-01-31", "31.01.2027", 1), `audit.yaml:8: accept[0].expires: "31.01.2027" is no date such as 2027-01-31`},
		"time":            {strings.Replace(entry, "2027-01-31", "2027-01-31T10:00:00Z", 1), "audit.yaml:8: accept[0].expires: "},
		"no such day":     {strings.Replace(entry, "2027-01-31", "2027-02-30", 1), `audit.yaml:8: accept[0].expires: "2027-02-30" is no date`},
		"same entry":      {entry + strings.TrimPrefix(entry, "version: 1\naccept:\n"), "audit.yaml:9: accept[1]: accepts what line 3 accepts already"},
		"same field":      {strings.Replace(entry, "  owner:", "  reason: s\n  owner:", 1), "audit.yaml:7: accept[0].reason: stands on line 6 already"},
		"twice":           {"version: 1\nversion: 1\n", "audit.yaml:2: version: stands on line 1 already"},
		"anchor":          {strings.Replace(entry, "reason: r", "reason: &r r", 1), "audit.yaml:6: accept[0].reason: anchors and aliases are not read"},
		"tag":             {strings.Replace(entry, "owner: o", "owner: !!str 7", 1), "audit.yaml:7: accept[0].owner: tags are not read"},
		"second document": {"version: 1\n---\nversion: 1\n", "audit.yaml:2: a second document"},
		"severity":        {"version: 1\nseverity:\n  idle-role: none\n", "audit.yaml:3: severity.idle-role: not one of critical, high, medium, low, info"},
		"severity of":     {"version: 1\nseverity:\n  idle: info\n", "audit.yaml:3: severity.idle: unknown field"},
		"accept":          {"version: 1\naccept: all\n", "audit.yaml:2: accept: text where a list of exceptions should be"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := exceptions.Parse("audit.yaml", []byte(test.text), analyze.Rules())
			var syntax *exceptions.SyntaxError
			if !errors.As(err, &syntax) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v, error %v, want %q", f, err, test.want)
			}
			if fits := fitsSchema(t, test.text) == nil; fits && !unseen[name] {
				t.Error("the JSON Schema takes it")
			}
		})
	}
	// Many errors are told, but not without end.
	_, err := exceptions.Parse("audit.yaml", []byte("version: 1\naccept:\n"+strings.Repeat("- 1\n", 500)), analyze.Rules())
	if n := strings.Count(err.Error(), "\n") + 1; n != 11 || !strings.Contains(err.Error(), "and 490 more errors") {
		t.Errorf("%d lines: %v", n, err)
	}
}

// fitsSchema validates YAML as most editors do: as the JSON that it stands for.
func fitsSchema(t *testing.T, text string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(exceptions.SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil
	}
	data, err := json.Marshal(dates(v))
	if err != nil {
		return nil
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

// dates are text in JSON.
func dates(v any) any {
	switch v := v.(type) {
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
	case map[string]any:
		for k := range v {
			v[k] = dates(v[k])
		}
	case []any:
		for i := range v {
			v[i] = dates(v[i])
		}
	}
	return v
}

func TestSchema(t *testing.T) {
	for _, text := range []string{good, entry, "version: 1\n", "version: 1\naccept:\nseverity:\n"} {
		if _, err := exceptions.Parse("audit.yaml", []byte(text), analyze.Rules()); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		if err := fitsSchema(t, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
	var schema struct {
		Properties struct {
			Severity struct{ Properties map[string]any }
		}
		Defs struct{ Rule struct{ Enum []string } } `json:"$defs"`
	}
	if err := json.Unmarshal(exceptions.SchemaJSON, &schema); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(analyze.Rules(), schema.Defs.Rule.Enum); d != "" {
		t.Errorf("rules (-code +schema):\n%s", d)
	}
	for _, rule := range analyze.Rules() {
		if schema.Properties.Severity.Properties[rule] == nil {
			t.Errorf("severity has no %s", rule)
		}
	}
}

func finding(rule, role, subject string, s report.Severity) report.Finding {
	return report.Finding{Rule: rule, Role: "arn:aws:iam::123456789012:role/" + role, Subject: subject, Severity: s}
}

func TestApply(t *testing.T) {
	f, err := exceptions.Parse("audit.yaml", []byte(good+"  full-admin: low\n"), analyze.Rules())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		now      time.Time
		findings []report.Finding
		asked    exceptions.Asked
		accepted []bool
		states   []string
	}{
		{"both hold", date("2026-11-19"), []report.Finding{finding("trust-open", "labeling-shared", "trust", report.High), finding("idle-role", "x/ml-a", "role", report.Low), finding("idle-role", "other", "role", report.Low)},
			exceptions.Asked{Complete: true}, []bool{true, true, false}, []string{"active", "active"}},
		{"the last second", date("2026-12-31").Add(24*time.Hour - time.Second), []report.Finding{finding("trust-open", "labeling-shared", "trust", report.High)},
			exceptions.Asked{Complete: true}, []bool{true}, []string{"active", "expired"}},
		{"the day after", date("2027-01-01"), []report.Finding{finding("trust-open", "labeling-shared", "trust", report.High)},
			exceptions.Asked{Complete: true}, []bool{false}, []string{"expired", "expired"}},
		{"another subject, role, rule", date("2026-11-19"), []report.Finding{finding("trust-open", "labeling-shared", "role", report.High), finding("trust-open", "labeling", "trust", report.High), finding("trust-unguarded", "labeling-shared", "trust", report.High)},
			exceptions.Asked{Complete: true}, []bool{false, false, false}, []string{"unused", "unused"}},
		{"not all was looked at", date("2026-11-19"), nil, exceptions.Asked{}, nil, []string{"unseen", "unseen"}},
		{"not all was asked for", date("2026-11-19"), nil, exceptions.Asked{Complete: true, Roles: []string{"a"}}, nil, []string{"unseen", "unseen"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := f.Apply(test.findings, test.now, test.asked)
			for i, x := range test.findings {
				if (x.Accepted != nil) != test.accepted[i] {
					t.Errorf("%+v: accepted %+v", x, x.Accepted)
				}
			}
			var states []string
			for _, e := range out.Entries {
				states = append(states, e.State)
			}
			if d := cmp.Diff(test.states, states); d != "" {
				t.Errorf("states (-want +got):\n%s", d)
			}
		})
	}
	findings := []report.Finding{finding("full-admin", "a", "p", report.Critical), finding("iam-write", "a", "p", report.Critical)}
	f.Apply(findings, date("2026-11-19"), exceptions.Asked{Complete: true})
	if findings[0].Severity != report.Low || findings[1].Severity != report.Critical || findings[0].Accepted != nil {
		t.Errorf("severities: %+v", findings)
	}
	if out := (*exceptions.File)(nil).Apply(findings, date("2026-11-19"), exceptions.Asked{}); out != nil {
		t.Errorf("no file gives %+v", out)
	}
}

func TestAdd(t *testing.T) {
	now := date("2026-12-05")
	holds := func(e *exceptions.Entry) bool { return !e.Expired(now) }
	entries := []exceptions.Entry{
		{Rule: "idle-role", Role: "ml-*", AllSubjects: true, Reason: "again", Owner: "ben", Expires: date("2027-03-01")},            // expired: renewed
		{Rule: "trust-open", Role: "labeling-shared", Subject: "trust", Reason: "other", Owner: "ben", Expires: date("2027-03-01")}, // holds: left
		{Rule: "iam-write", Role: "arn:aws:iam::123456789012:role/a/b", Subject: "- x: \"y\" # z\\", Reason: "yes", Owner: "@ben", Expires: date("2027-03-01")},
		{Rule: "iam-write", Role: "a", Subject: "\u202egnp", Reason: "hidden", Owner: "ben", Expires: date("2027-03-01")},             // looks like something else
		{Rule: "role-gone", Role: "arn:aws:iam::1:role/x y", Subject: "role", Reason: "r", Owner: "ben", Expires: date("2027-03-01")}, // no role's name
	}
	text, added, err := exceptions.Add("audit.yaml", []byte(good), analyze.Rules(), entries, holds)
	if err != nil {
		t.Fatal(err)
	}
	if len(added.New) != 1 || len(added.Renewed) != 1 || len(added.Held) != 1 || len(added.Unsafe) != 2 {
		t.Errorf("added %+v", added)
	}
	const golden = "testdata/added.yaml"
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(text)); d != "" {
		t.Errorf("%s (-want +got):\n%s", golden, d)
	}
	again, added, err := exceptions.Add("audit.yaml", text, analyze.Rules(), entries, holds)
	if err != nil || !bytes.Equal(again, text) || len(added.New)+len(added.Renewed) > 0 {
		t.Errorf("a second time: %v, %+v, %s", err, added, cmp.Diff(string(text), string(again)))
	}
}

func TestAddToNothing(t *testing.T) {
	entries := []exceptions.Entry{{Rule: "idle-role", Role: "a", Subject: "role", Reason: "r", Owner: "o", Expires: date("2027-03-01")}}
	const want = "version: 1\naccept:\n  - rule: idle-role\n    role: a\n    subject: role\n    reason: r\n    owner: o\n    expires: 2027-03-01\n"
	for _, text := range []string{"", "version: 1\n", "version: 1\naccept:\n", "version: 1\naccept: []\n", "{version: 1}", "{version: 1, accept: []}"} {
		got, _, err := exceptions.Add("audit.yaml", []byte(text), analyze.Rules(), entries, func(*exceptions.Entry) bool { return true })
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !strings.HasPrefix(text, "{") && string(got) != want {
			t.Errorf("%q becomes\n%s", text, got)
		}
	}
	if _, _, err := exceptions.Add("audit.yaml", []byte("accept: []\n"), analyze.Rules(), entries, nil); err == nil {
		t.Error("a file that cannot be read is written over")
	}
}

// FuzzParse: no text makes it panic, what it reads it can write, and what it wrote it
// reads the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", good, entry, "version: 1\n", "version: 1\naccept: [{}]\n", "{version: 1, accept: [&a [*a]]}", "? [a]\n: b\n", "version: 1\nseverity: {idle-role: info}\n"} {
		f.Add(text, "subject")
	}
	f.Fuzz(func(t *testing.T, text, subject string) {
		file, err := exceptions.Parse("f", []byte(text), analyze.Rules())
		if err != nil {
			return
		}
		for _, e := range file.Entries {
			if e.Rule == "" || e.Role == "" || e.Reason == "" || e.Owner == "" || e.Expires.IsZero() && e.Expires.Year() != 1 || (e.Subject == "") != e.AllSubjects {
				t.Errorf("read %+v", e)
			}
		}
		more := []exceptions.Entry{{Rule: "idle-role", Role: "fuzzed", Subject: subject, Reason: subject, Owner: "o", Expires: date("2027-03-01")}}
		out, added, err := exceptions.Add("f", []byte(text), analyze.Rules(), more, func(*exceptions.Entry) bool { return true })
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		again, err := exceptions.Parse("f", out, analyze.Rules())
		if err != nil {
			t.Fatal(err)
		}
		if want := len(file.Entries) + len(added.New); len(again.Entries) != want {
			t.Errorf("%d entries, want %d", len(again.Entries), want)
		}
		if d := cmp.Diff(file.Entries, again.Entries[:len(file.Entries)], cmpopts.IgnoreFields(exceptions.Entry{}, "Line")); d != "" {
			t.Errorf("(-before +after):\n%s", d)
		}
	})
}

// TestApplyMany: ten thousand exceptions against as many findings take no more than a
// moment, and each accepts its own.
func TestApplyMany(t *testing.T) {
	f := &exceptions.File{Name: "audit.yaml"}
	var findings []report.Finding
	for i := range 10_000 {
		x := finding("idle-role", fmt.Sprintf("team/role-%05d", i), "role", report.Low)
		role := x.Role
		if i%2 == 0 {
			role = fmt.Sprintf("role-%05d", i)
		}
		f.Entries = append(f.Entries, exceptions.Entry{Line: i + 1, Rule: "idle-role", Role: role, Subject: "role", Owner: fmt.Sprint(i), Expires: date("2027-01-01")})
		findings = append(findings, x)
	}
	out := f.Apply(findings, date("2026-11-19"), exceptions.Asked{Complete: true})
	for i := range findings {
		if a := findings[i].Accepted; a == nil || a.By != fmt.Sprint(i) || out.Entries[i].Findings != 1 {
			t.Fatalf("finding %d: %+v, %+v", i, a, out.Entries[i])
		}
	}
}
