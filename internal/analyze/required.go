package analyze

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// The areas of a requirement. The first four are the reference's; the others
// appear only where a job's own fields ask for them.
const (
	areaECRPull      = "ecr-pull"
	areaS3Read       = "s3-read"
	areaS3Write      = "s3-write"
	areaLogs         = "logs"
	areaMetrics      = "metrics"
	areaKMS          = "kms"
	areaVPC          = "vpc"
	areaRegistryAuth = "registry-auth"
	areaRemoteDebug  = "remote-debug"
	areaDebugger     = "debugger"

	areaModelRegistry = "model-registry"
	areaMlflow        = "mlflow"
	areaPackages      = "packages"
)

// fourAreas are the reference's, in its order of a job's life.
var fourAreas = []string{areaECRPull, areaS3Read, areaS3Write, areaLogs}

// Strength says how sure it is that a job needed what its configuration asks.
type strength int

// The strengths, weakest first.
const (
	strengthFailed    strength = iota // only failed jobs ask for it
	strengthDeclared                  // a job in progress, or stopped
	strengthCompleted                 // declared by a completed job
	strengthProven                    // an artifact shows it
)

func (s strength) String() string {
	return [...]string{"failed", "declared", "completed", "proven"}[s]
}

// Confidence says where a rule comes from: AWS documentation, the API model,
// or service behaviour.
type confidence string

const (
	confidenceDoc      confidence = "doc"
	confidenceModel    confidence = "model"
	confidenceInferred confidence = "inferred"
)

// need is one thing that one job's configuration asks of its role.
type need struct {
	action   string
	resource string // the narrowest IAM pattern that serves this job
	// s3 is set where the resource is an S3 location: what the hole rule
	// generalises.
	s3         *s3Location
	area       string
	strength   strength
	confidence confidence
	ifMissing  string
	optional   bool
	field      string
	// alias: a KMS key named by its alias, so that resource is any key.
	alias bool
	// note says what is odd about the field's value.
	note string
}

// place is where a role's jobs run, for the ARNs of what they need.
type place struct {
	partition, account string
	// exact leaves each job's own locations as they are: of tests.
	exact bool
}

// folders are the S3OutputPaths that some job's artifact shows to be folders.
type folders map[string]bool

func foldersOf(jobs []*snapshot.Job) folders {
	f := folders{}
	for _, j := range jobs {
		if j.Output.URI != "" && strings.HasPrefix(j.Artifact, strings.TrimSuffix(j.Output.URI, "/")+"/") {
			f[j.Output.URI] = true
		}
	}
	return f
}

// path is S3OutputPath, with a slash behind it where SageMaker was seen to put
// one: s3://bucket/models then means models/ and not models-of-others/.
func (f folders) path(uri string) string {
	if f[uri] {
		return strings.TrimSuffix(uri, "/") + "/"
	}
	return uri
}

// asks reads what jobs ask for. texts remembers the resources that were written out:
// jobs repeat them.
type asks struct {
	place
	known *knowledge
	seen  folders
	texts map[textKey]string
	// images remembers those that were read.
	images map[string]ecrImage
}

type textKey struct{ template, region, id string }

func newAsks(p place, known *knowledge, jobs []*snapshot.Job) *asks {
	return &asks{p, known, foldersOf(jobs), map[textKey]string{}, map[string]ecrImage{}}
}

// asking is the reading of one job.
type asking struct {
	*asks
	job  *snapshot.Job
	open []unresolved
}

// of reads what the job's own configuration asks of its role, and what it asks
// without telling.
func (a *asks) of(j *snapshot.Job) ([]need, []unresolved) { return a.appendTo(nil, j) }

func (a *asks) appendTo(out []need, j *snapshot.Job) ([]need, []unresolved) {
	q := &asking{asks: a, job: j}
	base := jobStrength(j)
	for i := range needRules {
		r := &needRules[i]
		for _, s := range r.topics(q) {
			for _, st := range r.statements {
				for _, template := range st.resources {
					for _, name := range st.actions {
						for _, t := range q.targets(template, name, &s) {
							n := need{action: name, resource: t.resource, s3: t.s3, area: r.areaOf(name), strength: base, confidence: r.confidence,
								ifMissing: r.ifMissing, optional: r.optional, field: s.field, alias: s.alias, note: s.note}
							if t.location != nil {
								n.action = t.location.action(name)
							}
							switch {
							case base == strengthCompleted && r.path == fieldOutput && j.Artifact != "":
								n.strength = strengthProven
							case base == strengthCompleted && s.streamed && name == "s3:GetObject":
								n.strength = strengthDeclared
							}
							for _, n.action = range expanded(n.action) {
								out = append(out, n)
							}
						}
					}
				}
			}
		}
	}
	return out, q.open
}

// target is a resource that a statement's text means for a topic.
type target struct {
	resource string
	location *s3Location // of S3
	s3       *s3Location // where the resource is of objects
}

func (q *asking) targets(template, action string, s *topic) []target {
	bucket := func(l *s3Location) target { return target{resource: l.bucketARN(), location: l} }
	objects := func(l *s3Location) target { return target{resource: l.pattern(), location: l, s3: l} }
	var out []target
	switch template {
	case bucketOf:
		if s.loc != nil {
			out = append(out, bucket(s.loc))
		}
	case objectOf, prefixOf:
		if s.loc != nil {
			out = append(out, objects(s.loc))
		}
	case manifestBuckets, manifestData, hookOutput:
		for i := range s.found {
			if template == manifestBuckets || action == "s3:ListBucket" {
				out = append(out, bucket(&s.found[i]))
			} else {
				out = append(out, objects(&s.found[i]))
			}
		}
	case ruleRepository:
		return q.targets(repositoryOf, action, s)
	case inputKey:
		return q.targets("{keyArn}", action, s)
	default:
		if text := q.text(template, s); text != "" {
			out = append(out, target{resource: text})
		}
	}
	return out
}

