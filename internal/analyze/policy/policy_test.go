package policy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
)

// manyMembers are enough for the parser to change how it looks for duplicates.
var manyMembers = func() string {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String()
}()

func TestParseRefuses(t *testing.T) {
	statement := func(body string) string { return `{"Statement":[{"Effect":"Allow","Action":"*"},{` + body + `}]}` }
	for _, tt := range []struct {
		name, text, path, at, message string // at: the error is where this text begins
	}{
		{"nothing", ``, `$`, "", "the end of the input"},
		{"a list", `[]`, `$`, "[", "a policy document is an object"},
		{"no statement", `{"Version":"2012-10-17"}`, `$`, "{", "no Statement"},
		{"a version of its own", `{"Version":"2020-01-01","Statement":[]}`, `$.Version`, `"2020`, "unknown version"},
		{"a duplicate key", `{"Statement":[],"Statement":[]}`, `$.Statement`, `"Statement":[]}`, "duplicate key"},
		{"a duplicate by escape", `{"Statement":[],"\u0053tatement":[]}`, `$.Statement`, `"\u`, "duplicate key"},
		{"a duplicate among many", `{"Statement":[],"x":{` + manyMembers + `"k7":1}}`, `$.x["k7"]`, `"k7":1}}`, "duplicate key"},
		{"a duplicate operator", statement(`"Effect":"Deny","Action":"*","Condition":{"Bool":{"k":"true"},"Bool":{"k":"false"}}`), `$.Statement[1].Condition.Bool`, `"Bool":{"k":"false"`, "duplicate key"},
		{"something after it", `{"Statement":[]} x`, `$`, "x", "after the document"},
		{"another after it", `{"Statement":[]}{}`, `$`, "{}", "after the document"},
		{"an action that is a number", statement(`"Effect":"Allow","Action":1`), `$.Statement[1].Action`, "1}", "a string or a list of strings, found a number"},
		{"a number among actions", statement(`"Effect":"Allow","Action":["a:b",null]`), `$.Statement[1].Action[1]`, "null", "expected a string, found null"},
		{"effect in lower case", statement(`"Effect":"allow","Action":"*"`), `$.Statement[1].Effect`, `"allow"`, "exactly this spelling"},
		{"no effect", statement(`"Action":"*"`), `$.Statement[1]`, `{"Action":"*"}]`, "needs an Effect"},
		{"no action", statement(`"Effect":"Deny"`), `$.Statement[1]`, `{"Effect":"Deny"`, "needs an Action"},
		{"both actions", statement(`"Effect":"Deny","Action":"*","NotAction":"*"`), `$.Statement[1].NotAction`, `"NotAction"`, "exclude each other"},
		{"both resources", statement(`"Effect":"Deny","Action":"*","NotResource":"*","Resource":"*"`), `$.Statement[1].Resource`, `"Resource"`, "exclude each other"},
		{"allow for everyone but one", statement(`"Effect":"Allow","Action":"*","NotPrincipal":"*"`), `$.Statement[1]`, `{"Effect":"Allow","Action":"*","NotPrincipal"`, "NotPrincipal goes with Deny only"},
		{"a principal by name", statement(`"Effect":"Allow","Action":"*","Principal":"me"`), `$.Statement[1].Principal`, `"me"`, `a Principal is "*" or an object`},
		{"a condition without keys", statement(`"Effect":"Allow","Action":"*","Condition":{"Bool":"true"}`), `$.Statement[1].Condition.Bool`, `"true"`, "an object of keys"},
		{"a null for a value", statement(`"Effect":"Allow","Action":"*","Condition":{"Bool":{"a:b c":[null]}}`), `$.Statement[1].Condition.Bool["a:b c"][0]`, "null", "a string, a number or a boolean"},
		{"a list in a list", statement(`"Effect":"Allow","Action":"*","Condition":{"Bool":{"k":[["x"]]}}`), `$.Statement[1].Condition.Bool.k[0]`, `["x"]`, "found a list"},
		{"a trailing comma", `{"Statement":[],}`, `$`, "}", "expected a member name"},
		{"an open string", `{"Statement":"`, `$.Statement`, `"`, "a statement or a list"},
		{"a bad escape", `{"Id":"\x","Statement":[]}`, `$.Id`, `\x`, "invalid escape"},
		{"half a pair", `{"Id":"\ud800","Statement":[]}`, `$.Id`, `\ud800`, "surrogate"},
		{"bytes that are no text", "{\"Id\":\"\xff\",\"Statement\":[]}", `$.Id`, "\xff", "invalid UTF-8"},
		{"a bare newline", "{\"Id\":\"a\nb\",\"Statement\":[]}", `$.Id`, "\n", "control character"},
		{"a number of its own", `{"Statement":[],"x":01}`, `$`, "1}", "expected '}'"},
		{"too deep", `{"Statement":[],"x":` + strings.Repeat("[", 1000), ``, "", "levels deep"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse([]byte(tt.text))
			var e *policy.SyntaxError
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want a *SyntaxError", err)
			}
			if !strings.Contains(e.Msg, tt.message) || tt.path != "" && e.Path != tt.path {
				t.Errorf("%v, want %s: ...%s...", e, tt.path, tt.message)
			}
			if want := strings.LastIndex(tt.text, tt.at); tt.path != "" && int(e.Offset) != want {
				t.Errorf("offset %d (%q), want %d", e.Offset, tt.text[e.Offset:], want)
			}
		})
	}
}

