//! From a request and the rules to a decision: a value, which a shell carries out.

mod bulk;
mod draft;
mod entry;
mod form;
mod generated;
mod refused;
mod listing;
mod page;
mod share;
mod sign_in;

use std::time::SystemTime;

use http::Method;

use crate::auth::{KeySet, Principal};
use crate::operation::ObjectPage;
use crate::plan::{CountedUse, Kept, PresignPlan};
use crate::policy::{Grant, GrantScope, Policy};
use crate::rejection::Rejection;
use crate::request::{ApiRequest, Document, Form, ObjectRequest, ServicePath, Target};
pub use bulk::{Decided, MAX_REQUESTS};
use draft::plan;
pub use form::UploadForm;
pub use listing::{List, View};
pub use page::{Account, OfObject, Offers, Preview};
pub use refused::{Known, Refused};
pub use share::Shared;
pub use sign_in::SignInStep;

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign this plan and tell it in this form.
    Instruct {
        /// What to sign.
        plan: PresignPlan<Kept>,
        /// How to tell it.
        form: Form,
    },
    /// Sign each of these, and tell them in their order.
    InstructEach(Vec<Decided>),
    /// Sign this form and tell it.
    Form(UploadForm),
    /// Ask S3 for this listing and tell what the caller may see of it.
    List(List),
    /// Tell or do what a page about one object is for.
    OfObject(OfObject),
    /// Tell a part of the pages, by its name.
    Asset(String),
    /// Tell this share link.
    Share(Shared),
    /// Sign in or out.
    SignIn(SignInStep),
    /// Say that the service is up.
    Health,
    /// Tell this document.
    Document(Document),
    /// Answer `OPTIONS`: what may be asked here.
    Preflight {
        /// The methods.
        allow: Vec<Method>,
    },
}

/// Decides about `request`, received at `now`. `keys` are those that [`crate::auth::Authenticators::required_keys`] asks for.
pub fn decide(
    policy: &Policy,
    request: &ApiRequest,
    keys: Option<&KeySet>,
    now: SystemTime,
) -> Result<Decision, Refused> {
    if let Some(defect) = &request.defect {
        return Err(defect.clone().into());
    }
    let target = Target::from_path(&request.path, request.encoding)?;
    if request.method == Method::OPTIONS.as_str() {
        return Ok(Decision::Preflight {
            allow: target.allow(&request.query),
        });
    }
    if let Some(decision) = open_to_all(&target).filter(|_| matches!(&*request.method, "GET" | "HEAD")) {
        return Ok(decision);
    }
    if let Some(step) = sign_in::decide(policy, request, &target, now)? {
        return Ok(Decision::SignIn(step));
    }
    let caller = Caller::new(policy, request, keys, now);
    if request.method == Method::POST.as_str() {
        match &target {
            Target::Service(ServicePath::Share) => return Ok(Decision::Share(share::make(&caller)?)),
            Target::Service(ServicePath::Sign) => return Ok(Decision::InstructEach(bulk::decide_each(&caller)?)),
            Target::Prefix(prefix) => {
                let (plan, form) = generated::upload(&caller, request, prefix.as_ref(), now)?;
                return Ok(Decision::Instruct { plan, form });
            }
            Target::Object(_) | Target::Presign(_) | Target::Service(_) => {}
        }
    }
    if form::is_asked_for(request) {
        return form::decide(&caller, &target, now).map(Decision::Form);
    }
    if let (Target::Prefix(prefix), "GET" | "HEAD") = (&target, request.method.as_str()) {
        return listing::decide(&caller, prefix.as_ref()).map(Decision::List);
    }
    if let (Target::Object(key), Some(page)) = (&target, ObjectPage::asked_for(&request.query)) {
        return page::decide(&caller, page, key).map(Decision::OfObject);
    }
    let wanted = ObjectRequest::parse(request, &target)?;
    let form = wanted.form;
    let plan = instruct(&caller, wanted)?;
    Ok(Decision::Instruct { plan, form })
}

/// What needs no rule.
fn open_to_all(target: &Target) -> Option<Decision> {
    match target {
        Target::Service(ServicePath::Health) => Some(Decision::Health),
        Target::Service(ServicePath::Document(document)) => Some(Decision::Document(*document)),
        Target::Service(ServicePath::Asset(name)) => Some(Decision::Asset(name.clone())),
        Target::Service(_) | Target::Object(_) | Target::Prefix(_) | Target::Presign(_) => None,
    }
}

/// Who sends a request, by what it carries besides the operation.
struct Caller<'a> {
    policy: &'a Policy,
    request: &'a ApiRequest,
    now: SystemTime,
    principal: Result<Principal, Rejection>,
}

impl<'a> Caller<'a> {
    fn new(policy: &'a Policy, request: &'a ApiRequest, keys: Option<&KeySet>, now: SystemTime) -> Self {
        Self {
            policy,
            request,
            now,
            principal: policy.authenticators.authenticate(request, keys, now),
        }
    }

    /// Refuses a credential that is wrong before anything else is read.
    fn check_credential(&self) -> Result<(), Rejection> {
        self.principal.as_ref().map(|_| ()).map_err(Clone::clone)
    }
}

/// The plan of one operation, if the rules let its caller.
fn instruct(caller: &Caller<'_>, wanted: ObjectRequest) -> Result<PresignPlan<Kept>, Refused> {
    with_grant(caller, wanted, |wanted, permit| {
        plan(wanted, permit, &caller.request.request_id)
    })
}

/// What the rules and a share link lend to one request.
struct Permit<'a> {
    grant: Grant<'a>,
    scope: GrantScope,
    /// Where in the bucket the object is.
    kept: Kept,
    /// The use of the link that this takes, where it lends only so many.
    counted: Option<CountedUse>,
}

/// What `then` makes of the grant for `wanted`, if the rules let its caller.
fn with_grant<T>(
    caller: &Caller<'_>,
    wanted: ObjectRequest,
    then: impl FnOnce(ObjectRequest, Permit<'_>) -> Result<T, Rejection>,
) -> Result<T, Refused> {
    let mut known = Known::of(&wanted);
    granted(caller, wanted, then, &mut known).map_err(|rejection| Refused {
        rejection,
        known: Box::new(known),
    })
}

fn granted<T>(
    caller: &Caller<'_>,
    wanted: ObjectRequest,
    then: impl FnOnce(ObjectRequest, Permit<'_>) -> Result<T, Rejection>,
    known: &mut Known,
) -> Result<T, Rejection> {
    let Caller {
        policy, request, now, ..
    } = *caller;
    let action = wanted.operation.action();
    let lent = match &wanted.share {
        None => None,
        Some(text) => Some(share::redeem(policy, request, &wanted, text.expose(), now)?),
    };
    let (principal, link) = match &lent {
        None => (caller.principal.as_ref().map_err(Clone::clone)?, None),
        Some((maker, link)) => (maker, Some(link)),
    };
    known.user_id = Some(principal.user_id().to_owned());
    let verdict = policy.evaluate(principal, action, wanted.key.as_str());
    known.rule = verdict.rule().map(str::to_owned);
    let mut grant = verdict.into_grant()?;
    let narrowed = link.map(|link| share::narrow(link, grant, action, now)).transpose()?;
    if let Some(constraints) = &narrowed {
        grant.constraints = constraints;
    }
    let permit = Permit {
        kept: entry::kept(policy, principal, grant, &wanted)?,
        scope: grant.scope(principal),
        grant,
        counted: link.and_then(share::counted),
    };
    then(wanted, permit)
}
