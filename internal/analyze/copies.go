package analyze

import (
	"slices"

	"sagemaker-role-audit/internal/analyze/actions"
	"sagemaker-role-audit/internal/analyze/policy"
)

// copied are the rights that a copy takes on its source (AWS: API_CopyObject,
// API_UploadPartCopy).
var copied = []string{"s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"}

const reasonCopied = "a copy is recorded where it is written, and the role may write where no log file that was read would show it"

// whyCopied says why a read may have been made by a copy that is not on record: a
// copy's event is one of the bucket that is written to; that it is recorded for the
// bucket that is read as well, AWS does not say (cloudtrail-logging-s3-info).
func (a *audit) whyCopied(j *judgement, action string) string {
	if !slices.Contains(copied, action) {
		return ""
	}
	i, known := a.library.catalog.Index("s3:PutObject")
	if !known || j.grant.set.Effective(i) == policy.No {
		return ""
	}
	class := eventClass{visibility: visibilities()[i]}
	resources, told := a.grantedOn(j, i)
	if !told || slices.ContainsFunc(resources, func(r string) bool {
		class.resource = r
		return !a.observer.tells(class)
	}) {
		return reasonCopied
	}
	return ""
}

// grantedOn are the resources that the role is granted an action on; not told where a
// statement names those that it leaves out.
func (a *audit) grantedOn(j *judgement, i int) (resources []string, told bool) {
	for _, g := range j.grant.patterns(i) {
		if g.not {
			return nil, false
		}
		if a.library.concerns(i, g.text) {
			resources = append(resources, g.text)
		}
	}
	return resources, true
}

// seenWhereGranted reports whether the calls of an action would be in the evidence on
// all that the role is granted of it: data events are recorded by resource.
func (a *audit) seenWhereGranted(j *judgement, i int) bool {
	if visibilities()[i].Class != actions.Data || !a.observer.anyData {
		return false
	}
	resources, told := a.grantedOn(j, i)
	return told && len(resources) > 0 && a.whyUnseen(i, resources) == ""
}
