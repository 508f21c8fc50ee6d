package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// cell is an action on the resources of one pattern: what a verdict belongs to. Each
// pattern that is needed, used or refused is a cell; the rest of what is granted of
// the action is another.
type cell struct {
	action string
	area   string
	// resource is "" for calls whose record names none, and for the rest.
	resource string
	// rest are the granted patterns beside the other cells; then this is the rest.
	rest   []string
	access access

	need                    *judgedNeed // the strongest
	used, denied, attempted *touch      // nil for none

	verdict report.Verdict
	reason  string
	cause   cause // of a foreign cell
}

// cause is why a use is foreign.
type cause int

const (
	causeUnknown   cause = iota
	causeNarrowed        // the role's policies, or a layer above them, are narrower than they were
	causeElsewhere       // another policy than the role's must allow it
)

func (c *cell) isRest() bool { return len(c.rest) > 0 }

// granted: by the identity policies, on a part at least; effective: in every layer
// that was read.
func (c *cell) granted() bool   { return c.access.Identity != policy.No }
func (c *cell) effective() bool { return c.access.Effective != policy.No }

// resolvedAt is the first use known after the last refusal; zero if there is none.
func (c *cell) resolvedAt() time.Time {
	var first time.Time
	if c.denied == nil || c.used == nil {
		return first
	}
	refused := c.denied.last()
	for _, u := range c.used.calls {
		for _, at := range []time.Time{u.First, u.Last} {
			if at.After(refused) && (first.IsZero() || at.Before(first)) {
				first = at
			}
		}
	}
	return first
}

// cells are a role's cells by action.
type cells map[string][]*cell

// sorted gives the cells by action and resource, the rest of an action last.
func (c cells) sorted() []*cell {
	var out []*cell
	for _, action := range slices.Sorted(maps.Keys(c)) {
		list := slices.Clone(c[action])
		slices.SortFunc(list, func(a, b *cell) int {
			return cmp.Or(cmp.Compare(len(a.rest), len(b.rest)), cmp.Compare(a.resource, b.resource), cmp.Compare(a.area, b.area))
		})
		out = append(out, list...)
	}
	return out
}

// cellsOf makes and judges the cells of each action that is needed or was called.
func (a *audit) cellsOf(j *judgement) cells {
	out := cells{}
	for _, n := range j.needs {
		list := out[n.action]
		if i := slices.IndexFunc(list, func(c *cell) bool { return c.resource == n.resource }); i >= 0 {
			if n.need.strength > list[i].need.need.strength {
				list[i].need, list[i].area = n, n.area
			}
			continue
		}
		out[n.action] = append(list, &cell{action: n.action, area: n.area, resource: n.resource, need: n, access: n.access})
	}
	names := map[string]struct{}{}
	for _, table := range []map[string]*observation{j.seen.used, j.seen.denied, j.seen.attempted} {
		for action := range table {
			names[action] = struct{}{}
		}
	}
	for action := range names {
		out[action] = a.touchedCells(j, action, out[action])
	}
	for action, list := range out {
		for _, c := range list {
			a.judgeCell(j, c)
		}
		if rest := a.restOf(j, action, list); rest != nil {
			list = append(list, rest)
		}
		out[action] = slices.DeleteFunc(list, func(c *cell) bool { return c.verdict == "" })
	}
	return out
}

