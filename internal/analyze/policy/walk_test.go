package policy

import (
	"math/rand/v2"
	"testing"
)

// A walk is held against all short texts over its letters: what it says is empty has none
// of them, what it finds meets every constraint.

func randomConstraints(r *rand.Rand) constraints {
	all := make(constraints, 1+r.IntN(4))
	for i := range all {
		all[i].in = i == 0 || r.IntN(3) == 0
		for range 1 + r.IntN(3) {
			c := make(chain, r.IntN(6))
			for j := range c {
				c[j] = token{kind: tokenKind(r.IntN(6))}
				if c[j].kind <= tokenFold {
					c[j] = token{tokenRune, rune("aab:"[r.IntN(4)])}
				}
				if c[j].char != ':' && r.IntN(8) == 0 {
					c[j] = token{tokenFold, 'a'}
				}
			}
			all[i].chains = append(all[i].chains, c)
		}
	}
	return all
}

// takesAll is the definition of a chain.
func (c chain) takesAll(text []rune) bool {
	if len(c) == 0 {
		return len(text) == 0
	}
	if c[0].run() {
		return c[1:].takesAll(text) || len(text) > 0 && c[0].takes(text[0]) && c.takesAll(text[1:])
	}
	return len(text) > 0 && c[0].takes(text[0]) && c[1:].takesAll(text[1:])
}

func (all constraints) met(text string) bool {
	for _, c := range all {
		in := false
		for _, ch := range c.chains {
			in = in || ch.takesAll([]rune(text))
		}
		if in != c.in {
			return false
		}
	}
	return true
}

var shortTexts = func() []string {
	all := []string{""}
	for from := 0; len(all[len(all)-1]) < 4; {
		to := len(all)
		for _, text := range all[from:to] {
			for _, letter := range "abA:x" {
				all = append(all, text+string(letter))
			}
		}
		from = to
	}
	return all
}()

func checkWalk(t *testing.T, all constraints) {
	t.Helper()
	steps := 5000
	text, found := all.walk(&steps)
	switch found {
	case True:
		if !all.met(text) {
			t.Fatalf("%v: found %q", all, text)
		}
	case False:
		for _, text := range shortTexts {
			if all.met(text) {
				t.Fatalf("%v: found none, not even %q", all, text)
			}
		}
	case Unknown:
		t.Logf("%v: too many steps", all)
	}
}

func TestWalkAgreesWithDefinition(t *testing.T) {
	for i := range 3000 {
		checkWalk(t, randomConstraints(rand.New(rand.NewPCG(20260307, uint64(i)))))
	}
}

func TestWalkGivesUp(t *testing.T) {
	steps := 3
	all := constraints{{[]chain{plainChain("aaaaaaaa")}, true}}
	if text, found := all.walk(&steps); found != Unknown {
		t.Errorf("%q, %s", text, found)
	}
	long := make(chain, 1<<placeBits)
	for i := range long {
		long[i] = token{char: 'a'}
	}
	steps = 10
	if _, found := (constraints{{[]chain{long}, true}}).walk(&steps); found != Unknown {
		t.Errorf("a chain too long for a place: %s", found)
	}
}
