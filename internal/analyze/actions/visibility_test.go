package actions

import (
	"slices"
	"strings"
	"testing"
)

func TestVisibilityOf(t *testing.T) {
	for _, tt := range []struct {
		action string
		want   Class
		reason string
	}{
		{"ecr:BatchGetImage", Management, ""},
		{"ecr:GetAuthorizationToken", Management, ""},
		{"logs:CreateLogStream", Management, ""},
		{"kms:Decrypt", Management, ""},
		{"sagemaker:CreateTrainingJob", Management, ""},
		{"s3:GetBucketLocation", Management, ""},
		{"bedrock:InvokeModel", Management, ""},
		{"s3:GetObject", Data, "AWS::S3::Object"},
		{"S3:putobject", Data, "AWS::S3::Object"},
		{"s3:ListBucket", Data, "AWS::S3::Object"},
		{"cloudwatch:PutMetricData", Data, "AWS::CloudWatch::Metric"},
		{"sagemaker-mlflow:LogMetric", Data, "AWS::SageMaker::MlflowTrackingServer"},
		{"bedrock:RenderPrompt", Data, "AWS::Bedrock::PromptVersion"},
		{"logs:PutLogEvents", NeverLogged, "neither"},
		{"iam:PassRole", NeverLogged, "no API call"},
		{"sts:TagSession", NeverLogged, "AssumeRole"},
		{"ecr:ReplicateImage", NeverLogged, "permission-only"},
		{"ssmmessages:OpenDataChannel", NeverLogged, "control channel"},
		{"s3:ListBucketMultipartUploads", Uncertain, "neither"},
		{"sagemaker:CallWithBearerToken", Uncertain, "too new"},
		{"novel:Thing", Uncertain, "not in the catalogue"},
	} {
		v := VisibilityOf(tt.action)
		if v.Class != tt.want || !strings.Contains(v.Reason, tt.reason) || (v.Reason == "") != (tt.want == Management) {
			t.Errorf("%s: %s, %q", tt.action, v.Class, v.Reason)
		}
	}
}

// TestVisibilityRows compares the file with the catalogue and with Of: an event
// that a row names must lead to the row's action.
func TestVisibilityRows(t *testing.T) {
	c := Load()
	counts := map[Class]int{}
	for key, v := range visibilities() {
		counts[v.Class]++
		if !strings.HasPrefix(v.Source, "https://docs.aws.amazon.com/") || strings.ContainsAny(v.Source, " ;") {
			t.Errorf("%s: source %q", key, v.Source)
		}
		service, name, _ := strings.Cut(key, ":")
		if name == "*" {
			if !slices.ContainsFunc(c.actions, func(e entry) bool { return strings.HasPrefix(e.name, service+":") }) {
				t.Errorf("%s: no such service", key)
			}
			continue
		}
		i, ok := c.Index(key)
		if !ok {
			t.Errorf("%s is not in the catalogue", key)
			continue
		}
		if v.Class != Data {
			continue
		}
		if len(v.EventNames) == 0 || len(v.ResourceTypes) == 0 || !strings.HasSuffix(v.EventSource, ".amazonaws.com") {
			t.Errorf("%s: %+v", key, v)
		}
		for _, event := range v.EventNames {
			p := params{"bucketName": "b", "key": "k", "x-amz-copy-source": "b/k"}
			if service == "s3-object-lambda" {
				p["bucketName"] = lambdaAP
			}
			if strings.Contains(name, "objectversion") {
				p["versionId"] = "v"
			}
			uses := Of(Call{Source: v.EventSource, Name: event, Region: "eu-west-1", Account: "111122223333", Param: p.get})
			if !slices.ContainsFunc(uses, func(u Use) bool { return u.Action == c.Action(i) }) {
				t.Errorf("%s: event %s leads to %v", c.Action(i), event, uses)
			}
		}
	}
	if counts[Data] < 120 || counts[NeverLogged] < 5 || counts[Uncertain] < 10 {
		t.Errorf("rows: %v", counts)
	}
}

func TestRegions(t *testing.T) {
	for source, want := range map[string]bool{
		"iam.amazonaws.com": true, "sts.amazonaws.com": true, "cloudfront.amazonaws.com": true, "signin.amazonaws.com": true,
		"s3.amazonaws.com": false, "sagemaker.amazonaws.com": false, "": false,
	} {
		if got := GlobalService(source); got != want {
			t.Errorf("GlobalService(%q) = %v", source, got)
		}
	}
	for partition, want := range map[string]string{"": "us-east-1", "aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-iso": ""} {
		if got := HomeRegion(partition); got != want {
			t.Errorf("HomeRegion(%q) = %q", partition, got)
		}
	}
}
