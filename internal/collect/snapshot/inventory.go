package snapshot

import (
	"cmp"
	"slices"
)

// The kinds of resources that are listed.
const (
	KindBucket     = "bucket"
	KindRepository = "repository"
	KindKey        = "key"
)

// Plural is the word for several of a kind.
func Plural(kind string) string {
	if kind == KindRepository {
		return "repositories"
	}
	return kind + "s"
}

// Inventory is a list of the account's own buckets, or of its repositories or keys in one
// region. There is none where it could not be read to its end.
// Source: AWS API_ListBuckets, API_DescribeRepositories, API_ListKeys.
type Inventory struct {
	Kind string `json:"kind"`
	// Region is empty for buckets, which are listed of all regions.
	Region string   `json:"region,omitempty"`
	ARNs   []string `json:"arns"`
	// Cut: the account has more than are listed here.
	Cut bool `json:"cut,omitempty"`
}

// Other is what escalation needs of a role that is not among the snapshot's Roles: who
// may be it, and what it may do. Its managed policies are in Policies or OtherPolicies.
type Other struct {
	RoleKey
	Trust    string           `json:"trust"`
	Inline   []InlinePolicy   `json:"inline,omitempty"`
	Attached []AttachedPolicy `json:"attached,omitempty"`
	Boundary string           `json:"boundary,omitempty"`
	Tags     []Tag            `json:"tags,omitempty"`
	// InstanceProfiles are their ARNs.
	InstanceProfiles []string `json:"instanceProfiles,omitempty"`
}

func (s *Snapshot) sortInventory() {
	slices.SortFunc(s.Inventory, func(a, b Inventory) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Region, b.Region))
	})
	for i := range s.Inventory {
		slices.Sort(s.Inventory[i].ARNs)
	}
	slices.SortFunc(s.Others, func(a, b Other) int { return cmp.Or(cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.ID, b.ID)) })
	for i := range s.Others {
		o := &s.Others[i]
		slices.SortFunc(o.Inline, func(a, b InlinePolicy) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(o.Attached, func(a, b AttachedPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
		slices.SortFunc(o.Tags, func(a, b Tag) int { return cmp.Compare(a.Key, b.Key) })
		slices.Sort(o.InstanceProfiles)
	}
	slices.SortFunc(s.OtherPolicies, func(a, b ManagedPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
}
