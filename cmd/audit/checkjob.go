package main

import (
	"cmp"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/output"
)

func newCheckJob(a *app) *cobra.Command {
	var (
		f      = newExplainFlags("table")
		q      analyze.JobQuestion
		strict bool
		edit   policyFiles
	)
	cmd := &cobra.Command{
		Use:   "check-job REQUEST.json | --job NAME",
		Short: "Say whether a training job would run under a role",
		Long: `check-job holds what a training job needs against a role: its policies, its
boundary, the policies above and beside them that were read, and its trust
policy. The job is a CreateTrainingJob request, as the AWS CLI and SDKs take it,
as DescribeTrainingJob answers it or as CloudTrail writes it (- reads the
standard input), or one of the snapshot (--job).

Without --role the job's own role is meant; --policy puts other documents in the
place of its identity policies. It exits 3 if the job would fail, and with
--strict also if that cannot be told. Nothing is created.`,
		Example: `  audit check-job request.json --role trainer --from audit.snapshot.gz
  audit check-job request.json --policy trainer.json --from audit.snapshot.gz
  audit check-job --job churn-20261028-0312 --from audit.snapshot.gz --policy trainer.json`,
		Annotations: map[string]string{takesArguments: ""},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 && q.Job == "" && !cmd.Flags().Changed("job"):
				return usagef("REQUEST.json or --job is missing; see %s --help", cmd.CommandPath())
			case len(args) > 1:
				return usagef("%s takes one request, and %q is one too many", cmd.CommandPath(), args[1])
			case len(args) == 1 && cmd.Flags().Changed("job"):
				return usagef("REQUEST.json and --job: one job is checked at a time")
			case len(args) == 1 && args[0] == "", len(args) == 0 && q.Job == "":
				return usagef("the job's name is empty")
			case len(args) == 1 && args[0] == stdinPath && slices.Contains(edit, stdinPath):
				return usagef("the request and --policy both read the standard input")
			case cmd.Flags().Changed("role") && q.Role == "":
				return usagef("--role is empty; leave it out for the job's own role")
			case cmd.Flags().Changed("in") && !regionName.MatchString(q.Region):
				return usagef("--in %s: not a region such as us-east-1", q.Region)
			}
			return a.checkJob(cmd, &f, q, args, edit, strict)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&q.Role, "role", "", "name, ARN or glob of the role; or its id (default: the job's own)")
	flags.StringVar(&q.Job, "job", "", "`name` of a training job of the snapshot, in place of a request")
	flags.StringVar(&q.Region, "in", "", "`region` that the request is sent to, or that --job ran in (default: told by the job, or its image)")
	edit.register(cmd, "a policy `file` in the place of the role's identity policies, - for the standard input; repeatable")
	flags.BoolVar(&strict, "strict", false, "exit 3 also if it cannot be told whether the job runs")
	f.register(cmd, "docs/verify.md")
	return cmd
}

func (a *app) checkJob(cmd *cobra.Command, f *explainFlags, q analyze.JobQuestion, args []string, edit policyFiles, strict bool) error {
	if err := f.check(a, cmd); err != nil {
		return err
	}
	if len(args) == 1 {
		text, _, err := readInput(args[0], a.stdin)
		if err != nil {
			return usageError{err}
		}
		if q.Request, err = analyze.ParseJobRequest(text); err != nil {
			return usagef("%s, %w", args[0], err)
		}
	}
	var err error
	if q.Policies, err = edit.read(a.stdin); err != nil {
		return err
	}
	given, err := f.layers.read()
	if err != nil {
		return err
	}
	role := q.Role
	if role == "" && q.Request != nil {
		if role = q.Request.RoleARN(); role == "" {
			return usagef("--role is missing, and the request has no RoleArn")
		}
	}
	s, err := a.asked(cmd.Context(), f, role)
	if err != nil {
		return err
	}
	c, err := analyze.CheckJob(s, analyze.Options{Version: version, Given: given}, q)
	if err := cmp.Or(ofFlag(err), cmd.Context().Err()); err != nil {
		return err
	}
	if err := a.print(cmd.Context(), f, func(w io.Writer, format output.Format, look output.Options) error {
		return output.WriteJobCheck(w, format, c, look)
	}); err != nil {
		return err
	}
	switch {
	case c.Answer == report.JobFails:
		return &verdict{no: "the job would fail: " + c.Why}
	case c.Answer == report.JobUnsure && strict:
		return &verdict{no: "it cannot be told whether the job runs (--strict): " + c.Why}
	}
	return nil
}
