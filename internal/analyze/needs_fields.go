package analyze

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The fields of a job, each as the topics of its rule.

func (q *asking) any() []topic { return []topic{{field: "TrainingJobName"}} }

// ecrHost is the host of a private ECR registry.
// Source: AWS AmazonECR Registries; ecr-requests (dual-stack).
var ecrHost = regexp.MustCompile(`^(\d{12})\.(?:dkr\.ecr(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?|dkr-ecr(?:-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.on\.aws)$`)

// repositoryName: ECR API, CreateRepository.
var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*/)*[a-z0-9]+(?:[._-]+[a-z0-9]+)*$`)

// ecrImage is an image's place in a private ECR registry.
type ecrImage struct{ region, account, repository string }

func readImage(image string) (ecrImage, bool) {
	host, name, _ := strings.Cut(image, "/")
	m := ecrHost.FindStringSubmatch(host)
	if m == nil {
		return ecrImage{}, false
	}
	name, _, _ = strings.Cut(name, "@")
	name, _, _ = strings.Cut(name, ":")
	return ecrImage{cmp.Or(m[2], m[3]), m[1], name}, repositoryName.MatchString(name)
}

func (a *asks) readImage(text string) (ecrImage, bool) {
	image, known := a.images[text]
	if !known {
		if i, ok := readImage(text); ok {
			image = i
		}
		a.images[text] = image
	}
	return image, image.repository != ""
}

func (i ecrImage) vars() map[string]string {
	return map[string]string{"imgRegion": i.region, "imgAccount": i.account, "repo": i.repository}
}

// caches are the prefixes that ECR's console gives the repositories of a pull-through
// cache. Source: AWS AmazonECR pull-through-cache-working; ECR API,
// CreatePullThroughCacheRule.
var caches = []string{"ecr-public", "docker-hub", "quay", "kubernetes", "k8s", "github", "github-container-registry",
	"gitlab", "gitlab-container-registry", "azure", "azure-container-registry", "chainguard"}

// image: with TrainingRepositoryAccessMode Vpc no ECR permission is needed. Of another
// registry nothing is documented, and nothing is made up.
func (q *asking) image() []topic {
	j := q.job
	if j.Image == "" || j.RepositoryAccess == "Vpc" {
		return nil
	}
	image, ok := q.readImage(j.Image)
	if !ok {
		q.leaveOpen(fieldImage, "the image "+shown(j.Image), "its registry is unknown: no AWS page says what a pull from it asks of the role")
		return nil
	}
	if rules, known := q.known.caches[image.account+"/"+image.region]; !known {
		if first, _, ok := strings.Cut(image.repository, "/"); ok && slices.Contains(caches, first) {
			q.leaveOpen(fieldImage, "the repository "+image.repository,
				"it is named like a pull-through cache, which may ask for more than a pull; the registry's rules were not read (ecr:DescribePullThroughCacheRules)")
		}
	} else if slices.Contains(rules, "ROOT") && !cachedBy(rules, image.repository) {
		q.leaveOpen(fieldImage, "the repository "+image.repository, "a rule caches what no other rule does (ROOT): whether this repository is one is not known")
	}
	return []topic{{field: fieldImage, vars: image.vars(), id: j.Image}}
}

func (q *asking) cachedImage() []topic {
	image, ok := q.readImage(q.job.Image)
	if !ok || q.job.RepositoryAccess == "Vpc" || !cachedBy(q.known.caches[image.account+"/"+image.region], image.repository) {
		return nil
	}
	return []topic{{field: fieldImage, vars: image.vars(), id: q.job.Image}}
}

// cachedBy: "there is always an assumed / applied to the end of the prefix" (AWS
// AmazonECR pull-through-cache-private-wildcards).
func cachedBy(rules []string, repository string) bool {
	return slices.ContainsFunc(rules, func(prefix string) bool {
		return strings.HasPrefix(repository, strings.TrimSuffix(prefix, "/")+"/")
	})
}

// algorithmName: SageMaker API, AlgorithmSpecification.AlgorithmName.
var algorithmName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]*$`)

