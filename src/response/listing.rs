//! Listings: as a page, as JSON, and as lines of text.

use std::fmt::Write as _;
use std::time::SystemTime;

use http::{StatusCode, header};

use super::compress::compressible;
use super::http::{ApiResponse, TEXT, set_header, with_body, with_json};
use super::links::with_query;
use super::page::{listing_index, listing_page};
use super::text::rfc3339;
use crate::decide::ListingView;
use crate::encoding::escape_invisible;
use crate::operation::Listing;
use crate::plan::{ListedObject, ListingPage, PendingUpload};
use crate::request::{ApiRequest, ListingFormat};
use crate::wire::{FolderEntry, ListingBody, ObjectEntry, UploadEntry, UploadsBody};

/// Returns a page of a listing in the requested format. `s3` is the origin of the bucket.
pub fn listing(request: &ApiRequest, view: &ListingView, page: &ListingPage, s3: &str) -> ApiResponse {
    let mut response = match view.request.format {
        ListingFormat::Page => listing_page(request, view, page, s3),
        ListingFormat::Index => listing_index(request, view, page),
        ListingFormat::Json => listing_json(view, page),
        ListingFormat::Text => with_body(StatusCode::OK, TEXT, listing_lines(view, page)),
        ListingFormat::Names => with_body(StatusCode::OK, TEXT, listing_names(view, page)),
    };
    if let Some(next) = &page.next {
        let link = format!("<{}>; rel=\"next\"", with_query(request, &[("next", next)]));
        set_header(&mut response, header::LINK, &link);
    }
    compressible(response)
}

fn listing_json(view: &ListingView, page: &ListingPage) -> ApiResponse {
    match view.request.listing {
        Listing::Objects => with_json(&ListingBody {
            prefix: view.request.prefix.clone(),
            folders: page.folders.iter().map(|key| listed_folder(view, key)).collect(),
            objects: page.objects.iter().map(|object| listed_object(view, object)).collect(),
            next: page.next.clone(),
        }),
        Listing::Uploads => with_json(&UploadsBody {
            prefix: view.request.prefix.clone(),
            uploads: page.uploads.iter().map(|upload| listed_upload(view, upload)).collect(),
            next: page.next.clone(),
        }),
    }
}

fn listed_folder(view: &ListingView, key: &str) -> FolderEntry {
    FolderEntry {
        name: view.name(key).to_owned(),
        key: key.to_owned(),
    }
}

fn listed_object(view: &ListingView, object: &ListedObject) -> ObjectEntry {
    ObjectEntry {
        name: view.name(&object.key).to_owned(),
        key: object.key.clone(),
        size: object.size,
        modified: object.modified.map(rfc3339),
        etag: object.etag.clone(),
        checksum_algorithm: object.checksum_algorithm.clone(),
        checksum_type: object.checksum_type.clone(),
        storage_class: object.storage_class.clone(),
    }
}

fn listed_upload(view: &ListingView, upload: &PendingUpload) -> UploadEntry {
    UploadEntry {
        key: upload.key.clone(),
        name: view.name(&upload.key).to_owned(),
        upload_id: upload.upload_id.clone(),
        initiated: upload.initiated.map(rfc3339),
        storage_class: upload.storage_class.clone(),
    }
}

/// Returns the size, time and name of each entry, in columns.
fn listing_lines(view: &ListingView, page: &ListingPage) -> String {
    let mut lines = String::new();
    let mut add = |size: &str, time: Option<SystemTime>, key: &str| {
        let time = time.map_or_else(|| "-".to_owned(), rfc3339);
        let name = escape_invisible(view.name(key));
        writeln!(lines, "{size:>14}  {time:<20}  {name}").expect("writing to a String cannot fail");
    };
    for folder in &page.folders {
        add("-", None, folder);
    }
    for object in &page.objects {
        add(&object.size.to_string(), object.modified, &object.key);
    }
    for upload in &page.uploads {
        add(&upload.upload_id, upload.initiated, &upload.key);
    }
    lines
}

fn listing_names(view: &ListingView, page: &ListingPage) -> String {
    let keys = page.folders.iter().chain(page.objects.iter().map(|object| &object.key));
    keys.fold(String::new(), |mut names, key| {
        writeln!(names, "{}", escape_invisible(view.name(key))).expect("writing to a String cannot fail");
        names
    })
}
