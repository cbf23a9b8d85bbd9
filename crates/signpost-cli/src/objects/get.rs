//! `signpost get` and `signpost cat`.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::download::{Download, Fetched};
use super::listing::Listing;
use super::names::part_of;
use super::{Session, each, is_dash, objects, places, ranges};
use crate::console::Outcome;
use crate::context::Context;
use crate::options::{Connection, GetOptions};
use crate::place::Place;
use crate::problem::Problem;
use crate::progress::Mode;
use crate::report::Ending;
use crate::tree;

/// An object, and the file that it goes to.
struct Errand {
    place: Place,
    /// None where no file can have the name of the object; and why.
    file: Result<PathBuf, Problem>,
    /// How long the object is thought to be.
    len: u64,
}

pub(super) async fn get(options: &GetOptions, context: &mut Context<'_, '_>) -> Result<Ending, Problem> {
    let places = if options.recursive {
        places(&options.objects, &options.connection, context)?
    } else {
        objects(&options.objects, &options.connection, context)?
    };
    let to_stdout = options.output.as_deref().is_some_and(is_dash);
    if to_stdout && options.recursive {
        return Err(Problem::usage("a folder can't go to standard output"));
    }
    let folder = folder(&places, options.output.as_deref(), options.recursive)?;
    let session = Session::open(&places, &options.connection, options.progress, context)?;
    if to_stdout {
        return Ok(pour(&session, &places).await);
    }
    let errands = errands(&session, &places, folder).await?;
    for errand in &errands {
        session.progress.expect(errand.len);
    }
    let fetch = async |errand: Errand| {
        let fetched = fetch(&session, &errand, options).await;
        tell(&session, &errand, fetched)
    };
    Ok(each(errands, fetch).await)
}

pub(super) async fn cat(
    texts: &[String],
    connection: &Connection,
    context: &mut Context<'_, '_>,
) -> Result<Ending, Problem> {
    let places = objects(texts, connection, context)?;
    let session = Session::open(&places, connection, Mode::None, context)?;
    Ok(pour(&session, &places).await)
}

/// Writes objects to standard output, up to the first that fails: what follows would be taken for its end.
async fn pour(session: &Session, places: &[Place]) -> Ending {
    for _ in places {
        session.progress.expect(0);
    }
    for place in places {
        let poured = Download::new(session, place, 0).to_stdout().await;
        if let Err(problem) = poured {
            let outcome = Outcome::of("get", place.url());
            return session.console.failed(outcome, &format!("can't get {place}"), &problem);
        }
    }
    Ending::Done
}

async fn fetch(session: &Session, errand: &Errand, options: &GetOptions) -> Result<Fetched, Problem> {
    let file = errand.file.clone()?;
    if options.no_clobber && file.exists() {
        return Err(Problem::new(Ending::Conflict, format!("{} exists", file.display())));
    }
    if file.is_dir() {
        return Err(Problem::new(
            Ending::Conflict,
            format!("{} is a folder", file.display()),
        ));
    }
    ranges::fetch(session, &errand.place, &file, errand.len).await
}

fn tell(session: &Session, errand: &Errand, fetched: Result<Fetched, Problem>) -> Ending {
    let place = &errand.place;
    let file = errand.file.as_ref().ok().map(|file| file.to_string_lossy());
    let outcome = Outcome::of("get", place.url()).with_known("file", file);
    match fetched {
        Ok(fetched) => {
            let outcome = outcome
                .with("bytes", fetched.bytes)
                .with("bytes_kept", fetched.kept)
                .with_known("checksum", fetched.verified.map(|checksum| checksum.to_string()));
            session.console.done(outcome, "");
            Ending::Done
        }
        Err(problem) => session.console.failed(outcome, &format!("can't get {place}"), &problem),
    }
}

/// Where the files go.
enum Goal {
    Folder(PathBuf),
    File(PathBuf),
}

fn folder(places: &[Place], output: Option<&Path>, recursive: bool) -> Result<Goal, Problem> {
    match output {
        None => Ok(Goal::Folder(".".into())),
        Some(path) if path.is_dir() || recursive || path.as_os_str().to_string_lossy().ends_with('/') => {
            Ok(Goal::Folder(path.to_owned()))
        }
        Some(file) if places.len() == 1 => Ok(Goal::File(file.to_owned())),
        Some(path) => Err(Problem::usage(format!(
            "{} is no folder, and the objects are many",
            path.display()
        ))),
    }
}

/// The file of each object. Two objects never end in one file.
async fn errands(session: &Session, places: &[Place], goal: Goal) -> Result<Vec<Errand>, Problem> {
    let folder = match goal {
        Goal::Folder(folder) => folder,
        Goal::File(file) => {
            let place = places[0].clone();
            return Ok(vec![Errand {
                place,
                file: Ok(file),
                len: 0,
            }]);
        }
    };
    let mut errands = Vec::new();
    for place in places {
        if place.is_prefix() {
            errands.extend(below(session, place, &folder).await?);
            continue;
        }
        let name = place.name().filter(|name| !name.contains('/'));
        let name = name.ok_or_else(|| {
            Problem::usage(format!("the name of {place} can't be that of a file")).advising("Name the file with -o.")
        })?;
        errands.push(Errand {
            place: place.clone(),
            file: Ok(folder.join(name)),
            len: 0,
        });
    }
    keep_apart(&mut errands)?;
    Ok(errands)
}

/// Refuses two objects for one file, and an object whose file is another one in the making.
fn keep_apart(errands: &mut [Errand]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for file in errands.iter().filter_map(|errand| errand.file.as_ref().ok()) {
        if !seen.insert(file) {
            return Err(Problem::usage(format!(
                "two of the objects would be written to {}",
                file.display()
            )));
        }
    }
    let parts: HashMap<_, _> = seen.into_iter().map(|file| (part_of(file), file.clone())).collect();
    for errand in errands {
        let other = errand
            .file
            .as_ref()
            .ok()
            .and_then(|file| Some((file, parts.get(file)?)));
        if let Some((file, other)) = other {
            let (file, other) = (file.display(), other.display());
            let problem = Problem::new(Ending::Conflict, format!("{file} is {other} in the making"));
            errand.file = Err(problem.advising("Get this object by itself, with -o FILE."));
        }
    }
    Ok(())
}

/// The objects below a prefix, and their files below the folder.
async fn below(session: &Session, prefix: &Place, folder: &Path) -> Result<Vec<Errand>, Problem> {
    let names = Listing::new(session, prefix, true).names().await?;
    let errands = names.into_iter().filter_map(|(name, len)| {
        // What stands for a folder in some consoles is no file.
        if name.is_empty() || name.ends_with('/') {
            return None;
        }
        let file = tree::below(folder, &name).and_then(|file| {
            tree::stays_below(folder, &file)?;
            Ok(file)
        });
        // Of a key that no URL can name, that is what is told.
        let (place, file) = match prefix.join(&name) {
            Ok(place) => (place, file),
            Err(problem) => (prefix.clone(), file.and(Err(problem))),
        };
        Some(Errand { place, file, len })
    });
    let errands: Vec<_> = errands.collect();
    if errands.is_empty() {
        return Err(Problem::new(
            Ending::NotFound,
            format!("there is nothing below {prefix}"),
        ));
    }
    Ok(errands)
}
