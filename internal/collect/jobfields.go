package collect

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// chainingTag is the tag that asks for session tag chaining, the only sign of it
// after the job was created (AWS: model-access-training-data-abac).
const chainingTag = "sagemaker:EnableSessionTagChaining"

// jobOf keeps what the snapshot wants of a training job. Every member of the API's
// shape may be missing (AWS: API_TrainingJob).
func jobOf(j *types.TrainingJob, region string) snapshot.Job {
	str := aws.ToString
	k := snapshot.Job{
		Region: region, RoleARN: str(j.RoleArn),
		Status: string(j.TrainingJobStatus), SecondaryStatus: string(j.SecondaryStatus),
		CreatedAt: at(j.CreationTime), StartedAt: at(j.TrainingStartTime), EndedAt: at(j.TrainingEndTime), ModifiedAt: at(j.LastModifiedTime),
		NetworkIsolation: aws.ToBool(j.EnableNetworkIsolation), Spot: aws.ToBool(j.EnableManagedSpotTraining),
		TuningJobARN: str(j.TuningJobArn), AutoMLJobARN: str(j.AutoMLJobArn), LabelingJobARN: str(j.LabelingJobArn),
		FailureReason: failureText(str(j.FailureReason), j.HyperParameters, j.Environment),
	}
	k.ARN, k.Name = arnAndName(str(j.TrainingJobArn), str(j.TrainingJobName))
	if a := j.AlgorithmSpecification; a != nil {
		k.Image, k.Algorithm, k.InputMode = str(a.TrainingImage), str(a.AlgorithmName), string(a.TrainingInputMode)
		for _, m := range a.MetricDefinitions {
			k.MetricNames = append(k.MetricNames, str(m.Name))
		}
		if c := a.TrainingImageConfig; c != nil {
			k.RepositoryAccess = string(c.TrainingRepositoryAccessMode)
			if c.TrainingRepositoryAuthConfig != nil {
				k.CredentialsProviderARN = str(c.TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn)
			}
		}
	}
	for i := range j.InputDataConfig {
		k.Channels = append(k.Channels, channelOf(&j.InputDataConfig[i]))
	}
	if c := j.OutputDataConfig; c != nil {
		k.Output = snapshot.S3Output{URI: str(c.S3OutputPath), KMSKey: str(c.KmsKeyId)}
	}
	if c := j.ModelArtifacts; c != nil {
		k.Artifact = str(c.S3ModelArtifacts)
	}
	if c := j.CheckpointConfig; c != nil {
		k.Checkpoint = str(c.S3Uri)
	}
	if c := j.TensorBoardOutputConfig; c != nil {
		k.TensorBoard = str(c.S3OutputPath)
	}
	if c := j.DebugHookConfig; c != nil {
		k.DebugHook = str(c.S3OutputPath)
	}
	if c := j.ProfilerConfig; c != nil && !aws.ToBool(c.DisableProfiler) {
		k.Profiler = str(c.S3OutputPath)
	}
	for _, rule := range j.DebugRuleConfigurations {
		k.DebugRules = append(k.DebugRules, snapshot.Rule{
			Name: str(rule.RuleConfigurationName), Image: str(rule.RuleEvaluatorImage), URI: str(rule.S3OutputPath)})
	}
	if c := j.ResourceConfig; c != nil {
		k.VolumeKMSKey = str(c.VolumeKmsKeyId)
	}
	if c := j.VpcConfig; c != nil {
		k.VPC = snapshot.VPC{Subnets: slices.Sorted(slices.Values(c.Subnets)), SecurityGroups: slices.Sorted(slices.Values(c.SecurityGroupIds))}
	}
	if c := j.ModelPackageConfig; c != nil {
		k.ModelPackageGroup = str(c.ModelPackageGroupArn)
	}
	for _, tag := range j.Tags {
		if str(tag.Key) == chainingTag && strings.EqualFold(str(tag.Value), "true") {
			k.SessionTags = true
		}
	}
	k.CodeArtifact = snapshot.CodeArtifact(j.Environment)
	k.S3Values = append(snapshot.S3Values("HyperParameters", j.HyperParameters), snapshot.S3Values("Environment", j.Environment)...)
	return k
}

// describedJob keeps what DescribeTrainingJob tells of a job.
func describedJob(d *sagemaker.DescribeTrainingJobOutput, region string) snapshot.Job {
	k := jobOf(&types.TrainingJob{
		TrainingJobArn: d.TrainingJobArn, TrainingJobName: d.TrainingJobName, RoleArn: d.RoleArn,
		TrainingJobStatus: d.TrainingJobStatus, SecondaryStatus: d.SecondaryStatus, FailureReason: d.FailureReason,
		CreationTime: d.CreationTime, TrainingStartTime: d.TrainingStartTime, TrainingEndTime: d.TrainingEndTime, LastModifiedTime: d.LastModifiedTime,
		EnableNetworkIsolation: d.EnableNetworkIsolation, EnableManagedSpotTraining: d.EnableManagedSpotTraining,
		TuningJobArn: d.TuningJobArn, AutoMLJobArn: d.AutoMLJobArn, LabelingJobArn: d.LabelingJobArn,
		AlgorithmSpecification: d.AlgorithmSpecification, InputDataConfig: d.InputDataConfig, OutputDataConfig: d.OutputDataConfig,
		ModelArtifacts: d.ModelArtifacts, CheckpointConfig: d.CheckpointConfig, TensorBoardOutputConfig: d.TensorBoardOutputConfig,
		DebugHookConfig: d.DebugHookConfig, DebugRuleConfigurations: d.DebugRuleConfigurations, ProfilerConfig: d.ProfilerConfig,
		ResourceConfig: d.ResourceConfig, VpcConfig: d.VpcConfig, ModelPackageConfig: d.ModelPackageConfig,
		HyperParameters: d.HyperParameters, Environment: d.Environment,
	}, region)
	addDescribed(&k, d)
	return k
}

