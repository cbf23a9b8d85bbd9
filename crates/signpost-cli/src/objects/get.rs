//! `signpost get` and `signpost cat`.

use std::path::{Path, PathBuf};

use super::download::{Download, Fetched, Sink};
use super::{Session, is_dash, objects, worst};
use crate::System;
use crate::console::Outcome;
use crate::options::{Connection, GetOptions};
use crate::place::Place;
use crate::problem::Problem;
use crate::report::Ending;

pub(super) async fn get(options: &GetOptions, system: &mut System<'_>) -> Result<Ending, Problem> {
    let places = objects(&options.objects, system)?;
    let session = Session::open(&places, &options.connection, system)?;
    if options.output.as_deref().is_some_and(is_dash) {
        return Ok(pour(&session, &places).await);
    }
    let files = files(&places, options.output.as_deref())?;
    let mut endings = Vec::new();
    for (place, file) in places.iter().zip(&files) {
        let fetched = fetch(&session, place, file, options.no_clobber).await;
        endings.push(tell(&session, place, file, fetched));
    }
    Ok(worst(endings))
}

pub(super) async fn cat(texts: &[String], connection: &Connection, system: &mut System<'_>) -> Result<Ending, Problem> {
    let places = objects(texts, system)?;
    let session = Session::open(&places, connection, system)?;
    Ok(pour(&session, &places).await)
}

/// Writes objects to standard output, up to the first that fails: what follows would be taken for its end.
async fn pour(session: &Session, places: &[Place]) -> Ending {
    for place in places {
        let poured = Download::new(session, place, Sink::stdout()).run().await;
        if let Err(problem) = poured {
            let outcome = Outcome::of("get", place.url());
            return session.console.failed(outcome, &format!("can't get {place}"), &problem);
        }
    }
    Ending::Done
}

async fn fetch(session: &Session, place: &Place, file: &Path, no_clobber: bool) -> Result<Fetched, Problem> {
    if no_clobber && file.exists() {
        return Err(Problem::new(Ending::Conflict, format!("{} exists", file.display())));
    }
    Download::new(session, place, Sink::create(file)?).run().await
}

fn tell(session: &Session, place: &Place, file: &Path, fetched: Result<Fetched, Problem>) -> Ending {
    let outcome = Outcome::of("get", place.url()).with("file", file.to_string_lossy());
    match fetched {
        Ok(fetched) => {
            let outcome = outcome
                .with("bytes", fetched.bytes)
                .with_known("checksum", fetched.verified.map(|checksum| checksum.to_string()));
            session.console.done(outcome, "");
            Ending::Done
        }
        Err(problem) => session.console.failed(outcome, &format!("can't get {place}"), &problem),
    }
}

/// The file of each place. Two objects never end in one file.
fn files(places: &[Place], output: Option<&Path>) -> Result<Vec<PathBuf>, Problem> {
    let folder = match output {
        None => Path::new("."),
        Some(path) if path.is_dir() || path.as_os_str().to_string_lossy().ends_with('/') => path,
        Some(file) if places.len() == 1 => return Ok(vec![file.to_owned()]),
        Some(path) => {
            return Err(Problem::usage(format!(
                "{} is no folder, and the objects are many",
                path.display()
            )));
        }
    };
    let mut files = Vec::new();
    for place in places {
        let name = place.name().filter(|name| !name.contains('/'));
        let name = name.ok_or_else(|| {
            Problem::usage(format!("the name of {place} can't be that of a file")).advising("Name the file with -o.")
        })?;
        let file = folder.join(name);
        if files.contains(&file) {
            return Err(Problem::usage(format!(
                "two of the objects would be written to {}",
                file.display()
            )));
        }
        files.push(file);
    }
    Ok(files)
}
