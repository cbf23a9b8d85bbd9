//! Checksums: computed while the bytes arrive, compared with what the client says, kept and repeated.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};
use s3s::{S3Result, s3_error};

use crate::s3::store::ids::hex;
use crate::s3::store::records::{Algorithm, Coverage, StoredChecksum};

/// What a client says about the bytes that it sends.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) value: Option<String>,
    pub(super) md5: Option<String>,
}

/// Every hash that one upload needs.
pub(super) struct Hashing {
    md5: Md5,
    checksums: ChecksumHasher,
    algorithm: Option<Algorithm>,
}

/// The hashes of the bytes that arrived.
#[derive(Debug)]
pub(super) struct Hashed {
    md5: Vec<u8>,
    /// CRC-64/NVME, which S3 keeps for every upload.
    pub(super) crc64nvme: String,
    pub(super) checksum: Option<StoredChecksum>,
}

impl Hashing {
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        let mut checksums = ChecksumHasher {
            crc64nvme: Some(Crc64Nvme::new()),
            ..ChecksumHasher::default()
        };
        match algorithm {
            Some(Algorithm::Crc32) => checksums.crc32 = Some(Crc32::new()),
            Some(Algorithm::Crc32c) => checksums.crc32c = Some(Crc32c::new()),
            Some(Algorithm::Sha1) => checksums.sha1 = Some(Sha1::new()),
            Some(Algorithm::Sha256) => checksums.sha256 = Some(Sha256::new()),
            Some(Algorithm::Crc64Nvme) | None => {}
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

    pub(super) fn finish(self) -> Hashed {
        let computed = self.checksums.finalize();
        let checksum = self.algorithm.and_then(|algorithm| {
            let value = field(&computed, algorithm)?;
            Some(StoredChecksum {
                algorithm,
                coverage: Coverage::FullObject,
                value,
            })
        });
        let crc64nvme = computed.checksum_crc64nvme.unwrap_or_default();
        Hashed {
            md5: self.md5.finalize().as_ref().to_vec(),
            crc64nvme,
            checksum,
        }
    }
}

impl Hashed {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }

    /// The checksum to keep: the client's choice, or S3's own.
    pub(super) fn kept(&self) -> StoredChecksum {
        self.checksum.clone().unwrap_or_else(|| StoredChecksum {
            algorithm: Algorithm::Crc64Nvme,
            coverage: Coverage::FullObject,
            value: self.crc64nvme.clone(),
        })
    }

    /// Compares with what the client said, in headers or in `trailers`.
    pub(super) fn verify(&self, declared: &Declared, trailers: Option<&HeaderMap>) -> S3Result<()> {
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
        let trailer = trailers.and_then(|trailers| trailers.get(header(computed.algorithm)));
        let trailer = trailer.and_then(|value| value.to_str().ok());
        match declared.value.as_deref().or(trailer) {
            Some(value) if value == computed.value => Ok(()),
            Some(_) => Err(s3_error!(
                BadDigest,
                "The {} you specified did not match the calculated checksum.",
                name(computed.algorithm)
            )),
            None => Err(s3_error!(
                InvalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found."
            )),
        }
    }
}

impl Declared {
    /// Reads what the headers say; more than one checksum, or a malformed one, is refused.
    pub(super) fn new(given: &Checksum, algorithm: Option<&ChecksumAlgorithm>, md5: Option<String>) -> S3Result<Self> {
        if let Some(md5) = &md5
            && STANDARD.decode(md5).map_or(true, |bytes| bytes.len() != 16)
        {
            return Err(s3_error!(InvalidDigest, "The Content-MD5 you specified was invalid."));
        }
        let mut values = ALL.into_iter().filter_map(|one| Some((one, field(given, one)?)));
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
                algorithm: algorithm.map(parse).transpose()?,
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
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        };
        if STANDARD.decode(value).is_ok_and(|bytes| bytes.len() == length) {
            return Ok(());
        }
        Err(s3_error!(
            InvalidRequest,
            "Value for {} header is invalid.",
            header(algorithm)
        ))
    }
}

const ALL: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

/// The algorithm of a request.
pub(super) fn parse(algorithm: &ChecksumAlgorithm) -> S3Result<Algorithm> {
    let found = ALL
        .into_iter()
        .find(|one| name(*one).eq_ignore_ascii_case(algorithm.as_str()));
    found.ok_or_else(|| s3_error!(InvalidRequest, "Checksum algorithm provided is unsupported."))
}

