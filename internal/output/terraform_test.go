package output

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"sagemaker-role-audit/internal/analyze/report"
)

// FuzzText: whatever a string holds, HCL reads it back, and printing it is harmless.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "${x}", "$${x}", "$$${", "%{if}", "%%{", `\`, `"`, "\n", "\x00", "\u202e", "e\u0301", "\u00e9", "🙂", "$", "%", "${$}{", "\ufeff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip("JSON has none such")
		}
		w := &hclWriter{}
		text := hclwrite.Format(w.text(s).Bytes())
		if (w.err != nil) != (cty.NormalizeString(s) != s) {
			t.Fatalf("%q: error %v", s, w.err)
		}
		if string(text) != clean(string(text)) {
			t.Errorf("%q is printed as %q", s, text)
		}
		e, diags := hclsyntax.ParseExpression(text, "", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%q is written %s: %v", s, text, diags)
		}
		v, diags := e.Value(nil)
		if diags.HasErrors() || v.AsString() != cty.NormalizeString(s) {
			t.Errorf("%q is written %s and read %#v: %v", s, text, v, diags)
		}
	})
}

func proposalOf(document string, areas map[string]string) *report.RoleProposal {
	p := &report.RoleProposal{Basis: report.Basis{Account: report.Account{ID: account, Partition: "aws"}, GeneratedAt: at("2026-10-31 12:00")},
		Role: report.ProposalRole{Name: "trainer"}, Form: report.ProposalForm{Granularity: "prefix"},
		Policies: []report.ProposedPolicy{{Kind: "inline", Document: json.RawMessage(document)}}}
	for sid, area := range areas {
		p.Statements = append(p.Statements, report.ProposedStatement{Statement: report.Statement{Sid: sid, Area: area}})
	}
	return p
}

// TestShape: what has the module's shape goes into its lists; from the first statement of
// an area that has not, the area's stand whole.
func TestShape(t *testing.T) {
	const (
		auth   = `{"Sid":"ECRAuthorization","Effect":"Allow","Action":"ecr:GetAuthorizationToken","Resource":"*"}`
		pull   = `{"Sid":"ECRImagePull","Effect":"Allow","Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:us-east-1:1:repository/a"}`
		less   = `{"Sid":"ECRImagePull","Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"arn:aws:ecr:us-east-1:1:repository/a"}`
		lists  = `{"Sid":"S3ListBuckets","Effect":"Allow","Action":"s3:ListBucket","Resource":["arn:aws:s3:::a","arn:aws:s3:::b"]}`
		strict = `{"Sid":"S3ListBuckets","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::a","Condition":{"StringLike":{"s3:prefix":"x/*"}}}`
		read   = `{"Sid":"S3ReadData","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/x/*"}`
		read2  = `{"Sid":"S3ReadData2","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/y/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}`
		write  = `{"Sid":"S3WriteArtifacts","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::a/out/*"}`
		china  = `{"Sid":"S3WriteArtifacts","Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws-cn:s3:::a/out/*"}`
		group  = `{"Sid":"CloudWatchLogGroup","Effect":"Allow","Action":"logs:CreateLogGroup","Resource":["arn:aws:logs:us-east-1:1:log-group:/aws/sagemaker/TrainingJobs","arn:aws:logs:us-east-1:1:log-group:/aws/sagemaker/TrainingJobs:*"]}`
		logs   = `{"Sid":"CloudWatchLogs","Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:us-east-1:1:log-group:/aws/sagemaker/TrainingJobs:*"}`
		other  = `{"Sid":"CloudWatchLogs","Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:us-east-1:1:log-group:/aws/sagemaker/Other:*"}`
		key    = `{"Sid":"KMSKeys","Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:1:key/k"}`
		deny   = `{"Sid":"KeptDeny1","Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::a*"}`
	)
	areas := map[string]string{"ECRAuthorization": "ecr-pull", "ECRImagePull": "ecr-pull", "S3ListBuckets": "s3-read", "S3ReadData": "s3-read", "S3ReadData2": "s3-read",
		"S3WriteArtifacts": "s3-write", "CloudWatchLogGroup": "logs", "CloudWatchLogs": "logs", "KMSKeys": "kms"}
	for _, test := range []struct {
		name       string
		statements []string
		lists      int   // values in the lists
		extra      []int // statements by part
	}{
		{"all of it", []string{auth, pull, lists, read, write, group, logs}, 6, []int{0, 0, 0, 0, 0}},
		{"more behind", []string{auth, pull, lists, read, write, group, logs, key, deny}, 6, []int{0, 0, 0, 0, 2}},
		{"fewer actions", []string{auth, less, lists, read, write, group, logs}, 5, []int{2, 0, 0, 0, 0}},
		{"a condition first", []string{auth, pull, strict, read, write, group, logs}, 3, []int{0, 2, 0, 0, 0}},
		{"a condition behind", []string{auth, pull, lists, read, read2, write}, 5, []int{0, 1, 0, 0, 0}},
		{"another partition", []string{read, china}, 1, []int{0, 0, 1, 0, 0}},
		{"logs of two groups", []string{group, other}, 0, []int{0, 0, 0, 2, 0}},
		{"logs without a group", []string{logs}, 0, []int{0, 0, 0, 1, 0}},
		{"another order", []string{write, read, key, auth}, 1, []int{0, 0, 1, 0, 2}},
		{"one alone", []string{deny}, 0, []int{0, 0, 0, 0, 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := "[" + strings.Join(test.statements, ",") + "]"
			if len(test.statements) == 1 {
				body = test.statements[0]
			}
			p := proposalOf(`{"Version":"2012-10-17","Statement":`+body+`}`, areas)
			shape, err := shapeOf(p)
			if err != nil {
				t.Fatal(err)
			}
			var extra []int
			for _, part := range shape.extra {
				extra = append(extra, len(part))
			}
			if n := len(slices.Concat(shape.repositories, shape.listBuckets, shape.readPrefixes, shape.writePrefixes, shape.logGroups)); n != test.lists || !slices.Equal(extra, test.extra) {
				t.Errorf("%d values in lists and %v whole, want %d and %v", n, extra, test.lists, test.extra)
			}
		})
	}
}

