package output

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
)

const (
	account = "111122223333"
	trainer = "arn:aws:iam::" + account + ":role/service-role/AmazonSageMaker-ExecutionRole-20240315T142536"
	admin   = "arn:aws:iam::" + account + ":role/ml-platform-admin"
	gone    = "arn:aws:iam::" + account + ":role/forecasting"
	groups  = "arn:aws:logs:eu-west-1:" + account + ":log-group:/aws/sagemaker/TrainingJobs"
	image   = "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-training"
)

func at(s string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", s)
	if err != nil {
		panic(err)
	}
	return t
}

func atp(s string) *time.Time { t := at(s); return &t }

func yes() *bool { b := true; return &b }

// byIdentity is a grant of which no other layer was read.
var byIdentity = report.CellLayers{Identity: "yes", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "notRead"}

var (
	usageWindow = report.Window{From: at("2026-08-02 09:45"), To: at("2026-10-31 09:45")}
	jobsWindow  = report.Window{From: at("2025-09-26 10:00"), To: at("2026-10-31 10:00")}
)

// sample is a report of an account with a role that may do everything, one that
// is nearly right and one that is gone; it is complete.
func sample() *report.Report {
	r := &report.Report{
		SchemaVersion: report.SchemaVersion,
		Tool:          report.Tool{Name: "audit", Version: "0.1.0"},
		Catalog:       report.Catalog{Version: "2026-10-01", Actions: 22091, UnknownActions: []string{"s3:ListObjectsV9"}},
		Account:       report.Account{ID: account, Partition: "aws"},
		OnlyRoles:     []string{},
		GivenPolicies: []report.GivenPolicy{
			{Layer: "rcp", Name: "perimeter.json", SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{Layer: "scp", Level: 1, Name: "01-workloads/regions.json", SHA256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"},
		},
		Caller:      "arn:aws:sts::" + account + ":assumed-role/auditor/cli",
		Regions:     report.Regions{Read: []string{"eu-west-1", "us-east-1"}, Enabled: []string{"eu-west-1", "us-east-1"}},
		Calls:       map[string]int{"cloudtrail:LookupEvents": 84, "iam:GetAccountAuthorizationDetails": 3, "sagemaker:Search": 4, "sts:GetCallerIdentity": 1},
		GeneratedAt: at("2026-10-31 10:00"),
		Window:      usageWindow,
		JobsWindow:  jobsWindow,
		Complete:    true,
		BlindSpots: []report.BlindSpot{
			{What: "logs:PutLogEvents", Reason: "CloudTrail records no call of it, in any kind of event.", Remedy: "Keep it for every role whose jobs write logs."},
			{What: "S3 object reads and writes", Reason: "Data events; no trail of this account was read.", Remedy: "Turn on S3 data events for the buckets of the jobs for one training cycle."},
		},
		Trails: []report.Trail{{ARN: "arn:aws:cloudtrail:eu-west-1:" + account + ":trail/management", HomeRegion: "eu-west-1", MultiRegion: true, Logging: true,
			Records: []report.Recording{
				{EventClass: "management", Access: "write", Without: []string{"kms.amazonaws.com"}, Understood: true, Whole: true},
				{EventClass: "data", Access: "all", ResourceType: "AWS::S3::Object", Scope: []string{"arn:aws:s3:::fraud-models/"}, Understood: true, Since: atp("2026-10-21 09:00")},
				{EventClass: "data", Access: "all", Note: "this version does not model its selector on userIdentity.arn"}},
		}},
		Roles: []report.Role{adminRole(), goneRole(), trainerRole()},
	}
	for _, region := range r.Regions.Read {
		r.Coverage = append(r.Coverage,
			report.Coverage{Source: "cloudtrail:LookupEvents", Region: region, EventClasses: []string{"management"}, Asked: &usageWindow, Covered: &usageWindow, Events: 4200, Complete: true},
			report.Coverage{Source: "sagemaker:Search", Region: region, Scope: "training jobs", Asked: &jobsWindow, Covered: &jobsWindow, Events: 73, Described: 9, Describable: 73, Complete: true})
	}
	r.Coverage = append(r.Coverage, report.Coverage{Source: "iam:GetAccountAuthorizationDetails", Scope: "roles", Events: 11, Complete: true})
	r.Findings = []report.Finding{
		{ID: "8f14e45fceea", Rule: "full-admin", Severity: report.Critical, Role: admin, Subject: "arn:aws:iam::aws:policy/AdministratorAccess",
			Title:     "Every action on every resource is granted",
			Detail:    "AdministratorAccess allows * on *. Code in a training container runs with these rights.",
			Remedy:    "Detach AdministratorAccess and attach the proposed policy.",
			Evidence:  []report.Evidence{{Source: "policy", Text: `"Action": "*", "Resource": "*"`}},
			Statement: &report.StatementRef{Policy: "arn:aws:iam::aws:policy/AdministratorAccess", Version: "v1"},
			Controls:  []string{"SageMaker.4", "IAM.1"}},
		{ID: "c9f0f895fb98", Rule: "trust-open", Severity: report.High, Role: admin, Subject: "AWS:arn:aws:iam::" + account + ":root",
			Title: "The role can be assumed by the whole account", Detail: "The trust policy names the account root without a condition.",
			Remedy: "Let the trust policy name sagemaker.amazonaws.com only."},
		{ID: "45c48cce2e2d", Rule: "missing-permission", Severity: report.Medium, Role: trainer, Subject: "s3:GetObject",
			Title: "A required permission is missing", Detail: "Two jobs failed because the role may not read their channel validation.",
			Remedy:   "Add s3:GetObject on arn:aws:s3:::fraud-validation-data-eu-west-1/2026/* if these jobs are to work.",
			Evidence: []report.Evidence{{Source: "sagemaker", Region: "eu-west-1", Job: "fraud-2026-10-30-08-11-57-123", Field: "FailureReason", Text: "ClientError: Data download failed: AccessDenied"}}},
		{ID: "d3d9446802a4", Rule: "role-gone", Severity: report.Low, Role: gone, Subject: gone, Title: "Jobs ran as a role that is gone", Detail: "3 jobs name it.", Remedy: "Nothing, unless a schedule still starts such jobs."},
		{ID: "6512bd43d9ca", Rule: "trust-missing", Severity: report.High, Role: "arn:aws:iam::999999999999:role/foreign", Subject: "arn:aws:iam::999999999999:role/foreign",
			Title: "CreateTrainingJob failed on a role of another account", Remedy: "Use a role of this account."},
	}
	sum(r)
	fill(reflect.ValueOf(r).Elem())
	return r
}

func adminRole() report.Role {
	needed := []report.Cell{{Action: "s3:GetObject", Resources: []string{"arn:aws:s3:::fraud-training-data-eu-west-1/2026/*"}}, {Action: "s3:ListBucket", Resources: []string{"arn:aws:s3:::fraud-training-data-eu-west-1"}}}
	write := []report.Cell{{Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::fraud-models/output/*", "arn:aws:s3:::fraud-models/checkpoints/*"}}}
	pull := []report.Cell{{Action: "ecr:BatchCheckLayerAvailability", Resources: []string{image}}, {Action: "ecr:BatchGetImage", Resources: []string{image}}, {Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}}, {Action: "ecr:GetDownloadUrlForLayer", Resources: []string{image}}}
	logs := []report.Cell{{Action: "logs:CreateLogGroup", Resources: []string{groups}}, {Action: "logs:CreateLogStream", Resources: []string{groups + ":log-stream:*"}}, {Action: "logs:PutLogEvents", Resources: []string{groups + ":log-stream:*"}}}
	var required []report.Required
	for _, area := range []struct {
		name  string
		cells []report.Cell
	}{{"ecr-pull", pull}, {"logs", logs}, {"s3-read", needed}, {"s3-write", write}} {
		for _, c := range area.cells {
			required = append(required, report.Required{Action: c.Action, Area: area.name, Resources: c.Resources, ResourcesTotal: len(c.Resources), Strength: "completed", Confidence: "doc", IfMissing: "fails", Verdict: report.VerdictRequired})
		}
	}
	required = append(required, report.Required{Action: "kms:Decrypt", Area: "kms", Resources: []string{"arn:aws:kms:eu-west-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"}, ResourcesTotal: 1, Strength: "proven", Confidence: "doc", IfMissing: "fails", Verdict: report.VerdictUsed},
		report.Required{Action: "cloudwatch:PutMetricData", Area: "metrics", Resources: []string{"*"}, ResourcesTotal: 1, Strength: "completed", Confidence: "doc", IfMissing: "unknown", Optional: true, Verdict: report.VerdictRequired})
	var cells []report.JudgedCell
	for _, q := range required {
		for _, resource := range q.Resources {
			c := report.JudgedCell{Action: q.Action, Area: q.Area, Resource: resource, Granted: "yes", Effective: "yes", Layers: byIdentity, Needed: q.Strength, Verdict: q.Verdict}
			if q.Action == "ecr:BatchGetImage" {
				c.Verdict, c.Seen = report.VerdictUsed, 128
			}
			cells = append(cells, c)
		}
		cells = append(cells, report.JudgedCell{Action: q.Action, Area: q.Area, Rest: true, Patterns: []string{"*"}, Granted: "yes", Effective: "yes", Layers: byIdentity,
			Verdict: report.VerdictUnobservable, Reason: "recorded as data events only, which Event history never shows"})
	}
	return report.Role{
		ARN: admin, ID: "AROAEXAMPLEADMIN00001", Name: "ml-platform-admin", Path: "/", Exists: true,
		CreatedAt: atp("2023-02-01 08:00"), LastUsedAt: atp("2026-10-30 22:10"),
		Readiness: report.Confirm, ReadinessWhy: []string{"A person used the role too: 3 actions by human.", "S3 object calls could not be observed."},
		Jobs: report.Jobs{Total: 128, ByRegion: map[string]int{"eu-west-1": 120, "us-east-1": 8}, ByStatus: map[string]int{"Completed": 121, "Failed": 5, "Stopped": 2},
			FirstAt: atp("2025-10-02 07:00"), LastAt: atp("2026-10-30 21:00"), Names: []string{"fraud-2026-10-30-20-58-12-331", "fraud-2026-10-29-20-58-10-120", "fraud-2026-10-28-20-58-14-008", "fraud-2026-10-27-20-58-09-441"}},
		Workloads: []report.Workload{{Kind: "endpoint", ARN: "arn:aws:sagemaker:eu-west-1:" + account + ":endpoint/fraud-live", Region: "eu-west-1"}},
		Trust:     report.Trust{AllowsSageMaker: true, Guard: "none", OtherPrincipals: []string{"AWS:arn:aws:iam::" + account + ":root"}},
		Policies:  []report.PolicyRef{{Kind: "managed", Name: "AdministratorAccess", ARN: "arn:aws:iam::aws:policy/AdministratorAccess", Version: "v1"}},
		Layers:    report.Layers{Identity: "read", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "notRead"},
		Counts:    report.Counts{Granted: 22091, Used: 9, Required: 5, Unused: 15700, Unobservable: 6377},
		Granted:   report.Granted{Identity: 22091, Effective: 22091, Services: services(435)},
		Used: []report.Used{
			{Action: "ecr:BatchGetImage", Resources: []string{image}, ResourcesTotal: 1, Count: 128, First: at("2026-08-02 10:00"), Last: at("2026-10-30 21:01"), Regions: []string{"eu-west-1", "us-east-1"}, By: []string{"training"}, Verdict: report.VerdictUsed, Evidence: []report.Evidence{{Source: "cloudtrail", EventID: "0a1b", EventName: "BatchGetImage"}}},
			{Action: "kms:Decrypt", Resources: []string{"arn:aws:kms:eu-west-1:" + account + ":key/1234abcd-12ab-34cd-56ef-1234567890ab"}, ResourcesTotal: 1, Count: 960, First: at("2026-08-02 10:00"), Last: at("2026-10-30 21:03"), Regions: []string{"eu-west-1"}, By: []string{"training"}, Verdict: report.VerdictUsed},
			{Action: "iam:ListRoles", Count: 3, First: at("2026-09-01 10:00"), Last: at("2026-09-01 10:05"), Regions: []string{"us-east-1"}, By: []string{"human"}, Verdict: report.VerdictUsed},
			{Action: "sagemaker:DescribeTrainingJob", Count: 1, First: at("2026-09-01 10:00"), Last: at("2026-09-01 10:05"), Regions: []string{"eu-west-1"}, By: []string{"studio", "human"}, Who: []string{"source identity dana"}, Verdict: report.VerdictForeign,
				Reason: "no policy of the role grants it today: PutRolePolicy by platform/ruth on 2026-10-30 came after its last use"},
		},
		Required: required,
		Unused: report.Unseen{Count: 15700, Services: map[string]report.UnseenService{
			"ec2": {Count: 710, All: true}, "iam": {Count: 176, Actions: []string{"iam:AddRoleToInstanceProfile", "iam:AddUserToGroup"}}, "a4b": {Count: 93, All: true},
			"ecr": {Count: 2, Actions: []string{"ecr:DeleteRepository", "ecr:PutImage"}}, "dynamodb": {Count: 66, All: true}},
			Basis: []string{"CloudTrail Event history, management events, 2026-08-02 to 2026-10-31, eu-west-1 and us-east-1"}},
		Unobservable: report.Unseen{Count: 6377, Services: map[string]report.UnseenService{"s3": {Count: 120, Actions: []string{"s3:DeleteObject"}}, "sqs": {Count: 20, All: true}},
			Reasons: []report.Reason{{Reason: "a data event, and no source of data events was read", Count: 2100}, {Reason: "CloudTrail never records the call", Count: 4277}}},
		Cells: cells, CellsTotal: len(cells),
		Areas: []report.Area{
			{Area: "ecr-pull", Required: pull, Granted: star(pull), Touched: pull[1:2], Excess: 45, ExcessPatterns: 4, Proposed: pull},
			{Area: "s3-read", Required: needed, Granted: star(needed), Touched: []report.Cell{{Action: "s3:GetObject", Resources: []string{"arn:aws:s3:::fraud-training-data-eu-west-1/2026/10/train.parquet"}}}, Excess: 140, Proposed: needed},
			{Area: "s3-write", Required: write, Granted: star(write), Excess: 140, Proposed: write},
			{Area: "logs", Required: logs, Granted: star(logs), Touched: logs[:2], Excess: 98, Proposed: []report.Cell{{Action: "logs:CreateLogGroup", Resources: []string{groups}}, {Action: "logs:CreateLogStream", Resources: []string{groups + ":log-stream:*"}, Conditional: true}, {Action: "logs:PutLogEvents", Resources: []string{groups + ":log-stream:*"}}}},
		},
		Reach: report.Reach{Buckets: report.BucketReach{Granted: "all", ResourceReach: report.ResourceReach{Known: 214,
			Read: report.Reached{Certain: 212, Partial: 3, PolicyNotRead: 180}, Write: report.Reached{Certain: 40, Conditional: 2}, Needed: []string{"fraud-models", "fraud-training-data-eu-west-1"}}},
			Repositories:  report.ResourceReach{Known: 1, AtLeast: true, Why: []string{"the account's repositories in eu-west-1 could not be listed"}, Read: report.Reached{Certain: 1}, Needed: []string{"arn:aws:ecr:eu-west-1:111122223333:repository/fraud"}},
			Keys:          report.ResourceReach{Known: 1, Read: report.Reached{Conditional: 1}},
			Administrator: "no", EscalationTotal: 14, EscalationWhy: []string{"the account's other roles were not read"},
			Escalation: []report.Path{
				{Reaches: "administrator", Target: "arn:aws:iam::" + account + ":role/deploy", Certainty: "certain", Sentence: "fraud-training can make itself administrator in 2 steps: it runs a SageMaker training job as deploy; as deploy it attaches AdministratorAccess to itself.",
					Steps: []report.PathStep{
						{Method: "sagemaker-training-job", Also: []string{"sagemaker-notebook"}, Role: "arn:aws:iam::" + account + ":role/fraud-training", Target: "arn:aws:iam::" + account + ":role/deploy", Certainty: "certain",
							Grants: []report.StepGrant{{Action: "iam:PassRole", Resource: "arn:aws:iam::" + account + ":role/deploy", Statements: []report.StatementRef{{Policy: "fraud", Sid: "Pass", Index: 2}}}, {Action: "sagemaker:CreateTrainingJob", Resource: "arn:aws:sagemaker:*:" + account + ":training-job/*", Statements: []report.StatementRef{{Policy: "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", Version: "v29"}}}},
							Trust:  []report.StatementRef{{Policy: "trust"}}},
						{Method: "attach-role-policy", Role: "arn:aws:iam::" + account + ":role/deploy", Target: "arn:aws:iam::" + account + ":role/deploy", Certainty: "certain",
							Grants: []report.StepGrant{{Action: "iam:AttachRolePolicy", Resource: "arn:aws:iam::" + account + ":role/deploy"}}}}},
				{Reaches: "unknown", Certainty: "conditional", Sentence: "fraud-training may be able to replace the code of Lambda functions: it then runs as the function's role; what there is was not read.",
					Steps: []report.PathStep{{Method: "lambda-update-code", Role: "arn:aws:iam::" + account + ":role/fraud-training", Certainty: "conditional", Why: []string{"fraud allows lambda:UpdateFunctionCode under a condition on aws:SourceVpc"}, Grants: []report.StepGrant{{Action: "lambda:UpdateFunctionCode", Resource: "*", Statements: []report.StatementRef{{Policy: "fraud"}}}}}}}}},
		Proposal: &report.Proposal{
			Policies:     []report.ProposedPolicy{{Kind: "inline", Name: "sagemaker-least-privilege", Document: json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Sid":"S3Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::fraud-training-data-eu-west-1/2026/*"},{"Sid":"Logs","Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"` + groups + `:log-stream:*"}]}`)}},
			Statements:   []report.Statement{{Sid: "S3Read", Area: "s3-read", Section: "core", Because: []string{"channel train of 121 completed jobs"}}, {Sid: "Logs", Area: "logs", Section: "others", Because: []string{"documented for every training job", "128 jobs"}}},
			Trust:        json.RawMessage(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}]}`),
			Removed:      []report.Removed{{Action: "ec2:*", Count: 710, Because: "not seen in 90 days and not required"}, {Action: "iam:ListRoles", Count: 1, Because: "used by a person, not by a job", LastSeen: atp("2026-09-01 10:05")}, {Action: "sqs:*", Count: 20, Because: "could not be observed: confirm first"}},
			RemovedTotal: 22077,
			Confirm:      []string{"s3:DeleteObject: no source would have shown it. Do the jobs delete objects?", "iam:ListRoles: a person used it on 2026-09-01."},
			Notes:        []string{"Patterns stop before the first part that varies between jobs."},
			Before:       report.Extent{Actions: 22091, Resources: 1}, After: report.Extent{Actions: 11, Resources: 9},
			Review: []string{"iam:PassRole was used twice: it can hand on a role."},
			Backtest: []report.Backtest{{At: at("2026-06-01 00:00"), Jobs: 60, Replayed: 68, Broken: 3, Calls: 40, BrokenCalls: 1,
				Because: []string{"s3:GetObject on arn:aws:s3:::fraud-validation-data-eu-west-1/2026/* (job fraud-2026-10-30-08-11-57-123, InputDataConfig[validation])"}}},
			Proof: report.Proof{Status: "partial", Covers: yes(), Irredundant: yes(), Reasons: []string{"the data plane of S3 was not observed"}, Characters: 1012, WidensNothing: yes()},
		},
	}
}

func trainerRole() report.Role {
	return report.Role{
		ARN: trainer, ID: "AROAEXAMPLETRAIN00002", Name: "AmazonSageMaker-ExecutionRole-20240315T142536", Path: "/service-role/", Exists: true,
		CreatedAt: atp("2024-03-15 14:25"), LastUsedAt: atp("2026-10-31 08:00"), Readiness: report.Draft, ReadinessWhy: []string{"One of its jobs is in progress."},
		Jobs:     report.Jobs{Total: 18, ByRegion: map[string]int{"eu-west-1": 18}, ByStatus: map[string]int{"Completed": 15, "Failed": 2, "InProgress": 1}, FirstAt: atp("2026-09-01 09:00"), LastAt: atp("2026-10-30 08:11"), Names: []string{"fraud-2026-10-30-08-11-57-123"}},
		Trust:    report.Trust{AllowsSageMaker: true, Guard: "both"},
		Policies: []report.PolicyRef{{Kind: "inline", Name: "s3-access"}, {Kind: "boundary", Name: "ml-boundary", ARN: "arn:aws:iam::" + account + ":policy/ml-boundary", Version: "v3"}},
		Layers:   report.Layers{Identity: "read", Boundary: "read", SCP: "notRead", RCP: "notRead", Resource: "notRead"},
		Counts:   report.Counts{Granted: 14, Used: 6, Required: 4, Blocked: 1, Unused: 1, Unobservable: 2, Missing: 1, Refused: 1},
		Granted:  report.Granted{Identity: 17, Effective: 14, Conditional: 2, Services: []string{"ecr", "logs", "s3"}},
		Used:     []report.Used{{Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}, ResourcesTotal: 1, Count: 18, First: at("2026-09-01 09:01"), Last: at("2026-10-30 08:12"), Regions: []string{"eu-west-1"}, By: []string{"training"}, Verdict: report.VerdictUsed}},
		Denied: []report.Denied{
			{Action: "s3:GetObject", Resources: []string{"arn:aws:s3:::fraud-validation-data-eu-west-1/2026/10/validation.parquet"}, ResourcesTotal: 1, Count: 2, Last: at("2026-10-30 08:13"), Verdict: report.VerdictMissing, Layer: "identity", Reason: "no policy of the role grants it", Evidence: []report.Evidence{{Source: "cloudtrail", Region: "eu-west-1", EventID: "5c1e7a1e-1111-4222-8333-444455556666", EventName: "CreateTrainingJob"}}},
			{Action: "sts:AssumeRole", Count: 40, Last: at("2026-10-01 12:00"), ResolvedAt: atp("2026-10-02 12:00"), Verdict: report.VerdictRefused}},
		Missing:      []report.Missing{{Action: "s3:GetObject", Resources: []string{"arn:aws:s3:::fraud-validation-data-eu-west-1/2026/*"}, Evidence: []report.Evidence{{Source: "sagemaker", Region: "eu-west-1", Job: "fraud-2026-10-30-08-11-57-123", Field: "InputDataConfig[1].DataSource.S3DataSource.S3Uri"}}}},
		Unused:       report.Unseen{Count: 1, Services: map[string]report.UnseenService{"s3": {Count: 1, Actions: []string{"s3:CreateBucket"}}}, Basis: []string{"CloudTrail Event history, management events"}},
		Unobservable: report.Unseen{Count: 2, Services: map[string]report.UnseenService{"s3": {Count: 2, Actions: []string{"s3:DeleteObject", "s3:GetObjectTagging"}}}, Reasons: []report.Reason{{Reason: "a data event, and no source of data events was read", Count: 2}}},
		Areas: []report.Area{
			{Area: "ecr-pull", Required: []report.Cell{{Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}}}, Granted: []report.Cell{{Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}}}, Touched: []report.Cell{{Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}}}, Proposed: []report.Cell{{Action: "ecr:GetAuthorizationToken", Resources: []string{"*"}}}},
			{Area: "s3-read"}, {Area: "s3-write"}, {Area: "logs"}},
		Reach:    report.Reach{Buckets: report.BucketReach{Granted: "named"}, Administrator: "no"},
		Proposal: &report.Proposal{Trust: json.RawMessage("null"), RemovedTotal: 0, Proof: report.Proof{Status: "undecided", Reasons: []string{"there is no document"}}},
	}
}

func goneRole() report.Role {
	return report.Role{ARN: gone, Name: "forecasting", Path: "/", Readiness: report.Blocked, ReadinessWhy: []string{"The role is gone: there is nothing to replace."},
		Jobs:   report.Jobs{Total: 3, ByRegion: map[string]int{"us-east-1": 3}, ByStatus: map[string]int{"Completed": 3}, FirstAt: atp("2025-10-01 01:00"), LastAt: atp("2025-10-03 01:00"), Names: []string{"forecast-3", "forecast-2", "forecast-1"}},
		Trust:  report.Trust{Guard: "unknown"},
		Layers: report.Layers{Identity: "none", Boundary: "none", SCP: "notRead", RCP: "notRead", Resource: "notRead"},
		Reach:  report.Reach{Buckets: report.BucketReach{Granted: "unknown"}, Administrator: "unknown"}}
}

// incomplete is the sample of a run that AWS cut short.
func incomplete() *report.Report {
	r := sample()
	r.Complete = false
	r.OnlyRoles = []string{"AmazonSageMaker-*", "arn:aws:iam::" + account + ":role/ml-platform-admin", "forecasting"}
	r.Regions.Enabled = append(r.Regions.Enabled, "ap-south-1", "ap-northeast-1")
	for i := range r.Coverage {
		if c := &r.Coverage[i]; c.Region == "us-east-1" {
			c.Complete, c.Events, c.Described, c.Describable, c.Covered = false, 0, 0, 0, nil
		}
	}
	r.Coverage[0].Complete = false
	r.Coverage[0].Covered = &report.Window{From: at("2026-09-20 00:00"), To: usageWindow.To}
	r.Gaps = []report.Gap{
		{Source: "cloudtrail:LookupEvents", Region: "eu-west-1", Scope: "2026-08-02T09:45:00Z to 2026-09-20T00:00:00Z", Impact: "usage", Reason: "throttled", Detail: "ThrottlingException: Rate exceeded"},
		{Source: "cloudtrail:LookupEvents", Region: "us-east-1", Impact: "usage", Reason: "refused", Detail: "AccessDeniedException: User: arn:aws:sts::" + account + ":assumed-role/auditor/cli is not authorized to perform: cloudtrail:LookupEvents because no identity-based policy allows the cloudtrail:LookupEvents action"},
		{Source: "sagemaker:Search", Region: "ap-south-1", Impact: "jobs", Reason: "cut", Detail: "connection reset by peer"},
		{Source: "sagemaker:Search", Region: "us-east-1", Impact: "jobs", Reason: "cut", Detail: "connection reset by peer"},
		{Source: "iam:GetPolicyVersion", Scope: "arn:aws:iam::" + account + ":policy/teams/machine-learning/eu/an-unusually-long-policy-name-for-the-fraud-detection-team", Impact: "roles", Reason: "timeout"},
		{Source: "kms:ListAliases", Region: "eu-west-1", Impact: "detail", Reason: "unsupported", Detail: "UnknownOperationException"},
	}
	return r
}

// empty is the report of an account without execution roles.
func empty() *report.Report {
	r := sample()
	r.Roles, r.Findings = nil, nil
	r.Summary = report.Summary{}
	r.BlindSpots = nil
	fill(reflect.ValueOf(r).Elem())
	return r
}

// crowd is a report of n roles with long and foreign names and many of everything.
func crowd(n int) *report.Report {
	r := sample()
	r.Roles, r.Findings = nil, nil
	for i := range n {
		role := adminRole()
		role.Name = fmt.Sprintf("team-%03d-with-a-name-as-long-as-IAM-permits-which-is-64-charact", i)
		if i%3 == 0 {
			role.Name = fmt.Sprintf("訓練ジョブ実行ロール-%d", i)
		}
		role.ID = fmt.Sprintf("AROACROWD%08d", i)
		role.ARN = "arn:aws:iam::" + account + ":role/" + role.Name
		role.Jobs.Total = i * 997
		for k := range 60 {
			role.Used = append(role.Used, report.Used{Action: fmt.Sprintf("service%d:Action%d", k%7, k), Count: k, First: usageWindow.From, Last: usageWindow.To, Verdict: report.VerdictUsed})
			role.Areas[1].Touched = append(role.Areas[1].Touched, report.Cell{Action: "s3:GetObject", Resources: []string{fmt.Sprintf("arn:aws:s3:::bucket-%d/a key with blanks/%d", k, k)}})
		}
		r.Roles = append(r.Roles, role)
		for k := range i % 7 {
			r.Findings = append(r.Findings, report.Finding{ID: fmt.Sprintf("id%04d%04d", i, k), Rule: "rule", Severity: report.SeverityList[(i+k)%5], Role: role.ARN, RoleID: role.ID, Subject: role.ARN, Title: "Finding number " + fmt.Sprint(k), Remedy: "Do something about it."})
		}
	}
	sum(r)
	fill(reflect.ValueOf(r).Elem())
	return r
}

func services(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("service%03d", i)
	}
	return out
}

func star(cells []report.Cell) []report.Cell {
	out := make([]report.Cell, len(cells))
	for i, c := range cells {
		out[i] = report.Cell{Action: c.Action, Resources: []string{"*"}}
	}
	return out
}

// sum computes the summary, and gives each finding the id of its role.
func sum(r *report.Report) {
	for i := range r.Findings {
		if role := r.Role(r.Findings[i].Role); role != nil && r.Findings[i].RoleID == "" {
			r.Findings[i].RoleID = role.ID
		}
	}
	r.Summary = report.Summary{Roles: len(r.Roles)}
	for _, role := range r.Roles {
		r.Summary.Jobs += role.Jobs.Total
		r.Summary.Add(role.Counts)
	}
	f := &r.Summary.Findings
	for _, x := range r.Findings {
		*[]*int{&f.Critical, &f.High, &f.Medium, &f.Low, &f.Info}[x.Severity.Rank()]++
	}
}

// fill makes every nil slice and map empty, as the contract wants them.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			fill(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return
		}
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		for _, k := range v.MapKeys() {
			e := reflect.New(v.Type().Elem()).Elem()
			e.Set(v.MapIndex(k))
			fill(e)
			v.SetMapIndex(k, e)
		}
	}
}
