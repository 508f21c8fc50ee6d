package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// plan is a role's proposal before it is laid out: statements in their order,
// with what each rests on.
type plan struct {
	statements []planned
	denies     []planned
	confirm    []string
	notes      []string
}

// planned is one statement of a proposal.
type planned struct {
	spec    policy.Spec
	area    string
	because []string
}

// The areas of a proposal that are no requirement of a job's fields.
const (
	areaObserved = "observed-use"
	areaDenies   = "kept-denies"
)

// atom is one grant that a proposal needs: an action on a pattern, under the
// conditions that today's grant puts on it.
type atom struct {
	action, pattern string
	// not: pattern is that of a NotResource element, one a line, kept whole.
	not        bool
	area       string
	conditions []policy.Condition
	because    string
}

// sidRule names the statements of an area, and of some of its actions.
type sidRule struct {
	sid     string
	area    string
	actions []string
	// beyond marks what AWS documents for every training job and the reference
	// leaves out: statements of their own.
	beyond bool
}

var sidRules = []sidRule{
	{sid: "ECRAuthorization", area: areaECRPull, actions: []string{"ecr:GetAuthorizationToken"}},
	{sid: "ECRImagePull", area: areaECRPull},
	{sid: "S3ListBuckets", area: areaS3Read, actions: []string{"s3:ListBucket"}},
	{sid: "S3ReadData", area: areaS3Read},
	{sid: "S3WriteArtifacts", area: areaS3Write},
	{sid: "CloudWatchLogsDescribe", area: areaLogs, actions: []string{"logs:DescribeLogStreams"}, beyond: true},
	{sid: "CloudWatchLogGroup", area: areaLogs, actions: []string{"logs:CreateLogGroup"}},
	{sid: "CloudWatchLogs", area: areaLogs},
	{sid: "CloudWatchMetrics", area: areaMetrics, beyond: true},
	{sid: "KMSKeys", area: areaKMS},
	{sid: "VPCNetworkInterfaces", area: areaVPC},
	{sid: "RegistryCredentials", area: areaRegistryAuth},
	{sid: "RemoteDebug", area: areaRemoteDebug},
	{sid: "DebuggerImages", area: areaDebugger, actions: []string{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}},
	{sid: "DebuggerRules", area: areaDebugger},
	{sid: "ModelRegistry", area: areaModelRegistry},
	{sid: "Mlflow", area: areaMlflow},
	{sid: "CodePackages", area: areaPackages},
	{sid: "ObservedUse", area: areaObserved},
}

func sidRuleOf(area, action string) int {
	return slices.IndexFunc(sidRules, func(r sidRule) bool {
		return r.area == area && (r.actions == nil || slices.Contains(r.actions, action))
	})
}

// plan draws the minimal policy of a role: what its jobs need and what it was
// seen to use, of what it is granted today, and every Deny it has today. It is
// never wider than today's grant: see held.
func (a *audit) plan(j *judgement) *plan {
	p := &plan{confirm: []string{}, notes: []string{}}
	var atoms []atom
	served := map[string][]string{} // action -> patterns already proposed
	for _, n := range j.needs {
		if n.verdict != report.VerdictRequired && n.verdict != report.VerdictUsed || n.need.strength == strengthFailed {
			continue
		}
		for _, pattern := range p.resolveAlias(j, n) {
			got, note := a.held(j, n.action, pattern)
			if note != "" {
				p.notes = append(p.notes, note)
			}
			for _, x := range got {
				x.area, x.because = n.area, n.why()
				atoms = append(atoms, x)
				served[x.action] = append(served[x.action], x.pattern)
			}
		}
	}
	for _, o := range sortedObservations(j.seen.used) {
		if j.actions[o.action].verdict != report.VerdictUsed {
			continue
		}
		sensitive := serviceOf(o.action) == "iam"
		if i, ok := a.library.catalog.Index(o.action); ok {
			sensitive = sensitive && !a.library.catalog.IsReadOnly(i) || a.library.catalog.IsPermissionsManagement(i)
		}
		for _, resource := range observedPatterns(&o.touch) {
			if slices.ContainsFunc(served[o.action], func(s string) bool { return policy.Includes(s, resource) }) ||
				resource == "*" && len(o.resources) == 0 && len(served[o.action]) > 0 {
				continue
			}
			if sensitive {
				p.confirm = append(p.confirm, fmt.Sprintf("%s was used %s, last on %s: it can change permissions or hand on a role, so it is left out until a person says that the role needs it.",
					o.action, times(o.count()), day(o.last())))
				break
			}
			got, note := a.held(j, o.action, resource)
			if note != "" {
				p.notes = append(p.notes, note)
			}
			for _, x := range got {
				x.area, x.because = areaObserved, fmt.Sprintf("%s was used %s, last on %s", o.action, times(o.count()), day(o.last()))
				atoms = append(atoms, x)
			}
		}
	}
	p.statements = group(atoms)
	for _, pol := range j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if st.Effect == policy.Deny {
				spec := st.Spec()
				spec.Sid = "" // two policies may use one Sid
				p.denies = append(p.denies, planned{spec, areaDenies, []string{
					fmt.Sprintf("kept as it is from %s, statement %d", cmp.Or(pol.ARN, pol.Name), st.Index)}})
			}
		}
	}
	slices.Sort(p.notes)
	p.notes = slices.Compact(p.notes)
	return p
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// why says in one line which jobs ask for the need.
func (n *judgedNeed) why() string {
	field := n.fields[0]
	s := fmt.Sprintf("%s of %d job", field, n.total)
	if n.total != 1 {
		s += "s"
	}
	return fmt.Sprintf("%s, %s, e.g. %s", s, n.need.strength, n.jobs[0].Name)
}

