package analyze

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// GivenPolicy is a policy of the organization that the caller has: an account cannot
// read those that are above it.
type GivenPolicy struct {
	layer    policy.Layer
	level    int
	name     string
	sum      string
	document *policy.Document
}

// The most characters of a policy of the organization (AWS: orgs_reference_limits).
const (
	quotaSCP = 10240
	quotaRCP = 5120
)

// ParseSCP reads a service control policy of a level, 0 being the organization's root.
// It errs on text that Organizations would not have taken: no policy document, one over
// the quota, or one with an element that these policies lack (AWS:
// orgs_manage_policies_scps_syntax).
func ParseSCP(level int, name string, text []byte) (GivenPolicy, error) {
	g, err := parseGiven(policy.LayerSCP, name, text, quotaSCP)
	if err != nil {
		return g, err
	}
	g.level = level
	for _, st := range g.document.Statements() {
		if st.Principals != nil {
			return g, fmt.Errorf("statement %d has a Principal, which a service control policy never has: is it a resource policy?", st.Index+1)
		}
	}
	return g, nil
}

// ParseRCP reads a resource control policy, likewise (AWS: orgs_manage_policies_rcps_syntax).
func ParseRCP(name string, text []byte) (GivenPolicy, error) {
	g, err := parseGiven(policy.LayerRCP, name, text, quotaRCP)
	if err != nil {
		return g, err
	}
	for _, st := range g.document.Statements() {
		if st.Principals == nil || st.NotPrincipal {
			return g, fmt.Errorf("statement %d has no Principal, which a resource control policy always has: is it a service control policy?", st.Index+1)
		}
	}
	return g, nil
}

func parseGiven(layer policy.Layer, name string, text []byte, quota int) (GivenPolicy, error) {
	sum := sha256.Sum256(text)
	g := GivenPolicy{layer: layer, name: name, sum: hex.EncodeToString(sum[:])}
	d, err := policy.Parse(text)
	switch {
	case err != nil:
		return g, fmt.Errorf("no policy document: %w", err)
	case len(d.Statements()) == 0:
		return g, fmt.Errorf("a policy document without a statement")
	case d.Size() > quota:
		return g, fmt.Errorf("%d characters, and %s has %d at most", d.Size(), article(layerNames[string(layer)]), quota)
	}
	g.document = d
	return g, nil
}

func article(s string) string {
	return "a " + strings.TrimPrefix(strings.TrimPrefix(s, "a "), "the ")
}

// give puts the organization's policies above every role.
func (l *library) give(given []GivenPolicy) {
	for _, g := range given {
		p := policy.Policy{Layer: g.layer, Kind: string(g.layer), Name: g.name, Document: g.document}
		if g.layer == policy.LayerRCP {
			if l.rcps == nil {
				l.rcps = [][]policy.Policy{nil}
			}
			l.rcps[0] = append(l.rcps[0], p)
			continue
		}
		for len(l.scps) <= g.level {
			l.scps = append(l.scps, nil)
		}
		l.scps[g.level] = append(l.scps[g.level], p)
	}
}

func givenPolicies(given []GivenPolicy) []report.GivenPolicy {
	out := []report.GivenPolicy{}
	for _, g := range given {
		out = append(out, report.GivenPolicy{Layer: string(g.layer), Level: g.level, Name: g.name, SHA256: g.sum})
	}
	return out
}

// readOrNot says whether a layer was read.
func readOrNot(read bool) string {
	if read {
		return layerRead
	}
	return layerNotRead
}

// readResources parses the policies of buckets and keys. One that does not parse was
// not read.
func (l *library) readResources(s *snapshot.Snapshot) {
	l.resources = map[string]*policy.Policy{}
	for i := range s.Resources {
		r := &s.Resources[i]
		if r.Document == "" {
			l.resources[r.ARN] = nil
			continue
		}
		d, err := policy.Parse([]byte(r.Document))
		if err != nil {
			l.gaps = append(l.gaps, snapshot.Gap{Source: "analyze:policy", Scope: r.ARN, Impact: snapshot.ImpactDetail,
				Reason: snapshot.ReasonBroken, Detail: fmt.Sprintf("%s does not parse: %v", policyOf(r.ARN), err)})
			continue
		}
		l.resources[r.ARN] = &policy.Policy{Layer: policy.LayerResource, Kind: "resource", Name: r.ARN, ARN: r.ARN, Document: d}
	}
}

