package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// ErrOtherAccount says that two snapshots are of different accounts.
var ErrOtherAccount = errors.New("the snapshots are of different accounts")

// Drift compares two snapshots of one account: what changed from base to current, why,
// and what could not be compared. Both are judged by the catalogue of today, so a newer
// catalogue never shows as a change of the account. It errs on snapshots that no
// comparison can be drawn from. Neither is changed. The deviations are left empty.
//
// Where current is the older of the two, the answer reads backwards, and is the mirror
// of the other: docs/drift.md has the table.
func Drift(base, current *snapshot.Snapshot, o Options) (*report.Drift, error) {
	for _, side := range []struct {
		name string
		s    *snapshot.Snapshot
	}{{"the baseline", base}, {"the current snapshot", current}} {
		switch {
		case side.s.TakenAt.IsZero():
			return nil, fmt.Errorf("drift: %s does not say when it was taken", side.name)
		case side.s.Account.ID == "":
			return nil, fmt.Errorf("drift: %s does not say of which account it is: its caller could not be told", side.name)
		}
	}
	if base.Account != current.Account {
		return nil, fmt.Errorf("drift: %w: the baseline is of %s, the current one of %s", ErrOtherAccount, accountWords(base), accountWords(current))
	}
	d := compare(base, current)
	if d.ChangesTotal == 0 && sameEvidence(base, current) {
		// One moment compared with itself: nothing of it is open.
		d.Unknown, d.UnknownTotal, d.Tool = []report.Uncompared{}, 0, []report.ToolChange{}
	}
	return d, nil
}

func accountWords(s *snapshot.Snapshot) string {
	if s.Account.Partition == "" || s.Account.Partition == "aws" {
		return s.Account.ID
	}
	return s.Account.ID + " (" + s.Account.Partition + ")"
}

// sameEvidence reports whether the two are one snapshot.
func sameEvidence(a, b *snapshot.Snapshot) bool {
	return a == b || a.TakenAt.Equal(b.TakenAt) && reflect.DeepEqual(a, b)
}

// half is one of the two snapshots with what is found in it.
type half struct {
	*snapshot.Snapshot
	side string // report.SideBaseline or SideCurrent
	// roles are those that IAM had, others those that were not kept; both by ARN. others
	// is nil where it is not known which there are.
	roles    map[string]*snapshot.Role
	others   map[string]string
	policies map[string]*snapshot.ManagedPolicy
	gaps     map[string]snapshot.Gap // one of each scope
	blind    map[string]string       // by region: see blindIn
	seeing   *observer
}

func newHalf(s *snapshot.Snapshot, side string) *half {
	h := &half{Snapshot: s, side: side, roles: make(map[string]*snapshot.Role, len(s.Roles)),
		policies: make(map[string]*snapshot.ManagedPolicy, len(s.Policies)), blind: map[string]string{}}
	for i := range s.Roles {
		h.roles[s.Roles[i].ARN] = &s.Roles[i]
	}
	if s.OtherRoles != nil {
		h.others = make(map[string]string, len(s.OtherRoles))
		for _, k := range s.OtherRoles {
			h.others[k.ARN] = k.ID
		}
	}
	for i := range s.Policies {
		h.policies[s.Policies[i].ARN] = &s.Policies[i]
	}
	h.gaps = map[string]snapshot.Gap{}
	for _, g := range slices.Backward(s.Gaps) {
		h.gaps[g.Scope] = g
	}
	return h
}

// comparison is one comparison under way.
type comparison struct {
	base, current *half
	// older and newer are the same two by time; backwards: current is the older.
	older, newer *half
	backwards    bool
	judge        *grantJudge
	trail        *changeTrail
	out          *report.Drift
	// moved are the roles that are on one side only, or were created anew: their jobs
	// and calls are no news of their own.
	moved map[string]bool
	// open are the places in out.Unknown, by what is not known.
	open map[string]int
	// reaches are the roles that a moved managed policy reaches, by its ARN.
	reaches map[string][]reached
}

