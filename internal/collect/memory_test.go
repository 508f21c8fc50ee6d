package collect

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// manyJobs answers Search from a formula: a stand-in that holds half a million jobs
// would weigh more than what is measured here.
type manyJobs struct {
	next  http.Handler
	total int
}

func (m manyJobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if !strings.HasSuffix(target, ".Search") && !strings.HasSuffix(target, ".ListTrainingJobs") && !strings.HasSuffix(target, ".DescribeTrainingJob") {
		m.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	switch body, _ := io.ReadAll(r.Body); {
	case strings.HasSuffix(target, ".DescribeTrainingJob"):
		name := between(string(body), `"TrainingJobName":"`, `"`)
		i, _ := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
		io.WriteString(w, m.job(i))
	case strings.HasSuffix(target, ".ListTrainingJobs"):
		io.WriteString(w, `{"TrainingJobSummaries":[]}`)
	default:
		m.search(w, string(body))
	}
}

// search pages from the time asked for, or the token, to the end.
func (m manyJobs) search(w io.Writer, body string) {
	from := 0
	if token := between(body, `"NextToken":"`, `"`); token != "" {
		from, _ = strconv.Atoi(token)
	} else if at, err := time.Parse("2006-01-02T15:04:05", between(body, `"Value":"`, `"`)); err == nil {
		from = max(0, int(at.Sub(m.created(0))/time.Minute))
	}
	to := min(from+jobsPage, m.total)
	fmt.Fprintf(w, `{"TotalHits":{"Value":%d,"Relation":"EqualTo"},"Results":[`, m.total)
	for i := from; i < to; i++ {
		if i > from {
			io.WriteString(w, ",")
		}
		fmt.Fprintf(w, `{"TrainingJob":%s}`, m.job(i))
	}
	io.WriteString(w, "]")
	if to < m.total {
		fmt.Fprintf(w, `,"NextToken":"%d"`, to)
	}
	io.WriteString(w, "}")
}

func (m manyJobs) created(i int) time.Time {
	return now.Add(-time.Duration(m.total-i) * time.Minute)
}

func (m manyJobs) job(i int) string {
	family := i % 40
	name := fmt.Sprintf("family-%02d-training-2026-10-31-%07d", family, i)
	at := m.created(i).Unix()
	return fmt.Sprintf(`{"TrainingJobName":%q,"TrainingJobArn":"arn:aws:sagemaker:us-east-1:123456789012:training-job/%[1]s","CreationTime":%[2]d,"TrainingStartTime":%[3]d,"TrainingEndTime":%[4]d,"LastModifiedTime":%[4]d,
"TrainingJobStatus":"Completed","SecondaryStatus":"Completed","RoleArn":"arn:aws:iam::123456789012:role/service-role/family-%02[5]d",
"AlgorithmSpecification":{"TrainingImage":"123456789012.dkr.ecr.us-east-1.amazonaws.com/family-%02[5]d:1.%[6]d","TrainingInputMode":"File","MetricDefinitions":[{"Name":"loss","Regex":"loss=(.*)"},{"Name":"accuracy","Regex":"acc=(.*)"}]},
"HyperParameters":{"epochs":"10","learning_rate":"0.001","sagemaker_submit_directory":"\"s3://code-bucket/%[1]s/source/sourcedir.tar.gz\"","sagemaker_program":"train.py"},"Environment":{"LOG":"info"},
"InputDataConfig":[{"ChannelName":"train","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://data-bucket/family-%02[5]d/train/2026-%[6]d/"}}},{"ChannelName":"validation","DataSource":{"S3DataSource":{"S3DataType":"S3Prefix","S3Uri":"s3://data-bucket/family-%02[5]d/validation/"}}}],
"OutputDataConfig":{"S3OutputPath":"s3://models-bucket/family-%02[5]d","KmsKeyId":"arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-%012[5]d"},"ModelArtifacts":{"S3ModelArtifacts":"s3://models-bucket/family-%02[5]d/%[1]s/output/model.tar.gz"},
"ResourceConfig":{"InstanceType":"ml.g5.xlarge","InstanceCount":1,"VolumeSizeInGB":100},"VpcConfig":{"Subnets":["subnet-0a","subnet-0b"],"SecurityGroupIds":["sg-0%[5]d"]}}`,
		name, at, at+60, at+3600, family, i/4000)
}

func between(s, before, after string) string {
	_, s, ok := strings.Cut(s, before)
	if !ok {
		return ""
	}
	s, _, _ = strings.Cut(s, after)
	return s
}

// peak is the most memory that the process has held, in bytes, where the system
// tells: Linux does in /proc/self/status.
func peak() uint64 {
	text, _ := os.ReadFile("/proc/self/status")
	kilobytes, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(between(string(text), "VmHWM:", "\n")), " kB"), 10, 64)
	return kilobytes << 10
}

const memoryLimit = 800 << 20

// BenchmarkJobs500k collects half a million jobs over the wire and writes them:
// PERFORMANCE.md wants less than 1 GB for it.
func BenchmarkJobs500k(b *testing.B) {
	const total = 500_000
	a := small(0)
	o := options(a)
	o.Regions, o.Usage = []string{"us-east-1"}, UsageNone
	server := httptest.NewServer(manyJobs{next: awssim.New(a), total: total})
	defer server.Close()
	o.EndpointURL = server.URL
	// As the command line does: a soft limit, so that the collector of garbage does
	// not let the heap grow to twice what is held.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(memoryLimit))
	for b.Loop() {
		s := collected(b, o)
		if len(s.Jobs) != total {
			b.Fatalf("%d jobs, gaps %v", len(s.Jobs), gapsOf(s))
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if err := snapshot.Write(io.Discard, s); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-held")
		b.ReportMetric(float64(peak())/1e6, "MB-peak")
		b.ReportMetric(float64(calls(s, "sagemaker:")), "calls")
		if peak() > 1e9 {
			b.Errorf("%d MB at the peak, want less than 1,000", peak()/1e6)
		}
	}
}
