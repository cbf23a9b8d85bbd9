//! The result of the authorization of an object request.

use crate::plan::{LinkUse, ObjectLocation};
use crate::policy::{Grant, GrantScope};

/// The permissions that the rules, and a share link, grant to one request.
pub(super) struct AuthorizedRequest<'a> {
    pub(super) grant: Grant<'a>,
    pub(super) scope: GrantScope,
    /// The location of the object in the bucket.
    pub(super) location: ObjectLocation,
    /// The use of the share link that this request consumes, if the link limits its uses.
    pub(super) link_use: Option<LinkUse>,
}
