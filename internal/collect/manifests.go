package collect

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const opGetObject = "s3:GetObject"

// The kinds of manifests: SageMaker API, S3DataType.
const (
	dataManifest  = "ManifestFile"
	dataAugmented = "AugmentedManifestFile"
)

const (
	// mostManifests is how many manifests are read at most, the newest jobs' first.
	mostManifests = 50
	// mostManifestBytes is how much of each is read.
	mostManifestBytes = 4 << 20
	// mostPrefixes is how many prefixes stand for what a manifest names.
	mostPrefixes = 20
)

// manifest is one that is to be read.
type manifest struct {
	uri, bucket, key string
	region           string
	// augmented manifests have the fields of their lines that name objects; none: any
	// may.
	augmented  bool
	attributes []string
}

// plainURI is what a manifest is read from: a bucket by its name (AWS S3
// bucketnamingrules), and a key.
var plainURI = regexp.MustCompile(`^s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/((?s:.+))$`)

// readManifests reads the manifests of input channels: where such a job's data lies
// is told nowhere else. What fails leaves that unresolved, and no run incomplete.
func (r *run) readManifests(ctx context.Context) []snapshot.Manifest {
	if !r.Manifests {
		return nil
	}
	todo, whole := r.namedManifests()
	clients := perRegion[*s3.Client]{make: r.clients.s3}
	read := make([]*snapshot.Manifest, len(todo))
	var group errgroup.Group
	group.SetLimit(resourcesAtOnce)
	for i := range todo {
		group.Go(func() error {
			m := &todo[i]
			got, err := m.read(ctx, &clients)
			if err == nil {
				read[i] = &got
			} else if !errors.Is(err, context.Canceled) {
				r.failed(opGetObject, m.region, m.uri, snapshot.ImpactDetail, err)
			}
			return nil
		})
	}
	group.Wait()
	var out []snapshot.Manifest
	for _, m := range read {
		if m != nil {
			out = append(out, *m)
		}
	}
	r.cover(snapshot.Coverage{Source: snapshot.SourceManifests, Scope: snapshot.ScopeAll, Items: len(out), Complete: whole && len(out) == len(todo)})
	r.tell(Status{Source: snapshot.SourceManifests, Items: len(out), Done: true})
	return out
}

// namedManifests are those of the jobs of roles that were asked for, each once.
func (r *run) namedManifests() (todo []manifest, whole bool) {
	var jobs []*snapshot.Job
	for i := range r.allJobs {
		j := &r.allJobs[i]
		if (j.RoleARN == "" || r.asked(j.RoleARN)) && slices.ContainsFunc(j.Channels, isManifest) {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *snapshot.Job) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ARN, b.ARN))
	})
	seen := make(map[string]bool)
	left := 0
	for _, j := range jobs {
		for _, c := range j.Channels {
			if !isManifest(c) || seen[c.URI] {
				continue
			}
			seen[c.URI] = true
			m := plainURI.FindStringSubmatch(c.URI)
			switch {
			case m == nil:
				left++
				r.missing(snapshot.Gap{Source: opGetObject, Region: j.Region, Scope: c.URI, Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonUnsupported,
					Detail: "only manifests of the form s3://bucket/key are read"})
			case len(todo) < mostManifests:
				todo = append(todo, manifest{c.URI, m[1], m[2], j.Region, c.DataType != dataManifest, c.Attributes})
			default:
				left++
			}
		}
	}
	if len(todo) == mostManifests && left > 0 {
		r.missing(snapshot.Gap{Source: opGetObject, Scope: fmt.Sprintf("%d manifests", left), Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonShort,
			Detail: fmt.Sprintf("%d manifests are read at most", mostManifests)})
	}
	return todo, left == 0
}

func isManifest(c snapshot.Channel) bool {
	return c.DataType == dataManifest || c.DataType == dataAugmented
}

// read asks for the beginning of the object, in the bucket's own region if S3 names
// another than the job's (AWS: API_HeadBucket, x-amz-bucket-region).
func (m *manifest) read(ctx context.Context, clients *perRegion[*s3.Client]) (snapshot.Manifest, error) {
	in := &s3.GetObjectInput{Bucket: &m.bucket, Key: &m.key, Range: aws.String(fmt.Sprintf("bytes=0-%d", mostManifestBytes-1))}
	out, err := clients.of(m.region).GetObject(ctx, in)
	if home := bucketRegion(err); home != "" && home != m.region {
		m.region = home
		out, err = clients.of(home).GetObject(ctx, in)
	}
	if err != nil {
		if api := smithy.APIError(nil); errors.As(err, &api) && api.ErrorCode() == "InvalidRange" { // AWS S3 ErrorResponses: it has no first byte
			return snapshot.Manifest{}, broken("a manifest without a byte")
		}
		return snapshot.Manifest{}, err
	}
	defer out.Body.Close()
	body, err := io.ReadAll(io.LimitReader(out.Body, mostManifestBytes))
	if err != nil {
		return snapshot.Manifest{}, err
	}
	return m.parse(body, rangeIsWhole(aws.ToString(out.ContentRange), len(body)))
}

