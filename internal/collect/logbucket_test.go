package collect

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
)

// odd is a wire on which requests or answers of S3 are changed.
type odd struct {
	next   httpClient
	before func(*http.Request)
	after  func(*http.Request, *http.Response)
}

func (o odd) Do(r *http.Request) (*http.Response, error) {
	if o.before != nil {
		o.before(r)
	}
	out, err := o.next.Do(r)
	if err == nil && o.after != nil {
		o.after(r, out)
	}
	return out, err
}

// servedBucket is a bucket of another region with one object, and a folder of three.
func servedBucket(t *testing.T, body string, wire *odd) (*awssim.Server, *logBucket) {
	t.Helper()
	a := small(0)
	a.Buckets = []awssim.Bucket{{Name: "logs", Region: "eu-west-1", Objects: map[string]string{"big": body, "a/1": "x", "a/2": "y", "a/b/3": "z"}}}
	server, o := serve(t, a)
	o.Logs = []LogSource{{Bucket: "logs"}}
	if wire != nil {
		wire.next = http.DefaultClient
		o.httpClient = wire
	}
	o.Log = discard
	r := newRun(o)
	var err error
	if r.clients, err = newClients(t.Context(), &r.Options, r.count); err != nil {
		t.Fatal(err)
	}
	return server, r.newLogBucket("logs", "us-east-1")
}