// touchedCells adds what CloudTrail shows of an action to the cells of its needs,
// and makes cells of the resources that no need takes in: those granted alike as one,
// generalised as a job's own locations are.
func (a *audit) touchedCells(j *judgement, action string, list []*cell) []*cell {
	needs := len(list)
	resources := map[string]struct{}{}
	tables := []struct {
		ob    *observation
		place func(*cell) **touch
	}{
		{j.seen.used[action], func(c *cell) **touch { return &c.used }},
		{j.seen.denied[action], func(c *cell) **touch { return &c.denied }},
		{j.seen.attempted[action], func(c *cell) **touch { return &c.attempted }},
	}
	for _, t := range tables {
		if t.ob == nil {
			continue
		}
		for _, c := range t.ob.calls {
			if len(c.resources) == 0 {
				resources[""] = struct{}{}
			}
			for _, r := range c.resources {
				resources[r] = struct{}{}
			}
		}
	}
	// Where each resource belongs.
	type state struct {
		identity, effective policy.State
		layer               policy.Layer
		holder              string
	}
	home := map[string]*cell{}
	alike := map[state]map[string]struct{}{}
	accesses := map[state]access{}
	for _, r := range sorted(resources) {
		access := a.accessTo(j, action, cmp.Or(r, "*"))
		if access.Identity == policy.No && logGroup.MatchString(r) {
			// A call on a log group is authorised on GROUP:* as well as on the bare group: AWS's
			// refusals name GROUP:log-stream (aws-samples/amazon-sagemaker-local-mode#8).
			if alt := a.accessTo(j, action, r+":*"); alt.Identity != policy.No {
				access = alt
			}
		}
		s := state{identity: access.Identity, effective: access.Effective}
		if access.holderRead {
			s.layer, s.holder = access.Layer, access.holder
		}
		if i := slices.IndexFunc(list[:needs], func(c *cell) bool {
			return r != "" && policy.Includes(c.resource, r) && (c.access.Identity != policy.No) == (access.Identity != policy.No)
		}); i >= 0 {
			home[r] = list[i]
			continue
		}
		if i := slices.IndexFunc(list[:needs], func(c *cell) bool { return r == "" && c.resource == "*" }); i >= 0 {
			home[r] = list[i]
			continue
		}
		if r == "" {
			home[r] = &cell{action: action, area: a.areaOf(action), access: access}
			list = append(list, home[r])
			continue
		}
		if alike[s] == nil {
			alike[s] = map[string]struct{}{}
			accesses[s] = access
		}
		alike[s][r] = struct{}{}
	}
	for s, set := range alike {
		access := accesses[s]
		access.Partial = false
		var made []*cell
		for _, pattern := range generalisedResources(set) {
			made = append(made, &cell{action: action, area: a.areaOf(action), resource: pattern, access: access})
		}
		for r := range set {
			i := slices.IndexFunc(made, func(c *cell) bool { return policy.Includes(c.resource, r) })
			home[r] = made[max(i, 0)] // generalising takes in each resource it was given
		}
		list = append(list, made...)
	}
	for _, t := range tables {
		if t.ob == nil {
			continue
		}
		for _, c := range t.ob.calls {
			for _, r := range orUnknown(c.resources) {
				at := t.place(home[r])
				if *at == nil {
					*at = newTouch()
				}
				(*at).add(c, r)
			}
		}
	}
	return list
}

// logGroup is the ARN of a log group. Source: AWS list_amazoncloudwatchlogs.
var logGroup = regexp.MustCompile(`^arn:[a-z-]+:logs:[a-z0-9-]+:\d{12}:log-group:[^:*]+$`)

func orUnknown(resources []string) []string {
	if len(resources) == 0 {
		return []string{""}
	}
	return resources
}

// judgeCell gives a cell its verdict: the first rule that applies, as
// docs/verdicts.md lists them. A cell that was only attempted and is not granted
// gets none.
func (a *audit) judgeCell(j *judgement, c *cell) {
	switch {
	case c.need != nil:
		c.verdict, c.reason = a.judgeNeed(j, c)
	case c.used != nil && c.granted() && c.effective():
		c.verdict = report.VerdictUsed
	case c.used != nil:
		c.verdict, c.reason = report.VerdictForeign, a.whyForeign(j, c)
	case c.denied != nil && !c.granted():
		c.verdict, c.reason = report.VerdictRefused, refusedBy(c.denied.layers())
	case c.denied != nil:
		c.verdict, c.reason = a.judgeRefusal(j, c)
	case c.granted():
		c.verdict, c.reason = report.VerdictUnobservable, reasonAttempted
	}
}

