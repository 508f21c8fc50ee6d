package policy

import (
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"
)

// A chain is a pattern as a chain of tokens; constraints are sets of chains that a
// text must be in, or out of; a walk finds a text that meets all of them, or proves
// that there is none. Inclusion, overlap and everything after a Deny are such
// questions: B lies in A when no text is in B and out of A.
type (
	chain []token
	token struct {
		kind tokenKind
		char rune // of tokenRune and tokenFold; negative: the value of a variable
	}
	tokenKind   uint8
	constraints []constraint
	constraint  struct {
		chains []chain
		in     bool // in one of them; else in none
	}
)

const (
	tokenRune  tokenKind = iota // this character
	tokenFold                   // a character whose lower case is this one
	tokenOne                    // ?: any one character
	tokenOneIn                  // any one character but a colon
	tokenRun                    // *: any run of characters
	tokenRunIn                  // any run without a colon
)

// takes reports whether the token takes the letter. A letter below zero stands for
// the value of a variable, whatever that is: only its own token and * take it.
func (t token) takes(letter rune) bool {
	switch t.kind {
	case tokenRune:
		return t.char == letter
	case tokenFold:
		return letter >= 0 && unicode.ToLower(letter) == t.char
	case tokenOne:
		return letter >= 0
	case tokenOneIn, tokenRunIn:
		return letter >= 0 && letter != ':'
	}
	return true
}

func (t token) run() bool { return t.kind >= tokenRun }

func plainChain(text string) chain {
	c := make(chain, 0, len(text))
	for _, r := range text {
		c = append(c, token{char: r})
	}
	return c
}

// everyText and someText are the languages * and ?*; everyARN is the texts of six parts.
var (
	everyText = chain{{kind: tokenRun}}
	someText  = chain{{kind: tokenOne}, {kind: tokenRun}}
	everyARN  = func() chain {
		c := plainChain("arn:")
		for range arnParts - 2 {
			c = append(c, token{kind: tokenRunIn}, token{char: ':'})
		}
		return append(c, token{kind: tokenRun})
	}()
)

// everyResourceARN is the ARNs that a resource may have: a SageMaker resource's sixth part is
// type/name, and no name holds a colon (AWS: list_amazonsagemaker "Resource types defined").
// So its patterns mean the same in every reading, and what they leave out they leave out surely.
var everyResourceARN = constraints{
	{[]chain{everyARN}, true},
	{globResource("arn:*:sagemaker:*:*:*:*").read(readStrict, nil), false},
}

// everyARNs is the same for a pattern that spells such a colon all the same.
var everyARNs = constraints{{[]chain{everyARN}, true}, {nil, false}}

// resources are the ARNs that the clause may be asked about.
func (c *clause) resources() constraints {
	const service, last = 2, arnParts - 1
	if slices.ContainsFunc(c.entries, func(r resourceChain) bool {
		return len(r.parts) == arnParts && slices.Equal(r.parts[service], plainChain("sagemaker")) && slices.Contains(r.parts[last], token{char: ':'})
	}) {
		return everyARNs
	}
	return everyResourceARN
}

// globResource reads a pattern without variables.
func globResource(text string) *resourceChain {
	r := newResourceChain(symbolChain(nil, symbolsOf(text, true)))
	return &r
}

// place is where a walk stands in one chain: the chain's index, then the token's.
type place uint32

const placeBits = 16

// nextConstraint divides the places of one constraint from those of the next.
const nextConstraint = ^place(0)

