//! The script, the style sheet and the icon of the pages, compiled into the binary. The URL of an asset contains the
//! digest of its content. The content of a URL therefore never changes, and caches can store it permanently.

use std::fmt::Write as _;
use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

pub(super) struct PageAsset {
    name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) body: &'static str,
    digest: String,
}

static PAGE_ASSETS: LazyLock<[PageAsset; 3]> = LazyLock::new(|| {
    [
        PageAsset::new("script", "text/javascript; charset=utf-8", include_str!("page/page.js")),
        PageAsset::new("style", "text/css; charset=utf-8", include_str!("page/page.css")),
        PageAsset::new("icon", "image/svg+xml", include_str!("page/icon.svg")),
    ]
});

impl PageAsset {
    fn new(name: &'static str, media_type: &'static str, body: &'static str) -> Self {
        let digest = Sha256::digest(body);
        let digest = digest[..12].iter().fold(String::new(), |mut digits, byte| {
            write!(digits, "{byte:02x}").expect("writing to a String cannot fail");
            digits
        });
        Self {
            name,
            media_type,
            body,
            digest,
        }
    }
}

/// Returns the last path segment of the URL of an asset.
pub(super) fn asset_segment(name: &str) -> String {
    let asset = PAGE_ASSETS.iter().find(|asset| asset.name == name);
    asset.map_or_else(String::new, |asset| asset.digest.clone())
}

/// Finds an asset by the last path segment of its URL.
pub(super) fn find_asset(segment: &str) -> Option<&'static PageAsset> {
    PAGE_ASSETS.iter().find(|asset| asset.digest == segment)
}