// addDescribed adds what only DescribeTrainingJob tells.
func addDescribed(k *snapshot.Job, d *sagemaker.DescribeTrainingJobOutput) {
	k.Described = true
	k.RemoteDebug = d.RemoteDebugConfig != nil && aws.ToBool(d.RemoteDebugConfig.EnableRemoteDebug)
	k.Serverless = d.ServerlessJobConfig != nil
	if d.MlflowConfig != nil {
		k.Mlflow = aws.ToString(d.MlflowConfig.MlflowResourceArn)
	}
	k.ProfilerRules = nil
	for _, rule := range d.ProfilerRuleConfigurations {
		k.ProfilerRules = append(k.ProfilerRules, snapshot.Rule{
			Name: aws.ToString(rule.RuleConfigurationName), Image: aws.ToString(rule.RuleEvaluatorImage), URI: aws.ToString(rule.S3OutputPath)})
	}
}

// listedJob keeps what ListTrainingJobs tells: all there is where a job cannot be
// described.
func listedJob(s *types.TrainingJobSummary, region string) snapshot.Job {
	k := snapshot.Job{
		Region: region, Status: string(s.TrainingJobStatus), SecondaryStatus: string(s.SecondaryStatus),
		CreatedAt: at(s.CreationTime), EndedAt: at(s.TrainingEndTime), ModifiedAt: at(s.LastModifiedTime),
	}
	k.ARN, k.Name = arnAndName(aws.ToString(s.TrainingJobArn), aws.ToString(s.TrainingJobName))
	return k
}

func channelOf(c *types.Channel) snapshot.Channel {
	str := aws.ToString
	k := snapshot.Channel{Name: str(c.ChannelName), InputMode: string(c.InputMode)}
	if c.DataSource == nil {
		return k
	}
	if s := c.DataSource.S3DataSource; s != nil {
		k.DataType, k.URI, k.Attributes = string(s.S3DataType), str(s.S3Uri), s.AttributeNames
		if s.HubAccessConfig != nil {
			k.HubContent = str(s.HubAccessConfig.HubContentArn)
		}
	}
	if f := c.DataSource.FileSystemDataSource; f != nil {
		k.FileSystem = string(f.FileSystemType) + ":" + str(f.FileSystemId)
	}
	if d := c.DataSource.DatasetSource; d != nil {
		k.Dataset = str(d.DatasetArn)
	}
	return k
}

// Values that a failure text needs to be understood and that are no secret.
var plainValue = regexp.MustCompile(`^(?:[a-z]{2}(?:-[a-z]+)+-\d|arn:\S+|s3://\S+|[\d.eE+-]+)$`)

// commandLine is where the SageMaker training toolkit quotes the command that
// failed, with all hyperparameters on it.
var commandLine = regexp.MustCompile(`(?s)(\bCommand ")(?:[^"\\]|\\.)*("|$)`)

// failureText is a failure reason without the values of hyperparameters and of the
// environment, which a container may well repeat in it and which are not ours to
// keep. ARNs and S3 URIs stay whole: they say what was denied.
func failureText(text string, values ...map[string]string) string {
	if text == "" {
		return ""
	}
	text = commandLine.ReplaceAllString(text, "$1[not kept]$2")
	const shortest = 6
	var secrets []string
	for _, m := range values {
		for _, v := range m {
			if v = snapshot.Unquoted(v); len(v) >= shortest && !plainValue.MatchString(v) {
				secrets = append(secrets, v)
			}
		}
	}
	if len(secrets) == 0 {
		return text
	}
	// The longest first, so that a value within another leaves nothing of it.
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "[not kept]")
	}
	replacer := strings.NewReplacer(pairs...)
	var out strings.Builder
	last := 0
	for _, span := range wholeNames.FindAllStringIndex(text, -1) {
		out.WriteString(replacer.Replace(text[last:span[0]]))
		out.WriteString(text[span[0]:span[1]])
		last = span[1]
	}
	out.WriteString(replacer.Replace(text[last:]))
	return out.String()
}

var wholeNames = regexp.MustCompile(`\b(?:arn:aws|s3://)[^\s"']*`)

// arnAndName lets a job's name share the memory of its ARN, which ends in it.
func arnAndName(arn, name string) (string, string) {
	if name != "" && strings.HasSuffix(arn, name) {
		name = arn[len(arn)-len(name):]
	}
	return arn, name
}

func at(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
