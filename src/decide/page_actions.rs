//! The actions that a page offers to its user.

use std::time::SystemTime;

use super::caller::CallerContext;
use crate::auth::{Authenticators, Principal, User};
use crate::key::ObjectKey;
use crate::operation::Action;
use crate::policy::ListAccess;
use crate::rejection::Rejection;
use crate::request::ApiRequest;

/// The actions that a page offers to its user. A hint only: each action is authorized again when the user takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageActions {
    /// The actions that the rules allow.
    pub can: Vec<Action>,
    /// True if the user may create share links.
    pub share: bool,
    /// The state of the sign-in.
    pub sign_in: SignInState,
}

/// The state of the sign-in for the user of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SignInState {
    /// The service has no sign-in.
    #[default]
    Disabled,
    /// The user is not signed in.
    SignedOut,
    /// The user is signed in.
    SignedIn {
        /// The id of the token, or the name of the user at the issuer.
        name: String,
    },
}

impl SignInState {
    /// The state for a caller with this credential.
    fn new(authenticators: &Authenticators, user: Option<&User>) -> Self {
        match (authenticators.sign_in_method(), user) {
            (None, _) => Self::Disabled,
            (Some(_), None) => Self::SignedOut,
            (Some(_), Some(user)) => Self::SignedIn {
                name: user.subject.clone(),
            },
        }
    }

    /// The state according to the session of a request, whatever other credential the request contains.
    pub fn of_session(authenticators: &Authenticators, request: &ApiRequest, now: SystemTime) -> Self {
        Self::new(authenticators, authenticators.signed_in_user(request, now).as_ref())
    }
}

impl PageActions {
    /// The actions of the caller below `prefix`.
    pub(super) fn for_prefix(caller: &CallerContext<'_>, prefix: &str) -> Result<Self, Rejection> {
        let policy = caller.policy;
        let has_bucket = policy.mounts.find(prefix).is_some();
        Self::new(caller, |principal, action| {
            match policy.list_access(principal, action, prefix) {
                Ok(_) if !has_bucket => None,
                Ok(ListAccess::Full(grant)) => Some(grant.constraints.share.contains(&action)),
                Ok(ListAccess::Traverse(_)) | Err(_) => None,
            }
        })
    }

    /// The actions of the caller on the object `key`.
    pub(super) fn for_object(caller: &CallerContext<'_>, key: &ObjectKey) -> Result<Self, Rejection> {
        let policy = caller.policy;
        Self::new(caller, |principal, action| {
            let grant = policy.decide(principal, action, key).ok()?;
            Some(grant.constraints.share.contains(&action))
        })
    }

    /// `is_shareable` returns `None` if an action is not granted, and otherwise whether a share link may grant it.
    fn new(
        caller: &CallerContext<'_>,
        is_shareable: impl Fn(&Principal, Action) -> Option<bool>,
    ) -> Result<Self, Rejection> {
        let principal = caller.principal()?;
        let authenticators = &caller.policy.authenticators;
        let is_granted = |action: &Action| is_shareable(principal, *action).is_some();
        let can_share_reads = is_shareable(principal, Action::Read) == Some(true);
        Ok(Self {
            can: [Action::List, Action::Read, Action::Write, Action::Delete]
                .into_iter()
                .filter(is_granted)
                .collect(),
            share: can_share_reads && !authenticators.keys.is_empty() && principal.user().is_some(),
            sign_in: SignInState::new(authenticators, principal.user()),
        })
    }
}
