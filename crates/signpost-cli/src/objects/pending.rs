//! An upload in parts that S3 knows: each of its steps, asked for and sent.

use std::collections::BTreeMap;

use reqwest::Method;

use super::early::Early;
use super::upload::{Upload, checksum_pair, pair};
use super::{Session, header};
use crate::checksum::Checksum;
use crate::multipart::{self, Listed, Part};
use crate::problem::Problem;
use crate::report::Ending;
use crate::service::Query;
use crate::source::Source;
use crate::store;

/// The most that is asked for in one page of parts.
const PAGE: u32 = 1000;

/// An upload that S3 knows.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) id: String,
}

impl Pending {
    /// Begins an upload in parts.
    pub(super) async fn begin(upload: &Upload<'_>, len: Option<u64>) -> Result<Self, Problem> {
        let mut query = vec![
            pair("uploads", ""),
            pair("checksum-algorithm", "CRC64NVME"),
            pair("checksum-type", "FULL_OBJECT"),
        ];
        query.extend(len.map(|len| pair("contentLength", &len)));
        query.extend(upload.about.query());
        let answer = exchange(upload, Method::POST, &query, "").await?;
        let id = multipart::upload_id(&answer);
        let id = id.ok_or_else(|| Problem::new(Ending::Failed, "the answer of S3 names no upload"))?;
        Ok(Self { id })
    }

    /// Asks for the URL of a part.
    pub(super) async fn early<'a>(&self, upload: &Upload<'a>, number: u32, len: u64, checksum: &Checksum) -> Early<'a> {
        let query = vec![
            pair("partNumber", &number),
            pair("uploadId", &self.id),
            pair("contentLength", &len),
            checksum_pair(checksum),
        ];
        Early::ask(upload.session, upload.wish(Method::PUT, query)).await
    }

    /// The parts that S3 has.
    pub(super) async fn parts(&self, upload: &Upload<'_>) -> Result<BTreeMap<u32, Listed>, Problem> {
        let mut parts = BTreeMap::new();
        let mut marker = None;
        loop {
            let mut query = vec![pair("uploadId", &self.id), pair("max-parts", &PAGE)];
            query.extend(marker.map(|marker: u32| pair("part-number-marker", &marker)));
            let answer = exchange(upload, Method::GET, &query, "").await?;
            let page = multipart::page(&answer);
            let page = page.ok_or_else(|| Problem::new(Ending::Failed, "the answer of S3 lists no parts"))?;
            marker = page.next();
            parts.extend(page.parts.into_iter().map(|part| (part.part_number, part)));
            if marker.is_none() {
                return Ok(parts);
            }
        }
    }

    /// Has S3 put the object together, and compare its checksum.
    pub(super) async fn complete(
        &self,
        upload: &Upload<'_>,
        parts: &[Part],
        checksum: &Checksum,
        len: u64,
    ) -> Result<Option<String>, Problem> {
        let mut query: Query = vec![
            pair("uploadId", &self.id),
            checksum_pair(checksum),
            pair("checksum-type", "FULL_OBJECT"),
            pair("mp-object-size", &len),
        ];
        query.extend(upload.about.no_clobber.then(|| pair("ifNoneMatch", "*")));
        let document = multipart::completion(parts);
        let session = upload.session;
        let completed = session.persist(async |failures| {
            let wish = upload.wish(Method::POST, query.clone());
            let instruction = session.service.instruction(wish).await?;
            let told = session.store.exchange(&instruction, document.clone()).await;
            let told = told.and_then(|answer| assembled(&answer));
            match told {
                // An attempt whose answer was lost may have done it.
                Err(problem) if failures > 0 && matches!(problem.ending, Ending::Conflict | Ending::NotFound) => {
                    upload.stored_already(checksum).await.ok_or(problem)
                }
                told => told,
            }
        });
        completed.await.map_err(|problem| upload.occupied(problem))
    }

    /// Takes back an upload that nobody will complete. That may fail, and then it stays until it is cleared away.
    pub(super) async fn abort(&self, upload: &Upload<'_>) {
        let wish = upload.wish(Method::DELETE, vec![pair("uploadId", &self.id)]);
        if let Ok(instruction) = upload.session.service.instruction(wish).await {
            let _ = upload.session.store.send(&instruction, &[]).await;
        }
    }
}

/// Sends one part.
pub(super) async fn send_part(
    session: &Session,
    source: &Source,
    number: u32,
    checksum: Checksum,
    mut early: Early<'_>,
) -> Result<Part, Problem> {
    let _lane = session.lanes.enter(source.len()).await;
    let etag = session
        .persist(async |_| {
            let instruction = early.take().await?;
            let response = session.store.upload(&instruction, source, &session.progress).await?;
            let etag = header(response.headers(), "etag");
            etag.ok_or_else(|| Problem::new(Ending::Failed, "the answer of S3 lacks an ETag"))
        })
        .await?;
    Ok(Part { number, etag, checksum })
}

/// S3 may begin to answer with success and then tell of a failure
/// ([CompleteMultipartUpload](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html)).
fn assembled(answer: &[u8]) -> Result<Option<String>, Problem> {
    match multipart::completed(answer) {
        Some(etag) => Ok(Some(etag)),
        None => Err(store::late_refusal(answer)),
    }
}

async fn exchange(upload: &Upload<'_>, method: Method, query: &Query, document: &str) -> Result<bytes::Bytes, Problem> {
    let session = upload.session;
    session
        .persist(async |_| {
            let wish = upload.wish(method.clone(), query.clone());
            let instruction = session.service.instruction(wish).await?;
            session.store.exchange(&instruction, document.to_owned()).await
        })
        .await
}
