package analyze

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// TestVeto: IAM's last accessed details forbid to call something unused where they
// saw what no event shows. ecr has management events alone, s3 data events too.
func TestVeto(t *testing.T) {
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	reached := func(service string, at time.Time, actions ...snapshot.AccessedAction) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			told := &s.Accessed[0]
			told.Never = slices.DeleteFunc(slices.Clone(told.Never), func(n string) bool { return n == service })
			told.Services = append(told.Services, snapshot.AccessedService{Service: service, At: at, Actions: actions})
		}
	}
	called := func(source, name, errorCode string, at time.Time) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			u := use(source, name, errorCode)
			u.First, u.Last = at, at
			s.Usage = append(s.Usage, u)
		}
	}
	for _, tt := range []struct {
		name   string
		grant  string
		change []func(*snapshot.Snapshot)
		action string
		reason string // empty: unused
	}{
		{"never reached", "ecr:*", nil, "ecr:DeleteRepository", ""},
		{"reached in the window, by nothing on record", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", day(5))}, "ecr:DeleteRepository", "IAM saw the service ecr reached on 2026-10-26, and no event read shows by which call"},
		{"reached after the window", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", now)}, "ecr:DeleteRepository", "IAM saw the service ecr reached on 2026-10-31"},
		{"reached before the window", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", day(120))}, "ecr:DeleteRepository", ""},
		{"reached by a call on record", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", day(5)), called("ecr.amazonaws.com", "DescribeRepositories", "", day(5))}, "ecr:DeleteRepository", ""},
		{"reached by a call that was refused", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", day(5)), called("ecr.amazonaws.com", "DescribeRepositories", "AccessDenied", day(5))}, "ecr:DeleteRepository", ""},
		{"reached, by its time cut to the minute, by a call on record", "ecr:*",
			[]func(*snapshot.Snapshot){reached("ecr", day(5).Add(40*time.Second)), called("ecr.amazonaws.com", "DescribeRepositories", "", day(5))}, "ecr:DeleteRepository", ""},
		{"reached again after the last call on record", "ecr:*",
			[]func(*snapshot.Snapshot){reached("ecr", day(5)), called("ecr.amazonaws.com", "DescribeRepositories", "", day(6))}, "ecr:DeleteRepository", "IAM saw the service ecr reached on 2026-10-26"},
		{"reached by a data event, for all that one knows", "s3:*", []func(*snapshot.Snapshot){reached("s3", day(5))}, "s3:DeleteBucket", ""},
		{"reached, and no data event is granted", "s3:DeleteBucket", []func(*snapshot.Snapshot){reached("s3", day(5))}, "s3:DeleteBucket", "IAM saw the service s3 reached on 2026-10-26"},
		{"the action itself was attempted", "s3:*", []func(*snapshot.Snapshot){reached("s3", day(5), snapshot.AccessedAction{Action: "DeleteBucket", At: day(9)})}, "s3:DeleteBucket",
			"IAM saw the action attempted on 2026-10-22, and no event read shows it"},
		{"the action itself was attempted before the window", "s3:*", []func(*snapshot.Snapshot){reached("s3", day(5), snapshot.AccessedAction{Action: "deletebucket", At: day(99)})}, "s3:DeleteBucket", ""},
		{"the action is tracked and was never attempted", "ecr:*", []func(*snapshot.Snapshot){reached("ecr", day(5)), func(s *snapshot.Snapshot) {
			s.Accessed[0].Services[0].Never = []string{"DeleteRepository"}
		}}, "ecr:DeleteRepository", ""},
		{"not listed", "ecr:*", []func(*snapshot.Snapshot){func(s *snapshot.Snapshot) { s.Accessed[0].Never = []string{"iam"} }}, "ecr:DeleteRepository", "IAM's last accessed details do not list the service"},
		{"not read", "ecr:*", []func(*snapshot.Snapshot){func(s *snapshot.Snapshot) { s.Accessed = nil }}, "ecr:DeleteRepository", "IAM's last accessed details of the role were not read"},
		{"those of a former role of the name", "ecr:*", []func(*snapshot.Snapshot){func(s *snapshot.Snapshot) { s.Accessed[0].ID = "AROAFORMER" }}, "ecr:DeleteRepository", "IAM's last accessed details of the role were not read"},
		{"not all jobs were read, and one may need it", "ecr:*", []func(*snapshot.Snapshot){func(s *snapshot.Snapshot) {
			s.Gaps = []snapshot.Gap{{Source: "sagemaker:Search", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused}}
		}}, "ecr:BatchCheckLayerAvailability", "not all training jobs were read, and such a job may need it"},
		{"not all jobs were read, and none could need it", "ecr:*", []func(*snapshot.Snapshot){func(s *snapshot.Snapshot) {
			s.Gaps = []snapshot.Gap{{Source: "sagemaker:Search", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused}}
		}}, "ecr:DeleteRepository", ""},
	} {
		s := world(allow(tt.grant, "*"))
		for _, change := range tt.change {
			change(s)
		}
		a := newAudit(s)
		got := a.judge(subjects(s)[0]).actions.of(tt.action)
		want := report.VerdictUnused
		if tt.reason != "" {
			want = report.VerdictUnobservable
		}
		if got.verdict != want || !strings.HasPrefix(got.reason, tt.reason) {
			t.Errorf("%s: %s is %s (%s), want %s (%s)", tt.name, tt.action, got.verdict, got.reason, want, tt.reason)
		}
	}
}

// TestSupport: the verdict unused says how far IAM agrees.
func TestSupport(t *testing.T) {
	s := world(allow("ecr:*", "*"), allow("sqs:*", "*"), allow("sns:*", "*"))
	told := &s.Accessed[0]
	told.Never = slices.DeleteFunc(slices.Clone(told.Never), func(n string) bool { return n == "ecr" || n == "sqs" })
	told.Services = []snapshot.AccessedService{{Service: "ecr", At: now.AddDate(0, 0, -120)}, {Service: "sqs", At: now.AddDate(0, 0, -3)}}
	u := use("sqs.amazonaws.com", "CreateQueue", "")
	s.Usage = []snapshot.Usage{u}
	basis := analyzed(t, s).Role(roleARN).Unused.Basis
	want := "IAM's last accessed details of 2026-10-31: 1 of these 3 services never reached within its 400 days, 1 last reached before the window, 1 reached, by calls on record or by others that no event shows"
	if len(basis) != 2 || basis[1] != want {
		t.Errorf("basis %q, want %q", basis, want)
	}
}
