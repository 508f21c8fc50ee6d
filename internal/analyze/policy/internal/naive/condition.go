package naive

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// conditions decides a Condition element.
//
// Rule 12: all operators and all keys must hold. AWS: reference_policies_condition-logic-multiple-context-keys-or-values.
func (c *Case) conditions(block map[string]map[string]values, variables bool) Truth {
	result := True
	for operator, keys := range block {
		for key, wanted := range keys {
			result = and(result, c.condition(operator, key, wanted, variables))
		}
	}
	return result
}

// condition decides one operator over one key.
func (c *Case) condition(operator, key string, wanted values, variables bool) Truth {
	found, known := c.lookup(key)
	qualifier, name, qualified := strings.Cut(operator, ":")
	if !qualified {
		qualifier, name = "", operator
	}

	blank := strings.Join(found, "") == ""

	// Rule 13: Null is true when the key is absent ("true") or present ("false"); several values are a logical OR. Keys with
	// empty values count as absent. AWS: reference_policies_elements_condition_operators (Null),
	// reference_policies_condition-single-vs-multi-valued-context-keys ("context keys with empty values").
	if name == "Null" {
		result := False
		for _, want := range wanted {
			if absent, ok := parseBool(want); ok && known {
				result = or(result, truth(absent == blank))
			} else {
				result = or(result, Unknown)
			}
		}
		return result
	}
	if !known {
		return Unknown
	}
	name, ifExists := strings.CutSuffix(name, "IfExists")
	positive := strings.Replace(name, "Not", "", 1)
	negated := positive != name

	if len(found) == 0 {
		switch {
		case ifExists:
			// Rule 14: "If the key is not present, evaluate the condition element as true."
			// AWS: reference_policies_elements_condition_operators (IfExists).
			return True
		case qualifier == "ForAllValues":
			// Rule 15: ForAllValues is true when there is no key in the request.
			// AWS: reference_policies_condition-single-vs-multi-valued-context-keys.
			return True
		case qualifier == "ForAnyValue":
			// Rule 16: ForAnyValue is false then. AWS: the same page.
			return False
		}
		// Rule 17: without the key a condition is false, a negated one true.
		// AWS: reference_policies_elements_condition_operators (Important).
		return truth(negated)
	}

	// Rule 18: a value of the request matches when any value of the policy matches; a negated operator holds when none
	// does. AWS: reference_policies_condition-logic-multiple-context-keys-or-values.
	holds := make([]Truth, len(found))
	for i, have := range found {
		for _, want := range wanted {
			holds[i] = or(holds[i], c.compare(positive, have, want, variables))
		}
		if negated {
			holds[i] = not(holds[i])
		}
	}

	// Rule 19: ForAllValues asks it of every value of the request, ForAnyValue of at least one; values that come to an
	// empty set, such as an empty string, make the former true and the latter false.
	// AWS: reference_policies_condition-single-vs-multi-valued-context-keys.
	all, some := True, False
	for _, hold := range holds {
		all, some = and(all, hold), or(some, hold)
	}
	switch qualifier {
	case "ForAllValues":
		return or(all, truth(blank))
	case "ForAnyValue":
		return and(some, truth(!blank))
	}
	// Rule 20: several values in the request require a set operator; without one AWS documents no outcome.
	// AWS: reference_policies_condition-single-vs-multi-valued-context-keys.
	if all != some {
		return Unknown
	}
	return all
}

