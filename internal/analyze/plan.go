package analyze

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// plan is a role's proposal before it is laid out: statements in their order,
// with what each rests on.
type plan struct {
	obligations []*obligation
	statements  []planned
	// review are uses that a person must keep, unresolved what is needed and not known
	// in full, undecided what could not be granted within today's policies.
	review, unresolved, undecided []string
	notes                         []string
}

// planned is one statement of a proposal.
type planned struct {
	spec    policy.Spec
	area    string
	section section
	because []string
}

// sidRule names the statements of an area, and of some of its actions.
type sidRule struct {
	sid     string
	area    string
	section section // empty: core
	actions []string
	// beyond marks what AWS documents for every training job and the reference
	// leaves out: statements of their own.
	beyond bool
	// reference is the Sid of the customer's form.
	reference string
}

var sidRules = []sidRule{
	{sid: "ECRAuthorization", area: areaECRPull, actions: []string{"ecr:GetAuthorizationToken"}, reference: "ECRImagePull"},
	{sid: "ECRImagePull", area: areaECRPull, reference: "ECRImagePull"},
	{sid: "S3ListBuckets", area: areaS3Read, actions: []string{"s3:ListBucket"}, reference: "S3DataAccess"},
	{sid: "S3ReadData", area: areaS3Read, reference: "S3DataAccess"},
	{sid: "S3WriteArtifacts", area: areaS3Write, reference: "S3DataAccess"},
	{sid: "CloudWatchLogsDescribe", area: areaLogs, actions: []string{"logs:DescribeLogStreams"}, beyond: true},
	{sid: "CloudWatchLogGroup", area: areaLogs, actions: []string{"logs:CreateLogGroup"}, reference: "CloudWatchLogs"},
	{sid: "CloudWatchLogs", area: areaLogs, reference: "CloudWatchLogs"},
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
	{sid: "OtherUse", area: areaObserved, section: sectionOthers},
	{sid: "KeptUnobservable", area: areaObserved, section: sectionKept},
	{sid: "Addition", section: sectionAdditions},
}

// sidRuleOf finds the rule of an atom; an area that has none is a use like any other.
func sidRuleOf(x atom) int {
	find := func(area string, s section) int {
		return slices.IndexFunc(sidRules, func(r sidRule) bool {
			return cmp.Or(r.section, sectionCore) == s && (r.area == area || r.area == "") && (r.actions == nil || slices.Contains(r.actions, x.action))
		})
	}
	if i := find(x.area, x.section); i >= 0 {
		return i
	}
	return find(areaObserved, x.section)
}

// referenceActions are the customer's.
var referenceActions = map[string]bool{
	"s3:GetObject": true, "s3:PutObject": true, "s3:ListBucket": true,
	"ecr:GetDownloadUrlForLayer": true, "ecr:BatchGetImage": true, "ecr:BatchCheckLayerAvailability": true, "ecr:GetAuthorizationToken": true,
	"logs:CreateLogGroup": true, "logs:CreateLogStream": true, "logs:PutLogEvents": true,
}

// plan draws the minimal policy of a role: what its jobs need and what it was seen to
// use, of what it is granted today, and every Deny it has today. It is never wider
// than today's grant (see hold), but for the additions that were asked for.
func (a *audit) plan(j *judgement) *plan {
	p := &plan{}
	p.obligations = a.obligations(j, p)
	var atoms []atom
	for _, o := range p.obligations {
		atoms = append(atoms, o.atoms...)
	}
	if a.proposal.KeepUnobservable {
		atoms = append(atoms, a.unobservables(j)...)
	}
	if a.proposal.AddMissing {
		atoms = append(atoms, a.additions(j)...)
	}
	if a.proposal.Reference {
		left := 0
		atoms = slices.DeleteFunc(atoms, func(x atom) bool {
			out := !referenceActions[x.action] || !slices.Contains(fourAreas, x.area)
			if out {
				left++
			}
			return out
		})
		if left > 0 {
			p.notes = append(p.notes, fmt.Sprintf("%d grants that the evidence asks for are not in the reference's form, and are left out of it.", left))
		}
	}
	p.statements = a.group(irredundant(atoms))
	p.denies(j)
	for _, list := range []*[]string{&p.review, &p.unresolved, &p.undecided, &p.notes} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return p
}

