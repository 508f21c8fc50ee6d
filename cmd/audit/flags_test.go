package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * day, "2w": 14 * day, "1w1d": 8 * day, "1d12h": 36 * time.Hour, "36h": 36 * time.Hour,
		"30m": 30 * time.Minute, "1.5h": 90 * time.Minute, "0s": 0, "0d": 0, "400d": 400 * day, "36600d": 36600 * day,
	} {
		var s span
		if err := s.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if time.Duration(s) != want {
			t.Errorf("%s is %s, want %s", text, time.Duration(s), want)
		}
	}
	for _, text := range []string{"", "0", "90", "d", "-1d", "1d-2h", "1h1d", "1d1w", "90 d", "36601d", "999999999999999999999w", "1e3h", "NaN", "∞d", "9999999h"} {
		s := span(day)
		if err := s.Set(text); err == nil {
			t.Errorf("%q is accepted, as %s", text, s)
		} else if s != span(day) {
			t.Errorf("%q is refused and changes the value", text)
		}
	}
}

// TestSpanText: what is accepted is neither negative nor longer than the limit,
// and means the same when printed and read again. (No fuzz target: it would
// compile the AWS SDK a second time.)
func TestSpanText(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"w", "d", "h", "m", "s", "ms", "ns", ".", "-", "+", " ", "0", "1", "7", "99", "36600", "9223372036854775807", "e3", "é"}
	accepted := 0
	for range 100_000 {
		var text string
		for range 1 + random.IntN(8) {
			text += pieces[random.IntN(len(pieces))]
		}
		var s, again span
		if s.Set(text) != nil {
			continue
		}
		accepted++
		if s < 0 || time.Duration(s) > maxSpan {
			t.Fatalf("%q is %d", text, s)
		}
		if err := again.Set(s.String()); err != nil || again != s {
			t.Fatalf("%q prints as %s, which is %d, %v; want %d", text, s, again, err, s)
		}
	}
	if accepted < 1000 {
		t.Fatalf("only %d texts were accepted: too few to show anything", accepted)
	}
}

func TestMoment(t *testing.T) {
	for text, want := range map[string]string{
		"2026-10-31":                     "2026-10-31T00:00:00Z",
		"2026-10-31T12:00:00Z":           "2026-10-31T12:00:00Z",
		"2026-10-31T12:00:00.9+02:00":    "2026-10-31T10:00:00Z",
		"2026-10-31T12:00:00.999999999Z": "2026-10-31T12:00:00Z",
	} {
		var m moment
		if err := m.Set(text); err != nil || m.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, m, err, want)
		}
	}
	for _, text := range []string{"", "now", "2026-13-01", "2026-02-30", "31.10.2026", "2026-10-31 12:00", "2026-10-31T12:00:00", "1793448000"} {
		if err := new(moment).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestRegions(t *testing.T) {
	var r regions
	for _, name := range []string{"us-east-1", "us-gov-west-1", "cn-northwest-1", "ap-southeast-4", "us-iso-east-1", "eusc-de-east-1", "us-east-1"} {
		if err := r.Set(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(r) != 6 {
		t.Errorf("a region that is named twice is kept twice: %s", r)
	}
	for _, name := range []string{"", " ", "useast1", "us-east-1,eu-west-1", "US-EAST-1", "us-east-1a", "all", "us-east-1\n"} {
		if err := r.Set(name); err == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestDocuments(t *testing.T) {
	d := documents{list: []document{{"table", stdoutPath}}}
	for _, text := range []string{"json=a=b.json", "table", "json=-"} {
		if err := d.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := d.String(), "json=a=b.json table json"; got != want {
		t.Errorf("documents are %q, want %q: the first replaces the default", got, want)
	}
}
