package analyze

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/declared"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// Deviations compares the live roles of a snapshot with what is declared of them, and
// adds what deviates to drift, which may be nil: then a drift without a baseline is
// returned. Differences are of meaning. What the declaration or the snapshot does not
// tell is an Uncompared, and no deviation.
func Deviations(s *snapshot.Snapshot, d *declared.Account, drift *report.Drift) *report.Drift {
	if drift == nil {
		drift = &report.Drift{Current: evidenced(s), Changes: []report.Change{}, Tool: []report.ToolChange{}, Unknown: []report.Uncompared{}}
	}
	v := &deviator{snapshot: s, declared: d, judge: newGrantJudge(), policies: map[string]*snapshot.ManagedPolicy{}, others: map[string]bool{}}
	for i := range s.Policies {
		v.policies[s.Policies[i].ARN] = &s.Policies[i]
	}
	for _, k := range s.OtherRoles {
		v.others[nameOf(k.ARN)] = true
	}
	live := map[string]bool{}
	for i := range s.Roles {
		live[s.Roles[i].Name] = true
		v.role(&s.Roles[i])
	}
	for i := range d.Roles {
		if r := &d.Roles[i]; !live[r.Name] {
			v.notLive(r)
		}
	}
	slices.SortFunc(v.found, func(x, y report.Deviation) int {
		return cmp.Or(cmp.Compare(x.Effect.Rank(), y.Effect.Rank()), cmp.Compare(x.Severity.Rank(), y.Severity.Rank()), cmp.Compare(x.Role, y.Role),
			cmp.Compare(slices.Index(report.DeviationKinds, x.Kind), slices.Index(report.DeviationKinds, y.Kind)), cmp.Compare(x.Subject, y.Subject), cmp.Compare(x.ID, y.ID))
	})
	drift.Deviations, drift.DeviationsTotal = capped(v.found, report.MaxChanges)
	slices.SortFunc(v.unknown, func(x, y report.Uncompared) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.What, y.What), cmp.Compare(x.Why, y.Why))
	})
	v.unknown = slices.CompactFunc(v.unknown, func(x, y report.Uncompared) bool { return x.Role == y.Role && x.What == y.What && x.Why == y.Why })
	drift.UnknownTotal += len(v.unknown)
	drift.Unknown, _ = capped(append(drift.Unknown, v.unknown...), report.MaxChanges)
	return drift
}

// deviator compares one account with what is declared of it.
type deviator struct {
	snapshot *snapshot.Snapshot
	declared *declared.Account
	judge    *grantJudge
	policies map[string]*snapshot.ManagedPolicy
	// others are the names of the live roles that are in no scope.
	others  map[string]bool
	found   []report.Deviation
	unknown []report.Uncompared
}

// add completes a deviation of a role and takes it in.
func (v *deviator) add(x report.Deviation, j judgedGrant, where string) {
	x.Source, x.File = v.declared.Source, v.declared.Name
	if v.declared.Source == declared.SourceFolder && where != "" {
		x.File = where
	} else if where != "" {
		x.Detail = "Declared by " + where + "."
	}
	x.Effect, x.EffectWhy, x.Newly = j.effect, j.why, wholeNewly(j.newly)
	sum := sha256.Sum256([]byte(strings.Join([]string{x.Kind, x.Role, x.Subject}, "\x00")))
	x.ID = hex.EncodeToString(sum[:8])
	x.Severity = severityOf(&report.Change{Effect: x.Effect, Newly: x.Newly})
	v.found = append(v.found, x)
}

// open takes in what cannot be compared.
func (v *deviator) open(r *snapshot.Role, side, what, why string) {
	u := report.Uncompared{What: what, Kinds: []report.ChangeKind{}, Impact: string(snapshot.ImpactRoles), Side: side, Why: why}
	if r != nil {
		u.Role, u.RoleID = r.ARN, r.ID
	}
	v.unknown = append(v.unknown, u)
}

// role compares a live role with its declaration.
func (v *deviator) role(r *snapshot.Role) {
	d := v.declared.Role(r.Name)
	if d == nil {
		v.undeclared(r)
		return
	}
	if d.ARN != "" && d.ARN != r.ARN {
		v.add(report.Deviation{Role: r.ARN, RoleID: r.ID, Kind: report.DeviationPath, Subject: r.Name, Declared: d.ARN, Live: r.ARN,
			Title: fmt.Sprintf("Role %s is live under another path than declared", r.Name)},
			judgedGrant{effect: report.UnknownEffect, why: "what names the role by its ARN may mean the other"}, d.Where)
	}
	v.trust(r, d)
	limit := v.boundary(r, d)
	v.grants(r, d, limit)
}

