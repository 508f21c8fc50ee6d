package report_test

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// TestRulesSchema: the schema accepts a list of rules and requires all of its keys.
func TestRulesSchema(t *testing.T) {
	doc, schema := compiled(t, report.RulesSchemaJSON)
	list := func() map[string]any {
		var l report.RuleList
		populate(reflect.ValueOf(&l).Elem())
		l.SchemaVersion = report.SchemaVersion
		r := &l.Rules[0]
		r.Worst, r.Least, r.LooksAt = report.High, report.Low, report.RuleTrust
		return decoded(t, l)
	}
	if err := schema.Validate(list()); err != nil {
		t.Fatal(err)
	}
	rule := func(d map[string]any) map[string]any { return d["rules"].([]any)[0].(map[string]any) }
	keys := slices.Sorted(maps.Keys(rule(list())))
	for _, key := range keys {
		d := list()
		delete(rule(d), key)
		if schema.Validate(d) == nil {
			t.Errorf("the schema does not ask for %s", key)
		}
	}
	for _, broken := range []struct{ key, value string }{{"worst", "awful"}, {"looksAt", "the stars"}, {"id", "Not an id"}} {
		d := list()
		rule(d)[broken.key] = broken.value
		if schema.Validate(d) == nil {
			t.Errorf("the schema takes %s %q", broken.key, broken.value)
		}
	}
	described := doc.(map[string]any)["$defs"].(map[string]any)["Rule"].(map[string]any)["properties"].(map[string]any)
	if !slices.Equal(slices.Sorted(maps.Keys(described)), keys) {
		t.Errorf("the schema describes %v, a rule has %v", slices.Sorted(maps.Keys(described)), keys)
	}
}
