// Package report is the contract: what `audit run -o json` prints, as Go types
// and as the JSON Schema of [SchemaJSON]. Every other format is laid out from
// these types and from nothing else.
//
// Arrays are never null and are sorted by their first keys; long ones are capped
// and stand beside their total. Times are RFC 3339 UTC. Counts of actions count
// each IAM action once. Adding a key is no change of the contract, renaming or
// dropping one is.
package report

import (
	"encoding/json"
	"time"
)

// SchemaVersion is the version of the contract.
const SchemaVersion = 1

// Report is one audit.
type Report struct {
	SchemaVersion int     `json:"schemaVersion"`
	Tool          Tool    `json:"tool"`
	Catalog       Catalog `json:"catalog"`
	Account       Account `json:"account"`
	// OnlyRoles are selectors of roles (names, ARNs, globs), where not all execution roles
	// were asked for: the report knows of no other roles. Empty: all of them.
	OnlyRoles []string `json:"onlyRoles"`
	// GivenPolicies are those of the organization that the caller handed over: the
	// report rests on them, and no account can read them of itself.
	GivenPolicies []GivenPolicy `json:"givenPolicies"`
	// Caller is the ARN that collected, empty if sts refused to tell.
	Caller  string  `json:"caller"`
	Regions Regions `json:"regions"`
	// Calls counts the requests that collecting sent, retries included, by
	// operation ("iam:GetRole").
	Calls map[string]int `json:"calls"`
	// GeneratedAt is the snapshot's time (or --as-of), not that of printing.
	GeneratedAt time.Time `json:"generatedAt"`
	Window      Window    `json:"window"`
	JobsWindow  Window    `json:"jobsWindow"`
	// Complete is false as soon as a gap of impact roles, jobs or usage exists.
	Complete   bool        `json:"complete"`
	Coverage   []Coverage  `json:"coverage"`
	Gaps       []Gap       `json:"gaps"`
	BlindSpots []BlindSpot `json:"blindSpots"`
	// Trails say what the account's trails record, whether or not it was read.
	Trails   []Trail   `json:"trails"`
	Summary  Summary   `json:"summary"`
	Roles    []Role    `json:"roles"`
	Findings []Finding `json:"findings"`
	// Exceptions is null without a file of exceptions.
	Exceptions *Exceptions `json:"exceptions"`
	// Drift is null without a baseline and without declared policies.
	Drift *Drift `json:"drift"`
}

// Tool is the program that made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Catalog is the list of IAM actions that grants were expanded over.
type Catalog struct {
	Version string `json:"version"`
	Actions int    `json:"actions"`
	// UnknownActions were granted by name, used or required and are in no
	// catalogue: matched as text.
	UnknownActions []string `json:"unknownActions"`
}

// GivenPolicy is a service or resource control policy (Layer scp or rcp) that was
// given as a file. Level counts from 0, the organization's root; Name is the file's
// below what was given.
type GivenPolicy struct {
	Layer  string `json:"layer"`
	Level  int    `json:"level"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Account is the audited account.
type Account struct {
	ID        string `json:"id"`
	Partition string `json:"partition"`
}

// Regions are those read and those the account has enabled; Enabled is empty
// when they could not be listed.
type Regions struct {
	Read    []string `json:"read"`
	Enabled []string `json:"enabled"`
}

// Window is the span [from, to).
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Coverage is what one source was asked for and gave. Covered is null when it
// gave nothing.
type Coverage struct {
	Source       string   `json:"source"`
	Region       string   `json:"region"`
	EventClasses []string `json:"eventClasses"`
	Scope        string   `json:"scope"`
	Asked        *Window  `json:"asked"`
	Covered      *Window  `json:"covered"`
	// Events counts what was read: events, jobs or roles.
	Events int `json:"events"`
	// Described of Describable jobs were read in full.
	Described   int  `json:"described"`
	Describable int  `json:"describable"`
	Complete    bool `json:"complete"`
}

// Gap is something asked for that could not be read. Impact is roles, jobs,
// usage or detail; see package snapshot for the reasons.
type Gap struct {
	Source string `json:"source"`
	Region string `json:"region"`
	Scope  string `json:"scope"`
	Impact string `json:"impact"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	// Remedy says what would close the gap, empty where nobody knows.
	Remedy string `json:"remedy"`
}

