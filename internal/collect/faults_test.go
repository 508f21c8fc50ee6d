package collect

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// The faults that each operation is put through. They act in us-east-1: on the home
// of the global services, and on the one region of two that has jobs and events.
var faults = []string{
	"refused",     // AWS denies it
	"throttled",   // past all retries
	"unavailable", // 503, past all retries
	"cut",         // the connection ends within the answer
	"garbled",     // an answer that cannot be read
	"repeating",   // a page names itself as the next
	"empty",       // a good answer with nothing in its list
	"blank",       // an answer without a single field
	"slow",        // the answer comes after the deadline
}

var faultText = map[string]string{
	"refused": "refuse", "throttled": "throttle", "unavailable": "fail=503", "cut": "cut", "garbled": "garble",
	"repeating": "repeat-token", "empty": "empty", "slow": "slow=1h",
}

// outcomes are the gaps that each fault of an operation leaves: "impact reason" of
// the operation itself. An outcome of none says why there is no gap.
type outcomes map[string][]string

func none(why string) []string { return []string{"none: " + why} }

// loses adds to the outcomes the usual ones of a call that fails: a gap of each
// impact, with the reason that the fault has by its name.
func (o outcomes) loses(impacts ...string) outcomes {
	for fault, reason := range map[string]string{"refused": "refused", "throttled": "throttled", "unavailable": "unavailable", "cut": "cut", "garbled": "broken", "slow": "timeout"} {
		if o[fault] == nil {
			for _, impact := range impacts {
				o[fault] = append(o[fault], impact+" "+reason)
			}
		}
	}
	return o
}

var (
	nothingToRepeat = none("it has no pages")
	noList          = none("it gives no list that could be empty, and answers as ever")
	runErrs         = []string{"the run errs"}
	noneTrails      = none("so answers an account without trails")
	nonePolicies    = none("so answers a role without such policies")
	noneChecked     = none("the jobs come from Search, which gave as many as it said there are")
	noneListed      = none("ListTrainingJobs has the jobs that Search lacks, and they are described")
)

