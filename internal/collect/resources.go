package collect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opBucketPolicy     = "s3:GetBucketPolicy"
	opBucketEncryption = snapshot.SourceEncryption
	opKeyPolicy        = "kms:GetKeyPolicy"
	opDescribeKey      = "kms:DescribeKey"
)

const (
	// mostResources is how many buckets and how many keys are read at most.
	mostResources = 1000
	// mostGaps is how many gaps of one kind stand each for itself.
	mostGaps = 20
	// resourcesAtOnce is how many of a kind are read at the same time: KMS has 30
	// GetKeyPolicy requests a second for each region (AWS: requests-per-second).
	resourcesAtOnce = 4
)

// resource is a bucket or a key under way.
type resource struct {
	// name is the bucket's, or what the key was called: its ARN, its id, an alias or
	// the ARN of one.
	name string
	// arn is the bucket's or the key's; of a key that is not known yet what stands for
	// it in a gap.
	arn     string
	region  string // the one to ask, then the one that was asked
	aliases []string

	operation string // the one that failed
	err       error

	// What was read of it.
	policy     *snapshot.ResourcePolicy
	encryption *snapshot.BucketEncryption
}

// resourceReader reads the policies of buckets and keys.
type resourceReader struct {
	*run
	s3  perRegion[*s3.Client]
	kms perRegion[*kms.Client]
}

// perRegion makes one client for each region.
type perRegion[T any] struct {
	mu   sync.Mutex
	make func(region string) T
	made map[string]T
}

func (p *perRegion[T]) of(region string) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	client, ok := p.made[region]
	if !ok {
		client = p.make(region)
		if p.made == nil {
			p.made = make(map[string]T)
		}
		p.made[region] = client
	}
	return client
}

// readResources reads the policies of the buckets and keys that jobs name and that
// the calls of the roles in scope touch, and the buckets' default encryption, whose keys
// are among these. What a role may do without them is an upper bound of what it can, so
// none of what fails here makes a run incomplete.
func (r *run) readResources(ctx context.Context, scope *scope) {
	l := &resourceReader{run: r}
	l.s3.make, l.kms.make = r.clients.s3, r.clients.kms
	named, whole := l.atMost(opBucketPolicy, "buckets", l.namedBuckets(scope))
	buckets := l.buckets(ctx, named, whole)
	encryption := l.encrypted(ctx, named, whole)
	todo, whole := l.atMost(opKeyPolicy, "keys", l.namedKeys(scope, encryption))
	keys := l.keys(ctx, todo, whole)
	if !errors.Is(ctx.Err(), context.Canceled) {
		r.resources, r.encryption = append(buckets, keys...), encryption
	}
}

func (l *resourceReader) buckets(ctx context.Context, todo []*resource, whole bool) []snapshot.ResourcePolicy {
	l.each(ctx, todo, opBucketPolicy, l.bucketPolicy)
	return policiesOf(l.settle(snapshot.SourceBuckets, "buckets", todo, whole))
}

// encrypted reads the default encryption of buckets, but of those that are gone or keep
// this account out: of these one gap tells.
func (l *resourceReader) encrypted(ctx context.Context, named []*resource, whole bool) []snapshot.BucketEncryption {
	var todo []*resource
	for _, b := range named {
		if b.err != nil && (reason(b.err) == snapshot.ReasonMissing || closed(b.err)) {
			whole = whole && reason(b.err) == snapshot.ReasonMissing
			continue
		}
		again := *b
		again.err = nil
		todo = append(todo, &again)
	}
	l.each(ctx, todo, opBucketEncryption, l.bucketEncryption)
	var out []snapshot.BucketEncryption
	for _, b := range l.settle(snapshot.SourceEncryption, "buckets", todo, whole) {
		out = append(out, *b.encryption)
	}
	return out
}

func policiesOf(read []*resource) []snapshot.ResourcePolicy {
	var out []snapshot.ResourcePolicy
	for _, r := range read {
		out = append(out, *r.policy)
	}
	return out
}

