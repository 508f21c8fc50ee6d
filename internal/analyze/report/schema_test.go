package report_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sagemaker-role-audit/internal/analyze/report"
)

// contract is a document with its schema.
type contract struct {
	name   string
	schema []byte
	typ    reflect.Type
	full   func(t *testing.T) map[string]any
	enums  int // at least so many are in it
}

var contracts = []contract{
	{"report", report.SchemaJSON, reflect.TypeFor[report.Report](), full, 15},
	{"proposal", report.ProposalSchemaJSON, reflect.TypeFor[report.RoleProposal](), fullProposal, 10},
	{"drift", report.DriftSchemaJSON, reflect.TypeFor[report.DriftReport](), fullDrift, 10},
}

func (c contract) compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	_, s := compiled(t, c.schema)
	return s
}

// compiled is a schema as decoded JSON and ready to validate.
func compiled(t *testing.T, text []byte) (any, *jsonschema.Schema) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return doc, s
}

func each(t *testing.T, test func(*testing.T, contract)) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) { test(t, c) })
	}
}

// full is a report with one element in every array and map and a value in every
// pointer, as decoded JSON.
func full(t *testing.T) map[string]any {
	t.Helper()
	var r report.Report
	populate(reflect.ValueOf(&r).Elem())
	r.SchemaVersion = report.SchemaVersion
	r.Gaps[0].Impact, r.Gaps[0].Reason = "usage", "throttled"
	f := &r.Findings[0]
	f.Severity = report.High
	o := &r.Roles[0]
	o.Readiness, o.Trust.Guard, o.Policies[0].Kind = report.Draft, "both", "inline"
	r.GivenPolicies[0].Layer = "scp"
	o.Reach.Administrator = "no"
	path := &o.Reach.Escalation[0]
	path.Reaches, path.Certainty, path.Steps[0].Certainty = "administrator", "certain", "conditional"
	o.Layers = report.Layers{Identity: "read", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "notRead"}
	o.Used[0].Verdict, o.Denied[0].Verdict = report.VerdictForeign, report.VerdictMissing
	q := &o.Required[0]
	q.Verdict, q.Strength, q.Confidence, q.IfMissing = report.VerdictRequired, "completed", "doc", "fails"
	o.Reach.Buckets.Granted = "all"
	c := &o.Cells[0]
	c.Layers = report.CellLayers{Identity: "yes", Boundary: "conditional", SCP: "no", RCP: "notRead", Resource: "none"}
	c.Granted, c.Effective, c.Needed, c.Verdict = "yes", "conditional", "completed", report.VerdictUsed
	r.Trails[0].Records[0].Access = "all"
	o.Proposal.Proof.Status, o.Proposal.Policies[0].Kind, o.Proposal.Statements[0].Section = "partial", "inline", "core"
	r.Exceptions.Entries[0].State, r.Exceptions.Severities[0].Severity = report.ExceptionExpired, report.Info
	r.Exceptions.Entries[0].Until, f.Accepted.Until = "2027-01-31", "2027-01-31"
	settle(r.Drift)
	return decoded(t, r)
}

// fullDrift is the same of what audit drift prints.
func fullDrift(t *testing.T) map[string]any {
	t.Helper()
	var d report.DriftReport
	populate(reflect.ValueOf(&d).Elem())
	d.SchemaVersion = report.SchemaVersion
	settle(&d.Drift)
	return decoded(t, d)
}

// settle puts the drift's enums right.
func settle(d *report.Drift) {
	c, e := &d.Changes[0], &d.Deviations[0]
	c.Kind, c.Severity, c.SubjectKind = report.PolicyAttached, report.High, report.SubjectPolicy
	c.Effect, c.RoleEffect = report.Widens, report.NoEffect
	for _, n := range []*report.Newly{&c.Newly, &c.NoLonger, &e.Newly} {
		n.Riskiest[0].Why = "escalation"
	}
	d.Tool[0].Kind, d.Unknown[0].Side, d.Unknown[0].Kinds[0] = report.ToolCatalog, report.SideBoth, report.PolicyEdited
	d.Unknown[0].Impact = "roles"
	e.Source, e.Severity, e.Effect, e.Kind = "terraform-state", report.Low, report.Both, report.DeviationTrust
}

