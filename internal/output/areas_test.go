package output

import (
	"fmt"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

func area(t *testing.T, a report.Area) string {
	t.Helper()
	p := &page{width: MinWidth}
	p.area(a)
	return p.buf.String()
}

func TestAreaGroupsActionsByResources(t *testing.T) {
	got := area(t, report.Area{Area: "s3-write", Excess: 1,
		Required: []report.Cell{
			{Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::b/1/*"}},
			{Action: "s3:AbortMultipartUpload", Resources: []string{"arn:aws:s3:::b/1/*", "arn:aws:s3:::b/2/*"}},
			{Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::b/2/*"}},
		},
		Granted:  []report.Cell{{Action: "s3:PutObject", Resources: []string{"*"}, Conditional: true}},
		Proposed: []report.Cell{{Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::b/1/*"}}},
	})
	want := `  s3-write    1 granted action neither used nor required
    needed    s3:PutObject, s3:AbortMultipartUpload on
                arn:aws:s3:::b/1/*
                arn:aws:s3:::b/2/*
    granted   s3:PutObject (under a condition) on *
    seen      no record
    proposed  s3:PutObject on arn:aws:s3:::b/1/*
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAreaNotNeeded(t *testing.T) {
	if got, want := area(t, report.Area{Area: "logs", Excess: 98}), "  logs        not needed, not seen; 98 granted actions neither used nor required\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Long lists end with how many more there are.
func TestAreaCapsLists(t *testing.T) {
	var a report.Area
	for i := range 20 {
		a.Required = append(a.Required, report.Cell{Action: "s3:GetObject", Resources: []string{fmt.Sprintf("arn:aws:s3:::bucket-%d/*", i)}})
		a.Granted = append(a.Granted, report.Cell{Action: fmt.Sprintf("s3:Get%d", i), Resources: []string{fmt.Sprintf("arn:aws:s3:::bucket-%d/*", i)}})
	}
	got := area(t, a)
	if n := strings.Count(got, "and 12 more (all of them: -o json)"); n != 2 {
		t.Errorf("%d of two lists say what is left out:\n%s", n, got)
	}
	if strings.Contains(got, "bucket-8") || !strings.Contains(got, "bucket-7") {
		t.Errorf("not eight are shown:\n%s", got)
	}
}
