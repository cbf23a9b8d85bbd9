//! Makes one object of the parts that a completing request names.

use s3s::S3Result;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::{Checksum, CompleteMultipartUploadInput};

use super::checksums::{self, Declared};
use crate::s3::store::ids::{hex, unhex};
use crate::s3::store::records::{Algorithm, Coverage, Object, Part, StoredChecksum, Upload};
use crate::s3::store::{NamedPart, StoreError};

/// What the completing request says about the whole.
pub(super) struct Promises {
    declared: Declared,
    size: Option<i64>,
}

impl Promises {
    pub(super) fn of(input: &CompleteMultipartUploadInput) -> S3Result<Self> {
        let mut given = Checksum {
            checksum_crc32: input.checksum_crc32.clone(),
            checksum_crc32c: input.checksum_crc32c.clone(),
            checksum_crc64nvme: input.checksum_crc64nvme.clone(),
            checksum_sha1: input.checksum_sha1.clone(),
            checksum_sha256: input.checksum_sha256.clone(),
            checksum_type: None,
        };
        strip_counts(&mut given);
        Ok(Self {
            declared: Declared::new(&given, None, None)?,
            size: input.mpu_object_size,
        })
    }

    /// The object of these parts, whose order and `ETag`s the store has checked.
    pub(super) fn assemble(
        &self,
        upload: &Upload,
        named: &[NamedPart],
        parts: Vec<Part>,
    ) -> Result<Object, StoreError> {
        let checksum = match upload.checksum {
            Some((algorithm, Coverage::Composite)) => {
                if named.iter().any(|part| part.checksum.is_none()) {
                    return Err(StoreError::PartChecksums);
                }
                checksums::composite(algorithm, &values(&parts))
            }
            Some((algorithm, Coverage::FullObject)) => checksums::joined(algorithm, &sized(&values(&parts), &parts)),
            None => {
                let own: Vec<_> = parts.iter().map(|part| part.crc64nvme.as_str()).collect();
                checksums::joined(Algorithm::Crc64Nvme, &sized(&own, &parts))
            }
        };
        let size = parts.iter().map(|part| part.segment.size).sum();
        self.check(checksum.as_ref(), size)?;
        Ok(Object {
            size,
            etag: etag(&parts),
            checksum,
            multipart: true,
            description: upload.description.clone(),
            segments: parts.into_iter().map(|part| part.segment).collect(),
        })
    }

    fn check(&self, checksum: Option<&StoredChecksum>, size: u64) -> Result<(), StoreError> {
        if self.size.is_some_and(|promised| u64::try_from(promised) != Ok(size)) {
            return Err(StoreError::SizeDiffers);
        }
        let Some(promised) = self.declared.algorithm.zip(self.declared.value.as_deref()) else {
            return Ok(());
        };
        let agrees = checksum.is_some_and(|checksum| {
            let value = checksum.value.split('-').next().unwrap_or_default();
            (checksum.algorithm, value) == promised
        });
        if agrees {
            Ok(())
        } else {
            Err(StoreError::ChecksumDiffers)
        }
    }
}

/// A composite checksum may be given with its `-N`.
fn strip_counts(given: &mut Checksum) {
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

fn values(parts: &[Part]) -> Vec<&str> {
    parts
        .iter()
        .map(|part| part.checksum.as_ref().map_or("", |checksum| checksum.value.as_str()))
        .collect()
}

fn sized<'a>(values: &[&'a str], parts: &[Part]) -> Vec<(&'a str, u64)> {
    values
        .iter()
        .zip(parts)
        .map(|(value, part)| (*value, part.segment.size))
        .collect()
}

fn etag(parts: &[Part]) -> String {
    let digests: Vec<u8> = parts.iter().filter_map(|part| unhex(&part.etag)).flatten().collect();
    format!("{}-{}", hex(Md5::checksum(&digests).as_ref()), parts.len())
}
