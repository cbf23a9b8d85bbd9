# Deploys the stack of template.yaml. The parameters of the stack are variables, and its outputs are outputs.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
    http = {
      source  = "hashicorp/http"
      version = ">= 3.4"
    }
  }
}

variable "stack_name" {
  description = "The name of the CloudFormation stack."
  type        = string
  default     = "signpost"
  nullable    = false
}

variable "package_url" {
  description = "The URL of signpost-lambda-VERSION-ARCHITECTURE.zip, for the processor of the variable `architecture`."
  type        = string
  nullable    = false
}

variable "package_sha256" {
  description = "The SHA-256 digest of this file in lower-case hex, from SHA256SUMS of the release."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package_sha256))
    error_message = "package_sha256 must be 64 digits of lower-case hex."
  }
}

locals {
  # S3 reports the digest in base64, and there is no function that converts it: six digits of hex are four of base64.
  base64_digits = split("", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  hex_groups    = [for at in range(0, 66, 6) : parseint(substr("${var.package_sha256}00", at, 6), 16)]
  package_digest = join("", [substr(join("", flatten([
    for group in local.hex_groups : [for power in [262144, 4096, 64, 1] : local.base64_digits[floor(group / power) % 64]]
  ])), 0, 43), "="])

  template = replace(
    file("${path.module}/../../template.yaml"),
    "/\n      CodeUri: [^\n]+\n/",
    "\n      CodeUri: s3://${aws_s3_object.package.bucket}/${aws_s3_object.package.key}\n",
  )
}

data "http" "package" {
  url = var.package_url

  lifecycle {
    postcondition {
      condition     = self.status_code == 200
      error_message = "The package cannot be downloaded from package_url."
    }
  }
}

# The bucket contains only the package and the template. It is not the bucket that Signpost serves.
resource "aws_s3_bucket" "package" {
  bucket_prefix = "signpost-package-"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "package" {
  bucket                  = aws_s3_bucket.package.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_object" "package" {
  bucket             = aws_s3_bucket.package.id
  key                = "${var.package_sha256}.zip"
  content_base64     = data.http.package.response_body_base64
  checksum_algorithm = "SHA256"

  lifecycle {
    postcondition {
      condition     = self.checksum_sha256 == local.package_digest
      error_message = "The package does not have the digest package_sha256."
    }
  }
}

resource "aws_s3_object" "template" {
  bucket  = aws_s3_bucket.package.id
  key     = "${sha256(local.template)}.yaml"
  content = local.template
}

resource "aws_cloudformation_stack" "signpost" {
  name         = var.stack_name
  template_url = "https://${aws_s3_bucket.package.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = local.parameters
}