// rangeIsWhole reads "bytes 0-9/10" (AWS: API_GetObject, Content-Range).
func rangeIsWhole(contentRange string, got int) bool {
	_, total, ok := strings.Cut(contentRange, "/")
	if n, err := strconv.Atoi(total); ok && err == nil {
		return got == n
	}
	return got < mostManifestBytes
}

// parse reads a manifest, a JSON array that begins with a prefix, or an
// augmented one, a JSON object a line. Of one that is not whole it reads what is there.
// Source: SageMaker API, S3DataSource.
func (m *manifest) parse(body []byte, whole bool) (snapshot.Manifest, error) {
	var (
		named []string
		err   error
	)
	if m.augmented {
		named, err = augmented(body, whole, m.attributes)
	} else {
		named, err = listed(body, whole)
	}
	if err != nil {
		return snapshot.Manifest{}, err
	}
	prefixes, all := prefixesOf(named)
	return snapshot.Manifest{URI: m.uri, Prefixes: prefixes, Truncated: !whole || !all}, nil
}

func listed(body []byte, whole bool) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	var first struct {
		Prefix string `json:"prefix"`
	}
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, broken("a manifest that is no JSON array")
	}
	if err := d.Decode(&first); err != nil || !strings.HasPrefix(first.Prefix, "s3://") {
		return nil, broken("a manifest that does not begin with a prefix")
	}
	named := []string{}
	for d.More() {
		var key string
		if err := d.Decode(&key); err != nil {
			if !whole && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)) {
				return named, nil
			}
			return nil, broken("a manifest that names something else than keys")
		}
		named = append(named, first.Prefix+key)
	}
	if _, err := d.Token(); err != nil && whole {
		return nil, broken("a manifest without an end")
	}
	if len(named) == 0 && whole {
		named = append(named, first.Prefix)
	}
	return named, nil
}

func augmented(body []byte, whole bool, attributes []string) ([]string, error) {
	if !whole {
		body = body[:bytes.LastIndexByte(body, '\n')+1]
	}
	var named []string
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, mostManifestBytes+1)
	n := 0
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(line, &fields); err != nil {
			return nil, broken("a line of an augmented manifest that is no JSON object")
		}
		n++
		for name, raw := range fields {
			var value string
			if len(attributes) > 0 && !slices.Contains(attributes, name) || json.Unmarshal(raw, &value) != nil || !strings.HasPrefix(value, "s3://") {
				continue
			}
			named = append(named, value)
		}
	}
	if n == 0 && whole {
		return nil, broken("a manifest without a line")
	}
	return named, nil
}

// prefixesOf gives a few prefixes that take in all objects that are named: the objects
// themselves if they are few, else the folders that they lie in, the deepest joined
// first. It answers false where even the buckets are too many.
func prefixesOf(named []string) (prefixes []string, all bool) {
	set := make(map[string]bool)
	for _, uri := range named {
		set[uri] = true
	}
	for depth := -1; len(set) > mostPrefixes; {
		if depth < 0 {
			for uri := range set {
				depth = max(depth, depthOf(uri))
			}
		}
		next := make(map[string]bool)
		for uri := range set {
			if depthOf(uri) >= depth {
				uri = folderOf(uri)
			}
			next[uri] = true
		}
		set = next
		if depth == 0 {
			break
		}
		depth--
	}
	prefixes = []string{}
	for uri := range set {
		prefixes = append(prefixes, uri)
	}
	slices.Sort(prefixes)
	// What lies within another prefix says nothing.
	last := ""
	prefixes = slices.DeleteFunc(prefixes, func(uri string) bool {
		if last != "" && strings.HasSuffix(last, "/") && strings.HasPrefix(uri, last) {
			return true
		}
		last = uri
		return false
	})
	if len(prefixes) > mostPrefixes {
		return prefixes[:mostPrefixes], false
	}
	return prefixes, true
}

// depthOf counts the folders below the bucket, and the object in the last of them.
func depthOf(uri string) int {
	key := objectKey(uri)
	n := strings.Count(key, "/")
	if key != "" && !strings.HasSuffix(key, "/") {
		n++
	}
	return n
}

func objectKey(uri string) string {
	_, key, _ := strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
	return key
}

// folderOf gives "s3://bucket/a/" for s3://bucket/a/b and for s3://bucket/a/b/.
func folderOf(uri string) string {
	key := objectKey(uri)
	if key == "" {
		return uri
	}
	return uri[:len(uri)-len(key)] + key[:strings.LastIndexByte(strings.TrimSuffix(key, "/"), '/')+1]
}
