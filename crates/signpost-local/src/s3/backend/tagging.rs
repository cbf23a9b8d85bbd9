//! Object tagging operations.

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{S3Backend, object_tags, s3_errors};

impl S3Backend {
    pub(super) async fn handle_get_object_tagging(
        &self,
        request: S3Request<GetObjectTaggingInput>,
    ) -> S3Result<S3Response<GetObjectTaggingOutput>> {
        let input = request.input;
        s3_errors::check_version_id(input.version_id.as_ref())?;
        let (version, versioning) = self
            .with_store(move |store| store.find_tagged_version(&input.bucket, &input.key, input.version_id.as_deref()))
            .await?;
        let version_id = versioning.has_versions().then(|| version.version_id().to_owned());
        let object = version.object.ok_or_else(|| s3_error!(NoSuchKey))?;
        let tags = object.description.tags.into_iter();
        let tag_set = tags
            .map(|(key, value)| Tag {
                key: Some(key),
                value: Some(value),
            })
            .collect();
        Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id }))
    }

    pub(super) async fn handle_put_object_tagging(
        &self,
        request: S3Request<PutObjectTaggingInput>,
    ) -> S3Result<S3Response<PutObjectTaggingOutput>> {
        let input = request.input;
        s3_errors::check_version_id(input.version_id.as_ref())?;
        let tags = object_tags::from_document(input.tagging.tag_set)?;
        let version_id = self
            .with_store(move |store| {
                store.update_object(&input.bucket, &input.key, input.version_id.as_deref(), |object| {
                    object.description.tags = tags;
                })
            })
            .await?;
        Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
    }

    pub(super) async fn handle_delete_object_tagging(
        &self,
        request: S3Request<DeleteObjectTaggingInput>,
    ) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
        let input = request.input;
        s3_errors::check_version_id(input.version_id.as_ref())?;
        let version_id = self
            .with_store(move |store| {
                store.update_object(&input.bucket, &input.key, input.version_id.as_deref(), |object| {
                    object.description.tags.clear();
                })
            })
            .await?;
        Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
    }
}
