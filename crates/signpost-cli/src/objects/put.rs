//! `signpost put`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::AsyncReadExt as _;

use super::upload::{About, Stored, Upload};
use super::{Session, is_dash, worst};
use crate::System;
use crate::console::Outcome;
use crate::options::PutOptions;
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;
use crate::source::Source;

pub(super) async fn put(options: &PutOptions, system: &mut System<'_>) -> Result<Ending, Problem> {
    let base = (system.variable)("SIGNPOST_URL");
    let destination = Place::parse(&options.destination, base.as_deref())?;
    let places = places(&options.files, &destination)?;
    let session = Session::open(&places, &options.connection, system)?;
    let mut endings = Vec::new();
    for (file, place) in options.files.iter().zip(&places) {
        let stored = store(&session, file, place, options).await;
        endings.push(tell(&session, file, place, stored));
    }
    Ok(worst(endings))
}

async fn store(session: &Session, file: &Path, place: &Place, options: &PutOptions) -> Result<Stored, Problem> {
    let named = if is_dash(file) {
        place.name().unwrap_or_default().into()
    } else {
        file.to_owned()
    };
    let about = About {
        content_type: options.content_type.clone().or_else(|| guess(&named)),
        metadata: options.metadata.clone(),
        no_clobber: options.no_clobber,
    };
    let source = if is_dash(file) {
        of_stdin().await?
    } else {
        of_file(file)?
    };
    Upload {
        session,
        place,
        about: &about,
    }
    .run(&source)
    .await
}

/// The media type that goes with a name.
fn guess(path: &Path) -> Option<String> {
    mime_guess::from_path(path).first().map(|media| media.to_string())
}

fn of_file(path: &Path) -> Result<Source, Problem> {
    let refused = |error| Problem::io(format_args!("can't read {}", path.display()), &error);
    let file = File::open(path).map_err(refused)?;
    let metadata = file.metadata().map_err(refused)?;
    if !metadata.is_file() {
        return Err(Problem::usage(format!("{} is no file", path.display())));
    }
    Ok(Source::File {
        file: Arc::new(file),
        start: 0,
        len: metadata.len(),
    })
}

async fn of_stdin() -> Result<Source, Problem> {
    let mut read = BytesMut::new();
    let mut stdin = tokio::io::stdin();
    while stdin
        .read_buf(&mut read)
        .await
        .map_err(|error| Problem::io("can't read standard input", &error))?
        > 0
    {}
    Ok(Source::Memory(read.freeze()))
}

fn tell(session: &Session, file: &Path, place: &Place, stored: Result<Stored, Problem>) -> Ending {
    let outcome = Outcome::of("put", place.url()).with("file", file.to_string_lossy());
    match stored {
        Ok(stored) => {
            let outcome = outcome
                .with("bytes", stored.bytes)
                .with("checksum", stored.checksum.to_string())
                .with_known("etag", stored.etag);
            session.console.done(outcome, "");
            Ending::Done
        }
        Err(problem) => session
            .console
            .failed(outcome, &format!("can't put {}", file.display()), &problem),
    }
}

/// The place of each file. Two files never end in one object.
fn places(files: &[PathBuf], destination: &Place) -> Result<Vec<Place>, Problem> {
    if !destination.is_prefix() {
        return match files {
            [_] => Ok(vec![destination.clone()]),
            _ => Err(Problem::usage("many files need a destination that ends in a slash")),
        };
    }
    let mut places = Vec::new();
    for file in files {
        let name = file
            .file_name()
            .and_then(|name| name.to_str())
            .filter(|name| *name != "-");
        let name =
            name.ok_or_else(|| Problem::usage(format!("{} has no name to give to an object", file.display())))?;
        let place = destination.join(name)?;
        if places.contains(&place) {
            return Err(Problem::usage(format!("two of the files would be stored as {place}")));
        }
        places.push(place);
    }
    Ok(places)
}