func (q *asking) algorithm() []topic {
	name := q.job.Algorithm
	if name == "" {
		return nil
	}
	own, literal := true, ""
	if algorithmName.MatchString(name) {
		literal = "arn:" + q.partition + ":sagemaker:" + q.job.Region + ":" + q.account + ":algorithm/" + name
	} else if arn, ok := readARN(name, "sagemaker", "algorithm/"); ok {
		own, literal = arn.account == q.account, arn.literal()
	} else {
		q.leaveOpen(fieldAlgorithm, "the algorithm "+shown(name), "it is neither a name nor an ARN")
		return nil
	}
	// An algorithm of the AWS Marketplace runs in isolation, and its image is not the
	// account's to pull (AWS mkt-algo-model-internet-free; the latter inferred).
	if q.job.Image == "" && (own || !q.job.NetworkIsolation) {
		q.leaveOpen(fieldAlgorithm, "the image of the algorithm "+shown(name), "it is in DescribeAlgorithm.TrainingSpecification, which was not read")
	}
	return []topic{{field: fieldAlgorithm, vars: map[string]string{"algorithm": literal}, id: name}}
}

func (q *asking) vpcRegistry() []topic {
	if q.job.RepositoryAccess != "Vpc" {
		return nil
	}
	return []topic{{field: fieldRegistry + ".TrainingRepositoryAccessMode"}}
}

func (q *asking) credentialsProvider() []topic {
	return q.byARN(fieldFunction, q.job.CredentialsProviderARN, "lambda", "function:")
}

// byARN is the topic of a field that names its resource by ARN.
func (q *asking) byARN(field, value, service, kind string) []topic {
	if value == "" {
		return nil
	}
	arn, ok := readARN(value, service, kind)
	if !ok {
		q.leaveOpen(field, shown(value), "it is no ARN of "+service+":"+strings.TrimRight(kind, ":/"))
		return nil
	}
	return []topic{{field: field, vars: map[string]string{"value": arn.literal()}, id: value}}
}

func channelField(c *snapshot.Channel, rest string) string {
	return "InputDataConfig[" + c.Name + "].DataSource." + rest
}

func isManifest(c *snapshot.Channel) bool {
	return c.DataType == "ManifestFile" || c.DataType == "AugmentedManifestFile"
}

// streamed: in Pipe and FastFile mode data is fetched as the code reads it: SageMaker
// API, TrainingInputMode.
func (q *asking) streamed(c *snapshot.Channel) bool {
	mode := cmp.Or(c.InputMode, q.job.InputMode)
	return mode == "Pipe" || mode == "FastFile"
}

func (q *asking) prefixChannels() []topic {
	var out []topic
	for i := range q.job.Channels {
		if c := &q.job.Channels[i]; !isManifest(c) {
			field := channelField(c, "S3DataSource.S3Uri")
			if s, ok := q.location(field, c.URI, true); ok {
				if c.DataType != "" && c.DataType != "S3Prefix" && c.DataType != "Converse" {
					q.leaveOpen(field, "input of the type "+shown(c.DataType), "this version does not know the type: it is taken for a prefix")
				}
				s.streamed = q.streamed(c)
				out = append(out, s)
			}
		}
	}
	return out
}

func (q *asking) manifestChannels() []topic {
	var out []topic
	for i := range q.job.Channels {
		c := &q.job.Channels[i]
		if !isManifest(c) {
			continue
		}
		field := channelField(c, "S3DataSource.S3Uri")
		s, ok := q.location(field, c.URI, false)
		if !ok {
			continue
		}
		s.streamed = q.streamed(c)
		out = append(out, s)
		if read, ok := q.manifest(field, c, s.loc); ok {
			out = append(out, read)
		}
	}
	return out
}

func (q *asking) hubContent() []topic {
	var out []topic
	for i := range q.job.Channels {
		c := &q.job.Channels[i]
		out = append(out, q.ofHub(channelField(c, "S3DataSource.HubAccessConfig.HubContentArn"), c.HubContent)...)
	}
	return out
}

