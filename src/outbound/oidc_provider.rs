//! The metadata and keys that `OpenID` Connect providers publish, cached, and the exchange of authorization codes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use super::https_client::{HttpsClient, Idempotency};
use super::outbound_error::OutboundError;
use super::refreshing::{RefreshSchedule, RefreshState, Refreshing, Snapshot};
use crate::auth::KeySet;
use crate::auth::oidc::{IssuerUrl, RequiredKeys};
use crate::auth::sign_in::CodeExchange;
use crate::config::ClientSecret;
use crate::encoding::form_encode;
use crate::error::chain;
use crate::key::QUERY;

/// The maximum age of cached signing keys. A revoked key is accepted for at most this long.
const MAX_AGE: Duration = Duration::from_mins(10);

/// The maximum age of cached metadata while the issuer does not respond.
const MAX_STALE_AGE: Duration = Duration::from_hours(6);

/// The minimum pause between requests to an issuer. Anyone can send a token that names an unknown key.
const MIN_PAUSE: Duration = Duration::from_secs(30);

/// The minimum pause after a failed request.
const MIN_PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// The maximum size of a response from an issuer.
const MAX_RESPONSE_BYTES: usize = 512 * 1024;

/// The method of client authentication that every provider supports unless its metadata says otherwise.
const CLIENT_SECRET_BASIC: &str = "client_secret_basic";

/// The providers of the rules, with their cached metadata.
#[derive(Clone, Debug)]
pub(crate) struct ProviderCache {
    https: HttpsClient,
    providers: Arc<Mutex<BTreeMap<String, Arc<CachedProvider>>>>,
}

/// A failed request is logged where it fails, so its error has no content.
type CachedProvider = Refreshing<Arc<ProviderMetadata>, ()>;

/// The published metadata of a provider.
#[derive(Debug)]
pub(crate) struct ProviderMetadata {
    pub(crate) keys: KeySet,
    /// The URL at which a browser signs in.
    pub(crate) authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    /// If true, the provider accepts the client secret only in the body.
    secret_in_body: bool,
}

/// An ID token. It is a secret: its holder can act as its subject.
pub(crate) struct IdToken(pub(crate) String);

/// The reason why a provider returned no ID token for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExchangeError {
    /// The code is invalid.
    InvalidCode,
    /// The provider failed, or does not know the client.
    Failed,
}

/// There is no usable metadata of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the metadata of the issuer is not available")]
pub(crate) struct ProviderUnavailable;

/// The age and the key that one request requires of cached metadata.
struct MetadataSchedule<'a> {
    now: SystemTime,
    key_id: Option<&'a str>,
}

/// [Provider metadata](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata).
#[derive(Deserialize)]
struct DiscoveryDocument {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// [Token response](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Deserialize)]
struct TokenResponse {
    id_token: String,
}

/// [Error response](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
#[derive(Deserialize)]
struct TokenErrorResponse {
    error: String,
}

impl ProviderCache {
    pub(crate) fn new(https: HttpsClient) -> Self {
        Self {
            https,
            providers: Arc::default(),
        }
    }

    /// Returns the metadata of the issuer of a token. It has the key that the token names, if the issuer publishes it.
    pub(crate) async fn get(
        &self,
        wanted: &RequiredKeys<'_>,
        now: SystemTime,
    ) -> Result<Arc<ProviderMetadata>, ProviderUnavailable> {
        let issuer = wanted.issuer;
        let schedule = MetadataSchedule {
            now,
            key_id: wanted.kid.as_deref(),
        };
        let fetch = async |_| {
            let metadata = self.fetch(&issuer.iss).await;
            metadata.map(Arc::new).map_err(|error| {
                tracing::warn!(
                    issuer = issuer.name,
                    error = chain(&error),
                    "failed to read the keys of an issuer"
                );
            })
        };
        let cached = self.cached(&issuer.iss);
        cached.get(&schedule, now, fetch).await.map_err(|_| ProviderUnavailable)
    }

    fn cached(&self, iss: &IssuerUrl) -> Arc<CachedProvider> {
        let mut providers = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(providers.entry(iss.as_str().to_owned()).or_default())
    }

    async fn fetch(&self, iss: &IssuerUrl) -> Result<ProviderMetadata, OutboundError> {
        let url = iss.discovery();
        let body = self.get_json(&url).await?;
        let discovery: DiscoveryDocument =
            serde_json::from_slice(&body).map_err(|error| invalid_response(&url, error.to_string()))?;
        if discovery.issuer != iss.as_str() {
            return Err(invalid_response(&url, "it describes another issuer"));
        }
        if let Some(endpoint) = discovery.endpoints().find(|endpoint| !iss.allows_endpoint(endpoint)) {
            return Err(invalid_response(endpoint, "an issuer must not use this URL"));
        }
        let keys = self.get_json(&discovery.jwks_uri).await?;
        let keys = KeySet::parse(&keys).map_err(|error| invalid_response(&discovery.jwks_uri, chain(&error)))?;
        Ok(discovery.into_metadata(keys))
    }

