package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"sagemaker-role-audit/internal/analyze/report"
)

func TestFormat(t *testing.T) {
	var f Format
	for _, want := range Formats {
		if err := f.Set(string(want)); err != nil || f != want || f.String() != string(want) {
			t.Errorf("Set(%q) = %v, f = %q", want, err, f)
		}
	}
	err := f.Set("yaml")
	if err == nil || !strings.Contains(err.Error(), `"yaml"`) || !strings.Contains(err.Error(), "table, brief, json or summary") {
		t.Errorf("Set(yaml) = %v", err)
	}
	if err := Write(&bytes.Buffer{}, "yaml", sample(), Options{}); err == nil {
		t.Error("Write takes any format")
	}
}

type fullDisk struct{ written int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(b []byte) (int, error) {
	n := min(len(b), 100)
	d.written += n
	return n, errFull
}

func TestWriteReturnsTheErrorOfTheWriter(t *testing.T) {
	for _, f := range Formats {
		if err := Write(&fullDisk{}, f, sample(), Options{}); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", f, err)
		}
	}
}

func TestNothingIsWrittenOfWhatCannotBeRendered(t *testing.T) {
	r := sample()
	r.Roles[0].Proposal.Policies[0].Document = json.RawMessage(`{"Version":`)
	for _, f := range []Format{Table, JSON} { // the one line shows no document
		var d fullDisk
		if err := Write(&d, f, r, Options{}); err == nil || errors.Is(err, errFull) || d.written > 0 {
			t.Errorf("%s: %d bytes, %v", f, d.written, err)
		}
	}
}

// Every line fits the page, save those of a policy document that are one JSON
// string.
func TestWidth(t *testing.T) {
	for name, build := range samples {
		for _, width := range []int{0, 79, 80, 81, 99, 100, 101, 120, 139, 140, 200, 317} {
			out := render(t, Table, build(), Options{Width: width}) + render(t, Brief, build(), Options{Width: width})
			most := max(width, MinWidth)
			for i, line := range strings.Split(out, "\n") {
				inString := strings.Count(line, `"`) >= 2 && strings.HasPrefix(line, "  ") && (strings.HasSuffix(line, `"`) || strings.HasSuffix(line, `",`))
				if columns(line) > most && !inString {
					t.Errorf("%s at %d: line %d is %d wide: %s", name, width, i+1, columns(line), line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%s at %d: line %d ends in blanks", name, width, i+1)
				}
			}
		}
	}
}

// An ARN that fits into a line is never broken, wherever it stands.
func TestARNsStayWhole(t *testing.T) {
	for length := 30; length <= MinWidth; length++ {
		n := 0
		arn := func() string {
			n++
			s := fmt.Sprintf("arn:aws:s3:::%02d-bucket", n)
			return s + strings.Repeat("/x-y.z", 20)[:length-len(s)]
		}
		r := sample()
		role := &r.Roles[0]
		r.Caller = arn()
		role.ARN = arn()
		role.Policies[0].ARN = arn()
		role.Workloads[0].ARN = arn()
		role.Trust.OtherPrincipals[0] = arn()
		for i := range role.Cells {
			switch c := &role.Cells[i]; {
			case !slices.Contains(fourAreas, c.Area):
			case c.Rest:
				c.Patterns = []string{arn()}
			default:
				c.Resource = arn()
			}
		}
		r.Trails[0].ARN = arn()
		r.Trails[0].Records[0].Scope = []string{arn()}
		role.Areas[1].Proposed = []report.Cell{{Action: "s3:GetObject", Resources: []string{arn()}}}
		role.Required[len(role.Required)-1].Resources = []string{arn()}
		role.Missing = []report.Missing{{Action: "s3:GetObject", Resources: []string{arn()}}}
		role.Denied = []report.Denied{{Action: "s3:GetObject", Resources: []string{arn()}, ResourcesTotal: 1}}
		r.Findings[0].Subject = arn()
		r.Findings[0].Detail = "It allows * on " + arn() + " and more."
		r.Findings[0].Statement.Policy = arn()
		r.Gaps = []report.Gap{{Source: "iam:GetPolicy", Impact: "roles", Reason: "refused", Scope: arn(), Detail: "no access to " + arn()}}
		out := render(t, Table, r, Options{Width: MinWidth})
		for i := range n {
			prefix := fmt.Sprintf("arn:aws:s3:::%02d-bucket", i+1)
			if whole := prefix + strings.Repeat("/x-y.z", 20)[:length-len(prefix)]; !strings.Contains(out, whole) {
				t.Errorf("ARN %d of length %d is cut", i+1, length)
			}
		}
	}
}

// What the JSON lists of roles, findings and gaps, the table has too.
func TestNothingIsLeftOut(t *testing.T) {
	for name, build := range samples {
		r := build()
		for _, width := range []int{80, 120, 200} {
			out := render(t, Table, r, Options{Width: width})
			for _, role := range r.Roles {
				if !strings.Contains(out, "id "+role.ID) && role.ID != "" || !strings.Contains(out, role.Name) {
					t.Errorf("%s at %d: no role %s %s", name, width, role.Name, role.ID)
				}
			}
			for _, f := range r.Findings {
				if !strings.Contains(out, f.Rule+" "+f.ID) {
					t.Errorf("%s at %d: no finding %s", name, width, f.ID)
				}
			}
			words := strings.Join(strings.Fields(out), " ")
			for _, g := range r.Gaps {
				for _, part := range []string{g.Reason + ": " + g.Source, g.Region, g.Detail} {
					if !strings.Contains(words, part) {
						t.Errorf("%s at %d: gap %+v: no %q", name, width, g, part)
					}
				}
				if !strings.Contains(strings.Join(strings.Fields(out), ""), strings.Join(strings.Fields(g.Scope), "")) {
					t.Errorf("%s at %d: gap %+v: no scope", name, width, g)
				}
			}
		}
	}
}

// The worst role, its reason and what to do stand on the first page.
func TestWorstFirst(t *testing.T) {
	for _, width := range []int{80, 120, 200} {
		lines := strings.Split(render(t, Table, sample(), Options{Width: width}), "\n")
		first := strings.Join(lines[:24], "\n")
		last := -1
		for _, want := range []string{"Begin with    ml-platform-admin", "Every action on every resource is granted", "Detach AdministratorAccess", "ml-platform-admin", "AmazonSageMaker-", "forecasting (gone)"} {
			i := strings.Index(first[last+1:], want)
			if i < 0 {
				t.Fatalf("at %d: no %q in its place:\n%s", width, want, first)
			}
			last += 1 + i
		}
	}
}

func TestTableSaysNotComplete(t *testing.T) {
	for _, f := range []Format{Table, Brief} {
		out := render(t, f, incomplete(), Options{})
		for _, want := range []string{"NOT COMPLETE", "usage: cloudtrail:LookupEvents throttled in eu-west-1", "not read: ap-south-1", "Next: close the gaps and run again; then "} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q", f, want)
			}
		}
		if strings.Contains(render(t, f, sample(), Options{}), "NOT COMPLETE") {
			t.Errorf("%s: a complete run is called incomplete", f)
		}
	}
}

