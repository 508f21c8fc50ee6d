package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
)

// coverage writes what was read, source by source.
func (p *page) coverage(v view) {
	p.heading("COVERAGE: what was read")
	p.grid([]column{head("Source"), head("Regions"), head("Read").numeric(), head("Covered")},
		coverageRows(v.Coverage))
	calls := 0
	for _, n := range v.Calls {
		calls += n
	}
	p.blank()
	p.field("Calls to AWS", text(join(": ", strconv.Itoa(calls), tally(v.Calls))))
	for i, g := range v.GivenPolicies {
		label := ""
		if i == 0 {
			label = "Given"
		}
		p.field(label, name(givenPolicy(g)), text("SHA-256 "+g.SHA256[:min(len(g.SHA256), shortSum)]).in(2))
	}
	p.field("Caller", name(or(v.Caller, "unknown")))
	p.field("Actions", text(fmt.Sprintf("%d known IAM actions, catalogue of %s", v.Catalog.Actions, v.Catalog.Version)))
	if n := len(v.Catalog.UnknownActions); n > 0 {
		p.field("", text("matched as text, in no catalogue: "+some(v.Catalog.UnknownActions, n, 2*maxNames)))
	}
}

// shortSum is how much of a checksum tells files apart.
const shortSum = 16

// givenPolicy names a policy that was given as a file.
func givenPolicy(g report.GivenPolicy) string {
	layer := wording(map[string]string{"scp": "SCP", "rcp": "RCP"}, g.Layer)
	if g.Layer == "scp" {
		layer += fmt.Sprintf(" level %d", g.Level)
	}
	return layer + ": " + g.Name
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// coverageRows are the sources, those that differ in their region only as one.
func coverageRows(cs []report.Coverage) [][]cell {
	type group struct {
		report.Coverage
		regions []string
	}
	var groups []*group
	for _, c := range cs {
		i := slices.IndexFunc(groups, func(g *group) bool {
			return g.Source == c.Source && g.Scope == c.Scope && g.Complete == c.Complete &&
				slices.Equal(g.EventClasses, c.EventClasses) && sameWindow(g.Asked, c.Asked) && sameWindow(g.Covered, c.Covered)
		})
		if i < 0 {
			groups = append(groups, &group{Coverage: c})
			i = len(groups) - 1
			groups[i].Events, groups[i].Described, groups[i].Describable = 0, 0, 0
		}
		g := groups[i]
		g.Events += c.Events
		g.Described += c.Described
		g.Describable += c.Describable
		if c.Region != "" {
			g.regions = append(g.regions, c.Region)
		}
	}
	var rows [][]cell
	for _, g := range groups {
		source := cell{name(g.Source)}
		if what := join(", ", strings.Join(g.EventClasses, ", "), g.Scope); what != "" {
			source = append(source, name(what).in(2))
		}
		rows = append(rows, []cell{source, {text(some(g.regions, len(g.regions), 2*maxNames))}, {text(strconv.Itoa(g.Events))}, covered(g.Coverage)})
	}
	return rows
}

func covered(c report.Coverage) cell {
	var out cell
	switch {
	case c.Complete:
		out = cell{text("all").styled(good)}
	case c.Covered == nil:
		out = cell{text("nothing").styled(worse)}
	default:
		out = cell{text("partly").styled(warn)}
	}
	if c.Covered != nil {
		out = append(out, text(day(c.Covered.From)+" to "+day(c.Covered.To)))
	}
	if !c.Complete && c.Asked != nil && !sameWindow(c.Asked, c.Covered) {
		out = append(out, text("asked "+day(c.Asked.From)+" to "+day(c.Asked.To)))
	}
	if c.Describable > 0 {
		out = append(out, text(fmt.Sprintf("%d of %d jobs in full", c.Described, c.Describable)))
	}
	return out
}

func sameWindow(a, b *report.Window) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.From.Equal(b.From) && a.To.Equal(b.To)
}

// gapGroup is a gap with all regions it occurred in.
type gapGroup struct {
	report.Gap
	regions []string
}

