package actions

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// Of returns the actions that a call was authorised by, each with its outcome
// and, where the record tells, its resources; sorted by action, then by what
// else tells them apart. A record that is no call, or a call that needs no
// permission, gives none.
//
// Event names are mostly the action's own name in another case; the tables of
// this package hold the rest. A name that is in neither the catalogue nor a
// table stays as text, with Known false.
func Of(c Call) []Use {
	prefix := Prefix(c.Source, c.Name)
	if !c.isAPICall() || prefix == "" || c.Name == "" || needsNoPermission(prefix, c.Name) {
		return nil
	}
	var uses []Use
	switch prefix {
	case "s3", "s3-outposts", "s3-object-lambda":
		uses = s3Uses(c, prefix)
	case "s3express":
		uses = s3ExpressUses(c)
	default:
		uses = apiUses(c, prefix)
	}
	outcome := OutcomeOf(c)
	for i := range uses {
		uses[i].Outcome = outcome
		if uses[i].Ambiguous && outcome == Used {
			uses[i].Outcome = Attempted
		}
	}
	switch outcome {
	case Used:
		uses = append(uses, keyUses(c, prefix)...)
		uses = append(uses, passedRoles(c, prefix, uses)...)
	case Denied:
		uses = blame(c, prefix, uses)
	}
	slices.SortStableFunc(uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Role, b.Role), slices.Compare(a.Resources, b.Resources))
	})
	return uses
}

// needsNoPermission: AWS lets every caller make these (AWS:
// API_GetCallerIdentity, API_GetSessionToken); signing in is no IAM action.
func needsNoPermission(prefix, event string) bool {
	switch prefix {
	case "signin":
		return true
	case "sts":
		return event == "GetCallerIdentity" || event == "GetSessionToken"
	}
	return false
}

// apiUses maps a call of most services: through the tables, else by its name.
func apiUses(c Call, prefix string) []Use {
	if prefix == "apigateway" {
		return methodUses(c)
	}
	r, ok := renamedEvents[prefix+":"+undated(c.Name)]
	if !ok {
		return []Use{lookup(c, prefix, c.Name)}
	}
	uses := make([]Use, 0, len(r.actions))
	for _, action := range r.actions {
		u := use(c, action)
		u.Ambiguous = r.oneOf
		uses = append(uses, u)
	}
	return uses
}

// lookup takes an event's name for an action's, without the API date that some
// services put into it.
func lookup(c Call, prefix, name string) Use {
	cat := Load()
	for _, n := range []string{name, undated(name)} {
		if i, ok := cat.Index(prefix + ":" + n); ok {
			return use(c, cat.Action(i))
		}
	}
	return Use{Action: prefix + ":" + name}
}

// use is a use of a known action with the resources that the record tells.
func use(c Call, action string) Use {
	i, ok := Load().Index(action)
	if !ok {
		return Use{Action: action}
	}
	return Use{Action: Load().Action(i), Known: true, Resources: resourcesOf(c, i)}
}

// Lambda dates its events with the API version (CreateFunction20150331,
// UpdateFunctionCode20150331v2; AWS: lambda logging-using-cloudtrail), CloudFront
// with underscores (CreateDistribution2020_05_31).
var dateSuffix = regexp.MustCompile(`(?:20\d{6}(?:v\d+)?|_?20\d{2}_\d{2}_\d{2})$`)

func undated(name string) string { return dateSuffix.ReplaceAllString(name, "") }

// renamed is what an event was authorised by where its name is no action's.
type renamed struct {
	actions []string
	// oneOf: at least one of them; the record does not tell which.
	oneOf bool
}

func all(actions ...string) renamed   { return renamed{actions: actions} }
func oneOf(actions ...string) renamed { return renamed{actions: actions, oneOf: true} }