// walk finds a shortest text that meets every constraint. The answer is True with
// the text, False when there is provably none, Unknown after too many steps or where
// a chain is too long for it.
//
// Characters that no token names are alike, so one stands for all of them: with that
// the walk is exact. steps is what it may still spend, and is spent.
func (all constraints) walk(steps *int) (string, Truth) {
	for _, c := range all {
		if len(c.chains) >= 1<<placeBits-1 || slices.ContainsFunc(c.chains, func(c chain) bool { return len(c) >= 1<<placeBits-1 }) {
			return "", Unknown
		}
		if c.in && len(c.chains) == 0 {
			return "", False
		}
	}
	w := walker{all: all, seen: map[string]bool{}}
	var start []place
	for i := range all {
		if i > 0 {
			start = append(start, nextConstraint)
		}
		from := len(start)
		for j := range all[i].chains {
			start = w.add(start, i, j, 0)
		}
		if start = tidy(start, from); w.dead(i, start[from:]) {
			return "", False
		}
	}
	w.visit(start, -1, 0)
	for n := 0; n < len(w.nodes); n++ {
		if w.accepts(w.nodes[n].places) {
			return w.text(n), True
		}
		if *steps--; *steps < 0 {
			return "", Unknown
		}
		for _, letter := range w.letters(w.nodes[n].places) {
			if next, ok := w.step(w.nodes[n].places, letter); ok {
				w.visit(next, n, letter)
			}
		}
	}
	return "", False
}

type walker struct {
	all   constraints
	nodes []walkerNode
	seen  map[string]bool
	key   []byte
	named []rune
}

type walkerNode struct {
	places []place
	from   int // index of the node before, -1 at the start
	letter rune
}

func (w *walker) visit(places []place, from int, letter rune) {
	w.key = w.key[:0]
	for _, p := range places {
		w.key = binary.NativeEndian.AppendUint32(w.key, uint32(p))
	}
	if w.seen[string(w.key)] {
		return
	}
	w.seen[string(w.key)] = true
	w.nodes = append(w.nodes, walkerNode{places, from, letter})
}

// text is what the letters on the way to the node spell.
func (w *walker) text(n int) string {
	var letters []rune
	for ; w.nodes[n].from >= 0; n = w.nodes[n].from {
		letters = append(letters, w.nodes[n].letter)
	}
	slices.Reverse(letters)
	return string(letters)
}

// add appends a place and those behind the runs that may be empty there.
func (w *walker) add(places []place, constraint, chain, at int) []place {
	for tokens := w.all[constraint].chains[chain]; ; at++ {
		places = append(places, place(chain<<placeBits|at))
		if at == len(tokens) || !tokens[at].run() {
			return places
		}
	}
}

// tidy sorts the places of one constraint, which begin at from, each once.
func tidy(places []place, from int) []place {
	slices.Sort(places[from:])
	return places[:from+len(slices.Compact(places[from:]))]
}

// dead reports that no text can meet constraint i any more.
func (w *walker) dead(i int, places []place) bool {
	c := &w.all[i]
	if c.in {
		return len(places) == 0
	}
	return slices.ContainsFunc(places, func(p place) bool {
		tokens, at := c.chains[p>>placeBits], int(p&(1<<placeBits-1))
		return at == len(tokens)-1 && tokens[at].kind == tokenRun
	})
}

func (w *walker) accepts(places []place) bool {
	for i := range w.all {
		c := &w.all[i]
		accepted := false
		for len(places) > 0 && places[0] != nextConstraint {
			accepted = accepted || int(places[0]&(1<<placeBits-1)) == len(c.chains[places[0]>>placeBits])
			places = places[1:]
		}
		if accepted != c.in {
			return false
		}
		if len(places) > 0 {
			places = places[1:]
		}
	}
	return true
}

// letters are those that can make a difference: the ones that tokens name, a colon
// where a token refuses it, and one letter that no token names.
func (w *walker) letters(places []place) []rune {
	named, i := w.named[:0], 0
	wild := true // every constraint that the text must be in has a wildcard here
	open := !w.all[0].in
	for _, p := range places {
		if p == nextConstraint {
			wild = wild && open
			i++
			open = !w.all[i].in
			continue
		}
		tokens, at := w.all[i].chains[p>>placeBits], int(p&(1<<placeBits-1))
		if at == len(tokens) {
			continue
		}
		switch t := tokens[at]; t.kind {
		case tokenRune:
			named = append(named, t.char)
		case tokenFold:
			named = append(named, t.char, unicode.ToUpper(t.char))
			switch t.char {
			case 'k':
				named = append(named, '\u212a') // KELVIN SIGN
			case 'i':
				named = append(named, '\u0130')
			}
		case tokenOneIn, tokenRunIn:
			named, open = append(named, ':'), true
		default:
			open = true
		}
	}
	wild = wild && open
	slices.Sort(named)
	named = slices.Compact(named)
	w.named = named
	if !wild {
		return named
	}
	return append(named, fresh(named))
}

