package analyze

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func TestParseS3(t *testing.T) {
	const east = "arn:aws:s3:us-east-1:123456789012:accesspoint/app"
	for _, tt := range []struct{ uri, object, note string }{
		{"s3://bucket/train/", "arn:aws:s3:::bucket/train/", ""},
		{"s3://bucket/tra", "arn:aws:s3:::bucket/tra", ""},
		{"s3://bucket", "arn:aws:s3:::bucket/", ""},
		{"s3://bucket/", "arn:aws:s3:::bucket/", ""},
		{"S3://bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"s3://my.bucket_of-OLD/a", "arn:aws:s3:::my.bucket_of-OLD/a", ""},
		// kept as it is, and said
		{"s3://bucket/a//b", "arn:aws:s3:::bucket/a//b", "empty segment"},
		{"s3://bucket//b", "arn:aws:s3:::bucket//b", "empty segment"},
		{"s3://bucket/a/../b", "arn:aws:s3:::bucket/a/../b", "segment .."},
		// https in its forms
		{"https://bucket.s3.eu-west-1.amazonaws.com/a/b", "arn:aws:s3:::bucket/a/b", ""},
		{"https://bucket.s3.dualstack.eu-west-1.amazonaws.com/a", "arn:aws:s3:::bucket/a", ""},
		{"https://bucket.s3.amazonaws.com/a", "arn:aws:s3:::bucket/a", ""},
		{"https://bucket.s3-eu-west-1.amazonaws.com/a", "arn:aws:s3:::bucket/a", ""},
		{"https://bucket.s3-accelerate.amazonaws.com/a", "arn:aws:s3:::bucket/a", ""},
		{"https://bucket.s3-fips.us-gov-west-1.amazonaws.com/a", "arn:aws:s3:::bucket/a", ""},
		{"https://my.bucket.s3.cn-north-1.amazonaws.com.cn/a", "arn:aws:s3:::my.bucket/a", ""},
		{"https://s3.eu-west-1.amazonaws.com/bucket/a/b", "arn:aws:s3:::bucket/a/b", ""},
		{"https://s3.dualstack.eu-west-1.amazonaws.com/bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"https://s3.amazonaws.com/bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"https://s3.amazonaws.com/bucket", "arn:aws:s3:::bucket/", ""},
		{"https://s3-us-gov-west-1.amazonaws.com/bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"https://s3-external-1.amazonaws.com/bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"https://s3.cn-northwest-1.amazonaws.com.cn/bucket/a", "arn:aws:s3:::bucket/a", ""},
		{"https://bucket.s3.amazonaws.com/a%20b", "arn:aws:s3:::bucket/a*", "URL gives another meaning"},
		{"https://bucket.s3.amazonaws.com/a?versionId=1", "arn:aws:s3:::bucket/a*", "URL gives another meaning"},
		// access points
		{"s3://" + east + "/k/l", east + "/object/k/l", ""},
		{"s3://" + east, east + "/object/", ""},
		{"s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/k", "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/object/k", ""},
		{"https://app-123456789012.s3-accesspoint.us-east-1.amazonaws.com/k", "arn:aws:s3:us-east-1:123456789012:accesspoint/app/object/k", ""},
		// directory buckets
		{"s3://fast--use1-az4--x-s3/a", "arn:aws:s3express:eu-west-1:123456789012:bucket/fast--use1-az4--x-s3", ""},
		{"https://fast--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/a", "arn:aws:s3express:us-east-1:123456789012:bucket/fast--use1-az4--x-s3", ""},
		// hostile keys
		{"s3://bucket/${aws:username}/*?", "arn:aws:s3:::bucket/${$}{aws:username}/${*}${?}", ""},
		{`s3://bucket/"a'\{b}`, `arn:aws:s3:::bucket/"a'\{b}`, ""},
		{"s3://bucket/a é", "arn:aws:s3:::bucket/a é", ""},
		{"s3://bucket/data/日本/x", "arn:aws:s3:::bucket/data/*", "no policy can hold"},
		{"s3://bucket/a\nb", "arn:aws:s3:::bucket/a*", "no policy can hold"},
		{"s3://bucket/a\x00b", "arn:aws:s3:::bucket/a*", "no policy can hold"},
		{"s3://bucket/a\x9bb", "arn:aws:s3:::bucket/a*", "no policy can hold"},
		{"s3://bucket/a\xffb", "arn:aws:s3:::bucket/a*", "no policy can hold"},
		{"s3://bucket/" + strings.Repeat("k", 1024), "arn:aws:s3:::bucket/" + strings.Repeat("k", 1024), ""},
		{"s3://bucket/" + strings.Repeat("k", 1025), "arn:aws:s3:::bucket/" + strings.Repeat("k", 1024) + "*", "byte 1,025"},
		{"s3://bucket/" + strings.Repeat("k", 1023) + "é", "arn:aws:s3:::bucket/" + strings.Repeat("k", 1023) + "*", "byte 1,025"},
		// no place that IAM has a name for
		{"s3://b*/x", "", "no bucket can have"},
		{"s3://${aws:username}/x", "", "no bucket can have"},
		{"s3://b/x", "", "no bucket can have"},
		{"s3://bucket--x-s3/x", "", "no bucket can have"},
		{"s3://arn:aws:s3:::bucket/x", "", "not that of an access point"},
		{"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/*/x", "", "not that of an access point"},
		{"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/app*/x", "", "not that of an access point"},
		{"s3://arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/app/x", "", "not that of an access point"},
		{"s3://ap-hrzrlukc5m36ft7okagglf3gmwluquse1b-s3alias/x", "", "alias of an access point"},
		{"s3://fast-ap--use1-az4--xa-s3/x", "", "alias of an access point"},
		{"https://bucket.s3.attacker-amazonaws.com/x", "", "none of S3's"},
		{"https://bucket.s3.amazonaws.com.evil.example/x", "", "none of S3's"},
		{"https://bucket.s3-website-us-east-1.amazonaws.com/x", "", "none of S3's"},
		{"https://example.com/s3.amazonaws.com/x", "", "none of S3's"},
		{"https://s3.amazonaws.com", "", "names no bucket"},
		{"file:///x", "", "no S3 URI"},
		{"s3:///x", "", "names no bucket"},
		{"s3:bucket/x", "", "no S3 URI"},
		{"", "", "no S3 URI"},
	} {
		got := ""
		l, why := place{partition: "aws", account: testAccount}.parseS3("eu-west-1", tt.uri)
		if why == "" {
			got, why = l.pattern(), l.note
		}
		if got != tt.object || (why == "") != (tt.note == "") || !strings.Contains(why, tt.note) {
			t.Errorf("parseS3(%q) = %q (%s), want %q (%s)", tt.uri, got, why, tt.object, tt.note)
		}
	}
	for partition, want := range map[string]string{"aws-cn": "arn:aws-cn:s3:::bucket/k", "aws-us-gov": "arn:aws-us-gov:s3:::bucket/k"} {
		if l, _ := (place{partition: partition, account: testAccount}).parseS3("r", "s3://bucket/k"); l.pattern() != want {
			t.Errorf("%s: %s", partition, l.pattern())
		}
	}
}

// hostile are pieces of which keys and buckets are put together.
var hostile = []string{"a", "train", "*", "?", "${", "}", "$", "${*}", "${aws:username}", "${$}", "{", "/", "//", "..", ".", "\"", "'", "\\", ":", "arn:aws:s3:::other/",
	"é", "日", "\x00", "\n", "\t", "\x7f", "\u0085", "\xff", "%2F", " ", "2026-10-28", "job-name", strings.Repeat("k", 300), "accesspoint/", "bkt"}

func hostileURI(r *rand.Rand) string {
	var b strings.Builder
	b.WriteString([]string{"s3://bkt/", "s3://bkt/", "s3://bkt/", "s3://", "https://bkt.s3.amazonaws.com/", "https://s3.amazonaws.com/bkt/",
		"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/app/", "s3://fast--use1-az4--x-s3/"}[r.IntN(8)])
	for range r.IntN(8) {
		b.WriteString(hostile[r.IntN(len(hostile))])
	}
	return b.String()
}

// checkPattern holds a location's pattern against what it must match and must not, by
// a policy that is written, read and asked. It tells the object by the URI alone.
func checkPattern(t *testing.T, uri string, l s3Location, pattern string) {
	t.Helper()
	document, err := policy.Build(policy.Spec{Effect: policy.Allow, Actions: []string{"s3:GetObject", actionCreateSession}, Resources: []string{pattern}})
	if err != nil {
		t.Fatalf("%q became %q: %v", uri, pattern, err)
	}
	for _, r := range string(document.Print()) {
		if r != '\t' && r != '\n' && r != '\r' && (r < 0x20 || r > 0xff) {
			t.Fatalf("%q became %q, which IAM does not take: %U", uri, pattern, r)
		}
	}
	who, err := policy.ParsePrincipal("arn:aws:iam::123456789012:role/r")
	if err != nil {
		t.Fatal(err)
	}
	stack := policy.Stack{Identity: []policy.Policy{{Layer: policy.LayerIdentity, Document: document}}}
	allows := func(side policy.Side, action, resource string) bool {
		return stack.Decide(policy.Request{Principal: who, Action: action, Resource: resource, ResourceAccount: testAccount}, side).Outcome == policy.Allowed
	}
	if l.directory != "" {
		if pattern != l.directory || !allows(policy.Must, actionCreateSession, l.directory) || allows(policy.May, actionCreateSession, l.directory+"x") {
			t.Fatalf("%q became %q", uri, pattern)
		}
		return
	}
	objects := l.bucketARN() + "/"
	if l.accessPoint != "" {
		objects += "object/"
	}
	_, key, _ := strings.Cut(uri, "://")
	_, key, _ = strings.Cut(key, "/")
	if strings.HasPrefix(strings.ToLower(uri), "https://s3") || l.accessPoint != "" && !strings.HasPrefix(uri, "https") {
		_, key, _ = strings.Cut(key, "/") // the bucket, or the name of the access point
	}
	if !allows(policy.Must, "s3:GetObject", objects+key) {
		t.Fatalf("%q became %q, which does not match %q", uri, pattern, objects+key)
	}
	if !policy.Includes(objects+"*", pattern) {
		t.Fatalf("%q became %q, which is not within %q", uri, pattern, objects)
	}
	if allows(policy.May, "s3:GetObject", "arn:aws:s3:::other-bucket/"+key) {
		t.Fatalf("%q became %q, which matches another bucket", uri, pattern)
	}
	if !l.prefix && allows(policy.May, "s3:GetObject", objects+key+"x") {
		t.Fatalf("%q became %q, which matches more than the object", uri, pattern)
	}
}

// TestHostileURIs: the pattern of a job's location matches the object itself and
// nothing outside its bucket, after the hole rule too, and that cuts between segments.
func TestHostileURIs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p, read := place{partition: "aws", account: testAccount}, 0
	for range 5000 {
		uri := hostileURI(r)
		l, why := p.parseS3("us-east-1", uri)
		if why != "" {
			continue
		}
		read++
		l.prefix = l.prefix || r.IntN(2) == 0
		checkPattern(t, uri, l, l.pattern())
		j := &snapshot.Job{Name: []string{"", "a", "job-name"}[r.IntN(3)]}
		h := newHoles()
		h.see(j, "f", &l)
		for range r.IntN(6) {
			if o, why := p.parseS3("us-east-1", hostileURI(r)); why == "" {
				h.see(j, "f", &o)
			}
		}
		g := h.generalise(j, "f", l)
		checkPattern(t, uri, g, g.pattern())
		if cut := strings.TrimPrefix(l.key, g.key); cut != "" && (!g.prefix || g.key != "" && !strings.HasSuffix(g.key, "/") || !strings.HasPrefix(l.key, g.key)) {
			t.Fatalf("%q: %q was cut to %q", uri, l.key, g.key)
		}
	}
	if read < 3000 {
		t.Errorf("only %d of 5000 were read", read)
	}
}

func FuzzS3URI(f *testing.F) {
	for _, uri := range []string{"s3://bucket/key", "https://bucket.s3.amazonaws.com/*", "https://s3.amazonaws.com/bkt/a%2Fb?x", "s3://bkt/${aws:username}/é日",
		"s3://arn:aws:s3:us-east-1:123456789012:accesspoint/app/k", "s3://fast--use1-az4--x-s3/a", "s3://bkt//a/../b\x00", "s3://bkt/$${*}", "S3://b.c_D/\xff"} {
		f.Add(uri)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		f.Add(hostileURI(r))
	}
	f.Fuzz(func(t *testing.T, uri string) {
		l, why := place{partition: "aws", account: testAccount}.parseS3("us-east-1", uri)
		if why != "" || l.bucket == "other-bucket" {
			return
		}
		checkPattern(t, uri, l, l.pattern())
		l.prefix = true
		checkPattern(t, uri, l, l.pattern())
		for _, segment := range strings.Split(l.key, "/") {
			volatile(segment, "job")
		}
	})
}

func TestReadImage(t *testing.T) {
	for image, want := range map[string]string{
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/team/churn:1.4":       "us-east-1 123456789012 team/churn",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/churn@sha256:abcdef":  "us-east-1 123456789012 churn",
		"763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.3": "eu-west-1 763104351884 pytorch-training",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/x":                "cn-north-1 123456789012 x",
		"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/x":           "us-gov-west-1 123456789012 x",
		"123456789012.dkr-ecr.us-east-1.on.aws/x":                           "us-east-1 123456789012 x",
		"public.ecr.aws/x/y:1":   "",
		"registry.example.com/x": "",
		"x:latest":               "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com":                  "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/":                 "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/*":                "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/${aws:username}":  "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com/Team":             "",
		"123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example/x:1": "",
		"": "",
	} {
		got := ""
		if i, ok := readImage(image); ok {
			got = fmt.Sprint(i.region, " ", i.account, " ", i.repository)
		}
		if got != want {
			t.Errorf("readImage(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestReadARN(t *testing.T) {
	const ok = "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f"
	if arn, read := readARN(ok, "lambda", "function:"); !read || arn.literal() != ok {
		t.Errorf("%+v", arn)
	}
	if arn, _ := readARN("arn:aws:lambda:us-east-1:123456789012:function:f*${x}", "lambda", "function:"); arn.literal() != "arn:aws:lambda:us-east-1:123456789012:function:f${*}${$}{x}" {
		t.Errorf("hostile: %q", arn.literal())
	}
	for _, bad := range []string{"", "f", "arn:aws:lambda:*:123456789012:function:f", "arn:aws:lambda:us-east-1:*:function:f", "arn:*:lambda:us-east-1:123456789012:function:f",
		"arn:aws:lambda:us-east-1:123456789012:layer:f", "arn:aws:lambda:us-east-1:123456789012:function:", "arn:aws:s3:::function:f", "arn:aws:lambda:us-east-1:123456789012:function:日",
		"arn:aws:lambda:${aws:username}:123456789012:function:f"} {
		if arn, read := readARN(bad, "lambda", "function:"); read {
			t.Errorf("%q was read as %+v", bad, arn)
		}
	}
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{"a/b:1": "a/b:1", "a b": `"a b"`, "\x1b[31m": `"\x1b[31m"`, "": `""`} {
		if got := shown(in); got != want {
			t.Errorf("shown(%q) = %s", in, got)
		}
	}
	if got := shown(strings.Repeat("é", 1000)); len(got) > 2000 || slices.ContainsFunc([]rune(got), func(r rune) bool { return r > '~' }) {
		t.Errorf("%d: %s", len(got), got)
	}
}
