package collect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// The words of a [LogSource].
const (
	UsageTrail = "trail"
	prefixS3   = "s3://"
	prefixDir  = "dir:"
)

// LogSource is where log files of CloudTrail are read: with neither Bucket nor Dir
// from the buckets of the trails that the account shows.
type LogSource struct {
	// Bucket is the name of a bucket, Prefix what the keys begin with: empty, or with
	// a slash at its end.
	Bucket, Prefix string
	// Dir is the path of a folder.
	Dir string
}

// ParseLogSource reads "trail", "s3://bucket/prefix" and "dir:PATH".
func ParseLogSource(text string) (LogSource, error) {
	if text == UsageTrail {
		return LogSource{}, nil
	}
	if path, ok := strings.CutPrefix(text, prefixDir); ok {
		if path == "" {
			return LogSource{}, errors.New("dir: needs the path of a folder, as dir:logs")
		}
		return LogSource{Dir: path}, nil
	}
	if rest, ok := strings.CutPrefix(text, prefixS3); ok {
		bucket, prefix, _ := strings.Cut(rest, "/")
		if !isBucket(bucket) {
			return LogSource{}, fmt.Errorf("%q is not the name of a bucket, as in s3://bucket/prefix", bucket)
		}
		if strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "//") {
			return LogSource{}, errors.New("an empty folder in the prefix")
		}
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		return LogSource{Bucket: bucket, Prefix: prefix}, nil
	}
	return LogSource{}, errors.New("not one of trail, s3://bucket/prefix, dir:PATH, lookup, none")
}

// String writes the source as ParseLogSource reads it.
func (s LogSource) String() string {
	switch {
	case s.Dir != "":
		return prefixDir + s.Dir
	case s.Bucket != "":
		return prefixS3 + s.Bucket + "/" + s.Prefix
	}
	return UsageTrail
}

// source is the word that evidence has for it.
func (s LogSource) source() string {
	switch {
	case s.Dir != "":
		return snapshot.SourceFolder
	case s.Bucket != "":
		return snapshot.SourceBucket
	}
	return snapshot.SourceTrail
}

// readsUsage reports whether a run reads any usage.
func (o *Options) readsUsage() bool { return o.Usage == UsageLookup || len(o.Logs) > 0 }

// readsLogObjects reports whether a run reads objects of S3 for usage.
func (o *Options) readsLogObjects() bool {
	for _, s := range o.Logs {
		if s.Dir == "" {
			return true
		}
	}
	return false
}

// askedUsage is what the snapshot says of the sources of usage.
func (o *Options) askedUsage() (usage string, sources []string) {
	if len(o.Logs) == 0 {
		return o.Usage, nil
	}
	if o.Usage == UsageLookup {
		sources = append(sources, UsageLookup)
	}
	for _, s := range o.Logs {
		sources = append(sources, s.String())
	}
	return "files", sources
}

// LogObjects are the ARNs of what a run with these options lists and reads for log
// files, as IAM policies have them: buckets, and objects in them. Which buckets the
// account's own trails have is not known before the run; the layout of their objects is
// (AWS: get-and-view-cloudtrail-log-files).
func LogObjects(o Options) (buckets, objects []string) {
	for _, s := range o.Logs {
		switch {
		case s.Dir != "":
		case s.Bucket == "":
			buckets = append(buckets, "arn:*:s3:::*")
			objects = append(objects, "arn:*:s3:::*/AWSLogs/*/CloudTrail/*")
		default:
			buckets = append(buckets, "arn:*:s3:::"+s.Bucket)
			objects = append(objects, "arn:*:s3:::"+s.Bucket+"/"+s.Prefix+"*")
		}
	}
	slices.Sort(buckets)
	slices.Sort(objects)
	return slices.Compact(buckets), slices.Compact(objects)
}
