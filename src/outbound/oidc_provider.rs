//! What issuers publish of themselves: fetched when a request first needs it, and kept for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use percent_encoding::utf8_percent_encode;
use serde::Deserialize;

use crate::auth::KeySet;
use crate::auth::jwks::KeySetError;
use crate::auth::oidc::{IssuerUrl, RequiredKeys};
use crate::auth::sign_in::CodeExchange;
use crate::config::ClientSecret;
use crate::encoding::form;
use crate::error::chain;
use crate::key::QUERY;
use crate::outbound::https_client::{self as https, Https};

/// A key that an issuer takes back is believed for this long.
const MAX_AGE: Duration = Duration::from_mins(10);

/// While an issuer does not answer, what it said last is believed for this long.
const MAX_AGE_UNANSWERED: Duration = Duration::from_hours(6);

/// Anybody can send a token that names an unknown key, so the issuer is asked no more often.
const PAUSE: Duration = Duration::from_secs(30);

/// The pause after an attempt that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// A client waits meanwhile, and the function itself has ten seconds.
const ONE_REQUEST: Duration = Duration::from_secs(3);

/// A document of an issuer is no longer.
const LONGEST: usize = 512 * 1024;

/// How a client proves itself unless its provider says otherwise.
const BASIC: &str = "client_secret_basic";

/// The providers that the rules name, as far as they have been asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Providers {
    https: Https,
    known: Arc<Mutex<BTreeMap<String, Arc<Slot>>>>,
}

/// What a provider publishes.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) keys: KeySet,
    /// Where a browser signs in.
    pub(crate) authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    /// Whether the client's secret goes into the body, since the provider takes it nowhere else.
    secret_in_body: bool,
}

/// What a provider says in exchange for a code: whoever has it could pass for its subject.
pub(crate) struct IdToken(pub(crate) String);

/// A provider has given nothing for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not take the code.
    Code,
    /// It failed, or does not know us.
    Failed,
}

/// A provider has told nothing that may still be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing is known of the issuer that may still be believed")]
pub(crate) struct Unknown;

#[derive(Debug, Default)]
struct Slot {
    state: Mutex<State>,
    /// Held by whoever asks, so that the others wait for the same answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    told: Option<(Arc<Provider>, SystemTime)>,
    /// When it was asked last, and whether it answered.
    asked: Option<(SystemTime, bool)>,
}

/// Why a provider told nothing.
#[derive(Debug, thiserror::Error)]
enum ProviderError {
    #[error("{url} was not reached")]
    Unreached {
        url: String,
        #[source]
        source: https::Error,
    },
    #[error("{url} did not answer within {} s", ONE_REQUEST.as_secs())]
    Silent { url: String },
    #[error("{url} answered with {status}")]
    Refused { url: String, status: StatusCode },
    #[error("{url} does not describe an issuer")]
    Description {
        url: String,
        #[source]
        source: serde_json::Error,
    },
    #[error("{url} describes another issuer")]
    OtherIssuer { url: String },
    #[error("{url} is not a URL at which an issuer's keys may be read")]
    Place { url: String },
    #[error("{url} tells no keys")]
    Keys {
        url: String,
        #[source]
        source: KeySetError,
    },
}

/// [Provider metadata](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata).
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// [Token response](https://www.rfc-editor.org/rfc/rfc6749#section-5.1).
#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

/// [Error response](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
#[derive(Deserialize)]
struct TokenError {
    error: String,
}

impl Providers {
    /// What the issuer of a token publishes: known and fresh, and with the key that the token names if it can be had.
    pub(crate) async fn of(&self, wanted: &RequiredKeys<'_>, now: SystemTime) -> Result<Arc<Provider>, Unknown> {
        let iss = &wanted.issuer.iss;
        let slot = self.slot(iss);
        let fresh = || slot.state().fresh(wanted.kid.as_deref(), now);
        if let Some(provider) = fresh() {
            return Ok(provider);
        }
        let _turn = slot.asking.lock().await;
        if let Some(provider) = fresh() {
            return Ok(provider);
        }
        if slot.state().may_ask(now) {
            let told = self.ask(iss).await;
            if let Err(error) = &told {
                tracing::warn!(
                    issuer = wanted.issuer.name,
                    error = chain(error),
                    "could not read the keys of an issuer"
                );
            }
            slot.state().hear(told.ok(), now);
        }
        slot.state().believed(now).ok_or(Unknown)
    }

