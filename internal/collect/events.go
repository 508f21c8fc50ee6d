package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opLookup = "cloudtrail:LookupEvents"
	// createTrainingJob is the event that names an execution role, whether or not a
	// job came of it.
	createTrainingJob = "CreateTrainingJob"
	scopeCreations    = "EventName=" + createTrainingJob
)

// usage is what Event history tells of one region: management events of 90 days
// (AWS: API_LookupEvents). No filter of LookupEvents finds every call of a role (a
// session's user name is its session name, calls that a service makes with it may
// lack the access key), so the whole history is read: 50 events a call.
type usage struct {
	*run
	api    *cloudtrail.Client
	region string
	window snapshot.Window // the part of the run's

	// readings are those made so far, the one of CreateTrainingJob events first;
	// expected counts the jobs that must have left such an event.
	readings []*reading
	expected int

	passed map[string]bool   // role ARNs that CreateTrainingJob was given
	events map[string]*event // by Record.ID
	keys   map[snapshot.UseKey]*snapshot.UseKey
}

// event is one call that was kept.
type event struct {
	key      *snapshot.UseKey
	at       time.Time
	id       string
	addendum bool
}

func (r *run) newUsage(region string, window snapshot.Window) *usage {
	return &usage{
		run: r, api: r.history.of(region), region: region, window: window,
		passed: make(map[string]bool), events: make(map[string]*event), keys: make(map[snapshot.UseKey]*snapshot.UseKey),
	}
}

// roleARN is the ARN of a role: what CreateTrainingJob was given may be any text.
// Source: AWS IAM reference_identifiers.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/(?:[!-~]+/)?[\w+=,.@-]{1,64}$`)

// creations reads the CreateTrainingJob events, failed ones included: they name
// roles that no job shows.
func (u *usage) creations(ctx context.Context) {
	filter := []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyEventName, AttributeValue: aws.String(createTrainingJob)}}
	u.read(ctx, scopeCreations, filter, func(k *snapshot.UseKey) bool {
		if k.EventName == createTrainingJob && roleARN.MatchString(k.Params.RoleARN) {
			u.passed[k.Params.RoleARN] = true
		}
		return true
	})
}

// all reads every event and keeps those that concern the roles in scope.
func (u *usage) all(ctx context.Context, scope *scope) {
	if len(scope.roles) == 0 {
		u.tell(Status{Source: snapshot.SourceLookup, Region: u.region, Done: true, Note: "no role to look for"})
		return
	}
	u.read(ctx, snapshot.ScopeAll, nil, scope.concerns)
}

// scope is what the usage of a run is about.
type scope struct {
	roles    map[string]bool // ARNs
	names    map[string]bool // of those of this account
	policies map[string]bool // ARNs of the managed policies that they have, boundaries included
}

func (r *run) scope(named map[string]bool) *scope {
	s := &scope{roles: named, names: make(map[string]bool), policies: make(map[string]bool)}
	for i := range r.kept.roles {
		role := &r.kept.roles[i]
		s.roles[role.ARN] = true
		for _, p := range role.Attached {
			s.policies[p.ARN] = true
		}
		if role.Boundary != "" {
			s.policies[role.Boundary] = true
		}
	}
	for arn := range s.roles {
		if name := r.ours(arn); name != "" {
			s.names[name] = true
		}
	}
	return s
}

// concerns reports whether a call was made by a role in scope, or is about one; or
// whether it changed what such a role is granted, or what the account records.
func (s *scope) concerns(k *snapshot.UseKey) bool {
	switch {
	case s.roles[k.Role.ARN], s.roles[k.Params.PassedRole()], k.ChangesTrail():
		return true
	case !k.ChangesGrant():
		return false
	case k.Params.RoleName != "":
		// A role that was deleted, or no longer trusts SageMaker, is in no scope, and
		// a baseline may have it.
		return s.names[k.Params.RoleName] || k.EventName == "DeleteRole" || k.EventName == "UpdateAssumeRolePolicy"
	}
	return s.policies[k.Params.PolicyARN]
}

// reading is one reading of the history, newest event first.
type reading struct {
	*usage
	scope  string
	filter []types.LookupAttribute
	keep   func(*snapshot.UseKey) bool

	oldest   time.Time // of the events seen
	items    int
	created  int // CreateTrainingJob events among them
	bad      int // events that could not be understood
	firstBad error

	ended    bool // came to the end of the window
	coverage snapshot.Coverage
}

// read pages the window to its end. A list that breaks off is begun anew at the
// oldest event seen: page tokens may expire (how soon is not documented), and
// events that come twice are kept once.
func (u *usage) read(ctx context.Context, scope string, filter []types.LookupAttribute, keep func(*snapshot.UseKey) bool) {
	l := &reading{usage: u, scope: scope, filter: filter, keep: keep}
	u.readings = append(u.readings, l)
	until, err := u.window.To, error(nil)
	for {
		err = pages(func(token *string) (*string, bool, error) { return l.page(ctx, until, token) })
		if err == nil || ctx.Err() != nil || final(err) || l.oldest.IsZero() {
			break
		}
		next := l.oldest.Truncate(time.Second).Add(time.Second)
		if !next.Before(until) {
			break
		}
		until = next
	}
	l.finish(err)
}

// final reports whether asking again would not help.
func final(err error) bool {
	switch reason(err) {
	case snapshot.ReasonRefused, snapshot.ReasonTimeout, snapshot.ReasonThrottled, snapshot.ReasonUnavailable:
		return true
	}
	return false
}

