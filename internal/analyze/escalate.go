package analyze

import (
	"slices"

	"sagemaker-role-audit/internal/analyze/policy"
)

// mostSteps is how long a path may be. Nobody looks for a longer one.
const mostSteps = 5

// leap is one step of a path: what one role does to become another, or to change one.
type leap struct {
	id   string
	by   *controlled
	does string // with %s for the target
	// target is a member, -1 for none; policy is the ARN of a policy that is changed.
	target int
	policy string
	// action is that of a change, launch and creation those of the tables.
	action   string
	launch   *launch
	creation *creation
	opens    *opening
	// service is that which must trust the target; opened: the trust policy was rewritten.
	service string
	opened  bool
	state   policy.State
	// asks is what must be there and was not read; also are other ways to do the same.
	asks string
	also []int // of launches
}

// deedOn is an action that a leap takes, on resources, in a context of keys and values.
type deedOn struct {
	action, on string
	context    []string
	// into: the member whose trust policy must allow as well, -1 for none.
	into int
}

// fact is something that code which runs as the role can bring about: to be another role,
// to have changed one, or to be a role that was changed.
type fact struct {
	leap     *leap // nil for the beginning, and for a role with its changes
	premises []*fact
	steps    []*leap // in the order in which they are done; see derive
}

// derive lists the steps that lead to the fact, each once.
func (f *fact) derive() []*leap {
	if f.steps == nil {
		for _, p := range f.premises {
			for _, l := range p.derive() {
				if !slices.Contains(f.steps, l) {
					f.steps = append(f.steps, l)
				}
			}
		}
		if f.leap != nil {
			f.steps = append(f.steps, f.leap)
		}
		if f.steps == nil {
			f.steps = []*leap{}
		}
	}
	return f.steps
}

// pending is a fact to be looked at, in the order of its steps.
type pending struct {
	kind   factKind
	member int
	made   change
	policy string
	fact   *fact
}

type factKind uint8

const (
	isRole    factKind = iota // one can act as the member
	isChanged                 // the member was changed
	isVersion                 // the policy was changed
	isActor                   // one can act as the member, and it was changed
)

// pathEnd is where a path leads: to a member, or to a principal made anew.
type pathEnd struct {
	fact          *fact
	member        int
	made          change
	administrator bool
}

// search looks for all that one role can become, the nearest first. Only steps of at least
// the state floor are taken.
type search struct {
	*escalations
	start int
	floor policy.State
	most  int

	buckets   [][]pending
	role      []*fact
	wait      []int8 // the fewest steps to each role, of those that are pending; 0 for none
	changed   map[int]map[change]*fact
	version   map[string]*fact
	seen      map[actorKey]bool
	plain     []bool // members as they are, seen
	actors    []*standing
	classes   map[string]bool // whose reach was gone through
	rewritten []int           // members whose trust policy was rewritten
	combined  []int           // members that one can be and that were changed
	leaps     map[leapKey]*leap
	fewest    map[actorKey]int // the fewest steps to each, of those that are pending
	level     int
	// doubts: something was possible under a condition only.
	doubts bool

	ends []pathEnd
	// nearest is the number of steps to an administrator, 0 for none.
	nearest int
}

type actorKey struct {
	member int
	made   change
}

// standing is an actor with the fact that one can be it.
type standing struct {
	*controlled
	fact *fact
}

func (w *escalations) search(start int, floor policy.State, most int) *search {
	s := &search{escalations: w, start: start, floor: floor, most: most, buckets: make([][]pending, most+1), role: make([]*fact, len(w.members)), wait: make([]int8, len(w.members)), plain: make([]bool, len(w.members)),
		changed: map[int]map[change]*fact{}, version: map[string]*fact{}, seen: map[actorKey]bool{}, classes: map[string]bool{}, leaps: map[leapKey]*leap{}, fewest: map[actorKey]int{}}
	s.put(0, pending{kind: isRole, member: start, fact: &fact{steps: []*leap{}}})
	for level := 0; level <= most && (s.nearest == 0 || level <= s.nearest); level++ {
		s.level = level
		for _, member := range s.combined { // those found since may make it shorter
			s.combine(member, 0)
		}
		for i := 0; i < len(s.buckets[level]); i++ {
			s.take(level, s.buckets[level][i])
		}
	}
	return s
}

