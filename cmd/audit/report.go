package main

import (
	"context"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func newReport(a *app) *cobra.Command {
	var (
		from   string
		asOf   moment
		layers layerFlags
		form   proposalFlags
		flags  reportFlags
		with   compareFlags
		config configFlag
		roles  selectors
	)
	cmd := &cobra.Command{
		Use:   "report --from SNAPSHOT",
		Short: "Make the report of a saved snapshot again, offline",
		Example: `  audit report --from audit.snapshot.gz
  audit report --from audit.snapshot.gz -o json=audit.json --fail-on high
  audit report --from audit.snapshot.gz --role churn-training
  audit report --from friday.snapshot.gz --baseline monday.snapshot.gz --fail-on-change widening`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return usagef("--from is missing: a file that audit run --save wrote")
			}
			if err := form.check(); err != nil {
				return err
			}
			if err := with.check(cmd, &flags); err != nil {
				return err
			}
			if err := flags.check(""); err != nil {
				return err
			}
			if len(roles) > 0 && (with.baseline != "" || with.declared != "") {
				return usagef("--role: what changed or deviates is told of the whole account; leave --role or --baseline and --declared out")
			}
			accepted, err := config.read()
			if err != nil {
				return err
			}
			given, err := layers.read()
			if err != nil {
				return err
			}
			s, err := snapshot.ReadFile(from)
			if err != nil {
				return err
			}
			if !asOf.IsZero() {
				if asOf.Before(s.TakenAt) {
					return usagef("--as-of %s: the snapshot was taken at %s and knows what happened until then", asOf, moment{s.TakenAt})
				}
				s.TakenAt = asOf.Time
			}
			log := logFlags{format: oneOf("text", "json")}
			c, err := newComparer(&with, log.logger(a.stderr), a.now())
			if err != nil {
				return err
			}
			defer c.close()
			return a.report(cmd.Context(), &flags, c, s, analyze.Options{Version: version, Proposal: form.options(), Given: given, Exceptions: accepted, Roles: roles})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "snapshot, plain or gzip")
	cmd.Flags().Var(&asOf, "as-of", "the report's \"now\", at or after the snapshot's (default: the snapshot's)")
	cmd.Flags().Var(&roles, "role", "report only these roles; repeatable")
	layers.register(cmd)
	form.register(cmd)
	flags.register(cmd)
	with.register(cmd, &flags, false)
	config.register(cmd)
	return cmd
}

// report judges a snapshot, compares it where c is not nil, and delivers what comes out.
func (a *app) report(ctx context.Context, f *reportFlags, c *comparer, s *snapshot.Snapshot, o analyze.Options) error {
	r, err := analyze.Analyze(s, o)
	if err != nil {
		return ofFlag(err)
	}
	first := false
	if c != nil {
		if r.Drift, first, err = c.compare(s, o); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return a.deliver(ctx, f, r, first)
}
