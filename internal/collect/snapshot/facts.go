package snapshot

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// FactsVersion is the version of what [Facts] keeps of a record. Raise it with
// every change of UseKey, Who, Params or Denial.
const FactsVersion = 3

// UseKey is what is kept of one call, in CloudTrail's own words. It is
// comparable: it is the map key that groups calls, and their sort order.
type UseKey struct {
	// Role is the session's issuer: sessionContext.sessionIssuer.arn with the
	// role's path, and the role id before the colon of principalId. Both are
	// empty when the caller was no role session.
	Role RoleKey `json:"role,omitzero"`
	// Caller is userIdentity.arn of a caller that is no role session, or its
	// userIdentity.type where there is no ARN (AWSService).
	Caller      string `json:"caller,omitempty"`
	EventSource string `json:"eventSource"`
	EventName   string `json:"eventName"`
	EventType   string `json:"eventType,omitempty"`
	// Category is eventCategory: Management, Data, ...
	Category  string `json:"category,omitempty"`
	Region    string `json:"region"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
	ErrorCode string `json:"errorCode,omitempty"`
	Denial    Denial `json:"denial,omitzero"`
	Who       Who    `json:"who,omitzero"`
	Params    Params `json:"params,omitzero"`
	// Resources are the ARNs of the record's resources, sorted, one a line.
	Resources string `json:"resources,omitempty"`
}

// Who tells who acted through a session.
type Who struct {
	// Session is the role session name: of SageMaker usually the constant
	// "SageMaker".
	Session   string `json:"session,omitempty"`
	InvokedBy string `json:"invokedBy,omitempty"`
	// Agent is the user agent up to its first slash.
	Agent          string `json:"agent,omitempty"`
	SourceIdentity string `json:"sourceIdentity,omitempty"`
	// OnBehalfOf is onBehalfOf.userId (identity propagation).
	OnBehalfOf string `json:"onBehalfOf,omitempty"`
}

// Denial is what an error message says about a refusal.
// Source: AWS IAM User Guide, "Troubleshoot access denied error messages"
// (troubleshoot_access-denied).
type Denial struct {
	Action   string `json:"action,omitempty"`
	Resource string `json:"resource,omitempty"`
	// Layer is identity, boundary, scp, rcp, resource, session, endpoint or
	// trust; empty when the message does not say.
	Layer string `json:"layer,omitempty"`
	// Explicit: refused by a Deny statement, not by the lack of an Allow.
	Explicit bool `json:"explicit,omitempty"`
}

// Params are the request parameters that are kept, verbatim, and no others.
type Params struct {
	BucketName     string `json:"bucketName,omitempty"`
	Key            string `json:"key,omitempty"`
	Prefix         string `json:"prefix,omitempty"`
	ListType       string `json:"list-type,omitempty"`
	CopySource     string `json:"x-amz-copy-source,omitempty"`
	VersionID      string `json:"versionId,omitempty"`
	ACL            string `json:"x-amz-acl,omitempty"`
	Grants         string `json:"x-amz-grants,omitempty"`
	Tagging        string `json:"x-amz-tagging,omitempty"`
	RepositoryName string `json:"repositoryName,omitempty"`
	RegistryID     string `json:"registryId,omitempty"`
	LogGroupName   string `json:"logGroupName,omitempty"`
	LogStreamName  string `json:"logStreamName,omitempty"`
	KeyID          string `json:"keyId,omitempty"`
	S3ARN          string `json:"encryptionContext.aws:s3:arn,omitempty"`
	RoleARN        string `json:"roleArn,omitempty"`
	// ExecutionRoleARN and Role are other services' names for the role they are
	// handed (CreateModel, CreateFunction), TuningRoleARN that of a tuning job.
	ExecutionRoleARN string `json:"executionRoleArn,omitempty"`
	Role             string `json:"role,omitempty"`
	TuningRoleARN    string `json:"trainingJobDefinition.roleArn,omitempty"`
	RoleSession      string `json:"roleSessionName,omitempty"`
	TrainingJobName  string `json:"trainingJobName,omitempty"`
	FunctionName     string `json:"functionName,omitempty"`
	TableName        string `json:"tableName,omitempty"`
	SecretID         string `json:"secretId,omitempty"`
	QueueURL         string `json:"queueUrl,omitempty"`
	Name             string `json:"name,omitempty"`
	PolicyARN        string `json:"policyArn,omitempty"`
	PolicyName       string `json:"policyName,omitempty"`
	RoleName         string `json:"roleName,omitempty"`
	// TrailName is the trail that PutEventSelectors changes, by name or ARN; the
	// other calls on trails have it in Name.
	TrailName string `json:"trailName,omitempty"`

	// Names that were too many to keep each are kept by what they begin with
	// ([UseKey.Collapsed]): each of these stands instead of the field that it is named
	// after, which is then empty, and ends in a star that is no part of the name. "*"
	// alone means any. VersionID is then "*" where the calls named versions, and
	// CopySources ends in "*?versionId=*" where the sources did.
	Keys         string `json:"key*,omitempty"`
	CopySources  string `json:"x-amz-copy-source*,omitempty"`
	S3ARNs       string `json:"encryptionContext.aws:s3:arn*,omitempty"`
	Prefixes     string `json:"prefix*,omitempty"`
	LogStreams   string `json:"logStreamName*,omitempty"`
	TrainingJobs string `json:"trainingJobName*,omitempty"`
}

// param is one kept request parameter: its name in CloudTrail and its place.
type param struct {
	name  string
	field func(*Params) *string
}

var params = []param{
	{"bucketName", func(p *Params) *string { return &p.BucketName }},
	{"key", func(p *Params) *string { return &p.Key }},
	{"prefix", func(p *Params) *string { return &p.Prefix }},
	{"list-type", func(p *Params) *string { return &p.ListType }},
	{"x-amz-copy-source", func(p *Params) *string { return &p.CopySource }},
	{"versionId", func(p *Params) *string { return &p.VersionID }},
	{"x-amz-acl", func(p *Params) *string { return &p.ACL }},
	{"x-amz-tagging", func(p *Params) *string { return &p.Tagging }},
	{"repositoryName", func(p *Params) *string { return &p.RepositoryName }},
	{"registryId", func(p *Params) *string { return &p.RegistryID }},
	{"logGroupName", func(p *Params) *string { return &p.LogGroupName }},
	{"logStreamName", func(p *Params) *string { return &p.LogStreamName }},
	{"keyId", func(p *Params) *string { return &p.KeyID }},
	{"roleArn", func(p *Params) *string { return &p.RoleARN }},
	{"executionRoleArn", func(p *Params) *string { return &p.ExecutionRoleARN }},
	{"role", func(p *Params) *string { return &p.Role }},
	{"roleSessionName", func(p *Params) *string { return &p.RoleSession }},
	{"trainingJobName", func(p *Params) *string { return &p.TrainingJobName }},
	{"functionName", func(p *Params) *string { return &p.FunctionName }},
	{"tableName", func(p *Params) *string { return &p.TableName }},
	{"secretId", func(p *Params) *string { return &p.SecretID }},
	{"queueUrl", func(p *Params) *string { return &p.QueueURL }},
	{"name", func(p *Params) *string { return &p.Name }},
	{"policyArn", func(p *Params) *string { return &p.PolicyARN }},
	{"policyName", func(p *Params) *string { return &p.PolicyName }},
	{"roleName", func(p *Params) *string { return &p.RoleName }},
	{"trailName", func(p *Params) *string { return &p.TrailName }},
	{"trainingJobDefinition.roleArn", func(p *Params) *string { return &p.TuningRoleARN }},
	{"encryptionContext.aws:s3:arn", func(p *Params) *string { return &p.S3ARN }},
	{"x-amz-grants", func(p *Params) *string { return &p.Grants }},
	{"key*", func(p *Params) *string { return &p.Keys }},
	{"x-amz-copy-source*", func(p *Params) *string { return &p.CopySources }},
	{"encryptionContext.aws:s3:arn*", func(p *Params) *string { return &p.S3ARNs }},
	{"prefix*", func(p *Params) *string { return &p.Prefixes }},
	{"logStreamName*", func(p *Params) *string { return &p.LogStreams }},
	{"trainingJobName*", func(p *Params) *string { return &p.TrainingJobs }},
}

// requested are the places of the params that are taken from a request as they are: the
// others are made of several, and no request's own.
var requested = func() map[string]int {
	names := make(map[string]int)
	for i, q := range params {
		if q.name == "trainingJobDefinition.roleArn" {
			break
		}
		names[q.name] = i
	}
	return names
}()

// Get returns a kept parameter by its CloudTrail name, empty when it was not
// given or is not kept.
func (p Params) Get(name string) string {
	for _, q := range params {
		if q.name == name {
			return *q.field(&p)
		}
	}
	return ""
}

// PassedRole is the ARN of the role that the call was handed, empty for none.
func (p Params) PassedRole() string {
	return cmp.Or(p.RoleARN, p.ExecutionRoleARN, p.TuningRoleARN, p.Role)
}

// ChangesTrail reports whether the call was to change what CloudTrail's trails
// record, whether or not it did.
// Source: CloudTrail API reference; cloudtrail-event-reference-record-contents.
func (k UseKey) ChangesTrail() bool {
	if k.EventSource != "cloudtrail.amazonaws.com" {
		return false
	}
	switch k.EventName {
	case "CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging", "PutEventSelectors":
		return true
	}
	return false
}

// ChangesGrant reports whether the call was to change a role (Params.RoleName), its
// policies included, or the versions of a managed policy (Params.PolicyARN), whether
// or not it did.
// Source: IAM API reference; IAM User Guide, cloudtrail-integration.
func (k UseKey) ChangesGrant() bool {
	if k.EventSource != "iam.amazonaws.com" || k.ReadOnly {
		return false
	}
	switch k.EventName {
	case "CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicyVersion", "DeletePolicy":
		return k.Params.PolicyARN != ""
	}
	return k.Params.RoleName != ""
}

// Compare orders keys by role, then by what was called, then by the rest.
func (k UseKey) Compare(l UseKey) int {
	return cmp.Or(
		cmp.Compare(k.Role.ARN, l.Role.ARN), cmp.Compare(k.Role.ID, l.Role.ID), cmp.Compare(k.Caller, l.Caller),
		cmp.Compare(k.EventSource, l.EventSource), cmp.Compare(k.EventName, l.EventName), cmp.Compare(k.EventType, l.EventType),
		cmp.Compare(k.Category, l.Category), cmp.Compare(k.Region, l.Region), compareBool(k.ReadOnly, l.ReadOnly),
		cmp.Compare(k.ErrorCode, l.ErrorCode),
		cmp.Compare(k.Denial.Action, l.Denial.Action), cmp.Compare(k.Denial.Resource, l.Denial.Resource),
		cmp.Compare(k.Denial.Layer, l.Denial.Layer), compareBool(k.Denial.Explicit, l.Denial.Explicit),
		cmp.Compare(k.Who.Session, l.Who.Session), cmp.Compare(k.Who.InvokedBy, l.Who.InvokedBy), cmp.Compare(k.Who.Agent, l.Who.Agent),
		cmp.Compare(k.Who.SourceIdentity, l.Who.SourceIdentity), cmp.Compare(k.Who.OnBehalfOf, l.Who.OnBehalfOf),
		k.Params.compare(l.Params), cmp.Compare(k.Resources, l.Resources))
}

func (p Params) compare(q Params) int {
	if p == q {
		return 0
	}
	for _, f := range params {
		if c := cmp.Compare(*f.field(&p), *f.field(&q)); c != 0 {
			return c
		}
	}
	return 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Record is a CloudTrail record as far as it is looked at.
// Source: AWS CloudTrail User Guide, cloudtrail-event-reference-record-contents
// and cloudtrail-event-reference-user-identity.
type Record struct {
	EventID         string    `json:"eventID"`
	EventTime       time.Time `json:"eventTime"`
	EventSource     string    `json:"eventSource"`
	EventName       string    `json:"eventName"`
	EventType       string    `json:"eventType"`
	EventCategory   string    `json:"eventCategory"`
	AWSRegion       string    `json:"awsRegion"`
	ReadOnly        any       `json:"readOnly"`
	ManagementEvent *bool     `json:"managementEvent"`
	ErrorCode       string    `json:"errorCode"`
	ErrorMessage    string    `json:"errorMessage"`
	UserAgent       string    `json:"userAgent"`
	UserIdentity    struct {
		Type           string `json:"type"`
		PrincipalID    string `json:"principalId"`
		ARN            string `json:"arn"`
		InvokedBy      string `json:"invokedBy"`
		SessionContext struct {
			SessionIssuer struct {
				Type        string `json:"type"`
				PrincipalID string `json:"principalId"`
				ARN         string `json:"arn"`
			} `json:"sessionIssuer"`
			SourceIdentity string `json:"sourceIdentity"`
		} `json:"sessionContext"`
		OnBehalfOf struct {
			UserID string `json:"userId"`
		} `json:"onBehalfOf"`
	} `json:"userIdentity"`
	RequestParameters json.RawMessage `json:"requestParameters"`
	ResponseElements  json.RawMessage `json:"responseElements"`
	Resources         []resource      `json:"resources"`
	Addendum          *struct {
		Reason          string `json:"reason"`
		OriginalEventID string `json:"originalEventID"`
	} `json:"addendum"`
}

type resource struct {
	ARN       string `json:"ARN"`
	ARNPrefix string `json:"ARNPrefix"`
}

// DecodeRecord reads one CloudTrail record. It errs on anything that is no
// record: no object, or one without an event id, time, source and name.
func DecodeRecord(data []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("CloudTrail record: %w", err)
	}
	return r.checked()
}

// checked errs on a record that lacks what makes it one.
func (r *Record) checked() (*Record, error) {
	for _, f := range []struct{ name, value string }{
		{"eventID", r.EventID}, {"eventSource", r.EventSource}, {"eventName", r.EventName},
	} {
		if f.value == "" {
			return nil, fmt.Errorf("CloudTrail record: no %s", f.name)
		}
	}
	if r.EventTime.IsZero() {
		return nil, fmt.Errorf("CloudTrail record %s: no eventTime", r.EventID)
	}
	r.EventTime = r.EventTime.UTC()
	return r, nil
}

// ID returns the id that duplicates share: an addendum restates an earlier
// event under a new id.
func (r *Record) ID() string {
	if r.Addendum != nil && r.Addendum.OriginalEventID != "" {
		return r.Addendum.OriginalEventID
	}
	return r.EventID
}

// Facts returns what is kept of a record, and whether the record is one call
// at all: summaries (AwsAggregatedEvent) and insights are not.
//
// It means what encoding/json makes of the record, and any faster reader must
// give the same: of a name that stands twice the last one counts, the names of the
// record's own fields match in any case, those of requestParameters exactly, and
// bytes that are no UTF-8 become U+FFFD.
func Facts(r *Record) (UseKey, bool) {
	switch {
	case r.EventType == "AwsAggregatedEvent", r.EventCategory == "Insight", r.EventCategory == "Aggregated":
		return UseKey{}, false
	}
	u := r.UserIdentity
	k := UseKey{
		EventSource: r.EventSource, EventName: r.EventName, EventType: r.EventType, Category: r.EventCategory,
		Region: r.AWSRegion, ErrorCode: r.ErrorCode,
		Who: Who{
			InvokedBy: u.InvokedBy, Agent: agent(r.UserAgent),
			SourceIdentity: u.SessionContext.SourceIdentity, OnBehalfOf: u.OnBehalfOf.UserID,
		},
		Params: keptParams(r.RequestParameters),
	}
	if k.Category == "" && r.ManagementEvent != nil {
		k.Category = "Management"
		if !*r.ManagementEvent {
			k.Category = "Data"
		}
	}
	switch v := r.ReadOnly.(type) {
	case bool:
		k.ReadOnly = v
	case string:
		k.ReadOnly = v == "true"
	}
	issuer := u.SessionContext.SessionIssuer
	if u.Type == "AssumedRole" && issuer.ARN != "" {
		id, session, _ := strings.Cut(u.PrincipalID, ":")
		k.Role = RoleKey{ARN: issuer.ARN, ID: cmp.Or(id, issuer.PrincipalID)}
		k.Who.Session = session
	} else {
		k.Caller = cmp.Or(u.ARN, u.InvokedBy, u.Type)
	}
	message := r.ErrorMessage
	if k.ErrorCode == "" {
		k.ErrorCode, message = responseError(r.ResponseElements, message)
	}
	if k.ErrorCode != "" {
		k.Denial = denial(message)
	}
	k.Resources = resources(r)
	return k, true
}

func resources(r *Record) string {
	var arns []string
	for _, res := range r.Resources {
		if a := cmp.Or(res.ARN, res.ARNPrefix); a != "" {
			arns = append(arns, a)
		}
	}
	slices.Sort(arns)
	return strings.Join(slices.Compact(arns), "\n")
}

// agent cuts a user agent at its first slash: versions and platforms would
// split one caller into hundreds of groups.
func agent(s string) string {
	s, _, _ = strings.Cut(s, "/")
	return strings.TrimSpace(s)
}

// responseError reads an error that some services put into responseElements.
// Source: AWS CloudTrail User Guide, cloudtrail-event-reference-record-contents
// (errorCode).
func responseError(raw json.RawMessage, message string) (code, msg string) {
	var e struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
	}
	if !mentions(raw) || json.Unmarshal(raw, &e) != nil {
		return "", message
	}
	return e.Code, cmp.Or(message, e.Message)
}

// mentions reports whether a name may be errorCode or errorMessage to encoding/json,
// which compares without regard to case, beyond ASCII too, and knows escapes.
func mentions(raw []byte) bool {
	for i, b := range raw {
		if b >= 0x80 || b == '\\' {
			return true
		}
		if b|0x20 == 'r' && i > 0 && raw[i-1]|0x20 == 'r' {
			return true
		}
	}
	return false
}

func keptParams(raw json.RawMessage) Params {
	var p Params
	if len(raw) == 0 {
		return p
	}
	var grants []string
	for quoted, v := range members(raw) {
		name := named(quoted)
		if i, ok := requested[string(name)]; ok {
			*params[i].field(&p) = text(v)
			continue
		}
		switch {
		case string(name) == "encryptionContext":
			p.S3ARN = ""
			for quoted, v := range members(v) {
				if string(named(quoted)) == "aws:s3:arn" {
					p.S3ARN = text(v)
				}
			}
		case string(name) == "trainingJobDefinition":
			var definition struct {
				RoleARN json.RawMessage `json:"roleArn"`
			}
			if p.TuningRoleARN = ""; json.Unmarshal(v, &definition) == nil {
				p.TuningRoleARN = text(definition.RoleARN)
			}
		case bytes.HasPrefix(name, []byte("x-amz-grant-")):
			grants = append(grants, string(name))
		}
	}
	if len(grants) > 0 {
		slices.Sort(grants)
		p.Grants = strings.Join(slices.Compact(grants), ",")
	}
	return p
}

// text gives a scalar as text; CloudTrail also sends one-element lists.
func text(raw json.RawMessage) string {
	if s, ok := plain(raw); ok {
		return string(s)
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	switch v := v.(type) {
	case string:
		return v
	case bool, float64:
		return strings.Trim(string(raw), "[] ")
	}
	return ""
}

// The shapes of refusals. Source: IAM User Guide, troubleshoot_access-denied;
// for the create-time checks of SageMaker, which answer ValidationException for
// what the execution role lacks, AWS-documented failure texts.
var (
	denialAction   = regexp.MustCompile(`not authorized to perform:? ([A-Za-z0-9-]+:[A-Za-z0-9*]+)`)
	denialOn       = regexp.MustCompile(`on resource:? "?([^"\s]+)"?`)
	denialBecause  = regexp.MustCompile(`because no ([a-zA-Z -]+?) (?:policy |policies )?allows? the ([A-Za-z0-9-]+:[A-Za-z0-9*]+) action`)
	denialExplicit = regexp.MustCompile(`with an explicit deny in (?:an?|the) ([a-zA-Z -]+)`)
	denialS3List   = regexp.MustCompile(`No S3 objects found under S3 URL "?([^"\s]+)"?.*s3:ListBucket`)
)

