package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// verified verifies policies for a role of a snapshot.
func verified(t *testing.T, s *snapshot.Snapshot, role string, documents ...*policy.Document) *report.Verification {
	t.Helper()
	var edited []analyze.EditedPolicy
	for i, d := range documents {
		e, err := analyze.ParseEdited(fmt.Sprintf("policy-%d.json", i), d.Print())
		if err != nil {
			t.Fatal(err)
		}
		edited = append(edited, e)
	}
	v, err := analyze.Verify(s, analyze.Options{}, role, edited)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// proposalsOf are the documents proposed to the roles that there are, by role id.
func proposalsOf(t *testing.T, s *snapshot.Snapshot, o analyze.ProposalOptions) map[string][]*policy.Document {
	t.Helper()
	r, err := analyze.Analyze(s, analyze.Options{Proposal: o})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]*policy.Document{}
	for _, role := range r.Roles {
		if !role.Exists || role.Proposal == nil {
			continue
		}
		for _, p := range role.Proposal.Policies {
			d, err := policy.Parse(p.Document)
			if err != nil {
				t.Fatal(err)
			}
			out[role.ID] = append(out[role.ID], d)
		}
	}
	return out
}

// edit is one change of a proposal, with what must be reported.
type edit struct {
	name      string
	documents []*policy.Document
	// broken lists actions with resources that must be found broken; widens the kinds of
	// which one must be reported.
	broken [][2]string
	widens []string
}

// verb is the service and the first word of an action.
var verb = regexp.MustCompile(`^[a-z0-9-]+:[A-Z][a-z]+`)

// edits makes all of a proposal's removals and widenings.
func edits(t *testing.T, documents []*policy.Document) (removals, widenings []edit) {
	t.Helper()
	with := func(doc int, change func(specs []policy.Spec) []policy.Spec) []*policy.Document {
		var specs []policy.Spec
		for _, st := range documents[doc].Statements() {
			spec := st.Spec()
			spec.Actions, spec.Resources = slices.Clone(spec.Actions), slices.Clone(spec.Resources)
			spec.Conditions = slices.Clone(spec.Conditions)
			specs = append(specs, spec)
		}
		out := slices.Clone(documents)
		if specs = change(specs); len(specs) == 0 {
			return slices.Delete(out, doc, doc+1)
		}
		d, err := policy.Build(specs...)
		if err != nil {
			t.Fatal(err)
		}
		out[doc] = d
		return out
	}
	for n, d := range documents {
		for i, st := range d.Statements() {
			spec := st.Spec()
			where := fmt.Sprintf("document %d, statement %d (%s)", n, i, st.Sid)
			cut := func(change func(s *policy.Spec)) []*policy.Document {
				return with(n, func(specs []policy.Spec) []policy.Spec { change(&specs[i]); return specs })
			}
			if st.Effect == policy.Deny {
				widenings = append(widenings, edit{where + " dropped",
					with(n, func(specs []policy.Spec) []policy.Spec { return slices.Delete(specs, i, i+1) }), nil, []string{report.WidensDeny}})
				continue
			}
			var all [][2]string
			for _, action := range spec.Actions {
				for _, resource := range spec.Resources {
					all = append(all, [2]string{action, resource})
				}
			}
			removals = append(removals, edit{where + " removed", with(n, func(specs []policy.Spec) []policy.Spec { return slices.Delete(specs, i, i+1) }), all, nil})
			for k, action := range spec.Actions {
				if len(spec.Actions) > 1 {
					removals = append(removals, edit{where + " without " + action, cut(func(s *policy.Spec) { s.Actions = slices.Delete(s.Actions, k, k+1) }),
						slices.DeleteFunc(slices.Clone(all), func(x [2]string) bool { return x[0] != action }), nil})
				}
				if m := verb.FindString(action); m != "" {
					widenings = append(widenings, edit{where + " with " + m + "*", cut(func(s *policy.Spec) { s.Actions[k] = m + "*" }), nil,
						[]string{report.WidensAction, report.WidensResource, report.WidensCondition}})
				}
			}
			widenings = append(widenings, edit{where + " with another service", cut(func(s *policy.Spec) { s.Actions = append(s.Actions, "sqs:SendMessage") }), nil,
				[]string{report.WidensAction, report.WidensResource}})
			for k, resource := range spec.Resources {
				if len(spec.Resources) > 1 {
					removals = append(removals, edit{where + " without " + resource, cut(func(s *policy.Spec) { s.Resources = slices.Delete(s.Resources, k, k+1) }),
						slices.DeleteFunc(slices.Clone(all), func(x [2]string) bool { return x[1] != resource }), nil})
				}
				if resource == "*" {
					continue
				}
				wider := resource[:strings.LastIndexAny(strings.TrimSuffix(resource, "*"), ":/")+1] + "*"
				if wider != resource {
					widenings = append(widenings, edit{where + " with " + wider, cut(func(s *policy.Spec) { s.Resources[k] = wider }), nil,
						[]string{report.WidensResource, report.WidensCondition}})
				}
				widenings = append(widenings, edit{where + " with *", cut(func(s *policy.Spec) { s.Resources[k] = "*" }), nil,
					[]string{report.WidensResource, report.WidensCondition}})
			}
			if strings.HasPrefix(spec.Actions[0], "s3:") && len(spec.Resources) > 0 {
				other := "arn:aws:s3:::another-bucket"
				if strings.Contains(spec.Resources[0], "/") {
					other += "/*"
				}
				widenings = append(widenings, edit{where + " with another bucket", cut(func(s *policy.Spec) { s.Resources = append(s.Resources, other) }), nil,
					[]string{report.WidensResource, report.WidensCondition}})
			}
			for k, c := range spec.Conditions {
				widenings = append(widenings, edit{where + " without its condition on " + c.Key, cut(func(s *policy.Spec) { s.Conditions = slices.Delete(s.Conditions, k, k+1) }), nil,
					[]string{report.WidensCondition}})
			}
		}
	}
	return removals, widenings
}

