package awssim

import (
	"cmp"
	"slices"
	"time"
)

// Count is what the server saw of one operation in one region.
type Count struct {
	Operation string // as an IAM action
	Region    string // of the credential scope
	Requests  int    // all that arrived, retries and refused ones included
	Retries   int    // of these, those that the client called a further attempt
	Throttled int    // of these, those the server answered with Rate exceeded
	First     time.Time
	Last      time.Time
}

// Violation is a request outside the read list, refused.
type Violation struct {
	Service   string
	Operation string // or method and path
	Region    string
	Time      time.Time
}

type place struct{ operation, region string }

// tally is everything that is counted. Its owner locks it.
type tally struct {
	counts     map[place]*Count
	times      map[place][]time.Time
	violations []Violation
	matched    []int // for each fault, the requests it matched so far
	buckets    map[place]*bucket
}

func newTally(faults int) tally {
	return tally{
		counts:  make(map[place]*Count),
		times:   make(map[place][]time.Time),
		matched: make([]int, faults),
		buckets: make(map[place]*bucket),
	}
}

func (t *tally) add(at place, retry bool, now time.Time) *Count {
	c := t.counts[at]
	if c == nil {
		c = &Count{Operation: at.operation, Region: at.region, First: now}
		t.counts[at] = c
	}
	c.Requests++
	if retry {
		c.Retries++
	}
	c.Last = now
	t.times[at] = append(t.times[at], now)
	return c
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	filled time.Time
}

// take says whether a request at now may pass at rate requests a second.
func (t *tally) take(at place, rate float64, now time.Time) bool {
	size := max(rate, 1)
	b := t.buckets[at]
	if b == nil {
		b = &bucket{tokens: size, filled: now}
		t.buckets[at] = b
	}
	b.tokens = min(size, b.tokens+rate*now.Sub(b.filled).Seconds())
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Counts gives what was counted since the start or the last Reset, sorted by operation and region.
func (s *Server) Counts() []Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make([]Count, 0, len(s.tally.counts))
	for _, c := range s.tally.counts {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(p, q Count) int {
		return cmp.Or(cmp.Compare(p.Operation, q.Operation), cmp.Compare(p.Region, q.Region))
	})
	return counts
}

// Requests is the number of requests of an operation (as in Fault, so iam:* and * are sums) over all regions.
func (s *Server) Requests(operation string) int {
	n := 0
	for _, c := range s.Counts() {
		if matchesOperation(operation, c.Operation) {
			n += c.Requests
		}
	}
	return n
}

// Times gives when each request of an operation in a region arrived, by the server's clock, oldest first.
func (s *Server) Times(operation, region string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tally.times[place{operation, region}])
}

// Violations gives the requests outside the read list, oldest first.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tally.violations)
}

// Reset forgets counts, times, violations, how often faults have matched and the state of rate limits. Faults,
// behaviour and last accessed reports stay.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally = newTally(len(s.faults))
}
