package awssim_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"sagemaker-role-audit/internal/collect/awssim"
)

// holding is an account with a bucket of five objects, and one that a trail delivers to.
func holding() *awssim.Account {
	a := small(3)
	a.Buckets = append(a.Buckets, awssim.Bucket{Name: "store", Objects: map[string]string{"a/1": "one", "a/2": "two", "a/b/3": "three", "c": "0123456789", "d/4": "four"}}, awssim.Bucket{Name: "logs"},
		awssim.Bucket{Name: "sealed", KMSKey: "arn:aws:kms:us-east-1:123456789012:key/1", Objects: map[string]string{"x": "y"}})
	return a
}

func TestListObjects(t *testing.T) {
	server, c := start(t, holding())
	for _, test := range []struct {
		in            s3.ListObjectsV2Input
		keys, folders []string
	}{
		{s3.ListObjectsV2Input{}, []string{"a/1", "a/2", "a/b/3", "c", "d/4"}, nil},
		{s3.ListObjectsV2Input{Delimiter: aws.String("/")}, []string{"c"}, []string{"a/", "d/"}},
		{s3.ListObjectsV2Input{Prefix: aws.String("a/"), Delimiter: aws.String("/")}, []string{"a/1", "a/2"}, []string{"a/b/"}},
		{s3.ListObjectsV2Input{StartAfter: aws.String("a/2")}, []string{"a/b/3", "c", "d/4"}, nil},
		{s3.ListObjectsV2Input{Prefix: aws.String("nothing/")}, nil, nil},
	} {
		for _, size := range []int32{1, 2, 1000} {
			var keys, folders []string
			test.in.Bucket, test.in.MaxKeys = aws.String("store"), aws.Int32(size)
			pages := s3.NewListObjectsV2Paginator(c.s3, &test.in)
			for pages.HasMorePages() {
				out, err := pages.NextPage(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if n := len(out.Contents) + len(out.CommonPrefixes); int(*out.KeyCount) != n || n > int(size) || *out.Name != "store" {
					t.Errorf("%d items of %d, bucket %s", n, *out.KeyCount, *out.Name)
				}
				for _, o := range out.Contents {
					keys = append(keys, *o.Key)
				}
				for _, p := range out.CommonPrefixes {
					folders = append(folders, *p.Prefix)
				}
			}
			if !slices.Equal(keys, test.keys) || !slices.Equal(folders, test.folders) {
				t.Errorf("%+v by %d: %q %q, want %q %q", test.in, size, keys, folders, test.keys, test.folders)
			}
		}
	}
	server.Configure(func(b *awssim.Behaviour) {
		b.Authorize = func(action, resource string) bool {
			return action != "s3:ListBucket" || resource != "arn:aws:s3:::store"
		}
	})
	if _, err := c.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("store")}); errorCode(err) != "AccessDenied" {
		t.Errorf("without s3:ListBucket: %v", err)
	}
	if _, err := c.s3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("none")}); errorCode(err) != "NoSuchBucket" {
		t.Errorf("no such bucket: %v", err)
	}
}

func TestGetObjectRanges(t *testing.T) {
	server, c := start(t, holding())
	get := func(key, byteRange, match string) (string, string, error) {
		in := &s3.GetObjectInput{Bucket: aws.String("store"), Key: &key}
		if byteRange != "" {
			in.Range = &byteRange
		}
		if match != "" {
			in.IfMatch = &match
		}
		out, err := c.s3.GetObject(t.Context(), in)
		if err != nil {
			return "", errorCode(err), err
		}
		text, err := io.ReadAll(out.Body)
		return string(text), aws.ToString(out.ContentRange), err
	}
	whole, err := c.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("store"), Key: aws.String("c")})
	if err != nil || whole.ETag == nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ byteRange, match, text, mark string }{
		{"", "", "0123456789", ""}, {"bytes=0-3", "", "0123", "bytes 0-3/10"}, {"bytes=4-", "", "456789", "bytes 4-9/10"}, {"bytes=4-99", "", "456789", "bytes 4-9/10"},
		{"bytes=10-", "", "", "InvalidRange"}, {"bytes=4-", *whole.ETag, "456789", "bytes 4-9/10"}, {"bytes=4-", `"other"`, "", "PreconditionFailed"},
	} {
		if text, mark, err := get("c", test.byteRange, test.match); text != test.text || mark != test.mark {
			t.Errorf("%s %s: %q %s %v, want %q %s", test.byteRange, test.match, text, mark, err, test.text, test.mark)
		}
	}
	sealed := &s3.GetObjectInput{Bucket: aws.String("sealed"), Key: aws.String("x")}
	if _, err := c.s3.GetObject(t.Context(), sealed); err != nil {
		t.Error(err)
	}
	server.Configure(func(b *awssim.Behaviour) {
		b.Authorize = func(action, _ string) bool { return action != "kms:Decrypt" }
	})
	if _, err := c.s3.GetObject(t.Context(), sealed); errorCode(err) != "AccessDenied" || !strings.Contains(err.Error(), "perform: kms:Decrypt on resource: \"arn:aws:kms:us-east-1:123456789012:key/1\"") {
		t.Errorf("without the key: %v", err)
	}
	for fault, want := range map[string]string{"refuse-key": "AccessDenied", "truncate": ""} {
		server.ClearFaults()
		server.SetFault("s3:GetObject " + fault)
		text, code, err := get("c", "", "")
		if want != "" && code != want || want == "" && (err != nil || text != "01234") {
			t.Errorf("%s: %q %s %v", fault, text, code, err)
		}
	}
}

