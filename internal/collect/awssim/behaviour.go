package awssim

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"
)

// Behaviour is how the server answers where nothing goes wrong: what AWS leaves open, and what a test wants to see.
// The zero value is the plainest AWS there is.
type Behaviour struct {
	// PageCaps limit the items of a page below what the client asked for: by operation as in Fault, all that match.
	PageCaps map[string]int
	// Shuffle, where not zero, is the seed that orders what AWS leaves unordered: roles and policies in IAM's
	// answers, jobs and events of one and the same time.
	Shuffle uint64
	// AnyOrder shuffles the items of every single answer, events too. AWS does not do this: it shows that a client
	// depends on no order at all.
	AnyOrder bool
	// Overlap begins each page with the last item of the page before, as a list that moves under its reader does.
	Overlap bool
	// Rates are limits in requests a second for each region, by operation as in Fault: a bucket of that many tokens
	// (at least one), refilled at that rate. AWS gives LookupEvents 2.
	Rates map[string]float64
	// SearchLag hides jobs from Search that are younger than this at the account's time.
	SearchLag time.Duration
	// SearchCap, where not zero, is the most jobs that one query of Search ever answers; TotalHits is then only a
	// lower bound.
	SearchCap int
	// LastAccessedPolls is how many requests for a last accessed report are told that it is in progress.
	LastAccessedPolls int
	// LastAccessedFails makes every last accessed report end as FAILED.
	LastAccessedFails bool
	// Authorize decides over each request, by the IAM action and the resource ARN or "*". Nil allows everything.
	Authorize func(action, resource string) bool
}

func (b Behaviour) clone() Behaviour {
	b.PageCaps = maps.Clone(b.PageCaps)
	b.Rates = maps.Clone(b.Rates)
	return b
}

// pageCap is the smallest cap that matches, 0 for none.
func (b *Behaviour) pageCap(action string) int {
	limit := 0
	for pattern, n := range b.PageCaps {
		if matchesOperation(pattern, action) && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

// rate is the smallest rate that matches, 0 for none.
func (b *Behaviour) rate(action string) float64 {
	limit := 0.0
	for pattern, n := range b.Rates {
		if matchesOperation(pattern, action) && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}

const switches = "page-cap, rate, shuffle, any-order, overlap, search-lag, search-cap, last-accessed-polls or last-accessed-fails"

// Set changes the behaviour by one line of a script:
//
//	page-cap OPERATION N    rate OPERATION PER-SECOND    shuffle SEED
//	any-order on|off        overlap on|off               search-lag DURATION    search-cap N
//	last-accessed-polls N                  last-accessed-fails on|off
func (b *Behaviour) Set(text string) error {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return fmt.Errorf("switch is empty: want %s", switches)
	}
	name, args := fields[0], fields[1:]
	want := 1
	if name == "page-cap" || name == "rate" {
		want = 2
	}
	if len(args) != want {
		return fmt.Errorf("switch %q: %s takes %d values, got %d", text, name, want, len(args))
	}
	if err := b.set(name, args); err != nil {
		return fmt.Errorf("switch %q: %w", text, err)
	}
	return nil
}

func (b *Behaviour) set(name string, args []string) error {
	last := args[len(args)-1]
	switch name {
	case "page-cap":
		n, err := positive(name, last)
		if err != nil {
			return err
		}
		if err := checkOperation(args[0]); err != nil {
			return err
		}
		if b.PageCaps == nil {
			b.PageCaps = make(map[string]int)
		}
		b.PageCaps[args[0]] = n
	case "rate":
		n, err := strconv.ParseFloat(last, 64)
		if err != nil || !(n > 0) {
			return fmt.Errorf("rate %s: want requests a second, above 0", last)
		}
		if err := checkOperation(args[0]); err != nil {
			return err
		}
		if b.Rates == nil {
			b.Rates = make(map[string]float64)
		}
		b.Rates[args[0]] = n
	case "shuffle":
		n, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return fmt.Errorf("shuffle %s: want a whole number, 0 for none", last)
		}
		b.Shuffle = n
	case "any-order":
		return onOff(&b.AnyOrder, last)
	case "overlap":
		return onOff(&b.Overlap, last)
	case "search-lag":
		d, err := time.ParseDuration(last)
		if err != nil || d < 0 {
			return fmt.Errorf("search-lag %s: want a duration such as 30m", last)
		}
		b.SearchLag = d
	case "search-cap":
		n, err := positive(name, last)
		if err != nil {
			return err
		}
		b.SearchCap = n
	case "last-accessed-polls":
		n, err := strconv.Atoi(last)
		if err != nil || n < 0 {
			return fmt.Errorf("last-accessed-polls %s: want a whole number, 0 for none", last)
		}
		b.LastAccessedPolls = n
	case "last-accessed-fails":
		return onOff(&b.LastAccessedFails, last)
	default:
		return fmt.Errorf("unknown switch %q: want %s", name, switches)
	}
	return nil
}

func onOff(into *bool, text string) error {
	switch text {
	case "on":
		*into = true
	case "off":
		*into = false
	default:
		return fmt.Errorf("%q: want on or off", text)
	}
	return nil
}
