package naive

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern is a list of these: 'c' a character that stands for itself, '*' any run, '?' any one character, '-' any run
// without a colon, '.' any one character but a colon, 'u' the hole that a variable of unknown value leaves: any run.
type token struct {
	kind rune
	char rune
}

// Glob reports whether text fits pattern, where * is any run of characters and ? any one.
func Glob(pattern, text string) bool { return fits(literal(pattern, true), text) }

// MatchAction decides one entry of Action or NotAction.
//
// Rule 1: the service prefix and the name are case-insensitive; * and ? work in the name; "*" alone is every action.
// AWS: reference_policies_elements_action.
// Rule 2: a wildcard in the service part is no valid action, and names none. AWS: reference_policies_elements_action.
func MatchAction(pattern, action string) bool {
	if pattern == "*" {
		return true
	}
	patternService, patternName, ok := strings.Cut(strings.ToLower(pattern), ":")
	service, name, _ := strings.Cut(strings.ToLower(action), ":")
	return ok && patternService == service && Glob(patternName, name)
}

// matchResource decides one entry of Resource or NotResource.
//
// Rule 3: resources are compared case-sensitively. AWS: reference_policies_elements_resource.
// Rule 4: an ARN has six parts, of which the last keeps its colons; wildcards work within each part. That is all the must
// side relies on. AWS: reference_policies_elements_resource, reference-arns.
// Rule 5: a * that is the last character of a part "can expand to match beyond the colon boundaries"; the may side
// takes AWS at its word. AWS: reference_policies_elements_resource.
// Rule 6: that any other wildcard crosses a colon is not documented, nor what an ARN that ends early means: Unknown. So is
// a wildcard in the service part, which is not allowed. AWS: reference_policies_elements_resource.
// Rule 7: an action without resource types is requested on "*". That an ARN pattern covers it is not documented either,
// though AWS's own examples have it (s3:ListAllMyBuckets on arn:aws:s3:::*). AWS: reference_policies_elements_condition_operators.
// Rule 8: an entry with a variable that has no value matches nothing. AWS: reference_policies_variables (no value).
func (c *Case) matchResource(pattern string, variables, must bool) Truth {
	tokens, hole, empty := c.expand(pattern, true, variables, 5)
	if empty {
		return False
	}
	if pattern == "*" {
		return True
	}
	if c.Resource == "*" {
		return Unknown
	}
	parts := strings.SplitN(c.Resource, ":", 6)
	patterns := splitTokens(tokens)
	if len(parts) < 6 {
		return truth(fits(tokens, c.Resource))
	}
	certain := fitByPart(patterns, parts) && (len(patterns) == 6 || endsInStar(tokens)) ||
		!must && fits(crossing(patterns), c.Resource)
	switch {
	case certain && !hole && !wildcardService(patterns):
		return True
	case certain, fits(tokens, c.Resource), len(patterns) < 6 && fitByPart(patterns, parts):
		return Unknown
	}
	return False
}

// fitByPart: the parts that the pattern has fit the parts of the ARN, each within its colons.
func fitByPart(patterns [][]token, parts []string) bool {
	for i, pattern := range patterns {
		if !fits(pattern, parts[i]) {
			return false
		}
	}
	return true
}

// crossing rewrites the wildcards of an ARN pattern so that only a * at the end of a part crosses a colon. In the sixth
// part colons are ordinary characters.
func crossing(patterns [][]token) (tokens []token) {
	for i, pattern := range patterns {
		if i > 0 {
			tokens = append(tokens, literal(":", false)...)
		}
		for j, t := range pattern {
			switch {
			case i == 5:
			case t.kind == '?':
				t.kind = '.'
			case t.kind == '*' && j < len(pattern)-1:
				t.kind = '-'
			}
			tokens = append(tokens, t)
		}
	}
	return tokens
}

func endsInStar(tokens []token) bool {
	return len(tokens) > 0 && tokens[len(tokens)-1].kind == '*'
}

func wildcardService(patterns [][]token) bool {
	return len(patterns) > 2 && slices.ContainsFunc(patterns[2], func(t token) bool { return t.kind != 'c' })
}

// splitTokens cuts a pattern at its first five colons.
func splitTokens(tokens []token) [][]token {
	parts := [][]token{nil}
	for _, t := range tokens {
		if t.kind == 'c' && t.char == ':' && len(parts) < 6 {
			parts = append(parts, nil)
			continue
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], t)
	}
	return parts
}

// fits fills the usual table: row i, column j says whether the first i tokens fit the first j characters.
func fits(tokens []token, text string) bool {
	chars := []rune(text)
	row := make([]bool, len(chars)+1)
	row[0] = true
	for _, t := range tokens {
		next := make([]bool, len(chars)+1)
		for j := range next {
			colon := j > 0 && chars[j-1] == ':'
			switch t.kind {
			case '*', 'u':
				next[j] = row[j] || j > 0 && next[j-1]
			case '-':
				next[j] = row[j] || j > 0 && next[j-1] && !colon
			case '?':
				next[j] = j > 0 && row[j-1]
			case '.':
				next[j] = j > 0 && row[j-1] && !colon
			default:
				next[j] = j > 0 && row[j-1] && chars[j-1] == t.char
			}
		}
		row = next
	}
	return row[len(chars)]
}

// expand turns the text of a policy into tokens.
//
// Rule 9: ${key} stands for the value of the key, ${key, 'default'} for the default where the key has none; ${*}, ${?}
// and ${$} are those characters themselves. AWS: reference_policies_variables.
// Rule 10: a key with several values cannot be a variable. AWS: reference_policies_condition-single-vs-multi-valued-context-keys.
// Rule 11: in Resource a variable works only after the fifth colon. AWS: reference_policies_variables.
//
// hole: some variable's value is not known. empty: some variable has no value and no default.
func (c *Case) expand(text string, wildcards, variables bool, fromColon int) (tokens []token, hole, empty bool) {
	colons := 0
	for text != "" {
		if variables && colons >= fromColon && strings.HasPrefix(text, "${") && strings.Contains(text, "}") {
			variable, rest, _ := strings.Cut(text[2:], "}")
			text = rest
			if variable == "*" || variable == "?" || variable == "$" {
				tokens = append(tokens, literal(variable, false)...)
				continue
			}
			key, fallback, hasFallback := strings.Cut(variable, ",")
			found, known := c.lookup(strings.TrimSpace(key))
			switch {
			case !known:
				tokens, hole = append(tokens, token{kind: 'u'}), true
			case len(found) == 1:
				tokens = append(tokens, literal(found[0], false)...)
			case hasFallback:
				tokens = append(tokens, literal(strings.Trim(strings.TrimSpace(fallback), "'"), false)...)
			default:
				empty = true
			}
			continue
		}
		char, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		if char == ':' {
			colons++
		}
		tokens = append(tokens, plain(char, wildcards))
	}
	return tokens, hole, empty
}

func literal(text string, wildcards bool) (tokens []token) {
	for _, char := range text {
		tokens = append(tokens, plain(char, wildcards))
	}
	return tokens
}

func plain(char rune, wildcards bool) token {
	if wildcards && (char == '*' || char == '?') {
		return token{kind: char}
	}
	return token{kind: 'c', char: char}
}
