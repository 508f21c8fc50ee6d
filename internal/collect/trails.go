package collect

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"golang.org/x/sync/errgroup"

	"sagemaker-role-audit/internal/collect/snapshot"
)

const (
	opTrails      = "cloudtrail:DescribeTrails"
	opTrailStatus = "cloudtrail:GetTrailStatus"
	opSelectors   = "cloudtrail:GetEventSelectors"
)

// trailsAtOnce is how many trails are asked about at the same time: these
// operations have 10 requests a second for each region (AWS:
// whatiscloudtrail-limits), and their retries need some of them.
const trailsAtOnce = 4

// readTrails reads the trails that see the regions, each of them once: a trail of
// all regions, or of the organization, shows in every region as a shadow of the one
// in its home (AWS: API_DescribeTrails, includeShadowTrails). Trails only tell what
// is recorded beyond Event history, so none of what fails here makes a run incomplete.
func (r *run) readTrails(ctx context.Context) []snapshot.Trail {
	var (
		seen  = make([][]snapshot.Trail, len(r.read))
		whole = make([]bool, len(r.read))
		group errgroup.Group
	)
	group.SetLimit(atOnce)
	for i, region := range r.read {
		group.Go(func() error {
			seen[i], whole[i] = r.describeTrails(ctx, region)
			return nil
		})
	}
	group.Wait()

	trails := slices.Concat(seen...)
	slices.SortStableFunc(trails, func(a, b snapshot.Trail) int { return strings.Compare(a.ARN, b.ARN) })
	trails = slices.CompactFunc(trails, func(a, b snapshot.Trail) bool { return a.ARN == b.ARN })
	var details errgroup.Group
	details.SetLimit(trailsAtOnce)
	for i := range trails {
		details.Go(func() error {
			r.readTrail(ctx, &trails[i])
			return nil
		})
	}
	details.Wait()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil
	}

	r.trailsKnown = make(map[string]bool)
	for i, region := range r.read {
		r.trailsKnown[region] = whole[i]
	}
	partly := make(map[string]bool)
	for i := range trails {
		partly[trails[i].ARN] = len(trails[i].Unread) > 0
	}
	for i, region := range r.read {
		complete := whole[i] && !slices.ContainsFunc(seen[i], func(t snapshot.Trail) bool { return partly[t.ARN] })
		r.cover(snapshot.Coverage{Source: snapshot.SourceTrails, Region: region, Scope: snapshot.ScopeAll, Items: len(seen[i]), Complete: complete})
		r.tell(Status{Source: snapshot.SourceTrails, Region: region, Items: len(seen[i]), Done: true})
	}
	return trails
}

// trailImpact is what a list of trails that failed leaves unsure: where these say
// which log files to read, usage.
func (r *run) trailImpact() snapshot.Impact {
	if slices.Contains(r.Logs, LogSource{}) {
		return snapshot.ImpactUsage
	}
	return snapshot.ImpactDetail
}

// describeTrails lists the trails that a region knows, and reports whether these
// are all.
func (r *run) describeTrails(ctx context.Context, region string) ([]snapshot.Trail, bool) {
	out, err := r.clients.trails(region).DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
	if err != nil {
		r.failed(opTrails, region, "", r.trailImpact(), err)
		return nil, false
	}
	whole := true
	var trails []snapshot.Trail
	for i := range out.TrailList {
		t := trailOf(&out.TrailList[i])
		if t.ARN == "" || t.HomeRegion == "" {
			r.failed(opTrails, region, t.Name, r.trailImpact(), broken("a trail without an ARN or a home region"))
			whole = false
			continue
		}
		trails = append(trails, t)
	}
	return trails, whole
}

func trailOf(t *types.Trail) snapshot.Trail {
	str := aws.ToString
	return snapshot.Trail{
		ARN: str(t.TrailARN), Name: str(t.Name), HomeRegion: str(t.HomeRegion),
		MultiRegion: aws.ToBool(t.IsMultiRegionTrail), Organization: aws.ToBool(t.IsOrganizationTrail), GlobalEvents: aws.ToBool(t.IncludeGlobalServiceEvents),
		Bucket: str(t.S3BucketName), KeyPrefix: str(t.S3KeyPrefix), KMSKey: str(t.KmsKeyId),
	}
}

