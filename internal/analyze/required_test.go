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

func TestParseS3(t *testing.T) {
	for _, tt := range []struct{ uri, object string }{
		{"s3://bucket/train/", "arn:aws:s3:::bucket/train/"},
		{"s3://bucket", "arn:aws:s3:::bucket/"},
		{"S3://bucket/a//b", "arn:aws:s3:::bucket/a//b"},
		{"https://bucket.s3.eu-west-1.amazonaws.com/a/b", "arn:aws:s3:::bucket/a/b"},
		{"https://s3.eu-west-1.amazonaws.com/bucket/a/b", "arn:aws:s3:::bucket/a/b"},
		{"https://s3-eu-west-1.amazonaws.com/bucket/a", "arn:aws:s3:::bucket/a"},
		{"https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a", "arn:aws:s3:::my.bucket/a"},
		{"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/k", "arn:aws:s3:us-east-1:123456789012:accesspoint/ap/object/k"},
		{"s3://bucket/${aws:username}/*?", "arn:aws:s3:::bucket/${$}{aws:username}/${*}${?}"},
		{"s3://b*/x", ""},
		{"s3://arn:aws:s3:::bucket/x", ""},
		{"file:///x", ""},
		{"https://example.com/x", ""},
		{"s3:///x", ""},
		{"", ""},
	} {
		got := ""
		if l, ok := parseS3("aws", tt.uri); ok {
			got = l.pattern()
		}
		if got != tt.object {
			t.Errorf("parseS3(%q) = %q, want %q", tt.uri, got, tt.object)
		}
	}
}

func FuzzParseS3(f *testing.F) {
	f.Add("s3://bucket/key")
	f.Add("https://bucket.s3.amazonaws.com/*")
	f.Fuzz(func(t *testing.T, uri string) {
		l, ok := parseS3("aws", uri)
		if !ok {
			return
		}
		// However hostile the key, its only wildcard is our own, at the end.
		l.prefix = true
		plain := strings.NewReplacer("${*}", "", "${?}", "", "${$}", "").Replace(l.pattern())
		if strings.Count(plain, "*") != 1 || !strings.HasSuffix(plain, "*") || strings.Contains(plain, "?") || strings.Contains(plain, "${") {
			t.Fatalf("%q became %q", uri, l.pattern())
		}
	})
}

func TestRepository(t *testing.T) {
	for image, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/churn:1.4":       "arn:aws:ecr:us-east-1:123456789012:repository/team/churn",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/churn@sha256:abcdef":  "arn:aws:ecr:us-east-1:123456789012:repository/churn",
		"763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.3": "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-training",
		"public.ecr.aws/x/y:1":                         "",
		"registry.example.com/x":                       "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com": "",
		"": "",
	} {
		if got := repository("aws", image); got != want {
			t.Errorf("repository(%q) = %q, want %q", image, got, want)
		}
	}
	if got := repository("aws-cn", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/x"); got != "arn:aws-cn:ecr:cn-north-1:123456789012:repository/x" {
		t.Errorf("China: %q", got)
	}
}

