package policy

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Context is what is known of a request's context: each condition key is present with
// its values, known to be absent, or unknown. Key names are case-insensitive (AWS:
// reference_policies_elements_condition). A Context is a value: With and its like
// return a changed copy. The zero Context knows nothing.
type Context struct {
	entries map[string]entry // by key in lower case
	closed  bool             // keys without an entry are absent, not unknown

	// tagsKnown: an aws:PrincipalTag/ key without an entry is absent.
	tagsKnown bool

	// assumed are Condition blocks, as printed, whose truth is taken as given.
	assumed map[string]bool
}

type entry struct {
	values   []string
	presence presence
}

type presence uint8

const (
	unknown presence = iota
	absent
	present
)

// ClosedContext is a context in which every key not given is absent, as in a
// simulation that states the whole request.
func ClosedContext(values map[string][]string) Context { return newContext(values, true) }

// OpenContext is a context in which every key not given is unknown, as in an audit.
func OpenContext(values map[string][]string) Context { return newContext(values, false) }

func newContext(values map[string][]string, closed bool) Context {
	c := Context{entries: make(map[string]entry, len(values)), closed: closed}
	for key, v := range values {
		c.entries[strings.ToLower(key)] = entry{v, present}
	}
	return c
}

// With is c with key present; several values make it a multivalued key.
func (c Context) With(key string, values ...string) Context {
	return c.set(key, entry{values, present})
}

// Without is c with key known to be absent.
func (c Context) Without(keys ...string) Context {
	for _, key := range keys {
		c = c.set(key, entry{presence: absent})
	}
	return c
}

// Unknown is c with nothing known of the keys.
func (c Context) Unknown(keys ...string) Context {
	for _, key := range keys {
		c = c.set(key, entry{presence: unknown})
	}
	return c
}

func (c Context) set(key string, e entry) Context {
	entries := maps.Clone(c.entries)
	if entries == nil {
		entries = map[string]entry{}
	}
	entries[strings.ToLower(key)] = e
	c.entries = entries
	return c
}

// Merge is c with every key and assumption that other states taken from other.
func (c Context) Merge(other Context) Context {
	entries := maps.Clone(c.entries)
	if entries == nil {
		entries = map[string]entry{}
	}
	maps.Copy(entries, other.entries)
	c.entries = entries
	c.tagsKnown = c.tagsKnown || other.tagsKnown
	if len(other.assumed) > 0 {
		assumed := maps.Clone(other.assumed)
		for block, holds := range c.assumed {
			if _, ok := assumed[block]; !ok {
				assumed[block] = holds
			}
		}
		c.assumed = assumed
	}
	return c
}

// Assume is c with the Condition block of the statement, and every block equal to it,
// taken to hold, or to fail.
func (c Context) Assume(s *Statement, holds bool) Context {
	assumed := maps.Clone(c.assumed)
	if assumed == nil {
		assumed = map[string]bool{}
	}
	assumed[s.conditionText()] = holds
	c.assumed = assumed
	return c
}

// environment is what the evaluation of one request looks things up in: the context,
// then what follows from the principal and the resource.
type environment struct {
	request Request
	context *Context
	notes   []note // questions left open while evaluating, when asked for
	noting  bool

	// must: the question is the Must side's.
	must bool
	// anyResource: the question is about resources in general.
	anyResource bool
}

// note is a question left open about a condition key or a resource.
type note struct{ key, reason string }

func (e *environment) note(key, reason string) {
	if e.noting {
		e.notes = append(e.notes, note{key, reason})
	}
}

// lookup takes the key in lower case.
func (e *environment) lookup(key string) ([]string, presence) {
	if v, ok := e.context.entries[key]; ok {
		return v.values, v.presence
	}
	if e.anyResource && key == resourceAccountKey {
		return nil, unknown
	}
	switch value, p := e.request.derive(key); p {
	case present:
		return []string{value}, present
	case absent:
		return nil, absent
	}
	if e.context.closed || e.context.tagsKnown && strings.HasPrefix(key, principalTag) {
		return nil, absent
	}
	return nil, unknown
}

// Keys are the keys that are known to be present, in lower case and sorted, with their values.
func (c Context) Keys() iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, key := range slices.Sorted(maps.Keys(c.entries)) {
			if e := c.entries[key]; e.presence == present && !yield(key, e.values) {
				return
			}
		}
	}
}

// with ends a sentence with the keys that are present.
func (c Context) with() string {
	var all []string
	for key, values := range c.Keys() {
		all = append(all, key+" = "+strings.Join(values, " and "))
	}
	if len(all) == 0 {
		return ""
	}
	return ", with " + strings.Join(all, ", ")
}