// readTrail adds the status and the selectors of a trail. Its home region is asked, by
// ARN, which is the name that a shadow has as well (AWS: API_GetTrailStatus); and the
// other regions too, where log files are to be read.
func (r *run) readTrail(ctx context.Context, t *snapshot.Trail) {
	api := r.clients.trails(t.HomeRegion)
	lost := func(operation, part string, err error) {
		t.Unread = append(t.Unread, part)
		r.failed(operation, t.HomeRegion, t.ARN, snapshot.ImpactDetail, err)
	}
	status, err := api.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &t.ARN})
	if err == nil && status.IsLogging == nil {
		err = broken("it does not say whether the trail is logging")
	}
	if err != nil {
		lost(opTrailStatus, "status", err)
	} else {
		t.Logging, t.StartedAt, t.StoppedAt = *status.IsLogging, at(status.StartLoggingTime), at(status.StopLoggingTime)
		t.DeliveredAt, t.DeliveryError = at(status.LatestDeliveryTime), aws.ToString(status.LatestDeliveryError)
		if t.MultiRegion && len(r.Logs) > 0 {
			r.readElsewhere(ctx, t)
		}
	}

	selectors, err := api.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &t.ARN})
	if err == nil && len(selectors.EventSelectors) == 0 && len(selectors.AdvancedEventSelectors) == 0 {
		err = broken("a trail without event selectors")
	}
	if err != nil {
		lost(opSelectors, "selectors", err)
		return
	}
	for i := range selectors.EventSelectors {
		t.Selectors = append(t.Selectors, selectorOf(&selectors.EventSelectors[i]))
	}
	for i := range selectors.AdvancedEventSelectors {
		t.Advanced = append(t.Advanced, advancedOf(&selectors.AdvancedEventSelectors[i]))
	}
}

// readElsewhere adds the status in the other regions that are read, which says whether
// what happened there was delivered (AWS: API_GetTrailStatus, "from a single Region").
func (r *run) readElsewhere(ctx context.Context, t *snapshot.Trail) {
	for _, region := range r.read {
		if region == t.HomeRegion {
			continue
		}
		status, err := r.clients.trails(region).GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &t.ARN})
		if err == nil && status.IsLogging == nil {
			err = broken("it does not say whether the trail is logging")
		}
		if err != nil {
			t.Unread = append(t.Unread, "status in "+region)
			r.failed(opTrailStatus, region, t.ARN, snapshot.ImpactDetail, err)
			continue
		}
		t.Elsewhere = append(t.Elsewhere, snapshot.TrailStatus{Region: region, Logging: *status.IsLogging, StoppedAt: at(status.StopLoggingTime),
			DeliveredAt: at(status.LatestDeliveryTime), DeliveryError: aws.ToString(status.LatestDeliveryError)})
	}
}

// selectorOf keeps a basic selector. What it does not say has AWS's default: all
// management events, read and write (AWS: API_EventSelector).
func selectorOf(s *types.EventSelector) snapshot.EventSelector {
	kept := snapshot.EventSelector{
		ReadWrite:  string(s.ReadWriteType),
		Management: s.IncludeManagementEvents == nil || *s.IncludeManagementEvents, ExcludedSources: s.ExcludeManagementEventSources,
	}
	if kept.ReadWrite == "" {
		kept.ReadWrite = string(types.ReadWriteTypeAll)
	}
	for _, d := range s.DataResources {
		kept.Data = append(kept.Data, snapshot.DataResource{Type: aws.ToString(d.Type), Values: d.Values})
	}
	return kept
}

func advancedOf(s *types.AdvancedEventSelector) snapshot.AdvancedSelector {
	kept := snapshot.AdvancedSelector{Name: aws.ToString(s.Name)}
	for _, f := range s.FieldSelectors {
		kept.Fields = append(kept.Fields, snapshot.FieldSelector{
			Field: aws.ToString(f.Field), Equals: f.Equals, NotEquals: f.NotEquals,
			StartsWith: f.StartsWith, NotStartsWith: f.NotStartsWith, EndsWith: f.EndsWith, NotEndsWith: f.NotEndsWith,
		})
	}
	return kept
}
