package collect

import (
	"hash/maphash"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// pages calls next with each page token until an answer has none, or next says
// that it has enough. Pages may be empty: AWS filters after it has cut a page, so
// only a missing token is the end (AWS: API_ListTrainingJobs, StatusEquals). A
// token that comes a second time is an error, for such a list never ends.
func pages(next func(token *string) (following *string, enough bool, err error)) error {
	var (
		token *string
		seed  = maphash.MakeSeed()
		seen  = make(map[uint64]bool)
	)
	for {
		following, enough, err := next(token)
		if err != nil || enough || aws.ToString(following) == "" {
			return err
		}
		mark := maphash.String(seed, *following)
		if seen[mark] {
			return errRepeatedToken
		}
		seen[mark] = true
		token = following
	}
}

// following gives pages what an answer of IAM's says about the page after it. One
// that is truncated and names none would end the list too early.
func following(truncated bool, marker *string) (*string, bool, error) {
	if truncated && aws.ToString(marker) == "" {
		return nil, false, broken("a truncated answer without a marker")
	}
	return marker, !truncated, nil
}
