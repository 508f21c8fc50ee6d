package analyze

// The ways by which code that runs as a role can come to be another principal, or more
// than it is. Each row says what it takes as actions; the resources are those that the
// catalogue of actions names, and the engine decides with the context of the request.

// launch passes a role to a service that then runs the caller's code as it. It takes
// iam:PassRole on the role, with iam:PassedToService the service, and a role that trusts
// the service (AWS: id_roles_use_passrole).
type launch struct {
	id, service string
	needs       []string
	// does says what is done, %s is the role.
	does string
	// profile: the role must be in an instance profile.
	profile bool
	// asks is what must be there already, empty for nothing: whether it is was not read.
	asks   string
	source string
}

const (
	ec2Service    = "ec2.amazonaws.com"
	lambdaService = "lambda.amazonaws.com"
	glueService   = "glue.amazonaws.com"
	stackService  = "cloudformation.amazonaws.com"
	buildService  = "codebuild.amazonaws.com"
	taskService   = "ecs-tasks.amazonaws.com"
	stateService  = "states.amazonaws.com"
)

// launches are in the order in which they are preferred, those of one service together.
var launches = []launch{
	{id: "sagemaker-training-job", service: sageMaker, needs: []string{"sagemaker:CreateTrainingJob"}, does: "runs a SageMaker training job as %s", source: "API_CreateTrainingJob"},
	{id: "sagemaker-processing-job", service: sageMaker, needs: []string{"sagemaker:CreateProcessingJob"}, does: "runs a SageMaker processing job as %s", source: "API_CreateProcessingJob"},
	{id: "sagemaker-tuning-job", service: sageMaker, needs: []string{"sagemaker:CreateHyperParameterTuningJob"}, does: "runs a SageMaker tuning job as %s", source: "API_CreateHyperParameterTuningJob"},
	{id: "sagemaker-notebook", service: sageMaker, needs: []string{"sagemaker:CreateNotebookInstance", "sagemaker:CreatePresignedNotebookInstanceUrl"}, does: "opens a new SageMaker notebook that runs as %s", source: "API_CreatePresignedNotebookInstanceUrl"},
	{id: "sagemaker-notebook-lifecycle", service: sageMaker, needs: []string{"sagemaker:CreateNotebookInstanceLifecycleConfig", "sagemaker:CreateNotebookInstance"}, does: "starts a SageMaker notebook with a script of its own as %s", source: "notebook-lifecycle-config"},
	{id: "sagemaker-endpoint", service: sageMaker, needs: []string{"sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"}, does: "deploys a SageMaker model that runs as %s", source: "API_CreateModel"},
	{id: "sagemaker-transform-job", service: sageMaker, needs: []string{"sagemaker:CreateModel", "sagemaker:CreateTransformJob"}, does: "runs a SageMaker batch transform as %s", source: "API_CreateTransformJob"},
	{id: "sagemaker-pipeline", service: sageMaker, needs: []string{"sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution"}, does: "runs a SageMaker pipeline as %s", source: "API_CreatePipeline"},
	{id: "lambda-invoke", service: lambdaService, needs: []string{"lambda:CreateFunction", "lambda:InvokeFunction"}, does: "runs a Lambda function as %s", source: "lambda-permissions"},
	{id: "lambda-event-source", service: lambdaService, needs: []string{"lambda:CreateFunction", "lambda:CreateEventSourceMapping"}, does: "has events call a Lambda function that runs as %s", source: "API_CreateEventSourceMapping"},
	{id: "lambda-permission", service: lambdaService, needs: []string{"lambda:CreateFunction", "lambda:AddPermission"}, does: "lets others call a Lambda function that runs as %s", source: "API_AddPermission"},
	{id: "lambda-reconfigure", service: lambdaService, needs: []string{"lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"}, does: "gives a Lambda function that is there its code and %s", asks: "a Lambda function", source: "API_UpdateFunctionConfiguration"},
	{id: "glue-job", service: glueService, needs: []string{"glue:CreateJob", "glue:StartJobRun"}, does: "runs a Glue job as %s", source: "glue create-an-iam-role"},
	{id: "glue-job-trigger", service: glueService, needs: []string{"glue:CreateJob", "glue:CreateTrigger"}, does: "has a trigger run a Glue job as %s", source: "aws-glue-api-jobs-trigger"},
	{id: "glue-update-job", service: glueService, needs: []string{"glue:UpdateJob", "glue:StartJobRun"}, does: "runs a Glue job that is there as %s", asks: "a Glue job", source: "aws-glue-api-jobs-job"},
	{id: "glue-dev-endpoint", service: glueService, needs: []string{"glue:CreateDevEndpoint"}, does: "opens a Glue development endpoint that runs as %s", source: "aws-glue-api-dev-endpoint"},
	{id: "glue-session", service: glueService, needs: []string{"glue:CreateSession", "glue:RunStatement"}, does: "opens a Glue session that runs as %s", source: "aws-glue-api-interactive-sessions"},
	{id: "cloudformation-stack", service: stackService, needs: []string{"cloudformation:CreateStack"}, does: "has CloudFormation make whatever it likes as %s", source: "using-iam-servicerole"},
	{id: "cloudformation-change-set", service: stackService, needs: []string{"cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"}, does: "has a CloudFormation change set make whatever it likes as %s", source: "API_CreateChangeSet"},
	{id: "cloudformation-stack-set", service: stackService, needs: []string{"cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"}, does: "has a CloudFormation stack set make whatever it likes as %s", source: "stacksets-prereqs-self-managed"},
	{id: "codebuild", service: buildService, needs: []string{"codebuild:CreateProject", "codebuild:StartBuild"}, does: "runs a CodeBuild project as %s", source: "setting-up-service-role"},
	{id: "codebuild-batch", service: buildService, needs: []string{"codebuild:CreateProject", "codebuild:StartBuildBatch"}, does: "runs a CodeBuild batch as %s", source: "API_StartBuildBatch"},
	{id: "codebuild-update", service: buildService, needs: []string{"codebuild:UpdateProject", "codebuild:StartBuild"}, does: "runs a CodeBuild project that is there as %s", asks: "a CodeBuild project", source: "API_UpdateProject"},
	{id: "ecs-task", service: taskService, needs: []string{"ecs:RegisterTaskDefinition", "ecs:RunTask"}, does: "runs an ECS task as %s", asks: "an ECS cluster", source: "task-iam-roles"},
	{id: "ecs-start-task", service: taskService, needs: []string{"ecs:RegisterTaskDefinition", "ecs:StartTask"}, does: "starts an ECS task as %s", asks: "an ECS cluster with instances", source: "API_StartTask"},
	{id: "ecs-service", service: taskService, needs: []string{"ecs:RegisterTaskDefinition", "ecs:CreateService"}, does: "runs an ECS service as %s", asks: "an ECS cluster", source: "API_CreateService"},
	{id: "ecs-task-override", service: taskService, needs: []string{"ecs:RunTask"}, does: "runs an ECS task that is there as %s", asks: "an ECS cluster and a task definition", source: "API_TaskOverride"},
	{id: "batch-job", service: taskService, needs: []string{"batch:RegisterJobDefinition", "batch:SubmitJob"}, does: "runs a Batch job as %s", asks: "a Batch queue", source: "batch job-role"},
	{id: "states", service: stateService, needs: []string{"states:CreateStateMachine", "states:StartExecution"}, does: "has a Step Functions state machine call AWS as %s", source: "procedure-create-iam-role"},
	{id: "states-update", service: stateService, needs: []string{"states:UpdateStateMachine", "states:StartExecution"}, does: "has a state machine that is there call AWS as %s", asks: "a state machine", source: "API_UpdateStateMachine"},
	{id: "ec2-instance", service: ec2Service, needs: []string{"ec2:RunInstances"}, does: "starts an EC2 instance as %s", profile: true, source: "iam-roles-for-amazon-ec2"},
	{id: "ec2-spot", service: ec2Service, needs: []string{"ec2:RequestSpotInstances"}, does: "starts an EC2 spot instance as %s", profile: true, source: "API_RequestSpotInstances"},
	{id: "autoscaling", service: ec2Service, needs: []string{"autoscaling:CreateLaunchConfiguration", "autoscaling:CreateAutoScalingGroup"}, does: "has an Auto Scaling group start instances as %s", profile: true, source: "us-iam-role"},
	{id: "datapipeline", service: "datapipeline.amazonaws.com", needs: []string{"datapipeline:CreatePipeline", "datapipeline:PutPipelineDefinition", "datapipeline:ActivatePipeline"}, does: "runs a Data Pipeline as %s", source: "dp-iam-roles"},
	{id: "ssm-automation", service: "ssm.amazonaws.com", needs: []string{"ssm:CreateDocument", "ssm:StartAutomationExecution"}, does: "has a Systems Manager automation call AWS as %s", source: "automation-setup-iam"},
	{id: "scheduler", service: "scheduler.amazonaws.com", needs: []string{"scheduler:CreateSchedule"}, does: "has an EventBridge schedule call AWS as %s", source: "setting-up-execution-role"},
	{id: "emr-serverless", service: "emr-serverless.amazonaws.com", needs: []string{"emr-serverless:CreateApplication", "emr-serverless:StartJobRun"}, does: "runs an EMR Serverless job as %s", source: "security-iam-runtime-role"},
	{id: "apprunner", service: "tasks.apprunner.amazonaws.com", needs: []string{"apprunner:CreateService"}, does: "deploys an App Runner service that runs as %s", source: "security_iam_service-with-iam"},
	{id: "braket-job", service: "braket.amazonaws.com", needs: []string{"braket:CreateJob"}, does: "runs a Braket job as %s", source: "braket-manage-access"},
	{id: "kinesisanalytics", service: "kinesisanalytics.amazonaws.com", needs: []string{"kinesisanalytics:CreateApplication", "kinesisanalytics:StartApplication"}, does: "runs a Managed Flink application as %s", source: "security-iam-service-role"},
	{id: "bedrock-code-interpreter", service: "bedrock-agentcore.amazonaws.com", needs: []string{"bedrock-agentcore:CreateCodeInterpreter", "bedrock-agentcore:StartCodeInterpreterSession", "bedrock-agentcore:InvokeCodeInterpreter"}, does: "runs code in a Bedrock code interpreter as %s", source: "code-interpreter-tool"},
}

