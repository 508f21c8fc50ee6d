# The execution role of SageMaker training jobs: one role, one inline policy.
#
# With bucket_name alone the policy is what every training job needs: its bucket, an image from ECR and logs. Each list
# narrows a part of it, and extra_statements hold what the lists cannot say.

terraform {
  required_version = ">= 1.3"

  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

locals {
  s3   = "arn:${var.partition}:s3:::"
  logs = "arn:${var.partition}:logs:*:*:log-group:/aws/sagemaker/*"

  one_bucket     = var.list_buckets == null && var.read_prefixes == null && var.write_prefixes == null
  bucket         = var.bucket_name == null ? [] : [var.bucket_name]
  list_buckets   = var.list_buckets == null ? local.bucket : var.list_buckets
  read_prefixes  = var.read_prefixes == null ? [for b in local.bucket : "${b}/*"] : var.read_prefixes
  write_prefixes = var.write_prefixes == null ? [for b in local.bucket : "${b}/*"] : var.write_prefixes
  repositories   = var.repositories == null ? [] : var.repositories
  log_groups     = var.log_groups == null ? [] : var.log_groups
  log_streams    = [for g in local.log_groups : "${g}:*"]

  ecr = concat(
    [for s in [{
      Sid    = "ECRImagePull"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
      ]
      Resource = "*" # GetAuthorizationToken takes no other
    }] : s if var.repositories == null],
    [for s in [
      {
        Sid      = "ECRAuthorization"
        Effect   = "Allow"
        Action   = "ecr:GetAuthorizationToken"
        Resource = "*"
      },
      {
        Sid    = "ECRImagePull"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability",
          "ecr:BatchGetImage",
          "ecr:GetDownloadUrlForLayer",
        ]
        Resource = local.repositories
      },
    ] : s if length(local.repositories) > 0],
  )

  s3_read = concat(
    [for s in [{
      Sid      = "S3DataAccess"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:ListBucket", "s3:PutObject"]
      Resource = flatten([for b in local.bucket : ["${local.s3}${b}", "${local.s3}${b}/*"]])
    }] : s if local.one_bucket],
    [for s in [{
      Sid      = "S3ListBuckets"
      Effect   = "Allow"
      Action   = "s3:ListBucket"
      Resource = [for b in local.list_buckets : "${local.s3}${b}"]
    }] : s if !local.one_bucket && length(local.list_buckets) > 0],
    [for s in [{
      Sid      = "S3ReadData"
      Effect   = "Allow"
      Action   = "s3:GetObject"
      Resource = [for p in local.read_prefixes : "${local.s3}${p}"]
    }] : s if !local.one_bucket && length(local.read_prefixes) > 0],
  )

  s3_write = [for s in [{
    Sid      = "S3WriteArtifacts"
    Effect   = "Allow"
    Action   = "s3:PutObject"
    Resource = [for p in local.write_prefixes : "${local.s3}${p}"]
  }] : s if !local.one_bucket && length(local.write_prefixes) > 0]

  cloudwatch = concat(
    [for s in [{
      Sid      = "CloudWatchLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = local.logs
    }] : s if var.log_groups == null],
    [for s in [{
      Sid      = "CloudWatchLogsDescribe"
      Effect   = "Allow"
      Action   = "logs:DescribeLogStreams"
      Resource = concat(local.log_groups, local.log_streams) # AWS names a group either way
    }] : s if length(local.log_groups) > 0 && var.describe_log_streams],
    [for s in [
      {
        Sid      = "CloudWatchLogGroup"
        Effect   = "Allow"
        Action   = "logs:CreateLogGroup"
        Resource = concat(local.log_groups, local.log_streams) # AWS names a group either way
      },
      {
        Sid      = "CloudWatchLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = local.log_streams
      },
    ] : s if length(local.log_groups) > 0],
  )

  statements = concat(
    local.ecr, try(var.extra_statements.ecr, []),
    local.s3_read, try(var.extra_statements.s3_read, []),
    local.s3_write, try(var.extra_statements.s3_write, []),
    local.cloudwatch, try(var.extra_statements.logs, []),
    try(var.extra_statements.other, []),
  )

  baseline_trust = {
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  }
}

resource "aws_iam_role" "this" {
  name               = var.role_name
  assume_role_policy = var.trust_policy == null ? jsonencode(local.baseline_trust) : jsonencode(var.trust_policy)
}

resource "aws_iam_role_policy" "this" {
  name = "sagemaker-least-privilege"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = local.statements
  })

  lifecycle {
    precondition {
      condition     = var.bucket_name != null || var.list_buckets != null && var.read_prefixes != null && var.write_prefixes != null
      error_message = "Give bucket_name, or list_buckets, read_prefixes and write_prefixes."
    }
  }
}
