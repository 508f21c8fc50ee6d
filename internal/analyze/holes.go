package analyze

import (
	"regexp"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// HoleRule is the one rule by which a proposed pattern may exceed the evidence,
// so that tomorrow's job still runs. It is printed with every proposal.
const HoleRule = "An S3 pattern stops before the first path segment that holds a job's name, a date, a time, a UUID or a counter, " +
	"or of which the jobs of one family (same image repository and channels) use more than three."

// maxAlternatives is how many values of one segment a family may use before the
// segment counts as varying.
const maxAlternatives = 3

// A family is the jobs of one role that share image repository and channel
// names; a slot is one field of theirs in one bucket.
type slot struct{ family, field, bucket string }

// holes finds the segments that vary between the jobs of a family.
type holes struct {
	// values of the segment behind each path of a slot
	values map[slot]map[string]map[string]struct{}
}

func newHoles() *holes { return &holes{map[slot]map[string]map[string]struct{}{}} }

func slotOf(j *snapshot.Job, field string, l *s3Location) slot {
	return slot{familyOf(j), field, l.bucketARN()}
}

func familyOf(j *snapshot.Job) string {
	var b strings.Builder
	image, _, _ := strings.Cut(j.Image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	b.WriteString(image)
	b.WriteString(j.Algorithm)
	for _, c := range j.Channels {
		b.WriteByte('|')
		b.WriteString(c.Name)
	}
	return b.String()
}

// see records the segments of one location. A value that is volatile by its
// shape is no alternative: the pattern stops there anyway.
func (h *holes) see(j *snapshot.Job, field string, l *s3Location) {
	paths := h.values[slotOf(j, field, l)]
	if paths == nil {
		paths = map[string]map[string]struct{}{}
		h.values[slotOf(j, field, l)] = paths
	}
	at := 0
	for segment := range strings.SplitSeq(l.key, "/") {
		if volatile(segment, j.Name) {
			return
		}
		path := l.key[:at]
		if paths[path] == nil {
			paths[path] = map[string]struct{}{}
		}
		if len(paths[path]) <= maxAlternatives {
			paths[path][segment] = struct{}{}
		}
		at += len(segment) + 1
	}
}

// generalise cuts the location before its first hole and makes it a prefix; a
// location without one is returned as it is.
func (h *holes) generalise(j *snapshot.Job, field string, l s3Location) s3Location {
	paths := h.values[slotOf(j, field, &l)]
	at := 0
	for segment := range strings.SplitSeq(l.key, "/") {
		path := l.key[:at]
		if volatile(segment, j.Name) || len(paths[path]) > maxAlternatives {
			l.key, l.prefix = path, true
			return l
		}
		at += len(segment) + 1
	}
	return l
}

var (
	uuid = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// dates and times: 2026-10, 2026-10-31, 20261031, 20261031T120000
	date = regexp.MustCompile(`(?:^|[^0-9])(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])(?:[-_.]?(?:0[1-9]|[12]\d|3[01]))?(?:[^0-9]|[T_-]?\d{4,6}|$)`)
	long = regexp.MustCompile(`\d{8,}`)
	// a number standing alone or behind a word and a sign: 17, run-17, part_0004, year=2026; resnet50 is a name
	counter = regexp.MustCompile(`(?i)^(?:[a-z]+[-_=.])?\d{1,7}$`)
	// hash-like: 16 or more hex digits
	hash = regexp.MustCompile(`(?i)(?:^|[^0-9a-z])[0-9a-f]{16,}(?:[^0-9a-z]|$)`)
)

// volatile reports whether a segment is one that the next job will not share.
func volatile(segment, job string) bool {
	if segment == "" {
		return false
	}
	if job != "" && holdsName(segment, job) {
		return true
	}
	if len(segment) < 16 && !strings.ContainsAny(segment, "0123456789") {
		return false // as all of the forms below have it
	}
	return uuid.MatchString(segment) || date.MatchString(segment) || long.MatchString(segment) ||
		counter.MatchString(segment) || hash.MatchString(segment)
}

// holdsName reports whether a name stands in a segment as a word of its own: a job
// called "a" is not what "data" is named after.
func holdsName(segment, name string) bool {
	for at := 0; ; at++ {
		i := strings.Index(segment[at:], name)
		if i < 0 {
			return false
		}
		at += i
		end := at + len(name)
		if (at == 0 || !alphanumeric(segment[at-1])) && (end == len(segment) || !alphanumeric(segment[end])) {
			return true
		}
	}
}

func alphanumeric(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}
