package report

import (
	_ "embed"
	"slices"
	"time"
)

// DriftSchemaJSON is the JSON Schema (draft 2020-12) of a [DriftReport].
//
//go:embed drift.schema.json
var DriftSchemaJSON []byte

// DriftReport is what `audit drift -o json` prints: the drift alone, of one account.
type DriftReport struct {
	SchemaVersion int     `json:"schemaVersion"`
	Account       Account `json:"account"`
	Drift         Drift   `json:"drift"`
}

// Drift is what is otherwise than it was, and otherwise than it is declared:
// Changes from the baseline to the current snapshot, Deviations of the current one
// from what is declared. Excess, the third part of the view, stands in the roles.
// Arrays are never null.
type Drift struct {
	// Baseline is null where there are deviations only.
	Baseline *Evidenced `json:"baseline"`
	Current  Evidenced  `json:"current"`
	// Changes are the account's, at most MaxChanges, what widens first; Summary counts
	// all of them.
	Changes      []Change     `json:"changes"`
	ChangesTotal int          `json:"changesTotal"`
	Summary      DriftSummary `json:"summary"`
	// Tool are changes of audit and of how it was asked, never of the account.
	Tool []ToolChange `json:"tool"`
	// Unknown are the comparisons that could not be made, at most MaxChanges: nothing
	// is to be read from the lack of a change of these kinds.
	Unknown      []Uncompared `json:"unknown"`
	UnknownTotal int          `json:"unknownTotal"`
	// Deviations are at most MaxChanges.
	Deviations      []Deviation `json:"deviations"`
	DeviationsTotal int         `json:"deviationsTotal"`
}

// Evidenced is one of the two snapshots.
type Evidenced struct {
	// Name is the file's name without its folder, empty for a live run.
	Name       string    `json:"name"`
	TakenAt    time.Time `json:"takenAt"`
	Window     Window    `json:"window"`
	JobsWindow Window    `json:"jobsWindow"`
	// Complete is false as soon as a gap of impact roles, jobs or usage exists.
	Complete bool `json:"complete"`
	// Catalog is the version of the catalogue of actions of the audit that took the
	// snapshot, empty where it does not say.
	Catalog string `json:"catalog"`
}

// DriftSummary counts all changes by their effect, and the changes by severity.
type DriftSummary struct {
	Widens   int        `json:"widens"`
	Narrows  int        `json:"narrows"`
	Both     int        `json:"both"`
	None     int        `json:"none"`
	Unknown  int        `json:"unknown"`
	Severity Severities `json:"severity"`
}

// Add counts one change.
func (s *DriftSummary) Add(c *Change) {
	switch c.Effect {
	case Widens:
		s.Widens++
	case Narrows:
		s.Narrows++
	case Both:
		s.Both++
	case NoEffect:
		s.None++
	case UnknownEffect:
		s.Unknown++
	}
	s.Severity.Add(c.Severity)
}

// ChangeKind says what changed in the account.
type ChangeKind string

// The kinds of changes. docs/drift.md says of each what it is read from.
const (
	RoleCreated ChangeKind = "role-created"
	RoleDeleted ChangeKind = "role-deleted"
	// RoleRecreated: the same ARN and another role id.
	RoleRecreated ChangeKind = "role-recreated"

	PolicyAttached ChangeKind = "policy-attached"
	PolicyDetached ChangeKind = "policy-detached"
	// PolicyEdited: the meaning of an inline policy, or of a customer managed policy
	// (by a new default version), is another.
	PolicyEdited ChangeKind = "policy-edited"
	// AWSPolicyUpdated: AWS moved one of its managed policies to a new version. One
	// change for all roles that have it.
	AWSPolicyUpdated ChangeKind = "aws-policy-updated"

	BoundarySet     ChangeKind = "boundary-set"
	BoundaryChanged ChangeKind = "boundary-changed"
	BoundaryRemoved ChangeKind = "boundary-removed"

	TrustWidened  ChangeKind = "trust-widened"
	TrustNarrowed ChangeKind = "trust-narrowed"
	// TrustChanged: it trusts more and less, or it cannot be told.
	TrustChanged ChangeKind = "trust-changed"

	NewJob    ChangeKind = "new-job"
	NewImage  ChangeKind = "new-image"
	NewBucket ChangeKind = "new-bucket"

	FirstUse ChangeKind = "first-use"
	// UseAgedOut: what the baseline's window showed (a use, a job, an image, a bucket,
	// a denied call, a person) lies before the current one's. SubjectKind says which.
	UseAgedOut    ChangeKind = "use-aged-out"
	NewlyDenied   ChangeKind = "newly-denied"
	PersonAssumed ChangeKind = "person-assumed"
)

