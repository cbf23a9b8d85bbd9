//! Sign-in and sign-out: `/-/login`, `/-/callback` and `/-/logout`.

use std::time::SystemTime;

use http::Method;
use percent_encoding::percent_decode;

use crate::auth::session::{NewSession, check_same_origin};
use crate::auth::sign_in::{AuthorizationRequest, CodeExchange, SignInMethod};
use crate::policy::Policy;
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::{ApiRequest, SignInPath, bad_value, is_service_path};

/// The maximum length of `?next=`.
const MAX_NEXT: usize = 2048;

/// A step of the sign-in or sign-out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInStep {
    /// Show the page with the token form.
    ShowTokenForm {
        /// The path to open after the sign-in.
        next: String,
        /// The rejection of the previous token.
        problem: Option<Rejection>,
        /// If true, delete the cookie of an expired session.
        delete_cookie: bool,
    },
    /// Redirect the browser to the issuer.
    RedirectToIssuer(Box<AuthorizationRequest>),
    /// Exchange the code for the identity at the issuer.
    ExchangeCode(Box<CodeExchange>),
    /// Start a session.
    StartSession {
        /// The session.
        session: NewSession,
        /// The path to open.
        next: String,
    },
    /// End the session.
    EndSession,
}

/// The step that `request` requires.
pub(super) fn decide(
    policy: &Policy,
    request: &ApiRequest,
    path: SignInPath,
    now: SystemTime,
) -> Result<SignInStep, Rejection> {
    let authenticators = &policy.authenticators;
    let sign_in = authenticators.sign_in_method().ok_or(Rejection::SignInOff)?;
    Ok(match (path, sign_in, request.method.as_str()) {
        (SignInPath::Login, SignInMethod::Token, "GET") => SignInStep::ShowTokenForm {
            next: next_of_query(request)?,
            problem: None,
            delete_cookie: authenticators.has_invalid_session(request, now),
        },
        (SignInPath::Login, SignInMethod::Token, "POST") => {
            check_same_origin(request)?;
            with_token(policy, request, now)?
        }
        (SignInPath::Login, SignInMethod::Issuer(issuer), "GET") => {
            let authorization = authenticators.begin(issuer, request, next_of_query(request)?, now);
            SignInStep::RedirectToIssuer(Box::new(authorization.ok_or(Rejection::SignInOff)?))
        }
        (SignInPath::Callback, SignInMethod::Issuer(_), "GET") => with_code(policy, request, now)?,
        (SignInPath::Logout, _, "POST") => {
            check_same_origin(request)?;
            SignInStep::EndSession
        }
        _ => {
            let mut allow = path.allowed_methods();
            if path == SignInPath::Login && matches!(sign_in, SignInMethod::Issuer(_)) {
                allow.retain(|method| *method != Method::POST);
            }
            return Err(Rejection::MethodNotAllowed { allow });
        }
    })
}

/// Signs in with the token from the form.
fn with_token(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<SignInStep, Rejection> {
    let field = |name: &str| form_field(&request.body, name);
    let next = next_path(field("next")?)?;
    let secret = field("token")?.unwrap_or_default();
    Ok(
        match policy
            .authenticators
            .sign_in_with_token(secret.trim(), &policy.referenced_claims(), now)
        {
            Ok(session) => SignInStep::StartSession { session, next },
            Err(problem) => SignInStep::ShowTokenForm {
                next,
                problem: Some(problem),
                delete_cookie: false,
            },
        },
    )
}

/// Resumes the sign-in with the code that the browser brings from the issuer.
fn with_code(policy: &Policy, request: &ApiRequest, now: SystemTime) -> Result<SignInStep, Rejection> {
    let value = |name: &str| {
        let mut values = request.query.iter().filter(|(own, _)| own == name);
        let value = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Rejection::RepeatedParameter { name: name.to_owned() });
        }
        Ok(value)
    };
    if value("error")?.is_some() {
        return Err(Rejection::BadCredential {
            problem: "the issuer did not sign you in",
            remedy: CredentialRemedy::SignIn,
        });
    }
    let (Some(state), Some(code)) = (value("state")?, value("code")?) else {
        return Err(bad_value("code", "is missing, or `state` is missing"));
    };
    let exchange = policy.authenticators.resume(request, state, code, now)?;
    Ok(SignInStep::ExchangeCode(Box::new(exchange)))
}

fn next_of_query(request: &ApiRequest) -> Result<String, Rejection> {
    let parameter = request.query.iter().find(|(name, _)| name == "next");
    next_path(parameter.map(|(_, value)| value.clone()))
}

/// The path to open after the sign-in. It must be a path of this service, so that a link cannot redirect a user to
/// another site, or to another service of this host.
fn next_path(value: Option<String>) -> Result<String, Rejection> {
    let next = value.unwrap_or_else(|| "/".to_owned());
    if next.len() > MAX_NEXT || !is_service_path(&next) {
        return Err(bad_value("next", "is not a path of this service such as /docs/"));
    }
    Ok(next)
}

/// A field of an HTML form, as browsers encode it.
fn form_field(body: &[u8], name: &str) -> Result<Option<String>, Rejection> {
    let pairs = body.split(|byte| *byte == b'&');
    let mut values = pairs.filter_map(|pair| {
        let separator = pair.iter().position(|byte| *byte == b'=')?;
        (&pair[..separator] == name.as_bytes()).then(|| &pair[separator + 1..])
    });
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::RepeatedParameter { name: name.to_owned() });
    }
    let with_spaces: Vec<u8> = value
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    let decoded = percent_decode(&with_spaces)
        .decode_utf8()
        .map_err(|_| bad_value(name, "is not UTF-8"))?;
    Ok(Some(decoded.into_owned()))
}
