package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/output"
)

// driftGate says which changes are a no, and whether evidence that lacks is one.
type driftGate struct {
	failOn          choice
	allowIncomplete bool
}

func newDrift(a *app) *cobra.Command {
	f := newExplainFlags("table")
	f.format = oneOf("table", "json", "summary")
	gate := driftGate{failOn: oneOf("none", "any", "widening")}
	cmd := &cobra.Command{
		Use:   "drift BASE [CURRENT]",
		Short: "Say what changed between two snapshots, and why",
		Long: `drift compares two snapshots of one account: what changed in its execution roles,
what brought it about, whether it widens what a role may do, and who did it, where
CloudTrail has the event. It compares by meaning: a policy that was only reordered
has not changed. What could not be compared is named, never passed over.

BASE and CURRENT are files that audit run --save wrote. Without CURRENT it reads
the account of your AWS credentials, as audit run does. Where nothing changed it
prints nothing and exits 0; -o json prints its object in any case.`,
		Example: `  audit drift monday.snapshot.gz friday.snapshot.gz
  audit drift approved.snapshot.gz --fail-on-change widening
  audit drift monday.snapshot.gz friday.snapshot.gz -o json`,
		Annotations: map[string]string{takesArguments: ""},
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 1, 2:
				return nil
			case 0:
				return usagef("BASE is missing: a file that audit run --save wrote; see %s --help", cmd.CommandPath())
			}
			return usagef("%s takes BASE and CURRENT, and %q is one too many", cmd.CommandPath(), args[2])
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.drift(cmd, &f, &gate, args) },
	}
	flags := cmd.Flags()
	flags.Var(&gate.failOn, "fail-on-change", "exit 3 with any change, or with one that widens or may widen")
	flags.BoolVar(&gate.allowIncomplete, "allow-incomplete", false, "exit 0 although some of it could not be compared")
	flags.VarP(&f.format, "output", "o", "table for people, json (docs/drift.md), or summary: one line")
	flags.Var(&f.width, "width", "columns of the table; 0: the terminal's, 100 without one")
	flags.Var(&f.color, "color", "colours in the table; auto: on a terminal, unless NO_COLOR is set")
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration")
	flags.Var(&f.regions, "region", "read only this region's jobs and usage; repeatable (default: every enabled region)")
	flags.Var(&f.window, "window", "how far back usage is read; Event history holds 90d")
	flags.Var(&f.usage, "usage", "where usage is read: lookup, trail, s3://bucket/prefix, dir:PATH or none; repeatable")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "send every request to this URL instead of AWS")
	flags.BoolVarP(&f.log.quiet, "quiet", "q", false, "no progress, no warnings")
	flags.BoolVarP(&f.log.verbose, "verbose", "v", false, "log every step")
	flags.Var(&f.log.format, "log-format", "format of the log on stderr")
	for name, c := range map[string]*choice{"fail-on-change": &gate.failOn, "output": &f.format, "color": &f.color, "log-format": &f.log.format} {
		completeChoices(cmd, name, c)
	}
	completeUsage(cmd)
	return cmd
}

func (a *app) drift(cmd *cobra.Command, f *explainFlags, gate *driftGate, args []string) error {
	if len(args) == 2 {
		for _, name := range accountFlags {
			if cmd.Flags().Changed(name) {
				return usagef("--%s is for reading an account, and with CURRENT none is read", name)
			}
		}
	}
	if err := f.check(a, cmd); err != nil {
		return err
	}
	base, err := snapshot.ReadFile(args[0])
	if err != nil {
		return err
	}
	current, name, err := a.compared(cmd.Context(), f, base, args[1:])
	if err != nil {
		return err
	}
	d, err := analyze.Drift(base, current, analyze.Options{Version: version})
	if err != nil {
		return err
	}
	d.Baseline.Name, d.Current.Name = filepath.Base(args[0]), name
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	r := &report.DriftReport{SchemaVersion: report.SchemaVersion, Account: report.Account{ID: base.Account.ID, Partition: base.Account.Partition}, Drift: *d}
	if err := a.print(cmd.Context(), f, func(w io.Writer, format output.Format, look output.Options) error {
		return output.WriteDrift(w, format, r, look)
	}); err != nil {
		return err
	}
	return gate.judge(d)
}

// compared is the snapshot to be held against the baseline: the file that is named, or
// the account as it is now, for the roles that the baseline asked for.
func (a *app) compared(ctx context.Context, f *explainFlags, base *snapshot.Snapshot, files []string) (*snapshot.Snapshot, string, error) {
	if len(files) > 0 {
		s, err := snapshot.ReadFile(files[0])
		return s, filepath.Base(files[0]), err
	}
	if base.Account.ID == "" {
		return nil, "", errors.New("the baseline does not say of which account it is: its caller could not be told")
	}
	s, err := a.live(ctx, f, base.Asked.Roles)
	return s, "", err
}

// judge errs with a verdict if the drift is not accepted as it is.
func (g *driftGate) judge(d *report.Drift) error {
	v := &verdict{}
	widening := d.Summary.Widens + d.Summary.Both + d.Summary.Unknown
	switch {
	case g.failOn.value == "any" && d.ChangesTotal > 0:
		v.no = fmt.Sprintf("changes: %d (--fail-on-change any)", d.ChangesTotal)
	case g.failOn.value == "widening" && widening > 0:
		v.no = fmt.Sprintf("changes that widen, or may: %d (--fail-on-change widening)", widening)
	}
	v.incomplete = !g.allowIncomplete && !d.Complete()
	if v.no == "" && !v.incomplete {
		return nil
	}
	return v
}
