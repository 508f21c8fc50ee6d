package awssim

import (
	"cmp"
	"slices"
)

type cacheRulesInput struct {
	EcrRepositoryPrefixes []string `json:"ecrRepositoryPrefixes"`
	MaxResults            int      `json:"maxResults"`
	NextToken             string   `json:"nextToken"`
	RegistryID            string   `json:"registryId"`
}

type cacheRule struct {
	EcrRepositoryPrefix string `json:"ecrRepositoryPrefix"`
	RegistryID          string `json:"registryId"`
	UpstreamRegistryURL string `json:"upstreamRegistryUrl"`
}

type cacheRulesOutput struct {
	NextToken             string      `json:"nextToken,omitempty"`
	PullThroughCacheRules []cacheRule `json:"pullThroughCacheRules"`
}

// describePullThroughCacheRules answers the rules of the account's own registry (AWS: API_DescribePullThroughCacheRules).
func describePullThroughCacheRules(c *call) (any, error) {
	var in cacheRulesInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const largest = 1000
	switch {
	case in.MaxResults < 0 || in.MaxResults > largest || len(in.EcrRepositoryPrefixes) > 0 && in.MaxResults > 0:
		return nil, &apiError{code: "InvalidParameterException", message: "Invalid parameter at 'maxResults' failed to satisfy constraint"}
	case in.RegistryID != "" && in.RegistryID != c.account.ID:
		return nil, json11.deny(c.account.caller().ARN, c.operation.action(), "*")
	case c.faultIsEmpty():
		return struct{}{}, nil
	}
	var all []cacheRule
	for _, prefix := range c.account.CacheRules[c.region] {
		if len(in.EcrRepositoryPrefixes) == 0 || slices.Contains(in.EcrRepositoryPrefixes, prefix) {
			all = append(all, cacheRule{prefix, c.account.ID, "registry-1.docker.io"})
		}
	}
	p, err := c.page(len(all), cmp.Or(in.MaxResults, 100), in.NextToken, in.EcrRepositoryPrefixes)
	if err != nil {
		return nil, err
	}
	out := cacheRulesOutput{NextToken: p.next, PullThroughCacheRules: append([]cacheRule{}, all[p.from:p.to]...)}
	disorder(c, out.PullThroughCacheRules)
	return out, nil
}
