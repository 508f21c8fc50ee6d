package analyze

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/collect/snapshot"
)

// mazeWorld is an account of many roles that lead to each other: of every twenty, some
// are administrators, some may pass roles to SageMaker, Lambda or Glue, some assume, some
// edit policies or trust, half are narrow with policies of their own; a third of them are
// no execution roles. It has thousands of buckets, repositories and keys.
func mazeWorld(roles int) *snapshot.Snapshot {
	s := world()
	s.Roles, s.Accessed = nil, nil
	s.Others, s.OtherPolicies = []snapshot.Other{}, []snapshot.ManagedPolicy{}
	arn := func(i int) string { return fmt.Sprintf("arn:aws:iam::%s:role/team-%d/role-%05d", account, i%40, i) }
	managed := func(name, document string) string {
		p := snapshot.ManagedPolicy{ARN: "arn:aws:iam::" + account + ":policy/" + name, Name: name, Version: "v1", Document: document}
		s.Policies = append(s.Policies, p)
		return p.ARN
	}
	admin := managed("administrators", allow("*", "*"))
	pass := managed("submit", statements(`{"Effect":"Allow","Action":["sagemaker:*"],"Resource":"*"}`,
		`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::`+account+`:role/*","Condition":{"StringEquals":{"iam:PassedToService":["sagemaker.amazonaws.com","glue.amazonaws.com"]}}}`))
	limit := managed("limit", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}}`)
	trust := func(service string) string {
		return statements(`{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}`)
	}
	for i := range roles {
		r := snapshot.Role{RoleKey: snapshot.RoleKey{ARN: arn(i), ID: fmt.Sprintf("AROA%05d", i)}, Name: fmt.Sprintf("role-%05d", i), Path: fmt.Sprintf("/team-%d/", i%40), CreatedAt: now.AddDate(-1, 0, 0), Trust: trustSageMaker}
		inline := func(all ...string) {
			r.Inline = append(r.Inline, snapshot.InlinePolicy{Name: "own", Document: statements(all...)})
		}
		attach := func(policy string) {
			r.Attached = append(r.Attached, snapshot.AttachedPolicy{Name: nameOf(policy), ARN: policy})
		}
		other := i%11 == 10
		switch i % 20 {
		case 0:
			if i%200 == 0 {
				attach(admin)
			} else {
				attach(pass)
			}
		case 1:
			attach(pass)
			inline(fmt.Sprintf(`{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::bucket-%04d","arn:aws:s3:::bucket-%04d/*"]}`, i%3000, i%3000))
		case 2:
			inline(`{"Effect":"Allow","Action":["sagemaker:CreateTrainingJob"],"Resource":"*"}`, fmt.Sprintf(`{"Effect":"Allow","Action":"iam:PassRole","Resource":%q}`, arn(i)))
		case 3:
			inline(`{"Effect":"Allow","Action":["sagemaker:CreateTrainingJob"],"Resource":"*"}`, fmt.Sprintf(`{"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::%s:role/team-%d/*"}`, account, i%40))
		case 4:
			inline(fmt.Sprintf(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":%q}`, arn((i+7)%roles)))
		case 5:
			inline(`{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}`, `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`)
		case 6:
			inline(fmt.Sprintf(`{"Effect":"Allow","Action":["iam:AttachRolePolicy","iam:UpdateAssumeRolePolicy"],"Resource":"arn:aws:iam::%s:role/team-%d/*"}`, account, (i+1)%40))
		case 7:
			inline(`{"Effect":"Allow","Action":"*","Resource":"*"}`)
			r.Boundary = limit
		case 8:
			inline(`{"Effect":"Allow","Action":["lambda:*","iam:PassRole"],"Resource":"*"}`, `{"Effect":"Deny","Action":"iam:PassRole","Resource":"`+arn(0)+`"}`)
		case 9:
			inline(`{"Effect":"Allow","NotAction":["iam:*","organizations:*"],"Resource":"*"}`)
		default:
			inline(fmt.Sprintf(`{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":["arn:aws:s3:::bucket-%04d/in/*","arn:aws:s3:::*sagemaker*"]}`, i%3000),
				fmt.Sprintf(`{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:%s:key/key-%04d"}`, account, i%1000), `{"Effect":"Allow","Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Resource":"*"}`)
		}
		switch i % 7 {
		case 1:
			r.Trust = statements(`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com","AWS":"arn:aws:iam::` + account + `:root"},"Action":"sts:AssumeRole"}`)
		case 2:
			r.Trust = statements(`{"Effect":"Allow","Principal":{"Service":"sagemaker.amazonaws.com","AWS":"` + arn((i+3)%roles) + `"},"Action":"sts:AssumeRole"}`)
		}
		if other {
			r.Trust = trust([]string{lambdaService, ec2Service, glueService, "states.amazonaws.com"}[i/3%4])
			s.Others = append(s.Others, snapshot.Other{RoleKey: r.RoleKey, Trust: r.Trust, Inline: r.Inline, Attached: r.Attached, Boundary: r.Boundary})
			s.OtherRoles = append(s.OtherRoles, r.RoleKey)
			continue
		}
		s.Roles = append(s.Roles, r)
	}
	buckets, keys, repositories := snapshot.Inventory{Kind: snapshot.KindBucket}, snapshot.Inventory{Kind: snapshot.KindKey, Region: "us-east-1"}, snapshot.Inventory{Kind: snapshot.KindRepository, Region: "us-east-1"}
	for i := range 3000 {
		buckets.ARNs = append(buckets.ARNs, fmt.Sprintf("arn:aws:s3:::bucket-%04d", i))
		if i < 1000 {
			keys.ARNs = append(keys.ARNs, ownKey(fmt.Sprintf("key-%04d", i)))
			repositories.ARNs = append(repositories.ARNs, ownRepository(fmt.Sprintf("repository-%04d", i)))
		}
	}
	s.Inventory = []snapshot.Inventory{buckets, keys, repositories}
	s.Sort()
	return s
}

// BenchmarkReach counts what each of the 5,000 execution roles of an account of 5,500
// reaches, and finds their paths. The goal is less than 30 s.
func BenchmarkReach(b *testing.B) {
	s := mazeWorld(5500)
	for b.Loop() {
		start := time.Now()
		a := newAudit(s)
		subs := subjects(s)
		out := make([]report.Reach, len(subs))
		var next atomic.Int64
		var workers sync.WaitGroup
		for range runtime.GOMAXPROCS(0) { // as Analyze does
			workers.Go(func() {
				for i := int(next.Add(1)) - 1; i < len(subs); i = int(next.Add(1)) - 1 {
					out[i] = a.reach(&judgement{sub: subs[i], grant: a.library.policiesOf(s, subs[i].role)})
				}
			})
		}
		workers.Wait()
		paths, administrators, longest := 0, 0, 0
		for _, r := range out {
			paths += r.EscalationTotal
			if len(r.Escalation) > 0 && r.Escalation[0].Reaches == reachesAdministrator {
				administrators++
				longest = max(longest, len(r.Escalation[0].Steps))
			}
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/account")
		b.Logf("%d roles of %d: %d paths, %d roles can become administrator, in up to %d steps", len(subs), len(a.escalations().members), paths, administrators, longest)
	}
}
