package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// everyBucket matches resources that name no bucket.
var everyBucket = regexp.MustCompile(`^(\*+|arn:[^:]*:s3:::\*+(/.*)?|arn:[^:]*:s3:\*+)$`)

// objectDeeds are what a statement may let a role do with a bucket and its objects.
var objectDeeds = []struct{ action, word string }{
	{"s3:GetObject", "read"}, {"s3:PutObject", "write"}, {"s3:DeleteObject", "delete"}, {"s3:ListBucket", "list"},
}

var bucketPolicyWrites = []string{"s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketAcl", "s3:PutObjectAcl"}

func objectActions() []string {
	out := make([]string, len(objectDeeds))
	for i, d := range objectDeeds {
		out[i] = d.action
	}
	return out
}

// deedWords are the words of what is held.
func deedWords(h held) string {
	var out []string
	for _, d := range objectDeeds {
		if slices.Contains(h.names(), d.action) {
			out = append(out, d.word)
		}
	}
	return strings.Join(out, ", ")
}

// inAccount is what is known of a request for a bucket of the account, or of another one:
// a bucket's ARN does not tell.
func inAccount(known policy.Context, account string) policy.Context {
	return known.With("aws:ResourceAccount", account).With("s3:ResourceAccount", account)
}

// another is an account that no policy has.
const another = "000000000000"

func s3EveryBucket(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction {
			return nil
		}
		own := inAccount(j.grant.known, a.place.account)
		at := func(known policy.Context) held {
			return holding(objectActions(), func(x string) hold { return a.anywhere(j, st, x, known) })
		}
		f := &found{severity: report.Medium, held: at(own), tells: []string{"s3"}}
		if f.held.none() {
			return nil
		}
		if f.held.has("s3:GetObject", "s3:PutObject", "s3:DeleteObject") || len(f.held.actions) == 0 {
			f.severity = report.High
		}
		others := ", and in those of others that let it"
		if foreign := at(inAccount(j.grant.known, another)); len(foreign.actions) == 0 {
			others = ""
		}
		f.says = fmt.Sprintf("may %s objects in every bucket of the account%s", deedWords(f.held), others)
		if len(f.held.actions) > 0 {
			if opens := holding(bucketPolicyWrites, func(x string) hold { return a.anywhere(j, st, x, own) }); len(opens.actions) > 0 {
				f.could = fmt.Sprintf(" It may open them to anybody, too (%s).", opens.actions[0])
			}
			f.could += fmt.Sprintf(" The jobs need %s.", a.bucketsNeeded(j))
		}
		return f
	})
}

func (a *audit) bucketsNeeded(j *judgement) string {
	needed := bucketsNeeded(j)
	switch len(needed) {
	case 0:
		return "none that is known"
	case 1, 2, 3:
		return strings.Join(needed, ", ")
	}
	return fmt.Sprintf("%d buckets", len(needed))
}

// s3Pattern takes a resource apart that names S3 buckets or objects by a pattern:
// leading is one whose first wildcard stands before any text, so that it runs over the
// bucket's name and the slash behind it; open is one that leaves the end of the bucket's
// name open. example is a resource that it matches and nobody has named.
// Source: AWS reference_policies_elements_resource (* stands for any text, / too).
func s3Pattern(resource string) (leading, open bool, example string) {
	parts := strings.SplitN(resource, ":", 6)
	if len(parts) != 6 || parts[2] != "s3" || strings.Trim(parts[3]+parts[4], "*") != "" || everyBucket.MatchString(resource) {
		return false, false, ""
	}
	bucket, key, slash := strings.Cut(parts[5], "/")
	if !strings.Contains(bucket, "*") {
		return false, false, ""
	}
	one := strings.NewReplacer("*", stranger, "?", "q")
	if strings.HasPrefix(strings.TrimLeft(bucket, "?"), "*") {
		return true, false, "arn:aws:s3:::" + stranger + "/" + one.Replace(strings.TrimLeft(parts[5], "*?"))
	}
	if !slash {
		key = stranger
	}
	return false, true, "arn:aws:s3:::" + one.Replace(bucket) + "/" + one.Replace(key)
}

