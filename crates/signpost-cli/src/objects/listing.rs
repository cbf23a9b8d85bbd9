//! Lists a prefix: for `signpost ls` and `get -r`.

use std::collections::{HashSet, VecDeque};

use bytesize::ByteSize;
use signpost::wire::{FolderEntry, ListingBody, ObjectEntry};

use super::{TransferSession, parse_urls, run_each};
use crate::command_context::CommandContext;
use crate::console_output::ObjectOutcome;
use crate::exit_status::ExitStatus;
use crate::object_url::ObjectUrl;
use crate::operation_error::OperationError;
use crate::options::ListOptions;
use crate::progress::ProgressMode;
use crate::signing_service::{QueryParameters, SigningService, key_mismatch, unexpected_response};

/// A listing that is read page by page. A recursive one continues in the folders of its pages: they lead to other buckets, or to
/// objects that the caller may list.
pub(super) struct PrefixListing<'a> {
    session: &'a TransferSession,
    prefix: &'a ObjectUrl,
    recursive: bool,
}

pub(super) async fn list(
    options: &ListOptions,
    context: &mut CommandContext<'_, '_>,
) -> Result<ExitStatus, OperationError> {
    let object_urls = parse_urls(&options.prefixes, &options.connection, context)?;
    let session = TransferSession::open(&object_urls, &options.connection, ProgressMode::None, context)?;
    let list = async |object_url: &ObjectUrl| match list_one(&session, object_url, options).await {
        Ok(()) => ExitStatus::Success,
        Err(error) => {
            let outcome = ObjectOutcome::new("ls", object_url.url());
            session
                .console
                .report_failure(outcome, &format!("failed to list {object_url}"), &error)
        }
    };
    // Prefixes are listed in order, so that the lines of one prefix are not mixed with others.
    let mut exit_statuses = Vec::new();
    for object_url in &object_urls {
        exit_statuses.push(list(object_url).await);
    }
    Ok(run_each(exit_statuses, async |exit_status| exit_status).await)
}

async fn list_one(
    session: &TransferSession,
    object_url: &ObjectUrl,
    options: &ListOptions,
) -> Result<(), OperationError> {
    let prefix = object_url.as_prefix();
    let listing = PrefixListing::new(session, &prefix, options.recursive);
    let report = |page: ListingBody, base: &str| {
        for folder in &page.folders {
            let outcome = ObjectOutcome::new("ls", prefix.url()).with_field("key", folder.key.clone());
            session.console.report_success(
                outcome.with_field("folder", true),
                &listing_line("", "", name_below(base, &folder.key), options),
            );
        }
        for object in &page.objects {
            let outcome = ObjectOutcome::new("ls", prefix.url())
                .with_field("key", object.key.clone())
                .with_field("bytes", object.size)
                .with_optional("modified", object.modified.clone())
                .with_optional("etag", object.etag.clone())
                .with_optional("storage_class", object.storage_class.clone());
            let size = ByteSize(object.size).display().iec().to_string();
            let modified = object.modified.as_deref().unwrap_or_default();
            session.console.report_success(
                outcome,
                &listing_line(&size, modified, name_below(base, &object.key), options),
            );
        }
    };
    listing.for_each_page(report).await
}

/// The key without the prefix of the listing.
fn name_below<'a>(prefix: &str, key: &'a str) -> &'a str {
    key.strip_prefix(prefix).unwrap_or(key)
}

/// A line of text output.
fn listing_line(size: &str, modified: &str, name: &str, options: &ListOptions) -> String {
    if options.long {
        format!("{size:>10}  {modified:<20}  {name}")
    } else {
        name.to_owned()
    }
}

impl<'a> PrefixListing<'a> {
    pub(super) const fn new(session: &'a TransferSession, prefix: &'a ObjectUrl, recursive: bool) -> Self {
        Self {
            session,
            prefix,
            recursive,
        }
    }

    /// The names of all objects, relative to the prefix, and their lengths.
    pub(super) async fn object_names(&self) -> Result<Vec<(String, u64)>, OperationError> {
        let mut names = Vec::new();
        self.for_each_page(|page, base| {
            let below = |object: ObjectEntry| Some((object.key.strip_prefix(base)?.to_owned(), object.size));
            names.extend(page.objects.into_iter().filter_map(below));
        })
        .await?;
        Ok(names)
    }

    /// Calls `visit` with each page, and with the key of the prefix.
    async fn for_each_page(&self, mut visit: impl FnMut(ListingBody, &str)) -> Result<(), OperationError> {
        let mut base = None;
        let mut prefixes = VecDeque::from([self.prefix.clone()]);
        while let Some(prefix) = prefixes.pop_front() {
            let mut pages = PageCursor::default();
            loop {
                let mut page = self.page(&prefix, &pages).await?;
                let next = page.next.take();
                if self.recursive {
                    for folder in std::mem::take(&mut page.folders) {
                        prefixes.push_back(folder_below(&prefix, &page.prefix, &folder)?);
                    }
                }
                let base: &String = base.get_or_insert_with(|| page.prefix.clone());
                visit(page, base);
                if !pages.advance(next)? {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn page(&self, prefix: &ObjectUrl, pages: &PageCursor) -> Result<ListingBody, OperationError> {
        let mut query: QueryParameters = Vec::new();
        query.extend(self.recursive.then(|| ("recursive".to_owned(), String::new())));
        query.extend(pages.query());
        let service = &self.session.service;
        let body = self
            .session
            .with_retries(async |_| service.get_json(prefix, &query).await)
            .await?;
        let page: ListingBody = serde_json::from_slice(&body).map_err(|_| unexpected_response(prefix))?;
        check_prefix(service, prefix, &page.prefix)?;
        Ok(page)
    }
}

/// The URL of a folder in the listing of `prefix`, whose key is `key`. Every folder is below the prefix, so the listing ends.
fn folder_below(prefix: &ObjectUrl, key: &str, folder: &FolderEntry) -> Result<ObjectUrl, OperationError> {
    let name = folder.key.strip_prefix(key).filter(|name| name.ends_with('/'));
    prefix.join(name.ok_or_else(|| unexpected_response(prefix))?)
}

/// Rejects a page of another prefix: the front may have changed the path.
pub(super) fn check_prefix(
    service: &SigningService,
    requested: &ObjectUrl,
    actual: &str,
) -> Result<(), OperationError> {
    let matches = if actual.is_empty() {
        service.may_be_root(requested)
    } else {
        requested.base_for_key(actual).is_some()
    };
    if matches { Ok(()) } else { Err(key_mismatch(requested)) }
}

/// The position in a listing, and the pages that have been read.
#[derive(Debug, Default)]
pub(super) struct PageCursor {
    seen: HashSet<String>,
    token: Option<String>,
}

impl PageCursor {
    /// The query parameter of the next page.
    pub(super) fn query(&self) -> Option<(String, String)> {
        self.token.as_ref().map(|token| ("next".to_owned(), token.clone()))
    }

    /// Advances to the page `next`. Returns an error for a repeated page, because the listing would never end.
    pub(super) fn advance(&mut self, next: Option<String>) -> Result<bool, OperationError> {
        self.token = next;
        match &self.token {
            Some(token) if !self.seen.insert(token.clone()) => {
                Err(OperationError::new(ExitStatus::Failure, "the listing repeats a page"))
            }
            token => Ok(token.is_some()),
        }
    }
}
