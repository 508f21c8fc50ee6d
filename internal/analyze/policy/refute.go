package policy

import (
	"cmp"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// refutation is the search for a request that p allows and i does not. It first chooses
// a context: p's conditions must hold, i's fail as far as they can. In a context that
// tells everything the rest is a walk: a resource in p's Allow, out of p's Denies, and
// either out of i's Allows or in one of its Denies. The two documents then decide the
// request as any other: only what they confirm is a counterexample.
type refutation struct {
	*question
	deed     *deed
	allow    *clause
	request  Request
	contexts int // left to try
}

// Who makes a request where nothing in the documents says who, and other accounts: AWS's examples.
var (
	examplePrincipal = Principal{ARN: "arn:aws:iam::111122223333:role/example", Account: "111122223333"}
	exampleAccounts  = [...]string{"444455556666", "777788889999"}
)

// refute finds a counterexample among the deed's requests, nil if it finds none.
func (q *question) refute(d *deed) *Request {
	q.steps, q.search = q.search, q.steps
	defer func() { q.steps, q.search = q.search, q.steps }()
	for _, a := range d.ourAllows {
		r := &refutation{question: q, deed: d, allow: a, contexts: mostContexts}
		if a.dead[a.errs(q.ours)] || r.odd() {
			continue
		}
		keys := r.contextKeys()
		for _, who := range r.principals() {
			for _, owner := range r.owners(who) {
				r.request = Request{Principal: who, Action: d.action, ResourceAccount: owner}
				c := *q.env.context
				c.closed, c.entries = true, maps.Clone(c.entries)
				maps.DeleteFunc(c.entries, func(_ string, e entry) bool { return e.presence == unknown })
				if found := r.choose(keys, c); found != nil {
					return found
				}
			}
		}
	}
	return nil
}

// others are the statements that bear on the deed, but p's Allows.
func (r *refutation) others() iter.Seq[*clause] {
	return func(yield func(*clause) bool) {
		for _, list := range [...][]*clause{r.deed.ourDenies, r.deed.theirAllows, r.deed.theirDenies} {
			for _, c := range list {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func (r *refutation) odd() bool {
	if r.allow.odd != "" {
		return true
	}
	for c := range r.others() {
		if c.odd != "" {
			return true
		}
	}
	return false
}

// The keys that follow from the principal and the resource (see Request.derive).
var derivedKeys = []string{"aws:principalaccount", "aws:principalarn", "aws:principaltype", resourceAccountKey, "aws:username"}

// contextKeys are the keys to choose values for: those that variables name first, for
// conditions are met or not with their values.
func (r *refutation) contextKeys() []string {
	named, compared := map[string]bool{}, map[string]bool{}
	add := func(c *clause) {
		for i := range c.st.resources {
			for _, p := range c.st.resources[i].text.parts {
				named[p.key] = true
			}
		}
		for i := range c.st.Conditions {
			condition := &c.st.Conditions[i]
			compared[condition.key] = true
			for j := range condition.values {
				for _, p := range condition.values[j].text.parts {
					named[p.key] = true
				}
			}
		}
	}
	add(r.allow)
	for c := range r.others() {
		add(c)
	}
	delete(named, "")
	keys := slices.Sorted(maps.Keys(named))
	for _, key := range slices.Sorted(maps.Keys(compared)) {
		if !named[key] {
			keys = append(keys, key)
		}
	}
	return slices.DeleteFunc(keys, func(key string) bool {
		_, presence := r.env.lookup(key)
		return presence != unknown || slices.Contains(derivedKeys, key)
	})
}

// conditions are those on the key, with the clause each stands in.
func (r *refutation) conditions(key string) iter.Seq2[*clause, *Condition] {
	return func(yield func(*clause, *Condition) bool) {
		all := func(c *clause) bool {
			for i := range c.st.Conditions {
				if c.st.Conditions[i].key == key && !yield(c, &c.st.Conditions[i]) {
					return false
				}
			}
			return true
		}
		if !all(r.allow) {
			return
		}
		for c := range r.others() {
			if !all(c) {
				return
			}
		}
	}
}

// examples are texts that the key's conditions name, wildcards filled.
func (r *refutation) examples(key string) []string {
	var all []string
	for _, c := range r.conditions(key) {
		for i, v := range c.Values {
			if !c.op.takesVariables() {
				all = append(all, v.Text)
				continue
			}
			if c.values[i].text.plain() {
				all = append(all, symbolChain(nil, c.values[i].text.symbols).fill())
			}
		}
	}
	return all
}

// fill is a text of the chain: x for each wildcard.
func (c chain) fill() string {
	text := make([]rune, len(c))
	for i, t := range c {
		if text[i] = t.char; t.kind >= tokenOne || t.char < 0 {
			text[i] = 'x'
		}
	}
	return string(text)
}

// principals are who may make the request, the plainest first.
func (r *refutation) principals() []Principal {
	all := []Principal{examplePrincipal}
	add := func(p Principal, err error) {
		if err == nil && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if known := r.env.context.entries["aws:principalarn"]; known.presence == present && len(known.values) == 1 {
		if p, err := ParsePrincipal(known.values[0]); err == nil {
			return []Principal{p}
		}
	}
	accounts := append(r.examples("aws:principalaccount"), r.examples(resourceAccountKey)...)
	if len(accounts) > 0 {
		accounts = append(accounts, exampleAccounts[:]...)
	}
	for _, account := range accounts {
		if isAccountID(account) {
			add(Principal{ARN: "arn:aws:iam::" + account + ":role/example", Account: account}, nil)
		}
	}
	for _, arn := range r.examples("aws:principalarn") {
		p, err := ParsePrincipal(strings.Replace(arn, "::x:", "::"+examplePrincipal.Account+":", 1))
		if err == nil && p.SessionARN == "" {
			add(p, nil)
		}
	}
	users := r.examples("aws:username")
	for range r.conditions("aws:principaltype") {
		users = append(users, "example")
		break
	}
	if r.varies("aws:username") {
		users = append(users, "example")
	}
	for _, name := range users {
		add(ParsePrincipal("arn:aws:iam::" + examplePrincipal.Account + ":user/" + name))
	}
	return all
}

// varies reports whether a variable names the key.
func (r *refutation) varies(key string) bool {
	names := func(c *clause) bool {
		is := func(p part) bool { return p.key == key }
		return slices.ContainsFunc(c.st.resources, func(p resourcePattern) bool { return slices.ContainsFunc(p.text.parts, is) }) ||
			slices.ContainsFunc(c.st.Conditions, func(c Condition) bool {
				return slices.ContainsFunc(c.values, func(v operand) bool { return slices.ContainsFunc(v.text.parts, is) })
			})
	}
	if names(r.allow) {
		return true
	}
	for c := range r.others() {
		if names(c) {
			return true
		}
	}
	return false
}

// owners are the accounts that may own the resource.
func (r *refutation) owners(p Principal) []string {
	all := []string{p.Account}
	add := func(account string) {
		if isAccountID(account) && !slices.Contains(all, account) {
			all = append(all, account)
		}
	}
	for range r.conditions(resourceAccountKey) {
		for _, account := range exampleAccounts {
			add(account)
		}
		break
	}
	for _, account := range r.examples(resourceAccountKey) {
		add(account)
	}
	return all
}

// choose gives the first key each state that is worth trying, and goes on with the
// others; with none left it looks for the resource.
func (r *refutation) choose(keys []string, c Context) *Request {
	if r.contexts <= 0 || r.steps < 0 {
		return nil
	}
	if len(keys) == 0 {
		r.contexts--
		return r.resource(c)
	}
	for _, e := range r.states(keys[0], c) {
		if found := r.choose(keys[1:], c.set(keys[0], e)); found != nil {
			return found
		}
	}
	return nil
}

// states are the states of a key that p's Allow admits, those first that turn most
// statements against i; one that does no more than another is left out.
func (r *refutation) states(key string, c Context) []entry {
	type state struct {
		entry
		score []uint64
		count int
	}
	var best []state
	for _, e := range r.candidates(key, c) {
		score, ok := r.score(key, c.set(key, e))
		if !ok {
			continue
		}
		within := func(a, b []uint64) bool {
			for i := range a {
				if a[i]&^b[i] != 0 {
					return false
				}
			}
			return true
		}
		if slices.ContainsFunc(best, func(s state) bool { return within(score, s.score) }) {
			continue
		}
		best = slices.DeleteFunc(best, func(s state) bool { return within(s.score, score) })
		n := 0
		for _, w := range score {
			n += bits.OnesCount64(w)
		}
		best = append(best, state{e, score, n})
	}
	slices.SortStableFunc(best, func(a, b state) int { return cmp.Compare(b.count, a.count) })
	if r.varies(key) && len(best) > 0 {
		// What it does as a variable shows later only.
		who := &r.request.Principal
		for _, text := range []string{"x", who.name(), who.Account, who.ARN} {
			best = append(best, state{entry: entry{[]string{text}, present}})
		}
		best = append(best, state{entry: entry{presence: absent}})
	}
	var all []entry
	for _, s := range best {
		if !slices.ContainsFunc(all, func(e entry) bool { return e.presence == s.presence && slices.Equal(e.values, s.values) }) {
			all = append(all, s.entry)
		}
	}
	return all
}

// score says, by statement, where the key's conditions are as a counterexample wants
// them. ok is false where p's Allow does not hold.
func (r *refutation) score(key string, c Context) (score []uint64, ok bool) {
	env := environment{request: r.request, context: &c}
	bit := 0
	set := func(good bool) {
		if bit%64 == 0 {
			score = append(score, 0)
		}
		if good {
			score[bit/64] |= 1 << (bit % 64)
		}
		bit++
	}
	for i := range r.allow.st.Conditions {
		condition := &r.allow.st.Conditions[i]
		if condition.key == key && !r.ours.counts(Allow, condition.evaluate(&env)) {
			return nil, false
		}
	}
	for other := range r.others() {
		side := r.theirs
		if other.ours {
			side = r.ours
		}
		holds := true
		for i := range other.st.Conditions {
			if condition := &other.st.Conditions[i]; condition.key == key {
				holds = holds && side.counts(other.st.Effect, condition.evaluate(&env))
			}
		}
		set(holds == (other.deny && !other.ours))
	}
	return score, true
}

// candidates are states of a key of which one is as good as any: absent, each text that
// a condition tells from others, something else, and pairs for set operators.
func (r *refutation) candidates(key string, c Context) []entry {
	in := *r.question
	in.env, in.values = environment{request: r.request, context: &c}, map[string]foundValue{}
	var must, rest []*term
	sets := false
	for other, condition := range r.conditions(key) {
		side := r.theirs
		if other.ours {
			side = r.ours
		}
		l := in.term(other.st, condition, other.errs(side) == 1)
		sets = sets || condition.op.set != single
		if other == r.allow {
			must = append(must, &l)
		} else {
			rest = append(rest, &l)
		}
	}
	var texts []string
	add := func(text string) {
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	find := func(all []*term) {
		if text, found := in.value(all, true); found != False && text != "" {
			add(text)
		}
	}
	for _, text := range r.examples(key) {
		add(text)
	}
	against := slices.Clip(must)
	for _, l := range rest {
		n := l.complement()
		against = append(against, &n)
	}
	find(against)
	find(must)
	for _, l := range rest {
		n := l.complement()
		find(append(slices.Clip(must), &n))
		find(append(slices.Clip(must), l))
	}
	if all := slices.Concat(must, rest); slices.ContainsFunc(all, func(l *term) bool { return !l.opaque && !l.constant && !l.c.op.takesVariables() }) {
		for _, family := range byFamily(all) {
			for _, text := range criticalValues(family) {
				if text != "?" {
					add(text)
				}
			}
		}
	}
	add("x")
	r.steps = in.steps
	all := []entry{{presence: absent}}
	if !r.varies(key) { // what an empty value does to a variable no page says
		all = append(all, entry{[]string{""}, present})
	}
	for _, text := range texts {
		all = append(all, entry{[]string{text}, present})
	}
	if sets && !singleValued(key) {
		if len(texts) > 12 {
			texts = texts[:12]
		}
		for i, a := range texts {
			for _, b := range texts[i+1:] {
				all = append(all, entry{[]string{a, b}, present})
			}
		}
	}
	return all
}

// byFamily groups the terms whose values have an order.
func byFamily(all []*term) [][]*term {
	var groups [][]*term
	for _, l := range all {
		if l.opaque || l.constant || l.c.op.takesVariables() {
			continue
		}
		i := slices.IndexFunc(groups, func(g []*term) bool { return g[0].c.op.compare.family() == l.c.op.compare.family() })
		if i < 0 {
			groups = append(groups, []*term{l})
		} else {
			groups[i] = append(groups[i], l)
		}
	}
	return groups
}

// resource looks for a resource in a context that tells everything.
func (r *refutation) resource(c Context) *Request {
	r.request.Context = c
	env := environment{request: r.request, context: &c}
	if !r.ours.counts(Allow, r.allow.st.evaluate(&env)) {
		return nil
	}
	if r.deed.resourceless {
		return r.confirm("*")
	}
	in, ok := r.region(r.allow, &env, r.ours)
	if !ok {
		return nil
	}
	all := constraints{in}
	for _, c := range r.deed.ourDenies {
		if r.ours.counts(Deny, c.st.evaluate(&env)) {
			out, _ := r.region(c, &env, r.ours)
			out.in = !out.in
			all = append(all, out)
		}
	}
	beyond := slices.Clip(all)
	for _, c := range r.deed.theirAllows {
		if r.theirs.counts(Allow, c.st.evaluate(&env)) {
			out, _ := r.region(c, &env, r.theirs)
			out.in = !out.in
			beyond = append(beyond, out)
		}
	}
	if found := r.walk(beyond); found != nil {
		return found
	}
	for _, c := range r.deed.theirDenies {
		if r.theirs.counts(Deny, c.st.evaluate(&env)) {
			in, _ := r.region(c, &env, r.theirs)
			if found := r.walk(append(slices.Clip(all), in)); found != nil {
				return found
			}
		}
	}
	return r.confirm("*")
}

// region is the clause's region with the values of its variables.
func (r *refutation) region(c *clause, env *environment, side Side) (region constraint, ok bool) {
	if c.st.Resources == nil {
		return constraint{[]chain{everyText}, true}, true
	}
	region.in = !c.st.NotResource
	for i := range c.st.resources {
		if raw, ok := (variables{}).chain(&c.st.resources[i].text, env); ok {
			entry := newResourceChain(raw)
			as := c.reading(side)
			if as == readCrossing && r.ours != r.theirs {
				as = readStrict // that a * can cross a colon is no proof that it does
			}
			region.chains = entry.read(as, region.chains)
		}
	}
	return region, !region.in || len(region.chains) > 0
}

// walk looks for an ARN, first for one of the usual forms of the action's own service.
func (r *refutation) walk(all constraints) *Request {
	if _, found := append(slices.Clip(r.allow.resources()), all...).walk(&r.steps); found != True {
		return nil
	}
	for _, form := range r.forms() {
		text, found := append(append(slices.Clip(r.allow.resources()), constraint{[]chain{globResource(form).within(false)}, true}), all...).walk(&r.steps)
		if found == True {
			if request := r.confirm(text); request != nil {
				return request
			}
		}
	}
	return nil
}

// forms are the shapes of ARNs to look for, the most usual first.
func (r *refutation) forms() []string {
	service, _, _ := strings.Cut(r.deed.action, ":")
	account := cmp.Or(r.request.ResourceAccount, r.request.Principal.Account)
	places := []string{"us-east-1:" + account, ":" + account, ":"}
	switch service {
	case "s3":
		slices.Reverse(places)
	case "iam":
		places = places[1:]
	}
	var forms []string
	for _, end := range [...]string{":*x", ":?*"} {
		for _, place := range places {
			forms = append(forms, "arn:aws:"+service+":"+place+end)
		}
	}
	return append(forms, "arn:aws:"+service+":*:*:?*", "arn:?*:"+service+":*:*:?*", "arn:?*:?*:*:*:?*", "arn:*:*:*:*:*")
}

// anyones is the resource policy that another account's resource is taken to have.
var anyones = func() *Policy {
	d := &Document{version: Version2012, statements: []*Statement{{Effect: Allow, Actions: []string{"*"}, Resources: []string{"*"},
		Principals: []PrincipalSet{{Type: "*", Values: []string{"*"}}}}}}
	d.compile()
	return &Policy{Layer: LayerResource, Document: d}
}()

// confirm asks the two documents themselves.
func (r *refutation) confirm(resource string) *Request {
	request := r.request
	request.Resource = resource
	ours, theirs := Stack{Identity: r.p}, Stack{Identity: r.i}
	if request.ResourceAccount != request.Principal.Account {
		ours.Resource, theirs.Resource = anyones, anyones
	}
	if ours.Decide(request, r.ours).Outcome != Allowed || theirs.Decide(request, r.theirs).Outcome == Allowed {
		return nil
	}
	return &request
}
