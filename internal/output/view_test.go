package output

import (
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

func TestArrange(t *testing.T) {
	r := &report.Report{
		Roles: []report.Role{
			{ARN: "arn:1", Name: "twin", ID: "AROAFORMER"},
			{ARN: "arn:1", Name: "twin", ID: "AROATODAY", Exists: true},
			{ARN: "arn:2", Name: "calm", ID: "AROACALM", Exists: true, Counts: report.Counts{Unused: 900}},
			{ARN: "arn:3", Name: "two-high", ID: "AROAHIGH", Exists: true},
		},
		Findings: []report.Finding{
			{ID: "e", Role: "arn:2", RoleID: "AROACALM", Severity: report.Low},
			{ID: "d", Role: "arn:1", RoleID: "AROATODAY", Severity: report.High},
			{ID: "c", Role: "arn:3", RoleID: "AROAHIGH", Severity: report.High},
			{ID: "b", Role: "arn:3", RoleID: "AROAHIGH", Severity: report.High},
			{ID: "a", Role: "arn:3", RoleID: "AROAHIGH", Severity: "unheard of"},
			{ID: "f", Role: "", Severity: report.Critical},
			{ID: "h", Role: "arn:1", RoleID: "AROAFORMER", Severity: report.Info},
			{ID: "g", Role: "arn:of another account", Severity: report.Info},
		},
	}
	v := arrange(r)
	var got []string
	for _, role := range v.roles {
		ids := ""
		for _, f := range role.findings {
			ids += f.ID
		}
		got = append(got, role.label+":"+ids)
	}
	if got, want := strings.Join(got, ", "), "two-high:bca, twin:d, calm:e, twin (former):h"; got != want {
		t.Errorf("roles are %s, want %s", got, want)
	}
	for _, c := range []struct {
		v         view
		label, id string
	}{
		{v, "the account", "f"},
		{view{roles: v.roles, others: v.others[1:]}, "two-high", "b"},
		{view{roles: v.roles[4:], others: v.others[1:]}, "arn:of another account", "g"},
	} {
		if label, f := c.v.worst(); label != c.label || f == nil || f.ID != c.id {
			t.Errorf("worst is %v of %s, want %s of %s", f, label, c.id, c.label)
		}
	}
	if label, f := (view{}).worst(); label != "" || f != nil {
		t.Errorf("worst of nothing is %v of %s", f, label)
	}
	if len(v.others) != 2 || v.others[0].ID != "f" || v.others[1].ID != "g" {
		t.Errorf("other findings are %v", v.others)
	}
}
