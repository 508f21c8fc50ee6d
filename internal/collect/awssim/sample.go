package awssim

import (
	"embed"
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

// SampleSecret occurs in hyperparameters and environment values of the sample account. It must never be in
// anything that a tool writes about it.
const SampleSecret = "SECRET-MUST-NOT-LEAK"

const sampleID = "123456789012"

var sampleNow = time.Date(2026, time.October, 31, 12, 0, 0, 0, time.UTC)

//go:embed sample/policies/*.json
var samplePolicies embed.FS

// Sample makes the sample account of `audit demo`: the same one each time, at its own date. What it shows stands in
// sample/README.md.
func Sample() *Account {
	s := &sample{
		account: &Account{
			ID:           sampleID,
			Partition:    "aws",
			Now:          sampleNow,
			Caller:       Caller{ARN: "arn:aws:sts::" + sampleID + ":assumed-role/SecurityAudit/auditor", UserID: "AROAEXAMPLEAUDITOR0001:auditor"},
			Regions:      sampleRegions(),
			Policies:     sampleManagedPolicies(),
			Trails:       sampleTrails(),
			Buckets:      sampleBuckets(),
			Keys:         sampleKeys(),
			Repositories: sampleRepositories(),
		},
		roles: make(map[string]*Role),
	}
	s.addRoles()
	for _, f := range jobFamilies() {
		s.addJobs(f)
	}
	s.addPeople()
	s.addIdentityChanges()
	s.addRefusedSubmissions()
	s.addNoise()
	s.addCases()
	s.addDuplicates()
	s.setLastUsed()
	return s.account
}

// sample is the account in the making.
type sample struct {
	account *Account
	roles   map[string]*Role // by name; the deleted ones too, a former one of a present name as name (former)
	events  int              // made so far: numbers their ids
}

func sampleRegions() []Region {
	regions := []Region{{Name: "us-east-1"}, {Name: "eu-west-1"}, {Name: "us-west-2"}}
	for _, name := range []string{"af-south-1", "ap-east-1", "ap-southeast-4", "eu-central-2", "eu-south-1", "il-central-1", "me-central-1"} {
		regions = append(regions, Region{Name: name, OptStatus: "DISABLED"})
	}
	return regions
}

// ago is a time before the account's now.
func ago(days int, more ...time.Duration) time.Time {
	t := sampleNow.AddDate(0, 0, -days)
	for _, d := range more {
		t = t.Add(-d)
	}
	return t
}

// spread gives a number below n that depends on the words only: chance that is the same on every machine.
func spread(n int, words ...any) int {
	h := fnv.New32a()
	fmt.Fprint(h, words...)
	return int(h.Sum32() % uint32(n))
}

// document reads a policy of the sample.
func document(name string) string {
	text, err := samplePolicies.ReadFile("sample/policies/" + name + ".json")
	if err != nil {
		panic(err) // the files are embedded: a wrong name shows in every test
	}
	return strings.TrimSpace(string(text))
}

func bucketARN(bucket string) string { return "arn:aws:s3:::" + bucket }

// objectARN turns an s3:// URI into the ARN of what it names.
func objectARN(uri string) string { return bucketARN(strings.TrimPrefix(uri, "s3://")) }

func repositoryARN(region, name string) string {
	return fmt.Sprintf("arn:aws:ecr:%s:%s:repository/%s", region, sampleID, name)
}

func ownImage(region, name string) string {
	return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", sampleID, region, name)
}

// deepLearningImage is an image of AWS's own registry (AWS: deep learning containers, available images).
func deepLearningImage(region string) string {
	return "763104351884.dkr.ecr." + region + ".amazonaws.com/pytorch-training:2.8.0-gpu-py312-cu129-ubuntu22.04-sagemaker"
}
