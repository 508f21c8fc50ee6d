package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opGenerate = "iam:GenerateServiceLastAccessedDetails"
	opAccessed = "iam:GetServiceLastAccessedDetails"
)

// IAM makes the reports of a batch of roles at its own pace, while the others of the
// batch are asked for.
const (
	accessBatch  = 50
	accessAtOnce = 4
	// accessRounds and accessPatience bound how long a batch is waited for: pauses
	// that grow to accessPause add up to about five minutes.
	accessRounds   = 64
	accessPatience = 10 * time.Minute
	accessPause    = 5 * time.Second
)

// errUnfinished is a report that IAM does not come to an end with.
var errUnfinished = errors.New("IAM did not finish the report")

// reportFailed is a report that IAM itself gave up.
type reportFailed struct{ code, message string }

func (f *reportFailed) Error() string {
	return cmp.Or(f.code, "FAILED") + ": " + cmp.Or(f.message, "IAM could not make the report")
}

func gaveUp(err error) bool {
	var failed *reportFailed
	return errors.As(err, &failed)
}

// endsAll reports whether a failure is not that of one report alone.
func endsAll(err error) bool {
	return hopeless(err) && !gaveUp(err) && !errors.Is(err, errUnfinished)
}

// access is the report of one role under way.
type access struct {
	role      *snapshot.Role
	job       string
	operation string // the one that failed
	err       error
	told      *snapshot.Accessed
}

func (a *access) open() bool { return a.err == nil && a.told == nil }

// accessReader reads when roles last reached the services that they may use.
type accessReader struct {
	*run
	api *iam.Client
	in  *snapshot.Interner
	mu  sync.Mutex // guards in
}

