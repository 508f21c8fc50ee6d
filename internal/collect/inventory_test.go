package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// TestInventory: the account's own buckets, and its repositories and keys of each region
// that is read, page by page; those of others are not among them.
func TestInventory(t *testing.T) {
	a := small(1)
	a.Buckets = []awssim.Bucket{{Name: "theirs", Owner: "999988887777"}, {Name: "b"}, {Name: "a", Region: "eu-west-1"}, {Name: "c"}}
	a.Repositories = []awssim.Repository{{Name: "team/train"}, {Name: "serve"}, {Name: "far", Region: "eu-west-1"}}
	a.Keys = []awssim.Key{{ID: "k2"}, {ID: "k1"}, {ID: "theirs", Owner: "999988887777"}}
	server, o := serve(t, a)
	o.Usage = UsageNone
	server.Configure(func(b *awssim.Behaviour) {
		b.PageCaps = map[string]int{opBuckets: 1, opRepositories: 1, opKeys: 1}
	})
	s := collected(t, o)
	sameCalls(t, server, s)
	want := []snapshot.Inventory{
		{Kind: snapshot.KindBucket, ARNs: []string{"arn:aws:s3:::a", "arn:aws:s3:::b", "arn:aws:s3:::c"}},
		{Kind: snapshot.KindKey, Region: "eu-west-1", ARNs: []string{}},
		{Kind: snapshot.KindKey, Region: "us-east-1", ARNs: []string{keyARN("us-east-1", "123456789012", "k1"), keyARN("us-east-1", "123456789012", "k2")}},
		{Kind: snapshot.KindRepository, Region: "eu-west-1", ARNs: []string{"arn:aws:ecr:eu-west-1:123456789012:repository/far"}},
		{Kind: snapshot.KindRepository, Region: "us-east-1", ARNs: []string{"arn:aws:ecr:us-east-1:123456789012:repository/serve", "arn:aws:ecr:us-east-1:123456789012:repository/team/train"}},
	}
	if d := cmp.Diff(want, s.Inventory); d != "" {
		t.Errorf("inventory (-want +got):\n%s", d)
	}
	if s.Calls[opBuckets] != 3 || s.Calls[opRepositories] != 3 || s.Calls[opKeys] != 3 {
		t.Errorf("calls %v", s.Calls)
	}
	// A list that is refused is no list, and a detail.
	for _, fault := range []string{opBuckets + " refuse", opRepositories + " region=us-east-1 refuse", opKeys + " region=us-east-1 refuse"} {
		if err := server.SetFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	s = collected(t, o)
	if len(s.Inventory) != 2 || !s.Complete() {
		t.Errorf("inventory %v", s.Inventory)
	}
	for operation, permission := range map[string]string{opBuckets: "s3:ListAllMyBuckets", opRepositories: opRepositories, opKeys: opKeys} {
		if !slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
			return g.Source == operation && g.Permission == permission && g.Impact == snapshot.ImpactDetail
		}) {
			t.Errorf("no gap of %s in %+v", operation, s.Gaps)
		}
	}
}

// TestInventoryIsBounded: a list that is cut says so.
func TestInventoryIsBounded(t *testing.T) {
	a := small(1)
	for i := range mostListed + 10 {
		a.Buckets = append(a.Buckets, awssim.Bucket{Name: fmt.Sprintf("bucket-%05d", i)})
	}
	for i := range mostListed {
		a.Repositories = append(a.Repositories, awssim.Repository{Name: fmt.Sprint(i)})
	}
	_, o := serve(t, a)
	o.Usage = UsageNone
	s := collected(t, o)
	for _, l := range s.Inventory {
		if want := l.Kind == snapshot.KindBucket; l.Cut != want || want && len(l.ARNs) != mostListed {
			t.Errorf("%s %s: cut %v at %d", l.Kind, l.Region, l.Cut, len(l.ARNs))
		}
	}
	if !slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool { return g.Source == opBuckets && g.Reason == snapshot.ReasonShort }) || !s.Complete() {
		t.Errorf("gaps %+v", s.Gaps)
	}
}

// TestOthers: of roles that are not in scope, the sweep's own words are kept and no call
// is made for them; a run that does not sweep knows of none.
func TestOthers(t *testing.T) {
	const trustEC2 = `{"Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	document := func(action string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"*"}}`
	}
	a := small(1)
	own := "arn:aws:iam::" + a.ID + ":policy/own"
	a.Policies = append(a.Policies, awssim.ManagedPolicy{ARN: own, Versions: []awssim.PolicyVersion{{ID: "v1", Document: document("iam:*")}}},
		awssim.ManagedPolicy{ARN: "arn:aws:iam::" + a.ID + ":policy/limit", Versions: []awssim.PolicyVersion{{ID: "v3", Document: document("ec2:*")}}})
	a.Roles = append(a.Roles, awssim.Role{Name: "shop", CreateDate: now, Trust: trustEC2, Inline: []awssim.InlinePolicy{{Name: "x", Document: document("sqs:*")}},
		Attached: []string{own}, Boundary: "arn:aws:iam::" + a.ID + ":policy/limit", Tags: []awssim.Tag{{Key: "team", Value: "shop"}}})
	server, o := serve(t, a)
	o.Usage = UsageNone
	_, alone := serve(t, small(1))
	alone.Usage = UsageNone
	before := collected(t, alone).Calls
	s := collected(t, o)
	sameCalls(t, server, s)
	if len(s.Others) != len(s.OtherRoles) {
		t.Fatalf("others %v of %v", s.Others, s.OtherRoles)
	}
	i := slices.IndexFunc(s.Others, func(r snapshot.Other) bool { return strings.HasSuffix(r.ARN, "/shop") })
	want := snapshot.Other{RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::" + a.ID + ":role/shop", ID: a.Roles[len(a.Roles)-1].UniqueID()}, Trust: trustEC2,
		Inline: []snapshot.InlinePolicy{{Name: "x", Document: document("sqs:*")}}, Attached: []snapshot.AttachedPolicy{{Name: "own", ARN: own}},
		Boundary: "arn:aws:iam::" + a.ID + ":policy/limit", Tags: []snapshot.Tag{{Key: "team", Value: "shop"}}}
	if d := cmp.Diff(want, s.Others[i]); d != "" {
		t.Errorf("shop (-want +got):\n%s", d)
	}
	var names []string
	for _, p := range s.OtherPolicies {
		names = append(names, p.Name+" "+p.Version)
	}
	if !slices.Equal(names, []string{"limit v3", "own v1"}) {
		t.Errorf("policies %q", names)
	}
	if d := cmp.Diff(before, s.Calls); d != "" {
		t.Errorf("calls (-without the role +with it):\n%s", d)
	}
	o.Roles = []string{"trainer"}
	if s = collected(t, o); s.Others != nil || s.OtherRoles != nil || s.OtherPolicies != nil {
		t.Errorf("without a sweep: %v, %v", s.Others, s.OtherRoles)
	}
}