func TestPrint(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"scalars", `{"Statement":[{"Resource":["*"],"Action":["s3:*"],"Effect":"Allow"}]}`,
			`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`},
		{"sorted sets", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["b:*","a:*","b:*"],"NotResource":["y","x"]},{"Effect":"Allow","NotAction":"iam:*"}]}`,
			`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["a:*","b:*"],"NotResource":["x","y"]},{"Effect":"Allow","NotAction":"iam:*"}]}`},
		{"conditions", `{"Statement":{"Effect":"Allow","Action":"*","Condition":{"StringLike":{"b":["2","1"],"a":"x"},"Bool":{"k":[true]},"NumericLessThan":{"n":[10,"10",1.5]}}}}`,
			`{"Statement":{"Effect":"Allow","Action":"*","Condition":{"Bool":{"k":true},"NumericLessThan":{"n":[1.5,10]},"StringLike":{"a":"x","b":["1","2"]}}}}`},
		{"principals and unknown elements", `{"Id":"i","New":{"x":[1,{}]},"Statement":{"Sid":"s","Effect":"Deny","NotPrincipal":{"Service":["b","a"],"AWS":"1"},"Action":[],"Resource":[]}}`,
			`{"Id":"i","Statement":{"Sid":"s","Effect":"Deny","NotPrincipal":{"AWS":"1","Service":["a","b"]},"Action":[],"Resource":[]}}`},
		{"text", `{"Id":"\u00e9\"\\\u0009\u0001<&>\ud83d\ude00","Statement":[]}`,
			`{"Id":"é\"\\\t\u0001<&>😀","Statement":[]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, []byte(tt.text))
			if got := string(d.Print()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid(d.Indent()) {
				t.Errorf("no JSON: %s", d.Indent())
			}
		})
	}
}

// AWS: reference_iam-quotas: white space does not count.
func TestSize(t *testing.T) {
	d := parse(t, []byte(`{ "Statement" : [ { "Sid": "a b",  "Effect":"Allow", "Action":"*" } ] }`))
	if want := len(`{"Statement":{"Sid":"ab","Effect":"Allow","Action":"*"}}`); d.Size() != want {
		t.Errorf("size %d, want %d", d.Size(), want)
	}
	if full := parse(t, managed(t, "AmazonSageMakerFullAccess")); full.Size() <= policy.QuotaManagedPolicy {
		t.Errorf("AmazonSageMakerFullAccess is %d characters, and AWS's own policies go past the quota", full.Size())
	}
}

