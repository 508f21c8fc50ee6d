package actions

import (
	"regexp"
	"slices"
	"strings"
)

// resourcesOf returns the resources of a call of a known action as far as the
// record tells: from its parameters, else those of the record's own resources
// that have the form of one of the action's types.
func resourcesOf(c Call, i int) []string {
	cat := Load()
	if cat.Resourceless(i) {
		return []string{"*"}
	}
	var found []string
	for _, t := range cat.ResourceTypes(i) {
		if name, ok := named[cat.Service(i)+"/"+t.Name]; ok {
			if arn := name(c, t.ARN); arn != "" {
				found = append(found, arn)
			}
		}
	}
	if len(found) == 0 {
		for _, arn := range c.Resources {
			if slices.ContainsFunc(cat.ResourceTypes(i), func(t ResourceType) bool { return hasForm(arn, t.ARN) }) {
				found = append(found, Literal(arn))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// named builds the pattern of a resource from a call's parameters, by service
// and resource type; empty when they do not tell. A bare name is one of the
// caller's own account and region; another's is given by its ARN.
var named = map[string]func(c Call, form string) string{
	"ecr/repository": func(c Call, form string) string {
		if id := c.param("registryId"); isAccount(id) {
			c.Account = id
		}
		return fill(c, form, "RepositoryName", c.param("repositoryName"))
	},
	"logs/log-group": func(c Call, form string) string {
		return fill(c, form, "LogGroupName", c.param("logGroupName"))
	},
	"logs/log-stream": func(c Call, form string) string {
		stream := c.pattern("logStreamName")
		if stream == "" {
			return ""
		}
		return strings.Replace(fill(c, form, "LogGroupName", c.param("logGroupName")), "${LogStreamName}", stream, 1)
	},
	"kms/key": func(c Call, form string) string {
		id := c.param("keyId")
		if strings.HasPrefix(id, "alias/") || isARN(id, "kms") && !hasForm(id, form) {
			return "" // an alias: policies name keys (AWS: kms cmks-in-iam-policies)
		}
		return fill(c, form, "KeyId", id)
	},
	"sagemaker/training-job": func(c Call, form string) string {
		name := c.param("trainingJobName")
		if name != strings.ToLower(name) {
			return "" // the ARN spells the name in lower case, which policies may not
		}
		if name == "" && c.param("trainingJobName*") != "" { // many names, that may be spelled in any case
			return strings.Replace(fill(c, form, "", "x"), "${TrainingJobName}", "*", 1)
		}
		return fill(c, form, "TrainingJobName", name)
	},
	"lambda/function": func(c Call, form string) string {
		name := c.param("functionName")
		if account, short, ok := strings.Cut(name, ":function:"); ok && isAccount(account) { // AWS: API_Invoke
			c.Account, name = account, short
		}
		return fill(c, form, "FunctionName", name)
	},
	"dynamodb/table": func(c Call, form string) string {
		return fill(c, form, "TableName", c.param("tableName"))
	},
	"secretsmanager/Secret": func(c Call, form string) string {
		id := c.param("secretId")
		arn := fill(c, form, "SecretId", id)
		if arn != "" && !strings.HasPrefix(id, "arn:") {
			arn += "-??????" // six random characters (AWS: secretsmanager auth-and-access_examples)
		}
		return arn
	},
	"sqs/queue": func(c Call, form string) string {
		// https://sqs.REGION.amazonaws.com/ACCOUNT/NAME
		p := strings.Split(c.param("queueUrl"), "/")
		if len(p) != 5 || p[0] != "https:" || !isAccount(p[3]) {
			return ""
		}
		c.Account = p[3]
		return fill(c, form, "QueueName", p[4])
	},
	"ssm/parameter": func(c Call, form string) string {
		return fill(c, form, "ParameterNameWithoutLeadingSlash", strings.TrimPrefix(c.param("name"), "/"))
	},
	"sts/role": func(c Call, _ string) string {
		if arn := c.param("roleArn"); isARN(arn, "iam") {
			return Literal(arn)
		}
		return ""
	},
}

// fill writes a name into a resource type's form; a name that is an ARN of that
// form stands for itself. Empty when a part of the ARN is not known.
func fill(c Call, form, placeholder, name string) string {
	switch {
	case name == "":
		return ""
	case strings.HasPrefix(name, "arn:"):
		if hasForm(name, form) {
			return Literal(name)
		}
		return ""
	case c.Account == "" || c.Region == "":
		return ""
	}
	return strings.NewReplacer(
		"${Partition}", c.partition(), "${Region}", c.Region, "${Account}", c.Account, "${"+placeholder+"}", Literal(name),
	).Replace(form)
}

var (
	placeholder = regexp.MustCompile(`\$\{[^}]*\}`)
	accountID   = regexp.MustCompile(`^\d{12}$`)
)

func isAccount(s string) bool { return accountID.MatchString(s) }

// hasForm tells that an ARN fits a resource type's pattern: the fixed parts of
// its text, in order, with anything but nothing in place of each placeholder
// (region and account may be empty).
func hasForm(arn, form string) bool {
	a, f := strings.SplitN(arn, ":", 6), strings.SplitN(form, ":", 6)
	if len(a) != 6 || len(f) != 6 || a[0] != "arn" || a[2] != f[2] {
		return false
	}
	fixed := placeholder.Split(f[5], -1)
	rest, ok := strings.CutPrefix(a[5], fixed[0])
	if !ok {
		return false
	}
	for n, text := range fixed[1:] {
		if rest == "" {
			return false
		}
		if last := n == len(fixed)-2; last {
			return len(rest) > len(text) && strings.HasSuffix(rest, text)
		}
		at := strings.Index(rest[1:], text)
		if at < 0 {
			return false
		}
		rest = rest[1+at+len(text):]
	}
	return rest == ""
}
