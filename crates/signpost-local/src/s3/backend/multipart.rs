//! Multipart upload operations.

use http::HeaderMap;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part, ServerSideEncryption, StorageClass, UploadPartInput, UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::buckets::bucket_owner;
use super::checksums::{self, BodyHasher, DeclaredChecksums, given_checksums};
use super::complete_upload::DeclaredObject;
use super::listing::{self, KeyEncoding};
use super::{S3Backend, conditions, object_metadata, to_i64, to_timestamp};
use crate::s3::store::records::{ChecksumCoverage, DigestAlgorithm, PartRecord, StoredChecksum, UploadRecord};
use crate::s3::store::{CompletionRequest, RequestedPart, UploadEntry, unix_now};

const MAX_PART_NUMBER: i32 = 10_000;

impl S3Backend {
    pub(super) async fn handle_create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let description = object_metadata::from_create_upload(&input)?;
        let checksum = upload_checksum(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
        let encryption = description.encryption.clone().unwrap_or_else(|| "AES256".into());
        let mut output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            checksum_algorithm: checksum.map(|(algorithm, _)| to_checksum_algorithm(algorithm)),
            checksum_type: checksum.map(|(_, coverage)| checksums::to_checksum_type(coverage)),
            server_side_encryption: Some(ServerSideEncryption::from(encryption)),
            ssekms_key_id: description.encryption_key.clone(),
            ..CreateMultipartUploadOutput::default()
        };
        let upload = UploadRecord {
            initiated: unix_now(),
            description,
            checksum,
        };
        let id = self
            .with_store(move |store| store.create_upload(&input.bucket, &input.key, &upload))
            .await?;
        output.upload_id = Some(id);
        Ok(S3Response::new(output))
    }

    pub(super) async fn handle_upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        if !(1..=MAX_PART_NUMBER).contains(&input.part_number) {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(s3_error!(InvalidArgument, "{message}"));
        }
        let number = input.part_number.unsigned_abs();
        let declared = DeclaredChecksums::new(
            &given_checksums!(input),
            input.checksum_algorithm.as_ref(),
            input.content_md5.take(),
        )?;
        let body = input.body.take();
        let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
        let upload = self
            .with_store({
                let (bucket, key, id) = (bucket.clone(), key.clone(), id.clone());
                move |store| store.get_upload(&bucket, &key, &id)
            })
            .await?;
        let hasher = BodyHasher::new(part_algorithm(&upload, declared.algorithm)?);
        let stored_body = self.store_body(body, input.content_length, hasher).await?;
        let trailers: Option<HeaderMap> = trailing_headers.and_then(|trailers| trailers.take());
        stored_body.hashes.verify(&declared, trailers.as_ref())?;
        let part = PartRecord {
            segment: stored_body.segment(),
            modified: unix_now(),
            etag: stored_body.hashes.etag(),
            checksum: stored_body.hashes.checksum.clone(),
            crc64nvme: stored_body.hashes.crc64nvme.clone(),
        };
        let output = to_upload_part_output(&part, &upload);
        self.with_store(move |store| {
            store.put_part((&bucket, &key), (&id, number), &part)?;
            stored_body.blob.commit();
            Ok(())
        })
        .await?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn handle_list_parts(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let limit = listing::page_limit(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default().unsigned_abs();
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, parts) = self
            .with_store(move |store| Ok((store.get_upload(&bucket, &key, &id)?, store.list_parts(&id)?)))
            .await?;
        let mut rest = parts.into_iter().filter(|(number, _)| *number > after);
        let page: Vec<_> = rest.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
        let next = page.last().and_then(|(number, _)| i32::try_from(*number).ok());
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload.checksum.map(|(algorithm, _)| to_checksum_algorithm(algorithm)),
            checksum_type: upload
                .checksum
                .map(|(_, coverage)| checksums::to_checksum_type(coverage)),
            is_truncated: Some(rest.next().is_some()),
            max_parts: Some(limit),
            next_part_number_marker: next,
            owner: Some(bucket_owner()),
            part_number_marker: input.part_number_marker,
            parts: Some(page.into_iter().map(|(number, part)| to_part(number, part)).collect()),
            storage_class: Some(storage_class(&upload)),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) async fn handle_complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = input
            .multipart_upload
            .clone()
            .and_then(|upload| upload.parts)
            .unwrap_or_default();
        if parts.is_empty() {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(s3_error!(MalformedXML, "{message}"));
        }
        let parts = parts.iter().map(requested_part).collect::<S3Result<Vec<_>>>()?;
        let declared_object = DeclaredObject::from_request(&input)?;
        let condition = conditions::write_condition(input.if_match.as_ref(), input.if_none_match.as_ref());
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            ..CompleteMultipartUploadOutput::default()
        };
        let (object, version) = self
            .with_store(move |store| {
                let request = CompletionRequest {
                    bucket: &input.bucket,
                    key: &input.key,
                    upload_id: &input.upload_id,
                    parts: &parts,
                    condition: &condition,
                };
                store.complete_upload(&request, |upload, stored| {
                    declared_object.assemble(upload, &parts, stored)
                })
            })
            .await?;
        let checksum = checksums::to_s3_checksum(object.checksum.as_ref());
        output.checksum_crc32 = checksum.checksum_crc32;
        output.checksum_crc32c = checksum.checksum_crc32c;
        output.checksum_crc64nvme = checksum.checksum_crc64nvme;
        output.checksum_sha1 = checksum.checksum_sha1;
        output.checksum_sha256 = checksum.checksum_sha256;
        output.checksum_type = checksum.checksum_type;
        output.e_tag = Some(ETag::Strong(object.etag));
        output.version_id = version;
        Ok(S3Response::new(output))
    }

    pub(super) async fn handle_abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.with_store(move |store| store.abort_upload(&input.bucket, &input.key, &input.upload_id))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn handle_list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let limit = listing::page_limit(input.max_uploads)?;
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let rows = self
            .with_store(move |store| store.list_uploads(&bucket, &prefix))
            .await?;
        let marker = (
            input.key_marker.clone().unwrap_or_default(),
            input.upload_id_marker.clone(),
        );
        let mut rest = rows.into_iter().filter(|row| is_after(row, &marker));
        let page: Vec<_> = rest.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
        let last = page
            .last()
            .filter(|_| rest.next().is_some())
            .map(|row| (row.key.clone(), row.id.clone()));
        let (next_key, next_id) = last.unzip();
        let key_encoding = KeyEncoding::from_request(input.encoding_type.as_ref());
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(next_key.is_some()),
            encoding_type: input.encoding_type,
            key_marker: input.key_marker.map(|key| key_encoding.encode_key(&key)),
            max_uploads: Some(limit),
            next_key_marker: next_key.map(|key| key_encoding.encode_key(&key)),
            next_upload_id_marker: next_id,
            prefix: input.prefix.map(|prefix| key_encoding.encode_key(&prefix)),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(
                page.into_iter()
                    .map(|row| to_multipart_upload(row, &key_encoding))
                    .collect(),
            ),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn is_after(row: &UploadEntry, (key, id): &(String, Option<String>)) -> bool {
    match (row.key.cmp(key), id) {
        (std::cmp::Ordering::Greater, _) => true,
        (std::cmp::Ordering::Equal, Some(id)) => row.id > *id,
        _ => false,
    }
}

