package analyze

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// largeWorld is an account of many roles, a fifth of them each with administrator
// access, NotAction, all of S3, AmazonSageMakerFullAccess under a boundary, and a narrow
// policy; with jobs of several families and the calls of one of them each.
func largeWorld(tb testing.TB, roles, jobs int) *snapshot.Snapshot {
	full, err := os.ReadFile("../collect/awssim/sample/policies/aws-AmazonSageMakerFullAccess.json")
	if err != nil {
		tb.Fatal(err)
	}
	s := world()
	s.Roles, s.Accessed = nil, nil
	s.Policies = []snapshot.ManagedPolicy{
		{ARN: "arn:aws:iam::aws:policy/AdministratorAccess", Name: "AdministratorAccess", Version: "v1", Document: allow("*", "*")},
		{ARN: "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess", Name: "AmazonSageMakerFullAccess", Version: "v29", Document: string(full)},
		{ARN: "arn:aws:iam::123456789012:policy/limit", Name: "limit", Version: "v1", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`},
	}
	for i := range roles {
		name := fmt.Sprintf("trainer-%05d", i)
		r := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/" + name, ID: fmt.Sprintf("AROA%05d", i)}, Name: name, Path: "/",
			CreatedAt: now.AddDate(-2, 0, 0), Trust: trustSageMaker}
		switch i % 5 {
		case 0:
			r.Attached = []snapshot.AttachedPolicy{{Name: "AdministratorAccess", ARN: s.Policies[0].ARN}}
		case 1:
			r.Inline = []snapshot.InlinePolicy{{Name: "not", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*"],"Resource":"*"},{"Effect":"Deny","Action":"s3:DeleteBucket","Resource":"*"}]}`}}
		case 2:
			r.Inline = []snapshot.InlinePolicy{{Name: "s3", Document: allow("s3:*", "*")}, {Name: "ecr", Document: allow("ecr:*", "*")}, {Name: "logs", Document: allow("logs:*", "*")}}
		case 3:
			r.Attached, r.Boundary = []snapshot.AttachedPolicy{{Name: "AmazonSageMakerFullAccess", ARN: s.Policies[1].ARN}}, s.Policies[2].ARN
		case 4:
			r.Inline = []snapshot.InlinePolicy{{Name: "narrow", Document: allow("s3:GetObject", fmt.Sprintf("arn:aws:s3:::sagemaker-%d/*", i))}, {Name: "ecr", Document: allow("ecr:*", "*")}}
		}
		s.Roles = append(s.Roles, r)
		s.Accessed = append(s.Accessed, snapshot.Accessed{RoleKey: r.RoleKey, At: now, Never: everyService()})
		at := now.AddDate(0, 0, -3)
		for _, call := range [][3]string{{"ecr.amazonaws.com", "BatchGetImage"}, {"ecr.amazonaws.com", "GetAuthorizationToken"}, {"logs.amazonaws.com", "CreateLogStream"},
			{"logs.amazonaws.com", "DescribeLogStreams"}, {"ssm.amazonaws.com", "GetParameter"}, {"glue.amazonaws.com", "GetTable"}} {
			u := use(call[0], call[1], "")
			u.Role, u.First, u.Last, u.Count = r.RoleKey, at, at.Add(time.Hour), 40
			u.Params.RepositoryName, u.Params.LogGroupName, u.Params.LogStreamName, u.Params.Name = "train", "/aws/sagemaker/TrainingJobs", "job/algo-1", "/threshold"
			s.Usage = append(s.Usage, u)
		}
	}
	for i := range jobs {
		role := &s.Roles[i%roles]
		j := completedJob(fmt.Sprintf("family-%d-2026-09-%02d-%06d", i%3, 1+i/roles, i))
		j.RoleARN, j.CreatedAt = role.ARN, now.AddDate(0, 0, -1-i/roles)
		j.Channels[0].URI = fmt.Sprintf("s3://sagemaker-%d/family-%d/2026-09-%02d/", i%roles, i%3, 1+i/roles%28)
		j.Output.URI = fmt.Sprintf("s3://sagemaker-%d/models/family-%d/", i%roles, i%3)
		j.Artifact = j.Output.URI + j.Name + "/output/model.tar.gz"
		s.Jobs = append(s.Jobs, j)
	}
	s.Sort()
	return s
}

// BenchmarkAccount analyses 5,000 roles with 100,000 jobs, proposals proven and
// back-tested: the goal is less than 60 s and 1 GB.
func BenchmarkAccount(b *testing.B) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(800 << 20)) // as main does
	s := largeWorld(b, 5000, 100_000)
	runtime.GC()
	for b.Loop() {
		start := time.Now()
		r, err := Analyze(s, Options{})
		if err != nil {
			b.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(time.Since(start).Seconds(), "s/account")
		b.ReportMetric(float64(m.Sys)/1e6, "MB-sys")
		runtime.GC()
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-held")
		statuses := map[string]int{}
		for i := range r.Roles {
			statuses[r.Roles[i].Proposal.Proof.Status]++
		}
		b.Logf("%d roles, %d jobs: proofs %v", len(r.Roles), r.Summary.Jobs, statuses)
	}
}