    fn slot(&self, iss: &IssuerUrl) -> Arc<Slot> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(iss.as_str().to_owned()).or_default())
    }

    async fn ask(&self, iss: &IssuerUrl) -> Result<Provider, ProviderError> {
        let url = iss.discovery();
        let text = self.get(&url).await?;
        let description: Description = match serde_json::from_slice(&text) {
            Ok(description) => description,
            Err(source) => return Err(ProviderError::Description { url, source }),
        };
        if description.issuer != iss.as_str() {
            return Err(ProviderError::OtherIssuer { url });
        }
        let Description {
            jwks_uri: url,
            authorization_endpoint,
            token_endpoint,
            token_endpoint_auth_methods_supported: methods,
            ..
        } = description;
        let endpoints = [Some(&url), authorization_endpoint.as_ref(), token_endpoint.as_ref()];
        if let Some(url) = endpoints.into_iter().flatten().find(|url| !iss.allows_endpoint(url)) {
            return Err(ProviderError::Place { url: url.clone() });
        }
        let text = self.get(&url).await?;
        match KeySet::parse(&text) {
            Ok(keys) => Ok(Provider {
                keys,
                authorization_endpoint,
                token_endpoint,
                secret_in_body: methods.is_some_and(|methods| !methods.contains(&BASIC.to_owned())),
            }),
            Err(source) => Err(ProviderError::Keys { url, source }),
        }
    }

    /// Exchanges the code that a browser has brought for an ID token
    /// ([RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3)).
    pub(crate) async fn redeem(
        &self,
        provider: &Provider,
        exchange: &CodeExchange,
        secret: Option<&ClientSecret>,
    ) -> Result<IdToken, Refused> {
        let failed = |problem: &str| {
            tracing::warn!(issuer = exchange.issuer.name, problem, "could not exchange a code");
            Refused::Failed
        };
        let url = provider.token_endpoint.as_deref();
        let url = url.ok_or_else(|| failed("the issuer has no token endpoint"))?;
        let request = token_request(url, provider, exchange, secret);
        let request = request.ok_or_else(|| failed("the request can't be made"))?;
        let answer = tokio::time::timeout(ONE_REQUEST, self.https.send(request, LONGEST)).await;
        let answer = answer.map_err(|_| failed("the issuer did not answer in time"))?;
        let answer = answer.map_err(|error| failed(&chain(error.as_ref())))?;
        if answer.status() == StatusCode::OK {
            let told: Option<TokenAnswer> = serde_json::from_slice(answer.body()).ok();
            let told = told.ok_or_else(|| failed("the issuer gave no ID token"))?;
            return Ok(IdToken(told.id_token));
        }
        match serde_json::from_slice(answer.body()) {
            Ok(TokenError { error }) if error == "invalid_grant" => Err(Refused::Code),
            Ok(TokenError { error }) if error == "invalid_client" => Err(failed("the issuer does not know the client")),
            _ => Err(failed(&format!("the issuer answered with {}", answer.status()))),
        }
    }

    async fn get(&self, url: &str) -> Result<Bytes, ProviderError> {
        let unreached = |source| ProviderError::Unreached {
            url: url.to_owned(),
            source,
        };
        let request = Request::get(url).header(header::ACCEPT, "application/json");
        let request = request.body(Bytes::new()).map_err(|error| unreached(error.into()))?;
        let answer = tokio::time::timeout(ONE_REQUEST, self.https.send(request, LONGEST)).await;
        let response = answer
            .map_err(|_| ProviderError::Silent { url: url.to_owned() })?
            .map_err(unreached)?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(ProviderError::Refused {
                url: url.to_owned(),
                status,
            }),
        }
    }
}

/// A client without a secret names itself in the body; one that has one, by Basic where the provider takes that.
fn token_request(
    url: &str,
    provider: &Provider,
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
    request.body(Bytes::from(form(&fields))).ok()
}

impl Slot {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What need not be asked for.
    fn fresh(&self, kid: Option<&str>, now: SystemTime) -> Option<Arc<Provider>> {
        let (provider, at) = self.told.as_ref()?;
        let holds = kid.is_none_or(|kid| provider.keys.contains(kid));
        (holds && since(*at, now) < MAX_AGE).then(|| Arc::clone(provider))
    }

    /// What may be believed where the issuer can't be asked.
    fn believed(&self, now: SystemTime) -> Option<Arc<Provider>> {
        let (provider, at) = self.told.as_ref()?;
        (since(*at, now) < MAX_AGE_UNANSWERED).then(|| Arc::clone(provider))
    }

    fn may_ask(&self, now: SystemTime) -> bool {
        self.asked.is_none_or(|(at, answered)| {
            let pause = if answered { PAUSE } else { PAUSE_AFTER_FAILURE };
            since(at, now) >= pause
        })
    }

    fn hear(&mut self, told: Option<Provider>, now: SystemTime) {
        self.asked = Some((now, told.is_some()));
        if let Some(provider) = told {
            self.told = Some((Arc::new(provider), now));
        }
    }
}

/// A clock that was put back has not stood still: what lies ahead of it counts as just now.
fn since(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}
