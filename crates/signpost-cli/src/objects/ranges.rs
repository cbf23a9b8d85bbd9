//! An object to a file: in one stream, or in ranges side by side where it is large; and only once all of it is there and
//! right does the file have its name.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Mutex;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Response;
use reqwest::header::ETAG;

use super::download::{Download, Fetched, First, Streamed};
use super::names::Names;
use super::parts::joined;
use super::{Session, header, small};
use crate::checksum::{Algorithm, Checksum};
use crate::place::Place;
use crate::plan::{Cut, Piece, SINGLE_DOWNLOAD, SMALL};
use crate::problem::Problem;
use crate::report::Ending;
use crate::source;
use crate::state::{Finished, Log, Object, Record};
use crate::writer::Writer;

/// How many ranges are under way at the most; the lanes allow fewer where others are, too.
const UNDER_WAY: usize = 8;

/// A file in the making.
pub(super) struct Target<'a> {
    session: &'a Session,
    place: &'a Place,
    names: Names,
    part: File,
    record: Record,
}

/// What of an object is in the file already: the numbers of ranges, with their checksums.
type Present = BTreeMap<u32, Checksum>;

/// Brings an object to a file.
pub(super) async fn fetch(session: &Session, place: &Place, path: &Path, thought: u64) -> Result<Fetched, Problem> {
    let names = Names::of(path)?;
    let record = session.state.download(place.url(), &names.file);
    let download = Download::new(session, place, thought);
    // Where an earlier command has left something, that is looked at before the object is asked for.
    let first = if record.exists() {
        None
    } else {
        Some(download.first().await?)
    };
    let fetched = match first {
        Some(first) if first.object.len <= SMALL => small::bring(&download, first, names).await,
        first => {
            Target::open(session, place, names, record)
                .await?
                .bring(&download, first)
                .await
        }
    };
    if fetched.is_ok() {
        session.progress.file_done();
    }
    fetched
}

impl<'a> Target<'a> {
    /// Begins a file beside the one that will be, or goes on with it.
    async fn open(session: &'a Session, place: &'a Place, names: Names, record: Record) -> Result<Self, Problem> {
        let opened = {
            let (names, record) = (names.clone(), record.clone());
            blocking(move || names.open(record.has_left(&names.part))).await
        };
        Ok(Self {
            session,
            place,
            record,
            part: opened?,
            names,
        })
    }

    /// Brings the object.
    async fn bring(self, download: &Download<'_>, first: Option<First<'_>>) -> Result<Fetched, Problem> {
        let fetched = match self.bring_part(download, first).await {
            Ok(fetched) => self.keep().await.map(|()| fetched),
            Err(problem) => Err(problem),
        };
        fetched.map_err(|problem| self.give_up(problem))
    }

    async fn bring_part(&self, download: &Download<'_>, first: Option<First<'_>>) -> Result<Fetched, Problem> {
        if let Some((object, present)) = self.resume().await? {
            download.has(object.len);
            return self.ranges(download, &object, present, None).await;
        }
        let First { object, response, lane } = match first {
            Some(first) => first,
            None => download.first().await?,
        };
        download.has(object.len);
        let part = self.clone_part()?;
        blocking(move || part.set_len(0))
            .await
            .map_err(|error| self.io(&error))?;
        if object.len < SINGLE_DOWNLOAD {
            // By that the file is known to be ours, whatever ends this command.
            let _ = self.record.claim(&object, &self.part);
            return download.to_file(&object, response, self.clone_part()?).await;
        }
        drop(lane);
        self.ranges(download, &object, Present::new(), Some(response)).await
    }

    /// What an earlier command has left, as far as the file really has it.
    async fn resume(&self) -> Result<Option<(Object, Present)>, Problem> {
        let Some((object, finished)) = self.record.downloaded() else {
            return Ok(None);
        };
        let Some(cut) = Cut::again(object.len, object.range_size) else {
            return Ok(None);
        };
        let headers = self.session.head(self.place).await?;
        if header(&headers, ETAG.as_str()).as_deref() != Some(&object.etag) {
            return Ok(None);
        }
        let said: BTreeMap<_, _> = finished
            .into_iter()
            .map(|Finished { number, checksum }| (number, checksum))
            .collect();
        let algorithm = algorithm(&object);
        let file = self.clone_part()?;
        let present: Present = blocking(move || {
            let is_there = |piece: &Piece| {
                let said = said.get(&piece.number)?;
                let here = source::hash(&file, piece.start, piece.len, algorithm).ok()?;
                (here == *said).then_some((piece.number, here))
            };
            cut.pieces().filter_map(|piece| is_there(&piece)).collect()
        })
        .await;
        if present.is_empty() {
            return Ok(None);
        }
        Ok(Some((object, present)))
    }

