package actions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// line writes a use as one line: action, resources and what is special of it.
func line(u Use) string {
	s := u.Action
	if len(u.Resources) > 0 {
		s += " " + strings.Join(u.Resources, " ")
	}
	if u.Outcome != Used {
		s += " " + string(u.Outcome)
	}
	if u.Role != "" {
		s += " of=" + u.Role
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"unknown", !u.Known}, {"indirect", u.Indirect}, {"implied", u.Implied}, {"ambiguous", u.Ambiguous}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}

type params map[string]string

func (p params) get(name string) string { return p[name] }

const (
	bucketARN  = "arn:aws:s3:::data"
	keyARN     = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	jobRole    = "arn:aws:iam::111122223333:role/service-role/Job"
	accessPt   = "arn:aws:s3:eu-west-1:111122223333:accesspoint/ap"
	lambdaAP   = "arn:aws:s3-object-lambda:eu-west-1:111122223333:accesspoint/olap"
	inAccount  = ":eu-west-1:111122223333:"
	s3Endpoint = "s3.amazonaws.com"
)

func TestOf(t *testing.T) {
	for _, tt := range []struct {
		name   string
		call   Call
		params params
		want   []string
	}{
		// S3: AWS: using-with-s3-policy-actions, cloudtrail-logging-s3-info.
		{"get", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key": "a/b.csv"},
			[]string{"s3:GetObject arn:aws:s3:::data/a/b.csv"}},
		{"get a version", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key": "k", "versionId": "v1"},
			[]string{"s3:GetObjectVersion arn:aws:s3:::data/k"}},
		{"head is a get", Call{Source: s3Endpoint, Name: "HeadObject"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:GetObject arn:aws:s3:::data/k"}},
		{"missing key was authorised", Call{Source: s3Endpoint, Name: "GetObject", ErrorCode: "NoSuchKey"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:GetObject arn:aws:s3:::data/k"}},
		{"a key's wildcards are literals", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key": "a*?${x}"},
			[]string{"s3:GetObject arn:aws:s3:::data/a${*}${?}${$}{x}"}},
		{"list", Call{Source: s3Endpoint, Name: "ListObjects"}, params{"bucketName": "data", "list-type": "2", "prefix": "a/"},
			[]string{"s3:ListBucket arn:aws:s3:::data"}},
		{"list v2", Call{Source: s3Endpoint, Name: "ListObjectsV2"}, params{"bucketName": "data"}, []string{"s3:ListBucket arn:aws:s3:::data"}},
		{"head bucket", Call{Source: s3Endpoint, Name: "HeadBucket"}, params{"bucketName": "data"}, []string{"s3:ListBucket arn:aws:s3:::data"}},
		{"list versions", Call{Source: s3Endpoint, Name: "ListObjectVersions"}, params{"bucketName": "data"}, []string{"s3:ListBucketVersions arn:aws:s3:::data"}},
		{"list buckets", Call{Source: s3Endpoint, Name: "ListBuckets"}, nil, []string{"s3:ListAllMyBuckets *"}},
		{"put", Call{Source: s3Endpoint, Name: "PutObject"}, params{"bucketName": "data", "key": "k"}, []string{"s3:PutObject arn:aws:s3:::data/k"}},
		{"put with ACL and tags", Call{Source: s3Endpoint, Name: "PutObject"},
			params{"bucketName": "data", "key": "k", "x-amz-acl": "bucket-owner-full-control", "x-amz-tagging": "a=b"},
			[]string{"s3:PutObject arn:aws:s3:::data/k", "s3:PutObjectAcl arn:aws:s3:::data/k", "s3:PutObjectTagging arn:aws:s3:::data/k"}},
		{"put with grants", Call{Source: s3Endpoint, Name: "PutObject"}, params{"bucketName": "data", "key": "k", "x-amz-grants": "x-amz-grant-read"},
			[]string{"s3:PutObject arn:aws:s3:::data/k", "s3:PutObjectAcl arn:aws:s3:::data/k"}},
		{"tag a version", Call{Source: s3Endpoint, Name: "PutObjectTagging"}, params{"bucketName": "data", "key": "k", "versionId": "v"},
			[]string{"s3:PutObjectVersionTagging arn:aws:s3:::data/k"}},
		{"multipart", Call{Source: s3Endpoint, Name: "UploadPart"}, params{"bucketName": "data", "key": "k"}, []string{"s3:PutObject arn:aws:s3:::data/k"}},
		{"list parts", Call{Source: s3Endpoint, Name: "ListParts"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:ListMultipartUploadParts arn:aws:s3:::data/k"}},
		{"list uploads", Call{Source: s3Endpoint, Name: "ListMultipartUploads"}, params{"bucketName": "data"},
			[]string{"s3:ListBucketMultipartUploads arn:aws:s3:::data"}},
		{"copy reads and writes", Call{Source: s3Endpoint, Name: "CopyObject"},
			params{"bucketName": "data", "key": "k", "x-amz-copy-source": "/other/a%20b?versionId=7"},
			[]string{"s3:GetObjectVersion arn:aws:s3:::other/a b", "s3:PutObject arn:aws:s3:::data/k"}},
		{"part copy", Call{Source: s3Endpoint, Name: "UploadPartCopy"}, params{"bucketName": "data", "key": "k", "x-amz-copy-source": "other/x"},
			[]string{"s3:GetObject arn:aws:s3:::other/x", "s3:PutObject arn:aws:s3:::data/k"}},
		{"delete a version", Call{Source: s3Endpoint, Name: "DeleteObject"}, params{"bucketName": "data", "key": "k", "versionId": "v"},
			[]string{"s3:DeleteObjectVersion arn:aws:s3:::data/k"}},
		{"delete many is not counted twice", Call{Source: s3Endpoint, Name: "DeleteObjects"}, params{"bucketName": "data"},
			[]string{"s3:DeleteObject arn:aws:s3:::data/* indirect"}},
		{"attributes", Call{Source: s3Endpoint, Name: "GetObjectAttributes"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:GetObject arn:aws:s3:::data/k", "s3:GetObjectAttributes arn:aws:s3:::data/k"}},
		{"bucket configuration", Call{Source: s3Endpoint, Name: "DeleteBucketLifecycle"}, params{"bucketName": "data"},
			[]string{"s3:PutLifecycleConfiguration arn:aws:s3:::data"}},
		{"access point", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": accessPt, "key": "k"},
			[]string{"s3:GetObject " + accessPt + "/object/k"}},
		{"object lambda", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": lambdaAP, "key": "k"},
			[]string{"s3-object-lambda:GetObject " + lambdaAP}},
		{"China", Call{Source: s3Endpoint, Name: "GetObject", Partition: "aws-cn"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:GetObject arn:aws-cn:s3:::data/k"}},
		{"directory bucket", Call{Source: "s3express.amazonaws.com", Name: "GetObject"}, params{"bucketName": "d--euw1-az1--x-s3", "key": "k"},
			[]string{"s3express:CreateSession arn:aws:s3express" + inAccount + "bucket/d--euw1-az1--x-s3"}},
		{"copy into a directory bucket", Call{Source: "s3express.amazonaws.com", Name: "CopyObject"},
			params{"bucketName": "d--euw1-az1--x-s3", "key": "k", "x-amz-copy-source": "data/k"},
			[]string{"s3:GetObject arn:aws:s3:::data/k", "s3express:CreateSession arn:aws:s3express" + inAccount + "bucket/d--euw1-az1--x-s3"}},
		{"copy between directory buckets", Call{Source: "s3express.amazonaws.com", Name: "CopyObject"},
			params{"bucketName": "d--euw1-az1--x-s3", "key": "k", "x-amz-copy-source": "e--euw1-az1--x-s3/k"},
			[]string{"s3express:CreateSession arn:aws:s3express" + inAccount + "bucket/d--euw1-az1--x-s3"}},
		{"create a bucket with an ACL", Call{Source: s3Endpoint, Name: "CreateBucket"}, params{"bucketName": "data", "x-amz-acl": "private"},
			[]string{"s3:CreateBucket arn:aws:s3:::data", "s3:PutBucketAcl arn:aws:s3:::data"}},
		{"no parameters", Call{Source: s3Endpoint, Name: "GetObject"}, nil, []string{"s3:GetObject"}},
		{"no key", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data"}, []string{"s3:GetObject arn:aws:s3:::data/*"}},

		// Many objects that are kept by what their names begin with (package snapshot, Params).
		{"many objects", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key*": "in/2026/*"}, []string{"s3:GetObject arn:aws:s3:::data/in/2026/*"}},
		{"many objects, whose names have a star", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key*": "a*b/*"}, []string{"s3:GetObject arn:aws:s3:::data/a${*}b/*"}},
		{"many objects anywhere", Call{Source: s3Endpoint, Name: "PutObject"}, params{"bucketName": "data", "key*": "*"}, []string{"s3:PutObject arn:aws:s3:::data/*"}},
		{"many versions", Call{Source: s3Endpoint, Name: "GetObject"}, params{"bucketName": "data", "key*": "in/*", "versionId": "*"}, []string{"s3:GetObjectVersion arn:aws:s3:::data/in/*"}},
		{"many copies", Call{Source: s3Endpoint, Name: "CopyObject"}, params{"bucketName": "data", "key*": "k/*", "x-amz-copy-source*": "/other/a%20b/*"},
			[]string{"s3:GetObject arn:aws:s3:::other/a b/*", "s3:PutObject arn:aws:s3:::data/k/*"}},
		{"many copies of versions", Call{Source: s3Endpoint, Name: "CopyObject"}, params{"bucketName": "data", "key*": "k/*", "x-amz-copy-source*": "other/*?versionId=*"},
			[]string{"s3:GetObjectVersion arn:aws:s3:::other/*", "s3:PutObject arn:aws:s3:::data/k/*"}},
		{"many decrypts", Call{Source: "kms.amazonaws.com", Name: "Decrypt", Resources: []string{keyARN}}, params{"encryptionContext.aws:s3:arn*": bucketARN + "/in/*"},
			[]string{"kms:Decrypt " + keyARN, "s3:GetObject arn:aws:s3:::data/in/* indirect"}},
		{"many decrypts anywhere", Call{Source: "kms.amazonaws.com", Name: "Decrypt", Resources: []string{keyARN}}, params{"encryptionContext.aws:s3:arn*": bucketARN + "/*"},
			[]string{"kms:Decrypt " + keyARN, "s3:GetObject arn:aws:s3:::data/* indirect"}},
		{"many log streams", Call{Source: "logs.amazonaws.com", Name: "CreateLogStream"}, params{"logGroupName": "g", "logStreamName*": "job/*"},
			[]string{"logs:CreateLogStream arn:aws:logs" + inAccount + "log-group:g:log-stream:job/*"}},
		{"many training jobs", Call{Source: "sagemaker.amazonaws.com", Name: "DescribeTrainingJob"}, params{"trainingJobName*": "*"},
			[]string{"sagemaker:DescribeTrainingJob arn:aws:sagemaker" + inAccount + "training-job/*"}},

		// KMS: AWS: how-kms-works-with-cloudtrail, bucket-key.
		{"decrypt of S3 proves a read", Call{Source: "kms.amazonaws.com", Name: "Decrypt", Resources: []string{keyARN}},
			params{"encryptionContext.aws:s3:arn": bucketARN + "/in/a.csv"},
			[]string{"kms:Decrypt " + keyARN, "s3:GetObject arn:aws:s3:::data/in/a.csv indirect"}},
		{"data key of S3 proves a write, somewhere in a bucket with a bucket key", Call{Source: "kms.amazonaws.com", Name: "GenerateDataKey"},
			params{"keyId": keyARN, "encryptionContext.aws:s3:arn": bucketARN},
			[]string{"kms:GenerateDataKey " + keyARN, "s3:PutObject arn:aws:s3:::data/* indirect"}},
		{"refused decrypt proves nothing", Call{Source: "kms.amazonaws.com", Name: "Decrypt", ErrorCode: "AccessDenied"},
			params{"encryptionContext.aws:s3:arn": bucketARN + "/k"}, []string{"kms:Decrypt denied"}},
		{"encryption context of somebody else", Call{Source: "kms.amazonaws.com", Name: "Decrypt"},
			params{"encryptionContext.aws:s3:arn": "data/k"}, []string{"kms:Decrypt"}},
		{"re-encrypt", Call{Source: "kms.amazonaws.com", Name: "ReEncrypt"}, nil, []string{"kms:ReEncryptFrom", "kms:ReEncryptTo"}},
		{"key id", Call{Source: "kms.amazonaws.com", Name: "DescribeKey"}, params{"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"},
			[]string{"kms:DescribeKey " + keyARN}},
		{"key alias", Call{Source: "kms.amazonaws.com", Name: "DescribeKey"}, params{"keyId": "alias/mine"}, []string{"kms:DescribeKey"}},

		// The four areas and what stands beside them.
		{"pull", Call{Source: "ecr.amazonaws.com", Name: "BatchGetImage"}, params{"repositoryName": "team/train"},
			[]string{"ecr:BatchGetImage arn:aws:ecr" + inAccount + "repository/team/train"}},
		{"pull from another account", Call{Source: "ecr.amazonaws.com", Name: "GetDownloadUrlForLayer"},
			params{"repositoryName": "xgboost", "registryId": "444455556666"},
			[]string{"ecr:GetDownloadUrlForLayer arn:aws:ecr:eu-west-1:444455556666:repository/xgboost"}},
		{"pull from a registry that is no account", Call{Source: "ecr.amazonaws.com", Name: "BatchGetImage"},
			params{"repositoryName": "x", "registryId": "*"}, []string{"ecr:BatchGetImage arn:aws:ecr" + inAccount + "repository/x"}},
		{"token", Call{Source: "ecr.amazonaws.com", Name: "GetAuthorizationToken"}, nil, []string{"ecr:GetAuthorizationToken *"}},
		{"log stream", Call{Source: "logs.amazonaws.com", Name: "CreateLogStream"},
			params{"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamName": "job/algo-1-1"},
			[]string{"logs:CreateLogStream arn:aws:logs" + inAccount + "log-group:/aws/sagemaker/TrainingJobs:log-stream:job/algo-1-1"}},
		{"log group", Call{Source: "logs.amazonaws.com", Name: "DescribeLogStreams"}, params{"logGroupName": "/aws/sagemaker/TrainingJobs"},
			[]string{"logs:DescribeLogStreams arn:aws:logs" + inAccount + "log-group:/aws/sagemaker/TrainingJobs"}},
		{"metrics", Call{Source: "monitoring.amazonaws.com", Name: "ListMetrics"}, nil, []string{"cloudwatch:ListMetrics"}},
		{"create a job", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob"}, params{"trainingJobName": "job-1", "roleArn": jobRole},
			[]string{"iam:PassRole " + jobRole + " implied", "sagemaker:CreateTrainingJob arn:aws:sagemaker" + inAccount + "training-job/job-1"}},
		{"a job's name in mixed case", Call{Source: "sagemaker.amazonaws.com", Name: "DescribeTrainingJob"}, params{"trainingJobName": "Job"},
			[]string{"sagemaker:DescribeTrainingJob"}},
		{"assume is not pass", Call{Source: "sts.amazonaws.com", Name: "AssumeRole"}, params{"roleArn": jobRole}, []string{"sts:AssumeRole " + jobRole}},
		{"a failed call passed nothing", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob", ErrorCode: "ThrottlingException"},
			params{"roleArn": jobRole}, []string{"sagemaker:CreateTrainingJob attempted"}},
		{"control channel", Call{Source: "ssm.amazonaws.com", Name: "OpenControlChannel"}, nil, []string{"ssmmessages:OpenControlChannel *"}},
		{"parameter", Call{Source: "ssm.amazonaws.com", Name: "GetParameter"}, params{"name": "/team/db"},
			[]string{"ssm:GetParameter arn:aws:ssm" + inAccount + "parameter/team/db"}},
		{"secret by name", Call{Source: "secretsmanager.amazonaws.com", Name: "GetSecretValue"}, params{"secretId": "db"},
			[]string{"secretsmanager:GetSecretValue arn:aws:secretsmanager" + inAccount + "secret:db-??????"}},
		{"queue", Call{Source: "sqs.amazonaws.com", Name: "SendMessageBatch"},
			params{"queueUrl": "https://sqs.eu-west-1.amazonaws.com/444455556666/q"}, []string{"sqs:SendMessage arn:aws:sqs:eu-west-1:444455556666:q"}},
		{"table", Call{Source: "dynamodb.amazonaws.com", Name: "GetItem"}, params{"tableName": "t"},
			[]string{"dynamodb:GetItem arn:aws:dynamodb" + inAccount + "table/t"}},
		{"the record's own resources", Call{Source: "sns.amazonaws.com", Name: "Publish",
			Resources: []string{"arn:aws:sns:eu-west-1:111122223333:topic", "arn:aws:s3:::data"}}, nil,
			[]string{"sns:Publish arn:aws:sns:eu-west-1:111122223333:topic"}},

		// Names that are no action's: AWS-documented exceptions.
		{"lambda", Call{Source: "lambda.amazonaws.com", Name: "Invoke"}, params{"functionName": "f"},
			[]string{"lambda:InvokeFunction arn:aws:lambda" + inAccount + "function:f"}},
		{"lambda by partial ARN", Call{Source: "lambda.amazonaws.com", Name: "Invoke"}, params{"functionName": "444455556666:function:f"},
			[]string{"lambda:InvokeFunction arn:aws:lambda:eu-west-1:444455556666:function:f"}},
		{"lambda dated", Call{Source: "lambda.amazonaws.com", Name: "UpdateFunctionCode20150331v2"}, nil, []string{"lambda:UpdateFunctionCode"}},
		{"lambda dated, passing a role", Call{Source: "lambda.amazonaws.com", Name: "CreateFunction20150331"}, params{"functionName": "f", "role": jobRole},
			[]string{"iam:PassRole " + jobRole + " implied", "lambda:CreateFunction arn:aws:lambda" + inAccount + "function:f"}},
		{"cloudfront dated", Call{Source: "cloudfront.amazonaws.com", Name: "GetDistribution2020_05_31"}, nil, []string{"cloudfront:GetDistribution"}},
		{"api gateway", Call{Source: "apigateway.amazonaws.com", Name: "CreateRestApi"}, nil, []string{"apigateway:POST"}},
		{"api gateway, its own action", Call{Source: "apigateway.amazonaws.com", Name: "CreatePortal"}, nil, []string{"apigateway:CreatePortal"}},
		{"api gateway tags", Call{Source: "apigateway.amazonaws.com", Name: "TagResource"}, nil,
			[]string{"apigateway:POST attempted ambiguous", "apigateway:PUT attempted ambiguous"}},
		{"partiql", Call{Source: "dynamodb.amazonaws.com", Name: "ExecuteStatement"}, nil, []string{
			"dynamodb:PartiQLDelete attempted ambiguous", "dynamodb:PartiQLInsert attempted ambiguous",
			"dynamodb:PartiQLSelect attempted ambiguous", "dynamodb:PartiQLUpdate attempted ambiguous"}},
		{"partiql refused", Call{Source: "dynamodb.amazonaws.com", Name: "ExecuteTransaction", ErrorCode: "AccessDeniedException",
			Denial: Denial{Action: "dynamodb:PartiQLSelect"}}, nil, []string{
			"dynamodb:PartiQLDelete attempted ambiguous", "dynamodb:PartiQLInsert attempted ambiguous",
			"dynamodb:PartiQLSelect denied", "dynamodb:PartiQLUpdate attempted ambiguous"}},
		{"converse", Call{Source: "bedrock.amazonaws.com", Name: "Converse"}, nil, []string{"bedrock:InvokeModel"}},
		{"case", Call{Source: "S3.amazonaws.com", Name: "GetBucketCors"}, params{"bucketName": "data"}, []string{"s3:GetBucketCORS arn:aws:s3:::data"}},
		{"unknown stays as text", Call{Source: "novel.amazonaws.com", Name: "DoThing"}, nil, []string{"novel:DoThing unknown"}},
		{"unknown S3", Call{Source: s3Endpoint, Name: "NovelCall"}, params{"bucketName": "data"}, []string{"s3:NovelCall unknown"}},

		// Calls that need no permission, and records that are no calls.
		{"who am I", Call{Source: "sts.amazonaws.com", Name: "GetCallerIdentity"}, nil, nil},
		{"session token", Call{Source: "sts.amazonaws.com", Name: "GetSessionToken"}, nil, nil},
		{"sign-in", Call{Source: "signin.amazonaws.com", Name: "ConsoleLogin", Type: "AwsConsoleSignIn"}, nil, nil},
		{"service event", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob", Type: "AwsServiceEvent"}, nil, nil},
		{"summary", Call{Source: s3Endpoint, Name: "GetObject", Type: "AwsAggregatedEvent"}, nil, nil},
		{"network activity repeats a record", Call{Source: s3Endpoint, Name: "ListBuckets", Type: "AwsVpceEvent"}, nil, nil},
		{"refused by an endpoint", Call{Source: "kms.amazonaws.com", Name: "Decrypt", Type: "AwsVpceEvent", ErrorCode: "VpceAccessDenied"}, nil,
			[]string{"kms:Decrypt denied"}},

		// Refusals: AWS: troubleshoot_access-denied.
		{"refused", Call{Source: s3Endpoint, Name: "GetObject", ErrorCode: "AccessDenied"}, params{"bucketName": "data", "key": "k"},
			[]string{"s3:GetObject arn:aws:s3:::data/k denied"}},
		{"refused for another right", Call{Source: s3Endpoint, Name: "GetObject", ErrorCode: "AccessDenied",
			Denial: Denial{Action: "kms:decrypt", Resource: keyARN}}, params{"bucketName": "data", "key": "k"},
			[]string{"kms:Decrypt " + keyARN + " denied", "s3:GetObject arn:aws:s3:::data/k attempted"}},
		{"pass refused", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob", ErrorCode: "AccessDeniedException",
			Denial: Denial{Action: "iam:PassRole", Resource: jobRole}}, params{"roleArn": jobRole},
			[]string{"iam:PassRole " + jobRole + " denied", "sagemaker:CreateTrainingJob attempted"}},
		{"the message's resource", Call{Source: "ecr.amazonaws.com", Name: "BatchGetImage", ErrorCode: "AccessDenied",
			Denial: Denial{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:eu-west-1:444455556666:repository/x"}}, nil,
			[]string{"ecr:BatchGetImage arn:aws:ecr:eu-west-1:444455556666:repository/x denied"}},
		{"create-time check of the execution role", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob", ErrorCode: "ValidationException",
			Denial: Denial{Action: "s3:ListBucket", Resource: bucketARN}}, params{"roleArn": jobRole},
			[]string{"s3:ListBucket arn:aws:s3:::data denied of=" + jobRole, "sagemaker:CreateTrainingJob attempted"}},
		{"create-time check of a tuning job's role", Call{Source: "sagemaker.amazonaws.com", Name: "CreateHyperParameterTuningJob", ErrorCode: "ValidationException",
			Denial: Denial{Action: "s3:ListBucket", Resource: bucketARN}}, params{"trainingJobDefinition.roleArn": jobRole},
			[]string{"s3:ListBucket arn:aws:s3:::data denied of=" + jobRole, "sagemaker:CreateHyperParameterTuningJob attempted"}},
		{"create-time check of a role that is not named", Call{Source: "sagemaker.amazonaws.com", Name: "CreateHyperParameterTuningJob",
			ErrorCode: "ValidationException", Denial: Denial{Action: "s3:ListBucket", Resource: bucketARN}}, nil,
			[]string{"sagemaker:CreateHyperParameterTuningJob attempted"}},
		{"a role that cannot be assumed is no use of it", Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob",
			ErrorCode: "ValidationException", Denial: Denial{Action: "sts:AssumeRole"}}, params{"roleArn": jobRole},
			[]string{"sagemaker:CreateTrainingJob attempted"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := tt.call
			c.Region, c.Account = "eu-west-1", "111122223333"
			if tt.params != nil {
				c.Param = tt.params.get
			}
			var got []string
			for _, u := range Of(c) {
				got = append(got, line(u))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

// TestTables: every action that a table names is in the catalogue, and every
// prefix has actions.
func TestTables(t *testing.T) {
	c := Load()
	services := map[string]bool{}
	for i := range c.Len() {
		services[c.Service(i)] = true
	}
	known := func(table, action string) {
		if i, ok := c.Index(action); !ok || c.Action(i) != action {
			t.Errorf("%s: %s is not in the catalogue", table, action)
		}
	}
	for event, r := range renamedEvents {
		for _, a := range r.actions {
			known(event, a)
		}
		if _, ok := c.Index(event); ok {
			t.Errorf("%s is an action of its own", event)
		}
	}
	for event, name := range s3Events {
		known(event, "s3:"+name)
		if i, ok := c.Index("s3:" + event); ok {
			t.Errorf("%s is an action of its own: %s", event, c.Action(i))
		}
	}
	for _, m := range methods {
		for _, v := range m.verbs {
			known(m.event, "apigateway:"+v)
		}
	}
	for label, p := range prefixes {
		if !services[p] {
			t.Errorf("%s: no service %s", label, p)
		}
	}
	for p := range globalPrefixes {
		if !services[p] {
			t.Errorf("no service %s", p)
		}
	}
	types := map[string]bool{}
	for i := range c.Len() {
		for _, rt := range c.ResourceTypes(i) {
			types[c.Service(i)+"/"+rt.Name] = true
		}
	}
	for name := range named {
		if !types[name] {
			t.Errorf("no resource type %s", name)
		}
	}
}

func TestHasForm(t *testing.T) {
	const table, object = "arn:${Partition}:dynamodb:${Region}:${Account}:table/${TableName}", "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
	for _, tt := range []struct {
		arn, form string
		want      bool
	}{
		{"arn:aws:dynamodb:eu-west-1:111122223333:table/t", table, true},
		{"arn:aws:dynamodb:eu-west-1:111122223333:table/", table, false},
		{"arn:aws:dynamodb:eu-west-1:111122223333:backup/t", table, false},
		{"arn:aws:kms:eu-west-1:111122223333:table/t", table, false},
		{"arn:aws:s3:::data/a/b", object, true},
		{"arn:aws:s3:::data", object, false},
		{"arn:aws:s3:::/a", object, false},
		{"", table, false},
		{"arn:aws:dynamodb", table, false},
		{"arn:aws:iam::111122223333:root", "arn:${Partition}:iam::${Account}:root", true},
		{"arn:aws:iam::111122223333:rooted", "arn:${Partition}:iam::${Account}:root", false},
	} {
		if got := hasForm(tt.arn, tt.form); got != tt.want {
			t.Errorf("hasForm(%q, %q) = %v", tt.arn, tt.form, got)
		}
	}
}

func FuzzOf(f *testing.F) {
	f.Add("s3.amazonaws.com", "CopyObject", "", "", "data", "k", "/a/b?versionId=%zz", "")
	f.Add("s3.amazonaws.com", "GetObject", "AccessDenied", "s3:GetObject", accessPt, "*${", "", "")
	f.Add("kms.amazonaws.com", "Decrypt", "", "", "", "", "", bucketARN)
	f.Add("lambda.amazonaws.com", "CreateFunction20150331", "", "", "", "", "", jobRole)
	f.Add("sagemaker.amazonaws.com", "CreateTrainingJob", "ValidationException", "s3:ListBucket", "", "", "", jobRole)
	f.Fuzz(func(t *testing.T, source, name, code, denied, bucket, key, copied, arn string) {
		c := Call{
			Source: source, Name: name, ErrorCode: code, Region: "eu-west-1", Account: "111122223333",
			Denial: Denial{Action: denied, Resource: arn}, Resources: []string{arn, bucket},
			Param: params{
				"bucketName": bucket, "key": key, "x-amz-copy-source": copied, "roleArn": arn, "queueUrl": copied,
				"encryptionContext.aws:s3:arn": arn, "functionName": bucket, "keyId": arn, "repositoryName": key,
				"logGroupName": bucket, "logStreamName": key, "secretId": key, "name": key, "registryId": bucket,
			}.get,
		}
		uses := Of(c)
		if again := Of(c); fmt.Sprint(again) != fmt.Sprint(uses) {
			t.Fatalf("%v, then %v", uses, again)
		}
		outcome := OutcomeOf(c)
		for _, u := range uses {
			if _, known := Load().Index(u.Action); known != u.Known {
				t.Errorf("%s: known %v", u.Action, u.Known)
			}
			if outcome != Used && (u.Outcome == Used || u.Implied) {
				t.Errorf("%s is %s of a call that was %s", u.Action, u.Outcome, outcome)
			}
			for _, r := range u.Resources {
				if r != "*" && !strings.HasPrefix(r, "arn:") {
					t.Errorf("%s on %q", u.Action, r)
				}
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	c := Call{Source: s3Endpoint, Name: "GetObject", Param: params{"bucketName": "data", "key": "k"}.get}
	Load()
	for b.Loop() {
		Of(c)
	}
}
