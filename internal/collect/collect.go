package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// Usage is UsageLookup or UsageNone.
	Usage string
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
	case o.Window <= deliveryDelay && o.Usage == UsageLookup:
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
// until the end.
func (r *run) collect(ctx context.Context) {
	var (
		jobs   = make([][]snapshot.Job, len(r.read))
		usage  = make([]*usage, len(r.read))
		sweep  *roleSet
		group  errgroup.Group
		beside errgroup.Group
	)
	defer beside.Wait()
	if r.Usage == UsageLookup {
		beside.Go(func() error {
			r.trails = r.readTrails(ctx)
			return nil
		})
	}
	beside.Go(func() error {
		r.inventory = r.readInventory(ctx)
		return nil
	})
	group.SetLimit(atOnce + 1)
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
		if r.Usage == UsageLookup {
			usage[i] = r.newUsage(region)
			group.Go(func() error {
				usage[i].creations(ctx)
				return nil
			})
		}
	}
	group.Wait()

	named := r.named(jobs, usage)
	r.kept = r.roles(ctx, sweep, named)
	if r.Usage == UsageLookup {
		for i, u := range usage {
			u.expect(jobs[i])
		}
	}
	r.allJobs = join(jobs)

	scope := r.scope(named)
	if r.Usage == UsageLookup {
		beside.Go(func() error {
			r.accessed = r.lastAccessed(ctx, r.kept.roles)
			return nil
		})
		r.readUsage(ctx, usage, scope)
	}
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
		if u == nil {
			continue
		}
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
		Asked:   snapshot.Asked{Roles: slices.Clone(r.Roles), Usage: r.Usage, Catalog: r.Catalog},
		Window:  r.window, JobsWindow: r.jobsWindow,
		Calls: r.calls, Coverage: r.coverage, Gaps: r.gaps,
		Policies: r.kept.policies, Roles: r.kept.roles, OtherRoles: r.kept.others, Others: r.kept.grants, OtherPolicies: r.kept.otherPolicies, Inventory: r.inventory,
		Resources: r.resources, Encryption: r.encryption, CacheRules: r.cacheRules, Manifests: r.manifests, Trails: r.trails, Accessed: r.accessed, Usage: r.used, Jobs: r.allJobs,
	}
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
