//! `signpost stat`.

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

use super::{TransferSession, header, parse_object_urls, run_each};
use crate::checksum::ContentChecksum;
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::StatOptions;
use crate::progress::ProgressMode;

const METADATA_PREFIX: &str = "x-amz-meta-";

/// The reported properties of an object, and their headers.
const REPORTED_HEADERS: [(&str, &str); 6] = [
    ("type", "content-type"),
    ("modified", "last-modified"),
    ("etag", "etag"),
    ("version", "x-amz-version-id"),
    ("storage class", "x-amz-storage-class"),
    ("encryption", "x-amz-server-side-encryption"),
];

pub(super) async fn stat(
    options: &StatOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let StatOptions {
        objects,
        consume_use,
        connection,
    } = options;
    let object_urls = parse_object_urls(objects, connection, context)?;
    if !consume_use && object_urls.iter().any(ObjectUrl::has_limited_uses) {
        return Err(
            OperationError::usage("the share link has a limited number of uses, and `stat` consumes one")
                .with_remedy("Add --consume-use to do it anyway."),
        );
    }
    let session = TransferSession::open(&object_urls, connection, ProgressMode::None, context)?;
    let stat_one = async |object_url: &ObjectUrl| match session.head_object(object_url).await {
        Ok(headers) => {
            session
                .console
                .report_success_lines(outcome(object_url, &headers), &text_lines(object_url, &headers));
            ExitStatus::Success
        }
        Err(error) => {
            let outcome = ObjectOutcome::new("stat", object_url.url());
            session
                .console
                .report_failure(outcome, &format!("failed to read the metadata of {object_url}"), &error)
        }
    };
    Ok(run_each(&object_urls, stat_one).await)
}

fn outcome(object_url: &ObjectUrl, headers: &HeaderMap) -> ObjectOutcome {
    let known = ObjectOutcome::new("stat", object_url.url()).with_optional("bytes", bytes(headers));
    let known = REPORTED_HEADERS.iter().fold(known, |known, (name, from)| {
        known.with_optional(&name.replace(' ', "_"), header(headers, from))
    });
    let metadata: Map<_, _> = metadata(headers)
        .map(|(name, value)| (name, Value::from(value)))
        .collect();
    known
        .with_optional(
            "checksum",
            ContentChecksum::from_headers(headers).map(|sum| sum.to_string()),
        )
        .with_field("metadata", metadata)
}

fn text_lines(object_url: &ObjectUrl, headers: &HeaderMap) -> Vec<String> {
    let size = bytes(headers).map(|bytes| ("bytes".to_owned(), bytes.to_string()));
    let rows = REPORTED_HEADERS
        .iter()
        .filter_map(|(name, from)| Some(((*name).to_owned(), header(headers, from)?)));
    let checksum = ContentChecksum::from_headers(headers).map(|sum| ("checksum".to_owned(), sum.to_string()));
    let metadata = metadata(headers).map(|(name, value)| (format!("metadata {name}"), value));
    let lines = size.into_iter().chain(rows).chain(checksum).chain(metadata);
    let lines = lines.map(|(name, value)| format!("  {:<16}{value}", format!("{name}:")));
    std::iter::once(object_url.to_string()).chain(lines).collect()
}

fn bytes(headers: &HeaderMap) -> Option<u64> {
    header(headers, "content-length")?.parse().ok()
}

fn metadata(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> {
    headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(METADATA_PREFIX)?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    })
}
