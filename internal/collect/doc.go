// Package collect reads a live AWS account into a [snapshot.Snapshot]: who the
// caller is, which regions are enabled, the training jobs, the roles that can run
// them, what CloudTrail's Event history and IAM's last accessed details tell of these
// roles, and the trails, which say what is recorded beyond that.
//
// It is the only package that imports the AWS SDK, and it judges nothing: policies
// stay raw, events keep CloudTrail's own words, and who is in scope is a function
// that the caller hands over. What was asked for and could not be read becomes a
// [snapshot.Gap]; a run is never lost to a refused call.
//
// It only reads. [Operations] lists every operation there is; a middleware in each
// client refuses all others before anything leaves the process.
package collect
