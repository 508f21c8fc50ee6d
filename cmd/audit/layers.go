package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
)

// layerFlags are the policies that stand above an account and that it cannot read.
type layerFlags struct{ scp, rcp string }

func (f *layerFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.scp, "scp", "", "service control policies on the account's path: a `file` is one level; a folder has a\n"+
		"folder of *.json per level, the root's first by name. Not for the management\n"+
		"account, which they do not bind")
	cmd.Flags().StringVar(&f.rcp, "rcp", "", "resource control policies on the account's path: a `file`, or a folder of *.json")
}

// maxPolicyFile bounds what is read of a file: a policy of the organization has some
// thousand characters.
const maxPolicyFile = 1 << 20

// read reads the policies that the flags name. Whatever is wrong with one of them is a
// usage error that names its file; then none is used.
func (f *layerFlags) read() ([]analyze.GivenPolicy, error) {
	var given []analyze.GivenPolicy
	if f.rcp != "" {
		levels, err := readLevels(f.rcp, false)
		if err != nil {
			return nil, usagef("--rcp %w", err)
		}
		for _, file := range levels[0] {
			g, err := analyze.ParseRCP(file.name, file.text)
			if err != nil {
				return nil, usagef("--rcp %s: %w", file.path, err)
			}
			given = append(given, g)
		}
	}
	if f.scp != "" {
		levels, err := readLevels(f.scp, true)
		if err != nil {
			return nil, usagef("--scp %w", err)
		}
		for level, files := range levels {
			for _, file := range files {
				g, err := analyze.ParseSCP(level, file.name, file.text)
				if err != nil {
					return nil, usagef("--scp %s: %w", file.path, err)
				}
				given = append(given, g)
			}
		}
	}
	return given, nil
}

// policyFile is a file as its path names it, and as a report does: below what was given.
type policyFile struct {
	path, name string
	text       []byte
}

// readLevels reads a file, a folder of files, or, where nested, a folder of folders of
// files, each level sorted by name. Files whose name begins with a dot are not looked at.
func readLevels(root string, nested bool) ([][]policyFile, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, bare(err)
	}
	if !info.IsDir() {
		file, err := readPolicyFile(root, filepath.Base(root))
		return [][]policyFile{{file}}, err
	}
	files, folders, err := list(root)
	switch {
	case err != nil:
		return nil, err
	case len(folders) == 0:
		level, err := readLevel(root, "", files)
		return [][]policyFile{level}, err
	case !nested:
		return nil, fmt.Errorf("%s: is a folder; only files are read here", filepath.Join(root, folders[0]))
	case len(files) > 0:
		return nil, fmt.Errorf("%s: has files (%s) beside folders (%s): give each level a folder", root, files[0], folders[0])
	}
	var levels [][]policyFile
	for _, folder := range folders {
		files, deeper, err := list(filepath.Join(root, folder))
		if err != nil {
			return nil, err
		}
		if len(deeper) > 0 {
			return nil, fmt.Errorf("%s: a folder within a level; levels stand side by side, the root's first by name", filepath.Join(root, folder, deeper[0]))
		}
		level, err := readLevel(filepath.Join(root, folder), folder, files)
		if err != nil {
			return nil, err
		}
		levels = append(levels, level)
	}
	return levels, nil
}

// list names the files and folders of a folder, sorted.
func list(dir string) (files, folders []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, bare(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, nil, bare(err)
		}
		if info.IsDir() {
			folders = append(folders, e.Name())
		} else {
			files = append(files, e.Name())
		}
	}
	return files, folders, nil
}

func readLevel(dir, below string, names []string) ([]policyFile, error) {
	if len(names) == 0 {
		return nil, fmt.Errorf("%s: has no *.json; a level without a policy allows nothing, and AWS has none", dir)
	}
	var level []policyFile
	for _, name := range names {
		if !strings.HasSuffix(name, ".json") {
			return nil, fmt.Errorf("%s: is no *.json; a level holds policy documents alone", filepath.Join(dir, name))
		}
		file, err := readPolicyFile(filepath.Join(dir, name), path.Join(below, name))
		if err != nil {
			return nil, err
		}
		level = append(level, file)
	}
	return level, nil
}

func readPolicyFile(name, short string) (policyFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return policyFile{}, bare(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err == nil && len(text) > maxPolicyFile {
		err = errors.New("is larger than any policy of an organization")
	}
	if err != nil {
		return policyFile{}, fmt.Errorf("%s: %w", name, bare(err))
	}
	return policyFile{name, short, text}, nil
}

// bare is an error of the file system without the name of the system call.
func bare(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Path, e.Err)
	}
	return err
}
