package analyze

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// JobRequest is a CreateTrainingJob request, as far as it says what its role needs.
type JobRequest struct {
	job snapshot.Job
	// region and where it was found; empty for a request that does not tell.
	region, regionFrom string
	notes              []string
}

// RoleARN is the request's RoleArn, empty for none.
func (r *JobRequest) RoleARN() string { return r.job.RoleARN }

// RequestError says what in a request is not as the API takes it: a field with its line,
// or the line alone where the text is no JSON.
type RequestError struct {
	Line    int
	Field   string
	Problem string
}

func (e *RequestError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Field, e.Problem)
}

// The members of a request and of DescribeTrainingJob's answer, and of the objects that
// are read. Source: SageMaker API CreateTrainingJob, DescribeTrainingJob.
var (
	requestFields = []string{"TrainingJobName", "HyperParameters", "AlgorithmSpecification", "RoleArn", "InputDataConfig", "OutputDataConfig",
		"ResourceConfig", "VpcConfig", "StoppingCondition", "Tags", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption",
		"EnableManagedSpotTraining", "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "TensorBoardOutputConfig", "ExperimentConfig",
		"ProfilerConfig", "ProfilerRuleConfigurations", "Environment", "RetryStrategy", "RemoteDebugConfig", "InfraCheckConfig",
		"SessionChainingConfig", "ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig"}
	describedFields = []string{"TrainingJobArn", "TuningJobArn", "LabelingJobArn", "AutoMLJobArn", "ModelArtifacts", "TrainingJobStatus", "SecondaryStatus",
		"FailureReason", "CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime", "SecondaryStatusTransitions", "FinalMetricDataList",
		"TrainingTimeInSeconds", "BillableTimeInSeconds", "BillableTokenCount", "DebugRuleEvaluationStatuses", "ProfilerRuleEvaluationStatuses",
		"ProfilingStatus", "OutputModelPackageArn", "ProgressInfo", "WarmPoolStatus", "MlflowDetails", "ResponseMetadata"}
	ruleFields = []string{"RuleConfigurationName", "RuleEvaluatorImage", "InstanceType", "LocalPath", "RuleParameters", "S3OutputPath", "VolumeSizeInGB"}
	dataTypes  = []string{"S3Prefix", "ManifestFile", "AugmentedManifestFile", "Converse"}
)

// ParseJobRequest reads a CreateTrainingJob request: in the API's spelling, as the AWS
// CLI and SDKs take it, DescribeTrainingJob's answer, or as CloudTrail writes it, with
// small first letters (its whole record, too). It errs with a *RequestError. What it
// does not know it leaves out and notes. No value of a hyperparameter or environment
// variable is kept but S3 URIs, and the ARN of a CodeArtifact repository.
func ParseJobRequest(text []byte) (*JobRequest, error) {
	r := &requestReader{text: bytes.TrimPrefix(text, []byte("\ufeff"))}
	root, err := r.tree()
	if err != nil {
		return nil, err
	}
	out := &JobRequest{}
	if parameters := root.members["requestParameters"]; parameters != nil {
		if region := root.members["awsRegion"]; region != nil && region.kind == kindString {
			out.region, out.regionFrom = region.text, "the record's awsRegion"
		}
		root = parameters
		out.notes = append(out.notes, "the file is a CloudTrail record: its requestParameters are read")
	}
	if root.kind != kindObject {
		return nil, &RequestError{Line: r.line(root.offset), Problem: "want a CreateTrainingJob request, which is an object, found " + string(root.kind)}
	}
	f := r.object(root, "", slices.Concat(requestFields, describedFields)...)
	if len(f.members) == 0 {
		return nil, &RequestError{Line: r.line(root.offset), Problem: "no field of a CreateTrainingJob request, such as TrainingJobName or AlgorithmSpecification"}
	}
	r.job(&out.job, f, out)
	if r.err != nil {
		return nil, r.err
	}
	for _, field := range []struct {
		name  string
		there bool
	}{{"TrainingJobName", out.job.Name != ""}, {"AlgorithmSpecification", f.has("AlgorithmSpecification") || f.has("ServerlessJobConfig")},
		{"OutputDataConfig", f.has("OutputDataConfig")}} {
		if !field.there {
			out.notes = append(out.notes, "the request has no "+field.name+", which CreateTrainingJob asks for: what it needs of the role is not told here")
		}
	}
	out.notes = append(out.notes, r.ignored...)
	return out, nil
}