func TestBuild(t *testing.T) {
	d := build(t, policy.Spec{
		Sid: "S3", Effect: policy.Allow, Actions: []string{"s3:PutObject", "s3:GetObject"}, Resources: []string{"arn:aws:s3:::b/*"},
		Conditions: []policy.ConditionSpec{{Operator: "Bool", Key: "aws:SecureTransport", Values: []policy.Value{{Text: "true", Quoted: true}}}},
	})
	const want = `{"Version":"2012-10-17","Statement":{"Sid":"S3","Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}}`
	if got := string(d.Print()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, bad := range []policy.Spec{
		{Effect: "allow", Actions: []string{"*"}},
		{Effect: policy.Allow},
		{Effect: policy.Allow, Actions: []string{"*"}, NotActions: []string{"*"}},
		{Effect: policy.Allow, Actions: []string{"*"}, Conditions: []policy.ConditionSpec{
			{Operator: "Bool", Key: "k"}, {Operator: "Bool", Key: "k"}}},
	} {
		if _, err := policy.Build(bad); err == nil {
			t.Errorf("built %+v", bad)
		}
	}
}

// A statement of Version 2008-10-17, where ${ is text, keeps its meaning in 2012-10-17.
func TestSpecKeepsTheMeaning(t *testing.T) {
	old := parse(t, []byte(`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}*","Condition":{"StringLike":{"k":"${x}?"}}}}`))
	carried := build(t, old.Statements()[0].Spec())
	for resource, want := range map[string]bool{"arn:aws:s3:::b/${aws:username}x": true, "arn:aws:s3:::b/alice": false} {
		q := policy.Request{
			Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":user/alice", Account: account, Kind: policy.User},
			Action:    "s3:GetObject", Resource: resource,
			Context: policy.ClosedContext(map[string][]string{"k": {"${x}1"}}),
		}
		for _, d := range []*policy.Document{old, carried} {
			if allowed(identity(d), q, policy.Must) != want {
				t.Errorf("%s: want %v by %s", resource, want, d.Print())
			}
		}
	}
}

func TestDecisionNamesWhatTookPart(t *testing.T) {
	s := identity(parse(t, []byte(`{"Version":"2012-10-17","Statement":[
		{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},
		{"Sid":"b","Effect":"Deny","Action":"s3:Get*","Resource":"*","Condition":{"StringNotEquals":{"aws:SourceVpce":"vpce-1"}}},
		{"Sid":"c","Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`)))
	q := policy.Request{
		Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::b/a", Context: policy.OpenContext(nil),
	}
	for side, want := range map[policy.Side]policy.Outcome{policy.May: policy.Allowed, policy.Must: policy.ExplicitDeny} {
		d := s.Decide(q, side)
		if d.Outcome != want || d.Layer != policy.LayerIdentity {
			t.Errorf("%s: %s by %s, want %s", side, d.Outcome, d.Layer, want)
		}
		if len(d.Matches) != 2 || d.Matches[0].Statement.Sid != "a" || d.Matches[0].Truth != policy.True ||
			d.Matches[1].Statement.Sid != "b" || d.Matches[1].Truth != policy.Unknown || d.Matches[1].Policy != &s.Identity[0] {
			t.Errorf("%s: matches %+v", side, d.Matches)
		}
		if len(d.Undecided) != 1 || d.Undecided[0].Statement.Sid != "b" || d.Undecided[0].Key != "aws:SourceVpce" {
			t.Errorf("%s: undecided %+v", side, d.Undecided)
		}
	}
	// A condition carried over from elsewhere may be taken as given.
	q.Context = q.Context.Assume(s.Identity[0].Document.Statements()[1], false)
	if !allowed(s, q, policy.Must) {
		t.Error("the Deny applies although its condition is assumed to fail")
	}
}

