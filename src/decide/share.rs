//! Share links: making one, and what one lends.

use std::time::{Duration, SystemTime};

use http::Method;
use serde::Deserialize;

use super::Caller;
use crate::auth::Principal;
use crate::auth::keyring::SignedToken;
use crate::auth::share::{self, LinkScope, ShareLink};
use crate::key::ObjectKey;
use crate::operation::{Action, Operation};
use crate::plan::CountedUse;
use crate::policy::{Constraints, Grant, MAX_SHARE_EXPIRES, Policy};
use crate::rejection::Rejection;
use crate::request::{ApiRequest, ObjectRequest, bad_value, json_object, parse_expires};

/// The most uses of a link that has a number of them.
const MAX_USES: u32 = 1000;

/// The life of a link whose maker does not say.
const USUAL_LIFE: Duration = Duration::from_hours(24);

/// A link that has just been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What it says.
    pub link: ShareLink,
    /// The link itself.
    pub token: SignedToken,
    /// The object, or the prefix, that its URL names.
    pub place: ObjectKey,
}

/// The body of `POST /-/share`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShareRequest {
    key: Option<String>,
    prefix: Option<String>,
    methods: Option<Vec<String>>,
    expires: Option<Expires>,
    max_bytes: Option<u64>,
    uses: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Expires {
    Seconds(u64),
    Text(String),
}

/// Makes the link that `request` asks for.
pub(super) fn make(caller: &Caller<'_>) -> Result<Shared, Rejection> {
    let Caller {
        policy, request, now, ..
    } = *caller;
    if policy.authenticators.keys.is_empty() {
        return Err(Rejection::SharingOff);
    }
    if let Some((name, _)) = request.query.first() {
        return Err(bad_value(name, "belongs in the JSON body"));
    }
    let principal = caller.principal.as_ref().map_err(Clone::clone)?;
    let Principal::User(member) = principal else {
        return Err(Rejection::CredentialRequired);
    };
    let wanted: ShareRequest = json_object("body", &request.body)?;
    let (scope, place) = wanted.scope()?;
    let operations = wanted.operations()?;
    let longest = longest_life(policy, principal, &operations, &place)?;
    let life = wanted.life()?.unwrap_or(USUAL_LIFE.min(longest));
    if life > longest {
        let longest = humantime::format_duration(longest);
        return Err(bad_value("expires", &format!("the rule allows at most {longest}")));
    }
    let link = ShareLink {
        id: share::new_id(&policy.authenticators.keys, &request.request_id, now),
        scope,
        methods: operations
            .iter()
            .map(|operation| operation.method().to_string())
            .collect(),
        expires: seconds(now + life),
        max_bytes: wanted.max_bytes,
        uses: wanted.uses(policy)?,
        creator: member.to_stored(&policy.claims()),
    };
    let token = share::sign(&policy.authenticators.keys, &link).ok_or(Rejection::SharingOff)?;
    Ok(Shared { link, token, place })
}

/// Who asks by the link in `wanted`, and what the link says.
pub(super) fn redeem(
    policy: &Policy,
    request: &ApiRequest,
    wanted: &ObjectRequest,
    text: &str,
    now: SystemTime,
) -> Result<(Principal, ShareLink), Rejection> {
    let (link, maker) = policy.authenticators.redeem(text, request, now)?;
    let lends = link
        .methods
        .iter()
        .any(|method| lent_by(wanted.operation) == method.as_str());
    if !lends || !link.scope.contains(&wanted.key) || link.uses.is_some() && !is_one_use(wanted.operation) {
        return Err(Rejection::NotLent);
    }
    Ok((Principal::User(maker), link))
}

/// The method of a link that lends `operation`: one for PUT lends uploads in parts as well.
const fn lent_by(operation: Operation) -> Method {
    match operation.action() {
        Action::Write => Method::PUT,
        Action::Read | Action::Delete | Action::List => operation.method(),
    }
}

/// Whether one instruction for `operation` is one use of a link: an upload in parts takes many.
const fn is_one_use(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::GetObject | Operation::HeadObject | Operation::PutObject | Operation::DeleteObject
    )
}

