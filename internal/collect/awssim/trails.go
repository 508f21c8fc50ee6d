package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trail is a CloudTrail trail that sees events of the account. Its zero fields make a trail of us-east-1 alone that
// was made a year ago, logs, delivers, and has the selector that every new trail has.
type Trail struct {
	Name       string
	HomeRegion string // empty means us-east-1
	// Owner is the account that made the trail, of an organization trail the management account; empty means this one.
	Owner          string
	MultiRegion    bool
	Organization   bool
	NoGlobalEvents bool // IncludeGlobalServiceEvents is its opposite, which is true where nothing is said (AWS: API_CreateTrail)

	Bucket    string // empty: aws-cloudtrail-logs- and the owner
	KeyPrefix string
	KMSKey    string // an ARN

	Stopped       bool // IsLogging is its opposite
	StartedAt     time.Time
	StoppedAt     time.Time
	SelectedAt    time.Time // since when the selectors are what they are: of what was before, there are no log files
	DeliveredAt   time.Time // empty: five minutes before now, unless the trail is stopped or has a DeliveryError
	DeliveryError string    // what S3 last answered, such as AccessDenied or NoSuchBucket
	// Undelivered are the regions, beside its own, whose deliveries failed: what S3 last answered there. Nothing of
	// them has ever been delivered.
	Undelivered map[string]string

	// Selectors are basic, Advanced advanced: a trail has one kind. With neither it has AWS's default.
	Selectors []EventSelector
	Advanced  []AdvancedEventSelector
}

// EventSelector is a basic event selector (AWS: API_EventSelector).
type EventSelector struct {
	ReadWriteType string // ReadOnly, WriteOnly or All; empty means All
	// NoManagementEvents is the opposite of IncludeManagementEvents, which is true where nothing is said.
	NoManagementEvents            bool
	DataResources                 []DataResource
	ExcludeManagementEventSources []string
}

// DataResource selects the data events of a resource type on the resources whose ARN begins with one of Values
// (AWS: API_DataResource).
type DataResource struct {
	Type   string
	Values []string
}

// AdvancedEventSelector records the events that meet all of its fields (AWS: API_AdvancedEventSelector).
type AdvancedEventSelector struct {
	Name           string `json:",omitempty"`
	FieldSelectors []FieldSelector
}

// FieldSelector is one condition of an advanced selector (AWS: API_AdvancedFieldSelector).
type FieldSelector struct {
	Field         string
	Equals        []string `json:",omitempty"`
	NotEquals     []string `json:",omitempty"`
	StartsWith    []string `json:",omitempty"`
	NotStartsWith []string `json:",omitempty"`
	EndsWith      []string `json:",omitempty"`
	NotEndsWith   []string `json:",omitempty"`
}

// The shapes of CloudTrail's answers (AWS: API_Trail, API_GetTrailStatus, API_EventSelector).
type (
	wireTrail struct {
		Name                       string
		TrailARN                   string
		HomeRegion                 string
		S3BucketName               string
		S3KeyPrefix                string `json:",omitempty"`
		KmsKeyId                   string `json:",omitempty"`
		IncludeGlobalServiceEvents bool
		IsMultiRegionTrail         bool
		IsOrganizationTrail        bool
		LogFileValidationEnabled   bool
		HasCustomEventSelectors    bool
		HasInsightSelectors        bool
	}
	trailStatus struct {
		IsLogging           bool
		StartLoggingTime    epoch  `json:",omitzero"`
		StopLoggingTime     epoch  `json:",omitzero"`
		LatestDeliveryTime  epoch  `json:",omitzero"`
		LatestDeliveryError string `json:",omitempty"`
	}
	wireSelector struct {
		ReadWriteType                 string
		IncludeManagementEvents       bool
		DataResources                 []DataResource
		ExcludeManagementEventSources []string
	}
)

func (t *Trail) homeRegion() string { return cmp.Or(t.HomeRegion, "us-east-1") }

// TrailARN gives the ARN of a trail, in the account that made it.
func (a *Account) TrailARN(t *Trail) string {
	return a.trailARN(t.homeRegion(), cmp.Or(t.Owner, a.ID), t.Name)
}

func (a *Account) trailARN(region, owner, name string) string {
	return fmt.Sprintf("arn:%s:cloudtrail:%s:%s:trail/%s", a.partition(), region, owner, name)
}

// isOwn says whether a trail belongs to the account and the region itself: elsewhere it is a shadow.
func (a *Account) isOwn(t *Trail, region string) bool {
	return t.homeRegion() == region && (t.Owner == "" || t.Owner == a.ID)
}

// shows says whether a region has a trail, as its own or as a shadow: an organization trail is a shadow in member
// accounts, a multi-region trail in the other regions (AWS: API_DescribeTrails).
func (a *Account) shows(t *Trail, region string) bool {
	return t.homeRegion() == region || t.MultiRegion
}

type describeTrailsInput struct {
	IncludeShadowTrails *bool
	TrailNameList       []string
}

