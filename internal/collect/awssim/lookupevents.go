package awssim

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"
)

type lookupEventsInput struct {
	LookupAttributes []lookupAttribute
	StartTime        epoch
	EndTime          epoch
	EventCategory    string
	MaxResults       *int
	NextToken        string
}

type lookupAttribute struct{ AttributeKey, AttributeValue string }

// lookedUpEvent is an event of LookupEvents; ReadOnly is a string on the wire (AWS: API_Event).
type lookedUpEvent struct {
	EventId         string
	EventName       string
	ReadOnly        string
	AccessKeyId     string `json:",omitempty"`
	EventTime       epoch
	EventSource     string
	Username        string     `json:",omitempty"`
	Resources       []Resource `json:",omitempty"`
	CloudTrailEvent string
}

var lookupKeys = map[string]func(e *entry, value string) bool{
	"EventId":     func(e *entry, value string) bool { return e.id == value },
	"EventName":   func(e *entry, value string) bool { return e.EventName == value },
	"EventSource": func(e *entry, value string) bool { return e.EventSource == value },
	"ReadOnly":    func(e *entry, value string) bool { return strconv.FormatBool(e.ReadOnly) == value },
	"Username":    func(e *entry, value string) bool { return e.username() == value },
	"AccessKeyId": func(e *entry, value string) bool { return e.UserIdentity.AccessKeyID == value },
	"ResourceName": func(e *entry, value string) bool {
		for _, r := range e.Related {
			if r.ResourceName == value {
				return true
			}
		}
		return false
	},
	"ResourceType": func(e *entry, value string) bool {
		for _, r := range e.Related {
			if r.ResourceType == value {
				return true
			}
		}
		return false
	},
}

// lookupEvents answers management events of the last 90 days, newest first (AWS: API_LookupEvents).
func lookupEvents(c *call) (any, error) {
	var in lookupEventsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const largest = 50
	size := largest
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > largest {
		return nil, &apiError{code: "InvalidMaxResultsException", message: fmt.Sprintf("MaxResults must be from 1 to %d.", largest)}
	}
	if in.EventCategory != "" {
		if in.EventCategory != "insight" {
			return nil, &apiError{code: "InvalidEventCategoryException", message: "The event category must be insight."}
		}
		return struct{ Events []lookedUpEvent }{[]lookedUpEvent{}}, nil // the account has no insight events
	}
	start, end := time.Time(in.StartTime), time.Time(in.EndTime)
	if !start.IsZero() && !end.IsZero() && end.Before(start) {
		return nil, &apiError{code: "InvalidTimeRangeException", message: "The end time must be after the start time."}
	}
	keeps, err := in.compile()
	if err != nil {
		return nil, err
	}

	// Newest first, and both ends belong to the window: "after or at", "before or at".
	events := c.index.events[c.region]
	if !end.IsZero() {
		events = events[sort.Search(len(events), func(i int) bool { return !events[i].EventTime.After(end) }):]
	}
	if !start.IsZero() {
		events = events[:sort.Search(len(events), func(i int) bool { return events[i].EventTime.Before(start) })]
	}
	if keeps != nil {
		events = slices.DeleteFunc(slices.Clone(events), func(e entry) bool { return !keeps(&e) })
	}
	token := in.NextToken
	in.NextToken = ""
	p, err := c.page(len(events), size, token, in.LookupAttributes, start.UnixMilli(), end.UnixMilli(), size)
	if err != nil {
		return nil, &apiError{code: "InvalidNextTokenException", message: "The specified NextToken is not valid, or was not made by a request with the same parameters."}
	}
	out := struct {
		Events    []lookedUpEvent
		NextToken string `json:",omitempty"`
	}{make([]lookedUpEvent, 0, p.to-p.from), p.next}
	for _, e := range events[p.from:p.to] {
		event, err := c.lookedUp(&e)
		if err != nil {
			return nil, err
		}
		out.Events = append(out.Events, event)
	}
	disorder(c, out.Events)
	return out, nil
}

// compile checks the attribute, of which there may be one (AWS: API_LookupEvents), and makes it a test; nil: no
// attribute.
func (in *lookupEventsInput) compile() (func(*entry) bool, error) {
	switch len(in.LookupAttributes) {
	case 0:
		return nil, nil
	case 1:
		attribute := in.LookupAttributes[0]
		matches := lookupKeys[attribute.AttributeKey]
		if matches == nil || attribute.AttributeValue == "" || len(attribute.AttributeValue) > 2000 {
			return nil, &apiError{code: "InvalidLookupAttributesException", message: "The lookup attribute is not valid: " + attribute.AttributeKey}
		}
		return func(e *entry) bool { return matches(e, attribute.AttributeValue) }, nil
	default:
		return nil, &apiError{code: "InvalidLookupAttributesException", message: "You can specify only one lookup attribute."}
	}
}

func (c *call) lookedUp(e *entry) (lookedUpEvent, error) {
	text, err := e.text(c.account, e.id)
	if err != nil {
		return lookedUpEvent{}, fmt.Errorf("event %s cannot be written as JSON: %w", e.id, err)
	}
	event := lookedUpEvent{
		EventId:         e.id,
		EventName:       e.EventName,
		ReadOnly:        strconv.FormatBool(e.ReadOnly),
		AccessKeyId:     e.UserIdentity.AccessKeyID,
		EventTime:       epoch(e.EventTime),
		EventSource:     e.EventSource,
		Username:        e.username(),
		Resources:       append([]Resource(nil), e.Related...),
		CloudTrailEvent: text,
	}
	disorder(c, event.Resources)
	return event, nil
}
