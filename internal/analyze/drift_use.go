package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// seenKey names what is seen of a role: an action, an image, a person.
type seenKey struct{ kind, subject string }

// sighting is when it was seen, on which evidence.
type sighting struct {
	first, last time.Time
	regions     map[string]bool
	// jobs: it comes from training jobs, by the window of jobs; else from calls.
	jobs bool
	// note says more in few words; by is the call at first.
	note string
	by   *report.ChangeBy
	// who acts, or what was refused, in words.
	words string
	count int
}

type sightings map[seenKey]*sighting

func (s sightings) see(kind, subject string, jobs bool, first, last time.Time, region string) *sighting {
	k := seenKey{kind, subject}
	x := s[k]
	if x == nil {
		x = &sighting{first: first, last: last, regions: map[string]bool{}, jobs: jobs}
		s[k] = x
	}
	x.count++
	x.regions[region] = true
	// Calls and jobs that show the same: the calls' window is the shorter one.
	x.jobs = x.jobs && jobs
	if last.After(x.last) {
		x.last = last
	}
	return x
}

// isFirst reports whether this is the first sighting so far, and makes it so.
func (x *sighting) isFirst(at time.Time, tie bool) bool {
	if at.Before(x.first) || x.count == 1 || at.Equal(x.first) && tie {
		x.first = at
		return true
	}
	return false
}

// observations compares what the roles of both sides were seen to do and to be used for.
func (c *comparison) observations() {
	type pair struct {
		was, is   *subject
		then, now sightings
	}
	olds, news := subjectsOf(c.older), subjectsOf(c.newer)
	var pairs []pair
	for _, key := range slices.SortedFunc(maps.Keys(news), func(a, b snapshot.RoleKey) int {
		return cmp.Or(cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.ID, b.ID))
	}) {
		was, is := olds[key], news[key]
		if was != nil && !c.moved[key.ARN] && !sameCalls(was, is) {
			pairs = append(pairs, pair{was: was, is: is})
		}
	}
	inParallel(len(pairs), func(i int) {
		p := &pairs[i]
		// What both sides have in the same words shows nothing that one of them lacks; of
		// most roles nothing else is there, or nothing new.
		was, is := apart(p.was, p.is)
		if then, now := c.see(c.older, was), c.see(c.newer, is); !sameKeys(then, now) {
			p.then, p.now = c.see(c.older, p.was), c.see(c.newer, p.is)
		}
	})
	for i := range pairs {
		c.observe(pairs[i].is, pairs[i].then, pairs[i].now)
	}
}

// inParallel does n things that have nothing to do with each other, several at a time.
func inParallel(n int, do func(i int)) {
	var (
		next    atomic.Int64
		workers sync.WaitGroup
	)
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}

// subjectsOf are the roles that IAM had, with their jobs and calls.
func subjectsOf(h *half) map[snapshot.RoleKey]*subject {
	out := make(map[snapshot.RoleKey]*subject, len(h.roles))
	for _, sub := range subjects(h.Snapshot) {
		if sub.role != nil {
			out[sub.key] = sub
		}
	}
	return out
}

// sameCalls is the quick look: all that was seen of the role is the same on both sides.
func sameCalls(a, b *subject) bool {
	calls := func(x, y []*snapshot.Usage) bool {
		return slices.EqualFunc(x, y, func(p, q *snapshot.Usage) bool { return *p == *q })
	}
	return calls(a.usage, b.usage) && calls(a.mentions, b.mentions) &&
		slices.EqualFunc(a.jobs, b.jobs, func(p, q *snapshot.Job) bool { return compareJobs(p, q) == 0 })
}

// apart is the two roles less the calls and jobs that are alike on both sides.
func apart(a, b *subject) (*subject, *subject) {
	x, y := *a, *b
	calls := func(p, q *snapshot.Usage) int { return p.UseKey.Compare(q.UseKey) }
	x.usage, y.usage = unshared(a.usage, b.usage, calls)
	x.mentions, y.mentions = unshared(a.mentions, b.mentions, calls)
	x.jobs, y.jobs = unshared(a.jobs, b.jobs, compareJobs)
	return &x, &y
}

func compareJobs(p, q *snapshot.Job) int {
	return cmp.Or(snapshot.CompareJobs(*p, *q), cmp.Compare(p.Image, q.Image), cmp.Compare(p.Artifact, q.Artifact))
}

// unshared are the elements of two sorted lists that the other one has not.
func unshared[T any](a, b []T, compare func(T, T) int) (onlyA, onlyB []T) {
	for i, j := 0, 0; i < len(a) || j < len(b); {
		order := 0
		switch {
		case i == len(a):
			order = 1
		case j == len(b):
			order = -1
		default:
			order = compare(a[i], b[j])
		}
		switch {
		case order < 0:
			onlyA = append(onlyA, a[i])
			i++
		case order > 0:
			onlyB = append(onlyB, b[j])
			j++
		default:
			i++
			j++
		}
	}
	return onlyA, onlyB
}

