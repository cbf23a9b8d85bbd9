//! A listing as a value: what to ask S3 for, what it tells, and why it tells nothing.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::PresignError;
use crate::operation::Listing;
use crate::policy::GrantScope;
use crate::request::Pairs;

/// One listing, complete but for the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPlan {
    /// Of what.
    pub listing: Listing,
    /// The query, unescaped, besides `SigV4`'s own parameters.
    pub query: Pairs,
    /// What the credentials that sign it need not be able to exceed.
    pub scope: GrantScope,
}

/// How long the signature of a listing lives: it is used at once, but clocks differ.
pub const LIST_EXPIRES: Duration = super::MIN_LIFETIME;

/// One page, as S3 tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Folders, by the whole of their prefix.
    pub folders: Vec<String>,
    /// Objects.
    pub objects: Vec<Stored>,
    /// Uploads that have not ended.
    pub uploads: Vec<Pending>,
    /// Where to go on, if there is more.
    pub next: Option<String>,
}

/// An object, as a listing tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Its key, which need not be one that a request can name.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was stored.
    pub modified: Option<SystemTime>,
    /// Its entity tag, with the quotes.
    pub etag: Option<String>,
    /// The algorithms of its checksums.
    pub checksum_algorithm: Vec<String>,
    /// Whether its checksum is of the whole, or of those of its parts.
    pub checksum_type: Option<String>,
    /// Its storage class.
    pub storage_class: Option<String>,
}

/// An upload in parts that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The key of the object that it is to become.
    pub key: String,
    /// Its id.
    pub upload_id: String,
    /// When it began.
    pub initiated: Option<SystemTime>,
    /// The storage class of the object.
    pub storage_class: Option<String>,
}

/// Why S3 did not do what Signpost itself asked of it. Ours to mend but for a `next` that S3 does not know.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request could not be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// No connection, or one that broke.
    #[error("S3 was not reached")]
    Unreached(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No answer in time.
    #[error("S3 did not answer within {} s", limit.as_secs())]
    Silent {
        /// How long was waited.
        limit: Duration,
    },
    /// An error of S3's.
    #[error("S3 refused: {status}, {code}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// S3's code.
        code: String,
        /// S3's words.
        message: String,
    },
    /// An answer that is no listing.
    #[error("the answer of S3 is no listing: {problem}")]
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
}

impl StorageError {
    /// Whether the same call may succeed in a moment.
    pub const fn may_pass(&self) -> bool {
        match self {
            Self::Unreached(_) | Self::Silent { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::Presign(_) | Self::Unreadable { .. } => false,
        }
    }

    /// Whether S3 found fault with what the client may choose, as far as Signpost can't check it: where to go on.
    pub fn is_of_next(&self) -> bool {
        matches!(self, Self::Refused { status: 400, code, .. } if code == "InvalidArgument")
    }
}

/// Where a listing of uploads goes on, which S3 tells in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The key of the last upload.
    pub key: String,
    /// Its id; absent behind a folder.
    pub upload_id: Option<String>,
}

impl Marker {
    /// The marker as one opaque word.
    pub fn write(&self) -> String {
        let id = self.upload_id.as_deref().unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(format!("{id}\n{}", self.key))
    }

    /// The inverse of [`Marker::write`]. No id has a line break.
    pub fn read(word: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(word).ok()?).ok()?;
        let (id, key) = text.split_once('\n')?;
        Some(Self {
            key: key.to_owned(),
            upload_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
        })
    }
}
