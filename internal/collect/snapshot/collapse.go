package snapshot

import (
	"slices"
	"strings"
)

// Collapsed gives the key of calls whose objects are too many to keep by name: each name
// in it is cut after its first folders (parts that end in a slash), of which depth are
// kept, and stands in the field that says so ([Params]). A key without such names is
// given back as it is. Collapsing a collapsed key to a lesser depth gives what
// collapsing the first key to it gives.
//
// The names are: the key, version and copy source of S3's calls, the object in an
// encryption context, the prefix of a list, log streams and training jobs. ARNs of S3
// objects leave Resources, and what was refused leaves Denial where it is one of those
// names: both would tell the objects again.
func (k UseKey) Collapsed(depth int) UseKey {
	p := &k.Params
	if p.BucketName != "" {
		cut(&p.Key, &p.Keys, 0, depth)
		cut(&p.Prefix, &p.Prefixes, 0, depth)
	}
	if i := objectStart(p.S3ARN); i > 0 || p.S3ARNs != "" {
		cut(&p.S3ARN, &p.S3ARNs, max(i, objectStart(p.S3ARNs)), depth)
	}
	version := "?versionId="
	if source := p.CopySource; source != "" {
		var versioned bool
		if source, _, versioned = strings.Cut(source, version); versioned {
			version += "*"
		} else {
			version = ""
		}
		p.CopySource = source
		cut(&p.CopySource, &p.CopySources, bucketEnd(source), depth)
		p.CopySources += version
	} else if p.CopySources != "" {
		source, _, versioned := strings.Cut(p.CopySources, version)
		p.CopySources = source
		cut(&p.CopySource, &p.CopySources, bucketEnd(source), depth)
		if versioned {
			p.CopySources += version + "*"
		}
	}
	cut(&p.LogStreamName, &p.LogStreams, 0, depth)
	cut(&p.TrainingJobName, &p.TrainingJobs, 0, depth)
	if !k.IsCollapsed() {
		return k
	}
	if p.VersionID != "" && p.Keys != "" {
		p.VersionID = "*"
	}
	if strings.Contains(k.Resources, ":s3:::") {
		kept := slices.DeleteFunc(strings.Split(k.Resources, "\n"), func(arn string) bool { return objectStart(arn) > 0 })
		k.Resources = strings.Join(kept, "\n")
	}
	if k.Denial.Resource != "" && !strings.HasSuffix(k.Denial.Resource, ":::"+p.BucketName) {
		k.Denial.Resource = ""
	}
	return k
}

// IsCollapsed reports whether names in the key stand for many.
func (k *UseKey) IsCollapsed() bool {
	p := &k.Params
	return p.Keys != "" || p.Prefixes != "" || p.S3ARNs != "" || p.CopySources != "" || p.LogStreams != "" || p.TrainingJobs != ""
}

// cut moves a name to where names stand for many: from after start on, so many folders
// are kept.
func cut(name, names *string, start, depth int) {
	text := *name
	if text == "" {
		if *names == "" {
			return
		}
		text = strings.TrimSuffix(*names, "*")
	}
	end := start
	for ; depth > 0; depth-- {
		i := strings.IndexByte(text[end:], '/')
		if i < 0 {
			break
		}
		end += i + 1
	}
	*name, *names = "", text[:end]+"*"
}

// objectStart is where the key begins in the ARN of an S3 object, 0 for any other ARN.
func objectStart(arn string) int {
	if !strings.HasPrefix(arn, "arn:") {
		return 0
	}
	i := strings.Index(arn, ":s3:::")
	if i < 0 {
		return 0
	}
	i += len(":s3:::")
	if j := strings.IndexByte(arn[i:], '/'); j > 0 {
		return i + j + 1
	}
	return 0
}

// bucketEnd is where the key begins in a copy source: after the first slash that does
// not begin it. Where there is none the whole of it is the name.
func bucketEnd(source string) int {
	start := 0
	if strings.HasPrefix(source, "/") {
		start = 1
	}
	if i := strings.IndexByte(source[start:], '/'); i >= 0 {
		return start + i + 1
	}
	return 0
}