func compare(base, current *snapshot.Snapshot) *report.Drift {
	c := &comparison{
		base: newHalf(base, report.SideBaseline), current: newHalf(current, report.SideCurrent),
		judge: newGrantJudge(), moved: map[string]bool{}, open: map[string]int{}, reaches: map[string][]reached{},
		out: &report.Drift{Changes: []report.Change{}, Tool: []report.ToolChange{}, Unknown: []report.Uncompared{}, Deviations: []report.Deviation{}},
	}
	c.older, c.newer, c.backwards = c.base, c.current, earlier(current, base)
	if c.backwards {
		c.older, c.newer = c.current, c.base
	}
	c.trail = newChangeTrail(c)
	baseline := evidenced(base)
	c.out.Baseline, c.out.Current = &baseline, evidenced(current)
	c.tool()
	c.gaps()
	c.roles()
	c.movedPolicies()
	c.observations()
	c.finish()
	return c.out
}

// earlier reports whether a was taken before b, or else looks back from before.
func earlier(a, b *snapshot.Snapshot) bool {
	return cmp.Or(a.TakenAt.Compare(b.TakenAt), a.Window.To.Compare(b.Window.To), a.JobsWindow.To.Compare(b.JobsWindow.To),
		a.Window.From.Compare(b.Window.From), a.JobsWindow.From.Compare(b.JobsWindow.From)) < 0
}

func evidenced(s *snapshot.Snapshot) report.Evidenced {
	return report.Evidenced{TakenAt: s.TakenAt.UTC(), Complete: s.Complete(), Catalog: s.Asked.Catalog,
		Window:     report.Window{From: s.Window.From.UTC(), To: s.Window.To.UTC()},
		JobsWindow: report.Window{From: s.JobsWindow.From.UTC(), To: s.JobsWindow.To.UTC()}}
}

// tool tells how the two were taken otherwise.
func (c *comparison) tool() {
	b, n := c.base, c.current
	add := func(kind, before, after, detail string) {
		if before != after {
			c.out.Tool = append(c.out.Tool, report.ToolChange{Kind: kind, Before: before, After: after, Detail: detail})
		}
	}
	if b.Asked.Catalog != "" && n.Asked.Catalog != "" {
		add(report.ToolCatalog, b.Asked.Catalog, n.Asked.Catalog,
			"The catalogue of IAM actions is another. Both snapshots are compared by the catalogue of this program; counts in reports of then may differ.")
	}
	if b.FactsVersion != n.FactsVersion {
		add(report.ToolFacts, fmt.Sprint(b.FactsVersion), fmt.Sprint(n.FactsVersion),
			"What is kept of an event is another: a use may be told on one side and not on the other, so uses are not compared.")
	}
	asked := func(h *half) string {
		roles := "every role in scope"
		if len(h.Asked.Roles) > 0 {
			roles = "--role " + strings.Join(h.Asked.Roles, ", ")
		}
		usage := h.Asked.Usage
		if len(h.Asked.Sources) > 0 {
			usage = strings.Join(h.Asked.Sources, ", ")
		}
		return roles + "; usage " + usage
	}
	add(report.ToolAsked, asked(b), asked(n), "What only one side was asked for is not compared.")
	add(report.ToolRegions, strings.Join(b.Regions.Read, ", "), strings.Join(n.Regions.Read, ", "), "What is in a region that only one side read is not compared.")
	windows := func(h *half) string {
		return fmt.Sprintf("usage %s, jobs %s", lengthWords(h.Window.To.Sub(h.Window.From)), lengthWords(h.JobsWindow.To.Sub(h.JobsWindow.From)))
	}
	add(report.ToolWindows, windows(b), windows(n), "A use is compared by when it was, not by how far back each side looked.")
}

