package policy

import "strings"

// template is text that may hold policy variables: ${key}, ${key, 'default'} and the
// escapes ${*}, ${?} and ${$}. AWS: reference_policies_variables.
//
// Substitution never writes into the template: a document is shared by all who
// evaluate it.
type template struct {
	symbols []symbol // of a template without variables
	parts   []part   // of any other: literal symbols and variables in turn
}

// part is literal symbols, or the variable key when key is set.
type part struct {
	symbols    []symbol
	key        string // in lower case
	fallback   string
	hasDefault bool
}

// parseTemplate reads text; * and ? are wildcards if wild is set; variables count
// from byte offset from on, none if from is negative.
func parseTemplate(text string, wild bool, from int) template {
	if from < 0 || !strings.Contains(text, "${") {
		return template{symbols: symbolsOf(text, wild)}
	}
	var t template
	var literal []symbol
	flush := func() {
		if len(literal) > 0 {
			t.parts = append(t.parts, part{symbols: literal})
			literal = nil
		}
	}
	for i := 0; i < len(text); {
		body, n := "", 0
		if i >= from {
			body, n = variableAt(text[i:])
		}
		switch {
		case n == 0:
			literal = appendSymbols(literal, text[i:i+1], wild)
			i++
			continue
		case body == "*" || body == "?" || body == "$":
			literal = append(literal, symbol(body[0]))
		default:
			flush()
			t.parts = append(t.parts, parseVariable(body))
		}
		i += n
	}
	if t.parts == nil {
		return template{symbols: literal}
	}
	flush()
	return t
}

// variableAt is the body of the variable at the head of text and the length of the
// whole, 0 if there is none. An unclosed or empty one is plain text.
func variableAt(text string) (body string, n int) {
	if !strings.HasPrefix(text, "${") {
		return "", 0
	}
	end := strings.IndexByte(text, '}')
	// A default may hold a closing brace: it ends with its quote.
	if quote := strings.Index(text, ", '"); quote >= 0 && quote < end {
		if closing := strings.Index(text[quote+3:], "'}"); closing >= 0 {
			end = quote + 3 + closing + 1
		}
	}
	if end < 3 {
		return "", 0
	}
	return text[2:end], end + 1
}

func parseVariable(body string) part {
	key, rest, ok := strings.Cut(body, ",")
	if ok {
		if d := strings.TrimLeft(rest, " "); len(d) >= 2 && d[0] == '\'' && d[len(d)-1] == '\'' {
			return part{key: strings.ToLower(strings.TrimSpace(key)), fallback: d[1 : len(d)-1], hasDefault: true}
		}
	}
	return part{key: strings.ToLower(strings.TrimSpace(body))}
}

// plain reports whether the template holds no variable.
func (t *template) plain() bool { return t.parts == nil }

// resolve replaces the variables by their values. ok is false when one has none: it
// is then null, and equal or like nothing. The value of an unknown key becomes the
// symbol undecide, and its key is noted.
func (t *template) resolve(env *environment) (p []symbol, ok bool) {
	if t.plain() {
		return t.symbols, true
	}
	for i := range t.parts {
		switch v := &t.parts[i]; {
		case v.key == "":
			p = append(p, v.symbols...)
		default:
			values, presence := env.lookup(v.key)
			// A multivalued key cannot be a variable, and an empty value is none
			// (AWS: reference_policies_condition-single-vs-multi-valued-context-keys,
			// reference_policies_variables "Policy variables with no value").
			switch {
			case presence == unknown:
				env.note(v.key, "the value of the policy variable is not known")
				p = append(p, undecide)
			case presence == present && len(values) == 1 && values[0] != "":
				p = appendSymbols(p, values[0], false)
			case v.hasDefault:
				p = appendSymbols(p, v.fallback, false)
			default:
				return nil, false
			}
		}
	}
	return p, true
}
