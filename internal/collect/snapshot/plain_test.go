package snapshot

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// plainParams is what keptParams means: encoding/json's own maps.
func plainParams(raw json.RawMessage) (p Params) {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return p
	}
	plainText := func(raw json.RawMessage) string {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return ""
		}
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		switch v := v.(type) {
		case string:
			return v
		case bool, float64:
			return strings.Trim(string(raw), "[] ")
		}
		return ""
	}
	for _, q := range params {
		if q.name == "trainingJobDefinition.roleArn" {
			break
		}
		if v, ok := m[q.name]; ok {
			*q.field(&p) = plainText(v)
		}
	}
	var context map[string]json.RawMessage
	if v, ok := m["encryptionContext"]; ok && json.Unmarshal(v, &context) == nil {
		p.S3ARN = plainText(context["aws:s3:arn"])
	}
	var definition struct {
		RoleARN json.RawMessage `json:"roleArn"`
	}
	if v, ok := m["trainingJobDefinition"]; ok && json.Unmarshal(v, &definition) == nil {
		p.TuningRoleARN = plainText(definition.RoleARN)
	}
	var grants []string
	for name := range m {
		if strings.HasPrefix(name, "x-amz-grant-") {
			grants = append(grants, name)
		}
	}
	slices.Sort(grants)
	p.Grants = strings.Join(grants, ",")
	return p
}

// plainError is what responseError means.
func plainError(raw json.RawMessage, message string) (code, msg string) {
	var e struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(raw, &e) != nil {
		return "", message
	}
	return e.Code, cmp.Or(message, e.Message)
}

// FuzzPlainly holds the ways that avoid encoding/json to what it says of any JSON.
func FuzzPlainly(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, `"x"`, `7`, ` { } `, `{"bucketName":"b","key":"k","bucketName":"c"}`, `{"k\u0065y":"k"}`, `{"key":["k"]}`, `{"key":[ 7 ]}`, `{"key":1.50,"prefix":true}`,
		`{"encryptionContext":{"aws:s3:arn":"a","aws:s3:arn":["b"]}}`, `{"encryptionContext":{"aws:s3:arn":"a"},"encryptionContext":7}`, `{"encryptionContext":null}`,
		`{"trainingJobDefinition":{"ROLEARN":"r"}}`, `{"trainingJobDefinition":{"roleArn":"r"},"trainingJobDefinition":[]}`, `{"x-amz-grant-b":1,"x-amz-grant-a":2,"x-amz-grant-b":3,"x-amz-grants":"no","key*":"no"}`,
		"{\"key\":\"\xff\",\"k\xffy\":1}", `{"key":"a\"b\\","prefix":"\\\\"}`, `{"key":{"a":[{"b":"}"}]},"prefix":"p"}`, `{"errorCode":"c","errorMessage":"m"}`, `{"ERRORCODE":"c"}`, `{"error\u0043ode":"c"}`, `{"errorCode":7}`,
		`{"errorMe` + "\u017f" + `sage":"m","errorCode":"c"}`, `{"x":{"errorCode":"c"}}`, "{ \"key\" :\n\"k\"\t,\r\"prefix\" : [ \"p\" ] }", `{"key":"\ud800","prefix":"\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return // what is looked at has been decoded before
		}
		if d := gocmp.Diff(plainParams(raw), keptParams(raw)); d != "" {
			t.Errorf("%s (-encoding/json +ours):\n%s", raw, d)
		}
		for _, message := range []string{"", "told"} {
			code, msg := responseError(raw, message)
			if c, m := plainError(raw, message); code != c || msg != m {
				t.Errorf("%s: %q, %q, want %q, %q", raw, code, msg, c, m)
			}
		}
	})
}
