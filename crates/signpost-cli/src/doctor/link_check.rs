//! Checks a share link. The check never consumes a use of the link.

use std::time::{Duration, SystemTime};

use reqwest::{Method, StatusCode};
use signpost::auth::share::{LinkScope, ShareLink};
use signpost::auth::stored_user::StoredUser;
use signpost::error::counted;

use super::check_result::CheckResult;
use super::clock_skew::format_seconds;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::signing_service::{InstructionRequest, SigningService};

/// The text of a rejection by a valid link that does not grant the requested method.
const NOT_GRANTED: &str = "the share link does not allow this method on this key";

/// Describes a link. Everyone who has the link can read these facts.
pub(super) fn describe(link: &ShareLink, now: SystemTime) -> Vec<CheckResult> {
    let target = match &link.scope {
        LinkScope::Key(key) => format!("the object {key}"),
        LinkScope::Prefix(prefix) => format!("all objects below {prefix}"),
    };
    let methods = link.methods.join(", ");
    let mut findings = vec![CheckResult::note(format!(
        "the URL is a share link for {target}, with {methods}"
    ))];
    findings.push(CheckResult::note(format!(
        "its id is {}; the operator can revoke it with `revoked` in the table [share] of the rules",
        link.id
    )));
    findings.push(CheckResult::note(format!("{} created it", creator(&link.creator))));
    if let Some(uses) = link.uses {
        findings.push(CheckResult::note(format!(
            "it can be used {}; this check does not consume a use, and cannot see how many are left",
            counted(uses as usize, "time")
        )));
    }
    findings.push(expiry(link.expiry(), now));
    findings
}

fn creator(creator: &StoredUser) -> String {
    match &creator.issuer {
        None => format!("token:{}", creator.subject),
        Some(issuer) => format!("user:{issuer}/{}", creator.subject),
    }
}

fn expiry(ends: SystemTime, now: SystemTime) -> CheckResult {
    let ends_at = humantime::format_rfc3339_seconds(ends);
    match now.duration_since(ends) {
        Ok(since) => CheckResult::failed(
            format!("the link expired at {ends_at}, {} ago", format_seconds(since)),
            "Ask the person who sent you the link for a new one.",
        )
        .with_exit_status(ExitStatus::NotAllowed),
        Err(remaining) => {
            let remaining = format_seconds(remaining.duration().max(Duration::from_secs(1)));
            CheckResult::passed(format!("it expires at {ends_at}, in {remaining}"))
        }
    }
}

/// Asks the service whether it accepts the link.
pub(super) async fn verify(
    service: &SigningService,
    object_url: &ObjectUrl,
    link: &ShareLink,
    probe: &str,
) -> Result<CheckResult, OperationError> {
    let object_url = if object_url.is_prefix() {
        object_url.join(probe)?
    } else {
        object_url.clone()
    };
    match service.request_instruction(request(&object_url, link)).await {
        Ok(_) => Ok(CheckResult::passed("the service accepts the link")),
        Err(error) if error.message == NOT_GRANTED => Ok(CheckResult::passed("the service accepts the link")),
        Err(error) if error.exit_status == ExitStatus::NotAllowed => Ok(rejected(error)),
        Err(error) => Err(error),
    }
}

/// A request that consumes no use: an instruction for a method of the link, or for a link with limited uses, a request that
/// such a link never allows.
fn request(object_url: &ObjectUrl, link: &ShareLink) -> InstructionRequest {
    let granted = link.methods.first().and_then(|method| method.parse().ok());
    let (method, query) = match granted {
        Some(method) if link.uses.is_none() && method == Method::PUT => {
            (method, vec![("contentLength".to_owned(), "0".to_owned())])
        }
        Some(method) if link.uses.is_none() && method != Method::HEAD => (method, Vec::new()),
        _ => (Method::GET, vec![("uploadId".to_owned(), "signpost-doctor".to_owned())]),
    };
    InstructionRequest {
        method,
        object_url: object_url.clone(),
        query,
    }
}

fn rejected(error: OperationError) -> CheckResult {
    let remedy = error.remedy.unwrap_or_else(|| "Contact the operator.".to_owned());
    let message = match error.code.as_deref() {
        Some("InvalidCredential") => format!("the service rejects the link: {}", error.message),
        _ => format!(
            "the service rejects the link ({}), because its creator has lost this permission: {}",
            StatusCode::FORBIDDEN.as_u16(),
            error.message
        ),
    };
    CheckResult::failed(message, remedy).with_exit_status(ExitStatus::NotAllowed)
}
