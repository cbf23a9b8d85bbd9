//! What issuers publish of themselves: fetched when a request first needs it, and kept for a while.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use serde::Deserialize;

use crate::adapters::handler::chain;
use crate::adapters::https::{self, Https};
use crate::auth::KeySet;
use crate::auth::jwks::KeySetError;
use crate::auth::oidc::{IssuerUrl, KeysWanted};

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
}

impl Providers {
    /// What the issuer of a token publishes: known and fresh, and with the key that the token names if it can be had.
    pub(crate) async fn of(&self, wanted: &KeysWanted<'_>, now: SystemTime) -> Result<Arc<Provider>, Unknown> {
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
        let url = description.jwks_uri;
        if !iss.vouches_for(&url) {
            return Err(ProviderError::Place { url });
        }
        let text = self.get(&url).await?;
        match KeySet::parse(&text) {
            Ok(keys) => Ok(Provider { keys }),
            Err(source) => Err(ProviderError::Keys { url, source }),
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

impl Slot {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What need not be asked for.
    fn fresh(&self, kid: Option<&str>, now: SystemTime) -> Option<Arc<Provider>> {
        let (provider, at) = self.told.as_ref()?;
        let holds = kid.is_none_or(|kid| provider.keys.holds(kid));
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
