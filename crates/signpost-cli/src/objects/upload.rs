//! One object, to S3: in one request, or in parts where it is large.

use std::sync::Arc;

use reqwest::Method;

use super::early::Early;
use super::parts::InParts;
use super::{Session, header};
use crate::checksum::Checksum;
use crate::multipart::ALGORITHM;
use crate::place::Place;
use crate::plan::SINGLE_UPLOAD;
use crate::problem::Problem;
use crate::report::Ending;
use crate::service::{Query, Wish};
use crate::source::Source;
use crate::tree::Opened;

/// An object on its way to S3.
#[derive(Clone)]
pub(super) struct Upload<'a> {
    pub(super) session: &'a Session,
    pub(super) place: Place,
    pub(super) about: Arc<About>,
    pub(super) wanted: Wanted,
}

/// When an upload has done what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It has made the object.
    Made,
    /// The object is there, with these bytes: a folder may go up again.
    There,
}

/// What is to be kept with the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) content_type: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) no_clobber: bool,
}

/// What came of it.
pub(super) struct Stored {
    pub(super) bytes: u64,
    /// S3 has compared it with the bytes that arrived.
    pub(super) checksum: Checksum,
    pub(super) etag: Option<String>,
    /// The bytes that were there before.
    pub(super) kept: u64,
}

impl Upload<'_> {
    /// Stores a file.
    pub(super) async fn file(&self, opened: &Opened) -> Result<Stored, Problem> {
        let progress = &self.session.progress;
        let stored = if opened.source.len() < SINGLE_UPLOAD {
            self.whole(&opened.source).await
        } else {
            let _turn = self.session.large.acquire().await.expect("it is never closed");
            InParts::new(self, opened).run().await
        };
        if stored.is_ok() {
            progress.file_done();
        }
        stored
    }

    /// Stores these bytes in one request.
    pub(super) async fn whole(&self, source: &Source) -> Result<Stored, Problem> {
        let session = self.session;
        let checksum = source.checksum(ALGORITHM).await?;
        let wish = self.wish(Method::PUT, self.query_of_put(source.len(), &checksum));
        let mut early = Early::ask(session, wish).await;
        let _lane = session.lanes.enter(source.len()).await;
        let mut kept = 0;
        let etag = session
            .persist(async |failures| {
                let instruction = early.take().await?;
                match session.store.upload(&instruction, source, &session.progress).await {
                    Ok(response) => Ok(header(response.headers(), "etag")),
                    // An attempt whose answer was lost may have stored the object, and now be in its own way.
                    Err(problem) if problem.ending == Ending::Conflict && failures > 0 => {
                        self.stored_already(&checksum).await.ok_or(problem)
                    }
                    Err(problem) if self.wanted == Wanted::There && is_in_the_way(&problem) => {
                        let etag = self.stored_already(&checksum).await.ok_or(problem)?;
                        session.progress.skip(source.len());
                        kept = source.len();
                        Ok(etag)
                    }
                    Err(problem) => Err(problem),
                }
            })
            .await
            .map_err(|problem| self.occupied(problem))?;
        Ok(Stored {
            bytes: source.len(),
            checksum,
            etag,
            kept,
        })
    }

    pub(super) fn wish(&self, method: Method, query: Query) -> Wish {
        Wish {
            method,
            place: self.place.clone(),
            query,
        }
    }

    fn query_of_put(&self, len: u64, checksum: &Checksum) -> Query {
        let mut query = vec![pair("contentLength", &len), checksum_pair(checksum)];
        query.extend(self.about.no_clobber.then(|| pair("ifNoneMatch", "*")));
        query.extend(self.about.query());
        query
    }

    /// The `ETag` of the object that is there, if it has the same bytes.
    pub(super) async fn stored_already(&self, checksum: &Checksum) -> Option<Option<String>> {
        let headers = self.session.head(&self.place).await.ok()?;
        let same = Checksum::of_answer(&headers).as_ref() == Some(checksum);
        same.then(|| header(&headers, "etag"))
    }

    /// Says what a failed `If-None-Match` means here.
    pub(super) fn occupied(&self, problem: Problem) -> Problem {
        if !is_in_the_way(&problem) {
            return problem;
        }
        let exists = Problem::new(Ending::Conflict, format!("{} exists", self.place));
        if self.about.no_clobber {
            return exists;
        }
        exists.advising("The rules of the service let nobody replace an object: delete it first, or use another name.")
    }
}

/// Whether the object exists. What has no code was found out here, and is another conflict.
fn is_in_the_way(problem: &Problem) -> bool {
    problem.ending == Ending::Conflict && problem.code.is_some()
}

impl About {
    /// What is told of the object, whichever way it goes up.
    pub(super) fn query(&self) -> Query {
        let media = self.content_type.as_deref().map(|media| pair("contentType", media));
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(name, value)| (format!("meta-{name}"), value.clone()));
        media.into_iter().chain(metadata).collect()
    }
}

pub(super) fn pair(name: &str, value: &(impl ToString + ?Sized)) -> (String, String) {
    (name.to_owned(), value.to_string())
}

pub(super) fn checksum_pair(checksum: &Checksum) -> (String, String) {
    (
        format!("checksum-{}", checksum.algorithm.name()),
        checksum.value.clone(),
    )
}
