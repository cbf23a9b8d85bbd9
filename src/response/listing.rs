//! Listings as JSON and as lines of text.

use std::fmt::Write as _;
use std::time::SystemTime;

use http::{StatusCode, header};
use serde::{Serialize, Serializer};

use super::compress::compressible;
use super::page::listing_page;
use super::{ApiResponse, JSON, TEXT, answer, set, with_query};
use crate::decide::ListingView;
use crate::operation::Listing;
use crate::plan::{ListedObject, ListingPage, PendingUpload};
use crate::request::{ApiRequest, ListingFormat};

/// Tells a page of a listing in the form that was asked for. `s3` is the origin of the bucket.
pub fn listing(request: &ApiRequest, view: &ListingView, page: &ListingPage, s3: &str) -> ApiResponse {
    let mut response = match view.request.format {
        ListingFormat::Html => listing_page(request, view, page, s3),
        ListingFormat::Json => answer(StatusCode::OK, JSON, json(view, page)),
        ListingFormat::Text => answer(StatusCode::OK, TEXT, lines(view, page)),
        ListingFormat::Names => answer(StatusCode::OK, TEXT, names(view, page)),
    };
    if let Some(next) = &page.next {
        set(
            &mut response,
            header::LINK,
            &format!("<{}>; rel=\"next\"", with_query(request, &[("next", next)])),
        );
    }
    compressible(response)
}

#[derive(Serialize)]
struct Told<'a> {
    prefix: &'a str,
    #[serde(flatten)]
    entries: Entries<'a>,
    next: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entries<'a> {
    Objects {
        folders: Vec<Folder<'a>>,
        objects: Vec<Object<'a>>,
    },
    Uploads {
        uploads: Vec<Begun<'a>>,
    },
}

#[derive(Serialize)]
struct Folder<'a> {
    name: &'a str,
    key: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    name: &'a str,
    key: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    checksum_algorithm: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<&'a str>,
}

#[derive(Serialize)]
struct Begun<'a> {
    key: &'a str,
    name: &'a str,
    upload_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    initiated: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage_class: Option<&'a str>,
}

/// A time as RFC 3339 writes it.
struct Time(SystemTime);

fn json(view: &ListingView, page: &ListingPage) -> String {
    let entries = match view.request.listing {
        Listing::Objects => Entries::Objects {
            folders: page.folders.iter().map(|key| folder(view, key)).collect(),
            objects: page.objects.iter().map(|stored| object(view, stored)).collect(),
        },
        Listing::Uploads => Entries::Uploads {
            uploads: page.uploads.iter().map(|pending| upload(view, pending)).collect(),
        },
    };
    let told = Told {
        prefix: &view.request.prefix,
        entries,
        next: page.next.as_deref(),
    };
    serde_json::to_string(&told).expect("texts and numbers are JSON")
}

fn folder<'a>(view: &ListingView, key: &'a str) -> Folder<'a> {
    Folder {
        name: view.name(key),
        key,
    }
}

fn object<'a>(view: &ListingView, stored: &'a ListedObject) -> Object<'a> {
    Object {
        name: view.name(&stored.key),
        key: &stored.key,
        size: stored.size,
        modified: stored.modified.map(Time),
        etag: stored.etag.as_deref(),
        checksum_algorithm: &stored.checksum_algorithm,
        checksum_type: stored.checksum_type.as_deref(),
        storage_class: stored.storage_class.as_deref(),
    }
}

fn upload<'a>(view: &ListingView, pending: &'a PendingUpload) -> Begun<'a> {
    Begun {
        key: &pending.key,
        name: view.name(&pending.key),
        upload_id: &pending.upload_id,
        initiated: pending.initiated.map(Time),
        storage_class: pending.storage_class.as_deref(),
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_seconds(self.0))
    }
}

/// Size, time and name of each entry, in columns.
fn lines(view: &ListingView, page: &ListingPage) -> String {
    let mut lines = String::new();
    let mut line = |size: &dyn std::fmt::Display, time: Option<SystemTime>, name: &str| {
        let time = time.map_or_else(
            || "-".to_owned(),
            |time| humantime::format_rfc3339_seconds(time).to_string(),
        );
        writeln!(lines, "{size:>14}  {time:<20}  {}", printable(name)).expect("a String takes every write");
    };
    for folder in &page.folders {
        line(&"-", None, view.name(folder));
    }
    for object in &page.objects {
        line(&object.size, object.modified, view.name(&object.key));
    }
    for upload in &page.uploads {
        line(&upload.upload_id, upload.initiated, view.name(&upload.key));
    }
    lines
}

fn names(view: &ListingView, page: &ListingPage) -> String {
    let keys = page.folders.iter().chain(page.objects.iter().map(|object| &object.key));
    keys.fold(String::new(), |mut names, key| {
        writeln!(names, "{}", printable(view.name(key))).expect("a String takes every write");
        names
    })
}

/// A name that does nothing to a terminal. Only names that no request can speak of are changed by it.
pub(super) fn printable(name: &str) -> String {
    name.chars()
        .fold(String::with_capacity(name.len()), |mut printable, char| {
            if char.is_control() {
                printable.extend(char.escape_default());
            } else {
                printable.push(char);
            }
            printable
        })
}
