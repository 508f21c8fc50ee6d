package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sagemaker-role-audit/internal/output"
)

// checkTree tells before hours of reading what writeTree would tell after them, as far as
// it does not hang on the contents. It leaves nothing behind.
func checkTree(dir string) error {
	within := filepath.Dir(filepath.Clean(dir))
	switch info, err := os.Stat(dir); {
	case err == nil && !info.IsDir():
		return fmt.Errorf("%s: is no directory", dir)
	case err == nil:
		within = dir
	case !errors.Is(err, fs.ErrNotExist):
		return bare(err)
	}
	probe := filepath.Join(within, "."+rand.Text()+".tmp")
	if err := os.Mkdir(probe, 0o777); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dir, cause(err))
	}
	return os.Remove(probe)
}

// cause is an error of the file system without call and path.
func cause(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// errUnsafeTree keeps a tree from being written over something else.
var errUnsafeTree = errors.New("is there with other contents, and nothing is written over")

// writeTree writes files below dir, all or none of them. A file that is there already
// with the same bytes is left as it is, one with others is an error.
func writeTree(ctx context.Context, dir string, files []output.File) (err error) {
	dir = filepath.Clean(dir)
	missing := make([]output.File, 0, len(files))
	for _, f := range files {
		switch there, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path))); {
		case errors.Is(err, fs.ErrNotExist) && !isThere(filepath.Join(dir, filepath.FromSlash(f.Path))):
			missing = append(missing, f)
		case err != nil:
			return bare(err)
		case !bytes.Equal(there, f.Text):
			return fmt.Errorf("%s: %w", filepath.Join(dir, filepath.FromSlash(f.Path)), errUnsafeTree)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// Written whole beside its place, then moved there.
	within, base := filepath.Split(dir)
	if isThere(dir) {
		within, base = dir, "audit"
	}
	temporary := filepath.Join(within, "."+base+"."+rand.Text()+".tmp")
	if err := os.Mkdir(temporary, 0o777); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dir, cause(err))
	}
	defer os.RemoveAll(temporary) // gone already once it was renamed
	for _, f := range missing {
		path := filepath.Join(temporary, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Text, documentMode); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if within != dir {
		return os.Rename(temporary, dir)
	}
	var made []string
	defer func() {
		for i := len(made) - 1; err != nil && i >= 0; i-- {
			os.Remove(made[i]) // a folder that somebody else uses stays
		}
	}()
	for _, f := range missing {
		to := filepath.Join(dir, filepath.FromSlash(f.Path))
		folders, err := makeFolders(filepath.Dir(to))
		made = append(made, folders...)
		if err != nil {
			return bare(err)
		}
		// A link, unlike a rename, is never put over what came there meanwhile.
		if err := os.Link(filepath.Join(temporary, filepath.FromSlash(f.Path)), to); err != nil {
			return fmt.Errorf("%s: cannot be written: %w", to, linkCause(err))
		}
		made = append(made, to)
	}
	return nil
}

func linkCause(err error) error {
	if e := (*os.LinkError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// isThere reports whether anything has the name, a dangling link included.
func isThere(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// makeFolders makes a folder and those above it, and names those that were not there.
func makeFolders(dir string) ([]string, error) {
	var missing []string
	for at := dir; !isThere(at); at = filepath.Dir(at) {
		missing = append(missing, at)
	}
	var made []string
	for i := len(missing) - 1; i >= 0; i-- {
		if err := os.Mkdir(missing[i], 0o777); err != nil {
			return made, err
		}
		made = append(made, missing[i])
	}
	return made, nil
}
