//! Checksums: computed while a body is received, compared with the client's values, stored and returned.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, s3_error};

use crate::s3::store::ids::hex_encode;
use crate::s3::store::records::{ChecksumCoverage, DigestAlgorithm, StoredChecksum};

/// Copies the five checksum fields of a request of `s3s`.
macro_rules! given_checksums {
    ($request:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $request.checksum_crc32.clone(),
            checksum_crc32c: $request.checksum_crc32c.clone(),
            checksum_crc64nvme: $request.checksum_crc64nvme.clone(),
            checksum_sha1: $request.checksum_sha1.clone(),
            checksum_sha256: $request.checksum_sha256.clone(),
            checksum_type: None,
        }
    };
}

pub(super) use given_checksums;

/// The checksums that a client declares for a body.
#[derive(Debug, Default)]
pub(super) struct DeclaredChecksums {
    pub(super) algorithm: Option<DigestAlgorithm>,
    pub(super) value: Option<String>,
    pub(super) md5: Option<String>,
}

/// Computes all hashes of one body.
pub(super) struct BodyHasher {
    md5: Md5,
    checksums: ChecksumHasher,
    algorithm: Option<DigestAlgorithm>,
}

/// The hashes of a received body.
#[derive(Debug)]
pub(super) struct BodyHashes {
    md5: Vec<u8>,
    /// CRC-64/NVME, which S3 stores for every upload.
    pub(super) crc64nvme: String,
    pub(super) checksum: Option<StoredChecksum>,
}

impl BodyHasher {
    pub(super) fn new(algorithm: Option<DigestAlgorithm>) -> Self {
        let mut checksums = ChecksumHasher {
            crc64nvme: Some(Crc64Nvme::new()),
            ..ChecksumHasher::default()
        };
        match algorithm {
            Some(DigestAlgorithm::Crc32) => checksums.crc32 = Some(Crc32::new()),
            Some(DigestAlgorithm::Crc32c) => checksums.crc32c = Some(Crc32c::new()),
            Some(DigestAlgorithm::Sha1) => checksums.sha1 = Some(Sha1::new()),
            Some(DigestAlgorithm::Sha256) => checksums.sha256 = Some(Sha256::new()),
            Some(DigestAlgorithm::Crc64Nvme) | None => {}
        }
        Self {
            md5: Md5::new(),
            checksums,
            algorithm,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksums.update(bytes);
    }

    pub(super) fn finish(self) -> BodyHashes {
        let computed = self.checksums.finalize();
        let checksum = self.algorithm.and_then(|algorithm| {
            let value = checksum_value(&computed, algorithm)?;
            Some(StoredChecksum {
                algorithm,
                coverage: ChecksumCoverage::FullObject,
                value,
            })
        });
        let crc64nvme = computed.checksum_crc64nvme.unwrap_or_default();
        BodyHashes {
            md5: self.md5.finalize().as_ref().to_vec(),
            crc64nvme,
            checksum,
        }
    }
}

impl BodyHashes {
    pub(super) fn etag(&self) -> String {
        hex_encode(&self.md5)
    }

    /// Returns the checksum to store: with the client's algorithm, or CRC-64/NVME by default.
    pub(super) fn stored_checksum(&self) -> StoredChecksum {
        self.checksum.clone().unwrap_or_else(|| StoredChecksum {
            algorithm: DigestAlgorithm::Crc64Nvme,
            coverage: ChecksumCoverage::FullObject,
            value: self.crc64nvme.clone(),
        })
    }

    /// Compares the hashes with the client's values in headers or `trailers`.
    pub(super) fn verify(&self, declared: &DeclaredChecksums, trailers: Option<&HeaderMap>) -> S3Result<()> {
        if let Some(md5) = &declared.md5
            && *md5 != STANDARD.encode(&self.md5)
        {
            return Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            ));
        }
        let (Some(computed), Some(_)) = (&self.checksum, declared.algorithm) else {
            return Ok(());
        };
        let trailer = trailers.and_then(|trailers| trailers.get(checksum_header(computed.algorithm)));
        let trailer = trailer.and_then(|value| value.to_str().ok());
        match declared.value.as_deref().or(trailer) {
            Some(value) if value == computed.value => Ok(()),
            Some(_) => Err(s3_error!(
                BadDigest,
                "The {} you specified did not match the calculated checksum.",
                algorithm_name(computed.algorithm)
            )),
            None => Err(s3_error!(
                InvalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found."
            )),
        }
    }
}

