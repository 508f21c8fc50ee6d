package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/output"
)

// takesArguments marks a command that checks its own arguments: see strict.
const takesArguments = "takes-arguments"

// explainFlags are the flags of audit explain: those of audit run that matter for one
// role, and the question's.
type explainFlags struct {
	runFlags
	from    string
	demo    bool
	context contextKeys
	format  choice
	width   count
	color   choice
}

func newExplain(a *app) *cobra.Command {
	f := newExplainFlags("text")
	cmd := &cobra.Command{
		Use:   "explain ROLE ACTION [RESOURCE]",
		Short: "Say whether a role may call an action, and by which statement",
		Long: `explain answers whether a role may call an action on a resource: by which
statements of which policies, under which conditions, what refuses it, what it
would need, and what the audit knows of it beside (jobs, calls, last access).

ROLE is a name, an ARN or a glob that fits one role. ACTION is an IAM action,
such as s3:GetObject. RESOURCE is an ARN or a pattern of ARNs; without it, each
resource is explained that the role was granted the action on, needs it on or
was seen to use it on.

It asks a saved snapshot (--from), the sample account (--demo), or the account of
your AWS credentials, as audit run does. It exits 0 whatever the answer is.`,
		Example: `  audit explain --demo churn-training s3:GetObject
  audit explain --from audit.snapshot.gz trainer s3:PutObject 'arn:aws:s3:::models/*'
  audit explain --from audit.snapshot.gz trainer ssm:GetParameter --scp policies/
  audit explain trainer iam:PassRole --context iam:PassedToService=sagemaker.amazonaws.com`,
		Annotations: map[string]string{takesArguments: ""},
		Args: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 2, 3:
				return nil
			case 0:
				return usagef("ROLE and ACTION are missing; see %s --help", cmd.CommandPath())
			case 1:
				return usagef("ACTION is missing, such as s3:GetObject; see %s --help", cmd.CommandPath())
			}
			return usagef("%s takes ROLE, ACTION and RESOURCE, and %q is one too many", cmd.CommandPath(), args[3])
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			q := analyze.Question{Role: args[0], Action: args[1], Context: f.context.values}
			if len(args) > 2 {
				if q.Resource = args[2]; q.Resource == "" {
					return usagef("RESOURCE is empty; leave it out for every resource of the action")
				}
			}
			return a.answer(cmd, &f, q)
		},
	}
	cmd.Flags().Var(&f.context, "context", "a condition key of the request, as aws:SourceVpce=vpce-1; repeatable, also for more values of a key")
	f.register(cmd, "docs/explain.md")
	return cmd
}

// newExplainFlags are the flags of a command that asks about one role and prints what
// comes out as table, or as JSON.
func newExplainFlags(table string) explainFlags {
	return explainFlags{
		runFlags: runFlags{
			window: span(90 * day), jobsWindow: span(400 * day), usage: usageSources{lookup: true},
			lookupRate: 2, maxDescribe: 200, log: logFlags{format: oneOf("text", "json")},
		},
		format: oneOf(table, "json"),
		color:  oneOf("auto", "always", "never"),
	}
}

// register adds the flags but --context. doc describes the JSON.
func (f *explainFlags) register(cmd *cobra.Command, doc string) {
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "ask this snapshot, plain or gzip (audit run --save wrote it)")
	flags.BoolVar(&f.demo, "demo", false, "ask the sample account of audit demo")
	f.layers.register(cmd)
	flags.VarP(&f.format, "output", "o", f.format.value+" for people, or json ("+doc+")")
	flags.Var(&f.width, "width", "columns of the text; 0: the terminal's, 100 without one")
	flags.Var(&f.color, "color", "colours in the text; auto: on a terminal, unless NO_COLOR is set")
	flags.StringVar(&f.profile, "profile", "", "profile of the AWS configuration")
	flags.Var(&f.regions, "region", "read only this region's jobs and usage; repeatable (default: every enabled region)")
	flags.Var(&f.window, "window", "how far back usage is read; Event history holds 90d")
	flags.Var(&f.usage, "usage", "where usage is read: lookup, trail, s3://bucket/prefix, dir:PATH or none; repeatable (see audit run --help)")
	flags.StringVar(&f.endpoint, "endpoint-url", "", "send every request to this URL instead of AWS")
	flags.BoolVarP(&f.log.quiet, "quiet", "q", false, "no progress, no warnings")
	flags.BoolVarP(&f.log.verbose, "verbose", "v", false, "log every step")
	flags.Var(&f.log.format, "log-format", "format of the log on stderr")
	for name, c := range map[string]*choice{"output": &f.format, "color": &f.color, "log-format": &f.log.format} {
		completeChoices(cmd, name, c)
	}
	completeUsage(cmd)
}

