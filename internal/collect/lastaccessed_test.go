package collect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const trainerARN = "arn:aws:iam::123456789012:role/service-role/trainer"

// accessed is a small account whose trainer has reached two services of three.
func accessed() *awssim.Account {
	a := small(1)
	a.Events = slices.DeleteFunc(a.Events, func(e awssim.Record) bool { return e.EventName == "BatchGetImage" })
	a.Roles[0].LastAccessed = []awssim.ServiceAccess{
		{Service: "s3", At: now.Add(-2 * day), Region: "eu-west-1", Actions: []awssim.ActionAccess{
			{Name: "ListAllMyBuckets", At: now.Add(-3 * day), Region: "us-east-1"}, {Name: "CreateBucket"}}},
		{Service: "ecr", At: now.Add(-day), Region: "us-east-1"},
		{Service: "glue"},
	}
	return a
}

func TestLastAccessed(t *testing.T) {
	server, o := serve(t, accessed())
	s := collected(t, o)
	sameCalls(t, server, s)
	role := func(name string) snapshot.RoleKey {
		i := slices.IndexFunc(s.Roles, func(r snapshot.Role) bool { return r.Name == name })
		return s.Roles[i].RoleKey
	}
	want := []snapshot.Accessed{
		{RoleKey: role("idle"), At: now}, // it has no policies
		{RoleKey: role("trainer"), At: now, Never: []string{"glue"}, Services: []snapshot.AccessedService{
			{Service: "ecr", At: now.Add(-day), Region: "us-east-1"},
			{Service: "s3", At: now.Add(-2 * day), Region: "eu-west-1",
				Actions: []snapshot.AccessedAction{{Action: "ListAllMyBuckets", At: now.Add(-3 * day), Region: "us-east-1"}}}}},
	}
	// The server knows more actions that are tracked than the test names.
	s3 := func(s *snapshot.Snapshot) []snapshot.Accessed {
		never := &s.Accessed[1].Services[1].Never
		if !slices.Contains(*never, "CreateBucket") || len(*never) < 100 {
			t.Errorf("actions of s3 never used: %v", *never)
		}
		*never = nil
		return s.Accessed
	}
	if d := cmp.Diff(want, s3(s)); d != "" {
		t.Errorf("last accessed (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]int{"": 2}, covered(s, snapshot.SourceLastAccessed)); d != "" || len(s.Gaps) > 0 {
		t.Errorf("gaps %v, coverage (-want +got):\n%s", gapsOf(s), d)
	}
	if s.Calls[opGenerate] != 2 || s.Calls[opAccessed] != 2 {
		t.Errorf("calls %v", s.Calls)
	}
	// Pages do not matter, nor that they overlap.
	server.Configure(func(b *awssim.Behaviour) { b.PageCaps, b.Overlap = map[string]int{opAccessed: 2}, true })
	if d := cmp.Diff(want, s3(collected(t, o))); d != "" {
		t.Errorf("last accessed, in pages (-want +got):\n%s", d)
	}
	o.Usage = UsageNone
	if s := collected(t, o); len(s.Accessed) > 0 || s.Calls[opGenerate] > 0 {
		t.Errorf("%d roles told, which nobody asked for", len(s.Accessed))
	}
}

// Of what stands twice in a report the newest counts, and an action reaches its
// service.
func TestAccessedOf(t *testing.T) {
	service := func(name string, at time.Time, actions ...types.TrackedActionLastAccessed) types.ServiceLastAccessed {
		s := types.ServiceLastAccessed{ServiceNamespace: aws.String(name), TrackedActionsLastAccessed: actions}
		if !at.IsZero() {
			s.LastAuthenticated, s.LastAuthenticatedRegion = &at, aws.String("r1")
		}
		return s
	}
	action := func(name string, at time.Time) types.TrackedActionLastAccessed {
		return types.TrackedActionLastAccessed{ActionName: aws.String(name), LastAccessedTime: &at, LastAccessedRegion: aws.String("r2")}
	}
	role := &snapshot.Role{RoleKey: snapshot.RoleKey{ARN: "a", ID: "b"}}
	got, err := accessedOf(role, now, []types.ServiceLastAccessed{
		service("s3", time.Time{}), service("ec2", time.Time{}, action("Run", now.Add(-day))), service("s3", now.Add(-9*day)), service("s3", now.Add(-10*day)),
		service("kms", now.Add(-2*day), action("Sign", now.Add(-3*day)), action("Sign", now.Add(-4*day))),
	})
	want := &snapshot.Accessed{RoleKey: role.RoleKey, At: now, Services: []snapshot.AccessedService{
		{Service: "ec2", At: now.Add(-day), Region: "r2", Actions: []snapshot.AccessedAction{{Action: "Run", At: now.Add(-day), Region: "r2"}}},
		{Service: "kms", At: now.Add(-2 * day), Region: "r1", Actions: []snapshot.AccessedAction{{Action: "Sign", At: now.Add(-3 * day), Region: "r2"}}},
		{Service: "s3", At: now.Add(-9 * day), Region: "r1"}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if _, err := accessedOf(role, now, []types.ServiceLastAccessed{{}}); reason(err) != snapshot.ReasonBroken {
		t.Errorf("a service without a namespace: %v", err)
	}
	role.Attached = []snapshot.AttachedPolicy{{ARN: "p"}}
	if _, err := accessedOf(role, now, nil); reason(err) != snapshot.ReasonShort {
		t.Errorf("no service of a role that has a policy: %v", err)
	}
}

func TestLastAccessedGaps(t *testing.T) {
	const one = "arn:aws:iam::123456789012:role/"
	for _, tt := range []struct {
		name      string
		behaviour func(*awssim.Behaviour)
		fault     string
		roles     int // beside the two
		told      int
		gaps      []string
	}{
		{name: "take some rounds", behaviour: func(b *awssim.Behaviour) { b.LastAccessedPolls = 9 }, roles: 60, told: 62},
		{name: "do not end", behaviour: func(b *awssim.Behaviour) { b.LastAccessedPolls = 1 << 30 }, roles: 60, gaps: []string{opAccessed + " 62 roles from idle usage timeout"}},
		{name: "fail", behaviour: func(b *awssim.Behaviour) { b.LastAccessedFails = true },
			gaps: []string{opAccessed + " " + one + "idle usage unavailable", opAccessed + " " + trainerARN + " usage unavailable"}},
		{name: "list nothing", fault: opAccessed + " empty", told: 1, gaps: []string{opAccessed + " " + trainerARN + " usage short"}},
		{name: "are refused", fault: opGenerate + " refuse", roles: 60, gaps: []string{opGenerate + " 62 roles from idle usage refused"}},
		{name: "are refused to one", fault: opGenerate + " refuse times=1", roles: 60, told: 61, gaps: []string{"usage refused"}},
		{name: "cannot be read", fault: opAccessed + " refuse", gaps: []string{opAccessed + " 2 roles from idle usage refused"}},
		{name: "are throttled", fault: opGenerate + " throttle", roles: 60, gaps: []string{opGenerate + " 62 roles from idle usage throttled"}},
		{name: "are throttled for a while", fault: "iam:* throttle times=3", roles: 60, told: 62},
		{name: "break off", fault: opAccessed + " fail=503 from=40", roles: 60, told: 39, gaps: []string{"usage unavailable"}},
		{name: "are garbled", fault: opAccessed + " garble times=1", roles: 3, told: 4, gaps: []string{"usage broken"}},
		{name: "have no job", fault: opGenerate + " empty times=1", roles: 3, told: 4, gaps: []string{"usage broken"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := accessed()
			for i := range tt.roles {
				a.Roles = append(a.Roles, awssim.Role{Name: fmt.Sprintf("role-%03d", i), CreateDate: now.Add(-day), Trust: trustsSageMaker,
					LastAccessed: []awssim.ServiceAccess{{Service: "s3"}}})
			}
			onFakeClock(t, a, func(t *testing.T, server *awssim.Server, o Options) {
				if tt.behaviour != nil {
					server.Configure(tt.behaviour)
				}
				if tt.fault != "" {
					if err := server.SetFault(tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				o.maxBackoff = 0
				began := time.Now()
				s := collected(t, o)
				if took := time.Since(began); took > 15*time.Minute {
					t.Errorf("it took %s", took)
				}
				gaps := gapsOf(s)
				same := slices.EqualFunc(tt.gaps, gaps, func(want, got string) bool { return strings.HasSuffix(got, want) })
				if len(s.Accessed) != tt.told || !same || s.Complete() != (len(tt.gaps) == 0) {
					t.Errorf("%d roles told, want %d; gaps %q, want %q", len(s.Accessed), tt.told, gaps, tt.gaps)
				}
				items := tt.told
				if len(tt.gaps) > 0 {
					items = -1
				}
				if d := cmp.Diff(map[string]int{"": items}, covered(s, snapshot.SourceLastAccessed)); d != "" {
					t.Errorf("coverage (-want +got):\n%s", d)
				}
			})
		})
	}
}

// A role that is deleted before its report is made is no hole in what is asked for.
func TestRoleDeletedMeanwhile(t *testing.T) {
	_, o := serve(t, accessed())
	r := newRun(o)
	var err error
	if r.clients, err = newClients(t.Context(), &r.Options, r.count); err != nil {
		t.Fatal(err)
	}
	r.Log, r.home = discard, "us-east-1"
	told := r.lastAccessed(context.Background(), []snapshot.Role{{RoleKey: snapshot.RoleKey{ARN: trainerARN}}, {RoleKey: snapshot.RoleKey{ARN: "arn:aws:iam::123456789012:role/gone"}}})
	s := r.snapshot()
	if d := cmp.Diff([]string{opGenerate + " arn:aws:iam::123456789012:role/gone detail missing"}, gapsOf(s)); d != "" || len(told) != 1 || !s.Coverage[0].Complete {
		t.Errorf("%d roles told, coverage %+v, gaps (-want +got):\n%s", len(told), s.Coverage, d)
	}
}

// Between the rounds there are pauses, and they grow.
func TestLastAccessedPauses(t *testing.T) {
	onFakeClock(t, accessed(), func(t *testing.T, server *awssim.Server, o Options) {
		server.Configure(func(b *awssim.Behaviour) { b.LastAccessedPolls = 12 })
		o.maxBackoff = 0
		collected(t, o)
		times := server.Times(opAccessed, "us-east-1")
		if len(times) != 2*13 {
			t.Fatalf("%d requests, want 13 for each of two roles", len(times))
		}
		if first := times[2].Sub(times[0]); first > 400*time.Millisecond {
			t.Errorf("the first pause is %s", first)
		}
		if last := times[len(times)-1].Sub(times[len(times)-3]); last < accessPause || last > accessPause+time.Second {
			t.Errorf("the last pause is %s", last)
		}
	})
}
