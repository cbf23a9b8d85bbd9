//! Listings as values: the plan, the page that S3 returns, and the error.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::PresignError;
use crate::operation::Listing;
use crate::policy::GrantScope;
use crate::request::Pairs;

/// One request for a listing, complete except for the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingPlan {
    /// The kind of listing.
    pub listing: Listing,
    /// The query, unescaped, without the parameters of `SigV4`.
    pub query: Pairs,
    /// The permissions that the rule grants. The credentials that sign the request need no others.
    pub scope: GrantScope,
}

impl ListingPlan {
    /// Returns the request for at most `max_keys` entries.
    #[must_use]
    pub fn with_max_keys(self, max_keys: u32) -> Self {
        let name = match self.listing {
            Listing::Objects => "max-keys",
            Listing::Uploads => "max-uploads",
        };
        self.with_query(name, &max_keys.to_string())
    }

    /// Returns the request for the page at `cursor`, or `None` if the cursor is invalid.
    pub fn at_cursor(self, cursor: &str) -> Option<Self> {
        if self.listing == Listing::Objects {
            return Some(self.with_query("continuation-token", cursor));
        }
        let marker = UploadMarker::decode(cursor)?;
        let mut plan = self.with_query("key-marker", &marker.key);
        plan.query.retain(|(name, _)| name != UPLOAD_ID_MARKER);
        Some(match marker.upload_id {
            Some(id) => plan.with_query(UPLOAD_ID_MARKER, &id),
            None => plan,
        })
    }

    /// Replaces or adds a query parameter.
    fn with_query(mut self, name: &str, value: &str) -> Self {
        self.query.retain(|(present, _)| present != name);
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }
}

const UPLOAD_ID_MARKER: &str = "upload-id-marker";

/// The lifetime of the signature of a listing. Signpost uses it immediately, but clocks differ.
pub const LISTING_EXPIRES: Duration = super::MIN_LIFETIME;

/// One page of a listing, as S3 returns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingPage {
    /// The folders, by their full prefix.
    pub folders: Vec<String>,
    /// The objects.
    pub objects: Vec<ListedObject>,
    /// The uploads in progress.
    pub uploads: Vec<PendingUpload>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}

impl ListingPage {
    /// Adds the entries of the following page.
    pub fn append(&mut self, mut page: Self) {
        self.folders.append(&mut page.folders);
        self.objects.append(&mut page.objects);
        self.uploads.append(&mut page.uploads);
        self.next = page.next;
    }

    /// The number of entries.
    pub const fn len(&self) -> usize {
        self.folders.len() + self.objects.len() + self.uploads.len()
    }

    /// Returns true if there are no entries.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The total length of the keys, in bytes.
    pub fn key_bytes(&self) -> usize {
        let objects = self.objects.iter().map(|object| &object.key);
        let uploads = self.uploads.iter().map(|upload| &upload.key);
        self.folders.iter().chain(objects).chain(uploads).map(String::len).sum()
    }
}

/// An object in a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedObject {
    /// The key. Some keys in a bucket are not valid in a request.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last modification.
    pub modified: Option<SystemTime>,
    /// The entity tag, with quotes.
    pub etag: Option<String>,
    /// The algorithms of the checksums.
    pub checksum_algorithm: Vec<String>,
    /// The type of the checksum: of the full object, or of the checksums of the parts.
    pub checksum_type: Option<String>,
    /// The storage class.
    pub storage_class: Option<String>,
}

/// A multipart upload in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingUpload {
    /// The key of the future object.
    pub key: String,
    /// The upload id.
    pub upload_id: String,
    /// The time when it began.
    pub initiated: Option<SystemTime>,
    /// The storage class of the object.
    pub storage_class: Option<String>,
}

/// An error of a request that Signpost itself sends to S3. It is an error of the service, except for an invalid `next`.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The request could not be signed.
    #[error(transparent)]
    Presign(#[from] PresignError),
    /// The connection failed.
    #[error("failed to connect to S3")]
    Connect(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No response in time.
    #[error("S3 did not respond within {} s", limit.as_secs())]
    Timeout {
        /// The time limit.
        limit: Duration,
    },
    /// S3 returned an error.
    #[error("S3 rejected the request: {status}, {code}: {message}")]
    Rejected {
        /// The status.
        status: u16,
        /// The error code.
        code: String,
        /// The error message.
        message: String,
    },
    /// The response is not a listing.
    #[error("S3 returned an invalid listing: {problem}")]
    InvalidResponse {
        /// The problem.
        problem: String,
    },
}

impl StorageError {
    /// Returns true if the same request may succeed soon.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Timeout { .. } => true,
            Self::Rejected { status, .. } => *status >= 500,
            Self::Presign(_) | Self::InvalidResponse { .. } => false,
        }
    }

    /// Returns true if S3 rejected the cursor, the only part of the request that Signpost cannot check.
    pub fn is_invalid_cursor(&self) -> bool {
        matches!(self, Self::Rejected { status: 400, code, .. } if code == "InvalidArgument")
    }
}

/// The cursor of a listing of uploads. S3 returns it in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadMarker {
    /// The key of the last upload.
    pub key: String,
    /// The upload id. Absent after a folder.
    pub upload_id: Option<String>,
}

impl UploadMarker {
    /// Encodes the marker as one opaque word.
    pub fn encode(&self) -> String {
        let id = self.upload_id.as_deref().unwrap_or_default();
        BASE64_URL_SAFE_NO_PAD.encode(format!("{id}\n{}", self.key))
    }

    /// The inverse of [`UploadMarker::encode`]. Upload ids contain no line breaks.
    pub fn decode(word: &str) -> Option<Self> {
        let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(word).ok()?).ok()?;
        let (id, key) = text.split_once('\n')?;
        Some(Self {
            key: key.to_owned(),
            upload_id: Some(id.to_owned()).filter(|id| !id.is_empty()),
        })
    }
}