func sameKeys(a, b sightings) bool {
	if len(a) != len(b) {
		return false
	}
	for k := range a {
		if b[k] == nil {
			return false
		}
	}
	return true
}

// see gathers what is seen of a role on one side.
func (c *comparison) see(h *half, sub *subject) sightings {
	out := sightings{}
	started := map[string]*snapshot.Usage{}
	for _, u := range sub.mentions {
		if name := u.Params.TrainingJobName; name != "" && createsJob(u) {
			started[name] = u
		}
	}
	for _, j := range sub.jobs {
		out.job(j, started[j.Name])
	}
	if !c.comparesUsage() {
		return out
	}
	seen := observe(h.Snapshot, sub)
	for _, table := range []struct {
		kind string
		of   map[string]*observation
	}{{report.SubjectAction, seen.used}, {report.SubjectDenied, seen.denied}} {
		for _, action := range slices.Sorted(maps.Keys(table.of)) {
			for _, call := range table.of[action].calls {
				x := out.see(table.kind, action, false, call.First, call.Last, call.Region)
				if x.isFirst(call.First, false) {
					x.by = &report.ChangeBy{Principal: actor(call.Usage), EventName: call.EventName, EventID: call.FirstEventID, At: call.First.UTC()}
					x.words = callWords(call, table.kind == report.SubjectDenied)
				}
			}
		}
	}
	for _, u := range sub.usage {
		if u.Category == "Data" {
			continue // see leavesNoRecord: what is seen first may be what is recorded first
		}
		if b := u.Params.BucketName; b != "" && u.ErrorCode == "" {
			out.call(report.SubjectBucket, b, u, "called by "+actorWords(u))
		}
		if who := personIn(u); who != "" {
			out.call(report.SubjectPerson, who, u, fmt.Sprintf("the session %s of the role called %s", cmp.Or(u.Who.Session, "without a name"), u.EventName))
		}
	}
	for _, u := range sub.mentions {
		if who := personAssuming(u); who != "" && u.ErrorCode == "" {
			out.call(report.SubjectPerson, who, u, u.EventName+" by "+actorWords(u))
		}
	}
	return out
}

func (s sightings) call(kind, subject string, u *snapshot.Usage, words string) {
	x := s.see(kind, subject, false, u.First, u.Last, u.Region)
	if x.isFirst(u.First, false) {
		x.by = &report.ChangeBy{Principal: actor(u), EventName: u.EventName, EventID: u.FirstEventID, At: u.First.UTC()}
		x.words = words
	}
}

func callWords(c *call, denied bool) string {
	words := "called in the session " + cmp.Or(c.Who.Session, "without a name")
	if c.by != "" && c.by != "unknown" {
		words += ", by " + c.by
	}
	if denied {
		words = cmp.Or(refusedBy(layersOfCall(c)), "refused")
	}
	if len(c.resources) > 0 {
		words += ", on " + c.resources[0]
	}
	return words
}

func layersOfCall(c *call) []string {
	if c.Denial.Layer == "" {
		return nil
	}
	return []string{c.Denial.Layer}
}

// job sees a job: its family, the repository of its image, its buckets.
func (s sightings) job(j *snapshot.Job, started *snapshot.Usage) {
	see := func(kind, subject string) {
		if subject == "" {
			return
		}
		x := s.see(kind, subject, true, j.CreatedAt, j.CreatedAt, j.Region)
		if x.isFirst(j.CreatedAt, j.Name < x.note) {
			x.note, x.by = j.Name, nil
			x.words = "job " + j.Name
			if started != nil {
				x.by = changeBy(started)
				x.words += ", started by " + actorWords(started)
			}
		}
	}
	see(report.SubjectJob, jobFamily(j))
	see(report.SubjectImage, imageRepository(j.Image))
	for _, b := range bucketsOf(j) {
		see(report.SubjectBucket, b)
	}
}

// imageRepository is an image without its tag and digest.
func imageRepository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// bucketsOf are the buckets that a job's configuration names, sorted.
func bucketsOf(j *snapshot.Job) []string {
	set := map[string]struct{}{}
	add := func(uris ...string) {
		for _, uri := range uris {
			if loc, why := (place{partition: "aws"}).parseS3(j.Region, uri); why == "" && loc.bucket != "" {
				set[loc.bucket] = struct{}{}
			}
		}
	}
	for _, ch := range j.Channels {
		add(ch.URI)
	}
	add(j.Output.URI, j.Artifact, j.Checkpoint, j.TensorBoard, j.DebugHook, j.Profiler)
	for _, r := range slices.Concat(j.DebugRules, j.ProfilerRules) {
		add(r.URI)
	}
	for _, v := range j.S3Values {
		add(v.URI)
	}
	return sorted(set)
}