// fullProposal is the same of a role's proposal.
func fullProposal(t *testing.T) map[string]any {
	t.Helper()
	var p report.RoleProposal
	populate(reflect.ValueOf(&p).Elem())
	p.SchemaVersion = report.SchemaVersion
	p.Gaps[0].Impact, p.Gaps[0].Reason = "usage", "throttled"
	p.GivenPolicies[0].Layer = "scp"
	p.Role.Trust.Guard, p.Role.Policies[0].Kind = "both", "inline"
	p.Role.Layers = report.Layers{Identity: "read", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "notRead"}
	p.Form.Granularity, p.Readiness, p.Status, p.Proof.Status = "prefix", report.Draft, "partial", "partial"
	p.Policies[0].Kind, p.Statements[0].Section = "inline", "core"
	return decoded(t, p)
}

func decoded(t *testing.T, document any) map[string]any {
	t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v.(map[string]any)
}

func populate(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 10, 31, 10, 0, 0, 0, time.UTC)))
			return
		}
		for i := range v.NumField() {
			populate(v.Field(i))
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte("{}"))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		populate(v.Index(0))
	case reflect.Map:
		e := reflect.New(v.Type().Elem()).Elem()
		populate(e)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("key"), e)
	case reflect.String:
		v.SetString("text")
	case reflect.Int:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	}
}

