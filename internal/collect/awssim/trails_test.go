package awssim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	cttypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"sagemaker-role-audit/internal/collect/awssim"
)

const trailARN = "arn:aws:cloudtrail:us-east-1:123456789012:trail/"

// trailed is an account with a trail of each kind.
func trailed() *awssim.Account {
	a := small(0)
	a.Trails = []awssim.Trail{
		{Name: "plain"},
		{Name: "everywhere", MultiRegion: true, NoGlobalEvents: true, Bucket: "logs", KeyPrefix: "trails", KMSKey: "arn:aws:kms:us-east-1:123456789012:key/1",
			StartedAt: now.AddDate(0, -2, 0), StoppedAt: now.AddDate(0, -1, 0), Stopped: true, DeliveredAt: now.AddDate(0, -1, 0).Add(time.Minute),
			Selectors: []awssim.EventSelector{{ReadWriteType: "WriteOnly", ExcludeManagementEventSources: []string{"kms.amazonaws.com"}},
				{NoManagementEvents: true, DataResources: []awssim.DataResource{{Type: "AWS::S3::Object", Values: []string{"arn:aws:s3:::data/"}}}}}},
		{Name: "west", HomeRegion: "eu-west-1", DeliveryError: "AccessDenied", Advanced: []awssim.AdvancedEventSelector{{Name: "objects", FieldSelectors: []awssim.FieldSelector{
			{Field: "eventCategory", Equals: []string{"Data"}},
			{Field: "resources.type", Equals: []string{"AWS::S3::Object"}},
			{Field: "resources.ARN", StartsWith: []string{"arn:aws:s3:::data/"}, NotStartsWith: []string{"a"}, EndsWith: []string{"b"}, NotEndsWith: []string{"c"}, NotEquals: []string{"d"}}}}}},
		{Name: "org", MultiRegion: true, Organization: true, Owner: "999999999999"},
	}
	return a
}

