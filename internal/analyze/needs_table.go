package analyze

import (
	"slices"

	"sagemaker-role-audit/internal/analyze/actions"
)

// A needRule says what a field of a job asks of its execution role. The rules up to
// beyondRows are the rows of the customer's job-permissions.json, in its order and
// with its resources; a test holds the two against each other, and names the
// differences with their reasons. AWS's page stands with each rule.
type needRule struct {
	// path and when name the row.
	path, when string
	area       string
	confidence confidence
	// ifMissing is what becomes of a job without it: fails, degrades or unknown.
	ifMissing string
	// optional: documented or conditional; not to see it used is no reason to drop it,
	// nor its lack a fault.
	optional   bool
	statements []statement
	// topics are what the rule is about in a job: none where it does not apply.
	topics func(*asking) []topic
}

// statement grants actions on resources, which hold placeholders: {p} partition, {r}
// region, {a} account, {bucket} and {key} of an S3 URI, others of the topic. What
// stands in <> is not in the job: see asking.targets.
type statement struct {
	actions   []string
	resources []string
}

// topic is one value of a field.
type topic struct {
	field string
	loc   *s3Location
	// found are the locations that a <placeholder> stands for.
	found []s3Location
	// vars are the other placeholders with their text as IAM wants it; id is all that
	// they depend on, beside the region.
	vars map[string]string
	id   string
	note string
	// alias: a KMS key that nobody knows behind its alias.
	alias bool
	// streamed: an input that is read as the code asks for it, or not.
	streamed bool
}

// The resources that are S3 locations or stand for what is found elsewhere.
const (
	bucketOf        = "arn:{p}:s3:::{bucket}"
	objectOf        = "arn:{p}:s3:::{bucket}/{key}"
	prefixOf        = "arn:{p}:s3:::{bucket}/{key}*"
	manifestData    = "<every object or prefix named inside the manifest>"
	manifestBuckets = "<manifest data buckets>"
	hookOutput      = "<hook/profiler output>"
	ruleRepository  = "<RuleEvaluatorImage repo>"
	inputKey        = "<bucket/object key ARN>"

	repositoryOf   = "arn:{p}:ecr:{imgRegion}:{imgAccount}:repository/{repo}"
	trainingGroup  = "arn:{p}:logs:{r}:{a}:log-group:/aws/sagemaker/TrainingJobs"
	processGroup   = "arn:{p}:logs:{r}:{a}:log-group:/aws/sagemaker/ProcessingJobs"
	allMlflow      = "sagemaker-mlflow:*"
	fieldImage     = "AlgorithmSpecification.TrainingImage"
	fieldOutput    = "OutputDataConfig.S3OutputPath"
	fieldAlgorithm = "AlgorithmSpecification.AlgorithmName"
	fieldRegistry  = "AlgorithmSpecification.TrainingImageConfig"
	fieldFunction  = fieldRegistry + ".TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn"
)

// on is a statement on one resource.
func on(resource string, actions ...string) statement {
	return statement{actions, []string{resource}}
}

var needRules = slices.Concat(rowRules(), moreRules())

// beyondRows is where the rules begin that the customer's file has no row for.
var beyondRows = len(rowRules())

