//! The constraints of an allow rule.

use std::collections::BTreeMap;
use std::time::Duration;

use humantime::format_duration;

use super::lifetime::ValueSource;
use crate::operation::{Action, CLIENT_SETTABLE, check_upload_value, uses_kms_key};
use crate::rejection::{MAX_OBJECT_BYTES, MAX_PUT_BYTES, Rejection};

/// The default lifetime of a signed URL.
pub const DEFAULT_EXPIRES: Duration = Duration::from_mins(5);

/// The maximum lifetime of a signed URL in rules, which is also the bucket policy's `s3:signatureAge`
/// ([condition keys](https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html)).
pub const MAX_EXPIRES: Duration = Duration::from_mins(15);

/// The minimum remaining lifetime of a URL in a response, unless the rule sets a shorter lifetime. The client needs time
/// to use the URL, and clocks differ.
pub const MIN_LIFETIME: Duration = Duration::from_mins(1);

/// The constraints that an allow rule sets on an operation, and the values that it adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraints {
    /// The lifetime of a signed URL.
    pub expires: Duration,
    /// The time for which requests to read an object get the same URL, so that caches can reuse the response.
    pub reuse_url_for: Option<Duration>,
    /// The `Cache-Control` of downloads, which replaces the value of the object.
    pub cache_control: Option<String>,
    /// The maximum length of an object, in bytes.
    pub max_bytes: u64,
    /// If true, a PUT can replace an existing object.
    pub overwrite: bool,
    /// The `Content-Disposition` of downloads.
    pub disposition: Disposition,
    /// The accepted media types of uploads, such as `image/*`; empty accepts all.
    pub content_types: Vec<String>,
    /// `x-amz-meta-` headers of every upload, by the name after that prefix.
    pub metadata: BTreeMap<String, String>,
    /// The storage class of every upload.
    pub storage_class: Option<String>,
    /// The server-side encryption of every upload: `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub sse: Option<String>,
    /// The KMS key of every upload.
    pub sse_kms_key_id: Option<String>,
    /// The names of [`crate::operation::CLIENT_SETTABLE`] that the client may set.
    pub client_may_set: Vec<String>,
    /// The actions that share links can grant.
    pub share: Vec<Action>,
    /// The maximum lifetime of a share link.
    pub share_expires: Duration,
    /// The maximum lifetime of a share link that a caller with a temporary credential creates.
    pub temporary_share_expires: Duration,
}

/// The `Content-Disposition` of downloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Browsers always save the object, so that HTML and SVG cannot run on the bucket's origin.
    Attachment,
    /// The metadata of the object decides.
    Inline,
}

/// The default maximum lifetime of a share link.
pub const DEFAULT_SHARE_EXPIRES: Duration = Duration::from_hours(7 * 24);

/// The default maximum lifetime of a share link that a caller with a temporary credential creates: a session, or an
/// identity of an issuer. Signpost cannot detect that such a user loses access at the issuer.
pub const DEFAULT_TEMPORARY_SHARE_EXPIRES: Duration = Duration::from_hours(7 * 24);

/// The maximum lifetime of a share link in rules.
pub const MAX_SHARE_EXPIRES: Duration = Duration::from_hours(365 * 24);

const ENCRYPTION: &str = "x-amz-server-side-encryption";

/// The limits that no rule may exceed.
pub(super) struct Ceiling {
    pub(super) share_expires: Duration,
    pub(super) temporary_share_expires: Duration,
    pub(super) expires: Duration,
    pub(super) expires_by: ValueSource,
    pub(super) max_bytes: u64,
    /// True if rules may allow overwriting.
    pub(super) overwrite: bool,
}

impl Constraints {
    /// Returns true if the client may set `name`.
    pub fn client_may_set(&self, name: &str) -> bool {
        self.client_may_set.iter().any(|accepted| accepted == name)
    }

    /// Returns the maximum lifetime of a share link. If `temporary`, its creator has a temporary credential.
    pub fn max_share_lifetime(&self, temporary: bool) -> Duration {
        if temporary {
            self.share_expires.min(self.temporary_share_expires)
        } else {
            self.share_expires
        }
    }

    /// Rejects an object that is too long.
    pub fn check_object(&self, length: u64) -> Result<(), Rejection> {
        let max_bytes = self.max_bytes;
        if length > max_bytes {
            return Err(Rejection::TooLarge { length, max_bytes });
        }
        Ok(())
    }

    /// Rejects an upload that is too long for one PUT.
    pub fn check_put(&self, length: u64) -> Result<(), Rejection> {
        self.check_object(length)?;
        if length > MAX_PUT_BYTES {
            return Err(Rejection::PutTooLarge { length });
        }
        Ok(())
    }

    /// Rejects an upload if its media type is not accepted. The check ignores parameters such as `charset`.
    pub fn check_content_type(&self, content_type: Option<&str>) -> Result<(), Rejection> {
        let essence = content_type.and_then(essence);
        let is_accepted = |range: &String| essence.is_some_and(|essence| in_media_range(range, essence));
        if self.content_types.is_empty() || self.content_types.iter().any(is_accepted) {
            return Ok(());
        }
        Err(Rejection::MediaType {
            content_types: self.content_types.clone(),
        })
    }
}

