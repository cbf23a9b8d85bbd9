//! `PutObject`, which `s3s` also calls for form uploads, and `DeleteObject`.

use http::HeaderMap;
use s3s::dto::{DeleteObjectInput, DeleteObjectOutput, ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption};
use s3s::{S3Request, S3Response, S3Result};

use super::checksums::{self, BodyHasher, DeclaredChecksums, given_checksums};
use super::{S3Backend, conditions, object_metadata};
use crate::s3::store::DeleteRequest;
use crate::s3::store::records::ObjectRecord;

impl S3Backend {
    pub(super) async fn handle_put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        let body = input.body.take();
        let description = object_metadata::from_put_object(&input)?;
        let declared = DeclaredChecksums::new(
            &given_checksums!(input),
            input.checksum_algorithm.as_ref(),
            input.content_md5.take(),
        )?;
        let condition = conditions::write_condition(input.if_match.as_ref(), input.if_none_match.as_ref());
        let location = (input.bucket, input.key);
        self.with_store({
            let (condition, (bucket, key)) = (condition.clone(), location.clone());
            move |store| store.check_put(&bucket, &key, &condition)
        })
        .await?;
        let stored_body = self
            .store_body(body, input.content_length, BodyHasher::new(declared.algorithm))
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
        let version = self
            .with_store(move |store| {
                let version = store.put_object(&location.0, &location.1, object, &condition)?;
                stored_body.blob.commit();
                Ok(version)
            })
            .await?;
        output.version_id = version;
        Ok(S3Response::new(output))
    }

    pub(super) async fn handle_delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let delete_request = DeleteRequest {
            condition: conditions::write_condition(input.if_match.as_ref(), None),
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
    let checksum = checksums::to_s3_checksum(object.checksum.as_ref());
    let encryption = object.description.encryption.clone().unwrap_or_else(|| "AES256".into());
    PutObjectOutput {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        checksum_type: checksum.checksum_type,
        e_tag: Some(ETag::Strong(object.etag.clone())),
        server_side_encryption: Some(ServerSideEncryption::from(encryption)),
        ssekms_key_id: object.description.encryption_key.clone(),
        ..PutObjectOutput::default()
    }
}
