package analyze

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The areas of a requirement. The first four are the reference's; the others
// appear only where a job's own fields ask for them.
const (
	areaECRPull      = "ecr-pull"
	areaS3Read       = "s3-read"
	areaS3Write      = "s3-write"
	areaLogs         = "logs"
	areaMetrics      = "metrics"
	areaKMS          = "kms"
	areaVPC          = "vpc"
	areaRegistryAuth = "registry-auth"
	areaRemoteDebug  = "remote-debug"
	areaDebugger     = "debugger"
)

// fourAreas are the reference's, in its order of a job's life.
var fourAreas = []string{areaECRPull, areaS3Read, areaS3Write, areaLogs}

// Strength says how sure it is that a job needed what its configuration asks.
type strength int

// The strengths, weakest first.
const (
	strengthFailed    strength = iota // only failed jobs ask for it
	strengthDeclared                  // a job in progress, or stopped
	strengthCompleted                 // declared by a completed job
	strengthProven                    // an artifact shows it
)

func (s strength) String() string {
	return [...]string{"failed", "declared", "completed", "proven"}[s]
}

// Confidence says where a rule comes from: AWS documentation, the API model,
// or service behaviour.
type confidence string

const (
	confidenceDoc      confidence = "doc"
	confidenceModel    confidence = "model"
	confidenceInferred confidence = "inferred"
)

// need is one thing that one job's configuration asks of its role.
type need struct {
	action   string
	resource string // the narrowest IAM pattern that serves this job
	// s3 is set where the resource is an S3 location: what the hole rule
	// generalises.
	s3         *s3Location
	area       string
	strength   strength
	confidence confidence
	ifMissing  string
	optional   bool
	field      string
	// alias: a KMS key named by its alias, so that resource is any key.
	alias bool
}

// place is where a role's jobs run, for the ARNs of what they need.
type place struct {
	partition, account string
	// exact leaves each job's own locations as they are: of tests.
	exact bool
}

// folders are the S3OutputPaths that some job's artifact shows to be folders.
type folders map[string]bool

func foldersOf(jobs []*snapshot.Job) folders {
	f := folders{}
	for _, j := range jobs {
		if j.Output.URI != "" && strings.HasPrefix(j.Artifact, strings.TrimSuffix(j.Output.URI, "/")+"/") {
			f[j.Output.URI] = true
		}
	}
	return f
}

// path is S3OutputPath, with a slash behind it where SageMaker was seen to put
// one: s3://bucket/models then means models/ and not models-of-others/.
func (f folders) path(uri string) string {
	if f[uri] {
		return strings.TrimSuffix(uri, "/") + "/"
	}
	return uri
}

// always are the actions that AWS documents for every training job, whatever
// its fields say.
// Source: AWS sagemaker-roles (CreateTrainingJob API: execution role
// permissions). The log group's name: AWS logging-cloudwatch. That the actions
// can be limited to the group is inferred from the page's tuning section.
func (p place) always(j *snapshot.Job) []need {
	group := "arn:" + p.partition + ":logs:" + j.Region + ":" + p.account + ":log-group:/aws/sagemaker/TrainingJobs"
	var out []need
	for _, a := range []struct{ action, ifMissing string }{
		{"logs:CreateLogGroup", "unknown"}, {"logs:CreateLogStream", "unknown"},
		{"logs:DescribeLogStreams", "unknown"}, {"logs:PutLogEvents", "unknown"},
	} {
		n := need{action: a.action, area: areaLogs, confidence: confidenceDoc, ifMissing: a.ifMissing, field: "TrainingJobName"}
		// CreateLogGroup and DescribeLogStreams act on the group, the others on
		// its streams: AWS service authorization reference, CloudWatch Logs.
		n.resource = group + ":*"
		switch a.action {
		case "logs:CreateLogGroup", "logs:DescribeLogStreams":
			n.resource = group
			n.optional = true
		}
		out = append(out, n)
	}
	return append(out, need{action: "cloudwatch:PutMetricData", resource: "*", area: areaMetrics,
		confidence: confidenceDoc, ifMissing: "unknown", optional: true, field: "TrainingJobName"})
}

// needs lists what the job's own configuration asks of its role.
func (p place) needs(j *snapshot.Job, seen folders) []need {
	out := p.always(j)
	out = append(out, p.image(j)...)
	out = append(out, p.inputs(j)...)
	out = append(out, p.outputs(j, seen)...)
	out = append(out, p.extras(j)...)
	base := jobStrength(j)
	for i := range out {
		out[i].strength = base
		if base == strengthCompleted && out[i].action == "s3:PutObject" && out[i].field == "OutputDataConfig.S3OutputPath" && j.Artifact != "" {
			out[i].strength = strengthProven
		}
	}
	return out
}

