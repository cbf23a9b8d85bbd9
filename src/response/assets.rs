//! What the pages load: one script, one stylesheet and an icon, compiled in. Their names hold their digests, so they never
//! change and may be kept for good.

use std::fmt::Write as _;
use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};

use crate::rejection::Rejection;
use crate::request::ApiRequest;
use crate::response::compress::compressible;
use crate::response::{ApiResponse, answer, rejection};

struct Asset {
    name: &'static str,
    media_type: &'static str,
    body: &'static str,
    digest: String,
}

/// For a year, the longest that caches go by.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

static ASSETS: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        asset_of("script", "text/javascript; charset=utf-8", include_str!("page/page.js")),
        asset_of("style", "text/css; charset=utf-8", include_str!("page/page.css")),
        asset_of("icon", "image/svg+xml", include_str!("page/icon.svg")),
    ]
});

fn asset_of(name: &'static str, media_type: &'static str, body: &'static str) -> Asset {
    let digest = Sha256::digest(body);
    let digest = digest[..12].iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a String takes every write");
        digits
    });
    Asset {
        name,
        media_type,
        body,
        digest,
    }
}

/// The last segment of the path of an asset.
pub(super) fn name(name: &str) -> String {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(String::new, |asset| asset.digest.clone())
}

/// Tells an asset, by the last segment of its path.
pub fn asset(request: &ApiRequest, digest: &str) -> ApiResponse {
    let Some(asset) = ASSETS.iter().find(|asset| asset.digest == digest) else {
        return rejection(request, &Rejection::UnknownReservedPath, false);
    };
    let mut response = answer(StatusCode::OK, asset.media_type, String::new());
    *response.body_mut() = Bytes::from_static(asset.body.as_bytes());
    response.headers_mut().insert(header::CACHE_CONTROL, IMMUTABLE);
    compressible(response)
}
