package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
)

const opListObjects = "s3:ListObjectsV2"

// logBucket is a bucket of log files as trailfiles reads it.
type logBucket struct {
	*run
	name string
	s3   perRegion[*s3.Client]

	mu     sync.Mutex
	region string // the bucket's own, once S3 has named it
	// listed are the folders that a list has shown: each has something in it.
	listed map[string]bool
	// failures counts the failures in a row that the objects which follow would share.
	failures int
	last     error
}

// failingAlike is after how many failures in a row, and no success, the rest is given
// up: trying each of a hundred thousand objects would only take so much longer.
const failingAlike = 20

func (r *run) newLogBucket(name, region string) *logBucket {
	b := &logBucket{run: r, name: name, region: region, listed: make(map[string]bool)}
	b.s3.make = r.clients.s3
	return b
}

// Name is how paths begin.
func (b *logBucket) Name() string { return prefixS3 + b.name + "/" }

// List lists a folder (AWS: API_ListObjectsV2).
func (b *logBucket) List(ctx context.Context, prefix string) iter.Seq2[trailfiles.Object, error] {
	return func(yield func(trailfiles.Object, error) bool) {
		found, stopped := 0, false
		err := pages(func(token *string) (*string, bool, error) {
			out, err := b.list(ctx, prefix, token)
			if err != nil {
				return nil, false, err
			}
			for _, p := range out.CommonPrefixes {
				found++
				b.shown(aws.ToString(p.Prefix))
				if !yield(trailfiles.Object{Key: aws.ToString(p.Prefix)}, nil) {
					stopped = true
					return nil, true, nil
				}
			}
			for _, o := range out.Contents {
				found++
				if !yield(trailfiles.Object{Key: aws.ToString(o.Key), Size: aws.ToInt64(o.Size)}, nil) {
					stopped = true
					return nil, true, nil
				}
			}
			return following(aws.ToBool(out.IsTruncated), out.NextContinuationToken)
		})
		if err == nil && !stopped && found == 0 && b.wasShown(prefix) {
			err = &trailfiles.Error{Reason: snapshot.ReasonShort, Err: errors.New("the folder was listed, and the list of it is empty")}
		}
		if err != nil {
			yield(trailfiles.Object{}, b.failure(opListObjects, err))
		}
	}
}

func (b *logBucket) shown(prefix string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listed[prefix] = true
}

func (b *logBucket) wasShown(prefix string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.listed[prefix]
}

func (b *logBucket) list(ctx context.Context, prefix string, token *string) (*s3.ListObjectsV2Output, error) {
	var out *s3.ListObjectsV2Output
	err := b.inRegion(func(api *s3.Client) (err error) {
		out, err = api.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: &prefix, Delimiter: aws.String("/"), ContinuationToken: token})
		return err
	})
	if err == nil && (aws.ToString(out.Name) != b.name || out.KeyCount == nil || int(*out.KeyCount) != len(out.Contents)+len(out.CommonPrefixes)) {
		err = broken("a list that does not say what it lists")
	}
	return out, err
}

// inRegion calls in the region where the bucket was found to be, or in the one that
// S3's refusal names (AWS: API_HeadBucket, x-amz-bucket-region).
func (b *logBucket) inRegion(call func(*s3.Client) error) error {
	b.mu.Lock()
	region := b.region
	b.mu.Unlock()
	err := call(b.s3.of(region))
	if home := bucketRegion(err); home != "" && home != region {
		b.mu.Lock()
		b.region = home
		b.mu.Unlock()
		err = call(b.s3.of(home))
	}
	return err
}

// Open reads an object. Where it breaks off, it is read on from there.
func (b *logBucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := b.givenUp(); err != nil {
		return nil, err
	}
	o := &logObject{bucket: b, ctx: ctx, key: key}
	if err := o.open(); err != nil {
		err = b.failure(opGetObject, err)
		b.note(err)
		return nil, err
	}
	b.note(nil)
	return o, nil
}

func (b *logBucket) givenUp() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures >= failingAlike {
		return b.last
	}
	return nil
}

func (b *logBucket) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var known *trailfiles.Error
	switch {
	case err == nil:
		b.failures, b.last = 0, nil
	case errors.As(err, &known) && (known.Reason == snapshot.ReasonRefused || hopeless(known.Err)):
		b.failures, b.last = b.failures+1, err
	}
}

