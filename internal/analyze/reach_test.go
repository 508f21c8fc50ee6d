package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// stocked is a world with four buckets, two repositories and three keys, all listed.
func stocked(policies ...string) *snapshot.Snapshot {
	s := world(policies...)
	s.Inventory = []snapshot.Inventory{
		{Kind: snapshot.KindBucket, ARNs: []string{"arn:aws:s3:::data", "arn:aws:s3:::data-raw", "arn:aws:s3:::logs", "arn:aws:s3:::models"}},
		{Kind: snapshot.KindKey, Region: "us-east-1", ARNs: []string{ownKey("k1"), ownKey("k2"), ownKey("k3")}},
		{Kind: snapshot.KindRepository, Region: "us-east-1", ARNs: []string{ownRepository("serve"), ownRepository("train")}},
	}
	return s
}

func ownKey(id string) string { return "arn:aws:kms:us-east-1:" + account + ":key/" + id }
func ownRepository(name string) string {
	return "arn:aws:ecr:us-east-1:" + account + ":repository/" + name
}

func statements(all ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

func reachOf(t *testing.T, s *snapshot.Snapshot, given ...GivenPolicy) report.Reach {
	t.Helper()
	r, err := Analyze(s, Options{Given: given})
	if err != nil {
		t.Fatal(err)
	}
	return r.Roles[0].Reach
}

// TestReachCounts: what each layer refuses is not counted, whatever the others say.
func TestReachCounts(t *testing.T) {
	const (
		all     = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		s3      = `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
		key     = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}`
		tooFew  = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/other"},"Action":"kms:*","Resource":"*"}`
		noWrite = `{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/*"}`
	)
	scp := func(texts ...string) []GivenPolicy {
		var out []GivenPolicy
		for level, text := range texts {
			g, err := ParseSCP(level, fmt.Sprint(level), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, g)
		}
		return out
	}
	rcp := func(text string) []GivenPolicy {
		g, err := ParseRCP("rcp", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return []GivenPolicy{g}
	}
	bounded := func(s *snapshot.Snapshot, document string) *snapshot.Snapshot {
		s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::123456789012:policy/limit", Name: "limit", Version: "v1", Document: document})
		s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
		return s
	}
	with := func(s *snapshot.Snapshot, arn, document string) *snapshot.Snapshot {
		s.Resources = append(s.Resources, snapshot.ResourcePolicy{ARN: arn, Document: document})
		return s
	}
	n := func(certain, conditional, part, unread int) report.Reached {
		return report.Reached{Certain: certain, Conditional: conditional, Partial: part, PolicyNotRead: unread}
	}
	type counts struct{ readBuckets, writeBuckets, pull, push, decrypt, encrypt report.Reached }
	for _, tt := range []struct {
		name  string
		s     *snapshot.Snapshot
		given []GivenPolicy
		want  counts
	}{
		{"everything", stocked(statements(all)), nil, counts{n(4, 0, 0, 4), n(4, 0, 0, 4), n(2, 0, 0, 0), n(2, 0, 0, 0), n(3, 0, 0, 3), n(3, 0, 0, 3)}},
		{"nothing", stocked(), nil, counts{}},
		{"two of the buckets, by a name's beginning", stocked(allow("s3:GetObject", "arn:aws:s3:::data*")), nil, counts{readBuckets: n(2, 0, 0, 2)}},
		{"a prefix", stocked(allow("s3:GetObject", "arn:aws:s3:::data/in/*")), nil, counts{readBuckets: n(1, 0, 1, 1)}},
		{"any bucket whose keys have the name in them", stocked(allow("s3:GetObject", "arn:aws:s3:::*sagemaker*")), nil, counts{readBuckets: n(4, 0, 4, 4)}},
		{"the bucket without its objects", stocked(allow("s3:GetObject", "arn:aws:s3:::data")), nil, counts{}},
		{"a Deny of one bucket", stocked(statements(s3, `{"Effect":"Deny","Action":"s3:Get*","Resource":"arn:aws:s3:::data/*"}`)), nil, counts{readBuckets: n(3, 0, 0, 3), writeBuckets: n(4, 0, 0, 4)}},
		{"a Deny of all but one", stocked(statements(s3, `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::logs","arn:aws:s3:::logs/*"]}`)), nil, counts{readBuckets: n(1, 0, 0, 1), writeBuckets: n(1, 0, 0, 1)}},
		{"a Deny that takes away all that is allowed", stocked(statements(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/in/*"}`, `{"Effect":"Deny","Action":"s3:GetObject","Resource":["arn:aws:s3:::data/in*"]}`)), nil, counts{}},
		{"a Deny of a prefix", stocked(statements(s3, `{"Effect":"Deny","Action":"s3:GetObject","Resource":"arn:aws:s3:::*/secret/*"}`)), nil, counts{readBuckets: n(4, 0, 4, 4), writeBuckets: n(4, 0, 0, 4)}},
		{"under a condition", stocked(statements(`{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}`)), nil, counts{readBuckets: n(0, 4, 0, 4)}},
		{"a Deny under a condition", stocked(statements(s3, `{"Effect":"Deny","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/*","Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}`)), nil, counts{readBuckets: n(4, 0, 0, 4), writeBuckets: n(3, 1, 0, 4)}},
		{"a boundary", bounded(stocked(statements(all)), statements(`{"Effect":"Allow","Action":["s3:GetObject","kms:Decrypt"],"Resource":["arn:aws:s3:::data*","`+ownKey("k1")+`"]}`)), nil,
			counts{readBuckets: n(2, 0, 0, 2), decrypt: n(1, 0, 0, 1)}},
		{"a boundary that was not read", func() *snapshot.Snapshot {
			s := stocked(statements(s3))
			s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
			return s
		}(), nil, counts{readBuckets: n(0, 4, 0, 4), writeBuckets: n(0, 4, 0, 4)}},
		{"an SCP's Deny", stocked(statements(s3)), scp(statements(all), statements(all, `{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data*"}`)), counts{readBuckets: n(2, 0, 0, 2), writeBuckets: n(2, 0, 0, 2)}},
		{"an SCP that lacks an Allow", stocked(statements(all)), scp(statements(all), statements(`{"Effect":"Allow","Action":"ecr:*","Resource":"*"}`)), counts{pull: n(2, 0, 0, 0), push: n(2, 0, 0, 0)}},
		{"an RCP's Deny", stocked(statements(s3)), rcp(statements(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::models/*"}`)), counts{readBuckets: n(4, 0, 0, 4), writeBuckets: n(3, 0, 0, 3)}},
		{"a bucket policy that refuses", with(stocked(statements(s3)), "arn:aws:s3:::data", statements(noWrite)), nil, counts{readBuckets: n(4, 0, 0, 3), writeBuckets: n(3, 0, 0, 3)}},
		{"a bucket policy that allows", with(stocked(), "arn:aws:s3:::data", statements(`{"Effect":"Allow","Principal":{"AWS":"`+roleARN+`"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}`)), nil, counts{readBuckets: n(1, 0, 0, 0)}},
		{"a bucket without a policy", with(stocked(statements(s3)), "arn:aws:s3:::data", ""), nil, counts{readBuckets: n(4, 0, 0, 3), writeBuckets: n(4, 0, 0, 3)}},
		{"key policies", with(with(stocked(allow("kms:*", "*")), ownKey("k1"), statements(key)), ownKey("k2"), statements(tooFew)), nil, counts{decrypt: n(2, 0, 0, 1), encrypt: n(2, 0, 0, 1)}},
		{"keys by way of a service only", stocked(statements(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`)), nil, counts{decrypt: n(0, 3, 0, 3)}},
		{"another region's", stocked(statements(`{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}}`)), nil, counts{}},
		{"this region's", stocked(statements(`{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}}`)), nil, counts{decrypt: n(3, 0, 0, 3), encrypt: n(3, 0, 0, 3)}},
		{"half of a pull", stocked(allow("ecr:BatchGetImage", "*")), nil, counts{}},
		{"a pull", stocked(statements(`{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"` + ownRepository("tr*") + `"}`)), nil, counts{pull: n(1, 0, 0, 0)}},
		{"a data key", stocked(allow("kms:GenerateDataKey", ownKey("k2"))), nil, counts{encrypt: n(1, 0, 0, 1)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := reachOf(t, tt.s, tt.given...)
			got := counts{r.Buckets.Read, r.Buckets.Write, r.Repositories.Read, r.Repositories.Write, r.Keys.Read, r.Keys.Write}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
			if r.Buckets.Known != 4 || r.Buckets.AtLeast || r.Repositories.AtLeast || r.Keys.AtLeast || r.Repositories.Known != 2 || r.Keys.Known != 3 {
				t.Errorf("known %+v", r)
			}
		})
	}
}

// TestReachAtLeast: a list that could not be had, was cut, or left regions out makes a
// lower bound, and says why.
func TestReachAtLeast(t *testing.T) {
	everything := statements(`{"Effect":"Allow","Action":"*","Resource":"*"}`)
	for _, tt := range []struct {
		name                      string
		change                    func(*snapshot.Snapshot)
		buckets, repositories, at bool // at: keys
		why                       string
	}{
		{"all is listed", func(*snapshot.Snapshot) {}, false, false, false, ""},
		{"nothing is", func(s *snapshot.Snapshot) { s.Inventory = nil }, true, true, true, "could not be listed"},
		{"buckets are refused", func(s *snapshot.Snapshot) { s.Inventory = s.Inventory[1:] }, true, false, false, "the account's buckets could not be listed"},
		{"a list is cut", func(s *snapshot.Snapshot) { s.Inventory[1].Cut = true }, false, false, true, "the list of keys in us-east-1 was cut"},
		{"a region's keys are refused", func(s *snapshot.Snapshot) {
			s.Regions.Read, s.Regions.Enabled = []string{"eu-west-1", "us-east-1"}, []string{"eu-west-1", "us-east-1"}
			s.Inventory = append(s.Inventory, snapshot.Inventory{Kind: snapshot.KindRepository, Region: "eu-west-1", ARNs: []string{}})
		}, false, false, true, "the account's keys in eu-west-1 could not be listed"},
		{"a region is not read", func(s *snapshot.Snapshot) { s.Regions.Enabled = []string{"eu-west-1", "us-east-1"} }, false, true, true, "1 of 2 enabled regions were not read"},
		{"nobody knows the regions", func(s *snapshot.Snapshot) { s.Regions.Enabled = nil }, false, true, true, "the account's regions could not be listed"},
		{"a policy of the role is not read", func(s *snapshot.Snapshot) { s.Roles[0].Unread = []string{"inline"} }, true, true, true, "could not be read"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := stocked(everything)
			s.Resources = []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::data", Document: ""}, {ARN: "arn:aws:kms:us-east-1:999988887777:key/theirs", Document: ""}}
			tt.change(s)
			r := reachOf(t, s)
			if r.Buckets.AtLeast != tt.buckets || r.Repositories.AtLeast != tt.repositories || r.Keys.AtLeast != tt.at {
				t.Errorf("at least: %v, %v, %v", r.Buckets.AtLeast, r.Repositories.AtLeast, r.Keys.AtLeast)
			}
			all := slices.Concat(r.Buckets.Why, r.Repositories.Why, r.Keys.Why)
			if tt.why == "" && len(all) > 0 || tt.why != "" && !slices.ContainsFunc(all, func(w string) bool { return strings.Contains(w, tt.why) }) {
				t.Errorf("why %q, want %q", all, tt.why)
			}
			if s.Inventory == nil && (r.Buckets.Known != 1 || r.Buckets.Read.Certain != 1 || r.Keys.Known != 0) {
				t.Errorf("of what is known without a list: %+v", r) // the bucket whose policy was read; a key of another account is not ours
			}
		})
	}
}

// TestReachAgainstRequests: on random policies of every layer, a bucket is counted where
// some request for one of its objects is allowed, and not where none is.
func TestReachAgainstRequests(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	objects := func() string {
		return pick("*", "arn:aws:s3:::*", "arn:aws:s3:::data/*", "arn:aws:s3:::data*", "arn:aws:s3:::data/in/*", "arn:aws:s3:::*/in/*", "arn:aws:s3:::logs/*", "arn:aws:s3:::models/in/a", "arn:aws:s3:::?ata/*", "arn:aws:s3:::data")
	}
	statement := func(principal string) string {
		effect, resource := pick("Allow", "Allow", "Deny"), pick("Resource", "Resource", "Resource", "NotResource")
		action := pick("s3:GetObject", "s3:PutObject", "s3:*", "s3:Get*")
		condition := pick("", "", "", `,"Condition":{"StringEquals":{"aws:SourceVpc":"vpc-1"}}`, `,"Condition":{"StringEquals":{"aws:PrincipalAccount":"123456789012"}}`)
		return fmt.Sprintf(`{"Effect":%q,%s"Action":%q,%q:%q%s}`, effect, principal, action, resource, objects(), condition)
	}
	document := func(principal string) string {
		all := []string{statement(principal)}
		for range r.IntN(3) {
			all = append(all, statement(principal))
		}
		return statements(all...)
	}
	keys := []string{"x", "in/a", "in/x", "out/in/x", "a", "audit-probe", "in/audit-probe", "audit-probe/in/audit-probe"}
	counted, certain := 0, 0
	for i := range worlds(1500) {
		s := stocked(document(""), document(""))
		if r.IntN(3) == 0 {
			s.Policies = append(s.Policies, snapshot.ManagedPolicy{ARN: "arn:aws:iam::123456789012:policy/limit", Name: "limit", Version: "v1", Document: document("")})
			s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
		}
		var given []GivenPolicy
		if r.IntN(3) == 0 {
			g, err := ParseSCP(0, "scp", []byte(document("")))
			if err != nil {
				t.Fatal(err)
			}
			given = append(given, g)
		}
		for _, bucket := range []string{"data", "logs"} {
			if r.IntN(2) == 0 {
				s.Resources = append(s.Resources, snapshot.ResourcePolicy{ARN: "arn:aws:s3:::" + bucket, Document: document(`"Principal":` + pick(`"*"`, `{"AWS":"`+roleARN+`"}`, `{"AWS":"999988887777"}`) + ",")})
			}
		}
		reach := reachOf(t, s, given...)
		// The same by requests, one at a time.
		stack, principal, known := byHand(t, s, given)
		for _, q := range []struct {
			action string
			got    report.Reached
		}{{"s3:GetObject", reach.Buckets.Read}, {"s3:PutObject", reach.Buckets.Write}} {
			yes, perhaps := 0, 0
			for _, arn := range s.Inventory[0].ARNs {
				must, may := false, false
				st := stack
				for _, p := range s.Resources {
					if p.ARN == arn {
						st.Resource = &policy.Policy{Layer: policy.LayerResource, Document: parsed(t, p.Document)}
					}
				}
				for _, key := range keys {
					request := policy.Request{Principal: principal, Action: q.action, Resource: arn + "/" + key, Context: known}
					must = must || st.Decide(request, policy.Must).Outcome == policy.Allowed
					may = may || st.Decide(request, policy.May).Outcome == policy.Allowed
				}
				if must {
					yes++
				} else if may {
					perhaps++
				}
			}
			counted += yes + perhaps
			certain += yes
			if q.got.Certain != yes || q.got.Conditional != perhaps {
				t.Fatalf("world %d: %s: counted %d certain, %d conditional; by requests %d and %d\n%s\n%+v", i, q.action, q.got.Certain, q.got.Conditional, yes, perhaps, s.Roles[0].Inline, s.Resources)
			}
		}
	}
	t.Logf("%d worlds: %d buckets reached, %d of them for certain", worlds(1500), counted, certain)
	if certain < worlds(1500)/4 {
		t.Error("too few to prove anything")
	}
}

func parsed(t *testing.T, text string) *policy.Document {
	t.Helper()
	d, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// byHand puts the first role's policies together without the code under test.
func byHand(t *testing.T, s *snapshot.Snapshot, given []GivenPolicy) (policy.Stack, policy.Principal, policy.Context) {
	t.Helper()
	var stack policy.Stack
	for _, p := range s.Roles[0].Inline {
		stack.Identity = append(stack.Identity, policy.Policy{Layer: policy.LayerIdentity, Document: parsed(t, p.Document)})
	}
	if s.Roles[0].Boundary != "" {
		stack.Boundary = []policy.Policy{{Layer: policy.LayerBoundary, Document: parsed(t, s.Policies[0].Document)}}
	}
	for _, g := range given {
		stack.SCPs = append(stack.SCPs, []policy.Policy{{Layer: policy.LayerSCP, Document: g.document}})
	}
	p := policy.Principal{ARN: roleARN, Account: account}
	return stack, p, policy.Offline(policy.Facts{Principal: p})
}
