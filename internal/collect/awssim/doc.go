// Package awssim is a small AWS on the loopback interface: one http.Handler that answers the read operations
// an auditor of SageMaker execution roles needs, in the wire formats of AWS, from an Account held in memory.
// The real AWS SDK clients, the AWS CLI and boto3 talk to it through an endpoint override.
//
// It serves three masters: `audit demo` (with the Sample account), tests (with accounts they build, page by page,
// fault by fault), and people who want to try a tool without an AWS account.
//
// What it promises:
//   - Only reading. An operation outside Operations is refused and kept in Violations.
//   - What AWS guarantees is kept (newest event first, a Marker that walks all kinds), what AWS leaves open may be
//     shuffled (Behaviour.Shuffle), and what AWS can do to a client can be done on demand (Fault).
//   - Every request is counted, retries included, with the server's own timestamps.
//   - The signature of a request is not verified, but its credential scope is read: it says the service and region.
//
// It answers within microseconds, which shows races that a distant AWS hides: smithy-go v1.28.8 closes a request body
// as soon as it has the answer, and net/http may still be reading it (see plainBody in helpers_test.go).
//
// The package uses the standard library only. Where AWS documents a behaviour the code names the page.
package awssim
