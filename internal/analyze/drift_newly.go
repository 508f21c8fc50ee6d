package analyze

import (
	"cmp"
	"slices"
	"strings"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// The reasons why a grant is a risk, worst first.
const (
	riskEscalation  = "escalation"
	riskPermissions = "permissions"
	riskData        = "data"
	riskWrite       = "write"
	riskRead        = "read"
)

var risks = []string{riskEscalation, riskPermissions, riskData, riskWrite, riskRead}

// escalates are the actions by which code in a job can become somebody who may more:
// iamWrites and, handing or taking another role, these.
// Source: AWS IAM id_roles_use_passrole, STS API AssumeRole.
var escalates = append(slices.Clone(iamWrites), "iam:PassRole", "sts:AssumeRole", "iam:CreateRole", "iam:CreateUser")

// dataActions read or write what a bucket, a table, a secret or a key holds.
var dataActions = []string{
	"s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket",
	"secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath",
	"kms:Decrypt", "kms:ReEncryptFrom", "kms:ScheduleKeyDeletion", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:Scan",
	"dynamodb:PutItem", "dynamodb:DeleteItem", "athena:GetQueryResults", "redshift-data:ExecuteStatement", "rds-data:ExecuteStatement",
}

// riskOf says why an action is a risk.
func (g *grantJudge) riskOf(i int) string {
	action := g.catalog.Action(i)
	switch {
	case slices.Contains(escalates, action):
		return riskEscalation
	case g.catalog.IsPermissionsManagement(i):
		return riskPermissions
	case slices.Contains(dataActions, action):
		return riskData
	case !g.catalog.IsReadOnly(i):
		return riskWrite
	}
	return riskRead
}

// newly counts what may be allowed by is and was not by was, within all layers.
func (g *grantJudge) newly(was, is *policy.Grant) report.Newly {
	var (
		n    report.Newly
		best []report.RiskyGrant
	)
	rank := make(map[string]int, len(risks))
	for i, r := range risks {
		rank[r] = i
	}
	order := func(a, b report.RiskyGrant) int {
		return cmp.Or(cmp.Compare(rank[a.Why], rank[b.Why]), cmp.Compare(breadth(a.Resource), breadth(b.Resource)),
			cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	}
	keep := func(i int, resource string) {
		r := report.RiskyGrant{Action: g.catalog.Action(i), Resource: resource, Why: g.riskOf(i)}
		if len(best) == report.MaxRiskiest && order(r, best[len(best)-1]) >= 0 {
			return
		}
		at, _ := slices.BinarySearchFunc(best, r, order)
		best = slices.Insert(best, at, r)
		best = best[:min(len(best), report.MaxRiskiest)]
	}
	for i := range is.Actions() {
		now, then := is.Effective(i), was.Effective(i)
		switch {
		case now == policy.No:
		case then == policy.No:
			n.Actions++
			keep(i, widestPattern(is.Patterns(i)))
		default:
			if p, more := broaderThan(is.Patterns(i), was.Patterns(i)); more || now == policy.Yes && then == policy.Conditional {
				n.Broader++
				keep(i, cmp.Or(p, widestPattern(is.Patterns(i))))
			}
		}
	}
	n.Riskiest = best
	return n
}

// breadth orders resource patterns: all, then those with wildcards, then the rest.
func breadth(pattern string) int {
	switch {
	case isAny(pattern), strings.HasPrefix(pattern, allBut):
		return 0
	case strings.ContainsAny(pattern, "*?"):
		return 1
	}
	return 2
}

func grantedWords(p policy.GrantedPattern) string {
	if p.Not {
		return allBut + shortList(p.Statement.Resources, 2)
	}
	return p.Pattern
}

func widestPattern(patterns []policy.GrantedPattern) string {
	widest := ""
	for _, p := range patterns {
		if w := grantedWords(p); widest == "" || breadth(w) < breadth(widest) || breadth(w) == breadth(widest) && w < widest {
			widest = w
		}
	}
	return cmp.Or(widest, "*")
}

// broaderThan finds a pattern that none of the others includes under as few conditions.
func broaderThan(patterns, others []policy.GrantedPattern) (string, bool) {
	found := ""
	for _, p := range patterns {
		if slices.ContainsFunc(others, func(q policy.GrantedPattern) bool {
			if q.Statement == p.Statement && q.Pattern == p.Pattern && q.Not == p.Not {
				return true
			}
			if q.Conditional && conditionsKey(q.Statement.Spec().Conditions) != conditionsKey(p.Statement.Spec().Conditions) {
				return false
			}
			switch {
			case q.Not:
				return p.Not && slices.Equal(p.Statement.Resources, q.Statement.Resources)
			case p.Not:
				return isAny(q.Pattern)
			}
			return q.Pattern == p.Pattern || isAny(q.Pattern) || policy.Includes(q.Pattern, p.Pattern)
		}) {
			continue
		}
		if w := grantedWords(p); found == "" || breadth(w) < breadth(found) || breadth(w) == breadth(found) && w < found {
			found = w
		}
	}
	return found, found != ""
}

// withPrincipals joins what is newly allowed with who newly may.
func withPrincipals(n, who report.Newly) report.Newly {
	n.Principals, n.PrincipalsTotal = who.Principals, who.PrincipalsTotal
	if n.Note == "" {
		n.Note = who.Note
	}
	return n
}
