package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// app is the world as the commands see it.
type app struct {
	env            func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
}

// patience is how long an interrupted command may take to tidy up.
const patience = 700 * time.Millisecond

// run runs one command line and returns its exit code. It returns soon after
// ctx is done, whatever the command is at by then.
func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr, now: time.Now}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- &panicError{v, debug.Stack()}
			}
		}()
		done <- a.execute(ctx, args)
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(patience):
			err = ctx.Err()
		}
	}
	code := exitCode(ctx, err)
	a.explain(code, err)
	return code
}

// explain says on stderr why the exit code is not 0.
func (a *app) explain(code int, err error) {
	w := cleanWriter{a.stderr}
	var crash *panicError
	switch {
	case err == nil:
	case code == exitInterrupted:
		fmt.Fprintln(w, "audit: interrupted")
	case errors.As(err, &crash):
		fmt.Fprintf(w, "audit: %v\n\n%s", err, crash.stack)
	default:
		fmt.Fprintf(w, "audit: %v\n", err)
	}
}

func (a *app) execute(ctx context.Context, args []string) error {
	root := a.root()
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "audit",
		Short: "Audit what SageMaker execution roles may do against what they did and need",
		Long: `audit reads a live AWS account, finds every IAM role that SageMaker training
jobs run as, compares what each may do with what it did and what its jobs need,
and proposes the smallest policy that still works. It never writes to AWS.`,
		Example: `  audit demo                              see an audit of a sample account
  audit run                               audit the account of your credentials
  audit run -o table -o json=audit.json --save audit.snapshot.gz
  audit report --from audit.snapshot.gz   the same report again, offline
  audit drift monday.snapshot.gz friday.snapshot.gz
  audit explain --demo churn-training s3:GetObject
  audit propose --demo --role churn-training -o terraform
  audit verify --demo --role churn-training --policy edited.json
  audit check-job request.json --demo`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(a.stderr)
			return errors.Join(cmd.Help(), usagef("a command is missing"))
		},
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddCommand(newRun(a), newDemo(a), newReport(a), newDrift(a), newBaseline(a), newExplain(a), newPropose(a), newVerify(a), newCheckJob(a), newRules(a), newPermissions(a), newSimulate(a), newVersion(a))
	root.SetHelpCommand(newHelp())
	root.InitDefaultCompletionCmd()
	strict(root)
	return root
}

// strict makes a command, and all below it, refuse arguments with a usage
// error, but for those that check their own. cobra prints help and reports success instead.
func strict(cmd *cobra.Command) {
	if _, own := cmd.Annotations[takesArguments]; own || cmd.Name() == "help" {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return nil
		case cmd.HasSubCommands():
			return unknownCommand(cmd, args[0])
		default:
			return usagef("%s takes no argument, and %q is one", cmd.CommandPath(), args[0])
		}
	}
	if !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return usagef("one of %s is missing; see %s --help", strings.Join(names(cmd), ", "), cmd.CommandPath())
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about a command",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			return about.Help()
		},
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usagef("unknown command %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("unknown command %q; the commands are %s", name, strings.Join(names(cmd), ", "))
}

func names(cmd *cobra.Command) []string {
	var list []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			list = append(list, sub.Name())
		}
	}
	slices.Sort(list)
	return list
}
