//! The tags of objects, in a header or in a document.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use s3s::dto::Tag;
use s3s::{S3Error, S3Result, s3_error};

use super::s3_errors;
use crate::s3::error_report;

const MAX_TAGS: usize = 10;

/// Parses tags in the format of a query string.
pub(super) fn from_header(header: &str) -> S3Result<BTreeMap<String, String>> {
    let mut tags = Vec::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if value.contains('=') {
            return Err(invalid_header(header));
        }
        let decoded = decode(name).zip(decode(value));
        tags.push(decoded.ok_or_else(|| invalid_header(header))?);
    }
    let count = tags.len();
    let tags: BTreeMap<_, _> = tags.into_iter().collect();
    if tags.len() < count {
        return Err(invalid_header(header));
    }
    check(tags)
}

/// Reads the tags of a document.
pub(super) fn from_document(tags: Vec<Tag>) -> S3Result<BTreeMap<String, String>> {
    let mut unique = BTreeMap::new();
    for tag in tags {
        let (Some(key), Some(value)) = (tag.key, tag.value) else {
            let message = "The XML you provided was not well-formed or did not validate against our published schema";
            return Err(s3_error!(MalformedXML, "{message}"));
        };
        if unique.insert(key.clone(), value).is_some() {
            return Err(invalid_tag(
                &key,
                None,
                "Cannot provide multiple Tags with the same key",
            ));
        }
    }
    check(unique)
}

/// Rejects tags that S3 does not allow.
fn check(tags: BTreeMap<String, String>) -> S3Result<BTreeMap<String, String>> {
    if tags.len() > MAX_TAGS {
        return Err(s3_errors::bad_request_error(
            "BadRequest",
            "Object tags cannot be greater than 10",
        ));
    }
    for (key, value) in &tags {
        if key.starts_with("aws:") {
            return Err(invalid_tag(key, None, "Your TagKey cannot be prefixed with aws:"));
        }
        if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_allowed) {
            return Err(invalid_tag(key, None, "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !value.chars().all(is_allowed) {
            return Err(invalid_tag(
                key,
                Some(value),
                "The TagValue you have provided is invalid",
            ));
        }
    }
    Ok(tags)
}

/// S3 allows letters, digits and spaces of all scripts, and these signs.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "_.:/=+-@".contains(character)
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(String::from)
}

fn invalid_header(header: &str) -> S3Error {
    s3_errors::invalid_argument(
        "x-amz-tagging",
        header,
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name \
         duplicates.",
    )
}

fn invalid_tag(key: &str, value: Option<&String>, message: &'static str) -> S3Error {
    error_report::report_details([("TagKey", key.to_owned())]);
    error_report::report_details(value.map(|value| ("TagValue", value.clone())));
    s3_error!(InvalidTag, "{message}")
}
