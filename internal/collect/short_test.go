package collect

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func names(s *snapshot.Snapshot) []string {
	var names []string
	for _, r := range s.Roles {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	return names
}

// A role that jobs or events name and the sweep lacks is gone only if IAM says so.
func TestRolesThatTheSweepLacks(t *testing.T) {
	const gone, trainer = "arn:aws:iam::123456789012:role/gone", trainerARN
	account := small(2)
	account.Jobs = append(account.Jobs, job(account, &awssim.Role{Name: "gone"}, "of-a-role-that-is-gone", now.Add(-30*time.Minute)),
		job(account, &awssim.Role{Name: "trainer"}, "of-one-under-another-path", now.Add(-40*time.Minute)))
	account.Jobs[3].RoleArn = "arn:aws:iam::123456789012:role/trainer"
	foreign := job(account, &awssim.Role{Name: "trainer"}, "of-another-account", now.Add(-50*time.Minute))
	foreign.RoleArn = "arn:aws:iam::999988887777:role/elsewhere"
	account.Jobs = append(account.Jobs, foreign)
	for _, tt := range []struct {
		name   string
		faults []string
		roles  []string
		asked  int // GetRole
		gaps   []string
	}{
		{"nothing is wrong", nil, []string{"idle", "trainer"}, 2, nil},
		{"the sweep is empty", []string{opSweep + " empty"}, []string{"trainer"}, 2, []string{opSweep + " roles short"}},
		{"not even GetRole", []string{opSweep + " empty", "iam:GetRole refuse"}, nil, 2, []string{
			"iam:GetRole " + gone + " roles refused",
			"iam:GetRole " + trainer + " roles refused",
			"iam:GetRole arn:aws:iam::123456789012:role/trainer roles refused"}},
		{"GetRole is garbled", []string{"iam:GetRole garble"}, []string{"idle", "trainer"}, 2, []string{"iam:GetRole arn:aws:iam::123456789012:role/trainer roles broken"}},
		{"GetRole is throttled", []string{"iam:GetRole throttle"}, []string{"idle", "trainer"}, attempts, []string{"iam:GetRole 2 roles from gone roles throttled"}},
		{"parts of it are refused", []string{opSweep + " empty", "iam:ListRolePolicies refuse"}, []string{"trainer"}, 2, []string{
			opSweep + " roles short", "iam:ListRolePolicies " + trainer + " roles refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, o := serve(t, account)
			for _, f := range tt.faults {
				if err := server.SetFault(f); err != nil {
					t.Fatal(err)
				}
			}
			s := collected(t, o)
			sameCalls(t, server, s)
			if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.roles, names(s)); d != "" {
				t.Errorf("roles (-want +got):\n%s", d)
			}
			if s.Calls["iam:GetRole"] != tt.asked {
				t.Errorf("%d GetRole calls, want %d", s.Calls["iam:GetRole"], tt.asked)
			}
			if n := covered(s, snapshot.SourceRoles)[""]; n != len(tt.roles) && (len(tt.gaps) == 0 || n != -1) {
				t.Errorf("coverage of the roles: %d", n)
			}
		})
	}
}

// So is a list of roles that lacks one.
func TestListedRolesFallShort(t *testing.T) {
	server, o := serve(t, small(2))
	for _, f := range []string{opSweep + " refuse", "iam:ListRoles empty"} {
		if err := server.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	s := collected(t, o)
	if d := cmp.Diff([]string{opSweep + " detail refused", "iam:ListRoles roles short"}, gapsOf(s)); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
}

// A history without the events of jobs that were created is not whole.
func TestHistoryFallsShort(t *testing.T) {
	const created, all = opLookup + " us-east-1 EventName=CreateTrainingJob usage short", opLookup + " us-east-1 all usage short"
	without := func(a *awssim.Account) {
		a.Events = slices.DeleteFunc(a.Events, func(e awssim.Record) bool { return e.EventName == createTrainingJob })
	}
	for _, tt := range []struct {
		name   string
		change func(*awssim.Account)
		fault  string
		gaps   []string
	}{
		{"nothing is wrong", func(*awssim.Account) {}, "", nil},
		{"no event of any job", without, "", []string{created, all}},
		{"no event at all", func(*awssim.Account) {}, opLookup + " empty region=us-east-1", []string{created, all}},
		{"no event the second time", func(*awssim.Account) {}, opLookup + " empty region=us-east-1 from=2", []string{all}},
		{"no event, and only jobs of now or long ago", func(a *awssim.Account) {
			without(a)
			a.Jobs[0].CreationTime, a.Jobs[1].CreationTime = now.Add(-14*time.Minute), now.Add(-90*day+10*time.Minute)
		}, "", nil},
		{"no event, and only jobs that a service created", func(a *awssim.Account) {
			without(a)
			for i := range a.Jobs {
				a.Jobs[i].TuningJobArn = "arn:aws:sagemaker:us-east-1:123456789012:hyper-parameter-tuning-job/t"
			}
		}, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			account := small(2)
			tt.change(account)
			server, o := serve(t, account)
			if tt.fault != "" {
				if err := server.SetFault(tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			s := collected(t, o)
			if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
			for _, c := range s.Coverage {
				short := slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool { return g.Region == c.Region && g.Scope == c.Scope })
				if c.Source == snapshot.SourceLookup && (c.Complete == short || c.Covered.To.IsZero() != short) {
					t.Errorf("coverage %+v", c)
				}
			}
		})
	}
}

// What AWS denies is named by the permission that would allow it; credentials that
// it does not accept lack none.
func TestPermissionOfAGap(t *testing.T) {
	server, o := serve(t, small(1))
	var log strings.Builder
	o.Log = logger(&log)
	for _, f := range []string{"iam:GetAccountAuthorizationDetails refuse", "cloudtrail:DescribeTrails refuse region=eu-west-1", "cloudtrail:DescribeTrails expire region=us-east-1",
		"sagemaker:Search throttle region=eu-west-1", "sts:GetCallerIdentity refuse"} {
		if err := server.SetFault(f); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[string]string)
	for _, g := range collected(t, o).Gaps {
		got[strings.Join(strings.Fields(g.Source+" "+g.Region+" "+g.Reason), " ")] = g.Permission
	}
	if d := cmp.Diff(map[string]string{
		"iam:GetAccountAuthorizationDetails refused":  "iam:GetAccountAuthorizationDetails",
		"cloudtrail:DescribeTrails eu-west-1 refused": "cloudtrail:DescribeTrails",
		"cloudtrail:DescribeTrails us-east-1 refused": "",
		"sagemaker:Search eu-west-1 throttled":        "",
		"sts:GetCallerIdentity refused":               "",
	}, got); d != "" {
		t.Errorf("permissions (-want +got):\n%s", d)
	}
	if n := strings.Count(log.String(), "permission="); n != 2 {
		t.Errorf("%d permissions logged:\n%s", n, log.String())
	}
}
