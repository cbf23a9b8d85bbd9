//! The page of a folder.

use askama::Template;
use http::{StatusCode, header};

use super::{Can, Shell, page, scripted, text, visible};
use crate::decide::ListingView;
use crate::key::{ObjectKey, to_relative};
use crate::plan::{ListedObject, ListingPage};
use crate::request::{ApiRequest, SortColumn, SortOrder};
use crate::response::{ApiResponse, TEXT, answer, set, with_query};

#[derive(Template)]
#[template(path = "listing.html")]
struct Folder<'a> {
    shell: Shell,
    can: Can,
    prefix: &'a str,
    heading: String,
    q: &'a str,
    recursive: bool,
    columns: Vec<Column>,
    rows: Vec<Row>,
    empty: &'static str,
    next: Option<String>,
    curl: String,
}

/// A column that can be sorted by.
struct Column {
    name: &'static str,
    href: String,
    /// In which direction the page is sorted by it, if it is.
    sort: Option<&'static str>,
}

/// An entry of the page.
enum Row {
    Folder {
        name: String,
        href: String,
    },
    Object {
        name: String,
        href: String,
        size: String,
        modified: Option<String>,
    },
    /// What no request to Signpost can name.
    Unaddressable {
        name: String,
        size: String,
        modified: Option<String>,
    },
}

/// Tells a page of a listing to people. `s3` is the origin of the bucket.
pub(in crate::response) fn listing_page(
    request: &ApiRequest,
    view: &ListingView,
    found: &ListingPage,
    s3: &str,
) -> ApiResponse {
    if request.path.is_empty() {
        return with_slash(request);
    }
    let wanted = &view.request;
    let folders = found.folders.iter().map(|folder| folder_row(view, folder));
    let objects = found.objects.iter().map(|object| object_row(view, object));
    let heading = wanted
        .prefix
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let template = Folder {
        shell: Shell::new(request, "listing", &wanted.prefix, view.actions.sign_in),
        can: Can::of(&view.actions),
        prefix: &wanted.prefix,
        heading: if heading.is_empty() {
            "files".into()
        } else {
            visible(heading) + "/"
        },
        q: asked(request, "q"),
        recursive: wanted.recursive,
        columns: columns(request, wanted.sort, wanted.order),
        rows: folders.chain(objects).collect(),
        empty: match (&wanted.search, &found.next) {
            (Some(_), _) => "No name on this page contains that.",
            (None, Some(_)) => "Nothing on this page is for you; there may be more on the next.",
            (None, None) => "Nothing here yet.",
        },
        next: found.next.as_ref().map(|next| with_query(request, &[("next", next)])),
        curl: curl(request, view),
    };
    page(StatusCode::OK, &template, &scripted(s3))
}

/// Leads a browser from a root without its slash to the root, from where relative links lead on.
fn with_slash(request: &ApiRequest) -> ApiResponse {
    let last = request.base_url.rsplit('/').next().unwrap_or_default();
    let mut response = answer(StatusCode::TEMPORARY_REDIRECT, TEXT, String::new());
    let place = format!("./{last}/{}", with_query(request, &[]));
    set(&mut response, header::LOCATION, &place);
    response
}

fn asked<'a>(request: &'a ApiRequest, name: &str) -> &'a str {
    let found = request.query.iter().find(|(own, _)| own == name);
    found.map_or("", |(_, value)| value)
}

fn folder_row(view: &ListingView, folder: &str) -> Row {
    let name = visible(view.name(folder));
    match ObjectKey::new(folder) {
        Ok(_) => Row::Folder {
            name,
            href: format!("./{}", to_relative(view.name(folder))),
        },
        Err(_) => Row::Unaddressable {
            name,
            size: String::new(),
            modified: None,
        },
    }
}

fn object_row(view: &ListingView, object: &ListedObject) -> Row {
    let name = visible(view.name(&object.key));
    let size = text::size(object.size);
    let modified = object.modified.map(text::time);
    match ObjectKey::new(object.key.as_str()) {
        Ok(_) => Row::Object {
            name,
            href: format!("./{}", to_relative(view.name(&object.key))),
            size,
            modified,
        },
        Err(_) => Row::Unaddressable { name, size, modified },
    }
}

/// The columns; the one that the page is sorted by leads to the other direction.
fn columns(request: &ApiRequest, sort: SortColumn, order: SortOrder) -> Vec<Column> {
    let all = [
        (SortColumn::Name, "Name"),
        (SortColumn::Size, "Size"),
        (SortColumn::Modified, "Modified"),
    ];
    let column = |(own, name): (SortColumn, &'static str)| {
        let sorted = own == sort;
        let to = if sorted && order == SortOrder::Ascending {
            SortOrder::Descending
        } else {
            SortOrder::Ascending
        };
        Column {
            name,
            href: with_query(request, &[("sort", own.name()), ("order", to.name())]),
            sort: sorted.then_some(match order {
                SortOrder::Ascending => "ascending",
                SortOrder::Descending => "descending",
            }),
        }
    };
    all.map(column).into()
}

/// What does the same at a terminal.
fn curl(request: &ApiRequest, view: &ListingView) -> String {
    let url = request.url();
    let can = Can::of(&view.actions);
    let lines = [
        Some(format!("curl -f '{url}'")),
        can.has("read").then(|| format!("curl -fL -O '{url}NAME'")),
        can.has("write").then(|| format!("curl -fL -T FILE '{url}'")),
    ];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
