package awssim

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// family is a kind of training job that a team runs again and again.
type family struct {
	name   string // of the jobs, before date and time
	role   string
	region string
	image  string
	bucket string // the S3 prefix the jobs live in, without s3:// and without a slash at the end
	by     string // the role whose session submits the jobs
	count  int
	newest time.Duration // age of the newest job
	every  time.Duration
	// key is the KMS key that the objects of bucket are encrypted with, or empty.
	key string
	// untrusted: SageMaker cannot assume the role, so that there is no session and no call of the role.
	untrusted bool
	// user is the person whom IAM Identity Center says the jobs run for, or nil.
	user *OnBehalfOf
	// code gives the calls of the team's own script in a completed job; call makes one, so long after its beginning.
	code func(call func(after time.Duration, api string, parameters map[string]any) Record) []Record
	// shape changes the usual job; i counts from the newest, 0.
	shape func(j *TrainingJob, i int)
}

const (
	day  = 24 * time.Hour
	week = 7 * day

	rankingKey = "arn:aws:kms:us-east-1:" + sampleID + ":key/5d1f0c52-8a3e-4f0e-9d0b-6f6f1d2a7c11"
	visionKey  = "arn:aws:kms:eu-west-1:" + sampleID + ":key/9b7c3d10-2f64-4c3a-8a55-0c1de2f3a4b5"
)

func jobFamilies() []family {
	const east, west = "us-east-1", "eu-west-1"
	return []family{
		{name: "ads-ctr", role: "ml-shared-admin", region: east, image: ownImage(east, "ads-ctr:2026.10"), bucket: "retail-ml-ads/ctr",
			by: "ml-engineer", count: 12, newest: 9 * time.Hour, every: 26 * day, shape: adsJob},
		{name: "support-intent", role: "ml-shared-admin", region: west, image: deepLearningImage(west), bucket: "retail-ml-support-eu/intent",
			by: "ml-engineer", count: 8, newest: 2 * day, every: 31 * day, shape: scriptMode("retail-ml-support-eu/code")},
		{name: "price-elasticity", role: "ml-shared-admin", region: east, image: ownImage(east, "analytics/elasticity@sha256:"+strings.Repeat("4f", 32)),
			bucket: "retail-analytics/elasticity", by: "ml-engineer", count: 6, newest: 12 * day, every: 75 * day, shape: elasticityJob},

		{name: "pricing-gbm", role: "pricing-training", region: east, image: ownImage(east, "pricing-train:v14"), bucket: "retail-ml-pricing/gbm",
			by: "ml-engineer", count: 14, newest: 30 * time.Hour, every: 2 * week, shape: pricingJob},

		{name: "churn-xgb", role: "churn-training", region: east, image: ownImage(east, "churn-train:3"), bucket: "retail-ml-churn",
			by: "ml-engineer", count: 18, newest: 5 * time.Hour, every: 3 * week, shape: churnJob},

		{name: "fraud-scoring", role: "fraud-training-legacy", region: east, image: ownImage(east, "fraud-train:1"), bucket: "retail-ml-fraud/scoring",
			by: "ml-engineer", count: 4, newest: 6 * day, every: 19 * day, untrusted: true, shape: fraudJob},

		{name: "forecast-daily", role: "forecast-training", region: east, image: ownImage(east, "forecast-train:7"), bucket: "retail-ml-forecast/daily",
			by: "ml-engineer", count: 14, newest: 20 * time.Hour, every: 9 * day, shape: forecastJob},
		{name: "forecast-hpo-261002-0610", role: "forecast-training", region: east, image: ownImage(east, "forecast-train:7"), bucket: "retail-ml-forecast/hpo",
			count: 5, newest: 29 * day, every: 40 * time.Minute, shape: tuningChild},

		{name: "vision-shelf", role: "vision-training", region: west, image: ownImage(west, "vision-train:cuda12"), bucket: "retail-ml-vision-eu/shelf",
			by: "ml-engineer", count: 8, newest: 90 * time.Minute, every: 17 * day, key: visionKey, shape: visionJob},
		{name: "vision-returns", role: "vision-training", region: east, image: deepLearningImage(east), bucket: "retail-ml-vision/returns",
			by: "ml-engineer", count: 4, newest: 21 * day, every: 45 * day, shape: isolatedJob},

		{name: "search-ranking", role: "search-ranking-training", region: east, image: ownImage(east, "search-ranking-train:9"), bucket: "retail-ml-search-ranking/lambdamart",
			by: "ml-engineer", count: 12, newest: 3 * day, every: 16 * day, key: rankingKey, shape: rankingJob},

		{name: "pytorch-training", role: sagemakerRole, region: east, image: deepLearningImage(east), bucket: "sagemaker-us-east-1-" + sampleID + "/basket",
			by: sagemakerRole, count: 10, newest: 4 * day, every: 11 * day, shape: scriptMode("sagemaker-us-east-1-" + sampleID)},

		{name: "recsys-als", role: "recsys-training-v1", region: east, image: ownImage(east, "recsys-train:1"), bucket: "retail-ml-recsys/als",
			by: "ml-engineer", count: 8, newest: 52 * day, every: 13 * day},

		{name: "segmentation-kmeans", role: "segmentation-training", region: east, image: ownImage(east, "segmentation-train:2"), bucket: "retail-ml-segmentation/kmeans",
			by: "ml-engineer", count: 4, newest: 3 * day, every: 9 * day},
		{name: "segmentation-kmeans", role: "segmentation-training" + former, region: east, image: ownImage(east, "segmentation-train:1"), bucket: "retail-ml-segmentation/kmeans",
			by: "ml-engineer", count: 6, newest: 48 * day, every: 12 * day},

		{name: "speech-ctc", role: "speech-training", region: west, image: ownImage(west, "speech-train:5"), bucket: "retail-ml-speech-eu/corpus",
			by: "ml-engineer", count: 5, newest: 16 * day, every: 18 * day, shape: speechJob},
		{name: "speech-ctc-v2", role: "speech-training", region: west, image: ownImage(east, "speech-train-v2:1"), bucket: "retail-ml-speech-eu/corpus",
			by: "ml-engineer", count: 3, newest: 2 * day, every: 3 * day, shape: speechPullDenied},

		{name: "label-quality", role: "labeling-shared", region: west, image: ownImage(west, "labeling-train:1"), bucket: "retail-ml-labeling/quality",
			by: "ml-engineer", count: 5, newest: 7 * day, every: 30 * day, shape: labelingJob},

		{name: "platform-canary", role: "iam-automation-training", region: east, image: ownImage(east, "platform-train:12"), bucket: "retail-ml-platform/canary",
			by: "ml-engineer", count: 4, newest: 26 * time.Hour, every: 28 * day},
	}
}

