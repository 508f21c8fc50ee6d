package policy_test

import (
	"fmt"

	"sagemaker-role-audit/internal/analyze/policy"
)

func ExampleStack_Decide() {
	document, err := policy.Parse([]byte(`{
		"Version": "2012-10-17",
		"Statement": {
			"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::data/${aws:PrincipalTag/team}/*",
			"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
		}
	}`))
	if err != nil {
		panic(err)
	}
	stack := policy.Stack{Identity: []policy.Policy{{Layer: policy.LayerIdentity, Kind: "inline", Name: "read", Document: document}}}
	who, err := policy.ParsePrincipal("arn:aws:iam::111122223333:role/training")
	if err != nil {
		panic(err)
	}
	request := policy.Request{
		Principal: who,
		Action:    "s3:GetObject",
		Resource:  "arn:aws:s3:::data/vision/train.csv",
		Context:   policy.Offline(policy.Facts{Principal: who, Tags: map[string]string{"team": "vision"}}),
	}
	for _, side := range []policy.Side{policy.May, policy.Must} {
		decision := stack.Decide(request, side)
		fmt.Println(side, decision.Outcome, decision.Layer)
	}
	for _, open := range stack.Decide(request, policy.May).Undecided {
		fmt.Println(open.Key, open.Reason)
	}
	// Output:
	// may Allowed identity
	// must ImplicitDeny identity
	// aws:SourceIp the value of the condition key is not known
}

func ExampleDocument_Print() {
	document, err := policy.Build(policy.Spec{
		Sid: "Write", Effect: policy.Allow,
		Actions:   []string{"s3:PutObject", "s3:AbortMultipartUpload"},
		Resources: []string{"arn:aws:s3:::models/*"},
	})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n%d characters\n", document.Print(), document.Size())
	// Output:
	// {"Version":"2012-10-17","Statement":{"Sid":"Write","Effect":"Allow","Action":["s3:AbortMultipartUpload","s3:PutObject"],"Resource":"arn:aws:s3:::models/*"}}
	// 156 characters
}

func ExampleExpander_WidensNothing() {
	read := func(text string) []policy.Policy {
		document, err := policy.Parse([]byte(text))
		if err != nil {
			panic(err)
		}
		return []policy.Policy{{Layer: policy.LayerIdentity, Document: document}}
	}
	today := read(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::data*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/secret/*"}]}`)
	var text *policy.Expander // without a catalogue, actions are text
	for _, proposal := range []string{
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/train/*"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}}`,
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:*:::data/*"}}`,
	} {
		fmt.Println(text.WidensNothing(read(proposal), today, policy.Context{}))
	}
	// Output:
	// yes: every Allow lies within Allows of the other, and its Denies refuse nothing more
	// no: s3:GetObject on arn:aws:s3:::data/secret/x is allowed, and would not be
	// cannot tell: whether statement 1 stays within is open, for s3:getobject on arn:aws:*:::data/*: it turns on how a wildcard or a variable is read
}

func ExampleContains() {
	fmt.Println(policy.Contains("arn:aws:s3:::data/*", "arn:aws:s3:::data/train/*", policy.Must))
	fmt.Println(policy.Contains("arn:aws:s3:::data/*", "arn:aws:s3:::data*", policy.Must))
	// Output:
	// yes: arn:aws:s3:::data/* matches all that arn:aws:s3:::data/train/* does
	// no: arn:aws:s3:::data* matches arn:aws:s3:::datax, and arn:aws:s3:::data/* does not
}

func ExampleIntersect() {
	fmt.Println(policy.Intersect("arn:aws:s3:::data-*", "arn:aws:s3:::*-prod"))
	fmt.Println(policy.Intersect("arn:aws:s3:::data-*", "arn:aws:s3:::models"))
	// Output:
	// [arn:aws:s3:::data-*-prod arn:aws:s3:::data-prod] true
	// [] true
}
