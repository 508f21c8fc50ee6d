package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"sagemaker-role-audit/internal/analyze/declared"
)

// maxTerraformFile bounds what is read of a state or plan.
const maxTerraformFile = 512 << 20

// readDeclared reads the file or the folder that --declared names. A folder is read as
// far as the account matters not; a state is, once the account is known.
func (c *comparer) readDeclared() error {
	root := c.flags.declared
	info, err := os.Stat(root)
	if err != nil {
		return bare(err)
	}
	if info.IsDir() {
		if c.files, err = policyFolders(root); err != nil {
			return err
		}
	} else if c.declared, err = readTerraform(root); err != nil {
		return err
	}
	if _, err := c.parseDeclared(""); err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	return nil
}

func (c *comparer) parseDeclared(account string) (*declared.Account, error) {
	name := filepath.Base(c.flags.declared)
	if c.files != nil {
		return declared.Folder(name, c.files)
	}
	return declared.Terraform(name, c.declared, account)
}

func readTerraform(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTerraformFile+1))
	if err == nil && len(text) > maxTerraformFile {
		err = errors.New("is larger than any state that is read here")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, bare(err))
	}
	return text, nil
}

// policyFolders reads ROLE/NAME.json below root.
func policyFolders(root string) ([]declared.File, error) {
	files, folders, err := list(root)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		return nil, fmt.Errorf("%s: is in no role's folder; the layout is ROLE/NAME.json", filepath.Join(root, files[0]))
	}
	out := []declared.File{}
	for _, folder := range folders {
		files, deeper, err := list(filepath.Join(root, folder))
		if err != nil {
			return nil, err
		}
		if len(deeper) > 0 {
			return nil, fmt.Errorf("%s: is a folder within a role's; the layout is ROLE/NAME.json", filepath.Join(root, folder, deeper[0]))
		}
		for _, name := range files {
			file, err := readPolicyFile(filepath.Join(root, folder, name), path.Join(folder, name))
			if err != nil {
				return nil, err
			}
			out = append(out, declared.File{Path: file.name, Text: file.text})
		}
	}
	return out, nil
}