func (l *resourceReader) keys(ctx context.Context, named []*resource, whole bool) []snapshot.ResourcePolicy {
	var indirect []*resource
	for _, k := range named {
		if !isKeyARN(k.name) {
			indirect = append(indirect, k)
		}
	}
	l.each(ctx, indirect, opDescribeKey, l.describeKey)
	var (
		known []*resource
		byARN = make(map[string]*resource)
	)
	for _, k := range named {
		first := byARN[k.arn]
		switch {
		case k.err != nil:
			known = append(known, k)
			continue
		case first == nil:
			first = &resource{name: k.arn, arn: k.arn, region: k.region}
			byARN[k.arn] = first
			known = append(known, first)
		}
		if alias := aliasOf(k.name); alias != "" && !slices.Contains(first.aliases, alias) {
			first.aliases = append(first.aliases, alias)
		}
	}
	l.each(ctx, known, opKeyPolicy, l.keyPolicy)
	return policiesOf(l.settle(snapshot.SourceKeys, "keys", known, whole))
}

// atMost cuts a list at what is read at most, and says what that leaves out.
func (l *resourceReader) atMost(operation, kind string, todo []*resource) (kept []*resource, whole bool) {
	if len(todo) <= mostResources {
		return todo, true
	}
	left := todo[mostResources:]
	l.missing(snapshot.Gap{Source: operation, Scope: severalOf(left, kind), Impact: snapshot.ImpactDetail, Reason: snapshot.ReasonShort,
		Detail: fmt.Sprintf("%d %s are read at most", mostResources, kind)})
	return todo[:mostResources], false
}

func severalOf(list []*resource, kind string) string {
	return fmt.Sprintf("%d %s from %s", len(list), kind, list[0].name)
}

// each does a step for those that have not failed yet, a few at a time, until one of
// a region fails in a way that the others there would share: these then fail of the
// same.
func (l *resourceReader) each(ctx context.Context, todo []*resource, operation string, step func(context.Context, *resource) error) {
	var (
		group errgroup.Group
		mu    sync.Mutex
		over  = make(map[string]error) // by region
	)
	group.SetLimit(resourcesAtOnce)
	for _, t := range todo {
		if t.err != nil {
			continue
		}
		group.Go(func() error {
			mu.Lock()
			err := over[t.region]
			mu.Unlock()
			if err == nil {
				err = step(ctx, t)
			}
			if err != nil {
				t.operation, t.err = operation, err
				if endsRegion(err) {
					mu.Lock()
					over[t.region] = cmp.Or(over[t.region], err)
					mu.Unlock()
				}
			}
			return nil
		})
	}
	group.Wait()
}

// endsRegion reports whether a failure is not that of one bucket or key alone, as one
// that AWS words and that is not among the codes which all services share.
func endsRegion(err error) bool {
	var api smithy.APIError
	about := errors.As(err, &api) && codeReason(api.ErrorCode()) == "" && reason(err) == snapshot.ReasonUnsupported
	return hopeless(err) && !about
}

// settle records what was read and what was not.
func (l *resourceReader) settle(source, kind string, todo []*resource, whole bool) []*resource {
	type group struct{ operation, region, reason string }
	var (
		read   []*resource
		failed = make(map[group][]*resource)
	)
	for _, t := range todo {
		if t.err == nil {
			read = append(read, t)
			continue
		}
		if errors.Is(t.err, context.Canceled) {
			continue
		}
		g := group{t.operation, t.region, reason(t.err)}
		whole = whole && g.reason == snapshot.ReasonMissing
		failed[g] = append(failed[g], t)
	}
	for g, list := range failed {
		if len(list) > mostGaps || len(list) > 1 && endsRegion(list[0].err) {
			l.failed(g.operation, g.region, severalOf(list, kind), snapshot.ImpactDetail, list[0].err)
			continue
		}
		for _, t := range list {
			l.failed(g.operation, g.region, t.arn, snapshot.ImpactDetail, t.err)
		}
	}
	l.cover(snapshot.Coverage{Source: source, Scope: snapshot.ScopeAll, Items: len(read), Complete: whole})
	l.tell(Status{Source: source, Items: len(read), Done: true})
	return read
}