func (l *reading) page(ctx context.Context, until time.Time, token *string) (*string, bool, error) {
	out, err := l.api.LookupEvents(ctx, &cloudtrail.LookupEventsInput{
		LookupAttributes: l.filter, MaxResults: aws.Int32(50), NextToken: token,
		StartTime: aws.Time(l.window.From), EndTime: aws.Time(until),
	})
	if err != nil {
		return nil, false, err
	}
	for i := range out.Events {
		l.event(&out.Events[i])
	}
	l.tell(Status{Source: snapshot.SourceLookup, Region: l.region, Items: l.items, Covered: l.oldest, Note: l.scope})
	return out.NextToken, false, nil
}

func (l *reading) event(e *types.Event) {
	l.items++
	if aws.ToString(e.EventName) == createTrainingJob {
		l.created++
	}
	when := at(e.EventTime)
	if !when.IsZero() && (l.oldest.IsZero() || when.Before(l.oldest)) {
		l.oldest = when
	}
	record, err := snapshot.DecodeRecord([]byte(aws.ToString(e.CloudTrailEvent)))
	if err != nil {
		l.bad++
		l.firstBad = cmp.Or(l.firstBad, fmt.Errorf("event %s: %w", aws.ToString(e.EventId), err))
		return
	}
	if !l.window.Contains(record.EventTime) {
		return
	}
	key, ok := snapshot.Facts(record)
	if !ok || !l.keep(&key) {
		return
	}
	found := &event{at: record.EventTime, id: record.EventID, addendum: record.Addendum != nil}
	id := record.ID()
	if former := l.events[id]; former != nil && !found.replaces(former) {
		return
	}
	if found.key = l.keys[key]; found.key == nil {
		found.key = &key
		l.keys[key] = &key
	}
	l.events[id] = found
}

// replaces reports whether e restates what d said: an addendum does (AWS:
// cloudtrail-event-reference-record-contents, addendum), the latest of several.
func (e *event) replaces(d *event) bool {
	if e.addendum != d.addendum {
		return e.addendum
	}
	return cmp.Or(e.at.Compare(d.at), cmp.Compare(e.id, d.id)) > 0
}

func (l *reading) finish(err error) {
	c := snapshot.Coverage{
		Source: snapshot.SourceLookup, Region: l.region, EventClasses: []string{"management"}, Scope: l.scope,
		Asked: l.window, Items: l.items, Complete: err == nil && l.bad == 0,
	}
	switch {
	case err == nil:
		c.Covered = l.window
	case !l.oldest.IsZero():
		// Of the oldest second seen, some events may be on the next page.
		if from := l.oldest.Truncate(time.Second).Add(time.Second); from.Before(l.window.To) {
			c.Covered = snapshot.Window{From: from, To: l.window.To}
		}
	}
	l.ended, l.coverage = err == nil, c
	if errors.Is(err, context.Canceled) {
		return
	}
	if err != nil {
		l.failed(opLookup, l.region, l.scope, snapshot.ImpactUsage, err)
	}
	if l.bad > 0 {
		l.missing(snapshot.Gap{Source: opLookup, Region: l.region, Scope: l.scope, Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonBroken,
			Detail: fmt.Sprintf("%d events could not be understood, among them %s", l.bad, detail(l.firstBad))})
	}
	l.tell(Status{Source: snapshot.SourceLookup, Region: l.region, Items: l.items, Covered: c.Covered.From, Done: true, Note: l.scope})
}

// leavesEvent reports whether somebody created a job well within a window: what
// tuning, AutoML and labeling create by themselves may be recorded in other ways.
func leavesEvent(j *snapshot.Job, window snapshot.Window) bool {
	return j.TuningJobARN == "" && j.AutoMLJobARN == "" && j.LabelingJobARN == "" &&
		window.Contains(j.CreatedAt) && window.Contains(j.CreatedAt.Add(-deliveryDelay))
}

// settle records what the readings of the region have covered. A job that was
// created has its CreateTrainingJob event (AWS: sagemaker logging-using-cloudtrail),
// so a history that lacks all of them is not the region's, whatever its end says.
func (u *usage) settle() {
	for _, l := range u.readings {
		if l.ended && l.created == 0 {
			switch {
			case u.expected > 0:
				l.short(fmt.Sprintf("it holds no CreateTrainingJob event, and %d training jobs were created within the window", u.expected))
			case u.readings[0].created > 0:
				l.short(fmt.Sprintf("it holds no CreateTrainingJob event, and asked for these alone it gave %d", u.readings[0].created))
			}
		}
		u.cover(l.coverage)
	}
}

func (l *reading) short(detail string) {
	l.coverage.Complete, l.coverage.Covered = false, snapshot.Window{}
	l.missing(snapshot.Gap{Source: opLookup, Region: l.region, Scope: l.scope, Impact: snapshot.ImpactUsage, Reason: snapshot.ReasonShort, Detail: detail})
}

// groups counts the calls that are alike, of the roles in scope.
func (u *usage) groups(scope *scope) []snapshot.Usage {
	groups := make(map[*snapshot.UseKey]*snapshot.Usage)
	for _, e := range u.events {
		if !scope.concerns(e.key) {
			continue
		}
		g := groups[e.key]
		if g == nil {
			g = &snapshot.Usage{UseKey: *e.key, First: e.at, Last: e.at, FirstEventID: e.id, LastEventID: e.id, Source: snapshot.SourceLookup}
			groups[e.key] = g
		}
		g.Count++
		if cmp.Or(e.at.Compare(g.First), cmp.Compare(e.id, g.FirstEventID)) < 0 {
			g.First, g.FirstEventID = e.at, e.id
		}
		if cmp.Or(e.at.Compare(g.Last), cmp.Compare(e.id, g.LastEventID)) > 0 {
			g.Last, g.LastEventID = e.at, e.id
		}
	}
	all := make([]snapshot.Usage, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	return all
}