func TestDescribeTrails(t *testing.T) {
	server := awssim.New(trailed())
	url, stop, err := server.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	east, west := connect(url, "us-east-1", 1), connect(url, "eu-west-1", 1)
	for _, test := range []struct {
		name string
		c    clients
		in   cloudtrail.DescribeTrailsInput
		want []string
	}{
		{"home region", east, cloudtrail.DescribeTrailsInput{}, []string{"plain", "everywhere", "org"}},
		{"another region", west, cloudtrail.DescribeTrailsInput{}, []string{"everywhere", "west", "org"}},
		{"no shadows at home", east, cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{"plain", "everywhere"}},
		{"no shadows elsewhere", west, cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{"west"}},
		{"by name", east, cloudtrail.DescribeTrailsInput{TrailNameList: []string{"plain", "west", "nothing"}}, []string{"plain"}},
		{"a shadow's name is no name", west, cloudtrail.DescribeTrailsInput{TrailNameList: []string{"everywhere"}}, nil},
		{"by ARN", west, cloudtrail.DescribeTrailsInput{TrailNameList: []string{trailARN + "everywhere"}}, []string{"everywhere"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := test.c.cloudtrail.DescribeTrails(t.Context(), &test.in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, trail := range out.TrailList {
				got = append(got, *trail.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}

	out, err := west.cloudtrail.DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
	if err != nil {
		t.Fatal(err)
	}
	everywhere, single, org := out.TrailList[0], out.TrailList[1], out.TrailList[2]
	if *everywhere.TrailARN != trailARN+"everywhere" || *everywhere.HomeRegion != "us-east-1" || !*everywhere.IsMultiRegionTrail || *everywhere.IncludeGlobalServiceEvents ||
		*everywhere.S3BucketName != "logs" || *everywhere.S3KeyPrefix != "trails" || *everywhere.KmsKeyId != "arn:aws:kms:us-east-1:123456789012:key/1" || !*everywhere.HasCustomEventSelectors {
		t.Errorf("everywhere %+v", everywhere)
	}
	if *single.HomeRegion != "eu-west-1" || *single.IsMultiRegionTrail || !*single.IncludeGlobalServiceEvents || *single.S3BucketName != "aws-cloudtrail-logs-123456789012" || single.KmsKeyId != nil {
		t.Errorf("west %+v", single)
	}
	if *org.TrailARN != "arn:aws:cloudtrail:us-east-1:999999999999:trail/org" || !*org.IsOrganizationTrail || *org.HasCustomEventSelectors {
		t.Errorf("org %+v", org)
	}
}

func TestGetTrailStatus(t *testing.T) {
	_, c := start(t, trailed())
	status := func(name string) *cloudtrail.GetTrailStatusOutput {
		t.Helper()
		out, err := c.cloudtrail.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if s := status("plain"); !*s.IsLogging || !s.StartLoggingTime.Equal(now.AddDate(-1, 0, 0)) || s.StopLoggingTime != nil || !s.LatestDeliveryTime.Equal(now.Add(-5*time.Minute)) || s.LatestDeliveryError != nil {
		t.Errorf("plain %+v", s)
	}
	if s := status(trailARN + "everywhere"); *s.IsLogging || !s.StartLoggingTime.Equal(now.AddDate(0, -2, 0)) || !s.StopLoggingTime.Equal(now.AddDate(0, -1, 0)) || s.LatestDeliveryTime == nil {
		t.Errorf("everywhere %+v", s)
	}
	if s := status("arn:aws:cloudtrail:eu-west-1:123456789012:trail/west"); !*s.IsLogging || *s.LatestDeliveryError != "AccessDenied" || s.LatestDeliveryTime != nil {
		t.Errorf("west %+v", s)
	}
	for _, name := range []string{"nothing", "west", "org", trailARN + "west"} {
		_, err := c.cloudtrail.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String(name)})
		var missing *cttypes.TrailNotFoundException
		if !errors.As(err, &missing) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGetEventSelectors(t *testing.T) {
	_, c := start(t, trailed())
	selectors := func(name string) *cloudtrail.GetEventSelectorsOutput {
		t.Helper()
		out, err := c.cloudtrail.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: aws.String(name)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	usual := selectors("plain")
	if len(usual.EventSelectors) != 1 || usual.AdvancedEventSelectors != nil || *usual.TrailARN != trailARN+"plain" ||
		usual.EventSelectors[0].ReadWriteType != "All" || !*usual.EventSelectors[0].IncludeManagementEvents || len(usual.EventSelectors[0].DataResources) != 0 {
		t.Errorf("plain %+v", usual)
	}
	basic := selectors("everywhere").EventSelectors
	if len(basic) != 2 || basic[0].ReadWriteType != "WriteOnly" || !*basic[0].IncludeManagementEvents || !slices.Equal(basic[0].ExcludeManagementEventSources, []string{"kms.amazonaws.com"}) ||
		*basic[1].IncludeManagementEvents || *basic[1].DataResources[0].Type != "AWS::S3::Object" || !slices.Equal(basic[1].DataResources[0].Values, []string{"arn:aws:s3:::data/"}) {
		t.Errorf("everywhere %+v", basic)
	}
	out := selectors("arn:aws:cloudtrail:eu-west-1:123456789012:trail/west")
	if out.EventSelectors != nil || len(out.AdvancedEventSelectors) != 1 {
		t.Fatalf("west %+v", out)
	}
	advanced := out.AdvancedEventSelectors[0]
	last := advanced.FieldSelectors[2]
	if *advanced.Name != "objects" || len(advanced.FieldSelectors) != 3 || *last.Field != "resources.ARN" || last.Equals != nil || last.StartsWith[0] != "arn:aws:s3:::data/" ||
		last.NotStartsWith[0] != "a" || last.EndsWith[0] != "b" || last.NotEndsWith[0] != "c" || last.NotEquals[0] != "d" {
		t.Errorf("west %+v", advanced)
	}
	var missing *cttypes.TrailNotFoundException
	if _, err := c.cloudtrail.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: aws.String("nothing")}); !errors.As(err, &missing) {
		t.Errorf("nothing: %v", err)
	}
}

func TestTrailsWithoutMembers(t *testing.T) {
	for _, fault := range []string{"empty", "empty-page"} {
		server, c := start(t, trailed())
		server.SetFault("cloudtrail:* " + fault)
		trails, err := c.cloudtrail.DescribeTrails(t.Context(), &cloudtrail.DescribeTrailsInput{})
		if err != nil || len(trails.TrailList) != 0 {
			t.Errorf("%s: %+v, %v", fault, trails, err)
		}
		status, err := c.cloudtrail.GetTrailStatus(t.Context(), &cloudtrail.GetTrailStatusInput{Name: aws.String("plain")})
		if err != nil || status.IsLogging != nil || status.StartLoggingTime != nil {
			t.Errorf("%s: %+v, %v", fault, status, err)
		}
		selectors, err := c.cloudtrail.GetEventSelectors(t.Context(), &cloudtrail.GetEventSelectorsInput{TrailName: aws.String("plain")})
		if err != nil || selectors.TrailARN != nil || selectors.EventSelectors != nil {
			t.Errorf("%s: %+v, %v", fault, selectors, err)
		}
	}
}
