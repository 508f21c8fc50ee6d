package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/collect"
)

func newPermissions(a *app) *cobra.Command {
	f := runFlags{usage: oneOf("lookup", "none"), maxDescribe: 200}
	format := oneOf("json", "table")
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Print the IAM policy that audit run needs",
		Long: `permissions prints the read-only IAM policy that audit run needs to read all it
is asked for, no more and no less. Give it the flags of your run: with --usage
none, or with few roles by name, it needs less. It talks to nobody.

What a run falls back to where one of these is refused (such as a call for each
role in place of the sweep of all) is not in the policy: such a run says what it
lacked.`,
		Example: `  audit permissions > policy.json
  audit permissions --role trainer --usage none
  audit permissions -o table                     what each permission is for`,
		RunE: func(*cobra.Command, []string) error {
			needed := collect.Permissions(collect.Options{
				Regions:     f.regions,
				Roles:       f.roles,
				Usage:       f.usage.value,
				MaxDescribe: describes(f.maxDescribe),
				Manifests:   f.manifests,
			})
			if format.value == "table" {
				return printReasons(a.stdout, needed)
			}
			return printPolicy(a.stdout, needed)
		},
	}
	flags := cmd.Flags()
	flags.Var(&f.usage, "usage", "as for audit run: none needs no CloudTrail and no last accessed details")
	flags.Var(&f.roles, "role", "as for audit run, repeatable: up to 5 by name or ARN are read one by one")
	flags.Var(&f.regions, "region", "as for audit run, repeatable: changes nothing")
	flags.Var(&f.maxDescribe, "max-describe", "as for audit run: changes nothing")
	flags.BoolVar(&f.manifests, "read-manifests", false, "as for audit run: needs s3:GetObject, which this policy gives on every object")
	flags.VarP(&format, "output", "o", "the policy, or each action with what it is for and AWS's page about it")
	completeChoices(cmd, "usage", &f.usage)
	completeChoices(cmd, "output", &format)
	return cmd
}

// readPolicy is an identity policy of one statement.
type readPolicy struct {
	Version   string
	Statement []readStatement
}

type readStatement struct {
	Effect   string
	Action   []string
	Resource string
}

// printPolicy prints one Allow on every resource: most of these actions know no
// other, and what there is to read is not known beforehand.
func printPolicy(w io.Writer, needed []collect.Operation) error {
	var actions []string
	for _, o := range needed {
		actions = append(actions, o.Actions...)
	}
	slices.Sort(actions)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(readPolicy{Version: "2012-10-17", Statement: []readStatement{
		{Effect: "Allow", Action: slices.Compact(actions), Resource: "*"},
	}})
}

// printReasons prints each action with what it is for and where AWS says so.
func printReasons(w io.Writer, needed []collect.Operation) error {
	var lines []string
	for _, o := range needed {
		for _, action := range o.Actions {
			lines = append(lines, fmt.Sprintf("%s\n    %s (AWS: %s)\n", action, o.Why, o.Source))
		}
	}
	slices.Sort(lines)
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}
