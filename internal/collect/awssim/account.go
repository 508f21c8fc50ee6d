package awssim

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// Account is what a Server shows. Its zero fields have sensible meanings, so that a test names only what it is about.
// It must not be changed once a Server has been made from it.
type Account struct {
	ID        string    // twelve digits
	Partition string    // aws, aws-cn or aws-us-gov; empty means aws
	Now       time.Time // the account's clock: Event history reaches 90 days back from here, later events do not exist
	Caller    Caller
	Regions   []Region
	Roles     []Role
	Policies  []ManagedPolicy // customer managed and AWS managed, told apart by their ARN
	Jobs      []TrainingJob
	Events    []Record // in any order
	Trails    []Trail
	Buckets   []Bucket // this account's, and those of others that it knows
	Keys      []Key    // the same
	// Repositories are those of the account's registry.
	Repositories []Repository
	// CacheRules are the repository prefixes of the registry's pull-through cache rules, by region.
	CacheRules map[string][]string
}

// Caller is who asks: the answer of sts:GetCallerIdentity and the "User:" of a refusal.
// Empty, it is a session of a role named auditor.
type Caller struct {
	ARN    string
	UserID string
}

// Region is one line of account:ListRegions.
type Region struct {
	Name      string
	OptStatus string // ENABLED_BY_DEFAULT, ENABLED, ENABLING, DISABLING or DISABLED; empty means ENABLED_BY_DEFAULT
}

// Enabled says whether the services of the region answer this account.
func (r Region) Enabled() bool {
	return r.OptStatus == "" || r.OptStatus == "ENABLED_BY_DEFAULT" || r.OptStatus == "ENABLED"
}

// Role is an IAM role. Documents are plain JSON text here; the Server percent-encodes them as IAM does.
type Role struct {
	Name               string
	Path               string // empty means /
	ID                 string // AROA...; empty: derived from path, name and creation time
	Description        string
	CreateDate         time.Time
	MaxSessionDuration int // seconds; 0 means 3600
	Trust              string
	Inline             []InlinePolicy
	Attached           []string // ARNs of managed policies
	Boundary           string   // ARN of a managed policy, or empty
	Tags               []Tag
	LastUsed           RoleLastUsed
	// LastAccessed adds services to IAM's last accessed report of the role, or replaces what the events say of them.
	LastAccessed []ServiceAccess
}

// InlinePolicy is a policy embedded in a role.
type InlinePolicy struct {
	Name     string
	Document string
}

// RoleLastUsed is when and where a role was used last; the zero value: not within IAM's tracking period.
type RoleLastUsed struct {
	Date   time.Time
	Region string
}

// ManagedPolicy is a customer managed or AWS managed policy.
type ManagedPolicy struct {
	ARN         string
	ID          string // ANPA...; empty: derived from the ARN
	Description string
	CreateDate  time.Time
	UpdateDate  time.Time
	Versions    []PolicyVersion
}

// PolicyVersion is one version of a managed policy. If no version of a policy says Default, its last one is.
type PolicyVersion struct {
	ID         string // v1, v2, ...
	Document   string
	CreateDate time.Time
	Default    bool
}

// Tag is a key and a value, spelled alike in IAM and SageMaker.
type Tag struct {
	Key   string
	Value string
}

func (a *Account) partition() string { return cmp.Or(a.Partition, "aws") }

func (a *Account) caller() Caller {
	c := a.Caller
	c.ARN = cmp.Or(c.ARN, fmt.Sprintf("arn:%s:sts::%s:assumed-role/auditor/audit", a.partition(), a.ID))
	c.UserID = cmp.Or(c.UserID, uniqueID("AROA", c.ARN)+":audit")
	return c
}

// RoleARN gives the ARN of a role of this account, path included.
func (a *Account) RoleARN(r *Role) string {
	return fmt.Sprintf("arn:%s:iam::%s:role%s%s", a.partition(), a.ID, r.path(), r.Name)
}

// JobARN gives the ARN of a training job of this account.
func (a *Account) JobARN(j *TrainingJob) string {
	return fmt.Sprintf("arn:%s:sagemaker:%s:%s:training-job/%s", a.partition(), j.Region, a.ID, j.TrainingJobName)
}

func (r *Role) path() string { return cmp.Or(r.Path, "/") }

// UniqueID is the role's AROA id. Two roles of one name created at different times have different ids.
func (r *Role) UniqueID() string {
	return cmp.Or(r.ID, uniqueID("AROA", r.path()+r.Name+r.CreateDate.UTC().Format(time.RFC3339)))
}

func (p *ManagedPolicy) uniqueID() string { return cmp.Or(p.ID, uniqueID("ANPA", p.ARN)) }

// name and path come from the ARN: arn:aws:iam::123456789012:policy/team/name has the path /team/.
func (p *ManagedPolicy) name() string { return p.ARN[strings.LastIndexByte(p.ARN, '/')+1:] }

func (p *ManagedPolicy) path() string {
	_, rest, _ := strings.Cut(p.ARN, ":policy")
	return cmp.Or(rest[:strings.LastIndexByte(rest, '/')+1], "/")
}

// awsManaged: the account part of the ARN of an AWS managed policy is "aws" (AWS: reference_identifiers).
func (p *ManagedPolicy) awsManaged() bool { return strings.Contains(p.ARN, ":iam::aws:policy/") }

func (p *ManagedPolicy) defaultVersion() string {
	for _, v := range p.Versions {
		if v.Default {
			return v.ID
		}
	}
	if len(p.Versions) == 0 {
		return ""
	}
	return p.Versions[len(p.Versions)-1].ID
}

// uniqueID makes an id that looks like IAM's: the prefix and 17 characters, the same for the same seed.
func uniqueID(prefix, seed string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	h := fnv.New128a()
	h.Write([]byte(prefix + seed))
	id := []byte(prefix)
	for _, b := range h.Sum(h.Sum(nil))[:17] {
		id = append(id, alphabet[b%32])
	}
	return string(id)
}