// fresh is a letter that is not among the taken ones.
func fresh(taken []rune) rune {
	for _, r := range "xyzabcdefghijklmnopqrstuvw0123456789XYZABCDEFGHIJKLMNOPQRSTUVW-_." {
		if _, found := slices.BinarySearch(taken, r); !found {
			return r
		}
	}
	for r := '\u4e00'; ; r++ {
		if _, found := slices.BinarySearch(taken, r); !found {
			return r
		}
	}
}

// step is where the letter leads; ok is false if no text can follow.
func (w *walker) step(places []place, letter rune) (next []place, ok bool) {
	next = make([]place, 0, len(places)+4)
	for i := range w.all {
		if i > 0 {
			next = append(next, nextConstraint)
		}
		from := len(next)
		for len(places) > 0 && places[0] != nextConstraint {
			c, at := int(places[0]>>placeBits), int(places[0]&(1<<placeBits-1))
			places = places[1:]
			tokens := w.all[i].chains[c]
			switch {
			case at == len(tokens) || !tokens[at].takes(letter):
			case tokens[at].run():
				next = w.add(next, i, c, at)
			default:
				next = w.add(next, i, c, at+1)
			}
		}
		if len(places) > 0 {
			places = places[1:]
		}
		if next = tidy(next, from); w.dead(i, next[from:]) {
			return nil, false
		}
	}
	return next, true
}

// reading says how the wildcards of a resource pattern are read; each takes in the one
// before. See reach for the pages.
type reading uint8

const (
	readStrict   reading = iota // segment by segment
	readCrossing                // a * that ends a segment crosses colons
	readAny                     // whatever IAM might match, documented or not
)

// resourceChain is a resource pattern ready to be read. It stands for ARNs only; what
// it means for the resource * is a question of its own.
type resourceChain struct {
	raw   chain
	parts []chain
	all   bool // * alone
	// odd: no page says what the entry means, and readers differ.
	odd bool
}

func newResourceChain(raw chain) resourceChain {
	r := resourceChain{raw: raw}
	if len(raw) == 1 && raw[0].kind == tokenRun {
		r.all = true
		return r
	}
	rest := raw
	for len(r.parts) < arnParts-1 {
		i := slices.Index(rest, token{char: ':'})
		if i < 0 {
			break
		}
		r.parts, rest = append(r.parts, rest[:i]), rest[i+1:]
	}
	r.parts = append(r.parts, rest)
	short := len(r.parts) < arnParts
	r.odd = len(r.parts) < 2 || !slices.Equal(r.parts[0], plainChain("arn")) || short && len(rest) == 0
	return r
}

// wildService: no wildcard may stand in the service segment.
func (r *resourceChain) wildService() bool {
	const service = 2
	return len(r.parts) > service && slices.ContainsFunc(r.parts[service], func(t token) bool { return t.kind != tokenRune })
}

// read appends the chains of the reading.
func (r *resourceChain) read(as reading, chains []chain) []chain {
	switch {
	case r.all:
		return append(chains, everyText)
	case as == readAny:
		chains = append(chains, r.raw)
		if len(r.parts) < arnParts {
			chains = append(chains, append(r.within(false), token{char: ':'}, token{kind: tokenRun}))
		}
		return chains
	case r.wildService():
		return chains
	case as == readCrossing:
		return append(chains, r.within(true))
	case len(r.parts) == arnParts:
		return append(chains, r.within(false))
	case r.raw[len(r.raw)-1].kind == tokenRun:
		return append(chains, append(r.within(false), token{char: ':'}, token{kind: tokenRun}))
	}
	return chains
}