// contextKeys collects --context: the values of each key, whose case does not count.
type contextKeys struct{ values map[string][]string }

func (c *contextKeys) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || !strings.Contains(key, ":") || strings.ContainsAny(key, " \t${}") {
		return errors.New("not a condition key with a value, such as aws:SourceVpce=vpce-1")
	}
	for known := range c.values {
		if strings.EqualFold(known, key) {
			key = known
		}
	}
	if c.values == nil {
		c.values = map[string][]string{}
	}
	c.values[key] = append(c.values[key], value)
	return nil
}

func (c *contextKeys) String() string {
	if len(c.values) == 0 {
		return ""
	}
	return fmt.Sprint(c.values)
}

func (*contextKeys) Type() string { return "key=value" }

// accountFlags are the flags that only mean something where an account is read.
var accountFlags = []string{"profile", "region", "window", "usage", "endpoint-url"}

// check errs on flags that make no sense, before anything is read.
func (f *explainFlags) check(a *app, cmd *cobra.Command) error {
	offline := ""
	switch {
	case f.from != "" && f.demo:
		return usagef("--from and --demo: one account is asked")
	case f.demo:
		offline = "--demo"
	case f.from != "" || cmd.Flags().Changed("from"):
		if f.from == "" {
			return usagef("--from is empty: a file that audit run --save wrote")
		}
		offline = "--from"
	}
	if offline != "" {
		for _, name := range accountFlags {
			if cmd.Flags().Changed(name) {
				return usagef("--%s is for reading an account, and %s reads none", name, offline)
			}
		}
	}
	if f.width > 0 && f.width < output.MinWidth {
		return usagef("--width %d: the text needs at least %d columns", f.width, output.MinWidth)
	}
	return a.validate(&f.runFlags)
}

// answer explains, and prints the explanation.
func (a *app) answer(cmd *cobra.Command, f *explainFlags, q analyze.Question) error {
	if err := f.check(a, cmd); err != nil {
		return err
	}
	if err := analyze.CheckQuestion(q); err != nil {
		return usageError{err}
	}
	given, err := f.layers.read()
	if err != nil {
		return err
	}
	s, err := a.asked(cmd.Context(), f, q.Role)
	if err != nil {
		return err
	}
	e, err := analyze.Explain(s, analyze.Options{Version: version, Given: given}, q)
	if bad := (*analyze.QuestionError)(nil); errors.As(err, &bad) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if err := cmd.Context().Err(); err != nil {
		return err
	}
	return a.print(cmd.Context(), f, func(w io.Writer, format output.Format, look output.Options) error {
		return output.WriteExplanation(w, format, e, look)
	})
}

// print writes a document to the standard output, as the flags say.
func (a *app) print(ctx context.Context, f *explainFlags, write func(io.Writer, output.Format, output.Options) error) error {
	format := output.Table
	switch f.format.value {
	case "json":
		format = output.JSON
	case "summary":
		format = output.Summary
	}
	if err := write(contextWriter{ctx, a.stdout}, format, a.look(&reportFlags{width: f.width, color: f.color}, a.stdout)); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// asked is the snapshot that the question is put to; without a role it is of all.
func (a *app) asked(ctx context.Context, f *explainFlags, role string) (*snapshot.Snapshot, error) {
	switch {
	case f.from != "":
		return snapshot.ReadFile(f.from)
	case f.demo:
		return a.sample(ctx, &f.log)
	}
	if role != "" {
		if err := snapshot.CheckSelector(role); err != nil {
			return nil, usagef("ROLE: %w", err)
		}
	}
	var roles []string
	if role != "" {
		roles = []string{role}
	}
	return a.live(ctx, f, roles)
}

// live reads the account of the credentials.
func (a *app) live(ctx context.Context, f *explainFlags, roles []string) (*snapshot.Snapshot, error) {
	return a.collect(ctx, &f.log, 0, collect.Options{
		Profile: f.profile, EndpointURL: f.endpoint, Regions: f.regions, Roles: roles,
		Window: time.Duration(f.window), JobsWindow: time.Duration(f.jobsWindow), Usage: f.usage.history(), Logs: f.usage.logs,
		LookupRate: float64(f.lookupRate), MaxDescribe: describes(f.maxDescribe), Manifests: f.manifests, Now: a.now,
	})
}
