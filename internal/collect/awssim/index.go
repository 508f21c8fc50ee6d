package awssim

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// index is an Account sorted and keyed once, for one shuffle seed. It is immutable but for the memory of job
// orders, searches, last accessed reports and objects, which has its own lock.
type index struct {
	account  *Account
	seed     uint64
	roles    []*Role          // in the order IAM walks them
	policies []*ManagedPolicy // the same
	roleOf   map[string]*Role // by name: IAM role names are unique in an account, whatever their path
	// roleOfARN has the roles by their whole ARN, path included.
	roleOfARN map[string]*Role
	policyOf  map[string]*ManagedPolicy
	bucketOf  map[string]*Bucket
	attached  map[string]int // policy ARN -> roles it is attached to
	bounds    map[string]int // policy ARN -> roles it is the boundary of
	jobs      map[string][]*TrainingJob
	jobOf     map[string]*TrainingJob // region/name -> the newest job of that name
	events    map[string][]entry      // region -> management events, newest first

	mu       sync.Mutex
	orders   map[string][]*TrainingJob
	accesses map[string]map[string]*ServiceAccess // role id -> service; nil until asked for
	reports  map[*Role][]ServiceAccess
	objects  map[string][]object // by bucket, in the order of their keys
}

// entry is an event as Event history holds it.
type entry struct {
	*Record
	id string
}

// eventHistory is how far LookupEvents reaches back (AWS: API_LookupEvents).
const eventHistory = 90 * 24 * time.Hour

func newIndex(a *Account, seed uint64) *index {
	x := &index{
		account:   a,
		seed:      seed,
		roleOf:    make(map[string]*Role, len(a.Roles)),
		roleOfARN: make(map[string]*Role, len(a.Roles)),
		policyOf:  make(map[string]*ManagedPolicy, len(a.Policies)),
		bucketOf:  make(map[string]*Bucket, len(a.Buckets)),
		attached:  make(map[string]int),
		bounds:    make(map[string]int),
		jobs:      make(map[string][]*TrainingJob),
		jobOf:     make(map[string]*TrainingJob, len(a.Jobs)),
		events:    make(map[string][]entry),
		orders:    make(map[string][]*TrainingJob),
		objects:   make(map[string][]object),
	}
	for i := range a.Roles {
		r := &a.Roles[i]
		x.roles = append(x.roles, r)
		x.roleOf[r.Name] = r
		x.roleOfARN[a.RoleARN(r)] = r
		for _, arn := range r.Attached {
			x.attached[arn]++
		}
		if r.Boundary != "" {
			x.bounds[r.Boundary]++
		}
	}
	for i := range a.Policies {
		p := &a.Policies[i]
		x.policies = append(x.policies, p)
		x.policyOf[p.ARN] = p
	}
	for i := range a.Buckets {
		x.bucketOf[a.Buckets[i].Name] = &a.Buckets[i]
	}
	// IAM promises no order of a sweep: by name here, by chance where a seed asks for it.
	slices.SortFunc(x.roles, func(p, q *Role) int {
		return cmp.Or(cmp.Compare(x.chance(p.Name), x.chance(q.Name)), cmp.Compare(p.Name, q.Name))
	})
	slices.SortFunc(x.policies, func(p, q *ManagedPolicy) int {
		return cmp.Or(cmp.Compare(x.chance(p.ARN), x.chance(q.ARN)), cmp.Compare(p.ARN, q.ARN))
	})
	for i := range a.Jobs {
		j := &a.Jobs[i]
		x.jobs[j.Region] = append(x.jobs[j.Region], j)
		key := j.Region + "/" + j.TrainingJobName
		if former := x.jobOf[key]; former == nil || j.CreationTime.After(former.CreationTime) {
			x.jobOf[key] = j
		}
	}
	x.indexEvents()
	return x
}

func (x *index) indexEvents() {
	oldest := x.account.Now.Add(-eventHistory)
	for i := range x.account.Events {
		r := &x.account.Events[i]
		if r.category() != "Management" || r.EventTime.Before(oldest) || r.EventTime.After(x.account.Now) {
			continue
		}
		x.events[r.AWSRegion] = append(x.events[r.AWSRegion], entry{r, r.id(i)})
	}
	for _, events := range x.events {
		slices.SortStableFunc(events, func(p, q entry) int {
			return cmp.Or(q.EventTime.Compare(p.EventTime),
				cmp.Compare(x.chance(p.id), x.chance(q.id)), cmp.Compare(p.id, q.id))
		})
	}
}

// chance orders what AWS leaves unordered: zero without a seed, else a number that only seed and name decide.
func (x *index) chance(name string) uint64 {
	if x.seed == 0 {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", x.seed, name)
	return h.Sum64()
}

// jobsBy gives the jobs of a region that keep holds true for, sorted by a property, and remembers the answer under
// name, so that a client that pages through 100,000 jobs does not sort them a thousand times.
func (x *index) jobsBy(name, region, sortBy string, descending bool, keep func(*TrainingJob) bool) []*TrainingJob {
	const remembered = 16
	key := fmt.Sprintf("%s\x00%s\x00%s\x00%t", name, region, sortBy, descending)
	x.mu.Lock()
	defer x.mu.Unlock()
	if jobs, ok := x.orders[key]; ok {
		return jobs
	}
	var jobs []*TrainingJob
	for _, j := range x.jobs[region] {
		if keep(j) {
			jobs = append(jobs, j)
		}
	}
	slices.SortStableFunc(jobs, func(p, q *TrainingJob) int {
		order := compareJobs(sortBy, p, q)
		if descending {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(x.chance(p.TrainingJobName), x.chance(q.TrainingJobName)),
			cmp.Compare(p.TrainingJobName, q.TrainingJobName))
	})
	if len(x.orders) >= remembered {
		clear(x.orders)
	}
	x.orders[key] = jobs
	return jobs
}

func compareJobs(property string, p, q *TrainingJob) int {
	switch property {
	case "CreationTime":
		return p.CreationTime.Compare(q.CreationTime)
	case "LastModifiedTime":
		return p.lastModified().Compare(q.lastModified())
	case "TrainingEndTime":
		return p.TrainingEndTime.Compare(q.TrainingEndTime)
	case "Name", "TrainingJobName":
		return cmp.Compare(p.TrainingJobName, q.TrainingJobName)
	case "Status", "TrainingJobStatus":
		return cmp.Compare(p.TrainingJobStatus, q.TrainingJobStatus)
	default:
		return 0
	}
}

// uuid makes an id of the usual form, the same for the same seed.
func uuid(seed string) string {
	h := fnv.New128a()
	h.Write([]byte(seed))
	b := h.Sum(nil)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
