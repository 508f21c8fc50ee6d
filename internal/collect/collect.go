package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// The sources of usage.
const (
	UsageLookup = "lookup" // CloudTrail LookupEvents
	UsageNone   = "none"
)

// deliveryDelay is how long CloudTrail may take to show an event: a window that
// ends so long ago can be covered whole.
// Source: AWS CloudTrail FAQ and User Guide, "typically within 15 minutes".
const deliveryDelay = 15 * time.Minute

// Options say what to read and how. The zero value is not useful: Window,
// JobsWindow, Usage and Now must be set.
type Options struct {
	// Profile and EndpointURL override what the SDK finds in the environment and
	// the shared configuration. DefaultRegion is used where neither names a region.
	Profile, EndpointURL, DefaultRegion string
	// StaticCredentials uses fixed dummy keys and looks at no environment, file or
	// metadata service: for a loopback EndpointURL.
	StaticCredentials bool
	// Regions to read; empty: every enabled one.
	Regions []string
	// Roles are selectors, see [snapshot.CheckSelector]; empty: every role in scope.
	Roles []string
	// Window is how far back usage is read, JobsWindow jobs.
	Window, JobsWindow time.Duration
	// Usage is UsageLookup or UsageNone: whether CloudTrail's Event history is asked.
	Usage string
	// Logs are log files of CloudTrail that are read for usage. Where they tell all
	// management events, Event history is not asked, whatever Usage says.
	Logs []LogSource
	// RecordsManagement says whether a trail's log files hold every management event
	// of the regions that it sees. Nil: nobody knows of any.
	RecordsManagement func(*snapshot.Trail) bool
	// LookupRate is the pace of LookupEvents in requests a second and region,
	// retries included, halved while AWS throttles. 0 does not pace, and is for a
	// loopback EndpointURL.
	LookupRate float64
	// MaxDescribe bounds the DescribeTrainingJob calls a region that fill what
	// Search lacks: 0 means 200, a negative number none.
	MaxDescribe int
	// Manifests asks for the manifests of input channels, which takes s3:GetObject.
	Manifests bool
	// Now is read once, for [snapshot.Snapshot.TakenAt].
	Now func() time.Time
	// InScope says whether a role that no job and no event names belongs into the
	// snapshot all the same: one that trusts SageMaker.
	InScope func(snapshot.Role) bool
	// Progress, where set, is told often what has been read, by one goroutine at a
	// time.
	Progress func(Status)
	// Log, where set, is told of each gap.
	Log *slog.Logger
	// Version goes into the user agent.
	Version string
	// Catalog is the version of the caller's catalogue of actions, for the record.
	Catalog string

	// Of tests: the wire, and the longest pause before a retry.
	httpClient httpClient
	maxBackoff time.Duration
}

// Status is how far one source is.
type Status struct {
	// Source is one of the Source constants of snapshot.
	Source, Region string
	// Items counts what was read so far: jobs, roles, events.
	Items int
	// Files and Bytes (as stored) are the log files that were read, of AllFiles and
	// AllBytes that were found.
	Files, AllFiles int
	Bytes, AllBytes int64
	// Covered is the oldest event reached, of usage only.
	Covered time.Time
	Done    bool
	// Note says in words what is being done.
	Note string
}

func (o *Options) check() error {
	for _, s := range o.Roles {
		if err := snapshot.CheckSelector(s); err != nil {
			return err
		}
	}
	switch {
	case slices.Contains(o.Regions, ""):
		return errors.New("a region has no name")
	case o.Window <= deliveryDelay && o.readsUsage():
		return fmt.Errorf("a usage window of %s is too short: CloudTrail shows events after up to %s", o.Window, deliveryDelay)
	case o.JobsWindow <= 0:
		return fmt.Errorf("a jobs window of %s is no window", o.JobsWindow)
	case o.Usage != UsageLookup && o.Usage != UsageNone:
		return fmt.Errorf("usage %q: want %s or %s", o.Usage, UsageLookup, UsageNone)
	case o.LookupRate < 0:
		return fmt.Errorf("a lookup rate of %g requests a second", o.LookupRate)
	}
	return nil
}

// Collect reads the account. It errs when it could not run at all (no credentials,
// a bad profile, nobody answers) and when ctx is cancelled. Past ctx's deadline it
// returns what was read so far, with a gap for each source that was not finished.
// All else that fails is a gap in the snapshot.
func Collect(ctx context.Context, o Options) (*snapshot.Snapshot, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.MaxDescribe == 0 {
		o.MaxDescribe = 200
	}
	r := newRun(o)
	var err error
	if r.clients, err = newClients(ctx, &r.Options, r.count); err != nil {
		return nil, err
	}
	r.history.make = r.clients.cloudtrail
	if err := r.identity(ctx); err != nil {
		return nil, err
	}
	r.regions(ctx)
	r.collect(ctx)
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, err
	}
	return r.snapshot(), nil
}