// addJobs makes the jobs of a family, the oldest first, and what CloudTrail recorded of them.
func (s *sample) addJobs(f family) {
	for i := f.count - 1; i >= 0; i-- {
		j := s.job(&f, i)
		s.account.Jobs = append(s.account.Jobs, j)
		s.addJobEvents(&f, &j)
	}
}

// job makes the ith newest job of a family: a File mode job on one S3 prefix that completed, then shaped.
func (s *sample) job(f *family, i int) TrainingJob {
	jitter := time.Duration(spread(55, f.name, f.role, i))*time.Minute + time.Duration(spread(1000, i, f.name))*time.Millisecond
	created := sampleNow.Add(-f.newest - time.Duration(i)*f.every - jitter)
	length := time.Duration(18+spread(70, "length", f.name, i)) * time.Minute
	name := fmt.Sprintf("%s-%s-%03d", f.name, created.Format("2006-01-02-15-04-05"), created.UnixMilli()%1000)
	base := "s3://" + f.bucket
	j := TrainingJob{
		Region:            f.region,
		TrainingJobName:   name,
		CreationTime:      created,
		TrainingStartTime: created.Add(3 * time.Minute),
		TrainingEndTime:   created.Add(length),
		TrainingJobStatus: "Completed",
		RoleArn:           s.account.RoleARN(s.roles[f.role]),
		AlgorithmSpecification: &AlgorithmSpecification{
			TrainingImage:     f.image,
			TrainingInputMode: "File",
			MetricDefinitions: []MetricDefinition{{"validation:loss", `loss=([0-9\.]+)`}},
		},
		HyperParameters:   map[string]string{"epochs": strconv.Itoa(5 + i%4), "learning_rate": "0.01"},
		InputDataConfig:   []Channel{prefixChannel("train", base+"/train/")},
		OutputDataConfig:  &OutputDataConfig{S3OutputPath: base + "/models"},
		ResourceConfig:    &ResourceConfig{InstanceType: "ml.m5.2xlarge", InstanceCount: 1, VolumeSizeInGB: 50},
		StoppingCondition: &StoppingCondition{MaxRuntimeInSeconds: 86400},
		Tags:              []Tag{{"cost-center", "ml-" + strconv.Itoa(100+spread(9, f.name))}},
	}
	if f.shape != nil {
		f.shape(&j, i)
	}
	finish(&j)
	return j
}