var (
	nameSeparators = regexp.MustCompile(`[-_.]+`)
	mixedToken     = regexp.MustCompile(`(?i)^(?:[0-9]+[a-z][0-9a-z]*|[a-z]+[0-9]+[a-z][0-9a-z]*)$`)
)

// jobFamily is a job's name with a star for each part that the next job of its kind
// would have otherwise: a date, a time, a counter, an id.
func jobFamily(j *snapshot.Job) string {
	name := uuid.ReplaceAllString(j.Name, "0")
	var parts []string
	for _, token := range nameSeparators.Split(name, -1) {
		varies := token != "" && strings.Trim(token, "0123456789") == "" || volatile(token, "") || len(token) >= 6 && mixedToken.MatchString(token)
		switch {
		case !varies:
			parts = append(parts, token)
		case len(parts) == 0 || parts[len(parts)-1] != "*":
			parts = append(parts, "*")
		}
	}
	return strings.Join(parts, "-")
}

// personIn is the person that a session of the role names, empty for none: see
// invokers.of.
func personIn(u *snapshot.Usage) string {
	switch {
	case u.Who.SourceIdentity != "":
		return u.Who.SourceIdentity
	case u.Who.OnBehalfOf != "":
		return u.Who.OnBehalfOf
	case strings.Contains(u.Who.Session, "@"):
		return u.Who.Session
	}
	return ""
}

// personAssuming is the person that took the role: a user, the account's root, or who
// signed in through IAM Identity Center; empty for another call, or a machine's.
// Source: IAM Identity Center using-service-linked-roles (AWSReservedSSO_ roles).
func personAssuming(u *snapshot.Usage) string {
	if u.EventSource != "sts.amazonaws.com" || !strings.HasPrefix(u.EventName, "AssumeRole") {
		return ""
	}
	switch {
	case u.Who.SourceIdentity != "":
		return u.Who.SourceIdentity
	case strings.Contains(u.Caller, ":user/"), strings.HasSuffix(u.Caller, ":root"):
		return nameOf(u.Caller)
	case strings.Contains(u.Role.ARN, "/AWSReservedSSO_"), strings.Contains(u.Who.Session, "@"):
		return u.Who.Session
	case strings.Contains(u.Params.RoleSession, "@"):
		return u.Params.RoleSession
	}
	return ""
}

// observe tells what only one side saw of a role. was and is are by time.
func (c *comparison) observe(sub *subject, was, is sightings) {
	keys := map[seenKey]struct{}{}
	for _, s := range []sightings{was, is} {
		for k := range s {
			if was[k] == nil || is[k] == nil {
				keys[k] = struct{}{}
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), func(a, b seenKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.subject, b.subject))
	}) {
		if x := is[k]; x != nil {
			c.appeared(sub, k, x)
		} else {
			c.vanished(sub, k, was[k])
		}
	}
}

// windowOf is the window of a sighting's source.
func windowOf(h *half, x *sighting) snapshot.Window {
	if x.jobs {
		return h.JobsWindow
	}
	return h.Window
}

// covers reports whether the side would have seen the like of x.
func (h *half) covers(k seenKey, x *sighting) bool {
	for region := range x.regions {
		if x.jobs {
			if !slices.Contains(h.Regions.Read, region) || h.jobsMissing() {
				return false
			}
			continue
		}
		if h.blindIn(region) != "" {
			return false
		}
	}
	return x.jobs || !leavesNoRecord(k)
}

// leavesNoRecord: object reads and writes are known from the KMS calls they cause alone,
// so that not seeing them proves nothing (DESIGN.md, truth 1).
func leavesNoRecord(k seenKey) bool {
	if k.kind != report.SubjectAction && k.kind != report.SubjectDenied {
		return false
	}
	return actions.VisibilityOf(k.subject).Class != actions.Management
}

func (h *half) jobsMissing() bool {
	return slices.ContainsFunc(h.Gaps, func(g snapshot.Gap) bool { return g.Impact == snapshot.ImpactJobs })
}

const (
	whyOneSided = "it was within both windows, and one side alone has it: AWS may have shown it late"
	whyNoRecord = "it is known from other calls, and most of its kind leave no record: whether it was there before, or goes on, is not known"
)

// appeared tells of what the later side alone saw. It is new only if it was after the
// earlier side's window, and that side would have seen the like in its own.
func (c *comparison) appeared(sub *subject, k seenKey, x *sighting) {
	w := windowOf(c.older, x)
	switch {
	case x.first.Before(w.From):
		return // the later side looks further back: no first of anything
	case !c.older.covers(k, x):
		if leavesNoRecord(k) && !x.jobs {
			c.unseen(sub, k, whyNoRecord, c.older.side)
		}
		return // its region is told of
	case x.first.Before(w.To):
		c.unseen(sub, k, whyOneSided, report.SideBoth)
		return
	}
	c.seenChange(sub, k, x, true)
}