// atHome asks for something of a bucket. S3 names the region of one that is not in the
// region that was asked (AWS: API_HeadBucket, x-amz-bucket-region): it is asked once more
// there.
func atHome[T any](l *resourceReader, b *resource, ask func(*s3.Client) (T, error)) (T, error) {
	out, err := ask(l.s3.of(b.region))
	if home := bucketRegion(err); home != "" && home != b.region {
		b.region = home
		return ask(l.s3.of(home))
	}
	return out, err
}

// bucketEncryption asks for the default encryption of a bucket, which every bucket has
// (AWS: API_GetBucketEncryption).
func (l *resourceReader) bucketEncryption(ctx context.Context, b *resource) error {
	out, err := atHome(l, b, func(client *s3.Client) (*s3.GetBucketEncryptionOutput, error) {
		return client.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &b.name})
	})
	var api smithy.APIError
	switch {
	case errors.As(err, &api) && api.ErrorCode() == "ServerSideEncryptionConfigurationNotFoundError":
		// S3 "automatically applies SSE-S3" all the same (AWS: default-bucket-encryption).
		b.encryption = &snapshot.BucketEncryption{ARN: b.arn, Region: b.region, Algorithm: string(types.ServerSideEncryptionAes256)}
		return nil
	case err != nil:
		return err
	case out.ServerSideEncryptionConfiguration == nil:
		return broken("an answer without a configuration")
	}
	for _, rule := range out.ServerSideEncryptionConfiguration.Rules {
		if d := rule.ApplyServerSideEncryptionByDefault; d != nil {
			b.encryption = &snapshot.BucketEncryption{ARN: b.arn, Region: b.region, Algorithm: string(d.SSEAlgorithm), Key: aws.ToString(d.KMSMasterKeyID)}
			return nil
		}
	}
	return broken("a configuration without a default")
}

// bucketPolicy asks for the policy of a bucket.
func (l *resourceReader) bucketPolicy(ctx context.Context, b *resource) error {
	out, err := atHome(l, b, func(client *s3.Client) (*s3.GetBucketPolicyOutput, error) {
		return client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &b.name})
	})
	var (
		api      smithy.APIError
		document string
	)
	switch {
	case err == nil:
		if document, err = policyText(out.Policy); err != nil {
			return err
		}
	case errors.As(err, &api) && api.ErrorCode() == "NoSuchBucketPolicy": // AWS: ErrorResponses of S3
	default:
		return err
	}
	b.policy = &snapshot.ResourcePolicy{ARN: b.arn, Region: b.region, Document: document}
	return nil
}

// regionName is what may stand in the name of an endpoint.
var regionName = regexp.MustCompile(`^[a-z]{2}(?:-[a-z]+)+-\d+$`)

// bucketRegion is the region that S3's refusal names, empty for none.
func bucketRegion(err error) string {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil {
		return ""
	}
	region := answer.Response.Header.Get("X-Amz-Bucket-Region")
	if !regionName.MatchString(region) {
		return ""
	}
	return region
}

// describeKey finds the ARN of a key that is known by its id or an alias: the policy
// is asked for by ARN, and an alias would not do (AWS: API_GetKeyPolicy, KeyId).
func (l *resourceReader) describeKey(ctx context.Context, k *resource) error {
	out, err := l.kms.of(k.region).DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &k.name})
	if err != nil {
		return misnamed(err)
	}
	if out.KeyMetadata == nil || !isKeyARN(aws.ToString(out.KeyMetadata.Arn)) {
		return broken("an answer without the ARN of a key")
	}
	k.arn = *out.KeyMetadata.Arn
	return nil
}