// BlindSpot is what nothing that was read records. Remedy is the cheapest change
// that would remove it.
type BlindSpot struct {
	What   string `json:"what"`
	Reason string `json:"reason"`
	Remedy string `json:"remedy"`
}

// Trail is a CloudTrail trail that sees events of the account.
type Trail struct {
	ARN        string `json:"arn"`
	HomeRegion string `json:"homeRegion"`
	// MultiRegion trails see every region, others their home region.
	MultiRegion  bool        `json:"multiRegion"`
	Organization bool        `json:"organization"`
	Logging      bool        `json:"logging"`
	Records      []Recording `json:"records"`
	// Unread names what could not be read of it: status, selectors.
	Unread []string `json:"unread"`
}

// Recording is what a trail's selectors let through.
type Recording struct {
	// EventClass is management or data.
	EventClass string `json:"eventClass"`
	// Access is all, read or write.
	Access string `json:"access"`
	// ResourceType is resources.type of a data event, empty for management events.
	ResourceType string `json:"resourceType"`
	// Scope are the beginnings of the ARNs that are selected, empty for all.
	Scope []string `json:"scope"`
	// Without are the event sources that are left out.
	Without []string `json:"without"`
	// Understood is false for a selector with a field that this version does not
	// model: then nothing is taken to be recorded by it.
	Understood bool `json:"understood"`
	// Since is when this began, as far back as the window goes: null when it is
	// not known.
	Since *time.Time `json:"since"`
	// Whole: it began before the window.
	Whole bool   `json:"whole"`
	Note  string `json:"note"`
}

// Counts are numbers of distinct actions by verdict. Granted is
// granted.effective and the sum of Used, Required, Blocked, Unused and
// Unobservable. Missing, Foreign and Refused stand beside that sum: they count
// the actions with at least one such resource; Missing leaves out what is
// documented as optional.
type Counts struct {
	Granted      int `json:"granted"`
	Used         int `json:"used"`
	Required     int `json:"required"`
	Blocked      int `json:"blocked"`
	Unused       int `json:"unused"`
	Unobservable int `json:"unobservable"`
	Missing      int `json:"missing"`
	Foreign      int `json:"foreign"`
	Refused      int `json:"refused"`
}

// Add adds d to c.
func (c *Counts) Add(d Counts) {
	c.Granted += d.Granted
	c.Used += d.Used
	c.Required += d.Required
	c.Blocked += d.Blocked
	c.Unused += d.Unused
	c.Unobservable += d.Unobservable
	c.Missing += d.Missing
	c.Foreign += d.Foreign
	c.Refused += d.Refused
}

// Summary sums over the roles.
type Summary struct {
	Roles int `json:"roles"`
	Jobs  int `json:"jobs"`
	Counts
	// Findings counts those that nobody accepts, Accepted the others.
	Findings Severities `json:"findings"`
	Accepted int        `json:"accepted"`
}

// Severities counts findings.
type Severities struct {
	Critical int `json:"critical"`
	High     int `json:"high"`
	Medium   int `json:"medium"`
	Low      int `json:"low"`
	Info     int `json:"info"`
}

// Add counts one finding.
func (s *Severities) Add(v Severity) {
	switch v {
	case Critical:
		s.Critical++
	case High:
		s.High++
	case Medium:
		s.Medium++
	case Low:
		s.Low++
	case Info:
		s.Info++
	}
}

// Readiness says what may be done with a role's proposal now.
type Readiness string

// The readinesses.
const (
	Ready   Readiness = "ready"
	Confirm Readiness = "confirm"
	Blocked Readiness = "blocked"
	Draft   Readiness = "draft"
)