// vanished tells of what the earlier side alone saw: it aged out if it was before the
// later side's window, and that side would have seen it again.
func (c *comparison) vanished(sub *subject, k seenKey, x *sighting) {
	w, v := windowOf(c.newer, x), windowOf(c.older, x)
	switch {
	case !c.newer.covers(k, x):
		if leavesNoRecord(k) && !x.jobs {
			c.unseen(sub, k, whyNoRecord, c.newer.side)
		}
		return
	case !x.last.Before(w.From):
		c.unseen(sub, k, whyOneSided, report.SideBoth)
		return
	case !x.last.Before(w.To.Add(-v.To.Sub(v.From))):
		c.unseen(sub, k, "the later window is shorter than the earlier one, and begins after it", c.newer.side)
		return
	}
	c.seenChange(sub, k, x, false)
}

// unseen takes in a sighting that cannot be compared.
func (c *comparison) unseen(sub *subject, k seenKey, why, side string) {
	kinds := []report.ChangeKind{newKind[k.kind], report.UseAgedOut}
	c.unknown(report.Uncompared{Role: sub.key.ARN, RoleID: sub.key.ID, What: seenWords(k), Impact: string(snapshot.ImpactDetail), Kinds: kinds, Side: side, Why: why})
}

// newKind is the kind of change of what is seen and was not.
var newKind = map[string]report.ChangeKind{
	report.SubjectJob: report.NewJob, report.SubjectImage: report.NewImage, report.SubjectBucket: report.NewBucket,
	report.SubjectAction: report.FirstUse, report.SubjectDenied: report.NewlyDenied, report.SubjectPerson: report.PersonAssumed,
}

func seenWords(k seenKey) string {
	switch k.kind {
	case report.SubjectJob:
		return "jobs " + k.subject
	case report.SubjectAction:
		return "the use of " + k.subject
	case report.SubjectDenied:
		return "refused calls of " + k.subject
	}
	return k.kind + " " + k.subject
}

// seenChange tells of a sighting. appeared is as time went.
func (c *comparison) seenChange(sub *subject, k seenKey, x *sighting, appeared bool) {
	name := sub.role.Name
	y := report.Change{Role: sub.key.ARN, RoleID: sub.key.ID, Subject: k.subject, SubjectKind: k.kind, Effect: report.NoEffect, By: x.by}
	fresh := appeared != c.backwards
	there := minute(x.first)
	if !appeared {
		there = "last " + minute(x.last)
	}
	if fresh {
		y.Kind, y.After = newKind[k.kind], there
		y.Severity = c.severityOfSeen(k)
		y.Title = fmt.Sprintf(freshTitles[k.kind], k.subject, name)
	} else {
		y.Kind, y.Before = report.UseAgedOut, there
		y.Title = fmt.Sprintf("%s of role %s: nothing of it in the window any more", upperFirst(seenWords(k)), name)
	}
	switch {
	case appeared:
		y.Cause = upperFirst(x.words)
		if k.kind == report.SubjectDenied {
			if u := c.trail.lastChange(name, x.first); u != nil {
				y.Cause += fmt.Sprintf(", after %s by %s", u.EventName, actorWords(u))
			}
		}
	default:
		y.By = nil
		y.Cause = fmt.Sprintf("It was on %s last, and the window begins on %s", minute(x.last), minute(windowOf(c.newer, x).From))
	}
	c.change(y)
}

var freshTitles = map[string]string{
	report.SubjectJob:    "Jobs %s use role %s, and did not in the baseline's window",
	report.SubjectImage:  "Image %s runs in jobs of role %s, and did not in the baseline's window",
	report.SubjectBucket: "Bucket %s is used with role %s, and was not in the baseline's window",
	report.SubjectAction: "%s was used by role %s, and was not in the baseline's window",
	report.SubjectDenied: "%s was refused to role %s, and was not in the baseline's window",
	report.SubjectPerson: "%s acted as role %s, and did not in the baseline's window",
}

// severityOfSeen: a person in a role that is for jobs, and a refused call, want a look;
// so does the first use of what changes permissions.
func (c *comparison) severityOfSeen(k seenKey) report.Severity {
	switch k.kind {
	case report.SubjectPerson, report.SubjectDenied:
		return report.Medium
	case report.SubjectAction:
		if i, known := c.judge.catalog.Index(k.subject); known {
			switch c.judge.riskOf(i) {
			case riskEscalation, riskPermissions:
				return report.Medium
			}
		}
		return report.Low
	}
	return report.Low
}