/// Returns the checksum algorithm and type of an upload, with the defaults of S3.
fn upload_checksum(
    algorithm: Option<&ChecksumAlgorithm>,
    coverage: Option<&ChecksumType>,
) -> S3Result<Option<(DigestAlgorithm, ChecksumCoverage)>> {
    let Some(algorithm) = algorithm.map(checksums::parse_algorithm).transpose()? else {
        return Ok(None);
    };
    let is_crc = matches!(
        algorithm,
        DigestAlgorithm::Crc32 | DigestAlgorithm::Crc32c | DigestAlgorithm::Crc64Nvme
    );
    let coverage = match coverage.map(ChecksumType::as_str) {
        Some("COMPOSITE") => ChecksumCoverage::Composite,
        Some("FULL_OBJECT") => ChecksumCoverage::FullObject,
        Some(_) => {
            return Err(s3_error!(
                InvalidRequest,
                "Value for x-amz-checksum-type header is invalid."
            ));
        }
        None if algorithm == DigestAlgorithm::Crc64Nvme => ChecksumCoverage::FullObject,
        None => ChecksumCoverage::Composite,
    };
    let fits = match coverage {
        ChecksumCoverage::FullObject => is_crc,
        ChecksumCoverage::Composite => algorithm != DigestAlgorithm::Crc64Nvme,
    };
    if fits {
        return Ok(Some((algorithm, coverage)));
    }
    let name = checksums::algorithm_name(algorithm);
    Err(s3_error!(
        InvalidRequest,
        "The checksum type cannot be used with the {name} checksum algorithm."
    ))
}

