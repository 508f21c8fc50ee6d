package actions

import (
	"net/url"
	"strings"
)

// s3Events maps the names that CloudTrail gives to S3's calls to the actions
// they are authorised by, where the two differ (AWS: using-with-s3-policy-actions
// and the "Permissions" of each API page; the names: AWS:
// cloudtrail-logging-s3-info). On general-purpose buckets ListObjectsV2 is
// recorded as ListObjects.
var s3Events = map[string]string{
	"ListBuckets":             "ListAllMyBuckets",
	"ListObjects":             "ListBucket",
	"ListObjectsV2":           "ListBucket",
	"HeadBucket":              "ListBucket",
	"ListObjectVersions":      "ListBucketVersions",
	"ListMultipartUploads":    "ListBucketMultipartUploads",
	"ListParts":               "ListMultipartUploadParts",
	"HeadObject":              "GetObject",
	"SelectObjectContent":     "GetObject",
	"PostObject":              "PutObject",
	"POST":                    "PutObject",
	"CopyObject":              "PutObject",
	"CreateMultipartUpload":   "PutObject",
	"UploadPart":              "PutObject",
	"UploadPartCopy":          "PutObject",
	"CompleteMultipartUpload": "PutObject",
	"DeleteObjects":           "DeleteObject",

	"GetBucketEncryption":                "GetEncryptionConfiguration",
	"PutBucketEncryption":                "PutEncryptionConfiguration",
	"DeleteBucketEncryption":             "PutEncryptionConfiguration",
	"GetBucketReplication":               "GetReplicationConfiguration",
	"PutBucketReplication":               "PutReplicationConfiguration",
	"DeleteBucketReplication":            "PutReplicationConfiguration",
	"GetBucketLifecycle":                 "GetLifecycleConfiguration",
	"PutBucketLifecycle":                 "PutLifecycleConfiguration",
	"DeleteBucketLifecycle":              "PutLifecycleConfiguration",
	"GetBucketLifecycleConfiguration":    "GetLifecycleConfiguration",
	"PutBucketLifecycleConfiguration":    "PutLifecycleConfiguration",
	"DeleteBucketCors":                   "PutBucketCORS",
	"DeleteBucketTagging":                "PutBucketTagging",
	"DeleteBucketOwnershipControls":      "PutBucketOwnershipControls",
	"DeleteBucketPublicAccessBlock":      "PutBucketPublicAccessBlock",
	"DeleteAccountPublicAccessBlock":     "PutAccountPublicAccessBlock",
	"GetBucketNotificationConfiguration": "GetBucketNotification",
	"PutBucketNotificationConfiguration": "PutBucketNotification",
	"GetObjectLockConfiguration":         "GetBucketObjectLockConfiguration",
	"PutObjectLockConfiguration":         "PutBucketObjectLockConfiguration",

	"GetBucketAccelerateConfiguration":            "GetAccelerateConfiguration",
	"PutBucketAccelerateConfiguration":            "PutAccelerateConfiguration",
	"GetBucketAnalyticsConfiguration":             "GetAnalyticsConfiguration",
	"ListBucketAnalyticsConfigurations":           "GetAnalyticsConfiguration",
	"PutBucketAnalyticsConfiguration":             "PutAnalyticsConfiguration",
	"DeleteBucketAnalyticsConfiguration":          "PutAnalyticsConfiguration",
	"GetBucketInventoryConfiguration":             "GetInventoryConfiguration",
	"ListBucketInventoryConfigurations":           "GetInventoryConfiguration",
	"PutBucketInventoryConfiguration":             "PutInventoryConfiguration",
	"DeleteBucketInventoryConfiguration":          "PutInventoryConfiguration",
	"GetBucketMetricsConfiguration":               "GetMetricsConfiguration",
	"ListBucketMetricsConfigurations":             "GetMetricsConfiguration",
	"PutBucketMetricsConfiguration":               "PutMetricsConfiguration",
	"DeleteBucketMetricsConfiguration":            "PutMetricsConfiguration",
	"GetBucketIntelligentTieringConfiguration":    "GetIntelligentTieringConfiguration",
	"ListBucketIntelligentTieringConfigurations":  "GetIntelligentTieringConfiguration",
	"PutBucketIntelligentTieringConfiguration":    "PutIntelligentTieringConfiguration",
	"DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",

	"GetStorageLensDashboardDataInternal": "GetStorageLensDashboard", // the console's; inferred
}

// s3Uses maps a call of S3, S3 on Outposts or an Object Lambda access point.
func s3Uses(c Call, prefix string) []Use {
	switch c.Name {
	case "ListDirectoryBuckets":
		return []Use{use(c, "s3express:ListAllMyDirectoryBuckets")}
	case "WriteGetObjectResponse":
		return []Use{use(c, "s3-object-lambda:WriteGetObjectResponse")}
	}
	bucket, key := c.param("bucketName"), c.pattern("key")
	if isARN(bucket, "s3-object-lambda") {
		prefix = "s3-object-lambda"
	}
	name, ok := s3Events[c.Name]
	if !ok {
		name = c.Name
	}
	// With a version id the right is the version's own (AWS: API_GetObject,
	// API_DeleteObject ...).
	version := c.param("versionId") != ""
	u := s3Use(c, prefix, name, bucket, key, version)
	// Each object of DeleteObjects has a DeleteObject record of its own (AWS:
	// cloudtrail-logging-s3-info).
	u.Indirect = c.Name == "DeleteObjects"
	uses := []Use{u}
	also := func(name string) { uses = append(uses, s3Use(c, prefix, name, bucket, key, false)) }

	switch c.Name {
	case "PutObject", "PostObject", "POST", "CopyObject", "CreateMultipartUpload":
		// AWS: API_PutObject, API_CopyObject, API_CreateMultipartUpload: ACL and
		// tagging headers take rights of their own.
		if hasACL(c) {
			also("PutObjectAcl")
		}
		if c.param("x-amz-tagging") != "" {
			also("PutObjectTagging")
		}
	case "CreateBucket":
		if hasACL(c) { // AWS: API_CreateBucket
			also("PutBucketAcl")
		}
	case "GetObjectAttributes": // AWS: API_GetObjectAttributes
		uses = append(uses, s3Use(c, prefix, "GetObject", bucket, key, version))
	}
	return append(uses, copySource(c, prefix)...)
}

