package trailfiles

import (
	"context"
	"testing"

	"sagemaker-role-audit/internal/collect/snapshot"
	"sagemaker-role-audit/internal/collect/trailfiles/trailgen"

	"time"
)

func TestReadCorpus(t *testing.T) {
	dir := t.TempDir()
	o := trailgen.Options{Files: 6, PerFile: 500}
	if err := trailgen.Write(dir, o); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := Find(context.Background(), d, "", Filter{Source: "dir"})
	if err != nil {
		t.Fatal(err)
	}
	roles := make(map[string]bool)
	for _, arn := range o.RoleARNs() {
		roles[arn] = true
	}
	r, err := Read(context.Background(), []*Listing{l}, Options{Roles: roles, Keep: func(k *snapshot.UseKey, _ time.Time) bool { return roles[k.Role.ARN] || roles[k.Params.PassedRole()] }})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v %d", r.Days, len(r.Usage))
	t.Logf("%v %d %d %d %d", r.Gaps, r.Records, r.Candidates, r.Kept, r.Duplicates)
	for _, u := range r.Usage[:3] {
		t.Logf("%+v", u)
	}
}