func TestAccess(t *testing.T) {
	grants := identity(parse(t, []byte(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"},
		{"Effect":"Allow","Action":"s3:PutObject","Resource":["arn:aws:s3:::b/out/*","arn:aws:s3:::b/tmp/*"]},
		{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::b/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}},
		{"Effect":"Deny","Action":"s3:*Object","Resource":"arn:aws:s3:::b/tmp/*"}]}`)))
	bounded := *grants
	bounded.Boundary = identity(parse(t, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/a/*"}}`))).Identity
	who := policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account}
	for _, tt := range []struct {
		stack               *policy.Stack
		action, pattern     string
		identity, effective policy.State
		partial             bool
		layer               policy.Layer
	}{
		{grants, "s3:GetObject", "arn:aws:s3:::b/a/*", policy.Yes, policy.Yes, false, policy.LayerIdentity},
		{grants, "s3:GetObject", "arn:aws:s3:::b/a", policy.Yes, policy.Yes, false, policy.LayerIdentity},
		{grants, "s3:GetObject", "arn:aws:s3:::b/*", policy.Yes, policy.Yes, true, policy.LayerIdentity},
		{grants, "s3:GetObject", "arn:aws:s3:::b/tmp/x/*", policy.No, policy.No, false, policy.LayerIdentity},
		{grants, "s3:GetObject", "arn:aws:s3:::*", policy.Yes, policy.Yes, true, policy.LayerIdentity},
		{grants, "s3:GetObject", "arn:aws:s3:::c/*", policy.No, policy.No, false, policy.LayerIdentity},
		{grants, "s3:PutObject", "arn:aws:s3:::b/*", policy.Yes, policy.Yes, true, policy.LayerIdentity},
		{grants, "s3:PutObject", "arn:aws:s3:::b/t*", policy.No, policy.No, true, policy.LayerIdentity},
		{grants, "s3:DeleteObject", "arn:aws:s3:::b/a/*", policy.Conditional, policy.Conditional, false, policy.LayerIdentity},
		{&bounded, "s3:GetObject", "arn:aws:s3:::b/a/*", policy.Yes, policy.Yes, false, policy.LayerIdentity},
		{&bounded, "s3:GetObject", "arn:aws:s3:::b/out/*", policy.Yes, policy.No, false, policy.LayerBoundary},
		{&bounded, "s3:GetObject", "arn:aws:s3:::b/*", policy.Yes, policy.Yes, true, policy.LayerIdentity},
	} {
		a := tt.stack.Access(who, tt.action, tt.pattern, policy.OpenContext(nil))
		if a.Identity != tt.identity || a.Effective != tt.effective || a.Partial != tt.partial || a.Layer != tt.layer {
			t.Errorf("%s on %s: identity %s, effective %s, partial %v by %s; want %s, %s, %v by %s", tt.action, tt.pattern,
				a.Identity, a.Effective, a.Partial, a.Layer, tt.identity, tt.effective, tt.partial, tt.layer)
		}
	}
}

