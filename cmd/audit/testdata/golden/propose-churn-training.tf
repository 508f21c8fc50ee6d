# file: main.tf
# For a NEW role, churn-training-least-privilege, by what churn-training of account 123456789012
# needs as of 2026-10-31 12:00 UTC.
# It stands beside that role and leaves it as it is: adopting an existing role in Terraform comes
# later.
#
# Readiness: confirm. Proof: partial. audit propose -o json has the evidence of every statement.
# - Today's trust policy has a condition on aws:SourceAccount, and the module's has none:
#   trust_policy takes one.

module "churn-training" {
  source = "./modules/sagemaker-execution-role"

  role_name = "churn-training-least-privilege"

  repositories   = ["arn:aws:ecr:us-east-1:123456789012:repository/churn-train"]
  list_buckets   = ["retail-ml-churn"]
  read_prefixes  = ["retail-ml-churn/features/*"]
  write_prefixes = ["retail-ml-churn/models/*"]
  log_groups     = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs"]
}

output "role_arn" {
  value = module.churn-training.role_arn
}
