package output

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// drift has one of everything.
func drift() *report.DriftReport {
	side := func(name, taken string, complete bool) report.Evidenced {
		return report.Evidenced{Name: name, TakenAt: at(taken), Complete: complete, Catalog: "c1",
			Window: report.Window{From: at("2026-08-02 10:00"), To: at("2026-10-31 10:00")}, JobsWindow: report.Window{From: at("2025-09-26 10:00"), To: at("2026-10-31 10:00")}}
	}
	base := side("monday.gz", "2026-10-30 10:00", false)
	newly := report.Newly{Actions: 729, Broader: 9, Riskiest: []report.RiskyGrant{{Action: "iam:PassRole", Resource: "*", Why: "escalation"}, {Action: "s3:GetObject", Resource: "arn:aws:s3:::a/*", Why: "data"}}, Principals: []string{}}
	none := report.Newly{Riskiest: []report.RiskyGrant{}, Principals: []string{}}
	d := &report.DriftReport{SchemaVersion: 1, Account: report.Account{ID: account, Partition: "aws"}, Drift: report.Drift{
		Baseline: &base, Current: side("friday.gz", "2026-10-31 10:00", true),
		Changes: []report.Change{
			{ID: "1", Role: trainer, RoleID: "AROA", Kind: report.PolicyAttached, Severity: report.Critical, Subject: "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", SubjectKind: report.SubjectPolicy,
				Title: "Policy AmazonSageMakerFullAccess was attached to role trainer", After: "AmazonSageMakerFullAccess v29, 44 statements", Cause: "AttachRolePolicy by admin/ana",
				Effect: report.Widens, EffectWhy: "allows iam:PassRole on *", RoleEffect: report.NoEffect, Newly: newly, NoLonger: none,
				By: &report.ChangeBy{Principal: "arn:aws:iam::" + account + ":role/admin/ana", EventName: "AttachRolePolicy", EventID: "e-1", At: at("2026-10-30 20:00"), Others: 2}, Roles: []string{}},
			{ID: "2", Kind: report.AWSPolicyUpdated, Severity: report.Medium, Subject: "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", SubjectKind: report.SubjectPolicy, Title: "AWS moved AmazonSageMakerFullAccess from v28 to v29",
				Before: "v28, 43 statements", After: "v29, 44 statements", Cause: "AWS published v29 on 2026-10-30; nobody in the account did anything", Effect: report.Both, EffectWhy: "allows a; no longer allows b",
				Newly: newly, NoLonger: newly, Roles: []string{trainer, trainer + "-2", trainer + "-3"}, RolesTotal: 70},
			{ID: "3", Role: trainer, RoleID: "AROA", Kind: report.TrustNarrowed, Severity: report.Info, Subject: "trust policy", SubjectKind: report.SubjectTrust, Title: "The trust policy of role trainer was narrowed",
				Before: "trusts SageMaker (no guard), AWS:arn:aws:iam::999988887777:root", After: "trusts SageMaker (no guard)", Cause: "No UpdateAssumeRolePolicy event tells who did it", Effect: report.Narrows,
				Newly: none, NoLonger: report.Newly{Principals: []string{"AWS:arn:aws:iam::999988887777:root"}, PrincipalsTotal: 1, Riskiest: []report.RiskyGrant{}}, Roles: []string{}},
			{ID: "4", Role: trainer, RoleID: "AROA", Kind: report.PersonAssumed, Severity: report.Medium, Subject: "bob", SubjectKind: report.SubjectPerson, Title: "bob acted as role trainer, and did not in the baseline's window",
				After: "2026-10-30 20:00Z", Cause: "AssumeRole by bob", Effect: report.NoEffect, Newly: none, NoLonger: none, Roles: []string{}},
		}, ChangesTotal: 90,
		Tool:    []report.ToolChange{{Kind: report.ToolCatalog, Before: "c1", After: "c2", Detail: "Both are compared by this program's."}},
		Unknown: []report.Uncompared{{Role: trainer, RoleID: "AROA", What: "its inline policies", Kinds: []report.ChangeKind{report.PolicyEdited}, Impact: "roles", Side: report.SideCurrent, Why: "iam:GetRolePolicy: refused"}}, UnknownTotal: 1,
		Deviations: []report.Deviation{{ID: "5", Role: trainer, RoleID: "AROA", Source: "terraform-state", File: "terraform.tfstate", Kind: "policy-undeclared", Severity: report.High, Subject: "inline policy x",
			Title: "Inline policy x of role trainer is not declared", Detail: "no resource declares it", Live: "1 statement", Effect: report.Widens, EffectWhy: "allows sqs:SendMessage on *", Newly: newly}}, DeviationsTotal: 1,
	}}
	for i := range d.Drift.Changes {
		d.Drift.Summary.Add(&d.Drift.Changes[i])
	}
	return d
}

func drawn(t *testing.T, f Format, d *report.DriftReport, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteDrift(&b, f, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDriftGolden(t *testing.T) {
	golden(t, "drift.json", drawn(t, JSON, drift(), Options{}))
	for _, width := range []int{80, 120} {
		golden(t, fmt.Sprintf("drift.%d.txt", width), drawn(t, Table, drift(), Options{Width: width}))
	}
	back := drift()
	back.Drift.Current.TakenAt = at("2026-10-01 10:00")
	if s := drawn(t, Table, back, Options{Width: 140}); !strings.Contains(s, "reads backwards") {
		t.Errorf("it does not say that it reads backwards:\n%s", s)
	}
}

// Nothing changed: not a byte for people, an object for programs.
func TestDriftOfNothing(t *testing.T) {
	d := drift()
	d.Drift = report.Drift{Baseline: d.Drift.Baseline, Current: d.Drift.Current}
	if s := drawn(t, Table, d, Options{}); s != "" {
		t.Errorf("%q", s)
	}
	if s := drawn(t, JSON, d, Options{}); !strings.HasPrefix(s, "{") {
		t.Errorf("%q", s)
	}
	for name, some := range map[string]report.Drift{
		"a change": {ChangesTotal: 1}, "a deviation": {DeviationsTotal: 1}, "not compared": {UnknownTotal: 1}, "the tool": {Tool: drift().Drift.Tool},
	} {
		some.Baseline = d.Drift.Baseline
		if s := drawn(t, Table, &report.DriftReport{Drift: some}, Options{}); s == "" {
			t.Errorf("%s: nothing is written", name)
		}
	}
}

// A report has its drift beside its excess, and says nothing of it without a baseline.
func TestDriftWithinReport(t *testing.T) {
	r := sample()
	plain := render(t, Table, r, Options{})
	r.Drift = &drift().Drift
	with := render(t, Table, r, Options{})
	if strings.Contains(plain, "DRIFT") || !strings.Contains(with, "\nDRIFT\n") {
		t.Error("the heading is there without a drift, or not with one")
	}
	for _, words := range []string{"Excess ", "Baseline ", "AttachRolePolicy by admin/ana", "Otherwise than declared", "Not compared", "Of the tool"} {
		if !strings.Contains(with, words) {
			t.Errorf("it lacks %q", words)
		}
	}
	r.Drift = &report.Drift{Deviations: drift().Drift.Deviations, DeviationsTotal: 1}
	if s := render(t, Table, r, Options{}); strings.Contains(s, "  Baseline") || !strings.Contains(s, "Otherwise than declared") {
		t.Error("deviations alone")
	}
}
