// Package output lays a report out as a table for people, whole or in brief, as JSON for
// programs or as one line for a subject. It decides nothing: every verdict, count and word of advice stands
// in the report already. Text that came from AWS is never trusted: what could
// drive a terminal is shown escaped in either format.
package output

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// Format names an output format. It is a flag value: Set accepts only Formats.
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	// Brief is the table in short: a few lines a role.
	Brief Format = "brief"
	// Summary is one line.
	Summary Format = "summary"
)

// Formats are all formats, as a flag's help lists them.
var Formats = []Format{Table, Brief, JSON, Summary}

// Set sets f to the format named s.
func (f *Format) Set(s string) error {
	if !slices.Contains(Formats, Format(s)) {
		names := make([]string, len(Formats))
		for i, g := range Formats {
			names[i] = string(g)
		}
		return fmt.Errorf("unknown format %q: want %s", s, strings.Join(names[:len(names)-1], ", ")+" or "+names[len(names)-1])
	}
	*f = Format(s)
	return nil
}

// String returns the format's name.
func (f Format) String() string { return string(f) }

// Type names the flag's value in help texts.
func (Format) Type() string { return "format" }

// MinWidth is the least width of a table, in columns, and that for a reader
// whose width is unknown.
const MinWidth = 80

// Options are the reader's wishes. They change the table's looks and never what
// it says; JSON ignores them.
type Options struct {
	// Width is the terminal's, in columns; less than MinWidth means MinWidth.
	Width int
	// Color marks severities and states. Whether to is the caller's decision.
	Color bool
}

// Write renders r in format f and copies it to w. Nothing is written unless the
// whole could be rendered; the error of w is returned.
func Write(w io.Writer, f Format, r *report.Report, o Options) error {
	var buf bytes.Buffer
	var err error
	switch f {
	case JSON:
		err = writeJSON(&buf, r)
	case Summary:
		err = writeOneLine(&buf, r)
	case Table:
		err = writeTable(&buf, r, o)
	case Brief:
		err = writeBrief(&buf, r, o)
	default:
		err = fmt.Errorf("unknown format %q", string(f))
	}
	if err != nil {
		return fmt.Errorf("render the report as %s: %w", f, err)
	}
	_, err = buf.WriteTo(w)
	return err
}
