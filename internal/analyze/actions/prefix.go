package actions

import "strings"

// Prefix returns the IAM prefix of the service that recorded an event: the first
// label of its event source, save where AWS names the two apart. Empty for an
// empty source.
func Prefix(source, event string) string {
	label, _, _ := strings.Cut(strings.ToLower(source), ".")
	if label == "ssm" && strings.HasSuffix(event, "Channel") {
		switch event {
		case "CreateControlChannel", "OpenControlChannel", "CreateDataChannel", "OpenDataChannel":
			// AWS: systems-manager monitoring-cloudtrail-logs
			return "ssmmessages"
		}
	}
	if p, ok := prefixes[label]; ok {
		return p
	}
	return label
}

// prefixes by first label, where they differ. Source: the services' "Logging
// ... API calls with AWS CloudTrail" pages against the service prefixes of the
// Service Authorization Reference.
var prefixes = map[string]string{
	"agreement-marketplace":      "aws-marketplace",
	"amazonmq":                   "mq",
	"application-insights":       "applicationinsights",
	"billingconsole":             "billing",
	"chime-sdk-media-pipelines":  "chime",
	"chime-sdk-voice":            "chime",
	"cloudcontrolapi":            "cloudformation",
	"contact-lens":               "connect",
	"discovery-marketplace":      "aws-marketplace",
	"management-marketplace":     "aws-marketplace-management",
	"marketplacecatalog":         "aws-marketplace",
	"migrationhub":               "mgh",
	"monitoring":                 "cloudwatch",
	"opensearchservice":          "es",
	"participant-connect":        "connect",
	"pinpoint":                   "mobiletargeting",
	"pricelist":                  "pricing",
	"qconnect":                   "wisdom",
	"rdsdata":                    "rds-data",
	"reporting-marketplace":      "aws-marketplace",
	"servicecatalog-appregistry": "servicecatalog",
	"tagging":                    "tag",
	"taxconsole":                 "tax",
	"transcribestreaming":        "transcribe",
}