// policyOf names the policy of a bucket or key.
func policyOf(arn string) string {
	if strings.Contains(arn, ":kms:") {
		return "the key policy of " + nameOf(arn)
	}
	return "the bucket policy of " + arn[strings.LastIndexByte(arn, ':')+1:]
}

// policyHolder is the ARN of the one bucket or key whose policy bears on an action on a
// resource, "" where there is none or where the pattern leaves open which. Only for S3
// and KMS are these policies read.
func policyHolder(action, resource string) string {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != serviceOf(action) || strings.ContainsAny(strings.Join(parts[:5], ""), "*?$") {
		return ""
	}
	switch name := parts[5]; {
	case parts[2] == "s3" && parts[3] == "" && parts[4] == "":
		bucket, _, _ := strings.Cut(name, "/")
		if bucket != "" && !strings.ContainsAny(bucket, "*?$") {
			return strings.Join(parts[:5], ":") + ":" + bucket
		}
	case parts[2] == "kms" && strings.HasPrefix(name, "key/") && !strings.ContainsAny(name, "*?$"):
		return resource
	}
	return ""
}

// access is what the stack says of a cell, with the policy of the cell's own resource in it.
type access struct {
	policy.Access
	stack *policy.Stack // nil for a role that is gone or was not read
	known policy.Context
	// holder is the bucket or key whose policy bears on the cell, "" for none;
	// holderRead: that policy was read, and may be none.
	holder     string
	holderRead bool
	// identityPartial is Partial without the policy of the resource.
	identityPartial bool
}

// elsewhere reports whether another policy than the role's own grants the cell.
func (x *access) elsewhere() bool {
	return x.Identity == policy.No && x.Effective != policy.No && x.Layer == policy.LayerResource
}

// ownDeny reports whether a Deny of the role's own policies or boundary speaks of the
// cell. Those of other layers bind today's policies and proposed ones alike.
func (x *access) ownDeny() bool {
	return slices.ContainsFunc(x.Denies, func(m policy.Match) bool {
		return m.Layer == policy.LayerIdentity || m.Layer == policy.LayerBoundary
	})
}

// byResource reports whether identity policies grant the cell and the resource's own
// policy refuses it.
func (x *access) byResource() bool {
	return x.Identity != policy.No && x.Effective == policy.No && x.Layer == policy.LayerResource
}

// accessTo asks the stack, which has an answer for every role that was read.
func (a *audit) accessTo(j *judgement, action, resource string) access {
	if j.grant == nil {
		return access{}
	}
	return a.accessIn(j.grant, action, resource, j.grant.known)
}

// accessIn asks about one cell: within the policy of its bucket or key, where that was
// read, in the region that its ARN names, and under the organization's resource control
// policies only where the resource is the account's own (AWS: orgs_manage_policies_rcps).
func (a *audit) accessIn(g *grant, action, resource string, known policy.Context) access {
	stack := *g.stack
	if owner := accountOf(resource); owner != "" && owner != g.principal.Account {
		stack.RCPs = nil
	}
	x := access{stack: &stack, known: inRegion(known, resource), holder: policyHolder(action, resource)}
	x.Access = stack.Access(g.principal, action, resource, x.known)
	x.identityPartial = x.Partial
	p, read := a.library.resources[x.holder]
	x.holderRead = read
	if p != nil {
		stack.Resource = p
		x.Access = stack.Access(g.principal, action, resource, x.known)
	}
	return x
}

// inRegion adds the region of a resource: its service is called there (AWS:
// reference_policies_condition-keys, aws:RequestedRegion; reference-arns).
func inRegion(known policy.Context, resource string) policy.Context {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) != 6 || parts[3] == "" || strings.ContainsAny(parts[3], "*?$") {
		return known
	}
	return policy.OpenContext(map[string][]string{"aws:RequestedRegion": {parts[3]}}).Merge(known)
}

// everything is an identity policy that grants all: what a layer alone refuses is seen
// beneath it.
var everything = func() []policy.Policy {
	d, err := policy.Build(policy.Spec{Effect: policy.Allow, Actions: []string{"*"}, Resources: []string{"*"}})
	if err != nil {
		panic("analyze: " + err.Error())
	}
	return []policy.Policy{{Layer: policy.LayerIdentity, Document: d}}
}()

