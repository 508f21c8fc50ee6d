package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sagemaker-role-audit"

// The rooms of the house, and what the package in each may import besides the
// standard library: a package, all below it (/...), or nothing. Test files are
// free. A package that is not listed fails the test.
var rooms = map[string][]string{
	"cmd/audit": {
		"internal/...", "github.com/spf13/...", "github.com/vbauerster/...", "golang.org/x/term",
	},
	"internal/analyze": {
		"internal/analyze/...", "internal/collect/snapshot",
	},
	"internal/analyze/actions": {},
	"internal/analyze/declared": {
		"internal/analyze/policy", "github.com/hashicorp/terraform-json",
	},
	"internal/analyze/exceptions": {
		"internal/analyze/report", "internal/collect/snapshot", "go.yaml.in/yaml/v3",
	},
	"internal/analyze/actions/generate":      {},
	"internal/analyze/policy":                {},
	"internal/analyze/policy/internal/naive": {},
	"internal/analyze/report":                {},
	"internal/collect": {
		"internal/collect/snapshot", "internal/collect/trailfiles", "github.com/aws/...", "golang.org/x/sync/...", "golang.org/x/time/...",
	},
	"internal/collect/awssim":   {},
	"internal/collect/history":  {"internal/collect/snapshot", "github.com/gofrs/flock"},
	"internal/collect/snapshot": {},
	"internal/collect/trailfiles": {
		"internal/collect/snapshot", "internal/collect/trailfiles/gunzip", "internal/collect/trailfiles/quotes",
	},
	"internal/collect/trailfiles/gunzip": {},
	"internal/collect/trailfiles/quotes": {},
	"internal/collect/trailfiles/trailbench": {
		"internal/collect/snapshot", "internal/collect/trailfiles", "internal/collect/trailfiles/trailgen", "github.com/klauspost/compress/gzip",
	},
	"internal/collect/trailfiles/trailgen": {"github.com/klauspost/compress/gzip"},
	"internal/output": {
		"internal/analyze/report", "internal/analyze/policy", "github.com/olekukonko/...",
		"github.com/hashicorp/hcl/v2", "github.com/hashicorp/hcl/v2/hclsyntax", "github.com/hashicorp/hcl/v2/hclwrite",
		"github.com/zclconf/go-cty/cty",
	},
}

func TestImports(t *testing.T) {
	imports := importsOf(t, "../..")
	for room := range rooms {
		if imports[room] == nil {
			t.Errorf("%s is gone", room)
		}
	}
	for pkg, list := range imports {
		allowed, known := rooms[pkg]
		if !known {
			t.Errorf("%s is in no room: which imports may it have?", pkg)
			continue
		}
		for _, imported := range slices.Sorted(maps.Keys(list)) {
			if !slices.ContainsFunc(allowed, func(pattern string) bool { return covers(pattern, imported) }) {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}

// covers reports whether an import, without the module's name, is what a
// pattern of rooms allows.
func covers(pattern, imported string) bool {
	prefix, below := strings.CutSuffix(pattern, "/...")
	return imported == prefix || below && strings.HasPrefix(imported, prefix+"/")
}

// importsOf gives the imports of every package under root, less the standard
// library and tests, by directory.
func importsOf(t *testing.T, root string) map[string]map[string]bool {
	t.Helper()
	imports := make(map[string]map[string]bool)
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "testdata" || strings.HasPrefix(name, ".") && name != ".." && name != ".") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		if imports[pkg] == nil {
			imports[pkg] = make(map[string]bool)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			first, _, _ := strings.Cut(imported, "/")
			switch {
			case first == module:
				imports[pkg][strings.TrimPrefix(imported, module+"/")] = true
			case strings.Contains(first, "."):
				imports[pkg][imported] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// TestAWSSDK: nothing but collect can talk to AWS, so that nothing but its list
// of operations says what leaves the process.
func TestAWSSDK(t *testing.T) {
	for pkg, list := range importsOf(t, "../..") {
		for imported := range list {
			if pkg != "internal/collect" && strings.HasPrefix(imported, "github.com/aws/") {
				t.Errorf("%s imports %s", pkg, imported)
			}
		}
	}
}