/// The algorithm as S3 spells it.
pub(super) fn name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "CRC32",
        Algorithm::Crc32c => "CRC32C",
        Algorithm::Crc64Nvme => "CRC64NVME",
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
    }
}

fn header(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "x-amz-checksum-crc32",
        Algorithm::Crc32c => "x-amz-checksum-crc32c",
        Algorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        Algorithm::Sha1 => "x-amz-checksum-sha1",
        Algorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

fn field(checksum: &Checksum, algorithm: Algorithm) -> Option<String> {
    match algorithm {
        Algorithm::Crc32 => checksum.checksum_crc32.clone(),
        Algorithm::Crc32c => checksum.checksum_crc32c.clone(),
        Algorithm::Crc64Nvme => checksum.checksum_crc64nvme.clone(),
        Algorithm::Sha1 => checksum.checksum_sha1.clone(),
        Algorithm::Sha256 => checksum.checksum_sha256.clone(),
    }
}

/// The coverage as S3 spells it.
pub(super) fn coverage_type(coverage: Coverage) -> ChecksumType {
    ChecksumType::from_static(match coverage {
        Coverage::FullObject => ChecksumType::FULL_OBJECT,
        Coverage::Composite => ChecksumType::COMPOSITE,
    })
}

/// A stored checksum in the fields of an answer.
pub(super) fn told(stored: Option<&StoredChecksum>) -> Checksum {
    let mut told = Checksum::default();
    let Some(stored) = stored else { return told };
    let value = Some(stored.value.clone());
    match stored.algorithm {
        Algorithm::Crc32 => told.checksum_crc32 = value,
        Algorithm::Crc32c => told.checksum_crc32c = value,
        Algorithm::Crc64Nvme => told.checksum_crc64nvme = value,
        Algorithm::Sha1 => told.checksum_sha1 = value,
        Algorithm::Sha256 => told.checksum_sha256 = value,
    }
    told.checksum_type = Some(coverage_type(stored.coverage));
    told
}

/// The checksum over the checksums of parts.
pub(super) fn composite(algorithm: Algorithm, parts: &[&str]) -> Option<StoredChecksum> {
    let bytes = parts
        .iter()
        .map(|value| STANDARD.decode(value))
        .collect::<Result<Vec<_>, _>>()
        .ok()?
        .concat();
    let mut hashing = Hashing::new(Some(algorithm));
    hashing.update(&bytes);
    let hashed = hashing.finish();
    let value = match algorithm {
        Algorithm::Crc64Nvme => hashed.crc64nvme,
        _ => hashed.checksum?.value,
    };
    Some(StoredChecksum {
        algorithm,
        coverage: Coverage::Composite,
        value: format!("{value}-{}", parts.len()),
    })
}

/// The checksum over all bytes, from those of parts and their sizes: only cyclic codes can be joined.
pub(super) fn joined(algorithm: Algorithm, parts: &[(&str, u64)]) -> Option<StoredChecksum> {
    let (code, width) = match algorithm {
        Algorithm::Crc32 => (CrcAlgorithm::Crc32IsoHdlc, 4),
        Algorithm::Crc32c => (CrcAlgorithm::Crc32Iscsi, 4),
        Algorithm::Crc64Nvme => (CrcAlgorithm::Crc64Nvme, 8),
        Algorithm::Sha1 | Algorithm::Sha256 => return None,
    };
    let numbers = parts
        .iter()
        .map(|(value, size)| Some((number(value)?, *size)))
        .collect::<Option<Vec<_>>>()?;
    let all = numbers
        .into_iter()
        .reduce(|(all, length), (next, size)| (crc_fast::checksum_combine(code, all, next, size), length + size))?;
    let value = STANDARD.encode(&all.0.to_be_bytes()[8 - width..]);
    Some(StoredChecksum {
        algorithm,
        coverage: Coverage::FullObject,
        value,
    })
}

fn number(value: &str) -> Option<u64> {
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
    fn joined_checksums_of_parts_are_those_of_the_whole() {
        let whole: Vec<u8> = (0..100_000_u32)
            .map(|n| u8::try_from(n % 251).expect("below 256"))
            .collect();
        let (first, second) = whole.split_at(70_001);
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let of = |bytes: &[u8]| {
                let mut hashing = Hashing::new(Some(algorithm));
                hashing.update(bytes);
                hashing.finish().kept().value
            };
            let (a, b) = (of(first), of(second));
            let all = joined(algorithm, &[(&a, first.len() as u64), (&b, second.len() as u64)]);
            assert_eq!(all.map(|all| all.value), Some(of(&whole)), "{algorithm:?}");
        }
    }
}
