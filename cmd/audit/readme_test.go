package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const readmeFile = "../../README.md"

// readmeBlock gives the fenced block behind a mark in README.md, and what stands
// before and after it.
func readmeBlock(t *testing.T, mark string) (before, block, after string) {
	t.Helper()
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), mark)
	fence, rest, opened := strings.Cut(rest, "\n```\n")
	language, block, _ := strings.Cut(strings.TrimPrefix(fence, "\n"), "\n")
	if !found || !opened || !strings.HasPrefix(language, "```") {
		t.Fatalf("README.md has no block behind %s", mark)
	}
	return before + mark + "\n" + language + "\n", block + "\n", "```\n" + rest
}

// TestReadmeSample cuts the sample out of README.md: it is what audit demo
// prints, less what "..." stands for.
func TestReadmeSample(t *testing.T) {
	printed, _ := audit(t, exitOK, "demo", "--quiet")
	overview, roles, ok := strings.Cut(printed, "\n\n"+strings.Repeat("=", pipedWidth)+"\n")
	if !ok {
		t.Fatal("audit demo prints no overview")
	}
	_, role, _ := strings.Cut(roles, "\npricing-training ")
	area := strings.Index(role, "\n  s3-read ")
	end := strings.Index(role, "\n  s3-write ")
	if area < 0 || end < area {
		t.Fatal("audit demo prints no areas of pricing-training")
	}
	want := overview + "\n\n...\n\npricing-training" + role[area:end]
	want = strings.TrimRight(want, "\n") + "\n"

	before, sample, after := readmeBlock(t, "<!-- from audit demo -->")
	if *update {
		if err := os.WriteFile(readmeFile, []byte(before+want+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if sample != want {
		t.Errorf("README.md shows what audit demo does not print (-README +demo; make golden rewrites it):\n%s",
			cmp.Diff(strings.Split(sample, "\n"), strings.Split(want, "\n")))
	}
}

// TestReadmePolicy: the policy in README.md is what audit permissions prints, and so
// is what it says that log files need beside it.
func TestReadmePolicy(t *testing.T) {
	want, stderr := audit(t, exitOK, "permissions")
	if stderr != "" {
		t.Errorf("stderr %q", stderr)
	}
	readmeShows(t, "<!-- from audit permissions -->", want)

	whole, _ := audit(t, exitOK, "permissions", "--usage", "trail", "--usage", "lookup")
	rest, ok := strings.CutPrefix(whole, strings.TrimSuffix(want, "\n  ]\n}\n")+",\n")
	if !ok {
		t.Fatalf("with log files it is not the same and more:\n%s", whole)
	}
	readmeShows(t, "<!-- from audit permissions --usage trail -->", strings.TrimSuffix(rest, "  ]\n}\n"))
}

// readmeShows holds a block of README.md against what is printed, or rewrites it.
func readmeShows(t *testing.T, mark, want string) {
	t.Helper()
	before, block, after := readmeBlock(t, mark)
	if *update {
		if err := os.WriteFile(readmeFile, []byte(before+want+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, block); diff != "" {
		t.Errorf("README.md's block behind %s is not what audit permissions prints (-audit +README; make golden rewrites it):\n%s", mark, diff)
	}
}
