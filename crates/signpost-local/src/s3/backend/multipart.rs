//! Multipart upload operations.

use http::HeaderMap;
use http::header::HOST;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType, CommonPrefix,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, Initiator, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListPartsInput, ListPartsOutput, MultipartUpload, Part, ServerSideEncryption, StorageClass, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::buckets::bucket_owner;
use super::checksums::{self, BodyHasher, DeclaredChecksums, given_checksums};
use super::complete_upload::DeclaredObject;
use super::listing::{self, KeyEncoding};
use super::{S3Backend, conditions, digests, object_metadata, s3_errors, to_i64, to_timestamp};
use crate::s3::store::records::{ChecksumCoverage, DigestAlgorithm, PartRecord, StoredChecksum, UploadRecord};
use crate::s3::store::{CompletionRequest, RequestedPart, UploadEntry, unix_now};
use crate::s3::verification::encode_path;

const MAX_PART_NUMBER: i32 = 10_000;

impl S3Backend {
    pub(super) async fn handle_create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let description = object_metadata::from_create_upload(&request, &self.region)?;
        let input = request.input;
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
            key_changed: false,
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
        let declared = DeclaredChecksums::from_upload(&request)?;
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        if !(1..=MAX_PART_NUMBER).contains(&input.part_number) {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            let number = input.part_number.to_string();
            return Err(s3_errors::invalid_argument("partNumber", &number, message));
        }
        let number = input.part_number.unsigned_abs();
        let body = input.body.take();
        let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
        let upload = self
            .with_store({
                let (bucket, key, id) = (bucket.clone(), key.clone(), id.clone());
                move |store| store.get_upload(&bucket, &key, &id)
            })
            .await?;
        let hasher = BodyHasher::new(part_algorithm(&upload, declared.algorithm)?).with_payload_hash(&declared);
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
        let mut output = to_upload_part_output(&upload);
        output.e_tag = Some(ETag::Strong(part.etag.clone()));
        let headers = checksums::checksum_headers(part.checksum.as_ref(), false);
        self.with_store(move |store| {
            store.put_part((&bucket, &key), (&id, number), &part)?;
            stored_body.blob.commit();
            Ok(())
        })
        .await?;
        Ok(S3Response::with_headers(output, headers))
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
            next_part_number_marker: Some(next.unwrap_or_default()),
            owner: Some(bucket_owner()),
            part_number_marker: Some(input.part_number_marker.unwrap_or_default()),
            initiator: Some(upload_initiator()),
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
            self.with_store(move |store| store.get_upload(&input.bucket, &input.key, &input.upload_id))
                .await?;
            return Err(s3_error!(InvalidRequest, "You must specify at least one part"));
        }
        let parts = parts.iter().map(requested_part).collect::<S3Result<Vec<_>>>()?;
        let declared_object = DeclaredObject::from_request(&input)?;
        let condition = conditions::write_condition(input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let host = request.headers.get(HOST).and_then(|value| value.to_str().ok());
        let path = encode_path(&format!("/{}/{}", input.bucket, input.key));
        let location = format!("http://{}{path}", host.unwrap_or_default());
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            location: Some(location),
            ..CompleteMultipartUploadOutput::default()
        };
        let completed = self
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
        let encryption = completed.encryption.unwrap_or_else(|| "AES256".into());
        output.server_side_encryption = Some(ServerSideEncryption::from(encryption));
        let checksum = checksums::to_s3_checksum(completed.checksum.as_ref());
        output.checksum_crc32 = checksum.checksum_crc32;
        output.checksum_crc32c = checksum.checksum_crc32c;
        output.checksum_crc64nvme = checksum.checksum_crc64nvme;
        output.checksum_sha1 = checksum.checksum_sha1;
        output.checksum_sha256 = checksum.checksum_sha256;
        output.checksum_type = checksum.checksum_type;
        output.e_tag = Some(ETag::Strong(completed.etag));
        output.version_id = completed.version;
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
        let delimiter = input.delimiter.clone().filter(|delimiter| !delimiter.is_empty());
        let prefix = input.prefix.clone().unwrap_or_default();
        let page = UploadPage::new(
            rows.into_iter().filter(|row| is_after(row, &marker)),
            |key| common_prefix(key, &prefix, delimiter.as_deref()?),
            &marker.0,
            usize::try_from(limit).unwrap_or_default(),
        );
        let (next_key, next_id) = page.last.unzip();
        let key_encoding = KeyEncoding::from_request(input.encoding_type.as_ref());
        let prefixes = page.prefixes.iter().map(|prefix| CommonPrefix {
            prefix: Some(key_encoding.encode_key(prefix)),
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            common_prefixes: Some(prefixes.collect()),
            delimiter: key_encoding.encode_delimiter(input.delimiter),
            is_truncated: Some(page.is_truncated),
            encoding_type: input.encoding_type,
            key_marker: Some(key_encoding.encode_key(&input.key_marker.unwrap_or_default())),
            max_uploads: Some(limit),
            next_key_marker: Some(key_encoding.encode_key(&next_key.unwrap_or_default())),
            next_upload_id_marker: Some(next_id.unwrap_or_default()),
            prefix: input.prefix.map(|prefix| key_encoding.encode_key(&prefix)),
            upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
            uploads: Some(
                page.uploads
                    .into_iter()
                    .map(|row| to_multipart_upload(row, &key_encoding))
                    .collect(),
            ),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

/// One page of a list of uploads.
#[derive(Default)]
struct UploadPage {
    uploads: Vec<UploadEntry>,
    prefixes: Vec<String>,
    /// The key and the upload id of the last entry. A common prefix has no upload id.
    last: Option<(String, String)>,
    is_truncated: bool,
}

impl UploadPage {
    /// Collects up to `limit` entries. A common prefix is one entry, and `marker` can be one.
    fn new(
        rows: impl Iterator<Item = UploadEntry>,
        common_prefix: impl Fn(&str) -> Option<String>,
        marker: &str,
        limit: usize,
    ) -> Self {
        let mut page = Self::default();
        for row in rows {
            let prefix = common_prefix(&row.key);
            let is_listed = prefix.as_ref().is_some_and(|prefix| {
                page.prefixes.last() == Some(prefix) || (!marker.is_empty() && marker.starts_with(prefix.as_str()))
            });
            if is_listed {
                continue;
            }
            if page.uploads.len() + page.prefixes.len() >= limit {
                page.is_truncated = true;
                break;
            }
            if let Some(prefix) = prefix {
                page.last = Some((prefix.clone(), String::new()));
                page.prefixes.push(prefix);
            } else {
                page.last = Some((row.key.clone(), row.id.clone()));
                page.uploads.push(row);
            }
        }
        page
    }
}

fn common_prefix(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let end = key.get(prefix.len()..)?.find(delimiter)? + delimiter.len();
    Some(key[..prefix.len() + end].to_owned())
}

/// Returns the account that created every upload.
fn upload_initiator() -> Initiator {
    let owner = bucket_owner();
    Initiator {
        display_name: owner.display_name,
        id: owner.id,
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
    let Some(algorithm) = algorithm.map(digests::parse_algorithm).transpose()? else {
        if coverage.is_some() {
            return Err(s3_error!(
                InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            ));
        }
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
    let name = digests::algorithm_name(algorithm);
    Err(s3_error!(
        InvalidRequest,
        "The checksum type cannot be used with the {name} checksum algorithm."
    ))
}

fn part_algorithm(upload: &UploadRecord, declared: Option<DigestAlgorithm>) -> S3Result<Option<DigestAlgorithm>> {
    let lower_name =
        |algorithm: Option<DigestAlgorithm>| algorithm.map_or("null", digests::algorithm_name).to_lowercase();
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
    let declared = DeclaredChecksums::from_parsed(&given)?;
    let checksum = declared.algorithm.zip(declared.value);
    let checksum = checksum.map(|(algorithm, value)| StoredChecksum {
        algorithm,
        coverage: ChecksumCoverage::FullObject,
        value,
    });
    Ok(RequestedPart { number, etag, checksum })
}

/// Returns the response to an uploaded part. Its checksum is a header.
fn to_upload_part_output(upload: &UploadRecord) -> UploadPartOutput {
    let encryption = upload.description.encryption.clone().unwrap_or_else(|| "AES256".into());
    UploadPartOutput {
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
    ChecksumAlgorithm::from_static(digests::algorithm_name(algorithm))
}
