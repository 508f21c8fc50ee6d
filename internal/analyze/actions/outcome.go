package actions

import "strings"

// Outcome says what a call's answer proves about authorisation.
type Outcome string

const (
	// Used: the call was authorised.
	Used Outcome = "used"
	// Attempted: it was turned away before or without a decision on
	// authorisation, or the record does not tell.
	Attempted Outcome = "attempted"
	// Denied: authorisation was refused.
	Denied Outcome = "denied"
)

// OutcomeOf classifies a call by its error code and by what its message says.
// The table rests on AWS's common errors (AWS: CommonErrors of each service's
// API reference), EC2's and S3's own (AWS: errors-overview, ErrorResponses) and
// CloudTrail records; an error in none of its rows came after authorisation.
func OutcomeOf(c Call) Outcome {
	if c.ErrorCode == "" {
		return Used
	}
	// "User: ... is not authorized to perform: ...", whatever the code: SageMaker
	// says so in a ValidationException.
	if c.Denial.Action != "" {
		return Denied
	}
	code := normalCode(c.ErrorCode)
	for _, row := range errorRows {
		if row.match(code) {
			return row.outcome
		}
	}
	return Used
}

// errorRow matches normalised error codes; the first that matches decides.
type errorRow struct {
	outcome Outcome
	how     func(code, text string) bool
	texts   []string
}

func (r errorRow) match(code string) bool {
	for _, t := range r.texts {
		if r.how(code, t) {
			return true
		}
	}
	return false
}

func equal(code, text string) bool { return code == text }

var errorRows = []errorRow{
	// Turned away for the credentials, the signature, the clock or the
	// subscription. AuthFailure is EC2's "could not be validated", which may or
	// may not be a refusal. These stand first: some hold the words of a refusal.
	{Attempted, strings.HasPrefix, []string{
		"expiredtoken", "tokenrefreshrequired", "invalidclienttokenid", "unrecognizedclient", "invalidaccesskeyid",
		"invalidtoken", "invalididentitytoken", "missingauthenticationtoken", "missingsecurity", "authfailure",
		"signaturedoesnotmatch", "invalidsignature", "incompletesignature", "authorizationheadermalformed",
		"authorizationqueryparameters", "requestexpired", "requesttimetooskewed", "optinrequired",
		"subscriptionrequired", "pendingverification",
	}},
	// Refused. Lambda's KMSAccessDenied and the endpoint's VpceAccessDenied carry
	// the words in the middle.
	{Denied, strings.Contains, []string{"accessdenied", "unauthorized"}},
	{Denied, strings.HasPrefix, []string{"notauthorized", "authorizationerror", "forbidden", "allaccessdisabled", "403"}},
	// Throttled: "denied due to request throttling", before anything else or
	// after, which the record does not say.
	{Attempted, strings.Contains, []string{
		"throttl", "requestlimitexceeded", "toomanyrequests", "slowdown", "bandwidthlimitexceeded", "throughputexceeded",
	}},
	{Attempted, equal, []string{"429"}},
	// Rejected as malformed or invalid. Services validate before they authorise,
	// or after, each in its own way.
	{Attempted, strings.HasPrefix, []string{
		"validation", "invalidparameter", "invalidquery", "invalidargument", "invalidinput", "invalidrequest", "invalidaction",
		"missingparameter", "missingaction", "missingrequired", "unknownoperation", "unknownparameter", "badrequest",
		"malformed", "serialization", "requestentitytoolarge", "requestaborted", "400",
	}},
	// Sent elsewhere: S3 answers so for a bucket of another region.
	{Attempted, strings.HasPrefix, []string{"permanentredirect", "temporaryredirect", "301", "307"}},
	// The service failed. S3 also throttles by ServiceUnavailable; of none does
	// AWS say that the request had been authorised.
	{Attempted, strings.HasPrefix, []string{
		"serviceunavailable", "internalfailure", "internalerror", "internalservererror", "internalserviceerror",
		"internalexception", "serviceexception", "requesttimeout", "500", "503",
	}},
}

// normalCode strips what services put around a code: EC2's "Client." and
// "Server.", a namespace before '#' and white space; and lowers it.
func normalCode(code string) string {
	code = strings.ToLower(strings.TrimSpace(code))
	code = code[strings.LastIndexByte(code, '#')+1:]
	code = strings.TrimPrefix(code, "client.")
	return strings.TrimPrefix(code, "server.")
}
