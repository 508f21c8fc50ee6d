package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze/report"
)

// audit runs a command line within this process, where only the demo needs no
// stand-in, and returns what it printed.
func audit(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, log bytes.Buffer
	env := func(string) string { return "" }
	if code := run(t.Context(), args, env, strings.NewReader(""), &out, &log); code != want {
		t.Fatalf("audit %s: exit %d, want %d; stderr:\n%s", strings.Join(args, " "), code, want, log.String())
	}
	return out.String(), log.String()
}

// sampleSnapshot collects the sample account once for all tests.
var sampleSnapshot = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "snapshot")
	var log bytes.Buffer
	code := run(context.Background(), []string{"demo", "--quiet", "-o", "json=" + os.DevNull, "--save", file}, func(string) string { return "" },
		strings.NewReader(""), &bytes.Buffer{}, &log)
	if code != exitOK {
		return nil, fmt.Errorf("audit demo: exit %d: %s", code, log.String())
	}
	return os.ReadFile(file)
})

func snapshotFile(t *testing.T) string {
	t.Helper()
	data, err := sampleSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestSampleTables(t *testing.T) {
	from := snapshotFile(t)
	for _, width := range []string{"80", "140"} {
		t.Run(width, func(t *testing.T) {
			table, _ := audit(t, exitOK, "report", "--from", from, "--width", width)
			golden(t, "demo-"+width+".txt", []byte(table))
		})
	}
}

// TestSampleJSON compares the whole contract, but for the names of actions that
// were not seen: half of the text, and counted in it.
func TestSampleJSON(t *testing.T) {
	text, _ := audit(t, exitOK, "report", "--from", snapshotFile(t), "-o", "json")
	if err := checkReport([]byte(text)); err != nil {
		t.Fatal(err)
	}
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for i := range r.Roles {
		for _, unseen := range []report.Unseen{r.Roles[i].Unused, r.Roles[i].Unobservable} {
			for name, s := range unseen.Services {
				s.Actions = nil
				unseen.Services[name] = s
			}
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(r); err != nil {
		t.Fatal(err)
	}
	golden(t, "demo.json", b.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-want +got; make golden rewrites it):\n%s", file,
			cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}
