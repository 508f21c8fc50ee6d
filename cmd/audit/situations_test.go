package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/awssim"
)

// situations are what an audit of the sample account must tell apart. The words are
// those of the table, in a role's own section, or with no role anywhere in it; what is
// told of a cell stands in the JSON as well.
var situations = []struct {
	name, role string
	words      []string
	cells      []report.JudgedCell // by action and resource: what else is set is compared
}{
	{"a grant by name pattern", "AmazonSageMaker-ExecutionRole-20260115T101530",
		[]string{"granted outright on a part of it only, elsewhere only under a condition on s3:ExistingObjectTag/SageMaker",
			"the rest of s3:GetObject arn:aws:s3:::* arn:aws:s3:::*SageMaker*"},
		[]report.JudgedCell{
			{Action: "s3:GetObject", Resource: "arn:aws:s3:::retail-basket-receipts/parquet/*", Granted: "conditional", Needed: "completed", Verdict: report.VerdictRequired},
			{Action: "s3:GetObject", Resource: "arn:aws:s3:::sagemaker-us-east-1-123456789012/basket/data/*", Granted: "yes", Needed: "completed", Verdict: report.VerdictRequired}}},
	{"a role used by a notebook and by training", "AmazonSageMaker-ExecutionRole-20260115T101530",
		[]string{"Other users notebook arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/basket-analysis", "notebook, training us-east-1"},
		[]report.JudgedCell{
			{Action: "logs:CreateLogStream", Resource: "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/NotebookInstances:*", Granted: "yes", Verdict: report.VerdictUsed},
			{Action: "logs:CreateLogStream", Resource: "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs:*", Granted: "yes", Needed: "completed", Verdict: report.VerdictUsed}}},
	{"data events on one bucket since ten of ninety days", "churn-training", nil,
		[]report.JudgedCell{{Action: "s3:GetObject", Resource: "arn:aws:s3:::retail-ml-churn/features/*", Granted: "yes", Needed: "completed", Verdict: report.VerdictRequired,
			NotObservable: "recorded by trail ml-objects since 2026-10-21 (10 of 90 days), whose log files were not read"}}},
	{"the same, in the account's words", "",
		[]string{"S3 object reads, writes and lists of retail-ml-churn Trail ml-objects records their reads and writes since 2026-10-21 (10 of 90 days), whose log files were not read.",
			"data events of AWS::S3::Object, since 2026-10-21, on arn:aws:s3:::retail-ml-churn/"}, nil},
	{"a trail that logs writes only and leaves out KMS", "",
		[]string{"management events, writes only, without kms.amazonaws.com, for the whole window",
			"of what is older, trail retail-management logs writes only and leaves out kms.amazonaws.com"}, nil},
	{"a re-created role", "segmentation-training (former)",
		[]string{"a role of this name was created anew: this one is gone"}, nil},
	{"a cross-account image", "lookalike-training",
		[]string{"the resource is account 222222222222's: its own policy decides as well, and was not read"},
		[]report.JudgedCell{{Action: "ecr:BatchGetImage", Resource: "arn:aws:ecr:us-east-1:222222222222:repository/partner/lookalike-base", Granted: "yes", Needed: "completed", Verdict: report.VerdictUsed}}},
	{"a policy narrowed yesterday", "returns-training",
		[]string{"A policy was narrowed below what the role used",
			"glue:GetTable was used 8 times, last on 2026-10-29; no policy of the role grants it today: PutRolePolicy by platform-admin/ruth.okafor@retail.example on 2026-10-30 came after its last use"},
		[]report.JudgedCell{{Action: "s3:GetObject", Resource: "arn:aws:s3:::retail-returns-archive/*", Granted: "no", Verdict: report.VerdictForeign}}},
	{"a bucket policy that grants what identity does not", "customer360-training",
		[]string{"Another policy than the role's own lets it in"},
		[]report.JudgedCell{{Action: "s3:GetObject", Resource: "arn:aws:s3:::retail-shared-features/customers/*", Granted: "no", Needed: "completed", Verdict: report.VerdictForeign}}},
	{"an SCP that could not be read", "geo-training",
		[]string{"not read: SCP", "so an upper bound",
			"granted by the identity policies, refused by a service control policy, as AWS's message says: that layer was not read"},
		[]report.JudgedCell{
			{Action: "bedrock:InvokeModel", Resource: "arn:aws:bedrock:eu-west-1::foundation-model/amazon.titan-embed-text-v2:0", Granted: "yes", Verdict: report.VerdictBlocked},
			{Action: "ssm:GetParameter", Resource: "arn:aws:ssm:us-west-2:123456789012:parameter/geo/tiles", Granted: "yes", Verdict: report.VerdictBlocked},
			{Action: "ssm:GetParameter", Resource: "arn:aws:ssm:eu-west-1:123456789012:parameter/geo/tiles", Granted: "yes", Verdict: report.VerdictUsed}}},
	{"DynamoDB calls of user code", "reviews-training",
		[]string{"dynamodb:DescribeTable", "dynamodb:GetItem"}, nil},
	{"denied, then fixed", "reviews-training",
		[]string{"denied 6 times, last 2026-10-07 11:36; allowed since 2026-10-14, after AttachRolePolicy by platform-admin/ruth.okafor@retail.example on 2026-10-13",
			"It has been allowed since 2026-10-14."},
		[]report.JudgedCell{{Action: "dynamodb:DescribeTable", Resource: "arn:aws:dynamodb:us-east-1:123456789012:table/review-labels", Granted: "yes", Verdict: report.VerdictUsed}}},
	{"calls made for the role by another service", "lookalike-training",
		[]string{"glue:GetTable 6 2026-10-26 service us-east-1 athena.amazonaws.com", "athena:StartQueryExecution 6 2026-10-26 training us-east-1"}, nil},
	{"a job in progress", "vision-training",
		[]string{"InProgress 1", "ssmmessages:OpenDataChannel on * required; strength declared"},
		[]report.JudgedCell{{Action: "ssmmessages:CreateControlChannel", Resource: "*", Granted: "yes", Needed: "declared", Verdict: report.VerdictRequired,
			Reason: "declared only: no job that asks for it has completed"}}},
	{"children of a tuning job", "forecast-training",
		[]string{"5 of them children of hyperparameter tuning jobs"}, nil},
	{"the layer that refuses is the boundary", "forecast-training",
		[]string{"refused by the permissions boundary"},
		[]report.JudgedCell{{Action: "dynamodb:DescribeTable", Resource: "arn:aws:dynamodb:us-east-1:123456789012:table/holidays", Granted: "yes", Verdict: report.VerdictBlocked}}},
}