// copySource is the read that a copy makes; none for a call that copies nothing.
func copySource(c Call, prefix string) []Use {
	if c.Name != "CopyObject" && c.Name != "UploadPartCopy" {
		return nil
	}
	source, many := c.param("x-amz-copy-source"), ""
	if source == "" {
		// Names that stand for many are cut, and their star is no part of them.
		source, many = c.param("x-amz-copy-source*"), "*"
	}
	source, query, _ := strings.Cut(source, "?")
	source = strings.TrimSuffix(source, many)
	if s, err := url.PathUnescape(source); err == nil {
		source = s
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
	if strings.HasPrefix(source, "arn:") { // of an access point: ARN/object/KEY
		bucket, key, _ = strings.Cut(source, "/object/")
	}
	if strings.HasSuffix(bucket, "--x-s3") { // a directory bucket: its session covers the read
		return nil
	}
	if key = Literal(key); key != "" || bucket != "" {
		key += many
	}
	return []Use{s3Use(c, prefix, "GetObject", bucket, key, strings.HasPrefix(query, "versionId="))}
}

// hasACL tells that a request set an access control list by its headers. The
// names of all x-amz-grant-* headers are kept as one parameter.
func hasACL(c Call) bool {
	for _, name := range []string{
		"x-amz-acl", "x-amz-grants", "x-amz-grant-full-control", "x-amz-grant-read",
		"x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp",
	} {
		if c.param(name) != "" {
			return true
		}
	}
	return false
}

// s3Use is a use of one S3 action on a bucket or an object of it; key is a pattern.
func s3Use(c Call, prefix, name, bucket, key string, version bool) Use {
	cat := Load()
	i, ok := cat.Index(prefix + ":" + name)
	if version {
		if j, versioned := cat.Index(prefix + ":" + strings.Replace(name, "Object", "ObjectVersion", 1)); versioned {
			i, ok = j, true
		}
	}
	if !ok {
		return Use{Action: prefix + ":" + c.Name}
	}
	u := Use{Action: cat.Action(i), Known: true}
	switch {
	case cat.Resourceless(i):
		u.Resources = []string{"*"}
	case bucket == "":
		u.Resources = resourcesOf(c, i)
	case strings.HasPrefix(bucket, "arn:"): // an access point
		u.Resources = []string{Literal(bucket) + objectPart(cat, i, "/object/", key)}
	case prefix == "s3" && (takes(cat, i, "object") || takes(cat, i, "bucket")):
		u.Resources = []string{"arn:" + c.partition() + ":s3:::" + Literal(bucket) + objectPart(cat, i, "/", key)}
	}
	return u
}

// objectPart is what follows the bucket in the ARN that an action takes, the key as a
// pattern; every object when the record names none.
func objectPart(cat *Catalog, i int, slash, key string) string {
	switch {
	case !takes(cat, i, "object"):
		return ""
	case key == "":
		return slash + "*"
	}
	return slash + key
}

func takes(cat *Catalog, i int, resourceType string) bool {
	for _, t := range cat.ResourceTypes(i) {
		if t.Name == resourceType {
			return true
		}
	}
	return false
}

// s3ExpressUses maps a call on a directory bucket: what acts on objects is
// authorised by the session, whatever the call (AWS: s3-express-create-session);
// what acts on the bucket has an action of its own. A copy from a general-purpose
// bucket reads there too.
func s3ExpressUses(c Call) []Use {
	if !s3ExpressObjectCalls[c.Name] {
		name, ok := s3Events[c.Name]
		if !ok {
			name = c.Name
		}
		return []Use{expressUse(c, name)}
	}
	return append([]Use{expressUse(c, "CreateSession")}, copySource(c, "s3")...)
}

func expressUse(c Call, name string) Use {
	u := lookup(c, "s3express", name)
	if bucket := c.param("bucketName"); u.Known && bucket != "" && !strings.HasPrefix(bucket, "arn:") && len(u.Resources) == 0 {
		u.Resources = []string{"arn:" + c.partition() + ":s3express:" + c.Region + ":" + c.Account + ":bucket/" + Literal(bucket)}
	}
	return u
}

// s3ExpressObjectCalls are the Zonal endpoint's calls (AWS: s3-express-log-files).
var s3ExpressObjectCalls = map[string]bool{
	"AbortMultipartUpload": true, "CompleteMultipartUpload": true, "CopyObject": true, "CreateMultipartUpload": true,
	"CreateSession": true, "DeleteObject": true, "DeleteObjects": true, "GetObject": true, "GetObjectAttributes": true,
	"HeadBucket": true, "HeadObject": true, "ListMultipartUploads": true, "ListObjectsV2": true, "ListParts": true,
	"PutObject": true, "RenameObject": true, "UploadPart": true, "UploadPartCopy": true,
}
