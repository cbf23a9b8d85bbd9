//! The description of the caller: `GET /-/whoami`.

use std::time::SystemTime;

use super::caller::CallerContext;
use crate::auth::Principal;
use crate::rejection::Rejection;
use crate::request::bad_value;

/// The caller of a request, and the end of its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The caller.
    pub principal: Principal,
    /// The time at which the credential expires. `None` if it does not expire, or if the gateway does not report its expiry.
    pub expires_at: Option<SystemTime>,
}

/// Describes the caller.
pub(super) fn decide(caller: &CallerContext<'_>) -> Result<CallerIdentity, Rejection> {
    if let Some((name, _)) = caller.request.query.first() {
        return Err(bad_value(name, "is not supported on this path"));
    }
    Ok(CallerIdentity {
        principal: caller.principal()?.clone(),
        expires_at: caller.credential_expiry(),
    })
}
