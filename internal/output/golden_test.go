package output

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze/report"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func render(t testing.TB, f Format, r *report.Report, o Options) string {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, f, r, o); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

var samples = map[string]func() *report.Report{
	"sample":     sample,
	"incomplete": incomplete,
	"empty":      empty,
	"crowd":      func() *report.Report { return crowd(7) },
}

func TestGolden(t *testing.T) {
	for name, build := range samples {
		if name == "crowd" { // held by its properties: the files would be large
			continue
		}
		golden(t, name+".json", render(t, JSON, build(), Options{}))
		for _, width := range []int{80, 120, 200} {
			golden(t, fmt.Sprintf("%s.%d.txt", name, width), render(t, Table, build(), Options{Width: width}))
		}
		golden(t, name+".brief.txt", render(t, Brief, build(), Options{Width: 100}))
	}
	golden(t, "sample.color.txt", render(t, Table, sample(), Options{Width: 100, Color: true}))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}
