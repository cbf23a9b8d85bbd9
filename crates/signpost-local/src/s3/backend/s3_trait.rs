//! Connects the supported operations to their handlers. `s3s` returns 501 for all others.

use s3s::{S3, S3Request, S3Response, S3Result, dto};

use super::S3Backend;

/// Lists each operation with its input type, its output type and its handler.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident = $method:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for S3Backend {
            $(async fn $operation(
                &self,
                request: S3Request<dto::$input>,
            ) -> S3Result<S3Response<dto::$output>> {
                self.$method(request).await
            })*
        }
    };
}

operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = handle_abort_multipart_upload;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = handle_complete_multipart_upload;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = handle_create_bucket;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = handle_create_multipart_upload;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = handle_delete_bucket_cors;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = handle_delete_object;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = handle_delete_objects;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = handle_delete_object_tagging;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = handle_get_bucket_cors;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = handle_get_bucket_location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = handle_get_bucket_versioning;
    get_object(GetObjectInput) -> GetObjectOutput = handle_get_object;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = handle_get_object_tagging;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = handle_head_bucket;
    head_object(HeadObjectInput) -> HeadObjectOutput = handle_head_object;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = handle_list_buckets;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = handle_list_multipart_uploads;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = handle_list_object_versions;
    list_objects(ListObjectsInput) -> ListObjectsOutput = handle_list_objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = handle_list_objects_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = handle_list_parts;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = handle_put_bucket_cors;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = handle_put_bucket_versioning;
    put_object(PutObjectInput) -> PutObjectOutput = handle_put_object;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = handle_put_object_tagging;
    upload_part(UploadPartInput) -> UploadPartOutput = handle_upload_part;
}
