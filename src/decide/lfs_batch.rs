//! The batch request of git-lfs ([its API](https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md)).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Number;

use super::authorize::presign;
use super::caller::CallerContext;
use super::rejected_request::RejectedRequest;
use crate::dialect::lfs::{is_oid, object_key};
use crate::encoding::hex_decode;
use crate::key::ObjectKey;
use crate::operation::Operation;
use crate::plan::{ObjectLocation, PresignPlan};
use crate::rejection::{LfsRejection, MAX_PUT_BYTES, Rejection};
use crate::request::{BodyLength, ObjectRequest, Pairs, ResponseFormat, bad_value, check_body_length, json_object};

/// The maximum number of objects in one batch. It is the number that git-lfs sends.
const MAX_OBJECTS: usize = 100;

/// The maximum size of the body: more than `MAX_OBJECTS` objects need.
const MAX_BODY: usize = 256 * 1024;

/// The media type of every object.
const MEDIA_TYPE: &str = "application/octet-stream";

/// The name of `signpost lfs` in the `transfers` of git-lfs.
pub(crate) const AGENT: &str = "signpost";

/// The actions that a batch requires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfsBatch {
    /// The operation.
    pub operation: LfsOperation,
    /// The way in which the client transfers the objects.
    pub transfer: LfsTransfer,
    /// The objects, in the order of the request.
    pub objects: Vec<LfsObject>,
}

/// The operation of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LfsOperation {
    /// Store objects.
    Upload,
    /// Get objects.
    Download,
}

/// The way in which a client transfers objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LfsTransfer {
    /// One request to S3.
    Basic,
    /// The custom transfer agent `signpost lfs`, which uses the URL of the object at this service.
    Agent,
}

/// One object of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LfsObject {
    /// The id, as in the request.
    pub oid: String,
    /// The size, as in the request.
    pub size: Number,
    /// The plan of the transfer, or the rejection.
    pub outcome: Result<PresignPlan<ObjectLocation>, RejectedRequest>,
}

/// The body of the request. Other members, such as `ref`, have no effect.
#[derive(Deserialize)]
struct BatchRequest {
    operation: LfsOperation,
    transfers: Option<Vec<String>>,
    hash_algo: Option<String>,
    #[serde(rename = "ref")]
    _ref: Option<RefName>,
    objects: Vec<RequestedObject>,
}

/// A git reference. Rules cannot refer to it.
#[derive(Deserialize)]
pub(super) struct RefName {
    #[serde(rename = "name")]
    _name: Option<String>,
}

#[derive(Deserialize)]
struct RequestedObject {
    oid: String,
    size: Number,
}

/// Decides about each object of a batch. `at` is the prefix of the objects of all repositories.
pub(super) fn decide(caller: &CallerContext<'_>, at: &str, repository: &str) -> Result<LfsBatch, RejectedRequest> {
    caller.principal()?;
    let batch: BatchRequest = read_body(caller)?;
    if let Some(algorithm) = batch.hash_algo.filter(|algorithm| algorithm != "sha256") {
        return Err(Rejection::from(LfsRejection::HashAlgorithm { algorithm }).into());
    }
    if batch.objects.len() > MAX_OBJECTS {
        return Err(Rejection::from(LfsRejection::TooManyObjects { max: MAX_OBJECTS }).into());
    }
    let (operation, transfer) = (batch.operation, transfer(batch.transfers.as_deref())?);
    let decide = |RequestedObject { oid, size }| LfsObject {
        outcome: object_request(at, repository, &oid, &size, (operation, transfer))
            .map_err(RejectedRequest::from)
            .and_then(|object_request| presign(caller, object_request)),
        oid,
        size,
    };
    let objects: Vec<_> = batch.objects.into_iter().map(decide).collect();
    match common_rejection(&objects) {
        Some(rejected) => Err(rejected.clone()),
        None => Ok(LfsBatch {
            operation,
            transfer,
            objects,
        }),
    }
}

/// Parses the body of a request of git-lfs.
pub(super) fn read_body<'a, T: Deserialize<'a>>(caller: &CallerContext<'a>) -> Result<T, Rejection> {
    let body = &caller.request.body;
    check_body_length(body, MAX_BODY)?;
    json_object("body", body)
}

/// The transfer that the client supports and that is best for all sizes.
fn transfer(transfers: Option<&[String]>) -> Result<LfsTransfer, Rejection> {
    let Some(transfers) = transfers.filter(|transfers| !transfers.is_empty()) else {
        return Ok(LfsTransfer::Basic);
    };
    let supports = |name: &str| transfers.iter().any(|transfer| transfer == name);
    if supports(AGENT) {
        Ok(LfsTransfer::Agent)
    } else if supports("basic") {
        Ok(LfsTransfer::Basic)
    } else {
        Err(bad_value("transfers", "must contain \"basic\" or \"signpost\""))
    }
}

fn object_request(
    at: &str,
    repository: &str,
    oid: &str,
    size: &Number,
    (operation, transfer): (LfsOperation, LfsTransfer),
) -> Result<ObjectRequest, Rejection> {
    if !is_oid(oid) {
        return Err(bad_value(
            "oid",
            "must be a SHA-256 digest in 64 lower-case hexadecimal digits",
        ));
    }
    let length = size.as_u64();
    let length = length.ok_or_else(|| bad_value("size", "must be a whole number of bytes"))?;
    let key = ObjectKey::with_path(object_key(at, repository, oid))?;
    let from_query = |operation| ObjectRequest::from_query(operation, key, ResponseFormat::Json, &Pairs::new());
    match (operation, transfer) {
        (LfsOperation::Download, _) => from_query(Operation::GetObject),
        (LfsOperation::Upload, LfsTransfer::Basic) => upload(from_query(Operation::PutObject)?, oid, length),
        (LfsOperation::Upload, LfsTransfer::Agent) => {
            let mut request = from_query(Operation::CreateMultipartUpload)?;
            request.object_size = Some(length);
            request.content_type = Some(MEDIA_TYPE.to_owned());
            Ok(request)
        }
    }
}

/// An upload that S3 accepts only with the bytes of this object.
fn upload(mut request: ObjectRequest, oid: &str, length: u64) -> Result<ObjectRequest, Rejection> {
    if length > MAX_PUT_BYTES {
        return Err(LfsRejection::NeedsAgent { length }.into());
    }
    let digest = hex_decode(oid).unwrap_or_default();
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    request.headers = vec![
        header("content-type", MEDIA_TYPE),
        header("if-none-match", "*"),
        header("x-amz-checksum-sha256", &BASE64_STANDARD.encode(digest)),
    ];
    request.content_type = Some(MEDIA_TYPE.to_owned());
    request.length = BodyLength::Declared(length);
    Ok(request)
}

/// The rejection that all objects share because of the caller, or that asks the caller for a credential.
fn common_rejection(objects: &[LfsObject]) -> Option<&RejectedRequest> {
    let mut rejections = objects.iter().filter_map(|object| object.outcome.as_ref().err());
    let needs_credential = |rejected: &&RejectedRequest| rejected.rejection == Rejection::CredentialRequired;
    if let Some(rejected) = rejections.clone().find(needs_credential) {
        return Some(rejected);
    }
    let first = rejections.next()?;
    let is_denied = matches!(
        first.rejection,
        Rejection::AccessDenied { .. } | Rejection::DeniedByRule { .. }
    );
    let is_common = objects.iter().all(|object| {
        let rejected = object.outcome.as_ref().err();
        rejected.is_some_and(|rejected| rejected.rejection == first.rejection)
    });
    (is_denied && is_common).then_some(first)
}
