//! One object, from S3 to standard output or to a file, in one stream that goes on where it broke off.

use std::fs::File;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, IF_MATCH, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::SemaphorePermit;

use super::early::Lasting;
use super::{Session, checksum_mode, header};
use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::http;
use crate::place::Place;
use crate::plan::{Cut, Piece};
use crate::problem::Problem;
use crate::report::Ending;
use crate::service::Wish;
use crate::state::Object;
use crate::writer::Writer;

/// An object on its way here.
pub(super) struct Download<'a> {
    pub(super) session: &'a Session,
    /// How long it is thought to be.
    thought: u64,
    /// One URL is good for every range.
    url: Lasting<'a>,
}

/// The answer to the first request.
pub(super) struct First<'a> {
    pub(super) object: Object,
    pub(super) response: Response,
    pub(super) lane: SemaphorePermit<'a>,
}

/// What came of it.
pub(super) struct Fetched {
    pub(super) bytes: u64,
    /// The checksum that S3 told and the bytes have.
    pub(super) verified: Option<Checksum>,
    /// The bytes that an earlier command had brought.
    pub(super) kept: u64,
}

/// A piece of the object that comes over one connection after another.
pub(super) struct Streamed<'a> {
    pub(super) object: &'a Object,
    pub(super) piece: Piece,
    /// How many bytes of it have come.
    pub(super) at: u64,
}

impl<'a> Download<'a> {
    pub(super) fn new(session: &'a Session, place: &Place, thought: u64) -> Self {
        let wish = Wish {
            method: Method::GET,
            place: place.clone(),
            query: vec![checksum_mode()],
        };
        Self {
            session,
            thought,
            url: Lasting::new(session, wish),
        }
    }

    /// So long it really is.
    pub(super) fn has(&self, len: u64) {
        self.session.progress.amend(self.thought, len);
    }

    /// Begins with the whole of it, and learns what it is.
    pub(super) async fn first(&self) -> Result<First<'a>, Problem> {
        let session = self.session;
        let began = session.persist(async |_| {
            // Whoever waits for a lane has a URL by then.
            self.url.current().await?;
            let lane = session.lanes.enter(0).await;
            let instruction = self.url.current().await?;
            let sent = session.store.send(&instruction, &[]).await;
            Ok((self.url.refused(sent).await?, lane))
        });
        let (response, lane) = began.await?;
        Ok(First {
            object: of_answer(response.headers())?,
            response,
            lane,
        })
    }

    /// Asks for what is missing of a piece.
    pub(super) async fn rest(&self, streamed: &Streamed<'_>) -> Result<Response, Problem> {
        let Streamed { object, piece, at } = streamed;
        let instruction = self.url.current().await?;
        let range = format!("bytes={}-{}", piece.start + at, piece.end() - 1);
        let unchanged = [(RANGE.as_str(), range.as_str()), (IF_MATCH.as_str(), &object.etag)];
        let sent = self.session.store.send(&instruction, &unchanged).await;
        let response = self.url.refused(sent).await.map_err(changed)?;
        // A store that ignores `If-Match` tells of another object nevertheless.
        if header(response.headers(), ETAG.as_str()).as_deref() != Some(&object.etag) {
            return Err(changed(Problem::new(Ending::Conflict, "")));
        }
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(Problem::new(Ending::Failed, "S3 gives no ranges of the object"));
        }
        Ok(response)
    }

    /// Brings a piece to where `take` puts its bytes, beginning with an answer that is there already.
    pub(super) async fn stream(
        &self,
        streamed: &mut Streamed<'_>,
        mut first: Option<Response>,
        mut take: impl AsyncFnMut(Bytes) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let session = self.session;
        session
            .persist(async |_| {
                while streamed.at < streamed.piece.len {
                    let mut response = match first.take() {
                        Some(response) => response,
                        None => self.rest(streamed).await?,
                    };
                    let before = streamed.at;
                    // The answer to the first request goes on beyond the piece, with what others bring.
                    while streamed.at < streamed.piece.len
                        && let Some(mut bytes) = http::chunk(&mut response).await?
                    {
                        let missing = streamed.piece.len - streamed.at;
                        bytes.truncate(usize::try_from(missing).unwrap_or(usize::MAX));
                        let len = bytes.len() as u64;
                        take(bytes).await?;
                        session.progress.advance(len);
                        streamed.at += len;
                    }
                    if streamed.at == before {
                        return Err(Problem::temporary("the answer of S3 ended early"));
                    }
                }
                Ok(())
            })
            .await
    }

    /// Brings all of it to standard output.
    pub(super) async fn to_stdout(&self) -> Result<Fetched, Problem> {
        let First { object, response, lane } = self.first().await?;
        self.has(object.len);
        let mut stdout = tokio::io::stdout();
        let refused = |error| Problem::io("can't write to standard output", &error);
        let mut hasher = object.checksum.as_ref().map(|told| told.algorithm.hasher());
        let mut streamed = Streamed::whole(&object);
        self.stream(&mut streamed, Some(response), async |bytes| {
            if let Some(hasher) = &mut hasher {
                hasher.update(&bytes);
            }
            stdout.write_all(&bytes).await.map_err(refused)
        })
        .await?;
        stdout.flush().await.map_err(refused)?;
        drop(lane);
        self.session.progress.file_done();
        Fetched::checked(&object, hasher.map(Hasher::finish))
    }

    /// Brings all of it to a file that is open.
    pub(super) async fn to_file(&self, object: &Object, response: Response, file: File) -> Result<Fetched, Problem> {
        let algorithm = object.checksum.as_ref().map(|told| told.algorithm);
        let mut writer = Writer::new(file, 0, algorithm.unwrap_or(Algorithm::Crc64Nvme));
        let mut streamed = Streamed::whole(object);
        self.stream(&mut streamed, Some(response), async |bytes| writer.take(bytes).await)
            .await?;
        let checksum = writer.finish().await?;
        Fetched::checked(object, algorithm.and(Some(checksum)))
    }
}

