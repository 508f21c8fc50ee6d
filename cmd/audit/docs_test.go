package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

var (
	docCommand = regexp.MustCompile(`(?:^|[\s/;&|(=])audit ((?:run|report|baseline|permissions|drift|verify|check-job|propose|explain)\b(?:[^\n]*\\\n)*[^\n]*)`)
	docFlag    = regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`)
)

// TestDocsFlags: the command lines of the documentation's blocks name flags that there are.
func TestDocsFlags(t *testing.T) {
	root := (&app{env: os.Getenv}).root()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	n := 0
	for _, file := range append(files, readmeFile) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(string(text), "```") {
			if i%2 == 0 {
				continue // prose
			}
			for _, m := range docCommand.FindAllStringSubmatch(block, -1) {
				line, _, _ := strings.Cut(strings.ReplaceAll(m[1], "\\\n", " "), " #")
				cmd, _, err := root.Find(strings.Fields(line))
				if err != nil {
					t.Errorf("%s: audit %s: %v", file, line, err)
					continue
				}
				for _, f := range docFlag.FindAllStringSubmatch(line, -1) {
					n++
					if cmd.Flag(strings.TrimPrefix(f[1], "--")) == nil {
						t.Errorf("%s: audit %s: %s has no flag %s", file, line, cmd.CommandPath(), f[1])
					}
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d flags found: does the pattern still find command lines?", n)
	}
}

// TestDocsWords: the words of the contract stand in the documentation that explains them.
func TestDocsWords(t *testing.T) {
	for file, words := range map[string][]string{"declared.md": report.DeviationKinds, "exceptions.md": report.ExceptionStates} {
		text, err := os.ReadFile("../../docs/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(string(text), "| `"+word+"` |") {
				t.Errorf("docs/%s does not explain %s", file, word)
			}
		}
	}
}
