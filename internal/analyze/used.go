package analyze

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// observation is what CloudTrail shows of one action by one role.
type observation struct {
	action      string
	known       bool // in the catalogue
	count       int
	first, last time.Time
	resources   map[string]struct{}
	regions     map[string]struct{}
	by          map[string]struct{}
	evidence    []report.Evidence
	// sources are the event sources: the services that were called.
	sources map[string]struct{}
	// calls are the groups it was seen in.
	calls []calls
	// layers are those that refusals named.
	layers map[string]struct{}
}

// calls is a group of calls alike.
type calls struct {
	first, last time.Time
	resources   []string
}

// observations of one role, by action.
type observations struct {
	used, denied, attempted map[string]*observation
}

// observe maps a role's calls to actions and tells what each call proves.
func observe(s *snapshot.Snapshot, sub *subject) observations {
	o := observations{map[string]*observation{}, map[string]*observation{}, map[string]*observation{}}
	hours := newTrainingHours(sub.jobs)
	for _, u := range sub.usage {
		for _, use := range actions.Of(callOf(s, u)) {
			if use.Role == "" || use.Role == sub.key.ARN {
				o.add(u, use, invoker(u, hours))
			}
		}
	}
	// SageMaker checks a job's inputs with the execution role and tells the
	// caller: AWS-documented failure texts of CreateTrainingJob.
	for _, u := range sub.mentions {
		for _, use := range actions.Of(callOf(s, u)) {
			if use.Role == sub.key.ARN {
				o.add(u, use, "training")
			}
		}
	}
	return o
}

func callOf(s *snapshot.Snapshot, u *snapshot.Usage) actions.Call {
	return actions.Call{
		Source: u.EventSource, Name: u.EventName, Type: u.EventType, Region: u.Region,
		Partition: s.Account.Partition, Account: s.Account.ID, ErrorCode: u.ErrorCode,
		Denial:    actions.Denial{Action: u.Denial.Action, Resource: u.Denial.Resource},
		Resources: strings.FieldsFunc(u.Resources, func(r rune) bool { return r == '\n' }),
		Param:     u.Params.Get,
	}
}

func (o observations) add(u *snapshot.Usage, use actions.Use, by string) {
	table := o.used
	switch use.Outcome {
	case actions.Denied:
		table = o.denied
	case actions.Attempted:
		table = o.attempted
	}
	if use.Implied && use.Outcome != actions.Used {
		return // what was refused is told of the call's own action
	}
	ob := table[use.Action]
	if ob == nil {
		ob = &observation{action: use.Action, known: use.Known, first: u.First,
			resources: map[string]struct{}{}, regions: map[string]struct{}{}, sources: map[string]struct{}{}, by: map[string]struct{}{}, layers: map[string]struct{}{}}
		table[use.Action] = ob
	}
	ob.count += u.Count
	if u.First.Before(ob.first) {
		ob.first = u.First
	}
	if u.Last.After(ob.last) {
		ob.last = u.Last
	}
	ob.calls = append(ob.calls, calls{u.First, u.Last, use.Resources})
	ob.sources[u.EventSource] = struct{}{}
	for _, r := range use.Resources {
		ob.resources[r] = struct{}{}
	}
	ob.regions[u.Region] = struct{}{}
	ob.by[by] = struct{}{}
	if u.Denial.Layer != "" {
		ob.layers[u.Denial.Layer] = struct{}{}
	}
	if len(ob.evidence) < report.MaxEvidence {
		ob.evidence = append(ob.evidence, report.Evidence{Source: u.Source, Region: u.Region, EventID: u.LastEventID, EventName: u.EventName})
	}
}

// layer names the layers that refused, empty if no message did.
func (o *observation) layer() string { return strings.Join(sorted(o.layers), ",") }

func sorted(set map[string]struct{}) []string {
	return list(slices.Sorted(maps.Keys(set)))
}

func sortedObservations(m map[string]*observation) []*observation {
	return slices.SortedFunc(maps.Values(m), func(a, b *observation) int { return cmp.Compare(a.action, b.action) })
}

// trainingHours tells whether any of a role's jobs was running at a time.
type trainingHours struct {
	starts []time.Time
	// until[i] is the latest end of the jobs that started at or before starts[i].
	until []time.Time
}

// afterglow: logs and metrics follow a job for some minutes.
const afterglow = 15 * time.Minute

func newTrainingHours(jobs []*snapshot.Job) trainingHours {
	byStart := slices.Clone(jobs)
	slices.SortFunc(byStart, func(a, b *snapshot.Job) int { return a.CreatedAt.Compare(b.CreatedAt) })
	var h trainingHours
	var latest time.Time
	for _, j := range byStart {
		end := cmp.Or(j.EndedAt, j.ModifiedAt, j.CreatedAt).Add(afterglow)
		if j.Status == "InProgress" || j.Status == "Stopping" {
			end = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		if end.After(latest) {
			latest = end
		}
		h.starts, h.until = append(h.starts, j.CreatedAt), append(h.until, latest)
	}
	return h
}

func (h trainingHours) include(t time.Time) bool {
	i, found := slices.BinarySearchFunc(h.starts, t, time.Time.Compare)
	if !found {
		i--
	}
	return i >= 0 && t.Before(h.until[i])
}

// sageMakerSession is the session name of training jobs, notebooks, Studio and
// more. Source: AWS trusted-identity-propagation pages; it never proves a job.
const sageMakerSession = "SageMaker"

// invoker says who used the session, as far as the facts tell: the log group
// tells the kind of workload; a call in a SageMaker session while a training job ran is taken for that job's; a call in
// a session of another name is a person's when it carries a source identity, an
// identity it is made on behalf of, or a session named like an e-mail address.
func invoker(u *snapshot.Usage, hours trainingHours) string {
	if kind, _ := workloadOf(u); kind != "" {
		return kind
	}
	switch {
	case u.Who.Session == sageMakerSession:
		if hours.include(u.First) || hours.include(u.Last) {
			return "training"
		}
		return "unknown"
	case u.Who.OnBehalfOf != "", u.Who.SourceIdentity != "", strings.Contains(u.Who.Session, "@"):
		return "human"
	case u.Who.InvokedBy != "":
		return "service"
	}
	return "unknown"
}
