package trailfiles

import (
	"errors"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// maxGaps is how many files of a source are named one by one.
const maxGaps = 1000

// gapOf is the gap of a path.
func gapOf(source, path string, impact snapshot.Impact, err error) snapshot.Gap {
	g := snapshot.Gap{Source: source, Scope: path, Impact: impact, Reason: snapshot.ReasonBroken, Detail: err.Error()}
	if errors.Is(err, errTooMuch) {
		g.Reason = snapshot.ReasonShort
	}
	if e := (*Error)(nil); errors.As(err, &e) {
		g.Reason, g.Permission = e.Reason, e.Permission
	}
	g.Scope, g.Detail = clip(g.Scope, 1024+256), clip(g.Detail, 500)
	return g
}

// clip bounds a text from outside. A key of S3 has up to 1,024 bytes.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "..."
	}
	return s
}
