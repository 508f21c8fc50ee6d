package awssim

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

func trainingJobResource(c *call) string {
	var in describeTrainingJobInput
	if c.decode(&in) != nil {
		return "*"
	}
	return c.account.JobARN(&TrainingJob{Region: c.region, TrainingJobName: in.TrainingJobName})
}

type describeTrainingJobInput struct{ TrainingJobName string }

// describeTrainingJob answers a whole job, without its tags (AWS: API_DescribeTrainingJob).
func describeTrainingJob(c *call) (any, error) {
	var in describeTrainingJobInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	j := c.index.jobOf[c.region+"/"+in.TrainingJobName]
	if j == nil {
		return nil, json11.invalid("Requested resource not found.")
	}
	return describedJob{j, j.DescribedOnly, c.account.jobTimes(j)}, nil
}

type listTrainingJobsInput struct {
	CreationTimeAfter      epoch
	CreationTimeBefore     epoch
	LastModifiedTimeAfter  epoch
	LastModifiedTimeBefore epoch
	NameContains           string
	StatusEquals           string
	SortBy                 string
	SortOrder              string
	MaxResults             *int
	NextToken              string
}

// jobsPageSize is the page of Search and of ListTrainingJobs: 1 to 100, where nothing is said 10.
func jobsPageSize(maxResults *int) (int, error) {
	const usual, largest = 10, 100
	if maxResults == nil {
		return usual, nil
	}
	if *maxResults < 1 || *maxResults > largest {
		return 0, json11.invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must be from 1 to %d", *maxResults, largest)
	}
	return *maxResults, nil
}

// oneOf checks an enumeration and gives its default for nothing.
func oneOf(field, value string, allowed ...string) (string, error) {
	if value == "" {
		return allowed[0], nil
	}
	for _, a := range allowed {
		if value == a {
			return value, nil
		}
	}
	return "", json11.invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy enum value set: [%s]",
		value, field, strings.Join(allowed, ", "))
}

// listTrainingJobs answers a page of summaries. As AWS does, it takes a page first and filters then, so that a
// page can be short or empty though more follow (AWS: API_ListTrainingJobs, StatusEquals; boto/boto3#2838).
func listTrainingJobs(c *call) (any, error) {
	var in listTrainingJobsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	size, err := jobsPageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	if in.SortBy, err = oneOf("sortBy", in.SortBy, "CreationTime", "Name", "Status"); err != nil {
		return nil, err
	}
	if in.SortOrder, err = oneOf("sortOrder", in.SortOrder, "Ascending", "Descending"); err != nil {
		return nil, err
	}
	jobs := c.index.jobsBy("list", c.region, in.SortBy, in.SortOrder == "Descending", func(*TrainingJob) bool { return true })
	token := in.NextToken
	in.NextToken, in.MaxResults = "", nil
	p, err := c.page(len(jobs), size, token, in)
	if err != nil {
		return nil, err
	}
	out := struct {
		TrainingJobSummaries []jobSummary
		NextToken            string `json:",omitempty"`
	}{TrainingJobSummaries: []jobSummary{}, NextToken: p.next}
	for _, j := range jobs[p.from:p.to] {
		if in.keeps(j) {
			out.TrainingJobSummaries = append(out.TrainingJobSummaries, jobSummary{
				j.TrainingJobName, c.account.JobARN(j), epoch(j.CreationTime), epoch(j.TrainingEndTime),
				epoch(j.lastModified()), j.TrainingJobStatus, j.SecondaryStatus})
		}
	}
	disorder(c, out.TrainingJobSummaries)
	return out, nil
}

func (in *listTrainingJobsInput) keeps(j *TrainingJob) bool {
	return within(j.CreationTime, in.CreationTimeAfter, in.CreationTimeBefore) &&
		within(j.lastModified(), in.LastModifiedTimeAfter, in.LastModifiedTimeBefore) &&
		strings.Contains(j.TrainingJobName, in.NameContains) &&
		(in.StatusEquals == "" || in.StatusEquals == j.TrainingJobStatus)
}

// within says whether t lies after one time and before another, where these are given.
func within(t time.Time, after, before epoch) bool {
	return (after.IsZero() || t.After(time.Time(after))) && (before.IsZero() || t.Before(time.Time(before)))
}

type searchInput struct {
	Resource                 string
	SearchExpression         json.RawMessage
	SortBy                   string
	SortOrder                string
	MaxResults               *int
	NextToken                string
	CrossAccountFilterOption string
	VisibilityConditions     json.RawMessage
	parsed                   searchExpression
}

// search answers whole jobs, less the fields that only DescribeTrainingJob has (AWS: API_Search).
func search(c *call) (any, error) {
	var in searchInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Resource != "TrainingJob" {
		return nil, json11.invalid("this loopback AWS searches Resource TrainingJob only, not %q", in.Resource)
	}
	size, err := jobsPageSize(in.MaxResults)
	if err != nil {
		return nil, err
	}
	if in.SortOrder, err = oneOf("sortOrder", in.SortOrder, "Descending", "Ascending"); err != nil {
		return nil, err
	}
	if in.SortBy, err = oneOf("sortBy", in.SortBy, "LastModifiedTime", "CreationTime", "TrainingEndTime", "TrainingJobName", "TrainingJobStatus"); err != nil {
		return nil, err
	}
	if len(in.SearchExpression) > 0 {
		if err := json.Unmarshal(in.SearchExpression, &in.parsed); err != nil {
			return nil, &apiError{code: "SerializationException", message: err.Error()}
		}
	}
	matches, err := in.parsed.compile()
	if err != nil {
		return nil, json11.invalid("%s", err)
	}
	name := fmt.Sprintf("search %s lag %s", in.SearchExpression, c.behaviour.SearchLag)
	newest := c.account.Now.Add(-c.behaviour.SearchLag)
	jobs := c.index.jobsBy(name, c.region, in.SortBy, in.SortOrder == "Descending", func(j *TrainingJob) bool {
		return (c.behaviour.SearchLag == 0 || !j.CreationTime.After(newest)) && matches(j)
	})

	type hits struct {
		Value    int
		Relation string
	}
	total := hits{len(jobs), "EqualTo"}
	if limit := c.behaviour.SearchCap; limit > 0 && len(jobs) > limit {
		jobs, total = jobs[:limit], hits{limit, "GreaterThanOrEqualTo"}
	}
	p, err := c.page(len(jobs), size, in.NextToken, in.SearchExpression, in.SortBy, in.SortOrder)
	if err != nil {
		return nil, err
	}
	type result struct{ TrainingJob searchedJob }
	out := struct {
		Results   []result
		NextToken string `json:",omitempty"`
		TotalHits hits
	}{make([]result, 0, p.to-p.from), p.next, total}
	for _, j := range jobs[p.from:p.to] {
		out.Results = append(out.Results, result{searchedJob{j, c.account.jobTimes(j), j.Tags}})
	}
	disorder(c, out.Results)
	return out, nil
}

// searchTime is how a filter of Search writes a time (AWS: API_Filter); the Go SDK's users often add the zone.
func searchTime(text string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("timestamp %q: want the form YYYY-mm-dd'T'HH:MM:SS", text)
}
