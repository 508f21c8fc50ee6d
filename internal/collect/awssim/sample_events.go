package awssim

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"
)

const (
	serviceName = "sagemaker.amazonaws.com"
	awsInternal = "AWS Internal"
	accountRoot = "arn:aws:iam::" + sampleID + ":root"
)

// add puts a record into the account, with the parts that every record has.
func (s *sample) add(r Record) {
	s.events++
	r.EventTime = r.EventTime.UTC().Truncate(time.Second)
	if r.EventID == "" {
		r.EventID = uuid(fmt.Sprint("sample event", s.events))
	}
	r.RequestID = uuid(fmt.Sprint("sample request", s.events))
	r.SourceIPAddress = cmp.Or(r.SourceIPAddress, "198.51.100."+fmt.Sprint(10+spread(40, r.UserIdentity.PrincipalID)))
	r.UserAgent = cmp.Or(r.UserAgent, "Boto3/1.42.17 md/Botocore#1.42.17 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.12.3")
	if r.Raw != "" {
		r.Raw = strings.ReplaceAll(r.Raw, "EVENT-ID", r.EventID)
	}
	s.account.Events = append(s.account.Events, r)
}

// event begins the record of a call: api is the event source's first label and the event's name, ecr:BatchGetImage.
func event(who UserIdentity, at time.Time, region, api string, parameters map[string]any) Record {
	source, name, _ := strings.Cut(api, ":")
	return Record{
		UserIdentity:      who,
		EventTime:         at,
		AWSRegion:         region,
		EventSource:       source + ".amazonaws.com",
		EventName:         name,
		RequestParameters: parameters,
		ReadOnly:          readOnly(name),
	}
}