// job fills a job from the request's fields.
func (r *requestReader) job(k *snapshot.Job, f *fields, out *JobRequest) {
	k.Name, k.RoleARN, k.ARN = f.str("TrainingJobName"), f.str("RoleArn"), f.str("TrainingJobArn")
	if parts := strings.SplitN(k.ARN, ":", 6); len(parts) == 6 && parts[2] == "sagemaker" && out.region == "" {
		out.region, out.regionFrom = parts[3], "TrainingJobArn"
	}
	k.NetworkIsolation, k.Spot = f.boolean("EnableNetworkIsolation"), f.boolean("EnableManagedSpotTraining")
	if a := f.object("AlgorithmSpecification", "TrainingImage", "AlgorithmName", "TrainingInputMode", "MetricDefinitions", "EnableSageMakerMetricsTimeSeries",
		"ContainerEntrypoint", "ContainerArguments", "TrainingImageConfig"); a != nil {
		k.Image, k.Algorithm, k.InputMode = a.str("TrainingImage"), a.str("AlgorithmName"), a.str("TrainingInputMode")
		if c := a.object("TrainingImageConfig", "TrainingRepositoryAccessMode", "TrainingRepositoryAuthConfig"); c != nil {
			k.RepositoryAccess = c.str("TrainingRepositoryAccessMode")
			if auth := c.object("TrainingRepositoryAuthConfig", "TrainingRepositoryCredentialsProviderArn"); auth != nil {
				k.CredentialsProviderARN = auth.str("TrainingRepositoryCredentialsProviderArn")
			}
		}
	}
	for i, n := range f.list("InputDataConfig") {
		if c := r.object(n, fmt.Sprintf("InputDataConfig[%d]", i), "ChannelName", "DataSource", "ContentType", "CompressionType", "RecordWrapperType", "InputMode", "ShuffleConfig"); c != nil {
			k.Channels = append(k.Channels, r.channel(c, i))
		}
	}
	if c := f.object("OutputDataConfig", "S3OutputPath", "KmsKeyId", "CompressionType"); c != nil {
		k.Output = snapshot.S3Output{URI: c.str("S3OutputPath"), KMSKey: c.str("KmsKeyId")}
	}
	if c := f.object("CheckpointConfig", "S3Uri", "LocalPath"); c != nil {
		k.Checkpoint = c.str("S3Uri")
	}
	if c := f.object("TensorBoardOutputConfig", "S3OutputPath", "LocalPath"); c != nil {
		k.TensorBoard = c.str("S3OutputPath")
	}
	if c := f.object("DebugHookConfig", "S3OutputPath", "LocalPath", "HookParameters", "CollectionConfigurations"); c != nil {
		k.DebugHook = c.str("S3OutputPath")
	}
	if c := f.object("ProfilerConfig", "S3OutputPath", "ProfilingIntervalInMilliseconds", "ProfilingParameters", "DisableProfiler"); c != nil {
		if path, off := c.str("S3OutputPath"), c.boolean("DisableProfiler"); !off {
			k.Profiler = path
		}
	}
	k.DebugRules, k.ProfilerRules = r.rules(f, "DebugRuleConfigurations"), r.rules(f, "ProfilerRuleConfigurations")
	if c := f.object("ResourceConfig", "InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId", "KeepAlivePeriodInSeconds", "InstanceGroups",
		"TrainingPlanArn", "InstancePlacementConfig", "InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"); c != nil {
		k.VolumeKMSKey = c.str("VolumeKmsKeyId")
	}
	if c := f.object("VpcConfig", "SecurityGroupIds", "Subnets"); c != nil {
		k.VPC = snapshot.VPC{Subnets: slices.Sorted(slices.Values(c.texts("Subnets"))), SecurityGroups: slices.Sorted(slices.Values(c.texts("SecurityGroupIds")))}
	}
	if c := f.object("RemoteDebugConfig", "EnableRemoteDebug"); c != nil {
		k.RemoteDebug = c.boolean("EnableRemoteDebug")
	}
	if c := f.object("SessionChainingConfig", "EnableSessionTagChaining"); c != nil {
		k.SessionTags = c.boolean("EnableSessionTagChaining")
	}
	if c := f.object("ModelPackageConfig", "ModelPackageGroupArn", "SourceModelPackageArn"); c != nil {
		k.ModelPackageGroup = c.str("ModelPackageGroupArn")
	}
	if c := f.object("MlflowConfig", "MlflowResourceArn", "MlflowExperimentName", "MlflowRunName"); c != nil {
		k.Mlflow = c.str("MlflowResourceArn")
	}
	k.Serverless, k.Described = f.has("ServerlessJobConfig"), true
	for _, name := range []string{"HyperParameters", "Environment"} {
		values, hidden := f.values(name)
		if hidden {
			out.notes = append(out.notes, name+" are hidden in the record: S3 locations in them are not told")
		}
		k.S3Values = append(k.S3Values, snapshot.S3Values(name, values)...)
		if name == "Environment" {
			k.CodeArtifact = snapshot.CodeArtifact(values)
		}
	}
}

