package main

import (
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stdoutPath stands for the standard output among paths.
const stdoutPath = "-"

// toStdout reports whether a path is the standard output under one of its names.
func toStdout(path string) bool {
	switch path {
	case stdoutPath, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1":
		return true
	}
	return false
}

// The modes of new files. The umask narrows both.
const (
	documentMode fs.FileMode = 0o666
	snapshotMode fs.FileMode = 0o600 // a snapshot is the evidence: nobody else's to read
)

// writeFile writes what emit gives to path: whole or not at all where that is a
// regular file or nothing yet, straight through where it is a FIFO or a device.
// A path that ends in .gz is compressed. The file appears only after emit is
// done; a cancelled ctx ends the writing and leaves nothing behind.
func writeFile(ctx context.Context, path string, mode fs.FileMode, emit func(io.Writer) error) error {
	d, err := locate(path)
	if err != nil {
		return err
	}
	if d.through {
		f, err := os.OpenFile(d.path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(emitTo(ctx, f, path, emit), f.Close())
	}
	f, err := d.temporary(mode)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already once it was renamed
	if err := errors.Join(emitTo(ctx, f, path, emit), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.path)
}

// checkWritable tells before hours of reading what writeFile would tell after
// them. It leaves nothing behind.
func checkWritable(path string) error {
	d, err := locate(path)
	if err != nil || d.through {
		return err
	}
	f, err := d.temporary(snapshotMode)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// destination is where the bytes for a path go.
type destination struct {
	path string // behind any symbolic link
	// through: a FIFO or a device, which a rename would replace.
	through bool
	// perm are the permissions of the file that is there, 0 for none.
	perm fs.FileMode
}

func locate(path string) (destination, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return destination{path: path}, nil
	case err != nil:
		return destination{}, err
	case info.IsDir():
		return destination{}, fmt.Errorf("%s: is a directory", path)
	case !info.Mode().IsRegular():
		return destination{path: path, through: true}, nil
	}
	path, err = filepath.EvalSymlinks(path)
	return destination{path: path, perm: info.Mode().Perm()}, err
}

// temporary creates a file beside the destination, so that renaming stays
// within one file system. A file that is there keeps its permissions as far as
// mode allows them. Errors name the destination.
func (d destination) temporary(mode fs.FileMode) (*os.File, error) {
	name := filepath.Join(filepath.Dir(d.path), "."+filepath.Base(d.path)+"."+rand.Text()+".tmp")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
			err = fmt.Errorf("%s: cannot be written: %w", d.path, pathErr.Err)
		}
		return nil, err
	}
	if d.perm != 0 {
		if err := f.Chmod(d.perm & mode); err != nil {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
	}
	return f, nil
}

func emitTo(ctx context.Context, w io.Writer, path string, emit func(io.Writer) error) error {
	w = contextWriter{ctx, w}
	if !strings.HasSuffix(path, ".gz") {
		return emit(w)
	}
	z := gzip.NewWriter(w)
	if err := emit(z); err != nil {
		return err
	}
	return z.Close()
}

// contextWriter stops writing once ctx is done.
type contextWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c contextWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