func (q *asking) dataSets() []topic {
	var out []topic
	for i := range q.job.Channels {
		c := &q.job.Channels[i]
		field := channelField(c, "DatasetSource.DatasetArn")
		if got := q.ofHub(field, c.Dataset); len(got) > 0 {
			q.leaveOpen(field, "where the data of "+shown(c.Dataset)+" lies", "the job names a data set, and only DescribeHubContent tells its place")
			out = append(out, got...)
		}
	}
	return out
}

// ofHub adds the hub that content lies in.
func (q *asking) ofHub(field, value string) []topic {
	out := q.byARN(field, value, "sagemaker", "hub-content/")
	for i := range out {
		arn, _ := readARN(value, "sagemaker", "hub-content/")
		hub, _, _ := strings.Cut(strings.TrimPrefix(arn.resource, "hub-content/"), "/")
		arn.resource = "hub/" + hub
		out[i].vars["hub"] = arn.literal()
	}
	return out
}

func (q *asking) fileSystems() []topic {
	var out []topic
	for i := range q.job.Channels {
		if c := &q.job.Channels[i]; c.FileSystem != "" {
			out = append(out, topic{field: channelField(c, "FileSystemDataSource")})
		}
	}
	return out
}

const (
	keySubmitDirectory = "sagemaker_submit_directory"
	keyModelDir        = "model_dir"
)

// values are the hyperparameters and environment variables of one key, or of any that
// has no rule of its own. Nothing in an isolated container can read what they name: it
// has no credentials (AWS mkt-algo-model-internet-free).
func values(key string) func(*asking) []topic {
	return func(q *asking) []topic {
		if q.job.NetworkIsolation {
			return nil
		}
		var out []topic
		for _, v := range q.job.S3Values {
			if v.Key != key && (key != "" || v.Key == keySubmitDirectory || v.Key == keyModelDir) {
				continue
			}
			s, ok := q.location(v.Field+"."+v.Key, v.URI, key == keyModelDir)
			if !ok {
				continue
			}
			if key == "" && (s.loc.key == "" || strings.HasSuffix(s.loc.key, "/")) {
				s.loc.prefix = true
			}
			out = append(out, s)
		}
		return out
	}
}

func (q *asking) output() []topic {
	return q.outputs(fieldOutput, q.seen.path(q.job.Output.URI))
}

func (q *asking) checkpoint() []topic {
	return q.outputs("CheckpointConfig.S3Uri", q.job.Checkpoint)
}

func (q *asking) sideOutputs() []topic {
	j := q.job
	out := slices.Concat(q.outputs("TensorBoardOutputConfig.S3OutputPath", j.TensorBoard),
		q.outputs("DebugHookConfig.S3OutputPath", j.DebugHook), q.outputs("ProfilerConfig.S3OutputPath", j.Profiler))
	q.eachRule(func(field, _ string, r *snapshot.Rule) {
		out = append(out, q.outputs(field+".S3OutputPath", r.URI)...)
	})
	return out
}

func (q *asking) outputs(field, uri string) []topic {
	if s, ok := q.location(field, uri, true); ok {
		return []topic{s}
	}
	return nil
}

// eachRule visits the rules with the output that they watch.
func (q *asking) eachRule(visit func(field, watched string, r *snapshot.Rule)) {
	for i := range q.job.DebugRules {
		visit("DebugRuleConfigurations["+q.job.DebugRules[i].Name+"]", q.job.DebugHook, &q.job.DebugRules[i])
	}
	for i := range q.job.ProfilerRules {
		visit("ProfilerRuleConfigurations["+q.job.ProfilerRules[i].Name+"]", q.job.Profiler, &q.job.ProfilerRules[i])
	}
}

