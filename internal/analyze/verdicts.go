package analyze

import (
	"cmp"
	"crypto/sha256"
	"iter"
	"maps"
	"slices"
	"sync"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// actionVerdicts are the verdicts of the actions that a role is effectively granted.
// A catalogue of 22,000 actions for each of thousands of roles wants them by index:
// nothing is hashed, and what is listed comes in the catalogue's order.
type actionVerdicts struct {
	catalog *actions.Catalog
	// by catalogue index: 0 where the action is not granted, else a place in table.
	index []uint16
	table []actionVerdict
	place map[actionVerdict]uint16
	// named are those of actions that are in no catalogue.
	named map[string]actionVerdict
	count int
}

func newActionVerdicts(c *actions.Catalog) *actionVerdicts {
	return &actionVerdicts{catalog: c, index: make([]uint16, c.Len()), table: make([]actionVerdict, 1), place: map[actionVerdict]uint16{}, named: map[string]actionVerdict{}}
}

func (v *actionVerdicts) set(i int, x actionVerdict) {
	place, known := v.place[x]
	if !known {
		place = uint16(len(v.table))
		v.table, v.place[x] = append(v.table, x), place
	}
	if v.index[i] == 0 {
		v.count++
	}
	v.index[i] = place
}

func (v *actionVerdicts) setNamed(action string, x actionVerdict) {
	v.named[action] = x
	v.count++
}

// of is the verdict of an action, zero where it is not granted.
func (v *actionVerdicts) of(action string) actionVerdict {
	if i, known := v.catalog.Index(action); known {
		return v.table[v.index[i]]
	}
	return v.named[action]
}

// all gives the granted actions with their verdicts: the catalogue's in its order, then
// the others by name.
func (v *actionVerdicts) all() iter.Seq2[string, actionVerdict] {
	return func(yield func(string, actionVerdict) bool) {
		for i, place := range v.index {
			if place != 0 && !yield(v.catalog.Action(i), v.table[place]) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v.named)) {
			if !yield(name, v.named[name]) {
				return
			}
		}
	}
}

// serviceSpan is the catalogue's actions of one service: from to to-1.
type serviceSpan struct {
	name     string
	from, to int
}

// serviceSpans are those of the catalogue, in its order.
var serviceSpans = sync.OnceValue(func() []serviceSpan {
	var out []serviceSpan
	c := actions.Load()
	for i := range c.Len() {
		if n := len(out); n > 0 && out[n-1].name == c.Service(i) {
			out[n-1].to = i + 1
			continue
		}
		out = append(out, serviceSpan{c.Service(i), i, i + 1})
	}
	return out
})

// spanOf is a service's span, empty for one that the catalogue does not know.
func spanOf(service string) serviceSpan {
	spans := serviceSpans()
	if i := slices.IndexFunc(spans, func(s serviceSpan) bool { return s.name == service }); i >= 0 {
		return spans[i]
	}
	return serviceSpan{name: service}
}

// unrecordedActions are the catalogue's whose calls are no management events.
var unrecordedActions = sync.OnceValue(func() []int {
	var out []int
	c := actions.Load()
	for i := range c.Len() {
		if only, _ := c.PermissionOnly(i); !only && visibilities()[i].Class != actions.Management {
			out = append(out, i)
		}
	}
	return out
})

// judgeActions gives every granted action its verdict. An action that no cell speaks of
// is judged by what is known of it in any role, and by IAM's last accessed details.
func (a *audit) judgeActions(j *judgement) {
	touched := make([]bool, a.library.catalog.Len())
	for _, names := range []iter.Seq[string]{maps.Keys(j.cells), maps.Keys(j.seen.denied), maps.Keys(j.seen.attempted)} {
		for name := range names {
			if i, known := a.library.catalog.Index(name); known {
				touched[i] = true
			}
		}
	}
	noGrant := j.grant.unknown != "" || j.grant.layers.Boundary == layerNotRead
	for i := range touched {
		if j.grant.set.Identity(i) != policy.No {
			j.identity++
		}
		state := j.grant.set.Effective(i)
		if state == policy.No {
			continue
		}
		if state == policy.Conditional {
			j.conditional++
		}
		switch {
		case touched[i]:
			j.actions.set(i, a.judgeAction(j, i))
		case noGrant:
			j.actions.set(i, actionVerdict{report.VerdictUnobservable, reasonNoGrant})
		case a.unseenWhy[i] != "" && !a.seenWhereGranted(j, i):
			j.actions.set(i, actionVerdict{report.VerdictUnobservable, a.unseenWhy[i]})
		default:
			v := actionVerdict{verdict: report.VerdictUnused}
			if why := a.veto(j, a.library.catalog.Action(i)); why != "" {
				v = actionVerdict{report.VerdictUnobservable, why}
			}
			j.actions.set(i, v)
		}
	}
}

