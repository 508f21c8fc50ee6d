package collect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opSearch   = "sagemaker:Search"
	opList     = "sagemaker:ListTrainingJobs"
	opDescribe = "sagemaker:DescribeTrainingJob"
)

// jobsPage is the most that Search and ListTrainingJobs give a page.
const jobsPage = 100

// jobKey tells a job for good: the name of a deleted job can be used again
// (AWS: API_DeleteTrainingJob).
type jobKey struct {
	arn     string
	created int64 // Unix milliseconds
}

func keyOf(arn string, created time.Time) jobKey { return jobKey{arn, created.UnixMilli()} }

// jobReader reads the training jobs of one region.
type jobReader struct {
	*run
	api    *sagemaker.Client
	region string

	known map[jobKey]int // every job of the window: its place in jobs, or -1 where its role was not asked for
	jobs  []snapshot.Job
	in    *snapshot.Interner
}

// jobs reads the training jobs of a region: with Search, 100 whole jobs a call,
// checked against both ends of ListTrainingJobs; and with ListTrainingJobs and
// DescribeTrainingJob where Search is refused or falls short.
func (r *run) jobs(ctx context.Context, region string) []snapshot.Job {
	j := &jobReader{run: r, api: r.clients.sagemaker(region), region: region, known: make(map[jobKey]int), in: snapshot.NewInterner()}
	coverage := snapshot.Coverage{Source: snapshot.SourceTrainingJobs, Region: region, Scope: snapshot.ScopeAll, Asked: r.jobsWindow}

	proven, searchErr := j.search(ctx)
	listed, listErr := j.list(ctx, searchErr == nil && proven)
	undescribed := j.describe(ctx, listed)

	impact := snapshot.ImpactJobs
	if listErr == nil && undescribed == nil {
		impact = snapshot.ImpactDetail // read in the other way
		coverage.Complete, coverage.Covered = true, r.jobsWindow
	}
	if searchErr != nil {
		j.failed(opSearch, region, "", impact, searchErr)
	}
	if listErr != nil {
		if searchErr == nil && proven && undescribed == nil {
			// Search gave as many as it said there are; only the check is missing.
			impact = snapshot.ImpactDetail
			coverage.Complete, coverage.Covered = true, r.jobsWindow
		}
		j.failed(opList, region, "", impact, listErr)
		if searchErr == nil && !proven {
			j.missing(snapshot.Gap{Source: opSearch, Region: region, Impact: impact, Reason: snapshot.ReasonShort,
				Detail: fmt.Sprintf("it gave %d jobs and says that there are more", len(j.known))})
		}
	}
	coverage.Described, coverage.Describable = j.describeShapes(ctx)
	coverage.Items = len(j.jobs)
	r.cover(coverage)
	r.tell(Status{Source: snapshot.SourceTrainingJobs, Region: region, Items: len(j.jobs), Done: true})
	return slices.Clip(j.jobs)
}

// add keeps a job of the window and reports whether it was not known yet.
func (j *jobReader) add(k snapshot.Job) bool {
	if !k.CreatedAt.IsZero() && !j.jobsWindow.Contains(k.CreatedAt) {
		return false
	}
	key := keyOf(k.ARN, k.CreatedAt)
	if _, ok := j.known[key]; ok {
		return false
	}
	if len(j.Roles) > 0 && !j.asked(k.RoleARN) {
		j.known[key] = -1
		return true
	}
	j.in.Job(&k)
	j.known[key] = len(j.jobs)
	j.jobs = append(j.jobs, k)
	return true
}

// describe reads jobs that only ListTrainingJobs knows. It returns the failure
// after which some of them are not known but by name.
func (j *jobReader) describe(ctx context.Context, listed []types.TrainingJobSummary) error {
	if len(listed) == 0 {
		return nil
	}
	j.tell(Status{Source: snapshot.SourceTrainingJobs, Region: j.region, Items: len(j.jobs), Note: fmt.Sprintf("describing %d jobs", len(listed))})
	var (
		failures = make([]error, len(listed))
		whole    = make([]*snapshot.Job, len(listed))
	)
	each(ctx, len(listed), func(i int) error {
		d, err := j.api.DescribeTrainingJob(ctx, &sagemaker.DescribeTrainingJobInput{TrainingJobName: listed[i].TrainingJobName})
		if err == nil && aws.ToString(d.TrainingJobArn) == "" {
			err = broken("an answer without a training job")
		}
		if err != nil {
			failures[i] = err
			return err
		}
		k := describedJob(d, j.region)
		whole[i] = &k
		return nil
	}, func(i int, err error) { failures[i] = err })

	var (
		first error
		scope []string
	)
	for i := range listed {
		switch {
		case whole[i] != nil:
			j.add(*whole[i])
		case gone(failures[i]): // deleted since it was listed
		default:
			j.add(listedJob(&listed[i], j.region))
			first = cmp.Or(first, failures[i])
			scope = append(scope, aws.ToString(listed[i].TrainingJobName))
		}
	}
	if first != nil {
		slices.Sort(scope)
		j.failed(opDescribe, j.region, fmt.Sprintf("%d jobs from %s", len(scope), scope[0]), snapshot.ImpactJobs, first)
	}
	return first
}

