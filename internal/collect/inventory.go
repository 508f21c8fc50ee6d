package collect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opBuckets      = snapshot.SourceBucketList
	opRepositories = snapshot.SourceRepositories
	opKeys         = snapshot.SourceKeyList
)

// mostListed bounds each list, which is S3's own default bound of an account's buckets
// (AWS: BucketRestrictions) and beyond what a region of an account has of the others.
const mostListed = 10_000

// listing is one list of the account's own resources.
type listing struct {
	kind, source, region string
	list                 func(ctx context.Context, l *snapshot.Inventory) error
}

// readInventory lists the account's buckets and, of the regions that are read, its
// repositories and keys: what a role may reach is counted among these. A list that
// cannot be had makes the counts a lower bound, and is a detail.
func (r *run) readInventory(ctx context.Context) []snapshot.Inventory {
	todo := []listing{{snapshot.KindBucket, opBuckets, "", r.listBuckets}}
	for _, region := range r.read {
		todo = append(todo, listing{snapshot.KindRepository, opRepositories, region, r.listRepositories},
			listing{snapshot.KindKey, opKeys, region, r.listKeys})
	}
	var (
		group errgroup.Group
		mu    sync.Mutex
		out   []snapshot.Inventory
	)
	group.SetLimit(resourcesAtOnce)
	for _, t := range todo {
		group.Go(func() error {
			l := snapshot.Inventory{Kind: t.kind, Region: t.region, ARNs: []string{}}
			err := t.list(ctx, &l)
			if err != nil {
				r.failed(t.source, t.region, "the account's "+snapshot.Plural(t.kind), snapshot.ImpactDetail, err)
			}
			if l.Cut && err == nil {
				r.missing(snapshot.Gap{Source: t.source, Region: t.region, Scope: "the account's " + snapshot.Plural(t.kind), Impact: snapshot.ImpactDetail,
					Reason: snapshot.ReasonShort, Detail: fmt.Sprintf("%d are listed at most", mostListed)})
			}
			r.cover(snapshot.Coverage{Source: t.source, Region: t.region, Scope: snapshot.ScopeAll, Items: len(l.ARNs), Complete: err == nil && !l.Cut})
			if err != nil {
				return nil // what came before the failure is no list
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, l)
			return nil
		})
	}
	group.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	items := map[string]int{}
	for _, l := range out {
		items[l.Kind] += len(l.ARNs)
	}
	for kind, source := range map[string]string{snapshot.KindBucket: opBuckets, snapshot.KindRepository: opRepositories, snapshot.KindKey: opKeys} {
		r.tell(Status{Source: source, Items: items[kind], Done: true})
	}
	return out
}

// full adds an ARN, unless the list is as long as it may be.
func full(l *snapshot.Inventory, arn string) bool {
	if len(l.ARNs) == mostListed {
		l.Cut = true
		return true
	}
	l.ARNs = append(l.ARNs, arn)
	return false
}

// listBuckets lists the account's general purpose buckets (AWS: API_ListBuckets, which
// pages only where it is told how many to give).
func (r *run) listBuckets(ctx context.Context, l *snapshot.Inventory) error {
	client := r.clients.s3(r.home)
	return pages(func(token *string) (*string, bool, error) {
		out, err := client.ListBuckets(ctx, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1000), ContinuationToken: token})
		if err != nil {
			return nil, false, err
		}
		if out.Buckets == nil {
			return nil, false, broken("an answer without a list of buckets")
		}
		for _, b := range out.Buckets {
			name := aws.ToString(b.Name)
			if name == "" {
				return nil, false, broken("a bucket without a name")
			}
			if full(l, "arn:"+partitionOf(r.home)+":s3:::"+name) {
				return nil, true, nil
			}
		}
		return out.ContinuationToken, false, nil
	})
}

// listRepositories lists the repositories of the account's registry in a region (AWS:
// API_DescribeRepositories).
func (r *run) listRepositories(ctx context.Context, l *snapshot.Inventory) error {
	client := r.clients.ecr(l.Region)
	return pages(func(token *string) (*string, bool, error) {
		out, err := client.DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, false, err
		}
		if out.Repositories == nil {
			return nil, false, broken("an answer without a list of repositories")
		}
		for _, x := range out.Repositories {
			arn := aws.ToString(x.RepositoryArn)
			if !strings.HasPrefix(arn, "arn:") {
				return nil, false, broken("a repository without an ARN")
			}
			if full(l, arn) {
				return nil, true, nil
			}
		}
		return out.NextToken, false, nil
	})
}

// listKeys lists the account's KMS keys in a region, those that AWS manages for it among
// them (AWS: API_ListKeys).
func (r *run) listKeys(ctx context.Context, l *snapshot.Inventory) error {
	client := r.clients.kms(l.Region)
	return pages(func(marker *string) (*string, bool, error) {
		out, err := client.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(1000), Marker: marker})
		if err != nil {
			return nil, false, err
		}
		if out.Keys == nil {
			return nil, false, broken("an answer without a list of keys")
		}
		for _, k := range out.Keys {
			arn := aws.ToString(k.KeyArn)
			if !strings.HasPrefix(arn, "arn:") {
				return nil, false, broken("a key without an ARN")
			}
			if full(l, arn) {
				return nil, true, nil
			}
		}
		return following(out.Truncated, out.NextMarker)
	})
}
