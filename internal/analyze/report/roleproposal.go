package report

import (
	_ "embed"
	"encoding/json"
)

// ProposalSchemaJSON is the JSON Schema (draft 2020-12) of a [RoleProposal]. It
// requires every key and allows further ones.
//
//go:embed proposal.schema.json
var ProposalSchemaJSON []byte

// RoleProposal is the proposal of one role with all that stands behind it: what
// `audit propose -o json` prints. Arrays are never null.
type RoleProposal struct {
	Basis
	Window     Window `json:"window"`
	JobsWindow Window `json:"jobsWindow"`
	// Complete is false as soon as a gap of impact roles, jobs or usage exists.
	Complete bool         `json:"complete"`
	Gaps     []Gap        `json:"gaps"`
	Role     ProposalRole `json:"role"`
	Form     ProposalForm `json:"form"`
	// Readiness says what may be done with the proposal now.
	Readiness    Readiness `json:"readiness"`
	ReadinessWhy []string  `json:"readinessWhy"`
	// Status is that of Proof.
	Status string `json:"status"`
	Proof  Proof  `json:"proof"`
	Before Extent `json:"before"`
	After  Extent `json:"after"`
	// Policies is empty where nothing is needed.
	Policies   []ProposedPolicy    `json:"policies"`
	Statements []ProposedStatement `json:"statements"`
	// Trust is a trust policy to replace today's, null for no change.
	Trust json.RawMessage `json:"trust"`
	// Removed are the grants that go, at most MaxRemoved; RemovedTotal counts actions.
	Removed      []Removed `json:"removed"`
	RemovedTotal int       `json:"removedTotal"`
	// Confirm says what a person must confirm first. Unobservable are the granted
	// actions that nobody could observe, with the reasons: what Confirm speaks of.
	Confirm      []string   `json:"confirm"`
	Unobservable Unseen     `json:"unobservable"`
	Review       []string   `json:"review"`
	Notes        []string   `json:"notes"`
	Backtest     []Backtest `json:"backtest"`
}

// ProposalRole is the role that the proposal is for, as it is today.
type ProposalRole struct {
	ARN      string      `json:"arn"`
	ID       string      `json:"id"`
	Name     string      `json:"name"`
	Path     string      `json:"path"`
	Jobs     Jobs        `json:"jobs"`
	Trust    Trust       `json:"trust"`
	Policies []PolicyRef `json:"policies"`
	Layers   Layers      `json:"layers"`
}

// ProposalForm is what kind of proposal was asked for. Granularity is prefix or bucket.
type ProposalForm struct {
	Granularity      string `json:"granularity"`
	Strict           bool   `json:"strict"`
	AddMissing       bool   `json:"addMissing"`
	KeepUnobservable bool   `json:"keepUnobservable"`
	Reference        bool   `json:"reference"`
}

// ProposedStatement is a Statement with the evidence of each action that it allows.
type ProposedStatement struct {
	Statement
	Evidence []ActionEvidence `json:"evidence"`
}

// ActionEvidence is what the report has of an action in the statement's area: the job
// fields that ask for it and the calls that show it, at most MaxEvidence of each.
type ActionEvidence struct {
	Action string     `json:"action"`
	Jobs   []Evidence `json:"jobs"`
	Events []Evidence `json:"events"`
}
