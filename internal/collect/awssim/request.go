package awssim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// request is what can be said of an HTTP request before it is served.
type request struct {
	service  string // endpoint prefix of the credential scope: iam, sagemaker ...
	region   string
	signed   bool
	op       string // the operation's name; for a service we do not know, method and path
	retry    bool   // the client says that this is not its first attempt
	protocol protocol
	form     url.Values // of the query protocol, and the query of S3
	body     []byte     // JSON protocols
	// Of S3.
	bucket, object string
	byteRange      string // the Range header
	query          url.Values
	ifMatch        string // an ETag, quotes included
}

// maxBody is above any request of the read list.
const maxBody = 1 << 20

func readRequest(r *http.Request) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, err
	}
	q := &request{body: body, retry: isRetry(r.Header.Get("Amz-Sdk-Request"))}
	q.service, q.region, q.signed = credentialScope(r.Header.Get("Authorization"))

	switch target := r.Header.Get("X-Amz-Target"); {
	case target != "":
		// botocore's and the Go SDK's targets differ in length only: [com.amazonaws...]Service_Version.Operation
		q.protocol, q.op = json11, target[strings.LastIndexByte(target, '.')+1:]
		if q.service == "" {
			q.service = serviceOfTarget(target)
		}
	case isQuery(r):
		q.protocol = query
		if q.form, err = url.ParseQuery(string(body)); err != nil {
			return nil, err
		}
		for name, values := range r.URL.Query() {
			q.form[name] = append(q.form[name], values...)
		}
		q.op = q.form.Get("Action")
		if q.service == "" {
			q.service = serviceOfVersion(q.form.Get("Version"))
		}
	case q.service == "s3":
		q.protocol, q.op = restXML, r.Method+" "+r.URL.RequestURI()
		// Path style alone: on the loopback interface a bucket has no host of its own (AWS: VirtualHosting).
		bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Get("x-id") == "ListBuckets" { // as the SDKs sign their calls
			q.op, q.query = "ListBuckets", r.URL.Query()
		}
		if r.Method == http.MethodGet && bucket != "" && key == "" && r.URL.Query().Has("policy") {
			q.op, q.bucket = "GetBucketPolicy", bucket
		}
		if r.Method == http.MethodGet && bucket != "" && key == "" && r.URL.Query().Has("encryption") {
			q.op, q.bucket = "GetBucketEncryption", bucket
		}
		if r.Method == http.MethodGet && bucket != "" && key == "" && r.URL.Query().Get("list-type") == "2" {
			q.op, q.bucket, q.form = "ListObjectsV2", bucket, r.URL.Query()
		}
		if r.Method == http.MethodGet && bucket != "" && key != "" && r.URL.Query().Get("x-id") == "GetObject" { // as the SDKs sign their calls
			q.op, q.bucket, q.object, q.byteRange, q.ifMatch = "GetObject", bucket, key, r.Header.Get("Range"), r.Header.Get("If-Match")
		}
	default:
		q.protocol, q.op = restJSON, r.Method+" "+r.URL.Path
		if r.Method == http.MethodPost && r.URL.Path == "/listRegions" {
			q.op = "ListRegions"
			if q.service == "" {
				q.service = "account"
			}
		}
	}
	return q, nil
}

func isQuery(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.URL.Query().Has("Action")
}

// credentialScope reads Credential=AKID/DATE/REGION/SERVICE/aws4_request (AWS: reference_sigv-create-signed-request).
func credentialScope(authorization string) (service, region string, ok bool) {
	_, credential, ok := strings.Cut(authorization, "Credential=")
	if !ok || !strings.HasPrefix(authorization, "AWS4-") {
		return "", "", false
	}
	credential, _, _ = strings.Cut(credential, ",")
	scope := strings.Split(strings.TrimSpace(credential), "/")
	if len(scope) < 5 {
		return "", "", false
	}
	scope = scope[len(scope)-4:] // an access key id may hold anything, a slash too
	return scope[2], scope[1], true
}

func serviceOfTarget(target string) string {
	switch {
	case strings.Contains(target, "SageMaker"):
		return "sagemaker"
	case strings.Contains(target, "CloudTrail"):
		return "cloudtrail"
	case strings.HasPrefix(target, "TrentService."):
		return "kms"
	case strings.HasPrefix(target, "AmazonEC2ContainerRegistry_"):
		return "ecr"
	default:
		return "unknown"
	}
}

func serviceOfVersion(version string) string {
	switch version {
	case "2010-05-08":
		return "iam"
	case "2011-06-15":
		return "sts"
	default:
		return "unknown"
	}
}

// isRetry reads "attempt=2; max=3", which the SDKs send with each attempt.
func isRetry(header string) bool {
	for field := range strings.SplitSeq(header, ";") {
		if attempt, ok := strings.CutPrefix(strings.TrimSpace(field), "attempt="); ok {
			return attempt != "1"
		}
	}
	return false
}

// call is one request on its way through an operation.
type call struct {
	*request
	operation *operation
	account   *Account
	index     *index
	reports   *reports
	behaviour Behaviour
	fault     *Fault // the fault that shapes the answer, or nil
	number    uint64 // of the request, counted over all operations
}

// decode reads the JSON body. A body that is not the operation's shape is AWS's SerializationException.
func (c *call) decode(into any) error {
	body := c.body
	if len(body) == 0 {
		body = []byte("{}")
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &apiError{code: "SerializationException", message: fmt.Sprintf("cannot read the request of %s: %v", c.operation.action(), err)}
	}
	return nil
}
