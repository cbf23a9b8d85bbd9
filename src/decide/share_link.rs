//! Share links: creating one, and the access that one grants.

use std::time::{Duration, SystemTime};

use http::Method;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::caller::CallerContext;
use super::rejected_request::{RejectedRequest, RejectionContext};
use crate::auth::keyring::SignedToken;
use crate::auth::share::{self, LinkScope, ShareLink};
use crate::auth::{Issuer, Principal};
use crate::encoding::hex;
use crate::key::ObjectKey;
use crate::operation::{Action, Operation};
use crate::plan::LinkUse;
use crate::policy::{Constraints, Grant, Policy};
use crate::rejection::Rejection;
use crate::request::{ObjectRequest, ShareToken, bad_value, json_object, parse_expires};

/// The maximum number of uses of a link.
const MAX_USES: u32 = 1000;

/// The lifetime of a link if the request does not contain one.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(24);

/// A new share link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShareLink {
    /// The contents of the link.
    pub link: ShareLink,
    /// The signed link.
    pub token: SignedToken,
    /// The object or prefix in its URL.
    pub target: ObjectKey,
}

/// The body of `POST /-/share`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareRequest {
    key: Option<String>,
    prefix: Option<String>,
    methods: Option<Vec<String>>,
    expires: Option<ExpiresValue>,
    max_bytes: Option<u64>,
    uses: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ExpiresValue {
    Seconds(u64),
    Text(String),
}

/// The longest lifetime that a rule allows for a link, and the field of the rule that sets it.
struct LifetimeLimit<'a> {
    lifetime: Duration,
    rule: &'a str,
    field: &'static str,
}

/// Creates the link that the caller requests. A rejection records what was known about the request.
pub(super) fn create(caller: &CallerContext<'_>) -> Result<NewShareLink, RejectedRequest> {
    let mut context = RejectionContext::default();
    create_link(caller, &mut context).map_err(|rejection| RejectedRequest {
        rejection,
        context: Box::new(context),
    })
}

fn create_link(caller: &CallerContext<'_>, context: &mut RejectionContext) -> Result<NewShareLink, Rejection> {
    let CallerContext {
        policy, request, now, ..
    } = *caller;
    if policy.authenticators.keys.is_empty() {
        return Err(Rejection::SharingOff);
    }
    if let Some((name, _)) = request.query.first() {
        return Err(bad_value(name, "belongs in the JSON body"));
    }
    let principal = caller.principal()?;
    context.user_id = Some(principal.user_id().to_owned());
    let Principal::User(member) = principal else {
        return Err(Rejection::CredentialRequired);
    };
    let share_request: ShareRequest = json_object("body", &request.body)?;
    let (scope, target) = share_request.scope()?;
    context.key = Some(target.as_str().to_owned());
    let operations = share_request.operations()?;
    let temporary = member.issuer != Issuer::Token || policy.authenticators.uses_session(request);
    let limit = lifetime_limit(policy, principal, &operations, &target, temporary, context)?;
    let creator = policy.authenticators.store(member, &policy.referenced_claims());
    let link = ShareLink {
        id: share::new_id(&policy.authenticators.keys, &request.request_id, now),
        scope,
        methods: operations
            .iter()
            .map(|operation| operation.method().to_string())
            .collect(),
        created: unix_seconds(now),
        expires: unix_seconds(now + share_request.lifetime_within(&limit)?),
        temporary,
        max_bytes: share_request.max_bytes,
        uses: share_request.uses(policy)?,
        mount: mount_fingerprint(policy, &target)?,
        creator: creator.ok_or(Rejection::CredentialRequired)?,
    };
    let token = share::sign(&policy.authenticators.keys, &link).ok_or(Rejection::SharingOff)?;
    Ok(NewShareLink { link, token, target })
}

