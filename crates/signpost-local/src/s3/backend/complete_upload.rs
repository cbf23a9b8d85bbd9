//! Builds an object from the parts of a `CompleteMultipartUpload` request.

use s3s::S3Result;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, CompleteMultipartUploadInput};
use signpost::encoding::{hex, hex_decode};

use super::checksums::{self, DeclaredChecksums, given_checksums};
use crate::s3::store::records::{
    BlobSegment, ChecksumCoverage, DigestAlgorithm, ObjectRecord, PartRecord, StoredChecksum, UploadRecord,
};
use crate::s3::store::{RequestedPart, StoreError};

/// The checksum and size that the request declares for the complete object.
pub(super) struct DeclaredObject {
    declared: DeclaredChecksums,
    /// The checksum type.
    coverage: Option<String>,
    size: Option<i64>,
}

impl DeclaredObject {
    pub(super) fn from_request(input: &CompleteMultipartUploadInput) -> S3Result<Self> {
        let mut given = given_checksums!(input);
        strip_part_counts(&mut given);
        Ok(Self {
            declared: DeclaredChecksums::from_parsed(&given)?,
            coverage: input
                .checksum_type
                .as_ref()
                .map(|coverage| coverage.as_str().to_owned()),
            size: input.mpu_object_size,
        })
    }

    /// Builds the object from its parts. The store has already checked their order and `ETag`s.
    pub(super) fn assemble(
        &self,
        upload: &UploadRecord,
        requested: &[RequestedPart],
        parts: Vec<PartRecord>,
    ) -> Result<ObjectRecord, StoreError> {
        self.check_coverage(upload)?;
        let checksum = match upload.checksum {
            Some((algorithm, ChecksumCoverage::Composite)) => {
                if requested.iter().any(|part| part.checksum.is_none()) {
                    return Err(StoreError::MissingPartChecksums);
                }
                checksums::composite_checksum(algorithm, &part_checksums(&parts))
            }
            Some((algorithm, ChecksumCoverage::FullObject)) => {
                checksums::combine_checksums(algorithm, &with_sizes(&part_checksums(&parts), &parts))
            }
            None => {
                let own: Vec<_> = parts.iter().map(|part| part.crc64nvme.as_str()).collect();
                checksums::combine_checksums(DigestAlgorithm::Crc64Nvme, &with_sizes(&own, &parts))
            }
        };
        let size = parts.iter().map(|part| part.segment.size).sum();
        self.check(checksum.as_ref(), size)?;
        Ok(ObjectRecord {
            size,
            etag: multipart_etag(&parts),
            checksum,
            multipart: true,
            description: upload.description.clone(),
            segments: segments(parts, upload.checksum.is_some()),
        })
    }

    fn check_coverage(&self, upload: &UploadRecord) -> Result<(), StoreError> {
        let (Some(declared), Some((_, coverage))) = (&self.coverage, upload.checksum) else {
            return Ok(());
        };
        if checksums::to_checksum_type(coverage).as_str() == declared {
            return Ok(());
        }
        Err(StoreError::ChecksumTypeMismatch { coverage })
    }

    fn check(&self, checksum: Option<&StoredChecksum>, size: u64) -> Result<(), StoreError> {
        if self.size.is_some_and(|declared| u64::try_from(declared) != Ok(size)) {
            return Err(StoreError::SizeMismatch);
        }
        let Some(declared) = self.declared.algorithm.zip(self.declared.value.as_deref()) else {
            return Ok(());
        };
        let agrees = checksum.is_some_and(|checksum| {
            let value = checksum.value.split('-').next().unwrap_or_default();
            (checksum.algorithm, value) == declared
        });
        if agrees {
            Ok(())
        } else {
            Err(StoreError::ChecksumMismatch { algorithm: declared.0 })
        }
    }
}

/// Returns the segments of the object, with their own checksums if the upload has a checksum algorithm.
fn segments(parts: Vec<PartRecord>, with_checksums: bool) -> Vec<BlobSegment> {
    let segments = parts.into_iter().map(|part| BlobSegment {
        checksum: part.checksum.filter(|_| with_checksums),
        ..part.segment
    });
    segments.collect()
}

/// Removes the suffix `-N` of composite checksums, which a request may contain.
fn strip_part_counts(given: &mut Checksum) {
    let values = [
        &mut given.checksum_crc32,
        &mut given.checksum_crc32c,
        &mut given.checksum_crc64nvme,
        &mut given.checksum_sha1,
        &mut given.checksum_sha256,
    ];
    for value in values.into_iter().flatten() {
        if let Some((checksum, _)) = value.split_once('-') {
            *value = checksum.to_owned();
        }
    }
}

fn part_checksums(parts: &[PartRecord]) -> Vec<&str> {
    parts
        .iter()
        .map(|part| part.checksum.as_ref().map_or("", |checksum| checksum.value.as_str()))
        .collect()
}

fn with_sizes<'a>(values: &[&'a str], parts: &[PartRecord]) -> Vec<(&'a str, u64)> {
    values
        .iter()
        .zip(parts)
        .map(|(value, part)| (*value, part.segment.size))
        .collect()
}

fn multipart_etag(parts: &[PartRecord]) -> String {
    let digests: Vec<u8> = parts
        .iter()
        .filter_map(|part| hex_decode(&part.etag))
        .flatten()
        .collect();
    format!("{}-{}", hex(Md5::checksum(&digests).as_ref()), parts.len())
}
