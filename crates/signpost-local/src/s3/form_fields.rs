//! Reads the fields of a form upload before `s3s` does.
//!
//! `s3s` verifies the signature and the policy of a form. It does not verify session tokens, does not support
//! `${filename}`, and compares a list of content types as one text. Therefore this module reads the fields, returns the
//! credentials, checks the content types against the policy, and inserts the file name.

use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_json::Value;

use super::draining_body::DrainingBody;

/// Maximum size of the fields. S3 allows 20 KB.
const MAX_FIELD_BYTES: usize = 64 * 1024;

/// The access key id and the session token in the fields of a form, and the result of the check of the content types.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FormCredentials {
    pub(crate) access_key: String,
    pub(crate) token: Option<String>,
    /// The condition of the policy that a content type does not meet, as JSON.
    pub(crate) failed_condition: Option<String>,
}

/// A body whose first bytes have been read.
#[derive(Debug)]
pub(crate) struct PrefetchedBody {
    prefetched: Option<Bytes>,
    rest: DrainingBody,
}

impl PrefetchedBody {
    /// Wraps a body without reading it.
    pub(crate) fn unread(rest: DrainingBody) -> Self {
        Self { prefetched: None, rest }
    }

    /// Reads up to the file. Returns the credentials in the fields, and the body with the bytes that were read.
    pub(crate) async fn read_form_fields(
        mut rest: DrainingBody,
        content_type: &str,
    ) -> (Option<FormCredentials>, Self) {
        let mut read = BytesMut::new();
        while file_content_start(&read).is_none() && read.len() < MAX_FIELD_BYTES {
            let Some(Ok(frame)) = rest.frame().await else {
                break;
            };
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data);
            }
        }
        let form_credentials = boundary(content_type).and_then(|boundary| form_credentials(&read, boundary));
        (
            form_credentials,
            Self {
                prefetched: Some(insert_file_name(read.freeze())),
                rest,
            },
        )
    }
}

impl Body for PrefetchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.prefetched.take() {
            Some(prefetched) if !prefetched.is_empty() => Poll::Ready(Some(Ok(Frame::data(prefetched)))),
            _ => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.prefetched.as_ref().is_none_or(Bytes::is_empty) && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.prefetched {
            None => self.rest.size_hint(),
            Some(_) => http_body::SizeHint::default(),
        }
    }
}

/// Returns the position of the first byte of the file, if it has been read.
fn file_content_start(read: &[u8]) -> Option<usize> {
    let text = read.to_ascii_lowercase();
    let find = |needle: &[u8], from: usize| {
        let offset = text
            .get(from..)?
            .windows(needle.len())
            .position(|window| window == needle)?;
        Some(from + offset)
    };
    let file = find(b"name=\"file\"", 0).or_else(|| find(b"name=file", 0))?;
    Some(find(b"\r\n\r\n", file)? + 4)
}

/// Replaces `${filename}` in the fields with the file name, without the directories that some browsers send
/// ([POST Object](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html)).
fn insert_file_name(read: Bytes) -> Bytes {
    let Some(head) = file_content_start(&read).and_then(|end| std::str::from_utf8(&read[..end]).ok()) else {
        return read;
    };
    let Some((fields, file)) = head.rsplit_once("\r\n--") else {
        return read;
    };
    let name = file
        .split_once("filename=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(name, _)| name);
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut replaced = BytesMut::from(fields.replace("${filename}", name).as_bytes());
    replaced.extend_from_slice(&read[fields.len()..]);
    replaced.freeze()
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type
        .split(';')
        .filter_map(|parameter| parameter.trim().split_once('='));
    let mut boundaries = parameters.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    boundaries.next().map(|(_, value)| value.trim_matches('"'))
}

/// Returns `None` if a credential field occurs twice, because `s3s` could use the other value.
fn form_credentials(read: &[u8], boundary: &str) -> Option<FormCredentials> {
    let text = String::from_utf8_lossy(read);
    let fields: Vec<_> = text.split(&format!("--{boundary}")).filter_map(parse_field).collect();
    let single_field = |field_name: &str| {
        let mut values = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(field_name))
            .map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(()),
        }
    };
    let credential = single_field("x-amz-credential").ok()??;
    let token = single_field("x-amz-security-token").ok()?;
    let access_key = credential.split('/').next().unwrap_or_default();
    Some(FormCredentials {
        access_key: access_key.to_owned(),
        token: token.map(str::to_owned),
        failed_condition: failed_content_type_condition(&fields),
    })
}

