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

// call is a group of calls alike, as far as they speak of one action.
type call struct {
	*snapshot.Usage
	resources []string // empty where no record tells
	by        string
}

// touch is calls of one action with one outcome, on some of its resources.
type touch struct {
	calls     []*call
	known     map[*call]struct{}
	resources map[string]struct{}
}

func newTouch() *touch {
	return &touch{known: map[*call]struct{}{}, resources: map[string]struct{}{}}
}

// add takes in a call on a resource, "" where no record tells it.
func (t *touch) add(c *call, resource string) {
	if resource != "" {
		t.resources[resource] = struct{}{}
	}
	if _, known := t.known[c]; !known {
		t.known[c] = struct{}{}
		t.calls = append(t.calls, c)
	}
}

// join is several touches as one.
func join(all ...*touch) *touch {
	out := newTouch()
	for _, t := range all {
		if t == nil {
			continue
		}
		maps.Copy(out.resources, t.resources)
		for _, c := range t.calls {
			out.add(c, "")
		}
	}
	return out
}

func (t *touch) count() int {
	if t == nil {
		return 0
	}
	n := 0
	for _, c := range t.calls {
		n += c.Count
	}
	return n
}

func (t *touch) first() time.Time {
	var first time.Time
	for _, c := range t.calls {
		if first.IsZero() || c.First.Before(first) {
			first = c.First
		}
	}
	return first
}

// last is zero for no touch.
func (t *touch) last() time.Time {
	var last time.Time
	if t == nil {
		return last
	}
	for _, c := range t.calls {
		if c.Last.After(last) {
			last = c.Last
		}
	}
	return last
}

// names collects one fact of every call, sorted, the empty ones left out.
func (t *touch) names(fact func(*call) string) []string {
	set := map[string]struct{}{}
	for _, c := range t.calls {
		if v := fact(c); v != "" {
			set[v] = struct{}{}
		}
	}
	return sorted(set)
}

func (t *touch) regions() []string { return t.names(func(c *call) string { return c.Region }) }
func (t *touch) by() []string      { return t.names(func(c *call) string { return c.by }) }

// layers are the policy layers that refusals named.
func (t *touch) layers() []string {
	if t == nil {
		return nil
	}
	return t.names(func(c *call) string { return c.Denial.Layer })
}

// who are the people that the sessions name, and the services that called on the
// role's account.
func (t *touch) who() []string {
	people := map[string]struct{}{}
	for _, c := range t.calls {
		if id := c.Who.SourceIdentity; id != "" {
			people["source identity "+id] = struct{}{}
		}
		if id := c.Who.OnBehalfOf; id != "" {
			people["on behalf of "+id] = struct{}{}
		}
		if anotherService(c.Usage) {
			people[c.Who.InvokedBy] = struct{}{}
		}
	}
	out, _ := capped(sorted(people), report.MaxResources)
	return out
}

func (t *touch) evidence() []report.Evidence {
	out := []report.Evidence{}
	if t == nil {
		return out
	}
	for _, c := range t.calls[:min(len(t.calls), report.MaxEvidence)] {
		out = append(out, eventEvidence(c.Usage))
	}
	return out
}

func eventEvidence(u *snapshot.Usage) report.Evidence {
	return report.Evidence{Source: u.Source, Region: u.Region, EventID: u.LastEventID, EventName: u.EventName}
}

// observation is what CloudTrail shows of one action with one outcome.
type observation struct {
	action string
	listed bool // in the catalogue
	touch
}

// observations of one role, by action.
type observations struct {
	used, denied, attempted map[string]*observation
	// latest is the last call on record of each service, whatever came of it.
	latest map[string]time.Time
}

// observe maps a role's calls to actions and tells what each call proves.
func observe(s *snapshot.Snapshot, sub *subject) observations {
	o := observations{map[string]*observation{}, map[string]*observation{}, map[string]*observation{}, map[string]time.Time{}}
	i := newInvokers(sub)
	for _, u := range sub.usage {
		for _, use := range actions.Of(callOf(s, u)) {
			if use.Role == "" || use.Role == sub.key.ARN {
				o.add(u, use, i.of(u))
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

// last is the last call of an action, whatever came of it; zero for none.
func (o observations) last(action string) time.Time {
	var last time.Time
	for _, table := range []map[string]*observation{o.used, o.denied, o.attempted} {
		if ob := table[action]; ob != nil && ob.last().After(last) {
			last = ob.last()
		}
	}
	return last
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
	if service := serviceOf(use.Action); !use.Implied && !use.Indirect && u.Last.After(o.latest[service]) {
		o.latest[service] = u.Last
	}
	ob := table[use.Action]
	if ob == nil {
		ob = &observation{action: use.Action, listed: use.Known, touch: *newTouch()}
		table[use.Action] = ob
	}
	c := &call{u, use.Resources, by}
	ob.add(c, "")
	for _, r := range use.Resources {
		ob.resources[r] = struct{}{}
	}
}

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

// invokers says who made a call with a role's session.
type invokers struct {
	hours trainingHours
	// shared: the role's log groups show another user of its sessions than training.
	shared bool
}

func newInvokers(sub *subject) invokers {
	i := invokers{hours: newTrainingHours(sub.jobs)}
	for _, u := range sub.usage {
		kind, _ := workloadOf(u)
		i.shared = i.shared || kind != "" && kind != "training"
	}
	return i
}

// of says who used the session, as far as the facts tell. The log group tells the
// kind of workload. A call that a service made with the session on its own account
// (a forward access session: AWS cloudtrail-event-reference-user-identity,
// invokedBy) is that service's. A call in a SageMaker session while a training job
// ran is taken for that job's, unless the role has other users whose sessions bear
// the same name: then only SageMaker's own calls are. In a session of another name
// it is a person's when it carries a source identity, an identity it is made on
// behalf of, or a session named like an e-mail address.
func (i invokers) of(u *snapshot.Usage) string {
	if kind, _ := workloadOf(u); kind != "" {
		return kind
	}
	switch {
	case anotherService(u):
		return "service"
	case u.Who.Session == sageMakerSession:
		if (i.hours.include(u.First) || i.hours.include(u.Last)) && (!i.shared || u.Who.InvokedBy == sageMaker || u.EventSource == u.Who.InvokedBy) {
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

// anotherService reports whether a service other than SageMaker made the call, and
// other than the one that was called: ECR's pulls name ECR itself (AWS: AmazonECR
// logging-using-cloudtrail), S3's calls to KMS "AWS Internal".
func anotherService(u *snapshot.Usage) bool {
	by := u.Who.InvokedBy
	return strings.HasSuffix(by, ".amazonaws.com") && by != sageMaker && by != u.EventSource
}