// ChangeKinds holds all kinds, in the order of docs/drift.md.
var ChangeKinds = []ChangeKind{
	RoleCreated, RoleDeleted, RoleRecreated,
	PolicyAttached, PolicyDetached, PolicyEdited, AWSPolicyUpdated,
	BoundarySet, BoundaryChanged, BoundaryRemoved,
	TrustWidened, TrustNarrowed, TrustChanged,
	NewJob, NewImage, NewBucket,
	FirstUse, UseAgedOut, NewlyDenied, PersonAssumed,
}

// Effect says what a change or deviation does to what the role may do, or to who may
// act as it.
type Effect string

// The effects. NoEffect is proven; where neither is proven nor shown, it is UnknownEffect.
const (
	Widens        Effect = "widens"
	Narrows       Effect = "narrows"
	Both          Effect = "both"
	NoEffect      Effect = "none"
	UnknownEffect Effect = "unknown"
)

// Effects holds all effects, what wants a look first.
var Effects = []Effect{Widens, Both, UnknownEffect, Narrows, NoEffect}

// Rank gives 0 for what wants a look first.
func (e Effect) Rank() int {
	for i, f := range Effects {
		if e == f {
			return i
		}
	}
	return len(Effects)
}

// Widens reports whether more may be allowed than before: widens and both, and unknown,
// which is no all-clear.
func (e Effect) Widens() bool {
	return e == Widens || e == Both || e == UnknownEffect
}

// The kinds of a Change's Subject.
const (
	SubjectRole     = "role"
	SubjectPolicy   = "policy" // a managed policy's ARN
	SubjectInline   = "inline" // an inline policy's name
	SubjectBoundary = "boundary"
	SubjectTrust    = "trust"
	SubjectJob      = "job" // a family of training jobs
	SubjectImage    = "image"
	SubjectBucket   = "bucket"
	SubjectAction   = "action" // used
	SubjectDenied   = "denied" // an action that was refused
	SubjectPerson   = "person"
)

// SubjectKinds holds the kinds of subjects.
var SubjectKinds = []string{
	SubjectRole, SubjectPolicy, SubjectInline, SubjectBoundary, SubjectTrust,
	SubjectJob, SubjectImage, SubjectBucket, SubjectAction, SubjectDenied, SubjectPerson,
}

// Change is one thing that is otherwise than in the baseline.
type Change struct {
	// ID is stable between runs: a hash of kind, role, role id, subject and what
	// Before and After are.
	ID string `json:"id"`
	// Role is the role's ARN, empty where one change reaches several roles.
	Role   string     `json:"role"`
	RoleID string     `json:"roleId"`
	Kind   ChangeKind `json:"kind"`
	// Severity is of what the change allows, info for what widens nothing.
	Severity    Severity `json:"severity"`
	Subject     string   `json:"subject"`
	SubjectKind string   `json:"subjectKind"`
	// Title is the change in a sentence.
	Title string `json:"title"`
	// Before and After are the state in few words, empty for none.
	Before string `json:"before"`
	After  string `json:"after"`
	// Cause says in a sentence what brought it about, or that nothing on record does.
	Cause  string `json:"cause"`
	Effect Effect `json:"effect"`
	// EffectWhy says what the effect rests on: the request that shows a widening, or
	// why it cannot be told.
	EffectWhy string `json:"effectWhy"`
	// RoleEffect is that of everything together that changed in what the role is
	// granted: a swap of one policy for an equal one widens nothing. Empty for a
	// change that grants nothing.
	RoleEffect Effect `json:"roleEffect"`
	// Newly is what is allowed that was not, NoLonger the opposite.
	Newly    Newly `json:"newly"`
	NoLonger Newly `json:"noLonger"`
	// By is who did it, null where no event on record says so; then Cause says why.
	By *ChangeBy `json:"by"`
	// Roles are the roles that one change of a managed policy reaches, at most
	// MaxReached; empty for a change of one role.
	Roles      []string `json:"roles"`
	RolesTotal int      `json:"rolesTotal"`
}

