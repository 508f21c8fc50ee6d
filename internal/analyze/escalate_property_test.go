package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// tinyAccount is a random account of a few roles that may escalate.
func tinyAccount(r *rand.Rand) (*snapshot.Snapshot, []GivenPolicy) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	s := world()
	s.Roles, s.Accessed, s.OtherRoles = nil, nil, []snapshot.RoleKey{}
	n := 3 + r.IntN(2)
	role := func(i int) string { return fmt.Sprintf("arn:aws:iam::%s:role/r%d", account, i) }
	someRole := func() string {
		return pick("*", "arn:aws:iam::"+account+":role/*", role(r.IntN(n)), role(r.IntN(n)), "arn:aws:iam::"+account+":role/r?", "arn:aws:iam::999988887777:role/*", "arn:aws:iam::"+account+":role/team-*")
	}
	statement := func() string {
		effect := pick("Allow", "Allow", "Allow", "Allow", "Deny")
		if effect == "Deny" {
			return fmt.Sprintf(`{"Effect":"Deny","Action":%q,"Resource":%q%s}`,
				pick("iam:PassRole", "sts:*", "iam:Put*", "iam:*", "s3:PutObject", "lambda:*", "iam:AttachRolePolicy", "sagemaker:Create*"), pick(someRole(), "*"),
				pick("", "", "", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, `,"Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AdministratorAccess"}}`))
		}
		condition := pick("", "", "", "", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, `,"Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}`, `,"Condition":{"StringEquals":{"iam:ResourceTag/team":"a"}}`)
		switch r.IntN(9) {
		case 0:
			return fmt.Sprintf(`{"Effect":"Allow","Action":"iam:PassRole","Resource":%q%s}`, someRole(),
				pick("", `,"Condition":{"StringEquals":{"iam:PassedToService":"sagemaker.amazonaws.com"}}`, `,"Condition":{"StringEquals":{"iam:PassedToService":["lambda.amazonaws.com","glue.amazonaws.com"]}}`, condition))
		case 1:
			return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q%s}`, pick("sagemaker:CreateTrainingJob", "sagemaker:*", "sagemaker:Create*"), pick("*", "arn:aws:sagemaker:us-east-1:"+account+":training-job/team-*", "arn:aws:sagemaker:*:"+account+":*"), condition)
		case 2:
			return fmt.Sprintf(`{"Effect":"Allow","Action":%s,"Resource":"*"%s}`, pick(`["lambda:CreateFunction","lambda:InvokeFunction"]`, `"lambda:CreateFunction"`, `["glue:CreateSession","glue:RunStatement"]`), condition)
		case 3:
			return fmt.Sprintf(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":%q%s}`, someRole(), condition)
		case 4:
			return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q%s}`, pick("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"), someRole(), condition)
		case 5:
			return fmt.Sprintf(`{"Effect":"Allow","Action":%q,"Resource":%q%s}`, pick("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"), someRole(), condition)
		case 6:
			return fmt.Sprintf(`{"Effect":"Allow","Action":"iam:CreatePolicyVersion","Resource":%q%s}`, pick("*", "arn:aws:iam::"+account+":policy/p0", "arn:aws:iam::"+account+":policy/p*"), condition)
		case 7:
			return fmt.Sprintf(`{"Effect":"Allow","Action":%s,"Resource":%q%s}`, pick(`["iam:CreateRole","iam:PutRolePolicy"]`, `["iam:CreateUser","iam:AttachUserPolicy","iam:CreateAccessKey"]`, `["iam:CreateRole","iam:AttachRolePolicy","sts:AssumeRole"]`),
				pick("*", "arn:aws:iam::"+account+":role/team-*", "arn:aws:iam::"+account+":user/team-*"), condition)
		}
		return `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
	}
	document := func() string {
		var all []string
		for range 1 + r.IntN(3) {
			all = append(all, statement())
		}
		return statements(all...)
	}
	trusts := func() string {
		one := func() string {
			return pick(`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole"}`,
				`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"`+account+`"}}}`,
				`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:sagemaker:us-east-1:`+account+`:training-job/a*"}}}`,
				`{"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com","glue.amazonaws.com"]},"Action":"sts:AssumeRole"}`,
				`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+account+`:root"},"Action":"sts:AssumeRole"}`,
				`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+account+`:root"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`,
				`{"Effect":"Allow","Principal":{"AWS":"`+role(r.IntN(n))+`"},"Action":"sts:AssumeRole"}`,
				`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`,
				`{"Effect":"Deny","Principal":{"AWS":"`+role(r.IntN(n))+`"},"Action":"sts:AssumeRole"}`)
		}
		all := []string{one()}
		if r.IntN(2) == 0 {
			all = append(all, one())
		}
		return statements(all...)
	}
	for k := range 2 {
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: fmt.Sprintf("arn:aws:iam::%s:policy/p%d", account, k), Name: fmt.Sprintf("p%d", k), Version: "v1", Document: document()})
	}
	for i := range n {
		x := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: role(i), ID: fmt.Sprint("AROA", i)}, Name: fmt.Sprint("r", i), Path: "/", Trust: trusts(), CreatedAt: now.AddDate(-1, 0, 0)}
		x.Inline = []snapshot.InlinePolicy{{Name: "a", Document: document()}}
		switch r.IntN(8) {
		case 0:
			x.Inline[0].Document = allow("*", "*")
		case 1:
			x.Inline = append(x.Inline, snapshot.InlinePolicy{Name: "b", Document: statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`, statement())})
		case 2:
			x.Inline = append(x.Inline, snapshot.InlinePolicy{Name: "b", Document: document()})
		}
		for k := range s.Policies {
			if r.IntN(4) == 0 {
				x.Attached = append(x.Attached, snapshot.AttachedPolicy{Name: s.Policies[k].Name, ARN: s.Policies[k].ARN})
			}
		}
		switch r.IntN(6) {
		case 0:
			x.Boundary = s.Policies[0].ARN
		case 1:
			x.Boundary = "arn:aws:iam::" + account + ":policy/limit"
		}
		if r.IntN(3) == 0 {
			x.Tags = []snapshot.Tag{{Key: "team", Value: pick("a", "b")}}
		}
		s.Roles = append(s.Roles, x)
	}
	s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::" + account + ":policy/limit", Name: "limit", Version: "v1",
		Document: pick(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iam:*","sts:*","s3:*"],"Resource":"*"}}`)})
	var given []GivenPolicy
	if r.IntN(4) == 0 {
		g, err := ParseSCP(0, "scp", []byte(pick(statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`, `{"Effect":"Deny","Action":"iam:Create*","Resource":"*"}`),
			statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`, `{"Effect":"Deny","Action":["iam:PassRole","cloudtrail:StopLogging"],"Resource":"`+role(0)+`"}`),
			statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`, `{"Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}}`))))
		if err != nil {
			panic(err)
		}
		given = append(given, g)
	}
	s.Sort()
	return s, given
}

// bruteRole is a role as it stands at one moment of an attack.
type bruteRole struct {
	arn             string
	inline          []*policy.Document
	attached        []string
	boundary        string
	trust           *policy.Document
	tags            map[string]string
	trustsEverybody bool
}

// brute is a moment of an attack: what is controlled, and how the account stands.
type brute struct {
	roles      []bruteRole
	managed    map[string]*policy.Document
	scps       [][]policy.Policy
	controlled []bool
	// made is set once a new administrator was made.
	made bool
	side policy.Side
}

var bruteAll, _ = policy.Parse([]byte(allow("*", "*")))

const bruteAdmin = "arn:aws:iam::aws:policy/AdministratorAccess"

func (b *brute) clone() *brute {
	c := *b
	c.roles = slices.Clone(b.roles)
	c.controlled = slices.Clone(b.controlled)
	c.managed = map[string]*policy.Document{}
	for k, v := range b.managed {
		c.managed[k] = v
	}
	return &c
}

// key tells moments apart.
func (b *brute) key() string {
	var k strings.Builder
	for i, r := range b.roles {
		fmt.Fprint(&k, b.controlled[i], len(r.inline) == 1 && r.inline[0] == bruteAll, slices.Contains(r.attached, bruteAdmin), r.boundary, r.trustsEverybody, ";")
	}
	for _, arn := range []string{"p0", "p1", "limit"} {
		fmt.Fprint(&k, b.managed["arn:aws:iam::"+account+":policy/"+arn] == bruteAll)
	}
	fmt.Fprint(&k, b.made)
	return k.String()
}

func (b *brute) stack(i int) policy.Stack {
	r := &b.roles[i]
	st := policy.Stack{SCPs: b.scps}
	for _, d := range r.inline {
		st.Identity = append(st.Identity, policy.Policy{Layer: policy.LayerIdentity, Document: d})
	}
	for _, arn := range r.attached {
		st.Identity = append(st.Identity, policy.Policy{Layer: policy.LayerIdentity, Document: b.managed[arn]})
	}
	if r.boundary != "" {
		st.Boundary = []policy.Policy{{Layer: policy.LayerBoundary, Document: b.managed[r.boundary]}}
	}
	return st
}

// allowed decides one request of role i, with keys and values ("" for an absent key).
func (b *brute) allowed(i int, action, resource string, trust *policy.Document, free bool, keys ...string) bool {
	r := &b.roles[i]
	st := b.stack(i)
	if trust != nil {
		st.Resource = &policy.Policy{Layer: policy.LayerResource, Document: trust}
	}
	if free {
		st.SCPs = nil
	}
	who := policy.Principal{ARN: r.arn, Account: account}
	known := policy.Offline(policy.Facts{Principal: who, Tags: r.tags, Region: "us-east-1"})
	for k := 0; k < len(keys); k += 2 {
		if keys[k+1] == "" {
			known = known.Without(keys[k])
		} else {
			known = known.With(keys[k], keys[k+1])
		}
	}
	return st.Decide(policy.Request{Principal: who, Action: action, Resource: resource, Context: known}, b.side).Outcome == policy.Allowed
}

func (b *brute) about(j int, more ...string) []string {
	for k, v := range b.roles[j].tags {
		more = append(more, "iam:ResourceTag/"+k, v, "aws:ResourceTag/"+k, v)
	}
	return more
}

// administrator asks for all that an administrator can do, on names that nobody knows.
func (b *brute) administrator(i int) bool {
	role, user, pol := "arn:aws:iam::"+account+":role/zz-nobody", "arn:aws:iam::"+account+":user/zz-nobody", "arn:aws:iam::"+account+":policy/zz-nobody"
	for _, q := range [][2]string{{"iam:AttachRolePolicy", role}, {"iam:PutRolePolicy", role}, {"iam:UpdateAssumeRolePolicy", role}, {"iam:CreatePolicyVersion", pol}, {"iam:CreateAccessKey", user},
		{"iam:PassRole", role}, {"sts:AssumeRole", role}, {"s3:GetObject", "arn:aws:s3:::zz/nobody"}, {"s3:PutObject", "arn:aws:s3:::zz/nobody"},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:" + account + ":secret:zz"}, {"ec2:TerminateInstances", "arn:aws:ec2:us-east-1:" + account + ":instance/zz"},
		{"lambda:UpdateFunctionCode", "arn:aws:lambda:us-east-1:" + account + ":function:zz"}, {"cloudtrail:StopLogging", "arn:aws:cloudtrail:us-east-1:" + account + ":trail/zz"}} {
		if !b.allowed(i, q[0], q[1], nil, true) {
			return false
		}
	}
	return true
}

// trusts reads a trust policy for a service, statement by statement.
func (b *brute) trusts(j int, service string) bool {
	if b.roles[j].trustsEverybody {
		return true
	}
	allowed := false
	for _, st := range b.roles[j].trust.Statements() {
		named := false
		for _, set := range st.Principals {
			named = named || set.Type == "*" || set.Type == "Service" && slices.Contains(set.Values, service)
		}
		holds := true
		for _, c := range st.Conditions {
			switch c.Key {
			case "aws:SourceAccount": // of the one value that is ours
			case "aws:SourceArn":
				holds = holds && b.side == policy.May
			default: // MFA and external ids: a service brings none
				holds = false
			}
		}
		if named && holds && st.Effect == policy.Allow {
			allowed = true
		}
	}
	return allowed
}

// bruteLaunches are ways to pass a role, with requests written out.
var bruteLaunches = []struct {
	service string
	needs   [][]string // action, then resources of which one must do for all of the way
}{
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateTrainingJob", "training-job/x", "training-job/team-x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateProcessingJob", "processing-job/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateHyperParameterTuningJob", "hyper-parameter-tuning-job/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateNotebookInstance", "notebook-instance/x"}, {"sagemaker:CreatePresignedNotebookInstanceUrl", "notebook-instance/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateNotebookInstanceLifecycleConfig", "notebook-instance-lifecycle-config/x"}, {"sagemaker:CreateNotebookInstance", "notebook-instance/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateModel", "model/x"}, {"sagemaker:CreateEndpointConfig", "endpoint-config/x"}, {"sagemaker:CreateEndpoint", "endpoint/x"}, {"sagemaker:CreateEndpoint", "endpoint-config/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreateModel", "model/x"}, {"sagemaker:CreateTransformJob", "transform-job/x"}}},
	{"sagemaker.amazonaws.com", [][]string{{"sagemaker:CreatePipeline", "pipeline/x"}, {"sagemaker:StartPipelineExecution", "pipeline/x"}}},
	{"lambda.amazonaws.com", [][]string{{"lambda:CreateFunction", "function:x"}, {"lambda:InvokeFunction", "function:x"}}},
	{"glue.amazonaws.com", [][]string{{"glue:CreateSession", "session/x"}, {"glue:RunStatement", "session/x"}}},
}

func (b *brute) mayLaunch(i int, needs [][]string) bool {
	for _, need := range needs {
		service := serviceOf(need[0])
		if !slices.ContainsFunc(need[1:], func(r string) bool {
			return b.allowed(i, need[0], "arn:aws:"+service+":us-east-1:"+account+":"+r, nil, false)
		}) {
			return false
		}
	}
	return true
}

func (b *brute) mayAssume(i, j int) bool {
	trust := b.roles[j].trust
	if b.roles[j].trustsEverybody {
		trust = bruteAnyone
	}
	var got [2]bool
	for k, mfa := range []string{"", "false"} {
		got[k] = b.allowed(i, "sts:AssumeRole", b.roles[j].arn, trust, false, b.about(j, "aws:MultiFactorAuthPresent", mfa, "aws:MultiFactorAuthAge", "")...)
	}
	if b.side == policy.Must {
		return got[0] && got[1]
	}
	return got[0] || got[1]
}

var bruteAnyone, _ = policy.Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`))

// next are the moments that one more step leads to.
func (b *brute) next() []*brute {
	var out []*brute
	then := func(change func(*brute)) {
		c := b.clone()
		change(c)
		out = append(out, c)
	}
	for i := range b.roles {
		if !b.controlled[i] {
			continue
		}
		for j := range b.roles {
			to := b.roles[j].arn
			bound := b.roles[j].boundary
			if b.allowed(i, "iam:PutRolePolicy", to, nil, false, b.about(j, "iam:PermissionsBoundary", bound)...) {
				then(func(c *brute) { c.roles[j].inline = []*policy.Document{bruteAll} })
			}
			if b.allowed(i, "iam:AttachRolePolicy", to, nil, false, b.about(j, "iam:PermissionsBoundary", bound, "iam:PolicyARN", bruteAdmin)...) {
				then(func(c *brute) { c.roles[j].attached = append(slices.Clone(c.roles[j].attached), bruteAdmin) })
			}
			if bound != "" && (b.allowed(i, "iam:DeleteRolePermissionsBoundary", to, nil, false, b.about(j, "iam:PermissionsBoundary", bound)...) ||
				b.allowed(i, "iam:PutRolePermissionsBoundary", to, nil, false, b.about(j, "iam:PermissionsBoundary", bruteAdmin)...)) {
				then(func(c *brute) { c.roles[j].boundary = "" })
			}
			if b.allowed(i, "iam:UpdateAssumeRolePolicy", to, nil, false, b.about(j)...) {
				then(func(c *brute) { c.roles[j].trustsEverybody = true })
			}
			if b.controlled[j] {
				continue
			}
			become := func(c *brute) { c.controlled[j] = true }
			if b.mayAssume(i, j) {
				then(become)
				continue
			}
			for _, l := range bruteLaunches {
				if b.trusts(j, l.service) && b.allowed(i, "iam:PassRole", to, nil, false, b.about(j, "iam:PassedToService", l.service)...) && b.mayLaunch(i, l.needs) {
					then(become)
					break
				}
			}
		}
		for arn, d := range b.managed {
			if d != bruteAll && arn != bruteAdmin && b.allowed(i, "iam:CreatePolicyVersion", arn, nil, false) {
				then(func(c *brute) { c.managed[arn] = bruteAll })
			}
		}
		for _, name := range []string{"zz-new", "team-new"} {
			role, user := "arn:aws:iam::"+account+":role/"+name, "arn:aws:iam::"+account+":user/"+name
			none := []string{"iam:PermissionsBoundary", ""}
			attach := append([]string{"iam:PolicyARN", bruteAdmin}, none...)
			if b.allowed(i, "iam:CreateRole", role, nil, false, none...) && (b.allowed(i, "iam:AttachRolePolicy", role, nil, false, attach...) || b.allowed(i, "iam:PutRolePolicy", role, nil, false, none...)) &&
				b.allowed(i, "sts:AssumeRole", role, bruteAnyone, false) ||
				b.allowed(i, "iam:CreateUser", user, nil, false, none...) && (b.allowed(i, "iam:AttachUserPolicy", user, nil, false, attach...) || b.allowed(i, "iam:PutUserPolicy", user, nil, false, none...)) &&
					b.allowed(i, "iam:CreateAccessKey", user, nil, false, none...) {
				then(func(c *brute) { c.made = true })
			}
		}
	}
	return out
}

// attack tries everything, moment by moment: how few steps lead to an administrator, 0 for
// none within most, and to each role.
func attack(b *brute, most int) (nearest int, roles map[int]int) {
	roles = map[int]int{}
	seen := map[string]bool{b.key(): true}
	moments := []*brute{b}
	for step := 1; step <= most; step++ {
		var after []*brute
		for _, m := range moments {
			for _, c := range m.next() {
				if k := c.key(); !seen[k] {
					seen[k] = true
					after = append(after, c)
				}
			}
		}
		for _, c := range after {
			won := c.made
			for i := range c.roles {
				if c.controlled[i] && !b.controlled[i] && roles[i] == 0 {
					roles[i] = step
				}
				won = won || c.controlled[i] && c.administrator(i)
			}
			if won {
				nearest = step
			}
		}
		if nearest > 0 {
			break
		}
		moments = after
	}
	return nearest, roles
}

func bruteOf(t *testing.T, s *snapshot.Snapshot, given []GivenPolicy, start int, side policy.Side) *brute {
	t.Helper()
	b := &brute{managed: map[string]*policy.Document{bruteAdmin: bruteAll}, side: side, controlled: make([]bool, len(s.Roles))}
	for _, p := range s.Policies {
		b.managed[p.ARN] = parsed(t, p.Document)
	}
	for _, r := range s.Roles {
		x := bruteRole{arn: r.ARN, boundary: r.Boundary, trust: parsed(t, r.Trust), tags: map[string]string{}}
		for _, p := range r.Inline {
			x.inline = append(x.inline, parsed(t, p.Document))
		}
		for _, p := range r.Attached {
			x.attached = append(x.attached, p.ARN)
		}
		for _, tag := range r.Tags {
			x.tags[tag.Key] = tag.Value
		}
		b.roles = append(b.roles, x)
	}
	for _, g := range given {
		b.scps = append(b.scps, []policy.Policy{{Layer: policy.LayerSCP, Document: g.document}})
	}
	b.controlled[start] = true
	return b
}

// TestEscalationAgainstBruteForce: on random small accounts the search finds an
// administrator in as few steps as trying everything does, and not where that finds none;
// and just the roles that are nearer, each as near.
func TestEscalationAgainstBruteForce(t *testing.T) {
	const most = 3
	r := rand.New(rand.NewPCG(90, 2))
	bySteps, reached, starts := map[int]int{}, 0, 0
	count := worlds(360)
	for n := range count {
		s, given := tinyAccount(r)
		a := newAudit(s)
		a.library.give(given)
		w := a.escalations()
		start := r.IntN(len(s.Roles))
		for floor, side := range map[policy.State]policy.Side{policy.Yes: policy.Must, policy.Conditional: policy.May} {
			b := bruteOf(t, s, given, start, side)
			if is := b.administrator(start); is != (w.administrator(w.as(start, 0)) >= floor) {
				t.Fatalf("world %d: administrator by requests: %v", n, is)
			} else if is {
				continue
			}
			starts++
			nearest, roles := attack(b, most)
			got := w.search(start, floor, most)
			gotRoles := map[int]int{}
			for _, e := range got.ends {
				if e.member >= 0 && e.member != start {
					if k, steps := gotRoles[e.member], len(e.fact.derive()); k == 0 || steps < k {
						gotRoles[e.member] = steps
					}
				}
			}
			for _, m := range []map[int]int{roles, gotRoles} {
				for i, k := range m {
					if nearest > 0 && k >= nearest {
						delete(m, i)
					}
				}
			}
			if got.nearest != nearest || fmt.Sprint(gotRoles) != fmt.Sprint(roles) {
				t.Fatalf("world %d, from %s, at least %s: administrator in %d steps, by trying everything in %d; roles %v, by trying everything %v\n%s", n, s.Roles[start].Name, floor,
					got.nearest, nearest, gotRoles, roles, retold(s, given, w, got))
			}
			bySteps[nearest]++
			reached += len(roles)
		}
	}
	t.Logf("%d worlds, %d starts; administrator in steps: %v (0: never); %d nearer roles", count, starts, bySteps, reached)
	if bySteps[1] < 10 || bySteps[2] < 10 || bySteps[3] < 2 || bySteps[0] < 20 || reached < 20 {
		t.Error("too few of a kind to prove anything")
	}
}

func retold(s *snapshot.Snapshot, given []GivenPolicy, w *escalations, got *search) string {
	var b strings.Builder
	for _, r := range s.Roles {
		fmt.Fprintf(&b, "%s trust %s\n  boundary %s tags %v attached %v\n", r.Name, r.Trust, r.Boundary, r.Tags, r.Attached)
		for _, p := range r.Inline {
			fmt.Fprintf(&b, "  %s\n", p.Document)
		}
	}
	for _, p := range s.Policies {
		fmt.Fprintf(&b, "%s %s\n", p.Name, p.Document)
	}
	for _, g := range given {
		fmt.Fprintf(&b, "scp %s\n", g.document.Print())
	}
	for _, e := range got.ends {
		fmt.Fprintf(&b, "end %d admin %v:", e.member, e.administrator)
		for _, l := range e.fact.derive() {
			fmt.Fprintf(&b, " [%d %s %d %s %s]", l.by.member, l.id, l.target, l.policy, l.state)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
