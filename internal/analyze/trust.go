package analyze

import (
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// sageMaker is the service principal that assumes execution roles.
// Source: AWS sagemaker-roles.
const sageMaker = "sagemaker.amazonaws.com"

// TrustsSageMaker reports whether the role's trust policy allows SageMaker to
// assume it: an execution role, used or idle. A trust policy that does not
// parse is counted in, so that nobody overlooks it.
func TrustsSageMaker(r snapshot.Role) bool {
	d, err := policy.Parse([]byte(r.Trust))
	return err != nil || readTrust(d).AllowsSageMaker
}

// readTrust reads a trust policy. Guard is that of the weakest statement that
// lets SageMaker in, since statements are alternatives.
func readTrust(d *policy.Document) report.Trust {
	t := report.Trust{Guard: "none", OtherPrincipals: []string{}}
	var guards []string
	denied := false
	for _, st := range d.Statements() {
		if !speaksOf(st, "sts:AssumeRole") {
			continue
		}
		for _, p := range principals(st) {
			service := p == "Service:"+sageMaker
			switch {
			case st.Effect == policy.Deny:
				denied = denied || st.Unconditional() && (service || p == "*")
			case service:
				t.AllowsSageMaker = true
				guards = append(guards, guard(st))
			default:
				t.OtherPrincipals = append(t.OtherPrincipals, p)
			}
		}
	}
	t.AllowsSageMaker = t.AllowsSageMaker && !denied
	slices.Sort(t.OtherPrincipals)
	t.OtherPrincipals = slices.Compact(t.OtherPrincipals)
	slices.Sort(guards)
	switch guards = slices.Compact(guards); {
	case len(guards) == 1:
		t.Guard = guards[0]
	case len(guards) > 1 && !slices.Contains(guards, "none"):
		t.Guard = "unknown"
	}
	return t
}

// speaksOf reports whether the statement is about the action.
func speaksOf(st *policy.Statement, action string) bool {
	listed := slices.ContainsFunc(st.Actions, func(a string) bool { return ofService(a, action) && policy.MatchAction(a, action) })
	return listed != st.NotAction
}

// ofService is false where an entry of an Action element names another service than the
// action's: most entries do, and this is quicker than to match them.
func ofService(entry, action string) bool {
	i := strings.IndexByte(action, ':')
	j := strings.IndexByte(entry, ':')
	return i < 0 || j < 0 || strings.ContainsAny(entry[:j], "*?") || strings.EqualFold(entry[:j], action[:i])
}

// letsTagSession reports whether a session may bring tags of its own, so that
// the role's tags are not all that aws:PrincipalTag may hold. A trust policy
// that could not be read may.
func letsTagSession(d *policy.Document) bool {
	return d == nil || slices.ContainsFunc(d.Statements(), func(st *policy.Statement) bool {
		return st.Effect == policy.Allow && speaksOf(st, "sts:TagSession")
	})
}

// principals lists a statement's principals as "Service:x", "AWS:x",
// "Federated:x" or "*".
func principals(st *policy.Statement) []string {
	var out []string
	for _, set := range st.Principals {
		for _, v := range set.Values {
			if set.Type == "*" || set.Type == "AWS" && v == "*" {
				// AWS reads {"AWS": "*"} as "*": reference_policies_elements_principal.
				out = append(out, "*")
				continue
			}
			out = append(out, set.Type+":"+v)
		}
	}
	return out
}

// guard names the confused-deputy condition of a statement.
// Source: AWS SageMaker security-confused-deputy-prevention.
func guard(st *policy.Statement) string {
	var account, source, other bool
	for _, c := range st.Conditions {
		switch strings.ToLower(c.Key) {
		case "aws:sourceaccount":
			account = true
		case "aws:sourcearn":
			source = true
		default:
			other = true
		}
	}
	switch {
	case account && source:
		return "both"
	case account:
		return "sourceAccount"
	case source:
		return "sourceArn"
	case other:
		return "unknown"
	}
	return "none"
}
