//! Multipart uploads.

use http::HeaderMap;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, Checksum, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, Part as ToldPart, ServerSideEncryption, StorageClass, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::buckets::owner;
use super::checksums::{self, Declared, Hashing};
use super::listing::{self, Spelling};
use super::{Backend, assemble, conditions, describe, signed, timestamp};
use crate::s3::store::records::{Algorithm, Coverage, Part, StoredChecksum, Upload};
use crate::s3::store::{CompleteRequest, NamedPart, UploadRow, now};

const MOST_PARTS: i32 = 10_000;

impl Backend {
    pub(super) async fn create_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let description = describe::of_upload(&input)?;
        let checksum = promised(input.checksum_algorithm.as_ref(), input.checksum_type.as_ref())?;
        let encryption = description.encryption.clone().unwrap_or_else(|| "AES256".into());
        let mut output = CreateMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            checksum_algorithm: checksum.map(|(algorithm, _)| told_algorithm(algorithm)),
            checksum_type: checksum.map(|(_, coverage)| checksums::coverage_type(coverage)),
            server_side_encryption: Some(ServerSideEncryption::from(encryption)),
            ssekms_key_id: description.encryption_key.clone(),
            ..CreateMultipartUploadOutput::default()
        };
        let upload = Upload {
            initiated: now(),
            description,
            checksum,
        };
        let id = self
            .ask(move |store| store.create_upload(&input.bucket, &input.key, &upload))
            .await?;
        output.upload_id = Some(id);
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let S3Request {
            mut input,
            trailing_headers,
            ..
        } = request;
        if !(1..=MOST_PARTS).contains(&input.part_number) {
            let message = "Part number must be an integer between 1 and 10000, inclusive";
            return Err(s3_error!(InvalidArgument, "{message}"));
        }
        let number = input.part_number.unsigned_abs();
        let declared = Declared::new(
            &given(&input),
            input.checksum_algorithm.as_ref(),
            input.content_md5.take(),
        )?;
        let body = input.body.take();
        let (bucket, key, id) = (input.bucket, input.key, input.upload_id);
        let upload = self
            .ask({
                let (bucket, key, id) = (bucket.clone(), key.clone(), id.clone());
                move |store| store.upload(&bucket, &key, &id)
            })
            .await?;
        let hashing = Hashing::new(algorithm_of_part(&upload, declared.algorithm)?);
        let ingested = self.ingest(body, input.content_length, hashing).await?;
        let trailers: Option<HeaderMap> = trailing_headers.and_then(|trailers| trailers.take());
        ingested.hashed.verify(&declared, trailers.as_ref())?;
        let part = Part {
            segment: ingested.segment(),
            modified: now(),
            etag: ingested.hashed.etag(),
            checksum: ingested.hashed.checksum.clone(),
            crc64nvme: ingested.hashed.crc64nvme.clone(),
        };
        let output = told_upload_part(&part, &upload);
        self.ask(move |store| {
            store.put_part((&bucket, &key), (&id, number), &part)?;
            ingested.draft.keep();
            Ok(())
        })
        .await?;
        Ok(S3Response::new(output))
    }

    pub(super) async fn parts(&self, request: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = request.input;
        let limit = listing::limit(input.max_parts)?;
        let after = input.part_number_marker.unwrap_or_default().unsigned_abs();
        let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
        let (upload, parts) = self
            .ask(move |store| Ok((store.upload(&bucket, &key, &id)?, store.parts(&id)?)))
            .await?;
        let mut rest = parts.into_iter().filter(|(number, _)| *number > after);
        let page: Vec<_> = rest.by_ref().take(usize::try_from(limit).unwrap_or_default()).collect();
        let next = page.last().and_then(|(number, _)| i32::try_from(*number).ok());
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            checksum_algorithm: upload.checksum.map(|(algorithm, _)| told_algorithm(algorithm)),
            checksum_type: upload.checksum.map(|(_, coverage)| checksums::coverage_type(coverage)),
            is_truncated: Some(rest.next().is_some()),
            max_parts: Some(limit),
            next_part_number_marker: next,
            owner: Some(owner()),
            part_number_marker: input.part_number_marker,
            parts: Some(page.into_iter().map(|(number, part)| told_part(number, part)).collect()),
            storage_class: Some(storage_class(&upload)),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) async fn complete(
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
        let parts = parts.into_iter().map(named).collect::<S3Result<Vec<_>>>()?;
        let promises = assemble::Promises::of(&input)?;
        let condition = conditions::of_write(input.if_match.as_ref(), input.if_none_match.as_ref());
        let mut output = CompleteMultipartUploadOutput {
            bucket: Some(input.bucket.clone()),
            key: Some(input.key.clone()),
            location: Some(format!("/{}/{}", input.bucket, input.key)),
            ..CompleteMultipartUploadOutput::default()
        };
        let (object, version) = self
            .ask(move |store| {
                let request = CompleteRequest {
                    bucket: &input.bucket,
                    key: &input.key,
                    upload_id: &input.upload_id,
                    parts: &parts,
                    condition: &condition,
                };
                store.complete_upload(&request, |upload, stored| promises.assemble(upload, &parts, stored))
            })
            .await?;
        let checksum = checksums::told(object.checksum.as_ref());
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

    pub(super) async fn abort(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        self.ask(move |store| store.abort_upload(&input.bucket, &input.key, &input.upload_id))
            .await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) async fn uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let limit = listing::limit(input.max_uploads)?;
        let (bucket, prefix) = (input.bucket.clone(), input.prefix.clone().unwrap_or_default());
        let rows = self.ask(move |store| store.uploads(&bucket, &prefix)).await?;
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
        let spell = Spelling::of(input.encoding_type.as_ref());
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            is_truncated: Some(next_key.is_some()),
            encoding_type: input.encoding_type,
            key_marker: input.key_marker.map(|key| spell.write(&key)),
            max_uploads: Some(limit),
            next_key_marker: next_key.map(|key| spell.write(&key)),
            next_upload_id_marker: next_id,
            prefix: input.prefix.map(|prefix| spell.write(&prefix)),
            upload_id_marker: input.upload_id_marker,
            uploads: Some(page.into_iter().map(|row| told_upload(row, &spell)).collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }
}

