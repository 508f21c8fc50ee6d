// Package analyze turns a snapshot into a report. It is pure: no network, no
// files, no clock, no SDK. The same snapshot gives the same report.
package analyze

import (
	"cmp"
	"errors"
	"maps"
	"slices"

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
}

// audit is one analysis under way.
type audit struct {
	snapshot *snapshot.Snapshot
	library  *library
	observer *observer
	place    place
	// perService counts the catalogue's actions by service.
	perService map[string]int
	// told are IAM's last accessed details by role.
	told     map[snapshot.RoleKey]*snapshot.Accessed
	proposal ProposalOptions
}

func newAudit(s *snapshot.Snapshot) *audit {
	a := &audit{
		snapshot: s, library: newLibrary(s), observer: newObserver(s),
		place:      place{partition: cmp.Or(s.Account.Partition, "aws"), account: cmp.Or(s.Account.ID, "*")},
		perService: map[string]int{}, told: map[snapshot.RoleKey]*snapshot.Accessed{},
	}
	for i := range s.Accessed {
		a.told[s.Accessed[i].RoleKey] = &s.Accessed[i]
	}
	catalog := a.library.catalog
	for i := range catalog.Len() {
		a.perService[catalog.Service(i)]++
	}
	return a
}

// Analyze judges a snapshot. It errs on one without a time or an account: no
// verdict could be drawn from it. The snapshot is not changed.
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
	for _, sub := range subjects(s) {
		j := a.judge(sub)
		role := a.role(j)
		r.Roles = append(r.Roles, role)
		r.Findings = append(r.Findings, a.findings(j)...)
		r.Catalog.UnknownActions = append(r.Catalog.UnknownActions, j.unknownActions...)
		if j.grant != nil {
			all = append(all, j.grant.gaps...)
		}
		r.Summary.Roles++
		r.Summary.Jobs += role.Jobs.Total
		r.Summary.Add(role.Counts)
		for _, b := range role.Reach.Buckets.Needed {
			buckets[b] = struct{}{}
		}
	}
	r.BlindSpots = a.blindSpots(sorted(buckets))
	slices.Sort(r.Catalog.UnknownActions)
	r.Catalog.UnknownActions = slices.Compact(r.Catalog.UnknownActions)
	r.Gaps = gaps(all)
	r.Complete = !slices.ContainsFunc(all, func(g snapshot.Gap) bool { return g.Impact != snapshot.ImpactDetail })
	slices.SortStableFunc(r.Findings, func(x, y report.Finding) int {
		return cmp.Or(cmp.Compare(x.Severity.Rank(), y.Severity.Rank()), cmp.Compare(x.Role, y.Role),
			cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
	})
	for _, f := range r.Findings {
		r.Summary.Findings.Add(f.Severity)
	}
	return r, nil
}
