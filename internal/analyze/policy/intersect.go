package policy

import "slices"

// Intersect is the resources that match both entries of a Resource element, as entries
// that together match just these, sorted; none where nothing matches both. All are read
// segment by segment. exact is false where that cannot be said: an entry that is short
// or leaves its service open, variables that would have to be compared with text, and
// wildcards that meet in too many ways.
//
// AWS: reference_policies_elements_resource.
func Intersect(a, b string) (both []string, exact bool) {
	switch {
	case a == b || b == "*":
		return []string{a}, true
	case a == "*":
		return []string{b}, true
	case !Overlaps(a, b):
		return nil, true
	case Includes(a, b):
		return []string{b}, true
	case Includes(b, a):
		return []string{a}, true
	}
	p, ok := sixParts(a)
	q, also := sixParts(b)
	if !ok || !also {
		return nil, false
	}
	all := []chain{nil}
	for i := range p {
		met, ok := meet(p[i], q[i])
		if !ok || len(met)*len(all) > mostMet {
			return nil, false
		}
		var next []chain
		for _, head := range all {
			for _, part := range met {
				c := slices.Clone(head)
				if i > 0 {
					c = append(c, token{char: ':'})
				}
				next = append(next, append(c, part...))
			}
		}
		all = next
	}
	for _, c := range all {
		both = append(both, c.spell())
	}
	return sorted(both), true
}

// mostMet bounds the entries of an intersection, and the work for one.
const mostMet = 64

// sixParts are the segments of a pattern without variables that certainly matches something.
func sixParts(text string) ([]chain, bool) {
	t := parseResourcePattern(text).text
	c, _ := variables{}.chain(&t, &environment{context: &Context{}})
	r := newResourceChain(c)
	if r.odd || c.variable() || len(r.read(readStrict, nil)) == 0 {
		return nil, false
	}
	parts := r.parts
	for len(parts) < arnParts { // it ends in *, which takes what follows
		parts = append(slices.Clip(parts), everyText)
	}
	return parts, true
}

// meet is the texts that match both chains, as chains of which none lies in another.
// Two patterns of * walk along a text together; wherever one of them is at a * the
// other may go on, and where both are the text is free. There are finitely many such walks.
func meet(x, y chain) ([]chain, bool) {
	memo := make([][]chain, (len(x)+1)*(len(y)+1))
	known := make([]bool, len(memo))
	fits, work := true, 0
	var rest func(i, j int) []chain
	rest = func(i, j int) (all []chain) {
		at := i*(len(y)+1) + j
		if known[at] || !fits {
			return memo[at]
		}
		then := func(t token, tails []chain) {
			for _, tail := range tails {
				if !t.run() || len(tail) == 0 || !tail[0].run() {
					tail = append(chain{t}, tail...)
				}
				all = append(all, tail)
			}
		}
		xRuns, yRuns := i < len(x) && x[i].run(), j < len(y) && y[j].run()
		switch {
		case i == len(x) && j == len(y):
			all = []chain{{}}
		case xRuns && yRuns:
			then(x[i], rest(i+1, j))
			then(x[i], rest(i, j+1))
		case xRuns:
			all = slices.Clone(rest(i+1, j))
			if j < len(y) {
				then(y[j], rest(i, j+1))
			}
		case yRuns:
			all = slices.Clone(rest(i, j+1))
			if i < len(x) {
				then(x[i], rest(i+1, j))
			}
		case i == len(x) || j == len(y):
		case x[i].kind == tokenOne:
			then(y[j], rest(i+1, j+1))
		case y[j].kind == tokenOne || x[i] == y[j]:
			then(x[i], rest(i+1, j+1))
		}
		if len(all) <= mostMet {
			all = widestOf(all)
		}
		if work += len(all); work > mostMet*mostMet || len(all) > mostMet {
			fits, all = false, nil
		}
		known[at], memo[at] = true, all
		return all
	}
	all := rest(0, 0)
	return all, fits
}

// widestOf leaves out the chains that lie in another one.
func widestOf(all []chain) []chain {
	if len(all) < 2 {
		return all
	}
	spelled := make([][]symbol, len(all))
	for i, c := range all {
		spelled[i] = c.symbols()
	}
	var kept []chain
	for i, c := range all {
		within := false
		for j := range all {
			within = within || i != j && includes(spelled[j], spelled[i]) && (j < i || !includes(spelled[i], spelled[j]))
		}
		if !within {
			kept = append(kept, c)
		}
	}
	return kept
}

// symbols are the chain's, where it has neither variables nor the wildcards of a segment.
func (c chain) symbols() []symbol {
	p := make([]symbol, 0, len(c))
	for _, t := range c {
		switch t.kind {
		case tokenRun:
			p = append(p, anyRun)
		case tokenOne:
			p = append(p, anyOne)
		default:
			p = appendSymbols(p, string(t.char), false)
		}
	}
	return p
}
