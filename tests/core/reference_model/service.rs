//! The decisions of the library, in the words of the model.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use serde_json::{Value, json};
use signpost::auth::keyring::Purpose;
use signpost::auth::{KeySet, Principal};
use signpost::decide::{Decision, RejectedRequest, decide};
use signpost::key::ObjectKey;
use signpost::operation::Action;
use signpost::plan::ObjectLocation;
use signpost::policy::{ListAccess, Policy};
use signpost::request::{ApiRequest, GatewayAuthorizer, GatewayIdentity};
use ulid::Ulid;

use super::generator::{Identity, Kind, Link, Request, Scope};
use super::model::{Caller, ID, Location};
use super::rules::{RuleSet, TOKENS, Verifier};
use crate::issuer::{SigningKey, jwks};
use crate::support::{With as _, ask, now};

/// The keys whose visibility in listings is compared.
pub(crate) const KEYS_OF_LISTINGS: [&str; 6] = ["a", "a/b", "b/a/a", "a/a/b/c", "s/a", "t/a/b"];

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::ed25519("k"));
static KNOWN: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(jwks(&[&KEY]).to_string().as_bytes()).unwrap());

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    Rejected(u16),
    Allowed {
        rule: String,
        location: Location,
        create_only: bool,
        expires: u64,
    },
    NoListing {
        visible: Vec<&'static str>,
    },
    Listing {
        folders: BTreeSet<String>,
        visible: Vec<&'static str>,
    },
}

pub(crate) struct Service {
    policy: Policy,
    verifier: Option<Verifier>,
}

impl Service {
    pub(crate) fn new(rules: &RuleSet) -> Self {
        let text = rules.to_toml();
        let mut policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        policy.authenticators.keys = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        Self {
            policy,
            verifier: rules.issuer,
        }
    }

    /// The `user_id` of a caller, or `None` if the rules cannot identify this caller.
    pub(crate) fn user_id(&self, identity: &Identity) -> Option<String> {
        match identity {
            Identity::Anonymous => Some("nobody".into()),
            Identity::Issuer(_) if self.verifier.is_none() => None,
            _ => Some(self.principal(identity)?.user_id().to_owned()),
        }
    }

    pub(crate) fn caller(&self, identity: &Identity, user_id: &str) -> Caller {
        match (identity, self.verifier) {
            (Identity::Token(index), _) => Caller::token(*index, user_id),
            (Identity::Issuer(claims), Some(verifier)) => Caller::issuer_user(verifier, claims, user_id),
            _ => Caller::default(),
        }
    }

    fn principal(&self, identity: &Identity) -> Option<Principal> {
        let request = self.signed(identity, ask("GET", "/x"));
        self.policy
            .authenticators
            .authenticate(&request, Some(&KNOWN), now())
            .ok()
    }

    /// The request with the credential of the caller.
    fn signed(&self, identity: &Identity, request: ApiRequest) -> ApiRequest {
        let Identity::Issuer(claims) = identity else {
            let Identity::Token(index) = identity else {
                return request;
            };
            return request.with("authorization", &format!("Bearer {}", TOKENS[*index].0));
        };
        let mut claims = claims.clone();
        claims.insert("iss".into(), "https://id.example.com".into());
        let authorizer = match self.verifier.expect("an issuer") {
            Verifier::Signpost => {
                claims.insert("aud".into(), "files".into());
                claims.insert("exp".into(), 1_783_711_444.into());
                let token = KEY.token("EdDSA", &Value::Object(claims));
                return request.with("authorization", &format!("Bearer {token}"));
            }
            Verifier::Jwt => GatewayAuthorizer::Jwt,
            Verifier::Lambda => GatewayAuthorizer::Lambda,
            Verifier::Iam => {
                let subject = claims["sub"].clone();
                claims.extend([
                    ("accountId".to_owned(), "https://id.example.com".into()),
                    ("userArn".to_owned(), subject),
                ]);
                GatewayAuthorizer::Iam
            }
        };
        let gateway = Some(GatewayIdentity {
            authorizer,
            claims: claims.into_iter().collect(),
        });
        ApiRequest { gateway, ..request }
    }

    pub(crate) fn observe(&self, identity: &Identity, request: &Request) -> Observed {
        if request.kind == Kind::List {
            return self.observe_listing(identity, request);
        }
        outcome(decide(
            &self.policy,
            &self.signed(identity, request.to_api()),
            Some(&KNOWN),
            now(),
        ))
    }

    fn observe_listing(&self, identity: &Identity, request: &Request) -> Observed {
        let Some(principal) = self.principal(identity) else {
            return Observed::Rejected(401);
        };
        let visible = KEYS_OF_LISTINGS
            .into_iter()
            .filter(|key| self.policy.allows(&principal, Action::List, key))
            .collect();
        match self.policy.list_access(&principal, Action::List, &request.key) {
            Ok(ListAccess::Full(_)) => Observed::Listing {
                folders: BTreeSet::new(),
                visible,
            },
            Ok(ListAccess::Traverse(folders)) => Observed::Listing { folders, visible },
            Err(_) => Observed::NoListing { visible },
        }
    }