// Role is one execution role, of one role id.
type Role struct {
	ARN  string `json:"arn"`
	ID   string `json:"id"`
	Name string `json:"name"`
	Path string `json:"path"`
	// Exists is false for a role that jobs or events name and IAM does not have.
	Exists       bool        `json:"exists"`
	CreatedAt    *time.Time  `json:"createdAt"`
	LastUsedAt   *time.Time  `json:"lastUsedAt"`
	Readiness    Readiness   `json:"readiness"`
	ReadinessWhy []string    `json:"readinessWhy"`
	Jobs         Jobs        `json:"jobs"`
	Workloads    []Workload  `json:"workloads"`
	Trust        Trust       `json:"trust"`
	Policies     []PolicyRef `json:"policies"`
	Layers       Layers      `json:"layers"`
	Counts       Counts      `json:"counts"`
	Granted      Granted     `json:"granted"`
	Used         []Used      `json:"used"`
	Required     []Required  `json:"required"`
	Denied       []Denied    `json:"denied"`
	Unused       Unseen      `json:"unused"`
	Unobservable Unseen      `json:"unobservable"`
	Missing      []Missing   `json:"missing"`
	// Unresolved are capped at MaxResources; UnresolvedTotal is how many there were.
	Unresolved      []Unresolved `json:"unresolved"`
	UnresolvedTotal int          `json:"unresolvedTotal"`
	// Cells are the verdicts behind those of the actions, at most MaxCells;
	// CellsTotal is how many there were.
	Cells      []JudgedCell `json:"cells"`
	CellsTotal int          `json:"cellsTotal"`
	Areas      []Area       `json:"areas"`
	Reach      Reach        `json:"reach"`
	// Proposal is null for a role that is gone or could not be read.
	Proposal *Proposal `json:"proposal"`
}

// Jobs are the role's training jobs in the jobs window.
type Jobs struct {
	Total    int            `json:"total"`
	ByRegion map[string]int `json:"byRegion"`
	ByStatus map[string]int `json:"byStatus"`
	FirstAt  *time.Time     `json:"firstAt"`
	LastAt   *time.Time     `json:"lastAt"`
	// TuningChildren are those that a hyperparameter tuning job started.
	TuningChildren int `json:"tuningChildren"`
	// Names are the 20 newest.
	Names []string `json:"names"`
}

// Workload is another user of the role.
type Workload struct {
	Kind   string `json:"kind"`
	ARN    string `json:"arn"`
	Region string `json:"region"`
}

// Trust is what the role's trust policy says.
type Trust struct {
	AllowsSageMaker bool `json:"allowsSageMaker"`
	// Guard is the confused-deputy condition on SageMaker: none, sourceAccount,
	// sourceArn, both or unknown.
	Guard string `json:"guard"`
	// OtherPrincipals are trusted besides sagemaker.amazonaws.com, as
	// "Service:lambda.amazonaws.com" or "AWS:arn:aws:iam::...".
	OtherPrincipals []string `json:"otherPrincipals"`
}

// PolicyRef names a policy of the role. Kind is managed, inline or boundary.
type PolicyRef struct {
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	ARN     string `json:"arn"`
	Version string `json:"version"`
}

// Layers says of each layer: read, notRead or none. Resource is of the buckets and
// keys that the role's cells name, and partly where only some of their policies were
// read.
type Layers struct {
	Identity string `json:"identity"`
	Boundary string `json:"boundary"`
	SCP      string `json:"scp"`
	RCP      string `json:"rcp"`
	Resource string `json:"resource"`
}

// CellLayers says of each layer, by itself, whether it lets the cell pass: yes,
// conditional, no, notRead or none. Identity and Resource are yes where they grant it
// (a key's policy also where it leaves the decision to the identity policies), the
// others where they do not refuse it. None: there is no such policy, or it says nothing
// of the cell.
type CellLayers struct {
	Identity string `json:"identity"`
	Boundary string `json:"boundary"`
	SCP      string `json:"scp"`
	RCP      string `json:"rcp"`
	Resource string `json:"resource"`
}

