package awssim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	Refuse      FaultKind = "refuse"       // AccessDenied, as the service words it
	RefuseKey   FaultKind = "refuse-key"   // of s3:GetObject: the object may be read, and the key it is encrypted with may not be used
	Throttle    FaultKind = "throttle"     // Rate exceeded, as the service words it
	Fail        FaultKind = "fail"         // a server error: 500, or the status given (fail=503)
	Expire      FaultKind = "expire"       // the caller's session has expired
	Cut         FaultKind = "cut"          // the connection ends in the middle of the answer
	Garble      FaultKind = "garble"       // status 200, and a body that no client can read
	Truncate    FaultKind = "truncate"     // status 200, and half of the body as if that were all
	RepeatToken FaultKind = "repeat-token" // an answer gives the page token it was asked with, for ever
	Empty       FaultKind = "empty"        // a good answer without items and without a token
	EmptyPage   FaultKind = "empty-page"   // a good answer without items and with a token for the same place
	Slow        FaultKind = "slow"         // the answer comes after a delay (slow=200ms)
)

var faultKinds = []FaultKind{Refuse, RefuseKey, Throttle, Fail, Expire, Cut, Garble, Truncate, RepeatToken, Empty, EmptyPage, Slow}

// Fault is something that goes wrong with the requests it matches. The first matching fault that is due acts; a
// slow one lets the next act too.
type Fault struct {
	Operation string // an IAM action such as cloudtrail:LookupEvents; iam:* is a service's, * every operation
	Region    string // empty: every region
	Kind      FaultKind
	From      int           // acts from this matching request on, counted from 1; 0 means 1
	Times     int           // and for so many matching requests; 0 means for ever
	Status    int           // of Fail; 0 means 500
	Delay     time.Duration // of Slow
}

// ParseFault reads a fault as a script writes it: the operation, then the kind and the conditions in any order.
//
//	cloudtrail:LookupEvents refuse region=us-east-1
//	iam:* throttle times=3
//	sagemaker:Search fail=503 from=2 times=1
//	* slow=50ms
func ParseFault(text string) (Fault, error) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return Fault{}, fmt.Errorf("fault is empty: want OPERATION KIND [region=R] [from=N] [times=K]")
	}
	f := Fault{Operation: fields[0]}
	if err := checkOperation(f.Operation); err != nil {
		return Fault{}, err
	}
	seen := make(map[string]bool)
	for _, field := range fields[1:] {
		name, value, hasValue := strings.Cut(field, "=")
		if seen[name] {
			return Fault{}, fmt.Errorf("fault %q: %s stands twice", text, name)
		}
		seen[name] = true
		if err := f.set(name, value, hasValue); err != nil {
			return Fault{}, fmt.Errorf("fault %q: %w", text, err)
		}
	}
	if f.Kind == "" {
		return Fault{}, fmt.Errorf("fault %q has no kind: want one of %s", text, kindList())
	}
	return f, nil
}

func (f *Fault) set(name, value string, hasValue bool) (err error) {
	switch name {
	case "region":
		if value == "" {
			return fmt.Errorf("region= needs a region")
		}
		f.Region = value
		return nil
	case "from":
		f.From, err = positive(name, value)
		return err
	case "times":
		f.Times, err = positive(name, value)
		return err
	}
	kind := FaultKind(name)
	if !slices.Contains(faultKinds, kind) {
		return fmt.Errorf("unknown word %q: want region=, from=, times= or one of %s", name, kindList())
	}
	if f.Kind != "" {
		return fmt.Errorf("two kinds, %s and %s", f.Kind, kind)
	}
	f.Kind = kind
	switch {
	case kind == Slow:
		if f.Delay, err = time.ParseDuration(value); err != nil || f.Delay <= 0 {
			return fmt.Errorf("slow=%s: want a duration such as slow=200ms", value)
		}
	case kind == Fail && hasValue:
		if f.Status, err = strconv.Atoi(value); err != nil || f.Status < 500 || f.Status > 599 {
			return fmt.Errorf("fail=%s: want a status of 500 to 599", value)
		}
	case hasValue:
		return fmt.Errorf("%s takes no value", kind)
	}
	return nil
}

// String writes the fault as ParseFault reads it.
func (f Fault) String() string {
	text := f.Operation + " " + string(f.Kind)
	if f.Kind == Slow {
		text += "=" + f.Delay.String()
	}
	if f.Kind == Fail && f.Status != 0 {
		text += "=" + strconv.Itoa(f.Status)
	}
	if f.Region != "" {
		text += " region=" + f.Region
	}
	if f.From != 0 {
		text += " from=" + strconv.Itoa(f.From)
	}
	if f.Times != 0 {
		text += " times=" + strconv.Itoa(f.Times)
	}
	return text
}

func (f *Fault) matches(action, region string) bool {
	if f.Region != "" && f.Region != region {
		return false
	}
	return matchesOperation(f.Operation, action)
}

// due says whether the fault acts on the nth request that it matches.
func (f *Fault) due(n int) bool {
	from := max(f.From, 1)
	return n >= from && (f.Times == 0 || n < from+f.Times)
}

// refusal gives the error answer of a fault, or nil where the fault shapes the answer in another way.
func (f *Fault) refusal(c *call) *apiError {
	words := wordings[c.operation.protocol]
	switch f.Kind {
	case Refuse:
		return c.operation.protocol.deny(c.account.caller().ARN, c.operation.permission(), c.operation.resource(c))
	case Throttle:
		return &words.throttled
	case Expire:
		return &words.expired
	case Fail:
		if f.Status == 0 {
			return c.operation.protocol.outage(http.StatusInternalServerError)
		}
		return c.operation.protocol.outage(f.Status)
	default:
		return nil
	}
}

func matchesOperation(pattern, action string) bool {
	service, all := strings.CutSuffix(pattern, ":*")
	return pattern == "*" || pattern == action || all && strings.HasPrefix(action, service+":")
}

// checkOperation tells a script of a name that would never match.
func checkOperation(pattern string) error {
	for action := range operations {
		if matchesOperation(pattern, action) {
			return nil
		}
	}
	return fmt.Errorf("unknown operation %q: want *, a service such as iam:*, or one of %s", pattern, strings.Join(Operations(), ", "))
}

func positive(name, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s=%s: want a whole number from 1", name, value)
	}
	return n, nil
}

func kindList() string {
	names := make([]string, len(faultKinds))
	for i, kind := range faultKinds {
		names[i] = string(kind)
	}
	return strings.Join(names, ", ")
}
