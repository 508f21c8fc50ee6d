package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// verification has one of everything.
func verification() *report.Verification {
	use := func(action string, onRecord bool) report.VerifiedUse {
		return report.VerifiedUse{Action: action, Resource: "arn:aws:s3:::fraud-models/a-prefix-of-some-length/*", Area: "s3-read", Used: true, Strength: "completed", IfMissing: "fails",
			Because: "no statement of the given policies speaks of it", Example: "s3:GetObject on arn:aws:s3:::fraud-models/x", OnRecord: onRecord, Rests: "InputDataConfig[train] of 9 jobs",
			Jobs:      []report.BrokenJob{{Job: "job-1", Region: "us-east-1", Status: "Completed", CreatedAt: at("2026-10-30 10:00"), Field: "InputDataConfig[train]", Resource: "arn:aws:s3:::fraud-models/x/*"}},
			JobsTotal: 9, Calls: []report.BrokenCall{{EventID: "e1", EventName: "GetObject", Region: "us-east-1", Resource: "arn:aws:s3:::fraud-models/x", Count: 3, Last: at("2026-10-30 10:00"), By: "training"}},
			CallsTotal: 5, Note: "the bucket policy allows it by itself"}
	}
	return &report.Verification{Basis: sampleBasis(),
		Window: report.Window{From: at("2026-08-02 10:00"), To: at("2026-10-31 10:00")}, JobsWindow: report.Window{From: at("2025-09-26 10:00"), To: at("2026-10-31 10:00")},
		Role: report.ExplainedRole{ARN: trainer, ID: "AROA", Name: "trainer", Exists: true}, Policies: []report.EditedPolicy{{Name: "trainer.json", SHA256: "aa", Statements: 2, Characters: 310}},
		Answer: report.VerifyFails, Why: "the given policies break 2 held uses and needs", Checked: report.Replayed{Held: 4, Calls: 1, Jobs: 9, Needs: 90},
		Broken: []report.VerifiedUse{use("s3:GetObject", true), use("s3:GetObject", false)}, BrokenTotal: 40, Unsure: []report.VerifiedUse{use("s3:PutObject", true)}, UnsureTotal: 1,
		Widens: []report.Widening{{Kind: report.WidensAction, Certain: true, Policy: "trainer.json", Index: 1, Sid: "More", Action: "sqs:*", Resource: "*", Because: "it is not granted", Example: "sqs:SendMessage on *"},
			{Kind: report.WidensDeny, Certain: true, Policy: "old", Action: "s3:Delete*", Resource: "*", Because: "a Deny is gone", Example: "s3:DeleteObject on *"},
			{Kind: report.WidensTogether, Because: "it could not be decided"}}, WidensTotal: 3,
		Excess: report.Excess{Actions: 4, GrantsTotal: 30, Grants: []report.ExcessGrant{{Kind: report.ExcessUnneeded, Policy: "trainer.json", Entry: "sqs:*", Resource: "*", Count: 20, Actions: []string{"sqs:A", "sqs:B"}, Unobservable: 2, Needed: []string{}},
			{Kind: report.ExcessWider, Policy: "trainer.json", Entry: "s3:GetObject", Resource: "*", Count: 1, Actions: []string{"s3:GetObject"}, Needed: []string{"arn:aws:s3:::a/*"}}}},
		Review:   []report.ReviewedUse{{Action: "iam:PassRole", Resource: "*", Count: 2, Last: at("2026-10-30 10:00"), Kept: true}, {Action: "iam:PutRolePolicy", Resource: "*", Count: 1, Last: at("2026-10-30 10:00")}},
		Warnings: []string{"trainer.json is too long."}, Limits: []string{"Other users were not read."}}
}

// jobCheck has one of everything.
func jobCheck() *report.JobCheck {
	need := func(action, state, effect string, optional bool) report.NeedCheck {
		return report.NeedCheck{Action: action, Resource: "arn:aws:s3:::fraud-models/x/*", Area: "s3-read", Fields: []string{"InputDataConfig[train]"}, Confidence: "doc", IfMissing: "fails", Optional: optional,
			State: state, Effect: effect, Layer: "boundary", Layers: report.CellLayers{Identity: "yes", Boundary: "no", SCP: "notRead", RCP: "notRead", Resource: "none"}, Why: "the boundary does not", ToAllow: []string{"The boundary would have to."}}
	}
	return &report.JobCheck{Basis: sampleBasis(),
		Role: report.ExplainedRole{ARN: trainer, ID: "AROA", Name: "trainer", Exists: true}, Policies: []report.EditedPolicy{{Name: "trainer.json", SHA256: "aa", Statements: 1, Characters: 99}},
		Job:    report.CheckedJob{Name: "fraud-1", Region: "us-east-1", RegionFrom: "the job itself", Source: "snapshot", Status: "Failed"},
		Answer: report.JobUnsure, Why: "of s3:GetObject it is not known", Trust: report.TrustCheck{Assume: "yes", SourceIdentity: "no", Why: "its trust policy lets SageMaker assume it"},
		Needs: []report.NeedCheck{need("s3:A", report.NeedRefused, report.EffectFails, false), need("s3:B", report.NeedConditional, report.EffectUnsure, false), need("s3:C", report.NeedPartly, report.EffectDegrades, false),
			need("s3:D", report.NeedRefused, report.EffectWithout, true), need("s3:E", report.NeedGranted, report.EffectNone, false)},
		Unresolved: []report.UnresolvedNeed{{Field: "InputDataConfig[m]", What: "the manifest was not read"}}, NotRead: []string{"its permissions boundary"}, Notes: []string{"a note"}}
}

