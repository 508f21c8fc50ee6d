package main

import "github.com/spf13/cobra"

// completeChoices lets the shell complete a flag that takes one of a few words.
func completeChoices(cmd *cobra.Command, flag string, c *choice) { completeWords(cmd, flag, c.of) }

func completeWords(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is not there: a bug in this package
	}
}
