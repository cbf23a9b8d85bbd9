//! `DeleteObjects`: many keys in one request.

use s3s::dto::{DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error, ObjectIdentifier};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksums::{BodyHasher, DeclaredChecksums};
use super::{S3Backend, conditions, s3_errors};
use crate::s3::request_body::DocumentBytes;
use crate::s3::store::{DeleteOutcome, DeleteRequest, StoreError};

/// Maximum number of keys in one request
/// ([DeleteObjects](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)).
const MAX_KEYS: usize = 1000;

impl S3Backend {
    pub(super) async fn handle_delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        verify_checksum(&request)?;
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if !(1..=MAX_KEYS).contains(&delete.objects.len()) {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(s3_error!(MalformedXML, "{message}"));
        }
        let requests = delete
            .objects
            .into_iter()
            .map(to_delete_request)
            .collect::<S3Result<Vec<_>>>()?;
        let results = self
            .with_store(move |store| {
                let results = store.delete_objects(&bucket, &requests)?;
                Ok(requests.into_iter().zip(results).collect::<Vec<_>>())
            })
            .await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (request, result) in results {
            match result {
                Ok(outcome) => deleted.push(deleted_object(request, outcome)),
                Err(error) => errors.push(self.delete_error(request, error)),
            }
        }
        let is_quiet = delete.quiet.unwrap_or_default();
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted).filter(|_| !is_quiet),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    fn delete_error(&self, request: DeleteRequest, error: StoreError) -> Error {
        let error = match error {
            StoreError::NoSuchKey if !self.allow_listing => s3_error!(AccessDenied, "Access Denied"),
            error => s3_errors::from_store_error(error),
        };
        Error {
            code: Some(error.code().as_str().to_owned()),
            key: Some(request.key),
            message: error.message().map(str::to_owned),
            version_id: request.version,
        }
    }
}

/// Verifies the checksum of the list, which S3 requires.
fn verify_checksum(request: &S3Request<DeleteObjectsInput>) -> S3Result<()> {
    let declared = DeclaredChecksums::from_headers(&request.headers)?;
    if declared.md5.is_none() && declared.value.is_none() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    let Some(document) = request.extensions.get::<DocumentBytes>() else {
        return Err(s3_error!(
            NotImplemented,
            "the embedded S3 does not support a chunked list"
        ));
    };
    let mut hasher = BodyHasher::new(declared.algorithm);
    hasher.update(&document.0);
    hasher.finish().verify(&declared, None)
}

fn to_delete_request(object: ObjectIdentifier) -> S3Result<DeleteRequest> {
    if object.last_modified_time.is_some() || object.size.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "conditions on size and modification time are only supported for directory buckets"
        ));
    }
    Ok(DeleteRequest {
        condition: conditions::delete_condition(object.e_tag.map(ETagCondition::ETag).as_ref()),
        key: object.key,
        version: object.version_id,
    })
}

/// Converts a result. A deletion without a version id reports only the delete marker that it created.
fn deleted_object(request: DeleteRequest, outcome: DeleteOutcome) -> DeletedObject {
    DeletedObject {
        delete_marker: outcome.is_delete_marker.then_some(true),
        delete_marker_version_id: outcome.version.filter(|_| outcome.is_delete_marker),
        key: Some(request.key),
        version_id: request.version,
    }
}
