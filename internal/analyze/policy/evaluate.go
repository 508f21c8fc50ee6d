package policy

import "strings"

// Layer is a place where policies stand between a principal and a resource.
type Layer string

// The layers, in the order in which an explicit Deny of several is reported.
const (
	LayerSCP      Layer = "scp"
	LayerRCP      Layer = "rcp"
	LayerResource Layer = "resource"
	LayerIdentity Layer = "identity"
	LayerBoundary Layer = "boundary"
	LayerSession  Layer = "session"
)

// Policy is a document with the names a report needs.
type Policy struct {
	Layer    Layer
	Kind     string // managed, inline, boundary, scp ...
	Name     string
	ARN      string // "" for an inline policy
	Version  string // of a managed policy, such as v3
	Document *Document
}

// Stack is every policy that bears on a principal's requests. It is not changed by
// evaluation and safe for concurrent use.
type Stack struct {
	Identity []Policy
	Boundary []Policy   // nil: the principal has none
	SCPs     [][]Policy // by level, root first; nil: none, or not given
	RCPs     [][]Policy // the same; AWS's RCPFullAWSAccess is implied at each level
	Resource *Policy    // of the resource asked for; nil: none
	Session  *Policy    // nil: none
}

// Request is one question to a Stack.
type Request struct {
	Principal       Principal
	Action          string // such as s3:GetObject
	Resource        string // an ARN, or * for an action without resource
	ResourceAccount string // 12 digits; "" takes the account from the ARN, or the principal's own
	Context         Context
}

// Outcome is what becomes of a request.
type Outcome string

// The outcomes, as AWS names them (AWS: reference_policies_evaluation-logic).
const (
	Allowed      Outcome = "Allowed"
	ImplicitDeny Outcome = "ImplicitDeny"
	ExplicitDeny Outcome = "ExplicitDeny"
)

// Decision is the answer to a Request.
type Decision struct {
	Outcome Outcome
	// Layer granted the request, or refused it: the layer of the Deny, or the first
	// in AWS's order that had to allow and did not.
	Layer     Layer
	Matches   []Match     // every statement that speaks of the request, certainly or perhaps
	Undecided []Undecided // every question that stayed open
}

// Match is a statement that took part in a decision.
type Match struct {
	Layer     Layer
	Policy    *Policy
	Statement *Statement
	Truth     Truth // True or Unknown
	Partial   bool  // of Access: it takes in only some of the resources asked for
}

// Undecided is a question that the request context leaves open.
type Undecided struct {
	Layer     Layer
	Policy    *Policy
	Statement *Statement
	Key       string // the condition key; "" when the question is about something else
	Reason    string
}

// ruling is what one layer says of a request.
type ruling struct {
	allow, deny verdict
	grantees    principalMatch // of the Allows of a resource policy
}

// decider carries one Decide or Access call.
type decider struct {
	stack         *Stack
	env           environment
	service, name string
	decision      Decision
	cell          *cell // of Access, for a pattern
	// auditing: a resource policy that is not given was not read, rather than absent.
	auditing bool
}

// Decide answers the request on the given side, in AWS's order (AWS:
// reference_policies_evaluation-logic_policy-eval-denyallow; across accounts AWS:
// reference_policies_evaluation-logic-cross-account): an explicit Deny anywhere; SCPs,
// at every level; the resource policy; identity policies; the boundary; the session policy.
//
// KMS key policies and role trust policies, where given, must allow even inside the
// account. A resource policy's Allow to the session, the user or everyone is final;
// one to the role stays under boundary and session policy; one to the account hands
// the decision to the identity policies.
//
// A resource whose account is not known counts as the principal's own.
func (s *Stack) Decide(r Request, side Side) Decision {
	d := newDecider(s, r)
	d.env.noting, d.env.must = true, side == Must
	all := d.rulings()
	d.decision.Outcome, d.decision.Layer = d.weigh(&all, side)
	return d.decision
}

func newDecider(s *Stack, r Request) *decider {
	d := &decider{stack: s, env: environment{request: r}}
	d.env.context = &d.env.request.Context
	d.service, d.name = splitAction(r.Action)
	return d
}

// rulings are what the layers say of one request.
type rulings struct {
	scps, rcps                            []ruling
	resource, identity, boundary, session ruling
}

func (d *decider) rulings() rulings {
	s := d.stack
	var all rulings
	if !d.env.request.Principal.serviceLinked() {
		all.scps = d.levels(s.SCPs, LayerSCP)
		all.rcps = d.levels(s.RCPs, LayerRCP)
	}
	if s.Resource != nil {
		all.resource = d.ruling([]Policy{*s.Resource}, LayerResource)
	}
	all.identity = d.ruling(s.Identity, LayerIdentity)
	all.boundary = d.ruling(s.Boundary, LayerBoundary)
	if s.Session != nil {
		all.session = d.ruling([]Policy{*s.Session}, LayerSession)
	}
	return all
}

func (d *decider) levels(levels [][]Policy, layer Layer) []ruling {
	all := make([]ruling, len(levels))
	for i, policies := range levels {
		all[i] = d.ruling(policies, layer)
	}
	return all
}

