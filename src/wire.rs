//! The JSON that the service returns and the `signpost` command reads. Both use these types, so that a change on one side
//! does not compile without the other.
//!
//! Members with a default value are optional for readers; the service always sends them, unless they are described as
//! optional. The fields are in the order of the JSON members.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::PresignedUrl;

/// An instruction: a signed request to S3.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct InstructionBody {
    /// The time at which the URL expires (RFC 3339).
    #[serde(default)]
    pub expires_at: String,
    /// The lifetime of the URL in seconds, from the time of signing.
    pub expires_in: u64,
    /// The request headers that the client must send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The public key of the object.
    pub key: String,
    /// The HTTP method.
    pub method: String,
    /// The presigned URL.
    #[serde(serialize_with = "serialize_url", deserialize_with = "deserialize_url")]
    pub url: PresignedUrl,
}

/// The result of one request in a bulk request.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum BulkResultBody {
    /// There is no instruction.
    Rejected {
        /// The reason.
        error: ProblemDocument,
    },
    /// The request was signed.
    Instruction(InstructionBody),
}

/// A problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the additional members of Signpost.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ProblemDocument {
    /// The error code. It is the code of S3 if S3 has the same error.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// What the client can do.
    #[serde(default)]
    pub remedy: Option<String>,
    /// The id of the request. It is missing in bulk results, because the whole bulk request has one id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The HTTP status code.
    #[serde(default)]
    pub status: u16,
    /// The name of the HTTP status code.
    #[serde(default)]
    pub title: String,
    /// Always `about:blank`: the status code describes the type of the problem.
    #[serde(default, rename = "type")]
    pub problem_type: String,
}

/// A new share link. The URL is a secret, so the type has no `Debug`.
#[derive(Clone, Deserialize, Serialize)]
pub struct ShareLinkBody {
    /// The time at which the link expires (RFC 3339).
    pub expires_at: String,
    /// The id of the link. The operator can revoke the link by its id.
    pub id: String,
    /// The HTTP methods that the link allows.
    pub methods: Vec<String>,
    /// The URL of the link.
    pub url: String,
    /// The maximum number of uses (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
}

/// One page of a listing of objects.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ListingBody {
    /// The prefix.
    pub prefix: String,
    /// The folders below the prefix.
    #[serde(default)]
    pub folders: VecDeque<FolderEntry>,
    /// The objects below the prefix.
    #[serde(default)]
    pub objects: VecDeque<ObjectEntry>,
    /// The value of the query parameter `next` for the next page, or `null`.
    pub next: Option<String>,
}

/// A folder in a listing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FolderEntry {
    /// The name, relative to the prefix of the listing.
    pub name: String,
    /// The prefix of the folder.
    pub key: String,
}

/// An object in a listing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ObjectEntry {
    /// The name, relative to the prefix of the listing.
    pub name: String,
    /// The public key.
    pub key: String,
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change (RFC 3339, optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// The `ETag`, including the quotation marks (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The checksum algorithms (optional).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checksum_algorithm: Vec<String>,
    /// `FULL_OBJECT`, or `COMPOSITE` for a checksum of the checksums of the parts (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum_type: Option<String>,
    /// The storage class (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// One page of a listing of unfinished multipart uploads.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UploadsBody {
    /// The prefix.
    pub prefix: String,
    /// The uploads below the prefix.
    pub uploads: Vec<UploadEntry>,
    /// The value of the query parameter `next` for the next page, or `null`.
    pub next: Option<String>,
}

/// An unfinished multipart upload in a listing.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UploadEntry {
    /// The public key of the object.
    pub key: String,
    /// The name, relative to the prefix of the listing.
    pub name: String,
    /// The upload id.
    pub upload_id: String,
    /// The time at which the upload started (RFC 3339, optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiated: Option<String>,
    /// The storage class of the object (optional).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

/// The caller of a request, as the service has identified it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct IdentityBody {
    /// The caller as an entry of `who` in the rules: `anyone`, `token:ID` or `user:ISSUER/SUBJECT`.
    pub caller: String,
    /// The hash that identifies the user in logs and in `{user_id}`; `None` for an anonymous caller.
    pub user_id: Option<String>,
    /// The groups of the user.
    pub groups: Vec<String>,
    /// The time at which the credential expires (RFC 3339); `null` if it does not expire.
    pub expires_at: Option<String>,
}

/// The response of the health check.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct HealthBody {
    /// Always `ok`.
    pub status: String,
    /// The version of the service.
    pub version: String,
}

fn serialize_url<S: Serializer>(url: &PresignedUrl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.expose())
}

fn deserialize_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PresignedUrl, D::Error> {
    String::deserialize(deserializer).map(PresignedUrl::new)
}
