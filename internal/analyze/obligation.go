package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// ProposalOptions say what kind of policy is proposed. The zero value proposes the
// smallest that the evidence bears.
type ProposalOptions struct {
	// ByBucket: object patterns reach as far as their bucket (--granularity bucket).
	ByBucket bool
	// Strict limits s3:ListBucket to the prefixes listed (s3:prefix), where every list
	// on record carried one.
	Strict bool
	// AddMissing proposes what jobs need and no policy grants, by documented rules and
	// never on another account's resources.
	AddMissing bool
	// KeepUnobservable keeps what nobody could observe, as it is granted today.
	KeepUnobservable bool
	// Reference gives the statements the customer's form: its Sids, and nothing beyond
	// its actions in the four areas.
	Reference bool
}

// section is a part of a proposal.
type section string

const (
	sectionCore      section = "core"        // the areas and the jobs' own use
	sectionOthers    section = "others"      // the role's other users
	sectionKept      section = "kept"        // unobservable, kept on demand
	sectionDenies    section = "kept-denies" // today's Denies
	sectionAdditions section = "additions"   // what is missing, on demand
)

// sections in the order in which they are written out.
var sections = []section{sectionCore, sectionOthers, sectionKept, sectionDenies, sectionAdditions}

// obligation is a use or a need that a proposal must go on to allow: an action on a
// generalised pattern.
type obligation struct {
	action, pattern string
	area            string
	section         section
	because         string
	// used: a call is on record; else it is only required, at strength.
	used     bool
	strength strength
	// calls are the resources of the calls on record that it stands for.
	calls []string
	// conditions are put on it beyond those of today's grant.
	conditions []policy.ConditionSpec
	// atoms are what today's policies grant of it; narrowed says that this is a part.
	atoms    []atom
	narrowed bool
}

// atom is one grant that a proposal needs: an action on a pattern, under the
// conditions that today's grant puts on it.
type atom struct {
	action, pattern string
	// not: pattern is that of a NotResource element, one a line, kept whole.
	not        bool
	area       string
	section    section
	conditions []policy.ConditionSpec
	because    string
}

// areaObserved is the area of what no job's field asks for.
const areaObserved = "observed-use"

// people and workloads other than training.
var otherUsers = []string{"processing", "transform", "notebook", "endpoint", "studio", "human"}

// obligations are what is held: used, or required by a job that did not fail, and
// granted by the identity policies. What may change permissions is a person's to keep:
// it stands under review instead.
func (a *audit) obligations(j *judgement, p *plan) []*obligation {
	var out []*obligation
	for _, c := range j.cells.sorted() {
		if c.isRest() || !c.granted() || c.verdict != report.VerdictUsed && c.verdict != report.VerdictRequired {
			continue
		}
		base := obligation{action: c.action, area: c.area, section: sectionCore, used: c.used != nil}
		switch {
		case c.need != nil:
			base.because, base.strength = c.need.why(), c.need.need.strength
		default:
			base.area, base.strength = areaObserved, strengthProven
			base.because = fmt.Sprintf("%s was used %s, last on %s", c.action, times(c.used.count()), day(c.used.last()))
			if by := c.used.by(); !slices.ContainsFunc(by, func(who string) bool { return !slices.Contains(otherUsers, who) }) {
				base.section = sectionOthers
				base.because += ", by " + strings.Join(by, ", ")
			}
			if a.sensitive(c.action) {
				p.review = append(p.review, fmt.Sprintf("%s: it can change permissions or hand on a role, so it is left out until a person says that the role needs it.", base.because))
				continue
			}
		}
		if c.used != nil {
			base.calls = sorted(c.used.resources)
		}
		for _, pattern := range a.patternsOf(j, p, c) {
			o := base
			o.pattern = pattern
			if a.proposal.ByBucket {
				o.pattern = wholeBucket(pattern)
			}
			if a.proposal.Strict && c.action == "s3:ListBucket" {
				o.conditions = a.listedPrefixes(j, c)
			}
			a.hold(j, p, &o)
			if len(o.atoms) > 0 {
				out = append(out, &o)
			}
		}
	}
	return out
}

// sensitive actions manage permissions, or are IAM's and write.
func (a *audit) sensitive(action string) bool {
	i, known := a.library.catalog.Index(action)
	return known && (a.library.catalog.IsPermissionsManagement(i) || serviceOf(action) == "iam" && !a.library.catalog.IsReadOnly(i)) ||
		!known && serviceOf(action) == "iam"
}

