package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// The exit codes, in one place for every subcommand and every format.
const (
	exitOK          = 0   // ran, nothing at or above --fail-on
	exitFailure     = 1   // could not run, a panic included
	exitUsage       = 2   // the command line makes no sense
	exitFindings    = 3   // findings at or above --fail-on, changes by --fail-on-change; the no of verify and check-job
	exitIncomplete  = 4   // something that was asked for could not be read or compared
	exitBoth        = 5   // 3 and 4
	exitInterrupted = 130 // SIGINT or SIGTERM
)

// usageError is an error in what the user typed.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// panicError is a bug in this program.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("internal error: %v", e.value) }

// verdict is a report that came out whole and is not accepted as it is.
type verdict struct {
	level       string // --fail-on
	findings    int    // at or above level
	changes     int    // and deviations, that changeLevel refuses
	changeLevel string // --fail-on-change
	uncompared  bool   // something that was to be compared could not be
	incomplete  bool
	no          string // why the answer of a command that answers yes or no is no
}

var changeWords = map[string]string{"any": "changes and deviations", "widening": "changes and deviations that widen, or may"}

func (v *verdict) Error() string {
	var why []string
	if v.no != "" {
		why = append(why, v.no)
	}
	if v.findings > 0 {
		why = append(why, fmt.Sprintf("findings at or above %s: %d", v.level, v.findings))
	}
	if v.changes > 0 {
		why = append(why, fmt.Sprintf("%s: %d (--fail-on-change %s)", changeWords[v.changeLevel], v.changes, v.changeLevel))
	}
	if v.uncompared {
		why = append(why, "not everything could be compared: the report names what (--allow-incomplete accepts that)")
	}
	if v.incomplete {
		why = append(why, "not complete: the report names the gaps (--allow-incomplete accepts them)")
	}
	return strings.Join(why, "; ")
}

// refuses reports whether what came out is not accepted, however complete it is.
func (v *verdict) refuses() bool { return v.findings > 0 || v.changes > 0 || v.no != "" }

// exitCode gives the code for what a command returned. Interrupted, whatever
// else went wrong followed from that.
func exitCode(ctx context.Context, err error) int {
	var (
		usage usageError
		v     *verdict
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &v) && v.refuses() && (v.incomplete || v.uncompared):
		return exitBoth
	case errors.As(err, &v) && v.refuses():
		return exitFindings
	case errors.As(err, &v):
		return exitIncomplete
	case ctx.Err() != nil:
		return exitInterrupted
	default:
		return exitFailure
	}
}
