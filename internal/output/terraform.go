package output

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// File is a file of a tree, by its slash-separated path below the tree's root.
type File struct {
	Path string
	Text []byte
}

// module is the customer's module. It is the same for every role.
//
//go:embed module/*.tf
var module embed.FS

const modulePath = "modules/sagemaker-execution-role"

// ErrNoTerraform says that a proposal cannot be written as one inline policy.
var ErrNoTerraform = errors.New("not written as Terraform")

// TerraformFiles writes a proposal as Terraform for a new role: the module, and the call
// of it with what the proposal says. What the module renders is the proposal's document:
// its statements in their order, through the module's lists where an area has their
// shape, and whole where it has not.
func TerraformFiles(p *report.RoleProposal) ([]File, error) {
	call, err := moduleCall(p)
	if err != nil {
		return nil, err
	}
	files := []File{{"main.tf", call}}
	err = fs.WalkDir(module, "module", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := module.ReadFile(name)
		files = append(files, File{path.Join(modulePath, path.Base(name)), text})
		return err
	})
	return files, err
}

// WriteFiles writes files one after another, each behind a line with its path.
func WriteFiles(w io.Writer, files []File) error {
	var buf bytes.Buffer
	for i, f := range files {
		if i > 0 {
			buf.WriteByte('\n')
		}
		fmt.Fprintf(&buf, "# file: %s\n", f.Path)
		buf.Write(f.Text)
	}
	_, err := buf.WriteTo(w)
	return err
}

// newRoleSuffix sets the new role's name apart from that of the role it follows.
const newRoleSuffix = "-least-privilege"

// maxRoleName is IAM's limit (AWS: reference_iam-quotas).
const maxRoleName = 64

// NewRoleName is the name of the role that the Terraform of a proposal makes.
func NewRoleName(p *report.RoleProposal) string {
	name := []rune(p.Role.Name)
	return string(name[:min(len(name), maxRoleName-len(newRoleSuffix))]) + newRoleSuffix
}

// moduleCall is the root's main.tf.
func moduleCall(p *report.RoleProposal) ([]byte, error) {
	shape, err := shapeOf(p)
	if err != nil {
		return nil, err
	}
	trust, err := trustOf(p)
	if err != nil {
		return nil, err
	}
	f := hclwrite.NewEmptyFile()
	for _, text := range headLines(p) {
		for i, line := range wrap(text, commentWidth) {
			if i > 0 && strings.HasPrefix(text, "- ") {
				line = "  " + line
			}
			f.Body().AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(strings.TrimRight("# "+line, " ") + "\n")}})
		}
	}
	f.Body().AppendNewline()
	label := moduleLabel(p.Role.Name)
	body := f.Body().AppendNewBlock("module", []string{label}).Body()
	w := &hclWriter{}
	body.SetAttributeRaw("source", w.text("./"+modulePath))
	body.AppendNewline()
	body.SetAttributeRaw("role_name", w.text(NewRoleName(p)))
	if partition := cmp.Or(p.Account.Partition, "aws"); partition != "aws" {
		body.SetAttributeRaw("partition", w.text(partition))
	}
	body.AppendNewline()
	for _, list := range []struct {
		name   string
		values []string
	}{
		{"repositories", shape.repositories}, {"list_buckets", shape.listBuckets}, {"read_prefixes", shape.readPrefixes},
		{"write_prefixes", shape.writePrefixes}, {"log_groups", shape.logGroups},
	} {
		var items []hclwrite.Tokens
		for _, v := range list.values {
			items = append(items, w.text(v))
		}
		body.SetAttributeRaw(list.name, tuple(items))
	}
	if shape.describe {
		body.SetAttributeValue("describe_log_streams", cty.True)
	}
	if extra := w.extra(shape); extra != nil {
		body.AppendNewline()
		body.SetAttributeRaw("extra_statements", extra)
	}
	if trust != nil {
		body.AppendNewline()
		body.SetAttributeRaw("trust_policy", w.json(trust))
	}
	f.Body().AppendNewline()
	out := f.Body().AppendNewBlock("output", []string{"role_arn"}).Body()
	out.SetAttributeTraversal("value", hcl.Traversal{hcl.TraverseRoot{Name: "module"}, hcl.TraverseAttr{Name: label}, hcl.TraverseAttr{Name: "role_arn"}})
	if w.err != nil {
		return nil, fmt.Errorf("the proposal of %s is %w: %w", p.Role.Name, ErrNoTerraform, w.err)
	}
	return hclwrite.Format(f.Bytes()), nil
}

