package collect

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	outKey  = "11111111-1111-4111-8111-111111111111"
	diskKey = "22222222-2222-4222-8222-222222222222"
	usedKey = "33333333-3333-4333-8333-333333333333"
	farKey  = "44444444-4444-4444-8444-444444444444"
)

func keyARN(region, owner, id string) string {
	return "arn:aws:kms:" + region + ":" + owner + ":key/" + id
}

// withResources is a small account whose job and calls name buckets and keys in all
// ways.
func withResources() *awssim.Account {
	a := small(1)
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "checkpoints", Region: "eu-west-1", Policy: `{"c":1}`}, awssim.Bucket{Name: "vendor", Owner: "999988887777"},
		awssim.Bucket{Name: "sealed", Policy: `{"s":1}`})
	a.Keys = []awssim.Key{{ID: outKey, Policy: `{"o":1}`, Aliases: []string{"alias/out", "alias/also-out", "alias/unused"}}, {ID: diskKey, Policy: `{"v":1}`},
		{ID: usedKey, Policy: `{"u":1}`}, {ID: farKey, Region: "eu-west-1", Policy: `{"f":1}`, State: "PendingDeletion"}}
	j := &a.Jobs[0]
	j.OutputDataConfig.KmsKeyId = "alias/out"
	j.ResourceConfig = &awssim.ResourceConfig{VolumeKmsKeyId: diskKey}
	j.CheckpointConfig = &awssim.CheckpointConfig{S3Uri: "https://checkpoints.s3.eu-west-1.amazonaws.com/x"}
	call := func(source, name string, parameters map[string]any, arns ...string) {
		r := awssim.Record{EventID: fmt.Sprintf("use-%d", len(a.Events)), EventTime: now.Add(-2 * day), AWSRegion: "us-east-1", EventSource: source + ".amazonaws.com", EventName: name,
			EventType: "AwsApiCall", EventCategory: "Management", UserIdentity: a.Session(&a.Roles[0], "SageMaker", now.Add(-80*day)), RequestParameters: parameters}
		for _, arn := range arns {
			r.Resources = append(r.Resources, awssim.ResourceARN{ARN: arn})
		}
		a.Events = append(a.Events, r)
	}
	call("s3", "GetBucketLocation", map[string]any{"bucketName": "vendor"})
	call("kms", "Decrypt", map[string]any{"encryptionContext": map[string]any{"aws:s3:arn": "arn:aws:s3:::sealed/k"}}, keyARN("us-east-1", "123456789012", usedKey))
	call("kms", "DescribeKey", map[string]any{"keyId": "alias/also-out"}, keyARN("us-east-1", "123456789012", outKey))
	call("kms", "Decrypt", map[string]any{"keyId": keyARN("eu-west-1", "123456789012", farKey)})
	call("ssm", "GetParameter", map[string]any{"keyId": "not-a-kms-key", "bucketName": "no_key:and-no-bucket"}, "arn:aws:ssm:us-east-1:123456789012:parameter/p")
	// What others use is nobody's business here.
	call("kms", "Decrypt", nil, keyARN("us-east-1", "123456789012", "55555555-5555-4555-8555-555555555555"))
	a.Events[len(a.Events)-1].UserIdentity = a.Session(&a.Roles[2], "i-1", now.Add(-80*day))
	return a
}

