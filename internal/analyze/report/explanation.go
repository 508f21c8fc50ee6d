package report

import "time"

// Explanation answers whether a role may call an action, and why: what `audit explain
// -o json` prints. docs/explain.md lists its keys. Arrays are never null.
type Explanation struct {
	Basis
	Role ExplainedRole `json:"role"`
	// Action is spelled as the catalogue has it; Known: it has it.
	Action string `json:"action"`
	Known  bool   `json:"known"`
	// Context are the condition keys that were given with the question.
	Context []ContextKey `json:"context"`
	// Answers are one for the resource asked about; without one, one for each cell of
	// the action, at most MaxAnswers of AnswersTotal.
	Answers      []Answer `json:"answers"`
	AnswersTotal int      `json:"answersTotal"`
	Notes        []string `json:"notes"`
}

// Basis is what an answer stands on: the account, the organization's policies that were
// handed over, and the snapshot's time.
type Basis struct {
	SchemaVersion int           `json:"schemaVersion"`
	Account       Account       `json:"account"`
	GivenPolicies []GivenPolicy `json:"givenPolicies"`
	// GeneratedAt is the snapshot's time.
	GeneratedAt time.Time `json:"generatedAt"`
}

// ExplainedRole is the role that was asked about.
type ExplainedRole struct {
	ARN    string `json:"arn"`
	ID     string `json:"id"`
	Name   string `json:"name"`
	Exists bool   `json:"exists"`
}

// ContextKey is a condition key of a request with its values.
type ContextKey struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// The answers. Unknown: the role's policies are not wholly known, or it is gone.
const (
	AnswerAllowed     = "allowed"
	AnswerConditional = "conditional"
	AnswerDenied      = "denied"
	AnswerUnknown     = "unknown"
)

// Who tells an answer: the policies that were read, or a refusal on record that they do
// not account for.
const (
	ToldByPolicies   = "policies"
	ToldByCloudTrail = "cloudtrail"
)

// Answer is about the resources of one pattern.
type Answer struct {
	// Resource is an ARN, a pattern of ARNs, or *.
	Resource string `json:"resource"`
	// Answer is allowed, conditional, denied or unknown.
	Answer string `json:"answer"`
	// Explicit: denied by a Deny, not for want of an Allow.
	Explicit bool `json:"explicit"`
	// Partial: the answer holds for a part of the resources only.
	Partial bool `json:"partial"`
	// Layer granted it or refused it: identity, boundary, scp, rcp, resource, or
	// another that a refusal on record names.
	Layer  string `json:"layer"`
	ToldBy string `json:"toldBy"`
	// Why is the answer in a sentence.
	Why    string     `json:"why"`
	Layers CellLayers `json:"layers"`
	// Statements are those that take part, and those that come near it.
	Statements []ExplainedStatement `json:"statements"`
	// Needs are what would have to be so for it to be allowed, or certain.
	Needs []string `json:"needs"`
	// Cells are those of the report that the resource belongs to or takes in, at most
	// MaxAnswers.
	Cells []JudgedCell `json:"cells"`
	// Jobs need it, JobsTotal is how many there were; Events show it used or refused.
	Jobs      []Evidence `json:"jobs"`
	JobsTotal int        `json:"jobsTotal"`
	Events    []Evidence `json:"events"`
	// LastAccessed is what IAM saw of the action or its service, empty where it does
	// not tell.
	LastAccessed string `json:"lastAccessed"`
	// NotRead is what was not read and could change the answer.
	NotRead []string `json:"notRead"`
}

// ExplainedStatement is a statement that takes part in an answer, or comes near it.
type ExplainedStatement struct {
	Layer string `json:"layer"`
	// Level is of a service control policy, as in GivenPolicy.
	Level   int    `json:"level"`
	Kind    string `json:"kind"`
	Policy  string `json:"policy"`
	ARN     string `json:"arn"`
	Version string `json:"version"`
	Index   int    `json:"index"`
	Sid     string `json:"sid"`
	Effect  string `json:"effect"`
	// Applies is yes, conditional or no; Because says why it is not yes.
	Applies string `json:"applies"`
	Because string `json:"because"`
	// Partial: it takes in only some of the resources asked about.
	Partial bool `json:"partial"`
	// Text is the statement as far as it speaks of the question.
	Text       string               `json:"text"`
	Conditions []ExplainedCondition `json:"conditions"`
}

// ExplainedCondition is one condition of a statement.
type ExplainedCondition struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Values   []string `json:"values"`
	// Holds is true, false or unknown.
	Holds string `json:"holds"`
	// Request are the values that the key has in the request; Known and none: it is
	// not there.
	Request []string `json:"request"`
	Known   bool     `json:"known"`
	// Needs is the condition in words.
	Needs string `json:"needs"`
}

// MaxAnswers caps the answers to a question without a resource.
const MaxAnswers = 20
