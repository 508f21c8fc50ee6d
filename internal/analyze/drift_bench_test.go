package analyze

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// driftedWorld is largeWorld a day later: AWS moved AmazonSageMakerFullAccess, which a
// fifth of the roles have; every hundredth role was edited by hand, each in its own way,
// a few were deleted, created or created anew; each role has calls and jobs of the day.
func driftedWorld(s *snapshot.Snapshot) *snapshot.Snapshot {
	n := nextDay(s)
	n.OtherRoles = s.OtherRoles
	today := now.Add(2 * time.Hour)
	for i := range n.Policies {
		if p := &n.Policies[i]; p.Name == "AmazonSageMakerFullAccess" {
			p.Version, p.UpdatedAt = "v30", today
			p.Document = p.Document[:len(p.Document)-1] // without the last brace, to add a statement
			for p.Document[len(p.Document)-1] != ']' {
				p.Document = p.Document[:len(p.Document)-1]
			}
			p.Document = p.Document[:len(p.Document)-1] + `,{"Effect":"Allow","Action":"bedrock:InvokeModel","Resource":"*"}]}`
		}
	}
	for i := range n.Roles {
		r := &n.Roles[i]
		switch {
		case i%1000 == 7:
			r.ID, r.CreatedAt = fmt.Sprintf("AROANEW%05d", i), today
		case i%1000 == 8:
			r.ARN, r.Name, r.ID, r.CreatedAt = r.ARN+"-next", r.Name+"-next", fmt.Sprintf("AROANEXT%05d", i), today
		case i%100 == 9:
			r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: "added", Document: allow("s3:PutObject", fmt.Sprintf("arn:aws:s3:::team-%d/*", i))})
		case i%100 == 12:
			r.Inline[0].Document = allow("s3:GetObject", fmt.Sprintf("arn:aws:s3:::team-%d/*", i))
		case i%500 == 13:
			r.Trust = trustPool[3]
		}
		u := use("ecr.amazonaws.com", "BatchGetImage", "")
		u.Role, u.First, u.Last = r.RoleKey, today, today
		n.Usage = append(n.Usage, u)
	}
	for i := 0; i < len(n.Roles); i += 4 {
		j := completedJob(fmt.Sprintf("family-%d-2026-10-31-%06d", i%3, i))
		j.RoleARN, j.CreatedAt = n.Roles[i].ARN, today
		n.Jobs = append(n.Jobs, j)
	}
	n.Sort()
	return n
}

// BenchmarkDrift compares ten thousand roles on each side: the goal is less than 5 s.
func BenchmarkDrift(b *testing.B) {
	const goal = 5
	base := largeWorld(b, 10_000, 30_000)
	base.OtherRoles = []snapshot.RoleKey{}
	current := driftedWorld(base)
	runtime.GC()
	for b.Loop() {
		start := time.Now()
		d, err := Drift(base, current, Options{})
		if err != nil {
			b.Fatal(err)
		}
		took := time.Since(start).Seconds()
		b.ReportMetric(took, "s/drift")
		b.ReportMetric(took/goal, "of-goal")
		kinds := map[report.ChangeKind]int{}
		for _, x := range d.Changes {
			kinds[x.Kind]++
		}
		b.Logf("%d roles against %d: %d changes, %v", len(base.Roles), len(current.Roles), d.ChangesTotal, kinds)
	}
}
