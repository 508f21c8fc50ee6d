package policy_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
)

// managed reads an AWS managed policy (testdata/managed/README.md says where from).
func managed(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "managed", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func parse(t testing.TB, data []byte) *policy.Document {
	t.Helper()
	d, err := policy.Parse(data)
	if err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return d
}

func identity(documents ...*policy.Document) *policy.Stack {
	s := &policy.Stack{}
	for _, d := range documents {
		s.Identity = append(s.Identity, policy.Policy{Layer: policy.LayerIdentity, Kind: "managed", Document: d})
	}
	return s
}

// The counts are those of the embedded catalogue: a new catalogue changes them, and
// TestExpandAgreesWithGlob says whether the engine still counts as it must.
func TestManagedPolicyCounts(t *testing.T) {
	catalogue := actions.Load()
	expander := policy.NewExpander(catalogue)
	for _, tt := range []struct {
		name                 string
		granted, conditional int
	}{
		{"AdministratorAccess", 22091, 0},
		{"PowerUserAccess", 21830, 0},
		{"ReadOnlyAccess", 6745, 1},
		{"SecurityAudit", 2804, 0},
		{"AmazonS3FullAccess", 206, 0},
		{"AmazonSageMakerFullAccess", 739, 6},
	} {
		g := expander.Expand(identity(parse(t, managed(t, tt.name))), policy.Context{})
		granted, effective, conditional := g.Counts()
		if granted != tt.granted || conditional != tt.conditional || effective != granted {
			t.Errorf("%s (%s): granted %d, effective %d, conditional %d; want %d, the same, %d",
				tt.name, catalogue.Version(), granted, effective, conditional, tt.granted, tt.conditional)
		}
	}
}

// motoPolicies are all AWS managed policies that an installed moto carries, by name.
func motoPolicies(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	out, err := motoDump()
	if err != nil {
		t.Skipf("SKIPPED: the AWS managed policies come from moto, and python3 cannot import it: %v", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var motoDump = sync.OnceValues(func() ([]byte, error) {
	const dump = `import json
from moto.iam.aws_managed_policies import aws_managed_policies_data as d
d = json.loads(d) if isinstance(d, str) else d
print(json.dumps({n: p["Document"] for n, p in d.items()}))`
	return exec.Command("python3", "-c", dump).Output()
})

func TestEveryManagedPolicy(t *testing.T) {
	all := motoPolicies(t)
	if len(all) < 1000 {
		t.Errorf("moto carries %d policies, expected more than a thousand", len(all))
	}
	// Their services are no longer in the catalogue.
	retired := []string{"AWSDeepRacerAccountAdminAccess", "AWSDeepRacerDefaultMultiUserAccess", "RDSCloudHsmAuthorizationRole"}
	expander := policy.NewExpander(actions.Load())
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d, err := policy.Parse(all[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		printed := d.Print()
		again, err := policy.Parse(printed)
		if err != nil {
			t.Errorf("%s printed: %v", name, err)
			continue
		}
		if !bytes.Equal(again.Print(), printed) {
			t.Errorf("%s: printing what was printed changes it", name)
		}
		g := expander.Expand(identity(d), policy.Context{})
		if granted, _, _ := g.Counts(); granted == 0 && bytes.Contains(printed, []byte(`"Allow"`)) && !slices.Contains(retired, name) {
			t.Errorf("%s grants nothing of the catalogue", name)
		}
	}
}

// glob is the plainest matcher there is, for comparison.
func glob(pattern, text string) bool {
	if pattern == "" {
		return text == ""
	}
	switch pattern[0] {
	case '*':
		return glob(pattern[1:], text) || text != "" && glob(pattern, text[1:])
	case '?':
		return text != "" && glob(pattern[1:], text[1:])
	}
	return text != "" && pattern[0] == text[0] && glob(pattern[1:], text[1:])
}

// TestExpandAgreesWithGlob compares each statement's set with a glob over every
// (action, pattern) of the catalogue.
func TestExpandAgreesWithGlob(t *testing.T) {
	catalogue := actions.Load()
	expander := policy.NewExpander(catalogue)
	names := make([]string, catalogue.Len())
	for i := range names {
		names[i] = strings.ToLower(catalogue.Action(i))
	}
	for _, name := range []string{"AdministratorAccess", "PowerUserAccess", "SecurityAudit", "AmazonS3FullAccess", "AmazonSageMakerFullAccess"} {
		for _, s := range parse(t, managed(t, name)).Statements() {
			var want []int
			for i, action := range names {
				listed := slices.ContainsFunc(s.Actions, func(p string) bool { return glob(strings.ToLower(p), action) })
				if listed != s.NotAction {
					want = append(want, i)
				}
			}
			if got := expander.Actions(s); !slices.Equal(got, want) {
				t.Errorf("%s statement %d: %d actions, a glob finds %d", name, s.Index, len(got), len(want))
			}
		}
	}
}