// each calls do for 0..n-1, a few at a time, until a failure shows that the rest
// would fail as well; skipped is told of those that were left out.
func each(ctx context.Context, n int, do func(i int) error, skipped func(i int, err error)) {
	const atOnce, refusals = 2, 50 // few at once: SageMaker throttles these calls early (aws/sagemaker-python-sdk#2293)
	var (
		group  errgroup.Group
		mu     sync.Mutex
		failed int
		why    error
	)
	group.SetLimit(atOnce)
	for i := range n {
		mu.Lock()
		stop := cmp.Or(why, ctx.Err())
		mu.Unlock()
		if stop != nil {
			skipped(i, stop)
			continue
		}
		group.Go(func() error {
			err := do(i)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && !gone(err) {
				failed++
			}
			if hopeless(err) || failed > refusals {
				why = cmp.Or(why, err)
			}
			return nil
		})
	}
	group.Wait()
}

// gone reports whether AWS does not know what was asked for: SageMaker says so
// with a ValidationException (AWS: API_DescribeTrainingJob, ResourceNotFound).
func gone(err error) bool {
	return err != nil && (reason(err) == snapshot.ReasonMissing || strings.Contains(detail(err), "Requested resource not found"))
}

// shape is what jobs have in common that need the same: one of each is described.
type shape struct {
	role, repository, channels string
	vpc, kms, checkpoint       bool
}

func shapeOf(k *snapshot.Job) shape {
	names := make([]string, len(k.Channels))
	for i := range k.Channels {
		names[i] = k.Channels[i].Name
	}
	slices.Sort(names)
	return shape{
		role: k.RoleARN, repository: cmp.Or(repositoryOf(k.Image), k.Algorithm), channels: strings.Join(names, "\x00"),
		vpc: !k.VPC.IsZero(), kms: k.VolumeKMSKey != "" || k.Output.KMSKey != "", checkpoint: k.Checkpoint != "",
	}
}

// repositoryOf cuts the tag and the digest off an image.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		image = image[:colon]
	}
	return image
}

// describeShapes fills what Search lacks for the newest job of each shape, the
// newest shapes first, and counts the shapes that are known in full and all.
func (j *jobReader) describeShapes(ctx context.Context) (described, describable int) {
	newest := make(map[shape]int)
	for i := range j.jobs {
		s := shapeOf(&j.jobs[i])
		if n, ok := newest[s]; !ok || newer(&j.jobs[i], &j.jobs[n]) {
			newest[s] = i
		}
	}
	var open []int
	for _, i := range newest {
		if j.jobs[i].Described {
			described++
		} else {
			open = append(open, i)
		}
	}
	slices.SortFunc(open, func(a, b int) int {
		if newer(&j.jobs[a], &j.jobs[b]) {
			return -1
		}
		return 1
	})
	open = open[:min(len(open), max(0, j.MaxDescribe))]
	if len(open) > 0 {
		j.tell(Status{Source: snapshot.SourceTrainingJobs, Region: j.region, Items: len(j.jobs), Note: fmt.Sprintf("describing %d kinds of jobs", len(open))})
	}
	failures := make([]error, len(open))
	each(ctx, len(open), func(n int) error {
		k := &j.jobs[open[n]]
		d, err := j.api.DescribeTrainingJob(ctx, &sagemaker.DescribeTrainingJobInput{TrainingJobName: aws.String(k.Name)})
		if err == nil && aws.ToString(d.TrainingJobArn) == "" {
			err = broken("an answer without a training job")
		}
		if err != nil {
			failures[n] = err
			return err
		}
		if keyOf(aws.ToString(d.TrainingJobArn), at(d.CreationTime)) == keyOf(k.ARN, k.CreatedAt) { // else another job took the name
			addDescribed(k, d)
		}
		return nil
	}, func(n int, err error) { failures[n] = err })

	var (
		first error
		lost  int
	)
	for n, i := range open {
		switch {
		case j.jobs[i].Described:
			described++
		case failures[n] != nil && !gone(failures[n]):
			first = cmp.Or(first, failures[n])
			lost++
		}
	}
	if first != nil {
		j.failed(opDescribe, j.region, fmt.Sprintf("%d kinds of jobs", lost), snapshot.ImpactDetail, first)
	}
	return described, len(newest)
}

func newer(a, b *snapshot.Job) bool {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ARN, b.ARN)) > 0
}
