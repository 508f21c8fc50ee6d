package policy

import (
	"bytes"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// operand is a condition value made ready for its operator. valid is false when the
// value is none of the operator's type.
type operand struct {
	valid bool
	truth bool     // of Bool and Null
	text  template // of String* and Arn*
	value any      // of the others: *big.Rat, time.Time, []byte or netip.Prefix
}

func (v *operand) number() *big.Rat     { return v.value.(*big.Rat) }
func (v *operand) date() time.Time      { return v.value.(time.Time) }
func (v *operand) binary() []byte       { return v.value.([]byte) }
func (v *operand) prefix() netip.Prefix { return v.value.(netip.Prefix) }

func (c *Condition) compile(variables bool) {
	c.op, c.key = parseOperator(c.Operator), strings.ToLower(c.Key)
	c.values = make([]operand, len(c.Values))
	for i, v := range c.Values {
		c.values[i] = c.op.operand(v.Text, variables)
	}
}

func (o operator) operand(text string, variables bool) (v operand) {
	switch o.compare {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		from := -1
		if variables {
			from = 0
		}
		v.text = parseTemplate(text, o.compare == stringLike || o.compare == arnLike, from)
		v.valid = true
	case numericEquals, numericLess, numericLessEquals, numericGreater, numericGreaterEquals:
		v.value, v.valid = parseNumber(text)
	case dateEquals, dateLess, dateLessEquals, dateGreater, dateGreaterEquals:
		v.value, v.valid = parseDate(text)
	case boolean, null:
		v.truth, v.valid = parseBool(text)
	case binaryEquals:
		v.value, v.valid = parseBinary(text)
	case ipAddress:
		v.value, v.valid = parsePrefix(text)
	}
	return v
}

// evaluate is the verdict on the whole Condition block: every operator and key must
// hold (AWS: reference_policies_condition-logic-multiple-context-keys-or-values).
func (s *Statement) evaluate(env *environment) verdict {
	if len(env.context.assumed) > 0 && len(s.Conditions) > 0 {
		if holds, ok := env.context.assumed[s.conditionText()]; ok {
			return decided(holds)
		}
	}
	v := yes
	for i := range s.Conditions {
		v = v.and(s.Conditions[i].evaluate(env))
		if v.truth == False {
			return no
		}
	}
	return v
}

func (c *Condition) evaluate(env *environment) verdict {
	if c.op.compare == compareNothing {
		env.note(c.Key, "condition operator "+c.Operator+" is not known")
		return open
	}
	values, presence := env.lookup(c.key)
	if presence == unknown {
		env.note(c.Key, "the value of the condition key is not known")
		return open
	}
	// A null dataset is what a key without values, or with an empty string, resolves to.
	missing := presence == absent || len(values) == 0
	empty := missing || !slices.ContainsFunc(values, func(v string) bool { return v != "" })
	switch {
	case c.op.compare == null:
		return c.evaluateNull(env, empty)
	case c.op.set == forAllValues && empty:
		return yes
	case missing && c.op.ifExists:
		return yes
	case c.op.set == forAnyValue && empty:
		return no
	case missing:
		// A key that is not there matches nothing, so that a negated operator holds.
		return decided(c.op.negated)
	case c.op.set == single && len(values) > 1:
		return c.evaluateSeveral(env, values)
	case c.op.set == single:
		return c.evaluateValue(env, values[0])
	case c.op.set == forAllValues:
		v := yes
		for _, value := range values {
			v = v.and(c.evaluateValue(env, value))
		}
		return v
	default:
		v := no
		for _, value := range values {
			v = v.or(c.evaluateValue(env, value))
		}
		return v
	}
}

// evaluateSeveral meets a key of several values without a set operator, which IAM
// asks for. Whether it then looks at one or at all of them is not documented: only
// where each value gives the same answer there is one.
func (c *Condition) evaluateSeveral(env *environment, values []string) verdict {
	some, all := no, yes
	for _, value := range values {
		v := c.evaluateValue(env, value)
		some, all = some.or(v), all.and(v)
	}
	if some.truth == all.truth {
		return some
	}
	env.note(c.Key, "the key has several values and "+c.Operator+" is no set operator")
	reading := some.reading
	if c.op.negated {
		reading = all.reading
	}
	return verdict{Unknown, reading}
}

// evaluateNull: true asks that the key be absent, false that it have a value.
func (c *Condition) evaluateNull(env *environment, empty bool) verdict {
	v := no
	for i := range c.values {
		if !c.values[i].valid {
			v = v.or(c.wrongType(env, c.Values[i].Text))
			continue
		}
		v = v.or(decided(c.values[i].truth == empty))
	}
	return v
}

// evaluateValue compares one value of the request: it must match one of the policy's
// values, and none of them under a negated operator.
func (c *Condition) evaluateValue(env *environment, value string) verdict {
	v := no
	request := c.op.requestValue(value)
	for i := range c.values {
		switch policy := &c.values[i]; {
		case !policy.valid:
			v = v.or(c.wrongType(env, c.Values[i].Text))
		case !request.valid:
			v = v.or(c.wrongType(env, value))
		default:
			v = v.or(c.match(env, policy, &request, value))
		}
		if v.truth == True {
			break
		}
	}
	if c.op.negated {
		return v.not()
	}
	return v
}

// wrongType is the verdict on a value that is none of the operator's type. IAM
// documents no answer; what does not compare does not match.
func (c *Condition) wrongType(env *environment, value string) verdict {
	env.note(c.Key, "the value "+quote(value)+" does not fit "+c.Operator)
	return open
}

// requestValue reads the request's side of a comparison.
func (o operator) requestValue(value string) (v operand) {
	switch o.compare {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		v.valid = true
	case ipAddress:
		address, err := netip.ParseAddr(value)
		v.valid = err == nil
		if v.valid {
			address = address.Unmap().WithZone("")
			v.value = netip.PrefixFrom(address, address.BitLen())
		}
	default:
		v = o.operand(value, false)
	}
	return v
}

// match compares without regard to negation.
func (c *Condition) match(env *environment, policy, request *operand, value string) verdict {
	switch c.op.compare {
	case stringEquals, stringEqualsIgnoreCase, stringLike, arnLike:
		return c.matchText(env, &policy.text, value)
	case numericEquals:
		return decided(request.number().Cmp(policy.number()) == 0)
	case numericLess:
		return decided(request.number().Cmp(policy.number()) < 0)
	case numericLessEquals:
		return decided(request.number().Cmp(policy.number()) <= 0)
	case numericGreater:
		return decided(request.number().Cmp(policy.number()) > 0)
	case numericGreaterEquals:
		return decided(request.number().Cmp(policy.number()) >= 0)
	case dateEquals:
		return decided(request.date().Equal(policy.date()))
	case dateLess:
		return decided(request.date().Before(policy.date()))
	case dateLessEquals:
		return decided(!request.date().After(policy.date()))
	case dateGreater:
		return decided(request.date().After(policy.date()))
	case dateGreaterEquals:
		return decided(!request.date().Before(policy.date()))
	case boolean:
		return decided(request.truth == policy.truth)
	case binaryEquals:
		return decided(bytes.Equal(request.binary(), policy.binary()))
	default: // ipAddress
		return decided(policy.prefix().Contains(request.prefix().Addr()))
	}
}

// matchText is a String* or Arn* comparison. A variable without a value matches nothing.
func (c *Condition) matchText(env *environment, text *template, value string) verdict {
	p, ok := text.resolve(env)
	if !ok {
		return no
	}
	var matched bool
	switch c.op.compare {
	case stringEqualsIgnoreCase:
		matched = matches(foldSymbols(p), strings.ToLower(value))
	case arnLike:
		var isARN bool
		if matched, isARN = matchARN(p, value); !isARN {
			return c.wrongType(env, value)
		}
	default:
		matched = matches(p, value)
	}
	if matched && slices.Contains(p, undecide) {
		return open
	}
	return decided(matched)
}

// matchARN compares the six components one by one; the sixth keeps its colons. A
// pattern without six components is no ARN, unless it is a lone *.
func matchARN(p []symbol, value string) (matched, isARN bool) {
	if !strings.HasPrefix(value, "arn:") || afterColon(value, arnParts-1) < 0 {
		return false, false
	}
	switch n := segments(p); {
	case onlyStars(p):
		return true, true
	case n == arnParts:
		return matchSegments(p, n, value), true
	case slices.Contains(p, undecide):
		return matches(p, value), true
	default:
		return false, false
	}
}

// foldSymbols is p in lower case.
func foldSymbols(p []symbol) []symbol {
	folded := make([]symbol, 0, len(p))
	for i := 0; i < len(p); {
		if p[i] >= anyRun {
			folded = append(folded, p[i])
			i++
			continue
		}
		from := i
		for i < len(p) && p[i] < anyRun {
			i++
		}
		folded = appendSymbols(folded, strings.ToLower(symbolText(p[from:i])), false)
	}
	return folded
}

// symbolText is the text of literal symbols.
func symbolText(p []symbol) string {
	text := make([]byte, len(p))
	for i, sym := range p {
		text[i] = byte(sym)
	}
	return string(text)
}
