// Package naive is a second IAM evaluator, for tests only. It reads a case in the format of `audit simulate` and
// decides it straight from AWS's pages, one numbered rule after the other: no bit sets, no caches, nothing shared, no
// speed. It knows nothing of package policy, so that where both agree, two readings of the same pages agree.
//
// Every rule names the AWS page it comes from. Where a page leaves a question open the answer is Unknown, and the
// caller says on which side to err: the may side allows whatever AWS might allow, the must side only what it surely
// allows.
package naive

// Truth is Kleene's three-valued logic.
type Truth int

const (
	False Truth = iota
	Unknown
	True
)

func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[t] }

func not(t Truth) Truth { return True - t }

func and(a, b Truth) Truth { return min(a, b) }

func or(a, b Truth) Truth { return max(a, b) }

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Answer is a decision and the layer that took it, in the words of `audit simulate`.
type Answer struct{ Decision, Layer string }

// The three decisions.
const (
	Allowed      = "Allowed"
	ImplicitDeny = "ImplicitDeny"
	ExplicitDeny = "ExplicitDeny"
)
