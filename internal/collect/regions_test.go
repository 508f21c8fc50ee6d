package collect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sagemaker-role-audit/internal/collect/awssim"
)

// Each partition has its own home for the global services.
func TestPartitions(t *testing.T) {
	for _, tt := range []struct{ partition, region, home string }{
		{"aws", "eu-west-1", "us-east-1"}, {"aws-cn", "cn-northwest-1", "cn-north-1"}, {"aws-us-gov", "us-gov-east-1", "us-gov-west-1"},
	} {
		t.Run(tt.partition, func(t *testing.T) {
			server, o := serve(t, &awssim.Account{ID: "123456789012", Partition: tt.partition, Now: now, Regions: []awssim.Region{{Name: tt.region}, {Name: tt.home}}})
			o.DefaultRegion = tt.region
			s := collected(t, o)
			if s.Account.Partition != tt.partition || len(s.Gaps) > 0 {
				t.Errorf("partition %q, gaps %v", s.Account.Partition, gapsOf(s))
			}
			for _, c := range server.Counts() {
				if (c.Operation == opSweep || c.Operation == "account:ListRegions") && c.Region != tt.home {
					t.Errorf("%s was asked in %s, want %s", c.Operation, c.Region, tt.home)
				}
			}
		})
	}
}

// The user's environment and files count as they do for every AWS tool.
func TestEnvironment(t *testing.T) {
	server, o := serve(t, small(2))
	t.Setenv("AWS_ENDPOINT_URL", o.EndpointURL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "SECRET-MUST-NOT-LEAK")
	t.Setenv("AWS_REGION", "eu-west-1")
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_CONFIG_FILE", "none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
	t.Setenv("AWS_MAX_ATTEMPTS", "3")
	o.EndpointURL, o.StaticCredentials = "", false
	for _, fault := range []string{"account:ListRegions refuse", "sagemaker:Search throttle"} {
		if err := server.SetFault(fault); err != nil {
			t.Fatal(err)
		}
	}
	s := collected(t, o)
	sameCalls(t, server, s)
	if d := cmp.Diff([]string{"eu-west-1"}, s.Regions.Read); d != "" {
		t.Errorf("regions (-want +got):\n%s", d)
	}
	if n := s.Calls[opSearch]; n != 3 {
		t.Errorf("%d attempts to search, AWS_MAX_ATTEMPTS says 3", n)
	}
}

// Only the regions asked for are read, and those left out are known.
func TestSelectedRegions(t *testing.T) {
	_, o := serve(t, small(2))
	o.Regions = []string{"eu-west-1", "eu-west-1"}
	s := collected(t, o)
	if d := cmp.Diff([]string{"eu-west-1"}, s.Regions.Read); d != "" {
		t.Errorf("read (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"eu-west-1", "us-east-1"}, s.Regions.Enabled); d != "" {
		t.Errorf("enabled (-want +got):\n%s", d)
	}
	if len(s.Jobs) != 0 {
		t.Errorf("%d jobs of another region", len(s.Jobs))
	}
}
