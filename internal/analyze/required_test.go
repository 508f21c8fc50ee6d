package analyze

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/snapshot"
)

func TestVolatile(t *testing.T) {
	const job = "churn-2026-10-28-03-12-44-123"
	for segment, want := range map[string]bool{
		"": false, "train": false, "resnet50": false, "v2": false, "s3": false, "part": false, "bert-base-uncased": false,
		"churn-2026-10-28-03-12-44-123": true, "2026-10-28": true, "20261028": true, "2026": true, "10": true, "run-17": true,
		"part_0004": true, "dt=2026-10-28": true, "year=2026": true, "2026-10": true, "20261028T031244": true,
		"0f8fad5b-d9cb-469f-a165-70867728950e": true, "1761621164123": true, "d41d8cd98f00b204e9800998ecf8427e": true,
		"churn2026": false, "data-2024q1": false, "out-" + job + ".tar": true,
	} {
		if got := volatile(segment, job); got != want {
			t.Errorf("volatile(%q) = %v, want %v", segment, got, want)
		}
	}
	// A short name is no part of other words.
	for segment, want := range map[string]bool{"a": true, "data": false, "x-a": true, "model_a.tar": true, "": false} {
		if got := volatile(segment, "a"); got != want {
			t.Errorf("volatile(%q) of the job a = %v, want %v", segment, got, want)
		}
	}
}

