package actions

import (
	"strings"
)

// Call is one CloudTrail record as far as mapping needs it, in CloudTrail's own
// words.
type Call struct {
	Source    string // eventSource, "s3.amazonaws.com"
	Name      string // eventName
	Type      string // eventType; empty counts as AwsApiCall
	Region    string // awsRegion
	Partition string // aws, aws-cn, aws-us-gov; empty counts as aws
	Account   string // the caller's account: 12 digits
	ErrorCode string // errorCode, empty for a call that succeeded
	// Denial is what the error message says was refused.
	Denial Denial
	// Resources are the ARNs of the record's resources.
	Resources []string
	// Param returns a request parameter by its CloudTrail name, empty when it is
	// absent or was not kept; nil when none was kept.
	Param func(name string) string
}

// Denial is an action and the resource it was refused on, as an error message
// names them; either may be empty.
type Denial struct{ Action, Resource string }

// Use is one action that a call was, or would have been, authorised by.
type Use struct {
	// Action in the catalogue's spelling; where Known is false, the service's
	// prefix and the event's name, which need not be an action at all.
	Action string
	Known  bool
	// Resources are IAM resource patterns: ARNs whose own *, ? and ${ are
	// escaped as policy variables (AWS: reference_policies_variables). Empty when
	// the record does not tell; {"*"} where the action takes no resource.
	Resources []string
	Outcome   Outcome
	// Role is the ARN of the execution role whose access was checked, where that
	// is not the caller: SageMaker's checks at creation time.
	Role string
	// Indirect: the call proves this use, but the use has or may have a record of
	// its own: evidence, not to be counted.
	Indirect bool
	// Implied: the reference or the request says that this right was checked too
	// (iam:PassRole), though no event ever bears its name.
	Implied bool
	// Ambiguous: the call was authorised by at least one of several actions and
	// the record does not tell which; its outcome is then at most Attempted.
	Ambiguous bool
}

// param returns a request parameter, empty when there is none.
func (c Call) param(name string) string {
	if c.Param == nil {
		return ""
	}
	return c.Param(name)
}

// pattern is a request parameter as a part of a resource pattern, empty when there is
// none: its text, or what many names begin with that are kept as one (package snapshot,
// Params).
func (c Call) pattern(name string) string {
	if text := c.param(name); text != "" {
		return Literal(text)
	}
	if many := c.param(name + "*"); many != "" {
		return Literal(strings.TrimSuffix(many, "*")) + "*"
	}
	return ""
}

func (c Call) partition() string {
	if c.Partition == "" {
		return "aws"
	}
	return c.Partition
}

// isAPICall tells whether the record is a call that somebody was authorised to
// make. A service's own events, console sign-ins and summaries are not (AWS:
// cloudtrail-event-reference-record-contents, eventType). Network activity
// events repeat calls that have a record of their own, unless the endpoint
// refused them.
func (c Call) isAPICall() bool {
	switch c.Type {
	case "", "AwsApiCall":
		return true
	case "AwsVpceEvent":
		return c.ErrorCode != ""
	}
	return false
}

// Literal writes a text so that a resource pattern matches it as it stands: its
// own wildcards and variable signs escaped (AWS: reference_policies_variables,
// special characters).
func Literal(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer("*", "${*}", "?", "${?}", "${", "${$}{")
