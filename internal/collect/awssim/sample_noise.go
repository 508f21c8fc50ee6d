package awssim

import (
	"fmt"
	"strings"
	"time"
)

// addPeople records what people do by hand: with the shared role, in the notebook, and in the console.
func (s *sample) addPeople() {
	for d := 1; d < 88; d += 6 {
		at := ago(d, -2*time.Hour) // the afternoon
		who := s.account.Session(s.roles["ml-shared-admin"], "dana.lee@retail.example", at)
		for i, api := range []string{"s3:ListBuckets", "s3:GetBucketLocation", "dynamodb:DescribeTable", "ec2:DescribeInstances", "glue:GetTables", "cloudformation:ListStacks"} {
			parameters := map[string]any{}
			switch api {
			case "s3:GetBucketLocation":
				parameters["bucketName"] = "retail-ml-ads"
			case "dynamodb:DescribeTable":
				parameters["tableName"] = "orders"
			}
			r := event(who, at.Add(time.Duration(i)*time.Minute), "us-east-1", api, parameters)
			r.UserAgent = "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/macos#25.0.0"
			s.add(r)
		}
		s.addNotebook(at.Add(time.Hour))
	}
	s.addHostileSession()
}

// addNotebook is an hour in the notebook that shares its role with training.
func (s *sample) addNotebook(at time.Time) {
	who := s.account.Session(s.roles[sagemakerRole], "SageMaker", at.Add(-30*time.Minute))
	notebook := map[string]any{"notebookInstanceName": "basket-analysis"}
	for i, api := range []string{"sagemaker:DescribeNotebookInstance", "sagemaker:ListTrainingJobs", "ecr:DescribeRepositories", "logs:CreateLogStream", "sagemaker:ListEndpoints"} {
		parameters := map[string]any{}
		switch api {
		case "sagemaker:DescribeNotebookInstance":
			parameters = notebook
		case "logs:CreateLogStream":
			parameters = map[string]any{"logGroupName": "/aws/sagemaker/NotebookInstances", "logStreamName": "basket-analysis/jupyter.log"}
		}
		r := event(who, at.Add(time.Duration(i)*time.Minute), "us-east-1", api, parameters)
		r.UserAgent = "AWS-SageMaker-Notebook-Instance/basket-analysis Boto3/1.42.17"
		s.add(r)
	}
	expired := event(who, at.Add(13*time.Hour), "us-east-1", "sagemaker:ListTrainingJobs", nil)
	expired.ErrorCode, expired.ErrorMessage = "ExpiredTokenException", "The security token included in the request is expired"
	s.add(expired)
}

// addHostileSession has a session name and a message that no terminal and no page should take as they are.
func (s *sample) addHostileSession() {
	who := s.account.Session(s.roles["labeling-shared"], "\x1b[31mvendor\x1b[0m|<script>alert(1)</script>\n", ago(8))
	r := event(who, ago(8, -time.Hour), "eu-west-1", "sagemaker:CreateLabelingJob", map[string]any{"labelingJobName": "shelf | <b>42</b>"})
	r.ErrorCode, r.ErrorMessage = "ValidationException", "label \x1b]0;owned\x07\r\n| not <i>found</i>"
	s.add(r)

	// A record that is not what it should be: LookupEvents answers it as it is.
	broken := event(s.account.Session(s.roles["labeling-shared"], "vendor", ago(8)), ago(8, -2*time.Hour), "eu-west-1", "s3:GetBucketAcl", nil)
	broken.Raw = `{"eventVersion":"1.11","eventID":"EVENT-ID","userIdentity":null,"eventTime":"2026-10-23T14:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetBucketAcl","awsRegion":"eu-west-1","eventType":"AwsApiCall","eventCategory":"Management","surprise":[1,{"deep":null}]}`
	s.add(broken)
}

