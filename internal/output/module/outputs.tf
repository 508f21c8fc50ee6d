output "role_arn" {
  description = "The role's ARN, to hand to the estimator."
  value       = aws_iam_role.this.arn
}