func (q *asking) debugRules() []topic {
	var out []topic
	q.eachRule(func(field, watched string, r *snapshot.Rule) {
		s := topic{field: field, id: r.Image}
		if loc, why := q.parseS3(q.job.Region, watched); why == "" {
			loc.prefix = true
			s.found = []s3Location{loc}
		} else {
			q.leaveOpen(field, "the output that the rule reads", "the job does not name it in a way that IAM could")
		}
		if image, ok := q.readImage(r.Image); ok {
			s.vars = image.vars()
		} else {
			q.leaveOpen(field+".RuleEvaluatorImage", "the image "+shown(r.Image), "its registry is unknown: no AWS page says what a pull from it asks of the role")
		}
		out = append(out, s)
	})
	return out
}

// vpc: a file system is mounted over a VPC, whether or not the job tells which (AWS
// model-access-training-data).
func (q *asking) vpc() []topic {
	if !q.job.VPC.IsZero() {
		return []topic{{field: "VpcConfig"}}
	}
	return q.fileSystems()
}

func (q *asking) encryptedInputs() []topic {
	var out []topic
	for i := range q.job.Channels {
		c := &q.job.Channels[i]
		loc, why := q.parseS3(q.job.Region, c.URI)
		if why != "" || loc.bucket == "" {
			continue
		}
		field := channelField(c, "S3DataSource.S3Uri")
		switch e, read := q.known.encryption[loc.bucket]; {
		case read:
			// S3's own key asks for nothing, and that of the account's aws/s3 lets in whoever
			// may use S3 (AWS: UsingKMSEncryption).
			out = append(out, q.key(field, e.Key)...)
		case q.known.asked:
			q.leaveOpen(field, "the key of the bucket "+loc.bucket,
				"its default encryption was not read (s3:GetEncryptionConfiguration): under a KMS key, reading it asks for kms:Decrypt")
		}
	}
	return out
}

func (q *asking) outputKey() []topic {
	return q.key("OutputDataConfig.KmsKeyId", q.job.Output.KMSKey)
}

func (q *asking) volumeKey() []topic {
	return q.key("ResourceConfig.VolumeKmsKeyId", q.job.VolumeKMSKey)
}

