// Package exceptions reads and writes the file of exceptions, audit.yaml: the
// findings that somebody accepts for a time, and severities of their own. It is
// pure: bytes in, bytes out.
//
// docs/exceptions.md describes the file, and SchemaJSON is its JSON Schema. The
// reader is stricter than YAML: an unknown, missing or repeated field, an anchor
// or a second document is an error with its line.
package exceptions

import (
	_ "embed"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// SchemaJSON is the JSON Schema (draft 2020-12) of the file.
//
//go:embed exceptions.schema.json
var SchemaJSON []byte

// Version is the version of the file's format.
const Version = 1

// MaxSize bounds a file, in bytes.
const MaxSize = 16 << 20

// File is a file of exceptions.
type File struct {
	// Name is the file's, as errors and reports name it.
	Name    string
	Entries []Entry
	// Severities are by rule, in the file's order.
	Severities []Severity
}

// Entry accepts the findings of one rule on the roles that a selector names.
type Entry struct {
	// Line is where it begins in the file, from 1.
	Line int
	Rule string
	// Role is a role's name, its ARN or a glob of either.
	Role string
	// Subject is a finding's, word for word; AllSubjects is every one.
	Subject     string
	AllSubjects bool
	Reason      string
	Owner       string
	// Expires is the last day on which it holds, in UTC.
	Expires time.Time
}

// Severity is a rule's severity in place of its own.
type Severity struct {
	Line     int
	Rule     string
	Severity report.Severity
}

// Matches reports whether the entry speaks of a finding, expired or not.
func (e *Entry) Matches(f *report.Finding) bool {
	return e.Rule == f.Rule && (e.AllSubjects || e.Subject == f.Subject) && snapshot.MatchRole(e.Role, f.Role)
}

// Expired reports whether the entry no longer holds at now.
func (e *Entry) Expired(now time.Time) bool { return !now.Before(e.Expires.AddDate(0, 0, 1)) }

// same reports whether two entries speak of the same.
func (e *Entry) same(f *Entry) bool {
	return e.Rule == f.Rule && e.Role == f.Role && e.Subject == f.Subject && e.AllSubjects == f.AllSubjects
}

// Asked says what the findings were looked for in: where that is not all, an entry
// without a finding is not known to be unused.
type Asked struct {
	// Complete is the report's.
	Complete bool
	// Roles are the selectors that the run was asked for, none for every role.
	Roles []string
}

// Apply marks the findings that are accepted at now, gives the rules their severities,
// and tells what became of each entry. A nil file accepts nothing.
func (x *File) Apply(findings []report.Finding, now time.Time, asked Asked) *report.Exceptions {
	if x == nil {
		return nil
	}
	out := &report.Exceptions{Name: x.Name, Entries: []report.Exception{}, Severities: []report.RuleSeverity{}}
	severities := map[string]report.Severity{}
	for _, s := range x.Severities {
		severities[s.Rule] = s.Severity
		out.Severities = append(out.Severities, report.RuleSeverity{Rule: s.Rule, Severity: s.Severity})
	}
	candidates := x.index()
	counts := make([]int, len(x.Entries))
	for i := range findings {
		f := &findings[i]
		if s, ok := severities[f.Rule]; ok {
			f.Severity = s
		}
		for _, n := range candidates(f) {
			e := &x.Entries[n]
			if !e.Matches(f) {
				continue
			}
			counts[n]++
			if !e.Expired(now) && f.Accepted == nil {
				f.Accepted = &report.Accepted{By: e.Owner, Until: day(e.Expires), Reason: e.Reason}
			}
		}
	}
	for i := range x.Entries {
		e := &x.Entries[i]
		out.Entries = append(out.Entries, report.Exception{Line: e.Line, Rule: e.Rule, Role: e.Role, Subject: e.Subject, AllSubjects: e.AllSubjects,
			By: e.Owner, Until: day(e.Expires), Reason: e.Reason, State: e.state(now, counts[i], asked), Findings: counts[i]})
	}
	return out
}

// index gives a function that names the entries that may speak of a finding, in the
// file's order: a file may hold as many entries as there are findings.
func (x *File) index() func(*report.Finding) []int {
	type key struct{ rule, role string }
	exact, globs := map[key][]int{}, map[string][]int{}
	for i := range x.Entries {
		if e := &x.Entries[i]; snapshot.IsGlob(e.Role) {
			globs[e.Rule] = append(globs[e.Rule], i)
		} else {
			exact[key{e.Rule, e.Role}] = append(exact[key{e.Rule, e.Role}], i)
		}
	}
	return func(f *report.Finding) []int {
		name := f.Role[strings.LastIndexByte(f.Role, '/')+1:]
		out := slices.Concat(exact[key{f.Rule, f.Role}], globs[f.Rule])
		if name != f.Role {
			out = append(out, exact[key{f.Rule, name}]...)
		}
		slices.Sort(out)
		return out
	}
}

func (e *Entry) state(now time.Time, findings int, asked Asked) string {
	switch {
	case e.Expired(now):
		return report.ExceptionExpired
	case findings > 0:
		return report.ExceptionActive
	case !asked.Complete || len(asked.Roles) > 0:
		return report.ExceptionUnseen
	default:
		return report.ExceptionUnused
	}
}

func day(t time.Time) string { return t.Format(time.DateOnly) }
