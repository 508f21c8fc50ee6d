package collect

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// list finds the jobs of the window that Search did not show. After a search that
// proved itself whole, the 100 newest and the 100 oldest are enough; where these
// show a hole (the index lags, how long is not documented), the list is followed
// to its end. Otherwise everything is listed.
func (j *jobReader) list(ctx context.Context, searched bool) ([]types.TrainingJobSummary, error) {
	l := &jobLister{reader: j, missing: make(map[jobKey]bool)}
	ended, err := l.walk(ctx, types.SortOrderDescending, searched)
	if err == nil && !ended && searched && len(l.found) == 0 {
		_, err = l.walk(ctx, types.SortOrderAscending, searched)
	}
	return l.found, err
}

// jobLister walks ListTrainingJobs.
type jobLister struct {
	reader  *jobReader
	found   []types.TrainingJobSummary
	missing map[jobKey]bool
}

// checkPages bounds a check: pages may be empty for long where the jobs before the
// window are many, for AWS filters after it has cut a page.
const checkPages = 5

// walk lists in one order, and reports whether it came to the end of the window; a
// check is content with 100 jobs that are all known.
func (l *jobLister) walk(ctx context.Context, order types.SortOrder, check bool) (ended bool, err error) {
	j := l.reader
	seen, count := 0, 0
	err = pages(func(token *string) (*string, bool, error) {
		out, err := j.api.ListTrainingJobs(ctx, &sagemaker.ListTrainingJobsInput{
			MaxResults: aws.Int32(jobsPage), NextToken: token, SortBy: types.SortByCreationTime, SortOrder: order,
			CreationTimeAfter: aws.Time(j.jobsWindow.From.Add(-time.Second)), CreationTimeBefore: aws.Time(j.jobsWindow.To),
		})
		if err != nil {
			return nil, false, err
		}
		count++
		before := len(out.TrainingJobSummaries) > 0
		for _, s := range out.TrainingJobSummaries {
			created := at(s.CreationTime)
			before = before && created.Before(j.jobsWindow.From)
			if !j.jobsWindow.Contains(created) {
				continue
			}
			seen++
			key := keyOf(aws.ToString(s.TrainingJobArn), created)
			if _, ok := j.known[key]; !ok && !l.missing[key] {
				l.missing[key] = true
				l.found = append(l.found, s)
			}
		}
		if !check {
			j.tell(Status{Source: snapshot.SourceTrainingJobs, Region: j.region, Items: len(j.jobs) + len(l.found)})
		}
		ended = aws.ToString(out.NextToken) == "" || before && order == types.SortOrderDescending
		content := check && len(l.found) == 0 && (seen >= jobsPage || count >= checkPages)
		return out.NextToken, ended || content, nil
	})
	return ended, err
}
