package analyze

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze/declared"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	forSageMaker = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	forOthersToo = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"},{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]}`
	readOne      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}`
	readAll      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	readTwo      = `{"Statement":[{"Sid":"b","Effect":"Allow","Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::data"]},{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::data/*"]}],"Version":"2012-10-17"}`
	listOne      = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}]}`
	allowAll     = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	customer     = "arn:aws:iam::123456789012:policy/limit"
	admin        = "arn:aws:iam::aws:policy/AdministratorAccess"
)

// liveTrainer is an account with the role trainer.
func liveTrainer(change func(s *snapshot.Snapshot, r *snapshot.Role)) *snapshot.Snapshot {
	s := world()
	s.OtherRoles = []snapshot.RoleKey{}
	s.Roles = []snapshot.Role{{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/trainer", ID: "AROATRAINER"}, Name: "trainer", Path: "/", Trust: forSageMaker,
		Inline: []snapshot.InlinePolicy{{Name: "s3", Document: readOne}}}}
	s.Jobs, s.Usage = nil, nil
	s.Policies = []snapshot.ManagedPolicy{{ARN: admin, Name: "AdministratorAccess", Version: "v1", Document: allowAll}, {ARN: customer, Name: "limit", Version: "v3", Document: readOne}}
	change(s, &s.Roles[0])
	return s
}

func folder(t testing.TB, files map[string]string) *declared.Account {
	t.Helper()
	var list []declared.File
	for _, path := range slices.Sorted(maps.Keys(files)) {
		list = append(list, declared.File{Path: path, Text: []byte(files[path])})
	}
	a, err := declared.Folder("approved", list)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// state is a Terraform state with these resources: type.name to values.
func state(t testing.TB, resources map[string]map[string]any) *declared.Account {
	t.Helper()
	var list []any
	for _, address := range slices.Sorted(maps.Keys(resources)) {
		typ, name, _ := strings.Cut(address, ".")
		list = append(list, map[string]any{"address": address, "mode": "managed", "type": typ, "name": name, "values": resources[address], "sensitive_values": resources[address]["sensitive"]})
	}
	return terraformed(t, map[string]any{"format_version": "1.0", "values": map[string]any{"root_module": map[string]any{"resources": list}}})
}

func terraformed(t testing.TB, file map[string]any) *declared.Account {
	t.Helper()
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := declared.Terraform("tf.json", text, "123456789012")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// told is what the test tables compare: kind, effect and subject of each deviation, then
// side and subject of what is not compared.
func told(d *report.Drift) []string {
	out := []string{}
	for _, x := range d.Deviations {
		out = append(out, fmt.Sprintf("%s %s %s: %s", x.Kind, x.Effect, x.Severity, x.Subject))
	}
	for _, u := range d.Unknown {
		out = append(out, fmt.Sprintf("unknown %s: %s", u.Side, u.What))
	}
	return out
}

func TestDeviationsOfFolder(t *testing.T) {
	approved := map[string]string{"trainer/s3.json": readOne, "trainer/trust.json": forSageMaker}
	with := func(more ...string) map[string]string {
		out := maps.Clone(approved)
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
			if more[i+1] == "" {
				delete(out, more[i])
			}
		}
		return out
	}
	for _, test := range []struct {
		name  string
		live  func(s *snapshot.Snapshot, r *snapshot.Role)
		files map[string]string
		want  []string
	}{
		{"as approved", func(s *snapshot.Snapshot, r *snapshot.Role) {}, approved, []string{}},
		{"another order and layout", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Inline[0].Document = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:getobject"],"Resource":["arn:aws:s3:::data/*"],"Sid":"x"}}`
		}, approved, []string{}},
		{"wider", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = readAll }, approved, []string{"policy-edited widens medium: inline policy s3"}},
		{"narrower", func(s *snapshot.Snapshot, r *snapshot.Role) {}, with("trainer/s3.json", readAll), []string{"policy-edited narrows info: inline policy s3"}},
		{"otherwise", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = listOne }, approved, []string{"policy-edited both low: inline policy s3"}},
		{"attached", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Attached = []snapshot.AttachedPolicy{{Name: "AdministratorAccess", ARN: admin}}
		}, approved, []string{"policy-undeclared widens critical: " + admin}},
		{"attached as approved by ARN", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Attached = []snapshot.AttachedPolicy{{Name: "AdministratorAccess", ARN: admin}}
		}, with("trainer/attached.json", `["`+admin+`"]`), []string{}},
		{"approved by ARN and not attached", func(s *snapshot.Snapshot, r *snapshot.Role) {}, with("trainer/attached.json", `["`+admin+`"]`), []string{"policy-missing narrows info: " + admin}},
		{"approved document, attached", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Inline = nil
			r.Attached = []snapshot.AttachedPolicy{{Name: "limit", ARN: customer}}
		}, with("trainer/s3.json", "", "trainer/limit.json", readOne), []string{}},
		{"removed", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline = nil }, approved, []string{"policy-missing narrows info: approved policy s3"}},
		{"moved to another policy", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Inline = []snapshot.InlinePolicy{{Name: "list", Document: listOne}, {Name: "s3", Document: readOne}}
		}, with("trainer/s3.json", readTwo), []string{"policy-undeclared none info: inline policy list", "policy-edited none info: inline policy s3"}},
		{"nothing more for what is there", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: "again", Document: readOne})
		}, approved, []string{"policy-undeclared none info: inline policy again"}},
		{"trust", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Trust = forOthersToo }, approved, []string{"trust widens high: trust policy"}},
		{"trust in IAM's spelling", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Trust = forOthersToo }, with("trainer/trust.json", strings.Replace(forOthersToo, "arn:aws:iam::999999999999:root", "999999999999", 1)), []string{}},
		{"trust narrower", func(s *snapshot.Snapshot, r *snapshot.Role) {}, with("trainer/trust.json", forOthersToo), []string{"trust narrows info: trust policy"}},
		{"trust not stated", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Trust = forOthersToo }, with("trainer/trust.json", ""), []string{}},
		{"boundary as approved", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Boundary = customer }, with("trainer/boundary.json", readOne), []string{}},
		{"boundary gone", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = readAll }, with("trainer/s3.json", readAll, "trainer/boundary.json", readOne),
			[]string{"boundary widens low: permissions boundary"}},
		{"boundary that limits nothing gone", func(s *snapshot.Snapshot, r *snapshot.Role) {}, with("trainer/boundary.json", readOne), []string{"boundary none info: permissions boundary"}},
		{"boundary wider", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Boundary, r.Inline[0].Document, s.Policies[1].Document = customer, readAll, readAll
		}, with("trainer/s3.json", readAll, "trainer/boundary.json", readOne), []string{"boundary widens low: permissions boundary"}},
		{"not approved", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = readAll }, map[string]string{"other/s3.json": readOne},
			[]string{"role-undeclared widens medium: trainer", "role-missing narrows info: other"}},
		{"inline not read", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline, r.Unread = nil, []string{"inline"} }, approved, []string{"unknown current: the inline policies"}},
		{"boundary not read", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Unread = []string{"boundary"} }, with("trainer/boundary.json", readOne), []string{"unknown current: the permissions boundary"}},
		{"managed policy not read", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Attached = []snapshot.AttachedPolicy{{Name: "x", ARN: "arn:aws:iam::123456789012:policy/x"}}
		}, approved, []string{"policy-undeclared unknown medium: arn:aws:iam::123456789012:policy/x"}},
		{"roles not listed", func(s *snapshot.Snapshot, r *snapshot.Role) { s.OtherRoles = nil }, with("gone/s3.json", readOne), []string{"unknown current: role gone, which is declared by gone"}},
		{"roles not asked for", func(s *snapshot.Snapshot, r *snapshot.Role) { s.Asked.Roles = []string{"trainer"} }, with("gone/s3.json", readOne), []string{}},
		{"out of scope", func(s *snapshot.Snapshot, r *snapshot.Role) {
			s.OtherRoles = []snapshot.RoleKey{{ARN: "arn:aws:iam::123456789012:role/x/gone", ID: "AROAGONE"}}
		}, with("gone/s3.json", readOne), []string{"unknown current: role gone, which is declared by gone"}},
		{"no longer SageMaker's", func(s *snapshot.Snapshot, r *snapshot.Role) {
			s.OtherRoles = []snapshot.RoleKey{{ARN: "arn:aws:iam::123456789012:role/x/gone", ID: "AROAGONE"}}
		}, with("gone/trust.json", forSageMaker), []string{"trust unknown medium: trust policy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Deviations(liveTrainer(test.live), folder(t, test.files), nil)
			if d := cmp.Diff(test.want, told(got)); d != "" {
				t.Errorf("(-want +got):\n%s\n%+v", d, got.Deviations)
			}
			if got.Baseline != nil || got.DeviationsTotal != len(got.Deviations) || got.UnknownTotal != len(got.Unknown) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestDeviationsOfTerraform(t *testing.T) {
	role := map[string]any{"arn": "arn:aws:iam::123456789012:role/trainer", "name": "trainer", "assume_role_policy": forSageMaker, "permissions_boundary": ""}
	inline := map[string]any{"name": "s3", "role": "trainer", "policy": readOne}
	attached := []snapshot.AttachedPolicy{{Name: "AdministratorAccess", ARN: admin}}
	merge := func(m map[string]any, more ...any) map[string]any {
		m = maps.Clone(m)
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	for _, test := range []struct {
		name      string
		live      func(s *snapshot.Snapshot, r *snapshot.Role)
		resources map[string]map[string]any
		want      []string
	}{
		{"as declared", func(s *snapshot.Snapshot, r *snapshot.Role) {}, map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": inline}, []string{}},
		{"attachment as declared", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Attached = attached },
			map[string]map[string]any{"aws_iam_role.a": merge(role, "managed_policy_arns", []string{admin}), "aws_iam_role_policy.a": inline,
				"aws_iam_role_policy_attachment.a": {"role": "trainer", "policy_arn": admin}}, []string{}},
		{"attached out of band, and read back by a refresh", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Attached = attached },
			map[string]map[string]any{"aws_iam_role.a": merge(role, "managed_policy_arns", []string{admin}), "aws_iam_role_policy.a": inline},
			[]string{"unknown declared: whether " + admin + " is declared"}},
		{"attached out of band", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Attached = attached }, map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": inline},
			[]string{"policy-undeclared widens critical: " + admin}},
		{"customer policy edited", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Attached, s.Policies[1].Document = []snapshot.AttachedPolicy{{Name: "limit", ARN: customer}}, readAll
		}, map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": inline, "aws_iam_policy.limit": {"arn": customer, "name": "limit", "policy": readOne},
			"aws_iam_role_policy_attachment.a": {"role": "trainer", "policy_arn": customer}}, []string{"policy-edited widens medium: " + customer}},
		{"boundary removed", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = readAll },
			map[string]map[string]any{"aws_iam_role.a": merge(role, "permissions_boundary", customer), "aws_iam_role_policy.a": merge(inline, "policy", readAll)},
			[]string{"boundary widens low: permissions boundary"}},
		{"boundary edited", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Boundary, r.Inline[0].Document, s.Policies[1].Document = customer, readAll, readAll
		}, map[string]map[string]any{"aws_iam_role.a": merge(role, "permissions_boundary", customer), "aws_iam_role_policy.a": merge(inline, "policy", readAll),
			"aws_iam_policy.limit": {"arn": customer, "name": "limit", "policy": readOne}}, []string{"boundary widens low: permissions boundary"}},
		{"boundary set", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Boundary, r.Inline[0].Document = customer, readAll },
			map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": merge(inline, "policy", readAll)}, []string{"boundary narrows info: permissions boundary"}},
		{"boundary by ARN", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Boundary = customer },
			map[string]map[string]any{"aws_iam_role.a": merge(role, "permissions_boundary", customer), "aws_iam_role_policy.a": inline}, []string{}},
		{"another path", func(s *snapshot.Snapshot, r *snapshot.Role) {},
			map[string]map[string]any{"aws_iam_role.a": merge(role, "arn", "arn:aws:iam::123456789012:role/ml/trainer"), "aws_iam_role_policy.a": inline}, []string{"role-path unknown medium: trainer"}},
		{"another service's role", func(s *snapshot.Snapshot, r *snapshot.Role) {}, map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": inline,
			"aws_iam_role.b": {"name": "web", "assume_role_policy": strings.ReplaceAll(forSageMaker, "sagemaker", "ec2")}}, []string{}},
		{"missing", func(s *snapshot.Snapshot, r *snapshot.Role) {}, map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": inline, "aws_iam_role.b": merge(role, "name", "gone", "arn", "")},
			[]string{"role-missing narrows info: gone"}},
		{"policies of a role that is declared elsewhere", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Trust, r.Attached = forOthersToo, attached },
			map[string]map[string]any{"aws_iam_role_policy.a": inline}, []string{"policy-undeclared unknown medium: " + admin}},
		{"sensitive", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline[0].Document = listOne },
			map[string]map[string]any{"aws_iam_role.a": role, "aws_iam_role_policy.a": merge(inline, "sensitive", map[string]any{"policy": true})}, []string{"policy-edited both low: inline policy s3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Deviations(liveTrainer(test.live), state(t, test.resources), nil)
			if d := cmp.Diff(test.want, told(got)); d != "" {
				t.Errorf("(-want +got):\n%s\n%+v", d, got.Deviations)
			}
			if test.name == "sensitive" {
				if text := fmt.Sprintf("%+v", got); strings.Contains(text, "s3:GetObject") || !strings.Contains(text, "sensitive") {
					t.Errorf("what is sensitive shows: %s", text)
				}
			}
		})
	}
}

