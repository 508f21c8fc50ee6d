package report

import "time"

// Accepted says who accepts a finding, and for how long.
type Accepted struct {
	By string `json:"by"`
	// Until is the last day, in UTC, as 2027-01-31.
	Until  string `json:"until"`
	Reason string `json:"reason"`
}

// Exceptions is what a file of exceptions did to the findings.
type Exceptions struct {
	// Name is the file's name without its folder.
	Name string `json:"name"`
	// Entries are in the file's order.
	Entries    []Exception    `json:"entries"`
	Severities []RuleSeverity `json:"severities"`
}

// Exception is one entry of the file.
type Exception struct {
	Line int    `json:"line"`
	Rule string `json:"rule"`
	// Role is a role's name, ARN or a glob of either.
	Role string `json:"role"`
	// Subject is empty for AllSubjects.
	Subject     string `json:"subject"`
	AllSubjects bool   `json:"allSubjects"`
	By          string `json:"by"`
	Until       string `json:"until"`
	Reason      string `json:"reason"`
	State       string `json:"state"`
	// Findings counts those that it speaks of, also once it is expired.
	Findings int `json:"findings"`
}

// The states of an exception.
const (
	ExceptionActive  = "active"
	ExceptionExpired = "expired" // its findings count again
	ExceptionUnused  = "unused"  // no finding is like it
	// ExceptionUnseen: no finding is like it, but not everything was looked at.
	ExceptionUnseen = "unseen"
)

// ExceptionStates holds the states.
var ExceptionStates = []string{ExceptionActive, ExceptionExpired, ExceptionUnused, ExceptionUnseen}

// RuleSeverity is a rule's severity in place of its own.
type RuleSeverity struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
}

// NewlyExpired are the exceptions that held at the baseline, no longer do, and have
// findings: news, though nothing in the account changed. None without a baseline.
func (r *Report) NewlyExpired() []Exception {
	var out []Exception
	if r.Exceptions == nil || r.Drift == nil || r.Drift.Baseline == nil {
		return nil
	}
	held := r.Drift.Baseline.TakenAt.UTC().Format(time.DateOnly)
	for _, e := range r.Exceptions.Entries {
		if e.State == ExceptionExpired && e.Findings > 0 && e.Until >= held { // Until is the last day
			out = append(out, e)
		}
	}
	return out
}