// Newly is what is allowed on the one side and not on the other, of the policies that
// changed, within what else the role has on both sides.
type Newly struct {
	// Actions counts the IAM actions that were allowed on nothing, Broader those that
	// were, and now are on more resources or under fewer conditions.
	Actions int `json:"actions"`
	Broader int `json:"broader"`
	// Riskiest are at most MaxRiskiest of them, riskiest first.
	Riskiest []RiskyGrant `json:"riskiest"`
	// Principals are those that may act as the role, of a trust policy; at most
	// MaxReached of PrincipalsTotal.
	Principals      []string `json:"principals"`
	PrincipalsTotal int      `json:"principalsTotal"`
	// Note says what could not be counted, empty for nothing.
	Note string `json:"note"`
}

// Empty reports whether nothing is newly allowed.
func (n *Newly) Empty() bool {
	return n.Actions == 0 && n.Broader == 0 && n.PrincipalsTotal == 0 && n.Note == ""
}

// RiskyGrant is an action on the resources of one pattern, with why it is a risk.
type RiskyGrant struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
	// Why is escalation, permissions, data, write or read.
	Why string `json:"why"`
}

// ChangeBy is who made a change, by CloudTrail.
type ChangeBy struct {
	// Principal is the caller's ARN, with the person where the session names one.
	Principal string    `json:"principal"`
	EventName string    `json:"eventName"`
	EventID   string    `json:"eventId"`
	At        time.Time `json:"at"`
	// Others counts further events that bear on the same change.
	Others int `json:"others"`
}

// ToolChange is a difference of the two snapshots that the account has no part in.
type ToolChange struct {
	// Kind is catalog, facts, asked, regions or windows.
	Kind   string `json:"kind"`
	Before string `json:"before"`
	After  string `json:"after"`
	Detail string `json:"detail"`
}

// The kinds of a ToolChange.
const (
	ToolCatalog = "catalog" // the catalogue of actions
	ToolFacts   = "facts"   // what is kept of an event
	ToolAsked   = "asked"   // the roles that were asked for, the source of usage
	ToolRegions = "regions" // the regions that were read
	ToolWindows = "windows" // the length of the windows
)

// ToolChangeKinds holds the kinds of a ToolChange.
var ToolChangeKinds = []string{ToolCatalog, ToolFacts, ToolAsked, ToolRegions, ToolWindows}

// Uncompared is a comparison that could not be made.
type Uncompared struct {
	// Role is empty for what concerns every role.
	Role   string `json:"role"`
	RoleID string `json:"roleId"`
	// What is not compared, in words; Kinds are the changes that may be hidden.
	What  string       `json:"what"`
	Kinds []ChangeKind `json:"kinds"`
	// Impact is roles, jobs or usage where evidence lacks, detail where one sighting
	// cannot be told apart.
	Impact string `json:"impact"`
	// Side is where the evidence lacks: baseline, current or both.
	Side string `json:"side"`
	Why  string `json:"why"`
}

// The sides of an Uncompared.
const (
	SideBaseline = "baseline"
	SideCurrent  = "current"
	SideBoth     = "both"
)

// Deviation is where the live account is otherwise than what is declared.
type Deviation struct {
	// ID is stable between runs: a hash of kind, role and subject.
	ID     string `json:"id"`
	Role   string `json:"role"`
	RoleID string `json:"roleId"`
	// Source is terraform-state, terraform-plan or policy-documents; File is the file's
	// name below what was given.
	Source   string   `json:"source"`
	File     string   `json:"file"`
	Kind     string   `json:"kind"`
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"`
	Title    string   `json:"title"`
	Detail   string   `json:"detail"`
	// Declared and Live are the two states in few words, empty for none.
	Declared string `json:"declared"`
	Live     string `json:"live"`
	// Effect is that of the live state against the declared one.
	Effect    Effect `json:"effect"`
	EffectWhy string `json:"effectWhy"`
	// Newly is what the live account allows beyond what is declared.
	Newly Newly `json:"newly"`
}

// Empty reports whether there is nothing to tell: no change, no deviation, nothing that
// could not be compared, no change of the tool.
func (d *Drift) Empty() bool {
	return d.ChangesTotal == 0 && d.DeviationsTotal == 0 && d.UnknownTotal == 0 && len(d.Tool) == 0
}

// Complete reports whether the evidence of both sides is whole, so that the changes are
// all that there are. Single sightings that cannot be compared leave it so.
func (d *Drift) Complete() bool {
	return d.Current.Complete && (d.Baseline == nil || d.Baseline.Complete) &&
		!slices.ContainsFunc(d.Unknown, func(u Uncompared) bool { return u.Impact != "detail" })
}

// The caps of a drift's arrays.
const (
	MaxChanges  = 1000
	MaxRiskiest = 5
	MaxReached  = 50
)
