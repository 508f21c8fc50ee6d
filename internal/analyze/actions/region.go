package actions

// GlobalService tells that calls of an event source may be recorded in the
// partition's home region wherever they were made, so that no other region's
// history can prove their absence. AWS names CloudFront, IAM, STS's global
// endpoint and console sign-in (AWS: cloudtrail-concepts, "Global service
// events"; id_credentials_temp_region-endpoints); the others have their one
// control plane in us-east-1 (AWS: aws-fault-isolation-boundaries, "Global
// services"). STS's regional endpoints record in their own region as well.
func GlobalService(source string) bool { return globalPrefixes[Prefix(source, "")] }

var globalPrefixes = map[string]bool{
	"account": true, "cloudfront": true, "iam": true, "organizations": true, "route53": true,
	"shield": true, "signin": true, "sts": true, "waf": true,
}

// RecordedAtHome tells that calls of an IAM service prefix are recorded in the
// partition's home region and nowhere else, so that its history alone proves their
// absence: the services above but STS, whose regional endpoints record where they
// are, and signing in, which is no action.
func RecordedAtHome(prefix string) bool {
	return globalPrefixes[prefix] && prefix != "sts" && prefix != "signin"
}

// HomeRegion is where a partition records the calls of its global services;
// empty for a partition that is not known (AWS: iam-service endpoints).
func HomeRegion(partition string) string {
	return map[string]string{"": "us-east-1", "aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}[partition]
}
