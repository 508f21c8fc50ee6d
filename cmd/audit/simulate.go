package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze/policy"
)

func newSimulate(a *app) *cobra.Command {
	var (
		cases   string
		explain bool
	)
	cmd := &cobra.Command{
		Use:   "simulate --cases FILE.jsonl",
		Short: "Decide requests against IAM policies offline, a case a line",
		Long: `simulate reads requests with the policies that apply to them, one JSON object a
line, and prints a decision a line: Allowed, ImplicitDeny or ExplicitDeny, and
the layer that decided. It talks to nobody. The format: docs/simulate.md.`,
		Example: `  audit simulate --cases cases.jsonl
  audit simulate --cases - --explain < cases.jsonl`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var in io.Reader = a.stdin
			switch cases {
			case "":
				return usagef("--cases is missing: the file of cases, - for the standard input")
			case "-":
			default:
				f, err := os.Open(cases)
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return policy.Simulate(cmd.Context(), in, a.stdout, explain)
		},
	}
	cmd.Flags().StringVar(&cases, "cases", "", "file of cases, - for the standard input")
	cmd.Flags().BoolVar(&explain, "explain", false, "name the statements that took part in each decision")
	return cmd
}
