package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"slices"
	"strings"
	"testing"
	"time"
)

func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	d, err := read(tarball(t, map[string]string{
		"package/package.json":               `{"version":"1.2.3","updatedAt":"2026-09-26T04:46:59.905Z"}`,
		"package/data/actions/s3.json":       `{"getobject":{"name":"GetObject","accessLevel":"Read","isPermissionOnly":true,"resourceTypes":[{"name":"object","required":true}]}}`,
		"package/data/resourceTypes/s3.json": `{"object":{"key":"object","arn":"arn:x"}}`,
		"package/dist/index.js":              `not read`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	a := d.Actions["s3"]["getobject"]
	if d.Version != "1.2.3" || d.Updated.Year() != 2026 || !a.PermissionOnly || !a.ResourceTypes[0].Required || d.ResourceTypes["s3"]["object"].ARN != "arn:x" {
		t.Errorf("%+v", d)
	}
	if _, err := read(tarball(t, map[string]string{"package/data/actions/s3.json": `{`})); err == nil {
		t.Error("broken JSON: no error")
	}
	if _, err := read([]byte("no tarball")); err == nil {
		t.Error("no tarball: no error")
	}
}

// TestRenderRefuses: a release that is broken must not become a catalogue.
func TestRenderRefuses(t *testing.T) {
	updated := time.Date(2026, 9, 26, 0, 0, 0, 0, time.UTC)
	one := func(a action) *data {
		return &data{Version: "1", Updated: updated, Actions: map[string]map[string]action{"s3": {"getobject": a}}}
	}
	good := action{Name: "GetObject", AccessLevel: "Read"}
	for _, tt := range []struct {
		name    string
		catalog *data
		want    string
	}{
		{"too few", one(good), "below the floor"},
		{"no date", &data{}, "updatedAt"},
		{"no level", one(action{Name: "GetObject"}), "no access level"},
		{"another name", one(action{Name: "PutObject", AccessLevel: "Read"}), "filed under"},
		{"undefined type", one(action{Name: "GetObject", AccessLevel: "Read", ResourceTypes: []actionUse{{Name: "object"}}}), "not defined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := render(tt.catalog, one(good)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestResourceTypes: the reference names a type once for each condition key.
func TestResourceTypes(t *testing.T) {
	a := action{ResourceTypes: []actionUse{{Name: "Object"}, {Name: "bucket"}, {Name: "object", Required: true}}}
	if got, err := resourceTypes(a, []string{"bucket", "object"}); err != nil || got != "0 1*" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestPassesRole(t *testing.T) {
	for _, tt := range []struct {
		a    action
		want bool
	}{
		{action{}, false},
		{action{DependentActions: []string{"iam:PassRole"}}, true},
		{action{ResourceTypes: []actionUse{{DependentActions: []string{"ec2:RunInstances", "iam:PassRole"}}}}, true},
	} {
		if got := passesRole(tt.a); got != tt.want {
			t.Errorf("%+v: %v", tt.a, got)
		}
	}
}

func TestPack(t *testing.T) {
	a, err := pack([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := pack([]byte("text"))
	if !slices.Equal(a, b) {
		t.Error("the same text gives other bytes")
	}
	if !slices.Equal(a[4:8], []byte{0, 0, 0, 0}) || a[9] != 255 {
		t.Errorf("header % x tells of time or machine", a[:10])
	}
}