// readOnly follows the names: CloudTrail calls these read-only, Decrypt and AssumeRole too.
func readOnly(name string) bool {
	for _, prefix := range []string{"Get", "List", "Describe", "BatchGet", "Head", "Search", "Lookup", "Decrypt", "GenerateDataKey", "AssumeRole"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// viaService marks a call that an AWS service made with the role's session.
func viaService(r Record, service string) Record {
	r.UserIdentity.InvokedBy = service
	r.UserIdentity.AccessKeyID = "" // many such events carry none
	r.SourceIPAddress, r.UserAgent = service, service
	return r
}

// dataEvent marks a call that is a data event, which Event history does not hold.
func dataEvent(r Record) Record {
	r.EventCategory = "Data"
	return r
}

// denied marks a call that was refused; why names the layer in the words of AWS.
func denied(r Record, code, action, resource, why string) Record {
	r.ErrorCode = code
	r.ErrorMessage = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s %s", r.UserIdentity.ARN, action, resource, why)
	r.ResponseElements = nil
	return r
}

// addJobEvents records a job's life. Older than Event history, nothing is left of it.
func (s *sample) addJobEvents(f *family, j *TrainingJob) {
	if j.CreationTime.Before(ago(100)) {
		return
	}
	s.addSubmission(f, j)
	if f.untrusted {
		return
	}
	role := s.roles[f.role]
	began := j.CreationTime.Add(20 * time.Second)
	who := s.account.Session(role, "SageMaker", began)
	who.OnBehalfOf = f.user
	s.addAssumeRole(role, who, began, j.Region)
	s.addPull(who, began.Add(70*time.Second), j)
	if strings.Contains(j.FailureReason, "Cannot pull") {
		return
	}
	if j.VpcConfig != nil {
		s.addNetwork(who, began.Add(50*time.Second), j)
	}
	s.addLogs(f, who, began.Add(100*time.Second), j)
	s.addData(f, who, began.Add(110*time.Second), j)
	s.addUserCode(f, who, began.Add(10*time.Minute), j)
}

// engineer is the session that submits a job on some day: three people and the pipeline.
func (s *sample) engineer(at time.Time) UserIdentity {
	people := []string{"ana.souza", "jon.berg", "mei.chen", "retail-ml-pipeline"}
	return s.account.Session(s.roles["ml-engineer"], people[spread(len(people), at.YearDay())], at.Add(-time.Hour).Truncate(time.Hour))
}

func (s *sample) addSubmission(f *family, j *TrainingJob) {
	if f.by == "" {
		// The tuner's jobs are created by the service, not by a call (AWS: sagemaker logging-using-cloudtrail).
		r := event(UserIdentity{Type: "AWSService", AccountID: sampleID, InvokedBy: serviceName}, j.CreationTime, j.Region, "sagemaker:CreateTrainingJob", nil)
		r.EventType = "AwsServiceEvent"
		r.SourceIPAddress, r.UserAgent = serviceName, serviceName
		r.Related = []Resource{{"AWS::SageMaker::TrainingJob", s.account.JobARN(j)}}
		s.add(r)
		return
	}
	who := s.engineer(j.CreationTime)
	if f.by != "ml-engineer" {
		who = s.account.Session(s.roles[f.by], "SageMaker", j.CreationTime.Add(-2*time.Hour))
	}
	r := event(who, j.CreationTime, j.Region, "sagemaker:CreateTrainingJob", submission(j))
	r.ResponseElements = map[string]any{"trainingJobArn": s.account.JobARN(j)}
	s.add(r)
}

// submission is a request of CreateTrainingJob as CloudTrail writes it, without hyperparameters.
func submission(j *TrainingJob) map[string]any {
	var channels []any
	for _, c := range j.InputDataConfig {
		source := map[string]any{}
		if s3 := c.DataSource.S3DataSource; s3 != nil {
			source["s3DataSource"] = map[string]any{"s3DataType": s3.S3DataType, "s3Uri": s3.S3Uri}
		}
		if fs := c.DataSource.FileSystemDataSource; fs != nil {
			source["fileSystemDataSource"] = map[string]any{"fileSystemId": fs.FileSystemId, "directoryPath": fs.DirectoryPath}
		}
		channels = append(channels, map[string]any{"channelName": c.ChannelName, "dataSource": source})
	}
	return map[string]any{
		"trainingJobName":        j.TrainingJobName,
		"roleArn":                j.RoleArn,
		"algorithmSpecification": map[string]any{"trainingImage": j.AlgorithmSpecification.TrainingImage, "trainingInputMode": "File", "enableSageMakerMetricsTimeSeries": false},
		"inputDataConfig":        channels,
		"outputDataConfig":       map[string]any{"s3OutputPath": j.OutputDataConfig.S3OutputPath, "kmsKeyId": j.OutputDataConfig.KmsKeyId},
		"resourceConfig":         map[string]any{"instanceType": j.ResourceConfig.InstanceType, "instanceCount": j.ResourceConfig.InstanceCount, "useReservedCapacity": false},
	}
}

// addAssumeRole is SageMaker taking the role. Synthetic: it follows the records of other services that do so.
func (s *sample) addAssumeRole(role *Role, who UserIdentity, at time.Time, region string) {
	roleARN := s.account.RoleARN(role)
	r := event(UserIdentity{Type: "AWSService", InvokedBy: serviceName}, at, region, "sts:AssumeRole",
		map[string]any{"roleArn": roleARN, "roleSessionName": "SageMaker"})
	r.SourceIPAddress, r.UserAgent = serviceName, serviceName
	r.ResponseElements = map[string]any{
		"credentials":     map[string]any{"accessKeyId": who.AccessKeyID, "expiration": at.Add(time.Hour).UTC().Format("Jan 2, 2006, 3:04:05 PM")},
		"assumedRoleUser": map[string]any{"assumedRoleId": who.PrincipalID, "arn": who.ARN},
	}
	r.Resources = []ResourceARN{{ARN: roleARN, AccountID: sampleID, Type: "AWS::IAM::Role"}}
	r.SharedEventID = uuid(fmt.Sprint("shared", role.UniqueID(), at))
	r.Related = []Resource{
		{"AWS::IAM::AccessKey", who.AccessKeyID},
		{"AWS::STS::AssumedRole", "SageMaker"},
		{"AWS::STS::AssumedRole", who.PrincipalID},
		{"AWS::STS::AssumedRole", who.ARN},
		{"AWS::IAM::Role", roleARN},
	}
	s.add(r)
}

// addPull is the image being pulled, in the registry's region: a manifest and two layers (AWS: AmazonECR
// logging-using-cloudtrail).
func (s *sample) addPull(who UserIdentity, at time.Time, j *TrainingJob) {
	host, repository, _ := strings.Cut(j.AlgorithmSpecification.TrainingImage, "/")
	labels := strings.Split(host, ".")
	registry, region := labels[0], labels[3]
	repository, tag, _ := strings.Cut(repository, ":")
	id := map[string]any{"imageTag": tag}
	if name, byDigest := strings.CutSuffix(repository, "@sha256"); byDigest {
		repository, id = name, map[string]any{"imageDigest": "sha256:" + tag}
	}

	pull := func(after time.Duration, name string, parameters map[string]any) Record {
		parameters["registryId"] = registry
		r := viaService(event(who, at.Add(after), region, "ecr:"+name, parameters), "ecr.amazonaws.com")
		if name != "GetAuthorizationToken" {
			parameters["repositoryName"] = repository
			r.Resources = []ResourceARN{{ARN: "arn:aws:ecr:" + region + ":" + registry + ":repository/" + repository, AccountID: registry}}
		}
		return r
	}
	s.add(pull(0, "GetAuthorizationToken", map[string]any{}))
	image := pull(2*time.Second, "BatchGetImage", map[string]any{"imageIds": []any{id}})
	if strings.Contains(j.FailureReason, "Cannot pull") {
		s.add(denied(image, "AccessDenied", "ecr:BatchGetImage", repositoryARN(region, repository), "because no identity-based policy allows the ecr:BatchGetImage action"))
		return
	}
	if spread(9, "throttled", j.TrainingJobName) == 0 {
		busy := image
		busy.EventTime = image.EventTime.Add(-time.Second)
		busy.ErrorCode, busy.ErrorMessage = "ThrottlingException", "Rate exceeded"
		s.add(busy)
	}
	s.add(image)
	for layer := range 2 {
		s.add(pull(time.Duration(3+layer)*time.Second, "GetDownloadUrlForLayer",
			map[string]any{"layerDigest": fmt.Sprintf("sha256:%064x", spread(1<<31-1, repository, layer))}))
	}
}

func (s *sample) addNetwork(who UserIdentity, at time.Time, j *TrainingJob) {
	call := func(after time.Duration, name string, parameters map[string]any) {
		s.add(viaService(event(who, at.Add(after), j.Region, "ec2:"+name, parameters), serviceName))
	}
	subnet := map[string]any{"subnetIdSet": map[string]any{"items": []any{map[string]any{"subnetId": j.VpcConfig.Subnets[0]}}}}
	call(0, "DescribeSubnets", subnet)
	call(0, "DescribeSecurityGroups", map[string]any{})
	call(time.Second, "DescribeVpcs", map[string]any{})
	call(time.Second, "DescribeDhcpOptions", map[string]any{})
	call(2*time.Second, "CreateNetworkInterface", map[string]any{"subnetId": j.VpcConfig.Subnets[0]})
	call(3*time.Second, "CreateNetworkInterfacePermission", map[string]any{"networkInterfaceId": "eni-0123456789abcdef0", "permission": "INSTANCE-ATTACH"})
	call(4*time.Second, "DescribeNetworkInterfaces", map[string]any{})
	if !j.TrainingEndTime.IsZero() {
		end := j.TrainingEndTime.Sub(at)
		call(end, "DeleteNetworkInterfacePermission", map[string]any{})
		call(end+time.Second, "DeleteNetworkInterface", map[string]any{"networkInterfaceId": "eni-0123456789abcdef0"})
	}
}

// addLogs is the log stream being made. The group is there already but SageMaker asks for it: an authorised call
// that failed. PutLogEvents is recorded nowhere.
func (s *sample) addLogs(f *family, who UserIdentity, at time.Time, j *TrainingJob) {
	const group = "/aws/sagemaker/TrainingJobs"
	stream := fmt.Sprintf("%s/algo-1-%d", j.TrainingJobName, at.Unix())
	create := viaService(event(who, at, j.Region, "logs:CreateLogGroup", map[string]any{"logGroupName": group}), serviceName)
	create.ErrorCode, create.ErrorMessage = "ResourceAlreadyExistsException", "The specified log group already exists"
	s.add(create)
	s.add(viaService(event(who, at.Add(time.Second), j.Region, "logs:CreateLogStream",
		map[string]any{"logGroupName": group, "logStreamName": stream}), serviceName))
	if f.role != "churn-training" { // the one role that was not given it
		s.add(viaService(event(who, at.Add(2*time.Second), j.Region, "logs:DescribeLogStreams",
			map[string]any{"logGroupName": group, "logStreamNamePrefix": stream}), serviceName))
	}
	switch f.role {
	case "ml-shared-admin", "pricing-training", "vision-training", sagemakerRole: // those that may
		s.add(dataEvent(viaService(event(who, at.Add(3*time.Minute), j.Region, "monitoring:PutMetricData",
			map[string]any{"namespace": "/aws/sagemaker/TrainingJobs"}), serviceName)))
	}
}

// addData is the reading and the writing. The calls to S3 are data events; where the objects are encrypted with a
// KMS key, S3's own calls to KMS are management events and name the object (AWS: services-s3, encryption context).
func (s *sample) addData(f *family, who UserIdentity, at time.Time, j *TrainingJob) {
	object := func(at time.Time, name, uri string) Record {
		bucket, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
		r := dataEvent(viaService(event(who, at, j.Region, "s3:"+name, map[string]any{"bucketName": bucket, "key": key}), serviceName))
		r.Resources = []ResourceARN{{ARN: objectARN(uri), Type: "AWS::S3::Object"}, {ARN: bucketARN(bucket), AccountID: sampleID, Type: "AWS::S3::Bucket"}}
		return r
	}
	seal := func(at time.Time, name, uri string) {
		if f.key != "" {
			s.add(keyUse(who, at, j.Region, name, f.key, uri))
		}
	}
	if key := j.ResourceConfig.VolumeKmsKeyId; key != "" {
		grant := viaService(event(who, at.Add(-time.Minute), j.Region, "kms:CreateGrant",
			map[string]any{"keyId": key, "operations": []any{"Decrypt", "GenerateDataKeyWithoutPlaintext"}, "granteePrincipal": accountRoot}), serviceName)
		grant.Resources = []ResourceARN{{ARN: key, AccountID: sampleID, Type: "AWS::KMS::Key"}}
		s.add(grant)
	}
	for i, c := range j.InputDataConfig {
		source := c.DataSource.S3DataSource
		if source == nil || !strings.HasPrefix(source.S3Uri, "s3://") {
			continue
		}
		at := at.Add(time.Duration(i) * 20 * time.Second)
		bucket, prefix, _ := strings.Cut(strings.TrimPrefix(source.S3Uri, "s3://"), "/")
		list := dataEvent(viaService(event(who, at, j.Region, "s3:ListObjects", map[string]any{"bucketName": bucket, "prefix": prefix, "list-type": "2"}), serviceName))
		list.Resources = []ResourceARN{{ARNPrefix: bucketARN(bucket) + "/" + prefix, Type: "AWS::S3::Object"}, {ARN: bucketARN(bucket), AccountID: sampleID, Type: "AWS::S3::Bucket"}}
		s.add(list)
		if source.S3DataType == "ManifestFile" {
			s.add(object(at.Add(time.Second), "GetObject", source.S3Uri))
			seal(at.Add(time.Second), "Decrypt", source.S3Uri)
			continue
		}
		uri := strings.TrimSuffix(source.S3Uri, "/") + "/part-00000.parquet"
		get := object(at.Add(2*time.Second), "GetObject", uri)
		if strings.Contains(j.FailureReason, "AccessDenied") && c.ChannelName == "noise" {
			s.add(denied(get, "AccessDenied", "s3:GetObject", objectARN(uri), "because no identity-based policy allows the s3:GetObject action"))
			return
		}
		s.add(get)
		seal(at.Add(2*time.Second), "Decrypt", uri)
	}
	if j.ModelArtifacts != nil {
		s.add(object(j.TrainingEndTime.Add(-40*time.Second), "PutObject", j.ModelArtifacts.S3ModelArtifacts))
		seal(j.TrainingEndTime.Add(-40*time.Second), "GenerateDataKey", j.ModelArtifacts.S3ModelArtifacts)
	}
}

// keyUse is a call of S3 to KMS, for the role, about one object.
func keyUse(who UserIdentity, at time.Time, region, name, key, uri string) Record {
	parameters := map[string]any{"encryptionContext": map[string]any{"aws:s3:arn": objectARN(uri)}}
	if name == "GenerateDataKey" {
		parameters["keyId"], parameters["keySpec"] = key, "AES_256"
	} else {
		parameters["encryptionAlgorithm"] = "SYMMETRIC_DEFAULT"
	}
	r := viaService(event(who, at, region, "kms:"+name, parameters), awsInternal)
	r.Resources = []ResourceARN{{ARN: key, AccountID: sampleID, Type: "AWS::KMS::Key"}}
	r.Related = []Resource{{"AWS::KMS::Key", key}}
	return r
}

// addUserCode is what the teams' own scripts do with the role's credentials.
func (s *sample) addUserCode(f *family, who UserIdentity, at time.Time, j *TrainingJob) {
	if j.TrainingJobStatus != "Completed" || j.EnableNetworkIsolation {
		return
	}
	script := func(after time.Duration, api string, parameters map[string]any) Record {
		r := event(who, at.Add(after), j.Region, api, parameters)
		r.SourceIPAddress = "203.0.113.25"
		return r
	}
	if f.code != nil {
		for _, r := range f.code(script) {
			s.add(r)
		}
	}
	switch f.name {
	case "ads-ctr":
		s.add(script(0, "glue:GetTable", map[string]any{"databaseName": "ads", "name": "clicks"}))
		s.add(script(time.Second, "athena:StartQueryExecution", map[string]any{"workGroup": "primary"}))
	case "support-intent":
		s.add(script(0, "secretsmanager:GetSecretValue", map[string]any{"secretId": "support/label-api"}))
		s.add(script(time.Second, "dynamodb:DescribeTable", map[string]any{"tableName": "support-labels"}))
	case "price-elasticity":
		lake := s.account.RoleARN(s.roles["data-engineer"])
		r := script(0, "sts:AssumeRole", map[string]any{"roleArn": lake, "roleSessionName": "elasticity"})
		r.Resources = []ResourceARN{{ARN: lake, AccountID: sampleID, Type: "AWS::IAM::Role"}}
		r.Related = []Resource{{"AWS::IAM::Role", lake}}
		s.add(r)
	case "forecast-daily":
		table := "arn:aws:dynamodb:us-east-1:" + sampleID + ":table/holidays"
		s.add(denied(script(0, "dynamodb:DescribeTable", map[string]any{"tableName": "holidays"}), "AccessDenied",
			"dynamodb:DescribeTable", table, "because no permissions boundary allows the dynamodb:DescribeTable action"))
	case "vision-shelf":
		s.add(script(0, "sagemaker:DescribeTrainingJob", map[string]any{"trainingJobName": j.TrainingJobName}))
		s.add(script(time.Second, "ssm:GetParameter", map[string]any{"name": "/vision/shelf/threshold"}))
	case "search-ranking":
		r := dataEvent(script(0, "s3:DeleteObject", map[string]any{"bucketName": "retail-ml-search-ranking", "key": "lambdamart/tmp/cache"}))
		r.Resources = []ResourceARN{{ARN: bucketARN("retail-ml-search-ranking") + "/lambdamart/tmp/cache", Type: "AWS::S3::Object"},
			{ARN: bucketARN("retail-ml-search-ranking"), AccountID: sampleID, Type: "AWS::S3::Bucket"}}
		s.add(denied(r, "AccessDenied", "s3:DeleteObject", bucketARN("retail-ml-search-ranking")+"/lambdamart/tmp/cache",
			"with an explicit deny in an identity-based policy"))
	case "platform-canary":
		target := map[string]any{"roleName": "churn-training"}
		global := func(after time.Duration, api string, parameters map[string]any) {
			r := script(after, api, parameters)
			r.AWSRegion = "us-east-1" // IAM's events are recorded there only
			s.add(r)
		}
		global(0, "iam:ListRoles", map[string]any{})
		global(time.Second, "iam:GetRole", target)
		policy := maps.Clone(target)
		policy["policyName"] = "sagemaker-least-privilege"
		global(2*time.Second, "iam:GetRolePolicy", policy)
	}
}
