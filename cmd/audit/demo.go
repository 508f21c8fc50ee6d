package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func newDemo(a *app) *cobra.Command {
	var (
		path   string
		usage  = usageSources{lookup: true}
		log    = logFlags{format: oneOf("text", "json")}
		layers layerFlags
		form   proposalFlags
		flags  reportFlags
		roles  selectors
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Audit a sample account, without AWS and without credentials",
		Long: `demo serves a made-up AWS account on this machine and audits it with the same
code, over the same protocols, as a real one. Its report is the same on every
machine: the account has its own date.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := form.check(); err != nil {
				return err
			}
			if err := flags.check(path); err != nil {
				return err
			}
			if err := usage.check(); err != nil {
				return err
			}
			given, err := layers.read()
			if err != nil {
				return err
			}
			s, err := a.sampleBy(cmd.Context(), &log, &usage)
			if err != nil {
				return err
			}
			if err := save(cmd.Context(), path, s); err != nil {
				return err
			}
			if err := a.report(cmd.Context(), &flags, nil, s, analyze.Options{Version: version, Proposal: form.options(), Given: given, Roles: roles}); err != nil {
				return err
			}
			if !log.quiet {
				fmt.Fprint(a.stderr, demoNote)
			}
			return nil
		},
	}
	cmd.Flags().Var(&usage, "usage", "as for audit run, repeatable: trail reads the log files of the sample account's trails")
	completeUsage(cmd)
	cmd.Flags().StringVar(&path, "save", "", "write the snapshot to this file, mode 0600 (.gz compresses)")
	cmd.Flags().BoolVarP(&log.quiet, "quiet", "q", false, "no progress, no advice")
	cmd.Flags().Var(&roles, "role", "report only these roles; repeatable")
	layers.register(cmd)
	form.register(cmd)
	flags.register(cmd)
	return cmd
}

const demoNote = `
That was a sample account. Your own, with the credentials that the AWS CLI uses (it only reads):
  audit run
audit permissions prints the IAM policy it needs; audit run --help has the rest.
`

// sample collects the sample account.
func (a *app) sample(ctx context.Context, log *logFlags) (*snapshot.Snapshot, error) {
	return a.sampleBy(ctx, log, &usageSources{lookup: true})
}

// sampleBy collects it from some sources of usage.
func (a *app) sampleBy(ctx context.Context, log *logFlags, usage *usageSources) (*snapshot.Snapshot, error) {
	account := awssim.Sample()
	url, stop, err := awssim.New(account).Start()
	if err != nil {
		return nil, fmt.Errorf("serve the sample account: %w", err)
	}
	defer stop()
	return a.collect(ctx, log, 0, collect.Options{
		EndpointURL:       url,
		StaticCredentials: true,
		Window:            eventHistory,
		JobsWindow:        400 * day,
		Usage:             usage.history(),
		Logs:              usage.logs,
		MaxDescribe:       200,
		Now:               func() time.Time { return account.Now },
	})
}
