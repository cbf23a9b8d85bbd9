# `release/terraform` generates this file from template.yaml.

locals {
  parameters = {
    TokenSha256           = var.token_sha256
    Rules                 = var.rules
    RulesObject           = var.rules_object
    RulesParameter        = var.rules_parameter
    Keys                  = var.keys
    KeysParameter         = var.keys_parameter
    KeysSecretArn         = var.keys_secret_arn
    ClientSecret          = var.client_secret
    ClientSecretParameter = var.client_secret_parameter
    ClientSecretArn       = var.client_secret_arn
    CreateTable           = var.create_table ? "yes" : "no"
    MaxExpiresSeconds     = tostring(var.max_expires_seconds)
    Front                 = var.front
    StageName             = var.stage_name
    HttpStageName         = var.http_stage_name
    DomainName            = var.domain_name
    CertificateArn        = var.certificate_arn
    HostedZoneId          = var.hosted_zone_id
    PublicUrl             = var.public_url
    ThrottleRate          = tostring(var.throttle_rate)
    ThrottleBurst         = tostring(var.throttle_burst)
    ReservedConcurrency   = tostring(var.reserved_concurrency)
    WebAclArn             = var.web_acl_arn
    ExistingBucket        = var.existing_bucket
    MoreBuckets           = join(",", var.more_buckets)
    MountRoles            = join(",", var.mount_roles)
    StoreKeyParameter     = var.store_key_parameter
    StoreKeySecretArn     = var.store_key_secret_arn
    CorsOrigins           = join(",", var.cors_origins)
    OldVersionDays        = tostring(var.old_version_days)
    KmsKeyArn             = var.kms_key_arn
    ObjectLockDays        = tostring(var.object_lock_days)
    ReplicationBucketArn  = var.replication_bucket_arn
    BucketAccessLogs      = var.bucket_access_logs ? "yes" : "no"
    SigningMode           = var.signing_mode
    Architecture          = var.architecture
    FunctionKmsKeyArn     = var.function_kms_key_arn
    LogLevel              = var.log_level
    LogRetentionDays      = tostring(var.log_retention_days)
    AccessLogs            = var.access_logs ? "yes" : "no"
    Tracing               = var.tracing ? "yes" : "no"
    Monitoring            = var.monitoring ? "yes" : "no"
    Metrics               = var.metrics ? "yes" : "no"
    AlarmTopicArn         = var.alarm_topic_arn
    AlarmDailyRequests    = tostring(var.alarm_daily_requests)
  }
}
