package awssim

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Bucket is an S3 general purpose bucket, as far as its policy, its default encryption and a few objects go.
type Bucket struct {
	Name   string
	Region string // empty means us-east-1
	Owner  string // the account it belongs to; empty: this one
	Policy string // empty: it has none
	// DefaultKey is the KMS key that it encrypts with by default, as GetBucketEncryption names it; empty: SSE-S3.
	DefaultKey string
	// Objects are the few of its objects that somebody reads, by key. Beside them are the log files of the trails that
	// deliver here; an object of the same key stands in place of such a file.
	Objects map[string]string
	KMSKey  string // the ARN of the key that its objects are encrypted with; empty: none, log files have their trail's
	// Shared lets this account read the bucket of another.
	Shared bool
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
	case b.Owner != "" && b.Owner != c.account.ID && !b.Shared:
		return nil, &apiError{http.StatusForbidden, "AccessDenied", "Access Denied"}
	}
	return b, nil
}

func objectResource(c *call) string { return bucketResource(c) + "/" + c.object }

// part is an object, or the range of it that was asked for.
type part struct {
	object
	contentRange string // empty: all of it, asked for without a range
}

// getObject answers an object, or the range "bytes=M-N" or "bytes=M-" of it, and of none but the one that If-Match
// names (AWS: API_GetObject). To read an encrypted one the caller needs its key as well (AWS: services-s3).
func getObject(c *call) (any, error) {
	b, err := c.openBucket()
	if err != nil {
		return nil, err
	}
	objects := c.index.objectsOf(b)
	i, ok := slices.BinarySearchFunc(objects, c.object, func(o object, key string) int { return strings.Compare(o.key, key) })
	if !ok {
		return nil, &apiError{http.StatusNotFound, "NoSuchKey", "The specified key does not exist."}
	}
	o := objects[i]
	if key := o.kmsKey; c.faultKind() == RefuseKey || key != "" && c.behaviour.Authorize != nil && !c.behaviour.Authorize("kms:Decrypt", key) {
		return nil, c.operation.protocol.deny(c.account.caller().ARN, "kms:Decrypt", cmp.Or(key, "*"))
	}
	switch {
	case c.ifMatch != "" && c.ifMatch != o.etag():
		return nil, &apiError{http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold"}
	case c.faultIsEmpty():
		return &part{}, nil
	case c.byteRange == "":
		return &part{object: o}, nil
	}
	first, last, ok := c.wantedRange(len(o.body))
	if !ok {
		return nil, &apiError{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable"}
	}
	whole := len(o.body)
	ranged := part{object: o, contentRange: fmt.Sprintf("bytes %d-%d/%d", first, last, whole)}
	ranged.etagged, ranged.body = o.etag(), o.body[first:last+1]
	return &ranged, nil
}

// wantedRange reads "bytes=M-N" and "bytes=M-", of an object of so many bytes.
func (c *call) wantedRange(size int) (first, last int, ok bool) {
	from, to, ok := strings.Cut(strings.TrimPrefix(c.byteRange, "bytes="), "-")
	first, err := strconv.Atoi(from)
	if !ok || err != nil || first >= size {
		return 0, 0, false
	}
	if to == "" {
		return first, size - 1, true
	}
	if last, err = strconv.Atoi(to); err != nil || last < first {
		return 0, 0, false
	}
	return first, min(last, size-1), true
}

// The shape of ListObjectsV2's answer (AWS: API_ListObjectsV2).
type (
	objectList struct {
		XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
		Name                  string
		Prefix                string
		Delimiter             string `xml:",omitempty"`
		StartAfter            string `xml:",omitempty"`
		MaxKeys               int
		KeyCount              int
		IsTruncated           bool
		ContinuationToken     string `xml:",omitempty"`
		NextContinuationToken string `xml:",omitempty"`
		Contents              []listedObject
		CommonPrefixes        []commonPrefix
	}
	listedObject struct {
		Key          string
		LastModified string
		ETag         string
		Size         int
		StorageClass string
	}
	commonPrefix struct{ Prefix string }
)

// listObjects answers the objects under a prefix in the order of their keys, those that share what stands up to the
// delimiter as one (AWS: API_ListObjectsV2).
func listObjects(c *call) (any, error) {
	b, err := c.openBucket()
	if err != nil {
		return nil, err
	}
	asked := c.form
	prefix, delimiter, after := asked.Get("prefix"), asked.Get("delimiter"), asked.Get("start-after")
	var found []any
	last := ""
	for _, o := range c.index.objectsOf(b) {
		rest, ok := strings.CutPrefix(o.key, prefix)
		if !ok || o.key <= after {
			continue
		}
		if folder, _, below := strings.Cut(rest, delimiter); delimiter != "" && below {
			if folder = prefix + folder + delimiter; folder != last {
				last = folder
				found = append(found, commonPrefix{folder})
			}
			continue
		}
		found = append(found, listedObject{o.key, o.modified.UTC().Format("2006-01-02T15:04:05.000Z"), o.etag(), len(o.body), "STANDARD"})
	}
	const largest = 1000
	size := largest
	if text := asked.Get("max-keys"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 0 {
			return nil, &apiError{http.StatusBadRequest, "InvalidArgument", "Argument maxKeys must be an integer between 0 and 2147483647"}
		}
	}
	token := asked.Get("continuation-token")
	p, err := c.page(len(found), min(size, largest), token, c.bucket, prefix, delimiter, after)
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "InvalidArgument", "The continuation token provided is incorrect"}
	}
	out := objectList{Name: c.bucket, Prefix: prefix, Delimiter: delimiter, StartAfter: after, MaxKeys: size, KeyCount: p.to - p.from,
		IsTruncated: p.next != "", ContinuationToken: token, NextContinuationToken: p.next}
	for _, f := range found[p.from:p.to] {
		switch f := f.(type) {
		case listedObject:
			out.Contents = append(out.Contents, f)
		case commonPrefix:
			out.CommonPrefixes = append(out.CommonPrefixes, f)
		}
	}
	return &out, nil
}