func jobStrength(j *snapshot.Job) strength {
	switch j.Status {
	case "Completed":
		return strengthCompleted
	case "Failed":
		return strengthFailed
	}
	return strengthDeclared
}

// ecrHost is the host of a private ECR registry.
// Source: AWS AmazonECR Registries ("aws_account_id.dkr.ecr.region.amazonaws.com").
var ecrHost = regexp.MustCompile(`^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|on\.aws)$`)

// repository returns the ARN of the private ECR repository that an image lies
// in, "" for any other registry.
func repository(partition, image string) string {
	host, name, ok := strings.Cut(image, "/")
	m := ecrHost.FindStringSubmatch(host)
	if !ok || m == nil {
		return ""
	}
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	if name == "" {
		return ""
	}
	return "arn:" + partition + ":ecr:" + m[2] + ":" + m[1] + ":repository/" + name
}

// image: AWS sagemaker-roles names the ECR actions of a pull;
// BatchCheckLayerAvailability checks layers on a push (AWS
// API_BatchCheckLayerAvailability), so never seeing it proves nothing. With
// TrainingRepositoryAccessMode Vpc no ECR permission is needed (AWS
// docker-containers-adapt-your-own-private-registry).
func (p place) image(j *snapshot.Job) []need {
	var out []need
	if j.Algorithm != "" {
		arn := j.Algorithm
		if !strings.HasPrefix(arn, "arn:") {
			arn = "arn:" + p.partition + ":sagemaker:" + j.Region + ":" + p.account + ":algorithm/" + actions.Literal(arn)
		}
		out = append(out, need{action: "sagemaker:DescribeAlgorithm", resource: arn, area: areaECRPull,
			confidence: confidenceDoc, ifMissing: "fails", field: "AlgorithmSpecification.AlgorithmName"})
	}
	if j.CredentialsProviderARN != "" {
		out = append(out, need{action: "lambda:InvokeFunction", resource: actions.Literal(j.CredentialsProviderARN), area: areaRegistryAuth,
			confidence: confidenceDoc, ifMissing: "fails",
			field: "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn"})
	}
	if j.RepositoryAccess == "Vpc" {
		return out
	}
	const field = "AlgorithmSpecification.TrainingImage"
	repo := repository(p.partition, j.Image)
	if repo == "" {
		return out
	}
	pull := func(action, resource string) need {
		return need{action: action, resource: resource, area: areaECRPull, confidence: confidenceDoc, ifMissing: "fails", field: field}
	}
	check := pull("ecr:BatchCheckLayerAvailability", repo)
	check.optional, check.ifMissing = true, "unknown"
	return append(out, pull("ecr:GetAuthorizationToken", "*"), pull("ecr:BatchGetImage", repo),
		pull("ecr:GetDownloadUrlForLayer", repo), check)
}

// inputs: AWS sagemaker-roles and model-access-training-data-abac (ListBucket
// on the bucket, no condition); that S3Prefix is a key-name prefix and no
// folder: SageMaker API, S3DataSource.
func (p place) inputs(j *snapshot.Job) []need {
	var out []need
	for _, c := range j.Channels {
		loc, ok := parseS3(p.partition, c.URI)
		if !ok {
			continue
		}
		field := "InputDataConfig[" + c.Name + "].DataSource.S3DataSource.S3Uri"
		loc.prefix = c.DataType != "ManifestFile" && c.DataType != "AugmentedManifestFile"
		conf := confidenceDoc
		if !loc.prefix {
			conf = confidenceModel
		}
		out = append(out,
			need{action: "s3:ListBucket", resource: loc.bucketARN(), area: areaS3Read, confidence: conf, ifMissing: "fails", field: field},
			need{action: "s3:GetObject", resource: loc.pattern(), s3: &loc, area: areaS3Read, confidence: conf, ifMissing: "fails", field: field})
	}
	if j.NetworkIsolation {
		// The container has no credentials (AWS mkt-algo-model-internet-free):
		// nothing in it can read what a hyperparameter names.
		return out
	}
	for _, v := range j.S3Values {
		loc, ok := parseS3(p.partition, v.URI)
		if !ok {
			continue
		}
		n := need{area: areaS3Read, action: "s3:GetObject", confidence: confidenceInferred, ifMissing: "unknown", field: v.Field + "." + v.Key}
		switch v.Key {
		case "sagemaker_submit_directory":
			// sagemaker-training-toolkit downloads it with the role's
			// credentials before the script starts.
			n.ifMissing = "fails"
		case "model_dir":
			n.action, n.area, n.optional = "s3:PutObject", areaS3Write, true
			loc.prefix = true
		default:
			loc.prefix = loc.key == "" || strings.HasSuffix(loc.key, "/")
		}
		n.resource, n.s3 = loc.pattern(), &loc
		out = append(out, n)
	}
	return out
}

