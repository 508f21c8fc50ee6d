package awssim

import (
	"cmp"
	"strconv"
	"time"
)

// TrainingJob is a SageMaker training job. Its fields carry the API's names and are written to the wire as they
// are; what is empty is left out (AWS: API_TrainingJob, API_DescribeTrainingJob).
type TrainingJob struct {
	Region          string `json:"-"`
	TrainingJobName string

	CreationTime      time.Time `json:"-"`
	TrainingStartTime time.Time `json:"-"`
	TrainingEndTime   time.Time `json:"-"`
	LastModifiedTime  time.Time `json:"-"` // zero: the latest of the other times

	TrainingJobStatus          string             `json:",omitempty"`
	SecondaryStatus            string             `json:",omitempty"`
	FailureReason              string             `json:",omitempty"`
	RoleArn                    string             `json:",omitempty"`
	TuningJobArn               string             `json:",omitempty"`
	TrainingTimeInSeconds      int                `json:",omitempty"`
	BillableTimeInSeconds      int                `json:",omitempty"`
	SecondaryStatusTransitions []StatusTransition `json:"-"`

	AlgorithmSpecification  *AlgorithmSpecification  `json:",omitempty"`
	HyperParameters         map[string]string        `json:",omitempty"`
	Environment             map[string]string        `json:",omitempty"`
	InputDataConfig         []Channel                `json:",omitempty"`
	OutputDataConfig        *OutputDataConfig        `json:",omitempty"`
	ModelArtifacts          *ModelArtifacts          `json:",omitempty"`
	ResourceConfig          *ResourceConfig          `json:",omitempty"`
	StoppingCondition       *StoppingCondition       `json:",omitempty"`
	VpcConfig               *VpcConfig               `json:",omitempty"`
	CheckpointConfig        *CheckpointConfig        `json:",omitempty"`
	DebugHookConfig         *DebugHookConfig         `json:",omitempty"`
	DebugRuleConfigurations []RuleConfiguration      `json:",omitempty"`
	ProfilerConfig          *ProfilerConfig          `json:",omitempty"`
	TensorBoardOutputConfig *TensorBoardOutputConfig `json:",omitempty"`
	ModelPackageConfig      *ModelPackageConfig      `json:",omitempty"`
	ExperimentConfig        *ExperimentConfig        `json:",omitempty"`

	EnableNetworkIsolation                bool
	EnableInterContainerTrafficEncryption bool
	EnableManagedSpotTraining             bool

	Tags          []Tag         `json:"-"` // Search answers them, DescribeTrainingJob does not
	DescribedOnly DescribedOnly `json:"-"`
}

// DescribedOnly holds what DescribeTrainingJob answers and Search lacks (of the ten such fields, those that say
// something about permissions).
type DescribedOnly struct {
	RemoteDebugConfig          *RemoteDebugConfig   `json:",omitempty"`
	ProfilerRuleConfigurations []RuleConfiguration  `json:",omitempty"`
	ProfilingStatus            string               `json:",omitempty"`
	MlflowConfig               *MlflowConfig        `json:",omitempty"`
	ServerlessJobConfig        *ServerlessJobConfig `json:",omitempty"`
}

