package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The words of [report.Layers].
const (
	layerRead    = "read"
	layerNotRead = "notRead"
	layerNone    = "none"
	layerPartly  = "partly"
)

// allBut begins the text of a NotResource element as a pattern.
const allBut = "all but "

// library holds the snapshot's managed policies, parsed once and shared by the
// roles that attach them.
type library struct {
	catalog  *actions.Catalog
	expander *policy.Expander
	managed  map[string]*managedPolicy
	// scps and rcps were given; resources are the policies of buckets and keys that
	// were read, nil for none, by ARN.
	scps, rcps [][]policy.Policy
	resources  map[string]*policy.Policy
	gaps       []snapshot.Gap
}

// catalogExpander is the one of the catalogue.
var catalogExpander = sync.OnceValue(func() *policy.Expander { return policy.NewExpander(actions.Load()) })

type managedPolicy struct {
	*snapshot.ManagedPolicy
	document *policy.Document
	err      error
	personal bool // see isPersonal
}

func newLibrary(s *snapshot.Snapshot) *library {
	c := actions.Load()
	l := &library{catalog: c, expander: catalogExpander(), managed: map[string]*managedPolicy{}}
	for i := range len(s.Policies) + len(s.OtherPolicies) {
		p := managedAt(s, i)
		d, err := policy.Parse([]byte(p.Document))
		l.managed[p.ARN] = &managedPolicy{p, d, err, isPersonal(p.Document)}
	}
	l.readResources(s)
	return l
}

// managedAt counts through the managed policies, those of other roles last.
func managedAt(s *snapshot.Snapshot, i int) *snapshot.ManagedPolicy {
	if i < len(s.Policies) {
		return &s.Policies[i]
	}
	return &s.OtherPolicies[i-len(s.Policies)]
}

// grant is what today's policies give a role.
type grant struct {
	stack     *policy.Stack
	principal policy.Principal
	known     policy.Context
	set       *policy.Grant
	layers    report.Layers
	refs      []report.PolicyRef
	trust     *policy.Document
	// unknown is why the grant is not known, empty when it is: a policy that
	// could not be read or parsed. Then nothing of the role is unused.
	unknown string
	gaps    []snapshot.Gap
}

// grantOf parses a role's policies and expands them over the catalogue.
func (l *library) grantOf(s *snapshot.Snapshot, r *snapshot.Role) *grant {
	g := l.policiesOf(s, r)
	g.set = l.expander.Expand(g.stack, g.known)
	return g
}