// TestDeviationsOfPlan: what a plan knows only after apply is unknown, never missing.
func TestDeviationsOfPlan(t *testing.T) {
	change := func(address string, after, unknown map[string]any) map[string]any {
		typ, name, _ := strings.Cut(address, ".")
		return map[string]any{"address": address, "mode": "managed", "type": typ, "name": name,
			"change": map[string]any{"actions": []string{"update"}, "before": nil, "after": after, "after_unknown": unknown, "after_sensitive": false}}
	}
	role := map[string]any{"arn": "arn:aws:iam::123456789012:role/trainer", "name": "trainer", "assume_role_policy": forSageMaker}
	for _, test := range []struct {
		name    string
		live    func(s *snapshot.Snapshot, r *snapshot.Role)
		changes []any
		want    []string
	}{
		{"a document", func(s *snapshot.Snapshot, r *snapshot.Role) {}, []any{change("aws_iam_role.a", role, nil),
			change("aws_iam_role_policy.a", map[string]any{"name": "s3", "role": "trainer"}, map[string]any{"policy": true})}, []string{"unknown declared: the content of inline policy s3"}},
		{"the trust policy", func(s *snapshot.Snapshot, r *snapshot.Role) { r.Inline = nil }, []any{change("aws_iam_role.a", map[string]any{"name": "trainer"}, map[string]any{"assume_role_policy": true, "permissions_boundary": true})},
			[]string{"unknown declared: the permissions boundary", "unknown declared: the trust policy"}},
		{"what is attached", func(s *snapshot.Snapshot, r *snapshot.Role) {
			r.Inline, r.Attached = nil, []snapshot.AttachedPolicy{{Name: "AdministratorAccess", ARN: admin}}
		}, []any{change("aws_iam_role.a", role, nil), change("aws_iam_role_policy_attachment.a", map[string]any{"role": "trainer"}, map[string]any{"policy_arn": true})},
			[]string{"policy-undeclared unknown medium: " + admin}},
		{"whose a policy is", func(s *snapshot.Snapshot, r *snapshot.Role) {}, []any{change("aws_iam_role_policy.a", map[string]any{"name": "x", "policy": readOne}, map[string]any{"role": true})},
			[]string{"unknown declared: whether the role is declared"}},
		{"deleted by the plan", func(s *snapshot.Snapshot, r *snapshot.Role) {}, []any{change("aws_iam_role.a", role, nil),
			map[string]any{"address": "aws_iam_role_policy.a", "mode": "managed", "type": "aws_iam_role_policy", "name": "a", "change": map[string]any{"actions": []string{"delete"}, "after": nil}}},
			[]string{"policy-undeclared widens medium: inline policy s3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Deviations(liveTrainer(test.live), terraformed(t, map[string]any{"format_version": "1.2", "planned_values": map[string]any{}, "resource_changes": test.changes}), nil)
			if d := cmp.Diff(test.want, told(got)); d != "" {
				t.Errorf("(-want +got):\n%s\n%+v", d, got.Deviations)
			}
		})
	}
}

