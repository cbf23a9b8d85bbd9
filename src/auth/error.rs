//! The rejection of invalid credentials.

use crate::rejection::{CredentialRemedy, Rejection};

/// Returns the rejection of an invalid credential.
pub(super) const fn bad_credential(remedy: CredentialRemedy, problem: &'static str) -> Rejection {
    Rejection::BadCredential { problem, remedy }
}
