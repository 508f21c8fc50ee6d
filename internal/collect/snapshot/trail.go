package snapshot

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Trail is a CloudTrail trail that sees events of this account, as DescribeTrails,
// GetTrailStatus and GetEventSelectors give it. What it means for a call is for
// analysis to judge.
// Source: CloudTrail API_Trail, API_GetTrailStatus, API_GetEventSelectors.
type Trail struct {
	ARN  string `json:"arn"`
	Name string `json:"name"`
	// HomeRegion is where the trail was made; a trail of one region sees that
	// region alone.
	HomeRegion  string `json:"homeRegion"`
	MultiRegion bool   `json:"multiRegion,omitempty"`
	// Organization: the trail is the organization's, whichever account made it.
	Organization bool `json:"organization,omitempty"`
	// GlobalEvents is IncludeGlobalServiceEvents.
	GlobalEvents bool   `json:"globalEvents,omitempty"`
	Bucket       string `json:"bucket,omitempty"`
	KeyPrefix    string `json:"keyPrefix,omitempty"`
	KMSKey       string `json:"kmsKey,omitempty"`

	Logging bool `json:"logging,omitempty"`
	// StartedAt and StoppedAt are the latest StartLogging and StopLogging.
	StartedAt time.Time `json:"startedAt,omitzero"`
	StoppedAt time.Time `json:"stoppedAt,omitzero"`
	// DeliveredAt is the latest delivery to the bucket, DeliveryError what the
	// bucket last answered, empty for none.
	DeliveredAt   time.Time `json:"deliveredAt,omitzero"`
	DeliveryError string    `json:"deliveryError,omitempty"`

	// Elsewhere is how a trail of all regions fares in the others of them, where that was
	// asked: GetTrailStatus answers for the region that it is sent to.
	Elsewhere []TrailStatus `json:"elsewhere,omitempty"`

	// Selectors are basic ones, Advanced advanced ones; a trail has one kind.
	Selectors []EventSelector    `json:"selectors,omitempty"`
	Advanced  []AdvancedSelector `json:"advanced,omitempty"`
	// Unread names what of this trail could not be read ("status", "selectors"; of
	// another region "status in eu-west-1"); each has a gap.
	Unread []string `json:"unread,omitempty"`
}

// TrailStatus is the status of a trail in a region. DeliveredAt is zero where nothing was
// ever delivered of it, which may be all that happened there.
type TrailStatus struct {
	Region        string    `json:"region"`
	Logging       bool      `json:"logging,omitempty"`
	StoppedAt     time.Time `json:"stoppedAt,omitzero"`
	DeliveredAt   time.Time `json:"deliveredAt,omitzero"`
	DeliveryError string    `json:"deliveryError,omitempty"`
}

// Known reports whether what the trail records could be read.
func (t *Trail) Known() bool {
	return !slices.Contains(t.Unread, "status") && !slices.Contains(t.Unread, "selectors")
}

// StatusIn is the status in a region that the trail sees, nil where it is not known.
func (t *Trail) StatusIn(region string) *TrailStatus {
	if region == t.HomeRegion {
		if slices.Contains(t.Unread, "status") {
			return nil
		}
		return &TrailStatus{region, t.Logging, t.StoppedAt, t.DeliveredAt, t.DeliveryError}
	}
	for i := range t.Elsewhere {
		if t.Elsewhere[i].Region == region {
			return &t.Elsewhere[i]
		}
	}
	return nil
}

// ChangedAt is when the trail was last changed, as far as calls on record tell: to
// what it logs, or whether. Zero for never.
// Source: AWS CloudTrail API reference (PutEventSelectors, UpdateTrail ...).
func (t *Trail) ChangedAt(usage []Usage) time.Time {
	var last time.Time
	for i := range usage {
		u := &usage[i]
		if !u.ChangesTrail() || u.ErrorCode != "" {
			continue
		}
		if name := cmp.Or(u.Params.TrailName, u.Params.Name); (name == t.ARN || name == t.Name && u.Region == t.HomeRegion) && u.Last.After(last) {
			last = u.Last
		}
	}
	return last
}

