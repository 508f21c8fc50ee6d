package policy

import (
	"slices"
	"strings"
)

// resourcePattern is one entry of Resource or NotResource.
//
// Resources are case-sensitive. An ARN has six parts; the sixth keeps its colons.
// Variables count in the sixth only, after the fifth colon (AWS:
// reference_policies_variables). AWS: reference_policies_elements_resource.
type resourcePattern struct {
	text template
	all  bool // * alone
}

const arnParts = 6

// parseResourcePattern reads an entry that may hold variables.
func parseResourcePattern(text string) resourcePattern {
	return resourcePattern{text: parseTemplate(text, true, afterColon(text, arnParts-1))}
}

// plainResourcePattern is an entry without variables.
func plainResourcePattern(p []symbol) resourcePattern {
	return resourcePattern{text: template{symbols: p}, all: onlyStars(p)}
}

// afterColon is the offset after the nth colon of text, -1 if there are fewer.
func afterColon(text string, n int) int {
	at := 0
	for ; n > 0; n-- {
		i := strings.IndexByte(text[at:], ':')
		if i < 0 {
			return -1
		}
		at += i + 1
	}
	return at
}

// reach says by which reading of its wildcards a pattern matches a resource.
type reach uint8

const (
	// reachNone: by none.
	reachNone reach = iota
	// reachResourceless: the action takes no resource, the pattern names some.
	reachResourceless
	// reachUndecided: only with some value of a variable that is not known.
	reachUndecided
	// reachShort: only if the segments that a short ARN lacks match everything, as
	// identity policies and boundaries are said to have it.
	reachShort
	// reachUnstated: only if things hold that AWS does not document: a * inside a
	// segment matching a colon, a wildcard in the service segment.
	reachUnstated
	// reachCrossing: with a * at the end of a segment matching beyond the colon, as
	// AWS documents that it "can".
	reachCrossing
	// reachStrict: segment by segment. A * that ends the pattern takes all that
	// follows, as in arn:aws:s3:*.
	reachStrict
)

// match is the reach of p over a resource.
func match(p []symbol, resource string) reach {
	n := segments(p)
	if !matches(p, resource) {
		if n < arnParts && endsSegment(p) && isPrefixARN(p, n, resource) {
			return reachShort
		}
		return reachNone
	}
	switch {
	case onlyStars(p):
		return reachStrict
	case wildService(p):
		return reachUnstated
	case matchSegments(p, n, resource):
		return reachStrict
	case matchCrossing(p, resource):
		return reachCrossing
	}
	return reachUnstated
}

func onlyStars(p []symbol) bool {
	for _, sym := range p {
		if sym != anyRun {
			return false
		}
	}
	return len(p) > 0
}

// segments is the number of segments of p, at most six.
func segments(p []symbol) int {
	n := 1
	for _, sym := range p {
		if sym == ':' {
			if n++; n == arnParts {
				break
			}
		}
	}
	return n
}

// cutSegment cuts the first segment off p.
func cutSegment(p []symbol) (first, rest []symbol) {
	for i, sym := range p {
		if sym == ':' {
			return p[:i], p[i+1:]
		}
	}
	return p, nil
}

// wildService reports a pattern that does not spell its service out: no wildcard may
// stand in the service segment.
func wildService(p []symbol) bool {
	const service = 2 // arn:partition:service
	for i := range arnParts {
		first, rest := cutSegment(p)
		if i != 1 && slices.ContainsFunc(first, func(sym symbol) bool { return sym >= anyRun }) {
			return true
		}
		if i == service {
			return false
		}
		p = rest
	}
	return true
}

func endsSegment(p []symbol) bool { return len(p) > 0 && p[len(p)-1] != ':' }

// isPrefixARN reports whether p, which has n segments, matches the first n of the resource's.
func isPrefixARN(p []symbol, n int, resource string) bool {
	end := afterColon(resource, n)
	return end >= 0 && matchSegments(p, n, resource[:end-1])
}

// matchSegments matches p, which has n segments, segment by segment; the last takes
// the rest of the resource.
func matchSegments(p []symbol, n int, resource string) bool {
	for range n - 1 {
		first, rest := cutSegment(p)
		head, tail, ok := strings.Cut(resource, ":")
		if !ok || !matches(first, head) {
			return false
		}
		p, resource = rest, tail
	}
	if n < arnParts && len(p) > 0 && p[len(p)-1] == anyRun {
		resource, _, _ = strings.Cut(resource, ":")
	} else if n < arnParts && strings.Contains(resource, ":") {
		return false
	}
	return matches(p, resource)
}

// matchCrossing lets a * at the end of a segment match colons, and no other wildcard
// before the sixth segment.
func matchCrossing(p []symbol, resource string) bool {
	last := len(p) // where the sixth segment begins
	for i, colons := 0, 0; i < len(p); i++ {
		if p[i] == ':' {
			if colons++; colons == arnParts-1 {
				last = i + 1
				break
			}
		}
	}
	// here[i]: p[:i] matches what of the resource was read so far.
	here := make([]bool, len(p)+1)
	next := make([]bool, len(p)+1)
	here[0] = true
	skip := func(set []bool) {
		for i, sym := range p {
			if set[i] && isRun(sym) {
				set[i+1] = true
			}
		}
	}
	skip(here)
	for _, r := range resource {
		clear(next)
		for i, sym := range p {
			if !here[i] {
				continue
			}
			switch {
			case isRun(sym):
				crosses := i >= last || i+1 == len(p) || p[i+1] == ':'
				next[i] = next[i] || r != ':' || crosses
			case sym == anyOne:
				next[i+1] = next[i+1] || r != ':' || i >= last
			case literal(p[i:], r):
				next[i+runeLen(p[i:])] = true
			}
		}
		skip(next)
		here, next = next, here
	}
	return here[len(p)]
}