/// The use that a request by `link` takes, where it lends only so many.
pub(super) fn counted(link: &ShareLink) -> Option<CountedUse> {
    Some(CountedUse {
        link: link.id.clone(),
        most: link.uses?,
        ends: link.expiry(),
    })
}

/// The rule's constraints, narrowed to what the link lends. Through a link nothing is ever replaced.
pub(super) fn narrow(
    link: &ShareLink,
    grant: Grant<'_>,
    action: Action,
    now: SystemTime,
) -> Result<Constraints, Rejection> {
    lendable(grant, action)?;
    let left = link.expiry().duration_since(now).unwrap_or_default();
    let left = Duration::from_secs(left.as_secs()).max(Duration::from_secs(1));
    let mut constraints = grant.constraints.clone();
    constraints.overwrite = false;
    constraints.expires = constraints.expires.min(left);
    constraints.max_bytes = constraints.max_bytes.min(link.max_bytes.unwrap_or(u64::MAX));
    Ok(constraints)
}

impl ShareRequest {
    fn scope(&self) -> Result<(LinkScope, ObjectKey), Rejection> {
        match (&self.key, &self.prefix) {
            (Some(key), None) => Ok((LinkScope::Key(key.clone()), ObjectKey::with_path(key.clone())?)),
            (None, Some(prefix)) if prefix.ends_with('/') => {
                Ok((LinkScope::Prefix(prefix.clone()), ObjectKey::with_path(prefix.clone())?))
            }
            (None, Some(_)) => Err(bad_value("prefix", "must end in /")),
            (Some(_), Some(_)) | (None, None) => Err(bad_value("body", "must name either a key or a prefix")),
        }
    }

    fn operations(&self) -> Result<Vec<Operation>, Rejection> {
        let Some(methods) = &self.methods else {
            // A HEAD would be a use too, and whoever sends one before the GET would have none left.
            return Ok(match self.uses {
                None => vec![Operation::GetObject, Operation::HeadObject],
                Some(_) => vec![Operation::GetObject],
            });
        };
        let named = |operation: &Operation| methods.iter().any(|method| *method == operation.method().as_str());
        let operations: Vec<_> = Operation::on(&[]).filter(named).collect();
        if operations.is_empty() || operations.len() != methods.len() {
            return Err(bad_value(
                "methods",
                "must be some of GET, HEAD, PUT, DELETE, each once",
            ));
        }
        Ok(operations)
    }

    fn uses(&self, policy: &Policy) -> Result<Option<u32>, Rejection> {
        match self.uses {
            None => Ok(None),
            Some(_) if !policy.has_id_table => Err(bad_value(
                "uses",
                "can't be counted here: the operator has set no SIGNPOST_TABLE",
            )),
            Some(uses) if (1..=MAX_USES).contains(&uses) => Ok(Some(uses)),
            Some(_) => Err(bad_value("uses", &format!("must be 1 to {MAX_USES}"))),
        }
    }

    fn life(&self) -> Result<Option<Duration>, Rejection> {
        match &self.expires {
            None => Ok(None),
            Some(Expires::Seconds(seconds)) => parse_expires(&seconds.to_string()).map(Some),
            Some(Expires::Text(text)) => parse_expires(text).map(Some),
        }
    }
}

fn lendable(grant: Grant<'_>, action: Action) -> Result<(), Rejection> {
    if grant.constraints.share.contains(&action) {
        return Ok(());
    }
    Err(Rejection::AccessDenied { action: "share" })
}

/// The life that the rules of all operations allow, if they let `principal` share them at all.
fn longest_life(
    policy: &Policy,
    principal: &Principal,
    operations: &[Operation],
    place: &ObjectKey,
) -> Result<Duration, Rejection> {
    let mut longest = MAX_SHARE_EXPIRES;
    for operation in operations {
        let grant = policy.decide(principal, operation.action(), place)?;
        lendable(grant, operation.action())?;
        longest = longest.min(grant.constraints.share_expires);
    }
    Ok(longest)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