func lengthWords(d time.Duration) string {
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// change completes a change and takes it in.
func (c *comparison) change(x report.Change) {
	x.Roles, x.Newly, x.NoLonger = list(x.Roles), wholeNewly(x.Newly), wholeNewly(x.NoLonger)
	sum := sha256.Sum256([]byte(strings.Join([]string{string(x.Kind), x.Role, x.RoleID, x.SubjectKind, x.Subject, x.Before, x.After}, "\x00")))
	x.ID = hex.EncodeToString(sum[:8])
	x.Severity = cmp.Or(x.Severity, severityOf(&x))
	c.out.Changes = append(c.out.Changes, x)
}

func wholeNewly(n report.Newly) report.Newly {
	n.Riskiest, n.Principals = list(n.Riskiest), list(n.Principals)
	return n
}

// severityOf is that of what a change allows: of who may act as the role, of the
// riskiest action.
func severityOf(x *report.Change) report.Severity {
	if !x.Effect.Widens() {
		return report.Info
	}
	severity := report.Low
	raise := func(s report.Severity) {
		if s.Rank() < severity.Rank() {
			severity = s
		}
	}
	if x.Effect == report.UnknownEffect {
		raise(report.Medium)
	}
	for _, p := range x.Newly.Principals {
		raise(report.Medium)
		switch {
		case p == "*":
			raise(report.Critical)
		case strings.HasPrefix(p, "AWS:"), strings.HasPrefix(p, "Federated:"):
			raise(report.High)
		}
	}
	for _, r := range x.Newly.Riskiest {
		switch r.Why {
		case riskEscalation:
			raise(report.Critical)
		case riskPermissions:
			raise(report.High)
		case riskData, riskWrite:
			raise(report.Medium)
		}
	}
	return severity
}

// unknown takes in what cannot be compared; what lacks on both sides alike, once.
func (c *comparison) unknown(u report.Uncompared) {
	u.Kinds = list(slices.Clone(u.Kinds))
	key := fmt.Sprintf("%q %q %q %q %v", u.Role, u.RoleID, u.What, u.Why, u.Kinds)
	i, known := c.open[key]
	if !known {
		c.open[key] = len(c.out.Unknown)
		c.out.Unknown = append(c.out.Unknown, u)
		return
	}
	if v := &c.out.Unknown[i]; v.Side != u.Side {
		v.Side = report.SideBoth
	}
}

// finish sorts, counts and caps.
func (c *comparison) finish() {
	d := c.out
	slices.SortFunc(d.Changes, func(x, y report.Change) int {
		return cmp.Or(cmp.Compare(x.Effect.Rank(), y.Effect.Rank()), cmp.Compare(x.Severity.Rank(), y.Severity.Rank()), cmp.Compare(x.Role, y.Role),
			cmp.Compare(slices.Index(report.ChangeKinds, x.Kind), slices.Index(report.ChangeKinds, y.Kind)),
			cmp.Compare(x.SubjectKind, y.SubjectKind), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
	})
	for i := range d.Changes {
		d.Summary.Add(&d.Changes[i])
	}
	d.Changes, d.ChangesTotal = capped(d.Changes, report.MaxChanges)
	slices.SortFunc(d.Unknown, func(x, y report.Uncompared) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.What, y.What), cmp.Compare(x.Side, y.Side), cmp.Compare(x.Why, y.Why), slices.Compare(x.Kinds, y.Kinds))
	})
	d.Unknown, d.UnknownTotal = capped(d.Unknown, report.MaxChanges)
	slices.SortFunc(d.Tool, func(x, y report.ToolChange) int {
		return cmp.Compare(slices.Index(report.ToolChangeKinds, x.Kind), slices.Index(report.ToolChangeKinds, y.Kind))
	})
}

// The kinds of changes that a lack of evidence may hide.
var (
	roleKinds   = []report.ChangeKind{report.RoleCreated, report.RoleDeleted, report.RoleRecreated}
	policyKinds = []report.ChangeKind{report.PolicyAttached, report.PolicyDetached, report.PolicyEdited, report.AWSPolicyUpdated}
	limitKinds  = []report.ChangeKind{report.BoundarySet, report.BoundaryChanged, report.BoundaryRemoved}
	trustKinds  = []report.ChangeKind{report.TrustWidened, report.TrustNarrowed, report.TrustChanged}
	jobKinds    = []report.ChangeKind{report.NewJob, report.NewImage, report.NewBucket, report.UseAgedOut}
	useKinds    = []report.ChangeKind{report.NewBucket, report.FirstUse, report.UseAgedOut, report.NewlyDenied, report.PersonAssumed}
)

// gaps tells what the gaps of either side leave unknown.
func (c *comparison) gaps() {
	for _, h := range []*half{c.base, c.current} {
		for i := range h.Roles {
			r := &h.Roles[i]
			for _, what := range r.Unread {
				kinds := policyKinds
				switch what {
				case "boundary":
					kinds = limitKinds
				case "tags":
					continue // no change is made of them
				}
				c.unknown(report.Uncompared{Role: r.ARN, RoleID: r.ID, What: unreadWords(what), Impact: string(snapshot.ImpactRoles), Kinds: kinds, Side: h.side, Why: h.whyUnread(r.ARN)})
			}
		}
		for _, g := range h.Gaps {
			c.gap(h, g)
		}
	}
	c.blindRegions()
}

func unreadWords(what string) string {
	switch what {
	case "inline":
		return "its inline policies"
	case "attached":
		return "its attached policies"
	}
	return "its " + what
}

