package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// errRepeatedToken is a page that names itself, or one before it, as the next.
var errRepeatedToken = errors.New("a page token came twice: the list does not end")

// broken is an answer that arrived and cannot be understood.
type broken string

func (b broken) Error() string { return string(b) }

// reason gives the snapshot's word for why a call failed.
func reason(err error) string {
	var (
		api     smithy.APIError
		decode  *smithy.DeserializationError
		answer  *smithyhttp.ResponseError
		network net.Error
		bad     broken
		unknown noSuch
		failed  *reportFailed
	)
	status := 0
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return snapshot.ReasonTimeout
	case errors.Is(err, errUnfinished):
		return snapshot.ReasonTimeout
	case errors.Is(err, errEmptyReport):
		return snapshot.ReasonShort
	case errors.As(err, &failed):
		return cmp.Or(codeReason(failed.code), snapshot.ReasonUnavailable)
	case errors.Is(err, errRepeatedToken), errors.As(err, &bad):
		return snapshot.ReasonBroken
	case errors.As(err, &unknown):
		return snapshot.ReasonMissing
	case throttled(err):
		return snapshot.ReasonThrottled
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return snapshot.ReasonCut
	case errors.As(err, &api) && codeReason(api.ErrorCode()) != "":
		return codeReason(api.ErrorCode())
	case status == http.StatusNotImplemented, status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return snapshot.ReasonUnsupported
	case status >= http.StatusInternalServerError:
		return snapshot.ReasonUnavailable
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return snapshot.ReasonRefused
	case errors.As(err, &network):
		return snapshot.ReasonCut
	case errors.As(err, &decode):
		return snapshot.ReasonBroken
	case errors.As(err, &api) && api.ErrorFault() != smithy.FaultServer:
		// The endpoint knows the operation and not what we ask of it.
		return snapshot.ReasonUnsupported
	}
	return snapshot.ReasonBroken
}

// codeReason reads the error codes that services share, in their spellings.
// Source: AWS API references, "Common Errors"; IAM API_GetRole (NoSuchEntity); S3
// ErrorResponses; KMS API_GetKeyPolicy.
func codeReason(code string) string {
	switch {
	case strings.HasPrefix(code, "AccessDenied"), strings.HasPrefix(code, "NotAuthorized"), strings.HasSuffix(code, "UnauthorizedOperation"),
		strangeCode(code):
		return snapshot.ReasonRefused
	}
	switch code {
	case "UnauthorizedAccess", "AuthorizationError":
		return snapshot.ReasonRefused
	case "NoSuchEntity", "NoSuchEntityException", "ResourceNotFound", "ResourceNotFoundException", "TrailNotFoundException",
		"NoSuchBucket", "NoSuchKey", "InvalidBucketName", "NotFoundException", "InvalidArnException", "KMSInvalidStateException":
		return snapshot.ReasonMissing
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed": // of S3, and to no region that it names
		return snapshot.ReasonBroken
	case "InvalidNextTokenException", "InvalidNextToken", "InvalidMarker":
		return snapshot.ReasonBroken
	case "InvalidObjectState": // archived, and not to be read as it is (AWS: S3 API_GetObject)
		return snapshot.ReasonUnsupported
	case "UnknownOperationException", "InvalidAction", "NotImplemented", "UnsupportedOperation", "UnsupportedOperationException":
		return snapshot.ReasonUnsupported
	}
	return ""
}

// strange reports whether AWS did not accept the credentials themselves, or those of
// this account: no permission would change that.
func strange(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strangeCode(api.ErrorCode())
}

// closed reports whether it is a resource that does not let the caller in, as that of
// another account: no permission of the caller's own would change that. S3 says
// why only within an account or an organization (AWS: troubleshoot-403-errors).
func closed(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (strings.Contains(api.ErrorMessage(), "resource-based policy") || api.ErrorMessage() == "Access Denied")
}

func strangeCode(code string) bool {
	switch code {
	case "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
		"IncompleteSignature", "IncompleteSignatureException", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"OptInRequired", "RequestExpired", "InvalidAccessKeyId",
		"MethodNotAllowed": // whose bucket it is not may not read its policy (AWS: API_GetBucketPolicy)
		return true
	}
	return strings.HasPrefix(code, "ExpiredToken") || strings.HasPrefix(code, "AuthFailure")
}

// hopeless reports whether more calls of the kind would fail in the same way:
// trying each of a thousand would only take a thousand times as long.
func hopeless(err error) bool {
	if err == nil {
		return false
	}
	switch reason(err) {
	case snapshot.ReasonThrottled, snapshot.ReasonUnavailable, snapshot.ReasonCut, snapshot.ReasonTimeout, snapshot.ReasonUnsupported:
		return true
	}
	return false
}

var (
	accessKeyID = regexp.MustCompile(`\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b`)
	encodedNote = regexp.MustCompile(`(?i)\s*Encoded authorization failure message:.*`)
)

// detail puts an error into words for a report: AWS's code and message, or the
// innermost cause, in one line, without request ids, addresses and credentials.
func detail(err error) string {
	var (
		api    smithy.APIError
		answer *smithyhttp.ResponseError
		text   string
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "the time limit was reached"
	case errors.As(err, &api):
		text = api.ErrorCode()
		if m := api.ErrorMessage(); m != "" {
			text += ": " + m
		}
	case errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusBadRequest:
		text = fmt.Sprintf("HTTP status %d, and no error that AWS words", answer.HTTPStatusCode())
	default:
		text = innermost(err)
	}
	text = encodedNote.ReplaceAllString(text, "")
	text = accessKeyID.ReplaceAllString(text, "[access key]")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	const longest = 400
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "..."
	}
	return text
}

// innermost gives the cause at the end of a chain of errors: what the SDK and the
// network wrap around it names ports, request ids and URLs.
func innermost(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return "no such host: " + dns.Name
	}
	for {
		var inner error
		switch e := err.(type) {
		case *url.Error:
			inner = e.Err
		case interface{ Unwrap() error }:
			inner = e.Unwrap()
		case interface{ Unwrap() []error }:
			if all := e.Unwrap(); len(all) > 0 {
				inner = all[0]
			}
		}
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}