func (v *deviator) undeclared(r *snapshot.Role) {
	if len(v.declared.Partial) > 0 {
		v.open(r, report.SideDeclared, "whether the role is declared", strings.Join(v.declared.Partial, "; "))
		return
	}
	full := v.liveGrant(r)
	v.add(report.Deviation{Role: r.ARN, RoleID: r.ID, Kind: report.DeviationUndeclared, Subject: r.Name,
		Live:  fmt.Sprintf("%s, %s", countWords(len(r.Inline), "inline policy", "inline policies"), countWords(len(r.Attached), "managed policy", "managed policies")),
		Title: fmt.Sprintf("Role %s is live and not declared", r.Name)},
		v.judge.judge(grantSide{absent: true}, full, v.context(r)), "")
}

// notLive tells of a declared role that the snapshot does not have. It is the business
// of this audit where SageMaker is to assume it, or where nothing says who is.
func (v *deviator) notLive(d *declared.Role) {
	arn := cmp.Or(d.ARN, fmt.Sprintf("arn:%s:iam::%s:role/%s", cmp.Or(v.snapshot.Account.Partition, "aws"), v.snapshot.Account.ID, d.Name))
	if !selected(v.snapshot, arn) {
		return
	}
	trusts := ""
	switch {
	case !d.TrustStated && v.declared.Source != declared.SourceFolder:
		return // some other role, to which this file attaches something
	case d.Trust.State == declared.Unknown:
		trusts = "may"
	case d.Trust.State == declared.Known:
		t, err := policy.Parse([]byte(d.Trust.Value))
		if err == nil && !readTrust(t).AllowsSageMaker {
			return
		}
		trusts = "is to"
	}
	what := fmt.Sprintf("role %s, which is declared by %s", d.Name, d.Where)
	beside := v.others[d.Name]
	switch {
	case beside && trusts == "is to":
		v.add(report.Deviation{Role: arn, Kind: report.DeviationTrust, Subject: "trust policy", Declared: trustWords(d.Trust.Value), Live: "does not trust SageMaker",
			Title: fmt.Sprintf("SageMaker is to assume role %s, and its live trust policy does not let it", d.Name)},
			judgedGrant{effect: report.UnknownEffect, why: "the live role is in no scope of this audit, so its policies were not read"}, d.Where)
	case beside:
		v.open(nil, report.SideCurrent, what, "the live role is in no scope of this audit: SageMaker may not assume it")
	case v.snapshot.OtherRoles == nil || unread(v.snapshot, arn):
		v.open(nil, report.SideCurrent, what, "not all roles of the account were listed")
	case trusts == "may":
		v.open(nil, report.SideDeclared, what, "it is not live, and whether SageMaker is to assume it is not known: "+d.Trust.Why)
	default:
		v.add(report.Deviation{Role: arn, Kind: report.DeviationMissing, Subject: d.Name, Declared: countWords(len(d.Policies), "policy", "policies"),
			Title: fmt.Sprintf("Role %s is declared and not live", d.Name)}, judgedGrant{effect: report.Narrows, why: "there is no such role"}, d.Where)
	}
}

// context is what is known of the role's requests.
func (v *deviator) context(r *snapshot.Role) roleContext {
	k := roleContext{principal: policy.Principal{ARN: r.ARN, Account: v.snapshot.Account.ID}, tags: map[string]string{}, sessionTags: unreadOf(r, "tags")}
	for _, t := range r.Tags {
		k.tags[t.Key] = t.Value
	}
	k.sessionTags = k.sessionTags || letsTagSession(v.judge.held(r.Trust, "trust", "", "", "").document)
	return k
}

func (v *deviator) managed(arn string) *heldPolicy {
	if p := v.policies[arn]; p != nil {
		return v.judge.held(p.Document, "managed", p.Name, p.ARN, p.Version)
	}
	return &heldPolicy{kind: "managed", name: nameOf(arn), arn: arn}
}

// liveGrant is all that the live policies give the role.
func (v *deviator) liveGrant(r *snapshot.Role) grantSide {
	g := v.liveIdentity(r)
	if r.Boundary != "" {
		g.limit(v.managed(r.Boundary))
	}
	if unreadOf(r, "boundary") {
		g.unsure(unreadWords("boundary") + " could not be read")
	}
	return g
}

