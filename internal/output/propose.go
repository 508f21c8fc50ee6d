package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// Terraform is a format of proposals alone.
const Terraform Format = "terraform"

// RoleProposal takes the proposal of a role of r out of the report and puts the
// evidence of its statements beside them. The role must have a proposal.
func RoleProposal(r *report.Report, role *report.Role, form report.ProposalForm) (*report.RoleProposal, error) {
	p := role.Proposal
	allowed, err := allowedActions(p)
	if err != nil {
		return nil, fmt.Errorf("the proposal of %s: %w", role.ARN, err)
	}
	out := &report.RoleProposal{
		Basis:  report.Basis{SchemaVersion: r.SchemaVersion, Account: r.Account, GivenPolicies: r.GivenPolicies, GeneratedAt: r.GeneratedAt},
		Window: r.Window, JobsWindow: r.JobsWindow, Complete: r.Complete, Gaps: r.Gaps,
		Role: report.ProposalRole{ARN: role.ARN, ID: role.ID, Name: role.Name, Path: role.Path, Jobs: role.Jobs, Trust: role.Trust,
			Policies: role.Policies, Layers: role.Layers},
		Form: form, Readiness: role.Readiness, ReadinessWhy: role.ReadinessWhy, Status: p.Proof.Status, Proof: p.Proof,
		Before: p.Before, After: p.After, Policies: p.Policies, Statements: []report.ProposedStatement{}, Trust: p.Trust,
		Removed: p.Removed, RemovedTotal: p.RemovedTotal, Confirm: p.Confirm, Unobservable: role.Unobservable,
		Review: p.Review, Notes: p.Notes, Backtest: p.Backtest,
	}
	for _, st := range p.Statements {
		with := report.ProposedStatement{Statement: st, Evidence: []report.ActionEvidence{}}
		for _, action := range allowed[st.Sid] {
			with.Evidence = append(with.Evidence, actionEvidence(role, st.Area, action))
		}
		out.Statements = append(out.Statements, with)
	}
	return out, nil
}

// allowedActions are the actions that a proposal's statements allow, sorted, by Sid. A
// statement that was split keeps its Sid before the number of the part.
func allowedActions(p *report.Proposal) (map[string][]string, error) {
	out := map[string][]string{}
	for _, d := range p.Policies {
		doc, err := policy.Parse(d.Document)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", d.Name, err)
		}
		for _, st := range doc.Statements() {
			if st.Effect == policy.Allow && !st.NotAction {
				sid, _, _ := strings.Cut(st.Sid, "Part")
				out[sid] = append(out[sid], st.Actions...)
			}
		}
	}
	for sid := range out {
		slices.Sort(out[sid])
		out[sid] = slices.Compact(out[sid])
	}
	return out, nil
}

func actionEvidence(role *report.Role, area, action string) report.ActionEvidence {
	out := report.ActionEvidence{Action: action, Jobs: []report.Evidence{}, Events: []report.Evidence{}}
	add := func(list *[]report.Evidence, more []report.Evidence) {
		for _, e := range more {
			if len(*list) < report.MaxEvidence && !slices.Contains(*list, e) {
				*list = append(*list, e)
			}
		}
	}
	for _, q := range role.Required {
		if q.Action == action && q.Area == area {
			add(&out.Jobs, q.Evidence)
		}
	}
	for _, u := range role.Used {
		if u.Action == action && u.Verdict == report.VerdictUsed {
			add(&out.Events, u.Evidence)
		}
	}
	return out
}

// WriteProposal writes a proposal as JSON and copies it to w. Nothing is written unless
// the whole could be rendered; the error of w is returned.
func WriteProposal(w io.Writer, p *report.RoleProposal) error {
	var plain, buf bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(p); err != nil {
		return fmt.Errorf("render the proposal as %s: %w", JSON, err)
	}
	escapeJSON(&buf, plain.Bytes())
	_, err := buf.WriteTo(w)
	return err
}