/// Returns the first `starts-with` condition for `Content-Type` that an element of the field does not meet.
///
/// S3 interprets a content type with commas as a list, and each element must meet the condition
/// ([condition matching](https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html)).
fn failed_content_type_condition(fields: &[(&str, &str)]) -> Option<String> {
    let values_of = |field_name: &'static str| {
        let named = fields
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(field_name));
        named.map(|(_, value)| *value)
    };
    let is_met = |condition: &Value| {
        let Some(prefix) = content_type_prefix(condition) else {
            return true;
        };
        values_of("content-type")
            .flat_map(|list| list.split(','))
            .all(|element| element.trim().starts_with(prefix))
    };
    values_of("policy")
        .filter_map(|policy| serde_json::from_slice::<Value>(&STANDARD.decode(policy.trim()).ok()?).ok())
        .filter_map(|mut policy| match policy.get_mut("conditions")?.take() {
            Value::Array(conditions) => Some(conditions),
            _ => None,
        })
        .flatten()
        .find(|condition| !is_met(condition))
        .map(|condition| condition.to_string())
}

/// Returns the prefix of a condition `["starts-with", "$Content-Type", PREFIX]`.
fn content_type_prefix(condition: &Value) -> Option<&str> {
    let [operator, field, prefix] = condition.as_array()?.as_slice() else {
        return None;
    };
    let field = field.as_str()?.trim_start_matches('$');
    let is_prefix = operator.as_str()?.eq_ignore_ascii_case("starts-with");
    (is_prefix && field.eq_ignore_ascii_case("content-type"))
        .then(|| prefix.as_str())
        .flatten()
}

fn parse_field(part: &str) -> Option<(&str, &str)> {
    let (head, value) = part.split_once("\r\n\r\n")?;
    let disposition = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let name = disposition
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("name="))?;
    Some((name.trim_matches('"'), value.strip_suffix("\r\n").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> String {
        let parts = fields.iter().map(|(name, value)| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        });
        parts.collect::<String>() + "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"
    }

    #[test]
    fn access_key_and_token_are_parsed() {
        let content_type = "multipart/form-data; boundary=\"edge\"";
        let text = form(&[
            ("key", "k"),
            ("X-Amz-Credential", "AKID/1/2/s3/x"),
            ("x-amz-security-token", "t=/"),
        ]);
        let credentials = form_credentials(text.as_bytes(), boundary(content_type).expect("a boundary"));
        assert_eq!(
            credentials,
            Some(FormCredentials {
                access_key: "AKID".into(),
                token: Some("t=/".into()),
                failed_condition: None
            })
        );
    }

    #[test]
    fn the_file_name_replaces_its_placeholder_in_the_fields_only() {
        for (sent, name) in [("b c", "b c"), ("C:\\x\\b", "b"), ("../../b", "b")] {
            let form = |key: &str| {
                form(&[("key", key)]).replace("filename=\"f\"", &format!("filename=\"{sent}\"")) + "\u{0}${filename}"
            };
            let read = insert_file_name(Bytes::from(form("in/${filename}")));
            assert_eq!(
                read,
                form(&format!("in/{name}")).as_bytes(),
                "{sent}: only the fields change"
            );
        }
    }

    #[test]
    fn a_repeated_credential_field_is_rejected() {
        let text = form(&[("x-amz-credential", "AKID/1"), ("x-amz-credential", "OTHER/1")]);
        assert_eq!(form_credentials(text.as_bytes(), "edge"), None);
        let text = form(&[
            ("x-amz-credential", "AKID/1"),
            ("x-amz-security-token", "a"),
            ("x-amz-security-token", "b"),
        ]);
        assert_eq!(form_credentials(text.as_bytes(), "edge"), None);
    }
}
