package snapshot

import (
	"cmp"
	"time"
)

// Job is a training job: all that says what its role needs and whether it had
// it. Every field is optional: serverless and new kinds of jobs lack several.
// Hyperparameters and environment are kept only where a value is an S3 URI or names a
// CodeArtifact repository.
// Source: SageMaker API DescribeTrainingJob, Search (TrainingJob).
type Job struct {
	Name   string `json:"name"`
	ARN    string `json:"arn"`
	Region string `json:"region"`
	// RoleARN is the execution role, empty where AWS does not tell it.
	RoleARN string `json:"roleArn,omitempty"`

	Status          string    `json:"status"`
	SecondaryStatus string    `json:"secondaryStatus,omitempty"`
	FailureReason   string    `json:"failureReason,omitempty"`
	CreatedAt       time.Time `json:"createdAt,omitzero"`
	StartedAt       time.Time `json:"startedAt,omitzero"`
	EndedAt         time.Time `json:"endedAt,omitzero"`
	ModifiedAt      time.Time `json:"modifiedAt,omitzero"`

	Image string `json:"image,omitempty"`
	// Algorithm is AlgorithmSpecification.AlgorithmName: a name or an ARN.
	Algorithm string `json:"algorithm,omitempty"`
	// RepositoryAccess is Platform or Vpc (TrainingRepositoryAccessMode).
	RepositoryAccess       string `json:"repositoryAccess,omitempty"`
	CredentialsProviderARN string `json:"credentialsProviderArn,omitempty"`
	InputMode              string `json:"inputMode,omitempty"`
	// MetricNames are the names of the metric definitions.
	MetricNames []string `json:"metricNames,omitempty"`

	Channels []Channel `json:"channels,omitempty"`
	// Output is OutputDataConfig, Artifact is ModelArtifacts.S3ModelArtifacts:
	// of a completed job it proves the write.
	Output     S3Output `json:"output,omitzero"`
	Artifact   string   `json:"artifact,omitempty"`
	Checkpoint string   `json:"checkpoint,omitempty"`

	TensorBoard   string `json:"tensorBoard,omitempty"`
	DebugHook     string `json:"debugHook,omitempty"`
	Profiler      string `json:"profiler,omitempty"`
	DebugRules    []Rule `json:"debugRules,omitempty"`
	ProfilerRules []Rule `json:"profilerRules,omitempty"`

	VolumeKMSKey     string `json:"volumeKmsKey,omitempty"`
	VPC              VPC    `json:"vpc,omitzero"`
	NetworkIsolation bool   `json:"networkIsolation,omitempty"`
	Spot             bool   `json:"spot,omitempty"`

	// S3Values are the hyperparameters and environment variables whose value,
	// JSON-unquoted, is an S3 URI.
	S3Values []S3Value `json:"s3Values,omitempty"`

	// CodeArtifact is the environment variable CA_REPOSITORY_ARN, kept only where it is
	// the ARN of a CodeArtifact repository.
	CodeArtifact string `json:"codeArtifact,omitempty"`

	TuningJobARN      string `json:"tuningJobArn,omitempty"`
	AutoMLJobARN      string `json:"autoMLJobArn,omitempty"`
	LabelingJobARN    string `json:"labelingJobArn,omitempty"`
	ModelPackageGroup string `json:"modelPackageGroup,omitempty"`
	// SessionTags says that the job asked for session tag chaining, known from
	// its tag sagemaker:EnableSessionTagChaining.
	SessionTags bool `json:"sessionTags,omitempty"`

	// Described says that DescribeTrainingJob was read: only then are the
	// fields below, which Search lacks, more than absent.
	Described   bool   `json:"described,omitempty"`
	RemoteDebug bool   `json:"remoteDebug,omitempty"`
	Mlflow      string `json:"mlflow,omitempty"`
	Serverless  bool   `json:"serverless,omitempty"`
}

// Channel is one input channel.
type Channel struct {
	Name string `json:"name"`
	// DataType is S3DataType (S3Prefix, ManifestFile, AugmentedManifestFile,
	// Converse), empty for a file system or a data set.
	DataType  string `json:"dataType,omitempty"`
	URI       string `json:"uri,omitempty"`
	InputMode string `json:"inputMode,omitempty"`
	// Attributes are AttributeNames: the fields of an augmented manifest that are read.
	Attributes []string `json:"attributes,omitempty"`
	// FileSystem is "EFS:fs-..." or "FSxLustre:fs-...".
	FileSystem string `json:"fileSystem,omitempty"`
	HubContent string `json:"hubContent,omitempty"`
	Dataset    string `json:"dataset,omitempty"`
}

// S3Output is where a job writes its model and with which key.
type S3Output struct {
	URI    string `json:"uri,omitempty"`
	KMSKey string `json:"kmsKey,omitempty"`
}

// Rule is a debugger or profiler rule, which runs as a processing job.
type Rule struct {
	Name  string `json:"name"`
	Image string `json:"image,omitempty"`
	URI   string `json:"uri,omitempty"`
}

// VPC is VpcConfig.
type VPC struct {
	Subnets        []string `json:"subnets,omitempty"`
	SecurityGroups []string `json:"securityGroups,omitempty"`
}

// IsZero reports whether the job has no VpcConfig.
func (v VPC) IsZero() bool { return len(v.Subnets) == 0 && len(v.SecurityGroups) == 0 }

// S3Value is a hyperparameter or environment variable that holds an S3 URI.
type S3Value struct {
	// Field is HyperParameters or Environment.
	Field string `json:"field"`
	Key   string `json:"key"`
	URI   string `json:"uri"`
}

// CompareJobs orders jobs by region, creation time and name.
func CompareJobs(a, b Job) int {
	return cmp.Or(cmp.Compare(a.Region, b.Region), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Name, b.Name))
}
