package analyze

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

func checkJob(t testing.TB, s *snapshot.Snapshot, o Options, q JobQuestion) *report.JobCheck {
	t.Helper()
	c, err := CheckJob(s, o, q)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// requestOf writes a job as a request.
func requestOf(t testing.TB, j *snapshot.Job, more map[string]any) *JobRequest {
	t.Helper()
	request := map[string]any{"TrainingJobName": j.Name, "RoleArn": j.RoleARN,
		"AlgorithmSpecification": map[string]any{"TrainingImage": j.Image},
		"OutputDataConfig":       map[string]any{"S3OutputPath": j.Output.URI, "KmsKeyId": j.Output.KMSKey}}
	var channels []any
	for _, c := range j.Channels {
		channels = append(channels, map[string]any{"ChannelName": c.Name, "DataSource": map[string]any{"S3DataSource": map[string]any{"S3DataType": c.DataType, "S3Uri": c.URI}}})
	}
	request["InputDataConfig"] = channels
	for key, value := range more {
		request[key] = value
	}
	text, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseJobRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestCheckJobOfRandomWorlds: a completed job whose needs are all granted, as an
// evaluator of single requests has it, is never said to fail; one that lacks what it
// fails without is never said to run, unless jobs on record did without.
func TestCheckJobOfRandomWorlds(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	answers := map[string]int{}
	granted, lacking := 0, 0
	for i := range worlds(150) {
		s := wideWorld(r)
		if i%2 == 0 { // few random policies grant all that a job needs
			s.Roles[0].Inline = append(s.Roles[0].Inline, snapshot.InlinePolicy{Name: "more", Document: allow([]string{"*", "*", "s3:*", "ecr:*"}[r.IntN(4)], "*")})
		}
		a := newAudit(s)
		for k := range s.Jobs {
			job := &s.Jobs[k]
			c := checkJob(t, s, Options{}, JobQuestion{Job: job.ARN})
			answers[c.Answer]++
			sub, err := theRole(subjects(s), job.RoleARN)
			if err != nil {
				t.Fatal(err)
			}
			g := a.library.grantOf(s, sub.role)
			all, fatal := true, false
			needs, _ := newAsks(a.place, a.beside, sub.jobs).of(job)
			for _, n := range needs {
				x := a.accessIn(g, n.action, n.resource, inRegion(g.known, n.resource))
				all = all && x.Effective == policy.Yes && !x.Partial
				fatal = fatal || x.Effective == policy.No && n.ifMissing == "fails" && !n.optional
			}
			if all {
				granted++
				if c.Answer != report.JobRuns && !slices.ContainsFunc(a.judge(sub).cells.sorted(), func(c *cell) bool { return c.verdict == report.VerdictBlocked }) {
					t.Fatalf("world %d: everything is granted to %s, and it is said: %s, %s\n%+v", i, job.Name, c.Answer, c.Why, c.Needs)
				}
				if job.Status == "Completed" && c.Answer == report.JobFails {
					t.Fatalf("world %d: %s completed, and is said to fail: %s", i, job.Name, c.Why)
				}
			}
			if fatal {
				lacking++
				if c.Answer == report.JobRuns {
					t.Fatalf("world %d: %s lacks what it fails without, and is said to run", i, job.Name)
				}
			}
		}
	}
	t.Logf("answers %v; %d jobs with everything granted, %d that lack something", answers, granted, lacking)
	if granted < worlds(15) || lacking < worlds(50) {
		t.Error("too few to prove anything")
	}
}

func TestCheckJob(t *testing.T) {
	const (
		all   = `{"Effect":"Allow","Action":["ecr:*","logs:*","cloudwatch:PutMetricData"],"Resource":"*"}`
		data  = `{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::data","arn:aws:s3:::data/in/*"]}`
		puts  = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/out/*"}`
		vpc   = `{"Subnets":["subnet-1"],"SecurityGroupIds":["sg-1"]}`
		trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com"},"Action":%s%s}}`
	)
	doc := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
	}
	guard := func(key, value string) string {
		return fmt.Sprintf(`,"Condition":{"StringLike":{%q:%q}}`, key, value)
	}
	for name, tt := range map[string]struct {
		policy string
		change func(s *snapshot.Snapshot, j *snapshot.Job)
		more   map[string]any
		answer string
		words  string
	}{
		"everything granted":          {doc(all, data, puts), nil, nil, "runs", "all that its configuration needs is granted"},
		"a path that is not granted":  {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Channels[0].URI = "s3://data/other/" }, nil, "fails", "it needs s3:GetObject, refused by the identity policies"},
		"a part of the path":          {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Channels[0].URI = "s3://data/in" }, nil, "unsure", "granted on a part of it only"},
		"a folder without its slash":  {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Output.URI = "s3://data/out" }, nil, "runs", ""},
		"the job's own folder":        {doc(all, data, strings.Replace(puts, "out/*", "out/new-*", 1)), nil, nil, "runs", ""},
		"only under a condition":      {doc(all, data, strings.TrimSuffix(puts, "}")+`,"Condition":{"StringEquals":{"aws:SourceVpce":"vpce-1"}}}`), nil, nil, "unsure", `aws:SourceVpce is \"vpce-1\"`},
		"no network interfaces":       {doc(all, data, puts), nil, map[string]any{"VpcConfig": json.RawMessage(vpc)}, "fails", "ec2:CreateNetworkInterface"},
		"no metrics":                  {doc(strings.Replace(all, `,"cloudwatch:PutMetricData"`, "", 1), data, puts), nil, nil, "runs", "1 thing is not, and does not stop it"},
		"no logs":                     {doc(strings.Replace(all, `"logs:*",`, "", 1), data, puts), nil, nil, "unsure", "of logs:CreateLogStream, logs:PutLogEvents it is not known"},
		"a manifest":                  {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Channels[0].DataType = "ManifestFile" }, nil, "unsure", "the objects that the manifest names: arn:aws:s3:::data/in/"},
		"a manifest, and all objects": {allow("*", "*"), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Channels[0].DataType = "ManifestFile" }, nil, "runs", ""},
		"a key by its alias":          {allow("*", "*"), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Output.KMSKey = "alias/models" }, nil, "unsure", "the key behind alias/models"},
		"a volume's key":              {doc(all, data, puts), nil, map[string]any{"ResourceConfig": map[string]any{"VolumeKmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}}, "unsure", "the caller's own kms:CreateGrant"},
		"a remote shell":              {doc(all, data, puts), nil, map[string]any{"RemoteDebugConfig": map[string]any{"EnableRemoteDebug": true}}, "runs", `"effect":"degrades"`},
		"another registry":            {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) { j.Image = "docker.io/library/python:3" }, nil, "unsure", "its registry is unknown"},
		"another account's image": {doc(all, data, puts), func(_ *snapshot.Snapshot, j *snapshot.Job) {
			j.Image = "999999999999.dkr.ecr.us-east-1.amazonaws.com/x:1"
		}, nil, "runs", "account 999999999999's and must allow it, too"},
		"tags of the session":              {doc(all, data, puts), nil, map[string]any{"SessionChainingConfig": map[string]any{"EnableSessionTagChaining": true}}, "fails", "sts:TagSession"},
		"a bucket policy that denies":      {doc(all, data, puts), denyingBucket, nil, "fails", "explicitly denied by the bucket policy of data"},
		"a boundary":                       {doc(all, data, puts), bounded, nil, "fails", "refused by the permissions boundary"},
		"SageMaker is not trusted":         {doc(all, data, puts), trusting(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`), nil, "fails", "does not let SageMaker"},
		"trusted for this account":         {doc(all, data, puts), trusting(fmt.Sprintf(trust, `"sts:AssumeRole"`, guard("aws:SourceAccount", account))), nil, "runs", ""},
		"trusted for another account":      {doc(all, data, puts), trusting(fmt.Sprintf(trust, `"sts:AssumeRole"`, guard("aws:SourceAccount", "999999999999"))), nil, "fails", "does not let SageMaker"},
		"trusted for jobs of this name":    {doc(all, data, puts), trusting(fmt.Sprintf(trust, `"sts:AssumeRole"`, guard("aws:SourceArn", "arn:aws:sagemaker:*:123456789012:training-job/new-*"))), nil, "runs", ""},
		"trusted under another condition":  {doc(all, data, puts), trusting(fmt.Sprintf(trust, `"sts:AssumeRole"`, guard("aws:SourceOrgID", "o-1"))), nil, "unsure", "only under a condition"},
		"trusted with tags and identities": {doc(all, data, puts), trusting(fmt.Sprintf(trust, `["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]`, "")), map[string]any{"SessionChainingConfig": map[string]any{"EnableSessionTagChaining": true}}, "runs", `"tagSession":"yes","sourceIdentity":"yes"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := world(tt.policy)
			j := completedJob("new-job")
			if tt.change != nil {
				tt.change(s, &j)
			}
			c := checkJob(t, s, Options{}, JobQuestion{Request: requestOf(t, &j, tt.more)})
			if text := marshalPlain(t, c); c.Answer != tt.answer || !strings.Contains(text, tt.words) {
				t.Errorf("%s: %s; want %s, %q in\n%s", c.Answer, c.Why, tt.answer, tt.words, text)
			}
		})
	}
}

func denyingBucket(s *snapshot.Snapshot, _ *snapshot.Job) {
	s.Resources = []snapshot.ResourcePolicy{{ARN: "arn:aws:s3:::data", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::data/*"}}`}}
}

func bounded(s *snapshot.Snapshot, _ *snapshot.Job) {
	s.Roles[0].Boundary = "arn:aws:iam::123456789012:policy/limit"
	s.Policies = []snapshot.ManagedPolicy{{ARN: s.Roles[0].Boundary, Name: "limit", Version: "v1", Document: allow("s3:*", "*")}}
}

func trusting(document string) func(*snapshot.Snapshot, *snapshot.Job) {
	return func(s *snapshot.Snapshot, _ *snapshot.Job) { s.Roles[0].Trust = document }
}

// TestCheckJobUnderPolicies: given policies stand for the role's own, and only those.
func TestCheckJobUnderPolicies(t *testing.T) {
	s := world(allow("*", "*"))
	bounded(s, nil)
	s.Policies[0].Document = allow("*", "*")
	s.Jobs = []snapshot.Job{completedJob("a")}
	for given, answer := range map[string]string{allow("*", "*"): "runs", allow("s3:*", "*"): "fails"} {
		if c := checkJob(t, s, Options{}, JobQuestion{Job: "a", Policies: edited(t, given)}); c.Answer != answer || len(c.Policies) != 1 || c.Job.Status != "Completed" {
			t.Errorf("%s: %s, %s", given, c.Answer, c.Why)
		}
	}
	// What a completed job did without today is no excuse for what a new policy lacks.
	s = world(allow("s3:*", "*"), allow("logs:*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a")}
	if c := checkJob(t, s, Options{}, JobQuestion{Job: "a"}); c.Answer != report.JobUnsure || !strings.Contains(marshalPlain(t, c), "a completed job of the role did without it") {
		t.Errorf("a completed job without a grant: %s, %s", c.Answer, c.Why)
	}
}

func TestJobQuestions(t *testing.T) {
	s := world(allow("*", "*"))
	s.Jobs = []snapshot.Job{completedJob("a"), completedJob("a"), completedJob("train-2026")}
	s.Jobs[1].Region, s.Jobs[1].ARN = "eu-west-1", "arn:aws:sagemaker:eu-west-1:123456789012:training-job/a"
	for want, q := range map[string]JobQuestion{
		`there are 2 jobs "a", in us-east-1, eu-west-1`:              {Job: "a"},
		`no training job "train-2025" is on record; did you mean tr`: {Job: "train-2025"},
		`no training job "zzzzzzzzzzz" is on record, of 3`:           {Job: "zzzzzzzzzzz"},
		`no execution role fits "nobody"`:                            {Job: "train-2026", Role: "nobody"},
		"the request has no RoleArn":                                 {Request: &JobRequest{}},
	} {
		_, err := CheckJob(s, Options{}, q)
		if bad := (*QuestionError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if c := checkJob(t, s, Options{}, JobQuestion{Job: "a", Region: "eu-west-1"}); c.Job.Region != "eu-west-1" || c.Answer != report.JobRuns {
		t.Errorf("%+v", c.Job)
	}
}

func TestParseJobRequest(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "line 1: no JSON: there is nothing in it",
		"{\n \"a\": 1,\n}":      "line 3: no JSON: invalid character",
		"{\"TrainingJobName\":": "line 1: no JSON: unexpected end",
		"{} {}":                 "line 1: no JSON: invalid character",
		"[1]":                   "line 1: want a CreateTrainingJob request, which is an object, found a list",
		"{}":                    "line 1: no field of a CreateTrainingJob request",
		`{"Version":"2012"}`:    "no field of a CreateTrainingJob request",
		`{"RoleArn":7}`:         "line 1: RoleArn: want a string, found a number",
		"{\n\"RoleArn\":\n null,\n \"InputDataConfig\": [\n{\"DataSource\": \"s3://x\"}]}": "line 5: InputDataConfig[0].DataSource: want an object, found a string",
		`{"InputDataConfig":{}}`:  "InputDataConfig: want a list, found an object",
		`{"InputDataConfig":[3]}`: "InputDataConfig[0]: want an object, found a number",
		`{"InputDataConfig":[{"DataSource":{"S3DataSource":{"S3DataType":"Prefix"}}}]}`: "InputDataConfig[0].DataSource.S3DataSource.S3DataType: want one of S3Prefix",
		`{"HyperParameters":{"secret":12345678}}`:                                       "HyperParameters.secret: want a string, found a number",
		`{"Environment":[]}`:                       "Environment: want an object, found a list",
		`{"EnableNetworkIsolation":"yes"}`:         "EnableNetworkIsolation: want true or false, found a string",
		`{"VpcConfig":{"Subnets":["a",null]}}`:     "VpcConfig.Subnets[1]: want a string, found null",
		`{"RoleArn":"a","RoleArn":"b"}`:            "RoleArn: is there twice",
		`{"RoleArn":"a","roleArn":"b"}`:            "roleArn: is there twice, in two spellings",
		`{"requestParameters":null,"eventName":1}`: "found null",
	} {
		_, err := ParseJobRequest([]byte(text))
		if bad := (*RequestError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "12345678") {
			t.Errorf("a value is told: %v", err)
		}
	}
	r, err := ParseJobRequest([]byte(`{"TrainingJobName":"n","AlgorithmSpecfication":{},"OutputDataConfig":{"S3OutputPath":"s3://b/o","Kms":"x"},
		"HyperParameters":{"a":"\"s3://b/code.tar.gz\"","b":"secret"},"Environment":{"c":"s3://b/d/","CA_REPOSITORY_ARN":"arn:aws:codeartifact:us-east-1:123456789012:repository/domain/repo","other":"arn:aws:iam::1:x"},"DebugRuleConfigurations":[{"RuleConfigurationName":"r","S3OutputPath":"s3://b/r"}],
		"TrainingJobArn":"arn:aws:sagemaker:eu-west-1:123456789012:training-job/n"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.job.S3Values); got != "[{HyperParameters a s3://b/code.tar.gz} {Environment c s3://b/d/}]" || r.region != "eu-west-1" || len(r.job.DebugRules) != 1 {
		t.Errorf("%s, region %s", got, r.region)
	}
	if r.job.CodeArtifact != "arn:aws:codeartifact:us-east-1:123456789012:repository/domain/repo" || strings.Contains(fmt.Sprint(r), "arn:aws:iam::1:x") {
		t.Errorf("repository %q in %v", r.job.CodeArtifact, r)
	}
	notes := strings.Join(r.notes, "\n")
	for _, want := range []string{"ignored: AlgorithmSpecfication, which is no field of the API that is known here; did you mean AlgorithmSpecification?",
		"ignored: OutputDataConfig.Kms, which", "the request has no AlgorithmSpecification"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in %s", want, notes)
		}
	}
	if strings.Contains(fmt.Sprint(r), "secret") {
		t.Error("a value is kept")
	}
}

// FuzzParseJobRequest: no text makes the parser panic, and what it reads it reads again.
func FuzzParseJobRequest(f *testing.F) {
	for _, seed := range []string{`{"TrainingJobName":"n"}`, `{"requestParameters":{"roleArn":"x","inputDataConfig":[{}]}}`, `[`, `{"Environment":{"a":"s3://b/c"}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseJobRequest([]byte(text))
		if (r == nil) == (err == nil) {
			t.Fatalf("%v, %v", r, err)
		}
	})
}