// enough holds a state against the floor, and notes where a condition stands in the way.
func (s *search) enough(state policy.State) bool {
	s.doubts = s.doubts || state == policy.Conditional
	return state >= s.floor && state != policy.No
}

// reach notes an end.
func (s *search) reach(e pathEnd) {
	if n := len(e.fact.derive()); e.administrator && (s.nearest == 0 || n < s.nearest) {
		s.nearest = n
	}
	s.ends = append(s.ends, e)
}

func (s *search) put(level int, p pending) {
	if level <= s.most {
		s.buckets[level] = append(s.buckets[level], p)
	}
}

// take looks at a fact for the first time: the fewest steps lead to it.
func (s *search) take(level int, p pending) {
	switch p.kind {
	case isRole:
		if s.role[p.member] != nil {
			return
		}
		s.role[p.member] = p.fact
		s.combine(p.member, 0)
		if p.member != s.start && p.fact.leap != nil {
			s.reach(pathEnd{fact: p.fact, member: p.member})
		}
	case isChanged:
		if s.changed[p.member] == nil {
			s.changed[p.member] = map[change]*fact{}
		}
		if s.changed[p.member][p.made] != nil {
			return
		}
		s.changed[p.member][p.made] = p.fact
		if p.made == changeTrust {
			s.rewritten = append(s.rewritten, p.member)
			for _, x := range s.actors { // the nearest first
				s.intoOpened(x, p.member)
			}
			return
		}
		s.combine(p.member, p.made)
	case isVersion:
		if s.version[p.policy] != nil {
			return
		}
		s.version[p.policy] = p.fact
		for _, i := range s.holders[p.policy] {
			s.combine(i, s.versionOf(i, p.policy))
		}
	case isActor:
		if p.made == 0 {
			if s.plain[p.member] {
				return
			}
			s.plain[p.member] = true
		} else {
			key := actorKey{p.member, p.made}
			if s.seen[key] {
				return
			}
			s.seen[key] = true
		}
		x := &standing{s.as(p.member, p.made), p.fact}
		if p.member != s.start || p.made != 0 {
			if s.enough(s.administrator(x.controlled)) {
				s.reach(pathEnd{fact: p.fact, member: p.member, made: p.made, administrator: true})
				return // it can do anything: no path leads on from here
			}
		}
		s.expand(level, x)
	}
}

func (w *escalations) versionOf(i int, policy string) change {
	for k, own := range w.members[i].own {
		if own == policy {
			return changeVersion << k
		}
	}
	return 0
}

// What is tried at most for one role that was changed: changes, and actors that may have
// made them or become it.
const (
	mostChanges      = 3
	mostAlternatives = 24
)

// combine puts a role that one can be together with the changes of it, with the one that
// is new among them.
func (s *search) combine(member int, fresh change) {
	if s.role[member] == nil {
		return
	}
	if fresh == 0 {
		s.put(len(s.role[member].derive()), pending{kind: isActor, member: member, fact: s.role[member]})
	}
	var all []change
	for _, e := range edits {
		if e.makes != changeTrust && s.changed[member][e.makes] != nil && !slices.Contains(all, e.makes) {
			all = append(all, e.makes)
		}
	}
	for k, arn := range s.members[member].own {
		if s.version[arn] != nil {
			all = append(all, changeVersion<<k)
		}
	}
	if len(all) == 0 {
		return
	}
	if fresh != 0 || s.level == len(s.role[member].derive()) {
		if !slices.Contains(s.combined, member) {
			s.combined = append(s.combined, member)
		}
	}
	var choose func(from int, sum change, parts []change)
	choose = func(from int, sum change, parts []change) {
		key := actorKey{member, sum}
		if n, known := s.fewest[key]; sum != 0 && (fresh == 0 || sum&fresh != 0) && !s.seen[key] && (!known || n > s.level) {
			if f := s.together(member, parts); !known || len(f.derive()) < n {
				s.fewest[key] = len(f.derive())
				s.put(len(f.derive()), pending{kind: isActor, member: member, made: sum, fact: f})
			}
		}
		if len(parts) == mostChanges {
			return
		}
		for i := from; i < len(all); i++ {
			choose(i+1, sum|all[i], append(slices.Clone(parts), all[i]))
		}
	}
	choose(0, 0, nil)
}

