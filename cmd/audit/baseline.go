package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/exceptions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func newBaseline(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "baseline",
		Short: "Write and check the file of accepted findings",
		Long: `baseline writes and checks the file of exceptions that --config of audit run and
audit report names. docs/exceptions.md describes it.`,
	}
	cmd.AddCommand(newAccept(a), newCheckConfig(a), newConfigSchema(a))
	return cmd
}

// acceptFlags are the flags of audit baseline accept.
type acceptFlags struct {
	from, config, owner, reason string
	expires                     moment
	roles                       selectors
	rules                       ruleNames
	atMost                      choice
}

func newAccept(a *app) *cobra.Command {
	f := acceptFlags{atMost: oneOf("critical", "high", "medium", "low", "info")}
	cmd := &cobra.Command{
		Use:   "accept --from SNAPSHOT|REPORT --config FILE --owner WHO --reason WHY --expires DATE",
		Short: "Accept the findings that are there now",
		Long: `accept writes an exception for every finding of a snapshot, or of a report in
JSON, into a file of exceptions. What stands in the file stays; an exception of the
same finding that has expired is renewed, one that holds is left as it is.

Changes are not accepted here: the approved state is the snapshot that --baseline or
--history compares with.`,
		Example: `  audit baseline accept --from audit.snapshot.gz --config audit.yaml \
    --owner ml-platform@example.com --reason 'known at the start, SEC-12' --expires 2027-03-31
  audit baseline accept --from audit.json --config audit.yaml --role 'ml-*' --rule idle-role --at-most low \
    --owner ana --reason 'kept for the autumn campaign' --expires 2026-12-31`,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.accept(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "snapshot that audit run --save wrote, or report of -o json; plain or gzip")
	flags.StringVar(&f.config, "config", "", "the `file` of exceptions to write to")
	flags.StringVar(&f.owner, "owner", "", "who answers for it")
	flags.StringVar(&f.reason, "reason", "", "why it is accepted")
	flags.Var(&f.expires, "expires", "the last day on which it holds, in UTC")
	flags.Var(&f.roles, "role", "only findings of these roles; repeatable")
	flags.Var(&f.rules, "rule", "only findings of this rule; repeatable")
	flags.Var(&f.atMost, "at-most", "only findings of this severity or below")
	completeWords(cmd, "rule", analyze.Rules())
	completeChoices(cmd, "at-most", &f.atMost)
	return cmd
}

// ruleNames collects --rule.
type ruleNames []string

func (r *ruleNames) Set(text string) error {
	if !slices.Contains(analyze.Rules(), text) {
		return errors.New("there is no such rule; a finding names its own")
	}
	*r = append(*r, text)
	return nil
}

func (r *ruleNames) String() string { return fmt.Sprint([]string(*r)) }
func (*ruleNames) Type() string     { return "rule" }

func (f *acceptFlags) check() error {
	for _, x := range []struct{ name, value string }{{"from", f.from}, {"config", f.config}, {"owner", f.owner}, {"reason", f.reason}, {"expires", f.expires.String()}} {
		if x.value == "" {
			return usagef("--%s is missing", x.name)
		}
	}
	if !f.expires.Equal(f.expires.Truncate(day)) {
		return usagef("--expires %s: a day, as 2027-03-31", f.expires)
	}
	return nil
}

func (a *app) accept(cmd *cobra.Command, f *acceptFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	r, err := findingsOf(f.from)
	if err != nil {
		return err
	}
	if f.expires.Add(day).Compare(r.GeneratedAt) <= 0 {
		return usagef("--expires %s: the findings are of %s, so it would have expired already", f.expires.Format(time.DateOnly), r.GeneratedAt.Format(time.DateOnly))
	}
	if err := checkWritable(f.config); err != nil {
		return err
	}
	text, err := readConfigIfThere(f.config)
	if err != nil {
		return err
	}
	entries := f.entries(r.Findings)
	out, added, err := exceptions.Add(f.config, text, analyze.Rules(), entries, func(e *exceptions.Entry) bool { return !e.Expired(r.GeneratedAt) })
	if err != nil {
		return err
	}
	if len(added.New)+len(added.Renewed) > 0 {
		if err := writeFile(cmd.Context(), f.config, documentMode, func(w io.Writer) error {
			_, err := w.Write(out)
			return err
		}); err != nil {
			return err
		}
	}
	fmt.Fprintf(cleanWriter{a.stderr}, "%s: exceptions: %d new, %d renewed, %d in force already\n", f.config, len(added.New), len(added.Renewed), len(added.Held))
	for _, e := range added.Unsafe {
		fmt.Fprintf(cleanWriter{a.stderr}, "left out, its text could look like other text, or its role has no name of one: %s of %q: %q\n", e.Rule, e.Role, e.Subject)
	}
	if !r.Complete {
		fmt.Fprintf(a.stderr, "not complete: there may be findings that %s does not have\n", f.from)
	}
	return nil
}

// entries are exceptions of the findings that the flags choose, each once, sorted.
func (f *acceptFlags) entries(findings []report.Finding) []exceptions.Entry {
	var out []exceptions.Entry
	seen := map[[3]string]bool{}
	for _, x := range findings {
		key := [3]string{x.Rule, x.Role, x.Subject}
		switch {
		case x.Accepted != nil || seen[key],
			len(f.rules) > 0 && !slices.Contains(f.rules, x.Rule),
			len(f.roles) > 0 && !slices.ContainsFunc(f.roles, func(s string) bool { return snapshot.MatchRole(s, x.Role) }),
			x.Severity.Rank() < report.Severity(f.atMost.value).Rank():
			continue
		}
		seen[key] = true
		out = append(out, exceptions.Entry{Rule: x.Rule, Role: x.Role, Subject: x.Subject, Reason: f.reason, Owner: f.owner, Expires: f.expires.Time})
	}
	slices.SortFunc(out, func(x, y exceptions.Entry) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Subject, y.Subject))
	})
	return out
}

// findingsOf is the report of a file, which is one or a snapshot.
func findingsOf(path string) (*report.Report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, bare(err)
	}
	_, notOne := snapshot.ReadHead(bytes.NewReader(data))
	if notOne == nil {
		s, err := snapshot.Read(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		r, err := analyze.Analyze(s, analyze.Options{Version: version})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return r, nil
	}
	if z, err := gzip.NewReader(bytes.NewReader(data)); err == nil {
		if data, err = io.ReadAll(z); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	var r report.Report
	if err := json.Unmarshal(data, &r); err != nil || r.Tool.Name != "audit" || r.GeneratedAt.IsZero() {
		return nil, fmt.Errorf("%s: neither a snapshot nor a report in JSON: %w", path, notOne)
	}
	if r.SchemaVersion != report.SchemaVersion {
		return nil, fmt.Errorf("%s: a report of schema version %d, and this version of audit reads %d", path, r.SchemaVersion, report.SchemaVersion)
	}
	return &r, nil
}

func newCheckConfig(a *app) *cobra.Command {
	var f configFlag
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Read a file of exceptions and say what is wrong with it",
		RunE: func(*cobra.Command, []string) error {
			if f.path == "" {
				return usagef("--config is missing: the file to read")
			}
			x, err := f.read()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "exceptions: %d, severities: %d\n", len(x.Entries), len(x.Severities))
			return err
		},
	}
	f.register(cmd)
	return cmd
}

func newConfigSchema(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the file of exceptions",
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(exceptions.SchemaJSON)
			return err
		},
	}
}