// literal reports whether p begins with the character r.
func literal(p []symbol, r rune) bool {
	text := string(r)
	if len(p) < len(text) {
		return false
	}
	for i := range len(text) {
		if p[i] != symbol(text[i]) {
			return false
		}
	}
	return true
}

// match matches one entry against the request's resource.
func (p *resourcePattern) match(env *environment) reach {
	if p.all {
		return reachStrict
	}
	symbols, ok := p.text.resolve(env)
	if !ok {
		// AWS: reference_policies_variables "Policy variables with no value": the
		// entry matches no resource.
		return reachNone
	}
	if env.request.Resource == "*" && !onlyStars(symbols) {
		return reachResourceless
	}
	reach := match(symbols, env.request.Resource)
	if reach > reachUnstated && slices.Contains(symbols, undecide) {
		return reachUndecided
	}
	return reach
}

// matchesResource is the verdict on the statement's Resource or NotResource. A
// statement without either speaks of every resource: only resource policies, whose
// resource is what they are attached to, and trust policies leave it out.
func (s *Statement) matchesResource(env *environment, layer Layer) verdict {
	if len(s.resources) == 0 && s.Resources == nil {
		return yes
	}
	best := reachNone
	for i := range s.resources {
		best = max(best, s.resources[i].match(env))
	}
	var v verdict
	switch {
	case best == reachStrict:
		v = yes
	case best == reachCrossing && !env.must:
		v = yes
	case best >= reachUnstated: // AWS says that it can cross: no proof that it does
		v = verdict{Unknown, true}
		env.note("", "whether a wildcard of "+s.resourceElement()+" reaches this resource is not documented")
	case best == reachShort:
		v = verdict{Unknown, layer == LayerIdentity || layer == LayerBoundary}
		env.note("", s.resourceElement()+" lacks the end of an ARN")
	case best == reachUndecided:
		v = open
	case best == reachResourceless:
		// An action without resource types. No page says that an ARN pattern speaks of
		// it, but an Allow of AWS's own does: s3:ListAllMyBuckets on arn:aws:s3:::*
		// (AWS: reference_policies_elements_condition_operators).
		v = verdict{Unknown, s.Effect == Allow && !s.NotResource}
		env.note("", "the action takes no resource, "+s.resourceElement()+" names some")
	default:
		v = no
	}
	if s.NotResource {
		return v.not()
	}
	return v
}

func (s *Statement) resourceElement() string {
	if s.NotResource {
		return "NotResource"
	}
	return "Resource"
}

// MatchResource reports whether an entry of a Resource element matches a resource's
// ARN: on the May side as widely as IAM might match, on the Must side segment by
// segment. Policy variables count as written text.
// AWS: reference_policies_elements_resource.
func MatchResource(pattern, resource string, side Side) bool {
	reach := match(symbolsOf(pattern, true), resource)
	if side == Must {
		return reach == reachStrict
	}
	return reach != reachNone
}

// Includes reports whether outer matches every resource that inner matches, both
// read segment by segment. True is a proof; false may mean that none was found. A
// variable in inner stands for any text, one in outer for nothing but itself.
func Includes(outer, inner string) bool {
	return outer == inner || includesPattern(patternSymbols(outer), patternSymbols(inner))
}

// patternSymbols reads a resource pattern with each variable as the symbol undecide.
func patternSymbols(text string) []symbol {
	t := parseTemplate(text, true, afterColon(text, arnParts-1))
	p := t.symbols
	for _, v := range t.parts {
		if v.key != "" {
			p = append(p, undecide)
		} else {
			p = append(p, v.symbols...)
		}
	}
	return p
}

func includesPattern(outer, inner []symbol) bool {
	if onlyStars(outer) {
		return true
	}
	if onlyStars(inner) || wildService(outer) {
		return false
	}
	n, m := segments(outer), segments(inner)
	short := n < arnParts
	if short && endsInStar(inner) && !endsInStar(outer) {
		return false // inner takes segments that outer lacks
	}
	for ; n > 1; n, m = n-1, m-1 {
		first, rest := cutSegment(outer)
		head, tail := cutSegment(inner)
		if m <= 1 {
			// Only a * at its end lets a short pattern reach further segments,
			// with any text in them.
			return endsInStar(inner) && includes(first, inner) && everySegment(rest)
		}
		if !includes(first, head) {
			return false
		}
		outer, inner = rest, tail
	}
	if short && m > 1 {
		if !endsInStar(outer) {
			return false
		}
		inner, _ = cutSegment(inner)
	}
	return includes(outer, inner)
}

func endsInStar(p []symbol) bool { return len(p) > 0 && p[len(p)-1] == anyRun }

// everySegment reports whether all segments of p are a lone *.
func everySegment(p []symbol) bool {
	for i, sym := range p {
		if wild := i%2 == 0; wild != (sym == anyRun) || !wild && sym != ':' {
			return false
		}
	}
	return len(p)%2 == 1
}

// Overlaps reports whether some resource may match both patterns, read as widely as
// IAM might read them. False is a proof.
func Overlaps(a, b string) bool {
	return a == "*" || b == "*" || overlap(widest(a), widest(b))
}

// widest is the pattern by its widest reading: missing segments match everything.
func widest(text string) []symbol { return widestSymbols(patternSymbols(text)) }

func widestSymbols(p []symbol) []symbol {
	if segments(p) < arnParts && endsSegment(p) && p[len(p)-1] != anyRun {
		return append(slices.Clip(p), anyRun)
	}
	return p
}