/// Verifies the share link of a request. Returns the creator of the link, and its contents.
pub(super) fn redeem(
    caller: &CallerContext<'_>,
    object_request: &ObjectRequest,
    token: &ShareToken,
) -> Result<(Principal, ShareLink), Rejection> {
    let authenticators = &caller.policy.authenticators;
    let (link, creator) = authenticators.redeem(token.expose(), caller.request, caller.now)?;
    let operation = object_request.operation;
    let is_granted = link
        .methods
        .iter()
        .any(|method| granting_method(operation) == method.as_str());
    // The creator has not shared the object that a new mount stores under the same public key.
    let is_moved = link.mount != mount_fingerprint(caller.policy, &object_request.key)?;
    if !is_granted
        || is_moved
        || !link.scope.contains(&object_request.key)
        || link.uses.is_some() && !is_single_use(operation)
    {
        return Err(Rejection::NotGrantedByLink);
    }
    Ok((Principal::User(creator), link))
}

/// The fingerprint of the location of the mount of `key`. `None` for the root.
fn mount_fingerprint(policy: &Policy, key: &ObjectKey) -> Result<Option<String>, Rejection> {
    let mount = policy.mounts.find(key.as_str()).ok_or(Rejection::NoMount)?;
    Ok((!mount.is_root()).then(|| hex(&Sha256::digest(mount.location())[..8])))
}

/// The method that a link must contain to allow `operation`. PUT also allows multipart uploads.
const fn granting_method(operation: Operation) -> Method {
    match operation.action() {
        Action::Write => Method::PUT,
        Action::Read | Action::Delete | Action::List => operation.method(),
    }
}

/// Returns true if one instruction for `operation` is one use of a link. A multipart upload needs several instructions.
const fn is_single_use(operation: Operation) -> bool {
    match operation {
        Operation::GetObject | Operation::HeadObject | Operation::PutObject | Operation::DeleteObject => true,
        Operation::CreateMultipartUpload
        | Operation::UploadPart
        | Operation::ListParts
        | Operation::CompleteMultipartUpload
        | Operation::AbortMultipartUpload => false,
    }
}

/// The use that a request with `link` consumes, if the link limits its uses.
pub(super) fn link_use(link: &ShareLink) -> Option<LinkUse> {
    Some(LinkUse {
        link_id: link.id.clone(),
        max_uses: link.uses?,
        expires_at: link.expiry(),
    })
}

/// The constraints of the rule, narrowed to the access that the link grants. A link never allows overwriting. The rule may
/// allow a shorter lifetime than the rule under which the link was created.
pub(super) fn narrow(
    link: &ShareLink,
    grant: Grant<'_>,
    action: Action,
    now: SystemTime,
) -> Result<Constraints, Rejection> {
    check_shareable(grant, action)?;
    let expiry = link.expiry_within(grant.constraints.max_share_lifetime(link.temporary));
    share::check_expiry(expiry, now)?;
    let remaining = expiry.duration_since(now).unwrap_or_default();
    let remaining = Duration::from_secs(remaining.as_secs()).max(Duration::from_secs(1));
    let mut constraints = grant.constraints.clone();
    constraints.overwrite = false;
    constraints.expires = constraints.expires.min(remaining);
    constraints.max_bytes = constraints.max_bytes.min(link.max_bytes.unwrap_or(u64::MAX));
    Ok(constraints)
}

impl ShareRequest {
    fn scope(&self) -> Result<(LinkScope, ObjectKey), Rejection> {
        match (&self.key, &self.prefix) {
            (Some(key), None) if key.starts_with('/') => Err(leading_slash("key", key)),
            (None, Some(prefix)) if prefix.starts_with('/') => Err(leading_slash("prefix", prefix)),
            (Some(key), None) => Ok((LinkScope::Key(key.clone()), ObjectKey::with_path(key.clone())?)),
            (None, Some(prefix)) if prefix.ends_with('/') => {
                Ok((LinkScope::Prefix(prefix.clone()), ObjectKey::with_path(prefix.clone())?))
            }
            (None, Some(_)) => Err(bad_value("prefix", "must end in /")),
            (Some(_), Some(_)) | (None, None) => Err(bad_value("body", "must contain either a key or a prefix")),
        }
    }