// judgeRefusal is of calls that were refused although identity policies grant them
// today: by another layer, or before they did.
func (a *audit) judgeRefusal(j *judgement, c *cell) (report.Verdict, string) {
	layers := c.denied.layers()
	switch {
	case !c.effective():
		return report.VerdictBlocked, "granted by the identity policies, refused by " + a.refuser(j, c)
	case blockedElsewhere(c.denied):
		return report.VerdictBlocked, "granted by the identity policies, " + refusedBy(layers) + notReadNote(j, c)
	case len(layers) > 0:
		return report.VerdictUnobservable, "refused by the identity policies as they were then; they grant it today, and no call since has tried"
	case len(j.changesAfter(c.denied.last())) > 0:
		return report.VerdictUnobservable, "refused, and the role's policies have changed since; no call since has tried"
	case c.access.Identity == policy.Conditional:
		return report.VerdictUnobservable, "refused, and granted only under a condition, which may not have been met"
	}
	return report.VerdictBlocked, "granted by the identity policies, and refused by a layer that the message does not name"
}

// layerNames are the words for policy layers.
var layerNames = map[string]string{
	"identity": "the identity policies", "boundary": "the permissions boundary", "scp": "a service control policy",
	"rcp": "a resource control policy", "resource": "a resource-based policy", "session": "a session policy",
	"endpoint": "a VPC endpoint policy", "trust": "the trust policy",
}

func layerWords(layer string) string { return cmp.Or(layerNames[layer], "a layer that was not read") }

func refusedBy(layers []string) string {
	if len(layers) == 0 {
		return "refused by a layer that the message does not name"
	}
	words := make([]string, len(layers))
	for i, l := range layers {
		words[i] = layerWords(l)
	}
	return "refused by " + strings.Join(words, " and ")
}

// elsewhere are the layers of a refusal that are neither identity nor boundary:
// those two already narrow what is granted.
var elsewhere = []string{"scp", "rcp", "resource", "session", "endpoint"}

func blockedElsewhere(t *touch) bool {
	return t != nil && slices.ContainsFunc(t.layers(), func(l string) bool { return slices.Contains(elsewhere, l) })
}

// judgeNeed holds a need against the grant and what was seen on its resources.
func (a *audit) judgeNeed(j *judgement, c *cell) (report.Verdict, string) {
	n := c.need
	if j.grant == nil {
		// A role that is gone grants nothing now; what its jobs needed is history.
		if c.used != nil {
			return report.VerdictForeign, a.whyForeign(j, c)
		}
		return report.VerdictUnobservable, "the role's policies are not known"
	}
	whole := n.granted() && (!n.access.identityPartial || n.completed)
	switch {
	case whole && !c.effective():
		return report.VerdictBlocked, "granted by the identity policies, refused by " + a.refuser(j, c)
	case whole && c.used == nil && blockedElsewhere(c.denied) && !n.completedAt.After(c.denied.last()):
		return report.VerdictBlocked, "granted by the identity policies, " + refusedBy(c.denied.layers()) + notReadNote(j, c)
	case whole && c.used != nil:
		return report.VerdictUsed, ""
	case whole && n.need.strength == strengthFailed:
		return report.VerdictUnobservable, reasonFailedJobs
	case whole:
		return report.VerdictRequired, a.aboutNeed(j, c)
	case j.grant.unknown != "":
		return report.VerdictUnobservable, reasonNoGrant
	case c.used != nil:
		return report.VerdictForeign, a.whyForeign(j, c)
	case n.access.elsewhere() && (n.completed || n.access.Effective == policy.Yes && !n.access.Partial):
		return report.VerdictContradicted, "not granted by the role's policies: " + granterElsewhere(&n.access)
	case n.completed:
		return report.VerdictContradicted, "a completed job did without it: another policy grants it, or the rule is wrong for that job"
	}
	if n.access.elsewhere() {
		return report.VerdictMissing, "no policy of the role grants it; " + granterElsewhere(&n.access)
	}
	return report.VerdictMissing, "no policy of the role grants it"
}

