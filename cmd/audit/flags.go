package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/output"
)

const day = 24 * time.Hour

// span is a duration that knows days and weeks as well: 90d, 2w, 1d12h.
type span time.Duration

var spanDays = regexp.MustCompile(`^(?:(\d+)w)?(?:(\d+)d)?`)

// maxSpan keeps a span far from what time.Duration can hold.
const maxSpan = 100 * 366 * day

func (s *span) Set(text string) error {
	if strings.HasPrefix(text, "-") {
		return errors.New("a duration cannot be negative")
	}
	m := spanDays.FindStringSubmatch(text)
	var d time.Duration
	for i, unit := range []time.Duration{7 * day, day} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n > int(maxSpan/unit) {
			return errors.New("longer than a hundred years")
		}
		d += time.Duration(n) * unit
	}
	if rest := text[len(m[0]):]; rest != "" || text == "" {
		r, err := time.ParseDuration(rest)
		if err != nil || r < 0 || rest == "0" {
			return errors.New("not a duration such as 90d, 2w, 1d12h or 30m")
		}
		// Compared before it is added: the sum may not fit.
		if r > maxSpan {
			return errors.New("longer than a hundred years")
		}
		d += r
	}
	if d > maxSpan {
		return errors.New("longer than a hundred years")
	}
	*s = span(d)
	return nil
}

func (s span) String() string {
	d := time.Duration(s)
	days, rest := d/day, d%day
	switch {
	case days == 0:
		return rest.String()
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	default:
		return fmt.Sprintf("%dd%s", days, rest)
	}
}

func (*span) Type() string { return "duration" }

// moment is a time: RFC 3339, or a date, which means its first moment in UTC.
type moment struct{ time.Time }

func (m *moment) Set(text string) error {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			m.Time = t.UTC().Truncate(time.Second)
			return nil
		}
	}
	return errors.New("not a time such as 2026-10-31T12:00:00Z or 2026-10-31")
}

func (m moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

func (*moment) Type() string { return "time" }

// regions collects --region.
type regions []string

// regionName is the form of AWS region codes: us-east-1, us-gov-west-1, cn-north-1.
var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$`)

func (r *regions) Set(text string) error {
	if !regionName.MatchString(text) {
		return errors.New("not a region such as us-east-1; repeat the flag for several, leave it out for all")
	}
	if !slices.Contains(*r, text) {
		*r = append(*r, text)
	}
	return nil
}

func (r regions) String() string { return strings.Join(r, ",") }
func (*regions) Type() string    { return "region" }

// selectors collects --role: names, ARNs and globs of either.
type selectors []string

func (s *selectors) Set(text string) error {
	if err := snapshot.CheckSelector(text); err != nil {
		return err
	}
	*s = append(*s, text)
	return nil
}

func (s selectors) String() string { return strings.Join(s, " ") }
func (*selectors) Type() string    { return "name|arn|glob" }

// document is a format and where it goes: a path, or stdout for "-".
type document struct {
	format output.Format
	path   string
}

// documents collects -o FORMAT[=FILE]. The first value replaces the default.
type documents struct {
	list []document
	set  bool
}

func (d *documents) Set(text string) error {
	name, path, toFile := strings.Cut(text, "=")
	doc := document{path: stdoutPath}
	if err := doc.format.Set(name); err != nil {
		return err
	}
	return d.add(doc, text, path, toFile)
}

// add takes a document in, with the path behind its format where there is one.
func (d *documents) add(doc document, text, path string, toFile bool) error {
	if toFile {
		if path == "" {
			return fmt.Errorf("no file behind %q", text)
		}
		doc.path = path
	}
	if !d.set {
		d.list, d.set = nil, true
	}
	d.list = append(d.list, doc)
	return nil
}

func (d *documents) String() string {
	var parts []string
	for _, doc := range d.list {
		part := doc.format.String()
		if doc.path != stdoutPath {
			part += "=" + doc.path
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

func (*documents) Type() string { return "format[=file]" }

// choice is one of a few words.
type choice struct {
	value string
	of    []string
}

func oneOf(value string, more ...string) choice {
	return choice{value, append([]string{value}, more...)}
}

func (c *choice) Set(text string) error {
	if !slices.Contains(c.of, text) {
		return fmt.Errorf("not one of %s", strings.Join(c.of, ", "))
	}
	c.value = text
	return nil
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

// usageSources collects --usage: where usage is read. The first value replaces the
// default, Event history.
type usageSources struct {
	lookup, none bool
	logs         []collect.LogSource
	set          bool
}

func (u *usageSources) Set(text string) error {
	var source collect.LogSource
	if text != collect.UsageLookup && text != collect.UsageNone {
		var err error
		if source, err = collect.ParseLogSource(text); err != nil {
			return err
		}
	}
	if !u.set {
		*u = usageSources{set: true}
	}
	switch {
	case text == collect.UsageLookup:
		u.lookup = true
	case text == collect.UsageNone:
		u.none = true
	case !slices.Contains(u.logs, source):
		u.logs = append(u.logs, source)
	}
	return nil
}

func (u *usageSources) String() string {
	var words []string
	for _, s := range u.logs {
		words = append(words, s.String())
	}
	if u.lookup {
		words = append(words, collect.UsageLookup)
	}
	if u.none {
		words = append(words, collect.UsageNone)
	}
	return strings.Join(words, " ")
}

func (*usageSources) Type() string { return "source" }

// history is what collect.Options has for Event history.
func (u *usageSources) history() string {
	if u.lookup {
		return collect.UsageLookup
	}
	return collect.UsageNone
}

// check errs on sources that contradict each other, and on a folder that is none.
func (u *usageSources) check() error {
	if u.none && (u.lookup || len(u.logs) > 0) {
		return usagef("--usage none and --usage %s contradict each other", strings.TrimSuffix(u.String(), " "+collect.UsageNone))
	}
	for _, s := range u.logs {
		if s.Dir == "" {
			continue
		}
		switch info, err := os.Stat(s.Dir); {
		case err != nil:
			return usagef("--usage %s: there is no such folder", s)
		case !info.IsDir():
			return usagef("--usage %s: that is no folder", s)
		}
	}
	return nil
}

// rate is requests per second.
type rate float64

func (r *rate) Set(text string) error {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || f <= 0 {
		return errors.New("not a number of requests per second above 0")
	}
	*r = rate(f)
	return nil
}

func (r rate) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) }
func (*rate) Type() string    { return "requests/s" }

// count is a number of things.
type count int

func (c *count) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return errors.New("not a whole number from 0 up")
	}
	*c = count(n)
	return nil
}

func (c count) String() string { return strconv.Itoa(int(c)) }
func (*count) Type() string    { return "n" }
