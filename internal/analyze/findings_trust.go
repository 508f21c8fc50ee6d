package analyze

import (
	"fmt"
	"regexp"
	"strings"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// assumeFailure are the texts of jobs that SageMaker could not start under the
// role. Source: AWS SageMaker failure reasons as users report them; see
// docs/data.md.
var assumeFailure = regexp.MustCompile(`(?i)unable to assume the role|unable to perform: sts:AssumeRole|could not assume role`)

func trustWithoutSageMaker(a *audit, j *judgement) []hit {
	if j.sub.gone {
		return nil
	}
	var evidence []report.Evidence
	failed := 0
	for _, job := range j.sub.jobs {
		if assumeFailure.MatchString(job.FailureReason) {
			failed++
			if len(evidence) < report.MaxEvidence {
				evidence = append(evidence, report.Evidence{Source: snapshot.SourceTrainingJobs, Region: job.Region, Job: job.Name, Field: "FailureReason", Text: job.FailureReason})
			}
		}
	}
	refused := 0
	for _, u := range j.sub.mentions {
		if u.Denial.Layer == "trust" {
			refused += u.Count
			if len(evidence) < report.MaxEvidence {
				evidence = append(evidence, report.Evidence{Source: u.Source, Region: u.Region, EventID: u.LastEventID, EventName: u.EventName})
			}
		}
	}
	trusts := j.trust.AllowsSageMaker
	known := j.grant != nil && j.grant.trust != nil
	used := len(j.sub.jobs) > 0 || refused > 0
	switch {
	case known && !trusts && used:
		return []hit{{severity: report.High, subject: "trust", evidence: evidence,
			detail: fmt.Sprintf("The trust policy does not let %s assume the role; %d jobs failed for it and %d were refused at creation.", sageMaker, failed, refused)}}
	case trusts && failed+refused > 0:
		return []hit{{severity: report.Info, subject: "trust", evidence: evidence,
			detail: fmt.Sprintf("The trust policy allows SageMaker today, but %d jobs failed and %d were refused because it could not assume the role.", failed, refused)}}
	}
	return nil
}

func trustOpen(a *audit, j *judgement) []hit {
	var out []hit
	for _, p := range j.trust.OtherPrincipals {
		severity, who := report.Low, p
		kind, value, _ := strings.Cut(p, ":")
		account := accountOf(value)
		switch {
		case p == "*":
			severity, who = report.Critical, "everybody (*), as far as conditions allow"
		case kind == "AWS" && account != "" && account != a.snapshot.Account.ID:
			severity, who = report.High, "another account: "+value
		case kind == "AWS" && strings.HasSuffix(value, ":root"), kind == "AWS" && value == a.snapshot.Account.ID:
			severity, who = report.Medium, "every principal of this account that IAM allows to: "+value
		case kind == "AWS", kind == "Federated":
			severity, who = report.Medium, value
		case kind == "Service":
			who = "the service " + value
		}
		out = append(out, hit{severity: severity, subject: p, detail: "The trust policy also lets in " + who + "."})
	}
	return out
}

var twelveDigits = regexp.MustCompile(`^(?:arn:[^:]*:[^:]*:[^:]*:)?(\d{12})(?::.*)?$`)

// accountOf gives the account of a principal's ARN, or of a bare account id.
func accountOf(principal string) string {
	if m := twelveDigits.FindStringSubmatch(principal); m != nil {
		return m[1]
	}
	return ""
}

func trustUnguarded(a *audit, j *judgement) []hit {
	if !j.trust.AllowsSageMaker || j.trust.Guard != "none" {
		return nil
	}
	return []hit{{severity: report.Info, subject: "trust",
		detail: "SageMaker may assume the role without a condition on aws:SourceAccount or aws:SourceArn."}}
}
