package analyze

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// pair is an account of two roles: trainer, with the policies, and target, which a service
// or a role may be, and which is an administrator.
func pair(trust string, policies ...string) *snapshot.Snapshot {
	s := world(policies...)
	s.OtherRoles = []snapshot.RoleKey{{ARN: targetARN, ID: "AROATARGET"}}
	s.Others = []snapshot.Other{{RoleKey: s.OtherRoles[0], Trust: trust, Inline: []snapshot.InlinePolicy{{Name: "all", Document: allow("*", "*")}}}}
	return s
}

const targetARN = "arn:aws:iam::" + account + ":role/target"

func serviceMayBe(service string) string {
	return statements(`{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}`)
}

func grantOn(resource string, actions ...string) string {
	return fmt.Sprintf(`{"Effect":"Allow","Action":["%s"],"Resource":%q}`, strings.Join(actions, `","`), resource)
}

// TestLaunches: each way to pass a role works with just what its row says; and not without
// one of its actions, without iam:PassRole, to another service, or for a role that trusts
// another one. The role of another account never counts.
func TestLaunches(t *testing.T) {
	for k := range launches {
		l := &launches[k]
		t.Run(l.id, func(t *testing.T) {
			other := glueService
			if l.service == other {
				other = lambdaService
			}
			pass := func(resource, to string) string {
				return fmt.Sprintf(`{"Effect":"Allow","Action":"iam:PassRole","Resource":%q,"Condition":{"StringEquals":{"iam:PassedToService":%q}}}`, resource, to)
			}
			needs := grantOn("*", l.needs...)
			profiled := func(s *snapshot.Snapshot) *snapshot.Snapshot {
				s.Others[0].InstanceProfiles = []string{"arn:aws:iam::" + account + ":instance-profile/target"}
				return s
			}
			found := func(s *snapshot.Snapshot) *report.PathStep {
				for _, p := range reachOf(t, s).Escalation {
					if p.Reaches == reachesAdministrator && p.Target == targetARN && len(p.Steps) == 1 {
						return &p.Steps[0]
					}
				}
				return nil
			}
			step := found(profiled(pair(serviceMayBe(l.service), statements(needs, pass(targetARN, l.service)))))
			if step == nil || step.Method != l.id && !slices.Contains(step.Also, l.id) && !strings.HasPrefix(step.Method, strings.SplitN(l.id, "-", 2)[0]) {
				t.Fatalf("not found: %+v", step)
			}
			if want := map[bool]string{true: certain, false: conditional}[l.asks == ""]; step.Certainty != want {
				t.Errorf("%s, want %s: %q", step.Certainty, want, step.Why)
			}
			if len(step.Grants) < 1+len(l.needs) || step.Grants[0].Action != passAction || len(step.Grants[0].Statements) != 1 || step.Grants[0].Statements[0].Index != 1 || len(step.Trust) != 1 {
				t.Errorf("statements %+v, trust %+v", step.Grants, step.Trust)
			}
			for name, s := range map[string]*snapshot.Snapshot{
				"without iam:PassRole":       pair(serviceMayBe(l.service), statements(needs)),
				"passed to another service":  pair(serviceMayBe(l.service), statements(needs, pass("*", other))),
				"trusted by another service": pair(serviceMayBe("config.amazonaws.com"), statements(needs, pass("*", l.service))),
				"another account's roles":    pair(serviceMayBe(l.service), statements(needs, pass("arn:aws:iam::999988887777:role/*", l.service))),
				"another role":               pair(serviceMayBe(l.service), statements(needs, pass("arn:aws:iam::"+account+":role/targets", l.service))),
				"a Deny":                     pair(serviceMayBe(l.service), statements(needs, pass("*", l.service), `{"Effect":"Deny","Action":"iam:PassRole","Resource":"`+targetARN+`"}`)),
			} {
				if step := found(profiled(s)); step != nil {
					t.Errorf("%s: found %s", name, step.Method)
				}
			}
			for i, without := range l.needs {
				rest := slices.Delete(slices.Clone(l.needs), i, i+1)
				if len(rest) == 0 {
					continue
				}
				step := found(profiled(pair(serviceMayBe(l.service), statements(grantOn("*", rest...), pass("*", l.service)))))
				if step != nil && (step.Method == l.id || slices.Contains(step.Also, l.id)) {
					t.Errorf("without %s: found", without)
				}
			}
			if l.profile {
				if found(pair(serviceMayBe(l.service), statements(needs, pass("*", l.service)))) != nil {
					t.Error("without an instance profile: found")
				}
				if found(pair(serviceMayBe(l.service), statements(needs, pass("*", l.service), grantOn("*", "iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile")))) == nil {
					t.Error("with a profile of its own: not found")
				}
			}
		})
	}
}

