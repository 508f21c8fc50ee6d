package collect

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/awssim"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// s3Cells are the cells of S3's object actions, by role, action and what they are of.
func s3Cells(t *testing.T, s *snapshot.Snapshot) map[string]report.JudgedCell {
	t.Helper()
	r, err := analyze.Analyze(s, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cells := make(map[string]report.JudgedCell)
	for _, role := range r.Roles {
		for _, c := range role.Cells {
			switch c.Action {
			case "s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:GetObjectTagging":
				cells[fmt.Sprint(role.Name, " ", role.ID, " ", c.Action, " ", c.Resource, " ", strings.Join(c.Patterns, " "))] = c
			}
		}
	}
	return cells
}

// s3Unseen are the actions of S3 that nobody touched, by role, with their verdict.
func s3Unseen(t *testing.T, s *snapshot.Snapshot) map[string]report.Verdict {
	t.Helper()
	r, err := analyze.Analyze(s, analyze.Options{})
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]report.Verdict)
	for _, role := range r.Roles {
		for verdict, services := range map[report.Verdict]map[string]report.UnseenService{report.VerdictUnused: role.Unused.Services, report.VerdictUnobservable: role.Unobservable.Services} {
			for _, action := range services["s3"].Actions {
				all[role.Name+" "+role.ID+" "+action] = verdict
			}
		}
	}
	return all
}

// On the sample account: S3 reads and writes are used where the trail's bucket is read,
// and where it is not they are required or unobservable, never unused. Data events of
// one bucket change what is said of that bucket and of no other.
func TestSampleDataEvents(t *testing.T) {
	const bucket = "retail-ml-churn"
	// churn-training may delete objects of its bucket, and of another, and never does.
	granted := func(a *awssim.Account) *awssim.Account {
		for i := range a.Roles {
			if a.Roles[i].Name == "churn-training" {
				a.Roles[i].Inline = append(a.Roles[i].Inline, awssim.InlinePolicy{Name: "clean", Document: `{"Version":"2012-10-17","Statement":[
					{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::retail-ml-churn/*"},
					{"Effect":"Allow","Action":"s3:GetObjectTagging","Resource":"arn:aws:s3:::retail-ml-pricing/*"}]}`})
			}
		}
		return a
	}
	always := granted(awssim.Sample())
	always.Trails[1].SelectedAt = always.Trails[1].StartedAt
	always.Events = slices.DeleteFunc(always.Events, func(r awssim.Record) bool { return r.EventName == "PutEventSelectors" })

	// The first file of the trail is younger than 90 days: what was before might have expired.
	const window = 80 * day
	_, o := serve(t, granted(awssim.Sample()))
	o.Window = window
	history := collected(t, o)
	without := s3Cells(t, history)
	read := s3Cells(t, collected(t, withLogs(o, "trail")))
	_, o = serve(t, always)
	o.Window = window
	both, alone := collected(t, withLogs(o, "trail")), collected(t, ofLogs(o, "trail"))
	whole := s3Cells(t, both)
	everywhere := logged()
	_, o = serve(t, everywhere)
	all := s3Cells(t, collected(t, withLogs(o, "trail")))

	verdicts := func(cells map[string]report.JudgedCell, of func(report.JudgedCell) bool) map[report.Verdict]int {
		n := make(map[report.Verdict]int)
		for _, c := range cells {
			if of(c) {
				n[c.Verdict]++
			}
		}
		return n
	}
	anyCell := func(report.JudgedCell) bool { return true }
	ofBucket := func(c report.JudgedCell) bool {
		return strings.Contains(c.Resource, bucket) || len(c.Patterns) > 0 && !slices.ContainsFunc(c.Patterns, func(p string) bool { return !strings.Contains(p, bucket) })
	}
	if n := verdicts(without, anyCell); n[report.VerdictUnused] > 0 || n[report.VerdictRequired] < 30 || n[report.VerdictUnobservable] < 30 {
		t.Errorf("without the trail's bucket: %v", n)
	}
	if n := verdicts(without, ofBucket); n[report.VerdictUsed] > 0 {
		t.Errorf("without the trail's bucket, of %s: %v", bucket, n)
	}
	if n := verdicts(read, ofBucket); n[report.VerdictUsed] < 3 || n[report.VerdictUnused] > 0 {
		t.Errorf("with the trail's bucket, of %s: %v", bucket, n)
	}
	if n := verdicts(whole, ofBucket); n[report.VerdictUsed] < 3 {
		t.Errorf("recorded for the whole window, of %s: %v", bucket, n)
	}
	before, after, filesOnly := s3Unseen(t, history), s3Unseen(t, both), s3Unseen(t, alone)
	deletes := 0
	for key, verdict := range after {
		switch {
		case strings.HasPrefix(key, "churn-training ") && strings.HasSuffix(key, " s3:DeleteObject"):
			deletes++
			if before[key] != report.VerdictUnobservable || verdict != report.VerdictUnused || filesOnly[key] != report.VerdictUnused {
				t.Errorf("%s was %s, is %s and by log files alone %s", key, before[key], verdict, filesOnly[key])
			}
		case before[key] != verdict:
			t.Errorf("%s was %s, is %s", key, before[key], verdict)
		}
	}
	if deletes != 1 || len(before) != len(after) || len(after) < 100 {
		t.Errorf("%d, %d and %d unseen", deletes, len(before), len(after))
	}
	if n := verdicts(all, anyCell); n[report.VerdictUsed] < 60 {
		t.Errorf("everything recorded: %v", n)
	}
	for name, cells := range map[string]map[string]report.JudgedCell{"read": read, "whole": whole} {
		for key, c := range cells {
			before, known := without[key]
			if !ofBucket(c) && (!known || before.Verdict != c.Verdict || before.Seen != c.Seen || before.NotObservable != c.NotObservable) {
				t.Errorf("%s: %s was %s (%d seen, %s), is %s (%d seen, %s)", name, key, before.Verdict, before.Seen, before.NotObservable, c.Verdict, c.Seen, c.NotObservable)
			}
		}
	}
	t.Logf("of %s: without %v, read %v, for the whole window %v; everything recorded: %v", bucket, verdicts(without, ofBucket), verdicts(read, ofBucket), verdicts(whole, ofBucket), verdicts(all, anyCell))
}
