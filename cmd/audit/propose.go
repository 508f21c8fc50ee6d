package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/output"
)

// proposeFlags are the flags of audit propose. Whom it asks, it has from audit explain.
type proposeFlags struct {
	explainFlags
	role            string
	documents       proposalDocuments
	allowIncomplete bool
}

func newPropose(a *app) *cobra.Command {
	f := proposeFlags{
		explainFlags: explainFlags{runFlags: runFlags{
			window: span(90 * day), jobsWindow: span(400 * day), usage: usageSources{lookup: true},
			lookupRate: 2, maxDescribe: 200, log: logFlags{format: oneOf("text", "json")},
		}},
		documents: proposalDocuments{documents{list: []document{{output.JSON, stdoutPath}}}},
	}
	cmd := &cobra.Command{
		Use:   "propose --role ROLE",
		Short: "Print the smallest policy that a role still works with, and its proof",
		Long: `propose prints the policy that one role would do with, as JSON with the evidence of
every statement (docs/propose.md), or as a Terraform module for a new role.

It asks a saved snapshot (--from), the sample account (--demo), or the account of
your AWS credentials, as audit run does. Nothing is written to AWS.`,
		Example: `  audit propose --demo --role churn-training
  audit propose --from audit.snapshot.gz --role trainer -o json=trainer.json -o terraform=trainer/
  audit propose --role 'arn:aws:iam::123456789012:role/ml/trainer' --granularity bucket`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.propose(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", "", "the role: its `name`, its ARN or a glob of one that fits one role alone")
	flags.StringVar(&f.from, "from", "", "ask this snapshot, plain or gzip (audit run --save wrote it)")
	flags.BoolVar(&f.demo, "demo", false, "ask the sample account of audit demo")
	flags.VarP(&f.documents, "output", "o", "json, on stdout or =FILE (.gz compresses); or terraform, all files on stdout\nor into =DIR, where nothing is written over; repeatable")
	flags.BoolVar(&f.allowIncomplete, "allow-incomplete", false, "exit 0 although something could not be read")
	f.proposal.register(cmd)
	f.layers.register(cmd)
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration")
	flags.Var(&f.regions, "region", "read only this region's jobs and usage; repeatable (default: every enabled region)")
	flags.Var(&f.window, "window", "how far back usage is read; Event history holds 90d")
	flags.Var(&f.jobsWindow, "jobs-window", "how far back training jobs are read")
	flags.Var(&f.usage, "usage", "where usage is read: lookup, trail, s3://bucket/prefix, dir:PATH or none; repeatable (see audit run --help)")
	flags.Var(&f.lookupRate, "lookup-rate", "LookupEvents calls per second and region; above 2 only with an endpoint override")
	flags.Var(&f.maxDescribe, "max-describe", "DescribeTrainingJob calls per region, for what Search does not show")
	flags.BoolVar(&f.manifests, "read-manifests", false, "also read the manifests of input channels, which alone name their data (s3:GetObject)")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "send every request to this URL instead of AWS")
	flags.BoolVarP(&f.log.quiet, "quiet", "q", false, "no progress, no warnings, no advice")
	flags.BoolVarP(&f.log.verbose, "verbose", "v", false, "log every step")
	flags.Var(&f.log.format, "log-format", "format of the log on stderr")
	completeUsage(cmd)
	completeChoices(cmd, "log-format", &f.log.format)
	completeWords(cmd, "output", []string{"json", "terraform", "json=", "terraform="})
	return cmd
}

// proposalDocuments collects -o json[=FILE] and -o terraform[=DIR].
type proposalDocuments struct{ documents }

func (d *proposalDocuments) Set(text string) error {
	name, path, toFile := strings.Cut(text, "=")
	doc := document{output.Format(name), stdoutPath}
	if doc.format != output.JSON && doc.format != output.Terraform {
		return fmt.Errorf("unknown format %q: want %s or %s", name, output.JSON, output.Terraform)
	}
	return d.add(doc, text, path, toFile)
}

func (*proposalDocuments) Type() string { return "format[=path]" }

// check errs on flags that make no sense, before anything is read.
func (f *proposeFlags) check(a *app, cmd *cobra.Command) error {
	if f.role == "" {
		return usagef("--role is missing: the role to propose for, by name, ARN or a glob of one")
	}
	if err := snapshot.CheckSelector(f.role); err != nil {
		return usagef("--role: %w", err)
	}
	if err := f.explainFlags.check(a, cmd); err != nil {
		return err
	}
	if f.from != "" || f.demo {
		for _, name := range []string{"jobs-window", "lookup-rate", "max-describe", "read-manifests"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s is for reading an account, and here none is read", name)
			}
		}
	}
	paths := map[string]bool{}
	for _, d := range f.documents.list {
		path := d.path
		if toStdout(path) {
			path = stdoutPath
		}
		switch {
		case paths[path] && path == stdoutPath:
			return usagef("-o: two documents on the standard output; give one a path, as -o json=FILE or -o terraform=DIR")
		case paths[path]:
			return usagef("-o: %s is written twice", path)
		}
		paths[path] = true
		check := checkWritable
		if d.format == output.Terraform {
			check = checkTree
		}
		if path != stdoutPath {
			if err := check(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// propose prints the proposal of one role.
func (a *app) propose(cmd *cobra.Command, f *proposeFlags) error {
	if err := f.check(a, cmd); err != nil {
		return err
	}
	given, err := f.layers.read()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	s, err := a.asked(ctx, &f.explainFlags, f.role)
	if err != nil {
		return err
	}
	only, err := proposable(analyze.Roles(s), f.role)
	if err != nil {
		return err
	}
	r, err := analyze.Analyze(s, analyze.Options{Version: version, Proposal: f.proposal.options(), Given: given, Only: only})
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	role, err := proposed(r)
	if err != nil {
		return err
	}
	p, err := output.RoleProposal(r, role, f.proposal.form())
	if err != nil {
		return err
	}
	if err := a.deliverProposal(cmd, f, p); err != nil {
		return err
	}
	if !p.Complete && !f.allowIncomplete {
		return &verdict{incomplete: true}
	}
	return nil
}

// proposable is the one role that exists and fits the selector.
func proposable(roles []report.ExplainedRole, selector string) (snapshot.RoleKey, error) {
	var found, gone []report.ExplainedRole
	var names []string
	for _, role := range roles {
		fits := role.ID == selector || snapshot.MatchRole(selector, role.ARN)
		switch {
		case !role.Exists:
			if fits {
				gone = append(gone, role)
			}
			continue
		case fits:
			found = append(found, role)
		}
		names = append(names, role.Name)
	}
	arns := func(roles []report.ExplainedRole) string {
		var list []string
		for _, role := range roles {
			list = append(list, role.ARN)
		}
		return someOf(list)
	}
	slices.Sort(names)
	switch {
	case len(found) > 1:
		return snapshot.RoleKey{}, usagef("--role: %q fits %d roles, and a proposal is for one: %s", selector, len(found), arns(found))
	case len(found) == 0 && len(gone) > 0:
		return snapshot.RoleKey{}, usagef("--role: IAM does not have %s any more: there is nothing to propose for", arns(gone))
	case len(found) == 0 && len(names) == 0:
		return snapshot.RoleKey{}, usagef("--role: no role %q: the account has no execution role", selector)
	case len(found) == 0:
		return snapshot.RoleKey{}, usagef("--role: no execution role fits %q; there are %s", selector, someOf(names))
	}
	return snapshot.RoleKey{ARN: found[0].ARN, ID: found[0].ID}, nil
}

// proposed is the one role of a report, which has a proposal.
func proposed(r *report.Report) (*report.Role, error) {
	role := &r.Roles[0]
	if role.Proposal == nil {
		return nil, fmt.Errorf("%s has no proposal: %s", role.ARN, strings.Join(role.ReadinessWhy, " "))
	}
	return role, nil
}

// someOf lists names, the first of many.
func someOf(names []string) string {
	const most = 12
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// deliverProposal writes the documents wherever they go, once all of them could be
// made; what stands in files first.
func (a *app) deliverProposal(cmd *cobra.Command, f *proposeFlags, p *report.RoleProposal) error {
	ctx := cmd.Context()
	var doc bytes.Buffer
	if err := output.WriteProposal(&doc, p); err != nil {
		return err
	}
	isTerraform := func(d document) bool { return d.format == output.Terraform }
	var tree []output.File
	if slices.ContainsFunc(f.documents.list, isTerraform) {
		var err error
		if tree, err = output.TerraformFiles(p); err != nil {
			return err
		}
	}
	for _, d := range f.documents.list {
		var err error
		switch {
		case toStdout(d.path):
			continue
		case isTerraform(d):
			err = writeTree(ctx, d.path, tree)
		default:
			err = writeFile(ctx, d.path, documentMode, func(w io.Writer) error { _, err := w.Write(doc.Bytes()); return err })
		}
		if err != nil {
			return err
		}
	}
	for _, d := range f.documents.list {
		var err error
		switch {
		case !toStdout(d.path):
			continue
		case isTerraform(d):
			err = output.WriteFiles(contextWriter{ctx, a.stdout}, tree)
		default:
			_, err = contextWriter{ctx, a.stdout}.Write(doc.Bytes())
		}
		if err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if tree != nil && !f.log.quiet {
		fmt.Fprintf(cleanWriter{a.stderr}, newRoleNote, output.NewRoleName(p), p.Role.Name, p.Status, p.Readiness)
	}
	return nil
}

const newRoleNote = `
The Terraform is for a NEW role, %s, beside %s:
adopting an existing role in Terraform comes later. Proof: %s. Readiness: %s.
`
