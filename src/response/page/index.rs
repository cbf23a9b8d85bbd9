//! The list of links for programs: pip, uv, wget, rclone, lftp and others read the links of such a page.

use std::time::SystemTime;

use askama::Template;
use http::StatusCode;

use super::listing::{entry_url, redirect_to_slash};
use super::shell::html_page;
use crate::decide::ListingView;
use crate::encoding::escape_invisible;
use crate::key::ObjectKey;
use crate::plan::ListingPage;
use crate::request::ApiRequest;
use crate::response::http::ApiResponse;
use crate::response::links::with_query;
use crate::response::text::index_time;

/// The page has no links except those to its entries and, if the client has requested a page, to the next page. Crawlers follow
/// every link.
#[derive(Template)]
#[template(path = "index.html")]
struct FolderIndex {
    title: String,
    entries: Vec<IndexEntry>,
    next: Option<String>,
}

struct IndexEntry {
    name: String,
    /// `None` for a key that no request can address.
    href: Option<String>,
    modified: String,
    size: String,
}

/// Returns a listing as HTML that consists of plain links.
pub(in crate::response) fn listing_index(request: &ApiRequest, view: &ListingView, page: &ListingPage) -> ApiResponse {
    if request.path.is_empty() {
        return redirect_to_slash(request);
    }
    let folders = page.folders.iter().map(|key| index_entry(view, key, None, None));
    let objects = page.objects.iter().map(|object| {
        let size = Some(object.size);
        index_entry(view, &object.key, size, object.modified)
    });
    let template = FolderIndex {
        title: escape_invisible(&format!("Index of /{}", view.request.prefix)),
        entries: folders.chain(objects).collect(),
        next: page.next.as_ref().map(|next| with_query(request, &[("next", next)])),
    };
    html_page(StatusCode::OK, &template, "")
}

fn index_entry(view: &ListingView, key: &str, size: Option<u64>, modified: Option<SystemTime>) -> IndexEntry {
    let name = view.name(key);
    IndexEntry {
        name: escape_invisible(name),
        href: ObjectKey::new(key).is_ok().then(|| entry_url(name)),
        modified: modified.map_or_else(|| "-".to_owned(), index_time),
        size: size.map_or_else(|| "-".to_owned(), |size| size.to_string()),
    }
}
