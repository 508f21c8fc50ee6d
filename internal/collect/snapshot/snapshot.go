// Package snapshot is the evidence: everything that was collected from an
// account, before anybody judged it. Any report can be rebuilt from a snapshot
// offline, so policies stay raw JSON, events keep CloudTrail's own names and
// nothing is dropped that analysis may want later.
//
// The package imports the standard library only. Times are UTC; a zero time
// means "not told" and is left out of the file. Slices are in the order of
// [Snapshot.Sort], so that the same evidence gives the same bytes.
package snapshot

import (
	"cmp"
	"slices"
	"time"
)

// Schema names the file format and SchemaVersion its version. A reader refuses
// any other: see [Read].
const (
	Schema        = "sagemaker-role-audit/snapshot"
	SchemaVersion = 2
)

// Snapshot is one account at one moment.
type Snapshot struct {
	Schema        string `json:"schema"`
	SchemaVersion int    `json:"schemaVersion"`
	// FactsVersion is the version of the list of facts kept of an event: a
	// fact that a later version keeps is absent here, not empty.
	FactsVersion int `json:"factsVersion"`

	// TakenAt is the only "now" that analysis and output know.
	TakenAt time.Time `json:"takenAt"`
	Account Account   `json:"account"`
	// Caller is the ARN that collected (sts:GetCallerIdentity), empty if refused.
	Caller  string  `json:"caller,omitempty"`
	Regions Regions `json:"regions"`
	// Asked is what the run was asked for.
	Asked Asked `json:"asked"`
	// Window is the time that usage was asked for, JobsWindow that of jobs.
	Window     Window `json:"window"`
	JobsWindow Window `json:"jobsWindow"`

	// Calls counts the requests sent, by operation ("iam:GetRole"), retries included.
	Calls    map[string]int `json:"calls"`
	Coverage []Coverage     `json:"coverage"`
	Gaps     []Gap          `json:"gaps"`

	Policies []ManagedPolicy `json:"policies"`
	Roles    []Role          `json:"roles"`
	// OtherRoles are the account's roles that are not among Roles: what is in neither
	// does not exist. Nil where not all roles were listed.
	OtherRoles []RoleKey `json:"otherRoles,omitempty"`
	// Others are what escalation needs of the OtherRoles, as many of them as were kept, and
	// OtherPolicies those of their managed policies that are not among Policies. Nil where
	// OtherRoles is.
	Others        []Other         `json:"others,omitempty"`
	OtherPolicies []ManagedPolicy `json:"otherPolicies,omitempty"`
	// Inventory lists the account's own buckets, repositories and keys. Nil in files of
	// before 0.1.0 was released.
	Inventory []Inventory `json:"inventory,omitempty"`
	// Resources are the policies of the roles' buckets and keys that could be read.
	Resources []ResourcePolicy `json:"resources"`
	// Encryption is the default encryption of the roles' buckets, CacheRules the
	// pull-through cache rules of the registries that jobs pull from.
	Encryption []BucketEncryption `json:"encryption"`
	CacheRules []CacheRules       `json:"cacheRules"`
	// Manifests are those of the jobs' channels that were read.
	Manifests []Manifest `json:"manifests"`
	Trails    []Trail    `json:"trails"`
	Accessed  []Accessed `json:"accessed"`
	Usage     []Usage    `json:"usage"`
	Jobs      []Job      `json:"jobs"`
}

// Account is the account that was read. ID is 12 digits; Partition is aws,
// aws-cn or aws-us-gov. Both are empty when the caller could not be told.
type Account struct {
	ID        string `json:"id"`
	Partition string `json:"partition"`
}

// Regions says where jobs and usage were read.
type Regions struct {
	Read []string `json:"read"`
	// Enabled are the account's enabled regions (account:ListRegions), empty
	// when they could not be listed: then nobody knows what Read leaves out.
	Enabled []string `json:"enabled"`
}