// layersOf asks each layer of a cell by itself.
func (a *audit) layersOf(j *judgement, x *access, action, resource string) report.CellLayers {
	out := report.CellLayers{Identity: layerNotRead, Boundary: layerNotRead, SCP: layerNotRead, RCP: layerNotRead, Resource: layerNotRead}
	if x.stack == nil {
		return out
	}
	ask := func(s policy.Stack) policy.Access { return s.Access(j.grant.principal, action, resource, x.known) }
	if out.Identity = x.Identity.String(); x.Identity == policy.No && j.grant.unknown != "" {
		out.Identity = layerNotRead
	}
	switch {
	case x.stack.Boundary != nil:
		out.Boundary = ask(policy.Stack{Identity: x.stack.Boundary}).Identity.String()
	case j.grant.layers.Boundary == layerNone:
		out.Boundary = layerNone
	}
	if x.stack.SCPs != nil {
		state := policy.Yes
		for _, level := range x.stack.SCPs {
			state = min(state, ask(policy.Stack{Identity: level}).Identity)
		}
		out.SCP = state.String()
	}
	switch {
	case x.stack.RCPs != nil:
		out.RCP = ask(policy.Stack{Identity: everything, RCPs: x.stack.RCPs}).Effective.String()
	case j.grant.stack.RCPs != nil:
		out.RCP = layerNone // of another account's organization
	}
	switch {
	case x.holderRead && x.stack.Resource == nil, resource == "*" && a.resourceless(action):
		out.Resource = layerNone
	case x.holderRead:
		out.Resource = a.resourceState(ask, x.stack.Resource)
	}
	return out
}

// resourceState is what a resource's own policy says by itself.
func (a *audit) resourceState(ask func(policy.Stack) policy.Access, p *policy.Policy) string {
	beneath := ask(policy.Stack{Identity: everything, Resource: p})
	if beneath.Effective == policy.No {
		return policy.No.String()
	}
	alone := ask(policy.Stack{Resource: p})
	switch {
	case beneath.Effective == policy.Conditional, alone.Effective == policy.Conditional:
		return policy.Conditional.String()
	case alone.Effective == policy.Yes, strings.Contains(p.ARN, ":kms:"):
		return policy.Yes.String()
	}
	return layerNone
}

func (a *audit) resourceless(action string) bool {
	i, known := a.library.catalog.Index(action)
	return known && a.library.catalog.Resourceless(i)
}

// cellLayers are the layers of a cell; of the rest, the best of its patterns.
func (a *audit) cellLayers(j *judgement, c *cell) report.CellLayers {
	if !c.isRest() {
		return a.layersOf(j, &c.access, c.action, orEvery(c.resource))
	}
	var out report.CellLayers
	for k, pattern := range c.rest[:min(len(c.rest), report.MaxResources)] {
		pattern = orEvery(pattern)
		x := a.accessTo(j, c.action, pattern)
		one := a.layersOf(j, &x, c.action, pattern)
		if k == 0 {
			out = one
		}
		for _, pair := range [][2]*string{{&out.Identity, &one.Identity}, {&out.Boundary, &one.Boundary}, {&out.SCP, &one.SCP}, {&out.RCP, &one.RCP}} {
			if slices.Index(stateOrder, *pair[1]) > slices.Index(stateOrder, *pair[0]) {
				*pair[0] = *pair[1]
			}
		}
	}
	out.Resource = layerNotRead
	if a.resourceless(c.action) {
		out.Resource = layerNone
	}
	return out
}

var stateOrder = []string{layerNone, layerNotRead, policy.No.String(), policy.Conditional.String(), policy.Yes.String()}

// orEvery asks about every resource where none is named, or all but some.
func orEvery(resource string) string {
	if resource == "" || strings.HasPrefix(resource, allBut) {
		return "*"
	}
	return resource
}

// resourceLayer says whether the policies of the buckets and keys that the role's cells
// name were read.
func resourceLayer(j *judgement) string {
	read, all := 0, 0
	for _, list := range j.cells {
		for _, c := range list {
			if c.access.holder == "" {
				continue
			}
			if all++; c.access.holderRead {
				read++
			}
		}
	}
	switch {
	case read == 0:
		return layerNotRead
	case read < all:
		return layerPartly
	}
	return layerRead
}

// statementWords points at a statement of a policy: as "statement 2 (NoDelete)".
func statementWords(st *policy.Statement) string {
	if st.Sid == "" {
		return fmt.Sprintf("statement %d", st.Index+1)
	}
	return fmt.Sprintf("statement %d (%s)", st.Index+1, st.Sid)
}

