//! Checks an object request against the rules, and against a share link if the request uses one.

use super::authorized_request::AuthorizedRequest;
use super::caller::CallerContext;
use super::plan_builder::plan;
use super::rejected_request::{RejectedRequest, RejectionContext};
use super::{object_location, share_link};
use crate::mount::Mount;
use crate::operation::{Action, Operation};
use crate::plan::{ObjectLocation, PresignPlan};
use crate::policy::{Grant, Policy};
use crate::rejection::Rejection;
use crate::request::ObjectRequest;

/// The plan for one operation, if the rules allow it.
pub(super) fn presign(
    caller: &CallerContext<'_>,
    object_request: ObjectRequest,
) -> Result<PresignPlan<ObjectLocation>, RejectedRequest> {
    authorize(caller, object_request, |object_request, authorized| {
        plan(object_request, authorized, &caller.request.request_id)
    })
}

/// Calls `make_plan` if the rules allow the request. A rejection records what was known about the request.
pub(super) fn authorize<T>(
    caller: &CallerContext<'_>,
    object_request: ObjectRequest,
    make_plan: impl FnOnce(ObjectRequest, AuthorizedRequest<'_>) -> Result<T, Rejection>,
) -> Result<T, RejectedRequest> {
    let mut context = RejectionContext::from_object_request(&object_request);
    check_rules(caller, object_request, make_plan, &mut context).map_err(|rejection| RejectedRequest {
        rejection,
        context: Box::new(context),
    })
}

fn check_rules<T>(
    caller: &CallerContext<'_>,
    object_request: ObjectRequest,
    make_plan: impl FnOnce(ObjectRequest, AuthorizedRequest<'_>) -> Result<T, Rejection>,
    context: &mut RejectionContext,
) -> Result<T, Rejection> {
    let CallerContext { policy, now, .. } = *caller;
    let action = object_request.operation.action();
    let redeemed = match &object_request.share {
        None => None,
        Some(token) => Some(share_link::redeem(caller, &object_request, token)?),
    };
    let (principal, link) = match &redeemed {
        None => (caller.principal()?, None),
        Some((creator, link)) => (creator, Some(link)),
    };
    context.user_id = Some(principal.user_id().to_owned());
    let verdict = policy.evaluate(principal, action, object_request.key.as_str());
    context.rule = verdict.rule().map(str::to_owned);
    let mut grant = verdict.into_grant()?;
    let narrowed = link
        .map(|link| share_link::narrow(link, grant, action, now))
        .transpose()?;
    if let Some(constraints) = &narrowed {
        grant.constraints = constraints;
    }
    let mount = policy
        .mounts
        .find(object_request.key.as_str())
        .ok_or(Rejection::NoMount)?;
    check_condition(policy, mount, grant, &object_request)?;
    let authorized = AuthorizedRequest {
        location: object_location::locate(policy, principal, (grant, mount), &object_request)?,
        scope: grant.scope(principal, &policy.mounts, mount),
        grant,
        link_use: link.and_then(share_link::link_use),
    };
    if authorized.link_use.is_some() && caller.request.is_prefetch() {
        return Err(Rejection::Prefetch);
    }
    make_plan(object_request, authorized)
}

/// Rejects an `If-Match` that S3 would answer with 403, because the session of the rule may not read. S3 requires `s3:GetObject` to
/// compare an `ETag` ([conditional writes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html),
/// [conditional deletes](https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html)).
fn check_condition(
    policy: &Policy,
    mount: &Mount,
    grant: Grant<'_>,
    object_request: &ObjectRequest,
) -> Result<(), Rejection> {
    let compares_etag = match object_request.if_match() {
        None => false,
        Some("*") => object_request.operation != Operation::DeleteObject,
        Some(_) => true,
    };
    if policy.has_scoped_sessions_for(mount) && compares_etag && !grant.allows(Action::Read) {
        return Err(Rejection::ConditionRequiresRead);
    }
    Ok(())
}
