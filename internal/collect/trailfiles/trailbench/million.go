package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"
)

// million is a bucket of log files that are made when they are opened: each call is on
// an object of its own, by one of the roles in turn.
type million struct {
	roles, files, perFile int
}

func (m million) Name() string { return "made://" }

func (m million) List(_ context.Context, prefix string) iter.Seq2[trailfiles.Object, error] {
	return func(yield func(trailfiles.Object, error) bool) {
		for i := range m.files {
			at := time.Date(2026, 10, 1, 0, i, 0, 0, time.UTC).Format("20060102T1504Z")
			if prefix == "" && !yield(trailfiles.Object{Key: fmt.Sprintf("%s_CloudTrail_us-east-1_%s_%d.json", trailgen.Account, at, i), Size: 1}, nil) {
				return
			}
		}
	}
}

func (m million) Open(_ context.Context, key string) (io.ReadCloser, error) {
	number, err := strconv.Atoi(strings.TrimSuffix(key[strings.LastIndexByte(key, '_')+1:], ".json"))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString(`{"Records":[`)
	for i := range m.perFile {
		if i > 0 {
			b.WriteByte(',')
		}
		n := number*m.perFile + i
		who := n % m.roles
		object := fmt.Sprintf("team-%02d/dataset-%04d/dt=2026-%02d-%02d/part-%08d.parquet", n%20, n%1000, 1+n%12, 1+n%28, n)
		fmt.Fprintf(&b, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROA%010d:SageMaker","arn":"arn:aws:sts::123456789012:assumed-role/trainer/SageMaker","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA%010[1]d","arn":"%[2]s"}}},`+
			`"eventTime":"2026-10-01T10:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"us-east-1","userAgent":"aws-sdk/1","requestParameters":{"bucketName":"data-lake","key":"%[3]s"},"responseElements":null,"eventID":"%08[4]x-0000-4000-8000-000000000000","readOnly":true,`+
			`"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::data-lake/%[3]s"},{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::data-lake"}],"eventType":"AwsApiCall","managementEvent":false,"eventCategory":"Data"}`,
			who, trailgen.RoleARN(who), object, n)
	}
	b.WriteString("]}")
	return io.NopCloser(&b), nil
}

// readMillion reads calls on objects of their own, with ten thousand roles in scope, of
// which so many make the calls.
func readMillion(callers, calls int) error {
	const inScope = 10_000
	roles := make(map[string]bool, inScope)
	for i := range inScope {
		roles[trailgen.RoleARN(i)] = true
	}
	ctx := context.Background()
	listing, err := trailfiles.Find(ctx, million{callers, calls / 5000, 5000}, "", trailfiles.Filter{Source: "made"})
	if err != nil {
		return err
	}
	result, err := trailfiles.Read(ctx, []*trailfiles.Listing{listing}, trailfiles.Options{
		Roles: roles,
		Keep:  func(k *snapshot.UseKey, _ time.Time) bool { return roles[k.Role.ARN] },
	})
	if err != nil {
		return err
	}
	counted, groups := 0, 0
	for u := range result.Usage() {
		counted += u.Count
		groups++
	}
	if counted != calls || result.Dropped > 0 {
		return fmt.Errorf("%d calls, %d left out, gaps %v", counted, result.Dropped, result.Gaps)
	}
	fmt.Printf("%d groups, %d kinds of calls collapsed, %d ids forgotten\n", groups, len(result.Collapsed), result.Forgotten)
	return nil
}
