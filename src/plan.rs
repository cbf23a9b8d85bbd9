//! Plans: the requests to sign, as values. And the signed results.

mod listing;
mod lock;
mod object_location;
mod post_form;

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::policy::{GrantScope, MIN_LIFETIME};
use crate::request::Pairs;
pub use listing::{LISTING_EXPIRES, ListedObject, ListingPage, ListingPlan, PendingUpload, StorageError, UploadMarker};
pub use lock::Lock;
pub use object_location::{IdLookup, ObjectLocation};
pub use post_form::{PolicyCondition, PostFormKey, PostPolicyPlan, SignedPostForm};

/// The query parameter with the id of the request, the user and the rule. S3 ignores parameters that begin with `x-`, and
/// writes them to its [access log](https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html).
pub(crate) const AUDIT: &str = "x-signpost";

/// One request to S3, complete except for the signature. Signing is a pure function of the plan, the credentials and
/// the time. A decision contains a plan with an [`ObjectLocation`], because the object may have an id that must be
/// looked up. A plan that is signed has an [`ObjectKey`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresignPlan<K = ObjectKey> {
    /// The operation.
    pub operation: Operation,
    /// The storage key of the object.
    pub key: K,
    /// The public key of the object. It differs from the storage key if the rule rewrites keys, and in a mount.
    pub public_key: ObjectKey,
    /// The signed headers that the client must send unchanged, by lower-case name. `host` is not included.
    pub headers: Pairs,
    /// The signed query, unescaped, without the parameters of `SigV4`.
    pub query: Pairs,
    /// The lifetime of the URL, unless the credentials expire first.
    pub expires: Duration,
    /// If set, the same plan produces the same URL for this long.
    pub reuse_url_for: Option<Duration>,
    /// The permissions that the rule grants in the mount of the object. The credentials that sign the request need no others.
    pub scope: GrantScope,
    /// The use of a share link that must be consumed before the URL is returned.
    pub link_use: Option<LinkUse>,
}

/// One use of a share link with a limited number of uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUse {
    /// The id of the link.
    pub link_id: String,
    /// The maximum number of uses.
    pub max_uses: u32,
    /// The expiry of the link. The record of its uses can be deleted after it.
    pub expires_at: SystemTime,
}

impl<K: Clone> PresignPlan<K> {
    /// The plan for the metadata of the same object, with the same permissions.
    #[must_use]
    pub fn head(&self) -> Self {
        let audit = self.query.iter().filter(|(name, _)| name == AUDIT).cloned();
        Self {
            operation: Operation::HeadObject,
            key: self.key.clone(),
            public_key: self.public_key.clone(),
            headers: Vec::new(),
            query: audit.collect(),
            expires: self.expires,
            reuse_url_for: None,
            scope: self.scope.clone(),
            link_use: None,
        }
    }

    /// Returns true if the upload must not replace an object.
    pub fn is_create_only(&self) -> bool {
        let mut pairs = self.headers.iter().chain(&self.query);
        pairs.any(|(name, value)| name.eq_ignore_ascii_case("if-none-match") && value == "*")
    }
}

impl<K> PresignPlan<K> {
    /// Returns the key, and the same plan with another key.
    pub fn replace_key<L>(self, key: L) -> (K, PresignPlan<L>) {
        let plan = PresignPlan {
            operation: self.operation,
            key,
            public_key: self.public_key,
            headers: self.headers,
            query: self.query,
            expires: self.expires,
            reuse_url_for: self.reuse_url_for,
            scope: self.scope,
            link_use: self.link_use,
        };
        (self.key, plan)
    }
}

impl PresignPlan<ObjectLocation> {
    /// The id lookup that is required before signing, if any.
    pub fn id_lookup(&self) -> Option<&IdLookup> {
        match &self.key {
            ObjectLocation::Key(_) => None,
            ObjectLocation::Lookup(lookup) => Some(lookup),
        }
    }
}

impl PresignPlan {
    /// The signing time in whole seconds, the resolution of a signature: the start of the window in which the URL stays
    /// the same, or `now`. It is never in the future.
    pub fn signing_time(&self, now: SystemTime) -> SystemTime {
        let window = self.reuse_url_for.map_or(1, |window| window.as_secs().max(1));
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since_epoch - since_epoch % window)
    }

    /// How long from `now` a client may cache the URL that was signed at `signed_at` and expires at `expires_at`.
    pub fn cache_for(&self, signed_at: SystemTime, expires_at: SystemTime, now: SystemTime) -> Option<Duration> {
        let end = (signed_at + self.reuse_url_for?).min(expires_at - MIN_LIFETIME);
        let left = Duration::from_secs(end.duration_since(now).unwrap_or_default().as_secs());
        (!left.is_zero()).then_some(left)
    }
}

/// The minimum useful lifetime of a URL: `expires`, but at most [`MIN_LIFETIME`].
pub fn min_useful_lifetime(expires: Duration) -> Duration {
    expires.min(MIN_LIFETIME)
}

/// A signed URL. It is a secret: it works for everyone who has it.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(String);

/// A signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The plan that was signed.
    pub plan: PresignPlan,
    /// The URL.
    pub url: PresignedUrl,
    /// The remaining lifetime.
    pub expires_in: Duration,
    /// The expiry.
    pub expires_at: SystemTime,
    /// How long a client may cache this URL.
    pub cache_for: Option<Duration>,
}

/// An error of the service in signing a plan. The client does not see it.
#[derive(Debug, thiserror::Error)]
pub enum PresignError {
    /// There are no credentials.
    #[error("no credentials for signing")]
    NoCredentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The endpoint or the credentials of a mount are not available. The other mounts are not affected.
    #[error("the mount at {at:?} is not available")]
    MountUnavailable {
        /// The public keys of the mount.
        at: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The credentials expire too soon for a useful URL.
    #[error("the credentials expire before a URL could be used")]
    CredentialsExpire,
    /// The rule has no session policy.
    #[error("rule {rule:?}: {problem}")]
    SessionPolicy {
        /// The id of the rule.
        rule: String,
        /// The problem with its session policy.
        problem: String,
    },
    /// The permissions of the rule do not fit in a session policy because of the claims of the caller.
    #[error("rule {rule:?}: {problem}")]
    ClaimsTooLong {
        /// The id of the rule.
        rule: String,
        /// The problem with its session policy.
        problem: String,
    },
}

impl PresignedUrl {
    /// Wraps a URL that contains a signature.
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The scheme and the host.
    pub fn origin(&self) -> &str {
        origin_of(&self.0)
    }

    /// The URL, for the response to the client only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Returns the scheme and the host of a URL.
pub(crate) fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find(['/', '?']).map_or(url.len(), |end| host + end);
    &url[..end]
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresignedUrl(redacted)")
    }
}
