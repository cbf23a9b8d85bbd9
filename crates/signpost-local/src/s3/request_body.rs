//! The body of a request to `s3s`: a stream for uploads, and complete bytes for documents.
//!
//! `s3s` parses a document and discards its bytes, but checksums and the signed payload hash cover the bytes. Therefore
//! documents are read here.

use bytes::{Bytes, BytesMut};
use http::Method;
use http::request::Parts;
use http_body_util::BodyExt;
use s3s::Body;
use sha2::{Digest, Sha256};
use signpost::encoding::hex;

use super::draining_body::DrainingBody;
use super::verification::{S3Rejection, is_object_path};

/// Maximum size of a document. The longest document of S3 lists 10,000 parts.
const MAX_DOCUMENT_BYTES: usize = 20 * 1024 * 1024;

/// The sub-resources of an object that are written with PUT.
const WRITABLE_SUB_RESOURCES: [&str; 5] = ["acl", "encryption", "legal-hold", "retention", "tagging"];

/// The document of a completion without a body. `s3s` requires a document.
const NO_PARTS: &[u8] = b"<CompleteMultipartUpload></CompleteMultipartUpload>";

/// The bytes of a document, an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct DocumentBytes(pub(crate) Bytes);

/// The SHA-256 hash of the body that the client signed, an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct SignedPayloadHash(pub(crate) String);

/// Returns the body for `s3s`. A document is read completely and compared with the signed hash.
pub(crate) async fn prepare_body(
    head: &mut Parts,
    body: DrainingBody,
    payload_hash: Option<String>,
) -> Result<Body, S3Rejection> {
    if is_upload(head) || matches!(head.method, Method::GET | Method::HEAD) {
        if let Some(hash) = payload_hash {
            head.extensions.insert(SignedPayloadHash(hash));
        }
        return Ok(Body::http_body_unsync(body));
    }
    let bytes = read_document(body).await?;
    if payload_hash.is_some_and(|expected| expected != hex(&Sha256::digest(&bytes))) {
        return Err(S3Rejection::PayloadHashMismatch);
    }
    head.extensions.insert(DocumentBytes(bytes.clone()));
    if bytes.is_empty() && completes_upload(head) {
        return Ok(Body::from(Bytes::from_static(NO_PARTS)));
    }
    Ok(Body::from(bytes))
}

fn completes_upload(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    head.method == Method::POST && query.split('&').any(|pair| pair.starts_with("uploadId="))
}

/// Returns true if the body is the content of an object or a part.
pub(crate) fn is_upload(head: &Parts) -> bool {
    let query = head.uri.query().unwrap_or_default();
    let mut names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    head.method == Method::PUT
        && is_object_path(head.uri.path())
        && !names.any(|name| WRITABLE_SUB_RESOURCES.contains(&name))
}

async fn read_document(mut body: DrainingBody) -> Result<Bytes, S3Rejection> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| S3Rejection::IncompleteBody)?;
        if let Ok(data) = frame.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > MAX_DOCUMENT_BYTES {
            return Err(S3Rejection::DocumentTooLong);
        }
    }
    Ok(read.freeze())
}
