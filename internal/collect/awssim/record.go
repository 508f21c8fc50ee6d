package awssim

import (
	"cmp"
	"encoding/json"
	"strings"
	"time"
)

// Record is a CloudTrail record (AWS: cloudtrail-event-reference-record-contents). Its JSON is the CloudTrailEvent
// string that LookupEvents answers. Empty, eventVersion is 1.11, eventType AwsApiCall, eventCategory Management,
// recipientAccountId the account's, and eventID is made from the record's place in Account.Events.
type Record struct {
	EventVersion       string         `json:"eventVersion"`
	UserIdentity       UserIdentity   `json:"userIdentity"`
	EventTime          time.Time      `json:"eventTime"`
	EventSource        string         `json:"eventSource"`
	EventName          string         `json:"eventName"`
	AWSRegion          string         `json:"awsRegion"`
	SourceIPAddress    string         `json:"sourceIPAddress"`
	UserAgent          string         `json:"userAgent"`
	ErrorCode          string         `json:"errorCode,omitempty"`
	ErrorMessage       string         `json:"errorMessage,omitempty"`
	RequestParameters  map[string]any `json:"requestParameters"`
	ResponseElements   map[string]any `json:"responseElements"`
	RequestID          string         `json:"requestID,omitempty"`
	EventID            string         `json:"eventID"`
	ReadOnly           bool           `json:"readOnly"`
	Resources          []ResourceARN  `json:"resources,omitempty"`
	EventType          string         `json:"eventType"`
	ManagementEvent    bool           `json:"managementEvent"` // written as EventCategory says
	RecipientAccountID string         `json:"recipientAccountId"`
	SharedEventID      string         `json:"sharedEventID,omitempty"`
	EventCategory      string         `json:"eventCategory"` // LookupEvents answers Management only

	// Raw, where set, is the CloudTrailEvent string as it is, whatever it holds; the fields above still say when,
	// where and under which name LookupEvents finds it.
	Raw string `json:"-"`
	// Related are the resources of the event in LookupEvents, which are not those of the record.
	Related []Resource `json:"-"`
}

// UserIdentity says who made a call (AWS: cloudtrail-event-reference-user-identity).
type UserIdentity struct {
	Type           string          `json:"type"`
	PrincipalID    string          `json:"principalId,omitempty"`
	ARN            string          `json:"arn,omitempty"`
	AccountID      string          `json:"accountId,omitempty"`
	AccessKeyID    string          `json:"accessKeyId,omitempty"`
	UserName       string          `json:"userName,omitempty"`
	SessionContext *SessionContext `json:"sessionContext,omitempty"`
	InvokedBy      string          `json:"invokedBy,omitempty"`
	OnBehalfOf     *OnBehalfOf     `json:"onBehalfOf,omitempty"`
}

// The parts of a UserIdentity, named as in CloudTrail.
type (
	SessionContext struct {
		SessionIssuer  SessionIssuer     `json:"sessionIssuer"`
		Attributes     SessionAttributes `json:"attributes"`
		SourceIdentity string            `json:"sourceIdentity,omitempty"`
	}
	SessionIssuer struct {
		Type        string `json:"type"`
		PrincipalID string `json:"principalId"`
		ARN         string `json:"arn"`
		AccountID   string `json:"accountId"`
		UserName    string `json:"userName"`
	}
	SessionAttributes struct {
		CreationDate     time.Time `json:"creationDate"`
		MFAAuthenticated string    `json:"mfaAuthenticated"` // "true" or "false"
	}
	OnBehalfOf struct {
		UserID           string `json:"userId"`
		IdentityStoreARN string `json:"identityStoreArn"`
	}
)

// ResourceARN is a resource of a record.
type ResourceARN struct {
	ARN       string `json:"ARN,omitempty"`
	ARNPrefix string `json:"ARNPrefix,omitempty"` // of a list, the objects it may give
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type,omitempty"`
}

// Resource is a resource of an event in LookupEvents.
type Resource struct {
	ResourceType string
	ResourceName string
}

// username is what LookupEvents calls so: for a session of a role the SESSION name, for a user the user's name;
// a service has none (AWS CLI reference, lookup-events).
func (r *Record) username() string {
	switch r.UserIdentity.Type {
	case "AssumedRole":
		_, session, _ := strings.Cut(r.UserIdentity.PrincipalID, ":")
		return session
	case "Root":
		return "root"
	default:
		return r.UserIdentity.UserName
	}
}

// text is the CloudTrailEvent string, with the defaults of what the record leaves out.
func (r *Record) text(a *Account, id string) (string, error) {
	if r.Raw != "" {
		return r.Raw, nil
	}
	full := *r
	full.EventID = id
	full.EventVersion = cmp.Or(r.EventVersion, "1.11")
	full.EventType = cmp.Or(r.EventType, "AwsApiCall")
	full.EventCategory = cmp.Or(r.EventCategory, "Management")
	full.ManagementEvent = full.EventCategory == "Management"
	full.RecipientAccountID = cmp.Or(r.RecipientAccountID, a.ID)
	text, err := json.Marshal(&full)
	return string(text), err
}

// Session is the identity of a session of a role of this account, as CloudTrail writes it: the sts ARN has no path,
// the issuer's ARN has it (AWS: cloudtrail-event-reference-user-identity).
func (a *Account) Session(role *Role, name string, began time.Time) UserIdentity {
	id := role.UniqueID()
	return UserIdentity{
		Type:        "AssumedRole",
		PrincipalID: id + ":" + name,
		ARN:         "arn:" + a.partition() + ":sts::" + a.ID + ":assumed-role/" + role.Name + "/" + name,
		AccountID:   a.ID,
		AccessKeyID: uniqueID("ASIA", id+name+began.UTC().Format(time.RFC3339))[:20],
		SessionContext: &SessionContext{
			SessionIssuer: SessionIssuer{
				Type:        "Role",
				PrincipalID: id,
				ARN:         a.RoleARN(role),
				AccountID:   a.ID,
				UserName:    role.Name,
			},
			Attributes: SessionAttributes{CreationDate: began.UTC(), MFAAuthenticated: "false"},
		},
	}
}
