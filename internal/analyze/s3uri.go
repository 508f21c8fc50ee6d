package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"sagemaker-role-audit/internal/analyze/actions"
)

// s3Location is a bucket with a key, or with a key-name prefix.
type s3Location struct {
	partition, bucket, key string
	// accessPoint is the ARN of an access point used in a bucket's place.
	accessPoint string
	// directory is the ARN of an S3 Express directory bucket: there is one action for
	// all of it, and none for its keys.
	directory string
	// prefix: every key that begins with key is meant.
	prefix bool
	// note says what is odd about the key, and what was made of it.
	note string
}

// longestKey is the most bytes that an object's key has. Source: AWS S3 object-keys.
const longestKey = 1024

var (
	// directoryBucket ends in its zone. Source: AWS S3 directory-bucket-naming-rules.
	directoryBucket = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*--[a-z0-9]+-[a-z0-9-]*az\d+--x-s3$`)
	// accessPointARN, the last without a region that of a Multi-Region Access Point.
	// Source: AWS S3 access-points-policies, MultiRegionAccessPointPermissions.
	accessPointARN = regexp.MustCompile(`^(arn:aws[a-z-]*:s3:(?:[a-z]{2}[a-z0-9-]*:\d{12}:accesspoint/[a-z0-9][a-z0-9-]{1,48}[a-z0-9]|:\d{12}:accesspoint/[a-z0-9]+\.mrap))(?:/((?s:.*)))?$`)
	// s3Host is a host of S3, the bucket in front of it, or behind it in the path.
	// Source: AWS S3 VirtualHosting, dual-stack-endpoints, transfer-acceleration;
	// AWS General Reference s3 (FIPS).
	s3Host = regexp.MustCompile(`^(?:(.+)\.)?(?:s3|s3-fips|s3-accelerate|s3-external-1)(?:\.dualstack)?(?:[.-](?:[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$`)
	// accessPointHost: AWS S3 access-points-naming (access point name, account, region).
	accessPointHost = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*)-(\d{12})\.s3-accesspoint(?:-fips)?(?:\.dualstack)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$`)
	// directoryHost: AWS S3 s3-express-Regions-and-Zones (zonal endpoints).
	directoryHost = regexp.MustCompile(`^(.+--x-s3)\.s3express(?:-fips)?-[a-z0-9-]+(?:\.dualstack)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com(?:\.cn)?$`)
)

// parseS3 reads the S3 URIs that SageMaker takes (SageMaker API, S3Uri:
// `(https|s3)://([^/]+)/?(.*)`), in a region. Where it cannot say what IAM calls the
// place it says why not. However hostile the URI, the location's pattern matches the
// object that it names and nothing outside its bucket.
func (p place) parseS3(region, uri string) (loc s3Location, why string) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return s3Location{}, "it is no S3 URI"
	}
	loc.partition = p.partition
	switch strings.ToLower(scheme) {
	case "s3":
		if strings.HasPrefix(rest, "arn:") {
			m := accessPointARN.FindStringSubmatch(rest)
			if m == nil {
				return s3Location{}, "the ARN in the bucket's place is not that of an access point"
			}
			loc.accessPoint = m[1]
			loc.setKey(m[2], false)
			return loc, ""
		}
		bucket, key, _ := strings.Cut(rest, "/")
		if why := p.setBucket(&loc, region, bucket); why != "" {
			return s3Location{}, why
		}
		loc.setKey(key, false)
	case "https":
		host, path, _ := strings.Cut(rest, "/")
		host = strings.ToLower(host)
		if m := accessPointHost.FindStringSubmatch(host); m != nil {
			loc.accessPoint = "arn:" + p.partition + ":s3:" + m[3] + ":" + m[2] + ":accesspoint/" + m[1]
			loc.setKey(path, true)
			return loc, ""
		}
		bucket := ""
		if m := directoryHost.FindStringSubmatch(host); m != nil {
			bucket, region = m[1], m[2]
		} else if m := s3Host.FindStringSubmatch(host); m != nil {
			bucket = m[1]
			if bucket == "" {
				bucket, path, _ = strings.Cut(path, "/")
			}
		} else {
			return s3Location{}, "its host is none of S3's"
		}
		if why := p.setBucket(&loc, region, bucket); why != "" {
			return s3Location{}, why
		}
		loc.setKey(path, true)
	default:
		return s3Location{}, "it is no S3 URI"
	}
	return loc, ""
}

