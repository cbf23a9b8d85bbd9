//! The response to a form upload, which the form itself can choose.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, Uri};
use s3s::Body;

use super::error_response::push_element;
use super::form_upload::FormFields;
use super::verification::{encode_path, encode_query};

/// The response that a form requests after a successful upload.
#[derive(Debug)]
pub(crate) struct FormAction {
    bucket: String,
    key: String,
    location: String,
    redirect: Option<String>,
    status: StatusCode,
}

impl FormAction {
    /// Reads the action from the fields. S3 ignores a redirect to something that is not a URL, and unknown statuses.
    pub(crate) fn new(head: &Parts, fields: &FormFields, bucket: &str, key: &str) -> Self {
        let host = head.headers.get(HOST).and_then(|value| value.to_str().ok());
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        let is_url = |url: &&str| {
            url.parse::<Uri>()
                .is_ok_and(|uri| uri.scheme().is_some() && uri.host().is_some())
        };
        Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            location: format!("http://{}/{bucket}/{}", host.unwrap_or_default(), encode_path(key)),
            redirect: redirect.filter(is_url).map(str::to_owned),
            status: match fields.get("success_action_status") {
                Some("200") => StatusCode::OK,
                Some("201") => StatusCode::CREATED,
                _ => StatusCode::NO_CONTENT,
            },
        }
    }

    /// Turns the response to `PutObject` into the response to the form. Errors remain unchanged.
    pub(crate) fn apply(self, response: Response<Body>) -> Response<Body> {
        if !response.status().is_success() {
            return response;
        }
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        let etag = parts.headers.get(ETAG).and_then(|value| value.to_str().ok());
        let etag = etag.unwrap_or_default().to_owned();
        parts.status = if self.redirect.is_some() {
            StatusCode::SEE_OTHER
        } else {
            self.status
        };
        let location = self.redirected(&etag).unwrap_or_else(|| self.location.clone());
        if let Ok(location) = HeaderValue::from_str(&location) {
            parts.headers.insert(LOCATION, location);
        }
        if parts.status != StatusCode::CREATED {
            return Response::from_parts(parts, Body::empty());
        }
        parts
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        let body = Body::from(self.document(&etag));
        Response::from_parts(parts, body)
    }

    fn redirected(&self, etag: &str) -> Option<String> {
        let url = self.redirect.as_ref()?;
        let mark = if url.contains('?') { '&' } else { '?' };
        let pairs = [("bucket", self.bucket.as_str()), ("key", &self.key), ("etag", etag)];
        let pairs = pairs.map(|(name, value)| format!("{name}={}", encode_query(value)));
        Some(format!("{url}{mark}{}", pairs.join("&")))
    }

    fn document(&self, etag: &str) -> bytes::Bytes {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
        push_element(&mut xml, "Location", &self.location);
        push_element(&mut xml, "Bucket", &self.bucket);
        push_element(&mut xml, "Key", &self.key);
        push_element(&mut xml, "ETag", etag);
        xml.push_str("</PostResponse>");
        xml.into()
    }
}
