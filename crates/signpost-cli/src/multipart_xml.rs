//! The XML documents of multipart uploads in S3.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::checksum::{ChecksumAlgorithm, ContentChecksum};

/// The checksum algorithm of every multipart upload: S3 combines the part checksums to the checksum of the object
/// ([Checking object
/// integrity](https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html)).
pub(crate) const ALGORITHM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// A part that S3 has stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UploadedPart {
    pub(crate) number: u32,
    pub(crate) etag: String,
    pub(crate) checksum: ContentChecksum,
}

/// A part in a listing of S3.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedPart {
    pub(crate) part_number: u32,
    #[serde(rename = "ETag")]
    pub(crate) etag: String,
    pub(crate) size: u64,
    #[serde(rename = "ChecksumCRC64NVME")]
    checksum: Option<String>,
}

/// A page of parts, and the marker of the next page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PartsPage {
    #[serde(default, rename = "Part")]
    pub(crate) parts: Vec<ListedPart>,
    #[serde(default)]
    is_truncated: bool,
    next_part_number_marker: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InitiatedUpload {
    upload_id: String,
}

#[derive(Deserialize)]
struct CompletedUpload {
    #[serde(rename = "ETag")]
    etag: Option<String>,
}

/// The upload id of a new upload.
pub(crate) fn parse_upload_id(body: &[u8]) -> Option<String> {
    let initiated: InitiatedUpload = parse_xml(body)?;
    Some(initiated.upload_id).filter(|id| !id.is_empty())
}

/// Parses a page of stored parts.
pub(crate) fn parse_parts_page(body: &[u8]) -> Option<PartsPage> {
    parse_xml(body)
}

/// The `ETag` of the completed object. Returns `None` if the body is an error document.
pub(crate) fn parse_completed_etag(body: &[u8]) -> Option<String> {
    parse_xml::<CompletedUpload>(body)?.etag
}

/// The body of `CompleteMultipartUpload`; `parts` must be in order.
pub(crate) fn completion_body(parts: &[UploadedPart]) -> String {
    let mut body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">".to_owned();
    for UploadedPart { number, etag, checksum } in parts {
        let etag = quick_xml::escape::escape(etag);
        write!(
            body,
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumCRC64NVME>{}</ChecksumCRC64NVME></Part>",
            checksum.value
        )
        .expect("writing to a String cannot fail");
    }
    body.push_str("</CompleteMultipartUpload>");
    body
}

impl ListedPart {
    /// Returns true if the part has this content. Without a checksum from S3, the content is unknown.
    pub(crate) fn matches_content(&self, len: u64, checksum: &ContentChecksum) -> bool {
        self.size == len && self.checksum.as_ref() == Some(&checksum.value)
    }
}

impl PartsPage {
    pub(crate) fn next_marker(&self) -> Option<u32> {
        self.next_part_number_marker.filter(|_| self.is_truncated)
    }
}

fn parse_xml<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Option<T> {
    quick_xml::de::from_str(std::str::from_utf8(body).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checksum(value: &str) -> ContentChecksum {
        ContentChecksum {
            algorithm: ALGORITHM,
            value: value.to_owned(),
        }
    }

    #[test]
    fn responses_are_parsed() {
        let initiated = b"<?xml version=\"1.0\"?><InitiateMultipartUploadResult xmlns=\"x\"><Bucket>b</Bucket>\
                      <UploadId>id</UploadId></InitiateMultipartUploadResult>";
        assert_eq!(parse_upload_id(initiated).as_deref(), Some("id"));
        let done = b"<CompleteMultipartUploadResult><ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>";
        assert_eq!(parse_completed_etag(done).as_deref(), Some("\"e-2\""));
        let error = b"<Error><Code>InternalError</Code><Message>again</Message></Error>";
        assert_eq!((parse_upload_id(error), parse_completed_etag(error)), (None, None));
    }

    #[test]
    fn parts_are_listed_page_by_page_and_compared() {
        let listing = b"<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>7</NextPartNumberMarker>\
                        <Part><PartNumber>7</PartNumber><ETag>\"e\"</ETag><Size>3</Size>\
                        <ChecksumCRC64NVME>abc=</ChecksumCRC64NVME></Part>\
                        <Part><PartNumber>8</PartNumber><ETag>\"f\"</ETag><Size>3</Size></Part></ListPartsResult>";
        let page = parse_parts_page(listing).unwrap();
        assert_eq!(page.next_marker(), Some(7));
        assert!(page.parts[0].matches_content(3, &checksum("abc=")));
        assert!(!page.parts[0].matches_content(4, &checksum("abc=")));
        assert!(!page.parts[0].matches_content(3, &checksum("abd=")));
        assert!(!page.parts[1].matches_content(3, &checksum("abc=")));
        let last = parse_parts_page(b"<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>").unwrap();
        assert_eq!((last.next_marker(), last.parts.len()), (None, 0));
    }

    #[test]
    fn a_completion_body_lists_each_part_with_its_checksum() {
        let part = UploadedPart {
            number: 1,
            etag: "\"e\"".into(),
            checksum: checksum("abc="),
        };
        assert_eq!(
            completion_body(&[part]),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1</PartNumber>\
             <ETag>&quot;e&quot;</ETag><ChecksumCRC64NVME>abc=</ChecksumCRC64NVME></Part></CompleteMultipartUpload>"
        );
    }
}