// The shapes inside a TrainingJob, named as in the API.
type (
	StatusTransition struct {
		Status        string
		StartTime     time.Time
		EndTime       time.Time
		StatusMessage string
	}
	AlgorithmSpecification struct {
		TrainingImage                    string               `json:",omitempty"`
		AlgorithmName                    string               `json:",omitempty"`
		TrainingInputMode                string               `json:",omitempty"`
		MetricDefinitions                []MetricDefinition   `json:",omitempty"`
		ContainerEntrypoint              []string             `json:",omitempty"`
		TrainingImageConfig              *TrainingImageConfig `json:",omitempty"`
		EnableSageMakerMetricsTimeSeries bool
	}
	MetricDefinition    struct{ Name, Regex string }
	TrainingImageConfig struct {
		TrainingRepositoryAccessMode string
		TrainingRepositoryAuthConfig *TrainingRepositoryAuthConfig `json:",omitempty"`
	}
	TrainingRepositoryAuthConfig struct{ TrainingRepositoryCredentialsProviderArn string }

	Channel struct {
		ChannelName       string
		DataSource        DataSource
		InputMode         string `json:",omitempty"`
		ContentType       string `json:",omitempty"`
		CompressionType   string `json:",omitempty"`
		RecordWrapperType string `json:",omitempty"`
	}
	DataSource struct {
		S3DataSource         *S3DataSource         `json:",omitempty"`
		FileSystemDataSource *FileSystemDataSource `json:",omitempty"`
		DatasetSource        *DatasetSource        `json:",omitempty"`
	}
	DatasetSource   struct{ DatasetArn string }
	HubAccessConfig struct{ HubContentArn string }
	S3DataSource    struct {
		S3DataType             string
		S3Uri                  string
		S3DataDistributionType string           `json:",omitempty"`
		AttributeNames         []string         `json:",omitempty"`
		HubAccessConfig        *HubAccessConfig `json:",omitempty"`
	}
	FileSystemDataSource struct {
		FileSystemId, FileSystemType, FileSystemAccessMode, DirectoryPath string
	}

	OutputDataConfig struct {
		S3OutputPath string
		KmsKeyId     string `json:",omitempty"`
	}
	ModelArtifacts struct{ S3ModelArtifacts string }
	ResourceConfig struct {
		InstanceType   string
		InstanceCount  int
		VolumeSizeInGB int
		VolumeKmsKeyId string `json:",omitempty"`
	}
	StoppingCondition struct {
		MaxRuntimeInSeconds  int
		MaxWaitTimeInSeconds int `json:",omitempty"`
	}
	VpcConfig        struct{ SecurityGroupIds, Subnets []string }
	CheckpointConfig struct {
		S3Uri     string
		LocalPath string `json:",omitempty"`
	}
	DebugHookConfig   struct{ S3OutputPath string }
	RuleConfiguration struct {
		RuleConfigurationName string
		RuleEvaluatorImage    string
		S3OutputPath          string            `json:",omitempty"`
		RuleParameters        map[string]string `json:",omitempty"`
	}
	ProfilerConfig struct {
		S3OutputPath    string `json:",omitempty"`
		DisableProfiler bool
	}
	TensorBoardOutputConfig struct {
		S3OutputPath string
		LocalPath    string `json:",omitempty"`
	}
	ModelPackageConfig  struct{ ModelPackageGroupArn string }
	ExperimentConfig    struct{ ExperimentName, TrialName, TrialComponentDisplayName string }
	RemoteDebugConfig   struct{ EnableRemoteDebug bool }
	MlflowConfig        struct{ MlflowResourceArn, MlflowExperimentName, MlflowRunName string }
	ServerlessJobConfig struct{ BaseModelArn, JobType string }
)

func (j *TrainingJob) lastModified() time.Time {
	latest := j.CreationTime
	for _, t := range []time.Time{j.TrainingStartTime, j.TrainingEndTime} {
		if t.After(latest) {
			latest = t
		}
	}
	return cmp.Or(j.LastModifiedTime, latest)
}

// epoch is a time as JSON 1.1 services write it: seconds since 1970, with milliseconds.
type epoch time.Time

func (e epoch) IsZero() bool { return time.Time(e).IsZero() }

func (e epoch) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(e).UnixMilli())/1000, 'f', -1, 64), nil
}

func (e *epoch) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		return nil
	}
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return err
	}
	*e = epoch(time.UnixMilli(int64(seconds * 1000)).UTC())
	return nil
}

// jobTimes are the parts of a TrainingJob that the wire spells differently.
type jobTimes struct {
	TrainingJobArn             string
	CreationTime               epoch            `json:",omitzero"`
	TrainingStartTime          epoch            `json:",omitzero"`
	TrainingEndTime            epoch            `json:",omitzero"`
	LastModifiedTime           epoch            `json:",omitzero"`
	SecondaryStatusTransitions []wireTransition `json:",omitempty"`
}

type wireTransition struct {
	Status        string
	StartTime     epoch  `json:",omitzero"`
	EndTime       epoch  `json:",omitzero"`
	StatusMessage string `json:",omitempty"`
}

func (a *Account) jobTimes(j *TrainingJob) jobTimes {
	t := jobTimes{
		TrainingJobArn:    a.JobARN(j),
		CreationTime:      epoch(j.CreationTime),
		TrainingStartTime: epoch(j.TrainingStartTime),
		TrainingEndTime:   epoch(j.TrainingEndTime),
		LastModifiedTime:  epoch(j.lastModified()),
	}
	for _, s := range j.SecondaryStatusTransitions {
		t.SecondaryStatusTransitions = append(t.SecondaryStatusTransitions,
			wireTransition{s.Status, epoch(s.StartTime), epoch(s.EndTime), s.StatusMessage})
	}
	return t
}

// The three views of a job: whole, as Search knows it, and a line of ListTrainingJobs.
type (
	describedJob struct {
		*TrainingJob
		DescribedOnly
		jobTimes
	}
	searchedJob struct {
		*TrainingJob
		jobTimes
		Tags []Tag `json:",omitempty"`
	}
	jobSummary struct {
		TrainingJobName   string
		TrainingJobArn    string
		CreationTime      epoch
		TrainingEndTime   epoch `json:",omitzero"`
		LastModifiedTime  epoch
		TrainingJobStatus string `json:",omitempty"`
		SecondaryStatus   string `json:",omitempty"`
	}
)