// patternsOf gives the resources of a cell: of a key that is named by its alias, those
// that were seen; of calls whose record names nothing, everything.
func (a *audit) patternsOf(j *judgement, p *plan, c *cell) []string {
	if c.need == nil || !c.need.need.alias {
		return []string{cmp.Or(c.resource, "*")}
	}
	keys := map[string]struct{}{}
	for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"} {
		if o := j.seen.used[action]; o != nil {
			for r := range o.resources {
				if policy.Includes(c.resource, r) {
					keys[r] = struct{}{}
				}
			}
		}
	}
	if len(keys) == 0 {
		p.unresolved = append(p.unresolved, fmt.Sprintf("%s names its key by an alias, which IAM cannot match and no event resolved: put the key's ARN in the place of %s.", c.need.fields[0], c.resource))
		return []string{c.resource}
	}
	return sorted(keys)
}

// wholeBucket widens a pattern of a bucket's objects to all of them.
func wholeBucket(pattern string) string {
	parts := strings.SplitN(pattern, ":", 6)
	if len(parts) != 6 || parts[2] != "s3" || parts[3] != "" {
		return pattern
	}
	bucket, _, objects := strings.Cut(parts[5], "/")
	if !objects || strings.ContainsAny(bucket, "*?$") {
		return pattern
	}
	return strings.Join(parts[:5], ":") + ":" + bucket + "/*"
}

// listedPrefixes limits a list to the prefixes that were listed and that jobs read
// from the bucket, where every list on record carried a prefix.
// Source: AWS S3 amazon-s3-policy-keys (s3:prefix); HeadBucket carries none.
func (a *audit) listedPrefixes(j *judgement, c *cell) []policy.ConditionSpec {
	if c.used == nil || slices.ContainsFunc(c.used.calls, func(u *call) bool { return u.Params.Prefix == "" }) {
		return nil
	}
	values := map[string]struct{}{}
	add := func(prefix string) {
		values[prefix] = struct{}{}
		values[prefix+"*"] = struct{}{}
	}
	for _, u := range c.used.calls {
		add(generalisedPrefix(u.Params.Prefix))
	}
	for _, n := range j.needs {
		if n.need.s3 != nil && n.need.s3.bucketARN() == c.resource && n.area == areaS3Read {
			_, key, _ := strings.Cut(n.resource, "/")
			add(strings.TrimSuffix(key, "*"))
		}
	}
	cond := policy.ConditionSpec{Operator: "StringLike", Key: "s3:prefix"}
	for _, v := range sorted(values) {
		cond.Values = append(cond.Values, policy.Value{Text: v})
	}
	return []policy.ConditionSpec{cond}
}

// generalisedPrefix cuts a listed prefix before its first volatile segment.
func generalisedPrefix(prefix string) string {
	at := 0
	for segment := range strings.SplitSeq(prefix, "/") {
		if volatile(segment, "") {
			return prefix[:at]
		}
		at += len(segment) + 1
	}
	return prefix
}

// hold intersects an obligation with what identity policies grant today, keeping the
// conditions that come with it.
func (a *audit) hold(j *judgement, p *plan, o *obligation) {
	g := j.grant
	access := g.stack.Access(g.principal, o.action, o.pattern, g.known)
	index, known := a.library.catalog.Index(o.action)
	resourceless := known && a.library.catalog.Resourceless(index)
	add := func(pattern string, not bool, conditions []policy.ConditionSpec) {
		o.atoms = append(o.atoms, atom{action: o.action, pattern: pattern, not: not, area: o.area, section: o.section,
			conditions: slices.Concat(conditions, o.conditions), because: o.because})
	}
	// A Deny may take part of it away; every Deny is kept, so that is no matter here.
	for _, m := range access.Allows {
		if m.Layer != policy.LayerIdentity {
			continue
		}
		// What an ARN pattern means for an action without resources no page says: such a
		// statement is kept as it is written.
		if resourceless && m.Statement.Resources != nil && !everyResource(m.Statement) {
			spec := m.Statement.Spec()
			if spec.NotResources != nil {
				add(strings.Join(spec.NotResources, "\n"), true, spec.Conditions)
			}
			for _, r := range spec.Resources {
				add(r, false, spec.Conditions)
			}
			continue
		}
		switch {
		case m.Partial && !a.coversWhole(m.Statement, o, g):
		case m.Statement.Unconditional():
			o.atoms = nil
			add(o.pattern, false, nil)
			return
		default:
			add(o.pattern, false, m.Statement.Spec().Conditions)
		}
	}
	if len(o.atoms) > 0 || access.Identity == policy.No {
		if access.Partial && coveredConditionally(access) {
			p.notes = append(p.notes, fmt.Sprintf("%s on %s is proposed under the conditions of today's grant; a part of it is granted today outright, by patterns that cross it, and that is left out.", o.action, o.pattern))
		}
		return
	}
	// Today's grant is narrower: keep what it shares with the obligation.
	o.narrowed = true
	crossing := false
	patterns := uncatalogued(access)
	if known {
		patterns = g.set.Patterns(index)
	}
	for _, granted := range patterns {
		if granted.Not {
			if o.pattern == "*" {
				spec := granted.Statement.Spec()
				add(strings.Join(spec.NotResources, "\n"), true, spec.Conditions)
			} else {
				crossing = true
			}
			continue
		}
		both, exact := policy.Intersect(o.pattern, granted.Pattern)
		if !exact {
			crossing = true
			continue
		}
		for _, pattern := range both {
			add(pattern, false, granted.Statement.Spec().Conditions)
		}
	}
	o.atoms = distinct(o.atoms)
	if plain := slices.DeleteFunc(slices.Clone(o.atoms), func(x atom) bool { return !plainS3(x) }); len(plain) < len(o.atoms) {
		o.atoms, crossing = plain, true
	}
	switch {
	case crossing && len(o.atoms) == 0:
		p.undecided = append(p.undecided, fmt.Sprintf("%s on %s is granted today by patterns that cross it: what they share is no IAM pattern, so it is left out.", o.action, o.pattern))
	case crossing:
		p.undecided = append(p.undecided, fmt.Sprintf("%s is proposed on a part of %s: what else is granted of it today is no IAM pattern.", o.action, o.pattern))
	case len(o.atoms) > 0 && o.pattern != "*":
		p.notes = append(p.notes, fmt.Sprintf("%s is proposed only on the part of %s that is granted today.", o.action, o.pattern))
	}
}