// whyUnread is what the gap of a role says.
func (h *half) whyUnread(arn string) string {
	if g, known := h.gaps[arn]; known {
		return gapWords(g)
	}
	return "not read"
}

// gapWords says why a source was not read. Details of errors are of one run, so that
// they would tell two equal gaps apart.
func gapWords(g snapshot.Gap) string {
	return g.Source + ": " + g.Reason
}

func (c *comparison) gap(h *half, g snapshot.Gap) {
	u := report.Uncompared{Side: h.side, Impact: string(g.Impact), Why: gapWords(g)}
	switch g.Impact {
	case snapshot.ImpactRoles:
		if g.Reason == snapshot.ReasonMissing {
			return // asked for by name and not there: that is known
		}
		if r := h.roles[g.Scope]; r != nil && len(r.Unread) > 0 {
			return
		}
		switch {
		case strings.Contains(g.Scope, ":role/"):
			u.Role, u.What, u.Kinds = g.Scope, "the role", slices.Concat(roleKinds, policyKinds, limitKinds, trustKinds)
		case strings.Contains(g.Scope, ":policy/"):
			u.What, u.Kinds = "policy "+g.Scope, policyKinds
		default:
			u.What, u.Kinds = strings.TrimSpace("the account's roles "+g.Scope), slices.Concat(roleKinds, policyKinds, limitKinds, trustKinds)
		}
	case snapshot.ImpactJobs:
		u.What, u.Kinds = strings.TrimSpace("training jobs "+inWords(g.Region)), jobKinds
	default:
		return // usage is told by region, details change nothing
	}
	c.unknown(u)
}

func inWords(region string) string {
	if region == "" {
		return ""
	}
	return "in " + region
}

// comparesUsage reports whether uses are compared at all.
func (c *comparison) comparesUsage() bool {
	return c.base.Asked.Usage != "none" && c.current.Asked.Usage != "none" && c.base.FactsVersion == c.current.FactsVersion
}

// blindRegions tells where usage or jobs cannot be compared. Regions that neither side
// read were left out by who asked, on both sides alike.
func (c *comparison) blindRegions() {
	if c.base.FactsVersion != c.current.FactsVersion {
		c.unknown(report.Uncompared{What: "uses of the roles", Impact: string(snapshot.ImpactUsage), Kinds: useKinds, Side: report.SideBoth, Why: "the two keep different facts of an event"})
	}
	regions := slices.Concat(c.base.Regions.Read, c.current.Regions.Read)
	slices.Sort(regions)
	for _, h := range []*half{c.base, c.current} {
		other := c.current
		if h == c.current {
			other = c.base
		}
		if h.Asked.Usage == "none" && other.Asked.Usage != "none" {
			c.unknown(report.Uncompared{What: "uses of the roles", Impact: string(snapshot.ImpactUsage), Kinds: useKinds, Side: h.side, Why: "usage was not collected (--usage none)"})
		}
		for _, region := range slices.Compact(slices.Clone(regions)) {
			if !slices.Contains(h.Regions.Read, region) {
				c.unknown(report.Uncompared{What: "jobs and uses in " + region, Impact: string(snapshot.ImpactJobs), Kinds: slices.Compact(slices.Concat(jobKinds[:3], useKinds)), Side: h.side, Why: "the region was not read"})
				continue
			}
			if why := h.blindIn(region); why != "" && h.Asked.Usage != "none" {
				c.unknown(report.Uncompared{What: "uses in " + region, Impact: string(snapshot.ImpactUsage), Kinds: useKinds, Side: h.side, Why: why})
			}
		}
	}
}

// blindIn is why uses in a region may be lacking, empty where all are there.
func (h *half) blindIn(region string) string {
	why, known := h.blind[region]
	if !known {
		o := h.observer()
		why = o.whyUntold(region, recordsManagementOf(""))
		for _, service := range slices.Sorted(maps.Keys(excludable)) {
			why = cmp.Or(why, o.whyUntold(region, recordsManagementOf(excludable[service])))
		}
		h.blind[region] = why
	}
	return why
}

// observer tells what the side's sources show.
func (h *half) observer() *observer {
	if h.seeing == nil {
		h.seeing = newObserver(h.Snapshot)
	}
	return h.seeing
}

// principalOf is who makes the role's requests.
func principalOf(h *half, r *snapshot.Role) policy.Principal {
	return policy.Principal{ARN: r.ARN, Account: h.Account.ID}
}
