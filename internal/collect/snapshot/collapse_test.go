package snapshot

import "testing"

func TestCollapsed(t *testing.T) {
	object := UseKey{EventName: "GetObject", Resources: "arn:aws:s3:::b\narn:aws:s3:::b/x/y/z/1", Denial: Denial{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/x/y/z/1"},
		Params: Params{BucketName: "b", Key: "x/y/z/1", VersionID: "v1"}}
	at := func(keys string) UseKey {
		return UseKey{EventName: "GetObject", Resources: "arn:aws:s3:::b", Denial: Denial{Action: "s3:GetObject"}, Params: Params{BucketName: "b", Keys: keys, VersionID: "*"}}
	}
	param := func(p Params) UseKey { return UseKey{Params: p} }
	for _, tt := range []struct {
		key   UseKey
		depth int
		want  UseKey
	}{
		{object, 0, at("*")}, {object, 1, at("x/*")}, {object, 2, at("x/y/*")}, {object, 3, at("x/y/z/*")}, {object, 4, at("x/y/z/*")},
		{at("x/y/*"), 1, at("x/*")}, {at("x/y/*"), 5, at("x/y/*")}, {at("*"), 3, at("*")},
		{param(Params{BucketName: "b", Key: "*"}), 1, param(Params{BucketName: "b", Keys: "*"})},
		{param(Params{Key: "no bucket"}), 0, param(Params{Key: "no bucket"})},
		{param(Params{BucketName: "b"}), 0, param(Params{BucketName: "b"})},
		{param(Params{BucketName: "b", Prefix: "p/q"}), 1, param(Params{BucketName: "b", Prefixes: "p/*"})},
		{param(Params{S3ARN: "arn:aws:s3:::b/k/1"}), 0, param(Params{S3ARNs: "arn:aws:s3:::b/*"})},
		{param(Params{S3ARN: "arn:aws:s3:::b/k/1"}), 1, param(Params{S3ARNs: "arn:aws:s3:::b/k/*"})},
		{param(Params{S3ARN: "arn:aws:s3:::b"}), 0, param(Params{S3ARN: "arn:aws:s3:::b"})}, // a bucket key
		{param(Params{CopySource: "/c/k/1?versionId=7"}), 0, param(Params{CopySources: "/c/*?versionId=*"})},
		{param(Params{CopySource: "c/k/1"}), 1, param(Params{CopySources: "c/k/*"})},
		{param(Params{CopySource: "c%2Fk"}), 1, param(Params{CopySources: "*"})},
		{param(Params{LogGroupName: "g", LogStreamName: "job/algo-1"}), 1, param(Params{LogGroupName: "g", LogStreams: "job/*"})},
		{param(Params{TrainingJobName: "job-1"}), 9, param(Params{TrainingJobs: "*"})},
	} {
		got := tt.key.Collapsed(tt.depth)
		if got != tt.want {
			t.Errorf("%+v at %d\n got %+v\nwant %+v", tt.key, tt.depth, got, tt.want)
		}
		for depth := range tt.depth + 1 {
			if a, b := got.Collapsed(depth), tt.key.Collapsed(depth); a != b {
				t.Errorf("%+v at %d, then at %d\n got %+v\nwant %+v", tt.key, tt.depth, depth, a, b)
			}
		}
	}
}