func readWhole(t *testing.T, b *logBucket, key string) (string, error) {
	t.Helper()
	f, err := b.Open(t.Context(), key)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// An object whose connection ends is read on from there, whole and once.
func TestObjectIsResumed(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 40_000)
	for _, tt := range []struct {
		name  string
		fault string
		wire  *odd
		calls int
		want  string // the reason of the error, empty for none
	}{
		{"nothing is wrong", "", nil, 1, ""},
		{"cut once", "cut times=1", nil, 2, ""},
		{"cut in every answer but the last", "cut times=5", nil, 6, ""},
		{"throttled", "throttle times=3", nil, 4, ""},
		{"refused", "refuse", nil, 1, snapshot.ReasonRefused},
		{"the range is ignored", "cut times=1", &odd{before: func(r *http.Request) { r.Header.Del("Range") }}, 2, ""},
		{"replaced meanwhile", "cut times=1", &odd{before: func(r *http.Request) {
			if r.Header.Get("If-Match") != "" {
				r.Header.Set("If-Match", `"other"`)
			}
		}}, 2, snapshot.ReasonBroken},
		{"replaced meanwhile, and If-Match ignored", "cut times=1", &odd{before: func(r *http.Request) { r.Header.Del("If-Match") }, after: func(r *http.Request, out *http.Response) {
			if r.Header.Get("Range") != "" {
				out.Header.Set("ETag", `"other"`)
			}
		}}, 2, snapshot.ReasonBroken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server, b := servedBucket(t, body, tt.wire)
			if _, err := readWhole(t, b, "a/1"); err != nil { // finds the region
				t.Fatal(err)
			}
			server.Reset()
			if tt.fault != "" {
				if err := server.SetFault(opGetObject + " " + tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			got, err := readWhole(t, b, "big")
			reason := ""
			if known := (*trailfiles.Error)(nil); errors.As(err, &known) {
				reason = known.Reason
			}
			if reason != tt.want || err != nil && reason == "" || err == nil && got != body {
				t.Errorf("%d bytes, %v (%s), want %q", len(got), err, reason, tt.want)
			}
			if n := server.Requests(opGetObject); n != tt.calls {
				t.Errorf("%d calls, want %d", n, tt.calls)
			}
		})
	}
}

// What never comes to its end is given up after as many tries as any call has; what
// fails alike for all is not tried a thousand times.
func TestObjectsAreGivenUp(t *testing.T) {
	server, b := servedBucket(t, strings.Repeat("x", 100), &odd{before: func(r *http.Request) { r.Header.Del("Range") }})
	server.SetFault(opGetObject + " cut")
	_, err := readWhole(t, b, "big")
	known := (*trailfiles.Error)(nil)
	if !errors.As(err, &known) || known.Reason != snapshot.ReasonCut {
		t.Errorf("%v", err)
	}
	if n := server.Requests(opGetObject); n < attempts || n > 20*attempts {
		t.Errorf("%d calls", n)
	}
	server.ClearFaults()
	server.SetFault(opGetObject + " refuse")
	server.Reset()
	for range 100 {
		if _, err := b.Open(t.Context(), "big"); !errors.As(err, &known) || known.Permission != "s3:GetObject" {
			t.Fatalf("%v", err)
		}
	}
	if n := server.Requests(opGetObject); n != failingAlike {
		t.Errorf("%d calls, want %d", n, failingAlike)
	}
}

// A folder is listed page by page, in the region that S3 names; a list that ends too
// early does not pass for a short one.
func TestFoldersAreListed(t *testing.T) {
	list := func(b *logBucket, prefix string) (keys []string, err error) {
		for o, e := range b.List(t.Context(), prefix) {
			if e != nil {
				return keys, e
			}
			keys = append(keys, o.Key)
		}
		slices.Sort(keys)
		return keys, nil
	}
	for _, tt := range []struct {
		fault, prefix string
		want          []string
		reason        string
	}{
		{"", "", []string{"a/", "big"}, ""},
		{"", "a/", []string{"a/1", "a/2", "a/b/"}, ""},
		{"", "nothing/", nil, ""},
		{"repeat-token", "a/", nil, snapshot.ReasonBroken},
		{"empty from=4", "a/", nil, snapshot.ReasonShort}, // the root showed the folder
		{"garble", "a/", nil, snapshot.ReasonBroken},
		{"refuse", "a/", nil, snapshot.ReasonRefused},
		{"cut times=1", "a/", []string{"a/1", "a/2", "a/b/"}, ""},
	} {
		t.Run(tt.fault+" "+tt.prefix, func(t *testing.T) {
			server, b := servedBucket(t, "x", nil)
			server.Configure(func(b *awssim.Behaviour) { b.PageCaps = map[string]int{opListObjects: 1} })
			if tt.fault == "empty from=4" {
				if _, err := list(b, ""); err != nil {
					t.Fatal(err)
				}
				tt.fault = "empty"
			}
			if tt.fault != "" {
				if err := server.SetFault(opListObjects + " region=eu-west-1 " + tt.fault); err != nil {
					t.Fatal(err)
				}
			}
			keys, err := list(b, tt.prefix)
			known := (*trailfiles.Error)(nil)
			switch {
			case tt.reason != "":
				if !errors.As(err, &known) || known.Reason != tt.reason {
					t.Errorf("%q, %v, want %s", keys, err, tt.reason)
				}
				if (known.Permission == "s3:ListBucket") != (tt.reason == snapshot.ReasonRefused) {
					t.Errorf("permission %q", known.Permission)
				}
			case err != nil || !slices.Equal(keys, tt.want):
				t.Errorf("%q, %v, want %q", keys, err, tt.want)
			}
		})
	}
}

func TestLogSources(t *testing.T) {
	for text, want := range map[string]LogSource{
		"trail": {}, "dir:logs": {Dir: "logs"}, "dir:/a b/c": {Dir: "/a b/c"}, "s3://my-bucket": {Bucket: "my-bucket"},
		"s3://my-bucket/": {Bucket: "my-bucket"}, "s3://my-bucket/a/b": {Bucket: "my-bucket", Prefix: "a/b/"}, "s3://my-bucket/a/b/": {Bucket: "my-bucket", Prefix: "a/b/"},
	} {
		got, err := ParseLogSource(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := ParseLogSource(got.String()); err != nil || again != got {
			t.Errorf("%s reads as %+v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "lookup", "none", "athena", "dir:", "s3://", "s3:///x", "s3://B", "s3://my-bucket//x", "s3://my-bucket/a//b", "S3://my-bucket", "trails"} {
		if s, err := ParseLogSource(text); err == nil {
			t.Errorf("%q is accepted, as %+v", text, s)
		}
	}
}