// outputs: the model goes to <S3OutputPath>/<job>/output/model.tar.gz (AWS
// sagemaker-roles; SageMaker API OutputDataConfig); that a checkpoint is synced
// both ways is inferred, as are the debugger's outputs.
func (p place) outputs(j *snapshot.Job, seen folders) []need {
	var out []need
	write := func(uri, field string, conf confidence, ifMissing string) *s3Location {
		loc, ok := parseS3(p.partition, uri)
		if !ok {
			return nil
		}
		loc.prefix = true
		out = append(out, need{action: "s3:PutObject", resource: loc.pattern(), s3: &loc, area: areaS3Write,
			confidence: conf, ifMissing: ifMissing, field: field})
		return &loc
	}
	write(seen.path(j.Output.URI), "OutputDataConfig.S3OutputPath", confidenceDoc, "fails")
	if loc := write(j.Checkpoint, "CheckpointConfig.S3Uri", confidenceInferred, "unknown"); loc != nil {
		const field = "CheckpointConfig.S3Uri"
		out = append(out,
			need{action: "s3:GetObject", resource: loc.pattern(), s3: loc, area: areaS3Read, confidence: confidenceInferred, ifMissing: "unknown", field: field},
			need{action: "s3:ListBucket", resource: loc.bucketARN(), area: areaS3Read, confidence: confidenceInferred, ifMissing: "unknown", field: field})
	}
	write(j.TensorBoard, "TensorBoardOutputConfig.S3OutputPath", confidenceInferred, "unknown")
	write(j.DebugHook, "DebugHookConfig.S3OutputPath", confidenceInferred, "unknown")
	write(j.Profiler, "ProfilerConfig.S3OutputPath", confidenceInferred, "unknown")
	for _, rules := range []struct {
		name string
		list []snapshot.Rule
	}{{"DebugRuleConfigurations", j.DebugRules}, {"ProfilerRuleConfigurations", j.ProfilerRules}} {
		for _, r := range rules.list {
			field := rules.name + "[" + r.Name + "]"
			write(r.URI, field+".S3OutputPath", confidenceInferred, "unknown")
			if repo := repository(p.partition, r.Image); repo != "" {
				for _, a := range []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} {
					out = append(out, need{action: a, resource: repo, area: areaDebugger, confidence: confidenceInferred,
						ifMissing: "degrades", field: field + ".RuleEvaluatorImage"})
				}
			}
		}
	}
	return out
}

