package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The caps of lists in a table. The JSON has what they leave out.
const (
	maxNames     = 6  // names in a sentence
	maxResources = 8  // resources of an action
	maxCells     = 12 // cells of an area
	maxUses      = 15 // used, denied, missing actions of a role
	maxNotes     = 10 // lines of prose
	maxRemovals  = 12 // reasons of removed grants
)

// paras are paragraphs of prose.
func paras(texts ...string) []para {
	ps := make([]para, len(texts))
	for i, t := range texts {
		ps[i] = text(t)
	}
	return ps
}

// plural is "1 job", "2 jobs".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// some joins the first most names and says how many of total it left out.
func some(names []string, total, most int) string {
	shown := names[:min(len(names), most)]
	s := strings.Join(shown, ", ")
	if more := max(total, len(names)) - len(shown); more > 0 && len(shown) > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// notes are the first lines of prose of a list, each with a dash before it.
func notes(texts []string) []para {
	var ps []para
	for _, t := range texts[:min(len(texts), maxNotes)] {
		ps = append(ps, text("- "+t).hanging(2))
	}
	return append(ps, more(len(texts)-len(ps))...)
}

// more is the line that closes a list of which n lines were left out.
func more(n int) []para {
	if n <= 0 {
		return nil
	}
	return []para{text(fmt.Sprintf("and %d more (all of them: -o json)", n))}
}

// tally is a map of counts in words, the largest first: "Completed 40, Failed 2".
func tally(counts map[string]int) string {
	keys := slices.Collect(maps.Keys(counts))
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k + " " + strconv.Itoa(counts[k])
	}
	return some(parts, len(parts), 2*maxNames)
}

func day(t time.Time) string    { return t.UTC().Format(time.DateOnly) }
func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// days is a span in days, rounded.
func days(from, to time.Time) string {
	return plural(int(to.Sub(from).Round(24*time.Hour)/(24*time.Hour)), "day", "days")
}

// wording is the wording of a word of the contract, or a word it does not know.
func wording(words map[string]string, word string) string {
	if s, ok := words[word]; ok {
		return s
	}
	return word
}

// join puts the non-empty parts together.
func join(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}
