package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/exceptions"
)

// configFlag names the file of exceptions. None is looked for: a run from cron must not
// accept what happens to lie in its working directory.
type configFlag struct{ path string }

func (f *configFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "config", "", "exceptions: a `file` of findings that are accepted for a time (docs/exceptions.md)")
}

// read reads the file; nil without one.
func (f *configFlag) read() (*exceptions.File, error) {
	if f.path == "" {
		return nil, nil
	}
	text, err := readConfig(f.path)
	if err != nil {
		return nil, usagef("--config %w", err)
	}
	x, err := exceptions.Parse(f.path, text, analyze.Rules())
	if err != nil {
		return nil, usagef("--config %w", err)
	}
	x.Name = filepath.Base(f.path)
	return x, nil
}

func readConfig(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, exceptions.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, bare(err))
	}
	return text, nil
}

// readConfigIfThere is the same of a file that may not be there yet.
func readConfigIfThere(name string) ([]byte, error) {
	text, err := readConfig(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}
