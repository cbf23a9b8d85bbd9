//! `signpost stat`.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::{Session, each, header, objects};
use crate::checksum::Checksum;
use crate::console::Outcome;
use crate::context::Context;
use crate::options::Connection;
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;

const METADATA: &str = "x-amz-meta-";

/// What is told of an object, and the header that tells it.
const TOLD: [(&str, &str); 6] = [
    ("type", "content-type"),
    ("modified", "last-modified"),
    ("etag", "etag"),
    ("version", "x-amz-version-id"),
    ("storage class", "x-amz-storage-class"),
    ("encryption", "x-amz-server-side-encryption"),
];

pub(super) async fn stat(
    texts: &[String],
    connection: &Connection,
    context: &mut Context<'_, '_>,
) -> Result<Ending, Problem> {
    let places = objects(texts, connection, context)?;
    let session = Session::open(&places, connection, Mode::None, context)?;
    let look = async |place: &Place| match session.head(place).await {
        Ok(headers) => {
            session
                .console
                .done_in_lines(outcome(place, &headers), &words(place, &headers));
            Ending::Done
        }
        Err(problem) => {
            let outcome = Outcome::of("stat", place.url());
            session
                .console
                .failed(outcome, &format!("can't look at {place}"), &problem)
        }
    };
    Ok(each(&places, look).await)
}

fn outcome(place: &Place, headers: &HeaderMap) -> Outcome {
    let known = Outcome::of("stat", place.url()).with_known("bytes", bytes(headers));
    let known = TOLD.iter().fold(known, |known, (name, from)| {
        known.with_known(&name.replace(' ', "_"), header(headers, from))
    });
    let metadata: Map<_, _> = metadata(headers)
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    known
        .with_known("checksum", Checksum::of_answer(headers).map(|sum| sum.to_string()))
        .with("metadata", metadata)
}

fn words(place: &Place, headers: &HeaderMap) -> Vec<String> {
    let size = bytes(headers).map(|bytes| ("bytes".to_owned(), bytes.to_string()));
    let told = TOLD
        .iter()
        .filter_map(|(name, from)| Some(((*name).to_owned(), header(headers, from)?)));
    let checksum = Checksum::of_answer(headers).map(|sum| ("checksum".to_owned(), sum.to_string()));
    let metadata = metadata(headers).map(|(name, value)| (format!("metadata {name}"), value));
    let lines = size.into_iter().chain(told).chain(checksum).chain(metadata);
    let lines = lines.map(|(name, value)| format!("  {:<16}{value}", format!("{name}:")));
    std::iter::once(place.to_string()).chain(lines).collect()
}

fn bytes(headers: &HeaderMap) -> Option<u64> {
    header(headers, "content-length")?.parse().ok()
}

fn metadata(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(METADATA)?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    })
}
