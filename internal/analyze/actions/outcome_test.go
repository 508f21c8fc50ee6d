package actions

import "testing"

// TestOutcome holds every row of the table by at least one real spelling.
func TestOutcome(t *testing.T) {
	for outcome, codes := range map[Outcome][]string{
		Used: {
			"", "NoSuchKey", "NoSuchBucket", "NoSuchEntity", "404", "ResourceNotFoundException", "ResourceNotFound",
			"EntityAlreadyExists", "ResourceAlreadyExistsException", "BucketAlreadyOwnedByYou", "ConflictException",
			"Client.DryRunOperation", "LimitExceededException", "ResourceLimitExceeded", "ConditionalCheckFailedException",
			"RepositoryNotFoundException", "Client.InvalidInstanceID.NotFound", "DBSubnetGroupNotFoundFault", "AuthorizationAlreadyExists",
		},
		Denied: {
			"AccessDenied", "AccessDeniedException", "Client.AccessDenied", "AccessDeniedFault", "KMSAccessDeniedException",
			"VpceAccessDenied", "Client.UnauthorizedOperation", "UnauthorizedOperation", "UnauthorizedAccess", "UnauthorizedException",
			"EC2UnauthorizedOperation", "AuthorizationError", "AuthorizationErrorException", "NotAuthorized", "NotAuthorizedException",
			"403", "Forbidden", "ForbiddenException", "AllAccessDisabled", "com.amazonaws.kms#AccessDeniedException", " accessdenied ",
		},
		Attempted: {
			"Throttling", "ThrottlingException", "ThrottledException", "Client.RequestLimitExceeded", "RequestThrottled",
			"TooManyRequestsException", "SlowDown", "ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "429",
			"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidClientTokenId", "UnrecognizedClientException",
			"InvalidAccessKeyId", "InvalidToken", "InvalidIdentityToken", "MissingAuthenticationToken", "MissingSecurityHeader",
			"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "AuthorizationHeaderMalformed",
			"AuthorizationQueryParametersError", "RequestExpired", "RequestTimeTooSkewed", "OptInRequired", "SubscriptionRequiredException",
			"Client.AuthFailure", "PendingVerification",
			"ValidationError", "ValidationException", "InvalidParameterValue", "InvalidParameterException", "InvalidParameterCombination",
			"InvalidQueryParameter", "InvalidArgument", "InvalidInputException", "InvalidRequestException", "InvalidAction",
			"MissingParameter", "MissingAction", "MissingRequiredParameter", "UnknownOperationException", "UnknownParameter",
			"BadRequestException", "MalformedPolicyDocument", "SerializationException", "RequestEntityTooLargeException",
			"RequestAbortedException", "400", "PermanentRedirect", "TemporaryRedirect", "301", "307",
			"ServiceUnavailable", "InternalFailure", "Server.InternalError", "InternalServerError", "InternalServiceError",
			"InternalException", "ServiceException", "RequestTimeout", "500", "503",
		},
	} {
		for _, code := range codes {
			if got := OutcomeOf(Call{ErrorCode: code}); got != outcome {
				t.Errorf("%q is %s, want %s", code, got, outcome)
			}
		}
		if outcome != Used {
			covered(t, outcome, codes)
		}
	}
}

// covered fails for a text of the table that no spelling above needs.
func covered(t *testing.T, outcome Outcome, codes []string) {
	for _, row := range errorRows {
		if row.outcome != outcome {
			continue
		}
		for _, text := range row.texts {
			found := false
			for _, code := range codes {
				found = found || row.how(normalCode(code), text)
			}
			if !found {
				t.Errorf("no spelling of %q is tested", text)
			}
		}
	}
}

// TestOutcomeByMessage: SageMaker reports a refusal as a ValidationException.
func TestOutcomeByMessage(t *testing.T) {
	c := Call{Source: "sagemaker.amazonaws.com", Name: "CreateTrainingJob", ErrorCode: "ValidationException"}
	if got := OutcomeOf(c); got != Attempted {
		t.Errorf("without a denial: %s", got)
	}
	c.Denial.Action = "s3:ListBucket"
	if got := OutcomeOf(c); got != Denied {
		t.Errorf("with a denial: %s", got)
	}
}