// Granted counts distinct actions. Conditional is part of Effective.
type Granted struct {
	Identity    int      `json:"identity"`
	Effective   int      `json:"effective"`
	Conditional int      `json:"conditional"`
	Services    []string `json:"services"`
}

// Evidence points at an event, a job field or a document.
type Evidence struct {
	Source    string `json:"source"`
	Region    string `json:"region,omitempty"`
	EventID   string `json:"eventId,omitempty"`
	EventName string `json:"eventName,omitempty"`
	Job       string `json:"job,omitempty"`
	Field     string `json:"field,omitempty"`
	Text      string `json:"text,omitempty"`
}

// Verdict is what is known of an action or cell; see DESIGN's words, repeated
// in docs/verdicts.md.
type Verdict string

// The verdicts. Used to Unobservable are of what is granted, the rest of what
// is not.
const (
	VerdictUsed         Verdict = "used"
	VerdictBlocked      Verdict = "blocked"
	VerdictRequired     Verdict = "required"
	VerdictUnused       Verdict = "unused"
	VerdictUnobservable Verdict = "unobservable"
	VerdictForeign      Verdict = "foreign"
	VerdictMissing      Verdict = "missing"
	VerdictRefused      Verdict = "refused"
	// VerdictContradicted: a completed job did without it, so the rule that says
	// it is needed is wrong for that job, or another policy grants it.
	VerdictContradicted Verdict = "contradicted"
)

// Used is an action that the role was seen to use: its resources of one verdict.
type Used struct {
	Action string `json:"action"`
	// Resources are capped at MaxResources; ResourcesTotal is how many there were.
	Resources      []string  `json:"resources"`
	ResourcesTotal int       `json:"resourcesTotal"`
	Count          int       `json:"count"`
	First          time.Time `json:"first"`
	Last           time.Time `json:"last"`
	Regions        []string  `json:"regions"`
	By             []string  `json:"by"`
	// Who are the people that the sessions name ("source identity ana", "on behalf
	// of <user id>") and the services that called on the role's account.
	Who     []string `json:"who"`
	Verdict Verdict  `json:"verdict"`
	// Reason says of a foreign use why no policy of today grants it.
	Reason   string     `json:"reason"`
	Evidence []Evidence `json:"evidence"`
}

// Required is an action that the role's jobs need by their configuration.
type Required struct {
	Action         string     `json:"action"`
	Area           string     `json:"area"`
	Resources      []string   `json:"resources"`
	ResourcesTotal int        `json:"resourcesTotal"`
	Strength       string     `json:"strength"`
	Confidence     string     `json:"confidence"`
	IfMissing      string     `json:"ifMissing"`
	Optional       bool       `json:"optional"`
	Verdict        Verdict    `json:"verdict"`
	Evidence       []Evidence `json:"evidence"`
}

// Denied is an action that AWS refused the role: its resources of one verdict and
// layer. ResolvedAt is the first success after the last refusal, on one of them.
type Denied struct {
	Action         string     `json:"action"`
	Resources      []string   `json:"resources"`
	ResourcesTotal int        `json:"resourcesTotal"`
	Count          int        `json:"count"`
	Last           time.Time  `json:"last"`
	ResolvedAt     *time.Time `json:"resolvedAt"`
	Verdict        Verdict    `json:"verdict"`
	// Layer is the layer that the error message names, empty where it names none.
	Layer string `json:"layer"`
	// Reason puts verdict and layer into words.
	Reason   string     `json:"reason"`
	Evidence []Evidence `json:"evidence"`
}

