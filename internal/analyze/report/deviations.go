package report

// The kinds of a Deviation. Live is the account, declared what is to be.
const (
	// DeviationMissing: the role is declared and not live.
	DeviationMissing = "role-missing"
	// DeviationUndeclared: the role is live and not declared.
	DeviationUndeclared = "role-undeclared"
	// DeviationPath: the role is live under another path than declared.
	DeviationPath             = "role-path"
	DeviationPolicyUndeclared = "policy-undeclared"
	DeviationPolicyMissing    = "policy-missing"
	// DeviationPolicyEdited: the live policy means something else than the declared one.
	DeviationPolicyEdited = "policy-edited"
	DeviationBoundary     = "boundary"
	DeviationTrust        = "trust"
)

// DeviationKinds holds the kinds of deviations, in the order of docs/declared.md.
var DeviationKinds = []string{DeviationMissing, DeviationUndeclared, DeviationPath,
	DeviationPolicyUndeclared, DeviationPolicyMissing, DeviationPolicyEdited, DeviationBoundary, DeviationTrust}

// SideDeclared is the side of an Uncompared where what is declared does not tell.
const SideDeclared = "declared"
