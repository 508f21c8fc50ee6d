package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/output"
)

// TestProposeGoldens: a role that is nothing but the four areas, and one with a key, a
// manifest and Denies, in either format; a second run gives the same bytes.
func TestProposeGoldens(t *testing.T) {
	from := snapshotFile(t)
	for _, role := range []string{"churn-training", "search-ranking-training"} {
		for format, ext := range map[string]string{"json": "json", "terraform": "tf"} {
			args := []string{"propose", "--from", from, "--role", role, "-o", format, "-q"}
			first, _ := audit(t, exitOK, args...)
			second, _ := audit(t, exitOK, args...)
			if first != second {
				t.Errorf("%s: two runs give two documents", role)
			}
			if format == "json" {
				if err := checkProposal([]byte(first)); err != nil {
					t.Errorf("%s: %v", role, err)
				}
			} else {
				// The module is the same for all: one golden file would be of its own source.
				first, _, _ = strings.Cut(first, "\n# file: modules/")
			}
			golden(t, "propose-"+role+"."+ext, []byte(first))
		}
	}
}

// checkProposal errs on a proposal that does not fit its schema.
func checkProposal(text []byte) error {
	return fits(report.ProposalSchemaJSON, text)
}

// TestProposalEvidence: every proposal of the sample account fits the schema, and each
// action that it allows in one of the four areas stands on a job or an event.
func TestProposalEvidence(t *testing.T) {
	for name, form := range forms {
		for _, p := range sampleProposals(t, form) {
			var buf bytes.Buffer
			if err := output.WriteProposal(&buf, p); err != nil {
				t.Fatal(err)
			}
			if err := checkProposal(buf.Bytes()); err != nil {
				t.Errorf("%s, %s: %v", p.Role.Name, name, err)
			}
			for _, st := range p.Statements {
				deny := st.Section == "kept-denies"
				if (len(st.Evidence) == 0) != deny && len(p.Policies) > 0 {
					t.Errorf("%s, %s: %s has evidence of %d actions", p.Role.Name, name, st.Sid, len(st.Evidence))
				}
				for _, e := range st.Evidence {
					if len(e.Jobs)+len(e.Events) == 0 && st.Section == "core" {
						t.Errorf("%s, %s: nothing stands behind %s of %s", p.Role.Name, name, e.Action, st.Sid)
					}
				}
			}
		}
	}
}

// TestProposeDocs: docs/propose.md names every key of the object.
func TestProposeDocs(t *testing.T) {
	doc, err := os.ReadFile("../../docs/propose.md")
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	ours := []reflect.Type{reflect.TypeFor[report.ProposalRole](), reflect.TypeFor[report.ProposalForm](), reflect.TypeFor[report.ProposedStatement](),
		reflect.TypeFor[report.Statement](), reflect.TypeFor[report.ActionEvidence](), reflect.TypeFor[report.ProposedPolicy](), reflect.TypeFor[report.Removed](), reflect.TypeFor[report.Proof](),
		reflect.TypeFor[report.Backtest]()}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			if key := strings.Split(f.Tag.Get("json"), ",")[0]; key != "" {
				keys[key] = true
			}
			of := f.Type
			for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			if slices.Contains(ours, of) {
				walk(of)
			}
		}
	}
	walk(reflect.TypeFor[report.RoleProposal]())
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !strings.Contains(string(doc), "`"+key+"`") {
			t.Errorf("docs/propose.md does not name %s", key)
		}
	}
}

// TestProposable: which role is meant.
func TestProposable(t *testing.T) {
	role := func(name, id string, exists bool) report.ExplainedRole {
		return report.ExplainedRole{ARN: "arn:aws:iam::123456789012:role/" + name, ID: id, Name: name, Exists: exists}
	}
	roles := []report.ExplainedRole{role("a", "AROA1", true), role("anew", "AROA2", false), role("anew", "AROA3", true), role("gone", "AROA4", false), role("unread", "AROA5", true)}
	for selector, want := range map[string]string{
		"a": "AROA1", "AROA1": "AROA1", "arn:aws:iam::123456789012:role/a": "AROA1",
		"anew":   "AROA3", // the present one of two
		"an*":    "AROA3",
		"a*":     "fits 2 roles, and a proposal is for one: arn:aws:iam::123456789012:role/a, arn:aws:iam::123456789012:role/anew",
		"gone":   "IAM does not have arn:aws:iam::123456789012:role/gone any more",
		"AROA2":  "IAM does not have",
		"none":   "no execution role fits \"none\"; there are a, anew, unread",
		"unread": "AROA5",
	} {
		got, err := proposable(roles, selector)
		var usage usageError
		switch {
		case err == nil && got.ID != want:
			t.Errorf("%s is %s, want %s", selector, got.ID, want)
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%s: error %v, want %s", selector, err, want)
		case err != nil && !errors.As(err, &usage):
			t.Errorf("%s: error %v is of the wrong kind", selector, err)
		}
	}
	if _, err := proposable(nil, "a"); err == nil || !strings.Contains(err.Error(), "the account has no execution role") {
		t.Errorf("an empty account: %v", err)
	}
	unread := &report.Report{Roles: []report.Role{{ARN: "arn:aws:iam::123456789012:role/unread", ReadinessWhy: []string{"A policy could not be read."}}}}
	if _, err := proposed(unread); err == nil || !strings.Contains(err.Error(), "unread has no proposal: A policy could not be read.") {
		t.Errorf("a role that was not read: %v", err)
	}
}

