# file: main.tf
# For a NEW role, search-ranking-training-least-privilege, by what search-ranking-training of
# account 123456789012 needs as of 2026-10-31 12:00 UTC.
# It stands beside that role and leaves it as it is: adopting an existing role in Terraform comes
# later.
#
# Readiness: confirm. Proof: partial. audit propose -o json has the evidence of every statement.
# - 34 granted actions that nobody could observe are not in the proposal (s3): confirm that the
#   role's code does without them.
# - Today's trust policy has a condition on aws:SourceAccount, and the module's has none:
#   trust_policy takes one.

module "search-ranking-training" {
  source = "./modules/sagemaker-execution-role"

  role_name = "search-ranking-training-least-privilege"

  repositories = ["arn:aws:ecr:us-east-1:123456789012:repository/search-ranking-train"]
  list_buckets = ["retail-ml-search-ranking"]
  read_prefixes = [
    "retail-ml-search-ranking/lambdamart/manifests/judgements-v8.manifest",
    "retail-ml-search-ranking/lambdamart/queries/*",
  ]
  write_prefixes       = ["retail-ml-search-ranking/lambdamart/models/*"]
  log_groups           = ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/sagemaker/TrainingJobs"]
  describe_log_streams = true

  extra_statements = {
    other = [
      {
        Sid    = "KMSKeys"
        Effect = "Allow"
        Action = [
          "kms:Decrypt",
          "kms:Encrypt",
          "kms:GenerateDataKey",
        ]
        Resource = "arn:aws:kms:us-east-1:123456789012:key/5d1f0c52-8a3e-4f0e-9d0b-6f6f1d2a7c11"
      },
      {
        Sid      = "KeptDeny1"
        Effect   = "Deny"
        Action   = "s3:DeleteObject*"
        Resource = "*"
      },
      {
        Sid      = "KeptDeny2"
        Effect   = "Deny"
        Action   = "s3:*"
        Resource = "*"
        Condition = {
          Bool = {
            "aws:SecureTransport" = "false"
          }
        }
      },
    ]
  }
}

output "role_arn" {
  value = module.search-ranking-training.role_arn
}
