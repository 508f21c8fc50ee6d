package policy_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/policy/internal/naive"
)

// twin decides requests on identity documents with the naive evaluator.
type twin struct{ documents []json.RawMessage }

func twinOf(policies []policy.Policy) twin {
	var w twin
	for _, p := range policies {
		w.documents = append(w.documents, p.Document.Print())
	}
	return w
}

// allows: another account's resource has a policy that allows everyone everything.
func (w twin) allows(t testing.TB, r policy.Request, side policy.Side) bool {
	t.Helper()
	context := object{}
	for key, values := range r.Context.Keys() {
		context[key] = values
	}
	c := object{"id": "twin", "principal": r.Principal.ARN, "action": r.Action, "resource": r.Resource, "context": context, "identityPolicies": w.documents}
	if r.ResourceAccount != "" {
		c["resourceAccount"] = r.ResourceAccount
	}
	if r.ResourceAccount != "" && r.ResourceAccount != r.Principal.Account {
		c["resourcePolicy"] = json.RawMessage(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}`)
	}
	line, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := naive.Read(line)
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return asked.Decide(side == policy.Must).Decision == naive.Allowed
}

func TestManagedPairs(t *testing.T) {
	all := motoPolicies(t)
	names := slices.Sorted(maps.Keys(all))
	step := len(names) / 100
	var docs [][]policy.Policy
	var picked []string
	for i := 0; len(docs) < 100; i += step {
		docs = append(docs, []policy.Policy{{Layer: policy.LayerIdentity, Name: names[i], Document: parse(t, all[names[i]])}})
		picked = append(picked, names[i])
	}
	x := policy.NewExpander(actions.Load())
	counts := map[policy.Truth]int{}
	start := time.Now()
	var worst time.Duration
	var who string
	for i := range docs {
		for j := range docs {
			if i == j {
				continue
			}
			s := time.Now()
			a := x.WidensNothing(docs[i], docs[j], policy.Context{})
			if d := time.Since(s); d > worst {
				worst, who = d, picked[i]+" "+picked[j]
			}
			counts[a.Truth]++
			switch a.Truth {
			case policy.True:
				t.Log("YES", picked[i], picked[j])
			case policy.Unknown:
				t.Log("???", picked[i], picked[j], a.Reason)
			}
		}
	}
	t.Log(counts, time.Since(start), worst, who)
	_ = strings.Join
}
