//! `DeleteObjects`: many keys in one request.

use s3s::dto::{
    Checksum, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error, ObjectIdentifier,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::checksums::{Declared, Hashing};
use super::{Backend, conditions, failure};
use crate::s3::document::Document;
use crate::s3::store::{Deleted, Doomed, StoreError};

/// The most keys of one request
/// ([DeleteObjects](https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html)).
const MOST: usize = 1000;

impl Backend {
    pub(super) async fn delete_many(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        verify(&request)?;
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        if !(1..=MOST).contains(&delete.objects.len()) {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(s3_error!(MalformedXML, "{message}"));
        }
        let doomed = delete.objects.into_iter().map(doomed).collect::<S3Result<Vec<_>>>()?;
        let answers = self
            .ask(move |store| {
                let answers = store.delete_all(&bucket, &doomed)?;
                Ok(doomed.into_iter().zip(answers).collect::<Vec<_>>())
            })
            .await?;
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for (doomed, answer) in answers {
            match answer {
                Ok(done) => deleted.push(told(doomed, done)),
                Err(error) => errors.push(self.refused(doomed, error)),
            }
        }
        let is_quiet = delete.quiet.unwrap_or_default();
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: Some(deleted).filter(|_| !is_quiet),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    fn refused(&self, doomed: Doomed, error: StoreError) -> Error {
        let error = match error {
            StoreError::NoSuchKey if !self.may_list => s3_error!(AccessDenied, "Access Denied"),
            error => failure::of_store(error),
        };
        Error {
            code: Some(error.code().as_str().to_owned()),
            key: Some(doomed.key),
            message: error.message().map(str::to_owned),
            version_id: doomed.version,
        }
    }
}

/// S3 wants to know that the list arrived whole.
fn verify(request: &S3Request<DeleteObjectsInput>) -> S3Result<()> {
    let header = |name: &str| Some(request.headers.get(name)?.to_str().ok()?.to_owned());
    let given = Checksum {
        checksum_crc32: header("x-amz-checksum-crc32"),
        checksum_crc32c: header("x-amz-checksum-crc32c"),
        checksum_crc64nvme: header("x-amz-checksum-crc64nvme"),
        checksum_sha1: header("x-amz-checksum-sha1"),
        checksum_sha256: header("x-amz-checksum-sha256"),
        checksum_type: None,
    };
    let declared = Declared::new(&given, request.input.checksum_algorithm.as_ref(), header("content-md5"))?;
    if declared.md5.is_none() && declared.value.is_none() {
        let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
        return Err(s3_error!(InvalidRequest, "{message}"));
    }
    let document: &Document = request.extensions.get().expect("every list of keys is kept");
    let mut hashing = Hashing::new(declared.algorithm);
    document.read(|bytes| hashing.update(bytes));
    hashing.finish().verify(&declared, None)
}

fn doomed(object: ObjectIdentifier) -> S3Result<Doomed> {
    if object.last_modified_time.is_some() || object.size.is_some() {
        return Err(s3_error!(
            NotImplemented,
            "only directory buckets compare sizes and times"
        ));
    }
    Ok(Doomed {
        condition: conditions::of_write(object.e_tag.map(ETagCondition::ETag).as_ref(), None),
        key: object.key,
        version: object.version_id,
    })
}

/// A deletion that named no version tells only of the marker that it made.
fn told(doomed: Doomed, done: Deleted) -> DeletedObject {
    DeletedObject {
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: done.version.filter(|_| done.marker),
        key: Some(doomed.key),
        version_id: doomed.version,
    }
}