// observedPatterns are the resources of calls, generalised; calls whose resource no
// record tells stand for whatever is granted.
func observedPatterns(t *touch) []string {
	if len(t.resources) == 0 {
		return []string{"*"}
	}
	return generalisedResources(t.resources)
}

// generalisedResources are the resources of calls as patterns, generalised as a job's
// own locations are. A log stream is new for each job, so all of its group's are
// meant.
func generalisedResources(resources map[string]struct{}) []string {
	nobody := new(snapshot.Job)
	h := newHoles()
	locations := map[string]s3Location{}
	patterns := map[string]struct{}{}
	for _, r := range sorted(resources) {
		if loc, ok := parseObjectARN(r); ok {
			locations[r] = loc
			h.see(nobody, "", &loc)
			continue
		}
		if group, _, ok := strings.Cut(r, ":log-stream:"); ok {
			r = group + ":*"
		}
		if kind, name, ok := strings.Cut(r, "/"); ok && jobARN.MatchString(kind) && volatile(name, "") {
			r = kind + "/*"
		}
		patterns[r] = struct{}{}
	}
	for _, loc := range locations {
		patterns[h.generalise(nobody, "", loc).pattern()] = struct{}{}
	}
	return minimal(patterns)
}

// jobARN is the part of a job's ARN before its name: each job has a new one.
// Source: AWS service authorization reference, SageMaker resource types.
var jobARN = regexp.MustCompile(`^arn:[a-z0-9-]+:sagemaker:[a-z0-9-]+:\d{12}:[a-z-]+-job$`)

// resolveAlias gives the keys that a need for an alias's key was seen to use, so
// that the proposal need not grant any key; the need's own resource otherwise.
func (p *plan) resolveAlias(j *judgement, n *judgedNeed) []string {
	if !n.need.alias {
		return []string{n.resource}
	}
	keys := map[string]struct{}{}
	for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"} {
		if o := j.seen.used[action]; o != nil {
			for r := range o.resources {
				if policy.Includes(n.resource, r) {
					keys[r] = struct{}{}
				}
			}
		}
	}
	if len(keys) == 0 {
		p.notes = append(p.notes, fmt.Sprintf("%s names its key by an alias, which IAM cannot match and no event resolved: put the key's ARN in the place of %s.", n.fields[0], n.resource))
		return []string{n.resource}
	}
	return sorted(keys)
}

