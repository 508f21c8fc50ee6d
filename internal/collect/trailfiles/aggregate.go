package trailfiles

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// aggregate groups the kept calls and knows them by id. Calls come in one order,
// whatever the number of workers: that of the files, by account, region, day and name.
// So what the limits do depends on the files alone.
type aggregate struct {
	limits  Limits
	sources []string

	events   map[eventID]event
	names    map[eventID]string // of ids that are no UUID, and of those that restate
	families map[string]*family // by key, in numbers of words
	words    words
	key      []byte // of the call that is added, for reuse
	groups   int
	objects  int // the limit of a family now

	duplicates, forgotten, dropped, unique int64
}

// event is a kept call that is remembered by id.
type event struct {
	group    *group
	at       int64 // microseconds, Unix
	file     uint32
	addendum bool
}

// found is a kept call on its way from a worker: its key packed, the family's part and
// the rest.
type found struct {
	family, rest string
	alone        bool // the family has no names to collapse
	id           eventID
	name         string // the record's own id where that is not the UUID in id
	at           int64
	addendum     bool
}

func newAggregate(limits Limits, sources []string) *aggregate {
	return &aggregate{
		limits: limits, sources: sources, objects: limits.Objects,
		events: make(map[eventID]event), names: make(map[eventID]string), families: make(map[string]*family),
		words: words{numbers: make(map[string]uint64)},
	}
}

func foundIn(source int, r *snapshot.Record, key *snapshot.UseKey) found {
	f := found{at: r.EventTime.UnixMicro(), addendum: r.Addendum != nil}
	whole := false
	if f.id, whole = eventIDOf(r.ID()); !whole || r.ID() != r.EventID {
		f.name = r.EventID
	}
	var none snapshot.UseKey
	family := key.Collapsed(0)
	b := family.Pack(append(make([]byte, 0, 512), byte(source)), &none)
	f.family, f.alone = string(b), !family.IsCollapsed()
	if !f.alone {
		f.rest = string(key.Pack(b[:0], &family))
	}
	return f
}

func (a *aggregate) ident(id eventID) ident {
	return ident{id, a.names[id]}
}

// add adds a call of file number file. Of several with one id the last restatement
// counts (an addendum: CloudTrail User Guide, cloudtrail-event-reference-record-contents),
// else the latest.
func (a *aggregate) add(f *found, file uint32) {
	former, again := a.events[f.id]
	if again {
		a.duplicates++
		if !f.replaces(&former, a.ident(f.id)) {
			return
		}
	}
	g := a.group(f)
	if g == nil {
		a.dropped++
		return
	}
	if !again {
		a.unique++
	}
	delete(a.names, f.id)
	if f.name != "" {
		a.names[f.id] = f.name
	}
	a.events[f.id] = event{group: g, at: f.at, file: file, addendum: f.addendum}
	if len(a.events) > a.limits.Events {
		a.forget()
	}
}

func (f *found) replaces(d *event, former ident) bool {
	if f.addendum != d.addendum {
		return f.addendum
	}
	return cmp.Or(cmp.Compare(f.at, d.at), ident{f.id, f.name}.compare(former)) > 0
}

// forget counts and forgets the half of the remembered calls that was delivered first:
// a call that is delivered again comes soon after.
func (a *aggregate) forget() {
	type place struct {
		file uint32
		at   int64
		id   eventID
	}
	all := make([]place, 0, len(a.events))
	for id, e := range a.events {
		all = append(all, place{e.file, e.at, id})
	}
	slices.SortFunc(all, func(x, y place) int {
		return cmp.Or(cmp.Compare(x.file, y.file), cmp.Compare(x.at, y.at), slices.Compare(x.id[:], y.id[:]))
	})
	for _, p := range all[:(len(all)+1)/2] {
		e := a.events[p.id]
		e.group.see(e.at, a.ident(p.id))
		delete(a.events, p.id)
		delete(a.names, p.id)
		a.forgotten++
	}
}

// group finds the group of a call, nil where there is no room for another.
func (a *aggregate) group(f *found) *group {
	a.key = a.words.number(a.key[:0], f.family)
	fam := a.families[string(a.key)]
	if fam == nil {
		if !a.room() {
			return nil
		}
		fam = &family{source: int(f.family[0]), depth: exact, alone: f.alone}
		a.families[string(a.key)] = fam
	}
	rest := f.rest
	if fam.depth != exact {
		rest = a.shortened(f, fam.depth)
	}
	if g := fam.get(rest); g != nil {
		return g
	}
	if !a.room() && (fam.alone || fam.size() < a.objects) {
		return nil // else the family collapses, and takes the call in
	}
	// Room may have been made by collapsing this very family.
	if fam.depth != exact {
		rest = a.shortened(f, fam.depth)
		if g := fam.get(rest); g != nil {
			return g
		}
	}
	g := new(group)
	fam.put(rest, g)
	a.groups++
	if fam.depth == exact {
		fam.objects++
	}
	if fam.size() > a.objects {
		a.collapse(string(a.key), fam)
	}
	return g
}

