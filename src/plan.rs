//! What is to be signed, as a value; and what comes of it.

mod entry;
mod listing;

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::policy::{GrantScope, MIN_LIFETIME};
use crate::request::Pairs;
pub use entry::{Entry, Kept};
pub use listing::{LIST_EXPIRES, ListPlan, Marker, Page, Pending, StorageError, Stored};

/// One request to S3, complete but for the signature. Signing it is a pure function of the plan, the credentials and
/// the time. What is decided may be a plan for what is [`Kept`] where only the table knows; what is signed has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresignPlan<K = ObjectKey> {
    /// What S3 is to do.
    pub operation: Operation,
    /// To which object.
    pub key: K,
    /// What the client calls it: another key only where the rule rewrites keys.
    pub name: ObjectKey,
    /// The headers that are signed and that the client must send verbatim, by lower-case name; `host` aside.
    pub headers: Pairs,
    /// The query that is signed, unescaped, besides `SigV4`'s own parameters.
    pub query: Pairs,
    /// How long the URL is to live, unless the credentials end first.
    pub expires: Duration,
    /// For how long the same plan becomes the same URL.
    pub reuse_url_for: Option<Duration>,
    /// What the rule grants beyond this request: credentials that sign it need not be able to do more.
    pub scope: GrantScope,
    /// The use that must be had before anybody is told the URL.
    pub counted: Option<CountedUse>,
}

/// One use of a share link that lends only so many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedUse {
    /// The id of the link.
    pub link: String,
    /// How many uses it lends.
    pub most: u32,
    /// The end of its life, after which nobody asks for its uses any more.
    pub ends: SystemTime,
}

impl<K> PresignPlan<K> {
    /// What it had for a key, and the same plan with another.
    pub fn replace<L>(self, key: L) -> (K, PresignPlan<L>) {
        let plan = PresignPlan {
            operation: self.operation,
            key,
            name: self.name,
            headers: self.headers,
            query: self.query,
            expires: self.expires,
            reuse_url_for: self.reuse_url_for,
            scope: self.scope,
            counted: self.counted,
        };
        (self.key, plan)
    }
}

impl PresignPlan<Kept> {
    /// The entry of the table that must be asked first.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.key {
            Kept::At(_) => None,
            Kept::By(entry) => Some(entry),
        }
    }
}

impl PresignPlan {
    /// The time to sign at, in whole seconds, which is all that a signature tells: the beginning of the window in which
    /// the URL is to stay the same, or `now`. Never in the future.
    pub fn signing_time(&self, now: SystemTime) -> SystemTime {
        let window = self.reuse_url_for.map_or(1, |window| window.as_secs().max(1));
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        SystemTime::UNIX_EPOCH + Duration::from_secs(since - since % window)
    }

    /// How long from `now` a client may keep to the URL that was signed at `signed_at` and ends at `expires_at`.
    pub fn cache_for(&self, signed_at: SystemTime, expires_at: SystemTime, now: SystemTime) -> Option<Duration> {
        let end = (signed_at + self.reuse_url_for?).min(expires_at - MIN_LIFETIME);
        let left = Duration::from_secs(end.duration_since(now).unwrap_or_default().as_secs());
        (!left.is_zero()).then_some(left)
    }
}

/// A form by which a browser stores one object, complete but for the signature
/// ([POST policy](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormPlan<K = ObjectKey> {
    /// Where the object goes.
    pub key: FormKey<K>,
    /// What the client calls that.
    pub name: FormKey,
    /// Fields that the form must send as they are.
    pub fields: Pairs,
    /// What else S3 is to hold the form to.
    pub conditions: Vec<Condition>,
    /// How long the form is to live, unless the credentials end first.
    pub expires: Duration,
    /// What the rule grants beyond this request.
    pub scope: GrantScope,
}

/// The key of what a form stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormKey<K = ObjectKey> {
    /// This one.
    Exactly(K),
    /// The file's own name below this prefix.
    Below(ObjectKey),
}

/// A condition of a POST policy that is not the value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The value of a field begins so.
    StartsWith {
        /// The field.
        field: &'static str,
        /// The beginning.
        prefix: String,
    },
    /// The length of the file, in bytes.
    ContentLengthRange {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
}

/// A signed form. Whoever has its fields may store what they say, so they are a secret.
pub struct PostForm {
    /// What was signed.
    pub plan: FormPlan,
    /// Where to send it.
    pub url: String,
    /// The hidden fields, which come before the file.
    pub fields: Pairs,
    /// How long S3 will take it.
    pub expires_in: Duration,
    /// Until when.
    pub expires_at: SystemTime,
}

impl fmt::Debug for PostForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostForm")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl FormPlan<Kept> {
    /// The entry of the table that must be asked first.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.key {
            FormKey::Exactly(Kept::By(entry)) => Some(entry),
            FormKey::Exactly(Kept::At(_)) | FormKey::Below(_) => None,
        }
    }

    /// The same plan, with the key that `find` makes of what it has.
    pub fn settle<E>(self, find: impl FnOnce(Kept) -> Result<ObjectKey, E>) -> Result<FormPlan, E> {
        Ok(FormPlan {
            key: match self.key {
                FormKey::Exactly(kept) => FormKey::Exactly(find(kept)?),
                FormKey::Below(folder) => FormKey::Below(folder),
            },
            name: self.name,
            fields: self.fields,
            conditions: self.conditions,
            expires: self.expires,
            scope: self.scope,
        })
    }
}

impl FormKey {
    /// The field `key`, in which S3 puts the name of the file.
    pub fn field(&self) -> String {
        match self {
            Self::Exactly(key) => key.as_str().to_owned(),
            Self::Below(prefix) => format!("{prefix}${{filename}}"),
        }
    }
}

/// The shortest life with which a URL that is to live for `expires` is still of use: its own, and of a longer one
/// [`MIN_LIFETIME`].
pub fn least_lifetime(expires: Duration) -> Duration {
    expires.min(MIN_LIFETIME)
}

/// A signed URL: whoever has it may do what it says, so it is a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PresignedUrl(String);

/// A signed request, ready to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What was signed.
    pub plan: PresignPlan,
    /// The URL.
    pub url: PresignedUrl,
    /// How long S3 will take it.
    pub expires_in: Duration,
    /// Until when.
    pub expires_at: SystemTime,
    /// How long a client may keep to this URL without asking again.
    pub cache_for: Option<Duration>,
}

/// Why a plan could not be signed; ours to mend, so the client learns nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum PresignError {
    /// There are no credentials.
    #[error("no credentials to sign with")]
    NoCredentials(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The credentials end too soon for any URL to be of use.
    #[error("the credentials end before a URL could be used")]
    CredentialsExpire,
    /// What the rule grants to this caller can't be told to STS.
    #[error("rule {rule:?}: {problem}")]
    SessionPolicy {
        /// The id of the rule.
        rule: String,
        /// What is wrong with its session policy.
        problem: String,
    },
    /// The signer refused the request.
    #[error("the request can't be signed")]
    Signer(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PresignedUrl {
    /// Wraps a URL that holds a signature.
    pub const fn new(url: String) -> Self {
        Self(url)
    }

    /// The URL, for the answer to the client and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PresignedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresignedUrl(redacted)")
    }
}