// Asked is what the run was asked to read: the selectors of --role as given,
// and the sources of usage.
type Asked struct {
	Roles []string `json:"roles,omitempty"`
	// Usage is "lookup" where Event history was asked alone, "none" where nothing
	// was, and "files" where log files were, with or without Event history.
	Usage string `json:"usage"`
	// Sources are those of "files", as given ("trail", "s3://bucket/prefix/",
	// "dir:PATH", "lookup").
	Sources []string `json:"sources,omitempty"`
	// Catalog is the version of the catalogue of actions of the program that asked,
	// empty where it does not say.
	Catalog string `json:"catalog,omitempty"`
}

// Window is a half-open span of time, [From, To).
type Window struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// Contains reports whether t lies in the window.
func (w Window) Contains(t time.Time) bool { return !t.Before(w.From) && t.Before(w.To) }

// Encloses reports whether v lies within w.
func (w Window) Encloses(v Window) bool { return !v.From.Before(w.From) && !v.To.After(w.To) }

// Coverage is what one source was asked for and what it gave.
type Coverage struct {
	// Source is one of the Source constants.
	Source string `json:"source"`
	// Region is empty for a global source.
	Region string `json:"region,omitempty"`
	// EventClasses are the CloudTrail event classes the source can show
	// ("management", "data"); empty when the source is not of events.
	EventClasses []string `json:"eventClasses,omitempty"`
	// Scope says in words what part of the source is meant, e.g. "all" or
	// "EventName=CreateTrainingJob".
	Scope string `json:"scope,omitempty"`
	// Trail is the ARN of the trail that wrote the log files, of a source that is log
	// files; empty where that is not known: then nobody knows what they leave out.
	Trail   string `json:"trail,omitempty"`
	Asked   Window `json:"asked,omitzero"`
	Covered Window `json:"covered,omitzero"`
	// Items counts what was read: jobs, roles, events.
	Items int `json:"items"`
	// Described and Describable say how many items were read in full and how
	// many were to be, where a source gives only part of an item: of training jobs
	// the newest of each kind (role, image, channels, VPC, keys, checkpoint).
	Described   int  `json:"described,omitempty"`
	Describable int  `json:"describable,omitempty"`
	Complete    bool `json:"complete"`
}

// The sources of evidence.
const (
	SourceIdentity     = "sts"
	SourceRegions      = "account"
	SourceTrainingJobs = "sagemaker"
	SourceRoles        = "iam"
	SourceLookup       = "cloudtrail:LookupEvents"
	SourceTrails       = "cloudtrail:DescribeTrails"
	SourceLastAccessed = "iam:GetServiceLastAccessedDetails"
	SourceBuckets      = "s3:GetBucketPolicy"
	SourceKeys         = "kms:GetKeyPolicy"
	SourceEncryption   = "s3:GetBucketEncryption"
	SourceCacheRules   = "ecr:DescribePullThroughCacheRules"
	SourceManifests    = "s3:GetObject"
	SourceBucketList   = "s3:ListBuckets"
	SourceRepositories = "ecr:DescribeRepositories"
	SourceKeyList      = "kms:ListKeys"

	// Log files of CloudTrail: of the account's own trails, of a bucket that was
	// named, of a folder.
	SourceTrail  = "trail"
	SourceBucket = "s3"
	SourceFolder = "dir"
)

// IsLogFiles reports whether a source of usage is log files of CloudTrail.
func IsLogFiles(source string) bool {
	return source == SourceTrail || source == SourceBucket || source == SourceFolder
}

// ScopeAll is the scope of a source that was read whole.
const ScopeAll = "all"

// Impact is what a gap makes unsure.
type Impact string

// The impacts. All but ImpactDetail make a run incomplete.
const (
	ImpactRoles  Impact = "roles"
	ImpactJobs   Impact = "jobs"
	ImpactUsage  Impact = "usage"
	ImpactDetail Impact = "detail"
)

