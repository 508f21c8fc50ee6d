package trailgen

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any // string (text), raw, object, array
}

type (
	raw   string // JSON as it is
	array []any
)

func (o object) append(b []byte) []byte {
	b = append(b, '{')
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, m.name...)
		b = append(b, `":`...)
		b = appendValue(b, m.value)
	}
	return append(b, '}')
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		b = append(b, '"')
		b = append(b, v...)
		return append(b, '"')
	case raw:
		return append(b, v...)
	case object:
		return v.append(b)
	case array:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	}
	panic(fmt.Sprintf("trailgen: a value of type %T", v))
}

// generator makes one record.
type generator struct {
	*rand.Rand
	o      *Options
	region string
	at     time.Time
}

func (g *generator) shuffle(o object) {
	g.Shuffle(len(o), func(i, j int) { o[i], o[j] = o[j], o[i] })
	for _, m := range o {
		switch v := m.value.(type) {
		case object:
			g.shuffle(v)
		case array:
			for _, e := range v {
				if e, ok := e.(object); ok {
					g.shuffle(e)
				}
			}
		}
	}
}

func (g *generator) letters(n int, of string) string { return letters(g.Rand, n, of) }

func (g *generator) uuid() string {
	h := g.letters(32, hexadecimal)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (g *generator) time(back int) string {
	return g.at.Add(-time.Duration(back) * time.Second).Format("2006-01-02T15:04:05Z")
}

func (g *generator) ip() string {
	return fmt.Sprintf("10.%d.%d.%d", g.IntN(4), g.IntN(256), g.IntN(256))
}

// session is the userIdentity of a role's session.
func (g *generator) session(arn string, i int) object {
	id := fmt.Sprintf("AROAEXAMPLE%010d", i)
	name := arn[len(arn)-13:]
	session := "SageMaker"
	if i >= 1e6 {
		session = "i-" + strconv.Itoa(100000+i%977)
	}
	return object{
		{"type", "AssumedRole"}, {"principalId", id + ":" + session},
		{"arn", "arn:aws:sts::" + Account + ":assumed-role/" + name + "/" + session},
		{"accountId", Account}, {"accessKeyId", "ASIA" + g.letters(16, upper)},
		{"sessionContext", object{
			{"sessionIssuer", object{{"type", "Role"}, {"principalId", id}, {"arn", arn}, {"accountId", Account}, {"userName", name}}},
			{"webIdFederationData", object{}},
			{"attributes", object{{"creationDate", g.time(g.IntN(3600))}, {"mfaAuthenticated", "false"}}},
		}},
	}
}

// caller is a session of a role: of one asked for in one of a hundred records.
func (g *generator) caller() object {
	if g.Float64() < g.o.Hits {
		i := g.IntN(g.o.Roles)
		return g.session(RoleARN(i), i)
	}
	i := 1_000_000 + g.IntN(400)
	return g.session(fmt.Sprintf("arn:aws:iam::%s:role/service-role/worker-%07d", Account, i), i)
}

var agents = []string{
	"[Boto3/1.34.162 md/Botocore#1.34.162 ua/2.0 os/linux#5.10.226-214.880.amzn2.x86_64 md/arch#x86_64 lang/python#3.10.14 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.162]",
	"aws-sdk-go-v2/1.30.3 os/linux lang/go#1.22.5 md/GOOS#linux md/GOARCH#amd64 api/s3#1.58.2 ft/s3-transfer",
	"[aws-cli/2.17.20 md/awscrt#0.20.11 ua/2.0 os/linux#6.1.94-99.176.amzn2023.x86_64 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#s3.cp]",
	"aws-sdk-java/2.25.66 Linux/5.10.220-209.869.amzn2.x86_64 OpenJDK_64-Bit_Server_VM/17.0.11+9-LTS Java/17.0.11 vendor/Amazon.com_Inc. exec-env/AWS_ECS_EC2 io/async http/NettyNio cfg/retry-mode/standard",
}

// record is one of the ten shapes.
func (g *generator) record() object {
	shape := g.IntN(10)
	agent := agents[g.IntN(len(agents))]
	if g.Float64() < g.o.Escaped {
		agent = `custom \"agent\" \u00fc \\ build\/7`
	}
	who := g.caller()
	if shape == 3 {
		who = object{{"type", "AWSService"}, {"invokedBy", "sagemaker.amazonaws.com"}}
	}
	record := object{
		{"eventVersion", "1.11"}, {"userIdentity", who}, {"eventTime", g.time(0)},
		{"eventSource", shapes[shape].source}, {"eventName", shapes[shape].name}, {"awsRegion", g.region},
		{"sourceIPAddress", g.ip()}, {"userAgent", agent},
	}
	if g.IntN(25) == 0 && shape != 3 {
		record = append(record, member{"errorCode", "AccessDenied"},
			member{"errorMessage", "User: arn:aws:sts::" + Account + ":assumed-role/x/y is not authorized to perform: " + shapes[shape].action + ` on resource: \"arn:aws:s3:::data-lake/x\" because no identity-based policy allows the ` + shapes[shape].action + " action"})
	}
	record = shapes[shape].rest(g, record)
	category := "Management"
	if shapes[shape].data {
		category = "Data"
	}
	return append(record,
		member{"requestID", g.uuid()}, member{"eventID", g.uuid()}, member{"readOnly", raw(strconv.FormatBool(shapes[shape].read))},
		member{"eventType", "AwsApiCall"}, member{"managementEvent", raw(strconv.FormatBool(!shapes[shape].data))},
		member{"recipientAccountId", Account}, member{"eventCategory", category},
		member{"tlsDetails", object{{"tlsVersion", "TLSv1.3"}, {"cipherSuite", "TLS_AES_128_GCM_SHA256"},
			{"clientProvidedHostHeader", shapes[shape].host + "." + g.region + ".amazonaws.com"}}})
}

type shape struct {
	source, name, action, host string
	data, read                 bool
	rest                       func(*generator, object) object
}

var shapes = [10]shape{
	{"s3.amazonaws.com", "GetObject", "s3:GetObject", "data-lake.s3", true, true, s3Object},
	{"s3.amazonaws.com", "PutObject", "s3:PutObject", "data-lake.s3", true, false, s3Object},
	{"kms.amazonaws.com", "Decrypt", "kms:Decrypt", "kms", false, true, kmsDecrypt},
	{"sts.amazonaws.com", "AssumeRole", "sts:AssumeRole", "sts", false, true, assumeRole},
	{"ecr.amazonaws.com", "BatchGetImage", "ecr:BatchGetImage", "api.ecr", false, true, batchGetImage},
	{"logs.amazonaws.com", "CreateLogStream", "logs:CreateLogStream", "logs", false, false, createLogStream},
	{"sagemaker.amazonaws.com", "CreateTrainingJob", "sagemaker:CreateTrainingJob", "api.sagemaker", false, false, createTrainingJob},
	{"ec2.amazonaws.com", "DescribeInstances", "ec2:DescribeInstances", "ec2", false, true, describeInstances},
	{"dynamodb.amazonaws.com", "PutItem", "dynamodb:PutItem", "dynamodb", true, false, putItem},
	{"ssm.amazonaws.com", "GetParameters", "ssm:GetParameters", "ssm", false, true, getParameters},
}

func (g *generator) objectKey() string {
	return fmt.Sprintf("team-%02d/dataset-%03d/dt=2026-%02d-%02d/part-%05d-%s.snappy.parquet", g.IntN(20), g.IntN(100), 1+g.IntN(12), 1+g.IntN(28), g.IntN(400), g.letters(8, hexadecimal))
}

func s3Object(g *generator, o object) object {
	bucket := fmt.Sprintf("data-lake-%02d", g.IntN(8))
	key := g.objectKey()
	return append(o,
		member{"requestParameters", object{{"bucketName", bucket}, {"Host", bucket + ".s3." + g.region + ".amazonaws.com"}, {"key", key}, {"x-id", "GetObject"}}},
		member{"responseElements", object{{"x-amz-server-side-encryption", "aws:kms"}, {"x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:" + g.region + ":" + Account + ":key/0f0f0f0f-1111-2222-3333-444444444444"}, {"x-amz-server-side-encryption-bucket-key-enabled", "true"}}},
		member{"additionalEventData", object{{"SignatureVersion", "SigV4"}, {"CipherSuite", "TLS_AES_128_GCM_SHA256"}, {"bytesTransferredIn", raw("0")},
			{"AuthenticationMethod", "AuthHeader"}, {"x-amz-id-2", g.letters(76, alphanumeric)}, {"bytesTransferredOut", raw(strconv.Itoa(g.IntN(1 << 26)))}}},
		member{"resources", array{object{{"type", "AWS::S3::Object"}, {"ARN", "arn:aws:s3:::" + bucket + "/" + key}},
			object{{"accountId", Account}, {"type", "AWS::S3::Bucket"}, {"ARN", "arn:aws:s3:::" + bucket}}}},
		member{"vpcEndpointId", "vpce-0123456789abcdef0"}, member{"vpcEndpointAccountId", Account})
}

func kmsDecrypt(g *generator, o object) object {
	key := "arn:aws:kms:" + g.region + ":" + Account + ":key/0f0f0f0f-1111-2222-3333-444444444444"
	return append(o,
		member{"requestParameters", object{{"encryptionContext", object{{"aws:s3:arn", "arn:aws:s3:::data-lake-01/" + g.objectKey()}}}, {"encryptionAlgorithm", "SYMMETRIC_DEFAULT"}, {"keyId", key}}},
		member{"responseElements", raw("null")},
		member{"additionalEventData", object{{"keyMaterialId", g.letters(64, hexadecimal)}, {"x-amz-id-2", g.letters(76, alphanumeric)}, {"forwardedBy", "s3.amazonaws.com, on behalf of a caller whose session is told above, with a bucket key"}}},
		member{"resources", array{object{{"accountId", Account}, {"type", "AWS::KMS::Key"}, {"ARN", key}}}})
}

func assumeRole(g *generator, o object) object {
	i := 1_000_000 + g.IntN(400)
	arn := fmt.Sprintf("arn:aws:iam::%s:role/service-role/worker-%07d", Account, i)
	if g.Float64() < g.o.Hits {
		i = g.IntN(g.o.Roles)
		arn = RoleARN(i)
	}
	return append(o,
		member{"requestParameters", object{{"roleArn", arn}, {"roleSessionName", "SageMaker"}, {"durationSeconds", raw("3600")},
			{"policy", `{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Resource\":\"arn:aws:s3:::data-lake-01\/*\"}]}`}}},
		member{"responseElements", object{{"credentials", object{{"accessKeyId", "ASIA" + g.letters(16, upper)}, {"sessionToken", g.letters(360, alphanumeric)}, {"expiration", g.at.Add(time.Hour).Format("Jan 2, 2006, 3:04:05 PM")}}},
			{"assumedRoleUser", object{{"assumedRoleId", fmt.Sprintf("AROAEXAMPLE%010d:SageMaker", i)}, {"arn", "arn:aws:sts::" + Account + ":assumed-role/worker/SageMaker"}}}}},
		member{"resources", array{object{{"accountId", Account}, {"type", "AWS::IAM::Role"}, {"ARN", arn}}}}, member{"sharedEventID", g.uuid()})
}

func batchGetImage(g *generator, o object) object {
	var ids array
	for range 3 {
		ids = append(ids, object{{"imageDigest", "sha256:" + g.letters(64, hexadecimal)}})
	}
	repository := fmt.Sprintf("training/family-%02d", g.IntN(40))
	return append(o,
		member{"requestParameters", object{{"registryId", Account}, {"repositoryName", repository}, {"imageIds", ids},
			{"acceptedMediaTypes", array{"application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}}}},
		member{"responseElements", raw("null")},
		member{"resources", array{object{{"accountId", Account}, {"ARN", "arn:aws:ecr:" + g.region + ":" + Account + ":repository/" + repository}}}})
}

func createLogStream(g *generator, o object) object {
	return append(o,
		member{"requestParameters", object{{"logGroupName", "/aws/sagemaker/TrainingJobs"}, {"logStreamName", fmt.Sprintf("family-%02d-2026-10-%02d-%s/algo-1-%d", g.IntN(40), 1+g.IntN(28), g.letters(6, hexadecimal), g.at.Unix())}}},
		member{"responseElements", raw("null")}, member{"apiVersion", "20140328"},
		member{"additionalEventData", object{{"note", g.letters(160, alphanumeric)}}})
}

func createTrainingJob(g *generator, o object) object {
	arn := fmt.Sprintf("arn:aws:iam::%s:role/service-role/worker-%07d", Account, 1_000_000+g.IntN(400))
	if g.Float64() < g.o.Hits {
		arn = RoleARN(g.IntN(g.o.Roles))
	}
	family := g.IntN(40)
	name := fmt.Sprintf("family-%02d-2026-10-%02d-%s", family, 1+g.IntN(28), g.letters(6, hexadecimal))
	var channels array
	for _, c := range []string{"train", "validation"} {
		channels = append(channels, object{{"channelName", c}, {"dataSource", object{{"s3DataSource", object{{"s3DataType", "S3Prefix"},
			{"s3Uri", fmt.Sprintf("s3://data-lake-01/family-%02d/%s/", family, c)}, {"s3DataDistributionType", "FullyReplicated"}}}}}, {"compressionType", "None"}, {"recordWrapperType", "None"}})
	}
	return append(o,
		member{"requestParameters", object{{"trainingJobName", name}, {"roleArn", arn},
			{"algorithmSpecification", object{{"trainingImage", fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/training/family-%02d:1.4", Account, g.region, family)}, {"trainingInputMode", "File"}, {"enableSageMakerMetricsTimeSeries", raw("false")}}},
			{"inputDataConfig", channels}, {"outputDataConfig", object{{"s3OutputPath", "s3://models/out"}, {"kmsKeyId", ""}}},
			{"resourceConfig", object{{"instanceType", "ml.g5.xlarge"}, {"instanceCount", raw("1")}, {"volumeSizeInGB", raw("100")}}},
			{"stoppingCondition", object{{"maxRuntimeInSeconds", raw("86400")}}}, {"enableManagedSpotTraining", raw("true")}}},
		member{"responseElements", object{{"trainingJobArn", "arn:aws:sagemaker:" + g.region + ":" + Account + ":training-job/" + name}}})
}

func describeInstances(g *generator, o object) object {
	var ids array
	for range 4 + g.IntN(4) {
		ids = append(ids, object{{"instanceId", "i-0" + g.letters(16, hexadecimal)}})
	}
	return append(o,
		member{"requestParameters", object{{"instancesSet", object{{"items", ids}}}, {"filterSet", object{{"items", array{object{{"name", "instance-state-name"}, {"valueSet", object{{"items", array{object{{"value", "running"}}, object{{"value", "pending"}}}}}}}}}}}, {"maxResults", raw("100")}}},
		member{"responseElements", raw("null")}, member{"additionalEventData", object{{"note", g.letters(100, alphanumeric)}}})
}

func putItem(g *generator, o object) object {
	return append(o,
		member{"requestParameters", object{{"tableName", fmt.Sprintf("features-%02d", g.IntN(12))}, {"key", object{{"id", g.uuid()}}}, {"items", array{"id", "features", "updated"}}, {"returnValues", "NONE"}, {"conditionExpression", "attribute_not_exists(id) OR #v < :v"}}},
		member{"responseElements", raw("null")}, member{"apiVersion", "2012-08-10"},
		member{"additionalEventData", object{{"note", g.letters(150, alphanumeric)}, {"score", raw("1.25e-3")}}},
		member{"resources", array{object{{"accountId", Account}, {"type", "AWS::DynamoDB::Table"}, {"ARN", "arn:aws:dynamodb:" + g.region + ":" + Account + ":table/features"}}}})
}

func getParameters(g *generator, o object) object {
	var names array
	for range 4 {
		names = append(names, fmt.Sprintf("/team-%02d/service-%03d/setting-%s", g.IntN(20), g.IntN(100), g.letters(6, hexadecimal)))
	}
	return append(o,
		member{"requestParameters", object{{"withDecryption", raw("true")}, {"names", names}}},
		member{"responseElements", raw("null")}, member{"additionalEventData", object{{"note", g.letters(200, alphanumeric)}}})
}