impl DeclaredChecksums {
    /// Parses the declared checksums. Rejects malformed values and more than one checksum.
    pub(super) fn new(given: &Checksum, algorithm: Option<&ChecksumAlgorithm>, md5: Option<String>) -> S3Result<Self> {
        if let Some(md5) = &md5
            && STANDARD.decode(md5).map_or(true, |bytes| bytes.len() != 16)
        {
            return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."));
        }
        let mut values = ALL_ALGORITHMS
            .into_iter()
            .filter_map(|one| Some((one, checksum_value(given, one)?)));
        let declared = match (values.next(), values.next()) {
            (Some(_), Some(_)) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                ));
            }
            (Some((algorithm, value)), None) => Self {
                algorithm: Some(algorithm),
                value: Some(value),
                md5,
            },
            (None, _) => Self {
                algorithm: algorithm.map(parse_algorithm).transpose()?,
                value: None,
                md5,
            },
        };
        declared.check_length()?;
        Ok(declared)
    }

    fn check_length(&self) -> S3Result<()> {
        let (Some(algorithm), Some(value)) = (self.algorithm, &self.value) else {
            return Ok(());
        };
        let length = match algorithm {
            DigestAlgorithm::Crc32 | DigestAlgorithm::Crc32c => 4,
            DigestAlgorithm::Crc64Nvme => 8,
            DigestAlgorithm::Sha1 => 20,
            DigestAlgorithm::Sha256 => 32,
        };
        if STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == length) {
            return Ok(());
        }
        Err(s3_error!(
            InvalidRequest,
            "Value for {} header is invalid.",
            checksum_header(algorithm)
        ))
    }
}

const ALL_ALGORITHMS: [DigestAlgorithm; 5] = [
    DigestAlgorithm::Crc32,
    DigestAlgorithm::Crc32c,
    DigestAlgorithm::Crc64Nvme,
    DigestAlgorithm::Sha1,
    DigestAlgorithm::Sha256,
];

/// Parses the algorithm of a request.
pub(super) fn parse_algorithm(algorithm: &ChecksumAlgorithm) -> S3Result<DigestAlgorithm> {
    let known = ALL_ALGORITHMS
        .into_iter()
        .find(|one| algorithm_name(*one).eq_ignore_ascii_case(algorithm.as_str()));
    known.ok_or_else(|| s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported."))
}

/// Returns the name of the algorithm in S3.
pub(super) fn algorithm_name(algorithm: DigestAlgorithm) -> &'static str {
    match algorithm {
        DigestAlgorithm::Crc32 => "CRC32",
        DigestAlgorithm::Crc32c => "CRC32C",
        DigestAlgorithm::Crc64Nvme => "CRC64NVME",
        DigestAlgorithm::Sha1 => "SHA1",
        DigestAlgorithm::Sha256 => "SHA256",
    }
}