// Unseen are the granted actions with the verdict unused or unobservable.
type Unseen struct {
	Count    int                      `json:"count"`
	Services map[string]UnseenService `json:"services"`
	// Basis says on what evidence they are unused, Reasons why they are
	// unobservable.
	Basis   []string `json:"basis,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// UnseenService is one service's part. All: every action of the service has the
// verdict, and Actions is empty; else Actions are capped at MaxActions.
type UnseenService struct {
	Count   int      `json:"count"`
	All     bool     `json:"all"`
	Actions []string `json:"actions"`
}

// Reason is a reason with the number of actions it holds for.
type Reason struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// Missing is a required action that is not granted.
type Missing struct {
	Action    string     `json:"action"`
	Resources []string   `json:"resources"`
	Evidence  []Evidence `json:"evidence"`
}

// Unresolved is something that jobs need and do not tell: what a manifest names, the
// key behind an alias. Jobs are at most MaxEvidence of JobsTotal, by name.
type Unresolved struct {
	Field     string   `json:"field"`
	What      string   `json:"what"`
	Why       string   `json:"why"`
	Jobs      []string `json:"jobs"`
	JobsTotal int      `json:"jobsTotal"`
}

// Area lays needed, granted, touched and proposed side by side.
type Area struct {
	Area     string `json:"area"`
	Required []Cell `json:"required"`
	// Granted are the patterns that today's policies grant the area's required
	// actions on.
	Granted []Cell `json:"granted"`
	// Touched are the resources of the calls that were seen, generalised.
	Touched []Cell `json:"touched"`
	// Excess counts the granted actions of the area's services that are neither
	// used nor required.
	Excess int `json:"excess"`
	// ExcessPatterns counts, of the actions that are used or required, the granted
	// patterns that reach beyond every resource needed or touched.
	ExcessPatterns int    `json:"excessPatterns"`
	Proposed       []Cell `json:"proposed"`
}

// JudgedCell is an action on the resources of one pattern, with its verdict.
type JudgedCell struct {
	Action string `json:"action"`
	// Area is the area of the need, else one of the four by the action, else empty.
	Area string `json:"area"`
	// Resource is an IAM resource pattern. It is empty for a use or refusal whose
	// record names no resource, and for Rest.
	Resource string `json:"resource"`
	// Rest: what is granted of the action beside its other cells, on Patterns (at
	// most MaxResources).
	Rest     bool     `json:"rest"`
	Patterns []string `json:"patterns"`
	// Granted is by the identity policies, Effective within every layer that was
	// read: yes, conditional or no. Partial: on a part of the resources only.
	Granted   string `json:"granted"`
	Effective string `json:"effective"`
	Partial   bool   `json:"partial"`
	// Layers are the same by layer.
	Layers CellLayers `json:"layers"`
	// Needed is the strength of the jobs' need, empty for none.
	Needed string `json:"needed"`
	// Seen and Denied count the calls on record, Last is the last of either.
	Seen    int        `json:"seen"`
	Denied  int        `json:"denied"`
	Last    *time.Time `json:"last"`
	Verdict Verdict    `json:"verdict"`
	// Reason says why the verdict is none that speaks for itself.
	Reason string `json:"reason"`
	// NotObservable says why a call on it would not be on record, empty if it would:
	// then Seen 0 means that there was none.
	NotObservable string `json:"notObservable"`
}

// Cell is an action with resource patterns, at most MaxResources. Conditional: only under a condition
// that cannot be decided offline.
type Cell struct {
	Action      string   `json:"action"`
	Resources   []string `json:"resources"`
	Conditional bool     `json:"conditional,omitempty"`
}

// Reach is the blast radius: what code that runs as the role could touch and become.
type Reach struct {
	Buckets      BucketReach   `json:"buckets"`
	Repositories ResourceReach `json:"repositories"`
	Keys         ResourceReach `json:"keys"`
	// Administrator says whether the role can do anything as it is: yes, conditional, no
	// or unknown.
	Administrator string `json:"administrator"`
	// Escalation are the ways by which code that runs as the role can become more than it
	// is, the worst and shortest first, at most MaxPaths; EscalationTotal is how many were
	// found. Once a way certainly leads to administrator, no longer one is looked for.
	Escalation      []Path `json:"escalation"`
	EscalationTotal int    `json:"escalationTotal"`
	// EscalationWhy says what of the account was not read: more ways may lead through it.
	EscalationWhy []string `json:"escalationWhy"`
}

// Path is one way to become more.
type Path struct {
	// Reaches is administrator, role (one that may do more, or other things) or unknown:
	// users, code or policy versions that were not read.
	Reaches string `json:"reaches"`
	// Target is the ARN of the role at the end, empty where it is made anew or not known.
	Target string `json:"target"`
	// Certainty is certain, or conditional where a step is.
	Certainty string     `json:"certainty"`
	Steps     []PathStep `json:"steps"`
	Sentence  string     `json:"sentence"`
}

// PathStep is what one role does on the way.
type PathStep struct {
	// Method is the id of the way, see docs/reach.md; Also are others that do the same.
	Method string   `json:"method"`
	Also   []string `json:"also"`
	// Role is the ARN of the role that acts, Target that of the role or policy it acts on,
	// empty for none that is there.
	Role   string `json:"role"`
	Target string `json:"target"`
	// Certainty is certain or conditional; Why says what a conditional one depends on.
	Certainty string      `json:"certainty"`
	Why       []string    `json:"why"`
	Grants    []StepGrant `json:"grants"`
	// Trust are the statements of the target's trust policy that let the role or the
	// service in.
	Trust []StatementRef `json:"trust"`
}

// StepGrant is an action that a step takes, with the statements that allow it: none where
// an earlier step of the path puts them there.
type StepGrant struct {
	Action     string         `json:"action"`
	Resource   string         `json:"resource"`
	Statements []StatementRef `json:"statements"`
}

// BucketReach: Granted is all, named, none or unknown, of any bucket. Needed are names.
type BucketReach struct {
	Granted string `json:"granted"`
	ResourceReach
}

// ResourceReach counts the account's own resources of a kind that the role can read and
// write: objects of a bucket, images of a repository; of a key, decrypt with and encrypt
// under.
type ResourceReach struct {
	// Known is how many the account has. AtLeast: it may have more, and the role may reach
	// more of them than are counted, for the reasons in Why.
	Known   int      `json:"known"`
	AtLeast bool     `json:"atLeast"`
	Why     []string `json:"why"`
	Read    Reached  `json:"read"`
	Write   Reached  `json:"write"`
	// Needed are those that the role's jobs need, another account's too.
	Needed []string `json:"needed"`
}

// Reached counts resources. Certain: the engine allows it, on a part of the resource at
// least. Conditional, apart from those: only under a condition that cannot be decided.
type Reached struct {
	Certain     int `json:"certain"`
	Conditional int `json:"conditional"`
	// Partial of both are reached in part only: some prefixes of a bucket.
	Partial int `json:"partial"`
	// PolicyNotRead of both have a bucket or key policy that was not read and may refuse.
	PolicyNotRead int `json:"policyNotRead"`
}

// Proposal is the minimal policy.
type Proposal struct {
	Policies   []ProposedPolicy `json:"policies"`
	Statements []Statement      `json:"statements"`
	// Trust is a trust policy to replace today's, null for no change.
	Trust json.RawMessage `json:"trust"`
	// Removed are the grants that go, capped at MaxRemoved; RemovedTotal counts
	// actions.
	Removed      []Removed `json:"removed"`
	RemovedTotal int       `json:"removedTotal"`
	// Before and After are the grant of today's identity policies and the proposed one.
	Before Extent `json:"before"`
	After  Extent `json:"after"`
	// Review are uses that can change permissions: a person must keep them.
	Review   []string   `json:"review"`
	Backtest []Backtest `json:"backtest"`
	Confirm  []string   `json:"confirm"`
	Notes    []string   `json:"notes"`
	Proof    Proof      `json:"proof"`
}

// ProposedPolicy is an IAM document ready to attach: one inline policy, or several
// managed ones where it is too long for that.
type ProposedPolicy struct {
	Kind     string          `json:"kind"`
	Name     string          `json:"name"`
	Document json.RawMessage `json:"document"`
}

// Statement says why a statement stands in the proposal. Section is core, others (the
// role's other users), kept, kept-denies or additions.
type Statement struct {
	Sid     string   `json:"sid"`
	Area    string   `json:"area"`
	Section string   `json:"section"`
	Because []string `json:"because"`
}

// Extent is the size of a grant: distinct actions, and distinct resource patterns as
// they are written.
type Extent struct {
	Actions   int `json:"actions"`
	Resources int `json:"resources"`
}

// Backtest is what a proposal made from the jobs and calls before At would have done
// to those after.
type Backtest struct {
	At time.Time `json:"at"`
	// Jobs are those that it was made from, Replayed those that came after, Broken
	// those of them that it would have broken; Calls and BrokenCalls count groups of
	// calls alike after At.
	Jobs        int `json:"jobs"`
	Replayed    int `json:"replayed"`
	Broken      int `json:"broken"`
	Calls       int `json:"calls"`
	BrokenCalls int `json:"brokenCalls"`
	// Because says what would have been refused, at most MaxEvidence.
	Because []string `json:"because"`
}

// Removed is a grant that the proposal drops: an action, or service:* for all
// of a service's.
type Removed struct {
	Action   string     `json:"action"`
	Count    int        `json:"count"`
	Because  string     `json:"because"`
	LastSeen *time.Time `json:"lastSeen"`
}

// Proof says what was checked of a proposal. Null: not checked.
type Proof struct {
	// Status is proven, partial (see Reasons), refuted (see Counterexamples) or
	// undecided.
	Status          string   `json:"status"`
	Reasons         []string `json:"reasons"`
	Covers          *bool    `json:"covers"`
	WidensNothing   *bool    `json:"widensNothing"`
	Irredundant     *bool    `json:"irredundant"`
	Replayed        *int     `json:"replayed"`
	Characters      int      `json:"characters"`
	Assumes         []string `json:"assumes"`
	Counterexamples []string `json:"counterexamples"`
}

// Severity is how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// SeverityList holds the severities, worst first.
var SeverityList = []Severity{Critical, High, Medium, Low, Info}

// Rank gives 0 for critical to 4 for info.
func (s Severity) Rank() int {
	for i, t := range SeverityList {
		if s == t {
			return i
		}
	}
	return len(SeverityList)
}

// Finding is one thing to act on. ID is stable between runs: a hash of rule,
// role and subject, never of position.
type Finding struct {
	ID        string        `json:"id"`
	Rule      string        `json:"rule"`
	Severity  Severity      `json:"severity"`
	Role      string        `json:"role"`
	RoleID    string        `json:"roleId"`
	Subject   string        `json:"subject"`
	Title     string        `json:"title"`
	Detail    string        `json:"detail"`
	Remedy    string        `json:"remedy"`
	Evidence  []Evidence    `json:"evidence"`
	Statement *StatementRef `json:"statement"`
	Controls  []string      `json:"controls"`
	// Accepted is null for a finding that nobody accepts.
	Accepted *Accepted `json:"accepted"`
}

// StatementRef points at a statement; Index counts from 0.
type StatementRef struct {
	Policy  string `json:"policy"`
	Version string `json:"version"`
	Sid     string `json:"sid"`
	Index   int    `json:"index"`
}

// The caps of long arrays.
const (
	MaxJobNames  = 20
	MaxResources = 50
	MaxActions   = 200
	MaxRemoved   = 200
	MaxEvidence  = 5
	MaxCells     = 500
	MaxPaths     = 10
)

// Role returns the first role with the ARN, nil if there is none.
func (r *Report) Role(arn string) *Role {
	for i := range r.Roles {
		if r.Roles[i].ARN == arn {
			return &r.Roles[i]
		}
	}
	return nil
}
