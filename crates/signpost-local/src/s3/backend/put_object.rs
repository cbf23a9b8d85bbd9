//! `PutObject`, which also handles form uploads, and `DeleteObject`.

use http::HeaderMap;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput, ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption};
use s3s::{S3Request, S3Response, S3Result};

use super::checksums::{self, BodyHasher, DeclaredChecksums};
use super::{S3Backend, conditions, object_metadata, s3_errors};
use crate::s3::store::DeleteRequest;
use crate::s3::store::records::ObjectRecord;

impl S3Backend {
    pub(super) async fn handle_put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let declared = DeclaredChecksums::from_upload(&request)?;
        let description = object_metadata::from_put_object(&request, &self.region)?;
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        let body = input.body.take();
        let condition = conditions::write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let location = (input.bucket, input.key);
        self.with_store({
            let (condition, (bucket, key)) = (condition.clone(), location.clone());
            move |store| store.check_put(&bucket, &key, &condition)
        })
        .await?;
        let stored_body = self
            .store_body(
                body,
                input.content_length,
                BodyHasher::new(declared.algorithm).with_payload_hash(&declared),
            )
            .await?;
        let trailers: Option<HeaderMap> = trailing_headers.and_then(|trailers| trailers.take());
        stored_body.hashes.verify(&declared, trailers.as_ref())?;
        let object = ObjectRecord {
            segments: vec![stored_body.segment()],
            size: stored_body.size,
            etag: stored_body.hashes.etag(),
            checksum: Some(stored_body.hashes.stored_checksum()),
            multipart: false,
            description,
        };
        let mut output = put_object_output(&object);
        let headers = checksums::checksum_headers(object.checksum.as_ref(), true);
        let version = self
            .with_store(move |store| {
                let version = store.put_object(&location.0, &location.1, object, &condition)?;
                stored_body.blob.commit();
                Ok(version)
            })
            .await?;
        output.version_id = version;
        Ok(S3Response::with_headers(output, headers))
    }

    pub(super) async fn handle_delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        s3_errors::check_version_id(input.version_id.as_ref())?;
        let delete_request = DeleteRequest {
            condition: conditions::delete_condition(input.if_match.as_ref()),
            key: input.key,
            version: input.version_id,
        };
        let deleted = self
            .with_store(move |store| store.delete_object(&input.bucket, &delete_request))
            .await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.is_delete_marker.then_some(true),
            version_id: deleted.version,
            ..DeleteObjectOutput::default()
        }))
    }
}

fn put_object_output(object: &ObjectRecord) -> PutObjectOutput {
    let encryption = object.description.encryption.clone().unwrap_or_else(|| "AES256".into());
    PutObjectOutput {
        e_tag: Some(ETag::Strong(object.etag.clone())),
        server_side_encryption: Some(ServerSideEncryption::from(encryption)),
        ssekms_key_id: object.description.encryption_key.clone(),
        ..PutObjectOutput::default()
    }
}
