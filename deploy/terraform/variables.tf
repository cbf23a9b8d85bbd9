# `release/terraform` generates this file from template.yaml.

variable "token_sha256" {
  description = "SHA-256 of a long random token, in lower-case hex. The id of this token is \"first\", for curl -u first:SECRET. It may read, write, delete and list everything. Empty = every request is rejected. To create a token: TOKEN=$(openssl rand -hex 32); printf %s \"$TOKEN\" | sha256sum"
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9a-f]{64})?$", var.token_sha256))
    error_message = "token_sha256 must be a value of the format in the description."
  }
}

variable "rules" {
  description = "A rules file as TOML text. It replaces the rules that TokenSha256 creates. Lambda limits all environment variables together to 4 KB."
  type        = string
  default     = ""
  nullable    = false
}

variable "rules_object" {
  description = "An object that contains the rules file, as s3://BUCKET/KEY, in this region and not in the bucket that Signpost serves. A change applies within a minute. Everyone who may write this object controls all access."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^*?$]+)?$", var.rules_object))
    error_message = "rules_object must be a value of the format in the description."
  }
}

variable "rules_parameter" {
  description = "A parameter of Systems Manager that contains the rules file, such as /signpost/rules. Use it instead of RulesObject."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[A-Za-z0-9_.-]+)+)?$", var.rules_parameter))
    error_message = "rules_parameter must be a value of the format in the description."
  }
}

variable "keys" {
  description = "The keys that sign share links and sign-in sessions. `signpost key new` prints a key. During a key rotation, give two keys, separated by a comma. Every principal who may read the configuration of the function can read them; KeysParameter and KeysSecretArn avoid this. Empty or - = no share links and no sign-in. `sam deploy --guided` accepts no empty value for this parameter, so enter -."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true

  validation {
    condition     = can(regex("^(-|[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{43,}(,[A-Za-z0-9_-]{1,32}:[A-Za-z0-9_-]{43,})?)?$", var.keys))
    error_message = "keys must be a value of the format in the description."
  }
}

variable "keys_parameter" {
  description = "A parameter of Systems Manager (SecureString) that contains the keys, such as /signpost/keys. Use it instead of Keys."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[A-Za-z0-9_.-]+)+)?$", var.keys_parameter))
    error_message = "keys_parameter must be a value of the format in the description."
  }
}

variable "keys_secret_arn" {
  description = "A secret of Secrets Manager in this region that contains the keys. Use it instead of Keys."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+)?$", var.keys_secret_arn))
    error_message = "keys_secret_arn must be a value of the format in the description."
  }
}

variable "client_secret" {
  description = "The client secret for the client_id in the rules, if its issuer requires one. Empty or - = none. `sam deploy --guided` accepts no empty value for this parameter, so enter -."
  type        = string
  default     = ""
  nullable    = false
  sensitive   = true
}

variable "client_secret_parameter" {
  description = "A parameter of Systems Manager (SecureString) that contains the client secret. Use it instead of ClientSecret."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[A-Za-z0-9_.-]+)+)?$", var.client_secret_parameter))
    error_message = "client_secret_parameter must be a value of the format in the description."
  }
}

variable "client_secret_arn" {
  description = "A secret of Secrets Manager in this region that contains the client secret. Use it instead of ClientSecret."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+)?$", var.client_secret_arn))
    error_message = "client_secret_arn must be a value of the format in the description."
  }
}

variable "create_table" {
  description = "Creates the id table in DynamoDB. Rules with {id} require it, share links with a maximum number of uses require it (together with Keys), and so do locks of git-lfs. The table is retained when you delete the stack, because without it the objects behind ids cannot be found."
  type        = bool
  default     = false
  nullable    = false
}

variable "max_expires_seconds" {
  description = "The maximum lifetime of a presigned URL. The function does not start if a rule has a longer lifetime. The policy of the new bucket rejects older signatures."
  type        = number
  default     = 900
  nullable    = false

  validation {
    condition     = var.max_expires_seconds >= 300
    error_message = "max_expires_seconds must be at least 300."
  }

  validation {
    condition     = var.max_expires_seconds <= 900
    error_message = "max_expires_seconds must be at most 900."
  }
}

variable "front" {
  description = "rest = regional REST API; it supports every key whose percent-encoded path has at most about 1,500 bytes. http-api = HTTP API; it is cheaper, but it decodes the path, merges \"//\" and does not support keys that contain \"?\" or \"//\". function-url = Lambda function URL; it is the cheapest and supports every key, but it has no throttling of its own (set ReservedConcurrency)."
  type        = string
  default     = "rest"
  nullable    = false

  validation {
    condition     = contains(["rest", "http-api", "function-url"], var.front)
    error_message = "front must be one of: rest, http-api, function-url."
  }
}

