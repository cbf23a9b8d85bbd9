//! Checksums in S3's notation: of the parts of a file, and of the whole object, combined from its parts.

use std::fmt;
use std::hash::Hasher as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha256, Sha512};
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

use crate::part_layout::Part;

/// The algorithms that the command computes ([Checking object
/// integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html)).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChecksumAlgorithm {
    Crc64Nvme,
    Crc32c,
    Crc32,
    Sha256,
    Sha512,
    Sha1,
    Md5,
    Xxhash128,
    Xxhash3,
    Xxhash64,
}

/// A checksum, encoded in base64 as in S3's headers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct ContentChecksum {
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) value: String,
}

/// An incremental checksum computation.
pub(crate) struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: HashState,
}

enum HashState {
    Crc(crc_fast::Digest),
    Digest(Box<dyn DynDigest + Send>),
    Xxhash64(XxHash64),
    Xxhash3(XxHash3_64),
    Xxhash128(XxHash3_128),
}

impl ChecksumAlgorithm {
    /// All algorithms, in order of preference.
    const ALL: [Self; 10] = [
        Self::Crc64Nvme,
        Self::Crc32c,
        Self::Crc32,
        Self::Sha256,
        Self::Sha512,
        Self::Sha1,
        Self::Md5,
        Self::Xxhash128,
        Self::Xxhash3,
        Self::Xxhash64,
    ];

    /// The suffix of the `x-amz-checksum-` header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
            Self::Xxhash128 => "xxhash128",
            Self::Xxhash3 => "xxhash3",
            Self::Xxhash64 => "xxhash64",
        }
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            _ => None,
        }
    }

    /// Returns true if the checksum of an object can be combined from the checksums of its parts.
    pub(crate) const fn is_combinable(self) -> bool {
        self.crc().is_some()
    }

    pub(crate) fn hasher(self) -> ChecksumHasher {
        ChecksumHasher {
            algorithm: self,
            state: match self {
                Self::Crc64Nvme => HashState::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
                Self::Crc32c => HashState::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
                Self::Crc32 => HashState::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
                Self::Sha256 => HashState::Digest(Box::new(Sha256::default())),
                Self::Sha512 => HashState::Digest(Box::new(Sha512::default())),
                Self::Sha1 => HashState::Digest(Box::new(Sha1::default())),
                Self::Md5 => HashState::Digest(Box::new(Md5::default())),
                Self::Xxhash128 => HashState::Xxhash128(XxHash3_128::new()),
                Self::Xxhash3 => HashState::Xxhash3(XxHash3_64::new()),
                Self::Xxhash64 => HashState::Xxhash64(XxHash64::default()),
            },
        }
    }
}

impl ContentChecksum {
    /// The checksum of the whole object from the headers of an S3 response, if the algorithm is supported.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        ChecksumAlgorithm::ALL.into_iter().find_map(|algorithm| {
            let value = headers
                .get(format!("x-amz-checksum-{}", algorithm.name()))?
                .to_str()
                .ok()?;
            // The checksum of a multipart object can be a checksum of part checksums. Its value ends in `-` and the
            // number of parts.
            let covers_the_object = !value.contains('-');
            covers_the_object.then(|| Self {
                algorithm,
                value: value.to_owned(),
            })
        })
    }

    /// Returns the checksum of these bytes followed by `len` bytes with the checksum `next`. Returns `None` if the
    /// algorithm does not support this or a value is malformed.
    pub(crate) fn combine(&self, next: &Self, len: u64) -> Option<Self> {
        let crc = self.algorithm.crc().filter(|_| self.algorithm == next.algorithm)?;
        let combine_checksums = crc_fast::checksum_combine(crc, self.crc()?, next.crc()?, len);
        Some(Self {
            algorithm: self.algorithm,
            value: encode_crc(self.algorithm, combine_checksums),
        })
    }

    fn crc(&self) -> Option<u64> {
        let bytes = STANDARD.decode(&self.value).ok()?;
        (bytes.len() == crc_len(self.algorithm)).then(|| bytes.iter().fold(0, |crc, byte| crc << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for ContentChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.value)
    }
}

impl ChecksumHasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HashState::Crc(crc) => crc.update(bytes),
            HashState::Digest(digest) => digest.update(bytes),
            HashState::Xxhash64(hasher) => hasher.write(bytes),
            HashState::Xxhash3(hasher) => hasher.write(bytes),
            HashState::Xxhash128(hasher) => hasher.write(bytes),
        }
    }

    pub(crate) fn finish(self) -> ContentChecksum {
        let algorithm = self.algorithm;
        // S3 encodes numbers in network byte order, like the checksum library of the AWS SDKs.
        let value = match self.state {
            HashState::Crc(crc) => encode_crc(algorithm, crc.finalize()),
            HashState::Digest(digest) => STANDARD.encode(digest.finalize()),
            HashState::Xxhash64(hasher) => STANDARD.encode(hasher.finish().to_be_bytes()),
            HashState::Xxhash3(hasher) => STANDARD.encode(hasher.finish().to_be_bytes()),
            HashState::Xxhash128(hasher) => STANDARD.encode(hasher.finish_128().to_be_bytes()),
        };
        ContentChecksum { algorithm, value }
    }
}