// Gap is something that was asked for and could not be read.
type Gap struct {
	// Source is the operation that failed, as "iam:GetRole".
	Source string `json:"source"`
	Region string `json:"region,omitempty"`
	// Scope says what is missing: a role's ARN, a job, a time span.
	Scope  string `json:"scope,omitempty"`
	Impact Impact `json:"impact"`
	// Reason is one of the Reason constants.
	Reason string `json:"reason"`
	// Permission is what the caller lacks where AWS denied the call: the IAM actions
	// that the operation needs, comma separated. Empty where no permission would
	// help: the credentials themselves were not accepted, or it is the resource that
	// does not let the caller in.
	Permission string `json:"permission,omitempty"`
	// Detail is the error in words, free of credentials and request ids.
	Detail string `json:"detail,omitempty"`
}

// The reasons of gaps.
const (
	ReasonRefused     = "refused"     // AWS denied the call
	ReasonThrottled   = "throttled"   // throttled past all retries
	ReasonUnavailable = "unavailable" // a server error, past all retries
	ReasonBroken      = "broken"      // an answer that could not be understood
	ReasonCut         = "cut"         // the connection failed
	ReasonTimeout     = "timeout"     // --timeout was reached
	ReasonUnsupported = "unsupported" // the endpoint does not know the operation
	ReasonMissing     = "missing"     // named, and not there
	ReasonShort       = "short"       // an answer that proves less than was asked
	ReasonLimit       = "limit"       // more than this program keeps
)

// Complete reports whether nothing that was asked for is missing, details apart.
func (s *Snapshot) Complete() bool {
	return !slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.Impact != ImpactDetail })
}

// RoleKey tells a role from one of the same name that was there before it.
type RoleKey struct {
	ARN string `json:"arn"`
	// ID is AROA..., empty for a role that IAM does not know (any more).
	ID string `json:"id,omitempty"`
}

// Role is an IAM role as IAM gives it. A role that jobs or events name and IAM
// does not have is no Role here; analysis finds it by its absence.
type Role struct {
	RoleKey
	Name      string    `json:"name"`
	Path      string    `json:"path"`
	CreatedAt time.Time `json:"createdAt,omitzero"`
	// Trust is the trust policy, decoded but otherwise as AWS sent it.
	Trust    string           `json:"trust"`
	Inline   []InlinePolicy   `json:"inline,omitempty"`
	Attached []AttachedPolicy `json:"attached,omitempty"`
	// Boundary is the ARN of the permissions boundary, empty for none.
	Boundary string `json:"boundary,omitempty"`
	Tags     []Tag  `json:"tags,omitempty"`
	// InstanceProfiles are told by the sweep of all roles only, not of a role that
	// was read alone.
	InstanceProfiles []string `json:"instanceProfiles,omitempty"`
	LastUsed         LastUsed `json:"lastUsed,omitzero"`
	// Unread names what of this role could not be read ("inline", "attached",
	// "boundary", "tags"); each has a gap.
	Unread []string `json:"unread,omitempty"`
}

// InlinePolicy is a policy embedded in a role; Document is its decoded text.
type InlinePolicy struct {
	Name     string `json:"name"`
	Document string `json:"document"`
}

// AttachedPolicy names a managed policy, found in [Snapshot.Policies].
type AttachedPolicy struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

// Tag is a tag of a role.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// LastUsed is RoleLastUsed of IAM (400 days, any service, denied calls included).
type LastUsed struct {
	At     time.Time `json:"at,omitzero"`
	Region string    `json:"region,omitempty"`
}

