//! What the index holds, as it stands on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A bucket and its settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    pub(crate) created: i64,
    pub(crate) versioning: Versioning,
    pub(crate) cors: Option<Vec<CorsRule>>,
}

/// Whether a bucket keeps what is overwritten and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

/// One rule of a bucket's CORS configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct CorsRule {
    pub(crate) id: Option<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) allowed_methods: Vec<String>,
    pub(crate) allowed_headers: Vec<String>,
    pub(crate) expose_headers: Vec<String>,
    pub(crate) max_age_seconds: Option<i32>,
}

/// One version of a key: an object, or the marker that it was deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Version {
    /// `None` is the version that S3 calls `null`.
    pub(crate) id: Option<String>,
    /// Seconds since 1970: S3 tells no finer time.
    pub(crate) modified: i64,
    /// `None` is a delete marker.
    pub(crate) object: Option<Object>,
}

impl Version {
    /// The version's name in requests and answers.
    pub(crate) fn name(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }
}

/// The content and description of one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) segments: Vec<Segment>,
    pub(crate) size: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) multipart: bool,
    pub(crate) description: Description,
}

/// A run of bytes in one blob file: the whole of a simple object, or one part.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) blob: String,
    pub(crate) size: u64,
}

/// What the uploader says about an object and S3 repeats.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) content_type: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    pub(crate) expires: Option<i64>,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) encryption_key: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Whether a checksum covers the bytes, or the checksums of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Coverage {
    FullObject,
    Composite,
}

/// A checksum as S3 writes it: base64, and `-N` behind a composite one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredChecksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) coverage: Coverage,
    pub(crate) value: String,
}

/// A multipart upload that is under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) initiated: i64,
    pub(crate) description: Description,
    pub(crate) checksum: Option<(Algorithm, Coverage)>,
}

/// One part of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) segment: Segment,
    pub(crate) modified: i64,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) crc64nvme: String,
}
