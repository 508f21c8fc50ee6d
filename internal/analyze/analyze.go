// Package analyze turns a snapshot into a report. It is pure: no network, no
// files, no clock, no SDK. The same snapshot gives the same report.
package analyze

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"

	"sagemaker-role-audit/internal/analyze/exceptions"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// Options are what a report needs beside its snapshot.
type Options struct {
	// Version is the tool's own.
	Version string
	// Proposal says what kind of policy is proposed.
	Proposal ProposalOptions
	// Given are the policies of the organization that bear on the account: see
	// ParseSCP and ParseRCP. None: that layer was not read.
	Given []GivenPolicy
	// Roles are selectors (snapshot.MatchRole): only roles that one of them fits are
	// reported, of those that the snapshot was asked for. None: all of these.
	Roles []string
	// Only judges this one role, and reports no other; zero: all of them.
	Only snapshot.RoleKey
	// Exceptions are findings that somebody accepts, nil for none.
	Exceptions *exceptions.File
}

// audit is one analysis under way.
type audit struct {
	snapshot *snapshot.Snapshot
	library  *library
	observer *observer
	place    place
	// beside is what was read beside the jobs and tells what they need.
	beside *knowledge
	// perService counts the catalogue's actions by service.
	perService map[string]int
	// told are IAM's last accessed details by role.
	told     map[snapshot.RoleKey]*snapshot.Accessed
	proposal ProposalOptions
	// unseenWhy says of each action of the catalogue why it is not known, in any role,
	// whether it was called; empty where it is.
	unseenWhy []string
	// opening holds what opens found, by statement: roles share managed policies.
	opening     sync.Map
	lists       actionLists
	reachables  func() *reachable
	escalations func() *escalations
	admits      func() map[string][]*snapshot.Role
}

func newAudit(s *snapshot.Snapshot) *audit {
	a := &audit{
		snapshot: s, library: newLibrary(s), observer: newObserver(s), beside: knowledgeOf(s),
		place:      place{partition: cmp.Or(s.Account.Partition, "aws"), account: cmp.Or(s.Account.ID, "*")},
		perService: map[string]int{}, lists: actionLists{known: map[string][]string{}, services: map[[sha256.Size]byte]map[string]report.UnseenService{}}, told: map[snapshot.RoleKey]*snapshot.Accessed{},
	}
	a.reachables = sync.OnceValue(a.newReachable)
	a.escalations = sync.OnceValue(a.newEscalations)
	a.admits = sync.OnceValue(a.admittedBy)
	for i := range s.Accessed {
		a.told[s.Accessed[i].RoleKey] = &s.Accessed[i]
	}
	for _, span := range serviceSpans() {
		a.perService[span.name] = span.to - span.from
	}
	a.unseenWhy = make([]string, a.library.catalog.Len())
	for i := range a.unseenWhy {
		a.unseenWhy[i] = a.whyUnseen(i, nil)
	}
	return a
}

