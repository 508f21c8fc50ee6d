package declared

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const account = "123456789012"

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	nothing = `{"Statement":[]}`
	data    = "arn:aws:iam::123456789012:policy/data"
	ro      = "arn:aws:iam::aws:policy/ReadOnlyAccess"
)

func known(s string) Text { return Text{State: Known, Value: s} }

// TestState: Terraform 1.11, format version 1.0 (Terraform, internals/json-format), with
// what hashicorp/aws fills in: managed_policy_arns repeats every attachment that is live.
func TestState(t *testing.T) {
	got, err := Terraform("state.json", read(t, "state.json"), account)
	if err != nil {
		t.Fatal(err)
	}
	const module = `module.roles["a.b"].`
	want := &Account{
		Source: SourceState, Name: "state.json",
		Managed: map[string]Policy{data: {Kind: Managed, Name: "data", ARN: data, Where: module + "aws_iam_policy.data", Document: known(nothing)}},
		Roles: []Role{
			{Name: "elsewhere", Where: "state.json", Open: []string{"the role itself is declared elsewhere"},
				Policies: []Policy{{Kind: Managed, ARN: data, Where: module + "aws_iam_policy_attachment.data", Document: known(nothing)}}},
			{Name: "pricing", ARN: "arn:aws:iam::123456789012:role/service-role/pricing", Where: module + "aws_iam_role.this[0]",
				Trust: known(nothing), TrustStated: true, Boundary: known(data), BoundaryStated: true,
				Policies: []Policy{
					{Kind: Inline, Name: "own", Where: module + "aws_iam_role.this[0]", Document: known(nothing), ReadBack: true},
					{Kind: Managed, ARN: data, Where: module + "aws_iam_policy_attachment.data", Document: known(nothing)}}},
			{Name: "trainer", ARN: "arn:aws:iam::123456789012:role/trainer", Where: "aws_iam_role.trainer",
				Trust: known(`{"Version":"2012-10-17","Statement":[]}`), TrustStated: true, BoundaryStated: true,
				Policies: []Policy{
					{Kind: Inline, Name: "s3", Where: "aws_iam_role_policy.s3", Document: Text{State: Known, Sensitive: true,
						Value: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`}},
					{Kind: Managed, ARN: ro, Where: "aws_iam_role_policy_attachment.ro"},
					{Kind: Managed, ARN: "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess", Where: "aws_iam_role.trainer", ReadBack: true}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got.Role("pricing") != &got.Roles[1] || got.Role("nobody") != nil {
		t.Error("Role finds another")
	}
}

// TestPlan: what the configuration has is declared, what the provider filled in is not;
// what is known after apply is unknown.
func TestPlan(t *testing.T) {
	got, err := Terraform("plan.json", read(t, "plan.json"), account)
	if err != nil {
		t.Fatal(err)
	}
	later := Text{State: Unknown, Why: afterApply}
	want := &Account{
		Source: SourcePlan, Name: "plan.json", Managed: map[string]Policy{},
		Roles: []Role{
			{Name: "exclusive", ARN: "arn:aws:iam::123456789012:role/exclusive", Where: "aws_iam_role.exclusive", Trust: known(nothing), TrustStated: true, BoundaryStated: true,
				Open: []string{"inline_policy of aws_iam_role.exclusive is known only after apply"},
				Policies: []Policy{
					{Kind: Inline, Name: "known", Where: "aws_iam_role.exclusive", Document: Text{State: Known, Value: nothing, Sensitive: true}},
					{Kind: Inline, Name: "later", Where: "aws_iam_role.exclusive", Document: Text{State: Unknown, Why: afterApply, Sensitive: true}},
					{Kind: Managed, ARN: ro, Where: "aws_iam_role.exclusive"}}},
			{Name: "many-a", Where: `aws_iam_role.many["a"]`, Trust: known(nothing), TrustStated: true, BoundaryStated: true,
				Policies: []Policy{{Kind: Inline, Name: "of-a", Where: `aws_iam_role_policy.many["a"]`, Document: known(nothing)}}},
			{Name: "many-b", Where: `aws_iam_role.many["b"]`, Trust: known(nothing), TrustStated: true, BoundaryStated: true},
			{Name: "trainer", ARN: "arn:aws:iam::123456789012:role/trainer", Where: "aws_iam_role.trainer", Trust: later, TrustStated: true, BoundaryStated: true,
				Open: []string{"the policy of aws_iam_role_policy_attachment.new is known only after apply"},
				// A block may be a dynamic one, which no configuration shows.
				Policies: []Policy{{Kind: Inline, Name: "manual", Where: "aws_iam_role.trainer", Document: known(nothing), ReadBack: true}}},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestPlanOpen: a policy whose role cannot be told may be any role's.
func TestPlanOpen(t *testing.T) {
	text := string(read(t, "plan.json"))
	for name, test := range map[string]struct{ old, new, want string }{
		"reference gone":   {`"aws_iam_role.many", "each.key"]`, `"local.role"]`, `which role aws_iam_role_policy.many["a"] belongs to is known only after apply`},
		"another instance": {`"aws_iam_role.many", "each.key"]`, `"aws_iam_role.many", "local.key"]`, `which role aws_iam_role_policy.many["a"] belongs to`},
		"targeted":         {`"complete": true`, `"complete": false`, "the plan is not complete"},
		"errored":          {`"errored": false`, `"errored": true`, "the plan ended in an error"},
		"forgotten":        {`{"actions": ["delete"]`, `{"actions": ["forget"]`, "aws_iam_role_policy.gone leaves the state and stays live"},
	} {
		got, err := Terraform("plan.json", []byte(strings.Replace(text, test.old, test.new, 1)), account)
		if err != nil || len(got.Partial) != 1 || !strings.Contains(got.Partial[0], test.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestTwoAccounts: a file may have roles of one name in two accounts.
func TestTwoAccounts(t *testing.T) {
	text := strings.Replace(string(read(t, "state.json")), `"name": "abroad"`, `"name": "trainer"`, 1)
	got, err := Terraform("s", []byte(text), account)
	if err != nil {
		t.Fatal(err)
	}
	if r := got.Role("trainer"); len(r.Open) != 1 || !strings.Contains(r.Open[0], "several accounts") {
		t.Errorf("%+v", r)
	}
	got, err = Terraform("s", []byte(text), "999999999999")
	if err != nil || got.Role("trainer") == nil || got.Role("trainer").ARN != "arn:aws:iam::999999999999:role/abroad" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRefusedTerraform(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "is not what terraform show -json prints",
		"PK\x03\x04x":                 "is a plan file of Terraform's own format",
		`{"version":4,"lineage":"a"}`: "is a state file of Terraform's own format",
		`{"Statement":[]}`:            "has no format_version",
		`{"format_version":"2.0"}`:    "unsupported state format version",
		`{"format_version":"2.0","planned_values":{}}`:        "unsupported plan format version",
		`{"format_version":"1.0","provider_schemas":{}}`:      "has no format_version of a state or plan",
		`{"format_version":"1.0","values":{}} trailing`:       "is not what terraform show -json prints",
		`{"format_version":"1.0","values":{"root_module":`:    "is not what terraform show -json prints",
		`{"format_version":"1.0","values":{"root_module":7}}`: "is no state that can be read",
	} {
		if a, err := Terraform("f", []byte(text), account); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
	if a, err := Terraform("f", []byte(`{"format_version":"1.0"}`), account); err != nil || len(a.Roles) > 0 {
		t.Errorf("an empty state: %+v, %v", a, err)
	}
}

func TestFolder(t *testing.T) {
	files := []File{
		{"trainer/s3.json", []byte(nothing)}, {"trainer/trust.json", []byte(nothing)}, {"trainer/boundary.json", []byte(nothing)},
		{"trainer/attached.json", []byte(`["arn:aws:iam::aws:policy/ReadOnlyAccess"]`)}, {"pricing/a.json", []byte(nothing)},
	}
	got, err := Folder("approved", files)
	if err != nil {
		t.Fatal(err)
	}
	want := &Account{Source: SourceFolder, Name: "approved", Managed: map[string]Policy{}, Roles: []Role{
		{Name: "pricing", Where: "pricing", Policies: []Policy{{Kind: Either, Name: "a", Where: "pricing/a.json", Document: known(nothing)}}},
		{Name: "trainer", Where: "trainer", Trust: known(nothing), TrustStated: true, BoundaryDocument: known(nothing), BoundaryStated: true, Policies: []Policy{
			{Kind: Either, Name: "s3", Where: "trainer/s3.json", Document: known(nothing)}, {Kind: Managed, ARN: ro, Where: "trainer/attached.json"}}},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for name, files := range map[string][]File{
		"has no ROLE/NAME.json":            nil,
		"a.json: is not ROLE/NAME.json":    {{"a.json", nil}},
		"r/x/a.json: is not":               {{"r/x/a.json", nil}},
		"r/a.txt: is not":                  {{"r/a.txt", nil}},
		"r/a.json: no policy document":     {{"r/a.json", []byte("[]")}},
		"r/attached.json: is no list":      {{"r/attached.json", []byte("{}")}},
		`"role" is not the ARN of a`:       {{"r/attached.json", []byte(`["role"]`)}},
		"r/trust.json: no policy document": {{"r/trust.json", nil}},
	} {
		if a, err := Folder("f", files); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

func TestModuleCalls(t *testing.T) {
	for address, want := range map[string][]string{
		"": nil, "module.a": {"a"}, `module.a["x.module.y"].module.b[0]`: {"a", "b"}, `module.a["x\".y"].module.c`: {"a", "c"},
	} {
		if d := cmp.Diff(want, moduleCalls(address)); d != "" {
			t.Errorf("%s (-want +got):\n%s", address, d)
		}
	}
}

// FuzzTerraform: no text makes it panic, and what it reads holds what the types promise.
func FuzzTerraform(f *testing.F) {
	// Small ones: the files of testdata take the fuzzer a minute each to shrink.
	f.Add([]byte(`{"format_version":"1.0","values":{"root_module":{"resources":[{"address":"aws_iam_role.a","mode":"managed","type":"aws_iam_role","name":"a","values":{"name":"a","inline_policy":[{"name":"p","policy":"{}"}],"managed_policy_arns":["arn"]},"sensitive_values":{"inline_policy":[{"policy":true}]}}]}}}`))
	f.Add([]byte(`{"format_version":"1.2","planned_values":{},"resource_changes":[{"address":"aws_iam_role_policy.a","mode":"managed","type":"aws_iam_role_policy","name":"a","change":{"actions":["create"],"after":{"name":"p"},"after_unknown":{"role":true}}}],"configuration":{"root_module":{"resources":[{"mode":"managed","type":"aws_iam_role_policy","name":"a","expressions":{"role":{"references":["aws_iam_role.a.id"]}}}]}}}`))
	f.Add([]byte(`{"format_version":"1.0","values":{"root_module":{"resources":[null,{"mode":"managed","type":"aws_iam_role","values":null}],"child_modules":[null]}}}`))
	f.Add([]byte(`{"format_version":"1.0","configuration":{"root_module":{"module_calls":{"a":null}}},"resource_changes":[null,{"mode":"managed","type":"aws_iam_role_policy","module_address":"module.a","change":{"after":{},"after_unknown":true}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := Terraform("f", text, account)
		if err != nil {
			return
		}
		for i, r := range a.Roles {
			if r.Name == "" || i > 0 && a.Roles[i-1].Name >= r.Name {
				t.Errorf("role %q", r.Name)
			}
			for _, p := range r.Policies {
				if (p.Kind == Inline) != (p.Name != "") || (p.Kind == Managed) != (p.ARN != "") {
					t.Errorf("policy %+v", p)
				}
			}
		}
	})
}