// TestDeviationsOfTheSample: the sample account deviates in nothing from its own policies,
// as a folder and as a Terraform state.
func TestDeviationsOfTheSample(t *testing.T) {
	s := sampleSnapshot(t)
	files, resources := map[string]string{}, map[string]map[string]any{}
	for _, p := range s.Policies {
		if accountOf(p.ARN) == s.Account.ID {
			resources["aws_iam_policy."+p.Name] = map[string]any{"arn": p.ARN, "name": p.Name, "policy": p.Document}
		}
	}
	for _, r := range s.Roles {
		files[r.Name+"/trust.json"] = r.Trust
		resources["aws_iam_role."+r.Name] = map[string]any{"name": r.Name, "arn": r.ARN, "assume_role_policy": r.Trust, "permissions_boundary": r.Boundary}
		for _, p := range r.Inline {
			files[r.Name+"/"+p.Name+".json"] = p.Document
			resources["aws_iam_role_policy."+r.Name+"-"+p.Name] = map[string]any{"name": p.Name, "role": r.Name, "policy": p.Document}
		}
		var arns []string
		for _, a := range r.Attached {
			arns = append(arns, a.ARN)
			resources["aws_iam_role_policy_attachment."+r.Name+"-"+a.Name] = map[string]any{"role": r.Name, "policy_arn": a.ARN}
		}
		text, err := json.Marshal(list(arns))
		if err != nil {
			t.Fatal(err)
		}
		files[r.Name+"/attached.json"] = string(text)
	}
	for name, d := range map[string]*declared.Account{"folder": folder(t, files), "state": state(t, resources)} {
		if got := Deviations(s, d, nil); len(got.Deviations)+len(got.Unknown) > 0 {
			t.Errorf("%s: %v", name, told(got))
		}
	}
	// The same, less one grant: that one, and no other.
	delete(resources, "aws_iam_role_policy."+s.Roles[0].Name+"-"+s.Roles[0].Inline[0].Name)
	if got := told(Deviations(s, state(t, resources), nil)); len(got) != 1 || !strings.HasPrefix(got[0], "policy-undeclared widens") {
		t.Errorf("%v", got)
	}
}

