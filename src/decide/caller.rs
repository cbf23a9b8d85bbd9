//! The caller of a request.

use std::time::SystemTime;

use crate::auth::{KeySet, Principal};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// The caller of a request, with everything that a decision about it depends on.
pub(super) struct CallerContext<'a> {
    pub(super) policy: &'a Policy,
    pub(super) request: &'a ApiRequest,
    pub(super) now: SystemTime,
    keys: Option<&'a KeySet>,
    principal: Result<Principal, Rejection>,
}

impl<'a> CallerContext<'a> {
    pub(super) fn new(policy: &'a Policy, request: &'a ApiRequest, keys: Option<&'a KeySet>, now: SystemTime) -> Self {
        Self {
            policy,
            request,
            now,
            keys,
            principal: policy.authenticators.authenticate(request, keys, now),
        }
    }

    /// The principal of the caller's credential.
    pub(super) fn principal(&self) -> Result<&Principal, Rejection> {
        self.principal.as_ref().map_err(Clone::clone)
    }

    /// The time at which the caller's credential expires, if that is known.
    pub(super) fn credential_expiry(&self) -> Option<SystemTime> {
        let authenticators = &self.policy.authenticators;
        authenticators.credential_expiry(self.request, self.keys, self.now)
    }
}
