package output

import (
	"fmt"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

func area(t *testing.T, r *report.Role) string {
	t.Helper()
	p := &page{width: MinWidth}
	p.area(r.Areas[0], cellsOf(r, r.Areas[0].Area))
	return p.buf.String()
}

// The cells of one action that are alike are one row, those of the same resources
// as well, and the rest of the grant comes last.
func TestAreaGroupsCells(t *testing.T) {
	judged := func(action, resource string, verdict report.Verdict) report.JudgedCell {
		return report.JudgedCell{Action: action, Area: "s3-write", Resource: resource, Granted: "yes", Effective: "yes", Needed: "completed", Verdict: verdict}
	}
	rest := report.JudgedCell{Action: "s3:AbortMultipartUpload", Area: "s3-write", Rest: true, Patterns: []string{"*"}, Granted: "conditional", Effective: "conditional",
		Verdict: report.VerdictUnobservable, Reason: "recorded as data events only"}
	refused := judged("s3:PutObject", "arn:aws:s3:::b/3/*", report.VerdictBlocked)
	refused.Effective, refused.Seen = "no", 7
	got := area(t, &report.Role{
		Areas: []report.Area{{Area: "s3-write", Excess: 1, ExcessPatterns: 2,
			Proposed: []report.Cell{{Action: "s3:PutObject", Resources: []string{"arn:aws:s3:::b/1/*"}}}}},
		Cells: []report.JudgedCell{
			rest,
			judged("s3:AbortMultipartUpload", "arn:aws:s3:::b/1/*", report.VerdictRequired),
			judged("s3:AbortMultipartUpload", "arn:aws:s3:::b/2/*", report.VerdictRequired),
			judged("s3:PutObject", "arn:aws:s3:::b/1/*", report.VerdictRequired),
			judged("s3:PutObject", "arn:aws:s3:::b/2/*", report.VerdictRequired),
			refused,
			{Action: "logs:PutLogEvents", Area: "logs"},
		},
	})
	want := `  s3-write    1 granted action neither used nor required; 2 granted patterns
              wider than what is needed or seen
    required      yes         completed    -  s3:AbortMultipartUpload,
                                              s3:PutObject
        arn:aws:s3:::b/1/*
        arn:aws:s3:::b/2/*
    blocked       refused     completed    7  s3:PutObject
        arn:aws:s3:::b/3/*
    unobservable  condition   -            -  the rest of
                                              s3:AbortMultipartUpload
        *
        (recorded as data events only)
    proposed  s3:PutObject on arn:aws:s3:::b/1/*
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAreaNotNeeded(t *testing.T) {
	if got, want := area(t, &report.Role{Areas: []report.Area{{Area: "logs", Excess: 98}}}), "  logs        not needed, not seen; 98 granted actions neither used nor required\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Long lists end with how many more there are.
func TestAreaCapsLists(t *testing.T) {
	r := &report.Role{Areas: []report.Area{{Area: "s3-read"}}}
	for i := range 20 {
		bucket := fmt.Sprintf("arn:aws:s3:::bucket-%d/*", i)
		r.Cells = append(r.Cells, report.JudgedCell{Action: "s3:GetObject", Area: "s3-read", Resource: bucket, Granted: "yes", Verdict: report.VerdictUsed},
			report.JudgedCell{Action: fmt.Sprintf("s3:Get%d", i), Area: "s3-read", Resource: "*", Granted: "yes", Seen: i, Verdict: report.VerdictUsed})
	}
	got := area(t, r)
	for _, want := range []string{"and 12 more (all of them: -o json)", "and 9 more (all of them: -o json)"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "bucket-8") || !strings.Contains(got, "bucket-7") {
		t.Errorf("not eight are shown:\n%s", got)
	}
}
