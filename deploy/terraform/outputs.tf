# `release/terraform` generates this file from template.yaml.

output "url" {
  description = "The URL of Signpost. Append an object key"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "Url", null)
}

output "health" {
  description = "Check that Signpost is running"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "Health", null)
}

output "upload" {
  description = "Upload a file of at most about 4.5 MB ($TOKEN is the secret whose digest is TokenSha256)"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "Upload", null)
}

output "upload_any_size" {
  description = "Upload a file of up to 5 GiB, in two steps. The first one declares the length, which rules with max_bytes require"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "UploadAnySize", null)
}

output "download" {
  description = "Download a file"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "Download", null)
}

output "delete" {
  description = "Delete a file"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "Delete", null)
}

output "cli_setup" {
  description = "Configure the command `signpost`, so that you can use keys instead of URLs"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "CliSetup", null)
}

output "bucket_name" {
  description = "The bucket that Signpost serves"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "BucketName", null)
}

output "function_name" {
  description = "The Lambda function"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "FunctionName", null)
}

output "log_group" {
  description = "The log group of the function. It contains one line for each request"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "LogGroup", null)
}

output "dashboard_url" {
  description = "The CloudWatch dashboard"
  value       = lookup(aws_cloudformation_stack.signpost.outputs, "DashboardUrl", null)
}
