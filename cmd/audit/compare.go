package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/declared"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/history"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The words of --baseline that name no file.
const (
	baselineLatest = "latest"
	baselineNone   = "none"
)

// compareFlags say what a report is compared with.
type compareFlags struct {
	baseline string
	declared string
	history  historyFlags
}

// historyFlags say where the snapshots of runs are kept, and how many.
type historyFlags struct {
	dir  string
	keep count
	age  span
}

// register adds the flags to a command. Only one that reads an account keeps a history.
func (f *compareFlags) register(cmd *cobra.Command, r *reportFlags, keeps bool) {
	r.failOnChange = oneOf("none", "any", "widening")
	flags := cmd.Flags()
	flags.StringVar(&f.declared, "declared", "", "what is declared, to tell where the account deviates: a `path` to what terraform\nshow -json prints of a state or plan, or to a folder of approved policies")
	flags.Var(&r.failOnChange, "fail-on-change", "exit 3 with any change or deviation, or with one that widens or may widen")
	flags.BoolVar(&r.onlyChanges, "only-changes", false, "on stdout, nothing if there is nothing new, and of the table only what is")
	completeChoices(cmd, "fail-on-change", &r.failOnChange)
	if !keeps {
		flags.StringVar(&f.baseline, "baseline", "", "compare with this snapshot: a `file` that audit run --save wrote")
		return
	}
	f.history.keep = 90
	flags.StringVar(&f.baseline, "baseline", "", "compare with this snapshot: a `file` that --save wrote, or latest of --history\n(the default there), or none")
	flags.StringVar(&f.history.dir, "history", "", "keep a snapshot of each run in this `folder`; one run at a time")
	flags.Var(&f.history.keep, "history-keep", "how many snapshots of the account are kept (0: all)")
	flags.Var(&f.history.age, "history-age", "how old a snapshot may be that is kept (0: any age)")
}

// check errs on flags that make no sense together.
func (f *compareFlags) check(cmd *cobra.Command, r *reportFlags) error {
	if f.history.dir == "" {
		for _, name := range []string{"history-keep", "history-age"} {
			if cmd.Flags().Changed(name) {
				return usagef("--%s: there is no --history to keep", name)
			}
		}
		switch f.baseline {
		case baselineLatest:
			return usagef("--baseline latest: the latest of what? --history names the folder")
		case baselineNone:
			f.baseline = ""
		}
	} else if f.baseline == "" {
		f.baseline = baselineLatest
	}
	if f.baseline != "" && f.baseline != baselineNone || f.declared != "" {
		return nil
	}
	switch {
	case r.failOnChange.value != "none":
		return usagef("--fail-on-change: there is nothing to compare with; see --baseline, --history and --declared")
	case r.onlyChanges:
		return usagef("--only-changes: there is nothing to compare with; see --baseline, --history and --declared")
	}
	return nil
}

// comparer compares a run with what the flags name. What can fail early does, in
// newComparer: before hours of reading.
type comparer struct {
	flags    *compareFlags
	log      *slog.Logger
	folder   *history.Folder
	baseline *snapshot.Snapshot
	declared []byte // of Terraform
	files    []declared.File
}

// newComparer reads what is to be compared with, and takes the history's lock.
func newComparer(f *compareFlags, log *slog.Logger, now time.Time) (*comparer, error) {
	c := &comparer{flags: f, log: log}
	if f.declared != "" {
		if err := c.readDeclared(); err != nil {
			return nil, usagef("--declared %w", err)
		}
	}
	if !slices.Contains([]string{"", baselineLatest, baselineNone}, f.baseline) {
		s, err := snapshot.ReadFile(f.baseline)
		if err != nil {
			return nil, fmt.Errorf("--baseline: %w", err)
		}
		c.baseline = s
	}
	if f.history.dir != "" {
		folder, err := history.Open(f.history.dir, now)
		if err != nil {
			return nil, fmt.Errorf("--history: %w", err)
		}
		c.folder = folder
	}
	return c, nil
}

