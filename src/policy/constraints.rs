//! What an allowing rule demands of an operation and lends to it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use serde::Deserialize;

use super::explain::Source;
use crate::operation::{Action, CLIENT_SETTABLE};
use crate::rejection::{MAX_OBJECT_BYTES, MAX_PUT_BYTES, Rejection};

/// The lifetime of a signed URL where the rules do not say otherwise.
pub const DEFAULT_EXPIRES: Duration = Duration::from_mins(5);

/// The longest lifetime that rules can give, which is also the bucket policy's `s3:signatureAge`
/// ([condition keys](https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html)).
pub const MAX_EXPIRES: Duration = Duration::from_mins(15);

/// No URL is given out with less than this left to live, unless it is meant to be shorter, since a client must have time
/// to use it and clocks differ.
pub const MIN_LIFETIME: Duration = Duration::from_mins(1);

/// What an allowing rule demands of the operation and lends to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// The lifetime of a signed URL.
    pub expires: Duration,
    /// For how long requests to read one object get one and the same URL, so that caches know it again.
    pub reuse_url_for: Option<Duration>,
    /// The `Cache-Control` of downloads, in place of the object's own.
    pub cache_control: Option<String>,
    /// The greatest length of an object, in bytes.
    pub max_bytes: u64,
    /// Whether a PUT may replace an object.
    pub overwrite: bool,
    /// How a GET tells browsers to treat the object.
    pub disposition: Disposition,
    /// The media types of uploads, such as `image/*`; empty for any.
    pub content_types: Vec<String>,
    /// `x-amz-meta-` headers of every upload, by the name after that prefix.
    pub metadata: BTreeMap<String, String>,
    /// The storage class of every upload.
    pub storage_class: Option<String>,
    /// The server-side encryption of every upload: `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub sse: Option<String>,
    /// The KMS key of every upload.
    pub sse_kms_key_id: Option<String>,
    /// Names of [`crate::operation::CLIENT_SETTABLE`] that the client may choose.
    pub client_may_set: Vec<String>,
    /// What of it may be lent by share links.
    pub share: Vec<Action>,
    /// The longest life of a share link.
    pub share_expires: Duration,
}

/// How a GET tells browsers to treat the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Always a download, so that HTML and SVG cannot run on the bucket's origin.
    Attachment,
    /// As the object's own metadata says.
    Inline,
}

/// The longest life of a share link where the rules do not say otherwise.
pub const DEFAULT_SHARE_EXPIRES: Duration = Duration::from_hours(7 * 24);

/// The longest life of a share link that rules can give.
pub const MAX_SHARE_EXPIRES: Duration = Duration::from_hours(365 * 24);

/// What no rule may exceed.
pub(super) struct Ceiling {
    pub(super) share_expires: Duration,
    pub(super) expires: Duration,
    pub(super) expires_by: Source,
    pub(super) max_bytes: u64,
}

impl Constraints {
    /// Whether the client may choose `name`.
    pub fn client_may_set(&self, name: &str) -> bool {
        self.client_may_set.iter().any(|accepted| accepted == name)
    }

    /// Refuses an object that is too long.
    pub fn check_object(&self, length: u64) -> Result<(), Rejection> {
        let max_bytes = self.max_bytes;
        if length > max_bytes {
            return Err(Rejection::TooLarge { length, max_bytes });
        }
        Ok(())
    }

    /// Refuses what is too long for one PUT.
    pub fn check_put(&self, length: u64) -> Result<(), Rejection> {
        self.check_object(length)?;
        if length > MAX_PUT_BYTES {
            return Err(Rejection::PutTooLarge { length });
        }
        Ok(())
    }

    /// Refuses an upload of a media type that is not taken; parameters such as `charset` do not count.
    pub fn check_content_type(&self, content_type: Option<&str>) -> Result<(), Rejection> {
        let essence = content_type.and_then(essence);
        let taken = |range: &String| essence.is_some_and(|essence| in_media_range(range, essence));
        if self.content_types.is_empty() || self.content_types.iter().any(taken) {
            return Ok(());
        }
        Err(Rejection::MediaType {
            content_types: self.content_types.clone(),
        })
    }
}

/// The `type/subtype` of a media type ([RFC 9110, section 8.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1)).
/// Browsers read a comma as the start of another one, which would then count, so there must be none.
fn essence(media_type: &str) -> Option<&str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    (is_token(kind) && is_token(subtype) && !media_type.contains(',')).then_some(essence)
}

