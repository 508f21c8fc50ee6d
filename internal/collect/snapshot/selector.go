package snapshot

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Role names and ARNs. Source: AWS IAM reference_identifiers and
// reference_iam-quotas (names: up to 64 of the characters below).
var (
	roleARN      = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/(?:[!-~]+/)?[\w+=,.@-]{1,64}$`)
	roleSelector = regexp.MustCompile(`^[\w+=,.@*?-]{1,64}$`)
)

// CheckSelector errs on a selector that is neither a role's name nor its ARN
// nor a glob (*, ?) of one.
func CheckSelector(selector string) error {
	switch {
	case strings.HasPrefix(selector, "arn:"):
		if !roleARN.MatchString(strings.NewReplacer("*", "x", "?", "x").Replace(strings.ReplaceAll(selector, "::*:", "::000000000000:"))) {
			return fmt.Errorf("%q is not the ARN of an IAM role, as arn:aws:iam::123456789012:role/path/name", selector)
		}
	case !roleSelector.MatchString(selector):
		return fmt.Errorf("%q is not the name of an IAM role, its ARN or a glob of one", selector)
	}
	return nil
}

// IsGlob reports whether the selector may name several roles.
func IsGlob(selector string) bool { return strings.ContainsAny(selector, "*?") }

// MatchRole reports whether the selector names the role: a name is compared
// with the last part of the ARN, an ARN with the whole. In a glob * matches any
// run of characters and ? one, slashes included.
func MatchRole(selector, arn string) bool {
	subject := arn
	if !strings.HasPrefix(selector, "arn:") {
		subject = arn[strings.LastIndexByte(arn, '/')+1:]
	}
	// path.Match stops * at slashes; nothing in a selector is an escape.
	flat := strings.NewReplacer("/", "\x00", "[", "\x01", `\`, "\x02")
	ok, _ := path.Match(flat.Replace(selector), flat.Replace(subject))
	return ok
}