fn checksum_header(algorithm: DigestAlgorithm) -> &'static str {
    match algorithm {
        DigestAlgorithm::Crc32 => "x-amz-checksum-crc32",
        DigestAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        DigestAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        DigestAlgorithm::Sha1 => "x-amz-checksum-sha1",
        DigestAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

fn checksum_value(checksum: &Checksum, algorithm: DigestAlgorithm) -> Option<String> {
    match algorithm {
        DigestAlgorithm::Crc32 => checksum.checksum_crc32.clone(),
        DigestAlgorithm::Crc32c => checksum.checksum_crc32c.clone(),
        DigestAlgorithm::Crc64Nvme => checksum.checksum_crc64nvme.clone(),
        DigestAlgorithm::Sha1 => checksum.checksum_sha1.clone(),
        DigestAlgorithm::Sha256 => checksum.checksum_sha256.clone(),
    }
}

/// Returns the checksum type of S3.
pub(super) fn to_checksum_type(coverage: ChecksumCoverage) -> ChecksumType {
    ChecksumType::from_static(match coverage {
        ChecksumCoverage::FullObject => ChecksumType::FULL_OBJECT,
        ChecksumCoverage::Composite => ChecksumType::COMPOSITE,
    })
}

/// Converts a stored checksum to the fields of a response.
pub(super) fn to_s3_checksum(stored: Option<&StoredChecksum>) -> Checksum {
    let mut checksum = Checksum::default();
    let Some(stored) = stored else { return checksum };
    let value = Some(stored.value.clone());
    match stored.algorithm {
        DigestAlgorithm::Crc32 => checksum.checksum_crc32 = value,
        DigestAlgorithm::Crc32c => checksum.checksum_crc32c = value,
        DigestAlgorithm::Crc64Nvme => checksum.checksum_crc64nvme = value,
        DigestAlgorithm::Sha1 => checksum.checksum_sha1 = value,
        DigestAlgorithm::Sha256 => checksum.checksum_sha256 = value,
    }
    checksum.checksum_type = Some(to_checksum_type(stored.coverage));
    checksum
}

/// Computes the checksum over the checksums of parts.
pub(super) fn composite_checksum(algorithm: DigestAlgorithm, parts: &[&str]) -> Option<StoredChecksum> {
    let bytes = parts
        .iter()
        .map(|value| STANDARD.decode(value))
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .concat();
    let mut hasher = BodyHasher::new(Some(algorithm));
    hasher.update(&bytes);
    let body_hashes = hasher.finish();
    let value = match algorithm {
        DigestAlgorithm::Crc64Nvme => body_hashes.crc64nvme,
        _ => body_hashes.checksum?.value,
    };
    Some(StoredChecksum {
        algorithm,
        coverage: ChecksumCoverage::Composite,
        value: format!("{value}-{}", parts.len()),
    })
}

/// Combines the checksums of parts into the checksum of the object. This is only possible for CRCs.
pub(super) fn combine_checksums(algorithm: DigestAlgorithm, parts: &[(&str, u64)]) -> Option<StoredChecksum> {
    let (code, width) = match algorithm {
        DigestAlgorithm::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
        DigestAlgorithm::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        DigestAlgorithm::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        DigestAlgorithm::Sha1 | DigestAlgorithm::Sha256 => return None,
    };
    let numbers = parts
        .iter()
        .map(|(value, size)| Some((crc_value(value)?, *size)))
        .collect::<Option<Vec<_>>>()?;
    let all = numbers
        .into_iter()
        .reduce(|(all, length), (next, size)| (crc_fast::checksum_combine(code, all, next, size), length + size))?;
    let value = STANDARD.encode(&all.0.to_be_bytes()[8 - width..]);
    Some(StoredChecksum {
        algorithm,
        coverage: ChecksumCoverage::FullObject,
        value,
    })
}

fn crc_value(value: &str) -> Option<u64> {
    let bytes = STANDARD.decode(value).ok()?;
    Some(
        bytes
            .into_iter()
            .fold(0, |number, byte| (number << 8) | u64::from(byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combined_part_checksums_equal_the_object_checksum() {
        let object_bytes: Vec<u8> = (0..100_000_u32)
            .map(|n| u8::try_from(n % 251).expect("below 256"))
            .collect();
        let (first, second) = object_bytes.split_at(70_001);
        for algorithm in [
            DigestAlgorithm::Crc32,
            DigestAlgorithm::Crc32c,
            DigestAlgorithm::Crc64Nvme,
        ] {
            let checksum_of = |bytes: &[u8]| {
                let mut hasher = BodyHasher::new(Some(algorithm));
                hasher.update(bytes);
                hasher.finish().stored_checksum().value
            };
            let (a, b) = (checksum_of(first), checksum_of(second));
            let all = combine_checksums(algorithm, &[(&a, first.len() as u64), (&b, second.len() as u64)]);
            assert_eq!(
                all.map(|all| all.value),
                Some(checksum_of(&object_bytes)),
                "{algorithm:?}"
            );
        }
    }
}
