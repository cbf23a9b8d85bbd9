//! The checksum algorithms of S3.

use s3s::crypto::{Checksum as _, Crc32, Crc32c, Sha1, Sha256};
use s3s::dto::ChecksumAlgorithm;
use s3s::{S3Result, s3_error};
use sha2::{Digest as _, Sha512};
use twox_hash::{XxHash64, xxhash3_64, xxhash3_128};

use crate::s3::store::records::DigestAlgorithm;

/// All algorithms, in the order of their names in AWS's errors.
pub(super) const ALL_ALGORITHMS: [DigestAlgorithm; 10] = [
    DigestAlgorithm::Crc32,
    DigestAlgorithm::Crc32c,
    DigestAlgorithm::Crc64Nvme,
    DigestAlgorithm::Sha1,
    DigestAlgorithm::Sha256,
    DigestAlgorithm::Sha512,
    DigestAlgorithm::Md5,
    DigestAlgorithm::XxHash64,
    DigestAlgorithm::XxHash3,
    DigestAlgorithm::XxHash128,
];

/// Computes one checksum. MD5 and CRC-64/NVME are computed for every body, so they are not here.
pub(super) enum DigestHasher {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    XxHash64(XxHash64),
    XxHash3(xxhash3_64::Hasher),
    XxHash128(xxhash3_128::Hasher),
}

impl DigestHasher {
    pub(super) fn new(algorithm: DigestAlgorithm) -> Option<Self> {
        Some(match algorithm {
            DigestAlgorithm::Crc32 => Self::Crc32(Crc32::new()),
            DigestAlgorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            DigestAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            DigestAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            DigestAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
            DigestAlgorithm::XxHash64 => Self::XxHash64(XxHash64::with_seed(0)),
            DigestAlgorithm::XxHash3 => Self::XxHash3(xxhash3_64::Hasher::new()),
            DigestAlgorithm::XxHash128 => Self::XxHash128(xxhash3_128::Hasher::new()),
            DigestAlgorithm::Crc64Nvme | DigestAlgorithm::Md5 => return None,
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
            Self::XxHash64(hasher) => std::hash::Hasher::write(hasher, bytes),
            Self::XxHash3(hasher) => std::hash::Hasher::write(hasher, bytes),
            Self::XxHash128(hasher) => hasher.write(bytes),
        }
    }

    /// Returns the digest, with the most significant byte first.
    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_vec(),
            Self::Crc32c(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
            Self::XxHash64(hasher) => std::hash::Hasher::finish(&hasher).to_be_bytes().to_vec(),
            Self::XxHash3(hasher) => std::hash::Hasher::finish(&hasher).to_be_bytes().to_vec(),
            Self::XxHash128(hasher) => hasher.finish_128().to_be_bytes().to_vec(),
        }
    }
}

/// Parses the algorithm of a request.
pub(super) fn parse_algorithm(algorithm: &ChecksumAlgorithm) -> S3Result<DigestAlgorithm> {
    let known = ALL_ALGORITHMS
        .into_iter()
        .find(|one| algorithm_name(*one).eq_ignore_ascii_case(algorithm.as_str()));
    known.ok_or_else(|| {
        s3_error!(
            InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             CRC64NVME, SHA1, SHA256]"
        )
    })
}

/// Returns the name of the algorithm in S3.
pub(super) fn algorithm_name(algorithm: DigestAlgorithm) -> &'static str {
    match algorithm {
        DigestAlgorithm::Crc32 => "CRC32",
        DigestAlgorithm::Crc32c => "CRC32C",
        DigestAlgorithm::Crc64Nvme => "CRC64NVME",
        DigestAlgorithm::Sha1 => "SHA1",
        DigestAlgorithm::Sha256 => "SHA256",
        DigestAlgorithm::Sha512 => "SHA512",
        DigestAlgorithm::Md5 => "MD5",
        DigestAlgorithm::XxHash64 => "XXHASH64",
        DigestAlgorithm::XxHash3 => "XXHASH3",
        DigestAlgorithm::XxHash128 => "XXHASH128",
    }
}

/// Returns the name of the header that contains the checksum.
pub(super) fn checksum_header(algorithm: DigestAlgorithm) -> &'static str {
    match algorithm {
        DigestAlgorithm::Crc32 => "x-amz-checksum-crc32",
        DigestAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        DigestAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        DigestAlgorithm::Sha1 => "x-amz-checksum-sha1",
        DigestAlgorithm::Sha256 => "x-amz-checksum-sha256",
        DigestAlgorithm::Sha512 => "x-amz-checksum-sha512",
        DigestAlgorithm::Md5 => "x-amz-checksum-md5",
        DigestAlgorithm::XxHash64 => "x-amz-checksum-xxhash64",
        DigestAlgorithm::XxHash3 => "x-amz-checksum-xxhash3",
        DigestAlgorithm::XxHash128 => "x-amz-checksum-xxhash128",
    }
}

/// Returns the number of bytes of a digest.
pub(super) fn digest_length(algorithm: DigestAlgorithm) -> usize {
    match algorithm {
        DigestAlgorithm::Crc32 | DigestAlgorithm::Crc32c => 4,
        DigestAlgorithm::Crc64Nvme | DigestAlgorithm::XxHash64 | DigestAlgorithm::XxHash3 => 8,
        DigestAlgorithm::Md5 | DigestAlgorithm::XxHash128 => 16,
        DigestAlgorithm::Sha1 => 20,
        DigestAlgorithm::Sha256 => 32,
        DigestAlgorithm::Sha512 => 64,
    }
}
