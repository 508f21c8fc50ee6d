package snapshot

import "testing"

func TestMatchRole(t *testing.T) {
	const arn = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole-20260115T101530"
	for _, tt := range []struct {
		selector string
		want     bool
	}{
		{"AmazonSageMaker-ExecutionRole-20260115T101530", true},
		{"AmazonSageMaker-*", true},
		{"*", true},
		{"service-role", false},
		{"amazonsagemaker-*", false},
		{arn, true},
		{"arn:aws:iam::123456789012:role/*", true},
		{"arn:aws:iam::123456789012:role/AmazonSageMaker*", false},
		{"arn:aws:iam::999999999999:role/*", false},
		{"AmazonSageMaker-ExecutionRole-20260115T10153?", true},
	} {
		if got := MatchRole(tt.selector, arn); got != tt.want {
			t.Errorf("MatchRole(%q) = %v, want %v", tt.selector, got, tt.want)
		}
	}
}

func TestCheckSelector(t *testing.T) {
	for selector, ok := range map[string]bool{
		"churn-training": true, "churn-*": true, "arn:aws:iam::123456789012:role/a/b": true,
		"arn:aws-us-gov:iam::123456789012:role/x": true, "arn:aws:iam::*:role/x*": true,
		"": false, "a b": false, "arn:aws:iam::123:role/x": false, "arn:aws:iam::123456789012:user/x": false,
		"arn:aws:s3:::bucket": false, "role/x": false, "x\x1b[31m": false,
	} {
		if err := CheckSelector(selector); (err == nil) != ok {
			t.Errorf("CheckSelector(%q) = %v, want ok %v", selector, err, ok)
		}
	}
}
