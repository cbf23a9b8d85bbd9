//! Responses that contain a new share link.

use http::StatusCode;

use super::http::{ApiResponse, TEXT, with_body, with_json};
use super::text::rfc3339;
use crate::decide::NewShareLink;
use crate::request::{ApiRequest, preferred_type};
use crate::wire::ShareLinkBody;

/// Returns a new share link: as JSON if the client accepts JSON, otherwise the URL alone.
pub fn share_link(request: &ApiRequest, shared: &NewShareLink) -> ApiResponse {
    let path = shared.target.to_path();
    let url = format!("{}{path}?share={}", request.base_url, shared.token.expose());
    if preferred_type(&request.headers, &["text/plain", "application/json"]) == "text/plain" {
        return with_body(StatusCode::OK, TEXT, format!("{url}\n"));
    }
    with_json(&ShareLinkBody {
        expires_at: rfc3339(shared.link.expiry()),
        id: shared.link.id.clone(),
        methods: shared.link.methods.clone(),
        url,
        uses: shared.link.uses,
    })
}
