package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestExitCode(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), nil, exitOK},
		{t.Context(), errors.New("x"), exitFailure},
		{t.Context(), &panicError{value: "x"}, exitFailure},
		{t.Context(), context.DeadlineExceeded, exitFailure},
		{t.Context(), fmt.Errorf("x: %w", usagef("y")), exitUsage},
		{t.Context(), &verdict{findings: 1}, exitFindings},
		{t.Context(), &verdict{incomplete: true}, exitIncomplete},
		{t.Context(), &verdict{no: "no"}, exitFindings},
		{t.Context(), &verdict{changes: 1}, exitFindings},
		{t.Context(), &verdict{uncompared: true}, exitIncomplete},
		{t.Context(), &verdict{changes: 1, uncompared: true}, exitBoth},
		{t.Context(), &verdict{findings: 1, uncompared: true}, exitBoth},
		{t.Context(), &verdict{no: "no", incomplete: true}, exitBoth},
		{t.Context(), fmt.Errorf("x: %w", &verdict{findings: 2, incomplete: true}), exitBoth},
		{cancelled, fmt.Errorf("x: %w", context.Canceled), exitInterrupted},
		{cancelled, errors.New("the connection was closed"), exitInterrupted},
		{cancelled, nil, exitOK},                         // it was done by then
		{cancelled, usagef("y"), exitUsage},              // before anything could be interrupted
		{cancelled, &verdict{findings: 1}, exitFindings}, // its document is out
	} {
		if got := exitCode(test.ctx, test.err); got != test.want {
			t.Errorf("exitCode(%v) is %d, want %d", test.err, got, test.want)
		}
	}
}

// TestPanic: a bug in the program is exit 1 with a stack, not Go's exit 2, which
// means usage here.
func TestPanic(t *testing.T) {
	var stdout, stderr bytes.Buffer
	env := func(string) string { panic("env\x1b[2J") }
	code := run(t.Context(), []string{"run", "--lookup-rate", "3"}, env, strings.NewReader(""), &stdout, &stderr)
	if code != exitFailure || stdout.Len() > 0 || !strings.HasPrefix(stderr.String(), `audit: internal error: env\u001b[2J`) ||
		!strings.Contains(stderr.String(), "validate.go") {
		t.Errorf("exit %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}

// TestInterruptedWhileBusy: a command that hears nothing of ctx, as the analysis
// of a large snapshot, does not keep the program.
func TestInterruptedWhileBusy(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, hold := io.Pipe()
	defer hold.Close()
	var stderr bytes.Buffer
	read := make(chan struct{})
	go func() { <-read; cancel() }()
	code := run(ctx, []string{"simulate", "--cases", "-"}, func(string) string { return "" }, &notifying{in, read}, io.Discard, &stderr)
	if code != exitInterrupted || stderr.String() != "audit: interrupted\n" {
		t.Errorf("exit %d, stderr %q", code, stderr.String())
	}
}

// notifying closes began at its first Read.
type notifying struct {
	io.Reader
	began chan struct{}
}

func (n *notifying) Read(p []byte) (int, error) {
	close(n.began)
	return n.Reader.Read(p)
}

// TestCommandsAreStrict: every command, however deep, refuses arguments that it
// does not know.
func TestCommandsAreStrict(t *testing.T) {
	a := &app{env: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "nosuch")
		if cmd.Name() == "drift" { // takes two files, whatever their names
			args = append(args, "nosuch", "nosuch")
		}
		var usage usageError
		if err := a.execute(t.Context(), args); !errors.As(err, &usage) {
			t.Errorf("audit %s: error %v, want a usage error", strings.Join(args, " "), err)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
}