// groupGaps puts gaps together that differ in their region only.
func groupGaps(gaps []report.Gap) []*gapGroup {
	var groups []*gapGroup
	byGap := map[report.Gap]*gapGroup{}
	for _, gap := range gaps {
		key := gap
		key.Region = ""
		g := byGap[key]
		if g == nil {
			g = &gapGroup{Gap: key}
			byGap[key] = g
			groups = append(groups, g)
		}
		if gap.Region != "" && !slices.Contains(g.regions, gap.Region) {
			g.regions = append(g.regions, gap.Region)
		}
	}
	return groups
}

// gaps writes what was asked for and could not be read.
func (p *page) gaps(v view) {
	p.heading("GAPS: asked for and not read; what that leaves unsure, and why")
	if len(v.Gaps) == 0 {
		p.indented(text("none"))
		return
	}
	details := 0
	for _, g := range groupGaps(v.Gaps) {
		st := worse
		if g.Impact == "detail" {
			if details++; details > maxDetails {
				continue
			}
			st = plain
		}
		what := paras(join(" ", g.Reason+":", g.Source, inRegions(g.regions)))
		if g.Scope != "" {
			what = append(what, name(g.Scope).hanging(2))
		}
		if g.Detail != "" {
			what = append(what, text(g.Detail))
		}
		if g.Remedy != "" {
			what = append(what, text("Do: "+g.Remedy).hanging(4))
		}
		p.labelled(text(g.Impact).styled(st), labelWidth, what)
	}
	if n := details - maxDetails; n > 0 {
		p.labelled(text("detail"), labelWidth, paras(plural(n, "gap more", "gaps more")+" of this impact: -o json has them all"))
	}
}

// maxDetails is how many gaps of impact detail are shown; those that make a run
// incomplete all are.
const maxDetails = 50

// trails writes what the account's trails record.
func (p *page) trails(v view) {
	p.heading("TRAILS: what CloudTrail's trails record, whether or not it was read")
	if len(v.Trails) == 0 {
		p.indented(text("none seen"))
	}
	for _, t := range v.Trails {
		how := "records " + t.HomeRegion + " alone"
		if t.MultiRegion {
			how = "records every region"
		}
		if t.Organization {
			how += ", for the organization"
		}
		if !t.Logging {
			how += "; switched off"
		}
		if len(t.Unread) > 0 {
			how += "; not read: " + strings.Join(t.Unread, ", ")
		}
		p.indented(name(t.ARN).hanging(2), text(how).in(2))
		for _, r := range t.Records {
			p.indented(text("- " + recording(r)).in(2).hanging(2))
			for _, arn := range r.Scope[:min(len(r.Scope), maxResources)] {
				p.indented(name(arn).in(6).hanging(2))
			}
			for _, q := range more(len(r.Scope) - maxResources) {
				p.indented(q.in(6))
			}
		}
	}
}

// recording puts into words what a selector lets through.
func recording(r report.Recording) string {
	what := r.EventClass + " events"
	if r.ResourceType != "" {
		what += " of " + r.ResourceType
	}
	if r.Access != "all" {
		what += ", " + r.Access + "s only"
	}
	if len(r.Without) > 0 {
		what += ", without " + some(r.Without, len(r.Without), maxNames)
	}
	switch {
	case r.Whole:
		what += ", for the whole window"
	case r.Since != nil:
		what += ", since " + day(*r.Since)
	}
	if r.Note != "" {
		what += "; " + r.Note
	}
	if !r.Understood {
		what += ": taken to record nothing"
	}
	if len(r.Scope) > 0 {
		what += ", on"
	}
	return what
}

// blindSpots writes what no permission would have shown.
func (p *page) blindSpots(v view) {
	p.heading("BLIND SPOTS: recorded by nothing that was read")
	if len(v.BlindSpots) == 0 {
		p.indented(text("none"))
	}
	for _, b := range v.BlindSpots {
		p.indented(text(b.What), text(b.Reason).in(2))
		if b.Remedy != "" {
			p.indented(text("Do: " + b.Remedy).in(2).hanging(4))
		}
	}
}
