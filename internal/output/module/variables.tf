variable "bucket_name" {
  description = "The bucket that the jobs read and write. Without the lists below the role may do so everywhere in it."
  type        = string
  default     = null
}

variable "role_name" {
  description = "The name of the role."
  type        = string
  default     = "sagemaker-execution-role"
}

variable "list_buckets" {
  description = "Buckets to list, by name. Null: bucket_name."
  type        = list(string)
  default     = null
}

variable "read_prefixes" {
  description = "Objects to read, as bucket/prefix/* or bucket/key. Null: all of bucket_name."
  type        = list(string)
  default     = null
}

variable "write_prefixes" {
  description = "Objects to write, as bucket/prefix/* or bucket/key. Null: all of bucket_name."
  type        = list(string)
  default     = null
}

variable "repositories" {
  description = "ARNs of the ECR repositories to pull from. Null: every repository."
  type        = list(string)
  default     = null
}

variable "log_groups" {
  description = "ARNs of the log groups to write to, as arn:aws:logs:REGION:ACCOUNT:log-group:NAME. Null: those below /aws/sagemaker/."
  type        = list(string)
  default     = null
}

variable "describe_log_streams" {
  description = "Whether the role may list the streams of log_groups, which AWS documents for training jobs."
  type        = bool
  default     = false
}

variable "extra_statements" {
  description = "Whole IAM statements, in lists by the part of the policy that they follow: ecr, s3_read, s3_write, logs, other."
  type        = any
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.extra_statements), ["ecr", "s3_read", "s3_write", "logs", "other"])) == 0
    error_message = "The keys of extra_statements are ecr, s3_read, s3_write, logs and other."
  }
}

variable "trust_policy" {
  description = "The trust policy. Null: SageMaker may assume the role."
  type        = any
  default     = null
}

variable "partition" {
  description = "The partition of bucket names and of the default log groups."
  type        = string
  default     = "aws"
}