/// Returns the `type/subtype` of a media type ([RFC 9110, section 8.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1)).
/// A comma is not allowed, because browsers read it as the start of another media type and use that one.
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
            temporary_share_expires: DEFAULT_TEMPORARY_SHARE_EXPIRES,
        }
    }
}

impl Constraints {
    /// Checks the values, and that they do not exceed `ceiling`.
    pub(super) fn check(&self, ceiling: &Ceiling) -> Result<(), String> {
        self.check_lifetimes(ceiling)?;
        if self.max_bytes > ceiling.max_bytes {
            return Err(format!(
                "max_bytes: {} is above the maximum of {} bytes",
                self.max_bytes, ceiling.max_bytes
            ));
        }
        if self.overwrite && !ceiling.overwrite {
            return Err("overwrite: [defaults] contains `overwrite = false`, so no rule can allow overwriting".into());
        }
        self.content_types
            .iter()
            .try_for_each(|range| check_media_range(range))?;
        let mut metadata = self.metadata.iter();
        metadata.try_for_each(|(name, value)| check_metadata(name, value))?;
        self.cache_control
            .iter()
            .try_for_each(|value| check_header_value(value))?;
        self.check_upload_values()?;
        self.check_client_may_set()
    }

    fn check_lifetimes(&self, ceiling: &Ceiling) -> Result<(), String> {
        check_maximum("expires", self.expires, ceiling.expires)?;
        if let Some(reuse) = self.reuse_url_for
            && reuse + MIN_LIFETIME > self.expires
        {
            return Err(format!(
                "reuse_url_for: {} requires `expires` of at least {}, so that every URL is valid for at least a minute",
                format_duration(reuse),
                format_duration(reuse + MIN_LIFETIME)
            ));
        }
        check_maximum("share_expires", self.share_expires, ceiling.share_expires)?;
        check_maximum(
            "temporary_share_expires",
            self.temporary_share_expires,
            ceiling.temporary_share_expires,
        )
    }

    /// Checks the values that S3 checks in every upload.
    fn check_upload_values(&self) -> Result<(), String> {
        let values = [
            ("storage_class", "x-amz-storage-class", &self.storage_class),
            ("sse", ENCRYPTION, &self.sse),
            (
                "sse_kms_key_id",
                "x-amz-server-side-encryption-aws-kms-key-id",
                &self.sse_kms_key_id,
            ),
        ];
        for (field, header, value) in values {
            if let Some(value) = value {
                check_header_value(value)?;
                check_upload_value(header, value).map_err(|problem| format!("{field}: {value:?} {problem}"))?;
            }
        }
        let encrypts_with_kms = match &self.sse {
            Some(sse) => uses_kms_key(sse),
            None => self.client_may_set(ENCRYPTION),
        };
        if self.sse_kms_key_id.is_some() && !encrypts_with_kms {
            return Err("sse_kms_key_id: requires `sse = \"aws:kms\"` or `sse = \"aws:kms:dsse\"`".into());
        }
        Ok(())
    }

    fn check_client_may_set(&self) -> Result<(), String> {
        let mut names = self.client_may_set.iter();
        match names.find(|name| !CLIENT_SETTABLE.contains(&name.as_str())) {
            Some(name) => Err(format!(
                "client_may_set: unknown name {name:?}; use one of {}",
                CLIENT_SETTABLE.join(", ")
            )),
            None => Ok(()),
        }
    }
}

fn check_maximum(field: &str, value: Duration, maximum: Duration) -> Result<(), String> {
    if value > maximum {
        return Err(format!(
            "{field}: {} is above the maximum of {}",
            format_duration(value),
            format_duration(maximum)
        ));
    }
    Ok(())
}

pub(super) fn parse_duration(field: &str, text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("{field}: {text:?} is not a duration; write a duration such as \"5m\" or \"1h 30m\""))?;
    if duration.as_secs() == 0 || duration.subsec_nanos() != 0 {
        return Err(format!("{field}: {text:?} must be a positive whole number of seconds"));
    }
    Ok(duration)
}

fn check_media_range(range: &str) -> Result<(), String> {
    let literal = |text: &str| is_token(text) && !text.contains('*');
    match range.split_once('/') {
        Some((kind, subtype)) if literal(kind) && (literal(subtype) || subtype == "*") => Ok(()),
        _ => Err(format!(
            "content_types: {range:?} is not a media type; write, for example, image/png or image/*"
        )),
    }
}

fn check_metadata(name: &str, value: &str) -> Result<(), String> {
    let header = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("metadata: {name:?} is not a header name"))?;
    if header.as_str() != name {
        return Err(format!("metadata: {name:?} must be in lower case"));
    }
    check_header_value(value)
}

fn check_header_value(value: &str) -> Result<(), String> {
    let visible = value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if value.is_empty() || value.trim() != value || !visible {
        return Err(format!(
            "{value:?} is not a valid header value; use visible ASCII characters"
        ));
    }
    Ok(())
}
