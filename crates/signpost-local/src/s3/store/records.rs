//! The records of the index, in the format on disk.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// A bucket and its settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BucketRecord {
    pub(crate) created: i64,
    pub(crate) versioning: VersioningState,
    pub(crate) cors: Option<Vec<CorsRule>>,
}

/// The versioning state of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum VersioningState {
    Never,
    Enabled,
    Suspended,
}

impl VersioningState {
    /// Returns true if versioning was enabled at any time.
    pub(crate) fn has_versions(self) -> bool {
        self != Self::Never
    }
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

/// One version of a key: an object or a delete marker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// The version id. `None` is the `null` version of S3.
    pub(crate) id: Option<String>,
    /// Seconds since 1970. S3 has the same resolution.
    pub(crate) modified: i64,
    /// `None` is a delete marker.
    pub(crate) object: Option<ObjectRecord>,
}

impl VersionRecord {
    /// Returns the version id in requests and responses.
    pub(crate) fn version_id(&self) -> &str {
        self.id.as_deref().unwrap_or("null")
    }
}

/// The content and metadata of one object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ObjectRecord {
    pub(crate) segments: Vec<BlobSegment>,
    pub(crate) size: u64,
    /// The `ETag` without quotes.
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) multipart: bool,
    pub(crate) description: ObjectMetadata,
}

/// The bytes in one blob file: a complete object, or one part of a multipart upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BlobSegment {
    pub(crate) blob: String,
    pub(crate) size: u64,
    /// The checksum of a part of an upload with a checksum algorithm.
    pub(crate) checksum: Option<StoredChecksum>,
}

/// The system and user metadata of an upload, which S3 returns with the object.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ObjectMetadata {
    pub(crate) content_type: Option<String>,
    pub(crate) content_disposition: Option<String>,
    pub(crate) content_encoding: Option<String>,
    pub(crate) content_language: Option<String>,
    pub(crate) cache_control: Option<String>,
    /// The text of the client, which S3 does not parse.
    pub(crate) expires: Option<String>,
    pub(crate) storage_class: Option<String>,
    pub(crate) encryption: Option<String>,
    pub(crate) encryption_key: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// The part of a [`VersionRecord`] that names the blobs.
#[derive(Deserialize)]
pub(crate) struct VersionBlobs {
    pub(crate) object: Option<ObjectBlobs>,
}

/// The part of an [`ObjectRecord`] that names the blobs.
#[derive(Deserialize)]
pub(crate) struct ObjectBlobs {
    pub(crate) segments: Vec<SegmentBlob>,
}

/// The part of a [`PartRecord`] that names the blob.
#[derive(Deserialize)]
pub(crate) struct PartBlob {
    pub(crate) segment: SegmentBlob,
}

/// The part of a [`BlobSegment`] that names the blob.
#[derive(Deserialize)]
pub(crate) struct SegmentBlob {
    #[serde(deserialize_with = "blob_number")]
    pub(crate) blob: u128,
}

/// Reads the name of a blob. An invalid name is an error: without it, the file of the blob would be removed.
fn blob_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
    let name = <&str>::deserialize(deserializer)?;
    super::blobs::number(name).ok_or_else(|| D::Error::custom(format_args!("{name:?} is not the name of a blob")))
}

/// A checksum algorithm of S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum DigestAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    XxHash64,
    XxHash3,
    XxHash128,
}

/// The checksum type of S3: over the bytes of the object, or over the checksums of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChecksumCoverage {
    FullObject,
    Composite,
}

/// A checksum in the format of S3: Base64, with the suffix `-N` if it is composite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredChecksum {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) coverage: ChecksumCoverage,
    pub(crate) value: String,
}

/// An unfinished multipart upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadRecord {
    pub(crate) initiated: i64,
    pub(crate) description: ObjectMetadata,
    pub(crate) checksum: Option<(DigestAlgorithm, ChecksumCoverage)>,
    /// True if the key was written or deleted after the upload was created.
    pub(crate) key_changed: bool,
}

/// A completed multipart upload. A client that repeats the request receives the same response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CompletedRecord {
    pub(crate) completed: i64,
    /// The numbers and `ETag`s of the parts.
    pub(crate) parts: Vec<(u32, String)>,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) encryption: Option<String>,
    pub(crate) version: Option<String>,
}

/// One part of a multipart upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PartRecord {
    pub(crate) segment: BlobSegment,
    pub(crate) modified: i64,
    pub(crate) etag: String,
    pub(crate) checksum: Option<StoredChecksum>,
    pub(crate) crc64nvme: String,
}

#[cfg(test)]
mod tests {
    use super::PartBlob;

    #[test]
    fn the_name_of_a_blob_is_read_exactly_or_the_start_fails() {
        let read = |name: &str| {
            let part: Result<PartBlob, _> = serde_json::from_str(&format!("{{\"segment\":{{\"blob\":{name:?}}}}}"));
            part.ok().map(|part| part.segment.blob)
        };
        let name = "00112233445566778899aabbccddeeff";
        assert_eq!(read(name), Some(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff));
        let upper_case = name.to_uppercase();
        for other in [
            "",
            "0",
            "+0112233445566778899aabbccddeeff",
            &name[1..],
            &upper_case,
            "../../../../../../../../../../../",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
