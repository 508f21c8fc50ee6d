package analyze

import (
	"cmp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// logGroups tells a kind of workload by the log group that it writes to, and
// its ARN by the first part of its log streams' names. Training jobs are known
// from SageMaker itself.
// Source: AWS logging-cloudwatch (SageMaker log groups and streams); resource
// types: AWS service authorization reference, SageMaker.
var logGroups = []struct{ group, kind, resource string }{
	{"/aws/sagemaker/TrainingJobs", "training", ""},
	{"/aws/sagemaker/ProcessingJobs", "processing", "processing-job/"},
	{"/aws/sagemaker/TransformJobs", "transform", "transform-job/"},
	{"/aws/sagemaker/NotebookInstances", "notebook", "notebook-instance/"},
	{"/aws/sagemaker/Endpoints/", "endpoint", "endpoint/"},
	{"/aws/sagemaker/studio", "studio", "domain/"},
}

// workloadOf reads the kind and name of a workload off a call of CloudWatch
// Logs. The name is empty where the call does not tell it.
func workloadOf(u *snapshot.Usage) (kind, resource string) {
	if u.EventSource != "logs.amazonaws.com" {
		return "", ""
	}
	for _, g := range logGroups {
		rest, ok := strings.CutPrefix(u.Params.LogGroupName, g.group)
		if !ok {
			continue
		}
		name := rest
		if !strings.HasSuffix(g.group, "/") {
			if rest != "" {
				continue
			}
			name, _, _ = strings.Cut(u.Params.LogStreamName, "/")
		}
		if name == "" || g.resource == "" {
			return g.kind, ""
		}
		return g.kind, g.resource + name
	}
	return "", ""
}

// workloads are the other users of the role that its log streams show, at most
// MaxResources. Those that write no logs are not among them.
func workloads(s *snapshot.Snapshot, sub *subject) []report.Workload {
	seen := map[report.Workload]struct{}{}
	for _, u := range sub.usage {
		if kind, resource := workloadOf(u); resource != "" {
			seen[report.Workload{Kind: kind, Region: u.Region,
				ARN: "arn:" + s.Account.Partition + ":sagemaker:" + u.Region + ":" + s.Account.ID + ":" + resource}] = struct{}{}
		}
	}
	out := make([]report.Workload, 0, len(seen))
	for w := range seen {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b report.Workload) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ARN, b.ARN))
	})
	out, _ = capped(out, report.MaxResources)
	return out
}
