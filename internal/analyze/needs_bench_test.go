package analyze

import (
	"fmt"
	"testing"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// BenchmarkRequirements reads what 10,000 jobs of one role need, of five families.
func BenchmarkRequirements(b *testing.B) {
	var jobs []*snapshot.Job
	for i := range 10_000 {
		j := completedJob(fmt.Sprintf("train-%05d", i))
		j.Image = fmt.Sprintf("123456789012.dkr.ecr.us-east-1.amazonaws.com/train-%d:1", i%5)
		j.Channels[0].URI = "s3://data/in/" + j.Name + "/"
		j.VPC.Subnets, j.Checkpoint = []string{"subnet-1"}, "s3://data/checkpoints/"+j.Name
		j.S3Values = value("HyperParameters", "sagemaker_submit_directory", "s3://code/"+j.Name+"/source/sourcedir.tar.gz")
		jobs = append(jobs, &j)
	}
	b.ReportAllocs()
	for b.Loop() {
		newAsks(place{partition: "aws", account: account}, new(knowledge), jobs).requirements(jobs, 5)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(jobs)), "ns/job")
}
