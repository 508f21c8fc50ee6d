package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// homeRegions are where a partition's IAM answers: aws:RequestedRegion of its calls.
// Source: AWS reference_policies_condition-keys, aws:RequestedRegion; AWS General
// Reference, IAM endpoints.
var homeRegions = map[string]string{"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

// member is a role of the account as escalation sees it.
type member struct {
	arn     string
	grant   *grant
	class   string
	tags    []snapshot.Tag
	profile policy.State // whether it is in an instance profile
	bound   string       // the ARN of its boundary
	// own are the customer managed policies that it has, its boundary last.
	own []string
	// mfa: its policies, or its trust policy, ask for it. plain: its trust policy tells no
	// roles of the account apart.
	mfa, plain bool
}

// escalations are the account's roles and what they can do to each other: built once, and
// read by many.
type escalations struct {
	*audit
	members []*member // by ARN
	byARN   map[string]int
	roles   *inventory // their ARNs, to find those that a pattern may mean
	// trusting are the roles that a service may be, certainly or under a condition.
	trusting map[string][]trustee
	// opened are those whose trust policy lets the account decide, names a role by its ARN,
	// or anybody.
	opened  []int
	named   map[string][]int
	anybody []int
	// policies are the customer managed policies that roles have, by ARN.
	policies []string
	holders  map[string][]int
	regions  []string
	// why says what is not known of the account's principals.
	why []string
	all bool // every role of the account is known

	everything *policy.Document
	anyone     *policy.Policy // a trust policy that lets anybody in

	mu      sync.Mutex
	answers map[roleQuestion]answer
	able    map[string]*ability
	admins  map[string]policy.State
	kinds   map[string]kinds
	assumed map[assumption]policy.State
	classes map[string]string // short names
	wider   map[[2]string]bool
}

type trustee struct {
	member int
	state  policy.State
}

// assumption is whether roles of a class can assume a role that tells none apart.
type assumption struct {
	class  string
	member int
}

// roleQuestion is one that roles of a class share.
type roleQuestion struct{ class, action, pattern, context string }

type answer struct {
	state policy.State
	part  bool
}

func (a *audit) newEscalations() *escalations {
	s := a.snapshot
	w := &escalations{audit: a, byARN: map[string]int{}, trusting: map[string][]trustee{}, named: map[string][]int{}, all: s.OtherRoles != nil,
		regions: s.Regions.Read, answers: map[roleQuestion]answer{}, able: map[string]*ability{}, admins: map[string]policy.State{}, kinds: map[string]kinds{}, assumed: map[assumption]policy.State{}, classes: map[string]string{}, wider: map[[2]string]bool{}}
	w.everything = everything[0].Document
	anyone, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`))
	if err != nil {
		panic("analyze: " + err.Error())
	}
	w.anyone = &policy.Policy{Layer: policy.LayerResource, Kind: "trust", Name: "trust", Document: anyone}
	for i := range s.Roles {
		r := &s.Roles[i]
		w.add(r)
	}
	for i := range s.Others {
		o := &s.Others[i]
		w.add(&snapshot.Role{RoleKey: o.RoleKey, Name: nameOf(o.ARN), Trust: o.Trust, Inline: o.Inline, Attached: o.Attached,
			Boundary: o.Boundary, Tags: o.Tags, InstanceProfiles: o.InstanceProfiles})
	}
	slices.SortFunc(w.members, func(x, y *member) int { return cmp.Compare(x.arn, y.arn) })
	w.roles = &inventory{}
	w.holders = map[string][]int{}
	unknown := 0
	for i, m := range w.members {
		w.byARN[m.arn] = i
		w.roles.arns = append(w.roles.arns, m.arn)
		for _, arn := range m.own {
			w.holders[arn] = append(w.holders[arn], i)
		}
		if !m.grant.firm() || m.grant.trust == nil {
			unknown++
		}
		w.readTrust(i)
	}
	w.policies = slices.Sorted(maps.Keys(w.holders))
	switch missing := len(s.OtherRoles) - len(s.Others); {
	case !w.all:
		w.why = append(w.why, "the account's other roles were not read")
	case missing > 0:
		w.why = append(w.why, fmt.Sprintf("the policies of %s were not kept", inNumber(missing, "other role")))
	}
	if unknown > 0 {
		w.why = append(w.why, fmt.Sprintf("the policies of %s could not all be read", inNumber(unknown, "role")))
	}
	return w
}

func inNumber(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// add takes a role in. A service-linked role is its service's alone, and nobody can change
// it (AWS: using-service-linked-roles).
func (w *escalations) add(r *snapshot.Role) {
	if strings.Contains(r.ARN, ":role/aws-service-role/") || accountOf(r.ARN) != w.snapshot.Account.ID {
		return
	}
	m := &member{arn: r.ARN, grant: w.library.policiesOf(w.snapshot, r), tags: r.Tags, profile: policy.Conditional, bound: r.Boundary}
	if slices.Contains(r.Unread, "tags") {
		m.tags = nil
	}
	class := w.classOf(m.grant)
	if w.classes[class] == "" {
		w.classes[class] = fmt.Sprint("c", len(w.classes))
	}
	m.class = w.classes[class]
	switch {
	case len(r.InstanceProfiles) > 0:
		m.profile = policy.Yes
	case w.all:
		m.profile = policy.No
	}
	customer := ":iam::" + w.snapshot.Account.ID + ":policy/"
	for _, p := range r.Attached {
		if strings.Contains(p.ARN, customer) {
			m.own = append(m.own, p.ARN)
		}
	}
	slices.Sort(m.own)
	if strings.Contains(r.Boundary, customer) {
		m.own = append(m.own, r.Boundary)
	}
	m.own = m.own[:min(len(m.own), mostOwn)]
	m.plain = !isPersonal(r.Trust)
	m.mfa = asksMFA(r.Trust)
	for _, p := range slices.Concat(m.grant.stack.Identity, m.grant.stack.Boundary) {
		m.mfa = m.mfa || asksMFA(string(p.Document.Print()))
	}
	w.members = append(w.members, m)
}

func asksMFA(document string) bool {
	return strings.Contains(strings.ToLower(document), "aws:multifactorauth")
}

// mostOwn bounds the customer managed policies of a role whose change is tried: IAM lets a
// role have 10 by default, and 20 at most (AWS: reference_iam-quotas).
const mostOwn = 12

// readTrust notes who may be a role.
func (w *escalations) readTrust(i int) {
	m := w.members[i]
	if m.grant.trust == nil { // nobody knows
		for _, service := range launchServices() {
			w.trusting[service] = append(w.trusting[service], trustee{i, policy.Conditional})
		}
		w.anybody = append(w.anybody, i)
		return
	}
	for _, service := range launchServices() {
		if state := serviceTrust(m.grant.trust, service, w.place.account); state != policy.No {
			w.trusting[service] = append(w.trusting[service], trustee{i, state})
		}
	}
	var opened, anybody bool
	for _, st := range m.grant.trust.Statements() {
		if st.Effect != policy.Allow && speaksOf(st, assumeAction) {
			m.plain = false
		}
		if st.Effect != policy.Allow || !speaksOf(st, assumeAction) {
			continue
		}
		if st.NotPrincipal {
			m.plain = false
			anybody = true
		}
		for _, p := range principals(st) {
			kind, value, _ := strings.Cut(p, ":")
			switch {
			case p == "*":
				anybody = true
			case kind == "CanonicalUser":
				opened = true
			case kind != "AWS":
			case value == w.place.account || strings.HasSuffix(value, ":root"):
				opened = true
			case strings.Contains(value, ":assumed-role/"):
				role, _, _ := strings.Cut(value[strings.Index(value, ":assumed-role/")+len(":assumed-role/"):], "/")
				w.named[role] = append(w.named[role], i)
				m.plain = false
			default:
				m.plain = false
				w.named[nameOf(value)] = append(w.named[nameOf(value)], i)
			}
		}
	}
	if opened {
		w.opened = append(w.opened, i)
	}
	if anybody {
		w.anybody = append(w.anybody, i)
	}
}

// launchServices are the services that roles are passed to, and that run code of their own.
var launchServices = sync.OnceValue(func() []string {
	all := map[string]struct{}{}
	for _, l := range launches {
		all[l.service] = struct{}{}
	}
	for _, o := range openings {
		if o.service != "" {
			all[o.service] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(all))
})

// serviceTrust says whether a trust policy lets a service of the account assume the role.
// The service names the account it acts for (AWS: confused-deputy); which resource it acts
// for is not known.
func serviceTrust(d *policy.Document, service, account string) policy.State {
	known := policy.OpenContext(map[string][]string{"aws:SourceAccount": {account}, "aws:PrincipalIsAWSService": {"true"}, "aws:PrincipalServiceName": {service}}).
		Without("sts:ExternalId", "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:PrincipalArn", "aws:PrincipalAccount")
	state, refused := policy.No, policy.No
	for _, st := range d.Statements() {
		if !speaksOf(st, assumeAction) {
			continue
		}
		names := slices.ContainsFunc(principals(st), func(p string) bool { return p == "*" || strings.EqualFold(p, "Service:"+service) })
		if names == st.NotPrincipal {
			continue
		}
		holds := policy.Yes
		for _, c := range st.Read(policy.Request{Action: assumeAction, Resource: "*", Context: known}, policy.LayerResource).Conditions {
			switch c.Truth {
			case policy.False:
				holds = policy.No
			case policy.Unknown:
				holds = min(holds, policy.Conditional)
			}
		}
		switch {
		case st.Effect == policy.Allow:
			state = max(state, holds)
		default:
			refused = max(refused, holds)
		}
	}
	switch refused {
	case policy.Yes:
		return policy.No
	case policy.Conditional:
		return min(state, policy.Conditional)
	}
	return state
}

// controlled is a role with the changes that were made to it.
type controlled struct {
	member int
	made   change
	class  string
	stack  *policy.Stack
	who    policy.Principal
	known  policy.Context
	firm   bool // all of its policies are known
}

// as is the role i after the changes.
func (w *escalations) as(i int, made change) *controlled {
	m := w.members[i]
	x := &controlled{member: i, made: made, class: m.class, stack: m.grant.stack, who: m.grant.principal, known: m.grant.known, firm: m.grant.firm()}
	if made&^changeTrust == 0 {
		return x
	}
	x.class = fmt.Sprintf("%s\x00%d\x00%s", m.class, made, strings.Join(m.own, ","))
	stack := *m.grant.stack
	stack.Identity = nil
	grants := made&(changePut|changeAttach) != 0
	for _, p := range m.grant.stack.Identity {
		switch {
		case p.ARN == "" && made&changePut != 0:
		case p.ARN != "" && w.versioned(m, made, p.ARN):
			grants = true
		default:
			stack.Identity = append(stack.Identity, p)
		}
	}
	if grants {
		stack.Identity = append(stack.Identity, policy.Policy{Layer: policy.LayerIdentity, Kind: "inline", Name: madeUp, Document: w.everything})
	}
	if made&changeUnbound != 0 || m.bound != "" && w.versioned(m, made, m.bound) {
		stack.Boundary = nil
		x.firm = m.grant.unknown == ""
	}
	x.stack = &stack
	return x
}

// madeUp names the policy that an edit of a path puts in, which is not there today.
const madeUp = "(as changed before)"

// versioned reports whether one of the changes is a new version of the policy.
func (w *escalations) versioned(m *member, made change, arn string) bool {
	for k, own := range m.own {
		if own == arn && made&(changeVersion<<k) != 0 {
			return true
		}
	}
	return false
}

// may asks whether the actor may call an action on some resource of a pattern, in one of
// the regions that were read at least.
func (w *escalations) may(x *controlled, action, pattern string, context ...string) answer {
	key := roleQuestion{x.class, action, pattern, strings.Join(context, "\x00")}
	w.mu.Lock()
	got, ok := w.answers[key]
	w.mu.Unlock()
	if ok {
		return got
	}
	got = w.decide(x, action, pattern, contextOf(context))
	w.mu.Lock()
	w.answers[key] = got
	w.mu.Unlock()
	return got
}

// contextOf makes pairs of keys and values a context; a key without a value is absent.
func contextOf(pairs []string) policy.Context {
	c := policy.OpenContext(nil)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			c = c.Without(pairs[i])
		} else {
			c = c.With(pairs[i], pairs[i+1])
		}
	}
	return c
}

// decide asks the engine, not what is remembered.
func (w *escalations) decide(x *controlled, action, pattern string, context policy.Context) answer {
	known := context.Merge(x.known)
	if serviceOf(action) == "iam" {
		known = known.With("aws:RequestedRegion", homeRegions[w.place.partition])
	}
	state, part, _ := someOf(x.stack, x.who, action, pattern, known)
	if state == policy.Conditional && serviceOf(action) != "iam" {
		for _, region := range w.regions {
			s, p, _ := someOf(x.stack, x.who, action, inOneRegion(pattern, region), known.With("aws:RequestedRegion", region))
			if s > state {
				state, part = s, p
				break
			}
		}
	}
	if !x.firm {
		state = min(state, policy.Conditional)
	}
	return answer{state, part}
}

// inOneRegion puts a region where the pattern leaves it open.
func inOneRegion(pattern, region string) string {
	parts := strings.SplitN(pattern, ":", 6)
	if len(parts) == 6 && parts[3] == "*" {
		parts[3] = region
	}
	return strings.Join(parts, ":")
}

// resourcesOf are the resources that an action takes, one of each kind that it must name:
// of any kind where it must name none.
func (w *escalations) resourcesOf(action string) (each []string, any bool) {
	w.mu.Lock()
	got, known := w.kinds[action]
	w.mu.Unlock()
	if !known {
		got.each, got.any = w.readResources(action)
		w.mu.Lock()
		w.kinds[action] = got
		w.mu.Unlock()
	}
	return got.each, got.any
}

// kinds are the resources of an action, of which any one or each must be allowed.
type kinds struct {
	each []string
	any  bool
}

func (w *escalations) readResources(action string) (each []string, any bool) {
	if given, ok := onResource[action]; ok {
		for _, g := range given {
			each = append(each, w.place.fill(g))
		}
		return each, false
	}
	i, known := w.library.catalog.Index(action)
	if !known || w.library.catalog.Resourceless(i) {
		return []string{"*"}, false
	}
	types := w.library.catalog.ResourceTypes(i)
	any = true
	for _, t := range types {
		any = any && !t.Required
	}
	for _, t := range types {
		if t.Required || any {
			each = append(each, w.place.pattern(t.ARN))
		}
	}
	return each, any
}

// pattern makes a resource type's ARN one pattern of all its resources.
func (p place) pattern(arn string) string {
	arn = strings.NewReplacer("${Partition}", p.partition, "${Account}", p.account).Replace(arn)
	for {
		from := strings.Index(arn, "${")
		if from < 0 {
			return arn
		}
		to := strings.IndexByte(arn[from:], '}')
		arn = arn[:from] + "*" + arn[from+to+1:]
	}
}

// can asks whether the actor may do all of the actions, each on resources of its own.
func (w *escalations) can(x *controlled, actions []string) policy.State {
	state := policy.Yes
	for _, action := range actions {
		each, any := w.resourcesOf(action)
		best, least := policy.No, policy.Yes
		for _, r := range each {
			s := w.may(x, action, r).state
			best, least = max(best, s), min(least, s)
		}
		if any {
			least = best
		}
		if state = min(state, least); state == policy.No {
			return policy.No
		}
	}
	return state
}

// administrator says whether the actor is one, as far as the organization lets anybody.
func (w *escalations) administrator(x *controlled) policy.State {
	w.mu.Lock()
	state, known := w.admins[x.class]
	w.mu.Unlock()
	if !known {
		state = w.probe(x)
		w.mu.Lock()
		w.admins[x.class] = state
		w.mu.Unlock()
	}
	return state
}

func (w *escalations) probe(x *controlled) policy.State {
	stack := *x.stack
	stack.SCPs, stack.RCPs = nil, nil
	state := policy.Yes
	for _, probe := range adminProbes {
		on := strings.ReplaceAll(w.place.fill(probe.on), "{r}", cmp.Or(append(slices.Clone(w.regions), homeRegions[w.place.partition])[0], "us-east-1"))
		known := inRegion(x.known, on)
		if serviceOf(probe.action) == "iam" {
			known = known.With("aws:RequestedRegion", homeRegions[w.place.partition])
		}
		if state = min(state, witness(&stack, x.who, probe.action, on, known)); state == policy.No {
			return state
		}
	}
	if !x.firm {
		return min(state, policy.Conditional)
	}
	return state
}
