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
}

func (f *reportFlags) register(cmd *cobra.Command) {
	f.documents = documents{list: []document{{output.Table, stdoutPath}}}
	f.color = oneOf("auto", "always", "never")
	f.failOn = oneOf("none", "low", "medium", "high", "critical")
	flags := cmd.Flags()
	flags.VarP(&f.documents, "output", "o", "table or json, on stdout or =FILE (.gz compresses); repeatable")
	flags.Var(&f.width, "width", "columns of the table; 0: the terminal's, 100 without one")
	flags.Var(&f.color, "color", "colours in the table; auto: on a terminal, unless NO_COLOR is set")
	flags.Var(&f.failOn, "fail-on", "exit 3 with findings of this severity or above")
	flags.BoolVar(&f.allowIncomplete, "allow-incomplete", false, "exit 0 although something could not be read")
	completeChoices(cmd, "color", &f.color)
	completeChoices(cmd, "fail-on", &f.failOn)
	completeWords(cmd, "output", []string{"table", "json", "table=", "json="})
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
func (a *app) deliver(ctx context.Context, f *reportFlags, r *report.Report) error {
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
		if !toStdout(d.path) {
			continue
		}
		if err := output.Write(contextWriter{ctx, a.stdout}, d.format, r, a.look(f, a.stdout)); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	return f.judge(r)
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

// judge errs with a verdict if the report is not accepted.
func (f *reportFlags) judge(r *report.Report) error {
	v := verdict{level: f.failOn.value}
	for _, finding := range r.Findings {
		if v.level != "none" && finding.Severity.Rank() <= report.Severity(v.level).Rank() {
			v.findings++
		}
	}
	if !r.Complete && !f.allowIncomplete {
		v.incomplete = true
	}
	if v.findings == 0 && !v.incomplete {
		return nil
	}
	return &v
}