// close lets other runs at the history.
func (c *comparer) close() {
	if c.folder != nil {
		c.folder.Close()
	}
}

// compare gives the report its drift, nil where nothing is compared. first says that
// there was nothing to compare with yet.
func (c *comparer) compare(s *snapshot.Snapshot, o analyze.Options) (d *report.Drift, first bool, err error) {
	base, name := c.baseline, filepath.Base(c.flags.baseline)
	why := ""
	if c.flags.baseline == baselineLatest {
		if base, name, why, err = c.latest(s); err != nil {
			return nil, false, err
		}
		first = why == noBaseline
	}
	switch {
	case base != nil:
		if !base.Complete() {
			c.log.Warn("the baseline is not complete: what it lacks is not compared", "baseline", name)
		}
		if base.TakenAt.After(s.TakenAt) {
			c.log.Warn("the baseline was taken after this snapshot: the drift reads backwards", "baseline", name, "takenAt", moment{base.TakenAt})
		}
		if d, err = analyze.Drift(base, s, o); err != nil {
			return nil, false, fmt.Errorf("--baseline %s: %w", name, err)
		}
		d.Baseline.Name = name
	case why != "":
		d = analyze.NoBaseline(s, why)
	}
	if c.flags.declared == "" {
		return d, first, nil
	}
	is, err := c.parseDeclared(s.Account.ID)
	if err != nil {
		return nil, false, usagef("--declared %s: %w", c.flags.declared, err)
	}
	return analyze.Deviations(s, is, d), first, nil
}

const noBaseline = "there is no snapshot of this account in the history yet: this run's is the first"

// latest is the baseline of the history, nil with the reason where there is none.
func (c *comparer) latest(s *snapshot.Snapshot) (*snapshot.Snapshot, string, string, error) {
	if s.Account.ID == "" {
		return nil, "", "this run could not tell of which account it is", nil
	}
	b, err := c.folder.Latest(s.Account.ID, s.TakenAt)
	if err != nil {
		return nil, "", "", fmt.Errorf("--history: %w", err)
	}
	for _, p := range b.Passed {
		c.log.Warn("history: passed over, not to be read as a snapshot", "file", filepath.Join(c.folder.Dir(), p.Name), "why", p.Why)
	}
	for _, e := range b.Later {
		c.log.Warn("history: passed over, taken after this run; a clock is or was wrong", "file", filepath.Join(c.folder.Dir(), e.Name),
			"takenAt", moment{e.TakenAt.UTC()}, "now", moment{s.TakenAt})
	}
	for _, e := range b.Incomplete {
		c.log.Warn("history: passed over, not complete", "file", filepath.Join(c.folder.Dir(), e.Name))
	}
	switch {
	case b.Snapshot != nil:
		return b.Snapshot, b.Entry.Name, "", nil
	case b.Empty():
		c.log.Warn("no baseline yet: the history has no snapshot of this account", "history", c.folder.Dir())
		return nil, "", noBaseline, nil
	default:
		return nil, "", fmt.Sprintf("the history has no snapshot of this account to compare with: %d not complete, %d of later than now, %d files that could not be read",
			len(b.Incomplete), len(b.Later), len(b.Passed)), nil
	}
}

// keep puts the run's snapshot into the history. It comes last: a run whose report was
// never delivered must not be what the next one is compared with.
func (c *comparer) keep(ctx context.Context, s *snapshot.Snapshot) error {
	if c.folder == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Account.ID == "" {
		c.log.Warn("history: the snapshot is not kept, since it does not say of which account it is")
		return nil
	}
	e, err := c.folder.Add(s)
	if err != nil {
		return fmt.Errorf("--history: %w", err)
	}
	gone, err := c.folder.Prune(history.Keep{Count: int(c.flags.history.keep), Age: time.Duration(c.flags.history.age)}, e)
	c.log.Debug("history", "kept", e.Name, "removed", gone)
	if err != nil {
		return fmt.Errorf("--history: %w", err)
	}
	return nil
}