// finish sets what follows from a job's status: times, transitions, artifact.
func finish(j *TrainingJob) {
	if j.TrainingJobStatus == "InProgress" {
		j.TrainingEndTime = time.Time{}
		j.SecondaryStatus = "Training"
		j.SecondaryStatusTransitions = []StatusTransition{
			{"Starting", j.CreationTime, j.TrainingStartTime, "Preparing the instances for training"},
			{"Training", j.TrainingStartTime, time.Time{}, "Training image download completed. Training in progress."},
		}
		return
	}
	j.SecondaryStatus = cmp.Or(j.SecondaryStatus, j.TrainingJobStatus)
	seconds := int(j.TrainingEndTime.Sub(j.TrainingStartTime).Seconds())
	j.TrainingTimeInSeconds, j.BillableTimeInSeconds = seconds, seconds
	j.SecondaryStatusTransitions = []StatusTransition{
		{"Starting", j.CreationTime, j.TrainingStartTime, "Preparing the instances for training"},
		{j.TrainingJobStatus, j.TrainingEndTime, j.TrainingEndTime, j.FailureReason},
	}
	if j.TrainingJobStatus != "Failed" {
		j.ModelArtifacts = &ModelArtifacts{strings.TrimSuffix(j.OutputDataConfig.S3OutputPath, "/") + "/" + j.TrainingJobName + "/output/model.tar.gz"}
	}
}

func prefixChannel(name, uri string) Channel {
	return Channel{ChannelName: name, InputMode: "File", CompressionType: "None", RecordWrapperType: "None",
		DataSource: DataSource{S3DataSource: &S3DataSource{S3DataType: "S3Prefix", S3Uri: uri, S3DataDistributionType: "FullyReplicated"}}}
}

func dated(t time.Time) string { return "dt=" + t.Format(time.DateOnly) }

func fail(j *TrainingJob, reason string) {
	j.TrainingJobStatus, j.FailureReason = "Failed", reason
	j.TrainingStartTime = j.CreationTime.Add(90 * time.Second)
	j.TrainingEndTime = j.CreationTime.Add(5 * time.Minute)
}

func adsJob(j *TrainingJob, i int) {
	j.InputDataConfig = []Channel{
		prefixChannel("train", "s3://retail-ml-ads/ctr/clicks/"+dated(j.CreationTime)+"/"),
		prefixChannel("validation", "s3://retail-ml-ads/ctr/holdout/"),
	}
	j.HyperParameters["api_key"] = `"` + SampleSecret + `"`
	j.Environment = map[string]string{"TRACKING_TOKEN": SampleSecret + "-TOKEN", "FEATURES": "s3://retail-ml-ads/ctr/schema/v3.json"}
	switch i {
	case 4:
		j.TrainingJobStatus = "Stopped"
	case 7:
		fail(j, "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\n\x1b[31mTraceback\x1b[0m | <script>alert('x')</script>, exit code: 1")
	}
}

