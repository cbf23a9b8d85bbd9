//! Signing in and out: `/-/login`, `/-/callback` and `/-/logout`.

use std::time::SystemTime;

use http::Method;
use percent_encoding::percent_decode;

use crate::auth::session::{NewSession, check_same_origin};
use crate::auth::sign_in::{AuthorizationRequest, CodeExchange, SignInMethod};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::{ApiRequest, ServicePath, Target, bad_value};

/// The longest `?next=`.
const MAX_NEXT: usize = 2048;

/// A step of signing in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInStep {
    /// Ask for a token.
    Ask {
        /// Where to go then.
        next: String,
        /// What was wrong with the token before.
        problem: Option<Rejection>,
        /// Whether to take away the cookie of a session that has ended.
        forget: bool,
    },
    /// Send the browser to an issuer.
    Authorize(Box<AuthorizationRequest>),
    /// Ask the issuer who it is.
    Exchange(Box<CodeExchange>),
    /// Begin a session.
    Begin {
        /// The session.
        session: NewSession,
        /// Where to go then.
        next: String,
    },
    /// End the session.
    End,
}

/// The step that `request` is, if it is one.
pub(super) fn decide(
    policy: &Policy,
    request: &ApiRequest,
    target: &Target,
    now: SystemTime,
) -> Result<Option<SignInStep>, Rejection> {
    let known = &policy.authenticators;
    let Target::Service(path @ (ServicePath::Login | ServicePath::Callback | ServicePath::Logout)) = target else {
        return Ok(None);
    };
    let sign_in = known.sign_in_method().ok_or(Rejection::SignInOff)?;
    let step = match (path, sign_in, request.method.as_str()) {
        (ServicePath::Login, SignInMethod::Token, "GET") => SignInStep::Ask {
            next: next_of_query(request)?,
            problem: None,
            forget: known.has_invalid_session(request, now),
        },
        (ServicePath::Login, SignInMethod::Token, "POST") => {
            check_same_origin(request)?;
            by_token(policy, request, now)?
        }
        (ServicePath::Login, SignInMethod::Issuer(issuer), "GET") => {
            let authorization = known.begin(issuer, request, next_of_query(request)?, now);
            SignInStep::Authorize(Box::new(authorization.ok_or(Rejection::SignInOff)?))
        }
        (ServicePath::Callback, SignInMethod::Issuer(_), "GET") => by_issuer(policy, request, now)?,
        (ServicePath::Logout, _, "POST") => {
            check_same_origin(request)?;
            SignInStep::End
        }
        _ => {
            let allow = target.allow(&request.query);
            let post = !(*path == ServicePath::Login && matches!(sign_in, SignInMethod::Issuer(_)));
            return Err(Rejection::MethodNotAllowed {
                allow: allow
                    .into_iter()
                    .filter(|method| post || *method != Method::POST)
                    .collect(),
            });
        }
    };
    Ok(Some(step))
}

/// What the form of the page sends.
fn by_token(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<SignInStep, Rejection> {
    let field = |name: &str| form_field(&request.body, name);
    let next = next(field("next")?)?;
    let secret = field("token")?.unwrap_or_default();
    Ok(
        match policy
            .authenticators
            .sign_in_with_token(secret.trim(), &policy.referenced_claims(), now)
        {
            Ok(session) => SignInStep::Begin { session, next },
            Err(problem) => SignInStep::Ask {
                next,
                problem: Some(problem),
                forget: false,
            },
        },
    )
}

/// What the browser brings back from the issuer.
fn by_issuer(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<SignInStep, Rejection> {
    let value = |name: &str| {
        let mut values = request.query.iter().filter(|(own, _)| own == name);
        let value = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Rejection::ConflictingParameter { name: name.to_owned() });
        }
        Ok(value)
    };
    if value("error")?.is_some() {
        return Err(Rejection::BadCredential {
            problem: "the issuer did not sign you in",
        });
    }
    let (Some(state), Some(code)) = (value("state")?, value("code")?) else {
        return Err(bad_value("code", "is missing, or `state` is"));
    };
    let exchange = policy.authenticators.resume(request, state, code, now)?;
    Ok(SignInStep::Exchange(Box::new(exchange)))
}

fn next_of_query(request: &ApiRequest) -> Result<String, Rejection> {
    let told = request.query.iter().find(|(name, _)| name == "next");
    next(told.map(|(_, value)| value.clone()))
}

/// Where to go then: a path below our own base, so that nobody is sent to another site.
fn next(told: Option<String>) -> Result<String, Rejection> {
    let next = told.unwrap_or_else(|| "/".to_owned());
    let visible = next.bytes().all(|byte| (b'!'..=b'~').contains(&byte) && byte != b'\\');
    if !next.starts_with('/') || next.starts_with("//") || next.len() > MAX_NEXT || !visible {
        return Err(bad_value("next", "is not a path of this service such as /docs/"));
    }
    Ok(next)
}

/// A field of a form as browsers send it.
fn form_field(body: &[u8], name: &str) -> Result<Option<String>, Rejection> {
    let pairs = body.split(|byte| *byte == b'&');
    let mut values = pairs.filter_map(|pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        (&pair[..at] == name.as_bytes()).then(|| &pair[at + 1..])
    });
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::ConflictingParameter { name: name.to_owned() });
    }
    let spaced: Vec<u8> = value
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let decoded = percent_decode(&spaced)
        .decode_utf8()
        .map_err(|_| bad_value(name, "is not UTF-8"))?;
    Ok(Some(decoded.into_owned()))
}