// TestServiceTrust: who a service may be, by the trust policy's Allows and Denies and what
// is known of the service's call.
func TestServiceTrust(t *testing.T) {
	one := func(effect, principal, condition string) string {
		if condition != "" {
			condition = `,"Condition":` + condition
		}
		return fmt.Sprintf(`{"Effect":%q,"Principal":%s,"Action":"sts:AssumeRole"%s}`, effect, principal, condition)
	}
	const sageMakers, others = `{"Service":"sagemaker.amazonaws.com"}`, `{"Service":["lambda.amazonaws.com","glue.amazonaws.com"]}`
	for _, tt := range []struct {
		name, trust string
		want        policy.State
	}{
		{"named", statements(one("Allow", sageMakers, "")), policy.Yes},
		{"others are", statements(one("Allow", others, "")), policy.No},
		{"anybody", statements(one("Allow", `"*"`, "")), policy.Yes},
		{"an account", statements(one("Allow", `{"AWS":"`+account+`"}`, "")), policy.No},
		{"for this account", statements(one("Allow", sageMakers, `{"StringEquals":{"aws:SourceAccount":"`+account+`"}}`)), policy.Yes},
		{"for another account", statements(one("Allow", sageMakers, `{"StringEquals":{"aws:SourceAccount":"999988887777"}}`)), policy.No},
		{"for some jobs", statements(one("Allow", sageMakers, `{"ArnLike":{"aws:SourceArn":"arn:aws:sagemaker:*:`+account+`:training-job/a*"}}`)), policy.Conditional},
		{"with an external id", statements(one("Allow", sageMakers, `{"StringEquals":{"sts:ExternalId":"x"}}`)), policy.No},
		{"a Deny", statements(one("Allow", sageMakers, ""), one("Deny", sageMakers, "")), policy.No},
		{"a Deny of others", statements(one("Allow", sageMakers, ""), one("Deny", others, "")), policy.Yes},
		{"a Deny under a condition", statements(one("Allow", sageMakers, ""), one("Deny", `"*"`, `{"StringNotEquals":{"aws:SourceOrgID":"o-1"}}`)), policy.Conditional},
		{"another action", statements(`{"Effect":"Allow","Principal":` + sageMakers + `,"Action":"sts:TagSession"}`), policy.No},
	} {
		if got := serviceTrust(parsed(t, tt.trust), sageMaker, account); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestOwnWays: what a role can do by IAM alone, and what stands in its way.
func TestOwnWays(t *testing.T) {
	self := func(actions ...string) string { return statements(grantOn(roleARN, actions...)) }
	bounded := func(s *snapshot.Snapshot, within ...string) *snapshot.Snapshot {
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::" + account + ":policy/limit", Name: "limit", Version: "v1",
			Document: statements(grantOn("*", within...))})
		s.Roles[0].Boundary = "arn:aws:iam::" + account + ":policy/limit"
		return s
	}
	managed := func(s *snapshot.Snapshot, document string) *snapshot.Snapshot {
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::" + account + ":policy/own", Name: "own", Version: "v1", Document: document})
		s.Roles[0].Attached = append(s.Roles[0].Attached, snapshot.AttachedPolicy{Name: "own", ARN: "arn:aws:iam::" + account + ":policy/own"})
		return s
	}
	aws := func(s *snapshot.Snapshot, document string) *snapshot.Snapshot {
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::aws:policy/Own", Name: "Own", Version: "v1", Document: document})
		s.Roles[0].Attached = append(s.Roles[0].Attached, snapshot.AttachedPolicy{Name: "Own", ARN: "arn:aws:iam::aws:policy/Own"})
		return s
	}
	closed := serviceMayBe("config.amazonaws.com")
	noS3 := statements(`{"Effect":"Deny","Action":"s3:*","Resource":"*"}`)
	for _, tt := range []struct {
		name string
		s    *snapshot.Snapshot
		want string // methods of the first path, "" for none; then its certainty
	}{
		{"an inline policy", pair(closed, self("iam:PutRolePolicy")), "put-role-policy certain"},
		{"an inline Deny is overwritten", pair(closed, self("iam:PutRolePolicy"), noS3), "put-role-policy certain"},
		{"an inline Deny stays where a policy is attached, and is overwritten next", pair(closed, self("iam:AttachRolePolicy"), noS3), "attach-role-policy put-role-policy certain"},
		{"a managed Deny stays, and a new role has none", managed(pair(closed, self("iam:PutRolePolicy")), noS3), "put-role-policy create-role certain"},
		{"a managed Deny is overwritten", managed(pair(closed, self("iam:PutRolePolicy"), statements(grantOn("*", "iam:CreatePolicyVersion"))), noS3), "create-policy-version certain"},
		{"of another role only", pair(closed, statements(grantOn(targetARN, "iam:PutRolePolicy"))), ""},
		{"of all roles but itself", pair(closed, statements(grantOn("*", "iam:PutRolePolicy"), `{"Effect":"Deny","Action":"iam:*","Resource":"`+roleARN+`"}`)), ""},
		{"a managed policy", pair(closed, self("iam:AttachRolePolicy")), "attach-role-policy certain"},
		{"managed policies of a list", pair(closed, statements(`{"Effect":"Allow","Action":"iam:AttachRolePolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/ReadOnlyAccess"}}}`)), ""},
		{"a new version of an own policy", managed(pair(closed), statements(grantOn("*", "iam:CreatePolicyVersion"))), "create-policy-version certain"},
		{"a new version of AWS's policy", aws(pair(closed), statements(grantOn("*", "iam:CreatePolicyVersion"))), ""},
		{"its boundary, and then its policy", bounded(pair(closed, self("iam:DeleteRolePermissionsBoundary", "iam:PutRolePolicy")), "iam:DeleteRolePermissionsBoundary", "iam:PutRolePolicy"), "delete-role-boundary put-role-policy certain"},
		{"its policy within its boundary", bounded(pair(closed, self("iam:PutRolePolicy")), "iam:PutRolePolicy", "s3:*"), ""},
		{"its policy within a boundary that lets it go", bounded(pair(closed, self("iam:PutRolePolicy")), "iam:*", "s3:*"), "put-role-policy delete-role-boundary certain"},
		{"its boundary's policy", bounded(pair(closed, statements(grantOn("*", "iam:CreatePolicyVersion", "iam:PutRolePolicy"))), "iam:CreatePolicyVersion", "iam:PutRolePolicy"), "create-policy-version put-role-policy certain"},
		{"trust of an administrator", pair(closed, statements(grantOn(targetARN, "iam:UpdateAssumeRolePolicy"))), "update-trust assume-role certain"},
		{"trust, and a Deny of the rest", pair(closed, statements(grantOn(targetARN, "iam:UpdateAssumeRolePolicy"), `{"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"}`)), ""},
		{"a role that names it", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"` + roleARN + `"},"Action":"sts:AssumeRole"}`)), "assume-role certain"},
		{"a role that lets the account decide", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole"}`), statements(grantOn("*", "sts:AssumeRole"))), "assume-role certain"},
		{"a role that lets the account decide, which does not", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}`)), ""},
		{"a role that asks for MFA", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}`), statements(grantOn("*", "sts:AssumeRole"))), ""},
		{"a role for another account", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"999988887777"},"Action":"sts:AssumeRole"}`), statements(grantOn("*", "sts:AssumeRole"))), ""},
		{"under a condition", pair(statements(`{"Effect":"Allow","Principal":{"AWS":"`+account+`"},"Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`), statements(grantOn("*", "sts:AssumeRole"))), "assume-role conditional"},
		{"a new role", pair(closed, statements(grantOn("arn:aws:iam::"+account+":role/team-*", "iam:CreateRole", "iam:AttachRolePolicy"))), "create-role certain"},
		{"a new role with a boundary only", pair(closed, statements(`{"Effect":"Allow","Action":["iam:CreateRole","iam:AttachRolePolicy"],"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::`+account+`:policy/limit"}}}`)), ""},
		{"a new role here, its policy there", pair(closed, statements(grantOn("arn:aws:iam::"+account+":role/a-*", "iam:CreateRole"), grantOn("arn:aws:iam::"+account+":role/b-*", "iam:AttachRolePolicy"))), ""},
		{"a new user", pair(closed, statements(grantOn("*", "iam:CreateUser", "iam:PutUserPolicy", "iam:CreateAccessKey"))), "create-user certain"},
		{"a new user without a key", pair(closed, statements(grantOn("*", "iam:CreateUser", "iam:PutUserPolicy"))), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			for _, p := range reachOf(t, tt.s).Escalation {
				if p.Reaches == reachesAdministrator {
					for _, s := range p.Steps {
						got += s.Method + " "
					}
					got += p.Certainty
					if p.Certainty == conditional && !slices.ContainsFunc(p.Steps, func(s report.PathStep) bool { return len(s.Why) > 0 }) {
						t.Error("nothing says on what it depends")
					}
					break
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestOpenings: ways whose end was not read are told as such, with the roles that they may
// lead to, and not where no role could be there.
func TestOpenings(t *testing.T) {
	for k := range openings {
		o := &openings[k]
		t.Run(o.id, func(t *testing.T) {
			trust := serviceMayBe("config.amazonaws.com")
			if o.service != "" {
				trust = serviceMayBe(o.service)
			}
			about := func(s *snapshot.Snapshot) *report.Path {
				for _, p := range reachOf(t, s).Escalation {
					if p.Reaches == reachesUnknown && p.Steps[0].Method == o.id {
						return &p
					}
				}
				return nil
			}
			document := statements(grantOn("*", o.needs...))
			s := pair(trust, document)
			if o.own {
				s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::" + account + ":policy/own", Name: "own", Version: "v1", Document: allow("s3:GetObject", "*")})
				s.Roles[0].Attached = []snapshot.AttachedPolicy{{Name: "own", ARN: "arn:aws:iam::" + account + ":policy/own"}}
			}
			p := about(s)
			if p == nil || p.Certainty != certain || p.Target != "" || len(p.Steps) != 1 || len(p.Steps[0].Grants) < len(o.needs) || o.service != "" && !strings.Contains(p.Sentence, "target") {
				t.Fatalf("path %+v", p)
			}
			if o.service != "" {
				if p := about(pair(serviceMayBe("config.amazonaws.com"), document)); p != nil {
					if o.service != sageMaker {
						t.Errorf("no role could be there: %s", p.Sentence)
					}
				}
				unknown := pair(serviceMayBe("config.amazonaws.com"), document)
				unknown.OtherRoles, unknown.Others = nil, nil
				if about(unknown) == nil {
					t.Error("where the other roles are not known: not found")
				}
			}
			if p := about(pair(trust, statements(grantOn("*", "s3:GetObject")))); p != nil {
				t.Errorf("without its actions: %s", p.Sentence)
			}
		})
	}
}

// TestEscalationSaysWhatIsNotKnown: of other roles, and of policies that could not be read.
func TestEscalationSaysWhatIsNotKnown(t *testing.T) {
	s := pair(trustSageMaker, allow("iam:PutRolePolicy", "*"))
	if r := reachOf(t, s); len(r.EscalationWhy) > 0 || r.Administrator != "no" {
		t.Errorf("reach %+v", r)
	}
	s.OtherRoles, s.Others = nil, nil
	if r := reachOf(t, s); !slices.Equal(r.EscalationWhy, []string{"the account's other roles were not read"}) {
		t.Errorf("why %q", r.EscalationWhy)
	}
	s = pair(trustSageMaker, allow("iam:PutRolePolicy", "*"))
	s.Roles[0].Unread = []string{"attached"}
	if r := reachOf(t, s); len(r.Escalation) == 0 || r.Escalation[0].Certainty != conditional || len(r.EscalationWhy) != 1 {
		t.Errorf("with a policy that was not read: %+v", r) // it may hold a Deny
	}
	s = pair(trustSageMaker, allow("*", "*"))
	if r := reachOf(t, s); r.Administrator != "yes" || len(r.Escalation) > 0 {
		t.Errorf("an administrator: %+v", r)
	}
}

// TestMethods: every action of the tables is in the catalogue, every id is there once, and
// docs/reach.md has each.
func TestMethods(t *testing.T) {
	doc, err := os.ReadFile("../../docs/reach.md")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	row := func(id string, needs ...string) {
		if ids[id] {
			t.Errorf("%s is there twice", id)
		}
		ids[id] = true
		cells := "`" + strings.Join(needs, "`, `") + "`"
		if !strings.Contains(string(doc), "| "+id+" | "+cells+" |") {
			t.Errorf("docs/reach.md lacks the row | %s | %s |", id, cells)
		}
		for _, action := range needs {
			if _, known := actions.Load().Index(action); !known {
				t.Errorf("%s: %s is in no catalogue", id, action)
			}
		}
	}
	for _, l := range launches {
		row(l.id, l.needs...)
		if l.source == "" || strings.Count(l.does, "%s") != 1 {
			t.Errorf("%s: source %q, does %q", l.id, l.source, l.does)
		}
	}
	for _, e := range edits {
		row(e.id, e.action)
	}
	row(versionID, versionAction)
	row(assumeID, assumeAction)
	for _, c := range creations {
		var needs []string
		for _, group := range c.needs {
			needs = append(needs, group...)
		}
		row(c.id, needs...)
	}
	for _, o := range openings {
		row(o.id, o.needs...)
	}
	for _, p := range adminProbes {
		if !strings.Contains(string(doc), "`"+p.action+"`") {
			t.Errorf("docs/reach.md does not say that an administrator may %s", p.action)
		}
	}
}