// addIdentityChanges is the end of two roles and the second beginning of one, recorded where IAM records: us-east-1.
func (s *sample) addIdentityChanges() {
	who := s.account.Session(s.roles["ci-deploy"], "retail-example-infra-main", ago(45))
	change := func(at time.Time, name, role string, response map[string]any) {
		r := event(who, at, "us-east-1", "iam:"+name, map[string]any{"roleName": role})
		r.ResponseElements = response
		r.Related = []Resource{{"AWS::IAM::Role", role}}
		s.add(r)
	}
	change(ago(45), "DeleteRolePolicy", "recsys-training-v1", nil)
	change(ago(45, -time.Second), "DeleteRole", "recsys-training-v1", nil)
	change(ago(40, time.Minute), "DeleteRole", "segmentation-training", nil)
	again := s.roles["segmentation-training"]
	change(again.CreateDate, "CreateRole", again.Name, map[string]any{"role": map[string]any{"roleName": again.Name, "roleId": again.UniqueID(), "arn": s.account.RoleARN(again)}})
	change(again.CreateDate.Add(time.Second), "PutRolePolicy", again.Name, nil)
}

// addRefusedSubmissions are the CreateTrainingJob calls that made no job: the execution role's lack is told to the
// caller (AWS-documented texts as users met them; see also API_CreateTrainingJob).
func (s *sample) addRefusedSubmissions() {
	refuse := func(at time.Time, role, region, image, uri, message string) {
		j := TrainingJob{
			TrainingJobName:        "refused-" + at.Format("2006-01-02-15-04-05"),
			RoleArn:                s.account.RoleARN(s.roles[role]),
			AlgorithmSpecification: &AlgorithmSpecification{TrainingImage: image},
			InputDataConfig:        []Channel{prefixChannel("train", uri)},
			OutputDataConfig:       &OutputDataConfig{S3OutputPath: "s3://retail-ml-tmp/models/"},
			ResourceConfig:         &ResourceConfig{InstanceType: "ml.m5.2xlarge", InstanceCount: 1},
		}
		r := event(s.engineer(at), at, region, "sagemaker:CreateTrainingJob", submission(&j))
		r.ErrorCode, r.ErrorMessage = "ValidationException", message
		s.add(r)
	}
	fraud := s.account.RoleARN(s.roles["fraud-training-legacy"])
	for _, d := range []int{11, 33, 61} {
		refuse(ago(d, 3*time.Hour), "fraud-training-legacy", "us-east-1", ownImage("us-east-1", "fraud-train:1"), "s3://retail-ml-fraud/scoring/train/",
			"Could not assume role "+fraud+". Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com' to assume the role.")
	}
	speech := s.roles["speech-training"]
	for _, d := range []int{5, 9} {
		at := ago(d, 4*time.Hour)
		who := s.account.Session(speech, "SageMaker", at)
		s.addAssumeRole(speech, who, at.Add(-time.Second), "eu-west-1")
		refuse(at, "speech-training", "eu-west-1", ownImage("eu-west-1", "speech-train:5"), "s3://retail-ml-speech-augmented/noise/",
			fmt.Sprintf("No S3 objects found under S3 URL %q given in input data source. Please ensure that the bucket exists in the selected region (eu-west-1), that objects exist under that S3 prefix, and that the role %q has \"s3:ListBucket\" permissions on bucket %q. Error message from S3: User: %s is not authorized to perform: s3:ListBucket on resource: %q because no identity-based policy allows the s3:ListBucket action",
				"s3://retail-ml-speech-augmented/noise/", s.account.RoleARN(speech), "retail-ml-speech-augmented", who.ARN, bucketARN("retail-ml-speech-augmented")))
	}

	// Two calls that the caller's own permissions end: nothing is said about an execution role.
	guest := UserIdentity{Type: "IAMUser", PrincipalID: uniqueID("AIDA", "legacy-reporting"), ARN: "arn:aws:iam::" + sampleID + ":user/legacy-reporting",
		AccountID: sampleID, AccessKeyID: uniqueID("AKIA", "legacy-reporting")[:20], UserName: "legacy-reporting"}
	for _, d := range []int{2, 27} {
		r := event(guest, ago(d), "us-east-1", "sagemaker:CreateTrainingJob", map[string]any{"trainingJobName": "report", "roleArn": s.account.RoleARN(s.roles["pricing-training"])})
		s.add(denied(r, "AccessDenied", "sagemaker:CreateTrainingJob", "arn:aws:sagemaker:us-east-1:"+sampleID+":training-job/report",
			"because no identity-based policy allows the sagemaker:CreateTrainingJob action"))
	}

	tuning := event(s.engineer(ago(29)), ago(29, 4*time.Hour), "us-east-1", "sagemaker:CreateHyperParameterTuningJob", map[string]any{
		"hyperParameterTuningJobName": "forecast-hpo-261002-0610",
		"trainingJobDefinition":       map[string]any{"roleArn": s.account.RoleARN(s.roles["forecast-training"])},
	})
	s.add(tuning)
}

