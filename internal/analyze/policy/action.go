package policy

import "strings"

// actionPattern is one entry of Action or NotAction, made ready for matching.
//
// Prefix and name are case-insensitive. Wildcards stand in the name only: IAM
// refuses one in the prefix, so such an entry matches nothing. A lone * is every
// action (AWS: reference_policies_elements_action).
type actionPattern struct {
	kind    actionKind
	service string // in lower case
	name    string // in lower case; for actionPrefix without its final *
}

type actionKind uint8

const (
	actionNever  actionKind = iota // not an action pattern: matches nothing
	actionAll                      // *
	actionExact                    // service:name
	actionPrefix                   // service:name*
	actionGlob                     // any other wildcards
)

// parseActionPatterns reads a list of entries; their lower-case text is one string.
func parseActionPatterns(texts []string) []actionPattern {
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	buf := make([]byte, 0, size)
	for _, text := range texts {
		buf = appendLower(buf, text)
	}
	lower := string(buf)
	patterns := make([]actionPattern, len(texts))
	for i, text := range texts {
		patterns[i] = parseActionPattern(lower[:len(text)])
		lower = lower[len(text):]
	}
	return patterns
}

// appendLower appends text in lower case. Actions are ASCII; the rest stays as it is.
func appendLower(buf []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf = append(buf, c)
	}
	return buf
}

func lowerAction(text string) string { return string(appendLower(make([]byte, 0, len(text)), text)) }

// parseActionPattern takes the entry in lower case.
func parseActionPattern(text string) actionPattern {
	if text != "" && strings.Trim(text, "*") == "" {
		return actionPattern{kind: actionAll}
	}
	service, name, ok := strings.Cut(text, ":")
	switch i := strings.IndexAny(name, "*?"); {
	case !ok || service == "" || name == "" || strings.ContainsAny(service, "*?"):
		return actionPattern{}
	case i < 0:
		return actionPattern{actionExact, service, name}
	case i == len(name)-1 && name[i] == '*':
		return actionPattern{actionPrefix, service, name[:i]}
	default:
		return actionPattern{actionGlob, service, name}
	}
}

// matches takes the action split at its first colon, in lower case.
func (p *actionPattern) matches(service, name string) bool {
	switch p.kind {
	case actionAll:
		return true
	case actionExact:
		return p.service == service && p.name == name
	case actionPrefix:
		return p.service == service && strings.HasPrefix(name, p.name)
	case actionGlob:
		return p.service == service && globName(p.name, name)
	}
	return false
}

// globName matches an action's name; names are ASCII.
func globName(pattern, name string) bool {
	i, t := 0, 0
	star, resume := -1, 0
	for t < len(name) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, resume = i, t
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == name[t]):
			i, t = i+1, t+1
		case star >= 0:
			resume++
			i, t = star+1, resume
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '*' {
		i++
	}
	return i == len(pattern)
}

// MatchAction reports whether an entry of an Action element matches an action such
// as s3:GetObject. Case does not count; * and ? are wildcards in the name only.
// AWS: reference_policies_elements_action.
func MatchAction(pattern, action string) bool {
	p := parseActionPattern(lowerAction(pattern))
	return p.matches(splitAction(action))
}

// splitAction is the action's service prefix and name, in lower case.
func splitAction(action string) (service, name string) {
	service, name, _ = strings.Cut(lowerAction(action), ":")
	return service, name
}

// matchesAction reports whether the statement speaks of the action.
func (s *Statement) matchesAction(service, name string) bool {
	for i := range s.actions {
		if s.actions[i].matches(service, name) {
			return !s.NotAction
		}
	}
	return s.NotAction
}
