// Package trailfiles reads CloudTrail log files: those of a trail's bucket, or of a
// folder they were copied to. It streams: what it holds is bounded by limits that are
// written down, not by the size of the logs.
//
//	listing, err := trailfiles.Find(ctx, bucket, "logs/", trailfiles.Filter{...})
//	result, err := trailfiles.Read(ctx, []*trailfiles.Listing{listing}, trailfiles.Options{...})
//
// Every record of every file is tested. It means what encoding/json makes of it
// ([snapshot.DecodeRecord], [snapshot.Facts]); a file, or a record, that cannot be
// understood is a gap that names its path. docs/trail-files.md has the rules.
//
// The package links no AWS SDK: who reads a bucket hands over a [Bucket].
package trailfiles

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// Bucket is where log files lie. Keys are parted by slashes and never begin with one.
// Both methods are called from several goroutines at once.
type Bucket interface {
	// Name is how paths in gaps and evidence begin: "s3://bucket/", "logs/".
	Name() string
	// List yields what lies directly under a prefix, which is empty or ends in a
	// slash (S3: ListObjectsV2 with Delimiter=/): folders, whose key ends in a slash,
	// and objects, in any order. An error is the last thing it yields.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Open reads an object from its beginning. The reader resumes by itself where a
	// connection broke; an error that it returns is final.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
}

// Object is what a bucket lists: a folder, whose Key ends in a slash, or an object.
type Object struct {
	Key  string
	Size int64 // bytes as stored, 0 for a folder
	Err  error // of this entry alone: it cannot be read
}

// Error is an error of a Bucket that knows the reason of its gap.
type Error struct {
	Reason     string // one of snapshot's Reason constants
	Permission string // the IAM actions that are lacking, comma separated
	Err        error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Filter says which files are wanted. Empty lists mean all.
type Filter struct {
	// Source names the evidence: Usage.Source and Gap.Source of what is read.
	Source string
	// Accounts are those whose calls are wanted (12 digits).
	Accounts []string
	// Regions are those whose files are wanted.
	Regions []string
	// Window is the time of the calls. Files are looked for from its first day to a
	// day after its last one: a file lies under the day of its delivery (CloudTrail
	// User Guide, get-and-view-cloudtrail-log-files). A zero window means all days.
	Window snapshot.Window
	// Skip leaves out days (UTC, of the delivery) that another source reads. May be nil.
	Skip func(account, region string, day time.Time) bool
	// AtOnce is how many prefixes are listed at the same time, 8 when zero.
	AtOnce int
	// Progress hears what was found so far, from several goroutines, one at a time.
	Progress func(files int, bytes int64)
}

// Options say what to read of the files. Zero limits mean the defaults.
type Options struct {
	// Roles are ARNs of roles. A record is a candidate when the issuer of its session
	// is such an ARN, or a string anywhere in its requestParameters ...
	Roles map[string]bool
	// ... or when its eventSource is one of Sources ("iam.amazonaws.com").
	Sources []string
	// Keep decides about every candidate, and must refuse what is none: whether it
	// is refused here or not looked at is the same. It is called from several
	// goroutines at once; at is the record's eventTime in UTC.
	Keep func(key *snapshot.UseKey, at time.Time) bool
	// Window is the time of the calls that are kept. Zero means all.
	Window snapshot.Window

	// Workers is how many files are read at the same time, GOMAXPROCS when zero.
	Workers int
	// Progress hears how far the reading is, one call at a time, a few times a
	// second and at the end. Its sizes are the bytes as stored.
	Progress func(Progress)
	Limits   Limits
}

// Limits bound what a hostile or an endless file can cost, and what is held.
type Limits struct {
	// Record is the longest record, in bytes of JSON: 4 MiB when zero.
	Record int
	// Depth is how deep a record may nest: 1,000 when zero, at most 9,000.
	Depth int
	// File is the most JSON that one file may hold: 512 MiB when zero (CloudTrail
	// cuts files at 50 MB, whatiscloudtrail-limits).
	File int64
	// Events is how many kept calls are remembered by id, so that one that is
	// delivered twice counts once: 200,000 when zero.
	Events int
	// Objects is how many names (of S3 objects, log streams, training jobs) of one kind
	// of call (role, event, outcome, bucket) are kept before they collapse to what they
	// begin with ([snapshot.UseKey.Collapsed]): 1,000 when zero. It is halved, again
	// and again, when there are more groups than Names: 25,000 when zero.
	Objects, Names int
	// Groups is how many groups of calls are kept in all, 100,000 when zero: more than
	// Names only where so many calls differ in more than names.
	Groups int
	// Gaps is how many files of a source are named one by one: 1,000 when zero.
	Gaps int
}

// Progress is how far a reading is. The bytes are the measure of the time that is
// left: files differ in size a hundredfold.
type Progress struct {
	Files, FilesDone int
	Bytes, BytesDone int64 // as stored (compressed)
}

// Result is what the files told.
type Result struct {
	groups *aggregate

	// Gaps name each file that could not be read, or not to its end, or in which
	// records could not be understood. In the snapshot's order.
	Gaps []snapshot.Gap
	// Days tell per account, region and day of delivery what was read.
	Days []Day
	// Collapsed are the kinds of calls whose objects were too many to keep by name.
	Collapsed []Collapse

	Files   int
	Stored  int64 // bytes as stored
	Bytes   int64 // bytes of JSON
	Records int64
	// Candidates are the records that were decoded, Kept those that Keep took,
	// Duplicates those of them that were the same call again.
	Candidates, Kept, Duplicates int64
	// Forgotten are the kept calls whose id was forgotten for want of room: a
	// delivery of the same call long after may then have been counted again.
	Forgotten int64
	// Dropped are the kept calls that found no room among the groups (a gap).
	Dropped int64
}

// Usage yields the groups of calls that were kept, in a fixed order that is not the
// snapshot's. They lie packed, at a fifth of what they take when spread out.
func (r *Result) Usage() iter.Seq[snapshot.Usage] { return r.groups.each }

// Groups is how many there are of Usage, at the most.
func (r *Result) Groups() int { return r.groups.groups }

// Day is what was read of one account, region and day of delivery.
type Day struct {
	Source, Account, Region string
	Day                     time.Time // midnight UTC
	Files                   int
	Unread                  int // files with a gap
	Records                 int64
	// Management, Data and Other count the records by event class. Kept in the
	// record as eventCategory; a record without one counts as its managementEvent
	// says, else as management (CloudTrail User Guide,
	// cloudtrail-event-reference-record-contents).
	Management, Data, Other int64
	// First and Last are the eventTimes of the earliest and the latest record.
	First, Last time.Time
}

// Collapse is one kind of call whose objects were collapsed.
type Collapse struct {
	Role        snapshot.RoleKey
	Caller      string
	EventSource string
	EventName   string
	Region      string
	Bucket      string // empty where it is not objects that collapsed
	Objects     int    // names that were told apart before they collapsed; more may have followed
	Prefixes    int    // that are left
	Calls       int64
}

// ErrNoBucket is the error of a prefix under which nothing lies.
var ErrNoBucket = errors.New("nothing there")
