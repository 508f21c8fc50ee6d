package collect

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const opCacheRules = snapshot.SourceCacheRules

// privateImage is an image of a private registry. Source: AWS AmazonECR Registries,
// registry_auth; ECR in China ends in com.cn.
var privateImage = regexp.MustCompile(`^(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+/`)

// readCacheRules reads the pull-through cache rules of the account's own registries that
// jobs pull from: what an image asks of the role depends on them. Those of another
// account's registry are not for this one to read.
func (r *run) readCacheRules(ctx context.Context) []snapshot.CacheRules {
	own := make(map[string]bool)
	for i := range r.allJobs {
		if m := privateImage.FindStringSubmatch(r.allJobs[i].Image); m != nil && m[1] == r.account.ID && regionName.MatchString(m[2]) {
			own[m[2]] = true
		}
	}
	var (
		group errgroup.Group
		mu    sync.Mutex
		out   []snapshot.CacheRules
	)
	group.SetLimit(resourcesAtOnce)
	for _, region := range slices.Sorted(maps.Keys(own)) {
		group.Go(func() error {
			rules, err := r.cacheRulesOf(ctx, region)
			if err != nil {
				r.failed(opCacheRules, region, "pull-through cache rules", snapshot.ImpactDetail, err)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			out = append(out, rules)
			return nil
		})
	}
	group.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}
	r.cover(snapshot.Coverage{Source: snapshot.SourceCacheRules, Scope: snapshot.ScopeAll, Items: len(out), Complete: len(out) == len(own)})
	r.tell(Status{Source: snapshot.SourceCacheRules, Items: len(out), Done: true})
	return out
}

func (r *run) cacheRulesOf(ctx context.Context, region string) (snapshot.CacheRules, error) {
	rules := snapshot.CacheRules{Account: r.account.ID, Region: region, Prefixes: []string{}}
	client := r.clients.ecr(region)
	err := pages(func(token *string) (*string, bool, error) {
		out, err := client.DescribePullThroughCacheRules(ctx, &ecr.DescribePullThroughCacheRulesInput{MaxResults: aws.Int32(1000), NextToken: token})
		if err != nil {
			return nil, false, err
		}
		if out.PullThroughCacheRules == nil {
			return nil, false, broken("an answer without a list of rules")
		}
		for _, rule := range out.PullThroughCacheRules {
			prefix := aws.ToString(rule.EcrRepositoryPrefix)
			if prefix == "" {
				return nil, false, broken("a rule without a prefix")
			}
			rules.Prefixes = append(rules.Prefixes, prefix)
		}
		return out.NextToken, false, nil
	})
	return rules, err
}
