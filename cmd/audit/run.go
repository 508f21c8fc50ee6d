package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// runFlags are the flags of audit run.
type runFlags struct {
	regions     regions
	roles       selectors
	window      span
	jobsWindow  span
	usage       usageSources
	lookupRate  rate
	maxDescribe count
	manifests   bool
	asOf        moment
	timeout     span
	profile     string
	endpoint    string
	save        string
	log         logFlags
	layers      layerFlags
	proposal    proposalFlags
	report      reportFlags
	compare     compareFlags
	config      configFlag
}

func newRun(a *app) *cobra.Command {
	f := runFlags{
		window:      span(90 * day),
		jobsWindow:  span(400 * day),
		usage:       usageSources{lookup: true},
		lookupRate:  2,
		maxDescribe: 200,
		log:         logFlags{format: oneOf("text", "json")},
	}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Audit the account of your AWS credentials",
		Long: `run reads the account that your AWS credentials belong to and prints the audit.
Credentials, profiles, SSO, AWS_REGION and AWS_ENDPOINT_URL work as in the AWS
CLI. It only reads; audit permissions prints the IAM policy it needs.

--usage says where the calls of the roles are read, and may be repeated:
  lookup             CloudTrail Event history: management events of 90 days (the default)
  trail              the log files of the account's own trails, in their buckets
  s3://bucket/prefix the log files under this prefix, as of an organization's bucket
  dir:PATH           the log files in a folder, copied from such a bucket
  none               nowhere
Log files hold what their trail records: data events, such as reads and writes of
S3 objects, and more than 90 days. Given with lookup, Event history is asked only
for the management events that the log files do not tell.`,
		Example: `  audit run
  audit run --profile prod --region eu-west-1 --role 'ml-*'
  audit run --usage trail --usage lookup
  audit run -o table -o json=audit.json --save audit.snapshot.gz --fail-on high
  audit run --history /var/lib/audit --only-changes --fail-on-change widening`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.compare.check(cmd, &f.report); err != nil {
				return err
			}
			return a.run(cmd.Context(), &f)
		},
	}
	flags := cmd.Flags()
	flags.Var(&f.regions, "region", "read only this region's jobs and usage; repeatable (default: every enabled region)")
	flags.Var(&f.roles, "role", "audit only these roles; repeatable")
	flags.Var(&f.window, "window", "how far back usage is read; Event history holds 90d, log files what the bucket kept")
	flags.Var(&f.jobsWindow, "jobs-window", "how far back training jobs are read")
	flags.Var(&f.usage, "usage", "where usage is read: lookup, trail, s3://bucket/prefix, dir:PATH or none; repeatable")
	flags.Var(&f.lookupRate, "lookup-rate", "LookupEvents calls per second and region; above 2 only with an endpoint override")
	flags.Var(&f.maxDescribe, "max-describe", "DescribeTrainingJob calls per region, for what Search does not show")
	flags.BoolVar(&f.manifests, "read-manifests", false, "also read the manifests of input channels, which alone name their data (s3:GetObject)")
	flags.Var(&f.asOf, "as-of", "the audit's \"now\": RFC 3339 or a date (default: now)")
	flags.Var(&f.timeout, "timeout", "stop reading after this time; what is missing then is a gap (0: never)")
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "send every request to this URL instead of AWS")
	flags.StringVar(&f.save, "save", "", "write the snapshot to this file, mode 0600 (.gz compresses)")
	flags.BoolVarP(&f.log.quiet, "quiet", "q", false, "no progress, no warnings")
	flags.BoolVarP(&f.log.verbose, "verbose", "v", false, "log every step")
	flags.Var(&f.log.format, "log-format", "format of the log on stderr")
	f.layers.register(cmd)
	f.proposal.register(cmd)
	f.report.register(cmd)
	f.compare.register(cmd, &f.report, true)
	f.config.register(cmd)
	completeUsage(cmd)
	completeChoices(cmd, "log-format", &f.log.format)
	return cmd
}

func (a *app) run(ctx context.Context, f *runFlags) error {
	if err := a.validate(f); err != nil {
		return err
	}
	given, err := f.layers.read()
	if err != nil {
		return err
	}
	accepted, err := f.config.read()
	if err != nil {
		return err
	}
	c, err := newComparer(&f.compare, f.log.logger(a.stderr), a.now())
	if err != nil {
		return err
	}
	defer c.close()
	now := a.now
	if !f.asOf.IsZero() {
		now = func() time.Time { return f.asOf.Time }
	}
	s, err := a.collect(ctx, &f.log, time.Duration(f.timeout), collect.Options{
		Profile:     f.profile,
		EndpointURL: f.endpoint,
		Regions:     f.regions,
		Roles:       f.roles,
		Window:      time.Duration(f.window),
		JobsWindow:  time.Duration(f.jobsWindow),
		Usage:       f.usage.history(),
		Logs:        f.usage.logs,
		LookupRate:  float64(f.lookupRate),
		MaxDescribe: describes(f.maxDescribe),
		Manifests:   f.manifests,
		Now:         now,
	})
	if err != nil {
		return err
	}
	if err := save(ctx, f.save, s); err != nil {
		return err
	}
	err = a.report(ctx, &f.report, c, s, analyze.Options{Version: version, Proposal: f.proposal.options(), Given: given, Exceptions: accepted})
	if v := (*verdict)(nil); err != nil && !errors.As(err, &v) {
		return err
	}
	if err := c.keep(ctx, s); err != nil {
		return err
	}
	return err
}

// describes says --max-describe 0 as collect.Options has it, whose 0 is its default.
func describes(n count) int {
	if n == 0 {
		return -1
	}
	return int(n)
}

// collect reads an account and shows on the way how far it has come.
func (a *app) collect(ctx context.Context, log *logFlags, timeout time.Duration, o collect.Options) (*snapshot.Snapshot, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var stderr = a.stderr
	if _, tty := terminal(a.stderr); tty && !log.quiet {
		p := newProgress(a.stderr, o.Now(), o.Window)
		defer p.close()
		o.Progress, stderr = p.show, p
	}
	o.Log = log.logger(stderr)
	o.InScope = analyze.TrustsSageMaker
	o.RecordsManagement = analyze.RecordsManagement
	o.Version, o.Catalog = version, actions.Load().Version()
	return collect.Collect(ctx, o)
}

// save writes the snapshot as soon as there is one: whatever fails later, the
// evidence need not be read again.
func save(ctx context.Context, path string, s *snapshot.Snapshot) error {
	if path == "" {
		return nil
	}
	return writeFile(ctx, path, snapshotMode, func(w io.Writer) error { return snapshot.Write(w, s) })
}
