package awssim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
)

// protocol is how a service speaks: what its answers and errors look like.
type protocol int

const (
	query    protocol = iota // form in, XML out: IAM, STS
	json11                   // X-Amz-Target, JSON in and out: SageMaker, CloudTrail, KMS
	restJSON                 // the path names the operation, JSON in and out: Account
	restXML                  // path and query name bucket and operation, the answer is the document, errors are XML: S3
)

// apiError is an error answer. Its zero status means 400, what most errors of AWS have.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// redirect is the answer of a region that does not have the bucket: S3 names the one that has in a header (AWS:
// API_HeadBucket, x-amz-bucket-region).
type redirect struct {
	region string
	*apiError
}

func (r *redirect) Unwrap() error { return r.apiError }

// wording is how one protocol spells the errors that every service knows (AWS: CommonErrors of each service).
type wording struct {
	denied, throttled, expired, unsigned, unknownKey apiError
}

var wordings = map[protocol]wording{
	query: {
		denied:     apiError{http.StatusForbidden, "AccessDenied", ""},
		throttled:  apiError{http.StatusBadRequest, "Throttling", "Rate exceeded"},
		expired:    apiError{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"},
		unsigned:   apiError{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"},
		unknownKey: apiError{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."},
	},
	json11: {
		denied:     apiError{http.StatusBadRequest, "AccessDeniedException", ""},
		throttled:  apiError{http.StatusBadRequest, "ThrottlingException", "Rate exceeded"},
		expired:    apiError{http.StatusBadRequest, "ExpiredTokenException", "The security token included in the request is expired"},
		unsigned:   apiError{http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		unknownKey: apiError{http.StatusBadRequest, "UnrecognizedClientException", "The security token included in the request is invalid."},
	},
	restJSON: {
		denied:     apiError{http.StatusForbidden, "AccessDeniedException", ""},
		throttled:  apiError{http.StatusTooManyRequests, "TooManyRequestsException", "Rate exceeded"},
		expired:    apiError{http.StatusForbidden, "ExpiredTokenException", "The security token included in the request is expired"},
		unsigned:   apiError{http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token"},
		unknownKey: apiError{http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid."},
	},
	// AWS: ErrorResponses of S3.
	restXML: {
		denied:     apiError{http.StatusForbidden, "AccessDenied", ""},
		throttled:  apiError{http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate."},
		expired:    apiError{http.StatusBadRequest, "ExpiredToken", "The provided token has expired."},
		unsigned:   apiError{http.StatusForbidden, "AccessDenied", "Access Denied"},
		unknownKey: apiError{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."},
	},
}

// deny words a refusal as AWS does (AWS: troubleshoot_access-denied).
func (p protocol) deny(caller, action, resource string) *apiError {
	e := wordings[p].denied
	if p == restXML {
		resource = strconv.Quote(resource)
	}
	e.message = fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action",
		caller, action, resource, action)
	return &e
}

func (p protocol) invalid(format string, args ...any) *apiError {
	e := &apiError{code: "ValidationException", message: fmt.Sprintf(format, args...)}
	if p == query {
		e.code = "ValidationError"
	}
	return e
}

// outage is an error of the service itself (AWS: CommonErrors, InternalFailure and ServiceUnavailable).
func (p protocol) outage(status int) *apiError {
	if status == http.StatusServiceUnavailable {
		return &apiError{status, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."}
	}
	if p == restXML {
		return &apiError{status, "InternalError", "We encountered an internal error. Please try again."}
	}
	return &apiError{status, "InternalFailure", "The request processing has failed because of an unknown error, exception or failure."}
}

func (p protocol) contentType() string {
	switch p {
	case query:
		return "text/xml"
	case json11:
		return "application/x-amz-json-1.1"
	case restXML:
		return "application/xml"
	default:
		return "application/json"
	}
}

// encodeError gives the body of an error answer.
func (p protocol) encodeError(e *apiError, requestID string) []byte {
	if p == restXML {
		return append([]byte(xml.Header), mustXML(struct {
			XMLName   xml.Name `xml:"Error"`
			Code      string
			Message   string
			RequestID string `xml:"RequestId"`
		}{Code: e.code, Message: e.message, RequestID: requestID})...)
	}
	if p == query {
		fault := "Sender"
		if e.status >= http.StatusInternalServerError {
			fault = "Receiver"
		}
		return mustXML(struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Type      string   `xml:"Error>Type"`
			Code      string   `xml:"Error>Code"`
			Message   string   `xml:"Error>Message"`
			RequestID string   `xml:"RequestId"`
		}{Type: fault, Code: e.code, Message: e.message, RequestID: requestID})
	}
	return mustJSON(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{e.code, e.message})
}

// The two encoders take only our own plain structs, which always encode.
func mustXML(v any) []byte {
	text, err := xml.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
