package report

import _ "embed"

// RuleSubject is what a rule looks at.
type RuleSubject string

// The subjects of rules.
const (
	// RuleIdentity: the role's identity policies, within boundary, SCPs and Denies.
	RuleIdentity RuleSubject = "identity policies"
	// RuleTrust: the trust policy.
	RuleTrust RuleSubject = "trust policy"
	// RuleNeeds: what the jobs need, against what is granted.
	RuleNeeds RuleSubject = "jobs' needs"
	// RuleUse: what the role was seen to do.
	RuleUse RuleSubject = "use"
)

// Rule is one thing that can be wrong with a role. ID is stable between versions; the
// severity of a finding lies between Worst and Least and follows reach and use. Source
// names AWS's page about it, empty where the rule is ours; Controls are AWS Security
// Hub controls.
type Rule struct {
	ID       string      `json:"id"`
	Title    string      `json:"title"`
	Worst    Severity    `json:"worst"`
	Least    Severity    `json:"least"`
	LooksAt  RuleSubject `json:"looksAt"`
	Risk     string      `json:"risk"`
	Remedy   string      `json:"remedy"`
	Source   string      `json:"source"`
	Controls []string    `json:"controls"`
}

// RuleList is what audit rules prints: every rule, those that matter most first.
type RuleList struct {
	SchemaVersion int    `json:"schemaVersion"`
	Tool          Tool   `json:"tool"`
	Rules         []Rule `json:"rules"`
}

// RulesSchemaJSON is the JSON Schema (draft 2020-12) of a [RuleList].
//
//go:embed rules.schema.json
var RulesSchemaJSON []byte