func TestOffline(t *testing.T) {
	role := policy.Principal{ARN: "arn:aws:iam::" + account + ":role/p/R", Account: account}
	facts := policy.Facts{Principal: role, Tags: map[string]string{"Team": "ml"}, Region: "us-east-1", OrgID: "o-1", Request: map[string]string{"s3:prefix": "in/"}}
	tagged := facts
	tagged.SessionTags = true
	for _, tt := range []struct {
		facts     policy.Facts
		condition string
		may, must bool
	}{
		{facts, `"StringEquals":{"aws:PrincipalTag/team":"ml"}`, true, true},
		{facts, `"StringEquals":{"aws:PrincipalTag/other":"x"}`, false, false},
		{facts, `"Null":{"aws:PrincipalTag/other":"true"}`, true, true},
		{tagged, `"StringEquals":{"aws:PrincipalTag/team":"x"}`, true, false},
		{facts, `"StringEquals":{"aws:RequestedRegion":"us-east-1","aws:PrincipalOrgID":"o-1","s3:prefix":"in/","aws:PrincipalType":"AssumedRole"}`, true, true},
		{facts, `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::` + account + `:role/p/R"}`, true, true},
		{facts, `"Bool":{"aws:SecureTransport":false}`, false, false},
		{facts, `"Null":{"aws:username":false}`, false, false},
		{facts, `"StringEquals":{"aws:ResourceAccount":"` + account + `"}`, true, false}, // an S3 ARN does not tell
		{facts, `"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`, true, false},
		{policy.Facts{}, `"StringEquals":{"aws:RequestedRegion":"eu-west-1"}`, true, false},
	} {
		s := identity(parse(t, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{`+tt.condition+`}}}`)))
		q := policy.Request{Principal: role, Action: "s3:ListBucket", Resource: "arn:aws:s3:::b", Context: policy.Offline(tt.facts)}
		if may, must := allowed(s, q, policy.May), allowed(s, q, policy.Must); may != tt.may || must != tt.must {
			t.Errorf("%s: may %v, must %v; want %v, %v", tt.condition, may, must, tt.may, tt.must)
		}
		// What holds of every request holds of the expansion.
		g := policy.NewExpander(smallUniverse{}).Expand(s, policy.Offline(tt.facts))
		if got := g.Identity(2) != policy.No; got != tt.may {
			t.Errorf("%s: expanded to %s, may %v", tt.condition, g.Identity(2), tt.may)
		}
	}
}

func TestParsePrincipal(t *testing.T) {
	for text, want := range map[string]policy.Principal{
		account:                                            {ARN: "arn:aws:iam::" + account + ":root", Account: account, Kind: policy.Root},
		"arn:aws-cn:iam::" + account + ":root":             {ARN: "arn:aws-cn:iam::" + account + ":root", Account: account, Kind: policy.Root},
		"arn:aws:iam::" + account + ":user/a/b":            {ARN: "arn:aws:iam::" + account + ":user/a/b", Account: account, Kind: policy.User},
		"arn:aws:iam::" + account + ":role/service-role/R": {ARN: "arn:aws:iam::" + account + ":role/service-role/R", Account: account},
	} {
		if got, err := policy.ParsePrincipal(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	session, err := policy.ParsePrincipal("arn:aws:sts::" + account + ":assumed-role/R/SageMaker")
	if err != nil || session.ARN != "arn:aws:iam::"+account+":role/R" || !strings.HasSuffix(session.SessionARN, "/SageMaker") {
		t.Errorf("%+v, %v", session, err)
	}
	for _, bad := range []string{"", "R", "12345", "arn:aws:iam::1:role/R", "arn:aws:iam::" + account + ":role/", "arn:aws:sts::" + account + ":assumed-role/R", "arn:aws:s3:::b"} {
		if p, err := policy.ParsePrincipal(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, p)
		}
	}
}

func TestSimulate(t *testing.T) {
	const cases = `{"id":"1","principal":"111122223333","action":"s3:GetObject","resource":"arn:aws:s3:::b/a"}

{"id":2,"principal":"arn:aws:iam::111122223333:role/R","action":"s3:GetObject","resource":"arn:aws:s3:::b/a","unknown":["k"],"identityPolicies":[{"Statement":{"Sid":"s","Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"k":true}}}}]}
`
	const want = `{"id":"1","decision":"Allowed","layer":"identity","statements":[],"undecided":[]}
{"id":"2","decision":"Allowed","layer":"identity","may":"Allowed","must":"ImplicitDeny","statements":[{"layer":"identity","policy":"0","statement":"0","sid":"s","effect":"Allow","applies":"unknown"}],"undecided":[{"layer":"identity","policy":"0","statement":"0","sid":"s","key":"k","reason":"the value of the condition key is not known"}]}
`
	var out bytes.Buffer
	if err := policy.Simulate(t.Context(), strings.NewReader(cases), &out, true); err != nil || out.String() != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, out.String(), want)
	}
	for text, want := range map[string]string{
		"\n{":                "line 2: $",
		`{"principal":"me"}`: "line 1: $.principal",
		`{"principal":"111122223333","action":"a:b"}`:                                           "needs a resource",
		`{"context":{"K":1,"k":2}}`:                                                             "line 1: $.context.k (offset 18): duplicate key",
		`{"identityPolicies":[{"Statement":[]},{"Statement":[{"Effect":"Allow","Action":1}]}]}`: "line 1: $.identityPolicies[1].Statement[0].Action",
		`{"resourceAccount":"1"}`:                                                               "12 digits",
		`{} {}`:                                                                                 "line 1: $",
	} {
		err := policy.Simulate(t.Context(), strings.NewReader(text), &bytes.Buffer{}, false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := policy.Simulate(ctx, strings.NewReader(cases), &out, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Documents, stacks and expanders serve many at once.
func TestConcurrentUse(t *testing.T) {
	s := identity(parse(t, managed(t, "AmazonSageMakerFullAccess")))
	expander := policy.NewExpander(smallUniverse{})
	var group sync.WaitGroup
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		group.Go(func() {
			known := policy.ClosedContext(map[string][]string{"sagemaker:DomainId": {name}, "sagemaker:OwnerUserProfileArn": {"x"}, "aws:username": {name}})
			for range 50 {
				resource := "arn:aws:sagemaker:us-east-1:" + account + ":app/" + name + "/x/y/z"
				q := policy.Request{Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account}, Action: "sagemaker:DescribeApp", Resource: resource, Context: known}
				if !allowed(s, q, policy.May) {
					t.Errorf("%s cannot describe %s", name, resource)
				}
				expander.Expand(s, known)
			}
		})
	}
	group.Wait()
}