var expected = map[string]outcomes{
	"account:ListRegions": outcomes{
		"repeating": {"jobs broken", "usage broken"}, "empty": {"jobs broken", "usage broken"}, "blank": {"jobs broken", "usage broken"}}.loses("jobs", "usage"),
	opTrails:      outcomes{"repeating": nothingToRepeat, "empty": noneTrails, "blank": noneTrails}.loses("detail"),
	opSelectors:   outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opTrailStatus: outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opLookup:      outcomes{"repeating": {"usage broken"}, "empty": {"usage short"}, "blank": {"usage short"}}.loses("usage"),
	opGenerate:    outcomes{"repeating": nothingToRepeat, "empty": {"usage broken"}, "blank": {"usage broken"}}.loses("usage"),
	opAccessed:    outcomes{"repeating": {"usage broken"}, "empty": {"usage short"}, "blank": {"usage broken"}}.loses("usage"),
	// The roles are read one by one instead, while there is time.
	opSweep:                        outcomes{"repeating": {"detail broken"}, "empty": {"roles short"}, "blank": {"roles short"}, "slow": {"roles timeout"}}.loses("detail"),
	"iam:GetPolicy":                outcomes{"repeating": nothingToRepeat, "empty": noList, "blank": {"roles broken"}}.loses("roles"),
	"iam:GetPolicyVersion":         outcomes{"repeating": nothingToRepeat, "empty": noList, "blank": {"roles broken"}}.loses("roles"),
	"iam:GetRole":                  outcomes{"repeating": nothingToRepeat, "empty": noList, "blank": {"roles broken"}}.loses("roles"),
	"iam:GetRolePolicy":            outcomes{"repeating": nothingToRepeat, "empty": noList, "blank": {"roles broken"}}.loses("roles"),
	"iam:ListAttachedRolePolicies": outcomes{"repeating": {"roles broken"}, "empty": nonePolicies, "blank": nonePolicies}.loses("roles"),
	"iam:ListRolePolicies":         outcomes{"repeating": {"roles broken"}, "empty": nonePolicies, "blank": nonePolicies}.loses("roles"),
	"iam:ListRoles":                outcomes{"repeating": {"roles broken"}, "empty": {"roles short"}, "blank": {"roles short"}}.loses("roles"),
	opDescribe:                     outcomes{"repeating": nothingToRepeat, "empty": noList, "blank": {"detail broken"}}.loses("detail"),
	opList:                         outcomes{"repeating": {"detail broken"}, "empty": noneChecked, "blank": noneChecked}.loses("detail"),
	// The jobs are listed and described instead, while there is time.
	opSearch:           outcomes{"repeating": {"detail broken"}, "empty": noneListed, "blank": noneListed, "slow": {"jobs timeout"}}.loses("detail"),
	opBucketPolicy:     outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opBucketEncryption: outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opCacheRules:       outcomes{"repeating": {"detail broken"}, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opBuckets:          outcomes{"repeating": {"detail broken"}, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opRepositories:     outcomes{"repeating": {"detail broken"}, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opKeys:             outcomes{"repeating": {"detail broken"}, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opGetObject:        outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	// Event history is read in the place of the log files.
	opListObjects: {"refused": {"trail usage refused"}, "throttled": {"trail usage throttled"}, "unavailable": {"trail usage unavailable"}, "cut": {"trail usage cut"},
		"garbled": {"trail usage broken"}, "slow": {"trail usage timeout"}, "repeating": {"trail usage broken"}, "empty": {"trail usage missing"}, "blank": {"trail usage broken"}},
	opKeyPolicy:   outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	opDescribeKey: outcomes{"repeating": nothingToRepeat, "empty": {"detail broken"}, "blank": {"detail broken"}}.loses("detail"),
	// Where nobody answers this, nobody answers at all.
	"sts:GetCallerIdentity": {"refused": {"detail refused"}, "throttled": runErrs, "unavailable": runErrs, "cut": runErrs, "garbled": runErrs, "slow": runErrs,
		"repeating": nothingToRepeat, "empty": noList, "blank": {"detail broken"}},
}

// faultyAccount has something of everything, twice where it comes in lists.
func faultyAccount() *awssim.Account {
	allow := func(actions ...string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"}]}`
	}
	version := func(document string) []awssim.PolicyVersion {
		return []awssim.PolicyVersion{{ID: "v1", Document: document}}
	}
	a := &awssim.Account{
		ID: "123456789012", Now: now, Regions: []awssim.Region{{Name: "us-east-1"}, {Name: "eu-west-1"}}, Trails: []awssim.Trail{{Name: "trail"}},
		Buckets:    []awssim.Bucket{{Name: "aws-cloudtrail-logs-123456789012"}, {Name: "code"}, {Name: "data", Policy: allow("s3:GetObject"), Objects: map[string]string{"m.json": `[{"prefix":"s3://data/"},"a","b"]`}}, {Name: "models", Policy: allow("s3:PutObject")}},
		CacheRules: map[string][]string{"us-east-1": {"mirror", "quay"}}, Repositories: []awssim.Repository{{Name: "train"}, {Name: "serve"}},
		Keys: []awssim.Key{{ID: "11111111-1111-4111-8111-111111111111", Aliases: []string{"alias/out"}}, {ID: "22222222-2222-4222-8222-222222222222"}},
		Policies: []awssim.ManagedPolicy{
			{ARN: "arn:aws:iam::123456789012:policy/images", Versions: version(allow("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetAuthorizationToken", "ecr:DeleteRepository"))},
			{ARN: "arn:aws:iam::123456789012:policy/network", Versions: version(allow("ec2:CreateNetworkInterface", "ec2:DescribeSubnets", "ec2:RunInstances"))},
			{ARN: "arn:aws:iam::aws:policy/PowerUserAccess", Versions: version(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":"sqs:*","Resource":"*"}]}`)},
		},
		Roles: []awssim.Role{
			{Name: "trainer", CreateDate: now.Add(-500 * day), Trust: trustsSageMaker, Boundary: "arn:aws:iam::aws:policy/PowerUserAccess",
				Attached: []string{"arn:aws:iam::123456789012:policy/images", "arn:aws:iam::123456789012:policy/network"},
				Inline: []awssim.InlinePolicy{
					{Name: "data", Document: allow("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:CreateBucket", "sqs:CreateQueue")},
					{Name: "logs", Document: allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DeleteLogGroup", "sns:ListTopics", "sns:CreateTopic")}},
				LastAccessed: []awssim.ServiceAccess{{Service: "sns", At: now.Add(-100 * day), Region: "us-east-1"}}},
			{Name: "idle", CreateDate: now.Add(-100 * day), Trust: trustsSageMaker, Attached: []string{"arn:aws:iam::123456789012:policy/images"}},
		},
	}
	trainer := &a.Roles[0]
	for i := range 3 {
		j := job(a, trainer, fmt.Sprintf("job-%d", i), now.Add(-time.Duration(i+1)*day))
		if i == 1 {
			j.VpcConfig = &awssim.VpcConfig{Subnets: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}}
		}
		j.OutputDataConfig.KmsKeyId = "alias/out"
		j.ResourceConfig = &awssim.ResourceConfig{VolumeKmsKeyId: a.KeyARN(&a.Keys[1])}
		if i == 0 {
			j.InputDataConfig = append(j.InputDataConfig, awssim.Channel{ChannelName: "listed", DataSource: awssim.DataSource{S3DataSource: &awssim.S3DataSource{S3DataType: "ManifestFile", S3Uri: "s3://data/m.json"}}})
		}
		if i == 2 {
			j.RoleArn = "arn:aws:iam::123456789012:role/gone"
		}
		a.Jobs = append(a.Jobs, j)
		a.Events = append(a.Events, creation(a, trainer, j.TrainingJobName, j.CreationTime))
		for n, call := range [][2]string{{"ecr", "BatchGetImage"}, {"logs", "CreateLogStream"}, {"ec2", "DescribeSubnets"}} {
			a.Events = append(a.Events, awssim.Record{
				EventID: fmt.Sprintf("call-%d-%d", i, n), EventTime: j.CreationTime.Add(time.Minute), AWSRegion: "us-east-1", EventType: "AwsApiCall", EventCategory: "Management",
				EventSource: call[0] + ".amazonaws.com", EventName: call[1], UserIdentity: a.Session(trainer, "SageMaker", now.Add(-80*day)),
			})
		}
	}
	return a
}

// oneByOne are the operations that only a run without the sweep calls.
var oneByOne = map[string]bool{"iam:GetRole": true, "iam:GetRolePolicy": true, "iam:ListAttachedRolePolicies": true, "iam:ListRolePolicies": true, "iam:ListRoles": true}

// TestFaults puts every operation through every fault: what is missing is named by
// operation and region, and nothing is called unused for it.
func TestFaults(t *testing.T) {
	pairs, expectations := 0, 0
	for _, m := range expected {
		expectations += len(m)
	}
	sound := make(map[bool]map[string][]string)
	for _, oneByOne := range []bool{false, true} {
		s := faulty(t, "", "", oneByOne, nil)
		checkFault(t, map[bool]string{true: "iam:GetRole"}[oneByOne], "", nil, s)
		sound[oneByOne] = unused(t, s)
		for _, role := range []string{"trainer", "idle"} {
			if len(sound[oneByOne]["arn:aws:iam::123456789012:role/"+role]) == 0 {
				t.Fatalf("of %s nothing is unused: nothing could become so", role)
			}
		}
	}
	for _, o := range Operations() {
		for _, fault := range faults {
			pairs++
			t.Run(o.ID()+" "+fault, func(t *testing.T) {
				want, known := expected[o.ID()][fault]
				if !known {
					t.Error("no expectation")
				}
				var called int
				s := faulty(t, o.ID(), fault, oneByOne[o.ID()], &called)
				if called == 0 {
					t.Error("it was never called")
				}
				checkFault(t, o.ID(), fault, want, s)
				if s == nil {
					return
				}
				for role, actions := range unused(t, s) {
					for _, action := range actions {
						if !slices.Contains(sound[oneByOne[o.ID()]][role], action) {
							t.Errorf("%s: %s is unused now", role, action)
						}
					}
				}
			})
		}
	}
	t.Logf("%d operations x %d faults = %d", len(Operations()), len(faults), pairs)
	if pairs != expectations || pairs != len(Operations())*len(faults) {
		t.Errorf("%d pairs, %d expectations", pairs, expectations)
	}
}

// faulty collects the account with one operation broken; nil where the run errs.
func faulty(t *testing.T, operation, fault string, oneByOne bool, called *int) *snapshot.Snapshot {
	t.Helper()
	var s *snapshot.Snapshot
	onFakeClock(t, faultyAccount(), func(t *testing.T, server *awssim.Server, o Options) {
		server.Configure(func(b *awssim.Behaviour) { b.PageCaps = map[string]int{"*": 1} })
		if oneByOne {
			if err := server.SetFault(opSweep + " refuse"); err != nil {
				t.Fatal(err)
			}
		}
		if text := faultText[fault]; text != "" {
			if err := server.SetFault(operation + " region=us-east-1 " + text); err != nil {
				t.Fatal(err)
			}
		}
		if fault == "blank" {
			o.httpClient = blanking{o.httpClient, operation}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		var err error
		o.Manifests = true
		if operation == opListObjects {
			o = withLogs(o, "trail")
		}
		if s, err = Collect(ctx, o); err != nil {
			t.Logf("the run errs: %v", err)
		}
		if called != nil {
			*called = server.Requests(operation)
		}
	})
	return s
}

// checkFault holds the gaps of a run, each once, against those expected. Past a
// deadline others may be missing too, for the same reason.
func checkFault(t *testing.T, operation, fault string, want []string, s *snapshot.Snapshot) {
	t.Helper()
	if s == nil {
		if len(want) != 1 || want[0] != "the run errs" {
			t.Errorf("the run errs, want gaps %q", want)
		}
		return
	}
	var got, gaps []string
	complete := true
	for _, g := range s.Gaps {
		if oneByOne[operation] && g.Source == opSweep && g.Reason == snapshot.ReasonRefused {
			continue
		}
		complete = complete && g.Impact == snapshot.ImpactDetail
		got = append(got, strings.Join(strings.Fields(fmt.Sprint(g.Source, " ", g.Region, " ", g.Impact, " ", g.Reason)), " "))
		if g.Detail == "" || (g.Permission != "") != (g.Reason == snapshot.ReasonRefused && operation != "sts:GetCallerIdentity") {
			t.Errorf("gap %+v", g)
		}
	}
	slices.Sort(got)
	got = slices.Compact(got)
	for _, w := range want {
		if strings.HasPrefix(w, "none: ") {
			continue
		}
		if service, _, _ := strings.Cut(operation, ":"); !strings.Contains(w, ":") && !strings.HasPrefix(w, snapshot.SourceTrail+" ") {
			region := ""
			if slices.Contains([]string{"sagemaker", "cloudtrail", "s3", "kms", "ecr"}, service) && operation != opBuckets {
				region = " us-east-1"
			}
			w = operation + region + " " + w
		}
		gaps = append(gaps, w)
	}
	slices.Sort(gaps)
	if fault == "slow" {
		for _, g := range got {
			if !strings.HasSuffix(g, " timeout") {
				t.Errorf("gap %q after the deadline", g)
			}
		}
		got = slices.DeleteFunc(got, func(g string) bool { return !slices.Contains(gaps, g) })
	}
	if d := cmp.Diff(gaps, got); d != "" {
		t.Errorf("gaps (-want +got):\n%s", d)
	}
	if s.Complete() != complete {
		t.Errorf("complete is %v, with gaps %q", s.Complete(), got)
	}
}

// unused are the unused actions of each role, as the analysis has them.
func unused(t *testing.T, s *snapshot.Snapshot) map[string][]string {
	t.Helper()
	r, err := analyze.Analyze(s, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]string)
	for _, role := range r.Roles {
		for service, u := range role.Unused.Services {
			if u.All || u.Count > report.MaxActions {
				t.Fatalf("%s: all of %s is unused: the account is to grant less", role.ARN, service)
			}
			all[role.ARN] = append(all[role.ARN], u.Actions...)
		}
	}
	return all
}

// blanking is a wire on which the answers to one operation, in us-east-1, have no
// content but their form.
type blanking struct {
	next      httpClient
	operation string
}

func (b blanking) Do(r *http.Request) (*http.Response, error) {
	_, name, _ := strings.Cut(b.operation, ":")
	ours := strings.Contains(r.Header.Get("Authorization"), "/us-east-1/")
	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		ours = ours && strings.HasSuffix(target, "."+name)
	case strings.Contains(r.Header.Get("Content-Type"), "form"):
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		ours = ours && strings.Contains("&"+string(body)+"&", "&Action="+name+"&")
	case r.URL.Query().Get("x-id") == "GetObject":
		ours = ours && name == "GetObject"
	case r.URL.Query().Get("x-id") == "ListBuckets":
		ours = ours && name == "ListBuckets"
	case r.URL.Query().Get("list-type") == "2":
		ours = ours && name == "ListObjectsV2"
	case r.URL.Query().Has("policy"):
		ours = ours && name == "GetBucketPolicy"
	case r.URL.Query().Has("encryption"):
		ours = ours && name == "GetBucketEncryption"
	default:
		ours = ours && name == "ListRegions"
	}
	out, err := b.next.Do(r)
	if err != nil || !ours || out.StatusCode >= http.StatusMultipleChoices {
		return out, err
	}
	io.Copy(io.Discard, out.Body)
	out.Body.Close()
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", out.Header.Get("Content-Type"))
	switch {
	case name == "GetBucketPolicy", name == "GetObject": // the policy, or the object, is all there is
	case name == "ListBuckets":
		io.WriteString(w, "<ListAllMyBucketsResult/>")
	case name == "GetBucketEncryption":
		io.WriteString(w, "<ServerSideEncryptionConfiguration/>")
	case strings.Contains(out.Header.Get("Content-Type"), "xml"):
		fmt.Fprintf(w, "<%sResponse><%[1]sResult/></%[1]sResponse>", name)
	default:
		io.WriteString(w, "{}")
	}
	blank := w.Result()
	blank.Request = r
	return blank, nil
}
