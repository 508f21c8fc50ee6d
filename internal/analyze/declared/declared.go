// Package declared reads what is declared of an account's roles: a Terraform state or
// plan as `terraform show -json` prints it, or a folder of approved policy documents.
// It is pure: bytes in. Documents stay the text that they are; nothing is judged here.
//
// What a file does not tell (a value known only after apply, a role that a policy names
// through one) is Unknown, and never taken to be missing.
package declared

import (
	"cmp"
	"slices"
)

// The sources of an Account, as a report's deviations name them.
const (
	SourceState  = "terraform-state"
	SourcePlan   = "terraform-plan"
	SourceFolder = "policy-documents"
)

// Account is what is declared.
type Account struct {
	Source string
	// Name is the file's or folder's, without what is above it.
	Name string
	// Roles are sorted by name. A name stands there once.
	Roles []Role
	// Managed are the customer managed policies that are declared, by ARN.
	Managed map[string]Policy
	// Partial says why more may be declared than is seen, of any role; empty where all
	// is. Then what is live and not declared is not known to be undeclared.
	Partial []string
}

// State says what is known of a value.
type State int

// The states. Absent is declared to be none.
const (
	Absent State = iota
	Known
	Unknown
)

// Text is a value of a file.
type Text struct {
	State State
	Value string
	// Why says why it is Unknown.
	Why string
	// Sensitive values are compared and never shown.
	Sensitive bool
}

// The kinds of a Policy.
const (
	Inline  = "inline"
	Managed = "managed"
	// Either is an approved document: how it is attached is not declared.
	Either = "either"
)

// Role is a declared role.
type Role struct {
	Name string
	// ARN is empty where it is not known.
	ARN string
	// Where is a resource's address, or the folder's name.
	Where string
	// Trust is the trust policy. TrustStated is false where nothing is declared of it.
	Trust       Text
	TrustStated bool
	// Boundary is the ARN of the permissions boundary, BoundaryDocument an approved
	// document in its place. BoundaryStated is false where neither is declared.
	Boundary         Text
	BoundaryDocument Text
	BoundaryStated   bool
	// Policies are sorted by kind, name and ARN.
	Policies []Policy
	// Open says why the role may have more policies declared than these.
	Open []string
}

// Policy is a declared policy of a role, or a managed one by itself.
type Policy struct {
	Kind string
	// Name is an inline policy's, or an approved document's file without .json.
	Name string
	// ARN is a managed policy's.
	ARN string
	// Where is where its document is declared.
	Where string
	// Document is Absent for a managed policy whose content is not declared: AWS's own,
	// or one of another state.
	Document Text
	// ReadBack: only an attribute names it that Terraform also fills with what it finds
	// live, so a state does not tell whether it is declared.
	ReadBack bool
}

// Role returns the role of a name, nil for none.
func (a *Account) Role(name string) *Role {
	i, ok := slices.BinarySearchFunc(a.Roles, name, func(r Role, n string) int { return cmp.Compare(r.Name, n) })
	if !ok {
		return nil
	}
	return &a.Roles[i]
}

// sort puts everything into the order that the types promise.
func (a *Account) sort() {
	slices.SortFunc(a.Roles, func(x, y Role) int { return cmp.Compare(x.Name, y.Name) })
	for i := range a.Roles {
		r := &a.Roles[i]
		slices.SortFunc(r.Policies, func(x, y Policy) int {
			return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.ARN, y.ARN), cmp.Compare(x.Where, y.Where))
		})
		slices.Sort(r.Open)
		r.Open = slices.Compact(r.Open)
	}
	slices.Sort(a.Partial)
	a.Partial = slices.Compact(a.Partial)
}
