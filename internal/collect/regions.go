package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"sagemaker-role-audit/internal/collect/snapshot"
)

// homes are the regions that serve the global services of a partition.
// Source: AWS General Reference, "AWS Identity and Access Management endpoints".
var homes = map[string]string{"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

// partitionOf tells a region's partition by its name.
// Source: AWS Fault Isolation Boundaries, "Partitions".
func partitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// firstRegion is where the first call goes, before the partition is known.
func (r *run) firstRegion() string {
	first := ""
	if len(r.Regions) > 0 {
		first = r.Regions[0]
	}
	return cmp.Or(r.clients.cfg.Region, first, r.DefaultRegion, homes["aws"])
}

// identity asks who is calling. It errs where nobody answers: then there is
// nothing to read. A refusal is only a gap: the ARNs that follow tell the account.
func (r *run) identity(ctx context.Context) error {
	const operation = "sts:GetCallerIdentity"
	region := r.firstRegion()
	r.home = homes[partitionOf(region)]
	who, err := r.clients.sts(region).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	switch {
	case err == nil:
		r.caller = aws.ToString(who.Arn)
		r.account = snapshot.Account{ID: aws.ToString(who.Account), Partition: partitionOf(region)}
		if p := strings.SplitN(r.caller, ":", 3); len(p) == 3 && homes[p[1]] != "" {
			r.account.Partition = p[1]
			r.home = homes[p[1]]
		}
		if r.account.ID == "" {
			r.account = snapshot.Account{} // the ARNs that follow tell it
			r.failed(operation, "", "", snapshot.ImpactDetail, broken("an answer without an account"))
			return nil
		}
		r.cover(snapshot.Coverage{Source: snapshot.SourceIdentity, Scope: snapshot.ScopeAll, Items: 1, Complete: true})
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case denied(err):
		r.failed(operation, "", "", snapshot.ImpactDetail, err)
		return nil
	}
	return fmt.Errorf("%s: %s", operation, detail(err))
}

// regions finds the regions to read: those asked for, else all that are enabled.
// Where they cannot be listed, nobody knows which jobs and what usage is left out.
func (r *run) regions(ctx context.Context) {
	const operation = "account:ListRegions"
	enabled, err := r.listRegions(ctx)
	if err != nil {
		for _, impact := range r.impactsOfRegion() {
			r.failed(operation, "", "", impact, err)
		}
		r.read = r.Regions
		if len(r.read) == 0 {
			r.read = []string{cmp.Or(r.clients.cfg.Region, r.DefaultRegion, r.home)}
		}
	} else {
		r.enabled = enabled
		r.read = enabled
		if len(r.Regions) > 0 {
			r.read = r.Regions
		}
	}
	r.read = slices.Compact(slices.Sorted(slices.Values(r.read)))
	r.cover(snapshot.Coverage{Source: snapshot.SourceRegions, Scope: snapshot.ScopeAll, Items: len(r.enabled), Complete: err == nil})
	r.tell(Status{Source: snapshot.SourceRegions, Items: len(r.read), Done: true})
}

func (r *run) impactsOfRegion() []snapshot.Impact {
	if !r.readsUsage() {
		return []snapshot.Impact{snapshot.ImpactJobs}
	}
	return []snapshot.Impact{snapshot.ImpactJobs, snapshot.ImpactUsage}
}

func (r *run) listRegions(ctx context.Context) ([]string, error) {
	api := r.clients.account(r.home)
	var names []string
	err := pages(func(token *string) (*string, bool, error) {
		page, err := api.ListRegions(ctx, &account.ListRegionsInput{
			MaxResults: aws.Int32(50), NextToken: token,
			RegionOptStatusContains: []types.RegionOptStatus{types.RegionOptStatusEnabled, types.RegionOptStatusEnabledByDefault},
		})
		if err != nil {
			return nil, false, err
		}
		for _, region := range page.Regions {
			names = append(names, aws.ToString(region.RegionName))
		}
		return page.NextToken, false, nil
	})
	if err == nil && len(names) == 0 {
		err = broken("no region is enabled")
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// denied reports whether AWS knows the caller and refuses the call; credentials
// that AWS does not accept are another matter.
func denied(err error) bool {
	var api interface{ ErrorCode() string }
	return errors.As(err, &api) && strings.HasPrefix(api.ErrorCode(), "AccessDenied")
}
