//! An object in parts, from a file: what S3 has of it already is not sent again.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Method;

use super::early::Early;
use super::pending::{Pending, send_part};
use super::upload::{Stored, Upload, Wanted, pair};
use super::{Session, header};
use crate::checksum::Checksum;
use crate::multipart::{ALGORITHM, Listed, Part};
use crate::plan::{Cut, Piece};
use crate::problem::Problem;
use crate::report::Ending;
use crate::state::{Begun, Record};
use crate::tree::Opened;

/// How many parts are made ready before there is a lane for them.
const READY: usize = 6;

/// How many parts are under way at the most; the lanes allow fewer where others are, too.
const UNDER_WAY: usize = 8;

/// A file on its way to S3.
pub(super) struct InParts<'a> {
    upload: &'a Upload<'a>,
    opened: &'a Opened,
    record: Record,
}

/// A part that is ready to be sent, or has been by an earlier command.
enum Ready<'a> {
    Send(Piece, Checksum, Early<'a>),
    Stored(Piece, Part),
}

/// What is known of an upload that goes on.
struct Plan {
    pending: Pending,
    cut: Cut,
    stored: BTreeMap<u32, Listed>,
}

impl<'a> InParts<'a> {
    pub(super) fn new(upload: &'a Upload<'a>, opened: &'a Opened) -> Self {
        let state = &upload.session.state;
        Self {
            upload,
            opened,
            record: state.upload(upload.place.url(), &opened.path),
        }
    }

    /// Stores the file.
    pub(super) async fn run(&self) -> Result<Stored, Problem> {
        let found = match self.resume().await? {
            Some(found) => found,
            None => self.begin().await?,
        };
        let plan = match found {
            Found::Pending(plan) => plan,
            Found::Completed(stored) => return Ok(stored),
        };
        let mut kept = 0;
        let sent = self.send(&plan, &mut kept).await;
        let completed = match sent {
            Ok(parts) => self.complete(&plan, &parts).await,
            Err(problem) => Err(problem),
        };
        match completed {
            Ok((checksum, etag)) => {
                self.record.forget();
                Ok(Stored {
                    bytes: self.len(),
                    checksum,
                    etag,
                    kept,
                })
            }
            Err(problem) => Err(self.give_up(&plan, problem).await),
        }
    }

