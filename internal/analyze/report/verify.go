package report

import (
	_ "embed"
	"time"
)

// VerificationSchemaJSON and JobCheckSchemaJSON are the JSON Schemas (draft 2020-12) of
// a [Verification] and a [JobCheck].
var (
	//go:embed verification.schema.json
	VerificationSchemaJSON []byte
	//go:embed jobcheck.schema.json
	JobCheckSchemaJSON []byte
)

// The answers of a [Verification].
const (
	VerifyPasses = "passes"
	VerifyUnsure = "unsure"
	VerifyFails  = "fails"
)

// Verification says what policies would break and grant in the place of a role's
// identity policies: what `audit verify -o json` prints. docs/verify.md lists its keys.
// Arrays are never null.
type Verification struct {
	Basis
	Window     Window         `json:"window"`
	JobsWindow Window         `json:"jobsWindow"`
	Role       ExplainedRole  `json:"role"`
	Policies   []EditedPolicy `json:"policies"`
	// Answer is passes, unsure or fails; Why is it in a sentence.
	Answer string `json:"answer"`
	Why    string `json:"why"`
	// Complete: all evidence that was asked for could be read.
	Complete bool `json:"complete"`
	// Checked counts what was replayed.
	Checked Replayed `json:"checked"`
	// Broken are the uses and needs that today's identity policies grant and the given
	// ones do not; Unsure those of which it cannot be told. At most MaxCells each.
	Broken      []VerifiedUse `json:"broken"`
	BrokenTotal int           `json:"brokenTotal"`
	Unsure      []VerifiedUse `json:"unsure"`
	UnsureTotal int           `json:"unsureTotal"`
	// Widens is what the given policies allow, or no longer deny, beyond today's.
	Widens      []Widening `json:"widens"`
	WidensTotal int        `json:"widensTotal"`
	// Excess is what they grant beyond the evidence.
	Excess Excess `json:"excess"`
	// Review are uses of what may change permissions: left to a person.
	Review   []ReviewedUse `json:"review"`
	Warnings []string      `json:"warnings"`
	// Limits are what the evidence leaves open, whatever the policies say.
	Limits []string `json:"limits"`
}

// EditedPolicy is a policy document that was given for the role.
type EditedPolicy struct {
	Name       string `json:"name"`
	SHA256     string `json:"sha256"`
	Statements int    `json:"statements"`
	// Characters is its size as IAM counts it: without white space.
	Characters int `json:"characters"`
}

// Replayed counts what was held against the given policies.
type Replayed struct {
	// Held are the actions on generalised resources that are held.
	Held int `json:"held"`
	// Calls are those on record, Needs those of single jobs.
	Calls int `json:"calls"`
	Jobs  int `json:"jobs"`
	Needs int `json:"needs"`
}

// VerifiedUse is a use or need that the given policies do not certainly go on to allow.
type VerifiedUse struct {
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Area     string `json:"area"`
	// Used: calls of it are on record. Strength and IfMissing are of the jobs' need,
	// empty where it is only used.
	Used      bool   `json:"used"`
	Strength  string `json:"strength"`
	IfMissing string `json:"ifMissing"`
	// Because is what the given policies say of it, Example a request that today's
	// allow and they do not, empty where that is all of it.
	Because string `json:"because"`
	Example string `json:"example"`
	// OnRecord: calls or needs on record are concerned, and not only such as the hole
	// rule expects.
	OnRecord bool `json:"onRecord"`
	// Rests is what the need or use rests on, in a sentence.
	Rests      string       `json:"rests"`
	Jobs       []BrokenJob  `json:"jobs"`
	JobsTotal  int          `json:"jobsTotal"`
	Calls      []BrokenCall `json:"calls"`
	CallsTotal int          `json:"callsTotal"`
	// Note says what else bears on it, such as a bucket policy that allows it by itself.
	Note string `json:"note"`
}

// BrokenJob is a job of which the given policies do not allow what one of its fields
// asks for.
type BrokenJob struct {
	Job       string    `json:"job"`
	Region    string    `json:"region"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"createdAt"`
	Field     string    `json:"field"`
	Resource  string    `json:"resource"`
}

// BrokenCall is calls alike that the given policies do not allow.
type BrokenCall struct {
	EventID   string    `json:"eventId"`
	EventName string    `json:"eventName"`
	Region    string    `json:"region"`
	Resource  string    `json:"resource"`
	Count     int       `json:"count"`
	Last      time.Time `json:"last"`
	By        string    `json:"by"`
}

// The kinds of a [Widening].
const (
	WidensAction    = "action"
	WidensResource  = "resource"
	WidensCondition = "condition"
	WidensDeny      = "deny"
	WidensTogether  = "together"
)