fn is_after(row: &UploadRow, (key, id): &(String, Option<String>)) -> bool {
    match (row.key.cmp(key), id) {
        (std::cmp::Ordering::Greater, _) => true,
        (std::cmp::Ordering::Equal, Some(id)) => row.id > *id,
        _ => false,
    }
}

/// The checksum that an upload promises its parts; S3's defaults where the request leaves it open.
fn promised(
    algorithm: Option<&ChecksumAlgorithm>,
    coverage: Option<&ChecksumType>,
) -> S3Result<Option<(Algorithm, Coverage)>> {
    let Some(algorithm) = algorithm.map(checksums::parse).transpose()? else {
        return Ok(None);
    };
    let joins = matches!(algorithm, Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme);
    let coverage = match coverage.map(ChecksumType::as_str) {
        Some("COMPOSITE") => Coverage::Composite,
        Some("FULL_OBJECT") => Coverage::FullObject,
        Some(_) => {
            return Err(s3_error!(
                InvalidRequest,
                "Value for x-amz-checksum-type header is invalid."
            ));
        }
        None if algorithm == Algorithm::Crc64Nvme => Coverage::FullObject,
        None => Coverage::Composite,
    };
    let fits = match coverage {
        Coverage::FullObject => joins,
        Coverage::Composite => algorithm != Algorithm::Crc64Nvme,
    };
    if fits {
        return Ok(Some((algorithm, coverage)));
    }
    let name = checksums::name(algorithm);
    Err(s3_error!(
        InvalidRequest,
        "The checksum type cannot be used with the {name} checksum algorithm."
    ))
}

