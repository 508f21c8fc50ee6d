package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/output"
)

// reportFlags are what every command that makes a report knows: where it goes,
// how it looks and when it is accepted.
type reportFlags struct {
	documents       documents
	width           count
	color           choice
	failOn          choice
	allowIncomplete bool

	// Set by compareFlags.register.
	failOnChange choice
	onlyChanges  bool
}

func (f *reportFlags) register(cmd *cobra.Command) {
	f.documents = documents{list: []document{{output.Table, stdoutPath}}}
	f.color = oneOf("auto", "always", "never")
	f.failOn = oneOf("none", "low", "medium", "high", "critical")
	flags := cmd.Flags()
	flags.VarP(&f.documents, "output", "o", "table, brief (the table in short), json, or summary (one line), on stdout or =FILE (.gz compresses); repeatable")
	flags.Var(&f.width, "width", "columns of the table; 0: the terminal's, 100 without one")
	flags.Var(&f.color, "color", "colours in the table; auto: on a terminal, unless NO_COLOR is set")
	flags.Var(&f.failOn, "fail-on", "exit 3 with findings of this severity or above")
	flags.BoolVar(&f.allowIncomplete, "allow-incomplete", false, "exit 0 although something could not be read")
	completeChoices(cmd, "color", &f.color)
	completeChoices(cmd, "fail-on", &f.failOn)
	completeWords(cmd, "output", []string{"table", "brief", "json", "summary", "table=", "brief=", "json=", "summary="})
}

// check errs on documents that cannot all be written. snapshot is the path of
// --save, empty for none.
func (f *reportFlags) check(snapshot string) error {
	if f.width > 0 && f.width < output.MinWidth {
		return usagef("--width %d: a table needs at least %d columns", f.width, output.MinWidth)
	}
	paths := make(map[string]bool)
	add := func(flag, path string) error {
		key := path
		if toStdout(path) {
			key = stdoutPath
		}
		if paths[key] && key == stdoutPath {
			return usagef("%s: two documents on the standard output; give one a file, as -o json=FILE", flag)
		} else if paths[key] {
			return usagef("%s: %s is written twice", flag, path)
		}
		paths[key] = true
		return nil
	}
	for _, d := range f.documents.list {
		if err := add("-o", d.path); err != nil {
			return err
		}
	}
	if snapshot != "" {
		if err := add("--save", snapshot); err != nil {
			return err
		}
	}
	for path := range paths {
		if path == stdoutPath {
			continue
		}
		if err := checkWritable(path); err != nil {
			return err
		}
	}
	return nil
}

// deliver writes the report wherever it goes, files first: whoever reads the
// standard output can rely on them.
//
// first says that there was nothing to compare with yet, which is no fault.
func (a *app) deliver(ctx context.Context, f *reportFlags, r *report.Report, first bool) error {
	v := f.judge(r, first)
	for _, d := range f.documents.list {
		if toStdout(d.path) {
			continue
		}
		err := writeFile(ctx, d.path, documentMode, func(w io.Writer) error {
			return output.Write(w, d.format, r, a.look(f, nil))
		})
		if err != nil {
			return err
		}
	}
	for _, d := range f.documents.list {
		if !toStdout(d.path) || f.onlyChanges && v == nil && nothingNew(r) {
			continue
		}
		write := output.Write
		if f.onlyChanges && (d.format == output.Table || d.format == output.Brief) {
			write = f.writeNews
		}
		if err := write(contextWriter{ctx, a.stdout}, d.format, r, a.look(f, a.stdout)); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if v == nil {
		return nil // and no *verdict that is nil
	}
	return v
}

// writeNews writes of the table what is new.
func (f *reportFlags) writeNews(w io.Writer, _ output.Format, r *report.Report, look output.Options) error {
	return output.WriteNews(w, r, report.Severity(f.failOn.value), look)
}

// nothingNew reports whether everything could be compared, nothing changed or deviates,
// and no exception has expired since.
func nothingNew(r *report.Report) bool {
	return r.Drift != nil && r.Drift.Empty() && len(r.NewlyExpired()) == 0
}

// look decides width and colour for a table on stream, nil for a file.
func (a *app) look(f *reportFlags, stream any) output.Options {
	columns, tty := terminal(stream)
	o := output.Options{Width: int(f.width)}
	switch {
	case o.Width > 0:
	case tty:
		o.Width = columns
	default:
		o.Width = pipedWidth
	}
	switch f.color.value {
	case "always":
		o.Color = true
	case "auto":
		// NO_COLOR "when present and not an empty string" (no-color.org).
		o.Color = tty && a.env("NO_COLOR") == "" && a.env("TERM") != "dumb"
	}
	return o
}

// judge gives a verdict if the report is not accepted, nil if it is.
func (f *reportFlags) judge(r *report.Report, first bool) *verdict {
	v := verdict{level: f.failOn.value, changeLevel: f.failOnChange.value}
	for _, finding := range r.Findings {
		if finding.Accepted == nil && v.level != "none" && finding.Severity.Rank() <= report.Severity(v.level).Rank() {
			v.findings++
		}
	}
	if !r.Complete && !f.allowIncomplete {
		v.incomplete = true
	}
	if d := r.Drift; d != nil {
		v.changes = refusedChanges(d, v.changeLevel)
		missing := !d.Complete()
		if first { // the one thing that is unknown is no fault
			missing = d.UnknownTotal > 1
		}
		v.uncompared = missing && !f.allowIncomplete
	}
	if !v.refuses() && !v.incomplete && !v.uncompared {
		return nil
	}
	return &v
}

// refusedChanges counts the changes and deviations that --fail-on-change refuses. What may
// widen is counted with what does.
func refusedChanges(d *report.Drift, level string) int {
	switch level {
	case "any":
		return d.ChangesTotal + d.DeviationsTotal
	case "widening":
		n := d.Summary.Widens + d.Summary.Both + d.Summary.Unknown
		for i := range d.Deviations { // what widens comes first where they are capped
			if d.Deviations[i].Effect.Widens() {
				n++
			}
		}
		return n
	}
	return 0
}