// lastAccessed reads the service last accessed details of the roles that IAM has.
// They reach back 400 days, over all regions and without a trail, and count refused
// attempts too (AWS: access_policies_last-accessed).
func (r *run) lastAccessed(ctx context.Context, roles []snapshot.Role) []snapshot.Accessed {
	l := &accessReader{run: r, api: r.clients.iam(r.home), in: snapshot.NewInterner()}
	todo := make([]*access, len(roles))
	for i := range roles {
		todo[i] = &access{role: &roles[i]}
	}
	slices.SortFunc(todo, func(a, b *access) int { return cmp.Compare(a.role.ARN, b.role.ARN) })

	var told []snapshot.Accessed
	complete := true
	for len(todo) > 0 && !errors.Is(ctx.Err(), context.Canceled) {
		batch := todo[:min(accessBatch, len(todo))]
		todo = todo[len(batch):]
		l.batch(ctx, batch)
		var open []*access
		for _, a := range batch {
			if a.told != nil {
				told = append(told, *a.told)
			} else {
				open = append(open, a)
			}
		}
		over := l.over(batch)
		if over != nil {
			open, todo = append(open, todo...), nil
		}
		complete = l.gaps(open, over) && complete
		r.tell(Status{Source: snapshot.SourceLastAccessed, Items: len(told)})
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	r.cover(snapshot.Coverage{Source: snapshot.SourceLastAccessed, Scope: snapshot.ScopeAll, Items: len(told), Complete: complete})
	r.tell(Status{Source: snapshot.SourceLastAccessed, Items: len(told), Done: true})
	return told
}

// over gives the failure after which the rest of the roles would only fail as well:
// one that is hopeless, or a batch of which nothing came but refusals.
func (l *accessReader) over(batch []*access) *access {
	var first *access
	for _, a := range batch {
		switch {
		case a.err == nil:
		case endsAll(a.err):
			return a
		case first == nil:
			first = a
		}
	}
	for _, a := range batch {
		if a.told != nil || reason(a.err) != snapshot.ReasonRefused && !errors.Is(a.err, errUnfinished) {
			return nil
		}
	}
	return first
}

// gaps records what was not told: a gap a role, or one for all where the source is
// over. It reports whether none of it matters.
func (l *accessReader) gaps(open []*access, over *access) (complete bool) {
	if over != nil {
		scope := open[0].role.ARN
		if len(open) > 1 {
			scope = fmt.Sprintf("%d roles from %s", len(open), open[0].role.Name)
		}
		l.failed(over.operation, "", scope, snapshot.ImpactUsage, over.err)
		return false
	}
	complete = true
	for _, a := range open {
		impact := snapshot.ImpactUsage
		if reason(a.err) == snapshot.ReasonMissing && (a.operation == opGenerate || gaveUp(a.err)) {
			impact = snapshot.ImpactDetail // deleted since it was read
		}
		complete = complete && impact == snapshot.ImpactDetail
		l.failed(a.operation, "", a.role.ARN, impact, a.err)
	}
	return complete
}

// batch has the reports of some roles made, and asks for them round by round.
func (l *accessReader) batch(ctx context.Context, batch []*access) {
	l.each(ctx, batch, opGenerate, l.generate)
	began := time.Now()
	pause := accessPause / 16
	for round := 1; ; round++ {
		l.each(ctx, batch, opAccessed, l.get)
		if !slices.ContainsFunc(batch, (*access).open) {
			return
		}
		if round == accessRounds || time.Since(began) > accessPatience {
			break
		}
		l.pause(ctx, pause)
		pause = min(2*pause, accessPause)
	}
	for _, a := range batch {
		if a.open() {
			a.operation, a.err = opAccessed, errUnfinished
		}
	}
}

func (l *accessReader) pause(ctx context.Context, d time.Duration) {
	if l.maxBackoff > 0 {
		d = min(d, l.maxBackoff)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// each does a step for the reports that are open, a few at a time, until one fails
// in a way that the others would share: these then fail of the same.
func (l *accessReader) each(ctx context.Context, batch []*access, operation string, step func(context.Context, *access) error) {
	var (
		group errgroup.Group
		mu    sync.Mutex
		over  error
	)
	group.SetLimit(accessAtOnce)
	for _, a := range batch {
		if !a.open() {
			continue
		}
		group.Go(func() error {
			mu.Lock()
			err := over
			mu.Unlock()
			if err == nil {
				err = step(ctx, a)
			}
			if err != nil {
				a.operation, a.err = operation, err
				if endsAll(err) {
					mu.Lock()
					over = err
					mu.Unlock()
				}
			}
			return nil
		})
	}
	group.Wait()
}

func (l *accessReader) generate(ctx context.Context, a *access) error {
	out, err := l.api.GenerateServiceLastAccessedDetails(ctx, &iam.GenerateServiceLastAccessedDetailsInput{
		Arn: &a.role.ARN, Granularity: types.AccessAdvisorUsageGranularityTypeActionLevel,
	})
	if err != nil {
		return err
	}
	if a.job = aws.ToString(out.JobId); a.job == "" {
		return broken("an answer without a job")
	}
	return nil
}

// get asks for a report, and takes it where it is finished.
func (l *accessReader) get(ctx context.Context, a *access) error {
	var (
		services []types.ServiceLastAccessed
		finished time.Time
		status   types.JobStatusType
	)
	err := pages(func(marker *string) (*string, bool, error) {
		out, err := l.api.GetServiceLastAccessedDetails(ctx, &iam.GetServiceLastAccessedDetailsInput{
			JobId: &a.job, MaxItems: aws.Int32(iamPage), Marker: marker,
		})
		if err != nil {
			return nil, false, err
		}
		status = out.JobStatus
		switch status {
		case types.JobStatusTypeCompleted:
		case types.JobStatusTypeInProgress:
			return nil, true, nil
		case types.JobStatusTypeFailed:
			f := new(reportFailed)
			if e := out.Error; e != nil {
				f.code, f.message = aws.ToString(e.Code), aws.ToString(e.Message)
			}
			return nil, false, f
		default:
			return nil, false, broken("an answer without the status of the report")
		}
		finished = at(out.JobCompletionDate)
		services = append(services, out.ServicesLastAccessed...)
		return following(out.IsTruncated, out.Marker)
	})
	if err != nil || status != types.JobStatusTypeCompleted {
		return err
	}
	told, err := accessedOf(a.role, finished, services)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.Accessed(told)
	a.told = told
	return nil
}

// errEmptyReport is a report that lists no service of a role that has policies: such
// a one lists all that they grant (AWS: API_GetServiceLastAccessedDetails).
var errEmptyReport = errors.New("it lists no service, and the role has policies")

// accessedOf keeps what a report tells, of a service or action that stands in it
// twice the later date.
func accessedOf(role *snapshot.Role, finished time.Time, services []types.ServiceLastAccessed) (*snapshot.Accessed, error) {
	if len(services) == 0 && len(role.Inline)+len(role.Attached) > 0 {
		return nil, errEmptyReport
	}
	told := &snapshot.Accessed{RoleKey: role.RoleKey, At: finished}
	for _, s := range newestFirst(services, func(s types.ServiceLastAccessed) (string, time.Time) {
		return aws.ToString(s.ServiceNamespace), at(s.LastAuthenticated)
	}) {
		if aws.ToString(s.ServiceNamespace) == "" {
			return nil, broken("a service without a namespace")
		}
		service := snapshot.AccessedService{
			Service: aws.ToString(s.ServiceNamespace), At: at(s.LastAuthenticated), Region: aws.ToString(s.LastAuthenticatedRegion)}
		for _, action := range newestFirst(s.TrackedActionsLastAccessed, func(a types.TrackedActionLastAccessed) (string, time.Time) {
			return aws.ToString(a.ActionName), at(a.LastAccessedTime)
		}) {
			when := at(action.LastAccessedTime)
			if when.IsZero() {
				service.Never = append(service.Never, aws.ToString(action.ActionName))
				continue
			}
			service.Actions = append(service.Actions, snapshot.AccessedAction{
				Action: aws.ToString(action.ActionName), At: when, Region: aws.ToString(action.LastAccessedRegion)})
			if when.After(service.At) { // who reached the action reached the service
				service.At, service.Region = when, aws.ToString(action.LastAccessedRegion)
			}
		}
		if service.At.IsZero() {
			told.Never = append(told.Never, service.Service)
		} else {
			told.Services = append(told.Services, service)
		}
	}
	return told, nil
}

// newestFirst sorts a list by name and leaves the newest of each.
func newestFirst[T any](list []T, of func(T) (string, time.Time)) []T {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b T) int {
		nameA, atA := of(a)
		nameB, atB := of(b)
		return cmp.Or(cmp.Compare(nameA, nameB), atB.Compare(atA))
	})
	return slices.CompactFunc(list, func(a, b T) bool {
		nameA, _ := of(a)
		nameB, _ := of(b)
		return nameA == nameB
	})
}