// compare decides one value of the request (have) against one of the policy (want) for the positive form of an
// operator. A value that is not of the operator's type makes it Unknown: no page says what AWS does then.
func (c *Case) compare(operator, have, want string, variables bool) Truth {
	switch {
	case strings.HasPrefix(operator, "String"):
		return c.compareStrings(operator, have, want, variables)
	case strings.HasPrefix(operator, "Arn"):
		return c.compareARNs(have, want, variables)
	case strings.HasPrefix(operator, "Numeric"):
		h, hok := parseNumber(have)
		w, wok := parseNumber(want)
		if !hok || !wok {
			return Unknown
		}
		return ordered(strings.TrimPrefix(operator, "Numeric"), h.Cmp(w))
	case strings.HasPrefix(operator, "Date"):
		h, hok := parseDate(have)
		w, wok := parseDate(want)
		if !hok || !wok {
			return Unknown
		}
		return ordered(strings.TrimPrefix(operator, "Date"), h.Compare(w))
	case operator == "Bool":
		// Rule 24. AWS: reference_policies_elements_condition_operators (Boolean).
		h, hok := parseBool(have)
		w, wok := parseBool(want)
		if !hok || !wok {
			return Unknown
		}
		return truth(h == w)
	case operator == "BinaryEquals":
		// Rule 25: byte for byte against base64. AWS: reference_policies_elements_condition_operators (Binary).
		h, herr := base64.StdEncoding.DecodeString(have)
		w, werr := base64.StdEncoding.DecodeString(want)
		if herr != nil || werr != nil {
			return Unknown
		}
		return truth(bytes.Equal(h, w))
	case operator == "IpAddress":
		// Rule 26: CIDR ranges of both families; an address without a prefix is that address alone.
		// AWS: reference_policies_elements_condition_operators (IP address).
		h, herr := netip.ParseAddr(have)
		w, wok := parseRange(want)
		if herr != nil || !wok {
			return Unknown
		}
		return truth(w.Contains(h))
	}
	return Unknown
}

// Rule 21: StringEquals is exact, ...IgnoreCase ignores case, StringLike knows * and ? over the whole string and heeds
// case; all take variables, and one without a value equals and resembles nothing.
// AWS: reference_policies_elements_condition_operators (String), reference_policies_variables (no value).
func (c *Case) compareStrings(operator, have, want string, variables bool) Truth {
	tokens, hole, empty := c.expand(want, operator == "StringLike", variables, 0)
	if empty {
		return False
	}
	if operator == "StringEqualsIgnoreCase" {
		have = strings.ToLower(have)
		for i := range tokens {
			tokens[i].char = []rune(strings.ToLower(string(tokens[i].char)))[0]
		}
	}
	if !fits(tokens, have) {
		return False
	}
	if hole {
		return Unknown
	}
	return True
}

// Rule 22: the six parts of an ARN are compared one by one, case-sensitively, each with * and ?; ArnEquals and ArnLike
// are the same. AWS: reference_policies_elements_condition_operators (ARN).
func (c *Case) compareARNs(have, want string, variables bool) Truth {
	tokens, hole, empty := c.expand(want, true, variables, 0)
	if empty {
		return False
	}
	patterns, parts := splitTokens(tokens), strings.SplitN(have, ":", 6)
	if hole && len(patterns) < 6 {
		if fits(tokens, have) {
			return Unknown
		}
		return False
	}
	if len(parts) < 6 || parts[0] != "arn" || len(patterns) < 6 {
		return Unknown
	}
	for i, pattern := range patterns {
		if !fits(pattern, parts[i]) {
			return False
		}
	}
	if hole {
		return Unknown
	}
	return True
}

// Rule 23: the six comparisons of numbers and dates.
// AWS: reference_policies_elements_condition_operators (Numeric, Date).
func ordered(comparison string, sign int) Truth {
	switch comparison {
	case "Equals":
		return truth(sign == 0)
	case "LessThan":
		return truth(sign < 0)
	case "LessThanEquals":
		return truth(sign <= 0)
	case "GreaterThan":
		return truth(sign > 0)
	case "GreaterThanEquals":
		return truth(sign >= 0)
	}
	return Unknown
}

var number = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// parseNumber: "an integer or decimal value". AWS: reference_policies_elements_condition_operators (Numeric).
func parseNumber(text string) (*big.Rat, bool) {
	if !number.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

var epoch = regexp.MustCompile(`^[0-9]{5,}$`)

// parseDate: W3C's profile of ISO 8601, or seconds since 1970. AWS: reference_policies_elements_condition_operators (Date).
func parseDate(text string) (time.Time, bool) {
	if epoch.MatchString(text) {
		seconds, err := strconv.ParseInt(text, 10, 64)
		date := time.Unix(seconds, 0).UTC()
		return date, err == nil && date.Year() <= 9999 // W3C's years have four digits
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if date, err := time.Parse(layout, text); err == nil {
			return date, true
		}
	}
	return time.Time{}, false
}

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

func parseRange(text string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.Masked(), true
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, address.BitLen()), true
}
