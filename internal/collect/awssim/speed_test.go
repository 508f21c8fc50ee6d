package awssim_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sagemaker"

	"sagemaker-role-audit/internal/collect/awssim"
)

// Ten thousand jobs are a hundred pages and no wait. The limit is generous: what it guards against is work for
// every job on every page.
func TestTenThousandJobs(t *testing.T) {
	server, c := start(t, small(10_000))
	begin := time.Now()
	names := searchAll(t, c, sagemaker.SearchInput{MaxResults: aws.Int32(100), SortBy: aws.String("CreationTime")})
	took := time.Since(begin)
	t.Logf("%d jobs in %d requests and %v", len(names), server.Requests("sagemaker:Search"), took)
	if len(names) != 10_000 || server.Requests("sagemaker:Search") != 100 {
		t.Errorf("%d jobs in %d requests", len(names), server.Requests("sagemaker:Search"))
	}
	if took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestThousandRoles(t *testing.T) {
	a := small(0)
	for i := range 1000 {
		a.Roles = append(a.Roles, awssim.Role{Name: fmt.Sprintf("role-%04d", i), CreateDate: now, Trust: trust})
	}
	server, c := start(t, a)
	roles := 0
	for p := iam.NewGetAccountAuthorizationDetailsPaginator(c.iam, &iam.GetAccountAuthorizationDetailsInput{MaxItems: aws.Int32(1000)}); p.HasMorePages(); {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		roles += len(page.RoleDetailList)
	}
	if roles != 1003 || server.Requests("iam:*") != 2 {
		t.Errorf("%d roles in %d requests", roles, server.Requests("iam:*"))
	}
}