// onResource are the resources of actions for which the catalogue does not say which of
// several it takes.
var onResource = map[string][]string{
	"bedrock-agentcore:StartCodeInterpreterSession": {"arn:{p}:bedrock-agentcore:*:{a}:code-interpreter-custom/*"},
	"bedrock-agentcore:InvokeCodeInterpreter":       {"arn:{p}:bedrock-agentcore:*:{a}:code-interpreter-custom/*"},
}

// change is what an edit of a role or a policy alters.
type change uint16

// The changes. Each lets the role do more, never less.
const (
	// changePut: its inline policies are what the editor likes (AWS: API_PutRolePolicy
	// "adds or updates").
	changePut change = 1 << iota
	// changeAttach: AdministratorAccess is attached.
	changeAttach
	// changeUnbound: its boundary is gone, or allows all.
	changeUnbound
	// changeTrust: whoever the editor likes may be it.
	changeTrust
	// changeVersion and those above it: the first and following customer managed policies
	// of the role, its boundary last, allow all.
	changeVersion
)

// edit changes a role.
type edit struct {
	id, action string
	makes      change
	does       string
	source     string
}

// edits of roles, in the order in which they are preferred.
var edits = []edit{
	{id: "attach-role-policy", action: "iam:AttachRolePolicy", makes: changeAttach, does: "attaches AdministratorAccess to %s", source: "API_AttachRolePolicy"},
	{id: "put-role-policy", action: "iam:PutRolePolicy", makes: changePut, does: "writes an inline policy that allows everything into %s", source: "API_PutRolePolicy"},
	{id: "delete-role-boundary", action: "iam:DeleteRolePermissionsBoundary", makes: changeUnbound, does: "removes the permissions boundary of %s", source: "API_DeleteRolePermissionsBoundary"},
	{id: "put-role-boundary", action: "iam:PutRolePermissionsBoundary", makes: changeUnbound, does: "replaces the permissions boundary of %s by one that allows everything", source: "API_PutRolePermissionsBoundary"},
	{id: "update-trust", action: "iam:UpdateAssumeRolePolicy", makes: changeTrust, does: "rewrites the trust policy of %s to let itself in", source: "API_UpdateAssumeRolePolicy"},
}