// atOnce is how many regions are read at the same time.
const atOnce = 8

// collect reads jobs, roles and the CreateTrainingJob events side by side. These
// three close the set of roles; only then can usage be read, and what IAM itself
// tells of it. Jobs and usage together name the buckets and keys. The trails have time
// until the end, unless they say where log files lie.
func (r *run) collect(ctx context.Context) {
	var (
		jobs   = make([][]snapshot.Job, len(r.read))
		usage  []*usage
		logs   *logs
		sweep  *roleSet
		group  errgroup.Group
		beside errgroup.Group
	)
	defer beside.Wait()
	group.SetLimit(atOnce + 1)
	switch {
	case len(r.Logs) > 0:
		group.Go(func() error {
			r.trails = r.readTrails(ctx)
			logs = r.newLogs(ctx)
			logs.find(ctx)
			return nil
		})
	case r.Usage == UsageLookup:
		beside.Go(func() error {
			r.trails = r.readTrails(ctx)
			return nil
		})
		for _, region := range r.read {
			u := r.newUsage(region, r.window)
			usage = append(usage, u)
			group.Go(func() error {
				u.creations(ctx)
				return nil
			})
		}
	}
	beside.Go(func() error {
		r.inventory = r.readInventory(ctx)
		return nil
	})
	group.Go(func() error {
		if !r.fewRoles() {
			sweep = r.sweep(ctx)
		}
		return nil
	})
	for i, region := range r.read {
		group.Go(func() error {
			jobs[i] = r.jobs(ctx, region)
			return nil
		})
	}
	group.Wait()
	if logs != nil {
		defer logs.close()
		usage = r.lookups(ctx, logs, nil)
	}

	named := r.named(jobs, usage)
	r.kept = r.roles(ctx, sweep, named)
	r.allJobs = join(jobs)
	scope := r.scope(named)
	if r.readsUsage() {
		beside.Go(func() error {
			r.accessed = r.lastAccessed(ctx, r.kept.roles)
			return nil
		})
	}
	if logs != nil {
		logs.scan(ctx, scope, r.created)
		usage = append(usage, r.lookups(ctx, logs, usage)...)
		if names := newNames(scope, logs.passed, r.named(nil, usage)); len(names) > 0 {
			beside.Wait() // it reads the roles
			scope = r.widen(ctx, sweep, scope, names)
			logs.more(ctx, scope)
		}
	}
	if len(usage) > 0 {
		r.readUsage(ctx, usage, scope)
	}
	if logs != nil {
		logs.settle()
		// There may be a hundred thousand, of a kilobyte each: no copy where there need not be one.
		told := slices.DeleteFunc(logs.usage, func(u snapshot.Usage) bool { return !scope.concerns(&u.UseKey) })
		logs.usage = nil
		if len(r.used) == 0 {
			r.used = told
		} else {
			r.used = append(r.used, told...)
		}
	}
	r.used = merged(r.used)
	beside.Go(func() error {
		r.manifests = r.readManifests(ctx)
		return nil
	})
	beside.Go(func() error {
		r.cacheRules = r.readCacheRules(ctx)
		return nil
	})
	r.readResources(ctx, scope)
}

// lookups makes the readings of Event history for the time whose management events
// log files do not tell, less what others were made for, and reads their
// CreateTrainingJob events.
func (r *run) lookups(ctx context.Context, logs *logs, others []*usage) []*usage {
	if r.Usage != UsageLookup {
		return nil
	}
	var (
		made  []*usage
		group errgroup.Group
	)
	group.SetLimit(atOnce)
	for _, region := range r.read {
		var known []snapshot.Window
		for _, u := range others {
			if u.region == region {
				known = append(known, u.window)
			}
		}
		for _, left := range logs.left(region) {
			for _, w := range left.Without(known...) {
				u := r.newUsage(region, w)
				made = append(made, u)
				group.Go(func() error {
					u.creations(ctx)
					return nil
				})
			}
		}
	}
	group.Wait()
	return made
}

