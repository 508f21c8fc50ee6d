package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteFileFails: an error half-way, or a cancelled run, leaves what was
// there, and nothing beside it.
func TestWriteFileFails(t *testing.T) {
	boom := errors.New("boom")
	half := func(then func() error) func(io.Writer) error {
		return func(w io.Writer) error {
			if _, err := io.WriteString(w, "half"); err != nil {
				return err
			}
			return then()
		}
	}
	for _, name := range []string{"new", "old", "new.gz", "old.gz"} {
		for what, test := range map[string]struct {
			emit func(cancel context.CancelFunc) func(io.Writer) error
			want error
		}{
			"error": {func(context.CancelFunc) func(io.Writer) error { return half(func() error { return boom }) }, boom},
			"cancel": {func(cancel context.CancelFunc) func(io.Writer) error {
				return half(func() error { cancel(); return nil })
			}, context.Canceled},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				dir := t.TempDir()
				for _, old := range []string{"old", "old.gz"} {
					if err := os.WriteFile(filepath.Join(dir, old), []byte("before"), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				err := writeFile(ctx, filepath.Join(dir, name), documentMode, test.emit(cancel))
				if !errors.Is(err, test.want) {
					t.Errorf("error %v, want %v", err, test.want)
				}
				entries, err := os.ReadDir(dir)
				if err != nil || len(entries) != 2 {
					t.Errorf("left behind: %v, %v", entries, err)
				}
				for _, e := range entries {
					if text, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || string(text) != "before" {
						t.Errorf("%s holds %q, %v", e.Name(), text, err)
					}
				}
			})
		}
	}
}

// TestWriteFileStops: nothing more is written once the run is cancelled, however
// long emit goes on.
func TestWriteFileStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := writeFile(ctx, filepath.Join(t.TempDir(), "f"), documentMode, func(w io.Writer) error {
		cancel()
		_, err := io.WriteString(w, "late")
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
