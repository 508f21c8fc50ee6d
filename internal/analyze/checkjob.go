package analyze

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// JobQuestion asks whether a training job would run.
type JobQuestion struct {
	// Role is as in Question; empty: the job's own.
	Role string
	// Request is the job; or Job names one of the snapshot.
	Request *JobRequest
	Job     string
	// Region is where it runs; empty where the job tells.
	Region string
	// Policies stand for the role's identity policies; none: those of today.
	Policies []EditedPolicy
}

// CheckJob holds what a training job needs against a role: its policies, or those that
// are given in their place, the layers above and beside them, and its trust policy. It
// errs as Explain does, with the part job for a name that fits no job, or several.
func CheckJob(s *snapshot.Snapshot, o Options, q JobQuestion) (*report.JobCheck, error) {
	if s.TakenAt.IsZero() {
		return nil, errors.New("analyze: the snapshot does not say when it was taken")
	}
	a := newAudit(s)
	a.library.give(o.Given)
	out := &report.JobCheck{
		Basis: basis(s, o),
		Needs: []report.NeedCheck{}, Unresolved: []report.UnresolvedNeed{}, NotRead: []string{}, Notes: []string{},
	}
	var job snapshot.Job
	if q.Request != nil {
		job = q.Request.job
		out.Job = report.CheckedJob{Name: job.Name, Source: "request"}
		out.Notes = append(out.Notes, q.Request.notes...)
	} else {
		found, err := theJob(s, q.Job, q.Region)
		if err != nil {
			return nil, err
		}
		job = *found
		out.Job = report.CheckedJob{Name: job.Name, Source: "snapshot", Status: job.Status, Region: job.Region, RegionFrom: "the job itself"}
	}
	role := cmp.Or(q.Role, job.RoleARN)
	if role == "" {
		return nil, badQuestion("role", "the request has no RoleArn: name the role")
	}
	sub, err := theRole(subjects(s), role)
	if err != nil {
		return nil, err
	}
	if q.Role != "" && job.RoleARN != "" && job.RoleARN != sub.key.ARN {
		whose := "the request's"
		if q.Request == nil {
			whose = "the job's"
		}
		out.Notes = append(out.Notes, fmt.Sprintf("%s RoleArn is %s; it is checked under %s, as asked", whose, job.RoleARN, nameOf(sub.key.ARN)))
	}
	out.Role = report.ExplainedRole{ARN: sub.key.ARN, ID: sub.key.ID, Name: nameOf(sub.key.ARN), Exists: !sub.gone}
	c := &checker{audit: a, out: out, job: &job, today: a.judge(sub), replaced: len(q.Policies) > 0}
	if q.Request != nil {
		c.region(q)
	}
	var given []policy.Policy
	given, out.Policies = editedPolicies(q.Policies)
	c.under(given)
	c.check()
	return out, nil
}

