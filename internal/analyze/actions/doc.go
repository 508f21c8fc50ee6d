// Package actions knows AWS's IAM actions: which there are ([Load]), which of
// them a CloudTrail event was authorised by ([Of]), whether such a call counts
// as used, attempted or denied ([OutcomeOf]), and whether CloudTrail could have
// shown a call of them at all ([VisibilityOf]).
//
// It is data and pure functions: no network, no files but the embedded ones, no
// clock, and nothing of ours is imported. Where AWS documents no answer the
// answer is that it is not known, never a guess.
package actions