func rowRules() []needRule {
	return []needRule{
		// AWS sagemaker-roles (CreateTrainingJob API: execution role permissions); the
		// group's name: AWS logging-cloudwatch. CreateLogStream and PutLogEvents act on
		// streams: AWS service authorization reference, CloudWatch Logs.
		{area: areaLogs, confidence: confidenceDoc, ifMissing: "unknown", topics: (*asking).any,
			statements: []statement{on(trainingGroup+":*", "logs:CreateLogStream", "logs:PutLogEvents")}},
		// These act on the group by that reference, and a denial names it as
		// GROUP:log-stream (aws-samples/amazon-sagemaker-local-mode#8): both forms.
		{area: areaLogs, confidence: confidenceDoc, ifMissing: "unknown", optional: true, topics: (*asking).any,
			statements: []statement{{[]string{"logs:CreateLogGroup", "logs:DescribeLogStreams"}, []string{trainingGroup, trainingGroup + ":*"}}}},
		// AWS sagemaker-roles. A condition on cloudwatch:namespace is thinkable and
		// nowhere documented: it is not proposed.
		{area: areaMetrics, confidence: confidenceDoc, ifMissing: "degrades", optional: true, topics: (*asking).any,
			statements: []statement{on("*", "cloudwatch:PutMetricData")}},

		// AWS sagemaker-roles; ECR API_BatchGetImage, API_GetDownloadUrlForLayer.
		{path: fieldImage, when: "private ECR host <acct>.dkr.ecr.<region>.<suffix>",
			area: areaECRPull, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).image,
			statements: []statement{on("*", "ecr:GetAuthorizationToken"), on(repositoryOf, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")}},
		// AWS sagemaker-roles names it; it checks layers on a push (AWS ECR
		// API_BatchCheckLayerAvailability).
		{path: fieldImage, when: "private ECR host <acct>.dkr.ecr.<region>.<suffix>",
			area: areaECRPull, confidence: confidenceDoc, ifMissing: "unknown", optional: true, topics: (*asking).image,
			statements: []statement{on(repositoryOf, "ecr:BatchCheckLayerAvailability")}},
		// AWS ECR pull-through-cache-iam; that SageMaker's pull is one like others is inferred.
		{path: fieldImage, when: "private ECR host and the repository prefix is a pull-through cache rule of that registry (ecr:DescribePullThroughCacheRules by the auditor)",
			area: areaECRPull, confidence: confidenceInferred, ifMissing: "unknown", optional: true, topics: (*asking).cachedImage,
			statements: []statement{on(repositoryOf, "ecr:BatchImportUpstreamImage", "ecr:CreateRepository")}},
		// AWS sagemaker-roles.
		{path: fieldAlgorithm,
			area: areaECRPull, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).algorithm,
			statements: []statement{on("{algorithm}", "sagemaker:DescribeAlgorithm")}},
		// AWS docker-containers-adapt-your-own-private-registry: see asking.image.
		{path: fieldRegistry + ".TrainingRepositoryAccessMode", when: "Vpc",
			area: areaECRPull, confidence: confidenceDoc, ifMissing: "unknown", topics: (*asking).vpcRegistry},
		// AWS docker-containers-adapt-your-own-private-registry-authentication.
		{path: fieldFunction,
			area: areaRegistryAuth, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).credentialsProvider,
			statements: []statement{on("{value}", "lambda:InvokeFunction")}},

		// AWS sagemaker-roles, model-access-training-data-abac (ListBucket on the bucket,
		// no condition); that S3Prefix is a key-name prefix and no folder: SageMaker API,
		// S3DataSource.
		{path: "InputDataConfig[].DataSource.S3DataSource", when: "S3DataType in S3Prefix,Converse",
			area: areaS3Read, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).prefixChannels,
			statements: []statement{on(bucketOf, "s3:ListBucket"), on(prefixOf, "s3:GetObject")}},
		// SageMaker API, S3DataSource.S3Uri.
		{path: "InputDataConfig[].DataSource.S3DataSource", when: "S3DataType in ManifestFile,AugmentedManifestFile",
			area: areaS3Read, confidence: confidenceModel, ifMissing: "fails", topics: (*asking).manifestChannels,
			statements: []statement{{[]string{"s3:GetObject"}, []string{objectOf, manifestData}}, {[]string{"s3:ListBucket"}, []string{bucketOf, manifestBuckets}}}},
		// SageMaker API, HubAccessConfig; both resource types are required: AWS service
		// authorization reference, SageMaker.
		{path: "InputDataConfig[].DataSource.S3DataSource.HubAccessConfig.HubContentArn",
			area: areaS3Read, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).hubContent,
			statements: []statement{{[]string{"sagemaker:DescribeHubContent"}, []string{"{value}", "{hub}"}}}},
		// AWS model-access-training-data: mounted over the job's VPC, which has its own rule.
		{path: "InputDataConfig[].DataSource.FileSystemDataSource",
			area: areaVPC, confidence: confidenceDoc, ifMissing: "unknown", topics: (*asking).fileSystems},

		// sagemaker-training-toolkit downloads it with the role's credentials before the
		// script starts; a denial is aws/sagemaker-python-sdk#442.
		{path: "HyperParameters.*|Environment.*", when: "the value, JSON-unquoted, is an s3:// URI and the key is sagemaker_submit_directory",
			area: areaS3Read, confidence: confidenceInferred, ifMissing: "fails", topics: values("sagemaker_submit_directory"),
			statements: []statement{on(objectOf, "s3:GetObject")}},
		{path: "HyperParameters.*|Environment.*", when: "the value, JSON-unquoted, is an s3:// URI and the key is any other",
			area: areaS3Read, confidence: confidenceInferred, ifMissing: "unknown", topics: values(""),
			statements: []statement{on(objectOf, "s3:GetObject")}},
		{path: "HyperParameters.*|Environment.*", when: "the value, JSON-unquoted, is an s3:// URI the script writes to (model_dir; others only on evidence)",
			area: areaS3Write, confidence: confidenceInferred, ifMissing: "unknown", optional: true, topics: values("model_dir"),
			statements: []statement{on(prefixOf, "s3:PutObject")}},

		// AWS sagemaker-roles: <S3OutputPath>/<job>/output/model.tar.gz.
		{path: fieldOutput,
			area: areaS3Write, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).output,
			statements: []statement{on(prefixOf, "s3:PutObject")}},
		// AWS model-checkpoints: what is in the bucket is copied to the container at the
		// start, and back as it changes.
		{path: "CheckpointConfig.S3Uri",
			area: areaS3Write, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).checkpoint,
			statements: []statement{on(prefixOf, "s3:PutObject", "s3:GetObject"), on(bucketOf, "s3:ListBucket")}},
		// SageMaker API, the S3OutputPath of each.
		{path: "TensorBoardOutputConfig.S3OutputPath|DebugHookConfig.S3OutputPath|ProfilerConfig.S3OutputPath|DebugRuleConfigurations[].S3OutputPath|ProfilerRuleConfigurations[].S3OutputPath",
			area: areaS3Write, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).sideOutputs,
			statements: []statement{on(prefixOf, "s3:PutObject")}},
		// SageMaker API, RuleEvaluationJobArn: a rule runs as a processing job.
		{path: "DebugRuleConfigurations|ProfilerRuleConfigurations",
			area: areaDebugger, confidence: confidenceInferred, ifMissing: "degrades", topics: (*asking).debugRules,
			statements: []statement{
				on(hookOutput, "s3:GetObject", "s3:ListBucket"),
				on(ruleRepository, "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
				{[]string{"logs:CreateLogGroup", "logs:DescribeLogStreams"}, []string{processGroup, processGroup + ":*"}},
				on(processGroup+":*", "logs:CreateLogStream", "logs:PutLogEvents"),
			}},
		// AWS sagemaker-roles: no condition and no resource filter.
		{path: "VpcConfig",
			area: areaVPC, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).vpc,
			statements: []statement{on("*", "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
				"ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission", "ec2:DescribeNetworkInterfaces",
				"ec2:DescribeVpcs", "ec2:DescribeDhcpOptions", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups")}},
		// AWS sagemaker-roles. Not in the job: known only of buckets whose default key was read.
		{path: "<SSE-KMS on input bucket>",
			area: areaKMS, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).encryptedInputs,
			statements: []statement{on(inputKey, "kms:Decrypt")}},
		// AWS sagemaker-roles (Encrypt); AWS S3 UsingKMSEncryption, mpuoverview
		// (GenerateDataKey, and Decrypt of a multipart upload).
		{path: "OutputDataConfig.KmsKeyId",
			area: areaKMS, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).outputKey,
			statements: []statement{on("{keyArn}", "kms:Encrypt", "kms:GenerateDataKey", "kms:Decrypt")}},
		// AWS sagemaker-roles; AWS api-permissions-reference: unless the caller holds it.
		{path: "ResourceConfig.VolumeKmsKeyId",
			area: areaKMS, confidence: confidenceDoc, ifMissing: "fails", topics: (*asking).volumeKey,
			statements: []statement{on("{keyArn}", "kms:CreateGrant")}},
		// AWS train-remote-debugging.
		{path: "RemoteDebugConfig.EnableRemoteDebug",
			area: areaRemoteDebug, confidence: confidenceDoc, ifMissing: "degrades", topics: (*asking).remoteDebug,
			statements: []statement{on("*", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel")}},
		// SageMaker API, ModelPackageConfig; a package of a group is model-package/GROUP/VERSION
		// (SageMaker API, ModelPackageSummary).
		{path: "ModelPackageConfig",
			area: areaModelRegistry, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).modelPackage,
			statements: []statement{
				{[]string{"sagemaker:CreateModelPackage"}, []string{"{ModelPackageGroupArn}", "{packages}"}},
				on("{ModelPackageGroupArn}", "sagemaker:DescribeModelPackageGroup")}},
		// SageMaker API, MlflowConfig. Which of its calls a job makes is documented nowhere.
		{path: "MlflowConfig",
			area: areaMlflow, confidence: confidenceInferred, ifMissing: "unknown", optional: true, topics: (*asking).mlflow,
			statements: []statement{on("{MlflowResourceArn}", allMlflow)}},
		// AWS mkt-algo-model-internet-free: see asking.values.
		{path: "EnableNetworkIsolation", when: "true",
			area: "none", confidence: confidenceDoc, ifMissing: "unknown", topics: (*asking).isolation},
		{path: "EnableManagedSpotTraining|ExperimentConfig|StoppingCondition|RetryStrategy",
			area: "none", confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).spot},
	}
}

