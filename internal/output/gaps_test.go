package output

import (
	"fmt"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/report"
)

// Gaps that make a run incomplete are all shown, of the others so many, and the rest is
// counted. What is told twice is one line.
func TestManyGaps(t *testing.T) {
	r := sample()
	r.Complete = false
	r.Gaps = nil
	for i := range 200 {
		r.Gaps = append(r.Gaps, report.Gap{Source: "trail", Region: "eu-west-1", Scope: fmt.Sprintf("arn:aws:iam::111122223333:role/r%03d", i), Impact: "detail", Reason: "limit"},
			report.Gap{Source: "trail", Region: "eu-west-1", Scope: fmt.Sprintf("file-%03d", i), Impact: "usage", Reason: "broken"})
	}
	r.Gaps = append(r.Gaps, r.Gaps[0])
	for _, f := range []Format{Table, Brief} {
		out := render(t, f, r, Options{Width: 100})
		if n := strings.Count(out, "file-"); n != 200 {
			t.Errorf("%s: %d of 200 gaps of usage", f, n)
		}
		if n := strings.Count(out, ":role/r"); n != maxDetails || !strings.Contains(out, "  detail        150 gaps more of this impact: -o json has them all\n") {
			t.Errorf("%s: %d gaps of detail\n%s", f, n, out[strings.Index(out, "GAPS:"):])
		}
		if n := strings.Count(out, "usage: trail broken in eu-west-1"); n != 1 {
			t.Errorf("%s: the head tells of the gaps %d times", f, n)
		}
		if strings.Contains(out, "eu-west-1, eu-west-1") {
			t.Errorf("%s: a region twice", f)
		}
	}
}