variable "stage_name" {
  description = "Front=rest only. The stage of the REST API. It is the first path segment of the default URL."
  type        = string
  default     = "live"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name must be a value of the format in the description."
  }
}

variable "http_stage_name" {
  description = "Front=http-api only. The stage of the HTTP API. Any name other than $default is the first path segment of the default URL."
  type        = string
  default     = "$default"
  nullable    = false

  validation {
    condition     = can(regex("^(\\$default|[A-Za-z0-9_-]{1,128})$", var.http_stage_name))
    error_message = "http_stage_name must be a value of the format in the description."
  }
}

variable "domain_name" {
  description = "Front=rest and http-api. A custom domain name, such as files.example.com. The CORS rules of the new bucket also allow it. Empty = none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9-]+(\\.[a-z0-9-]+)+)?$", var.domain_name))
    error_message = "domain_name must be a value of the format in the description."
  }
}

variable "certificate_arn" {
  description = "Required with DomainName. The certificate for the domain name, in ACM in this region."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+)?$", var.certificate_arn))
    error_message = "certificate_arn must be a value of the format in the description."
  }
}

variable "hosted_zone_id" {
  description = "With DomainName. The hosted zone in Route 53 in which the stack creates a record. Empty = you create the record."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^[A-Z0-9]{0,32}$", var.hosted_zone_id))
    error_message = "hosted_zone_id must be a value of the format in the description."
  }
}

variable "public_url" {
  description = "The URL that clients use, if a CDN or an API mapping with a path is in front of Signpost, such as https://files.example.com or https://api.example.com/files. Empty = DomainName if set, or else the host that the front reports."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(https://[a-z0-9-]+(\\.[a-z0-9-]+)+(/[A-Za-z0-9._~-]+)*)?$", var.public_url))
    error_message = "public_url must be a value of the format in the description."
  }
}

variable "throttle_rate" {
  description = "Front=rest and http-api. The maximum number of requests per second. The gateway rejects further requests with 429."
  type        = number
  default     = 100
  nullable    = false

  validation {
    condition     = var.throttle_rate >= 1
    error_message = "throttle_rate must be at least 1."
  }
}

variable "throttle_burst" {
  description = "Front=rest and http-api. The maximum burst of requests. The gateway rejects further requests with 429."
  type        = number
  default     = 200
  nullable    = false

  validation {
    condition     = var.throttle_burst >= 1
    error_message = "throttle_burst must be at least 1."
  }
}

variable "reserved_concurrency" {
  description = "The number of concurrent executions that are reserved for the function. It is also the upper limit. -1 = no reservation. 0 = Signpost is switched off."
  type        = number
  default     = -1
  nullable    = false

  validation {
    condition     = var.reserved_concurrency >= -1
    error_message = "reserved_concurrency must be at least -1."
  }

  validation {
    condition     = var.reserved_concurrency <= 1000
    error_message = "reserved_concurrency must be at most 1000."
  }
}

variable "web_acl_arn" {
  description = "Front=rest only. A web ACL of AWS WAF in this region that protects the API. Empty = none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/[A-Za-z0-9_-]+/[a-f0-9-]+)?$", var.web_acl_arn))
    error_message = "web_acl_arn must be a value of the format in the description."
  }
}

variable "existing_bucket" {
  description = "The name of an existing bucket in this account and region. The stack does not change it. First enable versioning (without it, a DELETE is permanent) and the public access block, and add the policy, CORS rules and lifecycle rules: docs/OPERATIONS.md, \"An existing bucket\". Empty = create a bucket. It is retained when you delete the stack."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", var.existing_bucket))
    error_message = "existing_bucket must be a value of the format in the description."
  }
}

variable "more_buckets" {
  description = "The ARNs of further buckets in this account that a [[mount]] of the rules names, such as arn:aws:s3:::example-archive. For an access point, its ARN and that of its bucket. The role that signs URLs gets the same permissions for them as for the first bucket. The stack does not change their policies, CORS rules or lifecycle rules. Empty = none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for value in var.more_buckets : can(regex("^(arn:[a-z-]+:s3:(::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]|[a-z0-9-]+:[0-9]{12}:accesspoint/[a-z0-9-]{3,50}))?$", value))])
    error_message = "more_buckets must be values of the format in the description."
  }
}

variable "mount_roles" {
  description = "The ARNs of the roles that a [[mount]] of the rules names in `sign_as`, also in other accounts. The function may assume them. Empty = none."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for value in var.mount_roles : can(regex("^(arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9/_+=,.@-]+)?$", value))])
    error_message = "mount_roles must be values of the format in the description."
  }
}

variable "store_key_parameter" {
  description = "A parameter of Systems Manager (SecureString) that contains the access key of another store as ACCESS_KEY_ID:SECRET, for mounts with `credentials = \"STORE\"`."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^((/[A-Za-z0-9_.-]+)+)?$", var.store_key_parameter))
    error_message = "store_key_parameter must be a value of the format in the description."
  }
}