func TestResources(t *testing.T) {
	server, o := serve(t, withResources())
	var log strings.Builder
	o.Log = logger(&log)
	s := collected(t, o)
	sameCalls(t, server, s)
	ofJob := []snapshot.ResourcePolicy{
		{ARN: keyARN("us-east-1", "123456789012", outKey), Document: `{"o":1}`, Aliases: []string{"alias/out"}},
		{ARN: keyARN("us-east-1", "123456789012", diskKey), Document: `{"v":1}`},
		{ARN: "arn:aws:s3:::checkpoints", Region: "eu-west-1", Document: `{"c":1}`}, {ARN: "arn:aws:s3:::code", Region: "us-east-1"},
		{ARN: "arn:aws:s3:::data", Region: "us-east-1", Document: `{"d":1}`}, {ARN: "arn:aws:s3:::models", Region: "us-east-1"},
	}
	want := slices.Concat([]snapshot.ResourcePolicy{{ARN: keyARN("eu-west-1", "123456789012", farKey), Document: `{"f":1}`}}, ofJob[:2],
		[]snapshot.ResourcePolicy{{ARN: keyARN("us-east-1", "123456789012", usedKey), Document: `{"u":1}`}}, ofJob[2:], []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::sealed", Region: "us-east-1", Document: `{"s":1}`}})
	want[1].Aliases = []string{"alias/also-out", "alias/out"}
	if d := cmp.Diff(want, s.Resources); d != "" {
		t.Errorf("resources (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{opBucketPolicy + " us-east-1 arn:aws:s3:::vendor detail refused"}, gapsOf(s)); d != "" || !s.Complete() {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if !strings.Contains(log.String(), `level=INFO msg="not read" source=s3:GetBucketPolicy`) || strings.Contains(log.String(), "level=WARN") {
		t.Errorf("logged:\n%s", log.String())
	}
	// A bucket in another region is asked for twice, a key known by two aliases once.
	if s.Calls[opBucketPolicy] != 6+1 || s.Calls[opDescribeKey] != 3 || s.Calls[opKeyPolicy] != 4 {
		t.Errorf("calls %v", s.Calls)
	}
	if d := cmp.Diff([]map[string]int{{"": -1}, {"": 4}}, []map[string]int{covered(s, snapshot.SourceBuckets), covered(s, snapshot.SourceKeys)}); d != "" {
		t.Errorf("coverage (-want +got):\n%s", d)
	}

	o.Usage = UsageNone
	if d := cmp.Diff(ofJob, collected(t, o).Resources); d != "" {
		t.Errorf("resources of jobs alone (-want +got):\n%s", d)
	}
	o.Roles = []string{"idle"}
	if s := collected(t, o); len(s.Resources) > 0 || s.Calls[opBucketPolicy]+s.Calls[opDescribeKey]+s.Calls[opKeyPolicy] > 0 {
		t.Errorf("of a role without jobs: %v", s.Resources)
	}
}

// TestDefaultEncryption: the default key of each bucket is told as S3 names it, and is
// among the keys that are read. Of buckets that keep this account out, one gap tells.
func TestDefaultEncryption(t *testing.T) {
	a := withResources()
	for i := range a.Buckets {
		switch b := &a.Buckets[i]; b.Name {
		case "data":
			b.DefaultKey = "alias/out"
		case "checkpoints":
			b.DefaultKey = keyARN("eu-west-1", "123456789012", farKey)
		}
	}
	server, o := serve(t, a)
	o.Usage = UsageNone
	s := collected(t, o)
	sameCalls(t, server, s)
	want := []snapshot.BucketEncryption{
		{ARN: "arn:aws:s3:::checkpoints", Region: "eu-west-1", Algorithm: "aws:kms", Key: keyARN("eu-west-1", "123456789012", farKey)},
		{ARN: "arn:aws:s3:::code", Region: "us-east-1", Algorithm: "AES256"}, {ARN: "arn:aws:s3:::data", Region: "us-east-1", Algorithm: "aws:kms", Key: "alias/out"},
		{ARN: "arn:aws:s3:::models", Region: "us-east-1", Algorithm: "AES256"},
	}
	if d := cmp.Diff(want, s.Encryption); d != "" {
		t.Errorf("encryption (-want +got):\n%s", d)
	}
	if !slices.ContainsFunc(s.Resources, func(r snapshot.ResourcePolicy) bool { return r.ARN == keyARN("eu-west-1", "123456789012", farKey) }) {
		t.Errorf("the default key's policy was not read: %v", s.Resources)
	}
	if s.Calls[opBucketEncryption] != 4 { // the policy has told already where each bucket is
		t.Errorf("calls %v", s.Calls)
	}
	if err := server.SetFault(opBucketEncryption + " refuse"); err != nil {
		t.Fatal(err)
	}
	s = collected(t, o)
	i := slices.IndexFunc(s.Gaps, func(g snapshot.Gap) bool { return g.Source == opBucketEncryption })
	if i < 0 || s.Gaps[i].Permission != "s3:GetEncryptionConfiguration" || len(s.Encryption) > 0 || !s.Complete() {
		t.Errorf("gaps %+v, encryption %v", s.Gaps, s.Encryption)
	}
}

// TestCacheRules: the rules of the account's own registries that jobs pull from, page by
// page, and no others.
func TestCacheRules(t *testing.T) {
	a := small(3)
	a.CacheRules = map[string][]string{"eu-west-1": {"mirror", "ROOT", "quay"}, "us-east-1": {"docker-hub"}}
	for i, image := range []string{a.ID + ".dkr.ecr.eu-west-1.amazonaws.com/mirror/x:1", "999988887777.dkr.ecr.us-west-2.amazonaws.com/x:1", "registry.example.com/x:1"} {
		a.Jobs[i].AlgorithmSpecification = &awssim.AlgorithmSpecification{TrainingImage: image, TrainingInputMode: "File"}
	}
	server, o := serve(t, a)
	server.Configure(func(b *awssim.Behaviour) { b.PageCaps = map[string]int{opCacheRules: 2} })
	s := collected(t, o)
	if d := cmp.Diff([]snapshot.CacheRules{{Account: a.ID, Region: "eu-west-1", Prefixes: []string{"ROOT", "mirror", "quay"}}}, s.CacheRules); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	if s.Calls[opCacheRules] != 2 {
		t.Errorf("calls %v", s.Calls)
	}
}

func TestResourceGaps(t *testing.T) {
	const out, key, alias = "arn:aws:s3:::", "arn:aws:kms:us-east-1:123456789012:key/", "arn:aws:kms:us-east-1:123456789012:alias/"
	for _, tt := range []struct {
		name   string
		change func(*awssim.Account)
		fault  string
		read   int // resources
		gaps   []string
		calls  int // to S3, 0 for any number
	}{
		{name: "nothing", read: 3 + 1},
		{name: "the bucket is gone", change: func(a *awssim.Account) { a.Buckets = a.Buckets[1:] }, read: 3, gaps: []string{opBucketPolicy + " us-east-1 " + out + "code detail missing"}},
		{name: "the alias is gone", change: func(a *awssim.Account) { a.Keys = nil }, read: 3, gaps: []string{opDescribeKey + " us-east-1 " + alias + "out detail missing"}},
		{name: "the key is gone", change: func(a *awssim.Account) { a.Jobs[0].OutputDataConfig.KmsKeyId = key + diskKey }, read: 3, gaps: []string{opKeyPolicy + " us-east-1 " + key + diskKey + " detail missing"}},
		{name: "no such key id", change: func(a *awssim.Account) { a.Jobs[0].OutputDataConfig.KmsKeyId = "none" }, read: 3, gaps: []string{opDescribeKey + " us-east-1 " + key + "none detail missing"}},
		{name: "another account's key", change: func(a *awssim.Account) {
			a.Keys[0].Owner, a.Jobs[0].OutputDataConfig.KmsKeyId = "999988887777", keyARN("us-east-1", "999988887777", outKey)
		}, read: 3, gaps: []string{opKeyPolicy + " us-east-1 " + keyARN("us-east-1", "999988887777", outKey) + " detail refused"}},
		{name: "a region that is not enabled", change: func(a *awssim.Account) { a.Buckets[0].Region = "ap-east-1" }, read: 3, gaps: []string{opBucketEncryption + " ap-east-1 " + out + "code detail refused", opBucketPolicy + " ap-east-1 " + out + "code detail refused"}, calls: 4},
		{name: "buckets are refused", fault: opBucketPolicy + " refuse", read: 1, gaps: []string{opBucketPolicy + " us-east-1 " + out + "code detail refused",
			opBucketPolicy + " us-east-1 " + out + "data detail refused", opBucketPolicy + " us-east-1 " + out + "models detail refused"}},
		{name: "one is throttled for a while", fault: opBucketPolicy + " throttle times=3", read: 4, calls: 6},
		{name: "buckets are throttled", fault: opBucketPolicy + " throttle", read: 1, gaps: []string{opBucketPolicy + " us-east-1 3 buckets from code detail throttled"}, calls: 3 * attempts},
		{name: "one is cut", change: func(a *awssim.Account) { // an answer that could be
			for i := range a.Buckets {
				a.Buckets[i].Policy = `{"cut":"here"}`
			}
		}, fault: opBucketPolicy + " cut times=1", read: 4, calls: 4},
		{name: "one is garbled", fault: opKeyPolicy + " garble", read: 3, gaps: []string{opKeyPolicy + " us-east-1 " + key + outKey + " detail broken"}},
		{name: "the key is refused", fault: opKeyPolicy + " refuse", read: 3, gaps: []string{opKeyPolicy + " us-east-1 " + key + outKey + " detail refused"}},
		{name: "aliases are refused", fault: opDescribeKey + " refuse", read: 3, gaps: []string{opDescribeKey + " us-east-1 " + alias + "out detail refused"}},
		{name: "aliases are throttled, and a key is known by its ARN", change: func(a *awssim.Account) {
			a.Keys = append(a.Keys, awssim.Key{ID: diskKey})
			a.Jobs[0].ResourceConfig = &awssim.ResourceConfig{VolumeKmsKeyId: key + diskKey}
		}, fault: opDescribeKey + " throttle", read: 4, gaps: []string{opDescribeKey + " us-east-1 " + alias + "out detail throttled"}},
		{name: "the session expires", fault: "s3:* expire", read: 1, gaps: []string{
			opBucketEncryption + " us-east-1 " + out + "code detail refused", opBucketEncryption + " us-east-1 " + out + "data detail refused", opBucketEncryption + " us-east-1 " + out + "models detail refused",
			opBucketPolicy + " us-east-1 " + out + "code detail refused",
			opBucketPolicy + " us-east-1 " + out + "data detail refused", opBucketPolicy + " us-east-1 " + out + "models detail refused", opBuckets + " the account's buckets detail refused"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := small(1)
			a.Keys = []awssim.Key{{ID: outKey, Aliases: []string{"alias/out"}}}
			a.Jobs[0].OutputDataConfig.KmsKeyId = "alias/out"
			if tt.change != nil {
				tt.change(a)
			}
			onFakeClock(t, a, func(t *testing.T, server *awssim.Server, o Options) {
				if tt.fault != "" {
					if err := server.SetFault(tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				s := collected(t, o)
				sameCalls(t, server, s)
				if d := cmp.Diff(tt.gaps, gapsOf(s)); d != "" || len(s.Resources) != tt.read || !s.Complete() {
					t.Errorf("%d policies, want %d; complete %v; gaps (-want +got):\n%s", len(s.Resources), tt.read, s.Complete(), d)
				}
				if tt.calls > 0 && s.Calls[opBucketPolicy] != tt.calls {
					t.Errorf("%d calls to S3, want %d", s.Calls[opBucketPolicy], tt.calls)
				}
				for _, g := range s.Gaps {
					if strange := strings.Contains(g.Detail, "Expired") || strings.Contains(g.Detail, "Access Key Id") || strings.Contains(g.Scope, "999988887777"); (g.Permission != "") != (g.Reason == snapshot.ReasonRefused && !strange) {
						t.Errorf("gap %+v", g)
					}
				}
			})
		})
	}
}

// What is missing of many resources for one reason is told once; and there is an end
// to how many are asked for.
func TestManyResources(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int // buckets, and keys
		fault string
		read  int
		gaps  []string
	}{
		{"up to the most", 1000, "", 2000, nil},
		{"beyond it", 1010, "", 2000, []string{opKeyPolicy + " 10 keys from arn:aws:kms:us-east-1:123456789012:key/10000000-0000-4000-8000-000000000000 detail short", opBucketPolicy + " 10 buckets from bucket-1000 detail short"}},
		{"refused", 21, "* refuse from=1000000", 42, nil},
		{"all refused", 21, "s3:* refuse", 21, []string{opBucketEncryption + " us-east-1 21 buckets from bucket-0000 detail refused", opBucketPolicy + " us-east-1 21 buckets from bucket-0000 detail refused", opBuckets + " the account's buckets detail refused"}},
		{"all refused, and few", 2, "kms:* refuse", 2, []string{opKeyPolicy + " us-east-1 arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000 detail refused",
			opKeyPolicy + " us-east-1 arn:aws:kms:us-east-1:123456789012:key/00010000-0000-4000-8000-000000000000 detail refused",
			opKeys + " eu-west-1 the account's keys detail refused", opKeys + " us-east-1 the account's keys detail refused"}},
		{"down", 200, "s3:* fail=503", 200, []string{opBucketEncryption + " us-east-1 200 buckets from bucket-0000 detail unavailable", opBucketPolicy + " us-east-1 200 buckets from bucket-0000 detail unavailable", opBuckets + " the account's buckets detail unavailable"}},
		{"down after a while", 200, opKeyPolicy + " fail=503 from=101", 300, []string{opKeyPolicy + " us-east-1 100 keys from * detail unavailable" /* which of those then under way are read is chance */}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := small(0)
			a.Buckets = nil
			for i := range tt.n {
				a.Buckets = append(a.Buckets, awssim.Bucket{Name: fmt.Sprintf("bucket-%04d", i)})
				a.Keys = append(a.Keys, awssim.Key{ID: fmt.Sprintf("%04d0000-0000-4000-8000-000000000000", i)})
				j := job(a, &a.Roles[0], fmt.Sprintf("job-%04d", i), now.Add(-time.Duration(i+1)*time.Hour))
				j.HyperParameters, j.ModelArtifacts = nil, nil
				j.InputDataConfig[0].DataSource.S3DataSource.S3Uri = "s3://" + a.Buckets[i].Name + "/x"
				j.OutputDataConfig = &awssim.OutputDataConfig{S3OutputPath: "s3://" + a.Buckets[i].Name, KmsKeyId: a.KeyARN(&a.Keys[i])}
				a.Jobs = append(a.Jobs, j)
			}
			onFakeClock(t, a, func(t *testing.T, server *awssim.Server, o Options) {
				o.Usage = UsageNone
				if tt.fault != "" {
					if err := server.SetFault(tt.fault); err != nil {
						t.Fatal(err)
					}
				}
				s := collected(t, o)
				same := slices.EqualFunc(tt.gaps, gapsOf(s), func(want, got string) bool {
					from, to, any := strings.Cut(want, "*")
					return want == got || any && strings.HasPrefix(got, from) && strings.HasSuffix(got, to)
				})
				if !same || len(s.Resources) != tt.read || !s.Complete() {
					t.Errorf("%d policies, want %d; gaps %q, want %q", len(s.Resources), tt.read, gapsOf(s), tt.gaps)
				}
				if n := s.Calls[opBucketPolicy] + s.Calls[opKeyPolicy]; n > 2*min(tt.n, mostResources)+resourcesAtOnce*attempts {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}

// The policy of a bucket that is read belongs to its owner: S3 has words of its own
// for who is allowed and is not the owner (AWS: API_GetBucketPolicy). And a bucket may
// be somewhere that S3 does not name.
func TestWordsOfS3(t *testing.T) {
	for _, tt := range []struct {
		status       int
		region, body string
		reason       string
		permission   bool
		requests     int
		detail       string
	}{
		{405, "", "<Error><Code>MethodNotAllowed</Code><Message>The specified method is not allowed against this resource.</Message></Error>", snapshot.ReasonRefused, false, 1, "MethodNotAllowed: "},
		{403, "us-east-1", "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", snapshot.ReasonRefused, false, 1, "AccessDenied: "},
		{403, "us-east-1", "<Error><Code>AccessDenied</Code><Message>User: u is not authorized because no identity-based policy allows it</Message></Error>", snapshot.ReasonRefused, true, 1, "AccessDenied: "},
		{403, "", "<Error><Code>AccessDenied</Code><Message>User: u is not authorized because no resource-based policy allows it</Message></Error>", snapshot.ReasonRefused, false, 1, "AccessDenied: "},
		{301, "", "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>", snapshot.ReasonBroken, false, 1, "PermanentRedirect: "},
		{301, "eu-west-1", "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>", snapshot.ReasonBroken, false, 2, "PermanentRedirect: "},
		{301, "evil.example/", "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>", snapshot.ReasonBroken, false, 1, "PermanentRedirect: "},
		{400, "eu-west-1", "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message></Error>", snapshot.ReasonBroken, false, 2, "AuthorizationHeaderMalformed: "},
		{400, "", "<Error><Code>InvalidRequest</Code><Message>no</Message></Error>", snapshot.ReasonUnsupported, false, 1, "InvalidRequest: no"},
		{404, "", "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>", snapshot.ReasonMissing, false, 1, "NoSuchBucket: no"},
		{501, "", "", snapshot.ReasonUnsupported, false, 1, "NotImplemented: "},
		{200, "", "", snapshot.ReasonBroken, false, 1, "an answer without a policy"},
		{200, "", "<html>", snapshot.ReasonBroken, false, 1, "a policy that is no JSON"},
	} {
		t.Run(fmt.Sprint(tt.status, tt.region, tt.detail), func(t *testing.T) {
			requests := 0
			wire := wireFunc(func(r *http.Request) (*http.Response, error) {
				if r.URL.Query().Has("encryption") {
					return newAnswer(200, "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"), nil
				}
				requests++
				if r.URL.Path != "/b-1" || !r.URL.Query().Has("policy") {
					t.Errorf("request %s", r.URL)
				}
				w := newAnswer(tt.status, tt.body)
				if tt.region != "" {
					w.Header.Set("x-amz-bucket-region", tt.region)
				}
				return w, nil
			})
			o := options(small(0))
			o.EndpointURL, o.httpClient, o.Log = "http://aws.test", wire, discard
			r := newRun(o)
			var err error
			if r.clients, err = newClients(t.Context(), &r.Options, r.count); err != nil {
				t.Fatal(err)
			}
			r.allJobs = []snapshot.Job{{Region: "us-east-1", Output: snapshot.S3Output{URI: "s3://b-1/x"}}}
			if r.readResources(t.Context(), new(scope)); len(r.resources) > 0 {
				t.Errorf("resources %v", r.resources)
			}
			s := r.gaps
			if len(s) != 1 || s[0].Reason != tt.reason || (s[0].Permission != "") != tt.permission || !strings.HasPrefix(s[0].Detail, tt.detail) || requests != tt.requests {
				t.Errorf("%d requests, gaps %+v", requests, s)
			}
		})
	}
}

// Only AWS itself has a host for each bucket.
func TestPathStyle(t *testing.T) {
	for endpoint, want := range map[string]string{"": "https://b-1.s3.eu-west-1.amazonaws.com/?policy=", "http://aws.test": "http://aws.test/b-1?policy="} {
		var asked string
		o := options(small(0))
		o.EndpointURL, o.LookupRate = endpoint, 2
		o.httpClient = wireFunc(func(r *http.Request) (*http.Response, error) {
			asked = r.URL.String()
			return newAnswer(200, "{}"), nil
		})
		c, err := newClients(t.Context(), &o, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		name := "b-1"
		if _, err := c.s3("eu-west-1").GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &name}); err != nil || asked != want {
			t.Errorf("asked %s, want %s; %v", asked, want, err)
		}
	}
}

func TestBucketOf(t *testing.T) {
	for uri, want := range map[string]string{
		"s3://data/train/":                                         "data",
		"s3://data":                                                "data",
		"S3://Old_Bucket/x":                                        "Old_Bucket",
		"https://data.s3.amazonaws.com/x":                          "data",
		"https://my.data.s3.eu-west-1.amazonaws.com":               "my.data",
		"https://data.s3.dualstack.eu-west-1.amazonaws.com/x":      "data",
		"https://s3.eu-west-1.amazonaws.com/data/x":                "data",
		"https://s3-eu-west-1.amazonaws.com/data":                  "data",
		"https://data.s3.cn-north-1.amazonaws.com.cn/x":            "data",
		"https://s3.amazonaws.com/data":                            "data",
		"https://data.example.com/x":                               "",
		"https://s3.amazonaws.com.example.com/data":                "",
		"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/ap/x":  "",
		"s3://ap-abcdefghij-s3alias/x":                             "",
		"s3://dir--use1-az4--x-s3/x":                               "",
		"s3://m1234.mrap/x":                                        "",
		"s3://ab":                                                  "",
		"s3://da ta/x":                                             "",
		"s3://data\x1b[2J/x":                                       "",
		"":                                                         "",
		"data/train":                                               "",
		"file://data/x":                                            "",
		"s3://" + strings.Repeat("a", 256):                         "",
		"https://xs3.eu-west-1.amazonaws.com/data":                 "",
		"https://bucket.with.s3.in.s3.us-east-1.amazonaws.com/key": "bucket.with.s3.in",
	} {
		if got := bucketOf(uri); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

func TestKeyNames(t *testing.T) {
	const arn, alias = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1", "arn:aws:kms:eu-west-1:123456789012:alias/a/b"
	for _, tt := range []struct{ name, region, alias string }{
		{arn, "us-gov-west-1", ""}, {alias, "eu-west-1", "alias/a/b"}, {"alias/a", "here", "alias/a"}, {outKey, "here", ""}, {"", "", ""},
		{"arn:aws:s3:::bucket", "", ""}, {"arn:aws:kms:evil.example/:123456789012:key/k", "", ""}, {"arn:aws:kms:eu-west-1:1:key/k", "", ""},
	} {
		if region, alias := keyRegion(tt.name, "here"), aliasOf(tt.name); region != tt.region || alias != tt.alias {
			t.Errorf("%q: region %q, alias %q", tt.name, region, alias)
		}
	}
	if !isKeyARN(arn) || isKeyARN(alias) || isKeyARN(outKey) {
		t.Error("what is the ARN of a key is not told from what is none")
	}
}

// A run that is cancelled meanwhile keeps nothing, one that is out of time says so.
func TestResourcesOutOfTime(t *testing.T) {
	for name, ctx := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled":   func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) },
		"out of time": func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			_, o := serve(t, withResources())
			r := newRun(o)
			var err error
			if r.clients, err = newClients(t.Context(), &r.Options, r.count); err != nil {
				t.Fatal(err)
			}
			r.Log = discard
			r.allJobs = []snapshot.Job{{Region: "us-east-1", Output: snapshot.S3Output{URI: "s3://data/x", KMSKey: "alias/out"}, Checkpoint: "s3://checkpoints/x"}}
			ctx, cancel := ctx(t.Context())
			cancel()
			if r.readResources(ctx, new(scope)); len(r.resources) > 0 {
				t.Errorf("resources %v", r.resources)
			}
			want := []string(nil)
			if name != "cancelled" {
				want = []string{opDescribeKey + " us-east-1 alias/out detail timeout", opBucketEncryption + " us-east-1 2 buckets from checkpoints detail timeout", opBucketPolicy + " us-east-1 2 buckets from checkpoints detail timeout"}
			}
			s := &snapshot.Snapshot{Gaps: r.gaps}
			s.Sort()
			if d := cmp.Diff(want, gapsOf(s)); d != "" {
				t.Errorf("gaps (-want +got):\n%s", d)
			}
		})
	}
}