fn algorithm_of_part(upload: &Upload, declared: Option<Algorithm>) -> S3Result<Option<Algorithm>> {
    let spell = |algorithm: Option<Algorithm>| algorithm.map_or("null", checksums::name).to_lowercase();
    match (upload.checksum, declared) {
        (None, declared) => Ok(declared),
        (Some((wanted, _)), Some(declared)) if wanted == declared => Ok(Some(wanted)),
        (Some((wanted, Coverage::FullObject)), None) => Ok(Some(wanted)),
        (Some((wanted, _)), declared) => Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            spell(Some(wanted)),
            spell(declared)
        )),
    }
}

fn named(part: CompletedPart) -> S3Result<NamedPart> {
    let refuse = || s3_error!(MalformedXML, "A part needs a PartNumber and an ETag");
    let number = part
        .part_number
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(refuse)?;
    let etag = part.e_tag.clone().ok_or_else(refuse)?.into_value();
    let given = Checksum {
        checksum_crc32: part.checksum_crc32,
        checksum_crc32c: part.checksum_crc32c,
        checksum_crc64nvme: part.checksum_crc64nvme,
        checksum_sha1: part.checksum_sha1,
        checksum_sha256: part.checksum_sha256,
        checksum_type: None,
    };
    let declared = Declared::new(&given, None, None)?;
    let checksum = declared.algorithm.zip(declared.value);
    let checksum = checksum.map(|(algorithm, value)| StoredChecksum {
        algorithm,
        coverage: Coverage::FullObject,
        value,
    });
    Ok(NamedPart { number, etag, checksum })
}

fn given(input: &UploadPartInput) -> Checksum {
    Checksum {
        checksum_crc32: input.checksum_crc32.clone(),
        checksum_crc32c: input.checksum_crc32c.clone(),
        checksum_crc64nvme: input.checksum_crc64nvme.clone(),
        checksum_sha1: input.checksum_sha1.clone(),
        checksum_sha256: input.checksum_sha256.clone(),
        checksum_type: None,
    }
}

fn told_upload_part(part: &Part, upload: &Upload) -> UploadPartOutput {
    let checksum = checksums::told(part.checksum.as_ref());
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

fn told_part(number: u32, part: Part) -> ToldPart {
    let checksum = checksums::told(part.checksum.as_ref());
    ToldPart {
        checksum_crc32: checksum.checksum_crc32,
        checksum_crc32c: checksum.checksum_crc32c,
        checksum_crc64nvme: checksum.checksum_crc64nvme,
        checksum_sha1: checksum.checksum_sha1,
        checksum_sha256: checksum.checksum_sha256,
        e_tag: Some(ETag::Strong(part.etag)),
        last_modified: Some(timestamp(part.modified)),
        part_number: i32::try_from(number).ok(),
        size: Some(signed(part.segment.size)),
    }
}

fn told_upload(row: UploadRow, spell: &Spelling) -> MultipartUpload {
    MultipartUpload {
        checksum_algorithm: row.upload.checksum.map(|(algorithm, _)| told_algorithm(algorithm)),
        checksum_type: row
            .upload
            .checksum
            .map(|(_, coverage)| checksums::coverage_type(coverage)),
        initiated: Some(timestamp(row.upload.initiated)),
        key: Some(spell.write(&row.key)),
        owner: Some(owner()),
        storage_class: Some(storage_class(&row.upload)),
        upload_id: Some(row.id),
        ..MultipartUpload::default()
    }
}

fn storage_class(upload: &Upload) -> StorageClass {
    StorageClass::from(
        upload
            .description
            .storage_class
            .clone()
            .unwrap_or_else(|| "STANDARD".into()),
    )
}

fn told_algorithm(algorithm: Algorithm) -> ChecksumAlgorithm {
    ChecksumAlgorithm::from_static(checksums::name(algorithm))
}