// addNoise is the rest of the company: services, pipelines and people whose calls an audit of execution roles has
// to read and leave out.
func (s *sample) addNoise() {
	type habit struct {
		role, session, api string
		parameters         map[string]any
	}
	habits := map[string][]habit{
		"us-east-1": {
			{"order-events", "order-events", "logs:CreateLogStream", map[string]any{"logGroupName": "/aws/lambda/order-events"}},
			{"web-shop", "i-0a1b2c3d4e5f60718", "ssm:GetParameter", map[string]any{"name": "/shop/payment"}},
			{"data-engineer", "kim.ito", "athena:StartQueryExecution", map[string]any{"workGroup": "primary"}},
			{"ci-deploy", "retail-example-infra-main", "cloudformation:DescribeStacks", map[string]any{"stackName": "shop"}},
			{"AWSServiceRoleForConfig", "AWSConfig-Describe", "iam:ListRoles", map[string]any{}},
			{"SecurityAudit", "auditor", "iam:GetAccountAuthorizationDetails", map[string]any{}},
			{"order-events", "order-events", "dynamodb:DescribeTable", map[string]any{"tableName": "orders"}},
		},
		"eu-west-1": {
			{"ci-deploy", "retail-example-infra-main", "ecr:DescribeRepositories", map[string]any{}},
			{"data-engineer", "lena.horn", "glue:GetTables", map[string]any{"databaseName": "eu"}},
			{"AWSServiceRoleForConfig", "AWSConfig-Describe", "ec2:DescribeSubnets", map[string]any{}},
		},
		"us-west-2": {
			{"AWSServiceRoleForConfig", "AWSConfig-Describe", "ec2:DescribeRegions", map[string]any{}},
		},
	}
	every := map[string]time.Duration{"us-east-1": time.Hour, "eu-west-1": 3 * time.Hour, "us-west-2": 24 * time.Hour}
	for _, region := range []string{"us-east-1", "eu-west-1", "us-west-2"} {
		for n, at := 0, ago(92); at.Before(sampleNow); n, at = n+1, at.Add(every[region]) {
			h := habits[region][spread(len(habits[region]), region, n)]
			when := at.Add(time.Duration(spread(3000, "second", region, n)) * time.Second)
			who := s.account.Session(s.roles[h.role], h.session, when.Truncate(time.Hour))
			r := event(who, when, region, h.api, h.parameters)
			if strings.HasPrefix(h.role, "AWSServiceRole") {
				r = viaService(r, "config.amazonaws.com")
			}
			s.add(r)
		}
	}
	signIn := event(UserIdentity{Type: "Root", PrincipalID: sampleID, ARN: accountRoot, AccountID: sampleID}, ago(20), "us-east-1", "signin:ConsoleLogin", nil)
	signIn.EventType = "AwsConsoleSignIn"
	s.add(signIn)
}

// addDuplicates repeats some events under their own ids, as CloudTrail may.
func (s *sample) addDuplicates() {
	for i, n := 0, len(s.account.Events); i < n; i += 97 {
		s.account.Events = append(s.account.Events, s.account.Events[i])
	}
}