// aboutNeed says what else decides over a need that is granted.
func (a *audit) aboutNeed(j *judgement, c *cell) string {
	var parts []string
	if c.need.need.strength == strengthDeclared {
		parts = append(parts, "declared only: no job that asks for it has completed")
	}
	owner := accountOf(c.resource)
	foreign := owner != "" && owner != a.snapshot.Account.ID
	switch {
	case c.access.Partial && coveredConditionally(c.access.Access):
		parts = append(parts, "granted outright on a part of it only, elsewhere only under a condition"+conditionKeys(c.access))
	case c.access.Partial:
		parts = append(parts, "granted on a part of it only")
	case c.access.Identity == policy.Conditional:
		parts = append(parts, "granted only under a condition"+conditionKeys(c.access))
	}
	if s := beyondIdentity(&c.access); s != "" && !foreign {
		parts = append(parts, s)
	}
	if foreign {
		parts = append(parts, fmt.Sprintf("the resource is account %s's: its own policy decides as well, and was not read", owner))
	}
	return strings.Join(parts, "; ")
}

// coveredConditionally: statements allow the whole of the resources, but all of them
// under conditions.
func coveredConditionally(access policy.Access) bool {
	covers := func(m policy.Match) bool { return m.Layer == policy.LayerIdentity && !m.Partial }
	return slices.ContainsFunc(access.Allows, covers) &&
		!slices.ContainsFunc(access.Allows, func(m policy.Match) bool { return covers(m) && m.Statement.Unconditional() })
}

// grantedWord is the state of the whole cell: conditional where only a part of it is
// granted outright.
func grantedWord(access policy.Access) string {
	if access.Identity == policy.Yes && access.Partial && coveredConditionally(access) {
		return policy.Conditional.String()
	}
	return access.Identity.String()
}