// TestSituations: the sample account holds each situation, and the report has a word
// for it.
func TestSituations(t *testing.T) {
	from := snapshotFile(t)
	table, _ := audit(t, exitOK, "report", "--from", from, "--width", "200")
	text, _ := audit(t, exitOK, "report", "--from", from, "-o", "json")
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			section, cells := table, []report.JudgedCell{}
			if s.role != "" {
				section = roleSection(t, table, s.role)
				name, former, _ := strings.Cut(s.role, " ")
				for _, role := range r.Roles {
					if role.Name == name && role.Exists == (former == "") {
						cells = role.Cells
					}
				}
			}
			for _, words := range s.words {
				if !strings.Contains(squeeze(section), words) {
					t.Errorf("the table does not say %q", words)
				}
			}
			for _, want := range s.cells {
				i := slices.IndexFunc(cells, func(c report.JudgedCell) bool {
					return c.Action == want.Action && c.Resource == want.Resource && !c.Rest
				})
				if i < 0 {
					t.Errorf("no cell %s on %s", want.Action, want.Resource)
					continue
				}
				got := cells[i]
				if got.Verdict != want.Verdict || want.Granted != "" && got.Granted != want.Granted || got.Needed != want.Needed ||
					want.Reason != "" && got.Reason != want.Reason || want.NotObservable != "" && got.NotObservable != want.NotObservable {
					t.Errorf("%s on %s: %+v, want %+v", want.Action, want.Resource, got, want)
				}
			}
		})
	}
}

