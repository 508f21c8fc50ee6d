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
	f := runFlags{usage: usageSources{lookup: true}, maxDescribe: 200}
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
  audit permissions --usage trail --usage lookup
  audit permissions -o table                     what each permission is for`,
		RunE: func(*cobra.Command, []string) error {
			if f.usage.none && (f.usage.lookup || len(f.usage.logs) > 0) {
				return f.usage.check()
			}
			o := collect.Options{
				Regions:     f.regions,
				Roles:       f.roles,
				Usage:       f.usage.history(),
				Logs:        f.usage.logs,
				MaxDescribe: describes(f.maxDescribe),
				Manifests:   f.manifests,
			}
			needed := collect.Permissions(o)
			if format.value == "table" {
				return printReasons(a.stdout, needed)
			}
			return printPolicy(a.stdout, needed, o)
		},
	}
	flags := cmd.Flags()
	flags.Var(&f.usage, "usage", "as for audit run, repeatable: none needs no CloudTrail, trail and s3:// the objects of log files")
	flags.Var(&f.roles, "role", "as for audit run, repeatable: up to 5 by name or ARN are read one by one")
	flags.Var(&f.regions, "region", "as for audit run, repeatable: changes nothing")
	flags.Var(&f.maxDescribe, "max-describe", "as for audit run: changes nothing")
	flags.BoolVar(&f.manifests, "read-manifests", false, "as for audit run: needs s3:GetObject, which this policy gives on every object")
	flags.VarP(&format, "output", "o", "the policy, or each action with what it is for and AWS's page about it")
	completeUsage(cmd)
	completeChoices(cmd, "output", &format)
	return cmd
}

// readPolicy is an identity policy.
type readPolicy struct {
	Version   string
	Statement []readStatement
}

type readStatement struct {
	Effect    string
	Action    []string
	Resource  any                          // one, or a list
	Condition map[string]map[string]string `json:",omitempty"`
}

// printPolicy prints one Allow on every resource: most of these actions know no
// other, and what there is to read is not known beforehand. What log files need is
// given on them alone.
func printPolicy(w io.Writer, needed []collect.Operation, o collect.Options) error {
	var actions []string
	for _, op := range needed {
		actions = append(actions, op.Actions...)
	}
	slices.Sort(actions)
	actions = slices.Compact(actions)
	p := readPolicy{Version: "2012-10-17", Statement: make([]readStatement, 1)}
	if buckets, objects := collect.LogObjects(o); len(buckets) > 0 {
		apart := func(action string, s readStatement) {
			if i := slices.Index(actions, action); i >= 0 {
				actions = slices.Delete(actions, i, i+1)
				s.Effect, s.Action = "Allow", []string{action}
				p.Statement = append(p.Statement, s)
			}
		}
		apart("s3:ListBucket", readStatement{Resource: buckets})
		if !o.Manifests {
			apart("s3:GetObject", readStatement{Resource: objects})
		}
		// S3 decrypts in the caller's name (AWS: KMS conditions-kms, kms:ViaService).
		apart("kms:Decrypt", readStatement{Resource: "*", Condition: map[string]map[string]string{"StringLike": {"kms:ViaService": "s3.*"}}})
	}
	p.Statement[0] = readStatement{Effect: "Allow", Action: actions, Resource: "*"}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(p)
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