// Widening is something that the given policies allow and today's do not, or a Deny of
// today's that they lack.
type Widening struct {
	// Kind is action (not granted today), resource (not on this one), condition (only
	// under one), deny (a Deny is gone or narrower), or together (no single piece).
	Kind string `json:"kind"`
	// Certain: proven by Example. Else it could not be decided whether it widens.
	Certain bool `json:"certain"`
	// Policy, Index and Sid name the statement: of the given policies, and of today's
	// for a Deny.
	Policy   string `json:"policy"`
	Index    int    `json:"index"`
	Sid      string `json:"sid"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Because  string `json:"because"`
	Example  string `json:"example"`
}

// Excess is what the given policies grant and no evidence asks for.
type Excess struct {
	// Actions counts those that nothing needs on any resource.
	Actions     int           `json:"actions"`
	Grants      []ExcessGrant `json:"grants"`
	GrantsTotal int           `json:"grantsTotal"`
}

// The kinds of an [ExcessGrant].
const (
	ExcessUnneeded = "unneeded"
	ExcessWider    = "wider"
)

// ExcessGrant is an entry of an Action element on one of a Resource element that is
// granted beyond need.
type ExcessGrant struct {
	// Kind is unneeded (nothing needs the actions on it) or wider (something needs them
	// on a part of it).
	Kind     string `json:"kind"`
	Policy   string `json:"policy"`
	Index    int    `json:"index"`
	Sid      string `json:"sid"`
	Entry    string `json:"entry"`
	Resource string `json:"resource"`
	// Count is how many actions of the entry it is true of; Actions are the first.
	Count   int      `json:"count"`
	Actions []string `json:"actions"`
	// Unobservable counts those of which no source would have shown a call.
	Unobservable int `json:"unobservable"`
	// Needed are the patterns that are needed, of wider.
	Needed []string `json:"needed"`
}

// ReviewedUse is a use of what may change permissions, or hand on a role.
type ReviewedUse struct {
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	Count    int       `json:"count"`
	Last     time.Time `json:"last"`
	// Kept: the given policies allow it.
	Kept bool `json:"kept"`
}

// The answers of a [JobCheck].
const (
	JobRuns   = "runs"
	JobUnsure = "unsure"
	JobFails  = "fails"
)

// JobCheck says whether a training job would run under a role: what `audit check-job -o
// json` prints. docs/verify.md lists its keys. Arrays are never null.
type JobCheck struct {
	Basis
	Role ExplainedRole `json:"role"`
	// Policies stand for the role's identity policies; none: those of today.
	Policies []EditedPolicy `json:"policies"`
	Job      CheckedJob     `json:"job"`
	// Answer is runs, unsure or fails, each as far as is known; Why is it in a sentence.
	Answer string      `json:"answer"`
	Why    string      `json:"why"`
	Trust  TrustCheck  `json:"trust"`
	Needs  []NeedCheck `json:"needs"`
	// Unresolved is what the job needs and its configuration does not tell.
	Unresolved []UnresolvedNeed `json:"unresolved"`
	// NotRead is what was not read and could refuse.
	NotRead []string `json:"notRead"`
	Notes   []string `json:"notes"`
}

// CheckedJob is the job that was asked about.
type CheckedJob struct {
	Name string `json:"name"`
	// Region is where it runs; RegionFrom says how that is known.
	Region     string `json:"region"`
	RegionFrom string `json:"regionFrom"`
	// Source is request or snapshot.
	Source string `json:"source"`
	// Status is of a job that exists.
	Status string `json:"status"`
}

// TrustCheck says whether SageMaker may assume the role for the job.
type TrustCheck struct {
	// Assume is yes, no, conditional or unknown, as are TagSession, which is empty for a
	// job without session tags, and SourceIdentity, which matters where the caller has one.
	Assume         string `json:"assume"`
	TagSession     string `json:"tagSession"`
	SourceIdentity string `json:"sourceIdentity"`
	Why            string `json:"why"`
}

// The states of a [NeedCheck].
const (
	NeedGranted     = "granted"
	NeedConditional = "conditional"
	NeedPartly      = "partly"
	NeedRefused     = "refused"
	NeedUnknown     = "unknown"
)

// The effects of a need on the answer.
const (
	EffectNone     = "none"
	EffectFails    = "fails"
	EffectUnsure   = "unsure"
	EffectDegrades = "degrades"
	EffectWithout  = "without"
)

// NeedCheck is one need of the job, held against the role's policies.
type NeedCheck struct {
	Action     string   `json:"action"`
	Resource   string   `json:"resource"`
	Area       string   `json:"area"`
	Fields     []string `json:"fields"`
	Confidence string   `json:"confidence"`
	IfMissing  string   `json:"ifMissing"`
	Optional   bool     `json:"optional"`
	// State is granted, conditional, partly, refused or unknown.
	State string `json:"state"`
	// Effect is what that does to the job: none, fails, unsure, degrades, or without (it
	// does without, as jobs on record did, or as no source says otherwise).
	Effect string     `json:"effect"`
	Layer  string     `json:"layer"`
	Layers CellLayers `json:"layers"`
	Why    string     `json:"why"`
	// ToAllow is what would have to be so.
	ToAllow []string `json:"toAllow"`
}

// UnresolvedNeed is what a field needs and does not name.
type UnresolvedNeed struct {
	Field string `json:"field"`
	What  string `json:"what"`
}