// policiesOf parses a role's policies.
func (l *library) policiesOf(s *snapshot.Snapshot, r *snapshot.Role) *grant {
	g := &grant{
		stack:     &policy.Stack{SCPs: l.scps, RCPs: l.rcps},
		principal: policy.Principal{ARN: r.ARN, Account: s.Account.ID},
		layers:    report.Layers{Identity: layerRead, Boundary: layerNone, SCP: readOrNot(l.scps != nil), RCP: readOrNot(l.rcps != nil), Resource: layerNotRead},
	}
	for _, what := range r.Unread {
		switch what {
		case "boundary":
			g.layers.Boundary = layerNotRead
		case "inline", "attached":
			g.layers.Identity = layerNotRead
			g.unknown = "its " + what + " policies could not be read"
		}
	}
	broken := func(name string, err error) {
		g.layers.Identity = layerNotRead
		g.unknown = "policy " + name + " could not be read"
		if err != nil {
			g.gaps = append(g.gaps, snapshot.Gap{Source: "analyze:policy", Scope: r.ARN, Impact: snapshot.ImpactRoles,
				Reason: snapshot.ReasonBroken, Detail: fmt.Sprintf("policy %s does not parse: %v", name, err)})
		}
	}
	for _, p := range r.Inline {
		g.refs = append(g.refs, report.PolicyRef{Kind: "inline", Name: p.Name})
		d, err := policy.Parse([]byte(p.Document))
		if err != nil {
			broken(p.Name, err)
			continue
		}
		g.stack.Identity = append(g.stack.Identity, policy.Policy{Layer: policy.LayerIdentity, Kind: "inline", Name: p.Name, Document: d})
	}
	for _, a := range r.Attached {
		p := l.managed[a.ARN]
		if p == nil {
			g.refs = append(g.refs, report.PolicyRef{Kind: "managed", Name: a.Name, ARN: a.ARN})
			broken(a.ARN, nil)
			continue
		}
		g.refs = append(g.refs, report.PolicyRef{Kind: "managed", Name: a.Name, ARN: a.ARN, Version: p.Version})
		if p.err != nil {
			broken(a.ARN, p.err)
			continue
		}
		g.stack.Identity = append(g.stack.Identity, policy.Policy{Layer: policy.LayerIdentity, Kind: "managed",
			Name: a.Name, ARN: a.ARN, Version: p.Version, Document: p.document})
	}
	if r.Boundary != "" {
		ref := report.PolicyRef{Kind: "boundary", Name: r.Boundary, ARN: r.Boundary}
		switch p := l.managed[r.Boundary]; {
		case p == nil:
			g.layers.Boundary = layerNotRead
		case p.err != nil:
			g.layers.Boundary = layerNotRead
			g.gaps = append(g.gaps, snapshot.Gap{Source: "analyze:policy", Scope: r.ARN, Impact: snapshot.ImpactRoles,
				Reason: snapshot.ReasonBroken, Detail: fmt.Sprintf("boundary %s does not parse: %v", r.Boundary, p.err)})
		default:
			g.layers.Boundary = layerRead
			ref.Name, ref.Version = p.Name, p.Version
			g.stack.Boundary = []policy.Policy{{Layer: policy.LayerBoundary, Kind: "boundary", Name: p.Name, ARN: p.ARN,
				Version: p.Version, Document: p.document}}
		}
		g.refs = append(g.refs, ref)
	}
	slices.SortFunc(g.refs, func(a, b report.PolicyRef) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ARN, b.ARN), cmp.Compare(a.Name, b.Name))
	})
	if d, err := policy.Parse([]byte(r.Trust)); err == nil {
		g.trust = d
	} else {
		g.gaps = append(g.gaps, snapshot.Gap{Source: "analyze:policy", Scope: r.ARN, Impact: snapshot.ImpactRoles,
			Reason: snapshot.ReasonBroken, Detail: fmt.Sprintf("trust policy does not parse: %v", err)})
	}
	tags := map[string]string{}
	for _, t := range r.Tags {
		tags[t.Key] = t.Value
	}
	g.known = policy.Offline(policy.Facts{Principal: g.principal, Tags: tags, SessionTags: letsTagSession(g.trust) || slices.Contains(r.Unread, "tags")})
	return g
}

// grantedPattern is resources that an action is granted on.
type grantedPattern struct {
	// text is an IAM pattern, or with not "all but" those that are left out.
	text        string
	not         bool
	conditional bool
}

// patterns are the resources that identity policies grant action i on, sorted, each
// NotResource element as one.
func (g *grant) patterns(i int) []grantedPattern {
	set := map[grantedPattern]struct{}{}
	for _, p := range g.set.Patterns(i) {
		out := grantedPattern{text: p.Pattern, not: p.Not, conditional: p.Conditional}
		if p.Not {
			out.text = allBut + strings.Join(p.Statement.Resources, ", ")
		}
		set[out] = struct{}{}
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b grantedPattern) int {
		return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(fmt.Sprint(a.conditional), fmt.Sprint(b.conditional)))
	})
}

// concerns reports whether a granted pattern can match a resource of the action at
// all: a statement on a bucket and its objects names the bucket for s3:GetObject as
// well, which matches nothing. It answers for S3's buckets and objects, whose ARNs
// alone have no region, and whose names tell them apart (AWS: bucketnamingrules, no
// slash in a bucket's name).
func (l *library) concerns(i int, pattern string) bool {
	parts := strings.SplitN(pattern, ":", 6)
	if l.catalog.Service(i) != "s3" || len(parts) != 6 || parts[3] != "" {
		return true
	}
	known, fits := false, false
	for _, t := range l.catalog.ResourceTypes(i) {
		switch slash := strings.Contains(parts[5], "/"); t.Name {
		case "bucket":
			known, fits = true, fits || !slash
		case "object":
			known, fits = true, fits || slash || strings.ContainsAny(parts[5], "*$")
		}
	}
	return fits || !known
}