// Analyze judges a snapshot. It errs on one without a time or an account: no
// verdict could be drawn from it; and with a *QuestionError where a selector of
// Options.Roles fits no role. The snapshot is not changed.
func Analyze(s *snapshot.Snapshot, o Options) (*report.Report, error) {
	if s.TakenAt.IsZero() {
		return nil, errors.New("analyze: the snapshot does not say when it was taken")
	}
	a := newAudit(s)
	a.proposal = o.Proposal
	a.library.give(o.Given)
	catalog := a.library.catalog
	r := &report.Report{
		SchemaVersion: report.SchemaVersion,
		Tool:          report.Tool{Name: "audit", Version: o.Version},
		Catalog:       report.Catalog{Version: catalog.Version(), Actions: catalog.Len(), UnknownActions: []string{}},
		Account:       report.Account{ID: s.Account.ID, Partition: s.Account.Partition},
		OnlyRoles:     list(slices.Clone(s.Asked.Roles)),
		GivenPolicies: givenPolicies(o.Given),
		Caller:        s.Caller,
		Regions:       report.Regions{Read: list(s.Regions.Read), Enabled: list(s.Regions.Enabled)},
		Calls:         maps.Clone(s.Calls),
		GeneratedAt:   s.TakenAt.UTC(),
		Window:        report.Window{From: s.Window.From.UTC(), To: s.Window.To.UTC()},
		JobsWindow:    report.Window{From: s.JobsWindow.From.UTC(), To: s.JobsWindow.To.UTC()},
		Coverage:      coverages(s),
		Trails:        []report.Trail{},
		Roles:         []report.Role{},
		Findings:      []report.Finding{},
	}
	if r.Calls == nil {
		r.Calls = map[string]int{}
	}
	for _, t := range a.observer.trails {
		r.Trails = append(r.Trails, t.report())
	}
	buckets := map[string]struct{}{}
	all := slices.Concat(s.Gaps, a.library.gaps)
	subs := subjects(s)
	if len(o.Roles) > 0 {
		for _, selector := range o.Roles {
			if !slices.ContainsFunc(subs, func(sub *subject) bool { return snapshot.MatchRole(selector, sub.key.ARN) }) {
				return nil, noRole(subs, selector)
			}
		}
		subs = slices.DeleteFunc(subs, func(sub *subject) bool { return !fits(o.Roles, sub.key.ARN) })
		if len(r.OnlyRoles) == 0 {
			r.OnlyRoles = slices.Compact(slices.Sorted(slices.Values(o.Roles)))
		} else { // selected twice: no selector says which are left
			r.OnlyRoles = []string{}
			for _, sub := range subs {
				r.OnlyRoles = append(r.OnlyRoles, sub.key.ARN)
			}
			r.OnlyRoles = slices.Compact(r.OnlyRoles)
		}
	}
	if o.Only.ARN != "" {
		subs = slices.DeleteFunc(subs, func(sub *subject) bool { return sub.key != o.Only })
	}
	for _, x := range a.judged(subs) {
		r.Roles = append(r.Roles, x.role)
		r.Findings = append(r.Findings, x.findings...)
		r.Catalog.UnknownActions = append(r.Catalog.UnknownActions, x.unknownActions...)
		all = append(all, x.gaps...)
		r.Summary.Roles++
		r.Summary.Jobs += x.role.Jobs.Total
		r.Summary.Add(x.role.Counts)
		for _, b := range x.role.Reach.Buckets.Needed {
			buckets[b] = struct{}{}
		}
	}
	r.BlindSpots = a.blindSpots(sorted(buckets))
	slices.Sort(r.Catalog.UnknownActions)
	r.Catalog.UnknownActions = slices.Compact(r.Catalog.UnknownActions)
	r.Gaps = gaps(all)
	r.Complete = !slices.ContainsFunc(all, func(g snapshot.Gap) bool { return g.Impact != snapshot.ImpactDetail })
	r.Exceptions = o.Exceptions.Apply(r.Findings, s.TakenAt, exceptions.Asked{Complete: r.Complete, Roles: r.OnlyRoles})
	slices.SortStableFunc(r.Findings, func(x, y report.Finding) int {
		return cmp.Or(cmp.Compare(x.Severity.Rank(), y.Severity.Rank()), cmp.Compare(x.Role, y.Role),
			cmp.Compare(ruleRank(x.Rule), ruleRank(y.Rule)), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
	})
	for _, f := range r.Findings {
		if f.Accepted != nil {
			r.Summary.Accepted++
			continue
		}
		r.Summary.Findings.Add(f.Severity)
	}
	return r, nil
}

// Roles are the roles that a report of the snapshot has, in its order.
func Roles(s *snapshot.Snapshot) []report.ExplainedRole {
	var out []report.ExplainedRole
	for _, sub := range subjects(s) {
		out = append(out, report.ExplainedRole{ARN: sub.key.ARN, ID: sub.key.ID, Name: nameOf(sub.key.ARN), Exists: !sub.gone})
	}
	return out
}

// judged is what a report says of one role.
type judged struct {
	role           report.Role
	findings       []report.Finding
	unknownActions []string
	gaps           []snapshot.Gap
}

// judged judges the roles, several at a time: they have nothing to do with each other.
func (a *audit) judged(subs []*subject) []judged {
	out := make([]judged, len(subs))
	inParallel(len(subs), func(i int) {
		j := a.judge(subs[i])
		out[i] = judged{role: a.role(j), findings: a.findings(j), unknownActions: j.unknownActions}
		if j.grant != nil {
			out[i].gaps = j.grant.gaps
		}
	})
	return out
}

// basis is what an answer from a snapshot stands on.
func basis(s *snapshot.Snapshot, o Options) report.Basis {
	return report.Basis{
		SchemaVersion: report.SchemaVersion, Account: report.Account{ID: s.Account.ID, Partition: s.Account.Partition},
		GivenPolicies: givenPolicies(o.Given), GeneratedAt: s.TakenAt.UTC(),
	}
}