// isBucketName: AWS S3 bucketnamingrules, and the older rules of us-east-1.
func isBucketName(name string) bool {
	if len(name) < 3 || len(name) > 255 || !alphanumeric(name[0]) || !alphanumeric(name[len(name)-1]) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !alphanumeric(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isAlias: an alias stands in a bucket's place in a request, never in a policy: that
// names the access point's ARN. Source: AWS S3 access-points-naming, access-points-policies.
func isAlias(bucket string) bool {
	return slices.ContainsFunc([]string{"-s3alias", "--ol-s3", "--op-s3", "--xa-s3", ".mrap"}, func(end string) bool { return strings.HasSuffix(bucket, end) })
}

func (p place) setBucket(l *s3Location, region, bucket string) (why string) {
	switch {
	case bucket == "":
		return "it names no bucket"
	case isAlias(bucket):
		return "an alias of an access point stands in the bucket's place, and policies name an access point by its ARN"
	case strings.HasSuffix(bucket, "--x-s3") && directoryBucket.MatchString(bucket):
		l.directory = "arn:" + p.partition + ":s3express:" + region + ":" + p.account + ":bucket/" + bucket
	case strings.HasSuffix(bucket, "--x-s3") || !isBucketName(bucket):
		return "no bucket can have that name"
	}
	l.bucket = bucket
	return ""
}

// setKey keeps a key as it is: S3 takes every byte of it for what it is, dots and
// double slashes too (AWS S3 object-keys). It ends before what a policy cannot hold
// (the text of a policy is tab, LF, CR and U+0020 to U+00FF: AWS IAM
// reference_iam-quotas) and before what could be read in two ways.
func (l *s3Location) setKey(key string, https bool) {
	var notes []string
	cut, what := len(key), ""
	for i, r := range key {
		switch {
		case r == utf8.RuneError, r < 0x20, r >= 0x7f && r < 0xa0, r > 0xff:
			cut, what = i, "a character that no policy can hold"
		case https && strings.ContainsRune("%?#", r):
			cut, what = i, fmt.Sprintf("%q, which a URL gives another meaning", r)
		case i >= longestKey || i+utf8.RuneLen(r) > longestKey:
			cut, what = i, "byte 1,025, where every key has ended"
		default:
			continue
		}
		break
	}
	if what != "" {
		key, l.prefix = key[:cut], true
		notes = append(notes, "the pattern ends before "+what+": it takes in every key that begins like this one")
	}
	if strings.Contains(key, "//") || strings.HasPrefix(key, "/") {
		// aws-samples/generative-ai-on-amazon-sagemaker#242: "illegal char sub-sequence '//'".
		notes = append(notes, "the key holds an empty segment (//), kept as it is: SageMaker is known to refuse such input")
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			notes = append(notes, "the key holds the segment "+segment+", which S3 and IAM take for a name")
			break
		}
	}
	l.key, l.note = key, strings.Join(notes, "; ")
}

// objectARN is an object's ARN without anything that IAM would read as a
// wildcard or variable.
var objectARN = regexp.MustCompile(`^arn:([a-z0-9-]+):s3:::([^/*?$]+)/([^*?$]+)$`)

func parseObjectARN(arn string) (s3Location, bool) {
	m := objectARN.FindStringSubmatch(arn)
	if m == nil || !isBucketName(m[2]) {
		return s3Location{}, false
	}
	return s3Location{partition: m[1], bucket: m[2], key: m[3]}, true
}

// bucketARN is what s3:ListBucket is granted on.
func (l s3Location) bucketARN() string {
	switch {
	case l.accessPoint != "":
		return l.accessPoint
	case l.directory != "":
		return l.directory
	}
	return "arn:" + l.partition + ":s3:::" + l.bucket
}

// pattern is the IAM resource of the objects. The key's own wildcards and
// variable signs are escaped, so that they name nothing but themselves.
func (l s3Location) pattern() string {
	if l.directory != "" {
		return l.directory
	}
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

// action is what IAM calls an S3 action here: objects of a directory bucket are
// listed, read and written in a session, and the right to open one is all there is.
// Source: AWS S3 s3-express-security-iam; SageMaker API, OutputDataConfig.KmsKeyId.
func (l s3Location) action(s3 string) string {
	if l.directory != "" {
		return actionCreateSession
	}
	return s3
}

const actionCreateSession = "s3express:CreateSession"