// denies keeps every Deny of today as it is.
func (p *plan) denies(j *judgement) {
	n := 0
	for _, pol := range j.grant.stack.Identity {
		for _, st := range pol.Document.Statements() {
			if st.Effect != policy.Deny {
				continue
			}
			n++
			spec := st.Spec()
			spec.Sid = fmt.Sprintf("KeptDeny%d", n) // two policies may use one Sid
			p.statements = append(p.statements, planned{spec, "", sectionDenies,
				[]string{fmt.Sprintf("kept as it is from %s, statement %d", cmp.Or(pol.ARN, pol.Name), st.Index+1)}})
		}
	}
	slices.SortStableFunc(p.statements, func(x, y planned) int {
		return cmp.Compare(slices.Index(sections, x.section), slices.Index(sections, y.section))
	})
}

// irredundant drops the atoms that another one includes under the same conditions, or
// under none: of two that include each other the first stays.
func irredundant(atoms []atom) []atom {
	byAction := map[string][]int{}
	for i, x := range atoms {
		byAction[x.action] = append(byAction[x.action], i)
	}
	includes := func(x, y atom) bool {
		if x.not || y.not {
			return x.not && y.not && x.pattern == y.pattern
		}
		return policy.Includes(x.pattern, y.pattern)
	}
	served := func(x, y atom) bool { // y serves x
		return (len(y.conditions) == 0 || conditionsKey(x.conditions) == conditionsKey(y.conditions)) && includes(y, x)
	}
	var out []atom
	for i, x := range atoms {
		if !slices.ContainsFunc(byAction[x.action], func(k int) bool {
			y := atoms[k]
			return k != i && served(x, y) && (!served(y, x) || k < i)
		}) {
			out = append(out, x)
		}
	}
	return out
}

// group merges atoms into statements: the actions of one kind that share
// resources and conditions. The order is that of sidRules.
func (a *audit) group(atoms []atom) []planned {
	type set struct {
		rule       int
		conditions string
		not        string // the NotResource entries: two lists made one would grant less
	}
	type key struct {
		set
		action string
	}
	patterns := map[key]map[string]struct{}{}
	because := map[key]map[string]struct{}{}
	specs := map[string][]policy.ConditionSpec{}
	for _, x := range atoms {
		s := set{sidRuleOf(x), conditionsKey(x.conditions), ""}
		if x.not {
			s.not = x.pattern
		}
		specs[s.conditions] = x.conditions
		k := key{s, x.action}
		if patterns[k] == nil {
			patterns[k], because[k] = map[string]struct{}{}, map[string]struct{}{}
		}
		patterns[k][x.pattern] = struct{}{}
		because[k][x.because] = struct{}{}
	}
	type statement struct {
		set
		resources string
	}
	actionsOf := map[statement][]string{}
	for k, res := range patterns {
		st := statement{k.set, strings.Join(sorted(res), "\n")}
		actionsOf[st] = append(actionsOf[st], k.action)
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
		sid := rule.sid
		if a.proposal.Reference {
			sid = cmp.Or(rule.reference, sid)
		}
		if used[sid]++; used[sid] > 1 {
			sid = fmt.Sprintf("%s%d", sid, used[sid])
		}
		reasons := map[string]struct{}{}
		for _, action := range actionsOf[st] {
			maps.Copy(reasons, because[key{st.set, action}])
		}
		why, _ := capped(sorted(reasons), report.MaxEvidence)
		if rule.beyond {
			why = append([]string{"beyond the reference: AWS documents it for every training job"}, why...)
		}
		spec := policy.Spec{Sid: sid, Effect: policy.Allow, Actions: actionsOf[st]}
		if st.not != "" {
			spec.NotResources = strings.Split(st.resources, "\n")
		} else {
			spec.Resources = strings.Split(st.resources, "\n")
		}
		spec.Conditions = specs[st.conditions]
		out = append(out, planned{spec, cmp.Or(rule.area, areaObserved), cmp.Or(rule.section, sectionCore), why})
	}
	return out
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
