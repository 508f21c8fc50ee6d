package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect"
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

// TestReadmePolicy: the policy in README.md grants what collect may call, no
// more and no less.
func TestReadmePolicy(t *testing.T) {
	_, block, _ := readmeBlock(t, "<!-- the policy audit run needs -->")
	var policy struct {
		Version   string
		Statement []struct {
			Effect, Resource string
			Action           []string
		}
	}
	if err := json.Unmarshal([]byte(block), &policy); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, operation := range collect.Operations() {
		want = append(want, operation.Actions...)
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if len(policy.Statement) != 1 || policy.Statement[0].Effect != "Allow" || policy.Statement[0].Resource != "*" {
		t.Fatalf("one Allow on * is enough, not %+v", policy.Statement)
	}
	if diff := cmp.Diff(want, policy.Statement[0].Action); diff != "" {
		t.Errorf("README.md's policy differs from what audit run calls (-calls +README):\n%s", diff)
	}
}
