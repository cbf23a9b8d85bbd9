//! The documents about the service itself, compiled in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::compress::compressible;
use super::{ApiResponse, HTML, answer};
use crate::request::Document;

/// [RFC 9512](https://www.rfc-editor.org/rfc/rfc9512)
const YAML: &str = "application/yaml";

const OPENAPI: &str = include_str!("../../openapi.yaml");

/// Made of the other; a test holds the two together.
const PAGE: &str = include_str!("page/docs.html");

/// Tells a document. It changes with the release only.
pub fn document(document: Document) -> ApiResponse {
    let mut response = match document {
        Document::OpenApi => answer(StatusCode::OK, YAML, OPENAPI.to_owned()),
        Document::Page => page(),
    };
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    compressible(response)
}

fn page() -> ApiResponse {
    let style = PAGE
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"));
    let (style, _) = style.expect("the page has a style");
    let digest = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'");
    let mut response = answer(StatusCode::OK, HTML, PAGE.to_owned());
    let policy = HeaderValue::try_from(policy).expect("the policy is visible ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
