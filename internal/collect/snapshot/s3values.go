package snapshot

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// S3Values keeps the values that are S3 URIs, by key: no other value of a hyperparameter
// or of the environment is anybody's to keep. SageMaker's Python SDK writes
// hyperparameters JSON-quoted (aws/sagemaker-python-sdk#4409).
func S3Values(field string, values map[string]string) []S3Value {
	var kept []S3Value
	for key, value := range values {
		if uri := Unquoted(value); s3URI.MatchString(uri) {
			kept = append(kept, S3Value{Field: field, Key: key, URI: uri})
		}
	}
	slices.SortFunc(kept, func(a, b S3Value) int { return cmp.Compare(a.Key, b.Key) })
	return kept
}

// CodeArtifact is the repository that an environment names for its container's packages
// (aws/sagemaker-python-sdk#5765), "" for none.
func CodeArtifact(environment map[string]string) string {
	if arn := Unquoted(environment["CA_REPOSITORY_ARN"]); codeArtifact.MatchString(arn) {
		return arn
	}
	return ""
}

// codeArtifact is the ARN of a repository: AWS service authorization reference,
// CodeArtifact.
var codeArtifact = regexp.MustCompile(`^arn:aws[a-z-]*:codeartifact:[a-z0-9-]+:\d{12}:repository/[a-z][a-z0-9-]{0,48}[a-z0-9]/[A-Za-z0-9][A-Za-z0-9._-]{1,99}$`)

// Unquoted is a value without the quotes of a JSON string.
func Unquoted(value string) string {
	value = strings.TrimSpace(value)
	var s string
	if strings.HasPrefix(value, `"`) && json.Unmarshal([]byte(value), &s) == nil {
		return strings.TrimSpace(s)
	}
	return value
}

// s3URI is a bucket and perhaps a key in one word: a command line that begins with
// an S3 URI is none.
var s3URI = regexp.MustCompile(`^s3://[\w.:-]+(?:/[^\s\x00-\x1f"?]*)?$`)
