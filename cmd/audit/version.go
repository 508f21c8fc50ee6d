package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze/actions"
)

// version is set by the linker (-X main.version=), which a constant would not
// let it do.
var version = "0.1.0"

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of audit and of the action catalogue in it",
		RunE: func(*cobra.Command, []string) error {
			c := actions.Load()
			_, err := fmt.Fprintf(a.stdout, "audit %s\ncatalogue %s, %d actions\n%s %s/%s\n",
				version, c.Version(), c.Len(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
