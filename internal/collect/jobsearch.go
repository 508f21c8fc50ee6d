package collect

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker/types"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// slicePages is after how many pages a search begins anew where it stands: no
// limit of one query is documented, so none is tried.
const slicePages = 100

// search reads the window oldest first. It reports whether Search proved itself
// whole: its own totals, where exact, are all there.
//
// A query that grows long, or that ends although its total is only a lower bound
// (AWS: API_TotalHits), is followed by one for all jobs since the last one seen:
// slices by creation time that cost one page each, wherever the jobs lie.
func (j *jobReader) search(ctx context.Context) (proven bool, err error) {
	from, total := j.jobsWindow.From, 0
	for first := true; ; first = false {
		s := searchSlice{reader: j, from: from}
		if err := pages(func(token *string) (*string, bool, error) { return s.page(ctx, token) }); err != nil {
			return false, err
		}
		if first && s.exact {
			total = s.total
		}
		lowerBound := s.told && !s.exact
		if s.cut || lowerBound && s.added > 0 && s.advances() {
			from = s.newest.Truncate(time.Second)
			continue
		}
		return s.whole() && len(j.known) >= total, nil
	}
}

// searchSlice is one query of Search.
type searchSlice struct {
	reader *jobReader
	from   time.Time

	pages, seen, added int
	newest             time.Time
	unordered          bool
	told, exact        bool // a total was told, and is exact
	total              int
	cut                bool // ended by slicePages
}

func (s *searchSlice) page(ctx context.Context, token *string) (*string, bool, error) {
	j := s.reader
	const format = "2006-01-02T15:04:05" // AWS: API_Filter, timestamps
	out, err := j.api.Search(ctx, &sagemaker.SearchInput{
		Resource: types.ResourceTypeTrainingJob, MaxResults: aws.Int32(jobsPage), NextToken: token,
		SortBy: aws.String("CreationTime"), SortOrder: types.SearchSortOrderAscending,
		SearchExpression: &types.SearchExpression{Filters: []types.Filter{
			{Name: aws.String("CreationTime"), Operator: types.OperatorGreaterThanOrEqualTo, Value: aws.String(s.from.UTC().Format(format))},
			{Name: aws.String("CreationTime"), Operator: types.OperatorLessThan, Value: aws.String(j.jobsWindow.To.UTC().Format(format))},
		}},
	})
	if err != nil {
		return nil, false, err
	}
	if h := out.TotalHits; h != nil && token == nil {
		s.told, s.exact, s.total = true, h.Relation == types.RelationEqualTo, int(aws.ToInt64(h.Value))
		if s.exact && len(j.jobs) == 0 && len(j.Roles) == 0 {
			j.jobs = slices.Grow(j.jobs, min(s.total, 1<<20))
		}
	}
	newest := s.newest
	for i := range out.Results {
		found := out.Results[i].TrainingJob
		if found == nil {
			continue
		}
		s.seen++
		if created := at(found.CreationTime); created.Before(s.newest.Truncate(time.Second)) {
			s.unordered = true
		} else if created.After(newest) {
			newest = created
		}
		if j.add(jobOf(found, j.region)) {
			s.added++
		}
	}
	s.newest = newest
	s.pages++
	j.tell(Status{Source: snapshot.SourceTrainingJobs, Region: j.region, Items: len(j.jobs)})
	s.cut = s.pages >= slicePages && aws.ToString(out.NextToken) != "" && s.advances()
	return out.NextToken, s.cut, nil
}

// advances reports whether a slice from the newest job on would be shorter than
// this one and lose nothing.
func (s *searchSlice) advances() bool {
	return !s.unordered && s.newest.Truncate(time.Second).After(s.from)
}

// whole reports whether the slice gave as many jobs as it said there are.
func (s *searchSlice) whole() bool { return !s.told || s.exact && s.seen >= s.total }