// moreRules are of fields that the customer's file has no row for.
func moreRules() []needRule {
	return []needRule{
		// aws/sagemaker-python-sdk#5765; AWS codeartifact auth-and-access-control-iam-identity-based-access-control
		// (sts:GetServiceBearerToken beside GetAuthorizationToken).
		{path: "Environment.CA_REPOSITORY_ARN", when: "the value is the ARN of a CodeArtifact repository",
			area: areaPackages, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).codeArtifact,
			statements: []statement{
				on("{domain}", "codeartifact:GetAuthorizationToken"),
				on("{value}", "codeartifact:GetRepositoryEndpoint", "codeartifact:ReadFromRepository"),
				on("*", "sts:GetServiceBearerToken")}},
		// SageMaker API, DatasetSource: a data set is content of a hub.
		{path: "InputDataConfig[].DataSource.DatasetSource",
			area: areaS3Read, confidence: confidenceInferred, ifMissing: "unknown", topics: (*asking).dataSets,
			statements: []statement{{[]string{"sagemaker:DescribeHubContent"}, []string{"{value}", "{hub}"}}}},
	}
}

// areaOf is the area that an action of the rule belongs to: what only reads is no
// writing, even where the field is an output.
func (r *needRule) areaOf(action string) string {
	if r.area == areaS3Write && action != "s3:PutObject" {
		return areaS3Read
	}
	return r.area
}

// expanded gives the actions of a statement by name: those of a whole service from
// the catalogue.
func expanded(action string) []string {
	if action == allMlflow {
		return mlflowActions()
	}
	return []string{action}
}

// actionsOfService are those that act on a resource of a service.
func actionsOfService(prefix string) []string {
	catalog := actions.Load()
	var out []string
	for i := range catalog.Len() {
		if catalog.Service(i) == prefix && !catalog.Resourceless(i) {
			out = append(out, catalog.Action(i))
		}
	}
	return out
}
