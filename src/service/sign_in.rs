//! Carries out a step of signing in: the one that asks an issuer, and those that only answer.

use std::time::SystemTime;

use crate::auth::oidc::{RequiredKeys, required_keys};
use crate::auth::session::NewSession;
use crate::auth::sign_in::{AuthorizationRequest, CodeExchange};
use crate::decide::SignInStep;
use crate::encoding::form;
use crate::outbound::oidc_provider::{Refused, Unknown};
use crate::policy::Policy;
use crate::rejection::Rejection;
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, Failure};
use crate::service::handler::{Handler, failed, refuse};
use crate::service::request_log::Record;

/// Why nobody is signed in.
enum Trouble {
    Rejected(Rejection),
    Failed,
}

impl Handler {
    /// Answers a step of signing in or out.
    pub(super) async fn sign_in(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        step: SignInStep,
        now: SystemTime,
    ) -> (ApiResponse, Record) {
        match step {
            SignInStep::Ask { next, problem, forget } => {
                let mut response = response::ask_for_token(request, &next, problem.as_ref());
                if forget {
                    response::forget(&mut response);
                }
                let record = problem.map_or_else(|| Record::of("asked"), |problem| Record::refused(&problem.into()));
                (response, record)
            }
            SignInStep::Begin { session, next } => begun(request, &session, &next),
            SignInStep::End => (response::signed_out(request), Record::of("signed out")),
            SignInStep::Authorize(authorization) => match self.authorize(&authorization, now).await {
                Ok(url) => (
                    response::authorize(&url, &authorization.cookie),
                    Record::of("sent to sign in"),
                ),
                Err(trouble) => troubled(policy, request, trouble),
            },
            SignInStep::Exchange(exchange) => match self.exchange(policy, &exchange, now).await {
                Ok(session) => begun(request, &session, &exchange.next),
                Err(trouble) => troubled(policy, request, trouble),
            },
        }
    }

    /// The URL at which the issuer asks the browser's user.
    async fn authorize(&self, authorization: &AuthorizationRequest, now: SystemTime) -> Result<String, Trouble> {
        let wanted = RequiredKeys {
            issuer: &authorization.issuer,
            kid: None,
        };
        let provider = self.providers().of(&wanted, now).await?;
        let endpoint = provider.authorization_endpoint.as_deref().ok_or(Trouble::Failed)?;
        let join = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{endpoint}{join}{}", form(&authorization.query)))
    }

    /// The session of whom the issuer names for the code.
    async fn exchange(&self, policy: &Policy, exchange: &CodeExchange, now: SystemTime) -> Result<NewSession, Trouble> {
        let issuer = &exchange.issuer;
        let provider = self.providers().of(&RequiredKeys { issuer, kid: None }, now).await?;
        let id_token = self
            .providers()
            .redeem(&provider, exchange, self.client_secret())
            .await?;
        let provider = self.providers().of(&required_keys(issuer, &id_token.0), now).await?;
        let session =
            policy
                .authenticators
                .complete(exchange, &id_token.0, &provider.keys, &policy.referenced_claims(), now);
        session.map_err(Trouble::Rejected)
    }
}

fn troubled(policy: &Policy, request: &ApiRequest, trouble: Trouble) -> (ApiResponse, Record) {
    match trouble {
        Trouble::Rejected(rejection) => refuse(policy, request, &rejection.into()),
        Trouble::Failed => failed(request, &Failure::Unverifiable),
    }
}

fn begun(request: &ApiRequest, session: &NewSession, next: &str) -> (ApiResponse, Record) {
    (response::signed_in(request, session, next), Record::of("signed in"))
}

impl From<Unknown> for Trouble {
    fn from(_: Unknown) -> Self {
        Self::Failed
    }
}

impl From<Refused> for Trouble {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Code => Self::Rejected(Rejection::BadCredential {
                problem: "the issuer did not take the code; begin again",
            }),
            Refused::Failed => Self::Failed,
        }
    }
}
