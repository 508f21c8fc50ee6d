package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// completeChoices lets the shell complete a flag that takes one of a few words.
func completeChoices(cmd *cobra.Command, flag string, c *choice) { completeWords(cmd, flag, c.of) }

func completeWords(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is not there: a bug in this package
	}
}

// completeUsage completes --usage: its words, and folders behind dir:.
func completeUsage(cmd *cobra.Command) {
	words := []string{"lookup", "trail", "s3://", "dir:", "none"}
	err := cmd.RegisterFlagCompletionFunc("usage", func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		if strings.HasPrefix(begun, "dir:") {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
	if err != nil {
		panic(err) // the flag is not there: a bug in this package
	}
}
