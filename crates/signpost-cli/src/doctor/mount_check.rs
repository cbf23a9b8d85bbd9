//! Describes the mounts of a rules file, and checks the bucket of each one through the service.

use std::time::SystemTime;

use signpost::mount::{Mount, MountCredentials, Mounts};

use super::check_result::{CheckResult, CheckStatus};
use super::presigned_details::PresignedDetails;
use super::service_check::ServiceCheck;
use crate::operation_error::OperationError;

/// Checks the mounts one after another.
pub(super) async fn examine(
    service: &ServiceCheck,
    mounts: &Mounts,
    now: SystemTime,
) -> Result<Vec<CheckResult>, OperationError> {
    let mut results = Vec::new();
    for (mount, _) in mounts.with_lines() {
        results.push(describe(mount));
        let found = service.redirect(Some(mount), now).await?;
        results.extend(found.into_iter().map(|result| result.in_mount(&mount.at)));
    }
    Ok(results)
}

/// The location of the objects, and the credentials that sign.
fn describe(mount: &Mount) -> CheckResult {
    let prefix = match mount.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" below {prefix:?}"),
    };
    let region = mount.region.as_ref().map(|region| format!(" in {region}"));
    let endpoint = mount.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}"));
    CheckResult::note(format!(
        "the bucket {}{}{} stores its objects{prefix}; {} sign its URLs",
        mount.bucket,
        region.unwrap_or_default(),
        endpoint.unwrap_or_default(),
        credentials(&mount.credentials),
    ))
    .in_mount(&mount.at)
}

fn credentials(credentials: &MountCredentials) -> String {
    match credentials {
        MountCredentials::Service | MountCredentials::Machine => "the credentials of the service".to_owned(),
        MountCredentials::Role { arn, .. } => format!("sessions of {arn}"),
        MountCredentials::Static { name } => format!("the access keys in SIGNPOST_CREDENTIALS_{name}"),
    }
}

/// Returns the findings about the redirect for a key of a mount: its errors, and whether it leads to another bucket than the rules.
pub(super) fn findings(url: &PresignedDetails, mount: &Mount, now: SystemTime) -> Vec<CheckResult> {
    let mut findings = url.findings(now);
    findings.retain(|finding| finding.status == CheckStatus::Failed);
    if !mount.bucket.starts_with("arn:") && !url.names_bucket(&mount.bucket) {
        findings.push(CheckResult::failed(
            format!(
                "the redirect leads to {}{}, which is another bucket",
                url.host(),
                url.path()
            ),
            "The service has other rules than the file. Deploy the file, or give the rules of the service.",
        ));
    }
    findings
}