func (r *requestReader) channel(c *fields, i int) snapshot.Channel {
	k := snapshot.Channel{Name: c.str("ChannelName"), InputMode: c.str("InputMode")}
	if k.Name == "" {
		k.Name = fmt.Sprint(i) // to say which one
	}
	source := c.object("DataSource", "S3DataSource", "FileSystemDataSource", "DatasetSource")
	if source == nil {
		return k
	}
	if s := source.object("S3DataSource", "S3DataType", "S3Uri", "S3DataDistributionType", "AttributeNames", "InstanceGroupNames", "HubAccessConfig", "ModelAccessConfig"); s != nil {
		k.DataType, k.URI, k.Attributes = s.str("S3DataType"), s.str("S3Uri"), s.texts("AttributeNames")
		if s.has("S3DataType") && !slices.Contains(dataTypes, k.DataType) {
			r.fail(s.members["S3DataType"], s.at("S3DataType"), "want one of "+strings.Join(dataTypes, ", "))
		}
		if h := s.object("HubAccessConfig", "HubContentArn"); h != nil {
			k.HubContent = h.str("HubContentArn")
		}
	}
	if s := source.object("FileSystemDataSource", "FileSystemId", "FileSystemAccessMode", "FileSystemType", "DirectoryPath"); s != nil {
		k.FileSystem = s.str("FileSystemType") + ":" + s.str("FileSystemId")
	}
	if s := source.object("DatasetSource", "DatasetArn"); s != nil {
		k.Dataset = s.str("DatasetArn")
	}
	return k
}

func (r *requestReader) rules(f *fields, name string) []snapshot.Rule {
	var out []snapshot.Rule
	for i, n := range f.list(name) {
		if c := r.object(n, fmt.Sprintf("%s[%d]", name, i), ruleFields...); c != nil {
			out = append(out, snapshot.Rule{Name: c.str("RuleConfigurationName"), Image: c.str("RuleEvaluatorImage"), URI: c.str("S3OutputPath")})
		}
	}
	return out
}

// requestReader reads JSON into a tree that knows its lines, and remembers the first
// error and what it left out.
type requestReader struct {
	text    []byte
	err     error
	ignored []string
}

type kind string

const (
	kindObject kind = "an object"
	kindList   kind = "a list"
	kindString kind = "a string"
	kindNumber kind = "a number"
	kindBool   kind = "true or false"
	kindNull   kind = "null"
)

// node is a JSON value.
type node struct {
	kind    kind
	text    string // of a string
	yes     bool
	names   []string // of an object's members, in their order
	members map[string]*node
	items   []*node
	offset  int64
}

func (r *requestReader) line(offset int64) int {
	return bytes.Count(r.text[:min(max(int(offset), 0), len(r.text))], []byte("\n")) + 1
}

// tree reads the whole text.
func (r *requestReader) tree() (*node, error) {
	if len(bytes.TrimSpace(r.text)) == 0 {
		return nil, &RequestError{Line: 1, Problem: "no JSON: there is nothing in it"}
	}
	var raw json.RawMessage
	if err := json.Unmarshal(r.text, &raw); err != nil {
		e := &RequestError{Line: r.line(int64(len(r.text))), Problem: "no JSON: " + err.Error()}
		if bad := (*json.SyntaxError)(nil); errors.As(err, &bad) {
			e.Line = r.line(bad.Offset - 1)
		}
		return nil, e
	}
	d := json.NewDecoder(bytes.NewReader(r.text))
	d.UseNumber()
	return r.value(d, ""), r.err
}

