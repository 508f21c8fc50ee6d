package awssim

import (
	"cmp"
	"fmt"
	"net/http"
)

// Bucket is an S3 general purpose bucket, as far as its policy goes.
type Bucket struct {
	Name   string
	Region string // empty means us-east-1
	Owner  string // the account it belongs to; empty: this one
	Policy string // empty: it has none
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
	b := c.index.bucketOf[c.bucket]
	switch {
	case b == nil:
		return nil, &apiError{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	case b.region() != c.region:
		return nil, &redirect{b.region(), &apiError{http.StatusMovedPermanently, "PermanentRedirect",
			"The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."}}
	case b.Owner != "" && b.Owner != c.account.ID:
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case c.faultIsEmpty():
		return "", nil
	case b.Policy == "":
		return nil, &apiError{http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist"}
	}
	return b.Policy, nil
}
