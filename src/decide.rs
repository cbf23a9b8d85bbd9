//! The decision about a request: a pure function of the request, the rules and the time.

mod attachment;
mod authorize;
mod authorized_request;
mod bulk;
mod caller;
mod dialect;
mod foreign_page;
mod generated_key;
mod identity;
mod lfs_batch;
mod lfs_locks;
mod listing;
mod nx;
mod object_location;
mod object_page;
mod page_actions;
mod plan_builder;
mod post_form;
mod preview;
mod rejected_request;
mod share_link;
mod sign_in;
mod turborepo;

use std::time::SystemTime;

use http::Method;

use crate::auth::KeySet;
use crate::plan::{ObjectLocation, PresignPlan};
use crate::policy::Policy;
use crate::request::{ApiRequest, Document, ObjectRequest, ResponseFormat, Route, check_no_body};
use authorize::presign;
pub use bulk::{BulkDecision, MAX_REQUESTS};
use caller::CallerContext;
pub use dialect::DialectDecision;
pub use foreign_page::check_page;
pub use identity::CallerIdentity;
pub use lfs_batch::{LfsBatch, LfsObject, LfsOperation, LfsTransfer};
pub use lfs_locks::{LfsLocks, LockPage, LockStep};
pub use listing::{ListingDecision, ListingView};
pub use object_page::ObjectPageDecision;
pub use page_actions::{PageActions, SignInState};
pub use post_form::PostFormDecision;
pub use preview::PreviewKind;
pub use rejected_request::{RejectedRequest, RejectionContext};
pub use share_link::NewShareLink;
pub use sign_in::SignInStep;

/// The response that the service must produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign this plan and return the instruction in this format.
    Instruct {
        /// The plan to sign.
        plan: PresignPlan<ObjectLocation>,
        /// The format of the response.
        format: ResponseFormat,
    },
    /// Sign each of these plans and return the instructions in the same order.
    BulkSign(Vec<BulkDecision>),
    /// Sign this HTML form and return it.
    PostForm(PostFormDecision),
    /// Request this listing from S3 and return the part that the caller may see.
    Listing(ListingDecision),
    /// Return a page about one object, or delete the object.
    ObjectPage(ObjectPageDecision),
    /// Return the asset of the pages with this name.
    Asset(String),
    /// Return this new share link.
    ShareLink(NewShareLink),
    /// Carry out a step of the sign-in or sign-out.
    SignIn(SignInStep),
    /// Respond to a request of a dialect.
    Dialect(DialectDecision),
    /// Report that the service is available.
    Health,
    /// Describe the caller.
    Identity(CallerIdentity),
    /// Return this document.
    Document(Document),
    /// Respond to an `OPTIONS` request.
    Preflight {
        /// The methods that the path supports.
        allow: Vec<Method>,
    },
}

/// Decides about a `request` that arrived at `now`. `keys` are the keys that
/// [`crate::auth::Authenticators::required_keys`] requires for it.
pub fn decide(
    policy: &Policy,
    request: &ApiRequest,
    keys: Option<&KeySet>,
    now: SystemTime,
) -> Result<Decision, RejectedRequest> {
    let route = Route::from_request(request)?;
    let caller = || CallerContext::new(policy, request, keys, now);
    Ok(match route {
        Route::Preflight { allow } => Decision::Preflight { allow },
        Route::Health => Decision::Health,
        Route::Whoami => Decision::Identity(identity::decide(&caller())?),
        Route::Document(document) => Decision::Document(document),
        Route::Asset(name) => Decision::Asset(name),
        Route::SignIn(path) => Decision::SignIn(sign_in::decide(policy, request, path, now)?),
        Route::CreateShareLink => Decision::ShareLink(share_link::create(&caller())?),
        Route::BulkSign => Decision::BulkSign(bulk::decide(&caller())?),
        Route::GeneratedKeyUpload { prefix } => {
            let (plan, format) = generated_key::decide(&caller(), prefix.as_ref())?;
            Decision::Instruct { plan, format }
        }
        Route::PostForm(target) => Decision::PostForm(post_form::decide(&caller(), target)?),
        Route::Listing { listing, prefix } => Decision::Listing(listing::decide(&caller(), listing, prefix.as_ref())?),
        Route::ObjectPage { page, key } => Decision::ObjectPage(object_page::decide(&caller(), page, &key)?),
        Route::Object { operation, key } => instruct(&caller(), ObjectRequest::parse(request, operation, key)?)?,
        Route::Presign { operation, key } => {
            check_no_body(request)?;
            let format = ResponseFormat::GoExample;
            let object_request = ObjectRequest::from_query(operation, key, format, &request.query)?;
            instruct(&caller(), object_request)?
        }
        Route::Dialect(path) => dialect::decide(&caller(), path)?,
    })
}

fn instruct(caller: &CallerContext<'_>, object_request: ObjectRequest) -> Result<Decision, RejectedRequest> {
    let format = object_request.format;
    let plan = presign(caller, object_request)?;
    Ok(Decision::Instruct { plan, format })
}