    fn session(&self) -> &'a Session {
        self.upload.session
    }

    fn len(&self) -> u64 {
        self.opened.source.len()
    }

    /// Goes on with an upload of the same file, if there is one.
    async fn resume(&self) -> Result<Option<Found>, Problem> {
        let Some(begun) = self.record.begun() else {
            return Ok(None);
        };
        let pending = Pending {
            id: begun.upload_id.clone(),
        };
        let cut = Cut::again(self.len(), begun.part_size).filter(|_| begun == self.begun(&pending, begun.part_size));
        let Some(cut) = cut else {
            // The file is another one now, or it is to be kept otherwise. What S3 has of it is of no use any more.
            pending.abort(self.upload).await;
            self.record.forget();
            return Ok(None);
        };
        match pending.parts(self.upload).await {
            Ok(stored) => {
                self.record.goes_on();
                Ok(Some(Found::Pending(Plan { pending, cut, stored })))
            }
            Err(problem) if problem.code.as_deref() == Some("NoSuchUpload") => {
                self.record.forget();
                // It may be gone because it had been completed before the command that did so ended.
                Ok(self.stored_already(cut).await?.map(Found::Completed))
            }
            Err(problem) => Err(problem),
        }
    }

    /// What is told of the object that is there, if it has the bytes of the file.
    async fn stored_already(&self, cut: Cut) -> Result<Option<Stored>, Problem> {
        let Ok(headers) = self.session().head(&self.upload.place).await else {
            return Ok(None);
        };
        if header(&headers, "content-length") != Some(self.len().to_string()) {
            return Ok(None);
        }
        let hashes = stream::iter(cut.pieces()).map(|piece| async move {
            let checksum = self.opened.piece(piece).checksum(ALGORITHM).await?;
            Ok::<_, Problem>((piece, checksum))
        });
        let hashes: Vec<_> = hashes.buffered(2).try_collect().await?;
        let checksum = joined(hashes.iter().map(|(piece, checksum)| (*piece, checksum)));
        let Some(checksum) = checksum.filter(|here| Checksum::of_answer(&headers).as_ref() == Some(here)) else {
            return Ok(None);
        };
        self.session().progress.skip(self.len());
        Ok(Some(Stored {
            bytes: self.len(),
            checksum,
            etag: header(&headers, "etag"),
            kept: self.len(),
        }))
    }

    async fn begin(&self) -> Result<Found, Problem> {
        let cut = Cut::of(self.len());
        if self.is_in_vain().await? {
            let stored = match self.upload.wanted {
                Wanted::There => self.stored_already(cut).await?,
                Wanted::Made => None,
            };
            let occupied = || {
                let refused = Problem::new(Ending::Conflict, "").coded("PreconditionFailed");
                self.upload.occupied(refused)
            };
            return stored.map(Found::Completed).ok_or_else(occupied);
        }
        let pending = Pending::begin(self.upload, Some(self.len())).await?;
        if let Err(error) = self.record.begin(&self.begun(&pending, cut.size())) {
            self.session()
                .console
                .note(&format!("what is sent can't be resumed after an interruption: {error}"));
        }
        Ok(Found::Pending(Plan {
            pending,
            cut,
            stored: BTreeMap::new(),
        }))
    }

    fn begun(&self, pending: &Pending, part_size: u64) -> Begun {
        Begun {
            url: self.upload.place.url().to_owned(),
            file: self.opened.path.clone(),
            identity: self.opened.identity.clone(),
            content_type: self.upload.about.content_type.clone(),
            metadata: self.upload.about.metadata.clone(),
            upload_id: pending.id.clone(),
            part_size,
        }
    }

    /// Only the completion of an upload finds out that the object must not be replaced, which is late.
    async fn is_in_vain(&self) -> Result<bool, Problem> {
        let upload = self.upload;
        let query = [pair("contentLength", &1)]
            .into_iter()
            .chain(upload.about.query())
            .collect();
        let probe = upload.wish(Method::PUT, query);
        let put = self
            .session()
            .persist(async |_| self.session().service.instruction(probe.clone()).await)
            .await?;
        let only_creates = upload.about.no_clobber || put.headers.contains_key("if-none-match");
        Ok(only_creates && self.session().head(&upload.place).await.is_ok())
    }

    /// Sends the parts that S3 lacks.
    async fn send(&self, plan: &Plan, kept: &mut u64) -> Result<Vec<Part>, Problem> {
        let parts = stream::iter(plan.cut.pieces())
            .map(|piece| self.prepare(plan, piece))
            .buffered(READY)
            .map(|ready| async {
                match ready? {
                    Ready::Stored(piece, part) => Ok((piece.len, part)),
                    Ready::Send(piece, checksum, early) => {
                        let source = self.opened.piece(piece);
                        let part = send_part(self.session(), &source, piece.number, checksum, early).await?;
                        Ok((0, part))
                    }
                }
            })
            .buffer_unordered(UNDER_WAY);
        let parts: Vec<_> = parts.try_collect::<Vec<(u64, Part)>>().await?;
        *kept = parts.iter().map(|(kept, _)| kept).sum();
        let mut parts: Vec<_> = parts.into_iter().map(|(_, part)| part).collect();
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    async fn prepare(&self, plan: &Plan, piece: Piece) -> Result<Ready<'a>, Problem> {
        let checksum = self.opened.piece(piece).checksum(ALGORITHM).await?;
        let listed = plan.stored.get(&piece.number);
        if let Some(listed) = listed.filter(|listed| listed.holds(piece.len, &checksum)) {
            self.session().progress.skip(piece.len);
            let part = Part {
                number: piece.number,
                etag: listed.etag.clone(),
                checksum,
            };
            return Ok(Ready::Stored(piece, part));
        }
        let early = plan
            .pending
            .early(self.upload, piece.number, piece.len, &checksum)
            .await;
        Ok(Ready::Send(piece, checksum, early))
    }

    async fn complete(&self, plan: &Plan, parts: &[Part]) -> Result<(Checksum, Option<String>), Problem> {
        if !self.opened.is_unchanged() {
            return Err(Problem::new(
                Ending::Conflict,
                format!("{} has changed while it was being sent", self.opened.path.display()),
            )
            .advising("Run the command again to send it as it is now."));
        }
        let checksum = joined(plan.cut.pieces().zip(parts.iter().map(|part| &part.checksum)));
        let checksum = checksum.expect("the checksums were computed here");
        let etag = plan.pending.complete(self.upload, parts, &checksum, self.len()).await?;
        Ok((checksum, etag))
    }

    /// Keeps what another command can go on with, and takes back what none can.
    async fn give_up(&self, plan: &Plan, problem: Problem) -> Problem {
        match problem.ending {
            Ending::Conflict => {
                plan.pending.abort(self.upload).await;
                self.record.forget();
                problem
            }
            Ending::Temporary if self.session().state.has_kept() => {
                problem.advising("Run the same command again: it goes on where this one has ended.")
            }
            _ => problem,
        }
    }
}

/// What has become of an upload.
enum Found {
    Pending(Plan),
    Completed(Stored),
}

/// The checksum of the whole, from those of its parts in order.
pub(super) fn joined<'a>(parts: impl Iterator<Item = (Piece, &'a Checksum)>) -> Option<Checksum> {
    let mut parts = parts;
    let (_, first) = parts.next()?;
    parts.try_fold(first.clone(), |whole, (piece, next)| whole.followed_by(next, piece.len))
}