// BenchmarkDeviations10k: ten thousand roles, of each two one as it is declared in other
// words, and one that is not declared. Goal: as for a drift, 5 s.
func BenchmarkDeviations10k(b *testing.B) {
	s := liveTrainer(func(*snapshot.Snapshot, *snapshot.Role) {})
	s.Roles = nil
	resources := map[string]map[string]any{}
	for i := range 10_000 {
		name := fmt.Sprintf("team-%05d", i)
		document := func(actions string) string {
			return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":%s,"Resource":"arn:aws:s3:::%s/*"},{"Effect":"Allow","Action":["ecr:*","logs:*"],"Resource":"*"}]}`, actions, name)
		}
		s.Roles = append(s.Roles, snapshot.Role{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/" + name, ID: "AROA" + name}, Name: name, Path: "/", Trust: forSageMaker,
			Inline: []snapshot.InlinePolicy{{Name: "s3", Document: document(`["s3:GetObject","s3:PutObject"]`)}}})
		if i%2 == 0 {
			resources["aws_iam_role."+name] = map[string]any{"name": name, "assume_role_policy": forSageMaker}
			resources["aws_iam_role_policy."+name] = map[string]any{"name": "s3", "role": name, "policy": document(`["s3:PutObject","s3:GetObject"]`)}
		}
	}
	d := state(b, resources)
	for b.Loop() {
		if got := Deviations(s, d, nil); got.DeviationsTotal != 5000 {
			b.Fatalf("%d deviations", got.DeviationsTotal)
		}
	}
}