// liveIdentity is the same less the boundary.
func (v *deviator) liveIdentity(r *snapshot.Role) grantSide {
	g := grantSide{}
	for _, p := range r.Inline {
		g.add(v.judge.held(p.Document, "inline", p.Name, "", ""))
	}
	for _, a := range r.Attached {
		g.add(v.managed(a.ARN))
	}
	for _, what := range []string{"inline", "attached"} {
		if unreadOf(r, what) {
			g.unsure(unreadWords(what) + " could not be read")
		}
	}
	return g
}

func (v *deviator) trust(r *snapshot.Role, d *declared.Role) {
	switch {
	case !d.TrustStated:
		return
	case d.Trust.State == declared.Unknown:
		v.open(r, report.SideDeclared, "the trust policy", d.Trust.Why)
		return
	}
	// What only guards the JSON's order or layout is the same by the judge.
	j := (&comparison{judge: v.judge}).judgeTrust(d.Trust.Value, r.Trust)
	if j.effect == report.NoEffect {
		return
	}
	x := report.Deviation{Role: r.ARN, RoleID: r.ID, Kind: report.DeviationTrust, Subject: "trust policy", Declared: trustWords(d.Trust.Value), Live: trustWords(r.Trust),
		Title: fmt.Sprintf("The trust policy of role %s is not the declared one", r.Name)}
	if d.Trust.Sensitive {
		x.Declared, j = hidden, hide(j)
	}
	v.add(x, j, d.Where)
}

const hidden = "sensitive"

// hide leaves out of a judgement what it tells of a sensitive document: all but what is
// live and goes beyond it.
func hide(j judgedGrant) judgedGrant {
	if j.effect != report.Widens {
		j.why = "not shown: what is declared is marked as sensitive"
	}
	return j
}

// boundary compares the permissions boundaries. It returns the one that both sides have,
// nil where they differ or there is none.
func (v *deviator) boundary(r *snapshot.Role, d *declared.Role) *heldPolicy {
	switch {
	case !d.BoundaryStated:
		if r.Boundary == "" || unreadOf(r, "boundary") {
			return nil
		}
		return v.readable(r.Boundary)
	case unreadOf(r, "boundary"):
		v.open(r, report.SideCurrent, "the permissions boundary", "it could not be read")
		return nil
	case d.Boundary.State == declared.Unknown:
		v.open(r, report.SideDeclared, "the permissions boundary", d.Boundary.Why)
		return nil
	}
	var before, after *heldPolicy
	document := d.BoundaryDocument
	if d.Boundary.State == declared.Known {
		before = v.managed(d.Boundary.Value)
		document = v.declared.Managed[d.Boundary.Value].Document
	}
	switch document.State {
	case declared.Known:
		before = v.judge.held(document.Value, "declared", cmp.Or(nameOf(d.Boundary.Value), "boundary.json"), d.Boundary.Value, "as declared")
	case declared.Unknown:
		v.open(r, report.SideDeclared, "the content of the permissions boundary "+nameOf(d.Boundary.Value), document.Why)
		if d.Boundary.Value == r.Boundary {
			return nil
		}
		before = &heldPolicy{kind: "declared", name: nameOf(d.Boundary.Value), arn: d.Boundary.Value}
	}
	if r.Boundary != "" {
		after = v.managed(r.Boundary)
	}
	byARN := d.Boundary.State == declared.Known || d.BoundaryDocument.State == declared.Absent
	switch {
	case before == nil && after == nil:
		return nil
	case before != nil && after != nil && (!byARN || d.Boundary.Value == r.Boundary):
		if document.State == declared.Absent || after.document != nil && v.judge.sameMeaning(before, after) {
			return v.readable(r.Boundary)
		}
	}
	all := grantSide{}
	for _, g := range []grantSide{v.liveIdentity(r), v.declaredIdentity(d)} {
		for _, p := range g.docs {
			all.add(p)
		}
		if g.open {
			all.unsure(g.why)
		}
	}
	was, is := all, all
	was.limit(before)
	is.limit(after)
	j := v.judge.judge(was, is, v.context(r))
	x := report.Deviation{Role: r.ARN, RoleID: r.ID, Kind: report.DeviationBoundary, Subject: "permissions boundary", Declared: cmp.Or(before.words(), "none"), Live: cmp.Or(after.words(), "none"),
		Title: fmt.Sprintf("The permissions boundary of role %s is not the declared one", r.Name)}
	if document.Sensitive {
		x.Declared, j = hidden, hide(j)
	}
	v.add(x, j, d.Where)
	return nil
}

func (v *deviator) readable(arn string) *heldPolicy {
	if arn == "" {
		return nil
	}
	if p := v.managed(arn); p.document != nil {
		return p
	}
	return nil
}