func (l *resourceReader) keyPolicy(ctx context.Context, k *resource) error {
	out, err := l.kms.of(k.region).GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &k.arn, PolicyName: aws.String("default")})
	if err != nil {
		return misnamed(err)
	}
	document, err := policyText(out.Policy)
	if err != nil {
		return err
	}
	k.policy = &snapshot.ResourcePolicy{ARN: k.arn, Aliases: k.aliases, Document: document}
	return nil
}

// policyText is a policy as it came. It is looked at because S3 gives it as the whole
// of its answer, so that nothing else shows whether it arrived.
func policyText(policy *string) (string, error) {
	text := aws.ToString(policy)
	switch {
	case text == "":
		return "", broken("an answer without a policy")
	case !json.Valid([]byte(text)):
		return "", broken("a policy that is no JSON")
	}
	return text, nil
}

// noSuch is a name that can be nobody's.
type noSuch struct{ error }

func (n noSuch) Unwrap() error { return n.error }

// misnamed tells of a key id that KMS does not accept as one: any text may stand in a
// job's configuration (AWS: CommonErrors of KMS, ValidationError).
func misnamed(err error) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return err
	}
	switch api.ErrorCode() {
	case "ValidationError", "ValidationException":
		return noSuch{err}
	}
	return err
}

// keyName is the ARN of a key or of an alias. Source: AWS KMS concepts, "Key
// identifiers (KeyId)".
var keyName = regexp.MustCompile(`^arn:aws[a-z-]*:kms:([a-z0-9-]+):\d{12}:(key/[\w-]+|alias/[\w/-]+)$`)

func isKeyARN(name string) bool {
	m := keyName.FindStringSubmatch(name)
	return m != nil && strings.HasPrefix(m[2], "key/")
}

// aliasOf is the alias in a key's name, empty for none.
func aliasOf(name string) string {
	if m := keyName.FindStringSubmatch(name); m != nil {
		name = m[2]
	}
	if strings.HasPrefix(name, "alias/") {
		return name
	}
	return ""
}

// mentions are the names that were found, with the regions where they were.
type mentions map[string]map[string]bool

func (m mentions) add(name, region string) {
	if m[name] == nil {
		m[name] = make(map[string]bool)
	}
	m[name][region] = true
}

// namedBuckets gives the buckets of the jobs and then those of calls alone, by name.
// A bucket is asked for in the first of the regions that name it.
func (l *resourceReader) namedBuckets(scope *scope) []*resource {
	ofJobs, ofCalls := make(mentions), make(mentions)
	for i := range l.allJobs {
		j := &l.allJobs[i]
		for _, uri := range urisOf(j) {
			if bucket := bucketOf(uri); bucket != "" {
				ofJobs.add(bucket, j.Region)
			}
		}
	}
	for i := range l.used {
		u := &l.used[i]
		if !scope.roles[u.Role.ARN] {
			continue
		}
		for _, name := range []string{u.Params.BucketName, bucketOfARN(u.Params.S3ARN), bucketOfARN(u.Denial.Resource)} {
			if isBucket(name) && ofJobs[name] == nil {
				ofCalls.add(name, u.Region)
			}
		}
	}
	var all []*resource
	for _, found := range []mentions{ofJobs, ofCalls} {
		for _, name := range slices.Sorted(maps.Keys(found)) {
			region := slices.Min(slices.Collect(maps.Keys(found[name])))
			all = append(all, &resource{name: name, region: region,
				arn: fmt.Sprintf("arn:%s:s3:::%s", cmp.Or(l.account.Partition, partitionOf(region)), name)})
		}
	}
	return all
}

// urisOf are the S3 URIs of a job.
func urisOf(j *snapshot.Job) []string {
	uris := []string{j.Output.URI, j.Artifact, j.Checkpoint, j.TensorBoard, j.DebugHook, j.Profiler}
	for i := range j.Channels {
		uris = append(uris, j.Channels[i].URI)
	}
	for _, rules := range [][]snapshot.Rule{j.DebugRules, j.ProfilerRules} {
		for i := range rules {
			uris = append(uris, rules[i].URI)
		}
	}
	for i := range j.S3Values {
		uris = append(uris, j.S3Values[i].URI)
	}
	return uris
}

