//! Parses the XML of listings and errors of S3.

use std::time::SystemTime;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

use crate::encoding::form_decode;
use crate::operation::Listing;
use crate::plan::{ListedObject, ListingPage, PendingUpload, UploadMarker};

/// A child of the root element: an entry with its fields, or a field of the page itself.
struct XmlElement {
    name: String,
    text: String,
    fields: Vec<(String, String)>,
}

/// Parses a page of `listing`, whose keys have `encoding-type=url`.
pub(super) fn parse_page(xml: &str, listing: Listing) -> Result<ListingPage, String> {
    let root = match listing {
        Listing::Objects => "ListBucketResult",
        Listing::Uploads => "ListMultipartUploadsResult",
    };
    let elements = elements(xml, root)?;
    let mut page = ListingPage::default();
    for element in &elements {
        match element.name.as_str() {
            "CommonPrefixes" => page.folders.extend(element.key("Prefix")),
            "Contents" => page.objects.extend(element.stored()),
            "Upload" => page.uploads.extend(element.pending()),
            _ => {}
        }
    }
    let field = |name| elements.iter().find(|element| element.name == name);
    if field("IsTruncated").is_some_and(|truncated| truncated.text == "true") {
        let next = match listing {
            Listing::Objects => field("NextContinuationToken").map(|token| token.text.clone()),
            Listing::Uploads => field("NextKeyMarker").and_then(|key| {
                let id = field("NextUploadIdMarker").map(|id| id.text.clone());
                Some(marker(decode(&key.text)?, id))
            }),
        };
        page.next = Some(next.ok_or("it is truncated and has no continuation")?);
    }
    Ok(page)
}

/// Returns code and message of an error, or `-` if they are missing.
pub(super) fn parse_error(xml: &str) -> (String, String) {
    let elements = elements(xml, "Error").unwrap_or_default();
    let field = |name| elements.iter().find(|element| element.name == name);
    let text = |name| field(name).map_or_else(|| "-".to_owned(), |element| element.text.clone());
    (text("Code"), text("Message"))
}

fn marker(key: String, upload_id: Option<String>) -> String {
    let upload_id = upload_id.filter(|id| !id.is_empty());
    UploadMarker { key, upload_id }.encode()
}

impl XmlElement {
    fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.fields.iter().filter(move |(found, _)| found == name);
        named.map(|(_, text)| text.as_str())
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = self.texts(name).next().map(str::to_owned);
        text.filter(|text| !text.is_empty())
    }

    /// Returns a key. A key that is not UTF-8 is skipped, because no request can name it.
    fn key(&self, name: &str) -> Option<String> {
        decode(self.texts(name).next()?)
    }

    fn time(&self, name: &str) -> Option<SystemTime> {
        humantime::parse_rfc3339(self.texts(name).next()?).ok()
    }

    fn stored(&self) -> Option<ListedObject> {
        Some(ListedObject {
            key: self.key("Key")?,
            size: self.texts("Size").next()?.parse().ok()?,
            modified: self.time("LastModified"),
            etag: self.text("ETag"),
            checksum_algorithm: self.texts("ChecksumAlgorithm").map(str::to_owned).collect(),
            checksum_type: self.text("ChecksumType"),
            storage_class: self.text("StorageClass"),
        })
    }

    fn pending(&self) -> Option<PendingUpload> {
        Some(PendingUpload {
            key: self.key("Key")?,
            upload_id: self.text("UploadId")?,
            initiated: self.time("Initiated"),
            storage_class: self.text("StorageClass"),
        })
    }
}

/// Decodes a key. S3 writes a space as `+`, and a plus as `%2B`.
fn decode(text: &str) -> Option<String> {
    form_decode(text).ok()
}

/// Returns the children of the root element, which must have this name, with their own children.
fn elements(xml: &str, root: &str) -> Result<Vec<XmlElement>, String> {
    let mut reader = Reader::from_str(xml);
    let mut elements: Vec<XmlElement> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                open_element(&mut elements, &path, &name);
                path.push(name);
            }
            Event::Empty(empty) => {
                let name = String::from_utf8_lossy(empty.local_name().as_ref()).into_owned();
                open_element(&mut elements, &path, &name);
                if path.is_empty() && name == root {
                    return Ok(elements);
                }
            }
            Event::End(_) => {
                let closed = path.pop();
                if path.is_empty() {
                    let named = closed.filter(|name| name == root);
                    return named.map(|_| elements).ok_or_else(|| format!("its root is not {root}"));
                }
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|error| error.to_string())?;
                append_text(&mut elements, path.len(), &text);
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|error| error.to_string())?;
                append_text(&mut elements, path.len(), &text);
            }
            Event::GeneralRef(reference) => append_text(&mut elements, path.len(), &resolve_reference(&reference)?),
            Event::Eof => return Err("it is incomplete".into()),
            Event::Decl(_) | Event::PI(_) | Event::DocType(_) | Event::Comment(_) => {}
        }
    }
}

fn open_element(elements: &mut Vec<XmlElement>, path: &[String], name: &str) {
    match path.len() {
        1 => elements.push(XmlElement {
            name: name.to_owned(),
            text: String::new(),
            fields: Vec::new(),
        }),
        2 => {
            if let Some(element) = elements.last_mut() {
                element.fields.push((name.to_owned(), String::new()));
            }
        }
        _ => {}
    }
}

fn append_text(elements: &mut [XmlElement], depth: usize, text: &str) {
    let Some(element) = elements.last_mut() else { return };
    match depth {
        2 => element.text.push_str(text),
        3 => {
            if let Some((_, field)) = element.fields.last_mut() {
                field.push_str(text);
            }
        }
        _ => {}
    }
}

/// Returns the text of a character reference or of one of the five predefined entities.
fn resolve_reference(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(char) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(char.to_string());
    }
    let name = reference.decode().map_err(|error| error.to_string())?;
    let known = quick_xml::escape::resolve_xml_entity(&name);
    known
        .map(str::to_owned)
        .ok_or_else(|| "it has an unknown entity".into())
}