// describeTrails answers the trails of a region. A name finds the trails of this account and region only, an ARN any
// (AWS: API_DescribeTrails).
func describeTrails(c *call) (any, error) {
	var in describeTrailsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	out := struct {
		TrailList []wireTrail `json:"trailList"`
	}{[]wireTrail{}}
	if c.faultIsEmpty() {
		return out, nil
	}
	for i := range c.account.Trails {
		t := &c.account.Trails[i]
		own := c.account.isOwn(t, c.region)
		wanted := c.account.shows(t, c.region)
		if len(in.TrailNameList) > 0 {
			wanted = own && slices.Contains(in.TrailNameList, t.Name) || slices.Contains(in.TrailNameList, c.account.TrailARN(t))
		}
		if wanted && (own || in.IncludeShadowTrails == nil || *in.IncludeShadowTrails) {
			out.TrailList = append(out.TrailList, c.account.wireTrail(t))
		}
	}
	disorder(c, out.TrailList)
	return out, nil
}

func (a *Account) wireTrail(t *Trail) wireTrail {
	return wireTrail{
		Name:                       t.Name,
		TrailARN:                   a.TrailARN(t),
		HomeRegion:                 t.homeRegion(),
		S3BucketName:               a.logBucket(t),
		S3KeyPrefix:                t.KeyPrefix,
		KmsKeyId:                   t.KMSKey,
		IncludeGlobalServiceEvents: !t.NoGlobalEvents,
		IsMultiRegionTrail:         t.MultiRegion,
		IsOrganizationTrail:        t.Organization,
		HasCustomEventSelectors:    len(t.Selectors) > 0 || len(t.Advanced) > 0,
	}
}

func trailStatusResource(c *call) string {
	var in struct{ Name string }
	if c.decode(&in) != nil {
		return "*"
	}
	return c.trailResource(in.Name)
}

func eventSelectorsResource(c *call) string {
	var in struct{ TrailName string }
	if c.decode(&in) != nil {
		return "*"
	}
	return c.trailResource(in.TrailName)
}

func (c *call) trailResource(name string) string {
	if strings.HasPrefix(name, "arn:") {
		return name
	}
	return c.account.trailARN(c.region, c.account.ID, name)
}

// trail finds a trail by its ARN, or by the name that it has in its own account and region (AWS: API_GetTrailStatus).
func (c *call) trail(name string) (*Trail, error) {
	for i := range c.account.Trails {
		t := &c.account.Trails[i]
		if c.account.TrailARN(t) == name || t.Name == name && c.account.isOwn(t, c.region) {
			return t, nil
		}
	}
	if name == "" {
		return nil, &apiError{code: "InvalidTrailNameException", message: "Trail name cannot be blank!"}
	}
	return nil, &apiError{code: "TrailNotFoundException", message: fmt.Sprintf("Unknown trail: %s for the user: %s", c.trailResource(name), c.account.ID)}
}

// getTrailStatus answers whether a trail logs, and delivers (AWS: API_GetTrailStatus).
func getTrailStatus(c *call) (any, error) {
	var in struct{ Name string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t, err := c.trail(in.Name)
	if err != nil {
		return nil, err
	}
	if c.faultIsEmpty() {
		return struct{}{}, nil
	}
	started, delivered, failure := t.StartedAt, t.DeliveredAt, t.DeliveryError
	if started.IsZero() {
		started = c.account.Now.AddDate(-1, 0, 0)
	}
	if delivered.IsZero() && !t.Stopped && failure == "" {
		delivered = c.account.Now.Add(-5 * time.Minute)
	}
	if own, ok := t.Undelivered[c.region]; ok {
		delivered, failure = time.Time{}, own
	}
	return trailStatus{!t.Stopped, epoch(started), epoch(t.StoppedAt), epoch(delivered), failure}, nil
}

// getEventSelectors answers the one kind of selectors that a trail has (AWS: API_GetEventSelectors). A trail for
// which none were set logs all management events and no data events (AWS: API_PutEventSelectors).
func getEventSelectors(c *call) (any, error) {
	var in struct{ TrailName string }
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	t, err := c.trail(in.TrailName)
	if err != nil {
		return nil, err
	}
	if c.faultIsEmpty() {
		return struct{}{}, nil
	}
	if len(t.Advanced) > 0 {
		return struct {
			TrailARN               string
			AdvancedEventSelectors []AdvancedEventSelector
		}{c.account.TrailARN(t), t.Advanced}, nil
	}
	out := struct {
		TrailARN       string
		EventSelectors []wireSelector
	}{TrailARN: c.account.TrailARN(t)}
	selectors := t.Selectors
	if len(selectors) == 0 {
		selectors = []EventSelector{{}}
	}
	for _, s := range selectors {
		w := wireSelector{
			ReadWriteType:                 cmp.Or(s.ReadWriteType, "All"),
			IncludeManagementEvents:       !s.NoManagementEvents,
			DataResources:                 []DataResource{},
			ExcludeManagementEventSources: append([]string{}, s.ExcludeManagementEventSources...),
		}
		for _, r := range s.DataResources {
			w.DataResources = append(w.DataResources, DataResource{r.Type, append([]string{}, r.Values...)})
		}
		out.EventSelectors = append(out.EventSelectors, w)
	}
	return out, nil
}
