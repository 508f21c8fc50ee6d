package policy

// Truth is a value of Kleene's three-valued logic: what is known of a question that
// depends on things the request context may not tell.
type Truth uint8

// The three values, in the order in which "and" is the least and "or" the greatest.
const (
	False Truth = iota
	Unknown
	True
)

func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[t] }

// verdict is a Truth together with AWS's documented reading of it. The reading
// answers, where every context key is known, what remains Unknown for other reasons:
// a wildcard that crosses colons where AWS does not say so, a value of the wrong type.
type verdict struct {
	truth   Truth
	reading bool
}

var (
	no  = verdict{False, false}
	yes = verdict{True, true}
	// open is a question without any documented answer.
	open = verdict{Unknown, false}
)

func decided(b bool) verdict {
	if b {
		return yes
	}
	return no
}

func (v verdict) not() verdict { return verdict{True - v.truth, !v.reading} }

func (v verdict) and(w verdict) verdict {
	return verdict{min(v.truth, w.truth), v.reading && w.reading}
}

func (v verdict) or(w verdict) verdict {
	return verdict{max(v.truth, w.truth), v.reading || w.reading}
}

// Side says how a decision treats what is undecided.
type Side uint8

const (
	// May (E+) allows whatever AWS might allow: an undecided Allow counts, an
	// undecided Deny does not, wildcards match as widely as IAM ever matches.
	May Side = iota
	// Must (E-) allows only what AWS certainly allows: the reverse of May, and
	// wildcards match segment by segment.
	Must
	// documented decides by AWS's documented reading. Simulate uses it: there
	// every context key is known.
	documented
)

func (s Side) String() string { return [...]string{"may", "must", "documented"}[s] }

// counts reports whether a statement of the effect takes effect on this side.
func (s Side) counts(e Effect, v verdict) bool {
	switch {
	case s == documented:
		return v.reading
	case (s == May) == (e == Allow):
		return v.truth != False
	default:
		return v.truth == True
	}
}
