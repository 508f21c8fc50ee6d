package analyze

import (
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// cellIn finds a cell of the role: by its resource, or the rest of the action's grant.
func cellIn(r *report.Role, action, resource string) *report.JudgedCell {
	i := slices.IndexFunc(r.Cells, func(c report.JudgedCell) bool {
		return c.Action == action && (c.Resource == resource && !c.Rest || c.Rest && resource == "the rest")
	})
	if i < 0 {
		return nil
	}
	return &r.Cells[i]
}

// TestCells: a verdict belongs to an action on the resources of one pattern.
func TestCells(t *testing.T) {
	const (
		table  = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
		tables = "arn:aws:dynamodb:us-east-1:123456789012:table/*"
	)
	// describe is a call of DescribeTable, days ago.
	describe := func(days int, errorCode string, d snapshot.Denial) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			u := use("dynamodb.amazonaws.com", "DescribeTable", errorCode)
			u.Params.TableName, u.Denial = "t", d
			u.First = now.AddDate(0, 0, -days)
			u.Last = u.First
			s.Usage = append(s.Usage, u)
		}
	}
	refused := func(days int, layer string) func(*snapshot.Snapshot) {
		return describe(days, "AccessDenied", snapshot.Denial{Action: "dynamodb:DescribeTable", Resource: table, Layer: layer})
	}
	changed := func(name string, days int) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			u := use("iam.amazonaws.com", name, "")
			u.Role, u.Caller, u.Params.RoleName = snapshot.RoleKey{}, "arn:aws:iam::123456789012:user/alice", "trainer"
			u.First = now.AddDate(0, 0, -days)
			u.Last = u.First
			s.Usage = append(s.Usage, u)
		}
	}
	boundary := func(action string) func(*snapshot.Snapshot) {
		return func(s *snapshot.Snapshot) {
			s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
			s.Policies = []snapshot.ManagedPolicy{{ARN: s.Roles[0].Boundary, Name: "limit", Version: "v1", Document: allow(action, "*")}}
		}
	}
	tagged := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:DescribeTable","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"ml"}}}}`
	for _, tt := range []struct {
		name     string
		policy   string
		change   []func(*snapshot.Snapshot)
		resource string
		verdict  report.Verdict // of the cell; empty: there is none
		reason   string
		action   report.Verdict // of the action
	}{
		{"used where it is granted", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, table, report.VerdictUsed, "", report.VerdictUsed},
		{"the rest of it", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, "the rest", report.VerdictUnused, "", report.VerdictUsed},
		{"nothing is left over", allow("dynamodb:DescribeTable", table), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, "the rest", "", "", report.VerdictUsed},
		{"used under a condition", tagged, []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, table, report.VerdictUsed, "", report.VerdictUsed},
		{"used elsewhere than granted", allow("dynamodb:DescribeTable", tables+"-x"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, table, report.VerdictForeign,
			"no policy of the role grants it, and no change of them is on record since: a policy of the resource (bucket, key, repository) must allow it", report.VerdictForeign},
		{"the grant elsewhere", allow("dynamodb:DescribeTable", tables+"-x"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{})}, "the rest", report.VerdictUnused, "", report.VerdictForeign},
		{"used, and narrowed since", allow("ecr:*", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{}), changed("PutRolePolicy", 1)}, table, report.VerdictForeign,
			"no policy of the role grants it today: PutRolePolicy by arn:aws:iam::123456789012:user/alice on 2026-10-30 came after its last use", report.VerdictForeign},
		{"used, and changed before", allow("ecr:*", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{}), changed("PutRolePolicy", 9)}, table, report.VerdictForeign,
			"no policy of the role grants it, and no change", report.VerdictForeign},
		{"used, and the trust changed since", allow("ecr:*", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{}), changed("UpdateAssumeRolePolicy", 1)}, table, report.VerdictForeign,
			"no policy of the role grants it, and no change", report.VerdictForeign},
		{"used, and its managed policy is younger", allow("ecr:*", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{}), func(s *snapshot.Snapshot) {
			s.Roles[0].Attached = []snapshot.AttachedPolicy{{Name: "m", ARN: "arn:aws:iam::123456789012:policy/m"}}
			s.Policies = []snapshot.ManagedPolicy{{ARN: "arn:aws:iam::123456789012:policy/m", Name: "m", Version: "v7", Document: allow("ecr:*", "*"), UpdatedAt: now.AddDate(0, 0, -1)}}
		}}, table, report.VerdictForeign, "no policy of the role grants it today: m v7 of 2026-10-30 is younger than its last use", report.VerdictForeign},
		{"used, and the boundary refuses it now", allow("dynamodb:*", "*"), []func(*snapshot.Snapshot){describe(3, "", snapshot.Denial{}), boundary("ecr:*")}, table, report.VerdictForeign,
			"the identity policies grant it, and the permissions boundary refuses it today", report.VerdictForeign},

		{"refused and not granted", allow("ecr:*", "*"), []func(*snapshot.Snapshot){refused(3, "identity")}, table, report.VerdictRefused, "refused by the identity policies", report.VerdictRefused},
		{"refused, no layer named", allow("ecr:*", "*"), []func(*snapshot.Snapshot){refused(3, "")}, table, report.VerdictRefused, "refused by a layer that the message does not name", report.VerdictRefused},
		{"refused by the boundary", allow("dynamodb:*", "*"), []func(*snapshot.Snapshot){refused(3, "boundary"), boundary("ecr:*")}, table, report.VerdictBlocked,
			"granted by the identity policies, refused by the permissions boundary", report.VerdictBlocked},
		{"refused by the organization", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(3, "scp")}, table, report.VerdictBlocked,
			"granted by the identity policies, refused by a service control policy, as AWS's message says: that layer was not read", report.VerdictBlocked},
		{"refused by the table's policy", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(3, "resource")}, table, report.VerdictBlocked,
			"granted by the identity policies, refused by a resource-based policy, as AWS's message says: that layer was not read", report.VerdictBlocked},
		{"refused by nobody that is named, and granted", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(3, "")}, table, report.VerdictBlocked,
			"granted by the identity policies, and refused by a layer that the message does not name", report.VerdictBlocked},
		{"the same, and the policies have changed since", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(3, ""), changed("AttachRolePolicy", 1)}, table, report.VerdictUnobservable,
			"refused, and the role's policies have changed since; no call since has tried", report.VerdictUnobservable},
		{"refused by the policies of then", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(3, "identity")}, table, report.VerdictUnobservable,
			"refused by the identity policies as they were then; they grant it today, and no call since has tried", report.VerdictUnobservable},
		{"refused, and granted under a condition", tagged, []func(*snapshot.Snapshot){refused(3, "")}, table, report.VerdictUnobservable,
			"refused, and granted only under a condition, which may not have been met", report.VerdictUnobservable},
		{"refused, then used", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){refused(9, "identity"), describe(3, "", snapshot.Denial{})}, table, report.VerdictUsed, "", report.VerdictUsed},
		{"used, then refused by the organization", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){describe(9, "", snapshot.Denial{}), refused(3, "scp")}, table, report.VerdictUsed, "", report.VerdictUsed},

		{"attempted only", allow("dynamodb:DescribeTable", "*"), []func(*snapshot.Snapshot){describe(3, "ThrottlingException", snapshot.Denial{})}, table, report.VerdictUnobservable, reasonAttempted, report.VerdictUnobservable},
		{"attempted only, and not granted", allow("ecr:*", "*"), []func(*snapshot.Snapshot){describe(3, "ThrottlingException", snapshot.Denial{})}, table, "", "", ""},
	} {
		s := world(tt.policy)
		for _, change := range tt.change {
			change(s)
		}
		s.Sort()
		role := analyzed(t, s).Role(roleARN)
		c := cellIn(role, "dynamodb:DescribeTable", tt.resource)
		switch {
		case c == nil && tt.verdict == "":
		case c == nil:
			t.Errorf("%s: no cell on %s among %+v", tt.name, tt.resource, role.Cells)
		case c.Verdict != tt.verdict || !strings.HasPrefix(c.Reason, tt.reason) || (tt.reason == "") != (c.Reason == ""):
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, c.Verdict, c.Reason, tt.verdict, tt.reason)
		}
		if got := verdictOf(role, "dynamodb:DescribeTable"); got != tt.action {
			t.Errorf("%s: the action is %q, want %q", tt.name, got, tt.action)
		}
	}
}

// TestDeniedThenFixed: the refusal stays on record, with the change that ended it.
func TestDeniedThenFixed(t *testing.T) {
	s := world(allow("dynamodb:DescribeTable", "*"))
	for _, x := range []struct {
		days int
		code string
	}{{20, "AccessDenied"}, {18, "AccessDenied"}, {5, ""}, {3, ""}} {
		u := use("dynamodb.amazonaws.com", "DescribeTable", x.code)
		u.Params.TableName = "t"
		if x.code != "" {
			u.Denial = snapshot.Denial{Action: "dynamodb:DescribeTable", Resource: "arn:aws:dynamodb:us-east-1:123456789012:table/t", Layer: "identity"}
		}
		u.First = now.AddDate(0, 0, -x.days)
		u.Last = u.First
		s.Usage = append(s.Usage, u)
	}
	change := use("iam.amazonaws.com", "PutRolePolicy", "")
	change.Role, change.Who.Session, change.Params.RoleName = snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/admin", ID: "AROAADMIN"}, "ruth", "trainer"
	change.First = now.AddDate(0, 0, -7)
	change.Last = change.First
	s.Usage = append(s.Usage, change)
	s.Sort()
	role := analyzed(t, s).Role(roleARN)
	if len(role.Denied) != 1 {
		t.Fatalf("%d rows of denied, want one", len(role.Denied))
	}
	d := role.Denied[0]
	if d.Count != 2 || d.ResolvedAt == nil || !d.ResolvedAt.Equal(now.AddDate(0, 0, -5)) || d.Layer != "identity" ||
		d.Reason != "allowed since 2026-10-26, after PutRolePolicy by admin/ruth on 2026-10-24" {
		t.Errorf("%+v", d)
	}
	if verdictOf(role, "dynamodb:DescribeTable") != report.VerdictUsed {
		t.Error("it is not used")
	}
}

// TestRestOfGrant: a pattern that matches no resource of the action is no rest, and
// NotResource is told as one.
func TestRestOfGrant(t *testing.T) {
	both := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]}}`
	not := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","NotResource":["arn:aws:s3:::a/*","arn:aws:s3:::b/*"]}}`
	s := world(both, not)
	s.Jobs = []snapshot.Job{completedJob("a")}
	role := analyzed(t, s).Role(roleARN)
	for action, want := range map[string][]string{
		"s3:GetObject":  {"arn:aws:s3:::data/*"},
		"s3:ListBucket": nil,
		"s3:PutObject":  {"all but arn:aws:s3:::a/*, arn:aws:s3:::b/*"},
	} {
		var got []string
		if c := cellIn(role, action, "the rest"); c != nil {
			got = c.Patterns
		}
		if !slices.Equal(got, want) {
			t.Errorf("the rest of %s is %q, want %q", action, got, want)
		}
	}
	for _, a := range role.Areas {
		if want := map[string]int{"s3-read": 1, "s3-write": 1}[a.Area]; a.ExcessPatterns != want {
			t.Errorf("%s: %d patterns in excess, want %d", a.Area, a.ExcessPatterns, want)
		}
	}
}

// TestLogGroupOfEitherForm: a grant on GROUP:* serves calls on the group itself.
func TestLogGroupOfEitherForm(t *testing.T) {
	const group = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs"
	for resource, want := range map[string]report.Verdict{group: report.VerdictUsed, group + ":*": report.VerdictUsed, group + "X:*": report.VerdictForeign} {
		s := world(allow("logs:CreateLogGroup", resource))
		u := use("logs.amazonaws.com", "CreateLogGroup", "")
		u.Params.LogGroupName = "/aws/sagemaker/TrainingJobs"
		s.Usage = []snapshot.Usage{u}
		if got := verdictOf(analyzed(t, s).Role(roleARN), "logs:CreateLogGroup"); got != want {
			t.Errorf("granted on %s: %s, want %s", resource, got, want)
		}
	}
}
