package output

import (
	"bytes"

	"sagemaker-role-audit/internal/analyze/report"
)

// writeTable appends the report for people to buf: what was looked at, all roles
// at a glance, each role in full, what the answer rests on, what to do next.
func writeTable(buf *bytes.Buffer, r *report.Report, o Options) error {
	p := &page{width: max(o.Width, MinWidth), color: o.Color}
	v := arrange(r)
	p.head(v)
	p.summary(v)
	p.driftPart(v)
	for i, role := range v.roles {
		p.role(role, i+1, len(v.roles))
	}
	p.otherFindings(v)
	p.exceptions(v)
	p.coverage(v)
	p.gaps(v)
	p.trails(v)
	p.blindSpots(v)
	p.totals(v)
	if p.err != nil {
		return p.err
	}
	_, err := p.buf.WriteTo(buf)
	return err
}