    /// Brings the ranges that are missing.
    async fn ranges(
        &self,
        download: &Download<'_>,
        object: &Object,
        present: Present,
        first: Option<Response>,
    ) -> Result<Fetched, Problem> {
        let cut = Cut::again(object.len, object.range_size).expect("it has been cut so before");
        let part = self.clone_part()?;
        let len = object.len;
        blocking(move || part.set_len(len))
            .await
            .map_err(|error| self.io(&error))?;
        let log = Mutex::new(self.follow(object, &present));
        let kept: u64 = cut
            .pieces()
            .filter(|piece| present.contains_key(&piece.number))
            .map(|piece| piece.len)
            .sum();
        self.session.progress.skip(kept);
        let mut first = first;
        let missing: Vec<_> = cut
            .pieces()
            .filter(|piece| !present.contains_key(&piece.number))
            .map(|piece| (piece, first.take()))
            .collect();
        let brought: Vec<_> = stream::iter(missing)
            .map(|(piece, response)| self.range(download, object, piece, response, &log))
            .buffer_unordered(UNDER_WAY)
            .try_collect()
            .await?;
        let mut all = present;
        all.extend(brought);
        let here = match &object.checksum {
            Some(told) if !told.algorithm.joins() => Some(self.hash_all(told.algorithm, object.len).await?),
            Some(_) => joined(cut.pieces().zip(all.values())),
            None => None,
        };
        Ok(Fetched {
            kept,
            ..Fetched::checked(object, here)?
        })
    }

    async fn range(
        &self,
        download: &Download<'_>,
        object: &Object,
        piece: Piece,
        first: Option<Response>,
        log: &Mutex<Log>,
    ) -> Result<(u32, Checksum), Problem> {
        let _lane = self.session.lanes.enter(piece.len).await;
        let mut writer = Writer::new(self.clone_part()?, piece.start, algorithm(object));
        let mut streamed = Streamed::of(object, piece);
        download
            .stream(&mut streamed, first, async |bytes| writer.take(bytes).await)
            .await?;
        let checksum = writer.finish().await?;
        let finished = Finished {
            number: piece.number,
            checksum,
        };
        let mut log = log.lock().expect("nobody panics with it");
        // What is not noted is brought once more after an interruption, and that is all.
        let _ = log.add(&finished);
        Ok((finished.number, finished.checksum))
    }

    fn follow(&self, object: &Object, present: &Present) -> Log {
        let finished: Vec<_> = present
            .iter()
            .map(|(number, checksum)| Finished {
                number: *number,
                checksum: checksum.clone(),
            })
            .collect();
        self.record
            .follow(object, &self.part, &finished)
            .unwrap_or_else(|error| {
                let console = &self.session.console;
                console.note(&format!(
                    "what is brought can't be resumed after an interruption: {error}"
                ));
                Log::none()
            })
    }

    async fn hash_all(&self, algorithm: Algorithm, len: u64) -> Result<Checksum, Problem> {
        let file = self.clone_part()?;
        blocking(move || source::hash(&file, 0, len, algorithm))
            .await
            .map_err(|error| self.io(&error))
    }

    /// All of it is there, and right.
    async fn keep(&self) -> Result<(), Problem> {
        let (part, names) = (self.clone_part()?, self.names.clone());
        blocking(move || names.keep(&part)).await?;
        self.record.forget();
        Ok(())
    }

    /// Keeps what another command can go on with, and nothing else.
    fn give_up(&self, problem: Problem) -> Problem {
        let can_go_on = self
            .record
            .downloaded()
            .is_some_and(|(_, finished)| !finished.is_empty());
        if !can_go_on || matches!(problem.ending, Ending::Conflict | Ending::Checksum) {
            let _ = std::fs::remove_file(&self.names.part);
            self.record.forget();
            return problem;
        }
        match problem.ending {
            Ending::Temporary => problem.advising("Run the same command again: it goes on where this one has ended."),
            _ => problem,
        }
    }

    fn clone_part(&self) -> Result<File, Problem> {
        self.part.try_clone().map_err(|error| self.io(&error))
    }

    fn io(&self, error: &std::io::Error) -> Problem {
        Problem::io(self.names.part.display(), error)
    }
}

/// The algorithm of the ranges: that of the whole where it follows from theirs.
fn algorithm(object: &Object) -> Algorithm {
    let told = object.checksum.as_ref().map(|told| told.algorithm);
    told.filter(|algorithm| algorithm.joins())
        .unwrap_or(Algorithm::Crc64Nvme)
}

/// Does what makes a thread wait.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}