// extras: AWS sagemaker-roles (VPC, KMS), mpuoverview and UsingKMSEncryption
// (GenerateDataKey and Decrypt of a multipart upload), train-remote-debugging.
func (p place) extras(j *snapshot.Job) []need {
	var out []need
	add := func(area, resource, ifMissing, field string, actions ...string) {
		for _, a := range actions {
			out = append(out, need{action: a, resource: resource, area: area, confidence: confidenceDoc, ifMissing: ifMissing, field: field})
		}
	}
	if !j.VPC.IsZero() {
		add(areaVPC, "*", "fails", "VpcConfig", "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
			"ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces",
			"ec2:DescribeVpcs", "ec2:DescribeDhcpOptions", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups")
	}
	if key := p.keyARN(j.Region, j.Output.KMSKey); key != "" {
		add(areaKMS, key, "fails", "OutputDataConfig.KmsKeyId", "kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")
		for i := range out {
			out[i].alias = out[i].area == areaKMS && isAlias(j.Output.KMSKey)
		}
	}
	if key := p.keyARN(j.Region, j.VolumeKMSKey); key != "" {
		add(areaKMS, key, "fails", "ResourceConfig.VolumeKmsKeyId", "kms:CreateGrant")
	}
	if j.RemoteDebug {
		add(areaRemoteDebug, "*", "degrades", "RemoteDebugConfig.EnableRemoteDebug", "ssmmessages:CreateControlChannel",
			"ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel")
	}
	return out
}

// keyARN gives the ARN of a KMS key named by id or ARN. An alias names no key
// that IAM could match: it stands for any key of the account and region, and
// the proposal leaves it for a person to narrow.
func (p place) keyARN(region, key string) string {
	prefix := "arn:" + p.partition + ":kms:" + region + ":" + p.account + ":key/"
	switch {
	case key == "":
		return ""
	case isAlias(key):
		return prefix + "*"
	case strings.HasPrefix(key, "arn:"):
		return actions.Literal(key)
	}
	return prefix + actions.Literal(key)
}

func isAlias(key string) bool {
	return strings.HasPrefix(key, "alias/") || strings.Contains(key, ":alias/")
}

// required is what all of a role's jobs need of one action and resource.
type required struct {
	action   string
	resource string // generalised, see generalise
	area     string
	need     need // the strongest
	jobs     []*snapshot.Job
	fields   []string // of jobs, same order; at most maxEvidence are kept
	total    int      // jobs that ask for it
	last     *snapshot.Job
	// completed: a completed job asks for exactly this, the last of them created
	// at completedAt.
	completed   bool
	completedAt time.Time
}

// requirements merges the needs of jobs by (area, action, generalised resource).
func (p place) requirements(jobs []*snapshot.Job, maxEvidence int) []*required {
	type jobNeeds struct {
		job   *snapshot.Job
		needs []need
	}
	all := make([]jobNeeds, 0, len(jobs))
	h, seen := newHoles(), foldersOf(jobs)
	for _, j := range jobs {
		n := p.needs(j, seen)
		all = append(all, jobNeeds{j, n})
		for i := range n {
			if n[i].s3 != nil {
				h.see(j, n[i].field, n[i].s3)
			}
		}
	}
	type key struct{ area, action, resource string }
	merged := map[key]*required{}
	for _, jn := range all {
		for _, n := range jn.needs {
			if n.s3 != nil && !p.exact {
				n.resource = h.generalise(jn.job, n.field, *n.s3).pattern()
			}
			k := key{n.area, n.action, n.resource}
			r := merged[k]
			if r == nil {
				r = &required{action: n.action, resource: n.resource, area: n.area, need: n}
				merged[k] = r
			}
			if r.last != jn.job {
				r.total, r.last = r.total+1, jn.job
			}
			if n.strength >= strengthCompleted {
				r.completed = true
				if jn.job.CreatedAt.After(r.completedAt) {
					r.completedAt = jn.job.CreatedAt
				}
			}
			switch {
			case n.strength > r.need.strength:
				r.need, r.jobs, r.fields = n, []*snapshot.Job{jn.job}, []string{n.field}
			case n.strength == r.need.strength && len(r.jobs) < maxEvidence:
				r.jobs, r.fields = append(r.jobs, jn.job), append(r.fields, n.field)
			}
		}
	}
	out := make([]*required, 0, len(merged))
	for _, r := range merged {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *required) int {
		return cmp.Or(cmp.Compare(a.area, b.area), cmp.Compare(a.action, b.action), cmp.Compare(a.resource, b.resource))
	})
	return out
}

// requirable are the actions that some job's configuration can ask for: what a job
// that was not read may need.
var requirable = sync.OnceValue(func() map[string]bool {
	const uri, key = "s3://bucket/key", "1234abcd-12ab-34cd-56ef-1234567890ab"
	rule := []snapshot.Rule{{Name: "rule", Image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/rules", URI: uri}}
	everything := &snapshot.Job{
		Name: "job", Region: "us-east-1", Image: "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1",
		Channels: []snapshot.Channel{{Name: "train", DataType: "S3Prefix", URI: uri}}, Output: snapshot.S3Output{URI: uri, KMSKey: key},
		Checkpoint: uri, TensorBoard: uri, DebugHook: uri, Profiler: uri, DebugRules: rule, ProfilerRules: rule, VolumeKMSKey: key,
		VPC: snapshot.VPC{Subnets: []string{"subnet-1"}}, S3Values: []snapshot.S3Value{{Field: "Environment", Key: "model_dir", URI: uri}},
		RemoteDebug: true,
	}
	fromAlgorithm := &snapshot.Job{Name: "job", Region: "us-east-1", Algorithm: "algorithm",
		CredentialsProviderARN: "arn:aws:lambda:us-east-1:123456789012:function:registry"}
	out := map[string]bool{}
	p := place{partition: "aws", account: "123456789012"}
	for _, j := range []*snapshot.Job{everything, fromAlgorithm} {
		for _, n := range p.needs(j, folders{}) {
			out[n.action] = true
		}
	}
	return out
})
