package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// wideWorld is a random world of two regions, with IAM's last accessed details,
// trails and changes of policies that agree with its usage or do not.
func wideWorld(r *rand.Rand) *snapshot.Snapshot {
	s := randomWorld(r)
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	second := s.Coverage[0]
	second.Region = "eu-west-1"
	s.Coverage = append(s.Coverage, second)
	s.Regions.Read = []string{"eu-west-1", "us-east-1"}
	s.Regions.Enabled = s.Regions.Read
	for i := range s.Usage {
		u := &s.Usage[i]
		u.Region = pick("us-east-1", "eu-west-1")
		if u.EventSource == "iam.amazonaws.com" {
			u.Region = "us-east-1"
		}
		u.Who.InvokedBy = pick("", "", sageMaker, "athena.amazonaws.com")
		if u.EventName == "PutRolePolicy" {
			u.Params.RoleName = pick("trainer", "other")
		}
		u.First = u.First.AddDate(0, 0, -r.IntN(60))
		u.Last = u.First
	}
	told := &s.Accessed[0]
	for _, service := range []string{"s3", "ecr", "iam", "logs"} {
		if r.IntN(2) == 0 {
			continue
		}
		told.Never = slices.DeleteFunc(slices.Clone(told.Never), func(n string) bool { return n == service })
		if r.IntN(5) == 0 {
			continue // not listed at all
		}
		at := now.AddDate(0, 0, -r.IntN(150))
		x := snapshot.AccessedService{Service: service, At: at}
		for _, action := range []string{"GetBucketLocation", "DescribeRepositories", "DeleteRepository", "ListRoles", "CreateLogStream"} {
			switch r.IntN(3) {
			case 0:
				x.Actions = append(x.Actions, snapshot.AccessedAction{Action: action, At: at})
			case 1:
				x.Never = append(x.Never, action)
			}
		}
		told.Services = append(told.Services, x)
	}
	if r.IntN(2) == 0 {
		s.Trails = []snapshot.Trail{{ARN: "arn:aws:cloudtrail:us-east-1:123456789012:trail/t", Name: "t", HomeRegion: "us-east-1", MultiRegion: true, Logging: r.IntN(3) > 0,
			StartedAt: now.AddDate(-1, 0, 0), Selectors: []snapshot.EventSelector{{ReadWrite: pick("All", "ReadOnly", "WriteOnly"), Management: true,
				Data: []snapshot.DataResource{{Type: "AWS::S3::Object", Values: []string{pick("arn:aws:s3", "arn:aws:s3:::data/", "arn:aws:s3:::data/in/")}}}}}}}
	}
	s.Sort()
	return s
}

// verdicts of the present role's actions and cells.
func verdicts(s *snapshot.Snapshot) (byAction, byCell map[string]report.Verdict) {
	a := newAudit(s)
	byAction, byCell = map[string]report.Verdict{}, map[string]report.Verdict{}
	for _, sub := range subjects(s) {
		if sub.role == nil {
			continue
		}
		j := a.judge(sub)
		for action, v := range j.actions.all() {
			byAction[action] = v.verdict
		}
		for _, c := range j.cells.sorted() {
			byCell[fmt.Sprint(c.action, " ", c.resource, c.rest)] = c.verdict
		}
	}
	return byAction, byCell
}

// evidence are the ways to know more about a role.
var evidence = map[string]func(r *rand.Rand, s *snapshot.Snapshot){
	"a call": func(r *rand.Rand, s *snapshot.Snapshot) {
		u := use("ecr.amazonaws.com", []string{"GetAuthorizationToken", "DeleteRepository", "DescribeRepositories"}[r.IntN(3)], []string{"", "AccessDenied", "ThrottlingException"}[r.IntN(3)])
		s.Usage = append(s.Usage, u)
	},
	"an encrypted read": func(r *rand.Rand, s *snapshot.Snapshot) {
		u := use("kms.amazonaws.com", "Decrypt", "")
		u.Params.S3ARN = "arn:aws:s3:::data/in/part-1"
		s.Usage = append(s.Usage, u)
	},
	"a job": func(r *rand.Rand, s *snapshot.Snapshot) {
		j := completedJob("one-more")
		j.Status = []string{"Completed", "Failed", "InProgress"}[r.IntN(3)]
		s.Jobs = append(s.Jobs, j)
	},
	"an access that IAM saw": func(r *rand.Rand, s *snapshot.Snapshot) {
		told := &s.Accessed[0]
		told.Never = slices.DeleteFunc(slices.Clone(told.Never), func(n string) bool { return n == "ecr" })
		if !slices.ContainsFunc(told.Services, func(x snapshot.AccessedService) bool { return x.Service == "ecr" }) {
			told.Services = append(told.Services, snapshot.AccessedService{Service: "ecr", At: now.AddDate(0, 0, -1)})
		}
	},
	"a change of its policies": func(r *rand.Rand, s *snapshot.Snapshot) {
		u := use("iam.amazonaws.com", "PutRolePolicy", "")
		u.Role, u.Caller, u.Params.RoleName = snapshot.RoleKey{}, "arn:aws:iam::123456789012:user/alice", "trainer"
		s.Usage = append(s.Usage, u)
	},
}