// Account is the account that made the trail: of an organization's trail, not
// always this one.
func (t *Trail) Account() string {
	if p := strings.SplitN(t.ARN, ":", 6); len(p) == 6 {
		return p[4]
	}
	return ""
}

// Sees reports whether the trail records calls of a region.
func (t *Trail) Sees(region string) bool { return t.MultiRegion || t.HomeRegion == region }

// EventSelector is a basic event selector (CloudTrail API_EventSelector).
type EventSelector struct {
	// ReadWrite is ReadOnly, WriteOnly or All.
	ReadWrite  string         `json:"readWrite"`
	Management bool           `json:"management,omitempty"`
	Data       []DataResource `json:"data,omitempty"`
	// ExcludedSources are the event sources whose management events are left out
	// (kms.amazonaws.com, rdsdata.amazonaws.com).
	ExcludedSources []string `json:"excludedSources,omitempty"`
}

// DataResource selects data events of a resource type, on the resources whose ARN
// begins with one of Values (CloudTrail API_DataResource).
type DataResource struct {
	Type   string   `json:"type"`
	Values []string `json:"values,omitempty"`
}

// AdvancedSelector records the events that meet all of its fields (CloudTrail
// API_AdvancedEventSelector).
type AdvancedSelector struct {
	Name   string          `json:"name,omitempty"`
	Fields []FieldSelector `json:"fields"`
}

// FieldSelector is one condition of an advanced selector: the values of one
// operator are alternatives, the operators must all hold (CloudTrail
// API_AdvancedFieldSelector).
type FieldSelector struct {
	Field         string   `json:"field"`
	Equals        []string `json:"equals,omitempty"`
	NotEquals     []string `json:"notEquals,omitempty"`
	StartsWith    []string `json:"startsWith,omitempty"`
	NotStartsWith []string `json:"notStartsWith,omitempty"`
	EndsWith      []string `json:"endsWith,omitempty"`
	NotEndsWith   []string `json:"notEndsWith,omitempty"`
}

// Accessed is what IAM's service last accessed details tell of a role: when it last
// tried to reach each service that its identity policies grant, refused attempts
// included, over 400 days and all regions.
// Source: IAM API_GetServiceLastAccessedDetails, access_policies_last-accessed.
type Accessed struct {
	RoleKey
	// At is when IAM finished the report.
	At time.Time `json:"at,omitzero"`
	// Services are those with a last access, Never the namespaces of those that the
	// report lists without one.
	Services []AccessedService `json:"services,omitempty"`
	Never    []string          `json:"never,omitempty"`
}

// AccessedService is a service that the role tried to reach.
type AccessedService struct {
	// Service is the namespace: the prefix of the service's IAM actions.
	Service string    `json:"service"`
	At      time.Time `json:"at"`
	Region  string    `json:"region,omitempty"`
	// Actions are the tracked actions with a last access, Never the names of those
	// without one. An action in neither list is not tracked.
	Actions []AccessedAction `json:"actions,omitempty"`
	Never   []string         `json:"never,omitempty"`
}

// AccessedAction is a tracked management action, by its name without the service.
type AccessedAction struct {
	Action string    `json:"action"`
	At     time.Time `json:"at"`
	Region string    `json:"region,omitempty"`
}

func (s *Snapshot) sortTrails() {
	slices.SortFunc(s.Trails, func(a, b Trail) int { return cmp.Compare(a.ARN, b.ARN) })
	for i := range s.Trails {
		slices.Sort(s.Trails[i].Unread)
		slices.SortFunc(s.Trails[i].Elsewhere, func(a, b TrailStatus) int { return cmp.Compare(a.Region, b.Region) })
	}
	slices.SortFunc(s.Accessed, func(a, b Accessed) int { return cmp.Or(cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.ID, b.ID)) })
	for i := range s.Accessed {
		a := &s.Accessed[i]
		slices.SortFunc(a.Services, func(x, y AccessedService) int { return cmp.Compare(x.Service, y.Service) })
		slices.Sort(a.Never)
		for j := range a.Services {
			service := &a.Services[j]
			slices.SortFunc(service.Actions, func(x, y AccessedAction) int { return cmp.Compare(x.Action, y.Action) })
			slices.Sort(service.Never)
		}
	}
}
