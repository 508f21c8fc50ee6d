package analyze

import (
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// sampleSnapshot collects the sample account from a server on loopback.
func sampleSnapshot(t *testing.T) *snapshot.Snapshot {
	t.Helper()
	account := awssim.Sample()
	url, stop, err := awssim.New(account).Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	s, err := collect.Collect(t.Context(), collect.Options{
		EndpointURL: url, StaticCredentials: true, Window: 90 * 24 * time.Hour, JobsWindow: 400 * 24 * time.Hour,
		Usage: "lookup", MaxDescribe: 200, Now: func() time.Time { return account.Now },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBacktestOfTheSample: the sample account has jobs that read a folder of their day,
// and write one of their own. No proposal from the jobs before breaks them there; most would
// have been broken if patterns ended where the jobs' own locations do.
func TestBacktestOfTheSample(t *testing.T) {
	s := sampleSnapshot(t)
	backtests := func(exact bool, role string) (broken, replayed int, because string) {
		a := newAudit(s)
		a.place.exact = exact
		sub, err := theRole(subjects(s), role)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range a.backtest(a.judge(sub)) {
			broken, replayed = broken+b.Broken, replayed+b.Replayed
			because += strings.Join(b.Because, "\n") + "\n"
		}
		return broken, replayed, because
	}
	for role, location := range map[string]string{
		"churn-training":    "retail-ml-churn/features/dt=2026-",
		"pricing-training":  "retail-ml-pricing/gbm/train/dt=2026-",
		"forecast-training": "retail-ml-forecast/daily/checkpoints/forecast-daily-2026-", // s3:PutObject
	} {
		broken, replayed, because := backtests(true, role)
		if broken*2 < replayed || !strings.Contains(because, location) {
			t.Errorf("%s, without the hole rule: %d of %d broken\n%s", role, broken, replayed, because)
		}
		kept, _, because := backtests(false, role)
		if kept >= broken || strings.Contains(because, location) {
			t.Errorf("%s: %d of %d broken\n%s", role, kept, replayed, because)
		}
	}
}

// TestSampleFixedPoint: a role of the sample account that is given its proposal is
// proposed the same again, and nothing of it is unused.
func TestSampleFixedPoint(t *testing.T) {
	s := sampleSnapshot(t)
	before, err := Analyze(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	proposals := map[string]*report.Proposal{}
	for _, role := range before.Roles {
		if role.Exists && role.Proposal != nil && len(role.Proposal.Policies) > 0 {
			proposals[role.ID] = role.Proposal
		}
	}
	for i := range s.Roles {
		r := &s.Roles[i]
		p := proposals[r.ID]
		if p == nil {
			continue
		}
		r.Inline, r.Attached = nil, nil
		for _, x := range p.Policies {
			r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: x.Name, Document: string(x.Document)})
		}
	}
	after, err := Analyze(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	e := policy.NewExpander(actions.Load())
	for _, role := range after.Roles {
		p := proposals[role.ID]
		if p == nil {
			continue
		}
		if role.Unused.Count > 0 {
			t.Errorf("%s: of its proposal %v is unused", role.Name, role.Unused.Services)
		}
		if role.Proposal == nil || len(role.Proposal.Policies) != len(p.Policies) {
			t.Errorf("%s: no such proposal to a role that has it", role.Name)
			continue
		}
		got, want := documentsOf(t, role.Proposal), documentsOf(t, p)
		if marshal(t, role.Proposal.Policies) == marshal(t, p.Policies) {
			continue
		}
		known := policy.Offline(policy.Facts{Principal: policy.Principal{ARN: role.ARN, Account: "123456789012"}})
		for _, a := range []policy.Answer{e.WidensNothing(got, want, known), e.WidensNothing(want, got, known)} {
			if a.Truth != policy.True {
				t.Errorf("%s: another proposal: %s\n%s\nafter\n%s", role.Name, a, marshal(t, role.Proposal.Policies), marshal(t, p.Policies))
			}
		}
	}
	if len(proposals) < 15 {
		t.Errorf("only %d roles had a proposal", len(proposals))
	}
}
