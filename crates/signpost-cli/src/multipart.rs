//! S3's words for uploads in parts: what it answers, and what it is told.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::checksum::{Algorithm, Checksum};

/// The algorithm of every upload in parts: S3 puts the checksums of the parts together to that of the object
/// ([Checking object integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html)).
pub(crate) const ALGORITHM: Algorithm = Algorithm::Crc64Nvme;

/// A part that S3 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) checksum: Checksum,
}

/// A part that S3 lists.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Listed {
    pub(crate) part_number: u32,
    #[serde(rename = "ETag")]
    pub(crate) etag: String,
    pub(crate) size: u64,
    #[serde(rename = "ChecksumCRC64NVME")]
    checksum: Option<String>,
}

/// A page of parts, and where the next one begins.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Page {
    #[serde(default, rename = "Part")]
    pub(crate) parts: Vec<Listed>,
    #[serde(default)]
    is_truncated: bool,
    next_part_number_marker: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Begun {
    upload_id: String,
}

#[derive(Deserialize)]
struct Completed {
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

/// The id of an upload that has begun.
pub(crate) fn upload_id(answer: &[u8]) -> Option<String> {
    let begun: Begun = read(answer)?;
    Some(begun.upload_id).filter(|id| !id.is_empty())
}

/// A page of the parts that S3 has.
pub(crate) fn page(answer: &[u8]) -> Option<Page> {
    read(answer)
}

/// The `ETag` of an object that has been put together; `None` where the answer tells of none, but of an error.
pub(crate) fn completed(answer: &[u8]) -> Option<String> {
    read::<Completed>(answer)?.etag
}

/// The body of `CompleteMultipartUpload`, for parts in order.
pub(crate) fn completion(parts: &[Part]) -> String {
    let mut body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for Part { number, etag, checksum } in parts {
        let etag = quick_xml::escape::escape(etag);
        write!(
            body,
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC64NVME>{}</ChecksumCRC64NVME></Part>",
            checksum.value
        )
        .expect("a String takes every write");
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}

impl Listed {
    /// Whether it has these bytes. Where S3 tells no checksum, nobody knows.
    pub(crate) fn holds(&self, len: u64, checksum: &Checksum) -> bool {
        self.size == len && self.checksum.as_ref() == Some(&checksum.value)
    }
}

impl Page {
    pub(crate) fn next(&self) -> Option<u32> {
        self.next_part_number_marker.filter(|_| self.is_truncated)
    }
}

fn read<T: for<'de> Deserialize<'de>>(answer: &[u8]) -> Option<T> {
    quick_xml::de::from_str(std::str::from_utf8(answer).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(value: &str) -> Checksum {
        Checksum {
            algorithm: ALGORITHM,
            value: value.to_owned(),
        }
    }

    #[test]
    fn answers_are_read() {
        let begun = b"<?xml version=\"1.0\"?><InitiateMultipartUploadResult xmlns=\"x\"><Bucket>b</Bucket>\
                      <UploadId>id</UploadId></InitiateMultipartUploadResult>";
        assert_eq!(upload_id(begun).as_deref(), Some("id"));
        let done = b"<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>";
        assert_eq!(completed(done).as_deref(), Some("\"e-2\""));
        let error = b"<Error><Code>InternalError</Code><Message>again</Message></Error>";
        assert_eq!((upload_id(error), completed(error)), (None, None));
    }

    #[test]
    fn parts_are_listed_page_by_page_and_compared() {
        let listing = b"<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>7</NextPartNumberMarker>\
                        <Part><PartNumber>7</PartNumber><ETag>\"e\"</ETag><Size>3</Size>\
                        <ChecksumCRC64NVME>abc=</ChecksumCRC64NVME></Part>\
                        <Part><PartNumber>8</PartNumber><ETag>\"f\"</ETag><Size>3</Size></Part></ListPartsResult>";
        let told = page(listing).unwrap();
        assert_eq!(told.next(), Some(7));
        assert!(told.parts[0].holds(3, &checksum("abc=")));
        assert!(!told.parts[0].holds(4, &checksum("abc=")));
        assert!(!told.parts[0].holds(3, &checksum("abd=")));
        assert!(!told.parts[1].holds(3, &checksum("abc=")));
        let last = page(b"<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>").unwrap();
        assert_eq!((last.next(), last.parts.len()), (None, 0));
    }

    #[test]
    fn a_completion_names_each_part_with_its_checksum() {
        let part = Part {
            number: 1,
            etag: "\"e\"".into(),
            checksum: checksum("abc="),
        };
        assert_eq!(
            completion(&[part]),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber>\
             <ETag>&quot;e&quot;</ETag><ChecksumCRC64NVME>abc=</ChecksumCRC64NVME></Part></CompleteMultipartUpload>"
        );
    }
}