func TestGeneralise(t *testing.T) {
	jobs := func(uris ...string) []*snapshot.Job {
		var out []*snapshot.Job
		for i, u := range uris {
			out = append(out, &snapshot.Job{Name: fmt.Sprintf("job-%d-x", i), Region: "us-east-1", Status: "Completed",
				Channels: []snapshot.Channel{{Name: "train", DataType: "S3Prefix", URI: u}}})
		}
		return out
	}
	for _, tt := range []struct {
		name string
		jobs []*snapshot.Job
		want []string
	}{
		{"one job, one prefix", jobs("s3://bkt/train/"), []string{"bkt/train/*"}},
		{"a prefix that is no folder", jobs("s3://bkt/tra"), []string{"bkt/tra*"}},
		{"the bucket alone", jobs("s3://bkt"), []string{"bkt/*"}},
		{"a dated prefix", jobs("s3://bkt/data/2026-10-01/x", "s3://bkt/data/2026-10-02/x"), []string{"bkt/data/*"}},
		{"three alternatives stay three", jobs("s3://bkt/a/", "s3://bkt/c/", "s3://bkt/d/"), []string{"bkt/a/*", "bkt/c/*", "bkt/d/*"}},
		{"four are a hole", jobs("s3://bkt/in/a/", "s3://bkt/in/c/", "s3://bkt/in/d/", "s3://bkt/in/e/"), []string{"bkt/in/*"}},
		{"a job's own name", jobs("s3://bkt/out/job-0-x/data"), []string{"bkt/out/*"}},
		{"behind an alternative", jobs("s3://bkt/a/2026-10-01/", "s3://bkt/c/2026-10-01/"), []string{"bkt/a/*", "bkt/c/*"}},
	} {
		var got []string
		needs, _ := newAsks(place{partition: "aws", account: "123456789012"}, new(knowledge), tt.jobs).requirements(tt.jobs, 5)
		for _, r := range needs {
			if r.action == "s3:GetObject" {
				got = append(got, strings.TrimPrefix(r.resource, "arn:aws:s3:::"))
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// TestNeeds holds each field of a job against the actions it asks for.
func TestNeeds(t *testing.T) {
	p := newAsks(place{partition: "aws", account: "123456789012"}, new(knowledge), nil)
	base := func() *snapshot.Job {
		return &snapshot.Job{Name: "j", Region: "eu-west-1", Status: "Completed", CreatedAt: time.Unix(1, 0)}
	}
	always := []string{
		"cloudwatch:PutMetricData *",
		"logs:CreateLogGroup arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs",
		"logs:CreateLogGroup arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
		"logs:CreateLogStream arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
		"logs:DescribeLogStreams arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs",
		"logs:DescribeLogStreams arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
		"logs:PutLogEvents arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
	}
	const repo = "arn:aws:ecr:eu-west-1:123456789012:repository/team/x"
	pull := []string{"ecr:BatchCheckLayerAvailability " + repo, "ecr:BatchGetImage " + repo, "ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer " + repo}
	const group = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/ProcessingJobs"
	processing := []string{"logs:CreateLogGroup " + group, "logs:CreateLogGroup " + group + ":*", "logs:CreateLogStream " + group + ":*",
		"logs:DescribeLogStreams " + group, "logs:DescribeLogStreams " + group + ":*", "logs:PutLogEvents " + group + ":*"}
	vpc := []string{"ec2:CreateNetworkInterface *", "ec2:CreateNetworkInterfacePermission *", "ec2:DeleteNetworkInterface *", "ec2:DeleteNetworkInterfacePermission *",
		"ec2:DescribeDhcpOptions *", "ec2:DescribeNetworkInterfaces *", "ec2:DescribeSecurityGroups *", "ec2:DescribeSubnets *", "ec2:DescribeVpcs *"}
	for _, tt := range []struct {
		name string
		set  func(*snapshot.Job)
		want []string
	}{
		{"nothing", func(*snapshot.Job) {}, nil},
		{"private image", func(j *snapshot.Job) { j.Image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/x:1" }, pull},
		{"image of a registry in the VPC", func(j *snapshot.Job) {
			j.Image, j.RepositoryAccess = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/x:1", "Vpc"
		}, nil},
		{"registry credentials", func(j *snapshot.Job) {
			j.RepositoryAccess, j.CredentialsProviderARN = "Vpc", "arn:aws:lambda:eu-west-1:123456789012:function:creds"
		}, []string{"lambda:InvokeFunction arn:aws:lambda:eu-west-1:123456789012:function:creds"}},
		{"algorithm", func(j *snapshot.Job) { j.Algorithm = "forest" }, []string{"sagemaker:DescribeAlgorithm arn:aws:sagemaker:eu-west-1:123456789012:algorithm/forest"}},
		{"prefix channel", func(j *snapshot.Job) {
			j.Channels = []snapshot.Channel{{Name: "train", DataType: "S3Prefix", URI: "s3://bkt/in/"}}
		}, []string{"s3:GetObject arn:aws:s3:::bkt/in/*", "s3:ListBucket arn:aws:s3:::bkt"}},
		{"manifest channel", func(j *snapshot.Job) {
			j.Channels = []snapshot.Channel{{Name: "train", DataType: "ManifestFile", URI: "s3://bkt/in.manifest"}}
		}, []string{"s3:GetObject arn:aws:s3:::bkt/in.manifest", "s3:ListBucket arn:aws:s3:::bkt"}},
		{"file system channel", func(j *snapshot.Job) {
			j.VPC.Subnets = []string{"subnet-1"}
			j.Channels = []snapshot.Channel{{Name: "train", FileSystem: "EFS:fs-1"}}
		}, vpc},
		{"file system channel of a job that tells no VPC", func(j *snapshot.Job) {
			j.Channels = []snapshot.Channel{{Name: "train", FileSystem: "EFS:fs-1"}}
		}, vpc},
		{"script mode", func(j *snapshot.Job) {
			j.S3Values = []snapshot.S3Value{{Field: "HyperParameters", Key: "sagemaker_submit_directory", URI: "s3://bkt/code/sourcedir.tar.gz"}}
		}, []string{"s3:GetObject arn:aws:s3:::bkt/code/sourcedir.tar.gz"}},
		{"script mode in isolation", func(j *snapshot.Job) {
			j.NetworkIsolation = true
			j.S3Values = []snapshot.S3Value{{Field: "HyperParameters", Key: "sagemaker_submit_directory", URI: "s3://bkt/code/sourcedir.tar.gz"}}
		}, nil},
		{"model_dir", func(j *snapshot.Job) {
			j.S3Values = []snapshot.S3Value{{Field: "HyperParameters", Key: "model_dir", URI: "s3://bkt/m/"}}
		}, []string{"s3:PutObject arn:aws:s3:::bkt/m/*"}},
		{"output with a key", func(j *snapshot.Job) {
			j.Output = snapshot.S3Output{URI: "s3://bkt/out", KMSKey: "1234abcd-12ab-34cd-56ef-1234567890ab"}
		}, []string{"kms:Decrypt arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
			"kms:Encrypt arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
			"kms:GenerateDataKey arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", "s3:PutObject arn:aws:s3:::bkt/out*"}},
		{"volume key", func(j *snapshot.Job) { j.VolumeKMSKey = "arn:aws:kms:eu-west-1:999999999999:key/k" },
			[]string{"kms:CreateGrant arn:aws:kms:eu-west-1:999999999999:key/k"}},
		{"checkpoint", func(j *snapshot.Job) { j.Checkpoint = "s3://bkt/ckpt/" },
			[]string{"s3:GetObject arn:aws:s3:::bkt/ckpt/*", "s3:ListBucket arn:aws:s3:::bkt", "s3:PutObject arn:aws:s3:::bkt/ckpt/*"}},
		{"VPC", func(j *snapshot.Job) { j.VPC.Subnets = []string{"subnet-1"} }, vpc},
		{"remote debug", func(j *snapshot.Job) { j.RemoteDebug = true },
			[]string{"ssmmessages:CreateControlChannel *", "ssmmessages:CreateDataChannel *", "ssmmessages:OpenControlChannel *", "ssmmessages:OpenDataChannel *"}},
		{"debugger rule", func(j *snapshot.Job) {
			j.DebugRules = []snapshot.Rule{{Name: "r", Image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/x:1", URI: "s3://bkt/rules/"}}
		}, append([]string{"ecr:BatchGetImage " + repo, "ecr:GetDownloadUrlForLayer " + repo, "s3:PutObject arn:aws:s3:::bkt/rules/*"}, processing...)},
		{"TensorBoard, hook, profiler", func(j *snapshot.Job) {
			j.TensorBoard, j.DebugHook, j.Profiler = "s3://bkt/t/", "s3://bkt/h/", "s3://bkt/p/"
		}, []string{"s3:PutObject arn:aws:s3:::bkt/h/*", "s3:PutObject arn:aws:s3:::bkt/p/*", "s3:PutObject arn:aws:s3:::bkt/t/*"}},
	} {
		j := base()
		tt.set(j)
		var got []string
		needs, _ := p.of(j)
		for _, n := range needs {
			got = append(got, n.action+" "+n.resource)
		}
		slices.Sort(got)
		want := slices.Sorted(slices.Values(append(slices.Clone(always), tt.want...)))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestStrength(t *testing.T) {
	p := newAsks(place{partition: "aws", account: "123456789012"}, new(knowledge), nil)
	for status, want := range map[string]strength{"Completed": strengthCompleted, "Failed": strengthFailed, "Stopped": strengthDeclared, "InProgress": strengthDeclared, "": strengthDeclared} {
		j := &snapshot.Job{Name: "j", Status: status, Output: snapshot.S3Output{URI: "s3://bkt/out"}}
		needs, _ := p.of(j)
		for _, n := range needs {
			if n.strength != want {
				t.Errorf("%s: %s is %v, want %v", status, n.action, n.strength, want)
			}
		}
	}
	j := &snapshot.Job{Name: "j", Status: "Completed", Output: snapshot.S3Output{URI: "s3://bkt/out"}, Artifact: "s3://bkt/out/j/output/model.tar.gz"}
	needs, _ := p.of(j)
	if i := slices.IndexFunc(needs, func(n need) bool { return n.strength == strengthProven }); i < 0 || needs[i].action != "s3:PutObject" {
		t.Error("an artifact does not prove the write")
	}
	// What is streamed is read as the code asks for it: that the job completed proves no read.
	for mode, want := range map[string]strength{"File": strengthCompleted, "Pipe": strengthDeclared, "FastFile": strengthDeclared} {
		j := &snapshot.Job{Name: "j", Status: "Completed", InputMode: mode, Channels: channel("S3Prefix", "s3://bkt/in/")}
		needs, _ := p.of(j)
		for _, n := range needs {
			if n.action == "s3:GetObject" && n.strength != want || n.action == "s3:ListBucket" && n.strength != strengthCompleted {
				t.Errorf("%s: %s is %v", mode, n.action, n.strength)
			}
		}
	}
}
