package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// why says in one line which jobs ask for the need.
func (n *judgedNeed) why() string {
	field := n.fields[0]
	s := fmt.Sprintf("%s of %d job", field, n.total)
	if n.total != 1 {
		s += "s"
	}
	return fmt.Sprintf("%s, %s, e.g. %s", s, n.need.strength, n.jobs[0].Name)
}

// observedPatterns are the resources of calls, generalised; calls whose resource no
// record tells stand for whatever is granted.
func observedPatterns(t *touch) []string {
	if len(t.resources) == 0 {
		return []string{"*"}
	}
	return generalisedResources(t.resources)
}

// generalisedResources are the resources of calls as patterns, generalised as a job's
// own locations are. A log stream is new for each job, so all of its group's are
// meant.
func generalisedResources(resources map[string]struct{}) []string {
	nobody := new(snapshot.Job)
	h := newHoles()
	locations := map[string]s3Location{}
	patterns := map[string]struct{}{}
	for _, r := range sorted(resources) {
		if loc, ok := parseObjectARN(r); ok {
			locations[r] = loc
			h.see(nobody, "", &loc)
			continue
		}
		if group, _, ok := strings.Cut(r, ":log-stream:"); ok {
			r = group + ":*"
		}
		if kind, name, ok := strings.Cut(r, "/"); ok && jobARN.MatchString(kind) && volatile(name, "") {
			r = kind + "/*"
		}
		patterns[r] = struct{}{}
	}
	for _, loc := range locations {
		patterns[h.generalise(nobody, "", loc).pattern()] = struct{}{}
	}
	return minimal(patterns)
}

// jobARN is the part of a job's ARN before its name: each job has a new one.
// Source: AWS service authorization reference, SageMaker resource types.
var jobARN = regexp.MustCompile(`^arn:[a-z0-9-]+:sagemaker:[a-z0-9-]+:\d{12}:[a-z-]+-job$`)

// minimal drops the patterns that another includes, and sorts.
func minimal(set map[string]struct{}) []string {
	all := sorted(set)
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool {
		return slices.ContainsFunc(all, func(q string) bool { return p != q && policy.Includes(q, p) && !(policy.Includes(p, q) && p < q) })
	})
}

// conditionsKey tells conditions apart, whatever their order.
func conditionsKey(conditions []policy.ConditionSpec) string {
	lines := make([]string, len(conditions))
	for i, c := range conditions {
		values := make([]string, len(c.Values))
		for k, v := range c.Values {
			values[k] = v.Text
		}
		lines[i] = fmt.Sprintf("%s\x00%s\x00%q", c.Operator, c.Key, values)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\x01")
}