// The edits of a managed policy, and the way into a role that lets one in.
const (
	versionID     = "create-policy-version"
	versionAction = "iam:CreatePolicyVersion"
	versionDoes   = "makes the policy %s allow everything, by a new default version"
	assumeID      = "assume-role"
	assumeAction  = "sts:AssumeRole"
	assumeDoes    = "assumes %s"
	passAction    = "iam:PassRole"
)

// creation makes a new principal that is an administrator. Each group of needs is one on
// the new principal, or one of several.
type creation struct {
	id     string
	on     string
	needs  [][]string
	does   string
	source string
}

var creations = []creation{
	{id: "create-role", on: "arn:{p}:iam::{a}:role/*", needs: [][]string{{"iam:CreateRole"}, {"iam:AttachRolePolicy", "iam:PutRolePolicy"}, {"sts:AssumeRole"}},
		does: "makes a new role with AdministratorAccess that trusts it, and assumes that", source: "API_CreateRole"},
	{id: "create-user", on: "arn:{p}:iam::{a}:user/*", needs: [][]string{{"iam:CreateUser"}, {"iam:AttachUserPolicy", "iam:PutUserPolicy"}, {"iam:CreateAccessKey"}},
		does: "makes a new user with AdministratorAccess and an access key", source: "API_CreateUser"},
}