impl<'a> Streamed<'a> {
    pub(super) fn whole(object: &'a Object) -> Self {
        Self::of(
            object,
            Piece {
                number: 1,
                start: 0,
                len: object.len,
            },
        )
    }

    pub(super) const fn of(object: &'a Object, piece: Piece) -> Self {
        Self { object, piece, at: 0 }
    }
}

impl Fetched {
    /// All of it, if its checksum is the one that S3 tells.
    pub(super) fn checked(object: &Object, here: Option<Checksum>) -> Result<Self, Problem> {
        match (&object.checksum, here) {
            (Some(told), Some(here)) if *told != here => Err(Problem::new(
                Ending::Checksum,
                format!("the checksum is {here}, and S3 says {told}"),
            )
            .advising("Nothing was kept. Run the command again; if it stays so, the object is damaged.")),
            (told, here) => Ok(Self {
                bytes: object.len,
                verified: told.clone().filter(|_| here.is_some()),
                kept: 0,
            }),
        }
    }
}

fn of_answer(headers: &HeaderMap) -> Result<Object, Problem> {
    let len = header(headers, CONTENT_LENGTH.as_str()).and_then(|len| len.parse().ok());
    let (Some(len), Some(etag)) = (len, header(headers, ETAG.as_str())) else {
        return Err(Problem::new(
            Ending::Failed,
            "the answer of S3 lacks a length or an ETag",
        ));
    };
    let cut = Cut::again(len, Cut::of(len).size()).ok_or_else(|| {
        Problem::new(
            Ending::Failed,
            format!("S3 tells of {len} bytes, and no object is so long"),
        )
    })?;
    Ok(Object {
        etag,
        len,
        checksum: Checksum::of_answer(headers),
        range_size: cut.size(),
    })
}

/// Says what a failed `If-Match` means here.
fn changed(problem: Problem) -> Problem {
    if problem.ending != Ending::Conflict {
        return problem;
    }
    Problem::new(Ending::Conflict, "the object has changed while it was being downloaded")
        .advising("Run the command again to get it as it is now.")
}