// TestVerifyFindsEveryEdit: of every proposal to the sample account, each statement,
// action and resource removed is found broken, by name, and each widening is reported.
func TestVerifyFindsEveryEdit(t *testing.T) {
	s, err := snapshot.ReadFile(snapshotFile(t))
	if err != nil {
		t.Fatal(err)
	}
	removed, pairs, widened, beyond, undecided := 0, 0, 0, 0, 0
	for role, documents := range proposalsOf(t, s, analyze.ProposalOptions{}) {
		whole := verified(t, s, role, documents...)
		if whole.Answer != report.VerifyPasses || whole.Excess.GrantsTotal > 0 {
			t.Fatalf("%s: the proposal itself: %s, %s\n%s", whole.Role.Name, whole.Answer, whole.Why, asJSON(t, whole))
		}
		removals, widenings := edits(t, documents)
		for _, e := range removals {
			if len(e.documents) == 0 {
				continue
			}
			removed++
			v := verified(t, s, role, e.documents...)
			if v.Answer == report.VerifyPasses || v.WidensTotal > 0 {
				t.Errorf("%s: %s: %s, %s", v.Role.Name, e.name, v.Answer, v.Why)
			}
			for _, want := range e.broken {
				pairs++
				if !slices.ContainsFunc(v.Broken, func(b report.VerifiedUse) bool {
					return b.Action == want[0] && (b.Resource == want[1] || policy.Includes(b.Resource, want[1]) || policy.Includes(want[1], b.Resource))
				}) {
					t.Errorf("%s: %s: %s on %s is not found broken: %s", v.Role.Name, e.name, want[0], want[1], v.Why)
				}
			}
		}
		today := identityDocuments(t, s, role)
		for _, e := range widenings {
			v := verified(t, s, role, e.documents...)
			if widensNothing(t, e.documents, today) {
				beyond++
				if v.WidensTotal > 0 && !slices.Contains(e.widens, report.WidensDeny) {
					t.Errorf("%s: %s: today grants it, and it is called wider: %s", v.Role.Name, e.name, asJSON(t, v.Widens))
				}
				if !slices.Contains(e.widens, report.WidensDeny) {
					if v.Excess.GrantsTotal == 0 && !widensNothing(t, e.documents, documents) {
						t.Errorf("%s: %s: nothing of it is beyond need", v.Role.Name, e.name)
					}
					continue
				}
			}
			widened++
			if v.Answer == report.VerifyUnsure && len(v.Widens) > 0 && onlyUnreadable(t, e.documents, today) {
				t.Logf("%s: %s: %s", v.Role.Name, e.name, asJSON(t, v.Widens))
				undecided++ // no less an answer of no
				continue
			}
			if v.Answer != report.VerifyFails || !slices.ContainsFunc(v.Widens, func(w report.Widening) bool { return w.Certain && slices.Contains(e.widens, w.Kind) && w.Example != "" }) {
				t.Errorf("%s: %s is not reported: %s, %s\n%s", v.Role.Name, e.name, v.Answer, v.Why, asJSON(t, v.Widens))
			}
		}
	}
	t.Logf("%d removals of %d actions on resources; %d widenings, %d edits of which it is told that they may be one, and %d more that today's policies grant and that are beyond need",
		removed, pairs, widened, undecided, beyond)
	if removed < 200 || widened < 200 {
		t.Error("too few edits to show anything")
	}
}

// onlyUnreadable: action by action, the documents widen nothing of today's, but for
// actions that take no resource on an ARN pattern: what that means no page says, so
// that nobody can tell whether the edit widens anything at all.
func onlyUnreadable(t *testing.T, documents, today []*policy.Document) bool {
	t.Helper()
	catalog := actions.Load()
	unreadable := 0
	for _, d := range documents {
		for _, st := range d.Statements() {
			if st.Effect == policy.Deny {
				continue
			}
			for i := range catalog.Len() {
				action := catalog.Action(i)
				matches := func(a string) bool { return policy.MatchAction(a, action) }
				if slices.ContainsFunc(st.Actions, matches) == st.NotAction {
					continue
				}
				spec := st.Spec()
				spec.Actions, spec.NotActions = []string{action}, nil
				one, err := policy.Build(spec)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case widensNothing(t, []*policy.Document{one}, today):
				case catalog.Resourceless(i) && !slices.Contains(spec.Resources, "*"):
					unreadable++
				default:
					return false
				}
			}
		}
	}
	return unreadable > 0
}

var expander = sync.OnceValue(func() *policy.Expander { return policy.NewExpander(actions.Load()) })

func identityDocuments(t *testing.T, s *snapshot.Snapshot, role string) []*policy.Document {
	t.Helper()
	var out []*policy.Document
	add := func(text string) {
		d, err := policy.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	for _, r := range s.Roles {
		if r.ID != role {
			continue
		}
		for _, p := range r.Inline {
			add(p.Document)
		}
		for _, a := range r.Attached {
			for _, p := range s.Policies {
				if p.ARN == a.ARN {
					add(p.Document)
				}
			}
		}
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// widensNothing asks the policy engine by itself.
func widensNothing(t *testing.T, documents, today []*policy.Document) bool {
	t.Helper()
	layer := func(documents []*policy.Document) []policy.Policy {
		var out []policy.Policy
		for _, d := range documents {
			out = append(out, policy.Policy{Layer: policy.LayerIdentity, Document: d})
		}
		return out
	}
	return expander().WidensNothing(layer(documents), layer(today), policy.Context{}).Truth == policy.True
}
