//! `signpost uploads`: what has begun in parts, and not ended.

use reqwest::Method;
use serde::Deserialize;

use super::listing::{Pages, check_prefix};
use super::{Session, each, places};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::UploadsOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;
use crate::service::{Query, Wish, no_signpost};

#[derive(Deserialize)]
struct Page {
    prefix: String,
    uploads: Vec<Pending>,
    next: Option<String>,
}

/// An upload, as the service lists it.
#[derive(Deserialize)]
struct Pending {
    key: String,
    name: String,
    upload_id: String,
    initiated: Option<String>,
}

pub(super) async fn uploads(options: &UploadsOptions, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    let places = places(&options.prefixes, &options.connection, context)?;
    let session = Session::open(&places, &options.connection, Mode::None, context)?;
    let mut pending = Vec::new();
    let mut endings = Vec::new();
    for place in &places {
        let prefix = place.as_prefix();
        match list(&session, &prefix).await {
            Ok(found) => pending.extend(found.into_iter().map(|found| (prefix.clone(), found))),
            Err(problem) => {
                let outcome = Outcome::of("uploads", place.url());
                endings.push(
                    session
                        .console
                        .failed(outcome, &format!("can't list {place}"), &problem),
                );
            }
        }
    }
    let settle = async |(prefix, pending): (Place, Pending)| settle(&session, &prefix, &pending, options.abort).await;
    endings.push(each(pending, settle).await);
    Ok(each(endings, async |ending| ending).await)
}

async fn list(session: &Session, prefix: &Place) -> Result<Vec<Pending>, Problem> {
    let mut pending = Vec::new();
    let mut pages = Pages::default();
    loop {
        let mut query: Query = vec![("uploads".to_owned(), String::new())];
        query.extend(pages.query());
        let answer = session
            .persist(async |_| session.service.json(prefix, &query).await)
            .await?;
        let page: Page = serde_json::from_slice(&answer).map_err(|_| no_signpost(prefix))?;
        check_prefix(&session.service, prefix, &page.prefix)?;
        pending.extend(page.uploads);
        if !pages.turn(page.next)? {
            return Ok(pending);
        }
    }
}

async fn settle(session: &Session, prefix: &Place, pending: &Pending, abort: bool) -> Ending {
    let outcome = Outcome::of("uploads", prefix.url())
        .with("key", pending.key.clone())
        .with("upload_id", pending.upload_id.clone())
        .with_known("initiated", pending.initiated.clone());
    let initiated = pending.initiated.as_deref().unwrap_or("-");
    if !abort {
        session
            .console
            .done(outcome, &format!("{initiated:<20}  {}", pending.name));
        return Ending::Done;
    }
    match end(session, prefix, pending).await {
        Ok(()) => {
            session
                .console
                .done(outcome.with("aborted", true), &format!("aborted  {}", pending.name));
            Ending::Done
        }
        Err(problem) => session.console.failed(
            outcome,
            &format!("can't abort the upload of {}", pending.name),
            &problem,
        ),
    }
}

async fn end(session: &Session, prefix: &Place, pending: &Pending) -> Result<(), Problem> {
    let wish = Wish {
        method: Method::DELETE,
        place: prefix.join(&pending.name)?,
        query: vec![("uploadId".to_owned(), pending.upload_id.clone())],
    };
    let aborted = session.persist(async |_| {
        let instruction = session.service.instruction(wish.clone()).await?;
        session.store.send(&instruction, &[]).await
    });
    aborted.await.map(drop)
}