// opening is a way to what was not read: users, groups, other versions of a policy, code
// that runs as a role of its own. How far it leads is not known.
type opening struct {
	id    string
	needs []string
	// service names the roles that the code may run as, empty for what is no role.
	service string
	does    string
	gain    string
	source  string
	// own: on a customer managed policy of the role itself.
	own bool
}

var openings = []opening{
	{id: "set-default-version", needs: []string{"iam:SetDefaultPolicyVersion"}, own: true, does: "put another version of its policy %s in force", gain: "what the other versions allow was not read", source: "API_SetDefaultPolicyVersion"},
	{id: "create-access-key", needs: []string{"iam:CreateAccessKey"}, does: "make access keys of IAM users", gain: "it can then act as such a user; users were not read", source: "API_CreateAccessKey"},
	{id: "create-login-profile", needs: []string{"iam:CreateLoginProfile"}, does: "give IAM users a console password", gain: "it can then act as such a user; users were not read", source: "API_CreateLoginProfile"},
	{id: "update-login-profile", needs: []string{"iam:UpdateLoginProfile"}, does: "change the console password of IAM users", gain: "it can then act as such a user; users were not read", source: "API_UpdateLoginProfile"},
	{id: "attach-user-policy", needs: []string{"iam:AttachUserPolicy"}, does: "attach policies to IAM users", gain: "whoever holds such a user may then do anything; users were not read", source: "API_AttachUserPolicy"},
	{id: "put-user-policy", needs: []string{"iam:PutUserPolicy"}, does: "write policies into IAM users", gain: "whoever holds such a user may then do anything; users were not read", source: "API_PutUserPolicy"},
	{id: "attach-group-policy", needs: []string{"iam:AttachGroupPolicy"}, does: "attach policies to IAM groups", gain: "the members of such a group may then do anything; groups were not read", source: "API_AttachGroupPolicy"},
	{id: "put-group-policy", needs: []string{"iam:PutGroupPolicy"}, does: "write policies into IAM groups", gain: "the members of such a group may then do anything; groups were not read", source: "API_PutGroupPolicy"},
	{id: "add-user-to-group", needs: []string{"iam:AddUserToGroup"}, does: "put IAM users into groups", gain: "whoever holds such a user may then do what the group may; users and groups were not read", source: "API_AddUserToGroup"},
	{id: "lambda-update-code", needs: []string{"lambda:UpdateFunctionCode"}, service: lambdaService, does: "replace the code of Lambda functions", gain: "it then runs as the function's role", source: "API_UpdateFunctionCode"},
	{id: "glue-update-job-code", needs: []string{"glue:UpdateJob"}, service: glueService, does: "replace the script of Glue jobs", gain: "it then runs as the job's role", source: "aws-glue-api-jobs-job"},
	{id: "glue-update-dev-endpoint", needs: []string{"glue:UpdateDevEndpoint"}, service: glueService, does: "put its key on Glue development endpoints", gain: "it then runs code as the endpoint's role", source: "aws-glue-api-dev-endpoint"},
	{id: "cloudformation-update-stack", needs: []string{"cloudformation:UpdateStack"}, service: stackService, does: "change CloudFormation stacks that are there", gain: "they are changed as the stack's role", source: "using-iam-servicerole"},
	{id: "cloudformation-existing-change-set", needs: []string{"cloudformation:CreateChangeSet", "cloudformation:ExecuteChangeSet"}, service: stackService, does: "change CloudFormation stacks that are there by change sets", gain: "they are changed as the stack's role", source: "API_ExecuteChangeSet"},
	{id: "codebuild-start-build", needs: []string{"codebuild:StartBuild"}, service: buildService, does: "start CodeBuild projects with commands of its own", gain: "they run as the project's role", source: "API_StartBuild"},
	{id: "codebuild-start-batch", needs: []string{"codebuild:StartBuildBatch"}, service: buildService, does: "start CodeBuild batches with commands of its own", gain: "they run as the project's role", source: "API_StartBuildBatch"},
	{id: "ecs-execute-command", needs: []string{"ecs:ExecuteCommand"}, service: taskService, does: "run commands in ECS tasks", gain: "they run as the task's role", source: "ecs-exec"},
	{id: "states-update-machine", needs: []string{"states:UpdateStateMachine", "states:StartExecution"}, service: stateService, does: "rewrite state machines that are there", gain: "they run as the state machine's role", source: "API_UpdateStateMachine"},
	{id: "ssm-send-command", needs: []string{"ssm:SendCommand"}, service: ec2Service, does: "run commands on EC2 instances", gain: "they have the instance's role", source: "run-command"},
	{id: "ssm-start-session", needs: []string{"ssm:StartSession"}, service: ec2Service, does: "open shells on EC2 instances", gain: "they have the instance's role", source: "session-manager"},
	{id: "ec2-instance-connect", needs: []string{"ec2-instance-connect:SendSSHPublicKey"}, service: ec2Service, does: "put its SSH key on EC2 instances", gain: "a shell there has the instance's role", source: "ec2-instance-connect-methods"},
	{id: "ec2-user-data", needs: []string{"ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"}, service: ec2Service, does: "rewrite the start script of EC2 instances", gain: "it then runs with the instance's role", source: "user-data"},
	{id: "apprunner-update", needs: []string{"apprunner:UpdateService"}, service: "tasks.apprunner.amazonaws.com", does: "replace the code of App Runner services", gain: "it then runs as the service's role", source: "API_UpdateService"},
	{id: "sagemaker-presigned-notebook", needs: []string{"sagemaker:CreatePresignedNotebookInstanceUrl"}, service: sageMaker, does: "open SageMaker notebooks that are there", gain: "code in them runs as the notebook's role", source: "API_CreatePresignedNotebookInstanceUrl"},
	{id: "sagemaker-presigned-domain", needs: []string{"sagemaker:CreatePresignedDomainUrl"}, service: sageMaker, does: "open SageMaker Studio as users that are there", gain: "code in it runs as the user's execution role", source: "API_CreatePresignedDomainUrl"},
	{id: "sagemaker-notebook-script", needs: []string{"sagemaker:CreateNotebookInstanceLifecycleConfig", "sagemaker:StopNotebookInstance", "sagemaker:UpdateNotebookInstance", "sagemaker:StartNotebookInstance"}, service: sageMaker,
		does: "put a start script into SageMaker notebooks that are there", gain: "it then runs as the notebook's role", source: "notebook-lifecycle-config"},
}