// sources are what a run may have to do without, each with the evidence that goes
// with it.
var sources = map[string]func(s *snapshot.Snapshot){
	"usage": func(s *snapshot.Snapshot) { s.Asked.Usage, s.Usage, s.Accessed, s.Coverage = "none", nil, nil, nil },
	"Event history of the home region": func(s *snapshot.Snapshot) {
		loseRegion(s, "us-east-1", func(c *snapshot.Coverage) { c.Complete = false })
	},
	"Event history of another region": func(s *snapshot.Snapshot) {
		loseRegion(s, "eu-west-1", func(c *snapshot.Coverage) { c.Covered = snapshot.Window{} })
	},
	"half of the window": func(s *snapshot.Snapshot) {
		half := s.Window.From.AddDate(0, 0, 45)
		s.Usage = slices.DeleteFunc(s.Usage, func(u snapshot.Usage) bool { return u.Last.Before(half) })
		for i := range s.Coverage {
			s.Coverage[i].Covered.From = half
		}
	},
	"a region": func(s *snapshot.Snapshot) {
		loseRegion(s, "eu-west-1", func(*snapshot.Coverage) {})
		s.Regions.Read = []string{"us-east-1"}
		s.Jobs = slices.DeleteFunc(s.Jobs, func(j snapshot.Job) bool { return j.Region == "eu-west-1" })
	},
	"the list of regions": func(s *snapshot.Snapshot) { s.Regions.Enabled = nil },
	"last accessed details": func(s *snapshot.Snapshot) {
		s.Accessed = nil
	},
	"jobs": func(s *snapshot.Snapshot) {
		s.Jobs = nil
		s.Gaps = append(s.Gaps, snapshot.Gap{Source: "sagemaker:Search", Region: "us-east-1", Impact: snapshot.ImpactJobs, Reason: snapshot.ReasonRefused})
	},
	"an inline policy": func(s *snapshot.Snapshot) {
		s.Roles[0].Inline = s.Roles[0].Inline[:len(s.Roles[0].Inline)-1]
		s.Roles[0].Unread = []string{"inline"}
	},
	"the boundary": func(s *snapshot.Snapshot) {
		if s.Roles[0].Boundary != "" {
			s.Policies = nil
			s.Roles[0].Unread = []string{"boundary"}
		}
	},
	"trails": func(s *snapshot.Snapshot) { s.Trails = nil },
}

func loseRegion(s *snapshot.Snapshot, region string, spoil func(*snapshot.Coverage)) {
	s.Usage = slices.DeleteFunc(s.Usage, func(u snapshot.Usage) bool { return u.Region == region })
	for i := range s.Coverage {
		if s.Coverage[i].Region == region {
			spoil(&s.Coverage[i])
		}
	}
}

// deepCopy keeps the lists of two snapshots apart.
func deepCopy(s *snapshot.Snapshot) *snapshot.Snapshot {
	c := *s
	c.Usage, c.Jobs, c.Coverage, c.Gaps = slices.Clone(s.Usage), slices.Clone(s.Jobs), slices.Clone(s.Coverage), slices.Clone(s.Gaps)
	c.Roles, c.Policies, c.Trails, c.Accessed = slices.Clone(s.Roles), slices.Clone(s.Policies), slices.Clone(s.Trails), slices.Clone(s.Accessed)
	for i := range c.Accessed {
		c.Accessed[i].Services = slices.Clone(s.Accessed[i].Services)
	}
	return &c
}

// worlds is how many random worlds a property is held against: fewer in short mode,
// under the race detector.
func worlds(n int) int {
	if testing.Short() {
		return n / 6
	}
	return n
}

// TestMoreEvidence: what was used stays used, whatever else becomes known.
func TestMoreEvidence(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	checked := 0
	for i := range worlds(240) {
		s := wideWorld(r)
		actionsBefore, cellsBefore := verdicts(s)
		for name, add := range evidence {
			more := deepCopy(s)
			add(r, more)
			more.Sort()
			actionsAfter, cellsAfter := verdicts(more)
			for action, v := range actionsBefore {
				if v != report.VerdictUsed {
					continue
				}
				checked++
				if after := actionsAfter[action]; after != report.VerdictUsed {
					t.Fatalf("world %d: %s turned %s from used into %q", i, name, action, after)
				}
			}
			for cell, v := range cellsBefore {
				if after, still := cellsAfter[cell]; v == report.VerdictUsed && still && after == report.VerdictUnused {
					t.Fatalf("world %d: %s turned the cell %s from used into unused", i, name, cell)
				}
			}
		}
	}
	t.Logf("%d uses in %d worlds x %d kinds of evidence", checked, worlds(240), len(evidence))
	if checked < worlds(240)*3 {
		t.Error("too few uses to prove anything")
	}
}

// TestLessEvidence: without a source, nothing is unused that was not before.
func TestLessEvidence(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	left := 0
	for i := range worlds(40) {
		s := wideWorld(r)
		before, _ := verdicts(s)
		for name, lose := range sources {
			less := deepCopy(s)
			lose(less)
			less.Sort()
			after, _ := verdicts(less)
			for action, v := range after {
				if v != report.VerdictUnused {
					continue
				}
				left++
				if before[action] != report.VerdictUnused {
					t.Fatalf("world %d: without %s %s is unused, which was %q", i, name, action, before[action])
				}
				if name == "a region" && !actions.RecordedAtHome(serviceOf(action)) {
					t.Fatalf("world %d: %s is unused although its calls may be in the region that was not read", i, action)
				}
			}
		}
	}
	t.Logf("%d actions unused in %d worlds x %d lost sources", left, worlds(40), len(sources))
	if left < 1000 {
		t.Error("too few unused actions to prove anything")
	}
}
