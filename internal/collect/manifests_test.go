package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func manifestChannel(uri string) awssim.Channel {
	return awssim.Channel{ChannelName: "listed", DataSource: awssim.DataSource{S3DataSource: &awssim.S3DataSource{S3DataType: "ManifestFile", S3Uri: uri}}}
}

func TestParseManifest(t *testing.T) {
	var many []string
	for i := range 500 {
		many = append(many, fmt.Sprintf(`"year=%d/day=%02d/part-%d"`, 2020+i%3, 1+i%31, i))
	}
	const head = `[{"prefix":"s3://data/in/"},`
	for _, tt := range []struct {
		name, body string
		cut        bool
		attributes []string
		want       []string
		truncated  bool
		err        string
	}{
		{name: "keys", body: head + `"a", "x/b"]`, want: []string{"s3://data/in/a", "s3://data/in/x/b"}},
		{name: "the prefix alone", body: ` [{"prefix":"s3://data/in/"}] `, want: []string{"s3://data/in/"}},
		{name: "a prefix that is no folder", body: `[{"prefix":"s3://data/in-"},"a"]`, want: []string{"s3://data/in-a"}},
		{name: "many keys", body: head + strings.Join(many, ",") + "]", want: []string{"s3://data/in/year=2020/", "s3://data/in/year=2021/", "s3://data/in/year=2022/"}},
		{name: "many in one folder", body: head + strings.Repeat(`"a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q","r","s","t","u",`, 2) + `"v"]`, want: []string{"s3://data/in/"}},
		{name: "cut between keys", body: head + `"a", "b",`, cut: true, want: []string{"s3://data/in/a", "s3://data/in/b"}, truncated: true},
		{name: "cut within a key", body: head + `"a", "b`, cut: true, want: []string{"s3://data/in/a"}, truncated: true},
		{name: "no end", body: head + `"a"`, err: "without an end"},
		{name: "no prefix", body: `["s3://data/a"]`, err: "does not begin with a prefix"},
		{name: "a prefix elsewhere", body: `[{"prefix":"file:///"}]`, err: "does not begin with a prefix"},
		{name: "no keys", body: head + `{"a":1}]`, err: "something else than keys"},
		{name: "empty", body: "", err: "no JSON array"},
		{name: "augmented, empty", body: "\n", err: "without a line"},
		{name: "no JSON", body: "hello", err: "no JSON array"},
		{name: "an object", body: "{}", err: "no JSON array"},
		{name: "augmented, no JSON", body: "hello", err: "no JSON object"},
		{name: "augmented", body: `{"source-ref":"s3://img/a/1.jpg","label":1,"label-metadata":{"x":"s3://no/"}}` + "\n\n" + `{"source-ref":"s3://img/a/2.jpg","mask-ref":"s3://mask/2.png","note":"s3:"}` + "\n",
			want: []string{"s3://img/a/1.jpg", "s3://img/a/2.jpg", "s3://mask/2.png"}},
		{name: "augmented, of one attribute", body: `{"source-ref":"s3://img/1.jpg","mask-ref":"s3://mask/1.png"}`, attributes: []string{"source-ref", "label"}, want: []string{"s3://img/1.jpg"}},
		{name: "augmented, without objects", body: `{"source":"text","label":1}`, want: []string{}},
		{name: "augmented, cut", body: `{"source-ref":"s3://img/1.jpg"}` + "\n" + `{"source-ref":"s3://im`, cut: true, want: []string{"s3://img/1.jpg"}, truncated: true},
	} {
		file := manifest{uri: "s3://b/m", augmented: strings.HasPrefix(tt.name, "augmented"), attributes: tt.attributes}
		m, err := file.parse([]byte(tt.body), !tt.cut)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err == nil {
			if d := cmp.Diff(snapshot.Manifest{URI: "s3://b/m", Prefixes: tt.want, Truncated: tt.truncated}, m); d != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, d)
			}
		}
	}
}

// What stands for many objects takes each of them in.
func TestPrefixesOf(t *testing.T) {
	var named []string
	for i := range 200 {
		named = append(named, fmt.Sprintf("s3://b%d/%s%d", i%7, strings.Repeat("d/", i%5), i))
	}
	prefixes, all := prefixesOf(named)
	if !all || len(prefixes) > mostPrefixes {
		t.Fatalf("%d: %q", len(prefixes), prefixes)
	}
	for _, uri := range named {
		if !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(uri, p) && (uri == p || strings.HasSuffix(p, "/")) }) {
			t.Errorf("%s is in none of %q", uri, prefixes)
		}
	}
	named = nil
	for i := range 50 {
		named = append(named, fmt.Sprintf("s3://bucket-%02d/a", i))
	}
	if prefixes, all := prefixesOf(named); all || len(prefixes) != mostPrefixes {
		t.Errorf("50 buckets: %d, %v", len(prefixes), all)
	}
}

