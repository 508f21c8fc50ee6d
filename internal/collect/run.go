package collect

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// run is one collection: what is asked for, and what has been gathered so far.
type run struct {
	Options
	clients            *clients
	history            perRegion[*cloudtrail.Client] // one a region: the quota of LookupEvents is the region's
	takenAt            time.Time
	window, jobsWindow snapshot.Window

	// Known after identity and regions.
	account       snapshot.Account
	caller        string
	home          string // the region of the partition's global services
	read, enabled []string

	// The evidence, in any order.
	kept    *roleSet
	allJobs []snapshot.Job
	used    []snapshot.Usage
	trails  []snapshot.Trail
	// trailsKnown are the regions whose trails were all listed.
	trailsKnown map[string]bool
	accessed    []snapshot.Accessed
	resources   []snapshot.ResourcePolicy
	encryption  []snapshot.BucketEncryption
	cacheRules  []snapshot.CacheRules
	manifests   []snapshot.Manifest
	inventory   []snapshot.Inventory

	mu       sync.Mutex // guards all below
	calls    map[string]int
	coverage []snapshot.Coverage
	gaps     []snapshot.Gap

	telling sync.Mutex // held while Progress runs
}

func newRun(o Options) *run {
	// Up to the second: a job of this very second is to be within the window.
	now := o.Now().UTC().Add(time.Second - 1).Truncate(time.Second)
	return &run{
		Options: o, takenAt: now, kept: new(roleSet), calls: make(map[string]int),
		window:     snapshot.Window{From: now.Add(-o.Window), To: now.Add(-deliveryDelay)},
		jobsWindow: snapshot.Window{From: now.Add(-o.JobsWindow), To: now},
	}
}

func (r *run) count(operation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls[operation]++
}

func (r *run) cover(c snapshot.Coverage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.coverage = append(r.coverage, c)
}

// missing records a gap as it is. A cancelled run keeps nothing: its errors are
// echoes of the cancellation.
func (r *run) missing(g snapshot.Gap) { r.record(g, slog.LevelWarn) }

func (r *run) record(g snapshot.Gap, level slog.Level) {
	about := []any{slog.String("source", g.Source), slog.String("region", g.Region), slog.String("scope", g.Scope),
		slog.String("impact", string(g.Impact)), slog.String("reason", g.Reason)}
	if g.Permission != "" {
		about = append(about, slog.String("permission", g.Permission))
	}
	r.Log.Log(context.Background(), level, "not read", append(about, slog.String("detail", g.Detail))...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps = append(r.gaps, g)
}

// failed records the gap that a failed call leaves.
func (r *run) failed(operation, region, scope string, impact snapshot.Impact, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	g := snapshot.Gap{Source: operation, Region: region, Scope: scope, Impact: impact, Reason: reason(err), Detail: detail(err)}
	level := slog.LevelWarn
	switch {
	case g.Reason != snapshot.ReasonRefused, strange(err):
	case closed(err) && impact == snapshot.ImpactDetail:
		level = slog.LevelInfo // nobody here can change it, and every run meets it again
	case !closed(err):
		g.Permission = permissionFor(operation)
	}
	r.record(g, level)
}

func (r *run) tell(s Status) {
	if r.Progress == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.Progress(s)
}
