package awssim

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Repository is an ECR repository of the account.
type Repository struct {
	Name   string
	Region string // empty means us-east-1
}

func (r *Repository) region() string { return cmp.Or(r.Region, "us-east-1") }

// RepositoryARN gives the ARN of a repository of this account.
func (a *Account) RepositoryARN(r *Repository) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", a.partition(), r.region(), a.ID, r.Name)
}

// listBuckets answers the account's own buckets, by name; pages only where the request says how many (AWS: API_ListBuckets).
func listBuckets(c *call) (any, error) {
	type bucket struct {
		Name         string
		CreationDate string
		BucketRegion string `xml:",omitempty"`
	}
	type result struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   struct{ ID string }
		Buckets *struct {
			Bucket []bucket
		}
		ContinuationToken string `xml:",omitempty"`
	}
	const largest = 10_000
	size, paged := largest, c.query.Has("max-buckets")
	if paged {
		n, err := strconv.Atoi(c.query.Get("max-buckets"))
		if err != nil || n < 1 || n > largest {
			return nil, &apiError{code: "InvalidArgument", message: "Argument max-buckets must be an integer between 1 and 10000"}
		}
		size = n
	}
	var all []bucket
	for i := range c.account.Buckets {
		b := &c.account.Buckets[i]
		if b.Owner == "" || b.Owner == c.account.ID {
			all = append(all, bucket{Name: b.Name, CreationDate: iso(c.account.Now.Add(-400 * 24 * time.Hour))})
			if paged {
				all[len(all)-1].BucketRegion = b.region()
			}
		}
	}
	slices.SortFunc(all, func(a, b bucket) int { return strings.Compare(a.Name, b.Name) })
	var out result
	out.Owner.ID = strings.Repeat("0", 64)
	if !c.faultIsEmpty() {
		p, err := c.page(len(all), size, c.query.Get("continuation-token"))
		if err != nil {
			return nil, err
		}
		out.Buckets = &struct{ Bucket []bucket }{all[p.from:p.to]}
		out.ContinuationToken = p.next
	}
	text, err := xml.Marshal(out)
	if err != nil {
		panic(err) // our own plain structs always encode
	}
	return xml.Header + string(text), nil
}

type repositoriesInput struct {
	MaxResults      int      `json:"maxResults"`
	NextToken       string   `json:"nextToken"`
	RegistryID      string   `json:"registryId"`
	RepositoryNames []string `json:"repositoryNames"`
}

type repository struct {
	RegistryID     string `json:"registryId"`
	RepositoryARN  string `json:"repositoryArn"`
	RepositoryName string `json:"repositoryName"`
}

type repositoriesOutput struct {
	NextToken    string       `json:"nextToken,omitempty"`
	Repositories []repository `json:"repositories"`
}

// repositoriesResource: a list of all repositories is asked on repository/* (AWS: list_amazonelasticcontainerregistry).
func repositoriesResource(c *call) string {
	return fmt.Sprintf("arn:%s:ecr:%s:%s:repository/*", c.account.partition(), c.region, c.account.ID)
}

// describeRepositories answers the repositories of the account's own registry (AWS: API_DescribeRepositories).
func describeRepositories(c *call) (any, error) {
	var in repositoriesInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const largest = 1000
	switch {
	case in.MaxResults < 0 || in.MaxResults > largest || len(in.RepositoryNames) > 0 && in.MaxResults > 0:
		return nil, &apiError{code: "InvalidParameterException", message: "Invalid parameter at 'maxResults' failed to satisfy constraint"}
	case in.RegistryID != "" && in.RegistryID != c.account.ID:
		return nil, json11.deny(c.account.caller().ARN, c.operation.action(), repositoriesResource(c))
	case c.faultIsEmpty():
		return struct{}{}, nil
	}
	var all []repository
	for i := range c.account.Repositories {
		r := &c.account.Repositories[i]
		if r.region() == c.region && (len(in.RepositoryNames) == 0 || slices.Contains(in.RepositoryNames, r.Name)) {
			all = append(all, repository{c.account.ID, c.account.RepositoryARN(r), r.Name})
		}
	}
	p, err := c.page(len(all), cmp.Or(in.MaxResults, 100), in.NextToken, in.RepositoryNames)
	if err != nil {
		return nil, err
	}
	out := repositoriesOutput{NextToken: p.next, Repositories: append([]repository{}, all[p.from:p.to]...)}
	disorder(c, out.Repositories)
	return out, nil
}

type keysInput struct {
	Limit  int
	Marker string
}

type keyEntry struct{ KeyArn, KeyId string }

type keysOutput struct {
	Keys       []keyEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// listKeys answers the account's own keys of the region (AWS: API_ListKeys).
func listKeys(c *call) (any, error) {
	var in keysInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const largest = 1000
	switch {
	case in.Limit < 0 || in.Limit > largest:
		return nil, &apiError{code: "ValidationException", message: "1 validation error detected: Value at 'limit' failed to satisfy constraint"}
	case c.faultIsEmpty():
		return struct{}{}, nil
	}
	var all []keyEntry
	for i := range c.account.Keys {
		k := &c.account.Keys[i]
		if k.region() == c.region && (k.Owner == "" || k.Owner == c.account.ID) {
			all = append(all, keyEntry{c.account.KeyARN(k), k.ID})
		}
	}
	p, err := c.page(len(all), cmp.Or(in.Limit, 100), in.Marker)
	if err != nil {
		return nil, err
	}
	out := keysOutput{Keys: append([]keyEntry{}, all[p.from:p.to]...), NextMarker: p.next, Truncated: p.next != ""}
	disorder(c, out.Keys)
	return out, nil
}
