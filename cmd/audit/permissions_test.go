package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// demandingAccount needs every operation: a job of a role that is gone, a policy
// that serves as a boundary alone, a trail, a bucket, a key by its alias.
func demandingAccount() *awssim.Account {
	const trust = `{"Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	const document = `{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}}`
	a := emptyAccount()
	a.Policies = []awssim.ManagedPolicy{
		{ARN: "arn:aws:iam::123456789012:policy/data", Versions: []awssim.PolicyVersion{{ID: "v1", Document: document}}},
		{ARN: "arn:aws:iam::aws:policy/PowerUserAccess", Versions: []awssim.PolicyVersion{{ID: "v1", Document: document}}},
	}
	a.Roles = []awssim.Role{{Name: "trainer", CreateDate: accountNow.AddDate(-1, 0, 0), Trust: trust, Boundary: "arn:aws:iam::aws:policy/PowerUserAccess",
		Attached: []string{"arn:aws:iam::123456789012:policy/data"}, Inline: []awssim.InlinePolicy{{Name: "more", Document: document}}}}
	a.Trails = []awssim.Trail{{Name: "trail", MultiRegion: true, KMSKey: "arn:aws:kms:us-east-1:123456789012:key/22222222-2222-4222-8222-222222222222"}}
	a.Buckets = []awssim.Bucket{{Name: "models", Policy: document}, {Name: "aws-cloudtrail-logs-123456789012"}}
	for n := range 92 {
		for _, region := range a.Regions {
			a.Events = append(a.Events, awssim.Record{EventTime: accountNow.Add(-time.Duration(n) * day), AWSRegion: region.Name, EventSource: "ec2.amazonaws.com", EventName: "DescribeVpcs", ReadOnly: true,
				UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::123456789012:user/x"}})
		}
	}
	a.Keys = []awssim.Key{{ID: "11111111-1111-4111-8111-111111111111", Aliases: []string{"alias/models"}}}
	for _, role := range []awssim.Role{a.Roles[0], {Name: "gone"}} {
		at := accountNow.Add(-time.Duration(len(a.Jobs)+1) * day)
		a.Jobs = append(a.Jobs, awssim.TrainingJob{Region: "us-east-1", TrainingJobName: "job-of-" + role.Name, TrainingJobStatus: "Completed", SecondaryStatus: "Completed",
			RoleArn: a.RoleARN(&role), CreationTime: at, LastModifiedTime: at,
			AlgorithmSpecification: &awssim.AlgorithmSpecification{TrainingImage: a.ID + ".dkr.ecr.us-east-1.amazonaws.com/train:1"},
			OutputDataConfig:       &awssim.OutputDataConfig{S3OutputPath: "s3://models/out", KmsKeyId: "alias/models"}})
		a.Events = append(a.Events, awssim.Record{EventTime: at, AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
			EventSource: "sagemaker.amazonaws.com", EventName: "CreateTrainingJob", UserIdentity: awssim.UserIdentity{Type: "IAMUser", ARN: "arn:aws:iam::123456789012:user/x"},
			RequestParameters: map[string]any{"roleArn": a.RoleARN(&role)}})
	}
	return a
}

// granting lets a policy, less one of its actions, decide over requests.
func granting(t *testing.T, text, without string) func(action, resource string) bool {
	t.Helper()
	var p readPolicy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Statement {
		p.Statement[i].Action = slices.DeleteFunc(p.Statement[i].Action, func(a string) bool { return a == without })
	}
	p.Statement = slices.DeleteFunc(p.Statement, func(s readStatement) bool { return len(s.Action) == 0 })
	rest, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	document, err := policy.Parse(rest)
	if err != nil {
		t.Fatal(err)
	}
	who, err := policy.ParsePrincipal("arn:aws:iam::123456789012:role/auditor")
	if err != nil {
		t.Fatal(err)
	}
	stack := policy.Stack{Identity: []policy.Policy{{Layer: policy.LayerIdentity, Kind: "inline", Name: "audit", Document: document}}}
	context := policy.Offline(policy.Facts{Principal: who}).With("kms:ViaService", "s3.us-east-1.amazonaws.com")
	return func(action, resource string) bool {
		return stack.Decide(policy.Request{Principal: who, Action: action, Resource: resource, Context: context}, policy.Must).Outcome == policy.Allowed
	}
}

// Under the policy that audit permissions prints a run misses nothing; without any
// one of its actions it says which.
func TestPermissionsAreEnoughAndNeeded(t *testing.T) {
	account := demandingAccount()
	server := awssim.New(account)
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, test := range []struct {
		name  string
		flags []string
		set   func(*collect.Options)
	}{
		{"default", nil, func(*collect.Options) {}},
		{"few roles", []string{"--role", "trainer", "--role", "gone"}, func(o *collect.Options) { o.Roles = []string{"trainer", "gone"} }},
		{"roles by pattern", []string{"--role", "*"}, func(o *collect.Options) { o.Roles = []string{"*"} }},
		{"no usage", []string{"--usage", "none"}, func(o *collect.Options) { o.Usage = collect.UsageNone }},
		{"log files", []string{"--usage", "trail"}, func(o *collect.Options) { o.Usage, o.Logs = collect.UsageNone, []collect.LogSource{{}} }},
		{"log files of a bucket", []string{"--usage", "s3://aws-cloudtrail-logs-123456789012/AWSLogs"}, func(o *collect.Options) {
			o.Usage, o.Logs = collect.UsageNone, []collect.LogSource{{Bucket: "aws-cloudtrail-logs-123456789012", Prefix: "AWSLogs/"}}
		}},
		{"one region", []string{"--region", "us-east-1"}, func(o *collect.Options) { o.Regions = []string{"us-east-1"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := collect.Options{EndpointURL: url, StaticCredentials: true, Window: eventHistory, JobsWindow: 400 * day, Usage: collect.UsageLookup,
				Now: func() time.Time { return account.Now }, InScope: analyze.TrustsSageMaker, RecordsManagement: analyze.RecordsManagement}
			test.set(&o)
			printed, _ := audit(t, exitOK, append([]string{"permissions"}, test.flags...)...)
			read := func(without string) *snapshot.Snapshot {
				server.Configure(func(b *awssim.Behaviour) { b.Authorize = granting(t, printed, without) })
				s, err := collect.Collect(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			if s := read(""); len(s.Gaps) > 0 || len(s.Roles) != 1 || len(s.Jobs) != 2 || len(s.Resources) != 2 {
				t.Errorf("%d roles, %d jobs, %d resources, gaps %+v", len(s.Roles), len(s.Jobs), len(s.Resources), s.Gaps)
			}
			var p readPolicy
			if err := json.Unmarshal([]byte(printed), &p); err != nil {
				t.Fatal(err)
			}
			var actions []string
			for _, statement := range p.Statement {
				actions = append(actions, statement.Action...)
			}
			for _, action := range actions {
				named := 0
				for _, g := range read(action).Gaps {
					switch {
					case g.Permission == action:
						named++
					case g.Permission != "" && !strings.Contains(printed, `"`+g.Permission+`"`):
						// What it falls back to is refused as well, and says so.
					case g.Permission != "":
						t.Errorf("without %s the gap %+v", action, g)
					}
				}
				if named == 0 {
					t.Errorf("without %s no gap names it", action)
				}
			}
			t.Logf("%d actions, none of them for nothing", len(actions))
		})
	}
}
