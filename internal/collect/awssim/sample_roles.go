package awssim

import "time"

const (
	policyARN          = "arn:aws:iam::" + sampleID + ":policy/"
	awsPolicyARN       = "arn:aws:iam::aws:policy/"
	sagemakerRole      = "AmazonSageMaker-ExecutionRole-20260115T101530"
	sagemakerPolicyARN = policyARN + "service-role/AmazonSageMaker-ExecutionPolicy-20260115T101530"
	former             = " (former)"
)

func sampleManagedPolicies() []ManagedPolicy {
	aws := func(name, version string, created, updated time.Time) ManagedPolicy {
		return ManagedPolicy{
			ARN: awsPolicyARN + name, CreateDate: created, UpdateDate: updated,
			Versions: []PolicyVersion{{ID: version, Document: document("aws-" + name), CreateDate: updated, Default: true}},
		}
	}
	date := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 18, 0, 0, 0, time.UTC)
	}
	lambda := aws("AWSLambdaBasicExecutionRole", "v1", date(2015, 4, 9), date(2015, 4, 9))
	lambda.ARN = awsPolicyARN + "service-role/AWSLambdaBasicExecutionRole"
	return []ManagedPolicy{
		aws("AdministratorAccess", "v1", date(2015, 2, 6), date(2015, 2, 6)),
		aws("AmazonSageMakerFullAccess", "v29", date(2017, 11, 29), date(2026, 2, 12)),
		aws("PowerUserAccess", "v12", date(2015, 2, 6), date(2026, 2, 12)),
		lambda,
		{
			ARN: policyARN + "forecast-wide", Description: "what the forecasting team asked for", CreateDate: ago(420), UpdateDate: ago(200),
			Versions: []PolicyVersion{
				{ID: "v1", Document: document("pricing-training"), CreateDate: ago(420)},
				{ID: "v2", Document: document("forecast-wide"), CreateDate: ago(200), Default: true},
			},
		},
		{
			ARN: policyARN + "ml-permissions-boundary", Description: "the most a training role may do", CreateDate: ago(410),
			Versions: []PolicyVersion{{ID: "v1", Document: document("ml-permissions-boundary"), CreateDate: ago(410), Default: true}},
		},
		{
			ARN: sagemakerPolicyARN, CreateDate: ago(289),
			Versions: []PolicyVersion{{ID: "v1", Document: document("sagemaker-execution-policy"), CreateDate: ago(289), Default: true}},
		},
		{
			ARN: policyARN + "review-labels-read", CreateDate: labelsGranted.Add(-10 * time.Minute),
			Versions: []PolicyVersion{{ID: "v1", Document: document("review-labels-read"), CreateDate: labelsGranted.Add(-10 * time.Minute), Default: true}},
		},
		{
			ARN: policyARN + "data-lake", CreateDate: ago(700),
			Versions: []PolicyVersion{{ID: "v1", Document: document("data-lake"), CreateDate: ago(700), Default: true}},
		},
	}
}