// theJob is the job of a name; a region tells several apart.
func theJob(s *snapshot.Snapshot, name, region string) (*snapshot.Job, error) {
	var found []*snapshot.Job
	var names []string
	for i := range s.Jobs {
		j := &s.Jobs[i]
		names = append(names, j.Name)
		if (j.Name == name || j.ARN == name) && (region == "" || j.Region == region) {
			found = append(found, j)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var regions []string
		for _, j := range found {
			regions = append(regions, j.Region)
		}
		return nil, badQuestion("job", "there are %d jobs %q, in %s: say in which region", len(found), name, shortList(regions, 6))
	}
	if near := nearest(name, names, 3); len(near) > 0 {
		return nil, badQuestion("job", "no training job %q is on record; did you mean %s?", name, strings.Join(near, " or "))
	}
	return nil, badQuestion("job", "no training job %q is on record, of %d", name, len(s.Jobs))
}

// checker holds one job against one role.
type checker struct {
	*audit
	out *report.JobCheck
	job *snapshot.Job
	// today is what is known of the role; grant what the job is held against.
	today    *judgement
	grant    *grant
	replaced bool
}

// region finds where a request would run, which it does not say itself.
func (c *checker) region(q JobQuestion) {
	set := func(region, from string) {
		if c.out.Job.Region == "" && region != "" {
			c.out.Job.Region, c.out.Job.RegionFrom = region, from
		}
	}
	set(q.Region, "as given")
	set(q.Request.region, q.Request.regionFrom)
	if image, ok := readImage(c.job.Image); ok {
		set(image.region, "assumed: the image's registry")
	}
	if jobs := c.today.sub.jobs; len(jobs) > 0 {
		last := slices.MaxFunc(jobs, func(x, y *snapshot.Job) int {
			return cmp.Or(x.CreatedAt.Compare(y.CreatedAt), cmp.Compare(x.ARN, y.ARN))
		})
		set(last.Region, "assumed: that of the role's last job")
	}
	if read := c.snapshot.Regions.Read; len(read) > 0 {
		set(read[0], "assumed: the first that was read")
	}
	c.job.Region = c.out.Job.Region
}

// under is the grant that the job is held against.
func (c *checker) under(given []policy.Policy) {
	if c.today.grant == nil {
		return
	}
	g := *c.today.grant
	if c.replaced {
		stack := *g.stack
		stack.Identity = given
		g.stack, g.unknown = &stack, ""
		g.set = c.library.expander.Expand(&stack, g.known)
	}
	c.grant = &g
}

func (c *checker) note(format string, args ...any) {
	c.out.Notes = append(c.out.Notes, fmt.Sprintf(format, args...))
}

func (c *checker) check() {
	if c.grant == nil {
		c.out.Trust = report.TrustCheck{Assume: "unknown", SourceIdentity: "unknown", Why: "the role's trust policy is not known"}
		c.out.Answer, c.out.Why = report.JobUnsure, "the role could not be read"
		if c.today.sub.gone {
			c.out.Trust.Assume, c.out.Trust.Why = "no", "IAM does not have the role (any more)"
			c.out.Answer, c.out.Why = report.JobFails, "IAM does not have the role (any more)"
		}
		return
	}
	c.trust()
	at := map[[2]string]int{}
	needs, open := c.needs()
	for _, n := range needs {
		key := [2]string{n.action, n.resource}
		if i, merged := at[key]; merged {
			q := &c.out.Needs[i]
			if !slices.Contains(q.Fields, n.field) {
				q.Fields = append(q.Fields, n.field)
			}
			continue
		}
		at[key] = len(c.out.Needs)
		c.out.Needs = append(c.out.Needs, c.need(&n))
	}
	slices.SortStableFunc(c.out.Needs, func(x, y report.NeedCheck) int {
		return cmp.Or(cmp.Compare(areaRank(x.Area), areaRank(y.Area)), cmp.Compare(x.Area, y.Area), cmp.Compare(x.Action, y.Action), cmp.Compare(x.Resource, y.Resource))
	})
	c.unresolved(open)
	c.notRead()
	c.note("The caller's part is not checked: who creates the job needs sagemaker:CreateTrainingJob, and iam:PassRole on the role.")
	if !c.job.NetworkIsolation {
		c.note("The code in the container has the role's credentials: what else it calls no configuration tells.")
	}
	c.conclude()
}

// needs are what the job's configuration asks for, the strongest of each action and
// resource first, and what it asks for without telling. The model goes to a folder of the job's name (AWS: SageMaker API,
// OutputDataConfig and ModelArtifacts).
func (c *checker) needs() ([]need, []unresolved) {
	job := *c.job
	if job.Output.URI != "" {
		job.Output.URI = strings.TrimSuffix(job.Output.URI, "/") + "/"
		if job.Name != "" {
			job.Output.URI += job.Name + "/"
		}
	}
	all, open := newAsks(c.place, c.beside, c.today.sub.jobs).of(&job)
	rank := func(n need) int {
		r := slices.Index([]string{"fails", "unknown", "degrades"}, n.ifMissing)
		if n.optional {
			r += 3
		}
		return r
	}
	slices.SortStableFunc(all, func(x, y need) int { return cmp.Compare(rank(x), rank(y)) })
	return all, open
}

// context is what is known of the request that a need stands for. A job's input lies in
// its region (AWS: SageMaker API, S3DataSource); what takes no resource is called there,
// but for the token of a registry, which is asked of the registry's.
func (c *checker) context(n *need) policy.Context {
	known := inRegion(c.grant.known, n.resource)
	region := ""
	switch {
	case n.action == "ecr:GetAuthorizationToken":
		if image, ok := readImage(c.job.Image); ok {
			region = image.region
		}
	case n.resource == "*", strings.HasPrefix(n.field, "InputDataConfig"):
		region = c.job.Region
	}
	if region == "" {
		return known
	}
	return policy.OpenContext(map[string][]string{"aws:RequestedRegion": {region}}).Merge(known)
}

// need holds one need against the grant.
func (c *checker) need(n *need) report.NeedCheck {
	out := report.NeedCheck{Action: n.action, Resource: n.resource, Area: n.area, Fields: []string{n.field}, Confidence: string(n.confidence),
		IfMissing: n.ifMissing, Optional: n.optional, State: report.NeedGranted, Effect: report.EffectNone, ToAllow: []string{}}
	known := c.context(n)
	j := *c.today
	j.grant = c.grant
	x := c.accessIn(c.grant, n.action, n.resource, known)
	out.Layers, out.Layer = c.layersOf(&j, &x, n.action, n.resource), string(x.Layer)
	past := c.past(n)
	told := func() report.Answer {
		e := &explainer{audit: c.audit, j: &j, action: n.action, known: known}
		return e.answer(n.resource, nil)
	}
	switch {
	case x.Effective == policy.No && x.Layer == policy.LayerIdentity && c.grant.unknown != "":
		out.State, out.Why = report.NeedUnknown, "no statement that was read allows it, and not all of the role's policies were: "+c.grant.unknown
	case x.Effective == policy.No:
		t := told()
		out.State, out.Why, out.ToAllow = report.NeedRefused, t.Why, plainNeeds(t.Needs)
	case past != nil && past.verdict == report.VerdictBlocked && past.denied != nil && past.effective():
		out.State, out.Layer = report.NeedRefused, strings.Join(past.denied.layers(), ",")
		out.Why = fmt.Sprintf("AWS refused it %s, last on %s: %s", times(past.denied.count()), day(past.denied.last()), past.reason)
	case x.Effective == policy.Conditional && c.ofAnother(n.resource) && passes(out.Layers):
		return out // its own policy decides as well: see notRead
	case x.Effective == policy.Conditional:
		t := told()
		out.State, out.Why, out.ToAllow = report.NeedConditional, "granted only under a condition of which it is not known whether it holds", plainNeeds(t.Needs)
		if past != nil && past.need != nil && past.need.completed && !c.replaced {
			out.Why += "; jobs that needed it have completed"
		}
	case x.Partial:
		out.State, out.Why = report.NeedPartly, "granted on a part of it only"
		for _, m := range x.Denies {
			if m.Truth == policy.True {
				out.Why += ": " + policyWords(m) + ", " + statementWords(m.Statement) + " denies some of it"
				break
			}
		}
	default:
		return out
	}
	c.effect(n, past, &out)
	return out
}

// effect says what a need that is not simply granted does to the job.
func (c *checker) effect(n *need, past *cell, out *report.NeedCheck) {
	refused := out.State == report.NeedRefused
	byIdentity := refused && out.Layer == string(policy.LayerIdentity)
	switch {
	case n.ifMissing == "degrades":
		out.Effect = report.EffectDegrades
	case n.optional:
		out.Effect = report.EffectWithout
	case byIdentity && past != nil && past.verdict == report.VerdictContradicted:
		out.Why += "; yet a completed job of the role did without it"
		out.Effect = report.EffectWithout
		if n.ifMissing == "fails" {
			out.Effect = report.EffectUnsure
		}
	case byIdentity && past != nil && past.verdict == report.VerdictForeign && past.cause == causeElsewhere:
		out.Effect = report.EffectUnsure
		out.Why += fmt.Sprintf("; yet calls on record were allowed, last on %s: another policy must allow it", day(past.used.last()))
	case refused && n.field == "ResourceConfig.VolumeKmsKeyId":
		// AWS: api-permissions-reference, CreateTrainingJob.
		out.Effect = report.EffectUnsure
		out.Why += "; the caller's own kms:CreateGrant on the key would do"
	case refused && out.Layers.Identity == policy.Yes.String() && passes(out.Layers) && c.job.Status == "Completed" && !c.replaced:
		// Refused on record, by a layer that was not read, and yet the job completed.
		out.Effect = report.EffectUnsure
		out.Why += "; yet this job completed"
	case refused && n.ifMissing == "fails":
		out.Effect = report.EffectFails
	default:
		out.Effect = report.EffectUnsure
	}
}

// past is the cell of the role's history that a need belongs to, nil for none.
func (c *checker) past(n *need) *cell {
	for _, x := range c.today.cells[n.action] {
		if !x.isRest() && policy.Includes(orEvery(x.resource), n.resource) {
			return x
		}
	}
	return nil
}

// plainNeeds leaves out advice about flags of another command.
func plainNeeds(needs []string) []string {
	return list(slices.DeleteFunc(slices.Clone(needs), func(s string) bool { return strings.HasPrefix(s, "To decide it") }))
}

func (c *checker) ofAnother(resource string) bool {
	owner := accountOf(resource)
	return owner != "" && owner != c.snapshot.Account.ID
}

// passes: each layer of the account's own lets it through outright.
func passes(l report.CellLayers) bool {
	return !slices.ContainsFunc([]string{l.Identity, l.Boundary, l.SCP, l.RCP}, func(s string) bool {
		return s == policy.No.String() || s == policy.Conditional.String()
	})
}

// unresolved lists what the job needs and its configuration does not name.
func (c *checker) unresolved(open []unresolved) {
	add := func(field, what string) {
		c.out.Unresolved = append(c.out.Unresolved, report.UnresolvedNeed{Field: field, What: what})
	}
	for _, u := range open {
		if u.s3 != nil {
			if c.grantedEverywhere() {
				continue // whatever a manifest names
			}
			u.what += u.s3.pattern()
		}
		add(u.field, u.what+": "+u.why)
	}
	for i := range c.job.Channels {
		switch ch := &c.job.Channels[i]; {
		case ch.FileSystem != "":
			c.note("%s: a file system is mounted over the VPC and needs no S3 permission; a policy of its own was not read", channelField(ch, "FileSystemDataSource"))
		case ch.URI == "" && ch.Dataset == "" && ch.HubContent == "":
			add(channelField(ch, "S3DataSource"), "the data: the channel names none")
		}
	}
	if c.job.Serverless {
		add("ServerlessJobConfig", "what a serverless job asks of the role: no AWS page says")
	}
	if c.out.Job.Source == "snapshot" && !c.job.Described {
		c.note("DescribeTrainingJob was not read of this job: whether it has remote debugging, MLflow or profiler rules is not known.")
	}
}

// grantedEverywhere: the role may read every object, so that which ones a manifest names
// is no matter.
func (c *checker) grantedEverywhere() bool {
	for action, resource := range map[string]string{"s3:GetObject": "arn:" + c.place.partition + ":s3:::*/*", "s3:ListBucket": "arn:" + c.place.partition + ":s3:::*"} {
		if x := c.accessIn(c.grant, action, resource, c.grant.known); x.Effective != policy.Yes || x.Partial {
			return false
		}
	}
	return true
}

// notRead is what was not read and could refuse what is granted.
func (c *checker) notRead() {
	add := func(format string, args ...any) { c.out.NotRead = append(c.out.NotRead, fmt.Sprintf(format, args...)) }
	if c.grant.layers.Boundary == layerNotRead {
		add("its permissions boundary")
	}
	if c.grant.layers.SCP == layerNotRead {
		add("service control policies (--scp gives them)")
	}
	if c.grant.layers.RCP == layerNotRead {
		add("resource control policies (--rcp gives them)")
	}
	own, others := map[string]struct{}{}, map[string]struct{}{}
	for _, n := range c.out.Needs {
		if c.ofAnother(n.Resource) {
			others[n.Resource] = struct{}{}
		} else if holder := policyHolder(n.Action, n.Resource); holder != "" && n.Layers.Resource == layerNotRead {
			words := policyOf(holder)
			if n.State == report.NeedRefused && n.Layer == string(policy.LayerIdentity) {
				words += ", which may also allow by itself what is refused"
			}
			own[words] = struct{}{}
		}
	}
	for _, p := range sorted(own) {
		add("%s", p)
	}
	for _, r := range sorted(others) {
		add("the policy of %s, which is account %s's and must allow it, too", r, accountOf(r))
	}
}

// conclude draws the answer.
func (c *checker) conclude() {
	count := map[string]int{}
	for _, n := range c.out.Needs {
		count[n.Effect]++
	}
	var fails, unsure []string
	if c.out.Trust.Assume == "no" || c.out.Trust.TagSession == "no" {
		fails = append(fails, c.out.Trust.Why)
	}
	if count[report.EffectFails] > 0 {
		fails = append(fails, c.notGranted())
	}
	if t := c.out.Trust; len(fails) == 0 && (t.Assume != "yes" || t.TagSession != "" && t.TagSession != "yes") {
		unsure = append(unsure, t.Why)
	}
	if count[report.EffectUnsure] > 0 {
		actions := map[string]struct{}{}
		for _, n := range c.out.Needs {
			if n.Effect == report.EffectUnsure {
				actions[n.Action] = struct{}{}
			}
		}
		unsure = append(unsure, "of "+shortList(sorted(actions), 4)+" it is not known whether it is granted, or what its lack does")
	}
	if n := len(c.out.Unresolved); n > 0 {
		unsure = append(unsure, countOf(n, "field does", "fields do")+" not tell what it needs")
	}
	switch {
	case len(fails) > 0:
		c.out.Answer, c.out.Why = report.JobFails, strings.Join(fails, "; and ")
	case len(unsure) > 0:
		c.out.Answer, c.out.Why = report.JobUnsure, strings.Join(unsure, "; and ")
	default:
		c.out.Answer, c.out.Why = report.JobRuns, "all that its configuration needs is granted"
		if n := count[report.EffectDegrades] + count[report.EffectWithout]; n > 0 {
			c.out.Why = fmt.Sprintf("all that it cannot do without is granted; %s", countOf(n, "thing is not, and does not stop it", "things are not, and do not stop it"))
		}
		if len(c.out.NotRead) > 0 {
			c.out.Why += ", as far as was read"
		}
	}
}

// notGranted names what makes the job fail.
func (c *checker) notGranted() string {
	actions, layers := map[string]struct{}{}, map[string]struct{}{}
	unread := ""
	for _, n := range c.out.Needs {
		if n.Effect != report.EffectFails {
			continue
		}
		actions[n.Action] = struct{}{}
		for layer := range strings.SplitSeq(n.Layer, ",") {
			layers[layerWords(layer)] = struct{}{}
		}
		if n.Layers.Resource == layerNotRead && policyHolder(n.Action, n.Resource) != "" {
			unread = ", as far as was read"
		}
	}
	return "it needs " + shortList(sorted(actions), 4) + ", refused by " + strings.Join(sorted(layers), " and by ") + unread
}

// trust asks the role's trust policy whether SageMaker may assume it for the job.
// Sources: AWS sagemaker-roles; model-access-training-data-abac (sts:TagSession);
// monitor-user-access-how-to (sts:SetSourceIdentity); security-confused-deputy-prevention.
func (c *checker) trust() {
	t := &c.out.Trust
	d := c.grant.trust
	if d == nil {
		*t = report.TrustCheck{Assume: "unknown", SourceIdentity: "unknown", Why: "its trust policy could not be read"}
		if c.job.SessionTags {
			t.TagSession = "unknown"
		}
		return
	}
	t.Assume, t.SourceIdentity = c.lets(d, "sts:AssumeRole"), c.lets(d, "sts:SetSourceIdentity")
	switch t.Assume {
	case "yes":
		t.Why = "its trust policy lets SageMaker assume it"
	case "no":
		t.Why = "its trust policy does not let SageMaker (" + sageMaker + ") assume it"
	default:
		t.Why = "its trust policy lets SageMaker assume it only under a condition of which it is not known whether it holds"
	}
	if c.job.SessionTags {
		if t.TagSession = c.lets(d, "sts:TagSession"); t.TagSession != "yes" && t.Assume == "yes" {
			t.Why = "the job asks for session tag chaining, and its trust policy does not let SageMaker tag the session (sts:TagSession)"
			if t.TagSession == "conditional" {
				t.Why = "the job asks for session tag chaining, which its trust policy allows only under a condition (sts:TagSession)"
			}
		}
	}
	if t.SourceIdentity != "yes" {
		c.note("If the caller's session carries a source identity, as Studio's may, the job fails: the trust policy does not surely allow sts:SetSourceIdentity.")
	}
}

// lets says whether SageMaker may call an action on the role. The conditions of a
// confused-deputy guard are met by the account's own job.
func (c *checker) lets(d *policy.Document, action string) string {
	context := policy.OpenContext(map[string][]string{"aws:SourceAccount": {c.snapshot.Account.ID}})
	if c.job.Name != "" && c.job.Region != "" {
		context = context.With("aws:SourceArn", "arn:"+c.place.partition+":sagemaker:"+c.job.Region+":"+c.snapshot.Account.ID+":training-job/"+c.job.Name)
	}
	answer, denied := policy.False, policy.True
	for _, st := range d.Statements() {
		if !speaksOf(st, action) || !slices.ContainsFunc(principals(st), func(p string) bool { return p == "*" || p == "Service:"+sageMaker }) {
			continue
		}
		holds := policy.True
		for _, r := range st.Read(policy.Request{Action: action, Resource: "*", Context: context}, policy.LayerResource).Conditions {
			holds = min(holds, r.Truth)
		}
		switch {
		case st.Effect == policy.Allow:
			answer = max(answer, holds)
		case holds == policy.True:
			return policy.No.String()
		case holds == policy.Unknown:
			denied = policy.Unknown
		}
	}
	return map[policy.Truth]string{policy.False: "no", policy.Unknown: "conditional", policy.True: "yes"}[min(answer, denied)]
}
