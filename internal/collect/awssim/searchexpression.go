package awssim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// searchExpression is Search's condition on jobs (AWS: API_SearchExpression).
type searchExpression struct {
	Filters        []searchFilter
	NestedFilters  []nestedFilters
	SubExpressions []searchExpression
	Operator       string
}

type searchFilter struct {
	Name     string
	Operator string
	Value    *string
}

type nestedFilters struct {
	NestedPropertyName string
	Filters            []searchFilter
}

type jobTest func(*TrainingJob) bool

// compile checks an expression and makes it a test. Conditions are joined by And unless the operator says Or.
func (e *searchExpression) compile() (jobTest, error) {
	tests, err := e.tests()
	if err != nil {
		return nil, err
	}
	switch e.Operator {
	case "", "And":
		return func(j *TrainingJob) bool {
			return !slices.ContainsFunc(tests, func(test jobTest) bool { return !test(j) })
		}, nil
	case "Or":
		return func(j *TrainingJob) bool {
			return slices.ContainsFunc(tests, func(test jobTest) bool { return test(j) })
		}, nil
	default:
		return nil, fmt.Errorf("operator %q: want And or Or", e.Operator)
	}
}

func (e *searchExpression) tests() ([]jobTest, error) {
	var tests []jobTest
	for _, f := range e.Filters {
		test, err := f.compile()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	for _, n := range e.NestedFilters {
		test, err := n.compile()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	for i := range e.SubExpressions {
		test, err := e.SubExpressions[i].compile()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
	}
	return tests, nil
}

// The properties that can be searched. A text property may have several values: a filter then holds if it holds
// for one of them.
var (
	timeProperties = map[string]func(*TrainingJob) time.Time{
		"CreationTime":      func(j *TrainingJob) time.Time { return j.CreationTime },
		"TrainingStartTime": func(j *TrainingJob) time.Time { return j.TrainingStartTime },
		"TrainingEndTime":   func(j *TrainingJob) time.Time { return j.TrainingEndTime },
		"LastModifiedTime":  (*TrainingJob).lastModified,
	}
	textProperties = map[string]func(*TrainingJob) []string{
		"TrainingJobName":   func(j *TrainingJob) []string { return []string{j.TrainingJobName} },
		"TrainingJobStatus": func(j *TrainingJob) []string { return []string{j.TrainingJobStatus} },
		"SecondaryStatus":   func(j *TrainingJob) []string { return []string{j.SecondaryStatus} },
		"FailureReason":     func(j *TrainingJob) []string { return []string{j.FailureReason} },
		"RoleArn":           func(j *TrainingJob) []string { return []string{j.RoleArn} },
		"TuningJobArn":      func(j *TrainingJob) []string { return []string{j.TuningJobArn} },
		"AlgorithmSpecification.TrainingImage": func(j *TrainingJob) []string {
			if j.AlgorithmSpecification == nil {
				return nil
			}
			return []string{j.AlgorithmSpecification.TrainingImage}
		},
		"OutputDataConfig.S3OutputPath": func(j *TrainingJob) []string {
			if j.OutputDataConfig == nil {
				return nil
			}
			return []string{j.OutputDataConfig.S3OutputPath}
		},
	}
	channelProperties = map[string]func(*Channel) string{
		"InputDataConfig.ChannelName": func(c *Channel) string { return c.ChannelName },
		"InputDataConfig.DataSource.S3DataSource.S3Uri": func(c *Channel) string {
			if c.DataSource.S3DataSource == nil {
				return ""
			}
			return c.DataSource.S3DataSource.S3Uri
		},
	}
)

func (f *searchFilter) compile() (jobTest, error) {
	if property := timeProperties[f.Name]; property != nil {
		return f.compileTime(property)
	}
	property := textProperties[f.Name]
	if channel := channelProperties[f.Name]; channel != nil {
		property = func(j *TrainingJob) []string {
			var values []string
			for i := range j.InputDataConfig {
				values = append(values, channel(&j.InputDataConfig[i]))
			}
			return values
		}
	}
	if tag, ok := strings.CutPrefix(f.Name, "Tags."); ok {
		property = func(j *TrainingJob) []string {
			for _, t := range j.Tags {
				if t.Key == tag {
					return []string{t.Value}
				}
			}
			return nil
		}
	}
	if property == nil {
		return nil, fmt.Errorf("unknown property name: %s", f.Name)
	}
	test, err := f.compileText()
	if err != nil {
		return nil, err
	}
	return func(j *TrainingJob) bool { return test(property(j)) }, nil
}

func (f *searchFilter) compileTime(property func(*TrainingJob) time.Time) (jobTest, error) {
	switch f.Operator {
	case "Exists":
		return func(j *TrainingJob) bool { return !property(j).IsZero() }, nil
	case "NotExists":
		return func(j *TrainingJob) bool { return property(j).IsZero() }, nil
	}
	if f.Value == nil {
		return nil, fmt.Errorf("filter on %s needs a value", f.Name)
	}
	limit, err := searchTime(*f.Value)
	if err != nil {
		return nil, err
	}
	holds := map[string]func(order int) bool{
		"":                     func(order int) bool { return order == 0 },
		"Equals":               func(order int) bool { return order == 0 },
		"NotEquals":            func(order int) bool { return order != 0 },
		"GreaterThan":          func(order int) bool { return order > 0 },
		"GreaterThanOrEqualTo": func(order int) bool { return order >= 0 },
		"LessThan":             func(order int) bool { return order < 0 },
		"LessThanOrEqualTo":    func(order int) bool { return order <= 0 },
	}[f.Operator]
	if holds == nil {
		return nil, fmt.Errorf("operator %s does not apply to the timestamp %s", f.Operator, f.Name)
	}
	return func(j *TrainingJob) bool {
		t := property(j)
		return !t.IsZero() && holds(t.Compare(limit))
	}, nil
}

// compileText makes the test on the values of a text property; ordering operators are not for text (AWS: API_Filter).
func (f *searchFilter) compileText() (func([]string) bool, error) {
	empty := func(values []string) bool {
		return !slices.ContainsFunc(values, func(v string) bool { return v != "" })
	}
	switch f.Operator {
	case "Exists":
		return func(values []string) bool { return !empty(values) }, nil
	case "NotExists":
		return empty, nil
	}
	if f.Value == nil {
		return nil, fmt.Errorf("filter on %s needs a value", f.Name)
	}
	want := *f.Value
	switch f.Operator {
	case "", "Equals":
		return func(values []string) bool { return slices.Contains(values, want) }, nil
	case "NotEquals":
		return func(values []string) bool { return !slices.Contains(values, want) }, nil
	case "Contains":
		return func(values []string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, want) })
		}, nil
	case "In":
		list := strings.Split(want, ",")
		return func(values []string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
		}, nil
	default:
		return nil, fmt.Errorf("operator %s does not apply to the text property %s", f.Operator, f.Name)
	}
}

// compile makes a test that one and the same channel passes every filter (AWS: API_NestedFilters).
func (n *nestedFilters) compile() (jobTest, error) {
	if n.NestedPropertyName != "InputDataConfig" {
		return nil, fmt.Errorf("unknown nested property name: %s", n.NestedPropertyName)
	}
	type channelTest struct {
		property func(*Channel) string
		holds    func([]string) bool
	}
	var tests []channelTest
	for _, f := range n.Filters {
		property := channelProperties[f.Name]
		if property == nil {
			return nil, fmt.Errorf("unknown property name: %s", f.Name)
		}
		holds, err := f.compileText()
		if err != nil {
			return nil, err
		}
		tests = append(tests, channelTest{property, holds})
	}
	return func(j *TrainingJob) bool {
		for i := range j.InputDataConfig {
			channel := &j.InputDataConfig[i]
			if !slices.ContainsFunc(tests, func(t channelTest) bool { return !t.holds([]string{t.property(channel)}) }) {
				return true
			}
		}
		return false
	}, nil
}