// held intersects a needed pattern with what identity policies grant today, and
// keeps the conditions that come with it. The note says what could not be
// granted within today's policies.
func (a *audit) held(j *judgement, action, pattern string) ([]atom, string) {
	g := j.grant
	access := g.stack.Access(g.principal, action, pattern, g.known)
	if access.Identity == policy.No {
		return nil, ""
	}
	index, known := a.library.catalog.Index(action)
	resourceless := known && a.library.catalog.Resourceless(index)
	// A Deny may take part of it away; every Deny is kept, so that is no matter here.
	var out []atom
	for _, m := range access.Allows {
		switch {
		case m.Layer != policy.LayerIdentity || m.Partial && !resourceless:
		case m.Statement.Unconditional():
			return []atom{{action: action, pattern: pattern}}, ""
		default:
			out = append(out, atom{action: action, pattern: pattern, conditions: m.Statement.Conditions})
		}
	}
	if len(out) > 0 {
		return out, ""
	}
	// Today's grant is narrower than the need: keep its own patterns within it.
	if known {
		for _, granted := range g.set.Patterns(index) {
			switch {
			case granted.Not && pattern == "*":
				out = append(out, atom{action: action, pattern: strings.Join(granted.Statement.Resources, "\n"), not: true, conditions: granted.Statement.Conditions})
			case !granted.Not && policy.Includes(pattern, granted.Pattern):
				out = append(out, atom{action: action, pattern: granted.Pattern, conditions: granted.Statement.Conditions})
			}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Sprintf("%s on %s is granted today in part only, by patterns that cross it: left out of this draft.", action, pattern)
	}
	return out, fmt.Sprintf("%s is proposed only on the part of %s that is granted today.", action, pattern)
}

// group merges atoms into statements: the actions of one kind that share
// resources and conditions. The order is that of sidRules.
func group(atoms []atom) []planned {
	type set struct {
		rule       int
		conditions string
		not        bool
	}
	type cell struct {
		set
		action string
	}
	patterns := map[cell]map[string]struct{}{}
	because := map[set]map[string]struct{}{}
	specs := map[string][]policy.Condition{}
	for _, x := range atoms {
		s := set{sidRuleOf(x.area, x.action), conditionsKey(x.conditions), x.not}
		specs[s.conditions] = x.conditions
		c := cell{s, x.action}
		if patterns[c] == nil {
			patterns[c] = map[string]struct{}{}
		}
		patterns[c][x.pattern] = struct{}{}
		if because[s] == nil {
			because[s] = map[string]struct{}{}
		}
		because[s][x.because] = struct{}{}
	}
	type statement struct {
		set
		resources string
	}
	actionsOf := map[statement][]string{}
	for c, res := range patterns {
		st := statement{c.set, strings.Join(minimal(res), "\n")}
		actionsOf[st] = append(actionsOf[st], c.action)
	}
	for st := range actionsOf {
		slices.Sort(actionsOf[st])
	}
	order := slices.SortedFunc(maps.Keys(actionsOf), func(x, y statement) int {
		return cmp.Or(cmp.Compare(x.rule, y.rule), cmp.Compare(x.conditions, y.conditions), cmp.Compare(x.resources, y.resources),
			slices.Compare(actionsOf[x], actionsOf[y]))
	})
	var out []planned
	used := map[string]int{}
	for _, st := range order {
		rule := sidRules[st.rule]
		used[rule.sid]++
		sid := rule.sid
		if n := used[rule.sid]; n > 1 {
			sid = fmt.Sprintf("%s%d", sid, n)
		}
		names := actionsOf[st]
		why, _ := capped(sorted(because[st.set]), report.MaxEvidence)
		if rule.beyond {
			why = append([]string{"beyond the reference: AWS documents it for every training job"}, why...)
		}
		spec := policy.Spec{Sid: sid, Effect: policy.Allow, Actions: names}
		if st.not {
			spec.NotResources = strings.Split(st.resources, "\n")
		} else {
			spec.Resources = strings.Split(st.resources, "\n")
		}
		for _, c := range specs[st.conditions] {
			spec.Conditions = append(spec.Conditions, policy.ConditionSpec{Operator: c.Operator, Key: c.Key, Values: c.Values})
		}
		out = append(out, planned{spec, rule.area, why})
	}
	return out
}

// minimal drops the patterns that another includes, and sorts.
func minimal(set map[string]struct{}) []string {
	all := sorted(set)
	return slices.DeleteFunc(slices.Clone(all), func(p string) bool {
		return slices.ContainsFunc(all, func(q string) bool { return p != q && policy.Includes(q, p) && !(policy.Includes(p, q) && p < q) })
	})
}

func conditionsKey(conditions []policy.Condition) string {
	var b strings.Builder
	for _, c := range conditions {
		fmt.Fprintf(&b, "%s\x00%s\x00%q\x00", c.Operator, c.Key, c.Strings())
	}
	return b.String()
}

// cells are the proposed actions and resources of an area.
func (p *plan) cells(area string) []report.Cell {
	out := []report.Cell{}
	for _, st := range p.statements {
		if st.area != area {
			continue
		}
		for _, action := range st.spec.Actions {
			resources, _ := capped(st.spec.Resources, report.MaxResources)
			out = append(out, report.Cell{Action: action, Resources: resources, Conditional: len(st.spec.Conditions) > 0})
		}
	}
	slices.SortStableFunc(out, func(x, y report.Cell) int { return cmp.Compare(x.Action, y.Action) })
	return out
}
