package analyze

import (
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/policy"
)

// someOf tells whether the stack lets the principal call an action on some resource of a
// pattern: Yes where it certainly does, Conditional where it may. Where the stack's
// answer is about a part of the pattern, and its Denies take some of that away, one
// resource that is left must be found: nothing is counted that the engine would refuse.
// part reports that it is not on all of them.
func someOf(stack *policy.Stack, p policy.Principal, action, pattern string, known policy.Context) (state policy.State, part bool, x policy.Access) {
	x = stack.Access(p, action, pattern, known)
	if !x.Partial || !policy.IsPattern(pattern) {
		return x.Effective, x.Partial, x
	}
	if x.Effective == policy.No {
		return policy.No, false, x
	}
	best := policy.No
	for _, piece := range piecesOf(&x, pattern) {
		y := stack.Access(p, action, piece, known)
		got := y.Effective
		if got > best && y.Partial && policy.IsPattern(piece) {
			got = witness(stack, p, action, piece, known)
		}
		best = max(best, got)
		if best >= x.Effective {
			break
		}
	}
	return best, true, x
}

// shares remembers what two patterns have in common: roles with the same policies ask it
// of the same resources.
var shares = intersections{known: map[[2]string]intersection{}}

type intersections struct {
	mu    sync.Mutex
	known map[[2]string]intersection
}

type intersection struct {
	both  []string
	exact bool
}

// mostShares is how many are remembered.
const mostShares = 1 << 14

// of is policy.Intersect.
func (s *intersections) of(a, b string) ([]string, bool) {
	key := [2]string{a, b}
	s.mu.Lock()
	x, known := s.known[key]
	s.mu.Unlock()
	if known {
		return x.both, x.exact
	}
	x.both, x.exact = policy.Intersect(a, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= mostShares {
		clear(s.known)
	}
	s.known[key] = x
	return x.both, x.exact
}

// mostPieces bounds the parts of one pattern that are asked about.
const mostPieces = 64

// piecesOf are the pattern and the parts of it that an Allow's Resource names, or a Deny's
// NotResource: outside of these parts either nothing is allowed, or all is refused.
func piecesOf(x *policy.Access, pattern string) []string {
	pieces := []string{pattern}
	narrow := func(st *policy.Statement) {
		for _, r := range st.Resources {
			for _, piece := range pieces {
				both, exact := shares.of(r, piece)
				if !exact {
					continue
				}
				for _, b := range both {
					if len(pieces) < mostPieces && !slices.Contains(pieces, b) {
						pieces = append(pieces, b)
					}
				}
			}
		}
	}
	for _, m := range x.Allows {
		if !m.Statement.NotResource {
			narrow(m.Statement)
		}
	}
	for _, m := range x.Denies {
		if m.Statement.NotResource {
			narrow(m.Statement)
		}
	}
	return pieces
}

// witness decides on one resource of the pattern.
func witness(stack *policy.Stack, p policy.Principal, action, pattern string, known policy.Context) policy.State {
	r := policy.Request{Principal: p, Action: action, Resource: instance(pattern), Context: known}
	switch {
	case stack.Decide(r, policy.Must).Outcome == policy.Allowed:
		return policy.Yes
	case stack.Decide(r, policy.May).Outcome == policy.Allowed:
		return policy.Conditional
	}
	return policy.No
}

// instance is a resource that the pattern matches, with a name that no Deny is likely to
// list.
func instance(pattern string) string {
	return strings.NewReplacer("**", probeName, "*", probeName, "?", "x").Replace(pattern)
}

// probeName is a name that no policy knows.
const probeName = "audit-probe"