// scriptMode jobs bring their code as an archive in a bucket, named in JSON-quoted hyperparameters.
func scriptMode(codeBucket string) func(*TrainingJob, int) {
	return func(j *TrainingJob, i int) {
		base := strings.TrimSuffix(j.OutputDataConfig.S3OutputPath, "/models")
		j.InputDataConfig = []Channel{prefixChannel("training", base+"/data/"+dated(j.CreationTime))}
		j.OutputDataConfig.S3OutputPath = base + "/output/"
		j.HyperParameters = map[string]string{
			"epochs":                     "4",
			"sagemaker_program":          `"train.py"`,
			"sagemaker_region":           `"` + j.Region + `"`,
			"sagemaker_job_name":         `"` + j.TrainingJobName + `"`,
			"sagemaker_submit_directory": `"s3://` + codeBucket + "/" + j.TrainingJobName + `/source/sourcedir.tar.gz"`,
			"api_key":                    `"` + SampleSecret + `"`,
		}
		j.ResourceConfig.InstanceType = "ml.g5.2xlarge"
		j.DebugHookConfig = &DebugHookConfig{base + "/output/"}
		if i == 3 {
			j.TrainingJobStatus = "Stopped"
		}
	}
}

func elasticityJob(j *TrainingJob, i int) {
	if i == 2 {
		j.InputDataConfig = []Channel{prefixChannel("train", "https://s3.us-east-1.amazonaws.com/retail-analytics/elasticity/train/")}
	}
}

func pricingJob(j *TrainingJob, i int) {
	j.InputDataConfig = []Channel{
		prefixChannel("train", "s3://retail-ml-pricing/gbm/train/"+dated(j.CreationTime)+"/"),
		prefixChannel("competitors", "s3://retail-ml-market-data/prices/"),
	}
	j.OutputDataConfig.S3OutputPath = "s3://retail-ml-pricing/models/"
	if i == 5 {
		fail(j, "ClientError: Data download failed:Failed to download data. S3 key: s3://retail-ml-pricing/gbm/train//part-0 has an illegal char sub-sequence '//' in it")
	}
}

func churnJob(j *TrainingJob, _ int) {
	j.InputDataConfig = []Channel{prefixChannel("train", "s3://retail-ml-churn/features/"+dated(j.CreationTime)+"/")}
	j.OutputDataConfig.S3OutputPath = "s3://retail-ml-churn/models/"
}

func fraudJob(j *TrainingJob, i int) {
	if i%2 == 0 {
		fail(j, "ClientError: SageMaker was unable to assume the role '"+j.RoleArn+"'")
	} else {
		fail(j, "ClientError: TrainingHostAgent Initialization failed:InvalidInputException: SageMaker is unable to perform: sts:AssumeRole on the role. Check if you have a trust relationship for 'sagemaker.amazonaws.com' to assume the role.")
	}
}

func forecastJob(j *TrainingJob, i int) {
	j.InputDataConfig = []Channel{prefixChannel("train", "s3://retail-ml-forecast/daily/history/")}
	j.CheckpointConfig = &CheckpointConfig{S3Uri: "s3://retail-ml-forecast/daily/checkpoints/" + j.TrainingJobName}
	j.EnableManagedSpotTraining = true
	j.StoppingCondition.MaxWaitTimeInSeconds = 172800
	if i == 0 {
		j.ProfilerConfig = &ProfilerConfig{S3OutputPath: "s3://retail-ml-forecast/daily/profiler/"}
		j.DescribedOnly.ProfilerRuleConfigurations = []RuleConfiguration{{
			RuleConfigurationName: "ProfilerReport",
			RuleEvaluatorImage:    "503895931360.dkr.ecr.us-east-1.amazonaws.com/sagemaker-debugger-rules:latest",
			RuleParameters:        map[string]string{"rule_to_invoke": "ProfilerReport"},
		}}
		j.DescribedOnly.ProfilingStatus = "Enabled"
	}
	if i == 6 {
		j.TrainingJobStatus = "Stopped"
		j.SecondaryStatus = "MaxRuntimeExceeded"
	}
}