variable "store_key_secret_arn" {
  description = "A secret of Secrets Manager in this region that contains the access key of another store. Use it instead of StoreKeyParameter."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+)?$", var.store_key_secret_arn))
    error_message = "store_key_secret_arn must be a value of the format in the description."
  }
}

variable "cors_origins" {
  description = "The origins of web pages that may use Signpost and the new bucket, such as https://app.example.com. Empty = none."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "old_version_days" {
  description = "New bucket only. The number of days during which a deleted or replaced object can be restored."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.old_version_days >= 1
    error_message = "old_version_days must be at least 1."
  }

  validation {
    condition     = var.old_version_days <= 3650
    error_message = "old_version_days must be at most 3650."
  }
}

variable "kms_key_arn" {
  description = "A KMS key in this region that encrypts the bucket. The stack configures it for a new bucket; an existing bucket must already use it. The role that signs URLs gets permission to use the key. Not with SigningMode=scoped. Empty = encryption with keys that S3 manages (SSE-S3)."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.kms_key_arn))
    error_message = "kms_key_arn must be a value of the format in the description."
  }
}

variable "object_lock_days" {
  description = "New bucket only. The number of days for which Object Lock protects every version in governance mode. S3 then requires Content-MD5 or a checksum for every upload. 0 = none."
  type        = number
  default     = 0
  nullable    = false

  validation {
    condition     = var.object_lock_days >= 0
    error_message = "object_lock_days must be at least 0."
  }

  validation {
    condition     = var.object_lock_days <= 36500
    error_message = "object_lock_days must be at most 36500."
  }
}

variable "replication_bucket_arn" {
  description = "New bucket only. A versioned bucket in this account to which S3 replicates every object. Not with KmsKeyArn. Empty = none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", var.replication_bucket_arn))
    error_message = "replication_bucket_arn must be a value of the format in the description."
  }
}

variable "bucket_access_logs" {
  description = "New bucket only. Writes S3's access log to a second bucket, which is also retained when you delete the stack. The log shows who used each presigned URL. It contains complete query strings."
  type        = bool
  default     = false
  nullable    = false
}

variable "signing_mode" {
  description = "signer = sessions of a role that has only the permissions for signing. scoped = a separate session of this role for each user, limited to what the rule grants. execution = the function's own role; it needs no calls to STS, but its URLs are hard to revoke. See docs/SIGNING.md."
  type        = string
  default     = "signer"
  nullable    = false

  validation {
    condition     = contains(["signer", "scoped", "execution"], var.signing_mode)
    error_message = "signing_mode must be one of: signer, scoped, execution."
  }
}

variable "architecture" {
  description = "The processor architecture of the function. Use the same value for `sam build`."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be one of: arm64, x86_64."
  }
}

variable "function_kms_key_arn" {
  description = "A KMS key in this region that encrypts the environment variables of the function, so that only principals with permission for the key can read them. The function may also decrypt the parameters and secrets above with it. Empty = a key of Lambda."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.function_kms_key_arn))
    error_message = "function_kms_key_arn must be a value of the format in the description."
  }
}

variable "log_level" {
  description = "The log level of the function. No level logs query strings, tokens or presigned URLs."
  type        = string
  default     = "info"
  nullable    = false

  validation {
    condition     = contains(["off", "error", "warn", "info", "debug", "trace"], var.log_level)
    error_message = "log_level must be one of: off, error, warn, info, debug, trace."
  }
}

variable "log_retention_days" {
  description = "The number of days after which log lines are deleted."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "access_logs" {
  description = "Front=rest and http-api. Enables the access log of the gateway, without query strings. A REST API requires that the account has a CloudWatch role for API Gateway; without it, the deployment fails."
  type        = bool
  default     = false
  nullable    = false
}

variable "tracing" {
  description = "Enables X-Ray traces of the function and of the REST API."
  type        = bool
  default     = false
  nullable    = false
}

variable "monitoring" {
  description = "Creates four alarms and a dashboard in CloudWatch. The first ten alarms and three dashboards of an account are free."
  type        = bool
  default     = true
  nullable    = false
}

variable "metrics" {
  description = "The function writes five custom metrics per bucket to CloudWatch. AWS charges for each metric."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "The SNS topic that receives the alarms. Empty = the alarms are only visible in CloudWatch."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+)?$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be a value of the format in the description."
  }
}

variable "alarm_daily_requests" {
  description = "The number of requests per day above which CostAlarm fires."
  type        = number
  default     = 1000000
  nullable    = false

  validation {
    condition     = var.alarm_daily_requests >= 1
    error_message = "alarm_daily_requests must be at least 1."
  }
}
