//! Checksums: computed while a body is received, compared with the client's values, stored and returned.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::crypto::{Checksum as _, Crc64Nvme, Md5, Sha256};
use s3s::dto::{Checksum, ChecksumType};
use s3s::{S3Error, S3Request, S3Result, s3_error};
use signpost::encoding::hex;

use super::digests::{ALL_ALGORITHMS, DigestHasher, algorithm_name, checksum_header, digest_length};
use super::s3_errors;
use crate::s3::error_report;
use crate::s3::request_body::SignedPayloadHash;
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
    /// The SHA-256 hash that the client signed, in hexadecimal.
    payload_hash: Option<String>,
}

/// Computes all hashes of one body.
pub(super) struct BodyHasher {
    md5: Md5,
    crc64nvme: Crc64Nvme,
    other: Option<DigestHasher>,
    payload: Option<Sha256>,
    algorithm: Option<DigestAlgorithm>,
}

/// The hashes of a received body.
#[derive(Debug)]
pub(super) struct BodyHashes {
    md5: Vec<u8>,
    /// CRC-64/NVME, which S3 stores for every upload.
    pub(super) crc64nvme: String,
    pub(super) checksum: Option<StoredChecksum>,
    payload_hash: Option<String>,
}

impl BodyHasher {
    pub(super) fn new(algorithm: Option<DigestAlgorithm>) -> Self {
        Self {
            md5: Md5::new(),
            crc64nvme: Crc64Nvme::new(),
            other: algorithm.and_then(DigestHasher::new),
            payload: None,
            algorithm,
        }
    }

    /// Also computes the hash that the client signed, if there is one.
    pub(super) fn with_payload_hash(mut self, declared: &DeclaredChecksums) -> Self {
        self.payload = declared.payload_hash.as_ref().map(|_| Sha256::new());
        self
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc64nvme.update(bytes);
        if let Some(other) = &mut self.other {
            other.update(bytes);
        }
        if let Some(payload) = &mut self.payload {
            payload.update(bytes);
        }
    }

    pub(super) fn finish(self) -> BodyHashes {
        let md5 = self.md5.finalize().as_ref().to_vec();
        let crc64nvme = STANDARD.encode(self.crc64nvme.finalize());
        let other = self.other.map(DigestHasher::finish);
        let checksum = self.algorithm.map(|algorithm| StoredChecksum {
            algorithm,
            coverage: ChecksumCoverage::FullObject,
            value: match algorithm {
                DigestAlgorithm::Crc64Nvme => crc64nvme.clone(),
                DigestAlgorithm::Md5 => STANDARD.encode(&md5),
                _ => STANDARD.encode(other.unwrap_or_default()),
            },
        });
        BodyHashes {
            md5,
            crc64nvme,
            checksum,
            payload_hash: self.payload.map(|payload| hex(payload.finalize().as_ref())),
        }
    }
}

impl BodyHashes {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
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
        if declared.payload_hash.is_some() && declared.payload_hash != self.payload_hash {
            return Err(s3_errors::payload_hash_mismatch());
        }
        self.verify_md5(declared)?;
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
            None => Err(missing_checksum()),
        }
    }

    fn verify_md5(&self, declared: &DeclaredChecksums) -> S3Result<()> {
        let calculated = STANDARD.encode(&self.md5);
        let Some(expected) = declared.md5.as_ref().filter(|md5| **md5 != calculated) else {
            return Ok(());
        };
        let expected = STANDARD.decode(expected).map(|bytes| hex(&bytes));
        error_report::report_details([
            ("ExpectedDigest", expected.unwrap_or_default()),
            ("CalculatedDigest", calculated),
        ]);
        Err(s3_error!(
            BadDigest,
            "The Content-MD5 you specified did not match what we received."
        ))
    }
}