// headLines say above the call what it is.
func headLines(p *report.RoleProposal) []string {
	lines := []string{
		fmt.Sprintf("For a NEW role, %s, by what %s of account %s needs as of %s UTC.", NewRoleName(p), p.Role.Name, p.Account.ID, minute(p.GeneratedAt)),
		"It stands beside that role and leaves it as it is: adopting an existing role in Terraform comes later.",
		"",
		fmt.Sprintf("Readiness: %s. Proof: %s. audit propose -o json has the evidence of every statement.", p.Readiness, p.Status),
	}
	for _, why := range slices.Concat(p.Proof.Counterexamples, p.Confirm, p.Review) {
		lines = append(lines, "- "+why)
	}
	if g, ok := guardKeys[p.Role.Trust.Guard]; ok {
		lines = append(lines, "- Today's trust policy has a condition on "+g+", and the module's has none: trust_policy takes one.")
	}
	return lines
}

var guardKeys = map[string]string{
	"sourceAccount": "aws:SourceAccount", "sourceArn": "aws:SourceArn", "both": "aws:SourceAccount and aws:SourceArn",
}

// commentWidth is the most characters of a comment's line, where its words allow it.
const commentWidth = 98

// wrap breaks a text between words; what could end a comment is escaped.
func wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(clean(text)) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// moduleLabel makes an identifier of a role's name.
func moduleLabel(name string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, name)
	if label == "" || !('a' <= label[0]|0x20 && label[0]|0x20 <= 'z') {
		label = "role_" + label
	}
	return label
}

// trustOf is the proposed trust policy where it is another than the module's.
func trustOf(p *report.RoleProposal) (json.RawMessage, error) {
	if len(p.Trust) == 0 || string(p.Trust) == "null" {
		return nil, nil
	}
	doc, err := policy.Parse(p.Trust)
	if err != nil {
		return nil, fmt.Errorf("the trust policy proposed for %s: %w", p.Role.Name, err)
	}
	if string(doc.Print()) == baselineTrust {
		return nil, nil
	}
	return p.Trust, nil
}

