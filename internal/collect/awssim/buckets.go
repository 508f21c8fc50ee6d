package awssim

import (
	"cmp"
	"fmt"
	"net/http"
)

// Bucket is an S3 general purpose bucket, as far as its policy, its default encryption and a few objects go.
type Bucket struct {
	Name   string
	Region string // empty means us-east-1
	Owner  string // the account it belongs to; empty: this one
	Policy string // empty: it has none
	// DefaultKey is the KMS key that it encrypts with by default, as GetBucketEncryption names it; empty: SSE-S3.
	DefaultKey string
	// Objects are the few of its objects that somebody reads, by key.
	Objects map[string]string
}

// BucketARN gives the ARN of a bucket, which names neither region nor account.
func (a *Account) BucketARN(name string) string {
	return fmt.Sprintf("arn:%s:s3:::%s", a.partition(), name)
}

func (b *Bucket) region() string { return cmp.Or(b.Region, "us-east-1") }

func bucketResource(c *call) string { return c.account.BucketARN(c.bucket) }

// getBucketPolicy answers the policy itself, as the whole body (AWS: API_GetBucketPolicy). A bucket answers in its own
// region only; elsewhere S3 names that (AWS: UsingRouting, ErrorResponses).
func getBucketPolicy(c *call) (any, error) {
	b, err := c.openBucket()
	switch {
	case err != nil:
		return nil, err
	case c.faultIsEmpty():
		return "", nil
	case b.Policy == "":
		return nil, &apiError{http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist"}
	}
	return b.Policy, nil
}

// getBucketEncryption answers the default encryption, which every bucket has (AWS: API_GetBucketEncryption).
func getBucketEncryption(c *call) (any, error) {
	b, err := c.openBucket()
	if err != nil {
		return nil, err
	}
	const head = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	if c.faultIsEmpty() {
		return head + "</ServerSideEncryptionConfiguration>", nil
	}
	by := "<SSEAlgorithm>AES256</SSEAlgorithm>"
	if b.DefaultKey != "" {
		by = "<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>" + b.DefaultKey + "</KMSMasterKeyID>"
	}
	return head + "<Rule><ApplyServerSideEncryptionByDefault>" + by + "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>", nil
}

func (c *call) openBucket() (*Bucket, error) {
	b := c.index.bucketOf[c.bucket]
	switch {
	case b == nil:
		return nil, &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	case b.region() != c.region:
		return nil, &redirect{b.region(), &apiError{http.StatusMovedPermanently, "PermanentRedirect",
			"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."}}
	case b.Owner != "" && b.Owner != c.account.ID:
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Access Denied"}
	}
	return b, nil
}

func objectResource(c *call) string { return bucketResource(c) + "/" + c.object }

// part is the range of an object that was asked for.
type part struct {
	body         string
	contentRange string // empty: all of it, asked for without a range
}

// getObject answers an object, or its beginning where the request has a Range "bytes=0-N" (AWS: API_GetObject).
func getObject(c *call) (any, error) {
	b, err := c.openBucket()
	if err != nil {
		return nil, err
	}
	object, ok := b.Objects[c.object]
	switch {
	case !ok:
		return nil, &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	case c.faultIsEmpty():
		return &part{}, nil
	case c.byteRange == "":
		return &part{body: object}, nil
	}
	var last int
	if _, err := fmt.Sscanf(c.byteRange, "bytes=0-%d", &last); err != nil || object == "" {
		return nil, &apiError{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"}
	}
	last = min(last, len(object)-1)
	return &part{object[:last+1], fmt.Sprintf("bytes 0-%d/%d", last, len(object))}, nil
}
