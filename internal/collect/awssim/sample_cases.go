package awssim

import (
	"strings"
	"time"
)

const (
	returnsKey  = "arn:aws:kms:us-east-1:" + sampleID + ":key/1f6e5d4c-3b2a-4190-8f7e-6d5c4b3a2918"
	customerKey = "arn:aws:kms:us-east-1:" + sampleID + ":key/c3d9a1e7-52b4-4f6a-9e08-7b1a2c3d4e5f"

	partnerImage = "222222222222.dkr.ecr.us-east-1.amazonaws.com/partner/lookalike-base:4"
	labelsTable  = "arn:aws:dynamodb:us-east-1:" + sampleID + ":table/review-labels"
	embedding    = "amazon.titan-embed-text-v2:0"
)

var (
	// objectsLogged is when the data events of one bucket were switched on.
	objectsLogged = ago(10, 2*time.Hour)
	// labelsGranted is when reviews-training got what it had been refused.
	labelsGranted = ago(18, 3*time.Hour)
	// returnsNarrowed is when returns-training lost what it had used.
	returnsNarrowed = ago(1, time.Hour)
)

// sampleTrails are a trail that leaves out reads and KMS, and one that logs the objects of a single bucket.
func sampleTrails() []Trail {
	return []Trail{
		{Name: "retail-management", MultiRegion: true, Bucket: "retail-cloudtrail", StartedAt: ago(900),
			Selectors: []EventSelector{{ReadWriteType: "WriteOnly", ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}},
		{Name: "ml-objects", Bucket: "retail-cloudtrail", KeyPrefix: "ml-objects", StartedAt: ago(300), SelectedAt: objectsLogged, Advanced: []AdvancedEventSelector{{
			Name: "objects of retail-ml-churn",
			FieldSelectors: []FieldSelector{
				{Field: "eventCategory", Equals: []string{"Data"}},
				{Field: "resources.type", Equals: []string{"AWS::S3::Object"}},
				{Field: "resources.ARN", StartsWith: []string{bucketARN("retail-ml-churn") + "/"}},
			}}}},
	}
}

// caseFamilies are the jobs of the roles that each show a situation of its own.
func caseFamilies() []family {
	const east, west = "us-east-1", "eu-west-1"
	return []family{
		{name: "returns-gbm", role: "returns-training", region: east, image: ownImage(east, "returns-train:6"), bucket: "retail-ml-returns/gbm",
			by: "ml-engineer", count: 8, newest: 50 * time.Hour, every: 7 * day, key: returnsKey, shape: sealedOutput(returnsKey), code: returnsCode},

		{name: "customer360", role: "customer360-training", region: east, image: ownImage(east, "customer360-train:2"), bucket: "retail-ml-customer360/profiles",
			by: "ml-engineer", count: 6, newest: 2 * day, every: 12 * day, key: customerKey, shape: customerJob,
			user: &OnBehalfOf{"84a8d4b8-80a1-70e5-1c2d-3f4a5b6c7d8e", "arn:aws:identitystore::" + sampleID + ":identitystore/d-9067f0e1a2"}},

		{name: "reviews-bert", role: "reviews-training", region: east, image: ownImage(east, "reviews-train:3"), bucket: "retail-ml-reviews/bert",
			by: "ml-engineer", count: 9, newest: 3 * day, every: 7 * day, code: reviewsCode},

		{name: "geo-routing", role: "geo-training", region: west, image: ownImage(west, "geo-train:1"), bucket: "retail-ml-geo-eu/routing",
			by: "ml-engineer", count: 5, newest: 4 * day, every: 13 * day, code: geoCode},
		{name: "geo-tiles", role: "geo-training", region: east, image: ownImage(east, "geo-train:1"), bucket: "retail-ml-geo/tiles",
			by: "ml-engineer", count: 3, newest: 11 * day, every: 20 * day},

		{name: "lookalike", role: "lookalike-training", region: east, image: partnerImage, bucket: "retail-ml-lookalike/audiences",
			by: "ml-engineer", count: 6, newest: 5 * day, every: 12 * day, code: lookalikeCode},

		{name: "basket-embeddings", role: sagemakerRole, region: east, image: deepLearningImage(east), bucket: "sagemaker-us-east-1-" + sampleID + "/embeddings",
			by: sagemakerRole, count: 3, newest: 6 * day, every: 17 * day, shape: embeddingsJob},
	}
}

// addCases adds the jobs of the cases, and what a person did to the account between them.
func (s *sample) addCases() {
	for _, f := range caseFamilies() {
		s.addJobs(f)
	}
	s.addPersonalChanges()
}

func sealedOutput(key string) func(*TrainingJob, int) {
	return func(j *TrainingJob, _ int) { j.OutputDataConfig.KmsKeyId = key }
}

// customerJob reads a bucket of another team, which only that bucket's own policy allows.
func customerJob(j *TrainingJob, i int) {
	sealedOutput(customerKey)(j, i)
	j.InputDataConfig = append(j.InputDataConfig, prefixChannel("features", "s3://retail-shared-features/customers/"))
}

// embeddingsJob reads a bucket whose objects AmazonSageMakerFullAccess gives by their tag only.
func embeddingsJob(j *TrainingJob, _ int) {
	j.InputDataConfig = append(j.InputDataConfig, prefixChannel("receipts", "s3://retail-basket-receipts/parquet/"))
}

// returnsCode uses what the role's policy no longer grants.
func returnsCode(call func(time.Duration, string, map[string]any) Record) []Record {
	table := call(0, "glue:GetTable", map[string]any{"databaseName": "returns", "name": "parcels"})
	return []Record{
		table,
		call(time.Second, "ssm:GetParameter", map[string]any{"name": "/returns/threshold"}),
		keyUse(table.UserIdentity, table.EventTime.Add(2*time.Second), table.AWSRegion, "Decrypt", returnsKey, "s3://retail-returns-archive/2025/labels.parquet"),
	}
}

// reviewsCode reads a table: refused until labelsGranted, though the script goes on without it. GetItem is a data
// event (AWS: logging-using-cloudtrail of DynamoDB).
func reviewsCode(call func(time.Duration, string, map[string]any) Record) []Record {
	table := func(after time.Duration, name string) Record {
		r := call(after, "dynamodb:"+name, map[string]any{"tableName": "review-labels"})
		r.Resources = []ResourceARN{{ARN: labelsTable, AccountID: sampleID, Type: "AWS::DynamoDB::Table"}}
		return r
	}
	calls := []Record{table(0, "DescribeTable"), dataEvent(table(time.Second, "GetItem"))}
	for i, r := range calls {
		if r.EventTime.Before(labelsGranted) {
			action := "dynamodb:" + r.EventName
			calls[i] = denied(r, "AccessDenied", action, labelsTable, "because no identity-based policy allows the "+action+" action")
		}
	}
	return calls
}

// geoCode calls what identity grants and the organization does not: the parameter of another region, and a model.
func geoCode(call func(time.Duration, string, map[string]any) Record) []Record {
	west := call(time.Second, "ssm:GetParameter", map[string]any{"name": "/geo/tiles"})
	west.AWSRegion = "us-west-2"
	model := call(2*time.Second, "bedrock:InvokeModel", map[string]any{"modelId": embedding})
	model.ReadOnly = true
	return []Record{
		call(0, "ssm:GetParameter", map[string]any{"name": "/geo/tiles"}),
		denied(west, "AccessDeniedException", "ssm:GetParameter", "arn:aws:ssm:us-west-2:"+sampleID+":parameter/geo/tiles",
			"with an explicit deny in a service control policy"),
		denied(model, "AccessDenied", "bedrock:InvokeModel", "arn:aws:bedrock:"+model.AWSRegion+"::foundation-model/"+embedding,
			"because no service control policy allows the bedrock:InvokeModel action"),
	}
}

// lookalikeCode runs a query: Athena reads the catalogue and the buckets with the role's own session (AWS:
// access_forward_access_sessions).
func lookalikeCode(call func(time.Duration, string, map[string]any) Record) []Record {
	forAthena := func(after time.Duration, api string, parameters map[string]any, arns ...string) Record {
		r := viaService(call(after, api, parameters), "athena.amazonaws.com")
		for _, arn := range arns {
			kind := "AWS::S3::Bucket"
			if strings.Contains(arn, "/") {
				kind = "AWS::S3::Object"
			}
			r.Resources = append(r.Resources, ResourceARN{ARN: arn, Type: kind})
		}
		return r
	}
	object := func(after time.Duration, name, bucket, key string) Record {
		return dataEvent(forAthena(after, "s3:"+name, map[string]any{"bucketName": bucket, "key": key}, bucketARN(bucket), bucketARN(bucket)+"/"+key))
	}
	query := map[string]any{"queryExecutionId": "6b0a7f2e-1c3d-4e5f-8a9b-0c1d2e3f4a5b"}
	return []Record{
		call(0, "athena:StartQueryExecution", map[string]any{"workGroup": "ml"}),
		forAthena(time.Second, "glue:GetDatabase", map[string]any{"name": "lake"}),
		forAthena(time.Second, "glue:GetTable", map[string]any{"databaseName": "lake", "name": "visits"}),
		forAthena(time.Second, "s3:GetBucketLocation", map[string]any{"bucketName": "retail-athena-results"}, bucketARN("retail-athena-results")),
		object(2*time.Second, "GetObject", "retail-lake", "visits/part-00000.parquet"),
		object(9*time.Second, "PutObject", "retail-athena-results", "ml/result.csv"),
		call(10*time.Second, "athena:GetQueryExecution", query),
		call(11*time.Second, "athena:GetQueryResults", query),
	}
}

// addPersonalChanges are what one administrator did by hand, under her own name as source identity.
func (s *sample) addPersonalChanges() {
	change := func(at time.Time, api string, parameters, response map[string]any, related ...Resource) {
		who := s.account.Session(s.roles["platform-admin"], "ruth.okafor@retail.example", at.Add(-20*time.Minute))
		who.SessionContext.SourceIdentity = "ruth.okafor"
		who.SessionContext.Attributes.MFAAuthenticated = "true"
		r := event(who, at, "us-east-1", api, parameters)
		r.UserAgent = "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/macos#25.0.0"
		r.ResponseElements = response
		r.Related = related
		s.add(r)
	}
	labels := policyARN + "review-labels-read"
	change(labelsGranted.Add(-10*time.Minute), "iam:CreatePolicy", map[string]any{"policyName": "review-labels-read"},
		map[string]any{"policy": map[string]any{"arn": labels, "defaultVersionId": "v1"}}, Resource{"AWS::IAM::Policy", labels})
	change(labelsGranted, "iam:AttachRolePolicy", map[string]any{"roleName": "reviews-training", "policyArn": labels}, nil,
		Resource{"AWS::IAM::Role", "reviews-training"}, Resource{"AWS::IAM::Policy", labels})

	selectors := []any{map[string]any{"name": "objects of retail-ml-churn", "fieldSelectors": []any{
		map[string]any{"field": "eventCategory", "equals": []any{"Data"}},
		map[string]any{"field": "resources.type", "equals": []any{"AWS::S3::Object"}},
		map[string]any{"field": "resources.ARN", "startsWith": []any{bucketARN("retail-ml-churn") + "/"}},
	}}}
	trail := s.account.TrailARN(&Trail{Name: "ml-objects"})
	change(objectsLogged, "cloudtrail:PutEventSelectors", map[string]any{"trailName": "ml-objects", "advancedEventSelectors": selectors},
		map[string]any{"trailARN": trail, "advancedEventSelectors": selectors}, Resource{"AWS::CloudTrail::Trail", trail})

	change(returnsNarrowed, "iam:PutRolePolicy",
		map[string]any{"roleName": "returns-training", "policyName": "returns-training", "policyDocument": document("returns-training")}, nil,
		Resource{"AWS::IAM::Role", "returns-training"}, Resource{"AWS::IAM::Policy", "returns-training"})
}
