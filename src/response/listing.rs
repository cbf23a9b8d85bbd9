//! Listings: as a page, as JSON, and as lines of text.

use std::fmt::Write as _;
use std::time::SystemTime;

use http::{StatusCode, header};

use super::compress::compressible;
use super::http::{ApiResponse, TEXT, set_header, with_body, with_json};
use super::links::with_query;
use super::page::listing_page;
use super::text::{printable, rfc3339};
use crate::decide::View;
use crate::operation::Listing;
use crate::plan::{Page, Pending, Stored};
use crate::request::{ApiRequest, ListForm};
use crate::wire::{ListedFolder, ListedObject, ListedUpload, ListingBody, UploadsBody};

/// Returns a page of a listing in the requested format. `s3` is the origin of the bucket.
pub fn listing(request: &ApiRequest, view: &View, page: &Page, s3: &str) -> ApiResponse {
    let mut response = match view.wanted.form {
        ListForm::Html => listing_page(request, view, page, s3),
        ListForm::Json => listing_json(view, page),
        ListForm::Text => with_body(StatusCode::OK, TEXT, listing_lines(view, page)),
        ListForm::Names => with_body(StatusCode::OK, TEXT, listing_names(view, page)),
    };
    if let Some(next) = &page.next {
        let link = format!("<{}>; rel=\"next\"", with_query(request, &[("next", next)]));
        set_header(&mut response, header::LINK, &link);
    }
    compressible(response)
}

fn listing_json(view: &View, page: &Page) -> ApiResponse {
    match view.wanted.listing {
        Listing::Objects => with_json(&ListingBody {
            prefix: view.wanted.prefix.clone(),
            folders: page.folders.iter().map(|key| listed_folder(view, key)).collect(),
            objects: page.objects.iter().map(|object| listed_object(view, object)).collect(),
            next: page.next.clone(),
        }),
        Listing::Uploads => with_json(&UploadsBody {
            prefix: view.wanted.prefix.clone(),
            uploads: page.uploads.iter().map(|upload| listed_upload(view, upload)).collect(),
            next: page.next.clone(),
        }),
    }
}

fn listed_folder(view: &View, key: &str) -> ListedFolder {
    ListedFolder {
        name: view.name(key).to_owned(),
        key: key.to_owned(),
    }
}

fn listed_object(view: &View, object: &Stored) -> ListedObject {
    ListedObject {
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

fn listed_upload(view: &View, upload: &Pending) -> ListedUpload {
    ListedUpload {
        key: upload.key.clone(),
        name: view.name(&upload.key).to_owned(),
        upload_id: upload.upload_id.clone(),
        initiated: upload.initiated.map(rfc3339),
        storage_class: upload.storage_class.clone(),
    }
}

/// Returns the size, time and name of each entry, in columns.
fn listing_lines(view: &View, page: &Page) -> String {
    let mut lines = String::new();
    let mut add = |size: &str, time: Option<SystemTime>, key: &str| {
        let time = time.map_or_else(|| "-".to_owned(), rfc3339);
        let name = printable(view.name(key));
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

fn listing_names(view: &View, page: &Page) -> String {
    let keys = page.folders.iter().chain(page.objects.iter().map(|object| &object.key));
    keys.fold(String::new(), |mut names, key| {
        writeln!(names, "{}", printable(view.name(key))).expect("writing to a String cannot fail");
        names
    })
}
