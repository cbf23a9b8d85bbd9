//! What is below a prefix: `signpost ls`, and what `get -r` asks before it begins.

use std::collections::{HashSet, VecDeque};

use bytesize::ByteSize;
use serde::Deserialize;

use super::{Session, each, places};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::ListOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;
use crate::service::{Query, Service, another_place, no_signpost};

/// A listing that is read page by page.
pub(super) struct Listing<'a> {
    session: &'a Session,
    prefix: &'a Place,
    recursive: bool,
}

/// One page.
#[derive(Debug, Deserialize)]
struct Page {
    prefix: String,
    #[serde(default)]
    folders: VecDeque<Folder>,
    #[serde(default)]
    objects: VecDeque<Listed>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Folder {
    name: String,
    key: String,
}

/// An object, as the service lists it.
#[derive(Debug, Deserialize)]
struct Listed {
    name: String,
    key: String,
    size: u64,
    modified: Option<String>,
    etag: Option<String>,
    storage_class: Option<String>,
}

pub(super) async fn list(options: &ListOptions, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    let places = places(&options.prefixes, &options.connection, context)?;
    let session = Session::open(&places, &options.connection, Mode::None, context)?;
    let list = async |place: &Place| match list_one(&session, place, options).await {
        Ok(()) => Ending::Done,
        Err(problem) => {
            let outcome = Outcome::of("ls", place.url());
            session
                .console
                .failed(outcome, &format!("can't list {place}"), &problem)
        }
    };
    // One after the other: what is listed of one stands together.
    let mut ended = Vec::new();
    for place in &places {
        ended.push(list(place).await);
    }
    Ok(each(ended, async |ending| ending).await)
}

async fn list_one(session: &Session, place: &Place, options: &ListOptions) -> Result<(), Problem> {
    let prefix = place.as_prefix();
    let listing = Listing::new(session, &prefix, options.recursive);
    let mut pages = Pages::default();
    loop {
        let page = listing.page(&pages).await?;
        for folder in &page.folders {
            let outcome = Outcome::of("ls", prefix.url()).with("key", folder.key.clone());
            session
                .console
                .done(outcome.with("folder", true), &line("", "", &folder.name, options));
        }
        for object in &page.objects {
            let outcome = Outcome::of("ls", prefix.url())
                .with("key", object.key.clone())
                .with("bytes", object.size)
                .with_known("modified", object.modified.clone())
                .with_known("etag", object.etag.clone())
                .with_known("storage_class", object.storage_class.clone());
            let size = ByteSize(object.size).display().iec().to_string();
            let modified = object.modified.as_deref().unwrap_or_default();
            session
                .console
                .done(outcome, &line(&size, modified, &object.name, options));
        }
        if !pages.turn(page.next)? {
            return Ok(());
        }
    }
}

/// A line for people.
fn line(size: &str, modified: &str, name: &str, options: &ListOptions) -> String {
    if options.long {
        format!("{size:>10}  {modified:<20}  {name}")
    } else {
        name.to_owned()
    }
}

impl<'a> Listing<'a> {
    pub(super) const fn new(session: &'a Session, prefix: &'a Place, recursive: bool) -> Self {
        Self {
            session,
            prefix,
            recursive,
        }
    }

    /// The names of all objects, relative to the prefix, and their lengths.
    pub(super) async fn names(&self) -> Result<Vec<(String, u64)>, Problem> {
        let mut names = Vec::new();
        let mut pages = Pages::default();
        loop {
            let page = self.page(&pages).await?;
            let below = |object: Listed| Some((object.key.strip_prefix(&page.prefix)?.to_owned(), object.size));
            names.extend(page.objects.into_iter().filter_map(below));
            if !pages.turn(page.next)? {
                return Ok(names);
            }
        }
    }

    async fn page(&self, pages: &Pages) -> Result<Page, Problem> {
        let mut query: Query = Vec::new();
        query.extend(self.recursive.then(|| ("recursive".to_owned(), String::new())));
        query.extend(pages.query());
        let service = &self.session.service;
        let answer = self
            .session
            .persist(async |_| service.json(self.prefix, &query).await)
            .await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| no_signpost(self.prefix))?;
        check_prefix(service, self.prefix, &page.prefix)?;
        Ok(page)
    }
}

/// Refuses a page of another prefix: the front may have changed the path.
pub(super) fn check_prefix(service: &Service, asked: &Place, told: &str) -> Result<(), Problem> {
    let is_it = if told.is_empty() {
        service.is_whole(asked)
    } else {
        asked.base(told).is_some()
    };
    if is_it { Ok(()) } else { Err(another_place(asked)) }
}

/// Where the pages of a listing have begun.
#[derive(Debug, Default)]
pub(super) struct Pages {
    begun: HashSet<String>,
    token: Option<String>,
}

impl Pages {
    /// What is asked for the page that comes.
    pub(super) fn query(&self) -> Option<(String, String)> {
        self.token.as_ref().map(|token| ("next".to_owned(), token.clone()))
    }

    /// Goes on to the page at `next`, if there is one. Pages that come round again would never end.
    pub(super) fn turn(&mut self, next: Option<String>) -> Result<bool, Problem> {
        self.token = next;
        match &self.token {
            Some(token) if !self.begun.insert(token.clone()) => Err(Problem::new(
                Ending::Failed,
                "the listing leads back to a page that has been told already",
            )),
            token => Ok(token.is_some()),
        }
    }
}
