//! The operations that there are, each handed to the module that knows it; `s3s` answers 501 for all others.

use s3s::{S3, S3Request, S3Response, S3Result, dto};

use super::Backend;

/// Names an operation, the stem of its types, and the method that does it.
macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident = $method:ident;)*) => {
        #[async_trait::async_trait]
        impl S3 for Backend {
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
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = abort;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = complete;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = make_bucket;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = create_upload;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = remove_cors;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete_many;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = remove_tags;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = cors;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = location;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = versioning;
    get_object(GetObjectInput) -> GetObjectOutput = get;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = look_at_bucket;
    head_object(HeadObjectInput) -> HeadObjectOutput = head;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = all_buckets;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = uploads;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list_versions;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list_v1;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = parts;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = set_cors;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = set_versioning;
    put_object(PutObjectInput) -> PutObjectOutput = put;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = set_tags;
    upload_part(UploadPartInput) -> UploadPartOutput = put_part;
}