var (
	// bucketURIs are the forms of an S3 URI that SageMaker takes (AWS: API_S3DataSource,
	// S3Uri), and of the two https forms the host (AWS: S3 VirtualHosting).
	bucketURIs = []*regexp.Regexp{
		regexp.MustCompile(`^(?i:s3)://([^/]+)`),
		regexp.MustCompile(`^(?i:https)://s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?/([^/]+)`),
		regexp.MustCompile(`^(?i:https)://([a-z0-9.-]+)\.s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?(?:/|$)`),
	}
	bucketARNs = regexp.MustCompile(`^arn:aws[a-z-]*:s3:::([^/]+)`)
	// Buckets of before 2018 may have long names, upper case and underscores (AWS:
	// bucketnamingrules).
	bucketName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$`)
	// The endings of what is named like a bucket and is none: aliases of access points,
	// directory buckets, table buckets (AWS: bucketnamingrules).
	noBucket = regexp.MustCompile(`(?:-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$`)
)

func isBucket(name string) bool { return bucketName.MatchString(name) && !noBucket.MatchString(name) }

func bucketOf(uri string) string {
	for _, form := range bucketURIs {
		if m := form.FindStringSubmatch(uri); m != nil && isBucket(m[1]) {
			return m[1]
		}
	}
	return ""
}

func bucketOfARN(arn string) string {
	if m := bucketARNs.FindStringSubmatch(arn); m != nil {
		return m[1]
	}
	return ""
}

// namedKeys gives the keys of the jobs and then those of calls alone, by name, each
// as it is called there.
func (l *resourceReader) namedKeys(scope *scope, encryption []snapshot.BucketEncryption) []*resource {
	ofJobs, ofCalls := make(mentions), make(mentions)
	for i := range l.allJobs {
		j := &l.allJobs[i]
		for _, name := range []string{j.Output.KMSKey, j.VolumeKMSKey} {
			if region := keyRegion(name, j.Region); region != "" {
				ofJobs.add(name, region)
			}
		}
	}
	for _, e := range encryption {
		if region := keyRegion(e.Key, e.Region); region != "" {
			ofJobs.add(e.Key, region)
		}
	}
	for i := range l.used {
		u := &l.used[i]
		if !scope.roles[u.Role.ARN] {
			continue
		}
		names := append(strings.Split(u.Resources, "\n"), u.Denial.Resource)
		names = slices.DeleteFunc(names, func(name string) bool { return !isKeyARN(name) })
		if u.EventSource == "kms.amazonaws.com" {
			names = append(names, u.Params.KeyID)
		}
		for _, name := range names {
			if region := keyRegion(name, u.Region); region != "" && !ofJobs[name][region] {
				ofCalls.add(name, region)
			}
		}
	}
	var all []*resource
	for _, found := range []mentions{ofJobs, ofCalls} {
		for _, name := range slices.Sorted(maps.Keys(found)) {
			for _, region := range slices.Sorted(maps.Keys(found[name])) {
				all = append(all, &resource{name: name, region: region, arn: l.keyARN(name, region)})
			}
		}
	}
	return all
}

// keyRegion is the region of a key: what its ARN says, else where it was named; empty
// for what names no key.
func keyRegion(name, region string) string {
	if m := keyName.FindStringSubmatch(name); m != nil {
		return m[1]
	}
	if name == "" || strings.HasPrefix(name, "arn:") {
		return ""
	}
	return region
}

// keyARN writes the name of a key of this account as an ARN, where it is none.
func (l *resourceReader) keyARN(name, region string) string {
	if strings.HasPrefix(name, "arn:") || l.account.ID == "" {
		return name
	}
	if !strings.HasPrefix(name, "alias/") {
		name = "key/" + name
	}
	return fmt.Sprintf("arn:%s:kms:%s:%s:%s", l.account.Partition, region, l.account.ID, name)
}