// refuser names what refuses a cell that identity policies grant.
func (a *audit) refuser(j *judgement, c *cell) string {
	x := &c.access
	layer := x.Layer
	if layer != policy.LayerSCP && layer != policy.LayerRCP && layer != policy.LayerResource {
		return layerWords(string(layer))
	}
	for _, m := range x.Denies {
		if m.Layer == layer && m.Truth == policy.True && !m.Partial {
			return policyWords(m) + ", " + statementWords(m.Statement)
		}
	}
	switch layer {
	case policy.LayerSCP:
		if k := a.refusingLevel(j, x, c.action, orEvery(c.resource)); k >= 0 {
			return "the service control policies of " + levelWords(j.grant.stack.SCPs, k) + ", none of which allows it"
		}
	case policy.LayerResource:
		if x.stack.Resource != nil {
			// A grant on the key allows beside its policy (AWS: kms grants).
			return policyOf(x.holder) + ", which lets in neither the role nor its account (grants on the key were not read)"
		}
	}
	return layerWords(string(layer))
}

// refusingLevel is the first level of service control policies that does not allow, -1
// for none.
func (a *audit) refusingLevel(j *judgement, x *access, action, resource string) int {
	return slices.IndexFunc(x.stack.SCPs, func(level []policy.Policy) bool {
		s := policy.Stack{Identity: level}
		return s.Access(j.grant.principal, action, resource, x.known).Identity == policy.No
	})
}

// levelWords name a level of service control policies by its files.
func levelWords(levels [][]policy.Policy, k int) string {
	var names []string
	for _, p := range levels[k] {
		names = append(names, p.Name)
	}
	return fmt.Sprintf("level %d (%s)", k, strings.Join(names, ", "))
}

// policyWords names the policy of a statement.
func policyWords(m policy.Match) string {
	switch m.Layer {
	case policy.LayerSCP:
		return "service control policy " + m.Policy.Name
	case policy.LayerRCP:
		return "resource control policy " + m.Policy.Name
	case policy.LayerResource:
		return policyOf(m.Policy.ARN)
	}
	return m.Policy.Name
}

// granterElsewhere says by which statement the resource's own policy grants a cell that
// the role's do not.
func granterElsewhere(x *access) string {
	for _, m := range x.Allows {
		if m.Layer != policy.LayerResource {
			continue
		}
		s := policyWords(m) + " allows it (" + statementWords(m.Statement) + ")"
		if x.Effective == policy.Conditional {
			if keys := keysOf(m.Statement); keys != "" {
				return s + ", under a condition on " + keys
			}
			return s + ", as far as can be told offline"
		}
		return s
	}
	return "another policy than the role's allows it"
}

func keysOf(st *policy.Statement) string {
	keys := map[string]struct{}{}
	for _, c := range st.Conditions {
		keys[c.Key] = struct{}{}
	}
	return strings.Join(sorted(keys), ", ")
}

// beyondIdentity says that a cell of the account's own, which identity policies grant
// outright, depends on what another layer's condition says.
func beyondIdentity(x *access) string {
	if x.Identity != policy.Yes || x.Effective != policy.Conditional {
		return ""
	}
	names := map[string]struct{}{}
	for _, m := range x.Denies {
		if m.Layer != policy.LayerIdentity && m.Truth == policy.Unknown {
			names[policyOrLayer(m)+under(m.Statement)] = struct{}{}
		}
	}
	if len(names) == 0 {
		return "another layer allows it only under a condition"
	}
	return "may be refused by " + strings.Join(sorted(names), " and ")
}

func policyOrLayer(m policy.Match) string {
	if m.Layer == policy.LayerBoundary {
		return layerWords(string(m.Layer))
	}
	return policyWords(m)
}

// notReadNote says of refusals on record that AWS's message is all that is known of the
// layer, or that what was read of it does not bear the message out.
func notReadNote(j *judgement, c *cell) string {
	layers := c.denied.layers()
	if slices.Contains(layers, "boundary") {
		return ""
	}
	read := c.access.stack != nil
	for _, l := range layers {
		switch l {
		case "scp":
			read = read && j.grant.layers.SCP == layerRead
		case "rcp":
			read = read && j.grant.layers.RCP == layerRead
		case "resource":
			read = read && c.access.holderRead
		default:
			read = false
		}
	}
	switch {
	case !read || len(layers) == 0:
		return ", as AWS's message says: that layer was not read"
	case c.access.Effective == policy.Conditional:
		return ", as AWS's message says: what was read of that layer refuses it under a condition"
	}
	return ", as AWS's message says: what was read of that layer does not refuse it"
}
