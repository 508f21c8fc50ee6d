package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// unresolved is something that a job's configuration asks for and does not tell. A
// proposal that does not know it may lack it.
type unresolved struct {
	field, what, why string
	// s3 is a location that what ends with, once it is generalised.
	s3 *s3Location
	// alias: events may tell the key, see patternsOf.
	alias bool
}

// notDescribed is left open by the jobs of a family of which none was described: Search
// lacks these fields (SageMaker API, TrainingJob against DescribeTrainingJobResponse).
var notDescribed = unresolved{
	field: "RemoteDebugConfig, MlflowConfig, ProfilerRuleConfigurations",
	what:  "remote debugging, MLflow and profiler rules",
	why:   "only DescribeTrainingJob shows them, and it was read of no job of this kind",
}

func (q *asking) leaveOpen(field, what, why string) {
	q.leave(unresolved{field: field, what: what, why: why})
}

func (q *asking) leave(u unresolved) {
	// Several rules read the same field.
	if !slices.ContainsFunc(q.open, func(o unresolved) bool { return o.field == u.field && o.what == u.what && o.s3 == nil }) {
		q.open = append(q.open, u)
	}
}

// openNeed is what all of a role's jobs leave open alike.
type openNeed struct {
	field, what, why string
	alias            bool
	jobs             []*snapshot.Job // the first ones, at most maxEvidence
	total            int
	last             *snapshot.Job
}

type openKey struct{ field, what, why string }

type openNeeds map[openKey]*openNeed

func (o openNeeds) add(j *snapshot.Job, u unresolved, maxEvidence int) {
	k := openKey{u.field, u.what, u.why}
	n := o[k]
	if n == nil {
		n = &openNeed{field: u.field, what: u.what, why: u.why, alias: u.alias}
		o[k] = n
	}
	if n.last == j {
		return
	}
	n.last = j
	if n.total++; len(n.jobs) < maxEvidence {
		n.jobs = append(n.jobs, j)
	}
}

func (o openNeeds) sorted() []*openNeed {
	out := make([]*openNeed, 0, len(o))
	for _, n := range o {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *openNeed) int {
		return cmp.Or(cmp.Compare(a.field, b.field), cmp.Compare(a.what, b.what), cmp.Compare(a.why, b.why))
	})
	return out
}

// requirements are what the jobs of a role need, and what they need without telling.
func (a *audit) requirements(jobs []*snapshot.Job) ([]*required, []*openNeed) {
	return newAsks(a.place, a.beside, jobs).requirements(jobs, report.MaxEvidence)
}

// knowledge is what was read beside the jobs and fills what they leave open.
type knowledge struct {
	// manifests by URI.
	manifests map[string]*snapshot.Manifest
	// aliases gives the ARN of the key behind an alias's ARN.
	aliases map[string]string
	// caches are the prefixes of the pull-through cache rules of a registry
	// ("account/region"), those alone that were read.
	caches map[string][]string
	// encryption is that of the buckets where it was read; asked: it was asked for at all.
	encryption map[string]snapshot.BucketEncryption
	asked      bool
}

func knowledgeOf(s *snapshot.Snapshot) *knowledge {
	k := &knowledge{manifests: map[string]*snapshot.Manifest{}, aliases: map[string]string{}, caches: map[string][]string{},
		encryption: map[string]snapshot.BucketEncryption{},
		asked:      slices.ContainsFunc(s.Coverage, func(c snapshot.Coverage) bool { return c.Source == snapshot.SourceEncryption })}
	for _, r := range s.CacheRules {
		k.caches[r.Account+"/"+r.Region] = r.Prefixes
	}
	for _, e := range s.Encryption {
		k.encryption[e.ARN[strings.LastIndexByte(e.ARN, ':')+1:]] = e
	}
	for i := range s.Manifests {
		k.manifests[s.Manifests[i].URI] = &s.Manifests[i]
	}
	for _, r := range s.Resources {
		key, ok := readARN(r.ARN, "kms", "key/")
		for _, name := range r.Aliases {
			if alias := key; ok && keyName.MatchString(name) {
				alias.resource = name
				k.aliases[alias.literal()] = key.literal()
			}
		}
	}
	return k
}

// manifest is what the manifest of a channel names, where that was read.
func (q *asking) manifest(field string, c *snapshot.Channel, loc *s3Location) (topic, bool) {
	m := q.known.manifests[c.URI]
	if m == nil {
		q.leave(unresolved{field: field, what: "the objects that the manifest names: ", s3: loc,
			why: "where the data lies is in the manifest and not in the job, and the manifest was not read (audit run --read-manifests)"})
		return topic{}, false
	}
	if m.Truncated {
		q.leave(unresolved{field: field, what: "more objects that the manifest names: ", s3: loc,
			why: "the manifest was read in part only"})
	}
	s := topic{field: field + " (manifest)", streamed: q.streamed(c)}
	for _, uri := range m.Prefixes {
		named, why := q.parseS3(q.job.Region, uri)
		if why != "" {
			q.leaveOpen(s.field, "the location "+shown(uri)+" in the manifest", why)
			continue
		}
		named.prefix = true
		s.found = append(s.found, named)
		if named.note != "" && !strings.Contains(s.note, named.note) {
			s.note = strings.TrimPrefix(s.note+"; "+named.note, "; ")
		}
	}
	return s, true
}

// reportUnresolved lays them out as the contract has it.
func reportUnresolved(open []*openNeed) ([]report.Unresolved, int) {
	out := []report.Unresolved{}
	for _, n := range open {
		u := report.Unresolved{Field: n.field, What: n.what, Why: n.why, Jobs: []string{}, JobsTotal: n.total}
		for _, j := range n.jobs {
			u.Jobs = append(u.Jobs, j.Name)
		}
		slices.Sort(u.Jobs)
		out = append(out, u)
	}
	return capped(out, report.MaxResources)
}

// openReasons say in words why a proposal cannot be whole. Of a key's alias the plan
// itself speaks: events may have told the key.
func openReasons(open []*openNeed) []string {
	var out []string
	open = slices.DeleteFunc(slices.Clone(open), func(n *openNeed) bool { return n.alias })
	for i, n := range open {
		if i == report.MaxEvidence {
			return append(out, fmt.Sprintf("Not resolved: %d more, see unresolved.", len(open)-i))
		}
		out = append(out, fmt.Sprintf("Not resolved: %s (%s): %s.", n.what, n.field, n.why))
	}
	return out
}
