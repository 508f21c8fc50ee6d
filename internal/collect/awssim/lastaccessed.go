package awssim

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// The shapes of IAM's last accessed reports (AWS: API_GetServiceLastAccessedDetails, API_ServiceLastAccessed,
// API_TrackedActionLastAccessed).
type (
	lastAccessedDetails struct {
		JobStatus         string
		JobType           string
		JobCreationDate   string
		JobCompletionDate string         `xml:",omitempty"`
		Services          []iamService   `xml:"ServicesLastAccessed>member"`
		Error             *iamJobFailure `xml:",omitempty"`
		iamPage
	}
	iamJobFailure struct{ Message, Code string }
	iamService    struct {
		// ServiceName is a text for people, "Amazon S3". The namespace stands for it here.
		ServiceName                string
		ServiceNamespace           string
		LastAuthenticated          string             `xml:",omitempty"`
		LastAuthenticatedEntity    string             `xml:",omitempty"`
		LastAuthenticatedRegion    string             `xml:",omitempty"`
		TotalAuthenticatedEntities int                `xml:",omitempty"`
		TrackedActions             []iamTrackedAction `xml:"TrackedActionsLastAccessed>member"`
	}
	iamTrackedAction struct {
		ActionName         string
		LastAccessedEntity string `xml:",omitempty"`
		LastAccessedTime   string `xml:",omitempty"`
		LastAccessedRegion string `xml:",omitempty"`
	}
)

const (
	serviceLevel = "SERVICE_LEVEL"
	actionLevel  = "ACTION_LEVEL"
)

// reports are the last accessed reports that were asked for. IAM lets only the one who asked for a report read it;
// this server has one caller.
type reports struct {
	mu   sync.Mutex
	jobs map[string]*report
}

type report struct {
	role  *Role
	level string
	polls int // answered so far
}

// poll finds a report and counts the request for it; earlier is the number of requests before this one.
func (r *reports) poll(id string) (job *report, earlier int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	job = r.jobs[id]
	if job == nil {
		return nil, 0
	}
	job.polls++
	return job, job.polls - 1
}

func (r *reports) add(job *report) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id = uuid(fmt.Sprint("last accessed job", len(r.jobs)))
	if r.jobs == nil {
		r.jobs = make(map[string]*report)
	}
	r.jobs[id] = job
	return id
}

func arnResource(c *call) string { return cmp.Or(c.form.Get("Arn"), "*") }

// generateServiceLastAccessedDetails begins a report (AWS: API_GenerateServiceLastAccessedDetails). AWS makes reports
// of users, groups and policies too; this account has only roles to ask for.
func generateServiceLastAccessedDetails(c *call) (any, error) {
	arn, level := c.form.Get("Arn"), cmp.Or(c.form.Get("Granularity"), serviceLevel)
	if level != serviceLevel && level != actionLevel {
		return nil, query.invalid("1 validation error detected: Value '%s' at 'granularity' failed to satisfy constraint: Member must satisfy enum value set: [%s, %s]",
			level, serviceLevel, actionLevel)
	}
	role := c.index.roleOfARN[arn]
	if role == nil {
		return nil, noSuchEntity("ARN %s was not found.", arn)
	}
	if c.faultIsEmpty() {
		return struct{}{}, nil
	}
	return struct{ JobId string }{c.reports.add(&report{role: role, level: level})}, nil
}

// getServiceLastAccessedDetails answers a report, sorted by service namespace (AWS: API_GetServiceLastAccessedDetails).
// Its dates are the account's now: the account's clock stands still.
func getServiceLastAccessedDetails(c *call) (any, error) {
	id := c.form.Get("JobId")
	job, earlier := c.reports.poll(id)
	if job == nil {
		return nil, noSuchEntity("No job with id %s was found.", id)
	}
	now := iso(c.account.Now)
	out := lastAccessedDetails{JobStatus: "COMPLETED", JobType: job.level, JobCreationDate: now, JobCompletionDate: now}
	switch {
	case c.faultKind() == Empty:
		return out, nil
	case earlier < c.behaviour.LastAccessedPolls:
		out.JobStatus, out.JobCompletionDate = "IN_PROGRESS", ""
		return out, nil
	case c.behaviour.LastAccessedFails:
		out.JobStatus = "FAILED"
		out.Error = &iamJobFailure{Message: "The report could not be generated.", Code: "ServiceFailure"}
		return out, nil
	}
	services := c.index.lastAccessed(job.role)
	p, marker, err := c.iamPage(len(services), id)
	if err != nil {
		return nil, err
	}
	out.iamPage = marker
	arn := c.account.RoleARN(job.role)
	for _, s := range services[p.from:p.to] {
		out.Services = append(out.Services, s.wire(arn, job.level))
	}
	disorder(c, out.Services)
	return out, nil
}

func (s *ServiceAccess) wire(entity, level string) iamService {
	w := iamService{ServiceName: s.Service, ServiceNamespace: s.Service}
	if !s.At.IsZero() {
		w.LastAuthenticated, w.LastAuthenticatedEntity, w.LastAuthenticatedRegion = iso(s.At), entity, s.Region
		w.TotalAuthenticatedEntities = 1
	}
	used := func(a ActionAccess) bool { return !a.At.IsZero() }
	// The list is null also "if the principal did not use the tracked actions" (AWS: API_ServiceLastAccessed).
	if level != actionLevel || !slices.ContainsFunc(s.Actions, used) {
		return w
	}
	for _, a := range s.Actions {
		action := iamTrackedAction{ActionName: a.Name}
		if used(a) {
			action.LastAccessedEntity, action.LastAccessedTime, action.LastAccessedRegion = entity, iso(a.At), a.Region
		}
		w.TrackedActions = append(w.TrackedActions, action)
	}
	return w
}