// together is the fact that one can be a role with changes, by few steps: the same actor
// may be the one who makes the change and becomes the role.
func (s *search) together(member int, parts []change) *fact {
	var best *fact
	for _, into := range s.waysInto(member) {
		f := &fact{premises: []*fact{into}}
		for _, part := range parts {
			var chosen *fact
			for _, w := range s.waysToChange(member, part) {
				g := &fact{premises: append([]*fact{w}, f.premises...)}
				if chosen == nil || len(g.derive()) < len(chosen.derive()) {
					chosen = g
				}
			}
			f = chosen
		}
		if best == nil || len(f.derive()) < len(best.derive()) {
			best = f
		}
	}
	return best
}

// waysInto are the ways into a role that is known to be open, the first one found first.
func (s *search) waysInto(member int) []*fact {
	out := []*fact{s.role[member]}
	if member == s.start {
		return out
	}
	for _, x := range s.actors[:min(len(s.actors), mostAlternatives)] {
		if x.member == member {
			continue
		}
		if l := s.leapInto(x, member); l != nil {
			out = append(out, &fact{leap: l, premises: []*fact{x.fact}})
		}
	}
	return out
}

// leapInto is the way by which an actor becomes a role as the account stands, nil for none.
func (s *search) leapInto(x *standing, i int) *leap {
	key := leapKey{x, i, 0}
	l, known := s.leaps[key]
	if known {
		return l
	}
	if state := s.assumes(x.controlled, i); state >= s.floor {
		l = s.assumeLeap(x, i, state, false)
	} else {
		a := s.abilityOf(x.controlled)
		for k := range a.services {
			v := &a.services[k]
			for _, t := range s.trusting[v.service] {
				if t.member == i && l == nil {
					l = s.passLeap(x, a, v, i, t.state, false)
				}
			}
		}
	}
	s.leaps[key] = l
	return l
}

// waysToChange are the ways to make a change of a role that is known to be open.
func (s *search) waysToChange(member int, part change) []*fact {
	var out []*fact
	arn := ""
	if part >= changeVersion {
		for k, own := range s.members[member].own {
			if part == changeVersion<<k {
				arn = own
			}
		}
		out = append(out, s.version[arn])
	} else {
		out = append(out, s.changed[member][part])
	}
	for _, x := range s.actors[:min(len(s.actors), mostAlternatives)] {
		key := leapKey{x, member, part}
		l, known := s.leaps[key]
		if !known {
			if arn != "" {
				l = s.versionLeap(x, s.abilityOf(x.controlled), arn)
			} else {
				for k := range edits {
					if edits[k].makes == part && l == nil {
						l = s.changeLeap(x, s.abilityOf(x.controlled).among[edits[k].action], &edits[k], member)
					}
				}
			}
			s.leaps[key] = l
		}
		if l != nil {
			out = append(out, &fact{leap: l, premises: []*fact{x.fact}})
		}
	}
	return out
}

// leapKey is an actor, a role, and what is done to it: 0 to become it.
type leapKey struct {
	by     *standing
	member int
	part   change
}

// ability is what actors of one class can do, whoever they are.
type ability struct {
	services []served
	// pass, assume and the edits by their action: the members that may be meant.
	among map[string]*meant
	news  []*creation
	// versions are the policies that a new version can be made of.
	versions map[string]policy.State
}

// served is a service that the actor can have run its code, by the first of the ways that
// is certain and the first of any.
type served struct {
	service       string
	certain, best []int // of launches
	pass          answer
}

// meant are the members that an action may be allowed on.
type meant struct {
	answer
	members []int // where the answer is about a part of them
}