// renamedEvents by prefix and event name, without the API date.
var renamedEvents = map[string]renamed{
	// AWS: lambda lambda-api-permissions-ref
	"lambda:Invoke":                   all("lambda:InvokeFunction"),
	"lambda:InvokeWithResponseStream": all("lambda:InvokeFunction"),
	"lambda:GetLayerVersionByArn":     all("lambda:GetLayerVersion"),

	// AWS: API_ReEncrypt, "Required permissions"
	"kms:ReEncrypt": all("kms:ReEncryptFrom", "kms:ReEncryptTo"),

	// AWS: ql-iam, transaction-apis-iam. A statement says what it does, the event
	// does not.
	"dynamodb:ExecuteStatement":      partiQL,
	"dynamodb:BatchExecuteStatement": partiQL,
	"dynamodb:ExecuteTransaction":    partiQL,
	"dynamodb:TransactGetItems":      all("dynamodb:GetItem"),
	"dynamodb:TransactWriteItems":    oneOf("dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"),

	// AWS: sqs-api-permissions-reference, API_PublishBatch: a batch takes the
	// right to the single call.
	"sqs:SendMessageBatch":             all("sqs:SendMessage"),
	"sqs:DeleteMessageBatch":           all("sqs:DeleteMessage"),
	"sqs:ChangeMessageVisibilityBatch": all("sqs:ChangeMessageVisibility"),
	"sns:PublishBatch":                 all("sns:Publish"),

	// AWS: API_runtime_Converse, API_runtime_ConverseStream
	"bedrock:Converse":       all("bedrock:InvokeModel"),
	"bedrock:ConverseStream": all("bedrock:InvokeModelWithResponseStream"),

	// AWS: s3-tables-logging
	"s3tables:GetObject":               all("s3tables:GetTableData"),
	"s3tables:HeadObject":              all("s3tables:GetTableData"),
	"s3tables:PutObject":               all("s3tables:PutTableData"),
	"s3tables:CreateMultipartUpload":   all("s3tables:PutTableData"),
	"s3tables:UploadPart":              all("s3tables:PutTableData"),
	"s3tables:CompleteMultipartUpload": all("s3tables:PutTableData"),
	"s3tables:AbortMultipartUpload":    all("s3tables:PutTableData"),
	"s3tables:ListParts":               all("s3tables:PutTableData"),

	// AWS: billing-permissions-ref: budgets know two rights.
	"budgets:CreateBudget":                          all("budgets:ModifyBudget"),
	"budgets:UpdateBudget":                          all("budgets:ModifyBudget"),
	"budgets:DeleteBudget":                          all("budgets:ModifyBudget"),
	"budgets:CreateNotification":                    all("budgets:ModifyBudget"),
	"budgets:UpdateNotification":                    all("budgets:ModifyBudget"),
	"budgets:DeleteNotification":                    all("budgets:ModifyBudget"),
	"budgets:CreateSubscriber":                      all("budgets:ModifyBudget"),
	"budgets:UpdateSubscriber":                      all("budgets:ModifyBudget"),
	"budgets:DeleteSubscriber":                      all("budgets:ModifyBudget"),
	"budgets:DescribeBudget":                        all("budgets:ViewBudget"),
	"budgets:DescribeBudgets":                       all("budgets:ViewBudget"),
	"budgets:DescribeBudgetNotificationsForAccount": all("budgets:ViewBudget"),
	"budgets:DescribeBudgetPerformanceHistory":      all("budgets:ViewBudget"),
	"budgets:DescribeNotificationsForBudget":        all("budgets:ViewBudget"),
	"budgets:DescribeSubscribersForNotification":    all("budgets:ViewBudget"),

	// AWS: xray-api-cloudtrail
	"xray:GetServiceGraphs": all("xray:GetServiceGraph"),
}

