package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sagemaker-role-audit/internal/analyze/report"
)

// checkReport errs on a report that does not fit its schema or whose counts do
// not add up.
func checkReport(text []byte) error {
	if err := checkSchema(text); err != nil {
		return err
	}
	var r report.Report
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return err
	}
	return checkSums(&r)
}

func checkSchema(text []byte) error { return fits(report.SchemaJSON, text) }

func checkDriftSchema(text []byte) error { return fits(report.DriftSchemaJSON, text) }

// fits errs on a document that its JSON Schema does not accept.
func fits(schemaJSON, text []byte) error {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", schema); err != nil {
		return err
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return compiled.Validate(document)
}

// checkSums holds the law that every granted action has exactly one verdict,
// for each role and in the summary, which sums over the roles.
func checkSums(r *report.Report) error {
	var (
		total      report.Counts
		jobs       int
		severities report.Severities
	)
	for i := range r.Roles {
		role := &r.Roles[i]
		c := role.Counts
		if sum := c.Used + c.Required + c.Blocked + c.Unused + c.Unobservable; sum != c.Granted || sum != role.Granted.Effective {
			return fmt.Errorf("%s: %d used + %d required + %d blocked + %d unused + %d unobservable = %d, counts.granted %d, granted.effective %d",
				role.ARN, c.Used, c.Required, c.Blocked, c.Unused, c.Unobservable, sum, c.Granted, role.Granted.Effective)
		}
		for what, unseen := range map[string]report.Unseen{"unused": role.Unused, "unobservable": role.Unobservable} {
			n := 0
			for _, s := range unseen.Services {
				n += s.Count
				if !s.All && s.Count <= report.MaxActions && len(s.Actions) != s.Count {
					return fmt.Errorf("%s: %s lists %d actions and counts %d", role.ARN, what, len(s.Actions), s.Count)
				}
			}
			if n != unseen.Count {
				return fmt.Errorf("%s: %s counts %d, its services %d", role.ARN, what, unseen.Count, n)
			}
		}
		if role.Unused.Count != c.Unused || role.Unobservable.Count != c.Unobservable {
			return fmt.Errorf("%s: %d unused and %d unobservable, counts say %d and %d",
				role.ARN, role.Unused.Count, role.Unobservable.Count, c.Unused, c.Unobservable)
		}
		type use struct {
			action  string
			verdict report.Verdict
		}
		seen := make(map[use]bool)
		for _, u := range role.Used {
			key := use{u.Action, u.Verdict}
			if seen[key] {
				return fmt.Errorf("%s: %s is %s twice", role.ARN, u.Action, u.Verdict)
			}
			seen[key] = true
		}
		total.Add(c)
		jobs += role.Jobs.Total
	}
	accepted := 0
	for _, f := range r.Findings {
		if f.Accepted != nil {
			accepted++
			continue
		}
		switch f.Severity {
		case report.Critical:
			severities.Critical++
		case report.High:
			severities.High++
		case report.Medium:
			severities.Medium++
		case report.Low:
			severities.Low++
		case report.Info:
			severities.Info++
		}
	}
	switch {
	case r.Summary.Counts != total:
		return fmt.Errorf("summary counts %+v, its roles %+v", r.Summary.Counts, total)
	case r.Summary.Roles != len(r.Roles):
		return fmt.Errorf("summary counts %d roles of %d", r.Summary.Roles, len(r.Roles))
	case r.Summary.Jobs != jobs:
		return fmt.Errorf("summary counts %d jobs, its roles %d", r.Summary.Jobs, jobs)
	case r.Summary.Accepted != accepted:
		return fmt.Errorf("summary counts %d findings accepted, there are %d", r.Summary.Accepted, accepted)
	case r.Summary.Findings != severities:
		return fmt.Errorf("summary counts findings %+v, there are %+v", r.Summary.Findings, severities)
	}
	return nil
}

// TestCheckReport breaks a good report in every way that checkReport looks for.
func TestCheckReport(t *testing.T) {
	text, _ := audit(t, exitOK, "report", "--from", snapshotFile(t), "-o", "json")
	breaks := map[string]func(r *report.Report){
		"+ 1 used":          func(r *report.Report) { r.Roles[0].Counts.Used++ },
		"granted.effective": func(r *report.Report) { r.Roles[0].Granted.Effective-- },
		"its services":      func(r *report.Report) { r.Roles[0].Unused.Count++ },
		"its roles":         func(r *report.Report) { r.Summary.Unused-- },
		"jobs":              func(r *report.Report) { r.Summary.Jobs++ },
		"findings":          func(r *report.Report) { r.Findings = r.Findings[1:] },
		"readiness":         func(r *report.Report) { r.Roles[0].Readiness = "splendid" },
	}
	for want, damage := range breaks {
		t.Run(want, func(t *testing.T) {
			var r report.Report
			if err := json.Unmarshal([]byte(text), &r); err != nil {
				t.Fatal(err)
			}
			damage(&r)
			broken, err := json.Marshal(&r)
			if err != nil {
				t.Fatal(err)
			}
			err = checkReport(broken)
			if err == nil {
				t.Fatal("a broken report passes")
			}
			if want != "+ 1 used" && !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not speak of %q", err, want)
			}
		})
	}
}
