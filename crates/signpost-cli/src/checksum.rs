//! Checksums in S3's notation: of the parts of a file, and of the whole object, combined from its parts.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
}

/// A checksum, encoded in base64 as in S3's headers.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct ContentChecksum {
    pub(crate) algorithm: ChecksumAlgorithm,
    pub(crate) value: String,
}

/// An incremental checksum computation.
pub(crate) enum ChecksumHasher {
    Crc(ChecksumAlgorithm, crc_fast::Digest),
    Sha256(Sha256),
}

impl ChecksumAlgorithm {
    /// All algorithms, in order of preference.
    const ALL: [Self; 4] = [Self::Crc64Nvme, Self::Crc32c, Self::Crc32, Self::Sha256];

    /// The suffix of the `x-amz-checksum-` header.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "crc64nvme",
            Self::Crc32c => "crc32c",
            Self::Crc32 => "crc32",
            Self::Sha256 => "sha256",
        }
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Sha256 => None,
        }
    }

    /// Returns true if the checksum of an object can be combined from the checksums of its parts.
    pub(crate) const fn is_combinable(self) -> bool {
        self.crc().is_some()
    }

    pub(crate) fn hasher(self) -> ChecksumHasher {
        match self.crc() {
            Some(crc) => ChecksumHasher::Crc(self, crc_fast::Digest::new(crc)),
            None => ChecksumHasher::Sha256(Sha256::new()),
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
            value: encode(self.algorithm, combine_checksums),
        })
    }

    fn crc(&self) -> Option<u64> {
        let bytes = STANDARD.decode(&self.value).ok()?;
        let whole = bytes.len()
            == if self.algorithm == ChecksumAlgorithm::Crc64Nvme {
                8
            } else {
                4
            };
        whole.then(|| bytes.iter().fold(0, |crc, byte| crc << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for ContentChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.value)
    }
}

impl ChecksumHasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> ContentChecksum {
        match self {
            Self::Crc(algorithm, digest) => ContentChecksum {
                algorithm,
                value: encode(algorithm, digest.finalize()),
            },
            Self::Sha256(digest) => ContentChecksum {
                algorithm: ChecksumAlgorithm::Sha256,
                value: STANDARD.encode(digest.finalize()),
            },
        }
    }
}

fn encode(algorithm: ChecksumAlgorithm, crc: u64) -> String {
    let bytes = crc.to_be_bytes();
    match algorithm {
        ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => STANDARD.encode(&bytes[4..]),
        ChecksumAlgorithm::Crc64Nvme | ChecksumAlgorithm::Sha256 => STANDARD.encode(bytes),
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
        ] {
            let mut hasher = algorithm.hasher();
            hasher.update(b"1234");
            hasher.update(b"56789");
            assert_eq!(hasher.finish(), ContentChecksum { algorithm, value });
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
