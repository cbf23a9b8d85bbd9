//! Checksums as S3 writes them: of the parts of a file while it is read, and of the whole, put together from them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The algorithms that the command computes
/// ([Checking object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html)).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Algorithm {
    Crc64Nvme,
    Crc32c,
    Crc32,
    Sha256,
}

/// A checksum, in base64 as S3 writes it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: String,
}

/// A checksum in the making.
pub(crate) enum Hasher {
    Crc(Algorithm, crc_fast::Digest),
    Sha256(Sha256),
}

impl Algorithm {
    /// Every one, the preferred first.
    const ALL: [Self; 4] = [Self::Crc64Nvme, Self::Crc32c, Self::Crc32, Self::Sha256];

    /// The end of its header's name.
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

    /// Whether the checksum of a whole follows from those of its parts.
    pub(crate) const fn joins(self) -> bool {
        self.crc().is_some()
    }

    pub(crate) fn hasher(self) -> Hasher {
        match self.crc() {
            Some(crc) => Hasher::Crc(self, crc_fast::Digest::new(crc)),
            None => Hasher::Sha256(Sha256::new()),
        }
    }
}

impl Checksum {
    /// The checksum of the whole object that S3's headers tell, if there is one that can be computed here.
    pub(crate) fn of_answer(headers: &HeaderMap) -> Option<Self> {
        Algorithm::ALL.into_iter().find_map(|algorithm| {
            let value = headers
                .get(format!("x-amz-checksum-{}", algorithm.name()))?
                .to_str()
                .ok()?;
            // Of an object in parts it may cover the checksums of the parts, told by their number.
            let covers_the_object = !value.contains('-');
            covers_the_object.then(|| Self {
                algorithm,
                value: value.to_owned(),
            })
        })
    }
}

impl Checksum {
    /// The checksum of these bytes followed by others, of which the checksum and the number are known; `None` where
    /// the algorithm, or a value that came from elsewhere, does not allow that.
    pub(crate) fn followed_by(&self, next: &Self, len: u64) -> Option<Self> {
        let crc = self.algorithm.crc().filter(|_| self.algorithm == next.algorithm)?;
        let joined = crc_fast::checksum_combine(crc, self.crc()?, next.crc()?, len);
        Some(Self {
            algorithm: self.algorithm,
            value: encode(self.algorithm, joined),
        })
    }

    fn crc(&self) -> Option<u64> {
        let bytes = STANDARD.decode(&self.value).ok()?;
        let whole = bytes.len() == if self.algorithm == Algorithm::Crc64Nvme { 8 } else { 4 };
        whole.then(|| bytes.iter().fold(0, |crc, byte| crc << 8 | u64::from(*byte)))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.value)
    }
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Checksum {
        match self {
            Self::Crc(algorithm, digest) => Checksum {
                algorithm,
                value: encode(algorithm, digest.finalize()),
            },
            Self::Sha256(digest) => Checksum {
                algorithm: Algorithm::Sha256,
                value: STANDARD.encode(digest.finalize()),
            },
        }
    }
}

fn encode(algorithm: Algorithm, crc: u64) -> String {
    let bytes = crc.to_be_bytes();
    match algorithm {
        Algorithm::Crc32 | Algorithm::Crc32c => STANDARD.encode(&bytes[4..]),
        Algorithm::Crc64Nvme | Algorithm::Sha256 => STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogues() {
        for (algorithm, value) in [
            (
                Algorithm::Crc64Nvme,
                STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes()),
            ),
            (Algorithm::Crc32, STANDARD.encode(0xcbf4_3926_u32.to_be_bytes())),
            (Algorithm::Crc32c, STANDARD.encode(0xe306_9283_u32.to_be_bytes())),
            (
                Algorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=".to_owned(),
            ),
        ] {
            let mut hasher = algorithm.hasher();
            hasher.update(b"1234");
            hasher.update(b"56789");
            assert_eq!(hasher.finish(), Checksum { algorithm, value });
        }
    }

    #[test]
    fn checksums_of_parts_join_to_that_of_the_whole() {
        let of = |algorithm: Algorithm, bytes: &[u8]| {
            let mut hasher = algorithm.hasher();
            hasher.update(bytes);
            hasher.finish()
        };
        for algorithm in Algorithm::ALL {
            let joined = of(algorithm, b"1234").followed_by(&of(algorithm, b"56789"), 5);
            assert_eq!(joined, algorithm.joins().then(|| of(algorithm, b"123456789")));
        }
        let torn = Checksum {
            algorithm: Algorithm::Crc32,
            value: "AAA=".into(),
        };
        assert_eq!(of(Algorithm::Crc32, b"1").followed_by(&torn, 1), None);
    }

    #[test]
    fn a_checksum_of_checksums_is_not_taken_for_one_of_the_object() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-sha256", "AAAA-2".parse().unwrap());
        assert_eq!(Checksum::of_answer(&headers), None);
        headers.insert("x-amz-checksum-crc32", "AAAAAA==".parse().unwrap());
        assert_eq!(Checksum::of_answer(&headers).unwrap().to_string(), "crc32:AAAAAA==");
    }
}