func (w *escalations) abilityOf(x *controlled) *ability {
	w.mu.Lock()
	got := w.able[x.class]
	w.mu.Unlock()
	if got != nil {
		return got
	}
	a := &ability{among: map[string]*meant{}, versions: map[string]policy.State{}}
	for k := range launches {
		l := &launches[k]
		if k == 0 || launches[k-1].service != l.service {
			a.services = append(a.services, served{service: l.service})
		}
		v := &a.services[len(a.services)-1]
		state := w.can(x, l.needs)
		if l.asks != "" {
			state = min(state, policy.Conditional)
		}
		if state == policy.Yes {
			v.certain = append(v.certain, k)
		}
		if state != policy.No {
			v.best = append(v.best, k)
		}
	}
	a.services = slices.DeleteFunc(a.services, func(v served) bool { return len(v.best) == 0 || len(w.trusting[v.service]) == 0 && !w.rewrites(x) })
	everyRole := w.place.fill("arn:{p}:iam::{a}:role/*")
	for i := range a.services {
		v := &a.services[i]
		v.pass = w.may(x, passAction, everyRole, "iam:PassedToService", v.service)
	}
	if len(a.services) > 0 {
		a.among[passAction] = w.meantBy(x, passAction)
	}
	for _, action := range []string{assumeAction, edits[0].action, edits[1].action, edits[2].action, edits[3].action, edits[4].action} {
		a.among[action] = w.meantBy(x, action)
	}
	if w.may(x, versionAction, w.place.fill("arn:{p}:iam::{a}:policy/*")).state != policy.No {
		for _, arn := range w.policies {
			if s := w.may(x, versionAction, arn).state; s != policy.No {
				a.versions[arn] = s
			}
		}
	}
	for k := range creations {
		if w.makes(x, &creations[k]) != policy.No {
			a.news = append(a.news, &creations[k])
		}
	}
	w.mu.Lock()
	w.able[x.class] = a
	w.mu.Unlock()
	return a
}

// rewrites reports whether the actor may change trust policies: then any role may be made
// to trust a service.
func (w *escalations) rewrites(x *controlled) bool {
	return w.may(x, edits[4].action, w.place.fill("arn:{p}:iam::{a}:role/*")).state != policy.No
}

// meantBy finds the members that an action may be allowed on.
func (w *escalations) meantBy(x *controlled, action string) *meant {
	m := &meant{answer: w.may(x, action, w.place.fill("arn:{p}:iam::{a}:role/*"))}
	if m.state == policy.No {
		return m
	}
	g := &grant{stack: x.stack}
	for _, arn := range w.roles.among(allowed(g, action)) {
		m.members = append(m.members, w.byARN[arn])
	}
	return m
}

// onRole are the keys of a request about a role that follow from it: its tags, and of
// edits its boundary (AWS: list_awsidentityandaccessmanagementiam, iam:ResourceTag,
// iam:PermissionsBoundary).
func (w *escalations) onRole(i int, action string) []string {
	m := w.members[i]
	var keys []string
	for _, t := range m.tags {
		keys = append(keys, "iam:ResourceTag/"+t.Key, t.Value, "aws:ResourceTag/"+t.Key, t.Value)
	}
	switch action {
	case "iam:AttachRolePolicy":
		return append(keys, "iam:PolicyARN", w.place.adminPolicy(), "iam:PermissionsBoundary", m.bound)
	case "iam:PutRolePermissionsBoundary":
		return append(keys, "iam:PermissionsBoundary", w.place.adminPolicy())
	case "iam:PutRolePolicy", "iam:DeleteRolePermissionsBoundary":
		return append(keys, "iam:PermissionsBoundary", m.bound)
	}
	return keys
}

func (p place) adminPolicy() string { return p.fill("arn:{p}:iam::aws:policy/AdministratorAccess") }

// roleAnswer asks about an action on one role.
func (w *escalations) roleAnswer(x *controlled, m *meant, i int, action string, more ...string) policy.State {
	if m.state == policy.No {
		return policy.No
	}
	if m.state == policy.Yes && !m.part {
		return policy.Yes
	}
	return w.decide(x, action, w.members[i].arn, contextOf(append(w.onRole(i, action), more...))).state
}