// created counts the jobs of a region that somebody created well within some windows.
func (r *run) created(region string, windows []snapshot.Window) int {
	n := 0
	for i := range r.allJobs {
		for _, w := range windows {
			if r.allJobs[i].Region == region && leavesEvent(&r.allJobs[i], w) {
				n++
			}
		}
	}
	return n
}

// widen takes roles into scope that only CreateTrainingJob events name.
func (r *run) widen(ctx context.Context, sweep *roleSet, scope *scope, names map[string]bool) *scope {
	more := r.moreRoles(ctx, sweep, names)
	if len(more.roles) > 0 {
		r.accessed = append(r.accessed, r.lastAccessed(ctx, more.roles)...)
	}
	r.kept.roles = append(r.kept.roles, more.roles...)
	r.kept.noLongerOthers(more)
	for _, p := range more.policies {
		if !slices.ContainsFunc(r.kept.policies, func(q snapshot.ManagedPolicy) bool { return q.ARN == p.ARN }) {
			r.kept.policies = append(r.kept.policies, p)
		}
	}
	named := maps.Clone(scope.roles)
	maps.Copy(named, names)
	return r.scope(named)
}

// readUsage reads the calls that concern the roles in scope, in all regions.
func (r *run) readUsage(ctx context.Context, usage []*usage, scope *scope) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, u := range usage {
		group.Go(func() error {
			u.all(ctx, scope)
			return nil
		})
	}
	group.Wait()
	for _, u := range usage {
		u.expected = r.created(u.region, []snapshot.Window{u.window})
		u.settle()
		r.used = append(r.used, u.groups(scope)...)
	}
}

// named gives the ARNs of the roles that jobs and CreateTrainingJob events name,
// of those that were asked for.
func (r *run) named(jobs [][]snapshot.Job, usage []*usage) map[string]bool {
	named := make(map[string]bool)
	for _, list := range jobs {
		for i := range list {
			if arn := list[i].RoleARN; arn != "" {
				named[arn] = true
			}
		}
	}
	for _, u := range usage {
		for arn := range u.passed {
			if r.asked(arn) {
				named[arn] = true
			}
		}
	}
	return named
}

// asked reports whether a role belongs to what was asked for.
func (r *run) asked(arn string) bool {
	return len(r.Roles) == 0 || slices.ContainsFunc(r.Roles, func(s string) bool { return snapshot.MatchRole(s, arn) })
}

// join moves the jobs of all regions into one list, without a second copy where
// one region has them all.
func join(lists [][]snapshot.Job) []snapshot.Job {
	lists = slices.DeleteFunc(lists, func(l []snapshot.Job) bool { return len(l) == 0 })
	if len(lists) == 1 {
		return lists[0]
	}
	return slices.Concat(lists...)
}

// snapshot is what the run has gathered, sorted.
func (r *run) snapshot() *snapshot.Snapshot {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &snapshot.Snapshot{
		Schema: snapshot.Schema, SchemaVersion: snapshot.SchemaVersion, FactsVersion: snapshot.FactsVersion,
		TakenAt: r.takenAt, Account: r.account, Caller: r.caller,
		Regions: snapshot.Regions{Read: r.read, Enabled: r.enabled},
		Asked:   snapshot.Asked{Roles: slices.Clone(r.Roles), Catalog: r.Catalog},
		Window:  r.window, JobsWindow: r.jobsWindow,
		Calls: r.calls, Coverage: r.coverage, Gaps: r.gaps,
		Policies: r.kept.policies, Roles: r.kept.roles, OtherRoles: r.kept.others, Others: r.kept.grants, OtherPolicies: r.kept.otherPolicies, Inventory: r.inventory,
		Resources: r.resources, Encryption: r.encryption, CacheRules: r.cacheRules, Manifests: r.manifests, Trails: r.trails, Accessed: r.accessed, Usage: r.used, Jobs: r.allJobs,
	}
	s.Asked.Usage, s.Asked.Sources = r.askedUsage()
	if s.Account.ID == "" {
		s.Account = accountOf(s)
	}
	s.Sort()
	return s
}

// accountOf reads the account off an ARN of one of its own roles or jobs, where
// AWS would not tell the caller.
func accountOf(s *snapshot.Snapshot) snapshot.Account {
	var arns []string
	for _, r := range s.Roles {
		arns = append(arns, r.ARN)
	}
	for _, j := range s.Jobs {
		arns = append(arns, j.ARN)
	}
	for _, arn := range arns {
		if p := strings.SplitN(arn, ":", 6); len(p) == 6 && len(p[4]) == 12 {
			return snapshot.Account{ID: p[4], Partition: p[1]}
		}
	}
	return snapshot.Account{}
}
