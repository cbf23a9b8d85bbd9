//! The steps of sign-in and sign-out. Some of them call an issuer.

use std::time::SystemTime;

use crate::auth::oidc::{RequiredKeys, required_keys};
use crate::auth::session::NewSession;
use crate::auth::sign_in::{AuthorizationRequest, CodeExchange};
use crate::decide::SignInStep;
use crate::encoding::form_encode;
use crate::outbound::oidc_provider::{ExchangeError, ProviderUnavailable};
use crate::policy::Policy;
use crate::rejection::{CredentialRemedy, Rejection};
use crate::request::ApiRequest;
use crate::response::{self, ApiResponse, ServiceFailure};
use crate::service::handler::{Handler, failed, reject};
use crate::service::request_log::RequestLog;

/// The reason why a user is not signed in.
enum SignInError {
    Rejected(Rejection),
    Failed,
}

impl Handler {
    /// Handles a step of sign-in or sign-out.
    pub(super) async fn sign_in(
        &self,
        policy: &Policy,
        request: &ApiRequest,
        step: SignInStep,
        now: SystemTime,
    ) -> (ApiResponse, RequestLog) {
        match step {
            SignInStep::ShowTokenForm {
                next,
                problem,
                delete_cookie,
            } => {
                let mut response = response::token_page(request, &next, problem.as_ref());
                if delete_cookie {
                    response::clear_session(&mut response);
                }
                let log = problem.map_or_else(
                    || RequestLog::new("sign-in form"),
                    |problem| RequestLog::rejected(&problem.into()),
                );
                (response, log)
            }
            SignInStep::StartSession { session, next } => begun(request, &session, &next),
            SignInStep::EndSession => (response::signed_out(request), RequestLog::new("signed out")),
            SignInStep::RedirectToIssuer(authorization) => match self.authorize(&authorization, now).await {
                Ok(url) => (
                    response::redirect_to_issuer(&url, &authorization.cookie),
                    RequestLog::new("sent to sign in"),
                ),
                Err(error) => not_signed_in(policy, request, error, now),
            },
            SignInStep::ExchangeCode(exchange) => match self.exchange(policy, &exchange, now).await {
                Ok(session) => begun(request, &session, &exchange.next),
                Err(error) => not_signed_in(policy, request, error, now),
            },
        }
    }

    /// Returns the URL at which the user signs in.
    async fn authorize(&self, authorization: &AuthorizationRequest, now: SystemTime) -> Result<String, SignInError> {
        let wanted = RequiredKeys {
            issuer: &authorization.issuer,
            kid: None,
        };
        let provider = self.providers().get(&wanted, now).await?;
        let endpoint = provider.authorization_endpoint.as_deref().ok_or(SignInError::Failed)?;
        let join = if endpoint.contains('?') { '&' } else { '?' };
        Ok(format!(
            "{endpoint}{join}{}",
            form_encode(authorization.query.iter().map(|(name, value)| (*name, value)))
        ))
    }

    /// Returns the session of the user whom the issuer names for the code.
    async fn exchange(
        &self,
        policy: &Policy,
        exchange: &CodeExchange,
        now: SystemTime,
    ) -> Result<NewSession, SignInError> {
        let issuer = &exchange.issuer;
        let provider = self.providers().get(&RequiredKeys { issuer, kid: None }, now).await?;
        let client_secret = self.client_secret.get(now).await.map_err(|()| SignInError::Failed)?;
        let id_token = self
            .providers()
            .exchange_code(&provider, exchange, client_secret.as_ref())
            .await?;
        let provider = self.providers().get(&required_keys(issuer, &id_token.0), now).await?;
        let session =
            policy
                .authenticators
                .complete(exchange, &id_token.0, &provider.keys, &policy.referenced_claims(), now);
        session.map_err(SignInError::Rejected)
    }
}

fn not_signed_in(
    policy: &Policy,
    request: &ApiRequest,
    error: SignInError,
    now: SystemTime,
) -> (ApiResponse, RequestLog) {
    match error {
        SignInError::Rejected(rejection) => reject(policy, request, &rejection.into(), now),
        SignInError::Failed => failed(request, &ServiceFailure::KeysUnavailable),
    }
}

fn begun(request: &ApiRequest, session: &NewSession, next: &str) -> (ApiResponse, RequestLog) {
    (
        response::signed_in(request, session, next),
        RequestLog::new("signed in"),
    )
}

impl From<ProviderUnavailable> for SignInError {
    fn from(_: ProviderUnavailable) -> Self {
        Self::Failed
    }
}

impl From<ExchangeError> for SignInError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::InvalidCode => Self::Rejected(Rejection::BadCredential {
                problem: "the issuer rejected the code",
                remedy: CredentialRemedy::SignIn,
            }),
            ExchangeError::Failed => Self::Failed,
        }
    }
}