fn is_token(text: &str) -> bool {
    let tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(tchar)
}

fn in_media_range(range: &str, media_type: &str) -> bool {
    match range.strip_suffix("/*") {
        Some(kind) => media_type
            .split_once('/')
            .is_some_and(|(found, _)| found.eq_ignore_ascii_case(kind)),
        None => range.eq_ignore_ascii_case(media_type),
    }
}

impl Constraints {
    pub(super) fn built_in() -> Self {
        Self {
            expires: DEFAULT_EXPIRES,
            reuse_url_for: None,
            cache_control: None,
            max_bytes: MAX_OBJECT_BYTES,
            overwrite: false,
            disposition: Disposition::Attachment,
            content_types: Vec::new(),
            metadata: BTreeMap::new(),
            storage_class: None,
            sse: None,
            sse_kms_key_id: None,
            client_may_set: Vec::new(),
            share: vec![Action::Read],
            share_expires: DEFAULT_SHARE_EXPIRES,
        }
    }
}

impl Constraints {
    pub(super) fn check(&self, ceiling: &Ceiling) -> Result<(), String> {
        if self.expires > ceiling.expires {
            let ceiling = humantime::format_duration(ceiling.expires);
            return Err(format!(
                "expires: {} is above the ceiling of {ceiling}",
                humantime::format_duration(self.expires)
            ));
        }
        if let Some(reuse_url_for) = self
            .reuse_url_for
            .filter(|reuse_url_for| *reuse_url_for + MIN_LIFETIME > self.expires)
        {
            return Err(format!(
                "reuse_url_for: with {} the rule needs `expires` of {} or more, so that no URL is given out with less than a minute left",
                humantime::format_duration(reuse_url_for),
                humantime::format_duration(reuse_url_for + MIN_LIFETIME)
            ));
        }
        if self.share_expires > ceiling.share_expires {
            let ceiling = humantime::format_duration(ceiling.share_expires);
            return Err(format!("share_expires: the ceiling is {ceiling}"));
        }
        if self.max_bytes > ceiling.max_bytes {
            return Err(format!(
                "max_bytes: {} is above the ceiling of {} bytes",
                self.max_bytes, ceiling.max_bytes
            ));
        }
        for range in &self.content_types {
            media_range(range)?;
        }
        for (name, value) in &self.metadata {
            metadata(name, value)?;
        }
        let texts = [
            &self.storage_class,
            &self.sse,
            &self.sse_kms_key_id,
            &self.cache_control,
        ];
        for value in texts.into_iter().flatten() {
            visible_ascii(value)?;
        }
        match self
            .client_may_set
            .iter()
            .find(|name| !CLIENT_SETTABLE.contains(&name.as_str()))
        {
            Some(name) => Err(format!(
                "client_may_set: unknown name {name:?}; known: {}",
                CLIENT_SETTABLE.join(", ")
            )),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Size {
    Bytes(u64),
    Text(String),
}

impl Size {
    pub(super) fn bytes(&self) -> Result<u64, String> {
        match self {
            Self::Bytes(bytes) => Ok(*bytes),
            Self::Text(text) => {
                let size = text
                    .parse::<ByteSize>()
                    .map_err(|_| format!("max_bytes: {text:?} is not a size such as 5GiB"))?;
                Ok(size.as_u64())
            }
        }
    }
}

pub(super) fn parse_duration(field: &str, text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| format!("{field}: {text:?}: {error}"))?;
    if duration.as_secs() == 0 || duration.subsec_nanos() != 0 {
        return Err(format!("{field}: {text:?} is not a whole number of seconds above 0"));
    }
    Ok(duration)
}

fn media_range(range: &str) -> Result<(), String> {
    let literal = |text: &str| is_token(text) && !text.contains('*');
    match range.split_once('/') {
        Some((kind, subtype)) if literal(kind) && (literal(subtype) || subtype == "*") => Ok(()),
        _ => Err(format!(
            "content_types: {range:?} is not a media type such as image/png or image/*"
        )),
    }
}

fn metadata(name: &str, value: &str) -> Result<(), String> {
    let header = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("metadata: {name:?} is not a header name"))?;
    if header.as_str() != name {
        return Err(format!("metadata: {name:?} must be in lower case"));
    }
    visible_ascii(value)
}

fn visible_ascii(value: &str) -> Result<(), String> {
    let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if value.is_empty() || value.trim() != value || !visible {
        return Err(format!(
            "{value:?} can't be a header: visible ASCII only, and not empty"
        ));
    }
    Ok(())
}
