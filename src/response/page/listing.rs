//! The page of a folder.

use askama::Template;
use http::{StatusCode, header};

use super::actions::ActionNames;
use super::shell::{PageShell, html_page, script_directives};
use crate::decide::ListingView;
use crate::encoding::escape_invisible;
use crate::key::{ObjectKey, to_relative};
use crate::plan::{ListedObject, ListingPage};
use crate::request::{ApiRequest, ListingRequest, SortColumn, SortOrder};
use crate::response::http::{ApiResponse, TEXT, set_header, with_body};
use crate::response::links::with_query;
use crate::response::text::{html_time, size_text};

#[derive(Template)]
#[template(path = "listing.html")]
struct FolderPage<'a> {
    shell: PageShell,
    can: ActionNames,
    prefix: &'a str,
    heading: String,
    q: &'a str,
    recursive: bool,
    /// True if the user may list the folder, or folders in it.
    is_listed: bool,
    columns: Vec<ColumnHeader>,
    rows: Vec<EntryRow>,
    /// The text that replaces the table if the page has no entries.
    empty: &'static str,
    next: Option<String>,
    curl: String,
}

/// A column that the user can sort by.
struct ColumnHeader {
    name: &'static str,
    href: String,
    /// The sort direction, if the page is sorted by this column.
    sort: Option<&'static str>,
}

/// A row of the table.
enum EntryRow {
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
    /// An entry with a key that no request can address.
    Unaddressable {
        name: String,
        size: String,
        modified: Option<String>,
    },
}

/// Returns a page of a listing as HTML. `s3` is the origin of the bucket.
pub(in crate::response) fn listing_page(
    request: &ApiRequest,
    view: &ListingView,
    page: &ListingPage,
    s3: &str,
) -> ApiResponse {
    if request.path.is_empty() {
        return redirect_to_slash(request);
    }
    let wanted = &view.request;
    let template = FolderPage {
        shell: PageShell::of_key(request, "listing", &wanted.prefix, view.actions.sign_in.clone()),
        can: ActionNames::new(&view.actions),
        prefix: &wanted.prefix,
        heading: heading(&wanted.prefix),
        q: query_value(request, "q"),
        recursive: wanted.recursive,
        is_listed: view.is_listed,
        columns: sort_columns(request, wanted.sort, wanted.order),
        rows: entry_rows(view, page),
        empty: empty_text(wanted, page),
        next: page.next.as_ref().map(|next| with_query(request, &[("next", next)])),
        curl: curl_commands(request, view),
    };
    html_page(StatusCode::OK, &template, &script_directives(s3))
}

/// Redirects a request for the root without a trailing slash. Without the slash, the relative links would be wrong.
pub(super) fn redirect_to_slash(request: &ApiRequest) -> ApiResponse {
    let last = request.base_url.rsplit('/').next().unwrap_or_default();
    let mut response = with_body(StatusCode::TEMPORARY_REDIRECT, TEXT, "");
    let location = format!("./{last}/{}", with_query(request, &[]));
    set_header(&mut response, header::LOCATION, &location);
    response
}

/// Returns the name of the folder.
fn heading(prefix: &str) -> String {
    match prefix.trim_end_matches('/').rsplit('/').next() {
        None | Some("") => "files".into(),
        Some(name) => escape_invisible(name) + "/",
    }
}

fn query_value<'a>(request: &'a ApiRequest, name: &str) -> &'a str {
    let parameter = request.query.iter().find(|(parameter, _)| parameter == name);
    parameter.map_or("", |(_, value)| value)
}

fn empty_text(wanted: &ListingRequest, page: &ListingPage) -> &'static str {
    match (&wanted.search, &page.next) {
        (Some(_), _) => "No file or folder on this page matches the filter.",
        (None, Some(_)) => "This page has no files that you can see. Continue on the next page.",
        (None, None) => "This folder is empty.",
    }
}

fn entry_rows(view: &ListingView, page: &ListingPage) -> Vec<EntryRow> {
    let folders = page.folders.iter().map(|folder| folder_row(view, folder));
    let objects = page.objects.iter().map(|object| object_row(view, object));
    folders.chain(objects).collect()
}

fn folder_row(view: &ListingView, folder: &str) -> EntryRow {
    let name = escape_invisible(view.name(folder));
    match ObjectKey::new(folder) {
        Ok(_) => EntryRow::Folder {
            name,
            href: entry_url(view.name(folder)),
        },
        Err(_) => EntryRow::Unaddressable {
            name,
            size: String::new(),
            modified: None,
        },
    }
}

fn object_row(view: &ListingView, object: &ListedObject) -> EntryRow {
    let name = escape_invisible(view.name(&object.key));
    let size = size_text(object.size);
    let modified = object.modified.map(html_time);
    match ObjectKey::new(object.key.as_str()) {
        Ok(_) => EntryRow::Object {
            name,
            href: entry_url(view.name(&object.key)),
            size,
            modified,
        },
        Err(_) => EntryRow::Unaddressable { name, size, modified },
    }
}

/// Returns the URL of an entry, relative to its folder. `to_relative` escapes `:`, so only a name that begins with a slash needs a
/// prefix.
pub(super) fn entry_url(name: &str) -> String {
    let path = to_relative(name).to_string();
    if path.starts_with('/') {
        format!("./{path}")
    } else {
        path
    }
}

fn sort_columns(request: &ApiRequest, sort: SortColumn, order: SortOrder) -> Vec<ColumnHeader> {
    let columns = [
        (SortColumn::Name, "Name"),
        (SortColumn::Size, "Size"),
        (SortColumn::Modified, "Modified"),
    ];
    let columns = columns.map(|(column, name)| ColumnHeader {
        name,
        href: sort_url(request, column, (column == sort).then_some(order)),
        sort: (column == sort).then_some(match order {
            SortOrder::Ascending => "ascending",
            SortOrder::Descending => "descending",
        }),
    });
    columns.into()
}

/// Returns the URL that sorts by a column. If the page is already sorted by it, the URL reverses the order.
fn sort_url(request: &ApiRequest, column: SortColumn, current: Option<SortOrder>) -> String {
    let order = match current {
        Some(SortOrder::Ascending) => SortOrder::Descending,
        Some(SortOrder::Descending) | None => SortOrder::Ascending,
    };
    with_query(request, &[("sort", column.name()), ("order", order.name())])
}

/// Returns the commands that do the same in a terminal.
fn curl_commands(request: &ApiRequest, view: &ListingView) -> String {
    let url = request.url();
    let can = ActionNames::new(&view.actions);
    let commands = [
        view.is_listed.then(|| format!("curl -f '{url}'")),
        can.has("read").then(|| format!("curl -fL -O '{url}NAME'")),
        can.has("write").then(|| format!("curl -fL -T FILE '{url}'")),
    ];
    commands.into_iter().flatten().collect::<Vec<_>>().join("\n")
}