// The log files of a trail hold what its selectors let through, in the layout of AWS.
func TestLogFiles(t *testing.T) {
	a := holding()
	a.Events = nil
	event := func(n int, region, source, name, category string, readOnly bool, arns ...string) {
		r := awssim.Record{EventID: fmt.Sprint(n), EventTime: now.Add(-time.Duration(n) * 10 * time.Hour), AWSRegion: region, EventSource: source + ".amazonaws.com", EventName: name, EventCategory: category, ReadOnly: readOnly}
		for _, arn := range arns {
			r.Resources = append(r.Resources, awssim.ResourceARN{ARN: arn, Type: "AWS::S3::Object"})
		}
		a.Events = append(a.Events, r)
	}
	event(1, "us-east-1", "ec2", "DescribeVpcs", "", true)
	event(2, "us-east-1", "ec2", "RunInstances", "", false)
	event(3, "us-east-1", "kms", "Encrypt", "", false)
	event(4, "us-east-1", "s3", "GetObject", "Data", true, "arn:aws:s3:::data/x")
	event(5, "us-east-1", "s3", "PutObject", "Data", false, "arn:aws:s3:::data/x")
	event(6, "us-east-1", "s3", "PutObject", "Data", false, "arn:aws:s3:::data-2/x")
	event(7, "eu-west-1", "ec2", "RunInstances", "", false)
	s3Data := func(value string) []awssim.DataResource {
		return []awssim.DataResource{{Type: "AWS::S3::Object", Values: []string{value}}}
	}
	advanced := func(fields ...awssim.FieldSelector) []awssim.AdvancedEventSelector {
		return []awssim.AdvancedEventSelector{{FieldSelectors: fields}}
	}
	for _, test := range []struct {
		name  string
		trail awssim.Trail
		want  string
	}{
		{"a new trail", awssim.Trail{}, "1 2 3"},
		{"every region", awssim.Trail{MultiRegion: true}, "1 2 3 7"},
		{"another region", awssim.Trail{HomeRegion: "eu-west-1"}, "7"},
		{"writes", awssim.Trail{Selectors: []awssim.EventSelector{{ReadWriteType: "WriteOnly"}}}, "2 3"},
		{"writes without KMS", awssim.Trail{Selectors: []awssim.EventSelector{{ReadWriteType: "WriteOnly", ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}}, "2"},
		{"objects", awssim.Trail{Selectors: []awssim.EventSelector{{NoManagementEvents: true, DataResources: s3Data("arn:aws:s3")}}}, "4 5 6"},
		{"objects of a bucket", awssim.Trail{Selectors: []awssim.EventSelector{{NoManagementEvents: true, DataResources: s3Data("arn:aws:s3:::data/")}}}, "4 5"},
		{"reads of objects", awssim.Trail{Selectors: []awssim.EventSelector{{ReadWriteType: "ReadOnly", NoManagementEvents: true, DataResources: s3Data("arn:aws:s3")}}}, "4"},
		{"advanced", awssim.Trail{Advanced: advanced(awssim.FieldSelector{Field: "eventCategory", Equals: []string{"Data"}},
			awssim.FieldSelector{Field: "resources.ARN", NotStartsWith: []string{"arn:aws:s3:::data/"}})}, "6"},
		{"advanced, a field that is not known here", awssim.Trail{Advanced: advanced(awssim.FieldSelector{Field: "userIdentity.arn", Equals: []string{"x"}})}, ""},
		{"since yesterday", awssim.Trail{SelectedAt: now.Add(-25 * time.Hour)}, "1 2"},
		{"stopped", awssim.Trail{Stopped: true, StoppedAt: now.Add(-15 * time.Hour)}, "2 3"},
		{"an organization's", awssim.Trail{Organization: true, Owner: "999988887777", KeyPrefix: "org"}, "1 2 3"},
	} {
		test.trail.Name, test.trail.Bucket = "t", "logs"
		a.Trails = []awssim.Trail{test.trail}
		files := a.LogFiles(&a.Trails[0])
		var ids []string
		for key, body := range files {
			folder, name, _ := strings.Cut(key, "AWSLogs/")
			if folder != map[bool]string{true: test.trail.KeyPrefix + "/"}[test.trail.KeyPrefix != ""] || strings.HasPrefix(name, "o-") != test.trail.Organization {
				t.Errorf("%s: key %s", test.name, key)
			}
			if strings.Contains(key, "CloudTrail-Digest") {
				continue
			}
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			var content struct {
				Records []struct{ EventID, AWSRegion string }
			}
			if err := json.NewDecoder(z).Decode(&content); err != nil {
				t.Fatal(err)
			}
			for _, r := range content.Records {
				ids = append(ids, r.EventID)
				if !strings.Contains(key, "/123456789012/CloudTrail/"+r.AWSRegion+"/2026/") {
					t.Errorf("%s: a record of %s in %s", test.name, r.AWSRegion, key)
				}
			}
		}
		slices.Sort(ids)
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s: records %s, want %s", test.name, got, test.want)
		}
		_, c := start(t, a)
		var listed []string
		for pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: aws.String("logs")}); pages.HasMorePages(); {
			out, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range out.Contents {
				listed = append(listed, *o.Key)
			}
		}
		if want := slices.Sorted(maps.Keys(files)); !slices.Equal(listed, want) {
			t.Errorf("%s: listed %q, want %q", test.name, listed, want)
		}
	}
}
