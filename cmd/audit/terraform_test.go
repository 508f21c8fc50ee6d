package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/output"
)

// forms are the kinds of proposals that the flags can ask for.
var forms = map[string]proposalFlags{
	"default": {granularity: choice{value: "prefix"}}, "bucket": {granularity: choice{value: "bucket"}},
	"strict": {granularity: choice{value: "prefix"}, strict: true}, "missing": {granularity: choice{value: "prefix"}, addMissing: true},
	"kept": {granularity: choice{value: "prefix"}, keepUnobservable: true}, "reference": {granularity: choice{value: "prefix"}, reference: true},
}

// sampleProposals are the proposals of the sample account in a form.
func sampleProposals(t *testing.T, f proposalFlags) []*report.RoleProposal {
	t.Helper()
	data, err := sampleSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := snapshot.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r, err := analyze.Analyze(s, analyze.Options{Version: version, Proposal: f.options()})
	if err != nil {
		t.Fatal(err)
	}
	var out []*report.RoleProposal
	for i := range r.Roles {
		if r.Roles[i].Proposal == nil {
			continue
		}
		p, err := output.RoleProposal(r, &r.Roles[i], f.form())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestTerraformIsTheProposal: of every role of the sample account and in every form, the
// policy that the module renders is the proposal's document, byte for byte as we print it.
func TestTerraformIsTheProposal(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		t.Run(name, func(t *testing.T) {
			rendered, whole := 0, 0
			for _, p := range sampleProposals(t, forms[name]) {
				files, err := output.TerraformFiles(p)
				if len(p.Policies) == 0 {
					if err == nil || !strings.Contains(err.Error(), "there is no policy: Nothing that this role is granted") {
						t.Errorf("%s has no policy, and the error is %v", p.Role.Name, err)
					}
					continue
				}
				if len(p.Policies) > 1 {
					if err == nil || !strings.Contains(err.Error(), "more than a role's inline policies may have: -o json has it in") {
						t.Errorf("%s has several policies, and the error is %v", p.Role.Name, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				got := evaluate(t, files)
				if diff := cmp.Diff(string(p.Policies[0].Document), canonical(t, got.policy)); diff != "" {
					t.Errorf("%s (-proposal +module):\n%s\n%s", p.Role.Name, diff, files[0].Text)
				}
				if canonical(t, got.trust) != canonical(t, baseline) {
					t.Errorf("%s: trust %s", p.Role.Name, got.trust)
				}
				rendered++
				if bytes.Contains(files[0].Text, []byte("extra_statements")) {
					whole++
				}
			}
			t.Logf("%d roles, %d of them with statements that are no list", rendered, whole)
			if rendered < 14 || name == "default" && whole > 12 {
				t.Errorf("%d roles rendered, %d with whole statements", rendered, whole)
			}
		})
	}
}

const baseline = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// hostileTexts are names and values that HCL could read as something else.
var hostileTexts = []string{
	`quote"s`, `back\slash`, `${aws:username}`, `$${aws:username}`, `$$${x}`, `%{ if true }x%{ endif }`, `%%{x}`, `${$}{x}`, `${*}`, "tab\tand\rreturn\nand newline",
	`trailing$`, `trailing%`, `a$`, `$`, `$$`, "\u00e9t\u00e9", "日本語", "🙂", "\u202egnp.exe\u200b", "\x1b[2J\u009b", "\u2028", "\u0000", "# comment", "// comment", "/* comment */",
	"<<EOT", "\"\n}\nresource \"x\" \"y\" {", "a.b[0]", "{ for k, v in x : k => v }", "null", "true", "1e400", "&<>", "\ufeff", "\ufffd",
}

// hostileProposal has the texts wherever AWS lets users write.
func hostileProposal(t *testing.T) *report.RoleProposal {
	t.Helper()
	p := sampleProposals(t, forms["default"])[0]
	var reads, writes, buckets []string
	condition := map[string]any{}
	for i, text := range hostileTexts {
		reads = append(reads, "arn:aws:s3:::bucket/"+text+"/*")
		writes = append(writes, "arn:aws:s3:::bucket/"+text)
		buckets = append(buckets, fmt.Sprint("arn:aws:s3:::bucket-", i))
		condition[text] = []any{text, true, json.Number("3"), json.Number("12.5"), "1e3", "-7", "1.50"}
	}
	type object = map[string]any
	document, err := json.Marshal(object{"Version": "2012-10-17", "Statement": []any{
		object{"Sid": "S3ListBuckets", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": buckets},
		object{"Sid": "S3ReadData", "Effect": "Allow", "Action": "s3:GetObject", "Resource": reads},
		object{"Sid": "S3WriteArtifacts", "Effect": "Allow", "Action": "s3:PutObject", "Resource": writes},
		object{"Sid": "KeptDeny1", "Effect": "Deny", "NotAction": append([]string{"s3:*"}, hostileTexts...), "NotResource": append([]string{"*"}, hostileTexts...),
			"Condition": object{"StringLike": condition, "ForAllValues:StringEquals": object{"aws:TagKeys": "a"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.Role.Name = hostile
	p.Confirm = []string{"confirm " + hostile}
	p.Policies = []report.ProposedPolicy{{Kind: "inline", Name: "sagemaker-least-privilege", Document: document}}
	p.Statements = []report.ProposedStatement{
		{Statement: report.Statement{Sid: "S3ListBuckets", Area: "s3-read"}}, {Statement: report.Statement{Sid: "S3ReadData", Area: "s3-read"}},
		{Statement: report.Statement{Sid: "S3WriteArtifacts", Area: "s3-write"}}, {Statement: report.Statement{Sid: "KeptDeny1"}},
	}
	return p
}

// TestTerraformHostile: whatever stands in names and values, the policy that comes out is
// the proposal's, and the text that is printed is harmless.
func TestTerraformHostile(t *testing.T) {
	p := hostileProposal(t)
	files, err := output.TerraformFiles(p)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(canonical(t, string(p.Policies[0].Document)), canonical(t, evaluate(t, files).policy)); diff != "" {
		t.Errorf("(-proposal +module):\n%s\n%s", diff, files[0].Text)
	}
	for _, f := range files {
		for i, r := range string(f.Text) {
			if r != '\n' && (r < ' ' || r == 0x7f || strings.ContainsRune("\u009b\u202e\u200b\u2028\ufeff", r)) {
				t.Errorf("%s holds %U at byte %d", f.Path, r, i)
			}
		}
	}
	fmtCheck(t, files)
}

// TestTerraformBinary: the real Terraform comes to the same policies, without a provider:
// of the module everything but the two resources, whose arguments are put out.
func TestTerraformBinary(t *testing.T) {
	needsTerraform(t)
	dir := t.TempDir()
	want := map[string]string{}
	var root bytes.Buffer
	var written bool
	for i, p := range append(sampleProposals(t, forms["default"]), hostileProposal(t)) {
		if len(p.Policies) == 0 {
			continue
		}
		files, err := output.TerraformFiles(p)
		if err != nil {
			t.Fatal(err)
		}
		f, diags := hclwrite.ParseConfig(files[0].Text, files[0].Path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		call := f.Body().FirstMatchingBlock("module", []string{f.Body().Blocks()[0].Labels()[0]})
		label := fmt.Sprintf("role%02d", i)
		call.SetLabels([]string{label})
		root.Write(call.BuildTokens(nil).Bytes())
		fmt.Fprintf(&root, "output %q {\n  value = module.%s.policy\n}\n", label, label)
		want[label] = canonical(t, string(p.Policies[0].Document))
		if written {
			continue
		}
		written = true
		for _, f := range files[1:] {
			text := f.Text
			switch path.Base(f.Path) {
			case "main.tf":
				text = withoutResources(t, text)
			case "outputs.tf":
				continue
			}
			put(t, filepath.Join(dir, f.Path), text)
		}
	}
	put(t, filepath.Join(dir, "main.tf"), root.Bytes())
	terraform(t, dir, "init", "-no-color", "-input=false")
	terraform(t, dir, "apply", "-no-color", "-input=false", "-auto-approve")
	var got map[string]struct{ Value string }
	if err := json.Unmarshal(terraform(t, dir, "output", "-json"), &got); err != nil {
		t.Fatal(err)
	}
	for label := range want {
		if diff := cmp.Diff(want[label], canonical(t, got[label].Value)); diff != "" {
			t.Errorf("%s (-proposal +terraform):\n%s", label, diff)
		}
	}
	if len(want) < 17 {
		t.Errorf("only %d roles", len(want))
	}
}

// withoutResources puts the policy out in the place of the resources.
func withoutResources(t *testing.T, text []byte) []byte {
	t.Helper()
	f, diags := hclwrite.ParseConfig(text, "main.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var policy hclwrite.Tokens
	for _, b := range f.Body().Blocks() {
		if b.Type() == "resource" && b.Labels()[0] == "aws_iam_role_policy" {
			policy = b.Body().GetAttribute("policy").Expr().BuildTokens(nil)
		}
		if b.Type() != "locals" {
			f.Body().RemoveBlock(b)
		}
	}
	f.Body().AppendNewBlock("output", []string{"policy"}).Body().SetAttributeRaw("value", policy)
	return f.Bytes()
}

func needsTerraform(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("no terraform on this machine: what it makes of the files was not checked")
	}
}

func terraform(t *testing.T, dir string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "terraform", args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("terraform %s: %v\n%s%s", args[0], err, out, stderr.Bytes())
	}
	return out
}

// fmtCheck asserts that terraform fmt has nothing to change.
func fmtCheck(t *testing.T, files []output.File) {
	t.Helper()
	needsTerraform(t)
	dir := t.TempDir()
	for _, f := range files {
		put(t, filepath.Join(dir, f.Path), f.Text)
	}
	if out := terraform(t, dir, "fmt", "-check", "-recursive", "-diff", "-no-color"); len(out) > 0 {
		t.Errorf("terraform fmt: %s", out)
	}
}

func TestTerraformFmt(t *testing.T) {
	needsTerraform(t)
	var all []output.File
	for i, p := range sampleProposals(t, forms["kept"]) {
		if len(p.Policies) != 1 {
			continue
		}
		files, err := output.TerraformFiles(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			all = append(all, output.File{Path: fmt.Sprint(i, "/", f.Path), Text: f.Text})
		}
	}
	fmtCheck(t, all)
}

func put(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestModuleSimpleForm: with nothing but a bucket the module is the customer's table.
func TestModuleSimpleForm(t *testing.T) {
	files, err := output.TerraformFiles(sampleProposals(t, forms["default"])[0])
	if err != nil {
		t.Fatal(err)
	}
	files[0].Text = []byte("module \"m\" {\n  source = \"./x\"\n  bucket_name = \"data\"\n}\n")
	got := evaluate(t, files)
	want := `{"Version":"2012-10-17","Statement":[
		{"Sid":"ECRImagePull","Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetAuthorizationToken","ecr:GetDownloadUrlForLayer"],"Resource":"*"},
		{"Sid":"S3DataAccess","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket","s3:PutObject"],"Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]},
		{"Sid":"CloudWatchLogs","Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:log-group:/aws/sagemaker/*"}]}`
	if diff := cmp.Diff(canonical(t, want), canonical(t, got.policy)); diff != "" {
		t.Error(diff)
	}
	if got.roleName != "sagemaker-execution-role" || got.policyName != "sagemaker-least-privilege" || canonical(t, got.trust) != canonical(t, baseline) || !got.given {
		t.Errorf("%+v", got)
	}
	// One list narrows S3 alone, and what is not narrowed stays the bucket's.
	files[0].Text = []byte("module \"m\" {\n  source = \"./x\"\n  bucket_name = \"data\"\n  write_prefixes = [\"data/out/*\"]\n}\n")
	want = `{"Version":"2012-10-17","Statement":[
		{"Sid":"S3ListBuckets","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"},
		{"Sid":"S3ReadData","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"},
		{"Sid":"S3WriteArtifacts","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/out/*"}]}`
	if text := canonical(t, evaluate(t, files).policy); !strings.Contains(strings.Join(strings.Fields(text), ""), strings.TrimSuffix(strings.SplitN(strings.Join(strings.Fields(canonical(t, want)), ""), "[", 2)[1], "]}")) {
		t.Errorf("with one list: %s", text)
	}
	// Without a bucket and without lists it is refused.
	files[0].Text = []byte("module \"m\" {\n  source = \"./x\"\n}\n")
	if evaluate(t, files).given {
		t.Error("no bucket and no list passes")
	}
	files[0].Text = []byte("module \"m\" {\n  source = \"./x\"\n  bucket_name = \"data\"\n  trust_policy = { Version = \"2012-10-17\", Statement = [] }\n  partition = \"aws-cn\"\n}\n")
	if got := evaluate(t, files); got.trust != `{"Statement":[],"Version":"2012-10-17"}` || !strings.Contains(got.policy, "arn:aws-cn:s3:::data/*") || strings.Contains(got.policy, "arn:aws:") {
		t.Errorf("%+v", got)
	}
}

// canonical is a policy as we print it.
func canonical(t *testing.T, text string) string {
	t.Helper()
	doc, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return string(doc.Indent())
}

// evaluated is what the module's resources come to.
type evaluated struct {
	policy, trust, roleName, policyName string
	// given: the precondition holds.
	given bool
}

var functions = map[string]function.Function{
	"concat": stdlib.ConcatFunc, "flatten": stdlib.FlattenFunc, "jsonencode": stdlib.JSONEncodeFunc, "keys": stdlib.KeysFunc,
	"length": stdlib.LengthFunc, "setsubtract": stdlib.SetSubtractFunc, "try": tryfunc.TryFunc,
}

// evaluate runs the call and the module as Terraform does, as far as values go.
func evaluate(t *testing.T, files []output.File) evaluated {
	t.Helper()
	bodies := map[string]*hclsyntax.Body{}
	for _, f := range files {
		f, diags := hclsyntax.ParseConfig(f.Text, f.Path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		bodies[path.Base(path.Dir(files[len(bodies)].Path))+"/"+path.Base(files[len(bodies)].Path)] = f.Body.(*hclsyntax.Body)
	}
	value := func(e hcl.Expression, ctx *hcl.EvalContext) cty.Value {
		v, diags := e.Value(ctx)
		if diags.HasErrors() {
			t.Fatalf("%v\n%s", diags, files[0].Text)
		}
		return v
	}
	given := bodies["./main.tf"].Blocks[0].Body.Attributes
	vars := map[string]cty.Value{}
	for _, b := range bodies["sagemaker-execution-role/variables.tf"].Blocks {
		typ, diags := typeexpr.TypeConstraint(b.Body.Attributes["type"].Expr)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		name := b.Labels[0]
		v := value(b.Body.Attributes["default"].Expr, nil)
		if a := given[name]; a != nil {
			v = value(a.Expr, nil)
		}
		v, err := convert.Convert(v, typ)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		vars[name] = v
		for _, check := range b.Body.Blocks {
			ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{name: v})}, Functions: functions}
			if value(check.Body.Attributes["condition"].Expr, ctx).False() {
				t.Fatalf("%s is refused", name)
			}
		}
	}
	for name := range given {
		if _, ok := vars[name]; !ok && name != "source" {
			t.Fatalf("the module has no variable %s", name)
		}
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(vars)}, Functions: functions}
	locals := map[string]cty.Value{}
	var out evaluated
	for _, b := range bodies["sagemaker-execution-role/main.tf"].Blocks {
		switch {
		case b.Type == "locals":
			for left := maps.Clone(b.Body.Attributes); len(left) > 0; {
				before := len(left)
				for name, a := range left {
					if !slices.ContainsFunc(a.Expr.Variables(), func(v hcl.Traversal) bool {
						return v.RootName() == "local" && left[v[1].(hcl.TraverseAttr).Name] != nil
					}) {
						locals[name] = value(a.Expr, ctx)
						delete(left, name)
						ctx.Variables["local"] = cty.ObjectVal(locals)
					}
				}
				if len(left) == before {
					t.Fatal("locals go in a circle")
				}
			}
		case b.Type == "resource" && b.Labels[0] == "aws_iam_role":
			out.trust = value(b.Body.Attributes["assume_role_policy"].Expr, ctx).AsString()
			out.roleName = value(b.Body.Attributes["name"].Expr, ctx).AsString()
		case b.Type == "resource":
			out.policy = value(b.Body.Attributes["policy"].Expr, ctx).AsString()
			out.policyName = value(b.Body.Attributes["name"].Expr, ctx).AsString()
			out.given = value(b.Body.Blocks[0].Body.Blocks[0].Body.Attributes["condition"].Expr, ctx).True()
		}
	}
	return out
}