func TestDeterministic(t *testing.T) {
	for name, build := range samples {
		for _, f := range Formats {
			want := render(t, f, build(), Options{})
			for range 5 {
				if got := render(t, f, build(), Options{}); got != want {
					t.Fatalf("%s as %s differs: %s", name, f, cmp.Diff(want, got))
				}
			}
		}
	}
}

// Colour changes nothing but colour, and ends on the line where it began.
func TestColor(t *testing.T) {
	for name, build := range samples {
		for _, look := range []struct {
			format Format
			width  int
		}{{Table, 80}, {Table, 120}, {Table, 200}, {Brief, 80}, {Brief, 120}, {Brief, 200}} {
			color := render(t, look.format, build(), Options{Width: look.width, Color: true})
			for line := range strings.Lines(color) {
				if on, off := strings.Count(line, "\x1b["), strings.Count(line, "\x1b[0m"); on != 2*off {
					t.Errorf("%s: colour runs on: %q", name, line)
				}
			}
			bare := color
			for _, st := range []style{bad, worse, warn, notice, good, "0"} {
				bare = strings.ReplaceAll(bare, "\x1b["+string(st)+"m", "")
			}
			if want := render(t, look.format, build(), Options{Width: look.width}); bare != want {
				t.Errorf("%s as %s at %d: %s", name, look.format, look.width, cmp.Diff(want, bare))
			}
		}
	}
}

// hostile holds what drives terminals or deceives readers.
const hostile = "a\x1b[2J\x1b]0;title\x07b\r\nc\td\x00e\x7ff\u009b31mg\u202eh\u200bi\u2028j\u2029k\ufeffl\u00adm\U000e0041n\xffo|p`q"

// poison puts hostile text into every string of v, keys included.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			for i := range v.NumField() {
				poison(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte("{\"Sid\":\"a\u009b31m\u202e\u2028\x7f\U000e0041 \\u001b[2J\"}"))
			return
		}
		if v.Len() == 0 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		}
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		poison(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(hostile), e)
	case reflect.String:
		v.SetString(v.String() + hostile)
	}
}

func assertHarmless(t *testing.T, out string) {
	t.Helper()
	for i, r := range out {
		if r == '\n' {
			continue
		}
		if r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Fatalf("%U at %d: %q", r, i, out[max(0, i-40):min(len(out), i+20)])
		}
	}
}

func TestHostileText(t *testing.T) {
	for name, build := range samples {
		r := build()
		poison(reflect.ValueOf(r).Elem())
		for _, width := range []int{80, 120, 200} {
			out := render(t, Table, r, Options{Width: width})
			assertHarmless(t, out)
			if name == "sample" && !strings.Contains(out, `\x1b`) {
				t.Error("the escapes are not shown")
			}
			if lines := strings.Count(out, "\n"); strings.Count(out, `\r\n`) == 0 || lines == 0 {
				t.Error("line breaks of AWS text are not shown")
			}
			assertHarmless(t, render(t, Brief, r, Options{Width: width}))
		}
		assertHarmless(t, strings.ReplaceAll(render(t, JSON, r, Options{}), `\ufffd`, ""))
	}
}

// JSON keeps every value, whatever it escapes, and is what the schema describes.
func TestJSONIsTheContract(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(report.SchemaJSON))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema := c.MustCompile("schema.json")
	for name, build := range samples {
		r := build()
		if len(r.Roles) > 0 {
			r.Roles[0].Name = "tag \U000e0041 csi \u009b del \x7f sep \u2028 & <b>"
		}
		out := render(t, JSON, r, Options{})
		if !strings.HasPrefix(out, "{\n  \"schemaVersion\": 1,\n") || !strings.HasSuffix(out, "\n}\n") {
			t.Errorf("%s: not indented by two, or without a final newline", name)
		}
		var back report.Report
		if err := json.Unmarshal([]byte(out), &back); err != nil {
			t.Fatal(err)
		}
		if len(r.Roles) > 0 {
			if back.Roles[0].Name != r.Roles[0].Name {
				t.Errorf("%s: name is %q", name, back.Roles[0].Name)
			}
			if !strings.Contains(out, "& <b>") {
				t.Errorf("%s: HTML is escaped", name)
			}
		}
		if again := render(t, JSON, &back, Options{}); again != out {
			t.Errorf("%s: %s", name, cmp.Diff(out, again))
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
