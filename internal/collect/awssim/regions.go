package awssim

import (
	"cmp"
	"fmt"
	"slices"
)

func accountResource(c *call) string {
	return fmt.Sprintf("arn:%s:account::%s:account", c.account.partition(), c.account.ID)
}

type listRegionsInput struct {
	AccountId               string
	MaxResults              int
	NextToken               string
	RegionOptStatusContains []string
}

type listedRegion struct{ RegionName, RegionOptStatus string }

type listRegionsOutput struct {
	Regions   []listedRegion
	NextToken string `json:",omitempty"`
}

// listRegions answers account:ListRegions (AWS: API_ListRegions).
func listRegions(c *call) (any, error) {
	var in listRegionsInput
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	const largest = 50
	if in.MaxResults < 0 || in.MaxResults > largest {
		return nil, restJSON.invalid("MaxResults must be from 1 to %d", largest)
	}
	// Only a management account may name another account, and nobody their own.
	if in.AccountId != "" {
		return nil, restJSON.deny(c.account.caller().ARN, "account:ListRegions",
			fmt.Sprintf("arn:%s:account::%s:account", c.account.partition(), in.AccountId))
	}
	var all []listedRegion
	for _, r := range c.account.Regions {
		status := cmp.Or(r.OptStatus, "ENABLED_BY_DEFAULT")
		if len(in.RegionOptStatusContains) == 0 || slices.Contains(in.RegionOptStatusContains, status) {
			all = append(all, listedRegion{r.Name, status})
		}
	}
	p, err := c.page(len(all), cmp.Or(in.MaxResults, largest), in.NextToken, in.RegionOptStatusContains)
	if err != nil {
		return nil, err
	}
	out := listRegionsOutput{Regions: slices.Clone(all[p.from:p.to]), NextToken: p.next}
	disorder(c, out.Regions)
	return out, nil
}
