package analyze

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// stranger is a name that no policy has: what a statement grants on it, it grants on
// every resource of the kind.
const stranger = "q7zjx0v4k9w2q"

var placeholder = regexp.MustCompile(`\$\{[A-Za-z]+\}`)

// resourceKinds are the ARNs that resources of an action may have, with ${Partition},
// ${Account} and ${Region} left open; "*" alone for an action without resource types.
// Of S3 they are buckets and objects, not access points. all: a call names one of each
// (AWS: reference_policies_actions-resources-contextkeys, required resource types).
type resourceKinds struct {
	arns []string
	all  bool
}

var knownKinds sync.Map // action -> resourceKinds

func (l *library) kindsOf(action string) resourceKinds {
	if v, ok := knownKinds.Load(action); ok {
		return v.(resourceKinds)
	}
	var must, may []string
	if i, ok := l.catalog.Index(action); ok {
		for _, t := range l.catalog.ResourceTypes(i) {
			switch {
			case l.catalog.Service(i) == "s3" && !strings.Contains(t.ARN, ":s3:::"):
			case t.Required:
				must = append(must, t.ARN)
			default:
				may = append(may, t.ARN)
			}
		}
	}
	out := resourceKinds{arns: []string{"*"}}
	switch {
	case must != nil:
		out = resourceKinds{arns: must, all: true}
	case may != nil:
		out = resourceKinds{arns: may}
	}
	knownKinds.Store(action, out)
	return out
}

// fill puts names into the open places of an ARN.
func (a *audit) fill(arn, region, name string) string {
	return placeholder.ReplaceAllStringFunc(arn, func(p string) string {
		switch p {
		case "${Partition}":
			return a.place.partition
		case "${Account}":
			return a.place.account
		case "${Region}":
			return region
		}
		return name
	})
}

// regions are those that a statement may name.
func (a *audit) regions() []string {
	switch {
	case len(a.snapshot.Regions.Enabled) > 0:
		return a.snapshot.Regions.Enabled
	case len(a.snapshot.Regions.Read) > 0:
		return a.snapshot.Regions.Read
	}
	return []string{"us-east-1"}
}

// hold is what a statement's grant of an action comes to on some resources.
type hold struct {
	// granted: the statement speaks of the action there, at least under a condition.
	granted bool
	// firm: it does so whatever the request's context.
	firm bool
	// refused is the layer that takes it all away, "" for none.
	refused policy.Layer
}

// better is the hold that says more.
func (h hold) better(o hold) hold {
	rank := func(h hold) int {
		switch {
		case !h.granted:
			return 0
		case h.refused != "":
			return 1
		case !h.firm:
			return 2
		}
		return 3
	}
	if rank(o) > rank(h) {
		return o
	}
	return h
}

// holdOn holds a statement of the role against one resource, or the resources of a
// pattern.
func (a *audit) holdOn(j *judgement, st *policy.Statement, action, resource string, known policy.Context) hold {
	r := st.Read(policy.Request{Principal: j.grant.principal, Action: action, Resource: resource, Context: inRegion(known, resource)}, policy.LayerIdentity)
	h := hold{granted: r.Action && r.Resource != policy.False, firm: r.Resource == policy.True}
	for _, c := range r.Conditions {
		h.granted = h.granted && c.Truth != policy.False
		h.firm = h.firm && c.Truth == policy.True
	}
	if !h.granted {
		return hold{}
	}
	if x := a.accessIn(j.grant, action, resource, known); x.Effective == policy.No {
		h.refused = cmp.Or(x.Layer, policy.LayerIdentity)
	}
	return h
}

// anywhere is what a statement grants on resources that nobody names: on every one of
// the action's kind.
func (a *audit) anywhere(j *judgement, st *policy.Statement, action string, known policy.Context) hold {
	if !wide(st) || !speaksOf(st, action) {
		return hold{}
	}
	ks := a.library.kindsOf(action)
	var out hold
	for i, kind := range ks.arns {
		regions := a.regions()
		if !strings.Contains(kind, "${Region}") || everyResource(st) {
			regions = regions[:1]
		}
		var h hold
		for _, region := range regions {
			h = h.better(a.holdOn(j, st, action, a.fill(kind, region, stranger), known))
		}
		switch {
		case i == 0:
			out = h
		case !ks.all:
			out = out.better(h)
		case out.better(h) == out: // the call needs both: the lesser counts
			out = h
		}
	}
	return out
}

// somewhere is what a statement grants on whatever it names.
func (a *audit) somewhere(j *judgement, st *policy.Statement, action string) hold {
	if !speaksOf(st, action) {
		return hold{}
	}
	h := a.anywhere(j, st, action, j.grant.known)
	if st.NotResource {
		return h
	}
	for _, r := range a.fitting(st, action) {
		h = h.better(a.holdOn(j, st, action, r, j.grant.known))
	}
	return h
}

// fitting are the resources of a statement that one of the action's may match, as
// written.
func (a *audit) fitting(st *policy.Statement, action string) []string {
	if i, ok := a.library.catalog.Index(action); ok && a.library.catalog.Resourceless(i) {
		return nil // granted on * only: see anywhere
	}
	var out []string
	for _, r := range st.Resources {
		if slices.ContainsFunc(a.library.kindsOf(action).arns, func(kind string) bool {
			return policy.Overlaps(r, a.fill(kind, "*", "*"))
		}) {
			out = append(out, r)
		}
	}
	return out
}

// held are the actions of a list that a statement grants.
type held struct {
	actions []string // that the role may really call
	refused []string // that another layer takes away
	layer   policy.Layer
	firm    bool // some action is granted whatever the context
}

// holding sorts the actions of a list by what a statement's grant of each comes to.
func holding(list []string, of func(action string) hold) held {
	var out held
	for _, action := range list {
		switch h := of(action); {
		case !h.granted:
		case h.refused != "":
			out.refused, out.layer = append(out.refused, action), h.refused
		default:
			out.actions, out.firm = append(out.actions, action), out.firm || h.firm
		}
	}
	return out
}

func (h held) none() bool { return len(h.actions) == 0 && len(h.refused) == 0 }

// names are the actions to speak of: those that may be called, or where there are none
// those that another layer takes away.
func (h held) names() []string {
	if len(h.actions) > 0 {
		return h.actions
	}
	return h.refused
}

// has reports whether one of the actions may really be called.
func (h held) has(actions ...string) bool {
	return slices.ContainsFunc(actions, func(x string) bool { return slices.Contains(h.actions, x) })
}

// severity is what is left of a severity: a step less under a condition, and no more
// than low where nothing of it may be called.
func (h held) severity(s report.Severity) report.Severity {
	switch {
	case len(h.actions) == 0:
		return atMost(s, report.Low)
	case !h.firm:
		return lower(s)
	}
	return s
}

// but says what stands in the way, "" for nothing.
func (h held) but() string {
	if len(h.actions) > 0 {
		return ""
	}
	return fmt.Sprintf(" Today it has no effect: refused by %s.", cmp.Or(layerNames[string(h.layer)], string(h.layer)))
}

// lower is a severity less by a step.
func lower(s report.Severity) report.Severity {
	return report.SeverityList[min(s.Rank()+1, len(report.SeverityList)-1)]
}

// atMost is the lesser of two severities.
func atMost(s, most report.Severity) report.Severity {
	if s.Rank() < most.Rank() {
		return most
	}
	return s
}
