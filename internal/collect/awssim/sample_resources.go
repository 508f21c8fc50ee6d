package awssim

import "strings"

// marketData is the account of the data vendor.
const marketData = "444444444444"

// sampleBuckets are the buckets that the jobs and the calls of the roles name, and some that no job is to touch. Few of
// them have a policy.
func sampleBuckets() []Bucket {
	buckets := []Bucket{
		{Name: "retail-ml-churn", Policy: document("bucket-retail-ml-churn")},
		{Name: "retail-ml-market-data", Owner: marketData},
		{Name: "retail-ml-pricing", Policy: document("bucket-retail-ml-pricing")},
		{Name: "retail-shared-features", Policy: document("bucket-retail-shared-features")},
	}
	for _, name := range []string{"retail-analytics", "retail-athena-results", "retail-basket-receipts", "retail-cloudtrail", "retail-lake",
		"retail-ml-ads", "retail-ml-customer360", "retail-ml-forecast", "retail-ml-fraud", "retail-ml-geo", "retail-ml-lookalike", "retail-ml-platform",
		"retail-ml-recsys", "retail-ml-returns", "retail-ml-reviews", "retail-ml-search-ranking", "retail-ml-segmentation", "retail-ml-vision",
		"retail-returns-archive", "retail-payments-export", "retail-payroll", "retail-web-assets", "retail-web-logs", "sagemaker-us-east-1-" + sampleID} {
		buckets = append(buckets, Bucket{Name: name})
	}
	for i := range buckets {
		if buckets[i].Name == "retail-ml-customer360" {
			buckets[i].DefaultKey = customerKey
		}
		if buckets[i].Name == "retail-ml-search-ranking" {
			buckets[i].Objects = map[string]string{"lambdamart/manifests/judgements-v8.manifest": `[{"prefix": "s3://retail-lake/search/judgements/v8/"}, "clicks.csv", "editors.csv", "queries/part-0000.csv", "queries/part-0001.csv"]`}
		}
	}
	for _, name := range []string{"retail-ml-geo-eu", "retail-ml-labeling", "retail-ml-speech-eu", "retail-ml-support-eu", "retail-ml-vision-eu"} {
		buckets = append(buckets, Bucket{Name: name, Region: "eu-west-1"})
	}
	return buckets
}

// sampleRepositories are those that the jobs pull from, and some of the shop's own.
func sampleRepositories() []Repository {
	var all []Repository
	for _, name := range []string{"ads-ctr", "analytics/elasticity", "churn-train", "customer360-train", "forecast-train", "fraud-train", "geo-train", "platform-train",
		"pricing-train", "recsys-train", "returns-train", "reviews-train", "search-ranking-train", "segmentation-train", "speech-train-v2", "web-shop", "order-events"} {
		all = append(all, Repository{Name: name})
	}
	for _, name := range []string{"geo-train", "labeling-train", "speech-train", "vision-train"} {
		all = append(all, Repository{Name: name, Region: "eu-west-1"})
	}
	return all
}

// sampleKeys are the KMS keys of the jobs. All but one leave it to IAM who may use them.
func sampleKeys() []Key {
	key := func(arn, region, policy string, aliases ...string) Key {
		return Key{ID: arn[strings.LastIndexByte(arn, '/')+1:], Region: region, Policy: policy, Aliases: aliases}
	}
	return []Key{
		key(customerKey, "us-east-1", document("key-customer360"), "alias/retail-ml-customer360"),
		key(rankingKey, "us-east-1", "", "alias/retail-ml-search-ranking"),
		key(returnsKey, "us-east-1", ""),
		key(visionKey, "eu-west-1", "", "alias/retail-ml-vision"),
	}
}