fn part_algorithm(upload: &UploadRecord, declared: Option<DigestAlgorithm>) -> S3Result<Option<DigestAlgorithm>> {
    let lower_name =
        |algorithm: Option<DigestAlgorithm>| algorithm.map_or("null", checksums::algorithm_name).to_lowercase();
    match (upload.checksum, declared) {
        (None, declared) => Ok(declared),
        (Some((expected, _)), Some(declared)) if expected == declared => Ok(Some(expected)),
        (Some((expected, ChecksumCoverage::FullObject)), None) => Ok(Some(expected)),
        (Some((expected, _)), declared) => Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            lower_name(Some(expected)),
            lower_name(declared)
        )),
    }
}

fn requested_part(part: &CompletedPart) -> S3Result<RequestedPart> {
    let malformed = || s3_error!(MalformedXML, "Each part must contain a PartNumber and an ETag");
    let number = part
        .part_number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(malformed)?;
    let etag = part.e_tag.clone().ok_or_else(malformed)?.into_value();
    let given = given_checksums!(part);
    let declared = DeclaredChecksums::new(&given, None, None)?;
    let checksum = declared.algorithm.zip(declared.value);
    let checksum = checksum.map(|(algorithm, value)| StoredChecksum {
        algorithm,
        coverage: ChecksumCoverage::FullObject,
        value,
    });
    Ok(RequestedPart { number, etag, checksum })
}

fn to_upload_part_output(part: &PartRecord, upload: &UploadRecord) -> UploadPartOutput {
    let checksum = checksums::to_s3_checksum(part.checksum.as_ref());
    let encryption = upload.description.encryption.clone().unwrap_or_else(|| "AES256".into());
    UploadPartOutput {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(ETag::Strong(part.etag.clone())),
        server_side_encryption: Some(ServerSideEncryption::from(encryption)),
        ..UploadPartOutput::default()
    }
}

fn to_part(number: u32, part: PartRecord) -> Part {
    let checksum = checksums::to_s3_checksum(part.checksum.as_ref());
    Part {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(to_timestamp(part.modified)),
        part_number: i32::try_from(number).ok(),
        size: Some(to_i64(part.segment.size)),
    }
}

fn to_multipart_upload(row: UploadEntry, key_encoding: &KeyEncoding) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: row
            .upload
            .checksum
            .map(|(algorithm, _)| to_checksum_algorithm(algorithm)),
        checksum_type: row
            .upload
            .checksum
            .map(|(_, coverage)| checksums::to_checksum_type(coverage)),
        initiated: Some(to_timestamp(row.upload.initiated)),
        key: Some(key_encoding.encode_key(&row.key)),
        owner: Some(bucket_owner()),
        storage_class: Some(storage_class(&row.upload)),
        upload_id: Some(row.id),
        ..MultipartUpload::default()
    }
}

fn storage_class(upload: &UploadRecord) -> StorageClass {
    StorageClass::from(
        upload
            .description
            .storage_class
            .clone()
            .unwrap_or_else(|| "STANDARD".into()),
    )
}

fn to_checksum_algorithm(algorithm: DigestAlgorithm) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(checksums::algorithm_name(algorithm))
}