// failure puts an error of S3 into words, with the permission that is lacking.
func (b *logBucket) failure(operation string, err error) error {
	var known *trailfiles.Error
	if errors.As(err, &known) {
		return err
	}
	e := &trailfiles.Error{Reason: reason(err), Err: worded{err}}
	if e.Reason == snapshot.ReasonRefused && !strange(err) && !closed(err) {
		e.Permission = permissionFor(operation)
		if lacksKey(err) {
			e.Permission = actionDecrypt
		}
	}
	return e
}

// actionDecrypt is what a reader of encrypted objects needs beside s3:GetObject: S3
// asks KMS in the reader's name (AWS: KMS services-s3).
const actionDecrypt = "kms:Decrypt"

// lacksKey reports whether it is the object's key that the caller may not use.
func lacksKey(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), "perform: "+actionDecrypt)
}

// worded is an error that reads as a gap's detail does.
type worded struct{ err error }

func (w worded) Error() string { return detail(w.err) }
func (w worded) Unwrap() error { return w.err }

// logObject is an object under way.
type logObject struct {
	bucket *logBucket
	ctx    context.Context // of the reading that opened it, and reads it
	key    string

	body   io.ReadCloser
	etag   string
	size   int64 // -1: not told
	offset int64 // what was read
	resets int   // how often it was opened again in a row without a byte
}

// open asks for the object from the offset on: of the same content, as its ETag
// tells (AWS: API_GetObject, If-Match). A body that begins at the beginning all the
// same is read again up to there.
func (o *logObject) open() error {
	in := &s3.GetObjectInput{Bucket: &o.bucket.name, Key: &o.key}
	if o.offset > 0 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", o.offset))
		if o.etag != "" {
			in.IfMatch = &o.etag
		}
	}
	var out *s3.GetObjectOutput
	err := o.bucket.inRegion(func(api *s3.Client) (err error) {
		out, err = api.GetObject(o.ctx, in)
		return err
	})
	if err != nil {
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed" {
			return broken("the object was replaced while it was read")
		}
		return err
	}
	switch {
	case o.offset == 0:
		o.etag, o.size = aws.ToString(out.ETag), -1
		if out.ContentLength != nil {
			o.size = *out.ContentLength
		}
	case aws.ToString(out.ETag) != o.etag:
		out.Body.Close()
		return broken("the object was replaced while it was read")
	case !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", o.offset)):
		if _, err := io.CopyN(io.Discard, out.Body, o.offset); err != nil {
			out.Body.Close()
			return err
		}
	}
	o.body = out.Body
	return nil
}

// Read reads on, and opens the object anew where its connection ended too early.
func (o *logObject) Read(p []byte) (int, error) {
	for {
		n, err := 0, error(nil)
		if o.body != nil {
			n, err = o.body.Read(p)
		} else {
			err = io.ErrUnexpectedEOF
		}
		if n > 0 {
			o.offset += int64(n)
			o.resets = 0
		}
		switch {
		case err == nil || n > 0 && !errors.Is(err, io.EOF):
			return n, nil
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && (o.size < 0 || o.offset >= o.size):
			return n, err
		case n > 0:
			return n, nil
		}
		if err := o.resume(err); err != nil {
			return 0, o.bucket.failure(opGetObject, err)
		}
	}
}

// resume opens the object again, at most so often in a row as any call is tried.
func (o *logObject) resume(cause error) error {
	if o.body != nil {
		o.body.Close()
		o.body = nil
	}
	if err := o.ctx.Err(); err != nil {
		return err
	}
	if o.resets++; o.resets >= o.bucket.clients.retryer().MaxAttempts() {
		return cutOff{cause}
	}
	if err := o.bucket.pause(o.ctx, o.resets); err != nil {
		return err
	}
	err := o.open()
	if err != nil && reason(err) == snapshot.ReasonCut {
		return nil // the next Read counts it
	}
	return err
}

// cutOff is a body that ended too early each time.
type cutOff struct{ err error }

func (c cutOff) Error() string { return "the connection ended within the object: " + innermost(c.err) }

// Unwrap gives what [reason] knows as a connection that was cut.
func (c cutOff) Unwrap() error { return io.ErrUnexpectedEOF }

// pause waits before the nth try in a row, twice as long each time, as the SDK does.
func (b *logBucket) pause(ctx context.Context, n int) error {
	longest := 20 * time.Second
	if b.maxBackoff > 0 {
		longest = b.maxBackoff
	}
	pause := min(longest, time.Duration(1<<min(n-1, 10))*100*time.Millisecond)
	timer := time.NewTimer(time.Duration(rand.Int64N(int64(pause)) + 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the connection.
func (o *logObject) Close() error {
	if o.body == nil {
		return nil
	}
	return o.body.Close()
}
