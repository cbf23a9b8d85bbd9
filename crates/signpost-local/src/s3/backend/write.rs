//! `PutObject`, which a form becomes too, and `DeleteObject`.

use http::HeaderMap;
use s3s::dto::{
    Checksum, DeleteObjectInput, DeleteObjectOutput, ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption,
};
use s3s::{S3Request, S3Response, S3Result};

use super::checksums::{self, Declared, Hashing};
use super::{Backend, conditions, describe};
use crate::s3::store::Doomed;
use crate::s3::store::records::Object;

impl Backend {
    pub(super) async fn put(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        let body = input.body.take();
        let description = describe::of_put(&input)?;
        let declared = Declared::new(
            &given(&input),
            input.checksum_algorithm.as_ref(),
            input.content_md5.take(),
        )?;
        let condition = conditions::of_write(input.if_match.as_ref(), input.if_none_match.as_ref());
        let place = (input.bucket, input.key);
        self.ask({
            let (condition, (bucket, key)) = (condition.clone(), place.clone());
            move |store| store.may_put(&bucket, &key, &condition)
        })
        .await?;
        let ingested = self
            .ingest(body, input.content_length, Hashing::new(declared.algorithm))
            .await?;
        let trailers: Option<HeaderMap> = trailing_headers.and_then(|trailers| trailers.take());
        ingested.hashed.verify(&declared, trailers.as_ref())?;
        let object = Object {
            segments: vec![ingested.segment()],
            size: ingested.size,
            etag: ingested.hashed.etag(),
            checksum: Some(ingested.hashed.kept()),
            multipart: false,
            description,
        };
        let mut output = told(&object);
        let version = self
            .ask(move |store| {
                let version = store.put(&place.0, &place.1, object, &condition)?;
                ingested.draft.keep();
                Ok(version)
            })
            .await?;
        output.version_id = version;
        Ok(S3Response::new(output))
    }

    pub(super) async fn delete(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let doomed = Doomed {
            condition: conditions::of_write(input.if_match.as_ref(), None),
            key: input.key,
            version: input.version_id,
        };
        let deleted = self.ask(move |store| store.delete(&input.bucket, &doomed)).await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: deleted.marker.then_some(true),
            version_id: deleted.version,
            ..DeleteObjectOutput::default()
        }))
    }
}

fn given(input: &PutObjectInput) -> Checksum {
    Checksum {
        checksum_crc32: input.checksum_crc32.clone(),
        checksum_crc32c: input.checksum_crc32c.clone(),
        checksum_crc64nvme: input.checksum_crc64nvme.clone(),
        checksum_sha1: input.checksum_sha1.clone(),
        checksum_sha256: input.checksum_sha256.clone(),
        checksum_type: None,
    }
}

fn told(object: &Object) -> PutObjectOutput {
    let checksum = checksums::told(object.checksum.as_ref());
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