// adminProbes are what an administrator can do to a resource that no policy names: change
// permissions, take any role, read and write any data, and stop the record of it.
var adminProbes = []struct{ action, on string }{
	{"iam:AttachRolePolicy", "arn:{p}:iam::{a}:role/audit-probe"},
	{"iam:PutRolePolicy", "arn:{p}:iam::{a}:role/audit-probe"},
	{"iam:UpdateAssumeRolePolicy", "arn:{p}:iam::{a}:role/audit-probe"},
	{"iam:CreatePolicyVersion", "arn:{p}:iam::{a}:policy/audit-probe"},
	{"iam:CreateAccessKey", "arn:{p}:iam::{a}:user/audit-probe"},
	{"iam:PassRole", "arn:{p}:iam::{a}:role/audit-probe"},
	{"sts:AssumeRole", "arn:{p}:iam::{a}:role/audit-probe"},
	{"s3:GetObject", "arn:{p}:s3:::audit-probe/audit-probe"},
	{"s3:PutObject", "arn:{p}:s3:::audit-probe/audit-probe"},
	{"secretsmanager:GetSecretValue", "arn:{p}:secretsmanager:{r}:{a}:secret:audit-probe"},
	{"ec2:TerminateInstances", "arn:{p}:ec2:{r}:{a}:instance/audit-probe"},
	{"lambda:UpdateFunctionCode", "arn:{p}:lambda:{r}:{a}:function:audit-probe"},
	{"cloudtrail:StopLogging", "arn:{p}:cloudtrail:{r}:{a}:trail/audit-probe"},
}