// roleSection is a role's part of the table.
func roleSection(t *testing.T, table, role string) string {
	t.Helper()
	_, section, found := strings.Cut(table, "\n"+role+"   (role ")
	if !found {
		t.Fatalf("no role %s", role)
	}
	_, section, _ = strings.Cut(section, "\n==")
	section, _, _ = strings.Cut(section, "\n\n====")
	return section
}

// squeeze makes one line of a text that was wrapped.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestRegionNotRead: a region that is left out is named, bars the verdict unused for
// all that may be recorded there, and for what a job there may need.
func TestRegionNotRead(t *testing.T) {
	account := awssim.Sample()
	url, stop, err := awssim.New(account).Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Setenv("AWS_ACCESS_KEY_ID", "example")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "example")
	args := []string{"run", "--quiet", "--endpoint-url", url, "--lookup-rate", "1000", "--as-of", account.Now.Format("2006-01-02T15:04:05Z07:00"),
		"--region", "us-east-1", "--region", "eu-west-1"}
	table, _ := audit(t, exitOK, args...)
	text, _ := audit(t, exitOK, append(args, "-o", "json")...)
	var r report.Report
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"eu-west-1, us-east-1 (3 enabled, not read: us-west-2)",
		"region us-west-2 was not read",
		"Region us-west-2 was not read: nothing that is recorded there is called unused.",
	} {
		if !strings.Contains(squeeze(table), words) {
			t.Errorf("the table does not say %q", words)
		}
	}
	left := 0
	for _, role := range r.Roles {
		for service := range role.Unused.Services {
			left++
			if !slices.Contains([]string{"account", "cloudfront", "iam", "organizations", "route53", "shield", "waf"}, service) {
				t.Errorf("%s: unused actions of %s, whose calls may be in us-west-2", role.Name, service)
			}
		}
	}
	if left == 0 {
		t.Error("nothing of IAM, which is recorded in us-east-1 alone, is unused")
	}
}

// TestTableIsWhole: of the sample account too, no line is wider than the page and no
// role, finding or gap of the JSON is missing in the table.
func TestTableIsWhole(t *testing.T) {
	from := snapshotFile(t)
	text, _ := audit(t, exitOK, "report", "--from", from, "-o", "json")
	var r report.Report
	if err := json.NewDecoder(bytes.NewReader([]byte(text))).Decode(&r); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int{80, 140} {
		table, _ := audit(t, exitOK, "report", "--from", from, "--width", map[int]string{80: "80", 140: "140"}[width])
		for i, line := range strings.Split(table, "\n") {
			if utf8.RuneCountInString(line) > width && !strings.HasPrefix(strings.TrimSpace(line), `"`) {
				t.Errorf("%d columns: line %d is %d wide: %s", width, i+1, utf8.RuneCountInString(line), line)
			}
		}
		unwrapped := strings.Join(strings.Fields(table), "")
		for _, role := range r.Roles {
			if !strings.Contains(table, "id "+role.ID) || !strings.Contains(unwrapped, role.ARN) {
				t.Errorf("%d columns: no role %s", width, role.ARN)
			}
		}
		for _, f := range r.Findings {
			if !strings.Contains(table, f.Rule+" "+f.ID) {
				t.Errorf("%d columns: no finding %s", width, f.ID)
			}
		}
		for _, g := range r.Gaps {
			if !strings.Contains(squeeze(table), squeeze(g.Detail)) {
				t.Errorf("%d columns: no gap %+v", width, g)
			}
		}
	}
}