var (
	// AWS KMS API, KeyId and AliasName.
	keyID   = regexp.MustCompile(`^[a-zA-Z0-9-]{1,256}$`)
	keyName = regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`)
)

// key is the topic of a field that names a KMS key: by id, ARN, alias or alias ARN.
// An alias names no key that a policy could match (AWS KMS cmks-in-iam-policies): it
// stands for any key of its account and region until somebody knows which.
func (q *asking) key(field, name string) []topic {
	if name == "" {
		return nil
	}
	arn := plainARN{q.partition, "kms", q.job.Region, q.account, name}
	switch {
	case keyName.MatchString(name):
	case keyID.MatchString(name):
		arn.resource = "key/" + name
	default:
		var ok bool
		if arn, ok = readARN(name, "kms", ""); !ok || !keyName.MatchString(arn.resource) && !keyID.MatchString(strings.TrimPrefix(arn.resource, "key/")) {
			q.leaveOpen(field, "the key "+shown(name), "it is no key's id, ARN or alias")
			return nil
		}
	}
	s := topic{field: field, id: name}
	text := ""
	if keyName.MatchString(arn.resource) {
		if text = q.known.aliases[arn.literal()]; text == "" {
			q.leave(unresolved{field: field, what: "the key behind " + shown(name), alias: true,
				why: "policies name a key by its ARN, and nothing that was read tells it (kms:DescribeKey)"})
			arn.resource, s.alias = "key/", true
			text = arn.literal() + "*"
		}
	} else {
		text = arn.literal()
	}
	s.vars = map[string]string{"keyArn": text}
	return []topic{s}
}

func (q *asking) remoteDebug() []topic {
	if !q.job.RemoteDebug {
		return nil
	}
	return []topic{{field: "RemoteDebugConfig.EnableRemoteDebug"}}
}

func (q *asking) modelPackage() []topic {
	const kind = "model-package-group/"
	out := q.byARN("ModelPackageConfig.ModelPackageGroupArn", q.job.ModelPackageGroup, "sagemaker", kind)
	for i := range out {
		arn, _ := readARN(q.job.ModelPackageGroup, "sagemaker", kind)
		out[i].vars["ModelPackageGroupArn"] = arn.literal()
		arn.resource = "model-package/" + strings.TrimPrefix(arn.resource, kind) + "/"
		out[i].vars["packages"] = arn.literal() + "*"
	}
	return out
}

// mlflow: only tracking servers are a resource of sagemaker-mlflow (AWS service
// authorization reference, SageMaker with MLflow).
func (q *asking) mlflow() []topic {
	const field = "MlflowConfig.MlflowResourceArn"
	value := q.job.Mlflow
	if value == "" {
		return nil
	}
	arn, ok := readARN(value, "sagemaker", "mlflow-tracking-server/")
	if !ok {
		q.leaveOpen(field, shown(value), "it is no tracking server, and no AWS page says what logging to it asks of the role")
		return nil
	}
	q.leaveOpen(field, "which calls to "+shown(value)+" the job makes", "no AWS page says: every action of sagemaker-mlflow on the server stands for them")
	return []topic{{field: field, vars: map[string]string{"MlflowResourceArn": arn.literal()}, id: value}}
}

var mlflowActions = sync.OnceValue(func() []string { return actionsOfService("sagemaker-mlflow") })

func (q *asking) isolation() []topic {
	if !q.job.NetworkIsolation {
		return nil
	}
	return []topic{{field: "EnableNetworkIsolation"}}
}

func (q *asking) spot() []topic {
	if !q.job.Spot {
		return nil
	}
	return []topic{{field: "EnableManagedSpotTraining"}}
}

func (q *asking) codeArtifact() []topic {
	if q.job.NetworkIsolation {
		return nil
	}
	const kind = "repository/"
	out := q.byARN("Environment.CA_REPOSITORY_ARN", q.job.CodeArtifact, "codeartifact", kind)
	for i := range out {
		arn, _ := readARN(q.job.CodeArtifact, "codeartifact", kind)
		domain, _, _ := strings.Cut(strings.TrimPrefix(arn.resource, kind), "/")
		arn.resource = "domain/" + domain
		out[i].vars["domain"] = arn.literal()
	}
	return out
}

// plainARN is an ARN whose first five parts are what they seem.
type plainARN struct{ partition, service, region, account, resource string }

var arnForm = regexp.MustCompile(`^arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):(\d{12}|aws|):([\x20-\x7e\x{a0}-\x{ff}]+)$`)

// readARN reads the ARN of a service's resource of one kind, a prefix of its last part.
// It answers false for one with a wildcard or variable before its last part, where
// nothing could escape it (AWS reference_policies_variables).
func readARN(arn, service, kind string) (plainARN, bool) {
	m := arnForm.FindStringSubmatch(arn)
	if m == nil || m[2] != service || !strings.HasPrefix(m[5], kind) || m[5] == kind {
		return plainARN{}, false
	}
	return plainARN{m[1], m[2], m[3], m[4], m[5]}, true
}

// literal is the ARN as a resource that matches nothing else.
func (a plainARN) literal() string {
	return "arn:" + a.partition + ":" + a.service + ":" + a.region + ":" + a.account + ":" + actions.Literal(a.resource)
}

// shown is a value of a job as a sentence may hold it: plain, and not too long.
func shown(value string) string {
	const most = 200
	if len(value) > most {
		value = value[:most] + "..."
	}
	for _, r := range value {
		if r <= ' ' || r > '~' || r == '"' {
			return strconv.QuoteToASCII(value)
		}
	}
	if value == "" {
		return `""`
	}
	return value
}

// location is the topic of a field that holds an S3 URI.
func (q *asking) location(field, uri string, prefix bool) (topic, bool) {
	if uri == "" {
		return topic{}, false
	}
	loc, why := q.parseS3(q.job.Region, uri)
	if why != "" {
		q.leaveOpen(field, fmt.Sprintf("the location %s", shown(uri)), why)
		return topic{}, false
	}
	loc.prefix = loc.prefix || prefix
	return topic{field: field, loc: &loc, note: loc.note}, true
}