// uncatalogued are the resources that identity policies grant an action on which the
// catalogue does not know: those of the statements that speak of it, as they are written.
func uncatalogued(access policy.Access) []policy.GrantedPattern {
	var out []policy.GrantedPattern
	for _, m := range access.Allows {
		if m.Layer != policy.LayerIdentity {
			continue
		}
		spec := m.Statement.Spec()
		if spec.NotResources != nil {
			out = append(out, policy.GrantedPattern{Not: true, Statement: m.Statement})
		}
		for _, r := range spec.Resources {
			out = append(out, policy.GrantedPattern{Pattern: r, Statement: m.Statement})
		}
	}
	return out
}

// coversWhole: a statement that may cross the pattern, by the widest reading of its
// wildcards, still covers it segment by segment.
func (a *audit) coversWhole(st *policy.Statement, o *obligation, g *grant) bool {
	return a.library.expander.Covers(st, policy.Cell{Action: o.action, Pattern: o.pattern, Known: g.known}).Truth == policy.True
}

// plainS3: no bucket is named by a wildcard in a proposal, and a key by one at its end
// at most. Other patterns of today's grant are no part of it.
func plainS3(x atom) bool {
	parts := strings.SplitN(x.pattern, ":", 6)
	if len(parts) != 6 || parts[2] != "s3" || x.not {
		return true
	}
	bucket, key, _ := strings.Cut(parts[5], "/")
	return !strings.ContainsAny(bucket, "*?") && !strings.ContainsAny(strings.TrimSuffix(stripEscapes(key), "*"), "*?")
}

// stripEscapes takes the escaped signs out of a pattern, which are no wildcards.
func stripEscapes(pattern string) string {
	return strings.NewReplacer("${*}", "", "${?}", "", "${$}", "").Replace(pattern)
}

// distinct drops the atoms that say the same as one before them.
func distinct(atoms []atom) []atom {
	var out []atom
	for _, x := range atoms {
		if !slices.ContainsFunc(out, func(y atom) bool {
			return x.action == y.action && x.pattern == y.pattern && x.not == y.not && conditionsKey(x.conditions) == conditionsKey(y.conditions)
		}) {
			out = append(out, x)
		}
	}
	return out
}

// additions are what jobs need and no policy grants: of documented rules only, and
// never on another account's resources, whose policy decides as well.
func (a *audit) additions(j *judgement) []atom {
	var out []atom
	for _, n := range j.needs {
		owner := accountOf(n.resource)
		if n.verdict != report.VerdictMissing || n.need.confidence != confidenceDoc || n.need.optional || owner != "" && owner != a.snapshot.Account.ID {
			continue
		}
		out = append(out, atom{action: n.action, pattern: n.resource, area: n.area, section: sectionAdditions, because: "missing today: " + n.why()})
	}
	return out
}

// unobservables keep what nobody could observe, on the patterns and under the
// conditions of today.
func (a *audit) unobservables(j *judgement) []atom {
	var out []atom
	add := func(action, why string) {
		i, known := a.library.catalog.Index(action)
		if !known {
			return
		}
		for _, g := range j.grant.set.Patterns(i) {
			x := atom{action: action, pattern: g.Pattern, not: g.Not, area: areaObserved, section: sectionKept, conditions: g.Statement.Spec().Conditions, because: "kept, for nobody could observe it: " + why}
			if g.Not {
				x.pattern = strings.Join(g.Statement.Spec().NotResources, "\n")
			}
			out = append(out, x)
		}
	}
	for action, v := range j.actions.all() {
		if v.verdict == report.VerdictUnobservable && !a.sensitive(action) {
			add(action, v.reason)
		}
	}
	return distinct(out)
}