// ManagedPolicy is a managed policy in its default version. Document is its
// decoded text.
type ManagedPolicy struct {
	ARN       string    `json:"arn"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Document  string    `json:"document"`
	UpdatedAt time.Time `json:"updatedAt,omitzero"`
}

// ResourcePolicy is the policy of a bucket or a KMS key. A resource whose policy
// could not be read is not among them; one without a policy has no Document.
type ResourcePolicy struct {
	// ARN is the bucket's or the key's.
	ARN string `json:"arn"`
	// Region is where a bucket lies, as S3 answered; empty for a key.
	Region string `json:"region,omitempty"`
	// Aliases are the names ("alias/...") by which jobs and calls named a key, as
	// far as they are known to mean it: in its own region and account.
	Aliases  []string `json:"aliases,omitempty"`
	Document string   `json:"document,omitempty"`
}

// BucketEncryption is the default encryption of a bucket that could be read.
// Source: AWS API_ServerSideEncryptionByDefault.
type BucketEncryption struct {
	ARN string `json:"arn"`
	// Region is the bucket's, which its key shares.
	Region string `json:"region"`
	// Algorithm is S3's word: AES256, aws:kms or aws:kms:dsse.
	Algorithm string `json:"algorithm"`
	// Key is KMSMasterKeyID as S3 gives it: an id, an alias or the ARN of either;
	// empty where S3 uses its own key, or the account's aws/s3.
	Key string `json:"key,omitempty"`
}

// CacheRules are the pull-through cache rules of a private registry that could be read.
// Source: AWS API_DescribePullThroughCacheRules.
type CacheRules struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	// Prefixes are those of its repositories, sorted; none: it caches nothing.
	Prefixes []string `json:"prefixes"`
}

// Usage is a group of calls that are alike in every fact that was kept.
type Usage struct {
	UseKey
	Count int       `json:"count"`
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
	// FirstEventID and LastEventID are CloudTrail's eventIDs of those two calls.
	FirstEventID string `json:"firstEventId,omitempty"`
	LastEventID  string `json:"lastEventId,omitempty"`
	// Source is where the calls were read: SourceLookup, or one of log files.
	Source string `json:"source"`
}

// Sort puts every list into the one order that files and reports have.
func (s *Snapshot) Sort() {
	slices.Sort(s.Regions.Read)
	slices.Sort(s.Regions.Enabled)
	slices.Sort(s.Asked.Roles)
	slices.Sort(s.Asked.Sources)
	slices.SortFunc(s.Coverage, func(a, b Coverage) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Scope, b.Scope),
			a.Asked.From.Compare(b.Asked.From), slices.Compare(a.EventClasses, b.EventClasses), cmp.Compare(a.Trail, b.Trail))
	})
	slices.SortFunc(s.Gaps, func(a, b Gap) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Scope, b.Scope),
			cmp.Compare(a.Impact, b.Impact), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
	slices.SortFunc(s.Policies, func(a, b ManagedPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
	slices.SortFunc(s.Roles, func(a, b Role) int { return cmp.Or(cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.ID, b.ID)) })
	slices.SortFunc(s.OtherRoles, func(a, b RoleKey) int { return cmp.Or(cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.ID, b.ID)) })
	for i := range s.Roles {
		r := &s.Roles[i]
		slices.SortFunc(r.Inline, func(a, b InlinePolicy) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(r.Attached, func(a, b AttachedPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
		slices.SortFunc(r.Tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
		slices.Sort(r.InstanceProfiles)
		slices.Sort(r.Unread)
	}
	slices.SortFunc(s.Usage, func(a, b Usage) int {
		return cmp.Or(a.UseKey.Compare(b.UseKey), cmp.Compare(a.Source, b.Source))
	})
	slices.SortFunc(s.Resources, func(a, b ResourcePolicy) int { return cmp.Compare(a.ARN, b.ARN) })
	for i := range s.Resources {
		slices.Sort(s.Resources[i].Aliases)
	}
	slices.SortFunc(s.Encryption, func(a, b BucketEncryption) int { return cmp.Compare(a.ARN, b.ARN) })
	slices.SortFunc(s.CacheRules, func(a, b CacheRules) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region))
	})
	for i := range s.CacheRules {
		slices.Sort(s.CacheRules[i].Prefixes)
	}
	slices.SortFunc(s.Manifests, func(a, b Manifest) int { return cmp.Compare(a.URI, b.URI) })
	for i := range s.Manifests {
		slices.Sort(s.Manifests[i].Prefixes)
	}
	slices.SortFunc(s.Jobs, CompareJobs)
	s.sortTrails()
	s.sortInventory()
}