var small = map[string]struct {
	make  func() any
	write func(any, Format, Options) (string, error)
}{
	"verification": {func() any { return verification() }, func(v any, f Format, o Options) (string, error) {
		var b bytes.Buffer
		err := WriteVerification(&b, f, v.(*report.Verification), o)
		return b.String(), err
	}},
	"check": {func() any { return jobCheck() }, func(v any, f Format, o Options) (string, error) {
		var b bytes.Buffer
		err := WriteJobCheck(&b, f, v.(*report.JobCheck), o)
		return b.String(), err
	}},
	"drift": {func() any { return drift() }, func(v any, f Format, o Options) (string, error) {
		var b bytes.Buffer
		err := WriteDrift(&b, f, v.(*report.DriftReport), o)
		return b.String(), err
	}},
}

// TestSmallDocuments: no line is wider than the page, hostile text is harmless, and the
// JSON tells the same object.
func TestSmallDocuments(t *testing.T) {
	for name, d := range small {
		for _, width := range []int{0, 80, 81, 100, 140, 200} {
			out, err := d.write(d.make(), Table, Options{Width: width})
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(out, "\n") {
				if columns(line) > max(width, MinWidth) || strings.TrimRight(line, " ") != line {
					t.Errorf("%s at %d: line %d is %d wide: %q", name, width, i+1, columns(line), line)
				}
			}
			bad := d.make()
			poison(reflect.ValueOf(bad).Elem())
			if out, err = d.write(bad, Table, Options{Width: width}); err != nil {
				t.Fatal(err)
			}
			assertHarmless(t, out)
		}
		v := d.make()
		out, err := d.write(v, JSON, Options{})
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		if err := json.Unmarshal([]byte(out), back); err != nil || !reflect.DeepEqual(back, v) {
			t.Errorf("%s: the JSON tells something else (%v): %s", name, err, out)
		}
		bad := d.make()
		poison(reflect.ValueOf(bad).Elem())
		if out, err = d.write(bad, JSON, Options{}); err != nil {
			t.Fatal(err)
		}
		assertHarmless(t, strings.ReplaceAll(out, `\ufffd`, ""))
		if colored, _ := d.write(d.make(), Table, Options{Color: true}); !strings.Contains(colored, "\x1b[") {
			t.Errorf("%s: no colour", name)
		}
	}
	if err := WriteVerification(&fullDisk{}, Table, verification(), Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if err := WriteJobCheck(&fullDisk{}, JSON, jobCheck(), Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if err := WriteDrift(&fullDisk{}, Table, drift(), Options{}); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
}

func TestSmallDocumentsSayItAll(t *testing.T) {
	for name, words := range map[string][]string{
		"verification": {"Would trainer.json do for trainer ?", "NO the given policies break", "Warning - trainer.json is too long.", "It breaks s3:GetObject on arn:aws:s3:::fraud-models/a-prefix",
			"no statement of the given policies speaks of it for example s3:GetObject on", "(the bucket policy allows it by itself)", "rests on InputDataConfig[train] of 9 jobs; a job fails without it",
			"job job-1 of 2026-10-30 (Completed): InputDataConfig[train] asks for arn:aws:s3:::fraud-models/x/*", "and 8 more jobs", "call GetObject in us-east-1, event e1 of 2026-10-30, the last of 3: arn:aws:s3:::fraud-models/x", "and 2 more calls",
			"no job or call on record is concerned", "Of these it cannot be told s3:PutObject", "sqs:* on * (trainer.json, statement 2 (More)) it is not granted newly allowed, for example: sqs:SendMessage on *",
			"Deny s3:Delete* on * (old, statement 1 of today) a Deny is gone no longer denied, for example: s3:DeleteObject on *", "perhaps: the statements together", "4 actions that nothing needs",
			"20 actions of it (sqs:A, sqs:B and 18 more) neither needed nor seen; calls of 2 of them no source would have shown", "s3:GetObject on * (trainer.json, statement 1) needed on less: arn:aws:s3:::a/*",
			"iam:PassRole on *: used 2 times, last on 2026-10-30; allowed by the given policies", "iam:PutRolePolicy on *: used 1 time, last on 2026-10-30; not allowed", "- Other users were not read.",
			"4 held uses and needs; 1 kind of call on record; 90 needs of 9 jobs", "NOT complete", "SCP level 1: 01-workloads/regions.json", "trainer.json: 2 statements, 310 characters"},
		"check": {"Would training job fraud-1 run as trainer, under trainer.json ?", "CANNOT TELL because of s3:GetObject", "On record this job: Failed", "It fails because this is not granted s3:A on arn:aws:s3:::fraud-models/x/*",
			"refused by the permissions boundary: the boundary does not", "asked for by InputDataConfig[train]", "a job fails without it (AWS documents the need)", "- The boundary would have to.", "Of these it cannot be told s3:B",
			"It runs without these, and loses something s3:C", "It does without these, as far as is known s3:D on", "optional", "What its configuration does not tell InputDataConfig[m]: the manifest was not read",
			"Granted s3-read s3:E on", "Not read, and able to refuse - its permissions boundary", "Notes - a note", "Trust its trust policy lets SageMaker assume it", "Region us-east-1 (the job itself)"},
	} {
		out, err := small[name].write(small[name].make(), Table, Options{Width: 140})
		if err != nil {
			t.Fatal(err)
		}
		flat := strings.Join(strings.Fields(out), " ")
		for _, want := range words {
			if !strings.Contains(flat, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
}