// expand goes one step on from an actor.
func (s *search) expand(level int, x *standing) {
	if s.nearest > 0 && level >= s.nearest {
		return // nothing beyond is looked for
	}
	s.actors = append(s.actors, x)
	a := s.abilityOf(x.controlled)
	if !s.classes[x.class] {
		s.classes[x.class] = true
		s.launch(level, x, a)
		s.edit(level, x, a)
		for _, n := range a.news {
			if state := s.makes(x.controlled, n); s.enough(state) {
				l := &leap{id: n.id, by: x.controlled, does: n.does, target: -1, creation: n, state: state}
				f := &fact{leap: l, premises: []*fact{x.fact}}
				if level+1 <= s.most {
					s.reach(pathEnd{fact: f, member: -1, administrator: true})
				}
			}
		}
	} else {
		s.editOne(level, x, a, x.member)
	}
	s.assume(level, x, a)
	for _, i := range s.rewritten {
		s.intoOpened(x, i)
	}
}

// launch passes roles to services.
func (s *search) launch(level int, x *standing, a *ability) {
	for k := range a.services {
		v := &a.services[k]
		if v.pass.state == policy.No {
			continue
		}
		for _, t := range s.trusting[v.service] {
			if s.closer(t.member, level+1) {
				if l := s.passLeap(x, a, v, t.member, t.state, false); l != nil {
					s.become(level+1, x, l, nil)
				}
			}
		}
	}
}

// closer reports whether nothing is known yet that leads to the role in as few steps.
func (s *search) closer(member, level int) bool {
	return member != s.start && s.role[member] == nil && (s.wait[member] == 0 || int(s.wait[member]) > level)
}

// passLeap becomes a member by passing it to a service: nil where that is not at least what
// is looked for.
func (s *search) passLeap(x *standing, a *ability, v *served, i int, trust policy.State, opened bool) *leap {
	ways := v.certain
	state := policy.Yes
	if len(ways) == 0 {
		ways, state = v.best, policy.Conditional
	}
	if v.pass.state == policy.No {
		return nil
	}
	if state = min(state, trust); !s.enough(state) {
		return nil
	}
	pass := policy.Yes
	if v.pass.state != policy.Yes || v.pass.part {
		if _, found := slices.BinarySearch(a.among[passAction].members, i); !found {
			return nil
		}
		pass = s.decide(x.controlled, passAction, s.members[i].arn, contextOf(append(s.onRole(i, passAction), "iam:PassedToService", v.service))).state
	}
	if state = min(state, pass); !s.enough(state) {
		return nil
	}
	first := &launches[ways[0]]
	if first.profile {
		profile := s.members[i].profile
		if profile != policy.Yes {
			profile = max(profile, min(pass, s.can(x.controlled, []string{"iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile"})))
		}
		if state = min(state, profile); !s.enough(state) {
			return nil
		}
	}
	return &leap{id: first.id, by: x.controlled, does: first.does, target: i, service: v.service, opened: opened, state: state, asks: first.asks, launch: first, also: ways[1:]}
}

// takes are the actions of a leap on what they are asked about.
func (w *escalations) takes(l *leap) []deedOn {
	switch {
	case l.launch != nil:
		pass := deedOn{passAction, w.members[l.target].arn, append(w.onRole(l.target, passAction), "iam:PassedToService", l.service), -1}
		return append([]deedOn{pass}, w.takesOf(l.launch.needs)...)
	case l.creation != nil:
		return w.taken(l.by, l.creation)
	case l.opens != nil && !l.opens.own:
		return w.takesOf(l.opens.needs)
	case l.id == assumeID:
		return []deedOn{{assumeAction, w.members[l.target].arn, w.onRole(l.target, assumeAction), l.target}}
	case l.policy != "":
		return []deedOn{{l.action, l.policy, nil, -1}}
	}
	return []deedOn{{l.action, w.members[l.target].arn, w.onRole(l.target, l.action), -1}}
}

// takesOf are actions on the resources that they take.
func (w *escalations) takesOf(actions []string) []deedOn {
	var out []deedOn
	for _, action := range actions {
		each, _ := w.resourcesOf(action)
		for _, r := range each {
			out = append(out, deedOn{action, r, nil, -1})
		}
	}
	return out
}

// become notes that a leap leads into a role.
func (s *search) become(level int, x *standing, l *leap, opened *fact) {
	f := &fact{leap: l, premises: []*fact{x.fact}}
	if opened != nil {
		f.premises = opened.premises
		level = len(f.derive())
	}
	if level > s.most || !s.closer(l.target, level) {
		return
	}
	s.wait[l.target] = int8(level)
	s.put(level, pending{kind: isRole, member: l.target, fact: f})
}

