//! One object, from S3 to a file or to standard output, in one stream that goes on where it broke off.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use reqwest::header::{CONTENT_LENGTH, ETAG, HeaderMap, IF_MATCH, RANGE};
use reqwest::{Method, Response};
use tokio::io::{AsyncWriteExt as _, Stdout};

use super::{Session, checksum_mode, header};
use crate::checksum::{Checksum, Hasher};
use crate::http;
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;

/// An object on its way here.
pub(super) struct Download<'a> {
    session: &'a Session,
    place: &'a Place,
    sink: Sink,
    /// What the first answer told of it.
    object: Option<Object>,
    /// How much of it is here.
    at: u64,
}

/// Where the bytes go.
pub(super) enum Sink {
    Stdout(Stdout),
    File {
        /// Has the bytes until all of them are right.
        part: File,
        part_path: PathBuf,
        path: PathBuf,
    },
}

/// What came of it.
pub(super) struct Fetched {
    pub(super) bytes: u64,
    /// The checksum that S3 told and the bytes have.
    pub(super) verified: Option<Checksum>,
}

struct Object {
    etag: String,
    len: u64,
    checksum: Option<Checksum>,
    hasher: Option<Hasher>,
}

impl Sink {
    pub(super) fn stdout() -> Self {
        Self::Stdout(tokio::io::stdout())
    }

    /// Begins a file beside the one that will be.
    pub(super) fn create(path: &Path) -> Result<Self, Problem> {
        let mut part_path = OsString::from(path);
        part_path.push(".part");
        let part_path = PathBuf::from(part_path);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| Problem::io(folder.display(), &error))?;
        }
        let part = File::create(&part_path).map_err(|error| Problem::io(part_path.display(), &error))?;
        Ok(Self::File {
            part,
            part_path,
            path: path.to_owned(),
        })
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Stdout(stdout) => stdout
                .write_all(bytes)
                .await
                .map_err(|error| Problem::io("can't write to standard output", &error)),
            Self::File { part, part_path, .. } => part
                .write_all(bytes)
                .map_err(|error| Problem::io(part_path.display(), &error)),
        }
    }

    /// The bytes are all here, and right.
    async fn finish(self) -> Result<(), Problem> {
        match self {
            Self::Stdout(mut stdout) => stdout
                .flush()
                .await
                .map_err(|error| Problem::io("can't write to standard output", &error)),
            Self::File { part, part_path, path } => part
                .sync_all()
                .and_then(|()| std::fs::rename(&part_path, &path))
                .map_err(|error| Problem::io(path.display(), &error)),
        }
    }
}

impl<'a> Download<'a> {
    pub(super) const fn new(session: &'a Session, place: &'a Place, sink: Sink) -> Self {
        Self {
            session,
            place,
            sink,
            object: None,
            at: 0,
        }
    }

    /// Brings all of it.
    pub(super) async fn run(mut self) -> Result<Fetched, Problem> {
        let session = self.session;
        session.persist(async |_| self.attempt().await).await?;
        let object = self.object.expect("an attempt that succeeds has seen the object");
        let verified = verify(object.checksum, object.hasher)?;
        self.sink.finish().await?;
        Ok(Fetched {
            bytes: self.at,
            verified,
        })
    }

    /// Brings what is missing.
    async fn attempt(&mut self) -> Result<(), Problem> {
        if self.object.as_ref().is_some_and(|object| object.len == self.at) {
            return Ok(());
        }
        let mut response = self.ask().await?;
        if self.object.is_none() {
            self.object = Some(Object::of_answer(response.headers())?);
        }
        let object = self.object.as_mut().expect("it has just been set");
        while let Some(bytes) = http::chunk(&mut response).await? {
            self.sink.write(&bytes).await?;
            if let Some(hasher) = &mut object.hasher {
                hasher.update(&bytes);
            }
            self.at += bytes.len() as u64;
        }
        if self.at < object.len {
            return Err(Problem::temporary("the answer of S3 ended early"));
        }
        Ok(())
    }

    async fn ask(&self) -> Result<Response, Problem> {
        let service = &self.session.service;
        let instruction = service
            .instruction(Method::GET, self.place, &vec![checksum_mode()])
            .await?;
        let store = &self.session.store;
        let Some(object) = &self.object else {
            return store.send(&instruction, &[]).await;
        };
        let range = format!("bytes={}-", self.at);
        let unchanged = [(RANGE.as_str(), range.as_str()), (IF_MATCH.as_str(), &object.etag)];
        store.send(&instruction, &unchanged).await.map_err(changed)
    }
}

impl Object {
    fn of_answer(headers: &HeaderMap) -> Result<Self, Problem> {
        let told = |name: &str| header(headers, name);
        let len = told(CONTENT_LENGTH.as_str()).and_then(|len| len.parse().ok());
        let (Some(len), Some(etag)) = (len, told(ETAG.as_str())) else {
            return Err(Problem::new(
                Ending::Failed,
                "the answer of S3 lacks a length or an ETag",
            ));
        };
        let checksum = Checksum::of_answer(headers);
        Ok(Self {
            etag,
            len,
            hasher: checksum.as_ref().map(|checksum| checksum.algorithm.hasher()),
            checksum,
        })
    }
}

/// Says what a failed `If-Match` means here.
fn changed(problem: Problem) -> Problem {
    if problem.ending != Ending::Conflict {
        return problem;
    }
    Problem::new(Ending::Conflict, "the object has changed while it was being downloaded")
        .advising("Run the command again to get it as it is now.")
}

fn verify(told: Option<Checksum>, hasher: Option<Hasher>) -> Result<Option<Checksum>, Problem> {
    match (told, hasher.map(Hasher::finish)) {
        (Some(told), Some(here)) if told != here => Err(Problem::new(
            Ending::Checksum,
            format!("the checksum is {here}, and S3 says {told}"),
        )
        .advising("Nothing was kept. Run the command again; if it stays so, the object is damaged.")),
        (told, _) => Ok(told),
    }
}
