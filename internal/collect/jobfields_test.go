package collect

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
)

func TestS3Values(t *testing.T) {
	got := snapshot.S3Values("HyperParameters", map[string]string{
		"sagemaker_submit_directory": `"s3://code/source.tar.gz"`,
		"plain":                      "s3://bucket",
		"dotted":                     " s3://my.bucket/a/b ",
		"access_point":               "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/key",
		"a_list":                     `["s3://bucket/a"]`,
		"a_command":                  "s3://bucket/a --token SECRET-MUST-NOT-LEAK",
		"signed":                     "s3://bucket/a?X-Amz-Signature=SECRET-MUST-NOT-LEAK",
		"https":                      "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=SECRET-MUST-NOT-LEAK",
		"broken":                     `"s3://bucket/a`,
		"secret":                     "SECRET-MUST-NOT-LEAK",
		"nothing":                    "s3://",
	})
	want := []snapshot.S3Value{
		{Field: "HyperParameters", Key: "access_point", URI: "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/key"},
		{Field: "HyperParameters", Key: "dotted", URI: "s3://my.bucket/a/b"},
		{Field: "HyperParameters", Key: "plain", URI: "s3://bucket"},
		{Field: "HyperParameters", Key: "sagemaker_submit_directory", URI: "s3://code/source.tar.gz"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestFailureText(t *testing.T) {
	values := map[string]string{
		"api_key": `"SECRET-MUST-NOT-LEAK"`, "phrase": "correct horse", "bucket": "pricing-data", "region": "us-east-1", "epochs": "10", "rate": "0.00001",
		"role": "arn:aws:iam::123456789012:role/x",
	}
	for _, tt := range []struct{ text, want string }{
		{"", ""},
		{"ClientError: User: arn:aws:sts::123456789012:assumed-role/x/SageMaker is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::pricing-data/train in us-east-1 after 0.00001 s",
			"ClientError: User: arn:aws:sts::123456789012:assumed-role/x/SageMaker is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::pricing-data/train in us-east-1 after 0.00001 s"},
		{"AlgorithmError: ExitCode 1\nCommand \"python train.py --api_key SECRET-MUST-NOT-LEAK --q \\\"x\\\" --n 1\"", "AlgorithmError: ExitCode 1\nCommand \"[not kept]\""},
		{"Command \"python train.py --api_key cut of", "Command \"[not kept]"},
		{"KeyError: SECRET-MUST-NOT-LEAK, said correct horse in s3://pricing-data/k", "KeyError: [not kept], said [not kept] in s3://pricing-data/k"},
		{"no bucket pricing-data", "no bucket [not kept]"},
	} {
		if got := failureText(tt.text, values, nil); got != tt.want {
			t.Errorf("%q\n got %q\nwant %q", tt.text, got, tt.want)
		}
	}
}

// A job of which AWS tells nothing is no panic, and one of which it tells all
// leaves no field of the snapshot empty.
func TestJobFields(t *testing.T) {
	if got := jobOf(&types.TrainingJob{}, "r"); got.Region != "r" || got.Name != "" {
		t.Errorf("an empty job: %+v", got)
	}
	describedJob(&sagemaker.DescribeTrainingJobOutput{}, "r")
	listedJob(&types.TrainingJobSummary{}, "r")
	channelOf(&types.Channel{})

	var full types.TrainingJob
	fill(reflect.ValueOf(&full).Elem(), "x", 0)
	full.HyperParameters = map[string]string{"k": "s3://b/k"}
	full.Environment = map[string]string{"CA_REPOSITORY_ARN": "arn:aws:codeartifact:us-east-1:123456789012:repository/domain/repo"}
	full.Tags = []types.Tag{{Key: aws.String(chainingTag), Value: aws.String("true")}}
	full.ProfilerConfig.DisableProfiler = nil
	var described sagemaker.DescribeTrainingJobOutput
	fill(reflect.ValueOf(&described).Elem(), "x", 0)
	job := jobOf(&full, "r")
	addDescribed(&job, &described)
	v := reflect.ValueOf(job)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
	// What both ways tell must be the same.
	described.HyperParameters, described.Environment, described.ProfilerConfig.DisableProfiler = full.HyperParameters, full.Environment, nil
	other := describedJob(&described, "r")
	other.SessionTags = true // only Search tells tags
	if d := cmp.Diff(job, other); d != "" {
		t.Errorf("-Search +DescribeTrainingJob:\n%s", d)
	}
}

// fill sets every field it can to something that is not zero.
func fill(v reflect.Value, text string, depth int) {
	if depth > 8 || !v.CanSet() {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(now))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, depth+1)
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	}
}

func TestRepositoryOf(t *testing.T) {
	for image, want := range map[string]string{
		"123.dkr.ecr.r.amazonaws.com/a/b:1.0": "123.dkr.ecr.r.amazonaws.com/a/b", "host:5000/a": "host:5000/a",
		"h/a@sha256:00": "h/a", "h/a:t@sha256:00": "h/a", "": "",
	} {
		if got := repositoryOf(image); got != want {
			t.Errorf("repositoryOf(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestDocument(t *testing.T) {
	for in, want := range map[string]string{
		`%7B%22a%22%3A%22b+c%2520%22%7D`: `{"a":"b+c%20"}`,
		` {"a":"100%25"}`:                `{"a":"100%25"}`,
		`%zz`:                            `%zz`,
		``:                               ``,
	} {
		if got := document(&in); got != want {
			t.Errorf("document(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDetail(t *testing.T) {
	err := broken("User \x1b[31mx\n ASIAABCDEFGHIJKLMNOP was refused. Encoded authorization failure message: abcDEF123")
	if got, want := detail(err), "User [31mx [access key] was refused."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := detail(broken(strings.Repeat("ü", 1000))); len(got) > 410 {
		t.Errorf("%d bytes", len(got))
	}
}

// Of the environment only S3 URIs are kept, and of one variable the ARN of a
// CodeArtifact repository.
func TestCodeArtifact(t *testing.T) {
	const repository = "arn:aws-cn:codeartifact:cn-north-1:123456789012:repository/my-domain/Repo_1.x"
	for value, want := range map[string]string{
		repository: repository, `"` + repository + `"`: repository, " " + repository + " ": repository,
		"SECRET-MUST-NOT-LEAK": "", repository + " --token SECRET-MUST-NOT-LEAK": "", repository + "/SECRET-MUST-NOT-LEAK": "",
		"arn:aws:codeartifact:us-east-1:123456789012:domain/my-domain": "", "arn:aws:codeartifact:*:123456789012:repository/my-domain/r1": "", "": "",
	} {
		if got := jobOf(&types.TrainingJob{Environment: map[string]string{"CA_REPOSITORY_ARN": value}}, "r"); got.CodeArtifact != want {
			t.Errorf("%q: %q, want %q", value, got.CodeArtifact, want)
		}
	}
	got := jobOf(&types.TrainingJob{HyperParameters: map[string]string{"CA_REPOSITORY_ARN": repository}, Environment: map[string]string{"OTHER": repository}}, "r")
	if got.CodeArtifact != "" {
		t.Errorf("from another place: %q", got.CodeArtifact)
	}
}