// assume becomes roles whose trust policies let the actor in.
func (s *search) assume(level int, x *standing, a *ability) {
	try := func(i int) {
		if s.closer(i, level+1) {
			if state := s.assumes(x.controlled, i); s.enough(state) {
				s.become(level+1, x, s.assumeLeap(x, i, state, false), nil)
			}
		}
	}
	if m := a.among[assumeAction]; m.state != policy.No {
		for _, i := range s.opened {
			if !s.closer(i, level+1) {
				continue
			}
			if _, found := slices.BinarySearch(m.members, i); found {
				try(i)
			}
		}
	}
	for _, i := range s.named[nameOf(s.members[x.member].arn)] {
		try(i)
	}
	for _, i := range s.anybody {
		try(i)
	}
}

func (s *search) assumeLeap(x *standing, i int, state policy.State, opened bool) *leap {
	return &leap{id: assumeID, by: x.controlled, does: assumeDoes, target: i, state: state, opened: opened}
}

// assumes asks both sides.
func (w *escalations) assumes(x *controlled, i int) policy.State {
	m := w.members[i]
	key := assumption{x.class, i}
	if m.plain {
		w.mu.Lock()
		state, known := w.assumed[key]
		w.mu.Unlock()
		if known {
			return state
		}
	}
	var state policy.State
	if m.grant.trust == nil {
		state = min(w.decide(x, assumeAction, m.arn, contextOf(w.onRole(i, assumeAction))).state, policy.Conditional)
	} else {
		state = w.assumesUnder(x, i, &policy.Policy{Layer: policy.LayerResource, Kind: "trust", Name: "trust", Document: m.grant.trust})
	}
	if m.plain {
		w.mu.Lock()
		w.assumed[key] = state
		w.mu.Unlock()
	}
	return state
}

func (w *escalations) assumesUnder(x *controlled, i int, trust *policy.Policy) policy.State {
	y := *x
	stack := *x.stack
	stack.Resource = trust
	y.stack = &stack
	context := contextOf(w.onRole(i, assumeAction))
	if !w.members[i].mfa && !w.members[x.member].mfa {
		return w.decide(&y, assumeAction, w.members[i].arn, context).state
	}
	// Code in a job has no MFA: the keys are absent, or say so (AWS:
	// reference_policies_condition-keys, aws:MultiFactorAuthPresent).
	without := w.decide(&y, assumeAction, w.members[i].arn, context.Without("aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge")).state
	with := w.decide(&y, assumeAction, w.members[i].arn, context.With("aws:MultiFactorAuthPresent", "false").Without("aws:MultiFactorAuthAge")).state
	switch {
	case with == without:
		return with
	case max(with, without) == policy.No:
		return policy.No
	}
	return policy.Conditional
}

// intoOpened becomes a role whose trust policy was rewritten: to let the actor in, or a
// service that it can have run its code.
func (s *search) intoOpened(x *standing, i int) {
	opened := s.changed[i][changeTrust]
	if opened == nil || !s.closer(i, max(len(x.fact.derive()), len(opened.derive()))+1) {
		return
	}
	var l *leap
	if state := s.assumesUnder(x.controlled, i, s.anyone); s.enough(state) {
		l = s.assumeLeap(x, i, state, true)
	}
	a := s.abilityOf(x.controlled)
	for k := range a.services {
		if l == nil {
			l = s.passLeap(x, a, &a.services[k], i, policy.Yes, true)
		}
	}
	if l == nil {
		return
	}
	// Whoever rewrites it, the fewest steps in all.
	var best *fact
	for _, w := range s.waysToChange(i, changeTrust) {
		if f := (&fact{premises: []*fact{w, x.fact}}); best == nil || len(f.derive()) < len(best.derive()) {
			best = f
		}
	}
	s.become(0, x, l, best)
}

// edit changes roles and policies.
func (s *search) edit(level int, x *standing, a *ability) {
	s.editOne(level, x, a, x.member)
	for _, e := range edits {
		m := a.among[e.action]
		if m.state == policy.No {
			continue
		}
		for _, i := range m.members {
			if i != x.member {
				s.change(level, x, m, &e, i)
			}
		}
	}
	for _, arn := range s.policies {
		if s.version[arn] == nil {
			if l := s.versionLeap(x, a, arn); l != nil {
				s.put(level+1, pending{kind: isVersion, policy: arn, fact: &fact{leap: l, premises: []*fact{x.fact}}})
			}
		}
	}
}