// room makes room for one group more, and reports whether there is. Past the limit of
// names it halves the number of names that a family may keep, as often as need be.
func (a *aggregate) room() bool {
	if a.groups >= a.limits.Names && a.objects > 1 {
		for a.groups >= a.limits.Names && a.objects > 1 {
			a.objects = max(1, a.objects/2)
			for key, fam := range a.families {
				if fam.size() > a.objects {
					a.collapse(key, fam)
				}
			}
		}
		for id, e := range a.events { // lets go of what has collapsed
			e.group = e.group.end()
			a.events[id] = e
		}
	}
	return a.groups < a.limits.Groups
}

// base is the key of a family.
func (a *aggregate) base(family string) (key snapshot.UseKey) {
	key.Unpack(a.words.text(family))
	return key
}

// shortened is the rest of a call's key with its names cut.
func (a *aggregate) shortened(f *found, depth int) string {
	var base snapshot.UseKey
	base.Unpack(f.family[1:])
	key := base
	key.Unpack(f.rest)
	key = key.Collapsed(depth)
	return string(key.Pack(nil, &base))
}

// collapse keeps a family's names by the deepest folders that are few enough. How deep
// that is depends on the names alone, not on their order: the deeper, the more.
func (a *aggregate) collapse(key string, fam *family) {
	if fam.alone {
		return
	}
	base := a.base(key)
	if fam.depth == exact {
		fam.depth = 0
		for rest := range fam.groups() {
			k := base
			k.Unpack(rest)
			p := &k.Params
			for _, name := range []string{p.Key, p.S3ARN, p.CopySource, p.Prefix, p.LogStreamName, p.TrainingJobName} {
				fam.depth = max(fam.depth, min(strings.Count(name, "/"), maxFolders))
			}
		}
		fam.depth++ // the first step leads to the names' own folders
	}
	a.groups -= fam.size()
	for fam.size() > a.objects && fam.depth > 0 {
		fam.depth--
		var short family
		for rest, g := range fam.groups() {
			k := base
			k.Unpack(rest)
			k = k.Collapsed(fam.depth)
			rest := string(k.Pack(nil, &base))
			if to := short.get(rest); to != nil {
				to.merge(g)
			} else {
				short.put(rest, g)
			}
		}
		fam.rest, fam.first, fam.more = short.rest, short.first, short.more
	}
	a.groups += fam.size()
}

// maxFolders bounds how often a family collapses. A key of S3 may have a thousand.
const maxFolders = 32

// end counts the calls that are still remembered by id. Only groups are left.
func (a *aggregate) end() {
	for id, e := range a.events {
		e.group.see(e.at, a.ident(id))
	}
	a.events, a.names = nil, nil
}

// each yields all groups, by family and by name as they are kept.
func (a *aggregate) each(yield func(snapshot.Usage) bool) {
	for _, key := range slices.Sorted(maps.Keys(a.families)) {
		fam, base := a.families[key], a.base(key)
		rests := make([]string, 0, fam.size())
		for rest := range fam.groups() {
			rests = append(rests, rest)
		}
		slices.Sort(rests)
		for _, rest := range rests {
			g := fam.get(rest)
			if g.count == 0 {
				continue // all its calls were restated
			}
			k := base
			k.Unpack(rest)
			if !yield(snapshot.Usage{
				UseKey: k, Count: g.count, Source: a.sources[fam.source],
				First: time.UnixMicro(g.first).UTC(), Last: time.UnixMicro(g.last).UTC(), FirstEventID: g.firstID.String(), LastEventID: g.lastID.String(),
			}) {
				return
			}
		}
	}
}

// collapsed tells which calls lost names: of families that differ in the outcome or the
// session, together.
func (a *aggregate) collapsed() []Collapse {
	of := make(map[Collapse]*Collapse)
	for key, fam := range a.families {
		if fam.depth == exact {
			continue
		}
		base := a.base(key)
		what := collapseOf(&base)
		c := of[what]
		if c == nil {
			c = &Collapse{}
			*c = what
			of[what] = c
		}
		c.Objects = max(c.Objects, fam.objects)
		c.Prefixes += fam.size()
		for _, g := range fam.groups() {
			c.Calls += int64(g.count)
		}
	}
	var list []Collapse
	for _, c := range of {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(x, y Collapse) int {
		return cmp.Or(cmp.Compare(x.Role.ARN, y.Role.ARN), cmp.Compare(x.Role.ID, y.Role.ID), cmp.Compare(x.Caller, y.Caller),
			cmp.Compare(x.EventSource, y.EventSource), cmp.Compare(x.EventName, y.EventName), cmp.Compare(x.Bucket, y.Bucket), cmp.Compare(x.Region, y.Region))
	})
	return list
}

// collapseOf names the calls of a family.
func collapseOf(base *snapshot.UseKey) Collapse {
	bucket := base.Params.BucketName
	if arn := base.Params.S3ARNs; bucket == "" && arn != "" {
		_, bucket, _ = strings.Cut(strings.TrimSuffix(arn, "/*"), ":::")
	}
	return Collapse{Role: base.Role, Caller: base.Caller, EventSource: base.EventSource, EventName: base.EventName, Region: base.Region, Bucket: bucket}
}
