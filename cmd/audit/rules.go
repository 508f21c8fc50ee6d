package main

import (
	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/output"
)

func newRules(a *app) *cobra.Command {
	f := reportFlags{color: oneOf("auto", "always", "never")}
	format := oneOf("table", "json")
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rules that findings come from",
		Long: `rules lists every rule of audit's findings: its id, which stays, the severities
that its findings have, what it looks at, what somebody who runs code in a job
could do, and what to do about it. It reads no account and talks to nobody.

docs/rules.md is the same list. docs/rules-coverage.md holds the rules of
cloudsplaining, prowler and PMapper against it.`,
		Example: `  audit rules
  audit rules -o json | jq -r '.rules[] | select(.worst == "critical").id'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(""); err != nil {
				return err
			}
			l := &report.RuleList{SchemaVersion: report.SchemaVersion, Tool: report.Tool{Name: "audit", Version: version}, Rules: analyze.RuleTable()}
			return output.WriteRules(contextWriter{cmd.Context(), a.stdout}, output.Format(format.value), l, a.look(&f, a.stdout))
		},
	}
	flags := cmd.Flags()
	flags.VarP(&format, "output", "o", "table for people, or json")
	flags.Var(&f.width, "width", "columns of the table; 0: the terminal's, 100 without one")
	flags.Var(&f.color, "color", "colours in the table; auto: on a terminal, unless NO_COLOR is set")
	completeChoices(cmd, "output", &format)
	completeChoices(cmd, "color", &f.color)
	return cmd
}
