//! The fields of a form upload, read ahead of its file.
//!
//! `s3s` verifies the signature and the policy of a form, but hides the fields from the backend. The session token
//! of temporary credentials is among them, so the part before the file is read here, and handed on with the name of
//! the file for `${filename}`, which `s3s` does not know.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use super::lingering::LingeringBody;

/// The most bytes that the fields may take; S3 allows 20 KB.
const MOST: usize = 64 * 1024;

/// The credential and the token that a form presents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) access_key: String,
    pub(crate) token: Option<String>,
}

/// A body of which the beginning has been read.
#[derive(Debug)]
pub(crate) struct ReadAhead {
    beginning: Option<Bytes>,
    rest: LingeringBody,
}

impl ReadAhead {
    /// A body that nobody has read.
    pub(crate) fn nothing(rest: LingeringBody) -> Self {
        Self { beginning: None, rest }
    }

    /// Reads up to the file, and tells what the fields present.
    pub(crate) async fn form(mut rest: LingeringBody, content_type: &str) -> (Option<Presented>, Self) {
        let mut read = BytesMut::new();
        while head_of_fields(&read).is_none() && read.len() < MOST {
            let Some(Ok(frame)) = rest.frame().await else {
                break;
            };
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data);
            }
        }
        let presented = boundary(content_type).and_then(|boundary| presented(&read, boundary));
        (
            presented,
            Self {
                beginning: Some(with_file_name(read.freeze())),
                rest,
            },
        )
    }
}

impl Body for ReadAhead {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match self.beginning.take() {
            Some(beginning) if !beginning.is_empty() => Poll::Ready(Some(Ok(Frame::data(beginning)))),
            _ => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.as_ref().is_none_or(Bytes::is_empty) && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.beginning {
            None => self.rest.size_hint(),
            Some(_) => http_body::SizeHint::default(),
        }
    }
}

/// Everything before the bytes of the file, once it has been read.
fn head_of_fields(read: &[u8]) -> Option<usize> {
    let text = read.to_ascii_lowercase();
    let find = |wanted: &[u8], from: usize| {
        let at = text
            .get(from..)?
            .windows(wanted.len())
            .position(|window| window == wanted)?;
        Some(from + at)
    };
    let file = find(b"name=\"file\"", 0).or_else(|| find(b"name=file", 0))?;
    Some(find(b"\r\n\r\n", file)? + 4)
}

/// Puts the name of the file where the fields ask for it, without the folders that some browsers send along
/// ([POST Object](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html)).
fn with_file_name(read: Bytes) -> Bytes {
    let Some(head) = head_of_fields(&read).and_then(|end| std::str::from_utf8(&read[..end]).ok()) else {
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

/// A field that is there twice presents nothing: it could mean one thing here and another to `s3s`.
fn presented(read: &[u8], boundary: &str) -> Option<Presented> {
    let text = String::from_utf8_lossy(read);
    let fields: Vec<_> = text.split(&format!("--{boundary}")).filter_map(field).collect();
    let only = |wanted: &str| {
        let mut values = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| *value);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(()),
        }
    };
    let credential = only("x-amz-credential").ok()??;
    let token = only("x-amz-security-token").ok()?;
    let access_key = credential.split('/').next().unwrap_or_default();
    Some(Presented {
        access_key: access_key.to_owned(),
        token: token.map(str::to_owned),
    })
}

fn field(part: &str) -> Option<(&str, &str)> {
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
    fn credential_and_token_are_found() {
        let content_type = "multipart/form-data; boundary=\"edge\"";
        let text = form(&[
            ("key", "k"),
            ("X-Amz-Credential", "AKID/1/2/s3/x"),
            ("x-amz-security-token", "t=/"),
        ]);
        let found = presented(text.as_bytes(), boundary(content_type).expect("a boundary"));
        assert_eq!(
            found,
            Some(Presented {
                access_key: "AKID".into(),
                token: Some("t=/".into())
            })
        );
    }

    #[test]
    fn the_name_of_the_file_stands_where_the_fields_ask_for_it() {
        for (sent, name) in [("b c", "b c"), ("C:\\x\\b", "b"), ("../../b", "b")] {
            let form = |key: &str| {
                form(&[("key", key)]).replace("filename=\"f\"", &format!("filename=\"{sent}\"")) + "\u{0}${filename}"
            };
            let read = with_file_name(Bytes::from(form("in/${filename}")));
            assert_eq!(read, form(&format!("in/{name}")).as_bytes(), "and not in the file");
        }
    }

    #[test]
    fn a_field_given_twice_presents_nothing() {
        let text = form(&[("x-amz-credential", "AKID/1"), ("x-amz-credential", "OTHER/1")]);
        assert_eq!(presented(text.as_bytes(), "edge"), None);
        let text = form(&[
            ("x-amz-credential", "AKID/1"),
            ("x-amz-security-token", "a"),
            ("x-amz-security-token", "b"),
        ]);
        assert_eq!(presented(text.as_bytes(), "edge"), None);
    }
}
