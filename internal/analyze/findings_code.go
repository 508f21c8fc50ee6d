package analyze

import (
	"fmt"
	"slices"

	"sagemaker-role-audit/internal/analyze/policy"
	"sagemaker-role-audit/internal/analyze/report"
)

// codeOfOthers are the calls, each a set that is needed together, that make what others
// run do something else, as the role it has: no role is passed. They are the openings of
// escalation to what runs code, but for those that presigned-url tells, and some more.
var codeOfOthers = func() [][]string {
	var out [][]string
	for i := range openings {
		if o := &openings[i]; o.service != "" && !slices.Contains(opensNotebooks, o.needs[0]) {
			out = append(out, o.needs)
		}
	}
	return append(out, moreCode...)
}()

// moreCode are further ones, of which escalation does not tell what role they have.
// Source: AWS service authorization reference; the API pages of each call.
var moreCode = [][]string{
	{"lambda:UpdateFunctionConfiguration"},
	{"sagemaker:UpdateNotebookInstanceLifecycleConfig", "sagemaker:StopNotebookInstance", "sagemaker:StartNotebookInstance"},
	{"cloudformation:UpdateStackSet"}, {"codedeploy:CreateDeployment", "codedeploy:RegisterApplicationRevision"},
	{"ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"}, {"autoscaling:CreateAutoScalingGroup"}, {"batch:SubmitJob"},
	{"bedrock-agentcore:InvokeCodeInterpreter", "bedrock-agentcore:StartCodeInterpreterSession"},
	{"bedrock-agentcore:ConnectBrowserAutomationStream", "bedrock-agentcore:StartBrowserSession"},
	{"bedrock-agentcore:InvokeAgentRuntimeCommand"},
	{"ecr:PutImage", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload"},
}

// may reports whether the role may call an action on resources that no policy names.
func (a *audit) may(j *judgement, action string) bool {
	ks := a.library.kindsOf(action)
	granted := func(kind string) bool {
		x := a.accessIn(j.grant, action, a.fill(kind, a.regions()[0], stranger), j.grant.known)
		return x.Effective != policy.No
	}
	if ks.all {
		return !slices.ContainsFunc(ks.arns, func(kind string) bool { return !granted(kind) })
	}
	return slices.ContainsFunc(ks.arns, granted)
}

// codeHits points at the statement that brings the code; what a call needs beside may come
// from another one.
func codeHits(a *audit, j *judgement) []hit {
	return j.grants(func(st *policy.Statement, ref *report.StatementRef) *found {
		if st.NotAction || everyAction(st) || !wide(st) {
			return nil
		}
		f := &found{severity: report.High}
		var first []string
		for _, set := range codeOfOthers {
			if !speaksOf(st, set[0]) || slices.ContainsFunc(set[1:], func(x string) bool { return !a.may(j, x) }) {
				continue
			}
			h := holding(set[:1], func(x string) hold { return a.anywhere(j, st, x, j.grant.known) })
			f.held.actions, f.held.refused = append(f.held.actions, h.actions...), append(f.held.refused, h.refused...)
			f.held.firm = f.held.firm || h.firm
			if h.layer != "" {
				f.held.layer = h.layer
			}
			if len(h.actions) > 0 && first == nil {
				first = set
			}
		}
		if f.held.none() {
			return nil
		}
		for _, action := range f.held.names() {
			f.tells = append(f.tells, serviceOf(action))
		}
		f.says = fmt.Sprintf("allows %s on every resource", shortList(f.held.names(), 3))
		if first != nil {
			beside := ""
			if len(first) > 1 {
				beside = " (with " + shortList(first[1:], 2) + ")"
			}
			f.could = fmt.Sprintf(" %s can change what others run by %s%s, and act as the role that it has.", capital(j.coder()), first[0], beside)
		}
		return f
	})
}
