//! An object to a file: in one stream, or in ranges side by side where it is large; and only once all of it is there and
//! right does the file have its name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::Response;
use reqwest::header::ETAG;

use super::download::{Download, Fetched, First, Streamed};
use super::parts::joined;
use super::{Session, header};
use crate::checksum::{Algorithm, Checksum};
use crate::place::Place;
use crate::plan::{Cut, Piece, SINGLE_DOWNLOAD};
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
    path: PathBuf,
    part_path: PathBuf,
    part: File,
    record: Record,
}

/// What of an object is in the file already: the numbers of ranges, with their checksums.
type Present = BTreeMap<u32, Checksum>;

impl<'a> Target<'a> {
    /// Begins a file beside the one that will be, or goes on with it.
    pub(super) async fn open(session: &'a Session, place: &'a Place, path: &Path) -> Result<Self, Problem> {
        let path = std::path::absolute(path).map_err(|error| Problem::io(path.display(), &error))?;
        let mut part_path = OsString::from(&path);
        part_path.push(".part");
        let part_path = PathBuf::from(part_path);
        let opened = {
            let part_path = part_path.clone();
            blocking(move || open(&part_path)).await
        };
        Ok(Self {
            session,
            place,
            record: session.state.download(place.url(), &path),
            part: opened?,
            part_path,
            path,
        })
    }

    /// Brings the object.
    pub(super) async fn fetch(self) -> Result<Fetched, Problem> {
        let fetched = self.bring().await;
        match fetched {
            Ok(fetched) => {
                self.keep().await?;
                self.session.progress.file_done();
                Ok(fetched)
            }
            Err(problem) => Err(self.give_up(problem)),
        }
    }

    async fn bring(&self) -> Result<Fetched, Problem> {
        let download = Download::new(self.session, self.place);
        if let Some((object, present)) = self.resume().await? {
            return self.ranges(&download, &object, present, None).await;
        }
        self.record.forget();
        let First { object, response, lane } = download.first().await?;
        self.session.progress.expect(object.len);
        let part = self.clone_part()?;
        blocking(move || part.set_len(0))
            .await
            .map_err(|error| self.io(&error))?;
        if object.len < SINGLE_DOWNLOAD {
            return download.to_file(&object, response, self.clone_part()?).await;
        }
        drop(lane);
        self.ranges(&download, &object, Present::new(), Some(response)).await
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
        self.session.progress.expect(object.len);
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
        self.record.follow(object, &finished).unwrap_or_else(|error| {
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
        let part = self.clone_part()?;
        let (from, to) = (self.part_path.clone(), self.path.clone());
        let kept = blocking(move || part.sync_all().and_then(|()| std::fs::rename(from, to))).await;
        kept.map_err(|error| Problem::io(self.path.display(), &error))?;
        self.record.forget();
        Ok(())
    }

    /// Keeps what another command can go on with, and nothing else.
    fn give_up(&self, problem: Problem) -> Problem {
        let can_go_on = self.record.downloaded().is_some();
        if !can_go_on || matches!(problem.ending, Ending::Conflict | Ending::Checksum) {
            let _ = std::fs::remove_file(&self.part_path);
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
        Problem::io(self.part_path.display(), error)
    }
}

/// The algorithm of the ranges: that of the whole where it follows from theirs.
fn algorithm(object: &Object) -> Algorithm {
    let told = object.checksum.as_ref().map(|told| told.algorithm);
    told.filter(|algorithm| algorithm.joins())
        .unwrap_or(Algorithm::Crc64Nvme)
}

/// Opens the file for this command alone.
fn open(part_path: &Path) -> Result<File, Problem> {
    let refused = |error: &std::io::Error| Problem::io(part_path.display(), error);
    if let Some(folder) = part_path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Problem::io(folder.display(), &error))?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let part = options.open(part_path).map_err(|error| refused(&error))?;
    match part.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Problem::new(
            Ending::Conflict,
            format!("another command is writing {}", part_path.display()),
        )),
        // On file systems without locks the user sees to that.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(part),
    }
}

/// Does what makes a thread wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("it does not panic")
}
