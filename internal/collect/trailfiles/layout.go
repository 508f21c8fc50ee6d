package trailfiles

import (
	"slices"
	"strings"
	"time"
)

// The layout of a trail's bucket (CloudTrail User Guide,
// get-and-view-cloudtrail-log-files):
//
//	[prefix/]AWSLogs/[o-ORGID/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/
//	    ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz
//
// The name alone says what a file is, so that one that was copied out of its folders
// is read as well. Where both are there they must agree.

// kinds are the folders beside CloudTrail whose objects are no log files of events.
var kinds = map[string]string{
	"CloudTrail-Digest":          "digest",
	"CloudTrail-Insight":         "insight",
	"CloudTrail-NetworkActivity": "network activity",
	"CloudTrail-Aggregated":      "aggregated",
}

// foreign is an object that is no log file.
const foreign = "no log file"

// place is what the folders of a key say. Fields are empty where the key has no such
// folder.
type place struct {
	account, kind, region string
	year, month, day      string
}

// placeOf reads folders: from the last AWSLogs on, or from a folder CloudTrail.
func placeOf(folders []string) place {
	var p place
	rest := folders
	if i := lastIndex(folders, "AWSLogs"); i >= 0 {
		rest = folders[i+1:]
		if len(rest) > 0 && strings.HasPrefix(rest[0], "o-") {
			rest = rest[1:]
		}
		if len(rest) > 0 && isAccount(rest[0]) {
			p.account, rest = rest[0], rest[1:]
		} else {
			return p
		}
		if len(rest) == 0 {
			return p
		}
	} else {
		i := slices.IndexFunc(folders, func(s string) bool { return s == "CloudTrail" || kinds[s] != "" })
		if i < 0 {
			return p
		}
		if i > 0 && isAccount(folders[i-1]) {
			p.account = folders[i-1]
		}
		rest = folders[i:]
	}
	p.kind, rest = rest[0], rest[1:]
	for i, field := range []*string{&p.region, &p.year, &p.month, &p.day} {
		if i == len(rest) {
			break
		}
		*field = rest[i]
	}
	return p
}

func lastIndex(folders []string, name string) int {
	for i := len(folders) - 1; i >= 0; i-- {
		if folders[i] == name {
			return i
		}
	}
	return -1
}

// unwanted says why nothing under a folder is wanted, empty when something may be.
func (f *finder) unwanted(key string) string {
	p := placeOf(strings.Split(strings.TrimSuffix(key, "/"), "/"))
	if p.account != "" && len(f.Accounts) > 0 && !slices.Contains(f.Accounts, p.account) {
		return "another account"
	}
	if p.kind == "" {
		return ""
	}
	if p.kind != "CloudTrail" {
		if kind := kinds[p.kind]; kind != "" {
			return kind
		}
		return foreign // another service's logs
	}
	if p.region != "" && len(f.Regions) > 0 && !slices.Contains(f.Regions, p.region) {
		return "another region"
	}
	from, span, ok := p.dates()
	switch {
	case !ok:
		return ""
	case !f.inWindow(from, span):
		return "outside of the window"
	case p.day != "" && p.account != "" && f.Skip != nil && f.Skip(p.account, p.region, from):
		return "read from another source"
	}
	return ""
}

// dates gives the span of the folder's days.
func (p place) dates() (from time.Time, span time.Duration, ok bool) {
	layout, text := "2006", p.year
	if p.month != "" {
		layout, text = layout+"/01", text+"/"+p.month
	}
	if p.day != "" {
		layout, text = layout+"/02", text+"/"+p.day
	}
	from, err := time.Parse(layout, text)
	if err != nil {
		return time.Time{}, 0, false
	}
	to := from.AddDate(1, 0, 0)
	switch {
	case p.day != "":
		to = from.AddDate(0, 0, 1)
	case p.month != "":
		to = from.AddDate(0, 1, 0)
	}
	return from, to.Sub(from), true
}

// parse says what an object is: a log file (kind is empty), or why it is none. Of a
// foreign object in a region's folder of log files it gives the region.
func parse(key string) (f File, kind string) {
	folders := strings.Split(key, "/")
	name := folders[len(folders)-1]
	p := placeOf(folders[:len(folders)-1])
	if k := kinds[p.kind]; k != "" {
		return f, k
	}
	account, rest, ok := strings.Cut(name, "_")
	if !ok || !isAccount(account) {
		return foreignIn(p)
	}
	what, rest, _ := strings.Cut(rest, "_")
	if k := kinds[what]; k != "" {
		return f, k
	}
	region, rest, _ := strings.Cut(rest, "_")
	stamp, unique, ok := strings.Cut(rest, "_")
	if what != "CloudTrail" || !ok || region == "" || !strings.HasSuffix(unique, ".json.gz") && !strings.HasSuffix(unique, ".json") {
		return foreignIn(p)
	}
	at, err := time.Parse("20060102T1504Z", stamp)
	if err != nil || p.kind == "CloudTrail" && p.region != "" && p.region != region || p.account != "" && p.account != account {
		return foreignIn(p)
	}
	f.Account, f.Region, f.Day = account, region, at.Truncate(24*time.Hour)
	if from, _, ok := p.dates(); ok && p.day != "" {
		// The folder's day is that of the delivery too; it decides where a file was
		// looked for.
		f.Day = from
	}
	return f, ""
}

func foreignIn(p place) (File, string) {
	if p.kind == "CloudTrail" {
		return File{Region: p.region}, foreign
	}
	return File{}, foreign
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
