package report_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sagemaker-role-audit/internal/analyze/report"
)

// TestSmallSchemas: the schemas of verify and check-job accept their Go types with one of
// everything, know every key, require each, and take no other words.
func TestSmallSchemas(t *testing.T) {
	cells := report.CellLayers{Identity: "yes", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "no"}
	v := &report.Verification{}
	populate(reflect.ValueOf(v).Elem())
	v.SchemaVersion, v.Answer, v.GivenPolicies[0].Layer = report.SchemaVersion, report.VerifyUnsure, "scp"
	v.Broken[0].IfMissing, v.Unsure[0].IfMissing = "fails", ""
	v.Widens[0].Kind, v.Excess.Grants[0].Kind = report.WidensDeny, report.ExcessWider
	c := &report.JobCheck{}
	populate(reflect.ValueOf(c).Elem())
	c.SchemaVersion, c.Answer, c.GivenPolicies[0].Layer, c.Job.Source = report.SchemaVersion, report.JobFails, "rcp", "request"
	c.Trust = report.TrustCheck{Assume: "yes", SourceIdentity: "no", Why: "because"}
	n := &c.Needs[0]
	n.State, n.Effect, n.IfMissing, n.Confidence, n.Layers = report.NeedRefused, report.EffectFails, "fails", "doc", cells
	for name, one := range map[string]struct {
		schema []byte
		value  any
		enums  int
	}{"verification": {report.VerificationSchemaJSON, v, 6}, "jobcheck": {report.JobCheckSchemaJSON, c, 13}} {
		t.Run(name, func(t *testing.T) {
			doc, schema := compiled(t, one.schema)
			text, err := json.Marshal(one.value)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(whole); err != nil {
				t.Fatal(err)
			}
			root, enums := doc.(map[string]any), 0
			for _, o := range objects(root, root, name, whole) {
				props := o.schema["properties"].(map[string]any)
				if got, want := slices.Sorted(maps.Keys(o.value)), slices.Sorted(maps.Keys(props)); !slices.Equal(got, want) {
					t.Errorf("%s: Go has %v, the schema %v", o.path, got, want)
				}
				for key, p := range props {
					value := o.value[key]
					if delete(o.value, key); schema.Validate(whole) == nil {
						t.Errorf("%s without %s is accepted", o.path, key)
					}
					o.value[key] = value
					if d, _ := p.(map[string]any)["description"].(string); !strings.HasSuffix(d, ".") {
						t.Errorf("%s.%s: no sentence describes it", o.path, key)
					}
					if _, ok := p.(map[string]any)["enum"]; ok {
						enums++
						if o.value[key] = "no such word"; schema.Validate(whole) == nil {
							t.Errorf("%s.%s: any text is accepted", o.path, key)
						}
						o.value[key] = value
					}
				}
			}
			if enums < one.enums {
				t.Errorf("%d enums were tried, of %d at least", enums, one.enums)
			}
		})
	}
}
