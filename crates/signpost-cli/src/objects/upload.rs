//! One object, to S3 in one request.

use reqwest::Method;

use super::{Session, header};
use crate::checksum::{Algorithm, Checksum};
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;
use crate::service::Query;
use crate::source::Source;

/// An object on its way to S3.
pub(super) struct Upload<'a> {
    pub(super) session: &'a Session,
    pub(super) place: &'a Place,
    pub(super) about: &'a About,
}

/// What is to be kept with the object.
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
}

impl Upload<'_> {
    /// Stores these bytes.
    pub(super) async fn run(&self, source: &Source) -> Result<Stored, Problem> {
        let checksum = source.checksum(Algorithm::Crc64Nvme).await?;
        let query = self.query(source.len(), &checksum);
        let etag = self
            .session
            .persist(async |failures| match self.attempt(source, &query).await {
                // An attempt whose answer was lost may have stored the object, and now be in its own way.
                Err(problem) if problem.ending == Ending::Conflict && failures > 0 => {
                    self.stored_already(&checksum).await.ok_or(problem)
                }
                attempted => attempted,
            })
            .await
            .map_err(|problem| self.occupied(problem))?;
        Ok(Stored {
            bytes: source.len(),
            checksum,
            etag,
        })
    }

    async fn attempt(&self, source: &Source, query: &Query) -> Result<Option<String>, Problem> {
        let service = &self.session.service;
        let instruction = service.instruction(Method::PUT, self.place, query).await?;
        let response = self.session.store.upload(&instruction, source).await?;
        Ok(header(response.headers(), "etag"))
    }

    fn query(&self, len: u64, checksum: &Checksum) -> Query {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let name = format!("checksum-{}", checksum.algorithm.name());
        let mut query = vec![pair("contentLength", &len.to_string()), (name, checksum.value.clone())];
        query.extend(
            self.about
                .content_type
                .as_deref()
                .map(|media| pair("contentType", media)),
        );
        query.extend(self.about.no_clobber.then(|| pair("ifNoneMatch", "*")));
        let metadata = self.about.metadata.iter();
        query.extend(metadata.map(|(name, value)| (format!("meta-{name}"), value.clone())));
        query
    }

    /// The `ETag` of the object that is there, if it has the same bytes.
    async fn stored_already(&self, checksum: &Checksum) -> Option<Option<String>> {
        let headers = self.session.head(self.place).await.ok()?;
        let same = Checksum::of_answer(&headers).as_ref() == Some(checksum);
        same.then(|| header(&headers, "etag"))
    }

    /// Says what a failed `If-None-Match` means here.
    fn occupied(&self, problem: Problem) -> Problem {
        if problem.ending != Ending::Conflict {
            return problem;
        }
        let exists = Problem::new(Ending::Conflict, format!("{} exists", self.place));
        if self.about.no_clobber {
            return exists;
        }
        exists.advising("The rules of the service let nobody replace an object: delete it first, or use another name.")
    }
}