    /// Exchanges an authorization code for an ID token
    /// ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)).
    pub(crate) async fn exchange_code(
        &self,
        provider: &ProviderMetadata,
        exchange: &CodeExchange,
        secret: Option<&ClientSecret>,
    ) -> Result<IdToken, ExchangeError> {
        let failed = |problem: &str| {
            tracing::warn!(
                issuer = exchange.issuer.name,
                problem,
                "failed to exchange an authorization code"
            );
            ExchangeError::Failed
        };
        let url = provider.token_endpoint.as_deref();
        let url = url.ok_or_else(|| failed("the issuer has no token endpoint"))?;
        let request = token_request(url, provider, exchange, secret);
        let request = request.ok_or_else(|| failed("the request cannot be created"))?;
        let response = self
            .https
            .send(request, Idempotency::NotIdempotent, MAX_RESPONSE_BYTES)
            .await;
        let response = response.map_err(|error| failed(&chain(&error)))?;
        id_token(&response).map_err(|problem| match problem {
            TokenProblem::InvalidCode => ExchangeError::InvalidCode,
            TokenProblem::Other(problem) => failed(&problem),
        })
    }

    async fn get_json(&self, url: &str) -> Result<Bytes, OutboundError> {
        let request = Request::get(url).header(header::ACCEPT, "application/json");
        let request = request
            .body(Bytes::new())
            .map_err(|error| OutboundError::InvalidRequest {
                service: url.to_owned().into(),
                source: error.into(),
            })?;
        let response = self
            .https
            .send(request, Idempotency::Idempotent, MAX_RESPONSE_BYTES)
            .await;
        let response = response.map_err(|source| OutboundError::Send {
            service: url.to_owned().into(),
            source,
        })?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(invalid_response(url, format!("its status is {status}"))),
        }
    }
}

fn invalid_response(url: &str, problem: impl Into<String>) -> OutboundError {
    OutboundError::InvalidResponse {
        service: url.to_owned().into(),
        problem: problem.into().into(),
    }
}

impl DiscoveryDocument {
    fn endpoints(&self) -> impl Iterator<Item = &String> {
        let optional = [&self.authorization_endpoint, &self.token_endpoint];
        std::iter::once(&self.jwks_uri).chain(optional.into_iter().flatten())
    }

    fn into_metadata(self, keys: KeySet) -> ProviderMetadata {
        let methods = self.token_endpoint_auth_methods_supported;
        ProviderMetadata {
            keys,
            authorization_endpoint: self.authorization_endpoint,
            token_endpoint: self.token_endpoint,
            secret_in_body: methods.is_some_and(|methods| !methods.contains(&CLIENT_SECRET_BASIC.to_owned())),
        }
    }
}

/// The reason why a token response has no ID token.
enum TokenProblem {
    InvalidCode,
    Other(String),
}

/// Returns the ID token of a token response.
fn id_token(response: &Response<Bytes>) -> Result<IdToken, TokenProblem> {
    let other = |problem: String| TokenProblem::Other(problem);
    if response.status() == StatusCode::OK {
        let tokens: Option<TokenResponse> = serde_json::from_slice(response.body()).ok();
        let tokens = tokens.ok_or_else(|| other("the response has no ID token".into()))?;
        return Ok(IdToken(tokens.id_token));
    }
    Err(match serde_json::from_slice(response.body()) {
        Ok(TokenErrorResponse { error }) if error == "invalid_grant" => TokenProblem::InvalidCode,
        Ok(TokenErrorResponse { error }) if error == "invalid_client" => {
            other("the issuer does not know the client".into())
        }
        _ => other(format!("the issuer responded with {}", response.status())),
    })
}

/// Returns the request to the token endpoint. A client without a secret sends its id in the body. A client with a secret
/// uses Basic authentication if the provider supports it.
fn token_request(
    url: &str,
    provider: &ProviderMetadata,
    exchange: &CodeExchange,
    secret: Option<&ClientSecret>,
) -> Option<Request<Bytes>> {
    let id = &exchange.issuer.client.as_ref()?.id;
    let mut fields = vec![
        ("grant_type", "authorization_code".to_owned()),
        ("code", exchange.code.clone()),
        ("redirect_uri", exchange.redirect_uri.clone()),
        ("code_verifier", exchange.verifier.clone()),
    ];
    let mut request = Request::post(url)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    match secret {
        Some(secret) if !provider.secret_in_body => {
            let escape = |text| utf8_percent_encode(text, QUERY);
            let pair = format!("{}:{}", escape(id), escape(secret.expose()));
            request = request.header(header::AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(pair)));
        }
        secret => {
            fields.push(("client_id", id.clone()));
            fields.extend(secret.map(|secret| ("client_secret", secret.expose().to_owned())));
        }
    }
    request.body(Bytes::from(form_encode(fields))).ok()
}

impl RefreshSchedule<Arc<ProviderMetadata>, ()> for MetadataSchedule<'_> {
    const SERVE_WHILE_RENEWING: bool = false;

    fn is_current(&self, state: &RefreshState<Arc<ProviderMetadata>, ()>) -> bool {
        let is_current = |snapshot: &Snapshot<Arc<ProviderMetadata>>| {
            let has_key = self.key_id.is_none_or(|key_id| snapshot.value.keys.contains(key_id));
            has_key && self.since(snapshot.confirmed_at) < MAX_AGE
        };
        let is_pausing = state.last_attempt().is_some_and(|attempt| {
            let failed = attempt.error.is_some();
            let pause = if failed { MIN_PAUSE_AFTER_FAILURE } else { MIN_PAUSE };
            self.since(attempt.at) < pause
        });
        is_pausing || state.snapshot().is_some_and(is_current)
    }

    fn is_usable(&self, snapshot: &Snapshot<Arc<ProviderMetadata>>) -> bool {
        self.since(snapshot.confirmed_at) < MAX_STALE_AGE
    }
}

impl MetadataSchedule<'_> {
    /// Returns the time since `at`. If the clock was set back, a time in the future counts as now.
    fn since(&self, at: SystemTime) -> Duration {
        self.now.duration_since(at).unwrap_or_default()
    }
}
