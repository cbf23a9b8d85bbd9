//! From a request and the rules to a decision: a value, which a shell carries out.

mod draft;
mod share;

use std::time::SystemTime;

use http::Method;

use crate::plan::PresignPlan;
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, Form, ObjectRequest, Target};
use draft::plan;
pub use share::Shared;

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Sign this plan and tell it in this form.
    Instruct {
        /// What to sign.
        plan: PresignPlan,
        /// How to tell it.
        form: Form,
    },
    /// Tell this share link.
    Share(Shared),
    /// Say that the service is up.
    Health,
    /// Answer `OPTIONS`: what may be asked here.
    Preflight {
        /// The methods.
        allow: Vec<Method>,
    },
}

/// Decides about `request`, received at `now`.
pub fn decide(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<Decision, Rejection> {
    if let Some(defect) = &request.defect {
        return Err(defect.clone());
    }
    let target = Target::from_path(&request.path, request.encoding)?;
    if request.method == Method::OPTIONS.as_str() {
        return Ok(Decision::Preflight {
            allow: target.allow(&request.query),
        });
    }
    if target == Target::Health
        && target
            .allow(&request.query)
            .iter()
            .any(|method| *method == request.method.as_str())
    {
        return Ok(Decision::Health);
    }
    if target == Target::Share && request.method == Method::POST.as_str() {
        return share::make(policy, request, now).map(Decision::Share);
    }
    let wanted = ObjectRequest::parse(request, &target)?;
    let action = wanted.operation.action();
    let (principal, link) = match &wanted.share {
        None => (policy.authenticators.authenticate(request)?, None),
        Some(text) => {
            let (principal, link) = share::redeem(policy, request, &wanted, text, now)?;
            (principal, Some(link))
        }
    };
    let mut grant = policy.decide(&principal, action, &wanted.key)?;
    let narrowed = link.map(|link| share::narrow(&link, grant, action, now)).transpose()?;
    if let Some(constraints) = &narrowed {
        grant.constraints = constraints;
    }
    let form = wanted.form;
    let plan = plan(wanted, grant, grant.scope(&principal), &request.request_id)?;
    Ok(Decision::Instruct { plan, form })
}
