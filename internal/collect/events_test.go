package collect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
)

// Beside the calls of the roles, changes of what they are granted and of what the
// account records are kept, with who made them.
func TestChangesAreKept(t *testing.T) {
	a := small(1)
	a.Events = a.Events[len(a.Events)-1:]
	engineer, admin := a.Events[0].UserIdentity, a.Session(&awssim.Role{Name: "admin", CreateDate: now}, "ops", now)
	calls := []struct {
		who          awssim.UserIdentity
		source, name string
		readOnly     bool
		parameters   map[string]any
		kept         bool
	}{
		{engineer, "iam", "AttachRolePolicy", false, map[string]any{"roleName": "trainer", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, true},
		{admin, "iam", "PutRolePolicy", false, map[string]any{"roleName": "trainer", "policyName": "data"}, true},
		{engineer, "iam", "UpdateAssumeRolePolicy", false, map[string]any{"roleName": "idle"}, true},
		{engineer, "iam", "DeleteRolePermissionsBoundary", false, map[string]any{"roleName": "trainer"}, true},
		{engineer, "iam", "CreateRole", false, map[string]any{"roleName": "trainer"}, true},
		{engineer, "iam", "CreatePolicyVersion", false, map[string]any{"policyArn": "arn:aws:iam::123456789012:policy/team/local"}, true},
		{engineer, "iam", "SetDefaultPolicyVersion", false, map[string]any{"policyArn": "arn:aws:iam::aws:policy/PowerUserAccess", "versionId": "v1"}, true}, // the boundary
		{engineer, "iam", "AttachRolePolicy", false, map[string]any{"roleName": "web", "policyArn": "arn:aws:iam::123456789012:policy/team/local"}, false},
		{engineer, "iam", "AttachUserPolicy", false, map[string]any{"userName": "trainer", "policyArn": "arn:aws:iam::123456789012:policy/team/local"}, false},
		{engineer, "iam", "CreatePolicyVersion", false, map[string]any{"policyArn": "arn:aws:iam::123456789012:policy/other"}, false},
		{engineer, "iam", "GetRole", true, map[string]any{"roleName": "trainer"}, false},
		{engineer, "iam", "CreateUser", false, map[string]any{"userName": "x"}, false},
		{admin, "cloudtrail", "StopLogging", false, map[string]any{"name": "all"}, true},
		{engineer, "cloudtrail", "PutEventSelectors", false, map[string]any{"trailName": "all"}, true},
		{engineer, "cloudtrail", "CreateTrail", false, map[string]any{"name": "all"}, true},
		{engineer, "cloudtrail", "AddTags", false, map[string]any{"name": "all"}, false},
		{engineer, "cloudtrail", "DescribeTrails", true, nil, false},
		{engineer, "ec2", "StopLogging", false, map[string]any{"name": "all"}, false},
	}
	var want []string
	for i, c := range calls {
		a.Events = append(a.Events, awssim.Record{
			EventID: fmt.Sprintf("change-%02d", i), EventTime: now.Add(-time.Duration(i+30) * time.Minute), AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
			EventSource: c.source + ".amazonaws.com", EventName: c.name, ReadOnly: c.readOnly, UserIdentity: c.who, RequestParameters: c.parameters,
		})
		if c.kept {
			want = append(want, c.name)
		}
	}
	_, o := serve(t, a)
	s := collected(t, o)
	var got []string
	for _, u := range s.Usage {
		if u.EventName == createTrainingJob {
			continue
		}
		got = append(got, u.EventName)
		if (u.Caller != engineer.ARN && u.Role.ARN != "arn:aws:iam::123456789012:role/admin") || u.Count != 1 {
			t.Errorf("usage %+v", u)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	if len(s.Gaps) > 0 || len(s.Roles) != 2 {
		t.Errorf("gaps %v, roles %v", gapsOf(s), names(s))
	}
}