// counts sums the verdicts of a role.
func (j *judgement) counts() report.Counts {
	by := map[report.Verdict]int{}
	n := make([]int, len(j.actions.table))
	for _, place := range j.actions.index {
		n[place]++
	}
	for place, v := range j.actions.table {
		if place > 0 {
			by[v.verdict] += n[place]
		}
	}
	for _, v := range j.actions.named {
		by[v.verdict]++
	}
	return report.Counts{Granted: j.actions.count, Used: by[report.VerdictUsed], Required: by[report.VerdictRequired], Blocked: by[report.VerdictBlocked],
		Unused: by[report.VerdictUnused], Unobservable: by[report.VerdictUnobservable]}
}

// services lists the services with a granted action, sorted.
func (j *judgement) services() []string {
	out := []string{}
	for _, s := range serviceSpans() {
		if slices.ContainsFunc(j.actions.index[s.from:s.to], func(place uint16) bool { return place != 0 }) {
			out = append(out, s.name)
		}
	}
	for action := range j.actions.named {
		out = append(out, serviceOf(action))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unseen groups the granted actions of one verdict by service.
func (a *audit) unseen(j *judgement, verdict report.Verdict) report.Unseen {
	u := report.Unseen{Services: map[string]report.UnseenService{}}
	v := j.actions
	has := make([]bool, len(v.table))
	for place, x := range v.table {
		has[place] = place > 0 && x.verdict == verdict
	}
	byPlace := make([]int, len(v.table))
	mask := make([]byte, 0, 1024)
	whole := sha256.New()
	for _, s := range serviceSpans() {
		n := 0
		mask = mask[:0]
		for _, place := range v.index[s.from:s.to] {
			in := byte(0)
			if has[place] {
				in = 1
				n++
				byPlace[place]++
			}
			mask = append(mask, in)
		}
		if n == 0 {
			continue
		}
		u.Count += n
		whole.Write([]byte(s.name))
		whole.Write(mask)
		x := report.UnseenService{Count: n, All: n == s.to-s.from, Actions: []string{}}
		if !x.All {
			x.Actions = a.lists.of(v.catalog, s, mask)
		}
		u.Services[s.name] = x
	}
	reasons := map[string]int{}
	for place, n := range byPlace {
		if n > 0 && v.table[place].reason != "" {
			reasons[v.table[place].reason] += n
		}
	}
	for _, action := range slices.Sorted(maps.Keys(v.named)) {
		named := v.named[action]
		if named.verdict != verdict {
			continue
		}
		u.Count++
		whole.Write([]byte(action + "\x00"))
		if named.reason != "" {
			reasons[named.reason]++
		}
		s := u.Services[serviceOf(action)]
		s.Count++
		if s.All { // no service is whole with an action that nobody listed
			s.All = false
			span := spanOf(serviceOf(action))
			for i := span.from; i < span.to; i++ {
				s.Actions = append(s.Actions, v.catalog.Action(i))
			}
		}
		s.Actions = append(slices.Clone(s.Actions), action)
		slices.Sort(s.Actions)
		s.Actions, _ = capped(s.Actions, report.MaxActions)
		u.Services[serviceOf(action)] = s
	}
	u.Services = a.lists.shared([sha256.Size]byte(whole.Sum(nil)), u.Services)
	for reason, n := range reasons {
		u.Reasons = append(u.Reasons, report.Reason{Reason: reason, Count: n})
	}
	slices.SortFunc(u.Reasons, func(x, y report.Reason) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Reason, y.Reason))
	})
	if verdict == report.VerdictUnused && u.Count > 0 {
		u.Basis = append(slices.Clone(a.observer.basis), a.support(j, slices.Sorted(maps.Keys(u.Services))))
	}
	return u
}

// actionLists shares the lists of actions that many roles have in common: those with
// one policy are granted the same.
type actionLists struct {
	mu    sync.Mutex
	known map[string][]string
	// services are those of whole verdicts: roles that share their policies share these.
	services map[[sha256.Size]byte]map[string]report.UnseenService
}

// shared is the services of a verdict, the same for all roles of which they are alike.
func (l *actionLists) shared(key [sha256.Size]byte, services map[string]report.UnseenService) map[string]report.UnseenService {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s, known := l.services[key]; known {
		return s
	}
	l.services[key] = services
	return services
}

// of lists the actions of a service that are set in mask, sorted, at most MaxActions.
func (l *actionLists) of(c *actions.Catalog, s serviceSpan, mask []byte) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := s.name + "\x00" + string(mask)
	if list, known := l.known[key]; known {
		return list
	}
	var list []string
	for i, in := range mask {
		if in != 0 {
			list = append(list, c.Action(s.from+i))
		}
	}
	slices.Sort(list)
	list, _ = capped(list, report.MaxActions)
	list = slices.Clip(list)
	l.known[key] = list
	return list
}
