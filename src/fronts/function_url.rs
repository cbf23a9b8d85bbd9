//! Events of a Lambda function URL, payload format 2.0.

use super::event::FrontEvent;
use super::key_path::{KeyPath, required};
use crate::key::PathEncoding;
use crate::response::ServiceFailure;

/// Returns true if this is the domain name of a function URL.
pub(super) fn is_domain_name(domain: Option<&str>) -> bool {
    domain.is_some_and(|domain| domain.contains(".lambda-url.") && domain.ends_with(".on.aws"))
}

/// Returns the path of the key. A function URL passes on the path as the client sent it.
pub(super) fn key_path<'a>(event: &'a FrontEvent<'_>, base_path: &str) -> Result<KeyPath<'a>, ServiceFailure> {
    let path = required(event.raw_path.as_ref())?;
    Ok(KeyPath::below_base(
        path,
        PathEncoding::Percent,
        String::new(),
        base_path,
    ))
}