// ruling evaluates the policies of one layer, at one level of it.
func (d *decider) ruling(policies []Policy, layer Layer) ruling {
	var r ruling
	for i := range policies {
		p := &policies[i]
		if p.Document == nil {
			continue
		}
		for _, st := range p.Document.statements {
			if !st.matchesAction(d.service, d.name) {
				continue
			}
			notes := len(d.env.notes)
			v, as, some := d.statement(st, layer)
			if v.truth == False {
				d.env.notes = d.env.notes[:notes]
				continue
			}
			d.record(Match{layer, p, st, v.truth, some}, notes)
			if some && !d.cell.counts(st.Effect) {
				continue
			}
			if st.Effect == Deny {
				r.deny = r.deny.or(v)
				continue
			}
			r.allow = r.allow.or(v)
			for g := range as {
				r.grantees[g] = r.grantees[g].or(as[g].and(v))
			}
		}
	}
	return r
}

// record notes that a statement takes part, and what about it stayed open.
func (d *decider) record(m Match, notes int) {
	if !d.env.noting {
		return
	}
	d.decision.Matches = append(d.decision.Matches, m)
	for _, n := range d.env.notes[notes:] {
		if m.Truth == Unknown {
			d.decision.Undecided = append(d.decision.Undecided, Undecided{m.Layer, m.Policy, m.Statement, n.key, n.reason})
		}
	}
	d.env.notes = d.env.notes[:notes]
}

// statement is the verdict on one statement that speaks of the action. some: it takes
// in only some of the cell's resources.
func (d *decider) statement(st *Statement, layer Layer) (v verdict, as principalMatch, some bool) {
	if d.cell == nil {
		v = st.matchesResource(&d.env, layer)
	} else {
		v, some = d.cell.matches(st, &d.env)
	}
	if v.truth == False {
		return no, as, false
	}
	switch {
	case st.Principals == nil:
		if layer == LayerResource {
			return no, as, false // a resource policy's statement names its principals
		}
	case layer == LayerIdentity || layer == LayerBoundary || layer == LayerSession || layer == LayerSCP:
		return no, as, false // and these never do
	default:
		as = st.matchesPrincipal(&d.env)
		named := as.any()
		if st.NotPrincipal {
			named = as.exempt(&d.env.request.Principal, st.everyone(), d.stack.Boundary != nil).not()
		}
		v = v.and(named)
	}
	if v.truth == False {
		return no, as, false
	}
	return v.and(st.evaluate(&d.env)), as, some
}

// weigh puts the layers' rulings together.
func (d *decider) weigh(all *rulings, side Side) (Outcome, Layer) {
	denies := func(r *ruling) bool { return side.counts(Deny, r.deny) }
	allows := func(v verdict) bool { return side.counts(Allow, v) }

	// 1. An explicit Deny in any policy.
	for i := range all.scps {
		if denies(&all.scps[i]) {
			return ExplicitDeny, LayerSCP
		}
	}
	for i := range all.rcps {
		if denies(&all.rcps[i]) {
			return ExplicitDeny, LayerRCP
		}
	}
	for _, l := range [...]struct {
		ruling *ruling
		layer  Layer
	}{{&all.resource, LayerResource}, {&all.identity, LayerIdentity}, {&all.boundary, LayerBoundary}, {&all.session, LayerSession}} {
		if denies(l.ruling) {
			return ExplicitDeny, l.layer
		}
	}

	// 2. RCPs: RCPFullAWSAccess is always attached. 3. SCPs: every level must allow.
	for i := range all.scps {
		if !allows(all.scps[i].allow) {
			return ImplicitDeny, LayerSCP
		}
	}

	identity := allows(all.identity.allow) || d.env.request.Principal.Kind == Root
	boundary := d.stack.Boundary == nil || allows(all.boundary.allow)
	session := d.stack.Session == nil || allows(all.session.allow)
	direct := allows(all.resource.grantees[granteeDirect])
	role := allows(all.resource.grantees[granteeRole])
	account := allows(all.resource.grantees[granteeAccount])

	// 4. The resource policy.
	crossAccount := d.crossAccount()
	granted := LayerIdentity
	switch {
	case !crossAccount && direct:
		return Allowed, LayerResource
	case crossAccount && identity && !direct && !role && !account:
		return ImplicitDeny, LayerResource
	case !crossAccount && role:
		identity, granted = true, LayerResource
	case !crossAccount && d.resourceMustAllow() && !account:
		return ImplicitDeny, LayerResource
	}

	// 5. Identity policies, 6. the boundary, 7. the session policy.
	switch {
	case !identity:
		return ImplicitDeny, LayerIdentity
	case !boundary:
		return ImplicitDeny, LayerBoundary
	case !session:
		return ImplicitDeny, LayerSession
	}
	return Allowed, granted
}

// crossAccount reports whether the resource belongs to another account, whose policy
// must allow. An audit that did not read that policy presumes that it does.
func (d *decider) crossAccount() bool {
	if d.auditing && d.stack.Resource == nil {
		return false
	}
	account := d.env.request.resourceAccount()
	return account != "" && account != d.env.request.Principal.Account
}

// resourceMustAllow reports whether the resource policy must allow even inside the
// account: a KMS key's and a role's trust policy (AWS:
// reference_policies_evaluation-logic_policy-eval-denyallow).
func (d *decider) resourceMustAllow() bool {
	return d.stack.Resource != nil &&
		(d.service == "kms" || d.service == "sts" && strings.HasPrefix(d.name, "assumerole"))
}

// resourceAccount is the account that owns the resource, "" if the request does not tell.
func (r *Request) resourceAccount() string {
	if r.ResourceAccount != "" {
		return r.ResourceAccount
	}
	if parts := strings.SplitN(r.Resource, ":", arnParts); len(parts) == arnParts && isAccountID(parts[4]) {
		return parts[4]
	}
	return ""
}