impl DeclaredChecksums {
    /// Reads the declared checksums of an upload. Rejects malformed values and more than one checksum.
    pub(super) fn from_upload<T>(request: &S3Request<T>) -> S3Result<Self> {
        let text = |name: &str| Some(request.headers.get(name)?.to_str().ok()?.to_owned());
        let trailer = text("x-amz-trailer").and_then(|name| {
            let mut known = ALL_ALGORITHMS.into_iter();
            known.find(|algorithm| checksum_header(*algorithm) == name)
        });
        let mut declared = Self::from_headers(&request.headers)?;
        if declared.algorithm.is_none() {
            declared.algorithm = trailer;
        }
        if declared.algorithm.is_none() && text("x-amz-sdk-checksum-algorithm").is_some() {
            return Err(missing_checksum());
        }
        let payload_hash = request.extensions.get::<SignedPayloadHash>();
        declared.payload_hash = payload_hash.map(|hash| hash.0.clone());
        Ok(declared)
    }

    /// Reads the checksums in the headers of a request.
    pub(super) fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let text = |name: &str| Some(headers.get(name)?.to_str().unwrap_or_default().to_owned());
        let values = ALL_ALGORITHMS
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, text(checksum_header(algorithm))?)));
        Self::new(values, text("content-md5"))
    }

    /// Reads the checksums that `s3s` has parsed from a document.
    pub(super) fn from_parsed(given: &Checksum) -> S3Result<Self> {
        let values = ALL_ALGORITHMS
            .into_iter()
            .filter_map(|algorithm| Some((algorithm, checksum_value(given, algorithm)?)));
        Self::new(values, None)
    }

    fn new(mut values: impl Iterator<Item = (DigestAlgorithm, String)>, md5: Option<String>) -> S3Result<Self> {
        if let Some(md5) = &md5
            && STANDARD.decode(md5).map_or(true, |bytes| bytes.len() != 16)
        {
            error_report::report_details([("Content-MD5", md5.clone())]);
            return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."));
        }
        let (algorithm, value) = match (values.next(), values.next()) {
            (Some(_), Some(_)) => {
                return Err(s3_error!(
                    InvalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
                ));
            }
            (first, _) => first.unzip(),
        };
        let declared = Self {
            algorithm,
            value,
            md5,
            payload_hash: None,
        };
        declared.check_length()?;
        Ok(declared)
    }

    fn check_length(&self) -> S3Result<()> {
        let (Some(algorithm), Some(value)) = (self.algorithm, &self.value) else {
            return Ok(());
        };
        if STANDARD
            .decode(value)
            .is_ok_and(|bytes| bytes.len() == digest_length(algorithm))
        {
            return Ok(());
        }
        Err(s3_error!(
            InvalidRequest,
            "Value for {} header is invalid.",
            checksum_header(algorithm)
        ))
    }
}

fn missing_checksum() -> S3Error {
    s3_error!(
        InvalidRequest,
        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were \
         found."
    )
}

fn checksum_value(checksum: &Checksum, algorithm: DigestAlgorithm) -> Option<String> {
    match algorithm {
        DigestAlgorithm::Crc32 => checksum.checksum_crc32.clone(),
        DigestAlgorithm::Crc32c => checksum.checksum_crc32c.clone(),
        DigestAlgorithm::Crc64Nvme => checksum.checksum_crc64nvme.clone(),
        DigestAlgorithm::Sha1 => checksum.checksum_sha1.clone(),
        DigestAlgorithm::Sha256 => checksum.checksum_sha256.clone(),
        // `s3s` does not parse the newer ones.
        _ => None,
    }
}

/// Returns the response headers for a stored checksum.
pub(super) fn checksum_headers(stored: Option<&StoredChecksum>, with_type: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(stored) = stored else { return headers };
    if let Ok(value) = HeaderValue::from_str(&stored.value) {
        headers.insert(HeaderName::from_static(checksum_header(stored.algorithm)), value);
    }
    if with_type {
        let coverage = match stored.coverage {
            ChecksumCoverage::FullObject => ChecksumType::FULL_OBJECT,
            ChecksumCoverage::Composite => ChecksumType::COMPOSITE,
        };
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(coverage));
    }
    headers
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
        // The documents of `s3s` do not have the newer ones.
        _ => return checksum,
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
    let value = hasher.finish().checksum?.value;
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
        _ => return None,
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