func (s *search) versionLeap(x *standing, a *ability, arn string) *leap {
	if state := a.versions[arn]; s.enough(state) {
		return &leap{id: versionID, by: x.controlled, does: versionDoes, target: -1, policy: arn, action: versionAction, state: state}
	}
	return nil
}

// editOne changes one role in each way.
func (s *search) editOne(level int, x *standing, a *ability, i int) {
	for k := range edits {
		if m := a.among[edits[k].action]; m.state != policy.No {
			s.change(level, x, m, &edits[k], i)
		}
	}
}

func (s *search) change(level int, x *standing, m *meant, e *edit, i int) {
	switch {
	case level+1 > s.most || s.changed[i][e.makes] != nil:
		return
	case e.makes == changeTrust && (i == s.start || s.role[i] != nil):
		return // one can be it already
	case e.makes == changeUnbound && s.members[i].bound == "":
		return
	}
	if l := s.changeLeap(x, m, e, i); l != nil {
		s.put(level+1, pending{kind: isChanged, member: i, made: e.makes, fact: &fact{leap: l, premises: []*fact{x.fact}}})
	}
}

func (s *search) changeLeap(x *standing, m *meant, e *edit, i int) *leap {
	if state := s.roleAnswer(x.controlled, m, i, e.action); s.enough(state) {
		return &leap{id: e.id, by: x.controlled, does: e.does, target: i, action: e.action, state: state}
	}
	return nil
}

// makes asks whether the actor can make a new administrator: one name must do for all.
func (w *escalations) makes(x *controlled, c *creation) policy.State {
	_, state := w.newName(x, c)
	return state
}

// newName finds a name for the new principal under which the actor may do all that it
// takes. No member has it.
func (w *escalations) newName(x *controlled, c *creation) (string, policy.State) {
	pattern := w.place.fill(c.on)
	names := []string{instance(pattern)}
	for _, group := range c.needs {
		some := false
		for _, action := range group {
			a := w.may(x, action, pattern, w.ofNew(action)...)
			if a.state == policy.No && !(action == assumeAction) {
				continue
			}
			some = true
			access := x.stack.Access(x.who, action, pattern, x.known)
			for _, piece := range piecesOf(&access, pattern) {
				names = append(names, instance(piece))
			}
		}
		if !some {
			return "", policy.No
		}
	}
	bestName, best := "", policy.No
	for _, name := range names {
		if _, there := w.byARN[name]; there {
			continue
		}
		state := policy.Yes
		for _, group := range c.needs {
			one := policy.No
			for _, action := range group {
				y := *x
				if action == assumeAction {
					stack := *x.stack
					stack.Resource = w.anyone
					y.stack = &stack
				}
				one = max(one, w.decide(&y, action, name, contextOf(w.ofNew(action))).state)
			}
			state = min(state, one)
		}
		if state > best {
			bestName, best = name, state
		}
		if best == policy.Yes {
			break
		}
	}
	return bestName, best
}

// ofNew are the keys of a request about a new principal: it has no boundary and no tags.
func (w *escalations) ofNew(action string) []string {
	switch action {
	case "iam:AttachRolePolicy", "iam:AttachUserPolicy":
		return []string{"iam:PolicyARN", w.place.adminPolicy(), "iam:PermissionsBoundary", ""}
	case assumeAction:
		return nil
	}
	return []string{"iam:PermissionsBoundary", ""}
}

// taken are the actions of a creation, of each group the first that is allowed.
func (w *escalations) taken(x *controlled, c *creation) []deedOn {
	name, state := w.newName(x, c)
	var out []deedOn
	for _, group := range c.needs {
		for k, action := range group {
			if action == assumeAction || k == len(group)-1 || w.decide(x, action, name, contextOf(w.ofNew(action))).state >= state {
				out = append(out, deedOn{action, name, w.ofNew(action), -1})
				break
			}
		}
	}
	return out
}