// conditionKeys names what the statements that allow it depend on.
func conditionKeys(access access) string {
	keys := map[string]struct{}{}
	for _, m := range access.Allows {
		if m.Layer == policy.LayerIdentity {
			for _, c := range m.Statement.Conditions {
				keys[c.Key] = struct{}{}
			}
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return " on " + strings.Join(sorted(keys), ", ")
}

// whyForeign says why a use is on record that nothing grants today, and keeps the
// cause.
func (a *audit) whyForeign(j *judgement, c *cell) string {
	last := c.used.last()
	if j.grant == nil {
		return "the role is gone or was not read: nothing is known to grant it today"
	}
	if c.granted() {
		c.cause = causeNarrowed
		return "the identity policies grant it, and " + a.refuser(j, c) + " refuses it today"
	}
	if c.access.elsewhere() {
		c.cause = causeElsewhere
		return "no policy of the role grants it: " + granterElsewhere(&c.access)
	}
	if changes := j.changesAfter(last); len(changes) > 0 {
		u := changes[0]
		c.cause = causeNarrowed
		return fmt.Sprintf("no policy of the role grants it today: %s by %s on %s came after its last use", u.EventName, whoChanged(u), day(u.Last))
	}
	for _, p := range j.grant.stack.Identity {
		if m := a.library.managed[p.ARN]; m != nil && m.UpdatedAt.After(last) {
			c.cause = causeNarrowed
			return fmt.Sprintf("no policy of the role grants it today: %s %s of %s is younger than its last use", m.Name, m.Version, day(m.UpdatedAt))
		}
	}
	if a.observer.blindAtHome != "" {
		return "no policy of the role grants it today; whether they have changed since is not known"
	}
	if c.access.holderRead {
		return "no policy of the role grants it today, nor does " + policyOf(c.access.holder) + ": one of them has changed since, or an access control list or grant lets it in"
	}
	c.cause = causeElsewhere
	return "no policy of the role grants it, and no change of them is on record since: a policy of the resource (bucket, key, repository) must allow it"
}

// changesAfter are the changes of the role's policies after a time, newest first.
func (j *judgement) changesAfter(at time.Time) []*snapshot.Usage {
	var out []*snapshot.Usage
	for _, u := range j.sub.changes {
		if u.Last.After(at) && u.EventName != "UpdateAssumeRolePolicy" {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(x, y *snapshot.Usage) int {
		return cmp.Or(y.Last.Compare(x.Last), cmp.Compare(x.LastEventID, y.LastEventID))
	})
	return out
}

// whoChanged names who made a change: a session by its role and name.
func whoChanged(u *snapshot.Usage) string {
	if u.Role.ARN == "" {
		return cmp.Or(u.Caller, "an unknown caller")
	}
	if u.Who.Session == "" {
		return nameOf(u.Role.ARN)
	}
	return nameOf(u.Role.ARN) + "/" + u.Who.Session
}

// restOf is what is granted of the action beside its other cells, nil for nothing.
func (a *audit) restOf(j *judgement, action string, list []*cell) *cell {
	i, known := a.library.catalog.Index(action)
	if j.grant == nil || !known || j.grant.set.Effective(i) == policy.No {
		return nil
	}
	patterns := map[string]struct{}{}
	for _, g := range j.grant.patterns(i) {
		if !g.not && !a.library.concerns(i, g.text) {
			continue
		}
		if g.not || !slices.ContainsFunc(list, func(c *cell) bool {
			return c.resource != "" && c.granted() && c.verdict != "" && policy.Includes(c.resource, g.text)
		}) {
			patterns[g.text] = struct{}{}
		}
	}
	if len(patterns) == 0 {
		return nil
	}
	c := &cell{action: action, area: a.areaOf(action), rest: sorted(patterns)}
	if len(list) > 0 {
		c.area = cmp.Or(a.areaOf(action), list[0].area)
	}
	c.access.Identity, c.access.Effective = j.grant.set.Identity(i), j.grant.set.Effective(i)
	c.verdict = report.VerdictUnused
	if slices.ContainsFunc(list, func(x *cell) bool { return x.resource == "" && x.used != nil }) {
		c.verdict, c.reason = report.VerdictUnobservable, reasonUnnamed
	} else if why := a.whyUnobservable(j, i, c.rest, turnedAwayElsewhere(list)); why != "" {
		c.verdict, c.reason = report.VerdictUnobservable, why
	}
	return c
}

// turnedAwayElsewhere reports whether calls that were refused or turned away say
// nothing about the rest of a grant: the action is used or needed, and each of them
// names a resource that is a cell of its own.
func turnedAwayElsewhere(list []*cell) bool {
	served := slices.ContainsFunc(list, func(c *cell) bool {
		return c.granted() && (c.verdict == report.VerdictUsed || c.verdict == report.VerdictRequired)
	})
	return served && !slices.ContainsFunc(list, func(c *cell) bool { return c.resource == "" && (c.denied != nil || c.attempted != nil) })
}

// reportCell lays a cell out as the contract has it.
func (a *audit) reportCell(j *judgement, c *cell) report.JudgedCell {
	out := report.JudgedCell{Action: c.action, Area: c.area, Resource: c.resource, Rest: c.isRest(), Patterns: []string{},
		Granted: grantedWord(c.access.Access), Effective: c.access.Effective.String(), Partial: c.access.Partial, Layers: a.cellLayers(j, c),
		Seen: c.used.count(), Denied: c.denied.count(), Verdict: c.verdict, Reason: c.reason}
	out.Patterns, _ = capped(append(out.Patterns, c.rest...), report.MaxResources)
	if c.need != nil {
		out.Needed = c.need.need.strength.String()
	}
	resources := c.rest
	if c.resource != "" {
		resources = []string{c.resource}
	}
	out.NotObservable = reasonUnknown
	if i, known := a.library.catalog.Index(c.action); known {
		out.NotObservable = a.observer.whyNotSeen(i, c.action, resources)
	}
	last := c.used.last()
	if at := c.denied.last(); at.After(last) {
		last = at
	}
	out.Last = moment(last)
	return out
}