    pub(crate) fn create_link(&self, identity: &Identity, link: &Link) -> Option<String> {
        let (name, target) = match &link.scope {
            Scope::Key(key) => ("key", key),
            Scope::Prefix(prefix) => ("prefix", prefix),
        };
        let body = json!({name: target, "methods": link.methods, "expires": link.expires});
        let request = ApiRequest {
            body: Bytes::from(body.to_string()),
            ..ask("POST", "/-/share")
        };
        match decide(&self.policy, &self.signed(identity, request), Some(&KNOWN), now()) {
            Ok(Decision::ShareLink(new)) => Some(new.token.expose().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        }
    }

    /// The cookie of a session that the caller starts. Only tokens, and issuers whose tokens Signpost verifies, start one.
    pub(crate) fn start_session(&self, identity: &Identity) -> Option<String> {
        let can_start = match identity {
            Identity::Anonymous => false,
            Identity::Token(_) => true,
            Identity::Issuer(_) => self.verifier == Some(Verifier::Signpost),
        };
        let Principal::User(user) = self.principal(identity).filter(|_| can_start)? else {
            return None;
        };
        let known = &self.policy.authenticators;
        let stored = known.store(&user, &self.policy.referenced_claims())?;
        let expires = now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 60;
        let cookie = known
            .keys
            .sign(Purpose::Session, &json!({"user": stored, "expires": expires}))?;
        Some(format!("__Host-signpost={}", cookie.expose()))
    }

    pub(crate) fn observe_session(&self, cookie: &str, request: &Request) -> Observed {
        let request = request
            .to_api()
            .with("cookie", cookie)
            .with("sec-fetch-site", "same-origin");
        outcome(decide(&self.policy, &request, None, now()))
    }

    pub(crate) fn observe_link(&self, token: &str, age: u64, request: &Request) -> Observed {
        let mut request = request.to_api();
        request.query.push(("share".into(), token.into()));
        outcome(decide(&self.policy, &request, None, now() + Duration::from_secs(age)))
    }
}

fn outcome(decided: Result<Decision, RejectedRequest>) -> Observed {
    let plan = match decided {
        Err(rejected) => return Observed::Rejected(status(rejected.rejection.code())),
        Ok(Decision::Instruct { plan, .. }) => plan,
        Ok(other) => panic!("{other:?}"),
    };
    let conditions = plan.query.iter().chain(&plan.headers);
    let create_only = conditions
        .filter(|(name, _)| name.eq_ignore_ascii_case("if-none-match"))
        .count()
        > 0;
    let location = match plan.key {
        ObjectLocation::Key(key) => Location::Key(key.as_str().to_owned()),
        ObjectLocation::Lookup(lookup) => Location::Id {
            is_denied: lookup.storage_key(Some(Ulid(ID))).is_err(),
            folder: lookup.folder,
        },
    };
    Observed::Allowed {
        rule: plan.scope.rule,
        location,
        create_only,
        expires: plan.expires.as_secs(),
    }
}

/// The status of an error code.
fn status(code: &str) -> u16 {
    match code {
        "InvalidCredential" | "CredentialRequired" => 401,
        "AccessDenied" => 403,
        "MissingContentLength" => 411,
        "EntityTooLarge" => 413,
        "UnsupportedMediaType" => 415,
        other => panic!("unexpected {other}"),
    }
}

impl Kind {
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Get | Self::Head => "read",
            Self::Put
            | Self::CreateUpload
            | Self::UploadPart
            | Self::CompleteUpload
            | Self::ListParts
            | Self::AbortUpload => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }

    /// The method that a link must contain.
    pub(crate) fn link_method(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Delete => "DELETE",
            _ => "PUT",
        }
    }
}

impl Request {
    pub(crate) fn of_user(&self, user_id: &str) -> Self {
        Self {
            key: self.key.replace("USER", user_id),
            ..self.clone()
        }
    }

    fn to_api(&self) -> ApiRequest {
        let path = ObjectKey::new(self.key.as_str()).expect("a key").to_path();
        let (method, query) = match self.kind {
            Kind::Get => ("GET", ""),
            Kind::Head => ("HEAD", ""),
            Kind::Put => ("PUT", "?url"),
            Kind::Delete => ("DELETE", ""),
            Kind::CreateUpload => ("POST", "?uploads"),
            Kind::UploadPart => ("PUT", "?partNumber=1&uploadId=u&url"),
            Kind::CompleteUpload => ("POST", "?uploadId=u"),
            Kind::ListParts => ("GET", "?uploadId=u"),
            Kind::AbortUpload => ("DELETE", "?uploadId=u"),
            Kind::List => unreachable!("listings have prefixes"),
        };
        let mut request = ask(method, &format!("{path}{query}"));
        let length_parameter = match self.kind {
            Kind::Put | Kind::CreateUpload | Kind::UploadPart => "contentLength",
            Kind::CompleteUpload => "mp-object-size",
            _ => return request,
        };
        let length = self.length.map(|length| (length_parameter.into(), length.to_string()));
        request.query.extend(length);
        if matches!(self.kind, Kind::Put | Kind::CreateUpload) {
            let content_type = self.content_type.map(|text| ("contentType".into(), text.to_owned()));
            request.query.extend(content_type);
        }
        request
    }
}

impl Scope {
    /// A key in this scope.
    pub(crate) fn key(&self, key: &str) -> String {
        match self {
            Self::Key(scope) => scope.clone(),
            Self::Prefix(prefix) => format!("{prefix}{key}"),
        }
    }
}

impl Link {
    pub(crate) fn of_user(&self, user_id: &str) -> Self {
        let scope = match &self.scope {
            Scope::Key(key) => Scope::Key(key.replace("USER", user_id)),
            Scope::Prefix(prefix) => Scope::Prefix(prefix.replace("USER", user_id)),
        };
        Self { scope, ..self.clone() }
    }
}