// listing names what is below a folder.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		out = append(out, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWriteTree: all files or none, never over others, and nothing left beside them.
func TestWriteTree(t *testing.T) {
	tree := []output.File{{Path: "main.tf", Text: []byte("a\n")}, {Path: "modules/m/main.tf", Text: []byte("b\n")}, {Path: "modules/m/outputs.tf", Text: []byte("c\n")}}
	all := []string{".", "main.tf", "modules", "modules/m", "modules/m/main.tf", "modules/m/outputs.tf"}
	for _, test := range []struct {
		name    string
		there   map[string]string
		want    []string
		refusal string
	}{
		{"empty", nil, all, ""},
		{"half of it", map[string]string{"modules/m/main.tf": "b\n"}, all, ""},
		{"all of it", map[string]string{"main.tf": "a\n", "modules/m/main.tf": "b\n", "modules/m/outputs.tf": "c\n"}, all, ""},
		{"something else", map[string]string{"notes": "x"}, []string{".", "main.tf", "modules", "modules/m", "modules/m/main.tf", "modules/m/outputs.tf", "notes"}, ""},
		{"other contents", map[string]string{"modules/m/main.tf": "z\n"}, []string{".", "modules", "modules/m", "modules/m/main.tf"}, "modules/m/main.tf: is there with other contents"},
		{"a file for a folder", map[string]string{"modules": "z\n"}, []string{".", "modules"}, "modules"},
		{"a folder for a file", map[string]string{"main.tf/x": "z\n"}, []string{".", "main.tf", "main.tf/x"}, "main.tf: is a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range test.there {
				put(t, filepath.Join(dir, name), []byte(text))
			}
			err := writeTree(t.Context(), dir, tree)
			if test.refusal == "" && err != nil || test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)) {
				t.Errorf("error %v, want %q", err, test.refusal)
			}
			if got := listing(t, dir); !slices.Equal(got, test.want) {
				t.Errorf("there is %q, want %q", got, test.want)
			}
			for name, text := range test.there {
				if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != text {
					t.Errorf("%s holds %q now", name, got)
				}
			}
		})
	}
	t.Run("a dangling link", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Symlink("nowhere", filepath.Join(dir, "main.tf")); err != nil {
			t.Fatal(err)
		}
		if err := writeTree(t.Context(), dir, tree); err == nil || !slices.Equal(listing(t, dir), []string{".", "main.tf"}) {
			t.Errorf("error %v, there is %q", err, listing(t, dir))
		}
	})
	t.Run("new", func(t *testing.T) {
		above := t.TempDir()
		dir := filepath.Join(above, "new") + "/"
		if err := errors.Join(checkTree(dir), writeTree(t.Context(), dir, tree)); err != nil || !slices.Equal(listing(t, dir), all) || len(listing(t, above)) != 1+len(all) {
			t.Errorf("error %v, there is %q", err, listing(t, above))
		}
		if err := writeTree(t.Context(), filepath.Join(above, "no/such"), tree); err == nil || !strings.Contains(err.Error(), "no/such: cannot be written: no such file") {
			t.Errorf("error %v", err)
		}
		if err := checkTree(filepath.Join(dir, "main.tf")); err == nil || !strings.HasSuffix(err.Error(), "main.tf: is no directory") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		above := t.TempDir()
		if err := writeTree(ctx, filepath.Join(above, "new"), tree); !errors.Is(err, context.Canceled) || len(listing(t, above)) != 1 {
			t.Errorf("error %v, there is %q", err, listing(t, above))
		}
	})
}

// TestProposalFlags: every pair that has no meaning, and what the others come to.
func TestProposalFlags(t *testing.T) {
	bad := 0
	flags := map[string]func(*proposalFlags){
		"--granularity bucket": func(f *proposalFlags) { f.granularity.value = "bucket" }, "--strict": func(f *proposalFlags) { f.strict = true },
		"--add-missing": func(f *proposalFlags) { f.addMissing = true }, "--keep-unobservable": func(f *proposalFlags) { f.keepUnobservable = true },
		"--reference": func(f *proposalFlags) { f.reference = true },
	}
	for one, set := range flags {
		for two, also := range flags {
			f := proposalFlags{granularity: oneOf("prefix", "bucket")}
			set(&f)
			also(&f)
			if err := f.check(); err != nil {
				bad++
				if !strings.Contains(err.Error(), one) || !strings.Contains(err.Error(), two) {
					t.Errorf("%s %s: %v names neither", one, two, err)
				}
			}
			var as map[string]any
			text, err := json.Marshal(f.form())
			if err := errors.Join(err, json.Unmarshal(text, &as)); err != nil {
				t.Fatal(err)
			}
			o := f.options()
			if got := []any{o.ByBucket, o.Strict, o.AddMissing, o.KeepUnobservable, o.Reference}; !reflect.DeepEqual(got,
				[]any{as["granularity"] == "bucket", as["strict"], as["addMissing"], as["keepUnobservable"], as["reference"]}) {
				t.Errorf("%s %s: asked %v, told %v", one, two, got, as)
			}
		}
	}
	if bad != 8 {
		t.Errorf("%d of 8 ordered pairs are refused", bad)
	}
}

// TestProposalTimes: the object tells the snapshot's time, and none of the machine's.
func TestProposalTimes(t *testing.T) {
	for _, p := range sampleProposals(t, forms["default"])[:1] {
		if !p.GeneratedAt.Equal(accountNow) || p.Window.To.After(accountNow) || p.GeneratedAt.Location() != time.UTC {
			t.Errorf("%s, window %v", p.GeneratedAt, p.Window)
		}
	}
}
