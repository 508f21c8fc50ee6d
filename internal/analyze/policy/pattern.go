package policy

import (
	"slices"
	"unicode/utf8"
)

// symbol is one element of a pattern: a literal byte, or one of the wildcards. With
// wildcards outside the range of bytes, a literal asterisk (written ${*}, or part of
// a variable's value) is never taken for one.
type symbol uint16

const (
	anyRun   symbol = 256 + iota // *: any run of characters
	anyOne                       // ?: any one character
	undecide                     // the value of a variable that is not known: some run of characters
)

// symbolsOf reads text, in which * and ? are wildcards if wild is set.
func symbolsOf(text string, wild bool) []symbol {
	return appendSymbols(make([]symbol, 0, len(text)), text, wild)
}

func appendSymbols(p []symbol, text string, wild bool) []symbol {
	for i := range len(text) {
		switch c := text[i]; {
		case wild && c == '*':
			p = append(p, anyRun)
		case wild && c == '?':
			p = append(p, anyOne)
		default:
			p = append(p, symbol(c))
		}
	}
	return p
}

// matches reports whether the pattern matches the whole of text. Wildcards match
// every character, colons and slashes too; an undecided variable matches like *.
func matches(p []symbol, text string) bool {
	i, t := 0, 0
	star, resume := -1, 0
	for t < len(text) {
		if i < len(p) {
			switch sym := p[i]; {
			case isRun(sym):
				star, resume = i, t
				i++
				continue
			case sym == anyOne:
				_, n := utf8.DecodeRuneInString(text[t:])
				i, t = i+1, t+n
				continue
			case sym == symbol(text[t]):
				i, t = i+1, t+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		i, t = star+1, resume
	}
	for i < len(p) && isRun(p[i]) {
		i++
	}
	return i == len(p)
}

// includes reports whether outer matches every text that inner matches. It is exact
// up to the alphabet being large: each wildcard of inner stands for text that only a
// wildcard of outer can match.
func includes(outer, inner []symbol) bool {
	outer, inner = orderWildcards(outer), orderWildcards(inner)
	i, t := 0, 0
	star, resume := -1, 0
	for t < len(inner) {
		if i < len(outer) {
			switch sym := outer[i]; {
			case sym == anyRun:
				star, resume = i, t
				i++
				continue
			case sym == anyOne && !isRun(inner[t]):
				i, t = i+1, t+runeLen(inner[t:])
				continue
			case sym == inner[t] && sym != undecide:
				i, t = i+1, t+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		i, t = star+1, resume
	}
	for i < len(outer) && outer[i] == anyRun {
		i++
	}
	return i == len(outer)
}

// orderWildcards rewrites each run of * and ? to its ?s followed by one *, which
// matches the same texts and makes equal patterns compare equal.
func orderWildcards(p []symbol) []symbol {
	ordered := true
	for i := 1; i < len(p); i++ {
		if p[i-1] == anyRun && (p[i] == anyOne || p[i] == anyRun) {
			ordered = false
			break
		}
	}
	if ordered {
		return p
	}
	q := make([]symbol, 0, len(p))
	star := false
	for _, sym := range p {
		switch {
		case sym == anyRun:
			star = true
			continue
		case sym != anyOne && star:
			q = append(q, anyRun)
			star = false
		}
		q = append(q, sym)
	}
	if star {
		q = append(q, anyRun)
	}
	return q
}

// runeLen is the number of symbols that spell the character at the head of p.
func runeLen(p []symbol) int {
	if p[0] < utf8.RuneSelf || p[0] > 0xff {
		return 1
	}
	var buf [utf8.UTFMax]byte
	n := 0
	for n < len(buf) && n < len(p) && p[n] <= 0xff {
		buf[n] = byte(p[n])
		n++
	}
	_, size := utf8.DecodeRune(buf[:n])
	return size
}

// overlap reports whether some text matches both patterns.
func overlap(a, b []symbol) bool {
	// What both begin or end with in plain text must agree; that settles most pairs.
	for len(a) > 0 && len(b) > 0 && a[0] < anyRun && b[0] < anyRun {
		if a[0] != b[0] {
			return false
		}
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] < anyRun && b[len(b)-1] < anyRun {
		if a[len(a)-1] != b[len(b)-1] {
			return false
		}
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if beyondASCII(a) || beyondASCII(b) {
		// One ? may be several bytes there: let it be any run, which finds more.
		a, b = widened(a), widened(b)
	}
	// here[j]: what is left of a and b[j:] may begin at the same place of a text.
	here := make([]bool, len(b)+1)
	next := make([]bool, len(b)+1)
	here[0] = true
	for _, x := range a {
		clear(next)
		for j, reached := range here {
			if !reached {
				continue
			}
			if j == len(b) {
				next[j] = next[j] || isRun(x)
				continue
			}
			y := b[j]
			switch {
			case isRun(x) || isRun(y):
				here[j+1], next[j] = true, true
			case x == y || x == anyOne || y == anyOne:
				next[j+1] = true
			}
		}
		here, next = next, here
	}
	for j := len(b); ; j-- {
		if here[j] {
			return true
		}
		if j == 0 || !isRun(b[j-1]) {
			return false
		}
	}
}

func isRun(sym symbol) bool { return sym == anyRun || sym == undecide }

func beyondASCII(p []symbol) bool {
	return slices.ContainsFunc(p, func(sym symbol) bool { return sym >= utf8.RuneSelf && sym < anyRun })
}

func widened(p []symbol) []symbol {
	q := slices.Clone(p)
	for i, sym := range q {
		if sym == anyOne {
			q[i] = anyRun
		}
	}
	return q
}