fn encode_crc(algorithm: ChecksumAlgorithm, crc: u64) -> String {
    STANDARD.encode(&crc.to_be_bytes()[8 - crc_len(algorithm)..])
}

/// The length of a CRC in bytes.
fn crc_len(algorithm: ChecksumAlgorithm) -> usize {
    if algorithm == ChecksumAlgorithm::Crc64Nvme {
        8
    } else {
        4
    }
}

/// Combines the checksums of the parts, in order, to the checksum of the object.
pub(crate) fn combine_checksums<'a>(
    mut parts: impl Iterator<Item = (Part, &'a ContentChecksum)>,
) -> Option<ContentChecksum> {
    let (_, first) = parts.next()?;
    parts.try_fold(first.clone(), |whole, (part, next)| whole.combine(next, part.len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum of bytes that are hashed in two steps.
    fn checksum_of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> String {
        let mut hasher = algorithm.hasher();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        hasher.update(first);
        hasher.update(second);
        hasher.finish().value
    }

    #[test]
    fn checksums_match_published_test_vectors() {
        for (algorithm, value) in [
            (
                ChecksumAlgorithm::Crc64Nvme,
                STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes()),
            ),
            (ChecksumAlgorithm::Crc32, STANDARD.encode(0xcbf4_3926_u32.to_be_bytes())),
            (
                ChecksumAlgorithm::Crc32c,
                STANDARD.encode(0xe306_9283_u32.to_be_bytes()),
            ),
            (
                ChecksumAlgorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=".to_owned(),
            ),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE=".to_owned()),
            (ChecksumAlgorithm::Md5, "JfnnlDI7RTiF9RgfG2JNCw==".to_owned()),
            (
                ChecksumAlgorithm::Sha512,
                "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==".to_owned(),
            ),
        ] {
            assert_eq!(checksum_of(algorithm, b"123456789"), value, "{}", algorithm.name());
        }
        // The vectors of the checksum library that the AWS SDKs use.
        for (algorithm, value) in [
            (
                ChecksumAlgorithm::Xxhash64,
                0xc500_b0c9_12b3_76d8_u64.to_be_bytes().to_vec(),
            ),
            (
                ChecksumAlgorithm::Xxhash3,
                0xb6ac_b9d8_4a38_ff74_u64.to_be_bytes().to_vec(),
            ),
            (
                ChecksumAlgorithm::Xxhash128,
                0x7351_f898_12f9_7382_b91d_05b3_1e04_dd7f_u128.to_be_bytes().to_vec(),
            ),
        ] {
            assert_eq!(
                checksum_of(algorithm, b"Hello world"),
                STANDARD.encode(value),
                "{}",
                algorithm.name()
            );
        }
    }

    #[test]
    fn every_algorithm_is_found_in_the_headers_of_an_object() {
        for algorithm in ChecksumAlgorithm::ALL {
            let expected = algorithm.hasher().finish();
            let mut headers = HeaderMap::new();
            let name = format!("x-amz-checksum-{}", algorithm.name());
            headers.insert(
                reqwest::header::HeaderName::try_from(name).unwrap(),
                expected.value.parse().unwrap(),
            );
            assert_eq!(ContentChecksum::from_headers(&headers), Some(expected));
        }
    }

    #[test]
    fn part_checksums_combine_to_the_object_checksum() {
        let of = |algorithm: ChecksumAlgorithm, bytes: &[u8]| {
            let mut hasher = algorithm.hasher();
            hasher.update(bytes);
            hasher.finish()
        };
        for algorithm in ChecksumAlgorithm::ALL {
            let combine_checksums = of(algorithm, b"1234").combine(&of(algorithm, b"56789"), 5);
            assert_eq!(
                combine_checksums,
                algorithm.is_combinable().then(|| of(algorithm, b"123456789"))
            );
        }
        let torn = ContentChecksum {
            algorithm: ChecksumAlgorithm::Crc32,
            value: "AAA=".into(),
        };
        assert_eq!(of(ChecksumAlgorithm::Crc32, b"1").combine(&torn, 1), None);
    }

    #[test]
    fn a_checksum_of_part_checksums_is_ignored() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-sha256", "AAAA-2".parse().unwrap());
        assert_eq!(ContentChecksum::from_headers(&headers), None);
        headers.insert("x-amz-checksum-crc32", "AAAAAA==".parse().unwrap());
        assert_eq!(
            ContentChecksum::from_headers(&headers).unwrap().to_string(),
            "crc32:AAAAAA=="
        );
    }
}
