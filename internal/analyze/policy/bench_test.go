package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
)

// Section B: what expanding policies costs, and how far that is from the goal.

const (
	benchBoundary = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:*","sagemaker:*","ecr:*","logs:*","cloudwatch:*","kms:*","iam:PassRole","ec2:Describe*"],"Resource":"*"},
		{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"arn:aws:secretsmanager:*:111122223333:secret:sagemaker-*"}]}`
	benchDeny = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["s3:Delete*","iam:*"],"Resource":["arn:aws:s3:::audit-logs/*","arn:aws:iam::111122223333:role/admin/*"]}}`
)

// goal reports a duration per operation against what it may be.
func goal(b *testing.B, name string, got, want time.Duration) {
	b.ReportMetric(float64(got)/float64(want), "of-goal")
	b.Logf("section B: %-42s %10v  goal %8v  %.2f of it", name, got.Round(time.Microsecond), want, float64(got)/float64(want))
}

func benchStack(b *testing.B, full, boundary, deny []byte) *policy.Stack {
	s := identity(parse(b, full), parse(b, deny))
	s.Boundary = []policy.Policy{{Layer: policy.LayerBoundary, Document: parse(b, boundary)}}
	return s
}

// BenchmarkSectionBOneRole is the effective grant of one role, from JSON, with
// nothing kept from one to the next.
func BenchmarkSectionBOneRole(b *testing.B) {
	full, boundary, deny := managed(b, "AmazonSageMakerFullAccess"), []byte(benchBoundary), []byte(benchDeny)
	expander := policy.NewExpander(actions.Load())
	known := policy.Offline(policy.Facts{})
	b.ReportAllocs()
	for b.Loop() {
		expander.Expand(benchStack(b, full, boundary, deny), known)
	}
	goal(b, "one role, from JSON", b.Elapsed()/time.Duration(b.N), 500*time.Microsecond)
}

// BenchmarkSectionBManyRoles is 5,000 roles that share managed policies and have an
// inline policy each.
func BenchmarkSectionBManyRoles(b *testing.B) {
	const roles = 5000
	names := []string{"AmazonSageMakerFullAccess", "AmazonS3FullAccess", "SecurityAudit"}
	known := policy.Offline(policy.Facts{})
	b.ReportAllocs()
	for b.Loop() {
		expander := policy.NewExpander(actions.Load())
		var shared []*policy.Document
		for _, name := range names {
			shared = append(shared, parse(b, managed(b, name)))
		}
		boundary := parse(b, []byte(benchBoundary))
		for i := range roles {
			inline := strings.ReplaceAll(benchDeny, "audit-logs", fmt.Sprintf("audit-logs-%d", i))
			s := identity(shared[0], shared[1+i%2], parse(b, []byte(inline)))
			s.Boundary = []policy.Policy{{Layer: policy.LayerBoundary, Document: boundary}}
			expander.Expand(s, known)
		}
	}
	goal(b, "5,000 roles", b.Elapsed()/time.Duration(b.N), 2500*time.Millisecond)
}

// BenchmarkSectionBGlob is the same question, which actions do the statements speak
// of, by Expander and by a glob per (action, pattern).
func BenchmarkSectionBGlob(b *testing.B) {
	catalogue := actions.Load()
	expander := policy.NewExpander(catalogue)
	names := make([]string, catalogue.Len())
	for i := range names {
		names[i] = strings.ToLower(catalogue.Action(i))
	}
	d := parse(b, managed(b, "AmazonSageMakerFullAccess"))
	var fast, slow time.Duration
	for b.Loop() {
		start := time.Now()
		n := 0
		for _, s := range d.Statements() {
			n += len(expander.Actions(s))
		}
		fast += time.Since(start)
		start = time.Now()
		m := 0
		for _, s := range d.Statements() {
			for _, action := range names {
				listed := false
				for _, p := range s.Actions {
					if glob(strings.ToLower(p), action) {
						listed = true
						break
					}
				}
				if listed != s.NotAction {
					m++
				}
			}
		}
		slow += time.Since(start)
		if n != m {
			b.Fatalf("%d actions, a glob finds %d", n, m)
		}
	}
	times := float64(slow) / float64(fast)
	b.ReportMetric(times, "x-glob")
	b.Logf("section B: %-42s %9.0fx  goal     >=10x", "against a glob per (action, pattern)", times)
}

// BenchmarkSectionBDecision is one decision: one action of one role.
func BenchmarkSectionBDecision(b *testing.B) {
	s := benchStack(b, managed(b, "AmazonSageMakerFullAccess"), []byte(benchBoundary), []byte(benchDeny))
	q := policy.Request{
		Principal: policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::sagemaker-us-east-1-" + account + "/in/data.csv", Context: policy.Offline(policy.Facts{}),
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(q, policy.May)
	}
	b.Logf("section B: %-42s %10v  for scale: iam-simulate 260µs", "one decision", b.Elapsed()/time.Duration(b.N))
}

// BenchmarkSectionBAccess is one cell of one role.
func BenchmarkSectionBAccess(b *testing.B) {
	s := benchStack(b, managed(b, "AmazonSageMakerFullAccess"), []byte(benchBoundary), []byte(benchDeny))
	who := policy.Principal{ARN: "arn:aws:iam::" + account + ":role/R", Account: account}
	known := policy.Offline(policy.Facts{})
	b.ReportAllocs()
	for b.Loop() {
		s.Access(who, "s3:GetObject", "arn:aws:s3:::sagemaker-us-east-1-"+account+"/in/*", known)
	}
}

// BenchmarkSectionBParse is the share of parsing.
func BenchmarkSectionBParse(b *testing.B) {
	data := managed(b, "AmazonSageMakerFullAccess")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		parse(b, data)
	}
}

// BenchmarkWidensNothing is one question about two documents, read once: what AWS's
// policies and a proposal are within.
func BenchmarkWidensNothing(b *testing.B) {
	x := policy.NewExpander(actions.Load())
	read := func(name string) []policy.Policy { return identity(parse(b, managed(b, name))).Identity }
	full, readOnly := read("AmazonSageMakerFullAccess"), read("ReadOnlyAccess")
	for _, q := range []struct {
		name string
		p, i []policy.Policy
		want policy.Truth
	}{
		{"proposal-in-full-access", sageMakerProposal(b), full, policy.True},
		{"full-access-in-itself-and-more", full, append(slices.Clip(full), readOnly...), policy.True},
		{"full-access-in-administrator", full, read("AdministratorAccess"), policy.True},
		{"full-access-in-read-only", full, readOnly, policy.False},
		{"read-only-in-power-user", readOnly, read("PowerUserAccess"), policy.False},
		{"power-user-in-administrator", read("PowerUserAccess"), read("AdministratorAccess"), policy.True},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if a := x.WidensNothing(q.p, q.i, policy.Context{}); a.Truth != q.want {
					b.Fatal(a)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(10*time.Millisecond), "of-goal")
		})
	}
}

// BenchmarkContains is one inclusion that plain comparison does not settle.
func BenchmarkContains(b *testing.B) {
	for b.Loop() {
		policy.Contains("arn:aws:logs:*:*:log-group:/aws/sagemaker/*", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/sagemaker/TrainingJobs:log-stream:*", policy.May)
	}
}