func TestSchemaAcceptsFullReport(t *testing.T) {
	for _, c := range contracts {
		if err := c.compile(t).Validate(c.full(t)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What two schemas define is the same in both.
func TestSchemasAgree(t *testing.T) {
	whole := contracts[0].doc(t)["$defs"].(map[string]any)
	for _, c := range contracts[1:] {
		shared := 0
		for name, def := range c.doc(t)["$defs"].(map[string]any) {
			if of, ok := whole[name]; ok {
				shared++
				if !reflect.DeepEqual(def, of) {
					t.Errorf("%s: %s differs", c.name, name)
				}
			}
		}
		if shared < 10 {
			t.Errorf("%s: only %d definitions are shared", c.name, shared)
		}
	}
}

// The schema lists the constants of the drift's enums, and in their order.
func TestDriftEnumsAreTheConstants(t *testing.T) {
	defs := contracts[2].doc(t)["$defs"].(map[string]any)
	enum := func(def, key string) (values []string) {
		p := defs[def].(map[string]any)["properties"].(map[string]any)[key].(map[string]any)
		if items, ok := p["items"].(map[string]any); ok {
			p = items
		}
		for _, v := range p["enum"].([]any) {
			values = append(values, v.(string))
		}
		return values
	}
	texts := func(kinds any) (values []string) {
		for v := reflect.ValueOf(kinds); len(values) < v.Len(); {
			values = append(values, v.Index(len(values)).String())
		}
		return values
	}
	for _, c := range []struct {
		def, key string
		want     any
	}{
		{"Change", "kind", report.ChangeKinds}, {"Uncompared", "kinds", report.ChangeKinds},
		{"Change", "effect", report.Effects}, {"Deviation", "effect", report.Effects},
		{"Change", "subjectKind", report.SubjectKinds}, {"ToolChange", "kind", report.ToolChangeKinds},
	} {
		if got, want := enum(c.def, c.key), texts(c.want); !slices.Equal(got, want) {
			t.Errorf("%s.%s: the schema has %v, Go %v", c.def, c.key, got, want)
		}
	}
}

// object is a JSON object of a report with the schema of it.
type object struct {
	path   string
	value  map[string]any
	schema map[string]any
}

// objects finds every object in v that the schema describes by its properties.
func objects(root, schema map[string]any, path string, v any) []object {
	schema = resolve(root, schema)
	var out []object
	switch v := v.(type) {
	case map[string]any:
		props, _ := schema["properties"].(map[string]any)
		if props != nil {
			out = append(out, object{path, v, schema})
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			sub, ok := props[k].(map[string]any)
			if !ok {
				sub, ok = schema["additionalProperties"].(map[string]any)
			}
			if ok {
				out = append(out, objects(root, sub, path+"."+k, v[k])...)
			}
		}
	case []any:
		items, _ := schema["items"].(map[string]any)
		for _, e := range v {
			out = append(out, objects(root, items, path+"[]", e)...)
		}
	}
	return out
}

func resolve(root, schema map[string]any) map[string]any {
	if either, ok := schema["anyOf"].([]any); ok {
		schema = either[0].(map[string]any)
	}
	if ref, ok := schema["$ref"].(string); ok {
		return root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	return schema
}

func (c contract) doc(t *testing.T) map[string]any {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(c.schema, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// The fields of the Go types and the properties of the schema are the same.
func TestSchemaHasEveryField(t *testing.T) { each(t, schemaHasEveryField) }

func schemaHasEveryField(t *testing.T, c contract) {
	doc := c.doc(t)
	reached := objects(doc, doc, c.name, c.full(t))
	for _, o := range reached {
		got := slices.Sorted(maps.Keys(o.value))
		want := slices.Sorted(maps.Keys(o.schema["properties"].(map[string]any)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: Go has %v, the schema %v", o.path, got, want)
		}
	}
	if defs := len(doc["$defs"].(map[string]any)); len(reached) < defs+1 {
		t.Errorf("reached %d objects, the schema defines %d beside its root", len(reached), defs)
	}
}

// A key that Go may leave out is not required, every other one is.
func TestSchemaRequiresEveryKey(t *testing.T) { each(t, schemaRequiresEveryKey) }

func schemaRequiresEveryKey(t *testing.T, c contract) {
	schema := c.compile(t)
	doc := c.doc(t)
	whole := c.full(t)
	for _, o := range objects(doc, doc, c.name, whole) {
		required, _ := o.schema["required"].([]any)
		for key, value := range o.value {
			delete(o.value, key)
			err := schema.Validate(whole)
			o.value[key] = value
			if want := slices.Contains(required, any(key)); (err != nil) != want {
				t.Errorf("%s without %q: required is %v, error is %v", o.path, key, want, err)
			}
		}
	}
	optional := map[string]bool{}
	omitted(c.typ, optional)
	for name, def := range doc["$defs"].(map[string]any) {
		s := def.(map[string]any)
		for key := range s["properties"].(map[string]any) {
			if !slices.Contains(s["required"].([]any), any(key)) && !optional[key] {
				t.Errorf("%s.%s is not required, and Go always writes it", name, key)
			}
		}
	}
}

// omitted collects the keys with omitempty of t and of what it holds.
func omitted(t reflect.Type, keys map[string]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		omitted(t.Elem(), keys)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if key, options, _ := strings.Cut(f.Tag.Get("json"), ","); options == "omitempty" {
				keys[key] = true
			}
			if f.IsExported() {
				omitted(f.Type, keys)
			}
		}
	}
}

// Every value of an enum is accepted, any other text refused.
func TestSchemaEnums(t *testing.T) { each(t, schemaEnums) }

func schemaEnums(t *testing.T, c contract) {
	schema := c.compile(t)
	doc := c.doc(t)
	whole := c.full(t)
	enums := 0
	for _, o := range objects(doc, doc, c.name, whole) {
		for key, p := range o.schema["properties"].(map[string]any) {
			values, ok := p.(map[string]any)["enum"].([]any)
			if !ok {
				continue
			}
			enums++
			was := o.value[key]
			for _, v := range values {
				o.value[key] = v
				if err := schema.Validate(whole); err != nil {
					t.Errorf("%s.%s = %v: %v", o.path, key, v, err)
				}
			}
			o.value[key] = "no such value"
			if schema.Validate(whole) == nil {
				t.Errorf("%s.%s: any text is accepted", o.path, key)
			}
			o.value[key] = was
		}
	}
	if enums < c.enums {
		t.Errorf("only %d enums were tried", enums)
	}
}

func TestSchemaRefusesWrongTypes(t *testing.T) {
	schema := contracts[0].compile(t)
	for key, wrong := range map[string]any{
		"schemaVersion": json.Number("2"), "generatedAt": "yesterday", "roles": nil, "complete": "yes",
		"calls": map[string]any{"iam:GetRole": "many"}, "drift": "none",
	} {
		r := full(t)
		r[key] = wrong
		if schema.Validate(r) == nil {
			t.Errorf("%s = %v is accepted", key, wrong)
		}
	}
}

func TestSchemaDescribesEverything(t *testing.T) { each(t, schemaDescribesEverything) }

func schemaDescribesEverything(t *testing.T, c contract) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		m, _ := v.(map[string]any)
		for name, p := range m {
			s := p.(map[string]any)
			if d, _ := s["description"].(string); !strings.HasSuffix(d, ".") {
				t.Errorf("%s.%s: no sentence describes it, but %q", path, name, d)
			}
			walk(path+"."+name, s["properties"])
		}
	}
	doc := c.doc(t)
	walk(c.name, doc["properties"])
	walk("$defs", doc["$defs"])
}