// within is the pattern with its wildcards kept inside their segments, but those of the
// sixth, and with crossing a * that ends a segment.
func (r *resourceChain) within(crossing bool) chain {
	c := make(chain, 0, len(r.raw)+2)
	for i, part := range r.parts {
		if i > 0 {
			c = append(c, token{char: ':'})
		}
		for j, t := range part {
			switch {
			case i == arnParts-1:
			case t.kind == tokenOne:
				t.kind = tokenOneIn
			case t.kind == tokenRun && !(crossing && j == len(part)-1):
				t.kind = tokenRunIn
			}
			c = append(c, t)
		}
	}
	return c
}

// variables numbers the policy variables, from -1 down.
type variables map[string]rune

// chain is the template's: variables of known value are replaced, others are letters of
// their own. ok is false where one has no value.
func (v variables) chain(t *template, env *environment) (c chain, ok bool) {
	if t.plain() {
		return symbolChain(make(chain, 0, len(t.symbols)), t.symbols), true
	}
	for i := range t.parts {
		p := &t.parts[i]
		if p.key == "" {
			c = symbolChain(c, p.symbols)
			continue
		}
		values, presence := env.lookup(p.key)
		switch {
		case presence == unknown:
			name := p.key
			if p.hasDefault {
				name += ", " + p.fallback
			}
			if v[name] == 0 {
				v[name] = rune(-1 - len(v))
			}
			c = append(c, token{char: v[name]})
		case presence == present && len(values) == 1 && values[0] != "":
			c = append(c, plainChain(values[0])...)
		case p.hasDefault:
			c = append(c, plainChain(p.fallback)...)
		default:
			return nil, false
		}
	}
	return c, true
}

func symbolChain(c chain, symbols []symbol) chain {
	for i := 0; i < len(symbols); {
		switch sym := symbols[i]; {
		case isRun(sym):
			c = append(c, token{kind: tokenRun})
			i++
		case sym == anyOne:
			c = append(c, token{kind: tokenOne})
			i++
		default:
			n := runeLen(symbols[i:])
			r, _ := utf8.DecodeRuneInString(symbolText(symbols[i : i+n]))
			c = append(c, token{char: r})
			i += n
		}
	}
	return c
}

func (c chain) variable() bool {
	return slices.ContainsFunc(c, func(t token) bool { return t.kind == tokenRune && t.char < 0 })
}

// variesWithin reports whether the chain's variables are among those of given.
func (c chain) variesWithin(given chain) bool {
	return !slices.ContainsFunc(c, func(t token) bool { return t.kind == tokenRune && t.char < 0 && !slices.Contains(given, t) })
}

// provenEmpty reports that no text meets all the constraints, whatever the values of
// their variables. fixed is how many constraints at the head have none.
//
// With one other constraint to be in, a variable is a letter of its own: what holds for
// the letter holds for each value, as that is put in everywhere. With several, what is a
// letter in one may be spelled out in another; there, and as a second try, a variable is
// any run, and a chain to be out of that has one is left out.
func (all constraints) provenEmpty(fixed int, steps *int) bool {
	in := 0
	for _, c := range all[fixed:] {
		if c.in {
			in++
		}
	}
	if !all.vary() {
		_, found := all.walk(steps)
		return found == False
	}
	if in <= 1 {
		if _, found := all.walk(steps); found == False {
			return true
		}
	}
	_, found := all.free().walk(steps)
	return found == False
}

// free makes each variable any run, and drops what that would make too narrow.
func (all constraints) free() constraints {
	loose := make(constraints, len(all))
	for i, c := range all {
		loose[i].in = c.in
		for _, ch := range c.chains {
			switch {
			case !ch.variable():
			case !c.in:
				continue
			default:
				ch = slices.Clone(ch)
				for j, t := range ch {
					if t.kind == tokenRune && t.char < 0 {
						ch[j] = token{kind: tokenRun}
					}
				}
			}
			loose[i].chains = append(loose[i].chains, ch)
		}
	}
	return loose
}

// vary reports whether a chain has a variable.
func (all constraints) vary() bool {
	return slices.ContainsFunc(all, func(c constraint) bool { return slices.ContainsFunc(c.chains, chain.variable) })
}