func denial(message string) Denial {
	var d Denial
	if m := denialAction.FindStringSubmatch(message); m != nil {
		d.Action = m[1]
	}
	if m := denialOn.FindStringSubmatch(message); m != nil {
		d.Resource = strings.TrimRight(m[1], ".,;")
	}
	if m := denialBecause.FindStringSubmatch(message); m != nil {
		d.Layer = denialLayer(m[1])
		d.Action = cmp.Or(d.Action, m[2])
	}
	if m := denialExplicit.FindStringSubmatch(message); m != nil {
		d.Layer, d.Explicit = denialLayer(m[1]), true
	}
	if d != (Denial{}) {
		return d
	}
	switch lower := strings.ToLower(message); {
	case strings.Contains(lower, "could not assume role"), strings.Contains(lower, "unable to assume the role"):
		return Denial{Action: "sts:AssumeRole", Layer: "trust"}
	case strings.Contains(lower, "access denied when describing algorithm"):
		return Denial{Action: "sagemaker:DescribeAlgorithm"}
	}
	if m := denialS3List.FindStringSubmatch(message); m != nil {
		return Denial{Action: "s3:ListBucket", Resource: m[1]}
	}
	return d
}

func denialLayer(words string) string {
	w := strings.ToLower(strings.TrimSpace(words))
	for _, l := range []struct{ words, layer string }{
		{"permissions boundary", "boundary"}, {"service control", "scp"}, {"resource control", "rcp"},
		{"session", "session"}, {"endpoint", "endpoint"}, {"trust", "trust"},
		{"identity-based", "identity"}, {"resource-based", "resource"},
	} {
		if strings.Contains(w, l.words) {
			return l.layer
		}
	}
	return ""
}
