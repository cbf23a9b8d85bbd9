//! Responses of paths below `/-/` of the service itself: the health check, the identity of the caller, the API documents, and
//! the assets of the pages.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::assets::find_asset;
use super::compress::compressible;
use super::http::{ApiResponse, HTML, with_body, with_json};
use super::problem::rejection;
use super::text::rfc3339;
use crate::decide::{CallerIdentity, SignInState};
use crate::rejection::Rejection;
use crate::request::{ApiRequest, Document};
use crate::wire::{HealthBody, IdentityBody};

/// [RFC 9512](https://www.rfc-editor.org/rfc/rfc9512)
const YAML: &str = "application/yaml";

const OPENAPI: &str = include_str!("../../openapi.yaml");

/// The page is generated from `openapi.yaml`; a test compares them.
const DOCS_PAGE: &str = include_str!("page/docs.html");

/// The documents change only with a release.
const SHORT_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// One year, the longest lifetime that caches support.
const PERMANENT_CACHE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Reports that the service is running. It uses no other service.
pub fn health() -> ApiResponse {
    with_json(&HealthBody {
        status: "ok".into(),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// Describes the caller.
pub fn identity(identity: &CallerIdentity) -> ApiResponse {
    let user = identity.principal.user();
    with_json(&IdentityBody {
        caller: identity.principal.selector(),
        user_id: user.map(|user| user.user_id().to_owned()),
        groups: user.map(|user| user.groups.clone()).unwrap_or_default(),
        expires_at: identity.expires_at.map(rfc3339),
    })
}

/// Returns a document about the HTTP API.
pub fn document(document: Document) -> ApiResponse {
    let mut response = match document {
        Document::OpenApi => with_body(StatusCode::OK, YAML, OPENAPI),
        Document::Page => docs_page(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, SHORT_CACHE);
    compressible(response)
}

fn docs_page() -> ApiResponse {
    let style = DOCS_PAGE
        .split_once("<style>")
        .and_then(|(_, rest)| rest.split_once("</style>"));
    let (style, _) = style.expect("the page contains a style sheet");
    let digest = BASE64_STANDARD.encode(Sha256::digest(style));
    let policy = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'");
    let mut response = with_body(StatusCode::OK, HTML, DOCS_PAGE);
    let policy = HeaderValue::try_from(policy).expect("Base64 is ASCII");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Returns an asset of the pages. `segment` is the last segment of the request path.
pub fn asset(request: &ApiRequest, segment: &str) -> ApiResponse {
    let Some(asset) = find_asset(segment) else {
        return rejection(request, &Rejection::UnknownReservedPath, SignInState::Disabled);
    };
    let mut response = with_body(StatusCode::OK, asset.media_type, asset.body);
    response.headers_mut().insert(header::CACHE_CONTROL, PERMANENT_CACHE);
    compressible(response)
}