// baselineTrust is the module's, as policy prints it.
const baselineTrust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}}`

// moduleParts are the parts of the module's policy in their order, by the area whose
// statements stand there, and "other" for all that follow.
var moduleParts = []struct{ name, area string }{
	{"ecr", "ecr-pull"}, {"s3_read", "s3-read"}, {"s3_write", "s3-write"}, {"logs", "logs"}, {"other", ""},
}

// moduleShape is a proposal in the module's variables: its lists, and by part the
// statements that have no place in them.
type moduleShape struct {
	repositories, listBuckets, readPrefixes, writePrefixes, logGroups []string
	describe                                                          bool
	extra                                                             [][]json.RawMessage
}

// proposedStatement is a statement, parsed and as it is written.
type proposedStatement struct {
	*policy.Statement
	text json.RawMessage
}

func shapeOf(p *report.RoleProposal) (*moduleShape, error) {
	if len(p.Policies) != 1 {
		why := "there is no policy: " + strings.Join(p.Notes, " ")
		if len(p.Policies) > 1 {
			why = fmt.Sprintf("it has %d characters, more than a role's inline policies may have: -o json has it in %d managed ones", p.Proof.Characters, len(p.Policies))
			switch {
			case p.Form.KeepUnobservable:
				why += ", and without --keep-unobservable it is shorter"
			case p.Form.Granularity == "prefix":
				why += ", and with --granularity bucket it is shorter"
			}
		}
		return nil, fmt.Errorf("the proposal of %s is %w: %s", p.Role.Name, ErrNoTerraform, why)
	}
	statements, err := statementsOf(p.Policies[0].Document)
	if err != nil {
		return nil, fmt.Errorf("the proposal of %s: %w", p.Role.Name, err)
	}
	areas := map[string]string{}
	for _, st := range p.Statements {
		areas[st.Sid] = st.Area
	}
	parts := make([][]proposedStatement, len(moduleParts))
	at := 0
	for _, st := range statements {
		for i, part := range moduleParts {
			if part.area == areas[st.Sid] || part.area == "" {
				// What comes late stays where it is: the order is the proposal's.
				at = max(at, i)
				break
			}
		}
		parts[at] = append(parts[at], st)
	}
	shape := &moduleShape{}
	s3 := "arn:" + cmp.Or(p.Account.Partition, "aws") + ":s3:::"
	taken := []int{
		shape.takeRepositories(parts[0]), shape.takeReads(parts[1], s3), shape.takeWrites(parts[2], s3), shape.takeLogs(parts[3]), 0,
	}
	for i, part := range parts {
		var extra []json.RawMessage
		for _, st := range part[taken[i]:] {
			extra = append(extra, st.text)
		}
		shape.extra = append(shape.extra, extra)
	}
	return shape, nil
}

func statementsOf(document json.RawMessage) ([]proposedStatement, error) {
	doc, err := policy.Parse(document)
	if err != nil {
		return nil, err
	}
	var raw struct{ Statement json.RawMessage }
	if err := json.Unmarshal(document, &raw); err != nil {
		return nil, err
	}
	var texts []json.RawMessage
	if raw.Statement[0] == '{' {
		texts = []json.RawMessage{raw.Statement}
	} else if err := json.Unmarshal(raw.Statement, &texts); err != nil {
		return nil, err
	}
	out := make([]proposedStatement, len(texts))
	for i, st := range doc.Statements() {
		out[i] = proposedStatement{st, texts[i]}
	}
	return out, nil
}

// is reports whether the statement is what the module renders under the Sid: actions
// allowed on resources without a condition.
func (s proposedStatement) is(sid string, actions ...string) bool {
	return s.Sid == sid && s.Effect == policy.Allow && !s.NotAction && !s.NotResource && s.Unconditional() &&
		slices.Equal(slices.Sorted(slices.Values(s.Actions)), actions)
}

// below gives the resources without the beginning that all of them have.
func (s proposedStatement) below(beginning string, isKey bool) ([]string, bool) {
	var out []string
	for _, r := range s.Resources {
		rest, ok := strings.CutPrefix(r, beginning)
		if !ok || strings.Contains(rest, "/") != isKey {
			return nil, false
		}
		out = append(out, rest)
	}
	return out, len(out) > 0
}

// The take functions say how many of a part's first statements the module's lists render.

func (m *moduleShape) takeRepositories(part []proposedStatement) int {
	if len(part) < 2 || !part[0].is("ECRAuthorization", "ecr:GetAuthorizationToken") || !slices.Equal(part[0].Resources, []string{"*"}) ||
		!part[1].is("ECRImagePull", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer") {
		return 0
	}
	m.repositories = part[1].Resources
	return 2
}

func (m *moduleShape) takeReads(part []proposedStatement, s3 string) int {
	n := 0
	if len(part) > n && part[n].is("S3ListBuckets", "s3:ListBucket") {
		if buckets, ok := part[n].below(s3, false); ok {
			m.listBuckets = buckets
			n++
		}
	}
	if len(part) > n && part[n].is("S3ReadData", "s3:GetObject") {
		if keys, ok := part[n].below(s3, true); ok {
			m.readPrefixes = keys
			n++
		}
	}
	return n
}

func (m *moduleShape) takeWrites(part []proposedStatement, s3 string) int {
	if len(part) > 0 && part[0].is("S3WriteArtifacts", "s3:PutObject") {
		if keys, ok := part[0].below(s3, true); ok {
			m.writePrefixes = keys
			return 1
		}
	}
	return 0
}

func (m *moduleShape) takeLogs(part []proposedStatement) int {
	n := 0
	describe := len(part) > 0 && part[0].is("CloudWatchLogsDescribe", "logs:DescribeLogStreams")
	if describe {
		n = 1
	}
	if len(part) < n+2 || !part[n].is("CloudWatchLogGroup", "logs:CreateLogGroup") || !part[n+1].is("CloudWatchLogs", "logs:CreateLogStream", "logs:PutLogEvents") {
		return 0
	}
	var groups, both []string
	for _, stream := range part[n+1].Resources {
		group, ok := strings.CutSuffix(stream, ":*")
		if !ok {
			return 0
		}
		groups, both = append(groups, group), append(both, group, stream)
	}
	same := func(resources []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(resources)), slices.Sorted(slices.Values(both)))
	}
	if !same(part[n].Resources) || describe && !same(part[0].Resources) {
		return 0
	}
	m.logGroups, m.describe = groups, describe
	return n + 2
}

// hclWriter writes values as tokens, and remembers the first that cannot be written.
type hclWriter struct{ err error }

// text is a quoted string, with what HCL would read as a template escaped.
func (w *hclWriter) text(s string) hclwrite.Tokens {
	v := cty.StringVal(s)
	if v.AsString() != s && w.err == nil {
		w.err = fmt.Errorf("%+q would come out of Terraform in another Unicode form, and AWS tells the two apart", s)
	}
	return hclwrite.TokensForValue(v)
}

// extra is the object of the statements that have no place in the lists, nil for none.
func (w *hclWriter) extra(shape *moduleShape) hclwrite.Tokens {
	var parts []hclwrite.ObjectAttrTokens
	for i, statements := range shape.extra {
		var items []hclwrite.Tokens
		for _, st := range statements {
			items = append(items, w.json(st))
		}
		if len(items) > 0 {
			parts = append(parts, hclwrite.ObjectAttrTokens{Name: hclwrite.TokensForIdentifier(moduleParts[i].name), Value: tuple(items)})
		}
	}
	if parts == nil {
		return nil
	}
	return hclwrite.TokensForObject(parts)
}

// json writes a JSON value; the members of objects keep their order.
func (w *hclWriter) json(text json.RawMessage) hclwrite.Tokens {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return w.value(d)
}

func (w *hclWriter) value(d *json.Decoder) hclwrite.Tokens {
	token, err := d.Token()
	if err != nil {
		w.err = cmp.Or(w.err, err)
		return hclwrite.TokensForIdentifier("null")
	}
	switch t := token.(type) {
	case json.Delim:
		var items []hclwrite.Tokens
		var members []hclwrite.ObjectAttrTokens
		for d.More() && w.err == nil {
			if t == '[' {
				items = append(items, w.value(d))
				continue
			}
			key, err := d.Token()
			name, _ := key.(string)
			w.err = cmp.Or(w.err, err)
			members = append(members, hclwrite.ObjectAttrTokens{Name: w.key(name), Value: w.value(d)})
		}
		if _, err := d.Token(); err != nil {
			w.err = cmp.Or(w.err, err)
		}
		if t == '[' {
			return tuple(items)
		}
		return hclwrite.TokensForObject(members)
	case string:
		return w.text(t)
	case json.Number:
		// IAM reads a number in quotes alike, and Terraform would write this one otherwise.
		if v, err := cty.ParseNumberVal(t.String()); err != nil || v.AsBigFloat().Text('f', -1) != t.String() || strings.HasPrefix(t.String(), "-") {
			return w.text(t.String())
		} else {
			return hclwrite.TokensForValue(v)
		}
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(t))
	default:
		return hclwrite.TokensForIdentifier("null")
	}
}

// key is the name of a member: bare where it is one of IAM's words.
func (w *hclWriter) key(name string) hclwrite.Tokens {
	if hclsyntax.ValidIdentifier(name) && 'A' <= name[0] && name[0] <= 'Z' && name == clean(name) {
		return hclwrite.TokensForIdentifier(name)
	}
	return w.text(name)
}

// tuple writes a list, one element a line where there are several.
func tuple(items []hclwrite.Tokens) hclwrite.Tokens {
	if len(items) < 2 {
		return hclwrite.TokensForTuple(items)
	}
	line := &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte{'\n'}}
	out := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte{'['}}, line}
	for _, item := range items {
		out = append(out, item...)
		out = append(out, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte{','}}, line)
	}
	return append(out, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte{']'}})
}
