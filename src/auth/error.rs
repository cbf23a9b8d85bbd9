//! The rejection of invalid credentials.

use crate::rejection::Rejection;

/// Returns the rejection of an invalid credential.
pub(super) const fn bad_credential(problem: &'static str) -> Rejection {
    Rejection::BadCredential { problem }
}