// addRoles makes the roles of the account, and aside those that it no longer has.
func (s *sample) addRoles() {
	team := func(name string) []Tag { return []Tag{{"team", name}, {"managed-by", "terraform"}} }
	inline := func(name string) []InlinePolicy { return []InlinePolicy{{name, document(name)}} }

	s.account.Roles = []Role{
		{Name: "ml-shared-admin", CreateDate: ago(900), Description: "ask #ml-platform before you change this",
			Trust: document("trust-shared-admin"), Attached: []string{awsPolicyARN + "AdministratorAccess"}, Tags: []Tag{{"team", "shared"}}},
		{Name: "pricing-training", CreateDate: ago(510), Trust: document("trust-sagemaker"), Inline: inline("pricing-training"), Tags: team("pricing")},
		{Name: "churn-training", CreateDate: ago(405), Trust: document("trust-sagemaker-guarded"),
			Inline: []InlinePolicy{{"sagemaker-least-privilege", document("churn-training")}}, Tags: team("churn")},
		{Name: "fraud-training-legacy", CreateDate: ago(1200), Trust: document("trust-ec2"), Inline: inline("fraud-training-legacy")},
		{Name: "forecast-training", CreateDate: ago(420), Trust: document("trust-sagemaker-guarded"), Attached: []string{policyARN + "forecast-wide"},
			Boundary: policyARN + "ml-permissions-boundary", Tags: team("forecast")},
		{Name: "vision-training", CreateDate: ago(380), MaxSessionDuration: 43200, Trust: document("trust-sagemaker"), Inline: inline("vision-training"), Tags: team("vision")},
		{Name: "search-ranking-training", CreateDate: ago(430), Trust: document("trust-sagemaker-guarded"), Inline: inline("search-ranking-training"), Tags: team("search")},
		{Name: sagemakerRole, Path: "/service-role/", CreateDate: ago(289), Description: "SageMaker execution role created from the SageMaker AWS Management Console.",
			Trust: document("trust-sagemaker"), Attached: []string{awsPolicyARN + "AmazonSageMakerFullAccess", sagemakerPolicyARN}},
		{Name: "nlp-training-idle", CreateDate: ago(640), Trust: document("trust-sagemaker"), Inline: inline("nlp-training-idle"), Tags: team("nlp")},
		{Name: "segmentation-training", CreateDate: ago(40), Trust: document("trust-sagemaker-guarded"), Inline: inline("segmentation-training"), Tags: team("crm")},
		{Name: "speech-training", CreateDate: ago(150), Trust: document("trust-sagemaker-guarded"), Inline: inline("speech-training"), Tags: team("speech")},
		{Name: "labeling-shared", CreateDate: ago(600), Description: "labels \x1b[2J| <script>alert(1)</script>\nand more",
			Trust: document("trust-labeling"), Inline: inline("labeling-shared"), Tags: []Tag{{"owner", "\x1b[31mvendor\x1b[0m | desk"}}},
		{Name: "iam-automation-training", CreateDate: ago(330), Trust: document("trust-sagemaker"), Inline: inline("iam-automation-training"), Tags: team("platform")},

		// Each of these shows a situation of its own: see sample_cases.go.
		{Name: "returns-training", CreateDate: ago(260), Trust: document("trust-sagemaker-guarded"), Inline: inline("returns-training"), Tags: team("returns")},
		{Name: "customer360-training", CreateDate: ago(340), Trust: document("trust-sagemaker-identity"), Inline: inline("customer360-training"), Tags: team("crm")},
		{Name: "reviews-training", CreateDate: ago(75), Trust: document("trust-sagemaker-guarded"), Inline: inline("reviews-training"),
			Attached: []string{policyARN + "review-labels-read"}, Tags: team("reviews")},
		{Name: "geo-training", CreateDate: ago(310), Trust: document("trust-sagemaker-guarded"), Inline: inline("geo-training"), Tags: team("delivery")},
		{Name: "lookalike-training", CreateDate: ago(290), Trust: document("trust-sagemaker-guarded"), Inline: inline("lookalike-training"), Tags: team("ads")},

		// The rest is no execution role: people, pipelines, services.
		{Name: "ml-engineer", CreateDate: ago(900), Trust: document("trust-account"), Inline: inline("ml-engineer")},
		{Name: "platform-admin", CreateDate: ago(900), Trust: document("trust-account"), Attached: []string{awsPolicyARN + "AdministratorAccess"}},
		{Name: "SecurityAudit", CreateDate: ago(900), Trust: document("trust-account")},
		{Name: "data-engineer", CreateDate: ago(700), Trust: document("trust-account"), Attached: []string{policyARN + "data-lake"}, Boundary: awsPolicyARN + "PowerUserAccess"},
		{Name: "ci-deploy", CreateDate: ago(800), Trust: document("trust-ci"), Inline: inline("ci-deploy")},
		{Name: "order-events", Path: "/service-role/", CreateDate: ago(800), Trust: document("trust-lambda"),
			Inline: inline("order-events"), Attached: []string{awsPolicyARN + "service-role/AWSLambdaBasicExecutionRole"}},
		{Name: "lake-provisioner", CreateDate: ago(700), Trust: document("trust-glue"), Inline: inline("lake-provisioner")},
		{Name: "web-shop", CreateDate: ago(1000), Trust: document("trust-ec2"), Inline: inline("web-shop")},
		{Name: "AWSServiceRoleForConfig", Path: "/aws-service-role/config.amazonaws.com/", CreateDate: ago(1000), Trust: document("trust-config")},
	}
	for i := range s.account.Roles {
		s.roles[s.account.Roles[i].Name] = &s.account.Roles[i]
	}
	s.roles["recsys-training-v1"] = &Role{Name: "recsys-training-v1", CreateDate: ago(500)}
	s.roles["segmentation-training"+former] = &Role{Name: "segmentation-training", CreateDate: ago(450)}
}

// setLastUsed gives each role the time of its newest event, as IAM does within some hours.
func (s *sample) setLastUsed() {
	for i := range s.account.Events {
		e := &s.account.Events[i]
		if e.UserIdentity.SessionContext == nil || e.EventTime.After(sampleNow) {
			continue
		}
		issuer := e.UserIdentity.SessionContext.SessionIssuer
		role := s.roles[issuer.UserName]
		if role.UniqueID() == issuer.PrincipalID && e.EventTime.After(role.LastUsed.Date) {
			role.LastUsed = RoleLastUsed{e.EventTime, e.AWSRegion}
		}
	}
}