// value reads one value of a text that is known to be JSON.
func (r *requestReader) value(d *json.Decoder, path string) *node {
	token, _ := d.Token()
	n := &node{kind: kindNull, offset: d.InputOffset()}
	switch v := token.(type) {
	case string:
		n.kind, n.text = kindString, v
	case json.Number:
		n.kind = kindNumber
	case bool:
		n.kind, n.yes = kindBool, v
	case json.Delim:
		if v == '[' {
			n.kind = kindList
			for i := 0; d.More() && r.err == nil; i++ {
				n.items = append(n.items, r.value(d, fmt.Sprintf("%s[%d]", path, i)))
			}
		} else {
			n.kind, n.members = kindObject, map[string]*node{}
			for d.More() && r.err == nil {
				token, _ := d.Token()
				name, _ := token.(string)
				inner := strings.TrimPrefix(path+"."+name, ".")
				if n.members[name] != nil {
					r.fail(&node{offset: d.InputOffset()}, inner, "is there twice")
				}
				n.names = append(n.names, name)
				n.members[name] = r.value(d, inner)
			}
		}
		d.Token() // its end
	}
	return n
}

func (r *requestReader) fail(n *node, path, problem string) {
	if r.err == nil {
		r.err = &RequestError{Line: r.line(n.offset), Field: path, Problem: problem}
	}
}

// fields are the members of one object by the API's names.
type fields struct {
	r       *requestReader
	path    string
	members map[string]*node
}

// object reads the members that are known, in either spelling, and notes the others; nil
// for what is no object.
func (r *requestReader) object(n *node, path string, known ...string) *fields {
	if n.kind != kindObject {
		r.fail(n, path, "want an object, found "+string(n.kind))
		return nil
	}
	f := &fields{r, path, map[string]*node{}}
	for _, name := range n.names {
		i := slices.IndexFunc(known, func(k string) bool { return name == k || name == strings.ToLower(k[:1])+k[1:] })
		if i < 0 {
			ignored := "ignored: " + f.at(name) + ", which is no field of the API that is known here"
			if near := nearest(name, known, 1); len(near) > 0 {
				ignored += "; did you mean " + near[0] + "?"
			}
			r.ignored = append(r.ignored, ignored)
			continue
		}
		if f.members[known[i]] != nil {
			r.fail(n.members[name], f.at(name), "is there twice, in two spellings")
		}
		if n.members[name].kind != kindNull {
			f.members[known[i]] = n.members[name]
		}
	}
	return f
}

func (f *fields) at(name string) string { return strings.TrimPrefix(f.path+"."+name, ".") }

func (f *fields) has(name string) bool { return f.members[name] != nil }

// want is the member if it is of the kind, nil for none.
func (f *fields) want(name string, k kind) *node {
	n := f.members[name]
	if n != nil && n.kind != k {
		f.r.fail(n, f.at(name), "want "+string(k)+", found "+string(n.kind))
		return nil
	}
	return n
}

func (f *fields) str(name string) string {
	if n := f.want(name, kindString); n != nil {
		return n.text
	}
	return ""
}

func (f *fields) boolean(name string) bool {
	n := f.want(name, kindBool)
	return n != nil && n.yes
}

func (f *fields) object(name string, known ...string) *fields {
	if n := f.members[name]; n != nil {
		return f.r.object(n, f.at(name), known...)
	}
	return nil
}

func (f *fields) list(name string) []*node {
	if n := f.want(name, kindList); n != nil {
		return n.items
	}
	return nil
}

func (f *fields) texts(name string) []string {
	var out []string
	for i, n := range f.list(name) {
		if n.kind != kindString {
			f.r.fail(n, fmt.Sprintf("%s[%d]", f.at(name), i), "want a string, found "+string(n.kind))
			continue
		}
		out = append(out, n.text)
	}
	return out
}

// values are the members of a map of strings. CloudTrail hides some maps: it writes a
// string in their place.
func (f *fields) values(name string) (values map[string]string, hidden bool) {
	if n := f.members[name]; n != nil && n.kind == kindString {
		return nil, true
	}
	values = map[string]string{}
	if n := f.want(name, kindObject); n != nil {
		for _, key := range n.names {
			v := n.members[key]
			if v.kind != kindString {
				f.r.fail(v, f.at(name)+"."+key, "want a string, found "+string(v.kind))
				continue
			}
			values[key] = v.text
		}
	}
	return values, false
}