func TestVolatile(t *testing.T) {
	const job = "churn-2026-10-28-03-12-44-123"
	for segment, want := range map[string]bool{
		"": false, "train": false, "resnet50": false, "v2": false, "s3": false, "part": false, "bert-base-uncased": false,
		"churn-2026-10-28-03-12-44-123": true, "2026-10-28": true, "20261028": true, "2026": true, "10": true, "run-17": true,
		"part_0004": true, "dt=2026-10-28": true, "year=2026": true, "2026-10": true, "20261028T031244": true,
		"0f8fad5b-d9cb-469f-a165-70867728950e": true, "1761621164123": true, "d41d8cd98f00b204e9800998ecf8427e": true,
		"churn2026": false, "data-2024q1": false,
	} {
		if got := volatile(segment, job); got != want {
			t.Errorf("volatile(%q) = %v, want %v", segment, got, want)
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
		for _, r := range (place{partition: "aws", account: "123456789012"}).requirements(tt.jobs, 5) {
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
	p := place{partition: "aws", account: "123456789012"}
	base := func() *snapshot.Job {
		return &snapshot.Job{Name: "j", Region: "eu-west-1", Status: "Completed", CreatedAt: time.Unix(1, 0)}
	}
	always := []string{
		"cloudwatch:PutMetricData *",
		"logs:CreateLogGroup arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs",
		"logs:CreateLogStream arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
		"logs:DescribeLogStreams arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs",
		"logs:PutLogEvents arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*",
	}
	const repo = "arn:aws:ecr:eu-west-1:123456789012:repository/team/x"
	pull := []string{"ecr:BatchCheckLayerAvailability " + repo, "ecr:BatchGetImage " + repo, "ecr:GetAuthorizationToken *", "ecr:GetDownloadUrlForLayer " + repo}
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
			j.Channels = []snapshot.Channel{{Name: "train", FileSystem: "EFS:fs-1"}}
		}, nil},
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
		{"VPC", func(j *snapshot.Job) { j.VPC.Subnets = []string{"subnet-1"} },
			[]string{"ec2:CreateNetworkInterface *", "ec2:CreateNetworkInterfacePermission *", "ec2:DeleteNetworkInterface *", "ec2:DeleteNetworkInterfacePermission *",
				"ec2:DescribeDhcpOptions *", "ec2:DescribeNetworkInterfaces *", "ec2:DescribeSecurityGroups *", "ec2:DescribeSubnets *", "ec2:DescribeVpcs *"}},
		{"remote debug", func(j *snapshot.Job) { j.RemoteDebug = true },
			[]string{"ssmmessages:CreateControlChannel *", "ssmmessages:CreateDataChannel *", "ssmmessages:OpenControlChannel *", "ssmmessages:OpenDataChannel *"}},
		{"debugger rule", func(j *snapshot.Job) {
			j.DebugRules = []snapshot.Rule{{Name: "r", Image: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/x:1", URI: "s3://bkt/rules/"}}
		}, []string{"ecr:BatchGetImage " + repo, "ecr:GetDownloadUrlForLayer " + repo, "s3:PutObject arn:aws:s3:::bkt/rules/*"}},
		{"TensorBoard, hook, profiler", func(j *snapshot.Job) {
			j.TensorBoard, j.DebugHook, j.Profiler = "s3://bkt/t/", "s3://bkt/h/", "s3://bkt/p/"
		}, []string{"s3:PutObject arn:aws:s3:::bkt/h/*", "s3:PutObject arn:aws:s3:::bkt/p/*", "s3:PutObject arn:aws:s3:::bkt/t/*"}},
	} {
		j := base()
		tt.set(j)
		var got []string
		for _, n := range p.needs(j, nil) {
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
	p := place{partition: "aws", account: "123456789012"}
	for status, want := range map[string]strength{"Completed": strengthCompleted, "Failed": strengthFailed, "Stopped": strengthDeclared, "InProgress": strengthDeclared, "": strengthDeclared} {
		j := &snapshot.Job{Name: "j", Status: status, Output: snapshot.S3Output{URI: "s3://bkt/out"}}
		for _, n := range p.needs(j, nil) {
			if n.strength != want {
				t.Errorf("%s: %s is %v, want %v", status, n.action, n.strength, want)
			}
		}
	}
	j := &snapshot.Job{Name: "j", Status: "Completed", Output: snapshot.S3Output{URI: "s3://bkt/out"}, Artifact: "s3://bkt/out/j/output/model.tar.gz"}
	if i := slices.IndexFunc(p.needs(j, nil), func(n need) bool { return n.strength == strengthProven }); i < 0 || p.needs(j, nil)[i].action != "s3:PutObject" {
		t.Error("an artifact does not prove the write")
	}
}