// TestModule: one role, one inline policy, and nothing that attaches more or reads.
func TestModule(t *testing.T) {
	files, err := TerraformFiles(proposalOf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}}`, nil))
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, f := range files {
		parsed, diags := hclsyntax.ParseConfig(f.Text, f.Path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range parsed.Body.(*hclsyntax.Body).Blocks {
			if b.Type != "variable" {
				blocks = append(blocks, strings.Join(append([]string{b.Type}, b.Labels...), " "))
			}
		}
		if formatted := hclwrite.Format(f.Text); string(formatted) != string(f.Text) {
			t.Errorf("%s is not formatted", f.Path)
		}
	}
	want := []string{"module trainer", "output role_arn", "terraform", "locals", "resource aws_iam_role this", "resource aws_iam_role_policy this", "output role_arn"}
	if !slices.Equal(blocks, want) {
		t.Errorf("blocks %q, want %q", blocks, want)
	}
}

func TestTerraformRefusals(t *testing.T) {
	decomposed := proposalOf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/cafe`+"\u0301"+`"}}`, nil)
	none := proposalOf(`{}`, nil)
	none.Policies, none.Notes = nil, []string{"Nothing was needed."}
	long := proposalOf(`{}`, nil)
	long.Policies, long.Proof.Characters = append(long.Policies, long.Policies[0]), 12345
	for want, p := range map[string]*report.RoleProposal{
		`another Unicode form`:             decomposed,
		"there is no policy: Nothing was":  none,
		"with --granularity bucket it is ": long,
	} {
		_, err := TerraformFiles(p)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "trainer") || !errors.Is(err, ErrNoTerraform) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestTrust: a trust policy is passed where it is another than the module's.
func TestTrust(t *testing.T) {
	for trust, passed := range map[string]bool{
		"":     false,
		"null": false,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["sagemaker.amazonaws.com"]}, "Action": "sts:AssumeRole"}]}`: false,
		`{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole",
			"Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}]}`: true,
	} {
		p := proposalOf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::a/*"}}`, nil)
		p.Trust = json.RawMessage(trust)
		files, err := TerraformFiles(p)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(files[0].Text), "trust_policy = {") != passed {
			t.Errorf("trust %s:\n%s", trust, files[0].Text)
		}
	}
}

// TestJSONToHCL: members keep their order, and a number that Terraform would write
// otherwise is quoted, which is the same to IAM.
func TestJSONToHCL(t *testing.T) {
	w := &hclWriter{}
	text := string(hclwrite.Format(w.json(json.RawMessage(`{"Zeta":[1,1.0,-2,1e3,2.5,true,null,"a"],"Alpha":{},"for":[],"x":["${a}"]}`)).Bytes()))
	want := "{\n  Zeta = [\n    1,\n    \"1.0\",\n    \"-2\",\n    \"1e3\",\n    2.5,\n    true,\n    null,\n    \"a\",\n  ]\n  Alpha = {}\n  \"for\" = []\n  \"x\"   = [\"$${a}\"]\n}"
	if text != want || w.err != nil {
		t.Errorf("%s, error %v", text, w.err)
	}
	for _, broken := range []string{``, `{"a":`, `[1`, `{"a"}`} {
		w := &hclWriter{}
		if w.json(json.RawMessage(broken)); w.err == nil {
			t.Errorf("%q is written", broken)
		}
	}
}

func TestNewRoleName(t *testing.T) {
	for name, want := range map[string]string{
		"trainer": "trainer-least-privilege", strings.Repeat("a", 64): strings.Repeat("a", 48) + "-least-privilege",
	} {
		if got := NewRoleName(&report.RoleProposal{Role: report.ProposalRole{Name: name}}); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, want := range map[string]string{"a.b+c@d": "a_b_c_d", "1st": "role_1st", "": "role_", "訓練": "role___", "_x": "role__x"} {
		if got := moduleLabel(name); got != want || !hclsyntax.ValidIdentifier(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
}
