package analyze

import (
	"regexp"

	"sagemaker-role-audit/internal/analyze/actions"
)

// s3Location is a bucket with a key, or with a key-name prefix.
type s3Location struct {
	partition, bucket, key string
	// accessPoint is the ARN of an access point used in a bucket's place.
	accessPoint string
	// prefix: every key that begins with key is meant.
	prefix bool
}

var (
	s3URI = regexp.MustCompile(`^(?i:s3)://([^/]+)/?(.*)$`)
	// The two https forms. Source: AWS S3 VirtualHosting.
	s3VirtualHost = regexp.MustCompile(`^(?i:https)://([a-z0-9][a-z0-9.-]*)\.s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?/?(.*)$`)
	s3PathStyle   = regexp.MustCompile(`^(?i:https)://s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?/([^/]+)/?(.*)$`)
	// bucketName: AWS S3 bucketnamingrules.
	bucketName  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$`)
	accessPoint = regexp.MustCompile(`^(?i:s3)://(arn:[a-z0-9-]+:s3:[a-z0-9-]+:\d{12}:accesspoint/[a-z0-9-]+)/?(.*)$`)
)

// parseS3 reads the S3 URIs that SageMaker takes (SageMaker API, S3Uri:
// `(https|s3)://([^/]+)/?(.*)`). It answers false for anything else, and for a
// bucket whose name is none.
func parseS3(partition, uri string) (s3Location, bool) {
	if m := accessPoint.FindStringSubmatch(uri); m != nil {
		return s3Location{partition: partition, accessPoint: m[1], key: m[2]}, true
	}
	for _, re := range []*regexp.Regexp{s3PathStyle, s3VirtualHost, s3URI} {
		if m := re.FindStringSubmatch(uri); m != nil && bucketName.MatchString(m[1]) {
			return s3Location{partition: partition, bucket: m[1], key: m[2]}, true
		}
	}
	return s3Location{}, false
}

// objectARN is an object's ARN without anything that IAM would read as a
// wildcard or variable.
var objectARN = regexp.MustCompile(`^arn:([a-z0-9-]+):s3:::([^/*?$]+)/([^*?$]+)$`)

func parseObjectARN(arn string) (s3Location, bool) {
	m := objectARN.FindStringSubmatch(arn)
	if m == nil || !bucketName.MatchString(m[2]) {
		return s3Location{}, false
	}
	return s3Location{partition: m[1], bucket: m[2], key: m[3]}, true
}

// bucketARN is what s3:ListBucket is granted on.
func (l s3Location) bucketARN() string {
	if l.accessPoint != "" {
		return l.accessPoint
	}
	return "arn:" + l.partition + ":s3:::" + l.bucket
}

// pattern is the IAM resource of the objects. The key's own wildcards and
// variable signs are escaped, so that they name nothing but themselves.
func (l s3Location) pattern() string {
	arn := l.bucketARN() + "/"
	if l.accessPoint != "" {
		arn += "object/"
	}
	arn += actions.Literal(l.key)
	if l.prefix {
		arn += "*"
	}
	return arn
}
