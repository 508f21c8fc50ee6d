package trailfiles

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// Dir is a folder on disk. It follows symbolic links only within the folder, reads
// regular files only, and never blocks on a pipe or a device.
type Dir struct {
	name string
	root *os.Root
}

// OpenDir opens a folder. Close it when the reading is done.
func OpenDir(name string) (*Dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return &Dir{name: strings.TrimSuffix(name, "/") + "/", root: root}, nil
}

// Close closes the folder.
func (d *Dir) Close() error { return d.root.Close() }

// Name is the folder as it was given, with a slash.
func (d *Dir) Name() string { return d.name }

// List yields the folders and files of a folder, by name, and a link's target in its
// place where that is a file within the folder. Links to folders are not followed, for
// they may go in circles: they are entries with an error. What cannot be reached has no
// size, and fails when it is opened.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		name := strings.TrimSuffix(prefix, "/")
		if name == "" {
			name = "."
		}
		dir, err := d.root.Open(name)
		if err != nil {
			yield(Object{}, dirError(err))
			return
		}
		defer dir.Close()
		for {
			// A folder may hold a million files: they are read some at a time.
			entries, err := dir.ReadDir(1000)
			for _, e := range entries {
				o := Object{Key: prefix + e.Name()}
				switch {
				case e.IsDir():
					o.Key += "/"
				default:
					if info, err := d.root.Stat(o.Key); err == nil && info.IsDir() {
						o.Err = &Error{Reason: snapshot.ReasonUnsupported, Err: errors.New("a link to a folder, which is not followed")}
					} else if err == nil {
						o.Size = info.Size()
					}
				}
				if !yield(o, nil) {
					return
				}
			}
			if err == nil {
				err = ctx.Err()
			}
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Object{}, dirError(err))
				return
			}
		}
	}
}

// Open opens a regular file.
func (d *Dir) Open(_ context.Context, key string) (io.ReadCloser, error) {
	info, err := d.root.Stat(key)
	if err != nil {
		return nil, dirError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{Reason: snapshot.ReasonUnsupported, Err: errors.New("not a regular file")}
	}
	f, err := d.root.Open(key)
	if err != nil {
		return nil, dirError(err)
	}
	return f, nil
}

// dirError gives an error of the file system its reason. The path is told by the gap.
func dirError(err error) error {
	reason := snapshot.ReasonBroken
	switch {
	case errors.Is(err, fs.ErrPermission):
		reason = snapshot.ReasonRefused
	case errors.Is(err, fs.ErrNotExist):
		reason = snapshot.ReasonMissing
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return &Error{Reason: reason, Err: err}
}
