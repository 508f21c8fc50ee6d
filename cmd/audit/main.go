// Command audit reads a live AWS account, finds every IAM role that SageMaker
// training jobs run as, compares what each may do with what it did and what its
// jobs need, and proposes the smallest policy that still works.
//
// This package is the command line and nothing else: flags, wiring, files and
// exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// memoryLimit holds an account of half a million jobs below a gigabyte: without
// it the collector's garbage would stand beside it (BenchmarkJobs500k). GOMEMLIMIT
// overrides it.
const memoryLimit = 800 << 20

func main() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
