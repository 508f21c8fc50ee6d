package analyze

import (
	"testing"

	"sagemaker-role-audit/internal/collect/snapshot"
)

func TestWorkloads(t *testing.T) {
	for _, tt := range []struct{ group, stream, kind, resource string }{
		{"/aws/sagemaker/TrainingJobs", "job-1/algo-1-1700000000", "training", ""},
		{"/aws/sagemaker/NotebookInstances", "basket/jupyter.log", "notebook", "notebook-instance/basket"},
		{"/aws/sagemaker/ProcessingJobs", "prep-1/algo-1-1700000000", "processing", "processing-job/prep-1"},
		{"/aws/sagemaker/TransformJobs", "t-1/i-0-1", "transform", "transform-job/t-1"},
		{"/aws/sagemaker/Endpoints/churn", "AllTraffic/i-0", "endpoint", "endpoint/churn"},
		{"/aws/sagemaker/studio", "d-1/alice/JupyterLab/default", "studio", "domain/d-1"},
		{"/aws/sagemaker/ProcessingJobs", "", "processing", ""},
		{"/aws/sagemaker/NotebookInstancesOfMine", "x/y", "", ""},
		{"/aws/lambda/f", "x", "", ""},
	} {
		u := use("logs.amazonaws.com", "CreateLogStream", "")
		u.Params.LogGroupName, u.Params.LogStreamName = tt.group, tt.stream
		if kind, resource := workloadOf(&u); kind != tt.kind || resource != tt.resource {
			t.Errorf("%s %s is %q %q, want %q %q", tt.group, tt.stream, kind, resource, tt.kind, tt.resource)
		}
	}
	s := world(allow("logs:*", "*"))
	u := use("logs.amazonaws.com", "CreateLogStream", "")
	u.Params.LogGroupName, u.Params.LogStreamName = "/aws/sagemaker/NotebookInstances", "basket/jupyter.log"
	s.Usage = []snapshot.Usage{u}
	role := analyzed(t, s).Role(roleARN)
	if len(role.Workloads) != 1 || role.Workloads[0].ARN != "arn:aws:sagemaker:us-east-1:123456789012:notebook-instance/basket" {
		t.Errorf("workloads %+v", role.Workloads)
	}
	if by := role.Used[0].By; len(by) != 1 || by[0] != "notebook" {
		t.Errorf("used by %v, want the notebook", by)
	}
}

// TestInvoker: who used the session, as far as the facts tell.
func TestInvoker(t *testing.T) {
	hours := newTrainingHours([]*snapshot.Job{{CreatedAt: now.AddDate(0, 0, -3).Add(-1), EndedAt: now.AddDate(0, 0, -3)}})
	alone, shared := invokers{hours: hours}, invokers{hours: hours, shared: true}
	for _, tt := range []struct {
		name   string
		role   invokers
		change func(*snapshot.Usage)
		want   string
	}{
		{"a SageMaker session while a job ran", alone, func(u *snapshot.Usage) {}, "training"},
		{"the same, of a role that a notebook has too", shared, func(u *snapshot.Usage) {}, "unknown"},
		{"the same, by SageMaker itself", shared, func(u *snapshot.Usage) { u.Who.InvokedBy = sageMaker }, "training"},
		{"the same, a pull by ECR itself", shared, func(u *snapshot.Usage) { u.Who.InvokedBy = "ecr.amazonaws.com" }, "training"},
		{"a SageMaker session, by Athena on its account", alone, func(u *snapshot.Usage) { u.Who.InvokedBy = "athena.amazonaws.com" }, "service"},
		{"a SageMaker session, by S3 for an encrypted object", alone, func(u *snapshot.Usage) { u.Who.InvokedBy = "AWS Internal" }, "training"},
		{"a training job on behalf of a person", alone, func(u *snapshot.Usage) { u.Who.OnBehalfOf = "id" }, "training"},
		{"a SageMaker session in the minutes after", alone, func(u *snapshot.Usage) { u.First = u.First.Add(afterglow / 2); u.Last = u.First }, "training"},
		{"a SageMaker session while none ran", alone, func(u *snapshot.Usage) { u.First = u.First.AddDate(0, 0, 1); u.Last = u.First }, "unknown"},
		{"a source identity", alone, func(u *snapshot.Usage) { u.Who = snapshot.Who{Session: "x", SourceIdentity: "dana"} }, "human"},
		{"identity propagation", alone, func(u *snapshot.Usage) { u.Who = snapshot.Who{Session: "x", OnBehalfOf: "id"} }, "human"},
		{"a session named like a person", alone, func(u *snapshot.Usage) { u.Who = snapshot.Who{Session: "dana@example.com"} }, "human"},
		{"a service with a session of its own", alone, func(u *snapshot.Usage) { u.Who = snapshot.Who{Session: "x", InvokedBy: "glue.amazonaws.com"} }, "service"},
		{"nothing to go by", alone, func(u *snapshot.Usage) { u.Who = snapshot.Who{Session: "x"} }, "unknown"},
	} {
		u := use("ecr.amazonaws.com", "DescribeRepositories", "")
		tt.change(&u)
		if got := tt.role.of(&u); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
