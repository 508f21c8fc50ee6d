package snapshot

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	trainerARN = "arn:aws:iam::123456789012:role/service-role/trainer"
	trainerID  = "AROAEXAMPLEEXAMPLE123"
)

// session is the userIdentity of a session of the trainer role: the sts ARN has no
// path, the issuer's has (AWS: cloudtrail-event-reference-user-identity).
const session = `"userIdentity":{"type":"AssumedRole","principalId":"` + trainerID + `:SageMaker","arn":"arn:aws:sts::123456789012:assumed-role/trainer/SageMaker",
	"accountId":"123456789012","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"` + trainerID + `","arn":"` + trainerARN + `","accountId":"123456789012","userName":"trainer"}}}`

const head = `"eventID":"e1","eventTime":"2026-10-01T10:00:00Z","awsRegion":"us-east-1","eventType":"AwsApiCall","eventCategory":"Management",`

func factsOf(t testing.TB, record string) UseKey {
	t.Helper()
	r, err := DecodeRecord([]byte(record))
	if err != nil {
		t.Fatal(err)
	}
	k, ok := Facts(r)
	if !ok {
		t.Fatal("no call")
	}
	return k
}

func TestFacts(t *testing.T) {
	trainer := RoleKey{ARN: trainerARN, ID: trainerID}
	base := UseKey{EventType: "AwsApiCall", Category: "Management", Region: "us-east-1"}
	with := func(change func(*UseKey)) UseKey {
		k := base
		change(&k)
		return k
	}
	for _, tt := range []struct {
		name, record string
		want         UseKey
	}{
		{"role session, S3 on whose behalf KMS decrypts",
			`{` + head + `"eventSource":"kms.amazonaws.com","eventName":"Decrypt","readOnly":true,"userAgent":"AWS Internal",` +
				strings.Replace(session, `"accountId":"123456789012","sessionContext"`, `"invokedBy":"AWS Internal","sessionContext"`, 1) + `,
				"requestParameters":{"encryptionContext":{"aws:s3:arn":"arn:aws:s3:::data/train/1","aws:other":"no"},"encryptionAlgorithm":"SYMMETRIC_DEFAULT","secret":"no"},
				"resources":[{"ARN":"arn:aws:kms:us-east-1:123456789012:key/k","type":"AWS::KMS::Key"},{"ARN":"arn:aws:kms:us-east-1:123456789012:key/k"},{"ARNPrefix":"arn:aws:a"}]}`,
			with(func(k *UseKey) {
				k.Role, k.EventSource, k.EventName, k.ReadOnly = trainer, "kms.amazonaws.com", "Decrypt", true
				k.Who = Who{Session: "SageMaker", InvokedBy: "AWS Internal", Agent: "AWS Internal"}
				k.Params.S3ARN = "arn:aws:s3:::data/train/1"
				k.Resources = "arn:aws:a\narn:aws:kms:us-east-1:123456789012:key/k"
			})},
		{"AssumeRole by the service",
			`{` + head + `"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","readOnly":"true","userAgent":"sagemaker.amazonaws.com",
				"userIdentity":{"type":"AWSService","invokedBy":"sagemaker.amazonaws.com"},
				"requestParameters":{"roleArn":"` + trainerARN + `","roleSessionName":"SageMaker","policy":"{}"},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE"}}}`,
			with(func(k *UseKey) {
				k.Caller, k.EventSource, k.EventName, k.ReadOnly = "sagemaker.amazonaws.com", "sts.amazonaws.com", "AssumeRole", true
				k.Who = Who{InvokedBy: "sagemaker.amazonaws.com", Agent: "sagemaker.amazonaws.com"}
				k.Params.RoleARN, k.Params.RoleSession = trainerARN, "SageMaker"
			})},
		{"IAM user creates a job, refused at creation",
			`{` + head + `"eventSource":"sagemaker.amazonaws.com","eventName":"CreateTrainingJob","readOnly":false,"userAgent":"Boto3/1.34 md/x",
				"userIdentity":{"type":"IAMUser","principalId":"AIDA","arn":"arn:aws:iam::123456789012:user/engineer","userName":"engineer"},
				"errorCode":"ValidationException","errorMessage":"Could not assume role ` + trainerARN + `. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.",
				"requestParameters":{"roleArn":"` + trainerARN + `","trainingJobName":"j","hyperParameters":{"key":"no"}}}`,
			with(func(k *UseKey) {
				k.Caller, k.EventSource, k.EventName = "arn:aws:iam::123456789012:user/engineer", "sagemaker.amazonaws.com", "CreateTrainingJob"
				k.ErrorCode, k.Who.Agent = "ValidationException", "Boto3"
				k.Denial = Denial{Action: "sts:AssumeRole", Layer: "trust"}
				k.Params.RoleARN, k.Params.TrainingJobName = trainerARN, "j"
			})},
		{"tuner child, a service event without category",
			`{"eventID":"e","eventTime":"2026-10-01T10:00:00Z","awsRegion":"us-east-1","eventType":"AwsServiceEvent","managementEvent":true,"eventSource":"sagemaker.amazonaws.com","eventName":"CreateTrainingJob",
				"userIdentity":{"type":"AWSService","invokedBy":"sagemaker.amazonaws.com"},"requestParameters":null,"serviceEventDetails":{"x":1}}`,
			with(func(k *UseKey) {
				k.EventType, k.Caller, k.EventSource, k.EventName = "AwsServiceEvent", "sagemaker.amazonaws.com", "sagemaker.amazonaws.com", "CreateTrainingJob"
				k.Who.InvokedBy = "sagemaker.amazonaws.com"
			})},
		{"tuning job, whose role stands within its definition",
			`{` + head + `"eventSource":"sagemaker.amazonaws.com","eventName":"CreateHyperParameterTuningJob","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/engineer"},
				"requestParameters":{"trainingJobDefinition":{"roleArn":"` + trainerARN + `","staticHyperParameters":{"key":"no"}}}}`,
			with(func(k *UseKey) {
				k.Caller, k.EventSource, k.EventName = "arn:aws:iam::123456789012:user/engineer", "sagemaker.amazonaws.com", "CreateHyperParameterTuningJob"
				k.Params.TuningRoleARN = trainerARN
			})},
		{"data event, with list and tagging parameters",
			`{"eventID":"e","eventTime":"2026-10-01T10:00:00Z","awsRegion":"us-east-1","eventType":"AwsApiCall","managementEvent":false,"eventSource":"s3.amazonaws.com","eventName":"ListObjects",` + session + `,
				"requestParameters":{"bucketName":"b","prefix":"p/","list-type":["2"],"versionId":7,"key":{"not":"text"},"x-amz-grant-read":"id=1","x-amz-grant-full-control":"id=2","x-amz-acl":["private","x"]}}`,
			with(func(k *UseKey) {
				k.Category, k.Role, k.EventSource, k.EventName = "Data", trainer, "s3.amazonaws.com", "ListObjects"
				k.Who.Session = "SageMaker"
				k.Params = Params{BucketName: "b", Prefix: "p/", ListType: "2", VersionID: "7", Grants: "x-amz-grant-full-control,x-amz-grant-read"}
			})},
		{"an error in responseElements",
			`{` + head + `"eventSource":"glue.amazonaws.com","eventName":"GetTable",` + session + `,"responseElements":{"errorCode":"AccessDeniedException","errorMessage":"User: arn:x is not authorized to perform: glue:GetTable on resource: arn:aws:glue:us-east-1:123456789012:catalog because no identity-based policy allows the glue:GetTable action"}}`,
			with(func(k *UseKey) {
				k.Role, k.EventSource, k.EventName, k.Who.Session = trainer, "glue.amazonaws.com", "GetTable", "SageMaker"
				k.ErrorCode = "AccessDeniedException"
				k.Denial = Denial{Action: "glue:GetTable", Resource: "arn:aws:glue:us-east-1:123456789012:catalog", Layer: "identity"}
			})},
		{"identity propagation and source identity",
			`{` + head + `"eventSource":"ecr.amazonaws.com","eventName":"BatchGetImage",` +
				strings.Replace(strings.Replace(session, `"sessionContext":{`, `"sessionContext":{"sourceIdentity":"alice",`, 1), `"type":"AssumedRole"`, `"type":"AssumedRole","onBehalfOf":{"userId":"u-1"}`, 1) +
				`,"requestParameters":{"repositoryName":"train","registryId":"123456789012"}}`,
			with(func(k *UseKey) {
				k.Role, k.EventSource, k.EventName = trainer, "ecr.amazonaws.com", "BatchGetImage"
				k.Who = Who{Session: "SageMaker", SourceIdentity: "alice", OnBehalfOf: "u-1"}
				k.Params = Params{RepositoryName: "train", RegistryID: "123456789012"}
			})},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, factsOf(t, tt.record)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// A restated event has the id of the event it restates; summaries are no calls.
func TestRecordKinds(t *testing.T) {
	r, err := DecodeRecord([]byte(`{` + head + `"eventSource":"a","eventName":"b","addendum":{"reason":"UPDATED_DATA","originalEventID":"e0"}}`))
	if err != nil || r.ID() != "e0" {
		t.Errorf("addendum: id %q, %v", r.ID(), err)
	}
	for _, kind := range []string{`"eventType":"AwsAggregatedEvent"`, `"eventCategory":"Insight"`, `"eventCategory":"Aggregated"`} {
		r, err := DecodeRecord([]byte(`{"eventID":"e","eventTime":"2026-10-01T10:00:00Z","eventSource":"a","eventName":"b",` + kind + `}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := Facts(r); ok {
			t.Errorf("%s is taken for a call", kind)
		}
	}
	for _, bad := range []string{``, `null`, `[]`, `{}`, `{"eventID":"e"}`, `{"eventID":"e","eventSource":"a","eventName":"b"}`,
		`{"eventID":"e","eventTime":"yesterday","eventSource":"a","eventName":"b"}`, `{"eventID":1}`, `{"eventID":"e"} trailing`} {
		if _, err := DecodeRecord([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a record", bad)
		}
	}
}

// The wordings of AWS's page on access denied messages, and those of the checks
// that CreateTrainingJob makes with the execution role.
func TestDenial(t *testing.T) {
	const who = "User: arn:aws:iam::777788889999:user/JohnDoe is not authorized to perform: "
	for _, tt := range []struct {
		message string
		want    Denial
	}{
		{who + "codecommit:ListRepositories because no identity-based policy allows the codecommit:ListRepositories action",
			Denial{Action: "codecommit:ListRepositories", Layer: "identity"}},
		{who + "codecommit:ListRepositories with an explicit deny in an identity-based policy",
			Denial{Action: "codecommit:ListRepositories", Layer: "identity", Explicit: true}},
		{who + "codecommit:ListRepositories with an explicit deny in an identity-based policy: arn:aws:iam::777788889999:policy/Deny",
			Denial{Action: "codecommit:ListRepositories", Layer: "identity", Explicit: true}},
		{who + "codecommit:ListRepositories because no service control policy allows the codecommit:ListRepositories action",
			Denial{Action: "codecommit:ListRepositories", Layer: "scp"}},
		{who + "codecommit:ListRepositories with an explicit deny in a service control policy",
			Denial{Action: "codecommit:ListRepositories", Layer: "scp", Explicit: true}},
		{who + "s3:GetObject on resource: arn:aws:s3:::amzn-s3-demo-bucket/object-name with an explicit deny in a resource control policy",
			Denial{Action: "s3:GetObject", Resource: "arn:aws:s3:::amzn-s3-demo-bucket/object-name", Layer: "rcp", Explicit: true}},
		{who + "codecommit:ListRepositories because no VPC endpoint policy allows the codecommit:ListRepositories action",
			Denial{Action: "codecommit:ListRepositories", Layer: "endpoint"}},
		{who + "codedeploy:ListDeployments on resource: arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:* with an explicit deny in a VPC endpoint policy",
			Denial{Action: "codedeploy:ListDeployments", Resource: "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:*", Layer: "endpoint", Explicit: true}},
		{who + "codedeploy:ListDeployments because no permissions boundary allows the codedeploy:ListDeployments action",
			Denial{Action: "codedeploy:ListDeployments", Layer: "boundary"}},
		{who + "sagemaker:ListModels with an explicit deny in a permissions boundary",
			Denial{Action: "sagemaker:ListModels", Layer: "boundary", Explicit: true}},
		{who + "iam:PassRole on resource: arn:aws:iam::123456789012:role/x because no session policy allows the iam:PassRole action",
			Denial{Action: "iam:PassRole", Resource: "arn:aws:iam::123456789012:role/x", Layer: "session"}},
		{who + "s3:ListAllMyBuckets with an explicit deny in a session policy",
			Denial{Action: "s3:ListAllMyBuckets", Layer: "session", Explicit: true}},
		{who + "secretsmanager:GetSecretValue because no resource-based policy allows the secretsmanager:GetSecretValue action",
			Denial{Action: "secretsmanager:GetSecretValue", Layer: "resource"}},
		{who + "secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:us-east-1:123456789012:secret:* with an explicit deny in a resource-based policy",
			Denial{Action: "secretsmanager:GetSecretValue", Resource: "arn:aws:secretsmanager:us-east-1:123456789012:secret:*", Layer: "resource", Explicit: true}},
		{who + "sts:AssumeRole because no role trust policy allows the sts:AssumeRole action", Denial{Action: "sts:AssumeRole", Layer: "trust"}},
		{who + "sts:AssumeRole with an explicit deny in the role trust policy", Denial{Action: "sts:AssumeRole", Layer: "trust", Explicit: true}},
		{who + "s3:PutObject", Denial{Action: "s3:PutObject"}},
		{"Access Denied", Denial{}},
		// Create-time checks: what the execution role lacks, on the caller's event.
		{"Could not assume role arn:aws:iam::123456789012:role/x. Please ensure that the role exists", Denial{Action: "sts:AssumeRole", Layer: "trust"}},
		{"SageMaker was unable to assume the role 'arn:aws:iam::123456789012:role/x'.", Denial{Action: "sts:AssumeRole", Layer: "trust"}},
		{`No S3 objects found under S3 URL "s3://b/p" given in input data source. Please ensure that the bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role "arn:aws:iam::1:role/x" has "s3:ListBucket" permissions on bucket "b".`,
			Denial{Action: "s3:ListBucket", Resource: "s3://b/p"}},
		{"Data download failed: User: arn:aws:sts::123456789012:assumed-role/x/SageMaker is not authorized to perform: s3:ListBucket on resource: \"arn:aws:s3:::b\" because no identity-based policy allows the s3:ListBucket action",
			Denial{Action: "s3:ListBucket", Resource: "arn:aws:s3:::b", Layer: "identity"}},
		{"Access denied for bucket b because no identity-based policy allows the s3:ListBucket action", Denial{Action: "s3:ListBucket", Layer: "identity"}},
		{"Access denied when describing algorithm arn:aws:sagemaker:us-east-1:123456789012:algorithm/a", Denial{Action: "sagemaker:DescribeAlgorithm"}},
	} {
		if got := denial(tt.message); got != tt.want {
			t.Errorf("%s\n got %+v\nwant %+v", tt.message, got, tt.want)
		}
	}
}

func TestPassedRole(t *testing.T) {
	for _, p := range []Params{{RoleARN: "r"}, {ExecutionRoleARN: "r"}, {Role: "r"}, {TuningRoleARN: "r"}} {
		if got := p.PassedRole(); got != "r" {
			t.Errorf("%+v passes %q", p, got)
		}
	}
}

// Every field of Params is filled by exactly one entry of the table.
func TestParamsTable(t *testing.T) {
	seen := make(map[string]bool)
	var p Params
	for _, q := range params {
		if seen[q.name] {
			t.Errorf("%s stands twice", q.name)
		}
		seen[q.name] = true
		*q.field(&p) = q.name
	}
	v := reflect.ValueOf(p)
	if v.NumField() != len(params) {
		t.Errorf("%d fields, %d entries", v.NumField(), len(params))
	}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		if got := v.Field(i).String(); got != name || p.Get(name) != name {
			t.Errorf("%s: its entry is %q", name, got)
		}
	}
	if p.Get("nothing") != "" {
		t.Error("a parameter that is not kept has a value")
	}
}

// Compare orders by every field: two keys that differ anywhere are not equal.
func TestCompareSeesEveryField(t *testing.T) {
	var walk func(v reflect.Value, k *UseKey, path string)
	walk = func(v reflect.Value, k *UseKey, path string) {
		for i := range v.NumField() {
			f, name := v.Field(i), path+v.Type().Field(i).Name
			switch f.Kind() {
			case reflect.Struct:
				walk(f, k, name+".")
				continue
			case reflect.String:
				f.SetString("x")
			case reflect.Bool:
				f.SetBool(true)
			default:
				t.Fatalf("%s is a %s", name, f.Kind())
			}
			if (UseKey{}).Compare(*k) >= 0 || k.Compare(UseKey{}) <= 0 {
				t.Errorf("Compare does not see %s", name)
			}
			f.SetZero()
		}
	}
	var k UseKey
	walk(reflect.ValueOf(&k).Elem(), &k, "")
	if k.Compare(UseKey{}) != 0 {
		t.Error("equal keys differ")
	}
}

// The record reader folds the case of names and takes the last of duplicates, as
// encoding/json does, except in requestParameters, whose names are matched exactly.
func TestRecordNames(t *testing.T) {
	k := factsOf(t, `{`+head+`"EVENTSOURCE":"a","eventSource":"s3.amazonaws.com","eventName":"x","EventName":"GetObject",`+session+`,
		"requestParameters":{"Key":"no","key":"first","key":"last","BUCKETNAME":"no"}}`)
	if k.EventSource != "s3.amazonaws.com" || k.EventName != "GetObject" {
		t.Errorf("source %q, name %q", k.EventSource, k.EventName)
	}
	if want := (Params{Key: "last"}); k.Params != want {
		t.Errorf("params %+v, want %+v", k.Params, want)
	}
}

func FuzzFacts(f *testing.F) {
	f.Add([]byte(`{` + head + `"eventSource":"a","eventName":"b",` + session + `}`))
	f.Add([]byte(`{"eventID":"e","eventTime":"2026-10-01T10:00:00Z","eventSource":"a","eventName":"b","errorCode":"AccessDenied","errorMessage":"not authorized to perform: s3:* on resource: \"x\"","requestParameters":{"key":["v"],"encryptionContext":{"aws:s3:arn":null}},"resources":[{}]}`))
	f.Add([]byte(`{"eventID":"e","eventTime":"2026-10-01T10:00:00Z","eventSource":"a","eventName":"b","requestParameters":"text","responseElements":[1],"addendum":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRecord(data)
		if err != nil {
			return
		}
		k, ok := Facts(r)
		again, _ := Facts(r)
		if k != again || k.Compare(again) != 0 {
			t.Error("the facts of one record differ")
		}
		if ok && (k.EventName == "" || k.EventSource == "" || r.ID() == "") {
			t.Errorf("a call without a name: %+v", k)
		}
		if strings.Contains(k.Who.Agent, "/") {
			t.Errorf("agent %q", k.Who.Agent)
		}
	})
}
