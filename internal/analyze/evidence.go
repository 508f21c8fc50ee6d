package analyze

import (
	"slices"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The functions of this file only change the shape of the evidence.

func coverages(s *snapshot.Snapshot) []report.Coverage {
	out := make([]report.Coverage, 0, len(s.Coverage))
	for _, c := range s.Coverage {
		out = append(out, report.Coverage{
			Source: c.Source, Region: c.Region, EventClasses: list(c.EventClasses), Scope: c.Scope,
			Asked: window(c.Asked), Covered: window(c.Covered), Events: c.Items,
			Described: c.Described, Describable: c.Describable, Complete: c.Complete,
		})
	}
	return out
}

func gaps(all []snapshot.Gap) []report.Gap {
	out := make([]report.Gap, 0, len(all))
	for _, g := range all {
		out = append(out, report.Gap{Source: g.Source, Region: g.Region, Scope: g.Scope,
			Impact: string(g.Impact), Reason: g.Reason, Detail: g.Detail, Remedy: remedyOf(g)})
	}
	return out
}

// remedyOf says what would close a gap.
func remedyOf(g snapshot.Gap) string {
	switch g.Reason {
	case snapshot.ReasonRefused:
		if g.Permission != "" {
			return "Allow the caller " + g.Permission + "; audit permissions prints the whole policy that a run needs."
		}
		return "Let the caller make the call; audit permissions prints the policy that a run needs."
	case snapshot.ReasonThrottled:
		return "Run again when fewer others call AWS."
	case snapshot.ReasonUnavailable, snapshot.ReasonCut, snapshot.ReasonBroken, snapshot.ReasonShort:
		switch {
		case !snapshot.IsLogFiles(g.Source), g.Reason == snapshot.ReasonUnavailable, g.Reason == snapshot.ReasonCut:
			return "Run again."
		case g.Reason == snapshot.ReasonBroken:
			return "Compare the file with its digest (aws cloudtrail validate-logs)."
		case g.Impact == snapshot.ImpactUsage:
			return "Read Event history as well, with --usage lookup: it tells what log files lack."
		}
	case snapshot.ReasonLimit:
		if g.Impact == snapshot.ImpactUsage {
			return "Audit fewer roles (--role) or a shorter time (--window) in a run."
		}
	case snapshot.ReasonTimeout:
		return "Run again with a longer --timeout."
	}
	return ""
}

func window(w snapshot.Window) *report.Window {
	if w.From.IsZero() && w.To.IsZero() {
		return nil
	}
	return &report.Window{From: w.From.UTC(), To: w.To.UTC()}
}

// list makes null lists empty ones, as the contract asks.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// jobsOf summarises a role's jobs.
func jobsOf(jobs []*snapshot.Job) report.Jobs {
	out := report.Jobs{Total: len(jobs), ByRegion: map[string]int{}, ByStatus: map[string]int{}, Names: []string{}}
	byAge := slices.Clone(jobs)
	slices.SortStableFunc(byAge, func(a, b *snapshot.Job) int { return b.CreatedAt.Compare(a.CreatedAt) })
	for _, j := range byAge {
		out.ByRegion[j.Region]++
		out.ByStatus[j.Status]++
		if j.TuningJobARN != "" {
			out.TuningChildren++
		}
		if len(out.Names) < report.MaxJobNames {
			out.Names = append(out.Names, j.Name)
		}
	}
	if n := len(byAge); n > 0 {
		out.FirstAt, out.LastAt = moment(byAge[n-1].CreatedAt), moment(byAge[0].CreatedAt)
	}
	return out
}

// capped cuts a list at n and returns its length before.
func capped[T any](v []T, n int) ([]T, int) {
	total := len(v)
	if total > n {
		v = v[:n]
	}
	return list(v), total
}