func TestReadManifests(t *testing.T) {
	a := small(60)
	big := `[{"prefix":"s3://big/"},` + strings.Repeat(`"folder/key",`, mostManifestBytes/12) + `"last"]`
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "lists", Region: "eu-west-1", Objects: map[string]string{"new.json": `[{"prefix":"s3://data/v8/"},"a"]`, "big.json": big, "empty.json": ""}},
		awssim.Bucket{Name: "theirs", Owner: "999999999999"})
	for i, uri := range []string{"s3://lists/new.json", "s3://lists/new.json", "s3://lists/big.json", "s3://lists/none.json", "s3://lists/empty.json", "s3://theirs/x.json", "https://lists.s3.amazonaws.com/x"} {
		a.Jobs[i].InputDataConfig = []awssim.Channel{manifestChannel(uri)}
	}
	server, o := serve(t, a)
	s := collected(t, o)
	if s.Manifests != nil || server.Requests(opGetObject) > 0 {
		t.Fatalf("not asked for, and read: %v", s.Manifests)
	}
	o.Manifests = true
	s = collected(t, o)
	want := []snapshot.Manifest{{URI: "s3://lists/big.json", Prefixes: []string{"s3://big/folder/key"}, Truncated: true}, {URI: "s3://lists/new.json", Prefixes: []string{"s3://data/v8/a"}}}
	if d := cmp.Diff(want, s.Manifests); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	var gaps []string
	for _, g := range s.Gaps {
		if g.Source == opGetObject {
			gaps = append(gaps, fmt.Sprint(g.Region, " ", g.Scope, " ", g.Impact, " ", g.Reason))
		}
	}
	if d := cmp.Diff([]string{"eu-west-1 s3://lists/empty.json detail broken", "eu-west-1 s3://lists/none.json detail missing",
		"us-east-1 https://lists.s3.amazonaws.com/x detail unsupported", "us-east-1 s3://theirs/x.json detail refused"}, gaps); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if !s.Complete() {
		t.Error("a manifest that is not read is no incomplete run")
	}
	r, err := analyze.Analyze(s, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, role := range r.Roles {
		for _, q := range role.Required {
			found = found || q.Action == "s3:GetObject" && slices.Contains(q.Resources, "arn:aws:s3:::data/v8/a*")
		}
	}
	if !found {
		t.Error("what the manifest names is not needed")
	}
}

func TestManifestsAreCapped(t *testing.T) {
	a := small(mostManifests + 10)
	lists := awssim.Bucket{Name: "lists", Objects: map[string]string{}}
	for i := range a.Jobs {
		key := fmt.Sprintf("%03d.json", i)
		lists.Objects[key] = `[{"prefix":"s3://data/"},"a"]`
		a.Jobs[i].InputDataConfig = []awssim.Channel{manifestChannel("s3://lists/" + key)}
	}
	a.Buckets = append(a.Buckets, lists)
	newest := slices.MaxFunc(a.Jobs, func(x, y awssim.TrainingJob) int { return x.CreationTime.Compare(y.CreationTime) })
	server, o := serve(t, a)
	o.Manifests = true
	s := collected(t, o)
	if len(s.Manifests) != mostManifests || server.Requests(opGetObject) != mostManifests {
		t.Errorf("%d manifests of %d requests", len(s.Manifests), server.Requests(opGetObject))
	}
	uri := newest.InputDataConfig[0].DataSource.S3DataSource.S3Uri
	if !slices.ContainsFunc(s.Manifests, func(m snapshot.Manifest) bool { return m.URI == uri }) {
		t.Errorf("%s of the newest job (%s) was left out", uri, newest.CreationTime.Format(time.RFC3339))
	}
	if !slices.ContainsFunc(s.Gaps, func(g snapshot.Gap) bool {
		return g.Source == opGetObject && g.Reason == snapshot.ReasonShort && g.Scope == "10 manifests"
	}) {
		t.Errorf("gaps %v", gapsOf(s))
	}
}

// A manifest of the sample account, and the permissions that reading it takes.
func TestSampleManifest(t *testing.T) {
	_, o := serve(t, awssim.Sample())
	o.Manifests, o.Usage = true, UsageNone
	s := collected(t, o)
	if len(s.Manifests) != 1 || !slices.Equal(s.Manifests[0].Prefixes, []string{"s3://retail-lake/search/judgements/v8/clicks.csv", "s3://retail-lake/search/judgements/v8/editors.csv",
		"s3://retail-lake/search/judgements/v8/queries/part-0000.csv", "s3://retail-lake/search/judgements/v8/queries/part-0001.csv"}) {
		t.Errorf("%+v", s.Manifests)
	}
	asks := func(o Options) bool {
		return slices.ContainsFunc(Permissions(o), func(op Operation) bool { return op.ID() == opGetObject })
	}
	if asks(Options{}) || !asks(Options{Manifests: true}) {
		t.Error("s3:GetObject is for those who ask for manifests")
	}
}