// patternsHeld are the statement's S3 patterns of a kind, with what it lets the role do on
// what they match.
func (a *audit) patternsHeld(j *judgement, st *policy.Statement, account string, ofKind func(leading, open bool) bool) (patterns []string, all held) {
	if st.NotResource || st.NotAction {
		return nil, held{}
	}
	for _, r := range st.Resources {
		leading, open, example := s3Pattern(r)
		if !ofKind(leading, open) {
			continue
		}
		bucket, _, _ := strings.Cut(strings.TrimPrefix(example, "arn:aws:s3:::"), "/")
		h := holding(objectActions(), func(x string) hold {
			resource := "arn:" + a.place.partition + ":s3:::" + strings.TrimPrefix(example, "arn:aws:s3:::")
			if x == "s3:ListBucket" {
				resource = "arn:" + a.place.partition + ":s3:::" + bucket
			}
			return a.holdOn(j, st, x, resource, inAccount(j.grant.known, account))
		})
		if h.none() {
			continue
		}
		patterns = append(patterns, r)
		for _, x := range h.actions {
			if !slices.Contains(all.actions, x) {
				all.actions = append(all.actions, x)
			}
		}
		all.refused, all.firm = append(all.refused, h.refused...), all.firm || h.firm
		if all.layer == "" {
			all.layer = h.layer
		}
	}
	return patterns, all
}

func s3KeyPattern(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		kind := func(leading, _ bool) bool { return leading }
		patterns, h := a.patternsHeld(j, st, another, kind)
		others := " of any account"
		if len(h.actions) == 0 {
			if own, mine := a.patternsHeld(j, st, a.place.account, kind); len(mine.actions) > 0 || len(patterns) == 0 {
				patterns, h, others = own, mine, " of the account"
			}
		}
		if len(patterns) == 0 {
			return nil
		}
		f := &found{severity: report.Medium, held: h,
			says: fmt.Sprintf("lets the role %s on %s: every key that ends so, in any bucket%s", deedWords(h), shortList(patterns, 4), others)}
		if slices.ContainsFunc(patterns, func(p string) bool { return strings.HasSuffix(p, "*") }) {
			f.says = fmt.Sprintf("lets the role %s on %s: every key with that text, in any bucket%s", deedWords(h), shortList(patterns, 4), others)
		}
		if others == " of the account" {
			f.severity = report.Low
		}
		switch {
		case h.has("s3:PutObject"):
			f.could = fmt.Sprintf(" %s can write to a bucket of its choice: it only has to choose the key.", capital(j.coder()))
		case h.has("s3:DeleteObject"):
			f.could = fmt.Sprintf(" %s can delete them.", capital(j.coder()))
		}
		return f
	})
}

// serviceNames begin the names of buckets that AWS's services and consoles make, which
// anybody can foretell.
// Source: AWS sagemaker-roles (sagemaker-), glue create-service-policy (aws-glue-),
// cloudformation (cf-templates-), emr studio, codepipeline.
var serviceNames = []string{"sagemaker", "aws-glue-", "cf-templates-", "aws-emr-studio-", "aws-codestar-", "codepipeline-", "cdk-", "aws-athena-query-results-"}

func s3BucketPattern(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		// With the bucket in another account: a condition on aws:ResourceAccount is the cure.
		patterns, h := a.patternsHeld(j, st, another, func(_, open bool) bool { return open })
		if len(h.actions) == 0 {
			return nil
		}
		f := &found{severity: report.Low, held: h,
			says: fmt.Sprintf("lets the role %s on %s in buckets of any account", deedWords(h), shortList(patterns, 4))}
		foretold := slices.ContainsFunc(patterns, func(p string) bool {
			name := p[strings.LastIndexByte(p, ':')+1:]
			return slices.ContainsFunc(serviceNames, func(s string) bool { return strings.HasPrefix(name, s) })
		})
		if foretold && h.has("s3:PutObject") {
			f.severity = report.Medium
		}
		switch {
		case h.has("s3:PutObject"):
			f.could = fmt.Sprintf(" %s can copy data out to such a bucket.", capital(j.coder()))
		case h.has("s3:GetObject"):
			f.could = " A bucket of that name can feed data or models to the jobs."
		}
		return f
	})
}
