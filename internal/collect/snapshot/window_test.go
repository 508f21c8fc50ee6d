package snapshot

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func hours(from, to int) Window {
	at := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	return Window{From: at.Add(time.Duration(from) * time.Hour), To: at.Add(time.Duration(to) * time.Hour)}
}

func TestWindowsOfDays(t *testing.T) {
	for _, tt := range []struct{ got, want []Window }{
		{Union(), nil},
		{Union(hours(3, 5), hours(0, 2)), []Window{hours(0, 2), hours(3, 5)}},
		{Union(hours(2, 5), hours(0, 2), hours(1, 3)), []Window{hours(0, 5)}},
		{Union(hours(4, 4), hours(5, 3)), nil},
		{hours(0, 10).Without(), []Window{hours(0, 10)}},
		{hours(0, 10).Without(hours(0, 10)), nil},
		{hours(0, 10).Without(hours(-5, 2), hours(4, 6), hours(9, 20)), []Window{hours(2, 4), hours(6, 9)}},
		{hours(0, 10).Without(hours(20, 30), hours(-9, -2)), []Window{hours(0, 10)}},
		{hours(3, 3).Without(hours(0, 1)), nil},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%v, want %v", tt.got, tt.want)
		}
	}
}

// Against sets of hours: what is in the union or the difference is what the hours say.
func TestWindowsAsSets(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		var list []Window
		in := make(map[int]bool)
		for range random.IntN(5) {
			from := random.IntN(20)
			to := from + random.IntN(6)
			list = append(list, hours(from, to))
			for h := from; h < to; h++ {
				in[h] = true
			}
		}
		whole := hours(5, 15)
		union, rest := Union(list...), whole.Without(list...)
		for h := range 30 {
			at := hours(h, h+1).From
			has := func(ws []Window) bool { return slices.ContainsFunc(ws, func(w Window) bool { return w.Contains(at) }) }
			if has(union) != in[h] || has(rest) != (whole.Contains(at) && !in[h]) {
				t.Fatal(fmt.Sprint(list, union, rest, h))
			}
		}
		for _, ws := range [][]Window{union, rest} {
			for i := 1; i < len(ws); i++ {
				if !ws[i-1].To.Before(ws[i].From) {
					t.Fatal(fmt.Sprint(list, ws))
				}
			}
		}
	}
}

// What log files add to a snapshot is written and read, and a file from before has none
// of it.
func TestLogFilesInASnapshot(t *testing.T) {
	s := &Snapshot{Asked: Asked{Usage: "files", Sources: []string{"trail", "lookup", "dir:b"}},
		Coverage:  []Coverage{{Source: SourceTrail, Trail: "arn:aws:cloudtrail:us-east-1:123456789012:trail/t", Asked: hours(0, 1)}},
		Resources: []ResourcePolicy{{ARN: "arn:aws:s3:::b", Region: "eu-west-1"}}}
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	got, err := Read(bytes.NewReader(b.Bytes()))
	if err != nil || !slices.Equal(got.Asked.Sources, []string{"dir:b", "lookup", "trail"}) || got.Coverage[0].Trail != s.Coverage[0].Trail || got.Resources[0].Region != "eu-west-1" {
		t.Fatalf("%+v, %v", got, err)
	}
	former := b.String()
	for _, added := range []string{`,"sources":["dir:b","lookup","trail"]`, `"trail":"arn:aws:cloudtrail:us-east-1:123456789012:trail/t",`, `"region":"eu-west-1"`} {
		if !strings.Contains(former, added) {
			t.Fatalf("no %s in %s", added, former)
		}
		former = strings.Replace(former, added, "", 1)
	}
	former = strings.Replace(former, `"arn":"arn:aws:s3:::b",`, `"arn":"arn:aws:s3:::b"`, 1)
	got, err = Read(strings.NewReader(former))
	if err != nil || len(got.Asked.Sources) > 0 || got.Coverage[0].Trail != "" || got.Resources[0].Region != "" {
		t.Errorf("a file from before: %+v, %v", got, err)
	}
}