// tuningChild is a job that SageMaker's tuner created: its name is numbered, no person submitted it.
func tuningChild(j *TrainingJob, i int) {
	j.TrainingJobName = fmt.Sprintf("forecast-hpo-261002-0610-%03d-%08x", 5-i, spread(1<<31-1, "hpo", i))
	j.TuningJobArn = "arn:aws:sagemaker:us-east-1:" + sampleID + ":hyper-parameter-tuning-job/forecast-hpo-261002-0610"
	j.InputDataConfig = []Channel{prefixChannel("train", "s3://retail-ml-forecast/daily/history/")}
	j.OutputDataConfig.S3OutputPath = "s3://retail-ml-forecast/hpo/"
}

func visionJob(j *TrainingJob, i int) {
	base := "s3://retail-ml-vision-eu/shelf/"
	j.InputDataConfig = []Channel{
		prefixChannel("train", base+"images/"),
		{ChannelName: "pretrained", InputMode: "File", DataSource: DataSource{FileSystemDataSource: &FileSystemDataSource{
			FileSystemId: "fs-0a1b2c3d4e5f60718", FileSystemType: "EFS", FileSystemAccessMode: "ro", DirectoryPath: "/weights"}}},
	}
	j.VpcConfig = &VpcConfig{[]string{"sg-0f1e2d3c4b5a69788"}, []string{"subnet-0aa11bb22cc33dd44", "subnet-0ee55ff66aa77bb88"}}
	j.CheckpointConfig = &CheckpointConfig{S3Uri: base + "checkpoints/"}
	j.OutputDataConfig.KmsKeyId = "alias/retail-ml-vision"
	j.ResourceConfig = &ResourceConfig{InstanceType: "ml.p4d.24xlarge", InstanceCount: 2, VolumeSizeInGB: 500, VolumeKmsKeyId: visionKey}
	j.EnableInterContainerTrafficEncryption = true
	j.EnableManagedSpotTraining = true
	switch i {
	case 0:
		j.TrainingJobStatus = "InProgress"
		j.DescribedOnly.RemoteDebugConfig = &RemoteDebugConfig{EnableRemoteDebug: true}
	case 1:
		j.TensorBoardOutputConfig = &TensorBoardOutputConfig{S3OutputPath: base + "tensorboard/"}
	}
}

func isolatedJob(j *TrainingJob, _ int) {
	j.EnableNetworkIsolation = true
	j.ResourceConfig.InstanceType = "ml.g5.4xlarge"
}

func rankingJob(j *TrainingJob, i int) {
	base := "s3://retail-ml-search-ranking/lambdamart/"
	j.InputDataConfig = []Channel{
		prefixChannel("train", base+"queries/"+dated(j.CreationTime)+"/"),
		{ChannelName: "judgements", InputMode: "File", DataSource: DataSource{S3DataSource: &S3DataSource{
			S3DataType: "ManifestFile", S3Uri: base + "manifests/judgements-v8.manifest", S3DataDistributionType: "ShardedByS3Key"}}},
	}
	j.OutputDataConfig.KmsKeyId = rankingKey
	if i == 1 {
		j.TrainingJobStatus = "Stopped"
	}
}

func speechJob(j *TrainingJob, _ int) {
	j.InputDataConfig = []Channel{prefixChannel("train", "s3://retail-ml-speech-eu/corpus/v4/")}
	j.OutputDataConfig.S3OutputPath = "s3://retail-ml-speech-eu/models/"
}

func speechPullDenied(j *TrainingJob, i int) {
	speechJob(j, i)
	fail(j, "ClientError: Cannot pull algorithm container. Either the image does not exist or its permissions are incorrect.")
	if i == 0 {
		fail(j, "ClientError: Data download failed:Unable to download object s3://retail-ml-speech-eu/noise/0001.wav (AccessDenied: Access Denied)")
		j.AlgorithmSpecification.TrainingImage = ownImage(j.Region, "speech-train:5")
		j.InputDataConfig = append(j.InputDataConfig, prefixChannel("noise", "s3://retail-ml-speech-eu/noise/"))
	}
}

func labelingJob(j *TrainingJob, i int) {
	if i == 1 {
		fail(j, "AlgorithmError: label \x1b]0;owned\x07 | row\r\n<img src=x onerror=alert(1)> not found, exit code: 2")
	}
}
