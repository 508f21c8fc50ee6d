// Package policy is the IAM policy language: it parses, prints, matches and
// evaluates policy documents, offline.
//
// It never guesses. What the request context does not tell is Unknown, and a
// decision is asked for one side: May (E+) allows whatever AWS might allow, Must
// (E-) allows only what AWS certainly allows. A decision names every statement
// that took part and every question that stayed open.
//
// Decide answers about one request. Contains, Covers, WidensNothing, Redundant and
// Intersect answer about sets of them: with a proof, with a request that shows the
// contrary, or not at all (docs/questions.md).
//
// The package knows no catalogue of actions. Where it needs one (to expand a
// wildcard into the actions it grants) it asks a Universe.
//
// Documents are immutable after Parse and safe for concurrent use. Each rule of
// AWS's stands in one place, with the name of the page of the IAM User Guide it
// comes from.
package policy