var partiQL = oneOf("dynamodb:PartiQLSelect", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:PartiQLDelete")

// methodUses maps API Gateway's calls to the HTTP methods it authorises by
// (AWS: list_amazonapigatewaymanagement; which method a call takes: the API
// Gateway v1 and v2 API references).
func methodUses(c Call) []Use {
	if u := lookup(c, "apigateway", c.Name); u.Known {
		return []Use{u}
	}
	for _, m := range methods {
		if strings.HasPrefix(c.Name, m.event) {
			var uses []Use
			for _, verb := range m.verbs {
				u := use(c, "apigateway:"+verb)
				u.Ambiguous = len(m.verbs) > 1
				uses = append(uses, u)
			}
			return uses
		}
	}
	return []Use{{Action: "apigateway:" + c.Name}}
}

// methods by the beginning of an event's name; the first that fits decides.
var methods = []struct {
	event string
	verbs []string
}{
	{"TagResource", []string{"PUT", "POST"}}, // v1 puts, v2 posts
	{"UntagResource", []string{"DELETE"}},
	{"ImportDocumentationParts", []string{"PUT"}},
	{"ImportApi", []string{"POST", "PUT"}}, // ImportApiKeys and ImportApi: v1 posts, v2 puts
	{"Import", []string{"POST"}},
	{"Reimport", []string{"PUT"}},
	{"Put", []string{"PUT"}},
	{"Get", []string{"GET"}},
	{"Export", []string{"GET"}},
	{"Create", []string{"POST"}},
	{"Generate", []string{"POST"}},
	{"TestInvoke", []string{"POST"}},
	{"Update", []string{"PATCH"}},
	{"Delete", []string{"DELETE"}},
	{"Flush", []string{"DELETE"}},
	{"Reset", []string{"DELETE"}},
}

// blame settles a refused call: where the message names an action, that one was
// refused and the others were not decided.
//
// SageMaker checks a new job's inputs with the execution role and reports what
// that role lacks as a ValidationException on the caller's own event: the
// refusal is the role's, and nobody's where the record does not name the role. A
// role that could not be assumed is a matter of its trust policy and no use of
// the role's.
func blame(c Call, prefix string, uses []Use) []Use {
	if c.Denial.Action == "" {
		return uses
	}
	denied := Use{Action: c.Denial.Action, Outcome: Denied}
	if i, ok := Load().Index(c.Denial.Action); ok {
		denied.Action, denied.Known = Load().Action(i), true
	}
	if r := c.Denial.Resource; strings.HasPrefix(r, "arn:") {
		denied.Resources = []string{Literal(r)}
	}
	byRole := prefix == "sagemaker" && strings.HasPrefix(normalCode(c.ErrorCode), "validation")
	if byRole {
		denied.Role = cmp.Or(c.param("roleArn"), c.param("trainingJobDefinition.roleArn"))
	}
	found := false
	for i := range uses {
		if !byRole && uses[i].Action == denied.Action {
			found = true
			if len(denied.Resources) > 0 {
				uses[i].Resources = denied.Resources
			}
			uses[i].Ambiguous = false
			continue
		}
		uses[i].Outcome = Attempted
	}
	if found || byRole && (denied.Role == "" || denied.Action == "sts:AssumeRole") {
		return uses
	}
	return append(uses, denied)
}

// passedRoles are the roles that a successful call handed to a service: each
// took iam:PassRole, which is no call and so has no event (AWS:
// id_roles_use_passrole). Assuming a role is not passing it, and a call that
// only reads passes none.
func passedRoles(c Call, prefix string, uses []Use) []Use {
	if prefix == "sts" || len(uses) == 0 {
		return nil
	}
	i, ok := Load().Index(uses[0].Action)
	if !ok || Load().IsReadOnly(i) && !Load().PassesRole(i) {
		return nil
	}
	var roles []string
	for _, name := range []string{"roleArn", "executionRoleArn", "role", "trainingJobDefinition.roleArn"} {
		if arn := c.param(name); isARN(arn, "iam") && strings.Contains(arn, ":role/") {
			roles = append(roles, Literal(arn))
		}
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	if len(roles) == 0 {
		return nil
	}
	return []Use{{Action: "iam:PassRole", Known: true, Resources: roles, Outcome: Used, Implied: true}}
}

// keyUses are the object reads and writes that a KMS call of S3 stands for. For
// an SSE-KMS object S3 calls KMS as the caller, with the object's ARN in the
// encryption context: Decrypt to read it, GenerateDataKey to write it (AWS:
// UsingKMSEncryption, how-kms-works-with-cloudtrail). With a bucket key the ARN
// is the bucket's (AWS: bucket-key).
func keyUses(c Call, prefix string) []Use {
	if prefix != "kms" {
		return nil
	}
	action := map[string]string{"Decrypt": "s3:GetObject", "GenerateDataKey": "s3:PutObject"}[c.Name]
	arn, pattern := c.param("encryptionContext.aws:s3:arn"), c.pattern("encryptionContext.aws:s3:arn")
	if arn == "" {
		arn = strings.TrimSuffix(c.param("encryptionContext.aws:s3:arn*"), "*")
	}
	if action == "" || !isARN(arn, "s3") {
		return nil
	}
	if bucket := strings.SplitN(arn, ":", 6)[5]; !strings.Contains(bucket, "/") {
		pattern += "/*"
	}
	return []Use{{Action: action, Known: true, Resources: []string{pattern}, Outcome: Used, Indirect: true}}
}

// isARN tells that s is an ARN of a service, with all its six parts.
func isARN(s, service string) bool {
	p := strings.SplitN(s, ":", 6)
	return len(p) == 6 && p[0] == "arn" && p[2] == service && p[5] != ""
}