// text writes a template out; empty where the topic lacks a part of it.
func (q *asking) text(template string, s *topic) string {
	k := textKey{template, q.job.Region, s.id}
	text, ok := q.texts[k]
	if !ok {
		text = q.write(template, s)
		q.texts[k] = text
	}
	return text
}

func (q *asking) write(template string, s *topic) string {
	var b strings.Builder
	for {
		before, rest, more := strings.Cut(template, "{")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		var name string
		name, template, _ = strings.Cut(rest, "}")
		value := s.vars[name]
		switch name {
		case "p":
			value = q.partition
		case "r":
			value = q.job.Region
		case "a":
			value = q.account
		}
		if value == "" {
			return ""
		}
		b.WriteString(value)
	}
}

func jobStrength(j *snapshot.Job) strength {
	switch j.Status {
	case "Completed":
		return strengthCompleted
	case "Failed":
		return strengthFailed
	}
	return strengthDeclared
}

// required is what all of a role's jobs need of one action and resource.
type required struct {
	action   string
	resource string // generalised, see generalise
	area     string
	need     need // the strongest
	jobs     []*snapshot.Job
	fields   []string // of jobs, same order; at most maxEvidence are kept
	notes    []string // of fields, same order
	total    int      // jobs that ask for it
	last     *snapshot.Job
	// completed: a completed job asks for exactly this, the last of them created
	// at completedAt.
	completed   bool
	completedAt time.Time
}

// requirements merges the needs of jobs by (area, action, generalised resource), and
// what they leave open. The order of the jobs is no matter.
func (a *asks) requirements(jobs []*snapshot.Job, maxEvidence int) ([]*required, []*openNeed) {
	jobs = slices.SortedFunc(slices.Values(jobs), func(x, y *snapshot.Job) int {
		return cmp.Or(snapshot.CompareJobs(*x, *y), cmp.Compare(x.ARN, y.ARN))
	})
	// Twice over the jobs rather than once with all their needs in memory.
	h := newHoles()
	described := map[string]bool{}
	var needs []need
	var open []unresolved
	for _, j := range jobs {
		if j.Described {
			described[familyOf(j)] = true
		}
		needs, open = a.appendTo(needs[:0], j)
		for i := range needs {
			if needs[i].s3 != nil {
				h.see(j, needs[i].field, needs[i].s3)
			}
		}
		for i := range open {
			if open[i].s3 != nil {
				h.see(j, open[i].field, open[i].s3)
			}
		}
	}
	type key struct{ area, action, resource string }
	merged := map[key]*required{}
	left := openNeeds{}
	for _, j := range jobs {
		needs, open = a.appendTo(needs[:0], j)
		for _, n := range needs {
			if n.s3 != nil && !a.exact {
				n.resource = h.generalise(j, n.field, *n.s3).pattern()
			}
			k := key{n.area, n.action, n.resource}
			r := merged[k]
			if r == nil {
				r = &required{action: n.action, resource: n.resource, area: n.area, need: n}
				merged[k] = r
			}
			r.add(j, n, maxEvidence)
		}
		if !described[familyOf(j)] {
			left.add(j, notDescribed, maxEvidence)
		}
		for _, u := range open {
			if u.s3 != nil {
				u.what += h.generalise(j, u.field, *u.s3).pattern()
			}
			left.add(j, u, maxEvidence)
		}
	}
	out := make([]*required, 0, len(merged))
	for _, r := range merged {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *required) int {
		// The four areas first: a cell that several ask for is theirs.
		return cmp.Or(cmp.Compare(areaRank(a.area), areaRank(b.area)), cmp.Compare(a.area, b.area), cmp.Compare(a.action, b.action), cmp.Compare(a.resource, b.resource))
	})
	return out, left.sorted()
}

func (r *required) add(j *snapshot.Job, n need, maxEvidence int) {
	if r.last != j {
		r.total, r.last = r.total+1, j
	}
	if n.strength >= strengthCompleted {
		r.completed = true
		if j.CreatedAt.After(r.completedAt) {
			r.completedAt = j.CreatedAt
		}
	}
	switch {
	case n.strength > r.need.strength:
		r.need, r.jobs, r.fields, r.notes = n, nil, nil, nil
	case n.strength < r.need.strength:
		return
	default:
		r.need.strictest(n)
	}
	if last := len(r.jobs) - 1; last >= 0 && r.jobs[last] == j && r.fields[last] == n.field {
		return
	}
	if len(r.jobs) < maxEvidence {
		r.jobs, r.fields, r.notes = append(r.jobs, j), append(r.fields, n.field), append(r.notes, n.note)
	}
}

// strictest keeps of two rules that ask for the same what weighs more.
func (n *need) strictest(o need) {
	weight := func(ifMissing string) int { return slices.Index([]string{"unknown", "degrades", "fails"}, ifMissing) }
	if weight(o.ifMissing) > weight(n.ifMissing) {
		n.ifMissing = o.ifMissing
	}
	n.optional = n.optional && o.optional
	sure := []confidence{confidenceInferred, confidenceModel, confidenceDoc}
	if slices.Index(sure, o.confidence) > slices.Index(sure, n.confidence) {
		n.confidence = o.confidence
	}
}

// requirable are the actions that some job's configuration can ask for: what a job
// that was not read may need.
var requirable = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{actionCreateSession: true}
	for i := range needRules {
		for _, st := range needRules[i].statements {
			for _, name := range st.actions {
				for _, name := range expanded(name) {
					out[name] = true
				}
			}
		}
	}
	return out
})