    fn operations(&self) -> Result<Vec<Operation>, Rejection> {
        let Some(methods) = &self.methods else {
            // A HEAD also consumes a use. A client that sends HEAD before GET could exhaust the link.
            return Ok(match self.uses {
                None => vec![Operation::GetObject, Operation::HeadObject],
                Some(_) => vec![Operation::GetObject],
            });
        };
        let is_named = |operation: &Operation| methods.iter().any(|method| *method == operation.method().as_str());
        let operations: Vec<_> = Operation::on(&[]).filter(is_named).collect();
        if operations.is_empty() || operations.len() != methods.len() {
            return Err(bad_value(
                "methods",
                "must contain only GET, HEAD, PUT and DELETE, each at most once",
            ));
        }
        Ok(operations)
    }

    fn uses(&self, policy: &Policy) -> Result<Option<u32>, Rejection> {
        match self.uses {
            None => Ok(None),
            Some(_) if !policy.has_id_table => Err(bad_value(
                "uses",
                "is not supported by this service: it requires the setting SIGNPOST_TABLE",
            )),
            Some(uses) if (1..=MAX_USES).contains(&uses) => Ok(Some(uses)),
            Some(_) => Err(bad_value("uses", &format!("must be from 1 to {MAX_USES}"))),
        }
    }

    /// Returns the requested lifetime, or the default. Rejects a longer one than `limit`.
    fn lifetime_within(&self, limit: &LifetimeLimit<'_>) -> Result<Duration, Rejection> {
        let lifetime = self.lifetime()?.unwrap_or(DEFAULT_LIFETIME.min(limit.lifetime));
        if lifetime > limit.lifetime {
            let LifetimeLimit { rule, field, .. } = limit;
            let longest = humantime::format_duration(limit.lifetime);
            let problem = format!("the rule {rule:?} allows at most {longest} (`{field}`)");
            return Err(bad_value("expires", &problem));
        }
        Ok(lifetime)
    }

    fn lifetime(&self) -> Result<Option<Duration>, Rejection> {
        match &self.expires {
            None => Ok(None),
            Some(ExpiresValue::Seconds(seconds)) => parse_expires(&seconds.to_string()).map(Some),
            Some(ExpiresValue::Text(text)) => parse_expires(text).map(Some),
        }
    }
}

/// Rejects a key that was copied from a URL path. Its link would name another object, or none.
fn leading_slash(name: &str, key: &str) -> Rejection {
    let without = key.trim_start_matches('/');
    bad_value(
        name,
        &format!("must not begin with `/`: the URL path {key:?} names the key {without:?}"),
    )
}

fn check_shareable(grant: Grant<'_>, action: Action) -> Result<(), Rejection> {
    if grant.constraints.share.contains(&action) {
        return Ok(());
    }
    Err(Rejection::NotShareable { action: action.name() })
}

/// The shortest limit of the rules of all operations. Rejects the request if one of them does not allow `principal` to share.
fn lifetime_limit<'a>(
    policy: &'a Policy,
    principal: &Principal,
    operations: &[Operation],
    target: &ObjectKey,
    temporary: bool,
    context: &mut RejectionContext,
) -> Result<LifetimeLimit<'a>, Rejection> {
    let mut limit = None;
    for operation in operations {
        let outcome = policy.evaluate(principal, operation.action(), target.as_str());
        context.rule = outcome.rule().map(str::to_owned);
        let grant = outcome.into_grant()?;
        check_shareable(grant, operation.action())?;
        let own = LifetimeLimit::of(grant, temporary);
        limit = limit
            .filter(|limit: &LifetimeLimit<'_>| limit.lifetime <= own.lifetime)
            .or(Some(own));
    }
    limit.ok_or_else(|| bad_value("methods", "must not be empty"))
}

impl<'a> LifetimeLimit<'a> {
    fn of(grant: Grant<'a>, temporary: bool) -> Self {
        let Constraints {
            share_expires,
            temporary_share_expires,
            ..
        } = grant.constraints;
        Self {
            lifetime: grant.constraints.max_share_lifetime(temporary),
            rule: grant.rule,
            field: if temporary && temporary_share_expires < share_expires {
                "temporary_share_expires"
            } else {
                "share_expires"
            },
        }
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
