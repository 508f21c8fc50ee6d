package analyze

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// row is a row of the customer's file; those of "always" have no path.
type row struct {
	Path       string
	When       string
	Area       string
	Actions    []string
	Resource   []string
	Statements []struct{ Actions, Resource []string }
	Conf       string
	IfMissing  string
	Optional   bool
}

func customersRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/job-permissions.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Always, Fields []row }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for i := range file.Always {
		r := &file.Always[i]
		r.Statements = []struct{ Actions, Resource []string }{{r.Actions, r.Resource}}
	}
	return append(file.Always, file.Fields...)
}

// class is the confidence that a row's words stand for.
func class(conf string) confidence {
	for _, c := range []confidence{confidenceDoc, confidenceModel, confidenceInferred} {
		if strings.HasPrefix(conf, string(c)) {
			return c
		}
	}
	return confidenceInferred // "container source": read from the container's code, not from AWS
}

// pairs are the actions of statements on their resources.
func (r row) pairs() []string {
	var out []string
	for _, st := range r.Statements {
		for _, action := range st.Actions {
			for _, resource := range st.Resource {
				out = append(out, action+" "+resource)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (r *needRule) pairs() []string {
	var out []string
	for _, st := range r.statements {
		for _, action := range st.actions {
			for _, resource := range st.resources {
				out = append(out, action+" "+resource)
			}
		}
	}
	slices.Sort(out)
	return out
}

// difference is where a rule is deliberately not its row.
type difference struct {
	reason       string
	fewer, added []string // pairs of the row, and of the rule
	optional     bool     // the rule is, the row is not
	confidence   confidence
}

const (
	trainingLogs   = "arn:{p}:logs:{r}:{a}:log-group:/aws/sagemaker/TrainingJobs"
	processingLogs = "arn:{p}:logs:{r}:{a}:log-group:/aws/sagemaker/ProcessingJobs"
)

var differences = map[int]difference{
	0: {reason: "AWS-FACTS 2.5: these act on streams, which the bare group does not cover",
		fewer: []string{"logs:CreateLogStream " + trainingLogs, "logs:PutLogEvents " + trainingLogs}},
	1: {reason: "AWS-FACTS 2: the effect of their absence is unknown, so a role without them is no finding", optional: true},
	2: {reason: "AWS-FACTS 2: the effect of its absence is unknown for a training job, so a role without it is no finding", optional: true},
	5: {reason: "the row is doc for ECR and inferred for SageMaker: the weaker holds", confidence: confidenceInferred},
	6: {reason: "the job names the algorithm: algorithm/* would be wider than it",
		fewer: []string{"sagemaker:DescribeAlgorithm arn:{p}:sagemaker:{r}:{a}:algorithm/*"},
		added: []string{"sagemaker:DescribeAlgorithm {algorithm}"}},
	11: {reason: "the service authorization reference requires the hub beside the content",
		added: []string{"sagemaker:DescribeHubContent {hub}"}},
	19: {reason: "AWS-FACTS 2.5, as of the first row",
		fewer: []string{"logs:CreateLogStream " + processingLogs, "logs:PutLogEvents " + processingLogs}},
	25: {reason: "packages of a group lie below its name, and the service authorization reference gives DescribeModelPackageGroup groups alone",
		fewer: []string{"sagemaker:CreateModelPackage model-package/*", "sagemaker:DescribeModelPackageGroup model-package/*"},
		added: []string{"sagemaker:CreateModelPackage {packages}"}},
	26: {reason: "the service's 60 actions on a server stand for those that nobody knows: the lack of one is no finding", optional: true},
}

// TestRulesAreTheCustomersRows holds each rule against its row, in the file's order.
func TestRulesAreTheCustomersRows(t *testing.T) {
	rows := customersRows(t)
	if len(rows) != beyondRows {
		t.Fatalf("%d rules for %d rows", beyondRows, len(rows))
	}
	for i, row := range rows {
		rule, d := &needRules[i], differences[i]
		want := slices.DeleteFunc(row.pairs(), func(p string) bool { return slices.Contains(d.fewer, p) })
		if len(want) != len(row.pairs())-len(d.fewer) {
			t.Errorf("row %d: a difference names pairs that the row has not", i)
		}
		want = append(want, d.added...)
		slices.Sort(want)
		if diff := cmp.Diff(want, rule.pairs()); diff != "" {
			t.Errorf("row %d %s (-row +rule):\n%s", i, row.Path, diff)
		}
		conf := class(row.Conf)
		if d.confidence != "" {
			conf = d.confidence
		}
		got := needRule{path: rule.path, when: rule.when, area: rule.area, confidence: rule.confidence, ifMissing: rule.ifMissing, optional: rule.optional}
		expected := needRule{path: row.Path, when: row.When, area: row.Area, confidence: conf, ifMissing: row.IfMissing, optional: row.Optional || d.optional}
		if diff := cmp.Diff(expected, got, cmp.AllowUnexported(needRule{}, statement{})); diff != "" {
			t.Errorf("row %d %s (-row +rule):\n%s", i, row.Path, diff)
		}
	}
	if n := len(mlflowActions()); n != 60 {
		t.Errorf("sagemaker-mlflow has %d actions: say so in the differences", n)
	}
}

// TestActionsAreKnown: what a rule asks for is in the catalogue, and on * alone where
// the action takes no resource.
func TestActionsAreKnown(t *testing.T) {
	catalog := actions.Load()
	for i := range needRules {
		for _, st := range needRules[i].statements {
			for _, action := range st.actions {
				for _, name := range expanded(action) {
					index, known := catalog.Index(name)
					if !known {
						t.Errorf("%s is in no catalogue", name)
						continue
					}
					if catalog.Resourceless(index) && !slices.Equal(st.resources, []string{"*"}) {
						t.Errorf("%s takes no resource", name)
					}
				}
			}
		}
		if len(needRules[i].statements) > 0 && sidRules[sidRuleOf(atom{section: sectionCore, area: needRules[i].area, action: needRules[i].statements[0].actions[0]})].area != needRules[i].area {
			t.Errorf("a proposal has no statement for the area %s", needRules[i].area)
		}
	}
}

const (
	testAccount = "123456789012"
	testImage   = testAccount + ".dkr.ecr.eu-west-1.amazonaws.com/team/x:1"
	testCached  = testAccount + ".dkr.ecr.eu-west-1.amazonaws.com/mirror/library/x:1"
	testKey     = "1234abcd-12ab-34cd-56ef-1234567890ab"
)

func channel(kind, uri string) []snapshot.Channel {
	return []snapshot.Channel{{Name: "train", DataType: kind, URI: uri}}
}

func value(field, key, uri string) []snapshot.S3Value {
	return []snapshot.S3Value{{Field: field, Key: key, URI: uri}}
}

// readElsewhere is what the rules can know beside a job.
func readElsewhere() *knowledge {
	return &knowledge{
		caches: map[string][]string{testAccount + "/eu-west-1": {"mirror"}},
		encryption: map[string]snapshot.BucketEncryption{
			"encrypted": {Algorithm: "aws:kms", Key: "arn:aws:kms:eu-west-1:123456789012:key/" + testKey},
			"plain":     {Algorithm: "AES256"},
		},
	}
}

// jobOn is a job that triggers a rule, and what it then needs of it; off one that comes
// close. They are in the order of the rules.
var triggers = []struct {
	row     string
	on, off func(*snapshot.Job)
	want    string
}{
	{row: "log streams", on: func(*snapshot.Job) {}, want: "logs:PutLogEvents arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*"},
	{row: "log group", on: func(*snapshot.Job) {}, want: "logs:CreateLogGroup arn:aws:logs:eu-west-1:123456789012:log-group:/aws/sagemaker/TrainingJobs"},
	{row: "metrics", on: func(*snapshot.Job) {}, want: "cloudwatch:PutMetricData *"},
	{row: "image", on: func(j *snapshot.Job) { j.Image = testImage }, off: func(j *snapshot.Job) { j.Image = "public.ecr.aws/team/x:1" },
		want: "ecr:BatchGetImage arn:aws:ecr:eu-west-1:123456789012:repository/team/x"},
	{row: "image, layers checked", on: func(j *snapshot.Job) { j.Image = testImage }, off: func(j *snapshot.Job) { j.Image, j.RepositoryAccess = testImage, "Vpc" },
		want: "ecr:BatchCheckLayerAvailability arn:aws:ecr:eu-west-1:123456789012:repository/team/x"},
	{row: "image, cached", on: func(j *snapshot.Job) { j.Image = testCached }, off: func(j *snapshot.Job) { j.Image = testImage },
		want: "ecr:BatchImportUpstreamImage arn:aws:ecr:eu-west-1:123456789012:repository/mirror/library/x"},
	{row: "algorithm", on: func(j *snapshot.Job) { j.Algorithm = "forest" }, off: func(j *snapshot.Job) { j.Image = testImage },
		want: "sagemaker:DescribeAlgorithm arn:aws:sagemaker:eu-west-1:123456789012:algorithm/forest"},
	{row: "registry in the VPC", on: func(j *snapshot.Job) { j.RepositoryAccess = "Vpc" }, off: func(j *snapshot.Job) { j.RepositoryAccess = "Platform" }},
	{row: "registry credentials", on: func(j *snapshot.Job) {
		j.CredentialsProviderARN = "arn:aws:lambda:eu-west-1:123456789012:function:creds"
	},
		off: func(j *snapshot.Job) { j.RepositoryAccess = "Vpc" }, want: "lambda:InvokeFunction arn:aws:lambda:eu-west-1:123456789012:function:creds"},
	{row: "prefix channel", on: func(j *snapshot.Job) { j.Channels = channel("Converse", "s3://bkt/in/") },
		off: func(j *snapshot.Job) { j.Channels = channel("ManifestFile", "s3://bkt/m.json") }, want: "s3:GetObject arn:aws:s3:::bkt/in/*"},
	{row: "manifest channel", on: func(j *snapshot.Job) { j.Channels = channel("AugmentedManifestFile", "s3://bkt/m.json") },
		off: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://bkt/m.json") }, want: "s3:GetObject arn:aws:s3:::bkt/m.json"},
	{row: "hub content", on: func(j *snapshot.Job) {
		j.Channels = []snapshot.Channel{{Name: "model", HubContent: "arn:aws:sagemaker:eu-west-1:aws:hub-content/Public/Model/m/1"}}
	}, off: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://bkt/m/") },
		want: "sagemaker:DescribeHubContent arn:aws:sagemaker:eu-west-1:aws:hub-content/Public/Model/m/1"},
	{row: "file system", on: func(j *snapshot.Job) { j.Channels = []snapshot.Channel{{Name: "train", FileSystem: "EFS:fs-1"}} },
		off: func(j *snapshot.Job) { j.VPC.Subnets = []string{"subnet-1"} }},
	{row: "script", on: func(j *snapshot.Job) {
		j.S3Values = value("HyperParameters", "sagemaker_submit_directory", "s3://bkt/c/s.tar.gz")
	},
		off: func(j *snapshot.Job) {
			j.NetworkIsolation, j.S3Values = true, value("HyperParameters", "sagemaker_submit_directory", "s3://bkt/c/s.tar.gz")
		}, want: "s3:GetObject arn:aws:s3:::bkt/c/s.tar.gz"},
	{row: "other value", on: func(j *snapshot.Job) { j.S3Values = value("Environment", "DATA", "s3://bkt/d/") },
		off: func(j *snapshot.Job) {
			j.NetworkIsolation, j.S3Values = true, value("Environment", "DATA", "s3://bkt/d/")
		}, want: "s3:GetObject arn:aws:s3:::bkt/d/*"},
	{row: "model_dir", on: func(j *snapshot.Job) { j.S3Values = value("HyperParameters", "model_dir", "s3://bkt/m") },
		off: func(j *snapshot.Job) { j.S3Values = value("HyperParameters", "model", "s3://bkt/m") }, want: "s3:PutObject arn:aws:s3:::bkt/m*"},
	{row: "output", on: func(j *snapshot.Job) { j.Output.URI = "s3://bkt/out" }, off: func(j *snapshot.Job) { j.Output.KMSKey = testKey }, want: "s3:PutObject arn:aws:s3:::bkt/out*"},
	{row: "checkpoint", on: func(j *snapshot.Job) { j.Checkpoint = "s3://bkt/c/" }, off: func(j *snapshot.Job) { j.Spot = true }, want: "s3:ListBucket arn:aws:s3:::bkt"},
	{row: "side outputs", on: func(j *snapshot.Job) { j.ProfilerRules = []snapshot.Rule{{Name: "r", URI: "s3://bkt/p/"}} },
		off: func(j *snapshot.Job) { j.ProfilerRules = []snapshot.Rule{{Name: "r"}} }, want: "s3:PutObject arn:aws:s3:::bkt/p/*"},
	{row: "rules", on: func(j *snapshot.Job) {
		j.DebugHook, j.DebugRules = "s3://bkt/h/", []snapshot.Rule{{Name: "r", Image: testImage}}
	}, off: func(j *snapshot.Job) { j.DebugHook = "s3://bkt/h/" }, want: "s3:GetObject arn:aws:s3:::bkt/h/*"},
	{row: "VPC", on: func(j *snapshot.Job) { j.VPC.Subnets = []string{"subnet-1"} }, off: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://bkt/in/") },
		want: "ec2:CreateNetworkInterface *"},
	{row: "encrypted input", on: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://encrypted/in/") },
		off: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://bkt/in/") }, want: "kms:Decrypt arn:aws:kms:eu-west-1:123456789012:key/" + testKey},
	{row: "output key", on: func(j *snapshot.Job) { j.Output.KMSKey = testKey }, off: func(j *snapshot.Job) { j.VolumeKMSKey = testKey },
		want: "kms:GenerateDataKey arn:aws:kms:eu-west-1:123456789012:key/" + testKey},
	{row: "volume key", on: func(j *snapshot.Job) { j.VolumeKMSKey = testKey }, off: func(j *snapshot.Job) { j.Output.KMSKey = testKey },
		want: "kms:CreateGrant arn:aws:kms:eu-west-1:123456789012:key/" + testKey},
	{row: "remote debug", on: func(j *snapshot.Job) { j.RemoteDebug = true }, off: func(j *snapshot.Job) { j.Described = true }, want: "ssmmessages:OpenDataChannel *"},
	{row: "model package", on: func(j *snapshot.Job) {
		j.ModelPackageGroup = "arn:aws:sagemaker:eu-west-1:123456789012:model-package-group/g"
	}, off: func(j *snapshot.Job) { j.Artifact = "s3://bkt/a" }, want: "sagemaker:CreateModelPackage arn:aws:sagemaker:eu-west-1:123456789012:model-package/g/*"},
	{row: "MLflow", on: func(j *snapshot.Job) { j.Mlflow = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/t" },
		off: func(j *snapshot.Job) { j.Mlflow = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/t" }, want: "sagemaker-mlflow:LogMetric arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/t"},
	{row: "isolation", on: func(j *snapshot.Job) { j.NetworkIsolation = true }, off: func(j *snapshot.Job) { j.VPC.Subnets = []string{"subnet-1"} }},
	{row: "spot", on: func(j *snapshot.Job) { j.Spot = true }, off: func(j *snapshot.Job) { j.Checkpoint = "s3://bkt/c/" }},
	{row: "CodeArtifact", on: func(j *snapshot.Job) {
		j.CodeArtifact = "arn:aws:codeartifact:eu-west-1:123456789012:repository/dom/rep"
	},
		off: func(j *snapshot.Job) {
			j.NetworkIsolation, j.CodeArtifact = true, "arn:aws:codeartifact:eu-west-1:123456789012:repository/dom/rep"
		},
		want: "codeartifact:GetAuthorizationToken arn:aws:codeartifact:eu-west-1:123456789012:domain/dom"},
	{row: "data set", on: func(j *snapshot.Job) {
		j.Channels = []snapshot.Channel{{Name: "train", Dataset: "arn:aws:sagemaker:eu-west-1:123456789012:hub-content/h/DataSet/d/1"}}
	}, off: func(j *snapshot.Job) { j.Channels = channel("S3Prefix", "s3://bkt/in/") },
		want: "sagemaker:DescribeHubContent arn:aws:sagemaker:eu-west-1:123456789012:hub/h"},
}

// TestEveryRuleIsTriggered: a rule without a job for it and one against it is untested.
func TestEveryRuleIsTriggered(t *testing.T) {
	if len(triggers) != len(needRules) {
		t.Fatalf("%d jobs for %d rules", len(triggers), len(needRules))
	}
	asks := newAsks(place{partition: "aws", account: testAccount}, readElsewhere(), nil)
	ask := func(i int, set func(*snapshot.Job)) ([]topic, *snapshot.Job) {
		j := &snapshot.Job{Name: "j", Region: "eu-west-1", Status: "Completed"}
		set(j)
		return needRules[i].topics(&asking{asks: asks, job: j}), j
	}
	for i, x := range triggers {
		on, j := ask(i, x.on)
		if len(on) == 0 {
			t.Errorf("%s: the job asks for nothing", x.row)
		}
		if x.off == nil {
			if needRules[i].path != "" {
				t.Errorf("%s: there is no job that does not ask for it", x.row)
			}
		} else if off, _ := ask(i, x.off); len(off) > 0 {
			t.Errorf("%s: the other job asks for it too", x.row)
		}
		if (x.want == "") != (len(needRules[i].statements) == 0) {
			t.Errorf("%s: the test does not say what is needed", x.row)
		}
		needs, _ := asks.of(j)
		if x.want != "" && !slices.ContainsFunc(needs, func(n need) bool {
			return n.action+" "+n.resource == x.want && n.area == needRules[i].areaOf(n.action) && n.ifMissing == needRules[i].ifMissing && n.optional == needRules[i].optional
		}) {
			t.Errorf("%s: %q is not among what is needed", x.row, x.want)
		}
	}
}

func TestRequirable(t *testing.T) {
	for _, action := range []string{"s3:GetObject", "s3express:CreateSession", "sagemaker-mlflow:LogMetric", "sts:GetServiceBearerToken", "kms:CreateGrant"} {
		if !requirable()[action] {
			t.Errorf("%s can be asked for", action)
		}
	}
	if requirable()["s3:DeleteObject"] || requirable()[allMlflow] {
		t.Error("no job asks for that")
	}
}
