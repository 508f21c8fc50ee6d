package output

import (
	"fmt"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// reachWords are how a role reaches a kind of resources.
type reachWords struct{ read, write, one, many string }

var (
	bucketWords     = reachWords{"reads", "writes", "bucket", "buckets"}
	repositoryWords = reachWords{"pulls from", "pushes to", "repository", "repositories"}
	keyWords        = reachWords{"decrypts with", "encrypts under", "key", "keys"}
)

// reach says how much of what the account has the role can read and write, and how much
// its jobs need.
func reach(r *report.Reach) []para {
	if r.Buckets.Granted == "unknown" {
		return paras("not known: the role's policies could not be read")
	}
	var ps []para
	for _, k := range []struct {
		words reachWords
		reach *report.ResourceReach
	}{{bucketWords, &r.Buckets.ResourceReach}, {repositoryWords, &r.Repositories}, {keyWords, &r.Keys}} {
		ps = append(ps, text(k.words.line(k.reach)).hanging(2))
	}
	return ps
}

func (w reachWords) line(r *report.ResourceReach) string {
	s := "no " + w.many + " are in the account"
	if r.Known > 0 || r.AtLeast {
		s = w.count(w.read, r, r.Read, true) + ", " + w.count(w.write, r, r.Write, false)
	}
	if n := len(r.Needed); n > 0 {
		s += fmt.Sprintf("; the jobs need %d: %s", n, some(r.Needed, n, maxNames))
	} else {
		s += "; the jobs need none"
	}
	if len(r.Why) > 0 {
		s += " (" + strings.Join(r.Why, "; ") + ")"
	}
	return s
}

// count is "reads 28 of 32 buckets" with what is to be said of them; the kind is named
// where first is set.
func (w reachWords) count(verb string, r *report.ResourceReach, n report.Reached, first bool) string {
	s := verb + " "
	kind := ""
	if first {
		kind = " " + w.many
		if r.Known == 1 && !r.AtLeast {
			kind = " " + w.one
		}
	}
	switch {
	case r.AtLeast:
		s += fmt.Sprintf("at least %d", n.Certain) + kind
	default:
		s += fmt.Sprintf("%d of %d", n.Certain, r.Known) + kind
	}
	var more []string
	if n.Conditional > 0 {
		more = append(more, fmt.Sprintf("%d more under a condition", n.Conditional))
	}
	if n.Partial > 0 {
		more = append(more, fmt.Sprintf("%d in part only", n.Partial))
	}
	if n.PolicyNotRead > 0 {
		more = append(more, fmt.Sprintf("the policy of %d was not read and may refuse", n.PolicyNotRead))
	}
	if len(more) > 0 {
		s += " (" + strings.Join(more, ", ") + ")"
	}
	return s
}
